/* The deep autoencoder with rectifiers. */
#include "recipes.h"

static const hg_autoencoder model = {
    .name = "deep, ReLU",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(1000, .act = hg_relu), HG_DENSE(500, .act = hg_relu), HG_DENSE(250, .act = hg_relu),
                 HG_DENSE(30) },
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
};

const recipe deep_relu = {
    .name = "deep-relu",
    .description = "784-1000-500-250-30 and back, ReLU, a linear code, 25 epochs",
    .trials = { { .model = &model,
                  .training = &(const hg_training){ .epochs = 25, .batch = 256, .schedule = HG_COSINE,
                                                    .optimizer = HG_ADAM(.rate = 0.001) } } },
    .targets = { { "test squared error per image", test_squared_error, .most = 4.0 } },
};
