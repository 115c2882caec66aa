/* The heart of conv2d and conv_transpose2d: the sums of some channels of the result at one place, for some vectors of
   samples, kept in registers. */
#ifndef HG_OP_CONV_TILE_H
#define HG_OP_CONV_TILE_H

#include "vector.h"

#if HG_REGISTERS == 32
enum { HG_MOST_HEIGHT = 8, HG_MOST_WIDTH = 8 };
#define HG_TILES(TILE)                                                                                              \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6) TILE(1, 7) TILE(1, 8)                         \
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)                                                                     \
    TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4) TILE(4, 1) TILE(4, 2) TILE(4, 3) TILE(4, 4)                         \
    TILE(5, 1) TILE(5, 2) TILE(5, 3) TILE(5, 4) TILE(6, 1) TILE(6, 2) TILE(6, 3) TILE(6, 4)                         \
    TILE(7, 1) TILE(7, 2) TILE(7, 3) TILE(8, 1) TILE(8, 2) TILE(8, 3)
#define HG_HEIGHTS(HEIGHT) HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6) HEIGHT(7) HEIGHT(8)
#else
enum { HG_MOST_HEIGHT = 4, HG_MOST_WIDTH = 8 };
#define HG_TILES(TILE)                                                                                              \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6) TILE(1, 7) TILE(1, 8)                         \
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)                                                                     \
    TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(4, 1) TILE(4, 2) TILE(4, 3)
#define HG_HEIGHTS(HEIGHT) HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4)
#endif

/* What a sum goes through: channels x rows x columns of the other side, and how far apart they are, in elements. */
typedef struct walk {
    int64_t channels, rows, columns;
    int64_t channel, row, column;       /* steps in the other side */
    int64_t w_channel, w_row, w_column; /* and in the weights */
    int64_t w_height;                   /* from one of the tile's channels to the next, if they are not packed */
} walk;

/* `tail`: a last vector, of which only some lanes are there. */
HG_INLINE void sum_tile(const int height, const int width, const bool tail, some_lanes some, const int64_t w_height,
                        const walk *by, const real *bias, const real *x, const real *w, real *y, int64_t y_channel)
{
    vec sum[HG_MOST_HEIGHT][HG_MOST_WIDTH];
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++)
            sum[o][v] = (vec){ 0 } + bias[o];
    const int64_t rows = by->rows, columns = by->columns, column = by->column, w_column = by->w_column;
    const int64_t row = by->row - columns * column, w_row = by->w_row - columns * w_column;
    const int64_t channel = by->channel - rows * by->row, w_channel = by->w_channel - rows * by->w_row;
    for (int64_t c = by->channels; c > 0; c--, x += channel, w += w_channel)
        for (int64_t r = rows; r > 0; r--, x += row, w += w_row)
            for (int64_t q = columns; q > 0; q--, x += column, w += w_column) {
                vec in[HG_MOST_WIDTH];
                HG_UNROLL for (int v = 0; v < width; v++) {
                    in[v] = tail ? load_some(x + v * LANES, some) : load(x + v * LANES);
                    if (height * width >= 16) /* the next tile reads on from here, and does not come from the first-level cache */
                        __builtin_prefetch(x + (width + v) * LANES);
                }
                HG_UNROLL for (int o = 0; o < height; o++)
                    HG_UNROLL for (int v = 0; v < width; v++)
                        sum[o][v] += w[o * w_height] * in[v];
            }
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++)
            if (tail)
                store_some(y + o * y_channel + v * LANES, sum[o][v], some);
            else
                store(y + o * y_channel + v * LANES, sum[o][v]);
}

typedef void tile_fn(const walk *by, const real *bias, const real *x, const real *w, real *y, int64_t y_channel);
typedef void tail_fn(some_lanes some, const walk *by, const real *bias, const real *x, const real *w, real *y,
                     int64_t y_channel);

/* The tile's weights lie side by side, or by->w_height apart. */
enum { HG_PACKED, HG_APART, HG_WEIGHT_PLACES };

#define TILE_OF(name, height, width, w_height)                                                                      \
    static void name(const walk *by, const real *bias, const real *x, const real *w, real *y, int64_t y_channel)    \
    {                                                                                                               \
        sum_tile(height, width, false, first_lanes(0), w_height, by, bias, x, w, y, y_channel);                     \
    }
#define TAIL_OF(name, height, w_height)                                                                             \
    static void name(some_lanes some, const walk *by, const real *bias, const real *x, const real *w, real *y,      \
                     int64_t y_channel)                                                                             \
    {                                                                                                               \
        sum_tile(height, 1, true, some, w_height, by, bias, x, w, y, y_channel);                                    \
    }
#define TILE(height, width)                                                                                         \
    TILE_OF(tile_##height##x##width, height, width, 1)                                                              \
    TILE_OF(tile_apart_##height##x##width, height, width, by->w_height)
#define TAIL(height)                                                                                                \
    TAIL_OF(tail_of_##height, height, 1)                                                                            \
    TAIL_OF(tail_apart_of_##height, height, by->w_height)
HG_TILES(TILE)
HG_HEIGHTS(TAIL)
#undef TILE
#undef TAIL
#undef TILE_OF
#undef TAIL_OF

/* By height and width; a height's table ends with NULL. */
static tile_fn *const tiles[HG_WEIGHT_PLACES][HG_MOST_HEIGHT + 1][HG_MOST_WIDTH + 2] = {
#define TILE(height, width) [HG_PACKED][height][width] = tile_##height##x##width,
    HG_TILES(TILE)
#undef TILE
#define TILE(height, width) [HG_APART][height][width] = tile_apart_##height##x##width,
    HG_TILES(TILE)
#undef TILE
};

static tail_fn *const tails[HG_WEIGHT_PLACES][HG_MOST_HEIGHT + 1] = {
#define TAIL(height) [HG_PACKED][height] = tail_of_##height, [HG_APART][height] = tail_apart_of_##height,
    HG_HEIGHTS(TAIL)
#undef TAIL
};

static int most_width(int height)
{
    int width = 1;
    while (tiles[HG_PACKED][height][width + 1] != NULL)
        width++;
    return width;
}

#endif
