/* conv2d_weight: for every weight a dot product over places and samples. Tiles of weights are summed in registers over
   stretches of x and y that stay in the first-level cache. Most kernels of 3 x 3 go by Winograd's algorithm instead. */
#ifndef HG_KERNELS
#include "op.h"

#include "conv.h"

/* A tile reuses what it loads best if it is nearly square; a single input channel calls for a tall one. */
enum { HIGH = 6, WIDE = 4, TALL = 8, VECTOR_BYTES = 64, VECTORS_AT_ONCE = 16 };
/* Units are as large as the second-level cache allows, as every one reads x or y anew; a single channel of x is soon read.
   More chunks are more sums over lanes. */
enum { MOST_ACCUMULATORS = 1 << 13, ENOUGH_PARTS = 16, MOST_PARTS = 128, ENOUGH_PLACES = 1 << 14 };

static size_t rounded(int64_t n, int64_t unit) { return (size_t)((n + unit - 1) / unit * unit); }

/* A function of the shape alone: so many that there are enough tiles to share. */
static int chunks_of_rows(const hg_tensor *t, int64_t tiles)
{
    const hg_tensor *y = t->input[1];
    const int64_t most = hg_smaller(y->shape.dim[1], hg_elements_of_axes(y, 1, 4) / ENOUGH_PLACES);
    return most > 1 ? (int)hg_smaller(most, hg_pieces(ENOUGH_PARTS, tiles)) : 1;
}

hg_conv_weight_cut hg_conv_weight_cut_of(const hg_tensor *t, int parts)
{
    const hg_conv *c = t->attr;
    const int64_t outputs = t->shape.dim[0] / c->groups, inputs = t->shape.dim[1], taps = c->kernel[0] * c->kernel[1];
    hg_conv_weight_cut cut = { .chunks = 1, .parts = 1 };
    if (outputs == 0 || inputs == 0)
        return cut;
    const int64_t high = inputs == 1 ? TALL : HIGH;
    cut.chunks = chunks_of_rows(t, c->groups * hg_pieces(outputs, high) * hg_pieces(inputs, WIDE));
    cut.bundles = inputs == 1 ? hg_pieces(outputs, high) : 1;
    cut.blocks = 1;
    for (int64_t height = hg_pieces(outputs, cut.bundles), width = inputs; height > high || width > WIDE;) {
        if (height * width * taps <= MOST_ACCUMULATORS &&
            c->groups * cut.bundles * cut.blocks * cut.chunks >= hg_smaller(parts, MOST_PARTS))
            break;
        if (height > width)
            height = hg_pieces(outputs, ++cut.bundles);
        else
            width = hg_pieces(inputs, ++cut.blocks);
    }
    cut.parts = (int)hg_smaller(c->groups * cut.bundles * cut.blocks, MOST_PARTS) * cut.chunks;
    cut.accumulators = rounded(hg_pieces(outputs, cut.bundles) * hg_pieces(inputs, cut.blocks) * taps, VECTORS_AT_ONCE) *
                       VECTOR_BYTES;
    cut.share = cut.accumulators + rounded((c->kernel[0] + c->kernel[1]) * (int64_t)sizeof(hg_span), VECTOR_BYTES);
    return cut;
}

/* ---- By Winograd's algorithm ------------------------------------------------------------------------------- */

/* What a stretch is transformed to should stay in the second-level cache, and so should a unit's sums beside it. To begin
   and to end a chunk takes some of the time of a stretch. */
enum { LINE = 64, MOST_OF_UNIT = 256, STRETCH_BYTES = 3 << 18, ENOUGH_STRETCHES = 4, MOST_SUM_BYTES = 1 << 21 };

static int chunks_of(const hg_conv_tiling *cut, int64_t units)
{
    const int64_t stretches = cut->rows * cut->across * cut->deep;
    const int64_t most = hg_smaller(stretches / ENOUGH_STRETCHES, MOST_SUM_BYTES / (int64_t)cut->bytes);
    return most > 1 ? (int)hg_smaller(most, hg_pieces(ENOUGH_PARTS, units)) : 1;
}

hg_conv_tiling hg_conv_tiling_of(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const int64_t *of_y = t->input[1]->shape.dim, size = (int64_t)hg_dtype_size(t->dtype), line = LINE / size;
    const int64_t outputs = t->shape.dim[0] / c->groups, inputs = t->shape.dim[1];
    const bool tiled = hg_conv_is_tiled(t);
    const int64_t step = tiled ? HG_STRIP_STEPS : line, sums = tiled ? 2 : 1;
    const int64_t columns = hg_pieces(of_y[2], HG_WINOGRAD_TILE), samples = hg_pieces(of_y[3], step);
    hg_conv_tiling cut = { .bundles = hg_pieces(outputs, MOST_OF_UNIT / size), .rows = hg_pieces(of_y[1], HG_WINOGRAD_TILE) };
    cut.outputs = (int64_t)rounded(hg_pieces(outputs, cut.bundles), line);
    cut.inputs = hg_largest_piece(hg_pieces(inputs, line), MOST_OF_UNIT / LINE) * line;
    cut.blocks = hg_pieces(inputs, cut.inputs);
    const int64_t fit = STRETCH_BYTES / (HG_WINOGRAD_PRODUCTS * (cut.outputs + cut.inputs) * size);
    cut.samples = hg_largest_piece(samples, fit / step) * step;
    cut.tiles = hg_largest_piece(columns, fit / cut.samples);
    cut.across = hg_pieces(columns, cut.tiles);
    cut.deep = hg_pieces(of_y[3], cut.samples);
    cut.bytes = (size_t)(9 * t->shape.dim[0] * size) * rounded(inputs, line);
    const int64_t units = c->groups * cut.bundles * cut.blocks;
    cut.chunks = chunks_of(&cut, units);
    cut.pieces = (int)units * cut.chunks;
    cut.data = cut.tiles * cut.samples * cut.inputs + line;
    cut.cotangent = cut.tiles * cut.samples * cut.outputs + line;
    cut.turned = 4 * (2 * cut.tiles + 2) * cut.samples * cut.inputs;
    cut.share = (size_t)((HG_WINOGRAD_PRODUCTS * (cut.data + cut.cotangent + sums * cut.outputs * cut.inputs) +
                          HG_CONV_BUNDLE * cut.inputs + cut.turned + 4 * cut.samples * line) * size);
    return cut;
}

/* Parts have memory of their own, which is in no cache at first: so there are few. */
static int weight_parts(const hg_tensor *t, int threads)
{
    const int enough = threads == 1 ? 1 : 2 * threads;
    return hg_conv_is_winograd(t) ? (int)hg_smaller(hg_conv_tiling_of(t).pieces, enough)
                                  : hg_conv_weight_cut_of(t, enough).parts;
}

static size_t weight_scratch(const hg_tensor *t, int parts)
{
    if (!hg_conv_is_winograd(t)) {
        const hg_conv_weight_cut cut = hg_conv_weight_cut_of(t, parts);
        const int sums = cut.chunks > 1 ? cut.chunks : 0;
        return cut.share * (size_t)parts + (size_t)sums * (size_t)hg_elements(t) * hg_dtype_size(t->dtype);
    }
    const hg_conv_tiling cut = hg_conv_tiling_of(t);
    return cut.share * (size_t)parts + cut.bytes * (size_t)cut.chunks;
}

const hg_op hg_conv2d_weight_op = { .name = "conv2d_weight", .min_inputs = 2, .max_inputs = 2,
                                    .attr_size = sizeof(hg_conv), .infer = hg_conv_infer, .vjp = hg_conv_vjp,
                                    .parts = weight_parts, .scratch = weight_scratch, .flops = hg_conv_flops,
                                    HG_VARIANTS_AMX(conv2d_weight) };
#else
#include "vector.h"

#include "conv.h"

/* ---- Tiles ------------------------------------------------------------------------------------------------- */

/* The places that a sum goes through: rows x columns x run of contiguous elements; steps in elements. */
typedef struct places {
    int64_t rows, columns, run;
    int64_t x_row, x_column, y_row, y_column, x_channel, y_channel;
} places;

enum { MOST_HEIGHT = 8, MOST_WIDTH = 4 };

/* Compilers would load what two or three multiply-adds use for each of them, and loads, not multiply-adds, would set the pace. */
HG_INLINE vec load_once(const real *p) { return *(const volatile vec_anywhere *)p; }

HG_INLINE void add_products(const int height, const int width, const bool tail, some_lanes some, const places *at,
                            const real *x, const real *y, vec sum[MOST_HEIGHT][MOST_WIDTH])
{
    vec in[MOST_WIDTH];
    HG_UNROLL for (int i = 0; i < width; i++)
        in[i] = tail ? load_some(x + i * at->x_channel, some) : load(x + i * at->x_channel);
    HG_UNROLL for (int o = 0; o < height; o++) {
        vec out = tail ? load_some(y + o * at->y_channel, some)
                  : width > 1 ? load_once(y + o * at->y_channel) : load(y + o * at->y_channel);
        HG_UNROLL for (int i = 0; i < width; i++)
            sum[o][i] += out * in[i];
    }
}

HG_INLINE void weight_tile(const int height, const int width, const places *at, const real *x, const real *y, vec *total)
{
    vec sum[MOST_HEIGHT][MOST_WIDTH];
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int i = 0; i < width; i++)
            sum[o][i] = total[i * height + o];
    const places here = *at;
    const int64_t rest = here.run % LANES;
    const some_lanes some = first_lanes(rest);
    for (int64_t r = 0; r < here.rows; r++)
        for (int64_t q = 0; q < here.columns; q++) {
            const real *from_x = x + r * here.x_row + q * here.x_column, *from_y = y + r * here.y_row + q * here.y_column;
            for (int64_t n = here.run / LANES; n > 0; n--, from_x += LANES, from_y += LANES)
                add_products(height, width, false, some, &here, from_x, from_y, sum);
            if (rest > 0)
                add_products(height, width, true, some, &here, from_x, from_y, sum);
        }
    HG_UNROLL for (int o = 0; o < height; o++)
        HG_UNROLL for (int i = 0; i < width; i++)
            total[i * height + o] = sum[o][i];
}

#if HG_REGISTERS == 32
#define LARGE(TILE)                                                                                                 \
    TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 2) TILE(5, 3) TILE(5, 4) TILE(6, 2) TILE(6, 3) TILE(6, 4) \
    TILE(7, 2) TILE(7, 3) TILE(8, 2) TILE(8, 3)
#else
#define LARGE(TILE)
#endif
#define TILES(TILE)                                                                                                 \
    TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1)                         \
    TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) LARGE(TILE)

typedef void tile_fn(const places *at, const real *x, const real *y, vec *total);

#define TILE(height, width)                                                                                         \
    static void tile_##height##x##width(const places *at, const real *x, const real *y, vec *total)                 \
    {                                                                                                               \
        weight_tile(height, width, at, x, y, total);                                                                \
    }
TILES(TILE)
#undef TILE

static tile_fn *const tiles[MOST_HEIGHT + 1][MOST_WIDTH + 1] = {
#define TILE(height, width) [height][width] = tile_##height##x##width,
    TILES(TILE)
#undef TILE
};
static const int highest = HG_REGISTERS == 32 ? 6 : 4, widest = HG_REGISTERS == 32 ? 4 : 3;
static const int most_taps = HG_REGISTERS == 32 ? 3 : 1;

/* ---- Parts ------------------------------------------------------------------------------------------------- */

/* Some output x some input channels of a group. */
typedef struct unit {
    const hg_conv *c;
    const real    *x, *y; /* at their first channels */
    int64_t        x_row, y_row, x_channel, y_channel, samples, columns;
    int64_t        first_row, last_row;
    int64_t        outputs, inputs, x_channels; /* of the unit; of x's group */
    int64_t        height, width; /* of what one tile has in registers, but for the last */
    const hg_span *row_spans, *column_spans;
    vec           *total;
} unit;

/* Rows and columns of y. */
typedef struct stretch {
    hg_span rows, columns;
} stretch;

static hg_span both(hg_span a, hg_span b)
{
    return (hg_span){ a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last };
}

static places places_of(const unit *u, hg_span rows, hg_span columns)
{
    const hg_conv *c = u->c;
    places at = { .rows = rows.last - rows.first, .columns = columns.last - columns.first, .run = u->samples,
                  .x_row = c->stride[0] * u->x_row, .x_column = c->stride[1] * u->samples, .x_channel = u->x_channel,
                  .y_row = u->y_row, .y_column = u->samples, .y_channel = u->y_channel };
    if (c->stride[1] == 1) { /* a row is one run */
        at.run *= at.columns;
        at.columns = 1;
        if (at.x_row == at.y_row && at.run == at.y_row) { /* and so are all rows */
            at.run *= at.rows;
            at.rows = 1;
        }
    }
    return at;
}

/* Some outputs x some inputs of a unit: what one tile has in registers. */
typedef struct block {
    int64_t output, input;
    int     height, width;
} block;

static block block_at(const unit *u, int64_t output, int64_t input)
{
    return (block){ output, input, (int)hg_smaller(u->height, u->outputs - output), (int)hg_smaller(u->width, u->inputs - input) };
}

/* From tap k, l on for so many neighbours of a row of the kernel; only of a single channel there are several. */
static void add_taps(const unit *u, hg_span rows, hg_span columns, const block *b, int64_t k, int64_t l, int taps, vec *total)
{
    const hg_conv *c = u->c;
    const int64_t x_row = rows.first * c->stride[0] - c->pad[0] + k * c->dilation[0];
    const int64_t x_column = columns.first * c->stride[1] - c->pad[1] + l * c->dilation[1];
    if (rows.first >= rows.last || columns.first >= columns.last)
        return;
    places at = places_of(u, rows, columns);
    if (taps > 1)
        at.x_channel = c->dilation[1] * u->samples;
    tiles[b->height][b->width * taps](&at, u->x + b->input * u->x_channel + x_row * u->x_row + x_column * u->samples,
                                      u->y + b->output * u->y_channel + rows.first * u->y_row + columns.first * u->samples,
                                      total);
}

/* Where all of these taps are on x, together; the rest one by one. */
static void add_row_of_taps(const unit *u, const stretch *s, const block *b, int64_t k, int64_t l, int taps, vec *total)
{
    const hg_span rows = both(u->row_spans[k], s->rows);
    hg_span common = s->columns;
    for (int i = 0; i < taps; i++)
        common = both(common, u->column_spans[l + i]);
    if (common.first >= common.last)
        common = (hg_span){ s->columns.last, s->columns.last };
    add_taps(u, rows, common, b, k, l, taps, total);
    for (int i = 0; i < taps && taps > 1; i++) {
        const hg_span seen = both(u->column_spans[l + i], s->columns);
        add_taps(u, rows, (hg_span){ seen.first, hg_smaller(common.first, seen.last) }, b, k, l + i, 1, total + i * b->height);
        add_taps(u, rows, (hg_span){ common.last, seen.last }, b, k, l + i, 1, total + i * b->height);
    }
}

static void add_block(const unit *u, const stretch *s, const block *b, vec *total)
{
    const hg_conv *c = u->c;
    const int64_t together = hg_largest_piece(c->kernel[1], u->x_channels == 1 ? most_taps : 1);
    for (int64_t k = 0; k < c->kernel[0]; k++)
        for (int64_t l = 0; l < c->kernel[1]; l += together) {
            const int taps = (int)hg_smaller(together, c->kernel[1] - l);
            add_row_of_taps(u, s, b, k, l, taps, total);
            total += b->height * b->width * taps;
        }
}

static void add_stretch(const unit *u, const stretch *s)
{
    const int64_t taps = u->c->kernel[0] * u->c->kernel[1];
    vec *total = u->total;
    for (int64_t output = 0; output < u->outputs; output += u->height)
        for (int64_t input = 0; input < u->inputs; input += u->width) {
            const block b = block_at(u, output, input);
            add_block(u, s, &b, total);
            total += taps * b.height * b.width;
        }
}

/* So many elements of y's channels that a tile's share of them, and of x for a row of the kernel, stays in the first-level
   cache; whatever the units are, as where lanes begin depends on it. */
static int64_t enough_of_channel(const hg_tensor *t)
{
    enum { FIT = 36864 / sizeof(real) };
    const hg_conv *c = t->attr;
    const int64_t inputs = t->shape.dim[1], most = inputs == 1 ? MOST_HEIGHT : highest;
    const int64_t height = hg_smaller(t->shape.dim[0] / c->groups, most), width = hg_smaller(inputs, widest);
    const int64_t enough = FIT / (height + width * hg_smaller(c->stride[1], FIT));
    return enough > 0 ? enough : 1;
}

static void add_rows(const unit *u, int64_t enough)
{
    const int64_t row = u->y_row > 0 ? u->y_row : 1, rows = row >= enough ? 1 : (enough + row / 2) / row;
    const int cuts = (int)hg_smaller(row > enough ? (row + enough / 2) / enough : 1, u->columns);
    for (int64_t first = u->first_row; first < u->last_row; first += rows)
        for (int cut = 0; cut < cuts; cut++)
            add_stretch(u, &(stretch){ { first, hg_smaller(first + rows, u->last_row) },
                                       { hg_part_begin(u->columns, cut, cuts), hg_part_begin(u->columns, cut + 1, cuts) } });
}

/* w: of the unit's first weight. */
static void write_sums(const unit *u, real *w, int64_t w_output)
{
    const int64_t taps = u->c->kernel[0] * u->c->kernel[1], count = u->outputs * u->inputs * taps;
    const real *sum = (const real *)u->total;
    for (int64_t i = 0; i * LANES < count; i++)
        u->total[i] = sums_of_lanes(u->total + i * LANES);
    for (int64_t output = 0; output < u->outputs; output += u->height)
        for (int64_t input = 0; input < u->inputs; input += u->width) {
            const block b = block_at(u, output, input);
            for (int64_t k = 0; k < taps; k++)
                for (int i = 0; i < b.width; i++)
                    for (int o = 0; o < b.height; o++)
                        w[(output + o) * w_output + (input + i) * taps + k] = *sum++;
        }
}

static void note_spans(const hg_conv *c, hg_span *span)
{
    for (int axis = 0; axis < 2; axis++)
        for (int64_t k = 0; k < c->kernel[axis]; k++)
            *span++ = hg_conv_span(c, axis, k);
}

static void plain_run(const hg_tensor *t, void *w, const void *const in[], void *scratch, int part, int parts)
{
    const hg_conv *c = t->attr;
    const hg_conv_weight_cut cut = hg_conv_weight_cut_of(t, parts);
    const hg_tensor *x = t->input[0], *y = t->input[1];
    const int64_t inputs = t->shape.dim[1], outputs = t->shape.dim[0] / c->groups, taps = c->kernel[0] * c->kernel[1];
    const int64_t units = c->groups * cut.bundles * cut.blocks;
    const int chunk = part % cut.chunks, piece = part / cut.chunks, pieces = parts / cut.chunks;
    char *own = (char *)scratch + cut.share * (size_t)part;
    real *sums = cut.chunks == 1 ? w : (real *)((char *)scratch + cut.share * (size_t)parts) + chunk * hg_elements(t);
    hg_span *spans = (hg_span *)(own + cut.accumulators);
    if (units == 0)
        return;
    unit u = {
        .c = c,
        .x_row = x->shape.dim[2] * x->shape.dim[3],
        .y_row = y->shape.dim[2] * y->shape.dim[3],
        .samples = y->shape.dim[3],
        .x_channels = inputs,
        .columns = y->shape.dim[2],
        .first_row = hg_part_begin(y->shape.dim[1], chunk, cut.chunks),
        .last_row = hg_part_begin(y->shape.dim[1], chunk + 1, cut.chunks),
        .row_spans = spans,
        .column_spans = spans + c->kernel[0],
        .total = (vec *)own,
    };
    u.x_channel = x->shape.dim[1] * u.x_row;
    u.y_channel = y->shape.dim[1] * u.y_row;
    note_spans(c, spans);
    const int64_t enough = enough_of_channel(t);
    for (int64_t i = hg_part_begin(units, piece, pieces); i < hg_part_begin(units, piece + 1, pieces); i++) {
        const int across = (int)(i % cut.blocks), down = (int)(i / cut.blocks % cut.bundles);
        const int64_t group = i / cut.blocks / cut.bundles;
        const int64_t input = hg_part_begin(inputs, across, cut.blocks), output = hg_part_begin(outputs, down, cut.bundles);
        u.inputs = hg_part_begin(inputs, across + 1, cut.blocks) - input;
        u.outputs = hg_part_begin(outputs, down + 1, cut.bundles) - output;
        u.height = hg_pieces(u.outputs, hg_pieces(u.outputs, inputs == 1 ? MOST_HEIGHT : highest));
        u.width = hg_pieces(u.inputs, hg_pieces(u.inputs, widest));
        u.x = (const real *)in[0] + (group * inputs + input) * u.x_channel;
        u.y = (const real *)in[1] + (group * outputs + output) * u.y_channel;
        memset(u.total, 0, cut.accumulators);
        add_rows(&u, enough);
        write_sums(&u, sums + ((group * outputs + output) * inputs + input) * taps, inputs * taps);
    }
}

/* Adds the chunks, in order. */
static void plain_combine(const hg_tensor *t, void *y, void *scratch, int parts)
{
    const hg_conv_weight_cut cut = hg_conv_weight_cut_of(t, parts);
    const int64_t n = hg_elements(t);
    const real *sums = (const real *)((const char *)scratch + cut.share * (size_t)parts);
    real *w = y;
    if (cut.chunks == 1)
        return;
    memcpy(w, sums, (size_t)n * sizeof *w);
    for (int chunk = 1; chunk < cut.chunks; chunk++)
        for (int64_t i = 0; i < n; i++)
            w[i] += sums[chunk * n + i];
}

static void conv2d_weight(const hg_tensor *t, void *w, const void *const in[], void *scratch, int part, int parts)
{
    (hg_conv_is_winograd(t) ? OP(conv_winograd_weight).run : plain_run)(t, w, in, scratch, part, parts);
}

static void conv2d_weight_combine(const hg_tensor *t, void *w, void *scratch, int parts)
{
    (hg_conv_is_winograd(t) ? OP(conv_winograd_weight).combine : plain_combine)(t, w, scratch, parts);
}

const hg_kernels OP(conv2d_weight) = { .run = conv2d_weight, .combine = conv2d_weight_combine };
#endif
