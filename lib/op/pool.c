/* Pools over windows of images. max_pool2d gives the largest element; where it lies tells max_pool_switches, by which
   gradients are gathered and scattered. avg_pool2d and avg_unpool2d are linear and each other's adjoint. */
#ifndef HG_KERNELS
#include "op.h"

#include <hourglass/conv.h>

#include "options.h"
#else
#include "kernel.h"
#endif

#include "rows.h"

/* Along the height, then along the width. size: of the larger side, which the windows slide over. */
typedef struct pool {
    int64_t window[2], stride[2], pad[2], size[2];
} pool;

static int64_t pooled(const pool *p, int axis)
{
    return (p->size[axis] + 2 * p->pad[axis] - p->window[axis]) / p->stride[axis] + 1;
}

#ifndef HG_KERNELS

/* ---- Shapes ------------------------------------------------------------------------------------------------ */

static bool pool_in_order(hg_tensor *t, const pool *p)
{
    static const char *const axis_name[] = { "height", "width" };
    const int64_t most = INT32_MAX;
    for (int i = 0; i < 2; i++) {
        const long long window = p->window[i], stride = p->stride[i], pad = p->pad[i], size = p->size[i];
        if (window < 1 || window > most || stride < 1 || stride > most || pad < 0)
            return hg_infer_fail(t, HG_BAD_ARGUMENT, "a window of %s %lld, stride %lld, padding %lld: window and stride must be "
                                 "1 or more, padding 0 or more, all below 2^31", axis_name[i], window, stride, pad);
        if (pad >= window)
            return hg_infer_fail(t, HG_BAD_ARGUMENT, "padding %lld along the %s: a window of %lld would see nothing but "
                                 "padding; %lld or less would fit", pad, axis_name[i], window, window - 1);
        if (size < 0 || size > most || window > size + 2 * pad)
            return hg_infer_fail(t, HG_BAD_SHAPE, "a window of %s %lld does not fit in the padded input, %lld: padding %lld or "
                                 "more, or a window of %lld or less would", axis_name[i], window, size + 2 * pad,
                                 (window - size + 1) / 2, size + 2 * pad);
    }
    if (p->size[0] * p->size[1] > most)
        return hg_infer_fail(t, HG_BAD_SHAPE, "images of 2^31 places or more");
    return true;
}

static bool is_image(hg_tensor *t)
{
    const hg_shape *x = &t->input[0]->shape;
    if (t->input[0]->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    if (x->rank != 4 || x->dim[0] < 0 || x->dim[1] < 0 || x->dim[2] < 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "images are channels x height x width x samples, and only the samples can be "
                             "HG_BATCH");
    return true;
}

static bool smaller_side(hg_tensor *t, hg_dtype dtype)
{
    const pool *p = t->attr;
    if (!is_image(t) || !pool_in_order(t, p))
        return false;
    const int64_t *dim = t->input[0]->shape.dim;
    return hg_set_result(t, dtype, HG_SHAPE(dim[0], pooled(p, 0), pooled(p, 1), dim[3]));
}

static bool pool_infer(hg_tensor *t) { return smaller_side(t, t->input[0]->dtype); }
static bool switches_infer(hg_tensor *t) { return smaller_side(t, HG_I64); }

static bool unpool_infer(hg_tensor *t)
{
    const pool *p = t->attr;
    if (!is_image(t) || !pool_in_order(t, p))
        return false;
    const int64_t *dim = t->input[0]->shape.dim;
    if (dim[1] != pooled(p, 0) || dim[2] != pooled(p, 1))
        return hg_infer_fail(t, HG_BAD_SHAPE, "windows over %lldx%lld are %lldx%lld", (long long)p->size[0],
                             (long long)p->size[1], (long long)pooled(p, 0), (long long)pooled(p, 1));
    return hg_set_result(t, t->input[0]->dtype, HG_SHAPE(dim[0], p->size[0], p->size[1], dim[3]));
}

/* ---- Ops --------------------------------------------------------------------------------------------------- */

static hg_tensor *switches_of(hg_tensor *x, const pool *p) { return hg_apply(&hg_max_pool_switches_op, 1, &x, p); }

static void max_pool_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const pool *p = t->attr;
    if (wanted[0])
        d[0] = hg_max_unpool2d(g, switches_of(t->input[0], p), p->size[0], p->size[1]);
}

static void avg_pool_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_apply(&hg_avg_unpool2d_op, 1, &g, t->attr);
}

static void avg_unpool_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_apply(&hg_avg_pool2d_op, 1, &g, t->attr);
}

#define POOL .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(pool), .parts = hg_row_parts, .range = hg_row_range

const hg_op hg_max_pool2d_op = { .name = "max_pool2d", POOL, .infer = pool_infer, .vjp = max_pool_vjp,
                                 HG_VARIANTS(max_pool2d) };
const hg_op hg_max_pool_switches_op = { .name = "max_pool_switches", POOL, .flags = HG_NO_VJP, .infer = switches_infer,
                                        HG_VARIANTS(max_pool_switches) };
const hg_op hg_avg_pool2d_op = { .name = "avg_pool2d", POOL, .infer = pool_infer, .vjp = avg_pool_vjp,
                                 HG_VARIANTS(avg_pool2d) };
const hg_op hg_avg_unpool2d_op = { .name = "avg_unpool2d", POOL, .infer = unpool_infer, .vjp = avg_unpool_vjp,
                                   HG_VARIANTS(avg_unpool2d) };

/* ---- Builders ---------------------------------------------------------------------------------------------- */

static hg_tensor *apply_pool(const hg_op *op, hg_tensor *x, const hg_pool_options *o)
{
    pool p = { .size = { 0 } };
    if (x == NULL || !hg_option_pair(x->graph, op->name, "size", o->size, o->size_hw, 0, p.window) ||
        !hg_option_pair(x->graph, op->name, "stride", o->stride, o->stride_hw, 0, p.stride) ||
        !hg_option_pair(x->graph, op->name, "pad", o->pad, o->pad_hw, 0, p.pad))
        return NULL;
    for (int i = 0; i < 2; i++) {
        p.stride[i] = p.stride[i] == 0 ? p.window[i] : p.stride[i];
        p.size[i] = x->shape.dim[i + 1];
    }
    return hg_apply(op, 1, &x, &p);
}

hg_tensor *hg_max_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool(&hg_max_pool2d_op, x, options);
}

hg_tensor *hg_max_pool2d_switches(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool(&hg_max_pool_switches_op, x, options);
}

hg_tensor *hg_avg_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool(&hg_avg_pool2d_op, x, options);
}

/* As scatter sees it: the places of an image in one axis. */
static hg_tensor *flattened(hg_tensor *x)
{
    if (x == NULL)
        return NULL;
    const int64_t *dim = x->shape.dim;
    return hg_reshape(x, HG_SHAPE(dim[0], dim[1] * dim[2], dim[3]));
}

hg_tensor *hg_max_unpool2d(hg_tensor *y, hg_tensor *switches, int64_t height, int64_t width)
{
    if (y == NULL || switches == NULL)
        return NULL;
    int64_t places;
    if (y->shape.rank != 4 || switches->shape.rank != 4 || height < 1 || width < 1 ||
        __builtin_mul_overflow(height, width, &places)) {
        char of_y[HG_SHAPE_TEXT], of_switches[HG_SHAPE_TEXT];
        return hg_graph_fail(y->graph, HG_BAD_SHAPE, "max_unpool2d to %lldx%lld of %s by switches of %s: both are channels x "
                             "height x width x samples, and the result is at least 1x1", (long long)height,
                             (long long)width, hg_shape_print(&y->shape, of_y),
                             hg_shape_print(&switches->shape, of_switches));
    }
    return hg_reshape(hg_scatter(flattened(y), flattened(switches), 1, places),
                      HG_SHAPE(y->shape.dim[0], height, width, y->shape.dim[3]));
}

static hg_tensor *apply_pool_1d(hg_tensor *build(hg_tensor *, const hg_pool_options *), const char *op, hg_tensor *x,
                                const hg_pool_options *o)
{
    if (x == NULL || !hg_option_absent(x->graph, op, "size", 0, o->size_hw) ||
        !hg_option_absent(x->graph, op, "stride", 0, o->stride_hw) || !hg_option_absent(x->graph, op, "pad", 0, o->pad_hw))
        return NULL;
    const hg_pool_options of_image = { .size_hw = { o->size, 1 }, .stride_hw = { o->stride == 0 ? o->size : o->stride, 1 },
                                       .pad_hw = { o->pad, 0 } };
    return hg_image_to_signal(build(hg_signal_to_image(x, op), &of_image));
}

hg_tensor *hg_max_pool1d(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool_1d(hg_max_pool2d, "max_pool1d", x, options);
}

hg_tensor *hg_max_pool1d_switches(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool_1d(hg_max_pool2d_switches, "max_pool1d_switches", x, options);
}

hg_tensor *hg_avg_pool1d(hg_tensor *x, const hg_pool_options *options)
{
    return apply_pool_1d(hg_avg_pool2d, "avg_pool1d", x, options);
}

hg_tensor *hg_max_unpool1d(hg_tensor *y, hg_tensor *switches, int64_t length)
{
    return hg_image_to_signal(hg_max_unpool2d(hg_signal_to_image(y, "max_unpool1d"),
                                              hg_signal_to_image(switches, "max_unpool1d"), length, 1));
}

/* The same axes again, each of length 1. */
static hg_tensor *as_one_place(hg_tensor *x, const hg_tensor *y)
{
    if (y == NULL)
        return NULL;
    return hg_reshape(x, HG_SHAPE(y->shape.dim[0], 1, 1, y->shape.dim[3]));
}

static bool refuse_but_images(hg_tensor *x, const char *op)
{
    char text[HG_SHAPE_TEXT];
    if (x == NULL || x->shape.rank == 4)
        return x == NULL;
    hg_graph_fail(x->graph, HG_BAD_SHAPE, "%s of %s: images are channels x height x width x samples", op,
                  hg_shape_print(&x->shape, text));
    return true;
}

hg_tensor *hg_global_max_pool2d(hg_tensor *x)
{
    if (refuse_but_images(x, "global_max_pool2d"))
        return NULL;
    return as_one_place(hg_max(x, HG_AXIS(1) | HG_AXIS(2)), x);
}

hg_tensor *hg_global_avg_pool2d(hg_tensor *x)
{
    if (refuse_but_images(x, "global_avg_pool2d"))
        return NULL;
    return as_one_place(hg_mean(x, HG_AXIS(1) | HG_AXIS(2)), x);
}

#else

/* ---- Windows ----------------------------------------------------------------------------------------------- */

typedef struct span {
    int64_t first, last; /* last: one more */
} span;

static span span_of(int64_t first, int64_t last, int64_t size)
{
    return (span){ first < 0 ? 0 : first, last > size ? size : last };
}

/* Places of the larger side in the window at p. */
static span window_at(const pool *w, int axis, int64_t p)
{
    const int64_t first = p * w->stride[axis] - w->pad[axis];
    return span_of(first, first + w->window[axis], w->size[axis]);
}

/* Windows that place h of the larger side is in. */
static span windows_with(const pool *w, int axis, int64_t h)
{
    const int64_t at = h + w->pad[axis], before = at - w->window[axis]; /* the last that begins too early starts there */
    return span_of(before < 0 ? 0 : before / w->stride[axis] + 1, at / w->stride[axis] + 1, pooled(w, axis));
}

static int64_t length(span s) { return s.last - s.first; }

/* ---- Kernels: a function for each place of the result, all of its samples at once --------------------------- */

typedef struct place {
    span        rows, columns; /* of the input, that meet in this place */
    const real *x;             /* the input's channel */
    int64_t     x_columns, samples;
} place;

static const real *input_at(const place *at, int64_t row, int64_t column)
{
    return at->x + (row * at->x_columns + column) * at->samples;
}

typedef span spans_fn(const pool *w, int axis, int64_t p);
typedef void place_fn(const pool *w, const place *at, void *y);

static void each_place(const hg_tensor *t, void *y, const void *x, spans_fn *spans, place_fn *of_place, int part, int parts)
{
    const pool *w = t->attr;
    const int64_t *dim = t->shape.dim, *x_dim = t->input[0]->shape.dim;
    const size_t size = hg_dtype_size(t->dtype);
    place at = { .x_columns = x_dim[2], .samples = dim[3] };
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++) {
        at.x = (const real *)x + i / dim[1] * x_dim[1] * x_dim[2] * x_dim[3];
        at.rows = spans(w, 0, i % dim[1]);
        for (int64_t column = 0; column < dim[2]; column++) {
            at.columns = spans(w, 1, column);
            of_place(w, &at, (char *)y + size * (size_t)((i * dim[2] + column) * dim[3]));
        }
    }
}

/* For all of a place's inputs but the first. */
#define EACH_OTHER_INPUT(at, row, column)                                                                           \
    for (int64_t row = (at)->rows.first; row < (at)->rows.last; row++)                                              \
        for (int64_t column = (at)->columns.first + (row == (at)->rows.first); column < (at)->columns.last; column++)

static void max_of_place(const pool *w, const place *at, void *result)
{
    real *y = result;
    (void)w;
    memcpy(y, input_at(at, at->rows.first, at->columns.first), (size_t)at->samples * sizeof *y);
    EACH_OTHER_INPUT(at, row, column) {
        const real *x = input_at(at, row, column);
        _Pragma("omp simd")
        for (int64_t b = 0; b < at->samples; b++)
            y[b] = x[b] > y[b] || x[b] != x[b] ? x[b] : y[b];
    }
}

static void max_pool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_place(t, y, in[0], window_at, max_of_place, part, parts);
}
const hg_kernels OP(max_pool2d) = { .run = max_pool2d };

/* Of equals the first; the first that is no number wins. */
static void switches_of_samples(const place *at, int64_t from, int n, int64_t *y)
{
    enum { BLOCK = 64 };
    real best[BLOCK];
    integer where[BLOCK];
    const real *first = input_at(at, at->rows.first, at->columns.first) + from;
    for (int b = 0; b < n; b++) {
        best[b] = first[b];
        where[b] = (integer)(at->rows.first * at->x_columns + at->columns.first);
    }
    EACH_OTHER_INPUT(at, row, column) {
        const real *x = input_at(at, row, column) + from;
        const integer here = (integer)(row * at->x_columns + column);
        _Pragma("omp simd")
        for (int b = 0; b < n; b++) {
            const bool better = x[b] > best[b] || (x[b] != x[b] && best[b] == best[b]);
            best[b] = better ? x[b] : best[b];
            where[b] = better ? here : where[b];
        }
    }
    for (int b = 0; b < n; b++)
        y[b] = where[b];
}

static void switches_of_place(const pool *w, const place *at, void *result)
{
    enum { BLOCK = 64 };
    int64_t *y = result;
    (void)w;
    for (int64_t from = 0; from < at->samples; from += BLOCK)
        switches_of_samples(at, from, (int)hg_smaller(BLOCK, at->samples - from), y + from);
}

static void max_pool_switches(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_place(t, y, in[0], window_at, switches_of_place, part, parts);
}
const hg_kernels OP(max_pool_switches) = { .run = max_pool_switches };

static void mean_of_place(const pool *w, const place *at, void *result)
{
    const real share = 1 / (real)(length(at->rows) * length(at->columns));
    real *y = result;
    (void)w;
    memcpy(y, input_at(at, at->rows.first, at->columns.first), (size_t)at->samples * sizeof *y);
    EACH_OTHER_INPUT(at, row, column) {
        const real *x = input_at(at, row, column);
        _Pragma("omp simd")
        for (int64_t b = 0; b < at->samples; b++)
            y[b] += x[b];
    }
    _Pragma("omp simd")
    for (int64_t b = 0; b < at->samples; b++)
        y[b] *= share;
}

static void avg_pool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_place(t, y, in[0], window_at, mean_of_place, part, parts);
}
const hg_kernels OP(avg_pool2d) = { .run = avg_pool2d };

/* Of every window that a place is in, its share of the window's mean. */
static void shares_of_place(const pool *w, const place *at, void *result)
{
    real *y = result;
    memset(y, 0, (size_t)at->samples * sizeof *y);
    for (int64_t row = at->rows.first; row < at->rows.last; row++)
        for (int64_t column = at->columns.first; column < at->columns.last; column++) {
            const real *x = input_at(at, row, column);
            const real share = 1 / (real)(length(window_at(w, 0, row)) * length(window_at(w, 1, column)));
            _Pragma("omp simd")
            for (int64_t b = 0; b < at->samples; b++)
                y[b] += share * x[b];
        }
}

static void avg_unpool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_place(t, y, in[0], windows_with, shares_of_place, part, parts);
}
const hg_kernels OP(avg_unpool2d) = { .run = avg_unpool2d };
#endif
