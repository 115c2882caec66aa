/* The life of a plan, and the values that go in and come out. */
#include "config.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "plan.h"

void *hg_plan_alloc(hg_plan *plan, size_t count, size_t size)
{
    if (plan->owned_count == plan->owned_room) {
        size_t room = plan->owned_room == 0 ? 256 : 2 * plan->owned_room;
        void **owned = realloc(plan->owned, room * sizeof *owned);
        if (owned == NULL) {
            hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: making a plan");
            return NULL;
        }
        plan->owned = owned;
        plan->owned_room = room;
    }
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: making a plan asked for %zu times %zu bytes", count, size);
        return NULL;
    }
    plan->owned[plan->owned_count++] = memory;
    return memory;
}

void hg_plan_free(hg_plan *plan)
{
    if (plan == NULL)
        return;
    hg_team_free(plan->team);
    for (size_t i = 0; i < plan->owned_count; i++)
        free(plan->owned[i]);
    free(plan->owned);
    hg_memory_free(plan->arena, plan->arena_bytes);
    free(plan);
}

static bool check_options(hg_graph *graph, hg_plan_options *options)
{
    const hg_isa best = hg_isa_best();
    if (options->batch == 0)
        options->batch = 1;
    if (options->isa == HG_ISA_BEST)
        options->isa = best;
    if (options->batch < 1)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "a plan's batch size must be at least 1, not %lld",
                      (long long)options->batch);
    if (options->threads < 0 || options->threads > 4096)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "a plan runs on 1 to 4096 threads, not %d", options->threads);
    if (options->isa < HG_ISA_BASE || options->isa > best)
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "this processor does not run %s", hg_isa_name(options->isa));
    return graph->error.status == HG_OK;
}

static bool check_filling(hg_graph *graph, const hg_filling *filling)
{
    if (filling->fill != NULL && (filling->input == NULL || filling->input->graph != graph ||
                                  filling->input->op != &hg_input_op))
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "what a plan fills must be an input of its graph");
    return graph->error.status == HG_OK;
}

static bool check_outputs(hg_graph *graph, int outputs, hg_tensor *const output[])
{
    for (int i = 0; i < outputs; i++)
        if (output[i] == NULL || output[i]->graph != graph)
            hg_graph_fail(graph, HG_BAD_ARGUMENT, "output %d of a plan is not a tensor of its graph", i);
    return graph->error.status == HG_OK;
}

int hg_threads_best(void) { return omp_get_max_threads(); }

/* In elements computed, of which a core does a few thousand millions a second; a product's multiply-adds go some sixteen times
   as fast, if what it reads is read often enough. */
static double work_of(const hg_tensor *t)
{
    double read = 0;
    if (t->op->flops == NULL)
        return (double)hg_elements(t);
    for (int i = 0; i < t->inputs; i++)
        read += (double)hg_elements(t->input[i]);
    return (double)hg_elements(t) + fmax(read, t->op->flops(t) / 32);
}

/* As many threads as there are, if the caller leaves that open; but one for a run so short that meeting at barriers costs
   more than another thread brings. */
static void choose_threads(hg_plan *plan)
{
    const double worth_a_team = 5e5;
    double work = 0;
    for (size_t i = 0; i < plan->nodes; i++)
        if (hg_node_runs(&plan->node[i]))
            work += work_of(&plan->node[i].t);
    if (plan->options.threads == 0)
        plan->options.threads = work < worth_a_team ? 1 : hg_threads_best();
}

hg_plan *hg_plan_new(hg_graph *graph, int outputs, hg_tensor *const output[], const hg_plan_options *options)
{
    hg_plan_options chosen = options == NULL ? (hg_plan_options){ 0 } : *options;
    if (graph == NULL || graph->error.status != HG_OK || !check_options(graph, &chosen) ||
        !check_filling(graph, &chosen.filling) || !check_outputs(graph, outputs, output))
        return NULL;
    hg_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        hg_graph_fail(graph, HG_OUT_OF_MEMORY, "out of memory: making a plan");
        return NULL;
    }
    plan->graph = graph;
    plan->options = chosen;
    bool bound = hg_plan_bind(plan, outputs, output);
    if (bound)
        choose_threads(plan);
    if (bound && hg_plan_fuse(plan) && hg_plan_place(plan) && hg_plan_compile(plan) && hg_plan_staff(plan))
        return plan;
    hg_fail(&graph->error, plan->error.status, "%s", plan->error.text);
    hg_plan_free(plan);
    return NULL;
}

/* ---- Values -------------------------------------------------------------------------------------------- */

static hg_node *visible(const hg_plan *plan, const hg_tensor *tensor)
{
    if (plan == NULL || tensor == NULL || tensor->graph != plan->graph || tensor->id >= plan->sources)
        return NULL;
    hg_node *n = plan->of_source[tensor->id];
    return n != NULL && (n->output || n->t.op == &hg_input_op) ? n : NULL;
}

void *hg_plan_data(hg_plan *plan, const hg_tensor *tensor)
{
    hg_node *n = visible(plan, tensor);
    return n == NULL ? NULL : hg_node_address(plan, n);
}

static hg_status check_access(hg_plan *plan, const hg_tensor *tensor, size_t count, const char *kind)
{
    if (plan == NULL || tensor == NULL)
        return HG_BAD_ARGUMENT;
    hg_node *n = visible(plan, tensor);
    if (n == NULL)
        return hg_fail(&plan->graph->error, HG_BAD_ARGUMENT, "\"%s\" (%s) is no %s of this plan", tensor->name,
                       tensor->op->name, kind);
    if ((int64_t)count != hg_elements(&n->t)) {
        char text[HG_SHAPE_TEXT];
        return hg_fail(&plan->graph->error, HG_BAD_SHAPE, "\"%s\" is %s, that is %lld values, not %zu", tensor->name,
                       hg_shape_print(&n->t.shape, text), (long long)hg_elements(&n->t), count);
    }
    return HG_OK;
}

hg_status hg_plan_write(hg_plan *plan, const hg_tensor *input, const double *values, size_t count)
{
    hg_status status = check_access(plan, input, count, "input");
    if (status == HG_OK && input->op != &hg_input_op)
        status = hg_fail(&plan->graph->error, HG_BAD_ARGUMENT, "\"%s\" is no input: hg_plan_write does not reach it",
                         input->name);
    if (status == HG_OK)
        hg_from_doubles(input->dtype, values, hg_plan_data(plan, input), count);
    return status;
}

hg_status hg_plan_read(hg_plan *plan, const hg_tensor *output, double *values, size_t count)
{
    hg_status status = check_access(plan, output, count, "output");
    if (status == HG_OK)
        hg_to_doubles(output->dtype, hg_plan_data(plan, output), values, count);
    return status;
}

hg_status hg_eval(hg_tensor *tensor, double *values, size_t count)
{
    if (tensor == NULL)
        return HG_BAD_ARGUMENT;
    hg_plan *plan = hg_plan_new(tensor->graph, 1, &tensor, NULL);
    if (plan == NULL)
        return tensor->graph->error.status;
    hg_status status = hg_run(plan);
    if (status == HG_OK)
        status = hg_plan_read(plan, tensor, values, count);
    hg_plan_free(plan);
    return status;
}
