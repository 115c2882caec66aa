/* A denoising autoencoder by plain gradient descent (T9), epoch by epoch beside the published errors. The
   published rate of 0.001 is that of a loss |y - x|^2; of 1/2 |y - x|^2 it is twice that. */
#include "recipes.h"

#define AFTER(number, error)                                                                                 \
    { .what = "squared error per corrupted image, epoch " #number, .metric = watched_error, .epoch = number, \
      .near = error, .within = 0.03 }

static const hg_autoencoder model = {
    .name = "denoising",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_tanh, .init = HG_UNIFORM(0.025)) },
    .decoder = { HG_DENSE(784, .init = HG_UNIFORM(0.025)) },
    .corrupt = HG_MASKING(0.2),
};

const recipe denoising = {
    .name = "denoising",
    .description = "784-500 tanh and back, 20 % masked; errors of the first 500 training images",
    .quick = true,
    .trials = { { .model = &model, .samples = 50000, .watched = 500,
                  .training = &(const hg_training){ .epochs = 10, .batch = 100,
                                                    .optimizer = HG_SGD(.rate = 2 * 0.001) } } },
    .targets = { AFTER(0, 85.4), AFTER(1, 29.2), AFTER(2, 22.0), AFTER(3, 18.5), AFTER(4, 16.3),
                 AFTER(5, 14.8), AFTER(6, 13.7), AFTER(7, 12.9), AFTER(8, 12.3), AFTER(9, 11.7),
                 AFTER(10, 11.4) },
};
