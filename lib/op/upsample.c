/* upsample2d, nearest or bilinear, and its adjoint: both linear, and each the other's vjp. */
#ifndef HG_KERNELS
#include "op.h"

#include <hourglass/conv.h>

#include "options.h"
#else
#include "kernel.h"

#include <hourglass/conv.h>
#endif

#include "resample.h"

/* Along the height, then along the width. */
typedef struct upsampling {
    int64_t by; /* hg_upsampling */
    int64_t from[2], to[2];
} upsampling;

/* Places of the smaller image that one of the larger comes from, and those of the larger that may come from one. */
enum { MOST_SOURCES = 2 };
static int64_t most_reached(const upsampling *u, int axis)
{
    return hg_smaller(3 * u->to[axis] / u->from[axis] + 6, u->to[axis]);
}

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

static size_t upsample_scratch(const hg_tensor *t, int parts)
{
    return hg_resample_share(t, MOST_SOURCES, MOST_SOURCES) * (size_t)parts;
}

static size_t adjoint_scratch(const hg_tensor *t, int parts)
{
    return hg_resample_share(t, most_reached(t->attr, 0), most_reached(t->attr, 1)) * (size_t)parts;
}

const hg_op hg_upsample2d_op = { .name = "upsample2d", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(upsampling),
                                 .infer = upsample_infer, .vjp = upsample_vjp, .parts = hg_row_parts,
                                 .ranges = hg_row_ranges, .scratch = upsample_scratch, HG_VARIANTS(upsample2d) };

const hg_op hg_upsample2d_adjoint_op = { .name = "upsample2d_adjoint", .min_inputs = 1, .max_inputs = 1,
                                         .attr_size = sizeof(upsampling), .infer = adjoint_infer, .vjp = adjoint_vjp,
                                         .parts = hg_row_parts, .ranges = hg_row_ranges,
                                         .scratch = adjoint_scratch, HG_VARIANTS(upsample2d_adjoint) };

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

/* A place of the result between two of the input; the second has weight 0 where the first is all there is. */
static hg_neighbours sources_of_place(const void *attr, int axis, int64_t p, real *weight)
{
    const upsampling *u = attr;
    const int64_t from = u->from[axis], to = u->to[axis];
    weight[0] = 1;
    if (u->by == HG_NEAREST)
        return (hg_neighbours){ p * from / to, 1 };
    double centre = ((double)p + 0.5) * (double)from / (double)to - 0.5;
    if (centre < 0)
        centre = 0;
    const int64_t at = (int64_t)centre < from - 1 ? (int64_t)centre : from - 1;
    const double share = at == from - 1 ? 0 : centre - (double)at;
    weight[0] = (real)(1 - share);
    weight[1] = (real)share;
    return (hg_neighbours){ at, share == 0 ? 1 : 2 };
}

static real weight_on(const upsampling *u, int axis, int64_t p, int64_t place)
{
    real weight[MOST_SOURCES];
    const hg_neighbours sources = sources_of_place(u, axis, p, weight);
    const int64_t i = place - sources.first;
    return i >= 0 && i < sources.count ? weight[i] : 0;
}

/* The places of the larger image that come from `place`; they are neighbours. */
static hg_neighbours places_of_source(const void *attr, int axis, int64_t place, real *weight)
{
    const upsampling *u = attr;
    const int64_t from = u->from[axis], to = u->to[axis];
    const int64_t early = (place - 1) * to / from - 1, late = hg_smaller((place + 2) * to / from + 2, to);
    hg_neighbours reached = { 0, 0 };
    for (int64_t p = early < 0 ? 0 : early; p < late; p++) {
        const real here = weight_on(u, axis, p, place);
        if (here == 0)
            continue;
        if (reached.count == 0)
            reached.first = p;
        weight[reached.count++] = here;
    }
    return reached;
}

static void upsample2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    hg_resample(t, y, in[0], scratch, MOST_SOURCES, MOST_SOURCES, sources_of_place, part, parts);
}
const hg_kernels OP(upsample2d) = { .run = upsample2d };

static void upsample2d_adjoint(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    hg_resample(t, y, in[0], scratch, most_reached(t->attr, 0), most_reached(t->attr, 1), places_of_source, part, parts);
}
const hg_kernels OP(upsample2d_adjoint) = { .run = upsample2d_adjoint };
#endif
