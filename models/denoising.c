/* Denoising autoencoders: the input is corrupted, and the clean one is to come out (T9). */
#include "models.h"

#define LOGISTIC                                                                                              \
    .input = { 1, 28, 28 }, .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },       \
    .decoder = HG_MIRROR, .tied = true, .loss = HG_BINARY_CROSS_ENTROPY,                                      \
    .training = { .epochs = 15, .batch = 20, .optimizer = HG_SGD(.rate = 0.1) }

const hg_autoencoder hg_denoising = {
    .name = "denoising",
    .description = "784-500-784, tied: learns to fill in 30 % of the pixels, masked at random",
    LOGISTIC,
    .corrupt = HG_MASKING(0.3),
};

const hg_autoencoder hg_denoising_gaussian = {
    .name = "denoising-gaussian",
    .description = "784-500-784, tied: learns to take away normal noise of deviation 0.3",
    LOGISTIC,
    .corrupt = HG_GAUSSIAN(0.3),
};

/* Errors of pixels that were corrupted count twice as much as those of the others (T19). */
const hg_autoencoder hg_denoising_salt_and_pepper = {
    .name = "denoising-salt-and-pepper",
    .description = "784-500-784, tied: learns what a quarter of the pixels were, black or white at random",
    LOGISTIC,
    .corrupt = HG_SALT_AND_PEPPER(0.25),
    .emphasis = HG_EMPHASIS(1, 0.5),
};
