/* Recipes: autoencoders with the settings of a published or measured result, as data, and what they must
   reach on MNIST. */
#ifndef HG_BENCHMARKS_RECIPES_H
#define HG_BENCHMARKS_RECIPES_H

#include <hourglass.h>

enum { MOST_TRIALS = 4, MOST_TARGETS = 12, MOST_EPOCHS = 64 };

/* A model trained in up to three ways, one after the other; what is NULL is left out. */
typedef struct trial {
    const char                   *name;
    const hg_autoencoder         *model;
    const hg_stack               *stack; /* pre-training, layer by layer: of this model, or of another,
                                            whose encoder's parameters it then takes */
    const hg_training            *training;
    const hg_classifier_training *classifier; /* fine-tuning with a softmax head */
    int64_t                       samples;    /* of the training data, the first ones; 0: all */
    int64_t                       watched;    /* of those, how many are reconstructed from corrupted input
                                                 before training and after each epoch; 0: none */
} trial;

typedef struct trial_run trial_run;
/* A number to judge a trial by, after it; `epoch` chooses from what was recorded before training (0) and
   after each epoch. */
typedef hg_status metric(trial_run *run, int64_t epoch, double *value);

metric test_squared_error; /* |y - x|^2 per image */
metric test_cross_entropy_per_pixel;
metric test_class_error; /* in percent, of the softmax head */
metric pca_angle;        /* the largest between the decoder's columns and as many components, in degrees */
metric training_loss;    /* per image, mean over the last epoch, while it learned */
metric training_penalty;
metric watched_error; /* |y - x|^2 per image watched, y from corrupted x */

/* One of `most`, `near` and `below` is given, or none where the number is only to be seen. */
typedef struct target {
    const char *what;
    metric     *metric;
    int         trial; /* from 0 */
    int64_t     epoch;
    double      most;         /* at most this, */
    double      near, within; /* or near (1 - within) to near (1 + within), */
    double      below;        /* or less than this times the number of the target `than`, */
    int         than;         /* which is of an earlier trial */
} target;

typedef struct recipe {
    const char *name, *description;
    bool        quick; /* takes a minute or less */
    trial       trials[MOST_TRIALS];
    target      targets[MOST_TARGETS];
} recipe;

extern const recipe contractive, deep_logistic, deep_relu, denoising, linear, shallow, stacked, stacked_short,
    tied;

struct trial_run {
    const trial      *trial;
    const hg_dataset *train, *test;
    hg_model         *model; /* gets all errors */
    hg_classifier    *classifier;
    hg_report         last; /* of trial->training */
    int               threads; /* 0: as the library chooses */
    bool              show;
    double            watched[1 + MOST_EPOCHS];
};


/* Trains what a trial says. Failures are latched in run->model. */
hg_status run_trial(trial_run *run);

#endif
