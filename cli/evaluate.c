/* hourglass evaluate: a model's errors beside a baseline's. */
#include "cli.h"

#include <math.h>
#include <stdio.h>

typedef struct options {
    const char *data, *train_data;
    int64_t     threads;
    bool        json;
} options;

/* What a model is judged beside; NaN: not known. */
typedef struct comparison {
    hg_evaluation evaluation;
    hg_errors     pca;               /* of as many components as the code has numbers */
    const char   *fitted_on;         /* what PCA and the class means are from */
    double        floor;             /* of the cross-entropy per sample */
    double        angle;             /* a linear model's largest to PCA, in degrees */
    double        nearest_mean;      /* accuracy */
    hg_diagnoses  diagnoses;
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

/* Numbers that are no errors: each with its key, its line, and how many there are to 1 in the line's unit. */
typedef struct extra {
    const char *key, *title, *unit;
    size_t      offset;
    double      factor;
} extra;

static const extra extras[] = {
    { "entropy_floor_per_sample", "no cross-entropy of these data is below", "a sample", offsetof(comparison, floor), 1 },
    { "principal_angle_degrees_max", "largest principal angle to PCA", "degrees", offsetof(comparison, angle), 1 },
    { "nearest_class_mean_accuracy", "nearest class mean in code space", "% right", offsetof(comparison, nearest_mean), 100 },
};
enum { EXTRAS = sizeof extras / sizeof *extras };

static double extra_of(const comparison *c, const extra *e)
{
    return *(const double *)((const char *)c + e->offset);
}

static void print_table(const hg_model *model, const comparison *c)
{
    char name[64];
    printf("%lld samples of %lld numbers\n\n%-20s", (long long)c->evaluation.samples, (long long)hg_model_input_size(model),
           "");
    for (int i = 0; i < MEASURES; i++)
        printf("%22s", measures[i].title);
    putchar('\n');
    print_row(hg_model_declaration(model)->name, &c->evaluation.errors);
    print_row("mean image", &c->evaluation.baselines.mean_image);
    snprintf(name, sizeof name, "PCA, %lld numbers", (long long)hg_model_code_size(model));
    if (isfinite(c->pca.mean_squared_error))
        print_row(name, &c->pca);
    printf("\nPCA and class means are those of the %s data\n", c->fitted_on);
    for (int i = 0; i < EXTRAS; i++)
        if (isfinite(extra_of(c, &extras[i])))
            printf("%s: %.5g %s\n", extras[i].title, extras[i].factor * extra_of(c, &extras[i]), extras[i].unit);
}

static void print_json_errors(const char *indent, const hg_errors *errors, const char *end)
{
    for (int i = 0; i < MEASURES; i++) {
        double value = value_of(errors, &measures[i]);
        printf("%s\"%s\": ", indent, measures[i].key);
        if (isfinite(value))
            printf("%.9g", value);
        else
            printf("null");
        puts(i < MEASURES - 1 ? "," : end);
    }
}

static void print_json_number(double value)
{
    if (isfinite(value))
        printf("%.9g", value);
    else
        printf("null");
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

static void print_json(const comparison *c)
{
    printf("{\n  \"samples\": %lld,\n", (long long)c->evaluation.samples);
    print_json_errors("  ", &c->evaluation.errors, ",");
    puts("  \"baselines\": {\n    \"mean_image\": {");
    print_json_errors("      ", &c->evaluation.baselines.mean_image, "");
    puts("    },\n    \"pca\": {");
    print_json_errors("      ", &c->pca, "");
    printf("    },\n    \"fitted_on\": \"%s\",\n    \"%s\": ", c->fitted_on, extras[0].key);
    print_json_number(c->floor);
    puts("\n  },");
    for (int i = 1; i < EXTRAS; i++) {
        printf("  \"%s\": ", extras[i].key);
        print_json_number(extra_of(c, &extras[i]));
        puts(",");
    }
    printf("  \"diagnoses\": [");
    for (int i = 0; i < c->diagnoses.count; i++) {
        printf("%s\n    { \"name\": \"%s\", \"note\": ", i > 0 ? "," : "", c->diagnoses.found[i].name);
        print_json_text(c->diagnoses.found[i].text);
        printf(" }");
    }
    puts(c->diagnoses.count > 0 ? "\n  ]\n}" : "]\n}");
}

/* ---- Baselines ------------------------------------------------------------------------------------------ */

static int compare_with_pca(hg_model *model, const hg_dataset *known, const hg_dataset *data, comparison *c)
{
    hg_error error = { 0 };
    hg_scaling scale = hg_model_scaling(model);
    int64_t size = hg_model_input_size(model), code = hg_model_code_size(model);
    c->pca = (hg_errors){ NAN, NAN, NAN };
    if (size > HG_LARGEST_PCA)
        return 0;
    hg_pca *pca = hg_pca_new(known, scale.low, scale.high, code < size ? code : size, &error);
    int status = 0;
    if (pca == NULL || hg_pca_errors(pca, data, &c->pca, &error) != HG_OK)
        status = hg_complain("%s", error.text);
    else if (code <= size && hg_model_is_linear(model) && hg_model_pca_angle(model, pca, &c->angle) != HG_OK)
        status = hg_complain("%s", hg_model_error(model));
    hg_pca_free(pca);
    return status;
}

static int compare(hg_model *model, const hg_dataset *known, const hg_dataset *data, comparison *c)
{
    hg_error error = { 0 };
    double wrong;
    hg_scaling scale = hg_model_scaling(model);
    *c = (comparison){ .fitted_on = known != data ? "training" : "evaluated", .floor = NAN, .angle = NAN, .nearest_mean = NAN };
    if (hg_model_check_data(model, known) != HG_OK || hg_model_evaluate(model, data, &c->evaluation) != HG_OK
        || hg_diagnose(model, data, 0, NULL, &c->diagnoses) != HG_OK)
        return hg_complain("%s", hg_model_error(model));
    if (hg_entropy_floor(data, scale.low, scale.high, &c->floor, &error) != HG_OK)
        return hg_complain("%s", error.text);
    if (hg_dataset_classes(known) > 1 && hg_dataset_classes(data) > 0) {
        if (hg_nearest_mean_error_rate(model, known, data, &wrong) != HG_OK)
            return hg_complain("%s", hg_model_error(model));
        c->nearest_mean = 1 - wrong;
    }
    return compare_with_pca(model, known, data, c);
}

static int evaluate(hg_model *model, const hg_dataset *known, const hg_dataset *data, bool json)
{
    comparison c;
    int status = compare(model, known, data, &c);
    if (status != 0)
        return status;
    if (json)
        print_json(&c);
    else
        print_table(model, &c);
    if (!json)
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
               "where data and reconstructions lie in [0, 1]. PCA has as many components as the code has numbers; it and the class\n"
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
