/* T13 and T14: codes that come from elsewhere, an optimum or the layer below. */
#include "theory.h"

#include <hourglass/psd.h>
#include <hourglass/stack.h>

#include <stdio.h>

/* ---- T13: predictive sparse decomposition ---------------------------------------------------------------- */

/* With z held, dD = 2 (D z - x) z'/B and dW = 2 p ((s(W x) - z) s'(W x)) x'/B. */
static void t13_gradients(void **state)
{
    (void)state;
    const double sparsity = 0.3, p = 0.7;
    double x[D][B], d[D][R], w[R][D], z[R][B], dictionary_by_hand[D][R] = { { 0 } }, encoder_by_hand[R][D] = { { 0 } },
        gradient[D * R];
    fill(&x[0][0], D * B, 4, -1, 1);
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *X = hg_constant(g, HG_SHAPE(D, B), &x[0][0]);
    hg_tensor *dictionary = hg_parameter(g, "D", HG_SHAPE(D, R), hg_normal_init(1));
    hg_tensor *W = hg_parameter(g, "W", HG_SHAPE(R, D), hg_normal_init(1));
    const hg_fista_options options = { sparsity, p, 20 };
    hg_tensor *f = hg_sigmoid(hg_matmul(W, X)), *Z = hg_fista(X, dictionary, f, &options), *grad[2];
    hg_psd_terms terms = hg_psd_objective(X, dictionary, Z, f, &options);
    assert_int_equal(hg_grad(terms.objective, 2, (hg_tensor *[]){ dictionary, W }, grad), HG_OK);
    hg_read(dictionary, &d[0][0], D * R);
    hg_read(W, &w[0][0], R * D);
    assert_int_equal(hg_eval(Z, &z[0][0], R * B), HG_OK);
    double objective = 0;
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < D; i++) {
            double left = -x[i][b];
            for (int j = 0; j < R; j++)
                left += d[i][j] * z[j][b];
            for (int j = 0; j < R; j++)
                dictionary_by_hand[i][j] += 2 * left * z[j][b] / B;
            objective += left * left / B;
        }
        for (int j = 0; j < R; j++) {
            double a = 0;
            for (int i = 0; i < D; i++)
                a += w[j][i] * x[i][b];
            double gap = logistic(a) - z[j][b];
            for (int i = 0; i < D; i++)
                encoder_by_hand[j][i] += 2 * p * gap * logistic_slope(a) * x[i][b] / B;
            objective += (sparsity * fabs(z[j][b]) + p * gap * gap) / B;
        }
    }
    assert_near("objective", value_of(terms.objective), objective, 1e-12 * objective);
    assert_int_equal(hg_eval(grad[0], gradient, D * R), HG_OK);
    assert_close("dD", gradient, &dictionary_by_hand[0][0], D * R, 1e-10);
    assert_int_equal(hg_eval(grad[1], gradient, R * D), HG_OK);
    assert_close("dW", gradient, &encoder_by_hand[0][0], R * D, 1e-10);
    hg_graph_free(g);
}

/* ---- T14: stacked pre-training --------------------------------------------------------------------------- */

/* d - r - d, as D x R arrays at most; X is d x B. */
typedef struct layer {
    int          d, r;
    const sigma *encoder, *decoder;
    double       We[R * D], be[R], Wd[D * R], bd[D];
} layer;

static void encode(const layer *l, const double *X, int s, double a[R])
{
    for (int j = 0; j < l->r; j++) {
        a[j] = l->be[j];
        for (int i = 0; i < l->d; i++)
            a[j] += l->We[j * l->d + i] * X[i * B + s];
    }
}

/* A step of gradient descent on the mean of 1/2 |y - x|^2: T3 and T4. */
static void descend(layer *l, const double *X, double rate)
{
    const layer old = *l;
    for (int s = 0; s < B; s++) {
        double a[R], delta[D], back[R] = { 0 };
        encode(&old, X, s, a);
        for (int i = 0; i < l->d; i++) {
            double u = old.bd[i];
            for (int j = 0; j < l->r; j++)
                u += old.Wd[i * l->r + j] * l->encoder->value(a[j]);
            delta[i] = (l->decoder->value(u) - X[i * B + s]) * l->decoder->slope(u);
            l->bd[i] -= rate * delta[i] / B;
            for (int j = 0; j < l->r; j++) {
                back[j] += old.Wd[i * l->r + j] * delta[i];
                l->Wd[i * l->r + j] -= rate * delta[i] * l->encoder->value(a[j]) / B;
            }
        }
        for (int j = 0; j < l->r; j++) {
            double of_a = back[j] * l->encoder->slope(a[j]);
            l->be[j] -= rate * of_a / B;
            for (int i = 0; i < l->d; i++)
                l->We[j * l->d + i] -= rate * of_a * X[i * B + s] / B;
        }
    }
}

enum { UPPER = 2 };

static const hg_autoencoder two_layers = {
    .name = "two layers",
    .input = { D },
    .encoder = { HG_DENSE(R, .act = hg_sigmoid), HG_DENSE(UPPER, .act = hg_tanh) },
    .decoder = HG_MIRROR,
    .pretraining = { { .epochs = 1, .optimizer = HG_SGD(.rate = 0.3) }, { .epochs = 3, .optimizer = HG_SGD(.rate = 0.5) } },
};

/* Reads layer `number` of the two from the model, or compares it. */
static void exchange(hg_model *model, int number, layer *l, bool compare)
{
    const struct {
        const char *side, *kind;
        int         number, count;
        double     *values;
    } parts[] = { { "encoder", "weight", number, l->r * l->d, l->We }, { "encoder", "bias", number, l->r, l->be },
                  { "decoder", "weight", 3 - number, l->d * l->r, l->Wd }, { "decoder", "bias", 3 - number, l->d, l->bd } };
    for (size_t i = 0; i < COUNT(parts); i++) {
        char name[64];
        double found[D * R];
        snprintf(name, sizeof name, "%s/%d/%s", parts[i].side, parts[i].number, parts[i].kind);
        hg_read(hg_graph_find(hg_model_graph(model), name), compare ? found : parts[i].values, (size_t)parts[i].count);
        if (compare)
            assert_close(name, found, parts[i].values, parts[i].count, 1e-10);
    }
}

static void t14_layers_learn_on_codes(void **state)
{
    (void)state;
    double x[D * B], samples[B * D], codes[R * B], a[R];
    fill(x, D * B, 70, -1, 1);
    for (int s = 0; s < B; s++)
        for (int i = 0; i < D; i++)
            samples[s * D + i] = x[i * B + s];
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(D), B, HG_F64, samples, NULL);
    hg_model *model = hg_model_new(&two_layers, HG_F64, 1);
    layer lower = { .d = D, .r = R, .encoder = &sigmoid, .decoder = &linear },
          upper = { .d = R, .r = UPPER, .encoder = &hyperbolic, .decoder = &sigmoid };
    exchange(model, 1, &lower, false);
    exchange(model, 2, &upper, false);
    assert_int_equal(hg_pretrain(model, NULL, data, &(hg_stack_training){ .training = { .batch = B } }), HG_OK);
    descend(&lower, x, 0.3);
    for (int s = 0; s < B; s++) {
        encode(&lower, x, s, a);
        for (int j = 0; j < R; j++)
            codes[j * B + s] = logistic(a[j]);
    }
    for (int epoch = 0; epoch < 3; epoch++)
        descend(&upper, codes, 0.5);
    exchange(model, 1, &lower, true);
    exchange(model, 2, &upper, true);
    hg_model_free(model);
    hg_dataset_free(data);
}

const struct CMUnitTest theory_of_stacks[] = {
    cmocka_unit_test(t13_gradients),
    cmocka_unit_test(t14_layers_learn_on_codes),
};
const size_t theory_of_stacks_count = COUNT(theory_of_stacks);
