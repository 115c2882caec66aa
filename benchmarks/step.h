/* A whole training step (forward, backward, Adam) of one of the library's autoencoders, batch 128, beside the peak of fused
   multiply-adds, measured in turns. */
#ifndef HG_BENCHMARKS_STEP_H
#define HG_BENCHMARKS_STEP_H

#include "peak.h"

#include <hourglass/grad.h>
#include <hourglass/train.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 128, MOST_PARAMETERS = 64, STEPS = 100, ROUNDS = 9 };
enum { MOST_OUTPUTS = 1 + HG_UPDATE_ASSIGNMENTS * MOST_PARAMETERS + HG_MOST_UPDATES };

typedef struct step {
    hg_graph   *graph;
    hg_parts    parts;
    hg_updates *updates;
    hg_plan    *plan;
} step;

/* The mini-batch stays the same. */
static void fill_input(const step *s)
{
    float *at = hg_plan_data(s->plan, s->parts.input);
    const int64_t count = hg_shape_count(hg_tensor_shape(s->parts.input), BATCH);
    for (int64_t i = 0; i < count; i++)
        at[i] = (float)(i * 7 % 31) / 31;
}

static hg_status make_step(step *s, const char *model, const hg_plan_options *options)
{
    hg_tensor *parameter[MOST_PARAMETERS], *gradient[MOST_PARAMETERS], *output[MOST_OUTPUTS];
    int parameters = 0, assignments, outputs = 0;
    s->graph = hg_graph_new(HG_F32);
    if (hg_autoencoder_build(hg_autoencoder_find(model), s->graph, HG_TRAINING, &s->parts) != HG_OK)
        return hg_graph_status(s->graph);
    for (; hg_graph_parameter(s->graph, (size_t)parameters) != NULL; parameters++)
        parameter[parameters] = hg_graph_parameter(s->graph, (size_t)parameters);
    hg_grad(s->parts.objective, parameters, parameter, gradient);
    s->updates = hg_updates_new((hg_optimizer){ 0 }, NULL, parameters, parameter, gradient);
    if (s->updates == NULL)
        return hg_graph_status(s->graph);
    hg_tensor *const *assignment = hg_updates_outputs(s->updates, &assignments);
    output[outputs++] = s->parts.loss;
    for (int i = 0; i < assignments; i++)
        output[outputs++] = assignment[i];
    for (int i = 0; i < s->parts.updates.count; i++)
        output[outputs++] = s->parts.updates.assignment[i];
    s->plan = hg_plan_new(s->graph, outputs, output, options);
    if (s->plan != NULL)
        fill_input(s);
    return hg_graph_status(s->graph);
}

static double wall_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of a step: on its processor for one thread, as other work on the machine then counts little. */
static double time_steps(const step *s, int threads)
{
    double (*clock)(void) = threads == 1 ? seconds : wall_seconds;
    const double start = clock();
    for (int64_t i = 1; i <= STEPS; i++) {
        hg_updates_prepare(s->updates, s->plan, i);
        hg_run(s->plan);
    }
    return (clock() - start) / STEPS;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

static void measure(const step *s, const char *model, int threads, int target)
{
    double time[ROUNDS], peak[ROUNDS];
    hg_plan_facts facts = hg_plan_describe(s->plan);
    time_steps(s, threads);
    measure_peak();
    for (int i = 0; i < ROUNDS; i++) {
        peak[i] = measure_peak();
        time[i] = time_steps(s, threads);
    }
    const double step = median(time), one = 1e-9 * median(peak), speed = facts.flops / step * 1e-9;
    printf("%s, batch %d, %d thread%s, BLIS kernels %s, %s\n", model, BATCH, threads, threads > 1 ? "s" : "",
           hg_blas_kernels(), hg_isa_name(hg_isa_best()));
    printf("  FMA peak of one thread  %8.1f GFLOP/s\n", one);
    printf("  training step           %8.3f ms, %.0f samples/s\n", 1e3 * step, BATCH / step);
    printf("  flops of a step         %8.1f million, arena %.2f MiB\n", 1e-6 * facts.flops,
           (double)facts.arena_bytes / (1 << 20));
    printf("  speed                   %8.1f GFLOP/s, %.0f %% of the peak of %d thread%s", speed,
           100 * speed / (one * threads), threads, threads > 1 ? "s" : "");
    printf(threads == 1 && target > 0 ? " (target: %d %%)\n" : "\n", target);
}

/* The arguments: [THREADS [profile]]. Returns the exit status. */
static int benchmark_step(const char *model, int target, int argc, char *argv[])
{
    step s = { 0 };
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const bool profile = argc > 2 && strcmp(argv[2], "profile") == 0;
    const hg_plan_options options = { .batch = BATCH, .threads = threads, .profile = profile };
    if (threads < 1 || make_step(&s, model, &options) != HG_OK)
        fprintf(stderr, "%s\n", threads < 1 ? "THREADS must be at least 1" : hg_graph_error(s.graph));
    else
        measure(&s, model, threads, target);
    if (s.plan != NULL && profile)
        hg_plan_print(s.plan, stdout);
    const int status = s.plan == NULL;
    hg_plan_free(s.plan);
    hg_updates_free(s.updates);
    hg_graph_free(s.graph);
    return status;
}

#endif
