/* conv2d and conv_transpose2d: direct convolution, gathered. Every place of the result sums over the taps that reach it,
   so strides waste no work on zeros, and an element's sum does not depend on how the result is cut. */
#ifndef HG_KERNELS
#include "op.h"

#include "conv.h"

/* A part packs its weights, which pays from so many places x samples on; its result should stay in the cache. */
enum { ENOUGH_PLACES = 2048, CACHE_BYTES = 1 << 18, MOST_CHANNEL_CUTS = 16, MOST_PARTS = 128 };

static int64_t enough_rows(const hg_tensor *t)
{
    int64_t row = t->shape.dim[2] * t->shape.dim[3];
    return row == 0 ? 1 : hg_pieces(ENOUGH_PLACES, row);
}

/* A function of the shape alone, so that a part's number tells its box. */
static int channel_cuts(const hg_tensor *t)
{
    int64_t bundles = (int64_t)hg_conv_bundles_of_group(t) * ((const hg_conv *)t->attr)->groups;
    int64_t bytes = enough_rows(t) * t->shape.dim[2] * t->shape.dim[3] * (int64_t)hg_dtype_size(t->dtype) * HG_CONV_BUNDLE;
    int64_t together = bytes >= CACHE_BYTES ? 1 : bytes == 0 ? bundles : CACHE_BYTES / bytes;
    return bundles == 0 ? 1 : (int)hg_smaller(hg_pieces(bundles, together), MOST_CHANNEL_CUTS);
}

static int conv_parts(const hg_tensor *t, int threads)
{
    const int64_t most = MOST_PARTS / channel_cuts(t), rows = t->shape.dim[1];
    int64_t row_cuts = hg_pieces(rows, enough_rows(t));
    if (row_cuts * channel_cuts(t) < threads)
        row_cuts = hg_pieces(threads, channel_cuts(t));
    row_cuts = hg_smaller(hg_smaller(row_cuts, most), rows);
    return (int)(row_cuts < 1 ? 1 : row_cuts) * channel_cuts(t);
}

hg_conv_box hg_conv_box_of(const hg_tensor *t, int part, int parts)
{
    int columns = channel_cuts(t), rows = parts / columns;
    int64_t bundles = (int64_t)hg_conv_bundles_of_group(t) * ((const hg_conv *)t->attr)->groups;
    return (hg_conv_box){ (int)hg_part_begin(bundles, part % columns, columns),
                          (int)hg_part_begin(bundles, part % columns + 1, columns),
                          hg_part_begin(t->shape.dim[1], part / columns, rows),
                          hg_part_begin(t->shape.dim[1], part / columns + 1, rows) };
}

hg_conv_share hg_conv_share_of(const hg_tensor *t, int parts)
{
    const hg_conv *c = t->attr;
    const hg_tensor *from = t->input[c->result == HG_CONV_X]; /* x is the first of x and w, y the second of w and y */
    const size_t line = 64;
    hg_conv_share share = {
        .taps = (size_t)hg_pieces(t->shape.dim[1], parts / channel_cuts(t)) + (size_t)t->shape.dim[2],
        .weights = (size_t)(from->shape.dim[0] / c->groups * c->kernel[0] * c->kernel[1] * HG_CONV_BUNDLE),
    };
    share.bytes = share.taps * sizeof(hg_taps) + share.weights * hg_dtype_size(t->dtype);
    share.bytes = (share.bytes + line - 1) / line * line;
    return share;
}

static size_t conv_scratch(const hg_tensor *t, int parts) { return hg_conv_share_of(t, parts).bytes * (size_t)parts; }

/* Contiguous if it is all rows of some channels, or some rows of one. */
static void conv_range(const hg_tensor *t, int part, int parts, int64_t *begin, int64_t *end)
{
    bool whole_channels = parts == channel_cuts(t), one_channel = t->shape.dim[0] == 1;
    *begin = 0;
    *end = -1;
    if (!whole_channels && !one_channel)
        return;
    hg_conv_box box = hg_conv_box_of(t, part, parts);
    int64_t row = t->shape.dim[2] * t->shape.dim[3];
    if (one_channel) {
        *begin = box.first_row * row;
        *end = box.last_row * row;
    } else {
        *begin = hg_conv_bundle_begin(t, box.first_bundle) * t->shape.dim[1] * row;
        *end = hg_conv_bundle_begin(t, box.last_bundle) * t->shape.dim[1] * row;
    }
}

const hg_op hg_conv2d_op = { .name = "conv2d", .min_inputs = 2, .max_inputs = 2, .attr_size = sizeof(hg_conv),
                             .infer = hg_conv_infer, .vjp = hg_conv_vjp, .parts = conv_parts, .range = conv_range,
                             .scratch = conv_scratch, .flops = hg_conv_flops, HG_VARIANTS(conv2d) };

const hg_op hg_conv_transpose2d_op = { .name = "conv_transpose2d", .min_inputs = 2, .max_inputs = 2,
                                       .attr_size = sizeof(hg_conv), .infer = hg_conv_infer, .vjp = hg_conv_vjp,
                                       .parts = conv_parts, .range = conv_range, .scratch = conv_scratch,
                                       .flops = hg_conv_flops, HG_VARIANTS(conv_transpose2d) };
#else
#include "conv_tile.h"

#include "conv.h"

/* A part of an op call. `from` is x or y, whichever is not the result. Steps are in elements, channels per group. */
typedef struct gather {
    const hg_conv *c;
    const real    *from, *w;
    real          *to;
    int64_t        samples, columns;
    int64_t        from_channels, from_channel, from_row, to_channel, to_row;
    int64_t        w_group, w_from, w_to; /* steps in w by group, by channel of `from` and by channel of `to` */
    hg_conv_box    box;
    hg_taps       *row_taps, *column_taps;
    real          *packed;
} gather;

/* In the order in which they lie in memory. */
static hg_taps taps_at(const hg_conv *c, int axis, int64_t place)
{
    hg_taps taps = { .count = 0 };
    for (int64_t i = 0; i < c->kernel[axis]; i++) {
        int64_t k = c->result == HG_CONV_Y ? i : c->kernel[axis] - 1 - i, from = hg_conv_place(c, axis, place, k);
        if (from < 0)
            continue;
        if (taps.count == 0) {
            taps.from = from;
            taps.k = k;
        } else if (taps.count == 1) {
            taps.step = from - taps.from;
            taps.k_step = k - taps.k;
        }
        taps.count++;
    }
    return taps;
}

static gather gather_of(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_conv *c = t->attr;
    const bool to_y = c->result == HG_CONV_Y;
    const hg_tensor *from = t->input[to_y ? 0 : 1];
    const int64_t samples = t->shape.dim[3], taps = c->kernel[0] * c->kernel[1];
    const int64_t from_channels = from->shape.dim[0] / c->groups, to_channels = t->shape.dim[0] / c->groups;
    const int64_t x_channels = to_y ? from_channels : to_channels;
    const hg_conv_share share = hg_conv_share_of(t, parts);
    gather g = {
        .c = c,
        .from = in[to_y ? 0 : 1],
        .w = in[to_y ? 1 : 0],
        .to = y,
        .samples = samples,
        .columns = t->shape.dim[2],
        .from_channels = from_channels,
        .from_channel = from->shape.dim[1] * from->shape.dim[2] * samples,
        .from_row = from->shape.dim[2] * samples,
        .to_channel = t->shape.dim[1] * t->shape.dim[2] * samples,
        .to_row = t->shape.dim[2] * samples,
        .w_group = from_channels * to_channels * taps,
        .w_from = to_y ? taps : x_channels * taps,
        .w_to = to_y ? x_channels * taps : taps,
        .box = hg_conv_box_of(t, part, parts),
        .row_taps = (hg_taps *)((char *)scratch + share.bytes * (size_t)part),
    };
    g.column_taps = g.row_taps + (g.box.last_row - g.box.first_row);
    g.packed = (real *)(g.row_taps + share.taps);
    for (int64_t row = g.box.first_row; row < g.box.last_row; row++)
        g.row_taps[row - g.box.first_row] = taps_at(c, 0, row);
    for (int64_t column = 0; column < g.columns; column++)
        g.column_taps[column] = taps_at(c, 1, column);
    return g;
}

/* The weights of a tile's channels side by side, in the order of use. */
static void pack(const gather *g, const real *w, int height)
{
    const int64_t taps = g->c->kernel[0] * g->c->kernel[1];
    real *packed = g->packed;
    for (int64_t i = 0; i < g->from_channels; i++, w += g->w_from)
        for (int64_t k = 0; k < taps; k++, packed += height)
            for (int o = 0; o < height; o++)
                packed[o] = w[o * g->w_to + k];
}

/* How the samples are cut for tiles of a height: `wider` blocks of width + 1 vectors, then blocks of width; rest: samples
   beyond all vectors. */
typedef struct cut {
    int     height, width;
    int64_t blocks, wider, rest;
} cut;

static cut cut_of(int64_t samples, int height)
{
    int64_t vectors = samples / LANES, blocks = hg_pieces(vectors, most_width(height));
    return (cut){ .height = height, .blocks = blocks, .width = blocks == 0 ? 0 : (int)(vectors / blocks),
                  .wider = blocks == 0 ? 0 : vectors % blocks, .rest = samples % LANES };
}

static void gather_place(const gather *g, const cut *cut, const hg_taps *rows, const hg_taps *columns, const real *from,
                         real *to)
{
    const int64_t w_column = cut->height, w_row = g->c->kernel[1] * w_column;
    const walk by = { .channels = g->from_channels, .rows = rows->count, .columns = columns->count,
                      .channel = g->from_channel, .row = rows->step * g->from_row, .column = columns->step * g->samples,
                      .w_channel = g->c->kernel[0] * w_row, .w_row = rows->k_step * w_row,
                      .w_column = columns->k_step * w_column };
    const real *w = g->packed + rows->k * w_row + columns->k * w_column;
    from += rows->from * g->from_row + columns->from * g->samples;
    for (int64_t b = 0; b < cut->blocks; b++) {
        int width = cut->width + (b < cut->wider);
        tiles[cut->height][width](&by, from, w, to, g->to_channel);
        from += width * LANES;
        to += width * LANES;
    }
    if (cut->rest > 0)
        tails[cut->height](first_lanes(cut->rest), &by, from, w, to, g->to_channel);
}

/* Channels [channel, channel + height) of a group. */
static void gather_tile(const gather *g, int64_t group, int64_t channel, int64_t channels_before, int height)
{
    const cut cut = cut_of(g->samples, height);
    const real *from = g->from + group * g->from_channels * g->from_channel;
    real *to = g->to + (channels_before + channel) * g->to_channel;
    pack(g, g->w + group * g->w_group + channel * g->w_to, height);
    for (int64_t row = g->box.first_row; row < g->box.last_row; row++)
        for (int64_t column = 0; column < g->columns; column++)
            gather_place(g, &cut, &g->row_taps[row - g->box.first_row], &g->column_taps[column], from,
                         to + row * g->to_row + column * g->samples);
}

static void gather_run(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const gather g = gather_of(t, y, in, scratch, part, parts);
    const int of_group = hg_conv_bundles_of_group(t);
    const int64_t channels = t->shape.dim[0] / g.c->groups;
    for (int bundle = g.box.first_bundle; bundle < g.box.last_bundle; bundle++) {
        const int64_t group = bundle / of_group, begin = hg_conv_bundle_begin(t, bundle) - group * channels;
        const int64_t height = hg_conv_bundle_begin(t, bundle + 1) - group * channels - begin;
        const int pieces = hg_pieces(height, HG_MOST_HEIGHT);
        for (int i = 0; i < pieces; i++) {
            int64_t from = hg_part_begin(height, i, pieces);
            gather_tile(&g, group, begin + from, group * channels, (int)(hg_part_begin(height, i + 1, pieces) - from));
        }
    }
}

const hg_kernels OP(conv2d) = { .run = gather_run };
const hg_kernels OP(conv_transpose2d) = { .run = gather_run };
#endif
