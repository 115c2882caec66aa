/* A training loop for what is no autoencoder's loss: a graph with an input, an objective, and numbers to watch. */
#ifndef HG_MODELS_LOOP_H
#define HG_MODELS_LOOP_H

#include "models.h"

enum { HG_LOOP_MEASURES = 6 };

typedef struct hg_loop {
    hg_model         *model; /* gets the parameters of the same names after each good epoch, and all errors */
    const hg_dataset *data;
    const char       *what; /* begins messages */
    hg_graph         *graph;
    hg_tensor        *input, *step, *labels; /* labels: 1 x B; NULL: none */
    hg_tensor        *objective;             /* a scalar, the mean over the batch */
    int               measures;
    hg_tensor        *measure[HG_LOOP_MEASURES]; /* scalars, means over the batch */
    const hg_state_updates *states;
    const char       *untrained; /* parameters whose names begin so stay as they are; NULL: none */
    hg_tensor *(*constrain)(void *context, hg_tensor *assignment); /* of each update; may be NULL */

    hg_training_settings settings; /* zeros: the declaration's, or the usual */
    hg_clipping  clip;
    uint64_t     seed; /* the model's */
    int          threads;
    /* After each epoch: the means over it, while it learned, of the objective and the measures. */
    void (*epoch_done)(void *context, const hg_report *report, const double measures[]);
    void *context;
} hg_loop;

hg_status hg_loop_run(hg_loop *loop);

/* Values of parameters and states from one graph to those of the same names in another. */
void hg_copy_by_name(const hg_graph *from, const hg_graph *to);

#endif
