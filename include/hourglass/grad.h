/* Reverse mode: a gradient is a graph. */
#ifndef HOURGLASS_GRAD_H
#define HOURGLASS_GRAD_H

#include <hourglass/tensor.h>

/* grad[i] = d loss / d wrt[i], a tensor of the same graph and of wrt[i]'s shape; zeros where loss does not depend on it.
   loss is a scalar. Gradients can be differentiated again, to any order. */
HG_API hg_status hg_grad(hg_tensor *loss, int count, hg_tensor *const wrt[], hg_tensor *grad[]);
/* The same for any y: sum over y's elements of cotangent * dy / d wrt[i]; cotangent has y's shape. */
HG_API hg_status hg_vjp(hg_tensor *y, hg_tensor *cotangent, int count, hg_tensor *const wrt[], hg_tensor *grad[]);

/* ---- Gradient checks: analytic gradients against central differences, in f64 -------------------------- */
typedef struct hg_check_options {
    int      order;   /* 1 (the default): the gradient; 2: the derivative of the gradient too */
    double   epsilon; /* step of the differences, 1e-6 */
    double   atol;    /* |analytic - numeric| <= atol + rtol |numeric|; 1e-5 */
    double   rtol;    /* 1e-3 */
    int64_t  batch;   /* 5 */
    uint64_t seed;    /* of the direction that order 2 differentiates along, and of inputs nobody wrote; 1 */
    int64_t  most;    /* entries tried per tensor, spread evenly; all by default */
    int      inputs;  /* values for inputs; others get N(0, 1), or zeros for HG_I64 */
    const struct hg_check_input *input;
} hg_check_options;
typedef struct hg_check_input {
    hg_tensor    *tensor;
    const double *values;
} hg_check_input;

typedef struct hg_check_entry {
    const hg_tensor *tensor;
    int     order;             /* 1 or 2 */
    int64_t index;             /* of the worst entry, row-major */
    double  analytic, numeric; /* there */
    double  excess;            /* the largest |analytic - numeric| / (atol + rtol |numeric|): fine up to 1 */
} hg_check_entry;
typedef struct hg_check_report {
    int            entries;    /* count x order, or the first 64 of them */
    hg_check_entry entry[64];
    char           text[1024]; /* the verdict in a sentence */
} hg_check_report;

/* HG_OK, or HG_GRADIENT_WRONG with the worst entry of each tensor in *report (may be NULL), or another error.
   The graph must be HG_F64 and wrt parameters, states or real inputs. Values are the same after the call. */
HG_API hg_status hg_gradcheck(hg_tensor *loss, int count, hg_tensor *const wrt[], const hg_check_options *options,
                              hg_check_report *report);

#endif
