/* See references.h: slow and plain, to be read rather than run. */
#include "references.h"

#include <math.h>
#include <stdlib.h>

/* ---- Elementwise --------------------------------------------------------------------------------------- */

#define ELEMENT(name) double ref_##name(const double x[], const double a[])

ELEMENT(add) { (void)a; return x[0] + x[1]; }
ELEMENT(sub) { (void)a; return x[0] - x[1]; }
ELEMENT(mul) { (void)a; return x[0] * x[1]; }
ELEMENT(div) { (void)a; return x[0] / x[1]; }
ELEMENT(neg) { (void)a; return -x[0]; }
ELEMENT(scale) { return a[0] * x[0]; }
ELEMENT(shift) { return a[0] + x[0]; }
ELEMENT(pow) { return pow(x[0], a[0]); }
ELEMENT(square) { (void)a; return x[0] * x[0]; }
ELEMENT(sqrt) { (void)a; return sqrt(x[0]); }
ELEMENT(exp) { (void)a; return exp(x[0]); }
ELEMENT(log) { (void)a; return log(x[0]); }
ELEMENT(abs) { (void)a; return fabs(x[0]); }
ELEMENT(sign) { (void)a; return isnan(x[0]) ? x[0] : (double)((x[0] > 0) - (x[0] < 0)); }
ELEMENT(sigmoid) { (void)a; return x[0] < 0 ? exp(x[0]) / (1 + exp(x[0])) : 1 / (1 + exp(-x[0])); }
ELEMENT(tanh) { (void)a; return tanh(x[0]); }
ELEMENT(relu) { (void)a; return x[0] <= 0 ? 0 : x[0]; }
ELEMENT(leaky_relu) { return x[0] > 0 ? x[0] : a[0] * x[0]; }
ELEMENT(elu) { return x[0] > 0 ? x[0] : a[0] * expm1(x[0]); }
ELEMENT(softplus) { (void)a; return x[0] > 0 ? x[0] + log1p(exp(-x[0])) : log1p(exp(x[0])); }
ELEMENT(gelu) { (void)a; return x[0] == -INFINITY ? 0 : x[0] * 0.5 * erfc(-x[0] * sqrt(0.5)); }
ELEMENT(erf) { (void)a; return erf(x[0]); }
ELEMENT(minimum) { (void)a; return isnan(x[0]) || isnan(x[1]) ? NAN : fmin(x[0], x[1]); }
ELEMENT(maximum) { (void)a; return isnan(x[0]) || isnan(x[1]) ? NAN : fmax(x[0], x[1]); }
ELEMENT(clamp) { return x[0] < a[0] ? a[0] : x[0] > a[1] ? a[1] : x[0]; }
ELEMENT(greater) { (void)a; return x[0] > x[1]; }
ELEMENT(select) { (void)a; return x[0] != 0 ? x[1] : x[2]; }
ELEMENT(identity) { (void)a; return x[0]; }

#define TENSOR(name) void ref_##name(const array in[], const double a[], array *y)

/* ---- Reductions: a[0] is a set of axes ----------------------------------------------------------------- */

/* Where element i of x lands when the axes go away. */
static int64_t reduced_index(const array *x, unsigned axes, const array *y, int64_t i)
{
    int64_t from[HG_MAX_RANK], to[HG_MAX_RANK];
    int rank = 0;
    coordinates(&x->shape, i, from);
    for (int k = 0; k < x->shape.rank; k++)
        if (!(axes >> k & 1))
            to[rank++] = from[k];
    return flat_index(&y->shape, to);
}

TENSOR(sum)
{
    for (int64_t i = 0; i < in[0].count; i++)
        y->at[reduced_index(&in[0], (unsigned)a[0], y, i)] += in[0].at[i];
}

TENSOR(mean)
{
    ref_sum(in, a, y);
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] /= (double)(in[0].count / y->count);
}

TENSOR(variance)
{
    double *mean = calloc((size_t)y->count + 1, sizeof *mean);
    ref_mean(in, a, &(array){ .shape = y->shape, .count = y->count, .at = mean });
    for (int64_t i = 0; i < in[0].count; i++) {
        const int64_t of = reduced_index(&in[0], (unsigned)a[0], y, i);
        y->at[of] += (in[0].at[i] - mean[of]) * (in[0].at[i] - mean[of]) / (double)(in[0].count / y->count);
    }
    free(mean);
}

TENSOR(max)
{
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] = -INFINITY;
    for (int64_t i = 0; i < in[0].count; i++) {
        double *most = &y->at[reduced_index(&in[0], (unsigned)a[0], y, i)];
        *most = fmax(*most, in[0].at[i]);
    }
}

TENSOR(argmax) /* along axis a[0], which stays */
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at[HG_MAX_RANK];
        double most = -INFINITY;
        coordinates(&y->shape, i, at);
        for (int64_t k = 0; k < in[0].shape.dim[(int)a[0]]; k++) {
            at[(int)a[0]] = k;
            double x = in[0].at[flat_index(&in[0].shape, at)];
            if (x > most) {
                most = x;
                y->at[i] = (double)k;
            }
        }
    }
}

TENSOR(count)
{
    y->at[0] = 1;
    for (int k = 0; k < in[0].shape.rank; k++)
        y->at[0] *= (unsigned)a[0] >> k & 1 ? (double)in[0].shape.dim[k] : 1;
}

/* ---- Moving -------------------------------------------------------------------------------------------- */

TENSOR(expand)
{
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] = in[0].at[reduced_index(y, (unsigned)a[0], &in[0], i)];
}

TENSOR(reshape)
{
    (void)a;
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] = in[0].at[i];
}

TENSOR(permute)
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t to[HG_MAX_RANK], from[HG_MAX_RANK];
        coordinates(&y->shape, i, to);
        for (int k = 0; k < y->shape.rank; k++)
            from[(int)a[k]] = to[k];
        y->at[i] = in[0].at[flat_index(&in[0].shape, from)];
    }
}

/* Multiples of HG_BATCH as numbers. */
static int64_t length_of(double dim, int64_t batch) { return (int64_t)(dim < 0 ? -dim * (double)batch : dim); }

TENSOR(slice)
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&y->shape, i, at);
        at[(int)a[0]] += length_of(a[1], y->batch);
        y->at[i] = in[0].at[flat_index(&in[0].shape, at)];
    }
}

TENSOR(pad)
{
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&in[0].shape, i, at);
        at[(int)a[0]] += length_of(a[1], y->batch);
        y->at[flat_index(&y->shape, at)] = in[0].at[i];
    }
}

TENSOR(concat)
{
    int64_t start = 0;
    for (int k = 0; k < (int)a[1]; k++) {
        for (int64_t i = 0; i < in[k].count; i++) {
            int64_t at[HG_MAX_RANK];
            coordinates(&in[k].shape, i, at);
            at[(int)a[0]] += start;
            y->at[flat_index(&y->shape, at)] = in[k].at[i];
        }
        start += in[k].shape.dim[(int)a[0]];
    }
}

TENSOR(gather)
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&y->shape, i, at);
        at[(int)a[0]] = (int64_t)in[1].at[i];
        y->at[i] = in[0].at[flat_index(&in[0].shape, at)];
    }
}

TENSOR(scatter)
{
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&in[0].shape, i, at);
        at[(int)a[0]] = (int64_t)in[1].at[i];
        if (in[1].at[i] >= 0 && in[1].at[i] < (double)y->shape.dim[(int)a[0]])
            y->at[flat_index(&y->shape, at)] += in[0].at[i];
    }
}

TENSOR(one_hot)
{
    (void)a;
    for (int64_t i = 0; i < in[0].count; i++)
        y->at[(int64_t)in[0].at[i] * in[0].count + i] = 1;
}

/* ---- Products ------------------------------------------------------------------------------------------ */

static double entry(const array *m, bool transposed, int64_t i, int64_t j)
{
    return transposed ? m->at[j * m->shape.dim[1] + i] : m->at[i * m->shape.dim[1] + j];
}

TENSOR(matmul) /* a: which are transposed */
{
    int64_t inner = in[0].shape.dim[a[0] != 0 ? 0 : 1];
    for (int64_t i = 0; i < y->shape.dim[0]; i++)
        for (int64_t j = 0; j < y->shape.dim[1]; j++)
            for (int64_t k = 0; k < inner; k++)
                y->at[i * y->shape.dim[1] + j] += entry(&in[0], a[0] != 0, i, k) * entry(&in[1], a[1] != 0, k, j);
}

TENSOR(gram) { ref_matmul((array[]){ in[0], in[0] }, (double[]){ a[0], a[0] == 0 }, y); }

/* ---- Losses: a[0] is the reduction, the batch the last axis -------------------------------------------- */

typedef double error_fn(double y, double x, const double a[]);

static void reduce(const array in[], const double a[], array *y, error_fn *error)
{
    int64_t samples = in[0].shape.dim[in[0].shape.rank - 1];
    hg_reduction by = (hg_reduction)a[0];
    double share = by == HG_MEAN_OVER_SAMPLES ? (double)samples : by == HG_MEAN_OVER_ELEMENTS ? (double)in[0].count : 1;
    for (int64_t i = 0; i < in[0].count; i++)
        y->at[by == HG_PER_SAMPLE ? i % samples : 0] += error(in[0].at[i], in[1].at[i], a) / share;
}

static double square_of(double y, double x, const double a[])
{
    (void)a;
    return (y - x) * (y - x) / 2;
}

static double cross_entropy_of(double p, double x, const double a[])
{
    (void)a;
    return -(x == 0 ? 0 : x * log(p)) - (x == 1 ? 0 : (1 - x) * log1p(-p));
}

static double logit_cross_entropy_of(double logit, double x, const double a[]) /* log(1 + e^a) - x a */
{
    return ref_softplus(&logit, a) - x * logit;
}

static double huber_of(double y, double x, const double a[])
{
    double r = fabs(y - x);
    return r <= a[1] ? r * r / 2 : a[1] * (r - a[1] / 2);
}

TENSOR(squared_error) { reduce(in, a, y, square_of); }
TENSOR(cross_entropy) { reduce(in, a, y, cross_entropy_of); }
TENSOR(logit_cross_entropy) { reduce(in, a, y, logit_cross_entropy_of); }
TENSOR(huber) { reduce(in, a, y, huber_of); }

TENSOR(log_softmax) /* over axis 0 */
{
    int64_t classes = in[0].shape.dim[0], rest = in[0].count / classes;
    (void)a;
    for (int64_t j = 0; j < rest; j++) {
        double sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum += exp(in[0].at[k * rest + j]);
        for (int64_t k = 0; k < classes; k++)
            y->at[k * rest + j] = in[0].at[k * rest + j] - log(sum);
    }
}

static double surprise_of(double log_p, double x, const double a[])
{
    (void)a;
    return -x * log_p;
}

TENSOR(softmax_cross_entropy)
{
    double logarithms[4096];
    array both[2] = { in[0], in[1] };
    if (in[0].count > 4096)
        fail_msg("too large for the reference");
    both[0].at = logarithms;
    ref_log_softmax(in, a, &both[0]);
    reduce(both, a, y, surprise_of);
}
