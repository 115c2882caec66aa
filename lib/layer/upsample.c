/* Upsampling of images and signals. */
#include "common.h"

static hg_tensor *upsample2d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return hg_layer_takes(x, 4, context) ? hg_upsample2d(x, spec) : NULL;
}

static hg_tensor *upsample1d(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    return hg_layer_takes(x, 3, context) ? hg_upsample1d(x, spec) : NULL;
}

static hg_window window(const void *spec, int axis, int64_t input, int64_t output)
{
    const hg_upsample_options *o = spec;
    (void)axis;
    return (hg_window){ o->by == HG_BILINEAR ? 2 : 1, (double)input / (double)output };
}

static const char *const methods[] = { [HG_NEAREST] = "nearest", [HG_BILINEAR] = "bilinear", NULL };

#define OPTION(name) HG_OPTIONAL_INT_FIELD(hg_upsample_options, name, "[1, inf)")
#define OPTION_OF_IMAGES(name) OPTION(name), HG_PAIR_FIELD(hg_upsample_options, name##_hw, "[1, inf)")
#define BY HG_CHOICE_FIELD(hg_upsample_options, by, methods)

const hg_layer_kind hg_upsample2d_layer = {
    .kind = { "upsample2d", sizeof(hg_upsample_options),
              (const hg_field[]){ OPTION_OF_IMAGES(factor), OPTION_OF_IMAGES(size), BY, { 0 } } },
    .apply = upsample2d,
    .window = window,
};

const hg_layer_kind hg_upsample1d_layer = {
    .kind = { "upsample1d", sizeof(hg_upsample_options),
              (const hg_field[]){ OPTION(factor), OPTION(size), BY, { 0 } } },
    .apply = upsample1d,
    .window = window,
};
