/* T8 of any encoder, its change nearby (T19), and codes that are distributions (T18). */
#include "theory.h"

#include <hourglass/op.h>

#include <stdio.h>

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
    estimated = { .name = "estimated", .input = { D },
                  .encoder = { HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid) }, .decoder = { HG_DENSE(D) },
                  .penalties = { HG_CONTRACTIVE(0.7, .samples = 3) } },
    exact = { .name = "exact", .input = { D },
              .encoder = { HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid) }, .decoder = { HG_DENSE(D) },
              .penalties = { HG_CONTRACTIVE(0.7) } };

static const double *inputs(void)
{
    static double X[D * B];
    fill(X, D * B, 1000, 0.05, 0.95);
    return X;
}

/* The encoder's weights: how many matrices. */
static int find_weights(const hg_graph *g, hg_tensor *w[], int most)
{
    int count = 0;
    char name[32];
    while (count < most) {
        snprintf(name, sizeof name, "encoder/%d/weight", count + 1);
        w[count] = hg_graph_find(g, name);
        if (w[count] == NULL)
            break;
        count++;
    }
    return count;
}

enum { MOST_LAYERS = 3 };

/* The penalty, its gradient by the encoder's weights, one matrix after the other, and those; at a step. */
static void take_penalty(const hg_autoencoder *a, hg_dtype dtype, int64_t step, double *value, double *gradient,
                         double *weights)
{
    hg_parts parts;
    hg_graph *g = hg_graph_new(dtype);
    hg_autoencoder_build(a, g, HG_TRAINING, &parts);
    assert_string_equal(hg_graph_error(g), "");
    hg_tensor *w[MOST_LAYERS], *output[1 + MOST_LAYERS] = { parts.terms.term[1].value };
    int layers = find_weights(g, w, MOST_LAYERS);
    assert_int_equal(hg_grad(output[0], layers, w, &output[1]), HG_OK);
    hg_plan *plan = hg_plan_new(g, 1 + layers, output, &(hg_plan_options){ .batch = B, .threads = 1 });
    assert_string_equal(hg_graph_error(g), "");
    hg_plan_write(plan, parts.input, inputs(), D * B);
    if (hg_plan_data(plan, parts.step) != NULL)
        hg_plan_write(plan, parts.step, (double[]){ (double)step }, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_plan_read(plan, output[0], value, 1), HG_OK);
    for (int i = 0; i < layers; i++) {
        const size_t count = (size_t)hg_shape_count(hg_tensor_shape(w[i]), 1);
        assert_int_equal(hg_plan_read(plan, output[1 + i], gradient, count), HG_OK);
        assert_int_equal(hg_read(w[i], weights, count), HG_OK);
        gradient += count;
        weights += count;
    }
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void t8_exact_is_the_closed_form(void **state)
{
    (void)state;
    double closed, exact, gradients[2][R * D], weights[2][R * D];
    static const hg_autoencoder *const pairs[][2] = { { &plain, &disguised }, { &plain_higher, &disguised_higher } };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        take_penalty(pairs[i][0], HG_F64, 5, &closed, gradients[0], weights[0]);
        take_penalty(pairs[i][1], HG_F64, 5, &exact, gradients[1], weights[1]);
        assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
        assert_true(closed > 1e-6);
        assert_close(pairs[i][0]->name, &exact, &closed, 1, 1e-12);
        assert_close(pairs[i][0]->name, gradients[1], gradients[0], R * D, 1e-10);
    }
}

/* Products with matrices that are stored transposed, one of them for the closed form. */
static hg_tensor *backwards(hg_tensor *x)
{
    hg_tensor *v = hg_parameter(hg_tensor_graph(x), "weight", HG_SHAPE(D, D), hg_uniform_init(0.5));
    return hg_sigmoid(hg_matmul(hg_transpose(v), x));
}

static hg_tensor *turned(hg_tensor *x)
{
    return x == NULL ? NULL : hg_concat(2, (hg_tensor *[]){ hg_slice(x, 0, 1, D - 1), hg_slice(x, 0, 0, 1) }, 0);
}

static const hg_autoencoder plain_backwards = { .name = "plain, backwards", .input = { D }, .encoder = { HG_CUSTOM(backwards) },
                                                .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } },
                            turned_backwards = { .name = "turned, backwards", .input = { D },
                                                 .encoder = { HG_CUSTOM(backwards), HG_CUSTOM(turned) },
                                                 .decoder = { HG_DENSE(D) }, .penalties = { HG_CONTRACTIVE(0.7) } };

static void t8_of_a_transposed_matrix(void **state)
{
    (void)state;
    double closed, gradual, gradients[2][D * D], weights[2][D * D];
    take_penalty(&plain_backwards, HG_F64, 0, &closed, gradients[0], weights[0]);
    take_penalty(&turned_backwards, HG_F64, 0, &gradual, gradients[1], weights[1]);
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
    assert_close("backwards", &gradual, &closed, 1, 1e-12);
    assert_close("backwards", gradients[1], gradients[0], D * D, 1e-10);
}

/* ---- T8, T19: the Jacobian of deep encoders entry by entry ------------------------------------------------ */

#define DEEP(...) { .name = "deep", .input = { D }, .encoder = { __VA_ARGS__ }, .decoder = { HG_DENSE(D) } }

static const hg_autoencoder
    narrow = DEEP(HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid)),
    wide = DEEP(HG_DENSE(16, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid)),
    three = DEEP(HG_DENSE(6, .act = hg_softplus), HG_DENSE(5, .act = hg_tanh), HG_DENSE(3, .act = hg_sigmoid)),
    bare = DEEP(HG_DENSE(5, .act = hg_sigmoid), HG_DENSE(R)),
    narrow_disguised = DEEP(HG_DENSE(3, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid), HG_CUSTOM(disguise)),
    wide_disguised = DEEP(HG_DENSE(16, .act = hg_tanh), HG_DENSE(R, .act = hg_sigmoid), HG_CUSTOM(disguise));

typedef struct encoder {
    const char           *name;
    const hg_autoencoder *declaration;
    bool                  by_gram; /* few enough rows for |Wt M|^2 = <W Wt, M Mt> */
    int                   layers, width[MOST_LAYERS];
    const sigma          *act[MOST_LAYERS];
} encoder;

static const encoder encoders[] = {
    { "narrow", &narrow, true, 2, { 3, R }, { &hyperbolic, &sigmoid } },
    { "wide", &wide, false, 2, { 16, R }, { &hyperbolic, &sigmoid } },
    { "three layers", &three, true, 3, { 6, 5, 3 }, { &softplus, &hyperbolic, &sigmoid } },
    { "linear at its end", &bare, true, 2, { 5, R }, { &sigmoid, &linear } },
    { "narrow, disguised", &narrow_disguised, true, 2, { 3, R }, { &hyperbolic, &sigmoid } },
    { "wide, disguised", &wide_disguised, false, 2, { 16, R }, { &hyperbolic, &sigmoid } },
};

static const hg_penalty of_jacobian = HG_CONTRACTIVE(0.7), of_its_change = HG_CONTRACTIVE_HIGHER(0.7, .deviation = 0.3);

enum { WIDEST = 16, MOST_WEIGHTS = WIDEST * (D + R) };

typedef struct jacobian {
    double at[WIDEST][D];
} jacobian;

/* diag(s3) W3 diag(s2) W2 diag(s1) W1 at x + deviation noise, sample b. */
static jacobian jacobian_by_hand(const encoder *e, const double *W, int b, const double *noise, double deviation)
{
    jacobian J = { { { 0 } } };
    double h[WIDEST];
    for (int i = 0; i < D; i++) {
        h[i] = inputs()[i * B + b] + deviation * noise[i * B + b];
        J.at[i][i] = 1;
    }
    for (int l = 0, before = D; l < e->layers; before = e->width[l++]) {
        jacobian next = { { { 0 } } };
        double values[WIDEST];
        for (int j = 0; j < e->width[l]; j++, W += before) {
            double a = 0;
            for (int k = 0; k < before; k++)
                a += W[k] * h[k];
            values[j] = e->act[l]->value(a);
            for (int i = 0; i < D; i++)
                for (int k = 0; k < before; k++)
                    next.at[j][i] += e->act[l]->slope(a) * W[k] * J.at[k][i];
        }
        J = next;
        memcpy(h, values, sizeof h);
    }
    return J;
}

/* The mean of |J(x)|^2, with a deviation of |J(x) - J(x + deviation noise)|^2. */
static double contraction_by_hand(const encoder *e, const double *W, const double *noise, double deviation)
{
    double sum = 0;
    for (int b = 0; b < B; b++) {
        const jacobian here = jacobian_by_hand(e, W, b, noise, 0), there = jacobian_by_hand(e, W, b, noise, deviation);
        for (int j = 0; j < e->width[e->layers - 1]; j++)
            for (int i = 0; i < D; i++)
                sum += pow(here.at[j][i] - (deviation > 0 ? there.at[j][i] : 0), 2) / B;
    }
    return sum;
}

static int count_weights(const encoder *e)
{
    int count = 0;
    for (int l = 0, before = D; l < e->layers; before = e->width[l++])
        count += e->width[l] * before;
    return count;
}

/* Whether a tensor is computed through an op; at most 500 of them are looked at. */
static bool goes_through(const hg_tensor *t, const char *op, const hg_tensor *seen[500], int *count)
{
    for (int i = 0; i < *count; i++)
        if (seen[i] == t)
            return false;
    assert_true(*count < 500);
    seen[(*count)++] = t;
    bool found = strcmp(hg_tensor_op(t)->name, op) == 0;
    for (int i = 0; i < hg_tensor_inputs(t) && !found; i++)
        found = goes_through(hg_tensor_input(t, i), op, seen, count);
    return found;
}

/* And its gradients, of both orders, by differences. */
static void check_way(const encoder *e, const hg_autoencoder *a)
{
    hg_parts parts;
    hg_check_report report;
    hg_tensor *w[MOST_LAYERS];
    const hg_tensor *seen[500];
    const double step = 5;
    int count = 0;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_autoencoder_build(a, g, HG_TRAINING, &parts);
    hg_tensor *penalty = parts.terms.term[1].value;
    const hg_check_input input[] = { { parts.input, inputs() }, { parts.step, &step } };
    assert_int_equal(goes_through(penalty, "combined_square", seen, &count), e->by_gram);
    int layers = find_weights(g, w, MOST_LAYERS);
    const hg_check_options options = { .order = 2, .batch = B, .inputs = 2, .input = input };
    if (hg_gradcheck(penalty, layers, w, &options, &report) != HG_OK)
        fail_msg("%s: %s", e->name, report.text);
    hg_graph_free(g);
}

/* By five points: exact up to h^4. */
static void check_gradient(const encoder *e, double *W, const double *noise, double deviation, const double *gradient,
                           double tolerance)
{
    const double h = 1e-3;
    for (int k = 0; k < count_weights(e); k++) {
        const double w = W[k];
        double at[4];
        for (int p = 0; p < 4; p++) {
            W[k] = w + h * (p < 2 ? p - 2 : p - 1);
            at[p] = contraction_by_hand(e, W, noise, deviation);
        }
        W[k] = w;
        assert_near(e->name, gradient[k], 0.7 * (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h), tolerance);
    }
}

static void check_encoder(const encoder *e, hg_dtype dtype, double relative, double tolerance)
{
    static const struct {
        const hg_penalty *penalty;
        double            deviation;
    } rows[] = { { &of_jacobian, 0 }, { &of_its_change, 0.3 } };
    double noise[D * B], value, gradient[MOST_WEIGHTS], W[MOST_WEIGHTS];
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *step = hg_constant_i64(g, HG_SCALAR, (int64_t[]){ 5 });
    assert_int_equal(hg_eval(hg_random_normal(step, "penalty/1/nearby", HG_SHAPE(D, B)), noise, D * B), HG_OK);
    hg_graph_free(g);
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_autoencoder a = *e->declaration;
        a.penalties[0] = *rows[i].penalty;
        check_way(e, &a);
        take_penalty(&a, dtype, 5, &value, gradient, W);
        const double expected = 0.7 * contraction_by_hand(e, W, noise, rows[i].deviation);
        assert_true(expected > 1e-6);
        assert_close(e->name, &value, &expected, 1, relative);
        check_gradient(e, W, noise, rows[i].deviation, gradient, tolerance);
    }
}

static void t8_t19_entry_by_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(encoders); i++) {
        check_encoder(&encoders[i], HG_F64, 1e-11, 1e-9);
        check_encoder(&encoders[i], HG_F32, 1e-5, 1e-6);
    }
}

/* The mean of the estimate over steps. */
static void t8_estimated(void **state)
{
    (void)state;
    enum { STEPS = 600 };
    double value, mean = 0, estimate, unused[2][MOST_WEIGHTS];
    take_penalty(&exact, HG_F64, 0, &value, unused[0], unused[1]);
    for (int step = 1; step <= STEPS; step++) {
        take_penalty(&estimated, HG_F64, step, &estimate, unused[0], unused[1]);
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
    take_penalty(&plain_higher, HG_F64, 5, &value, gradient, &W[0][0]);
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
    cmocka_unit_test(t8_of_a_transposed_matrix),
    cmocka_unit_test(t8_t19_entry_by_entry),
    cmocka_unit_test(t8_estimated),
    cmocka_unit_test(t19_higher_by_hand),
    cmocka_unit_test(t18_variational),
};
const size_t theory_of_codes_count = COUNT(theory_of_codes);
