/* The usual training: by reconstruction, perhaps pre-trained layer by layer, or as a classifier on the code. */
#include "train.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pre-training --------------------------------------------------------------------------------------- */

typedef struct climber {
    hg_job    *job;
    int        layer, status;
    hg_history history; /* of this layer */
} climber;

/* What is known of the layer before is written when the next one begins. */
static void finish_layer(climber *c)
{
    char name[64];
    if (c->layer > 0 && c->status == 0) {
        snprintf(name, sizeof name, "metrics-layer%d.csv", c->layer);
        c->status = hg_write_history(&c->history, c->job->directory, name);
    }
    hg_history_free(&c->history);
    c->history = (hg_history){ 0 };
}

static void begin_layer(int layer, int layers, hg_model *own, const hg_dataset *data, void *to)
{
    climber *c = to;
    finish_layer(c);
    c->layer = layer;
    c->history.model = own;
    c->history.data = data;
    fprintf(stderr, "pre-training layer %d of %d\n", layer, layers);
}

static void climb(int layer, int layers, const hg_report *report, void *to)
{
    climber *c = to;
    (void)layer, (void)layers;
    hg_observe(report, &c->history);
}

static int pretrain(hg_job *job)
{
    climber c = { .job = job };
    hg_training training = job->training;
    training.profile = NULL; /* of the whole alone */
    hg_status status = hg_pretrain(job->model, NULL, job->data,
                                   &(hg_stack_training){ .training = training, .progress = climb, .progress_to = &c,
                                                        .begin = begin_layer });
    finish_layer(&c);
    return status == HG_OK ? c.status : hg_job_failed(job);
}

/* "on" or "off"; on by default for what declares it. */
static int parse_pretrain(const hg_job *job, bool *on)
{
    const char *text = job->options->pretrain;
    bool declared = hg_pretraining_count(hg_model_declaration(job->model)->pretraining) > 0;
    *on = text == NULL ? declared : strcmp(text, "on") == 0;
    if (text == NULL || *on || strcmp(text, "off") == 0)
        return 0;
    return hg_complain("--pretrain is \"%s\", but must be on or off", text), HG_EXIT_USAGE;
}

/* ---- A classifier --------------------------------------------------------------------------------------- */

typedef struct classification {
    hg_job        *job;
    hg_classifier *classifier;
    hg_error       error;
    hg_file_writer *file;
    double         rate;
} classification;

static void observe_classifier(const hg_report *report, void *to)
{
    classification *c = to;
    if (hg_classifier_error_rate(c->classifier, hg_job_judge(c->job), &c->rate) != HG_OK)
        return;
    fprintf(stderr, "epoch %" PRId64 "/%" PRId64 "  cross-entropy %.6g  %s error rate %.4f  %.0f samples/s\n", report->epoch,
            report->epochs, report->train_loss, c->job->valid != NULL ? "validation" : "training", c->rate,
            report->samples_per_second);
    hg_file_print(c->file, "%" PRId64 ",%.9g,%.9g\n", report->epoch, report->train_loss, c->rate);
    hg_record(report, &c->job->history);
}

static int write_head(const classification *c)
{
    char *path = hg_join(c->job->directory, "head.safetensors");
    int status = path == NULL                                      ? HG_EXIT_FAILURE
                 : hg_classifier_save(c->classifier, path) == HG_OK ? 0
                                                                    : hg_job_failed(c->job);
    free(path);
    return status;
}

static int run_classifier(classification *c)
{
    const hg_training *t = &c->job->training;
    hg_status status = hg_classifier_train(c->classifier, c->job->data,
                                           &(hg_classifier_training){ .epochs = t->epochs, .batch = t->batch,
                                                                      .optimizer = t->optimizer, .schedule = t->schedule,
                                                                      .warm_up = t->warm_up, .clip = t->clip,
                                                                      .threads = t->threads, .progress = observe_classifier,
                                                                      .progress_to = c });
    if (status != HG_OK || hg_model_status(c->job->model) != HG_OK) {
        hg_file_discard(c->file);
        return hg_job_failed(c->job);
    }
    if (hg_file_commit(c->file) != HG_OK)
        return hg_complain("%s", c->error.text);
    return write_head(c);
}

static int classify(hg_job *job)
{
    classification c = { .job = job };
    char *path = hg_join(job->directory, "metrics.csv");
    job->history.encoder_alone = true;
    if (path == NULL)
        return HG_EXIT_FAILURE;
    c.classifier = hg_classifier_new(job->model, hg_dataset_classes(job->data));
    c.file = hg_file_writer_open(path, &c.error);
    hg_file_print(c.file, "epoch,train_cross_entropy,%s_error_rate\n", job->valid != NULL ? "valid" : "train");
    int status = c.classifier == NULL ? hg_complain("out of memory: a classifier") : run_classifier(&c);
    if (status == 0)
        printf("error rate %.4f on the %s data\n", c.rate, job->valid != NULL ? "validation" : "training");
    hg_classifier_free(c.classifier);
    free(path);
    return status;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

static int reconstruct(hg_job *job)
{
    hg_history *h = &job->history;
    int status = hg_compare_with_pca(h);
    job->training.progress = hg_observe;
    job->training.progress_to = h;
    if (status == 0 && hg_train(job->model, job->data, &job->training) != HG_OK)
        status = hg_job_failed(job);
    if (status == 0)
        hg_print_convergence(h);
    return status == 0 ? hg_write_history(h, job->directory, "metrics.csv") : status;
}

int hg_job_usual(hg_job *job)
{
    bool pretrained;
    hg_diagnoses diagnoses;
    int status = parse_pretrain(job, &pretrained);
    if (status == 0 && hg_diagnose_declaration(job->model, job->data, &diagnoses) != HG_OK)
        status = hg_job_failed(job);
    if (status == 0 && !job->options->classify)
        hg_print_notes(&diagnoses, job->history.said);
    if (status == 0 && pretrained)
        status = pretrain(job);
    if (status == 0)
        status = job->options->classify ? classify(job) : reconstruct(job);
    return status == 0 ? hg_job_finish(job) : status;
}
