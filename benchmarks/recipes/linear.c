/* A linear autoencoder finds PCA's subspace (T10), if its rate decays. */
#include "recipes.h"

static const hg_autoencoder model = {
    .name = "linear",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(30) },
    .decoder = { HG_DENSE(784) },
};

const recipe linear = {
    .name = "linear",
    .description = "784-30-784 without activations; PCA with 30 numbers: 13.866",
    .quick = true,
    .trials = { { .model = &model,
                  .training = &(const hg_training){ .epochs = 50, .batch = 128, .schedule = HG_COSINE,
                                                    .optimizer = HG_ADAM(.rate = 0.001) } } },
    .targets = { { "test squared error per image", test_squared_error, .near = 13.866, .within = 0.005 },
                 { "largest angle to PCA's subspace, degrees", pca_angle, .most = 2 } },
};
