/* Updates of parameters, step by step against their formulas in plain C. */
#include "autoencoders.h"

#include <hourglass/optimizer.h>

#include <math.h>

/* ---- A problem ------------------------------------------------------------------------------------------- */

enum { NUMBERS = 3, UPDATES = 25 };

/* 1/2 (3 p0^2 + 0.5 p1^2 + p2^2) - p0 + 2 p2, where p0 and p1 are a weight, p2 a bias */
static const double curvature[NUMBERS] = { 3, 0.5, 1 }, slope[NUMBERS] = { -1, 0, 2 }, start[NUMBERS] = { 1, -2, 0.5 };
static const bool is_weight[NUMBERS] = { true, true, false };

typedef struct problem {
    hg_graph   *graph;
    hg_tensor  *parameter[2];
    hg_updates *updates;
    hg_plan    *plan;
} problem;

static problem make_problem(hg_optimizer optimizer, const hg_clipping *clip)
{
    static const int count[2] = { 2, 1 };
    hg_tensor *gradient[2];
    int outputs;
    problem p = { .graph = hg_graph_new(HG_F64) };
    hg_tensor *loss = hg_scalar(p.graph, 0);
    p.parameter[0] = hg_parameter(p.graph, "weight", HG_SHAPE(1, 2), hg_zeros());
    p.parameter[1] = hg_parameter(p.graph, "bias", HG_SHAPE(1), hg_zeros());
    for (int i = 0; i < 2; i++) {
        const hg_shape shape = *hg_tensor_shape(p.parameter[i]);
        hg_write(p.parameter[i], start + 2 * i, (size_t)count[i]);
        hg_tensor *c = hg_constant(p.graph, shape, curvature + 2 * i), *s = hg_constant(p.graph, shape, slope + 2 * i);
        hg_tensor *each = hg_add(hg_scale(hg_mul(c, hg_square(p.parameter[i])), 0.5), hg_mul(s, p.parameter[i]));
        loss = hg_add(loss, hg_sum(each, HG_ALL_AXES));
    }
    assert_int_equal(hg_grad(loss, 2, p.parameter, gradient), HG_OK);
    p.updates = hg_updates_new(optimizer, clip, 2, p.parameter, gradient);
    assert_string_equal(hg_graph_error(p.graph), "");
    hg_tensor *const *output = hg_updates_outputs(p.updates, &outputs);
    p.plan = hg_plan_new(p.graph, outputs, output, NULL);
    assert_non_null(p.plan);
    return p;
}

static void run_update(const problem *p, int64_t step, double found[NUMBERS])
{
    assert_int_equal(hg_updates_prepare(p->updates, p->plan, step), HG_OK);
    assert_int_equal(hg_run(p->plan), HG_OK);
    hg_read(p->parameter[0], found, 2);
    hg_read(p->parameter[1], found + 2, 1);
}

static void free_problem(problem *p)
{
    hg_plan_free(p->plan);
    hg_updates_free(p->updates);
    hg_graph_free(p->graph);
}

/* ---- Formulas -------------------------------------------------------------------------------------------- */

/* One parameter's step `t`; s: its states, zeros at first; norm: of all gradients. */
typedef double by_hand(double p, double g, double s[2], int t, bool weight, double norm);

#define BY_HAND(name, ...)                                                                  \
    static double name(double p, double g, double s[2], int t, bool weight, double norm)    \
    {                                                                                       \
        (void)s;                                                                            \
        (void)t;                                                                            \
        (void)weight;                                                                       \
        (void)norm;                                                                         \
        __VA_ARGS__                                                                         \
    }

BY_HAND(sgd, return p - 0.01 * g;)
BY_HAND(sgd_fast, return p - 0.1 * g;)
BY_HAND(momentum, s[0] = 0.8 * s[0] + g; return p - 0.05 * s[0];)
BY_HAND(nesterov, s[0] = 0.8 * s[0] + g; return p - 0.05 * (g + 0.8 * s[0]);)

static double adam_by(double rate, double b1, double b2, double epsilon, double g, double s[2], int t)
{
    s[0] = b1 * s[0] + (1 - b1) * g;
    s[1] = b2 * s[1] + (1 - b2) * g * g;
    return rate * s[0] / (1 - pow(b1, t)) / (sqrt(s[1] / (1 - pow(b2, t))) + epsilon);
}

BY_HAND(adam, return p - adam_by(0.001, 0.9, 0.999, 1e-8, g, s, t);)
BY_HAND(adam_given, return p - adam_by(0.1, 0.5, 0.75, 0.125, g, s, t);)
BY_HAND(adamw, return p - adam_by(0.001, 0.9, 0.999, 1e-8, g, s, t) - (weight ? 0.001 * 0.01 * p : 0);)
BY_HAND(adamw_given, return p - adam_by(0.1, 0.5, 0.75, 0.125, g, s, t) - (weight ? 0.1 * 0.5 * p : 0);)

BY_HAND(adagrad, s[0] += g * g; return p - 0.01 * g / (sqrt(s[0]) + 1e-10);)
BY_HAND(adagrad_given, s[0] += g * g; return p - 0.1 * g / (sqrt(s[0]) + 0.125);)

BY_HAND(rmsprop, s[0] = 0.9 * s[0] + 0.1 * g * g; return p - 0.001 * g / (sqrt(s[0]) + 1e-8);)
BY_HAND(rmsprop_given, s[0] = 0.75 * s[0] + 0.25 * g * g; s[1] = 0.5 * s[1] + g / (sqrt(s[0]) + 0.125);
        return p - 0.01 * s[1];)

BY_HAND(clipped_by_norm, return p - 0.1 * g * (norm > 0.5 ? 0.5 / norm : 1);)
BY_HAND(clipped_by_value, return p - 0.1 * fmax(-0.25, fmin(0.25, g));)

typedef struct row {
    hg_optimizer optimizer;
    hg_clipping  clip;
    by_hand     *hand;
} row;

static void follow(const row *r, size_t index)
{
    problem p = make_problem(r->optimizer, &r->clip);
    double expected[NUMBERS], found[NUMBERS], states[NUMBERS][2] = { { 0 } };
    memcpy(expected, start, sizeof start);
    for (int step = 1; step <= UPDATES; step++) {
        double g[NUMBERS], square = 0;
        for (int i = 0; i < NUMBERS; i++) {
            g[i] = curvature[i] * expected[i] + slope[i];
            if (r->clip.norm > 0 && r->clip.value > 0)
                g[i] = fmax(-r->clip.value, fmin(r->clip.value, g[i]));
            square += g[i] * g[i];
        }
        run_update(&p, step, found);
        for (int i = 0; i < NUMBERS; i++) {
            expected[i] = r->hand(expected[i], g[i], states[i], step, is_weight[i], sqrt(square));
            if (!(fabs(found[i] - expected[i]) < 1e-12))
                fail_msg("row %zu, step %d: parameter %d is %.15g, not %.15g", index, step, i, found[i], expected[i]);
        }
    }
    free_problem(&p);
}

/* The parameters are two tensors, so that a norm spans them. */
static void optimizers_follow_their_formulas(void **state)
{
    (void)state;
    const row rows[] = {
        { { &hg_sgd_optimizer, NULL }, { .norm = 0 }, sgd },
        { HG_SGD(.rate = 0.1), { .norm = 0 }, sgd_fast },
        { HG_SGD(.rate = 0.05, .momentum = 0.8), { .norm = 0 }, momentum },
        { HG_SGD(.rate = 0.05, .momentum = 0.8, .nesterov = true), { .norm = 0 }, nesterov },
        { { 0 }, { .norm = 0 }, adam },
        { HG_ADAM(.rate = 0.001), { .norm = 0 }, adam },
        { HG_ADAM(.rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125), { .norm = 0 }, adam_given },
        { { &hg_adamw_optimizer, NULL }, { .norm = 0 }, adamw },
        { HG_ADAMW(.rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125, .weight_decay = 0.5), { .norm = 0 }, adamw_given },
        { { &hg_adagrad_optimizer, NULL }, { .norm = 0 }, adagrad },
        { HG_ADAGRAD(.rate = 0.1, .epsilon = 0.125), { .norm = 0 }, adagrad_given },
        { { &hg_rmsprop_optimizer, NULL }, { .norm = 0 }, rmsprop },
        { HG_RMSPROP(.rate = 0.01, .rho = 0.75, .momentum = 0.5, .epsilon = 0.125), { .norm = 0 }, rmsprop_given },
        { HG_SGD(.rate = 0.1), { .norm = 0.5 }, clipped_by_norm },
        { HG_SGD(.rate = 0.1), { .value = 0.25 }, clipped_by_value },
        { HG_SGD(.rate = 0.1), { .norm = 0.5, .value = 0.75 }, clipped_by_norm },
    };
    for (size_t r = 0; r < COUNT(rows); r++)
        follow(&rows[r], r);
    hg_updates_free(NULL);
}

/* Half the rate and a factor of one half are the same to the last bit, in every step. */
static void a_factor_multiplies_the_rate(void **state)
{
    (void)state;
    const struct {
        hg_optimizer whole, half;
        double       rate;
    } rows[] = {
        { HG_SGD(.rate = 0.1, .momentum = 0.5), HG_SGD(.rate = 0.05, .momentum = 0.5), 0.1 },
        { HG_ADAM(.rate = 0.1), HG_ADAM(.rate = 0.05), 0.1 },
        { { &hg_adam_optimizer, NULL }, HG_ADAM(.rate = 0.0005), 0.001 },
        { HG_ADAMW(.rate = 0.1, .weight_decay = 0.5), HG_ADAMW(.rate = 0.05, .weight_decay = 0.5), 0.1 },
        { HG_ADAGRAD(.rate = 0.1), HG_ADAGRAD(.rate = 0.05), 0.1 },
        { HG_RMSPROP(.rate = 0.1, .momentum = 0.5), HG_RMSPROP(.rate = 0.05, .momentum = 0.5), 0.1 },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        problem whole = make_problem(rows[r].whole, NULL), half = make_problem(rows[r].half, NULL);
        double a[NUMBERS], b[NUMBERS];
        assert_true(hg_updates_rate(whole.updates) == rows[r].rate);
        for (int step = 1; step <= 3; step++) {
            hg_updates_set_factor(whole.updates, step == 2 ? 1 : 0.5);
            hg_updates_set_factor(half.updates, step == 2 ? 2 : 1);
            assert_true(hg_updates_rate(whole.updates) == hg_updates_rate(half.updates));
            run_update(&whole, step, a);
            run_update(&half, step, b);
            assert_memory_equal(a, b, sizeof a);
        }
        free_problem(&whole);
        free_problem(&half);
    }
}

static void wrong_optimizers_are_refused(void **state)
{
    (void)state;
    const struct {
        hg_optimizer      optimizer;
        hg_clipping       clip;
        const char *const words[4];
    } rows[] = {
        { HG_SGD(.rate = -1), { .norm = 0 }, { "sgd", "rate is -1", "(0, inf)" } },
        { HG_SGD(.momentum = 1), { .norm = 0 }, { "sgd", "momentum is 1", "[0, 1)" } },
        { HG_ADAM(.beta2 = 1), { .norm = 0 }, { "adam", "beta2 is 1", "(0, 1)" } },
        { HG_ADAMW(.weight_decay = -0.5), { .norm = 0 }, { "adamw", "weight_decay is -0.5", "(0, inf)" } },
        { HG_ADAGRAD(.epsilon = -1), { .norm = 0 }, { "adagrad", "epsilon is -1" } },
        { HG_RMSPROP(.rho = 2), { .norm = 0 }, { "rmsprop", "rho is 2", "(0, 1)" } },
        { HG_RMSPROP(.rate = NAN), { .norm = 0 }, { "rmsprop", "rate is" } },
        { HG_LBFGS(.memory = 5), { .norm = 0 }, { "lbfgs", "mini-batches", "whole data" } },
        { { 0 }, { .norm = -1 }, { "clipping", "norm is -1" } },
        { { 0 }, { .value = INFINITY }, { "clipping", "value is inf" } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *p = hg_parameter(g, "p", HG_SHAPE(2), hg_zeros());
        assert_null(hg_updates_new(rows[r].optimizer, &rows[r].clip, 1, &p, &p));
        assert_int_equal(hg_graph_status(g), HG_BAD_ARGUMENT);
        assert_words(hg_graph_error(g), rows[r].words);
        hg_graph_free(g);
    }
}

/* ---- Whole trainings ------------------------------------------------------------------------------------- */

static const hg_autoencoder digits_model = { .name = "digits",
                                             .input = { 1, 28, 28 },
                                             .encoder = { HG_DENSE(24, .act = hg_relu), NOISE, HG_DENSE(8) },
                                             .decoder = { HG_DENSE(784, .act = hg_sigmoid) } };

static unsigned char *train_and_read(const hg_dataset *data, hg_training training, size_t *size)
{
    hg_model *model = hg_model_new(&digits_model, HG_F32, 1);
    assert_int_equal(hg_train(model, data, &training), HG_OK);
    assert_int_equal(hg_model_save(model, in_scratch("trained")), HG_OK);
    hg_model_free(model);
    return read_bytes(in_scratch("trained"), size);
}

static void bytes_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const int threads[] = { 2, 4 };
    hg_dataset *data = hg_dataset_open("digits:count=300", NULL);
    const hg_training rows[] = {
        { .optimizer = HG_SGD(.rate = 1e-3, .momentum = 0.5), .schedule = HG_STEP_DECAY(1, .factor = 0.5) },
        { .optimizer = HG_ADAM(.rate = 1e-3), .schedule = HG_COSINE, .warm_up = 0.5 },
        { .optimizer = HG_ADAMW(.rate = 1e-3), .schedule = HG_PLATEAU(1) },
        { .optimizer = HG_ADAGRAD(.rate = 1e-3), .clip = { .norm = 10 } },
        { .optimizer = HG_RMSPROP(.rate = 1e-3) },
        { .optimizer = HG_LBFGS(.memory = 3) },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        size_t size, size_again;
        hg_training training = rows[r];
        training.epochs = 3;
        training.batch = 80;
        training.threads = 1;
        unsigned char *bytes = train_and_read(data, training, &size);
        for (size_t i = 0; i < COUNT(threads); i++) {
            training.threads = threads[i];
            unsigned char *again = train_and_read(data, training, &size_again);
            assert_int_equal(size, size_again);
            assert_memory_equal(bytes, again, size);
            free(again);
        }
        free(bytes);
    }
    hg_dataset_free(data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_follow_their_formulas),
        cmocka_unit_test(a_factor_multiplies_the_rate),
        cmocka_unit_test(wrong_optimizers_are_refused),
        cmocka_unit_test(bytes_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests_name("optim", tests, make_scratch, remove_scratch);
}
