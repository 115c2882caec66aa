/* Kernels of 3 x 3, one place apart, by Winograd's minimal filtering F(2 x 2, 3 x 3): 2 x 2 places of the result from 4 x 4 of
   the other side by 16 multiplications instead of 36. With B' d B of the data, G w G' of the weights and A' m A of the
   products, each of the 16 numbers is a product of matrices over channels. Tiles begin at even places whatever the cut.
   (Lavin and Gray, Fast algorithms for convolutional neural networks, 2015.) */
#ifndef HG_OP_CONV_WINOGRAD_H
#define HG_OP_CONV_WINOGRAD_H

#include "conv_tile.h"

/* Some tiles' worth of a part: channels of a group. Steps are in elements. */
typedef struct winograd {
    const real *from, *bias; /* of the group's first channel, of the first of `channels`; bias: NULL for none */
    real       *to;
    int64_t     size[2], from_size[2], shift[2]; /* tile p sees `from` from p - shift on */
    int64_t     from_channels, to_channels, samples;
    int64_t     height; /* channels of the result in registers together */
    int64_t     block, blocks; /* samples of a block, blocks that are transformed together */
    real       *weights, *data, *products;
} winograd;

/* Number i of B' of four, a to d: of b and c, or where i is 0 of a and c, where it is 3 of b and d. */
HG_INLINE vec of_four(const int i, vec earlier, vec later)
{
    return i == 1 ? earlier + later : i == 2 ? later - earlier : earlier - later;
}

/* B' of four, in place. */
HG_INLINE void transform_line(vec *d0, vec *d1, vec *d2, vec *d3)
{
    const vec a = *d0, b = *d1, c = *d2, d = *d3;
    *d0 = of_four(0, a, c);
    *d1 = of_four(1, b, c);
    *d2 = of_four(2, b, c);
    *d3 = of_four(3, b, d);
}

/* B' d B, in place. */
HG_INLINE void transform_data(vec d[4][4])
{
    HG_UNROLL for (int j = 0; j < 4; j++)
        transform_line(&d[0][j], &d[1][j], &d[2][j], &d[3][j]);
    HG_UNROLL for (int i = 0; i < 4; i++)
        transform_line(&d[i][0], &d[i][1], &d[i][2], &d[i][3]);
}

/* Not on padding. */
static bool is_there(const int64_t size[2], int64_t row, int64_t column)
{
    return row >= 0 && row < size[0] && column >= 0 && column < size[1];
}

/* Which lanes of n of a 4 x 4 patch there are. */
typedef struct patch_lanes {
    some_lanes some[4][4];
    bool       whole;
} patch_lanes;

/* The patch begins at (row, column) of size[0] x size[1] places. */
static patch_lanes lanes_of_patch(const int64_t size[2], int64_t row, int64_t column, int height, int64_t n)
{
    patch_lanes p = { .whole = n >= LANES };
    for (int i = 0; i < height; i++)
        for (int j = 0; j < height; j++) {
            const bool there = is_there(size, row + i, column + j);
            p.some[i][j] = first_lanes(!there ? 0 : hg_smaller(n, LANES));
            p.whole = p.whole && there;
        }
    return p;
}

HG_INLINE void data_of_lanes(const bool whole, const patch_lanes *p, const real *from, int64_t row, int64_t column,
                             real *to, int64_t product)
{
    vec d[4][4];
    HG_UNROLL for (int i = 0; i < 4; i++)
        HG_UNROLL for (int j = 0; j < 4; j++) {
            const real *at = from + i * row + j * column;
            d[i][j] = whole ? load(at) : load_some(at, p->some[i][j]);
        }
    transform_data(d);
    HG_UNROLL for (int i = 0; i < 4; i++)
        HG_UNROLL for (int j = 0; j < 4; j++)
            store(to + (i * 4 + j) * product, d[i][j]);
}

/* data: product, block, channel, sample. */
HG_OUTLINE void transform_patch(const winograd *w, int64_t row, int64_t column, int64_t sample, int64_t samples)
{
    const int64_t from_row = w->from_size[1] * w->samples, from_channel = w->from_size[0] * from_row;
    const int64_t of_block = w->from_channels * w->block, product = w->blocks * of_block;
    const patch_lanes most = lanes_of_patch(w->from_size, row, column, 4, samples);
    const patch_lanes last = lanes_of_patch(w->from_size, row, column, 4, samples % LANES);
    const real *from = w->from + row * from_row + column * w->samples + sample;
    for (int64_t i = 0; i < w->from_channels; i++, from += from_channel) {
        real *to = w->data + i * w->block;
        for (int64_t first = 0; first < samples; first += w->block, to += of_block)
            for (int64_t n = 0; n < hg_smaller(w->block, samples - first); n += LANES) {
                const patch_lanes *p = samples - first - n >= LANES ? &most : &last;
                if (p->whole)
                    data_of_lanes(true, p, from + first + n, from_row, w->samples, to + n, product);
                else
                    data_of_lanes(false, p, from + first + n, from_row, w->samples, to + n, product);
            }
    }
}

/* `height` channels of the result from `first` on, in whole vectors. products: product, channel, sample. */
static void multiply(const winograd *w, int64_t first, int height, int64_t samples)
{
    static const real none[HG_MOST_HEIGHT];
    const int64_t channels = w->from_channels, product = w->blocks * channels * w->block, together = w->blocks * w->block;
    const walk by = { .count = { 1, 1, channels }, .step = { 0, 0, w->block }, .w_step = { 0, 0, height } };
    for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++) {
        const real *of = w->weights + (first * HG_WINOGRAD_PRODUCTS + k * height) * channels;
        for (int64_t n = 0; n < samples; n += w->block)
            sum_lanes(HG_PACKED, height, &by, none, w->data + k * product + n * channels, of,
                      hg_smaller(w->block, (samples - n + LANES - 1) / LANES * LANES), w->products + k * height * together + n, together);
    }
}

/* A' m A, for the places of the tile that there are. */
HG_INLINE void result_of_lanes(const bool whole, const patch_lanes *p, const real *from, int64_t product, real bias,
                               real *to, int64_t row, int64_t column)
{
    vec s[2][4];
    HG_UNROLL for (int j = 0; j < 4; j++) {
        const vec a = load(from + j * product), b = load(from + (4 + j) * product);
        const vec c = load(from + (8 + j) * product), d = load(from + (12 + j) * product);
        s[0][j] = a + b + c;
        s[1][j] = b - c - d;
    }
    HG_UNROLL for (int i = 0; i < 2; i++) {
        const vec y[2] = { s[i][0] + s[i][1] + s[i][2] + bias, s[i][1] - s[i][2] - s[i][3] + bias };
        HG_UNROLL for (int j = 0; j < 2; j++)
            if (whole)
                store(to + i * row + j * column, y[j]);
            else
                store_some(to + i * row + j * column, y[j], p->some[i][j]);
    }
}

HG_OUTLINE void write_tile(const winograd *w, int64_t first, int height, int64_t row, int64_t column, int64_t sample,
                       int64_t samples)
{
    const int64_t together = w->blocks * w->block, product = height * together;
    const int64_t to_row = w->size[1] * w->samples, to_channel = w->size[0] * to_row;
    real *to = w->to + first * to_channel + row * to_row + column * w->samples + sample;
    const patch_lanes most = lanes_of_patch(w->size, row, column, 2, samples);
    const patch_lanes last = lanes_of_patch(w->size, row, column, 2, samples % LANES);
    for (int o = 0; o < height; o++, to += to_channel)
        for (int64_t n = 0; n < samples; n += LANES) {
            const real *from = w->products + o * together + n, bias = w->bias == NULL ? 0 : w->bias[first + o];
            const patch_lanes *p = samples - n >= LANES ? &most : &last;
            if (p->whole)
                result_of_lanes(true, p, from, product, bias, to + n, to_row, w->samples);
            else
                result_of_lanes(false, p, from, product, bias, to + n, to_row, w->samples);
        }
}

/* G w G' for one channel of `from` and `height` of the result: g by taps, u by products. */
static void transform_weights(real g[9][HG_MOST_HEIGHT], real u[16][HG_MOST_HEIGHT])
{
    const real half = R(0.5);
    real s[4][3][HG_MOST_HEIGHT];
    for (int j = 0; j < 3; j++)
        for (int o = 0; o < HG_MOST_HEIGHT; o++) {
            const real a = g[j][o], b = g[3 + j][o], c = g[6 + j][o];
            s[0][j][o] = a;
            s[1][j][o] = half * (a + b + c);
            s[2][j][o] = half * (a - b + c);
            s[3][j][o] = c;
        }
    for (int i = 0; i < 4; i++)
        for (int o = 0; o < HG_MOST_HEIGHT; o++) {
            const real a = s[i][0][o], b = s[i][1][o], c = s[i][2][o];
            u[4 * i][o] = a;
            u[4 * i + 1][o] = half * (a + b + c);
            u[4 * i + 2][o] = half * (a - b + c);
            u[4 * i + 3][o] = c;
        }
}

/* Of one channel of `from`: the weights of `height` channels of the result, w_to apart. */
static void transform_channel(const real *of, int64_t w_to, bool turned, int64_t height, real u[16][HG_MOST_HEIGHT])
{
    real g[9][HG_MOST_HEIGHT] = { { 0 } };
    for (int64_t o = 0; o < height; o++)
        for (int k = 0; k < 9; k++)
            g[k][o] = of[o * w_to + (turned ? 8 - k : k)];
    transform_weights(g, u);
}

/* of: the weights of the first channels, steps from one channel to the next, `turned`: the last tap comes first.
   weights: tile, product, channel of `from`, channel of the tile. */
HG_OUTLINE void pack_winograd(const winograd *w, const real *of, int64_t w_from, int64_t w_to, bool turned)
{
    for (int64_t first = 0; first < w->to_channels; first += w->height) {
        const int64_t height = hg_smaller(w->height, w->to_channels - first);
        real *to = w->weights + first * HG_WINOGRAD_PRODUCTS * w->from_channels;
        for (int64_t c = 0; c < w->from_channels; c++, to += height) {
            real u[16][HG_MOST_HEIGHT];
            transform_channel(of + first * w_to + c * w_from, w_to, turned, height, u);
            for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++)
                for (int64_t o = 0; o < height; o++)
                    to[k * w->from_channels * height + o] = u[k][o];
        }
    }
}

/* How weights and patches are made ready, and multiplied. */
typedef struct winograd_way {
    void (*pack)(const winograd *w, const real *of, int64_t w_from, int64_t w_to, bool turned);
    void (*transform)(const winograd *w, int64_t row, int64_t column, int64_t sample, int64_t samples);
    void (*multiply)(const winograd *w, int64_t first, int height, int64_t samples);
} winograd_way;

/* Rows [first, last) of the result. */
static void winograd_rows(const winograd *w, const winograd_way *way, int64_t first, int64_t last)
{
    const int64_t together = w->blocks * w->block;
    for (int64_t row = first; row < last; row += HG_WINOGRAD_TILE)
        for (int64_t sample = 0; sample < w->samples; sample += together) {
            const int64_t samples = hg_smaller(together, w->samples - sample);
            for (int64_t column = 0; column < w->size[1]; column += HG_WINOGRAD_TILE) {
                way->transform(w, row - w->shift[0], column - w->shift[1], sample, samples);
                for (int64_t o = 0; o < w->to_channels; o += w->height) {
                    const int height = (int)hg_smaller(w->height, w->to_channels - o);
                    way->multiply(w, o, height, samples);
                    write_tile(w, o, height, row, column, sample, samples);
                }
            }
        }
}

#endif
