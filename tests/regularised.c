/* Tied, mirrored, corrupted, penalised and variational autoencoders: what is refused, what is derived, what training keeps.
   Their formulas are in the tests of the theory. */
#include "autoencoders.h"

#include <math.h>

/* ---- What is refused ------------------------------------------------------------------------------------- */

static hg_tensor *mix(hg_tensor *x)
{
    hg_tensor *mean = hg_mean(x, hg_last_axis(x));
    return hg_sub(x, hg_expand_like(mean, x, hg_last_axis(x)));
}

static hg_tensor *of_each_sample(hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_sum(parts->penalised_code, HG_AXIS(0));
}

static hg_tensor *whole_loss(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_squared_error(parts->reconstruction, parts->input);
}

static const hg_penalty_kind vector_penalty = { .kind = { .name = "vector" }, .apply = of_each_sample };
static const hg_loss_kind whole_loss_kind = { .kind = { .name = "whole" }, .apply = whole_loss };

/* clang-format off */
#define SIGMOID(units) HG_DENSE(units, .act = hg_sigmoid)
#define PLAIN .name = "a", .input = { 12 }, .encoder = { SIGMOID(6) }, .decoder = { HG_DENSE(12) }
#define REFUSED(number) static const hg_autoencoder refused_##number

REFUSED(1) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6), HG_DENSE(4) }, .decoder = { HG_DENSE(5), HG_DENSE(12) },
               .tied = true };
REFUSED(2) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6), HG_DENSE(4) }, .decoder = { HG_DENSE(12) }, .tied = true };
REFUSED(3) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6) }, .decoder = { HG_DENSE(12), HG_DENSE(12) }, .tied = true };
REFUSED(4) = { .name = "a", .input = { 12 }, .encoder = { HG_CUSTOM(halve) }, .decoder = { HG_CUSTOM(halve) }, .tied = true };
REFUSED(5) = { .name = "a", .input = { 1, 4, 4 }, .encoder = { HG_CONV2D(1, .kernel = 3, .pad = 1) },
               .decoder = { HG_CONV2D(1, .kernel = 3, .pad = 1) }, .tied = true };
REFUSED(6) = { .name = "a", .input = { 1, 4, 4 }, .encoder = { HG_CONV2D(2, .kernel = 3, .pad = 1) },
               .decoder = { HG_CONV_TRANSPOSE2D(1, .kernel = 2) }, .tied = true };
REFUSED(7) = { .name = "a", .input = { 12 }, .encoder = { HG_CUSTOM(halve) }, .decoder = HG_MIRROR };
REFUSED(8) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6) }, .decoder = { { &hg_mirror_layer, NULL }, HG_DENSE(12) } };
REFUSED(9) = { .name = "a", .input = { 12 }, .encoder = { { &hg_mirror_layer, NULL } }, .decoder = { HG_DENSE(12) } };
REFUSED(10) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6, .act = hg_relu) }, .decoder = { HG_DENSE(12) },
                .penalties = { HG_SPARSE(0.1, 1) } };
REFUSED(11) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6, .act = hg_tanh) }, .decoder = { HG_DENSE(12) },
                .penalties = { HG_SPARSE(0.1, 1) } };
REFUSED(12) = { PLAIN, .penalties = { HG_SPARSE(0, 1) } };
REFUSED(13) = { PLAIN, .penalties = { HG_WEIGHT_DECAY(0.1), HG_SPARSE(1, 1) } };
REFUSED(14) = { PLAIN, .penalties = { HG_SPARSE(0.1, -1) } };
REFUSED(15) = { PLAIN, .penalties = { HG_SPARSE(0.1, 1, .running = 1) } };
REFUSED(16) = { PLAIN, .corrupt = HG_MASKING(1) };
REFUSED(17) = { PLAIN, .corrupt = HG_GAUSSIAN(-0.5) };
REFUSED(18) = { PLAIN, .corrupt = HG_SALT_AND_PEPPER(0) };
REFUSED(19) = { PLAIN, .emphasis = HG_EMPHASIS(1, 0.5) };
REFUSED(20) = { PLAIN, .corrupt = HG_GAUSSIAN(0.5), .emphasis = HG_EMPHASIS(1, 0.5) };
REFUSED(21) = { PLAIN, .corrupt = HG_MASKING(0.5), .emphasis = HG_EMPHASIS(1, -0.5) };
REFUSED(22) = { PLAIN, .corrupt = HG_MASKING(0.5), .emphasis = HG_EMPHASIS(1, 0.5), .loss = { &whole_loss_kind, NULL } };
REFUSED(23) = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(6) }, .decoder = { HG_DENSE(4) }, .orthonormal = true };
REFUSED(24) = { .name = "a", .input = { 1, 4, 4 }, .encoder = { HG_CONV2D(1, .kernel = 3, .pad = 1) },
                .decoder = { HG_DENSE(16) }, .orthonormal = true };
REFUSED(25) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6, .init = HG_XAVIER) }, .decoder = { HG_DENSE(12) },
                .orthonormal = true };
REFUSED(26) = { .name = "a", .input = { 12 }, .encoder = { HG_CUSTOM(halve) }, .decoder = { HG_DENSE(12) }, .orthonormal = true };
REFUSED(27) = { PLAIN, .penalise = (hg_penalised)7 };
REFUSED(28) = { .name = "a", .input = { 12 }, .encoder = { HG_DENSE(6), HG_CUSTOM(mix) }, .decoder = { HG_DENSE(12) },
                .penalties = { HG_CONTRACTIVE(1) } };
REFUSED(29) = { PLAIN, .penalties = { { &vector_penalty, NULL } } };
REFUSED(30) = { PLAIN, .penalties = { HG_CONTRACTIVE_HIGHER(1, .deviation = -1) } };
REFUSED(31) = { .name = "a", .input = { 12 }, .encoder = { HG_VARIATIONAL(0) }, .decoder = { HG_DENSE(12) } };
REFUSED(32) = { .name = "a", .input = { 12 }, .encoder = { HG_VARIATIONAL(3, .beta = -1) }, .decoder = { HG_DENSE(12) } };
/* clang-format on */

static void wrong_declarations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        hg_status             status;
        const char           *const words[6];
    } rows[] = {
        { &refused_1, HG_BAD_SHAPE, { "decoder layer 1 (dense)", "5x4", "encoder layer 2 (dense)", "6x4", "transposed" } },
        { &refused_2, HG_BAD_SHAPE, { "decoder layer 1 (dense)", "12x4", "encoder layer 2 (dense)", "6x4" } },
        { &refused_3, HG_BAD_SHAPE, { "decoder layer 2 (dense)", "tied", "none left" } },
        { &refused_4, HG_BAD_ARGUMENT, { "\"a\"", "tied", "no weights" } },
        { &refused_5, HG_BAD_ARGUMENT, { "decoder layer 1 (conv2d)", "encoder layer 1 (conv2d)", "conv_transpose2d" } },
        { &refused_6, HG_BAD_SHAPE, { "decoder layer 1 (conv_transpose2d)", "2x1x2x2", "encoder layer 1 (conv2d)", "2x1x3x3" } },
        { &refused_7, HG_BAD_ARGUMENT, { "encoder layer 1 (custom)", "no mirror", "\"a\"" } },
        { &refused_8, HG_BAD_ARGUMENT, { "decoder layer 1 (mirror)", "whole decoder" } },
        { &refused_9, HG_BAD_ARGUMENT, { "encoder layer 1 (mirror)", "whole decoder" } },
        { &refused_10, HG_BAD_ARGUMENT, { "sparse", "rho", "sigmoid", "relu", "l1" } },
        { &refused_11, HG_BAD_ARGUMENT, { "sparse", "sigmoid", "tanh" } },
        { &refused_12, HG_BAD_ARGUMENT, { "penalty 1 (sparse)", "rho is 0", "(0, 1)" } },
        { &refused_13, HG_BAD_ARGUMENT, { "penalty 2 (sparse)", "rho is 1", "(0, 1)" } },
        { &refused_14, HG_BAD_ARGUMENT, { "sparse", "beta is -1", "[0, inf)" } },
        { &refused_15, HG_BAD_ARGUMENT, { "sparse", "running is 1", "[0, 1)" } },
        { &refused_16, HG_BAD_ARGUMENT, { "masking", "probability is 1", "(0, 1)" } },
        { &refused_17, HG_BAD_ARGUMENT, { "gaussian", "deviation is -0.5", "(0, inf)" } },
        { &refused_18, HG_BAD_ARGUMENT, { "salt_and_pepper", "probability is 0", "(0, 1)" } },
        { &refused_19, HG_BAD_ARGUMENT, { "\"a\"", "emphasis", "no corruption" } },
        { &refused_20, HG_BAD_ARGUMENT, { "\"a\"", "emphasis", "leaves some" } },
        { &refused_21, HG_BAD_ARGUMENT, { "\"a\"", "emphasis", "-0.5", "[0, inf)" } },
        { &refused_22, HG_BAD_ARGUMENT, { "loss whole", "emphasis" } },
        { &refused_23, HG_BAD_SHAPE, { "encoder layer 1 (dense)", "orthonormal", "6x4" } },
        { &refused_24, HG_BAD_SHAPE, { "encoder layer 1 (conv2d)", "orthonormal", "1x1x3x3" } },
        { &refused_25, HG_BAD_ARGUMENT, { "encoder layer 1 (dense)", "init is xavier", "orthonormal" } },
        { &refused_26, HG_BAD_ARGUMENT, { "\"a\"", "no weights", "orthonormal" } },
        { &refused_27, HG_BAD_ARGUMENT, { "\"a\"", "penalise is 7" } },
        { &refused_28, HG_BAD_ARGUMENT, { "\"a\"", "other samples", "Jacobian" } },
        { &refused_29, HG_BAD_SHAPE, { "penalty 1 (vector)", "scalar" } },
        { &refused_30, HG_BAD_ARGUMENT, { "contractive_higher", "deviation is -1" } },
        { &refused_31, HG_BAD_ARGUMENT, { "encoder layer 1 (variational)", "units is 0" } },
        { &refused_32, HG_BAD_ARGUMENT, { "encoder layer 1 (variational)", "beta is -1" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int mode = HG_EVALUATION; mode <= HG_TRAINING; mode++) {
            hg_parts parts;
            hg_graph *g = hg_graph_new(HG_F64);
            hg_status status = hg_autoencoder_build(rows[i].declaration, g, (hg_mode)mode, &parts);
            assert_words(hg_graph_error(g), rows[i].words);
            assert_int_equal(status, rows[i].status);
            hg_graph_free(g);
        }
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */

#define JSON(more)                                                                                              \
    "{\"name\": \"a\", \"input\": [12], \"encoder\": [{\"kind\": \"dense\", \"units\": 4, \"act\": \"sigmoid\"}], " more "}"

/* clang-format off */
static const hg_autoencoder everything = {
    .name = "everything", .input = { 12 }, .encoder = { SIGMOID(6), HG_VARIATIONAL(3, .beta = 0.5) },
    .decoder = HG_MIRROR_TO(hg_tanh), .tied = true, .corrupt = HG_MASKING(0.25), .emphasis = HG_EMPHASIS(1, 0.5),
    .loss = HG_GAUSSIAN_LIKELIHOOD(0.5), .penalise = HG_CLEAN,
    .penalties = { HG_L1(0.1), HG_CONTRACTIVE(0.25, .samples = 2), HG_CONTRACTIVE_HIGHER(0.5, .deviation = 0.2),
                   HG_WEIGHT_DECAY(0.001) } };
static const hg_autoencoder orthonormal = {
    .name = "orthonormal", .input = { 12 }, .encoder = { HG_DENSE(5) }, .decoder = HG_MIRROR, .tied = true, .orthonormal = true,
    .corrupt = HG_GAUSSIAN(0.1) };
/* clang-format on */

static void declarations_survive_json(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &everything, &orthonormal };
    for (size_t i = 0; i < COUNT(declarations); i++) {
        hg_error error = { 0 };
        char *text = hg_autoencoder_to_json(declarations[i], 0);
        hg_autoencoder *again = hg_autoencoder_from_json(text, "text", &error);
        assert_string_equal(error.text, "");
        char *other = hg_autoencoder_to_json(again, 0);
        assert_string_equal(other, text);
        assert_int_equal(again->tied, declarations[i]->tied);
        assert_int_equal(again->orthonormal, declarations[i]->orthonormal);
        assert_int_equal(again->penalise, declarations[i]->penalise);
        assert_ptr_equal(again->corrupt.kind, declarations[i]->corrupt.kind);
        free(text);
        free(other);
        hg_autoencoder_free(again);
    }
}

static void wrong_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *const words[5];
    } rows[] = {
        { JSON("\"decoder\": \"mirror\""), { NULL } },
        { JSON("\"decoder\": {\"kind\": \"mirror\", \"act\": \"tanh\"}"), { NULL } },
        { JSON("\"decoder\": \"miror\""), { "decoder", "\"miror\"", "mirror" } },
        { JSON("\"decoder\": \"mirror\", \"tied\": 1"), { "tied", "true or false" } },
        { JSON("\"decoder\": \"mirror\", \"tide\": true"), { "\"tide\"", "tied", "penalise" } },
        { JSON("\"decoder\": \"mirror\", \"corrupt\": {\"kind\": \"masking\"}"), { "corrupt (masking)", "probability is 0" } },
        { JSON("\"decoder\": \"mirror\", \"corrupt\": {\"kind\": \"masking\", \"probability\": 2}"),
          { "corrupt (masking)", "probability is 2", "(0, 1)" } },
        { JSON("\"decoder\": \"mirror\", \"corrupt\": \"mask\""), { "\"mask\"", "masking", "salt_and_pepper" } },
        { JSON("\"decoder\": \"mirror\", \"emphasis\": [1]"), { "emphasis", "[corrupted, others]" } },
        { JSON("\"decoder\": \"mirror\", \"emphasis\": [1, -2]"), { "emphasis", "from 0" } },
        { JSON("\"decoder\": \"mirror\", \"penalise\": \"dirty\""), { "penalise must be one of corrupted, clean", "\"dirty\"" } },
        { JSON("\"decoder\": \"mirror\", \"penalties\": [{\"kind\": \"sparse\", \"rho\": 1.5, \"beta\": 3}]"),
          { "penalty 1 (sparse)", "rho is 1.5", "(0, 1)" } },
        { JSON("\"decoder\": \"mirror\", \"penalties\": [{\"kind\": \"spars\"}]"), { "penalty 1", "\"spars\"", "contractive_higher" } },
        { JSON("\"decoder\": \"mirror\", \"penalties\": [{\"kind\": \"l1\", \"weight\": 3}]"), { "\"weight\"", "l1", "beta" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_error error = { 0 };
        hg_autoencoder *a = hg_autoencoder_from_json(rows[i].text, "text", &error);
        assert_true((a != NULL) == (rows[i].words[0] == NULL));
        assert_words(error.text, rows[i].words);
        hg_autoencoder_free(a);
    }
}

/* ---- Mirrors ---------------------------------------------------------------------------------------------- */

/* clang-format off */
static const hg_autoencoder
    deep = { .name = "deep", .input = { 1, 3, 4 }, .encoder = { HG_DENSE(8, .act = hg_relu), HG_DENSE(5, .act = hg_tanh), HG_DENSE(2) },
             .decoder = HG_MIRROR, .loss = HG_BINARY_CROSS_ENTROPY },
    deep_by_hand = { .name = "deep", .input = { 1, 3, 4 },
                     .encoder = { HG_DENSE(8, .act = hg_relu), HG_DENSE(5, .act = hg_tanh), HG_DENSE(2) },
                     .decoder = { HG_DENSE(5, .act = hg_tanh), HG_DENSE(8, .act = hg_relu), HG_DENSE(12, .act = hg_sigmoid) },
                     .loss = HG_BINARY_CROSS_ENTROPY },
    started = { .name = "started", .input = { 12 }, .encoder = { HG_DENSE(4, .init = HG_UNIFORM(0.5), .no_bias = true) },
                .decoder = HG_MIRROR_TO(hg_tanh) },
    started_by_hand = { .name = "started", .input = { 12 }, .encoder = { HG_DENSE(4, .init = HG_UNIFORM(0.5), .no_bias = true) },
                        .decoder = { HG_DENSE(12, .act = hg_tanh, .init = HG_UNIFORM(0.5), .no_bias = true) } },
    images = { .name = "images", .input = { 1, 8, 8 },
               .encoder = { HG_CONV2D(3, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                            HG_DENSE(4, .act = hg_sigmoid) },
               .decoder = HG_MIRROR },
    tied_images = { .name = "tied images", .input = { 1, 8, 8 },
                    .encoder = { HG_CONV2D(3, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                                 HG_DENSE(4, .act = hg_sigmoid) },
                    .decoder = HG_MIRROR, .tied = true };
/* clang-format on */

static void mirrors_are_what_one_would_write(void **state)
{
    (void)state;
    static const hg_autoencoder *const pairs[][2] = { { &deep, &deep_by_hand }, { &started, &started_by_hand } };
    double x[12 * 3], y[2][12 * 3];
    for (int i = 0; i < 36; i++)
        x[i] = 0.5 + 0.4 * sin(i);
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(12), 3, HG_F64, x, NULL);
    for (size_t p = 0; p < COUNT(pairs); p++) {
        for (int i = 0; i < 2; i++) {
            hg_model *model = hg_model_new(pairs[p][i], HG_F64, 1);
            assert_int_equal(hg_model_reconstruct(model, data, 0, 3, y[i]), HG_OK);
            hg_model_free(model);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
    }
    hg_dataset_free(data);
}

static void mirrored_images(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        hg_shape    shape;
    } layers[] = { { "dense", { 4, { 3, 2, 2, HG_BATCH } } },
                   { "upsample2d", { 4, { 3, 4, 4, HG_BATCH } } },
                   { "conv_transpose2d", { 4, { 1, 8, 8, HG_BATCH } } } };
    _Alignas(16) char spec[HG_SPEC_BYTES];
    hg_model *model = hg_model_new(&images, HG_F64, 1);
    assert_string_equal(hg_model_error(model), "");
    const hg_parts *parts = hg_model_parts(model);
    for (int i = 0; i < (int)COUNT(layers); i++) {
        assert_string_equal(hg_decoder_layer(parts, i, spec).kind->kind.name, layers[i].kind);
        assert_true(hg_shape_equal(hg_tensor_shape(parts->decoder[i]), &layers[i].shape));
    }
    assert_null(hg_decoder_layer(parts, (int)COUNT(layers), spec).kind);
    hg_model_free(model);
}

static void shared_kernels_are_one_parameter(void **state)
{
    (void)state;
    static const char *const names[] = { "encoder/1/weight", "encoder/1/bias", "encoder/3/weight", "encoder/3/bias",
                                         "decoder/1/bias", "decoder/3/bias" };
    hg_model *model = hg_model_new(&tied_images, HG_F64, 1);
    assert_string_equal(hg_model_error(model), "");
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(hg_tensor_name(hg_graph_parameter(hg_model_graph(model), i)), names[i]);
    assert_null(hg_graph_parameter(hg_model_graph(model), COUNT(names)));
    const hg_tying *tying = &hg_model_parts(model)->tying;
    assert_int_equal(tying->count, 2);
    assert_ptr_equal(tying->at[0].shared, tying->at[0].weight); /* the kernel as it is */
    hg_model_free(model);
}

/* ---- Corruption ------------------------------------------------------------------------------------------- */

enum { N = 12, BATCH = 2000 };

/* clang-format off */
static const hg_autoencoder
    masking = { PLAIN, .corrupt = HG_MASKING(0.3) }, gaussian = { PLAIN, .corrupt = HG_GAUSSIAN(0.4) },
    pepper = { PLAIN, .corrupt = HG_SALT_AND_PEPPER(0.2), .scale = HG_SCALE(-1, 1) };
/* clang-format on */

static void draw(const hg_autoencoder *a, uint64_t seed, double step, double *corrupted)
{
    hg_parts parts;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_graph_set_seed(g, seed);
    assert_int_equal(hg_autoencoder_build(a, g, HG_TRAINING, &parts), HG_OK);
    hg_plan *plan = hg_plan_new(g, 1, &parts.corrupted, &(hg_plan_options){ .batch = BATCH });
    double *x = hg_plan_data(plan, parts.input);
    for (int i = 0; i < N * BATCH; i++)
        x[i] = 0.5;
    hg_plan_write(plan, parts.step, &step, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, parts.corrupted, corrupted, N * BATCH), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
}

static double share(const double *values, double value)
{
    int count = 0;
    for (int i = 0; i < N * BATCH; i++)
        count += values[i] == value;
    return (double)count / (N * BATCH);
}

static void corruption_is_distributed_as_declared(void **state)
{
    (void)state;
    static double first[N * BATCH], again[N * BATCH];
    const double near = 0.015; /* five deviations of a share of 24000 */
    draw(&masking, 1, 1, first);
    assert_true(fabs(share(first, 0) - 0.3) < near && fabs(share(first, 0.5) - 0.7) < near);
    draw(&pepper, 1, 1, first);
    assert_true(fabs(share(first, -1) - 0.1) < near && fabs(share(first, 1) - 0.1) < near);
    assert_true(fabs(share(first, 0.5) - 0.8) < near);
    double mean = 0, variance = 0;
    draw(&gaussian, 1, 1, first);
    for (int i = 0; i < N * BATCH; i++)
        mean += first[i] / (N * BATCH);
    for (int i = 0; i < N * BATCH; i++)
        variance += (first[i] - mean) * (first[i] - mean) / (N * BATCH);
    assert_true(fabs(mean - 0.5) < 0.013 && fabs(variance - 0.16) < 0.008);
    /* the same for the same step and seed, otherwise not */
    draw(&gaussian, 1, 1, again);
    assert_memory_equal(first, again, sizeof first);
    draw(&gaussian, 1, 2, again);
    assert_true(share(again, first[0]) == 0);
    draw(&gaussian, 2, 1, again);
    assert_true(share(again, first[0]) == 0);
}

static void use_is_not_corrupted(void **state)
{
    (void)state;
    static const hg_autoencoder *const all[] = { &masking, &gaussian, &pepper };
    for (size_t i = 0; i < COUNT(all); i++) {
        hg_model *model = hg_model_new(all[i], HG_F32, 1);
        const hg_parts *parts = hg_model_parts(model);
        assert_ptr_equal(parts->corrupted, parts->input);
        assert_null(parts->changed);
        hg_model_free(model);
    }
}

/* ---- Training keeps ---------------------------------------------------------------------------------------- */

static hg_dataset *waves(int count)
{
    double x[64 * 12];
    for (int i = 0; i < count * 12; i++)
        x[i] = 0.5 + 0.45 * sin(1.3 * i + 0.1 * (i % 12) * (i / 12));
    return hg_dataset_new(&HG_SHAPE(12), count, HG_F64, x, NULL);
}

static const hg_optimizer optimizers[] = { HG_SGD(.rate = 0.5, .momentum = 0.9), HG_ADAM(.rate = 0.3) };

static void rows_stay_orthonormal(void **state)
{
    (void)state;
    static const struct {
        hg_dtype dtype;
        double   tolerance;
    } rows[] = { { HG_F64, 1e-13 }, { HG_F32, 2e-6 } };
    hg_dataset *data = waves(40);
    for (size_t r = 0; r < COUNT(rows); r++)
        for (size_t o = 0; o < COUNT(optimizers); o++) {
            double gram[25], before, after;
            hg_model *model = hg_model_new(&orthonormal, rows[r].dtype, 1);
            hg_model_loss(model, data, NULL, 40, &before);
            hg_train(model, data, &(hg_training){ .epochs = 30, .batch = 16, .optimizer = optimizers[o] });
            hg_model_loss(model, data, NULL, 40, &after);
            assert_string_equal(hg_model_error(model), "");
            hg_tensor *w = hg_graph_find(hg_model_graph(model), "encoder/1/weight");
            assert_int_equal(hg_eval(hg_matmul(w, hg_transpose(w)), gram, 25), HG_OK);
            for (int i = 0; i < 25; i++)
                assert_true(fabs(gram[i] - (i % 6 == 0)) < rows[r].tolerance);
            assert_true(after < before);
            hg_model_free(model);
        }
    hg_dataset_free(data);
}

static const hg_autoencoder running = { PLAIN, .penalties = { HG_WEIGHT_DECAY(0.1), HG_SPARSE(0.25, 1, .running = 0.75) } };

/* Steps that change next to nothing: r goes from rho towards the mean activity by 1 - 0.75^n. */
static void running_activity_is_kept(void **state)
{
    (void)state;
    double activity[6], codes[6 * 40], opened[6];
    const char *path = in_scratch("running.safetensors");
    hg_dataset *data = waves(40);
    hg_model *model = hg_model_new(&running, HG_F64, 1);
    hg_model_encode(model, data, 0, 40, codes);
    hg_train(model, data, &(hg_training){ .epochs = 3, .batch = 40, .optimizer = HG_SGD(.rate = 1e-12) });
    assert_string_equal(hg_model_error(model), "");
    hg_read(hg_graph_find(hg_model_graph(model), "penalty/2/activity"), activity, 6);
    for (int j = 0; j < 6; j++) {
        double mean = 0;
        for (int i = 0; i < 40; i++)
            mean += codes[j * 40 + i] / 40;
        assert_true(fabs(activity[j] - (mean + pow(0.75, 3) * (0.25 - mean))) < 1e-9);
    }
    assert_int_equal(hg_model_save(model, path), HG_OK);
    hg_model_free(model);
    model = hg_model_open(path, NULL);
    assert_string_equal(hg_model_error(model), "");
    hg_read(hg_graph_find(hg_model_graph(model), "penalty/2/activity"), opened, 6);
    assert_memory_equal(opened, activity, sizeof opened);
    hg_model_free(model);
    hg_dataset_free(data);
}

static const hg_autoencoder gaussian_code = { .name = "gaussian code", .input = { 12 }, .encoder = { HG_VARIATIONAL(3) },
                                              .decoder = HG_MIRROR, .loss = HG_GAUSSIAN_LIKELIHOOD(0.5) };

/* In use the code is the mean, and the loss -log N(x; y, 0.25 I). */
static void use_takes_the_mean(void **state)
{
    (void)state;
    double W[3 * 12], codes[3 * 8], x[12 * 8], y[12 * 8], loss, expected = 0;
    hg_dataset *data = waves(8);
    hg_model *model = hg_model_new(&gaussian_code, HG_F64, 1);
    assert_int_equal(hg_model_encode(model, data, 0, 8, codes), HG_OK);
    hg_read(hg_graph_find(hg_model_graph(model), "encoder/1/mean/weight"), W, 36);
    hg_dataset_batch(data, 8, NULL, 0, 0, 1, HG_F64, x);
    for (int j = 0; j < 3; j++)
        for (int b = 0; b < 8; b++) {
            double mean = 0;
            for (int i = 0; i < 12; i++)
                mean += W[j * 12 + i] * x[i * 8 + b];
            assert_true(fabs(codes[j * 8 + b] - mean) < 1e-12);
        }
    assert_int_equal(hg_model_reconstruct(model, data, 0, 8, y), HG_OK);
    for (int i = 0; i < 96; i++)
        expected += (pow((y[i] - x[i]) / 0.5, 2) + log(2 * acos(-1) * 0.25)) / 2 / 8;
    assert_int_equal(hg_model_loss(model, data, NULL, 8, &loss), HG_OK);
    assert_true(fabs(loss - expected) < 1e-10);
    hg_model_free(model);
    hg_dataset_free(data);
}

/* ---- Contractions of what is noisy, or mixes the samples of a batch ---------------------------------------- */

enum { D = 7, K = 3, R = 4, B = 5 };

/* clang-format off */
#define CODE HG_DENSE(R, .act = hg_sigmoid)
static const hg_autoencoder
    dropped = { .name = "dropped", .input = { D }, .encoder = { HG_DENSE(K, .act = hg_tanh), HG_DROPOUT(0.4), CODE },
                .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } },
    normed = { .name = "normed", .input = { D }, .encoder = { HG_DENSE(K), HG_BATCH_NORM(hg_tanh), CODE },
               .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } };
/* clang-format on */

/* u = scale W x + shift, h = mask tanh(u), a = V h: the mean over the samples of |diag(s'(a)) V diag(mask tanh'(u) scale) W|^2. */
typedef struct middle {
    double scale[K], shift[K], mask[K][B];
} middle;

static double contraction(double W[K][D], double V[R][K], double X[D][B], const middle *m)
{
    double sum = 0;
    for (int b = 0; b < B; b++) {
        double h[K], slope[K];
        for (int k = 0; k < K; k++) {
            double u = m->shift[k];
            for (int i = 0; i < D; i++)
                u += m->scale[k] * W[k][i] * X[i][b];
            h[k] = m->mask[k][b] * tanh(u);
            slope[k] = m->mask[k][b] * (1 - tanh(u) * tanh(u)) * m->scale[k];
        }
        for (int j = 0; j < R; j++) {
            double a = 0;
            for (int k = 0; k < K; k++)
                a += V[j][k] * h[k];
            const double s = 1 / (1 + exp(-a));
            for (int i = 0; i < D; i++) {
                double entry = 0;
                for (int k = 0; k < K; k++)
                    entry += s * (1 - s) * V[j][k] * slope[k] * W[k][i];
                sum += entry * entry / B;
            }
        }
    }
    return sum;
}

/* The penalty of a graph in training at step 5, and by hand. */
static void check_contraction(hg_graph *g, const hg_parts *parts, const middle *m)
{
    double X[D][B], W[K][D], V[R][K], value;
    for (int i = 0; i < D * B; i++)
        X[i / B][i % B] = sin(1.7 * i);
    hg_read(hg_graph_find(g, "encoder/1/weight"), &W[0][0], K * D);
    hg_read(hg_graph_find(g, "encoder/3/weight"), &V[0][0], R * K);
    hg_tensor *term = parts->terms.term[1].value;
    hg_plan *plan = hg_plan_new(g, 1, &term, &(hg_plan_options){ .batch = B, .threads = 1 });
    assert_string_equal(hg_graph_error(g), "");
    hg_plan_write(plan, parts->input, &X[0][0], D * B);
    if (hg_plan_data(plan, parts->step) != NULL)
        hg_plan_write(plan, parts->step, (double[]){ 5 }, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, term, &value, 1), HG_OK);
    const double expected = 0.7 * contraction(W, V, X, m);
    assert_true(fabs(value - expected) < 1e-12 * expected);
    hg_plan_free(plan);
}

/* One mask for all directions of a sample: that of the forward pass, drawn once more by its name. */
static void contractions_see_one_mask(void **state)
{
    (void)state;
    hg_parts parts;
    middle m = { .scale = { 1, 1, 1 } };
    hg_graph *g = hg_graph_new(HG_F64), *again = hg_graph_new(HG_F64);
    hg_tensor *step = hg_constant_i64(again, HG_SCALAR, (int64_t[]){ 5 });
    assert_int_equal(hg_eval(hg_random_mask(step, "encoder/2/mask", HG_SHAPE(K, B), 0.6), &m.mask[0][0], K * B), HG_OK);
    int kept = 0;
    for (int i = 0; i < K * B; i++) {
        kept += m.mask[i / B][i % B] != 0;
        m.mask[i / B][i % B] /= 0.6;
    }
    assert_true(kept > 0 && kept < K * B);
    assert_int_equal(hg_autoencoder_build(&dropped, g, HG_TRAINING, &parts), HG_OK);
    check_contraction(g, &parts, &m);
    hg_graph_free(again);
    hg_graph_free(g);
}

/* A batch's own moments mix its samples: the Jacobian is that of running moments, while the rest goes on in training. */
static void contractions_take_running_moments(void **state)
{
    (void)state;
    hg_parts parts;
    middle m;
    const double mean[K] = { 0.3, -0.2, 0.1 }, variance[K] = { 0.5, 2, 1.25 }, gain[K] = { 1.5, -0.75, 1 },
                 bias[K] = { 0.1, 0.2, -0.3 };
    for (int k = 0; k < K; k++) {
        m.scale[k] = gain[k] / sqrt(variance[k] + 1e-5);
        m.shift[k] = bias[k] - mean[k] * m.scale[k];
        for (int b = 0; b < B; b++)
            m.mask[k][b] = 1;
    }
    hg_graph *g = hg_graph_new(HG_F64);
    assert_int_equal(hg_autoencoder_build(&normed, g, HG_TRAINING, &parts), HG_OK);
    assert_int_equal(parts.updates.count, 2);
    hg_write(hg_graph_find(g, "encoder/2/mean"), mean, K);
    hg_write(hg_graph_find(g, "encoder/2/variance"), variance, K);
    hg_write(hg_graph_find(g, "encoder/2/gain"), gain, K);
    hg_write(hg_graph_find(g, "encoder/2/bias"), bias, K);
    check_contraction(g, &parts, &m);
    hg_graph_free(g);
}

/* ---- All --------------------------------------------------------------------------------------------------- */

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_declarations_are_refused), cmocka_unit_test(declarations_survive_json),
        cmocka_unit_test(wrong_json_is_refused),          cmocka_unit_test(mirrors_are_what_one_would_write),
        cmocka_unit_test(mirrored_images),                cmocka_unit_test(shared_kernels_are_one_parameter),
        cmocka_unit_test(corruption_is_distributed_as_declared),
        cmocka_unit_test(use_is_not_corrupted),           cmocka_unit_test(rows_stay_orthonormal),
        cmocka_unit_test(running_activity_is_kept),       cmocka_unit_test(use_takes_the_mean),
        cmocka_unit_test(contractions_see_one_mask),      cmocka_unit_test(contractions_take_running_moments),
    };
    return cmocka_run_group_tests_name("regularised", tests, make_scratch, remove_scratch);
}
