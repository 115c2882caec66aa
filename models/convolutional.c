/* A small convolutional autoencoder: 1x28x28, 16x10x10, 16x5x5, 8x3x3, a code of 8x2x2; back by 16x5x5 and 8x15x15. */
#include "models.h"

const hg_autoencoder hg_convolutional = {
    .name = "convolutional",
    .description = "convolutions and max pools: a code of 8x2x2 numbers for 28x28 grey images",
    .input = { 1, 28, 28 },
    .encoder = { HG_CONV2D(16, .kernel = 3, .stride = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                 HG_CONV2D(8, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2, .stride = 1) },
    .decoder = { HG_CONV_TRANSPOSE2D(16, .kernel = 3, .stride = 2, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(8, .kernel = 5, .stride = 3, .pad = 1, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(1, .kernel = 2, .stride = 2, .pad = 1, .act = hg_tanh) },
    .scale = HG_SCALE(-1, 1),
    .loss = HG_SQUARED_ERROR,
    .penalties = { HG_WEIGHT_DECAY(1e-5) },
    .training = { .epochs = 20, .batch = 128, .optimizer = HG_ADAM(.rate = 0.001) },
};
