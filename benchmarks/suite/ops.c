/* Each op alone, forward and backward. Products and convolutions in multiply-adds, all others in bytes of the
   tensors that they depend on and that they give, which are larger than the caches. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The ops ------------------------------------------------------------------------------------------- */

#define PLAIN_UNARY(X)                                                                                       \
    X(neg) X(square) X(sqrt) X(exp) X(log) X(abs) X(sign) X(sigmoid) X(tanh) X(relu) X(softplus) X(gelu)     \
    X(erf)
#define PLAIN_BINARY(X) X(add) X(sub) X(mul) X(div) X(minimum) X(maximum) X(greater) X(matmul)
#define ON_ONE(call, name)                                                                                   \
    static hg_tensor *name##_op(hg_tensor *const in[]) { return call; }

#define DEFINE_UNARY(name) ON_ONE(hg_##name(in[0]), name)
#define DEFINE_BINARY(name) ON_ONE(hg_##name(in[0], in[1]), name)
PLAIN_UNARY(DEFINE_UNARY)
PLAIN_BINARY(DEFINE_BINARY)
ON_ONE(hg_scale(in[0], 0.9), scale)
ON_ONE(hg_shift(in[0], 0.9), shift)
ON_ONE(hg_pow(in[0], 1.5), pow)
ON_ONE(hg_leaky_relu(in[0], 0.01), leaky_relu)
ON_ONE(hg_elu(in[0], 1), elu)
ON_ONE(hg_clamp(in[0], 0.2, 0.8), clamp)
ON_ONE(hg_select(in[0], in[1], in[2]), select)
ON_ONE(hg_to_real(in[0]), to_real)
ON_ONE(hg_sum(in[0], HG_AXIS(1)), sum_rows)
ON_ONE(hg_sum(in[0], HG_AXIS(0)), sum_columns)
ON_ONE(hg_max(in[0], HG_AXIS(0)), max)
ON_ONE(hg_argmax(in[0], 0), argmax)
ON_ONE(hg_expand_like(in[0], in[1], HG_AXIS(1)), expand)
ON_ONE(hg_permute(in[0], (int[]){ 1, 0, 2 }), permute)
ON_ONE(hg_permute(in[0], (int[]){ 1, 0 }), transpose)
ON_ONE(hg_slice(in[0], 0, 16, 8160), slice)
ON_ONE(hg_concat(2, in, 0), concat)
ON_ONE(hg_pad(in[0], 0, 8, 8), pad)
ON_ONE(hg_gather(in[0], in[1], 0), gather)
ON_ONE(hg_scatter(in[0], in[1], 0, 16), scatter)
ON_ONE(hg_one_hot(in[0], 64), one_hot)
ON_ONE(hg_random_uniform(in[0], "uniform", *hg_tensor_shape(in[1])), random_uniform)
ON_ONE(hg_random_normal(in[0], "normal", *hg_tensor_shape(in[1])), random_normal)
ON_ONE(hg_random_mask(in[0], "mask", *hg_tensor_shape(in[1]), 0.5), random_mask)
ON_ONE(hg_log_softmax(in[0]), log_softmax)
ON_ONE(hg_matmul(hg_transpose(in[0]), in[1]), matmul_transposed)
ON_ONE(hg_matmul(in[0], hg_transpose(in[0])), gram)
ON_ONE(hg_conv2d(in[0], in[1], &(hg_conv_options){ .pad = 1 }), conv2d)
ON_ONE(hg_conv2d(in[0], in[1], &(hg_conv_options){ .pad = 1, .stride = 3 }), conv2d_strided)
ON_ONE(hg_conv2d_weight(in[0], in[1], &(hg_conv_options){ .pad = 1, .kernel = 3 }), conv2d_weight)
ON_ONE(hg_conv_transpose2d(in[0], in[1], &(hg_conv_options){ .stride = 2 }), conv_transpose2d)
ON_ONE(hg_conv_transpose2d(in[0], in[1], &(hg_conv_options){ .stride = 3, .pad = 1 }), conv_transpose2d_5x5)
ON_ONE(hg_max_pool2d(in[0], &(hg_pool_options){ .size = 2 }), max_pool2d)
ON_ONE(hg_max_pool2d(in[0], &(hg_pool_options){ .size = 3, .stride = 2, .pad = 1 }), max_pool2d_overlapping)
ON_ONE(hg_max_pool2d_switches(in[0], &(hg_pool_options){ .size = 2 }), max_pool2d_switches)
ON_ONE(hg_avg_pool2d(in[0], &(hg_pool_options){ .size = 2 }), avg_pool2d)
ON_ONE(hg_upsample2d(in[0], &(hg_upsample_options){ .factor = 2 }), upsample2d)
ON_ONE(hg_upsample2d(in[0], &(hg_upsample_options){ .by = HG_BILINEAR, .factor = 2 }), upsample2d_bilinear)
ON_ONE(hg_layer_norm(in[0], in[1], in[2], 1e-5), layer_norm)

static hg_tensor *batch_norm_op(hg_tensor *const in[])
{
    hg_tensor *mean, *variance;
    return hg_moments(in[0], HG_AXIS(1) | HG_AXIS(2) | HG_AXIS(3), &mean, &variance)
               ? hg_batch_norm(in[0], in[1], in[2], mean, variance, 1e-5)
               : NULL;
}

enum { MOST_INPUTS = 3, BATCH = 1024, QUICK_BATCH = 4 };
#define LIKE(...)                                                                                            \
    { .rank = (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), .dim = { __VA_ARGS__ } }
#define STEP { .rank = 0 }
#define WIDE LIKE(8192, HG_BATCH)
#define IMAGES LIKE(16, 28, 28, HG_BATCH)

static const struct op_case {
    const char *name;
    hg_tensor *(*build)(hg_tensor *const in[]);
    int         inputs;
    hg_shape    input[MOST_INPUTS];
    unsigned    integers; /* bits: inputs that are indices or steps */
    int64_t     batch;    /* 0: BATCH */
} cases[] = {
#define UNARY_ROW(name) { #name, name##_op, 1, { WIDE }, 0, 0 },
#define BINARY_ROW(name) { #name, name##_op, 2, { WIDE, WIDE }, 0, 0 },
    PLAIN_UNARY(UNARY_ROW)
    UNARY_ROW(scale) UNARY_ROW(shift) UNARY_ROW(pow) UNARY_ROW(leaky_relu) UNARY_ROW(elu) UNARY_ROW(clamp)
    BINARY_ROW(add) BINARY_ROW(sub) BINARY_ROW(mul) BINARY_ROW(div) BINARY_ROW(minimum) BINARY_ROW(maximum)
    BINARY_ROW(greater)
    { "select", select_op, 3, { WIDE, WIDE, WIDE }, 0, 0 },
    { "to_real", to_real_op, 1, { WIDE }, 1, 0 },
    { "sum over the batch", sum_rows_op, 1, { WIDE }, 0, 0 },
    { "sum over features", sum_columns_op, 1, { WIDE }, 0, 0 },
    { "max over features", max_op, 1, { WIDE }, 0, 0 },
    { "argmax over features", argmax_op, 1, { WIDE }, 0, 0 },
    { "log_softmax over 64", log_softmax_op, 1, { LIKE(64, 128 * HG_BATCH) }, 0, 0 },
    { "expand along the batch", expand_op, 2, { LIKE(8192), WIDE }, 0, 0 },
    { "permute, batch in place", permute_op, 1, { LIKE(64, 128, HG_BATCH) }, 0, 0 },
    { "permute, transposed", transpose_op, 1, { WIDE }, 0, 0 },
    { "slice", slice_op, 1, { WIDE }, 0, 0 },
    { "concat", concat_op, 2, { WIDE, WIDE }, 0, 0 },
    { "pad", pad_op, 1, { WIDE }, 0, 0 },
    { "gather", gather_op, 2, { LIKE(16, 128, HG_BATCH), LIKE(64, 128, HG_BATCH) }, 2, 0 },
    { "scatter", scatter_op, 2, { LIKE(64, 128, HG_BATCH), LIKE(64, 128, HG_BATCH) }, 2, 0 },
    { "one_hot of 64", one_hot_op, 1, { LIKE(1, 128 * HG_BATCH) }, 1, 0 },
    { "random_uniform", random_uniform_op, 2, { STEP, WIDE }, 1, 0 },
    { "random_normal", random_normal_op, 2, { STEP, WIDE }, 1, 0 },
    { "random_mask", random_mask_op, 2, { STEP, WIDE }, 1, 0 },
    { "matmul 1000x784x256", matmul_op, 2, { LIKE(1000, 784), LIKE(784, HG_BATCH) }, 0, 256 },
    { "matmul 784x128x128", matmul_op, 2, { LIKE(784, 128), LIKE(128, HG_BATCH) }, 0, 128 },
    { "matmul 128x784x128", matmul_op, 2, { LIKE(128, 784), LIKE(784, HG_BATCH) }, 0, 128 },
    { "matmul 32x128x128", matmul_op, 2, { LIKE(32, 128), LIKE(128, HG_BATCH) }, 0, 128 },
    { "matmul 784'x128x128", matmul_transposed_op, 2, { LIKE(128, 784), LIKE(128, HG_BATCH) }, 0, 128 },
    { "gram 500x3840", gram_op, 1, { LIKE(500, 30 * HG_BATCH) }, 0, 128 },
    { "conv2d 32-64 3x3 on 14x14", conv2d_op, 2, { LIKE(32, 14, 14, HG_BATCH), LIKE(64, 32, 3, 3) }, 0, 128 },
    { "conv2d 1-32 3x3 on 28x28", conv2d_op, 2, { LIKE(1, 28, 28, HG_BATCH), LIKE(32, 1, 3, 3) }, 0, 128 },
    { "conv2d 1-16 3x3 stride 3 on 28x28", conv2d_strided_op, 2,
      { LIKE(1, 28, 28, HG_BATCH), LIKE(16, 1, 3, 3) }, 0, 128 },
    { "conv2d_weight 32-64 3x3 on 14x14", conv2d_weight_op, 2,
      { LIKE(32, 14, 14, HG_BATCH), LIKE(64, 14, 14, HG_BATCH) }, 0, 128 },
    { "conv_transpose2d 64-32 2x2 stride 2 on 7x7", conv_transpose2d_op, 2,
      { LIKE(64, 7, 7, HG_BATCH), LIKE(64, 32, 2, 2) }, 0, 128 },
    { "conv_transpose2d 16-8 5x5 stride 3 on 5x5", conv_transpose2d_5x5_op, 2,
      { LIKE(16, 5, 5, HG_BATCH), LIKE(16, 8, 5, 5) }, 0, 128 },
    { "max_pool2d 2", max_pool2d_op, 1, { IMAGES }, 0, 0 },
    { "max_pool2d 3 stride 2", max_pool2d_overlapping_op, 1, { IMAGES }, 0, 0 },
    { "max_pool2d_switches 2", max_pool2d_switches_op, 1, { IMAGES }, 0, 0 },
    { "avg_pool2d 2", avg_pool2d_op, 1, { IMAGES }, 0, 0 },
    { "upsample2d nearest 2", upsample2d_op, 1, { LIKE(16, 14, 14, HG_BATCH) }, 0, 0 },
    { "upsample2d bilinear 2", upsample2d_bilinear_op, 1, { LIKE(16, 14, 14, HG_BATCH) }, 0, 0 },
    { "batch_norm", batch_norm_op, 3, { IMAGES, LIKE(16), LIKE(16) }, 0, 0 },
    { "layer_norm", layer_norm_op, 3, { IMAGES, LIKE(16, 28, 28), LIKE(16, 28, 28) }, 0, 0 },
};

bool hg_is_op(const char *name)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        if (strcmp(cases[i].name, name) == 0)
            return true;
    return false;
}

/* ---- A case as a plan ---------------------------------------------------------------------------------- */

typedef struct op_plan {
    hg_plan *plan; /* NULL: nothing to run */
    double   flops, bytes;
    double  *seconds;
} op_plan;

typedef struct op_run {
    const struct op_case *of;
    int64_t    batch;
    hg_graph  *graph;
    int        inputs;
    hg_tensor *input[MOST_INPUTS + 1]; /* the last is the result's cotangent */
    op_plan    forward, backward;
} op_run;

static bool depends(const hg_tensor *t, const hg_tensor *on)
{
    if (t == on)
        return true;
    for (int i = 0; i < hg_tensor_inputs(t); i++)
        if (depends(hg_tensor_input(t, i), on))
            return true;
    return false;
}

static double bytes(const op_run *r, const hg_tensor *t)
{
    return (double)hg_shape_count(hg_tensor_shape(t), r->batch) * (double)hg_dtype_size(hg_tensor_dtype(t));
}

static void fill(const op_run *r, hg_plan *plan, hg_tensor *input)
{
    const int64_t count = hg_shape_count(hg_tensor_shape(input), r->batch);
    void *at = hg_plan_data(plan, input);
    for (int64_t i = 0; at != NULL && i < count; i++)
        if (hg_tensor_dtype(input) == HG_I64)
            ((int64_t *)at)[i] = i % 13;
        else
            ((float *)at)[i] = (float)(i % 997 + 1) / 1000;
}

static op_plan make_plan(op_run *r, int threads, int outputs, hg_tensor *const output[])
{
    op_plan made = { 0 };
    if (outputs == 0)
        return made;
    made.plan = hg_plan_new(r->graph, outputs, output,
                            &(hg_plan_options){ .batch = r->batch, .threads = threads });
    if (made.plan == NULL)
        hg_quit("%s: %s", r->of->name, hg_graph_error(r->graph));
    for (int i = 0; i < outputs; i++)
        made.bytes += bytes(r, output[i]);
    for (int i = 0; i < r->inputs; i++) {
        bool read = false;
        for (int k = 0; k < outputs; k++)
            read = read || depends(output[k], r->input[i]);
        made.bytes += read ? bytes(r, r->input[i]) : 0;
        fill(r, made.plan, r->input[i]);
    }
    made.flops = hg_plan_describe(made.plan).flops;
    return made;
}

static void add_inputs(op_run *r)
{
    static const char *const names[] = { "a", "b", "c" };
    for (int i = 0; i < r->of->inputs; i++)
        r->input[i] = hg_input_of(r->graph, names[i], r->of->integers >> i & 1 ? HG_I64 : HG_F32,
                                  r->of->input[i]);
    r->inputs = r->of->inputs;
}

/* The gradients by real inputs that are computed: neither the cotangent itself nor nothing. */
static int gradients(op_run *r, hg_tensor *result, hg_tensor *gradient[])
{
    hg_tensor *by[MOST_INPUTS], *all[MOST_INPUTS];
    int count = 0, some = 0;
    for (int i = 0; i < r->inputs; i++)
        if (hg_tensor_dtype(r->input[i]) != HG_I64 && depends(result, r->input[i]))
            by[count++] = r->input[i];
    if (count == 0 || hg_tensor_dtype(result) == HG_I64)
        return 0;
    hg_tensor *cotangent = hg_input(r->graph, "cotangent", *hg_tensor_shape(result));
    if (hg_vjp(result, cotangent, count, by, all) != HG_OK)
        hg_quit("%s: %s", r->of->name, hg_graph_error(r->graph));
    for (int i = 0; i < count; i++)
        if (all[i] != cotangent && depends(all[i], cotangent))
            gradient[some++] = all[i];
    r->input[r->inputs++] = cotangent;
    return some;
}

static void open_run(op_run *r, const settings *s, const struct op_case *of, int threads)
{
    hg_tensor *gradient[MOST_INPUTS];
    const int64_t batch = of->batch != 0 ? of->batch : BATCH;
    *r = (op_run){ .of = of, .batch = s->quick ? QUICK_BATCH : batch, .graph = hg_graph_new(HG_F32) };
    add_inputs(r);
    hg_tensor *result = of->build(r->input);
    if (result == NULL)
        hg_quit("%s: %s", of->name, hg_graph_error(r->graph));
    r->forward = make_plan(r, threads, 1, &result);
    r->backward = make_plan(r, threads, gradients(r, result, gradient), gradient);
}

static void close_run(op_run *r)
{
    hg_plan_free(r->forward.plan);
    hg_plan_free(r->backward.plan);
    hg_graph_free(r->graph);
}

/* ---- Measuring ----------------------------------------------------------------------------------------- */

enum { MOST_ROUNDS = 64 };

static double time_run(hg_plan *plan)
{
    const double start = hg_seconds();
    hg_run(plan);
    return hg_seconds() - start;
}

/* Short runs are repeated: a clock's tick and a waking thread are not what is measured. */
static double time_plan(const settings *s, hg_plan *plan)
{
    const double slice = s->quick ? 0 : 0.005, once = time_run(plan);
    const int runs = once < slice ? (int)(slice / once) : 1;
    double sum = 0;
    for (int i = 0; i < runs; i++)
        sum += time_run(plan);
    return sum / runs;
}

static void set(json_t *row, const char *direction, const char *what, double value)
{
    char member[64];
    snprintf(member, sizeof member, "%s_%s", direction, what);
    json_object_set_new(row, member, json_real(value));
}

static void measure(const settings *s, json_t *row, const char *direction, const op_plan *p, int threads,
                    double bandwidth)
{
    double seconds[MOST_ROUNDS], peak[MOST_ROUNDS];
    const int rounds = s->rounds < MOST_ROUNDS ? s->rounds : MOST_ROUNDS;
    if (p->plan == NULL)
        return;
    for (int i = 0; i < rounds; i++) {
        peak[i] = p->flops > 0 ? hg_fma_peak(threads) : 0;
        seconds[i] = time_plan(s, p->plan);
    }
    const double time = hg_median(rounds, seconds);
    set(row, direction, "seconds", time);
    if (p->flops > 0) {
        set(row, direction, "flops_per_second", p->flops / time);
        set(row, direction, "percent_of_peak", 100 * p->flops / time / hg_median(rounds, peak));
    } else {
        set(row, direction, "bytes_per_second", p->bytes / time);
        set(row, direction, "percent_of_bandwidth", 100 * p->bytes / time / bandwidth);
    }
}

static void measure_with(const settings *s, int threads, json_t *rows)
{
    const double bandwidth = hg_copy_bandwidth(threads);
    for (size_t i = 0; i < COUNT(cases); i++) {
        op_run r;
        if (!hg_selected(s, "ops", cases[i].name))
            continue;
        open_run(&r, s, &cases[i], threads);
        json_t *row = json_pack("{ss,si}", "name", cases[i].name, "threads", threads);
        measure(s, row, "forward", &r.forward, threads, bandwidth);
        measure(s, row, "backward", &r.backward, threads, bandwidth);
        json_array_append_new(rows, row);
        close_run(&r);
    }
}

void hg_measure_ops(const settings *s, json_t *rows)
{
    int counts[MOST_THREAD_COUNTS];
    const int thread_counts = hg_thread_counts(s, counts);
    for (int i = 0; i < thread_counts; i++)
        measure_with(s, counts[i], rows);
}
