/* The encoder and the decoder: layers, one on the other. */
#include "models.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

bool hg_resolve(hg_graph *graph, const hg_kind *kind, const void *spec, void *resolved, const char *place)
{
    hg_error error = { 0 };
    if (hg_spec_resolve(kind, spec, resolved, place, &error) == HG_OK)
        return true;
    hg_graph_fail(graph, error.status, "%s", error.text);
    return false;
}

bool hg_layer_activation(const hg_layer *layer, hg_activation **act)
{
    const hg_field *field = hg_field_find(&layer->kind->kind, "act");
    *act = NULL;
    if (field == NULL || field->type != HG_FIELD_ACTIVATION)
        return false;
    if (layer->spec != NULL)
        memcpy(act, (const char *)layer->spec + field->offset, sizeof *act);
    return true;
}

hg_shape hg_sample_shape(const hg_tensor *x)
{
    hg_shape shape = *hg_tensor_shape(x);
    shape.rank--;
    return shape;
}

static hg_tensor *check_output(hg_tensor *x, hg_tensor *y, const char *place)
{
    hg_graph *graph = hg_tensor_graph(x);
    char text[HG_SHAPE_TEXT];
    if (y == NULL)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: it gave no tensor", place);
    const hg_shape *shape = hg_tensor_shape(y);
    if (hg_tensor_dtype(y) == HG_I64 || shape->rank < 2 || shape->dim[shape->rank - 1] != HG_BATCH)
        return hg_graph_fail(graph, HG_BAD_SHAPE,
                             "%s: it gives %s of %s, but a layer gives features x B, real, the samples as columns", place,
                             hg_shape_print(shape, text), hg_dtype_name(hg_tensor_dtype(y)));
    return y;
}

/* What would mirror a layer on samples like x. */
static const hg_layer_kind *mirror_of(const hg_layer_kind *kind, const void *spec, const hg_tensor *x)
{
    alignas(max_align_t) char mirrored[HG_SPEC_BYTES] = { 0 };
    hg_shape sample = hg_sample_shape(x);
    return kind->mirror == NULL ? NULL : kind->mirror(spec, &sample, mirrored);
}

static bool is_last(const hg_side *side, int index, const hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    return side->layer(parts, index + 1, spec).kind == NULL;
}

static hg_tensor *apply_layer(const hg_side *side, int index, hg_layer layer, hg_tensor *x, hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    char place[128], number[16];
    hg_graph *graph = hg_tensor_graph(x);
    snprintf(place, sizeof place, "%s layer %d (%s)", side->name, index + 1, layer.kind->kind.name);
    if (!hg_resolve(graph, &layer.kind->kind, layer.spec, spec, place))
        return NULL;
    parts->tying.kind = layer.kind;
    parts->tying.mirror = mirror_of(layer.kind, spec, x);
    snprintf(number, sizeof number, "%d", index + 1);
    hg_scope_push(graph, number);
    const hg_layer_context context = { .place = place,
                                       .step = parts->step,
                                       .mode = parts->mode,
                                       .updates = &parts->updates,
                                       .pools = &parts->pools,
                                       .target = is_last(side, index, parts) ? side->target : NULL,
                                       .terms = &parts->terms,
                                       .tying = &parts->tying };
    hg_tensor *y = layer.kind->apply(x, spec, &context);
    hg_scope_pop(graph);
    hg_graph_error_at(graph, place);
    return check_output(x, y, place);
}

hg_tensor *hg_apply_side(const hg_side *side, hg_tensor *x, hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    if (x == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    if (side->layer(parts, 0, spec).kind == NULL)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": its %s has no layers", parts->declaration->name,
                             side->name);
    hg_scope_push(graph, side->name);
    for (int i = 0; i < HG_MOST_LAYERS && x != NULL; i++) {
        hg_layer layer = side->layer(parts, i, spec);
        if (layer.kind == NULL)
            break;
        x = apply_layer(side, i, layer, x, parts);
        if (side->fit != NULL)
            x = side->fit(parts, i, x);
        side->output[i] = x;
    }
    hg_scope_pop(graph);
    return x;
}

hg_layer hg_encoder_layer(const hg_parts *parts, int index, void *spec)
{
    (void)spec;
    return index < HG_MOST_LAYERS ? parts->declaration->encoder[index] : (hg_layer){ 0 };
}

hg_tensor *hg_encode_again(const hg_parts *parts, hg_tensor *x, hg_mode mode)
{
    hg_parts again = { .declaration = parts->declaration, .mode = mode, .step = parts->step };
    hg_side encoder = { "encoder", hg_encoder_layer, NULL, again.encoder, NULL };
    if (x == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    hg_graph_reuse(graph, true);
    hg_tensor *code = hg_apply_side(&encoder, x, &again);
    hg_graph_reuse(graph, false);
    return code;
}
