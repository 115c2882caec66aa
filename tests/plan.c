/* Plans: what a run computes, in which order, in which memory, and that it allocates nothing. */
#include "config.h"

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- A training step with everything in it ------------------------------------------------------------- */

enum { D = 40, H = 24, STEP_OUTPUTS = 5 };

typedef struct step {
    hg_graph  *graph;
    hg_tensor *x, *clock, *W, *b, *loss;
    hg_tensor *output[STEP_OUTPUTS];
} step;

/* A denoising autoencoder with tied weights, momentum, and a global norm over both gradients. */
static step step_new(hg_dtype dtype)
{
    step s = { .graph = hg_graph_new(dtype) };
    hg_graph *g = s.graph;
    s.x = hg_input(g, "x", HG_SHAPE(D, HG_BATCH));
    s.clock = hg_input_of(g, "step", HG_I64, HG_SCALAR);
    s.W = hg_parameter(g, "W", HG_SHAPE(H, D), hg_xavier());
    s.b = hg_parameter(g, "b", HG_SHAPE(H), hg_zeros());
    hg_tensor *seen = hg_mul(s.x, hg_random_mask(s.clock, "mask", HG_SHAPE(D, HG_BATCH), 0.75));
    hg_tensor *a = hg_matmul(s.W, seen);
    hg_tensor *h = hg_sigmoid(hg_add(a, hg_expand_like(s.b, a, HG_AXIS(1))));
    s.loss = hg_squared_error(hg_matmul(hg_transpose(s.W), h), s.x);
    hg_tensor *wrt[] = { s.W, s.b }, *d[2];
    hg_grad(s.loss, 2, wrt, d);
    hg_tensor *norm = hg_sqrt(hg_add(hg_sum(hg_square(d[0]), HG_ALL_AXES), hg_sum(hg_square(d[1]), HG_ALL_AXES)));
    s.output[0] = s.loss;
    for (int i = 0; i < 2; i++) {
        hg_tensor *m = hg_state(g, i == 0 ? "mW" : "mb", *hg_tensor_shape(wrt[i]), hg_zeros());
        hg_tensor *next = hg_add(hg_scale(m, 0.9), hg_div(d[i], norm));
        s.output[1 + 2 * i] = hg_assign(m, next);
        s.output[2 + 2 * i] = hg_assign(wrt[i], hg_sub(wrt[i], hg_scale(next, 0.05)));
    }
    assert_string_equal(hg_graph_error(g), "");
    return s;
}

static void fill_input(hg_plan *plan, const step *s, int64_t batch, double offset)
{
    double *x = malloc((size_t)(D * batch) * sizeof *x);
    for (int64_t i = 0; i < D * batch; i++)
        x[i] = (double)((i * 7 + 3) % 11) / 11 + offset;
    assert_int_equal(hg_plan_write(plan, s->x, x, (size_t)(D * batch)), HG_OK);
    free(x);
}

/* Runs the step some times on fresh parameters; leaves the weights and the losses in `out` (H * D + runs numbers). */
static void train(hg_dtype dtype, const hg_plan_options *options, int runs, double *out)
{
    step s = step_new(dtype);
    hg_plan *plan = hg_plan_new(s.graph, STEP_OUTPUTS, s.output, options);
    assert_string_equal(hg_graph_error(s.graph), "");
    fill_input(plan, &s, options->batch, 0);
    for (int i = 0; i < runs; i++) {
        double clock = i;
        hg_plan_write(plan, s.clock, &clock, 1);
        assert_int_equal(hg_run(plan), HG_OK);
        hg_plan_read(plan, s.loss, out + H * D + i, 1);
    }
    hg_read(s.W, out, H * D);
    hg_plan_free(plan);
    hg_graph_free(s.graph);
}

enum { RUNS = 5 };

static void all_ways_give_the_same_bits(void **state)
{
    static const struct {
        const char     *name;
        hg_plan_options options;
    } ways[] = {
        { "no fusion", { .threads = 1, .no_fusion = true } },
        { "no reuse", { .threads = 1, .no_reuse = true } },
        { "no folding", { .threads = 1, .no_folding = true } },
        { "nothing at all", { .threads = 1, .no_fusion = true, .no_reuse = true, .no_folding = true } },
        { "2 threads", { .threads = 2 } },
        { "4 threads", { .threads = 4 } },
        { "3 threads, no reuse", { .threads = 3, .no_reuse = true } },
    };
    static const int64_t batches[] = { 1, 15, 16, 17, 48, 128, 1000 };
    (void)state;
    for (int dtype = 0; dtype < HG_REALS; dtype++)
        for (size_t b = 0; b < COUNT(batches); b++) {
            double right[H * D + RUNS], got[H * D + RUNS];
            train((hg_dtype)dtype, &(hg_plan_options){ .batch = batches[b], .threads = 1 }, RUNS, right);
            assert_true(right[H * D + RUNS - 1] < right[H * D]);
            for (size_t w = 0; w < COUNT(ways); w++) {
                hg_plan_options options = ways[w].options;
                options.batch = batches[b];
                train((hg_dtype)dtype, &options, RUNS, got);
                if (memcmp(right, got, sizeof right) != 0)
                    fail_msg("%s, batch %lld: other bits", ways[w].name, (long long)batches[b]);
            }
        }
}

static void a_run_allocates_nothing(void **state)
{
#ifdef COUNTS_ALLOCATIONS
    (void)state;
    for (int threads = 1; threads <= 4; threads *= 2) {
        step s = step_new(HG_F32);
        hg_plan *plan = hg_plan_new(s.graph, STEP_OUTPUTS, s.output, &(hg_plan_options){ .batch = 64, .threads = threads });
        fill_input(plan, &s, 64, 0);
        long before = allocations;
        assert_true(before > 0);
        for (int i = 0; i < 20; i++)
            hg_run(plan);
        assert_int_equal(allocations - before, 0);
        hg_plan_free(plan);
        hg_graph_free(s.graph);
    }
#else
    (void)state;
    skip();
#endif
}

/* All threads multiply at the same time, by BLIS, which allocates from pools. */
static void large_products_allocate_nothing(void **state)
{
    (void)state;
#ifdef COUNTS_ALLOCATIONS
    enum { SIZE = 512, THREADS = 4, TURNS = 50 };
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *a = hg_parameter(g, "a", HG_SHAPE(SIZE, SIZE), hg_xavier());
    hg_tensor *output = hg_matmul(a, hg_relu(a));
    for (int threads = 2; threads <= THREADS; threads++) {
        hg_plan *plan = hg_plan_new(g, 1, &output, &(hg_plan_options){ .threads = threads });
        assert_non_null(plan);
        const long before = allocations;
        for (int i = 0; i < TURNS; i++)
            hg_run(plan);
        assert_int_equal(allocations - before, 0);
        hg_plan_free(plan);
    }
    hg_graph_free(g);
#else
    skip();
#endif
}

static void the_arena_is_reused(void **state)
{
    (void)state;
    step s = step_new(HG_F32);
    hg_plan *plan = hg_plan_new(s.graph, STEP_OUTPUTS, s.output, &(hg_plan_options){ .batch = 512, .threads = 1 });
    hg_plan_facts facts = hg_plan_describe(plan);
    assert_true(facts.steps < facts.ops);
    assert_true((double)facts.arena_bytes < 0.6 * (double)facts.tensor_bytes);
    /* W x, Wt h, and from them dW by two paths and dh: 5 products of 2 H D B */
    assert_true(facts.flops == 5 * 2.0 * H * D * 512);
    hg_plan_free(plan);
    hg_graph_free(s.graph);
}

static void the_plan_prints(void **state)
{
    (void)state;
    char text[32768] = "";
    step s = step_new(HG_F32);
    hg_plan *plan = hg_plan_new(s.graph, STEP_OUTPUTS, s.output, &(hg_plan_options){ .batch = 8, .threads = 1 });
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_int_equal(hg_plan_print(plan, file), HG_OK);
    fclose(file);
    static const char *const words[] = { "matmul", "\"W\"", "fused", "Mflop", "arena:", "block", "sigmoid" };
    for (size_t i = 0; i < COUNT(words); i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("the plan's table does not show %s:\n%s", words[i], text);
    hg_plan_free(plan);
    hg_graph_free(s.graph);
}

/* ---- Assignments --------------------------------------------------------------------------------------- */

static void readers_see_the_old_value(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        hg_graph *g = hg_graph_new(HG_F64);
        hg_tensor *p = hg_parameter(g, "p", HG_SHAPE(3), hg_filled(2));
        hg_tensor *assign = hg_assign(p, hg_scale(p, 10)); /* written before its readers, run after them */
        hg_tensor *sum = hg_sum(hg_square(p), HG_ALL_AXES);
        hg_tensor *after = hg_shift(assign, 1);
        hg_tensor *outputs[] = { assign, sum, after };
        hg_plan *plan = hg_plan_new(g, 3, outputs, &(hg_plan_options){ .threads = 1 + way % 2, .no_fusion = way / 2 });
        double total, values[3];
        hg_run(plan);
        hg_plan_read(plan, sum, &total, 1);
        assert_true(total == 12);
        hg_plan_read(plan, after, values, 3);
        assert_true(values[0] == 21 && values[2] == 21);
        hg_read(p, values, 3);
        assert_true(values[1] == 20);
        hg_run(plan);
        hg_read(p, values, 3);
        assert_true(values[1] == 200);
        hg_plan_free(plan);
        hg_graph_free(g);
    }
}

static void old_and_new_at_once_are_refused(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *a = hg_parameter(g, "a", HG_SHAPE(2), hg_filled(1)), *new = hg_assign(a, hg_exp(a));
    hg_tensor *change = hg_sub(new, a);
    assert_null(hg_plan_new(g, 1, &change, NULL));
    assert_non_null(strstr(hg_graph_error(g), "both the old value"));
    hg_graph_free(g);
}

static void parameters_can_change_places(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *a = hg_parameter(g, "a", HG_SHAPE(2), hg_filled(1)), *b = hg_parameter(g, "b", HG_SHAPE(2), hg_filled(2));
    hg_tensor *swap[] = { hg_assign(a, b), hg_assign(b, hg_reshape(a, HG_SHAPE(2))) };
    hg_plan *plan = hg_plan_new(g, 2, swap, NULL);
    double value[2];
    hg_run(plan);
    hg_read(a, value, 2);
    assert_true(value[0] == 2);
    hg_read(b, value, 2);
    assert_true(value[0] == 1);
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* ---- Simplification ------------------------------------------------------------------------------------ */

static void equal_work_is_done_once(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(4, HG_BATCH));
    hg_tensor *twice[] = { hg_add(hg_exp(x), hg_log(x)), hg_add(hg_log(x), hg_exp(x)) };
    hg_plan *merged = hg_plan_new(g, 2, twice, &(hg_plan_options){ .batch = 3 });
    hg_plan *plain = hg_plan_new(g, 2, twice, &(hg_plan_options){ .batch = 3, .no_folding = true });
    assert_int_equal(hg_plan_describe(merged).ops, 3);
    assert_int_equal(hg_plan_describe(plain).ops, 6);
    hg_plan_free(merged);
    hg_plan_free(plain);
    hg_graph_free(g);
}

static void constants_are_folded(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *two = hg_scalar(g, 2), *six = hg_mul(two, hg_shift(two, 1));
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(5, HG_BATCH));
    hg_tensor *y = hg_mul(x, hg_div(six, hg_count(x, HG_ALL_AXES)));
    hg_plan *plan = hg_plan_new(g, 1, &y, &(hg_plan_options){ .batch = 2 });
    assert_int_equal(hg_plan_describe(plan).ops, 1); /* a scaling by 0.6 */
    double values[10] = { [7] = 5 }, got[10];
    hg_plan_write(plan, x, values, 10);
    hg_run(plan);
    hg_plan_read(plan, y, got, 10);
    assert_true(got[7] == 5 * (6.0 / 10) && got[0] == 0);
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void dead_code_is_left_out(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(5)), *y = hg_exp(x);
    hg_log(hg_exp(hg_tanh(x)));
    hg_plan *plan = hg_plan_new(g, 1, &y, NULL);
    assert_int_equal(hg_plan_describe(plan).ops, 1);
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* ---- Mistakes ------------------------------------------------------------------------------------------ */

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        hg_plan_options options;
        const char     *says;
    } wrong[] = {
        { { .batch = -3 }, "batch size must be at least 1, not -3" },
        { { .threads = -1 }, "not -1" },
        { { .batch = INT64_MAX / 2 }, "batch size is too large" },
        { { .batch = INT64_MAX / 64 }, "too many elements" },
        { { .batch = (int64_t)1 << 42 }, "out of memory" },
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        hg_graph *g = hg_graph_new(HG_F64);
        hg_tensor *y = hg_exp(hg_input(g, "x", HG_SHAPE(5, 4 * HG_BATCH)));
        assert_null(hg_plan_new(g, 1, &y, &wrong[i].options));
        if (strstr(hg_graph_error(g), wrong[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", hg_graph_error(g), wrong[i].says);
        hg_graph_free(g);
    }
}

static void access_is_checked(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(2, HG_BATCH)), *h = hg_exp(x), *y = hg_log(h);
    hg_plan *plan = hg_plan_new(g, 1, &y, &(hg_plan_options){ .batch = 3 });
    double v[7] = { 0 };
    assert_null(hg_plan_data(plan, h));
    assert_non_null(hg_plan_data(plan, x));
    assert_int_equal(hg_plan_write(plan, x, v, 7), HG_BAD_SHAPE);
    assert_non_null(strstr(hg_graph_error(g), "2x3"));
    assert_int_equal(hg_plan_write(plan, y, v, 6), HG_BAD_ARGUMENT);
    assert_int_equal(hg_run(NULL), HG_BAD_ARGUMENT);
    hg_plan_free(plan);
    hg_plan_free(NULL);
    hg_graph_free(g);
}

static void exploring_one_tensor(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    double value;
    assert_int_equal(hg_eval(hg_exp(hg_scalar(g, 0)), &value, 1), HG_OK);
    assert_true(value == 1);
    hg_graph_free(g);
}

/* Denormal numbers count as zero in f32 runs, on every thread; the caller's own arithmetic and f64 keep them. */
static void denormals_are_flushed(void **state)
{
    enum { N = 100000 };
    static double values[N];
    static const struct {
        hg_dtype dtype;
        double   tiny, halved;
    } rows[] = { { HG_F32, 1e-39, 0 }, { HG_F64, 1e-310, 5e-311 } };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_graph *g = hg_graph_new(rows[i].dtype);
        hg_tensor *x = hg_input(g, "x", HG_SHAPE(N)), *y = hg_scale(x, 0.5);
        hg_plan *plan = hg_plan_new(g, 1, &y, &(hg_plan_options){ .threads = 2 });
        for (int k = 0; k < N; k++)
            values[k] = rows[i].tiny;
        hg_plan_write(plan, x, values, N);
        hg_run(plan);
        volatile float caller = 1e-39f;
        caller *= 0.5f;
        assert_true(caller > 0);
        hg_plan_read(plan, y, values, N);
        for (int k = 0; k < N; k++)
            assert_true(values[k] == rows[i].halved);
        hg_plan_free(plan);
        hg_graph_free(g);
    }
}

/* Part k of the input gets the number of the run; the others keep theirs. */
static void fill_with_run(void *context, void *values, int part, int parts)
{
    const int *run = context;
    assert_in_range(part, 0, parts - 1);
    for (int i = 12 * part / parts; i < 12 * (part + 1) / parts; i++)
        ((double *)values)[i] = *run + i;
}

static void inputs_are_filled(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        int run = 0;
        hg_graph *g = hg_graph_new(HG_F64);
        hg_tensor *x = hg_input(g, "x", HG_SHAPE(4, HG_BATCH)), *other = hg_input(g, "other", HG_SCALAR), *y = hg_scale(x, 2);
        hg_plan_options options = { .batch = 3, .threads = threads, .profile = threads == 2,
                                    .filling = { x, fill_with_run, &run } };
        hg_plan *plan = hg_plan_new(g, 1, &y, &options);
        for (run = 1; run <= 100; run++) {
            double got[12];
            assert_int_equal(hg_run(plan), HG_OK);
            hg_plan_read(plan, y, got, 12);
            for (int i = 0; i < 12; i++)
                assert_true(got[i] == 2.0 * (run + i));
        }
        hg_plan_free(plan);
        options.filling.input = other; /* which nothing reads */
        plan = hg_plan_new(g, 1, &y, &options);
        assert_int_equal(hg_run(plan), HG_OK);
        hg_plan_free(plan);
        options.filling.input = y;
        assert_null(hg_plan_new(g, 1, &y, &options));
        assert_non_null(strstr(hg_graph_error(g), "must be an input"));
        hg_graph_free(g);
    }
}

static void profiles_are_printed(void **state)
{
    (void)state;
    char text[32768] = "";
    step s = step_new(HG_F32);
    hg_plan *plan = hg_plan_new(s.graph, STEP_OUTPUTS, s.output, &(hg_plan_options){ .batch = 8, .threads = 2, .profile = true });
    FILE *file = fmemopen(text, sizeof text, "w");
    fill_input(plan, &s, 8, 0);
    hg_plan_print(plan, file);
    fflush(file);
    assert_null(strstr(text, "profile")); /* it has not run */
    for (int i = 0; i < 3; i++)
        hg_run(plan);
    rewind(file);
    assert_int_equal(hg_plan_print(plan, file), HG_OK);
    fclose(file);
    static const char *const words[] = { "profile: ", "the mean of 3 runs", "% of the peak", "GFLOP/s", "GB/s", " MB ",
                                         "us of waiting" };
    for (size_t i = 0; i < COUNT(words); i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("the profile does not show %s:\n%s", words[i], text);
    assert_true(hg_measure_peak() > 1e8);
    hg_plan_free(plan);
    hg_graph_free(s.graph);
}

/* A short run is not worth a team, unless the caller says so. */
static void threads_follow_the_work(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(1000, HG_BATCH)), *power = hg_exp(x);
    hg_tensor *product = hg_matmul(hg_parameter(g, "w", HG_SHAPE(1000, 1000), hg_xavier()), x);
    const struct {
        hg_tensor      *output;
        hg_plan_options options;
        int             threads;
    } rows[] = {
        { power, { .batch = 1 }, 1 },
        { power, { .batch = 5000 }, hg_threads_best() },
        { power, { .batch = 1, .threads = 3 }, 3 },
        { product, { .batch = 1 }, hg_threads_best() }, /* to read the matrix takes its time */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_plan *plan = hg_plan_new(g, 1, &(hg_tensor *){ rows[i].output }, &rows[i].options);
        assert_int_equal(hg_plan_describe(plan).threads, rows[i].threads);
        hg_plan_free(plan);
    }
    hg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_products_allocate_nothing), /* first: before the pools have grown by other tests */
        cmocka_unit_test(all_ways_give_the_same_bits),
        cmocka_unit_test(a_run_allocates_nothing),
        cmocka_unit_test(the_arena_is_reused),
        cmocka_unit_test(the_plan_prints),
        cmocka_unit_test(readers_see_the_old_value),
        cmocka_unit_test(old_and_new_at_once_are_refused),
        cmocka_unit_test(parameters_can_change_places),
        cmocka_unit_test(equal_work_is_done_once),
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(dead_code_is_left_out),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(access_is_checked),
        cmocka_unit_test(exploring_one_tensor),
        cmocka_unit_test(denormals_are_flushed),
        cmocka_unit_test(inputs_are_filled),
        cmocka_unit_test(profiles_are_printed),
        cmocka_unit_test(threads_follow_the_work),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
