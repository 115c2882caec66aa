/* Predictive sparse decomposition: FISTA and the encoder that predicts it (T13). */
#include "loop.h"

#include <hourglass/psd.h>

#include <stdalign.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Dictionaries --------------------------------------------------------------------------------------- */

static hg_tensor *square_of(hg_tensor *symmetric)
{
    return hg_matmul(symmetric, symmetric);
}

hg_tensor *hg_gram_bound(hg_tensor *dictionary)
{
    hg_tensor *gram = hg_matmul(hg_transpose(dictionary), dictionary);
    hg_tensor *eighth = hg_sum(hg_square(square_of(square_of(gram))), HG_ALL_AXES);
    return hg_pow(eighth, 0.125);
}

hg_tensor *hg_unit_columns(hg_tensor *dictionary)
{
    hg_tensor *length = hg_sqrt(hg_sum(hg_square(dictionary), HG_AXIS(0)));
    return hg_div(dictionary, hg_expand_like(length, dictionary, HG_AXIS(0)));
}

/* ---- FISTA ---------------------------------------------------------------------------------------------- */

/* The proximal map of t |.|_1: towards 0 by t, a scalar. */
static hg_tensor *shrink(hg_tensor *v, hg_tensor *t)
{
    return hg_sub(v, hg_maximum(hg_neg(t), hg_minimum(t, v)));
}

/* Half of the gradient of the smooth terms at z. */
static hg_tensor *half_gradient(hg_tensor *x, hg_tensor *dictionary, hg_tensor *prediction, hg_tensor *z, double weight)
{
    hg_tensor *back = hg_matmul(hg_transpose(dictionary), hg_sub(hg_matmul(dictionary, z), x));
    return weight == 0 ? back : hg_add(back, hg_scale(hg_sub(z, prediction), weight));
}

static bool good_options(hg_graph *graph, const hg_fista_options *o)
{
    if (hg_in_range(o->sparsity, "[0, inf)") && hg_in_range(o->prediction, "[0, inf)")
        && hg_in_range((double)o->iterations, "[1, 1000]"))
        return true;
    hg_graph_fail(graph, HG_BAD_ARGUMENT,
                  "FISTA: sparsity is %g, prediction %g, iterations %lld, but they must be in [0, inf), [0, inf) and [1, 1000]",
                  o->sparsity, o->prediction, (long long)o->iterations);
    return false;
}

hg_tensor *hg_fista(hg_tensor *x, hg_tensor *dictionary, hg_tensor *start, const hg_fista_options *options)
{
    if (x == NULL || dictionary == NULL || start == NULL || !good_options(hg_tensor_graph(x), options))
        return NULL;
    hg_graph *graph = hg_tensor_graph(x);
    dictionary = hg_stop_gradient(dictionary);
    start = hg_stop_gradient(start);
    x = hg_stop_gradient(x);
    /* half gradients go with half the Lipschitz constant */
    hg_tensor *step = hg_div(hg_scalar(graph, 1), hg_shift(hg_gram_bound(dictionary), options->prediction));
    hg_tensor *threshold = hg_scale(step, options->sparsity / 2);
    hg_tensor *z = start, *ahead = start;
    double t = 1;
    for (int64_t k = 0; k < options->iterations; k++) {
        double next_t = (1 + sqrt(1 + 4 * t * t)) / 2;
        hg_tensor *downhill = hg_mul(step, half_gradient(x, dictionary, start, ahead, options->prediction));
        hg_tensor *next = shrink(hg_sub(ahead, downhill), threshold);
        ahead = hg_add(next, hg_scale(hg_sub(next, z), (t - 1) / next_t));
        z = next;
        t = next_t;
    }
    return z;
}

static hg_tensor *mean_square_norm(hg_tensor *errors)
{
    return hg_reduce(hg_square(errors), HG_MEAN_OVER_SAMPLES);
}

hg_psd_terms hg_psd_objective(hg_tensor *x, hg_tensor *dictionary, hg_tensor *z, hg_tensor *prediction,
                              const hg_fista_options *options)
{
    hg_psd_terms terms = { .reconstruction = mean_square_norm(hg_sub(hg_matmul(dictionary, z), x)),
                           .magnitude = hg_reduce(hg_abs(z), HG_MEAN_OVER_SAMPLES),
                           .gap = mean_square_norm(hg_sub(prediction, z)) };
    terms.objective = hg_add(hg_add(terms.reconstruction, hg_scale(terms.magnitude, options->sparsity)),
                             hg_scale(terms.gap, options->prediction));
    return terms;
}

/* ---- Training ------------------------------------------------------------------------------------------- */

typedef struct training {
    const hg_psd_training *options;
    const hg_tensor       *dictionary;
} training;

static hg_tensor *keep_unit_columns(void *context, hg_tensor *assignment)
{
    const training *t = context;
    if (assignment == NULL || hg_tensor_input(assignment, 0) != t->dictionary)
        return assignment;
    return hg_assign(hg_tensor_input(assignment, 0), hg_unit_columns(hg_tensor_input(assignment, 1)));
}

enum { RECONSTRUCTION, MAGNITUDE, GAP, CODE, ACTIVE, MEASURES };

static void epoch_done(void *context, const hg_report *report, const double measures[])
{
    const training *t = context;
    const double *m = measures + 1;
    if (t->options->progress == NULL)
        return;
    t->options->progress(&(hg_psd_report){ .epoch = report->epoch, .epochs = report->epochs, .objective = measures[0],
                                           .reconstruction = m[RECONSTRUCTION], .magnitude = m[MAGNITUDE], .gap = m[GAP],
                                           .code = m[CODE], .active = m[ACTIVE],
                                           .samples_per_second = report->samples_per_second },
                         t->options->progress_to);
}

static const hg_kind settings_kind = {
    "predictive sparse decomposition", sizeof(hg_predictive_sparse),
    (const hg_field[]){ HG_NUMBER_FIELD(hg_predictive_sparse, sparsity, "(0, inf)", 0.1),
                        HG_NUMBER_FIELD(hg_predictive_sparse, prediction, "(0, inf)", 1),
                        HG_INT_FIELD(hg_predictive_sparse, iterations, "[1, 1000]", 30),
                        { 0 } }
};

static bool is_linear(hg_activation *act)
{
    return act == NULL || act == hg_identity;
}

/* The dictionary of a model: its decoder's only weights. */
static hg_status check_decoder(hg_model *model)
{
    alignas(max_align_t) char bytes[HG_SPEC_BYTES];
    hg_layer first = hg_decoder_layer(&model->parts, 0, bytes);
    const hg_dense_spec *spec = first.kind == &hg_dense_layer ? first.spec : NULL;
    alignas(max_align_t) char second[HG_SPEC_BYTES];
    if (spec != NULL && spec->no_bias && is_linear(spec->act) && hg_decoder_layer(&model->parts, 1, second).kind == NULL
        && hg_graph_find(model->graph, "decoder/1/weight") != NULL)
        return HG_OK;
    return hg_model_fail(model, HG_BAD_ARGUMENT,
                         "predictive sparse decomposition: the decoder of \"%s\" must be one dense layer without bias, "
                         "activation and tied weights: the dictionary", model->declaration->name);
}

static hg_tensor *part_that_is_not_zero(hg_tensor *z)
{
    return hg_mean(hg_abs(hg_sign(z)), HG_ALL_AXES);
}

static void build(hg_model *model, const hg_fista_options *options, hg_parts *parts, hg_loop *loop, training *t)
{
    hg_graph_set_seed(loop->graph, model->seed);
    if (hg_autoencoder_build(model->declaration, loop->graph, HG_TRAINING, parts) != HG_OK)
        return;
    hg_tensor *dictionary = hg_graph_find(loop->graph, "decoder/1/weight");
    hg_tensor *x = hg_flatten(parts->input), *prediction = hg_flatten(parts->code);
    hg_tensor *z = hg_fista(x, dictionary, prediction, options);
    hg_psd_terms terms = hg_psd_objective(x, dictionary, z, prediction, options);
    t->dictionary = dictionary;
    loop->input = parts->input;
    loop->step = parts->step;
    loop->objective = terms.objective;
    loop->measures = MEASURES;
    loop->measure[RECONSTRUCTION] = terms.reconstruction;
    loop->measure[MAGNITUDE] = terms.magnitude;
    loop->measure[GAP] = terms.gap;
    loop->measure[CODE] = z == NULL ? NULL : mean_square_norm(z);
    loop->measure[ACTIVE] = part_that_is_not_zero(z);
}

/* The columns have to be of unit length from the start. */
static hg_status normalize(hg_model *model, hg_graph *graph)
{
    hg_copy_by_name(model->graph, graph);
    hg_tensor *d = hg_graph_find(graph, "decoder/1/weight");
    hg_tensor *unit = d == NULL ? NULL : hg_assign(d, hg_unit_columns(d));
    hg_plan *plan = unit == NULL ? NULL : hg_plan_new(graph, 1, &unit, &(hg_plan_options){ 0 });
    hg_status status = plan == NULL ? HG_OUT_OF_MEMORY : hg_run(plan);
    hg_plan_free(plan);
    if (status == HG_OK || hg_graph_status(graph) != HG_OK) /* which hg_loop_run reports */
        return HG_OK;
    return hg_model_fail(model, status, "predictive sparse decomposition: %s", hg_status_text(status));
}

bool hg_is_predictive_sparse(const hg_autoencoder *declaration)
{
    const hg_predictive_sparse *s = &declaration->predictive_sparse;
    return s->sparsity != 0 || s->prediction != 0 || s->iterations != 0;
}

/* What is given, or else what the declaration says. */
static hg_predictive_sparse take_settings(const hg_autoencoder *declaration, hg_predictive_sparse given)
{
    const hg_predictive_sparse *declared = &declaration->predictive_sparse;
    return (hg_predictive_sparse){
        .sparsity = given.sparsity != 0 ? given.sparsity : declared->sparsity,
        .prediction = given.prediction != 0 ? given.prediction : declared->prediction,
        .iterations = given.iterations != 0 ? given.iterations : declared->iterations,
    };
}

hg_status hg_fista_options_for(const hg_autoencoder *declaration, hg_predictive_sparse given, hg_fista_options *options,
                               hg_error *error)
{
    union {
        hg_predictive_sparse settings;
        max_align_t          aligned;
        char                 bytes[HG_SPEC_BYTES];
    } resolved;
    const hg_predictive_sparse settings = take_settings(declaration, given);
    hg_status status = hg_spec_resolve(&settings_kind, &settings, &resolved, settings_kind.name, error);
    if (status == HG_OK)
        *options = (hg_fista_options){ resolved.settings.sparsity, resolved.settings.prediction,
                                       resolved.settings.iterations };
    return status;
}

hg_status hg_psd_train(hg_model *model, const hg_dataset *data, const hg_psd_training *options)
{
    hg_error error = { 0 };
    hg_fista_options fista;
    if (hg_model_check_data(model, data) != HG_OK || check_decoder(model) != HG_OK)
        return hg_model_status(model);
    if (hg_fista_options_for(model->declaration, options->settings, &fista, &error) != HG_OK)
        return hg_model_fail(model, error.status, "%s", error.text);
    training t = { .options = options };
    hg_parts parts = { 0 };
    hg_loop loop = { .model = model, .data = data, .what = "predictive sparse decomposition",
                     .graph = hg_graph_new(hg_graph_dtype(model->graph)), .states = &parts.updates,
                     .constrain = keep_unit_columns,
                     .settings = { options->epochs, options->batch, options->optimizer, options->schedule,
                                   options->warm_up },
                     .clip = options->clip, .seed = options->seed,
                     .threads = options->threads, .epoch_done = epoch_done, .context = &t };
    if (loop.graph == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: %s", loop.what);
    build(model, &fista, &parts, &loop, &t);
    hg_status status = normalize(model, loop.graph);
    if (status == HG_OK)
        status = hg_loop_run(&loop);
    hg_graph_free(loop.graph);
    return status;
}
