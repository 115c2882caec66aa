/* T8 of any encoder, its change nearby (T19), and codes that are distributions (T18). */
#include "theory.h"

/* ---- T8: any encoder -------------------------------------------------------------------------------------- */

/* x passed through moves that no closed form sees through. */
static hg_tensor *disguise(hg_tensor *x)
{
    return x == NULL ? NULL : hg_concat(2, (hg_tensor *[]){ hg_slice(x, 0, 0, 1), hg_slice(x, 0, 1, R - 1) }, 0);
}

static const hg_autoencoder
    plain = { .name = "plain", .input = { D }, .encoder = { HG_DENSE(R, .act = hg_sigmoid) }, .decoder = { HG_DENSE(D) },
              .penalties = { HG_CONTRACTIVE(0.7) } },
    disguised = { .name = "disguised", .input = { D }, .encoder = { HG_DENSE(R, .act = hg_sigmoid), HG_CUSTOM(disguise) },
                  .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } },
    plain_higher = { .name = "plain, higher", .input = { D }, .encoder = { HG_DENSE(R, .act = hg_sigmoid) },
                     .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE_HIGHER(0.7, .deviation = 0.3) } },
    disguised_higher = { .name = "disguised, higher", .input = { D },
                         .encoder = { HG_DENSE(R, .act = hg_sigmoid), HG_CUSTOM(disguise) }, .decoder = { HG_DENSE(D) },
                         .penalties = { HG_CONTRACTIVE_HIGHER(0.7, .deviation = 0.3) } },
    two_layers = { .name = "two layers", .input = { D }, .encoder = { HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid) },
                   .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } },
    estimated = { .name = "estimated", .input = { D },
                  .encoder = { HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid) }, .decoder = { HG_DENSE(D) },
                  .penalties = { HG_CONTRACTIVE(0.7, .samples = 3) } };

static const double *inputs(void)
{
    static double X[D * B];
    fill(X, D * B, 1000, 0.05, 0.95);
    return X;
}

/* The penalty, the gradient of the first weights by it, and those weights; at a step. */
static void take_penalty(const hg_autoencoder *a, int64_t step, double *value, double *gradient, double *weights,
                         int count)
{
    hg_parts parts;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_autoencoder_build(a, g, HG_TRAINING, &parts);
    assert_string_equal(hg_graph_error(g), "");
    hg_tensor *w = hg_graph_find(g, "encoder/1/weight"), *output[2] = { parts.terms.term[1].value };
    assert_int_equal(hg_grad(output[0], 1, &w, &output[1]), HG_OK);
    hg_plan *plan = hg_plan_new(g, 2, output, &(hg_plan_options){ .batch = B, .threads = 1 });
    assert_string_equal(hg_graph_error(g), "");
    hg_plan_write(plan, parts.input, inputs(), D * B);
    if (hg_plan_data(plan, parts.step) != NULL)
        hg_plan_write(plan, parts.step, (double[]){ (double)step }, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, output[0], value, 1), HG_OK);
    assert_int_equal(hg_plan_read(plan, output[1], gradient, (size_t)count), HG_OK);
    assert_int_equal(hg_read(w, weights, (size_t)count), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void t8_exact_is_the_closed_form(void **state)
{
    (void)state;
    double closed, exact, gradients[2][R * D], weights[2][R * D];
    static const hg_autoencoder *const pairs[][2] = { { &plain, &disguised }, { &plain_higher, &disguised_higher } };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        take_penalty(pairs[i][0], 5, &closed, gradients[0], weights[0], R * D);
        take_penalty(pairs[i][1], 5, &exact, gradients[1], weights[1], R * D);
        assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
        assert_true(closed > 1e-6);
        assert_close(pairs[i][0]->name, &exact, &closed, 1, 1e-12);
        assert_close(pairs[i][0]->name, gradients[1], gradients[0], R * D, 1e-10);
    }
}

/* |diag(s2) W2 diag(s1) W1|^2, a plain Jacobian. */
static double contraction_of_two(double W1[3][D], double W2[R][3])
{
    double sum = 0;
    for (int b = 0; b < B; b++) {
        double h[3], s1[3];
        for (int k = 0; k < 3; k++) {
            double a = 0;
            for (int i = 0; i < D; i++)
                a += W1[k][i] * inputs()[i * B + b];
            h[k] = tanh(a);
            s1[k] = tanh_slope(a);
        }
        for (int j = 0; j < R; j++) {
            double a = 0;
            for (int k = 0; k < 3; k++)
                a += W2[j][k] * h[k];
            for (int i = 0; i < D; i++) {
                double entry = 0;
                for (int k = 0; k < 3; k++)
                    entry += logistic_slope(a) * W2[j][k] * s1[k] * W1[k][i];
                sum += entry * entry / B;
            }
        }
    }
    return sum;
}

static void t8_of_two_layers(void **state)
{
    (void)state;
    double value, gradient[3 * D], W1[3][D], W2[R][3], mean = 0, estimate, unused[3 * D];
    hg_model *model = hg_model_new(&two_layers, HG_F64, 0);
    hg_read(hg_graph_find(hg_model_graph(model), "encoder/2/weight"), &W2[0][0], R * 3);
    hg_model_free(model);
    take_penalty(&two_layers, 0, &value, gradient, &W1[0][0], 3 * D);
    double expected = 0.7 * contraction_of_two(W1, W2);
    assert_close("two layers", &value, &expected, 1, 1e-12);
    for (int i = 0; i < 3 * D; i++) { /* five points: exact up to h^4 */
        const double h = 1e-3, w = (&W1[0][0])[i];
        double at[4];
        for (int k = 0; k < 4; k++) {
            (&W1[0][0])[i] = w + h * (k < 2 ? k - 2 : k - 1);
            at[k] = contraction_of_two(W1, W2);
        }
        (&W1[0][0])[i] = w;
        assert_near("its gradient", gradient[i], 0.7 * (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h), 1e-9);
    }
    /* the stochastic estimate: its mean over steps */
    enum { STEPS = 600 };
    for (int step = 1; step <= STEPS; step++) {
        take_penalty(&estimated, step, &estimate, unused, unused, 3 * D);
        mean += estimate / STEPS;
    }
    assert_true(fabs(mean - value) < 0.03 * value);
    assert_true(fabs(estimate - value) > 1e-6 * value);
}

/* With the same noise, drawn once more by its name: sum_j (s_j(x) - s_j(x + e))^2 |w_j|^2. */
static void t19_higher_by_hand(void **state)
{
    (void)state;
    double value, gradient[R * D], W[R][D], noise[D * B], expected = 0;
    take_penalty(&plain_higher, 5, &value, gradient, &W[0][0], R * D);
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *step = hg_constant_i64(g, HG_SCALAR, (int64_t[]){ 5 });
    assert_int_equal(hg_eval(hg_random_normal(step, "penalty/1/nearby", HG_SHAPE(D, B)), noise, D * B), HG_OK);
    hg_graph_free(g);
    for (int b = 0; b < B; b++)
        for (int j = 0; j < R; j++) {
            double here = 0, there = 0, length = 0;
            for (int i = 0; i < D; i++) {
                here += W[j][i] * inputs()[i * B + b];
                there += W[j][i] * (inputs()[i * B + b] + 0.3 * noise[i * B + b]);
                length += W[j][i] * W[j][i];
            }
            expected += 0.7 * pow(logistic_slope(here) - logistic_slope(there), 2) * length / B;
        }
    assert_close("higher", &value, &expected, 1, 1e-12);
}

/* ---- T18: variational -------------------------------------------------------------------------------------- */

static const hg_autoencoder variational = { .name = "variational", .input = { D }, .encoder = { HG_VARIATIONAL(2, .beta = 1.5) },
                                            .decoder = { HG_DENSE(D, .act = hg_sigmoid) }, .loss = HG_BINARY_CROSS_ENTROPY };

enum { Z = 2 };

typedef struct gaussian_code {
    double Wm[Z][D], bm[Z], Wv[Z][D], bv[Z], Wd[D][Z], bd[D];
} gaussian_code;

/* Loss + 1.5 KL, and the gradient: dL/dm = delta + 1.5 m, dL/dlog v = delta e s / 2 + 1.5 (v - 1) / 2, s = exp(log v / 2). */
static double variational_by_hand(const gaussian_code *n, double noise[Z][B], gaussian_code *gradient)
{
    const double *X = inputs();
    double value = 0;
    *gradient = (gaussian_code){ 0 };
    for (int b = 0; b < B; b++) {
        double m[Z], l[Z], z[Z], delta[Z] = { 0 };
        for (int j = 0; j < Z; j++) {
            m[j] = n->bm[j];
            l[j] = n->bv[j];
            for (int i = 0; i < D; i++) {
                m[j] += n->Wm[j][i] * X[i * B + b];
                l[j] += n->Wv[j][i] * X[i * B + b];
            }
            z[j] = m[j] + exp(l[j] / 2) * noise[j][b];
            value += 1.5 * (m[j] * m[j] + exp(l[j]) - l[j] - 1) / 2 / B;
        }
        for (int i = 0; i < D; i++) {
            double a = n->bd[i], x = X[i * B + b];
            for (int j = 0; j < Z; j++)
                a += n->Wd[i][j] * z[j];
            double y = logistic(a);
            value -= (x * log(y) + (1 - x) * log(1 - y)) / B;
            gradient->bd[i] += (y - x) / B;
            for (int j = 0; j < Z; j++) {
                gradient->Wd[i][j] += (y - x) * z[j] / B;
                delta[j] += n->Wd[i][j] * (y - x);
            }
        }
        for (int j = 0; j < Z; j++) {
            double dm = delta[j] + 1.5 * m[j];
            double dl = delta[j] * noise[j][b] * exp(l[j] / 2) / 2 + 1.5 * (exp(l[j]) - 1) / 2;
            gradient->bm[j] += dm / B;
            gradient->bv[j] += dl / B;
            for (int i = 0; i < D; i++) {
                gradient->Wm[j][i] += dm * X[i * B + b] / B;
                gradient->Wv[j][i] += dl * X[i * B + b] / B;
            }
        }
    }
    return value;
}

static void t18_variational(void **state)
{
    (void)state;
    gaussian_code n, expected, found;
    double noise[Z][B], value;
    hg_parts parts;
    fill(&n.Wm[0][0], sizeof n / sizeof(double), 0, -0.8, 0.8);
    hg_graph *g = hg_graph_new(HG_F64);
    hg_autoencoder_build(&variational, g, HG_TRAINING, &parts);
    assert_string_equal(hg_graph_error(g), "");
    const struct {
        const char *name;
        double     *value, *gradient;
        size_t      count;
    } all[] = { { "encoder/1/mean/weight", &n.Wm[0][0], &found.Wm[0][0], Z * D },
                { "encoder/1/mean/bias", n.bm, found.bm, Z },
                { "encoder/1/log_variance/weight", &n.Wv[0][0], &found.Wv[0][0], Z * D },
                { "encoder/1/log_variance/bias", n.bv, found.bv, Z },
                { "decoder/1/weight", &n.Wd[0][0], &found.Wd[0][0], D * Z },
                { "decoder/1/bias", n.bd, found.bd, D } };
    hg_tensor *wrt[COUNT(all)], *output[COUNT(all) + 1];
    for (size_t i = 0; i < COUNT(all); i++) {
        wrt[i] = hg_graph_find(g, all[i].name);
        assert_int_equal(hg_write(wrt[i], all[i].value, all[i].count), HG_OK);
    }
    assert_int_equal(hg_grad(parts.objective, COUNT(all), wrt, output), HG_OK);
    output[COUNT(all)] = parts.objective;
    hg_plan *plan = hg_plan_new(g, COUNT(output), output, &(hg_plan_options){ .batch = B, .threads = 1 });
    hg_plan_write(plan, parts.input, inputs(), D * B);
    hg_plan_write(plan, parts.step, (double[]){ 9 }, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, parts.objective, &value, 1), HG_OK);
    for (size_t i = 0; i < COUNT(all); i++)
        assert_int_equal(hg_plan_read(plan, output[i], all[i].gradient, all[i].count), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
    g = hg_graph_new(HG_F64);
    hg_tensor *step = hg_constant_i64(g, HG_SCALAR, (int64_t[]){ 9 });
    assert_int_equal(hg_eval(hg_random_normal(step, "encoder/1/noise", HG_SHAPE(Z, B)), &noise[0][0], Z * B), HG_OK);
    hg_graph_free(g);
    double by_hand_value = variational_by_hand(&n, noise, &expected);
    assert_close("T18", &value, &by_hand_value, 1, 1e-12);
    assert_close("T18", &found.Wm[0][0], &expected.Wm[0][0], sizeof n / sizeof(double), 1e-10);
}

/* ---- All --------------------------------------------------------------------------------------------------- */

const struct CMUnitTest theory_of_codes[] = {
    cmocka_unit_test(t8_exact_is_the_closed_form),
    cmocka_unit_test(t8_of_two_layers),
    cmocka_unit_test(t19_higher_by_hand),
    cmocka_unit_test(t18_variational),
};
const size_t theory_of_codes_count = COUNT(theory_of_codes);
