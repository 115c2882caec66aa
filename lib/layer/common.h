/* What the files of lib/layer share. */
#ifndef HG_LAYER_COMMON_H
#define HG_LAYER_COMMON_H

#include <hourglass/layer.h>

#include <math.h>

/* An option along an axis, given for both axes or as a pair; `normal` where it is 0. */
static inline int64_t hg_along(int64_t both, const int64_t pair[2], int axis, int64_t normal)
{
    int64_t value = pair[0] != 0 || pair[1] != 0 ? pair[axis] : both;
    return value != 0 ? value : normal;
}

/* Whether x holds images (4 axes) or signals (3); otherwise refused, as is x where it is NULL. */
bool hg_layer_takes(const hg_tensor *x, int axes, const hg_layer_context *context);

/* As in hg_layer_kind.window: each place sees its own, or all. */
hg_window hg_window_of_one(const void *spec, int axis, int64_t input, int64_t output);
hg_window hg_window_of_all(const void *spec, int axis, int64_t input, int64_t output);

#endif
