/* Proofs of a declaration: the table of them, and what they share. */
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static hg_prove *const proofs[] = {
    hg_prove_gradients, hg_prove_penalties,  hg_prove_numbers,     hg_prove_jacobians,  hg_prove_contractions,
    hg_prove_tying,     hg_prove_corruption, hg_prove_orthonormal, hg_prove_predictive, hg_prove_epochs,
};

/* ---- Shared --------------------------------------------------------------------------------------------- */

void hg_proven(hg_prover *p, const char *name, bool holds, const char *format, ...)
{
    hg_proof proof = { .holds = holds };
    va_list arguments;
    snprintf(proof.name, sizeof proof.name, "%s", name);
    va_start(arguments, format);
    vsnprintf(proof.text, sizeof proof.text, format, arguments);
    va_end(arguments);
    p->failed += !holds;
    p->take(&proof, p->to);
}

bool hg_prover_good(hg_prover *p)
{
    if (p->graph == NULL)
        hg_fail(p->error, HG_OUT_OF_MEMORY, "out of memory: a graph");
    else if (hg_graph_status(p->graph) != HG_OK)
        hg_fail(p->error, hg_graph_status(p->graph), "%s", hg_graph_error(p->graph));
    return p->error->status == HG_OK;
}

hg_tensor *hg_prover_penalty(const hg_prover *p, int index)
{
    const hg_terms *terms = &p->parts.terms;
    int count = 0;
    while (count < HG_MOST_PENALTIES && p->declaration->penalties[count].kind != NULL)
        count++;
    return index < count ? terms->term[terms->count - count + index].value : NULL;
}

double *hg_prover_alloc(hg_prover *p, int64_t count)
{
    double *values = NULL;
    if (count >= 0 && (uint64_t)count < SIZE_MAX / sizeof *values)
        values = calloc((size_t)count + 1, sizeof *values);
    if (values == NULL)
        hg_fail(p->error, HG_OUT_OF_MEMORY, "out of memory: %lld numbers", (long long)count);
    return values;
}

int64_t hg_prover_count(const hg_prover *p, const hg_tensor *tensor)
{
    return hg_shape_count(hg_tensor_shape(tensor), p->options.batch);
}

hg_plan *hg_prover_plan(hg_prover *p, int outputs, hg_tensor *const output[])
{
    hg_plan *plan = NULL;
    if (hg_prover_good(p))
        plan = hg_plan_new(p->graph, outputs, output, &(hg_plan_options){ .batch = p->options.batch });
    hg_status status = plan != NULL && hg_plan_data(plan, p->parts.input) != NULL
                           ? hg_plan_write(plan, p->parts.input, p->samples, (size_t)p->numbers)
                           : HG_OK;
    if (hg_prover_good(p) && (plan == NULL || status != HG_OK))
        hg_fail(p->error, status != HG_OK ? status : HG_OUT_OF_MEMORY, "a proof's computation cannot be planned");
    return plan;
}

bool hg_prover_step(hg_prover *p, hg_plan *plan, int64_t step, int outputs, hg_tensor *const output[],
                    double *const values[])
{
    if (plan == NULL)
        return false;
    hg_status status = HG_OK;
    if (hg_plan_data(plan, p->parts.step) != NULL)
        status = hg_plan_write(plan, p->parts.step, &(double){ (double)step }, 1);
    if (status == HG_OK)
        status = hg_run(plan);
    for (int i = 0; i < outputs && status == HG_OK; i++)
        status = hg_plan_read(plan, output[i], values[i], (size_t)hg_prover_count(p, output[i]));
    if (status != HG_OK)
        hg_fail(p->error, status, "a proof's computation: %s", hg_status_text(status));
    return status == HG_OK;
}

bool hg_prover_run(hg_prover *p, int64_t step, int outputs, hg_tensor *const output[], double *const values[])
{
    hg_plan *plan = hg_prover_plan(p, outputs, output);
    bool good = hg_prover_step(p, plan, step, outputs, output, values);
    hg_plan_free(plan);
    return good;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

/* Equally spread in (0, 1), by the golden ratio. */
static double spread(const hg_prover *p, int64_t i)
{
    return fmod((double)(i + 1 + (int64_t)(p->options.seed % 1000)) * 0.6180339887498949, 1);
}

/* Inside of the range, so that a number that corruption replaces does change. */
static void draw_samples(hg_prover *p)
{
    hg_scaling scale = hg_declared_scale(p->declaration);
    for (int64_t i = 0; i < p->numbers; i++)
        p->samples[i] = scale.low + (scale.high - scale.low) * (0.02 + 0.96 * spread(p, i));
}

/* Biases start at 0, where a unit that gets nothing lies on a rectifier's edge: they are moved off it. */
static bool move_vectors(hg_prover *p)
{
    for (int i = 0; i < p->parameters; i++) {
        int64_t count = hg_prover_count(p, p->parameter[i]);
        double *values = hg_tensor_shape(p->parameter[i])->rank > 1 ? NULL : hg_prover_alloc(p, count);
        if (values == NULL)
            continue;
        hg_read(p->parameter[i], values, (size_t)count);
        for (int64_t j = 0; j < count; j++)
            values[j] += 0.1 * (spread(p, j) - 0.5);
        hg_write(p->parameter[i], values, (size_t)count);
        free(values);
    }
    return hg_prover_good(p);
}

bool hg_prover_open(hg_prover *p)
{
    p->graph = hg_graph_new(HG_F64);
    if (!hg_prover_good(p))
        return false;
    hg_graph_set_seed(p->graph, p->options.seed);
    hg_autoencoder_build(p->declaration, p->graph, HG_TRAINING, &p->parts);
    if (!hg_prover_good(p))
        return false;
    while (hg_graph_parameter(p->graph, (size_t)p->parameters) != NULL)
        p->parameters++;
    p->numbers = hg_prover_count(p, p->parts.input);
    p->samples = hg_prover_alloc(p, p->numbers);
    p->parameter = calloc((size_t)p->parameters + 1, sizeof *p->parameter);
    p->gradient = calloc((size_t)p->parameters + 1, sizeof *p->gradient);
    if (p->samples == NULL || p->parameter == NULL || p->gradient == NULL) {
        hg_fail(p->error, HG_OUT_OF_MEMORY, "out of memory: the parameters of \"%s\"", p->declaration->name);
        return false;
    }
    for (int i = 0; i < p->parameters; i++)
        p->parameter[i] = hg_graph_parameter(p->graph, (size_t)i);
    draw_samples(p);
    return move_vectors(p);
}

void hg_prover_close(hg_prover *p)
{
    free(p->samples);
    free(p->parameter);
    free(p->gradient);
    hg_graph_free(p->graph);
}

hg_status hg_autoencoder_check(const hg_autoencoder *declaration, const hg_proof_options *options,
                               hg_proof_take *take, void *to, hg_error *error)
{
    hg_error own = { 0 };
    hg_prover p = { .declaration = declaration, .options = options != NULL ? *options : (hg_proof_options){ 0 },
                    .take = take, .to = to, .error = error != NULL ? error : &own };
    p.options.seed = p.options.seed != 0 ? p.options.seed : 1;
    p.options.batch = p.options.batch != 0 ? p.options.batch : 5;
    p.options.most = p.options.most != 0 ? p.options.most : 6;
    if (p.options.batch < 2 || p.options.most < 1)
        return hg_fail(p.error, HG_BAD_ARGUMENT,
                       "check: batch is %lld and most is %lld, but must be in [2, inf) and [1, inf)",
                       (long long)p.options.batch, (long long)p.options.most);
    if (hg_prover_open(&p))
        for (size_t i = 0; i < sizeof proofs / sizeof *proofs && p.error->status == HG_OK; i++)
            proofs[i](&p);
    hg_prover_close(&p);
    if (p.error->status == HG_OK && p.failed > 0)
        return hg_fail(p.error, HG_NOT_PROVEN, "\"%s\" is not what it declares: %d of the proofs fail", declaration->name,
                       p.failed);
    return p.error->status;
}
