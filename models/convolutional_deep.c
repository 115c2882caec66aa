/* Deeper convolutional autoencoders: three strided convolutions of 32, 64 and 128 channels, batch-normalised, around a dense
   code; for 28x28 grey and for 32x32 colour images. */
#include "models.h"

#define DOWN(channels)                                                                                        \
    HG_CONV2D(channels, .kernel = 3, .stride = 2, .pad = 1, .no_bias = true), HG_BATCH_NORM(hg_relu)
#define UP(channels, to)                                                                                      \
    HG_CONV_TRANSPOSE2D(channels, .kernel = 3, .stride = 2, .pad = 1, .size = to, .no_bias = true),           \
        HG_BATCH_NORM(hg_relu)
#define IMAGE(channels) HG_CONV_TRANSPOSE2D(channels, .kernel = 3, .stride = 2, .pad = 1, .act = hg_sigmoid)

const hg_autoencoder hg_convolutional_deep = {
    .name = "convolutional-deep",
    .description = "three convolutions of 32, 64, 128 channels with batch normalisation: a code of 32 numbers for 28x28 grey images",
    .input = { 1, 28, 28 },
    .encoder = { DOWN(32), DOWN(64), DOWN(128), HG_DENSE(32) },
    .decoder = { HG_DENSE(128 * 4 * 4, .act = hg_relu), HG_RESHAPE(128, 4, 4), UP(64, 7), UP(32, 14), IMAGE(1) },
};

const hg_autoencoder hg_convolutional_deep_colour = {
    .name = "convolutional-deep-colour",
    .description = "three convolutions of 32, 64, 128 channels with batch normalisation: a code of 128 numbers for 32x32 colour images",
    .input = { 3, 32, 32 },
    .encoder = { DOWN(32), DOWN(64), DOWN(128), HG_DENSE(128) },
    .decoder = { HG_DENSE(128 * 4 * 4, .act = hg_relu), HG_RESHAPE(128, 4, 4), UP(64, 8), UP(32, 16), IMAGE(3) },
};
