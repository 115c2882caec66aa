/* What the machine can do: multiply-adds in registers, and copies in memory. */
#include "config.h"

#include "bench.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double hg_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double hg_median(int count, double values[])
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- On all threads at once ---------------------------------------------------------------------------- */

/* Of POSIX, not of OpenMP: they are gone when they are done, and wait in no loop that others would feel. */
enum { MOST_THREADS = 256 };

typedef struct share {
    void (*work)(struct share *s);
    int    thread, threads;
    char  *memory;
    double result;
} share;

static void *run_share(void *of)
{
    share *s = of;
    s->work(s);
    return NULL;
}

/* Returns the sum of the results. */
static double run_shares(int threads, void (*work)(share *s), char *memory)
{
    pthread_t thread[MOST_THREADS];
    share     shares[MOST_THREADS];
    double    sum = 0;
    for (int i = 0; i < threads; i++) {
        shares[i] = (share){ .work = work, .thread = i, .threads = threads, .memory = memory };
        if (i > 0 && pthread_create(&thread[i], NULL, run_share, &shares[i]) != 0)
            hg_quit("%d threads cannot be started", threads);
    }
    work(&shares[0]);
    for (int i = 0; i < threads; i++) {
        if (i > 0)
            pthread_join(thread[i], NULL);
        sum += shares[i].result;
    }
    return sum;
}

static void multiply_add(share *s) { s->result = hg_measure_peak(); }

double hg_fma_peak(int threads) { return run_shares(threads, multiply_add, NULL); }

/* Beyond the caches, and long enough that the threads' start counts little. */
enum { COPIED = 128 << 20 };

static void copy(share *s)
{
    const size_t size = COPIED / (size_t)s->threads, first = size * (size_t)s->thread;
    memcpy(s->memory + first, s->memory + COPIED + first, size);
}

double hg_copy_bandwidth(int threads)
{
    char *memory = calloc(2, COPIED);
    double best = 0;
    if (memory == NULL)
        hg_quit("out of memory: %d bytes to copy", 2 * COPIED);
    for (int turn = 0; turn < 4; turn++) {
        const double start = hg_seconds();
        run_shares(threads, copy, memory);
        const double speed = 2.0 * COPIED / (hg_seconds() - start);
        best = turn > 0 && speed > best ? speed : best; /* the first touches the memory */
    }
    free(memory);
    return best;
}

/* ---- Other work ---------------------------------------------------------------------------------------- */

static double used(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

double hg_others_seconds(void)
{
    double user = 0, nice = 0, system = 0, idle, waiting, interrupts = 0, soft = 0, stolen = 0;
    FILE *stat = fopen("/proc/stat", "r");
    const int read = stat == NULL ? 0
                                  : fscanf(stat, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system,
                                           &idle, &waiting, &interrupts, &soft, &stolen);
    if (stat != NULL)
        fclose(stat);
    return read != 8 ? NAN
                     : (user + nice + system + interrupts + soft + stolen) / (double)sysconf(_SC_CLK_TCK)
                           - used(RUSAGE_SELF) - used(RUSAGE_CHILDREN);
}
