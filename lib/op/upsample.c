/* upsample2d, nearest or bilinear, and its adjoint: both linear, and each the other's vjp. */
#ifndef HG_KERNELS
#include "op.h"

#include <hourglass/conv.h>

#include "options.h"
#else
#include "kernel.h"

#include <hourglass/conv.h>
#endif

#include "rows.h"

/* Along the height, then along the width. */
typedef struct upsampling {
    int64_t by; /* hg_upsampling */
    int64_t from[2], to[2];
} upsampling;

#ifndef HG_KERNELS

static bool sizes_in_order(hg_tensor *t, const upsampling *u)
{
    const int64_t most = INT32_MAX;
    for (int i = 0; i < 2; i++)
        if (u->from[i] < 1 || u->from[i] > most || u->to[i] < 1 || u->to[i] > most)
            return hg_infer_fail(t, HG_BAD_SHAPE, "from %lldx%lld to %lldx%lld: all must be 1 or more, below 2^31",
                                 (long long)u->from[0], (long long)u->from[1], (long long)u->to[0], (long long)u->to[1]);
    return u->by == HG_NEAREST || u->by == HG_BILINEAR ||
           hg_infer_fail(t, HG_BAD_ARGUMENT, "by %lld: upsampling is HG_NEAREST or HG_BILINEAR", (long long)u->by);
}

static bool resized(hg_tensor *t, const int64_t from[2], const int64_t to[2])
{
    const hg_shape *x = &t->input[0]->shape;
    if (t->input[0]->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    if (x->rank != 4 || x->dim[0] < 0 || x->dim[1] != from[0] || x->dim[2] != from[1])
        return hg_infer_fail(t, HG_BAD_SHAPE, "images are channels x height x width x samples, and only the samples can be "
                             "HG_BATCH");
    if (!sizes_in_order(t, t->attr))
        return false;
    return hg_set_result(t, t->input[0]->dtype, HG_SHAPE(x->dim[0], to[0], to[1], x->dim[3]));
}

static bool upsample_infer(hg_tensor *t)
{
    const upsampling *u = t->attr;
    return resized(t, u->from, u->to);
}

static bool adjoint_infer(hg_tensor *t)
{
    const upsampling *u = t->attr;
    return resized(t, u->to, u->from);
}

static void upsample_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_apply(&hg_upsample2d_adjoint_op, 1, &g, t->attr);
}

static void adjoint_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_apply(&hg_upsample2d_op, 1, &g, t->attr);
}

const hg_op hg_upsample2d_op = { .name = "upsample2d", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(upsampling),
                                 .infer = upsample_infer, .vjp = upsample_vjp, .parts = hg_row_parts,
                                 .range = hg_row_range, HG_VARIANTS(upsample2d) };

const hg_op hg_upsample2d_adjoint_op = { .name = "upsample2d_adjoint", .min_inputs = 1, .max_inputs = 1,
                                         .attr_size = sizeof(upsampling), .infer = adjoint_infer, .vjp = adjoint_vjp,
                                         .parts = hg_row_parts, .range = hg_row_range,
                                         HG_VARIANTS(upsample2d_adjoint) };

hg_tensor *hg_upsample2d(hg_tensor *x, const hg_upsample_options *options)
{
    static const hg_upsample_options defaults;
    const hg_upsample_options *o = options == NULL ? &defaults : options;
    upsampling u = { .by = o->by };
    int64_t factor[2];
    if (x == NULL || !hg_option_pair(x->graph, "upsample2d", "size", o->size, o->size_hw, 0, u.to) ||
        !hg_option_pair(x->graph, "upsample2d", "factor", o->factor, o->factor_hw, 0, factor))
        return NULL;
    for (int i = 0; i < 2; i++) {
        u.from[i] = x->shape.dim[i + 1];
        if ((factor[i] == 0) == (u.to[i] == 0))
            return hg_graph_fail(x->graph, HG_BAD_ARGUMENT, "upsample2d: either `factor` or `size` must be given, for both "
                                 "axes");
        if (factor[i] != 0 && __builtin_mul_overflow(u.from[i], factor[i], &u.to[i]))
            u.to[i] = INT64_MAX; /* refused */
    }
    return hg_apply(&hg_upsample2d_op, 1, &x, &u);
}

hg_tensor *hg_upsample1d(hg_tensor *x, const hg_upsample_options *options)
{
    static const hg_upsample_options defaults;
    const hg_upsample_options *o = options == NULL ? &defaults : options;
    if (x == NULL || !hg_option_absent(x->graph, "upsample1d", "size", 0, o->size_hw) ||
        !hg_option_absent(x->graph, "upsample1d", "factor", 0, o->factor_hw))
        return NULL;
    hg_upsample_options of_image = { .by = o->by };
    if (o->factor != 0) {
        of_image.factor_hw[0] = o->factor;
        of_image.factor_hw[1] = 1;
    }
    if (o->size != 0) {
        of_image.size_hw[0] = o->size;
        of_image.size_hw[1] = 1;
    }
    return hg_image_to_signal(hg_upsample2d(hg_signal_to_image(x, "upsample1d"), &of_image));
}

#else

/* ---- Where a place of the larger image comes from ---------------------------------------------------------- */

typedef struct source {
    int64_t at[2];
    real    weight[2]; /* the second is 0 where the first place is all there is */
} source;

static source source_of(const upsampling *u, int axis, int64_t p)
{
    const int64_t from = u->from[axis], to = u->to[axis];
    if (u->by == HG_NEAREST)
        return (source){ { p * from / to, 0 }, { 1, 0 } };
    double centre = ((double)p + 0.5) * (double)from / (double)to - 0.5;
    if (centre < 0)
        centre = 0;
    const int64_t at = (int64_t)centre < from - 1 ? (int64_t)centre : from - 1;
    const double share = at == from - 1 ? 0 : centre - (double)at;
    return (source){ { at, at + 1 }, { (real)(1 - share), (real)share } };
}

static real weight_on(const source *s, int64_t place)
{
    return (s->at[0] == place ? s->weight[0] : 0) + (s->at[1] == place ? s->weight[1] : 0);
}

/* Places of the larger image that may come from `place`: [*first, *last). */
static void reach(const upsampling *u, int axis, int64_t place, int64_t *first, int64_t *last)
{
    const int64_t from = u->from[axis], to = u->to[axis];
    const int64_t early = (place - 1) * to / from - 1, late = (place + 2) * to / from + 2;
    *first = early < 0 ? 0 : early;
    *last = late > to ? to : late;
}

/* ---- Kernels ----------------------------------------------------------------------------------------------- */

static void add_scaled(real *y, real factor, const real *x, int64_t n)
{
    _Pragma("omp simd")
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void upsample_row(const upsampling *u, int64_t row, int64_t samples, real *y, const real *x)
{
    const source rows = source_of(u, 0, row);
    for (int64_t column = 0; column < u->to[1]; column++, y += samples) {
        const source columns = source_of(u, 1, column);
        memset(y, 0, (size_t)samples * sizeof *y);
        for (int i = 0; i < 2 && rows.weight[i] != 0; i++)
            for (int j = 0; j < 2 && columns.weight[j] != 0; j++)
                add_scaled(y, rows.weight[i] * columns.weight[j],
                           x + (rows.at[i] * u->from[1] + columns.at[j]) * samples, samples);
    }
}

static void adjoint_row(const upsampling *u, int64_t row, int64_t samples, real *y, const real *x)
{
    int64_t first_row, last_row;
    memset(y, 0, (size_t)(u->from[1] * samples) * sizeof *y);
    reach(u, 0, row, &first_row, &last_row);
    for (int64_t p = first_row; p < last_row; p++) {
        const source rows = source_of(u, 0, p);
        const real of_row = weight_on(&rows, row);
        for (int64_t q = 0; q < u->to[1] && of_row != 0; q++) {
            const source columns = source_of(u, 1, q);
            for (int j = 0; j < 2 && columns.weight[j] != 0; j++)
                add_scaled(y + columns.at[j] * samples, of_row * columns.weight[j], x + (p * u->to[1] + q) * samples,
                           samples);
        }
    }
}

typedef void row_fn(const upsampling *u, int64_t row, int64_t samples, real *y, const real *x);

static void each_row(const hg_tensor *t, real *y, const real *x, row_fn *of_row, int part, int parts)
{
    const int64_t rows = t->shape.dim[1], channel = hg_elements_of_axes(t->input[0], 1, 4);
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++)
        of_row(t->attr, i % rows, t->shape.dim[3], y + i * hg_row_elements(t), x + i / rows * channel);
}

static void upsample2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_row(t, y, in[0], upsample_row, part, parts);
}
const hg_kernels OP(upsample2d) = { .run = upsample2d };

static void upsample2d_adjoint(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_row(t, y, in[0], adjoint_row, part, parts);
}
const hg_kernels OP(upsample2d_adjoint) = { .run = upsample2d_adjoint };
#endif
