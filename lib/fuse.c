/* From nodes to steps: elementwise ops that read each other become one group, which runs block by block, behind the
   product that feeds it where there is one. Then the steps are put into phases, which alone have barriers between them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"

typedef struct unit {
    hg_node **node;
    int       nodes, room;
    hg_node  *producer; /* the one node that can be no member of a group */
    hg_cuts   cuts;     /* that its reductions ask for; row == 0: they have none or it is a producer without a group */
    int       stamp;    /* of the last search that came by */
} unit;

typedef struct fusion {
    hg_plan *plan;
    unit    *unit;
    int      units, stamp;
    int     *first, *next; /* edges: next[first[i]] ... next[first[i+1] - 1] come after node i */
    int     *stack;
} fusion;

static bool is_map(const hg_node *n) { return n->t.op->flags & HG_MAP; }
static bool reads_elementwise(const hg_node *n) { return is_map(n) || hg_node_reduces(n); }

/* ---- What must come after what ------------------------------------------------------------------------- */

typedef void edge_fn(fusion *f, const hg_node *from, const hg_node *to);

/* Readers come after what they read, and an assignment after every other reader of its target. */
static void each_edge(fusion *f, edge_fn *edge)
{
    hg_plan *plan = f->plan;
    for (size_t i = 0; i < plan->nodes; i++) {
        hg_node *n = &plan->node[i];
        for (int j = 0; hg_node_runs(n) && j < n->t.inputs; j++) {
            hg_node *from = hg_node_input_root(n, j);
            if (hg_node_runs(from))
                edge(f, from, n);
        }
    }
    for (size_t i = 0; i < plan->nodes; i++) {
        hg_node *assignment = &plan->node[i];
        if (!(assignment->t.op->flags & HG_ASSIGN))
            continue;
        const hg_node *target = hg_node_input_root(assignment, 0);
        for (size_t k = 0; k < plan->nodes; k++) {
            hg_node *reader = &plan->node[k];
            for (int j = 0; reader != assignment && hg_node_runs(reader) && j < reader->t.inputs; j++)
                if (hg_node_input_root(reader, j) == target)
                    edge(f, reader, assignment);
        }
    }
}

static void count_edge(fusion *f, const hg_node *from, const hg_node *to)
{
    (void)to;
    f->first[from->t.id + 1]++;
}

static void note_edge(fusion *f, const hg_node *from, const hg_node *to)
{
    int *at = &f->first[from->t.id];
    f->next[(*at)++] = (int)to->t.id;
}

static bool note_edges(fusion *f)
{
    size_t nodes = f->plan->nodes;
    f->first = hg_plan_alloc(f->plan, nodes + 2, sizeof *f->first);
    if (f->first == NULL)
        return false;
    each_edge(f, count_edge);
    for (size_t i = 0; i < nodes; i++)
        f->first[i + 1] += f->first[i];
    f->next = hg_plan_alloc(f->plan, (size_t)f->first[nodes] + 1, sizeof *f->next);
    if (f->next == NULL)
        return false;
    each_edge(f, note_edge); /* leaves first[i] where first[i + 1] was */
    memmove(f->first + 1, f->first, nodes * sizeof *f->first);
    f->first[0] = 0;
    return true;
}

/* Gives every node a rank that no edge goes down; smaller ids first. */
static bool rank_nodes(fusion *f)
{
    hg_plan *plan = f->plan;
    int nodes = (int)plan->nodes, ranked = 0;
    int *before = hg_plan_alloc(plan, plan->nodes + 1, sizeof *before);
    if (before == NULL)
        return false;
    for (int e = 0; e < f->first[nodes]; e++)
        before[f->next[e]]++;
    for (bool progress = true; progress && ranked < nodes;) {
        progress = false;
        for (int i = 0; i < nodes; i++) {
            if (before[i] != 0)
                continue;
            before[i] = -1;
            plan->node[i].rank = ranked++;
            progress = true;
            for (int e = f->first[i]; e < f->first[i + 1]; e++)
                before[f->next[e]]--;
        }
    }
    if (ranked == nodes)
        return true;
    hg_fail(&plan->error, HG_BAD_ARGUMENT, "a tensor reads both the old value of a parameter and its new one, the result of "
            "hg_assign, which takes the old one's place");
    return false;
}

/* ---- Fusing -------------------------------------------------------------------------------------------- */

/* Rows that are cut evenly count as one. */
static hg_cuts cuts_of(const hg_node *n)
{
    hg_cuts cuts = n->t.op->cuts(&n->t, HG_BLOCK);
    if (cuts.row > 0 && cuts.row % cuts.part == 0 && cuts.row % cuts.block == 0)
        cuts.row = hg_node_span(n);
    return cuts;
}

static bool add_to_unit(fusion *f, unit *u, hg_node *n)
{
    if (u->nodes == u->room) {
        int room = u->room == 0 ? 4 : 2 * u->room;
        hg_node **node = hg_plan_alloc(f->plan, (size_t)room, sizeof *node);
        if (node == NULL)
            return false;
        if (u->nodes > 0)
            memcpy(node, u->node, (size_t)u->nodes * sizeof *node);
        u->node = node;
        u->room = room;
    }
    u->node[u->nodes++] = n;
    if (!hg_node_is_fusable(n))
        u->producer = n;
    if (hg_node_reduces(n))
        u->cuts = cuts_of(n);
    n->unit = (int)(u - f->unit);
    return true;
}

static int parts_of(const hg_plan *plan, const hg_node *producer)
{
    return producer->t.op->parts == NULL ? 1 : producer->t.op->parts(&producer->t, plan->options.threads);
}

static bool is_producer_alone(const unit *u) { return u->nodes == 1 && u->producer != NULL; }

/* The elements that the members of a group go through. */
static int64_t span_of(const unit *u) { return hg_node_span(u->node[u->nodes > 1 && u->node[0] == u->producer]); }

/* What reads a producer goes through all that it writes, or through a view of its beginning. */
static bool can_span(const unit *u, int64_t span)
{
    return is_producer_alone(u) ? span_of(u) >= span : span_of(u) == span;
}

/* Whether a group of so many elements can run on each part: not in pieces that are all beginnings. */
static bool is_followed(const hg_plan *plan, const hg_node *producer, int64_t span)
{
    enum { SHORTEST = HG_BLOCK / 4 };
    const int parts = parts_of(plan, producer);
    if (producer->t.op->ranges == NULL || hg_needs_combine(plan, producer, parts))
        return false;
    const hg_ranges r = producer->t.op->ranges(&producer->t, 0, parts);
    return r.count == 1 || r.stride >= span || r.length >= SHORTEST;
}

/* Whether the reductions of two units can go through the same parts and blocks; the wider parts hold for both. */
static bool join_cuts(const unit *a, const unit *b, hg_cuts *cuts)
{
    *cuts = a->cuts.part >= b->cuts.part ? a->cuts : b->cuts;
    const hg_cuts *other = a->cuts.part >= b->cuts.part ? &b->cuts : &a->cuts;
    return other->row == 0 ||
           (cuts->row == other->row && cuts->block == other->block && cuts->part % other->part == 0);
}

/* Whether each of a producer's parts ends where reductions can be cut. */
static bool fits_parts(const hg_plan *plan, const hg_node *producer, const hg_cuts *cuts)
{
    const int parts = parts_of(plan, producer);
    bool fits = true;
    for (int part = 0; part < parts && cuts->row > 0 && fits; part++) {
        const hg_ranges r = producer->t.op->ranges(&producer->t, part, parts);
        for (int64_t i = 0; i < r.count && r.length > 0 && fits; i++)
            fits = (r.begin + i * r.stride) % cuts->row % cuts->part == 0;
    }
    return fits;
}

/* Between members of one unit only elementwise reading is possible: an element needs just its own place. What a reduction
   gives is there when the unit is done. */
static bool edges_stay_elementwise(const fusion *f, const unit *from, const unit *to)
{
    int target = (int)(to - f->unit);
    for (int i = 0; i < from->nodes; i++) {
        const hg_node *n = from->node[i];
        for (int e = f->first[n->t.id]; e < f->first[n->t.id + 1]; e++) {
            const hg_node *reader = &f->plan->node[f->next[e]];
            if (reader->unit != target)
                continue;
            bool data = false;
            for (int j = 0; j < reader->t.inputs; j++)
                data |= hg_node_input_root(reader, j) == n;
            if (!reads_elementwise(reader) || (data ? hg_node_reduces(n) : !reads_elementwise(n)))
                return false;
        }
    }
    return true;
}

/* Whether a path leads from one unit to the other through a third. */
static bool reaches_around(fusion *f, const unit *from, const unit *to)
{
    int source = (int)(from - f->unit), target = (int)(to - f->unit), depth = 0;
    f->stamp++;
    f->stack[depth++] = source;
    f->unit[source].stamp = f->stamp;
    while (depth > 0) {
        int at = f->stack[--depth];
        const unit *u = &f->unit[at];
        for (int i = 0; i < u->nodes; i++)
            for (int e = f->first[u->node[i]->t.id]; e < f->first[u->node[i]->t.id + 1]; e++) {
                int next = f->plan->node[f->next[e]].unit;
                if (next == target && at != source)
                    return true;
                if (next == target || f->unit[next].stamp == f->stamp)
                    continue;
                f->unit[next].stamp = f->stamp;
                f->stack[depth++] = next;
            }
    }
    return false;
}

static bool can_merge(fusion *f, const unit *a, const unit *b)
{
    const hg_node *producer = a->producer != NULL ? a->producer : b->producer;
    const int64_t span = is_producer_alone(a) ? span_of(b) : span_of(a);
    hg_cuts cuts;
    if (a->producer != NULL && b->producer != NULL)
        return false;
    if (!can_span(a, span) || !can_span(b, span) || !join_cuts(a, b, &cuts))
        return false;
    if (producer != NULL && (!is_followed(f->plan, producer, span) || !fits_parts(f->plan, producer, &cuts)))
        return false;
    return edges_stay_elementwise(f, a, b) && edges_stay_elementwise(f, b, a) && !reaches_around(f, a, b) &&
           !reaches_around(f, b, a);
}

static bool merge_into(fusion *f, unit *to, unit *from)
{
    hg_cuts cuts;
    join_cuts(to, from, &cuts);
    for (int i = 0; i < from->nodes; i++)
        if (!add_to_unit(f, to, from->node[i]))
            return false;
    to->cuts = cuts;
    *from = (unit){ 0 };
    return true;
}

static bool fuse_inputs(fusion *f, hg_node *n)
{
    for (int i = 0; i < n->t.inputs; i++) {
        hg_node *input = hg_node_input_root(n, i);
        if (!hg_node_runs(input) || input->unit == n->unit)
            continue;
        unit *from = &f->unit[input->unit], *to = &f->unit[n->unit];
        if (can_merge(f, from, to) && !merge_into(f, from, to))
            return false;
    }
    return true;
}

static bool reads(const unit *u, const hg_node *root)
{
    for (int i = 0; i < u->nodes; i++)
        if (reads_elementwise(u->node[i]) && hg_reads_of(u->node[i], root) > 0)
            return true;
    return false;
}

static bool read_the_same(const unit *a, const unit *b)
{
    for (int i = 0; i < a->nodes; i++)
        for (int j = 0; reads_elementwise(a->node[i]) && j < a->node[i]->t.inputs; j++)
            if (reads(b, hg_node_input_root(a->node[i], j)))
                return true;
    return false;
}

/* Reductions that go through the same tensor do so together. */
static bool fuse_siblings(fusion *f)
{
    for (unit *a = f->unit; a < f->unit + f->units; a++)
        for (unit *b = f->unit; b < f->unit + f->units; b++)
            if (a != b && a->cuts.row > 0 && b->cuts.row > 0 && read_the_same(a, b) && can_merge(f, a, b) && !merge_into(f, a, b))
                return false;
    return true;
}

static bool fuse_node(fusion *f, hg_node *n) { return !reads_elementwise(n) || !hg_node_runs(n) || fuse_inputs(f, n); }

/* Copies come last, readers before what they read: so each goes with the reader that it was made for, not with what it is
   computed from, which is in memory anyway. */
static bool fuse_all(fusion *f)
{
    hg_plan *plan = f->plan;
    for (size_t i = 0; i < plan->nodes; i++)
        if (!plan->node[i].again && !fuse_node(f, &plan->node[i]))
            return false;
    for (size_t i = plan->nodes; i-- > 0;)
        if (plan->node[i].again && !fuse_node(f, &plan->node[i]))
            return false;
    return true;
}

static bool make_units(fusion *f)
{
    hg_plan *plan = f->plan;
    f->unit = hg_plan_alloc(plan, plan->nodes + 1, sizeof *f->unit);
    f->stack = hg_plan_alloc(plan, plan->nodes + 1, sizeof *f->stack);
    if (f->unit == NULL || f->stack == NULL)
        return false;
    for (size_t i = 0; i < plan->nodes; i++)
        if (hg_node_runs(&plan->node[i]) && !add_to_unit(f, &f->unit[f->units++], &plan->node[i]))
            return false;
    plan->ops = f->units;
    return plan->options.no_fusion || (fuse_all(f) && fuse_siblings(f));
}

/* ---- Twins: copies that were made for several readers, and found together again ------------------------ */

static int by_rank(const void *a, const void *b)
{
    const hg_node *const *x = a, *const *y = b;
    return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

static hg_node *find_twin(const unit *u, int before, const hg_node *n)
{
    for (int i = 0; i < before; i++)
        if (hg_node_same(u->node[i], n))
            return u->node[i];
    return NULL;
}

/* The second of two becomes a view of the first. */
static void unite(unit *u, hg_node *twin, hg_node *n)
{
    for (int i = 0; i < u->nodes; i++)
        for (int j = 0; j < u->node[i]->t.inputs; j++)
            if (hg_node_input(u->node[i], j) == n)
                u->node[i]->t.input[j] = &twin->t;
    n->t.op = &hg_stop_gradient_op;
    n->t.inputs = 1;
    n->t.input[0] = &twin->t;
    n->root = twin;
    n->unit = -1;
}

static bool unite_twins(fusion *f)
{
    for (unit *u = f->unit; u < f->unit + f->units; u++) {
        int kept = 0;
        if (u->nodes == 0)
            continue;
        qsort(u->node, (size_t)u->nodes, sizeof *u->node, by_rank);
        for (int i = 0; i < u->nodes; i++) {
            hg_node *n = u->node[i], *twin = n->output ? NULL : find_twin(u, kept, n);
            if (twin == NULL)
                u->node[kept++] = n;
            else
                unite(u, twin, n);
        }
        u->nodes = kept;
    }
    for (size_t i = 0; i < f->plan->nodes; i++)
        f->plan->node[i].root = f->plan->node[i].root->root;
    return note_edges(f);
}

/* ---- Phases -------------------------------------------------------------------------------------------- */

/* What is known while steps are put into phases, by unit. */
typedef struct order {
    int *waits; /* edges from units that are not done before the phase being filled */
    int *phase; /* in which its result is done; -1: not placed */
} order;

static void release_readers(const fusion *f, const order *o, const unit *u, int change)
{
    for (int i = 0; i < u->nodes; i++)
        for (int e = f->first[u->node[i]->t.id]; e < f->first[u->node[i]->t.id + 1]; e++) {
            int to = f->plan->node[f->next[e]].unit;
            if (&f->unit[to] != u)
                o->waits[to] += change;
        }
}

static int choose_parts(const hg_plan *plan, const unit *u)
{
    enum { ELEMENTS_WORTH_A_PART = 4096 };
    int threads = plan->options.threads, parts = 1;
    int64_t worth = span_of(u) / ELEMENTS_WORTH_A_PART;
    if (u->producer == NULL)
        parts = worth < threads ? (int)worth : threads;
    else
        parts = parts_of(plan, u->producer);
    return parts < 1 ? 1 : parts;
}

/* With more than one part, an op's `combine` is a step of its own, a phase later. */
static bool combines(const hg_plan *plan, const unit *u, int parts)
{
    for (int i = 0; i < u->nodes; i++)
        if ((u->node[i] == u->producer || hg_node_reduces(u->node[i])) && hg_needs_combine(plan, u->node[i], parts))
            return true;
    return false;
}

static hg_step *new_step(hg_plan *plan, int phase)
{
    hg_step *step = &plan->step[plan->steps++];
    step->phase = phase;
    step->parts = 1;
    step->scratch = -1;
    return step;
}

/* In order of rank, but the producer first. */
static void sort_unit(unit *u)
{
    qsort(u->node, (size_t)u->nodes, sizeof *u->node, by_rank);
    for (int i = u->nodes - 1; u->producer != NULL && i > 0; i--)
        if (u->node[i] == u->producer) {
            u->node[i] = u->node[i - 1];
            u->node[i - 1] = u->producer;
        }
}

static bool note_reductions(hg_plan *plan, hg_step *step)
{
    step->reduction = hg_plan_alloc(plan, (size_t)step->nodes + 1, sizeof *step->reduction);
    for (int i = 0; i < step->nodes && step->reduction != NULL; i++)
        if (hg_node_reduces(step->node[i]))
            step->reduction[step->reductions++].node = step->node[i];
    return step->reduction != NULL;
}

/* Without reductions, cut where a cache line ends, so that no two threads write to one. */
static hg_cuts unit_cuts(const unit *u)
{
    enum { LINE = 64 };
    return u->cuts.row > 0 ? u->cuts : (hg_cuts){ .row = span_of(u), .part = LINE, .block = HG_BLOCK };
}

static bool place_unit(hg_plan *plan, unit *u, int phase)
{
    hg_step *step = new_step(plan, phase);
    int producers = u->producer != NULL;
    sort_unit(u);
    step->parts = choose_parts(plan, u);
    step->producer = u->producer;
    step->elements = span_of(u);
    step->cuts = unit_cuts(u);
    step->node = u->node + producers;
    step->nodes = u->nodes - producers;
    step->combined_later = step->parts > 1 && combines(plan, u, step->parts);
    step->combines_here = step->parts == 1 && combines(plan, u, 1);
    return note_reductions(plan, step);
}

static void place_combines(hg_plan *plan, int steps_before, int phase)
{
    int steps = plan->steps;
    for (int s = steps_before; s < steps; s++)
        if (plan->step[s].combined_later)
            new_step(plan, phase)->combines = &plan->step[s];
}

static int earliest_ready(const fusion *f, const order *o)
{
    int best = -1;
    for (int i = 0; i < f->units; i++)
        if (f->unit[i].nodes > 0 && o->phase[i] < 0 && o->waits[i] == 0 &&
            (best < 0 || f->unit[i].node[0]->rank < f->unit[best].node[0]->rank))
            best = i;
    return best;
}

/* A guess at the time of one part, in elements touched: products do some 16 multiply-adds in that time. */
static double part_cost(const hg_step *step)
{
    const hg_node *n = step->producer;
    double cost = (double)step->elements * (step->nodes + 1);
    if (n != NULL && n->t.op->flops != NULL)
        cost += n->t.op->flops(&n->t) / 32;
    for (int i = 0; n != NULL && i < n->t.inputs; i++)
        cost += (double)hg_elements(n->t.input[i]);
    return cost / step->parts;
}

/* The longest parts first: what is left to do when a thread has nothing more is short then. */
static void sort_phase(hg_step *step, int steps)
{
    for (int i = 1; i < steps; i++)
        for (int k = i; k > 0 && part_cost(&step[k - 1]) < part_cost(&step[k]); k--) {
            const hg_step later = step[k - 1];
            step[k - 1] = step[k];
            step[k] = later;
        }
}

/* A phase holds every unit whose inputs are done: its steps need no barrier between them. */
static bool fill_phases(fusion *f)
{
    hg_plan *plan = f->plan;
    order o = { hg_plan_alloc(plan, (size_t)f->units + 1, sizeof(int)), hg_plan_alloc(plan, (size_t)f->units + 1, sizeof(int)) };
    int left = 0, last_start = 0;
    plan->step = hg_plan_alloc(plan, 2 * (size_t)f->units + 1, sizeof *plan->step);
    if (o.waits == NULL || o.phase == NULL || plan->step == NULL)
        return false;
    for (int i = 0; i < f->units; i++) {
        left += f->unit[i].nodes > 0;
        o.phase[i] = -1;
        release_readers(f, &o, &f->unit[i], 1);
    }
    for (int phase = 0; left > 0 || last_start < plan->steps; phase++) {
        int start = plan->steps;
        place_combines(plan, last_start, phase);
        for (int i; (i = earliest_ready(f, &o)) >= 0; left--) {
            if (!place_unit(plan, &f->unit[i], phase))
                return false;
            o.phase[i] = phase + plan->step[plan->steps - 1].combined_later;
        }
        for (int i = 0; i < f->units; i++)
            if (o.phase[i] == phase)
                release_readers(f, &o, &f->unit[i], -1);
        sort_phase(plan->step + start, plan->steps - start);
        last_start = start;
        plan->phases = phase + 1;
    }
    return true;
}

/* ---- Shares of the threads ----------------------------------------------------------------------------- */

static int least_loaded(const double *load, int threads)
{
    int least = 0;
    for (int t = 1; t < threads; t++)
        if (load[t] < load[least])
            least = t;
    return least;
}

/* Steps with fewer parts than threads start at the thread that has least to do in the phase. */
static bool share_out(hg_plan *plan)
{
    int threads = plan->options.threads;
    double *load = hg_plan_alloc(plan, (size_t)threads, sizeof *load);
    if (load == NULL)
        return false;
    for (int s = 0; s < plan->steps; s++) {
        hg_step *step = &plan->step[s];
        if (s == 0 || step->phase != step[-1].phase)
            for (int t = 0; t < threads; t++)
                load[t] = 0;
        step->first_thread = least_loaded(load, threads);
        for (int part = 0; part < step->parts; part++)
            load[hg_step_thread(step, part, threads)] += part_cost(step);
    }
    return true;
}

static void number_units(hg_plan *plan)
{
    for (int s = 0; s < plan->steps; s++) {
        hg_step *step = &plan->step[s];
        if (step->producer != NULL)
            step->producer->unit = s;
        for (int i = 0; i < step->nodes; i++)
            step->node[i]->unit = s;
    }
}

bool hg_plan_fuse(hg_plan *plan)
{
    fusion f = { .plan = plan };
    if (!note_edges(&f) || !rank_nodes(&f) || !make_units(&f) || !unite_twins(&f) || !fill_phases(&f) || !share_out(plan))
        return false;
    number_units(plan);
    return true;
}
