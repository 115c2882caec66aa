/* Proofs about gradients: that they are right, that penalties matter, that contractions are what they should be. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double hg_prover_gradient_length(hg_prover *p, hg_tensor *term)
{
    double length = -1;
    if (hg_grad(term, p->parameters, p->parameter, p->gradient) != HG_OK) {
        hg_prover_good(p);
        return -1;
    }
    hg_tensor *sum = hg_scalar(p->graph, 0);
    for (int i = 0; i < p->parameters; i++)
        sum = hg_add(sum, hg_sum(hg_square(p->gradient[i]), HG_ALL_AXES));
    hg_tensor *root = hg_sqrt(sum);
    return hg_prover_run(p, 1, 1, &root, (double *[]){ &length }) ? length : -1;
}

/* ---- Against central differences ------------------------------------------------------------------------ */

/* The worst of all numbers that were tried, as they are without the scale. */
static void describe(const hg_check_report *report, double scale, int64_t most, char text[HG_ERROR_TEXT])
{
    const hg_check_entry *worst = &report->entry[0];
    for (int i = 1; i < report->entries; i++)
        if (!(report->entry[i].excess <= worst->excess))
            worst = &report->entry[i];
    if (report->entries == 0)
        snprintf(text, HG_ERROR_TEXT, "there are no parameters");
    else
        snprintf(text, HG_ERROR_TEXT,
                 "at %lld numbers of each parameter; the worst: %s[%lld]%s is %.9g, by differences %.9g, %.2g of the tolerance",
                 (long long)most, hg_tensor_name(worst->tensor), (long long)worst->index,
                 worst->order == 2 ? " of second order" : "", worst->analytic / scale, worst->numeric / scale,
                 worst->excess);
}

static double count_numbers(const hg_prover *p)
{
    double count = 0;
    for (int i = 0; i < p->parameters; i++)
        count += (double)hg_prover_count(p, p->parameter[i]);
    return count;
}

/* A difference across the edge of a rectifier or a pool is no derivative. It is none across a hundredth of the distance,
   mostly, and a wrong gradient stays wrong. */
static const struct {
    double epsilon, atol;
} tries[] = { { 1e-6, 1e-4 }, { 1e-8, 1e-3 } };
enum { TRIES = sizeof tries / sizeof *tries };

static hg_status compare(hg_prover *p, hg_tensor *value, int order, hg_check_report *report)
{
    const double one = 1;
    const hg_check_input inputs[] = { { p->parts.input, p->samples }, { p->parts.step, &one } };
    hg_status status = HG_GRADIENT_WRONG;
    for (int i = 0; i < TRIES && status == HG_GRADIENT_WRONG; i++)
        status = hg_gradcheck(value, p->parameters, p->parameter,
                              &(hg_check_options){ .order = order, .batch = p->options.batch, .most = p->options.most,
                                                   .epsilon = tries[i].epsilon, .rtol = 1e-4, .atol = tries[i].atol,
                                                   .inputs = 2, .input = inputs },
                              report);
    return status;
}

/* Scaled until a number of the gradient is about 1, so that one tolerance serves a loss of hundreds and a slight penalty. */
static void prove_gradient(hg_prover *p, const char *name, hg_tensor *value, int order)
{
    char what[80], text[HG_ERROR_TEXT];
    hg_check_report report;
    const double length = hg_prover_gradient_length(p, value);
    const double scale = length > 0 && isfinite(length) ? sqrt(count_numbers(p)) / length : 1;
    if (p->error->status != HG_OK)
        return;
    hg_status status = compare(p, hg_scale(value, scale), order, &report);
    snprintf(what, sizeof what, "gradient of %s", name);
    describe(&report, scale, p->options.most, text);
    if (status == HG_OK || status == HG_GRADIENT_WRONG)
        hg_proven(p, what, status == HG_OK, "%s", text);
    else
        hg_fail(p->error, status, "%s: %s", what, report.text);
}

static bool is_contraction(const hg_penalty *penalty)
{
    return penalty->kind == &hg_contractive_penalty || penalty->kind == &hg_contractive_higher_penalty;
}

/* The penalty that a term comes from; NULL for the loss and for what layers add. Penalties are the last terms. */
static const hg_penalty *penalty_of(const hg_prover *p, int term)
{
    const hg_penalty *penalties = p->declaration->penalties;
    int count = 0;
    while (count < HG_MOST_PENALTIES && penalties[count].kind != NULL)
        count++;
    int index = term - (p->parts.terms.count - count);
    return index >= 0 ? &penalties[index] : NULL;
}

void hg_prove_gradients(hg_prover *p)
{
    const hg_terms *terms = &p->parts.terms;
    prove_gradient(p, "the objective", p->parts.objective, 1);
    for (int i = 0; i < terms->count && terms->count > 1 && p->error->status == HG_OK; i++) {
        const hg_penalty *penalty = penalty_of(p, i);
        bool contraction = penalty != NULL && is_contraction(penalty);
        prove_gradient(p, terms->term[i].name, terms->term[i].value, contraction ? 2 : 1);
    }
}

/* ---- Penalties move the gradient -------------------------------------------------------------------------- */

void hg_prove_penalties(hg_prover *p)
{
    const hg_terms *terms = &p->parts.terms;
    double loss = terms->count > 1 ? hg_prover_gradient_length(p, terms->term[0].value) : 0;
    for (int i = 1; i < terms->count && p->error->status == HG_OK; i++) {
        char what[80];
        double length = hg_prover_gradient_length(p, terms->term[i].value);
        snprintf(what, sizeof what, "%s moves the gradient", terms->term[i].name);
        hg_proven(p, what, length > 0, length > 0 ? "its gradient is %.3g long, that of the loss %.3g"
                                                  : "its gradient is %g: it does nothing beside the loss's of %.3g",
                  length, loss);
    }
}

/* ---- Contractions ---------------------------------------------------------------------------------------- */

enum { MOST_DIRECTIONS = 4096, DRAWS = 40 };

/* Entry by entry along all directions of the code, which penalties only do where nothing takes less. */
static hg_tensor *written_out(hg_tensor *code, hg_tensor *x, int64_t r)
{
    hg_jacobian jacobian;
    if (!hg_jacobian_along(code, x, hg_unit_directions(code), r, &jacobian))
        return NULL;
    hg_tensor *entries = jacobian.entries;
    if (jacobian.rows != NULL)
        entries = hg_matmul(hg_transpose(jacobian.rows), entries);
    return hg_sum(hg_square(entries), HG_ALL_AXES);
}

static void compare_with_exact(hg_prover *p, hg_tensor *code, hg_tensor *x, hg_tensor *by_entry)
{
    double values[2];
    hg_jacobian exact;
    if (!hg_jacobian_exact(code, x, &exact)) {
        hg_prover_good(p);
        return;
    }
    hg_tensor *output[] = { hg_jacobian_square(&exact), by_entry };
    if (!hg_prover_run(p, 1, 2, output, (double *[]){ &values[0], &values[1] }))
        return;
    double difference = fabs(values[1] - values[0]) / fmax(fabs(values[1]), 1e-300);
    hg_proven(p, "contraction is |J|^2", difference <= 1e-10,
              "over %lld samples it is %.12g, and %.12g entry by entry, %.2g apart", (long long)p->options.batch, values[0],
              values[1], difference);
}

/* With directions of a step of their own: the encoder keeps its noise. */
static hg_tensor *estimate_of(hg_prover *p, hg_tensor *code, hg_tensor *x, int penalty, int64_t samples,
                              hg_tensor **step)
{
    char scope[32];
    hg_jacobian jacobian;
    snprintf(scope, sizeof scope, "check %d", penalty + 1);
    hg_scope_push(p->graph, scope);
    *step = hg_input_of(p->graph, "step", HG_I64, HG_SCALAR);
    hg_tensor *directions = hg_random_directions(code, *step, samples);
    hg_scope_pop(p->graph);
    if (!hg_jacobian_along(code, x, directions, samples, &jacobian))
        return NULL;
    return hg_scale(hg_jacobian_square(&jacobian), 1.0 / (double)samples);
}

/* The mean of many draws, within five standard errors. */
static void compare_with_estimate(hg_prover *p, hg_tensor *estimate, hg_tensor *step, hg_tensor *exact)
{
    double expected = 0, sum = 0, squares = 0, value;
    bool good = hg_prover_run(p, 1, 1, &exact, (double *[]){ &expected });
    hg_plan *plan = good ? hg_prover_plan(p, 1, &estimate) : NULL;
    for (int i = 0; i < DRAWS && good; i++) {
        if (plan != NULL)
            hg_plan_write(plan, step, &(double){ i }, 1);
        good = hg_prover_step(p, plan, 1, 1, &estimate, (double *[]){ &value });
        sum += value;
        squares += value * value;
    }
    hg_plan_free(plan);
    double mean = sum / DRAWS, error = sqrt(fmax(squares / DRAWS - mean * mean, 0) / (DRAWS - 1));
    if (good)
        hg_proven(p, "contraction's estimate is fair", fabs(mean - expected) <= 5 * error + 1e-9 * expected,
                  "the mean of %d draws is %.5g +- %.2g, the exact |J|^2 is %.5g", (int)DRAWS, mean, error, expected);
}

static void prove_contraction(hg_prover *p, int penalty, int64_t samples)
{
    hg_tensor *code = p->parts.apart, *x = p->parts.penalised;
    hg_shape sample = hg_sample_shape(code);
    int64_t r = hg_shape_count(&sample, 1);
    if (r > MOST_DIRECTIONS)
        return;
    hg_tensor *by_entry = written_out(code, x, r);
    if (by_entry == NULL)
        hg_prover_good(p);
    else if (samples == 0)
        compare_with_exact(p, code, x, by_entry);
    else {
        hg_tensor *step, *estimate = estimate_of(p, code, x, penalty, samples, &step);
        compare_with_estimate(p, estimate, step, by_entry);
    }
}

void hg_prove_contractions(hg_prover *p)
{
    const hg_penalty *penalty = p->declaration->penalties;
    for (int i = 0; i < HG_MOST_PENALTIES && penalty[i].kind != NULL && p->error->status == HG_OK; i++) {
        const hg_contractive_spec *spec = penalty[i].spec;
        if (penalty[i].kind == &hg_contractive_penalty)
            prove_contraction(p, i, spec == NULL ? 0 : spec->samples);
    }
}
