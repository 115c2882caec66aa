/* A contractive autoencoder: a code that changes little with its input (T8). */
#include "models.h"

const hg_autoencoder hg_contractive = {
    .name = "contractive",
    .description = "784-500-784, tied: logistic units, the Jacobian of the code kept small",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .tied = true,
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_CONTRACTIVE(0.1) },
    .training = { .epochs = 20, .batch = 10, .optimizer = HG_SGD(.rate = 0.01) },
};
