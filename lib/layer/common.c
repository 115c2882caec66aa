/* What layers have in common. */
#include "common.h"

bool hg_layer_takes(const hg_tensor *x, int axes, const hg_layer_context *context)
{
    char text[HG_SHAPE_TEXT];
    if (x == NULL)
        return false;
    hg_shape shape = *hg_tensor_shape(x);
    if (shape.rank == axes)
        return true;
    shape.rank--;
    hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE,
                  "%s: its input is %s, but must be channels x %s; a reshape layer before it can give that", context->place,
                  hg_shape_print(&shape, text), axes == 4 ? "height x width" : "length");
    return false;
}

hg_window hg_window_of_one(const void *spec, int axis, int64_t input, int64_t output)
{
    (void)spec, (void)axis, (void)input, (void)output;
    return (hg_window){ 1, 1 };
}

hg_window hg_window_of_all(const void *spec, int axis, int64_t input, int64_t output)
{
    (void)spec, (void)axis, (void)input, (void)output;
    return (hg_window){ INFINITY, 1 };
}
