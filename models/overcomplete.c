/* A code wider than the input, which only its sparsity keeps from copying (T19). */
#include "models.h"

const hg_autoencoder hg_overcomplete = {
    .name = "overcomplete",
    .description = "784-1000-784: more code than input, kept sparse by the absolute values of its numbers",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(1000, .act = hg_relu) },
    .decoder = { HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_L1(0.1) },
};
