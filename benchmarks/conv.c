/* Convolutions on one thread, in percent of the multiply-adds that the core can do, measured in turns with them; pools,
   upsampling and normalisation beside a copy: both by the bytes that cannot but go through memory.

   Usage: conv [ROUNDS [NAME]], 40 by default; only what has NAME in its name. Operations count 2 per multiply-add, taps on padding 0. */
#define _POSIX_C_SOURCE 199309L /* clocks */

#include <hourglass/conv.h>
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peak.h"

/* ---- What is measured ------------------------------------------------------------------------------------ */

enum { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT };

/* A convolution of x, inputs x size x size x batch. The input's gradient is a transposed convolution. */
typedef struct convolution {
    const char *name;
    int64_t     inputs, outputs, kernel, stride, pad, size, batch;
    double      target[3]; /* percent; 0: none */
} convolution;

static const convolution convolutions[] = {
    { "conv 32-64 3x3 pad 1 on 14x14", 32, 64, 3, 1, 1, 14, 128, { 80, 75, 70 } },
    { "conv 1-32 3x3 pad 1 on 28x28", 1, 32, 3, 1, 1, 28, 128, { 30, 0, 0 } },
    { "conv 8-16 5x5 stride 3 on 17x17 (transposed: 16-8 on 5x5)", 8, 16, 5, 3, 0, 17, 128, { 0, 50, 0 } },
    { "conv 1-16 3x3 stride 3 pad 1 on 28x28", 1, 16, 3, 3, 1, 28, 128, { 0 } },
    { "conv 16-8 3x3 stride 2 pad 1 on 5x5", 16, 8, 3, 2, 1, 5, 128, { 0 } },
    { "conv 1-8 2x2 stride 2 pad 1 on 28x28", 1, 8, 2, 2, 1, 28, 128, { 0 } },
    { "conv 32-64 2x2 stride 2 on 14x14 (transposed: 64-32 on 7x7)", 32, 64, 2, 2, 0, 14, 128, { 0 } },
    { "conv 1-32 2x2 stride 2 on 28x28 (transposed: 32-1 on 14x14)", 1, 32, 2, 2, 0, 28, 128, { 0 } },
    { "conv 64-128 3x3 pad 1 on 8x8, batch 64", 64, 128, 3, 1, 1, 8, 64, { 0 } },
    { "conv 32-64 1x1 on 14x14", 32, 64, 1, 1, 0, 14, 128, { 0 } },
    { "conv 32-64 3x3 pad 1 on 14x14, batch 100", 32, 64, 3, 1, 1, 14, 100, { 0 } },
    { "conv 128-128 3x3 pad 1 on 7x7", 128, 128, 3, 1, 1, 7, 128, { 0 } },
};

static hg_tensor *max_pool(hg_tensor *x) { return hg_max_pool2d(x, &(hg_pool_options){ .size = 2 }); }
static hg_tensor *max_pool_overlapping(hg_tensor *x)
{
    return hg_max_pool2d(x, &(hg_pool_options){ .size = 3, .stride = 2, .pad = 1 });
}
static hg_tensor *avg_pool(hg_tensor *x) { return hg_avg_pool2d(x, &(hg_pool_options){ .size = 2 }); }
static hg_tensor *nearest(hg_tensor *x) { return hg_upsample2d(x, &(hg_upsample_options){ .factor = 2 }); }
static hg_tensor *bilinear(hg_tensor *x)
{
    return hg_upsample2d(x, &(hg_upsample_options){ .by = HG_BILINEAR, .factor = 2 });
}

static hg_tensor *batch_norm(hg_tensor *x)
{
    const hg_shape vector = HG_SHAPE(hg_tensor_shape(x)->dim[0]);
    hg_tensor *mean, *variance;
    hg_moments(x, HG_AXIS(1) | HG_AXIS(2) | HG_AXIS(3), &mean, &variance);
    return hg_batch_norm(x, hg_parameter(hg_tensor_graph(x), "gain", vector, hg_filled(1)),
                         hg_parameter(hg_tensor_graph(x), "bias", vector, hg_zeros()), mean, variance, 1e-5);
}

static hg_tensor *layer_norm(hg_tensor *x)
{
    hg_shape sample = *hg_tensor_shape(x);
    sample.rank--;
    return hg_layer_norm(x, hg_parameter(hg_tensor_graph(x), "gain", sample, hg_filled(1)),
                         hg_parameter(hg_tensor_graph(x), "bias", sample, hg_zeros()), 1e-5);
}

/* How often a tensor of x's and one of y's size must go through memory, being read or written, as long as none fits into
   the cache. */
typedef struct passes {
    double x, y;
} passes;

/* A normalisation reads x for the moments and to write y. Its gradient reads x for the moments, x and dy for all sums, and
   both again to write dx. A maximum's gradient reads x to find where it was. */
static const struct {
    const char *name;
    hg_tensor *(*build)(hg_tensor *);
    passes forward, backward;
} movers[] = {
    { "max_pool2d 2", max_pool, { 1, 1 }, { 2, 1 } },
    { "max_pool2d 3 stride 2 pad 1", max_pool_overlapping, { 1, 1 }, { 2, 1 } },
    { "avg_pool2d 2", avg_pool, { 1, 1 }, { 1, 1 } },
    { "upsample2d nearest 2", nearest, { 1, 1 }, { 1, 1 } },
    { "upsample2d bilinear 2", bilinear, { 1, 1 }, { 1, 1 } },
    { "batch_norm", batch_norm, { 2, 1 }, { 4, 2 } },
    { "layer_norm", layer_norm, { 2, 1 }, { 4, 2 } },
};

/* ---- Measuring ------------------------------------------------------------------------------------------- */

/* A plan of one output, its inputs filled with small numbers; or a copy of so many bytes in its memory. */
typedef struct subject {
    hg_graph   *graph;
    hg_plan    *plan;
    hg_tensor  *output;
    const void *from;
    void       *to;
    size_t      bytes;
    double      best; /* seconds */
} subject;

static void fill(hg_plan *plan, const hg_tensor *input, int64_t batch)
{
    float *at = hg_plan_data(plan, input);
    const int64_t count = hg_shape_count(hg_tensor_shape(input), batch);
    for (int64_t i = 0; at != NULL && i < count; i++)
        at[i] = (float)(i * 7 % 31) / 31 - 0.5f;
}

static subject subject_of(hg_graph *graph, hg_tensor *output, int inputs, hg_tensor *const input[], int64_t batch)
{
    subject s = { .graph = graph, .output = output, .best = 1e9 };
    s.plan = hg_plan_new(graph, 1, &output, &(hg_plan_options){ .batch = batch, .threads = 1 });
    if (s.plan == NULL) {
        fprintf(stderr, "conv: %s\n", hg_graph_error(graph));
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < inputs; i++)
        fill(s.plan, input[i], batch);
    return s;
}

/* The second of two runs: what was measured before is then no longer in the caches. */
static void measure(subject *s, void (*run)(subject *s))
{
    run(s);
    const double start = seconds();
    run(s);
    const double passed = seconds() - start;
    s->best = passed < s->best ? passed : s->best;
}

static void run_plan(subject *s) { hg_run(s->plan); }

static void subject_free(subject *s)
{
    hg_plan_free(s->plan);
    hg_graph_free(s->graph);
}

static subject convolution_subject(const convolution *c, int what)
{
    hg_graph *g = hg_graph_new(HG_F32);
    const int64_t out = (c->size + 2 * c->pad - c->kernel) / c->stride + 1;
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(c->inputs, c->size, c->size, HG_BATCH));
    hg_tensor *w = hg_input(g, "w", HG_SHAPE(c->outputs, c->inputs, c->kernel, c->kernel));
    hg_tensor *y = hg_input(g, "y", HG_SHAPE(c->outputs, out, out, HG_BATCH));
    const hg_conv_options options = { .stride = c->stride, .pad = c->pad };
    hg_conv_options with_size = options, with_kernel = options;
    with_size.size = c->size;
    with_kernel.kernel = c->kernel;
    hg_tensor *result = what == FORWARD          ? hg_conv2d(x, w, &options)
                        : what == INPUT_GRADIENT ? hg_conv_transpose2d(y, w, &with_size)
                                                 : hg_conv2d_weight(x, y, &with_kernel);
    return subject_of(g, result, 3, (hg_tensor *[]){ x, w, y }, c->batch);
}

static void print_percent(double flops, double seconds, double peak, double target)
{
    const double percent = 100 * flops / seconds / peak;
    printf("  %6.1f %3.0f%%", flops / seconds * 1e-9, percent);
    if (target > 0)
        printf(" (%.0f)", target);
    else
        printf("     ");
}

static void measure_convolution(const convolution *c, int rounds)
{
    subject s[3];
    double peak = 0;
    for (int what = 0; what < 3; what++)
        s[what] = convolution_subject(c, what);
    for (int round = 0; round < rounds; round++) {
        const double now = measure_peak();
        peak = now > peak ? now : peak;
        for (int what = 0; what < 3; what++)
            measure(&s[what], run_plan);
    }
    printf("%-60s %6.1f", c->name, peak * 1e-9);
    for (int what = 0; what < 3; what++) {
        print_percent(hg_plan_describe(s[what].plan).flops, s[what].best, peak, c->target[what]);
        subject_free(&s[what]);
    }
    putchar('\n');
}

/* Forward, and the gradient for a given dy. bytes: of x and of y. */
static subject mover_subject(hg_tensor *(*build)(hg_tensor *), bool backward, passes *bytes)
{
    enum { BATCH = 128 };
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(16, 28, 28, HG_BATCH)), *y = build(x), *dy = NULL, *dx = NULL;
    if (y != NULL) {
        dy = hg_input(g, "dy", *hg_tensor_shape(y));
        hg_vjp(y, dy, 1, &x, &dx);
        bytes->x = 4.0 * (double)hg_shape_count(hg_tensor_shape(x), BATCH);
        bytes->y = 4.0 * (double)hg_shape_count(hg_tensor_shape(y), BATCH);
    }
    return subject_of(g, backward ? dx : y, 2, (hg_tensor *[]){ x, dy }, BATCH);
}

/* So many bytes are copied from the input to the output of a plan: as large together as what is compared, and in the same
   kind of memory. What was never written would not do: it is one page of zeros, which the caches hold. */
static subject copy_subject(double bytes)
{
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE((int64_t)(bytes / 8)));
    subject s = subject_of(g, hg_neg(x), 1, &x, 1);
    s.from = hg_plan_data(s.plan, x);
    s.to = hg_plan_data(s.plan, s.output);
    s.bytes = (size_t)(bytes / 8) * sizeof(float);
    hg_run(s.plan);
    return s;
}

static void run_copy(subject *s) { memcpy(s->to, s->from, s->bytes); }

static void print_moved(const passes *times, const passes *bytes, double seconds, double speed)
{
    const double moved = times->x * bytes->x + times->y * bytes->y;
    printf("  %6.1f %6.1f %4.0f%%", moved * 1e-6, moved / seconds * 1e-9, 100 * moved / seconds / speed);
}

static void measure_mover(size_t which, int rounds)
{
    passes bytes = { 0 };
    subject s[2] = { mover_subject(movers[which].build, false, &bytes), mover_subject(movers[which].build, true, &bytes) };
    const double both = bytes.x + bytes.y;
    subject copy = copy_subject(both);
    for (int round = 0; round < rounds; round++) {
        measure(&copy, run_copy);
        measure(&s[0], run_plan);
        measure(&s[1], run_plan);
    }
    const double speed = both / copy.best;
    printf("%-60s %6.1f", movers[which].name, speed * 1e-9);
    print_moved(&movers[which].forward, &bytes, s[0].best, speed);
    print_moved(&movers[which].backward, &bytes, s[1].best, speed);
    putchar('\n');
    subject_free(&s[0]);
    subject_free(&s[1]);
    subject_free(&copy);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 40;
    const char *name = argc > 2 ? argv[2] : "";
    printf("GFLOP/s in f32 on 1 thread, batch 128 unless said (%s); the target, if any, in parentheses\n%-60s %6s  %-15s %-15s "
           "%s\n", hg_isa_name(hg_isa_best()), "", "peak", "forward", " by x", "  by w");
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++)
        if (strstr(convolutions[i].name, name) != NULL)
            measure_convolution(&convolutions[i], rounds);
    printf("\nMB that must be read and written, GB/s of them, and in percent of a copy's; 16x28x28, batch 128\n%-60s %6s  %-19s %s\n",
           "", "copy", "forward", "  by x");
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++)
        if (strstr(movers[i].name, name) != NULL)
            measure_mover(i, rounds);
    return EXIT_SUCCESS;
}
