/* Training by a full-batch optimiser: an objective on one vector of all parameters, summed over the data part by part. */
#include "trainer.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static size_t count_of(const hg_tensor *parameter)
{
    return (size_t)hg_shape_count(hg_tensor_shape(parameter), 1);
}

/* ---- The objective -------------------------------------------------------------------------------------- */

/* x comes back as what the parameters' dtype made of it. */
static void write_parameters(hg_trainer *t, double x[])
{
    for (int i = 0; i < t->parameters; x += count_of(t->parameter[i++])) {
        hg_write(t->parameter[i], x, count_of(t->parameter[i]));
        hg_read(t->parameter[i], x, count_of(t->parameter[i]));
    }
}

static hg_status add_gradients(hg_trainer *t, hg_plan *plan, double weight, double gradient[])
{
    hg_status status = HG_OK;
    for (int i = 0; i < t->parameters && status == HG_OK; i++) {
        size_t count = count_of(t->parameter[i]);
        status = hg_plan_read(plan, t->gradient[i], t->full.values, count);
        for (size_t j = 0; j < count; j++)
            gradient[j] += weight * t->full.values[j];
        gradient += count;
    }
    return status;
}

static hg_status add_part(hg_trainer *t, int64_t begin, int64_t n, double gradient[])
{
    double objective;
    hg_plan *plan = hg_batch_plan(&t->plans, n);
    if (plan == NULL)
        return hg_graph_status(t->graph);
    hg_status status = hg_trainer_write_batch(t, plan, begin, n);
    if (status == HG_OK)
        status = hg_trainer_run(t, plan, n, &objective);
    return status == HG_OK ? add_gradients(t, plan, (double)n / (double)t->samples, gradient) : status;
}

static hg_status evaluate(void *context, double x[], double *value, double gradient[])
{
    hg_trainer *t = context;
    write_parameters(t, x);
    t->loss = t->objective = 0;
    t->report.step = 0;
    memset(gradient, 0, (size_t)t->full.objective.size * sizeof *gradient);
    for (int64_t done = 0, n; done < t->samples; done += n) {
        n = hg_trainer_part(t, done);
        hg_status status = add_part(t, done, n, gradient);
        if (status != HG_OK)
            return status;
        hg_trainer_report(t, done + n, n);
    }
    *value = t->objective / (double)t->samples;
    return HG_OK;
}

/* ---- Begin ---------------------------------------------------------------------------------------------- */

static hg_status refuse_options(hg_trainer *t)
{
    const char *name = t->options.optimizer.kind->kind.name;
    if (t->options.clip.norm != 0 || t->options.clip.value != 0)
        return hg_model_fail(t->model, HG_BAD_ARGUMENT,
                             "training: clip is given, but %s searches for the length of its steps, so that nothing is to "
                             "be clipped", name);
    if (t->scheduler.kind != &hg_constant_schedule || t->scheduler.warm_up != 0)
        return hg_model_fail(t->model, HG_BAD_ARGUMENT,
                             "training: a schedule or warm_up is given, but %s has no rate that it could change", name);
    return HG_OK;
}

static hg_status allocate(hg_trainer *t, const void *spec)
{
    size_t size = 0, largest = 0;
    for (int i = 0; i < t->parameters; i++) {
        size_t count = count_of(t->parameter[i]);
        size += count;
        largest = count > largest ? count : largest;
    }
    t->full.objective = (hg_objective){ .size = (int64_t)size, .evaluate = evaluate, .context = t };
    t->full.x = calloc(size, sizeof *t->full.x);
    t->full.values = calloc(largest, sizeof *t->full.values);
    t->full.memory = t->full.minimizer->begin(spec, (int64_t)size);
    if (t->full.x != NULL && t->full.values != NULL && t->full.memory != NULL)
        return HG_OK;
    return hg_model_fail(t->model, HG_OUT_OF_MEMORY, "out of memory: %s for %zu parameters",
                         t->options.optimizer.kind->kind.name, size);
}

/* Random ops read the step, and running states move on: then each iteration has another objective. */
static hg_status find_changes(hg_trainer *t)
{
    hg_plan *plan = hg_batch_plan(&t->plans, hg_trainer_part(t, 0));
    if (plan == NULL)
        return hg_trainer_fail_by_graph(t);
    t->full.objective.changes = hg_plan_data(plan, t->parts.step) != NULL || t->parts.updates.count > 0;
    return HG_OK;
}

hg_status hg_full_batch_begin(hg_trainer *t)
{
    alignas(max_align_t) char spec[HG_SPEC_BYTES];
    hg_error error = { 0 };
    const hg_kind *kind = &t->options.optimizer.kind->kind;
    hg_status status = refuse_options(t);
    if (status != HG_OK)
        return status;
    if (hg_spec_resolve(kind, t->options.optimizer.spec, spec, kind->name, &error) != HG_OK)
        return hg_model_fail(t->model, error.status, "%s", error.text);
    status = allocate(t, spec);
    if (status != HG_OK)
        return status;
    double *x = t->full.x;
    for (int i = 0; i < t->parameters; x += count_of(t->parameter[i++]))
        hg_read(t->parameter[i], x, count_of(t->parameter[i]));
    memcpy(t->order, t->sample, (size_t)t->samples * sizeof *t->order);
    t->full.states = t->plans;
    t->full.states.outputs = t->parts.updates.count;
    t->full.states.output = t->parts.updates.assignment;
    return find_changes(t);
}

void hg_full_batch_end(hg_trainer *t)
{
    if (t->full.minimizer == NULL)
        return;
    hg_batch_plans_clear(&t->full.states);
    t->full.minimizer->end(t->full.memory);
    free(t->full.x);
    free(t->full.values);
}

/* ---- An epoch ------------------------------------------------------------------------------------------- */

static hg_status move_states(hg_trainer *t)
{
    hg_status status = HG_OK;
    for (int64_t done = 0, n; done < t->samples && t->parts.updates.count > 0 && status == HG_OK; done += n) {
        n = hg_trainer_part(t, done);
        hg_plan *plan = hg_batch_plan(&t->full.states, n);
        status = plan == NULL ? hg_graph_status(t->graph) : hg_trainer_write_batch(t, plan, done, n);
        if (status == HG_OK)
            status = hg_run(plan);
    }
    return status;
}

static hg_status fail(hg_trainer *t, hg_status status)
{
    const char *name = t->options.optimizer.kind->kind.name;
    if (hg_graph_status(t->graph) != HG_OK)
        return hg_trainer_fail_by_graph(t);
    if (status != HG_DIVERGED)
        return hg_model_fail(t->model, status, "iteration %lld of %s: %s", (long long)t->step, name,
                             hg_status_text(status));
    return hg_model_fail(t->model, HG_DIVERGED,
                         "the training diverged: the loss or its gradient is not finite where iteration %lld of %s starts; "
                         "smaller initial weights or data in a smaller range may help; the model is as it was after epoch %lld",
                         (long long)t->step, name, (long long)t->step - 1);
}

hg_status hg_full_batch_epoch(hg_trainer *t)
{
    hg_iteration iteration;
    t->step = t->report.epoch;
    hg_status status = t->full.minimizer->iterate(t->full.memory, &t->full.objective, t->full.x, &iteration);
    t->report.train_loss = t->loss / (double)t->samples;
    t->report.train_penalty = (t->objective - t->loss) / (double)t->samples;
    t->report.ended = iteration.ended;
    if (status == HG_OK)
        status = move_states(t);
    return status == HG_OK ? HG_OK : fail(t, status);
}
