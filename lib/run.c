/* Running a plan: its threads go through all phases. Nothing here allocates, and nothing asks for a shape. */
#include "config.h"

#include <omp.h>

#include "denormal.h"
#include "plan.h"

/* A thread's blocks, and the element at which a producer's part begins that lies there. */
typedef struct blocks {
    char   *at;
    int64_t first;
} blocks;

static inline char *at(const hg_operand *o, blocks b, int64_t begin)
{
    if (o->base == NULL)
        return b.at + o->offset + (size_t)(begin - b.first) * o->size;
    return o->base + (size_t)(o->period > 0 ? begin % o->period : begin) * o->size;
}

/* Instructions [from, to) on n elements. */
static void run_block(const hg_step *step, int from, int to, blocks blocks, int64_t begin, int64_t n)
{
    for (int i = from; i < to; i++) {
        const hg_instruction *instruction = &step->instruction[i];
        const void *in[HG_MOST_GROUP_INPUTS];
        for (int j = 0; j < instruction->inputs; j++)
            in[j] = at(&instruction->input[j], blocks, begin);
        instruction->elements(instruction->t, begin, n, at(&instruction->output, blocks, begin), in);
    }
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Blocks begin anew with each row. */
static void run_group(const hg_step *step, blocks blocks, int64_t begin, int64_t end)
{
    const int64_t row = step->cuts.row;
    while (begin < end) {
        const int64_t stop = smaller(end, begin - begin % row + row);
        run_block(step, 0, step->steady, blocks, begin, smaller(step->cuts.block, stop - begin));
        for (int64_t n; begin < stop; begin += n) {
            n = smaller(step->cuts.block, stop - begin);
            run_block(step, step->steady, step->instructions, blocks, begin, n);
        }
    }
}

/* Behind a producer only as far as the group goes: it may read but the beginning of what that writes. */
static void run_ranges(const hg_step *step, blocks blocks, const hg_ranges *r)
{
    for (int64_t i = 0, begin = r->begin; i < r->count && begin < step->elements; i++, begin += r->stride)
        run_group(step, blocks, begin, smaller(begin + r->length, step->elements));
}

int64_t hg_step_cut(const hg_step *step, int part)
{
    const int64_t row = step->cuts.row, in_row = (row + step->cuts.part - 1) / step->cuts.part;
    const int64_t pieces = step->elements == 0 ? 0 : step->elements / row * in_row, piece = pieces * part / step->parts;
    return piece == pieces ? step->elements : piece / in_row * row + piece % in_row * step->cuts.part;
}

/* A producer that is combined has no group behind it. */
static void combine(const hg_step *step)
{
    if (step->nodes == 0)
        step->kernels->combine(&step->producer->t, step->output, step->scratch_memory, step->parts);
    for (int i = 0; i < step->reductions; i++) {
        const hg_reducer *r = &step->reduction[i];
        if (r->scratch >= 0)
            r->kernels->combine(&r->node->t, r->output, r->scratch_memory, step->parts);
    }
}

/* What a thread has for itself, and the step whose parts were the last to work there. */
typedef struct own {
    char          *blocks, *workspace;
    const hg_step *step;
    double         time;
} own;

static void *scratch_of(const hg_step *step, own *own)
{
    if (!step->works)
        return step->scratch_memory;
    if (own->step != step)
        *(int64_t *)own->workspace = 0;
    own->step = step;
    return own->workspace;
}

/* Where element 0 would be of a part that the thread keeps. */
static void *kept(const hg_step *step, const own *own, int64_t first)
{
    return (void *)((uintptr_t)own->blocks + step->passed_on - (size_t)first * hg_dtype_size(step->producer->t.dtype));
}

static void run_producer(const hg_step *step, own *own, int part)
{
    const hg_tensor *t = &step->producer->t;
    const hg_ranges ranges = step->nodes > 0 ? t->op->ranges(t, part, step->parts) : hg_one_range(0, 0);
    void *to = step->output != NULL ? step->output : kept(step, own, ranges.begin);
    step->kernels->run(t, to, step->input, scratch_of(step, own), part, step->parts);
    if (step->nodes > 0)
        run_ranges(step, (blocks){ own->blocks, ranges.begin }, &ranges);
}

static void run_part(const hg_step *step, own *own, int part)
{
    if (step->combines != NULL) {
        combine(step->combines);
        return;
    }
    if (step->producer != NULL)
        run_producer(step, own, part);
    else
        run_group(step, (blocks){ own->blocks, 0 }, hg_step_cut(step, part), hg_step_cut(step, part + 1));
    if (step->combines_here)
        combine(step);
}

/* ---- The whole ------------------------------------------------------------------------------------------- */

static double note_time(double *spent, double since)
{
    double now = omp_get_wtime();
    *spent += now - since;
    return now;
}

/* The next task of a queue that nobody has taken in this run; NULL: there is none. */
static const hg_task *take(hg_queue *queue, uint64_t run)
{
    const uint64_t end = run * queue->tasks;
    uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    while (taken < end)
        if (atomic_compare_exchange_weak(&queue->taken, &taken, taken + 1))
            return &queue->task[taken + queue->tasks - end];
    return NULL;
}

static void run_task(const hg_plan *plan, const hg_task *task, own *own)
{
    const hg_filling *filling = &plan->options.filling;
    if (task->step != NULL)
        run_part(task->step, own, task->part);
    else
        filling->fill(filling->context, plan->filled, task->part, plan->options.threads);
}

/* A thread's own tasks, then what others have not begun. */
static void run_phase(hg_plan *plan, hg_phase *phase, int thread, uint64_t run, own *own)
{
    const int threads = plan->options.threads;
    const hg_task *task;
    uint64_t done = 0;
    for (int i = 0; i < threads; i++)
        while ((task = take(&phase->queue[(thread + i) % threads], run)) != NULL) {
            const ptrdiff_t step = task->step != NULL ? task->step - plan->step : plan->steps;
            run_task(plan, task, own);
            done++;
            if (plan->spent != NULL)
                own->time = note_time(&plan->spent[thread].step[step], own->time);
        }
    if (done > 0)
        hg_team_count(plan->team, &phase->done, done, run * phase->tasks);
}

void hg_plan_work(void *context, int thread, uint64_t run)
{
    hg_plan *plan = context;
    hg_denormals before = hg_denormals_flush(plan->graph->dtype == HG_F32);
    own own = { .blocks = plan->arena + plan->blocks_offset + (size_t)thread * plan->blocks_bytes,
                .workspace = plan->arena + plan->workspace_offset + (size_t)thread * plan->workspace_bytes,
                .time = plan->spent != NULL ? omp_get_wtime() : 0 };
    for (int p = 0; p <= plan->phases; p++) {
        hg_phase *phase = &plan->phase[p];
        run_phase(plan, phase, thread, run, &own);
        hg_team_wait(plan->team, &phase->done, run * phase->tasks);
        if (plan->spent != NULL)
            own.time = note_time(&plan->spent[thread].phase[p], own.time);
    }
    hg_denormals_restore(before);
}

hg_status hg_run(hg_plan *plan)
{
    if (plan == NULL)
        return HG_BAD_ARGUMENT;
    hg_team_run(plan->team);
    plan->runs++;
    return HG_OK;
}
