/* The formulas of the theory, derived by hand and computed with plain loops, against hg_grad in f64; and its worked numbers.
   Here T1 to T5 and T17, which are all about plain gradients. */
#include "theory.h"

/* ---- One hidden layer, T1 to T5 ------------------------------------------------------------------------- */

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

/* ---- All ------------------------------------------------------------------------------------------------ */

int main(void)
{
    static const struct CMUnitTest gradients[] = {
        cmocka_unit_test(t1_to_t5_one_hidden_layer),
        cmocka_unit_test(t2_worked_numbers),
        cmocka_unit_test(t17_two_one_two),
    };
    const struct {
        const struct CMUnitTest *test;
        size_t                   count;
    } parts[] = { { gradients, COUNT(gradients) },
                  { theory_of_penalties, theory_of_penalties_count },
                  { theory_of_codes, theory_of_codes_count },
                  { theory_of_pca, theory_of_pca_count },
                  { theory_of_pictures, theory_of_pictures_count },
                  { theory_of_stacks, theory_of_stacks_count } };
    struct CMUnitTest tests[64];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(parts); count += parts[i++].count)
        memcpy(tests + count, parts[i].test, parts[i].count * sizeof *tests);
    return _cmocka_run_group_tests("theory", tests, count, NULL, NULL);
}
