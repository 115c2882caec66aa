/* Proofs by training for a few steps: shared weights, orthonormal rows, epochs. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 37, BATCH = 16, EPOCHS = 2 }; /* two whole mini-batches and a rest */

/* What marks sample i: its first number. */
static double mark(hg_scaling range, int i)
{
    return range.low + (range.high - range.low) * (i + 0.5) / SAMPLES;
}

hg_dataset *hg_prover_data(hg_prover *p)
{
    hg_scaling range = hg_declared_scale(p->declaration);
    hg_shape shape = hg_sample_shape(p->parts.input);
    int64_t size = hg_shape_count(&shape, 1);
    double *values = hg_prover_alloc(p, SAMPLES * size);
    if (values == NULL)
        return NULL;
    for (int i = 0; i < SAMPLES; i++)
        for (int64_t j = 0; j < size; j++)
            values[i * size + j] = j == 0 ? mark(range, i) : p->samples[(i * size + j * (i + 1)) % p->numbers];
    hg_dataset *data = hg_dataset_new(&shape, SAMPLES, HG_F64, values, NULL);
    free(values);
    if (hg_dataset_status(data) != HG_OK)
        hg_fail(p->error, hg_dataset_status(data), "%s", hg_dataset_error(data));
    return data;
}

/* A model after a few steps; NULL with the error latched. */
static hg_model *train(hg_prover *p, const hg_autoencoder *declaration)
{
    hg_dataset *data = hg_prover_data(p);
    hg_model *model = p->error->status == HG_OK ? hg_model_new(declaration, HG_F64, p->options.seed) : NULL;
    if (p->error->status == HG_OK
        && hg_train(model, data, &(hg_training){ .epochs = EPOCHS, .batch = BATCH }) != HG_OK) {
        hg_fail(p->error, hg_model_status(model), "%s", hg_model_error(model));
        hg_model_free(model);
        model = NULL;
    }
    hg_dataset_free(data);
    return model;
}

/* ---- Shared weights ------------------------------------------------------------------------------------- */

static bool is_shared(const hg_tying *tying, const hg_tensor *parameter)
{
    for (int i = 0; i < tying->count; i++)
        if (tying->at[i].weight == parameter && tying->at[i].shared != NULL)
            return true;
    return false;
}

/* A matrix that the decoder uses beside those that it shares, or a shared one that it does not use; NULL: none. */
static hg_tensor *find_stranger(hg_prover *p)
{
    const hg_parts *parts = &p->parts;
    hg_tensor *code = hg_expand_like(hg_scalar(p->graph, 0.375), parts->code, HG_ALL_AXES);
    hg_tensor *decoded = hg_substitute(parts->reconstruction, parts->code, code), *stranger = NULL;
    for (int i = 0; i < p->parameters && decoded != NULL && stranger == NULL; i++) {
        hg_tensor_map map = { 0 };
        if (hg_tensor_shape(p->parameter[i])->rank >= 2
            && hg_depends_on(decoded, p->parameter[i], &map) != is_shared(&parts->tying, p->parameter[i]))
            stranger = p->parameter[i];
        hg_map_clear(&map);
    }
    return stranger;
}

/* The largest |difference| between the decoder's weights and the encoder's, turned back; negative with the error latched. */
static double difference_of(hg_prover *p, const hg_shared_weight *one)
{
    hg_tensor *back = hg_tensor_shape(one->weight)->rank == 2 ? hg_transpose(one->shared) : one->shared;
    double difference = 0;
    int64_t count = hg_shape_count(hg_tensor_shape(one->weight), 1);
    double *ours = hg_prover_alloc(p, count), *theirs = hg_prover_alloc(p, count);
    if (ours != NULL && theirs != NULL && hg_read(one->weight, ours, (size_t)count) == HG_OK
        && (back == one->weight ? hg_read(back, theirs, (size_t)count) : hg_eval(back, theirs, (size_t)count)) == HG_OK)
        for (int64_t i = 0; i < count; i++)
            difference = fmax(difference, fabs(ours[i] - theirs[i]));
    else
        difference = -1;
    free(ours);
    free(theirs);
    return difference;
}

void hg_prove_tying(hg_prover *p)
{
    static const char name[] = "decoder has the encoder's weights";
    double worst = 0;
    int64_t numbers = 0;
    if (!p->declaration->tied)
        return;
    hg_tensor *stranger = find_stranger(p);
    hg_model *model = train(p, p->declaration);
    if (model == NULL)
        return;
    const hg_tying *tying = &hg_model_parts(model)->tying;
    for (int i = 0; i < tying->count && worst >= 0; i++) {
        double difference = difference_of(p, &tying->at[i]);
        worst = difference < 0 ? difference : fmax(worst, difference);
        numbers += hg_shape_count(hg_tensor_shape(tying->at[i].weight), 1);
    }
    if (stranger != NULL)
        hg_proven(p, name, false, "\"%s\" is not shared by both sides", hg_tensor_name(stranger));
    else
        hg_proven(p, name, worst == 0, "after training %lld numbers are the encoder's, transposed: at most %.2g apart",
                  (long long)numbers, worst);
    hg_model_free(model);
}

/* ---- Orthonormal rows ----------------------------------------------------------------------------------- */

/* The largest entry of |W W' - I|. */
static double distance_of(hg_prover *p, hg_tensor *weight)
{
    int64_t rows = hg_tensor_shape(weight)->dim[0];
    double distance = 0, *gram = hg_prover_alloc(p, rows * rows);
    if (gram != NULL && hg_eval(hg_matmul(weight, hg_transpose(weight)), gram, (size_t)(rows * rows)) == HG_OK)
        for (int64_t i = 0; i < rows * rows; i++)
            distance = fmax(distance, fabs(gram[i] - (i % (rows + 1) == 0)));
    else
        distance = INFINITY;
    free(gram);
    return distance;
}

void hg_prove_orthonormal(hg_prover *p)
{
    double distance = 0;
    hg_model *model = p->declaration->orthonormal ? train(p, p->declaration) : NULL;
    if (model == NULL)
        return;
    const hg_tying *tying = &hg_model_parts(model)->tying;
    for (int i = 0; i < tying->count; i++)
        distance = fmax(distance, distance_of(p, tying->at[i].weight));
    hg_proven(p, "rows stay orthonormal", distance <= 1e-10, "after training W W' differs from I by %.2g", distance);
    hg_model_free(model);
}

/* ---- Epochs --------------------------------------------------------------------------------------------- */

/* A penalty of nothing that counts how often each marked sample is seen. */
static hg_tensor *census(hg_parts *parts, const void *spec)
{
    hg_graph *graph = hg_tensor_graph(parts->input);
    hg_scaling range = hg_declared_scale(parts->declaration);
    double marks[SAMPLES];
    (void)spec;
    for (int i = 0; i < SAMPLES; i++)
        marks[i] = mark(range, i);
    hg_tensor *state = hg_state(graph, "census", HG_SHAPE(SAMPLES), hg_zeros());
    hg_tensor *first = hg_reshape(hg_slice(hg_flatten(parts->input), 0, 0, 1), HG_SHAPE(HG_BATCH));
    const hg_shape table = HG_SHAPE(SAMPLES, HG_BATCH);
    hg_tensor *difference = hg_sub(hg_expand(first, table, HG_AXIS(0)),
                                   hg_expand(hg_constant(graph, HG_SHAPE(SAMPLES), marks), table, HG_AXIS(1)));
    hg_tensor *near = hg_greater(hg_scalar(graph, (range.high - range.low) / SAMPLES / 4), hg_abs(difference));
    hg_state_updates *updates = &parts->updates;
    if (parts->mode == HG_TRAINING && updates->count < HG_MOST_UPDATES)
        updates->assignment[updates->count++] = hg_assign(state, hg_add(state, hg_sum(near, HG_AXIS(1))));
    return hg_scalar(graph, 0);
}

static const hg_penalty_kind census_penalty = { .kind = { .name = "census" }, .apply = census };

/* The declaration with a census in the first free place of its penalties, or in the last. Returns the place. */
static int add_census(const hg_prover *p, hg_autoencoder *counted)
{
    int place = 0;
    *counted = *p->declaration;
    while (place < HG_MOST_PENALTIES - 1 && counted->penalties[place].kind != NULL)
        place++;
    counted->penalties[place] = (hg_penalty){ &census_penalty, NULL };
    return place;
}

void hg_prove_epochs(hg_prover *p)
{
    hg_autoencoder counted;
    char name[64];
    double seen[SAMPLES];
    int once = 0;
    snprintf(name, sizeof name, "penalty/%d/census", add_census(p, &counted) + 1);
    hg_model *model = train(p, &counted);
    if (model == NULL)
        return;
    hg_read(hg_graph_find(hg_model_graph(model), name), seen, SAMPLES);
    for (int i = 0; i < SAMPLES; i++)
        once += seen[i] == EPOCHS;
    hg_proven(p, "an epoch uses every sample once", once == SAMPLES,
              "%d of %d samples were seen %d times in %d epochs of mini-batches of %d", once, (int)SAMPLES, (int)EPOCHS,
              (int)EPOCHS, (int)BATCH);
    hg_model_free(model);
}
