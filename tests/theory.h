/* What the tests of the theory share: a network of one hidden layer, and plain functions with their derivatives.
   Samples are columns: X is d x B, W_e is r x d, W_d is d x r. */
#ifndef HG_TESTS_THEORY_H
#define HG_TESTS_THEORY_H

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/train.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* |a - b| of every entry within `relative` of the largest entry. */
static inline void assert_close(const char *what, const double *a, const double *b, int count, double relative)
{
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, fabs(b[i]));
    for (int i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= relative * largest))
            fail_msg("%s[%d] is %.17g, not %.17g", what, i, a[i], b[i]);
}

static inline void assert_near(const char *what, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%s is %.17g, not %.17g", what, a, b);
}

static inline double value_of(hg_tensor *tensor)
{
    double value = NAN;
    assert_int_equal(hg_eval(tensor, &value, 1), HG_OK);
    return value;
}

/* Deterministic numbers in (-1, 1). */
static inline double pseudo(int i)
{
    double x = sin(12.9898 * (i + 1)) * 43758.5453;
    return 2 * (x - floor(x)) - 1;
}

static inline void fill(double *values, int count, int start, double low, double high)
{
    for (int i = 0; i < count; i++)
        values[i] = low + (high - low) * (pseudo(start + i) + 1) / 2;
}

/* ---- One hidden layer ------------------------------------------------------------------------------------ */

enum { D = 7, R = 4, B = 5 };

typedef struct network {
    double We[R][D], be[R], Wd[D][R], bd[D];
} network;

/* An elementwise function, its derivative and its second one, as functions of a. */
typedef struct sigma {
    hg_activation *graph;
    double (*value)(double a), (*slope)(double a), (*bend)(double a);
} sigma;

static inline double logistic(double a) { return 1 / (1 + exp(-a)); }
static inline double logistic_slope(double a) { return logistic(a) * (1 - logistic(a)); }
static inline double logistic_bend(double a) { return logistic_slope(a) * (1 - 2 * logistic(a)); }
static inline double tanh_slope(double a) { return 1 - tanh(a) * tanh(a); }
static inline double tanh_bend(double a) { return -2 * tanh(a) * tanh_slope(a); }
static inline double rectify(double a) { return a > 0 ? a : 0; }
static inline double rectify_slope(double a) { return a > 0; }
static inline double same(double a) { return a; }
static inline double one(double a) { return (void)a, 1; }
static inline double zero(double a) { return (void)a, 0; }
static inline double soft(double a) { return log1p(exp(a)); }

static const sigma sigmoid = { hg_sigmoid, logistic, logistic_slope, logistic_bend },
                   hyperbolic = { hg_tanh, tanh, tanh_slope, tanh_bend },
                   rectifier = { hg_relu, rectify, rectify_slope, zero }, linear = { NULL, same, one, zero },
                   softplus = { hg_softplus, soft, logistic, logistic_slope };

/* The tests of the other files. */
extern const struct CMUnitTest theory_of_penalties[], theory_of_codes[], theory_of_pca[], theory_of_pictures[],
    theory_of_stacks[];
extern const size_t            theory_of_penalties_count, theory_of_codes_count, theory_of_pca_count,
    theory_of_pictures_count, theory_of_stacks_count;

#endif
