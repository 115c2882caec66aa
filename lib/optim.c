/* Optimisers: the update of a parameter as a part of the graph. */
#include <hourglass/math.h>
#include <hourglass/optimizer.h>

#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A state of the parameter's shape, "adam/encoder/1/weight/mean", that starts at 0. */
static hg_tensor *state_of(hg_tensor *parameter, const char *name)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", hg_tensor_name(parameter), name);
    return hg_state(hg_tensor_graph(parameter), full, *hg_tensor_shape(parameter), hg_zeros());
}

/* a x + b y */
static hg_tensor *blend(double a, hg_tensor *x, double b, hg_tensor *y)
{
    return hg_add(hg_scale(x, a), hg_scale(y, b));
}

/* p <- p - rate direction */
static hg_tensor *descend(hg_tensor *parameter, hg_tensor *rate, hg_tensor *direction)
{
    return hg_assign(parameter, hg_sub(parameter, hg_mul(rate, direction)));
}

/* ---- Stochastic gradient descent ------------------------------------------------------------------------ */

static void sgd_prepare(const void *attributes, int64_t step, double scalars[])
{
    const hg_sgd_spec *spec = attributes;
    (void)step;
    scalars[0] = spec->rate;
}

static int sgd_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                      hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    const hg_sgd_spec *spec = attributes;
    if (spec->momentum == 0) {
        assignment[0] = descend(parameter, scalar[0], gradient);
        return 1;
    }
    hg_tensor *velocity = state_of(parameter, "velocity");
    velocity = hg_assign(velocity, hg_add(hg_scale(velocity, spec->momentum), gradient));
    assignment[0] = velocity;
    assignment[1] = descend(parameter, scalar[0],
                            spec->nesterov ? hg_add(gradient, hg_scale(velocity, spec->momentum)) : velocity);
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

/* ---- Adam ----------------------------------------------------------------------------------------------- */

/* The corrections 1 - beta^t are taken out of the elementwise work: into the rate, and into the root's factor. */
static void adam_prepare(const void *attributes, int64_t step, double scalars[])
{
    const hg_adam_spec *spec = attributes;
    scalars[0] = spec->rate / (1 - pow(spec->beta1, (double)step));
    scalars[1] = 1 / sqrt(1 - pow(spec->beta2, (double)step));
}

static int adam_update(hg_tensor *parameter, hg_tensor *gradient, hg_tensor *const scalar[], const void *attributes,
                       hg_tensor *assignment[HG_UPDATE_ASSIGNMENTS])
{
    const hg_adam_spec *spec = attributes;
    hg_tensor *mean = state_of(parameter, "mean"), *square = state_of(parameter, "square");
    mean = hg_assign(mean, blend(spec->beta1, mean, 1 - spec->beta1, gradient));
    square = hg_assign(square, blend(spec->beta2, square, 1 - spec->beta2, hg_square(gradient)));
    hg_tensor *root = hg_shift(hg_mul(scalar[1], hg_sqrt(square)), spec->epsilon);
    assignment[0] = mean;
    assignment[1] = square;
    assignment[2] = descend(parameter, scalar[0], hg_div(mean, root));
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
    .scalar = { "rate", "root" },
    .prepare = adam_prepare,
    .update = adam_update,
};

const hg_kind *const hg_optimizer_kinds[] = {
    &hg_adam_optimizer.kind,
    &hg_sgd_optimizer.kind,
    NULL,
};

/* ---- Updates of many parameters -------------------------------------------------------------------------- */

struct hg_updates {
    const hg_optimizer_kind *kind;
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
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

static hg_updates *allocate(hg_optimizer optimizer, const hg_clipping *clipping, int count, hg_error *error)
{
    hg_updates *updates = calloc(1, sizeof *updates + (size_t)count * HG_UPDATE_ASSIGNMENTS * sizeof(hg_tensor *));
    if (updates == NULL) {
        hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: the updates of %d parameters", count);
        return NULL;
    }
    updates->kind = optimizer.kind != NULL ? optimizer.kind : &hg_adam_optimizer;
    if (hg_spec_resolve(&updates->kind->kind, optimizer.spec, updates->spec, updates->kind->kind.name, error) == HG_OK
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

hg_status hg_updates_prepare(const hg_updates *updates, hg_plan *plan, int64_t step)
{
    double scalars[HG_UPDATE_SCALARS];
    hg_status status = HG_OK;
    updates->kind->prepare(updates->spec, step, scalars);
    for (int i = 0; i < updates->kind->scalars && status == HG_OK; i++)
        status = hg_plan_write(plan, updates->scalar[i], &scalars[i], 1);
    return status;
}
