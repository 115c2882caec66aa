/* Convolution and pools beyond the op table: shapes large enough for every way of cutting them, ties, NaN, running
   statistics, and mistakes named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hourglass/conv.h>
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/plan.h>

#include <float.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define B HG_BATCH

/* ---- Large shapes: some elements against plain sums, and the same bits for any number of threads ------------- */

typedef struct sizes {
    int64_t inputs, outputs, kernel, stride, pad, dilation, groups, size, batch;
} sizes;

static const sizes large[] = {
    { 32, 64, 3, 1, 1, 1, 1, 14, 128 }, /* rows cut in stretches */
    { 1, 32, 3, 1, 1, 1, 1, 28, 128 },  /* rows cut in chunks */
    { 8, 16, 5, 3, 0, 1, 1, 17, 128 },  /* phases of a stride */
    { 2, 3, 3, 1, 1, 1, 1, 40, 33 },    /* rests everywhere */
    { 70, 9, 3, 1, 1, 1, 1, 6, 17 },    /* blocks of input channels */
    { 9, 150, 1, 1, 0, 1, 1, 20, 31 },  /* many bundles of channels */
    { 24, 36, 3, 2, 2, 2, 3, 19, 20 },  /* groups, dilated and strided */
    { 5, 5, 4, 2, 1, 1, 5, 33, 64 },    /* a channel at a time */
    { 3, 7, 2, 1, 0, 1, 1, 9, 1500 },   /* a place longer than a stretch */
    { 20, 40, 3, 1, 1, 1, 1, 15, 37 },  /* 3 x 3 in tiles of 2 x 2, cut at the edges and in samples */
    { 64, 96, 3, 1, 0, 1, 2, 16, 48 },  /* the same in groups, without padding */
    { 40, 30, 3, 1, 3, 1, 1, 9, 20 },   /* the same for the input's gradient alone, beyond its padding */
    { 33, 50, 3, 1, 1, 1, 1, 15, 37 },  /* the same for weights too: rests of channels, of places, of samples */
    { 80, 72, 3, 1, 2, 1, 1, 13, 21 },  /* units of some channels of either side, wide padding */
    { 84, 70, 3, 1, 2, 1, 1, 9, 61 },   /* the same on matrix tiles, nearly full of channels and of samples */
    { 24, 40, 3, 1, 1, 1, 1, 8, 300 },  /* some samples at a time */
    { 48, 64, 3, 1, 1, 1, 1, 22, 20 },  /* some tiles of a row at a time */
    { 40, 50, 5, 1, 2, 1, 1, 12, 40 },  /* copied, rows in turns */
    { 18, 50, 5, 2, 3, 2, 1, 25, 150 }, /* copied, dilated and strided, some samples at a time */
    { 20, 24, 3, 2, 3, 3, 1, 25, 40 },  /* copied for the input's gradient, which goes back and forth between rows */
    { 300, 14, 5, 1, 2, 1, 1, 8, 20 },  /* copied, some columns at a time */
    { 4, 13, 1, 1, 0, 1, 1, 17, 97 },   /* fewer weights together for more threads, in the same stretches */
    { 4, 6, 3, 1, 1, 1, 1, 120, 1 },    /* one sample */
    { 24, 36, 3, 2, 2, 2, 3, 119, 1 },  /* one, rows skipped, groups cut by parts */
    { 3, 40, 3, 1, 3, 2, 1, 90, 1 },    /* one, rows shared by dilated taps */
};

enum { FORWARD, BY_X, BY_W, RESULTS };

typedef struct problem {
    const sizes *s;
    int64_t      out, count[3]; /* elements of x, w, y */
    double      *at[3];         /* their values */
} problem;

enum { X, W, Y };
/* Divided by a power of two, numbers have few digits; otherwise all of f32, and the order of a sum shows in its bits. */
static double value_at(int64_t i, int which, float by) { return (float)((i * 37 + which * 11) % 101) / by - 0.375f; }

static problem problem_of(const sizes *s, float by)
{
    problem p = { .s = s, .out = (s->size + 2 * s->pad - s->dilation * (s->kernel - 1) - 1) / s->stride + 1 };
    p.count[X] = s->inputs * s->size * s->size * s->batch;
    p.count[W] = s->outputs * (s->inputs / s->groups) * s->kernel * s->kernel;
    p.count[Y] = s->outputs * p.out * p.out * s->batch;
    for (int which = X; which <= Y; which++) {
        p.at[which] = malloc((size_t)p.count[which] * sizeof(double));
        assert_non_null(p.at[which]);
        for (int64_t i = 0; i < p.count[which]; i++)
            p.at[which][i] = value_at(i, which, by);
    }
    return p;
}

static void problem_free(problem *p)
{
    for (int which = X; which <= Y; which++)
        free(p->at[which]);
}

/* Indices [first, last). */
typedef struct range {
    int64_t first, last;
} range;
static range only(int64_t i) { return (range){ i, i + 1 }; }
static range all(int64_t n) { return (range){ 0, n }; }
#define EACH(i, range_) for (int64_t i = (range_).first; i < (range_).last; i++)

/* An element of the result, and the sum of absolute terms: a scale for its error. */
typedef struct sum {
    double value, scale;
} sum;

static sum plain(const problem *p, int result, int64_t index)
{
    const sizes *s = p->s;
    const int64_t inputs = s->inputs / s->groups, outputs = s->outputs / s->groups, n = s->size, m = p->out, k = s->kernel;
    const int64_t dims[RESULTS][4] = { { s->outputs, m, m, s->batch }, { s->inputs, n, n, s->batch },
                                       { s->outputs, inputs, k, k } };
    int64_t at[4];
    for (int axis = 3; axis >= 0; axis--) {
        at[axis] = index % dims[result][axis];
        index /= dims[result][axis];
    }
    const int64_t group = at[0] / (result == BY_X ? inputs : outputs);
    const range os = result == BY_X ? (range){ group * outputs, (group + 1) * outputs } : only(at[0]);
    const range is = result == BY_X ? only(at[0] % inputs) : result == BY_W ? only(at[1]) : all(inputs);
    const range rows = result == FORWARD ? only(at[1]) : all(m), columns = result == FORWARD ? only(at[2]) : all(m);
    const range ks = result == BY_W ? only(at[2]) : all(k), ls = result == BY_W ? only(at[3]) : all(k);
    const range samples = result == BY_W ? all(s->batch) : only(at[3]);
    sum of = { 0, 0 };
    EACH(o, os) EACH(i, is) EACH(r, rows) EACH(c, columns) EACH(a, ks) EACH(b, ls) {
        const int64_t row = r * s->stride - s->pad + a * s->dilation, column = c * s->stride - s->pad + b * s->dilation;
        if (row < 0 || row >= n || column < 0 || column >= n || (result == BY_X && (row != at[1] || column != at[2])))
            continue;
        EACH(sample, samples) {
            const double x = p->at[X][(((group * inputs + i) * n + row) * n + column) * s->batch + sample];
            const double w = p->at[W][((o * inputs + i) * k + a) * k + b], y = p->at[Y][((o * m + r) * m + c) * s->batch + sample];
            const double term = result == FORWARD ? w * x : result == BY_X ? w * y : x * y;
            of.value += term;
            of.scale += fabs(term);
        }
    }
    return of;
}

static double *result_of(const problem *p, int result, hg_dtype dtype, hg_isa isa, int threads, int64_t *count)
{
    const sizes *s = p->s;
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *of[] = { hg_input(g, "x", HG_SHAPE(s->inputs, s->size, s->size, B)),
                        hg_input(g, "w", HG_SHAPE(s->outputs, s->inputs / s->groups, s->kernel, s->kernel)),
                        hg_input(g, "y", HG_SHAPE(s->outputs, p->out, p->out, B)) };
    hg_conv_options o = { .stride = s->stride, .pad = s->pad, .dilation = s->dilation, .groups = s->groups };
    o.size = result == BY_X ? s->size : 0;
    o.kernel = result == BY_W ? s->kernel : 0;
    hg_tensor *output = result == FORWARD ? hg_conv2d(of[X], of[W], &o)
                        : result == BY_X  ? hg_conv_transpose2d(of[Y], of[W], &o)
                                          : hg_conv2d_weight(of[X], of[Y], &o);
    hg_plan *plan = hg_plan_new(g, 1, &output, &(hg_plan_options){ .batch = s->batch, .threads = threads, .isa = isa });
    if (plan == NULL)
        fail_msg("%s", hg_graph_error(g));
    for (int which = X; which <= Y; which++)
        if (hg_plan_data(plan, of[which]) != NULL)
            hg_plan_write(plan, of[which], p->at[which], (size_t)p->count[which]);
    *count = hg_shape_count(hg_tensor_shape(output), s->batch);
    double *values = malloc((size_t)*count * sizeof *values);
    assert_non_null(values);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, output, values, (size_t)*count), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
    return values;
}

enum { LOOKED_AT = 50 };
static int64_t looked_at(int64_t count, int i) { return count * i / LOOKED_AT; }

static void expect_plain(const problem *p, int result, hg_dtype dtype, const sum right[LOOKED_AT], const double *values,
                         int64_t count)
{
    static const char *const name[] = { "forward", "by x", "by w" };
    const double epsilon = dtype == HG_F32 ? FLT_EPSILON : DBL_EPSILON;
    for (int i = 0; i < LOOKED_AT; i++)
        if (!(fabs(values[looked_at(count, i)] - right[i].value) <= 16 * epsilon * right[i].scale))
            fail_msg("shape %d, %s, %s: element %lld is %.17g, not %.17g", (int)(p->s - large), name[result],
                     hg_dtype_name(dtype), (long long)looked_at(count, i), values[looked_at(count, i)], right[i].value);
}

static void check_sums(const problem *p, int result, hg_dtype dtype)
{
    static const int which[RESULTS] = { Y, X, W };
    int64_t count;
    sum right[LOOKED_AT];
    for (int k = 0; k < LOOKED_AT; k++)
        right[k] = plain(p, result, looked_at(p->count[which[result]], k));
    for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
        double *values = result_of(p, result, dtype, isa, 1, &count);
        expect_plain(p, result, dtype, right, values, count);
        free(values);
    }
}

static void check_order(const problem *p, int result, hg_dtype dtype)
{
    int64_t count;
    double *values = result_of(p, result, dtype, HG_ISA_BEST, 1, &count);
    for (int threads = 2; threads <= 5; threads += 3) {
        double *others = result_of(p, result, dtype, HG_ISA_BEST, threads, &count);
        assert_memory_equal(values, others, (size_t)count * sizeof *values);
        free(others);
    }
    free(values);
}

static void large_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(large); i++) {
        problem p = problem_of(&large[i / 2], i % 2 == 0 ? 128 : 127);
        for (int result = FORWARD; result < RESULTS; result++)
            for (hg_dtype dtype = HG_F32; dtype <= HG_F64; dtype++)
                (i % 2 == 0 ? check_sums : check_order)(&p, result, dtype);
        problem_free(&p);
    }
}

static void what_is_no_number_reaches_its_weights(void **state)
{
    static const sizes s = { 32, 40, 3, 1, 1, 1, 1, 10, 31 };
    static const double values[] = { NAN, INFINITY, -INFINITY };
    (void)state;
    for (int i = 0; i < 2 * (int)COUNT(values); i++) {
        problem p = problem_of(&s, 128);
        p.at[i % 2 == 0 ? X : Y][((5 * 10 + 2) * 10 + 3) * s.batch + 7] = values[i / 2];
        for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
            int64_t count;
            double *w = result_of(&p, BY_W, HG_F32, isa, 1, &count);
            for (int64_t k = 0; k < count; k++)
                assert_true(isfinite(w[k]) == ((i % 2 == 0 ? k / 9 % s.inputs : k / 9 / s.inputs) != 5));
            free(w);
        }
        problem_free(&p);
    }
}

/* ---- Maxima that are equal, infinite or not numbers ------------------------------------------------------- */

static void evaluate(hg_tensor *t, double *values, size_t count)
{
    if (t == NULL || hg_eval(t, values, count) != HG_OK)
        fail_msg("%s", t == NULL ? "no tensor" : hg_graph_error(hg_tensor_graph(t)));
}

static void maxima(void **state)
{
    static const struct {
        double x[4], largest;
        int    where;
    } windows[] = {
        { { 1, 2, 3, 4 }, 4, 3 },
        { { 2, 2, 2, 2 }, 2, 0 },
        { { 1, 3, 3, 0 }, 3, 1 },
        { { 0.0, -0.0, 0.0, -1 }, 0, 0 },
        { { -INFINITY, -INFINITY, -INFINITY, -INFINITY }, -INFINITY, 0 },
        { { -INFINITY, -1e30, 0, INFINITY }, INFINITY, 3 },
        { { 5, NAN, 7, NAN }, NAN, 1 },
        { { NAN, INFINITY, 7, 1 }, NAN, 0 },
        { { 1, 2, INFINITY, NAN }, NAN, 3 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        for (hg_dtype dtype = HG_F32; dtype <= HG_F64; dtype++) {
            double y, where, dx[4];
            hg_graph *g = hg_graph_new(dtype);
            hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(1, 2, 2, 1), hg_zeros()), *gradient;
            const hg_pool_options two = { .size = 2 };
            hg_write(x, windows[i].x, 4);
            hg_tensor *pooled = hg_max_pool2d(x, &two);
            evaluate(pooled, &y, 1);
            assert_true(y == windows[i].largest || (isnan(y) && isnan(windows[i].largest)));
            evaluate(hg_to_real(hg_max_pool2d_switches(x, &two)), &where, 1);
            assert_int_equal((int)where, windows[i].where);
            assert_int_equal(hg_grad(hg_sum(hg_scale(pooled, 3), HG_ALL_AXES), 1, &x, &gradient), HG_OK);
            evaluate(gradient, dx, 4);
            for (int k = 0; k < 4; k++)
                assert_true(dx[k] == (k == windows[i].where ? 3 : 0));
            hg_graph_free(g);
        }
    }
}

/* One sample's maximum in several windows: their gradients add up. */
static void overlapping_windows(void **state)
{
    static const double image[9] = { 0, 1, 0, 2, 9, 3, 0, 4, 0 };
    double dx[9];
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(1, 3, 3, 1), hg_zeros()), *gradient;
    hg_write(x, image, 9);
    hg_tensor *y = hg_max_pool2d(x, &(hg_pool_options){ .size = 2, .stride = 1 });
    assert_int_equal(hg_grad(hg_sum(y, HG_ALL_AXES), 1, &x, &gradient), HG_OK);
    evaluate(gradient, dx, 9);
    for (int k = 0; k < 9; k++)
        assert_true(dx[k] == (k == 4 ? 4 : 0));
    hg_graph_free(g);
}

/* A sample alone goes another way than among others, and has the same maxima. */
static void a_long_row_alone(void **state)
{
    enum { ROWS = 5, WIDTH = 611, COPIES = 5, PLACES = 3 * 306 };
    static const hg_pool_options options[] = {
        { .size = 3, .stride = 2, .pad = 1 }, { .size = 2 },
        { .size_hw = { 2, 5 }, .stride_hw = { 2, 3 }, .pad_hw = { 1, 2 } },
        { .size_hw = { 2, 300 }, .stride_hw = { 3, 280 } }, { .size_hw = { 5, 3 }, .stride_hw = { 3, 1 }, .pad_hw = { 2, 1 } },
    };
    double image[ROWS * WIDTH], alone[2][2 * PLACES], among[2][2 * PLACES * COPIES];
    (void)state;
    for (int i = 0; i < ROWS * WIDTH; i++)
        image[i] = value_at(i, X, 128) - 0.5 * value_at(i * i, Y, 128);
    for (size_t i = 0; i < COUNT(options); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *x = hg_constant(g, HG_SHAPE(1, ROWS, WIDTH, 1), image);
        hg_tensor *copies = hg_concat(COPIES, (hg_tensor *[]){ x, x, x, x, x }, 3);
        hg_tensor *y = hg_max_pool2d(x, &options[i]);
        const size_t places = (size_t)hg_shape_count(hg_tensor_shape(y), 1);
        assert_true(places <= 2 * PLACES);
        evaluate(y, alone[0], places);
        evaluate(hg_to_real(hg_max_pool2d_switches(x, &options[i])), alone[1], places);
        evaluate(hg_max_pool2d(copies, &options[i]), among[0], places * COPIES);
        evaluate(hg_to_real(hg_max_pool2d_switches(copies, &options[i])), among[1], places * COPIES);
        for (size_t k = 0; k < 2 * places * COPIES; k++)
            assert_true(among[k / (places * COPIES)][k % (places * COPIES)] ==
                        alone[k / (places * COPIES)][k % (places * COPIES) / COPIES]);
        hg_graph_free(g);
    }
}

/* What a pool took away, its switches put back where it was. */
static void unpooling(void **state)
{
    static const double image[8] = { 1, 5, 2, 3, 4, 0, 7, 6 };
    static const double right[8] = { 0, 5, 0, 0, 0, 0, 7, 0 };
    double back[8];
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_constant(g, HG_SHAPE(1, 2, 4, 1), image);
    const hg_pool_options two = { .size = 2 };
    evaluate(hg_max_unpool2d(hg_max_pool2d(x, &two), hg_max_pool2d_switches(x, &two), 2, 4), back, 8);
    for (int k = 0; k < 8; k++)
        assert_true(back[k] == right[k]);
    double signal[4];
    hg_tensor *s = hg_constant(g, HG_SHAPE(1, 4, 1), image);
    evaluate(hg_max_unpool1d(hg_max_pool1d(s, &two), hg_max_pool1d_switches(s, &two), 4), signal, 4);
    assert_true(signal[0] == 0 && signal[1] == 5 && signal[2] == 0 && signal[3] == 3);
    hg_graph_free(g);
}

/* ---- Batch normalisation ----------------------------------------------------------------------------------- */

static void running_statistics(void **state)
{
    static const double samples[6] = { 1, 2, 3, 10, 10, 16 };
    double mean, variance, y[6];
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(2, B)), *of_batch[2], *running[2];
    running[0] = hg_state(g, "mean", HG_SHAPE(2), hg_zeros());
    running[1] = hg_state(g, "variance", HG_SHAPE(2), hg_filled(1));
    assert_true(hg_moments(x, HG_AXIS(1), &of_batch[0], &of_batch[1]));
    hg_tensor *output[] = { hg_batch_norm(x, NULL, NULL, of_batch[0], of_batch[1], 0),
                            hg_running_mean(running[0], of_batch[0], 0.25),
                            hg_running_mean(running[1], of_batch[1], 0.25),
                            hg_batch_norm(x, NULL, NULL, running[0], running[1], 0) };
    hg_plan *plan = hg_plan_new(g, 4, output, &(hg_plan_options){ .batch = 3, .threads = 1 });
    if (plan == NULL)
        fail_msg("%s", hg_graph_error(g));
    hg_plan_write(plan, x, samples, 6);
    hg_run(plan);
    hg_plan_read(plan, output[0], y, 6);
    assert_true(fabs(y[0] + sqrt(1.5)) < 1e-14 && fabs(y[1]) < 1e-14 && fabs(y[5] - sqrt(2)) < 1e-14);
    hg_plan_read(plan, output[3], y, 6); /* with the statistics before this run */
    assert_true(y[0] == 1 && y[5] == 16);
    double both[2];
    hg_read(running[0], both, 2);
    mean = both[0];
    assert_true(fabs(mean - 0.5) < 1e-15 && fabs(both[1] - 3) < 1e-15);
    hg_read(running[1], both, 2);
    variance = both[1];
    assert_true(fabs(variance - (0.75 + 0.25 * 8)) < 1e-14);
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------ */

/* A chain of transposed convolutions from one size to the next. */
static void transposed_sizes(void **state)
{
    static const struct {
        int64_t kernel, stride, pad, size, from, to;
    } steps[] = {
        { 3, 2, 0, 0, 2, 5 },  { 5, 3, 1, 0, 5, 15 }, { 2, 2, 1, 0, 15, 28 }, { 3, 2, 1, 0, 2, 3 },
        { 3, 2, 1, 4, 2, 4 },  { 1, 3, 0, 9, 3, 9 },  { 4, 1, 0, 0, 1, 4 },   { 3, 1, 1, 0, 7, 7 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *y = hg_input(g, "y", HG_SHAPE(2, steps[i].from, steps[i].from, B));
        hg_tensor *w = hg_input(g, "w", HG_SHAPE(2, 3, steps[i].kernel, steps[i].kernel));
        hg_tensor *x = hg_conv_transpose2d(y, w, &(hg_conv_options){ .stride = steps[i].stride, .pad = steps[i].pad,
                                                                     .size = steps[i].size });
        assert_string_equal(hg_graph_error(g), "");
        assert_true(hg_shape_equal(hg_tensor_shape(x), &HG_SHAPE(3, steps[i].to, steps[i].to, B)));
        hg_graph_free(g);
    }
}

/* ---- Mistakes: what each message must say ------------------------------------------------------------------ */

/* x: an image, w: weights for it, s: a signal, v: weights for that, y: 5x4x4xB, b: a vector of 4, m: a matrix, i: switches. */
typedef struct operands {
    hg_tensor *x, *w, *s, *v, *y, *b, *m, *i, *turned;
} operands;

static operands operands_of(hg_graph *g)
{
    return (operands){
        .x = hg_input(g, "x", HG_SHAPE(3, 8, 9, B)),  .w = hg_input(g, "w", HG_SHAPE(5, 3, 3, 4)),
        .s = hg_input(g, "s", HG_SHAPE(2, 20, B)),    .v = hg_input(g, "v", HG_SHAPE(4, 2, 5)),
        .y = hg_input(g, "y", HG_SHAPE(5, 4, 4, B)),  .b = hg_input(g, "b", HG_SHAPE(4)),
        .m = hg_input(g, "m", HG_SHAPE(3, B)),        .i = hg_input_of(g, "i", HG_I64, HG_SHAPE(3, 8, 9, B)),
        .turned = hg_input(g, "turned", HG_SHAPE(B, 3, 8, 9)),
    };
}

#define CONV(...) &(hg_conv_options){ __VA_ARGS__ }
#define POOL(...) &(hg_pool_options){ __VA_ARGS__ }
#define GROW(...) &(hg_upsample_options){ __VA_ARGS__ }
#define MISTAKE(name, expression)                                                                                   \
    static hg_tensor *name(const operands *o) { return expression; }

MISTAKE(stride_negative, hg_conv2d(o->x, o->w, CONV(.stride = -1)))
MISTAKE(pad_negative, hg_conv2d(o->x, o->w, CONV(.pad_hw = { 1, -2 })))
MISTAKE(dilation_negative, hg_conv_transpose2d(o->y, o->w, CONV(.dilation = -3)))
MISTAKE(groups_negative, hg_conv2d(o->x, o->w, CONV(.groups = -1)))
MISTAKE(groups_of_outputs, hg_conv2d(o->x, hg_input(hg_tensor_graph(o->x), "n", HG_SHAPE(5, 1, 3, 3)), CONV(.groups = 3)))
MISTAKE(groups_of_inputs, hg_conv2d(o->x, o->w, CONV(.groups = 2)))
MISTAKE(channels, hg_conv2d(o->y, o->w, NULL))
MISTAKE(channels_transposed, hg_conv_transpose2d(o->x, o->w, NULL))
MISTAKE(kernel_too_large, hg_conv2d(o->x, o->w, CONV(.dilation = 4)))
MISTAKE(stride_twice, hg_conv2d(o->x, o->w, CONV(.stride = 2, .stride_hw = { 2, 2 })))
MISTAKE(size_of_conv, hg_conv2d(o->x, o->w, CONV(.size = 4)))
MISTAKE(kernel_of_conv, hg_conv2d(o->x, o->w, CONV(.kernel_hw = { 3, 3 })))
MISTAKE(size_not_reached, hg_conv_transpose2d(o->y, o->w, CONV(.stride = 2, .size = 12)))
MISTAKE(size_too_small, hg_conv_transpose2d(o->y, o->w, CONV(.pad = 9)))
MISTAKE(kernel_missing, hg_conv2d_weight(o->x, o->y, NULL))
MISTAKE(kernel_not_fitting, hg_conv2d_weight(o->x, o->y, CONV(.kernel = 3)))
MISTAKE(conv_of_matrix, hg_conv2d(o->m, o->w, NULL))
MISTAKE(conv_by_vector, hg_conv2d(o->x, o->b, NULL))
MISTAKE(conv_of_integers, hg_conv2d(o->i, o->w, NULL))
MISTAKE(conv_of_turned, hg_conv2d(o->turned, o->w, NULL))
MISTAKE(conv_by_batch, hg_conv2d(o->x, o->turned, NULL))
MISTAKE(bias_length, hg_conv2d(o->x, o->w, CONV(.bias = o->b)))
MISTAKE(bias_of_weights, hg_conv2d_weight(o->x, o->y, CONV(.kernel = 3, .bias = o->b)))
MISTAKE(huge_stride, hg_conv_transpose2d(o->y, o->w, CONV(.stride = INT64_MAX)))
MISTAKE(huge_pad, hg_conv2d(o->x, o->w, CONV(.pad = INT64_MAX)))
MISTAKE(huge_size, hg_conv_transpose2d(o->y, o->w, CONV(.size = INT64_MAX)))
MISTAKE(huge_dilation, hg_conv2d(o->x, o->w, CONV(.dilation = INT32_MAX)))
MISTAKE(conv1d_of_image, hg_conv1d(o->x, o->v, NULL))
MISTAKE(conv1d_by_image, hg_conv1d(o->s, o->w, NULL))
MISTAKE(conv1d_pairs, hg_conv1d(o->s, o->v, CONV(.pad_hw = { 1, 1 })))
MISTAKE(conv1d_too_large, hg_conv1d(o->s, o->v, CONV(.dilation = 5)))
MISTAKE(pool_without_size, hg_max_pool2d(o->x, NULL))
MISTAKE(pool_too_large, hg_max_pool2d(o->x, POOL(.size = 9)))
MISTAKE(pool_negative, hg_avg_pool2d(o->x, POOL(.size = -2)))
MISTAKE(pool_stride, hg_avg_pool2d(o->x, POOL(.size = 2, .stride = -2)))
MISTAKE(pool_pad, hg_max_pool2d(o->x, POOL(.size = 2, .pad = 2)))
MISTAKE(pool_of_matrix, hg_max_pool2d(o->m, POOL(.size = 2)))
MISTAKE(pool_of_integers, hg_avg_pool2d(o->i, POOL(.size = 2)))
MISTAKE(pool_of_image, hg_max_pool1d(o->x, POOL(.size = 2)))
MISTAKE(pool_pairs, hg_avg_pool1d(o->s, POOL(.size_hw = { 2, 2 })))
MISTAKE(unpool_shapes, hg_max_unpool2d(o->y, o->i, 16, 16))
MISTAKE(unpool_size, hg_max_unpool2d(o->x, o->i, 0, 4))
MISTAKE(unpool_huge, hg_max_unpool2d(o->x, o->i, INT64_MAX, 4))
MISTAKE(global_of_matrix, hg_global_avg_pool2d(o->m))
MISTAKE(upsample_nothing, hg_upsample2d(o->x, NULL))
MISTAKE(upsample_both, hg_upsample2d(o->x, GROW(.factor = 2, .size = 4)))
MISTAKE(upsample_negative, hg_upsample2d(o->x, GROW(.factor = -2)))
MISTAKE(upsample_huge, hg_upsample2d(o->x, GROW(.factor = INT64_MAX)))
MISTAKE(upsample_kind, hg_upsample2d(o->x, GROW(.factor = 2, .by = (hg_upsampling)7)))
MISTAKE(upsample_signal, hg_upsample1d(o->x, GROW(.factor = 2)))
MISTAKE(norm_epsilon, hg_layer_norm(o->x, NULL, NULL, -1))
MISTAKE(norm_epsilon_nan, hg_batch_norm(o->x, NULL, NULL, o->b, o->b, NAN))
MISTAKE(norm_mean, hg_batch_norm(o->x, NULL, NULL, o->b, o->b, 0))
MISTAKE(norm_scalar, hg_batch_norm(hg_scalar(hg_tensor_graph(o->x), 1), NULL, NULL, o->b, o->b, 0))

static const struct {
    const char *name;
    hg_tensor *(*make)(const operands *);
    const char *says[3];
} mistakes[] = {
    { "stride", stride_negative, { "conv2d", "stride -1", "must be 1 or more" } },
    { "pad", pad_negative, { "padding -2", "along the width", "padding 0 or more" } },
    { "dilation", dilation_negative, { "conv_transpose2d", "dilation -3", "must be 1 or more" } },
    { "groups", groups_negative, { "-1 groups", "1 or more" } },
    { "groups of outputs", groups_of_outputs, { "5 output channels", "3 groups" } },
    { "groups of inputs", groups_of_inputs, { "3 input channels", "2 groups of 3" } },
    { "channels", channels, { "5x4x4xB", "5x3x3x4", "5 input channels, but 1 group of 3" } },
    { "channels transposed", channels_transposed, { "3x8x9xB", "an image of 3 channels", "weights for 5" } },
    { "kernel too large", kernel_too_large, { "height of 9", "one of 8", "padding 1 or more, or a kernel of 2" } },
    { "stride twice", stride_twice, { "conv2d", "`stride` and `stride_hw`" } },
    { "size of conv2d", size_of_conv, { "conv2d has no option `size`" } },
    { "kernel of conv2d", kernel_of_conv, { "conv2d has no option `kernel_hw`" } },
    { "size not reached", size_not_reached, { "height 12 comes one of 5, not 4", "9 to 10 would fit" } },
    { "size too small", size_too_small, { "height of -12", "padding 3 or less" } },
    { "kernel missing", kernel_missing, { "conv2d_weight", "a kernel of height 0" } },
    { "kernel not fitting", kernel_not_fitting, { "height 8 comes one of 6, not 4" } },
    { "conv of a matrix", conv_of_matrix, { "3xB", "input 0 must have four axes", "channels x height x width" } },
    { "conv by a vector", conv_by_vector, { "weights are", "input 1 must have four axes" } },
    { "conv of integers", conv_of_integers, { "must be real" } },
    { "batch in front", conv_of_turned, { "only the last axis", "HG_BATCH" } },
    { "batch in weights", conv_by_batch, { "weights cannot depend on HG_BATCH" } },
    { "bias", bias_length, { "a vector of the output's 5 channels" } },
    { "bias of weights", bias_of_weights, { "conv2d_weight takes 2 to 2 inputs, not 3" } },
    { "huge stride", huge_stride, { "below 2^31" } },
    { "huge pad", huge_pad, { "below 2^31" } },
    { "huge size", huge_size, { "conv_transpose2d" } },
    { "huge dilation", huge_dilation, { "the kernel has a height of 4294967295" } },
    { "conv1d of an image", conv1d_of_image, { "conv1d", "3x8x9xB", "channels x length x samples" } },
    { "conv1d by an image", conv1d_by_image, { "conv1d", "5x3x3x4" } },
    { "conv1d with pairs", conv1d_pairs, { "conv1d has no option `pad_hw`" } },
    { "conv1d too large", conv1d_too_large, { "height of 21", "padding 1 or more, or a kernel of 4" } },
    { "pool without size", pool_without_size, { "max_pool2d", "a window of height 0" } },
    { "pool too large", pool_too_large, { "height 9 over a padded input of 8", "8 or less would fit" } },
    { "pool negative", pool_negative, { "avg_pool2d", "a window of height -2" } },
    { "pool stride", pool_stride, { "stride -2" } },
    { "pool pad", pool_pad, { "padding 2", "1 or less would fit" } },
    { "pool of a matrix", pool_of_matrix, { "channels x height x width x samples" } },
    { "pool of integers", pool_of_integers, { "must be real" } },
    { "pool of an image", pool_of_image, { "max_pool1d", "channels x length x samples" } },
    { "pool with pairs", pool_pairs, { "avg_pool1d has no option `size_hw`" } },
    { "unpool shapes", unpool_shapes, { "max_unpool2d", "5x4x4xB", "3x8x9xB" } },
    { "unpool size", unpool_size, { "max_unpool2d to 0x4" } },
    { "unpool huge", unpool_huge, { "max_unpool2d" } },
    { "global pool", global_of_matrix, { "global_avg_pool2d", "3xB" } },
    { "upsample nothing", upsample_nothing, { "either `factor` or `size`" } },
    { "upsample both", upsample_both, { "either `factor` or `size`" } },
    { "upsample negative", upsample_negative, { "upsample2d", "to -16x-18" } },
    { "upsample huge", upsample_huge, { "upsample2d", "below 2^31" } },
    { "upsample kind", upsample_kind, { "by 7" } },
    { "upsample signal", upsample_signal, { "upsample1d", "channels x length x samples" } },
    { "epsilon", norm_epsilon, { "layer_norm: epsilon -1" } },
    { "epsilon NaN", norm_epsilon_nan, { "batch_norm: epsilon" } },
    { "mean", norm_mean, { "expand", "4" } },
    { "norm of a scalar", norm_scalar, { "batch_norm", "channels and samples" } },
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        operands o = operands_of(g);
        assert_string_equal(hg_graph_error(g), "");
        if (mistakes[i].make(&o) != NULL)
            fail_msg("%s: accepted", mistakes[i].name);
        for (size_t k = 0; k < COUNT(mistakes[i].says) && mistakes[i].says[k] != NULL; k++)
            if (strstr(hg_graph_error(g), mistakes[i].says[k]) == NULL)
                fail_msg("%s: \"%s\" does not say \"%s\"", mistakes[i].name, hg_graph_error(g), mistakes[i].says[k]);
        hg_graph_free(g);
    }
}

static void null_gives_null(void **state)
{
    (void)state;
    assert_null(hg_conv2d(NULL, NULL, NULL));
    assert_null(hg_conv_transpose2d(NULL, NULL, NULL));
    assert_null(hg_conv2d_weight(NULL, NULL, NULL));
    assert_null(hg_conv1d(NULL, NULL, NULL));
    assert_null(hg_conv_transpose1d(NULL, NULL, NULL));
    assert_null(hg_conv1d_weight(NULL, NULL, NULL));
    assert_null(hg_max_pool2d(NULL, NULL));
    assert_null(hg_max_pool2d_switches(NULL, NULL));
    assert_null(hg_max_unpool2d(NULL, NULL, 1, 1));
    assert_null(hg_avg_pool2d(NULL, NULL));
    assert_null(hg_global_max_pool2d(NULL));
    assert_null(hg_global_avg_pool2d(NULL));
    assert_null(hg_max_pool1d(NULL, NULL));
    assert_null(hg_max_pool1d_switches(NULL, NULL));
    assert_null(hg_max_unpool1d(NULL, NULL, 1));
    assert_null(hg_avg_pool1d(NULL, NULL));
    assert_null(hg_upsample2d(NULL, NULL));
    assert_null(hg_upsample1d(NULL, NULL));
    assert_null(hg_batch_norm(NULL, NULL, NULL, NULL, NULL, 0));
    assert_null(hg_layer_norm(NULL, NULL, NULL, 0));
    assert_null(hg_running_mean(NULL, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_shapes),
        cmocka_unit_test(what_is_no_number_reaches_its_weights),       cmocka_unit_test(maxima),
        cmocka_unit_test(overlapping_windows), cmocka_unit_test(a_long_row_alone),
        cmocka_unit_test(unpooling),
        cmocka_unit_test(running_statistics), cmocka_unit_test(transposed_sizes),
        cmocka_unit_test(mistakes_are_named), cmocka_unit_test(null_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
