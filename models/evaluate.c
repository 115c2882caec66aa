/* Evaluation: a model's errors beside those of something that anybody could do. */
#include "models.h"

#include <math.h>
#include <stdlib.h>

static hg_status take_sums(void *to, const hg_pass *pass, hg_plan *plan, int64_t done, int64_t n)
{
    double *sums = to, *values = malloc((size_t)n * sizeof *values);
    hg_status status = values == NULL ? HG_OUT_OF_MEMORY : HG_OK;
    (void)done;
    for (int i = 0; i < HG_PASS_OUTPUTS && status == HG_OK; i++) {
        status = hg_plan_read(plan, pass->output[i], values, (size_t)n);
        for (int64_t j = 0; j < n && status == HG_OK; j++)
            sums[i] += values[j];
    }
    free(values);
    return status;
}

/* From sums over all samples of 1/2 |y - x|^2 and of the cross-entropy. */
static hg_errors errors_of(const double sums[2], double samples, double size, bool probabilities)
{
    return (hg_errors){ .mean_squared_error = 2 * sums[0] / (samples * size),
                        .squared_error_per_sample = 2 * sums[0] / samples,
                        .cross_entropy_per_sample = probabilities ? sums[1] / samples : NAN };
}

hg_status hg_model_evaluate(hg_model *model, const hg_dataset *data, hg_evaluation *evaluation)
{
    *evaluation = (hg_evaluation){ 0 };
    if (hg_model_check_data(model, data) != HG_OK)
        return hg_model_status(model);
    int64_t samples = hg_dataset_count(data), size = hg_model_input_size(model);
    hg_scaling scale = hg_model_scaling(model);
    double sums[HG_PASS_OUTPUTS] = { 0 }, *mean = malloc((size_t)size * sizeof *mean);
    if (mean == NULL)
        return hg_model_fail(model, HG_OUT_OF_MEMORY, "out of memory: a mean image of %lld numbers", (long long)size);
    hg_status status = hg_dataset_mean(data, scale.low, scale.high, mean);
    if (status != HG_OK)
        hg_model_fail(model, status, "%s", hg_dataset_error(data));
    else
        status = hg_pass_run(model, HG_PASS_EVALUATE,
                             &(hg_pass_source){ .data = data, .count = samples, .mean_image = mean }, take_sums, sums);
    if (status == HG_OK) {
        hg_scaling range = hg_model_data_range(model, data);
        bool probable = range.low >= 0 && range.high <= 1;
        evaluation->samples = samples;
        evaluation->errors = errors_of(sums, (double)samples, (double)size, probable && sums[4] == 0);
        evaluation->baselines.mean_image = errors_of(sums + 2, (double)samples, (double)size, probable);
    }
    free(mean);
    return status;
}
