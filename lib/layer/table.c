/* The layers that a file can name: a layer is a file and a line here. */
#include <hourglass/layer.h>

const hg_kind *const hg_layer_kinds[] = {
    &hg_dense_layer.kind,
    &hg_custom_layer.kind,
    &hg_conv2d_layer.kind,
    &hg_conv_transpose2d_layer.kind,
    &hg_conv1d_layer.kind,
    &hg_conv_transpose1d_layer.kind,
    &hg_max_pool2d_layer.kind,
    &hg_avg_pool2d_layer.kind,
    &hg_max_pool1d_layer.kind,
    &hg_avg_pool1d_layer.kind,
    &hg_max_unpool2d_layer.kind,
    &hg_max_unpool1d_layer.kind,
    &hg_global_max_pool2d_layer.kind,
    &hg_global_avg_pool2d_layer.kind,
    &hg_upsample2d_layer.kind,
    &hg_upsample1d_layer.kind,
    &hg_batch_norm_layer.kind,
    &hg_layer_norm_layer.kind,
    &hg_dropout_layer.kind,
    &hg_gain_layer.kind,
    &hg_flatten_layer.kind,
    &hg_reshape_layer.kind,
    &hg_variational_layer.kind,
    NULL,
};
