/* A denoising autoencoder: a quarter of the input is masked, and the clean one is to come out (T9). */
#include "models.h"

const hg_autoencoder hg_denoising = {
    .name = "denoising",
    .description = "784-500-784, tied: learns to fill in a quarter of the pixels, masked at random",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .tied = true,
    .corrupt = HG_MASKING(0.25),
    .loss = HG_BINARY_CROSS_ENTROPY,
};
