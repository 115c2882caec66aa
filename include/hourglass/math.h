/* The ops. Shapes must be equal where two tensors meet elementwise, except that a scalar (rank 0) goes with any shape;
   vectors are spread with hg_expand. Every function returns NULL on failure (hg_graph_error) and NULL given NULL. */
#ifndef HOURGLASS_MATH_H
#define HOURGLASS_MATH_H

#include <hourglass/tensor.h>

/* ---- Elementwise --------------------------------------------------------------------------------------- */
HG_API hg_tensor *hg_add(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_sub(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_mul(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_div(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_neg(hg_tensor *x);
HG_API hg_tensor *hg_scale(hg_tensor *x, double factor);  /* factor x */
HG_API hg_tensor *hg_shift(hg_tensor *x, double term);    /* x + term */
HG_API hg_tensor *hg_pow(hg_tensor *x, double exponent);  /* x^exponent */
HG_API hg_tensor *hg_square(hg_tensor *x);
HG_API hg_tensor *hg_sqrt(hg_tensor *x);
HG_API hg_tensor *hg_exp(hg_tensor *x);
HG_API hg_tensor *hg_log(hg_tensor *x);
HG_API hg_tensor *hg_abs(hg_tensor *x);                   /* derivative sign(x), 0 at 0 */
HG_API hg_tensor *hg_sign(hg_tensor *x);                  /* -1, 0, 1; NaN stays NaN; derivative 0 */
HG_API hg_tensor *hg_sigmoid(hg_tensor *x);               /* 1 / (1 + e^-x) */
HG_API hg_tensor *hg_tanh(hg_tensor *x);
HG_API hg_tensor *hg_relu(hg_tensor *x);                  /* max(x, 0), derivative 0 at 0 */
HG_API hg_tensor *hg_leaky_relu(hg_tensor *x, double slope); /* x > 0 ? x : slope x */
HG_API hg_tensor *hg_elu(hg_tensor *x, double alpha);     /* x > 0 ? x : alpha (e^x - 1) */
HG_API hg_tensor *hg_softplus(hg_tensor *x);              /* log(1 + e^x), without overflow */
HG_API hg_tensor *hg_gelu(hg_tensor *x);                  /* x Phi(x), the erf form */
HG_API hg_tensor *hg_erf(hg_tensor *x);
HG_API hg_tensor *hg_minimum(hg_tensor *a, hg_tensor *b); /* of equals the first; gradients go there */
HG_API hg_tensor *hg_maximum(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_clamp(hg_tensor *x, double low, double high); /* derivative 1 inside, bounds included */
HG_API hg_tensor *hg_greater(hg_tensor *a, hg_tensor *b); /* 1 where a > b, else 0; derivative 0 */
HG_API hg_tensor *hg_select(hg_tensor *mask, hg_tensor *a, hg_tensor *b); /* mask != 0 ? a : b */
HG_API hg_tensor *hg_stop_gradient(hg_tensor *x);         /* x, with derivative 0 */
HG_API hg_tensor *hg_identity(hg_tensor *x);              /* x: the linear activation */
HG_API hg_tensor *hg_to_real(hg_tensor *x);               /* HG_I64 to the graph's dtype; derivative 0 */

/* ---- Reductions: the axes named go away ---------------------------------------------------------------- */
HG_API hg_tensor *hg_sum(hg_tensor *x, unsigned axes);
HG_API hg_tensor *hg_mean(hg_tensor *x, unsigned axes);
HG_API hg_tensor *hg_variance(hg_tensor *x, unsigned axes); /* mean((x - mean(x))^2) */
HG_API hg_tensor *hg_max(hg_tensor *x, unsigned axes);    /* NaN wins; of equals the first, for the gradient too */
HG_API hg_tensor *hg_argmax(hg_tensor *x, int axis);      /* HG_I64; the axis stays, with length 1 */
HG_API hg_tensor *hg_count(hg_tensor *x, unsigned axes);  /* number of elements along axes: a scalar, known when planning */

/* ---- Moving -------------------------------------------------------------------------------------------- */
/* Repeats x along new axes: the result has `shape`, `axes` of which are new, the others are x's in order.
   The adjoint of hg_sum. */
HG_API hg_tensor *hg_expand(hg_tensor *x, hg_shape shape, unsigned axes);
HG_API hg_tensor *hg_expand_like(hg_tensor *x, const hg_tensor *like, unsigned axes);
HG_API hg_tensor *hg_reshape(hg_tensor *x, hg_shape shape); /* same elements in row-major order */
HG_API hg_tensor *hg_transpose(hg_tensor *x);               /* of a matrix */
HG_API hg_tensor *hg_permute(hg_tensor *x, const int order[]); /* axis i of the result is axis order[i] of x */
HG_API hg_tensor *hg_slice(hg_tensor *x, int axis, int64_t start, int64_t length);
HG_API hg_tensor *hg_concat(int count, hg_tensor *const x[], int axis);
HG_API hg_tensor *hg_pad(hg_tensor *x, int axis, int64_t before, int64_t after); /* with zeros */
/* y[.., i, ..] = x[.., index[.., i, ..], ..] along axis; index (HG_I64) has x's shape but for that axis. Where it points
   outside of x, y is NaN. */
HG_API hg_tensor *hg_gather(hg_tensor *x, hg_tensor *index, int axis);
/* y[.., index[.., i, ..], ..] += x[.., i, ..], in order of i: the adjoint, with `length` places along axis. What points
   outside of y is left out. */
HG_API hg_tensor *hg_scatter(hg_tensor *x, hg_tensor *index, int axis, int64_t length);
/* HG_I64: x[i] = 1 where i equals label along axis 0: labels 1xB to classes x B, real. Derivative 0. */
HG_API hg_tensor *hg_one_hot(hg_tensor *labels, int64_t classes);

/* ---- Products ------------------------------------------------------------------------------------------ */
/* m x k times k x n; hg_transpose inside costs nothing. A matrix times its own transpose is symmetric to the bit, and half
   the work. */
HG_API hg_tensor *hg_matmul(hg_tensor *a, hg_tensor *b);
/* The left (0) or right (1) of the two that a product was made of, as it was multiplied; NULL, and no error, if t is none. */
HG_API hg_tensor *hg_matmul_factor(const hg_tensor *t, int index);

/* ---- Random: a function of (graph's seed, name, step, index); `step` is a scalar HG_I64, an input mostly -- */
HG_API hg_tensor *hg_random_uniform(hg_tensor *step, const char *name, hg_shape shape); /* [0, 1) */
HG_API hg_tensor *hg_random_normal(hg_tensor *step, const char *name, hg_shape shape);  /* N(0, 1) */
HG_API hg_tensor *hg_random_mask(hg_tensor *step, const char *name, hg_shape shape, double probability); /* 1 with it */

/* ---- State --------------------------------------------------------------------------------------------- */
/* When run: target (parameter or state) takes value, after every reader of its old value. Returns the new value. */
HG_API hg_tensor *hg_assign(hg_tensor *target, hg_tensor *value);

/* ---- Losses: of reconstruction y (or logits a, probabilities p) against target x, both d x B or C x .. x B - */
typedef enum hg_reduction {
    HG_MEAN_OVER_SAMPLES,  /* summed over a sample's elements, averaged over the batch: a scalar (1/B, T2) */
    HG_MEAN_OVER_ELEMENTS, /* averaged over all N d elements: a scalar */
    HG_SUM_OVER_ALL,       /* a scalar */
    HG_PER_SAMPLE,         /* summed over a sample's elements: a vector of B */
    HG_PER_ELEMENT,        /* of each element: of x's shape */
} hg_reduction;
HG_API hg_tensor *hg_reduce(hg_tensor *errors, hg_reduction reduction);
/* 1/2 (y - x)^2 (T2) */
HG_API hg_tensor *hg_squared_error_by(hg_tensor *y, hg_tensor *x, hg_reduction reduction);
/* -x log p - (1-x) log(1-p), 0 log 0 = 0 (T2). A p or 1-p of exactly 0 counts as the smallest normal number, so that the
   value is finite, with gradient 0 there; p outside of [0, 1] gives NaN. */
HG_API hg_tensor *hg_binary_cross_entropy_by(hg_tensor *p, hg_tensor *x, hg_reduction reduction);
/* the same with p = sigmoid(a), without overflow; gradient sigmoid(a) - x exactly (T5) */
HG_API hg_tensor *hg_binary_cross_entropy_from_logits_by(hg_tensor *a, hg_tensor *x, hg_reduction reduction);
/* -sum_k x_k log softmax(a)_k per sample, x a distribution over the classes (axis 0), a: classes x B.
   HG_MEAN_OVER_ELEMENTS averages over classes too. */
HG_API hg_tensor *hg_softmax_cross_entropy_by(hg_tensor *a, hg_tensor *x, hg_reduction reduction);
/* 1/2 r^2 where |r| <= delta, else delta (|r| - delta/2), with r = y - x */
HG_API hg_tensor *hg_huber_by(hg_tensor *y, hg_tensor *x, double delta, hg_reduction reduction);
/* The same, with HG_MEAN_OVER_SAMPLES. */
HG_API hg_tensor *hg_squared_error(hg_tensor *y, hg_tensor *x);
HG_API hg_tensor *hg_binary_cross_entropy(hg_tensor *p, hg_tensor *x);
HG_API hg_tensor *hg_binary_cross_entropy_from_logits(hg_tensor *a, hg_tensor *x);
HG_API hg_tensor *hg_softmax_cross_entropy(hg_tensor *a, hg_tensor *x);
HG_API hg_tensor *hg_huber(hg_tensor *y, hg_tensor *x, double delta);
HG_API hg_tensor *hg_log_softmax(hg_tensor *a); /* over axis 0 */

#endif
