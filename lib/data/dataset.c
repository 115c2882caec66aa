/* Data sets in memory. */
#include "dataset.h"

#include "../io/bytes.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What the sources share ---------------------------------------------------------------------------- */

bool hg_dataset_set_shape(hg_dataset *dataset, const char *source, const hg_shape *sample, int64_t count)
{
    int64_t size = 1, bytes = sizeof(double);
    bool    fits = count > 0;
    for (int i = 0; i < sample->rank; i++)
        fits = fits && sample->dim[i] > 0 && hg_multiply(&size, sample->dim[i]);
    if (!fits || !hg_multiply(&bytes, size) || !hg_multiply(&bytes, count)) {
        hg_fail(&dataset->error, HG_BAD_SHAPE,
                "%s: the numbers of samples and of values in each must be positive, and their product "
                "must fit in memory",
                source);
        return false;
    }
    dataset->shape = *sample;
    dataset->size  = size;
    dataset->count = count;
    return true;
}

void hg_dataset_take_bytes(hg_dataset *dataset, void *samples)
{
    dataset->element = HG_ELEMENT_U8;
    dataset->samples = dataset->own_samples = samples;
    dataset->low                            = 0;
    dataset->high                           = 255;
}

static double stored_value(const hg_dataset *dataset, int64_t at)
{
    switch (dataset->element) {
    case HG_ELEMENT_U8:
        return ((const uint8_t *)dataset->samples)[at];
    case HG_ELEMENT_F32:
        return (double)((const float *)dataset->samples)[at];
    default:
        return ((const double *)dataset->samples)[at];
    }
}

bool hg_dataset_take_reals(hg_dataset *dataset, const char *source, hg_element element, void *samples)
{
    dataset->element = element;
    dataset->samples = dataset->own_samples = samples;
    dataset->low                            = INFINITY;
    dataset->high                           = -INFINITY;
    for (int64_t at = 0; at < dataset->size * dataset->count; at++) {
        const double value = stored_value(dataset, at);
        if (!isfinite(value)) {
            hg_fail(&dataset->error, HG_BAD_DATA, "%s: sample %" PRId64 " holds %s at position %" PRId64,
                    source, at / dataset->size, isnan(value) ? "a NaN" : "an infinity", at % dataset->size);
            return false;
        }
        dataset->low  = value < dataset->low ? value : dataset->low;
        dataset->high = value > dataset->high ? value : dataset->high;
    }
    return true;
}

bool hg_dataset_take_labels(hg_dataset *dataset, const char *source, int64_t *labels)
{
    dataset->labels = dataset->own_labels = labels;
    for (int64_t i = 0; i < dataset->count; i++) {
        if (labels[i] < 0 || labels[i] == INT64_MAX) {
            hg_fail(&dataset->error, HG_BAD_DATA,
                    "%s: the label of sample %" PRId64 " is %" PRId64 ", not a natural number", source, i,
                    labels[i]);
            return false;
        }
        dataset->classes = labels[i] >= dataset->classes ? labels[i] + 1 : dataset->classes;
    }
    return true;
}

/* ---- Making and freeing -------------------------------------------------------------------------------- */

static void *copy(const void *values, int64_t count, size_t size)
{
    void *block = malloc((size_t)count * size);
    return block ? memcpy(block, values, (size_t)count * size) : NULL;
}

hg_dataset *hg_dataset_new(const hg_shape *sample_shape, int64_t count, hg_dtype dtype, const void *samples,
                           const int64_t *labels)
{
    static const char source[] = "the samples given";
    const hg_element  element  = dtype == HG_F32 ? HG_ELEMENT_F32 : HG_ELEMENT_F64;
    hg_dataset       *dataset  = calloc(1, sizeof *dataset);
    if (!dataset)
        return NULL;
    if (dtype != HG_F32 && dtype != HG_F64) {
        hg_fail(&dataset->error, HG_BAD_DTYPE, "%s: their type must be f32 or f64", source);
        return dataset;
    }
    if (!hg_dataset_set_shape(dataset, source, sample_shape, count))
        return dataset;
    void    *own_samples = copy(samples, count * dataset->size, hg_element_size(element));
    int64_t *own_labels  = labels ? copy(labels, count, sizeof *labels) : NULL;
    if (!own_samples || (labels && !own_labels)) {
        free(own_samples);
        free(own_labels);
        free(dataset);
        return NULL;
    }
    hg_dataset_take_reals(dataset, source, element, own_samples);
    if (labels)
        hg_dataset_take_labels(dataset, source, own_labels);
    return dataset;
}

hg_dataset *hg_dataset_view(const hg_dataset *parent, int64_t first, int64_t count)
{
    hg_dataset *view = parent ? malloc(sizeof *view) : NULL;
    if (!view)
        return NULL;
    *view             = *parent;
    view->own_samples = NULL;
    view->own_labels  = NULL;
    if (view->error.status != HG_OK)
        return view;
    if (first < 0 || count < 0 || first > parent->count || count > parent->count - first) {
        hg_fail(&view->error, HG_BAD_ARGUMENT,
                "%" PRId64 " samples from number %" PRId64 " on were asked for, where there are %" PRId64,
                count, first, parent->count);
        return view;
    }
    view->count   = count;
    view->samples = (const char *)parent->samples +
                    (size_t)(first * parent->size) * hg_element_size(parent->element);
    view->labels = parent->labels ? parent->labels + first : NULL;
    return view;
}

void hg_dataset_free(hg_dataset *dataset)
{
    if (!dataset)
        return;
    free(dataset->own_samples);
    free(dataset->own_labels);
    free(dataset);
}

/* ---- Reading ------------------------------------------------------------------------------------------- */

const char *hg_dataset_error(const hg_dataset *dataset)
{
    return dataset ? dataset->error.text : "memory ran out while opening the data";
}

hg_status hg_dataset_status(const hg_dataset *dataset)
{
    return dataset ? dataset->error.status : HG_OUT_OF_MEMORY;
}

static bool usable(const hg_dataset *dataset)
{
    return hg_dataset_status(dataset) == HG_OK;
}

int64_t hg_dataset_count(const hg_dataset *dataset)
{
    return usable(dataset) ? dataset->count : 0;
}

const hg_shape *hg_dataset_shape(const hg_dataset *dataset)
{
    static const hg_shape none = { .rank = 0 };
    return usable(dataset) ? &dataset->shape : &none;
}

int64_t hg_dataset_size(const hg_dataset *dataset)
{
    return usable(dataset) ? dataset->size : 0;
}

size_t hg_dataset_bytes(const hg_dataset *dataset)
{
    return usable(dataset) ? (size_t)(dataset->count * dataset->size) * hg_element_size(dataset->element) : 0;
}

int64_t hg_dataset_label(const hg_dataset *dataset, int64_t index)
{
    return index >= 0 && index < hg_dataset_count(dataset) && dataset->labels ? dataset->labels[index] : -1;
}

int64_t hg_dataset_classes(const hg_dataset *dataset)
{
    return usable(dataset) ? dataset->classes : 0;
}

void hg_dataset_range(const hg_dataset *dataset, double *low, double *high)
{
    *low  = usable(dataset) ? dataset->low : 0;
    *high = usable(dataset) ? dataset->high : 0;
}

hg_status hg_dataset_mean(const hg_dataset *dataset, double low, double high, double *mean)
{
    if (!usable(dataset))
        return hg_dataset_status(dataset);
    if (dataset->count == 0)
        return HG_BAD_ARGUMENT;
    for (int64_t j = 0; j < dataset->size; j++)
        mean[j] = 0;
    for (int64_t i = 0; i < dataset->count; i++) {
        for (int64_t j = 0; j < dataset->size; j++)
            mean[j] += stored_value(dataset, i * dataset->size + j);
    }
    const bool   bytes = dataset->element == HG_ELEMENT_U8;
    const double shift = bytes ? low : 0, scale = bytes ? (high - low) / 255 : 1;
    for (int64_t j = 0; j < dataset->size; j++)
        mean[j] = shift + scale * (mean[j] / (double)dataset->count);
    return HG_OK;
}
