/* The last stage of planning: every address resolved, so that a run only follows pointers. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* ---- Blocks: the values that live only inside of a group ----------------------------------------------- */

typedef struct blocks {
    bool *busy;
    int   count;
} blocks;

static int take_block(blocks *b)
{
    int i = 0;
    while (i < b->count && b->busy[i])
        i++;
    b->count += i == b->count;
    b->busy[i] = true;
    return i;
}

static bool read_later(const hg_step *step, int place, const hg_node *n)
{
    for (int i = place + 1; i < step->nodes; i++)
        if (hg_reads_of(step->node[i], n) > 0)
            return true;
    return false;
}

/* A block for each member without memory of its own; inputs' blocks are free again after their last reader. */
static bool give_blocks(hg_plan *plan, hg_step *step)
{
    blocks b = { .busy = hg_plan_alloc(plan, (size_t)step->nodes + 1, sizeof *b.busy) };
    if (b.busy == NULL)
        return false;
    for (int i = 0; i < step->nodes; i++) {
        hg_node *n = step->node[i];
        if (!n->stored)
            n->buffer = take_block(&b);
        for (int j = 0; j < n->t.inputs; j++) {
            const hg_node *input = hg_node_input_root(n, j);
            if (hg_node_runs(input) && !input->stored && !read_later(step, i, input))
                b.busy[input->buffer] = false;
        }
    }
    size_t bytes = (size_t)b.count * HG_BLOCK * sizeof(double);
    if (bytes > plan->blocks_bytes)
        plan->blocks_bytes = bytes;
    return true;
}

/* ---- Addresses ----------------------------------------------------------------------------------------- */

static char *address(const hg_plan *plan, hg_node *n)
{
    n = hg_node_owner(n->root);
    if (n->t.data != NULL)
        return n->t.data;
    return plan->arena + plan->buffer[n->buffer].offset;
}

static hg_operand operand(const hg_plan *plan, hg_node *n, bool whole)
{
    n = n->root;
    if (hg_node_runs(n) && !n->stored)
        return (hg_operand){ .offset = (size_t)n->buffer * HG_BLOCK * sizeof(double) };
    return (hg_operand){ .base = address(plan, n), .size = whole ? 0 : hg_dtype_size(n->t.dtype) };
}

static int place_of(const hg_step *step, const hg_node *n)
{
    for (int i = 0; i < step->nodes; i++)
        if (step->node[i] == n)
            return i;
    return -1;
}

/* The value of an assignment is computed where it goes to, if nothing reads the old value after that. */
static void assign_in_place(hg_step *step, int at)
{
    hg_node *assignment = step->node[at], *value = hg_node_input_root(assignment, 1);
    const hg_node *target = hg_node_input_root(assignment, 0);
    int from = place_of(step, value);
    if (from < 0 || step->instruction[from].output.base != NULL || !(value->t.op->flags & HG_MAP))
        return;
    for (int i = from + 1; i < at; i++)
        if (hg_reads_of(step->node[i], target) > 0)
            return;
    step->instruction[from].output = step->instruction[at].output;
    for (int i = from + 1; i < step->nodes; i++)
        for (int j = 0; j < step->node[i]->t.inputs; j++)
            if (hg_node_input_root(step->node[i], j) == value)
                step->instruction[i].input[j] = step->instruction[at].output;
    step->instruction[at].elements = NULL;
}

static void drop_assignments(hg_step *step)
{
    for (int i = 0; i < step->nodes; i++)
        if (step->node[i]->t.op->flags & HG_ASSIGN)
            assign_in_place(step, i);
    step->instructions = 0;
    for (int i = 0; i < step->nodes; i++)
        if (step->instruction[i].elements != NULL)
            step->instruction[step->instructions++] = step->instruction[i];
}

static bool compile_group(hg_plan *plan, hg_step *step)
{
    step->instruction = hg_plan_alloc(plan, (size_t)step->nodes + 1, sizeof *step->instruction);
    if (step->instruction == NULL)
        return false;
    for (int i = 0; i < step->nodes; i++) {
        hg_node *n = step->node[i];
        hg_instruction *in = &step->instruction[i];
        in->t = &n->t;
        in->elements = hg_tensor_kernels(&n->t, plan->options.isa)->elements;
        in->output = operand(plan, n, false);
        in->input = hg_plan_alloc(plan, (size_t)n->t.inputs + 1, sizeof *in->input);
        if (in->input == NULL)
            return false;
        for (int j = 0; j < n->t.inputs; j++)
            in->input[j] = operand(plan, hg_node_input(n, j), n->t.op->flags & HG_INDEXED);
    }
    drop_assignments(step);
    return true;
}

static bool compile_producer(hg_plan *plan, hg_step *step)
{
    hg_node *n = step->producer;
    if (n == NULL)
        return true;
    step->kernels = hg_tensor_kernels(&n->t, plan->options.isa);
    step->scratch_memory = step->scratch < 0 ? NULL : plan->arena + plan->buffer[step->scratch].offset;
    step->input = hg_plan_alloc(plan, (size_t)n->t.inputs + 1, sizeof *step->input);
    if (step->input == NULL)
        return false;
    for (int j = 0; j < n->t.inputs; j++)
        step->input[j] = address(plan, hg_node_input(n, j));
    step->output = address(plan, n);
    return true;
}

static bool check_kernels(hg_plan *plan)
{
    for (size_t i = 0; i < plan->nodes; i++) {
        const hg_node *n = &plan->node[i];
        if (!hg_node_runs(n))
            continue;
        const hg_kernels *kernels = hg_tensor_kernels(&n->t, plan->options.isa);
        bool elementwise = n->t.op->flags & (HG_MAP | HG_INDEXED);
        if (elementwise && n->t.inputs > HG_MOST_GROUP_INPUTS) {
            hg_fail(&plan->error, HG_BAD_ARGUMENT, "op %s: an elementwise op takes at most %d inputs, not %d",
                    n->t.op->name, HG_MOST_GROUP_INPUTS, n->t.inputs);
            return false;
        }
        if (elementwise ? kernels->elements != NULL : kernels->run != NULL)
            continue;
        hg_fail(&plan->error, HG_BAD_DTYPE, "op %s has no %s kernel for %s", n->t.op->name,
                elementwise ? "`elements`" : "`run`", hg_dtype_name(n->t.dtype));
        return false;
    }
    return true;
}

bool hg_plan_compile(hg_plan *plan)
{
    if (!check_kernels(plan))
        return false;
    for (int s = 0; s < plan->steps; s++)
        if (!give_blocks(plan, &plan->step[s]))
            return false;
    plan->blocks_offset = plan->arena_bytes;
    plan->arena_bytes += plan->blocks_bytes * (size_t)plan->options.threads;
    if (plan->arena_bytes == 0)
        plan->arena_bytes = HG_ALIGN;
    plan->arena = aligned_alloc(HG_ALIGN, plan->arena_bytes);
    if (plan->arena == NULL) {
        hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: a plan asked for an arena of %zu bytes",
                plan->arena_bytes);
        return false;
    }
    memset(plan->arena, 0, plan->arena_bytes);
    for (int s = 0; s < plan->steps; s++)
        if (!compile_group(plan, &plan->step[s]) || !compile_producer(plan, &plan->step[s]))
            return false;
    return true;
}

void *hg_node_address(const hg_plan *plan, hg_node *n) { return address(plan, n); }
