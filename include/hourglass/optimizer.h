/* Optimisers, as constant data. An update is a part of the graph: assignments to parameters and to the optimiser's states,
   so a whole training step is one plan. */
#ifndef HOURGLASS_OPTIMIZER_H
#define HOURGLASS_OPTIMIZER_H

#include <hourglass/plan.h>
#include <hourglass/spec.h>

typedef struct hg_optimizer_kind hg_optimizer_kind;
typedef struct hg_optimizer {
    const hg_optimizer_kind *kind;
    const void              *spec;
} hg_optimizer;

#define HG_UPDATE_SCALARS 4
#define HG_UPDATE_ASSIGNMENTS 4
struct hg_optimizer_kind {
    hg_kind kind;
    /* Scalars that change from step to step, computed in double and written before each run. */
    int         scalars;
    const char *scalar[HG_UPDATE_SCALARS];
    void (*prepare)(const void *spec, int64_t step, double scalars[]); /* step 1, 2, ... */
    /* The assignments of one parameter's update, the parameter's own last; returns how many. */
    int (*update)(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *spec,
                  hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS]);
};

HG_API extern const hg_kind *const hg_optimizer_kinds[];

/* v <- momentum v + g; p <- p - rate v, or with Nesterov's momentum p <- p - rate (g + momentum v). */
typedef struct hg_sgd_spec {
    double rate;     /* 0.01 */
    double momentum; /* 0 */
    bool   nesterov;
} hg_sgd_spec;
HG_API extern const hg_optimizer_kind hg_sgd_optimizer;
#define HG_SGD(...) { &hg_sgd_optimizer, &(const hg_sgd_spec){ __VA_ARGS__ } }

/* m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; with t the step,
   p <- p - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon). */
typedef struct hg_adam_spec {
    double rate;    /* 0.001 */
    double beta1;   /* 0.9 */
    double beta2;   /* 0.999 */
    double epsilon; /* 1e-8 */
} hg_adam_spec;
HG_API extern const hg_optimizer_kind hg_adam_optimizer;
#define HG_ADAM(...) { &hg_adam_optimizer, &(const hg_adam_spec){ __VA_ARGS__ } }

/* ---- Updates, for a training loop of one's own ------------------------------------------------------------ */

/* g <- clamp(g, -value, value), then, if the norm of all gradients together exceeds `norm`, g <- g norm / |g|. 0: off. */
typedef struct hg_clipping {
    double norm, value;
} hg_clipping;

/* The updates of parameters by their gradients, as a part of their graph. A zero optimiser is Adam with its defaults;
   clipping may be NULL. Returns NULL on failure (hg_graph_error). To be freed before the graph. */
typedef struct hg_updates hg_updates;
HG_API hg_updates *hg_updates_new(hg_optimizer optimizer, const hg_clipping *clipping, int count,
                                  hg_tensor *const parameter[], hg_tensor *const gradient[]);
HG_API void        hg_updates_free(hg_updates *updates); /* accepts NULL */
/* The assignments, to be among a plan's outputs. */
HG_API hg_tensor *const *hg_updates_outputs(const hg_updates *updates, int *count);
/* Before a run of such a plan: writes the scalars for this step (1, 2, ...). */
HG_API hg_status hg_updates_prepare(const hg_updates *updates, hg_plan *plan, int64_t step);

#endif
