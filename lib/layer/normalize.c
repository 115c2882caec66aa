/* Batch and layer normalisation. */
#include "common.h"

/* ---- Batch normalisation: moments of the mini-batch when training, running ones else ---------------------- */

static hg_tensor *activate(hg_tensor *y, hg_activation *act)
{
    return act == NULL ? y : act(y);
}

static bool add_update(const hg_layer_context *context, hg_tensor *assignment)
{
    hg_state_updates *updates = context->updates;
    if (assignment == NULL || updates == NULL)
        return assignment != NULL;
    if (updates->count == HG_MOST_UPDATES) {
        hg_graph_fail(hg_tensor_graph(assignment), HG_BAD_ARGUMENT, "%s: there are more than %d states to update",
                      context->place, HG_MOST_UPDATES);
        return false;
    }
    updates->assignment[updates->count++] = assignment;
    return true;
}

/* The variance without the bias of a small count, n/(n - 1) times as much. One number has none: the state stays. */
static hg_tensor *unbiased(hg_tensor *variance, hg_tensor *count, hg_tensor *state)
{
    hg_tensor *one = hg_scalar(hg_tensor_graph(variance), 1);
    hg_tensor *factor = hg_div(count, hg_maximum(hg_shift(count, -1), one));
    return hg_select(hg_greater(count, one), hg_mul(variance, factor), state);
}

/* Replaces the running moments by the mini-batch's, which move them. */
static bool measure(hg_tensor *x, double momentum, const hg_layer_context *context, hg_tensor **mean, hg_tensor **variance)
{
    const unsigned axes = HG_AXIS(hg_tensor_shape(x)->rank) - HG_AXIS(1);
    hg_tensor *running_mean = *mean, *running_variance = *variance;
    return hg_moments(x, axes, mean, variance)
           && add_update(context, hg_running_mean(running_mean, *mean, momentum))
           && add_update(context, hg_running_mean(running_variance,
                                                  unbiased(*variance, hg_count(x, axes), running_variance), momentum));
}

static hg_tensor *batch_norm(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    const hg_batch_norm_spec *spec = attributes;
    if (x == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    const hg_shape channels = HG_SHAPE(hg_tensor_shape(x)->dim[0]);
    hg_tensor *gain = hg_parameter(graph, "gain", channels, hg_filled(1));
    hg_tensor *bias = hg_parameter(graph, "bias", channels, hg_zeros());
    hg_tensor *mean = hg_state(graph, "mean", channels, hg_zeros());
    hg_tensor *variance = hg_state(graph, "variance", channels, hg_filled(1));
    if (context->mode == HG_TRAINING && !measure(x, spec->momentum, context, &mean, &variance))
        return NULL;
    return activate(hg_batch_norm(x, gain, bias, mean, variance, spec->epsilon), spec->act);
}

static const hg_layer_kind *mirror_batch_norm(const void *attributes, const hg_shape *input, void *mirrored)
{
    hg_batch_norm_spec *to = mirrored;
    (void)input;
    *to = *(const hg_batch_norm_spec *)attributes;
    to->act = NULL;
    return &hg_batch_norm_layer;
}

const hg_layer_kind hg_batch_norm_layer = {
    .kind = { "batch_norm", sizeof(hg_batch_norm_spec),
              (const hg_field[]){ HG_ACTIVATION_FIELD(hg_batch_norm_spec, act),
                                  HG_NUMBER_FIELD(hg_batch_norm_spec, momentum, "(0, 1]", 0.1),
                                  HG_NUMBER_FIELD(hg_batch_norm_spec, epsilon, "(0, inf)", 1e-5),
                                  { 0 } } },
    .apply = batch_norm,
    .window = hg_window_of_one,
    .mirror = mirror_batch_norm,
};

/* ---- Layer normalisation -------------------------------------------------------------------------------- */

static hg_tensor *layer_norm(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    const hg_layer_norm_spec *spec = attributes;
    (void)context;
    if (x == NULL)
        return NULL;
    hg_shape sample = *hg_tensor_shape(x);
    sample.rank--;
    hg_tensor *gain = hg_parameter(hg_tensor_graph(x), "gain", sample, hg_filled(1));
    hg_tensor *bias = hg_parameter(hg_tensor_graph(x), "bias", sample, hg_zeros());
    return activate(hg_layer_norm(x, gain, bias, spec->epsilon), spec->act);
}

static const hg_layer_kind *mirror_layer_norm(const void *attributes, const hg_shape *input, void *mirrored)
{
    hg_layer_norm_spec *to = mirrored;
    (void)input;
    to->epsilon = ((const hg_layer_norm_spec *)attributes)->epsilon;
    return &hg_layer_norm_layer;
}

const hg_layer_kind hg_layer_norm_layer = {
    .kind = { "layer_norm", sizeof(hg_layer_norm_spec),
              (const hg_field[]){ HG_ACTIVATION_FIELD(hg_layer_norm_spec, act),
                                  HG_NUMBER_FIELD(hg_layer_norm_spec, epsilon, "(0, inf)", 1e-5),
                                  { 0 } } },
    .apply = layer_norm,
    .window = hg_window_of_all,
    .mirror = mirror_layer_norm,
};
