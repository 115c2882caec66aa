/* The training loop. A training has a graph of its own, whose parameters are copied to the model after each good epoch: so
   the model never holds anything of an epoch that went wrong. */
#include "config.h"

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/train.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPORTS_PER_SECOND = 8 };

typedef struct trainer {
    hg_model         *model;
    const hg_dataset *data;
    hg_training       options; /* with the defaults filled in */
    hg_graph         *graph;
    hg_parts          parts;
    hg_updates       *updates;
    hg_tensor       **output; /* loss, objective, the updates */
    hg_batch_plans    plans;
    int64_t          *split, *order;   /* samples to train on, then those held out; the epoch's order */
    int64_t           samples, judged; /* number of samples to train on, and to validate with */
    const hg_dataset *judge;
    const int64_t    *judge_index;
    int64_t           step; /* of the whole training, from 1 */
    double            loss, objective; /* sums over the epoch's samples so far */
    double            epoch_start, last_report;
    double            best_loss; /* of the validation, and the parameters then */
    int64_t           best_epoch;
    char             *best;
    hg_report         report;
} trainer;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Options -------------------------------------------------------------------------------------------- */

static const hg_field training_fields[] = {
    HG_INT_FIELD(hg_training, epochs, "[1, inf)", 20),
    HG_INT_FIELD(hg_training, batch, "[1, inf)", 128),
    HG_NUMBER_FIELD(hg_training, valid_fraction, "[0, 1)", 0),
    HG_INT_FIELD(hg_training, patience, "[0, inf)", 0),
    { 0 },
};
