/* The training loop. A training has a graph of its own, whose parameters are copied to the model after each good epoch: the
   model never holds anything of an epoch that went wrong. */
#include "config.h"

#include "trainer.h"

#include <hourglass/grad.h>

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPORTS_PER_SECOND = 8 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Options -------------------------------------------------------------------------------------------- */

static const hg_kind training_kind = {
    "training", sizeof(hg_training),
    (const hg_field[]){ HG_INT_FIELD(hg_training, epochs, "[1, inf)", 0),
                        HG_INT_FIELD(hg_training, batch, "[1, inf)", 0),
                        HG_NUMBER_FIELD(hg_training, valid_fraction, "[0, 1)", 0),
                        HG_INT_FIELD(hg_training, patience, "[0, inf)", 0),
                        HG_NUMBER_FIELD(hg_training, warm_up, "[0, inf)", 0),
                        { 0 } }
};

static hg_status resolve_schedule(hg_trainer *t)
{
    hg_error error = { 0 };
    if (hg_scheduler_start(&t->scheduler, t->options.schedule, t->options.warm_up, &error) != HG_OK)
        return hg_model_fail(t->model, error.status, "%s", error.text);
    if (t->options.warm_up <= (double)t->options.epochs)
        return HG_OK;
    return hg_model_fail(t->model, HG_BAD_ARGUMENT, "training: warm_up is %g epochs, more than the %lld there are",
                         t->options.warm_up, (long long)t->options.epochs);
}

/* The declaration's settings where the caller's are zero. */
static hg_training take_settings(const hg_model *model, hg_training t)
{
    hg_training_settings s = hg_settings_for(
        hg_model_declaration(model), (hg_training_settings){ t.epochs, t.batch, t.optimizer, t.schedule, t.warm_up });
    t.epochs = s.epochs;
    t.batch = s.batch;
    t.optimizer = s.optimizer;
    t.schedule = s.schedule;
    t.warm_up = s.warm_up;
    return t;
}

static hg_status resolve_options(hg_trainer *t, const hg_training *training)
{
    alignas(max_align_t) char resolved[HG_SPEC_BYTES];
    hg_error error = { 0 };
    const hg_training all = take_settings(t->model, *training);
    if (hg_spec_resolve(&training_kind, &all, resolved, "training", &error) != HG_OK)
        return hg_model_fail(t->model, error.status, "%s", error.text);
    memcpy(&t->options, resolved, sizeof t->options);
    if (t->options.seed == 0)
        t->options.seed = hg_model_seed(t->model);
    if (t->options.threads < 0)
        return hg_model_fail(t->model, HG_BAD_ARGUMENT, "training: threads is %d, but must be in [0, inf)",
                             t->options.threads);
    if (t->options.threads > 0)
        hg_model_set_threads(t->model, t->options.threads);
    t->options.threads = hg_model_threads(t->model);
    t->full.minimizer = t->options.optimizer.kind->minimizer;
    return resolve_schedule(t);
}

/* ---- Data ----------------------------------------------------------------------------------------------- */

static hg_status check_values(hg_trainer *t, const hg_dataset *data)
{
    const hg_loss_kind *loss = hg_model_declaration(t->model)->loss.kind;
    hg_status status = hg_model_check_data(t->model, data);
    if (status != HG_OK || loss == NULL || !loss->probabilities)
        return status;
    hg_scaling range = hg_model_data_range(t->model, data);
    if (range.low >= 0 && range.high <= 1)
        return HG_OK;
    hg_scaling scale = hg_model_scaling(t->model);
    bool scaled = range.low == scale.low && range.high == scale.high;
    return hg_model_fail(t->model, HG_BAD_DATA, "the loss %s is for data in [0, 1], but these lie in [%g, %g]%s",
                         loss->kind.name, range.low, range.high, scaled ? ", to which scale is declared" : "");
}

static hg_status hold_out(hg_trainer *t)
{
    int64_t count = hg_dataset_count(t->data);
    t->samples = count;
    if (t->options.valid != NULL) {
        t->judge = t->options.valid;
        t->judged = hg_dataset_count(t->judge);
        return t->options.valid_fraction == 0 ? check_values(t, t->judge)
                                              : hg_model_fail(t->model, HG_BAD_ARGUMENT,
                                                              "training: valid and valid_fraction exclude each other");
    }
    if (t->options.valid_fraction == 0)
        return HG_OK;
    t->judge = t->data;
    t->judged = (int64_t)(t->options.valid_fraction * (double)count);
    t->samples = count - t->judged;
    t->judge_index = t->sample + t->samples;
    hg_shuffle(t->options.seed, "held out", 0, count, t->sample);
    if (t->judged > 0)
        return HG_OK;
    return hg_model_fail(t->model, HG_BAD_ARGUMENT, "training: valid_fraction is %g, which is no sample of %lld",
                         t->options.valid_fraction, (long long)count);
}

static hg_status choose_samples(hg_trainer *t)
{
    hg_status status = check_values(t, t->data);
    if (status != HG_OK)
        return status;
    int64_t count = hg_dataset_count(t->data);
    t->sample = malloc((size_t)count * sizeof *t->sample);
    t->order = malloc((size_t)count * sizeof *t->order);
    if (t->sample == NULL || t->order == NULL)
        return hg_model_fail(t->model, HG_OUT_OF_MEMORY, "out of memory: the order of %lld samples", (long long)count);
    for (int64_t i = 0; i < count; i++)
        t->sample[i] = i;
    status = hold_out(t);
    if (status == HG_OK && t->options.patience > 0 && t->judge == NULL)
        status = hg_model_fail(t->model, HG_BAD_ARGUMENT, "training: patience is %lld, but there are no validation data",
                               (long long)t->options.patience);
    return status;
}

/* ---- Parameters ----------------------------------------------------------------------------------------- */

static size_t bytes_of(const hg_tensor *parameter)
{
    return (size_t)hg_shape_count(hg_tensor_shape(parameter), 1) * hg_dtype_size(hg_tensor_dtype(parameter));
}

/* Both graphs are built from one declaration, so their parameters come in the same order. Of the states the model has
   the layers', and the training the optimiser's too. */
static void copy_parameters(const hg_graph *from, const hg_graph *to)
{
    const hg_tensor *parameter, *state;
    for (size_t i = 0; (parameter = hg_graph_parameter(from, i)) != NULL; i++)
        memcpy(hg_data(hg_graph_parameter(to, i)), hg_data(parameter), bytes_of(parameter));
    for (size_t i = 0; (state = hg_graph_state(from, i)) != NULL; i++) {
        const hg_tensor *other = hg_graph_find(to, hg_tensor_name(state));
        if (other != NULL)
            memcpy(hg_data(other), hg_data(state), bytes_of(state));
    }
}

static size_t model_bytes(const hg_trainer *t)
{
    const hg_tensor *value;
    size_t bytes = 0;
    for (size_t i = 0; (value = hg_graph_stored(hg_model_graph(t->model), i)) != NULL; i++)
        bytes += bytes_of(value);
    return bytes;
}

static void keep_best(hg_trainer *t)
{
    const hg_tensor *value;
    char *to = t->best;
    for (size_t i = 0; (value = hg_graph_stored(hg_model_graph(t->model), i)) != NULL; i++, to += bytes_of(value))
        memcpy(to, hg_data(value), bytes_of(value));
    t->best_loss = t->report.valid_loss;
    t->best_epoch = t->report.epoch;
}

static void restore_best(hg_trainer *t)
{
    const hg_tensor *value;
    const char *from = t->best;
    for (size_t i = 0; (value = hg_graph_stored(hg_model_graph(t->model), i)) != NULL; i++, from += bytes_of(value))
        memcpy(hg_data(value), from, bytes_of(value));
}

/* The largest magnitude in a parameter; NaN if one is not finite. */
static double largest_in(const hg_tensor *parameter)
{
    int64_t count = hg_shape_count(hg_tensor_shape(parameter), 1);
    const void *data = hg_data(parameter);
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double value = hg_tensor_dtype(parameter) == HG_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
        if (!isfinite(value))
            return NAN;
        largest = fmax(largest, fabs(value));
    }
    return largest;
}

/* A layer's state that is not finite; NULL if there is none. */
static const hg_tensor *broken_state(const hg_trainer *t)
{
    const hg_tensor *state;
    for (size_t i = 0; (state = hg_graph_state(hg_model_graph(t->model), i)) != NULL; i++) {
        const hg_tensor *trained = hg_graph_find(t->graph, hg_tensor_name(state));
        if (trained != NULL && isnan(largest_in(trained)))
            return trained;
    }
    return NULL;
}

/* What no parameter of a training that learns grows to: saturated units can keep the loss of one that does not finite. */
static double absurd_size(const hg_trainer *t)
{
    enum { TIMES = 1000000 };
    hg_scaling range = hg_model_data_range(t->model, t->data);
    return TIMES * fmax(1, fmax(fabs(range.low), fabs(range.high)));
}

/* ---- The graph ------------------------------------------------------------------------------------------ */

hg_status hg_trainer_fail_by_graph(hg_trainer *t)
{
    hg_status status = hg_graph_status(t->graph);
    if (status == HG_OK)
        return hg_model_fail(t->model, HG_OUT_OF_MEMORY, "out of memory: the training's graph");
    return hg_model_fail(t->model, status, "%s", hg_graph_error(t->graph));
}

static hg_status list_parameters(hg_trainer *t)
{
    const size_t bytes = model_bytes(t);
    while (hg_graph_parameter(t->graph, (size_t)t->parameters) != NULL)
        t->parameters++;
    if (t->parameters == 0)
        return hg_model_fail(t->model, HG_BAD_ARGUMENT, "the autoencoder \"%s\" has no parameters to train",
                             hg_model_declaration(t->model)->name);
    t->parameter = calloc((size_t)t->parameters, sizeof *t->parameter);
    t->gradient = calloc((size_t)t->parameters, sizeof *t->gradient);
    t->best = t->options.patience > 0 ? malloc(bytes) : NULL;
    if (t->parameter == NULL || t->gradient == NULL || (t->options.patience > 0 && t->best == NULL))
        return hg_model_fail(t->model, HG_OUT_OF_MEMORY, "out of memory: %zu bytes of parameters", bytes);
    for (int i = 0; i < t->parameters; i++)
        t->parameter[i] = hg_graph_parameter(t->graph, (size_t)i);
    return HG_OK;
}

/* Loss, objective, and what else a step is for. */
static hg_status make_outputs(hg_trainer *t, int count, hg_tensor *const more[])
{
    int states = t->full.minimizer == NULL ? t->parts.updates.count : 0;
    t->outputs = 2 + count + states;
    t->output = calloc((size_t)t->outputs, sizeof *t->output);
    if (t->output == NULL)
        return hg_model_fail(t->model, HG_OUT_OF_MEMORY, "out of memory: %d outputs of a training step", t->outputs);
    t->output[0] = t->parts.loss;
    t->output[1] = t->parts.objective;
    for (int i = 0; i < count; i++)
        t->output[2 + i] = hg_constrained(&t->parts, more[i]);
    if (hg_graph_status(t->graph) != HG_OK)
        return hg_trainer_fail_by_graph(t);
    memcpy(t->output + 2 + count, t->parts.updates.assignment, (size_t)states * sizeof *more);
    return HG_OK;
}

static hg_status make_updates(hg_trainer *t)
{
    int count;
    t->updates = hg_updates_new(t->options.optimizer, &t->options.clip, t->parameters, t->parameter, t->gradient);
    if (t->updates == NULL)
        return hg_trainer_fail_by_graph(t);
    hg_tensor *const *update = hg_updates_outputs(t->updates, &count);
    return make_outputs(t, count, update);
}

static hg_status build(hg_trainer *t)
{
    const hg_autoencoder *declaration = hg_model_declaration(t->model);
    t->graph = hg_graph_new(hg_graph_dtype(hg_model_graph(t->model)));
    if (t->graph == NULL)
        return hg_trainer_fail_by_graph(t);
    hg_graph_set_seed(t->graph, hg_model_seed(t->model));
    if (hg_autoencoder_build(declaration, t->graph, HG_TRAINING, &t->parts) != HG_OK)
        return hg_trainer_fail_by_graph(t);
    hg_status status = list_parameters(t);
    if (status != HG_OK)
        return status;
    if (declaration->orthonormal && t->full.minimizer != NULL)
        return hg_model_fail(t->model, HG_BAD_ARGUMENT, "training: %s takes no steps that could keep rows orthonormal, which "
                             "\"%s\" demands; adam or sgd does", t->options.optimizer.kind->kind.name, declaration->name);
    copy_parameters(hg_model_graph(t->model), t->graph);
    if (hg_grad(t->parts.objective, t->parameters, t->parameter, t->gradient) != HG_OK)
        return hg_trainer_fail_by_graph(t);
    status = t->full.minimizer == NULL ? make_updates(t) : make_outputs(t, t->parameters, t->gradient);
    if (t->options.batch > t->samples)
        t->options.batch = t->samples;
    const hg_scaling scale = hg_model_scaling(t->model);
    t->batch = (hg_batch){ .dataset = t->data, .low = scale.low, .high = scale.high, .dtype = hg_graph_dtype(t->graph) };
    t->plans = (hg_batch_plans){ .graph = t->graph,
                                 .outputs = t->outputs,
                                 .output = t->output,
                                 .options = { .batch = t->options.batch, .threads = t->options.threads,
                                              .profile = t->options.profile != NULL,
                                              .filling = { t->parts.input, hg_batch_fill, &t->batch } } };
    return status == HG_OK && t->full.minimizer != NULL ? hg_full_batch_begin(t) : status;
}

/* ---- A step --------------------------------------------------------------------------------------------- */

static hg_status diverge(hg_trainer *t, const char *what, double value)
{
    char fields[HG_SPEC_TEXT];
    const hg_optimizer *optimizer = &t->options.optimizer;
    hg_spec_print(&optimizer->kind->kind, optimizer->spec, fields);
    return hg_model_fail(t->model, HG_DIVERGED,
                         "the training diverged: in epoch %lld, step %lld, %s is %g; a lower rate than that of %s (%s) may "
                         "help; the model is as it was after epoch %lld",
                         (long long)t->report.epoch, (long long)(t->report.step + (t->report.step < t->report.steps)), what, value, optimizer->kind->kind.name,
                         *fields != '\0' ? fields : "its defaults", (long long)t->report.epoch - 1);
}

hg_status hg_trainer_write_batch(hg_trainer *t, hg_plan *plan, int64_t begin, int64_t n)
{
    t->batch.n = n;
    t->batch.index = t->order + begin;
    hg_status status = hg_batch_check(&t->batch);
    if (status == HG_OK && hg_plan_data(plan, t->parts.step) != NULL)
        status = hg_plan_write(plan, t->parts.step, &(double){ (double)t->step }, 1);
    return status;
}

int64_t hg_trainer_part(const hg_trainer *t, int64_t begin)
{
    return t->samples - begin < t->options.batch ? t->samples - begin : t->options.batch;
}

static hg_status prepare_updates(hg_trainer *t, hg_plan *plan)
{
    const hg_report *report = &t->report;
    hg_training_time time = { report->epoch, report->epochs, report->step + 1, report->steps };
    hg_updates_set_factor(t->updates, hg_scheduler_factor(&t->scheduler, &time));
    t->report.rate = hg_updates_rate(t->updates);
    return hg_updates_prepare(t->updates, plan, t->step);
}

hg_status hg_trainer_run(hg_trainer *t, hg_plan *plan, int64_t n, double *objective)
{
    double loss;
    hg_status status = hg_run(plan);
    if (status == HG_OK)
        status = hg_plan_read(plan, t->parts.loss, &loss, 1);
    if (status == HG_OK)
        status = hg_plan_read(plan, t->parts.objective, objective, 1);
    if (status != HG_OK)
        return status;
    t->loss += loss * (double)n;
    t->objective += *objective * (double)n;
    return HG_OK;
}

static hg_status run_step(hg_trainer *t, int64_t begin, int64_t n)
{
    double objective;
    hg_plan *plan = hg_batch_plan(&t->plans, n);
    if (plan == NULL)
        return hg_trainer_fail_by_graph(t);
    t->step++;
    hg_status status = hg_trainer_write_batch(t, plan, begin, n);
    if (status == HG_OK)
        status = prepare_updates(t, plan);
    if (status == HG_OK)
        status = hg_trainer_run(t, plan, n, &objective);
    if (status != HG_OK)
        return hg_model_fail(t->model, status, "training step %lld: %s", (long long)t->step, hg_status_text(status));
    if (!isfinite(objective))
        return diverge(t, "the loss", objective);
    return HG_OK;
}

/* ---- An epoch ------------------------------------------------------------------------------------------- */

static void tell(hg_trainer *t)
{
    if (t->options.progress == NULL || (!t->report.epoch_done && now() - t->reported < 1.0 / REPORTS_PER_SECOND))
        return;
    t->options.progress(&t->report, t->options.progress_to);
    t->reported = now();
}

void hg_trainer_report(hg_trainer *t, int64_t done, int64_t n)
{
    double seconds = now() - t->started;
    hg_report *report = &t->report;
    t->seen += n;
    report->step++;
    report->train_loss = t->loss / (double)done;
    report->train_penalty = (t->objective - t->loss) / (double)done;
    report->samples_per_second = (double)t->seen / (seconds > 0 ? seconds : 1e-9);
    report->seconds_left = (double)(t->samples * (report->epochs - report->epoch + 1) - done) / report->samples_per_second;
    if (done < t->samples)
        tell(t);
}

static void begin_epoch(hg_trainer *t, int64_t epoch)
{
    int64_t batch = t->options.batch;
    t->report = (hg_report){ .epoch = epoch, .epochs = t->options.epochs, .steps = (t->samples + batch - 1) / batch,
                             .valid_loss = NAN };
    t->seen = 0;
    t->started = now();
}

static void shuffle(hg_trainer *t)
{
    hg_shuffle(t->options.seed, "order", (uint64_t)t->report.epoch, t->samples, t->order);
    for (int64_t i = 0; i < t->samples; i++)
        t->order[i] = t->sample[t->order[i]];
}

static bool is_out_of_patience(const hg_trainer *t)
{
    return t->options.patience > 0 && t->report.epoch - t->best_epoch >= t->options.patience;
}

/* What the epoch's loss decides: which parameters are the best, the rate, the end. */
static void learn_from_loss(hg_trainer *t)
{
    hg_report *report = &t->report;
    bool judged = t->judge != NULL;
    if (t->best != NULL && (t->best_epoch == 0 || report->valid_loss < t->best_loss))
        keep_best(t);
    hg_scheduler_observe(&t->scheduler, judged ? report->valid_loss : report->train_loss + report->train_penalty);
    if (report->ended == NULL && is_out_of_patience(t))
        report->ended = "out of patience: the parameters are those of the lowest validation loss";
}

static hg_status end_epoch(hg_trainer *t)
{
    for (int i = 0; i < t->parameters; i++) {
        double largest = largest_in(t->parameter[i]);
        if (!(largest < absurd_size(t)))
            return diverge(t, hg_tensor_name(t->parameter[i]), largest);
    }
    const hg_tensor *broken = broken_state(t);
    if (broken != NULL)
        return diverge(t, hg_tensor_name(broken), NAN);
    copy_parameters(t->graph, hg_model_graph(t->model));
    hg_status status = HG_OK;
    if (t->judge != NULL)
        status = hg_model_loss(t->model, t->judge, t->judge_index, t->judged, &t->report.valid_loss);
    if (status != HG_OK)
        return status;
    learn_from_loss(t);
    t->report.epoch_done = true;
    tell(t);
    return HG_OK;
}

static hg_status run_steps(hg_trainer *t)
{
    shuffle(t);
    t->loss = t->objective = 0;
    for (int64_t done = 0, n; done < t->samples; done += n) {
        n = hg_trainer_part(t, done);
        hg_status status = run_step(t, done, n);
        if (status != HG_OK)
            return status;
        hg_trainer_report(t, done + n, n);
    }
    return HG_OK;
}

static hg_status run_epoch(hg_trainer *t, int64_t epoch)
{
    begin_epoch(t, epoch);
    hg_status status = t->full.minimizer != NULL ? hg_full_batch_epoch(t) : run_steps(t);
    return status == HG_OK ? end_epoch(t) : status;
}

/* ---- All ------------------------------------------------------------------------------------------------ */

/* Of the steps over whole mini-batches. */
static hg_status print_profile(const hg_trainer *t)
{
    if (t->options.profile == NULL)
        return HG_OK;
    hg_status status = hg_plan_print(t->plans.whole, t->options.profile);
    return status == HG_OK ? HG_OK : hg_model_fail(t->model, status, "%s", hg_graph_error(t->graph));
}

static void clean_up(hg_trainer *t)
{
    hg_full_batch_end(t);
    hg_batch_plans_clear(&t->plans);
    hg_updates_free(t->updates);
    hg_graph_free(t->graph);
    free(t->parameter);
    free(t->gradient);
    free(t->output);
    free(t->sample);
    free(t->order);
    free(t->best);
}

hg_status hg_train(hg_model *model, const hg_dataset *data, const hg_training *training)
{
    hg_trainer t = { .model = model, .data = data };
    hg_status status = hg_model_status(model);
    if (status == HG_OK)
        status = resolve_options(&t, training);
    if (status == HG_OK)
        status = choose_samples(&t);
    if (status == HG_OK)
        status = build(&t);
    for (int64_t epoch = 1; status == HG_OK && epoch <= t.options.epochs && t.report.ended == NULL; epoch++)
        status = run_epoch(&t, epoch);
    if (status == HG_OK && t.best_epoch > 0)
        restore_best(&t);
    if (status == HG_OK)
        status = print_profile(&t);
    clean_up(&t);
    return status;
}
