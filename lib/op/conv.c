/* conv2d and conv_transpose2d: direct convolution, gathered. Every place of the result sums over the taps that reach it,
   so strides waste no work on zeros, and an element's sum does not depend on how the result is cut. */
#ifndef HG_KERNELS
#include "op.h"

#include "conv_one.h"

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
    if (hg_conv_is_of_one(t))
        return hg_conv_parts_of_one(t, threads);
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
        .weights = (size_t)(from->shape.dim[0] / c->groups * c->kernel[0] * c->kernel[1] + 1) * HG_CONV_BUNDLE,
    };
    share.bytes = share.taps * sizeof(hg_taps) + share.weights * hg_dtype_size(t->dtype);
    share.bytes = (share.bytes + line - 1) / line * line;
    return share;
}

static size_t conv_scratch(const hg_tensor *t, int parts)
{
    return (hg_conv_is_of_one(t) ? hg_conv_band_bytes(t) : hg_conv_share_of(t, parts).bytes) * (size_t)parts;
}

/* Some rows of some channels. */
static hg_ranges conv_ranges(const hg_tensor *t, int part, int parts)
{
    const int64_t *dim = t->shape.dim, row = dim[2] * dim[3];
    if (hg_conv_is_of_one(t))
        return hg_one_range(hg_part_begin(dim[0], part, parts) * dim[1] * row,
                            hg_part_begin(dim[0], part + 1, parts) * dim[1] * row);
    const hg_conv_box box = hg_conv_box_of(t, part, parts);
    const int64_t first = hg_conv_bundle_begin(t, box.first_bundle), last = hg_conv_bundle_begin(t, box.last_bundle);
    return hg_columns_of(first, last - first, dim[1] * row, box.first_row * row, box.last_row * row);
}

const hg_op hg_conv2d_op = { .name = "conv2d", .min_inputs = 2, .max_inputs = 3, .attr_size = sizeof(hg_conv),
                             .infer = hg_conv_infer, .vjp = hg_conv_vjp, .parts = conv_parts, .ranges = conv_ranges,
                             .scratch = conv_scratch, .flops = hg_conv_flops, HG_VARIANTS(conv2d) };

const hg_op hg_conv_transpose2d_op = { .name = "conv_transpose2d", .min_inputs = 2, .max_inputs = 3,
                                       .attr_size = sizeof(hg_conv), .infer = hg_conv_infer, .vjp = hg_conv_vjp,
                                       .parts = conv_parts, .ranges = conv_ranges, .scratch = conv_scratch,
                                       .flops = hg_conv_flops, HG_VARIANTS(conv_transpose2d) };
#else
#include "conv_tile.h"

#include "conv_one.h"

/* A part of an op call. `from` is x or y, whichever is not the result. Steps are in elements, channels per group. */
typedef struct gather {
    const hg_conv *c;
    const real    *from, *w, *bias; /* bias: NULL for none */
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
        .bias = t->inputs > HG_CONV_BIAS ? in[HG_CONV_BIAS] : NULL,
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

/* ---- A bundle: its channels in one or two tiles, which read the same stretch of `from` one after the other ---- */

enum { MOST_TILES = (HG_CONV_BUNDLE + HG_MOST_HEIGHT - 1) / HG_MOST_HEIGHT };

typedef struct tile {
    int   height;
    real *to;     /* the result's first of its channels */
    real *packed; /* its channels' values side by side: the bias, then the weights in the order of use */
} tile;

typedef struct bundle {
    const real *from; /* the group's first channel */
    tile        tile[MOST_TILES];
    int         tiles;
    /* How the samples are cut: `wider` blocks of width + 1 vectors, then blocks of width, then the rest. */
    int         width;
    int64_t     blocks, wider, rest;
} bundle;

static void pack(const gather *g, const real *bias, const real *w, const tile *t)
{
    const int64_t taps = g->c->kernel[0] * g->c->kernel[1];
    real *packed = t->packed;
    for (int o = 0; o < t->height; o++)
        *packed++ = bias == NULL ? 0 : bias[o];
    for (int64_t i = 0; i < g->from_channels; i++, w += g->w_from)
        for (int64_t k = 0; k < taps; k++, packed += t->height)
            for (int o = 0; o < t->height; o++)
                packed[o] = w[o * g->w_to + k];
}

/* Channels [first, last) of a group, of `channels` each. */
static bundle bundle_of(const gather *g, int64_t group, int64_t channels, int64_t first, int64_t last)
{
    const int64_t packed = g->from_channels * g->c->kernel[0] * g->c->kernel[1] + 1, vectors = g->samples / LANES;
    bundle b = { .from = g->from + group * g->from_channels * g->from_channel,
                 .tiles = hg_pieces(last - first, HG_MOST_HEIGHT), .rest = g->samples % LANES };
    int tallest = 0;
    for (int i = 0; i < b.tiles; i++) {
        const int64_t from = hg_part_begin(last - first, i, b.tiles), to = hg_part_begin(last - first, i + 1, b.tiles);
        const int64_t channel = group * channels + first + from;
        b.tile[i] = (tile){ .height = (int)(to - from), .to = g->to + channel * g->to_channel,
                            .packed = g->packed + from * packed };
        pack(g, g->bias == NULL ? NULL : g->bias + channel, g->w + group * g->w_group + (first + from) * g->w_to,
             &b.tile[i]);
        tallest = b.tile[i].height > tallest ? b.tile[i].height : tallest;
    }
    b.blocks = hg_pieces(vectors, most_width(tallest));
    b.width = b.blocks == 0 ? 0 : (int)(vectors / b.blocks);
    b.wider = b.blocks == 0 ? 0 : vectors % b.blocks;
    return b;
}

/* What the taps mean for a tile: how to walk, and with which weight to begin. */
static const real *walk_of(const gather *g, const tile *t, const hg_taps *rows, const hg_taps *columns, walk *by)
{
    const int64_t w_column = t->height, w_row = g->c->kernel[1] * w_column;
    *by = (walk){ .channels = g->from_channels, .rows = rows->count, .columns = columns->count,
                  .channel = g->from_channel, .row = rows->step * g->from_row, .column = columns->step * g->samples,
                  .w_channel = g->c->kernel[0] * w_row, .w_row = rows->k_step * w_row,
                  .w_column = columns->k_step * w_column };
    return t->packed + t->height + rows->k * w_row + columns->k * w_column;
}

/* All samples of a place of the result, `to` elements from a channel's first. */
static void gather_place(const gather *g, const bundle *b, const hg_taps *rows, const hg_taps *columns, int64_t to)
{
    const real *from = b->from + rows->from * g->from_row + columns->from * g->samples, *w[MOST_TILES] = { NULL };
    walk by[MOST_TILES];
    for (int i = 0; i < b->tiles; i++)
        w[i] = walk_of(g, &b->tile[i], rows, columns, &by[i]);
    for (int64_t block = 0; block < b->blocks; block++) {
        const int width = b->width + (block < b->wider);
        for (int i = 0; i < b->tiles; i++)
            tiles[HG_PACKED][b->tile[i].height][width](&by[i], b->tile[i].packed, from, w[i], b->tile[i].to + to,
                                                       g->to_channel);
        from += width * LANES;
        to += width * LANES;
    }
    for (int i = 0; i < b->tiles && b->rest > 0; i++)
        tails[HG_PACKED][b->tile[i].height](first_lanes(b->rest), &by[i], b->tile[i].packed, from, w[i],
                                            b->tile[i].to + to, g->to_channel);
}

static void gather_run(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    if (hg_conv_is_of_one(t)) {
        conv_run_of_one(t, y, in, scratch, part, parts);
        return;
    }
    const gather g = gather_of(t, y, in, scratch, part, parts);
    const int of_group = hg_conv_bundles_of_group(t);
    const int64_t channels = t->shape.dim[0] / g.c->groups;
    for (int i = g.box.first_bundle; i < g.box.last_bundle; i++) {
        const int64_t group = i / of_group, before = group * channels;
        const bundle b = bundle_of(&g, group, channels, hg_conv_bundle_begin(t, i) - before,
                                   hg_conv_bundle_begin(t, i + 1) - before);
        for (int64_t row = g.box.first_row; row < g.box.last_row; row++)
            for (int64_t column = 0; column < g.columns; column++)
                gather_place(&g, &b, &g.row_taps[row - g.box.first_row], &g.column_taps[column],
                             row * g.to_row + column * g.samples);
    }
}

const hg_kernels OP(conv2d) = { .run = gather_run };
const hg_kernels OP(conv_transpose2d) = { .run = gather_run };
#endif
