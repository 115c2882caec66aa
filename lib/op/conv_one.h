/* conv2d of a single sample, which would fill one lane of a vector: as a product of the weights with panels of what the
   taps see, columns of which are places. */
#ifndef HG_OP_CONV_ONE_H
#define HG_OP_CONV_ONE_H

#include "conv.h"
#include "matmul.h"

static inline bool hg_conv_is_of_one(const hg_tensor *t)
{
    return ((const hg_conv *)t->attr)->result == HG_CONV_Y && t->shape.dim[3] == 1;
}

/* Input channels of a panel: whole ones. */
static inline int64_t hg_conv_panel_channels(const hg_conv *c)
{
    const int64_t taps = c->kernel[0] * c->kernel[1];
    return taps < HG_PANEL_DEPTH ? HG_PANEL_DEPTH / taps : 1;
}

static inline size_t hg_conv_panel_bytes(const hg_conv *c)
{
    return (size_t)(hg_conv_panel_channels(c) * c->kernel[0] * c->kernel[1]) * HG_PANEL_VECTORS * HG_VECTOR_MOST;
}

#ifndef HG_KERNELS

/* Parts are some output channels; each packs all panels. */
static inline int hg_conv_parts_of_one(const hg_tensor *t, int threads)
{
    enum { WORTH_PACKING = 16 };
    const int64_t most = t->shape.dim[0] / WORTH_PACKING;
    return most < 1 ? 1 : (int)hg_smaller(most, threads);
}

#else

#include "product.h"

typedef struct view {
    const hg_conv *c;
    const real    *x; /* at the panel's first channel */
    int64_t        channels, channel;
    int64_t        first, columns; /* of the panel, of all places */
    real          *packed;
} view;

HG_INLINE void copy_lanes(real *to, const real *from, int64_t n)
{
    for (; n >= LANES; n -= LANES, to += LANES, from += LANES)
        store(to, load(from));
    if (n > 0)
        store_some(to, load_some(from, first_lanes(n)), first_lanes(n));
}

/* Of all channels, tap (k, l) of places that lie in a row of y: row p, columns [q.first, q.last). */
static void pack_row(const view *v, int64_t k, int64_t l, int64_t p, hg_span q, hg_span seen, real *to)
{
    const hg_conv *c = v->c;
    const int64_t row = p * c->stride[0] - c->pad[0] + k * c->dilation[0], taps = c->kernel[0] * c->kernel[1];
    const int64_t first = seen.first > q.first ? seen.first : q.first, last = hg_smaller(seen.last, q.last);
    const bool all = row >= 0 && row < c->size[0] && first == q.first && last == q.last;
    const bool none = row < 0 || row >= c->size[0] || first >= last;
    const int64_t at = row * c->size[1] + first * c->stride[1] - c->pad[1] + l * c->dilation[1];
    for (int64_t i = 0; i < v->channels; i++, to += taps * PRODUCT_PANEL) {
        for (int64_t n = 0; !all && n < q.last - q.first; n++)
            to[n] = 0;
        if (none)
            continue;
        const real *x = v->x + i * v->channel + at;
        if (c->stride[1] == 1)
            copy_lanes(to + first - q.first, x, last - first);
        else
            for (int64_t n = 0; n < last - first; n++)
                to[first - q.first + n] = x[n * c->stride[1]];
    }
}

static void pack_view(const view *v)
{
    const hg_conv *c = v->c;
    const int64_t width = hg_conv_out(c, 1);
    for (int64_t l = 0; l < c->kernel[1]; l++) {
        const hg_span seen = hg_conv_span(c, 1, l);
        for (int64_t done = 0, length; done < v->columns; done += length) {
            const int64_t p = (v->first + done) / width, q = (v->first + done) % width;
            length = hg_smaller(width - q, v->columns - done);
            for (int64_t k = 0; k < c->kernel[0]; k++)
                pack_row(v, k, l, p, (hg_span){ q, q + length }, seen,
                         v->packed + (k * c->kernel[1] + l) * PRODUCT_PANEL + done);
        }
    }
}

/* Some output channels of a group. `p`: for all of its input channels and places, without b; x: its first channel. */
static void conv_of_one(const hg_conv *c, const product *all, const real *bias, const real *x, real *packed)
{
    const int64_t taps = c->kernel[0] * c->kernel[1], channels = all->k / taps, most = hg_conv_panel_channels(c);
    for (int64_t j = 0; j < all->columns; j += PRODUCT_PANEL) {
        const int64_t columns = hg_smaller(all->columns - j, PRODUCT_PANEL);
        for (int64_t o = 0; o < all->rows; o++)
            hg_fill(all->c + o * all->c_row + j, bias == NULL ? 0 : bias[o], columns);
        for (int64_t i = 0; i < channels; i += most) {
            view v = { .c = c, .x = x + i * c->size[0] * c->size[1], .channels = hg_smaller(channels - i, most),
                       .channel = c->size[0] * c->size[1], .first = j, .columns = columns, .packed = packed };
            pack_view(&v);
            product p = *all;
            p.k = v.channels * taps;
            p.a += i * taps;
            p.b = packed;
            p.c += j;
            product_panel(&p, columns, true);
        }
    }
}

static void conv_run_of_one(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_conv *c = t->attr;
    const int64_t places = t->shape.dim[1] * t->shape.dim[2], outputs = t->shape.dim[0] / c->groups;
    const int64_t inputs = t->input[0]->shape.dim[0] / c->groups, length = inputs * c->kernel[0] * c->kernel[1];
    const real *bias = t->inputs > HG_CONV_BIAS ? in[HG_CONV_BIAS] : NULL;
    const int64_t last = hg_part_begin(t->shape.dim[0], part + 1, parts);
    for (int64_t o = hg_part_begin(t->shape.dim[0], part, parts), next; o < last; o = next) {
        const int64_t group = o / outputs;
        next = hg_smaller((group + 1) * outputs, last);
        const product p = { .rows = next - o, .columns = places, .k = length, .a = (const real *)in[1] + o * length,
                            .a_row = length, .a_column = 1, .b_row = PRODUCT_PANEL, .b_column = 1,
                            .c = (real *)y + o * places, .c_row = places };
        conv_of_one(c, &p, bias == NULL ? NULL : bias + o,
                    (const real *)in[0] + group * inputs * c->size[0] * c->size[1],
                    (real *)((char *)scratch + hg_conv_panel_bytes(c) * (size_t)part));
    }
}

#endif
#endif
