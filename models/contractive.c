/* Contractive autoencoders: a code that changes little with its input (T8), and evenly so nearby (T19). */
#include "models.h"

#define LOGISTIC                                                                                              \
    .input = { 1, 28, 28 }, .encoder = { HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },       \
    .decoder = HG_MIRROR, .tied = true, .loss = HG_BINARY_CROSS_ENTROPY,                                      \
    .training = { .epochs = 20, .batch = 10, .optimizer = HG_SGD(.rate = 0.01) }

const hg_autoencoder hg_contractive = {
    .name = "contractive",
    .description = "784-500-784, tied: logistic units, the Jacobian of the code kept small",
    LOGISTIC,
    .penalties = { HG_CONTRACTIVE(0.1) },
};

const hg_autoencoder hg_contractive_higher = {
    .name = "contractive-higher",
    .description = "784-500-784, tied: logistic units, the Jacobian of the code kept small, and from changing nearby",
    LOGISTIC,
    .penalties = { HG_CONTRACTIVE(0.1), HG_CONTRACTIVE_HIGHER(0.1, .deviation = 0.25) },
};
