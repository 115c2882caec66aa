/* A contractive autoencoder (T8): what the penalty does to the Jacobian of the code. */
#include "recipes.h"

/* gamma times the mean |J|^2 is minimised, but what the training reports, and averages over an epoch, is the
   root of the mini-batch's mean |J|^2: terms without gradient put it in the place of the value. */
static hg_tensor *norm(hg_parts *parts, const void *attributes)
{
    const hg_contractive_spec *spec = attributes;
    hg_tensor *square = hg_contractive_penalty.apply(parts, &(hg_contractive_spec){ .gamma = 1 });
    hg_tensor *weighted = hg_scale(square, spec->gamma);
    hg_tensor *gradient_only = hg_sub(weighted, hg_stop_gradient(weighted));
    return hg_add(gradient_only, hg_stop_gradient(hg_sqrt(square)));
}

static const hg_penalty_kind contractive_norm = {
    .kind = { "contractive_norm", sizeof(hg_contractive_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_contractive_spec, gamma, "[0, inf)", 0), { 0 } } },
    .apart = true,
    .apply = norm,
};

#define MODEL(weight)                                                                                        \
    {                                                                                                        \
        .name = "contractive", .input = { 1, 28, 28 },                                                       \
        .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },                          \
        .decoder = HG_MIRROR, .tied = true, .loss = HG_BINARY_CROSS_ENTROPY,                                 \
        .penalties = { { &contractive_norm, &(const hg_contractive_spec){ .gamma = weight } } }              \
    }

static const hg_autoencoder loose = MODEL(0), contracted = MODEL(0.1);

static const hg_training training = { .epochs = 20, .batch = 10, .optimizer = HG_SGD(.rate = 0.01) };

const recipe contractive = {
    .name = "contractive",
    .description = "784-500-784, tied, logistic units, 20 epochs of 50000 images; root of the mean |J|^2",
    .trials = { { .name = "lambda 0", .model = &loose, .training = &training, .samples = 50000 },
                { .name = "lambda 0.1", .model = &contracted, .training = &training, .samples = 50000 } },
    .targets = { { "|J|, last epoch", training_penalty, .trial = 0 },
                 { "|J|, last epoch", training_penalty, .trial = 1, .below = 0.5, .than = 0 } },
};
