/* avg_pool2d and avg_unpool2d: linear, and each the other's adjoint. */
#ifndef HG_KERNELS
#include "op.h"
#else
#include "kernel.h"
#endif

#include "pool.h"
#include "resample.h"

/* In a window, and around a place. */
static int64_t most_places(const hg_pool *w, int axis) { return hg_smaller(w->window[axis], w->size[axis]); }
static int64_t most_windows(const hg_pool *w, int axis)
{
    return hg_smaller((w->window[axis] - 1) / w->stride[axis] + 1, hg_pooled(w, axis));
}

#ifndef HG_KERNELS

static bool avg_pool_infer(hg_tensor *t) { return hg_pool_infer(t, t->input[0]->dtype); }

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

static size_t pool_scratch(const hg_tensor *t, int parts)
{
    return hg_resample_share(t, most_places(t->attr, 0), most_places(t->attr, 1)) * (size_t)parts;
}

static size_t unpool_scratch(const hg_tensor *t, int parts)
{
    return hg_resample_share(t, most_windows(t->attr, 0), most_windows(t->attr, 1)) * (size_t)parts;
}

const hg_op hg_avg_pool2d_op = { .name = "avg_pool2d", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(hg_pool),
                                 .infer = avg_pool_infer, .vjp = avg_pool_vjp, .parts = hg_row_parts,
                                 .ranges = hg_row_ranges, .scratch = pool_scratch, HG_VARIANTS(avg_pool2d) };

const hg_op hg_avg_unpool2d_op = { .name = "avg_unpool2d", .min_inputs = 1, .max_inputs = 1,
                                   .attr_size = sizeof(hg_pool), .infer = hg_unpool_infer, .vjp = avg_unpool_vjp,
                                   .parts = hg_row_parts, .ranges = hg_row_ranges, .scratch = unpool_scratch,
                                   HG_VARIANTS(avg_unpool2d) };

hg_tensor *hg_avg_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    return hg_pool_of(x, "avg_pool2d", options, &w) ? hg_apply(&hg_avg_pool2d_op, 1, &x, &w) : NULL;
}

#else

/* Of a window, the mean of its places. */
static hg_neighbours places_of_window(const void *attr, int axis, int64_t p, real *weight)
{
    const hg_places in = hg_window_at(attr, axis, p);
    for (int64_t i = 0; i < in.last - in.first; i++)
        weight[i] = 1 / (real)(in.last - in.first);
    return (hg_neighbours){ in.first, in.last - in.first };
}

/* Of every window that a place is in, its share of the window's mean. */
static hg_neighbours windows_of_place(const void *attr, int axis, int64_t place, real *weight)
{
    const hg_places around = hg_windows_with(attr, axis, place);
    if (around.first >= around.last)
        return (hg_neighbours){ 0, 0 };
    for (int64_t p = around.first; p < around.last; p++) {
        const hg_places in = hg_window_at(attr, axis, p);
        weight[p - around.first] = 1 / (real)(in.last - in.first);
    }
    return (hg_neighbours){ around.first, around.last - around.first };
}

static void avg_pool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    hg_resample(t, y, in[0], scratch, most_places(t->attr, 0), most_places(t->attr, 1), places_of_window, part, parts);
}
const hg_kernels OP(avg_pool2d) = { .run = avg_pool2d };

static void avg_unpool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    hg_resample(t, y, in[0], scratch, most_windows(t->attr, 0), most_windows(t->attr, 1), windows_of_place, part, parts);
}
const hg_kernels OP(avg_unpool2d) = { .run = avg_unpool2d };
#endif
