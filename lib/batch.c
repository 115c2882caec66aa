/* Mini-batches: the order of samples, and plans by size. */
#include <hourglass/train.h>

#include "random.h"

void hg_shuffle(uint64_t seed, const char *stream, uint64_t step, int64_t count, int64_t order[])
{
    uint64_t key = hg_random_key(seed, stream);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) { /* Fisher-Yates */
        philox4x32_ctr_t words = hg_random_words(key, step, (uint64_t)i);
        int64_t other = (int64_t)(hg_uniform53(words.v[0], words.v[1]) * (double)(i + 1));
        int64_t swapped = order[i];
        order[i] = order[other];
        order[other] = swapped;
    }
}

static hg_plan *plan_for(const hg_batch_plans *plans, int64_t n)
{
    hg_plan_options options = plans->options;
    options.batch = n;
    return hg_plan_new(plans->graph, plans->outputs, plans->output, &options);
}

hg_plan *hg_batch_plan(hg_batch_plans *plans, int64_t n)
{
    if (n == plans->options.batch) {
        if (plans->whole == NULL)
            plans->whole = plan_for(plans, n);
        return plans->whole;
    }
    if (plans->rest == NULL || plans->rest_batch != n) {
        hg_plan_free(plans->rest);
        plans->rest = plan_for(plans, n);
        plans->rest_batch = n;
    }
    return plans->rest;
}

void hg_batch_plans_clear(hg_batch_plans *plans)
{
    hg_plan_free(plans->whole);
    hg_plan_free(plans->rest);
    plans->whole = plans->rest = NULL;
}
