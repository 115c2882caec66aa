/* The deep autoencoder of logistic units, as it starts, and after stacked pre-training (T14). */
#include "recipes.h"

#define UNITS(n) HG_DENSE(n, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4))
#define EPOCHS(n) { .epochs = n, .batch = 256, .optimizer = HG_ADAM(.rate = 0.001), .schedule = HG_COSINE }
#define LAYER EPOCHS(5)
#define ERROR "test squared error per image"

static const hg_autoencoder model = {
    .name = "deep",
    .input = { 1, 28, 28 },
    .encoder = { UNITS(1000), UNITS(500), UNITS(250), HG_DENSE(30, .init = HG_XAVIER_GAIN(4)) },
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
};

static const hg_stack stack = { .autoencoder = &model, .layer = { LAYER, LAYER, LAYER, LAYER } };

static const hg_training training = EPOCHS(40), short_training = EPOCHS(10);

const recipe deep_logistic = {
    .name = "deep-logistic",
    .description = "784-1000-500-250-30 and back, logistic units, a linear code",
    .trials = { { .name = "40 epochs", .model = &model, .training = &training },
                { .name = "pre-trained (5 epochs a layer), 40 epochs", .model = &model, .stack = &stack,
                  .training = &training },
                { .name = "10 epochs", .model = &model, .training = &short_training },
                { .name = "pre-trained (5 epochs a layer), 10 epochs", .model = &model, .stack = &stack,
                  .training = &short_training } },
    .targets = { { ERROR, test_squared_error, .most = 4.8 },
                 { ERROR, test_squared_error, .trial = 1, .most = 4.8 },
                 { ERROR, test_squared_error, .trial = 2 },
                 { ERROR, test_squared_error, .trial = 3, .below = 1, .than = 2 } },
};
