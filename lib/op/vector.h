/* Vectors of reals as wide as the instruction set has, for kernels that keep tiles of them in registers. */
#ifndef HG_OP_VECTOR_H
#define HG_OP_VECTOR_H

#include "kernel.h"

#include "../transpose.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#define HG_VECTOR_BYTES 64
#define HG_REGISTERS 32
#elif defined(__AVX2__)
#include <immintrin.h>
#define HG_VECTOR_BYTES 32
#define HG_REGISTERS 16
#else
#define HG_VECTOR_BYTES 16
#define HG_REGISTERS 16
#endif

#if HG_VECTOR_BYTES * 8 / HG_REAL_BITS == 16
#define HG_LANES 16
#elif HG_VECTOR_BYTES * 8 / HG_REAL_BITS == 8
#define HG_LANES 8
#elif HG_VECTOR_BYTES * 8 / HG_REAL_BITS == 4
#define HG_LANES 4
#else
#define HG_LANES 2
#endif

typedef real vec __attribute__((vector_size(HG_VECTOR_BYTES)));
typedef real vec_anywhere __attribute__((vector_size(HG_VECTOR_BYTES), aligned(sizeof(real)), may_alias));
enum { LANES = HG_LANES };

/* For loops whose registers would not be enough among those of their callers. */
#define HG_OUTLINE static __attribute__((noinline))

HG_INLINE vec  load(const real *p) { return *(const vec_anywhere *)p; }
HG_INLINE void store(real *p, vec v) { *(vec_anywhere *)p = v; }
/* For what is gone through in order, in memory: the place a block further on is asked for. A block is a page, where the
   processor's own prefetching ends. */
HG_INLINE vec load_ahead(const real *p)
{
    __builtin_prefetch(p + HG_BLOCK);
    return load(p);
}
HG_INLINE void store_ahead(real *p, vec v)
{
    __builtin_prefetch(p + HG_BLOCK, 1);
    store(p, v);
}

/* The first lanes alone; of load_some, the others are 0. Nothing beyond them is touched. */
#if defined(__AVX512F__)
typedef __mmask16 some_lanes;
HG_INLINE some_lanes first_lanes(int64_t n) { return (some_lanes)((1u << n) - 1); }
#if HG_REAL_BITS == 32
HG_INLINE vec  load_some(const real *p, some_lanes some) { return (vec)_mm512_maskz_loadu_ps(some, p); }
HG_INLINE void store_some(real *p, vec v, some_lanes some) { _mm512_mask_storeu_ps(p, some, (__m512)v); }
#else
HG_INLINE vec  load_some(const real *p, some_lanes some) { return (vec)_mm512_maskz_loadu_pd((__mmask8)some, p); }
HG_INLINE void store_some(real *p, vec v, some_lanes some) { _mm512_mask_storeu_pd(p, (__mmask8)some, (__m512d)v); }
#endif
#elif defined(__AVX2__)
typedef integer some_lanes __attribute__((vector_size(HG_VECTOR_BYTES)));
HG_INLINE some_lanes first_lanes(int64_t n)
{
    some_lanes some = { 0 };
    for (int i = 0; i < LANES; i++)
        some[i] = i < n ? -1 : 0;
    return some;
}
#if HG_REAL_BITS == 32
HG_INLINE vec  load_some(const real *p, some_lanes some) { return (vec)_mm256_maskload_ps(p, (__m256i)some); }
HG_INLINE void store_some(real *p, vec v, some_lanes some) { _mm256_maskstore_ps(p, (__m256i)some, (__m256)v); }
#else
HG_INLINE vec  load_some(const real *p, some_lanes some) { return (vec)_mm256_maskload_pd(p, (__m256i)some); }
HG_INLINE void store_some(real *p, vec v, some_lanes some) { _mm256_maskstore_pd(p, (__m256i)some, (__m256d)v); }
#endif
#else
typedef int64_t some_lanes;
HG_INLINE some_lanes first_lanes(int64_t n) { return n; }

HG_INLINE vec load_some(const real *p, some_lanes some)
{
    real lane[LANES] = { 0 };
    for (int64_t i = 0; i < some; i++)
        lane[i] = p[i];
    return load(lane);
}

HG_INLINE void store_some(real *p, vec v, some_lanes some)
{
    real lane[LANES];
    store(lane, v);
    for (int64_t i = 0; i < some; i++)
        p[i] = lane[i];
}
#endif

/* Lane i of v[j] for lane j of v[i]. */
HG_TRANSPOSE(transpose, vec, HG_LANES)

/* Sums of neighbours: those of a, then those of b. */
#if HG_LANES == 16
#define HG_EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define HG_ODDS  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif HG_LANES == 8
#define HG_EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define HG_ODDS  1, 3, 5, 7, 9, 11, 13, 15
#elif HG_LANES == 4
#define HG_EVENS 0, 2, 4, 6
#define HG_ODDS  1, 3, 5, 7
#else
#define HG_EVENS 0, 2
#define HG_ODDS  1, 3
#endif
HG_INLINE vec sums_of_pairs(vec a, vec b)
{
    return __builtin_shufflevector(a, b, HG_EVENS) + __builtin_shufflevector(a, b, HG_ODDS);
}

/* Lane i: the sum of v[i]'s lanes. */
HG_INLINE vec sums_of_lanes(const vec v[LANES])
{
    vec sum[LANES];
    HG_UNROLL for (int i = 0; i < LANES; i++)
        sum[i] = v[i];
    HG_UNROLL for (int n = LANES / 2; n > 0; n /= 2)
        HG_UNROLL for (int i = 0; i < n; i++)
            sum[i] = sums_of_pairs(sum[2 * i], sum[2 * i + 1]);
    return sum[0];
}

/* Reals' size, one for each lane. */
typedef integer ivec __attribute__((vector_size(HG_VECTOR_BYTES)));

/* Of each lane. */
HG_INLINE vec root(vec x)
{
#if defined(__AVX512F__) && HG_REAL_BITS == 32
    return (vec)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX512F__)
    return (vec)_mm512_sqrt_pd((__m512d)x);
#else
    for (int i = 0; i < LANES; i++)
        x[i] = R(sqrt)(x[i]);
    return x;
#endif
}

/* a where a lane of `where` is -1, b where it is 0. */
HG_INLINE vec choose(ivec where, vec a, vec b) { return (vec)(((ivec)a & where) | ((ivec)b & ~where)); }

/* Of each lane, NaN's is NaN. */
HG_INLINE vec signs(vec x)
{
    const vec zero = { 0 }, one = 1 - zero;
    return (vec)(((ivec)one & (x > zero)) | ((ivec)-one & (x < zero)) | ((ivec)x & (x != x)));
}

/* What a kernel does to some vectors of samples, `from` the first on; `tail`: to one, of which only n lanes are there. */
typedef void samples_fn(const int vectors, const bool tail, int64_t n, int64_t from, const void *of);

enum { HG_TOGETHER = HG_REGISTERS == 32 ? 8 : 4 };
HG_INLINE void each_of_samples(int64_t samples, samples_fn *act, const void *of)
{
    int64_t from = 0;
    for (; from + HG_TOGETHER * LANES <= samples; from += HG_TOGETHER * LANES)
        act(HG_TOGETHER, false, LANES, from, of);
    for (; from + LANES <= samples; from += LANES)
        act(1, false, LANES, from, of);
    if (from < samples)
        act(1, true, samples - from, from, of);
}

#endif
