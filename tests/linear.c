/* PCA as a model, linear autoencoders beside it (T10), and the entropy floor. */
#include "autoencoders.h"

#include <hourglass/linear.h>

#include <math.h>

enum { R = 7 };

static hg_pca *pca_of(const hg_dataset *data, double low, double high)
{
    hg_error error = { 0 };
    hg_pca *pca = hg_pca_new(data, low, high, R, &error);
    if (pca == NULL)
        fail_msg("%s", error.text);
    return pca;
}

/* The model's errors are PCA's, its decoder's columns span the same space, and a file keeps all that. */
static void pca_is_a_model(void **state)
{
    static const double scales[][2] = { { 0, 1 }, { -1, 1 } };
    (void)state;
    for (size_t s = 0; s < COUNT(scales); s++) {
        hg_error error = { 0 };
        hg_dataset *data = hg_dataset_open("digits:count=400", NULL), *other = hg_dataset_open("digits:count=99,seed=4", NULL);
        hg_pca *pca = pca_of(data, scales[s][0], scales[s][1]);
        hg_model *model = hg_model_from_pca(pca, hg_dataset_shape(data), HG_F64);
        if (hg_model_status(model) != HG_OK || hg_model_save(model, in_scratch("pca.safetensors")) != HG_OK)
            fail_msg("%s", hg_model_error(model));
        hg_model_free(model);
        model = hg_model_open(in_scratch("pca.safetensors"), NULL);
        hg_evaluation evaluation;
        hg_errors errors;
        double degrees;
        if (hg_model_evaluate(model, other, &evaluation) != HG_OK)
            fail_msg("%s", hg_model_error(model));
        assert_int_equal(hg_pca_errors(pca, other, &errors, &error), HG_OK);
        assert_true(fabs(evaluation.errors.mean_squared_error - errors.mean_squared_error) < 1e-12);
        assert_true(fabs(evaluation.errors.squared_error_per_sample - 784 * errors.mean_squared_error) < 1e-9);
        assert_true(hg_model_is_linear(model));
        assert_int_equal(hg_model_pca_angle(model, pca, &degrees), HG_OK);
        assert_true(degrees < 1e-6);
        hg_model_free(model);
        hg_pca_free(pca);
        hg_dataset_free(other);
        hg_dataset_free(data);
    }
}

/* clang-format off */
static const hg_autoencoder
    linear = { .name = "linear", .input = { 2 }, .encoder = { HG_DENSE(1) }, .decoder = { HG_DENSE(2) } },
    two_steps = { .name = "two-steps", .input = { 2 }, .encoder = { HG_DENSE(2), HG_DENSE(1) }, .decoder = HG_MIRROR },
    bent = { .name = "bent", .input = { 2 }, .encoder = { HG_DENSE(2, .act = hg_tanh), HG_DENSE(1) }, .decoder = { HG_DENSE(2) } },
    squashed = { .name = "squashed", .input = { 2 }, .encoder = { HG_DENSE(1) }, .decoder = HG_MIRROR_TO(hg_sigmoid) };
/* clang-format on */

static void what_is_linear(void **state)
{
    static const struct {
        const hg_autoencoder *autoencoder;
        bool                  linear;
    } cases[] = { { &linear, true }, { &two_steps, true }, { &bent, false }, { &squashed, false } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_model *model = hg_model_new(cases[i].autoencoder, HG_F64, 1);
        assert_string_equal(hg_model_error(model), "");
        assert_int_equal(hg_model_is_linear(model), cases[i].linear);
        hg_model_free(model);
    }
}

/* Points on the first axis: the component is (1, 0), and the decoder's column (cos t, sin t) is t away from it. */
static void angles_of_known_size(void **state)
{
    const double points[] = { -1, 0, 1, 0, 3, 0 }, pi = 3.14159265358979323846;
    static const double degrees[] = { 0, 30, 89, 90 };
    hg_error error = { 0 };
    (void)state;
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(2), 3, HG_F64, points, NULL);
    hg_pca *pca = hg_pca_new(data, 0, 1, 1, &error);
    hg_model *model = hg_model_new(&linear, HG_F64, 1);
    hg_tensor *weight = hg_graph_find(hg_model_graph(model), "decoder/1/weight");
    hg_tensor *bias = hg_graph_find(hg_model_graph(model), "decoder/1/bias");
    hg_write(bias, (const double[]){ 5, -5 }, 2); /* which does not matter */
    for (size_t i = 0; i < COUNT(degrees); i++) {
        double t = degrees[i] * pi / 180, found, columns[2];
        hg_write(weight, (const double[]){ 2 * cos(t), 2 * sin(t) }, 2);
        assert_int_equal(hg_model_decoder_columns(model, columns), HG_OK);
        assert_true(fabs(columns[0] - 2 * cos(t)) < 1e-12 && fabs(columns[1] - 2 * sin(t)) < 1e-12);
        assert_int_equal(hg_model_pca_angle(model, pca, &found), HG_OK);
        assert_true(fabs(found - degrees[i]) < 1e-6);
    }
    hg_write(weight, (const double[]){ 0, 0 }, 2); /* no direction at all */
    double found;
    assert_int_equal(hg_model_pca_angle(model, pca, &found), HG_OK);
    assert_true(found == 90);
    hg_model_free(model);
    hg_pca_free(pca);
    hg_dataset_free(data);
}

static void another_size_is_refused(void **state)
{
    double degrees;
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=50", NULL);
    hg_pca *pca = pca_of(data, 0, 1);
    hg_model *model = hg_model_new(&linear, HG_F64, 1);
    assert_int_equal(hg_model_pca_angle(model, pca, &degrees), HG_BAD_SHAPE);
    assert_words(hg_model_error(model), (const char *const[]){ "7 components of 784", "1 of 2", NULL });
    hg_model_free(model);
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* H(1/2) = log 2, H(0) = H(1) = 0; and no cross-entropy can be below it. */
static void the_floor(void **state)
{
    static const struct {
        double values[4], floor;
    } cases[] = { { { 0.5, 0.5, 0.5, 0.5 }, 2 * 0.69314718055994531 },
                  { { 0, 1, 1, 0 }, 0 },
                  { { 0.5, 0, 1, 0.25 }, (0.69314718055994531 + 0.56233514461880829) / 2 },
                  { { 0.5, 2, 0, 0 }, NAN } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { 0 };
        double floor;
        hg_dataset *data = hg_dataset_new(&HG_SHAPE(2), 2, HG_F64, cases[i].values, NULL);
        assert_int_equal(hg_entropy_floor(data, 0, 1, &floor, &error), HG_OK);
        assert_true(isnan(cases[i].floor) ? isnan(floor) : fabs(floor - cases[i].floor) < 1e-14);
        hg_dataset_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pca_is_a_model),          cmocka_unit_test(what_is_linear), cmocka_unit_test(angles_of_known_size),
        cmocka_unit_test(another_size_is_refused), cmocka_unit_test(the_floor),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
