/* A code much smaller than the input (T1): 784-128-32-128-784, a linear code of 32 numbers. */
#include "models.h"

const hg_autoencoder hg_undercomplete = {
    .name = "undercomplete",
    .description = "dense 784-128-32-128-784: a code of 32 numbers for 28x28 grey images",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(128, .act = hg_relu), HG_DENSE(32) },
    .decoder = { HG_DENSE(128, .act = hg_relu), HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_SQUARED_ERROR,
};
