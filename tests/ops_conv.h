/* The ops whose rows are in ops_conv.c, for the test that each op has a row. */
#ifndef HG_TESTS_OPS_CONV_H
#define HG_TESTS_OPS_CONV_H

#define OPS_OF_CONV                                                                                                 \
    "conv2d", "conv_transpose2d", "conv2d_weight", "max_pool2d", "max_pool_values", "max_pool_switches",         \
        "max_pool_scatter", "max_pool_gather", "avg_pool2d", "avg_unpool2d", "upsample2d", "upsample2d_adjoint"

#endif
