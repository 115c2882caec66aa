/* A training step of `undercomplete` (784-128-32-128-784, batch 128, squared error, Adam) beside the peak of fused
   multiply-adds, measured in turns. Usage: dense_step [THREADS]; 1 by default. */
#include "config.h"

#include "peak.h"

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/train.h>

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 128, PARAMETERS = 8, OUTPUTS = 1 + HG_UPDATE_ASSIGNMENTS * PARAMETERS, STEPS = 100, ROUNDS = 9,
       TARGET = 50 };

typedef struct step {
    hg_graph   *graph;
    hg_parts    parts;
    hg_updates *updates;
    hg_plan    *plan;
} step;

static hg_status make_step(step *s, int threads)
{
    hg_tensor *parameter[PARAMETERS], *gradient[PARAMETERS], *output[OUTPUTS];
    int assignments;
    s->graph = hg_graph_new(HG_F32);
    if (hg_autoencoder_build(hg_autoencoder_find("undercomplete"), s->graph, HG_TRAINING, &s->parts) != HG_OK)
        return hg_graph_status(s->graph);
    for (int i = 0; i < PARAMETERS; i++)
        parameter[i] = hg_graph_parameter(s->graph, (size_t)i);
    hg_grad(s->parts.objective, PARAMETERS, parameter, gradient);
    s->updates = hg_updates_new((hg_optimizer){ 0 }, NULL, PARAMETERS, parameter, gradient);
    if (s->updates == NULL)
        return hg_graph_status(s->graph);
    hg_tensor *const *assignment = hg_updates_outputs(s->updates, &assignments);
    output[0] = s->parts.loss;
    for (int i = 0; i < assignments; i++)
        output[1 + i] = assignment[i];
    s->plan = hg_plan_new(s->graph, 1 + assignments, output, &(hg_plan_options){ .batch = BATCH, .threads = threads });
    return hg_graph_status(s->graph);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of a step; the mini-batch stays the same. */
static double time_steps(const step *s)
{
    double start = now();
    for (int64_t i = 1; i <= STEPS; i++) {
        hg_updates_prepare(s->updates, s->plan, i);
        hg_run(s->plan);
    }
    return (now() - start) / STEPS;
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

static void measure(const step *s, int threads)
{
    double time[ROUNDS], peak[ROUNDS];
    hg_plan_facts facts = hg_plan_describe(s->plan);
    time_steps(s);
    measure_peak();
    for (int i = 0; i < ROUNDS; i++) {
        peak[i] = measure_peak();
        time[i] = time_steps(s);
    }
    double step = median(time), one = 1e-9 * median(peak);
    double speed = facts.flops / step * 1e-9;
    printf("undercomplete, batch %d, %d thread%s, BLIS kernels %s, %s\n", BATCH, threads, threads > 1 ? "s" : "",
           hg_blas_kernels(), hg_isa_name(hg_isa_best()));
    printf("  FMA peak of one thread  %8.1f GFLOP/s\n", one);
    printf("  training step           %8.3f ms, %.0f samples/s\n", 1e3 * step, BATCH / step);
    printf("  flops of a step         %8.1f million, arena %.2f MiB\n", 1e-6 * facts.flops,
           (double)facts.arena_bytes / (1 << 20));
    printf("  speed                   %8.1f GFLOP/s, %.0f %% of the peak of %d thread%s", speed,
           100 * speed / (one * threads), threads, threads > 1 ? "s" : "");
    printf(threads == 1 ? " (target: %d %%)\n" : "\n", TARGET);
}

int main(int argc, char *argv[])
{
    step s = { 0 };
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    hg_dataset *data = hg_dataset_open("digits:count=128", NULL);
    if (threads < 1 || make_step(&s, threads) != HG_OK)
        fprintf(stderr, "dense_step: %s\n", threads < 1 ? "THREADS must be at least 1" : hg_graph_error(s.graph));
    else if (hg_dataset_batch(data, BATCH, NULL, 0, 0, 1, HG_F32, hg_plan_data(s.plan, s.parts.input)) != HG_OK)
        fprintf(stderr, "dense_step: %s\n", hg_dataset_error(data));
    else
        measure(&s, threads);
    int status = s.plan == NULL;
    hg_plan_free(s.plan);
    hg_updates_free(s.updates);
    hg_graph_free(s.graph);
    hg_dataset_free(data);
    return status;
}
