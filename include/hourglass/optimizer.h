/* Optimisers, as constant data. An update is a part of the graph: assignments to parameters and to the optimiser's states,
   so a whole training step is one plan. Full-batch methods evaluate plans from outside instead. */
#ifndef HOURGLASS_OPTIMIZER_H
#define HOURGLASS_OPTIMIZER_H

#include <hourglass/plan.h>
#include <hourglass/spec.h>

typedef struct hg_optimizer_kind hg_optimizer_kind;
typedef struct hg_minimizer      hg_minimizer;
typedef struct hg_optimizer {
    const hg_optimizer_kind *kind;
    const void              *spec;
} hg_optimizer;

#define HG_UPDATE_SCALARS 4
#define HG_UPDATE_ASSIGNMENTS 4
struct hg_optimizer_kind {
    hg_kind kind;
    /* Scalars that change from step to step, computed in double and written before each run. `factor` multiplies the rate:
       it is a schedule's, else 1. */
    int         scalars;
    const char *scalar[HG_UPDATE_SCALARS];
    void (*prepare)(const void *spec, int64_t step, double factor, double scalars[]); /* step 1, 2, ... */
    /* The assignments of one parameter's update, the parameter's own last; returns how many. */
    int (*update)(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *spec,
                  hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS]);
    /* Of full-batch methods, in place of all that. */
    const hg_minimizer *minimizer;
};

HG_API extern const hg_kind *const hg_optimizer_kinds[];

/* ---- By mini-batches: p a parameter, g its gradient, all elementwise; states start at 0 ---------------------- */

/* v <- momentum v + g; p <- p - rate v, or with Nesterov's momentum p <- p - rate (g + momentum v). */
typedef struct hg_sgd_spec {
    double rate;     /* 0.01 */
    double momentum; /* 0 */
    bool   nesterov;
} hg_sgd_spec;
HG_API extern const hg_optimizer_kind hg_sgd_optimizer;
#define HG_SGD(...) { &hg_sgd_optimizer, &(const hg_sgd_spec){ __VA_ARGS__ } }

/* m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; with t the step,
   p <- p - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) (Kingma and Ba, 2015). What is kept are the sums
   m / (1 - beta1) and v / (1 - beta2): all factors that follow go into rate and epsilon, once a step, in double. */
typedef struct hg_adam_spec {
    double rate;    /* 0.001 */
    double beta1;   /* 0.9 */
    double beta2;   /* 0.999 */
    double epsilon; /* 1e-8 */
} hg_adam_spec;
HG_API extern const hg_optimizer_kind hg_adam_optimizer;
#define HG_ADAM(...) { &hg_adam_optimizer, &(const hg_adam_spec){ __VA_ARGS__ } }

/* Whether a parameter is a weight: it has two axes or more. Weights decay, biases never do. */
HG_API bool hg_is_weight(const hg_tensor *parameter);

/* Adam with p <- p - rate (... + weight_decay p) for weights (Loshchilov and Hutter, 2019): the decay is no part of the
   gradient, so nothing rescales it. */
typedef struct hg_adamw_spec {
    double rate;         /* 0.001 */
    double beta1;        /* 0.9 */
    double beta2;        /* 0.999 */
    double epsilon;      /* 1e-8 */
    double weight_decay; /* 0.01 */
} hg_adamw_spec;
HG_API extern const hg_optimizer_kind hg_adamw_optimizer;
#define HG_ADAMW(...) { &hg_adamw_optimizer, &(const hg_adamw_spec){ __VA_ARGS__ } }

/* s <- s + g^2; p <- p - rate g / (sqrt(s) + epsilon) (Duchi, Hazan and Singer, 2011). */
typedef struct hg_adagrad_spec {
    double rate;    /* 0.01 */
    double epsilon; /* 1e-10 */
} hg_adagrad_spec;
HG_API extern const hg_optimizer_kind hg_adagrad_optimizer;
#define HG_ADAGRAD(...) { &hg_adagrad_optimizer, &(const hg_adagrad_spec){ __VA_ARGS__ } }

/* s <- rho s + (1 - rho) g^2; v <- momentum v + g / (sqrt(s) + epsilon); p <- p - rate v (Tieleman and Hinton, 2012).
   What is kept is s / (1 - rho), as in Adam. */
typedef struct hg_rmsprop_spec {
    double rate;     /* 0.001 */
    double rho;      /* 0.9 */
    double momentum; /* 0 */
    double epsilon;  /* 1e-8 */
} hg_rmsprop_spec;
HG_API extern const hg_optimizer_kind hg_rmsprop_optimizer;
#define HG_RMSPROP(...) { &hg_rmsprop_optimizer, &(const hg_rmsprop_spec){ __VA_ARGS__ } }

/* ---- By the whole data -------------------------------------------------------------------------------------- */

/* A function f to be minimised. */
typedef struct hg_objective {
    int64_t size; /* numbers in x */
    /* f and its gradient at x, which may be rounded to what f can represent. A value that is not finite counts as
       infinite; a failure ends the method. */
    hg_status (*evaluate)(void *context, double x[], double *value, double gradient[]);
    void *context;
    bool  changes; /* f differs from iteration to iteration (it draws other noise), but not within one */
} hg_objective;

typedef struct hg_iteration {
    double      value;       /* f at the new x */
    double      steepness;   /* the largest entry of its gradient, in magnitude */
    int64_t     evaluations; /* in this iteration; its last one was at the new x */
    const char *ended;       /* why there is no iteration to follow, NULL if there is */
} hg_iteration;

/* A method that keeps `memory` from iteration to iteration. */
struct hg_minimizer {
    void *(*begin)(const void *spec, int64_t size); /* spec: resolved; NULL if memory runs out */
    /* Moves x on. HG_DIVERGED: f is not finite where the iteration starts; else a failure of the objective's. */
    hg_status (*iterate)(void *memory, const hg_objective *objective, double x[], hg_iteration *iteration);
    void (*end)(void *memory); /* accepts NULL */
};

/* Iterates until the method ends, at most `most` times; *last may be NULL, else it is of the last iteration, but counts the
   evaluations of all. A zero optimiser is L-BFGS with its defaults; one by mini-batches is refused. */
HG_API hg_status hg_minimize(hg_optimizer optimizer, const hg_objective *objective, int64_t most, double x[],
                             hg_iteration *last, hg_error *error);

/* Limited-memory BFGS in double (Nocedal and Wright, 2006, chapters 3 and 7): the step is -H gradient, H from the changes of x and of
   the gradient in the last `memory` iterations, its length a such that the strong Wolfe conditions hold,
   f(x + a p) <= f(x) + 1e-4 a f'(x; p) and |f'(x + a p; p)| <= 0.9 |f'(x; p)|. It ends when no entry of the gradient
   exceeds the tolerance, or when the line search finds nothing lower. */
typedef struct hg_lbfgs_spec {
    int64_t memory;    /* 10 */
    double  tolerance; /* 1e-5 */
} hg_lbfgs_spec;
HG_API extern const hg_optimizer_kind hg_lbfgs_optimizer;
#define HG_LBFGS(...) { &hg_lbfgs_optimizer, &(const hg_lbfgs_spec){ __VA_ARGS__ } }

/* ---- Updates, for a training loop of one's own ------------------------------------------------------------ */

/* g <- clamp(g, -value, value), then, if the norm of all gradients together exceeds `norm`, g <- g norm / |g|. 0: off. */
typedef struct hg_clipping {
    double norm, value;
} hg_clipping;

/* The updates of parameters by their gradients, as a part of their graph. A zero optimiser is Adam with its defaults, and a
   full-batch one is refused; clipping may be NULL. Returns NULL on failure (hg_graph_error). To be freed before the graph. */
typedef struct hg_updates hg_updates;
HG_API hg_updates *hg_updates_new(hg_optimizer optimizer, const hg_clipping *clipping, int count,
                                  hg_tensor *const parameter[], hg_tensor *const gradient[]);
HG_API void        hg_updates_free(hg_updates *updates); /* accepts NULL */
/* The assignments, to be among a plan's outputs. */
HG_API hg_tensor *const *hg_updates_outputs(const hg_updates *updates, int *count);
/* What the rate is multiplied by from now on: a schedule's factor. 1 at first. */
HG_API void hg_updates_set_factor(hg_updates *updates, double factor);
/* The rate of the kind's spec times that factor; 0 if it has none. */
HG_API double hg_updates_rate(const hg_updates *updates);
/* Before a run of such a plan: writes the scalars for this step (1, 2, ...). */
HG_API hg_status hg_updates_prepare(const hg_updates *updates, hg_plan *plan, int64_t step);

#endif
