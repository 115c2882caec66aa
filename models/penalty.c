/* Penalties: what is added to the loss. */
#include "models.h"

static hg_tensor *weight_decay(hg_parts *parts, const void *spec)
{
    hg_graph *graph = hg_tensor_graph(parts->input);
    hg_tensor *sum = NULL, *parameter;
    for (size_t i = 0; (parameter = hg_graph_parameter(graph, i)) != NULL; i++) {
        if (!hg_is_weight(parameter))
            continue;
        hg_tensor *square = hg_sum(hg_square(parameter), HG_ALL_AXES);
        sum = sum == NULL ? square : hg_add(sum, square);
    }
    return sum == NULL ? hg_scalar(graph, 0) : hg_scale(sum, ((const hg_weight_decay_spec *)spec)->weight / 2);
}

const hg_penalty_kind hg_weight_decay_penalty = {
    .kind = { "weight_decay", sizeof(hg_weight_decay_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_weight_decay_spec, weight, "[0, inf)", 0), { 0 } } },
    .apply = weight_decay,
};

const hg_kind *const hg_penalty_kinds[] = {
    &hg_weight_decay_penalty.kind,
    &hg_sparse_penalty.kind,
    &hg_l1_penalty.kind,
    &hg_contractive_penalty.kind,
    &hg_contractive_higher_penalty.kind,
    NULL,
};
