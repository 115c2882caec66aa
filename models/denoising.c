/* A denoising autoencoder: 30 % of the input is masked, and the clean one is to come out (T9). */
#include "models.h"

const hg_autoencoder hg_denoising = {
    .name = "denoising",
    .description = "784-500-784, tied: learns to fill in 30 % of the pixels, masked at random",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .tied = true,
    .corrupt = HG_MASKING(0.3),
    .loss = HG_BINARY_CROSS_ENTROPY,
    .training = { .epochs = 15, .batch = 20, .optimizer = HG_SGD(.rate = 0.1) },
};
