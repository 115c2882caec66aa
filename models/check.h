/* What the proofs of a declaration share. */
#ifndef HG_MODELS_CHECK_H
#define HG_MODELS_CHECK_H

#include "models.h"

#include <hourglass/check.h>
#include <hourglass/grad.h>

typedef struct hg_prover {
    const hg_autoencoder *declaration;
    hg_proof_options      options; /* defaults filled in */
    hg_graph             *graph;   /* of a training, f64 */
    hg_parts              parts;
    int                   parameters;
    hg_tensor           **parameter, **gradient;
    int64_t               numbers; /* in the samples: d B */
    double               *samples; /* d x B, strictly inside of the declared range */
    hg_proof_take        *take;
    void                 *to;
    int                   failed; /* proofs that do not hold */
    hg_error             *error;
} hg_prover;

/* A kind of proof: does nothing where it does not apply. An error is latched in p->error. */
typedef void hg_prove(hg_prover *p);
hg_prove hg_prove_gradients, hg_prove_penalties, hg_prove_numbers, hg_prove_jacobians, hg_prove_contractions, hg_prove_corruption, hg_prove_tying,
    hg_prove_orthonormal, hg_prove_predictive, hg_prove_epochs;

/* Hands a proof on. */
void hg_proven(hg_prover *p, const char *name, bool holds, const char *format, ...) HG_PRINTF(4, 5);

/* A prover's graph and samples, from declaration and options; false with the error latched. To be closed either way. */
bool hg_prover_open(hg_prover *p);
void hg_prover_close(hg_prover *p);

/* The length of a term's gradient by all parameters; negative with the error latched. */
double hg_prover_gradient_length(hg_prover *p, hg_tensor *term);

/* The term of penalty `index`, NULL past the last: penalties are the last terms. */
hg_tensor *hg_prover_penalty(const hg_prover *p, int index);

/* Samples to train on. NULL with the error latched. */
hg_dataset *hg_prover_data(hg_prover *p);
/* A plan of the training graph on the samples. NULL with the error latched. */
hg_plan *hg_prover_plan(hg_prover *p, int outputs, hg_tensor *const output[]);
/* Runs it at a step, reading output i into values[i]. False with the error latched. */
bool hg_prover_step(hg_prover *p, hg_plan *plan, int64_t step, int outputs, hg_tensor *const output[],
                    double *const values[]);
/* Both, once. */
bool hg_prover_run(hg_prover *p, int64_t step, int outputs, hg_tensor *const output[], double *const values[]);
/* Numbers in a tensor on these samples. */
int64_t hg_prover_count(const hg_prover *p, const hg_tensor *tensor);
/* Memory for them; NULL with the error latched. */
double *hg_prover_alloc(hg_prover *p, int64_t count);
/* Latches the graph's error if it has one; true if not. */
bool hg_prover_good(hg_prover *p);

#endif
