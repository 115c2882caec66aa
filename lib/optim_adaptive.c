/* Steps divided by the root of squared gradients: AdaGrad's sum of all of them, RMSProp's decaying one. */
#include "optim.h"

#include <math.h>

/* squares <- decay squares + g^2; the result is g / (sqrt(squares) + epsilon) */
static hg_tensor *scaled_gradient(hg_tensor *parameter, hg_tensor *gradient, double decay, double epsilon,
                                  hg_tensor *assignment[])
{
    hg_tensor *squares = hg_update_sum(hg_update_state(parameter, "squares"), decay, hg_square(gradient));
    assignment[0] = squares;
    return hg_div(gradient, hg_shift(hg_sqrt(squares), epsilon));
}

/* ---- AdaGrad -------------------------------------------------------------------------------------------- */

static void adagrad_prepare(const void *attributes, int64_t step, double factor, double scalars[])
{
    const hg_adagrad_spec *spec = attributes;
    (void)step;
    scalars[0] = factor * spec->rate;
}

static int adagrad_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                          hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    const hg_adagrad_spec *spec = attributes;
    hg_tensor *direction = scaled_gradient(parameter, gradient, 1, spec->epsilon, assignment);
    assignment[1] = hg_update_descend(parameter, scalar[0], direction);
    return 2;
}

const hg_optimizer_kind hg_adagrad_optimizer = {
    .kind = { "adagrad", sizeof(hg_adagrad_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_adagrad_spec, rate, "(0, inf)", 0.01),
                                  HG_NUMBER_FIELD(hg_adagrad_spec, epsilon, "(0, inf)", 1e-10),
                                  { 0 } } },
    .scalars = 1,
    .scalar = { "rate" },
    .prepare = adagrad_prepare,
    .update = adagrad_update,
};

/* ---- RMSProp -------------------------------------------------------------------------------------------- */

/* g / (sqrt(s) + epsilon) = w g / (sqrt(squares) + w epsilon), where squares = s / (1 - rho), with w: */
static double rmsprop_factor(const hg_rmsprop_spec *spec)
{
    return 1 / sqrt(1 - spec->rho);
}

static void rmsprop_prepare(const void *attributes, int64_t step, double factor, double scalars[])
{
    const hg_rmsprop_spec *spec = attributes;
    (void)step;
    scalars[0] = factor * spec->rate * rmsprop_factor(spec);
}

static int rmsprop_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                          hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    const hg_rmsprop_spec *spec = attributes;
    double epsilon = rmsprop_factor(spec) * spec->epsilon;
    hg_tensor *direction = scaled_gradient(parameter, gradient, spec->rho, epsilon, assignment);
    int count = 1;
    if (spec->momentum > 0)
        assignment[count++] = direction =
            hg_update_sum(hg_update_state(parameter, "velocity"), spec->momentum, direction);
    assignment[count++] = hg_update_descend(parameter, scalar[0], direction);
    return count;
}

const hg_optimizer_kind hg_rmsprop_optimizer = {
    .kind = { "rmsprop", sizeof(hg_rmsprop_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_rmsprop_spec, rate, "(0, inf)", 0.001),
                                  HG_NUMBER_FIELD(hg_rmsprop_spec, rho, "(0, 1)", 0.9),
                                  HG_NUMBER_FIELD(hg_rmsprop_spec, momentum, "[0, 1)", 0),
                                  HG_NUMBER_FIELD(hg_rmsprop_spec, epsilon, "(0, inf)", 1e-8),
                                  { 0 } } },
    .scalars = 1,
    .scalar = { "rate" },
    .prepare = rmsprop_prepare,
    .update = rmsprop_update,
};
