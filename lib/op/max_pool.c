/* max_pool2d, and what is taken from or put to the places of its maxima. One pass over x finds both: max_pool2d gives the
   maxima and, behind them, the switches, which tell the maximum's place in its window; max_pool_values is a view of the
   maxima alone. By the switches, max_pool_gather(s, c) is c there, and max_pool_scatter(s, g) is zeros with g there: linear
   in c and g, each the other's adjoint. A gradient so reads switches, not x. Both parts have samples for their last axis,
   and a switch lies in a real's place: what repeats samples keeps them. */
#ifndef HG_KERNELS
#include "op.h"
#else
#include "vector.h"
#endif

#include "pool.h"

#ifndef HG_KERNELS

static bool search_infer(hg_tensor *t)
{
    if (!hg_pool_infer(t, t->input[0]->dtype))
        return false;
    const int64_t *dim = t->shape.dim;
    int64_t rows;
    if (__builtin_mul_overflow(dim[0], 2 * dim[1] * dim[2], &rows))
        return hg_infer_fail(t, HG_BAD_SHAPE, "too many elements");
    return hg_set_result(t, t->dtype, HG_SHAPE(rows, dim[3]));
}

/* The inputs are the search's result and x. */
static bool max_pool_infer(hg_tensor *t)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->input[1]->shape.dim;
    return hg_set_result(t, t->input[1]->dtype, HG_SHAPE(dim[0], hg_pooled(w, 0), hg_pooled(w, 1), dim[3]));
}

/* The inputs are the search's result and an image. */
static bool scatter_infer(hg_tensor *t)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->input[1]->shape.dim;
    return hg_set_result(t, t->input[1]->dtype, HG_SHAPE(dim[0], w->size[0], w->size[1], dim[3]));
}

static bool switches_infer(hg_tensor *t) { return max_pool_infer(t) && hg_set_result(t, HG_I64, t->shape); }

static hg_tensor *apply(const hg_op *op, hg_tensor *search, hg_tensor *of, const void *attr)
{
    return hg_apply(op, 2, (hg_tensor *[]){ search, of }, attr);
}

static void max_pool_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[1])
        d[1] = apply(&hg_max_pool_scatter_op, t->input[0], g, t->attr);
}

/* The places of maxima stay where they are almost everywhere: no gradient by the search. */
static void scatter_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[1])
        d[1] = apply(&hg_max_pool_gather_op, t->input[0], g, t->attr);
}

static void gather_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[1])
        d[1] = apply(&hg_max_pool_scatter_op, t->input[0], g, t->attr);
}

static int search_parts(const hg_tensor *t, int threads)
{
    const hg_pool *w = t->attr;
    const hg_tensor *x = t->input[0];
    const int parts = (int)hg_smaller(hg_row_parts(x, threads), x->shape.dim[0] * hg_pooled(w, 0));
    return parts < 1 ? 1 : parts;
}

/* Maxima, and as far behind them as there are maxima their switches. */
static hg_ranges search_ranges(const hg_tensor *t, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t rows = t->input[0]->shape.dim[0] * hg_pooled(w, 0), row = hg_pooled(w, 1) * t->input[0]->shape.dim[3];
    return hg_columns_of(0, 2, rows * row, hg_part_begin(rows, part, parts) * row, hg_part_begin(rows, part + 1, parts) * row);
}

const hg_op hg_max_pool2d_op = { .name = "max_pool2d", .min_inputs = 1, .max_inputs = 1, .flags = HG_NO_VJP,
                                 .attr_size = sizeof(hg_pool), .infer = search_infer, .parts = search_parts,
                                 .ranges = search_ranges, HG_VARIANTS(max_pool2d) };

/* The gradient goes to x, not to what the search found. */
const hg_op hg_max_pool_values_op = { .name = "max_pool_values", .min_inputs = 2, .max_inputs = 2, .flags = HG_VIEW,
                                 .attr_size = sizeof(hg_pool), .infer = max_pool_infer, .vjp = max_pool_vjp };

const hg_op hg_max_pool_switches_op = { .name = "max_pool_switches", .min_inputs = 2, .max_inputs = 2,
                                        .flags = HG_NO_VJP, .attr_size = sizeof(hg_pool), .infer = switches_infer,
                                        .parts = hg_row_parts, .ranges = hg_row_ranges,
                                        HG_VARIANTS(max_pool_switches) };

const hg_op hg_max_pool_gather_op = { .name = "max_pool_gather", .min_inputs = 2, .max_inputs = 2,
                                      .attr_size = sizeof(hg_pool), .infer = max_pool_infer, .vjp = gather_vjp,
                                      .parts = hg_row_parts, .ranges = hg_row_ranges,
                                      HG_VARIANTS(max_pool_gather) };

const hg_op hg_max_pool_scatter_op = { .name = "max_pool_scatter", .min_inputs = 2, .max_inputs = 2,
                                       .attr_size = sizeof(hg_pool), .infer = scatter_infer, .vjp = scatter_vjp,
                                       .parts = hg_row_parts, .ranges = hg_row_ranges,
                                       HG_VARIANTS(max_pool_scatter) };

static hg_tensor *search_of(hg_tensor *x, const char *op, const hg_pool_options *options, hg_pool *w)
{
    return hg_pool_of(x, op, options, w) ? hg_apply(&hg_max_pool2d_op, 1, &x, w) : NULL;
}

/* A rectifier changes no order, so it goes behind the pool, to fewer elements: conv -> relu -> pool then rectifies nothing
   of the convolution's size, and its gradient reads nothing of that size but the switches. Values and gradients are the
   same. */
hg_tensor *hg_max_pool2d(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    if (x != NULL && x->op == &hg_relu_op)
        return hg_relu(hg_max_pool2d(x->input[0], options));
    return apply(&hg_max_pool_values_op, search_of(x, "max_pool2d", options, &w), x, &w);
}

hg_tensor *hg_max_pool2d_switches(hg_tensor *x, const hg_pool_options *options)
{
    hg_pool w;
    return apply(&hg_max_pool_switches_op, search_of(x, "max_pool2d_switches", options, &w), x, &w);
}

#else

/* ---- Switches: after the maxima, an integer in the place of a real for each -------------------------------- */

HG_INLINE ivec load_switches(const integer *s, int64_t n)
{
    return n == LANES ? (ivec)load((const real *)s) : (ivec)load_some((const real *)s, first_lanes(n));
}

HG_INLINE void store_switches(integer *s, ivec where, int64_t n)
{
    if (n == LANES)
        store((real *)s, (vec)where);
    else
        store_some((real *)s, (vec)where, first_lanes(n));
}

/* Steps of the switch by row of x. A window's switches are unequal even where they run over. */
static int64_t switch_row(const hg_pool *w) { return hg_smaller(w->window[1], w->size[1]); }

/* Of place (row, column) of x in window (p, q). */
static int64_t switch_of(const hg_pool *w, int64_t p, int64_t q, int64_t row, int64_t column)
{
    return (row + w->pad[0] - p * w->stride[0]) * switch_row(w) + column + w->pad[1] - q * w->stride[1];
}

/* ---- Finding the maxima ------------------------------------------------------------------------------------ */

enum { HG_FEW = 3 };

typedef struct window {
    hg_places   rows, columns; /* of x */
    const real *x;             /* at its first place */
    int64_t     row, column;   /* steps in x, in elements */
    int64_t     samples;
    int64_t     first_switch, switch_row;
    real       *y;             /* its maxima */
    integer    *s;             /* and their switches */
} window;

/* Of equals the first; the first that is not a number wins. */
HG_INLINE void search_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const window *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    vec  best[HG_TOGETHER];
    ivec where[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++) {
        best[v] = tail ? load_some(at->x + from, some) : load(at->x + from + v * LANES);
        where[v] = (ivec){ 0 } + (integer)at->first_switch;
    }
    for (int64_t row = 0; row < at->rows.last - at->rows.first; row++) {
        const int64_t across = at->columns.last - at->columns.first, known = row == 0;
        const real *x = at->x + row * at->row + known * at->column + from;
        int64_t k = at->first_switch + row * at->switch_row + known;
        for (int64_t left = across - known; left > 0; left--, k++, x += at->column)
            HG_UNROLL for (int v = 0; v < vectors; v++) {
                const vec  here = tail ? load_some(x, some) : load(x + v * LANES);
                const ivec better = ~(ivec)(here <= best[v]) & (ivec)(best[v] == best[v]);
                best[v] = choose(better, here, best[v]);
                where[v] = (where[v] & ~better) | (better & (integer)k);
            }
    }
    HG_UNROLL for (int v = 0; v < vectors; v++) {
        const int64_t to = from + v * LANES;
        if (tail)
            store_some(at->y + to, best[v], some);
        else
            store(at->y + to, best[v]);
        store_switches(at->s + to, where[v], tail ? n : LANES);
    }
}

/* A few samples fill no vector. */
static void search_one_by_one(const window *at)
{
    for (int64_t b = 0; b < at->samples; b++) {
        real    best = at->x[b];
        int64_t where = at->first_switch;
        for (int64_t row = 0; row < at->rows.last - at->rows.first; row++) {
            const real *x = at->x + row * at->row + b;
            int64_t k = at->first_switch + row * at->switch_row;
            for (int64_t left = at->columns.last - at->columns.first; left > 0; left--, k++, x += at->samples) {
                const bool better = !(*x <= best) && best == best;
                best = better ? *x : best;
                where = better ? k : where;
            }
        }
        at->y[b] = best;
        at->s[b] = (integer)where;
    }
}

/* Windows [columns.first, columns.last) of a row of them; `row`: at the row's first window and its first place of x. */
static void search_windows(const hg_pool *w, const window *row, int64_t first_switch, hg_places columns)
{
    window at = *row;
    for (int64_t column = columns.first; column < columns.last; column++) {
        at.columns = hg_window_at(w, 1, column);
        at.x = row->x + at.columns.first * at.samples;
        at.first_switch = first_switch + switch_of(w, 0, column, -w->pad[0], at.columns.first);
        at.y = row->y + column * at.samples;
        at.s = row->s + column * at.samples;
        if (at.samples < HG_FEW)
            search_one_by_one(&at);
        else
            each_of_samples(at.samples, search_samples, &at);
    }
}

/* Of one sample, windows within the image: lanes are places of x, of which every stride-th begins a window. */
static void search_within(const hg_pool *w, const window *row, int64_t first_switch, hg_places columns)
{
    enum { PLACES = 256 };
    const int64_t stride = w->stride[1], most = (PLACES - 1) / stride + 1;
    real    best[PLACES];
    integer where[PLACES];
    window at = *row;
    at.column = 1;
    at.columns = (hg_places){ 0, w->window[1] };
    at.first_switch = first_switch;
    at.y = best;
    at.s = where;
    for (int64_t q = columns.first, n; q < columns.last; q += n) {
        n = hg_smaller(columns.last - q, most);
        at.x = row->x + q * stride - w->pad[1];
        each_of_samples((n - 1) * stride + 1, search_samples, &at);
        for (int64_t i = 0; i < n; i++) {
            row->y[q + i] = best[i * stride];
            row->s[q + i] = where[i * stride];
        }
    }
}

static void search_row_of_one(const hg_pool *w, const window *row, int64_t first_switch, int64_t width)
{
    const int64_t before = hg_smaller((w->pad[1] + w->stride[1] - 1) / w->stride[1], width);
    const int64_t room = w->size[1] + w->pad[1] - w->window[1]; /* the last window within begins there */
    const int64_t end = room < 0 ? 0 : hg_smaller(room / w->stride[1] + 1, width);
    const hg_places within = { before, end < before ? before : end };
    search_windows(w, row, first_switch, (hg_places){ 0, within.first });
    search_within(w, row, first_switch, within);
    search_windows(w, row, first_switch, (hg_places){ within.last, width });
}

static void max_pool2d(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->input[0]->shape.dim, samples = dim[3];
    const int64_t height = hg_pooled(w, 0), width = hg_pooled(w, 1), rows = dim[0] * height;
    window row = { .row = dim[2] * samples, .column = samples, .samples = samples, .switch_row = switch_row(w) };
    (void)scratch;
    for (int64_t i = hg_part_begin(rows, part, parts); i < hg_part_begin(rows, part + 1, parts); i++) {
        row.rows = hg_window_at(w, 0, i % height);
        row.x = (const real *)in[0] + (i / height * dim[1] + row.rows.first) * row.row;
        row.y = (real *)y + i * width * samples;
        row.s = (integer *)row.y + rows * width * samples;
        const int64_t first_switch = switch_of(w, i % height, 0, row.rows.first, -w->pad[1]);
        if (samples == 1)
            search_row_of_one(w, &row, first_switch, width);
        else
            search_windows(w, &row, first_switch, (hg_places){ 0, width });
    }
}
const hg_kernels OP(max_pool2d) = { .run = max_pool2d };

/* ---- By the switches: what was there ----------------------------------------------------------------------- */

typedef void switched_fn(void *y, const void *c, int64_t at, int64_t place, int64_t samples);

/* For each maximum: `at` among the maxima, `place` in c's channel. */
HG_INLINE void each_switch(const hg_tensor *t, void *y, const void *const in[], switched_fn *act, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->shape.dim, samples = dim[3], image = w->size[0] * w->size[1] * samples, row = switch_row(w);
    const integer *s = (const integer *)in[0] + hg_elements(t);
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++)
        for (int64_t column = 0; column < dim[2]; column++) {
            const int64_t top = hg_window_at(w, 0, i % dim[1]).first, left = hg_window_at(w, 1, column).first;
            const int64_t first = switch_of(w, i % dim[1], column, top, left), at = (i * dim[2] + column) * samples;
            for (int64_t b = 0; b < samples; b++) {
                const int64_t beyond = (s[at + b] - first) & UINT32_MAX;
                act(y, (const real *)in[1] + i / dim[1] * image + b, at + b,
                    (top + beyond / row) * w->size[1] + left + beyond % row, samples);
            }
        }
}

HG_INLINE void gather_one(void *y, const void *c, int64_t at, int64_t place, int64_t samples)
{
    ((real *)y)[at] = ((const real *)c)[place * samples];
}

HG_INLINE void tell_one(void *y, const void *c, int64_t at, int64_t place, int64_t samples)
{
    (void)c;
    (void)samples;
    ((int64_t *)y)[at] = place;
}

static void max_pool_gather(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_switch(t, y, in, gather_one, part, parts);
}
const hg_kernels OP(max_pool_gather) = { .run = max_pool_gather };

static void max_pool_switches(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    (void)scratch;
    each_switch(t, y, in, tell_one, part, parts);
}
const hg_kernels OP(max_pool_switches) = { .run = max_pool_switches };

/* ---- By the switches: back to where it was ----------------------------------------------------------------- */

/* A place of the larger image, and the windows that it is in. */
typedef struct inside {
    hg_places   rows, columns;         /* of the windows */
    int64_t     row, samples;          /* steps from window to window, in elements */
    int64_t     first;                 /* of the first window */
    int64_t     first_switch, switch_row, switch_column;
    const integer *s;                  /* of all windows */
    const real *g;
    real       *y;
} inside;

HG_INLINE void scatter_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const inside *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    vec sum[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++)
        sum[v] = (vec){ 0 };
    for (int64_t row = 0; row < at->rows.last - at->rows.first; row++) {
        int64_t here = at->first + row * at->row + from, k = at->first_switch - row * at->switch_row;
        for (int64_t left = at->columns.last - at->columns.first; left > 0;
             left--, here += at->samples, k -= at->switch_column)
            HG_UNROLL for (int v = 0; v < vectors; v++) {
                const vec  g = tail ? load_some(at->g + here, some) : load(at->g + here + v * LANES);
                const ivec where = load_switches(at->s + here + v * LANES, tail ? n : LANES);
                sum[v] += choose(where == (integer)k, g, (vec){ 0 });
            }
    }
    HG_UNROLL for (int v = 0; v < vectors; v++)
        if (tail)
            store_some(at->y + from, sum[v], some);
        else
            store(at->y + from + v * LANES, sum[v]);
}

/* The places of a window in one row, where no windows overlap: each is written once, and where the maximum is read once. */
HG_INLINE void spread_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const inside *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    const int64_t here = at->first + from;
    vec  g[HG_TOGETHER];
    ivec where[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++) {
        g[v] = tail ? load_some(at->g + here, some) : load(at->g + here + v * LANES);
        where[v] = load_switches(at->s + here + v * LANES, tail ? n : LANES);
    }
    real *y = at->y + from;
    int64_t k = at->first_switch;
    for (int64_t left = at->columns.last - at->columns.first; left > 0; left--, k++, y += at->samples)
        HG_UNROLL for (int v = 0; v < vectors; v++) {
            const vec there = choose(where[v] == (integer)k, g[v], (vec){ 0 });
            if (tail)
                store_some(y, there, some);
            else
                store(y + v * LANES, there);
        }
}

/* `first`: at the row's first place and the first of the windows it is in. */
static void scatter_row(const hg_pool *w, const inside *first, int64_t row)
{
    const int64_t width = hg_pooled(w, 1);
    inside at = *first;
    for (int64_t column = 0; column < w->size[1]; column++, at.y += at.samples) {
        hg_windows_on(w, 1, column, width, &at.columns);
        at.first = first->first + at.columns.first * at.samples;
        at.first_switch = switch_of(w, at.rows.first, at.columns.first, row, column);
        each_of_samples(at.samples, scatter_samples, &at);
    }
}

static void clear(real *y, int64_t from, int64_t to, int64_t samples)
{
    if (from < to)
        memset(y + from * samples, 0, (size_t)((to - from) * samples) * sizeof *y);
}

static void spread_row(const hg_pool *w, const inside *first, int64_t row)
{
    const int64_t windows = first->rows.first < first->rows.last ? hg_pooled(w, 1) : 0;
    int64_t written = 0;
    inside at = *first;
    for (int64_t q = 0; q < windows; q++, at.first += at.samples) {
        at.columns = hg_window_at(w, 1, q);
        clear(first->y, written, at.columns.first, at.samples);
        at.y = first->y + at.columns.first * at.samples;
        at.first_switch = switch_of(w, at.rows.first, q, row, at.columns.first);
        each_of_samples(at.samples, spread_samples, &at);
        written = at.columns.last;
    }
    clear(first->y, written, w->size[1], at.samples);
}

static void max_pool_scatter(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->shape.dim, samples = dim[3], height = hg_pooled(w, 0), width = hg_pooled(w, 1);
    inside at = { .row = width * samples, .samples = samples, .switch_row = w->stride[0] * switch_row(w),
                  .switch_column = w->stride[1], .s = (const integer *)in[0] + dim[0] * height * width * samples,
                  .g = in[1], .y = (real *)y + hg_part_begin(hg_rows(t), part, parts) * hg_row_elements(t) };
    const bool overlap = w->window[0] > w->stride[0] || w->window[1] > w->stride[1];
    (void)scratch;
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++) {
        const int64_t row = i % dim[1];
        at.rows = hg_windows_with(w, 0, row);
        at.first = (i / dim[1] * height + at.rows.first) * at.row;
        if (overlap)
            scatter_row(w, &at, row);
        else
            spread_row(w, &at, row);
        at.y += hg_row_elements(t);
    }
}
const hg_kernels OP(max_pool_scatter) = { .run = max_pool_scatter };
#endif
