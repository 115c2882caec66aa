/* The weights of a layer: its own, or those that a tied decoder shares with the encoder. */
#include <hourglass/layer.h>

#include <stdio.h>
#include <string.h>

/* ---- The encoder's turn --------------------------------------------------------------------------------- */

static bool can_be_orthonormal(hg_graph *graph, const char *place, const hg_shape *shape, hg_initializer initial)
{
    char text[HG_SHAPE_TEXT];
    if (shape->rank != 2 || shape->dim[0] > shape->dim[1])
        hg_graph_fail(graph, HG_BAD_SHAPE, "%s: orthonormal rows need weights with no more rows than columns, not %s", place,
                      hg_shape_print(shape, text));
    else if (initial.kind != HG_INITIAL_ZEROS && (initial.kind != HG_INITIAL_ORTHOGONAL || initial.a != 1))
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: init is %s %g, but orthonormal rows start as orthogonal 1", place,
                      hg_initializer_name(initial.kind), initial.a);
    return hg_graph_status(graph) == HG_OK;
}

static hg_tensor *make(hg_graph *graph, const hg_layer_context *context, hg_shape shape, hg_initializer initial,
                       hg_activation *act)
{
    const hg_tying *tying = context->tying;
    if (tying != NULL && tying->orthonormal && !tying->sharing) {
        if (!can_be_orthonormal(graph, context->place, &shape, initial))
            return NULL;
        initial = hg_orthogonal(1);
    }
    return hg_parameter(graph, "weight", shape,
                        initial.kind != HG_INITIAL_ZEROS ? initial : hg_activation_initializer(act));
}

static hg_tensor *remember(const hg_layer_context *context, hg_tensor *weight)
{
    hg_tying *tying = context->tying;
    if (weight == NULL || tying == NULL || tying->sharing)
        return weight;
    if (tying->count == HG_MOST_LAYERS)
        return hg_graph_fail(hg_tensor_graph(weight), HG_BAD_ARGUMENT, "%s: the encoder has more than %d weights",
                             context->place, HG_MOST_LAYERS);
    hg_shared_weight *one = &tying->at[tying->count++];
    *one = (hg_shared_weight){ .weight = weight, .mirror = tying->mirror };
    snprintf(one->place, sizeof one->place, "%s", context->place);
    return weight;
}

/* ---- The decoder's turn --------------------------------------------------------------------------------- */

static hg_tensor *share(hg_graph *graph, const hg_layer_context *context, const hg_shape *shape)
{
    char wanted[HG_SHAPE_TEXT], given[HG_SHAPE_TEXT];
    hg_tying *tying = context->tying;
    if (tying->shared == tying->count)
        return hg_graph_fail(graph, HG_BAD_SHAPE, "%s: the weights are tied, but the encoder has none left to share",
                             context->place);
    hg_shared_weight *one = &tying->at[tying->count - ++tying->shared];
    if (one->mirror != tying->kind)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: it cannot share the weights of %s, %s%s%s", context->place,
                             one->place, one->mirror == NULL ? "which no layer mirrors" : "which a layer of kind ",
                             one->mirror == NULL ? "" : one->mirror->kind.name, one->mirror == NULL ? "" : " mirrors");
    hg_tensor *weight = hg_tensor_shape(one->weight)->rank == 2 ? hg_transpose(one->weight) : one->weight;
    if (weight == NULL || hg_shape_equal(hg_tensor_shape(weight), shape))
        return one->shared = weight;
    return hg_graph_fail(graph, HG_BAD_SHAPE,
                         "%s: its weights are %s, but those that it shares with %s are %s%s", context->place,
                         hg_shape_print(shape, wanted), one->place, hg_shape_print(hg_tensor_shape(weight), given),
                         weight == one->weight ? "" : " when transposed");
}

hg_tensor *hg_layer_weight(hg_graph *graph, const hg_layer_context *context, hg_shape shape, hg_initializer initial,
                           hg_activation *act)
{
    if (context->tying != NULL && context->tying->sharing)
        return share(graph, context, &shape);
    return remember(context, make(graph, context, shape, initial, act));
}
