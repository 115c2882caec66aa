/* One layer each, a code of rectifiers. */
#include "recipes.h"

static const hg_autoencoder model = {
    .name = "shallow",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(32, .act = hg_relu) },
    .decoder = { HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_BINARY_CROSS_ENTROPY,
};

const recipe shallow = {
    .name = "shallow",
    .description = "784-32 ReLU and back to a sigmoid, 50 epochs",
    .quick = true,
    .trials = { { .model = &model,
                  .training = &(const hg_training){ .epochs = 50, .batch = 256,
                                                    .optimizer = HG_ADAM(.rate = 0.001) } } },
    .targets = { { "test cross-entropy per pixel", test_cross_entropy_per_pixel, .most = 0.093 } },
};
