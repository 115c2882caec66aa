/* Convolution and transposed convolution, of images and signals: one spec, four kinds. */
#include "common.h"

static hg_conv_options options_of(const hg_conv_spec *s, hg_tensor *bias)
{
    return (hg_conv_options){ .stride = s->stride,
                              .stride_hw = { s->stride_hw[0], s->stride_hw[1] },
                              .pad = s->pad,
                              .pad_hw = { s->pad_hw[0], s->pad_hw[1] },
                              .dilation = s->dilation,
                              .dilation_hw = { s->dilation_hw[0], s->dilation_hw[1] },
                              .groups = s->groups,
                              .size = s->size,
                              .size_hw = { s->size_hw[0], s->size_hw[1] },
                              .bias = bias };
}

/* ---- Weights -------------------------------------------------------------------------------------------- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool groups_divide(const hg_tensor *x, const hg_conv_spec *s, const char *place)
{
    char text[HG_SHAPE_TEXT];
    hg_shape input = *hg_tensor_shape(x);
    const int64_t most = common_divisor(input.dim[0], s->channels);
    if (most % s->groups == 0)
        return true;
    input.rank--;
    hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE,
                  "%s: %lld groups, which do not divide both the %lld channels of its input, %s, and the %lld of its output; "
                  "%lld or a divisor of it would fit", place, (long long)s->groups, (long long)input.dim[0],
                  hg_shape_print(&input, text), (long long)s->channels, (long long)most);
    return false;
}

static bool kernel_is_given(const hg_tensor *x, const hg_conv_spec *s, const char *place)
{
    const bool pair = s->kernel_hw[0] != 0 || s->kernel_hw[1] != 0, images = hg_tensor_shape(x)->rank == 4;
    if ((s->kernel != 0) != pair && (images || !pair))
        return true;
    hg_graph_fail(hg_tensor_graph(x), HG_BAD_ARGUMENT, "%s: %s", place,
                  images ? "either kernel or kernel_hw must be given" : "kernel must be given, and no kernel_hw");
    return false;
}

/* A transposed convolution's weights are those of the convolution that it transposes: its own input comes first. He's rule
   counts what a number is summed from, and that is its input's channels either way. */
static hg_tensor *make_weight(hg_tensor *x, const hg_conv_spec *s, bool transposed, const hg_layer_context *context)
{
    if (!groups_divide(x, s, context->place) || !kernel_is_given(x, s, context->place))
        return NULL;
    const int64_t inputs = hg_tensor_shape(x)->dim[0];
    hg_initializer init = s->init.kind != HG_INITIAL_ZEROS ? s->init : hg_activation_initializer(s->act);
    hg_shape shape = { .rank = hg_tensor_shape(x)->rank };
    shape.dim[0] = transposed ? inputs : s->channels;
    shape.dim[1] = (transposed ? s->channels : inputs) / s->groups;
    for (int axis = 0; axis < shape.rank - 2; axis++)
        shape.dim[axis + 2] = hg_along(s->kernel, s->kernel_hw, axis, 1);
    if (transposed && init.kind == HG_INITIAL_HE)
        init.a *= sqrt((double)s->channels / (double)inputs);
    return hg_layer_weight(hg_tensor_graph(x), context, shape, init, s->act);
}

static hg_tensor *make_bias(hg_tensor *x, const hg_conv_spec *s)
{
    return s->no_bias ? NULL : hg_parameter(hg_tensor_graph(x), "bias", HG_SHAPE(s->channels), hg_zeros());
}

/* ---- Layers --------------------------------------------------------------------------------------------- */

static hg_tensor *activate(hg_tensor *y, const hg_conv_spec *s)
{
    return s->act == NULL ? y : s->act(y);
}

typedef hg_tensor *conv_fn(hg_tensor *x, hg_tensor *w, const hg_conv_options *options);

static hg_tensor *convolve(hg_tensor *x, const hg_conv_spec *s, const hg_layer_context *context, int axes, conv_fn *conv)
{
    if (!hg_layer_takes(x, axes, context))
        return NULL;
    hg_tensor *w = make_weight(x, s, false, context);
    const hg_conv_options options = options_of(s, make_bias(x, s));
    return activate(conv(x, w, &options), s);
}

static hg_tensor *conv2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return convolve(x, spec, context, 4, hg_conv2d);
}

static hg_tensor *conv1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return convolve(x, spec, context, 3, hg_conv1d);
}

/* Whether y, of the smallest size, falls short of the target by no more than the strides leave open. */
static bool can_grow_to(const hg_tensor *target, const hg_tensor *y, const hg_conv_spec *s)
{
    if (target == NULL || hg_tensor_shape(target)->rank != hg_tensor_shape(y)->rank)
        return false;
    bool open = true;
    for (int axis = 0; axis < hg_tensor_shape(y)->rank - 2; axis++) {
        const int64_t missing = hg_tensor_shape(target)->dim[axis + 1] - hg_tensor_shape(y)->dim[axis + 1];
        open = open && missing >= 0 && missing < hg_along(s->stride, s->stride_hw, axis, 1);
    }
    return open;
}

static hg_tensor *transpose(hg_tensor *x, const hg_conv_spec *s, const hg_layer_context *context, int axes, conv_fn *conv)
{
    if (!hg_layer_takes(x, axes, context))
        return NULL;
    hg_tensor *w = make_weight(x, s, true, context);
    hg_conv_options options = options_of(s, make_bias(x, s));
    hg_tensor *y = conv(x, w, &options);
    const bool given = s->size != 0 || s->size_hw[0] != 0 || s->size_hw[1] != 0;
    if (y != NULL && !given && can_grow_to(context->target, y, s)) {
        const int64_t *dim = hg_tensor_shape(context->target)->dim;
        if (axes == 3)
            options.size = dim[1];
        for (int axis = 0; axes == 4 && axis < 2; axis++)
            options.size_hw[axis] = dim[axis + 1];
        y = conv(x, w, &options);
    }
    return activate(y, s);
}

static hg_tensor *conv_transpose2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return transpose(x, spec, context, 4, hg_conv_transpose2d);
}

static hg_tensor *conv_transpose1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return transpose(x, spec, context, 3, hg_conv_transpose1d);
}

/* ---- Windows -------------------------------------------------------------------------------------------- */

/* Places from the first tap to the last. */
static int64_t extent(const hg_conv_spec *s, int axis)
{
    return hg_along(s->dilation, s->dilation_hw, axis, 1) * (hg_along(s->kernel, s->kernel_hw, axis, 1) - 1) + 1;
}

static hg_window window(const void *spec, int axis, int64_t input, int64_t output)
{
    const hg_conv_spec *s = spec;
    (void)input, (void)output;
    return (hg_window){ (double)extent(s, axis), (double)hg_along(s->stride, s->stride_hw, axis, 1) };
}

static hg_window transposed_window(const void *spec, int axis, int64_t input, int64_t output)
{
    const hg_conv_spec *s = spec;
    const int64_t stride = hg_along(s->stride, s->stride_hw, axis, 1);
    (void)input, (void)output;
    return (hg_window){ (double)((extent(s, axis) - 1) / stride + 1), 1 / (double)stride };
}

/* ---- Mirrors -------------------------------------------------------------------------------------------- */

/* All that a convolution and its transpose have in common. */
static hg_conv_spec *mirror_of(const hg_conv_spec *s, const hg_shape *input, void *mirrored)
{
    hg_conv_spec *to = mirrored;
    *to = *s;
    to->act = NULL;
    to->channels = input->dim[0];
    to->size = to->size_hw[0] = to->size_hw[1] = 0;
    return to;
}

static const hg_layer_kind *mirror_conv2d(const void *spec, const hg_shape *input, void *mirrored)
{
    hg_conv_spec *to = mirror_of(spec, input, mirrored);
    to->size_hw[0] = input->dim[1];
    to->size_hw[1] = input->dim[2];
    return &hg_conv_transpose2d_layer;
}

static const hg_layer_kind *mirror_conv1d(const void *spec, const hg_shape *input, void *mirrored)
{
    mirror_of(spec, input, mirrored)->size = input->dim[1];
    return &hg_conv_transpose1d_layer;
}

static const hg_layer_kind *mirror_transpose2d(const void *spec, const hg_shape *input, void *mirrored)
{
    mirror_of(spec, input, mirrored);
    return &hg_conv2d_layer;
}

static const hg_layer_kind *mirror_transpose1d(const void *spec, const hg_shape *input, void *mirrored)
{
    mirror_of(spec, input, mirrored);
    return &hg_conv1d_layer;
}

/* ---- Kinds ---------------------------------------------------------------------------------------------- */

#define CHANNELS HG_INT_FIELD(hg_conv_spec, channels, "[1, inf)", 0)
#define OPTION(name, range) HG_OPTIONAL_INT_FIELD(hg_conv_spec, name, range)
#define OPTION_OF_IMAGES(name, range) OPTION(name, range), HG_PAIR_FIELD(hg_conv_spec, name##_hw, range)
#define OTHERS                                                                                                \
    HG_INT_FIELD(hg_conv_spec, groups, "[1, inf)", 1), HG_ACTIVATION_FIELD(hg_conv_spec, act),                \
        HG_INITIALIZER_FIELD(hg_conv_spec, init), HG_BOOL_FIELD(hg_conv_spec, no_bias), { 0 }

const hg_layer_kind hg_conv2d_layer = {
    .kind = { "conv2d", sizeof(hg_conv_spec),
              (const hg_field[]){ CHANNELS, OPTION_OF_IMAGES(kernel, "[1, inf)"), OPTION_OF_IMAGES(stride, "[1, inf)"),
                                  OPTION_OF_IMAGES(pad, "[0, inf)"), OPTION_OF_IMAGES(dilation, "[1, inf)"), OTHERS } },
    .apply = conv2d,
    .window = window,
    .mirror = mirror_conv2d,
};

const hg_layer_kind hg_conv_transpose2d_layer = {
    .kind = { "conv_transpose2d", sizeof(hg_conv_spec),
              (const hg_field[]){ CHANNELS, OPTION_OF_IMAGES(kernel, "[1, inf)"), OPTION_OF_IMAGES(stride, "[1, inf)"),
                                  OPTION_OF_IMAGES(pad, "[0, inf)"), OPTION_OF_IMAGES(dilation, "[1, inf)"),
                                  OPTION_OF_IMAGES(size, "[1, inf)"), OTHERS } },
    .apply = conv_transpose2d,
    .window = transposed_window,
    .mirror = mirror_transpose2d,
};

const hg_layer_kind hg_conv1d_layer = {
    .kind = { "conv1d", sizeof(hg_conv_spec),
              (const hg_field[]){ CHANNELS, OPTION(kernel, "[1, inf)"), OPTION(stride, "[1, inf)"), OPTION(pad, "[0, inf)"),
                                  OPTION(dilation, "[1, inf)"), OTHERS } },
    .apply = conv1d,
    .window = window,
    .mirror = mirror_conv1d,
};

const hg_layer_kind hg_conv_transpose1d_layer = {
    .kind = { "conv_transpose1d", sizeof(hg_conv_spec),
              (const hg_field[]){ CHANNELS, OPTION(kernel, "[1, inf)"), OPTION(stride, "[1, inf)"), OPTION(pad, "[0, inf)"),
                                  OPTION(dilation, "[1, inf)"), OPTION(size, "[1, inf)"), OTHERS } },
    .apply = conv_transpose1d,
    .window = transposed_window,
    .mirror = mirror_transpose1d,
};
