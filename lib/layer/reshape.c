/* Flatten and reshape: the same numbers in another shape. */
#include "common.h"

static hg_tensor *flatten(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec, (void)context;
    return hg_flatten(x);
}

/* "; 32x4 would fit": the last dimension made to fit where it can be, or a vector. */
static hg_shape nearest(const hg_shape *wanted, int64_t count)
{
    hg_shape shape = *wanted;
    shape.dim[shape.rank - 1] = 1;
    const int64_t others = hg_shape_count(&shape, 1);
    if (others < 1 || count % others != 0)
        return HG_SHAPE(count);
    shape.dim[shape.rank - 1] = count / others;
    return shape;
}

static hg_tensor *reshape(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    char given[HG_SHAPE_TEXT], asked[HG_SHAPE_TEXT], fits[HG_SHAPE_TEXT];
    const hg_reshape_spec *spec = attributes;
    hg_shape to = { 0 };
    if (x == NULL)
        return NULL;
    while (to.rank < HG_MAX_RANK - 1 && spec->shape[to.rank] != 0) {
        to.dim[to.rank] = spec->shape[to.rank];
        to.rank++;
    }
    hg_shape from = *hg_tensor_shape(x);
    from.rank--;
    const int64_t has = hg_shape_count(&from, 1), wanted = hg_shape_count(&to, 1);
    if (wanted < 0)
        return hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE, "%s: its input is %s, which is %lld numbers a sample, but %s would "
                             "be more than can be counted", context->place, hg_shape_print(&from, given), (long long)has,
                             hg_shape_print(&to, asked));
    if (has != wanted) {
        hg_shape other = nearest(&to, has);
        return hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE,
                             "%s: its input is %s, which is %lld numbers a sample, but %s would be %lld; %s would fit",
                             context->place, hg_shape_print(&from, given), (long long)has, hg_shape_print(&to, asked),
                             (long long)wanted, hg_shape_print(&other, fits));
    }
    to.dim[to.rank++] = HG_BATCH;
    return hg_reshape(x, to);
}

/* Numbers keep what they see, but neighbours do not stay neighbours. */
static hg_window window(const void *spec, int axis, int64_t input, int64_t output)
{
    (void)spec, (void)axis, (void)input, (void)output;
    return (hg_window){ 1, NAN };
}

static const hg_layer_kind *mirror(const void *spec, const hg_shape *input, void *mirrored)
{
    hg_reshape_spec *to = mirrored;
    (void)spec;
    for (int i = 0; i < input->rank; i++)
        to->shape[i] = input->dim[i];
    return &hg_reshape_layer;
}

const hg_layer_kind hg_flatten_layer = { .kind = { .name = "flatten" }, .apply = flatten, .window = window,
                                         .mirror = mirror };
const hg_layer_kind hg_reshape_layer = {
    .kind = { "reshape", sizeof(hg_reshape_spec), (const hg_field[]){ HG_SHAPE_FIELD(hg_reshape_spec, shape), { 0 } } },
    .apply = reshape,
    .window = window,
    .mirror = mirror,
};
