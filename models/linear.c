/* A linear autoencoder: at its best the subspace of the first 30 principal components (T10). */
#include "models.h"

const hg_autoencoder hg_linear = {
    .name = "linear",
    .description = "784-30-784, all linear: the subspace of principal components",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(30) },
    .decoder = { HG_DENSE(784) },
    .loss = HG_SQUARED_ERROR,
    .training = { .epochs = 50, .schedule = HG_COSINE },
};
