/* What the pools share: windows that slide over the larger of two images. */
#ifndef HG_OP_POOL_H
#define HG_OP_POOL_H

#include "rows.h"

/* The attribute of all pools. Along the height, then along the width; size: of the larger image. */
typedef struct hg_pool {
    int64_t window[2], stride[2], pad[2], size[2];
} hg_pool;

/* Places [first, last) along an axis. */
typedef struct hg_places {
    int64_t first, last;
} hg_places;

static inline int64_t hg_pooled(const hg_pool *w, int axis)
{
    return (w->size[axis] + 2 * w->pad[axis] - w->window[axis]) / w->stride[axis] + 1;
}

static inline hg_places hg_places_within(int64_t first, int64_t last, int64_t size)
{
    return (hg_places){ first < 0 ? 0 : first, last > size ? size : last };
}

/* Places of the larger image in the window at p. */
static inline hg_places hg_window_at(const hg_pool *w, int axis, int64_t p)
{
    const int64_t first = p * w->stride[axis] - w->pad[axis];
    return hg_places_within(first, first + w->window[axis], w->size[axis]);
}

/* Windows that place h of the larger image is in. */
static inline hg_places hg_windows_with(const hg_pool *w, int axis, int64_t h)
{
    const int64_t end = h + w->pad[axis], before = end - w->window[axis]; /* a window that begins there ends before h */
    return hg_places_within(before < 0 ? 0 : before / w->stride[axis] + 1, end / w->stride[axis] + 1,
                            hg_pooled(w, axis));
}

#ifndef HG_KERNELS

#include <hourglass/conv.h>

/* The input as the larger image, the result as the smaller; and the other way round. */
bool hg_pool_infer(hg_tensor *t, hg_dtype dtype);
bool hg_unpool_infer(hg_tensor *t);
/* Whether input `index` is real and of the size that the windows give. */
bool hg_pool_fits(hg_tensor *t, int index);
/* The attribute that the options say for x; false if they are refused. */
bool hg_pool_of(hg_tensor *x, const char *op, const hg_pool_options *options, hg_pool *w);

#else

/* ---- Kernels: a function for each place of the result, all of its samples at once ------------------------- */

typedef struct hg_place {
    hg_places   rows, columns; /* of the input, that meet in this place */
    const real *x;             /* the input's channel */
    int64_t     x_columns, samples;
    int64_t     index;         /* of this place's first sample in the result */
} hg_place;

static inline const real *hg_input_at(const hg_place *at, int64_t row, int64_t column)
{
    return at->x + (row * at->x_columns + column) * at->samples;
}

typedef hg_places hg_places_fn(const hg_pool *w, int axis, int64_t p);
typedef void      hg_place_fn(const hg_pool *w, const hg_place *at, void *y, const void *const in[]);

/* Calls of_place for every place in a part's rows; `places` tells which of the input's meet there. */
static inline void hg_each_place(const hg_tensor *t, void *y, const void *const in[], hg_places_fn *places,
                                 hg_place_fn *of_place, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->shape.dim, *x_dim = t->input[0]->shape.dim;
    hg_place at = { .x_columns = x_dim[2], .samples = dim[3] };
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++) {
        at.x = (const real *)in[0] + i / dim[1] * x_dim[1] * x_dim[2] * x_dim[3];
        at.rows = places(w, 0, i % dim[1]);
        for (int64_t column = 0; column < dim[2]; column++) {
            at.columns = places(w, 1, column);
            at.index = (i * dim[2] + column) * dim[3];
            of_place(w, &at, y, in);
        }
    }
}

/* For all of a place's inputs but the first. */
#define HG_EACH_OTHER_INPUT(at, row, column)                                                                        \
    for (int64_t row = (at)->rows.first; row < (at)->rows.last; row++)                                              \
        for (int64_t column = (at)->columns.first + (row == (at)->rows.first); column < (at)->columns.last; column++)

#endif
#endif
