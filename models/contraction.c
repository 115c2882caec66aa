/* The Jacobian of a code by its input, for penalties: in closed form where there is one, else as the gradients along
   directions in code space, all of them in one backward pass. */
#include "models.h"

#include <hourglass/grad.h>

#include <stdlib.h>
#include <string.h>

/* ---- Closed form: h = f(W x), f elementwise -------------------------------------------------------------- */

/* The product W x that t is an elementwise function of; NULL if it is of something else too. */
static hg_tensor *product_under(hg_tensor *t, const hg_tensor *x, hg_tensor_map *map)
{
    hg_tensor *product = NULL;
    if (strcmp(hg_tensor_op(t)->name, "matmul") == 0)
        return t;
    if (t == x || !(hg_tensor_op(t)->flags & HG_MAP))
        return NULL;
    for (int i = 0; i < hg_tensor_inputs(t); i++) {
        hg_tensor *input = hg_tensor_input(t, i);
        if (!hg_depends_on(input, x, map))
            continue;
        hg_tensor *under = product_under(input, x, map);
        if (under == NULL || (product != NULL && under != product))
            return NULL;
        product = under;
    }
    return product;
}

/* Whether t is x, perhaps under another shape. */
static bool is_view(const hg_tensor *t, const hg_tensor *x)
{
    while (t != x && strcmp(hg_tensor_op(t)->name, "reshape") == 0)
        t = hg_tensor_input(t, 0);
    return t == x;
}

static hg_tensor *find_product(hg_tensor *code, const hg_tensor *x)
{
    hg_tensor_map map = { 0 };
    hg_tensor *product = product_under(code, x, &map);
    if (product != NULL
        && (hg_depends_on(hg_tensor_input(product, 0), x, &map) || !is_view(hg_tensor_input(product, 1), x)))
        product = NULL;
    hg_map_clear(&map);
    return product;
}

static hg_tensor *ones_like(hg_tensor *t)
{
    return hg_expand_like(hg_scalar(hg_tensor_graph(t), 1), t, HG_ALL_AXES);
}

bool hg_jacobian_closed(hg_tensor *code, hg_tensor *x, hg_jacobian *jacobian)
{
    hg_tensor *product = find_product(code, x), *slope;
    if (product == NULL || hg_vjp(code, ones_like(code), 1, &product, &slope) != HG_OK)
        return false;
    hg_tensor *norm = hg_sum(hg_square(hg_tensor_input(product, 0)), HG_AXIS(1));
    *jacobian = (hg_jacobian){ .entries = slope, .weights = hg_expand_like(norm, slope, HG_AXIS(1)) };
    return jacobian->weights != NULL;
}

/* ---- Gradients along many directions --------------------------------------------------------------------- */

/* A graph for one direction a sample becomes one for k: `of` is what stands for the direction, `by` are k of them. Column
   j B + b is direction j of sample b. */
typedef struct widening {
    hg_tensor    *of, *by;
    int64_t       k;
    hg_tensor_map depends, wide;
} widening;

static bool is_batch_last(const hg_tensor *t)
{
    const hg_shape *shape = hg_tensor_shape(t);
    for (int i = 0; i < shape->rank - 1; i++)
        if (shape->dim[i] < 0)
            return false;
    return shape->rank > 0 && shape->dim[shape->rank - 1] == HG_BATCH;
}

static bool has_batch(const hg_tensor *t)
{
    const hg_shape *shape = hg_tensor_shape(t);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            return true;
    return false;
}

/* Whether each sample's values in t come from that sample alone: every tensor on the way from the direction keeps the samples
   on the last axis. */
static bool keeps_samples_apart(widening *w, hg_tensor *t)
{
    hg_tensor *seen;
    if (!hg_depends_on(t, w->of, &w->depends))
        return is_batch_last(t) || !has_batch(t);
    if (!is_batch_last(t))
        return false;
    if (t == w->of || hg_map_find(&w->wide, t, &seen))
        return true;
    for (int i = 0; i < hg_tensor_inputs(t); i++)
        if (!keeps_samples_apart(w, hg_tensor_input(t, i)))
            return false;
    return hg_map_add(&w->wide, t, t) != NULL;
}

/* Repeated for each direction. */
static hg_tensor *tile(const widening *w, hg_tensor *t)
{
    hg_shape shape = *hg_tensor_shape(t), between = shape;
    if (!has_batch(t))
        return t;
    if (shape.rank == HG_MAX_RANK)
        return hg_graph_fail(hg_tensor_graph(t), HG_BAD_SHAPE, "a contractive penalty: a layer's tensor has %d axes, and "
                             "one more is needed", shape.rank);
    between.dim[between.rank - 1] = w->k;
    between.dim[between.rank++] = HG_BATCH;
    shape.dim[shape.rank - 1] = w->k * HG_BATCH;
    return hg_reshape(hg_expand(t, between, HG_AXIS(between.rank - 2)), shape);
}

static hg_tensor *apply_wide(const widening *w, hg_tensor *t, hg_tensor *const input[])
{
    const hg_op *op = hg_tensor_op(t);
    void *attr = malloc(op->attr_size + 1);
    if (attr == NULL)
        return hg_graph_fail(hg_tensor_graph(t), HG_OUT_OF_MEMORY, "out of memory: a wide gradient");
    if (op->attr_size > 0)
        memcpy(attr, hg_tensor_attr(t), op->attr_size);
    if (op->widen != NULL)
        op->widen(attr, w->k);
    hg_tensor *result = hg_apply(op, hg_tensor_inputs(t), input, attr);
    free(attr);
    return result;
}

static hg_tensor *widen(widening *w, hg_tensor *t)
{
    hg_tensor *result = NULL;
    if (t == w->of)
        return w->by;
    if (hg_map_find(&w->wide, t, &result))
        return result;
    if (!hg_depends_on(t, w->of, &w->depends)) {
        result = tile(w, t);
        return result == NULL ? NULL : hg_map_add(&w->wide, t, result);
    }
    hg_tensor **input = calloc((size_t)hg_tensor_inputs(t) + 1, sizeof *input);
    bool good = input != NULL;
    for (int i = 0; i < hg_tensor_inputs(t) && good; i++) {
        input[i] = widen(w, hg_tensor_input(t, i));
        good = input[i] != NULL;
    }
    result = good ? apply_wide(w, t, input) : NULL;
    free(input);
    return result == NULL ? NULL : hg_map_add(&w->wide, t, result);
}

/* The gradient of the code by x along one direction a sample, which `direction` stands for. */
static hg_tensor *narrow_gradient(hg_tensor *code, hg_tensor *x, hg_tensor **direction)
{
    hg_tensor *gradient;
    *direction = hg_stop_gradient(code); /* any tensor of its own, of the code's shape */
    return *direction != NULL && hg_vjp(code, *direction, 1, &x, &gradient) == HG_OK ? gradient : NULL;
}

bool hg_code_mixes_samples(hg_tensor *code, hg_tensor *x)
{
    widening w = { .k = 1 };
    hg_tensor *gradient = narrow_gradient(code, x, &w.of);
    bool apart = gradient == NULL || keeps_samples_apart(&w, gradient);
    hg_map_clear(&w.depends);
    hg_map_clear(&w.wide);
    return !apart;
}

bool hg_jacobian_along(hg_tensor *code, hg_tensor *x, hg_tensor *directions, int64_t k, hg_jacobian *jacobian)
{
    widening w = { .by = directions, .k = k };
    hg_tensor *gradient = directions == NULL ? NULL : narrow_gradient(code, x, &w.of);
    *jacobian = (hg_jacobian){ .entries = gradient == NULL ? NULL : widen(&w, gradient) };
    hg_map_clear(&w.depends);
    hg_map_clear(&w.wide);
    return jacobian->entries != NULL;
}

static hg_shape wide_shape(const hg_tensor *code, int64_t k)
{
    hg_shape shape = *hg_tensor_shape(code);
    shape.dim[shape.rank - 1] = k * HG_BATCH;
    return shape;
}

/* Direction j is the j-th unit vector, for every sample. */
hg_tensor *hg_unit_directions(hg_tensor *code)
{
    hg_shape sample = hg_sample_shape(code);
    int64_t r = hg_shape_count(&sample, 1);
    hg_tensor *matrix = hg_identity_matrix(hg_tensor_graph(code), r);
    return hg_reshape(hg_expand(matrix, HG_SHAPE(r, r, HG_BATCH), HG_AXIS(2)), wide_shape(code, r));
}

/* Entries of +-1 by equal chances, so that the expectation of v v' is the identity. */
hg_tensor *hg_random_directions(hg_tensor *code, hg_tensor *step, int64_t k)
{
    hg_tensor *heads = hg_random_mask(step, "directions", wide_shape(code, k), 0.5);
    return hg_shift(hg_scale(heads, 2), -1);
}
