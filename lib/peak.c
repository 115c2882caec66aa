/* The most that a core of this machine does: multiply-adds in registers, of its widest vectors. */
#include "config.h"

#include <hourglass/plan.h>

#include <time.h>

/* Of this thread on a processor: other work on the machine counts little. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__clang__)
#define PEAK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PEAK_UNROLL _Pragma("GCC unroll 16")
#endif

enum { PEAK_CHAINS = 12, PEAK_TURNS = 200000 }; /* enough chains to hide a multiply-add's latency */

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f"))) static double peak_512(void)
{
    __m512 sum[PEAK_CHAINS], factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(1e-3f);
    PEAK_UNROLL for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int turn = 0; turn < PEAK_TURNS; turn++)
        PEAK_UNROLL for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], factor, term);
    PEAK_UNROLL for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    volatile float keep = _mm512_reduce_add_ps(sum[0]);
    (void)keep;
    return 16;
}

__attribute__((target("avx2,fma"))) static double peak_256(void)
{
    __m256 sum[PEAK_CHAINS], factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(1e-3f);
    PEAK_UNROLL for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int turn = 0; turn < PEAK_TURNS; turn++)
        PEAK_UNROLL for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], factor, term);
    PEAK_UNROLL for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    volatile float keep = _mm256_cvtss_f32(sum[0]);
    (void)keep;
    return 8;
}
#endif

/* Products and sums apart, of the vectors that every compiler's target has. */
static double peak_plain(void)
{
    typedef float four __attribute__((vector_size(16)));
    four sum[PEAK_CHAINS] = { { 0 } };
    volatile float factor = 0.999f, term = 1e-3f, keep;
    const float f = factor, t = term;
    for (int turn = 0; turn < PEAK_TURNS; turn++)
        PEAK_UNROLL for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = sum[i] * f + t;
    PEAK_UNROLL for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] += sum[i];
    keep = sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
    (void)keep;
    return 4;
}

double hg_measure_peak(void)
{
    double (*turns)(void) = peak_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        turns = peak_512;
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        turns = peak_256;
#endif
    const double start = seconds(), lanes = turns();
    return 2 * lanes * PEAK_CHAINS * PEAK_TURNS / (seconds() - start);
}
