/* What the files of models/ share. */
#ifndef HG_MODELS_H
#define HG_MODELS_H

#include <hourglass/io.h>
#include <hourglass/math.h>
#include <hourglass/model.h>
#include <hourglass/op.h>
#include <hourglass/train.h>

#define HG_MODEL(name) extern const hg_autoencoder hg_##name;
#include "models.def"
#undef HG_MODEL

/* A computation of the model over samples or codes, in mini-batches. */
typedef enum hg_pass_kind {
    HG_PASS_ENCODE,
    HG_PASS_DECODE,
    HG_PASS_RECONSTRUCT,
    HG_PASS_LOSS,
    HG_PASS_EVALUATE,
    HG_PASSES
} hg_pass_kind;

#define HG_PASS_OUTPUTS 5
typedef struct hg_pass {
    hg_tensor     *source;                  /* the input that samples or codes are written to */
    hg_tensor     *output[HG_PASS_OUTPUTS]; /* up to the first NULL */
    hg_batch_plans plans;
} hg_pass;

struct hg_model {
    hg_error              error;
    const hg_autoencoder *declaration;
    hg_autoencoder       *owned; /* the declaration, where it was read from a file */
    hg_graph             *graph;
    hg_parts              parts;
    hg_tensor            *mean_image; /* input of the evaluation's baseline */
    hg_pass               pass[HG_PASSES];
    bool                  built;
    int                   threads;
    uint64_t              seed;
};

/* Builds the graph of a declaration into a new model. */
hg_model *hg_model_allocate(uint64_t seed);
void      hg_model_build(hg_model *model, const hg_autoencoder *declaration, hg_dtype dtype);
/* Latches the graph's error, or `status` if it has none. */
hg_status hg_model_fail_by_graph(hg_model *model, hg_status status);

/* Which samples a pass runs over: of a data set, or codes in memory (r x count). */
typedef struct hg_pass_source {
    const hg_dataset *data;
    const int64_t    *index; /* NULL: first, first + 1, ... */
    const double     *codes; /* instead of data */
    int64_t           first, count;
    const double     *mean_image; /* of d numbers, what HG_PASS_EVALUATE compares with */
} hg_pass_source;
/* Gets the plan after each run, over samples done ... done + n - 1 of the source. */
typedef hg_status hg_pass_take(void *to, const hg_pass *pass, hg_plan *plan, int64_t done, int64_t n);
hg_status hg_pass_run(hg_model *model, hg_pass_kind kind, const hg_pass_source *source, hg_pass_take *take, void *to);

/* y with `by` in the place of x: the ops between x and y are applied again, all else is shared. */
hg_tensor *hg_substitute(hg_tensor *y, hg_tensor *x, hg_tensor *by);

#endif
