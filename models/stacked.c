/* A stacked denoising autoencoder (T14; Vincent et al., 2010): three layers of 1000 logistic units, which are pre-trained with
   10, 20 and 30 % of what they see masked, by cross-entropy. */
#include "models.h"

#define UNITS(n) HG_DENSE(n, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4))
#define LAYER(probability) { .corrupt = HG_MASKING(probability), .epochs = 15 }

const hg_autoencoder hg_stacked = {
    .name = "stacked",
    .description = "stacked denoising 784-1000-1000-1000 and back, pre-trained layer by layer",
    .input = { 1, 28, 28 },
    .encoder = { UNITS(1000), UNITS(1000), UNITS(1000) },
    .decoder = HG_MIRROR,
    .corrupt = HG_MASKING(0.1),
    .loss = HG_BINARY_CROSS_ENTROPY,
    .pretraining = { LAYER(0.1), LAYER(0.2), LAYER(0.3) },
};
