/* A stacked denoising autoencoder, fine-tuned as a classifier with dropout (T14), with and without its
   pre-training; and a shorter one of the same shape. */
#include "recipes.h"

#define UNITS(n) HG_DENSE(n, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4))
#define DROPPED(n) UNITS(n), HG_DROPOUT(0.3)
#define MODEL(...)                                                                                          \
    {                                                                                                       \
        .name = "stacked", .input = { 1, 28, 28 }, .encoder = { __VA_ARGS__ }, .decoder = HG_MIRROR,        \
        .tied = true, .loss = HG_BINARY_CROSS_ENTROPY                                                       \
    }
#define AUTOENCODER(n) MODEL(UNITS(n), UNITS(n), UNITS(n))
#define CLASSIFIER(n) MODEL(HG_DROPOUT(0.1), DROPPED(n), DROPPED(n), DROPPED(n))

#define TRAINING(number, size)                                                                              \
    .epochs = number, .batch = size, .optimizer = HG_ADAM(.rate = 0.001), .schedule = HG_COSINE
#define LAYER(probability, epochs) { .corrupt = HG_MASKING(probability), TRAINING(epochs, 256) }
#define STACK(declaration, epochs)                                                                          \
    { .autoencoder = &declaration, .layer = { LAYER(0.1, epochs), LAYER(0.2, epochs), LAYER(0.3, epochs) } }

#define TRIALS(declaration, pretraining, training)                                                          \
    {                                                                                                       \
        { .name = "not pre-trained", .model = &declaration, .classifier = &training },                      \
        { .name = "pre-trained", .model = &declaration, .stack = &pretraining, .classifier = &training }    \
    }
#define ERRORS "test errors, percent"

static const hg_autoencoder autoencoder = AUTOENCODER(1000), classifier = CLASSIFIER(1000);
static const hg_stack stack = STACK(autoencoder, 10);
static const hg_classifier_training training = { TRAINING(40, 128) };

const recipe stacked = {
    .name = "stacked",
    .description = "784-1000-1000-1000, 10, 20 and 30 % masked, and a softmax head",
    .trials = TRIALS(classifier, stack, training),
    .targets = { { ERRORS, test_class_error, .trial = 0 },
                 { ERRORS, test_class_error, .trial = 1, .most = 1.4 },
                 { ERRORS " (beside none)", test_class_error, .trial = 1, .below = 1, .than = 0 } },
};

static const hg_autoencoder short_autoencoder = AUTOENCODER(500), short_classifier = CLASSIFIER(500);
static const hg_stack short_stack = STACK(short_autoencoder, 4);
static const hg_classifier_training short_training = { TRAINING(8, 128) };

const recipe stacked_short = {
    .name = "stacked-short",
    .description = "784-500-500-500, 10, 20 and 30 % masked, and a softmax head",
    .trials = TRIALS(short_classifier, short_stack, short_training),
    .targets = { { ERRORS, test_class_error, .trial = 0 },
                 { ERRORS, test_class_error, .trial = 1, .below = 1, .than = 0 } },
};
