/* hourglass evaluate: a model's errors beside a baseline's. */
#include "cli.h"

#include <math.h>
#include <stdio.h>

typedef struct options {
    const char *data;
    int64_t     threads;
    bool        json;
} options;

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

static void print_table(const hg_model *model, const hg_evaluation *evaluation)
{
    printf("%lld samples of %lld numbers\n\n%-20s", (long long)evaluation->samples,
           (long long)hg_model_input_size(model), "");
    for (int i = 0; i < MEASURES; i++)
        printf("%22s", measures[i].title);
    putchar('\n');
    print_row(hg_model_declaration(model)->name, &evaluation->errors);
    print_row("mean image", &evaluation->baselines.mean_image);
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

static void print_json(const hg_evaluation *evaluation)
{
    printf("{\n  \"samples\": %lld,\n", (long long)evaluation->samples);
    print_json_errors("  ", &evaluation->errors, ",");
    puts("  \"baselines\": {\n    \"mean_image\": {");
    print_json_errors("      ", &evaluation->baselines.mean_image, "");
    puts("    }\n  }\n}");
}

static int run(char *const positional[], const void *given)
{
    const options *o = given;
    hg_evaluation evaluation;
    int status = HG_EXIT_FAILURE;
    if (o->data == NULL)
        return hg_complain("evaluate: --data is missing: what to evaluate on"), HG_EXIT_USAGE;
    hg_model *model = hg_open_run(positional[0]);
    hg_dataset *data = model == NULL ? NULL : hg_open_data(o->data);
    if (data == NULL)
        goto done;
    hg_model_set_threads(model, (int)o->threads);
    if (hg_model_evaluate(model, data, &evaluation) != HG_OK) {
        hg_complain("%s", hg_model_error(model));
        goto done;
    }
    if (o->json)
        print_json(&evaluation);
    else
        print_table(model, &evaluation);
    status = 0;
done:
    hg_dataset_free(data);
    hg_model_free(model);
    return status;
}

const hg_command hg_evaluate_command = {
    .name = "evaluate",
    .arguments = "RUN",
    .summary = "prints the errors of a trained model beside those of the mean image",
    .details = "RUN is a run directory or a model file. The mean image is that of the data evaluated on: the best answer\n"
               "that is always the same. Errors are in the units that the model sees. Cross-entropy is binary, and defined\n"
               "where data and reconstructions lie in [0, 1].\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "data", 'd', HG_OPTION_TEXT, offsetof(options, data), NULL, "SPEC", "data: digits, digits:count=N,seed=S, or an IDX file" },
        { "json", 0, HG_OPTION_FLAG, offsetof(options, json), NULL, NULL, "print JSON" },
        { "threads", 't', HG_OPTION_INT, offsetof(options, threads), "[1, 1024]", "N", "threads (all processors)" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
