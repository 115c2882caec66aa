/* The deep autoencoder of logistic units with a linear code of 30 numbers. Logistic units need weights four times as large as
   Xavier's to start with. */
#include "models.h"

const hg_autoencoder hg_deep = {
    .name = "deep",
    .description = "784-1000-500-250-30 and back: logistic units, a linear code of 30 numbers",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(1000, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)),
                 HG_DENSE(500, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)),
                 HG_DENSE(250, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)),
                 HG_DENSE(30, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
    .training = { .epochs = 40, .batch = 256, .optimizer = HG_ADAM(.rate = 0.001), .schedule = HG_COSINE },
};
