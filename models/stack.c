/* Stacked pre-training: a layer is an autoencoder cut out of the whole (T14). */
#include "models.h"

#include <hourglass/stack.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 }; /* samples encoded at a time */

/* Layers first ... first + count - 1 of a side. */
typedef struct part {
    int first, count;
} part;

/* A layer with weights, those without that follow it, and what decodes them. */
typedef struct level {
    int  number; /* from 1 */
    part encoder, decoder;
    char name[128];
    hg_autoencoder declaration;
    struct {
        alignas(max_align_t) char bytes[HG_SPEC_BYTES];
    } spec[HG_MOST_LAYERS];
} level;

typedef struct cuts {
    int  levels;
    part encoder[HG_MOST_LAYERS], decoder[HG_MOST_LAYERS];
} cuts;

/* ---- Cutting -------------------------------------------------------------------------------------------- */

static int count_outputs(hg_tensor *const output[])
{
    int count = 0;
    while (count < HG_MOST_LAYERS && output[count] != NULL)
        count++;
    return count;
}

/* Tied layers of the decoder have none of their own. */
static bool has_weights(const hg_model *model, const char *side, int layer)
{
    char name[32];
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    const hg_tying *tying = &model->parts.tying;
    snprintf(name, sizeof name, "%s/%d/weight", side, layer + 1);
    if (hg_graph_find(model->graph, name) != NULL)
        return true;
    bool shares = model->declaration->tied && strcmp(side, "decoder") == 0, found = false;
    for (int i = 0; i < tying->count && shares; i++)
        found = found || tying->at[i].mirror == hg_decoder_layer(&model->parts, layer, spec).kind;
    return found;
}

/* Layers without weights belong to the level below, or above where there is none. */
static void cut_encoder(const hg_model *model, cuts *c)
{
    int layers = count_outputs(model->parts.encoder);
    for (int i = 0; i < layers; i++)
        if (has_weights(model, "encoder", i)) {
            c->encoder[c->levels].first = c->levels == 0 ? 0 : i;
            c->levels++;
        }
    for (int i = 0; i < c->levels; i++)
        c->encoder[i].count = (i + 1 < c->levels ? c->encoder[i + 1].first : layers) - c->encoder[i].first;
}

/* What goes into a level, as one sample. */
static hg_shape level_input(const hg_model *model, const cuts *c, int level)
{
    int first = c->encoder[level].first;
    return hg_sample_shape(first == 0 ? model->parts.input : model->parts.encoder[first - 1]);
}

/* The same numbers, where one of both may be a vector. */
static bool can_stand_for(const hg_shape *a, const hg_shape *b)
{
    return hg_shape_equal(a, b) || ((a->rank == 1 || b->rank == 1) && hg_shape_count(a, 1) == hg_shape_count(b, 1));
}

/* A normalisation, which goes with the layer that it normalises. */
static bool only_adjusts(const hg_model *model, int decoder_layer)
{
    char name[32];
    snprintf(name, sizeof name, "decoder/%d/gain", decoder_layer + 1);
    return hg_graph_find(model->graph, name) != NULL;
}

/* Of the decoder from layer `first` on, as few layers as have weights and give what goes into the level, with what adjusts
   that. The lowest level gets all that are left. 0: there are none. */
static int count_decoding(const hg_model *model, const cuts *c, int level, int first)
{
    int layers = count_outputs(model->parts.decoder);
    bool weights = false;
    hg_shape input = level_input(model, c, level);
    for (int i = first; i < layers; i++) {
        hg_shape output = hg_sample_shape(model->parts.decoder[i]);
        weights = weights || has_weights(model, "decoder", i);
        if (!weights || (level > 0 ? !can_stand_for(&output, &input) : i < layers - 1))
            continue;
        while (i + 1 < layers && only_adjusts(model, i + 1))
            i++;
        return i + 1 - first;
    }
    return 0;
}

static void refuse(hg_model *model, const cuts *c, int level)
{
    char shapes[HG_ERROR_TEXT / 2] = "", text[HG_SHAPE_TEXT];
    int first = c->encoder[level].first;
    for (int i = 0; i < count_outputs(model->parts.decoder); i++) {
        hg_shape shape = hg_sample_shape(model->parts.decoder[i]);
        size_t used = strlen(shapes);
        snprintf(shapes + used, sizeof shapes - used, "%s%s", i > 0 ? ", " : "", hg_shape_print(&shape, text));
    }
    hg_shape input = level_input(model, c, level);
    hg_model_fail(model, HG_BAD_SHAPE,
                  "pre-training: encoder layer %d (%s) of \"%s\" sees %s, but no layers with weights are left in the decoder "
                  "that would end with that shape; the decoder's layers give %s", first + 1,
                  model->declaration->encoder[first].kind->kind.name, model->declaration->name,
                  hg_shape_print(&input, text), shapes);
}

static void cut_decoder(hg_model *model, cuts *c)
{
    int first = 0;
    for (int i = c->levels - 1; i >= 0; i--) {
        c->decoder[i] = (part){ first, count_decoding(model, c, i, first) };
        first += c->decoder[i].count;
        if (c->decoder[i].count == 0) {
            refuse(model, c, i);
            return;
        }
    }
}

/* More settings than layers would be settings that are never used. */
static void check_settings(hg_model *model, const hg_pretraining settings[HG_MOST_LAYERS], const cuts *c)
{
    int count = hg_pretraining_count(settings);
    if (count > c->levels)
        hg_model_fail(model, HG_BAD_ARGUMENT,
                      "pre-training: there are settings for %d layers, but the encoder of \"%s\" has %d with weights",
                      count, model->declaration->name, c->levels);
}

static cuts cut(hg_model *model)
{
    cuts c = { 0 };
    if (hg_model_status(model) != HG_OK)
        return c;
    cut_encoder(model, &c);
    if (c.levels == 0)
        hg_model_fail(model, HG_BAD_ARGUMENT, "pre-training: the encoder of \"%s\" has no weights",
                      model->declaration->name);
    else
        cut_decoder(model, &c);
    if (hg_model_status(model) != HG_OK)
        c.levels = 0;
    return c;
}

int hg_pretrained_layers(hg_model *model)
{
    return cut(model).levels;
}

int hg_pretraining_count(const hg_pretraining settings[HG_MOST_LAYERS])
{
    static const hg_pretraining none;
    int count = HG_MOST_LAYERS;
    while (count > 0 && memcmp(&settings[count - 1], &none, sizeof none) == 0)
        count--;
    return count;
}

static bool ends_as_probabilities(const hg_layer *last)
{
    hg_activation *act;
    return hg_layer_activation(last, &act) && act == hg_sigmoid;
}

static hg_loss loss_of(const level *l, const hg_autoencoder *whole, const hg_pretraining *settings)
{
    bool probable = l->number == 1 || ends_as_probabilities(&l->declaration.decoder[l->decoder.count - 1]);
    if (settings->loss.kind != NULL)
        return settings->loss;
    return whole->loss.kind != NULL && whole->loss.kind->probabilities && !probable ? (hg_loss)HG_SQUARED_ERROR : whole->loss;
}

static void declare(const hg_model *model, const cuts *c, const hg_pretraining *settings, const hg_training *t, level *l)
{
    const hg_autoencoder *whole = model->declaration;
    hg_shape input = level_input(model, c, l->number - 1);
    snprintf(l->name, sizeof l->name, "%.80s, layer %d", whole->name, l->number);
    l->declaration = (hg_autoencoder){ .name = l->name, .tied = whole->tied, .orthonormal = whole->orthonormal,
                                       .scale = whole->scale, .corrupt = settings->corrupt };
    memcpy(l->declaration.input, input.dim, (size_t)input.rank * sizeof *input.dim);
    memcpy(l->declaration.encoder, whole->encoder + l->encoder.first, (size_t)l->encoder.count * sizeof(hg_layer));
    for (int i = 0; i < l->decoder.count; i++)
        l->declaration.decoder[i] = hg_decoder_layer(&model->parts, l->decoder.first + i, &l->spec[i]);
    memcpy(l->declaration.penalties, settings->penalties, sizeof settings->penalties);
    l->declaration.loss = loss_of(l, whole, settings);
    l->declaration.training = hg_settings_for(
        whole, (hg_training_settings){ t->epochs, t->batch, t->optimizer, t->schedule, t->warm_up });
}

/* ---- Parameters ----------------------------------------------------------------------------------------- */

/* "encoder/1/weight" of the level is "encoder/3/weight" of the whole. */
static hg_tensor *in_whole(const hg_model *whole, const level *l, const char *name)
{
    char full[512], side[16];
    int number, end = 0;
    if (sscanf(name, "%15[a-z]/%d/%n", side, &number, &end) != 2 || end == 0)
        return NULL;
    int before = strcmp(side, "encoder") == 0 ? l->encoder.first : l->decoder.first;
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

static hg_status train_level(hg_model *one, const codes *data, const hg_pretraining *settings,
                             const hg_stack_training *training, reporter *to)
{
    hg_training t = training->training;
    t.valid = data->valid;
    t.epochs = settings->epochs; /* what it leaves at zero is in the level's declaration */
    t.batch = settings->batch;
    t.optimizer = settings->optimizer;
    t.schedule = settings->schedule;
    t.warm_up = settings->warm_up;
    t.progress = training->progress != NULL ? report : NULL;
    t.progress_to = to;
    return hg_train(one, data->data, &t);
}

/* A level on its own: from the whole's parameters, and back to them. */
static hg_status run_level(hg_model *whole, level *l, const hg_pretraining *settings,
                           const hg_stack_training *training, int levels, codes *data)
{
    hg_model *one = hg_graph_status(whole->graph) == HG_OK
                        ? hg_model_new(&l->declaration, hg_graph_dtype(whole->graph), whole->seed) : NULL;
    hg_status status = hg_model_status(one);
    if (status == HG_OK) {
        copy_values(whole, l, one, false);
        hg_model_set_threads(one, whole->threads);
        if (training->begin != NULL)
            training->begin(l->number, levels, one, data->data, training->progress_to);
        status = train_level(one, data, settings, training, &(reporter){ training, l->number, levels });
    }
    if (status == HG_OK) {
        copy_values(whole, l, one, true);
        if (l->number < levels)
            status = climb(one, data);
    }
    if (status != HG_OK && hg_graph_status(whole->graph) != HG_OK)
        hg_model_fail_by_graph(whole, status);
    else if (status != HG_OK)
        hg_model_fail(whole, status, "pre-training layer %d of %d: %s", l->number, levels, hg_model_error(one));
    hg_model_free(one);
    return status;
}

/* NULL with the error latched in the model if they are another's. */
static const hg_pretraining *choose_settings(hg_model *model, const hg_stack *stack)
{
    const hg_autoencoder *declaration = hg_model_declaration(model);
    if (stack == NULL)
        return declaration->pretraining;
    if (stack->autoencoder == NULL || strcmp(stack->autoencoder->name, declaration->name) == 0)
        return stack->layer;
    hg_model_fail(model, HG_BAD_ARGUMENT, "pre-training: the stack is one of \"%s\", but the model is \"%s\"",
                  stack->autoencoder->name, declaration->name);
    return NULL;
}

hg_status hg_pretrain(hg_model *model, const hg_stack *stack, const hg_dataset *data, const hg_stack_training *training)
{
    const cuts c = cut(model);
    if (c.levels == 0 || hg_model_check_data(model, data) != HG_OK)
        return hg_model_status(model);
    const hg_pretraining *settings = choose_settings(model, stack);
    if (settings != NULL)
        check_settings(model, settings, &c);
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    level *l = malloc(sizeof *l);
    if (l == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a layer to pre-train");
    codes on = { .data = data, .valid = training->training.valid };
    hg_status status = HG_OK;
    if (training->training.threads > 0)
        hg_model_set_threads(model, training->training.threads);
    for (int i = 0; i < c.levels && status == HG_OK; i++) {
        *l = (level){ .number = i + 1, .encoder = c.encoder[i], .decoder = c.decoder[i] };
        declare(model, &c, &settings[i], &training->training, l);
        status = run_level(model, l, &settings[i], training, c.levels, &on);
    }
    free_codes(&on);
    free(l);
    return status;
}
