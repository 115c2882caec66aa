/* Errors in proportion: beside those of the mean image and of PCA, and above the entropy of the data. */
#include "cli.h"

#include <math.h>
#include <stdio.h>

static int compare_with_pca(hg_model *model, const hg_dataset *known, const hg_dataset *data, hg_proportions *p)
{
    hg_error error = { 0 };
    hg_scaling scale = hg_model_scaling(model);
    int64_t size = hg_model_input_size(model), code = hg_model_code_size(model);
    p->components = code < size ? code : size;
    hg_pca *pca = hg_pca_new(known, scale.low, scale.high, p->components, &error);
    int status = 0;
    if (pca == NULL || hg_pca_errors(pca, data, &p->pca, &error) != HG_OK)
        status = hg_complain("%s", error.text);
    else if (code <= size && hg_model_is_linear(model) && hg_model_pca_angle(model, pca, &p->angle) != HG_OK)
        status = hg_complain("%s", hg_model_error(model));
    hg_pca_free(pca);
    return status;
}

bool hg_is_beside_pca(const hg_model *model) { return hg_model_input_size(model) <= HG_LARGEST_PCA; }

void hg_print_left_out(const hg_model *model)
{
    if (!hg_is_beside_pca(model))
        printf("PCA is left out: samples of %lld numbers are more than the %d up to which it is computed\n",
               (long long)hg_model_input_size(model), HG_LARGEST_PCA);
}

int hg_put_in_proportion(hg_model *model, const hg_dataset *known, const hg_dataset *data, hg_proportions *p)
{
    hg_error error = { 0 };
    hg_scaling scale = hg_model_scaling(model);
    *p = (hg_proportions){ .pca = { NAN, NAN, NAN }, .angle = NAN, .floor = NAN };
    if (hg_model_check_data(model, known) != HG_OK || hg_model_evaluate(model, data, &p->evaluation) != HG_OK)
        return hg_complain("%s", hg_model_error(model));
    if (hg_entropy_floor(data, scale.low, scale.high, &p->floor, &error) != HG_OK)
        return hg_complain("%s", error.text);
    return hg_is_beside_pca(model) ? compare_with_pca(model, known, data, p) : 0;
}
