/* Proofs of declarations: they hold for what is right, and each of them catches what it is for. */
#include "autoencoders.h"

#include <hourglass/check.h>
#include <hourglass/op.h>

#include <math.h>

/* What was proved: names of the proofs, and of those that fail. */
typedef struct verdict {
    int  proofs, failures;
    char names[2048], failed[2048], text[HG_ERROR_TEXT]; /* text: of the last failure */
} verdict;

static void take(const hg_proof *proof, void *to)
{
    verdict *v = to;
    char *list = proof->holds ? v->names : v->failed;
    size_t used = strlen(list);
    snprintf(list + used, sizeof v->names - used, "%s; ", proof->name);
    v->proofs++;
    v->failures += !proof->holds;
    if (!proof->holds)
        snprintf(v->text, sizeof v->text, "%s", proof->text);
}

/* ---- What is wrong ---------------------------------------------------------------------------------------- */

/* x^3, whose gradient forgets the factor 3. */
static void cube_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    if (wanted[0])
        d[0] = hg_mul(g, hg_square(hg_tensor_input(t, 0)));
}

static void cube_f64(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[])
{
    const double *x = in[0];
    double *y = to;
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * x[i] * x[i];
}

static const hg_op cube_op = { .name = "cube", .min_inputs = 1, .max_inputs = 1, .flags = HG_MAP, .infer = hg_infer_map,
                               .vjp = cube_vjp, .kernels = { [HG_F64] = { .elements = cube_f64 } } };

static hg_tensor *cube(hg_tensor *x)
{
    return hg_apply(&cube_op, 1, &x, NULL);
}

/* A matrix of the decoder's own beside those that it shares. */
static hg_tensor *own_matrix(hg_tensor *x)
{
    hg_tensor *m = hg_parameter(hg_tensor_graph(x), "own", HG_SHAPE(12, 12), hg_orthogonal(1));
    return hg_matmul(m, x);
}

static hg_tensor *same_noise(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *spec, hg_tensor **changed)
{
    hg_tensor *always = hg_constant_i64(hg_tensor_graph(x), HG_SCALAR, (int64_t[]){ 1 });
    (void)step, (void)range, (void)spec;
    *changed = hg_random_mask(always, "mask", *hg_tensor_shape(x), 0.5);
    return hg_select(*changed, hg_scalar(hg_tensor_graph(x), 0), x);
}

/* Noise on the first three numbers of each sample alone. */
static hg_tensor *first_numbers(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *spec, hg_tensor **changed)
{
    (void)range, (void)spec;
    *changed = hg_pad(hg_random_mask(step, "mask", HG_SHAPE(3, HG_BATCH), 0.5), 0, 0, 9);
    return hg_select(*changed, hg_scalar(hg_tensor_graph(x), 0), x);
}

static hg_tensor *dirty_target(const hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_squared_error_by(parts->reconstruction, parts->corrupted, HG_PER_ELEMENT);
}

/* A penalty whose weight is never used. */
static hg_tensor *deaf(hg_parts *parts, const void *spec)
{
    (void)spec;
    return hg_reduce(hg_abs(parts->penalised_code), HG_MEAN_OVER_SAMPLES);
}

static const hg_penalty_kind deaf_kind = { .kind = { "deaf", sizeof(hg_l1_spec),
                                                     (const hg_field[]){ HG_NUMBER_FIELD(hg_l1_spec, beta, "[0, inf)", 0), { 0 } } },
                                           .apply = deaf };
/* The Jacobian of the sum of the code in the place of the code's. */
static hg_tensor *of_the_sum(hg_parts *parts, const void *spec)
{
    hg_tensor *x = parts->penalised, *gradient;
    if (hg_grad(hg_sum(parts->apart, HG_ALL_AXES), 1, &x, &gradient) != HG_OK)
        return NULL;
    return hg_scale(hg_reduce(hg_square(gradient), HG_MEAN_OVER_SAMPLES), ((const hg_contractive_spec *)spec)->gamma);
}

static const hg_penalty_kind summed_kind = {
    .kind = { "contractive", sizeof(hg_contractive_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_contractive_spec, gamma, "[0, inf)", 0), { 0 } } },
    .apart = true,
    .apply = of_the_sum,
};
static const hg_corruption_kind same_noise_kind = { .kind = { .name = "same_noise" }, .apply = same_noise },
                                first_numbers_kind = { .kind = { .name = "first_numbers" }, .apply = first_numbers };
static const hg_loss_kind dirty_kind = { .kind = { .name = "dirty" }, .errors = dirty_target };

/* clang-format off */
#define CODE .encoder = { HG_DENSE(6, .act = hg_sigmoid) }
static const hg_autoencoder
    wrong_vjp = { .name = "wrong vjp", .input = { 12 }, .encoder = { HG_DENSE(6), HG_CUSTOM(cube) }, .decoder = { HG_DENSE(12) } },
    wrong_in_penalty = { .name = "wrong penalty", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) },
                         .penalties = { HG_L1(1e-7), HG_WEIGHT_DECAY(0) } },
    unheard = { .name = "unheard", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) },
                .penalties = { { &deaf_kind, &(const hg_l1_spec){ 0.5 } } } },
    summed = { .name = "summed", .input = { 12 }, .encoder = { HG_DENSE(8, .act = hg_tanh), HG_DENSE(6, .act = hg_sigmoid) },
               .decoder = { HG_DENSE(12) }, .penalties = { { &summed_kind, &(const hg_contractive_spec){ .gamma = 0.5 } } } },
    untied = { .name = "untied", .input = { 12 }, CODE, .decoder = { HG_DENSE(12), HG_CUSTOM(own_matrix) }, .tied = true },
    stale = { .name = "stale", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) }, .corrupt = { &same_noise_kind, NULL } },
    partial = { .name = "partial", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) }, .corrupt = { &first_numbers_kind, NULL } },
    dirty = { .name = "dirty", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) }, .corrupt = HG_GAUSSIAN(0.5),
              .loss = { &dirty_kind, NULL } },
    right = { .name = "right", .input = { 12 }, CODE, .decoder = HG_MIRROR, .tied = true, .corrupt = HG_MASKING(0.25),
              .loss = HG_BINARY_CROSS_ENTROPY,
              .penalties = { HG_SPARSE(0.1, 1), HG_CONTRACTIVE(0.1), HG_CONTRACTIVE(0.1, .samples = 2),
                             HG_CONTRACTIVE_HIGHER(0.1), HG_L1(0.01), HG_WEIGHT_DECAY(1e-4) } },
    all_together = { .name = "all together", .input = { 1, 8, 8 },
                     .encoder = { HG_CONV2D(3, .kernel = 3, .stride = 2, .pad = 1, .act = hg_tanh), HG_MAX_POOL2D(2),
                                  HG_DENSE(5, .act = hg_sigmoid) },
                     .decoder = HG_MIRROR, .tied = true, .corrupt = HG_SALT_AND_PEPPER(0.2), .emphasis = HG_EMPHASIS(1, 0.25),
                     .loss = HG_BINARY_CROSS_ENTROPY, .penalise = HG_CLEAN,
                     .penalties = { HG_SPARSE(0.1, 1, .running = 0.9), HG_CONTRACTIVE(0.1) } },
    normalised = { .name = "normalised", .input = { 1, 8, 8 },
                   .encoder = { HG_CONV2D(3, .kernel = 3, .stride = 2, .pad = 1), HG_BATCH_NORM(hg_relu), HG_DROPOUT(0.2),
                                HG_DENSE(4, .act = hg_tanh) },
                   .decoder = HG_MIRROR, .penalties = { HG_CONTRACTIVE(0.1) } },
    deep = { .name = "deep", .input = { 12 },
             .encoder = { HG_DENSE(8, .act = hg_sigmoid), HG_DENSE(6, .act = hg_tanh), HG_DENSE(4, .act = hg_sigmoid) },
             .decoder = HG_MIRROR, .penalties = { HG_CONTRACTIVE(0.1), HG_CONTRACTIVE_HIGHER(0.1) } },
    square = { .name = "square", .input = { 12 }, .encoder = { HG_DENSE(12, .act = hg_sigmoid) }, .decoder = HG_MIRROR,
               .tied = true, .corrupt = HG_GAUSSIAN(0.5) },
    rotation = { .name = "rotation", .input = { 12 }, .encoder = { HG_DENSE(5) }, .decoder = HG_MIRROR, .tied = true,
                 .orthonormal = true },
    predicted = { .name = "predicted", .input = { 12 }, CODE, .decoder = { HG_DENSE(12, .no_bias = true) },
                  .predictive_sparse = { .sparsity = 0.2 } },
    mispredicted = { .name = "mispredicted", .input = { 12 }, .encoder = { HG_DENSE(6), HG_CUSTOM(cube) },
                     .decoder = { HG_DENSE(12, .no_bias = true) }, .predictive_sparse = { .sparsity = 0.2 } },
    no_dictionary = { .name = "no dictionary", .input = { 12 }, CODE, .decoder = { HG_DENSE(12) },
                      .predictive_sparse = { .sparsity = 0.2 } },
    unscaled = { .name = "unscaled", .input = { 12 }, CODE, .decoder = { HG_DENSE(12, .act = hg_sigmoid) },
                 .scale = HG_SCALE(-1, 1), .loss = HG_BINARY_CROSS_ENTROPY },
    unbuildable = { .name = "unbuildable", .input = { 12 }, CODE, .decoder = { HG_DENSE(11) } };
/* clang-format on */

static void each_proof_catches_what_it_is_for(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        const char           *failed, *said;
    } rows[] = {
        { &wrong_vjp, "gradient of the objective; ", "by differences" },
        { &wrong_in_penalty, "weight_decay moves the gradient; ", "does nothing" },
        { &unheard, "beta changes the gradient of deaf; ", "with beta 0.75 instead of 0.5" },
        { &summed, "contraction is that of differences; ", "by differences" },
        { &untied, "decoder has the encoder's weights; ", "\"decoder/2/own\" is not shared" },
        { &stale, "corruption differs from step to step; corruption covers the data; ", "numbers have been corrupted" },
        { &partial, "corruption covers the data; ", "15 of 60 numbers" },
        { &mispredicted, "gradient of the objective; gradient of the decomposition; ", "numeric" },
        { &dirty, "target stays clean; ", "is computed from the corrupted input" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        verdict v = { 0 };
        hg_error error = { 0 };
        assert_int_equal(hg_autoencoder_check(rows[i].declaration, NULL, take, &v, &error), HG_NOT_PROVEN);
        assert_string_equal(v.failed, rows[i].failed);
        assert_words(v.text, (const char *const[]){ rows[i].said, NULL });
        assert_words(error.text, (const char *const[]){ rows[i].declaration->name, "not what it declares", NULL });
    }
}

static void right_declarations_are_proved(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        const char           *names; /* of all proofs, those of gradients but the first left out */
    } rows[] = {
        { &right,
          "gradient of the objective; gradient of loss; gradient of sparse; gradient of contractive; gradient of "
          "contractive; gradient of contractive_higher; gradient of l1; gradient of weight_decay; sparse moves "
          "the gradient; contractive moves the gradient; contractive moves the gradient; contractive_higher "
          "moves the gradient; l1 moves the gradient; weight_decay moves the gradient; rho changes the gradient "
          "of sparse; beta changes the gradient of sparse; gamma changes the gradient of contractive; gamma "
          "changes the gradient of contractive; gamma changes the gradient of contractive_higher; beta changes "
          "the gradient of l1; weight changes the gradient of weight_decay; contraction is that of differences; "
          "contraction is |J|^2; contraction's estimate is fair; decoder has the encoder's weights; corruption "
          "differs from step to step; corruption covers the data; target stays clean; an epoch uses every sample "
          "once; " },
        { &all_together,
          "gradient of the objective; gradient of loss; gradient of sparse; gradient of contractive; sparse "
          "moves the gradient; contractive moves the gradient; rho changes the gradient of sparse; beta changes "
          "the gradient of sparse; running changes the gradient of sparse; gamma changes the gradient of "
          "contractive; contraction is that of differences; contraction is |J|^2; decoder has the encoder's "
          "weights; corruption differs from step to step; corruption covers the data; target stays clean; an "
          "epoch uses every sample once; " },
        { &normalised,
          "gradient of the objective; gradient of loss; gradient of contractive; contractive moves the gradient; "
          "gamma changes the gradient of contractive; contraction is that of differences; contraction is |J|^2; "
          "an epoch uses every sample once; " },
        { &deep,
          "gradient of the objective; gradient of loss; gradient of contractive; gradient of contractive_higher; "
          "contractive moves the gradient; contractive_higher moves the gradient; gamma changes the gradient of "
          "contractive; gamma changes the gradient of contractive_higher; contraction is that of differences; "
          "contraction is |J|^2; an epoch uses every sample once; " },
        { &square, /* whose weights would fit unturned, too */
          "gradient of the objective; decoder has the encoder's weights; corruption differs from step to step; corruption covers "
          "the data; target stays clean; an epoch uses every sample once; " },
        { &rotation,
          "gradient of the objective; decoder has the encoder's weights; rows stay orthonormal; an epoch uses every sample "
          "once; " },
        { &predicted,
          "gradient of the objective; dictionary's columns keep length 1; gradient of the decomposition; an epoch uses every "
          "sample once; " },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        verdict v = { 0 };
        hg_error error = { 0 };
        hg_autoencoder_check(rows[i].declaration, &(hg_proof_options){ .batch = 4, .most = 40 }, take, &v, &error);
        assert_string_equal(error.text, "");
        assert_string_equal(v.failed, "");
        assert_string_equal(v.names, rows[i].names);
    }
}

static void the_library_is_what_it_declares(void **state)
{
    (void)state;
    const hg_autoencoder *declaration;
    for (size_t i = 0; (declaration = hg_autoencoder_at(i)) != NULL; i++) {
        verdict v = { 0 };
        hg_error error = { 0 };
        hg_autoencoder_check(declaration, &(hg_proof_options){ .batch = 2, .most = 1 }, take, &v, &error);
        assert_string_equal(error.text, "");
        assert_true(v.proofs >= 2);
    }
}

static void what_cannot_be_proved_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        hg_proof_options      options;
        hg_status             status;
        const char           *words[3];
    } rows[] = {
        { &unbuildable, { 0 }, HG_BAD_SHAPE, { "decoder layer 1", "\"unbuildable\"" } },
        { &unscaled, { 0 }, HG_BAD_DATA, { "binary_cross_entropy", "[0, 1]" } },
        { &no_dictionary, { 0 }, HG_BAD_ARGUMENT, { "\"no dictionary\"", "one dense layer without bias" } },
        { &right, { .batch = 1 }, HG_BAD_ARGUMENT, { "batch is 1", "[2, inf)" } },
        { &right, { .most = -1 }, HG_BAD_ARGUMENT, { "most is -1" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        verdict v = { 0 };
        hg_error error = { 0 };
        assert_int_equal(hg_autoencoder_check(rows[i].declaration, &rows[i].options, take, &v, &error), rows[i].status);
        assert_words(error.text, rows[i].words);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_proof_catches_what_it_is_for),
        cmocka_unit_test(right_declarations_are_proved),
        cmocka_unit_test(the_library_is_what_it_declares),
        cmocka_unit_test(what_cannot_be_proved_is_an_error),
    };
    return cmocka_run_group_tests_name("proofs", tests, NULL, NULL);
}
