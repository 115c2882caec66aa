/* max_pool2d, and what is taken from or put to the places of its maxima. max_pool_gather(x, c) is c there, and
   max_pool_scatter(x, g) is zeros with g there: linear in c and g, each the other's adjoint. max_pool_switches tells the
   places; scattering by them in one op saves writing and reading them. */
#ifndef HG_KERNELS
#include "op.h"

#include "pool.h"

static bool max_pool_infer(hg_tensor *t) { return hg_pool_infer(t, t->input[0]->dtype); }
static bool switches_infer(hg_tensor *t) { return hg_pool_infer(t, HG_I64); }

static bool max_scatter_infer(hg_tensor *t)
{
    return max_pool_infer(t) && hg_pool_fits(t, 1) && hg_set_result(t, t->input[0]->dtype, t->input[0]->shape);
}

static bool max_gather_infer(hg_tensor *t)
{
    return max_pool_infer(t) && (hg_shape_equal(&t->input[0]->shape, &t->input[1]->shape) ||
                                 hg_infer_fail(t, HG_BAD_SHAPE, "the inputs must have the same shape"));
}

static hg_tensor *apply_at(const hg_op *op, hg_tensor *x, hg_tensor *of, const void *attr)
{
    return hg_apply(op, 2, (hg_tensor *[]){ x, of }, attr);
}

static void max_pool_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = apply_at(&hg_max_pool_scatter_op, t->input[0], g, t->attr);
}

/* The places of maxima stay where they are almost everywhere: no gradient by x. */
static void max_scatter_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[1])
        d[1] = apply_at(&hg_max_pool_gather_op, t->input[0], g, t->attr);
}

static void max_gather_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[1])
        d[1] = apply_at(&hg_max_pool_scatter_op, t->input[0], g, t->attr);
}

static int channel_parts(const hg_tensor *t, int threads)
{
    const int64_t channels = t->shape.dim[0];
    if (hg_elements(t) < HG_PARALLEL_FROM && threads > 1)
        return 1;
    return channels < 1 ? 1 : (int)hg_smaller(channels, 64);
}

static void channel_range(const hg_tensor *t, int part, int parts, int64_t *begin, int64_t *end)
{
    const int64_t channel = hg_elements_of_axes(t, 1, 4);
    *begin = hg_part_begin(t->shape.dim[0], part, parts) * channel;
    *end = hg_part_begin(t->shape.dim[0], part + 1, parts) * channel;
}

const hg_op hg_max_pool2d_op = { .name = "max_pool2d", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(hg_pool),
                                 .infer = max_pool_infer, .vjp = max_pool_vjp, .parts = hg_row_parts,
                                 .range = hg_row_range, HG_VARIANTS(max_pool2d) };

const hg_op hg_max_pool_switches_op = { .name = "max_pool_switches", .min_inputs = 1, .max_inputs = 1,
                                        .flags = HG_NO_VJP, .attr_size = sizeof(hg_pool), .infer = switches_infer,
                                        .parts = hg_row_parts, .range = hg_row_range,
                                        HG_VARIANTS(max_pool_switches) };

const hg_op hg_max_pool_scatter_op = { .name = "max_pool_scatter", .min_inputs = 2, .max_inputs = 2,
                                       .attr_size = sizeof(hg_pool), .infer = max_scatter_infer,
                                       .vjp = max_scatter_vjp, .parts = channel_parts, .range = channel_range,
                                       HG_VARIANTS(max_pool_scatter) };

const hg_op hg_max_pool_gather_op = { .name = "max_pool_gather", .min_inputs = 2, .max_inputs = 2,
                                      .attr_size = sizeof(hg_pool), .infer = max_gather_infer, .vjp = max_gather_vjp,
                                      .parts = hg_row_parts, .range = hg_row_range, HG_VARIANTS(max_pool_gather) };

hg_tensor *hg_max_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    return hg_pool_of(x, "max_pool2d", options, &w) ? hg_apply(&hg_max_pool2d_op, 1, &x, &w) : NULL;
}

hg_tensor *hg_max_pool2d_switches(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    return hg_pool_of(x, "max_pool2d_switches", options, &w) ? hg_apply(&hg_max_pool_switches_op, 1, &x, &w) : NULL;
}

#else
#include "kernel.h"

#include "pool.h"

static void max_of_place(const hg_pool *w, const hg_place *at, void *result, const void *const in[])
{
    real *y = (real *)result + at->index;
    (void)w;
    (void)in;
    memcpy(y, hg_input_at(at, at->rows.first, at->columns.first), (size_t)at->samples * sizeof *y);
    HG_EACH_OTHER_INPUT(at, row, column) {
        const real *x = hg_input_at(at, row, column);
        _Pragma("omp simd")
        for (int64_t b = 0; b < at->samples; b++)
            y[b] = x[b] > y[b] || x[b] != x[b] ? x[b] : y[b];
    }
}

static void max_pool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    hg_each_place(t, y, in, hg_window_at, max_of_place, part, parts);
}
const hg_kernels OP(max_pool2d) = { .run = max_pool2d };

/* ---- Where the maxima are -------------------------------------------------------------------------------- */

enum { BLOCK = 64 }; /* samples at a time */

/* Of equals the first; the first that is not a number wins. */
static void find(const hg_place *at, int64_t from, int n, integer where[BLOCK])
{
    real best[BLOCK];
    const real *first = hg_input_at(at, at->rows.first, at->columns.first) + from;
    for (int b = 0; b < n; b++) {
        best[b] = first[b];
        where[b] = (integer)(at->rows.first * at->x_columns + at->columns.first);
    }
    HG_EACH_OTHER_INPUT(at, row, column) {
        const real *x = hg_input_at(at, row, column) + from;
        const integer here = (integer)(row * at->x_columns + column);
        _Pragma("omp simd")
        for (int b = 0; b < n; b++) {
            const bool better = x[b] > best[b] || (x[b] != x[b] && best[b] == best[b]);
            best[b] = better ? x[b] : best[b];
            where[b] = better ? here : where[b];
        }
    }
}

static void switches_of_place(const hg_pool *w, const hg_place *at, void *result, const void *const in[])
{
    int64_t *y = (int64_t *)result + at->index;
    (void)w;
    (void)in;
    for (int64_t from = 0; from < at->samples; from += BLOCK) {
        integer where[BLOCK];
        const int n = (int)hg_smaller(BLOCK, at->samples - from);
        find(at, from, n, where);
        for (int b = 0; b < n; b++)
            y[from + b] = where[b];
    }
}

static void max_pool_switches(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    hg_each_place(t, y, in, hg_window_at, switches_of_place, part, parts);
}
const hg_kernels OP(max_pool_switches) = { .run = max_pool_switches };

static void gather_of_place(const hg_pool *w, const hg_place *at, void *result, const void *const in[])
{
    real *y = (real *)result + at->index;
    const real *c = (const real *)in[1] + (at->x - (const real *)in[0]);
    (void)w;
    for (int64_t from = 0; from < at->samples; from += BLOCK) {
        integer where[BLOCK];
        const int n = (int)hg_smaller(BLOCK, at->samples - from);
        find(at, from, n, where);
        for (int b = 0; b < n; b++)
            y[from + b] = c[where[b] * at->samples + from + b];
    }
}

static void max_pool_gather(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    hg_each_place(t, y, in, hg_window_at, gather_of_place, part, parts);
}
const hg_kernels OP(max_pool_gather) = { .run = max_pool_gather };

/* y: the result's channel, g: at this place. */
static void scatter_of_place(const hg_place *at, real *y, const real *g)
{
    for (int64_t from = 0; from < at->samples; from += BLOCK) {
        integer where[BLOCK];
        const int n = (int)hg_smaller(BLOCK, at->samples - from);
        find(at, from, n, where);
        for (int64_t row = at->rows.first; row < at->rows.last; row++)
            for (int64_t column = at->columns.first; column < at->columns.last; column++) {
                const integer here = (integer)(row * at->x_columns + column);
                real *to = y + here * at->samples + from;
                _Pragma("omp simd")
                for (int b = 0; b < n; b++)
                    to[b] += where[b] == here ? g[from + b] : 0;
            }
    }
}

static void scatter_of_channel(const hg_pool *w, int64_t samples, real *y, const real *x, const real *g)
{
    const int64_t row = w->size[1] * samples;
    hg_place at = { .x = x, .x_columns = w->size[1], .samples = samples };
    int64_t cleared = 0; /* rows of y: each just before its first window, while it is in the cache */
    for (int64_t p = 0; p < hg_pooled(w, 0); p++) {
        at.rows = hg_window_at(w, 0, p);
        memset(y + cleared * row, 0, (size_t)((at.rows.last - cleared) * row) * sizeof *y);
        cleared = at.rows.last;
        for (int64_t q = 0; q < hg_pooled(w, 1); q++, g += samples) {
            at.columns = hg_window_at(w, 1, q);
            scatter_of_place(&at, y, g);
        }
    }
    memset(y + cleared * row, 0, (size_t)((w->size[0] - cleared) * row) * sizeof *y);
}

static void max_pool_scatter(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const int64_t channels = t->shape.dim[0], size = hg_elements_of_axes(t, 1, 4);
    const int64_t pooled = hg_elements_of_axes(t->input[1], 1, 4);
    (void)scratch;
    for (int64_t c = hg_part_begin(channels, part, parts); c < hg_part_begin(channels, part + 1, parts); c++)
        scatter_of_channel(t->attr, t->shape.dim[3], (real *)y + c * size, (const real *)in[0] + c * size,
                           (const real *)in[1] + c * pooled);
}
const hg_kernels OP(max_pool_scatter) = { .run = max_pool_scatter };
#endif
