/* Predictive sparse decomposition (T13): FISTA against a long ISTA, and what training keeps. */
#include "autoencoders.h"

#include <hourglass/psd.h>

#include <math.h>

enum { D = 6, R = 10, B = 4 };

/* Numbers in (-1, 1). */
static void fill(double *values, int count, unsigned seed)
{
    for (int i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (double)(seed >> 8) / 8388608.0 - 1;
    }
}

static void normalize_columns(double *d)
{
    for (int j = 0; j < R; j++) {
        double length = 0;
        for (int i = 0; i < D; i++)
            length += d[i * R + j] * d[i * R + j];
        for (int i = 0; i < D; i++)
            d[i * R + j] /= sqrt(length);
    }
}

/* g = 2 D'(D z - x) + 2 p (z - f), for one column */
static void gradient(const double *d, const double *x, const double *f, double p, const double *z, double *g)
{
    double left[D];
    for (int i = 0; i < D; i++) {
        left[i] = -x[i * B];
        for (int j = 0; j < R; j++)
            left[i] += d[i * R + j] * z[j];
    }
    for (int j = 0; j < R; j++) {
        g[j] = 2 * p * (z[j] - f[j * B]);
        for (int i = 0; i < D; i++)
            g[j] += 2 * d[i * R + j] * left[i];
    }
}

/* The slow way, with a step that is surely short enough. */
static void ista(const double *d, const double *x, const double *f, double sparsity, double p, double *z)
{
    double step = 1 / (2 * (R + p)), g[R];
    for (int j = 0; j < R; j++)
        z[j] = f[j * B];
    for (int k = 0; k < 10000; k++) {
        gradient(d, x, f, p, z, g);
        for (int j = 0; j < R; j++) {
            double v = z[j] - step * g[j], t = step * sparsity;
            z[j] = v > t ? v - t : v < -t ? v + t : 0;
        }
    }
}

static void fista_finds_what_ista_finds(void **state)
{
    static const struct {
        double sparsity, prediction;
    } cases[] = { { 0.3, 1 }, { 0.05, 0.3 }, { 0.5, 0.2 }, { 0, 1 } };
    double d[D * R], x[D * B], f[R * B], found[R * B], z[R];
    (void)state;
    for (size_t c = 0; c < COUNT(cases); c++) {
        fill(d, D * R, 1);
        fill(x, D * B, 2);
        fill(f, R * B, 3);
        normalize_columns(d);
        hg_graph *graph = hg_graph_new(HG_F64);
        hg_tensor *tz = hg_fista(hg_constant(graph, HG_SHAPE(D, B), x), hg_constant(graph, HG_SHAPE(D, R), d),
                                 hg_constant(graph, HG_SHAPE(R, B), f),
                                 &(hg_fista_options){ cases[c].sparsity, cases[c].prediction, 300 });
        assert_int_equal(hg_eval(tz, found, R * B), HG_OK);
        for (int b = 0; b < B; b++) {
            ista(d, x + b, f + b, cases[c].sparsity, cases[c].prediction, z);
            for (int j = 0; j < R; j++)
                if (fabs(found[j * B + b] - z[j]) > 1e-6)
                    fail_msg("case %zu: z[%d] of sample %d is %g, not %g", c, j, b, found[j * B + b], z[j]);
        }
        hg_graph_free(graph);
    }
}

/* diag(3, 4, 0): the largest eigenvalue of D'D is 16, the bound (9^8 + 16^8)^(1/8). */
static void the_bound_is_one(void **state)
{
    const double d[9] = { 3, 0, 0, 0, 4, 0, 0, 0, 0 };
    double bound;
    (void)state;
    hg_graph *graph = hg_graph_new(HG_F64);
    assert_int_equal(hg_eval(hg_gram_bound(hg_constant(graph, HG_SHAPE(3, 3), d)), &bound, 1), HG_OK);
    assert_true(bound >= 16 && fabs(bound - pow(pow(9, 8) + pow(16, 8), 0.125)) < 1e-10);
    hg_graph_free(graph);
}

/* clang-format off */
static const hg_autoencoder
    with_gain = { .name = "with-gain", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(40, .act = hg_tanh), HG_GAIN },
                  .decoder = { HG_DENSE(784, .no_bias = true) } },
    plain = { .name = "plain", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(40, .act = hg_sigmoid) },
              .decoder = { HG_DENSE(784, .no_bias = true) } },
    with_bias = { .name = "with-bias", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(40) }, .decoder = { HG_DENSE(784) } },
    deep = { .name = "deep", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(40) },
             .decoder = { HG_DENSE(9, .no_bias = true), HG_DENSE(784, .no_bias = true) } };
/* clang-format on */

enum { EPOCHS = 6 };

static void keep(const hg_psd_report *report, void *to)
{
    ((hg_psd_report *)to)[report->epoch - 1] = *report;
}

static void assert_unit_columns(hg_model *model)
{
    static double d[784 * 40];
    assert_int_equal(hg_read(hg_graph_find(hg_model_graph(model), "decoder/1/weight"), d, 784 * 40), HG_OK);
    for (int j = 0; j < 40; j++) {
        double square = 0;
        for (int i = 0; i < 784; i++)
            square += d[i * 40 + j] * d[i * 40 + j];
        assert_true(fabs(sqrt(square) - 1) < 1e-6);
    }
}

static void training_lowers_the_objective(void **state)
{
    static const hg_autoencoder *const forms[] = { &with_gain, &plain };
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=300", NULL);
    for (size_t i = 0; i < COUNT(forms); i++) {
        hg_psd_report reports[EPOCHS] = { { 0 } };
        hg_model *model = hg_model_new(forms[i], HG_F32, 1);
        hg_status status = hg_psd_train(model, data,
                                        &(hg_psd_training){ .settings = { .sparsity = 0.3 }, .epochs = EPOCHS,
                                                            .batch = 60, .optimizer = HG_ADAM(.rate = 0.005),
                                                            .progress = keep, .progress_to = reports });
        if (status != HG_OK)
            fail_msg("%s", hg_model_error(model));
        for (int e = 1; e < EPOCHS; e++)
            assert_true(reports[e].objective < reports[e - 1].objective);
        assert_true(reports[EPOCHS - 1].gap / reports[EPOCHS - 1].code < reports[0].gap / reports[0].code);
        assert_true(reports[EPOCHS - 1].active > 0 && reports[EPOCHS - 1].active < 1);
        const hg_psd_report *last = &reports[EPOCHS - 1];
        assert_true(fabs(last->objective - (last->reconstruction + 0.3 * last->magnitude + last->gap)) < 1e-4 * last->objective);
        assert_unit_columns(model);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

static void refusals(void **state)
{
    static const struct {
        const hg_autoencoder *autoencoder;
        double                sparsity;
        int64_t               iterations;
        const char *const     words[3];
    } cases[] = {
        { &with_bias, 0.3, 30, { "\"with-bias\"", "without bias" } },
        { &deep, 0.3, 30, { "\"deep\"", "one dense layer" } },
        { &plain, -1, 30, { "sparsity is -1", "(0, inf)" } },
        { &plain, 0.3, 2000, { "iterations is 2000", "1000" } },
    };
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=20", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_model *model = hg_model_new(cases[i].autoencoder, HG_F32, 1);
        const hg_psd_training training = { .settings = { cases[i].sparsity, 1, cases[i].iterations }, .epochs = 1 };
        assert_int_equal(hg_psd_train(model, data, &training), HG_BAD_ARGUMENT);
        assert_words(hg_model_error(model), cases[i].words);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fista_finds_what_ista_finds), cmocka_unit_test(the_bound_is_one),
        cmocka_unit_test(training_lowers_the_objective), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
