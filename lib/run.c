/* Running a plan: one team of threads goes through all steps. Nothing here allocates, and nothing asks for a shape. */
#include "config.h"

#include <omp.h>

#include "denormal.h"
#include "plan.h"

static inline char *at(const hg_operand *o, char *blocks, int64_t begin)
{
    return o->base == NULL ? blocks + o->offset : o->base + (size_t)begin * o->size;
}

static void run_block(const hg_step *step, char *blocks, int64_t begin, int64_t n)
{
    for (int i = 0; i < step->instructions; i++) {
        const hg_instruction *instruction = &step->instruction[i];
        const void *in[HG_MOST_GROUP_INPUTS];
        for (int j = 0; j < instruction->t->inputs; j++)
            in[j] = at(&instruction->input[j], blocks, begin);
        instruction->elements(instruction->t, begin, n, at(&instruction->output, blocks, begin), in);
    }
}

static void run_group(const hg_step *step, char *blocks, int64_t begin, int64_t end)
{
    for (; begin < end; begin += HG_BLOCK)
        run_block(step, blocks, begin, end - begin < HG_BLOCK ? end - begin : HG_BLOCK);
}

/* Cut where a cache line ends, so that no two threads write to one. */
static int64_t cut(int64_t elements, int part, int parts)
{
    enum { LINE = 64 };
    return part == parts ? elements : elements / LINE * part / parts * LINE;
}

static void combine(const hg_step *step)
{
    step->kernels->combine(&step->producer->t, step->output, step->input, step->scratch_memory, step->parts);
}

static void run_part(const hg_step *step, char *blocks, int part)
{
    int64_t begin = cut(step->elements, part, step->parts), end = cut(step->elements, part + 1, step->parts);
    if (step->combines != NULL) {
        combine(step->combines);
        return;
    }
    if (step->producer != NULL) {
        const hg_tensor *t = &step->producer->t;
        step->kernels->run(t, step->output, step->input, step->scratch_memory, part, step->parts);
        if (step->combines_here)
            combine(step);
        if (step->nodes == 0)
            return;
        t->op->range(t, part, step->parts, &begin, &end);
    }
    run_group(step, blocks, begin, end);
}

/* What a profiled plan's first thread keeps of time; a wait at a barrier counts for the step before it. */
static double note_time(hg_step *step, double since)
{
    double now = omp_get_wtime();
    step->seconds += now - since;
    return now;
}

static void work(hg_plan *plan, int thread, int threads)
{
    char *blocks = plan->arena + plan->blocks_offset + (size_t)thread * plan->blocks_bytes;
    const bool profile = plan->options.profile && thread == 0;
    double time = profile ? omp_get_wtime() : 0;
    for (int s = 0; s < plan->steps; s++) {
        hg_step *step = &plan->step[s];
        for (int part = 0; part < step->parts; part++)
            if (hg_step_thread(step, part, threads) == thread)
                run_part(step, blocks, part);
        if (s + 1 == plan->steps || step[1].phase != step->phase) {
#pragma omp barrier
        }
        if (profile)
            time = note_time(step, time);
    }
}

hg_status hg_run(hg_plan *plan)
{
    if (plan == NULL)
        return HG_BAD_ARGUMENT;
    const bool flush = plan->graph->dtype == HG_F32;
#pragma omp parallel num_threads(plan->options.threads)
    {
        hg_denormals before = hg_denormals_flush(flush);
        work(plan, omp_get_thread_num(), omp_get_num_threads());
        hg_denormals_restore(before);
    }
    plan->runs++;
    return HG_OK;
}
