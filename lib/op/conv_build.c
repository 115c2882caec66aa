/* The public face of the convolution family: options to attributes. */
#include "op.h"

#include <hourglass/conv.h>

#include "conv.h"
#include "options.h"

/* Options of all ops of the family; sizes are left to the caller. */
static bool common_options(hg_graph *graph, const char *op, const hg_conv_options *o, hg_conv *c)
{
    *c = (hg_conv){ .groups = o->groups == 0 ? 1 : o->groups };
    return hg_option_pair(graph, op, "stride", o->stride, o->stride_hw, 1, c->stride) &&
           hg_option_pair(graph, op, "pad", o->pad, o->pad_hw, 0, c->pad) &&
           hg_option_pair(graph, op, "dilation", o->dilation, o->dilation_hw, 1, c->dilation);
}

static void sizes_from(const hg_tensor *x, int64_t size[2], int first)
{
    for (int i = 0; i < 2; i++)
        size[i] = x->shape.dim[first + i];
}

/* (y - 1) stride - 2 pad + dilation (kernel - 1) + 1: the smallest x that gives y. One too large is refused later. */
static int64_t least_size(const hg_conv *c, int axis, int64_t y)
{
    int64_t steps, taps, pads, size;
    if (__builtin_mul_overflow(y - 1, c->stride[axis], &steps) ||
        __builtin_mul_overflow(c->kernel[axis] - 1, c->dilation[axis], &taps) ||
        __builtin_mul_overflow(c->pad[axis], -2, &pads) || __builtin_add_overflow(steps, taps, &size) ||
        __builtin_add_overflow(size, pads, &size) || __builtin_add_overflow(size, 1, &size))
        return INT64_MAX;
    return size;
}

static const hg_conv_options defaults;

hg_tensor *hg_conv2d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options)
{
    const hg_conv_options *o = options == NULL ? &defaults : options;
    hg_conv c;
    if (x == NULL || w == NULL || !common_options(x->graph, "conv2d", o, &c) ||
        !hg_option_absent(x->graph, "conv2d", "size", o->size, o->size_hw) ||
        !hg_option_absent(x->graph, "conv2d", "kernel", o->kernel, o->kernel_hw))
        return NULL;
    sizes_from(x, c.size, 1);
    sizes_from(w, c.kernel, 2);
    return hg_conv_apply(&c, HG_CONV_Y, (hg_tensor *[]){ x, w, NULL }, o->bias);
}

hg_tensor *hg_conv_transpose2d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options)
{
    const hg_conv_options *o = options == NULL ? &defaults : options;
    hg_conv c;
    if (y == NULL || w == NULL || !common_options(y->graph, "conv_transpose2d", o, &c) ||
        !hg_option_pair(y->graph, "conv_transpose2d", "size", o->size, o->size_hw, 0, c.size) ||
        !hg_option_absent(y->graph, "conv_transpose2d", "kernel", o->kernel, o->kernel_hw))
        return NULL;
    sizes_from(w, c.kernel, 2);
    for (int i = 0; i < 2; i++)
        if (c.size[i] == 0)
            c.size[i] = least_size(&c, i, y->shape.dim[i + 1]);
    return hg_conv_apply(&c, HG_CONV_X, (hg_tensor *[]){ NULL, w, y }, o->bias);
}

hg_tensor *hg_conv2d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options)
{
    const hg_conv_options *o = options == NULL ? &defaults : options;
    hg_conv c;
    if (x == NULL || y == NULL || !common_options(x->graph, "conv2d_weight", o, &c) ||
        !hg_option_absent(x->graph, "conv2d_weight", "size", o->size, o->size_hw) ||
        !hg_option_pair(x->graph, "conv2d_weight", "kernel", o->kernel, o->kernel_hw, 0, c.kernel))
        return NULL;
    sizes_from(x, c.size, 1);
    return hg_conv_apply(&c, HG_CONV_W, (hg_tensor *[]){ x, NULL, y }, o->bias);
}

/* ---- Signals: images of width 1 ---------------------------------------------------------------------------- */

/* The same options along the length alone. */
static bool signal_options(hg_graph *graph, const char *op, const hg_conv_options *options, hg_conv_options *to)
{
    const hg_conv_options *o = options == NULL ? &defaults : options;
    *to = (hg_conv_options){ .stride_hw = { o->stride, 1 }, .pad_hw = { o->pad, 0 }, .dilation_hw = { o->dilation, 1 },
                             .groups = o->groups, .bias = o->bias };
    if (o->size != 0) {
        to->size_hw[0] = o->size;
        to->size_hw[1] = 1;
    }
    if (o->kernel != 0) {
        to->kernel_hw[0] = o->kernel;
        to->kernel_hw[1] = 1;
    }
    return hg_option_absent(graph, op, "stride", 0, o->stride_hw) && hg_option_absent(graph, op, "pad", 0, o->pad_hw) &&
           hg_option_absent(graph, op, "dilation", 0, o->dilation_hw) &&
           hg_option_absent(graph, op, "size", 0, o->size_hw) && hg_option_absent(graph, op, "kernel", 0, o->kernel_hw);
}

static hg_tensor *weights_of_image(hg_tensor *w, const char *op)
{
    char text[HG_SHAPE_TEXT];
    if (w == NULL)
        return NULL;
    if (w->shape.rank != 3)
        return hg_graph_fail(w->graph, HG_BAD_SHAPE, "%s: weights of shape %s; they are output channels x input channels per "
                             "group x length", op, hg_shape_print(&w->shape, text));
    return hg_reshape(w, HG_SHAPE(w->shape.dim[0], w->shape.dim[1], w->shape.dim[2], 1));
}

hg_tensor *hg_conv1d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options)
{
    hg_conv_options o;
    if (x == NULL || w == NULL || !signal_options(x->graph, "conv1d", options, &o))
        return NULL;
    return hg_image_to_signal(hg_conv2d(hg_signal_to_image(x, "conv1d"), weights_of_image(w, "conv1d"), &o));
}

hg_tensor *hg_conv_transpose1d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options)
{
    hg_conv_options o;
    const char *op = "conv_transpose1d";
    if (y == NULL || w == NULL || !signal_options(y->graph, op, options, &o))
        return NULL;
    return hg_image_to_signal(hg_conv_transpose2d(hg_signal_to_image(y, op), weights_of_image(w, op), &o));
}

hg_tensor *hg_conv1d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options)
{
    hg_conv_options o;
    const char *op = "conv1d_weight";
    if (x == NULL || y == NULL || !signal_options(x->graph, op, options, &o))
        return NULL;
    hg_tensor *w = hg_conv2d_weight(hg_signal_to_image(x, op), hg_signal_to_image(y, op), &o);
    return w == NULL ? NULL : hg_reshape(w, HG_SHAPE(w->shape.dim[0], w->shape.dim[1], w->shape.dim[2]));
}
