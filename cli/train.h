/* What the ways of training share. */
#ifndef HG_CLI_TRAIN_H
#define HG_CLI_TRAIN_H

#include "cli.h"

#include <stdalign.h>

typedef struct hg_train_options {
    const char *data, *valid, *optimizer, *rate, *schedule, *out, *pretrain;
    int64_t     epochs, batch, patience, seed, threads, code;
    double      valid_fraction, clip, warm_up, sparsity;
    bool        classify, profile;
} hg_train_options;

/* What each epoch left, and what to say about it. */
typedef struct hg_history {
    hg_model         *model; /* to diagnose; NULL: not */
    const hg_dataset *data;
    hg_pca           *pca; /* of a linear model's data; NULL: no linear model */
    double            pca_error;
    hg_report        *epoch;
    double           *angle; /* to PCA, in degrees */
    size_t            count, room;
    bool              full; /* memory ran out */
    bool              encoder_alone; /* is trained: diagnoses of the rest are not printed */
    const char       *said[HG_MOST_DIAGNOSES];
} hg_history;

void hg_history_free(hg_history *history); /* what it holds */
/* An hg_progress: prints, records, diagnoses. */
void hg_observe(const hg_report *report, void *history);
/* After an epoch that was printed otherwise: records and diagnoses. */
void hg_record(const hg_report *report, hg_history *history);
/* If the model is linear and trained by squared error, its epochs will be compared with PCA; the exit status. */
int hg_compare_with_pca(hg_history *history);
/* How long it took to come close to PCA. */
void hg_print_convergence(const hg_history *history);
int hg_write_history(const hg_history *history, const char *directory, const char *name);

/* A training that is about to begin. */
typedef struct hg_job {
    const hg_train_options *options;
    hg_model               *model;
    const hg_dataset       *data, *valid; /* valid: NULL if there are none */
    const char             *directory;
    hg_training             training;
    hg_history              history;
    alignas(max_align_t) char optimizer_spec[HG_SPEC_BYTES];
    alignas(max_align_t) char schedule_spec[HG_SPEC_BYTES];
} hg_job;

/* The ways of training; each returns the exit status. */
int hg_job_usual(hg_job *job); /* with pre-training and as a classifier too, if asked for */
int hg_job_pca(hg_job *job);
int hg_job_psd(hg_job *job);

/* Data to judge by: the validation data, or those trained on. */
const hg_dataset *hg_job_judge(const hg_job *job);
/* The model file, pictures, and a line of errors. */
int hg_job_finish(hg_job *job);
/* Fails with a message; the exit status. */
int hg_job_failed(const hg_job *job);

#endif
