/* Variational autoencoders (T18): decoded draws from N(0, I) look like the data. */
#include "models.h"

#define ENCODER { HG_DENSE(400, .act = hg_relu), HG_VARIATIONAL(20) }

/* A Bernoulli decoder: a probability for each pixel. */
const hg_autoencoder hg_variational = {
    .name = "variational",
    .description = "784-400-20-400-784: a code of 20 normal distributions",
    .input = { 1, 28, 28 },
    .encoder = ENCODER,
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
};

/* A Gaussian decoder: a mean for each pixel, all of one deviation. */
const hg_autoencoder hg_variational_gaussian = {
    .name = "variational-gaussian",
    .description = "784-400-20-400-784: a code of 20 normal distributions, and pixels that are normal too, of deviation 0.2",
    .input = { 1, 28, 28 },
    .encoder = ENCODER,
    .decoder = HG_MIRROR,
    .loss = HG_GAUSSIAN_LIKELIHOOD(0.2),
};
