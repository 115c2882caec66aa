/* Stochastic gradient descent. */
#include "optim.h"

static void sgd_prepare(const void *attributes, int64_t step, double factor, double scalars[])
{
    const hg_sgd_spec *spec = attributes;
    (void)step;
    scalars[0] = factor * spec->rate;
}

static int sgd_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                      hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    const hg_sgd_spec *spec = attributes;
    if (spec->momentum == 0) {
        assignment[0] = hg_update_descend(parameter, scalar[0], gradient);
        return 1;
    }
    hg_tensor *velocity = hg_update_sum(hg_update_state(parameter, "velocity"), spec->momentum, gradient);
    hg_tensor *direction = spec->nesterov ? hg_add(gradient, hg_scale(velocity, spec->momentum)) : velocity;
    assignment[0] = velocity;
    assignment[1] = hg_update_descend(parameter, scalar[0], direction);
    return 2;
}

const hg_optimizer_kind hg_sgd_optimizer = {
    .kind = { "sgd", sizeof(hg_sgd_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_sgd_spec, rate, "(0, inf)", 0.01),
                                  HG_NUMBER_FIELD(hg_sgd_spec, momentum, "[0, 1)", 0),
                                  HG_BOOL_FIELD(hg_sgd_spec, nesterov),
                                  { 0 } } },
    .scalars = 1,
    .scalar = { "rate" },
    .prepare = sgd_prepare,
    .update = sgd_update,
};
