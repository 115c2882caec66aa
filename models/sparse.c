/* A sparse autoencoder: each of 100 units is to be active for a twentieth of the samples (T7). The usual weight of 3 is for
   squared errors; beside a cross-entropy of 784 numbers it leaves the units at a tenth. */
#include "models.h"

const hg_autoencoder hg_sparse = {
    .name = "sparse",
    .description = "784-100-784: logistic units, on average active for one sample in twenty",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(100, .act = hg_sigmoid) },
    .decoder = { HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_SPARSE(0.05, 10) },
};
