/* Rows for convolution, pooling, upsampling and normalisation. a[0] is the row's geometry. */
#include "ops_conv.h"

#include <hourglass/conv.h>

#include "conv_reference.h"
#include "harness.h"

#define B HG_BATCH
#define CHOICES(...)       { .shape = DIMS(__VA_ARGS__), .kind = WHOLE, .high = 3 }
#define INDICES(most, ...) { .shape = DIMS(__VA_ARGS__), .kind = INDEX, .high = most }
#define OF(...) { .shape = DIMS(__VA_ARGS__), .low = -2, .high = 2 }

enum {
    PLAIN, PADDED, STRIDED, STRIDE_3, UNEQUAL, DILATED, STRIDED_DILATED, GAPS, GROUPED, DEPTHWISE, WHOLE_INPUT, ONE_BY_ONE,
    FAR_PAD, SIGNAL, SIGNAL_STRIDED, SIGNAL_DILATED, HALVES, OVERLAPPING, SPREAD, EDGES, OBLONG, EVERYTHING, SIGNAL_POOL,
    MANY_PLACES
};
const geometry geometries[] = {
    [PLAIN] = { { 1, 1 }, { 0, 0 }, { 1, 1 }, 1, .kernel = { 3, 3 } },
    [PADDED] = { { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, .kernel = { 3, 3 } },
    [STRIDED] = { { 2, 2 }, { 1, 1 }, { 1, 1 }, 1, .kernel = { 3, 3 }, .size = { 8, 7 } },
    [STRIDE_3] = { { 3, 3 }, { 1, 1 }, { 1, 1 }, 1, .kernel = { 5, 5 } },
    [UNEQUAL] = { { 3, 1 }, { 0, 2 }, { 1, 2 }, 1, .kernel = { 2, 3 }, .size = { 7, 6 } },
    [DILATED] = { { 1, 1 }, { 2, 2 }, { 2, 2 }, 1, .kernel = { 3, 3 } },
    [STRIDED_DILATED] = { { 2, 3 }, { 2, 3 }, { 3, 2 }, 1, .kernel = { 3, 3 }, .size = { 8, 9 } },
    [GAPS] = { { 3, 4 }, { 0, 1 }, { 1, 1 }, 1, .kernel = { 1, 2 }, .size = { 9, 8 } }, /* places that no tap reaches */
    [GROUPED] = { { 1, 2 }, { 1, 0 }, { 1, 1 }, 2, .kernel = { 3, 2 } },
    [DEPTHWISE] = { { 1, 1 }, { 1, 1 }, { 1, 1 }, 5, .kernel = { 3, 3 } },
    [WHOLE_INPUT] = { { 1, 1 }, { 0, 0 }, { 1, 1 }, 1, .kernel = { 4, 5 } },
    [ONE_BY_ONE] = { { 1, 1 }, { 0, 0 }, { 1, 1 }, 1, .kernel = { 1, 1 } },
    [FAR_PAD] = { { 2, 1 }, { 4, 3 }, { 1, 1 }, 1, .kernel = { 3, 2 }, .size = { 2, 3 } }, /* places with no tap on x */
    [SIGNAL] = { { 1, 1 }, { 2, 0 }, { 1, 1 }, 1, .kernel = { 5, 1 } },
    [SIGNAL_STRIDED] = { { 3, 1 }, { 1, 0 }, { 1, 1 }, 2, .kernel = { 4, 1 }, .size = { 17, 0 } },
    [SIGNAL_DILATED] = { { 2, 1 }, { 3, 0 }, { 3, 1 }, 1, .kernel = { 3, 1 } },
    /* pools */
    [HALVES] = { { 2, 2 }, .kernel = { 2, 2 }, .size = { 4, 6 } },
    [OVERLAPPING] = { { 1, 1 }, .kernel = { 2, 2 }, .size = { 3, 4 } },
    [SPREAD] = { { 3, 2 }, .kernel = { 1, 2 }, .size = { 5, 6 } }, /* places in no window */
    [MANY_PLACES] = { { 1, 1 }, .kernel = { 17, 16 }, .size = { 18, 16 } },
    [EDGES] = { { 2, 2 }, { 1, 1 }, .kernel = { 3, 3 }, .size = { 5, 6 } },
    [OBLONG] = { { 1, 2 }, { 0, 2 }, .kernel = { 2, 4 }, .size = { 3, 5 } },
    [EVERYTHING] = { { 1, 1 }, .kernel = { 3, 4 }, .size = { 3, 4 } },
    [SIGNAL_POOL] = { { 2, 1 }, { 1, 0 }, .kernel = { 3, 1 }, .size = { 8, 1 } },
};

/* ---- Convolution --------------------------------------------------------------------------------------- */

static hg_conv_options conv_options(const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return (hg_conv_options){ .stride_hw = { g->stride[0], g->stride[1] }, .pad_hw = { g->pad[0], g->pad[1] },
                              .dilation_hw = { g->dilation[0], g->dilation[1] }, .groups = g->groups };
}

static hg_tensor *conv2d(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = conv_options(a);
    return hg_conv2d(in[0], in[1], &o);
}

static hg_tensor *conv_transpose2d(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    hg_conv_options o = conv_options(a);
    o.size_hw[0] = g->size[0];
    o.size_hw[1] = g->size[1];
    return hg_conv_transpose2d(in[0], in[1], &o);
}

static hg_tensor *conv2d_weight(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    hg_conv_options o = conv_options(a);
    o.kernel_hw[0] = g->kernel[0];
    o.kernel_hw[1] = g->kernel[1];
    return hg_conv2d_weight(in[0], in[1], &o);
}

static hg_conv_options signal_options(const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return (hg_conv_options){ .stride = g->stride[0], .pad = g->pad[0], .dilation = g->dilation[0], .groups = g->groups };
}

static hg_tensor *conv1d(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = signal_options(a);
    return hg_conv1d(in[0], in[1], &o);
}

static hg_tensor *conv_transpose1d(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = signal_options(a);
    o.size = geometries[(int)a[0]].size[0];
    return hg_conv_transpose1d(in[0], in[1], &o);
}

static hg_tensor *conv1d_weight(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = signal_options(a);
    o.kernel = geometries[(int)a[0]].kernel[0];
    return hg_conv1d_weight(in[0], in[1], &o);
}

/* With a bias for the third input. */
static hg_tensor *conv2d_biased(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = conv_options(a);
    o.bias = in[2];
    return hg_conv2d(in[0], in[1], &o);
}

static hg_tensor *conv_transpose2d_biased(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = conv_options(a);
    o.bias = in[2];
    return hg_conv_transpose2d(in[0], in[1], &o);
}

static hg_tensor *conv1d_biased(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = signal_options(a);
    o.bias = in[2];
    return hg_conv1d(in[0], in[1], &o);
}

static hg_tensor *inner(hg_tensor *a, hg_tensor *b) { return hg_sum(hg_mul(a, b), HG_ALL_AXES); }
static hg_tensor *difference(hg_tensor *a, hg_tensor *b, hg_tensor *terms)
{
    return hg_div(hg_sub(a, b), hg_count(terms, HG_ALL_AXES));
}

/* <y, conv(x, w)> = <conv_transpose(y, w), x> = <w, conv_weight(x, y)>, for y a function of x and w. */
static hg_tensor *adjoint_in_x(hg_tensor *const in[], const double a[])
{
    hg_conv_options o = conv_options(a);
    o.size_hw[0] = hg_tensor_shape(in[0])->dim[1];
    o.size_hw[1] = hg_tensor_shape(in[0])->dim[2];
    hg_tensor *right = conv2d(in, a), *y = hg_tanh(right);
    return difference(inner(y, right), inner(hg_conv_transpose2d(y, in[1], &o), in[0]), y);
}

static hg_tensor *adjoint_in_w(hg_tensor *const in[], const double a[])
{
    hg_tensor *right = conv2d(in, a), *y = hg_tanh(right);
    return difference(inner(y, right), inner(in[1], conv2d_weight((hg_tensor *[]){ in[0], y }, a)), y);
}

/* With stride 1 and no padding, what moves in x moves in y. */
static hg_tensor *shift_moves(hg_tensor *const in[], const double a[])
{
    const int64_t width = hg_tensor_shape(in[0])->dim[2];
    hg_tensor *y = conv2d(in, a);
    const int64_t out = hg_tensor_shape(y)->dim[2];
    hg_tensor *moved = conv2d((hg_tensor *[]){ hg_slice(in[0], 2, 1, width - 1), in[1] }, a);
    return hg_sub(moved, hg_slice(y, 2, 1, out - 1));
}

/* ---- Pools --------------------------------------------------------------------------------------------- */

static hg_pool_options pool_options(const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return (hg_pool_options){ .size_hw = { g->kernel[0], g->kernel[1] }, .stride_hw = { g->stride[0], g->stride[1] },
                              .pad_hw = { g->pad[0], g->pad[1] } };
}

static hg_tensor *max_pool2d(hg_tensor *const in[], const double a[])
{
    hg_pool_options o = pool_options(a);
    return hg_max_pool2d(in[0], &o);
}

static hg_tensor *max_pool_switches(hg_tensor *const in[], const double a[])
{
    hg_pool_options o = pool_options(a);
    return hg_max_pool2d_switches(in[0], &o);
}

static hg_tensor *max_unpool2d(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return hg_max_unpool2d(in[0], in[1], g->size[0], g->size[1]);
}

static hg_tensor *avg_pool2d(hg_tensor *const in[], const double a[])
{
    hg_pool_options o = pool_options(a);
    return hg_avg_pool2d(in[0], &o);
}

/* The vjp of avg_pool2d at zeros. */
static hg_tensor *avg_unpool2d(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    const hg_shape *y = hg_tensor_shape(in[0]);
    hg_tensor *zero = hg_scalar(hg_tensor_graph(in[0]), 0), *x, *dx;
    x = hg_expand(zero, HG_SHAPE(y->dim[0], g->size[0], g->size[1], y->dim[3]), HG_ALL_AXES);
    return hg_vjp(avg_pool2d(&x, a), in[0], 1, &x, &dx) == HG_OK ? dx : NULL;
}

static hg_tensor *max_pool1d(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return hg_max_pool1d(in[0], &(hg_pool_options){ .size = g->kernel[0], .stride = g->stride[0], .pad = g->pad[0] });
}

static hg_tensor *avg_pool1d(hg_tensor *const in[], const double a[])
{
    const geometry *g = &geometries[(int)a[0]];
    return hg_avg_pool1d(in[0], &(hg_pool_options){ .size = g->kernel[0], .stride = g->stride[0], .pad = g->pad[0] });
}

/* The vjps of max_pool2d, and of that. in: x, g. */
static hg_tensor *max_pool_scatter(hg_tensor *const in[], const double a[])
{
    hg_tensor *dx, *x = in[0];
    return hg_vjp(max_pool2d(in, a), in[1], 1, &x, &dx) == HG_OK ? dx : NULL;
}

static hg_tensor *max_pool_gather(hg_tensor *const in[], const double a[])
{
    hg_tensor *y = max_pool2d(in, a), *zero = hg_scalar(hg_tensor_graph(y), 0), *dg;
    hg_tensor *g = hg_expand_like(zero, y, HG_ALL_AXES);
    return hg_vjp(max_pool_scatter((hg_tensor *[]){ in[0], g }, a), in[1], 1, &g, &dg) == HG_OK ? dg : NULL;
}

static hg_tensor *rectified(hg_tensor *x) { return hg_maximum(x, hg_expand_like(hg_scalar(hg_tensor_graph(x), 0), x, HG_ALL_AXES)); }

/* That the rectifier goes behind the pool changes neither values nor gradients. */
static hg_tensor *rectified_alike(hg_tensor *const in[], const double a[])
{
    hg_tensor *relu = hg_relu(in[0]), *other = rectified(in[0]);
    return hg_sub(max_pool2d(&relu, a), max_pool2d(&other, a));
}

static hg_tensor *gradients_alike(hg_tensor *const in[], const double a[])
{
    hg_tensor *relu = hg_relu(in[0]), *other = rectified(in[0]), *x = in[0], *d[2];
    hg_tensor *y[] = { max_pool2d(&relu, a), max_pool2d(&other, a) };
    return hg_vjp(y[0], y[0], 1, &x, &d[0]) == HG_OK && hg_vjp(y[1], y[1], 1, &x, &d[1]) == HG_OK ? hg_sub(d[0], d[1]) : NULL;
}

/* Summed over one axis after the other, nothing is left out. */
static hg_tensor *gradients_sum(hg_tensor *const in[], const double a[])
{
    hg_tensor *y = max_pool2d(in, a), *x = in[0], *dx;
    if (hg_vjp(y, y, 1, &x, &dx) != HG_OK)
        return NULL;
    return hg_sub(hg_sum(dx, HG_AXIS(1) | HG_AXIS(2)), hg_sum(hg_sum(dx, HG_AXIS(2)), HG_AXIS(1)));
}

/* What the switches gather is the maximum. */
static hg_tensor *switches_find(hg_tensor *const in[], const double a[])
{
    const int64_t *dim = hg_tensor_shape(in[0])->dim;
    hg_tensor *y = max_pool2d(in, a), *where = max_pool_switches(in, a);
    const int64_t *out = hg_tensor_shape(y)->dim;
    hg_tensor *places = hg_reshape(in[0], HG_SHAPE(dim[0], dim[1] * dim[2], dim[3]));
    hg_tensor *found = hg_gather(places, hg_reshape(where, HG_SHAPE(out[0], out[1] * out[2], out[3])), 1);
    return hg_sub(y, hg_reshape(found, *hg_tensor_shape(y)));
}

/* ---- Upsampling, normalisation ------------------------------------------------------------------------- */

/* a: unused, by; the size. */
static hg_tensor *upsample2d(hg_tensor *const in[], const double a[])
{
    return hg_upsample2d(in[0], &(hg_upsample_options){ .by = a[1] != 0 ? HG_BILINEAR : HG_NEAREST,
                                                        .size_hw = { (int64_t)a[2], (int64_t)a[3] } });
}

static hg_tensor *upsample2d_adjoint(hg_tensor *const in[], const double a[])
{
    const hg_shape *y = hg_tensor_shape(in[0]);
    hg_tensor *zero = hg_scalar(hg_tensor_graph(in[0]), 0), *x, *dx;
    x = hg_expand(zero, HG_SHAPE(y->dim[0], (int64_t)a[2], (int64_t)a[3], y->dim[3]), HG_ALL_AXES);
    hg_tensor *large = hg_upsample2d(x, &(hg_upsample_options){ .by = a[1] != 0 ? HG_BILINEAR : HG_NEAREST,
                                                                .size_hw = { y->dim[1], y->dim[2] } });
    return hg_vjp(large, in[0], 1, &x, &dx) == HG_OK ? dx : NULL;
}

static hg_tensor *upsample1d(hg_tensor *const in[], const double a[])
{
    return hg_upsample1d(in[0], &(hg_upsample_options){ .by = a[1] != 0 ? HG_BILINEAR : HG_NEAREST, .factor = (int64_t)a[2] });
}

static hg_tensor *batch_norm(hg_tensor *const in[], const double a[])
{
    hg_tensor *mean, *variance;
    if (!hg_moments(in[0], hg_last_axis(in[0]) | HG_AXIS(1) | HG_AXIS(2), &mean, &variance))
        return NULL;
    return hg_batch_norm(in[0], in[1], in[2], mean, variance, a[0]);
}

static hg_tensor *layer_norm(hg_tensor *const in[], const double a[])
{
    return hg_layer_norm(in[0], in[1], in[2], a[0]);
}

/* ---- Rows ---------------------------------------------------------------------------------------------- */

#define BILINEAR .linear = LINEAR(0) | LINEAR(1), .ulps = 64, .scale = 16
#define CONV(variant_, geometry_, x, w, ...)                                                                        \
    { "conv2d", variant_, { x, w }, 2, { geometry_ }, .build = conv2d, .reference = ref_conv2d, BILINEAR,           \
      .law = { { "adjoint in x", adjoint_in_x }, { "adjoint in w", adjoint_in_w }, __VA_ARGS__ } }
#define TRANSPOSE(variant_, geometry_, y, w)                                                                        \
    { "conv_transpose2d", variant_, { y, w }, 2, { geometry_ }, .build = conv_transpose2d,                          \
      .reference = ref_conv_transpose2d, BILINEAR }
#define WEIGHT(variant_, geometry_, x, y)                                                                           \
    { "conv2d_weight", variant_, { x, y }, 2, { geometry_ }, .build = conv2d_weight,                                \
      .reference = ref_conv2d_weight, BILINEAR }
#define ON_SIGNALS(name_, variant_, geometry_, a, b)                                                                \
    { #name_, variant_, { a, b }, 2, { geometry_ }, .build = name_, .reference = ref_##name_, BILINEAR }
#define MAX_POOL(variant_, geometry_, x)                                                                            \
    { "max_pool2d", variant_, { x }, 1, { geometry_ }, .build = max_pool2d, .reference = ref_max_pool2d,            \
      .law = { { "found by the switches", switches_find }, { "behind a rectifier", rectified_alike },               \
               { "gradient behind a rectifier", gradients_alike }, { "sum of a gradient", gradients_sum } } }
/* What the op max_pool2d finds is seen through this view. */
#define MAX_VALUES(variant_, geometry_, x)                                                                          \
    { "max_pool_values", variant_, { x }, 1, { geometry_ }, .build = max_pool2d, .reference = ref_max_pool2d }
#define SWITCHES(variant_, geometry_, x)                                                                            \
    { "max_pool_switches", variant_, { x }, 1, { geometry_ }, .build = max_pool_switches,                           \
      .reference = ref_max_pool_switches }
#define MAX_SCATTER(variant_, geometry_, x, g)                                                                      \
    { "max_pool_scatter", variant_, { x, g }, 2, { geometry_ }, .build = max_pool_scatter,                          \
      .reference = ref_max_pool_scatter, .ulps = 8, .scale = 4, .linear = LINEAR(1) }
#define MAX_GATHER(variant_, geometry_, x)                                                                          \
    { "max_pool_gather", variant_, { x, x }, 2, { geometry_ }, .build = max_pool_gather,                            \
      .reference = ref_max_pool_gather, .linear = LINEAR(1) }
#define AVG_POOL(name_, variant_, geometry_, x)                                                                     \
    { #name_, variant_, { x }, 1, { geometry_ }, .build = name_, .reference = ref_##name_, .ulps = 8, .scale = 4,   \
      .linear = LINEAR(0) }
#define UPSAMPLE(name_, variant_, by, height, width, x)                                                             \
    { #name_, variant_, { x }, 1, { 0, by, height, width }, .build = name_, .reference = ref_##name_, .ulps = 16,   \
      .scale = 4, .linear = LINEAR(0) }
#define BIASED(name_, build_, geometry_, a, w, bias)                                                                \
    { #name_, "biased", { a, w, bias }, 3, { geometry_ }, .build = build_, .reference = ref_##build_, .ulps = 64,   \
      .scale = 16 }
#define SHIFT { "shift", shift_moves }
#define NOTHING { NULL, NULL }

static const op_row rows[] = {
    CONV(NULL, PLAIN, OF(2, 5, 6, B), OF(3, 2, 3, 3), SHIFT),
    CONV("padded", PADDED, OF(2, 4, 3, B), OF(3, 2, 3, 3), NOTHING),
    CONV("strided", STRIDED, OF(3, 8, 7, B), OF(2, 3, 3, 3), NOTHING),
    CONV("stride 3", STRIDE_3, OF(2, 10, 9, B), OF(2, 2, 5, 5), NOTHING),
    CONV("unequal axes", UNEQUAL, OF(2, 7, 6, B), OF(2, 2, 2, 3), NOTHING),
    CONV("dilated", DILATED, OF(2, 5, 6, B), OF(2, 2, 3, 3), NOTHING),
    CONV("strided and dilated", STRIDED_DILATED, OF(2, 8, 9, B), OF(2, 2, 3, 3), NOTHING),
    CONV("stride beyond the kernel", GAPS, OF(2, 9, 8, B), OF(2, 2, 1, 2), NOTHING),
    CONV("in groups", GROUPED, OF(4, 4, 5, B), OF(6, 2, 3, 2), NOTHING),
    CONV("depthwise", DEPTHWISE, OF(5, 4, 3, B), OF(5, 1, 3, 3), NOTHING),
    CONV("kernel as large as the input", WHOLE_INPUT, OF(3, 4, 5, B), OF(2, 3, 4, 5), NOTHING),
    CONV("1 x 1", ONE_BY_ONE, OF(3, 3, 4, B), OF(5, 3, 1, 1), SHIFT),
    CONV("padded beyond the kernel", FAR_PAD, OF(2, 2, 3, B), OF(2, 2, 3, 2), NOTHING),
    CONV("many channels", PADDED, OF(9, 2, 3, B), OF(19, 9, 3, 3), NOTHING),
    CONV("one channel to one", PADDED, OF(1, 4, 4, B), OF(1, 1, 3, 3), NOTHING),
    CONV("channels of all tiles", ONE_BY_ONE, OF(5, 1, 2, B), OF(71, 5, 1, 1), NOTHING),
    TRANSPOSE(NULL, PLAIN, OF(3, 3, 4, B), OF(3, 2, 3, 3)),
    TRANSPOSE("padded", PADDED, OF(3, 4, 3, B), OF(3, 2, 3, 3)),
    TRANSPOSE("strided, larger", STRIDED, OF(2, 4, 4, B), OF(2, 3, 3, 3)),
    TRANSPOSE("stride 3", STRIDE_3, OF(3, 3, 2, B), OF(3, 2, 5, 5)),
    TRANSPOSE("unequal axes, larger", UNEQUAL, OF(2, 2, 6, B), OF(2, 2, 2, 3)),
    TRANSPOSE("strided and dilated", STRIDED_DILATED, OF(2, 3, 4, B), OF(2, 2, 3, 3)),
    TRANSPOSE("stride beyond the kernel", GAPS, OF(2, 3, 3, B), OF(2, 2, 1, 2)),
    TRANSPOSE("in groups", GROUPED, OF(6, 4, 2, B), OF(6, 2, 3, 2)),
    TRANSPOSE("depthwise", DEPTHWISE, OF(5, 3, 3, B), OF(5, 1, 3, 3)),
    TRANSPOSE("padded beyond the kernel", FAR_PAD, OF(2, 4, 8, B), OF(2, 2, 3, 2)),
    TRANSPOSE("many channels", PADDED, OF(5, 2, 3, B), OF(5, 11, 3, 3)),
    TRANSPOSE("to one channel", STRIDED, OF(8, 4, 4, B), OF(8, 1, 3, 3)),
    WEIGHT(NULL, PLAIN, OF(2, 5, 6, B), OF(3, 3, 4, B)),
    WEIGHT("padded", PADDED, OF(2, 4, 3, B), OF(3, 4, 3, B)),
    WEIGHT("strided", STRIDED, OF(3, 8, 7, B), OF(2, 4, 4, B)),
    WEIGHT("unequal axes", UNEQUAL, OF(2, 7, 6, B), OF(2, 2, 6, B)),
    WEIGHT("strided and dilated", STRIDED_DILATED, OF(2, 8, 9, B), OF(2, 3, 4, B)),
    WEIGHT("stride beyond the kernel", GAPS, OF(2, 9, 8, B), OF(2, 3, 3, B)),
    WEIGHT("in groups", GROUPED, OF(4, 4, 5, B), OF(6, 4, 2, B)),
    WEIGHT("depthwise", DEPTHWISE, OF(5, 4, 3, B), OF(5, 4, 3, B)),
    WEIGHT("padded beyond the kernel", FAR_PAD, OF(2, 2, 3, B), OF(2, 4, 8, B)),
    WEIGHT("many channels", PADDED, OF(9, 2, 3, B), OF(11, 2, 3, B)),
    WEIGHT("of one channel", PLAIN, OF(1, 5, 6, B), OF(13, 3, 4, B)),
    WEIGHT("1 x 1", ONE_BY_ONE, OF(6, 3, 4, B), OF(5, 3, 4, B)),
    ON_SIGNALS(conv1d, NULL, SIGNAL, OF(2, 9, B), OF(3, 2, 5)),
    ON_SIGNALS(conv1d, "strided, in groups", SIGNAL_STRIDED, OF(4, 17, B), OF(2, 2, 4)),
    ON_SIGNALS(conv1d, "dilated", SIGNAL_DILATED, OF(2, 11, B), OF(2, 2, 3)),
    ON_SIGNALS(conv_transpose1d, NULL, SIGNAL, OF(3, 9, B), OF(3, 2, 5)),
    ON_SIGNALS(conv_transpose1d, "strided, in groups, larger", SIGNAL_STRIDED, OF(2, 6, B), OF(2, 2, 4)),
    ON_SIGNALS(conv1d_weight, NULL, SIGNAL, OF(2, 9, B), OF(3, 9, B)),
    ON_SIGNALS(conv1d_weight, "dilated", SIGNAL_DILATED, OF(2, 11, B), OF(2, 6, B)),
    BIASED(conv2d, conv2d_biased, GROUPED, OF(4, 4, 5, B), OF(6, 2, 3, 2), OF(6)),
    BIASED(conv_transpose2d, conv_transpose2d_biased, STRIDE_3, OF(3, 3, 2, B), OF(3, 2, 5, 5), OF(2)),
    BIASED(conv1d, conv1d_biased, SIGNAL_STRIDED, OF(4, 17, B), OF(2, 2, 4), OF(2)),
    MAX_POOL(NULL, HALVES, OF(2, 4, 6, B)),
    MAX_POOL("with a rest", HALVES, OF(2, 5, 3, B)),
    MAX_POOL("overlapping", OVERLAPPING, OF(2, 3, 4, B)),
    MAX_POOL("padded", EDGES, OF(2, 5, 6, B)),
    MAX_POOL("oblong", OBLONG, OF(1, 3, 5, B)),
    MAX_POOL("of everything", EVERYTHING, OF(3, 3, 4, B)),
    MAX_POOL("of many places", MANY_PLACES, OF(1, 18, 16, B)),
    MAX_VALUES(NULL, HALVES, OF(2, 4, 6, B)),
    SWITCHES("of many places", MANY_PLACES, OF(1, 18, 16, B)),
    MAX_SCATTER("of many places", MANY_PLACES, OF(1, 18, 16, B), OF(1, 2, 1, B)),
    SWITCHES(NULL, HALVES, OF(2, 4, 6, B)),
    SWITCHES("padded", EDGES, OF(2, 5, 6, B)),
    SWITCHES("of few values, mostly equal", OVERLAPPING, CHOICES(2, 3, 4, B)),
    MAX_SCATTER(NULL, HALVES, OF(2, 5, 6, B), OF(2, 2, 3, B)),
    MAX_SCATTER("overlapping", OVERLAPPING, OF(2, 3, 4, B), OF(2, 2, 3, B)),
    MAX_SCATTER("with gaps", SPREAD, OF(2, 5, 6, B), OF(2, 2, 3, B)),
    MAX_SCATTER("padded", EDGES, OF(2, 5, 6, B), OF(2, 3, 3, B)),
    MAX_GATHER(NULL, HALVES, OF(2, 5, 6, B)),
    MAX_GATHER("overlapping", OVERLAPPING, OF(2, 3, 4, B)),
    MAX_GATHER("padded", EDGES, OF(2, 5, 6, B)),
    { "max_unpool2d", NULL, { OF(2, 2, 3, B), INDICES(24, 2, 2, 3, B) }, 2, { HALVES }, .build = max_unpool2d,
      .reference = ref_max_unpool2d, .ulps = 8, .scale = 4, .linear = LINEAR(0) },
    AVG_POOL(avg_pool2d, NULL, HALVES, OF(2, 4, 6, B)),
    AVG_POOL(avg_pool2d, "overlapping", OVERLAPPING, OF(2, 3, 4, B)),
    AVG_POOL(avg_pool2d, "with gaps", SPREAD, OF(2, 5, 6, B)),
    AVG_POOL(avg_pool2d, "padded", EDGES, OF(2, 5, 6, B)),
    AVG_POOL(avg_pool2d, "oblong", OBLONG, OF(1, 3, 5, B)),
    AVG_POOL(avg_unpool2d, NULL, HALVES, OF(2, 2, 3, B)),
    AVG_POOL(avg_unpool2d, "overlapping", OVERLAPPING, OF(2, 2, 3, B)),
    AVG_POOL(avg_unpool2d, "with gaps", SPREAD, OF(2, 2, 3, B)),
    AVG_POOL(avg_unpool2d, "padded", EDGES, OF(2, 3, 3, B)),
    AVG_POOL(avg_unpool2d, "oblong", OBLONG, OF(1, 2, 3, B)),
    { "max_pool1d", NULL, { OF(2, 8, B) }, 1, { SIGNAL_POOL }, .build = max_pool1d, .reference = ref_max_pool1d },
    AVG_POOL(avg_pool1d, NULL, SIGNAL_POOL, OF(2, 8, B)),
    { "global_max_pool2d", NULL, { OF(3, 4, 3, B) }, 1, .unary = hg_global_max_pool2d,
      .reference = ref_global_max_pool2d },
    { "global_avg_pool2d", NULL, { OF(3, 4, 3, B) }, 1, .unary = hg_global_avg_pool2d,
      .reference = ref_global_avg_pool2d, .ulps = 8, .scale = 4, .linear = LINEAR(0) },
    UPSAMPLE(upsample2d, "nearest", 0, 6, 4, OF(2, 3, 2, B)),
    UPSAMPLE(upsample2d, "nearest, to odd sizes", 0, 7, 5, OF(2, 3, 4, B)),
    UPSAMPLE(upsample2d, "nearest, smaller", 0, 2, 3, OF(2, 5, 4, B)),
    UPSAMPLE(upsample2d, "bilinear", 1, 6, 4, OF(2, 3, 2, B)),
    UPSAMPLE(upsample2d, "bilinear, to odd sizes", 1, 8, 5, OF(2, 3, 4, B)),
    UPSAMPLE(upsample2d, "bilinear, smaller", 1, 3, 2, OF(2, 5, 4, B)),
    UPSAMPLE(upsample2d, "bilinear, from one place", 1, 3, 4, OF(2, 1, 1, B)),
    UPSAMPLE(upsample2d_adjoint, "nearest", 0, 3, 2, OF(2, 7, 5, B)),
    UPSAMPLE(upsample2d_adjoint, "nearest, smaller", 0, 5, 4, OF(2, 2, 3, B)),
    UPSAMPLE(upsample2d_adjoint, "bilinear", 1, 3, 2, OF(2, 6, 4, B)),
    UPSAMPLE(upsample2d_adjoint, "bilinear, from odd sizes", 1, 3, 4, OF(2, 8, 5, B)),
    UPSAMPLE(upsample2d_adjoint, "bilinear, smaller", 1, 5, 4, OF(2, 3, 2, B)),
    UPSAMPLE(upsample1d, "nearest", 0, 3, 0, OF(2, 4, B)),
    UPSAMPLE(upsample1d, "bilinear", 1, 2, 0, OF(2, 4, B)),
    { "batch_norm", NULL, { OF(3, 2, 2, B), OF(3), OF(3) }, 3, { 0.1 }, .build = batch_norm, .reference = ref_batch_norm,
      .ulps = 64, .scale = 4 },
    { "layer_norm", NULL, { OF(3, 2, 2, B), OF(3, 2, 2), OF(3, 2, 2) }, 3, { 0.1 }, .build = layer_norm,
      .reference = ref_layer_norm, .ulps = 64, .scale = 4 },
};

static const char *const names[] = { OPS_OF_CONV, NULL };

int main(void) { return run_rows(rows, sizeof rows / sizeof *rows, names, (const char *const[]){ NULL }); }
