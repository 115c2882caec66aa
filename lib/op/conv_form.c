/* The convolution family but for its kernels: shapes, derivatives, cost. */
#include "op.h"

#include "conv.h"

static const hg_op *const op_of[] = {
    [HG_CONV_X] = &hg_conv_transpose2d_op,
    [HG_CONV_W] = &hg_conv2d_weight_op,
    [HG_CONV_Y] = &hg_conv2d_op,
};
static const char *const axis_name[] = { "height", "width" };

hg_tensor *hg_conv_apply(const hg_conv *c, hg_conv_role result, hg_tensor *const of[3], hg_tensor *bias)
{
    hg_conv attr = *c;
    hg_tensor *input[3];
    int inputs = 0;
    attr.result = result;
    for (int role = HG_CONV_X; role <= HG_CONV_Y; role++)
        if (role != (int)result)
            input[inputs++] = of[role];
    if (bias != NULL)
        input[inputs++] = bias;
    return hg_apply(op_of[result], inputs, input, &attr);
}

/* T is linear in each of x, w and y, so its second derivatives are its first ones with g in the result's place. */
void hg_conv_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const hg_conv *c = t->attr;
    hg_tensor *of[3];
    for (int role = HG_CONV_X; role <= HG_CONV_Y; role++)
        of[role] = role == (int)c->result ? g : t->input[hg_conv_input(c, (hg_conv_role)role)];
    for (int role = HG_CONV_X; role <= HG_CONV_Y; role++)
        if (role != (int)c->result && wanted[hg_conv_input(c, (hg_conv_role)role)])
            d[hg_conv_input(c, (hg_conv_role)role)] = hg_conv_apply(c, (hg_conv_role)role, of, NULL);
    if (t->inputs > HG_CONV_BIAS && wanted[HG_CONV_BIAS])
        d[HG_CONV_BIAS] = hg_sum(g, HG_AXIS(1) | HG_AXIS(2) | HG_AXIS(3));
}

double hg_conv_flops(const hg_tensor *t)
{
    const hg_conv *c = t->attr;
    const hg_tensor *x = hg_conv_tensor(t, HG_CONV_X), *y = hg_conv_tensor(t, HG_CONV_Y);
    double flops = 2.0 * (double)y->shape.dim[0] * (double)(x->shape.dim[0] / c->groups) * (double)x->shape.dim[3];
    for (int axis = 0; axis < 2; axis++) {
        double taps = 0;
        for (int64_t k = 0; k < c->kernel[axis]; k++)
            taps += (double)(hg_conv_span(c, axis, k).last - hg_conv_span(c, axis, k).first);
        flops *= taps;
    }
    return flops;
}

/* ---- Shapes ---------------------------------------------------------------------------------------------- */

static bool check_options(hg_tensor *t, const hg_conv *c)
{
    const int64_t most = INT32_MAX;
    for (int i = 0; i < 2; i++)
        if (c->stride[i] < 1 || c->stride[i] > most || c->dilation[i] < 1 || c->dilation[i] > most || c->pad[i] < 0 ||
            c->pad[i] > most)
            return hg_infer_fail(t, HG_BAD_ARGUMENT, "stride %lld, padding %lld and dilation %lld along the %s: stride and "
                                 "dilation must be 1 or more (0 in the options means 1), padding 0 or more, all below 2^31",
                                 (long long)c->stride[i], (long long)c->pad[i], (long long)c->dilation[i], axis_name[i]);
    return (c->groups >= 1 && c->groups <= most) ||
           hg_infer_fail(t, HG_BAD_ARGUMENT, "%lld groups: there must be 1 or more (0 in the options means 1)",
                         (long long)c->groups);
}

static bool check_inputs(hg_tensor *t, const hg_conv *c)
{
    for (int role = HG_CONV_X; role <= HG_CONV_Y; role++) {
        if (role == (int)c->result)
            continue;
        const hg_tensor *input = hg_conv_tensor(t, (hg_conv_role)role);
        if (input->dtype == HG_I64)
            return hg_infer_fail(t, HG_BAD_DTYPE, "both inputs must be real");
        if (input->shape.rank != 4)
            return hg_infer_fail(t, HG_BAD_SHAPE, "%s: input %d must have four axes",
                                 role == HG_CONV_W ? "weights are channels of the convolution's output x channels of its "
                                                     "input per group x height x width"
                                                   : "images are channels x height x width x samples",
                                 hg_conv_input(c, (hg_conv_role)role));
        for (int i = 0; i < 4 - (role != HG_CONV_W); i++)
            if (input->shape.dim[i] < 0)
                return hg_infer_fail(t, HG_BAD_SHAPE, "input %d: %s", hg_conv_input(c, (hg_conv_role)role),
                                     role == HG_CONV_W ? "weights cannot depend on HG_BATCH"
                                                       : "only the last axis of images can be HG_BATCH");
    }
    return true;
}

static bool check_channels(hg_tensor *t, const hg_conv *c)
{
    const int64_t *x = hg_conv_tensor(t, HG_CONV_X)->shape.dim, *w = hg_conv_tensor(t, HG_CONV_W)->shape.dim;
    const int64_t *y = hg_conv_tensor(t, HG_CONV_Y)->shape.dim;
    const int64_t per_group = c->result == HG_CONV_W ? x[0] / c->groups : w[1];
    const int64_t outputs = c->result == HG_CONV_Y ? w[0] : y[0];
    int64_t inputs;
    if (__builtin_mul_overflow(per_group, c->groups, &inputs) || (c->result != HG_CONV_X && x[0] != inputs))
        return hg_infer_fail(t, HG_BAD_SHAPE, "%lld input channels, but %lld group%s of %lld", (long long)x[0],
                             (long long)c->groups, c->groups == 1 ? "" : "s", (long long)per_group);
    if (outputs % c->groups != 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "%lld output channels cannot be divided into %lld groups",
                             (long long)outputs, (long long)c->groups);
    if (c->result == HG_CONV_X && w[0] != y[0])
        return hg_infer_fail(t, HG_BAD_SHAPE, "an image of %lld channels, but weights for %lld", (long long)y[0],
                             (long long)w[0]);
    return c->result != HG_CONV_W || x[3] == y[3] || hg_infer_fail(t, HG_BAD_SHAPE, "the samples must be as many");
}

static bool check_axis(hg_tensor *t, const hg_conv *c, int i)
{
    const char *name = axis_name[i];
    int64_t extent, padded;
    if (c->kernel[i] < 1)
        return hg_infer_fail(t, HG_BAD_SHAPE, "a kernel of %s %lld: it must be 1 or more", name, (long long)c->kernel[i]);
    if (__builtin_mul_overflow(c->kernel[i] - 1, c->dilation[i], &extent) || extent++ == INT64_MAX ||
        __builtin_add_overflow(c->size[i], 2 * c->pad[i], &padded))
        return hg_infer_fail(t, HG_BAD_SHAPE, "a %s beyond 2^63", name);
    if (c->size[i] < 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "the output would have a %s of %lld: padding %lld or less would fit", name,
                             (long long)c->size[i], (long long)(c->pad[i] - (1 - c->size[i]) / 2));
    if (extent > padded)
        return hg_infer_fail(t, HG_BAD_SHAPE, "the kernel has a %s of %lld, the padded input one of %lld: padding %lld or more, "
                             "or a kernel of %lld or less would fit", name, (long long)extent, (long long)padded,
                             (long long)((extent - c->size[i] + 1) / 2),
                             (long long)(padded < 1 ? 0 : (padded - 1) / c->dilation[i] + 1));
    const int64_t from_x = hg_conv_out(c, i), y = hg_conv_tensor(t, HG_CONV_Y)->shape.dim[i + 1];
    if (c->result == HG_CONV_Y || y == from_x)
        return true;
    const int64_t least = (y - 1) * c->stride[i] - 2 * c->pad[i] + extent;
    return hg_infer_fail(t, HG_BAD_SHAPE, "from an image of %s %lld comes one of %lld, not %lld, with a kernel of %lld, stride "
                         "%lld, padding %lld, dilation %lld: %lld to %lld would fit", name, (long long)c->size[i],
                         (long long)from_x, (long long)y, (long long)c->kernel[i], (long long)c->stride[i],
                         (long long)c->pad[i], (long long)c->dilation[i], (long long)least,
                         (long long)(least + c->stride[i] - 1));
}

static bool check_bias(hg_tensor *t, int64_t channels)
{
    if (t->inputs <= HG_CONV_BIAS)
        return true;
    const hg_tensor *bias = t->input[HG_CONV_BIAS];
    return (bias->dtype != HG_I64 && bias->shape.rank == 1 && bias->shape.dim[0] == channels) ||
           hg_infer_fail(t, HG_BAD_SHAPE, "the bias must be a vector of the output's %lld channels", (long long)channels);
}

bool hg_conv_infer(hg_tensor *t)
{
    const hg_conv *c = t->attr;
    if (!check_options(t, c) || !check_inputs(t, c) || !check_channels(t, c) || !check_axis(t, c, 0) ||
        !check_axis(t, c, 1))
        return false;
    const int64_t *x = hg_conv_tensor(t, HG_CONV_X)->shape.dim, *w = hg_conv_tensor(t, HG_CONV_W)->shape.dim;
    const int64_t *y = hg_conv_tensor(t, HG_CONV_Y)->shape.dim;
    hg_shape shape;
    if (c->result == HG_CONV_X)
        shape = HG_SHAPE(w[1] * c->groups, c->size[0], c->size[1], y[3]);
    else if (c->result == HG_CONV_W)
        shape = HG_SHAPE(y[0], x[0] / c->groups, c->kernel[0], c->kernel[1]);
    else
        shape = HG_SHAPE(w[0], hg_conv_out(c, 0), hg_conv_out(c, 1), x[3]);
    return check_bias(t, shape.dim[0]) && hg_set_result(t, t->input[0]->dtype, shape);
}
