/* Ops that make axes go away: sum, argmax, count, and what is composed of them. */
#ifdef HG_KERNELS
#include "kernel.h"
#else
#include "op.h"
#endif

#include "move.h"

/* The axes [from, to), which a sum takes at once. */
typedef struct axis_run {
    int from, to;
} axis_run;

/* ---- How a sum is cut: by its shape alone -------------------------------------------------------------- */

enum {
    COLUMNS = 256,   /* neighbouring results that are computed together */
    LEAF_ROWS = 64,  /* of a summed axis that are added one after the other; the sums of these leaves are added in pairs */
    LEAF = HG_BLOCK, /* of an axis that is the last: then `inner` is 1. Whole leaves, or such as end with a row of an image */
    LEAVES_OF_A_ROW = 16,
};

typedef struct sum_cut {
    int64_t outer, summed, inner; /* the input's shape */
    int64_t leaf, leaves;         /* of the summed axis; leaves > 1: their sums, outer x leaves x inner, go to scratch */
} sum_cut;

/* Where a convolution's parts end, a row of an image does. */
static int64_t choose_leaf(int64_t summed, int64_t row)
{
    if (summed <= LEAF || summed % LEAF == 0)
        return LEAF;
    for (int64_t k = (row + LEAF - 1) / LEAF; k <= hg_smaller(2 * row / LEAF, LEAVES_OF_A_ROW); k++)
        if (row % k == 0)
            return row / k;
    return LEAF;
}

static sum_cut cut_sum(const hg_tensor *t)
{
    const axis_run *run = hg_tensor_attr(t);
    const hg_tensor *x = hg_tensor_input(t, 0);
    const int rank = hg_tensor_shape(x)->rank;
    sum_cut c = { .outer = hg_elements_of_axes(x, 0, run->from),
                  .summed = hg_elements_of_axes(x, run->from, run->to),
                  .inner = hg_elements_of_axes(x, run->to, rank) };
    c.leaf = c.inner > 1 ? LEAF_ROWS
             : choose_leaf(c.summed, hg_elements_of_axes(x, run->from > rank - 2 ? run->from : rank - 2, rank));
    c.leaves = (c.summed + c.leaf - 1) / c.leaf;
    return c;
}

#ifndef HG_KERNELS

/* ---- sum ----------------------------------------------------------------------------------------------- */

static bool sum_infer(hg_tensor *t)
{
    const axis_run *run = t->attr;
    const hg_tensor *x = t->input[0];
    hg_shape shape = { .rank = x->shape.rank - (run->to - run->from) };
    if (x->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    if (!hg_shape_equal(&x->shape, &t->input[t->inputs - 1]->shape) || t->input[t->inputs - 1]->dtype != x->dtype)
        return hg_infer_fail(t, HG_BAD_SHAPE, "the factors must be alike");
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = x->shape.dim[i < run->from ? i : i + run->to - run->from];
    return hg_set_result(t, x->dtype, shape);
}

static void sum_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const axis_run *run = t->attr;
    g = hg_expand_like(g, t->input[0], (HG_AXIS(run->to) - 1) & ~(HG_AXIS(run->from) - 1));
    for (int i = 0; i < t->inputs; i++)
        if (wanted[i])
            d[i] = t->inputs == 1 ? g : hg_mul(g, t->input[1 - i]);
}

/* Rows of a last axis that fit into a block are taken in whole, longer ones leaf by leaf; columns, anyhow. */
static hg_cuts sum_cuts(const hg_tensor *t, int64_t most)
{
    const sum_cut c = cut_sum(t);
    const bool short_rows = c.inner == 1 && c.summed > 0 && c.summed <= most;
    const int64_t block = short_rows ? most / c.summed * c.summed : c.inner > 1 ? most : c.leaf;
    return (hg_cuts){ .row = short_rows ? c.outer * c.summed : c.summed * c.inner,
                      .part = c.inner > 1 ? LEAF_ROWS * c.inner : block,
                      .block = block };
}

static size_t sum_scratch(const hg_tensor *t, int parts)
{
    const sum_cut c = cut_sum(t);
    (void)parts;
    return c.leaves == 1 ? 0 : (size_t)(c.outer * c.leaves * c.inner + 1) * hg_dtype_size(t->dtype);
}

/* Of one input, or of the products of two: planning makes it that where the products would be stored for the sum. */
const hg_op hg_sum_op = { .name = "sum", .min_inputs = 1, .max_inputs = 2, .flags = HG_REDUCE,
                          .attr_size = sizeof(axis_run), .infer = sum_infer, .vjp = sum_vjp, .cuts = sum_cuts,
                          .scratch = sum_scratch, HG_VARIANTS(sum) };

/* The axes that x has of those asked for. Only HG_ALL_AXES may name more. */
static bool own_axes(const char *op, const hg_tensor *x, unsigned *axes)
{
    char text[HG_SHAPE_TEXT];
    unsigned own = HG_AXIS(x->shape.rank) - 1;
    if (*axes != HG_ALL_AXES && (*axes & ~own) != 0) {
        int axis = 0;
        while (!(*axes & ~own & HG_AXIS(axis)))
            axis++;
        hg_graph_fail(x->graph, HG_BAD_SHAPE, "%s(%s): there is no axis %d", op, hg_shape_print(&x->shape, text),
                      axis);
        return false;
    }
    *axes &= own;
    return true;
}

/* The last run of neighbouring axes before axis `end`; from = to = 0: there is none. */
static axis_run last_run(unsigned axes, int end)
{
    axis_run run = { .to = end };
    while (run.to > 0 && !(axes & HG_AXIS(run.to - 1)))
        run.to--;
    run.from = run.to;
    while (run.from > 0 && axes & HG_AXIS(run.from - 1))
        run.from--;
    return run;
}

/* x without a factor that is the same along the axes, which is put in *factor; else x. Gradients have many of them: of
   biases, of means, of scales. */
static hg_tensor *without_factor(hg_tensor *x, unsigned axes, hg_tensor **factor)
{
    for (int i = 0; x->op == &hg_mul_op && i < 2; i++)
        if (x->input[i]->op == &hg_expand_op && hg_expand_axes(x->input[i]) == axes) {
            *factor = x->input[i]->input[0];
            return x->input[1 - i];
        }
    return x;
}

/* Every window has a maximum: over all places of an image, what is scattered to them counts once. */
static hg_tensor *sum_over(hg_tensor *x, unsigned axes)
{
    const unsigned places = HG_AXIS(1) | HG_AXIS(2);
    if (axes != 0 && x->op == &hg_neg_op)
        return hg_neg(sum_over(x->input[0], axes));
    if (axes != 0 && x->op == &hg_scale_op)
        return hg_scale(sum_over(x->input[0], axes), *(const double *)x->attr);
    if ((axes & places) == places && x->op == &hg_max_pool_scatter_op)
        return sum_over(x->input[1], axes);
    hg_tensor *factor = NULL;
    x = without_factor(x, axes, &factor);
    if (factor != NULL)
        return hg_mul(sum_over(x, axes), factor);
    int rank = x->shape.rank;
    for (axis_run run = last_run(axes, rank); run.to > 0; run = last_run(axes, run.from))
        x = hg_apply(&hg_sum_op, 1, &x, &run);
    return x;
}

hg_tensor *hg_sum(hg_tensor *x, unsigned axes)
{
    return x == NULL || !own_axes("sum", x, &axes) ? NULL : sum_over(x, axes);
}

/* ---- count, mean --------------------------------------------------------------------------------------- */

static bool count_infer(hg_tensor *t) { return hg_set_result(t, t->graph->dtype, HG_SCALAR); }

const hg_op hg_count_op = { .name = "count", .min_inputs = 1, .max_inputs = 1, .flags = HG_NO_VJP,
                            .attr_size = sizeof(unsigned), .infer = count_infer };

/* The count of x's elements along its own axes, as a number if it is one: true. */
static bool numeric_count(const hg_tensor *x, unsigned axes, double *number)
{
    hg_symbolic count;
    hg_shape_symbolic(&x->shape, axes, &count);
    *number = (double)count.coefficient;
    return count.power == 0;
}

hg_tensor *hg_count(hg_tensor *x, unsigned axes)
{
    double number;
    if (x == NULL || !own_axes("count", x, &axes))
        return NULL;
    return numeric_count(x, axes, &number) ? hg_scalar(x->graph, number) : hg_apply(&hg_count_op, 1, &x, &axes);
}

hg_tensor *hg_mean(hg_tensor *x, unsigned axes)
{
    char text[HG_SHAPE_TEXT];
    double number;
    if (x == NULL || !own_axes("mean", x, &axes))
        return NULL;
    if (!numeric_count(x, axes, &number))
        return hg_div(sum_over(x, axes), hg_count(x, axes));
    if (number == 0)
        return hg_graph_fail(x->graph, HG_BAD_SHAPE, "mean(%s): there is no mean of no elements",
                             hg_shape_print(&x->shape, text));
    return hg_scale(sum_over(x, axes), 1 / number);
}

/* ---- variance ------------------------------------------------------------------------------------------ */

/* Of each leaf its mean and the sum of squares about that: outer x leaves x both x inner. */
static size_t variance_scratch(const hg_tensor *t, int parts)
{
    const sum_cut c = cut_sum(t);
    (void)parts;
    return (size_t)(2 * c.outer * c.leaves * c.inner + 1) * hg_dtype_size(t->dtype);
}

/* The mean moves too, but to first order that changes nothing. */
static void variance_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const axis_run *run = t->attr;
    const unsigned axes = (HG_AXIS(run->to) - 1) & ~(HG_AXIS(run->from) - 1);
    hg_tensor *x = t->input[0];
    (void)wanted;
    g = hg_div(hg_scale(g, 2), hg_count(x, axes));
    d[0] = hg_mul(hg_expand_like(g, x, axes), hg_sub(x, hg_expand_like(hg_mean(x, axes), x, axes)));
}

const hg_op hg_variance_op = { .name = "variance", .min_inputs = 1, .max_inputs = 1, .flags = HG_REDUCE,
                               .attr_size = sizeof(axis_run), .infer = sum_infer, .vjp = variance_vjp, .cuts = sum_cuts,
                               .scratch = variance_scratch, HG_VARIANTS(variance) };

/* Axes that are not neighbours: with the mean in memory first. */
hg_tensor *hg_variance(hg_tensor *x, unsigned axes)
{
    hg_tensor *mean = hg_mean(x, axes);
    if (mean == NULL || !own_axes("variance", x, &axes) || axes == 0)
        return mean == NULL ? NULL : hg_sub(x, x);
    const axis_run run = last_run(axes, x->shape.rank);
    if ((HG_AXIS(run.from) - 1) & axes)
        return hg_mean(hg_square(hg_sub(x, hg_expand_like(mean, x, axes))), axes);
    return hg_apply(&hg_variance_op, 1, &x, &run);
}

/* ---- argmax, max --------------------------------------------------------------------------------------- */

static bool argmax_infer(hg_tensor *t)
{
    const int axis = *(const int *)t->attr;
    const hg_tensor *x = t->input[0];
    hg_shape shape = x->shape;
    if (x->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    if (axis < 0 || axis >= shape.rank)
        return hg_infer_fail(t, HG_BAD_SHAPE, "there is no axis %d", axis);
    if (shape.dim[axis] == 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "axis %d has no elements", axis);
    shape.dim[axis] = 1;
    return hg_set_result(t, HG_I64, shape);
}

const hg_op hg_argmax_op = { .name = "argmax", .min_inputs = 1, .max_inputs = 1, .flags = HG_NO_VJP,
                             .attr_size = sizeof(int), .infer = argmax_infer, .parts = hg_move_parts,
                             HG_VARIANTS(argmax) };

hg_tensor *hg_argmax(hg_tensor *x, int axis) { return hg_apply(&hg_argmax_op, 1, &x, &axis); }

/* x with the axes brought together behind the first of them. */
static hg_tensor *gather_axes(hg_tensor *x, unsigned axes, int first)
{
    int order[HG_MAX_RANK], placed = 0;
    for (int i = 0; i < first; i++)
        order[placed++] = i;
    for (int i = first; i < x->shape.rank; i++)
        if (axes & HG_AXIS(i))
            order[placed++] = i;
    for (int i = first; i < x->shape.rank; i++)
        if (!(axes & HG_AXIS(i)))
            order[placed++] = i;
    return hg_permute(x, order);
}

/* x with `count` axes from `first` on made one of `length`. */
static hg_tensor *merge_axes(hg_tensor *x, int first, int count, int64_t length)
{
    hg_shape shape = { .rank = x->shape.rank - count + 1 };
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < first ? x->shape.dim[i] : i == first ? length : x->shape.dim[i + count - 1];
    return hg_reshape(x, shape);
}

hg_tensor *hg_max(hg_tensor *x, unsigned axes)
{
    char text[HG_SHAPE_TEXT];
    hg_symbolic length;
    if (x == NULL || !own_axes("max", x, &axes))
        return NULL;
    if (axes == 0)
        return x;
    hg_shape_symbolic(&x->shape, axes, &length);
    if (length.power > 1)
        return hg_graph_fail(x->graph, HG_BAD_SHAPE, "max(%s): several of the axes are multiples of HG_BATCH; take "
                             "them one at a time", hg_shape_print(&x->shape, text));
    int first = 0, count = __builtin_popcount(axes);
    while (!(axes & HG_AXIS(first)))
        first++;
    x = gather_axes(x, axes, first);
    int64_t merged = length.power == 1 ? length.coefficient * HG_BATCH : length.coefficient;
    x = x == NULL ? NULL : merge_axes(x, first, count, merged);
    hg_tensor *most = hg_gather(x, hg_argmax(x, first), first);
    if (most == NULL)
        return NULL;
    hg_shape shape = { .rank = most->shape.rank - 1 };
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = most->shape.dim[i < first ? i : i + 1];
    return hg_reshape(most, shape);
}

#else

/* ---- Sums: pairwise above a size, so that the error hardly grows with the count ------------------------- */

enum { ROWS_AT_ONCE = 4, LANES = 64 /* of a leaf of a last axis, on every instruction set */ };

/* y == NULL: of x alone. */
static inline real term(const real *x, const real *y, int64_t i) { return y == NULL ? x[i] : x[i] * y[i]; }
static inline const real *further(const real *y, int64_t by) { return y == NULL ? NULL : y + by; }

/* sum += each of the rows, one after the other. */
static inline void add_rows(real *restrict sum, const real *restrict x, const real *restrict y, int64_t rows,
                            int64_t stride, int64_t columns)
{
    int64_t r = 0;
    for (; r + ROWS_AT_ONCE <= rows; r += ROWS_AT_ONCE) {
        const int64_t a = r * stride, b = a + stride, c = b + stride, d = c + stride;
#pragma omp simd
        for (int64_t j = 0; j < columns; j++)
            sum[j] = sum[j] + term(x, y, a + j) + term(x, y, b + j) + term(x, y, c + j) + term(x, y, d + j);
    }
    for (; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < columns; j++)
            sum[j] += term(x, y, r * stride + j);
}

static real sum_lanes(real lane[LANES])
{
    for (int l = 0; l < 32; l++) /* loops of fixed length vectorise */
        lane[l] += lane[l + 32];
    for (int l = 0; l < 16; l++)
        lane[l] += lane[l + 16];
    for (int l = 0; l < 8; l++)
        lane[l] += lane[l + 8];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* A chain of as few additions as can be, as they wait for each other. */
static real sum_leaf(const real *x, const real *y, int64_t n)
{
    real lane[LANES] = { 0 };
    int64_t i = 0, rest = n % LANES;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma omp simd
        for (int64_t j = i; j < i + LANES; j++)
            lane[j - i] += (term(x, y, j) + term(x, y, j + LANES)) + (term(x, y, j + 2 * LANES) + term(x, y, j + 3 * LANES));
    add_rows(lane, x + i, further(y, i), (n - i) / LANES, LANES, LANES);
    if (rest > 0) /* a loop of fixed length vectorises under a mask */
        for (int l = 0; l < LANES; l++)
            lane[l] += l < rest ? term(x, y, n - rest + l) : 0;
    return sum_lanes(lane);
}

/* Whole leaves, from the start of one on. */
static void take_rows(const sum_cut *c, real *leaf, const real *x, const real *y, int64_t begin, int64_t n)
{
    int64_t place = begin % c->summed;
    leaf += begin / c->summed * c->leaves + place / c->leaf;
    for (int64_t length; n > 0; n -= length, x += length, y = further(y, length)) {
        length = hg_smaller(c->leaf, c->summed - place);
        *leaf++ = sum_leaf(x, y, length);
        place = place + length == c->summed ? 0 : place + length;
    }
}

/* Any piece: as many whole rows of a leaf as there are, or a piece of one. */
static void take_columns(const sum_cut *c, real *leaves, const real *x, const real *y, int64_t begin, int64_t n)
{
    for (int64_t length; n > 0; n -= length, begin += length, x += length, y = further(y, length)) {
        const int64_t row = begin / c->inner, column = begin % c->inner, place = row % c->summed;
        const int64_t left = hg_smaller(c->leaf - place % c->leaf, c->summed - place);
        const int64_t columns = hg_smaller(c->inner - column, n);
        const int64_t rows = columns < c->inner ? 1 : hg_smaller(n / c->inner, left);
        real *sum = leaves + (row / c->summed * c->leaves + place / c->leaf) * c->inner + column;
        if (place % c->leaf == 0)
            memset(sum, 0, (size_t)columns * sizeof *sum);
        add_rows(sum, x, y, rows, c->inner, columns);
        length = rows * columns;
    }
}

static void sum_elements(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[])
{
    const sum_cut c = cut_sum(t);
    (c.inner == 1 ? take_rows : take_columns)(&c, to, in[0], t->inputs == 2 ? in[1] : NULL, begin, n);
}

/* Of up to COLUMNS columns. */
static void sum_leaves(real *sum, const real *leaf, int64_t leaves, int64_t stride, int64_t columns)
{
    if (leaves <= LEAF_ROWS) {
        memset(sum, 0, (size_t)columns * sizeof *sum);
        add_rows(sum, leaf, NULL, leaves, stride, columns);
        return;
    }
    real second[COLUMNS];
    sum_leaves(sum, leaf, leaves / 2, stride, columns);
    sum_leaves(second, leaf + leaves / 2 * stride, leaves - leaves / 2, stride, columns);
    add_rows(sum, second, NULL, 1, columns, columns);
}

static void sum_combine(const hg_tensor *t, void *y, void *scratch, int parts)
{
    const sum_cut c = cut_sum(t);
    (void)parts;
    for (int64_t outer = 0; outer < c.outer; outer++)
        for (int64_t i = 0; i < c.inner; i += COLUMNS)
            sum_leaves((real *)y + outer * c.inner + i, (const real *)scratch + outer * c.leaves * c.inner + i, c.leaves,
                       c.inner, hg_smaller(COLUMNS, c.inner - i));
}

const hg_kernels OP(sum) = { .elements = sum_elements, .combine = sum_combine };

/* ---- Variances: each leaf about its own mean, then about what they have in common ------------------------ */

/* The second to go through a block asks for the next one: it does not wait for memory itself. */
static real squares_about(real mean, const real *x, int64_t n)
{
    real lane[LANES] = { 0 };
    const int64_t rest = n % LANES;
    for (int64_t i = 0; i + LANES <= n; i += LANES) {
        hg_ask_ahead(x + i, LANES);
#pragma omp simd
        for (int64_t j = i; j < i + LANES; j++)
            lane[j - i] += (x[j] - mean) * (x[j] - mean);
    }
    for (int l = 0; l < LANES && rest > 0; l++) {
        const real off = l < rest ? x[n - rest + l] - mean : 0;
        lane[l] += off * off;
    }
    return sum_lanes(lane);
}

static void spread_leaf(real moments[2], const real *x, int64_t n)
{
    moments[0] = sum_leaf(x, NULL, n) / (real)n;
    moments[1] = squares_about(moments[0], x, n);
}

static void spread_rows(const sum_cut *c, real *leaves, const real *x, int64_t begin, int64_t n)
{
    int64_t place = begin % c->summed;
    real *moments = leaves + 2 * (begin / c->summed * c->leaves + place / c->leaf);
    for (int64_t length; n > 0; n -= length, x += length, moments += 2) {
        length = hg_smaller(c->leaf, c->summed - place);
        spread_leaf(moments, x, length);
        place = place + length == c->summed ? 0 : place + length;
    }
}

/* Takes in rows of a leaf, `before` of which were there (Welford). */
static inline void take_spread(real *restrict mean, real *restrict squares, const real *restrict x, int64_t rows,
                               int64_t before, int64_t stride, int64_t columns)
{
    real share[ROWS_AT_ONCE];
    for (int64_t r = 0; r < rows; r++)
        share[r] = 1 / (real)(before + r + 1);
#pragma omp simd
    for (int64_t j = 0; j < columns; j++) {
        real m = mean[j], s = squares[j];
        for (int64_t r = 0; r < rows; r++) {
            const real here = x[r * stride + j], off = here - m;
            m += off * share[r];
            s += off * (here - m);
        }
        mean[j] = m;
        squares[j] = s;
    }
}

static void spread_columns(const sum_cut *c, real *leaves, const real *x, int64_t begin, int64_t n)
{
    for (int64_t length; n > 0; n -= length, begin += length, x += length) {
        const int64_t row = begin / c->inner, column = begin % c->inner, place = row % c->summed;
        const int64_t before = place % c->leaf, left = hg_smaller(c->leaf - before, c->summed - place);
        const int64_t columns = hg_smaller(c->inner - column, n);
        const int64_t rows = columns < c->inner ? 1 : hg_smaller(n / c->inner, left);
        real *mean = leaves + 2 * (row / c->summed * c->leaves + place / c->leaf) * c->inner + column;
        real *squares = mean + c->inner;
        int64_t r = 0;
        for (int64_t j = 0; j < columns && before == 0; j++)
            mean[j] = squares[j] = 0;
        for (; r + ROWS_AT_ONCE <= rows; r += ROWS_AT_ONCE) {
            if (columns == c->inner)
                hg_ask_ahead(x + r * c->inner, ROWS_AT_ONCE * columns);
            take_spread(mean, squares, x + r * c->inner, ROWS_AT_ONCE, before + r, c->inner, columns);
        }
        for (; r < rows; r++)
            take_spread(mean, squares, x + r * c->inner, 1, before + r, c->inner, columns);
        length = rows * columns;
    }
}

static void variance_elements(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[])
{
    const sum_cut c = cut_sum(t);
    (c.inner == 1 ? spread_rows : spread_columns)(&c, to, in[0], begin, n);
}

/* Moments of leaves [first, last), of up to COLUMNS columns, in pairs (Chan, Golub, LeVeque). */
static void join_leaves(const sum_cut *c, real *mean, real *squares, const real *leaf, int64_t first, int64_t last,
                        int64_t columns)
{
    if (last - first == 1) {
        memcpy(mean, leaf + 2 * first * c->inner, (size_t)columns * sizeof *mean);
        memcpy(squares, leaf + (2 * first + 1) * c->inner, (size_t)columns * sizeof *squares);
        return;
    }
    real other_mean[COLUMNS], other_squares[COLUMNS];
    const int64_t middle = first + (last - first) / 2, end = hg_smaller(last * c->leaf, c->summed);
    const real count = (real)(end - first * c->leaf), share = (real)(end - middle * c->leaf) / count;
    const real weight = share * (real)((middle - first) * c->leaf);
    join_leaves(c, mean, squares, leaf, first, middle, columns);
    join_leaves(c, other_mean, other_squares, leaf, middle, last, columns);
    for (int64_t j = 0; j < columns; j++) {
        const real apart = other_mean[j] - mean[j];
        mean[j] += apart * share;
        squares[j] += other_squares[j] + apart * apart * weight;
    }
}

static void variance_combine(const hg_tensor *t, void *to, void *scratch, int parts)
{
    const sum_cut c = cut_sum(t);
    real mean[COLUMNS];
    (void)parts;
    for (int64_t outer = 0; outer < c.outer && c.summed > 0; outer++)
        for (int64_t i = 0; i < c.inner; i += COLUMNS) {
            const int64_t columns = hg_smaller(COLUMNS, c.inner - i);
            real *y = (real *)to + outer * c.inner + i;
            join_leaves(&c, mean, y, (const real *)scratch + 2 * outer * c.leaves * c.inner + i, 0, c.leaves, columns);
            for (int64_t j = 0; j < columns; j++)
                y[j] /= (real)c.summed;
        }
}

const hg_kernels OP(variance) = { .elements = variance_elements, .combine = variance_combine };

/* ---- argmax -------------------------------------------------------------------------------------------- */

/* The largest of some neighbouring columns so far, and where. */
typedef struct best {
    real    value[COLUMNS];
    integer place[COLUMNS];
} best;

static void see_row(best *b, const real *x, integer row, int columns)
{
#pragma omp simd
    for (int j = 0; j < columns; j++) {
        bool larger = x[j] > b->value[j], first_nan = (x[j] != x[j]) & (b->value[j] == b->value[j]);
        b->value[j] = (larger | first_nan) ? x[j] : b->value[j];
        b->place[j] = (larger | first_nan) ? row : b->place[j];
    }
}

/* Rows are seen in runs that an `integer` can count. */
static void argmax_columns(int64_t *y, const real *x, int64_t rows, int64_t stride, int columns)
{
    best b;
    memcpy(b.value, x, (size_t)columns * sizeof *x);
    memset(y, 0, (size_t)columns * sizeof *y);
    for (int64_t start = 0; start < rows; start += INT32_MAX) {
        memset(b.place, -1, (size_t)columns * sizeof *b.place);
        for (int64_t r = 0; r < hg_smaller(rows - start, INT32_MAX); r++)
            see_row(&b, x + (start + r) * stride, (integer)r, columns);
        for (int j = 0; j < columns; j++)
            if (b.place[j] >= 0)
                y[j] = start + b.place[j];
    }
}

static void argmax_run(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const int axis = *(const int *)hg_tensor_attr(t);
    const hg_tensor *x = hg_tensor_input(t, 0);
    const int64_t rows = hg_tensor_shape(x)->dim[axis], results = hg_elements(t);
    const int64_t inner = hg_elements_of_axes(x, axis + 1, hg_tensor_shape(x)->rank);
    int64_t i = hg_part_begin(results, part, parts), end = hg_part_begin(results, part + 1, parts);
    (void)scratch;
    for (int columns; i < end; i += columns) {
        int64_t column = i % inner;
        const real *from = (const real *)in[0] + i / inner * rows * inner + column;
        columns = (int)hg_smaller(hg_smaller(COLUMNS, inner - column), end - i);
        argmax_columns((int64_t *)y + i, from, rows, inner, columns);
    }
}

const hg_kernels OP(argmax) = { .run = argmax_run };

#endif
