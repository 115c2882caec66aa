/* Diagnosis: facts about a model's values, and a table of checks on them. */
#include "models.h"

#include <hourglass/diagnose.h>
#include <hourglass/psd.h>

#include <math.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 1000, BATCH = 250, MOST_LAYERS = 2 * HG_MOST_LAYERS };

/* Of a layer's unit, or of a channel at all places: over all samples. */
typedef struct unit {
    double  low, high, sum, squares;
    int64_t unsaturated; /* values where a sigmoid or tanh has a slope */
} unit;

typedef struct layer_facts {
    const char    *side;
    int            number; /* on it, from 1 */
    hg_tensor     *output;
    hg_activation *act;
    int64_t        units, places;
    unit          *unit;
} layer_facts;

typedef struct facts {
    hg_model         *model;
    const hg_dataset *data;
    int64_t           epochs;
    const hg_report  *report;
    int64_t           samples; /* looked at */
    int               layers, code;
    layer_facts       layer[MOST_LAYERS]; /* all but the one that gives the output, whose units may well stay at an end of
                                             their range; layer[code] gives the code */
    double            error, mean_error;     /* |y - x|^2 and |mean - x|^2 per sample */
} facts;

/* ---- Facts ---------------------------------------------------------------------------------------------- */

static bool is_unsaturated(hg_activation *act, double value)
{
    const double edge = 0.01;
    if (act == hg_sigmoid)
        return value > edge && value < 1 - edge;
    return act != hg_tanh || fabs(value) < 1 - 2 * edge;
}

static void see_layer(layer_facts *l, const double *values, int64_t n)
{
    for (int64_t i = 0; i < l->units; i++) {
        unit *u = &l->unit[i];
        const double *v = values + i * l->places * n;
        for (int64_t j = 0; j < l->places * n; j++) {
            u->low = fmin(u->low, v[j]);
            u->high = fmax(u->high, v[j]);
            u->sum += v[j];
            u->squares += v[j] * v[j];
            u->unsaturated += is_unsaturated(l->act, v[j]);
        }
    }
}

static bool open_layer(facts *f, const char *side, int index, const hg_layer *layer, hg_tensor *output)
{
    layer_facts *l = &f->layer[f->layers++];
    const hg_shape shape = hg_sample_shape(output);
    *l = (layer_facts){ .side = side, .number = index + 1, .output = output, .units = shape.dim[0],
                        .places = hg_shape_count(&shape, 1) / shape.dim[0] };
    hg_layer_activation(layer, &l->act);
    l->unit = calloc((size_t)l->units, sizeof *l->unit);
    for (int64_t i = 0; i < l->units && l->unit != NULL; i++)
        l->unit[i] = (unit){ .low = INFINITY, .high = -INFINITY };
    return l->unit != NULL;
}

/* The last layer that does more than to shape. */
static const hg_tensor *unshaped(const hg_tensor *t)
{
    while (strcmp(hg_tensor_op(t)->name, "reshape") == 0)
        t = hg_tensor_input(t, 0);
    return t;
}

static bool open_layers(facts *f)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_parts *parts = &f->model->parts;
    bool good = true;
    for (int i = 0; i < HG_MOST_LAYERS && parts->encoder[i] != NULL && good; i++)
        good = open_layer(f, "encoder", i, &parts->declaration->encoder[i], parts->encoder[i]);
    f->code = f->layers - 1;
    const hg_tensor *last = unshaped(parts->reconstruction);
    for (int i = 0; i < HG_MOST_LAYERS && unshaped(parts->decoder[i]) != last && good; i++) {
        const hg_layer layer = hg_decoder_layer(parts, i, spec);
        good = open_layer(f, "decoder", i, &layer, parts->decoder[i]);
    }
    return good;
}

/* Memory to look at a batch with. */
typedef struct view {
    hg_tensor *output[MOST_LAYERS + 2]; /* layers, input, reconstruction */
    double    *values, *other, *sum;       /* of the largest output twice, of the input's numbers */
    double     squares;                    /* of the input's numbers, all */
    hg_batch_plans plans;
} view;

static bool open_view(facts *f, view *v)
{
    int64_t size = hg_model_input_size(f->model), largest = size;
    for (int i = 0; i < f->layers; i++) {
        v->output[i] = f->layer[i].output;
        int64_t numbers = f->layer[i].units * f->layer[i].places;
        largest = numbers > largest ? numbers : largest;
    }
    v->output[f->layers] = f->model->parts.input;
    v->output[f->layers + 1] = f->model->parts.reconstruction;
    v->plans = (hg_batch_plans){ .graph = f->model->graph, .outputs = f->layers + 2, .output = v->output,
                                 .options = { .batch = BATCH, .threads = f->model->threads } };
    v->values = malloc((size_t)(largest * BATCH) * sizeof *v->values);
    v->other = malloc((size_t)(size * BATCH) * sizeof *v->other);
    v->sum = calloc((size_t)size, sizeof *v->sum);
    return v->values != NULL && v->other != NULL && v->sum != NULL;
}

static void close_view(view *v)
{
    hg_batch_plans_clear(&v->plans);
    free(v->values);
    free(v->other);
    free(v->sum);
}

static void see_errors(facts *f, view *v, int64_t n)
{
    int64_t size = hg_model_input_size(f->model);
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < n; j++) {
            double x = v->other[i * n + j], difference = v->values[i * n + j] - x;
            f->error += difference * difference;
            v->sum[i] += x;
            v->squares += x * x;
        }
}

static hg_status see_batch(facts *f, view *v, int64_t first, int64_t n)
{
    hg_model *model = f->model;
    hg_scaling scale = hg_model_scaling(model);
    size_t size = (size_t)(hg_model_input_size(model) * n);
    hg_plan *plan = hg_batch_plan(&v->plans, n);
    if (plan == NULL)
        return HG_OUT_OF_MEMORY;
    hg_status status = hg_dataset_batch(f->data, n, NULL, first, scale.low, scale.high, hg_graph_dtype(model->graph),
                                        hg_plan_data(plan, model->parts.input));
    if (status == HG_OK && hg_plan_data(plan, model->parts.step) != NULL)
        status = hg_plan_write(plan, model->parts.step, &(double){ 0 }, 1);
    if (status == HG_OK)
        status = hg_dataset_batch(f->data, n, NULL, first, scale.low, scale.high, HG_F64, v->other);
    if (status == HG_OK)
        status = hg_run(plan);
    for (int i = 0; i < f->layers && status == HG_OK; i++) {
        status = hg_plan_read(plan, v->output[i], v->values, (size_t)(f->layer[i].units * f->layer[i].places * n));
        if (status == HG_OK)
            see_layer(&f->layer[i], v->values, n);
    }
    if (status == HG_OK)
        status = hg_plan_read(plan, v->output[f->layers + 1], v->values, size);
    if (status == HG_OK)
        see_errors(f, v, n);
    return status;
}

static hg_status gather(facts *f)
{
    view v = { 0 };
    int64_t count = hg_dataset_count(f->data);
    f->samples = count < SAMPLES ? count : SAMPLES;
    hg_status status = open_layers(f) && open_view(f, &v) ? HG_OK : HG_OUT_OF_MEMORY;
    for (int64_t first = 0, n; first < f->samples && status == HG_OK; first += n) {
        n = f->samples - first < BATCH ? f->samples - first : BATCH;
        status = see_batch(f, &v, first, n);
    }
    double samples = (double)f->samples;
    if (status == HG_OK) {
        f->mean_error = v.squares;
        for (int64_t i = 0; i < hg_model_input_size(f->model); i++)
            f->mean_error -= v.sum[i] * v.sum[i] / samples;
        f->mean_error /= samples;
        f->error /= samples;
    }
    close_view(&v);
    return status == HG_OK ? HG_OK : hg_model_fail_by_graph(f->model, status);
}

static void forget(facts *f)
{
    for (int i = 0; i < f->layers; i++)
        free(f->layer[i].unit);
}

/* ---- Checks: each writes its sentence, or nothing ------------------------------------------------------- */

typedef struct sentence {
    char text[HG_DIAGNOSIS_TEXT];
} sentence;

static void say(sentence *s, const char *format, ...) HG_PRINTF(2, 3);

static void say(sentence *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->text, sizeof s->text, format, arguments);
    va_end(arguments);
}

static void check_range(const facts *f, sentence *s)
{
    const double slack = 1e-6;
    hg_scaling range = hg_model_data_range(f->model, f->data);
    const hg_loss_kind *loss = f->model->declaration->loss.kind;
    if (range.low >= -slack && range.high <= 1 + slack)
        return;
    if (loss != NULL && loss->probabilities)
        say(s, "the data lie in [%g, %g], but %s is for numbers in [0, 1]: scale the data to that, or declare the loss "
            "squared_error", range.low, range.high, loss->kind.name);
    else if (f->model->parts.logits != NULL)
        say(s, "the data lie in [%g, %g], but the decoder ends with a sigmoid, which reaches 0 to 1 only: scale the data to "
            "[0, 1], or end the decoder with a linear activation", range.low, range.high);
}

/* Weight decay shrinks weights, but leaves copying possible. */
static bool is_regularised(const hg_model *model)
{
    const hg_autoencoder *a = model->declaration;
    bool regularised = a->corrupt.kind != NULL || hg_is_predictive_sparse(a);
    for (int i = 0; i < HG_MOST_LAYERS; i++)
        regularised = regularised || a->encoder[i].kind == &hg_dropout_layer || a->decoder[i].kind == &hg_dropout_layer;
    for (int i = 1; i < model->parts.terms.count; i++)
        regularised = regularised
                      || strcmp(model->parts.terms.term[i].name, hg_weight_decay_penalty.kind.name) != 0;
    return regularised;
}

static void check_identity(const facts *f, sentence *s)
{
    int64_t code = hg_model_code_size(f->model), input = hg_model_input_size(f->model);
    if (code >= input && !is_regularised(f->model))
        say(s, "the code has %lld numbers, no fewer than the input's %lld, and nothing regularises it, so that copying the "
            "input is a perfect answer: make it narrower, or declare a corruption or a penalty (masking, sparse, contractive)",
            (long long)code, (long long)input);
}

static void check_divergence(const facts *f, sentence *s)
{
    int64_t best = 0, last = f->epochs - 1;
    for (int64_t i = 1; i < f->epochs; i++)
        if (f->report[i].train_loss + f->report[i].train_penalty < f->report[best].train_loss + f->report[best].train_penalty)
            best = i;
    if (last < 1 || best == last)
        return;
    double lowest = f->report[best].train_loss + f->report[best].train_penalty;
    double now = f->report[last].train_loss + f->report[last].train_penalty;
    if (now - lowest > 0.2 * fabs(lowest))
        say(s, "the training diverges: its loss was %.4g in epoch %lld and is %.4g in epoch %lld: lower the rate, or let it "
            "decay with a schedule", lowest, (long long)best + 1, now, (long long)last + 1);
}

static void check_collapse(const facts *f, sentence *s)
{
    const layer_facts *code = &f->layer[f->code];
    double variance = 0, squares = 0, numbers = (double)(f->samples * code->places);
    for (int64_t i = 0; i < code->units; i++) {
        double mean = code->unit[i].sum / numbers;
        squares += code->unit[i].squares / numbers;
        variance += fmax(code->unit[i].squares / numbers - mean * mean, 0);
    }
    if (!(variance > 1e-5 * squares))
        say(s, "the code has collapsed: it is all but the same for all samples: lower the rate or the penalties, or start the "
            "weights smaller");
}

/* What a training has not had time for yet. */
static bool is_early(const facts *f)
{
    return f->epochs == 1 || f->epochs == 2;
}

static void check_mean(const facts *f, sentence *s)
{
    if (!is_early(f) && f->error > 0.95 * f->mean_error)
        say(s, "the reconstructions (squared error %.4g per sample) are no better than the mean of the data (%.4g): train for "
            "more epochs, change the rate, or lower the penalties", f->error, f->mean_error);
}

typedef bool judge(const facts *f, const layer_facts *l, const unit *u);

/* The first layer of which more than this part of the units are so: some are in any healthy one. */
static const layer_facts *find_layer(const facts *f, judge *is, double part, int64_t *count)
{
    for (int i = 0; i < f->layers; i++) {
        *count = 0;
        for (int64_t j = 0; j < f->layer[i].units; j++)
            *count += is(f, &f->layer[i], &f->layer[i].unit[j]);
        if ((double)*count > part * (double)f->layer[i].units)
            return &f->layer[i];
    }
    return NULL;
}

static bool is_dead(const facts *f, const layer_facts *l, const unit *u)
{
    (void)f;
    return l->act == hg_relu && u->high <= 0;
}

static void check_dead(const facts *f, sentence *s)
{
    int64_t count;
    const layer_facts *l = find_layer(f, is_dead, 0.5, &count);
    if (l != NULL)
        say(s, "%lld of the %lld relu units of %s layer %d are dead, 0 for every sample, and learn no more: lower the rate, "
            "or declare leaky_relu", (long long)count, (long long)l->units, l->side, l->number);
}

/* Few values lie in between by chance, on the way from one end to the other. */
static bool is_saturated(const facts *f, const layer_facts *l, const unit *u)
{
    const double few = 0.02 * (double)(f->samples * l->places);
    return (l->act == hg_sigmoid || l->act == hg_tanh) && (double)u->unsaturated <= few;
}

static void check_saturated(const facts *f, sentence *s)
{
    int64_t count;
    /* of logistic units that start well, more than half may be so for some epochs */
    const layer_facts *l = find_layer(f, is_saturated, 0.75, &count);
    if (l != NULL)
        say(s, "%lld of the %lld %s units of %s layer %d are saturated, at an end of their range for 98 %% of the samples or "
            "more, where their slope is all but 0: lower the rate, start the weights smaller, or scale the data",
            (long long)count, (long long)l->units, hg_activation_name(l->act), l->side, l->number);
}

static const hg_sparse_spec *find_sparse(const hg_autoencoder *declaration)
{
    for (int i = 0; i < HG_MOST_PENALTIES && declaration->penalties[i].kind != NULL; i++)
        if (declaration->penalties[i].kind == &hg_sparse_penalty)
            return declaration->penalties[i].spec;
    return NULL;
}

static void check_sparsity(const facts *f, sentence *s)
{
    const hg_sparse_spec *sparse = find_sparse(f->model->declaration);
    const layer_facts *code = &f->layer[f->code];
    double sum = 0, numbers = (double)(code->places * f->samples);
    int64_t off = 0;
    for (int64_t i = 0; i < code->units && sparse != NULL; i++) {
        const double activity = code->unit[i].sum / numbers;
        off += activity > 2 * sparse->rho || activity < sparse->rho / 2;
        sum += activity;
    }
    if (off * 2 > code->units && !is_early(f))
        say(s, "%lld of the %lld units of the code are active more than twice or less than half as much as they should be: rho is "
            "%g, and their activity %.3g on average: raise beta (now %g), or train for more epochs", (long long)off,
            (long long)code->units, sparse->rho, sum / (double)code->units, sparse->beta);
}

/* ---- The table ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    bool        at_once; /* needs no values of the model */
    void (*check)(const facts *f, sentence *s);
} checks[] = {
    { "data_range", true, check_range },
    { "identity", true, check_identity },
    { "divergence", false, check_divergence },
    { "collapsed_code", false, check_collapse },
    { "no_better_than_mean", false, check_mean },
    { "dead_units", false, check_dead },
    { "saturated_units", false, check_saturated },
    { "sparsity", false, check_sparsity },
};
enum { CHECKS = sizeof checks / sizeof *checks };
_Static_assert(CHECKS <= HG_MOST_DIAGNOSES, "each check has room for its sentence");

const char *hg_diagnosis_at(size_t index)
{
    return index < CHECKS ? checks[index].name : NULL;
}

static void run_checks(const facts *f, bool at_once, hg_diagnoses *diagnoses)
{
    for (int i = 0; i < CHECKS; i++) {
        sentence s = { "" };
        if (at_once && !checks[i].at_once)
            continue;
        checks[i].check(f, &s);
        if (*s.text == '\0')
            continue;
        hg_diagnosis *found = &diagnoses->found[diagnoses->count++];
        found->name = checks[i].name;
        memcpy(found->text, s.text, sizeof found->text);
    }
}

hg_status hg_diagnose_declaration(hg_model *model, const hg_dataset *data, hg_diagnoses *diagnoses)
{
    facts f = { .model = model, .data = data };
    diagnoses->count = 0;
    if (hg_model_check_data(model, data) == HG_OK)
        run_checks(&f, true, diagnoses);
    return hg_model_status(model);
}

hg_status hg_diagnose(hg_model *model, const hg_dataset *data, int64_t epochs, const hg_report reports[],
                      hg_diagnoses *diagnoses)
{
    facts *f = calloc(1, sizeof *f);
    diagnoses->count = 0;
    if (f == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a diagnosis");
    *f = (facts){ .model = model, .data = data, .epochs = epochs, .report = reports };
    if (hg_model_check_data(model, data) == HG_OK && gather(f) == HG_OK)
        run_checks(f, false, diagnoses);
    forget(f);
    free(f);
    return hg_model_status(model);
}
