/* conv2d and conv_transpose2d: direct convolution, gathered. Every place of the result sums over the taps that reach it,
   so strides waste no work on zeros, and an element's sum does not depend on how the result is cut. What is read often is
   first copied to where all channels of a place lie side by side: multiples of powers of two, as which channels are apart,
   share few sets of the caches. Most kernels of 3 x 3 go by Winograd's algorithm instead. */
#ifndef HG_KERNELS
#include "op.h"

#include "conv_one.h"
#include "matrix_strips.h"

/* A part packs its weights, which pays from so many places x samples on. What it packs and copies should stay in the
   second-level cache, and so should the result of a part that the planner lets other ops go on with. */
enum { ENOUGH_PLACES = 2048, MOST_CHANNEL_CUTS = 16, MOST_PARTS = 128 };
enum { RESULT_BYTES = 1 << 19, WEIGHT_BYTES = 1 << 18, WINOGRAD_BYTES = 1 << 19, COPY_BYTES = 1 << 20, LINE = 64 };
/* Elements that are read more rarely are not copied. */
enum { ENOUGH_READS = 160 };

/* Cuts lie between tiles. */
static int64_t rows_of_tile(const hg_tensor *t) { return hg_conv_is_winograd(t) ? HG_WINOGRAD_TILE : 1; }

/* Neighbours read some rows twice: a part should have more of its own than of theirs. */
static int64_t enough_rows(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const int64_t row = t->shape.dim[2] * t->shape.dim[3], step = c->result == HG_CONV_Y ? c->stride[0] : 1;
    const int64_t shared = (c->kernel[0] - 1) * c->dilation[0] / step;
    const int64_t enough = row == 0 ? 1 : hg_pieces(ENOUGH_PLACES, row);
    return enough > 2 * shared ? enough : 2 * shared;
}

/* What is packed of them, with the bias. */
static int64_t weights_of_channel(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const int64_t taps = hg_conv_is_winograd(t) ? HG_WINOGRAD_PRODUCTS : c->kernel[0] * c->kernel[1];
    return hg_conv_from(t)->shape.dim[0] / c->groups * taps + 1;
}

/* A function of the shape alone, so that a part's number tells its box. */
static int channel_cuts(const hg_tensor *t)
{
    const int64_t bundles = (int64_t)hg_conv_bundles_of_group(t) * ((const hg_conv *)t->attr)->groups;
    const int64_t bundle = HG_CONV_BUNDLE * (int64_t)hg_dtype_size(t->dtype);
    const int64_t result = hg_elements_of_axes(t, 1, 4) * bundle;
    int64_t together = (hg_conv_is_winograd(t) ? WINOGRAD_BYTES : WEIGHT_BYTES) / (weights_of_channel(t) * bundle);
    if (t->shape.dim[1] <= enough_rows(t) && result > 0)
        together = hg_smaller(together, RESULT_BYTES / result);
    return bundles == 0 ? 1 : (int)hg_smaller(hg_pieces(bundles, together < 1 ? 1 : together), MOST_CHANNEL_CUTS);
}

/* What is read again and again is copied to where it is together, or transformed. */
static bool is_copied(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const int64_t reads = t->shape.dim[0] / c->groups * c->kernel[0] * c->kernel[1];
    return hg_conv_is_winograd(t) || reads >= ENOUGH_READS * (c->result == HG_CONV_Y ? c->stride[0] * c->stride[1] : 1);
}

static int conv_parts(const hg_tensor *t, int threads)
{
    if (hg_conv_is_of_one(t))
        return hg_conv_parts_of_one(t, threads);
    const int64_t most = MOST_PARTS / channel_cuts(t), rows = hg_pieces(t->shape.dim[1], rows_of_tile(t));
    int64_t row_cuts = hg_pieces(t->shape.dim[1], enough_rows(t));
    if (channel_cuts(t) % threads != 0)
        row_cuts = hg_pieces(row_cuts, threads) * threads; /* as much for each */
    row_cuts = hg_smaller(hg_smaller(row_cuts, most), rows);
    return (int)(row_cuts < 1 ? 1 : row_cuts) * channel_cuts(t);
}

static int64_t row_begin(const hg_tensor *t, int cut, int cuts)
{
    const int64_t tile = rows_of_tile(t);
    return hg_smaller(hg_part_begin(hg_pieces(t->shape.dim[1], tile), cut, cuts) * tile, t->shape.dim[1]);
}

hg_conv_box hg_conv_box_of(const hg_tensor *t, int part, int parts)
{
    const int columns = channel_cuts(t), rows = parts / columns, column = part / rows, row = part % rows;
    int64_t bundles = (int64_t)hg_conv_bundles_of_group(t) * ((const hg_conv *)t->attr)->groups;
    return (hg_conv_box){ (int)hg_part_begin(bundles, column, columns), (int)hg_part_begin(bundles, column + 1, columns),
                          row_begin(t, row, rows), row_begin(t, row + 1, rows) };
}

/* How many places of the other side n places of the result read at most. */
static int64_t reach(const hg_tensor *t, int axis, int64_t n)
{
    const hg_conv *c = t->attr;
    const int64_t extent = (c->kernel[axis] - 1) * c->dilation[axis];
    const int64_t most = c->result == HG_CONV_Y ? (n - 1) * c->stride[axis] + extent + 1
                                                : (n - 1 + extent) / c->stride[axis] + 1;
    return hg_smaller(most, hg_conv_from(t)->shape.dim[1 + axis]);
}

/* As many samples as tiles of the result's channels have in registers. */
static int64_t samples_of_block(const hg_tensor *t)
{
    const int64_t channels = t->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    const int64_t tallest = hg_largest_piece(channels, HG_CONV_BUNDLE);
    const int64_t line = LINE / (int64_t)hg_dtype_size(t->dtype), most = tallest == 1 ? 8 : tallest <= 6 ? 4 : tallest <= 8 ? 3 : 2;
    return line * hg_smaller(most, hg_pieces(t->shape.dim[3], line));
}

/* So many blocks at a time as fit, nearly evenly. */
static int64_t blocks_together(int64_t blocks, int64_t fit)
{
    return hg_largest_piece(blocks, fit < 1 ? 1 : fit);
}

static void share_for_copy(const hg_tensor *t, hg_conv_share *share)
{
    const hg_conv *c = t->attr;
    const int64_t size = (int64_t)hg_dtype_size(t->dtype), columns = t->shape.dim[2];
    share->rows = reach(t, 0, 1);
    const int64_t column = hg_conv_from(t)->shape.dim[0] / c->groups * share->rows * share->samples * size;
    const int64_t fit = column == 0 ? columns : COPY_BYTES / column;
    while (share->column_cuts < columns && reach(t, 1, hg_pieces(columns, share->column_cuts)) > fit)
        share->column_cuts++;
    const int64_t across = reach(t, 1, hg_pieces(columns, share->column_cuts));
    share->blocks = blocks_together(share->blocks, across == 0 ? 1 : fit / across);
    share->copy = (size_t)(share->blocks * across * (column / size));
}

static void share_for_winograd(const hg_tensor *t, hg_conv_share *share)
{
    const int64_t from = hg_conv_from(t)->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    const int64_t block = HG_WINOGRAD_PRODUCTS * share->samples, size = (int64_t)hg_dtype_size(t->dtype);
    share->blocks = blocks_together(share->blocks, WINOGRAD_BYTES / (block * from * size));
    share->copy = (size_t)(share->blocks * block * from);
    share->products = (size_t)(share->blocks * block * HG_CONV_BUNDLE);
}

/* In f32: of conv_winograd_tiles.h. */
static void share_for_strips(const hg_tensor *t, int64_t channels, hg_conv_share *share)
{
    const int64_t from = hg_conv_from(t)->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    const int64_t strip = HG_WINOGRAD_PRODUCTS * hg_strip_bytes(from), size = sizeof(float);
    share->samples = HG_STRIP;
    share->blocks = blocks_together(hg_pieces(t->shape.dim[3], HG_STRIP), WINOGRAD_BYTES / strip);
    share->weights = (size_t)(hg_pieces(channels, HG_STRIP) * strip / size);
    share->copy = (size_t)((share->blocks * strip + HG_WINOGRAD_PRODUCTS * HG_STRIPS_APART) / size);
    share->products = (size_t)(share->blocks * HG_WINOGRAD_PRODUCTS * HG_STRIP * HG_STRIP);
}

hg_conv_share hg_conv_share_of(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const int64_t bundles = (int64_t)hg_conv_bundles_of_group(t) * c->groups;
    const int64_t of_part = hg_pieces(bundles, channel_cuts(t)) * (int64_t)HG_CONV_BUNDLE;
    const int64_t channels = hg_smaller(t->shape.dim[0] / c->groups, of_part);
    hg_conv_share share = {
        .taps = (size_t)(t->shape.dim[1] + t->shape.dim[2]),
        .weights = (size_t)((weights_of_channel(t) * channels + LINE - 1) / LINE * LINE),
        .column_cuts = 1,
    };
    if (hg_elements(t) > 0) {
        share.samples = samples_of_block(t);
        share.blocks = hg_pieces(t->shape.dim[3], share.samples);
        if (hg_conv_is_tiled(t))
            share_for_strips(t, channels, &share);
        else if (hg_conv_is_winograd(t))
            share_for_winograd(t, &share);
        else if (is_copied(t))
            share_for_copy(t, &share);
    }
    share.bytes = HG_WORKSPACE_HEAD + (share.taps * sizeof(hg_taps) + LINE - 1) / LINE * LINE;
    share.bytes += (share.weights + share.copy + share.products) * hg_dtype_size(t->dtype);
    return share;
}

static size_t conv_workspace(const hg_tensor *t)
{
    return hg_conv_is_of_one(t) ? hg_conv_band_bytes(t) : hg_conv_share_of(t).bytes;
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
                             .workspace = conv_workspace, .flops = hg_conv_flops, HG_VARIANTS_AMX(conv2d) };

const hg_op hg_conv_transpose2d_op = { .name = "conv_transpose2d", .min_inputs = 2, .max_inputs = 3,
                                       .attr_size = sizeof(hg_conv), .infer = hg_conv_infer, .vjp = hg_conv_vjp,
                                       .parts = conv_parts, .ranges = conv_ranges,
                                       .workspace = conv_workspace,
                                       .flops = hg_conv_flops, HG_VARIANTS_AMX(conv_transpose2d) };
#else
#include "conv_tile.h"

#include <assert.h>

#include "conv_one.h"
#include "conv_winograd.h"
#include "conv_winograd_tiles.h"
#include "conv_winograd_weight.h"

/* A part of an op call. `from` is x or y, whichever is not the result. Steps are in elements, channels per group. */
typedef struct gather {
    const hg_conv *c;
    hg_conv_share  share;
    const real    *from, *w, *bias; /* bias: NULL for none */
    real          *to;
    int64_t        samples, columns;
    int64_t        from_channels, to_channels;
    int64_t        from_channel, from_row, to_channel, to_row;
    int64_t        w_group, w_from, w_to; /* steps in w by group, by channel of `from` and by channel of `to` */
    hg_conv_box    box;
    hg_taps       *row_taps, *column_taps;
    int64_t       *packed_from;
    real          *packed, *copy, *products;
} gather;

/* ---- Taps and weights, in the order in which `from` lies in memory ----------------------------------------- */

static int64_t nth_tap(const hg_conv *c, int axis, int64_t n)
{
    return c->result == HG_CONV_Y ? n : c->kernel[axis] - 1 - n;
}

/* Taps that meet in a place of a transposed convolution are stride / gcd(stride, dilation) apart. */
static int64_t taps_apart(const hg_conv *c, int axis)
{
    int64_t a = c->stride[axis], b = c->dilation[axis];
    if (c->result == HG_CONV_Y)
        return 1;
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return c->stride[axis] / a;
}

/* Where the n-th is put, so that those that meet follow each other. */
static int64_t place_of_tap(const hg_conv *c, int axis, int64_t n)
{
    const int64_t kernel = c->kernel[axis], apart = taps_apart(c, axis);
    return n % apart * (kernel / apart) + hg_smaller(n % apart, kernel % apart) + n / apart;
}

static hg_taps taps_at(const hg_conv *c, int axis, int64_t place)
{
    hg_taps taps = { .count = 0 };
    for (int64_t n = 0; n < c->kernel[axis]; n++) {
        const int64_t from = hg_conv_place(c, axis, place, nth_tap(c, axis, n));
        if (from < 0)
            continue;
        if (taps.count == 0) {
            taps.from = from;
            taps.tap = place_of_tap(c, axis, n);
        } else if (taps.count == 1) {
            taps.step = from - taps.from;
        }
        taps.count++;
    }
    return taps;
}

/* Some channels of the result, which are in registers together. */
typedef struct tile {
    int     height;
    int64_t first; /* channel of the group */
    real   *packed; /* the channels' values side by side: the bias, then the weights in the order of use */
} tile;

/* Nearly even pieces of so many channels: the height of all but the last. */
static int64_t tallest(int64_t channels) { return hg_largest_piece(channels, HG_MOST_HEIGHT); }

static tile tile_of(const gather *g, hg_span channels, int64_t first)
{
    const int64_t depth = g->from_channels * g->c->kernel[0] * g->c->kernel[1] + 1;
    return (tile){ (int)hg_smaller(tallest(channels.last - channels.first), channels.last - first), first,
                   g->packed + (first - channels.first) * depth };
}

HG_OUTLINE void pack(const gather *g, int64_t group, const tile *t)
{
    const hg_conv *c = g->c;
    const real *w = g->w + group * g->w_group + t->first * g->w_to;
    for (int o = 0; o < t->height; o++)
        t->packed[o] = g->bias == NULL ? 0 : g->bias[group * g->to_channels + t->first + o];
    for (int64_t m = 0; m < c->kernel[0]; m++)
        for (int64_t n = 0; n < c->kernel[1]; n++) {
            const real *of_tap = w + nth_tap(c, 0, m) * c->kernel[1] + nth_tap(c, 1, n);
            real *to = t->packed + t->height;
            to += (place_of_tap(c, 0, m) * c->kernel[1] + place_of_tap(c, 1, n)) * g->from_channels * t->height;
            for (int64_t i = 0; i < g->from_channels; i++, of_tap += g->w_from, to += t->height)
                for (int o = 0; o < t->height; o++)
                    to[o] = of_tap[o * g->w_to];
        }
}

/* ---- What tiles read --------------------------------------------------------------------------------------- */

/* Rows and columns of `from` for some samples of a group: where they are, or their copy. Steps in elements; `block` from
   one block of samples to the next. */
typedef struct view {
    const real *at;
    hg_span     columns;
    int64_t     row, column, channel, block;
    int64_t     turn; /* the rows that there is memory for; 0: for all */
} view;

/* What so many places of the result read. Dilated taps of a transposed convolution go back and forth. */
static hg_span reach_of(const hg_taps *taps, int64_t count)
{
    hg_span reach = { 0, 0 };
    for (int64_t i = 0; i < count; i++) {
        const hg_taps *t = &taps[i];
        const int64_t last = t->from + (t->count - 1) * t->step + 1;
        if (t->count == 0)
            continue;
        reach.first = reach.last == 0 ? t->from : hg_smaller(reach.first, t->from);
        reach.last = reach.last < last ? last : reach.last;
    }
    return reach;
}

/* Some channels of a group at some columns of a part's rows, for some samples. */
typedef struct patch {
    int64_t group;
    hg_span channels, columns;
    int64_t sample, samples;
} patch;

static view seen_by(const gather *g, const patch *p)
{
    return (view){
        .at = g->from + p->group * g->from_channels * g->from_channel + p->sample,
        .columns = g->share.copy == 0 ? (hg_span){ 0, 0 }
                                      : reach_of(g->column_taps + p->columns.first, p->columns.last - p->columns.first),
        .row = g->from_row, .column = g->samples, .channel = g->from_channel, .block = g->share.samples,
    };
}

/* All channels of a place lie side by side, and rows take turns in the memory of a few. */
static view copy_of(const gather *g, const view *v)
{
    const int64_t block = g->share.samples, columns = v->columns.last - v->columns.first;
    return (view){ .at = g->copy, .columns = v->columns, .channel = block,
                   .column = g->from_channels * block, .block = columns * g->from_channels * block,
                   .row = g->share.blocks * columns * g->from_channels * block, .turn = g->share.rows };
}

HG_OUTLINE void copy_row_of(const gather *g, const view *v, const view *copy, int64_t row, int64_t samples)
{
    const int64_t block = g->share.samples;
    real *to = g->copy + row % g->share.rows * copy->row;
    for (int64_t i = 0; i < g->from_channels; i++)
        for (int64_t q = v->columns.first; q < v->columns.last; q++)
            for (int64_t first = 0; first < samples; first += block)
                copy_lanes(to + first / block * copy->block + (q - v->columns.first) * copy->column + i * copy->channel,
                           v->at + row * v->row + q * v->column + i * v->channel + first,
                           hg_smaller(block, samples - first));
}

/* ---- Sums -------------------------------------------------------------------------------------------------- */

/* A tile at some columns of a row of the result, whose first place is `to`, for some samples. */
HG_OUTLINE void gather_columns(const gather *g, const view *v, const tile *t, const hg_taps *rows, hg_span columns,
                               int64_t samples, real *to)
{
    const int64_t w_column = g->from_channels * t->height, w_row = g->c->kernel[1] * w_column;
    const int64_t row = v->turn > 0 ? rows->from % v->turn : rows->from;
    walk by = { .count = { rows->count }, .step = { rows->step * v->row, 0, v->channel },
                .w_step = { w_row, w_column, t->height } };
    if (v->turn > 0 && rows->step > 0) {
        by.turn = (v->turn - row + rows->step - 1) / rows->step;
        by.back = v->turn * v->row;
    }
    for (int64_t column = columns.first; column < columns.last; column++) {
        const hg_taps *taps = &g->column_taps[column];
        const real *from = v->at + row * v->row + (taps->from - v->columns.first) * v->column;
        const real *w = t->packed + t->height + rows->tap * w_row + taps->tap * w_column;
        by.step[1] = taps->step * v->column;
        by.count[1] = taps->count;
        by.count[2] = g->from_channels;
        if (by.step[1] == g->from_channels * v->channel || taps->count == 1) {
            by.count[1] = 1;
            by.count[2] *= taps->count;
        }
        for (int64_t first = 0; first < samples; first += g->share.samples, from += v->block)
            sum_lanes(HG_PACKED, t->height, &by, t->packed, from, w, hg_smaller(g->share.samples, samples - first),
                      to + column * g->samples + first, g->to_channel);
    }
}

static void gather_row(const gather *g, const view *v, const patch *p, int64_t row)
{
    const int64_t height = tallest(p->channels.last - p->channels.first);
    for (int64_t first = p->channels.first; first < p->channels.last; first += height) {
        const tile t = tile_of(g, p->channels, first);
        real *to = g->to + (p->group * g->to_channels + t.first) * g->to_channel + row * g->to_row + p->sample;
        gather_columns(g, v, &t, &g->row_taps[row - g->box.first_row], p->columns, p->samples, to);
    }
}

static void gather_patch(const gather *g, const patch *p)
{
    const view from = seen_by(g, p), copy = copy_of(g, &from);
    assert(copy.turn * copy.row <= (int64_t)g->share.copy);
    int64_t copied = reach_of(g->row_taps, g->box.last_row - g->box.first_row).first;
    for (int64_t row = g->box.first_row; row < g->box.last_row; row++) {
        const int64_t last = reach_of(&g->row_taps[row - g->box.first_row], 1).last;
        for (; g->share.copy > 0 && copied < last; copied++)
            copy_row_of(g, &from, &copy, copied, p->samples);
        gather_row(g, g->share.copy > 0 ? &copy : &from, p, row);
    }
}

static void pack_channels(const gather *g, int64_t group, hg_span channels)
{
    const int64_t height = tallest(channels.last - channels.first);
    for (int64_t first = channels.first; first < channels.last; first += height) {
        const tile t = tile_of(g, channels, first);
        pack(g, group, &t);
    }
}

static void gather_channels(const gather *g, int64_t group, hg_span channels, bool packed)
{
    const int64_t together = g->share.blocks * g->share.samples;
    if (!packed)
        pack_channels(g, group, channels);
    for (int cut = 0; cut < g->share.column_cuts; cut++)
        for (int64_t sample = 0; sample < g->samples; sample += together) {
            const patch p = { group, channels, { hg_part_begin(g->columns, cut, g->share.column_cuts),
                                                 hg_part_begin(g->columns, cut + 1, g->share.column_cuts) },
                              sample, hg_smaller(together, g->samples - sample) };
            gather_patch(g, &p);
        }
}

/* By vectors, by tiles. */
static const winograd_way winograd_ways[] = {
    { pack_winograd, transform_patch, multiply },
#if HG_HAS_TILES
    { split_weights, split_patch, multiply_split },
#endif
};

static void winograd_channels(const gather *g, const hg_tensor *t, int64_t group, hg_span channels, bool packed)
{
    const hg_conv *c = g->c;
    const hg_tensor *from = hg_conv_from(t);
    const bool to_y = c->result == HG_CONV_Y;
    const winograd w = {
        .from = g->from + group * g->from_channels * g->from_channel,
        .bias = g->bias == NULL ? NULL : g->bias + group * g->to_channels + channels.first,
        .to = g->to + (group * g->to_channels + channels.first) * g->to_channel,
        .size = { t->shape.dim[1], t->shape.dim[2] },
        .from_size = { from->shape.dim[1], from->shape.dim[2] },
        .shift = { to_y ? c->pad[0] : 2 - c->pad[0], to_y ? c->pad[1] : 2 - c->pad[1] },
        .from_channels = g->from_channels,
        .to_channels = channels.last - channels.first,
        .height = hg_conv_is_tiled(t) ? HG_STRIP : tallest(channels.last - channels.first),
        .samples = g->samples,
        .block = g->share.samples,
        .blocks = g->share.blocks,
        .weights = g->packed,
        .data = g->copy,
        .products = g->products,
    };
    const winograd_way *way = &winograd_ways[hg_conv_is_tiled(t)];
    if (!packed)
        way->pack(&w, g->w + group * g->w_group + channels.first * g->w_to, g->w_from, g->w_to, !to_y);
    winograd_rows(&w, way, g->box.first_row, g->box.last_row);
}

static gather gather_of(const hg_tensor *t, void *y, const void *const in[], void *workspace, int part, int parts)
{
    const hg_conv *c = t->attr;
    const bool to_y = c->result == HG_CONV_Y;
    const hg_tensor *from = hg_conv_from(t);
    const int64_t samples = t->shape.dim[3], taps = c->kernel[0] * c->kernel[1];
    const int64_t from_channels = from->shape.dim[0] / c->groups, to_channels = t->shape.dim[0] / c->groups;
    const int64_t x_channels = to_y ? from_channels : to_channels;
    gather g = {
        .c = c,
        .share = hg_conv_share_of(t),
        .from = in[to_y ? 0 : 1],
        .w = in[to_y ? 1 : 0],
        .bias = t->inputs > HG_CONV_BIAS ? in[HG_CONV_BIAS] : NULL,
        .to = y,
        .samples = samples,
        .columns = t->shape.dim[2],
        .from_channels = from_channels,
        .to_channels = to_channels,
        .from_channel = from->shape.dim[1] * from->shape.dim[2] * samples,
        .from_row = from->shape.dim[2] * samples,
        .to_channel = t->shape.dim[1] * t->shape.dim[2] * samples,
        .to_row = t->shape.dim[2] * samples,
        .w_group = from_channels * to_channels * taps,
        .w_from = to_y ? taps : x_channels * taps,
        .w_to = to_y ? x_channels * taps : taps,
        .box = hg_conv_box_of(t, part, parts),
    };
    g.packed_from = workspace;
    g.packed = (real *)((char *)workspace + HG_WORKSPACE_HEAD);
    g.copy = g.packed + g.share.weights;
    g.products = g.copy + g.share.copy;
    g.row_taps = (hg_taps *)(g.products + g.share.products);
    g.column_taps = g.row_taps + (g.box.last_row - g.box.first_row);
    assert(g.box.last_row - g.box.first_row + g.columns <= (int64_t)g.share.taps);
    for (int64_t row = g.box.first_row; row < g.box.last_row; row++)
        g.row_taps[row - g.box.first_row] = taps_at(c, 0, row);
    for (int64_t column = 0; column < g.columns; column++)
        g.column_taps[column] = taps_at(c, 1, column);
    return g;
}

static void gather_run(const hg_tensor *t, void *y, const void *const in[], void *workspace, int part, int parts)
{
    if (hg_conv_is_of_one(t)) {
        conv_run_of_one(t, y, in, workspace, part, parts);
        return;
    }
    const gather g = gather_of(t, y, in, workspace, part, parts);
    const int of_group = hg_conv_bundles_of_group(t);
    if (hg_elements(t) == 0)
        return;
    for (int i = g.box.first_bundle, next; i < g.box.last_bundle; i = next) {
        const int64_t group = i / of_group, before = group * g.to_channels;
        next = (int)hg_smaller((group + 1) * of_group, g.box.last_bundle);
        const hg_span channels = { hg_conv_bundle_begin(t, i) - before,
                                   next == (group + 1) * of_group ? g.to_channels : hg_conv_bundle_begin(t, next) - before };
        if (hg_conv_is_winograd(t))
            winograd_channels(&g, t, group, channels, *g.packed_from == i + 1);
        else
            gather_channels(&g, group, channels, *g.packed_from == i + 1);
        *g.packed_from = i + 1;
    }
}

const hg_kernels OP(conv2d) = { .run = gather_run };
const hg_kernels OP(conv_transpose2d) = { .run = gather_run };
const hg_kernels OP(conv_winograd_weight) = { .run = winograd_weight, .combine = winograd_weight_combine };
#endif
