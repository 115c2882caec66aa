/* Elementary functions for loops that vectorise: no branches, no calls, no tables, and without fused multiply-add, so
   that an element has the same bits in a vector's lane and in a loop's tail, and on every instruction set.

   Every polynomial is the minimax one for its function's remainder, of the lowest degree that suits the dtype, found
   by Remez exchange in 60 digits on the interval and with the weight (of the error) that stand above it, then
   rounded. Lowest power first. Largest errors, in units in the last place: exp, log, elu 1, erf, softplus 1.6,
   sigmoid 2.2, tanh 2.5, gelu 9 (at -1.4, where its two parts meet). */
#ifndef HG_OP_VECTOR_MATH_H
#define HG_OP_VECTOR_MATH_H

#include "kernel.h"

#include <float.h>

#define INLINE static inline __attribute__((always_inline))

#if HG_REAL_BITS == 32

typedef uint32_t bits;
enum { MANTISSA = 23, BIAS = 127 };
#define SMALLEST_NORMAL FLT_MIN
#define LN2_HIGH        0x1.62e4p-1f /* times any exponent exact */
#define LN2_LOW         1.42860677e-06f
#define ERF_MOST        11.0f /* erfc and e^-x^2 are 0 from here */

/* (e^r - 1 - r) / r^2, |r| <= ln 2 / 2; weight r^2 / (e^r - 1) */
static const real expm1_terms[] = { 0.5f,           0.166666657f,   0.0416663587f,
                                    0.00833338965f, 0.00139406684f, 0.000198458816f };
/* (2 artanh(s) / s - 2) / s^2 in s^2, 0 <= s <= 3 - 2 sqrt 2; weight s^2 */
static const real log_terms[] = { 0.666667759f, 0.399775177f, 0.298724025f };
/* sin(pi v / 2) / v in v^2, |v| <= 1/2; relative */
static const real sine_terms[] = { 1.57079637f, -0.64596349f, 0.079680033f, -0.00460165786f };
/* (cos(pi v / 2) - 1) / v^2 in v^2, |v| <= 1/2; weight v^2 */
static const real cosine_terms[] = { -1.23370051f, 0.253669232f, -0.0208602883f, 0.000904021668f };
/* erf(x) / x - 1 in x^2, 0 <= x <= 1; weight x / erf(x) */
static const real erf_terms[] = { 0.128379166f,   -0.37612626f,    0.112835854f,  -0.0268538129f,
                                  0.00518832775f, -0.000801019429f, 7.85386364e-05f };
/* e^(x^2) erfc(x) in (x - 4) / (x + 3), 1 <= x <= ERF_MOST; relative */
static const real erfc_terms[] = { 0.136999458f,    -0.226684555f,  0.139121741f,    -0.0717171431f,   0.0300128851f,
                                   -0.00949983392f, 0.00185131899f, 4.45376063e-05f, -0.000151000466f };

#else

typedef uint64_t bits;
enum { MANTISSA = 52, BIAS = 1023 };
#define SMALLEST_NORMAL DBL_MIN
#define LN2_HIGH        0x1.62e42fefa38p-1
#define LN2_LOW         5.4979230187083712e-14
#define ERF_MOST        28.0

static const real expm1_terms[] = { 0.5,
                                    0.16666666666666677,
                                    0.041666666666666505,
                                    0.0083333333333216533,
                                    0.0013888888888962606,
                                    0.00019841269886073523,
                                    2.4801587172229982e-05,
                                    2.7557244254112215e-06,
                                    2.755740277492895e-07,
                                    2.5109024491188293e-08,
                                    2.0875329289374896e-09 };
static const real log_terms[] = { 0.66666666666667351, 0.39999999999412889, 0.28571428742824723, 0.22222198524622086,
                                  0.18183567031560097, 0.15313976919811531, 0.14796728678763743 };
static const real sine_terms[] = { 1.5707963267948966,      -0.64596409750624428,   0.079692626246039566,
                                   -0.0046817541322824296,  0.00016044115029172066, -3.5986417546445266e-06,
                                   5.6337210323442513e-08 };
static const real cosine_terms[] = { -1.2337005501361697,     0.25366950790104692,    -0.020863480763315442,
                                     0.00091926027422503079,  -2.5202036991524017e-05, 4.7106156574126913e-07,
                                     -6.3218924214411567e-09 };
static const real erf_terms[] = { 0.12837916709551256,    -0.37612638903183521,    0.11283791670944185,
                                  -0.026866170643111469,  0.0052239776061184734,   -0.00085483259293144909,
                                  0.00012055293576900633, -1.4924712302009981e-05, 1.6447131571280431e-06,
                                  -1.6206313758503836e-07, 1.3710980398072945e-08, -7.7794684890396492e-10 };
static const real erfc_terms[] = { 0.13699945762506138,     -0.22668454266515017,    0.13912168633865257,
                                   -0.071717536981461619,   0.030014065432850283,    -0.009495779655592531,
                                   0.0018448327486901487,   2.683349382335033e-05,   -0.00014209165783032949,
                                   2.9462991069457706e-05,  7.561278425459467e-06,   -4.0469112581112079e-06,
                                   -3.5609430105634198e-07, 4.937474436061719e-07,   1.840793536488179e-08,
                                   -6.3756672506030236e-08, -2.4099620317899617e-09, 8.5307011967887487e-09,
                                   4.4326425711148264e-10,  -8.9251535347855907e-10, -1.3926200942644888e-11 };

#endif

/* Even and odd powers apart: two short chains, which compilers unroll whole. */
#define POLYNOMIAL(terms, x) polynomial(terms, (int)(sizeof(terms) / sizeof *(terms)), x)
INLINE real polynomial(const real terms[], int count, real x)
{
    real z = x * x, last = terms[count - 1], before = terms[count - 2];
    for (int i = count - 3; i > 0; i -= 2) {
        last = last * z + terms[i];
        before = before * z + terms[i - 1];
    }
    return count % 2 == 0 ? last * x + before : (last * z + terms[0]) + before * x;
}

INLINE bits bits_of(real x)
{
    bits b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE real real_of(bits b)
{
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* Bounds that let NaN through. */
INLINE real at_least(real low, real x) { return x < low ? low : x; }
INLINE real at_most(real high, real x) { return x > high ? high : x; }

#define POWER_OF_2(n) ((real)((bits)1 << (n)))

/* Added to a number of less than MANTISSA - 1 bits, this leaves the nearest integer in the low bits. */
#define ROUNDER (3 * POWER_OF_2(MANTISSA - 1))

/* ---- Powers of e --------------------------------------------------------------------------------------- */

/* k ln 2 + r, k in two's complement. */
typedef struct power {
    bits k;
    real r;
} power;

INLINE power split_power(real x)
{
    real shifted = x * R(1.4426950408889634) + ROUNDER, k = shifted - ROUNDER;
    return (power){ .k = bits_of(shifted) - bits_of(ROUNDER), .r = (x - k * LN2_HIGH) - k * LN2_LOW };
}

INLINE real expm1_near_zero(real r) { return r + r * r * POLYNOMIAL(expm1_terms, r); }

/* e^(k ln 2 + r). Two factors, so that overflow and denormal results come out as they should. */
INLINE real join_power(power p)
{
    bits exponents = p.k + 2 * BIAS, half = exponents >> 1;
    return (1 + expm1_near_zero(p.r)) * real_of(half << MANTISSA) * real_of((exponents - half) << MANTISSA);
}

INLINE real real_exp(real x)
{
    const real low = HG_REAL_BITS == 32 ? -105 : -747, high = HG_REAL_BITS == 32 ? 89 : 710;
    return join_power(split_power(at_least(low, at_most(high, x))));
}

/* e^-|x|, but 0 below the normal numbers (from 0.7 of the smallest on): 2 to the power of -BIAS has no bits. */
INLINE real real_decay(real x)
{
    const real low = HG_REAL_BITS == 32 ? -88 : -709;
    power p = split_power(at_least(low, -R(fabs)(x)));
    return (1 + expm1_near_zero(p.r)) * real_of((p.k + BIAS) << MANTISSA);
}

/* e^x - 1 for x <= 0. */
INLINE real real_expm1_negative(real x)
{
    power p = split_power(at_least(-40, x));
    real scale = real_of((p.k + BIAS) << MANTISSA);
    return scale * expm1_near_zero(p.r) + (scale - 1);
}

INLINE real real_sigmoid(real x)
{
    real e = real_decay(x);
    return (x < 0 ? e : 1) / (1 + e);
}

INLINE real real_tanh(real x)
{
    real t = real_expm1_negative(-2 * R(fabs)(x));
    return R(copysign)(t / (2 + t), x);
}

/* ---- Logarithms ---------------------------------------------------------------------------------------- */

/* log(2^k (1 + f)), sqrt(1/2) - 1 <= f <= sqrt(2) - 1; log(1 + f) = 2 artanh(s) = f - f^2/2 + s (f^2/2 + ...) */
INLINE real join_log(real k, real f)
{
    real s = f / (2 + f), z = s * s, half_square = R(0.5) * f * f;
    real rest = s * (half_square + z * POLYNOMIAL(log_terms, z)) + k * LN2_LOW;
    return k * LN2_HIGH - ((half_square - rest) - f);
}

INLINE real real_log(real x)
{
    const bits from_root_half = bits_of(1) - bits_of(R(0.70710678118654752));
    bool denormal = x < SMALLEST_NORMAL;
    bits b = bits_of(denormal ? x * POWER_OF_2(MANTISSA + 2) : x);
    bits exponent = (b + from_root_half) >> MANTISSA;
    real whole = real_of(exponent | bits_of(POWER_OF_2(MANTISSA))); /* 2^MANTISSA + exponent: no conversion */
    real k = (whole - POWER_OF_2(MANTISSA)) - (denormal ? BIAS + MANTISSA + 2 : BIAS);
    real y = join_log(k, real_of(b - ((exponent - BIAS) << MANTISSA)) - 1);
    real edge = x < 0 ? (real)NAN : x == 0 ? -(real)INFINITY : x;
    return ((x > 0) & (x < (real)INFINITY)) ? y : edge;
}

/* log(1 + x) for 0 <= x <= 1. */
INLINE real real_log1p_unit(real x)
{
    bool upper = x > R(0.41421356237309505);
    return join_log(upper ? 1 : 0, upper ? R(0.5) * x - R(0.5) : x);
}

/* max(x, 0) + log(1 + e^-|x|) */
INLINE real real_softplus(real x)
{
    return (x > 0 ? x : 0) + real_log1p_unit(real_decay(x));
}

/* ---- The circle ---------------------------------------------------------------------------------------- */

/* Cosine and sine of `turns` full turns, 0 <= turns < 1. */
INLINE void real_circle(real turns, real *cosine, real *sine)
{
    real shifted = 4 * turns + ROUNDER, v = 4 * turns - (shifted - ROUNDER), z = v * v;
    real s = v * POLYNOMIAL(sine_terms, z), c = 1 + z * POLYNOMIAL(cosine_terms, z);
    bits quarter = bits_of(shifted);
    bool odd = quarter & 1;
    *cosine = real_of(bits_of(odd ? s : c) ^ (((quarter + 1) & 2) << (HG_REAL_BITS - 2)));
    *sine = real_of(bits_of(odd ? c : s) ^ ((quarter & 2) << (HG_REAL_BITS - 2)));
}

/* ---- The normal distribution's integral ---------------------------------------------------------------- */

/* erf(x), 0 <= x <= 1. */
INLINE real erf_inside(real x) { return x + x * POLYNOMIAL(erf_terms, x * x); }

/* erfc(x), 1 <= x <= ERF_MOST, where x^2 is high + low. */
INLINE real erfc_outside(real x, real high, real low)
{
    power p = split_power(-high);
    p.r -= low;
    return join_power(p) * POLYNOMIAL(erfc_terms, (x - 4) / (x + 3));
}

INLINE real real_erf(real x)
{
    real a = at_most(ERF_MOST, R(fabs)(x));
    real y = a < 1 ? erf_inside(a) : 1 - erfc_outside(a, a * a, 0);
    return R(copysign)(y, x);
}

/* x Phi(x) = x/2 erfc(-x / sqrt 2). x^2/2 is split in two, for far out e^(-x^2/2) magnifies its rounding. */
INLINE real real_gelu(real x)
{
    const bits high_half = ~(((bits)1 << (MANTISSA / 2 + 1)) - 1);
    real a = at_most(ERF_MOST * R(1.4142135623730951), R(fabs)(x)), b = a * R(0.70710678118654752);
    real high = real_of(bits_of(a) & high_half), low = R(0.5) * (a - high) * (a + high);
    real inside = erf_inside(b), outside = erfc_outside(b, R(0.5) * high * high, low);
    real below = b < 1 ? 1 - inside : outside; /* 2 Phi(-a) */
    real above = b < 1 ? 1 + inside : 2 - outside;
    return R(0.5) * (x < 0 ? -a * below : x * above);
}

#endif
