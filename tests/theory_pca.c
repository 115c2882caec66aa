/* T9 to T12: linear autoencoders and principal components, and what denoisers learn. */
#include "theory.h"

#include <hourglass/pca.h>

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

/* Eight samples of three numbers, as columns, with a covariance that is not singular. */
enum { SAMPLES = 8 };
static const double cloud[3][SAMPLES] = { { 2, -1, 0.5, -1.5, 1, -2, 1.5, 0.25 },
                                          { 1, -0.5, 1, -0.5, -1, -1, 0.5, 2 },
                                          { 0.5, 0.25, -1, 0.5, 1, -0.25, 0.75, -0.5 } };

static hg_dataset *cloud_data(void)
{
    double samples[SAMPLES][3];
    for (int b = 0; b < SAMPLES; b++)
        for (int i = 0; i < 3; i++)
            samples[b][i] = cloud[i][b];
    return hg_dataset_new(&HG_SHAPE(3), SAMPLES, HG_F64, samples, NULL);
}

static const hg_autoencoder two_numbers = {
    .name = "two numbers", .input = { 3 }, .encoder = { HG_DENSE(2) }, .decoder = HG_MIRROR, .tied = true,
};

static void t10_tied_weights_become_orthonormal(void **state)
{
    (void)state;
    double W[2][3], loss, gram[2][2] = { { 0 } }, angles[2], vectors[3][2];
    hg_error error = { 0 };
    hg_dataset *data = cloud_data();
    hg_model *model = hg_model_new(&two_numbers, HG_F64, 3);
    hg_train(model, data, &(hg_training){ .epochs = 3000, .batch = SAMPLES, .threads = 1,
                                          .optimizer = HG_SGD(.rate = 0.05, .momentum = 0.9) });
    assert_int_equal(hg_model_loss(model, data, NULL, SAMPLES, &loss), HG_OK);
    hg_read(hg_graph_find(hg_model_graph(model), "encoder/1/weight"), &W[0][0], 6);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int k = 0; k < 3; k++)
                gram[i][j] += W[i][k] * W[j][k];
    assert_close("W W'", &gram[0][0], (double[]){ 1, 0, 0, 1 }, 4, 1e-8);
    hg_pca *pca = hg_pca_new(data, 0, 1, 2, &error);
    assert_string_equal(error.text, "");
    assert_near("error", loss, pca->values[2] / 2, 1e-10);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            vectors[i][j] = W[j][i];
    assert_int_equal(hg_principal_angles(3, 2, pca->vectors, 2, &vectors[0][0], angles, &error), HG_OK);
    assert_near("angle", angles[0], 0, 1e-7);
    hg_pca_free(pca);
    hg_model_free(model);
    hg_dataset_free(data);
}

/* C = A B of 3 x 3, A or B transposed. */
static void multiply(double A[3][3], bool turn_a, double M[3][3], bool turn_b, double C[3][3])
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            C[i][j] = 0;
            for (int k = 0; k < 3; k++)
                C[i][j] += (turn_a ? A[k][i] : A[i][k]) * (turn_b ? M[j][k] : M[k][j]);
        }
}

static double trace(double A[3][3])
{
    return A[0][0] + A[1][1] + A[2][2];
}

/* Mean of |x - P x|^2, by the samples. */
static double residual(double P[3][3])
{
    double sum = 0;
    for (int b = 0; b < SAMPLES; b++)
        for (int i = 0; i < 3; i++) {
            double y = 0;
            for (int k = 0; k < 3; k++)
                y += P[i][k] * cloud[k][b];
            sum += (cloud[i][b] - y) * (cloud[i][b] - y) / SAMPLES;
        }
    return sum;
}

static void t10_projectors(void **state)
{
    (void)state;
    /* u u' with |u| = 1, which is no eigenvector's; and u v' with v'u = 1, which is no orthogonal projector */
    double S[3][3] = { { 0 } }, P[3][3], Q[3][3], PS[3][3], PSP[3][3], QS[3][3], I_Q[3][3], turned[3][3], right[3][3], t[3][3];
    const double u[3] = { 2.0 / 3, -1.0 / 3, 2.0 / 3 }, v[3] = { 1, 1, 1 };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            for (int b = 0; b < SAMPLES; b++)
                S[i][j] += cloud[i][b] * cloud[j][b] / SAMPLES;
            P[i][j] = u[i] * u[j];
            Q[i][j] = u[i] * v[j];
            I_Q[i][j] = (i == j) - Q[i][j];
        }
    multiply(P, false, S, false, PS);
    multiply(PS, false, P, false, PSP);
    assert_near("the error is 1/2 tr S - 1/2 tr S P", residual(P) / 2, trace(S) / 2 - trace(PS) / 2, 1e-12);
    assert_true(fabs(residual(P) / 2 - (trace(S) / 2 - trace(PS))) > 0.1);
    assert_near("equal in trace", trace(PSP), trace(PS), 1e-12);
    assert_true(fabs(PSP[0][1] - PS[0][1]) > 0.01); /* and in nothing else */
    multiply(I_Q, false, S, false, t);
    multiply(t, false, I_Q, true, right);
    multiply(I_Q, true, S, false, t);
    multiply(t, false, I_Q, false, turned);
    multiply(Q, false, S, false, QS);
    assert_near("the loss is tr((I-P) S (I-P)')", residual(Q), trace(right), 1e-12);
    assert_true(fabs(residual(Q) - trace(turned)) > 0.1);
    assert_true(fabs(residual(Q) - (trace(S) - trace(QS))) > 0.1);
    /* eigenvalues are the squares of singular values: |X'u|^2 / N for the first direction */
    hg_error error = { 0 };
    hg_dataset *data = cloud_data();
    hg_pca *pca = hg_pca_new(data, 0, 1, 1, &error);
    double square = 0;
    for (int b = 0; b < SAMPLES; b++) {
        double along = 0;
        for (int i = 0; i < 3; i++)
            along += (cloud[i][b] - pca->mean[i]) * pca->vectors[i];
        square += along * along / SAMPLES;
    }
    assert_near("eigenvalue", square, pca->values[0], 1e-12);
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* 004 inverts X X' of samples x samples (its X is ours transposed), which has rank d at most. What the proof needs holds
   without it: X V = U S, the columns of X V are orthogonal and as long as the singular values. */
static void t10_samples_by_samples_is_singular(void **state)
{
    (void)state;
    double gram[SAMPLES][SAMPLES] = { { 0 } }, along[SAMPLES][3] = { { 0 } }, lengths[3][3] = { { 0 } }, wanted[3][3] = { { 0 } };
    hg_error error = { 0 };
    hg_dataset *data = cloud_data();
    hg_pca *pca = hg_pca_new(data, 0, 1, 3, &error);
    assert_non_null(pca);
    for (int b = 0; b < SAMPLES; b++)
        for (int i = 0; i < 3; i++) {
            for (int c = 0; c < SAMPLES; c++)
                gram[b][c] += (cloud[i][b] - pca->mean[i]) * (cloud[i][c] - pca->mean[i]);
            for (int j = 0; j < 3; j++)
                along[b][j] += (cloud[i][b] - pca->mean[i]) * pca->vectors[i * 3 + j];
        }
    for (int j = 0; j < 3; j++) {
        wanted[j][j] = SAMPLES * pca->values[j];
        for (int k = 0; k < 3; k++)
            for (int b = 0; b < SAMPLES; b++)
                lengths[j][k] += along[b][j] * along[b][k];
    }
    assert_close("(X V)' X V", &lengths[0][0], &wanted[0][0], 9, 1e-12);
    /* Gauss leaves nothing below three pivots */
    double largest = 0;
    for (int k = 0; k < 3; k++)
        for (int b = k + 1; b < SAMPLES; b++) {
            double factor = gram[b][k] / gram[k][k];
            for (int c = k; c < SAMPLES; c++)
                gram[b][c] -= factor * gram[k][c];
        }
    for (int b = 3; b < SAMPLES; b++)
        for (int c = 3; c < SAMPLES; c++)
            largest = fmax(largest, fabs(gram[b][c]));
    assert_true(fabs(gram[2][2]) > 0.01 && largest < 1e-12);
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* W_d T^-1 and T W_e are another factorisation of the same map, with the same error. */
static void t10_only_the_product_is_unique(void **state)
{
    (void)state;
    const double We[2][3] = { { 0.5, -0.25, 1 }, { 0.75, 0.5, -0.5 } }, Wd[3][2] = { { 1, 0.5 }, { -0.5, 0.25 }, { 0.25, 1 } };
    const double T[2][2] = { { 2, 1 }, { 1, 1 } }, inverse[2][2] = { { 1, -1 }, { -1, 2 } };
    double loss[2];
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *X = hg_constant(g, HG_SHAPE(3, SAMPLES), &cloud[0][0]);
    hg_tensor *e = hg_constant(g, HG_SHAPE(2, 3), &We[0][0]), *d = hg_constant(g, HG_SHAPE(3, 2), &Wd[0][0]);
    for (int i = 0; i < 2; i++) {
        loss[i] = value_of(hg_squared_error(hg_matmul(d, hg_matmul(e, X)), X));
        e = hg_matmul(hg_constant(g, HG_SHAPE(2, 2), &T[0][0]), e);
        d = hg_matmul(d, hg_constant(g, HG_SHAPE(2, 2), &inverse[0][0]));
    }
    assert_near("loss", loss[1], loss[0], 1e-12);
    hg_graph_free(g);
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

/* 001, problem 3: all 16 masks of (1, 2, 3, 4), each as probable as masking with 0.3 makes it. The gradient of the mean error
   by a diagonal W vanishes at 1, not at 1 / 0.7; by a full W it does not vanish at I. */
static void t9_masking_has_its_optimum_at_one(void **state)
{
    (void)state;
    double masked[4][16], target[4][16], weight[4][16], gradient[4], full[4][4];
    for (int m = 0; m < 16; m++)
        for (int i = 0; i < 4; i++) {
            int kept = __builtin_popcount((unsigned)m);
            target[i][m] = i + 1;
            masked[i][m] = m >> i & 1 ? i + 1 : 0;
            weight[i][m] = sqrt(pow(0.7, kept) * pow(0.3, 4 - kept));
        }
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_constant(g, HG_SHAPE(4, 16), &masked[0][0]), *p = hg_constant(g, HG_SHAPE(4, 16), &weight[0][0]);
    hg_tensor *clean = hg_mul(p, hg_constant(g, HG_SHAPE(4, 16), &target[0][0])), *d;
    hg_tensor *w = hg_parameter(g, "w", HG_SHAPE(4), hg_filled(1)), *W = hg_parameter(g, "W", HG_SHAPE(4, 4), hg_zeros());
    hg_tensor *diagonal = hg_squared_error_by(hg_mul(p, hg_mul(hg_expand_like(w, x, HG_AXIS(1)), x)), clean, HG_SUM_OVER_ALL);
    assert_int_equal(hg_grad(diagonal, 1, &w, &d), HG_OK);
    hg_eval(d, gradient, 4);
    for (int i = 0; i < 4; i++)
        assert_near("at 1", gradient[i], 0, 1e-12);
    hg_write(w, (double[]){ 1 / 0.7, 1 / 0.7, 1 / 0.7, 1 / 0.7 }, 4);
    hg_eval(d, gradient, 4);
    for (int i = 0; i < 4; i++)
        assert_near("at 1 / 0.7", gradient[i], 0.7 * (1 / 0.7 - 1) * (i + 1) * (i + 1), 1e-12);
    hg_write(W, (double[16]){ [0] = 1, [5] = 1, [10] = 1, [15] = 1 }, 16);
    hg_tensor *any = hg_squared_error_by(hg_mul(p, hg_matmul(W, x)), clean, HG_SUM_OVER_ALL);
    assert_int_equal(hg_grad(any, 1, &W, &d), HG_OK);
    hg_eval(d, &full[0][0], 16);
    assert_near("off the diagonal", full[0][1], -0.3 * 0.7 * 1 * 2, 1e-12); /* -E[x_0 (1 - m_0) m_1 x_1] */
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

const struct CMUnitTest theory_of_pca[] = {
    cmocka_unit_test(t10_t11_worked_example),
    cmocka_unit_test(t10_one_number_is_the_first_component),
    cmocka_unit_test(t10_tied_weights_become_orthonormal),
    cmocka_unit_test(t10_projectors),
    cmocka_unit_test(t10_samples_by_samples_is_singular),
    cmocka_unit_test(t10_only_the_product_is_unique),
    cmocka_unit_test(t9_scalar_denoiser),
    cmocka_unit_test(t9_masking_has_its_optimum_at_one),
    cmocka_unit_test(t12_score_matching_of_a_gaussian),
};
const size_t theory_of_pca_count = COUNT(theory_of_pca);
