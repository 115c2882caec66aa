/* Mini-batches, updates and epochs of a training that is not hg_train's. */
#include "config.h"

#include "loop.h"

#include <hourglass/grad.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct run {
    hg_loop       *loop;
    int            parameters, outputs;
    hg_tensor    **parameter, **gradient, **output;
    hg_updates    *updates;
    hg_scheduler   scheduler;
    hg_batch_plans plans;
    hg_batch       batch; /* that the next run begins with */
    int64_t        count, *order, step;
    double         sum[1 + HG_LOOP_MEASURES]; /* of the objective and the measures, over this epoch's samples */
    hg_report      report;
} run;

static size_t bytes_of(const hg_tensor *t)
{
    return (size_t)hg_shape_count(hg_tensor_shape(t), 1) * hg_dtype_size(hg_tensor_dtype(t));
}

static void copy_one(const hg_tensor *from, const hg_graph *to)
{
    const hg_tensor *other = hg_graph_find(to, hg_tensor_name(from));
    if (other != NULL)
        memcpy(hg_data(other), hg_data(from), bytes_of(from));
}

void hg_copy_by_name(const hg_graph *from, const hg_graph *to)
{
    const hg_tensor *one;
    for (size_t i = 0; (one = hg_graph_parameter(from, i)) != NULL; i++)
        copy_one(one, to);
    for (size_t i = 0; (one = hg_graph_state(from, i)) != NULL; i++)
        copy_one(one, to);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static hg_status fail_by_graph(const run *r)
{
    hg_status status = hg_graph_status(r->loop->graph);
    return status == HG_OK ? hg_model_fail(r->loop->model, HG_OUT_OF_MEMORY, "out of memory: %s", r->loop->what)
                           : hg_model_fail(r->loop->model, status, "%s: %s", r->loop->what, hg_graph_error(r->loop->graph));
}

/* ---- The graph ------------------------------------------------------------------------------------------ */

static bool is_trained(const hg_loop *loop, const hg_tensor *parameter)
{
    return loop->untrained == NULL
           || strncmp(hg_tensor_name(parameter), loop->untrained, strlen(loop->untrained)) != 0;
}

static hg_status list_parameters(run *r)
{
    hg_tensor *parameter;
    size_t all = 0;
    while (hg_graph_parameter(r->loop->graph, all) != NULL)
        all++;
    r->parameter = calloc(all + 1, sizeof *r->parameter);
    r->gradient = calloc(all + 1, sizeof *r->gradient);
    if (r->parameter == NULL || r->gradient == NULL)
        return hg_model_fail(r->loop->model, HG_OUT_OF_MEMORY, "out of memory: %s", r->loop->what);
    for (size_t i = 0; (parameter = hg_graph_parameter(r->loop->graph, i)) != NULL; i++)
        if (is_trained(r->loop, parameter))
            r->parameter[r->parameters++] = parameter;
    return HG_OK;
}

/* Objective, measures, updates of parameters, updates of states. */
static hg_status list_outputs(run *r)
{
    const hg_loop *loop = r->loop;
    int updates, states = loop->states != NULL ? loop->states->count : 0;
    hg_tensor *const *update = hg_updates_outputs(r->updates, &updates);
    r->output = calloc((size_t)(1 + loop->measures + updates + states), sizeof *r->output);
    if (r->output == NULL)
        return hg_model_fail(loop->model, HG_OUT_OF_MEMORY, "out of memory: %s", loop->what);
    r->output[r->outputs++] = loop->objective;
    for (int i = 0; i < loop->measures; i++)
        r->output[r->outputs++] = loop->measure[i];
    for (int i = 0; i < updates; i++)
        r->output[r->outputs++] = loop->constrain != NULL ? loop->constrain(loop->context, update[i]) : update[i];
    for (int i = 0; i < states; i++)
        r->output[r->outputs++] = loop->states->assignment[i];
    return HG_OK;
}

static hg_status build(run *r)
{
    hg_loop *loop = r->loop;
    if (hg_graph_status(loop->graph) != HG_OK)
        return fail_by_graph(r);
    hg_status status = list_parameters(r);
    if (status != HG_OK)
        return status;
    if (hg_grad(loop->objective, r->parameters, r->parameter, r->gradient) == HG_OK)
        r->updates = hg_updates_new(loop->settings.optimizer, &loop->clip, r->parameters, r->parameter, r->gradient);
    if (r->updates == NULL)
        return fail_by_graph(r);
    status = list_outputs(r);
    const hg_scaling scale = hg_model_scaling(loop->model);
    r->batch = (hg_batch){ .dataset = loop->data, .low = scale.low, .high = scale.high,
                           .dtype = hg_graph_dtype(loop->graph) };
    r->plans = (hg_batch_plans){ .graph = loop->graph, .outputs = r->outputs, .output = r->output,
                                 .options = { .batch = loop->settings.batch, .threads = loop->threads,
                                              .filling = { loop->input, hg_batch_fill, &r->batch } } };
    return status;
}

/* ---- A step --------------------------------------------------------------------------------------------- */

static hg_status write_labels(const run *r, hg_plan *plan, int64_t begin, int64_t n)
{
    int64_t *to = r->loop->labels == NULL ? NULL : hg_plan_data(plan, r->loop->labels);
    for (int64_t i = 0; i < n && to != NULL; i++)
        to[i] = hg_dataset_label(r->loop->data, r->order[begin + i]);
    return HG_OK;
}

static hg_status write_inputs(run *r, hg_plan *plan, int64_t begin, int64_t n)
{
    const hg_loop *loop = r->loop;
    r->batch.n = n;
    r->batch.index = r->order + begin;
    hg_status status = hg_batch_check(&r->batch);
    if (status == HG_OK)
        status = write_labels(r, plan, begin, n);
    if (status == HG_OK && hg_plan_data(plan, loop->step) != NULL)
        status = hg_plan_write(plan, loop->step, &(double){ (double)r->step }, 1);
    const hg_training_time time = { r->report.epoch, r->report.epochs, r->report.step + 1, r->report.steps };
    hg_updates_set_factor(r->updates, hg_scheduler_factor(&r->scheduler, &time));
    return status == HG_OK ? hg_updates_prepare(r->updates, plan, r->step) : status;
}

static hg_status run_step(run *r, int64_t begin, int64_t n)
{
    hg_loop *loop = r->loop;
    hg_plan *plan = hg_batch_plan(&r->plans, n);
    if (plan == NULL)
        return fail_by_graph(r);
    r->step++;
    hg_status status = write_inputs(r, plan, begin, n);
    if (status == HG_OK)
        status = hg_run(plan);
    for (int i = 0; i < 1 + loop->measures && status == HG_OK; i++) {
        double value;
        status = hg_plan_read(plan, r->output[i], &value, 1);
        r->sum[i] += value * (double)n;
        if (status == HG_OK && !isfinite(value))
            return hg_model_fail(loop->model, HG_DIVERGED,
                                 "%s diverged: in epoch %lld, step %lld, the objective is no number; a lower rate may help; the "
                                 "model is as it was after epoch %lld", loop->what, (long long)r->report.epoch,
                                 (long long)r->report.step + 1, (long long)r->report.epoch - 1);
    }
    return status == HG_OK ? HG_OK
                           : hg_model_fail(loop->model, status, "%s, step %lld: %s", loop->what, (long long)r->step,
                                           hg_status_text(status));
}

/* ---- Epochs --------------------------------------------------------------------------------------------- */

static hg_status run_epoch(run *r, int64_t epoch)
{
    hg_loop *loop = r->loop;
    double started = now(), mean[1 + HG_LOOP_MEASURES];
    int64_t batch = loop->settings.batch;
    r->report = (hg_report){ .epoch = epoch, .epochs = loop->settings.epochs, .steps = (r->count + batch - 1) / batch,
                             .valid_loss = NAN };
    memset(r->sum, 0, sizeof r->sum);
    hg_shuffle(loop->seed, "order", (uint64_t)epoch, r->count, r->order);
    for (int64_t done = 0, n; done < r->count; done += n) {
        n = r->count - done < batch ? r->count - done : batch;
        hg_status status = run_step(r, done, n);
        if (status != HG_OK)
            return status;
        r->report.step++;
    }
    double seconds = fmax(now() - started, 1e-9);
    hg_copy_by_name(loop->graph, loop->model->graph);
    for (int i = 0; i < 1 + loop->measures; i++)
        mean[i] = r->sum[i] / (double)r->count;
    hg_scheduler_observe(&r->scheduler, mean[0]);
    r->report.epoch_done = true;
    r->report.train_loss = mean[0];
    r->report.samples_per_second = (double)r->count / seconds;
    r->report.seconds_left = (double)(loop->settings.epochs - epoch) * seconds;
    if (loop->epoch_done != NULL)
        loop->epoch_done(loop->context, &r->report, mean);
    return hg_model_status(loop->model);
}

static hg_status start_schedule(run *r)
{
    hg_error error = { 0 };
    return hg_scheduler_start(&r->scheduler, r->loop->settings.schedule, r->loop->settings.warm_up, &error) == HG_OK
               ? HG_OK : hg_model_fail(r->loop->model, error.status, "%s: %s", r->loop->what, error.text);
}

static hg_status check(hg_loop *loop)
{
    if (hg_model_check_data(loop->model, loop->data) != HG_OK)
        return hg_model_status(loop->model);
    loop->settings = hg_settings_for(hg_model_declaration(loop->model), loop->settings);
    if (loop->settings.epochs < 0 || loop->settings.batch < 0 || loop->threads < 0)
        return hg_model_fail(loop->model, HG_BAD_ARGUMENT, "%s: epochs is %lld, batch %lld, threads %d, but none may be negative",
                             loop->what, (long long)loop->settings.epochs, (long long)loop->settings.batch, loop->threads);
    if (loop->settings.batch > hg_dataset_count(loop->data))
        loop->settings.batch = hg_dataset_count(loop->data);
    loop->seed = loop->seed == 0 ? hg_model_seed(loop->model) : loop->seed;
    if (loop->threads > 0)
        hg_model_set_threads(loop->model, loop->threads);
    loop->threads = hg_model_threads(loop->model);
    return HG_OK;
}

hg_status hg_loop_run(hg_loop *loop)
{
    run r = { .loop = loop };
    hg_status status = check(loop);
    if (status == HG_OK)
        status = start_schedule(&r);
    if (status != HG_OK)
        return status;
    r.count = hg_dataset_count(loop->data);
    r.order = malloc((size_t)r.count * sizeof *r.order);
    status = r.order == NULL ? hg_model_fail(loop->model, HG_OUT_OF_MEMORY, "out of memory: the order of %lld samples",
                                             (long long)r.count)
                             : build(&r);
    for (int64_t epoch = 1; status == HG_OK && epoch <= loop->settings.epochs; epoch++)
        status = run_epoch(&r, epoch);
    hg_batch_plans_clear(&r.plans);
    hg_updates_free(r.updates);
    free(r.output);
    free(r.gradient);
    free(r.parameter);
    free(r.order);
    return status;
}
