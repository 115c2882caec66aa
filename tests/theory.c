/* The formulas of the theory, derived by hand and computed with plain loops, against hg_grad in f64; and its worked numbers.
   Samples are columns: X is d x B, W_e is r x d, W_d is d x r. */
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/train.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* |a - b| of every entry within `relative` of the largest entry. */
static void assert_close(const char *what, const double *a, const double *b, int count, double relative)
{
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, fabs(b[i]));
    for (int i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= relative * largest))
            fail_msg("%s[%d] is %.17g, not %.17g", what, i, a[i], b[i]);
}

static void assert_near(const char *what, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%s is %.17g, not %.17g", what, a, b);
}

/* ---- One hidden layer, T1 to T5 ------------------------------------------------------------------------- */

enum { D = 7, R = 4, B = 5 };

typedef struct network {
    double We[R][D], be[R], Wd[D][R], bd[D];
} network;

/* An elementwise function and its derivative as a function of a. */
typedef struct sigma {
    hg_activation *graph;
    double (*value)(double a), (*slope)(double a);
} sigma;

static double logistic(double a) { return 1 / (1 + exp(-a)); }
static double logistic_slope(double a) { return logistic(a) * (1 - logistic(a)); }
static double tanh_slope(double a) { return 1 - tanh(a) * tanh(a); }
static double rectify(double a) { return a > 0 ? a : 0; }
static double rectify_slope(double a) { return a > 0; }
static double same(double a) { return a; }
static double one(double a) { return (void)a, 1; }
static double soft(double a) { return log1p(exp(a)); }

static const sigma sigmoid = { hg_sigmoid, logistic, logistic_slope }, hyperbolic = { hg_tanh, tanh, tanh_slope },
                   rectifier = { hg_relu, rectify, rectify_slope }, linear = { NULL, same, one },
                   softplus = { hg_softplus, soft, logistic };

/* Deterministic numbers in (-1, 1). */
static double pseudo(int i)
{
    double x = sin(12.9898 * (i + 1)) * 43758.5453;
    return 2 * (x - floor(x)) - 1;
}

static void fill(double *values, int count, int start, double low, double high)
{
    for (int i = 0; i < count; i++)
        values[i] = low + (high - low) * (pseudo(start + i) + 1) / 2;
}

/* The derivations. */
static void by_hand(const network *n, double X[D][B], const sigma *e, const sigma *d, bool entropy, double lambda,
                    double *loss, network *gradient)
{
    double Ae[R][B], H[R][B], Ad[D][B], Y[D][B], delta_d[D][B], delta_e[R][B];
    *loss = 0;
    for (int s = 0; s < B; s++) {
        for (int j = 0; j < R; j++) { /* T1 */
            Ae[j][s] = n->be[j];
            for (int i = 0; i < D; i++)
                Ae[j][s] += n->We[j][i] * X[i][s];
            H[j][s] = e->value(Ae[j][s]);
        }
        for (int i = 0; i < D; i++) {
            Ad[i][s] = n->bd[i];
            for (int j = 0; j < R; j++)
                Ad[i][s] += n->Wd[i][j] * H[j][s];
            Y[i][s] = d->value(Ad[i][s]);
            double x = X[i][s], y = Y[i][s];
            *loss += (entropy ? -x * log(y) - (1 - x) * log(1 - y) : (y - x) * (y - x) / 2) / B; /* T2 */
            delta_d[i][s] = entropy ? y - x /* T5 */ : (y - x) * d->slope(Ad[i][s]); /* T3 */
        }
        for (int j = 0; j < R; j++) { /* T4 */
            delta_e[j][s] = 0;
            for (int i = 0; i < D; i++)
                delta_e[j][s] += n->Wd[i][j] * delta_d[i][s];
            delta_e[j][s] *= e->slope(Ae[j][s]);
        }
    }
    *gradient = (network){ 0 };
    for (int i = 0; i < D; i++)
        for (int j = 0; j < R; j++) {
            gradient->Wd[i][j] = lambda * n->Wd[i][j];
            gradient->We[j][i] = lambda * n->We[j][i];
            *loss += lambda / 2 * (n->Wd[i][j] * n->Wd[i][j] + n->We[j][i] * n->We[j][i]);
            for (int s = 0; s < B; s++) {
                gradient->Wd[i][j] += delta_d[i][s] * H[j][s] / B;
                gradient->We[j][i] += delta_e[j][s] * X[i][s] / B;
            }
        }
    for (int s = 0; s < B; s++) {
        for (int i = 0; i < D; i++)
            gradient->bd[i] += delta_d[i][s] / B;
        for (int j = 0; j < R; j++)
            gradient->be[j] += delta_e[j][s] / B;
    }
}

typedef struct case_of_t1 {
    const char  *name;
    const sigma *encoder, *decoder;
    bool         entropy;
    double       lambda;
} case_of_t1;

static void check_t1(const case_of_t1 *c)
{
    network n, expected;
    double X[D][B], loss, value;
    fill(&n.We[0][0], sizeof n / sizeof(double), 0, -0.8, 0.8);
    fill(&X[0][0], D * B, 1000, 0.05, 0.95);
    by_hand(&n, X, c->encoder, c->decoder, c->entropy, c->lambda, &loss, &expected);

    hg_autoencoder declaration = {
        .name = c->name,
        .input = { D },
        .encoder = { { &hg_dense_layer, &(hg_dense_spec){ .units = R, .act = c->encoder->graph } } },
        .decoder = { { &hg_dense_layer, &(hg_dense_spec){ .units = D, .act = c->decoder->graph } } },
        .loss = { c->entropy ? &hg_binary_cross_entropy_loss : NULL, NULL },
        .penalties = { HG_WEIGHT_DECAY(c->lambda) },
    };
    const struct {
        const char *name;
        double     *value, *gradient;
        int         count;
    } parameters[] = { { "encoder/1/weight", &n.We[0][0], &expected.We[0][0], R * D },
                       { "encoder/1/bias", n.be, expected.be, R },
                       { "decoder/1/weight", &n.Wd[0][0], &expected.Wd[0][0], D * R },
                       { "decoder/1/bias", n.bd, expected.bd, D } };
    hg_parts parts;
    hg_graph *g = hg_graph_new(HG_F64);
    assert_int_equal(hg_autoencoder_build(&declaration, g, HG_TRAINING, &parts), HG_OK);
    hg_tensor *wrt[COUNT(parameters)], *output[COUNT(parameters) + 1];
    for (size_t i = 0; i < COUNT(parameters); i++) {
        wrt[i] = hg_graph_find(g, parameters[i].name);
        assert_int_equal(hg_write(wrt[i], parameters[i].value, (size_t)parameters[i].count), HG_OK);
    }
    assert_int_equal(hg_grad(parts.objective, COUNT(wrt), wrt, output), HG_OK);
    output[COUNT(parameters)] = parts.objective;
    hg_plan *plan = hg_plan_new(g, COUNT(output), output, &(hg_plan_options){ .batch = B });
    assert_string_equal(hg_graph_error(g), "");
    assert_int_equal(hg_plan_write(plan, parts.input, &X[0][0], D * B), HG_OK);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, parts.objective, &value, 1), HG_OK);
    assert_close(c->name, &value, &loss, 1, 1e-12);
    for (size_t i = 0; i < COUNT(parameters); i++) {
        double gradient[R * D];
        assert_int_equal(hg_plan_read(plan, output[i], gradient, (size_t)parameters[i].count), HG_OK);
        assert_close(parameters[i].name, gradient, parameters[i].gradient, parameters[i].count, 1e-10);
    }
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void t1_to_t5_one_hidden_layer(void **state)
{
    static const case_of_t1 cases[] = {
        { "logistic, squared error", &sigmoid, &sigmoid, false, 0 },
        { "logistic, cross-entropy", &sigmoid, &sigmoid, true, 0 },
        { "tanh to linear, decayed", &hyperbolic, &linear, false, 0.03 },
        { "tanh to logistic, cross-entropy, decayed", &hyperbolic, &sigmoid, true, 0.1 },
        { "rectified to logistic", &rectifier, &sigmoid, false, 0.001 },
        { "softplus to tanh", &softplus, &hyperbolic, false, 0 },
        { "linear", &linear, &linear, false, 0.2 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_t1(&cases[i]);
}

/* ---- T2: losses by their worked numbers ----------------------------------------------------------------- */

static double value_of(hg_tensor *tensor)
{
    double value = NAN;
    assert_int_equal(hg_eval(tensor, &value, 1), HG_OK);
    return value;
}

static void t2_worked_numbers(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    /* 001, example 2, its samples as columns */
    static const double x[] = { 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0 },
                        y[] = { .9, .1, .8, .1, .9, .9, .8, .1, .1, .1, .8, .1 };
    hg_tensor *X = hg_constant(g, HG_SHAPE(4, 3), x), *Y = hg_constant(g, HG_SHAPE(4, 3), y);
    assert_near("mean over N d", 2 * value_of(hg_squared_error_by(Y, X, HG_MEAN_OVER_ELEMENTS)), 0.0175, 1e-15);
    assert_near("sum per sample", 2 * value_of(hg_squared_error(Y, X)), 0.07, 1e-15);
    /* 001, problem 4 */
    hg_tensor *bits = hg_constant(g, HG_SHAPE(3, 1), (double[]){ 1, 0, 1 });
    hg_tensor *p = hg_constant(g, HG_SHAPE(3, 1), (double[]){ .9, .2, .8 });
    double by_hand = -(log(.9) + log(.8) + log(.8)) / 3;
    assert_near("by hand", by_hand, 0.18388, 1e-5);
    assert_near("cross-entropy", value_of(hg_binary_cross_entropy_by(p, bits, HG_MEAN_OVER_ELEMENTS)), by_hand, 1e-15);
    hg_tensor *a = hg_log(hg_div(p, hg_shift(hg_neg(p), 1)));
    assert_near("from logits", value_of(hg_binary_cross_entropy_from_logits_by(a, bits, HG_MEAN_OVER_ELEMENTS)), by_hand,
                1e-15);
    hg_graph_free(g);
}

/* ---- T17: 2-1-2, linear ---------------------------------------------------------------------------------- */

static void t17_two_one_two(void **state)
{
    (void)state;
    enum { N = 4 };
    static const double x[2][N] = { { 1, 2, -3, 0.5 }, { 2, -1, 0.25, 4 } };
    const double w1 = 0.3, w2 = -0.7, b1 = 0.2, w3 = 1.1, w4 = -0.4, b2 = 0.05, b3 = -0.6;
    /* in the order w1 w2 | b1 | w3 w4 | b2 b3; L = 1/N sum |r|^2 */
    double expected[7] = { 0 };
    for (int i = 0; i < N; i++) {
        double h = w1 * x[0][i] + w2 * x[1][i] + b1, r1 = x[0][i] - (w3 * h + b2), r2 = x[1][i] - (w4 * h + b3);
        const double terms[7] = { (r1 * w3 + r2 * w4) * x[0][i], (r1 * w3 + r2 * w4) * x[1][i], r1 * w3 + r2 * w4,
                                  r1 * h, r2 * h, r1, r2 };
        for (int k = 0; k < 7; k++)
            expected[k] += -2.0 / N * terms[k];
    }
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *X = hg_constant(g, HG_SHAPE(2, N), &x[0][0]);
    hg_tensor *p[4] = { hg_parameter(g, "We", HG_SHAPE(1, 2), hg_zeros()), hg_parameter(g, "be", HG_SHAPE(1), hg_zeros()),
                        hg_parameter(g, "Wd", HG_SHAPE(2, 1), hg_zeros()), hg_parameter(g, "bd", HG_SHAPE(2), hg_zeros()) };
    const double values[7] = { w1, w2, b1, w3, w4, b2, b3 };
    static const int start[] = { 0, 2, 3, 5, 7 };
    for (int i = 0; i < 4; i++)
        hg_write(p[i], values + start[i], (size_t)(start[i + 1] - start[i]));
    hg_tensor *h = hg_matmul(p[0], X), *y;
    h = hg_add(h, hg_expand_like(p[1], h, HG_AXIS(1)));
    y = hg_matmul(p[2], h);
    y = hg_add(y, hg_expand_like(p[3], y, HG_AXIS(1)));
    hg_tensor *gradient[4], *loss = hg_scale(hg_squared_error(y, X), 2);
    assert_int_equal(hg_grad(loss, 4, p, gradient), HG_OK);
    double found[7];
    for (int i = 0; i < 4; i++)
        assert_int_equal(hg_eval(gradient[i], found + start[i], (size_t)(start[i + 1] - start[i])), HG_OK);
    assert_close("T17", found, expected, 7, 1e-10);
    hg_graph_free(g);
}

/* ---- T10, T11: linear autoencoders and principal components ---------------------------------------------- */

/* Covariance (1/N) of columns by T11: (x - mean)/sqrt(N) times its transpose. */
static void covariance(const double *x, int n, double S[2][2])
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *X = hg_constant(g, HG_SHAPE(2, n), x);
    hg_tensor *centred = hg_scale(hg_sub(X, hg_expand_like(hg_mean(X, HG_AXIS(1)), X, HG_AXIS(1))), 1 / sqrt(n));
    assert_int_equal(hg_eval(hg_matmul(centred, hg_transpose(centred)), &S[0][0], 4), HG_OK);
    hg_graph_free(g);
}

static const hg_autoencoder one_number = {
    .name = "one number",
    .input = { 2 },
    .encoder = { HG_DENSE(1) },
    .decoder = { HG_DENSE(2) },
};

/* Trains one_number on columns x until nothing moves; its weights, and reconstructions as columns. */
static double train_one_number(const double *x, int n, double we[2], double wd[2], double *reconstruction)
{
    double samples[2 * 8], loss;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            samples[2 * i + k] = x[k * n + i];
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(2), n, HG_F64, samples, NULL);
    hg_model *model = hg_model_new(&one_number, HG_F64, 3);
    hg_train(model, data, &(hg_training){ .epochs = 6000, .batch = n, .threads = 1,
                                          .optimizer = HG_SGD(.rate = 0.02, .momentum = 0.9) });
    hg_model_reconstruct(model, data, 0, n, reconstruction);
    hg_model_loss(model, data, NULL, n, &loss);
    assert_string_equal(hg_model_error(model), "");
    hg_read(hg_graph_find(hg_model_graph(model), "encoder/1/weight"), we, 2);
    hg_read(hg_graph_find(hg_model_graph(model), "decoder/1/weight"), wd, 2);
    hg_model_free(model);
    hg_dataset_free(data);
    return loss;
}

/* S w = lambda w; returns lambda. */
static double assert_eigenvector(double S[2][2], const double w[2])
{
    double Sw[2] = { S[0][0] * w[0] + S[0][1] * w[1], S[1][0] * w[0] + S[1][1] * w[1] };
    double lambda = (w[0] * Sw[0] + w[1] * Sw[1]) / (w[0] * w[0] + w[1] * w[1]);
    assert_close("S w", (double[]){ lambda * w[0], lambda * w[1] }, Sw, 2, 1e-8);
    return lambda;
}

static void t10_t11_worked_example(void **state)
{
    (void)state;
    /* 001, example 1: one dimension holds all, so only the decoder's direction is determined */
    static const double x[] = { 1, 2, 3, 4, 2, 3, 4, 5 };
    double S[2][2], we[2], wd[2], y[8];
    covariance(x, 4, S);
    assert_close("covariance", &S[0][0], (double[]){ 1.25, 1.25, 1.25, 1.25 }, 4, 1e-12);
    double loss = train_one_number(x, 4, we, wd, y);
    assert_near("loss", loss, 0, 1e-12);
    assert_near("eigenvalue", assert_eigenvector(S, wd), 2.5, 1e-8);
    assert_near("direction", fabs(wd[0] / hypot(wd[0], wd[1])), sqrt(0.5), 1e-8);
    for (int i = 0; i < 4; i++) /* on y = x + 1, not y = x */
        assert_near("reconstruction", y[4 + i] - y[i], 1, 1e-6);
}

static void t10_one_number_is_the_first_component(void **state)
{
    (void)state;
    /* 001, problem 2, where S is not singular: encoder and decoder are eigenvectors */
    static const double x[] = { 2, -1.5, 0.5, -1, 1, -1, 1.5, -1, -0.5, -0.75, -0.25, 1 };
    double S[2][2], we[2], wd[2], y[12];
    covariance(x, 6, S);
    double loss = train_one_number(x, 6, we, wd, y);
    double half_trace = (S[0][0] + S[1][1]) / 2, root = hypot((S[0][0] - S[1][1]) / 2, S[0][1]);
    assert_near("encoder's eigenvalue", assert_eigenvector(S, we), half_trace + root, 1e-8);
    assert_near("decoder's eigenvalue", assert_eigenvector(S, wd), half_trace + root, 1e-8);
    assert_near("error", loss, (half_trace - root) / 2, 1e-10);
    assert_near("W_e W_d", we[0] * wd[0] + we[1] * wd[1], 1, 1e-8); /* W_d W_e is a projection */
}

/* ---- T9, T12: denoising ----------------------------------------------------------------------------------- */

/* Minimises the mean of |x - v w noisy|^2 / 2 over columns; returns v w. */
static double train_denoiser(hg_graph *g, hg_tensor *x, hg_tensor *noisy)
{
    hg_tensor *p[2] = { hg_parameter(g, "encoder", HG_SHAPE(1, 1), hg_filled(0.5)),
                        hg_parameter(g, "decoder", HG_SHAPE(1, 1), hg_filled(0.7)) }, *gradient[2];
    int outputs;
    double v, w;
    hg_tensor *loss = hg_squared_error(hg_matmul(p[1], hg_matmul(p[0], noisy)), x);
    assert_int_equal(hg_grad(loss, 2, p, gradient), HG_OK);
    hg_updates *updates = hg_updates_new((hg_optimizer)HG_SGD(.rate = 0.05), NULL, 2, p, gradient);
    hg_tensor *const *output = hg_updates_outputs(updates, &outputs);
    hg_plan *plan = hg_plan_new(g, outputs, output, &(hg_plan_options){ .threads = 1 });
    assert_string_equal(hg_graph_error(g), "");
    for (int64_t step = 1; step <= 400; step++) {
        assert_int_equal(hg_updates_prepare(updates, plan, step), HG_OK);
        assert_int_equal(hg_run(plan), HG_OK);
    }
    hg_read(p[0], &w, 1);
    hg_read(p[1], &v, 1);
    hg_plan_free(plan);
    hg_updates_free(updates);
    return v * w;
}

static void t9_scalar_denoiser(void **state)
{
    (void)state;
    /* 001, example 3. The loss is quadratic, so noise of +-0.5 has the same mean as N(0, 0.25). */
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_constant(g, HG_SHAPE(1, 4), (double[]){ -2, -2, 2, 2 });
    hg_tensor *noise = hg_constant(g, HG_SHAPE(1, 4), (double[]){ -0.5, 0.5, -0.5, 0.5 });
    double optimum = train_denoiser(g, x, hg_add(x, noise));
    assert_near("optimum", optimum, 4 / 4.25, 1e-10);
    assert_near("optimum", optimum, 0.9412, 5e-5);
    hg_graph_free(g);
}

static void t12_score_matching_of_a_gaussian(void **state)
{
    (void)state;
    enum { N = 100000 };
    const double s = 1.5, sigma = 0.5, total = s * s + sigma * sigma;
    /* x + sigma^2 score(x) is the optimum, the score by differentiating log p_sigma = -x^2 / 2(s^2 + sigma^2) */
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *at = hg_parameter(g, "at", HG_SHAPE(3), hg_zeros()), *score;
    const double places[] = { -2, 0.25, 3 };
    double found[3];
    hg_write(at, places, 3);
    assert_int_equal(hg_grad(hg_scale(hg_sum(hg_square(at), HG_ALL_AXES), -0.5 / total), 1, &at, &score), HG_OK);
    assert_int_equal(hg_eval(hg_add(at, hg_scale(score, sigma * sigma)), found, 3), HG_OK);
    for (int i = 0; i < 3; i++)
        assert_near("denoised", found[i], places[i] * s * s / total, 1e-12);
    /* and a denoiser trained on samples finds it */
    hg_tensor *step = hg_constant_i64(g, HG_SCALAR, (int64_t[]){ 0 });
    hg_tensor *x = hg_scale(hg_random_normal(step, "x", HG_SHAPE(1, N)), s);
    hg_tensor *noise = hg_scale(hg_random_normal(step, "noise", HG_SHAPE(1, N)), sigma);
    assert_near("trained", train_denoiser(g, x, hg_add(x, noise)), s * s / total, 0.005);
    hg_graph_free(g);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(t1_to_t5_one_hidden_layer),
        cmocka_unit_test(t2_worked_numbers),
        cmocka_unit_test(t17_two_one_two),
        cmocka_unit_test(t10_t11_worked_example),
        cmocka_unit_test(t10_one_number_is_the_first_component),
        cmocka_unit_test(t9_scalar_denoiser),
        cmocka_unit_test(t12_score_matching_of_a_gaussian),
    };
    return cmocka_run_group_tests_name("theory", tests, NULL, NULL);
}
