/* What the pools share but for kernels: shapes, options, signals, global pools. */
#include "op.h"

#include "options.h"
#include "pool.h"

/* ---- Shapes ---------------------------------------------------------------------------------------------- */

static bool check_axis(hg_tensor *t, const hg_pool *w, int i)
{
    static const char *const axis_name[] = { "height", "width" };
    const int64_t most = INT32_MAX;
    const long long window = w->window[i], stride = w->stride[i], pad = w->pad[i], size = w->size[i];
    if (window < 1 || window > most || stride < 1 || stride > most || pad < 0)
        return hg_infer_fail(t, HG_BAD_ARGUMENT, "a window of %s %lld, stride %lld, padding %lld: size and stride must be 1 "
                             "or more, padding 0 or more, all below 2^31", axis_name[i], window, stride, pad);
    if (pad >= window)
        return hg_infer_fail(t, HG_BAD_ARGUMENT, "padding %lld along the %s: some windows of %lld would see nothing else; "
                             "%lld or less would fit", pad, axis_name[i], window, window - 1);
    if (size > most || window > size + 2 * pad)
        return hg_infer_fail(t, HG_BAD_SHAPE, "a window of %s %lld over a padded input of %lld: a size of %lld or less would "
                             "fit", axis_name[i], window, size + 2 * pad, size + 2 * pad);
    return true;
}

static bool check_pool(hg_tensor *t)
{
    const hg_pool *w = t->attr;
    const hg_shape *x = &t->input[0]->shape;
    if (t->input[0]->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    if (x->rank != 4 || x->dim[0] < 0 || x->dim[1] < 0 || x->dim[2] < 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "images are channels x height x width x samples, and only the samples can be "
                             "HG_BATCH");
    if (!check_axis(t, w, 0) || !check_axis(t, w, 1))
        return false;
    return w->size[0] * w->size[1] <= INT32_MAX || hg_infer_fail(t, HG_BAD_SHAPE, "images of 2^31 places or more");
}

bool hg_pool_infer(hg_tensor *t, hg_dtype dtype)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->input[0]->shape.dim;
    return check_pool(t) && hg_set_result(t, dtype, HG_SHAPE(dim[0], hg_pooled(w, 0), hg_pooled(w, 1), dim[3]));
}

bool hg_unpool_infer(hg_tensor *t)
{
    const hg_pool *w = t->attr;
    const int64_t *dim = t->input[0]->shape.dim;
    return check_pool(t) && hg_pool_fits(t, 0) &&
           hg_set_result(t, t->input[0]->dtype, HG_SHAPE(dim[0], w->size[0], w->size[1], dim[3]));
}

bool hg_pool_fits(hg_tensor *t, int index)
{
    const hg_pool *w = t->attr;
    const hg_tensor *y = t->input[index];
    const hg_shape *x = &t->input[0]->shape;
    const hg_shape right = HG_SHAPE(x->dim[0], hg_pooled(w, 0), hg_pooled(w, 1), x->dim[3]);
    char text[HG_SHAPE_TEXT];
    return (y->dtype != HG_I64 && hg_shape_equal(&y->shape, &right)) ||
           hg_infer_fail(t, HG_BAD_SHAPE, "input %d must be real and %s", index, hg_shape_print(&right, text));
}

/* ---- Options --------------------------------------------------------------------------------------------- */

bool hg_pool_of(hg_tensor *x, const char *op, const hg_pool_options *options, hg_pool *w)
{
    static const hg_pool_options defaults;
    const hg_pool_options *o = options == NULL ? &defaults : options;
    if (x == NULL || !hg_option_pair(x->graph, op, "size", o->size, o->size_hw, 0, w->window) ||
        !hg_option_pair(x->graph, op, "stride", o->stride, o->stride_hw, 0, w->stride) ||
        !hg_option_pair(x->graph, op, "pad", o->pad, o->pad_hw, 0, w->pad))
        return false;
    for (int i = 0; i < 2; i++) {
        w->stride[i] = w->stride[i] == 0 ? w->window[i] : w->stride[i];
        w->size[i] = x->shape.dim[i + 1];
    }
    return true;
}

/* ---- Signals: images of width 1 -------------------------------------------------------------------------- */

typedef hg_tensor *pool_fn(hg_tensor *x, const hg_pool_options *options);

static hg_tensor *of_signal(pool_fn *pool, const char *op, hg_tensor *x, const hg_pool_options *options)
{
    static const hg_pool_options defaults;
    const hg_pool_options *o = options == NULL ? &defaults : options;
    if (x == NULL || !hg_option_absent(x->graph, op, "size", 0, o->size_hw) ||
        !hg_option_absent(x->graph, op, "stride", 0, o->stride_hw) || !hg_option_absent(x->graph, op, "pad", 0, o->pad_hw))
        return NULL;
    const hg_pool_options of_image = { .size_hw = { o->size, 1 }, .stride_hw = { o->stride == 0 ? o->size : o->stride, 1 },
                                       .pad_hw = { o->pad, 0 } };
    return hg_image_to_signal(pool(hg_signal_to_image(x, op), &of_image));
}

hg_tensor *hg_max_pool1d(hg_tensor *x, const hg_pool_options *options)
{
    return of_signal(hg_max_pool2d, "max_pool1d", x, options);
}

hg_tensor *hg_max_pool1d_switches(hg_tensor *x, const hg_pool_options *options)
{
    return of_signal(hg_max_pool2d_switches, "max_pool1d_switches", x, options);
}

hg_tensor *hg_avg_pool1d(hg_tensor *x, const hg_pool_options *options)
{
    return of_signal(hg_avg_pool2d, "avg_pool1d", x, options);
}

hg_tensor *hg_max_unpool1d(hg_tensor *y, hg_tensor *switches, int64_t length)
{
    return hg_image_to_signal(hg_max_unpool2d(hg_signal_to_image(y, "max_unpool1d"),
                                              hg_signal_to_image(switches, "max_unpool1d"), length, 1));
}

/* ---- Unpooling by switches, global pools ----------------------------------------------------------------- */

/* The places of an image in one axis. */
static hg_tensor *flattened(hg_tensor *x)
{
    const int64_t *dim = x->shape.dim;
    return hg_reshape(x, HG_SHAPE(dim[0], dim[1] * dim[2], dim[3]));
}

hg_tensor *hg_max_unpool2d(hg_tensor *y, hg_tensor *switches, int64_t height, int64_t width)
{
    if (y == NULL || switches == NULL)
        return NULL;
    int64_t places;
    if (y->shape.rank != 4 || !hg_shape_equal(&y->shape, &switches->shape) || height < 1 || width < 1 ||
        __builtin_mul_overflow(height, width, &places)) {
        char of_y[HG_SHAPE_TEXT], of_switches[HG_SHAPE_TEXT];
        return hg_graph_fail(y->graph, HG_BAD_SHAPE, "max_unpool2d to %lldx%lld of %s by switches of %s: both must be the "
                             "same channels x height x width x samples, and the result at least 1x1", (long long)height,
                             (long long)width, hg_shape_print(&y->shape, of_y),
                             hg_shape_print(&switches->shape, of_switches));
    }
    return hg_reshape(hg_scatter(flattened(y), flattened(switches), 1, places),
                      HG_SHAPE(y->shape.dim[0], height, width, y->shape.dim[3]));
}

/* What is left of an image when its places went away, as an image of one place. */
static hg_tensor *as_one_place(hg_tensor *y)
{
    return y == NULL ? NULL : hg_reshape(y, HG_SHAPE(y->shape.dim[0], 1, 1, y->shape.dim[1]));
}

static bool is_image(hg_tensor *x, const char *op)
{
    char text[HG_SHAPE_TEXT];
    if (x == NULL || x->shape.rank == 4)
        return x != NULL;
    hg_graph_fail(x->graph, HG_BAD_SHAPE, "%s of %s: images are channels x height x width x samples", op,
                  hg_shape_print(&x->shape, text));
    return false;
}

hg_tensor *hg_global_max_pool2d(hg_tensor *x)
{
    return is_image(x, "global_max_pool2d") ? as_one_place(hg_max(x, HG_AXIS(1) | HG_AXIS(2))) : NULL;
}

hg_tensor *hg_global_avg_pool2d(hg_tensor *x)
{
    return is_image(x, "global_avg_pool2d") ? as_one_place(hg_mean(x, HG_AXIS(1) | HG_AXIS(2))) : NULL;
}
