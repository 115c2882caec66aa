/* The gain layer: a factor for each feature. */
#include "common.h"

static hg_tensor *apply(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    (void)context;
    if (x == NULL)
        return NULL;
    hg_shape shape = *hg_tensor_shape(x);
    shape.rank--;
    hg_tensor *gain = hg_parameter(hg_tensor_graph(x), "gain", shape, hg_filled(1));
    return hg_mul(hg_expand_like(gain, x, hg_last_axis(x)), x);
}

const hg_layer_kind hg_gain_layer = { .kind = { .name = "gain" }, .apply = apply, .window = hg_window_of_one };
