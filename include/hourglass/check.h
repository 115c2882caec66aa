/* Proofs of a declaration: that an autoencoder computes what it says, its own layers and penalties included. */
#ifndef HOURGLASS_CHECK_H
#define HOURGLASS_CHECK_H

#include <hourglass/model.h>

typedef struct hg_proof {
    char name[80]; /* "gradient of sparse" */
    bool holds;
    char text[HG_ERROR_TEXT]; /* what was measured, in a sentence */
} hg_proof;
typedef void hg_proof_take(const hg_proof *proof, void *to);

typedef struct hg_proof_options {
    uint64_t seed;  /* of parameters and samples; 1 */
    int64_t  batch; /* samples to prove it on; 5 */
    int64_t  most;  /* numbers of each parameter that differences are taken at; 6 */
} hg_proof_options;

/* Proves in f64, with the declared input's shape and random samples:
   - the gradients of the objective and of each of its terms equal central differences, those of contractive penalties in the
     second order too;
   - every penalty moves the gradient, and every number that it is given changes that;
   - the decoder of a tied autoencoder has the encoder's weights, transposed, and none of its own;
   - rows that are to be orthonormal stay so in training;
   - corruption differs from step to step, gets to every number of every sample, and leaves the target clean;
   - a contractive penalty is what differences of the code give, whatever the encoder;
   - contractive penalties, however they are taken, equal |J|^2 entry by entry, and estimates agree with it;
   - an epoch of training uses every sample once.
   Each proof that applies is handed to `take`. options may be NULL. HG_OK if all hold, HG_NOT_PROVEN if one does not, another
   status if the declaration cannot be built. */
HG_API hg_status hg_autoencoder_check(const hg_autoencoder *declaration, const hg_proof_options *options,
                                      hg_proof_take *take, void *to, hg_error *error);

#endif
