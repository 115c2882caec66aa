/* Autoencoders to test with. */
#ifndef HG_TESTS_AUTOENCODERS_H
#define HG_TESTS_AUTOENCODERS_H

#include "files.h"

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/train.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* All words, up to NULL, must be in the message. */
static inline void assert_words(const char *message, const char *const words[])
{
    for (; *words != NULL; words++)
        if (strstr(message, *words) == NULL)
            fail_msg("\"%s\" should say \"%s\"", message, *words);
}

static inline hg_tensor *halve(hg_tensor *x)
{
    return hg_scale(x, 0.5);
}

/* A layer of the program's own, with a parameter and noise that changes with the step. */
static inline hg_tensor *gain(hg_tensor *x)
{
    hg_tensor *scale = hg_parameter(hg_tensor_graph(x), "gain", HG_SCALAR, hg_filled(2));
    return hg_mul(scale, x);
}

static inline hg_tensor *add_noise(hg_tensor *x, const void *spec, const hg_layer_context *context)
{
    (void)spec;
    if (x == NULL || strstr(context->place, "(noise)") == NULL)
        return NULL;
    return hg_add(x, hg_random_normal(context->step, "noise", *hg_tensor_shape(x)));
}

static const hg_layer_kind noise_layer = { .kind = { .name = "noise" }, .apply = add_noise };
#define NOISE { &noise_layer, NULL }

/* clang-format off */
static const hg_autoencoder
    small = { .name = "small", .input = { 1, 3, 4 },
              .encoder = { HG_DENSE(5, .act = hg_sigmoid) }, .decoder = { HG_DENSE(12, .act = hg_sigmoid) },
              .loss = HG_BINARY_CROSS_ENTROPY, .penalties = { HG_WEIGHT_DECAY(0.01) } },
    full = { .name = "full", .description = "with \"all\" fields", .input = { 12 },
             .encoder = { HG_DENSE(6, .act = hg_leaky, .init = HG_UNIFORM(0.25)), HG_DENSE(4, .no_bias = true) },
             .decoder = { HG_DENSE(12, .act = hg_tanh, .init = HG_ORTHOGONAL(0.5)), HG_CUSTOM(hg_identity) },
             .scale = HG_SCALE(-1, 1), .loss = HG_HUBER(0.75), .penalties = { HG_WEIGHT_DECAY(0.25) } },
    custom = { .name = "custom", .input = { 12 }, .encoder = { HG_CUSTOM(gain), HG_DENSE(4, .act = halve) },
               .decoder = { NOISE, HG_DENSE(12) } };
/* clang-format on */

#endif
