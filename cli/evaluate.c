/* hourglass evaluate: a model's errors beside a baseline's. */
#include "cli.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *data, *train_data;
    int64_t     threads;
    bool        json;
} options;

typedef struct comparison {
    hg_proportions proportions;
    const char    *fitted_on;    /* what PCA and the class means are from */
    double         nearest_mean; /* accuracy; NaN: there are no labels */
    hg_diagnoses   diagnoses;
} comparison;

typedef struct measure {
    const char *key, *title;
    size_t      offset;
} measure;

static const measure measures[] = {
    { "mean_squared_error", "mean squared error", offsetof(hg_errors, mean_squared_error) },
    { "squared_error_per_sample", "squared error/sample", offsetof(hg_errors, squared_error_per_sample) },
    { "cross_entropy_per_sample", "cross-entropy/sample", offsetof(hg_errors, cross_entropy_per_sample) },
};
enum { MEASURES = sizeof measures / sizeof *measures };

static double value_of(const hg_errors *errors, const measure *m)
{
    return *(const double *)((const char *)errors + m->offset);
}

static void print_row(const char *name, const hg_errors *errors)
{
    printf("%-20s", name);
    for (int i = 0; i < MEASURES; i++) {
        double value = value_of(errors, &measures[i]);
        if (isfinite(value))
            printf("%22.6g", value);
        else
            printf("%22s", "-");
    }
    putchar('\n');
}

static void print_table(const hg_model *model, const comparison *c)
{
    char name[64];
    const hg_proportions *p = &c->proportions;
    printf("%lld samples of %lld numbers\n\n%-20s", (long long)p->evaluation.samples, (long long)hg_model_input_size(model),
           "");
    for (int i = 0; i < MEASURES; i++)
        printf("%22s", measures[i].title);
    putchar('\n');
    print_row(hg_model_declaration(model)->name, &p->evaluation.errors);
    print_row("mean image", &p->evaluation.baselines.mean_image);
    snprintf(name, sizeof name, "PCA, %lld numbers", (long long)p->components);
    if (isfinite(p->pca.mean_squared_error))
        print_row(name, &p->pca);
    if (isfinite(p->floor))
        print_row("entropy of the data", &(hg_errors){ NAN, NAN, p->floor });
    putchar('\n');
    hg_print_left_out(model);
    printf("PCA and class means are those of the %s data\n", c->fitted_on);
    if (isfinite(p->angle))
        printf("largest principal angle to PCA: %.5g degrees\n", p->angle);
    if (isfinite(c->nearest_mean))
        printf("nearest class mean in code space: %.5g %% right\n", 100 * c->nearest_mean);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *add_errors(json_t *to, const hg_errors *errors)
{
    for (int i = 0; i < MEASURES; i++)
        json_object_set_new(to, measures[i].key, number(value_of(errors, &measures[i])));
    return to;
}

static json_t *list_diagnoses(const hg_diagnoses *diagnoses)
{
    json_t *list = json_array();
    for (int i = 0; i < diagnoses->count; i++)
        json_array_append_new(list, json_pack("{s: s, s: s}", "name", diagnoses->found[i].name, "note",
                                              diagnoses->found[i].text));
    return list;
}

static int print_json(const hg_model *model, const comparison *c)
{
    const hg_proportions *p = &c->proportions;
    json_t *baselines = json_object(), *pca = json_pack("{s: I}", "components", (json_int_t)p->components);
    json_t *all = json_pack("{s: s, s: I}", "model", hg_model_declaration(model)->name, "samples",
                            (json_int_t)p->evaluation.samples);
    add_errors(all, &p->evaluation.errors);
    json_object_set_new(baselines, "mean_image", add_errors(json_object(), &p->evaluation.baselines.mean_image));
    json_object_set_new(add_errors(pca, &p->pca), "largest_principal_angle_degrees", number(p->angle));
    json_object_set_new(baselines, "pca", pca);
    json_object_set_new(baselines, "entropy", json_pack("{s: o}", "cross_entropy_per_sample", number(p->floor)));
    json_object_set_new(baselines, "fitted_on", json_string(c->fitted_on));
    json_object_set_new(all, "baselines", baselines);
    json_object_set_new(all, "nearest_class_mean_accuracy", number(c->nearest_mean));
    json_object_set_new(all, "diagnoses", list_diagnoses(&c->diagnoses));
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(all);
    if (text == NULL)
        return hg_complain("out of memory");
    puts(text);
    free(text);
    return 0;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

static int compare(hg_model *model, const hg_dataset *known, const hg_dataset *data, comparison *c)
{
    double wrong;
    *c = (comparison){ .fitted_on = known != data ? "training" : "evaluated", .nearest_mean = NAN };
    int status = hg_put_in_proportion(model, known, data, &c->proportions);
    if (status != 0)
        return status;
    bool labelled = hg_dataset_classes(known) > 1 && hg_dataset_classes(data) > 0;
    if (hg_diagnose(model, data, 0, NULL, &c->diagnoses) != HG_OK
        || (labelled && hg_nearest_mean_error_rate(model, known, data, &wrong) != HG_OK))
        return hg_complain("%s", hg_model_error(model));
    if (labelled)
        c->nearest_mean = 1 - wrong;
    return 0;
}

static int evaluate(hg_model *model, const hg_dataset *known, const hg_dataset *data, bool json)
{
    comparison c;
    int status = compare(model, known, data, &c);
    if (status != 0)
        return status;
    if (json)
        return print_json(model, &c);
    print_table(model, &c);
    hg_print_notes(&c.diagnoses, (const char *[HG_MOST_DIAGNOSES]){ NULL });
    return 0;
}

static int run(char *const positional[], const void *given)
{
    const options *o = given;
    int status = HG_EXIT_FAILURE;
    if (o->data == NULL)
        return hg_complain("evaluate: --data is missing: what to evaluate on"), HG_EXIT_USAGE;
    hg_model *model = hg_open_run(positional[0]);
    hg_dataset *data = model == NULL ? NULL : hg_open_data(o->data);
    hg_dataset *known = data == NULL || o->train_data == NULL ? NULL : hg_open_data(o->train_data);
    if (data != NULL && (known != NULL || o->train_data == NULL)) {
        hg_model_set_threads(model, (int)o->threads);
        status = evaluate(model, known != NULL ? known : data, data, o->json);
    }
    hg_dataset_free(known);
    hg_dataset_free(data);
    hg_model_free(model);
    return status;
}

const hg_command hg_evaluate_command = {
    .name = "evaluate",
    .arguments = "RUN",
    .summary = "prints the errors of a trained model beside those of simple baselines",
    .details = "RUN is a run directory or a model file. The mean image is that of the data evaluated on: the best answer\n"
               "that is always the same. Errors are in the units that the model sees. Cross-entropy is binary, and defined\n"
               "where data and reconstructions lie in [0, 1]; it is never below the data's own entropy. PCA has as many components as the code has numbers; it and the class\n"
               "means (of codes, where the data have labels) are fitted to the training data if these are given, or else to the\n"
               "data evaluated on. What looks wrong is printed to standard error as \"note: ...\", or with --json in \"diagnoses\".\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "data", 'd', HG_OPTION_TEXT, offsetof(options, data), NULL, "SPEC",
          "data: digits, digits:count=N,seed=S, or an IDX file" },
        { "train-data", 0, HG_OPTION_TEXT, offsetof(options, train_data), NULL, "SPEC",
          "data to fit PCA and class means to (those evaluated on)" },
        { "json", 0, HG_OPTION_FLAG, offsetof(options, json), NULL, NULL, "print JSON" },
        { "threads", 't', HG_OPTION_INT, offsetof(options, threads), "[1, 1024]", "N",
          "threads (all processors)" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
