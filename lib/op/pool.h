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

/* The same for the place after the one that *at belongs to, { 0, 0 } before the first; without a division. */
static inline void hg_windows_on(const hg_pool *w, int axis, int64_t h, int64_t pooled, hg_places *at)
{
    const int64_t end = h + w->pad[axis];
    while (at->last < pooled && at->last * w->stride[axis] <= end)
        at->last++;
    while (at->first < at->last && at->first * w->stride[axis] + w->window[axis] <= end)
        at->first++;
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

#endif
#endif
