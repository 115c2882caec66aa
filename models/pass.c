/* Passes: what a model computes over many samples, in mini-batches. Each thread computes whole ones, in lanes
   beside each other, unless they are too few or too large; what comes out is taken in their order. */
#include "models.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/team.h"

enum {
    PASS_BATCH = 128,
    LANE_BATCHES = 4, /* at least so many for each lane, to be worth a plan */
    LANE_BYTES = 1 << 25, /* what a lane may use */
};

/* ---- The graph of each pass ----------------------------------------------------------------------------- */

static void open_encode(hg_model *model, hg_pass *pass)
{
    pass->output[0] = model->parts.code;
}

static void open_reconstruct(hg_model *model, hg_pass *pass)
{
    pass->output[0] = model->parts.reconstruction;
}

static void open_decode(hg_model *model, hg_pass *pass)
{
    pass->source = hg_input(model->graph, "code", *hg_tensor_shape(model->parts.code));
    pass->output[0] = hg_substitute(model->parts.reconstruction, model->parts.code, pass->source);
}

static void open_loss(hg_model *model, hg_pass *pass)
{
    pass->output[0] = model->parts.loss;
}

/* Errors of each sample, of the reconstruction and of the mean image; and how many values are no probabilities. */
static void open_evaluate(hg_model *model, hg_pass *pass)
{
    const hg_parts *parts = &model->parts;
    hg_tensor *x = parts->input, *y = parts->reconstruction;
    hg_shape mean = *hg_tensor_shape(x);
    mean.rank--;
    model->mean_image = hg_input(model->graph, "mean_image", mean);
    hg_tensor *same = hg_expand_like(model->mean_image, x, hg_last_axis(x));
    hg_tensor *zero = hg_scalar(model->graph, 0), *one = hg_scalar(model->graph, 1);
    pass->output[0] = hg_squared_error_by(y, x, HG_PER_SAMPLE);
    pass->output[1] = parts->logits != NULL ? hg_binary_cross_entropy_from_logits_by(parts->logits, x, HG_PER_SAMPLE)
                                            : hg_binary_cross_entropy_by(y, x, HG_PER_SAMPLE);
    pass->output[2] = hg_squared_error_by(same, x, HG_PER_SAMPLE);
    pass->output[3] = hg_binary_cross_entropy_by(same, x, HG_PER_SAMPLE);
    pass->output[4] = hg_sum(hg_add(hg_greater(zero, y), hg_greater(y, one)), hg_all_but_last_axis(y));
}

static void (*const open_pass[HG_PASSES])(hg_model *model, hg_pass *pass) = {
    [HG_PASS_ENCODE] = open_encode,           [HG_PASS_DECODE] = open_decode,
    [HG_PASS_RECONSTRUCT] = open_reconstruct, [HG_PASS_LOSS] = open_loss,
    [HG_PASS_EVALUATE] = open_evaluate,
};

static hg_status open_once(hg_model *model, hg_pass_kind kind)
{
    hg_pass *pass = &model->pass[kind];
    if (pass->source != NULL)
        return HG_OK;
    pass->source = model->parts.input;
    open_pass[kind](model, pass);
    return hg_graph_status(model->graph) == HG_OK ? HG_OK : hg_model_fail_by_graph(model, HG_BAD_ARGUMENT);
}

/* ---- Lanes ---------------------------------------------------------------------------------------------- */

void hg_pass_clear(hg_pass *pass)
{
    for (int i = 0; pass->lane != NULL && i <= pass->threads; i++)
        hg_batch_plans_clear(&pass->lane[i].plans);
    free(pass->lane);
    pass->lane = NULL;
}

static bool make_lanes(hg_model *model, hg_pass *pass)
{
    int outputs = 0;
    if (pass->lane != NULL)
        return true;
    while (outputs < HG_PASS_OUTPUTS && pass->output[outputs] != NULL)
        outputs++;
    pass->threads = model->threads > 0 ? model->threads : hg_threads_best();
    pass->lane = calloc((size_t)pass->threads + 1, sizeof *pass->lane);
    for (int i = 0; pass->lane != NULL && i <= pass->threads; i++) {
        hg_lane *lane = &pass->lane[i];
        lane->plans = (hg_batch_plans){ .graph = model->graph, .outputs = outputs, .output = pass->output,
                                        .options = { .batch = PASS_BATCH,
                                                     .threads = i == 0 ? model->threads : 1 } };
        if (pass->source == model->parts.input)
            lane->plans.options.filling = (hg_filling){ pass->source, hg_batch_fill, &lane->batch };
    }
    return pass->lane != NULL;
}

/* Makes all plans for so many samples. Returns how many lanes go beside each other; 0 on failure. */
static int open_lanes(hg_pass *pass, int64_t count)
{
    const int64_t whole = count / PASS_BATCH, rest = count % PASS_BATCH;
    int lanes = whole >= (int64_t)LANE_BATCHES * pass->threads ? pass->threads : 1;
    for (int i = 1; i <= lanes && lanes > 1; i++) {
        const hg_plan *plan = hg_batch_plan(&pass->lane[i].plans, PASS_BATCH);
        if (plan == NULL)
            return 0;
        if (hg_plan_describe(plan).arena_bytes > LANE_BYTES) {
            hg_batch_plans_clear(&pass->lane[i].plans);
            lanes = pass->threads = 1;
        }
    }
    if (lanes == 1 && whole > 0 && hg_batch_plan(&pass->lane[0].plans, PASS_BATCH) == NULL)
        return 0;
    return rest == 0 || hg_batch_plan(&pass->lane[0].plans, rest) != NULL ? lanes : 0;
}

/* ---- Running -------------------------------------------------------------------------------------------- */

typedef struct pass_run {
    hg_model *model;
    const hg_pass *pass;
    const hg_pass_source *source;
    hg_pass_take *take;
    void *to;
    int lanes; /* beside each other */
    hg_team *team;
    uint64_t batches;
    hg_counter begun, taken; /* of them */
    hg_status status; /* of the first that failed; belongs to the one whose turn it is to be taken */
} pass_run;

static hg_status choose_samples(const hg_model *model, const hg_pass *pass, hg_batch *batch,
                                const hg_pass_source *source, int64_t done, int64_t n)
{
    const hg_scaling scale = hg_model_scaling(model);
    *batch = (hg_batch){ .dataset = source->data, .n = n, .first = source->first + done,
                              .index = source->index == NULL ? NULL : source->index + done, .low = scale.low,
                              .high = scale.high, .dtype = hg_tensor_dtype(pass->source) };
    return hg_batch_check(batch);
}

/* Columns done ... done + n - 1 of r x count, or back. */
static void copy_columns(double *to, int64_t to_columns, const double *from, int64_t from_columns, int64_t rows,
                         int64_t columns)
{
    for (int64_t row = 0; row < rows; row++)
        memcpy(to + row * to_columns, from + row * from_columns, (size_t)columns * sizeof *to);
}

static hg_status load_codes(const hg_model *model, const hg_pass *pass, hg_plan *plan, const hg_pass_source *source,
                            int64_t done, int64_t n)
{
    int64_t size = hg_model_code_size(model);
    double *columns = malloc((size_t)(size * n) * sizeof *columns);
    if (columns == NULL)
        return HG_OUT_OF_MEMORY;
    copy_columns(columns, n, source->codes + done, source->count, size, n);
    hg_status status = hg_plan_write(plan, pass->source, columns, (size_t)(size * n));
    free(columns);
    return status;
}

static hg_status write_if_read(hg_plan *plan, const hg_tensor *input, const double *values, int64_t count)
{
    return input == NULL || hg_plan_data(plan, input) == NULL ? HG_OK
                                                              : hg_plan_write(plan, input, values, (size_t)count);
}

static hg_status run_batch(const pass_run *r, hg_lane *lane, hg_plan *plan, int64_t done, int64_t n)
{
    const hg_model *model = r->model;
    const hg_pass_source *source = r->source;
    hg_status status = write_if_read(plan, model->parts.step, &(double){ 0 }, 1);
    if (status == HG_OK && source->mean_image != NULL)
        status = write_if_read(plan, model->mean_image, source->mean_image, hg_model_input_size(model));
    if (status == HG_OK)
        status = source->codes != NULL ? load_codes(model, r->pass, plan, source, done, n)
                                       : choose_samples(model, r->pass, &lane->batch, source, done, n);
    return status == HG_OK ? hg_run(plan) : status;
}

/* What one thread does: mini-batches that nobody has begun. */
static void run_lane(void *context, int thread, uint64_t turn)
{
    pass_run *r = context;
    (void)turn;
    for (uint64_t b = atomic_fetch_add(&r->begun, 1); b < r->batches; b = atomic_fetch_add(&r->begun, 1)) {
        const int64_t done = (int64_t)b * PASS_BATCH, left = r->source->count - done;
        const int64_t n = left < PASS_BATCH ? left : PASS_BATCH;
        hg_lane *lane = &r->pass->lane[r->lanes == 1 || n < PASS_BATCH ? 0 : 1 + thread];
        hg_plan *plan = hg_batch_plan(&lane->plans, n);
        hg_status status = run_batch(r, lane, plan, done, n);
        hg_team_wait(r->team, &r->taken, b);
        if (r->status == HG_OK)
            r->status = status == HG_OK ? r->take(r->to, r->pass, plan, done, n) : status;
        hg_team_count(r->team, &r->taken, 1, b + 1);
    }
}

static void ready(void *context) { (void)context; }

static hg_status check_source(hg_model *model, const hg_pass_source *source)
{
    if (source->codes != NULL)
        return source->count < 0 ? hg_model_fail(model, HG_BAD_ARGUMENT, "the count of codes is %lld",
                                                 (long long)source->count)
                                 : hg_model_status(model);
    if (hg_model_check_data(model, source->data) != HG_OK)
        return hg_model_status(model);
    int64_t count = hg_dataset_count(source->data);
    if (source->index == NULL && (source->first < 0 || source->count < 0 || source->first > count - source->count))
        return hg_model_fail(model, HG_BAD_ARGUMENT, "there are no %lld samples from %lld on in a data set of %lld",
                             (long long)source->count, (long long)source->first, (long long)count);
    return HG_OK;
}

hg_status hg_pass_run(hg_model *model, hg_pass_kind kind, const hg_pass_source *source, hg_pass_take *take, void *to)
{
    if (hg_model_status(model) != HG_OK || check_source(model, source) != HG_OK || open_once(model, kind) != HG_OK)
        return hg_model_status(model);
    hg_pass *pass = &model->pass[kind];
    pass_run r = { .model = model, .pass = pass, .source = source, .take = take, .to = to,
                   .batches = (uint64_t)((source->count + PASS_BATCH - 1) / PASS_BATCH),
                   .lanes = make_lanes(model, pass) ? open_lanes(pass, source->count) : 0 };
    r.team = r.lanes > 0 ? hg_team_new(r.lanes, ready, run_lane, &r) : NULL;
    if (r.team == NULL)
        return hg_model_fail_by_graph(model, HG_OUT_OF_MEMORY);
    hg_team_run(r.team);
    hg_team_wait(r.team, &r.taken, r.batches);
    hg_team_free(r.team);
    return r.status == HG_OK ? HG_OK : hg_model_fail_by_graph(model, r.status);
}

/* ---- Codes, samples, loss ------------------------------------------------------------------------------- */

typedef struct columns {
    double *values;
    int64_t count;
} columns;

static hg_status take_columns(void *to, const hg_pass *pass, hg_plan *plan, int64_t done, int64_t n)
{
    const columns *all = to;
    int64_t size = hg_shape_count(hg_tensor_shape(pass->output[0]), 1);
    double *values = malloc((size_t)(size * n) * sizeof *values);
    if (values == NULL)
        return HG_OUT_OF_MEMORY;
    hg_status status = hg_plan_read(plan, pass->output[0], values, (size_t)(size * n));
    if (status == HG_OK)
        copy_columns(all->values + done, all->count, values, n, size, n);
    free(values);
    return status;
}

hg_status hg_model_encode(hg_model *model, const hg_dataset *data, int64_t first, int64_t count, double *codes)
{
    return hg_pass_run(model, HG_PASS_ENCODE, &(hg_pass_source){ .data = data, .first = first, .count = count },
                       take_columns, &(columns){ codes, count });
}

/* As it does where it undoes the encoder's pools. */
static bool decoder_sees_input(hg_model *model)
{
    hg_tensor_map known = { 0 };
    bool sees = hg_depends_on(model->pass[HG_PASS_DECODE].output[0], model->parts.input, &known);
    hg_map_clear(&known);
    return sees;
}

hg_status hg_model_decode(hg_model *model, const double *codes, int64_t count, double *samples)
{
    if (hg_model_status(model) != HG_OK || open_once(model, HG_PASS_DECODE) != HG_OK)
        return hg_model_status(model);
    if (decoder_sees_input(model))
        return hg_model_fail(model, HG_BAD_ARGUMENT,
                             "the decoder of \"%s\" needs the input beside the code, for the max pools that it undoes",
                             model->declaration->name);
    return hg_pass_run(model, HG_PASS_DECODE, &(hg_pass_source){ .codes = codes, .count = count }, take_columns,
                       &(columns){ samples, count });
}

hg_status hg_model_reconstruct(hg_model *model, const hg_dataset *data, int64_t first, int64_t count, double *samples)
{
    return hg_pass_run(model, HG_PASS_RECONSTRUCT, &(hg_pass_source){ .data = data, .first = first, .count = count },
                       take_columns, &(columns){ samples, count });
}

static hg_status take_loss(void *to, const hg_pass *pass, hg_plan *plan, int64_t done, int64_t n)
{
    double mean;
    (void)done;
    hg_status status = hg_plan_read(plan, pass->output[0], &mean, 1);
    *(double *)to += mean * (double)n;
    return status;
}

hg_status hg_model_loss(hg_model *model, const hg_dataset *data, const int64_t index[], int64_t count, double *loss)
{
    double sum = 0;
    hg_status status = hg_pass_run(model, HG_PASS_LOSS,
                                   &(hg_pass_source){ .data = data, .index = index, .count = count }, take_loss, &sum);
    if (status == HG_OK)
        *loss = count > 0 ? sum / (double)count : 0;
    return status;
}
