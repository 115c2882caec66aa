/* T15 and T16: what excites a unit, eigenfaces; and the worked convolutional example. */
#include "theory.h"

#include <hourglass/pca.h>

/* ---- T15: the input of unit length that most excites unit j is w_j / |w_j| --------------------------------- */

static const hg_autoencoder units = { .name = "units", .input = { D }, .encoder = { HG_DENSE(R, .act = hg_sigmoid) },
                                      .decoder = HG_MIRROR };

static double length_of(const double x[D])
{
    double sum = 0;
    for (int i = 0; i < D; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static void t15_filters(void **state)
{
    (void)state;
    enum { TRIED = 300 };
    double W[R][D], x[TRIED][D], columns[R * TRIED], input[D][1], slope[D];
    hg_model *model = hg_model_new(&units, HG_F64, 7);
    hg_read(hg_graph_find(hg_model_graph(model), "encoder/1/weight"), &W[0][0], R * D);
    for (int j = 0; j < R; j++)
        for (int i = 0; i < D; i++)
            x[j][i] = W[j][i] / length_of(W[j]);
    for (int n = R; n < TRIED; n++) {
        fill(x[n], D, 17 * n, -1, 1);
        double length = length_of(x[n]);
        for (int i = 0; i < D; i++)
            x[n][i] /= length;
    }
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(D), TRIED, HG_F64, x, NULL);
    assert_int_equal(hg_model_encode(model, data, 0, TRIED, columns), HG_OK);
    for (int j = 0; j < R; j++)
        for (int n = 0; n < TRIED; n++)
            assert_true(n == j || columns[j * TRIED + n] < columns[j * TRIED + j]);
    /* and there the gradient of the unit points along the input: nothing on the sphere is higher nearby */
    const hg_parts *parts = hg_model_parts(model);
    hg_tensor *source = parts->input, *gradient, *unit = hg_sum(hg_slice(parts->code, 0, 2, 1), HG_ALL_AXES);
    assert_int_equal(hg_grad(unit, 1, &source, &gradient), HG_OK);
    hg_plan *plan = hg_plan_new(hg_model_graph(model), 1, &gradient, &(hg_plan_options){ .batch = 1, .threads = 1 });
    for (int i = 0; i < D; i++)
        input[i][0] = x[2][i];
    hg_plan_write(plan, source, &input[0][0], D);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, gradient, slope, D), HG_OK);
    double along = length_of(slope);
    for (int i = 0; i < D; i++)
        assert_near("gradient", slope[i] / along, x[2][i], 1e-12);
    hg_plan_free(plan);
    hg_dataset_free(data);
    hg_model_free(model);
}

/* ---- T16: eigenfaces ---------------------------------------------------------------------------------------- */

enum { FACES = 6, PIXELS = 4, EIGENFACES = 2 };

/* Two people, three pictures each. */
static const double faces[FACES][PIXELS] = { { 9, 1, 8, 2 }, { 8, 2, 9, 1 }, { 9, 2, 9, 1 },
                                             { 1, 8, 3, 9 }, { 2, 9, 2, 8 }, { 1, 9, 1, 8 } };

static void project(const hg_pca *pca, const double face[PIXELS], double code[EIGENFACES])
{
    for (int j = 0; j < EIGENFACES; j++) {
        code[j] = 0;
        for (int i = 0; i < PIXELS; i++)
            code[j] += pca->vectors[i * EIGENFACES + j] * (face[i] - pca->mean[i]);
    }
}

static void t16_eigenfaces(void **state)
{
    (void)state;
    double code[FACES][EIGENFACES], means[2][EIGENFACES] = { { 0 } }, error = 0, reported;
    hg_error problem = { 0 };
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(1, 2, 2), FACES, HG_F64, faces, NULL);
    hg_pca *pca = hg_pca_new(data, 0, 1, EIGENFACES, &problem);
    assert_string_equal(problem.text, "");
    for (int i = 0; i < PIXELS; i++) { /* the mean face */
        double mean = 0;
        for (int f = 0; f < FACES; f++)
            mean += faces[f][i] / FACES;
        assert_near("mean", pca->mean[i], mean, 1e-12);
    }
    for (int f = 0; f < FACES; f++) {
        project(pca, faces[f], code[f]);
        for (int j = 0; j < EIGENFACES; j++)
            means[f / 3][j] += code[f][j] / 3;
        for (int i = 0; i < PIXELS; i++) { /* its linear approximation */
            double y = pca->mean[i];
            for (int j = 0; j < EIGENFACES; j++)
                y += pca->vectors[i * EIGENFACES + j] * code[f][j];
            error += (faces[f][i] - y) * (faces[f][i] - y) / FACES;
        }
    }
    assert_near("left over", error, pca->values[2] + pca->values[3], 1e-10);
    assert_int_equal(hg_pca_squared_error(pca, data, &reported, &problem), HG_OK);
    assert_near("reported", reported, error, 1e-10);
    for (int f = 0; f < FACES; f++) { /* the nearest class mean in code space */
        double own = 0, other = 0;
        for (int j = 0; j < EIGENFACES; j++) {
            own += pow(code[f][j] - means[f / 3][j], 2);
            other += pow(code[f][j] - means[1 - f / 3][j], 2);
        }
        assert_true(own < other);
    }
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* ---- 003's convolutional autoencoder --------------------------------------------------------------------------- */

/* The padding that the source gives to the first transposed convolution: 16 x 16 comes out. */
static const hg_autoencoder as_printed = {
    .name = "as printed",
    .input = { 1, 28, 28 },
    .encoder = { HG_CONV2D(16, .kernel = 3, .stride = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                 HG_CONV2D(8, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2, .stride = 1) },
    .decoder = { HG_CONV_TRANSPOSE2D(16, .kernel = 3, .stride = 2, .pad = 1, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(8, .kernel = 5, .stride = 3, .pad = 1, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(1, .kernel = 2, .stride = 2, .pad = 1, .act = hg_tanh) },
};

static void worked_convolutional_shapes(void **state)
{
    (void)state;
    static const int64_t encoder[][3] = { { 16, 10, 10 }, { 16, 5, 5 }, { 8, 3, 3 }, { 8, 2, 2 } },
                         decoder[][3] = { { 16, 5, 5 }, { 8, 15, 15 }, { 1, 28, 28 } };
    hg_model *model = hg_model_new(hg_autoencoder_find("convolutional"), HG_F32, 1);
    assert_string_equal(hg_model_error(model), "");
    const hg_parts *parts = hg_model_parts(model);
    for (size_t i = 0; i < COUNT(encoder) + COUNT(decoder); i++) {
        const bool encodes = i < COUNT(encoder);
        const hg_tensor *output = encodes ? parts->encoder[i] : parts->decoder[i - COUNT(encoder)];
        const int64_t *dim = encodes ? encoder[i] : decoder[i - COUNT(encoder)];
        assert_true(hg_shape_equal(hg_tensor_shape(output), &HG_SHAPE(dim[0], dim[1], dim[2], HG_BATCH)));
    }
    assert_int_equal(hg_model_code_size(model), 32);
    const hg_autoencoder *a = hg_model_declaration(model);
    const hg_training_settings settings = hg_settings_for(a, (hg_training_settings){ 0 });
    const hg_scaling scale = hg_model_scaling(model); /* (x - 0.5) / 0.5 */
    assert_true(settings.epochs == 20 && settings.batch == 128 && settings.optimizer.kind == &hg_adam_optimizer);
    assert_true(((const hg_adam_spec *)settings.optimizer.spec)->rate == 0.001 && scale.low == -1 && scale.high == 1);
    assert_true(((const hg_conv_spec *)a->decoder[2].spec)->act == hg_tanh);
    hg_model_free(model);
    model = hg_model_new(&as_printed, HG_F32, 1);
    assert_int_equal(hg_model_status(model), HG_BAD_SHAPE);
    static const char *const said[] = { "decoder layer 3", "1x16x16", "1x28x28", "16x3x3", "8x9x9",
                                       "1x28x28 or a vector of 784 would fit" };
    for (size_t i = 0; i < COUNT(said); i++)
        if (strstr(hg_model_error(model), said[i]) == NULL)
            fail_msg("\"%s\" should say %s", hg_model_error(model), said[i]);
    hg_model_free(model);
}

/* ---- Weight decay ------------------------------------------------------------------------------------------------ */

/* lambda |w|^2 adds 2 lambda w to the gradient; lambda/2 |w|^2 adds lambda w. */
static void weight_decay_by_its_factor(void **state)
{
    (void)state;
    double gradient[3];
    const double w[3] = { 1, -2, 0.5 }, lambda = 0.3;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *p = hg_parameter(g, "w", HG_SHAPE(3), hg_zeros()), *d;
    hg_write(p, w, 3);
    for (int half = 0; half < 2; half++) {
        const double factor = half ? lambda / 2 : lambda;
        assert_int_equal(hg_grad(hg_scale(hg_sum(hg_square(p), HG_ALL_AXES), factor), 1, &p, &d), HG_OK);
        assert_int_equal(hg_eval(d, gradient, 3), HG_OK);
        for (int i = 0; i < 3; i++)
            assert_near("decay", gradient[i], 2 * factor * w[i], 1e-15);
    }
    hg_graph_free(g);
}

const struct CMUnitTest theory_of_pictures[] = {
    cmocka_unit_test(t15_filters),
    cmocka_unit_test(t16_eigenfaces),
    cmocka_unit_test(worked_convolutional_shapes),
    cmocka_unit_test(weight_decay_by_its_factor),
};
const size_t theory_of_pictures_count = COUNT(theory_of_pictures);
