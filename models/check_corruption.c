/* Proofs about corruption: new noise in each step, everywhere, and a target that stays clean. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_STEPS = 20, MOST_STEPS = 2000 };

/* What was seen over the steps. */
typedef struct noise {
    double *now, *before;
    char   *hit;           /* numbers that were corrupted once at least */
    int64_t replaced;      /* numbers corrupted, over all steps */
    int64_t steps, repeats; /* steps; those like the one before */
} noise;

static void see(noise *n, const hg_prover *p)
{
    for (int64_t i = 0; i < p->numbers; i++) {
        bool corrupted = n->now[i] != p->samples[i];
        n->replaced += corrupted;
        n->hit[i] |= corrupted;
    }
    n->repeats += n->steps > 0 && memcmp(n->now, n->before, (size_t)p->numbers * sizeof *n->now) == 0;
    memcpy(n->before, n->now, (size_t)p->numbers * sizeof *n->now);
    n->steps++;
}

static double rate_of(const noise *n, const hg_prover *p)
{
    return (double)n->replaced / (double)(n->steps * p->numbers);
}

/* Steps after which a number that was never corrupted would be a wonder. */
static int64_t steps_needed(const noise *n, const hg_prover *p)
{
    double rate = rate_of(n, p), needed = rate >= 1 ? 0 : log(1e-4 / (double)p->numbers) / log1p(-rate);
    return rate > 0 && needed < MOST_STEPS ? (int64_t)needed + FIRST_STEPS : MOST_STEPS;
}

static bool watch(hg_prover *p, noise *n)
{
    hg_tensor *corrupted = p->parts.corrupted;
    hg_plan *plan = hg_prover_plan(p, 1, &corrupted);
    bool good = plan != NULL;
    for (int64_t steps = FIRST_STEPS; n->steps < steps && good;) {
        good = hg_prover_step(p, plan, n->steps + 1, 1, &corrupted, (double *[]){ n->now });
        if (good)
            see(n, p);
        if (n->steps == FIRST_STEPS && n->replaced > 0)
            steps = steps_needed(n, p);
    }
    hg_plan_free(plan);
    return good;
}

static void judge(hg_prover *p, const noise *n)
{
    const double rate = rate_of(n, p), steps = (double)n->steps, none = pow(1 - rate, (double)p->numbers);
    int64_t hit = 0;
    for (int64_t i = 0; i < p->numbers; i++)
        hit += n->hit[i];
    hg_proven(p, "corruption differs from step to step", n->replaced > 0 && (double)n->repeats <= (none + 0.1) * steps,
              "%.3g %% of the numbers are corrupted in a step; %lld of %lld steps repeat the one before", 100 * rate,
              (long long)n->repeats, (long long)n->steps);
    double expected = (double)p->numbers * (1 - pow(1 - rate, steps));
    hg_proven(p, "corruption covers the data", n->replaced > 0 && (double)hit >= 0.95 * expected,
              "after %lld steps %lld of %lld numbers have been corrupted", (long long)n->steps, (long long)hit,
              (long long)p->numbers);
}

static void prove_noise(hg_prover *p)
{
    noise n = { .now = hg_prover_alloc(p, p->numbers), .before = hg_prover_alloc(p, p->numbers),
                .hit = calloc((size_t)p->numbers + 1, 1) };
    if (n.hit == NULL)
        hg_fail(p->error, HG_OUT_OF_MEMORY, "out of memory: what corruption has changed");
    if (p->error->status == HG_OK && watch(p, &n))
        judge(p, &n);
    free(n.now);
    free(n.before);
    free(n.hit);
}

/* ---- The target ----------------------------------------------------------------------------------------- */

/* Any fixed tensor of the same shape. */
static hg_tensor *in_place_of(hg_tensor *t)
{
    return hg_expand_like(hg_scalar(hg_tensor_graph(t), 0.375), t, HG_ALL_AXES);
}

/* The loss with what the decoder gives held fixed: what else it is computed from. */
static hg_tensor *loss_of_fixed_output(const hg_parts *parts)
{
    hg_tensor *loss = parts->loss;
    if (parts->logits != NULL)
        loss = hg_substitute(loss, parts->logits, in_place_of(parts->logits));
    return hg_substitute(loss, parts->reconstruction, in_place_of(parts->reconstruction));
}

static void prove_target(hg_prover *p)
{
    double length = 0;
    hg_tensor_map map = { 0 };
    hg_tensor *loss = loss_of_fixed_output(&p->parts), *x = p->parts.input, *gradient;
    if (loss == NULL || hg_grad(loss, 1, &x, &gradient) != HG_OK) {
        hg_prover_good(p);
        return;
    }
    bool dirty = hg_depends_on(loss, p->parts.corrupted, &map);
    hg_map_clear(&map);
    hg_tensor *root = hg_sqrt(hg_sum(hg_square(gradient), HG_ALL_AXES));
    if (hg_prover_run(p, 1, 1, &root, (double *[]){ &length }))
        hg_proven(p, "target stays clean", !dirty && length > 0,
                  "given the reconstruction, the loss is %s the corrupted input, and its gradient by the clean one is %.3g "
                  "long", dirty ? "computed from" : "not computed from", length);
}

void hg_prove_corruption(hg_prover *p)
{
    if (p->declaration->corrupt.kind == NULL)
        return;
    prove_noise(p);
    if (p->error->status == HG_OK)
        prove_target(p);
}
