/* PCA as an autoencoder (T10): the first 30 components of 28x28 grey images. It is not trained, but computed. */
#include "models.h"

const hg_autoencoder hg_principal_components = {
    .name = "pca",
    .description = "the principal components, computed: the best linear code (30 numbers for 28x28 grey images)",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(30) },
    .decoder = { HG_DENSE(784) },
};
