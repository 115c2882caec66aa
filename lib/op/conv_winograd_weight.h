/* conv2d_weight of the kernels that conv_winograd.h has, by the transpose of its algorithm: G' ((B' d B) (*) (A y A')) G, d being
   patches of 4 x 4 places of x and y tiles of 2 x 2, summed over tiles and samples before G comes. As the 16 products of
   matrices sum over samples, here channels are in the lanes, and what is read is turned. */
#ifndef HG_OP_CONV_WINOGRAD_WEIGHT_H
#define HG_OP_CONV_WINOGRAD_WEIGHT_H

#include "conv_winograd.h"

#include "matrix_tiles.h"

enum { SQUARE = LANES * LANES };

/* Channels of x or y. */
typedef struct image {
    const real *at;
    int64_t     channels, size[2];
} image;

/* A unit of a part. */
typedef struct winograd_sum {
    const hg_conv_tiling *cut;
    image                 x, y;
    int64_t               pad[2], samples;
    int64_t               height;           /* outputs in registers together */
    real                 *turned_x;         /* vector of channels, of samples, columns in turns, four rows: squares */
    real                 *turned_y;         /* vector of samples, four places: squares */
    real                 *data, *cotangent; /* product, tile, sample, channel */
    real                 *sums, *products;  /* product, output, input; some outputs of one product */
} winograd_sum;

/* `count` tiles side by side, from a place of y on, for some samples. */
typedef struct stretch {
    int64_t row, column, count, sample, samples;
} stretch;

/* ---- Transforms -------------------------------------------------------------------------------------------- */

/* Channels, samples to samples, channels; `whole`: all lanes of both are there. */
HG_INLINE void turn_square(const bool whole, const real *from, int64_t channel, int64_t channels, int64_t samples, real *to)
{
    const some_lanes some = first_lanes(hg_smaller(samples, LANES));
    vec v[LANES];
    HG_UNROLL for (int c = 0; c < LANES; c++)
        if (whole)
            v[c] = load(from + c * channel);
        else
            v[c] = c < channels ? load_some(from + c * channel, some) : (vec){ 0 };
    transpose(v);
    HG_UNROLL for (int n = 0; n < LANES; n++)
        store(to + n * LANES, v[n]);
}

/* At one place, all samples before the next place: memory is asked for ahead along such runs alone. Padding is 0.
   to: a square every `step`. */
HG_OUTLINE void turn(const winograd_sum *w, const image *of, const stretch *s, int64_t channel, int64_t row, int64_t column,
                     real *to, int64_t step)
{
    const bool there = is_there(of->size, row, column);
    const int64_t of_channel = of->size[0] * of->size[1] * w->samples, channels = of->channels - channel;
    const real *from = of->at + channel * of_channel + s->sample;
    for (int64_t n = 0; n < s->samples; n += LANES, to += step) {
        const int64_t at = (row * of->size[1] + column) * w->samples + n;
        if (!there)
            memset(to, 0, SQUARE * sizeof *to);
        else if (channels >= LANES && s->samples - n >= LANES)
            turn_square(true, from + at, of_channel, channels, s->samples - n, to);
        else
            turn_square(false, from + at, of_channel, channels, s->samples - n, to);
    }
}

/* Of one tile and up to LANES samples. `step`: from one sample to the next. */
HG_OUTLINE void data_of_patch(const real *const column[4], int64_t samples, real *to, int64_t step, int64_t product)
{
    for (int64_t n = 0; n < samples; n++, to += step) {
        vec d[4][4];
        HG_UNROLL for (int i = 0; i < 4; i++)
            HG_UNROLL for (int j = 0; j < 4; j++)
                d[i][j] = load(column[j] + i * SQUARE + n * LANES);
        transform_data(d);
        HG_UNROLL for (int i = 0; i < 4; i++)
            HG_UNROLL for (int j = 0; j < 4; j++)
                store(to + (i * 4 + j) * product, d[i][j]);
    }
}

/* Number i of A of two. The last is -b, whose sign write_taps sees to. */
HG_INLINE vec of_two(const int i, vec a, vec b) { return i == 0 ? a : i == 1 ? a + b : i == 2 ? a - b : b; }

HG_INLINE void transform_pair(vec a, vec b, vec s[4])
{
    HG_UNROLL for (int i = 0; i < 4; i++)
        s[i] = of_two(i, a, b);
}

HG_OUTLINE void cotangent_of_tile(const real *turned, int64_t samples, real *to, int64_t step, int64_t product)
{
    for (int64_t n = 0; n < samples; n++, to += step) {
        vec left[4], right[4];
        transform_pair(load(turned + n * LANES), load(turned + 2 * SQUARE + n * LANES), left);
        transform_pair(load(turned + SQUARE + n * LANES), load(turned + 3 * SQUARE + n * LANES), right);
        HG_UNROLL for (int i = 0; i < 4; i++) {
            vec s[4];
            transform_pair(left[i], right[i], s);
            HG_UNROLL for (int j = 0; j < 4; j++)
                store(to + (i * 4 + j) * product, s[j]);
        }
    }
}

/* LANES channels. `beside`: of the stretch to the left, which was the one before, two columns are there already. */
static void transform_x(const winograd_sum *w, const stretch *s, int64_t channel, bool beside)
{
    const int64_t columns = 2 * w->cut->tiles + 2, step = 4 * columns * SQUARE, inputs = w->cut->inputs;
    real *turned = w->turned_x + channel * w->cut->samples * 4 * columns;
    for (int i = 0; i < 4; i++)
        for (int64_t j = beside ? 2 : 0; j < 2 * s->count + 2; j++)
            turn(w, &w->x, s, channel, s->row + i - w->pad[0], s->column + j - w->pad[1],
                 turned + ((s->column + j) % columns * 4 + i) * SQUARE, step);
    for (int64_t tile = 0; tile < s->count; tile++)
        for (int64_t n = 0; n < s->samples; n += LANES) {
            const real *column[4];
            for (int j = 0; j < 4; j++)
                column[j] = turned + n / LANES * step + (s->column + 2 * tile + j) % columns * 4 * SQUARE;
            data_of_patch(column, hg_smaller(LANES, s->samples - n),
                          w->data + (tile * s->samples + n) * inputs + channel, inputs, w->cut->data);
        }
}

static void transform_y(const winograd_sum *w, const stretch *s, int64_t channel)
{
    const int64_t step = 4 * SQUARE, outputs = w->cut->outputs;
    for (int64_t tile = 0; tile < s->count; tile++) {
        for (int k = 0; k < 4; k++)
            turn(w, &w->y, s, channel, s->row + k / 2, s->column + 2 * tile + k % 2, w->turned_y + k * SQUARE, step);
        for (int64_t n = 0; n < s->samples; n += LANES)
            cotangent_of_tile(w->turned_y + n / LANES * step, hg_smaller(LANES, s->samples - n),
                              w->cotangent + (tile * s->samples + n) * outputs + channel, outputs, w->cut->cotangent);
    }
}

/* ---- Sums -------------------------------------------------------------------------------------------------- */

/* `first`: nothing has been summed yet. Else a stretch is summed by itself: long chains of additions are less accurate. */
static void add_products(const winograd_sum *w, int64_t places, bool first)
{
    static const real none[HG_MOST_HEIGHT];
    const hg_conv_tiling *cut = w->cut;
    const walk by = { .count = { 1, 1, places }, .step = { 0, 0, cut->inputs }, .w_step = { 0, 0, cut->outputs } };
    for (int k = 0; k < HG_WINOGRAD_PRODUCTS; k++)
        for (int64_t o = 0; o < w->y.channels; o += w->height) {
            const int64_t height = hg_smaller(w->height, w->y.channels - o);
            real *sums = w->sums + (k * cut->outputs + o) * cut->inputs;
            sum_lanes(HG_PACKED, (int)height, &by, none, w->data + k * cut->data, w->cotangent + k * cut->cotangent + o,
                      cut->inputs, first ? sums : w->products, cut->inputs);
            for (int64_t i = 0; !first && i < height * cut->inputs; i += LANES)
                store(sums + i, load(sums + i) + load(w->products + i));
        }
}

/* They go along rows of tiles. */
static stretch nth_stretch(const winograd_sum *w, int64_t n)
{
    const hg_conv_tiling *cut = w->cut;
    const int64_t first = n % cut->across * cut->tiles, sample = n / cut->across / cut->rows * cut->samples;
    return (stretch){ .row = n / cut->across % cut->rows * HG_WINOGRAD_TILE, .column = first * HG_WINOGRAD_TILE,
                      .count = hg_smaller(cut->tiles, hg_pieces(w->y.size[1], HG_WINOGRAD_TILE) - first),
                      .sample = sample, .samples = hg_smaller(cut->samples, w->samples - sample) };
}

static void add_stretches(const winograd_sum *w, int64_t first, int64_t last)
{
    for (int64_t n = first; n < last; n++) {
        const stretch s = nth_stretch(w, n);
        for (int64_t i = 0; i < w->x.channels; i += LANES)
            transform_x(w, &s, i, n > first && s.column > 0);
        for (int64_t o = 0; o < w->y.channels; o += LANES)
            transform_y(w, &s, o);
        add_products(w, s.count * s.samples, n == first);
    }
}

/* ---- On matrix tiles --------------------------------------------------------------------------------------- */

#if HG_HAS_TILES

/* A block of k: some samples of a tile. It is split for one of the products at a time, for the first-level cache. */
typedef struct block_of_tile {
    const stretch *s;
    int64_t        tile, sample; /* of the stretch's */
    real          *lines;        /* a line of A y: channel, place, sample */
    char          *x, *y;        /* strips */
    real          *sums;         /* of some blocks, as w->sums */
    int64_t        blocks;       /* summed so far */
} block_of_tile;

static int64_t row_of(const winograd_sum *w, const image *of) { return of->size[1] * w->samples; }
static int64_t channel_of(const winograd_sum *w, const image *of) { return of->size[0] * row_of(w, of); }

/* From a channel's beginning to sample n of a stretch at a place. */
static int64_t place_of(const winograd_sum *w, const image *of, const stretch *s, int64_t row, int64_t column, int64_t n)
{
    return row * row_of(w, of) + column * w->samples + s->sample + n;
}

/* The lanes there; on padding none. */
static some_lanes lanes_there(const image *of, const stretch *s, int64_t row, int64_t column, int64_t n)
{
    const bool there = is_there(of->size, row, column) && n < s->samples;
    return first_lanes(there ? hg_smaller(s->samples - n, LANES) : 0);
}

/* Which of four come in in number i of B'. */
HG_INLINE int earlier_of_four(const int i) { return i == 0 ? 0 : 1; }
HG_INLINE int later_of_four(const int i) { return i == 3 ? 3 : 2; }

/* Of x: vector of channels, of samples, columns in turns, four lines. */
static real *squares_at(const winograd_sum *w, int64_t channel, int64_t n, int64_t column)
{
    const int64_t columns = 2 * w->cut->tiles + 2, vectors = channel / LANES * (w->cut->samples / LANES) + n / LANES;
    return w->turned_x + (vectors * columns + column % columns) * 4 * SQUARE;
}

/* Line i of B' d, of a column of patches; channels, samples to samples, channels. */
HG_INLINE void turn_line(const int i, const winograd_sum *w, const stretch *s, int64_t channel, int64_t column, int64_t n,
                         real *to)
{
    const int64_t of_row = row_of(w, &w->x), of_channel = channel_of(w, &w->x), row = s->row - w->pad[0];
    const int earlier = earlier_of_four(i), later = later_of_four(i);
    const some_lanes of_earlier = lanes_there(&w->x, s, row + earlier, column, n);
    const some_lanes of_later = lanes_there(&w->x, s, row + later, column, n);
    const real *from = w->x.at + channel * of_channel + place_of(w, &w->x, s, row, column, n);
    vec v[LANES];
    HG_UNROLL for (int c = 0; c < LANES; c++, from += of_channel) {
        const bool there = channel + c < w->x.channels;
        v[c] = of_four(i, load_some(from + earlier * of_row, there ? of_earlier : 0),
                       load_some(from + later * of_row, there ? of_later : 0));
    }
    transpose(v);
    HG_UNROLL for (int l = 0; l < LANES; l++)
        store(to + l * LANES, v[l]);
}

HG_OUTLINE void turn_lines(const winograd_sum *w, const stretch *s, int64_t channel, int64_t column, int64_t n)
{
    real *to = squares_at(w, channel, n, column);
    HG_UNROLL for (int i = 0; i < 4; i++)
        turn_line(i, w, s, channel, column - w->pad[1], n, to + i * SQUARE);
}

/* `beside`: as in transform_x. */
static void turn_x(const winograd_sum *w, const stretch *s, bool beside)
{
    const int64_t samples = hg_pieces(s->samples, STEPS) * (int64_t)STEPS;
    for (int64_t c = 0; c < w->x.channels; c += LANES)
        for (int64_t j = beside ? 2 : 0; j < 2 * s->count + 2; j++)
            for (int64_t n = 0; n < samples; n += LANES)
                turn_lines(w, s, c, s->column + j, n);
}

/* Line i of A y. */
HG_OUTLINE void transform_line_of_y(const int i, const winograd_sum *w, const block_of_tile *b)
{
    const int64_t of_row = row_of(w, &w->y), of_channel = channel_of(w, &w->y), row = b->s->row;
    for (int k = 0; k < 2; k++)
        for (int64_t n = 0; n < STEPS; n += LANES) {
            const int64_t column = b->s->column + 2 * b->tile + k, sample = b->sample + n;
            const some_lanes upper = lanes_there(&w->y, b->s, row, column, sample);
            const some_lanes lower = lanes_there(&w->y, b->s, row + 1, column, sample);
            const real *from = w->y.at + place_of(w, &w->y, b->s, row, column, sample);
            real *to = b->lines + k * STEPS + n;
            for (int64_t c = w->y.channels; c > 0; c--, from += of_channel, to += 2 * STEPS)
                store(to, of_two(i, load_some(from, upper), load_some(from + of_row, lower)));
        }
}

/* Of every channel, what the stretch to the right will read: a vector for each of the products, so that memory is not asked
   for much at once. */
static const real *ahead(const winograd_sum *w, const image *of, const block_of_tile *b, int i, int j)
{
    const bool of_x = of == &w->x;
    const int64_t row = b->s->row + i / 2 + (of_x ? 2 - w->pad[0] : 0);
    const int64_t column = b->s->column + 2 * (b->s->count + b->tile) + i % 2 + (of_x ? 2 - w->pad[1] : 0);
    return of->at + place_of(w, of, b->s, row, column, b->sample + j % 2 * LANES);
}

HG_INLINE void split_y(const int i, const int j, const winograd_sum *w, const block_of_tile *b)
{
    const image *of = j < 2 ? &w->y : &w->x;
    const real *soon = ahead(w, of, b, i, j), *line = b->lines;
    const int64_t of_channel = channel_of(w, of);
    for (int64_t c = 0; c < w->y.channels; c++, line += 2 * STEPS) {
        vec s[2];
        if (c < of->channels)
            __builtin_prefetch(soon + c * of_channel, 0, 2);
        HG_UNROLL for (int half = 0; half < 2; half++)
            s[half] = of_two(j, load(line + half * LANES), load(line + STEPS + half * LANES));
        split(s[0], s[1], b->y + c / STRIP * BLOCK_BYTES + c % STRIP * TILE_ROW);
    }
}

HG_INLINE void split_x(const int i, const int j, const winograd_sum *w, const block_of_tile *b)
{
    const int64_t column = b->s->column + 2 * b->tile;
    for (int64_t c = 0; c < w->x.channels; c += LANES) {
        const real *earlier[2], *later[2];
        char *to = b->x + c / STRIP * BLOCK_BYTES + c % STRIP * TILE_ROW;
        HG_UNROLL for (int half = 0; half < 2; half++) {
            earlier[half] = squares_at(w, c, b->sample + half * LANES, column + earlier_of_four(j)) + i * SQUARE;
            later[half] = squares_at(w, c, b->sample + half * LANES, column + later_of_four(j)) + i * SQUARE;
        }
        for (int64_t n = 0; n < SQUARE; n += LANES, to += TILE_ROW) {
            vec d[2];
            HG_UNROLL for (int half = 0; half < 2; half++)
                d[half] = of_four(j, load(earlier[half] + n), load(later[half] + n));
            split(d[0], d[1], to);
        }
    }
}

HG_OUTLINE void multiply_block(const winograd_sum *w, const block_of_tile *b, real *sums, bool onward)
{
    const int64_t inputs = w->cut->inputs;
    for (int64_t o = 0; o < w->y.channels; o += STRIP)
        for (int64_t i = 0; i < w->x.channels; i += STRIP) {
            const tiles_of t = { .tall = w->y.channels - o > TILE, .wide = w->x.channels - i > TILE, .onward = onward,
                                 .a = b->y + hg_strips_bytes(o, STEPS), .b = b->x + hg_strips_bytes(i, STEPS), .blocks = 1,
                                 .c = sums + o * inputs + i, .c_row = inputs };
            multiply_strips(&t, NULL, NULL);
        }
}

HG_OUTLINE void multiply_samples(const winograd_sum *w, const block_of_tile *b, bool onward)
{
    HG_UNROLL for (int i = 0; i < 4; i++) {
        transform_line_of_y(i, w, b);
        HG_UNROLL for (int j = 0; j < 4; j++) {
            split_y(i, j, w, b);
            split_x(i, j, w, b);
            multiply_block(w, b, b->sums + (4 * i + j) * w->cut->outputs * w->cut->inputs, onward);
        }
    }
}

/* So many blocks are summed by themselves: products of low parts are rounded as what they are added to. */
enum { CHAIN = 4 };

static void end_chain(const winograd_sum *w, block_of_tile *b)
{
    const int64_t count = HG_WINOGRAD_PRODUCTS * w->cut->outputs * w->cut->inputs;
    for (int64_t k = 0; b->blocks <= CHAIN && k < count; k += LANES)
        store(w->sums + k, load(b->sums + k));
    for (int64_t k = 0; b->blocks > CHAIN && k < count; k += LANES)
        store(w->sums + k, load(w->sums + k) + load(b->sums + k));
}

/* Strips lie where add_stretches has its data, the sums of a chain from turned_y on. */
static void multiply_stretches(const winograd_sum *w, int64_t first, int64_t last)
{
    block_of_tile b = { .x = (char *)w->data };
    b.y = b.x + hg_strips_bytes(w->cut->inputs, STEPS);
    b.lines = (real *)(b.y + hg_strips_bytes(w->cut->outputs, STEPS));
    b.sums = w->turned_y;
    begin_tiles();
    for (int64_t n = first; n < last; n++) {
        const stretch s = nth_stretch(w, n);
        b.s = &s;
        turn_x(w, &s, n > first && s.column > 0);
        for (b.tile = 0; b.tile < s.count; b.tile++)
            for (b.sample = 0; b.sample < s.samples; b.sample += STEPS) {
                multiply_samples(w, &b, b.blocks % CHAIN > 0);
                if (++b.blocks % CHAIN == 0)
                    end_chain(w, &b);
            }
    }
    if (b.blocks % CHAIN > 0)
        end_chain(w, &b);
    end_tiles();
}

#endif

/* By vectors, by tiles. */
static void (*const sum_stretches[])(const winograd_sum *w, int64_t first, int64_t last) = {
    add_stretches,
#if HG_HAS_TILES
    multiply_stretches,
#endif
};

/* ---- The result -------------------------------------------------------------------------------------------- */

/* G' of four, the last of which has the other sign. */
HG_INLINE void transform_sums(const vec m[4], vec w[3])
{
    const vec half = R(0.5) * (m[1] + m[2]);
    w[0] = m[0] + half;
    w[1] = R(0.5) * (m[1] - m[2]);
    w[2] = half - m[3];
}

/* to: output, vector of inputs, tap, input; an output every `step`. */
static void write_taps(const winograd_sum *w, real *to, int64_t step)
{
    const int64_t inputs = w->cut->inputs, product = w->cut->outputs * inputs;
    for (int64_t o = 0; o < w->y.channels; o++)
        for (int64_t i = 0; i < w->x.channels; i += LANES) {
            vec lines[3][4], taps[3];
            HG_UNROLL for (int j = 0; j < 4; j++) {
                vec m[4];
                HG_UNROLL for (int k = 0; k < 4; k++)
                    m[k] = load(w->sums + (4 * k + j) * product + o * inputs + i);
                transform_sums(m, taps);
                HG_UNROLL for (int k = 0; k < 3; k++)
                    lines[k][j] = taps[k];
            }
            HG_UNROLL for (int k = 0; k < 3; k++) {
                transform_sums(lines[k], taps);
                HG_UNROLL for (int l = 0; l < 3; l++)
                    store(to + o * step + i * 9 + (3 * k + l) * LANES, taps[l]);
            }
        }
}

/* ---- Parts ------------------------------------------------------------------------------------------------- */

/* From an output to the next among a chunk's sums. */
static int64_t step_of_sums(const hg_tensor *t) { return (t->shape.dim[1] + LANES - 1) / LANES * LANES * 9; }

static winograd_sum winograd_sum_of(const hg_tensor *t, const hg_conv_tiling *cut, real *own)
{
    const hg_conv *c = t->attr;
    const int64_t *of_x = t->input[0]->shape.dim, *of_y = t->input[1]->shape.dim;
    winograd_sum w = { .cut = cut, .pad = { c->pad[0], c->pad[1] }, .samples = of_y[3], .data = own };
    memcpy(w.x.size, of_x + 1, sizeof w.x.size);
    memcpy(w.y.size, of_y + 1, sizeof w.y.size);
    w.cotangent = w.data + HG_WINOGRAD_PRODUCTS * cut->data;
    w.sums = w.cotangent + HG_WINOGRAD_PRODUCTS * cut->cotangent;
    w.products = w.sums + HG_WINOGRAD_PRODUCTS * cut->outputs * cut->inputs;
    w.turned_x = w.products + HG_CONV_BUNDLE * cut->inputs;
    w.turned_y = w.turned_x + cut->turned;
    return w;
}

static void winograd_weight(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_conv_tiling cut = hg_conv_tiling_of(t);
    const int64_t inputs = t->shape.dim[1], outputs = t->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    const int64_t stretches = cut.rows * cut.across * cut.deep, step = step_of_sums(t);
    char *sums = (char *)scratch + cut.share * (size_t)parts;
    winograd_sum w = winograd_sum_of(t, &cut, (real *)((char *)scratch + cut.share * (size_t)part));
    (void)y;
    for (int64_t i = hg_part_begin(cut.pieces, part, parts); i < hg_part_begin(cut.pieces, part + 1, parts); i++) {
        const int64_t unit = i / cut.chunks, group = unit / cut.blocks / cut.bundles;
        const int chunk = (int)(i % cut.chunks), down = (int)(unit / cut.blocks % cut.bundles);
        const int64_t input = unit % cut.blocks * cut.inputs, output = hg_part_begin(outputs, down, cut.bundles);
        w.x.channels = hg_smaller(cut.inputs, inputs - input);
        w.y.channels = hg_part_begin(outputs, down + 1, cut.bundles) - output;
        w.x.at = (const real *)in[0] + (group * inputs + input) * hg_elements_of_axes(t->input[0], 1, 4);
        w.y.at = (const real *)in[1] + (group * outputs + output) * hg_elements_of_axes(t->input[1], 1, 4);
        w.height = hg_largest_piece(w.y.channels, HG_MOST_HEIGHT);
        sum_stretches[hg_conv_is_tiled(t)](&w, hg_part_begin(stretches, chunk, cut.chunks),
                                           hg_part_begin(stretches, chunk + 1, cut.chunks));
        write_taps(&w, (real *)(sums + cut.bytes * (size_t)chunk) + (group * outputs + output) * step + input * 9, step);
    }
}

/* Adds the chunks, in order, and puts a weight's taps side by side. */
static void winograd_weight_combine(const hg_tensor *t, void *y, void *scratch, int parts)
{
    const hg_conv_tiling cut = hg_conv_tiling_of(t);
    const int64_t inputs = t->shape.dim[1], chunk = (int64_t)(cut.bytes / sizeof(real));
    const real *sums = (const real *)((const char *)scratch + cut.share * (size_t)parts);
    real *w = y;
    for (int64_t o = 0; o < t->shape.dim[0]; o++, sums += step_of_sums(t), w += inputs * 9)
        for (int64_t i = 0; i < inputs; i += LANES)
            for (int k = 0; k < 9; k++) {
                const real *from = sums + i * 9 + k * LANES;
                vec sum = load(from);
                for (int n = 1; n < cut.chunks; n++)
                    sum += load(from + n * chunk);
                for (int lane = 0; lane < hg_smaller(LANES, inputs - i); lane++)
                    w[(i + lane) * 9 + k] = sum[lane];
            }
}

#endif
