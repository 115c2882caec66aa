/* A variational autoencoder with a Bernoulli decoder (T18): decoded draws from N(0, I) look like the data. */
#include "models.h"

const hg_autoencoder hg_variational = {
    .name = "variational",
    .description = "784-400-20-400-784: a code of 20 normal distributions",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(400, .act = hg_relu), HG_VARIATIONAL(20) },
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
};
