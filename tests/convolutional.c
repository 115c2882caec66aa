/* Autoencoders of convolutional layers: refusals, gradients, training, states, files. */
#include "autoencoders.h"

#include <hourglass/io.h>

#include <math.h>

/* ---- Declarations that cannot be built -------------------------------------------------------------------- */

/* clang-format off */
#define BACK HG_DENSE(784)
#define WITH(...) { .name = "a", .input = { 1, 28, 28 }, .encoder = { __VA_ARGS__ }, .decoder = { BACK } }
#define BACK_BY(...) { .name = "a", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(32) }, .decoder = { __VA_ARGS__ } }

static const hg_autoencoder
    uncorrected = { .name = "uncorrected", .input = { 1, 28, 28 },
                    .encoder = { HG_CONV2D(16, .kernel = 3, .stride = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                                 HG_CONV2D(8, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2, .stride = 1) },
                    .decoder = { HG_CONV_TRANSPOSE2D(16, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu),
                                 HG_CONV_TRANSPOSE2D(8, .kernel = 5, .stride = 3, .pad = 1, .act = hg_relu),
                                 HG_CONV_TRANSPOSE2D(1, .kernel = 2, .stride = 2, .pad = 1, .act = hg_tanh) } },
    large_kernel = WITH(HG_CONV2D(4, .kernel = 5, .stride = 8), HG_CONV2D(4, .kernel = 7, .pad = 1)),
    large_pool = WITH(HG_CONV2D(4, .kernel = 5, .stride = 8), HG_MAX_POOL2D(5)),
    negative_stride = WITH(HG_CONV2D(4, .kernel = 3, .stride = -1)),
    negative_pad = WITH(HG_MAX_POOL2D(3, .pad_hw = { 1, -1 })),
    bad_groups = WITH(HG_CONV2D(6, .kernel = 3), HG_CONV2D(9, .kernel = 3, .groups = 2)),
    no_kernel = WITH(HG_CONV2D(6)),
    two_kernels = WITH(HG_CONV2D(6, .kernel = 3, .kernel_hw = { 3, 3 })),
    two_strides = WITH(HG_CONV2D(6, .kernel = 3, .stride = 2, .stride_hw = { 2, 1 })),
    no_window = WITH(HG_AVG_POOL2D(0)),
    no_factor = WITH(HG_UPSAMPLE2D(0)),
    vector_to_conv = WITH(HG_DENSE(30), HG_CONV2D(6, .kernel = 3)),
    image_to_signal = WITH(HG_CONV1D(6, .kernel = 3)),
    pairs_of_signal = { .name = "a", .input = { 1, 28 }, .encoder = { HG_CONV1D(6, .kernel_hw = { 3, 3 }) }, .decoder = { HG_DENSE(28) } },
    bad_reshape = BACK_BY(HG_RESHAPE(8, 2, 3), BACK),
    bad_reshape_again = BACK_BY(HG_RESHAPE(5, 7), BACK),
    huge_reshape = BACK_BY(HG_RESHAPE(1LL << 40, 1LL << 40), BACK),
    shapeless = BACK_BY(HG_RESHAPE(0), BACK),
    bad_size = BACK_BY(HG_RESHAPE(2, 4, 4), HG_CONV_TRANSPOSE2D(1, .kernel = 3, .stride = 2, .pad = 1, .size = 9)),
    wrong_size = BACK_BY(HG_RESHAPE(2, 4, 4), HG_CONV_TRANSPOSE2D(1, .kernel = 4, .stride = 4)),
    nothing_to_undo = BACK_BY(HG_RESHAPE(2, 4, 4), HG_MAX_UNPOOL2D),
    other_to_undo = { .name = "a", .input = { 1, 28, 28 }, .encoder = { HG_MAX_POOL2D(2), HG_CONV2D(4, .kernel = 3) },
                      .decoder = { HG_MAX_UNPOOL2D } },
    all_dropped = WITH(HG_DROPOUT(1)),
    no_rate = WITH(HG_DROPOUT(0));

static const struct {
    const hg_autoencoder *declaration;
    const char           *const words[7];
} refusals[] = {
    { &uncorrected, { "decoder layer 3 (conv_transpose2d)", "1x16x16", "1x28x28", "16x3x3, 8x9x9, 1x16x16" } },
    { &large_kernel, { "encoder layer 2 (conv2d)", "4x3x3", "4x4x7x7", "7", "padded input", "would fit" } },
    { &large_pool, { "encoder layer 2 (max_pool2d)", "4x3x3", "window", "3 or less" } },
    { &negative_stride, { "encoder layer 1 (conv2d)", "stride is -1", "[1, inf)" } },
    { &negative_pad, { "encoder layer 1 (max_pool2d)", "pad_hw is 1x-1", "[0, inf)" } },
    { &bad_groups, { "encoder layer 2 (conv2d)", "2 groups", "6 channels", "6x26x26", "9", "3 or a divisor" } },
    { &no_kernel, { "encoder layer 1 (conv2d)", "kernel or kernel_hw" } },
    { &two_kernels, { "encoder layer 1 (conv2d)", "either kernel or kernel_hw" } },
    { &two_strides, { "encoder layer 1 (conv2d)", "`stride` and `stride_hw`" } },
    { &no_window, { "encoder layer 1 (avg_pool2d)", "size or size_hw" } },
    { &no_factor, { "encoder layer 1 (upsample2d)", "factor", "size" } },
    { &vector_to_conv, { "encoder layer 2 (conv2d)", "30", "channels x height x width", "reshape" } },
    { &image_to_signal, { "encoder layer 1 (conv1d)", "1x28x28", "channels x length" } },
    { &pairs_of_signal, { "encoder layer 1 (conv1d)", "kernel must be given" } },
    { &bad_reshape, { "decoder layer 1 (reshape)", "32 numbers", "8x2x3", "48", "8x2x2 would fit" } },
    { &huge_reshape, { "decoder layer 1 (reshape)", "32 numbers", "more than can be counted" } },
    { &bad_reshape_again, { "decoder layer 1 (reshape)", "5x7", "35", "32 would fit" } },
    { &shapeless, { "decoder layer 1 (reshape)", "shape must be given" } },
    { &bad_size, { "decoder layer 2 (conv_transpose2d)", "2x4x4", "9", "7 to 8 would fit" } },
    { &wrong_size, { "decoder layer 2 (conv_transpose2d)", "1x16x16", "1x28x28", "2x4x4, 1x16x16" } },
    { &nothing_to_undo, { "decoder layer 2 (max_unpool2d)", "no max pool" } },
    { &other_to_undo, { "decoder layer 1 (max_unpool2d)", "4x12x12", "1x14x14" } },
    { &all_dropped, { "encoder layer 1 (dropout)", "rate is 1", "(0, 1)" } },
    { &no_rate, { "encoder layer 1 (dropout)", "rate is 0", "(0, 1)" } },
};
/* clang-format on */

static void wrong_layers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        hg_model *model = hg_model_new(refusals[i].declaration, HG_F32, 1);
        assert_int_not_equal(hg_model_status(model), HG_OK);
        assert_words(hg_model_error(model), refusals[i].words);
        hg_model_free(model);
    }
}

#define LAYER(text) "{\"name\": \"a\", \"input\": [1, 8, 8], \"decoder\": [\"flatten\"], \"encoder\": [" text "]}"

static void wrong_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *const words[4];
    } texts[] = {
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel\": 3, \"stride\": 0}"), { "encoder layer 1 (conv2d)", "stride is 0" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel\": 3, \"pad\": -1}"), { "encoder layer 1 (conv2d)", "pad is -1" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel\": 0}"), { "kernel is 0", "[1, inf)" } },
        { LAYER("{\"kind\": \"conv2d\", \"kernel\": 2}"), { "channels is 0", "[1, inf)" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel\": 3, \"groups\": 0}"), { "groups is 0" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel_hw\": [3, 0]}"), { "kernel_hw", "[1, inf)" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel_hw\": [3]}"), { "kernel_hw", "array of two integers" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel_hw\": [3, 2.5]}"), { "kernel_hw", "array of two integers" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel_hw\": 3}"), { "kernel_hw", "array of two integers" } },
        { LAYER("{\"kind\": \"conv1d\", \"channels\": 2, \"kernel_hw\": [3, 3]}"), { "\"kernel_hw\" is not a field of conv1d" } },
        { LAYER("{\"kind\": \"conv2d\", \"channels\": 2, \"kernel\": 3, \"size\": 3}"), { "\"size\" is not a field of conv2d" } },
        { LAYER("{\"kind\": \"reshape\", \"shape\": []}"), { "shape", "array" } },
        { LAYER("{\"kind\": \"reshape\", \"shape\": [8, -8]}"), { "shape", "[1, inf)" } },
        { LAYER("{\"kind\": \"reshape\"}"), { "encoder layer 1 (reshape)", "shape must be given" } },
        { LAYER("{\"kind\": \"upsample2d\", \"factor\": 2, \"by\": \"cubic\"}"), { "by", "nearest, bilinear", "\"cubic\"" } },
        { LAYER("{\"kind\": \"upsample2d\", \"factor\": 2, \"by\": 1}"), { "by", "a name", "an integer" } },
        { LAYER("{\"kind\": \"batch_norm\", \"momentum\": 0}"), { "momentum is 0", "(0, 1]" } },
        { LAYER("{\"kind\": \"max_unpool2d\", \"size\": 2}"), { "\"size\" is not a field", "none" } },
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        hg_error error = { 0 };
        assert_null(hg_autoencoder_from_json(texts[i].text, "FILE", &error));
        assert_int_equal(error.status, HG_BAD_FILE);
        assert_words(error.text, texts[i].words);
    }
}

/* ---- Gradients ------------------------------------------------------------------------------------------- */

/* clang-format off */
static const hg_autoencoder
    smooth = { .name = "smooth", .input = { 2, 6, 5 },
               .encoder = { HG_CONV2D(3, .kernel = 3, .pad = 1, .stride = 2, .act = hg_tanh), HG_BATCH_NORM(hg_softplus),
                            HG_AVG_POOL2D(2, .stride = 1), HG_DROPOUT(0.25), HG_FLATTEN, HG_DENSE(4), HG_LAYER_NORM(hg_sigmoid) },
               .decoder = { HG_DENSE(12, .act = hg_tanh), HG_RESHAPE(3, 2, 2), HG_UPSAMPLE2D(0, .size_hw = { 3, 3 }, .by = HG_BILINEAR),
                            HG_CONV_TRANSPOSE2D(2, .kernel = 3, .stride = 2, .pad = 1, .size_hw = { 6, 5 }, .act = hg_tanh) } },
    pooled = { .name = "pooled", .input = { 1, 8, 6 },
               .encoder = { HG_CONV2D(2, .kernel = 3, .pad = 1, .act = hg_softplus), HG_MAX_POOL2D(2),
                            HG_CONV2D(4, .kernel = 3, .pad = 1, .groups = 2), HG_MAX_POOL2D(2, .stride = 1), HG_CONV2D(3, .kernel = 1) },
               .decoder = { HG_CONV2D(4, .kernel = 1), HG_MAX_UNPOOL2D, HG_CONV_TRANSPOSE2D(2, .kernel = 3, .pad = 1), HG_MAX_UNPOOL2D,
                            HG_CONV_TRANSPOSE2D(1, .kernel = 3, .pad = 1) },
               .penalties = { HG_WEIGHT_DECAY(0.01) } },
    signals = { .name = "signals", .input = { 1, 16 },
                .encoder = { HG_CONV1D(3, .kernel = 4, .stride = 2, .pad = 1, .act = hg_tanh), HG_BATCH_NORM(NULL), HG_MAX_POOL1D(2),
                             HG_AVG_POOL1D(2) },
                .decoder = { HG_UPSAMPLE1D(2), HG_MAX_UNPOOL1D, HG_CONV_TRANSPOSE1D(1, .kernel = 3, .stride = 2, .pad = 1) } };
/* clang-format on */

enum { MOST_PARAMETERS = 16 };

static void gradients_of_whole_trainings(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &smooth, &pooled, &signals };
    for (size_t d = 0; d < COUNT(declarations); d++) {
        hg_parts parts;
        hg_check_report report;
        hg_tensor *wrt[MOST_PARAMETERS];
        int count = 0;
        hg_graph *graph = hg_graph_new(HG_F64);
        hg_graph_set_seed(graph, 4);
        hg_autoencoder_build(declarations[d], graph, HG_TRAINING, &parts);
        assert_string_equal(hg_graph_error(graph), "");
        while ((wrt[count] = hg_graph_parameter(graph, (size_t)count)) != NULL)
            count++;
        hg_status status = hg_gradcheck(parts.objective, count, wrt, &(hg_check_options){ .order = 2, .seed = 3 }, &report);
        if (status != HG_OK)
            fail_msg("%s: %s", declarations[d]->name, report.text);
        hg_graph_free(graph);
    }
}

/* ---- Sizes ----------------------------------------------------------------------------------------------- */

static hg_shape sample_shape(const hg_tensor *x)
{
    hg_shape shape = *hg_tensor_shape(x);
    shape.rank--;
    return shape;
}

/* clang-format off */
static const hg_autoencoder
    halving = { .name = "halving", .input = { 1, 8, 10 }, .encoder = { HG_CONV2D(2, .kernel = 3, .stride = 2, .pad = 1) },
                .decoder = { HG_CONV_TRANSPOSE2D(1, .kernel = 3, .stride = 2, .pad = 1) } },
    halving_signals = { .name = "halving", .input = { 1, 8 }, .encoder = { HG_CONV1D(2, .kernel = 3, .stride = 2, .pad = 1) },
                        .decoder = { HG_CONV_TRANSPOSE1D(1, .kernel = 3, .stride = 2, .pad = 1) } },
    mirrored = { .name = "mirrored", .input = { 2, 9, 8 },
                 .encoder = { HG_CONV2D(4, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_BATCH_NORM(NULL), HG_MAX_POOL2D(2, .stride = 1),
                              HG_CONV2D(6, .kernel = 2, .groups = 2, .act = hg_tanh), HG_DROPOUT(0.1), HG_FLATTEN, HG_LAYER_NORM(NULL),
                              HG_RESHAPE(3, 12), HG_AVG_POOL1D(2), HG_CONV1D(5, .kernel = 3, .pad = 1), HG_DENSE(7) },
                 .decoder = HG_MIRROR },
    mirrored_back = { .name = "mirrored", .input = { 2, 5, 4 }, .encoder = { HG_CONV_TRANSPOSE2D(3, .kernel = 2), HG_GLOBAL_AVG_POOL2D },
                      .decoder = HG_MIRROR },
    tied = { .name = "tied", .input = { 2, 9, 8 },
             .encoder = { HG_CONV2D(4, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_CONV2D(3, .kernel = 2) },
             .decoder = HG_MIRROR, .tied = true };
/* clang-format on */

/* What a stride leaves open, the last layer takes from the input; mirrors lead back to it; both again from JSON. */
static void decoders_find_back_to_the_input(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &halving, &halving_signals, &mirrored, &mirrored_back, &tied, &smooth, &pooled,
                                                          &signals };
    for (size_t d = 0; d < COUNT(declarations); d++) {
        hg_error error = { 0 };
        char *text = hg_autoencoder_to_json(declarations[d], 0);
        hg_autoencoder *read = hg_autoencoder_from_json(text, "here", &error);
        hg_model *model = hg_model_new(declarations[d], HG_F32, 1), *again = hg_model_new(read, HG_F32, 1);
        assert_string_equal(hg_model_error(model), "");
        assert_string_equal(hg_model_error(again), "");
        const hg_parts *parts = hg_model_parts(model);
        hg_shape output = sample_shape(parts->reconstruction), input = sample_shape(parts->input);
        assert_true(hg_shape_equal(&output, &input));
        hg_model_free(model);
        hg_model_free(again);
        hg_autoencoder_free(read);
        free(text);
    }
    hg_model *model = hg_model_new(&tied, HG_F32, 1);
    assert_null(hg_graph_find(hg_model_graph(model), "decoder/1/weight"));
    hg_model_free(model);
}

/* ---- Training -------------------------------------------------------------------------------------------- */

/* Waves of 7 frequencies and phases. */
static hg_dataset *make_waves(const hg_shape *shape, int64_t count)
{
    const int64_t size = hg_shape_count(shape, 1);
    double *values = malloc((size_t)(count * size) * sizeof *values);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < size; j++)
            values[i * size + j] = 0.5 + 0.4 * sin((0.03 + 0.02 * (double)(i % 7)) * (double)j + (double)(i % 7));
    hg_dataset *data = hg_dataset_new(shape, count, HG_F64, values, NULL);
    free(values);
    assert_string_equal(hg_dataset_error(data), "");
    return data;
}

static void training_lowers_the_loss(void **state)
{
    (void)state;
    enum { SAMPLES = 28 };
    static const char *const names[] = { "convolutional", "convolutional-deep", "convolutional-deep-colour", "signal" };
    for (size_t i = 0; i < COUNT(names); i++) {
        hg_model *model = hg_model_new(hg_autoencoder_find(names[i]), HG_F32, 1);
        assert_string_equal(hg_model_error(model), "");
        hg_shape shape = sample_shape(hg_model_parts(model)->input);
        hg_dataset *data = make_waves(&shape, SAMPLES);
        double before, after;
        assert_int_equal(hg_model_loss(model, data, NULL, SAMPLES, &before), HG_OK);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 12, .batch = 14, .optimizer = HG_ADAM(.rate = 0.003) }), HG_OK);
        assert_int_equal(hg_model_loss(model, data, NULL, SAMPLES, &after), HG_OK);
        if (!(after < 0.8 * before))
            fail_msg("%s: %g, then %g", names[i], before, after);
        hg_model_free(model);
        hg_dataset_free(data);
    }
}

static hg_model *train(const hg_autoencoder *declaration, const hg_dataset *data, const hg_training *training)
{
    hg_model *model = hg_model_new(declaration, HG_F32, 3);
    hg_train(model, data, training);
    assert_string_equal(hg_model_error(model), "");
    return model;
}

static unsigned char *file_of(hg_model *model, size_t *size)
{
    assert_int_equal(hg_model_save(model, in_scratch("model")), HG_OK);
    return read_bytes(in_scratch("model"), size);
}

/* Dropout's masks and running moments too. */
static void files_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &smooth, &pooled, &signals, NULL };
    for (size_t d = 0; d < COUNT(declarations); d++) {
        const hg_autoencoder *declaration = declarations[d] != NULL ? declarations[d] : hg_autoencoder_find("convolutional-deep");
        hg_shape shape = { 0 };
        while (declaration->input[shape.rank] != 0) {
            shape.dim[shape.rank] = declaration->input[shape.rank];
            shape.rank++;
        }
        hg_dataset *data = make_waves(&shape, 37);
        unsigned char *first = NULL;
        size_t size, size_again;
        for (int threads = 1; threads <= 4; threads *= 2) {
            hg_model *model = train(declaration, data, &(hg_training){ .epochs = 2, .batch = 17, .threads = threads });
            unsigned char *bytes = file_of(model, threads == 1 ? &size : &size_again);
            if (threads > 1) {
                assert_int_equal(size, size_again);
                assert_memory_equal(bytes, first, size);
                free(bytes);
            } else {
                first = bytes;
            }
            hg_model_free(model);
        }
        free(first);
        hg_dataset_free(data);
    }
}

/* ---- States ---------------------------------------------------------------------------------------------- */

static const char *const names_of_states[] = { "encoder/2/mean", "encoder/2/variance" };

static void read_states(const hg_model *model, double states[2][3])
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(hg_read(hg_graph_find(hg_model_graph(model), names_of_states[i]), states[i], 3), HG_OK);
}

static void states_are_trained_saved_and_opened(void **state)
{
    (void)state;
    double states[2][3], again[2][3], y[2][60 * 5];
    hg_dataset *data = make_waves(&HG_SHAPE(2, 6, 5), 40);
    hg_model *model = train(&smooth, data, &(hg_training){ .epochs = 2, .batch = 8 });
    read_states(model, states);
    for (int c = 0; c < 3; c++)
        assert_true(states[0][c] != 0 && states[1][c] != 1);
    assert_int_equal(hg_model_save(model, in_scratch("states")), HG_OK);
    hg_model *opened = hg_model_open(in_scratch("states"), NULL);
    assert_string_equal(hg_model_error(opened), "");
    read_states(opened, again);
    assert_memory_equal(states, again, sizeof states);
    assert_int_equal(hg_model_reconstruct(model, data, 0, 5, y[0]), HG_OK);
    assert_int_equal(hg_model_reconstruct(opened, data, 0, 5, y[1]), HG_OK);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    /* A training goes on from the states. */
    assert_int_equal(hg_train(opened, data, &(hg_training){ .epochs = 1, .batch = 40, .optimizer = HG_SGD(.rate = 1e-12) }), HG_OK);
    double moved[2][3];
    read_states(opened, moved);
    for (int c = 0; c < 3; c++)
        assert_true(fabs(moved[0][c] - states[0][c]) < 0.2 * fabs(states[0][c]) + 0.05);
    hg_model_free(model);
    hg_model_free(opened);
    hg_dataset_free(data);
}

static void missing_states_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = { "hourglass.autoencoder", "hourglass.dtype", "hourglass.seed" };
    hg_error error = { 0 };
    hg_safetensors_entry entry[32];
    hg_safetensors_text text[COUNT(keys)];
    size_t entries = 0;
    hg_model *model = hg_model_new(&smooth, HG_F32, 1);
    assert_int_equal(hg_model_save(model, in_scratch("whole")), HG_OK);
    hg_safetensors *whole = hg_safetensors_open(in_scratch("whole"), &error);
    for (size_t i = 0; i < hg_safetensors_count(whole); i++)
        if (strcmp(hg_safetensors_at(whole, i)->name, names_of_states[1]) != 0)
            entry[entries++] = *hg_safetensors_at(whole, i);
    assert_int_equal(entries, hg_safetensors_count(whole) - 1);
    for (size_t i = 0; i < COUNT(keys); i++)
        text[i] = (hg_safetensors_text){ keys[i], hg_safetensors_metadata(whole, keys[i]) };
    assert_int_equal(hg_safetensors_write(in_scratch("part"), entries, entry, COUNT(text), text, &error), HG_OK);
    hg_model *opened = hg_model_open(in_scratch("part"), NULL);
    assert_int_equal(hg_model_status(opened), HG_BAD_FILE);
    assert_words(hg_model_error(opened), (const char *const[]){ "part", "\"encoder/2/variance\"", "missing", NULL });
    hg_model_free(opened);
    hg_model_free(model);
    hg_safetensors_free(whole);
}

typedef struct history {
    double  loss[32];
    int64_t epochs;
} history;

static void note_loss(const hg_report *report, void *to)
{
    history *h = to;
    if (report->epoch_done)
        h->loss[h->epochs++] = report->valid_loss;
}

/* Early stopping goes back to the states of the best epoch, not only to the parameters. */
static void best_states_are_kept(void **state)
{
    (void)state;
    history h = { .epochs = 0 };
    int64_t best = 0;
    size_t size, size_again;
    hg_dataset *data = make_waves(&HG_SHAPE(2, 6, 5), 40), *valid = make_waves(&HG_SHAPE(2, 6, 5), 10);
    hg_training training = { .epochs = 30, .batch = 8, .valid = valid, .patience = 2, .optimizer = HG_ADAM(.rate = 0.08),
                             .progress = note_loss, .progress_to = &h };
    hg_model *stopped = train(&smooth, data, &training);
    for (int64_t i = 1; i < h.epochs; i++)
        best = h.loss[i] < h.loss[best] ? i : best;
    assert_true(best + 1 < h.epochs);
    training = (hg_training){ .epochs = best + 1, .batch = 8, .optimizer = HG_ADAM(.rate = 0.08) };
    hg_model *short_one = train(&smooth, data, &training);
    unsigned char *bytes = file_of(stopped, &size), *again = file_of(short_one, &size_again);
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    free(bytes);
    free(again);
    hg_model_free(stopped);
    hg_model_free(short_one);
    hg_dataset_free(data);
    hg_dataset_free(valid);
}

/* A decoder that undoes pools cannot work from the code alone. */
static void unpooling_needs_the_input(void **state)
{
    (void)state;
    double codes[3 * 3 * 2 * 4], samples[48 * 4];
    hg_dataset *data = make_waves(&HG_SHAPE(1, 8, 6), 4);
    hg_model *model = hg_model_new(&pooled, HG_F32, 1);
    assert_int_equal(hg_model_encode(model, data, 0, 4, codes), HG_OK);
    assert_int_equal(hg_model_reconstruct(model, data, 0, 4, samples), HG_OK);
    assert_int_equal(hg_model_decode(model, codes, 4, samples), HG_BAD_ARGUMENT);
    assert_words(hg_model_error(model), (const char *const[]){ "\"pooled\"", "input", "max pools", NULL });
    hg_model_free(model);
    hg_dataset_free(data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_layers_are_refused),
        cmocka_unit_test(wrong_json_is_refused),
        cmocka_unit_test(gradients_of_whole_trainings),
        cmocka_unit_test(decoders_find_back_to_the_input),
        cmocka_unit_test(training_lowers_the_loss),
        cmocka_unit_test(files_do_not_depend_on_threads),
        cmocka_unit_test(states_are_trained_saved_and_opened),
        cmocka_unit_test(missing_states_are_refused),
        cmocka_unit_test(best_states_are_kept),
        cmocka_unit_test(unpooling_needs_the_input),
    };
    return cmocka_run_group_tests_name("convolutional", tests, make_scratch, remove_scratch);
}
