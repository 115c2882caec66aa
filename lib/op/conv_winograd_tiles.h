/* The other way of conv_winograd.h, on matrix tiles: data and weights are split where they are transformed. */
#ifndef HG_OP_CONV_WINOGRAD_TILES_H
#define HG_OP_CONV_WINOGRAD_TILES_H

#include "conv_winograd.h"
#include "matrix_tiles.h"

#if HG_HAS_TILES

/* Some lanes of a channel's patch, product by product. */
typedef real patch_data[HG_WINOGRAD_PRODUCTS * LANES];

static void data_of_channel(const winograd *w, const patch_lanes *p, int64_t channel, const real *from, real *to)
{
    const int64_t row = w->from_size[1] * w->samples, step = w->from_size[0] * row;
    if (channel >= w->from_channels)
        memset(to, 0, sizeof(patch_data));
    else if (p->whole)
        data_of_lanes(true, p, from + channel * step, row, w->samples, to, LANES);
    else
        data_of_lanes(false, p, from + channel * step, row, w->samples, to, LANES);
}

/* Bytes from one product's data to the next: not as many as lie in the same sets of the first-level cache. */
static int64_t split_product(const winograd *w) { return w->blocks * hg_strip_bytes(w->from_channels) + HG_STRIPS_APART; }

/* data: product, strip, whose columns are samples. */
HG_OUTLINE void split_patch(const winograd *w, int64_t row, int64_t column, int64_t sample, int64_t samples)
{
    const real *from = w->from + (row * w->from_size[1] + column) * w->samples + sample;
    const int64_t strip = hg_strip_bytes(w->from_channels), product = split_product(w);
    const patch_lanes most = lanes_of_patch(w->from_size, row, column, 4, samples);
    const patch_lanes last = lanes_of_patch(w->from_size, row, column, 4, samples % LANES);
    for (int64_t block = 0; block * STEPS < w->from_channels; block++)
        for (int64_t i = 0; i < TILE; i++)
            for (int64_t n = 0; n < samples; n += TILE) {
                const patch_lanes *p = samples - n >= LANES ? &most : &last;
                patch_data lower, upper;
                data_of_channel(w, p, block * STEPS + i, from + n, lower);
                data_of_channel(w, p, block * STEPS + TILE + i, from + n, upper);
                char *to = (char *)w->data + n / STRIP * strip + block * BLOCK_BYTES;
                to += n % STRIP / TILE * TILE_BYTES + i * TILE_ROW;
                for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++, to += product)
                    split(load(lower + k * LANES), load(upper + k * LANES), to);
            }
}

/* Of a block of `from` channels: product, output, channel. */
static void weights_of_block(const real *of, int64_t w_from, int64_t w_to, bool turned, int64_t outputs,
                             int64_t channels, real *to)
{
    for (int64_t first = 0; first < outputs; first += HG_MOST_HEIGHT)
        for (int64_t c = 0; c < STEPS; c++) {
            real u[16][HG_MOST_HEIGHT];
            const int64_t height = hg_smaller(HG_MOST_HEIGHT, outputs - first);
            transform_channel(of + first * w_to + c * w_from, w_to, turned, c < channels ? height : 0, u);
            for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++)
                for (int64_t o = 0; o < height; o++)
                    to[(k * STRIP + first + o) * STEPS + c] = u[k][o];
        }
}

/* weights: strip of outputs, product. */
HG_OUTLINE void split_weights(const winograd *w, const real *of, int64_t w_from, int64_t w_to, bool turned)
{
    const int64_t strip = hg_strip_bytes(w->from_channels);
    for (int64_t first = 0; first < w->to_channels; first += STRIP)
        for (int64_t c = 0; c < w->from_channels; c += STEPS) {
            const int64_t outputs = hg_smaller(STRIP, w->to_channels - first);
            weights_of_block(of + first * w_to + c * w_from, w_from, w_to, turned, outputs, w->from_channels - c, w->products);
            char *to = (char *)w->weights + first / STRIP * HG_WINOGRAD_PRODUCTS * strip + hg_strip_bytes(c);
            for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++, to += strip)
                for (int64_t o = 0; o < outputs; o++) {
                    const real *lower = w->products + (k * STRIP + o) * STEPS;
                    split(load(lower), load(lower + TILE), to + o / TILE * TILE_BYTES + o % TILE * TILE_ROW);
                }
        }
}

/* products: product, channel, sample. What tiles write below their last channel, the next product writes over. */
static void multiply_split(const winograd *w, int64_t first, int height, int64_t samples)
{
    const int64_t strip = hg_strip_bytes(w->from_channels), together = w->blocks * STRIP;
    const char *a = (const char *)w->weights + first / STRIP * HG_WINOGRAD_PRODUCTS * strip, *b = (const char *)w->data;
    begin_tiles();
    for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++, a += strip, b += split_product(w))
        for (int64_t n = 0; n < samples; n += STRIP) {
            const tiles_of t = { .tall = height > TILE, .wide = samples - n > TILE, .a = a, .b = b + n / STRIP * strip,
                                 .blocks = hg_pieces(w->from_channels, STEPS),
                                 .c = w->products + k * height * together + n, .c_row = together };
            multiply_strips(&t, NULL, NULL);
        }
    end_tiles();
}

#endif
#endif
