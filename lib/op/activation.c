/* Elementwise functions of units: sigmoid, tanh, rectifiers, and what they are made of. */
#ifndef HG_KERNELS
#include "op.h"

#include "map.h"

/* The derivatives of sigmoid, tanh, relu and elu are functions of the result t. */

static void sigmoid_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, hg_sub(t, hg_square(t)));
}

static void tanh_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_sub(g, hg_mul(g, hg_square(t)));
}

static void relu_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, hg_sign(t));
}

static void softplus_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, hg_sigmoid(t->input[0]));
}

/* 2 / sqrt(pi) e^(-x^2) */
static void erf_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    hg_tensor *x = t->input[0];
    (void)wanted;
    d[0] = hg_mul(g, hg_scale(hg_exp(hg_neg(hg_square(x))), 1.1283791670955126));
}

/* Phi(x) + x phi(x), phi(x) = e^(-x^2/2) / sqrt(2 pi) */
static void gelu_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    hg_tensor *x = t->input[0];
    hg_tensor *integral = hg_shift(hg_scale(hg_erf(hg_scale(x, 0.7071067811865476)), 0.5), 0.5);
    hg_tensor *density = hg_scale(hg_exp(hg_scale(hg_square(x), -0.5)), 0.3989422804014327);
    (void)wanted;
    d[0] = hg_mul(g, hg_add(integral, hg_mul(x, density)));
}

#define ACTIVATION(op)                                                                                        \
    const hg_op hg_##op##_op = { .name = #op, .min_inputs = 1, .max_inputs = 1, .flags = HG_MAP,              \
                                 .infer = hg_infer_map, .vjp = op##_vjp, HG_VARIANTS(op) };                   \
    hg_tensor *hg_##op(hg_tensor *x) { return hg_apply1(&hg_##op##_op, x); }

ACTIVATION(sigmoid)
ACTIVATION(tanh)
ACTIVATION(relu)
ACTIVATION(softplus)
ACTIVATION(erf)
ACTIVATION(gelu)

/* ---- With a number ------------------------------------------------------------------------------------- */

static void leaky_relu_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_select(hg_relu(t->input[0]), g, hg_scale(g, *(const double *)t->attr));
}

/* Where x <= 0, alpha e^x = t + alpha. */
static void elu_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_select(hg_relu(t->input[0]), g, hg_mul(g, hg_shift(t, *(const double *)t->attr)));
}

#define ACTIVATION_NUMBER(op)                                                                                 \
    const hg_op hg_##op##_op = { .name = #op, .min_inputs = 1, .max_inputs = 1, .flags = HG_MAP,              \
                                 .attr_size = sizeof(double), .infer = hg_infer_number, .vjp = op##_vjp,      \
                                 HG_VARIANTS(op) };                                                           \
    hg_tensor *hg_##op(hg_tensor *x, double number) { return hg_apply_number(&hg_##op##_op, x, number); }

ACTIVATION_NUMBER(leaky_relu)
ACTIVATION_NUMBER(elu)

#else

#include "elementwise.h"
#include "vector_math.h"

MAP1(sigmoid) { return real_sigmoid(x); }
MAP1(tanh) { return real_tanh(x); }
MAP1(relu) { return at_least(0, x); }
MAP1(softplus) { return real_softplus(x); }
MAP1(erf) { return real_erf(x); }
MAP1(gelu) { return real_gelu(x); }
MAP1_NUMBER(leaky_relu) { return x > 0 ? x : number * x; }
MAP1_NUMBER(elu) { return x > 0 ? x : number * real_expm1_negative(x); }

#endif
