/* Tied weights: the decoder's are the encoder's, transposed (T6). Logistic units, weights from U(+-4 sqrt(6 / 1284)). */
#include "models.h"

const hg_autoencoder hg_tied = {
    .name = "tied",
    .description = "784-500-784: logistic units, one matrix of weights for both sides",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .tied = true,
    .loss = HG_BINARY_CROSS_ENTROPY,
    .training = { .epochs = 15, .batch = 20, .optimizer = HG_SGD(.rate = 0.1) },
};
