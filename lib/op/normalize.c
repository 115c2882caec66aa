/* Normalisation, composed of ops: its gradients come from theirs. */
#include "op.h"

#include <hourglass/conv.h>

bool hg_moments(hg_tensor *x, unsigned axes, hg_tensor **mean, hg_tensor **variance)
{
    *mean = hg_mean(x, axes);
    *variance = hg_variance(x, axes);
    return *variance != NULL;
}

/* gain (x - mean) / sqrt(variance + epsilon) + bias: the moments are spread over `axes`, gain and bias over `others`. */
static hg_tensor *normalized(hg_tensor *x, hg_tensor *mean, hg_tensor *variance, unsigned axes, double epsilon,
                             hg_tensor *gain, hg_tensor *bias, unsigned others)
{
    hg_tensor *scale = hg_pow(hg_shift(variance, epsilon), -0.5);
    if (gain != NULL && others == axes) { /* of the moments' own shape */
        scale = hg_mul(scale, gain);
        gain = NULL;
    }
    hg_tensor *y = hg_mul(hg_sub(x, hg_expand_like(mean, x, axes)), hg_expand_like(scale, x, axes));
    if (gain != NULL)
        y = hg_mul(y, hg_expand_like(gain, x, others));
    return bias == NULL ? y : hg_add(y, hg_expand_like(bias, x, others));
}

static hg_tensor *refuse_epsilon(hg_tensor *x, const char *op, double epsilon)
{
    return hg_graph_fail(x->graph, HG_BAD_ARGUMENT, "%s: epsilon %g must be a number from 0", op, epsilon);
}

hg_tensor *hg_batch_norm(hg_tensor *x, hg_tensor *gain, hg_tensor *bias, hg_tensor *mean, hg_tensor *variance,
                         double epsilon)
{
    if (x == NULL || mean == NULL || variance == NULL)
        return NULL;
    if (!(epsilon >= 0))
        return refuse_epsilon(x, "batch_norm", epsilon);
    if (x->shape.rank < 2)
        return hg_graph_fail(x->graph, HG_BAD_SHAPE, "batch_norm: the input must have channels and samples");
    const unsigned axes = HG_AXIS(x->shape.rank) - HG_AXIS(1);
    return normalized(x, mean, variance, axes, epsilon, gain, bias, axes);
}

hg_tensor *hg_running_mean(hg_tensor *state, hg_tensor *value, double momentum)
{
    return hg_assign(state, hg_add(hg_scale(state, 1 - momentum), hg_scale(value, momentum)));
}

hg_tensor *hg_layer_norm(hg_tensor *x, hg_tensor *gain, hg_tensor *bias, double epsilon)
{
    hg_tensor *mean, *variance;
    if (x == NULL)
        return NULL;
    if (!(epsilon >= 0))
        return refuse_epsilon(x, "layer_norm", epsilon);
    const unsigned features = hg_all_but_last_axis(x);
    if (!hg_moments(x, features, &mean, &variance))
        return NULL;
    return normalized(x, mean, variance, features, epsilon, gain, bias, hg_last_axis(x));
}
