/* From the caller's tensors to nodes: the batch size put in, constants folded, equal ops merged. Only what the outputs
   need is visited, so dead code never gets in. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { FOLD_MOST = 4096 }; /* elements of a folded constant */

/* ---- What the outputs need ----------------------------------------------------------------------------- */

/* hg_count needs no values of its input: only its shape. */
static bool needs_inputs(const hg_tensor *t) { return t->op != &hg_count_op; }

static bool *mark_needed(hg_plan *plan, int outputs, hg_tensor *const output[])
{
    bool *needed = hg_plan_alloc(plan, plan->sources, sizeof *needed);
    if (needed == NULL)
        return NULL;
    for (int i = 0; i < outputs; i++)
        needed[output[i]->id] = true;
    for (size_t id = plan->sources; id-- > 0;) {
        const hg_tensor *t = plan->graph->tensors.at[id];
        for (int i = 0; needed[id] && needs_inputs(t) && i < t->inputs; i++)
            needed[t->input[i]->id] = true;
    }
    return needed;
}

/* ---- Binding ------------------------------------------------------------------------------------------- */

static bool bind_shape(hg_plan *plan, const hg_tensor *t, hg_shape *shape)
{
    char text[HG_TENSOR_TEXT];
    *shape = t->shape;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0 && __builtin_mul_overflow(-shape->dim[i], plan->options.batch, &shape->dim[i])) {
            hg_fail(&plan->error, HG_BAD_SHAPE, "%s: the batch size is too large", hg_tensor_print(t, text));
            return false;
        }
    int64_t count = hg_shape_count(shape, 1);
    if (count < 0 || count > INT64_MAX / 16) {
        hg_fail(&plan->error, HG_BAD_SHAPE, "%s: too many elements at batch size %lld", hg_tensor_print(t, text),
                (long long)plan->options.batch);
        return false;
    }
    return true;
}

static hg_node *new_node(hg_plan *plan, const hg_tensor *like)
{
    hg_node *n = &plan->node[plan->nodes];
    *n = (hg_node){ .t = *like, .root = n, .unit = -1, .buffer = -1 };
    n->t.id = plan->nodes++;
    n->t.isa = plan->options.isa;
    return n;
}

static hg_node *constant_node(hg_plan *plan, hg_node *n)
{
    n->t.op = &hg_constant_op;
    n->t.inputs = 0;
    n->t.data = hg_plan_alloc(plan, (size_t)hg_elements(&n->t) + 1, hg_dtype_size(n->t.dtype));
    return n->t.data == NULL ? NULL : n;
}

static hg_node *bind_count(hg_plan *plan, const hg_tensor *t, hg_node *n)
{
    const unsigned axes = *(const unsigned *)t->attr;
    hg_shape shape;
    double count = 1;
    if (!bind_shape(plan, t->input[0], &shape) || constant_node(plan, n) == NULL)
        return NULL;
    for (int i = 0; i < shape.rank; i++)
        if (axes & HG_AXIS(i))
            count *= (double)shape.dim[i];
    hg_from_doubles(n->t.dtype, &count, n->t.data, 1);
    return n;
}

static hg_node *bind_one(hg_plan *plan, const hg_tensor *t)
{
    hg_node *n = new_node(plan, t);
    if (!bind_shape(plan, t, &n->t.shape))
        return NULL;
    if (t->op == &hg_count_op)
        return bind_count(plan, t, n);
    n->t.input = hg_plan_alloc(plan, (size_t)t->inputs + 1, sizeof *n->t.input);
    if (n->t.input == NULL)
        return NULL;
    for (int i = 0; i < t->inputs; i++)
        n->t.input[i] = &plan->of_source[t->input[i]->id]->t;
    if (t->op->flags & HG_VIEW)
        n->root = hg_node_input(n, 0)->root;
    return n;
}

/* ---- Simplification ------------------------------------------------------------------------------------ */

static bool is_constant(const hg_node *n) { return n->t.op == &hg_constant_op; }

/* The value of a scalar constant repeated to some shape. */
static bool repeated_constant(const hg_node *n, double *value)
{
    if (n->t.op == &hg_expand_op)
        n = hg_node_input(n, 0)->root;
    if (!is_constant(n) || n->t.shape.rank != 0 || n->t.dtype == HG_I64)
        return false;
    hg_to_doubles(n->t.dtype, n->t.data, value, 1);
    return true;
}

/* x times a constant is a scaling, and x times 1 is x: the same bits with less work. */
static hg_node *simplify_product(hg_plan *plan, hg_node *n)
{
    double factor;
    for (int i = 0; i < 2; i++) {
        hg_node *x = hg_node_input(n, 1 - i);
        if (!repeated_constant(hg_node_input(n, i), &factor))
            continue;
        if (factor == 1)
            return x;
        double *attr = hg_plan_alloc(plan, 1, sizeof *attr);
        if (attr == NULL)
            return NULL;
        *attr = factor;
        n->t.op = &hg_scale_op;
        n->t.attr = attr;
        n->t.input[0] = &x->t;
        n->t.inputs = 1;
        return n;
    }
    return n;
}

static bool can_fold(const hg_node *n)
{
    if (n->t.inputs == 0 || n->t.op->flags & (HG_RANDOM | HG_ASSIGN | HG_CHEAP) || hg_elements(&n->t) > FOLD_MOST)
        return false;
    for (int i = 0; i < n->t.inputs; i++)
        if (!is_constant(hg_node_input(n, i)->root))
            return false;
    return true;
}

static hg_node *fold(hg_plan *plan, hg_node *n)
{
    const hg_kernels *kernels = hg_tensor_kernels(&n->t, plan->options.isa);
    int parts = n->t.op->parts == NULL ? 1 : n->t.op->parts(&n->t, 1);
    size_t bytes = n->t.op->workspace != NULL ? n->t.op->workspace(&n->t)
                   : n->t.op->scratch != NULL ? n->t.op->scratch(&n->t, parts) : 0;
    void *scratch = aligned_alloc(HG_ALIGN, (bytes / HG_ALIGN + 1) * HG_ALIGN);
    const void **in = hg_plan_alloc(plan, (size_t)n->t.inputs, sizeof *in);
    void *y = hg_plan_alloc(plan, (size_t)hg_elements(&n->t) + 1, hg_dtype_size(n->t.dtype));
    if (scratch == NULL || in == NULL || y == NULL) {
        free(scratch);
        hg_fail(&plan->error, HG_OUT_OF_MEMORY, "out of memory: folding %s", n->t.op->name);
        return NULL;
    }
    for (int i = 0; i < n->t.inputs; i++)
        in[i] = hg_node_input(n, i)->root->t.data;
    *(int64_t *)scratch = 0;
    if (kernels->elements != NULL)
        kernels->elements(&n->t, 0, hg_node_span(n), bytes > 0 ? scratch : y, in);
    else
        for (int part = 0; part < parts; part++)
            kernels->run(&n->t, y, in, scratch, part, parts);
    if (hg_needs_combine(plan, n, parts))
        kernels->combine(&n->t, y, scratch, parts);
    free(scratch);
    n->t.op = &hg_constant_op;
    n->t.inputs = 0;
    n->t.data = y;
    return n;
}

/* ---- Merging equal ops --------------------------------------------------------------------------------- */

static bool same_constant(const hg_node *a, const hg_node *b)
{
    int64_t count = hg_elements(&a->t);
    return count <= 64 && memcmp(a->t.data, b->t.data, (size_t)count * hg_dtype_size(a->t.dtype)) == 0;
}

static bool same_inputs(const hg_node *a, const hg_node *b)
{
    bool same = true, crossed = a->t.op->flags & HG_COMMUTATIVE && a->t.inputs == 2;
    for (int i = 0; i < a->t.inputs; i++) {
        same &= a->t.input[i] == b->t.input[i];
        crossed &= a->t.inputs == 2 && a->t.input[i] == b->t.input[1 - i];
    }
    return same || crossed;
}

bool hg_node_same(const hg_node *a, const hg_node *b)
{
    const hg_op *op = a->t.op;
    if (op != b->t.op || a->t.inputs != b->t.inputs || a->t.dtype != b->t.dtype ||
        op->flags & (HG_RANDOM | HG_ASSIGN) || !hg_shape_equal(&a->t.shape, &b->t.shape))
        return false;
    if (op == &hg_constant_op)
        return same_constant(a, b);
    return a->t.inputs > 0 && (op->attr_size == 0 || memcmp(a->t.attr, b->t.attr, op->attr_size) == 0) &&
           same_inputs(a, b);
}

static size_t hash_node(const hg_node *n)
{
    size_t hash = (size_t)(uintptr_t)n->t.op >> 4;
    for (int i = 0; i < n->t.inputs; i++) /* a sum, for a commutative op's inputs may stand either way */
        hash += (n->t.input[i]->id + 1) * (size_t)0x9e3779b1u;
    return hash ^ (size_t)n->t.shape.rank;
}

typedef struct table {
    hg_node **slot;
    size_t    slots;
} table;

/* An equal node that exists already, else n itself, which is noted. */
static hg_node *merge(table *seen, hg_node *n)
{
    for (size_t i = hash_node(n) % seen->slots;; i = (i + 1) % seen->slots) {
        if (seen->slot[i] == NULL)
            return seen->slot[i] = n;
        if (hg_node_same(seen->slot[i], n))
            return seen->slot[i];
    }
}

static hg_node *improve(hg_plan *plan, table *seen, hg_node *n)
{
    if (plan->options.no_folding)
        return n;
    hg_node *better = n->t.op == &hg_mul_op ? simplify_product(plan, n) : n;
    if (better != n)
        return better;
    if (can_fold(n) && n->root == n)
        better = fold(plan, n);
    return better == NULL ? NULL : merge(seen, better);
}

/* ---- The second pass: only live nodes, light ones once for each reader --------------------------------- */

/* How a node can be computed again. */
typedef struct recipe {
    int            ops;     /* that it takes, 0: it cannot */
    const hg_node *from;    /* the one tensor of its size that they read; NULL: none */
    int            readers;
    bool           kept;    /* in memory anyway: an output, or what reads it is not elementwise */
} recipe;

enum { MOST_OPS_AGAIN = 6 };

/* Whether a reader can read a copy of what an input stands for. A sum goes by its input's shape, which the root of a view does
   not have. */
static bool can_read_copy(const hg_node *reader, int input)
{
    const hg_node *n = hg_node_input(reader, input);
    return reader->t.op->flags & HG_MAP || (reader->t.op->flags & HG_REDUCE && n->root == n);
}

/* Those of a view read its root. */
static void note_readers(const hg_node *draft, size_t drafts, recipe *recipes)
{
    for (size_t i = 0; i < drafts; i++) {
        recipes[i].kept |= draft[i].output;
        for (int j = 0; draft[i].root == &draft[i] && j < draft[i].t.inputs; j++) {
            recipe *input = &recipes[hg_node_input_root(&draft[i], j)->t.id];
            input->readers++;
            input->kept |= !can_read_copy(&draft[i], j);
        }
    }
}

/* A sum of products that are not in memory anyway sums them itself: the same bits, but the products need no memory. */
static void sum_products(hg_node *n, const recipe *recipes)
{
    const hg_node *x = n->t.op == &hg_sum_op && n->t.inputs == 1 ? hg_node_input(n, 0) : n;
    const bool square = x->t.op == &hg_square_op;
    if (x == n || recipes[x->t.id].kept || (!square && x->t.op != &hg_mul_op))
        return;
    const hg_node *a = hg_node_input(x, 0), *b = square ? a : hg_node_input(x, 1);
    if ((a->root->t.op->flags | b->root->t.op->flags) & HG_CHEAP)
        return;
    n->t.input[0] = (hg_tensor *)&a->t;
    n->t.input[1] = (hg_tensor *)&b->t;
    n->t.inputs = 2;
}

static void sum_all_products(hg_node *draft, size_t drafts, recipe *recipes)
{
    note_readers(draft, drafts, recipes);
    for (size_t i = 0; i < drafts; i++)
        sum_products(&draft[i], recipes);
    memset(recipes, 0, drafts * sizeof *recipes);
}

/* From at most one tensor besides what is cheap. */
static void write_recipe(const hg_node *n, recipe *recipes)
{
    recipe *own = &recipes[n->t.id];
    own->ops = 1;
    for (int j = 0; j < n->t.inputs && n->t.op->flags & HG_LIGHT; j++) {
        const hg_node *input = hg_node_input_root(n, j);
        const recipe *r = &recipes[input->t.id];
        const hg_node *from = r->ops > 0 && !r->kept ? r->from : input;
        if (from != NULL && own->from != NULL && from != own->from)
            own->ops = 0;
        if (own->ops == 0)
            return;
        own->from = own->from == NULL ? from : own->from;
        own->ops += r->kept ? 0 : r->ops;
    }
    if (!(n->t.op->flags & (HG_LIGHT | HG_CHEAP)) || own->ops > MOST_OPS_AGAIN)
        own->ops = 0;
}

/* The node that a reader's input stands for, to be computed again in the reader's own group; NULL: it is not. One of a single
   reader is not computed twice, but may be computed later than where it could be first. */
static hg_node *copied_input(const hg_plan *plan, const recipe *recipes, const hg_node *reader, int input)
{
    hg_node *n = hg_node_input_root(reader, input);
    const recipe *r = &recipes[n->t.id];
    const bool cheap = n->t.op->flags & HG_CHEAP && !n->output;
    const bool worth = r->readers > 1 || (r->from != NULL && recipes[r->from->t.id].kept);
    const bool light = n->t.op->flags & HG_LIGHT && !r->kept && r->ops > 0 && worth;
    return !plan->options.no_fusion && can_read_copy(reader, input) && (cheap || light) ? n : NULL;
}

/* Whether a copy's input is copied along. */
static hg_node *inner_input(const recipe *recipes, const hg_node *n, int input)
{
    hg_node *inner = hg_node_input_root(n, input);
    const recipe *r = &recipes[inner->t.id];
    return n->t.op->flags & HG_LIGHT && r->ops > 0 && (!r->kept || inner->t.op->flags & HG_CHEAP) ? inner : NULL;
}

/* What a copy reads is alive. Returns how many nodes it takes. */
static size_t mark_copied(const recipe *recipes, const hg_node *n)
{
    size_t nodes = 1;
    for (int j = 0; j < n->t.inputs; j++) {
        const hg_node *inner = inner_input(recipes, n, j);
        if (inner == NULL)
            hg_node_input(n, j)->live = true;
        else
            nodes += mark_copied(recipes, inner);
    }
    return nodes;
}

static size_t mark_live(hg_plan *plan, const recipe *recipes, hg_node *draft, size_t drafts)
{
    size_t room = 0;
    for (size_t i = drafts; i-- > 0;) {
        hg_node *n = &draft[i];
        n->live |= n->output;
        for (int j = 0; n->live && j < n->t.inputs; j++) {
            hg_node *copied = copied_input(plan, recipes, n, j);
            if (copied == NULL)
                hg_node_input(n, j)->live = true;
            else
                room += mark_copied(recipes, copied);
        }
        if (n->root != n)
            n->root->live |= n->live;
        room += n->live;
    }
    return room;
}

static hg_node *settle_node(hg_plan *plan, hg_node *old, hg_tensor **input)
{
    hg_node *n = &plan->node[plan->nodes];
    *n = *old;
    n->t.id = plan->nodes++;
    n->t.input = input;
    n->root = old->root == old ? n : old->root->moved;
    for (int i = 0; i < old->t.inputs; i++)
        if (input[i] == NULL)
            input[i] = &hg_node_input(old, i)->moved->t;
    return n;
}

static hg_node *settle_copy(hg_plan *plan, const recipe *recipes, hg_node *old)
{
    hg_tensor **input = hg_plan_alloc(plan, (size_t)old->t.inputs + 1, sizeof *input);
    for (int i = 0; i < old->t.inputs && input != NULL; i++) {
        hg_node *inner = inner_input(recipes, old, i), *copy = inner == NULL ? NULL : settle_copy(plan, recipes, inner);
        if (inner != NULL && copy == NULL)
            return NULL;
        input[i] = copy == NULL ? NULL : &copy->t;
    }
    if (input == NULL)
        return NULL;
    hg_node *n = settle_node(plan, old, input);
    n->again = n->t.op->flags & HG_LIGHT;
    return n;
}

static bool settle(hg_plan *plan, const recipe *recipes, hg_node *old)
{
    hg_tensor **input = hg_plan_alloc(plan, (size_t)old->t.inputs + 1, sizeof *input);
    for (int i = 0; i < old->t.inputs && input != NULL; i++) {
        hg_node *copied = copied_input(plan, recipes, old, i);
        if (copied == NULL)
            continue;
        hg_node *copy = settle_copy(plan, recipes, copied);
        if (copy == NULL)
            return false;
        input[i] = &copy->t;
    }
    if (input == NULL)
        return false;
    old->moved = settle_node(plan, old, input);
    return true;
}

static size_t bytes_of_all(const hg_node *draft, size_t drafts)
{
    size_t bytes = 0;
    for (const hg_node *n = draft; n < draft + drafts; n++)
        if (n->root == n && n->t.op != &hg_parameter_op && !is_constant(n))
            bytes += hg_node_bytes(n);
    return bytes;
}

static bool settle_all(hg_plan *plan, hg_node *draft, size_t drafts)
{
    recipe *recipes = hg_plan_alloc(plan, drafts + 1, sizeof *recipes);
    if (recipes == NULL)
        return false;
    plan->tensor_bytes = bytes_of_all(draft, drafts);
    if (!plan->options.no_folding)
        sum_all_products(draft, drafts, recipes);
    note_readers(draft, drafts, recipes);
    for (size_t i = 0; i < drafts; i++)
        write_recipe(&draft[i], recipes);
    plan->node = hg_plan_alloc(plan, mark_live(plan, recipes, draft, drafts) + 1, sizeof *plan->node);
    plan->nodes = 0;
    if (plan->node == NULL)
        return false;
    for (size_t i = 0; i < drafts; i++)
        if (draft[i].live && !settle(plan, recipes, &draft[i]))
            return false;
    for (size_t id = 0; id < plan->sources; id++)
        if (plan->of_source[id] != NULL)
            plan->of_source[id] = plan->of_source[id]->live ? plan->of_source[id]->moved : NULL;
    return true;
}

static size_t count_true(const bool *flags, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += flags[i];
    return found;
}

bool hg_plan_bind(hg_plan *plan, int outputs, hg_tensor *const output[])
{
    plan->sources = plan->graph->tensors.count;
    bool *needed = mark_needed(plan, outputs, output);
    if (needed == NULL)
        return false;
    size_t room = count_true(needed, plan->sources);
    table seen = { .slots = 2 * room + 1 };
    seen.slot = hg_plan_alloc(plan, seen.slots, sizeof *seen.slot);
    plan->node = hg_plan_alloc(plan, room, sizeof *plan->node);
    plan->of_source = hg_plan_alloc(plan, plan->sources, sizeof *plan->of_source);
    if (seen.slot == NULL || plan->node == NULL || plan->of_source == NULL)
        return false;
    for (size_t id = 0; id < plan->sources; id++) {
        if (!needed[id])
            continue;
        const hg_tensor *t = plan->graph->tensors.at[id];
        bool named = t->op == &hg_input_op || t->op == &hg_parameter_op;
        hg_node *n = bind_one(plan, t);
        hg_node *kept = n == NULL || named ? n : improve(plan, &seen, n);
        if (kept == NULL)
            return false;
        if (kept != n)
            plan->nodes--; /* n was the last one made */
        plan->of_source[id] = kept;
    }
    for (int i = 0; i < outputs; i++)
        plan->of_source[output[i]->id]->output = plan->of_source[output[i]->id]->root->output = true;
    return settle_all(plan, plan->node, plan->nodes);
}
