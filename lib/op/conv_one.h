/* conv2d of a single sample, which would fill one lane of a vector: lanes are places of y instead. Copies of x in y's
   width, shifted by the kernel's columns, have next to each other what a tap sees from one place to the next. */
#ifndef HG_OP_CONV_ONE_H
#define HG_OP_CONV_ONE_H

#include "conv.h"

static inline bool hg_conv_is_of_one(const hg_tensor *t)
{
    return ((const hg_conv *)t->attr)->result == HG_CONV_Y && t->shape.dim[3] == 1;
}

/* The copies that one band of y's rows needs: for each input channel of a group, one for each column of the kernel, with
   rows for all of its rows; or where y skips rows of x, one for each tap. */
typedef struct hg_conv_band {
    int64_t channels, most_rows; /* of y in a band */
    int64_t copies;              /* of a channel */
    int64_t more_rows;           /* of a copy, than the band has */
    int64_t width;
} hg_conv_band;

static inline hg_conv_band hg_conv_band_of(const hg_tensor *t)
{
    enum { BAND_BYTES = 1 << 17 };
    const hg_conv *c = t->attr;
    const bool skips = c->stride[0] > 1;
    hg_conv_band b = { .channels = t->input[0]->shape.dim[0] / c->groups, .width = t->shape.dim[2],
                       .copies = c->kernel[1] * (skips ? c->kernel[0] : 1),
                       .more_rows = skips ? 0 : (c->kernel[0] - 1) * c->dilation[0] };
    const int64_t row = b.channels * b.copies * b.width * (int64_t)hg_dtype_size(t->dtype);
    const int64_t rows = t->shape.dim[1], fit = row == 0 ? rows : hg_smaller(BAND_BYTES / row - b.more_rows, rows);
    b.most_rows = fit < 1 ? 1 : fit;
    return b;
}

/* Elements of a copy for a band of so many rows. */
static inline int64_t hg_conv_copy_size(const hg_conv_band *b, int64_t rows)
{
    return (rows + b->more_rows) * b->width;
}

/* Of the workspace. */
static inline size_t hg_conv_band_bytes(const hg_tensor *t)
{
    const hg_conv_band b = hg_conv_band_of(t);
    const size_t line = 64;
    const size_t elements = (size_t)(b.channels * b.copies * hg_conv_copy_size(&b, b.most_rows));
    return (elements * hg_dtype_size(t->dtype) + line - 1) / line * line;
}

#ifndef HG_KERNELS

/* Parts are some output channels; each makes all copies. */
static inline int hg_conv_parts_of_one(const hg_tensor *t, int threads)
{
    enum { WORTH_COPYING = 16 };
    const int64_t most = t->shape.dim[0] / WORTH_COPYING;
    return most < 1 ? 1 : (int)hg_smaller(most, threads);
}

#else

#include "conv_tile.h"

/* ---- Copies ------------------------------------------------------------------------------------------------ */

/* A row of a copy: of x's row, which may be padding, every stride-th place from `first` on, where `seen` says. */
static void copy_row(const hg_conv *c, const real *x, int64_t row, int64_t first, hg_span seen, int64_t width, real *to)
{
    if (row < 0 || row >= c->size[0])
        seen = (hg_span){ 0, 0 };
    for (int64_t q = 0; q < seen.first; q++)
        to[q] = 0;
    for (int64_t q = seen.last; q < width; q++)
        to[q] = 0;
    if (seen.first == seen.last)
        return;
    x += row * c->size[1] + first + seen.first * c->stride[1];
    if (c->stride[1] == 1)
        copy_lanes(to + seen.first, x, seen.last - seen.first);
    else
        for (int64_t q = seen.first; q < seen.last; q++, x += c->stride[1])
            to[q] = *x;
}

/* For rows [first, first + rows) of y; x: the group's first channel. */
static void make_copies(const hg_conv *c, const hg_conv_band *b, const real *x, int64_t first, int64_t rows, real *to)
{
    const int64_t size = hg_conv_copy_size(b, rows), copy_rows = rows + b->more_rows;
    for (int64_t copy = 0; copy < b->copies; copy++) {
        const int64_t k = copy / c->kernel[1], l = copy % c->kernel[1];
        const int64_t top = first * c->stride[0] - c->pad[0] + k * c->dilation[0];
        const hg_span seen = hg_conv_span(c, 1, l);
        for (int64_t i = 0; i < b->channels; i++)
            for (int64_t r = 0; r < copy_rows; r++)
                copy_row(c, x + i * c->size[0] * c->size[1], top + r * c->stride[0], l * c->dilation[1] - c->pad[1],
                         seen, b->width, to + (i * b->copies + copy) * size + r * b->width);
    }
}

/* ---- Sums -------------------------------------------------------------------------------------------------- */

static walk walk_of_one(const hg_conv *c, const hg_conv_band *b, int64_t rows)
{
    const int64_t size = hg_conv_copy_size(b, rows), taps = c->kernel[0] * c->kernel[1];
    return (walk){ .count = { b->channels, c->kernel[0], c->kernel[1] },
                   .step = { b->copies * size, c->stride[0] > 1 ? c->kernel[1] * size : c->dilation[0] * b->width, size },
                   .w_step = { taps, c->kernel[1], 1 }, .w_height = b->channels * taps };
}

/* Output channels [first, last), which are of one group. */
static void conv_of_one(const hg_tensor *t, real *y, const void *const in[], real *copies, int64_t first, int64_t last)
{
    static const real none[HG_MOST_HEIGHT];
    const hg_conv *c = t->attr;
    const hg_conv_band b = hg_conv_band_of(t);
    const int64_t group = first / (t->shape.dim[0] / c->groups), y_channel = t->shape.dim[1] * b.width;
    const real *x = (const real *)in[0] + group * b.channels * c->size[0] * c->size[1];
    const real *bias = t->inputs > HG_CONV_BIAS ? in[HG_CONV_BIAS] : NULL;
    const int pieces = hg_pieces(last - first, HG_MOST_HEIGHT);
    for (int64_t row = 0, rows; row < t->shape.dim[1]; row += rows) {
        rows = hg_smaller(b.most_rows, t->shape.dim[1] - row);
        make_copies(c, &b, x, row, rows, copies);
        const walk by = walk_of_one(c, &b, rows);
        for (int i = 0; i < pieces; i++) {
            const int64_t from = first + hg_part_begin(last - first, i, pieces);
            const int64_t to = first + hg_part_begin(last - first, i + 1, pieces);
            sum_lanes(HG_APART, (int)(to - from), &by, bias == NULL ? none : bias + from, copies,
                      (const real *)in[1] + from * by.w_height, rows * b.width, y + from * y_channel + row * b.width,
                      y_channel);
        }
    }
}

static void conv_run_of_one(const hg_tensor *t, void *y, const void *const in[], void *workspace, int part, int parts)
{
    const int64_t outputs = t->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    const int64_t last = hg_part_begin(t->shape.dim[0], part + 1, parts);
    real *copies = workspace;
    for (int64_t o = hg_part_begin(t->shape.dim[0], part, parts), next; o < last; o = next) {
        next = hg_smaller((o / outputs + 1) * outputs, last);
        conv_of_one(t, y, in, copies, o, next);
    }
}

#endif
#endif
