/* hourglass show: an autoencoder as a table of its layers. */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdalign.h>
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

/* ---- Receptive fields ----------------------------------------------------------------------------------- */

/* What a place of a layer's output sees along an axis: so many places of the input, and its neighbour as many `step` places
   further. As hg_window; INFINITY and NAN too. */
typedef struct sight {
    double size, step;
} sight;

enum { MOST_AXES = 2 };

typedef struct table {
    const hg_graph  *graph;
    const hg_tensor *before; /* the output of the layer above */
    int              axes;   /* of the input, without channels */
    sight            sight[MOST_AXES];
    facts            total;
} table;

/* Of a sample, without its channels. */
static int count_axes(const hg_tensor *tensor)
{
    int axes = hg_tensor_shape(tensor)->rank - 2;
    return axes < 1 ? 1 : axes > MOST_AXES ? MOST_AXES : axes;
}

static int64_t length_along(const hg_tensor *tensor, int axis)
{
    const hg_shape *shape = hg_tensor_shape(tensor);
    return shape->rank == 2 ? shape->dim[0] : axis + 2 < shape->rank ? shape->dim[axis + 1] : 1;
}

/* What sees all goes on seeing all. */
static sight look_through(sight from, hg_window window)
{
    if (!isinf(from.size))
        from.size = isinf(window.size) ? INFINITY : from.size + (window.size - 1) * from.step;
    from.step *= window.step;
    return from;
}

static void look(table *t, const hg_layer *layer, const hg_tensor *output)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    hg_spec_resolve(&layer->kind->kind, layer->spec, spec, "", NULL);
    for (int axis = 0; axis < t->axes; axis++) {
        hg_window window = { NAN, NAN };
        if (layer->kind->window != NULL)
            window = layer->kind->window(spec, axis, length_along(t->before, axis), length_along(output, axis));
        t->sight[axis] = look_through(t->sight[axis], window);
    }
    t->before = output;
}

static void print_sight(const table *t)
{
    char text[64] = "";
    const sight *s = t->sight, *last = &t->sight[t->axes - 1];
    if (isnan(s->size) || isnan(last->size))
        snprintf(text, sizeof text, "-");
    else if (isinf(s->size) || isinf(last->size))
        snprintf(text, sizeof text, "all");
    else
        snprintf(text, sizeof text, t->axes > 1 ? "%gx%g" : "%g", s->size, last->size);
    size_t used = strlen(text);
    if (isfinite(s->size) && isfinite(last->size) && isfinite(s->step) && isfinite(last->step))
        snprintf(text + used, sizeof text - used, t->axes > 1 ? " step %.3gx%.3g" : " step %.3g", s->step, last->step);
    printf("  %-18s", text);
}

/* ---- The table ------------------------------------------------------------------------------------------ */

static void print_shape(const hg_tensor *tensor)
{
    char text[HG_SHAPE_TEXT];
    hg_shape shape = *hg_tensor_shape(tensor);
    shape.rank--;
    printf("  %-10s", hg_shape_print(&shape, text));
}

static void print_numbers(const facts *f, hg_dtype dtype)
{
    printf("%12" PRId64 "%12" PRId64 "%14.0f", f->parameters, f->parameters * (int64_t)hg_dtype_size(dtype), f->flops);
}

static void print_layer(table *t, const char *side, int number, hg_layer layer, hg_tensor *output)
{
    char scope[32], fields[HG_SPEC_TEXT];
    snprintf(scope, sizeof scope, "%s/%d/", side, number);
    const facts f = { count_parameters(t->graph, scope), flops_to(output) - t->total.flops };
    look(t, &layer, output);
    printf("%s %-3d %-17s", side, number, layer.kind->kind.name);
    print_shape(output);
    print_sight(t);
    print_numbers(&f, hg_graph_dtype(t->graph));
    printf("  %s\n", hg_spec_print(&layer.kind->kind, layer.spec, fields));
    t->total.parameters += f.parameters;
    t->total.flops += f.flops;
}

static void print_layers(const hg_model *model)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_parts *parts = hg_model_parts(model);
    const hg_autoencoder *a = hg_model_declaration(model);
    hg_scaling scale = hg_model_scaling(model);
    table t = { .graph = hg_model_graph(model), .before = parts->input, .axes = count_axes(parts->input),
                .sight = { { 1, 1 }, { 1, 1 } } };
    printf("%-29s  %-10s  %-18s%12s%12s%14s  %s\n", "layer", "output", "receptive field", "parameters", "bytes",
           "flops/sample", "attributes");
    printf("%-29s", "input");
    print_shape(parts->input);
    printf("%58s  bytes scaled to [%g, %g]\n", "", scale.low, scale.high);
    for (int i = 0; i < HG_MOST_LAYERS && a->encoder[i].kind != NULL; i++)
        print_layer(&t, "encoder", i + 1, a->encoder[i], parts->encoder[i]);
    for (int i = 0; hg_decoder_layer(parts, i, spec).kind != NULL; i++)
        print_layer(&t, "decoder", i + 1, hg_decoder_layer(parts, i, spec), parts->decoder[i]);
    printf("%-61s", "total");
    print_numbers(&t.total, hg_graph_dtype(t.graph));
}

/* ---- What is minimised, and how -------------------------------------------------------------------------- */

/* A kind and what its spec says, at the end of a line begun. */
static void print_kind(const char *before, const hg_kind *kind, const void *spec)
{
    char fields[HG_SPEC_TEXT];
    hg_spec_print(kind, spec, fields);
    printf("%s%s%s%s%s", before, kind->name, *fields != '\0' ? " (" : "", fields, *fields != '\0' ? ")" : "");
}

static void print_penalties(const char *before, const hg_penalty penalties[HG_MOST_PENALTIES], const char *after)
{
    for (int i = 0; i < HG_MOST_PENALTIES && penalties[i].kind != NULL; i++) {
        print_kind(before, &penalties[i].kind->kind, penalties[i].spec);
        fputs(after, stdout);
    }
}

static void print_objective(const hg_autoencoder *a)
{
    print_kind("loss ", a->loss.kind != NULL ? &a->loss.kind->kind : &hg_squared_error_loss.kind, a->loss.spec);
    puts("");
    print_penalties("penalty ", a->penalties, a->penalise == HG_CLEAN ? ", at the clean input\n" : "\n");
    if (a->corrupt.kind != NULL) {
        print_kind("corruption ", &a->corrupt.kind->kind, a->corrupt.spec);
        puts("");
    }
    if (a->emphasis.corrupted != 0 || a->emphasis.others != 0)
        printf("emphasis %g on corrupted numbers, %g on the others\n", a->emphasis.corrupted, a->emphasis.others);
    if (a->tied)
        puts("tied: the decoder's weights are the encoder's");
    if (a->orthonormal)
        puts("orthonormal: the rows of the encoder's weights are kept so");
}

static void print_pretraining(int number, const hg_pretraining *p)
{
    printf("pre-training layer %d", number);
    if (p->corrupt.kind != NULL)
        print_kind(", corruption ", &p->corrupt.kind->kind, p->corrupt.spec);
    print_penalties(", penalty ", p->penalties, "");
    if (p->loss.kind != NULL)
        print_kind(", loss ", &p->loss.kind->kind, p->loss.spec);
    if (p->epochs != 0)
        printf(", %" PRId64 " epochs", p->epochs);
    if (p->batch != 0)
        printf(", batch %" PRId64, p->batch);
    if (p->optimizer.kind != NULL)
        print_kind(", ", &p->optimizer.kind->kind, p->optimizer.spec);
    if (p->schedule.kind != NULL)
        print_kind(", schedule ", &p->schedule.kind->kind, p->schedule.spec);
    if (p->warm_up != 0)
        printf(", warm-up %g epochs", p->warm_up);
    puts("");
}

/* As a training without options goes. */
static void print_training(const hg_autoencoder *a)
{
    const hg_training_settings s = hg_settings_for(a, (hg_training_settings){ 0 });
    const hg_predictive_sparse *p = &a->predictive_sparse;
    if (hg_is_pca(a)) {
        puts("computed, not trained");
        return;
    }
    printf("training: %" PRId64 " epochs, batch %" PRId64, s.epochs, s.batch);
    print_kind(", ", &s.optimizer.kind->kind, s.optimizer.spec);
    print_kind(", schedule ", &s.schedule.kind->kind, s.schedule.spec);
    printf(s.warm_up != 0 ? ", warm-up %g epochs\n" : "\n", s.warm_up);
    for (int i = 0; i < hg_pretraining_count(a->pretraining); i++)
        print_pretraining(i + 1, &a->pretraining[i]);
    if (hg_is_predictive_sparse(a))
        printf("predictive sparse decomposition: sparsity %g, prediction %g, iterations %" PRId64 "\n", p->sparsity,
               p->prediction, p->iterations);
}

static void print_table(const hg_model *model)
{
    const hg_autoencoder *a = hg_model_declaration(model);
    printf("%s%s%s\n\n", a->name, a->description != NULL ? ": " : "", a->description != NULL ? a->description : "");
    print_layers(model);
    printf("\n\ncode %" PRId64 " numbers of %" PRId64 "\n", hg_model_code_size(model), hg_model_input_size(model));
    print_objective(a);
    print_training(a);
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
    .summary = "prints an autoencoder's layers: shapes, receptive fields, parameters, bytes, flops",
    .details = "MODEL is a name that `hourglass models` lists, a JSON file, a run directory or a model file. The receptive field\n"
               "of a layer is what one place of its output sees of the input, and its step how far apart neighbours see;\n"
               "padding counts as input. Flops count 2 for each multiply-add of products and convolutions, forward.\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "json", 0, HG_OPTION_FLAG, offsetof(options, json), NULL, NULL, "print the declaration as JSON" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
