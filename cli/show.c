/* hourglass show: an autoencoder as a table of its layers. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    bool json;
} options;

typedef struct facts {
    int64_t parameters;
    double  flops; /* of one sample, forward */
} facts;

static int64_t count_parameters(const hg_graph *graph, const char *scope)
{
    int64_t count = 0;
    const hg_tensor *parameter;
    for (size_t i = 0; (parameter = hg_graph_parameter(graph, i)) != NULL; i++)
        if (strncmp(hg_tensor_name(parameter), scope, strlen(scope)) == 0)
            count += hg_shape_count(hg_tensor_shape(parameter), 1);
    return count;
}

/* All flops that lead to a tensor, for one sample. */
static double flops_to(hg_tensor *tensor)
{
    hg_plan *plan = hg_plan_new(hg_tensor_graph(tensor), 1, &tensor, &(hg_plan_options){ .threads = 1 });
    double flops = plan == NULL ? 0 : hg_plan_describe(plan).flops;
    hg_plan_free(plan);
    return flops;
}

static void print_shape(const hg_tensor *tensor)
{
    char text[HG_SHAPE_TEXT];
    hg_shape shape = *hg_tensor_shape(tensor);
    shape.rank--;
    printf("  %-14s", hg_shape_print(&shape, text));
}

static void print_numbers(const facts *f, hg_dtype dtype)
{
    printf("%12" PRId64 "%12" PRId64 "%14.0f", f->parameters, f->parameters * (int64_t)hg_dtype_size(dtype), f->flops);
}

/* Adds a side's numbers to the total. */
static void print_side(const hg_graph *graph, const char *side, const hg_layer layer[], hg_tensor *const output[],
                       facts *total)
{
    for (int i = 0; i < HG_MOST_LAYERS && layer[i].kind != NULL; i++) {
        char scope[32], fields[HG_SPEC_TEXT];
        snprintf(scope, sizeof scope, "%s/%d/", side, i + 1);
        facts f = { count_parameters(graph, scope), flops_to(output[i]) - total->flops };
        printf("%s %-3d %-8s", side, i + 1, layer[i].kind->kind.name);
        print_shape(output[i]);
        print_numbers(&f, hg_graph_dtype(graph));
        printf("  %s\n", hg_spec_print(&layer[i].kind->kind, layer[i].spec, fields));
        total->parameters += f.parameters;
        total->flops += f.flops;
    }
}

static void print_table(const hg_model *model)
{
    char fields[HG_SPEC_TEXT];
    const hg_autoencoder *a = hg_model_declaration(model);
    const hg_parts *parts = hg_model_parts(model);
    const hg_graph *graph = hg_model_graph(model);
    hg_scaling scale = hg_model_scaling(model);
    facts total = { 0 };
    printf("%s%s%s\n\n", a->name, a->description != NULL ? ": " : "", a->description != NULL ? a->description : "");
    printf("%-20s  %-14s%12s%12s%14s  %s\n", "layer", "output", "parameters", "bytes", "flops/sample", "attributes");
    printf("%-20s", "input");
    print_shape(parts->input);
    printf("%12s%12s%14s  bytes scaled to [%g, %g]\n", "", "", "", scale.low, scale.high);
    print_side(graph, "encoder", a->encoder, parts->encoder, &total);
    print_side(graph, "decoder", a->decoder, parts->decoder, &total);
    printf("%-20s  %-14s", "total", "");
    print_numbers(&total, hg_graph_dtype(graph));
    printf("\n\ncode %" PRId64 " numbers of %" PRId64 "\nloss %s\n", hg_model_code_size(model), hg_model_input_size(model),
           a->loss.kind != NULL ? a->loss.kind->kind.name : hg_squared_error_loss.kind.name);
    for (int i = 0; i < HG_MOST_PENALTIES && a->penalties[i].kind != NULL; i++)
        printf("penalty %s: %s\n", a->penalties[i].kind->kind.name,
               hg_spec_print(&a->penalties[i].kind->kind, a->penalties[i].spec, fields));
}

static int print_json(const hg_model *model)
{
    char *text = hg_autoencoder_to_json(hg_model_declaration(model), 2);
    if (text == NULL)
        return hg_complain("out of memory");
    puts(text);
    free(text);
    return 0;
}

static int run(char *const positional[], const void *given)
{
    const options *o = given;
    hg_autoencoder *owned = NULL;
    const hg_autoencoder *declaration = NULL;
    hg_model *model = NULL;
    int status = HG_EXIT_FAILURE;
    if (hg_is_run(positional[0]))
        model = hg_open_run(positional[0]);
    else if ((declaration = hg_find_declaration(positional[0], &owned)) != NULL)
        model = hg_model_new(declaration, HG_F32, 1);
    if (declaration != NULL && hg_model_status(model) != HG_OK) {
        hg_complain("%s", hg_model_error(model));
    } else if (model != NULL) {
        status = 0;
        if (o->json)
            status = print_json(model);
        else
            print_table(model);
    }
    hg_model_free(model);
    hg_autoencoder_free(owned);
    return status;
}

const hg_command hg_show_command = {
    .name = "show",
    .arguments = "MODEL",
    .summary = "prints an autoencoder's layers: shapes, parameters, bytes, flops",
    .details = "MODEL is a name that `hourglass models` lists, a JSON file, a run directory or a model file. Flops count 2 for\n"
               "each multiply-add of products, forward.\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "json", 0, HG_OPTION_FLAG, offsetof(options, json), NULL, NULL, "print the declaration as JSON" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
