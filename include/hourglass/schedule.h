/* Schedules, as constant data: what an optimiser's rate is multiplied by, step by step. It is computed in double, and does
   not depend on threads. */
#ifndef HOURGLASS_SCHEDULE_H
#define HOURGLASS_SCHEDULE_H

#include <hourglass/spec.h>

typedef struct hg_schedule_kind hg_schedule_kind;
typedef struct hg_schedule {
    const hg_schedule_kind *kind; /* NULL: constant */
    const void             *spec;
} hg_schedule;

/* Where a training is: before a step. All from 1. */
typedef struct hg_training_time {
    int64_t epoch, epochs; /* this one, and how many there will be */
    int64_t step, steps;   /* of this epoch */
} hg_training_time;

#define HG_SCHEDULE_MEMORY 4
struct hg_schedule_kind {
    hg_kind kind;
    double (*factor)(const void *spec, const hg_training_time *time, const double memory[HG_SCHEDULE_MEMORY]);
    /* What an epoch's loss changes; the memory starts at zeros. Absent: the loss does not matter. */
    void (*observe)(const void *spec, double loss, double memory[HG_SCHEDULE_MEMORY]);
};

HG_API extern const hg_kind *const hg_schedule_kinds[];

/* 1 */
HG_API extern const hg_schedule_kind hg_constant_schedule;
#define HG_CONSTANT { &hg_constant_schedule, NULL }

/* factor^k after k times `every` epochs. */
typedef struct hg_step_schedule_spec {
    int64_t every;  /* epochs; must be given */
    double  factor; /* 0.1 */
} hg_step_schedule_spec;
HG_API extern const hg_schedule_kind hg_step_schedule;
#define HG_STEP_DECAY(...) { &hg_step_schedule, &(const hg_step_schedule_spec){ .every = __VA_ARGS__ } }

/* floor + (1 - floor) (1 + cos(pi s)) / 2, where s is the part of the whole training's steps that are done. */
typedef struct hg_cosine_spec {
    double floor; /* 0 */
} hg_cosine_spec;
HG_API extern const hg_schedule_kind hg_cosine_schedule;
#define HG_COSINE           { &hg_cosine_schedule, NULL }
#define HG_COSINE_TO(floor) { &hg_cosine_schedule, &(const hg_cosine_spec){ floor } }

/* Multiplied by `factor` whenever `patience` epochs in a row have not brought the loss below the lowest so far by more than
   threshold times that; but never below floor. The loss is the validation data's, or the training's with its penalties
   where there are none. */
typedef struct hg_plateau_spec {
    int64_t patience;  /* 10 */
    double  factor;    /* 0.1 */
    double  threshold; /* 0.0001 */
    double  floor;     /* 0 */
} hg_plateau_spec;
HG_API extern const hg_schedule_kind hg_plateau_schedule;
#define HG_PLATEAU(...) { &hg_plateau_schedule, &(const hg_plateau_spec){ .patience = __VA_ARGS__ } }

/* ---- For a training loop of one's own ---------------------------------------------------------------------- */

typedef struct hg_scheduler {
    const hg_schedule_kind *kind;
    union {
        max_align_t aligned;
        char        bytes[HG_SPEC_BYTES];
    } spec;
    double warm_up; /* epochs */
    double memory[HG_SCHEDULE_MEMORY];
} hg_scheduler;

/* warm_up: over so many epochs, perhaps a fraction, whatever the schedule gives is multiplied by k / (warm_up steps), k being
   the step, from 1, until that is 1; 0: at once. Nothing is to be freed. */
HG_API hg_status hg_scheduler_start(hg_scheduler *scheduler, hg_schedule schedule, double warm_up, hg_error *error);
HG_API double    hg_scheduler_factor(const hg_scheduler *scheduler, const hg_training_time *time);
HG_API void      hg_scheduler_observe(hg_scheduler *scheduler, double loss); /* after each epoch */

#endif
