/* Places in memory: what lives at the same time lies apart, what does not may share. An elementwise result takes over
   the place of an input that dies there. */
#include "config.h"

#include <stdlib.h>

#include "plan.h"

/* The phase in which an op's result is whole, from its scratch if its parts are combined: a producer's that has no group. */
static int done_in(const hg_plan *plan, const hg_node *n)
{
    const hg_step *step = &plan->step[n->unit];
    return step->phase + (step->combined_later && (step->nodes == 0 || hg_node_reduces(n)));
}

/* The last phase that reads a node's memory, by root. */
static bool last_reads(hg_plan *plan, int **last)
{
    *last = hg_plan_alloc(plan, plan->nodes + 1, sizeof **last);
    if (*last == NULL)
        return false;
    for (size_t i = 0; i < plan->nodes; i++)
        if (hg_node_runs(&plan->node[i]))
            (*last)[i] = done_in(plan, &plan->node[i]);
    for (size_t i = 0; i < plan->nodes; i++) {
        const hg_node *n = &plan->node[i];
        for (int j = 0; hg_node_runs(n) && j < n->t.inputs; j++) {
            size_t input = hg_node_input_root(n, j)->t.id;
            const int read_in = plan->step[n->unit].phase;
            if ((*last)[input] < read_in)
                (*last)[input] = read_in;
        }
    }
    for (size_t i = 0; i < plan->nodes; i++)
        if (plan->node[i].output || plan->node[i].t.op == &hg_input_op)
            (*last)[plan->node[i].root->t.id] = plan->phases;
    return true;
}

size_t hg_step_part_bytes(const hg_step *step)
{
    const hg_tensor *t = &step->producer->t;
    int64_t most = 0;
    for (int part = 0; part < step->parts; part++) {
        const hg_ranges r = t->op->ranges(t, part, step->parts);
        if (r.count != 1)
            return 0;
        most = r.length > most ? r.length : most;
    }
    return (size_t)most * hg_dtype_size(t->dtype);
}

/* Whether a producer's parts fit into a thread's own memory, where the group that reads them finds them. */
static bool can_pass_on(const hg_plan *plan, const hg_step *step)
{
    enum { MOST_BYTES = 1 << 19 };
    if (step->nodes == 0 || step->elements != hg_elements(&step->producer->t) || plan->options.no_reuse)
        return false;
    const size_t bytes = hg_step_part_bytes(step);
    return bytes > 0 && bytes <= MOST_BYTES;
}

/* A member of a group needs memory if another step reads it, or the producer's or an indexed op's way of reading; a producer,
   if more than the group does, or its parts are large. */
static void mark_stored(hg_plan *plan)
{
    for (size_t i = 0; i < plan->nodes; i++) {
        hg_node *n = &plan->node[i];
        bool whole = hg_node_runs(n) && (hg_node_reduces(n) || (plan->step[n->unit].producer == n &&
                                                                !can_pass_on(plan, &plan->step[n->unit])));
        n->stored |= n->output || whole || n->t.op == &hg_input_op || n->t.op->flags & HG_ASSIGN;
        for (int j = 0; hg_node_runs(n) && j < n->t.inputs; j++) {
            hg_node *input = hg_node_input_root(n, j);
            input->stored |= hg_node_runs(input) && (input->unit != n->unit || n->t.op->flags & HG_INDEXED);
        }
    }
}

static int new_buffer(hg_plan *plan, size_t bytes, int first, int last)
{
    if (plan->options.no_reuse) {
        first = 0;
        last = plan->phases;
    }
    plan->buffer[plan->buffers] = (hg_buffer){ .bytes = hg_aligned(bytes), .first = first, .last = last };
    return plan->buffers++;
}

/* How often a phase reads a node. */
static int reads_in_phase(const hg_plan *plan, const hg_node *input, int phase)
{
    int reads = 0;
    for (int s = 0; s < plan->steps; s++) {
        const hg_step *step = &plan->step[s];
        if (step->phase != phase)
            continue;
        for (int i = 0; i < step->nodes; i++)
            reads += hg_reads_of(step->node[i], input);
        if (step->producer != NULL)
            reads += hg_reads_of(step->producer, input);
    }
    return reads;
}

/* Whether the group member at `place` may write over `input`: nothing else in the phase reads it but elementwise members
   of the same group that are no later. */
static bool may_overwrite(const hg_plan *plan, const hg_step *step, int place, const hg_node *input, const int *last)
{
    if (!hg_node_runs(input) || input->buffer < 0 || last[input->t.id] != step->phase ||
        plan->buffer[input->buffer].last != step->phase || hg_node_bytes(input) != hg_node_bytes(step->node[place]))
        return false;
    int reads = 0;
    for (int i = 0; i <= place; i++) {
        int here = hg_reads_of(step->node[i], input);
        if (here > 0 && step->node[i]->t.op->flags & HG_INDEXED)
            return false;
        reads += here;
    }
    return reads == reads_in_phase(plan, input, step->phase);
}

static int take_over(hg_plan *plan, hg_step *step, int place, const int *last)
{
    hg_node *n = step->node[place];
    if (plan->options.no_reuse || !(n->t.op->flags & HG_MAP))
        return -1;
    for (int i = 0; i <= place; i++)
        for (int j = 0; j < step->node[i]->t.inputs; j++) {
            hg_node *input = hg_node_input_root(step->node[i], j);
            if (!may_overwrite(plan, step, place, input, last))
                continue;
            plan->buffer[input->buffer].last = last[n->t.id];
            return input->buffer;
        }
    return -1;
}

static bool needs_buffer(const hg_node *n)
{
    return n->stored && n->root == n && !(n->t.op->flags & HG_ASSIGN) && n->t.op != &hg_parameter_op &&
           n->t.op != &hg_constant_op;
}

static void place_step(hg_plan *plan, hg_step *step, const int *last)
{
    hg_node *producer = step->producer;
    if (producer != NULL) {
        const hg_op *op = producer->t.op;
        size_t scratch = op->scratch == NULL ? 0 : op->scratch(&producer->t, step->parts);
        if (scratch > 0)
            step->scratch = new_buffer(plan, scratch, step->phase, done_in(plan, producer));
        if (producer->stored)
            producer->buffer = new_buffer(plan, hg_node_bytes(producer), step->phase, last[producer->t.id]);
    }
    for (int r = 0; r < step->reductions; r++) {
        hg_reducer *reduction = &step->reduction[r];
        const hg_tensor *t = &reduction->node->t;
        size_t scratch = t->op->scratch == NULL ? 0 : t->op->scratch(t, step->parts);
        reduction->scratch = scratch == 0 ? -1 : new_buffer(plan, scratch, step->phase, done_in(plan, reduction->node));
    }
    for (int i = 0; i < step->nodes; i++) {
        hg_node *n = step->node[i];
        if (!needs_buffer(n))
            continue;
        n->buffer = take_over(plan, step, i, last);
        if (n->buffer < 0)
            n->buffer = new_buffer(plan, hg_node_bytes(n), step->phase, last[n->t.id]);
    }
}

/* ---- Offsets ------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const hg_buffer *const *x = a, *const *y = b;
    if ((*x)->bytes != (*y)->bytes)
        return (*x)->bytes < (*y)->bytes ? 1 : -1;
    return (*x > *y) - (*x < *y);
}

static int by_offset(const void *a, const void *b)
{
    const hg_buffer *const *x = a, *const *y = b;
    if ((*x)->offset != (*y)->offset)
        return (*x)->offset < (*y)->offset ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

/* Largest first, each into the lowest gap between those alive at the same time. */
static bool assign_offsets(hg_plan *plan)
{
    hg_buffer **order = hg_plan_alloc(plan, (size_t)plan->buffers + 1, sizeof *order);
    hg_buffer **near = hg_plan_alloc(plan, (size_t)plan->buffers + 1, sizeof *near);
    if (order == NULL || near == NULL)
        return false;
    for (int i = 0; i < plan->buffers; i++)
        order[i] = &plan->buffer[i];
    qsort(order, (size_t)plan->buffers, sizeof *order, by_size);
    for (int i = 0; i < plan->buffers; i++) {
        hg_buffer *b = order[i];
        int neighbours = 0;
        for (int k = 0; k < i; k++)
            if (order[k]->first <= b->last && b->first <= order[k]->last)
                near[neighbours++] = order[k];
        qsort(near, (size_t)neighbours, sizeof *near, by_offset);
        b->offset = 0;
        for (int k = 0; k < neighbours && near[k]->offset < b->offset + b->bytes; k++)
            if (near[k]->offset + near[k]->bytes > b->offset)
                b->offset = near[k]->offset + near[k]->bytes;
        if (b->offset + b->bytes > plan->arena_bytes)
            plan->arena_bytes = b->offset + b->bytes;
    }
    return true;
}

/* ---- The whole ----------------------------------------------------------------------------------------- */

bool hg_plan_place(hg_plan *plan)
{
    int *last;
    plan->buffer = hg_plan_alloc(plan, 2 * plan->nodes + 1, sizeof *plan->buffer);
    if (plan->buffer == NULL || !last_reads(plan, &last))
        return false;
    mark_stored(plan);
    for (size_t i = 0; i < plan->nodes; i++) {
        hg_node *n = &plan->node[i];
        if (n->t.op == &hg_input_op)
            n->buffer = new_buffer(plan, hg_node_bytes(n), 0, plan->phases);
    }
    for (int s = 0; s < plan->steps; s++)
        place_step(plan, &plan->step[s], last);
    return assign_offsets(plan);
}
