/* What a plan is, for people: facts and a table. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "plan.h"

static double step_flops(const hg_step *step)
{
    const hg_node *n = step->producer;
    return n == NULL || n->t.op->flops == NULL ? 0 : n->t.op->flops(&n->t);
}

hg_plan_facts hg_plan_describe(const hg_plan *plan)
{
    hg_plan_facts facts = { .batch = plan->options.batch, .threads = plan->options.threads, .steps = plan->steps, .phases = plan->phases,
                            .ops = plan->ops, .buffers = plan->buffers, .arena_bytes = plan->arena_bytes,
                            .tensor_bytes = plan->tensor_bytes };
    for (int s = 0; s < plan->steps; s++)
        facts.flops += step_flops(&plan->step[s]);
    return facts;
}

static void print_operand(const hg_plan *plan, FILE *to, const hg_node *n)
{
    char shape[HG_SHAPE_TEXT];
    fprintf(to, " %s", hg_shape_print(&n->t.shape, shape));
    n = hg_node_owner(n->root);
    if (*n->t.name != '\0')
        fprintf(to, " \"%s\"", n->t.name);
    else if (n->t.op == &hg_constant_op)
        fprintf(to, " constant");
    if (hg_node_runs(n) && !n->stored && n->buffer < 0)
        fprintf(to, " kept by its thread");
    else if (hg_node_runs(n) && !n->stored)
        fprintf(to, " block %d", n->buffer);
    else if (n->buffer >= 0)
        fprintf(to, " @%zu+%zu", plan->buffer[n->buffer].offset, plan->buffer[n->buffer].bytes);
}

/* How a group computes one of its members, where that is not plain. */
static const char *remark(const hg_node *n)
{
    return n->steady ? "  once a row" : n->chained ? "  together with its reader" : n->again ? "  again" : "";
}

static void print_node(const hg_plan *plan, FILE *to, const hg_node *n, const char *lead)
{
    fprintf(to, "%s%-16s", lead, n->t.op->name);
    print_operand(plan, to, n);
    for (int i = 0; i < n->t.inputs; i++) {
        fputs(i == 0 ? "  <- " : ", ", to);
        print_operand(plan, to, hg_node_input(n, i));
    }
    fprintf(to, "%s", remark(n));
    fputc('\n', to);
}

/* Bytes of the tensors in memory that a step reads and writes. */
static double moved_by(const hg_node *n, int step)
{
    double bytes = n->stored ? (double)hg_node_bytes(n) : 0;
    for (int i = 0; i < n->t.inputs; i++) {
        const hg_node *input = hg_node_input_root(n, i);
        if (!hg_node_runs(input) || input->unit != step)
            bytes += (double)hg_node_bytes(input);
    }
    return bytes;
}

static double step_bytes(const hg_plan *plan, int s)
{
    const hg_step *step = &plan->step[s];
    double bytes = step->producer == NULL ? 0 : moved_by(step->producer, s);
    for (int i = 0; i < step->nodes; i++)
        bytes += moved_by(step->node[i], s);
    return bytes;
}

/* ---- Profile --------------------------------------------------------------------------------------------- */

static bool has_profile(const hg_plan *plan) { return plan->spent != NULL && plan->runs > 0; }

/* Of a run, in the mean over the threads. */
static double step_seconds(const hg_plan *plan, int s)
{
    double sum = 0;
    for (int t = 0; t < plan->options.threads; t++)
        sum += plan->spent[t].step[s];
    return sum / plan->options.threads / (double)plan->runs;
}

static double waiting_seconds(const hg_plan *plan, int phase)
{
    double sum = 0;
    for (int t = 0; t < plan->options.threads; t++)
        sum += plan->spent[t].phase[phase];
    return sum / plan->options.threads / (double)plan->runs;
}

static double run_seconds(const hg_plan *plan)
{
    double sum = 0;
    for (int s = 0; s <= plan->steps; s++)
        sum += step_seconds(plan, s);
    for (int p = 0; p <= plan->phases; p++)
        sum += waiting_seconds(plan, p);
    return sum;
}

/* The best of some, as something else may run beside one. */
static double threads_peak(const hg_plan *plan)
{
    enum { TIMES = 5 };
    double best = 0;
    for (int i = 0; i < TIMES; i++) {
        const double peak = hg_measure_peak();
        best = peak > best ? peak : best;
    }
    return best * plan->options.threads * (plan->graph->dtype == HG_F64 ? 0.5 : 1);
}

static void print_speed(FILE *to, double flops, double seconds, double peak)
{
    fprintf(to, "%.1f GFLOP/s, %.0f %% of the peak", flops / seconds / 1e9, 100 * flops / seconds / peak);
}

static void print_profile(const hg_plan *plan, FILE *to, double peak)
{
    const double seconds = run_seconds(plan), flops = hg_plan_describe(plan).flops;
    fprintf(to, "profile: %.1f us, the mean of %lld runs, ", seconds * 1e6, (long long)plan->runs);
    print_speed(to, flops, seconds, peak);
    fprintf(to, " of %.1f GFLOP/s\n", peak / 1e9);
}

static void print_time(const hg_plan *plan, FILE *to, int s, double peak)
{
    const double seconds = step_seconds(plan, s);
    fprintf(to, "%.1f us  ", seconds * 1e6);
    if (seconds > 0 && step_flops(&plan->step[s]) > 0) {
        print_speed(to, step_flops(&plan->step[s]), seconds, peak);
        fputs("  ", to);
    }
    if (seconds > 0)
        fprintf(to, "%.1f GB/s  ", step_bytes(plan, s) / seconds / 1e9);
}

/* ---- The table ------------------------------------------------------------------------------------------- */

/* The one at the end of phase `phase - 1` of the steps. */
static void print_barrier(const hg_plan *plan, FILE *to, int phase)
{
    fputs("  --", to);
    if (has_profile(plan))
        fprintf(to, "  %.1f us of waiting", waiting_seconds(plan, phase) * 1e6);
    fputc('\n', to);
}

static void print_filling(const hg_plan *plan, FILE *to)
{
    if (plan->filled == NULL)
        return;
    fputs("      ", to);
    if (has_profile(plan))
        fprintf(to, "%.1f us  ", step_seconds(plan, plan->steps) * 1e6);
    fprintf(to, "\"%s\" is filled, %d part%s\n", plan->options.filling.input->name, plan->options.threads,
            plan->options.threads == 1 ? "" : "s");
    print_barrier(plan, to, 0);
}

static void print_step(const hg_plan *plan, FILE *to, int s, double peak)
{
    const hg_step *step = &plan->step[s];
    if (s > 0 && step->phase != step[-1].phase)
        print_barrier(plan, to, step->phase);
    fprintf(to, "%4d  ", s);
    if (has_profile(plan))
        print_time(plan, to, s, peak);
    if (step->parts > 1)
        fprintf(to, "%d parts  ", step->parts);
    if (step_flops(step) > 0)
        fprintf(to, "%.3f Mflop  ", step_flops(step) / 1e6);
    if (step_bytes(plan, s) > 0)
        fprintf(to, "%.3f MB  ", step_bytes(plan, s) / 1e6);
    if (step->scratch >= 0)
        fprintf(to, "scratch @%zu+%zu  ", plan->buffer[step->scratch].offset, plan->buffer[step->scratch].bytes);
    if (step->nodes + (step->producer != NULL) > 1)
        fprintf(to, "%d ops fused", step->nodes + (step->producer != NULL));
    if (step->combines != NULL)
        fprintf(to, "parts of step %d combined", (int)(step->combines - plan->step));
    fputc('\n', to);
    if (step->producer != NULL)
        print_node(plan, to, step->producer, "        ");
    for (int i = 0; i < step->nodes; i++)
        print_node(plan, to, step->node[i], step->producer != NULL ? "        | " : "        ");
}

hg_status hg_plan_print(const hg_plan *plan, FILE *to)
{
    hg_plan_facts facts = hg_plan_describe(plan);
    const double peak = has_profile(plan) ? threads_peak(plan) : 0;
    fprintf(to, "plan: batch %lld, %d thread%s, %s, %d ops in %d steps, %d phases (--: a barrier)\n", (long long)facts.batch, facts.threads,
            facts.threads == 1 ? "" : "s", hg_isa_name(plan->options.isa), facts.ops, facts.steps, facts.phases);
    fprintf(to, "arena: %zu bytes in %d buffers (every tensor kept: %zu bytes), with %zu for each thread; %.3f Mflop in products\n",
            facts.arena_bytes, facts.buffers, facts.tensor_bytes, plan->blocks_bytes + plan->workspace_bytes,
            facts.flops / 1e6);
    if (has_profile(plan))
        print_profile(plan, to, peak);
    print_filling(plan, to);
    for (int s = 0; s < plan->steps; s++)
        print_step(plan, to, s, peak);
    if (ferror(to))
        return hg_fail(&plan->graph->error, HG_CANNOT_WRITE, "the plan cannot be printed: %s", strerror(errno));
    return HG_OK;
}
