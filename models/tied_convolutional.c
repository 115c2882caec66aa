/* Tied weights of convolutions: the decoder's kernels are the encoder's, transposed (T6). */
#include "models.h"

const hg_autoencoder hg_tied_convolutional = {
    .name = "tied-convolutional",
    .description = "two strided convolutions and a dense layer, each one's weights for both sides: a code of 32 numbers",
    .input = { 1, 28, 28 },
    .encoder = { HG_CONV2D(16, .kernel = 4, .stride = 2, .pad = 1, .act = hg_relu),
                 HG_CONV2D(32, .kernel = 4, .stride = 2, .pad = 1, .act = hg_relu), HG_DENSE(32) },
    .decoder = HG_MIRROR,
    .tied = true,
    .loss = HG_BINARY_CROSS_ENTROPY,
};
