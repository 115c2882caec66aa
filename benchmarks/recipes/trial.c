/* Runs one trial of a recipe. */
#include "recipes.h"

#include <stdio.h>
#include <string.h>

static void copy_values(const hg_tensor *from, const hg_tensor *to)
{
    memcpy(hg_data(to), hg_data(from), (size_t)hg_shape_count(hg_tensor_shape(from), 1) * sizeof(float));
}

/* ---- Watching: errors of the first images, from corrupted input -------------------------------------- */

typedef struct watch {
    trial_run *run;
    hg_graph  *graph;
    hg_parts   parts; /* as in training: they corrupt their input */
    hg_plan   *plan;
} watch;

static hg_status fail(watch *w)
{
    return hg_model_fail(w->run->model, hg_graph_status(w->graph), "the images that are watched: %s",
                         hg_graph_error(w->graph));
}

static hg_status watch_begin(watch *w)
{
    hg_model *model = w->run->model;
    const int64_t count = w->run->trial->watched;
    w->graph = hg_graph_new(HG_F32);
    if (w->graph == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: the images that are watched");
    hg_graph_set_seed(w->graph, hg_model_seed(model));
    hg_status status = hg_autoencoder_build(hg_model_declaration(model), w->graph, HG_TRAINING, &w->parts);
    if (status == HG_OK)
        w->plan = hg_plan_new(w->graph, 1, &w->parts.loss,
                              &(hg_plan_options){ .batch = count, .threads = w->run->threads });
    if (w->plan == NULL)
        return fail(w);
    hg_scaling scale = hg_model_scaling(model);
    return hg_dataset_batch(w->run->train, count, NULL, 0, scale.low, scale.high, HG_F32,
                            hg_plan_data(w->plan, w->parts.input));
}

static void copy_parameters(const hg_graph *from, const hg_graph *to)
{
    const hg_tensor *parameter;
    for (size_t i = 0; (parameter = hg_graph_parameter(from, i)) != NULL; i++)
        copy_values(parameter, hg_graph_parameter(to, i));
}

/* The loss is half of the squared error. */
static void look(watch *w, int64_t epoch)
{
    double loss;
    copy_parameters(hg_model_graph(w->run->model), w->graph);
    hg_status status = hg_plan_write(w->plan, w->parts.step, &(double){ (double)epoch }, 1);
    if (status == HG_OK)
        status = hg_run(w->plan);
    if (status == HG_OK)
        status = hg_plan_read(w->plan, w->parts.loss, &loss, 1);
    if (status == HG_OK)
        w->run->watched[epoch] = 2 * loss;
    else
        fail(w);
}

static void watch_end(watch *w)
{
    hg_plan_free(w->plan);
    hg_graph_free(w->graph);
}

/* ---- Training ---------------------------------------------------------------------------------------- */

static void progress(const hg_report *report, void *to)
{
    watch *w = to;
    w->run->last = *report;
    if (report->epoch_done && w->plan != NULL)
        look(w, report->epoch);
    if (w->run->show)
        hg_progress_bar(report, stderr);
}

static void pretraining_progress(int layer, int layers, const hg_report *report, void *to)
{
    (void)to;
    if (report->epoch_done)
        fprintf(stderr, "layer %d of %d: ", layer, layers);
    hg_progress_bar(report, stderr);
}

static const hg_tensor *next_of_encoder(const hg_model *model, size_t *index)
{
    const hg_tensor *parameter;
    do
        parameter = hg_graph_parameter(hg_model_graph(model), (*index)++);
    while (parameter != NULL && strncmp(hg_tensor_name(parameter), "encoder/", 8) != 0);
    return parameter;
}

/* Both encoders have the same layers, but for those without parameters. */
static hg_status take_encoder(hg_model *to, const hg_model *from)
{
    size_t i = 0, j = 0;
    for (;;) {
        const hg_tensor *pretrained = next_of_encoder(from, &i), *own = next_of_encoder(to, &j);
        if (pretrained == NULL && own == NULL)
            return HG_OK;
        if (pretrained == NULL || own == NULL
            || !hg_shape_equal(hg_tensor_shape(pretrained), hg_tensor_shape(own)))
            return hg_model_fail(to, HG_BAD_SHAPE, "the encoder that is pre-trained has other parameters");
        copy_values(pretrained, own);
    }
}

static hg_status pretrain(trial_run *run)
{
    const hg_stack *stack = run->trial->stack;
    hg_stack_training training = { .training.threads = run->threads,
                                   .progress = run->show ? pretraining_progress : NULL };
    if (stack->autoencoder == run->trial->model)
        return hg_pretrain(run->model, stack, run->train, &training);
    hg_model *pretrained = hg_model_new(stack->autoencoder, HG_F32, hg_model_seed(run->model));
    hg_status status = hg_pretrain(pretrained, stack, run->train, &training);
    if (status == HG_OK)
        status = take_encoder(run->model, pretrained);
    else
        hg_model_fail(run->model, status, "%s", hg_model_error(pretrained));
    hg_model_free(pretrained);
    return status;
}

static hg_status train(trial_run *run)
{
    watch w = { .run = run };
    hg_training training = *run->trial->training;
    training.threads = run->threads;
    training.progress = progress;
    training.progress_to = &w;
    hg_status status = run->trial->watched > 0 ? watch_begin(&w) : HG_OK;
    if (status == HG_OK && w.plan != NULL)
        look(&w, 0);
    if (status == HG_OK)
        status = hg_train(run->model, run->train, &training);
    watch_end(&w);
    return status;
}

static hg_status train_classifier(trial_run *run)
{
    hg_classifier_training training = *run->trial->classifier;
    training.threads = run->threads;
    training.progress = run->show ? hg_progress_bar : NULL;
    training.progress_to = stderr;
    run->classifier = hg_classifier_new(run->model, hg_dataset_classes(run->train));
    if (run->classifier == NULL)
        return hg_model_fail(run->model, HG_OUT_OF_MEMORY, "out of memory: the classifier");
    return hg_classifier_train(run->classifier, run->train, &training);
}

hg_status run_trial(trial_run *run)
{
    const trial *t = run->trial;
    hg_status status = hg_model_status(run->model);
    hg_model_set_threads(run->model, run->threads);
    if (status == HG_OK && t->stack != NULL)
        status = pretrain(run);
    if (status == HG_OK && t->training != NULL)
        status = train(run);
    if (status == HG_OK && t->classifier != NULL)
        status = train_classifier(run);
    return status;
}
