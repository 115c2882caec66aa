/* A convolutional autoencoder of signals: 1x256, 16x64, 32x16, a code of 8x8, and back the same way. */
#include "models.h"

const hg_autoencoder hg_signal = {
    .name = "signal",
    .description = "1-D convolutions: a code of 8x8 numbers for signals of 256",
    .input = { 1, 256 },
    .encoder = { HG_CONV1D(16, .kernel = 8, .stride = 4, .pad = 2, .act = hg_relu),
                 HG_CONV1D(32, .kernel = 8, .stride = 4, .pad = 2, .act = hg_relu),
                 HG_CONV1D(8, .kernel = 4, .stride = 2, .pad = 1) },
    .decoder = { HG_CONV_TRANSPOSE1D(32, .kernel = 4, .stride = 2, .pad = 1, .act = hg_relu),
                 HG_CONV_TRANSPOSE1D(16, .kernel = 8, .stride = 4, .pad = 2, .act = hg_relu),
                 HG_CONV_TRANSPOSE1D(1, .kernel = 8, .stride = 4, .pad = 2) },
};
