/* max_pool2d, and what is taken from or put to the places of its maxima. One pass over x finds both: max_pool2d gives the
   maxima and, behind them, the switches, which tell the maximum's place in its window; max_pool_values is a view of the
   maxima alone. By the switches, max_pool_gather(s, c) is c there, and max_pool_scatter(s, g) is zeros with g there: linear
   in c and g, each the other's adjoint. A gradient so reads switches, not x. They are packed: those of some neighbouring
   windows of a row lie in one real's place. Both parts have samples for their last axis, and no two samples share a
   place: what repeats samples keeps them. */
#ifndef HG_KERNELS
#include "op.h"
#else
#include "vector.h"
#endif

#include "pool.h"

/* Steps of the switch by row of x. A window's switches are unequal even where they run over. */
static int64_t switch_row(const hg_pool *w) { return hg_smaller(w->window[1], w->size[1]); }

static int switch_bits(const hg_pool *w)
{
    const int64_t places = hg_smaller(w->window[0], w->size[0]) * switch_row(w);
    return places <= 1 << 8 ? 8 : places <= 1 << 16 ? 16 : 32;
}

/* Words, of a real's size, that hold the switches of a row of windows. */
static int64_t words_of_row(const hg_pool *w, size_t real_size)
{
    const int64_t windows = (int64_t)(8 * real_size) / switch_bits(w);
    return (hg_pooled(w, 1) + windows - 1) / windows;
}

#ifndef HG_KERNELS

static bool search_infer(hg_tensor *t)
{
    if (!hg_pool_infer(t, t->input[0]->dtype))
        return false;
    const int64_t *dim = t->shape.dim;
    int64_t rows;
    if (__builtin_mul_overflow(dim[0], dim[1] * (dim[2] + words_of_row(t->attr, hg_dtype_size(t->dtype))), &rows))
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

/* Of the maxima: nothing goes through the switches element by element. */
static hg_ranges search_ranges(const hg_tensor *t, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t rows = t->input[0]->shape.dim[0] * hg_pooled(w, 0), row = hg_pooled(w, 1) * t->input[0]->shape.dim[3];
    return hg_one_range(hg_part_begin(rows, part, parts) * row, hg_part_begin(rows, part + 1, parts) * row);
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

/* ---- Switches: after the maxima, in words ------------------------------------------------------------------ */

#if HG_REAL_BITS == 32
typedef uint32_t word;
#else
typedef uint64_t word;
#endif
typedef word words __attribute__((vector_size(HG_VECTOR_BYTES)));

/* How they are packed, and where those of a row of windows are: `row` words for each sample. */
typedef struct packing {
    int     bits, windows; /* of a switch; in a word */
    int64_t row;
    word    mask;
} packing;

static packing packing_of(const hg_pool *w)
{
    const int bits = switch_bits(w);
    return (packing){ .bits = bits, .windows = HG_REAL_BITS / bits, .row = words_of_row(w, sizeof(real)),
                      .mask = (word)-1 >> (HG_REAL_BITS - bits) };
}

static int shift_of(const packing *p, int64_t window) { return (int)(window & (p->windows - 1)) * p->bits; }

/* All samples' words of a window, in those of its row. */
static int64_t word_of(const packing *p, int64_t window, int64_t samples)
{
    return (int64_t)((uint64_t)window >> __builtin_ctz((unsigned)p->windows)) * samples;
}

HG_INLINE words load_words(const word *s, int64_t n)
{
    return n == LANES ? (words)load((const real *)s) : (words)load_some((const real *)s, first_lanes(n));
}

/* Adds a window's switch to the word that holds it; that of a word's first window begins it. */
HG_INLINE void store_switch(word *s, word where, int shift) { *s = (shift == 0 ? 0 : *s) | where << shift; }
HG_INLINE void store_switches(word *s, words where, int shift, int64_t n)
{
    const vec all = (vec)(shift == 0 ? where : load_words(s, n) | where << (word)shift);
    if (n == LANES)
        store((real *)s, all);
    else
        store_some((real *)s, all, first_lanes(n));
}

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
    word       *s;             /* and the words that hold their switches, shifted by so many bits */
    int         shift;
    const packing *packing;
} window;

/* Of equals the first; the first that is not a number wins. */
HG_INLINE void search_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const window *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    vec  best[HG_TOGETHER];
    ivec where[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++) {
        best[v] = tail ? load_some(at->x + from, some) : load_ahead(at->x + from + v * LANES);
        where[v] = (ivec){ 0 } + (integer)at->first_switch;
    }
    for (int64_t row = 0; row < at->rows.last - at->rows.first; row++) {
        const int64_t across = at->columns.last - at->columns.first, known = row == 0;
        const real *x = at->x + row * at->row + known * at->column + from;
        int64_t k = at->first_switch + row * at->switch_row + known;
        for (int64_t left = across - known; left > 0; left--, k++, x += at->column)
            HG_UNROLL for (int v = 0; v < vectors; v++) {
                const vec  here = tail ? load_some(x, some) : load_ahead(x + v * LANES);
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
            store_ahead(at->y + to, best[v]);
        store_switches(at->s + to, (words)where[v] & at->packing->mask, at->shift, tail ? n : LANES);
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
        store_switch(&at->s[b], (word)where & at->packing->mask, at->shift);
    }
}

/* Windows [columns.first, columns.last) of a row of them; `row`: at the row's first window and its first place of x. */
static void search_windows(const hg_pool *w, const window *row, int64_t first_switch, hg_places columns)
{
    const packing *p = row->packing;
    window at = *row;
    for (int64_t column = columns.first; column < columns.last; column++) {
        at.columns = hg_window_at(w, 1, column);
        at.x = row->x + at.columns.first * at.samples;
        at.first_switch = first_switch + switch_of(w, 0, column, -w->pad[0], at.columns.first);
        at.y = row->y + column * at.samples;
        at.s = row->s + word_of(p, column, at.samples);
        at.shift = shift_of(p, column);
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
    const packing *p = row->packing;
    real   best[PLACES];
    word   where[PLACES];
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
            store_switch(row->s + word_of(p, q + i, 1), where[i * stride], shift_of(p, q + i));
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
    const packing p = packing_of(w);
    window row = { .row = dim[2] * samples, .column = samples, .samples = samples, .switch_row = switch_row(w),
                   .packing = &p };
    (void)scratch;
    for (int64_t i = hg_part_begin(rows, part, parts); i < hg_part_begin(rows, part + 1, parts); i++) {
        row.rows = hg_window_at(w, 0, i % height);
        row.x = (const real *)in[0] + (i / height * dim[1] + row.rows.first) * row.row;
        row.y = (real *)y + i * width * samples;
        row.s = (word *)y + (rows * width + i * p.row) * samples;
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
    const packing p = packing_of(w);
    const int64_t *dim = t->shape.dim, samples = dim[3], image = w->size[0] * w->size[1] * samples, row = switch_row(w);
    const word *all = (const word *)in[0] + hg_elements(t);
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++)
        for (int64_t column = 0; column < dim[2]; column++) {
            const int64_t top = hg_window_at(w, 0, i % dim[1]).first, left = hg_window_at(w, 1, column).first;
            const int64_t first = switch_of(w, i % dim[1], column, top, left), at = (i * dim[2] + column) * samples;
            const word *s = all + i * p.row * samples + word_of(&p, column, samples);
            for (int64_t b = 0; b < samples; b++) {
                const int64_t beyond = (int64_t)(((s[b] >> shift_of(&p, column)) - (word)first) & p.mask);
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
    hg_places rows, columns;           /* of the windows */
    int64_t   row, samples;            /* steps from window to window, in elements */
    int64_t   first;                   /* of the first window */
    int64_t   places;                  /* neighbours in a window, of which this is the first */
    int64_t   first_switch, switch_row, switch_column;
    const packing *packing;
    const word *s;                     /* of the first row of windows */
    const real *g;
    real      *y;
} inside;

/* Of the words that hold a window's switches: which have switch k there. */
HG_INLINE ivec are(words all, int64_t k, const packing *p, int64_t window)
{
    const int shift = shift_of(p, window);
    return (ivec)((all & p->mask << shift) == ((word)k & p->mask) << shift);
}

HG_INLINE void scatter_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const inside *at = of;
    const packing *p = at->packing;
    const some_lanes some = first_lanes(tail ? n : 0);
    vec sum[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++)
        sum[v] = (vec){ 0 };
    for (int64_t row = 0; row < at->rows.last - at->rows.first; row++) {
        const word *s = at->s + row * p->row * at->samples + from;
        int64_t here = at->first + row * at->row + from, k = at->first_switch - row * at->switch_row;
        for (int64_t q = at->columns.first; q < at->columns.last; q++, here += at->samples, k -= at->switch_column)
            HG_UNROLL for (int v = 0; v < vectors; v++) {
                const vec   g = tail ? load_some(at->g + here, some) : load(at->g + here + v * LANES);
                const words all = load_words(s + word_of(p, q, at->samples) + v * LANES, tail ? n : LANES);
                sum[v] += choose(are(all, k, p, q), g, (vec){ 0 });
            }
    }
    HG_UNROLL for (int v = 0; v < vectors; v++)
        if (tail)
            store_some(at->y + from, sum[v], some);
        else
            store_ahead(at->y + from + v * LANES, sum[v]);
}

/* So many neighbouring places of the first window in one row, where no windows overlap: each is written once, and where
   the maximum is read once. */
HG_INLINE void spread_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const inside *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    const packing *p = at->packing;
    const int64_t here = at->first + from, window = at->columns.first;
    vec   g[HG_TOGETHER];
    words all[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++) {
        g[v] = tail ? load_some(at->g + here, some) : load(at->g + here + v * LANES);
        all[v] = load_words(at->s + word_of(p, window, at->samples) + from + v * LANES, tail ? n : LANES);
    }
    real *y = at->y + from;
    int64_t k = at->first_switch;
    for (int64_t left = at->places; left > 0; left--, k++, y += at->samples)
        HG_UNROLL for (int v = 0; v < vectors; v++) {
            const vec there = choose(are(all[v], k, p, window), g[v], (vec){ 0 });
            if (tail)
                store_some(y, there, some);
            else
                store_ahead(y + v * LANES, there);
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
        const hg_places in = hg_window_at(w, 1, q);
        clear(first->y, written, in.first, at.samples);
        at.columns.first = q;
        at.places = in.last - in.first;
        at.y = first->y + in.first * at.samples;
        at.first_switch = switch_of(w, at.rows.first, q, row, in.first);
        each_of_samples(at.samples, spread_samples, &at);
        written = in.last;
    }
    clear(first->y, written, w->size[1], at.samples);
}

static void max_pool_scatter(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->shape.dim, samples = dim[3], height = hg_pooled(w, 0), width = hg_pooled(w, 1);
    const packing p = packing_of(w);
    const word *all = (const word *)in[0] + dim[0] * height * width * samples;
    inside at = { .row = width * samples, .samples = samples, .switch_row = w->stride[0] * switch_row(w),
                  .switch_column = w->stride[1], .packing = &p, .g = in[1],
                  .y = (real *)y + hg_part_begin(hg_rows(t), part, parts) * hg_row_elements(t) };
    const bool overlap = w->window[0] > w->stride[0] || w->window[1] > w->stride[1];
    (void)scratch;
    for (int64_t i = hg_part_begin(hg_rows(t), part, parts); i < hg_part_begin(hg_rows(t), part + 1, parts); i++) {
        const int64_t row = i % dim[1];
        at.rows = hg_windows_with(w, 0, row);
        at.first = (i / dim[1] * height + at.rows.first) * at.row;
        at.s = all + (i / dim[1] * height + at.rows.first) * p.row * samples;
        if (overlap)
            scatter_row(w, &at, row);
        else
            spread_row(w, &at, row);
        at.y += hg_row_elements(t);
    }
}
const hg_kernels OP(max_pool_scatter) = { .run = max_pool_scatter };
#endif
