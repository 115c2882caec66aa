/* hourglass reconstruct: what a model makes of data, as numbers or as a picture. */
#include "cli.h"

#include <stdlib.h>

typedef struct options {
    const char *data, *out;
    int64_t     count, threads;
} options;

enum { PICTURES = 20 };

/* From columns of doubles to samples, one after the other, of f32. */
static float *samples_first(const double *columns, int64_t size, int64_t count)
{
    float *samples = malloc((size_t)(size * count) * sizeof *samples);
    for (int64_t i = 0; i < count && samples != NULL; i++)
        for (int64_t j = 0; j < size; j++)
            samples[i * size + j] = (float)columns[j * count + i];
    return samples;
}

static hg_shape array_shape(const hg_model *model, int64_t count)
{
    const hg_shape *input = hg_tensor_shape(hg_model_parts(model)->input);
    hg_shape shape = { .rank = input->rank, .dim = { count } };
    for (int i = 1; i < input->rank; i++)
        shape.dim[i] = input->dim[i - 1];
    return shape;
}

static int write_array(hg_model *model, const hg_dataset *data, int64_t count, const char *path)
{
    hg_error error = { 0 };
    int status = HG_EXIT_FAILURE;
    int64_t size = hg_model_input_size(model);
    double *columns = malloc((size_t)(size * count) * sizeof *columns);
    float *samples = NULL;
    if (columns == NULL) {
        hg_complain("out of memory: %lld reconstructions", (long long)count);
        goto done;
    }
    if (hg_model_reconstruct(model, data, 0, count, columns) != HG_OK) {
        hg_complain("%s", hg_model_error(model));
        goto done;
    }
    samples = samples_first(columns, size, count);
    if (samples == NULL)
        hg_complain("out of memory: %lld reconstructions", (long long)count);
    else if (hg_npy_write(path, &(hg_npy){ HG_ELEMENT_F32, array_shape(model, count), samples }, &error) != HG_OK)
        hg_complain("%s", error.text);
    else
        status = 0;
done:
    free(samples);
    free(columns);
    return status;
}

static int write_out(hg_model *model, const hg_dataset *data, const options *o)
{
    bool picture = hg_ends_with(o->out, ".png");
    int64_t all = hg_dataset_count(data), count = o->count > 0 ? o->count : picture && all > PICTURES ? PICTURES : all;
    if (count > all)
        return hg_complain("--count is %lld, but the data have %lld samples", (long long)count, (long long)all);
    hg_model_set_threads(model, (int)o->threads);
    return (picture ? hg_draw_reconstructions : write_array)(model, data, count, o->out);
}

static int run(char *const positional[], const void *given)
{
    const options *o = given;
    if (o->data == NULL || o->out == NULL)
        return hg_complain("reconstruct: --%s is missing", o->data == NULL ? "data" : "out"), HG_EXIT_USAGE;
    if (!hg_ends_with(o->out, ".npy") && !hg_ends_with(o->out, ".png"))
        return hg_complain("--out must end with .npy or .png, not be \"%s\"", o->out), HG_EXIT_USAGE;
    hg_model *model = hg_open_run(positional[0]);
    hg_dataset *data = model == NULL ? NULL : hg_open_data(o->data);
    int status = data == NULL ? HG_EXIT_FAILURE : write_out(model, data, o);
    hg_dataset_free(data);
    hg_model_free(model);
    return status;
}

const hg_command hg_reconstruct_command = {
    .name = "reconstruct",
    .arguments = "RUN",
    .summary = "writes what a trained model makes of data",
    .details = "RUN is a run directory or a model file. A .npy file holds the reconstructions, samples first, as f32; a .png\n"
               "file shows the first samples, originals above reconstructions.\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "data", 'd', HG_OPTION_TEXT, offsetof(options, data), NULL, "SPEC",
          "data: digits, digits:count=N,seed=S, or an IDX file" },
        { "out", 'o', HG_OPTION_TEXT, offsetof(options, out), NULL, "FILE", "file to write, .npy or .png" },
        { "count", 'n', HG_OPTION_INT, offsetof(options, count), "[1, inf)", "N",
          "the first N samples (all; 20 for .png)" },
        { "threads", 't', HG_OPTION_INT, offsetof(options, threads), "[1, 1024]", "N",
          "threads (all processors)" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
