/* A softmax classifier on the code, trained together with the encoder (T14). */
#include "loop.h"

#include <hourglass/stack.h>

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 1024 }; /* samples at a time */

struct hg_classifier {
    hg_model *model;
    int64_t   classes, code;
    hg_graph *graph; /* of the head alone: its parameters between trainings */
};

/* V h + c; the parameters are made where they do not exist. */
static hg_tensor *apply_head(const hg_classifier *classifier, hg_tensor *code)
{
    code = hg_flatten(code);
    if (code == NULL)
        return NULL;
    hg_graph *graph = hg_tensor_graph(code);
    hg_tensor *weight = hg_parameter(graph, "head/weight", HG_SHAPE(classifier->classes, classifier->code), hg_zeros());
    hg_tensor *bias = hg_parameter(graph, "head/bias", HG_SHAPE(classifier->classes), hg_zeros());
    hg_tensor *product = hg_matmul(weight, code);
    return hg_add(product, hg_expand_like(bias, product, product == NULL ? 0 : hg_last_axis(product)));
}

hg_classifier *hg_classifier_new(hg_model *model, int64_t classes)
{
    hg_classifier *classifier = calloc(1, sizeof *classifier);
    if (classifier == NULL)
        return NULL;
    *classifier = (hg_classifier){ .model = model, .classes = classes, .code = hg_model_code_size(model) };
    if (hg_model_status(model) != HG_OK)
        return classifier;
    if (classes < 2) {
        hg_model_fail(model, HG_BAD_DATA, "a classifier needs labels of two classes or more, and there %s %lld",
                      classes == 1 ? "is" : "are", (long long)classes);
        return classifier;
    }
    classifier->graph = hg_graph_new(hg_graph_dtype(model->graph));
    if (classifier->graph == NULL
        || apply_head(classifier, hg_input(classifier->graph, "code", HG_SHAPE(classifier->code, HG_BATCH))) == NULL)
        hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a classifier of %lld classes", (long long)classes);
    return classifier;
}

void hg_classifier_free(hg_classifier *classifier)
{
    if (classifier == NULL)
        return;
    hg_graph_free(classifier->graph);
    free(classifier);
}

static hg_status check_labels(const hg_classifier *classifier, const hg_dataset *data)
{
    if (hg_model_check_data(classifier->model, data) != HG_OK)
        return hg_model_status(classifier->model);
    if (hg_dataset_classes(data) == 0)
        return hg_model_fail(classifier->model, HG_BAD_DATA, "a classifier needs labels, and the data have none");
    return hg_dataset_classes(data) <= classifier->classes
               ? HG_OK
               : hg_model_fail(classifier->model, HG_BAD_DATA, "the classifier knows %lld classes, but a label is %lld",
                               (long long)classifier->classes, (long long)hg_dataset_classes(data) - 1);
}

/* ---- Training ------------------------------------------------------------------------------------------- */

typedef struct training {
    hg_classifier                *classifier;
    const hg_classifier_training *options;
    hg_graph                     *graph;
} training;

static void epoch_done(void *context, const hg_report *report, const double measures[])
{
    const training *t = context;
    (void)measures;
    hg_copy_by_name(t->graph, t->classifier->graph);
    if (t->options->progress != NULL)
        t->options->progress(report, t->options->progress_to);
}

/* The autoencoder in training, but of clean samples, and the head on its code. */
static void build(training *t, const hg_autoencoder *clean, hg_parts *parts, hg_loop *loop)
{
    hg_graph_set_seed(t->graph, t->classifier->model->seed);
    if (hg_autoencoder_build(clean, t->graph, HG_TRAINING, parts) != HG_OK)
        return;
    loop->input = parts->input;
    loop->step = parts->step;
    loop->labels = hg_input_of(t->graph, "labels", HG_I64, HG_SHAPE(1, HG_BATCH));
    hg_tensor *logits = apply_head(t->classifier, parts->code);
    loop->objective = hg_softmax_cross_entropy(logits, hg_one_hot(loop->labels, t->classifier->classes));
    hg_copy_by_name(t->classifier->model->graph, t->graph);
    hg_copy_by_name(t->classifier->graph, t->graph);
}

hg_status hg_classifier_train(hg_classifier *classifier, const hg_dataset *data, const hg_classifier_training *options)
{
    hg_model *model = classifier->model;
    if (check_labels(classifier, data) != HG_OK)
        return hg_model_status(model);
    hg_autoencoder clean = *model->declaration;
    clean.corrupt = (hg_corruption){ 0 };
    clean.emphasis = (hg_emphasis){ 0 };
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        clean.penalties[i] = (hg_penalty){ 0 };
    training t = { classifier, options, hg_graph_new(hg_graph_dtype(model->graph)) };
    if (t.graph == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: the classifier's graph");
    hg_parts parts;
    hg_loop loop = { .model = model, .data = data, .what = "the classifier's training", .graph = t.graph,
                     .states = &parts.updates, .untrained = "decoder/",
                     .settings = { options->epochs, options->batch, options->optimizer, options->schedule,
                                   options->warm_up },
                     .clip = options->clip, .seed = options->seed, .threads = options->threads,
                     .epoch_done = epoch_done, .context = &t };
    build(&t, &clean, &parts, &loop);
    hg_status status = hg_loop_run(&loop);
    hg_graph_free(t.graph);
    return status;
}

/* ---- Using ---------------------------------------------------------------------------------------------- */

/* Encodes all samples, block by block: judge(context, code, stride, label) for each. A code's numbers are `stride` apart. */
typedef void judge(void *context, const double *code, int64_t stride, int64_t label);

static hg_status judge_codes(hg_model *model, const hg_dataset *data, judge *each, void *context)
{
    int64_t count = hg_dataset_count(data), size = hg_model_code_size(model);
    double *codes = malloc((size_t)(size * BLOCK) * sizeof *codes);
    if (codes == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: %d codes", BLOCK);
    for (int64_t first = 0, n; first < count && hg_model_status(model) == HG_OK; first += n) {
        n = count - first < BLOCK ? count - first : BLOCK;
        if (hg_model_encode(model, data, first, n, codes) == HG_OK)
            for (int64_t i = 0; i < n; i++)
                each(context, codes + i, n, hg_dataset_label(data, first + i));
    }
    free(codes);
    return hg_model_status(model);
}

typedef struct verdict {
    int64_t classes, size;
    double *weight, *bias; /* classes x size; bias: classes */
    int64_t wrong;
} verdict;

static void judge_class(void *context, const double *code, int64_t stride, int64_t label)
{
    verdict *v = context;
    int64_t best = 0;
    double largest = -INFINITY;
    for (int64_t k = 0; k < v->classes; k++) {
        double a = v->bias[k];
        for (int64_t j = 0; j < v->size; j++)
            a += v->weight[k * v->size + j] * code[j * stride];
        if (a > largest) {
            largest = a;
            best = k;
        }
    }
    v->wrong += best != label;
}

/* Makes room for a linear rule; false with the error latched. */
static bool open_verdict(hg_model *model, int64_t classes, verdict *v)
{
    *v = (verdict){ .classes = classes, .size = hg_model_code_size(model) };
    v->weight = calloc((size_t)(classes * v->size), sizeof *v->weight);
    v->bias = calloc((size_t)classes, sizeof *v->bias);
    if (v->weight != NULL && v->bias != NULL)
        return true;
    hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a rule for %lld classes", (long long)classes);
    return false;
}

static void close_verdict(verdict *v)
{
    free(v->weight);
    free(v->bias);
}

hg_status hg_classifier_error_rate(hg_classifier *classifier, const hg_dataset *data, double *rate)
{
    verdict v;
    if (check_labels(classifier, data) != HG_OK)
        return hg_model_status(classifier->model);
    if (open_verdict(classifier->model, classifier->classes, &v)) {
        hg_read(hg_graph_find(classifier->graph, "head/weight"), v.weight, (size_t)(v.classes * v.size));
        hg_read(hg_graph_find(classifier->graph, "head/bias"), v.bias, (size_t)v.classes);
        judge_codes(classifier->model, data, judge_class, &v);
        *rate = (double)v.wrong / (double)hg_dataset_count(data);
    }
    close_verdict(&v);
    return hg_model_status(classifier->model);
}

hg_status hg_classifier_save(hg_classifier *classifier, const char *path)
{
    hg_safetensors_entry entry[2];
    hg_model *model = classifier->model;
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    for (size_t i = 0; i < 2; i++) {
        const hg_tensor *parameter = hg_graph_parameter(classifier->graph, i);
        entry[i] = (hg_safetensors_entry){ hg_tensor_name(parameter), hg_tensor_dtype(parameter),
                                           *hg_tensor_shape(parameter), hg_data(parameter) };
    }
    return hg_safetensors_write(path, 2, entry, 0, NULL, &model->error);
}

/* ---- Nearest mean --------------------------------------------------------------------------------------- */

typedef struct means {
    verdict *v; /* weight: sums of codes */
    int64_t *members;
} means;

static void add_to_mean(void *context, const double *code, int64_t stride, int64_t label)
{
    const means *m = context;
    m->members[label]++;
    for (int64_t j = 0; j < m->v->size; j++)
        m->v->weight[label * m->v->size + j] += code[j * stride];
}

/* |h - m|^2 is least where m'h - |m|^2 / 2 is largest: a linear rule. Classes without samples are never chosen. */
static void finish_means(const means *m)
{
    for (int64_t k = 0; k < m->v->classes; k++) {
        double *mean = m->v->weight + k * m->v->size, squares = 0;
        for (int64_t j = 0; j < m->v->size && m->members[k] > 0; j++) {
            mean[j] /= (double)m->members[k];
            squares += mean[j] * mean[j];
        }
        m->v->bias[k] = m->members[k] > 0 ? -squares / 2 : -INFINITY;
    }
}

hg_status hg_nearest_mean_error_rate(hg_model *model, const hg_dataset *known, const hg_dataset *data, double *rate)
{
    verdict v;
    if (hg_model_check_data(model, known) != HG_OK || hg_model_check_data(model, data) != HG_OK)
        return hg_model_status(model);
    int64_t classes = hg_dataset_classes(known);
    if (classes == 0 || hg_dataset_classes(data) == 0)
        return hg_model_fail(model, HG_BAD_DATA, "the nearest class mean needs labels, and the data have none");
    int64_t *members = calloc((size_t)classes, sizeof *members);
    if (members == NULL)
        hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: the means of %lld classes", (long long)classes);
    if (open_verdict(model, classes, &v) && members != NULL) {
        means m = { &v, members };
        if (judge_codes(model, known, add_to_mean, &m) == HG_OK) {
            finish_means(&m);
            judge_codes(model, data, judge_class, &v);
            *rate = (double)v.wrong / (double)hg_dataset_count(data);
        }
    }
    close_verdict(&v);
    free(members);
    return hg_model_status(model);
}
