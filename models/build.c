/* Declaration to graph. */
#include "models.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

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

/* ---- The reconstruction --------------------------------------------------------------------------------- */

static int count_layers(hg_tensor *const output[])
{
    int count = 0;
    while (count < HG_MOST_LAYERS && output[count] != NULL)
        count++;
    return count;
}

static hg_tensor *refuse_output(const hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_autoencoder *declaration = parts->declaration;
    char shapes[HG_ERROR_TEXT / 2] = "", output[HG_SHAPE_TEXT], input[HG_SHAPE_TEXT], vector[64] = "";
    int layers = count_layers(parts->decoder);
    for (int i = 0; i < layers; i++) {
        hg_shape shape = hg_sample_shape(parts->decoder[i]);
        size_t used = strlen(shapes);
        snprintf(shapes + used, sizeof shapes - used, "%s%s", i > 0 ? ", " : "", hg_shape_print(&shape, output));
    }
    hg_shape given = hg_sample_shape(parts->decoder[layers - 1]), wanted = hg_sample_shape(parts->input);
    const long long numbers = hg_shape_count(&wanted, 1);
    if (wanted.rank > 1)
        snprintf(vector, sizeof vector, " or a vector of %lld", numbers);
    hg_shape_print(&wanted, input);
    return hg_graph_fail(hg_tensor_graph(parts->input), HG_BAD_SHAPE,
                         "decoder layer %d (%s): the decoder of \"%s\" gives %s, which is %lld numbers a sample, but its "
                         "input is %s, which is %lld: %s%s would fit; the decoder's layers give %s",
                         layers, hg_decoder_layer(parts, layers - 1, spec).kind->kind.name, declaration->name,
                         hg_shape_print(&given, output), (long long)hg_shape_count(&given, 1), input, numbers, input, vector,
                         shapes);
}

/* y in the input's shape, which a vector of as many numbers takes on. */
static hg_tensor *fit(hg_tensor *y, const hg_parts *parts)
{
    if (y == NULL)
        return NULL;
    const hg_shape *wanted = hg_tensor_shape(parts->input);
    if (hg_shape_equal(hg_tensor_shape(y), wanted))
        return y;
    hg_shape given = hg_sample_shape(y), input = hg_sample_shape(parts->input);
    if ((given.rank > 1 && input.rank > 1) || hg_shape_count(&given, 1) != hg_shape_count(&input, 1))
        return refuse_output(parts);
    return hg_reshape(y, *wanted);
}

/* a, where y is sigmoid(a) under whatever shape. */
static hg_tensor *logits_of(hg_tensor *y)
{
    while (y != NULL && strcmp(hg_tensor_op(y)->name, "reshape") == 0)
        y = hg_tensor_input(y, 0);
    return y != NULL && strcmp(hg_tensor_op(y)->name, "sigmoid") == 0 ? hg_tensor_input(y, 0) : NULL;
}

/* ---- What is minimised ---------------------------------------------------------------------------------- */

static hg_tensor *make_loss(const hg_parts *parts)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_loss *loss = &parts->declaration->loss;
    const hg_loss_kind *kind = loss->kind != NULL ? loss->kind : &hg_squared_error_loss;
    hg_graph *graph = hg_tensor_graph(parts->input);
    if (!hg_resolve(graph, &kind->kind, loss->spec, spec, kind->kind.name))
        return NULL;
    if (kind->errors != NULL)
        return hg_reduce(hg_emphasize(parts, kind->errors(parts, spec)), HG_MEAN_OVER_SAMPLES);
    if (hg_has_emphasis(parts->declaration))
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "the loss %s gives no error of each number, which emphasis needs",
                             kind->kind.name);
    return kind->apply(parts, spec);
}

static hg_tensor *make_penalty(hg_parts *parts, int index)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    char place[128], number[16];
    const hg_penalty *penalty = &parts->declaration->penalties[index];
    hg_graph *graph = hg_tensor_graph(parts->input);
    snprintf(place, sizeof place, "penalty %d (%s)", index + 1, penalty->kind->kind.name);
    if (!hg_resolve(graph, &penalty->kind->kind, penalty->spec, spec, place))
        return NULL;
    snprintf(number, sizeof number, "%d", index + 1);
    hg_scope_push(graph, "penalty");
    hg_scope_push(graph, number);
    hg_tensor *value = penalty->kind->apply(parts, spec);
    hg_scope_pop(graph);
    hg_scope_pop(graph);
    if (value == NULL || hg_tensor_shape(value)->rank != 0)
        return hg_graph_fail(graph, HG_BAD_SHAPE, "%s: it must give a scalar", place);
    return value;
}

static bool add_term(hg_parts *parts, const char *name, hg_tensor *value)
{
    hg_terms *terms = &parts->terms;
    if (value == NULL)
        return false;
    if (terms->count == HG_MOST_TERMS) {
        hg_graph_fail(hg_tensor_graph(value), HG_BAD_ARGUMENT, "autoencoder \"%s\": more than %d terms of the loss",
                      parts->declaration->name, HG_MOST_TERMS);
        return false;
    }
    terms->term[terms->count++] = (hg_term){ name, value };
    return true;
}

/* The loss, what layers have added, and the penalties. */
static hg_tensor *make_objective(hg_parts *parts)
{
    const hg_penalty *penalty = parts->declaration->penalties;
    const hg_terms of_layers = parts->terms;
    parts->terms.count = 0;
    bool good = add_term(parts, "loss", parts->loss);
    for (int i = 0; i < of_layers.count && good; i++)
        good = add_term(parts, of_layers.term[i].name, of_layers.term[i].value);
    for (int i = 0; i < HG_MOST_PENALTIES && penalty[i].kind != NULL && good; i++)
        good = add_term(parts, penalty[i].kind->kind.name, make_penalty(parts, i));
    hg_tensor *objective = good ? parts->terms.term[0].value : NULL;
    for (int i = 1; i < parts->terms.count && good; i++)
        objective = hg_add(objective, parts->terms.term[i].value);
    return objective;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

hg_scaling hg_declared_scale(const hg_autoencoder *declaration)
{
    hg_scaling scale = declaration->scale;
    return scale.low == scale.high ? (hg_scaling){ 0, 1 } : scale;
}

static hg_status check_declaration(const hg_autoencoder *declaration, hg_graph *graph)
{
    if (declaration == NULL || declaration->name == NULL || declaration->name[0] == '\0')
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "an autoencoder must be declared, with a name");
    else if (declaration->scale.low > declaration->scale.high
             || !hg_in_range(declaration->scale.high - declaration->scale.low, NULL)
             || (declaration->scale.low == declaration->scale.high && declaration->scale.low != 0))
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": scale goes from %g to %g, but must rise",
                      declaration->name, declaration->scale.low, declaration->scale.high);
    else if (!hg_in_range(declaration->emphasis.corrupted, "[0, inf)")
             || !hg_in_range(declaration->emphasis.others, "[0, inf)"))
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": emphasis is %g and %g, but both must be in [0, inf)",
                      declaration->name, declaration->emphasis.corrupted, declaration->emphasis.others);
    else if (declaration->penalise != HG_CORRUPTED && declaration->penalise != HG_CLEAN)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": penalise is %d, but must be HG_CORRUPTED or HG_CLEAN",
                      declaration->name, (int)declaration->penalise);
    return hg_graph_status(graph);
}

static void check_tying(const hg_parts *parts, hg_graph *graph)
{
    const hg_tying *tying = &parts->tying;
    if (parts->declaration->tied && tying->count == 0)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": it is tied, but its encoder has no weights to share",
                      parts->declaration->name);
    else if (parts->declaration->tied && tying->shared < tying->count)
        hg_graph_fail(graph, HG_BAD_SHAPE, "%s: the weights are tied, but no layer of the decoder shares them",
                      tying->at[tying->count - 1 - tying->shared].place);
    else if (parts->declaration->orthonormal && tying->count == 0)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": its encoder has no weights to keep orthonormal",
                      parts->declaration->name);
}

/* The penalised code, each sample's from that sample alone: batch normalisation is taken as in use. */
static hg_tensor *set_apart(const hg_parts *parts)
{
    hg_tensor *code = parts->penalised_code, *x = parts->penalised;
    const hg_penalty *penalty = parts->declaration->penalties;
    bool asked = false;
    for (int i = 0; i < HG_MOST_PENALTIES && penalty[i].kind != NULL; i++)
        asked = asked || penalty[i].kind->apart;
    if (!asked || code == NULL || !hg_code_mixes_samples(code, x))
        return asked ? code : NULL;
    code = hg_encode_again(parts, x, HG_EVALUATION);
    if (code == NULL || !hg_code_mixes_samples(code, x))
        return code;
    return hg_graph_fail(hg_tensor_graph(code), HG_BAD_ARGUMENT,
                         "autoencoder \"%s\": a sample's code depends on the other samples of its batch, so it has no "
                         "Jacobian for a contractive penalty", parts->declaration->name);
}

static void build_code(hg_parts *parts)
{
    hg_side encoder = { "encoder", hg_encoder_layer, NULL, parts->encoder, NULL };
    parts->tying.orthonormal = parts->declaration->orthonormal;
    parts->corrupted = hg_corrupt(parts);
    parts->code = hg_apply_side(&encoder, parts->corrupted, parts);
    parts->penalised = parts->declaration->penalise == HG_CLEAN ? parts->input : parts->corrupted;
    parts->penalised_code = parts->penalised == parts->corrupted
                                ? parts->code
                                : hg_substitute(parts->code, parts->corrupted, parts->penalised);
    parts->apart = set_apart(parts);
}

static hg_tensor *build_decoder(hg_parts *parts)
{
    hg_side decoder = { "decoder", hg_decoder_layer, hg_fit_mirrored, parts->decoder, parts->input };
    hg_tying *tying = &parts->tying;
    tying->orthonormal = false;
    tying->sharing = parts->declaration->tied;
    const int weights = tying->count;
    hg_tensor *output = hg_apply_side(&decoder, parts->code, parts);
    tying->count = weights; /* not the decoder's own */
    if (output != NULL)
        check_tying(parts, hg_tensor_graph(output));
    return output;
}

hg_status hg_autoencoder_build(const hg_autoencoder *declaration, hg_graph *graph, hg_mode mode, hg_parts *parts)
{
    *parts = (hg_parts){ .declaration = declaration, .mode = mode };
    if (check_declaration(declaration, graph) != HG_OK)
        return hg_graph_status(graph);
    parts->input = make_input(graph, declaration);
    parts->step = hg_input_of(graph, "step", HG_I64, HG_SCALAR);
    build_code(parts);
    hg_tensor *output = build_decoder(parts);
    parts->reconstruction = fit(output, parts);
    parts->logits = logits_of(output);
    if (parts->logits != NULL)
        parts->logits = fit(parts->logits, parts);
    if (parts->reconstruction != NULL) {
        parts->loss = make_loss(parts);
        parts->objective = make_objective(parts);
    }
    if (parts->objective == NULL)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "autoencoder \"%s\": its loss or a penalty gave no tensor",
                      declaration->name);
    return hg_graph_status(graph);
}
