/* What convolution, pooling, upsampling and normalisation must give: plain loops over double that share no code with the
   library. a[0] tells a row's geometry, of the table in ops_conv.c. */
#ifndef HG_TESTS_CONV_REFERENCE_H
#define HG_TESTS_CONV_REFERENCE_H

#include "harness.h"

#include <math.h>

/* Along the height, then along the width. */
typedef struct geometry {
    int64_t stride[2], pad[2], dilation[2], groups;
    int64_t kernel[2]; /* of conv2d_weight and the pools */
    int64_t size[2];   /* of what conv_transpose2d, max_unpool2d and upsample2d give */
} geometry;
extern const geometry geometries[];

static inline int64_t at4(const hg_shape *s, int64_t i, int64_t j, int64_t k, int64_t l)
{
    return ((i * s->dim[1] + j) * s->dim[2] + k) * s->dim[3] + l;
}

/* Adds y[o,p,q,b] w[o,i,k,l] x[g,h,v,b] for every tap on x: to whichever of the three `into` names, without its factor. */
static inline void ref_trilinear(const geometry *g, array x, array w, array y, char into)
{
    const int64_t *dy = y.shape.dim, *dw = w.shape.dim, *dx = x.shape.dim;
    for (int64_t o = 0; o < dy[0]; o++)
    for (int64_t i = 0; i < dw[1]; i++)
    for (int64_t p = 0; p < dy[1]; p++)
    for (int64_t q = 0; q < dy[2]; q++)
    for (int64_t k = 0; k < dw[2]; k++)
    for (int64_t l = 0; l < dw[3]; l++) {
        int64_t h = p * g->stride[0] - g->pad[0] + k * g->dilation[0], v = q * g->stride[1] - g->pad[1] + l * g->dilation[1];
        int64_t channel = o / (dy[0] / g->groups) * dw[1] + i;
        for (int64_t b = 0; b < dy[3] && h >= 0 && h < dx[1] && v >= 0 && v < dx[2]; b++) {
            double *at_y = &y.at[at4(&y.shape, o, p, q, b)], *at_w = &w.at[at4(&w.shape, o, i, k, l)];
            double *at_x = &x.at[at4(&x.shape, channel, h, v, b)];
            if (into == 'y')
                *at_y += *at_w * *at_x;
            else if (into == 'w')
                *at_w += *at_y * *at_x;
            else
                *at_x += *at_y * *at_w;
        }
    }
}

static inline void ref_conv2d(const array in[], const double a[], array *y)
{
    ref_trilinear(&geometries[(int)a[0]], in[0], in[1], *y, 'y');
}

static inline void ref_conv_transpose2d(const array in[], const double a[], array *x)
{
    ref_trilinear(&geometries[(int)a[0]], *x, in[1], in[0], 'x');
}

static inline void ref_conv2d_weight(const array in[], const double a[], array *w)
{
    ref_trilinear(&geometries[(int)a[0]], in[0], *w, in[1], 'w');
}

/* Signals are images of width 1. */
static inline array as_image(array x, int axis)
{
    for (int i = x.shape.rank++; i > axis; i--)
        x.shape.dim[i] = x.shape.dim[i - 1];
    x.shape.dim[axis] = 1;
    return x;
}

static inline void ref_conv1d(const array in[], const double a[], array *y)
{
    ref_trilinear(&geometries[(int)a[0]], as_image(in[0], 2), as_image(in[1], 3), as_image(*y, 2), 'y');
}

static inline void ref_conv_transpose1d(const array in[], const double a[], array *x)
{
    ref_trilinear(&geometries[(int)a[0]], as_image(*x, 2), as_image(in[1], 3), as_image(in[0], 2), 'x');
}

static inline void ref_conv1d_weight(const array in[], const double a[], array *w)
{
    ref_trilinear(&geometries[(int)a[0]], as_image(in[0], 2), as_image(*w, 3), as_image(in[1], 2), 'w');
}

static inline void add_bias(const array *bias, array *y)
{
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] += bias->at[i / (y->count / bias->count)];
}

static inline void ref_conv2d_biased(const array in[], const double a[], array *y)
{
    ref_conv2d(in, a, y);
    add_bias(&in[2], y);
}

static inline void ref_conv_transpose2d_biased(const array in[], const double a[], array *y)
{
    ref_conv_transpose2d(in, a, y);
    add_bias(&in[2], y);
}

static inline void ref_conv1d_biased(const array in[], const double a[], array *y)
{
    ref_conv1d(in, a, y);
    add_bias(&in[2], y);
}

/* ---- Pools ----------------------------------------------------------------------------------------------- */

/* The sum, the count, the largest and where it lies, of the window at (p, q). */
typedef struct window_facts {
    double  sum, count, largest;
    int64_t where;
} window_facts;

static inline window_facts look_through(const geometry *g, const array *x, int64_t c, int64_t p, int64_t q, int64_t b)
{
    window_facts f = { .where = -1 };
    for (int64_t k = 0; k < g->kernel[0]; k++)
    for (int64_t l = 0; l < g->kernel[1]; l++) {
        int64_t h = p * g->stride[0] - g->pad[0] + k, v = q * g->stride[1] - g->pad[1] + l;
        if (h < 0 || h >= x->shape.dim[1] || v < 0 || v >= x->shape.dim[2])
            continue;
        double value = x->at[at4(&x->shape, c, h, v, b)];
        f.sum += value;
        f.count++;
        if (f.where < 0 || value > f.largest) {
            f.largest = value;
            f.where = h * x->shape.dim[2] + v;
        }
    }
    return f;
}

enum window_result { LARGEST, WHERE, MEAN };

static inline void ref_windows(const array *x, const double a[], array *y, enum window_result result)
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&y->shape, i, at);
        window_facts f = look_through(&geometries[(int)a[0]], x, at[0], at[1], at[2], at[3]);
        y->at[i] = result == LARGEST ? f.largest : result == WHERE ? (double)f.where : f.sum / f.count;
    }
}

static inline void ref_max_pool2d(const array in[], const double a[], array *y) { ref_windows(&in[0], a, y, LARGEST); }
static inline void ref_max_pool_switches(const array in[], const double a[], array *y) { ref_windows(&in[0], a, y, WHERE); }
static inline void ref_avg_pool2d(const array in[], const double a[], array *y) { ref_windows(&in[0], a, y, MEAN); }

static inline void ref_max_pool1d(const array in[], const double a[], array *y)
{
    array x = as_image(in[0], 2), image = as_image(*y, 2);
    ref_windows(&x, a, &image, LARGEST);
}

static inline void ref_avg_pool1d(const array in[], const double a[], array *y)
{
    array x = as_image(in[0], 2), image = as_image(*y, 2);
    ref_windows(&x, a, &image, MEAN);
}

/* in: x, g. */
static inline void ref_max_pool_scatter(const array in[], const double a[], array *dx)
{
    for (int64_t i = 0; i < in[1].count; i++) {
        int64_t at[HG_MAX_RANK], width = dx->shape.dim[2];
        coordinates(&in[1].shape, i, at);
        int64_t where = look_through(&geometries[(int)a[0]], &in[0], at[0], at[1], at[2], at[3]).where;
        dx->at[at4(&dx->shape, at[0], where / width, where % width, at[3])] += in[1].at[i];
    }
}

/* in: x, c. */
static inline void ref_max_pool_gather(const array in[], const double a[], array *y)
{
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at[HG_MAX_RANK], width = in[0].shape.dim[2];
        coordinates(&y->shape, i, at);
        int64_t where = look_through(&geometries[(int)a[0]], &in[0], at[0], at[1], at[2], at[3]).where;
        y->at[i] = in[1].at[at4(&in[1].shape, at[0], where / width, where % width, at[3])];
    }
}

/* in: y, switches. */
static inline void ref_max_unpool2d(const array in[], const double a[], array *x)
{
    (void)a;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK], place = (int64_t)in[1].at[i], width = x->shape.dim[2];
        coordinates(&in[0].shape, i, at);
        x->at[at4(&x->shape, at[0], place / width, place % width, at[3])] += in[0].at[i];
    }
}

static inline void ref_avg_unpool2d(const array in[], const double a[], array *x)
{
    const geometry *g = &geometries[(int)a[0]];
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&in[0].shape, i, at);
        double count = look_through(g, x, at[0], at[1], at[2], at[3]).count;
        for (int64_t k = 0; k < g->kernel[0]; k++)
        for (int64_t l = 0; l < g->kernel[1]; l++) {
            int64_t h = at[1] * g->stride[0] - g->pad[0] + k, v = at[2] * g->stride[1] - g->pad[1] + l;
            if (h >= 0 && h < x->shape.dim[1] && v >= 0 && v < x->shape.dim[2])
                x->at[at4(&x->shape, at[0], h, v, at[3])] += in[0].at[i] / count;
        }
    }
}

static inline void ref_global_max_pool2d(const array in[], const double a[], array *y)
{
    (void)a;
    for (int64_t i = 0; i < y->count; i++)
        y->at[i] = -INFINITY;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&in[0].shape, i, at);
        double *to = &y->at[at4(&y->shape, at[0], 0, 0, at[3])];
        *to = in[0].at[i] > *to ? in[0].at[i] : *to;
    }
}

static inline void ref_global_avg_pool2d(const array in[], const double a[], array *y)
{
    (void)a;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t at[HG_MAX_RANK];
        coordinates(&in[0].shape, i, at);
        y->at[at4(&y->shape, at[0], 0, 0, at[3])] += in[0].at[i] / (double)(in[0].shape.dim[1] * in[0].shape.dim[2]);
    }
}

/* ---- Upsampling: a[1] is 1 for bilinear ------------------------------------------------------------------ */

/* How much of place h of `from` is in place p of `to`. */
static inline double part_of(double p, double h, double from, double to, bool bilinear)
{
    if (!bilinear)
        return floor(p * from / to) == h;
    double centre = (p + 0.5) * from / to - 0.5;
    centre = centre < 0 ? 0 : centre > from - 1 ? from - 1 : centre;
    return fabs(centre - h) < 1 ? 1 - fabs(centre - h) : 0;
}

/* small and large: one is given, the other added to. */
static inline void ref_resample(const array *small, const array *large, bool bilinear, bool up)
{
    for (int64_t i = 0; i < large->count; i++)
        for (int64_t h = 0; h < small->shape.dim[1]; h++)
        for (int64_t v = 0; v < small->shape.dim[2]; v++) {
            int64_t at[HG_MAX_RANK];
            coordinates(&large->shape, i, at);
            double *place = &small->at[at4(&small->shape, at[0], h, v, at[3])];
            double part = part_of((double)at[1], (double)h, (double)small->shape.dim[1], (double)large->shape.dim[1], bilinear) *
                          part_of((double)at[2], (double)v, (double)small->shape.dim[2], (double)large->shape.dim[2], bilinear);
            if (up)
                large->at[i] += part * *place;
            else
                *place += part * large->at[i];
        }
}

static inline void ref_upsample2d(const array in[], const double a[], array *y) { ref_resample(&in[0], y, a[1] != 0, true); }
static inline void ref_upsample2d_adjoint(const array in[], const double a[], array *y)
{
    ref_resample(y, &in[0], a[1] != 0, false);
}

static inline void ref_upsample1d(const array in[], const double a[], array *y)
{
    array x = as_image(in[0], 2), image = as_image(*y, 2);
    ref_resample(&x, &image, a[1] != 0, true);
}

/* ---- Normalisation: a[0] is epsilon ---------------------------------------------------------------------- */

/* in: x, gain, bias. The elements normalised together are those of one channel, or of one sample. */
static inline void ref_normalize(const array in[], double epsilon, array *y, bool by_sample)
{
    const int64_t samples = y->shape.dim[y->shape.rank - 1], channel = y->count / y->shape.dim[0];
    const int64_t groups = by_sample ? samples : y->shape.dim[0];
    for (int64_t group = 0; group < groups; group++) {
        double mean = 0, variance = 0, count = 0;
        for (int pass = 0; pass < 3; pass++)
            for (int64_t i = 0; i < y->count; i++) {
                if ((by_sample ? i % samples : i / channel) != group)
                    continue;
                int64_t k = by_sample ? i / samples : i / channel;
                double x = in[0].at[i];
                if (pass == 0)
                    mean += x, count++;
                else if (pass == 1)
                    variance += (x - mean / count) * (x - mean / count);
                else
                    y->at[i] = in[1].at[k] * (x - mean / count) / sqrt(variance / count + epsilon) + in[2].at[k];
            }
    }
}

static inline void ref_batch_norm(const array in[], const double a[], array *y) { ref_normalize(in, a[0], y, false); }
static inline void ref_layer_norm(const array in[], const double a[], array *y) { ref_normalize(in, a[0], y, true); }

#endif
