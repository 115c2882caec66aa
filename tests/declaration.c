/* Autoencoders as data: specs, declarations, their graphs, JSON. */
#include "autoencoders.h"

#include <math.h>

/* ---- Specs ---------------------------------------------------------------------------------------------- */

static const hg_kind *const *const lists[] = { hg_layer_kinds, hg_optimizer_kinds, hg_schedule_kinds,
                                               hg_loss_kinds, hg_penalty_kinds, hg_corruption_kinds };

static void fields_keep_their_rules(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(lists); l++)
        for (const hg_kind *const *kind = lists[l]; *kind != NULL; kind++) {
            assert_true((*kind)->size <= HG_SPEC_BYTES);
            assert_ptr_equal(hg_kind_find(lists[l], (*kind)->name), *kind);
            for (const hg_field *field = (*kind)->field; field != NULL && field->name != NULL; field++) {
                assert_true(field->offset < (*kind)->size);
                assert_ptr_equal(hg_field_find(*kind, field->name), field);
                if (field->fallback != 0) { /* else zero could not be told from "default" */
                    assert_false(hg_in_range(0, field->range));
                    assert_true(hg_in_range(field->fallback, field->range));
                }
            }
        }
    assert_null(hg_kind_find(hg_layer_kinds, "dens"));
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        double      value;
        const char *range;
        bool        inside;
    } rows[] = {
        { 0, "[0, 1)", true },   { 1, "[0, 1)", false },          { 0, "(0, 1)", false }, { 1, "(0, 1]", true },
        { 1e300, "(0, inf)", true }, { INFINITY, "(0, inf)", false }, { NAN, NULL, false },   { -5, NULL, true },
        { -1, "[-1, 1]", true }, { -1.01, "[-1, 1]", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(hg_in_range(rows[i].value, rows[i].range), rows[i].inside);
}

static void specs_are_set_from_text(void **state)
{
    (void)state;
    static const struct {
        const hg_kind *kind;
        const char    *text, *printed;  /* what is printed then, or */
        const char    *const words[4]; /* what the refusal says */
    } rows[] = {
        { &hg_sgd_optimizer.kind, "rate=0.5,momentum=0.9,nesterov=true", "rate 0.5, momentum 0.9, nesterov", { 0 } },
        { &hg_sgd_optimizer.kind, "", "", { 0 } },
        { &hg_sgd_optimizer.kind, "momentum=0", "", { 0 } },
        { &hg_dense_layer.kind, "units=3,act=tanh,init=orthogonal", "units 3, act tanh, init orthogonal 1", { 0 } },
        { &hg_sgd_optimizer.kind, "rate=0", NULL, { "rate is 0", "(0, inf)" } },
        { &hg_sgd_optimizer.kind, "momentum=1", NULL, { "momentum is 1", "[0, 1)" } },
        { &hg_sgd_optimizer.kind, "rate=fast", NULL, { "rate must be a number", "\"fast\"" } },
        { &hg_sgd_optimizer.kind, "rate=1e999", NULL, { "rate must be a number" } },
        { &hg_sgd_optimizer.kind, "rate=0.5x", NULL, { "\"0.5x\"" } },
        { &hg_sgd_optimizer.kind, "rate=", NULL, { "rate must be a number" } },
        { &hg_sgd_optimizer.kind, "rate", NULL, { "\"rate\"", "field=value", "nesterov" } },
        { &hg_sgd_optimizer.kind, "speed=1", NULL, { "\"speed\"", "rate, momentum, nesterov" } },
        { &hg_sgd_optimizer.kind, "nesterov=1", NULL, { "true or false", "\"1\"" } },
        { &hg_dense_layer.kind, "units=3.5", NULL, { "units must be an integer", "\"3.5\"" } },
        { &hg_dense_layer.kind, "units=99999999999999999999", NULL, { "units must be an integer" } },
        { &hg_dense_layer.kind, "act=rely", NULL, { "activation", "\"rely\"" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        _Alignas(16) char spec[HG_SPEC_BYTES] = { 0 };
        char text[HG_SPEC_TEXT];
        hg_error error = { 0 };
        hg_status status = hg_spec_set(rows[i].kind, spec, rows[i].text, "here: ", &error);
        assert_int_equal(status, error.status);
        if (rows[i].printed != NULL)
            assert_string_equal(hg_spec_print(rows[i].kind, spec, text), rows[i].printed);
        else
            assert_words(error.text, (const char *const[]){ "here: ", rows[i].words[0], rows[i].words[1],
                                                            rows[i].words[2], NULL });
    }
}

static void activations_have_names(void **state)
{
    (void)state;
    const char *name;
    size_t count = 0;
    for (; (name = hg_activation_at(count)) != NULL; count++)
        assert_string_equal(hg_activation_name(hg_activation_find(name)), name);
    assert_int_equal(count, 8);
    assert_string_equal(hg_activation_name(NULL), "linear");
    assert_string_equal(hg_activation_name(hg_exp), "custom");
    assert_null(hg_activation_find("custom"));
    assert_int_equal(hg_activation_initializer(hg_relu).kind, HG_INITIAL_HE);
    assert_int_equal(hg_activation_initializer(hg_tanh).kind, HG_INITIAL_XAVIER);
    assert_int_equal(hg_activation_initializer(hg_exp).kind, HG_INITIAL_XAVIER);
}

/* ---- Declarations ---------------------------------------------------------------------------------------- */

static hg_tensor *nothing(hg_tensor *x)
{
    (void)x;
    return NULL;
}

static hg_tensor *drop_batch(hg_tensor *x)
{
    return hg_mean(x, hg_last_axis(x));
}

/* clang-format off */
static const hg_autoencoder
    no_name = { .input = { 4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) } },
    no_input = { .name = "a", .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) } },
    negative_input = { .name = "a", .input = { 3, -4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) } },
    no_encoder = { .name = "a", .input = { 4 }, .decoder = { HG_DENSE(4) } },
    no_decoder = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(4) } },
    no_units = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4), HG_DENSE(0) } },
    few = { .name = "a", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(32) },
            .decoder = { HG_DENSE(128), HG_DENSE(700) } },
    falling = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) },
                .scale = HG_SCALE(1, -1) },
    bad_loss = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) },
                 .loss = HG_HUBER(-1) },
    bad_penalty = { .name = "a", .input = { 4 }, .encoder = { HG_DENSE(2) }, .decoder = { HG_DENSE(4) },
                    .penalties = { HG_WEIGHT_DECAY(-1) } },
    gives_nothing = { .name = "a", .input = { 4 }, .encoder = { HG_CUSTOM(nothing) }, .decoder = { HG_DENSE(4) } },
    loses_batch = { .name = "a", .input = { 4 }, .encoder = { HG_CUSTOM(drop_batch) }, .decoder = { HG_DENSE(4) } },
    huge = { .name = "a", .input = { 1 << 30, 1 << 30 }, .encoder = { HG_DENSE(1 << 20) }, .decoder = { HG_DENSE(4) } };
/* clang-format on */

static void wrong_declarations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        hg_status             status;
        const char           *const words[6];
    } rows[] = {
        { NULL, HG_BAD_ARGUMENT, { "declared" } },
        { &no_name, HG_BAD_ARGUMENT, { "name" } },
        { &no_input, HG_BAD_SHAPE, { "\"a\"", "input" } },
        { &negative_input, HG_BAD_SHAPE, { "\"a\"", "dimension 2", "-4" } },
        { &no_encoder, HG_BAD_ARGUMENT, { "encoder", "no layers" } },
        { &no_decoder, HG_BAD_ARGUMENT, { "decoder", "no layers" } },
        { &no_units, HG_BAD_ARGUMENT, { "decoder layer 2 (dense)", "units is 0", "[1, inf)" } },
        { &few, HG_BAD_SHAPE, { "decoder layer 2 (dense)", "700", "1x28x28", "784", "128, 700" } },
        { &falling, HG_BAD_ARGUMENT, { "scale", "1 to -1" } },
        { &bad_loss, HG_BAD_ARGUMENT, { "huber", "delta is -1" } },
        { &bad_penalty, HG_BAD_ARGUMENT, { "weight_decay", "weight is -1" } },
        { &gives_nothing, HG_BAD_ARGUMENT, { "encoder layer 1 (custom)", "no tensor" } },
        { &loses_batch, HG_BAD_SHAPE, { "encoder layer 1 (custom)", "columns" } },
        { &huge, HG_BAD_SHAPE, { "62 bits" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_model *model = hg_model_new(rows[i].declaration, HG_F32, 1);
        assert_int_equal(hg_model_status(model), rows[i].status);
        assert_words(hg_model_error(model), rows[i].words);
        hg_model_clear_error(model); /* there is nothing to go on with */
        assert_int_equal(hg_model_status(model), rows[i].status);
        assert_int_equal(hg_model_save(model, in_scratch("never")), rows[i].status);
        assert_int_equal(access(in_scratch("never"), F_OK), -1);
        hg_model_free(model);
    }
    assert_string_not_equal(hg_model_error(NULL), "");
}

static void parts_are_named_and_shaped(void **state)
{
    (void)state;
    hg_model *model = hg_model_new(&small, HG_F32, 1);
    assert_string_equal(hg_model_error(model), "");
    const hg_parts *parts = hg_model_parts(model);
    static const char *const names[] = { "encoder/1/weight", "encoder/1/bias", "decoder/1/weight", "decoder/1/bias" };
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(hg_tensor_name(hg_graph_parameter(hg_model_graph(model), i)), names[i]);
    assert_null(hg_graph_parameter(hg_model_graph(model), COUNT(names)));
    assert_true(hg_shape_equal(hg_tensor_shape(parts->input), &HG_SHAPE(1, 3, 4, HG_BATCH)));
    assert_true(hg_shape_equal(hg_tensor_shape(parts->reconstruction), &HG_SHAPE(1, 3, 4, HG_BATCH)));
    assert_true(hg_shape_equal(hg_tensor_shape(parts->code), &HG_SHAPE(5, HG_BATCH)));
    assert_non_null(parts->logits); /* the loss does not go through the sigmoid */
    assert_int_equal(hg_model_code_size(model), 5);
    assert_int_equal(hg_model_input_size(model), 12);
    assert_int_equal(hg_model_seed(model), 1);
    hg_model_free(model);
}

static void gradients_of_whole_objectives(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &small, &full, &custom };
    for (size_t d = 0; d < COUNT(declarations); d++) {
        hg_check_report report;
        hg_tensor *wrt[8];
        int count = 0;
        hg_model *model = hg_model_new(declarations[d], HG_F64, 5);
        while ((wrt[count] = hg_graph_parameter(hg_model_graph(model), (size_t)count)) != NULL)
            count++;
        double x[12 * 5];
        for (int i = 0; i < 12 * 5; i++)
            x[i] = 0.5 + 0.45 * sin(i);
        const hg_check_input input = { hg_model_parts(model)->input, x };
        hg_status status = hg_gradcheck(hg_model_parts(model)->objective, count, wrt,
                                        &(hg_check_options){ .order = 2, .inputs = 1, .input = &input }, &report);
        if (status != HG_OK)
            fail_msg("%s: %s", declarations[d]->name, report.text);
        hg_model_free(model);
    }
}

static void weight_decay_spares_biases(void **state)
{
    (void)state;
    hg_model *model = hg_model_new(&small, HG_F64, 1);
    const hg_parts *parts = hg_model_parts(model);
    hg_tensor *penalty = hg_sub(parts->objective, parts->loss), *gradient[4], *wrt[4];
    double ones[12];
    for (int i = 0; i < 12; i++)
        ones[i] = 1;
    for (int i = 0; i < 4; i++) {
        wrt[i] = hg_graph_parameter(hg_model_graph(model), (size_t)i);
        if (i % 2 == 1) /* biases, which start at 0 */
            hg_write(wrt[i], ones, (size_t)hg_shape_count(hg_tensor_shape(wrt[i]), 1));
    }
    assert_int_equal(hg_grad(penalty, 4, wrt, gradient), HG_OK);
    hg_plan *plan = hg_plan_new(hg_model_graph(model), 4, gradient, NULL);
    double zeros[12] = { 0 };
    if (hg_plan_data(plan, parts->input) != NULL)
        hg_plan_write(plan, parts->input, zeros, 12);
    assert_int_equal(hg_run(plan), HG_OK);
    for (int i = 0; i < 4; i++) {
        double value[60], g[60];
        size_t count = (size_t)hg_shape_count(hg_tensor_shape(wrt[i]), 1);
        hg_read(wrt[i], value, count);
        hg_plan_read(plan, gradient[i], g, count);
        for (size_t k = 0; k < count; k++)
            assert_true(fabs(g[k] - (i % 2 == 0 ? 0.01 * value[k] : 0)) < 1e-12);
    }
    hg_plan_free(plan);
    hg_model_free(model);
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static void json_goes_there_and_back(void **state)
{
    (void)state;
    const hg_autoencoder *declarations[32] = { &small, &full };
    size_t count = 2;
    for (size_t i = 0; hg_autoencoder_at(i) != NULL; i++) {
        assert_ptr_equal(hg_autoencoder_find(hg_autoencoder_at(i)->name), hg_autoencoder_at(i));
        declarations[count++] = hg_autoencoder_at(i);
    }
    assert_null(hg_autoencoder_find("nothing"));
    for (size_t i = 0; i < count; i++) {
        hg_error error = { 0 };
        char *text = hg_autoencoder_to_json(declarations[i], 2);
        write_bytes(in_scratch("a.json"), text, strlen(text));
        hg_autoencoder *again = hg_autoencoder_open(in_scratch("a.json"), &error);
        assert_string_equal(error.text, "");
        char *text_again = hg_autoencoder_to_json(again, 2);
        assert_string_equal(text, text_again);
        hg_model *model = hg_model_new(again, HG_F32, 1);
        assert_string_equal(hg_model_error(model), "");
        hg_model_free(model);
        hg_autoencoder_free(again);
        free(text_again);
        free(text);
    }
    hg_autoencoder_free(NULL);
}

static void fields_of_full_are_kept(void **state)
{
    (void)state;
    static const char *const words[] = {
        "\"with \\\"all\\\" fields\"", "[12]", "\"leaky_relu\"", "[\"uniform\", 0.25]", "\"no_bias\": true", "\"tanh\"",
        "[\"orthogonal\", 0.5]", "\"function\": \"linear\"", "[-1.0, 1.0]", "\"delta\": 0.75", "\"weight\": 0.25", NULL };
    char *text = hg_autoencoder_to_json(&full, 0);
    assert_words(text, words);
    free(text);
}

/* ---- How it is trained ----------------------------------------------------------------------------------- */

/* clang-format off */
static const hg_autoencoder
    settled = { .name = "settled", .input = { 12 }, .encoder = { HG_DENSE(5), HG_DENSE(3) }, .decoder = HG_MIRROR,
                .training = { .epochs = 7, .batch = 10, .optimizer = HG_SGD(.rate = 0.015625, .momentum = 0.5),
                              .schedule = HG_STEP_DECAY(2, .factor = 0.5), .warm_up = 1.5 },
                .pretraining = { { .corrupt = HG_GAUSSIAN(0.1), .penalties = { HG_L1(0.5), HG_CONTRACTIVE(0.01) } },
                                 { .loss = HG_HUBER(2), .epochs = 4, .batch = 3, .optimizer = HG_RMSPROP(.rate = 0.125),
                                   .schedule = HG_COSINE_TO(0.5), .warm_up = 2 } },
                .predictive_sparse = { .sparsity = 0.75, .prediction = 2, .iterations = 9 } },
    unsettled = { .name = "unsettled", .input = { 12 }, .encoder = { HG_DENSE(5) }, .decoder = { HG_DENSE(12) } };
/* clang-format on */

static void settings_are_kept_in_json(void **state)
{
    (void)state;
    static const char *const words[] = {
        "\"training\": {\"epochs\": 7, \"batch\": 10, \"optimizer\": {\"kind\": \"sgd\", \"rate\": 0.015625, \"momentum\": 0.5}, "
        "\"schedule\": {\"kind\": \"step\", \"every\": 2, \"factor\": 0.5}, \"warm_up\": 1.5}",
        "\"pretraining\": [{\"corrupt\": {\"kind\": \"gaussian\", \"deviation\": 0.1",
        "\"penalties\": [{\"kind\": \"l1\", \"beta\": 0.5}, {\"kind\": \"contractive\", \"gamma\": 0.01",
        "\"loss\": {\"kind\": \"huber\", \"delta\": 2.0}, \"epochs\": 4, \"batch\": 3, \"optimizer\": {\"kind\": \"rmsprop\", "
        "\"rate\": 0.125}, \"schedule\": {\"kind\": \"cosine\", \"floor\": 0.5}, \"warm_up\": 2.0}]",
        "\"predictive_sparse\": {\"sparsity\": 0.75, \"prediction\": 2.0, \"iterations\": 9}", NULL };
    char *text = hg_autoencoder_to_json(&settled, 0);
    assert_words(text, words);
    hg_error error = { 0 };
    hg_autoencoder *again = hg_autoencoder_from_json(text, "text", &error);
    assert_string_equal(error.text, "");
    char *text_again = hg_autoencoder_to_json(again, 0);
    assert_string_equal(text, text_again);
    hg_autoencoder_free(again);
    free(text_again);
    free(text);
}

static void settings_are_the_callers_then_the_declarations(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder   *declaration;
        hg_training_settings    given, wanted;
    } rows[] = {
        { &unsettled, { 0 }, { 20, 128, { &hg_adam_optimizer, NULL }, { &hg_constant_schedule, NULL }, 0 } },
        { &settled, { 0 }, { 7, 10, { &hg_sgd_optimizer, NULL }, { &hg_step_schedule, NULL }, 1.5 } },
        { &settled, { 3, 4, { &hg_adagrad_optimizer, NULL }, { &hg_cosine_schedule, NULL }, 2 },
          { 3, 4, { &hg_adagrad_optimizer, NULL }, { &hg_cosine_schedule, NULL }, 2 } },
        { &settled, { .optimizer = { &hg_rmsprop_optimizer, NULL } },
          { 7, 10, { &hg_rmsprop_optimizer, NULL }, { &hg_step_schedule, NULL }, 1.5 } },
        /* no warm-up is longer than a training, unless it is asked for */
        { &settled, { .epochs = 1 }, { 1, 10, { &hg_sgd_optimizer, NULL }, { &hg_step_schedule, NULL }, 1 } },
        { &settled, { .epochs = 1, .warm_up = 3 }, { 1, 10, { &hg_sgd_optimizer, NULL }, { &hg_step_schedule, NULL }, 3 } },
        /* there is no rate to schedule */
        { &settled, { .optimizer = { &hg_lbfgs_optimizer, NULL } },
          { 7, 10, { &hg_lbfgs_optimizer, NULL }, { &hg_constant_schedule, NULL }, 0 } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_training_settings got = hg_settings_for(rows[i].declaration, rows[i].given), want = rows[i].wanted;
        assert_int_equal(got.epochs, want.epochs);
        assert_int_equal(got.batch, want.batch);
        assert_ptr_equal(got.optimizer.kind, want.optimizer.kind);
        assert_ptr_equal(got.schedule.kind, want.schedule.kind);
        assert_true(got.warm_up == want.warm_up);
    }
}

static void keep_report(const hg_report *report, void *to)
{
    *(hg_report *)to = *report;
}

static void a_training_takes_them(void **state)
{
    (void)state;
    float samples[25 * 12];
    for (int i = 0; i < 25 * 12; i++)
        samples[i] = (float)sin(i);
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(12), 25, HG_F32, samples, NULL);
    hg_model *model = hg_model_new(&settled, HG_F32, 1);
    hg_report last = { 0 };
    if (hg_train(model, data, &(hg_training){ .progress = keep_report, .progress_to = &last }) != HG_OK)
        fail_msg("%s", hg_model_error(model));
    assert_int_equal(last.epoch, 7);
    assert_int_equal(last.steps, 3);
    assert_true(last.rate == 0.015625 / 8);
    const hg_training full_batch = { .epochs = 2, .optimizer = { &hg_lbfgs_optimizer, NULL }, .progress = keep_report, .progress_to = &last };
    if (hg_train(model, data, &full_batch) != HG_OK)
        fail_msg("%s", hg_model_error(model));
    assert_true(last.epoch == 2 && last.rate == 0);
    hg_model_free(model);
    hg_dataset_free(data);
}

/* How it is trained may change between saving and opening; what it is may not. */
static void settings_do_not_make_another_model(void **state)
{
    (void)state;
    hg_autoencoder later = custom, other = custom;
    later.training.epochs = 3;
    later.pretraining[0].epochs = 2;
    other.encoder[1] = (hg_layer){ 0 };
    hg_model *model = hg_model_new(&custom, HG_F32, 1);
    assert_int_equal(hg_model_save(model, in_scratch("m.safetensors")), HG_OK);
    hg_model_free(model);
    model = hg_model_open(in_scratch("m.safetensors"), &later);
    assert_string_equal(hg_model_error(model), "");
    hg_model_free(model);
    model = hg_model_open(in_scratch("m.safetensors"), &other);
    assert_words(hg_model_error(model), (const char *const[]){ "another declaration", NULL });
    hg_model_free(model);
}

#define START "{\"name\": \"a\", \"input\": [4], \"encoder\": [\"dense\"], "
#define LAYERS(first) "{\"name\": \"a\", \"input\": [4], \"decoder\": [{\"kind\": \"dense\", \"units\": 4}], \"encoder\": [" first "]}"
#define WITH(field) "{\"name\": \"a\", \"input\": [4], \"encoder\": [{\"kind\": \"dense\", \"units\": 2}], " \
    "\"decoder\": [{\"kind\": \"dense\", \"units\": 4}], " field "}"

static void wrong_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *const words[5];
    } rows[] = {
        { "", { "line" } },
        { "{\n\"name\": }", { "line 2" } },
        { "[]", { "an array" } },
        { "{\"name\": \"a\", \"name\": \"b\"}", { "duplicate" } },
        { "{}", { "\"name\"", "missing" } },
        { "{\"name\": \"a\"}", { "\"input\"", "missing" } },
        { "{\"name\": 3}", { "name", "string" } },
        { "{\"name\": \"\"}", { "name", "string" } },
        { "{\"name\": \"a\", \"input\": 784}", { "input", "array" } },
        { "{\"name\": \"a\", \"input\": []}", { "input", "array" } },
        { "{\"name\": \"a\", \"input\": [1, 2, 3, 4, 5, 6, 7, 8]}", { "input", "1 to 7" } },
        { "{\"name\": \"a\", \"input\": [1, 2.5]}", { "input", "dimension 2" } },
        { "{\"name\": \"a\", \"input\": [0]}", { "input", "dimension 1" } },
        { WITH("\"encoders\": []"), { "\"encoders\"", "name, description, input, encoder" } },
        { LAYERS(""), { NULL } }, /* reads, but does not build */
        { LAYERS("3"), { "encoder layer 1", "kind", "dense" } },
        { LAYERS("{\"units\": 3}"), { "encoder layer 1", "\"kind\"" } },
        { LAYERS("{\"kind\": \"dens\", \"units\": 3}"), { "encoder layer 1", "\"dens\"", "dense, custom" } },
        { LAYERS("{\"kind\": \"dense\", \"unit\": 3}"), { "encoder layer 1 (dense)", "\"unit\"", "units, act, init" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3.0}"), { "encoder layer 1 (dense)", "units", "integer", "a number" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": \"3\"}"), { "encoder layer 1 (dense)", "units", "integer", "\"3\"" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 0}"), { "encoder layer 1 (dense)", "units is 0", "[1, inf)" } },
        { LAYERS("{\"kind\": \"dense\"}"), { "encoder layer 1 (dense)", "units is 0" } },
        { LAYERS("\"dense\", 3"), { "encoder layer 1 (dense)", "units is 0" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3, \"act\": \"rely\"}"), { "act", "activation", "\"rely\"" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3, \"act\": \"custom\"}"), { "act", "declaration" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3, \"no_bias\": 1}"), { "no_bias", "true or false", "an integer" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3, \"init\": [\"uniform\"]}"), { "init", "initialiser" } },
        { LAYERS("{\"kind\": \"dense\", \"units\": 3, \"init\": [\"uniform\", \"x\"]}"), { "init", "initialiser" } },
        { WITH("\"scale\": [1]"), { "scale", "[low, high]" } },
        { WITH("\"scale\": [1, 1]"), { "scale", "rise" } },
        { WITH("\"loss\": \"squared\""), { "loss", "\"squared\"", "squared_error" } },
        { WITH("\"loss\": {\"kind\": \"huber\", \"delta\": 0}"), { "loss (huber)", "delta is 0" } },
        { WITH("\"penalties\": {}"), { "penalties", "array" } },
        { WITH("\"penalties\": [\"weight_decay\", {\"kind\": \"weight_decay\", \"weight\": -1}]"),
          { "penalty 2 (weight_decay)", "weight is -1" } },
        { WITH("\"tied\": 1"), { "tied must be true or false", "an integer" } },
        { WITH("\"training\": 5"), { "training", "is an object", "an integer" } },
        { WITH("\"training\": {}"), { "training says nothing" } },
        { WITH("\"training\": {\"epoch\": 5}"),
          { "\"epoch\" is not a field of training", "epochs, batch, optimizer, schedule, warm_up" } },
        { WITH("\"training\": {\"epochs\": 0}"), { "training: epochs is 0", "[1, inf)" } },
        { WITH("\"training\": {\"optimizer\": \"adma\"}"), { "training: optimizer", "\"adma\"", "adam, adamw" } },
        { WITH("\"training\": {\"optimizer\": {\"kind\": \"sgd\", \"rate\": 0}}"),
          { "training: optimizer (sgd)", "rate is 0", "(0, inf)" } },
        { WITH("\"training\": {\"schedule\": \"step\"}"), { "training: schedule (step)", "every is 0" } },
        { WITH("\"pretraining\": {}"), { "pretraining must be an array", "an object" } },
        { WITH("\"pretraining\": [{}, {}]"), { "pretraining says nothing" } },
        { WITH("\"pretraining\": [{\"epochs\": 2}, {\"corupt\": \"masking\"}]"),
          { "pretraining layer 2: \"corupt\" is not a field of a layer's pre-training", "corrupt, penalties, loss" } },
        { WITH("\"pretraining\": [{\"penalties\": [{\"kind\": \"l1\", \"beta\": -1}]}]"),
          { "pretraining layer 1: penalty 1 (l1)", "beta is -1" } },
        { WITH("\"pretraining\": [{\"corrupt\": {\"kind\": \"masking\", \"probability\": 2}}]"),
          { "pretraining layer 1: corrupt (masking)", "probability is 2" } },
        { WITH("\"predictive_sparse\": {\"sparsity\": -1}"), { "predictive_sparse: sparsity is -1", "(0, inf)" } },
        { WITH("\"predictive_sparse\": {\"lambda\": 1}"), { "\"lambda\"", "sparsity, prediction, iterations" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_error error = { 0 };
        hg_autoencoder *declaration = hg_autoencoder_from_json(rows[i].text, "FILE", &error);
        if (rows[i].words[0] == NULL) {
            assert_non_null(declaration);
            hg_autoencoder_free(declaration);
            continue;
        }
        assert_null(declaration);
        assert_int_equal(error.status, HG_BAD_FILE);
        assert_words(error.text, (const char *const[]){ "FILE", NULL });
        assert_words(error.text, rows[i].words);
    }
    hg_error error = { 0 };
    assert_null(hg_autoencoder_open(in_scratch("missing.json"), &error));
    assert_int_equal(error.status, HG_CANNOT_READ);
    assert_says(error.text, "missing.json", "No such file");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_keep_their_rules),
        cmocka_unit_test(ranges),
        cmocka_unit_test(specs_are_set_from_text),
        cmocka_unit_test(activations_have_names),
        cmocka_unit_test(wrong_declarations_are_refused),
        cmocka_unit_test(parts_are_named_and_shaped),
        cmocka_unit_test(gradients_of_whole_objectives),
        cmocka_unit_test(weight_decay_spares_biases),
        cmocka_unit_test(json_goes_there_and_back),
        cmocka_unit_test(fields_of_full_are_kept),
        cmocka_unit_test(settings_are_kept_in_json),
        cmocka_unit_test(settings_are_the_callers_then_the_declarations),
        cmocka_unit_test(a_training_takes_them),
        cmocka_unit_test(settings_do_not_make_another_model),
        cmocka_unit_test(wrong_json_is_refused),
    };
    return cmocka_run_group_tests_name("declaration", tests, make_scratch, remove_scratch);
}
