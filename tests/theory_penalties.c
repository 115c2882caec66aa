/* T6 to T9 and T19: what is added to the plain autoencoder, each alone and all together, by hand against hg_grad. */
#include "theory.h"

/* ---- One hidden layer with everything -------------------------------------------------------------------- */

typedef struct problem {
    const char    *name;
    const sigma   *encoder, *decoder;
    bool           entropy, tied;
    hg_corruption  corrupt;
    hg_emphasis    emphasis;
    hg_penalised   penalise;
    double         decay, rho, sparse, running, l1, contractive; /* weights of penalties; running: kappa */
} problem;

/* What the graph drew: the input as the encoder saw it, and where it was replaced. */
typedef struct seen {
    double X[D][B], corrupted[D][B], changed[D][B];
} seen;

typedef struct result {
    double  objective;
    network gradient; /* tied: of W_e alone, and Wd is 0 */
} result;

static double weight_of(const problem *p, const seen *s, int i, int b)
{
    if (p->emphasis.corrupted == 0 && p->emphasis.others == 0)
        return 1;
    return s->changed[i][b] != 0 ? p->emphasis.corrupted : p->emphasis.others;
}

/* T3 to T5, with T9's corrupted input and T19's emphasis: the deltas, and the loss. */
static double reconstruct(const network *n, const seen *s, const problem *p, double H[R][B], double delta_e[R][B],
                          double delta_d[D][B])
{
    double loss = 0;
    for (int b = 0; b < B; b++) {
        double Ae[R];
        for (int j = 0; j < R; j++) {
            Ae[j] = n->be[j];
            for (int i = 0; i < D; i++)
                Ae[j] += n->We[j][i] * s->corrupted[i][b];
            H[j][b] = p->encoder->value(Ae[j]);
        }
        for (int i = 0; i < D; i++) {
            double a = n->bd[i], x = s->X[i][b], weight = weight_of(p, s, i, b);
            for (int j = 0; j < R; j++)
                a += n->Wd[i][j] * H[j][b];
            double y = p->decoder->value(a);
            loss += weight * (p->entropy ? -x * log(y) - (1 - x) * log(1 - y) : (y - x) * (y - x) / 2) / B;
            delta_d[i][b] = weight * (y - x) * (p->entropy ? 1 : p->decoder->slope(a));
        }
        for (int j = 0; j < R; j++) {
            delta_e[j][b] = 0;
            for (int i = 0; i < D; i++)
                delta_e[j][b] += n->Wd[i][j] * delta_d[i][b];
            delta_e[j][b] *= p->encoder->slope(Ae[j]);
        }
    }
    return loss;
}

/* T7, T8 and T19's L1 at the input P: what adds to Delta_e there (B times the derivative by a), the contraction's own
   derivative by the weights, and the value. */
static double penalize(const network *n, double P[D][B], const problem *p, double delta[R][B], double direct[R][D])
{
    double value = 0;
    for (int j = 0; j < R; j++) {
        double A[B], mean = 0, length = 0;
        for (int i = 0; i < D; i++)
            length += n->We[j][i] * n->We[j][i];
        for (int b = 0; b < B; b++) {
            A[b] = n->be[j];
            for (int i = 0; i < D; i++)
                A[b] += n->We[j][i] * P[i][b];
            mean += p->encoder->value(A[b]) / B;
        }
        /* running: r = kappa r' + (1 - kappa) mean, r' = rho at first */
        double k = p->running, r = k * p->rho + (1 - k) * mean;
        if (p->sparse > 0)
            value += p->sparse * (p->rho * log(p->rho / r) + (1 - p->rho) * log((1 - p->rho) / (1 - r)));
        for (int b = 0; b < B; b++) {
            double h = p->encoder->value(A[b]), s = p->encoder->slope(A[b]), t = p->encoder->bend(A[b]);
            delta[j][b] = p->l1 * (h > 0 ? 1 : h < 0 ? -1 : 0) * s + p->contractive * 2 * s * t * length;
            if (p->sparse > 0)
                delta[j][b] += p->sparse * (1 - k) * (-p->rho / r + (1 - p->rho) / (1 - r)) * s;
            value += (p->l1 * fabs(h) + p->contractive * s * s * length) / B;
            for (int i = 0; i < D; i++)
                direct[j][i] += p->contractive * 2 * s * s * n->We[j][i] / B;
        }
    }
    return value;
}

static result by_hand(const network *n, const seen *s, const problem *p)
{
    result r = { 0 };
    double H[R][B], delta_e[R][B], delta_d[D][B], delta_p[R][B], direct[R][D] = { { 0 } }, P[D][B];
    r.objective = reconstruct(n, s, p, H, delta_e, delta_d);
    memcpy(P, p->penalise == HG_CLEAN ? s->X : s->corrupted, sizeof P);
    r.objective += penalize(n, P, p, delta_p, direct);
    for (int j = 0; j < R; j++)
        for (int i = 0; i < D; i++) {
            double *We = &r.gradient.We[j][i], *Wd = p->tied ? We : &r.gradient.Wd[i][j]; /* T6: the sum of two paths */
            *We += p->decay * n->We[j][i] + direct[j][i];                                /* and one decay */
            r.objective += p->decay / 2 * n->We[j][i] * n->We[j][i];
            if (!p->tied) {
                *Wd += p->decay * n->Wd[i][j];
                r.objective += p->decay / 2 * n->Wd[i][j] * n->Wd[i][j];
            }
            for (int b = 0; b < B; b++) {
                *We += (delta_e[j][b] * s->corrupted[i][b] + delta_p[j][b] * P[i][b]) / B;
                *Wd += delta_d[i][b] * H[j][b] / B;
            }
        }
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < D; i++)
            r.gradient.bd[i] += delta_d[i][b] / B;
        for (int j = 0; j < R; j++)
            r.gradient.be[j] += (delta_e[j][b] + delta_p[j][b]) / B;
    }
    return r;
}

/* ---- The same by the library ------------------------------------------------------------------------------ */

static void declare(const problem *p, hg_autoencoder *a, hg_sparse_spec *sparse, hg_l1_spec *l1,
                    hg_contractive_spec *contractive, hg_weight_decay_spec *decay, hg_dense_spec dense[2])
{
    int count = 0;
    dense[0] = (hg_dense_spec){ .units = R, .act = p->encoder->graph };
    dense[1] = (hg_dense_spec){ .units = D, .act = p->decoder->graph };
    *sparse = (hg_sparse_spec){ .rho = p->rho, .beta = p->sparse, .running = p->running };
    *l1 = (hg_l1_spec){ p->l1 };
    *contractive = (hg_contractive_spec){ .gamma = p->contractive };
    *decay = (hg_weight_decay_spec){ p->decay };
    *a = (hg_autoencoder){ .name = p->name, .input = { D }, .encoder = { { &hg_dense_layer, &dense[0] } },
                           .decoder = { { &hg_dense_layer, &dense[1] } }, .tied = p->tied, .corrupt = p->corrupt,
                           .emphasis = p->emphasis, .penalise = p->penalise,
                           .loss = { p->entropy ? &hg_binary_cross_entropy_loss : NULL, NULL } };
    if (p->sparse > 0)
        a->penalties[count++] = (hg_penalty){ &hg_sparse_penalty, sparse };
    if (p->l1 > 0)
        a->penalties[count++] = (hg_penalty){ &hg_l1_penalty, l1 };
    if (p->contractive > 0)
        a->penalties[count++] = (hg_penalty){ &hg_contractive_penalty, contractive };
    if (p->decay > 0)
        a->penalties[count++] = (hg_penalty){ &hg_weight_decay_penalty, decay };
}

enum { PARAMETERS = 4 };

/* Runs objective and gradients at the values of n (those of Wd only if they are not shared); reads what was drawn. */
static void by_library(const network *n, const problem *p, seen *s, result *r)
{
    hg_autoencoder a;
    hg_sparse_spec sparse;
    hg_l1_spec l1;
    hg_contractive_spec contractive;
    hg_weight_decay_spec decay;
    hg_dense_spec dense[2];
    hg_parts parts;
    declare(p, &a, &sparse, &l1, &contractive, &decay, dense);
    hg_graph *g = hg_graph_new(HG_F64);
    hg_autoencoder_build(&a, g, HG_TRAINING, &parts);
    assert_string_equal(hg_graph_error(g), "");
    const struct {
        const char   *name;
        const double *value;
        double       *gradient;
        size_t        count;
    } all[PARAMETERS] = { { "encoder/1/weight", &n->We[0][0], &r->gradient.We[0][0], R * D },
                          { "encoder/1/bias", n->be, r->gradient.be, R },
                          { "decoder/1/bias", n->bd, r->gradient.bd, D },
                          { "decoder/1/weight", &n->Wd[0][0], &r->gradient.Wd[0][0], D * R } };
    const int count = p->tied ? PARAMETERS - 1 : PARAMETERS;
    hg_tensor *wrt[PARAMETERS], *output[PARAMETERS + 3];
    assert_true((hg_graph_find(g, "decoder/1/weight") == NULL) == p->tied);
    for (int i = 0; i < count; i++) {
        wrt[i] = hg_graph_find(g, all[i].name);
        assert_int_equal(hg_write(wrt[i], all[i].value, all[i].count), HG_OK);
    }
    assert_int_equal(hg_grad(parts.objective, count, wrt, output), HG_OK);
    output[count] = parts.objective;
    output[count + 1] = parts.corrupted;
    output[count + 2] = parts.changed;
    hg_plan *plan = hg_plan_new(g, count + (parts.changed != NULL ? 3 : 2), output,
                                &(hg_plan_options){ .batch = B, .threads = 1 });
    assert_string_equal(hg_graph_error(g), "");
    assert_int_equal(hg_plan_write(plan, parts.input, &s->X[0][0], D * B), HG_OK);
    if (hg_plan_data(plan, parts.step) != NULL)
        hg_plan_write(plan, parts.step, (double[]){ 3 }, 1);
    assert_int_equal(hg_run(plan), HG_OK);
    *r = (result){ 0 };
    hg_plan_read(plan, parts.objective, &r->objective, 1);
    if (hg_plan_read(plan, parts.corrupted, &s->corrupted[0][0], D * B) != HG_OK) /* the input itself */
        memcpy(s->corrupted, s->X, sizeof s->X);
    if (parts.changed != NULL)
        assert_int_equal(hg_plan_read(plan, parts.changed, &s->changed[0][0], D * B), HG_OK);
    for (int i = 0; i < count; i++)
        assert_int_equal(hg_plan_read(plan, output[i], all[i].gradient, all[i].count), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
}

#define MASKED { &hg_masking_corruption, &(const hg_masking_spec){ 0.3 } }
#define NOISY { &hg_gaussian_corruption, &(const hg_gaussian_spec){ 0.4 } }
#define PEPPERED { &hg_salt_and_pepper_corruption, &(const hg_salt_and_pepper_spec){ 0.5 } }

#define TWO(encoder, decoder) &encoder, &decoder

static const problem problems[] = {
    { "T6 tied", TWO(sigmoid, sigmoid), .entropy = true, .tied = true },
    { "T6 tied, one decay", TWO(hyperbolic, linear), .tied = true, .decay = 0.07 },
    { "T7 sparse", TWO(sigmoid, sigmoid), .rho = 0.05, .sparse = 3 },
    { "T7 sparse, cross-entropy", TWO(sigmoid, sigmoid), .entropy = true, .rho = 0.6, .sparse = 0.1 },
    { "T19 running mean", TWO(sigmoid, linear), .rho = 0.2, .sparse = 2, .running = 0.75 },
    { "T8 contractive, logistic", TWO(sigmoid, sigmoid), .entropy = true, .contractive = 0.1 },
    { "T8 contractive, tanh", TWO(hyperbolic, linear), .contractive = 0.5 },
    { "T8 contractive, softplus", TWO(softplus, linear), .contractive = 0.5 },
    { "T8 contractive, rectified", TWO(rectifier, linear), .contractive = 0.5 },
    { "T8 contractive, linear", TWO(linear, linear), .contractive = 0.02 },
    { "T9 masking", TWO(sigmoid, sigmoid), .entropy = true, .corrupt = MASKED },
    { "T9 Gaussian", TWO(hyperbolic, linear), .corrupt = NOISY },
    { "T9 salt and pepper", TWO(rectifier, linear), .corrupt = PEPPERED },
    { "T19 emphasis", TWO(sigmoid, sigmoid), .entropy = true, .corrupt = MASKED, .emphasis = { 1, 0.25 } },
    { "T19 emphasis on the corrupted alone", TWO(sigmoid, linear), .corrupt = PEPPERED, .emphasis = { 2, 0 } },
    { "T19 L1", TWO(hyperbolic, linear), .l1 = 0.3 },
    { "T7, T8 at the corrupted input", TWO(sigmoid, sigmoid), .entropy = true, .corrupt = NOISY, .rho = 0.1, .sparse = 1,
      .contractive = 0.2 },
    { "T7, T8 at the clean input", TWO(sigmoid, sigmoid), .entropy = true, .corrupt = NOISY, .penalise = HG_CLEAN, .rho = 0.1,
      .sparse = 1, .contractive = 0.2 },
    { "all together", TWO(sigmoid, sigmoid), .entropy = true, .tied = true, .corrupt = MASKED, .emphasis = { 1.5, 0.5 },
      .penalise = HG_CLEAN, .decay = 0.01, .rho = 0.3, .sparse = 0.5, .running = 0.5, .l1 = 0.2, .contractive = 0.4 },
};

static void t6_to_t9_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(problems); i++) {
        const problem *p = &problems[i];
        network n;
        seen s = { 0 };
        result found;
        fill(&n.We[0][0], sizeof n / sizeof(double), 0, -0.8, 0.8);
        for (int j = 0; j < R && p->tied; j++)
            for (int k = 0; k < D; k++)
                n.Wd[k][j] = n.We[j][k];
        fill(&s.X[0][0], D * B, 1000, 0.05, 0.95);
        by_library(&n, p, &s, &found);
        result expected = by_hand(&n, &s, p);
        assert_close(p->name, &found.objective, &expected.objective, 1, 1e-12);
        assert_close(p->name, &found.gradient.We[0][0], &expected.gradient.We[0][0], sizeof n / sizeof(double), 1e-10);
        if (p->corrupt.kind != NULL) /* or nothing was tested */
            assert_memory_not_equal(s.corrupted, s.X, sizeof s.X);
    }
}

const struct CMUnitTest theory_of_penalties[] = { cmocka_unit_test(t6_to_t9_by_hand) };
const size_t            theory_of_penalties_count = COUNT(theory_of_penalties);
