/* Predictive sparse decomposition (T13; Kavukcuoglu, Ranzato and LeCun, 2008): codes that are sparse under a dictionary D, and
   an encoder f that predicts them. Minimised over D, f and the codes z, mean over the samples:
       |D z - x|^2 + sparsity |z|_1 + prediction |f(x) - z|^2, each column of D of length 1. */
#ifndef HOURGLASS_PSD_H
#define HOURGLASS_PSD_H

#include <hourglass/train.h>

/* ---- Codes ---------------------------------------------------------------------------------------------------- */

typedef struct hg_fista_options {
    double  sparsity;   /* [0, inf) */
    double  prediction; /* [0, inf) */
    int64_t iterations; /* [1, 1000] */
} hg_fista_options;

/* The codes z, r x B, that minimise the above for a dictionary (d x r), by so many iterations of FISTA (Beck and Teboulle,
   2009) from `start` (r x B), which is also the f(x) of the third term. It is built of ops, one iteration after the other, and is a
   constant for gradients. The step is 1 / (2 (l + prediction)) with l >= the largest eigenvalue of D'D. */
HG_API hg_tensor *hg_fista(hg_tensor *x, hg_tensor *dictionary, hg_tensor *start, const hg_fista_options *options);
/* A bound on the largest eigenvalue of D'D, at most r^(1/8) times as large: (tr (D'D)^8)^(1/8). */
HG_API hg_tensor *hg_gram_bound(hg_tensor *dictionary);
/* D with each column divided by its length. */
HG_API hg_tensor *hg_unit_columns(hg_tensor *dictionary);

/* The terms' values, each a scalar, the mean over the batch; not yet multiplied with sparsity and prediction. */
typedef struct hg_psd_terms {
    hg_tensor *reconstruction, *magnitude, *gap; /* |D z - x|^2, |z|_1, |f(x) - z|^2 */
    hg_tensor *objective;
} hg_psd_terms;
HG_API hg_psd_terms hg_psd_objective(hg_tensor *x, hg_tensor *dictionary, hg_tensor *z, hg_tensor *prediction,
                                     const hg_fista_options *options);

/* ---- Training ------------------------------------------------------------------------------------------------- */

/* Whether a declaration says how it is to be trained so. */
HG_API bool hg_is_predictive_sparse(const hg_autoencoder *declaration);

/* What is given, where that is zero what a declaration says, and else the defaults. */
HG_API hg_status hg_fista_options_for(const hg_autoencoder *declaration, hg_predictive_sparse given,
                                      hg_fista_options *options, hg_error *error);

/* Means over an epoch's samples, while it learned. */
typedef struct hg_psd_report {
    int64_t epoch, epochs; /* from 1 */
    double  objective, reconstruction, magnitude;
    double  gap;           /* |f(x) - z|^2, between the encoder's code and FISTA's */
    double  code;          /* |z|^2, what to see the gap beside */
    double  active;        /* part of z that is not 0 */
    double  samples_per_second;
} hg_psd_report;

typedef struct hg_psd_training {
    hg_predictive_sparse settings; /* zeros: the declaration's */
    int64_t      epochs, batch;    /* these five as in hg_training */
    hg_optimizer optimizer;
    hg_schedule  schedule;
    double       warm_up;
    hg_clipping  clip;
    uint64_t     seed;   /* of the samples' order; the model's */
    int          threads;
    void (*progress)(const hg_psd_report *report, void *to); /* after each epoch; none */
    void        *progress_to;
} hg_psd_training;

/* The autoencoder's encoder is f: HG_DENSE(r, .act = ...), or that and HG_GAIN, a factor for each number of the code. Its
   decoder is D, one dense layer without bias and activation. For each mini-batch: z by FISTA from the encoder's prediction, then a step of D and f with that z, then D's columns to
   length 1. Failures are latched in the model. */
HG_API hg_status hg_psd_train(hg_model *model, const hg_dataset *data, const hg_psd_training *training);

#endif
