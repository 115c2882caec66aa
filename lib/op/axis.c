/* Ops along one axis: slice, pad, concat, gather, scatter. Integers are sliced, padded and joined too, through the f64
   kernels. */
#ifndef HG_KERNELS
#include "op.h"
#else
#include "kernel.h"
#endif

#include "move.h"

/* Numbers, or multiples of HG_BATCH on an axis of them. */
typedef struct window_attr {
    int64_t axis;
    int64_t start, length; /* slice */
    int64_t before, after; /* pad */
} window_attr;

typedef struct axis_attr {
    int64_t axis;
    int64_t length; /* scatter: of the axis in the result */
} axis_attr;

#ifndef HG_KERNELS

static bool axis_exists(hg_tensor *t, int64_t axis)
{
    const hg_shape *shape = &t->input[0]->shape;
    return (axis >= 0 && axis < shape->rank) ||
           hg_infer_fail(t, HG_BAD_SHAPE, "there is no axis %lld (the first is 0)", (long long)axis);
}

/* 0 <= part <= whole, for numbers and for multiples of HG_BATCH. */
static bool within(int64_t part, int64_t whole)
{
    return whole < 0 ? part <= 0 && part >= whole : part >= 0 && part <= whole;
}

static char *print_dim(int64_t dim, char text[HG_SHAPE_TEXT]) { return hg_shape_print(&HG_SHAPE(dim), text); }

/* Whether two shapes agree in all axes but one. */
static bool agree_but(const hg_shape *a, const hg_shape *b, int64_t axis)
{
    hg_shape same = *a;
    if (axis < a->rank && axis < b->rank)
        same.dim[axis] = b->dim[axis];
    return hg_shape_equal(&same, b);
}

/* ---- slice, pad: each the other's vjp ------------------------------------------------------------------ */

static bool slice_infer(hg_tensor *t)
{
    const window_attr *attr = t->attr;
    hg_shape shape = t->input[0]->shape;
    char start[HG_SHAPE_TEXT], length[HG_SHAPE_TEXT], has[HG_SHAPE_TEXT];
    if (!axis_exists(t, attr->axis))
        return false;
    int64_t *dim = &shape.dim[attr->axis];
    if (!within(attr->length, *dim) || !within(attr->start, *dim - attr->length))
        return hg_infer_fail(t, HG_BAD_SHAPE, "%s from %s on do not lie within the %s of axis %lld%s",
                             print_dim(attr->length, length), print_dim(attr->start, start), print_dim(*dim, has),
                             (long long)attr->axis, *dim < 0 ? ", which is cut at multiples of HG_BATCH" : "");
    *dim = attr->length;
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void slice_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const window_attr *attr = t->attr;
    if (wanted[0])
        d[0] = hg_pad(g, (int)attr->axis, attr->start,
                      t->input[0]->shape.dim[attr->axis] - attr->start - attr->length);
}

const hg_op hg_slice_op = { .name = "slice", .min_inputs = 1, .max_inputs = 1, .flags = HG_INDEXED | HG_CHEAP,
                            .attr_size = sizeof(window_attr), .infer = slice_infer, .vjp = slice_vjp,
                            HG_VARIANTS(slice) };

hg_tensor *hg_slice(hg_tensor *x, int axis, int64_t start, int64_t length)
{
    return hg_apply(&hg_slice_op, 1, &x, &(window_attr){ .axis = axis, .start = start, .length = length });
}

static bool pad_infer(hg_tensor *t)
{
    const window_attr *attr = t->attr;
    hg_shape shape = t->input[0]->shape;
    char before[HG_SHAPE_TEXT], after[HG_SHAPE_TEXT];
    if (!axis_exists(t, attr->axis))
        return false;
    int64_t *dim = &shape.dim[attr->axis];
    if (!hg_dim_add(*dim, attr->before, dim) || !hg_dim_add(*dim, attr->after, dim))
        return hg_infer_fail(t, HG_BAD_SHAPE, "axis %lld cannot grow by %s before and %s after: they must be numbers "
                             "from 0, or multiples of HG_BATCH on an axis of them", (long long)attr->axis,
                             print_dim(attr->before, before), print_dim(attr->after, after));
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void pad_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const window_attr *attr = t->attr;
    if (wanted[0])
        d[0] = hg_slice(g, (int)attr->axis, attr->before, t->input[0]->shape.dim[attr->axis]);
}

const hg_op hg_pad_op = { .name = "pad", .min_inputs = 1, .max_inputs = 1, .flags = HG_INDEXED | HG_CHEAP,
                          .attr_size = sizeof(window_attr), .infer = pad_infer, .vjp = pad_vjp, HG_VARIANTS(pad) };

hg_tensor *hg_pad(hg_tensor *x, int axis, int64_t before, int64_t after)
{
    return hg_apply(&hg_pad_op, 1, &x, &(window_attr){ .axis = axis, .before = before, .after = after });
}

/* ---- concat -------------------------------------------------------------------------------------------- */

/* Of the parts of concat and gather. */
static hg_ranges move_ranges(const hg_tensor *t, int part, int parts)
{
    return hg_one_range(hg_part_begin(hg_elements(t), part, parts), hg_part_begin(hg_elements(t), part + 1, parts));
}

static bool concat_infer(hg_tensor *t)
{
    const axis_attr *attr = t->attr;
    hg_shape shape = t->input[0]->shape;
    if (!axis_exists(t, attr->axis))
        return false;
    for (int i = 1; i < t->inputs; i++) {
        const hg_tensor *x = t->input[i];
        if (x->dtype != t->input[0]->dtype)
            return hg_infer_fail(t, HG_BAD_DTYPE, "input %d is %s, but the first is %s", i, hg_dtype_name(x->dtype),
                                 hg_dtype_name(t->input[0]->dtype));
        if (!agree_but(&shape, &x->shape, attr->axis) ||
            !hg_dim_add(shape.dim[attr->axis], x->shape.dim[attr->axis], &shape.dim[attr->axis]))
            return hg_infer_fail(t, HG_BAD_SHAPE, "input %d does not fit the first: all axes but axis %lld must be "
                                 "equal, and that one numbers alone or multiples of HG_BATCH alone", i,
                                 (long long)attr->axis);
    }
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void concat_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const axis_attr *attr = t->attr;
    int64_t start = 0;
    for (int i = 0; i < t->inputs; i++) {
        int64_t length = t->input[i]->shape.dim[attr->axis];
        if (wanted[i])
            d[i] = hg_slice(g, (int)attr->axis, start, length);
        start += length;
    }
}

const hg_op hg_concat_op = { .name = "concat", .min_inputs = 1, .max_inputs = -1, .attr_size = sizeof(axis_attr),
                             .infer = concat_infer, .vjp = concat_vjp, .parts = hg_move_parts, .ranges = move_ranges,
                             HG_VARIANTS(concat) };

hg_tensor *hg_concat(int count, hg_tensor *const x[], int axis)
{
    return hg_apply(&hg_concat_op, count, x, &(axis_attr){ .axis = axis });
}

/* ---- gather, scatter: each the other's vjp ------------------------------------------------------------- */

/* Along which axis, of what and where to: the rules that both have in common. */
static bool index_fits(hg_tensor *t, int64_t axis)
{
    if (!axis_exists(t, axis))
        return false;
    if (t->input[0]->dtype == HG_I64 || t->input[1]->dtype != HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the first input must be real and the index of integers");
    return true;
}

static bool gather_infer(hg_tensor *t)
{
    const axis_attr *attr = t->attr;
    const hg_tensor *x = t->input[0], *index = t->input[1];
    if (!index_fits(t, attr->axis))
        return false;
    if (!agree_but(&x->shape, &index->shape, attr->axis))
        return hg_infer_fail(t, HG_BAD_SHAPE, "the index must have the input's shape, but for axis %lld",
                             (long long)attr->axis);
    return hg_set_result(t, x->dtype, index->shape);
}

static void gather_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const axis_attr *attr = t->attr;
    if (wanted[0])
        d[0] = hg_scatter(g, t->input[1], (int)attr->axis, t->input[0]->shape.dim[attr->axis]);
}

const hg_op hg_gather_op = { .name = "gather", .min_inputs = 2, .max_inputs = 2, .attr_size = sizeof(axis_attr),
                             .infer = gather_infer, .vjp = gather_vjp, .parts = hg_move_parts, .ranges = move_ranges,
                             HG_VARIANTS(gather) };

hg_tensor *hg_gather(hg_tensor *x, hg_tensor *index, int axis)
{
    return hg_apply(&hg_gather_op, 2, (hg_tensor *[]){ x, index }, &(axis_attr){ .axis = axis });
}

static bool scatter_infer(hg_tensor *t)
{
    const axis_attr *attr = t->attr;
    hg_shape shape = t->input[0]->shape;
    if (!index_fits(t, attr->axis))
        return false;
    if (!hg_shape_equal(&shape, &t->input[1]->shape))
        return hg_infer_fail(t, HG_BAD_SHAPE, "the index must have the input's shape");
    shape.dim[attr->axis] = attr->length;
    return hg_set_result(t, t->input[0]->dtype, shape);
}

static void scatter_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const axis_attr *attr = t->attr;
    if (wanted[0])
        d[0] = hg_gather(g, t->input[1], (int)attr->axis);
}

const hg_op hg_scatter_op = { .name = "scatter", .min_inputs = 2, .max_inputs = 2, .attr_size = sizeof(axis_attr),
                              .infer = scatter_infer, .vjp = scatter_vjp, .parts = hg_move_parts,
                              HG_VARIANTS(scatter) };

hg_tensor *hg_scatter(hg_tensor *x, hg_tensor *index, int axis, int64_t length)
{
    return hg_apply(&hg_scatter_op, 2, (hg_tensor *[]){ x, index }, &(axis_attr){ .axis = axis, .length = length });
}
#else

/* ---- slice, pad ---------------------------------------------------------------------------------------- */

/* y[.., i, ..] = x[.., i + shift, ..] along an axis, 0 where x has none. */
static void window(const hg_tensor *t, int64_t axis, int64_t shift, int64_t begin, int64_t n, real *y, const real *x)
{
    int64_t inner = hg_elements_of_axes(t, (int)axis + 1, t->shape.rank);
    int64_t y_row = inner * t->shape.dim[axis], x_row = inner * t->input[0]->shape.dim[axis];
    int64_t first = -shift * inner, last = first + x_row; /* of y's row, where x's row lies */
    for (int64_t run; n > 0; begin += run, n -= run, y += run) {
        int64_t at = begin % y_row, edge = at < first ? first : at < last ? last : y_row;
        run = hg_smaller(n, hg_smaller(edge, y_row) - at);
        if (at >= first && at < last)
            hg_copy_ahead(y, x + begin / y_row * x_row + at - first, run);
        else
            hg_fill_ahead(y, 0, run);
    }
}

/* part / whole of a length; all of an axis where part is 0 of 0. */
static int64_t share(int64_t length, int64_t part, int64_t whole) { return whole == 0 ? 0 : length / whole * part; }

static void slice(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const window_attr *attr = t->attr;
    int64_t length = t->shape.dim[attr->axis];
    int64_t start = attr->start < 0 ? share(length, attr->start, attr->length) : attr->start;
    window(t, attr->axis, start, begin, n, y, in[0]);
}

const hg_kernels OP(slice) = { .elements = slice };

static void pad(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const window_attr *attr = t->attr;
    int64_t grown = t->shape.dim[attr->axis] - t->input[0]->shape.dim[attr->axis];
    int64_t before = attr->before < 0 ? share(grown, attr->before, attr->before + attr->after) : attr->before;
    window(t, attr->axis, -before, begin, n, y, in[0]);
}

const hg_kernels OP(pad) = { .elements = pad };

/* ---- concat -------------------------------------------------------------------------------------------- */

static void concat(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const axis_attr *attr = t->attr;
    int axis = (int)attr->axis;
    int64_t inner = hg_elements_of_axes(t, axis + 1, t->shape.rank), y_row = t->shape.dim[axis] * inner;
    int64_t begin = hg_part_begin(hg_elements(t), part, parts), end = hg_part_begin(hg_elements(t), part + 1, parts);
    (void)scratch;
    for (int64_t row = begin < end ? begin / y_row : 0, at = row * y_row; at < end; row++)
        for (int i = 0; i < t->inputs; i++) {
            int64_t length = t->input[i]->shape.dim[axis] * inner;
            int64_t from = at > begin ? at : begin, to = hg_smaller(at + length, end);
            if (from < to)
                hg_copy((real *)y + from, (const real *)in[i] + row * length + from - at, to - from);
            at += length;
        }
}

const hg_kernels OP(concat) = { .run = concat };

/* ---- gather, scatter ----------------------------------------------------------------------------------- */

/* So many columns at a time, all of whose places stay in the caches. */
enum { STRIP = 512 };

static void gather(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const axis_attr *attr = t->attr;
    int axis = (int)attr->axis;
    int64_t inner = hg_elements_of_axes(t, axis + 1, t->shape.rank), length = t->shape.dim[axis];
    int64_t places = t->input[0]->shape.dim[axis];
    const int64_t begin = hg_part_begin(hg_elements(t), part, parts);
    const int64_t end = hg_part_begin(hg_elements(t), part + 1, parts);
    const real *x = in[0];
    const int64_t *index = in[1];
    real *out = y;
    (void)scratch;
    for (int64_t column = 0; column < inner && begin < end; column += STRIP)
        for (int64_t row = begin / inner; row * inner < end; row++) {
            const int64_t shift = (row / length * places - row) * inner; /* from y's columns to x's */
            const int64_t from = row * inner + column, to = row * inner + hg_smaller(inner, column + STRIP);
#pragma omp simd
            for (int64_t i = from > begin ? from : begin; i < hg_smaller(to, end); i++)
                out[i] = (uint64_t)index[i] < (uint64_t)places ? x[index[i] * inner + i + shift] : (real)NAN;
        }
}

const hg_kernels OP(gather) = { .run = gather };

/* Cut across the axis: a part owns whole columns, whose sums run in the order of the index. */
static void scatter(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const axis_attr *attr = t->attr;
    int axis = (int)attr->axis;
    int64_t inner = hg_elements_of_axes(t, axis + 1, t->shape.rank), places = t->shape.dim[axis];
    int64_t length = t->input[0]->shape.dim[axis], columns = hg_elements_of_axes(t, 0, axis) * inner;
    int64_t at = hg_part_begin(columns, part, parts), end = hg_part_begin(columns, part + 1, parts), to;
    (void)scratch;
    for (; at < end; at = to) {
        int64_t outer = at / inner, first = at % inner, last = hg_smaller(inner, first + end - at);
        const real *x = (const real *)in[0] + outer * length * inner;
        const int64_t *index = (const int64_t *)in[1] + outer * length * inner;
        real *sum = (real *)y + outer * places * inner;
        to = at + last - first;
        for (int64_t k = 0; k < places; k++)
            hg_fill(sum + k * inner + first, 0, last - first);
        for (int64_t i = 0; i < length; i++, x += inner, index += inner)
#pragma omp simd
            for (int64_t j = first; j < last; j++)
                if ((uint64_t)index[j] < (uint64_t)places)
                    sum[index[j] * inner + j] += x[j];
    }
}

const hg_kernels OP(scatter) = { .run = scatter };
#endif
