/* Corruptions: what a denoising autoencoder sees in the place of its input (T9). */
#include "models.h"

#include <stdalign.h>

/* ---- Kinds ---------------------------------------------------------------------------------------------- */

static hg_tensor *mask(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *attributes, hg_tensor **changed)
{
    const hg_masking_spec *spec = attributes;
    (void)range;
    *changed = hg_random_mask(step, "mask", *hg_tensor_shape(x), spec->probability);
    return hg_select(*changed, hg_scalar(hg_tensor_graph(x), 0), x);
}

const hg_corruption_kind hg_masking_corruption = {
    .kind = { "masking", sizeof(hg_masking_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_masking_spec, probability, "(0, 1)", 0), { 0 } } },
    .apply = mask,
};

static hg_tensor *add_noise(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *attributes,
                            hg_tensor **changed)
{
    const hg_gaussian_spec *spec = attributes;
    (void)range;
    (void)changed;
    return hg_add(x, hg_scale(hg_random_normal(step, "noise", *hg_tensor_shape(x)), spec->deviation));
}

const hg_corruption_kind hg_gaussian_corruption = {
    .kind = { "gaussian", sizeof(hg_gaussian_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_gaussian_spec, deviation, "(0, inf)", 0), { 0 } } },
    .apply = add_noise,
};

/* One uniform number decides both: below q/2 black, from there to q white. */
static hg_tensor *salt_and_pepper(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *attributes,
                                  hg_tensor **changed)
{
    const hg_salt_and_pepper_spec *spec = attributes;
    hg_graph *graph = hg_tensor_graph(x);
    hg_tensor *u = hg_random_uniform(step, "salt and pepper", *hg_tensor_shape(x));
    hg_tensor *black = hg_greater(hg_scalar(graph, spec->probability / 2), u);
    *changed = hg_greater(hg_scalar(graph, spec->probability), u);
    hg_tensor *extreme = hg_shift(hg_scale(black, range.low - range.high), range.high);
    return hg_select(*changed, extreme, x);
}

const hg_corruption_kind hg_salt_and_pepper_corruption = {
    .kind = { "salt_and_pepper", sizeof(hg_salt_and_pepper_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_salt_and_pepper_spec, probability, "(0, 1)", 0), { 0 } } },
    .apply = salt_and_pepper,
};

const hg_kind *const hg_corruption_kinds[] = {
    &hg_masking_corruption.kind,
    &hg_gaussian_corruption.kind,
    &hg_salt_and_pepper_corruption.kind,
    NULL,
};

/* ---- In an autoencoder ---------------------------------------------------------------------------------- */

bool hg_has_emphasis(const hg_autoencoder *declaration)
{
    return declaration->emphasis.corrupted != 0 || declaration->emphasis.others != 0;
}

static hg_tensor *refuse_emphasis(const hg_parts *parts, const char *reason)
{
    const hg_autoencoder *declaration = parts->declaration;
    return hg_graph_fail(hg_tensor_graph(parts->input), HG_BAD_ARGUMENT, "autoencoder \"%s\": emphasis is for %s",
                         declaration->name, reason);
}

/* Built for use too, so that what is refused does not depend on the mode. */
static hg_tensor *apply(const hg_parts *parts, hg_tensor **changed)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_corruption *corrupt = &parts->declaration->corrupt;
    const hg_kind *kind = &corrupt->kind->kind;
    hg_graph *graph = hg_tensor_graph(parts->input);
    if (!hg_resolve(graph, kind, corrupt->spec, spec, kind->name))
        return NULL;
    hg_scope_push(graph, "corruption");
    hg_tensor *corrupted = corrupt->kind->apply(parts->input, parts->step, hg_declared_scale(parts->declaration), spec,
                                                changed);
    hg_scope_pop(graph);
    if (corrupted == NULL)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "the corruption %s gave no tensor", kind->name);
    if (*changed == NULL && hg_has_emphasis(parts->declaration))
        return refuse_emphasis(parts, "a corruption that leaves some numbers as they are");
    return corrupted;
}

hg_tensor *hg_corrupt(hg_parts *parts)
{
    hg_tensor *changed = NULL;
    if (parts->input == NULL)
        return NULL;
    if (parts->declaration->corrupt.kind == NULL)
        return hg_has_emphasis(parts->declaration) ? refuse_emphasis(parts, "a corrupted input, and there is no corruption")
                                                   : parts->input;
    hg_tensor *corrupted = apply(parts, &changed);
    if (corrupted == NULL || parts->mode != HG_TRAINING)
        return corrupted == NULL ? NULL : parts->input;
    parts->changed = changed;
    return corrupted;
}

hg_tensor *hg_emphasize(const hg_parts *parts, hg_tensor *errors)
{
    const hg_emphasis *emphasis = &parts->declaration->emphasis;
    if (parts->changed == NULL || !hg_has_emphasis(parts->declaration))
        return errors;
    return hg_mul(hg_shift(hg_scale(parts->changed, emphasis->corrupted - emphasis->others), emphasis->others), errors);
}
