/* The updates of parameters as a part of the graph. */
#include "optim.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const hg_kind *const hg_optimizer_kinds[] = {
    &hg_adam_optimizer.kind,
    &hg_adamw_optimizer.kind,
    &hg_sgd_optimizer.kind,
    &hg_rmsprop_optimizer.kind,
    &hg_adagrad_optimizer.kind,
    &hg_lbfgs_optimizer.kind,
    NULL,
};

/* ---- What updates are made of --------------------------------------------------------------------------- */

bool hg_is_weight(const hg_tensor *parameter)
{
    return hg_tensor_shape(parameter)->rank >= 2;
}

hg_tensor *hg_update_state(hg_tensor *parameter, const char *name)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", hg_tensor_name(parameter), name);
    return hg_state(hg_tensor_graph(parameter), full, *hg_tensor_shape(parameter), hg_zeros());
}

hg_tensor *hg_update_sum(hg_tensor *sum, double decay, hg_tensor *term)
{
    return hg_assign(sum, hg_add(hg_scale(sum, decay), term));
}

hg_tensor *hg_update_descend(hg_tensor *parameter, hg_tensor *rate, hg_tensor *direction)
{
    return hg_assign(parameter, hg_sub(parameter, hg_mul(rate, direction)));
}

/* ---- Updates of many parameters -------------------------------------------------------------------------- */

struct hg_updates {
    const hg_optimizer_kind *kind;
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    double     factor; /* of the rate */
    hg_tensor *scalar[HG_UPDATE_SCALARS];
    int        assignments;
    hg_tensor *assignment[];
};

static hg_tensor *clip_by_value(hg_tensor *gradient, double value)
{
    return value > 0 ? hg_clamp(gradient, -value, value) : gradient;
}

/* min(1, norm / |all gradients|), or NULL where nothing is clipped */
static hg_tensor *norm_factor(hg_graph *graph, const hg_clipping *clipping, int count, hg_tensor *const gradient[])
{
    if (clipping == NULL || clipping->norm <= 0)
        return NULL;
    hg_tensor *sum = NULL;
    for (int i = 0; i < count; i++) {
        hg_tensor *square = hg_sum(hg_square(clip_by_value(gradient[i], clipping->value)), HG_ALL_AXES);
        sum = i == 0 ? square : hg_add(sum, square);
    }
    return hg_minimum(hg_scalar(graph, 1), hg_div(hg_scalar(graph, clipping->norm), hg_sqrt(sum)));
}

static hg_status check_clipping(const hg_clipping *clipping, hg_error *error)
{
    if (clipping == NULL || (hg_in_range(clipping->norm, "[0, inf)") && hg_in_range(clipping->value, "[0, inf)")))
        return HG_OK;
    return hg_fail(error, HG_BAD_ARGUMENT, "clipping: norm is %g and value is %g, but both must be in [0, inf)",
                   clipping->norm, clipping->value);
}

static hg_status check_kind(const hg_optimizer_kind *kind, hg_error *error)
{
    if (kind->update != NULL)
        return HG_OK;
    return hg_fail(error, HG_BAD_ARGUMENT, "%s: it has no update by mini-batches, but minimises over the whole data",
                   kind->kind.name);
}

static hg_updates *allocate(hg_optimizer optimizer, const hg_clipping *clipping, int count, hg_error *error)
{
    hg_updates *updates = calloc(1, sizeof *updates + (size_t)count * HG_UPDATE_ASSIGNMENTS * sizeof(hg_tensor *));
    if (updates == NULL) {
        hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: the updates of %d parameters", count);
        return NULL;
    }
    updates->kind = optimizer.kind != NULL ? optimizer.kind : &hg_adam_optimizer;
    updates->factor = 1;
    if (check_kind(updates->kind, error) == HG_OK
        && hg_spec_resolve(&updates->kind->kind, optimizer.spec, updates->spec, updates->kind->kind.name, error)
               == HG_OK
        && check_clipping(clipping, error) == HG_OK)
        return updates;
    free(updates);
    return NULL;
}

hg_updates *hg_updates_new(hg_optimizer optimizer, const hg_clipping *clipping, int count, hg_tensor *const parameter[],
                           hg_tensor *const gradient[])
{
    hg_error error = { 0 };
    if (count < 1 || parameter[0] == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(parameter[0]);
    hg_updates *updates = allocate(optimizer, clipping, count, &error);
    if (updates == NULL) {
        hg_graph_fail(graph, error.status, "%s", error.text);
        return NULL;
    }
    hg_scope_push(graph, updates->kind->kind.name);
    for (int i = 0; i < updates->kind->scalars; i++)
        updates->scalar[i] = hg_input(graph, updates->kind->scalar[i], HG_SCALAR);
    hg_tensor *factor = norm_factor(graph, clipping, count, gradient);
    for (int i = 0; i < count; i++) {
        hg_tensor *g = clipping == NULL ? gradient[i] : clip_by_value(gradient[i], clipping->value);
        updates->assignments += updates->kind->update(parameter[i], factor == NULL ? g : hg_mul(factor, g),
                                                      updates->scalar, updates->spec,
                                                      updates->assignment + updates->assignments);
    }
    hg_scope_pop(graph);
    if (hg_graph_status(graph) == HG_OK)
        return updates;
    free(updates);
    return NULL;
}

void hg_updates_free(hg_updates *updates)
{
    free(updates);
}

hg_tensor *const *hg_updates_outputs(const hg_updates *updates, int *count)
{
    *count = updates->assignments;
    return updates->assignment;
}

void hg_updates_set_factor(hg_updates *updates, double factor)
{
    updates->factor = factor;
}

double hg_updates_rate(const hg_updates *updates)
{
    const hg_field *field = hg_field_find(&updates->kind->kind, "rate");
    double rate = 0;
    if (field != NULL && field->type == HG_FIELD_NUMBER)
        memcpy(&rate, updates->spec + field->offset, sizeof rate);
    return updates->factor * rate;
}

hg_status hg_updates_prepare(const hg_updates *updates, hg_plan *plan, int64_t step)
{
    double scalars[HG_UPDATE_SCALARS];
    hg_status status = HG_OK;
    updates->kind->prepare(updates->spec, step, updates->factor, scalars);
    for (int i = 0; i < updates->kind->scalars && status == HG_OK; i++)
        status = hg_plan_write(plan, updates->scalar[i], &scalars[i], 1);
    return status;
}

/* ---- Full-batch methods --------------------------------------------------------------------------------- */

static hg_status iterate(const hg_minimizer *method, void *memory, const hg_objective *objective, int64_t most,
                         double x[], hg_iteration *last)
{
    hg_status status = HG_OK;
    int64_t evaluations = 0;
    for (int64_t i = 0; i < most && status == HG_OK && last->ended == NULL; i++) {
        status = method->iterate(memory, objective, x, last);
        evaluations += last->evaluations;
    }
    last->evaluations = evaluations;
    return status;
}

hg_status hg_minimize(hg_optimizer optimizer, const hg_objective *objective, int64_t most, double x[],
                      hg_iteration *last, hg_error *error)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    hg_iteration unwanted;
    const hg_optimizer_kind *kind = optimizer.kind != NULL ? optimizer.kind : &hg_lbfgs_optimizer;
    const char *name = kind->kind.name;
    if (kind->minimizer == NULL)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s: it updates by mini-batches, and does not minimise functions", name);
    if (objective->size < 1)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s: the objective's size is %lld", name, (long long)objective->size);
    hg_status status = hg_spec_resolve(&kind->kind, optimizer.spec, spec, name, error);
    if (status != HG_OK)
        return status;
    void *memory = kind->minimizer->begin(spec, objective->size);
    if (memory == NULL)
        return hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: %s for %lld numbers", name, (long long)objective->size);
    last = last != NULL ? last : &unwanted;
    *last = (hg_iteration){ 0 };
    status = iterate(kind->minimizer, memory, objective, most, x, last);
    kind->minimizer->end(memory);
    if (status == HG_DIVERGED)
        return hg_fail(error, status, "%s: the objective or its gradient is not finite where an iteration starts", name);
    return status == HG_OK ? HG_OK : hg_fail(error, status, "%s: %s", name, hg_status_text(status));
}
