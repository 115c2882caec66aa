/* The last stage of planning: every address resolved, so that a run only follows pointers. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "plan.h"

/* ---- Values that many blocks share --------------------------------------------------------------------- */

/* Whether a group can have rows that end where the repeating of its elements ends. */
static bool can_have_rows(const hg_step *step, int64_t length)
{
    const hg_cuts *cuts = &step->cuts;
    if (cuts->row % length != 0 || length < 2 * cuts->block)
        return false;
    return step->reductions == 0 || (length % cuts->block == 0 && length % cuts->part == 0);
}

static void find_steady(hg_step *step)
{
    for (int i = 0; i < step->nodes && step->elements > 0; i++) {
        hg_node *n = step->node[i];
        int64_t period, length = n->stored || n->t.op->repeats == NULL ? 0 : n->t.op->repeats(&n->t, &period);
        if (length == 0 || step->cuts.block % period != 0)
            continue;
        if (can_have_rows(step, length))
            step->cuts.row = length;
        n->steady = length % step->cuts.row == 0;
    }
}

/* They come first. */
static void sort_steady(hg_step *step)
{
    hg_node *n;
    for (int i = 0; i < step->nodes; i++) {
        if (!(n = step->node[i])->steady)
            continue;
        memmove(step->node + step->steady + 1, step->node + step->steady, (size_t)(i - step->steady) * sizeof n);
        step->node[step->steady++] = n;
    }
}

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
            if (hg_node_runs(input) && input->buffer >= 0 && !input->stored && !input->steady && !read_later(step, i, input))
                b.busy[input->buffer] = false;
        }
    }
    size_t bytes = (size_t)b.count * HG_BLOCK * sizeof(double);
    step->passed_on = bytes;
    if (step->producer != NULL && !step->producer->stored)
        bytes += hg_aligned(hg_step_part_bytes(step));
    if (bytes > plan->blocks_bytes)
        plan->blocks_bytes = bytes;
    return true;
}

static void give_workspace(hg_plan *plan, hg_step *step)
{
    const hg_tensor *t = step->producer != NULL ? &step->producer->t : NULL;
    const size_t bytes = t == NULL || t->op->workspace == NULL ? 0 : hg_aligned(t->op->workspace(t));
    step->works = bytes > 0;
    if (bytes > plan->workspace_bytes)
        plan->workspace_bytes = bytes;
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
        return plan->step[n->unit].producer == n
                   ? (hg_operand){ .offset = plan->step[n->unit].passed_on, .size = hg_dtype_size(n->t.dtype) }
                   : (hg_operand){ .offset = (size_t)n->buffer * HG_BLOCK * sizeof(double) };
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

/* ---- Chains: arithmetic in one go, without the values between -------------------------------------------- */

static const struct arithmetic {
    const hg_op       *op;
    enum hg_arithmetic by[2]; /* where the value so far is the first input, or the second */
    enum hg_taken      taken; /* by another link that reads its result; HG_ITSELF: none can */
} arithmetic[] = {
    { &hg_add_op, .by = { HG_ADD, HG_ADD } },
    { &hg_sub_op, .by = { HG_SUB, HG_SUB_FROM } },
    { &hg_mul_op, .by = { HG_MUL, HG_MUL } },
    { &hg_div_op, .by = { HG_DIV, HG_DIV_INTO } },
    { &hg_scale_op, .by = { HG_MUL, HG_MUL } },
    { &hg_shift_op, .by = { HG_ADD, HG_ADD } },
    { &hg_square_op, .by = { HG_SQUARE, HG_SQUARE }, .taken = HG_ITS_SQUARE },
    { &hg_sqrt_op, .by = { HG_SQRT, HG_SQRT } },
    { &hg_sign_op, .by = { HG_SIGN, HG_SIGN }, .taken = HG_ITS_SIGN },
};

static const struct arithmetic *arithmetic_of(const hg_tensor *t)
{
    for (size_t k = 0; k < sizeof arithmetic / sizeof *arithmetic; k++)
        if (t->op == arithmetic[k].op)
            return &arithmetic[k];
    return NULL;
}

static bool same_place(const hg_operand *a, const hg_operand *b) { return a->base == b->base && a->offset == b->offset; }

/* Whether an operand moves through memory that no input does. */
static bool is_far(const hg_instruction *in, const hg_operand *operand)
{
    bool far = operand->base != NULL && operand->size > 0;
    for (int j = 0; j < in->inputs && far; j++)
        far = !same_place(&in->input[j], operand);
    return far;
}

static int add_input(hg_instruction *in, const hg_operand *operand)
{
    in->chained->chain.far |= (unsigned)is_far(in, operand) << in->inputs;
    in->input[in->inputs] = *operand;
    return in->inputs++;
}

/* What a node does to its input `value`, with `other` if it has one. */
static void add_link(hg_instruction *in, const hg_node *n, int value, const hg_operand *other)
{
    hg_chain *chain = &in->chained->chain;
    hg_link *link = &chain->link[chain->links++];
    *link = (hg_link){ .arithmetic = arithmetic_of(&n->t)->by[value] };
    if (n->t.op->attr_size > 0)
        link->number = *(const double *)n->t.attr;
    if (n->t.inputs == 1)
        return;
    link->run = other->run;
    link->taken = other->taken;
    link->input = add_input(in, other);
}

/* Makes an instruction of arithmetic a chain of it alone. */
static void start_chain(const hg_plan *plan, hg_instruction *in, const hg_node *n)
{
    const int value = in->inputs == 2 && in->input[0].run > 0;
    const hg_operand other = in->input[n->t.inputs - 1 - value];
    const hg_operand first = in->input[value];
    in->inputs = 0;
    add_input(in, &first);
    in->chained->t = n->t;
    in->chained->t.attr = &in->chained->chain;
    in->t = &in->chained->t;
    in->elements = hg_tensor_kernels(&n->t, plan->options.isa)->chain;
    add_link(in, n, value, &other);
}

static bool stores_at(const hg_instruction *in, int input)
{
    const hg_chain *chain = in->chained != NULL ? &in->chained->chain : NULL;
    for (int l = 0; chain != NULL && l < chain->links; l++)
        if (chain->link[l].store == input && input > 0)
            return true;
    return false;
}

static bool touches(const hg_instruction *in, const hg_operand *place, bool writing)
{
    bool touched = same_place(&in->output, place);
    for (int j = 0; j < in->inputs && !touched; j++)
        touched = same_place(&in->input[j], place) && (!writing || stores_at(in, j));
    return touched;
}

/* Whether an instruction can wait until another runs: nothing between them writes over what it reads, or sees what it writes. */
static bool can_wait(const hg_step *step, int at, int until)
{
    const hg_instruction *in = &step->instruction[at];
    for (int i = at + 1; i < until; i++) {
        const hg_instruction *other = &step->instruction[i];
        if (other->elements == NULL)
            continue;
        if (touches(other, &in->output, false))
            return false;
        for (int j = 0; j < in->inputs; j++)
            if (touches(other, &in->input[j], !stores_at(in, j)))
                return false;
    }
    return true;
}

static bool read_once(const hg_step *step, const hg_node *n)
{
    int reads = 0;
    for (int i = 0; i < step->nodes; i++)
        reads += hg_reads_of(step->node[i], n);
    return reads == 1;
}

/* Where the value of a node is computed: an assignment's where that is. */
static int computed_at(const hg_step *step, const hg_node *n)
{
    int at = place_of(step, n);
    while (at >= 0 && step->instruction[at].elements == NULL && step->node[at]->t.op->flags & HG_ASSIGN)
        at = place_of(step, hg_node_input_root(step->node[at], 1));
    return at;
}

/* Whether a chain has room for one more link, which reads one input and may store the value before it. */
static bool has_room(const hg_instruction *in)
{
    return in->chained->chain.links < HG_MOST_LINKS && in->inputs + 1 + (in->output.base != NULL) <= HG_MOST_GROUP_INPUTS;
}

/* Whether n is a square or a sign that its only reader, at `at`, can take by itself. */
static bool can_be_taken(const hg_step *step, const hg_node *n, int at)
{
    const int from = place_of(step, n);
    const hg_instruction *in = from < 0 ? NULL : &step->instruction[from];
    return in != NULL && in->elements != NULL && in->chained != NULL && in->chained->chain.links <= 1 &&
           arithmetic_of(&n->t)->taken != HG_ITSELF && in->output.base == NULL && read_once(step, n) &&
           can_wait(step, from, at);
}

/* What a node reads beside the value of its chain. */
static const hg_operand *other_operand(hg_step *step, int at, int value)
{
    const hg_node *reader = step->node[at];
    const int other = reader->t.inputs - 1 - value;
    hg_operand *operand = &step->instruction[at].input[other];
    hg_node *n = hg_node_input_root(reader, other);
    if (reader->t.inputs == 2 && can_be_taken(step, n, at)) {
        hg_instruction *taken = &step->instruction[place_of(step, n)];
        *operand = taken->input[0];
        operand->taken = arithmetic_of(&n->t)->taken;
        taken->elements = NULL;
        n->chained = true;
    }
    return operand;
}

/* The instruction at `at` goes on where the one of its input ends. */
static bool chain(const hg_plan *plan, hg_step *step, int at, int input)
{
    hg_node *n = hg_node_input_root(step->node[at], input);
    const int from = computed_at(step, n);
    hg_instruction *second = &step->instruction[at], *first = from < 0 ? NULL : &step->instruction[from];
    if (first == NULL || first->elements == NULL || first->chained == NULL || !has_room(first) ||
        (first->output.base == NULL && !read_once(step, n)) || !can_wait(step, from, at))
        return false;
    if (first->chained->chain.links == 0)
        start_chain(plan, first, step->node[from]);
    hg_chain *links = &first->chained->chain;
    if (first->output.base != NULL)
        links->link[links->links - 1].store = add_input(first, &first->output);
    add_link(first, step->node[at], input, other_operand(step, at, input));
    first->output = second->output;
    *second = *first;
    first->elements = NULL;
    step->node[from]->chained = true;
    return true;
}

/* How many neighbours each element of an expand's input becomes; 0: they are no neighbours, or so few that filling blocks
   with them takes less time, or the block is filled once for many. */
static int64_t row_of(const hg_step *step, const hg_node *n)
{
    enum { WORTH_A_PIECE = 64 };
    int64_t period, run = n->t.op == &hg_expand_op && !n->stored && !n->steady ? n->t.op->repeats(&n->t, &period) : 0;
    return run >= WORTH_A_PIECE && period == 1 && hg_elements(n->t.input[0]) * run == step->elements ? run : 0;
}

/* Whether a node takes its input's rows as numbers. */
static bool takes_rows(const hg_step *step, int at, const hg_node *row)
{
    const hg_node *n = step->node[at];
    const int reads = hg_reads_of(n, row);
    return reads == 0 || (reads == 1 && n->t.inputs == 2 && step->instruction[at].chained != NULL &&
                          (row_of(step, hg_node_input_root(n, 0)) == 0 || row_of(step, hg_node_input_root(n, 1)) == 0));
}

/* The readers of an expand read what it repeats. */
static void read_through(const hg_plan *plan, hg_step *step, int at, int64_t run, int64_t period)
{
    hg_node *n = step->node[at];
    hg_operand repeated = operand(plan, hg_node_input(n, 0), run > 0);
    repeated.run = run;
    repeated.period = period;
    for (int i = 0; i < step->nodes; i++)
        for (int j = 0; j < step->node[i]->t.inputs; j++)
            if (hg_node_input_root(step->node[i], j) == n)
                step->instruction[i].input[j] = repeated;
    step->instruction[at].elements = NULL;
    n->chained = true;
}

static void link_rows(const hg_plan *plan, hg_step *step, int at)
{
    const hg_node *row = step->node[at];
    const int64_t run = row_of(step, row);
    for (int i = 0; i < step->nodes && run > 0; i++)
        if (!takes_rows(step, i, row))
            return;
    if (run > 0)
        read_through(plan, step, at, run, 0);
}

/* What is repeated as a whole, if no block holds its end: blocks begin at multiples of their size then. */
static void link_periods(const hg_plan *plan, hg_step *step, int at)
{
    const hg_node *n = step->node[at];
    hg_cuts *cuts = &step->cuts;
    int64_t period;
    if (n->t.op != &hg_expand_op || n->stored || n->steady || step->producer != NULL ||
        n->t.op->repeats(&n->t, &period) != step->elements || period % cuts->block != 0 || cuts->row % period != 0)
        return;
    if (step->reductions == 0)
        cuts->part = cuts->block;
    if (cuts->part % cuts->block == 0)
        read_through(plan, step, at, 0, period);
}

/* Only chains take rows as numbers, and only they ask for memory a block before. */
static bool gains_as_chain(const hg_plan *plan, const hg_instruction *in)
{
    const hg_operand *first = &in->input[0], *last = &in->input[in->inputs - 1];
    const bool in_memory = first->base != NULL || last->base != NULL || in->output.base != NULL;
    return first->run > 0 || last->run > 0 || (in_memory && !plan->options.no_fusion);
}

/* When all that a chain reads is known. */
static void note_far_output(hg_instruction *in)
{
    if (in->elements != NULL && in->chained != NULL)
        in->chained->chain.far_output = is_far(in, &in->output);
}

static void chain_all(const hg_plan *plan, hg_step *step)
{
    for (int i = 0; i < step->nodes; i++)
        link_rows(plan, step, i);
    for (int i = 0; i < step->nodes; i++)
        link_periods(plan, step, i);
    for (int i = 0; i < step->nodes; i++) {
        hg_instruction *in = &step->instruction[i];
        if (in->elements == NULL || in->chained == NULL || chain(plan, step, i, 0) ||
            (in->inputs == 2 && chain(plan, step, i, 1)))
            continue;
        if (gains_as_chain(plan, in))
            start_chain(plan, in, step->node[i]);
    }
    for (int i = 0; i < step->nodes; i++)
        note_far_output(&step->instruction[i]);
}

static void drop_instructions(const hg_plan *plan, hg_step *step)
{
    for (int i = 0; i < step->nodes; i++)
        if (step->node[i]->t.op->flags & HG_ASSIGN)
            assign_in_place(step, i);
    chain_all(plan, step);
    step->instructions = 0;
    for (int i = 0; i < step->nodes; i++)
        if (step->instruction[i].elements != NULL)
            step->instruction[step->instructions++] = step->instruction[i];
}

/* What takes in elements writes to the scratch if there is one. */
static void compile_reductions(hg_plan *plan, hg_step *step)
{
    for (int r = 0; r < step->reductions; r++) {
        hg_reducer *reduction = &step->reduction[r];
        hg_operand *output = &step->instruction[place_of(step, reduction->node)].output;
        reduction->kernels = hg_tensor_kernels(&reduction->node->t, plan->options.isa);
        reduction->output = address(plan, reduction->node);
        if (reduction->scratch >= 0)
            reduction->scratch_memory = plan->arena + plan->buffer[reduction->scratch].offset;
        output->base = reduction->scratch < 0 ? reduction->output : reduction->scratch_memory;
        output->size = 0;
    }
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
        in->inputs = n->t.inputs;
        in->input = hg_plan_alloc(plan, HG_MOST_GROUP_INPUTS, sizeof *in->input);
        if (arithmetic_of(&n->t) != NULL && (in->chained = hg_plan_alloc(plan, 1, sizeof *in->chained)) == NULL)
            return false;
        if (in->input == NULL)
            return false;
        for (int j = 0; j < n->t.inputs; j++)
            in->input[j] = operand(plan, hg_node_input(n, j), n->t.op->flags & HG_INDEXED);
    }
    compile_reductions(plan, step);
    drop_instructions(plan, step);
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
    step->output = n->stored ? address(plan, n) : NULL;
    return true;
}

static bool check_kernels(hg_plan *plan)
{
    for (size_t i = 0; i < plan->nodes; i++) {
        const hg_node *n = &plan->node[i];
        if (!hg_node_runs(n))
            continue;
        const hg_kernels *kernels = hg_tensor_kernels(&n->t, plan->options.isa);
        bool elementwise = hg_node_is_fusable(n);
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
    for (int s = 0; s < plan->steps; s++) {
        find_steady(&plan->step[s]);
        sort_steady(&plan->step[s]);
        if (!give_blocks(plan, &plan->step[s]))
            return false;
        give_workspace(plan, &plan->step[s]);
    }
    plan->blocks_offset = plan->arena_bytes;
    plan->workspace_offset = plan->blocks_offset + plan->blocks_bytes * (size_t)plan->options.threads;
    plan->arena_bytes = plan->workspace_offset + plan->workspace_bytes * (size_t)plan->options.threads;
    if (plan->arena_bytes == 0)
        plan->arena_bytes = HG_ALIGN;
    plan->arena = hg_memory_new(plan->arena_bytes);
    if (plan->arena == NULL) {
        hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: a plan asked for an arena of %zu bytes",
                plan->arena_bytes);
        return false;
    }
    for (int s = 0; s < plan->steps; s++)
        if (!compile_group(plan, &plan->step[s]) || !compile_producer(plan, &plan->step[s]))
            return false;
    return true;
}

void *hg_node_address(const hg_plan *plan, hg_node *n) { return address(plan, n); }
