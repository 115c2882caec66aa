/* Penalties that keep the code sparse (T7, T19). */
#include "models.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Mean activity -------------------------------------------------------------------------------------- */

/* Whether all numbers of a tensor lie in (0, 1), as far as the ops tell: a sigmoid's, moved about. */
static bool is_activity(const hg_tensor *h)
{
    static const char *const moves[] = { "reshape",    "permute",    "slice",        "max_pool2d",
                                         "avg_pool2d", "upsample2d", "stop_gradient" };
    const char *name = hg_tensor_op(h)->name;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (strcmp(name, moves[i]) == 0)
            return is_activity(hg_tensor_input(h, 0));
    return strcmp(name, "sigmoid") == 0;
}

/* r <- k r + (1 - k) batch mean */
static hg_tensor *run(hg_parts *parts, hg_tensor *mean, const hg_sparse_spec *spec)
{
    if (mean == NULL)
        return NULL;
    hg_tensor *state = hg_state(hg_tensor_graph(mean), "activity", *hg_tensor_shape(mean), hg_filled(spec->rho));
    hg_tensor *running = hg_add(hg_scale(state, spec->running), hg_scale(mean, 1 - spec->running));
    hg_state_updates *updates = &parts->updates;
    if (parts->mode != HG_TRAINING)
        return running;
    if (updates->count == HG_MOST_UPDATES)
        return hg_graph_fail(hg_tensor_graph(mean), HG_BAD_ARGUMENT, "autoencoder \"%s\": more than %d states are updated",
                             parts->declaration->name, HG_MOST_UPDATES);
    updates->assignment[updates->count++] = hg_assign(state, running);
    return running;
}

/* KL(rho || r) = rho log(rho / r) + (1 - rho) log((1 - rho) / (1 - r)), summed. An r of exactly 0 or 1 counts as the nearest
   number inside. */
static hg_tensor *divergence(double rho, hg_tensor *r)
{
    if (r == NULL)
        return NULL;
    double least = hg_tensor_dtype(r) == HG_F32 ? FLT_EPSILON : DBL_EPSILON;
    r = hg_clamp(r, least, 1 - least);
    hg_tensor *on = hg_scale(hg_log(r), -rho), *off = hg_scale(hg_log(hg_shift(hg_neg(r), 1)), rho - 1);
    return hg_sum(hg_shift(hg_add(on, off), rho * log(rho) + (1 - rho) * log(1 - rho)), HG_ALL_AXES);
}

/* Or the kind of the encoder's last layer, if it has none. */
static const char *last_activation(const hg_parts *parts)
{
    hg_activation *act;
    int last = 0;
    while (last + 1 < HG_MOST_LAYERS && parts->declaration->encoder[last + 1].kind != NULL)
        last++;
    const hg_layer *layer = &parts->declaration->encoder[last];
    return hg_layer_activation(layer, &act) ? hg_activation_name(act) : layer->kind->kind.name;
}

static hg_tensor *sparse(hg_parts *parts, const void *attributes)
{
    const hg_sparse_spec *spec = attributes;
    hg_tensor *code = parts->penalised_code;
    if (code == NULL)
        return NULL;
    if (!is_activity(code))
        return hg_graph_fail(hg_tensor_graph(code), HG_BAD_ARGUMENT,
                             "penalty sparse: rho is a mean activity in (0, 1), so the code must be a sigmoid's, but \"%s\" "
                             "ends its encoder with %s; l1 is for any code", parts->declaration->name,
                             last_activation(parts));
    hg_tensor *mean = hg_mean(code, hg_last_axis(code));
    return hg_scale(divergence(spec->rho, spec->running > 0 ? run(parts, mean, spec) : mean), spec->beta);
}

const hg_penalty_kind hg_sparse_penalty = {
    .kind = { "sparse", sizeof(hg_sparse_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_sparse_spec, rho, "(0, 1)", 0),
                                  HG_NUMBER_FIELD(hg_sparse_spec, beta, "[0, inf)", 0),
                                  HG_NUMBER_FIELD(hg_sparse_spec, running, "[0, 1)", 0),
                                  { 0 } } },
    .apply = sparse,
};

/* ---- Absolute values ------------------------------------------------------------------------------------ */

static hg_tensor *l1(hg_parts *parts, const void *spec)
{
    return hg_scale(hg_reduce(hg_abs(parts->penalised_code), HG_MEAN_OVER_SAMPLES), ((const hg_l1_spec *)spec)->beta);
}

const hg_penalty_kind hg_l1_penalty = {
    .kind = { "l1", sizeof(hg_l1_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_l1_spec, beta, "[0, inf)", 0), { 0 } } },
    .apply = l1,
};
