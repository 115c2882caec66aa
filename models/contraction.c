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

/* What t shows under another shape. */
static hg_tensor *without_reshape(hg_tensor *t)
{
    while (t != NULL && strcmp(hg_tensor_op(t)->name, "reshape") == 0)
        t = hg_tensor_input(t, 0);
    return t;
}

/* The product of a matrix that x has no part in, and what x has, of which the code is an elementwise function. */
static hg_tensor *find_product(hg_tensor *code, const hg_tensor *x)
{
    hg_tensor_map map = { 0 };
    hg_tensor *product = product_under(code, x, &map);
    if (product != NULL && hg_depends_on(hg_tensor_input(product, 0), x, &map))
        product = NULL;
    hg_map_clear(&map);
    return product;
}

static hg_tensor *ones_like(hg_tensor *t)
{
    return hg_expand_like(hg_scalar(hg_tensor_graph(t), 1), t, HG_ALL_AXES);
}

/* The derivative of each number in the code by the one in the product that it is a function of. */
static hg_tensor *slope_of(hg_tensor *code, hg_tensor *product)
{
    hg_tensor *slope;
    return hg_vjp(code, ones_like(code), 1, &product, &slope) == HG_OK ? slope : NULL;
}

bool hg_jacobian_closed(hg_tensor *code, hg_tensor *x, hg_jacobian *jacobian)
{
    hg_tensor *product = find_product(code, x);
    if (product == NULL || without_reshape(hg_matmul_factor(product, 1)) != without_reshape(x))
        return false;
    hg_tensor *slope = slope_of(code, product);
    hg_tensor *norm = hg_sum(hg_square(hg_matmul_factor(product, 0)), HG_AXIS(1));
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

/* The matrix whose rows the gradient combines, at every sample and for every direction; NULL: there is none. */
static hg_tensor *common_rows(widening *w, hg_tensor *gradient, hg_tensor *x)
{
    hg_tensor *left = hg_matmul_factor(gradient, 0);
    hg_tensor_map of_x = { 0 };
    bool common = left != NULL && !hg_depends_on(left, w->of, &w->depends) && !hg_depends_on(left, x, &of_x);
    hg_map_clear(&of_x);
    return common ? hg_transpose(left) : NULL;
}

bool hg_jacobian_along(hg_tensor *code, hg_tensor *x, hg_tensor *directions, int64_t k, hg_jacobian *jacobian)
{
    widening w = { .by = directions, .k = k };
    hg_tensor *gradient = directions == NULL ? NULL : narrow_gradient(code, x, &w.of);
    hg_tensor *product = without_reshape(gradient);
    *jacobian = (hg_jacobian){ .rows = product == NULL ? NULL : common_rows(&w, product, x) };
    if (jacobian->rows != NULL)
        gradient = hg_matmul_factor(product, 1);
    jacobian->entries = gradient == NULL ? NULL : widen(&w, gradient);
    hg_map_clear(&w.depends);
    hg_map_clear(&w.wide);
    return jacobian->entries != NULL;
}

/* ---- The square of a Jacobian ------------------------------------------------------------------------------ */

static hg_tensor *gram(hg_tensor *matrix) { return hg_matmul(matrix, hg_transpose(matrix)); }

/* S = M Mt and G = W Wt: d<G, S> = 2 <S W, dW> + 2 <G M, dM>. */
static void combined_square_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    hg_tensor *rows = hg_tensor_input(t, 1), *entries = hg_tensor_input(t, 2), *twice = hg_scale(g, 2);
    if (wanted[1])
        d[1] = hg_mul(twice, hg_matmul(gram(entries), rows));
    if (wanted[2])
        d[2] = hg_mul(twice, hg_matmul(gram(rows), entries));
}

static bool combined_square_infer(hg_tensor *t)
{
    return hg_set_result(t, hg_tensor_dtype(hg_tensor_input(t, 0)), HG_SCALAR);
}

/* Its first input, as a function of the matrices W and M. No factor gets into the products of this gradient: S is one of a matrix
   with itself, and the same as the value's. */
static const hg_op combined_square_op = { .name = "combined_square", .min_inputs = 3, .max_inputs = 3, .flags = HG_VIEW,
                                          .infer = combined_square_infer, .vjp = combined_square_vjp };

/* |Wt M|^2 = <W Wt, M Mt>, without Wt M. */
static hg_tensor *combined_square(hg_tensor *rows, hg_tensor *entries)
{
    hg_tensor *value = hg_sum(hg_mul(gram(rows), gram(entries)), HG_ALL_AXES);
    return hg_apply(&combined_square_op, 3, (hg_tensor *[]){ value, rows, entries }, NULL);
}

/* Whether G M and (M Mt) W, and half of M Mt and of G, take fewer multiply-adds than Wt M and its two gradients. */
static bool gram_pays(const hg_tensor *rows, const hg_tensor *entries)
{
    enum { USUAL_BATCH = 128 };
    const double h = (double)hg_tensor_shape(rows)->dim[0], d = (double)hg_tensor_shape(rows)->dim[1];
    const double columns = (double)(hg_tensor_shape(entries)->dim[1] / HG_BATCH) * USUAL_BATCH;
    return 1.5 * h * (columns + d) < 3 * d * columns;
}

hg_tensor *hg_jacobian_square(const hg_jacobian *jacobian)
{
    hg_tensor *entries = jacobian->entries, *rows = jacobian->rows;
    if (rows != NULL && entries != NULL && gram_pays(rows, entries))
        return combined_square(rows, entries);
    hg_tensor *squares = hg_square(rows == NULL ? entries : hg_matmul(hg_transpose(rows), entries));
    return hg_sum(jacobian->weights == NULL ? squares : hg_mul(jacobian->weights, squares), HG_ALL_AXES);
}

/* ---- Directions -------------------------------------------------------------------------------------------- */

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

/* The gradients of the code by the right side of W h that it is a function of: the rows of W, times the slopes. */
static hg_tensor *directions_before(hg_tensor *code, hg_tensor *product)
{
    hg_tensor *slope = slope_of(code, product), *columns = hg_transpose(hg_matmul_factor(product, 0));
    if (slope == NULL || columns == NULL)
        return NULL;
    const int64_t m = hg_tensor_shape(columns)->dim[0], r = hg_tensor_shape(columns)->dim[1];
    const hg_shape apart = HG_SHAPE(m, r, HG_BATCH), wide = HG_SHAPE(m, r * HG_BATCH);
    return hg_mul(hg_reshape(hg_expand(columns, apart, HG_AXIS(2)), wide),
                  hg_reshape(hg_expand(slope, apart, HG_AXIS(0)), wide));
}

bool hg_jacobian_exact(hg_tensor *code, hg_tensor *x, hg_jacobian *jacobian)
{
    hg_shape sample = hg_sample_shape(code);
    int64_t r = hg_shape_count(&sample, 1);
    hg_tensor *product = find_product(code, x);
    if (hg_jacobian_closed(code, x, jacobian))
        return true;
    if (product == NULL)
        return hg_jacobian_along(code, x, hg_unit_directions(code), r, jacobian);
    return hg_jacobian_along(hg_matmul_factor(product, 1), x, directions_before(code, product), r, jacobian);
}

/* Entries of +-1 by equal chances, so that the expectation of v v' is the identity. */
hg_tensor *hg_random_directions(hg_tensor *code, hg_tensor *step, int64_t k)
{
    hg_tensor *heads = hg_random_mask(step, "directions", wide_shape(code, k), 0.5);
    return hg_shift(hg_scale(heads, 2), -1);
}
