/* A layer that is a function of the program. */
#include <hourglass/layer.h>

static hg_tensor *apply(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    (void)context;
    const hg_custom_spec *spec = attributes;
    return spec->function == NULL ? x : spec->function(x);
}

const hg_layer_kind hg_custom_layer = {
    .kind = { "custom", sizeof(hg_custom_spec),
              (const hg_field[]){ HG_ACTIVATION_FIELD(hg_custom_spec, function), { 0 } } },
    .apply = apply,
};
