/* Each check of the diagnosis fires on a case made for it, says what to change, and is silent on a healthy model. */
#include "autoencoders.h"

#include <hourglass/diagnose.h>

#include <math.h>

/* clang-format off */
#define IMAGE .input = { 1, 28, 28 }
static const hg_autoencoder
    healthy = { .name = "healthy", IMAGE, .encoder = { HG_DENSE(64, .act = hg_tanh), HG_DENSE(16, .act = hg_sigmoid, .init = HG_XAVIER_GAIN(4)) },
                .decoder = HG_MIRROR_TO(hg_sigmoid) },
    reshaped = { .name = "reshaped", IMAGE, .encoder = { HG_DENSE(32, .act = hg_relu) },
                 .decoder = { HG_DENSE(784, .act = hg_sigmoid), HG_RESHAPE(1, 28, 28) }, .loss = HG_BINARY_CROSS_ENTROPY },
    rectified = { .name = "rectified", IMAGE, .encoder = { HG_DENSE(64, .act = hg_relu), HG_DENSE(16) },
                  .decoder = HG_MIRROR_TO(hg_sigmoid) },
    entropy = { .name = "entropy", IMAGE, .encoder = { HG_DENSE(32, .act = hg_relu) }, .decoder = HG_MIRROR,
                .loss = HG_BINARY_CROSS_ENTROPY },
    wide = { .name = "wide", IMAGE, .encoder = { HG_DENSE(784) }, .decoder = HG_MIRROR,
             .penalties = { HG_WEIGHT_DECAY(1e-4) } },
    wide_denoising = { .name = "wide-denoising", IMAGE, .encoder = { HG_DENSE(800) }, .decoder = HG_MIRROR,
                       .corrupt = HG_MASKING(0.3) },
    wide_sparse = { .name = "wide-sparse", IMAGE, .encoder = { HG_DENSE(800, .act = hg_sigmoid) }, .decoder = HG_MIRROR,
                    .penalties = { HG_L1(0.1) } },
    wide_dropout = { .name = "wide-dropout", IMAGE, .encoder = { HG_DROPOUT(0.2), HG_DENSE(800) }, .decoder = { HG_DENSE(784) } },
    sparse = { .name = "sparse", IMAGE, .encoder = { HG_DENSE(16, .act = hg_sigmoid) }, .decoder = HG_MIRROR_TO(hg_sigmoid),
               .penalties = { HG_SPARSE(0.05, 1e-9) } },
    uneven = { .name = "uneven", IMAGE, .encoder = { HG_DENSE(16, .act = hg_sigmoid) }, .decoder = HG_MIRROR_TO(hg_sigmoid),
               .penalties = { HG_SPARSE(0.3, 1e-9) } },
    wide_predictive = { .name = "wide-predictive", IMAGE, .encoder = { HG_DENSE(800, .act = hg_tanh) },
                        .decoder = { HG_DENSE(784, .no_bias = true) }, .predictive_sparse = { .sparsity = 0.3 } },
    images = { .name = "images", IMAGE, .encoder = { HG_CONV2D(6, .kernel = 4, .stride = 4, .act = hg_relu) },
               .decoder = HG_MIRROR_TO(hg_sigmoid) };
/* clang-format on */

/* ---- What is done to a model: every number of a parameter becomes factor * itself + term -------------------- */

typedef struct change {
    const char *name;
    double      factor, term;
} change;

static void apply(hg_model *model, const change *c)
{
    if (c->name == NULL)
        return;
    hg_tensor *t = hg_graph_find(hg_model_graph(model), c->name);
    assert_non_null(t);
    size_t count = (size_t)hg_shape_count(hg_tensor_shape(t), 1);
    double *values = malloc(count * sizeof *values);
    hg_read(t, values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = c->factor * values[i] + c->term;
    hg_write(t, values, count);
    free(values);
}

/* ---- Data: digits, and the same as numbers, times a factor -------------------------------------------------- */

enum { SAMPLES = 400 };

static hg_dataset *make_data(double factor)
{
    static double samples[SAMPLES * 784], columns[784 * SAMPLES];
    hg_dataset *digits = hg_dataset_open("digits:count=400", NULL);
    assert_int_equal(hg_dataset_batch(digits, SAMPLES, NULL, 0, 0, factor, HG_F64, columns), HG_OK);
    hg_dataset_free(digits);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < 784; j++)
            samples[i * 784 + j] = columns[j * SAMPLES + i];
    return hg_dataset_new(&HG_SHAPE(1, 28, 28), SAMPLES, HG_F64, samples, NULL);
}

/* ---- Cases ---------------------------------------------------------------------------------------------- */

enum { MOST_REPORTS = 4 };

typedef struct example {
    const hg_autoencoder *autoencoder;
    int                   epochs; /* that it is trained for */
    double                factor; /* of the data */
    change                changes[3];
    double                losses[MOST_REPORTS]; /* reports of a training, up to the first 0 */
    const char           *name;                 /* what is found; NULL: nothing */
    const char           *words[3];             /* in its sentence */
} example;

static const example examples[] = {
    { .autoencoder = &healthy, .epochs = 8, .factor = 1, .losses = { 9, 8, 7.5, 7.6 } },
    { .autoencoder = &entropy, .epochs = 8, .factor = 1 },
    { .autoencoder = &images, .epochs = 8, .factor = 1 },
    /* pixels may well be black or white throughout */
    { .autoencoder = &reshaped, .epochs = 8, .factor = 1, .changes = { { "decoder/1/weight", 1e3, 0 }, { "decoder/1/bias", 1e3, 0 } } },
    { .autoencoder = &wide_denoising, .epochs = 3, .factor = 1 },
    { .autoencoder = &wide_sparse, .epochs = 3, .factor = 1 },
    { .autoencoder = &wide_dropout, .epochs = 3, .factor = 1 },
    { .autoencoder = &wide_predictive, .epochs = 3, .factor = 1 },
    { .autoencoder = &entropy, .factor = 255, .name = "data_range", .words = { "[0, 255]", "binary_cross_entropy" } },
    { .autoencoder = &healthy, .factor = 255, .name = "data_range", .words = { "[0, 255]", "sigmoid" } },
    { .autoencoder = &wide, .factor = 1, .name = "identity", .words = { "784 numbers", "masking" } },
    { .autoencoder = &healthy, .epochs = 8, .factor = 1, .losses = { 9, 5, 6, 9.5 }, .name = "divergence",
      .words = { "5 in epoch 2", "9.5 in epoch 4" } },
    { .autoencoder = &healthy, .epochs = 3, .factor = 1, .changes = { { "encoder/2/weight", 1e-7, 0 } },
      .name = "collapsed_code", .words = { "collapsed", "lower" } },
    { .autoencoder = &healthy, .factor = 1, .name = "no_better_than_mean", .words = { "mean of the data", "more epochs" } },
    { .autoencoder = &rectified, .epochs = 3, .factor = 1, .changes = { { "encoder/1/bias", 1, -1e6 } }, .name = "dead_units",
      .words = { "64 of the 64", "layer 1" } },
    { .autoencoder = &images, .epochs = 3, .factor = 1, .changes = { { "encoder/1/bias", 1, -1e6 } }, .name = "dead_units",
      .words = { "6 of the 6", "leaky_relu" } },
    { .autoencoder = &rectified, .epochs = 3, .factor = 1, .changes = { { "decoder/1/bias", 1, -1e6 } }, .name = "dead_units",
      .words = { "64 of the 64", "decoder layer 1" } },
    { .autoencoder = &healthy, .epochs = 3, .factor = 1, .changes = { { "encoder/2/bias", 1, 1e3 } },
      .name = "saturated_units", .words = { "16 of the 16 sigmoid", "layer 2" } },
    /* at one end for some samples, at the other for others, and in between for very few */
    { .autoencoder = &healthy, .factor = 1, .changes = { { "encoder/1/weight", 1e4, 0 } }, .name = "saturated_units",
      .words = { "tanh units of encoder layer 1", "smaller" } },
    { .autoencoder = &sparse, .epochs = 3, .factor = 1, .name = "sparsity", .words = { "rho is 0.05", "raise beta" } },
    /* about half of the units always, half of them never: right on average, and nowhere else */
    { .autoencoder = &uneven, .factor = 1, .changes = { { "encoder/1/weight", 1e4, 0 } }, .name = "sparsity",
      .words = { "rho is 0.3", "of the 16 units" } },
};

static const char *find(const hg_diagnoses *d, const char *name)
{
    for (int i = 0; i < d->count; i++)
        if (strcmp(d->found[i].name, name) == 0)
            return d->found[i].text;
    return NULL;
}

static void run(const example *e, hg_diagnoses *d)
{
    hg_report reports[MOST_REPORTS] = { { 0 } };
    int epochs = 0;
    hg_dataset *data = make_data(e->factor);
    hg_model *model = hg_model_new(e->autoencoder, HG_F32, 1);
    if (e->epochs > 0
        && hg_train(model, data, &(hg_training){ .epochs = e->epochs, .batch = 10, .optimizer = HG_ADAM(.rate = 3e-3) }) != HG_OK)
        fail_msg("%s", hg_model_error(model));
    for (size_t i = 0; i < COUNT(e->changes); i++)
        apply(model, &e->changes[i]);
    for (; epochs < MOST_REPORTS && e->losses[epochs] != 0; epochs++)
        reports[epochs].train_loss = e->losses[epochs];
    if (hg_diagnose(model, data, epochs, reports, d) != HG_OK)
        fail_msg("%s", hg_model_error(model));
    hg_model_free(model);
    hg_dataset_free(data);
}

static void each_fires_where_it_should(void **state)
{
    hg_diagnoses d;
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const example *e = &examples[i];
        run(e, &d);
        if (e->name == NULL && d.count > 0)
            fail_msg("\"%s\" is healthy, but: %s", e->autoencoder->name, d.found[0].text);
        if (e->name == NULL)
            continue;
        const char *text = find(&d, e->name);
        if (text == NULL)
            fail_msg("example %zu (%s): %s is not found", i, e->autoencoder->name, e->name);
        assert_words(text, e->words);
    }
}

/* No check without an example that makes it fire. */
static void every_check_has_an_example(void **state)
{
    const char *name;
    (void)state;
    for (size_t i = 0; (name = hg_diagnosis_at(i)) != NULL; i++) {
        bool found = false;
        for (size_t e = 0; e < COUNT(examples); e++)
            found = found || (examples[e].name != NULL && strcmp(examples[e].name, name) == 0);
        if (!found)
            fail_msg("%s has no example", name);
    }
}

/* Before training only what needs no values of the model. */
static void before_training(void **state)
{
    static const struct {
        const hg_autoencoder *autoencoder;
        double                factor;
        const char           *name;
    } cases[] = { { &healthy, 1, NULL }, { &wide, 1, "identity" }, { &entropy, 2, "data_range" } };
    hg_diagnoses d;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_dataset *data = make_data(cases[i].factor);
        hg_model *model = hg_model_new(cases[i].autoencoder, HG_F32, 1);
        assert_int_equal(hg_diagnose_declaration(model, data, &d), HG_OK);
        assert_int_equal(d.count, cases[i].name != NULL);
        if (cases[i].name != NULL)
            assert_string_equal(d.found[0].name, cases[i].name);
        hg_model_free(model);
        hg_dataset_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fires_where_it_should),
        cmocka_unit_test(every_check_has_an_example),
        cmocka_unit_test(before_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
