/* The heart of our own products: tiles of the result in registers, a panel of the right factor in the first-level cache, a
   block of the left one in the second. An element is a chain of multiply-adds in the order of k for each slice, whose
   depth follows from k alone, and these are added in order, whatever tile it is in: the same bits for every cut. */
#ifndef HG_OP_PRODUCT_H
#define HG_OP_PRODUCT_H

#include "vector.h"

#include "matmul.h"
#include "move.h"

/* c (rows x columns, c_row apart) = a b, with room to pack a block of a and a slice of b. */
typedef struct product {
    int64_t     rows, columns, k;
    const real *a;
    int64_t     a_row, a_column;
    const real *b;
    int64_t     b_row, b_column;
    real       *c;
    int64_t     c_row;
    int64_t     wanted; /* of rows, in the first column; in each further one, one row more: what is below may be left out */
    real       *packed_a, *packed_b;
    int64_t    *whole_b; /* whether packed_b holds all slices of b; NULL: one at a time */
} product;

/* ---- Tiles of c in registers ------------------------------------------------------------------------------- */

#if HG_REGISTERS == 32
enum { PRODUCT_HEIGHT = 14, PRODUCT_WIDTH = 2 };
#define PRODUCT_HEIGHTS(HEIGHT)                                                                                     \
    HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6) HEIGHT(7) HEIGHT(8) HEIGHT(9) HEIGHT(10) HEIGHT(11) \
    HEIGHT(12) HEIGHT(13) HEIGHT(14)
#else
enum { PRODUCT_HEIGHT = 6, PRODUCT_WIDTH = 2 };
#define PRODUCT_HEIGHTS(HEIGHT) HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6)
#endif
enum { PRODUCT_PANEL = PRODUCT_WIDTH * LANES };
/* Rows of b that the next steps of k need may lie in another core's caches, and a row's panel is too short for the processor
   to foresee the next one's. */
enum { PRODUCT_AHEAD = 16 };
_Static_assert((int)PRODUCT_PANEL <= (int)HG_PANEL_MOST && (int)PRODUCT_HEIGHT <= (int)HG_TILE_MOST, "room to pack");

/* `onward`: adds to what c has. `tail`: of the last vector only some lanes are there. */
HG_INLINE void product_tile(const int height, const int width, const bool tail, some_lanes some, const product *p,
                            bool onward)
{
    vec sum[PRODUCT_HEIGHT][PRODUCT_WIDTH];
    const int64_t a_row = p->a_row, a_column = p->a_column, b_row = p->b_row;
    const real *a = p->a, *b = p->b;
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++) {
            sum[o][v] = (vec){ 0 };
            __builtin_prefetch(p->c + o * p->c_row + v * LANES, 1);
        }
    for (int64_t k = p->k; k > 0; k--, a += a_column, b += b_row) {
        vec in[PRODUCT_WIDTH];
        HG_UNROLL for (int v = 0; v < width; v++)
            __builtin_prefetch(b + PRODUCT_AHEAD * b_row + v * LANES);
        HG_UNROLL for (int v = 0; v < width; v++)
            in[v] = tail && v == width - 1 ? load_some(b + v * LANES, some) : load(b + v * LANES);
        HG_UNROLL for (int o = 0; o < height; o++)
            HG_UNROLL for (int v = 0; v < width; v++)
                sum[o][v] += a[o * a_row] * in[v];
    }
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++) {
            real *c = p->c + o * p->c_row + v * LANES;
            const bool part = tail && v == width - 1;
            if (onward)
                sum[o][v] += part ? load_some(c, some) : load(c);
            if (part)
                store_some(c, sum[o][v], some);
            else
                store(c, sum[o][v]);
        }
}

typedef void product_fn(const product *p, some_lanes some, bool onward);

#define HEIGHT(height)                                                                                              \
    static void product_##height##_whole(const product *p, some_lanes some, bool onward)                            \
    {                                                                                                               \
        product_tile(height, PRODUCT_WIDTH, false, some, p, onward);                                                \
    }                                                                                                               \
    static void product_##height##_wide(const product *p, some_lanes some, bool onward)                             \
    {                                                                                                               \
        product_tile(height, PRODUCT_WIDTH, true, some, p, onward);                                                 \
    }                                                                                                               \
    static void product_##height##_narrow(const product *p, some_lanes some, bool onward)                           \
    {                                                                                                               \
        product_tile(height, 1, true, some, p, onward);                                                             \
    }
PRODUCT_HEIGHTS(HEIGHT)
#undef HEIGHT

/* By height and by what is left of a row of c: all of a panel, more than one vector, no more. */
static product_fn *const product_tiles[PRODUCT_HEIGHT + 1][3] = {
#define HEIGHT(height) [height] = { product_##height##_whole, product_##height##_wide, product_##height##_narrow },
    PRODUCT_HEIGHTS(HEIGHT)
#undef HEIGHT
};

/* ---- Packing ----------------------------------------------------------------------------------------------- */

/* A matrix of n x depth elements, `across` and `along` apart, and how it is packed: in strips of `width`, or of nearly the
   same width; strip after strip, each with its elements side by side for every step along. */
typedef struct strips {
    const real *from;
    int64_t     n, across, depth, along;
    int64_t     width; /* 0: nearly the same */
    int         count;
} strips;

static int64_t strip_begin(const strips *s, int i)
{
    return s->width > 0 ? hg_smaller(s->width * i, s->n) : hg_part_begin(s->n, i, s->count);
}

static int64_t strip_width(const strips *s, int i)
{
    return s->width > 0 ? s->width : strip_begin(s, i + 1) - strip_begin(s, i);
}

enum { ROWS_AT_ONCE = 16 };

static void copy_rows(const real *from, int64_t along, int64_t n, int64_t rows, real *to, int64_t width)
{
    const int64_t whole = n / LANES * LANES;
    const some_lanes rest = first_lanes(n - whole);
    for (int64_t k = 0; k < rows; k++, from += along, to += width) {
        __builtin_prefetch(from + ROWS_AT_ONCE * along); /* another page, which no processor foresees */
        for (int64_t j = 0; j < whole; j += LANES)
            store(to + j, load(from + j));
        if (n > whole)
            store_some(to + whole, load_some(from + whole, rest), rest);
    }
}

/* Elements across are contiguous: few steps at once, so that reads go along them too. */
static void pack_rows(const strips *s, real *to)
{
    for (int64_t k = 0; k < s->depth; k += ROWS_AT_ONCE)
        for (int i = 0; i < s->count; i++) {
            const int64_t begin = strip_begin(s, i), width = strip_width(s, i);
            copy_rows(s->from + k * s->along + begin, s->along, strip_begin(s, i + 1) - begin,
                      hg_smaller(s->depth - k, ROWS_AT_ONCE), to + begin * s->depth + k * width, width);
        }
}

/* Steps along are contiguous: squares are transposed. */
static void pack_columns(const strips *s, int i, real *to)
{
    const int64_t begin = strip_begin(s, i), n = strip_begin(s, i + 1) - begin, width = strip_width(s, i);
    to += begin * s->depth;
    for (int64_t j = 0; j < n; j += LANES) {
        const real *from = s->from + (begin + j) * s->across;
        const some_lanes room = first_lanes(hg_smaller(width - j, LANES));
        for (int64_t k = 0; k < s->depth; k += LANES) {
            const int64_t left = hg_smaller(s->depth - k, LANES);
            const some_lanes some = first_lanes(left);
            vec v[LANES];
            for (int l = 0; l < LANES; l++)
                v[l] = j + l >= n      ? (vec){ 0 }
                       : left == LANES ? load(from + l * s->across + k) : load_some(from + l * s->across + k, some);
            transpose(v);
            for (int l = 0; l < left; l++)
                store_some(to + (k + l) * width + j, v[l], room);
        }
    }
}

static void pack(const strips *s, real *to)
{
    if (s->across == 1)
        pack_rows(s, to);
    else
        for (int i = 0; i < s->count; i++)
            pack_columns(s, i, to);
}

/* What lies across the order of use is packed, and the rest where it is used often enough, and rows of b where they are so far
   apart that few sets of the first-level cache would hold them all. */
enum { PACK_LEFT_FROM = 1024, PACK_RIGHT_FROM = 48, PACK_RIGHT_APART = 1024 };

static bool packs_left(const product *p)
{
    return p->rows > 1 && p->columns >= (p->a_row == 1 ? 2 * PRODUCT_PANEL : PACK_LEFT_FROM);
}

static bool packs_right(const product *p)
{
    return p->b_column != 1 ||
           (p->rows > PACK_RIGHT_FROM && p->b_row * (int64_t)sizeof(real) >= PACK_RIGHT_APART);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------ */

/* As many rows as any of so many columns wants. */
static int64_t rows_wanted(const product *p, int64_t columns) { return hg_smaller(p->wanted + columns - 1, p->rows); }

/* One panel's columns of c, of which `columns` are there, in tiles of nearly the same height; a packed: tile after tile. */
static void product_panel(const product *p, int64_t columns, bool packed, bool onward)
{
    const int tiles = hg_pieces(p->rows, PRODUCT_HEIGHT);
    const int left = columns == PRODUCT_PANEL ? 0 : columns > LANES ? 1 : 2;
    const some_lanes some = first_lanes(columns > LANES ? columns - LANES : columns);
    const int64_t wanted = rows_wanted(p, columns);
    product tile = *p;
    for (int i = 0; i < tiles; i++) {
        const int64_t from = hg_part_begin(p->rows, i, tiles), height = hg_part_begin(p->rows, i + 1, tiles) - from;
        if (from >= wanted)
            break;
        tile.a = p->a + from * p->a_row;
        if (packed) {
            tile.a = p->a + from * p->k;
            tile.a_row = 1;
            tile.a_column = height;
        }
        tile.c = p->c + from * p->c_row;
        product_tiles[height][left](&tile, some, onward);
    }
}

static void pack_left(const product *p)
{
    pack(&(strips){ p->a, p->rows, p->a_row, p->k, p->a_column, .count = hg_pieces(p->rows, PRODUCT_HEIGHT) }, p->packed_a);
}

static void pack_right(const product *p)
{
    pack(&(strips){ p->b, p->columns, p->b_column, p->k, p->b_row, PRODUCT_PANEL, hg_pieces(p->columns, PRODUCT_PANEL) },
         p->packed_b);
}

/* A block of a times a slice of b, where what is packed lies. */
static void product_block(const product *p, bool packed_a, bool packed_b, bool onward)
{
    product panel = *p;
    if (packed_a)
        panel.a = p->packed_a;
    if (packed_b)
        panel.b_row = PRODUCT_PANEL;
    for (int64_t j = 0; j < p->columns; j += PRODUCT_PANEL) {
        panel.b = packed_b ? p->packed_b + j * p->k : p->b + j;
        panel.c = p->c + j;
        panel.wanted = p->wanted + j;
        product_panel(&panel, hg_smaller(p->columns - j, PRODUCT_PANEL), packed_a, onward);
    }
}

/* A slice of b: HG_PRODUCT_DEPTH rows and HG_PRODUCT_COLUMNS columns at most. */
static void product_slice(const product *p, bool onward)
{
    const bool pack_a = packs_left(p), pack_b = packs_right(p);
    const int blocks = hg_pieces(hg_pieces(p->rows, PRODUCT_HEIGHT), HG_PRODUCT_TILES);
    if (pack_b && (p->whole_b == NULL || *p->whole_b == 0))
        pack_right(p);
    const int64_t wanted = rows_wanted(p, p->columns);
    for (int i = 0; i < blocks; i++) {
        const int64_t from = hg_part_begin(p->rows, i, blocks);
        if (from >= wanted)
            break;
        product block = *p;
        block.rows = hg_part_begin(p->rows, i + 1, blocks) - from;
        block.wanted = p->wanted - from;
        block.a = p->a + from * p->a_row;
        block.c = p->c + from * p->c_row;
        if (pack_a)
            pack_left(&block);
        product_block(&block, pack_a, pack_b, onward);
    }
}

static void product_of_matrices(const product *all)
{
    const int slices = all->k == 0 ? 1 : hg_pieces(all->k, HG_PRODUCT_DEPTH);
    for (int64_t j = 0; j < all->columns; j += HG_PRODUCT_COLUMNS)
        for (int i = 0; i < slices; i++) {
            const int64_t k = hg_part_begin(all->k, i, slices);
            product p = *all;
            p.columns = hg_smaller(all->columns - j, HG_PRODUCT_COLUMNS);
            p.k = hg_part_begin(all->k, i + 1, slices) - k;
            p.a += k * all->a_column;
            p.b += k * all->b_row + j * all->b_column;
            p.c += j;
            p.wanted += j;
            if (p.whole_b != NULL)
                p.packed_b += j * all->k + k * hg_in_panels(p.columns);
            product_slice(&p, i > 0);
        }
    if (all->whole_b != NULL)
        *all->whole_b = packs_right(all);
}

#endif
