/* Layers, one at a time: shapes, parameters, what each sees, JSON, modes, refusals. */
#include "autoencoders.h"

#include <math.h>

/* ---- One layer in a graph -------------------------------------------------------------------------------- */

typedef struct bench {
    hg_graph        *graph;
    hg_tensor       *x, *y, *step;
    hg_state_updates updates;
    hg_pools         pools;
    hg_terms         terms;
} bench;

static hg_tensor *apply_to(bench *b, hg_layer layer, hg_tensor *x, hg_mode mode)
{
    _Alignas(max_align_t) char spec[HG_SPEC_BYTES];
    hg_error error = { 0 };
    const hg_layer_context context = { .place = "layer", .step = b->step, .mode = mode, .updates = &b->updates,
                                       .pools = &b->pools, .terms = &b->terms };
    assert_int_equal(hg_spec_resolve(&layer.kind->kind, layer.spec, spec, "layer", &error), HG_OK);
    return layer.kind->apply(x, spec, &context);
}

static bench set_up(hg_layer layer, hg_shape sample, hg_mode mode, hg_dtype dtype)
{
    bench b = { .graph = hg_graph_new(dtype) };
    sample.dim[sample.rank++] = HG_BATCH;
    b.x = hg_input(b.graph, "x", sample);
    b.step = hg_input_of(b.graph, "step", HG_I64, HG_SCALAR);
    b.y = apply_to(&b, layer, b.x, mode);
    return b;
}

/* Plans y and the updates. */
static hg_plan *plan_of(const bench *b, int64_t batch)
{
    hg_tensor *output[1 + HG_MOST_UPDATES] = { b->y };
    assert_string_equal(hg_graph_error(b->graph), "");
    memcpy(output + 1, b->updates.assignment, (size_t)b->updates.count * sizeof *output);
    hg_plan *plan = hg_plan_new(b->graph, 1 + b->updates.count, output, &(hg_plan_options){ .batch = batch, .threads = 1 });
    assert_non_null(plan);
    return plan;
}

static void write_step(const bench *b, hg_plan *plan, double step)
{
    if (hg_plan_data(plan, b->step) != NULL)
        assert_int_equal(hg_plan_write(plan, b->step, &step, 1), HG_OK);
}

/* ---- Shapes, parameters, windows ------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    hg_layer    layer;
    hg_shape    in;
    const char *out, *weight, *bias; /* shapes; NULL: there is no such parameter */
    hg_window   window[2];           /* step 0: not known */
} rows[] = {
    { HG_DENSE(5), { 3, { 1, 4, 3 } }, "5", "5x12", "5", { { INFINITY, 1 }, { INFINITY, 1 } } },
    { HG_CUSTOM(halve), { 1, { 4 } }, "4", NULL, NULL, { { 0, 0 } } },
    { HG_CONV2D(16, .kernel = 3, .stride = 3, .pad = 1), { 3, { 1, 28, 28 } }, "16x10x10", "16x1x3x3", "16", { { 3, 3 }, { 3, 3 } } },
    { HG_CONV2D(6, .kernel_hw = { 3, 1 }, .stride_hw = { 2, 1 }, .pad_hw = { 1, 0 }, .dilation_hw = { 2, 1 }, .groups = 2, .no_bias = true),
      { 3, { 4, 9, 7 } }, "6x4x7", "6x2x3x1", NULL, { { 5, 2 }, { 1, 1 } } },
    { HG_CONV2D(1, .kernel = 1), { 3, { 3, 2, 5 } }, "1x2x5", "1x3x1x1", "1", { { 1, 1 }, { 1, 1 } } },
    { HG_CONV_TRANSPOSE2D(8, .kernel = 5, .stride = 3, .pad = 1), { 3, { 16, 5, 5 } }, "8x15x15", "16x8x5x5", "8", { { 2, 1. / 3 }, { 2, 1. / 3 } } },
    { HG_CONV_TRANSPOSE2D(4, .kernel = 3, .stride = 2, .pad = 1, .size = 14), { 3, { 2, 7, 7 } }, "4x14x14", "2x4x3x3", "4", { { 2, 0.5 }, { 2, 0.5 } } },
    { HG_CONV_TRANSPOSE2D(4, .kernel = 3, .stride_hw = { 2, 1 }, .size_hw = { 8, 5 }, .groups = 2), { 3, { 2, 3, 3 } }, "4x8x5", "2x2x3x3", "4", { { 2, 0.5 }, { 3, 1 } } },
    { HG_CONV1D(16, .kernel = 8, .stride = 4, .pad = 2), { 2, { 1, 256 } }, "16x64", "16x1x8", "16", { { 8, 4 } } },
    { HG_CONV1D(3, .kernel = 3, .dilation = 4), { 2, { 2, 10 } }, "3x2", "3x2x3", "3", { { 9, 1 } } },
    { HG_CONV_TRANSPOSE1D(2, .kernel = 4, .stride = 2, .pad = 1), { 2, { 8, 8 } }, "2x16", "8x2x4", "2", { { 2, 0.5 } } },
    { HG_CONV_TRANSPOSE1D(2, .kernel = 3, .stride = 2, .size = 18), { 2, { 8, 8 } }, "2x18", "8x2x3", "2", { { 2, 0.5 } } },
    { HG_MAX_POOL2D(2), { 3, { 16, 10, 10 } }, "16x5x5", NULL, NULL, { { 2, 2 }, { 2, 2 } } },
    { HG_MAX_POOL2D(2, .stride = 1), { 3, { 8, 3, 3 } }, "8x2x2", NULL, NULL, { { 2, 1 }, { 2, 1 } } },
    { HG_MAX_POOL2D(0, .size_hw = { 3, 2 }, .stride_hw = { 1, 2 }, .pad_hw = { 1, 0 }), { 3, { 2, 4, 6 } }, "2x4x3", NULL, NULL, { { 3, 1 }, { 2, 2 } } },
    { HG_AVG_POOL2D(3, .stride = 2, .pad = 1), { 3, { 2, 5, 6 } }, "2x3x3", NULL, NULL, { { 3, 2 }, { 3, 2 } } },
    { HG_MAX_POOL1D(2), { 2, { 3, 9 } }, "3x4", NULL, NULL, { { 2, 2 } } },
    { HG_AVG_POOL1D(4, .stride = 2), { 2, { 3, 10 } }, "3x4", NULL, NULL, { { 4, 2 } } },
    { HG_GLOBAL_MAX_POOL2D, { 3, { 3, 4, 5 } }, "3x1x1", NULL, NULL, { { INFINITY, 1 }, { INFINITY, 1 } } },
    { HG_GLOBAL_AVG_POOL2D, { 3, { 3, 4, 5 } }, "3x1x1", NULL, NULL, { { INFINITY, 1 }, { INFINITY, 1 } } },
    { HG_UPSAMPLE2D(2), { 3, { 3, 4, 5 } }, "3x8x10", NULL, NULL, { { 1, 0.5 }, { 1, 0.5 } } },
    { HG_UPSAMPLE2D(0, .size_hw = { 7, 5 }, .by = HG_BILINEAR), { 3, { 3, 3, 5 } }, "3x7x5", NULL, NULL, { { 2, 3. / 7 }, { 2, 1 } } },
    { HG_UPSAMPLE1D(3, .by = HG_BILINEAR), { 2, { 3, 4 } }, "3x12", NULL, NULL, { { 2, 1. / 3 } } },
    { HG_BATCH_NORM(hg_relu), { 3, { 3, 4, 5 } }, "3x4x5", NULL, "3", { { 1, 1 }, { 1, 1 } } },
    { HG_BATCH_NORM(NULL, .momentum = 0.5, .epsilon = 1e-3), { 1, { 7 } }, "7", NULL, "7", { { 1, 1 }, { 1, 1 } } },
    { HG_LAYER_NORM(hg_tanh, .epsilon = 0.25), { 2, { 3, 4 } }, "3x4", NULL, "3x4", { { INFINITY, 1 }, { INFINITY, 1 } } },
    { HG_DROPOUT(0.5), { 2, { 3, 4 } }, "3x4", NULL, NULL, { { 1, 1 }, { 1, 1 } } },
    { HG_FLATTEN, { 3, { 2, 3, 4 } }, "24", NULL, NULL, { { 1, NAN }, { 1, NAN } } },
    { HG_RESHAPE(8, 2, 2), { 1, { 32 } }, "8x2x2", NULL, NULL, { { 1, NAN }, { 1, NAN } } },
    { HG_GAIN, { 2, { 3, 4 } }, "3x4", NULL, NULL, { { 1, 1 } } },
    { HG_VARIATIONAL(4), { 3, { 1, 3, 2 } }, "4", NULL, NULL, { { INFINITY, 1 }, { INFINITY, 1 } } },
    { HG_MAX_UNPOOL2D, { 3, { 2, 6, 4 } }, "2x6x4", NULL, NULL, { { 1, 0.5 }, { 1, 0.5 } } },
    { HG_MAX_UNPOOL1D, { 2, { 2, 6 } }, "2x6", NULL, NULL, { { 1, 0.5 } } },
    { HG_MAX_UNPOOL1D, { 2, { 2, 7 } }, "2x7", NULL, NULL, { { 1, 0.5 } } },
};
static const hg_layer halving_pools[] = { HG_MAX_POOL1D(2), HG_MAX_POOL2D(2) };
/* clang-format on */

/* What unpooling layers undo is pooled before them. */
static bench row_bench(size_t r, hg_mode mode)
{
    bench b = { .graph = hg_graph_new(HG_F32) };
    hg_shape in = rows[r].in;
    in.dim[in.rank++] = HG_BATCH;
    b.x = hg_input(b.graph, "x", in);
    b.step = hg_input_of(b.graph, "step", HG_I64, HG_SCALAR);
    if (strstr(rows[r].layer.kind->kind.name, "unpool") != NULL)
        b.x = apply_to(&b, halving_pools[rows[r].in.rank - 2], b.x, mode);
    b.y = apply_to(&b, rows[r].layer, b.x, mode);
    assert_string_equal(hg_graph_error(b.graph), "");
    return b;
}

static void assert_shape(size_t row, const hg_tensor *tensor, bool batch, const char *expected)
{
    char text[HG_SHAPE_TEXT] = "none";
    if (tensor != NULL) {
        hg_shape shape = *hg_tensor_shape(tensor);
        if (batch)
            assert_int_equal(shape.dim[--shape.rank], HG_BATCH);
        hg_shape_print(&shape, text);
    }
    if (strcmp(text, expected != NULL ? expected : "none") != 0)
        fail_msg("row %zu (%s): %s, not %s", row, rows[row].layer.kind->kind.name, text, expected);
}

static void shapes_and_parameters(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT(rows); r++)
        for (int mode = HG_EVALUATION; mode <= HG_TRAINING; mode++) {
            bench b = row_bench(r, (hg_mode)mode);
            assert_shape(r, b.y, true, rows[r].out);
            assert_shape(r, hg_graph_find(b.graph, "weight"), false, rows[r].weight);
            assert_shape(r, hg_graph_find(b.graph, "bias"), false, rows[r].bias);
            hg_graph_free(b.graph);
        }
}

static bool same(double a, double b)
{
    return a == b || fabs(a - b) < 1e-12 || (isnan(a) && isnan(b));
}

static void windows(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT(rows); r++) {
        _Alignas(max_align_t) char spec[HG_SPEC_BYTES];
        const hg_layer *layer = &rows[r].layer;
        bench b = row_bench(r, HG_EVALUATION);
        assert_int_equal(layer->kind->window != NULL, rows[r].window[0].step != 0);
        hg_spec_resolve(&layer->kind->kind, layer->spec, spec, "", NULL);
        for (int axis = 0; axis < rows[r].in.rank - 1 && layer->kind->window != NULL; axis++) {
            hg_window found = layer->kind->window(spec, axis, hg_tensor_shape(b.x)->dim[axis + 1],
                                                  hg_tensor_shape(b.y)->dim[axis + 1]);
            if (!same(found.size, rows[r].window[axis].size) || !same(found.step, rows[r].window[axis].step))
                fail_msg("row %zu (%s), axis %d: %g every %g", r, layer->kind->kind.name, axis, found.size, found.step);
        }
        hg_graph_free(b.graph);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static bool has_row(const hg_kind *kind)
{
    for (size_t r = 0; r < COUNT(rows); r++)
        if (&rows[r].layer.kind->kind == kind)
            return true;
    return false;
}

static void every_kind_has_a_row(void **state)
{
    (void)state;
    for (const hg_kind *const *kind = hg_layer_kinds; *kind != NULL; kind++)
        if (!has_row(*kind))
            fail_msg("there is no row for %s", (*kind)->name);
}

static void json_goes_there_and_back(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_error error = { 0 };
        char printed[HG_SPEC_TEXT], again[HG_SPEC_TEXT];
        hg_autoencoder a = { .name = "a", .input = { 1 }, .encoder = { rows[r].layer }, .decoder = { rows[0].layer } };
        if (rows[r].layer.kind == &hg_custom_layer)
            continue;
        char *text = hg_autoencoder_to_json(&a, 0);
        hg_autoencoder *back = hg_autoencoder_from_json(text, "here", &error);
        assert_string_equal(error.text, "");
        assert_ptr_equal(back->encoder[0].kind, rows[r].layer.kind);
        hg_spec_print(&rows[r].layer.kind->kind, rows[r].layer.spec, printed);
        assert_string_equal(hg_spec_print(&rows[r].layer.kind->kind, back->encoder[0].spec, again), printed);
        char *text_again = hg_autoencoder_to_json(back, 0);
        assert_string_equal(text, text_again);
        hg_autoencoder_free(back);
        free(text);
        free(text_again);
    }
}

static void fields_are_set_from_text(void **state)
{
    (void)state;
    static const struct {
        const hg_layer_kind *kind;
        const char *text, *printed; /* what is printed then, or */
        const char *const words[3]; /* what the refusal says */
    } texts[] = {
        { &hg_conv2d_layer, "channels=4,kernel_hw=3x5,stride=2", "channels 4, kernel_hw 3x5, stride 2", { 0 } },
        { &hg_conv2d_layer, "pad_hw=0x1", "pad_hw 0x1", { 0 } },
        { &hg_conv2d_layer, "stride_hw=2", NULL, { "stride_hw must be two integers", "\"2\"" } },
        { &hg_conv2d_layer, "stride_hw=2x1x1", NULL, { "stride_hw must be two integers" } },
        { &hg_conv2d_layer, "stride_hw=2x", NULL, { "stride_hw must be two integers" } },
        { &hg_conv2d_layer, "stride_hw=2x0", NULL, { "stride_hw is 2x0", "[1, inf)" } },
        { &hg_conv2d_layer, "pad_hw=-1x1", NULL, { "pad_hw is -1x1", "[0, inf)" } },
        { &hg_conv2d_layer, "stride=0", NULL, { "stride is 0", "[1, inf)" } },
        { &hg_reshape_layer, "shape=8x2x2", "shape 8x2x2", { 0 } },
        { &hg_reshape_layer, "shape=32", "shape 32", { 0 } },
        { &hg_reshape_layer, "shape=8x0", NULL, { "shape is 8x0", "[1, inf)" } },
        { &hg_reshape_layer, "shape=1x1x1x1x1x1x1x1", NULL, { "shape must be a shape" } },
        { &hg_upsample2d_layer, "factor=2,by=bilinear", "factor 2, by bilinear", { 0 } },
        { &hg_upsample2d_layer, "by=nearest", "", { 0 } },
        { &hg_upsample2d_layer, "by=linear", NULL, { "by must be one of nearest, bilinear", "\"linear\"" } },
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        _Alignas(max_align_t) char spec[HG_SPEC_BYTES] = { 0 };
        char printed[HG_SPEC_TEXT];
        hg_error error = { 0 };
        hg_spec_set(&texts[i].kind->kind, spec, texts[i].text, "", &error);
        if (texts[i].printed != NULL)
            assert_string_equal(hg_spec_print(&texts[i].kind->kind, spec, printed), texts[i].printed);
        else
            assert_words(error.text, (const char *const[]){ texts[i].words[0], texts[i].words[1], NULL });
    }
}

/* ---- Values ---------------------------------------------------------------------------------------------- */

/* The deviation of weights is what a number is summed from: inputs times kernel, whichever way the layer goes. */
static void weights_start_by_fan_in(void **state)
{
    (void)state;
    const hg_layer layers[] = { HG_CONV2D(96, .kernel = 3, .act = hg_relu),
                                       HG_CONV_TRANSPOSE2D(96, .kernel = 3, .act = hg_relu),
                                       HG_CONV_TRANSPOSE2D(96, .kernel = 3, .init = HG_HE),
                                       HG_CONV2D(96, .kernel = 3, .groups = 4, .act = hg_relu) };
    static const double fan_in[] = { 24 * 9, 24 * 9, 24 * 9, 6 * 9 };
    for (size_t i = 0; i < COUNT(layers); i++) {
        bench b = set_up(layers[i], HG_SHAPE(24, 5, 5), HG_EVALUATION, HG_F64);
        const hg_tensor *w = hg_graph_find(b.graph, "weight");
        const size_t count = (size_t)hg_shape_count(hg_tensor_shape(w), 1);
        double *values = malloc(count * sizeof *values), squares = 0;
        hg_read(w, values, count);
        for (size_t k = 0; k < count; k++)
            squares += values[k] * values[k];
        assert_true(fabs(sqrt(squares / (double)count) / sqrt(2 / fan_in[i]) - 1) < 0.03);
        free(values);
        hg_graph_free(b.graph);
    }
}

/* Without weights a place is what its channel's bias makes of it. */
static void biases_belong_to_channels(void **state)
{
    (void)state;
    const hg_layer layers[] = { HG_CONV2D(3, .kernel = 2, .act = hg_relu), HG_CONV_TRANSPOSE2D(3, .kernel = 2, .act = hg_relu) };
    for (size_t i = 0; i < COUNT(layers); i++) {
        bench b = set_up(layers[i], HG_SHAPE(2, 3, 3), HG_EVALUATION, HG_F64);
        double zeros[24] = { 0 }, x[2 * 9 * 5], y[3 * 16 * 5];
        for (size_t k = 0; k < COUNT(x); k++)
            x[k] = (double)k;
        hg_write(hg_graph_find(b.graph, "weight"), zeros, 24);
        hg_write(hg_graph_find(b.graph, "bias"), (double[]){ 1, -2, 3 }, 3);
        hg_plan *plan = plan_of(&b, 5);
        hg_plan_write(plan, b.x, x, COUNT(x));
        hg_run(plan);
        const size_t per_channel = (size_t)hg_shape_count(hg_tensor_shape(b.y), 5) / 3;
        hg_plan_read(plan, b.y, y, 3 * per_channel);
        for (size_t k = 0; k < 3 * per_channel; k++)
            assert_true(y[k] == (k / per_channel == 0 ? 1 : k / per_channel == 1 ? 0 : 3));
        hg_plan_free(plan);
        hg_graph_free(b.graph);
    }
}

static void dropout_is_for_training_and_unbiased(void **state)
{
    (void)state;
    const hg_layer layer = HG_DROPOUT(0.3);
    enum { SIZE = 40, BATCH = 25, STEPS = 40 };
    double x[SIZE * BATCH], y[SIZE * BATCH], before[SIZE * BATCH], sum = 0;
    bench b = set_up(layer, HG_SHAPE(SIZE), HG_EVALUATION, HG_F64);
    assert_ptr_equal(b.y, b.x);
    hg_graph_free(b.graph);
    b = set_up(layer, HG_SHAPE(SIZE), HG_TRAINING, HG_F64);
    hg_plan *plan = plan_of(&b, BATCH);
    for (int i = 0; i < SIZE * BATCH; i++)
        x[i] = 0.7;
    hg_plan_write(plan, b.x, x, COUNT(x));
    for (int step = 0; step < STEPS; step++) {
        write_step(&b, plan, step);
        hg_run(plan);
        hg_plan_read(plan, b.y, y, COUNT(y));
        if (step > 0)
            assert_memory_not_equal(y, before, sizeof y);
        for (size_t i = 0; i < COUNT(y); i++) {
            assert_true(y[i] == 0 || fabs(y[i] - 1) < 1e-12);
            sum += y[i];
        }
        memcpy(before, y, sizeof y);
    }
    assert_true(fabs(sum / (STEPS * SIZE * BATCH) - 0.7) < 0.01); /* 4 deviations are 0.0092 */
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

/* ---- Batch normalisation --------------------------------------------------------------------------------- */

enum { CHANNELS = 2, PLACES = 6, SAMPLES = 32 };

static double pseudo_normal(int i)
{
    double sum = 0;
    for (int k = 0; k < 12; k++)
        sum += fmod(fabs(sin(12.9898 * i + 78.233 * k)) * 43758.5453, 1);
    return sum - 6;
}

static void fill_channels(double x[CHANNELS * PLACES * SAMPLES], int from, const double mean[], const double deviation[])
{
    for (int i = 0; i < CHANNELS * PLACES * SAMPLES; i++)
        x[i] = mean[i / (PLACES * SAMPLES)] + deviation[i / (PLACES * SAMPLES)] * pseudo_normal(from + i);
}

static void running_moments_converge(void **state)
{
    (void)state;
    const hg_layer layer = HG_BATCH_NORM(NULL, .momentum = 0.05);
    static const double mean[] = { 3, -0.5 }, deviation[] = { 0.25, 2 };
    double x[CHANNELS * PLACES * SAMPLES], y[COUNT(x)], found[2][CHANNELS];
    bench b = set_up(layer, HG_SHAPE(CHANNELS, PLACES), HG_TRAINING, HG_F64);
    hg_plan *plan = plan_of(&b, SAMPLES);
    assert_int_equal(b.updates.count, 2);
    for (int step = 0; step < 300; step++) {
        fill_channels(x, step * 1000, mean, deviation);
        hg_plan_write(plan, b.x, x, COUNT(x));
        hg_run(plan);
    }
    hg_plan_read(plan, b.y, y, COUNT(y));
    for (int c = 0; c < CHANNELS; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < PLACES * SAMPLES; i++) {
            sum += y[c * PLACES * SAMPLES + i];
            squares += y[c * PLACES * SAMPLES + i] * y[c * PLACES * SAMPLES + i];
        }
        assert_true(fabs(sum) < 1e-9); /* by the batch's own moments */
        assert_true(fabs(squares / (PLACES * SAMPLES) - 1) < 1e-3);
    }
    hg_read(hg_graph_find(b.graph, "mean"), found[0], CHANNELS);
    hg_read(hg_graph_find(b.graph, "variance"), found[1], CHANNELS);
    for (int c = 0; c < CHANNELS; c++) {
        assert_true(fabs(found[0][c] - mean[c]) < 0.05 * deviation[c]);
        assert_true(fabs(found[1][c] / (deviation[c] * deviation[c]) - 1) < 0.1);
    }
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

/* The first step, by hand: with n - 1 for the variance. */
static void running_moments_move_by_momentum(void **state)
{
    (void)state;
    const hg_layer layer = HG_BATCH_NORM(NULL, .momentum = 0.25);
    bench b = set_up(layer, HG_SHAPE(1), HG_TRAINING, HG_F64);
    double mean, variance;
    hg_plan *plan = plan_of(&b, 4);
    hg_plan_write(plan, b.x, (double[]){ 1, 3, 5, 7 }, 4);
    hg_run(plan);
    hg_read(hg_graph_find(b.graph, "mean"), &mean, 1);
    hg_read(hg_graph_find(b.graph, "variance"), &variance, 1);
    assert_true(fabs(mean - 0.25 * 4) < 1e-12);
    assert_true(fabs(variance - (0.75 + 0.25 * 20 / 3)) < 1e-12);
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

/* One number has no variance: the state stays, and the output is the bias. */
static void one_number_is_no_batch(void **state)
{
    (void)state;
    const hg_layer layer = HG_BATCH_NORM(NULL);
    bench b = set_up(layer, HG_SHAPE(2), HG_TRAINING, HG_F64);
    double y[2], dx[2], variance[2], mean[2];
    hg_tensor *gradient, *loss = hg_sum(hg_mul(hg_square(b.y), b.x), HG_ALL_AXES);
    assert_int_equal(hg_grad(loss, 1, &b.x, &gradient), HG_OK);
    hg_tensor *outputs[] = { b.y, gradient, b.updates.assignment[0], b.updates.assignment[1] };
    hg_plan *plan = hg_plan_new(b.graph, 4, outputs, &(hg_plan_options){ .batch = 1 });
    hg_write(hg_graph_find(b.graph, "bias"), (double[]){ 0.5, -2 }, 2);
    hg_plan_write(plan, b.x, (double[]){ 7, 8 }, 2);
    hg_run(plan);
    hg_plan_read(plan, b.y, y, 2);
    hg_plan_read(plan, gradient, dx, 2);
    hg_read(hg_graph_find(b.graph, "mean"), mean, 2);
    hg_read(hg_graph_find(b.graph, "variance"), variance, 2);
    assert_true(y[0] == 0.5 && y[1] == -2);
    assert_true(dx[0] == 0.25 && dx[1] == 4); /* y does not depend on x */
    assert_true(variance[0] == 1 && variance[1] == 1);
    assert_true(fabs(mean[0] - 0.7) < 1e-12 && fabs(mean[1] - 0.8) < 1e-12);
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

/* In use a sample is normalised by the states, whatever it stands beside. */
static void evaluation_uses_the_states(void **state)
{
    (void)state;
    const hg_layer layer = HG_BATCH_NORM(hg_relu, .epsilon = 0.5);
    double x[2 * 3 * 7], y[COUNT(x)], alone[6];
    bench b = set_up(layer, HG_SHAPE(2, 3), HG_EVALUATION, HG_F64);
    assert_int_equal(b.updates.count, 0);
    hg_write(hg_graph_find(b.graph, "mean"), (double[]){ 1, -1 }, 2);
    hg_write(hg_graph_find(b.graph, "variance"), (double[]){ 4, 0.25 }, 2);
    hg_write(hg_graph_find(b.graph, "gain"), (double[]){ 2, -1 }, 2);
    hg_write(hg_graph_find(b.graph, "bias"), (double[]){ 0.5, 3 }, 2);
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = 3 * sin((double)(i * i));
    hg_plan *plan = plan_of(&b, 7), *one = plan_of(&b, 1);
    hg_plan_write(plan, b.x, x, COUNT(x));
    hg_run(plan);
    hg_plan_read(plan, b.y, y, COUNT(y));
    for (size_t i = 0; i < COUNT(y); i++) {
        double expected = i < 21 ? 2 * (x[i] - 1) / sqrt(4.5) + 0.5 : -(x[i] + 1) / sqrt(0.75) + 3;
        assert_true(fabs(y[i] - fmax(expected, 0)) < 1e-12);
    }
    for (int i = 0; i < 6; i++)
        alone[i] = x[i * 7 + 3];
    hg_plan_write(one, b.x, alone, 6);
    hg_run(one);
    hg_plan_read(one, b.y, alone, 6);
    for (int i = 0; i < 6; i++)
        assert_true(alone[i] == y[i * 7 + 3]);
    hg_plan_free(plan);
    hg_plan_free(one);
    hg_graph_free(b.graph);
}

static void layer_norm_by_hand(void **state)
{
    (void)state;
    const hg_layer layer = HG_LAYER_NORM(hg_relu, .epsilon = 0.25);
    static const double x[] = { 1, 5, 3, 5, -2, 1, 8, 3 }; /* features x samples */
    static const double gain[] = { 2, -1 }, bias[] = { 0.5, 3 };
    double y[COUNT(x)];
    bench b = set_up(layer, HG_SHAPE(2), HG_EVALUATION, HG_F64);
    hg_write(hg_graph_find(b.graph, "gain"), gain, 2);
    hg_write(hg_graph_find(b.graph, "bias"), bias, 2);
    hg_plan *plan = plan_of(&b, 4);
    hg_plan_write(plan, b.x, x, COUNT(x));
    hg_run(plan);
    hg_plan_read(plan, b.y, y, COUNT(y));
    for (int i = 0; i < 8; i++) {
        double half = (x[i % 4] - x[i % 4 + 4]) / 2, deviation = sqrt(half * half + 0.25);
        double expected = gain[i / 4] * (i < 4 ? half : -half) / deviation + bias[i / 4];
        assert_true(fabs(y[i] - fmax(expected, 0)) < 1e-12);
    }
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

/* ---- Unpooling ------------------------------------------------------------------------------------------- */

/* Two pools of a 4x4 image; the last one is undone first. */
static void pools_are_undone_in_reverse(void **state)
{
    (void)state;
    const hg_layer down = HG_MAX_POOL2D(2), up = HG_MAX_UNPOOL2D;
    static const double x[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 15 };
    double y[16];
    bench b = set_up(down, HG_SHAPE(1, 4, 4), HG_TRAINING, HG_F64);
    b.y = apply_to(&b, down, b.y, HG_TRAINING);
    assert_int_equal(b.pools.count, 2);
    b.y = apply_to(&b, up, apply_to(&b, up, b.y, HG_TRAINING), HG_TRAINING);
    assert_int_equal(b.pools.count, 0);
    hg_plan *plan = plan_of(&b, 1);
    hg_plan_write(plan, b.x, x, 16);
    hg_run(plan);
    hg_plan_read(plan, b.y, y, 16);
    for (int i = 0; i < 16; i++)
        assert_true(y[i] == (i == 14 ? 16 : 0));
    hg_plan_free(plan);
    hg_graph_free(b.graph);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_parameters),
        cmocka_unit_test(windows),
        cmocka_unit_test(every_kind_has_a_row),
        cmocka_unit_test(json_goes_there_and_back),
        cmocka_unit_test(fields_are_set_from_text),
        cmocka_unit_test(weights_start_by_fan_in),
        cmocka_unit_test(biases_belong_to_channels),
        cmocka_unit_test(dropout_is_for_training_and_unbiased),
        cmocka_unit_test(running_moments_converge),
        cmocka_unit_test(running_moments_move_by_momentum),
        cmocka_unit_test(one_number_is_no_batch),
        cmocka_unit_test(evaluation_uses_the_states),
        cmocka_unit_test(layer_norm_by_hand),
        cmocka_unit_test(pools_are_undone_in_reverse),
    };
    return cmocka_run_group_tests_name("layers", tests, make_scratch, remove_scratch);
}
