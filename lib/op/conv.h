/* What the files of the convolution family share. The family is one trilinear form
       T(x, w, y) = sum over o, i, k, p, b of y[o,p,b] w[o,i,k] x[i, p stride - pad + k dilation, b]
   and its ops are T's partial derivatives: each takes two of x, w, y and gives the third. */
#ifndef HG_OP_CONV_H
#define HG_OP_CONV_H

#include <hourglass/op.h>

#include "../tensor.h"
#include "matrix_strips.h"
#include "move.h"

/* x: channels x H x W x B, w: channels of y x (channels of x / groups) x KH x KW, y: channels x OH x OW x B. */
typedef enum hg_conv_role { HG_CONV_X, HG_CONV_W, HG_CONV_Y } hg_conv_role;

/* The attribute of all three ops. Axes: 0 is H, 1 is W. */
typedef struct hg_conv {
    int64_t result; /* the hg_conv_role that the op computes; its inputs are the other two, in the enum's order, and for
                       x and y perhaps a bias: a vector of the result's channels */
    int64_t stride[2], pad[2], dilation[2], groups;
    int64_t size[2]; /* of x */
    int64_t kernel[2];
} hg_conv;

enum { HG_CONV_BIAS = 2 }; /* the input's number */

/* Which input of the op a role is. */
static inline int hg_conv_input(const hg_conv *c, hg_conv_role role) { return (int)role - ((int)role > c->result); }

static inline const hg_tensor *hg_conv_tensor(const hg_tensor *t, hg_conv_role role)
{
    const hg_conv *c = t->attr;
    return role == c->result ? t : t->input[hg_conv_input(c, role)];
}

/* Of conv2d and conv_transpose2d: what they read beside weights; of conv2d_weight: x. */
static inline const hg_tensor *hg_conv_from(const hg_tensor *t)
{
    return t->input[((const hg_conv *)t->attr)->result == HG_CONV_X]; /* x is the first of x and w, y the second of w and y */
}

bool   hg_conv_infer(hg_tensor *t);
void   hg_conv_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[]);
double hg_conv_flops(const hg_tensor *t);
/* The derivative of T that is `result`, of those in `of` that are not; bias may be NULL. */
hg_tensor *hg_conv_apply(const hg_conv *c, hg_conv_role result, hg_tensor *const of[3], hg_tensor *bias);

/* The length of y along an axis; the kernel fits. */
static inline int64_t hg_conv_out(const hg_conv *c, int axis)
{
    return (c->size[axis] + 2 * c->pad[axis] - (c->kernel[axis] - 1) * c->dilation[axis] - 1) / c->stride[axis] + 1;
}

/* The place on the other side that tap k of place p of the result reads, or -1: none. */
static inline int64_t hg_conv_place(const hg_conv *c, int axis, int64_t p, int64_t k)
{
    if (c->result == HG_CONV_Y) {
        int64_t at = p * c->stride[axis] - c->pad[axis] + k * c->dilation[axis];
        return at < c->size[axis] ? at : -1;
    }
    int64_t at = p + c->pad[axis] - k * c->dilation[axis];
    return at >= 0 && at % c->stride[axis] == 0 && at / c->stride[axis] < hg_conv_out(c, axis) ? at / c->stride[axis] : -1;
}

/* The places of y along an axis whose tap k is not on padding. */
typedef struct hg_span {
    int64_t first, last; /* last: one more */
} hg_span;

static inline hg_span hg_conv_span(const hg_conv *c, int axis, int64_t k)
{
    const int64_t shift = c->pad[axis] - k * c->dilation[axis], stride = c->stride[axis];
    const int64_t from = shift <= 0 ? 0 : (shift + stride - 1) / stride;
    const int64_t room = c->size[axis] + shift; /* p stride has to be below */
    const int64_t to = room <= 0 ? 0 : (room + stride - 1) / stride, most = hg_conv_out(c, axis);
    const int64_t last = to < most ? to : most;
    return (hg_span){ from < last ? from : last, last };
}

/* ---- By Winograd's algorithm: conv_winograd.h, conv_winograd_weight.h ------------------------------------ */

enum { HG_WINOGRAD_TILE = 2, HG_WINOGRAD_SEEN = 4, HG_WINOGRAD_PRODUCTS = 16 };

/* Multiplications by tiles of so many places in all, to those of a plain sum: at the edges some are wasted, and padding needs
   none. 1 if there are no such tiles. */
static inline double hg_conv_tiles_take(const hg_conv *c, const int64_t places[2])
{
    int64_t products = HG_WINOGRAD_PRODUCTS, taps = 1;
    for (int axis = 0; axis < 2; axis++) {
        if (c->kernel[axis] != 3 || c->stride[axis] != 1 || c->dilation[axis] != 1)
            return 1;
        products *= hg_pieces(places[axis], HG_WINOGRAD_TILE);
        int64_t of_axis = 0;
        for (int64_t k = 0; k < 3; k++)
            of_axis += hg_conv_span(c, axis, k).last - hg_conv_span(c, axis, k).first;
        taps *= of_axis;
    }
    return taps == 0 ? 1 : (double)products / (double)taps;
}

/* Whether they save enough to pay for the sums, of which there is one for each channel of either side. */
static inline bool hg_conv_is_winograd(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const hg_tensor *from = hg_conv_from(t), *tiled = c->result == HG_CONV_W ? t->input[1] : t;
    const double a = (double)(from->shape.dim[0] / c->groups), b = (double)(tiled->shape.dim[0] / c->groups);
    const double take = hg_conv_tiles_take(c, &tiled->shape.dim[1]);
    if (tiled->shape.dim[3] * (int64_t)hg_dtype_size(t->dtype) < 64)
        return false;
    return c->result == HG_CONV_W ? take * (a * b + 16 * (a + b)) < 1.2 * (a * b) : take < 0.75 && a * b >= 8 * (a + b);
}

/* Whether its products go by matrix tiles, which channels have to fill nearly; by weight samples too, which are steps of k. */
static inline bool hg_conv_is_tiled(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const hg_tensor *from = hg_conv_from(t), *tiled = c->result == HG_CONV_W ? t->input[1] : t;
    const int64_t samples = from->shape.dim[3], whole = hg_pieces(samples, HG_STRIP_STEPS) * (int64_t)HG_STRIP_STEPS;
    return hg_has_strips(t) && hg_conv_is_winograd(t) && tiled->shape.dim[0] / c->groups > HG_STRIP / 2 &&
           from->shape.dim[0] / c->groups > HG_STRIP / 2 && (c->result != HG_CONV_W || 8 * samples >= 7 * whole);
}

/* ---- How conv2d and conv_transpose2d are cut ------------------------------------------------------------- */

/* Channels of the result that are computed together at most; a bundle lies within a group. */
enum { HG_CONV_BUNDLE = 12 };
static inline int hg_conv_bundles_of_group(const hg_tensor *t)
{
    return hg_pieces(t->shape.dim[0] / ((const hg_conv *)t->attr)->groups, HG_CONV_BUNDLE);
}

/* The first channel of a bundle. */
static inline int64_t hg_conv_bundle_begin(const hg_tensor *t, int bundle)
{
    const int of_group = hg_conv_bundles_of_group(t);
    const int64_t channels = t->shape.dim[0] / ((const hg_conv *)t->attr)->groups;
    return of_group == 0 ? 0 : bundle / of_group * channels + hg_part_begin(channels, bundle % of_group, of_group);
}

/* A part: some rows of some bundles. */
typedef struct hg_conv_box {
    int     first_bundle, last_bundle;
    int64_t first_row, last_row;
} hg_conv_box;
hg_conv_box hg_conv_box_of(const hg_tensor *t, int part, int parts);

/* The taps of one place of the result along an axis: places from, from + step, ... of the other side, by the weights `tap`,
   tap + 1, ... of those that hg_conv_tap_place has put in order. */
typedef struct hg_taps {
    int64_t count, from, step, tap;
} hg_taps;

/* A thread's workspace. In the head: 1 + the bundle from which on weights are packed. Then biases and weights of a part's channels
   of a group; a copy of the rows of the other side that one row of the result reads, for some columns and blocks of samples;
   or what Winograd's algorithm makes of the weights, of the other side and of both; at last the taps of rows and columns. */
typedef struct hg_conv_share {
    size_t  taps, weights, copy, products; /* how many */
    int64_t samples;             /* in a block */
    int64_t rows, blocks;        /* copied at a time */
    int     column_cuts;
    size_t  bytes;
} hg_conv_share;
/* Bytes between the strips of one of Winograd's products and of the next. */
enum { HG_STRIPS_APART = 192 };
hg_conv_share hg_conv_share_of(const hg_tensor *t);

/* ---- How conv2d_weight is cut ---------------------------------------------------------------------------- */

/* A part computes some units, each some output channels x some input channels of a group, for a chunk of y's rows. There
   are as many units as parts call for, and as many chunks as the shape alone says. If there is more than one, each sums
   for itself, and the sums are added in order. */
typedef struct hg_conv_weight_cut {
    int    bundles, blocks; /* of output and of input channels, per group */
    int    chunks, parts;
    size_t accumulators;    /* bytes; the spans of the taps along both axes follow */
    size_t share;           /* bytes of both: a part's share of the scratch. After the shares, the sums of each chunk */
} hg_conv_weight_cut;
/* For so many parts or more, if there are. */
hg_conv_weight_cut hg_conv_weight_cut_of(const hg_tensor *t, int parts);

/* How it is cut by Winograd's algorithm, likewise: pieces, each a unit for a chunk of the stretches, which are some tiles of
   2 x 2 places of y side by side, for some samples. A part, of which there may be any number, computes some pieces. */
typedef struct hg_conv_tiling {
    int     bundles, blocks;  /* of output and of input channels, per group */
    int64_t outputs, inputs;  /* of a unit at most, and whole lines of the cache */
    int64_t tiles, samples;   /* of a stretch at most */
    int64_t rows, across, deep; /* how many stretches: by rows of tiles, by columns, by samples */
    int     chunks, pieces;
    int64_t data, cotangent;  /* elements from one of the products' operands to the next, of x and of y */
    int64_t turned;           /* elements of x with channels side by side */
    size_t  share, bytes;     /* of a part, and of a chunk's sums */
} hg_conv_tiling;
hg_conv_tiling hg_conv_tiling_of(const hg_tensor *t);

#ifdef HG_KERNELS
extern const hg_kernels OP(conv_winograd_weight); /* for conv2d_weight; conv.c has the tiles that it needs */
#endif

#endif
