/* Stacked pre-training (T14) against its layers trained by hand, and the classifiers on a code. */
#include "autoencoders.h"

#include <hourglass/io.h>
#include <hourglass/stack.h>

#include <math.h>

/* clang-format off */
#define UNITS(n) HG_DENSE(n, .act = hg_sigmoid)
static const hg_autoencoder
    whole = { .name = "whole", .input = { 1, 28, 28 }, .encoder = { UNITS(20), HG_DENSE(8, .act = hg_relu), UNITS(5) },
              .decoder = HG_MIRROR, .loss = HG_BINARY_CROSS_ENTROPY },
    first = { .name = "first", .input = { 1, 28, 28 }, .encoder = { UNITS(20) }, .decoder = { UNITS(784) },
              .corrupt = HG_MASKING(0.2), .loss = HG_BINARY_CROSS_ENTROPY },
    second = { .name = "second", .input = { 20 }, .encoder = { HG_DENSE(8, .act = hg_relu) }, .decoder = { UNITS(20) },
               .loss = HG_BINARY_CROSS_ENTROPY, .penalties = { HG_L1(0.1) } },
    third = { .name = "third", .input = { 8 }, .encoder = { UNITS(5) }, .decoder = { HG_DENSE(8, .act = hg_relu) },
              .loss = HG_SQUARED_ERROR },
    tied = { .name = "tied", .input = { 1, 28, 28 }, .encoder = { UNITS(12), UNITS(6) }, .decoder = HG_MIRROR, .tied = true },
    images = { .name = "images", .input = { 1, 28, 28 },
               .encoder = { HG_CONV2D(4, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                            HG_CONV2D(2, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu) },
               .decoder = HG_MIRROR_TO(hg_sigmoid) },
    normed = { .name = "normed", .input = { 1, 28, 28 },
               .encoder = { HG_DENSE(20), HG_BATCH_NORM(hg_relu), HG_DENSE(10), HG_BATCH_NORM(hg_relu) },
               .decoder = { HG_BATCH_NORM(hg_relu), HG_DENSE(20, .act = hg_relu), HG_BATCH_NORM(hg_relu),
                            HG_DENSE(784, .act = hg_sigmoid) } },
    longer = { .name = "longer", .input = { 1, 28, 28 }, .encoder = { UNITS(20), UNITS(20) },
               .decoder = { HG_DROPOUT(0.1), UNITS(20), UNITS(30), UNITS(784) } },
    crooked = { .name = "crooked", .input = { 1, 28, 28 }, .encoder = { UNITS(20), UNITS(5) }, .decoder = { UNITS(784) } },
    short_of_one = { .name = "short", .input = { 1, 28, 28 }, .encoder = { UNITS(784), UNITS(5) }, .decoder = { UNITS(784) } },
    declared = { .name = "whole", .input = { 1, 28, 28 }, .encoder = { UNITS(20), HG_DENSE(8, .act = hg_relu), UNITS(5) },
                 .decoder = HG_MIRROR, .loss = HG_BINARY_CROSS_ENTROPY,
                 .pretraining = { { .corrupt = HG_MASKING(0.2), .epochs = 3 }, { .penalties = { HG_L1(0.1) }, .batch = 50 },
                                  { .optimizer = HG_SGD(.rate = 0.5) } },
                 .training = { .epochs = 2, .batch = 64, .optimizer = HG_ADAM(.rate = 0.01) } };
static const hg_stack
    three = { .autoencoder = &whole,
              .layer = { { .corrupt = HG_MASKING(0.2), .epochs = 3 }, { .penalties = { HG_L1(0.1) }, .batch = 50 },
                         { .optimizer = HG_SGD(.rate = 0.5) } } },
    four = { .autoencoder = &whole, .layer = { [3] = { .epochs = 1 } } },
    wild = { .autoencoder = &whole, .layer = { { .epochs = 1 }, { .optimizer = HG_SGD(.rate = 1e30) } } };
/* clang-format on */

typedef struct seen {
    int     layers, epochs[4], begun;
    int64_t most[4], input[4], code[4];
} seen;

static void begin(int layer, int layers, hg_model *own, const hg_dataset *data, void *to)
{
    seen *s = to;
    assert_int_equal(layer, ++s->begun);
    assert_int_equal(layers, 3);
    assert_int_equal(hg_model_check_data(own, data), HG_OK);
    s->input[layer] = hg_model_input_size(own);
    s->code[layer] = hg_model_code_size(own);
}

static void watch(int layer, int layers, const hg_report *report, void *to)
{
    seen *s = to;
    s->layers = layers;
    if (s->begun > 0)
        assert_int_equal(layer, s->begun);
    s->epochs[layer] += report->epoch_done;
    s->most[layer] = report->epochs;
}

static const hg_training usual = { .epochs = 2, .batch = 64, .optimizer = HG_ADAM(.rate = 0.01) };

static hg_tensor *find(hg_model *model, const char *name)
{
    hg_tensor *t = hg_graph_find(hg_model_graph(model), name);
    assert_non_null(t);
    return t;
}

static size_t bytes(const hg_tensor *t)
{
    return (size_t)hg_shape_count(hg_tensor_shape(t), 1) * sizeof(float);
}

/* One layer by hand: from the untrained whole's parameters, on codes; then compared with the pre-trained whole. */
static hg_dataset *by_hand(hg_model *fresh, hg_model *trained, const hg_autoencoder *declaration, int layer,
                           const hg_training *training, const hg_dataset *data)
{
    char name[64], own[64];
    hg_model *one = hg_model_new(declaration, HG_F32, 1);
    static const char *const kinds[] = { "weight", "bias" };
    for (int pass = 0; pass < 2; pass++) { /* copy, train, compare */
        for (int side = 0; side < 2; side++)
            for (int k = 0; k < 2; k++) {
                snprintf(own, sizeof own, "%s/1/%s", side == 0 ? "encoder" : "decoder", kinds[k]);
                snprintf(name, sizeof name, "%s/%d/%s", side == 0 ? "encoder" : "decoder", side == 0 ? layer : 4 - layer, kinds[k]);
                hg_tensor *mine = find(one, own);
                if (pass == 0)
                    memcpy(hg_data(mine), hg_data(find(fresh, name)), bytes(mine));
                else if (memcmp(hg_data(mine), hg_data(find(trained, name)), bytes(mine)) != 0)
                    fail_msg("layer %d: %s differs", layer, name);
            }
        if (pass == 0 && hg_train(one, data, training) != HG_OK)
            fail_msg("%s", hg_model_error(one));
    }
    int64_t count = hg_dataset_count(data), size = hg_model_code_size(one);
    double *codes = malloc((size_t)(count * size) * sizeof *codes);
    float *samples = malloc((size_t)(count * size) * sizeof *samples);
    assert_int_equal(hg_model_encode(one, data, 0, count, codes), HG_OK);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < size; j++)
            samples[i * size + j] = (float)codes[j * count + i];
    hg_dataset *next = hg_dataset_new(&HG_SHAPE(size), count, HG_F32, samples, NULL);
    free(codes);
    free(samples);
    hg_model_free(one);
    return next;
}

/* More samples than are encoded at a time, so that blocks are joined right. */
static void each_layer_is_an_autoencoder_on_codes(void **state)
{
    (void)state;
    seen s = { 0 };
    hg_dataset *data = hg_dataset_open("digits:count=1100", NULL);
    hg_model *fresh = hg_model_new(&whole, HG_F32, 1), *trained = hg_model_new(&whole, HG_F32, 1);
    assert_int_equal(hg_pretrained_layers(trained), 3);
    if (hg_pretrain(trained, &three, data, &(hg_stack_training){ usual, watch, &s, begin }) != HG_OK)
        fail_msg("%s", hg_model_error(trained));
    assert_int_equal(s.layers, 3);
    assert_memory_equal(s.input, ((int64_t[]){ 0, 784, 20, 8 }), sizeof s.input);
    assert_memory_equal(s.code, ((int64_t[]){ 0, 20, 8, 5 }), sizeof s.code);
    assert_int_equal(s.epochs[1], 3);
    assert_int_equal(s.epochs[2], 2);
    assert_int_equal(s.epochs[3], 2);
    assert_int_equal(s.most[1], 3);
    hg_training one = usual, two = usual, three_ = usual;
    one.epochs = 3;
    two.batch = 50;
    three_.optimizer = (hg_optimizer)HG_SGD(.rate = 0.5);
    hg_dataset *codes = by_hand(fresh, trained, &first, 1, &one, data);
    hg_dataset *higher = by_hand(fresh, trained, &second, 2, &two, codes);
    hg_dataset_free(by_hand(fresh, trained, &third, 3, &three_, higher));
    hg_dataset_free(higher);
    hg_dataset_free(codes);
    hg_model_free(fresh);
    hg_model_free(trained);
    hg_dataset_free(data);
}

/* A declaration's settings and JSON's are those of a stack. */
static void the_declaration_says_how(void **state)
{
    (void)state;
    hg_error error = { 0 };
    char *text = hg_autoencoder_to_json(&declared, 0);
    hg_autoencoder *read = hg_autoencoder_from_json(text, "text", &error);
    assert_string_equal(error.text, "");
    assert_int_equal(hg_pretraining_count(read->pretraining), 3);
    hg_dataset *data = hg_dataset_open("digits:count=200", NULL);
    hg_model *wanted = hg_model_new(&whole, HG_F32, 1);
    assert_int_equal(hg_pretrain(wanted, &three, data, &(hg_stack_training){ .training = usual }), HG_OK);
    const hg_autoencoder *const forms[] = { &declared, read };
    for (size_t f = 0; f < COUNT(forms); f++) {
        hg_tensor *one;
        hg_model *model = hg_model_new(forms[f], HG_F32, 1);
        if (hg_pretrain(model, NULL, data, &(hg_stack_training){ .progress = NULL }) != HG_OK)
            fail_msg("%s", hg_model_error(model));
        for (size_t i = 0; (one = hg_graph_parameter(hg_model_graph(model), i)) != NULL; i++)
            assert_memory_equal(hg_data(one), hg_data(find(wanted, hg_tensor_name(one))), bytes(one));
        hg_model_free(model);
    }
    hg_model_free(wanted);
    hg_dataset_free(data);
    hg_autoencoder_free(read);
    free(text);
}

static double error_of(hg_model *model, const hg_dataset *data)
{
    hg_evaluation e;
    if (hg_model_evaluate(model, data, &e) != HG_OK)
        fail_msg("%s", hg_model_error(model));
    return e.errors.mean_squared_error;
}

static void pre_training_helps(void **state)
{
    const struct {
        const hg_autoencoder *autoencoder;
        int                   layers;
    } cases[] = { { &whole, 3 }, { &tied, 2 }, { &images, 2 }, { &normed, 2 }, { &longer, 2 },
                  { hg_autoencoder_find("convolutional"), 2 }, { hg_autoencoder_find("convolutional-deep"), 4 } };
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=600", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_model *model = hg_model_new(cases[i].autoencoder, HG_F32, 1);
        assert_int_equal(hg_pretrained_layers(model), cases[i].layers);
        double before = error_of(model, data);
        const hg_stack stack = { .autoencoder = cases[i].autoencoder };
        hg_training training = usual;
        training.epochs = 10;
        training.batch = 20;
        if (hg_pretrain(model, &stack, data, &(hg_stack_training){ .training = training }) != HG_OK)
            fail_msg("%s", hg_model_error(model));
        if (!(error_of(model, data) < 0.7 * before))
            fail_msg("%s: %g from %g", cases[i].autoencoder->name, error_of(model, data), before);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

static void validation_data_climb_too(void **state)
{
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=200", NULL), *valid = hg_dataset_open("digits:count=30,seed=5", NULL);
    hg_model *model = hg_model_new(&whole, HG_F32, 1);
    hg_training training = usual;
    training.valid = valid;
    training.patience = 1;
    assert_int_equal(hg_pretrain(model, &three, data, &(hg_stack_training){ .training = training }), HG_OK);
    hg_model_free(model);
    hg_dataset_free(valid);
    hg_dataset_free(data);
}

static void refusals(void **state)
{
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=100", NULL);
    hg_model *model = hg_model_new(&crooked, HG_F32, 1);
    assert_int_equal(hg_pretrained_layers(model), 0);
    assert_words(hg_model_error(model), (const char *const[]){ "encoder layer 2 (dense) of \"crooked\" sees 20",
                                                               "the decoder's layers give 784", NULL });
    hg_model_free(model);
    model = hg_model_new(&short_of_one, HG_F32, 1);
    assert_int_equal(hg_pretrained_layers(model), 0);
    assert_words(hg_model_error(model), (const char *const[]){ "encoder layer 1 (dense) of \"short\" sees 1x28x28", NULL });
    hg_model_free(model);
    model = hg_model_new(&whole, HG_F32, 1);
    assert_int_equal(hg_pretrain(model, &four, data, &(hg_stack_training){ .training = usual }), HG_BAD_ARGUMENT);
    assert_words(hg_model_error(model), (const char *const[]){ "settings for 4 layers", "\"whole\" has 3", NULL });
    hg_model_free(model);
    model = hg_model_new(&tied, HG_F32, 1);
    assert_int_equal(hg_pretrain(model, &three, data, &(hg_stack_training){ .training = usual }), HG_BAD_ARGUMENT);
    assert_words(hg_model_error(model), (const char *const[]){ "one of \"whole\"", "is \"tied\"", NULL });
    hg_model_free(model);
    /* a failure names the layer */
    model = hg_model_new(&whole, HG_F32, 1);
    assert_int_equal(hg_pretrain(model, &wild, data, &(hg_stack_training){ .training = usual }), HG_DIVERGED);
    assert_words(hg_model_error(model), (const char *const[]){ "layer 2 of 3", "diverged", NULL });
    hg_model_free(model);
    hg_dataset_free(data);
}

/* ---- Classifiers ---------------------------------------------------------------------------------------- */

static const hg_autoencoder narrow = { .name = "narrow", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(40, .act = hg_relu) },
                                       .decoder = HG_MIRROR, .corrupt = HG_MASKING(0.5) };

static void keep_loss(const hg_report *report, void *to)
{
    ((double *)to)[report->epoch - 1] = report->train_loss;
}

static void a_classifier_learns(void **state)
{
    double before, after, loss[5] = { 0 }, *decoder[2];
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=1500", NULL);
    hg_model *model = hg_model_new(&narrow, HG_F32, 1);
    hg_classifier *classifier = hg_classifier_new(model, hg_dataset_classes(data));
    hg_tensor *untouched = find(model, "decoder/1/weight");
    for (int i = 0; i < 2; i++)
        decoder[i] = malloc(784 * 40 * sizeof **decoder);
    hg_read(untouched, decoder[0], 784 * 40);
    assert_int_equal(hg_classifier_error_rate(classifier, data, &before), HG_OK);
    hg_status status = hg_classifier_train(classifier, data, &(hg_classifier_training){ .epochs = 5, .batch = 20, .progress = keep_loss,
                                                                                      .progress_to = loss });
    if (status != HG_OK)
        fail_msg("%s", hg_model_error(model));
    assert_int_equal(hg_classifier_error_rate(classifier, data, &after), HG_OK);
    assert_true(before > 0.8 && after < 0.1);
    /* the first epoch's mean is below that of a head at 0, log 10 */
    assert_true(loss[0] < log(10) && loss[4] < loss[0] / 2);
    hg_read(untouched, decoder[1], 784 * 40);
    assert_memory_equal(decoder[0], decoder[1], 784 * 40 * sizeof **decoder);
    assert_int_equal(hg_classifier_save(classifier, in_scratch("head.safetensors")), HG_OK);
    hg_error error = { 0 };
    hg_safetensors *file = hg_safetensors_open(in_scratch("head.safetensors"), &error);
    assert_non_null(file);
    assert_non_null(hg_safetensors_find(file, "head/weight"));
    assert_non_null(hg_safetensors_find(file, "head/bias"));
    hg_safetensors_free(file);
    for (int i = 0; i < 2; i++)
        free(decoder[i]);
    hg_classifier_free(classifier);
    hg_model_free(model);
    hg_dataset_free(data);
}

static void classifiers_need_labels(void **state)
{
    const float samples[2 * 784] = { 1 };
    const int64_t far[2] = { 0, 11 };
    (void)state;
    const struct {
        int64_t        classes;
        const int64_t *labels;
        const char    *word;
    } cases[] = { { 10, NULL, "have none" }, { 10, far, "label is 11" }, { 1, far, "two classes" } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_dataset *data = hg_dataset_new(&HG_SHAPE(784), 2, HG_F32, samples, cases[i].labels);
        hg_model *model = hg_model_new(&narrow, HG_F32, 1);
        hg_classifier *classifier = hg_classifier_new(model, cases[i].classes);
        assert_int_equal(hg_classifier_train(classifier, data, &(hg_classifier_training){ .epochs = 1 }), HG_BAD_DATA);
        assert_words(hg_model_error(model), (const char *const[]){ cases[i].word, NULL });
        hg_classifier_free(classifier);
        hg_model_free(model);
        hg_dataset_free(data);
    }
}

static const hg_autoencoder same = { .name = "same", .input = { 1 }, .encoder = { HG_CUSTOM(hg_identity) },
                                     .decoder = { HG_CUSTOM(hg_identity) } };

/* On a line: class 0 around 0 and class 2 around 10, and nothing of class 1; 4 is nearer to 0, 6 to 10. */
static void nearest_mean(void **state)
{
    const double known[] = { -1, 1, 9, 11 }, asked[] = { 4, 6, 6, 20 };
    double rate;
    (void)state;
    hg_dataset *a = hg_dataset_new(&HG_SHAPE(1), 4, HG_F64, known, (const int64_t[]){ 0, 0, 2, 2 });
    hg_dataset *b = hg_dataset_new(&HG_SHAPE(1), 4, HG_F64, asked, (const int64_t[]){ 0, 2, 0, 2 });
    hg_model *model = hg_model_new(&same, HG_F64, 1);
    assert_int_equal(hg_nearest_mean_error_rate(model, a, b, &rate), HG_OK);
    assert_true(rate == 0.25);
    hg_model_free(model);
    hg_dataset_free(a);
    hg_dataset_free(b);
}

static void the_library_has_a_stack(void **state)
{
    (void)state;
    assert_int_equal(hg_pretraining_count(hg_autoencoder_find("stacked")->pretraining), 3);
    assert_int_equal(hg_pretraining_count(hg_autoencoder_find("undercomplete")->pretraining), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_layer_is_an_autoencoder_on_codes), cmocka_unit_test(pre_training_helps),
        cmocka_unit_test(the_declaration_says_how),
        cmocka_unit_test(validation_data_climb_too),             cmocka_unit_test(refusals),
        cmocka_unit_test(a_classifier_learns),                   cmocka_unit_test(classifiers_need_labels),
        cmocka_unit_test(nearest_mean),                          cmocka_unit_test(the_library_has_a_stack),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
