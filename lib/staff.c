/* Who does what: the tasks of each thread in each phase, and the threads. */
#include "config.h"

#include <stdlib.h>

#include "plan.h"

/* ---- Tasks ----------------------------------------------------------------------------------------------- */

static int tasks_of(const hg_step *step, int thread, int threads)
{
    int count = 0;
    for (int part = 0; part < step->parts; part++)
        count += hg_step_thread(step, part, threads) == thread;
    return count;
}

static void add_tasks(hg_queue *queue, hg_step *step, int thread, int threads)
{
    for (int part = 0; part < step->parts; part++)
        if (hg_step_thread(step, part, threads) == thread)
            queue->task[queue->tasks++] = (hg_task){ step, part };
}

/* The steps from `first` on that are in its phase are those before `end`. */
static bool fill_queue(hg_plan *plan, hg_queue *queue, int first, int end, int thread)
{
    int threads = plan->options.threads, count = 0;
    for (int s = first; s < end; s++)
        count += tasks_of(&plan->step[s], thread, threads);
    queue->task = hg_plan_alloc(plan, (size_t)count, sizeof *queue->task);
    for (int s = first; s < end && queue->task != NULL; s++)
        add_tasks(queue, &plan->step[s], thread, threads);
    return queue->task != NULL;
}

static bool fill_phase(hg_plan *plan, hg_phase *phase, int first, int end)
{
    int threads = plan->options.threads;
    phase->queue = hg_plan_alloc(plan, (size_t)threads, sizeof *phase->queue);
    for (int t = 0; t < threads && phase->queue != NULL; t++) {
        if (!fill_queue(plan, &phase->queue[t], first, end, t))
            return false;
        phase->tasks += phase->queue[t].tasks;
    }
    return phase->queue != NULL;
}

/* Each thread has one part of the input to fill. */
static bool fill_first_phase(hg_plan *plan)
{
    const hg_filling *filling = &plan->options.filling;
    int threads = plan->options.threads;
    hg_phase *phase = &plan->phase[0];
    plan->filled = filling->fill == NULL ? NULL : hg_plan_data(plan, filling->input);
    if (!fill_phase(plan, phase, 0, 0))
        return false;
    for (int t = 0; t < threads && plan->filled != NULL; t++) {
        hg_queue *queue = &phase->queue[t];
        queue->task = hg_plan_alloc(plan, 1, sizeof *queue->task);
        if (queue->task == NULL)
            return false;
        queue->task[queue->tasks++] = (hg_task){ NULL, t };
        phase->tasks++;
    }
    return true;
}

static bool fill_phases(hg_plan *plan)
{
    plan->phase = hg_plan_alloc(plan, (size_t)plan->phases + 1, sizeof *plan->phase);
    if (plan->phase == NULL || !fill_first_phase(plan))
        return false;
    for (int p = 0, first = 0, end = 0; p < plan->phases; p++, first = end) {
        while (end < plan->steps && plan->step[end].phase == p)
            end++;
        if (!fill_phase(plan, &plan->phase[p + 1], first, end))
            return false;
    }
    return true;
}

/* ---- Threads --------------------------------------------------------------------------------------------- */

/* Lets ops make ready what so many threads need, so that nothing is allocated later. */
static void prepare(const hg_plan *plan, int threads)
{
    for (size_t i = 0; i < plan->nodes; i++) {
        void (*prepare_op)(int threads) = plan->node[i].t.op->prepare;
        bool first = prepare_op != NULL;
        for (size_t k = 0; first && k < i; k++)
            first = plan->node[k].t.op->prepare != prepare_op;
        if (first)
            prepare_op(threads);
    }
}

static void prepare_thread(void *context) { prepare(context, 1); }

static bool start_threads(hg_plan *plan)
{
    prepare(plan, plan->options.threads);
    plan->team = hg_team_new(plan->options.threads, prepare_thread, hg_plan_work, plan);
    if (plan->team == NULL)
        hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: a plan asked for %d threads",
                plan->options.threads);
    return plan->team != NULL;
}

static bool prepare_profile(hg_plan *plan)
{
    int threads = plan->options.threads;
    plan->spent = hg_plan_alloc(plan, (size_t)threads, sizeof *plan->spent);
    for (int t = 0; t < threads && plan->spent != NULL; t++) {
        plan->spent[t].step = hg_plan_alloc(plan, (size_t)plan->steps + 1, sizeof(double));
        plan->spent[t].phase = hg_plan_alloc(plan, (size_t)plan->phases + 1, sizeof(double));
        if (plan->spent[t].step == NULL || plan->spent[t].phase == NULL)
            return false;
    }
    return plan->spent != NULL;
}

bool hg_plan_staff(hg_plan *plan)
{
    return (!plan->options.profile || prepare_profile(plan)) && fill_phases(plan) && start_threads(plan);
}
