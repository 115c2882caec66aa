/* A model: a declaration's graph with its parameters, and the latched error. */
#include "models.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

hg_model *hg_model_allocate(uint64_t seed)
{
    hg_model *model = calloc(1, sizeof *model);
    if (model != NULL)
        model->seed = seed;
    return model;
}

void hg_model_build(hg_model *model, const hg_autoencoder *declaration, hg_dtype dtype)
{
    model->declaration = declaration;
    model->graph = hg_graph_new(dtype);
    if (model->graph != NULL) {
        hg_graph_set_seed(model->graph, model->seed);
        hg_autoencoder_build(declaration, model->graph, HG_EVALUATION, &model->parts);
    }
    model->built = hg_graph_status(model->graph) == HG_OK;
    if (!model->built)
        hg_model_fail_by_graph(model, HG_OUT_OF_MEMORY);
}

hg_model *hg_model_new(const hg_autoencoder *declaration, hg_dtype dtype, uint64_t seed)
{
    hg_model *model = hg_model_allocate(seed);
    if (model != NULL)
        hg_model_build(model, declaration, dtype);
    return model;
}

void hg_model_free(hg_model *model)
{
    if (model == NULL)
        return;
    for (int i = 0; i < HG_PASSES; i++)
        hg_pass_clear(&model->pass[i]);
    hg_graph_free(model->graph);
    hg_autoencoder_free(model->owned);
    free(model);
}

/* ---- Errors --------------------------------------------------------------------------------------------- */

const char *hg_model_error(const hg_model *model)
{
    return model == NULL ? "out of memory: there is no model" : model->error.text;
}

hg_status hg_model_status(const hg_model *model)
{
    return model == NULL ? HG_OUT_OF_MEMORY : model->error.status;
}

hg_status hg_model_fail(hg_model *model, hg_status status, const char *format, ...)
{
    va_list arguments;
    if (model == NULL)
        return HG_OUT_OF_MEMORY;
    va_start(arguments, format);
    hg_vfail(&model->error, status, format, arguments);
    va_end(arguments);
    return model->error.status;
}

hg_status hg_model_fail_by_graph(hg_model *model, hg_status status)
{
    const char *text = hg_graph_error(model->graph);
    hg_status own = hg_graph_status(model->graph);
    return own != HG_OK ? hg_model_fail(model, own, "%s", text)
                        : hg_model_fail(model, status, "%s", hg_status_text(status));
}

void hg_model_clear_error(hg_model *model)
{
    if (model != NULL && model->built && hg_graph_status(model->graph) == HG_OK)
        model->error = (hg_error){ 0 };
}

/* ---- Accessors ------------------------------------------------------------------------------------------ */

const hg_autoencoder *hg_model_declaration(const hg_model *model)
{
    return model->declaration;
}

hg_graph *hg_model_graph(const hg_model *model)
{
    return model->graph;
}

const hg_parts *hg_model_parts(const hg_model *model)
{
    return &model->parts;
}

uint64_t hg_model_seed(const hg_model *model)
{
    return model->seed;
}

static int64_t sample_size(const hg_tensor *x)
{
    return x == NULL ? 0 : hg_shape_count(hg_tensor_shape(x), 1);
}

int64_t hg_model_input_size(const hg_model *model)
{
    return sample_size(model->parts.input);
}

int64_t hg_model_code_size(const hg_model *model)
{
    return sample_size(model->parts.code);
}

hg_scaling hg_model_scaling(const hg_model *model)
{
    return hg_declared_scale(model->declaration);
}

hg_scaling hg_model_data_range(const hg_model *model, const hg_dataset *data)
{
    hg_scaling range;
    bool bytes = hg_dataset_bytes(data) == (size_t)(hg_dataset_count(data) * hg_dataset_size(data));
    if (bytes)
        return hg_model_scaling(model);
    hg_dataset_range(data, &range.low, &range.high);
    return range;
}

void hg_model_set_threads(hg_model *model, int threads)
{
    if (model == NULL || model->threads == threads)
        return;
    model->threads = threads;
    for (int i = 0; i < HG_PASSES; i++)
        hg_pass_clear(&model->pass[i]);
}

int hg_model_threads(const hg_model *model) { return model == NULL ? 0 : model->threads; }

hg_status hg_model_check_data(hg_model *model, const hg_dataset *data)
{
    char given[HG_SHAPE_TEXT], wanted[HG_SHAPE_TEXT];
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    if (hg_dataset_status(data) != HG_OK)
        return hg_model_fail(model, hg_dataset_status(data), "%s", hg_dataset_error(data));
    if (hg_dataset_count(data) < 1)
        return hg_model_fail(model, HG_BAD_DATA, "the data set has no samples");
    hg_shape input = *hg_tensor_shape(model->parts.input), sample = *hg_dataset_shape(data);
    input.rank--;
    if (hg_dataset_size(data) == hg_model_input_size(model)
        && (hg_shape_equal(&input, &sample) || input.rank <= 1 || sample.rank <= 1))
        return HG_OK;
    return hg_model_fail(model, HG_BAD_SHAPE, "the data's samples are %s, but the input of the autoencoder \"%s\" is %s",
                         hg_shape_print(&sample, given), model->declaration->name, hg_shape_print(&input, wanted));
}
