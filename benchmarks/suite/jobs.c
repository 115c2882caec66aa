/* Jobs: a training step, encoding many images, encoding one. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PARAMETERS = 64, ENCODED = 10000, ENCODED_QUICKLY = 500, INPUT_STREAM = 99 };
enum { MOST_OUTPUTS = 1 + HG_UPDATE_ASSIGNMENTS * MOST_PARAMETERS + HG_MOST_UPDATES };

/* ---- Numbers to start from ----------------------------------------------------------------------------- */

/* Weights by Xavier's rule, everything else 0. */
static void fill_parameter(hg_tensor *parameter, int64_t stream)
{
    const hg_shape *shape = hg_tensor_shape(parameter);
    const int64_t count = hg_shape_count(shape, 1);
    float *at = hg_data(parameter);
    double limit = 0;
    if (shape->rank > 1) {
        const int64_t taps = count / (shape->dim[0] * shape->dim[1]);
        limit = sqrt(6.0 / (double)(taps * (shape->dim[0] + shape->dim[1])));
    }
    for (int64_t i = 0; i < count; i++)
        at[i] = (float)(limit * (2 * hg_hashed(i, stream) - 1));
}

void hg_fill_parameters(hg_graph *graph)
{
    for (size_t i = 0; hg_graph_parameter(graph, i) != NULL; i++)
        fill_parameter(hg_graph_parameter(graph, i), (int64_t)i);
}

/* Sample b's number i, from [0, 1). */
static float input(int64_t b, int64_t i, int64_t features)
{
    return (float)hg_hashed(b * features + i, INPUT_STREAM);
}

static void fill_input(hg_plan *plan, const hg_tensor *x, int64_t batch)
{
    float *at = hg_plan_data(plan, x);
    const int64_t features = hg_shape_count(hg_tensor_shape(x), 1);
    for (int64_t i = 0; i < features; i++)
        for (int64_t b = 0; b < batch; b++)
            at[i * batch + b] = input(b, i, features);
}

/* ---- Training ------------------------------------------------------------------------------------------ */

static hg_status fail(job *j)
{
    return hg_fail(&j->error, hg_graph_status(j->graph), "%s", hg_graph_error(j->graph));
}

static hg_status train(job *j)
{
    hg_status status = hg_updates_prepare(j->updates, j->plan, ++j->step);
    if (status == HG_OK && hg_plan_data(j->plan, j->parts.step) != NULL)
        *(int64_t *)hg_plan_data(j->plan, j->parts.step) = j->step;
    return status == HG_OK ? hg_run(j->plan) : status;
}

static double loss(const job *j) { return *(float *)hg_plan_data(j->plan, j->parts.loss); }

/* The loss, and all that a step assigns. */
static int collect_outputs(const job *j, hg_tensor *output[MOST_OUTPUTS])
{
    int outputs = 0, assignments;
    hg_tensor *const *assignment = hg_updates_outputs(j->updates, &assignments);
    output[outputs++] = j->parts.loss;
    for (int i = 0; i < assignments; i++)
        output[outputs++] = assignment[i];
    for (int i = 0; i < j->parts.updates.count; i++)
        output[outputs++] = j->parts.updates.assignment[i];
    return outputs;
}

static hg_status build_step(job *j)
{
    hg_tensor *parameter[MOST_PARAMETERS], *gradient[MOST_PARAMETERS];
    int parameters = 0;
    if (hg_autoencoder_build(hg_workload_declaration(j->workload), j->graph, HG_TRAINING, &j->parts) != HG_OK)
        return fail(j);
    for (; hg_graph_parameter(j->graph, (size_t)parameters) != NULL; parameters++)
        parameter[parameters] = hg_graph_parameter(j->graph, (size_t)parameters);
    hg_fill_parameters(j->graph);
    hg_grad(j->parts.objective, parameters, parameter, gradient);
    j->updates = hg_updates_new((hg_optimizer){ 0 }, NULL, parameters, parameter, gradient);
    return j->updates == NULL ? fail(j) : HG_OK;
}

hg_status hg_open_training(job *j, bool quick)
{
    hg_tensor *output[MOST_OUTPUTS];
    (void)quick;
    j->graph = hg_graph_new(HG_F32);
    if (build_step(j) != HG_OK)
        return j->error.status;
    j->plan = hg_plan_new(j->graph, collect_outputs(j, output), output,
                          &(hg_plan_options){ .batch = j->workload->batch });
    if (j->plan == NULL)
        return fail(j);
    fill_input(j->plan, j->parts.input, j->workload->batch);
    j->samples = j->workload->batch;
    j->run = train;
    j->check = loss;
    return HG_OK;
}

/* ---- Encoding many images ------------------------------------------------------------------------------ */

static hg_status encode(job *j)
{
    hg_status status = hg_model_encode(j->model, j->data, 0, j->samples, j->codes);
    return status == HG_OK ? HG_OK : hg_fail(&j->error, status, "%s", hg_model_error(j->model));
}

static double mean_code(const job *j)
{
    const int64_t count = j->samples * hg_model_code_size(j->model);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += fabs(j->codes[i]);
    return sum / (double)count;
}

static hg_dataset *make_images(const hg_model *model, int64_t count)
{
    const int64_t features = hg_model_input_size(model);
    hg_shape shape = *hg_tensor_shape(hg_model_parts(model)->input);
    float *values = malloc((size_t)(count * features) * sizeof *values);
    if (values == NULL)
        return NULL;
    for (int64_t i = 0; i < count * features; i++)
        values[i] = input(i / features, i % features, features);
    shape.rank--;
    hg_dataset *images = hg_dataset_new(&shape, count, HG_F32, values, NULL);
    free(values);
    return images;
}

hg_status hg_open_encoding(job *j, bool quick)
{
    j->samples = quick ? ENCODED_QUICKLY : ENCODED;
    j->model = hg_model_new(hg_workload_declaration(j->workload), HG_F32, 1);
    if (hg_model_status(j->model) != HG_OK)
        return hg_fail(&j->error, hg_model_status(j->model), "%s", hg_model_error(j->model));
    hg_fill_parameters(hg_model_graph(j->model));
    j->data = make_images(j->model, j->samples);
    j->codes = malloc((size_t)(j->samples * hg_model_code_size(j->model)) * sizeof *j->codes);
    if (hg_dataset_status(j->data) != HG_OK || j->codes == NULL)
        return hg_fail(&j->error, HG_OUT_OF_MEMORY, "out of memory: %lld images", (long long)j->samples);
    j->run = encode;
    j->check = mean_code;
    return HG_OK;
}

/* ---- Encoding one image -------------------------------------------------------------------------------- */

static hg_status encode_one(job *j)
{
    const int64_t features = hg_shape_count(hg_tensor_shape(j->parts.input), 1);
    memcpy(hg_plan_data(j->plan, j->parts.input), j->image, (size_t)features * sizeof *j->image);
    return hg_run(j->plan);
}

static double mean_code_of_one(const job *j)
{
    const int64_t count = hg_shape_count(hg_tensor_shape(j->parts.code), 1);
    const float *code = hg_plan_data(j->plan, j->parts.code);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += fabs(code[i]);
    return sum / (double)count;
}

static float *make_image(const job *j)
{
    const int64_t features = hg_shape_count(hg_tensor_shape(j->parts.input), 1);
    float *image = malloc((size_t)features * sizeof *image);
    for (int64_t i = 0; image != NULL && i < features; i++)
        image[i] = input(0, i, features);
    return image;
}

hg_status hg_open_latency(job *j, bool quick)
{
    (void)quick;
    j->graph = hg_graph_new(HG_F32);
    const hg_autoencoder *declaration = hg_workload_declaration(j->workload);
    if (hg_autoencoder_build(declaration, j->graph, HG_EVALUATION, &j->parts) != HG_OK)
        return fail(j);
    hg_fill_parameters(j->graph);
    j->plan = hg_plan_new(j->graph, 1, &j->parts.code, &(hg_plan_options){ .batch = 1 });
    if (j->plan == NULL)
        return fail(j);
    j->image = make_image(j);
    if (j->image == NULL)
        return hg_fail(&j->error, HG_OUT_OF_MEMORY, "out of memory: an image");
    j->samples = 1;
    j->run = encode_one;
    j->check = mean_code_of_one;
    return HG_OK;
}

/* ---- All of them --------------------------------------------------------------------------------------- */

void hg_job_free(job *j)
{
    hg_plan_free(j->plan);
    hg_updates_free(j->updates);
    hg_graph_free(j->graph);
    hg_model_free(j->model);
    hg_dataset_free(j->data);
    free(j->codes);
    free(j->image);
    *j = (job){ 0 };
}

static size_t stored_bytes(const hg_graph *graph)
{
    size_t bytes = 0;
    const hg_tensor *t;
    for (size_t i = 0; (t = hg_graph_stored(graph, i)) != NULL; i++)
        bytes += (size_t)hg_shape_count(hg_tensor_shape(t), 1) * hg_dtype_size(hg_tensor_dtype(t));
    return bytes;
}

void hg_job_facts(const job *j, json_t *row)
{
    const hg_graph *graph = j->graph != NULL ? j->graph : hg_model_graph(j->model);
    json_object_set_new(row, "stored_bytes", json_integer((json_int_t)stored_bytes(graph)));
    json_object_set_new(row, "samples", json_integer(j->samples));
    if (j->plan == NULL)
        return;
    const hg_plan_facts facts = hg_plan_describe(j->plan);
    json_object_set_new(row, "flops", json_real(facts.flops));
    json_object_set_new(row, "arena_bytes", json_integer((json_int_t)facts.arena_bytes));
    json_object_set_new(row, "tensor_bytes", json_integer((json_int_t)facts.tensor_bytes));
    json_object_set_new(row, "plan_threads", json_integer(facts.threads));
}
