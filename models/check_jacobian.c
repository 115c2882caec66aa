/* The proof that a contractive penalty is on the Jacobian of the code, and on no other: by differences of the code alone. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INPUTS = 8192 }; /* each costs two runs of the encoder */

static const double epsilon = 1e-6;

/* The encoder with an input of its own added to the one that penalties are taken at. */
typedef struct moved {
    hg_tensor *by, *code;
    hg_plan   *plan;
    double    *shift, *up, *down; /* d B, r B, r B */
    int64_t    inputs, numbers;   /* d, r B */
} moved;

static bool open_moved(hg_prover *p, moved *m)
{
    hg_tensor *x = p->parts.penalised;
    hg_scope_push(p->graph, "differences");
    m->by = hg_input(p->graph, "shift", *hg_tensor_shape(x));
    hg_scope_pop(p->graph);
    m->code = hg_substitute(p->parts.apart, x, hg_add(x, m->by));
    if (!hg_prover_good(p))
        return false;
    m->inputs = p->numbers / p->options.batch;
    m->numbers = hg_prover_count(p, m->code);
    m->shift = hg_prover_alloc(p, p->numbers);
    m->up = hg_prover_alloc(p, m->numbers);
    m->down = hg_prover_alloc(p, m->numbers);
    m->plan = p->error->status == HG_OK ? hg_prover_plan(p, 1, &m->code) : NULL;
    return m->plan != NULL;
}

static void close_moved(moved *m)
{
    hg_plan_free(m->plan);
    free(m->shift);
    free(m->up);
    free(m->down);
}

/* The code with number i of every sample moved. */
static bool encode(hg_prover *p, moved *m, int64_t i, double distance, double code[])
{
    const int64_t batch = p->options.batch;
    for (int64_t b = 0; b < batch; b++)
        m->shift[i * batch + b] = distance;
    bool good = hg_plan_write(m->plan, m->by, m->shift, (size_t)p->numbers) == HG_OK
                && hg_prover_step(p, m->plan, 1, 1, &m->code, (double *[]){ code });
    memset(m->shift + i * batch, 0, (size_t)batch * sizeof *m->shift);
    return good;
}

/* The mean over the samples of |J|^2; negative with the error latched. */
static double mean_square(hg_prover *p)
{
    moved m = { 0 };
    double sum = 0;
    bool good = open_moved(p, &m);
    for (int64_t i = 0; i < m.inputs && good; i++) {
        good = encode(p, &m, i, epsilon, m.up) && encode(p, &m, i, -epsilon, m.down);
        for (int64_t k = 0; k < m.numbers && good; k++)
            sum += pow((m.up[k] - m.down[k]) / (2 * epsilon), 2);
    }
    close_moved(&m);
    return good ? sum / (double)p->options.batch : -1;
}

/* What is to be gamma times that: by its name, so that a program's own is looked at too. */
static const hg_contractive_spec *exact_contraction(const hg_penalty *penalty)
{
    const hg_contractive_spec *spec = penalty->spec;
    const hg_kind *kind = &penalty->kind->kind;
    bool named = strcmp(kind->name, hg_contractive_penalty.kind.name) == 0 && kind->size == sizeof *spec;
    return named && spec != NULL && spec->gamma > 0 && spec->samples == 0 ? spec : NULL;
}

static void compare(hg_prover *p, hg_tensor *term, double gamma)
{
    double value;
    const double expected = gamma * mean_square(p);
    if (p->error->status != HG_OK || !hg_prover_run(p, 1, 1, &term, (double *[]){ &value }))
        return;
    hg_proven(p, "contraction is that of differences", fabs(value - expected) <= 1e-4 * expected,
              "the penalty is %.9g, by differences of the code %.9g", value, expected);
}

void hg_prove_jacobians(hg_prover *p)
{
    hg_tensor *term;
    const bool small = p->numbers / p->options.batch <= MOST_INPUTS;
    for (int i = 0; small && (term = hg_prover_penalty(p, i)) != NULL && p->error->status == HG_OK; i++) {
        const hg_contractive_spec *spec = exact_contraction(&p->declaration->penalties[i]);
        if (spec != NULL)
            compare(p, term, spec->gamma);
    }
}
