/* HG_MIRROR: a decoder derived from the encoder. */
#include "models.h"

#include <stdalign.h>
#include <string.h>

static hg_tensor *apply(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    return hg_graph_fail(x == NULL ? NULL : hg_tensor_graph(x), HG_BAD_ARGUMENT,
                         "%s: a mirror is the whole decoder, and stands nowhere else", context->place);
}

const hg_layer_kind hg_mirror_layer = {
    .kind = { "mirror", sizeof(hg_mirror_spec),
              (const hg_field[]){ HG_ACTIVATION_FIELD(hg_mirror_spec, act), { 0 } } },
    .apply = apply,
};

bool hg_is_mirrored(const hg_autoencoder *declaration)
{
    return declaration->decoder[0].kind == &hg_mirror_layer && declaration->decoder[1].kind == NULL;
}

static int count_encoder(const hg_autoencoder *declaration)
{
    int count = 0;
    while (count < HG_MOST_LAYERS && declaration->encoder[count].kind != NULL)
        count++;
    return count;
}

/* The field "act" of a kind that has one. */
static const hg_field *act_of(const hg_layer_kind *kind)
{
    const hg_field *field = hg_field_find(&kind->kind, "act");
    return field != NULL && field->type == HG_FIELD_ACTIVATION ? field : NULL;
}

static hg_activation *last_activation(const hg_autoencoder *declaration)
{
    const hg_mirror_spec *spec = declaration->decoder[0].spec;
    if (spec != NULL && spec->act != NULL)
        return spec->act;
    return declaration->loss.kind != NULL && declaration->loss.kind->probabilities ? hg_sigmoid : NULL;
}

/* Of the nearest layer before encoder layer `index` that has one. */
static hg_activation *activation_before(const hg_autoencoder *declaration, int index)
{
    while (index-- > 0) {
        hg_activation *act;
        if (hg_layer_activation(&declaration->encoder[index], &act))
            return act;
    }
    return last_activation(declaration);
}

/* What went into encoder layer `index`. */
static const hg_tensor *input_of(const hg_parts *parts, int index)
{
    return index == 0 ? parts->corrupted : parts->encoder[index - 1];
}

static hg_layer derive(const hg_parts *parts, int of, void *spec)
{
    alignas(max_align_t) char resolved[HG_SPEC_BYTES];
    const hg_layer *layer = &parts->declaration->encoder[of];
    hg_shape sample = hg_sample_shape(input_of(parts, of));
    hg_error error = { 0 };
    memset(spec, 0, HG_SPEC_BYTES);
    const hg_layer_kind *kind = NULL;
    if (layer->kind->mirror != NULL
        && hg_spec_resolve(&layer->kind->kind, layer->spec, resolved, "", &error) == HG_OK)
        kind = layer->kind->mirror(resolved, &sample, spec);
    if (kind == NULL) {
        hg_graph_fail(hg_tensor_graph(parts->input), HG_BAD_ARGUMENT,
                      "encoder layer %d (%s) has no mirror: declare the decoder of \"%s\" layer by layer", of + 1,
                      layer->kind->kind.name, parts->declaration->name);
        return (hg_layer){ 0 };
    }
    const hg_field *field = act_of(kind);
    hg_activation *act = activation_before(parts->declaration, of);
    if (field != NULL)
        memcpy((char *)spec + field->offset, &act, sizeof act);
    return (hg_layer){ kind, spec };
}

hg_layer hg_decoder_layer(const hg_parts *parts, int index, void *spec)
{
    const hg_autoencoder *declaration = parts->declaration;
    if (index < 0 || index >= HG_MOST_LAYERS)
        return (hg_layer){ 0 };
    if (!hg_is_mirrored(declaration))
        return declaration->decoder[index];
    int layers = count_encoder(declaration);
    return index < layers && parts->code != NULL ? derive(parts, layers - 1 - index, spec) : (hg_layer){ 0 };
}

/* A mirrored layer's output as the mirror of what went into its layer: a vector takes on that shape. */
hg_tensor *hg_fit_mirrored(const hg_parts *parts, int index, hg_tensor *y)
{
    if (y == NULL || !hg_is_mirrored(parts->declaration))
        return y;
    const hg_tensor *x = input_of(parts, count_encoder(parts->declaration) - 1 - index);
    hg_shape given = hg_sample_shape(y), wanted = hg_sample_shape(x);
    return given.rank == 1 && hg_shape_count(&given, 1) == hg_shape_count(&wanted, 1) ? hg_reshape(y, *hg_tensor_shape(x))
                                                                                      : y;
}
