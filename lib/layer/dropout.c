/* Dropout. */
#include "common.h"

static hg_tensor *apply(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    const double kept = 1 - ((const hg_dropout_spec *)attributes)->rate;
    if (x == NULL || context->mode != HG_TRAINING)
        return x;
    return hg_mul(x, hg_scale(hg_random_mask(context->step, "mask", *hg_tensor_shape(x), kept), 1 / kept));
}

static const hg_layer_kind *mirror(const void *attributes, const hg_shape *input, void *mirrored)
{
    (void)input;
    *(hg_dropout_spec *)mirrored = *(const hg_dropout_spec *)attributes;
    return &hg_dropout_layer;
}

const hg_layer_kind hg_dropout_layer = {
    .kind = { "dropout", sizeof(hg_dropout_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_dropout_spec, rate, "(0, 1)", 0), { 0 } } },
    .apply = apply,
    .window = hg_window_of_one,
    .mirror = mirror,
};
