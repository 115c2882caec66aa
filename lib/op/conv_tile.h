/* The heart of conv2d and conv_transpose2d: the sums of some channels of the result at one place, for some vectors of
   samples, kept in registers. */
#ifndef HG_OP_CONV_TILE_H
#define HG_OP_CONV_TILE_H

#include "vector.h"

#include "conv.h"

#if HG_REGISTERS == 32
enum { HG_MOST_HEIGHT = 12, HG_MOST_WIDTH = 8 };
#define HG_TILES(TILE)                                                                                              \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6) TILE(1, 7) TILE(1, 8)                         \
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4) TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4)                         \
    TILE(4, 1) TILE(4, 2) TILE(4, 3) TILE(4, 4) TILE(5, 1) TILE(5, 2) TILE(5, 3) TILE(5, 4)                         \
    TILE(6, 1) TILE(6, 2) TILE(6, 3) TILE(6, 4) TILE(7, 1) TILE(7, 2) TILE(7, 3) TILE(8, 1)                         \
    TILE(8, 2) TILE(8, 3) TILE(9, 1) TILE(9, 2) TILE(10, 1) TILE(10, 2) TILE(11, 1) TILE(11, 2) TILE(12, 1) TILE(12, 2)
#define HG_HEIGHTS(HEIGHT)                                                                                          \
    HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6) HEIGHT(7) HEIGHT(8) HEIGHT(9) HEIGHT(10) HEIGHT(11) \
    HEIGHT(12)
#else
enum { HG_MOST_HEIGHT = 6, HG_MOST_WIDTH = 8 };
#define HG_TILES(TILE)                                                                                              \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6) TILE(1, 7) TILE(1, 8)                         \
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)                                                                     \
    TILE(3, 1) TILE(3, 2) TILE(4, 1) TILE(4, 2) TILE(5, 1) TILE(5, 2) TILE(6, 1) TILE(6, 2)
#define HG_HEIGHTS(HEIGHT) HEIGHT(1) HEIGHT(2) HEIGHT(3) HEIGHT(4) HEIGHT(5) HEIGHT(6)
#endif

/* What a sum goes through, the outermost first: how often, and how far each time, in the other side and in the weights. */
typedef struct walk {
    int64_t count[3], step[3], w_step[3]; /* steps in elements */
    int64_t turn, back;                   /* after so many of the outermost, how far back in the other side; 0: never */
    int64_t w_height;                     /* from one of the tile's channels to the next, if they are not packed */
} walk;

/* `tail`: a last vector, of which only some lanes are there. */
HG_INLINE void sum_tile(const int height, const int width, const bool tail, some_lanes some, const int64_t w_height,
                        const walk *by, const real *bias, const real *x, const real *w, real *y, int64_t y_channel)
{
    vec sum[HG_MOST_HEIGHT][HG_MOST_WIDTH];
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int v = 0; v < width; v++)
            sum[o][v] = (vec){ 0 } + bias[o];
    const int64_t middle = by->count[1], inner = by->count[2], step = by->step[2], w_step = by->w_step[2];
    const int64_t middle_step = by->step[1] - inner * step, w_middle_step = by->w_step[1] - inner * w_step;
    const int64_t outer_step = by->step[0] - middle * by->step[1], w_outer_step = by->w_step[0] - middle * by->w_step[1];
    for (int64_t i = 0; i < by->count[0]; i++, x += outer_step, w += w_outer_step) {
        if (i == by->turn)
            x -= by->back;
        for (int64_t j = middle; j > 0; j--, x += middle_step, w += w_middle_step)
            for (int64_t k = inner; k > 0; k--, x += step, w += w_step) {
                vec in[HG_MOST_WIDTH];
                HG_UNROLL for (int v = 0; v < width; v++) {
                    in[v] = tail ? load_some(x + v * LANES, some) : load(x + v * LANES);
                    if (height * width >= 16) /* the next tile reads on from here, perhaps not from the first-level cache */
                        __builtin_prefetch(x + (width + v) * LANES);
                }
                HG_UNROLL for (int o = 0; o < height; o++)
                    HG_UNROLL for (int v = 0; v < width; v++)
                        sum[o][v] += w[o * w_height] * in[v];
            }
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

/* By height and width. */
static tile_fn *const tiles[HG_WEIGHT_PLACES][HG_MOST_HEIGHT + 1][HG_MOST_WIDTH + 1] = {
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

static int64_t most_width(int height)
{
    return height == 1 ? 8 : height == 2 ? 4 : HG_REGISTERS == 16 || height > 8 ? 2 : height > 6 ? 3 : 4;
}

/* `height` channels of the result at so many elements that follow each other in all that is read and written. */
HG_OUTLINE void sum_lanes(int weights, int height, const walk *by, const real *bias, const real *x, const real *w, int64_t n,
                      real *y, int64_t y_channel)
{
    const int64_t most = most_width(height);
    int64_t vectors = n / LANES;
    while (vectors > 0) { /* nearly even pieces */
        const int64_t width = vectors <= most ? vectors : vectors < 2 * most ? vectors / 2 : most;
        tiles[weights][height][width](by, bias, x, w, y, y_channel);
        x += width * LANES;
        y += width * LANES;
        vectors -= width;
    }
    if (n % LANES > 0)
        tails[weights][height](first_lanes(n % LANES), by, bias, x, w, y, y_channel);
}

static void copy_lanes(real *to, const real *from, int64_t n)
{
    for (; n >= LANES; n -= LANES, to += LANES, from += LANES)
        store(to, load(from));
    if (n > 0)
        store_some(to, load_some(from, first_lanes(n)), first_lanes(n));
}

#endif
