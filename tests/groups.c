/* Groups of a plan: sums at their end, values computed again, ops in chains. None of it changes a bit. */
#include "config.h"

#include <hourglass/conv.h>
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/plan.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Sums at the end of groups ------------------------------------------------------------------------- */

enum { CHANNELS = 6, PLACES = 40 };

/* x less its mean over the axes, divided by its deviation; and the gradient of the sum of its cubes. */
static void standardized(hg_graph *g, unsigned axes, hg_tensor **x, hg_tensor *output[2])
{
    hg_tensor *mean, *variance;
    *x = hg_input(g, "x", HG_SHAPE(CHANNELS, PLACES, HG_BATCH));
    hg_moments(*x, axes, &mean, &variance);
    hg_tensor *scale = hg_pow(hg_shift(variance, 0.1), -0.5);
    output[0] = hg_mul(hg_sub(*x, hg_expand_like(mean, *x, axes)), hg_expand_like(scale, *x, axes));
    hg_grad(hg_sum(hg_mul(output[0], hg_square(output[0])), HG_ALL_AXES), 1, x, &output[1]);
    assert_string_equal(hg_graph_error(g), "");
}

/* What a plan gives, output after output; to be freed. */
static double *standardize(hg_dtype dtype, unsigned axes, hg_plan_options options, hg_plan_facts *facts, size_t *count)
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *x, *output[2];
    standardized(g, axes, &x, output);
    const size_t n = (size_t)(CHANNELS * PLACES * options.batch);
    hg_plan *plan = hg_plan_new(g, 2, output, &options);
    assert_non_null(plan);
    double *values = malloc(2 * n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(i * 7 % 31) / 31 + (double)(i % 5);
    hg_plan_write(plan, x, values, n);
    hg_run(plan);
    hg_plan_read(plan, output[0], values, n);
    hg_plan_read(plan, output[1], values + n, n);
    *facts = hg_plan_describe(plan);
    *count = 2 * n;
    hg_plan_free(plan);
    hg_graph_free(g);
    return values;
}

/* Rows shorter and longer than a block, whole blocks and not; columns; all together. */
static void sums_are_the_same_in_groups(void **state)
{
    static const unsigned all_axes[] = { HG_AXIS(2), HG_AXIS(1) | HG_AXIS(2), HG_AXIS(0) | HG_AXIS(1), HG_AXIS(1), HG_ALL_AXES };
    static const int64_t batches[] = { 1, 25, 27, 128, 700, 2048 };
    static const hg_plan_options ways[] = {
        { .threads = 1, .no_fusion = true }, { .threads = 2 }, { .threads = 4, .no_reuse = true }, { .threads = 1, .no_folding = true },
    };
    (void)state;
    for (size_t a = 0; a < COUNT(all_axes) * COUNT(batches) * HG_REALS; a++) {
        const unsigned axes = all_axes[a % COUNT(all_axes)];
        const int64_t batch = batches[a / COUNT(all_axes) % COUNT(batches)];
        const hg_dtype dtype = (hg_dtype)(a / COUNT(all_axes) / COUNT(batches));
        hg_plan_facts facts, other;
        size_t count;
        double *right = standardize(dtype, axes, (hg_plan_options){ .batch = batch, .threads = 1 }, &facts, &count);
        for (size_t w = 0; w < COUNT(ways); w++) {
            hg_plan_options options = ways[w];
            options.batch = batch;
            double *got = standardize(dtype, axes, options, &other, &count);
            if (memcmp(right, got, count * sizeof *got) != 0)
                fail_msg("axes 0x%x, batch %lld, way %zu: other bits", axes, (long long)batch, w);
            free(got);
        }
        free(right);
    }
}

/* The input, the result and its gradient are all that is ever as large: what stands between is computed again. */
static void sums_need_no_memory(void **state)
{
    static const unsigned all_axes[] = { HG_AXIS(1) | HG_AXIS(2), HG_AXIS(0) | HG_AXIS(1) };
    (void)state;
    for (size_t a = 0; a < COUNT(all_axes); a++) {
        hg_plan_facts facts;
        size_t count;
        free(standardize(HG_F32, all_axes[a], (hg_plan_options){ .batch = 4096, .threads = 1 }, &facts, &count));
        const double tensor = 4.0 * CHANNELS * PLACES * 4096;
        assert_true((double)facts.arena_bytes < 3.2 * tensor);
        assert_true((double)facts.tensor_bytes > 8 * tensor);
    }
}

/* ---- Chains: arithmetic in one go --------------------------------------------------------------- */

enum { FIRSTS = 7, SECONDS = 4, CHAIN_BATCH = 1061 };

static hg_tensor *chained(int first, int second, bool swapped, hg_tensor *a, hg_tensor *b, hg_tensor *c)
{
    hg_tensor *const firsts[FIRSTS] = { hg_add(a, b), hg_sub(a, b), hg_mul(a, b), hg_scale(a, 0.7), hg_square(a), hg_sqrt(a),
                                        hg_sign(a) };
    hg_tensor *r = firsts[first], *left = swapped ? c : r, *right = swapped ? r : c;
    hg_tensor *(*const seconds[SECONDS])(hg_tensor *, hg_tensor *) = { hg_add, hg_sub, hg_mul, hg_div };
    return seconds[second](left, right);
}

static void run_chain(hg_dtype dtype, int first, int second, bool swapped, hg_plan_options options, double got[CHAIN_BATCH])
{
    static const double begin[] = { 0.3, 1.7, -2.9 };
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *in[] = { hg_input(g, "a", HG_SHAPE(HG_BATCH)), hg_input(g, "b", HG_SHAPE(HG_BATCH)), hg_input(g, "c", HG_SHAPE(HG_BATCH)) };
    hg_tensor *y = chained(first, second, swapped, in[0], in[1], in[2]);
    hg_plan *plan = hg_plan_new(g, 1, &y, &options);
    assert_non_null(plan);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < CHAIN_BATCH; i++)
            got[i] = begin[k] + (double)(i * (k + 3) % 101) / 97;
        hg_plan_write(plan, in[k], got, CHAIN_BATCH);
    }
    hg_run(plan);
    hg_plan_read(plan, y, got, CHAIN_BATCH);
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void chains_change_no_bit(void **state)
{
    static double alone[CHAIN_BATCH], together[CHAIN_BATCH];
    (void)state;
    for (int way = 0; way < FIRSTS * SECONDS * 2 * HG_REALS; way++) {
        const int first = way % FIRSTS, second = way / FIRSTS % SECONDS, swapped = way / FIRSTS / SECONDS % 2;
        const hg_dtype dtype = (hg_dtype)(way / FIRSTS / SECONDS / 2);
        for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
            hg_plan_options options = { .batch = CHAIN_BATCH, .isa = isa, .no_fusion = true };
            run_chain(dtype, first, second, swapped, options, alone);
            options.no_fusion = false;
            run_chain(dtype, first, second, swapped, options, together);
            if (memcmp(alone, together, sizeof alone) != 0)
                fail_msg("op %d then %d%s in %s: other bits", first, second, swapped ? " swapped" : "", hg_isa_name(isa));
        }
    }
}

/* Longer than a chain may be, with more inputs than an instruction may have, and with a number for each row. */
static hg_tensor *long_chain(hg_tensor *x, hg_tensor *z, hg_tensor *numbers)
{
    enum { LINKS = 40 };
    hg_tensor *r = x, *row = hg_expand_like(numbers, x, HG_AXIS(1));
    for (int i = 0; i < LINKS; i++) {
        hg_tensor *const next[] = { hg_sub(r, row), hg_mul(row, r), hg_add(r, z), hg_sub(row, r), hg_scale(r, -0.5),
                                    hg_shift(r, 0.25), hg_div(row, hg_shift(hg_square(r), 0.5)), hg_div(r, row) };
        r = next[i % COUNT(next)];
    }
    return r;
}

static double *run_long_chain(hg_dtype dtype, hg_plan_options options, size_t count)
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *in[] = { hg_input(g, "x", HG_SHAPE(CHANNELS, HG_BATCH)), hg_input(g, "z", HG_SHAPE(CHANNELS, HG_BATCH)),
                        hg_input(g, "numbers", HG_SHAPE(CHANNELS)) };
    const size_t counts[] = { count, count, CHANNELS };
    hg_tensor *y = long_chain(in[0], in[1], in[2]);
    hg_plan *plan = hg_plan_new(g, 1, &y, &options);
    assert_non_null(plan);
    double *values = malloc(count * sizeof *values);
    for (size_t k = 0; k < COUNT(in); k++) {
        for (size_t i = 0; i < counts[k]; i++)
            values[i] = 0.3 + (double)k + (double)(i * (k + 3) % 101) / 97;
        hg_plan_write(plan, in[k], values, counts[k]);
    }
    hg_run(plan);
    hg_plan_read(plan, y, values, count);
    hg_plan_free(plan);
    hg_graph_free(g);
    return values;
}

static void long_chains_change_no_bit(void **state)
{
    static const int64_t batches[] = { 1, 17, 63, 64, 100, 128, CHAIN_BATCH };
    (void)state;
    for (size_t way = 0; way < COUNT(batches) * HG_REALS; way++)
        for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
            const hg_dtype dtype = (hg_dtype)(way / COUNT(batches));
            hg_plan_options options = { .batch = batches[way % COUNT(batches)], .isa = isa, .no_fusion = true };
            const size_t count = (size_t)(CHANNELS * options.batch);
            double *alone = run_long_chain(dtype, options, count);
            options.no_fusion = false;
            double *together = run_long_chain(dtype, options, count);
            if (memcmp(alone, together, count * sizeof *alone) != 0)
                fail_msg("%s, batch %lld, %s: other bits", hg_dtype_name(dtype), (long long)options.batch, hg_isa_name(isa));
            free(alone);
            free(together);
        }
}

/* Chance arithmetic on two parameters and two inputs, bounded; some results are asked for, and the parameters get others. */
enum { SOURCES = 4, RESULTS = 30, OUTPUTS = 8 };

static uint32_t chance(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % below;
}

static hg_tensor *some_arithmetic(uint32_t *state, hg_tensor *a, hg_tensor *b)
{
    hg_tensor *positive = hg_shift(hg_square(b), 0.5);
    hg_tensor *const results[] = { hg_scale(hg_add(a, b), 0.5), hg_scale(hg_sub(a, b), 0.5), hg_mul(a, b), hg_square(a),
                                   hg_mul(hg_sub(a, b), hg_sign(b)), hg_sub(hg_square(b), hg_scale(a, 0.5)),
                                   hg_scale(hg_sqrt(positive), 0.8), hg_scale(hg_div(a, hg_sqrt(positive)), 0.6) };
    return results[chance(state, COUNT(results))];
}

static void by_chance(hg_graph *g, uint32_t seed, hg_tensor *source[SOURCES], hg_tensor *output[OUTPUTS])
{
    hg_tensor *t[SOURCES + RESULTS];
    static const char *const name[SOURCES] = { "p", "q", "x", "z" };
    for (int i = 0; i < SOURCES; i++)
        t[i] = source[i] = i < 2 ? hg_parameter(g, name[i], HG_SHAPE(CHAIN_BATCH), hg_zeros()) :
                                   hg_input(g, name[i], HG_SHAPE(CHAIN_BATCH));
    for (int i = SOURCES; i < SOURCES + RESULTS; i++)
        t[i] = some_arithmetic(&seed, t[chance(&seed, (uint32_t)i)], t[i - 1 - (int)chance(&seed, 4)]);
    for (int i = 0; i < OUTPUTS; i++)
        output[i] = t[SOURCES + RESULTS - 1 - (int)chance(&seed, RESULTS)];
    output[0] = hg_assign(t[0], output[0]);
    output[1] = hg_assign(t[1], output[1]);
}

static void run_by_chance(hg_dtype dtype, uint32_t seed, hg_plan_options options, double got[OUTPUTS][CHAIN_BATCH])
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *source[SOURCES], *output[OUTPUTS];
    by_chance(g, seed, source, output);
    assert_string_equal(hg_graph_error(g), "");
    hg_plan *plan = hg_plan_new(g, OUTPUTS, output, &options);
    assert_non_null(plan);
    for (int k = 0; k < SOURCES; k++) {
        for (int i = 0; i < CHAIN_BATCH; i++)
            got[0][i] = (double)(i * (k + 3) % 101) / 101 - 0.4;
        if (k < 2)
            hg_write(source[k], got[0], CHAIN_BATCH);
        else
            hg_plan_write(plan, source[k], got[0], CHAIN_BATCH);
    }
    hg_run(plan);
    hg_run(plan);
    for (int i = 0; i < OUTPUTS; i++)
        hg_plan_read(plan, output[i], got[i], CHAIN_BATCH);
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void chains_by_chance_change_no_bit(void **state)
{
    static double alone[OUTPUTS][CHAIN_BATCH], together[OUTPUTS][CHAIN_BATCH];
    (void)state;
    for (uint32_t seed = 0; seed < 300; seed++) {
        const hg_dtype dtype = (hg_dtype)(seed % HG_REALS);
        hg_plan_options options = { .batch = 1, .threads = 1, .no_fusion = true, .isa = (hg_isa)(seed / 2 % (hg_isa_best() + 1)) };
        run_by_chance(dtype, seed, options, alone);
        options.no_fusion = false;
        run_by_chance(dtype, seed, options, together);
        if (memcmp(alone, together, sizeof alone) != 0)
            fail_msg("seed %u: other bits", (unsigned)seed);
    }
}

/* ---- Groups behind what produces their input ------------------------------------------------------------ */

enum { IMAGES = 150, MAPS = 8, SIDE = 12, WIDE = 1200 };

static hg_tensor *image(hg_graph *g) { return hg_input(g, "x", HG_SHAPE(MAPS, SIDE, SIDE, HG_BATCH)); }
static hg_tensor *kernel(hg_graph *g, const char *name) { return hg_parameter(g, name, HG_SHAPE(MAPS, MAPS, 3, 3), hg_xavier()); }
static hg_tensor *shifted_relu(hg_tensor *x) { return hg_shift(hg_relu(x), 0.5); }

static hg_tensor *behind_conv(hg_graph *g)
{
    return shifted_relu(hg_conv2d(image(g), kernel(g, "w"), &(hg_conv_options){ .pad = 1 }));
}

static hg_tensor *behind_transpose(hg_graph *g)
{
    return shifted_relu(hg_conv_transpose2d(image(g), kernel(g, "w"), &(hg_conv_options){ .stride = 2 }));
}

/* Each row has a number of its own, which is the same in some of a part's ranges only. */
static hg_tensor *behind_conv_by_channel(hg_graph *g)
{
    hg_tensor *y = hg_conv2d(image(g), kernel(g, "w"), NULL);
    hg_tensor *numbers = hg_parameter(g, "numbers", HG_SHAPE(MAPS), hg_xavier());
    return hg_mul(y, hg_expand_like(numbers, y, HG_AXIS(1) | HG_AXIS(2) | HG_AXIS(3)));
}

static hg_tensor *behind_columns(hg_graph *g)
{
    hg_tensor *w = hg_parameter(g, "w", HG_SHAPE(32, MAPS), hg_xavier());
    return shifted_relu(hg_matmul(w, hg_input(g, "x", HG_SHAPE(MAPS, 8 * HG_BATCH))));
}

static hg_tensor *behind_maxima(hg_graph *g) { return hg_shift(hg_max_pool2d(hg_relu(image(g)), &(hg_pool_options){ .size = 2 }), 0.5); }

static const struct followed {
    const char *name;
    hg_tensor *(*build)(hg_graph *g);
} followed[] = {
    { "conv2d, rows of all channels", behind_conv },
    { "conv2d, a number for each channel", behind_conv_by_channel },
    { "conv_transpose2d", behind_transpose },
    { "matmul, columns", behind_columns },
    { "max_pool2d, the maxima alone", behind_maxima },
};

/* What a plan gives for its one input and one output; to be freed. */
static double *run_followed(const struct followed *f, hg_dtype dtype, hg_plan_options options, size_t *count, int *steps)
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *y = f->build(g), *x = hg_graph_find(g, "x");
    assert_string_equal(hg_graph_error(g), "");
    const size_t n = (size_t)hg_shape_count(hg_tensor_shape(x), options.batch);
    *count = (size_t)hg_shape_count(hg_tensor_shape(y), options.batch);
    double *values = malloc((n > *count ? n : *count) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(i * 7 % 31) / 31 - (double)(i % 5) / 5;
    hg_plan *plan = hg_plan_new(g, 1, &y, &options);
    assert_non_null(plan);
    hg_plan_write(plan, x, values, n);
    hg_run(plan);
    hg_plan_read(plan, y, values, *count);
    *steps = hg_plan_describe(plan).steps;
    hg_plan_free(plan);
    hg_graph_free(g);
    return values;
}

static void groups_follow_parts_of_several_ranges(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(followed) * HG_REALS; f++)
        for (int threads = 1; threads <= 3; threads++) {
            const struct followed *of = &followed[f / HG_REALS];
            hg_plan_options options = { .batch = IMAGES, .threads = 1, .no_fusion = true };
            size_t count;
            int alone_steps, steps;
            double *alone = run_followed(of, (hg_dtype)(f % HG_REALS), options, &count, &alone_steps);
            options.threads = threads;
            options.no_fusion = false;
            double *behind = run_followed(of, (hg_dtype)(f % HG_REALS), options, &count, &steps);
            if (memcmp(alone, behind, count * sizeof *alone) != 0)
                fail_msg("%s, %d threads: other bits", of->name, threads);
            if (steps != 1)
                fail_msg("%s, %d threads: %d steps", of->name, threads, steps);
            free(alone);
            free(behind);
        }
}

/* The derivative of a rectifier is computed where it is needed, from what is in memory anyway, and not stored before. */
static void derivatives_are_not_stored(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *w[] = { kernel(g, "first"), kernel(g, "second") }, *d[2];
    hg_tensor *hidden = hg_relu(hg_conv2d(image(g), w[0], &(hg_conv_options){ .pad = 1 }));
    hg_grad(hg_sum(hg_conv2d(hidden, w[1], &(hg_conv_options){ .pad = 1 }), HG_ALL_AXES), 2, w, d);
    const double tensor = 4.0 * MAPS * SIDE * SIDE * WIDE;
    hg_plan *plan = hg_plan_new(g, 2, d, &(hg_plan_options){ .batch = WIDE, .threads = 1 });
    assert_non_null(plan);
    assert_true((double)hg_plan_describe(plan).arena_bytes < 4.2 * tensor); /* x, hidden, and gradients of both results */
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* ---- What a reader sees --------------------------------------------------------------------------------- */

/* Of a plan of the outputs, what it prints; to be compared before the next one. */
static const char *print_plan(hg_graph *g, int outputs, hg_tensor *const output[], int64_t batch)
{
    static char text[1 << 16];
    hg_plan *plan = hg_plan_new(g, outputs, output, &(hg_plan_options){ .batch = batch, .threads = 1 });
    FILE *file = fmemopen(text, sizeof text, "w");
    hg_plan_print(plan, file);
    fclose(file);
    hg_plan_free(plan);
    return text;
}

static void groups_are_printed(void **state)
{
    static const char *const words[] = { "once a row", "together with its reader", "again", "ops fused" };
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x, *output[2];
    standardized(g, HG_AXIS(1) | HG_AXIS(2), &x, output);
    const char *text = print_plan(g, 2, output, 256);
    for (size_t i = 0; i < COUNT(words); i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("the plan's table does not show \"%s\":\n%s", words[i], text);
    hg_graph_free(g);
}

/* A product's part that only the group behind it reads is never stored; one that somebody else reads is. */
static void what_the_group_alone_reads_stays_with_its_thread(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *w = hg_parameter(g, "w", HG_SHAPE(32, 8), hg_xavier());
    hg_tensor *product = hg_matmul(w, hg_input(g, "x", HG_SHAPE(8, HG_BATCH))), *both[] = { hg_relu(product), product };
    assert_non_null(strstr(print_plan(g, 1, both, 16), "kept by its thread"));
    assert_null(strstr(print_plan(g, 2, both, 16), "kept by its thread"));
    hg_graph_free(g);
}

static int count_words(const char *text, const char *words)
{
    int found = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        found++;
    return found;
}

/* One that another chain reads needs no pass of its own. */
static void squares_and_signs_are_links(void **state)
{
    hg_tensor *(*const taken[])(hg_tensor *) = { hg_square, hg_sign };
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *x = hg_input(g, "x", HG_SHAPE(HG_BATCH)), *z = hg_input(g, "z", HG_SHAPE(HG_BATCH));
        hg_tensor *y = hg_add(hg_scale(x, 0.9), taken[i](z));
        assert_int_equal(count_words(print_plan(g, 1, &y, 2000), "together with its reader"), 2);
        hg_graph_free(g);
    }
}

/* Over images: a part of a convolution ends where a leaf of the sum does, and the group still takes over its place. */
static void sums_go_along_with_convolutions(void **state)
{
    enum { PIXELS = 14 * 14, BATCH = 128 };
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(MAPS, 14, 14, HG_BATCH)), *output[2];
    output[0] = shifted_relu(hg_conv2d(x, kernel(g, "w"), &(hg_conv_options){ .pad = 1 }));
    output[1] = hg_sum(output[0], HG_AXIS(1) | HG_AXIS(2) | HG_AXIS(3));
    const char *text = print_plan(g, 2, output, BATCH);
    assert_non_null(strstr(text, "parts"));
    assert_non_null(strstr(text, "| sum"));
    hg_plan *plan = hg_plan_new(g, 2, output, &(hg_plan_options){ .batch = BATCH, .threads = 1 });
    assert_true((double)hg_plan_describe(plan).arena_bytes < 2.8 * MAPS * PIXELS * BATCH * sizeof(float)); /* x, y, workspace */
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* What is repeated as a whole is read where it is, if blocks do not hold its end. */
static void repeated_rows_are_not_copied(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(CHANNELS, HG_BATCH)), *row = hg_input(g, "row", HG_SHAPE(HG_BATCH));
    hg_tensor *y = hg_exp(hg_sub(x, hg_expand_like(row, x, HG_AXIS(0))));
    assert_null(strstr(print_plan(g, 1, &y, 2000), "together with its reader"));
    assert_non_null(strstr(print_plan(g, 1, &y, 2048), "together with its reader"));
    hg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_the_same_in_groups),
        cmocka_unit_test(sums_need_no_memory),
        cmocka_unit_test(chains_change_no_bit),
        cmocka_unit_test(long_chains_change_no_bit),
        cmocka_unit_test(chains_by_chance_change_no_bit),
        cmocka_unit_test(groups_follow_parts_of_several_ranges),
        cmocka_unit_test(derivatives_are_not_stored),
        cmocka_unit_test(groups_are_printed),
        cmocka_unit_test(what_the_group_alone_reads_stays_with_its_thread),
        cmocka_unit_test(squares_and_signs_are_links),
        cmocka_unit_test(sums_go_along_with_convolutions),
        cmocka_unit_test(repeated_rows_are_not_copied),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
