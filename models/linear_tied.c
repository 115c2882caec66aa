/* Principal components as a constraint: tied linear weights W, W W' = I all through the training (T10). */
#include "models.h"

const hg_autoencoder hg_linear_tied = {
    .name = "linear-tied",
    .description = "784-30-784, linear, one matrix with orthonormal rows: an orthogonal projection",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(30) },
    .decoder = HG_MIRROR,
    .tied = true,
    .orthonormal = true,
    .loss = HG_SQUARED_ERROR,
    .training = { .epochs = 50, .schedule = HG_COSINE },
};
