/* Declaration to graph. */
#include "models.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

/* Resolves a spec into memory of the caller; false with the error latched in the graph. */
static bool resolve(hg_graph *graph, const hg_kind *kind, const void *spec, void *resolved, const char *place)
{
    hg_error error = { 0 };
    if (hg_spec_resolve(kind, spec, resolved, place, &error) == HG_OK)
        return true;
    hg_graph_fail(graph, error.status, "%s", error.text);
    return false;
}

/* ---- The input ------------------------------------------------------------------------------------------ */

static hg_tensor *make_input(hg_graph *graph, const hg_autoencoder *declaration)
{
    hg_shape shape = { 0 };
    while (shape.rank < HG_MAX_RANK - 1 && declaration->input[shape.rank] != 0) {
        shape.dim[shape.rank] = declaration->input[shape.rank];
        if (shape.dim[shape.rank++] < 1)
            return hg_graph_fail(graph, HG_BAD_SHAPE, "autoencoder \"%s\": dimension %d of its input is %lld",
                                 declaration->name, shape.rank, (long long)shape.dim[shape.rank - 1]);
    }
    if (shape.rank == 0)
        return hg_graph_fail(graph, HG_BAD_SHAPE, "autoencoder \"%s\" does not declare its input", declaration->name);
    shape.dim[shape.rank++] = HG_BATCH;
    return hg_input(graph, "input", shape);
}

/* The shape of one sample. */
static hg_shape sample_shape(const hg_tensor *x)
{
    hg_shape shape = *hg_tensor_shape(x);
    shape.rank--;
    return shape;
}

/* ---- Layers --------------------------------------------------------------------------------------------- */

typedef struct side {
    const char     *name;
    const hg_layer *layer;
    hg_tensor     **output;
    hg_mode         mode;
} side;

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

static hg_tensor *apply_layer(const side *s, int index, hg_tensor *x, hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    char place[128], number[16];
    const hg_layer *layer = &s->layer[index];
    hg_graph *graph = hg_tensor_graph(x);
    snprintf(place, sizeof place, "%s layer %d (%s)", s->name, index + 1, layer->kind->kind.name);
    if (!resolve(graph, &layer->kind->kind, layer->spec, spec, place))
        return NULL;
    snprintf(number, sizeof number, "%d", index + 1);
    hg_scope_push(graph, number);
    hg_tensor *y = layer->kind->apply(x, spec, &(hg_layer_context){ .place = place,
                                                                      .step = parts->step,
                                                                      .mode = s->mode,
                                                                      .updates = &parts->updates });
    hg_scope_pop(graph);
    return check_output(x, y, place);
}

static hg_tensor *apply_side(const side *s, hg_tensor *x, hg_parts *parts, const char *model)
{
    if (x == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    if (s->layer[0].kind == NULL)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": its %s has no layers", model, s->name);
    hg_scope_push(graph, s->name);
    for (int i = 0; i < HG_MOST_LAYERS && s->layer[i].kind != NULL && x != NULL; i++)
        x = s->output[i] = apply_layer(s, i, x, parts);
    hg_scope_pop(graph);
    return x;
}

/* ---- The reconstruction --------------------------------------------------------------------------------- */

static int count_layers(hg_tensor *const output[])
{
    int count = 0;
    while (count < HG_MOST_LAYERS && output[count] != NULL)
        count++;
    return count;
}

static hg_tensor *refuse_output(const hg_parts *parts, const hg_autoencoder *declaration)
{
    char shapes[HG_ERROR_TEXT / 2] = "", output[HG_SHAPE_TEXT], input[HG_SHAPE_TEXT];
    int layers = count_layers(parts->decoder);
    for (int i = 0; i < layers; i++) {
        hg_shape shape = sample_shape(parts->decoder[i]);
        size_t used = strlen(shapes);
        snprintf(shapes + used, sizeof shapes - used, "%s%s", i > 0 ? ", " : "", hg_shape_print(&shape, output));
    }
    hg_shape given = sample_shape(parts->decoder[layers - 1]), wanted = sample_shape(parts->input);
    return hg_graph_fail(hg_tensor_graph(parts->input), HG_BAD_SHAPE,
                         "decoder layer %d (%s): the decoder of \"%s\" gives %s, which is %lld numbers a sample, but its "
                         "input is %s, which is %lld; the decoder's layers give %s",
                         layers, declaration->decoder[layers - 1].kind->kind.name, declaration->name,
                         hg_shape_print(&given, output), (long long)hg_shape_count(&given, 1),
                         hg_shape_print(&wanted, input), (long long)hg_shape_count(&wanted, 1), shapes);
}

/* y in the input's shape, which a vector of as many numbers takes on. */
static hg_tensor *fit(hg_tensor *y, const hg_parts *parts, const hg_autoencoder *declaration)
{
    if (y == NULL)
        return NULL;
    const hg_shape *wanted = hg_tensor_shape(parts->input);
    if (hg_shape_equal(hg_tensor_shape(y), wanted))
        return y;
    hg_shape given = sample_shape(y), input = sample_shape(parts->input);
    if ((given.rank > 1 && input.rank > 1) || hg_shape_count(&given, 1) != hg_shape_count(&input, 1))
        return refuse_output(parts, declaration);
    return hg_reshape(y, *wanted);
}

/* a, where y is sigmoid(a). */
static hg_tensor *logits_of(hg_tensor *y)
{
    return y != NULL && strcmp(hg_tensor_op(y)->name, "sigmoid") == 0 ? hg_tensor_input(y, 0) : NULL;
}

/* ---- What is minimised ---------------------------------------------------------------------------------- */

static hg_tensor *make_loss(const hg_parts *parts, const hg_autoencoder *declaration)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_loss_kind *kind = declaration->loss.kind != NULL ? declaration->loss.kind : &hg_squared_error_loss;
    if (!resolve(hg_tensor_graph(parts->input), &kind->kind, declaration->loss.spec, spec, kind->kind.name))
        return NULL;
    return kind->apply(parts, spec);
}

static hg_tensor *add_penalties(const hg_parts *parts, const hg_autoencoder *declaration)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    hg_tensor *objective = parts->loss;
    for (int i = 0; i < HG_MOST_PENALTIES && declaration->penalties[i].kind != NULL && objective != NULL; i++) {
        const hg_penalty *penalty = &declaration->penalties[i];
        if (!resolve(hg_tensor_graph(parts->input), &penalty->kind->kind, penalty->spec, spec,
                     penalty->kind->kind.name))
            return NULL;
        objective = hg_add(objective, penalty->kind->apply(parts, spec));
    }
    return objective;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

static hg_status check_declaration(const hg_autoencoder *declaration, hg_graph *graph)
{
    if (declaration == NULL || declaration->name == NULL || declaration->name[0] == '\0')
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "an autoencoder must be declared, with a name");
    else if (declaration->scale.low > declaration->scale.high
             || !hg_in_range(declaration->scale.high - declaration->scale.low, NULL)
             || (declaration->scale.low == declaration->scale.high && declaration->scale.low != 0))
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": scale goes from %g to %g, but must rise",
                      declaration->name, declaration->scale.low, declaration->scale.high);
    return hg_graph_status(graph);
}

hg_status hg_autoencoder_build(const hg_autoencoder *declaration, hg_graph *graph, hg_mode mode, hg_parts *parts)
{
    *parts = (hg_parts){ 0 };
    if (check_declaration(declaration, graph) != HG_OK)
        return hg_graph_status(graph);
    side encoder = { "encoder", declaration->encoder, parts->encoder, mode };
    side decoder = { "decoder", declaration->decoder, parts->decoder, mode };
    parts->input = make_input(graph, declaration);
    parts->step = hg_input_of(graph, "step", HG_I64, HG_SCALAR);
    parts->code = apply_side(&encoder, parts->input, parts, declaration->name);
    hg_tensor *output = apply_side(&decoder, parts->code, parts, declaration->name);
    parts->reconstruction = fit(output, parts, declaration);
    parts->logits = logits_of(output);
    if (parts->logits != NULL)
        parts->logits = fit(parts->logits, parts, declaration);
    if (parts->reconstruction != NULL) {
        parts->loss = make_loss(parts, declaration);
        parts->objective = add_penalties(parts, declaration);
    }
    if (parts->objective == NULL)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": its loss or a penalty gave no tensor",
                      declaration->name);
    return hg_graph_status(graph);
}
