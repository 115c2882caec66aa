/* The dense layer. */
#include "common.h"

hg_tensor *hg_flatten(hg_tensor *x)
{
    if (x == NULL)
        return NULL;
    const hg_shape *shape = hg_tensor_shape(x);
    if (shape->rank < 2)
        return hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE, "flatten: a tensor of rank %d is no batch of samples",
                             shape->rank);
    hg_shape features = { .rank = shape->rank - 1 };
    for (int i = 0; i < features.rank; i++)
        features.dim[i] = shape->dim[i];
    return shape->rank == 2 ? x : hg_reshape(x, HG_SHAPE(hg_shape_count(&features, 1), shape->dim[features.rank]));
}

static hg_tensor *apply(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    const hg_dense_spec *spec = attributes;
    x = hg_flatten(x);
    if (x == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    hg_shape shape = HG_SHAPE(spec->units, hg_tensor_shape(x)->dim[0]);
    hg_tensor *a = hg_matmul(hg_layer_weight(graph, context, shape, spec->init, spec->act), x);
    if (a != NULL && !spec->no_bias) {
        hg_tensor *bias = hg_parameter(graph, "bias", HG_SHAPE(spec->units), hg_zeros());
        a = hg_add(a, hg_expand_like(bias, a, hg_last_axis(a)));
    }
    return spec->act == NULL ? a : spec->act(a);
}

static const hg_layer_kind *mirror(const void *attributes, const hg_shape *input, void *mirrored)
{
    const hg_dense_spec *spec = attributes;
    *(hg_dense_spec *)mirrored = (hg_dense_spec){ .units = hg_shape_count(input, 1), .init = spec->init,
                                                  .no_bias = spec->no_bias };
    return &hg_dense_layer;
}

const hg_layer_kind hg_dense_layer = {
    .kind = { "dense", sizeof(hg_dense_spec),
              (const hg_field[]){ HG_INT_FIELD(hg_dense_spec, units, "[1, inf)", 0),
                                  HG_ACTIVATION_FIELD(hg_dense_spec, act),
                                  HG_INITIALIZER_FIELD(hg_dense_spec, init),
                                  HG_BOOL_FIELD(hg_dense_spec, no_bias),
                                  { 0 } } },
    .apply = apply,
    .window = hg_window_of_all,
    .mirror = mirror,
};
