/* L-BFGS: functions with known minima, the Wolfe conditions, and whole trainings against PCA. */
#include "autoencoders.h"

#include <hourglass/pca.h>

#include <math.h>

/* ---- Functions ------------------------------------------------------------------------------------------- */

enum { MOST = 20 };

/* 1/2 x A x - b x with A = tridiagonal (-1, 2 + i/2, -1), b = A x0, x0 = 1, 2, ...: the minimum is at x0. */
static double stiffness(int i, int j)
{
    return i == j ? 2 + 0.5 * i : i - j == 1 || j - i == 1 ? -1 : 0;
}

static hg_status quadratic(void *context, double x[], double *value, double gradient[])
{
    (void)context;
    *value = 0;
    for (int i = 0; i < MOST; i++) {
        gradient[i] = 0;
        for (int j = 0; j < MOST; j++)
            gradient[i] += stiffness(i, j) * (x[j] - (j + 1));
        for (int j = 0; j < MOST; j++)
            *value += 0.5 * stiffness(i, j) * (x[i] - (i + 1)) * (x[j] - (j + 1));
    }
    return HG_OK;
}

/* Rosenbrock's valley as a graph of one's own, run by a plan from outside. */
typedef struct valley {
    hg_graph  *graph;
    hg_tensor *output[2], *x; /* value and gradient */
    hg_plan   *plan;
} valley;

static hg_status rosenbrock(void *context, double x[], double *value, double gradient[])
{
    valley *v = context;
    hg_write(v->x, x, 2);
    hg_status status = hg_run(v->plan);
    hg_plan_read(v->plan, v->output[0], value, 1);
    hg_plan_read(v->plan, v->output[1], gradient, 2);
    return status;
}

static valley make_valley(void)
{
    valley v = { .graph = hg_graph_new(HG_F64) };
    v.x = hg_parameter(v.graph, "x", HG_SHAPE(2), hg_zeros());
    hg_tensor *a = hg_slice(v.x, 0, 0, 1), *b = hg_slice(v.x, 0, 1, 1);
    hg_tensor *bend = hg_square(hg_sub(b, hg_square(a)));
    v.output[0] = hg_sum(hg_add(hg_square(hg_shift(a, -1)), hg_scale(bend, 100)), HG_ALL_AXES);
    hg_grad(v.output[0], 1, &v.x, &v.output[1]);
    v.plan = hg_plan_new(v.graph, 2, v.output, NULL);
    assert_string_equal(hg_graph_error(v.graph), "");
    return v;
}

static void free_valley(valley *v)
{
    hg_plan_free(v->plan);
    hg_graph_free(v->graph);
}

/* -log x - 2 log (1 - x), which is no number outside of (0, 1); minimum at 1/3 */
static hg_status barrier(void *context, double x[], double *value, double gradient[])
{
    (void)context;
    *value = -log(x[0]) - 2 * log(1 - x[0]);
    gradient[0] = -1 / x[0] + 2 / (1 - x[0]);
    return HG_OK;
}

/* sqrt(1 + x^2) - x / 2: the slope is bounded, and far out next to constant; minimum at 1 / sqrt(3) */
static hg_status flat(void *context, double x[], double *value, double gradient[])
{
    (void)context;
    *value = sqrt(1 + x[0] * x[0]) - x[0] / 2;
    gradient[0] = x[0] / sqrt(1 + x[0] * x[0]) - 0.5;
    return HG_OK;
}

static void minima_are_found(void **state)
{
    (void)state;
    valley v = make_valley();
    const struct {
        hg_objective objective;
        hg_optimizer optimizer;
        double       start[MOST], minimum[MOST], precision;
        int64_t      iterations, evaluations; /* at most */
    } rows[] = {
        { { MOST, quadratic, NULL, false }, HG_LBFGS(.tolerance = 1e-10), { 0 },
          { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }, 1e-10, 40, 45 },
        { { MOST, quadratic, NULL, false }, HG_LBFGS(.memory = 1, .tolerance = 1e-10), { 100, -3 },
          { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }, 1e-10, 80, 100 },
        { { 2, rosenbrock, &v, false }, HG_LBFGS(.tolerance = 1e-10), { -1.2, 1 }, { 1, 1 }, 1e-10, 40, 55 },
        { { 2, rosenbrock, &v, false }, HG_LBFGS(.memory = 3, .tolerance = 1e-10), { 10, -20 }, { 1, 1 }, 1e-10, 100, 150 },
        { { 1, barrier, NULL, false }, HG_LBFGS(.tolerance = 1e-10), { 1e-3 }, { 1.0 / 3 }, 1e-10, 20, 40 },
        { { 1, flat, NULL, false }, HG_LBFGS(.tolerance = 1e-10), { -100 }, { 0.57735026918962576 }, 1e-9, 20, 40 },
        { { 1, flat, NULL, false }, { .kind = NULL }, { 3 }, { 0.57735026918962576 }, 1e-4, 10, 20 },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        double x[MOST];
        hg_iteration last;
        hg_error error = { 0 };
        memcpy(x, rows[r].start, sizeof x);
        assert_int_equal(hg_minimize(rows[r].optimizer, &rows[r].objective, rows[r].iterations, x, &last, &error), HG_OK);
        for (int64_t i = 0; i < rows[r].objective.size; i++)
            if (!(fabs(x[i] - rows[r].minimum[i]) < rows[r].precision))
                fail_msg("row %zu: x[%d] is %.15g, not %.15g", r, (int)i, x[i], rows[r].minimum[i]);
        assert_non_null(last.ended);
        assert_says(last.ended, "gradient", "tolerance");
        if (last.evaluations > rows[r].evaluations)
            fail_msg("row %zu: %d evaluations", r, (int)last.evaluations);
    }
    free_valley(&v);
}

/* ---- The line search ------------------------------------------------------------------------------------- */

/* With memory and iterations one by one, as hg_train goes. */
static void steps_fulfil_the_wolfe_conditions(void **state)
{
    (void)state;
    valley v = make_valley();
    const hg_minimizer *lbfgs = hg_lbfgs_optimizer.minimizer;
    const hg_objective objective = { 2, rosenbrock, &v, false };
    void *memory = lbfgs->begin(&(hg_lbfgs_spec){ .memory = 5, .tolerance = 1e-8 }, 2);
    double x[2] = { -1.2, 1 };
    hg_iteration iteration = { 0 };
    int iterations = 0;
    for (; iteration.ended == NULL && iterations < 100; iterations++) {
        double before[2] = { x[0], x[1] }, from, to, g0[2], g1[2];
        assert_int_equal(lbfgs->iterate(memory, &objective, x, &iteration), HG_OK);
        rosenbrock(&v, before, &from, g0);
        rosenbrock(&v, x, &to, g1);
        double s[2] = { x[0] - before[0], x[1] - before[1] };
        double slope = s[0] * g0[0] + s[1] * g0[1], slope_after = s[0] * g1[0] + s[1] * g1[1];
        assert_true(slope < 0);
        assert_true(to <= from + 1e-4 * slope);
        assert_true(fabs(slope_after) <= -0.9 * slope);
        assert_true(iteration.value == to);
        assert_true(iteration.steepness == fmax(fabs(g1[0]), fabs(g1[1])));
        assert_in_range(iteration.evaluations, 1, 15);
    }
    assert_in_range(iterations, 10, 60);
    lbfgs->end(memory);
    lbfgs->end(NULL);
    free_valley(&v);
}

/* x^2 with the slope of -x^2 */
static hg_status wrong_slope(void *context, double x[], double *value, double gradient[])
{
    (void)context;
    *value = x[0] * x[0];
    gradient[0] = -2 * x[0];
    return HG_OK;
}

static hg_status no_number(void *context, double x[], double *value, double gradient[])
{
    (void)context;
    *value = x[0] > 2 ? NAN : 1;
    gradient[0] = INFINITY;
    return HG_OK;
}

static hg_status fails_on_the_third(void *context, double x[], double *value, double gradient[])
{
    int *calls = context;
    return ++*calls < 3 ? quadratic(NULL, x, value, gradient) : HG_CANNOT_READ;
}

/* (x - c)^2, where c is another in each iteration */
typedef struct moving {
    int64_t calls;
    double  centre;
} moving;

static hg_status moving_parabola(void *context, double x[], double *value, double gradient[])
{
    moving *m = context;
    m->calls++;
    *value = (x[0] - m->centre) * (x[0] - m->centre);
    gradient[0] = 2 * (x[0] - m->centre);
    return HG_OK;
}

/* The pairs that it remembers would be wrong across a change; the value where an iteration starts has to be new. */
static void changing_objectives_are_evaluated_anew(void **state)
{
    (void)state;
    const hg_minimizer *lbfgs = hg_lbfgs_optimizer.minimizer;
    moving m = { 0, 0 };
    const hg_objective objective = { 1, moving_parabola, &m, true };
    void *memory = lbfgs->begin(&(hg_lbfgs_spec){ .memory = 5, .tolerance = 1e-8 }, 1);
    double x[1] = { 5 };
    for (int i = 0; i < 6; i++) {
        hg_iteration iteration;
        m.centre = i % 2 == 0 ? -1 : 2;
        int64_t calls = m.calls;
        assert_int_equal(lbfgs->iterate(memory, &objective, x, &iteration), HG_OK);
        assert_int_equal(iteration.evaluations, m.calls - calls);
        assert_in_range(iteration.evaluations, 2, 10);
        assert_null(iteration.ended); /* the next may differ */
        if (i > 0) /* the parabola's curvature is known */
            assert_true(fabs(x[0] - m.centre) < 1e-12);
    }
    lbfgs->end(memory);
}

static void failures_are_told(void **state)
{
    (void)state;
    int calls = 0;
    const struct {
        hg_objective      objective;
        hg_optimizer      optimizer;
        double            start;
        hg_status         status;
        const char       *const words[4]; /* of the error, or of why it ended */
    } rows[] = {
        { { 1, wrong_slope, NULL, false }, HG_LBFGS(.memory = 5), 1.5, HG_OK, { "line search", "nothing lower" } },
        { { 1, no_number, NULL, false }, HG_LBFGS(.memory = 5), 3, HG_DIVERGED, { "lbfgs", "not finite" } },
        { { 1, no_number, NULL, false }, HG_LBFGS(.memory = 5), 1, HG_DIVERGED, { "lbfgs", "gradient", "not finite" } },
        { { MOST, fails_on_the_third, &calls, false }, HG_LBFGS(.memory = 5), 0, HG_CANNOT_READ, { "lbfgs", "read" } },
        { { 1, barrier, NULL, false }, HG_LBFGS(.memory = -1), 0.5, HG_BAD_ARGUMENT, { "lbfgs", "memory is -1", "[1, 1000]" } },
        { { 1, barrier, NULL, false }, HG_LBFGS(.tolerance = -1), 0.5, HG_BAD_ARGUMENT, { "lbfgs", "tolerance is -1" } },
        { { 1, barrier, NULL, false }, HG_ADAM(.rate = 1), 0.5, HG_BAD_ARGUMENT, { "adam", "mini-batches" } },
        { { 0, barrier, NULL, false }, HG_LBFGS(.memory = 5), 0.5, HG_BAD_ARGUMENT, { "size is 0" } },
        { { INT64_MAX / 8, barrier, NULL, false }, HG_LBFGS(.memory = 5), 0.5, HG_OUT_OF_MEMORY, { "memory", "lbfgs" } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        double x[MOST] = { rows[r].start };
        hg_iteration last = { 0 };
        hg_error error = { 0 };
        assert_int_equal(hg_minimize(rows[r].optimizer, &rows[r].objective, 50, x, &last, &error), rows[r].status);
        assert_words(rows[r].status == HG_OK ? last.ended : error.text, rows[r].words);
        assert_true(x[0] == rows[r].start || rows[r].status == HG_CANNOT_READ);
    }
}

/* ---- Trainings ------------------------------------------------------------------------------------------- */

typedef struct curve {
    hg_report report[64];
    int       epochs;
} curve;

static void keep_reports(const hg_report *report, void *to)
{
    curve *c = to;
    if (report->epoch_done)
        c->report[c->epochs++ % 64] = *report;
}

/* Samples of 8 numbers with deviations 3, 2, 1.5, 0.5 ... along rotated axes, about a mean that is not 0. */
enum { WIDTH = 8, SAMPLES = 200 };

static hg_dataset *make_points(void)
{
    static const double deviation[WIDTH] = { 3, 2, 1.5, 0.5, 0.4, 0.3, 0.2, 0.1 };
    static double x[SAMPLES][WIDTH];
    for (int i = 0; i < SAMPLES; i++) {
        for (int j = 0; j < WIDTH; j++)
            x[i][j] = deviation[j] * sin(1 + i * (1.7 + 0.61803 * j)) + 0.2 * j;
        for (int j = 0; j + 1 < WIDTH; j++) {
            double a = x[i][j], b = x[i][j + 1];
            x[i][j] = 0.8 * a - 0.6 * b;
            x[i][j + 1] = 0.6 * a + 0.8 * b;
        }
    }
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(WIDTH), SAMPLES, HG_F64, x, NULL);
    assert_string_equal(hg_dataset_error(data), "");
    return data;
}

static const hg_autoencoder linear = { .name = "linear", .input = { WIDTH }, .encoder = { HG_DENSE(3) },
                                       .decoder = { HG_DENSE(WIDTH) } };

/* At the optimum a linear autoencoder's error is PCA's (T10), whatever the data are cut into. */
static void a_linear_autoencoder_reaches_pca(void **state)
{
    (void)state;
    hg_error error = { 0 };
    hg_dataset *data = make_points();
    hg_pca *pca = hg_pca_new(data, 0, 1, 3, &error);
    double expected;
    assert_non_null(pca);
    assert_int_equal(hg_pca_squared_error(pca, data, &expected, &error), HG_OK);
    static const struct {
        int64_t  batch;
        uint64_t seed;
    } rows[] = { { SAMPLES, 1 }, { 64, 1 }, { 7, 2 }, { 1000, 3 } };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_evaluation evaluation;
        curve c = { .epochs = 0 };
        hg_model *model = hg_model_new(&linear, HG_F64, rows[r].seed);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 1000, .batch = rows[r].batch,
                                                               .optimizer = HG_LBFGS(.tolerance = 1e-6),
                                                               .progress = keep_reports, .progress_to = &c }),
                         HG_OK);
        assert_int_equal(hg_model_evaluate(model, data, &evaluation), HG_OK);
        if (!(fabs(evaluation.errors.squared_error_per_sample - expected) < 1e-6 * expected))
            fail_msg("row %zu: %.9g, PCA %.9g", r, evaluation.errors.squared_error_per_sample, expected);
        const hg_report *last = &c.report[(c.epochs - 1) % 64];
        assert_in_range(c.epochs, 10, 999);
        assert_says(last->ended, "gradient", "tolerance");
        assert_true(fabs(last->train_loss - expected / 2) < 1e-6 * expected);
        assert_true(last->rate == 0);
        assert_int_equal(last->epoch, c.epochs);
        hg_model_free(model);
    }
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* A layer whose running state counts the batches that it has seen. */
static hg_tensor *count_batches(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    hg_tensor *count = hg_state(hg_tensor_graph(x), "count", HG_SCALAR, hg_zeros());
    if (context->mode == HG_TRAINING)
        context->updates->assignment[context->updates->count++] = hg_assign(count, hg_shift(count, 1));
    return x;
}
static const hg_layer_kind counting_layer = { .kind = { .name = "count" }, .apply = count_batches };

static const hg_autoencoder noisy = { .name = "noisy", .input = { WIDTH }, .encoder = { NOISE, HG_DENSE(3, .act = hg_tanh) },
                                      .decoder = { HG_DENSE(WIDTH) }, .penalties = { HG_WEIGHT_DECAY(0.125) } },
                            counting = { .name = "counting", .input = { WIDTH },
                                         .encoder = { { &counting_layer, NULL }, HG_DENSE(3, .act = hg_tanh) },
                                         .decoder = { HG_DENSE(WIDTH) } };

/* The objective of a model's parameters with the noise of one step, all samples at once in order. */
static double objective_at(const hg_model *model, const hg_dataset *data, int64_t step, double *loss)
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_parts parts;
    double objective, values[64];
    hg_graph_set_seed(g, hg_model_seed(model));
    hg_autoencoder_build(hg_model_declaration(model), g, HG_TRAINING, &parts);
    for (size_t i = 0; hg_graph_parameter(g, i) != NULL; i++) {
        size_t count = (size_t)hg_shape_count(hg_tensor_shape(hg_graph_parameter(g, i)), 1);
        hg_read(hg_graph_parameter(hg_model_graph(model), i), values, count);
        hg_write(hg_graph_parameter(g, i), values, count);
    }
    hg_plan *plan = hg_plan_new(g, 2, (hg_tensor *[]){ parts.loss, parts.objective }, &(hg_plan_options){ .batch = SAMPLES });
    hg_dataset_batch(data, SAMPLES, NULL, 0, 0, 1, HG_F64, hg_plan_data(plan, parts.input));
    hg_plan_write(plan, parts.step, &(double){ (double)step }, 1);
    hg_run(plan);
    hg_plan_read(plan, parts.loss, loss, 1);
    hg_plan_read(plan, parts.objective, &objective, 1);
    hg_plan_free(plan);
    hg_graph_free(g);
    return objective;
}

/* An iteration lowers the objective with the noise of its own number, and that is what it reports. */
static void noise_is_the_same_within_an_iteration(void **state)
{
    (void)state;
    hg_dataset *data = make_points();
    double before = INFINITY, loss;
    for (int epochs = 1; epochs <= 5; epochs++) {
        curve c = { .epochs = 0 };
        hg_model *model = hg_model_new(&noisy, HG_F64, 1);
        if (epochs == 1)
            before = objective_at(model, data, 1, &loss);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = epochs, .batch = SAMPLES,
                                                               .optimizer = HG_LBFGS(.memory = 5),
                                                               .progress = keep_reports, .progress_to = &c }),
                         HG_OK);
        assert_int_equal(c.epochs, epochs);
        const hg_report *last = &c.report[epochs - 1];
        double after = objective_at(model, data, epochs, &loss);
        assert_true(after < before);
        assert_true(fabs(last->train_loss - loss) < 1e-10 * loss);
        assert_true(fabs(last->train_loss + last->train_penalty - after) < 1e-10 * after);
        before = objective_at(model, data, epochs + 1, &loss); /* where the next will start */
        assert_true(fabs(before - after) > 1e-6 * after);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

static void running_states_move_once_an_iteration(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, epochs;
        double  batches;
    } rows[] = { { SAMPLES, 3, 3 }, { 64, 3, 12 }, { 100, 5, 10 } };
    hg_dataset *data = make_points();
    for (size_t r = 0; r < COUNT(rows); r++) {
        double count;
        hg_model *model = hg_model_new(&counting, HG_F64, 1);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = rows[r].epochs, .batch = rows[r].batch,
                                                               .optimizer = HG_LBFGS(.memory = 5) }),
                         HG_OK);
        hg_read(hg_graph_find(hg_model_graph(model), "encoder/1/count"), &count, 1);
        assert_true(count == rows[r].batches);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

/* Validation data that training leads away from, and one that it does not. */
static void validation_stops_it(void **state)
{
    (void)state;
    curve c = { .epochs = 0 };
    static double other[SAMPLES][WIDTH];
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < WIDTH; j++)
            other[i][j] = -3 * sin(i + 2 * j);
    hg_dataset *data = make_points(), *away = hg_dataset_new(&HG_SHAPE(WIDTH), SAMPLES, HG_F64, other, NULL);
    hg_model *model = hg_model_new(&linear, HG_F64, 1);
    double loss, lowest = INFINITY;
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 60, .optimizer = HG_LBFGS(.memory = 5), .valid = away,
                                                           .patience = 4, .progress = keep_reports, .progress_to = &c }),
                     HG_OK);
    assert_in_range(c.epochs, 5, 59);
    assert_says(c.report[c.epochs - 1].ended, "validation loss", "patience");
    for (int i = 0; i < c.epochs; i++)
        lowest = fmin(lowest, c.report[i].valid_loss);
    assert_true(lowest == c.report[c.epochs - 5].valid_loss);
    assert_int_equal(hg_model_loss(model, away, NULL, SAMPLES, &loss), HG_OK);
    assert_true(loss == lowest);
    hg_model_free(model);
    hg_dataset_free(data);
    hg_dataset_free(away);
}

static hg_tensor *infinite(hg_tensor *x)
{
    return hg_exp(hg_scale(hg_square(x), 1e6));
}

static const hg_autoencoder exploding = { .name = "exploding", .input = { WIDTH }, .encoder = { HG_DENSE(3) },
                                          .decoder = { HG_DENSE(WIDTH, .act = infinite) } };

static void what_does_not_apply_is_refused(void **state)
{
    (void)state;
    hg_dataset *data = make_points();
    const struct {
        const hg_autoencoder *declaration;
        hg_training           training;
        hg_status             status;
        const char           *const words[5];
    } rows[] = {
        { &linear, { .clip = { .norm = 1 } }, HG_BAD_ARGUMENT, { "clip", "lbfgs" } },
        { &linear, { .clip = { .value = 1 } }, HG_BAD_ARGUMENT, { "clip", "lbfgs" } },
        { &linear, { .schedule = HG_COSINE }, HG_BAD_ARGUMENT, { "schedule", "lbfgs", "no rate" } },
        { &linear, { .warm_up = 2 }, HG_BAD_ARGUMENT, { "warm_up", "lbfgs" } },
        { &linear, { .optimizer = HG_LBFGS(.memory = 1001) }, HG_BAD_ARGUMENT, { "lbfgs", "memory is 1001", "[1, 1000]" } },
        { &exploding, { .epochs = 3 }, HG_DIVERGED, { "diverged", "not finite", "iteration 1 of lbfgs", "after epoch 0" } },
    };
    const hg_optimizer lbfgs = HG_LBFGS(.memory = 5);
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_training training = rows[r].training;
        hg_model *model = hg_model_new(rows[r].declaration, HG_F64, 1);
        if (training.optimizer.kind == NULL)
            training.optimizer = lbfgs;
        assert_int_equal(hg_train(model, data, &training), rows[r].status);
        assert_words(hg_model_error(model), rows[r].words);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(minima_are_found),
        cmocka_unit_test(steps_fulfil_the_wolfe_conditions),
        cmocka_unit_test(changing_objectives_are_evaluated_anew),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(a_linear_autoencoder_reaches_pca),
        cmocka_unit_test(noise_is_the_same_within_an_iteration),
        cmocka_unit_test(running_states_move_once_an_iteration),
        cmocka_unit_test(validation_stops_it),
        cmocka_unit_test(what_does_not_apply_is_refused),
    };
    return cmocka_run_group_tests_name("lbfgs", tests, NULL, NULL);
}
