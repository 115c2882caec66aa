/* avg_pool2d and avg_unpool2d: linear, and each the other's adjoint. */
#ifndef HG_KERNELS
#include "op.h"

#include "pool.h"

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

const hg_op hg_avg_pool2d_op = { .name = "avg_pool2d", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(hg_pool),
                                 .infer = avg_pool_infer, .vjp = avg_pool_vjp, .parts = hg_row_parts,
                                 .range = hg_row_range, HG_VARIANTS(avg_pool2d) };

const hg_op hg_avg_unpool2d_op = { .name = "avg_unpool2d", .min_inputs = 1, .max_inputs = 1,
                                   .attr_size = sizeof(hg_pool), .infer = hg_unpool_infer, .vjp = avg_unpool_vjp,
                                   .parts = hg_row_parts, .range = hg_row_range, HG_VARIANTS(avg_unpool2d) };

hg_tensor *hg_avg_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    return hg_pool_of(x, "avg_pool2d", options, &w) ? hg_apply(&hg_avg_pool2d_op, 1, &x, &w) : NULL;
}

#else
#include "kernel.h"

#include "pool.h"

static real share_of(hg_places rows, hg_places columns)
{
    return 1 / (real)((rows.last - rows.first) * (columns.last - columns.first));
}

static void mean_of_place(const hg_pool *w, const hg_place *at, void *result, const void *const in[])
{
    const real share = share_of(at->rows, at->columns);
    real *y = (real *)result + at->index;
    (void)w;
    (void)in;
    memcpy(y, hg_input_at(at, at->rows.first, at->columns.first), (size_t)at->samples * sizeof *y);
    HG_EACH_OTHER_INPUT(at, row, column) {
        const real *x = hg_input_at(at, row, column);
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
    hg_each_place(t, y, in, hg_window_at, mean_of_place, part, parts);
}
const hg_kernels OP(avg_pool2d) = { .run = avg_pool2d };

/* Of every window that a place is in, its share of the window's mean. */
static void shares_of_place(const hg_pool *w, const hg_place *at, void *result, const void *const in[])
{
    real *y = (real *)result + at->index;
    (void)in;
    memset(y, 0, (size_t)at->samples * sizeof *y);
    for (int64_t row = at->rows.first; row < at->rows.last; row++)
        for (int64_t column = at->columns.first; column < at->columns.last; column++) {
            const real *x = hg_input_at(at, row, column);
            const real share = share_of(hg_window_at(w, 0, row), hg_window_at(w, 1, column));
            _Pragma("omp simd")
            for (int64_t b = 0; b < at->samples; b++)
                y[b] += share * x[b];
        }
}

static void avg_unpool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    hg_each_place(t, y, in, hg_windows_with, shares_of_place, part, parts);
}
const hg_kernels OP(avg_unpool2d) = { .run = avg_unpool2d };
#endif
