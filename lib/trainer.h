/* What the parts of hg_train share. */
#ifndef HG_TRAINER_H
#define HG_TRAINER_H

#include <hourglass/train.h>

/* Of a full-batch optimiser. */
typedef struct hg_full_batch {
    const hg_minimizer *minimizer; /* NULL: the training is by mini-batches */
    void          *memory;
    hg_objective   objective;
    double        *x, *values;     /* all parameters, one after the other; one of them */
    hg_batch_plans states;         /* of layers' running states */
} hg_full_batch;

typedef struct hg_trainer {
    hg_model         *model;
    const hg_dataset *data;
    hg_training       options; /* with the defaults filled in */
    hg_scheduler      scheduler;
    hg_graph         *graph;
    hg_parts          parts;
    int               parameters, outputs;
    hg_tensor       **parameter, **gradient, **output; /* output: loss, objective, the updates or the gradients */
    hg_updates       *updates;
    hg_full_batch     full;
    hg_batch_plans    plans;
    hg_batch          batch;            /* that the next run begins with */
    int64_t           samples, *sample; /* those to train on, and the others, held out, behind them */
    int64_t          *order;            /* of the samples in this epoch */
    const hg_dataset *judge;            /* validation data, and which samples of them; NULL: none */
    const int64_t    *judge_index;
    int64_t           judged;
    int64_t           step;            /* of the whole training, from 1; an epoch's number with a full-batch optimiser */
    double            loss, objective; /* summed over this epoch's, or evaluation's, samples so far */
    int64_t           seen;            /* samples computed in this epoch */
    double            started, reported;
    char             *best; /* the model's parameters and states when the validation loss was lowest */
    double            best_loss;
    int64_t           best_epoch;
    hg_report         report;
} hg_trainer;

/* Latches the graph's error in the model. */
hg_status hg_trainer_fail_by_graph(hg_trainer *t);
/* Tells a run its samples, order[begin ... begin + n - 1], and the step. */
hg_status hg_trainer_write_batch(hg_trainer *t, hg_plan *plan, int64_t begin, int64_t n);
/* Runs a plan for n samples, and adds its loss and objective to the sums. */
hg_status hg_trainer_run(hg_trainer *t, hg_plan *plan, int64_t n, double *objective);
/* The size of the part of the data that begins there. */
int64_t hg_trainer_part(const hg_trainer *t, int64_t begin);
/* After each part of the data: `done` samples of an epoch or evaluation, the last n of them new. */
void hg_trainer_report(hg_trainer *t, int64_t done, int64_t n);

/* Training by a full-batch optimiser: refuses what does not apply, begins, iterates once. Failures are latched in the model. */
hg_status hg_full_batch_begin(hg_trainer *t);
hg_status hg_full_batch_epoch(hg_trainer *t);
void      hg_full_batch_end(hg_trainer *t);

#endif
