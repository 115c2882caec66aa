/* The code of a variational autoencoder (T18): a normal distribution for each sample. */
#include "common.h"

/* W x + b, with parameters in a scope of their own. Only the means' weights can be shared with the decoder. */
static hg_tensor *head(hg_tensor *x, const char *name, const hg_variational_spec *spec, const hg_layer_context *context,
                       bool shareable)
{
    hg_graph *graph = hg_tensor_graph(x);
    hg_layer_context alone = *context;
    if (!shareable)
        alone.tying = NULL;
    hg_scope_push(graph, name);
    hg_tensor *weight = hg_layer_weight(graph, &alone, HG_SHAPE(spec->units, hg_tensor_shape(x)->dim[0]), spec->init, NULL);
    hg_tensor *a = hg_matmul(weight, x);
    hg_tensor *bias = hg_parameter(graph, "bias", HG_SHAPE(spec->units), hg_zeros());
    hg_scope_pop(graph);
    return a == NULL ? NULL : hg_add(a, hg_expand_like(bias, a, hg_last_axis(a)));
}

/* 1/2 sum_j (m_j^2 + v_j - log v_j - 1): the divergence from N(0, I), mean over the batch. */
static hg_tensor *divergence(hg_tensor *mean, hg_tensor *log_variance)
{
    hg_tensor *spread = hg_shift(hg_sub(hg_exp(log_variance), log_variance), -1);
    return hg_scale(hg_reduce(hg_add(hg_square(mean), spread), HG_MEAN_OVER_SAMPLES), 0.5);
}

static hg_tensor *apply(hg_tensor *x, const void *attributes, const hg_layer_context *context)
{
    const hg_variational_spec *spec = attributes;
    x = hg_flatten(x);
    if (x == NULL)
        return NULL;
    hg_tensor *mean = head(x, "mean", spec, context, true);
    hg_tensor *log_variance = head(x, "log_variance", spec, context, false);
    if (mean == NULL || log_variance == NULL)
        return NULL;
    hg_terms *terms = context->terms;
    if (terms != NULL && terms->count < HG_MOST_TERMS)
        terms->term[terms->count++] = (hg_term){ "kl", hg_scale(divergence(mean, log_variance), spec->beta) };
    if (context->mode != HG_TRAINING)
        return mean;
    hg_tensor *noise = hg_random_normal(context->step, "noise", *hg_tensor_shape(mean));
    return hg_add(mean, hg_mul(hg_exp(hg_scale(log_variance, 0.5)), noise));
}

static const hg_layer_kind *mirror(const void *attributes, const hg_shape *input, void *mirrored)
{
    const hg_variational_spec *spec = attributes;
    *(hg_dense_spec *)mirrored = (hg_dense_spec){ .units = hg_shape_count(input, 1), .init = spec->init };
    return &hg_dense_layer;
}

const hg_layer_kind hg_variational_layer = {
    .kind = { "variational", sizeof(hg_variational_spec),
              (const hg_field[]){ HG_INT_FIELD(hg_variational_spec, units, "[1, inf)", 0),
                                  HG_NUMBER_FIELD(hg_variational_spec, beta, "(0, inf)", 1),
                                  HG_INITIALIZER_FIELD(hg_variational_spec, init),
                                  { 0 } } },
    .apply = apply,
    .window = hg_window_of_all,
    .mirror = mirror,
};
