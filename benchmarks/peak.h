/* The most multiply-adds that one core of this machine does: what results are compared with. */
#ifndef HG_BENCHMARKS_PEAK_H
#define HG_BENCHMARKS_PEAK_H

#include <hourglass/plan.h>

#include <time.h>

/* Seconds of this thread on a processor: other work on the machine counts little. */
static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double measure_peak(void) { return hg_measure_peak(); }

#endif
