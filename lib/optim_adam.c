/* Adam, and AdamW with its decoupled weight decay. With M = m / (1 - beta1), V = v / (1 - beta2) and r = sqrt((1 - beta2^t) /
   (1 - beta2)) the update is

       M <- beta1 M + g;  V <- beta2 V + g^2;  p <- p - [rate r (1 - beta1) / (1 - beta1^t)] M / (sqrt(V) + [r epsilon])

   where what is in brackets is a number that each step computes once: no op is left that only multiplies by a constant. */
#include "optim.h"

#include <math.h>

enum { RATE, EPSILON, DECAY };

static void adam_prepare(const void *attributes, int64_t step, double factor, double scalars[])
{
    const hg_adam_spec *spec = attributes;
    double t = (double)step, root = sqrt((1 - pow(spec->beta2, t)) / (1 - spec->beta2));
    scalars[RATE] = factor * spec->rate * root * (1 - spec->beta1) / (1 - pow(spec->beta1, t));
    scalars[EPSILON] = root * spec->epsilon;
}

/* The moments' assignments and the step's direction. */
static hg_tensor *adam_direction(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *epsilon,
                                 const hg_adam_spec *spec, hg_tensor *assignment[])
{
    hg_tensor *sum = hg_update_sum(hg_update_state(parameter, "sum"), spec->beta1, gradient);
    hg_tensor *squares = hg_update_sum(hg_update_state(parameter, "squares"), spec->beta2, hg_square(gradient));
    assignment[0] = sum;
    assignment[1] = squares;
    return hg_div(sum, hg_add(hg_sqrt(squares), epsilon));
}

static int adam_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *spec,
                       hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    hg_tensor *direction = adam_direction(parameter, gradient, scalar[EPSILON], spec, assignment);
    assignment[2] = hg_update_descend(parameter, scalar[RATE], direction);
    return 3;
}

const hg_optimizer_kind hg_adam_optimizer = {
    .kind = { "adam", sizeof(hg_adam_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_adam_spec, rate, "(0, inf)", 0.001),
                                  HG_NUMBER_FIELD(hg_adam_spec, beta1, "(0, 1)", 0.9),
                                  HG_NUMBER_FIELD(hg_adam_spec, beta2, "(0, 1)", 0.999),
                                  HG_NUMBER_FIELD(hg_adam_spec, epsilon, "(0, inf)", 1e-8),
                                  { 0 } } },
    .scalars = 2,
    .scalar = { "rate", "epsilon" },
    .prepare = adam_prepare,
    .update = adam_update,
};

/* ---- AdamW ---------------------------------------------------------------------------------------------- */

static hg_adam_spec without_decay(const hg_adamw_spec *spec)
{
    return (hg_adam_spec){ spec->rate, spec->beta1, spec->beta2, spec->epsilon };
}

static void adamw_prepare(const void *attributes, int64_t step, double factor, double scalars[])
{
    const hg_adamw_spec *spec = attributes;
    hg_adam_spec adam = without_decay(spec);
    adam_prepare(&adam, step, factor, scalars);
    scalars[DECAY] = factor * spec->rate * spec->weight_decay;
}

static int adamw_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                        hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    hg_adam_spec adam = without_decay(attributes);
    if (!hg_is_weight(parameter))
        return adam_update(parameter, gradient, scalar, &adam, assignment);
    hg_tensor *direction = adam_direction(parameter, gradient, scalar[EPSILON], &adam, assignment);
    hg_tensor *step = hg_add(hg_mul(scalar[RATE], direction), hg_mul(scalar[DECAY], parameter));
    assignment[2] = hg_assign(parameter, hg_sub(parameter, step));
    return 3;
}

const hg_optimizer_kind hg_adamw_optimizer = {
    .kind = { "adamw", sizeof(hg_adamw_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_adamw_spec, rate, "(0, inf)", 0.001),
                                  HG_NUMBER_FIELD(hg_adamw_spec, beta1, "(0, 1)", 0.9),
                                  HG_NUMBER_FIELD(hg_adamw_spec, beta2, "(0, 1)", 0.999),
                                  HG_NUMBER_FIELD(hg_adamw_spec, epsilon, "(0, inf)", 1e-8),
                                  HG_NUMBER_FIELD(hg_adamw_spec, weight_decay, "(0, inf)", 0.01),
                                  { 0 } } },
    .scalars = 3,
    .scalar = { "rate", "epsilon", "decay" },
    .prepare = adamw_prepare,
    .update = adamw_update,
};
