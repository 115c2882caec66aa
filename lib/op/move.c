/* Ops that give a tensor another shape: stop_gradient, reshape, expand, permute. Integers move too, through the f64
   kernels. */
#ifndef HG_KERNELS
#include "op.h"

#include <stdio.h>
#include <string.h>
#else
#include "vector.h"
#endif

#include "move.h"

/* No padding inside, so that equal attributes have equal bytes. */
typedef struct shape_attr {
    int64_t  dim[HG_MAX_RANK];
    int      rank;
    unsigned axes; /* expand: the new ones */
} shape_attr;

typedef struct permute_attr {
    int order[HG_MAX_RANK];
} permute_attr;

#ifndef HG_KERNELS

static shape_attr shape_attr_of(const hg_shape *shape, unsigned axes)
{
    shape_attr attr = { .rank = shape->rank, .axes = axes };
    for (int i = 0; i < shape->rank && i < HG_MAX_RANK; i++)
        attr.dim[i] = shape->dim[i];
    return attr;
}

/* False if the rank is impossible. */
static bool attr_shape(const shape_attr *attr, hg_shape *shape)
{
    shape->rank = attr->rank;
    memcpy(shape->dim, attr->dim, sizeof shape->dim);
    return attr->rank >= 0 && attr->rank <= HG_MAX_RANK;
}

static void widen_shape(void *attr, int64_t k)
{
    shape_attr *shape = attr;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            shape->dim[i] *= k;
}

/* ---- stop_gradient, reshape ---------------------------------------------------------------------------- */

static bool stop_gradient_infer(hg_tensor *t) { return hg_set_result(t, t->input[0]->dtype, t->input[0]->shape); }

const hg_op hg_stop_gradient_op = { .name = "stop_gradient", .min_inputs = 1, .max_inputs = 1,
                                    .flags = HG_VIEW | HG_NO_VJP, .infer = stop_gradient_infer };

hg_tensor *hg_stop_gradient(hg_tensor *x) { return hg_apply1(&hg_stop_gradient_op, x); }

static const char *print_count(const hg_symbolic *count, char text[64])
{
    const char *power[] = { "", " B", " B^2", " B^3", " B^4", " B^5", " B^6", " B^7", " B^8" };
    snprintf(text, 64, "%lld%s", (long long)count->coefficient, power[count->power]);
    return text;
}

static bool reshape_infer(hg_tensor *t)
{
    const hg_tensor *x = t->input[0];
    hg_shape shape;
    hg_symbolic from, to;
    if (!attr_shape(t->attr, &shape) || !hg_shape_symbolic(&shape, HG_ALL_AXES, &to))
        return hg_set_result(t, x->dtype, shape); /* refused, as an impossible shape of any op is */
    hg_shape_symbolic(&x->shape, HG_ALL_AXES, &from);
    if (from.coefficient != to.coefficient || (from.power != to.power && from.coefficient != 0)) {
        char wanted[HG_SHAPE_TEXT], has[64], takes[64];
        return hg_infer_fail(t, HG_BAD_SHAPE, "%s takes %s elements, but the input has %s",
                             hg_shape_print(&shape, wanted), print_count(&to, takes), print_count(&from, has));
    }
    return hg_set_result(t, x->dtype, shape);
}

static void reshape_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_reshape(g, t->input[0]->shape);
}

const hg_op hg_reshape_op = { .name = "reshape", .min_inputs = 1, .max_inputs = 1, .flags = HG_VIEW,
                              .attr_size = sizeof(shape_attr), .infer = reshape_infer, .vjp = reshape_vjp,
                              .widen = widen_shape };

hg_tensor *hg_reshape(hg_tensor *x, hg_shape shape)
{
    if (x != NULL && hg_shape_equal(&x->shape, &shape))
        return x;
    shape_attr attr = shape_attr_of(&shape, 0);
    return hg_apply(&hg_reshape_op, 1, &x, &attr);
}

/* ---- expand -------------------------------------------------------------------------------------------- */

static bool expand_infer(hg_tensor *t)
{
    const shape_attr *attr = t->attr;
    const hg_shape *from = &t->input[0]->shape;
    hg_shape shape;
    int kept = 0;
    bool fits = true;
    if (!attr_shape(attr, &shape))
        return hg_set_result(t, t->input[0]->dtype, shape);
    for (int i = 0; i < shape.rank; i++)
        if (!(attr->axes & HG_AXIS(i))) {
            fits &= kept < from->rank && from->dim[kept] == shape.dim[i];
            kept++;
        }
    if (!fits || kept != from->rank) {
        char text[HG_SHAPE_TEXT];
        return hg_infer_fail(t, HG_BAD_SHAPE, "to %s along new axes 0x%x: the other axes must be the input's, in order",
                             hg_shape_print(&shape, text), attr->axes);
    }
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void expand_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const shape_attr *attr = t->attr;
    if (wanted[0])
        d[0] = hg_sum(g, attr->axes);
}

/* The elements of the axes before `end` that are all new or all old; *end is where they begin. */
static int64_t alike_axes(const hg_tensor *t, bool new, int *end)
{
    const unsigned axes = hg_expand_axes(t);
    int64_t count = 1;
    for (; *end > 0 && (t->shape.dim[*end - 1] == 1 || !(axes & HG_AXIS(*end - 1)) == !new); --*end)
        count *= t->shape.dim[*end - 1];
    return count;
}

static int64_t expand_repeats(const hg_tensor *t, int64_t *period)
{
    int axis = t->shape.rank;
    const int64_t run = alike_axes(t, true, &axis);
    *period = run > 1 ? 1 : alike_axes(t, false, &axis);
    return run > 1 ? run : *period * alike_axes(t, true, &axis);
}

const hg_op hg_expand_op = { .name = "expand", .min_inputs = 1, .max_inputs = 1, .flags = HG_INDEXED | HG_CHEAP,
                             .attr_size = sizeof(shape_attr), .infer = expand_infer, .vjp = expand_vjp,
                             .widen = widen_shape, .repeats = expand_repeats, HG_VARIANTS(expand) };

unsigned hg_expand_axes(const hg_tensor *t) { return ((const shape_attr *)t->attr)->axes; }

hg_tensor *hg_expand(hg_tensor *x, hg_shape shape, unsigned axes)
{
    if (shape.rank >= 0 && shape.rank < HG_MAX_RANK)
        axes &= HG_AXIS(shape.rank) - 1;
    if (x != NULL && axes == 0 && hg_shape_equal(&x->shape, &shape))
        return x;
    shape_attr attr = shape_attr_of(&shape, axes & HG_ALL_AXES);
    return hg_apply(&hg_expand_op, 1, &x, &attr);
}

hg_tensor *hg_expand_like(hg_tensor *x, const hg_tensor *like, unsigned axes)
{
    return like == NULL ? NULL : hg_expand(x, like->shape, axes);
}

/* ---- permute ------------------------------------------------------------------------------------------- */

static bool permute_infer(hg_tensor *t)
{
    const permute_attr *attr = t->attr;
    const hg_shape *from = &t->input[0]->shape;
    hg_shape shape = { .rank = from->rank };
    unsigned seen = 0;
    for (int i = 0; i < from->rank; i++) {
        if (attr->order[i] < 0 || attr->order[i] >= from->rank || seen & HG_AXIS(attr->order[i]))
            return hg_infer_fail(t, HG_BAD_SHAPE, "order[%d] is %d: each of the %d axes must come once", i,
                                 attr->order[i], from->rank);
        seen |= HG_AXIS(attr->order[i]);
        shape.dim[i] = from->dim[attr->order[i]];
    }
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void permute_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const permute_attr *attr = t->attr;
    int inverse[HG_MAX_RANK];
    for (int i = 0; i < t->shape.rank; i++)
        inverse[attr->order[i]] = i;
    if (wanted[0])
        d[0] = hg_permute(g, inverse);
}

const hg_op hg_permute_op = { .name = "permute", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(permute_attr),
                              .infer = permute_infer, .vjp = permute_vjp, .parts = hg_move_parts,
                              HG_VARIANTS(permute) };

hg_tensor *hg_permute(hg_tensor *x, const int order[])
{
    permute_attr attr = { { 0 } };
    bool identity = true;
    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        attr.order[i] = order[i];
        identity &= order[i] == i;
    }
    return identity ? x : hg_apply(&hg_permute_op, 1, &x, &attr);
}

bool hg_is_transpose(const hg_tensor *t)
{
    return t->op == &hg_permute_op && t->shape.rank == 2 && ((const permute_attr *)t->attr)->order[0] == 1;
}

hg_tensor *hg_transpose(hg_tensor *x)
{
    if (x == NULL)
        return NULL;
    if (x->shape.rank != 2) {
        char text[HG_SHAPE_TEXT];
        return hg_graph_fail(x->graph, HG_BAD_SHAPE, "transpose(%s): the input must be a matrix (hg_permute takes any "
                             "rank)", hg_shape_print(&x->shape, text));
    }
    return hg_is_transpose(x) ? x->input[0] : hg_permute(x, (const int[]){ 1, 0 });
}

#else

/* ---- Nested loops over the result, with the place in the input ----------------------------------------- */

typedef struct loop {
    int64_t extent, to, from; /* strides in the result and in the input */
} loop;

typedef struct nest {
    int  depth;
    loop at[HG_MAX_RANK]; /* the innermost is the last */
} nest;

/* Appends a loop; one that goes on where the loop around it steps becomes part of that. */
static void nest_add(nest *n, loop l)
{
    loop *outer = &n->at[n->depth - 1];
    if (l.extent == 1)
        return;
    if (n->depth > 0 && outer->to == l.extent * l.to && outer->from == l.extent * l.from)
        *outer = (loop){ outer->extent * l.extent, l.to, l.from };
    else
        n->at[n->depth++] = l;
}

static loop nest_remove(nest *n, int i)
{
    loop removed = n->at[i];
    memmove(&n->at[i], &n->at[i + 1], (size_t)(--n->depth - i) * sizeof *n->at);
    return removed;
}

static int64_t nest_count(const nest *n)
{
    int64_t count = 1;
    for (int i = 0; i < n->depth; i++)
        count *= n->at[i].extent;
    return count;
}

typedef struct place {
    int64_t index[HG_MAX_RANK];
    int64_t to, from;
} place;

static place nest_seek(const nest *n, int64_t count)
{
    place p = { { 0 }, 0, 0 };
    for (int i = n->depth - 1; i >= 0; i--) {
        p.index[i] = count % n->at[i].extent;
        count /= n->at[i].extent;
        p.to += p.index[i] * n->at[i].to;
        p.from += p.index[i] * n->at[i].from;
    }
    return p;
}

static void nest_step(const nest *n, place *p)
{
    for (int i = n->depth - 1; i >= 0; i--) {
        p->to += n->at[i].to;
        p->from += n->at[i].from;
        if (++p->index[i] < n->at[i].extent)
            return;
        p->to -= n->at[i].extent * n->at[i].to;
        p->from -= n->at[i].extent * n->at[i].from;
        p->index[i] = 0;
    }
}

/* from_stride: of the input along each axis of the result. */
static nest nest_of(const hg_tensor *t, const int64_t from_stride[])
{
    nest n = { 0 };
    for (int i = 0; i < t->shape.rank; i++)
        nest_add(&n, (loop){ t->shape.dim[i], hg_elements_of_axes(t, i + 1, t->shape.rank), from_stride[i] });
    return n;
}

/* ---- expand -------------------------------------------------------------------------------------------- */

static nest expand_nest(const hg_tensor *t)
{
    const shape_attr *attr = t->attr;
    int64_t from[HG_MAX_RANK], stride = 1;
    for (int i = t->shape.rank - 1; i >= 0; i--) {
        bool repeated = attr->axes & HG_AXIS(i);
        from[i] = repeated ? 0 : stride;
        stride *= repeated ? 1 : t->shape.dim[i];
    }
    return nest_of(t, from);
}

static void expand(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    if (n == 0)
        return;
    real *to = y;
    nest outer = expand_nest(t);
    loop inner = outer.depth > 0 ? nest_remove(&outer, outer.depth - 1) : (loop){ 1, 1, 0 };
    place p = nest_seek(&outer, begin / inner.extent);
    for (int64_t skip = begin % inner.extent, run; n > 0; n -= run, to += run, skip = 0) {
        const real *from = (const real *)in[0] + p.from + skip * inner.from;
        run = hg_smaller(n, inner.extent - skip);
        if (inner.from == 0)
            hg_fill_ahead(to, *from, run);
        else
            hg_copy_ahead(to, from, run);
        nest_step(&outer, &p);
    }
}

const hg_kernels OP(expand) = { .elements = expand };

/* ---- permute ------------------------------------------------------------------------------------------- */

/* What is transposed at a time: rows of the input as far as some lines of the result's rows go, columns for parts
   to have something to share. */
enum { ROWS = 64, COLUMNS = 256 };

static nest permute_nest(const hg_tensor *t)
{
    const permute_attr *attr = t->attr;
    const hg_tensor *x = t->input[0];
    int64_t from[HG_MAX_RANK];
    for (int i = 0; i < t->shape.rank; i++)
        from[i] = hg_elements_of_axes(x, attr->order[i] + 1, x->shape.rank);
    return nest_of(t, from);
}

HG_INLINE void transpose_tile(real *y, int64_t y_row, const real *x, int64_t x_row)
{
    vec v[LANES];
    HG_UNROLL for (int i = 0; i < LANES; i++)
        v[i] = load(x + i * x_row);
    transpose(v);
    HG_UNROLL for (int i = 0; i < LANES; i++)
        store(y + i * y_row, v[i]);
}

HG_OUTLINE void transpose_some(real *y, int64_t y_row, const real *x, int64_t x_row, int64_t rows,
                               int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[j * y_row + i] = x[i * x_row + j];
}

/* x[i x_row + j] to y[j y_row + i]. While some columns go, the lines are asked for that the next ones come from and
   go to: there are more rows than the processor can see go on. */
static void transpose_block(real *y, int64_t y_row, const real *x, int64_t x_row, int64_t rows,
                            int64_t columns)
{
    const int64_t whole = rows / LANES * LANES;
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES) {
        for (int64_t i = 0; i < whole; i += LANES) {
            for (int64_t k = 0; k < LANES && j + LANES + k < columns; k++) {
                __builtin_prefetch(y + (j + LANES + k) * y_row + i, 1);
                __builtin_prefetch(x + (i + k) * x_row + j + LANES);
            }
            transpose_tile(y + j * y_row + i, y_row, x + i * x_row + j, x_row);
        }
        transpose_some(y + j * y_row + whole, y_row, x + whole * x_row + j, x_row, rows - whole, LANES);
    }
    transpose_some(y + j * y_row, y_row, x + j, x_row, rows, columns - j);
}

static void permute(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    if (hg_elements(t) == 0)
        return;
    nest outer = permute_nest(t);
    loop rows = outer.depth > 0 ? nest_remove(&outer, outer.depth - 1) : (loop){ 1, 1, 1 };
    loop columns = { 1, rows.extent, 1 };
    for (int i = 0; i < outer.depth && rows.from != 1; i++)
        if (outer.at[i].from == 1)
            columns = nest_remove(&outer, i);
    const int64_t most = rows.from == 1 ? rows.extent : ROWS;
    const int64_t down = hg_pieces(rows.extent, most), across = hg_pieces(columns.extent, COLUMNS);
    const int64_t count = down * across * nest_count(&outer), end = hg_part_begin(count, part + 1, parts);
    for (int64_t unit = hg_part_begin(count, part, parts); unit < end; unit++) {
        const place p = nest_seek(&outer, unit / (down * across));
        const int64_t row = unit / across % down * most, column = unit % across * COLUMNS;
        const int64_t height = hg_smaller(most, rows.extent - row);
        real *to = (real *)y + p.to + column * columns.to + row;
        const real *from = (const real *)in[0] + p.from + row * rows.from + column;
        if (rows.from == 1)
            hg_copy(to, from, height);
        else
            transpose_block(to, columns.to, from, rows.from, height,
                            hg_smaller(COLUMNS, columns.extent - column));
    }
}

const hg_kernels OP(permute) = { .run = permute };
#endif
