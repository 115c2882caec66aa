/* Proofs of predictive sparse decomposition (T13): gradients with the codes held, and the dictionary's columns. */
#include "check.h"

#include <hourglass/psd.h>

#include <math.h>
#include <stdlib.h>

/* Differences must not move the codes, which are a constant for gradients: they become an input. */
static void prove_gradient(hg_prover *p, const hg_fista_options *options)
{
    const double one = 1;
    hg_check_report report;
    hg_tensor *x = hg_flatten(p->parts.input), *prediction = hg_flatten(p->parts.code);
    hg_tensor *dictionary = hg_graph_find(p->graph, "decoder/1/weight");
    hg_tensor *z = hg_fista(x, dictionary, prediction, options);
    double *codes = hg_prover_good(p) ? hg_prover_alloc(p, hg_prover_count(p, z)) : NULL;
    if (codes != NULL && hg_prover_run(p, 1, 1, &z, &codes)) {
        hg_tensor *held = hg_input(p->graph, "held codes", *hg_tensor_shape(z));
        hg_psd_terms terms = hg_psd_objective(x, dictionary, held, prediction, options);
        const hg_check_input inputs[] = { { p->parts.input, p->samples }, { p->parts.step, &one }, { held, codes } };
        hg_status status = hg_gradcheck(terms.objective, p->parameters, p->parameter,
                                        &(hg_check_options){ .batch = p->options.batch, .most = p->options.most,
                                                             .epsilon = 1e-6, .rtol = 1e-4, .atol = 1e-4,
                                                             .inputs = 3, .input = inputs },
                                        &report);
        if (status == HG_OK || status == HG_GRADIENT_WRONG)
            hg_proven(p, "gradient of the decomposition", status == HG_OK, "%s", report.text);
        else
            hg_fail(p->error, status, "gradient of the decomposition: %s", report.text);
    }
    free(codes);
}

/* The largest distance of a column's length from 1. */
static double stretch(hg_prover *p, const hg_tensor *dictionary)
{
    int64_t rows = hg_tensor_shape(dictionary)->dim[0], columns = hg_tensor_shape(dictionary)->dim[1];
    double worst = 0, *d = hg_prover_alloc(p, rows * columns);
    if (d == NULL || hg_read(dictionary, d, (size_t)(rows * columns)) != HG_OK)
        worst = INFINITY;
    for (int64_t j = 0; j < columns && isfinite(worst); j++) {
        double square = 0;
        for (int64_t i = 0; i < rows; i++)
            square += d[i * columns + j] * d[i * columns + j];
        worst = fmax(worst, fabs(sqrt(square) - 1));
    }
    free(d);
    return worst;
}

static void prove_columns(hg_prover *p)
{
    hg_dataset *data = hg_prover_data(p);
    hg_model *model = p->error->status == HG_OK ? hg_model_new(p->declaration, HG_F64, p->options.seed) : NULL;
    if (model != NULL && hg_psd_train(model, data, &(hg_psd_training){ .epochs = 2, .batch = 16 }) != HG_OK)
        hg_fail(p->error, hg_model_status(model), "%s", hg_model_error(model));
    if (p->error->status == HG_OK) {
        double worst = stretch(p, hg_graph_find(hg_model_graph(model), "decoder/1/weight"));
        hg_proven(p, "dictionary's columns keep length 1", worst <= 1e-10, "after training they differ from it by %.2g", worst);
    }
    hg_model_free(model);
    hg_dataset_free(data);
}

void hg_prove_predictive(hg_prover *p)
{
    hg_fista_options options;
    if (!hg_is_predictive_sparse(p->declaration))
        return;
    prove_columns(p); /* which refuses a decoder that is no dictionary */
    if (p->error->status == HG_OK
        && hg_fista_options_for(p->declaration, (hg_predictive_sparse){ 0 }, &options, p->error) == HG_OK)
        prove_gradient(p, &options);
}
