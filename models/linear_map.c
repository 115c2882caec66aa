/* Linear autoencoders beside PCA (T10). */
#include "models.h"

#include <hourglass/linear.h>

#include <inttypes.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- PCA as a model ------------------------------------------------------------------------------------- */

static void print_shape(const hg_shape *shape, char *text, size_t size)
{
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i > 0 ? ", " : "", shape->dim[i]);
}

static hg_autoencoder *declare(const hg_pca *pca, const hg_shape *sample, hg_error *error)
{
    char text[1024], shape[HG_SHAPE_TEXT];
    print_shape(sample, shape, sizeof shape);
    snprintf(text, sizeof text,
             "{\"name\": \"pca\", \"description\": \"the first %" PRId64 " principal components\", \"input\": [%s], "
             "\"scale\": [%.17g, %.17g], \"encoder\": [{\"kind\": \"dense\", \"units\": %" PRId64 "}], "
             "\"decoder\": [{\"kind\": \"dense\", \"units\": %" PRId64 "}]}",
             pca->components, shape, pca->low, pca->high, pca->components, pca->size);
    return hg_autoencoder_from_json(text, "pca", error);
}

/* h = U'x - U'mean, y = U h + mean */
static hg_status set_parameters(hg_model *model, const hg_pca *pca)
{
    const int64_t d = pca->size, r = pca->components;
    double *transposed = malloc((size_t)(d * r) * sizeof *transposed), *bias = calloc((size_t)r, sizeof *bias);
    hg_status status = transposed == NULL || bias == NULL ? HG_OUT_OF_MEMORY : HG_OK;
    for (int64_t i = 0; i < d && status == HG_OK; i++)
        for (int64_t j = 0; j < r; j++) {
            transposed[j * d + i] = pca->vectors[i * r + j];
            bias[j] -= pca->vectors[i * r + j] * pca->mean[i];
        }
    const struct {
        const char   *name;
        const double *values;
        int64_t       count;
    } values[] = { { "encoder/1/weight", transposed, d * r },
                   { "encoder/1/bias", bias, r },
                   { "decoder/1/weight", pca->vectors, d * r },
                   { "decoder/1/bias", pca->mean, d } };
    for (size_t i = 0; i < sizeof values / sizeof *values && status == HG_OK; i++)
        status = hg_write(hg_graph_find(model->graph, values[i].name), values[i].values, (size_t)values[i].count);
    free(transposed);
    free(bias);
    return status == HG_OK ? HG_OK : hg_model_fail(model, status, "the parameters of PCA: %s", hg_status_text(status));
}

hg_model *hg_model_from_pca(const hg_pca *pca, const hg_shape *sample, hg_dtype dtype)
{
    hg_model *model = hg_model_allocate(0);
    if (model == NULL)
        return NULL;
    model->owned = declare(pca, sample, &model->error);
    if (model->owned == NULL)
        return model;
    hg_model_build(model, model->owned, dtype);
    if (model->built)
        model->built = set_parameters(model, pca) == HG_OK;
    return model;
}

/* ---- Linear models -------------------------------------------------------------------------------------- */

static bool is_linear_layer(hg_layer layer)
{
    const hg_dense_spec *spec = layer.kind == &hg_dense_layer ? layer.spec : NULL;
    return spec != NULL && (spec->act == NULL || spec->act == hg_identity);
}

bool hg_model_is_linear(const hg_model *model)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    if (hg_model_status(model) != HG_OK)
        return false;
    bool linear = true;
    for (int i = 0; i < HG_MOST_LAYERS && model->declaration->encoder[i].kind != NULL; i++)
        linear = linear && is_linear_layer(model->declaration->encoder[i]);
    for (int i = 0; i < HG_MOST_LAYERS && linear; i++) {
        hg_layer layer = hg_decoder_layer(&model->parts, i, spec);
        if (layer.kind == NULL)
            break;
        linear = is_linear_layer(layer);
    }
    return linear;
}

hg_status hg_model_decoder_columns(hg_model *model, double *columns)
{
    const int64_t d = hg_model_input_size(model), r = hg_model_code_size(model), n = r + 1;
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    double *codes = calloc((size_t)(r * n), sizeof *codes), *samples = malloc((size_t)(d * n) * sizeof *samples);
    if (codes == NULL || samples == NULL)
        hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: the decoder's columns");
    for (int64_t j = 0; j < r && codes != NULL; j++)
        codes[j * n + j] = 1; /* the last code is 0 */
    if (hg_model_status(model) == HG_OK)
        hg_model_decode(model, codes, n, samples);
    for (int64_t i = 0; i < d && hg_model_status(model) == HG_OK; i++)
        for (int64_t j = 0; j < r; j++)
            columns[i * r + j] = samples[i * n + j] - samples[i * n + r];
    free(samples);
    free(codes);
    return hg_model_status(model);
}

hg_status hg_model_pca_angle(hg_model *model, const hg_pca *pca, double *degrees)
{
    const int64_t d = hg_model_input_size(model), r = hg_model_code_size(model);
    const double half_turn = 180, pi = 3.14159265358979323846;
    hg_error error = { 0 };
    if (hg_model_status(model) != HG_OK)
        return hg_model_status(model);
    if (pca->size != d || pca->components != r)
        return hg_model_fail(model, HG_BAD_SHAPE, "PCA has %lld components of %lld numbers, and the model's code %lld of %lld",
                             (long long)pca->components, (long long)pca->size, (long long)r, (long long)d);
    double *columns = malloc((size_t)(d * r) * sizeof *columns), *angles = malloc((size_t)r * sizeof *angles);
    if (columns == NULL || angles == NULL)
        hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: principal angles");
    else if (hg_model_decoder_columns(model, columns) == HG_OK) {
        hg_status status = hg_principal_angles(d, r, columns, r, pca->vectors, angles, &error);
        *degrees = status == HG_OK ? angles[0] * half_turn / pi : half_turn / 2;
        if (status != HG_OK && status != HG_BAD_DATA)
            hg_model_fail(model, status, "%s", error.text);
    }
    free(angles);
    free(columns);
    return hg_model_status(model);
}

/* ---- Baselines ------------------------------------------------------------------------------------------ */

hg_status hg_pca_errors(const hg_pca *pca, const hg_dataset *data, hg_errors *errors, hg_error *error)
{
    double per_sample;
    hg_status status = hg_pca_squared_error(pca, data, &per_sample, error);
    if (status == HG_OK)
        *errors = (hg_errors){ .mean_squared_error = per_sample / (double)pca->size,
                               .squared_error_per_sample = per_sample,
                               .cross_entropy_per_sample = NAN };
    return status;
}

static double entropy(double p)
{
    return p <= 0 || p >= 1 ? 0 : -p * log(p) - (1 - p) * log(1 - p);
}

hg_status hg_entropy_floor(const hg_dataset *data, double low, double high, double *per_sample, hg_error *error)
{
    enum { BLOCK = 256 };
    int64_t size = hg_dataset_size(data), count = hg_dataset_count(data);
    double *block = malloc((size_t)(size * BLOCK) * sizeof *block), sum = 0;
    hg_status status = block == NULL ? hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: %d samples", BLOCK)
                                     : hg_dataset_status(data);
    for (int64_t first = 0, n; first < count && status == HG_OK; first += n) {
        n = count - first < BLOCK ? count - first : BLOCK;
        status = hg_dataset_batch(data, n, NULL, first, low, high, HG_F64, block);
        for (int64_t i = 0; i < size * n && status == HG_OK; i++)
            sum += block[i] < 0 || block[i] > 1 ? NAN : entropy(block[i]);
    }
    *per_sample = count > 0 ? sum / (double)count : NAN;
    free(block);
    return status;
}
