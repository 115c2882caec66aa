/* What trials are judged by. */
#include "recipes.h"

hg_status test_squared_error(trial_run *run, int64_t epoch, double *value)
{
    hg_evaluation evaluation;
    (void)epoch;
    hg_status status = hg_model_evaluate(run->model, run->test, &evaluation);
    *value = evaluation.errors.squared_error_per_sample;
    return status;
}

hg_status test_cross_entropy_per_pixel(trial_run *run, int64_t epoch, double *value)
{
    hg_evaluation evaluation;
    (void)epoch;
    hg_status status = hg_model_evaluate(run->model, run->test, &evaluation);
    *value = evaluation.errors.cross_entropy_per_sample / (double)hg_model_input_size(run->model);
    return status;
}

hg_status test_class_error(trial_run *run, int64_t epoch, double *value)
{
    (void)epoch;
    hg_status status = hg_classifier_error_rate(run->classifier, run->test, value);
    *value *= 100;
    return status;
}

hg_status pca_angle(trial_run *run, int64_t epoch, double *value)
{
    hg_error error = { 0 };
    hg_scaling scale = hg_model_scaling(run->model);
    hg_pca *pca = hg_pca_new(run->train, scale.low, scale.high, hg_model_code_size(run->model), &error);
    (void)epoch;
    hg_status status = pca == NULL ? hg_model_fail(run->model, error.status, "%s", error.text)
                                   : hg_model_pca_angle(run->model, pca, value);
    hg_pca_free(pca);
    return status;
}

hg_status training_loss(trial_run *run, int64_t epoch, double *value)
{
    (void)epoch;
    *value = run->last.train_loss;
    return HG_OK;
}

hg_status training_penalty(trial_run *run, int64_t epoch, double *value)
{
    (void)epoch;
    *value = run->last.train_penalty;
    return HG_OK;
}

hg_status watched_error(trial_run *run, int64_t epoch, double *value)
{
    *value = run->watched[epoch];
    return HG_OK;
}
