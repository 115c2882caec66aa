/* Gradient checks against central differences. On the public headers alone: a user could have written them. */
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An input, parameter or state that the loss depends on, and the value it has (inputs: gets) for the check. */
typedef struct leaf {
    hg_tensor *tensor;
    int64_t    count;
    double    *values;
} leaf;

typedef struct check {
    hg_graph        *graph;
    int              count;
    hg_tensor *const *wrt;
    hg_check_options options; /* defaults filled in */
    leaf            *leaf;
    size_t           leaves, leaf_room;
    bool             assigns; /* running the loss changes states */
    uint64_t         random;
    int              entries; /* checked; the report has room for the first ones */
    hg_check_entry   worst;
    hg_check_report *report;
} check;

enum { REPORT_ROOM = sizeof((hg_check_report *)0)->entry / sizeof(hg_check_entry) };

static hg_status fail(check *c, hg_status status, const char *text)
{
    hg_graph_fail(c->graph, status, "hg_gradcheck: %s", text);
    return hg_graph_status(c->graph);
}

static hg_status out_of_memory(check *c) { return fail(c, HG_OUT_OF_MEMORY, "out of memory"); }

/* ---- Random values ------------------------------------------------------------------------------------- */

static double uniform(uint64_t *state) /* splitmix64, (0, 1) */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52;
}

static double normal(uint64_t *state) /* Box-Muller */
{
    double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

/* ---- What the loss depends on -------------------------------------------------------------------------- */

/* A set of tensors that remembers their order. */
typedef struct set {
    const hg_tensor **at, **slot;
    size_t            count, room; /* slots: twice the room, a power of two */
} set;

static void set_free(set *s)
{
    free(s->at);
    free(s->slot);
}

static size_t set_find(const set *s, const hg_tensor *t)
{
    size_t mask = 2 * s->room - 1, i = (size_t)((uintptr_t)t >> 6) & mask;
    while (s->slot[i] != NULL && s->slot[i] != t)
        i = (i + 1) & mask;
    return i;
}

static bool set_grow(set *s)
{
    size_t room = s->room == 0 ? 64 : 2 * s->room;
    const hg_tensor **at = realloc(s->at, room * sizeof *at), **slot = calloc(2 * room, sizeof *slot);
    s->at = at == NULL ? s->at : at;
    if (at == NULL || slot == NULL) {
        free(slot);
        return false;
    }
    free(s->slot);
    s->slot = slot;
    s->room = room;
    for (size_t i = 0; i < s->count; i++)
        s->slot[set_find(s, s->at[i])] = s->at[i];
    return true;
}

static bool set_add(set *s, const hg_tensor *t)
{
    if (s->count == s->room && !set_grow(s))
        return false;
    size_t i = set_find(s, t);
    if (s->slot[i] == NULL)
        s->slot[i] = s->at[s->count++] = t;
    return true;
}

static bool is_named_leaf(const hg_tensor *t)
{
    return hg_tensor_inputs(t) == 0 && hg_graph_find(hg_tensor_graph(t), hg_tensor_name(t)) == t;
}

static bool is_real_leaf(const hg_tensor *t) { return is_named_leaf(t) && hg_tensor_dtype(t) != HG_I64; }

static const hg_check_input *given_values(const check *c, const hg_tensor *t)
{
    for (int i = 0; i < c->options.inputs; i++)
        if (c->options.input[i].tensor == t)
            return &c->options.input[i];
    return NULL;
}

static void choose_values(check *c, const leaf *l)
{
    const hg_check_input *given = given_values(c, l->tensor);
    bool integer = hg_tensor_dtype(l->tensor) == HG_I64;
    for (int64_t i = 0; i < l->count; i++)
        l->values[i] = given != NULL ? given->values[i] : integer ? 0 : normal(&c->random);
}

static hg_status add_leaf(check *c, hg_tensor *t)
{
    leaf l = { .tensor = t, .count = hg_shape_count(hg_tensor_shape(t), c->options.batch) };
    if (c->leaves == c->leaf_room) {
        size_t room = c->leaf_room == 0 ? 16 : 2 * c->leaf_room;
        leaf *grown = realloc(c->leaf, room * sizeof *grown);
        if (grown == NULL)
            return out_of_memory(c);
        c->leaf = grown;
        c->leaf_room = room;
    }
    if (l.count < 0 || (uint64_t)l.count >= SIZE_MAX / sizeof(double))
        return fail(c, HG_BAD_SHAPE, "an input has too many elements at this batch size");
    l.values = malloc(((size_t)l.count + 1) * sizeof(double));
    if (l.values == NULL)
        return out_of_memory(c);
    c->leaf[c->leaves++] = l;
    if (hg_data(t) != NULL)
        return hg_read(t, l.values, (size_t)l.count);
    choose_values(c, &l);
    return HG_OK;
}

static hg_status add_leaves(check *c, const hg_tensor *loss)
{
    set seen = { 0 };
    bool room = set_add(&seen, loss);
    hg_status status = HG_OK;
    for (size_t i = 0; room && status == HG_OK && i < seen.count; i++) {
        const hg_tensor *t = seen.at[i];
        c->assigns |= (hg_tensor_op(t)->flags & HG_ASSIGN) != 0;
        if (is_named_leaf(t))
            status = add_leaf(c, hg_graph_find(c->graph, hg_tensor_name(t)));
        for (int j = 0; room && j < hg_tensor_inputs(t); j++)
            room = set_add(&seen, hg_tensor_input(t, j));
    }
    set_free(&seen);
    return room ? status : out_of_memory(c);
}

/* ---- Running ------------------------------------------------------------------------------------------- */

static void restore_assigned(const check *c)
{
    for (size_t i = 0; c->assigns && i < c->leaves; i++)
        if (hg_data(c->leaf[i].tensor) != NULL)
            hg_write(c->leaf[i].tensor, c->leaf[i].values, (size_t)c->leaf[i].count);
}

static hg_plan *plan(check *c, int outputs, hg_tensor *const output[])
{
    hg_plan *p = hg_plan_new(c->graph, outputs, output, &(hg_plan_options){ .batch = c->options.batch, .threads = 1 });
    for (size_t i = 0; p != NULL && i < c->leaves; i++)
        if (hg_data(c->leaf[i].tensor) == NULL && hg_plan_data(p, c->leaf[i].tensor) != NULL)
            hg_plan_write(p, c->leaf[i].tensor, c->leaf[i].values, (size_t)c->leaf[i].count);
    return p;
}

/* Where a plan reads the leaf's values; NULL if it does not. */
static double *place_of(const check *c, hg_plan *p, const hg_tensor *t)
{
    for (size_t i = 0; i < c->leaves; i++)
        if (c->leaf[i].tensor == t)
            return hg_data(t) != NULL ? hg_data(t) : hg_plan_data(p, t);
    return NULL;
}

static hg_status evaluate(check *c, hg_plan *p, const hg_tensor *value, double *place, double at, double *result)
{
    restore_assigned(c);
    *place = at;
    hg_status status = hg_run(p);
    return status == HG_OK ? hg_plan_read(p, value, result, 1) : status;
}

static hg_status central_difference(check *c, hg_plan *p, const hg_tensor *value, double *place, double *slope)
{
    const double x = *place, right = x + c->options.epsilon, left = x - c->options.epsilon;
    double above = 0, below = 0;
    hg_status status = evaluate(c, p, value, place, right, &above);
    if (status == HG_OK)
        status = evaluate(c, p, value, place, left, &below);
    *place = x;
    *slope = (above - below) / (right - left);
    return status;
}

/* ---- Comparing ----------------------------------------------------------------------------------------- */

static double excess(const check *c, double analytic, double numeric)
{
    if (!isfinite(analytic) || !isfinite(numeric))
        return INFINITY;
    return fabs(analytic - numeric) / (c->options.atol + c->options.rtol * fabs(numeric));
}

static void note(check *c, const hg_check_entry *entry)
{
    if (c->entries == 0 || entry->excess > c->worst.excess)
        c->worst = *entry;
    if (c->report != NULL && c->entries < REPORT_ROOM) {
        c->report->entry[c->entries] = *entry;
        c->report->entries = c->entries + 1;
    }
    c->entries++;
}

static hg_status check_tensor(check *c, int order, hg_plan *p, const hg_tensor *value, const hg_tensor *t,
                              const double *analytic, int64_t count)
{
    int64_t tried = c->options.most > 0 && c->options.most < count ? c->options.most : count;
    double *place = place_of(c, p, t);
    hg_check_entry worst = { .tensor = t, .order = order, .excess = count > 0 ? -1 : 0 };
    for (int64_t k = 0; k < tried; k++) {
        int64_t i = count / tried * k + count % tried * k / tried;
        double numeric = 0, over;
        hg_status status = place == NULL ? HG_OK : central_difference(c, p, value, place + i, &numeric);
        if (status != HG_OK)
            return status;
        over = excess(c, analytic[i], numeric);
        if (over > worst.excess)
            worst = (hg_check_entry){ t, order, i, analytic[i], numeric, over };
    }
    note(c, &worst);
    return HG_OK;
}

/* Compares the derivative of a scalar by each wrt with central differences. */
static hg_status compare(check *c, int order, hg_tensor *value, hg_tensor *const derivative[])
{
    hg_plan *values = plan(c, 1, &value), *derivatives = plan(c, c->count, derivative);
    restore_assigned(c);
    hg_status status = values == NULL || derivatives == NULL ? hg_graph_status(c->graph) : hg_run(derivatives);
    for (int i = 0; status == HG_OK && i < c->count; i++) {
        int64_t count = hg_shape_count(hg_tensor_shape(c->wrt[i]), c->options.batch);
        double *analytic = malloc(((size_t)count + 1) * sizeof *analytic);
        status = analytic == NULL ? out_of_memory(c)
                                  : hg_plan_read(derivatives, derivative[i], analytic, (size_t)count);
        if (status == HG_OK)
            status = check_tensor(c, order, values, value, c->wrt[i], analytic, count);
        free(analytic);
    }
    hg_plan_free(values);
    hg_plan_free(derivatives);
    return status;
}

/* Sum of <gradient, v> over all wrt, for random directions v: inputs, since v may be of the batch's size. */
static hg_tensor *along_directions(check *c, hg_tensor *const gradient[])
{
    hg_tensor *sum = hg_scalar(c->graph, 0);
    for (int i = 0; sum != NULL && i < c->count; i++) {
        char name[64];
        snprintf(name, sizeof name, "gradcheck direction %p", (void *)sum); /* no tensor had this address before */
        hg_tensor *v = hg_input(c->graph, name, *hg_tensor_shape(c->wrt[i]));
        if (v == NULL || add_leaf(c, v) != HG_OK)
            return NULL;
        sum = hg_add(sum, hg_sum(hg_mul(gradient[i], v), HG_ALL_AXES));
    }
    return sum;
}

static hg_status check_orders(check *c, hg_tensor *loss)
{
    hg_tensor **gradient = calloc((size_t)c->count + 1, sizeof *gradient);
    if (gradient == NULL)
        return out_of_memory(c);
    hg_status status = hg_grad(loss, c->count, c->wrt, gradient);
    if (status == HG_OK)
        status = compare(c, 1, loss, gradient);
    if (status == HG_OK && c->options.order == 2) {
        hg_tensor *along = along_directions(c, gradient);
        status = along == NULL ? hg_graph_status(c->graph) : hg_grad(along, c->count, c->wrt, gradient);
        if (status == HG_OK)
            status = compare(c, 2, along, gradient);
    }
    free(gradient);
    return status;
}

/* ---- The public face ----------------------------------------------------------------------------------- */

static hg_check_options with_defaults(const hg_check_options *given)
{
    hg_check_options o = given == NULL ? (hg_check_options){ 0 } : *given;
    o.order = o.order == 0 ? 1 : o.order;
    o.epsilon = o.epsilon == 0 ? 1e-6 : o.epsilon;
    o.atol = o.atol == 0 ? 1e-5 : o.atol;
    o.rtol = o.rtol == 0 ? 1e-3 : o.rtol;
    o.batch = o.batch == 0 ? 5 : o.batch;
    o.seed = o.seed == 0 ? 1 : o.seed;
    return o;
}

static bool positive(double x) { return x > 0 && isfinite(x); }

static bool is_input(const hg_graph *graph, const hg_tensor *t)
{
    return t != NULL && hg_tensor_graph(t) == graph && is_named_leaf(t) && hg_data(t) == NULL;
}

static const char *wrong_option(const hg_check_options *o, const hg_graph *graph)
{
    if (o->order != 1 && o->order != 2)
        return "order must be 1 or 2";
    if (!positive(o->epsilon) || !positive(o->atol) || !positive(o->rtol))
        return "epsilon, atol and rtol must be positive numbers";
    if (o->batch < 1 || o->most < 0)
        return "batch must be positive and most not negative";
    if (o->inputs < 0 || (o->inputs > 0 && o->input == NULL))
        return "there are no values at `input`";
    for (int i = 0; i < o->inputs; i++)
        if (!is_input(graph, o->input[i].tensor) || o->input[i].values == NULL)
            return "values are given for a tensor that is no input of the graph, or they are NULL";
    return NULL;
}

static hg_status validate(check *c)
{
    const char *wrong = wrong_option(&c->options, c->graph);
    if (hg_graph_status(c->graph) != HG_OK)
        return hg_graph_status(c->graph);
    if (hg_graph_dtype(c->graph) != HG_F64)
        return fail(c, HG_BAD_DTYPE, "the graph is f32, and differences need f64");
    if (wrong != NULL)
        return fail(c, HG_BAD_ARGUMENT, wrong);
    for (int i = 0; i < c->count; i++)
        if (c->wrt[i] == NULL || hg_tensor_graph(c->wrt[i]) != c->graph || !is_real_leaf(c->wrt[i])) {
            hg_graph_fail(c->graph, HG_BAD_ARGUMENT,
                          "hg_gradcheck: tensor %d, \"%s\", must be a parameter, a state or a real input of the loss's "
                          "graph", i, c->wrt[i] == NULL ? "" : hg_tensor_name(c->wrt[i]));
            return HG_BAD_ARGUMENT;
        }
    return HG_OK;
}

static hg_status verdict(check *c)
{
    const hg_check_entry *w = &c->worst;
    bool wrong = c->entries > 0 && !(w->excess <= 1);
    if (c->report != NULL && c->entries == 0)
        snprintf(c->report->text, sizeof c->report->text, "there was nothing to check");
    else if (c->report != NULL)
        snprintf(c->report->text, sizeof c->report->text,
                 "the %sgradient of \"%s\" %s at index %lld%s: analytic %.9g, numeric %.9g, %.3g of the tolerance",
                 w->order == 2 ? "double " : "", hg_tensor_name(w->tensor), wrong ? "is wrong" : "is right",
                 (long long)w->index, wrong ? "" : " too, which is the worst of all", w->analytic, w->numeric,
                 w->excess);
    return wrong ? HG_GRADIENT_WRONG : HG_OK;
}

hg_status hg_gradcheck(hg_tensor *loss, int count, hg_tensor *const wrt[], const hg_check_options *options,
                       hg_check_report *report)
{
    check c = { .count = count, .wrt = wrt, .options = with_defaults(options), .report = report };
    hg_status status = HG_BAD_ARGUMENT;
    if (report != NULL)
        *report = (hg_check_report){ .text = "there is no loss: its builder failed, and its graph tells why" };
    if (loss == NULL || count < 0 || (count > 0 && wrt == NULL))
        return status;
    c.graph = hg_tensor_graph(loss);
    c.random = c.options.seed;
    status = validate(&c);
    if (status == HG_OK)
        status = add_leaves(&c, loss);
    if (status == HG_OK)
        status = check_orders(&c, loss);
    restore_assigned(&c);
    for (size_t i = 0; i < c.leaves; i++)
        free(c.leaf[i].values);
    free(c.leaf);
    if (status == HG_OK)
        return verdict(&c);
    if (report != NULL)
        snprintf(report->text, sizeof report->text, "%s", hg_graph_error(c.graph));
    return status;
}
