/* Stacked pre-training: a layer is an autoencoder cut out of the whole (T14). */
#include "models.h"

#include <hourglass/stack.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 }; /* samples encoded at a time */

/* Encoder layers first ... first + count - 1 of n, and what undoes them. */
typedef struct level {
    int  number, first, count, layers; /* number: from 1 */
    char name[128];
    hg_autoencoder declaration;
    struct {
        alignas(max_align_t) char bytes[HG_SPEC_BYTES];
    } spec[HG_MOST_LAYERS];
} level;

/* ---- Cutting -------------------------------------------------------------------------------------------- */

static int count_outputs(hg_tensor *const output[])
{
    int count = 0;
    while (count < HG_MOST_LAYERS && output[count] != NULL)
        count++;
    return count;
}

static bool has_weights(const hg_model *model, int encoder_layer)
{
    char name[32];
    snprintf(name, sizeof name, "encoder/%d/weight", encoder_layer + 1);
    return hg_graph_find(model->graph, name) != NULL;
}

/* first[0 ...] = where each level begins; returns how many there are. Layers without weights belong to the level below, or
   above where there is none. */
static int find_levels(const hg_model *model, int layers, int first[HG_MOST_LAYERS])
{
    int levels = 0;
    for (int i = 0; i < layers; i++)
        if (has_weights(model, i)) {
            first[levels] = levels == 0 ? 0 : i;
            levels++;
        }
    return levels;
}

static int cut(hg_model *model, int first[HG_MOST_LAYERS])
{
    if (hg_model_status(model) != HG_OK)
        return 0;
    int encoder = count_outputs(model->parts.encoder), decoder = count_outputs(model->parts.decoder);
    int levels = find_levels(model, encoder, first);
    if (encoder != decoder)
        hg_model_fail(model, HG_BAD_ARGUMENT,
                      "pre-training needs a decoder that undoes the encoder layer by layer, but \"%s\" has %d layers in its "
                      "encoder and %d in its decoder", model->declaration->name, encoder, decoder);
    else if (levels == 0)
        hg_model_fail(model, HG_BAD_ARGUMENT, "pre-training: the encoder of \"%s\" has no weights",
                      model->declaration->name);
    return hg_model_status(model) == HG_OK ? levels : 0;
}

int hg_pretrained_layers(hg_model *model)
{
    int first[HG_MOST_LAYERS];
    return cut(model, first);
}

static bool ends_as_probabilities(const hg_layer *last)
{
    const hg_field *act = hg_field_find(&last->kind->kind, "act");
    hg_activation *function = NULL;
    if (act != NULL && last->spec != NULL)
        memcpy(&function, (const char *)last->spec + act->offset, sizeof function);
    return function == hg_sigmoid;
}

static hg_loss loss_of(const level *l, const hg_autoencoder *whole, const hg_pretraining *settings)
{
    bool probable = l->first == 0 || ends_as_probabilities(&l->declaration.decoder[l->count - 1]);
    if (settings->loss.kind != NULL)
        return settings->loss;
    return whole->loss.kind != NULL && whole->loss.kind->probabilities && !probable ? (hg_loss)HG_SQUARED_ERROR : whole->loss;
}

/* The shape of what goes into an encoder layer. */
static void take_input(const hg_model *model, int layer, int64_t input[HG_MAX_RANK - 1])
{
    hg_shape shape = hg_sample_shape(layer == 0 ? model->parts.input : model->parts.encoder[layer - 1]);
    memcpy(input, shape.dim, (size_t)shape.rank * sizeof *input);
}

static void declare(const hg_model *model, const hg_pretraining *settings, level *l)
{
    const hg_autoencoder *whole = model->declaration;
    snprintf(l->name, sizeof l->name, "%.80s, layer %d", whole->name, l->number);
    l->declaration = (hg_autoencoder){ .name = l->name, .tied = whole->tied, .orthonormal = whole->orthonormal,
                                       .scale = whole->scale, .corrupt = settings->corrupt };
    take_input(model, l->first, l->declaration.input);
    memcpy(l->declaration.encoder, whole->encoder + l->first, (size_t)l->count * sizeof(hg_layer));
    for (int i = 0; i < l->count; i++)
        l->declaration.decoder[i] = hg_decoder_layer(&model->parts, l->layers - l->first - l->count + i, &l->spec[i]);
    memcpy(l->declaration.penalties, settings->penalties, sizeof settings->penalties);
    l->declaration.loss = loss_of(l, whole, settings);
}

/* ---- Parameters ----------------------------------------------------------------------------------------- */

/* "encoder/1/weight" of the level is "encoder/3/weight" of the whole. */
static hg_tensor *in_whole(const hg_model *whole, const level *l, const char *name)
{
    char full[512], side[16];
    int number, end = 0;
    if (sscanf(name, "%15[a-z]/%d/%n", side, &number, &end) != 2 || end == 0)
        return NULL;
    int before = strcmp(side, "encoder") == 0 ? l->first : l->layers - l->first - l->count;
    snprintf(full, sizeof full, "%s/%d/%s", side, number + before, name + end);
    return hg_graph_find(whole->graph, full);
}

static void copy_one(const hg_model *whole, const level *l, hg_tensor *own, bool back)
{
    hg_tensor *other = in_whole(whole, l, hg_tensor_name(own));
    if (other == NULL) /* the running mean of a penalty, perhaps */
        return;
    size_t bytes = (size_t)hg_shape_count(hg_tensor_shape(own), 1) * hg_dtype_size(hg_tensor_dtype(own));
    memcpy(hg_data(back ? other : own), hg_data(back ? own : other), bytes);
}

/* Parameters and states from the whole to the level, or back. */
static void copy_values(const hg_model *whole, const level *l, const hg_model *one, bool back)
{
    hg_tensor *own;
    for (size_t i = 0; (own = hg_graph_parameter(one->graph, i)) != NULL; i++)
        copy_one(whole, l, own, back);
    for (size_t i = 0; (own = hg_graph_state(one->graph, i)) != NULL; i++)
        copy_one(whole, l, own, back);
}

/* ---- Codes as data -------------------------------------------------------------------------------------- */

static void store(void *samples, hg_dtype dtype, int64_t at, double value)
{
    if (dtype == HG_F32)
        ((float *)samples)[at] = (float)value;
    else
        ((double *)samples)[at] = value;
}

/* All codes, samples first. */
static hg_status encode_into(hg_model *model, const hg_dataset *data, hg_dtype dtype, double *block, void *samples)
{
    int64_t size = hg_model_code_size(model), count = hg_dataset_count(data);
    for (int64_t first = 0, n; first < count; first += n) {
        n = count - first < BLOCK ? count - first : BLOCK;
        if (hg_model_encode(model, data, first, n, block) != HG_OK)
            return hg_model_status(model);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < size; j++)
                store(samples, dtype, (first + i) * size + j, block[j * n + i]);
    }
    return HG_OK;
}

static hg_dataset *encode_all(hg_model *model, const hg_dataset *data)
{
    hg_dtype dtype = hg_graph_dtype(model->graph);
    hg_shape shape = hg_sample_shape(model->parts.code);
    int64_t count = hg_dataset_count(data);
    size_t size = (size_t)hg_model_code_size(model);
    double *block = malloc(size * BLOCK * sizeof *block);
    void *samples = calloc((size_t)count, size * hg_dtype_size(dtype));
    hg_dataset *codes = NULL;
    if (block != NULL && samples != NULL && encode_into(model, data, dtype, block, samples) == HG_OK)
        codes = hg_dataset_new(&shape, count, dtype, samples, NULL);
    if (hg_dataset_status(codes) != HG_OK)
        hg_model_fail(model, hg_dataset_status(codes), "the codes of %lld samples: %s", (long long)count,
                      hg_dataset_error(codes));
    free(samples);
    free(block);
    return codes;
}

/* ---- Training ------------------------------------------------------------------------------------------- */

typedef struct reporter {
    const hg_stack_training *to;
    int layer, layers;
} reporter;

static void report(const hg_report *r, void *to)
{
    const reporter *one = to;
    one->to->progress(one->layer, one->layers, r, one->to->progress_to);
}

/* What a level is trained on: the caller's data at first, then codes of our own. */
typedef struct codes {
    const hg_dataset *data, *valid;
    hg_dataset       *own_data, *own_valid;
} codes;

static void free_codes(codes *c)
{
    hg_dataset_free(c->own_data);
    hg_dataset_free(c->own_valid);
}

static hg_status climb(hg_model *one, codes *c)
{
    codes next = { 0 };
    next.data = next.own_data = encode_all(one, c->data);
    if (c->valid != NULL && hg_model_status(one) == HG_OK)
        next.valid = next.own_valid = encode_all(one, c->valid);
    free_codes(c);
    *c = next;
    return hg_model_status(one);
}

static hg_status train_level(hg_model *one, const codes *c, const hg_pretraining *settings,
                             const hg_stack_training *training, reporter *to)
{
    hg_training t = training->training;
    t.valid = c->valid;
    t.epochs = settings->epochs != 0 ? settings->epochs : t.epochs;
    t.batch = settings->batch != 0 ? settings->batch : t.batch;
    t.optimizer = settings->optimizer.kind != NULL ? settings->optimizer : t.optimizer;
    t.schedule = settings->schedule.kind != NULL ? settings->schedule : t.schedule;
    t.progress = training->progress != NULL ? report : NULL;
    t.progress_to = to;
    return hg_train(one, c->data, &t);
}

/* A level on its own: from the whole's parameters, and back to them. */
static hg_status run_level(hg_model *whole, level *l, const hg_pretraining *settings,
                           const hg_stack_training *training, int levels, codes *c)
{
    declare(whole, settings, l);
    hg_model *one = hg_graph_status(whole->graph) == HG_OK
                        ? hg_model_new(&l->declaration, hg_graph_dtype(whole->graph), whole->seed) : NULL;
    hg_status status = hg_model_status(one);
    if (status == HG_OK) {
        copy_values(whole, l, one, false);
        hg_model_set_threads(one, whole->threads);
        status = train_level(one, c, settings, training, &(reporter){ training, l->number, levels });
    }
    if (status == HG_OK) {
        copy_values(whole, l, one, true);
        if (l->number < levels)
            status = climb(one, c);
    }
    if (status != HG_OK && hg_graph_status(whole->graph) != HG_OK)
        hg_model_fail_by_graph(whole, status);
    else if (status != HG_OK)
        hg_model_fail(whole, status, "pre-training layer %d of %d: %s", l->number, levels, hg_model_error(one));
    hg_model_free(one);
    return status;
}

hg_status hg_pretrain(hg_model *model, const hg_stack *stack, const hg_dataset *data, const hg_stack_training *training)
{
    int first[HG_MOST_LAYERS];
    int levels = cut(model, first);
    if (levels == 0 || hg_model_check_data(model, data) != HG_OK)
        return hg_model_status(model);
    level *l = malloc(sizeof *l);
    if (l == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a layer to pre-train");
    codes c = { .data = data, .valid = training->training.valid };
    int layers = count_outputs(model->parts.encoder);
    hg_status status = HG_OK;
    if (training->training.threads > 0)
        hg_model_set_threads(model, training->training.threads);
    for (int i = 0; i < levels && status == HG_OK; i++) {
        int end = i + 1 < levels ? first[i + 1] : layers;
        *l = (level){ .number = i + 1, .first = first[i], .count = end - first[i], .layers = layers };
        status = run_level(model, l, &stack->layer[i], training, levels, &c);
    }
    free_codes(&c);
    free(l);
    return status;
}
