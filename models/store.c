/* Model files: safetensors with the autoencoder in the metadata. */
#include "models.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char autoencoder_key[] = "hourglass.autoencoder", seed_key[] = "hourglass.seed",
                  dtype_key[] = "hourglass.dtype";

/* Parameters and layers' states. */
static size_t count_values(const hg_graph *graph)
{
    size_t count = 0;
    while (hg_graph_stored(graph, count) != NULL)
        count++;
    return count;
}

/* ---- Saving --------------------------------------------------------------------------------------------- */

hg_status hg_model_save(hg_model *model, const char *path)
{
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    char seed[32];
    size_t count = count_values(model->graph);
    char *json = hg_autoencoder_to_json(model->declaration, 0);
    hg_safetensors_entry *entry = calloc(count + 1, sizeof *entry);
    hg_status status = HG_OUT_OF_MEMORY;
    if (json == NULL || entry == NULL) {
        hg_fail(&model->error, status, "out of memory: the contents of %s", path);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        hg_tensor *value = hg_graph_stored(model->graph, i);
        entry[i] = (hg_safetensors_entry){ .name = hg_tensor_name(value),
                                           .dtype = hg_tensor_dtype(value),
                                           .shape = *hg_tensor_shape(value),
                                           .data = hg_data(value) };
    }
    snprintf(seed, sizeof seed, "%" PRIu64, model->seed);
    const hg_safetensors_text text[] = {
        { autoencoder_key, json },
        { dtype_key, hg_dtype_name(hg_graph_dtype(model->graph)) },
        { seed_key, seed },
    };
    status = hg_safetensors_write(path, count, entry, sizeof text / sizeof *text, text, &model->error);
done:
    free(entry);
    free(json);
    return status;
}

/* ---- Opening -------------------------------------------------------------------------------------------- */

static const char *required(hg_model *model, const hg_safetensors *file, const char *path, const char *key)
{
    const char *value = hg_safetensors_metadata(file, key);
    if (value == NULL)
        hg_fail(&model->error, HG_BAD_FILE, "%s is not a model file: its metadata have no \"%s\"", path, key);
    return value;
}

static hg_status read_seed(hg_model *model, const hg_safetensors *file, const char *path)
{
    char *end;
    const char *text = required(model, file, path, seed_key);
    if (text == NULL)
        return HG_BAD_FILE;
    errno = 0;
    model->seed = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return hg_fail(&model->error, HG_BAD_FILE, "%s: \"%s\" is \"%.40s\", which is no seed", path, seed_key, text);
    return HG_OK;
}

static hg_status read_dtype(hg_model *model, const hg_safetensors *file, const char *path, hg_dtype *dtype)
{
    const char *text = required(model, file, path, dtype_key);
    if (text == NULL)
        return HG_BAD_FILE;
    for (int i = 0; i < HG_REALS; i++)
        if (strcmp(text, hg_dtype_name((hg_dtype)i)) == 0) {
            *dtype = (hg_dtype)i;
            return HG_OK;
        }
    return hg_fail(&model->error, HG_BAD_FILE, "%s: \"%s\" is \"%.40s\", neither f32 nor f64", path, dtype_key, text);
}

/* The declaration that was given, if it is the one in the file but for how it is trained; or else the one in the file. */
static const hg_autoencoder *read_declaration(hg_model *model, const hg_safetensors *file, const char *path,
                                              const hg_autoencoder *given)
{
    const char *text = required(model, file, path, autoencoder_key);
    if (text == NULL)
        return NULL;
    if (given == NULL)
        return model->owned = hg_autoencoder_from_json(text, path, &model->error);
    char *json = hg_autoencoder_to_json(given, 0);
    bool same = json != NULL && hg_same_network(json, text);
    if (json == NULL)
        hg_fail(&model->error, HG_OUT_OF_MEMORY, "out of memory: a declaration");
    else if (!same)
        hg_fail(&model->error, HG_BAD_FILE, "%s was saved with another declaration than that of \"%s\": %.400s", path,
                given->name, text);
    free(json);
    return same ? given : NULL;
}

static hg_status read_parameter(hg_model *model, const hg_safetensors *file, const char *path, hg_tensor *parameter)
{
    char wanted[HG_SHAPE_TEXT], found[HG_SHAPE_TEXT];
    const char *name = hg_tensor_name(parameter);
    const hg_shape *shape = hg_tensor_shape(parameter);
    const hg_safetensors_entry *entry = hg_safetensors_find(file, name);
    if (entry == NULL)
        return hg_fail(&model->error, HG_BAD_FILE, "%s: the parameter \"%s\" is missing", path, name);
    if (entry->dtype != hg_tensor_dtype(parameter) || !hg_shape_equal(&entry->shape, shape))
        return hg_fail(&model->error, HG_BAD_FILE, "%s: the parameter \"%s\" is %s of %s, but must be %s of %s", path,
                       name, hg_shape_print(&entry->shape, found), hg_dtype_name(entry->dtype),
                       hg_shape_print(shape, wanted), hg_dtype_name(hg_tensor_dtype(parameter)));
    memcpy(hg_data(parameter), entry->data, (size_t)hg_shape_count(shape, 1) * hg_dtype_size(entry->dtype));
    return HG_OK;
}

static hg_status read_parameters(hg_model *model, const hg_safetensors *file, const char *path)
{
    size_t count = count_values(model->graph);
    for (size_t i = 0; i < count; i++) {
        hg_status status = read_parameter(model, file, path, hg_graph_stored(model->graph, i));
        if (status != HG_OK)
            return status;
    }
    for (size_t i = 0; i < hg_safetensors_count(file); i++) {
        const char *name = hg_safetensors_at(file, i)->name;
        const hg_tensor *tensor = hg_graph_find(model->graph, name);
        if (tensor == NULL || hg_data(tensor) == NULL)
            return hg_fail(&model->error, HG_BAD_FILE, "%s: the autoencoder \"%s\" has no parameter \"%s\"", path,
                           model->declaration->name, name);
    }
    return HG_OK;
}

hg_model *hg_model_open(const char *path, const hg_autoencoder *given)
{
    hg_dtype dtype = HG_F32;
    hg_model *model = hg_model_allocate(0);
    if (model == NULL)
        return NULL;
    hg_safetensors *file = hg_safetensors_open(path, &model->error);
    if (file == NULL)
        return model;
    const hg_autoencoder *declaration = read_declaration(model, file, path, given);
    if (declaration != NULL && read_dtype(model, file, path, &dtype) == HG_OK && read_seed(model, file, path) == HG_OK) {
        hg_model_build(model, declaration, dtype);
        if (model->built)
            model->built = read_parameters(model, file, path) == HG_OK;
    }
    hg_safetensors_free(file);
    return model;
}
