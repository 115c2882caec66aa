/* The layers that a file can name: a layer is a file and a line here. */
#include <hourglass/layer.h>

const hg_kind *const hg_layer_kinds[] = {
    &hg_dense_layer.kind,
    &hg_custom_layer.kind,
    NULL,
};
