/* Proofs that every number of a penalty matters: with another one in its place the gradient is another. */
#include "check.h"

#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

/* What is far from a number, and in its field's range. */
static double other_than(double number, const hg_field *field)
{
    return hg_in_range(1.5 * number, field->range) ? 1.5 * number : 0.5 * number;
}

static double length_with(const hg_prover *p, int index, const void *spec)
{
    hg_autoencoder changed = *p->declaration;
    hg_prover other = { .declaration = &changed, .options = p->options, .error = p->error };
    changed.penalties[index].spec = spec;
    double length = -1;
    if (hg_prover_open(&other))
        length = hg_prover_gradient_length(&other, hg_prover_penalty(&other, index));
    hg_prover_close(&other);
    return length;
}

static void prove_number(hg_prover *p, int index, double before, const hg_field *field)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    char what[80];
    double was, now;
    const hg_penalty *penalty = &p->declaration->penalties[index];
    memcpy(spec, penalty->spec, penalty->kind->kind.size);
    memcpy(&was, spec + field->offset, sizeof was);
    now = other_than(was, field);
    memcpy(spec + field->offset, &now, sizeof now);
    const double after = length_with(p, index, spec);
    snprintf(what, sizeof what, "%s changes the gradient of %s", field->name, penalty->kind->kind.name);
    if (p->error->status == HG_OK)
        hg_proven(p, what, fabs(after - before) > 1e-6 * before,
                  "with %s %g instead of %g it is %.6g long instead of %.6g", field->name, now, was, after, before);
}

static void prove_penalty(hg_prover *p, int index)
{
    const hg_penalty *penalty = &p->declaration->penalties[index];
    const hg_field *field = penalty->spec == NULL ? NULL : penalty->kind->kind.field;
    const double before = field == NULL ? 0 : hg_prover_gradient_length(p, hg_prover_penalty(p, index));
    for (; field != NULL && field->name != NULL && before > 0 && p->error->status == HG_OK; field++)
        if (field->type == HG_FIELD_NUMBER && hg_field_given(field, penalty->spec))
            prove_number(p, index, before, field);
}

void hg_prove_numbers(hg_prover *p)
{
    for (int i = 0; hg_prover_penalty(p, i) != NULL && p->error->status == HG_OK; i++)
        prove_penalty(p, i);
}
