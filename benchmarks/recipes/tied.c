/* Tied weights (T6) by plain gradient descent, without corruption and with 30 % masking (T9). */
#include "recipes.h"

#define MODEL(...)                                                                                           \
    {                                                                                                        \
        .name = "tied", .input = { 1, 28, 28 },                                                              \
        .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },                          \
        .decoder = HG_MIRROR, .tied = true, .loss = HG_BINARY_CROSS_ENTROPY, __VA_ARGS__                     \
    }

static const hg_autoencoder clean = MODEL(.corrupt = { 0 }), masked = MODEL(.corrupt = HG_MASKING(0.3));

static const hg_training training = { .epochs = 15, .batch = 20, .optimizer = HG_SGD(.rate = 0.1) };

const recipe tied = {
    .name = "tied",
    .description = "784-500-784, tied, logistic units, 15 epochs of 50000 images",
    .trials = { { .name = "clean", .model = &clean, .training = &training, .samples = 50000 },
                { .name = "30 % masked", .model = &masked, .training = &training, .samples = 50000 } },
    .targets = { { "training loss per image, last epoch", training_loss, .near = 51.5, .within = 0.01 },
                 { "training loss per image, last epoch", training_loss, .trial = 1, .near = 64.8,
                   .within = 0.01 } },
};
