/* Training: mini-batches in an order drawn from the seed, each epoch using every sample once. */
#ifndef HOURGLASS_TRAIN_H
#define HOURGLASS_TRAIN_H

#include <hourglass/data.h>
#include <hourglass/model.h>
#include <hourglass/optimizer.h>
#include <hourglass/schedule.h>

/* What a training reports: several times a second, and at the end of each epoch. */
typedef struct hg_report {
    int64_t epoch, epochs;      /* from 1 */
    int64_t step, steps;        /* mini-batches done in this epoch, and in a whole one; with a full-batch optimiser, parts
                                   of the data, of the evaluation that is under way */
    bool    epoch_done;
    double  train_loss;         /* mean over this epoch's samples so far, while it learned, without penalties */
    double  train_penalty;      /* what the penalties add to it */
    double  valid_loss;         /* after the epoch, without penalties; NaN before that or without validation data */
    double  samples_per_second; /* in this epoch */
    double  seconds_left;       /* of the training, should it run all its epochs */
    double  rate;               /* the optimiser's in the last step, schedule included; 0 if it has none */
    const char *ended;          /* why no epoch follows, a constant; NULL: the next one, or all are done */
} hg_report;
typedef void hg_progress(const hg_report *report, void *to);

/* On a terminal, a bar with the rate and the time left; elsewhere a line for each epoch. `to` is a FILE *. */
HG_API void hg_progress_bar(const hg_report *report, void *to);

/* What the first five leave at zero is what the declaration says, and else as in hg_training_settings. */
typedef struct hg_training {
    int64_t           epochs;
    int64_t           batch;          /* the last mini-batch has what is left */
    hg_optimizer      optimizer;
    hg_schedule       schedule;       /* of its rate */
    double            warm_up;        /* epochs over which the rate rises to the schedule's */
    uint64_t          seed;           /* of the samples' order; the model's */
    int               threads;        /* those of hg_model_set_threads, which this sets */
    const hg_dataset *valid;          /* judged after each epoch; none */
    double            valid_fraction; /* or this part of the samples, drawn from the seed, is held out for that; 0 */
    int64_t           patience;       /* stop after so many epochs without a lower validation loss, and go back to the
                                         parameters of the lowest; 0: run all epochs */
    hg_clipping       clip;           /* of the gradients; off */
    hg_progress      *progress;       /* called with progress_to; none */
    void             *progress_to;
    FILE             *profile;        /* where hg_plan_print leaves the plan of a whole mini-batch with the time of each of
                                         its steps, after the training; none */
} hg_training;

/* Trains a model. The data's samples have the shape of the model's input, or as many numbers if one of both is a vector.
   On failure the sentence is hg_model_error's. If the loss or a parameter stops being finite, the result is HG_DIVERGED,
   and the parameters are those of the last epoch that was good. The result is the same for any number of threads.

   With a full-batch optimiser (HG_LBFGS) an epoch is one iteration, over all samples. `batch` is then how many are computed
   at once: the objective is the mean of those of such parts, weighted by their samples, always in the same order. (A penalty
   on the mean over a mini-batch is the mean of the parts'.) All evaluations of an iteration draw the same noise, that of the
   step whose number is the epoch's; layers' running states move after it. clip, schedule and warm_up are refused. */
HG_API hg_status hg_train(hg_model *model, const hg_dataset *data, const hg_training *training);

/* ---- For a training loop of one's own ---------------------------------------------------------------------- */

/* What a training goes by: what is given, where that is zero what the declaration says, and where that is zero what is
   usual. With an optimiser that has no rate, schedule and warm-up are those given; a warm-up that is declared is no longer
   than the training. */
HG_API hg_training_settings hg_settings_for(const hg_autoencoder *declaration, hg_training_settings given);

/* order[0 ... count - 1] = a permutation of 0 ... count - 1, a function of seed, stream's name and step alone. */
HG_API void hg_shuffle(uint64_t seed, const char *stream, uint64_t step, int64_t count, int64_t order[]);

/* Plans of one computation for whole mini-batches and for another size, the last one's. Set the first four members;
   the outputs must live as long. */
typedef struct hg_batch_plans {
    hg_graph         *graph;
    int               outputs;
    hg_tensor *const *output;
    hg_plan_options   options;       /* batch: of whole mini-batches */
    hg_plan          *whole, *rest;
    int64_t           rest_batch;
} hg_batch_plans;
/* The plan for n samples, made when first asked for. Returns NULL on failure (hg_graph_error). */
HG_API hg_plan *hg_batch_plan(hg_batch_plans *plans, int64_t n);
HG_API void     hg_batch_plans_clear(hg_batch_plans *plans); /* frees the plans, not the struct */

#endif
