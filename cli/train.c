/* hourglass train: from a declaration and data to a run directory. */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *data, *valid, *optimizer, *rate, *out;
    int64_t     epochs, batch, patience, seed, threads;
    double      valid_fraction, clip;
} options;

/* What each epoch left, for metrics.csv. */
typedef struct history {
    hg_report *epoch;
    size_t     count, room;
    bool       full; /* memory ran out */
} history;

static void observe(const hg_report *report, void *to)
{
    history *h = to;
    hg_progress_bar(report, stderr);
    if (!report->epoch_done)
        return;
    if (h->count == h->room) {
        size_t room = h->room == 0 ? 64 : 2 * h->room;
        hg_report *epoch = realloc(h->epoch, room * sizeof *epoch);
        h->full = h->full || epoch == NULL;
        if (epoch == NULL)
            return;
        h->epoch = epoch;
        h->room = room;
    }
    h->epoch[h->count++] = *report;
}

static int write_metrics(const history *h, const char *path)
{
    hg_error error = { 0 };
    hg_file_writer *file = hg_file_writer_open(path, &error);
    hg_file_print(file, "epoch,train_loss,train_penalty,valid_loss\n");
    for (size_t i = 0; i < h->count; i++) {
        const hg_report *e = &h->epoch[i];
        hg_file_print(file, "%" PRId64 ",%.9g,%.9g,", e->epoch, e->train_loss, e->train_penalty);
        hg_file_print(file, isnan(e->valid_loss) ? "\n" : "%.9g\n", e->valid_loss);
    }
    if (h->full)
        return hg_file_discard(file), hg_complain("out of memory: the history of %zu epochs", h->count);
    return hg_file_commit(file) == HG_OK ? 0 : hg_complain("%s", error.text);
}

/* ---- The optimiser -------------------------------------------------------------------------------------- */

/* From "adam:beta1=0.8" and a rate. The spec is written to `spec`. */
static int parse_optimizer(const options *o, hg_optimizer *optimizer, char spec[HG_SPEC_BYTES])
{
    hg_error error = { 0 };
    char name[64], names[HG_SPEC_TEXT];
    size_t length = strcspn(o->optimizer, ":");
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : (int)sizeof name - 1, o->optimizer);
    const hg_kind *kind = hg_kind_find(hg_optimizer_kinds, name);
    if (kind == NULL)
        return hg_complain("--optimizer: there is no optimizer \"%s\", only: %s", name,
                           hg_kind_names(hg_optimizer_kinds, names)),
               HG_EXIT_USAGE;
    memset(spec, 0, HG_SPEC_BYTES);
    const char *fields = o->optimizer + length + (o->optimizer[length] == ':');
    if (hg_spec_set(kind, spec, fields, "--optimizer: ", &error) != HG_OK
        || (o->rate != NULL && hg_field_set(hg_field_find(kind, "rate"), spec, o->rate, "--", &error) != HG_OK))
        return hg_complain("%s", error.text), HG_EXIT_USAGE;
    *optimizer = (hg_optimizer){ (const hg_optimizer_kind *)kind, spec };
    return 0;
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

static int write_history(const history *h, const char *directory)
{
    char *path = hg_join(directory, "metrics.csv");
    int status = path == NULL ? HG_EXIT_FAILURE : write_metrics(h, path);
    free(path);
    return status;
}

static int write_run(hg_model *model, const hg_dataset *data, const history *h, const char *directory)
{
    int status = write_model(model, directory);
    if (status == 0)
        status = write_history(h, directory);
    if (status == 0)
        status = write_pictures(model, data, directory);
    return status;
}

static int print_result(hg_model *model, const hg_dataset *data, const char *what, const char *directory)
{
    hg_evaluation evaluation;
    if (hg_model_evaluate(model, data, &evaluation) != HG_OK)
        return hg_complain("%s", hg_model_error(model));
    printf("mean squared error %.5f on the %s data (the mean image: %.5f)\n", evaluation.errors.mean_squared_error, what,
           evaluation.baselines.mean_image.mean_squared_error);
    printf("written to %s\n", directory);
    return 0;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

static int train(hg_model *model, const hg_dataset *data, const hg_dataset *valid, const options *o,
                 const char *directory)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    history h = { 0 };
    hg_training training = { .epochs = o->epochs, .batch = o->batch, .threads = (int)o->threads, .valid = valid,
                             .valid_fraction = o->valid_fraction, .patience = o->patience, .clip = { .norm = o->clip },
                             .progress = observe, .progress_to = &h };
    int status = parse_optimizer(o, &training.optimizer, spec);
    if (status != 0)
        return status;
    if (!hg_make_directory(directory)) /* before the work, not after it */
        return HG_EXIT_FAILURE;
    if (hg_train(model, data, &training) != HG_OK)
        status = hg_complain("%s", hg_model_error(model));
    else
        status = write_run(model, valid != NULL ? valid : data, &h, directory);
    free(h.epoch);
    return status != 0 ? status
                       : print_result(model, valid != NULL ? valid : data, valid != NULL ? "validation" : "training",
                                      directory);
}

static int run_on(const hg_autoencoder *declaration, const hg_dataset *data, const hg_dataset *valid, const options *o)
{
    if (o->out == NULL && strchr(declaration->name, '/') != NULL)
        return hg_complain("--out is missing: \"%s\" cannot be the name of a directory", declaration->name);
    char *usual = o->out == NULL ? hg_join("runs", declaration->name) : NULL;
    const char *directory = o->out != NULL ? o->out : usual;
    hg_model *model = hg_model_new(declaration, HG_F32, (uint64_t)o->seed);
    int status = HG_EXIT_FAILURE;
    if (hg_model_status(model) != HG_OK)
        hg_complain("%s", hg_model_error(model));
    else if (directory != NULL)
        status = train(model, data, valid, o, directory);
    hg_model_free(model);
    free(usual);
    return status;
}

static int run(char *const positional[], const void *given)
{
    const options *o = given;
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
               "from). The run directory gets model.safetensors, metrics.csv and reconstructions.png, originals above\n"
               "reconstructions.\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "data", 'd', HG_OPTION_TEXT, offsetof(options, data), NULL, "SPEC", "data (digits): digits:count=N,seed=S, or an IDX file, gzipped or not" },
        { "valid", 'v', HG_OPTION_TEXT, offsetof(options, valid), NULL, "SPEC", "validation data, judged after each epoch" },
        { "valid-fraction", 0, HG_OPTION_NUMBER, offsetof(options, valid_fraction), "(0, 1)", "PART", "or this part of the data, held out" },
        { "epochs", 'e', HG_OPTION_INT, offsetof(options, epochs), "[1, inf)", "N", "epochs (20)" },
        { "batch", 'b', HG_OPTION_INT, offsetof(options, batch), "[1, inf)", "N", "samples in a mini-batch (128)" },
        { "optimizer", 0, HG_OPTION_TEXT, offsetof(options, optimizer), NULL, "SPEC", "adam or sgd (adam); with fields: sgd:momentum=0.9,nesterov=true" },
        { "rate", 'r', HG_OPTION_TEXT, offsetof(options, rate), NULL, "X", "the optimiser's rate (adam 0.001, sgd 0.01)" },
        { "clip", 0, HG_OPTION_NUMBER, offsetof(options, clip), "(0, inf)", "X", "largest norm of all gradients together (none)" },
        { "patience", 0, HG_OPTION_INT, offsetof(options, patience), "[1, inf)", "N", "stop after N epochs without a lower validation loss" },
        { "seed", 's', HG_OPTION_INT, offsetof(options, seed), "[0, inf)", "N", "seed of everything random (1)" },
        { "threads", 't', HG_OPTION_INT, offsetof(options, threads), "[1, 1024]", "N", "threads (all processors)" },
        { "out", 'o', HG_OPTION_TEXT, offsetof(options, out), NULL, "DIR", "run directory (runs/MODEL)" },
        { 0 } },
    .size = sizeof(options),
    .initial = &(const options){ .data = "digits", .optimizer = "adam", .seed = 1 },
    .run = run,
};
