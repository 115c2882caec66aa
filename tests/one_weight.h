/* An autoencoder whose training can be followed by hand. */
#ifndef HG_TESTS_ONE_WEIGHT_H
#define HG_TESTS_ONE_WEIGHT_H

#include <hourglass.h>

/* A loss whose gradient is the mean of x: each step of SGD takes rate * mean(x) from the one weight. */
static hg_tensor *mean_output(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_mean(parts->reconstruction, HG_ALL_AXES);
}
static const hg_loss_kind mean_output_loss = { .kind = { .name = "mean_output" }, .apply = mean_output };
static const hg_autoencoder one_weight = { .name = "one weight",
                                           .input = { 1 },
                                           .encoder = { HG_DENSE(1, .no_bias = true, .init = HG_FILLED(1)) },
                                           .decoder = { HG_CUSTOM(hg_identity) },
                                           .loss = { &mean_output_loss, NULL } };

#endif
