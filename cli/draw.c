/* Pictures of reconstructions. */
#include "cli.h"

#include <stdlib.h>

/* The shape that images are drawn in: the data's, or the model's where the data are vectors. */
static hg_shape image_shape(const hg_model *model, const hg_dataset *data)
{
    hg_shape shape = *hg_tensor_shape(hg_model_parts(model)->input);
    shape.rank--;
    return hg_dataset_shape(data)->rank == 3 ? *hg_dataset_shape(data) : shape;
}

static int draw(hg_model *model, const hg_dataset *data, int64_t count, const char *path, double *original,
                double *reconstruction)
{
    hg_error error = { 0 };
    hg_scaling range = hg_model_data_range(model, data), scale = hg_model_scaling(model);
    hg_status status = hg_dataset_batch(data, count, NULL, 0, scale.low, scale.high, HG_F64, original);
    if (status != HG_OK)
        return hg_complain("%s", hg_status_text(status));
    if (hg_model_reconstruct(model, data, 0, count, reconstruction) != HG_OK)
        return hg_complain("%s", hg_model_error(model));
    const hg_png_grid_spec grid = { .image = image_shape(model, data),
                                    .count = count,
                                    .low = range.low,
                                    .high = range.high,
                                    .dtype = HG_F64,
                                    .series = 2,
                                    .values = (const void *const[]){ original, reconstruction } };
    return hg_png_grid(path, &grid, &error) == HG_OK ? 0 : hg_complain("%s", error.text);
}

int hg_draw_reconstructions(hg_model *model, const hg_dataset *data, int64_t count, const char *path)
{
    size_t numbers = (size_t)(count * hg_dataset_size(data));
    if (hg_model_check_data(model, data) != HG_OK)
        return hg_complain("%s", hg_model_error(model));
    double *original = malloc(numbers * sizeof *original), *reconstruction = malloc(numbers * sizeof *reconstruction);
    int status = original == NULL || reconstruction == NULL
                     ? hg_complain("out of memory: pictures of %lld samples", (long long)count)
                     : draw(model, data, count, path, original, reconstruction);
    free(original);
    free(reconstruction);
    return status;
}
