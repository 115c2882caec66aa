/* Losses: what a reconstruction costs. */
#include "models.h"

static hg_tensor *squared_error(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_squared_error(parts->reconstruction, parts->input);
}

const hg_loss_kind hg_squared_error_loss = { .kind = { .name = "squared_error" }, .apply = squared_error };

static hg_tensor *binary_cross_entropy(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return parts->logits != NULL ? hg_binary_cross_entropy_from_logits(parts->logits, parts->input)
                                 : hg_binary_cross_entropy(parts->reconstruction, parts->input);
}

const hg_loss_kind hg_binary_cross_entropy_loss = {
    .kind = { .name = "binary_cross_entropy" },
    .probabilities = true,
    .apply = binary_cross_entropy,
};

static hg_tensor *huber(const hg_parts *parts, const void *spec)
{
    return hg_huber(parts->reconstruction, parts->input, ((const hg_huber_spec *)spec)->delta);
}

const hg_loss_kind hg_huber_loss = {
    .kind = { "huber", sizeof(hg_huber_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_huber_spec, delta, "(0, inf)", 1), { 0 } } },
    .apply = huber,
};

const hg_kind *const hg_loss_kinds[] = {
    &hg_squared_error_loss.kind,
    &hg_binary_cross_entropy_loss.kind,
    &hg_huber_loss.kind,
    NULL,
};
