/* The heart of our own products: tiles of the result in registers, against a panel of the right factor that stays in the
   first-level cache. An element is one chain of multiply-adds in the order of k, whatever tile it is in: the same bits
   for every cut. */
#ifndef HG_OP_PRODUCT_H
#define HG_OP_PRODUCT_H

#include "vector.h"

#include "matmul.h"
#include "move.h"

/* c (rows x columns, c_row apart) = a b. Columns of b are next to each other, or it is packed so. */
typedef struct product {
    int64_t     rows, columns, k;
    const real *a;
    int64_t     a_row, a_column;
    const real *b;
    int64_t     b_row, b_column;
    real       *c;
    int64_t     c_row;
} product;

/* ---- Tiles of c in registers ------------------------------------------------------------------------------- */

#if HG_REGISTERS == 32
enum { PRODUCT_HEIGHT = 12, PRODUCT_WIDTH = 2 };
#define PRODUCT_HEIGHTS(HEIGHT)                                                                                     \
    HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6) HEIGHT(7) HEIGHT(8) HEIGHT(9) HEIGHT(10) HEIGHT(11) \
    HEIGHT(12)
#else
enum { PRODUCT_HEIGHT = 6, PRODUCT_WIDTH = 2 };
#define PRODUCT_HEIGHTS(HEIGHT) HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6)
#endif
enum { PRODUCT_PANEL = PRODUCT_WIDTH * LANES };
_Static_assert((int)PRODUCT_WIDTH == (int)HG_PANEL_VECTORS && HG_VECTOR_BYTES <= HG_VECTOR_MOST, "room to pack a panel");

/* `onward`: sums go on from what c has. `tail`: of the last vector only some lanes are there. */
HG_INLINE void product_tile(const int height, const int width, const bool tail, some_lanes some, const product *p,
                            bool onward)
{
    vec sum[PRODUCT_HEIGHT][PRODUCT_WIDTH];
    const int64_t a_row = p->a_row, a_column = p->a_column, b_row = p->b_row;
    const real *a = p->a, *b = p->b;
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++) {
            const real *c = p->c + o * p->c_row + v * LANES;
            sum[o][v] = !onward ? (vec){ 0 } : tail && v == width - 1 ? load_some(c, some) : load(c);
        }
    for (int64_t k = p->k; k > 0; k--, a += a_column, b += b_row) {
        vec in[PRODUCT_WIDTH];
        HG_UNROLL for (int v = 0; v < width; v++)
            in[v] = tail && v == width - 1 ? load_some(b + v * LANES, some) : load(b + v * LANES);
        HG_UNROLL for (int o = 0; o < height; o++)
            HG_UNROLL for (int v = 0; v < width; v++)
                sum[o][v] += a[o * a_row] * in[v];
    }
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++) {
            real *c = p->c + o * p->c_row + v * LANES;
            if (tail && v == width - 1)
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

/* One panel's columns of c, of which `columns` are there, for HG_PANEL_DEPTH of the sums at most. */
static void product_panel(const product *p, int64_t columns, bool onward)
{
    const int pieces = (int)((p->rows + PRODUCT_HEIGHT - 1) / PRODUCT_HEIGHT);
    const int left = columns == PRODUCT_PANEL ? 0 : columns > LANES ? 1 : 2;
    const some_lanes some = first_lanes(columns > LANES ? columns - LANES : columns);
    product tile = *p;
    for (int i = 0; i < pieces; i++) {
        const int64_t from = hg_part_begin(p->rows, i, pieces), to = hg_part_begin(p->rows, i + 1, pieces);
        tile.a = p->a + from * p->a_row;
        tile.c = p->c + from * p->c_row;
        product_tiles[to - from][left](&tile, some, onward);
    }
}

#endif
