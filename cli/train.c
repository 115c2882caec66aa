/* hourglass train: from a declaration and data to a run directory. */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The optimiser and its schedule ---------------------------------------------------------------------- */

/* From "NAME" or "NAME:field=value,...", a kind of a list and its spec; the exit status. */
static int parse_kind(const char *option, const char *text, const hg_kind *const kinds[], const hg_kind **kind,
                      char spec[HG_SPEC_BYTES])
{
    hg_error error = { 0 };
    char name[64], names[HG_SPEC_TEXT], place[64];
    size_t length = strcspn(text, ":");
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : (int)sizeof name - 1, text);
    *kind = hg_kind_find(kinds, name);
    if (*kind == NULL)
        return hg_complain("--%s: there is no %s \"%s\", only: %s", option, option, name, hg_kind_names(kinds, names)),
               HG_EXIT_USAGE;
    memset(spec, 0, HG_SPEC_BYTES);
    snprintf(place, sizeof place, "--%s: ", option);
    if (hg_spec_set(*kind, spec, text + length + (text[length] == ':'), place, &error) != HG_OK)
        return hg_complain("%s", error.text), HG_EXIT_USAGE;
    return 0;
}

/* The one that is asked for, or else a copy of the declaration's. The specs are written to `spec`. */
static int choose_optimizer(const hg_autoencoder *declaration, const hg_train_options *o, const hg_kind **kind,
                            char spec[HG_SPEC_BYTES])
{
    if (o->optimizer != NULL)
        return parse_kind("optimizer", o->optimizer, hg_optimizer_kinds, kind, spec);
    hg_optimizer declared = hg_settings_for(declaration, (hg_training_settings){ 0 }).optimizer;
    *kind = &declared.kind->kind;
    memset(spec, 0, HG_SPEC_BYTES);
    if (declared.spec != NULL)
        memcpy(spec, declared.spec, (*kind)->size);
    return 0;
}

static int parse_optimizer(const hg_autoencoder *declaration, const hg_train_options *o, hg_optimizer *optimizer,
                           char spec[HG_SPEC_BYTES])
{
    hg_error error = { 0 };
    const hg_kind *kind;
    if (o->optimizer == NULL && o->rate == NULL)
        return 0;
    int status = choose_optimizer(declaration, o, &kind, spec);
    if (status != 0)
        return status;
    *optimizer = (hg_optimizer){ (const hg_optimizer_kind *)kind, spec };
    if (o->rate == NULL)
        return 0;
    const hg_field *rate = hg_field_find(kind, "rate");
    if (rate == NULL)
        return hg_complain("--rate: the optimizer %s has no rate", kind->name), HG_EXIT_USAGE;
    return hg_field_set(rate, spec, o->rate, "--", &error) == HG_OK ? 0
                                                                    : (hg_complain("%s", error.text), HG_EXIT_USAGE);
}

static int parse_schedule(const hg_train_options *o, hg_schedule *schedule, char spec[HG_SPEC_BYTES])
{
    const hg_kind *kind;
    if (o->schedule == NULL)
        return 0;
    int status = parse_kind("schedule", o->schedule, hg_schedule_kinds, &kind, spec);
    *schedule = (hg_schedule){ (const hg_schedule_kind *)kind, spec };
    return status;
}

/* ---- The run directory ---------------------------------------------------------------------------------- */

enum { PICTURES = 20 };

static bool is_image(const hg_dataset *data)
{
    const hg_shape *shape = hg_dataset_shape(data);
    return shape->rank == 3 && (shape->dim[0] == 1 || shape->dim[0] == 3);
}

static int write_pictures(hg_model *model, const hg_dataset *data, const char *directory)
{
    int64_t count = hg_dataset_count(data) < PICTURES ? hg_dataset_count(data) : PICTURES;
    if (!is_image(data)) {
        puts("no reconstructions.png: the samples are no images");
        return 0;
    }
    char *path = hg_join(directory, "reconstructions.png");
    int status = path == NULL ? HG_EXIT_FAILURE : hg_draw_reconstructions(model, data, count, path);
    free(path);
    return status;
}

static int write_model(hg_model *model, const char *directory)
{
    char *path = hg_join(directory, "model.safetensors");
    int status = path == NULL                          ? HG_EXIT_FAILURE
                 : hg_model_save(model, path) == HG_OK ? 0
                                                       : hg_complain("%s", hg_model_error(model));
    free(path);
    return status;
}

const hg_dataset *hg_job_judge(const hg_job *job)
{
    return job->valid != NULL ? job->valid : job->data;
}

int hg_job_failed(const hg_job *job)
{
    return hg_complain("%s", hg_model_error(job->model));
}

static int print_errors(const hg_job *job, const hg_dataset *judge)
{
    hg_proportions p;
    int status = hg_put_in_proportion(job->model, job->data, judge, &p);
    if (status != 0)
        return status;
    const hg_errors *own = &p.evaluation.errors, *mean = &p.evaluation.baselines.mean_image;
    printf("mean squared error %.5f on the %s data (the mean image: %.5f", own->mean_squared_error,
           job->valid != NULL ? "validation" : "training", mean->mean_squared_error);
    if (isfinite(p.pca.mean_squared_error))
        printf("; PCA of %lld numbers: %.5f", (long long)p.components, p.pca.mean_squared_error);
    puts(")");
    hg_print_left_out(job->model);
    if (isfinite(own->cross_entropy_per_sample))
        printf("cross-entropy %.2f per sample (the mean image: %.2f; the entropy of the data, the least possible: %.2f)\n",
               own->cross_entropy_per_sample, mean->cross_entropy_per_sample, p.floor);
    return 0;
}

int hg_job_finish(hg_job *job)
{
    const hg_dataset *judge = hg_job_judge(job);
    int status = write_model(job->model, job->directory);
    if (status != 0)
        return status;
    if (job->options->classify) { /* the decoder knows nothing of what the encoder has become */
        printf("written to %s\n", job->directory);
        return 0;
    }
    status = write_pictures(job->model, judge, job->directory);
    if (status != 0)
        return status;
    status = print_errors(job, judge);
    if (status != 0)
        return status;
    printf("written to %s\n", job->directory);
    return 0;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

/* A way of training, which models it is for, and the options that mean nothing to it. */
typedef struct method {
    const char *name;
    bool (*is_for)(const hg_autoencoder *model, const hg_train_options *o);
    int (*run)(hg_job *job);
    const char *const *unused;
} method;

static bool is_pca(const hg_autoencoder *model, const hg_train_options *o)
{
    (void)o;
    return hg_is_pca(model);
}

static bool is_psd(const hg_autoencoder *model, const hg_train_options *o)
{
    (void)o;
    return hg_is_predictive_sparse(model);
}

static bool is_classifier(const hg_autoencoder *model, const hg_train_options *o)
{
    (void)model;
    return o->classify;
}

static bool is_any(const hg_autoencoder *model, const hg_train_options *o)
{
    (void)model;
    (void)o;
    return true;
}

#define HELD_OUT "valid-fraction", "patience"
static const method methods[] = {
    { "PCA, which is computed", is_pca, hg_job_pca,
      (const char *const[]){ HELD_OUT, "epochs", "batch", "optimizer", "rate", "schedule", "warm-up", "clip", "pretrain",
                             "classify", "sparsity", "threads", "profile", NULL } },
    { "predictive sparse decomposition", is_psd, hg_job_psd,
      (const char *const[]){ HELD_OUT, "pretrain", "classify", "code", "profile", NULL } },
    { "--classify", is_classifier, hg_job_usual, (const char *const[]){ HELD_OUT, "code", "sparsity", "profile", NULL } },
    { "this model", is_any, hg_job_usual, (const char *const[]){ "code", "sparsity", NULL } },
};

static bool is_given(const hg_option *option, const hg_train_options *o)
{
    static const size_t sizes[] = { [HG_OPTION_TEXT] = sizeof(char *), [HG_OPTION_INT] = sizeof(int64_t),
                                    [HG_OPTION_NUMBER] = sizeof(double), [HG_OPTION_FLAG] = sizeof(bool) };
    return memcmp((const char *)o + option->offset, (const char *)hg_train_command.initial + option->offset,
                  sizes[option->type]) != 0;
}

static int check_unused(const method *m, const hg_train_options *o)
{
    for (const hg_option *option = hg_train_command.options; option->name != NULL; option++)
        for (int i = 0; m->unused[i] != NULL; i++)
            if (strcmp(m->unused[i], option->name) == 0 && is_given(option, o))
                return hg_complain("--%s means nothing to %s", option->name, m->name), HG_EXIT_USAGE;
    return 0;
}

static int train(hg_job *job)
{
    const hg_train_options *o = job->options;
    const hg_autoencoder *declaration = hg_model_declaration(job->model);
    const method *m = methods;
    while (!m->is_for(declaration, o))
        m++;
    job->history.model = job->model;
    job->history.data = job->data;
    job->training = (hg_training){ .epochs = o->epochs, .batch = o->batch, .threads = (int)o->threads, .valid = job->valid,
                                   .valid_fraction = o->valid_fraction, .patience = o->patience,
                                   .clip = { .norm = o->clip }, .warm_up = o->warm_up,
                                   .profile = o->profile ? stdout : NULL };
    int status = check_unused(m, o);
    if (status == 0)
        status = parse_optimizer(declaration, o, &job->training.optimizer, job->optimizer_spec);
    if (status == 0)
        status = parse_schedule(o, &job->training.schedule, job->schedule_spec);
    if (status != 0)
        return status;
    if (!hg_make_directory(job->directory)) /* before the work, not after it */
        return HG_EXIT_FAILURE;
    return m->run(job);
}

static int run_on(const hg_autoencoder *declaration, const hg_dataset *data, const hg_dataset *valid, const hg_train_options *o)
{
    if (o->out == NULL && strchr(declaration->name, '/') != NULL)
        return hg_complain("--out is missing: \"%s\" cannot be the name of a directory", declaration->name);
    char *usual = o->out == NULL ? hg_join("runs", declaration->name) : NULL;
    const char *directory = o->out != NULL ? o->out : usual;
    hg_job job = { .options = o, .data = data, .valid = valid, .directory = directory,
                   .model = hg_model_new(declaration, HG_F32, (uint64_t)o->seed) };
    int status = HG_EXIT_FAILURE;
    if (hg_model_status(job.model) != HG_OK)
        hg_complain("%s", hg_model_error(job.model));
    else if (directory != NULL)
        status = train(&job);
    hg_history_free(&job.history);
    hg_model_free(job.model);
    free(usual);
    return status;
}

static int run(char *const positional[], const void *given)
{
    const hg_train_options *o = given;
    hg_autoencoder *owned;
    hg_dataset *data = NULL, *valid = NULL;
    int status = HG_EXIT_FAILURE;
    const hg_autoencoder *declaration = hg_find_declaration(positional[0], &owned);
    if (declaration != NULL)
        data = hg_open_data(o->data);
    if (data != NULL && o->valid != NULL)
        valid = hg_open_data(o->valid);
    if (data != NULL && (valid != NULL || o->valid == NULL))
        status = run_on(declaration, data, valid, o);
    hg_dataset_free(valid);
    hg_dataset_free(data);
    hg_autoencoder_free(owned);
    return status;
}

const hg_command hg_train_command = {
    .name = "train",
    .arguments = "MODEL",
    .summary = "trains an autoencoder and leaves a run directory",
    .details = "MODEL is a name that `hourglass models` lists, or a JSON file (`hourglass show MODEL --json` prints one to start\n"
               "from). What options do not say is as the model declares, which `hourglass show MODEL` prints. The run directory gets model.safetensors, metrics.csv and reconstructions.png, originals above\n"
               "reconstructions. --pretrain on adds a stage before: each layer of the encoder is trained as an autoencoder on the\n"
               "codes of the one below, and leaves metrics-layer1.csv ... --classify leaves the head in head.safetensors. For\n"
               "linear models each epoch's largest angle to PCA and excess over its error are in metrics.csv. pca is computed\n"
               "for data of any size, and leaves eigenfaces.png: the mean and the first components. What looks wrong is\n"
               "printed to standard error, as \"note: ...\".\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "data", 'd', HG_OPTION_TEXT, offsetof(hg_train_options, data), NULL, "SPEC",
          "data (digits): digits:count=N,seed=S, or an IDX file, gzipped or not" },
        { "valid", 'v', HG_OPTION_TEXT, offsetof(hg_train_options, valid), NULL, "SPEC",
          "validation data, judged after each epoch" },
        { "valid-fraction", 0, HG_OPTION_NUMBER, offsetof(hg_train_options, valid_fraction), "(0, 1)", "PART",
          "or this part of the data, held out" },
        { "epochs", 'e', HG_OPTION_INT, offsetof(hg_train_options, epochs), "[1, inf)", "N", "epochs (the model's, or 20)" },
        { "batch", 'b', HG_OPTION_INT, offsetof(hg_train_options, batch), "[1, inf)", "N",
          "samples in a mini-batch (the model's, or 128)" },
        { "optimizer", 0, HG_OPTION_TEXT, offsetof(hg_train_options, optimizer), NULL, "SPEC",
          "adam, adamw, sgd, rmsprop, adagrad or lbfgs (the model's, or adam); with fields: sgd:momentum=0.9,nesterov=true" },
        { "rate", 'r', HG_OPTION_TEXT, offsetof(hg_train_options, rate), NULL, "X",
          "the optimiser's rate (the model's, or sgd and adagrad 0.01, others 0.001)" },
        { "schedule", 0, HG_OPTION_TEXT, offsetof(hg_train_options, schedule), NULL, "SPEC",
          "of the rate: constant, cosine, step:every=10,factor=0.5 or plateau:patience=3 (the model's, or constant)" },
        { "warm-up", 0, HG_OPTION_NUMBER, offsetof(hg_train_options, warm_up), "(0, inf)", "N",
          "epochs over which the rate rises to the schedule's (0)" },
        { "clip", 0, HG_OPTION_NUMBER, offsetof(hg_train_options, clip), "(0, inf)", "X",
          "largest norm of all gradients together (none)" },
        { "patience", 0, HG_OPTION_INT, offsetof(hg_train_options, patience), "[1, inf)", "N",
          "stop after N epochs without a lower validation loss" },
        { "seed", 's', HG_OPTION_INT, offsetof(hg_train_options, seed), "[0, inf)", "N",
          "seed of everything random (1)" },
        { "threads", 't', HG_OPTION_INT, offsetof(hg_train_options, threads), "[1, 1024]", "N",
          "threads (all processors)" },
        { "pretrain", 0, HG_OPTION_TEXT, offsetof(hg_train_options, pretrain), NULL, "on|off",
          "train layer by layer first (on where the model says how, as stacked does)" },
        { "classify", 0, HG_OPTION_FLAG, offsetof(hg_train_options, classify), NULL, NULL,
          "train the encoder with a softmax head on the data's labels" },
        { "code", 0, HG_OPTION_INT, offsetof(hg_train_options, code), "[1, inf)", "N", "pca: components (30)" },
        { "sparsity", 0, HG_OPTION_NUMBER, offsetof(hg_train_options, sparsity), "(0, inf)", "X",
          "predictive-sparse: the weight of |z| (the model's)" },
        { "profile", 0, HG_OPTION_FLAG, offsetof(hg_train_options, profile), NULL, NULL,
          "print the time, flops and bytes of each step of the plan, and the percentage of the processors' peak" },
        { "out", 'o', HG_OPTION_TEXT, offsetof(hg_train_options, out), NULL, "DIR", "run directory (runs/MODEL)" },
        { 0 } },
    .size = sizeof(hg_train_options),
    .initial = &(const hg_train_options){ .data = "digits", .seed = 1 },
    .run = run,
};
