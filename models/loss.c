/* Losses: what a reconstruction costs, number by number. */
#include "models.h"

#include <math.h>

static hg_tensor *squared_error(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_squared_error_by(parts->reconstruction, parts->input, HG_PER_ELEMENT);
}

const hg_loss_kind hg_squared_error_loss = { .kind = { .name = "squared_error" }, .errors = squared_error };

static hg_tensor *binary_cross_entropy(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return parts->logits != NULL
               ? hg_binary_cross_entropy_from_logits_by(parts->logits, parts->input, HG_PER_ELEMENT)
               : hg_binary_cross_entropy_by(parts->reconstruction, parts->input, HG_PER_ELEMENT);
}

const hg_loss_kind hg_binary_cross_entropy_loss = {
    .kind = { .name = "binary_cross_entropy" },
    .probabilities = true,
    .errors = binary_cross_entropy,
};

static hg_tensor *huber(const hg_parts *parts, const void *spec)
{
    return hg_huber_by(parts->reconstruction, parts->input, ((const hg_huber_spec *)spec)->delta, HG_PER_ELEMENT);
}

const hg_loss_kind hg_huber_loss = {
    .kind = { "huber", sizeof(hg_huber_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_huber_spec, delta, "(0, inf)", 1), { 0 } } },
    .errors = huber,
};

/* (y - x)^2 / 2 s^2 + log(2 pi s^2) / 2 */
static hg_tensor *gaussian_likelihood(const hg_parts *parts, const void *attributes)
{
    const hg_gaussian_likelihood_spec *spec = attributes;
    const double variance = spec->deviation * spec->deviation, tau = 6.283185307179586;
    hg_tensor *half = hg_squared_error_by(parts->reconstruction, parts->input, HG_PER_ELEMENT);
    return hg_shift(hg_scale(half, 1 / variance), log(tau * variance) / 2);
}

const hg_loss_kind hg_gaussian_likelihood_loss = {
    .kind = { "gaussian_likelihood", sizeof(hg_gaussian_likelihood_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_gaussian_likelihood_spec, deviation, "(0, inf)", 1), { 0 } } },
    .errors = gaussian_likelihood,
};

const hg_kind *const hg_loss_kinds[] = {
    &hg_squared_error_loss.kind,
    &hg_binary_cross_entropy_loss.kind,
    &hg_huber_loss.kind,
    &hg_gaussian_likelihood_loss.kind,
    NULL,
};
