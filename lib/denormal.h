/* Denormal numbers slow processors down many times; f32 runs take them for zero. The caller's state is restored. */
#ifndef HG_DENORMAL_H
#define HG_DENORMAL_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t hg_denormals;

#if defined(__SSE2__)
#include <xmmintrin.h>
static inline hg_denormals hg_denormals_flush(bool flush)
{
    enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };
    unsigned before = _mm_getcsr();
    if (flush)
        _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    return before;
}
static inline void hg_denormals_restore(hg_denormals before) { _mm_setcsr((unsigned)before); }
#elif defined(__aarch64__)
static inline hg_denormals hg_denormals_flush(bool flush)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (flush)
        __asm__ volatile("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)));
    return before;
}
static inline void hg_denormals_restore(hg_denormals before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
static inline hg_denormals hg_denormals_flush(bool flush) { return flush; }
static inline void hg_denormals_restore(hg_denormals before) { (void)before; }
#endif

#endif
