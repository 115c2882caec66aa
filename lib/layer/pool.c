/* Pools of images and signals, and what undoes them. */
#include "common.h"

/* ---- Windows -------------------------------------------------------------------------------------------- */

static hg_window window(const void *spec, int axis, int64_t input, int64_t output)
{
    const hg_pool_options *o = spec;
    const int64_t size = hg_along(o->size, o->size_hw, axis, 1);
    (void)input, (void)output;
    return (hg_window){ (double)size, (double)hg_along(o->stride, o->stride_hw, axis, size) };
}

/* The stride of the pool is not known here, but the nearest to how much longer the output is. */
static hg_window window_of_unpool(const void *spec, int axis, int64_t input, int64_t output)
{
    (void)spec, (void)axis;
    return (hg_window){ 1, 1 / ceil((double)output / (double)input - 0.5) };
}

/* ---- Pools ---------------------------------------------------------------------------------------------- */

static bool window_is_given(const hg_tensor *x, const hg_pool_options *o, const char *place)
{
    const bool pair = o->size_hw[0] != 0 || o->size_hw[1] != 0, images = hg_tensor_shape(x)->rank == 4;
    if ((o->size != 0) != pair && (images || !pair))
        return true;
    hg_graph_fail(hg_tensor_graph(x), HG_BAD_ARGUMENT, "%s: %s", place,
                  images ? "either size or size_hw must be given" : "size must be given, and no size_hw");
    return false;
}

/* For the layer that undoes the pool. */
static bool remember(const hg_layer_context *context, const hg_tensor *x, hg_tensor *switches)
{
    hg_pools *pools = context->pools;
    if (pools == NULL || switches == NULL)
        return switches != NULL;
    if (pools->count == HG_MOST_POOLS) {
        hg_graph_fail(hg_tensor_graph(x), HG_BAD_ARGUMENT, "%s: there are more than %d max pools", context->place,
                      HG_MOST_POOLS);
        return false;
    }
    pools->at[pools->count++] = (hg_pooled){ switches, *hg_tensor_shape(x) };
    return true;
}

typedef hg_tensor *pool_fn(hg_tensor *x, const hg_pool_options *options);

static hg_tensor *apply_pool(hg_tensor *x, const void *spec, const hg_layer_context *context, int axes, pool_fn *pool,
                             pool_fn *switches)
{
    if (!hg_layer_takes(x, axes, context) || !window_is_given(x, spec, context->place))
        return NULL;
    if (switches != NULL && !remember(context, x, switches(x, spec)))
        return NULL;
    return pool(x, spec);
}

static hg_tensor *max_pool2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return apply_pool(x, spec, context, 4, hg_max_pool2d, hg_max_pool2d_switches);
}

static hg_tensor *avg_pool2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return apply_pool(x, spec, context, 4, hg_avg_pool2d, NULL);
}

static hg_tensor *max_pool1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return apply_pool(x, spec, context, 3, hg_max_pool1d, hg_max_pool1d_switches);
}

static hg_tensor *avg_pool1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return apply_pool(x, spec, context, 3, hg_avg_pool1d, NULL);
}

/* ---- Unpooling ------------------------------------------------------------------------------------------ */

static const hg_pooled *last_pool(const hg_tensor *x, const hg_layer_context *context)
{
    char given[HG_SHAPE_TEXT], wanted[HG_SHAPE_TEXT];
    hg_pools *pools = context->pools;
    if (pools == NULL || pools->count == 0) {
        hg_graph_fail(hg_tensor_graph(x), HG_BAD_ARGUMENT, "%s: no max pool before it is left to undo", context->place);
        return NULL;
    }
    const hg_pooled *pooled = &pools->at[--pools->count];
    if (hg_shape_equal(hg_tensor_shape(x), hg_tensor_shape(pooled->switches)))
        return pooled;
    hg_shape shape = *hg_tensor_shape(x), switches = *hg_tensor_shape(pooled->switches);
    shape.rank--;
    switches.rank--;
    hg_graph_fail(hg_tensor_graph(x), HG_BAD_SHAPE, "%s: its input is %s, but the max pool that it undoes gives %s",
                  context->place, hg_shape_print(&shape, given), hg_shape_print(&switches, wanted));
    return NULL;
}

static hg_tensor *max_unpool2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    const hg_pooled *pooled = hg_layer_takes(x, 4, context) ? last_pool(x, context) : NULL;
    return pooled == NULL ? NULL : hg_max_unpool2d(x, pooled->switches, pooled->shape.dim[1], pooled->shape.dim[2]);
}

static hg_tensor *max_unpool1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    const hg_pooled *pooled = hg_layer_takes(x, 3, context) ? last_pool(x, context) : NULL;
    return pooled == NULL ? NULL : hg_max_unpool1d(x, pooled->switches, pooled->shape.dim[1]);
}

/* ---- Over the whole image ------------------------------------------------------------------------------- */

static hg_tensor *global_max_pool2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    return hg_layer_takes(x, 4, context) ? hg_global_max_pool2d(x) : NULL;
}

static hg_tensor *global_avg_pool2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    return hg_layer_takes(x, 4, context) ? hg_global_avg_pool2d(x) : NULL;
}

/* ---- Mirrors: upsampling, which needs the code alone ---------------------------------------------------- */

static const hg_layer_kind *mirror2d(const void *spec, const hg_shape *input, void *mirrored)
{
    (void)spec;
    *(hg_upsample_options *)mirrored = (hg_upsample_options){ .size_hw = { input->dim[1], input->dim[2] } };
    return &hg_upsample2d_layer;
}

static const hg_layer_kind *mirror1d(const void *spec, const hg_shape *input, void *mirrored)
{
    (void)spec;
    *(hg_upsample_options *)mirrored = (hg_upsample_options){ .size = input->dim[1] };
    return &hg_upsample1d_layer;
}

/* ---- Kinds ---------------------------------------------------------------------------------------------- */

#define OPTION(name, range) HG_OPTIONAL_INT_FIELD(hg_pool_options, name, range)
#define OPTION_OF_IMAGES(name, range) OPTION(name, range), HG_PAIR_FIELD(hg_pool_options, name##_hw, range)

static const hg_field fields_of_images[] = { OPTION_OF_IMAGES(size, "[1, inf)"), OPTION_OF_IMAGES(stride, "[1, inf)"),
                                             OPTION_OF_IMAGES(pad, "[0, inf)"), { 0 } },
                      fields_of_signals[] = { OPTION(size, "[1, inf)"), OPTION(stride, "[1, inf)"),
                                              OPTION(pad, "[0, inf)"), { 0 } };

const hg_layer_kind hg_max_pool2d_layer = { .kind = { "max_pool2d", sizeof(hg_pool_options), fields_of_images },
                                            .apply = max_pool2d, .window = window, .mirror = mirror2d };
const hg_layer_kind hg_avg_pool2d_layer = { .kind = { "avg_pool2d", sizeof(hg_pool_options), fields_of_images },
                                            .apply = avg_pool2d, .window = window, .mirror = mirror2d };
const hg_layer_kind hg_max_pool1d_layer = { .kind = { "max_pool1d", sizeof(hg_pool_options), fields_of_signals },
                                            .apply = max_pool1d, .window = window, .mirror = mirror1d };
const hg_layer_kind hg_avg_pool1d_layer = { .kind = { "avg_pool1d", sizeof(hg_pool_options), fields_of_signals },
                                            .apply = avg_pool1d, .window = window, .mirror = mirror1d };
const hg_layer_kind hg_max_unpool2d_layer = { .kind = { .name = "max_unpool2d" }, .apply = max_unpool2d,
                                              .window = window_of_unpool };
const hg_layer_kind hg_max_unpool1d_layer = { .kind = { .name = "max_unpool1d" }, .apply = max_unpool1d,
                                              .window = window_of_unpool };
const hg_layer_kind hg_global_max_pool2d_layer = { .kind = { .name = "global_max_pool2d" }, .apply = global_max_pool2d,
                                                   .window = hg_window_of_all, .mirror = mirror2d };
const hg_layer_kind hg_global_avg_pool2d_layer = { .kind = { .name = "global_avg_pool2d" }, .apply = global_avg_pool2d,
                                                   .window = hg_window_of_all, .mirror = mirror2d };
