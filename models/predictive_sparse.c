/* Predictive sparse decomposition (T13): 256 columns of 784 numbers, and an encoder in one of two forms. */
#include "models.h"

#define DICTIONARY { HG_DENSE(784, .no_bias = true) }
#define SETTINGS { .sparsity = 0.3, .prediction = 1, .iterations = 30 }

/* f(x) = G tanh(W x + b), G diagonal */
const hg_autoencoder hg_predictive_sparse_gain = {
    .name = "predictive-sparse",
    .description = "sparse codes of 256 numbers under a dictionary, and an encoder that predicts them: gain * tanh(W x + b)",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(256, .act = hg_tanh), HG_GAIN },
    .decoder = DICTIONARY,
    .predictive_sparse = SETTINGS,
};

/* f(x) = sigmoid(W x + b) */
const hg_autoencoder hg_predictive_sparse_sigmoid = {
    .name = "predictive-sparse-sigmoid",
    .description = "the same with the encoder sigmoid(W x + b)",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(256, .act = hg_sigmoid) },
    .decoder = DICTIONARY,
    .predictive_sparse = SETTINGS,
};
