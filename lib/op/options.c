/* Options given for both axes at once or as a pair; signals as images. */
#include "config.h"

#include <hourglass/math.h>

#include "options.h"

static bool given(const int64_t pair[2]) { return pair[0] != 0 || pair[1] != 0; }

bool hg_option_pair(hg_graph *graph, const char *op, const char *name, int64_t both, const int64_t pair[2],
                    int64_t normal, int64_t to[2])
{
    if (both != 0 && given(pair)) {
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: `%s` and `%s_hw` are both given; one of them is enough", op, name, name);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        to[i] = given(pair) ? pair[i] : both;
        to[i] = to[i] == 0 ? normal : to[i];
    }
    return true;
}

bool hg_option_absent(hg_graph *graph, const char *op, const char *name, int64_t both, const int64_t pair[2])
{
    if (both == 0 && !given(pair))
        return true;
    hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s has no option `%s%s`", op, name, given(pair) ? "_hw" : "");
    return false;
}

hg_tensor *hg_signal_to_image(hg_tensor *x, const char *op)
{
    char text[HG_SHAPE_TEXT];
    if (x == NULL)
        return NULL;
    const hg_shape *s = hg_tensor_shape(x);
    if (s->rank != 3)
        return hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE, "%s: a tensor of shape %s; signals are channels x length x "
                             "samples", op, hg_shape_print(s, text));
    return hg_reshape(x, HG_SHAPE(s->dim[0], s->dim[1], 1, s->dim[2]));
}

hg_tensor *hg_image_to_signal(hg_tensor *x)
{
    if (x == NULL)
        return NULL;
    const int64_t *dim = hg_tensor_shape(x)->dim;
    return hg_reshape(x, HG_SHAPE(dim[0], dim[1], dim[3]));
}
