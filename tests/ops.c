/* A row for every op: how it is built, what its inputs are, and what it must give. harness.h tells what follows. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include "ops_conv.h"
#include "references.h"

#define B HG_BATCH

/* Shapes of elementwise rows: more than a block of a fused group at the larger batches. */
#define MAP_SHAPE DIMS(11, B)
#define IN(low_, high_)             { .shape = MAP_SHAPE, .low = low_, .high = high_ }
#define IN_BUT(low_, high_, hole_)  { .shape = MAP_SHAPE, .low = low_, .high = high_, .hole = hole_ }
#define OF(...)                     { .shape = DIMS(__VA_ARGS__), .low = -2, .high = 2 }
#define SCALAR_OF(low_, high_)      { .shape = { .rank = 0 }, .low = low_, .high = high_ }
#define INDICES(most, ...)          { .shape = DIMS(__VA_ARGS__), .kind = INDEX, .high = most }
#define CHOICE                      { .shape = MAP_SHAPE, .kind = WHOLE, .high = 2 }
#define STEP                        { .shape = { .rank = 0 }, .kind = INDEX, .high = 9 }

/* The builder below of that name, or the library's, and its reference. */
#define BY(name)        .build = name, .reference = ref_##name
#define EACH(how, name) .how = hg_##name, .of = ref_##name

/* ---- Builders that take more than tensors -------------------------------------------------------------- */

static hg_tensor *leaky_relu(hg_tensor *const in[], const double a[]) { return hg_leaky_relu(in[0], a[0]); }
static hg_tensor *clamp(hg_tensor *const in[], const double a[]) { return hg_clamp(in[0], a[0], a[1]); }
static hg_tensor *selected(hg_tensor *const in[], const double a[])
{
    (void)a;
    return hg_select(in[0], in[1], in[2]);
}

/* Axes as a sum of bits. */
static hg_tensor *sum(hg_tensor *const in[], const double a[]) { return hg_sum(in[0], (unsigned)a[0]); }
static hg_tensor *mean(hg_tensor *const in[], const double a[]) { return hg_mean(in[0], (unsigned)a[0]); }
static hg_tensor *variance(hg_tensor *const in[], const double a[]) { return hg_variance(in[0], (unsigned)a[0]); }
static hg_tensor *max(hg_tensor *const in[], const double a[]) { return hg_max(in[0], (unsigned)a[0]); }
static hg_tensor *count(hg_tensor *const in[], const double a[]) { return hg_count(in[0], (unsigned)a[0]); }
static hg_tensor *argmax(hg_tensor *const in[], const double a[]) { return hg_argmax(in[0], (int)a[0]); }
static hg_tensor *one_hot(hg_tensor *const in[], const double a[]) { return hg_one_hot(in[0], (int64_t)a[0]); }

/* To the shape of the second input. */
static hg_tensor *expand(hg_tensor *const in[], const double a[])
{
    return hg_expand_like(in[0], in[1], (unsigned)a[0]);
}

static hg_tensor *reshape(hg_tensor *const in[], const double a[])
{
    (void)a;
    return hg_reshape(in[0], *hg_tensor_shape(in[1]));
}

static hg_tensor *permute(hg_tensor *const in[], const double a[])
{
    return hg_permute(in[0], (const int[]){ (int)a[0], (int)a[1], (int)a[2], (int)a[3] });
}

static hg_tensor *slice(hg_tensor *const in[], const double a[])
{
    return hg_slice(in[0], (int)a[0], (int64_t)a[1], (int64_t)a[2]);
}

static hg_tensor *pad(hg_tensor *const in[], const double a[])
{
    return hg_pad(in[0], (int)a[0], (int64_t)a[1], (int64_t)a[2]);
}

/* a: the axis, the number of inputs. */
static hg_tensor *concat(hg_tensor *const in[], const double a[]) { return hg_concat((int)a[1], in, (int)a[0]); }
static hg_tensor *gather(hg_tensor *const in[], const double a[]) { return hg_gather(in[0], in[1], (int)a[0]); }
static hg_tensor *scatter(hg_tensor *const in[], const double a[])
{
    return hg_scatter(in[0], in[1], (int)a[0], (int64_t)a[1]);
}

/* a: whether the left and the right are transposed. */
static hg_tensor *matmul(hg_tensor *const in[], const double a[])
{
    return hg_matmul(a[0] != 0 ? hg_transpose(in[0]) : in[0], a[1] != 0 ? hg_transpose(in[1]) : in[1]);
}

/* a: whether the input is stored transposed. `seen`: x, or its values as another tensor. */
static hg_tensor *times_transpose(hg_tensor *x, hg_tensor *seen, const double a[])
{
    return a[0] != 0 ? hg_matmul(hg_transpose(x), seen) : hg_matmul(x, hg_transpose(seen));
}

static hg_tensor *gram(hg_tensor *const in[], const double a[]) { return times_transpose(in[0], in[0], a); }
static hg_tensor *gram_as_product(hg_tensor *const in[], const double a[])
{
    return times_transpose(in[0], hg_stop_gradient(in[0]), a);
}

static hg_tensor *random_uniform(hg_tensor *const in[], const double a[])
{
    (void)a;
    return hg_random_uniform(in[0], "noise", HG_SHAPE(31, HG_BATCH));
}

static hg_tensor *random_normal(hg_tensor *const in[], const double a[])
{
    (void)a;
    return hg_random_normal(in[0], "noise", HG_SHAPE(31, HG_BATCH));
}

static hg_tensor *random_mask(hg_tensor *const in[], const double a[])
{
    return hg_random_mask(in[0], "noise", HG_SHAPE(31, HG_BATCH), a[0]);
}

/* Losses: a[0] is the reduction. */
static hg_tensor *squared_error(hg_tensor *const in[], const double a[])
{
    return hg_squared_error_by(in[0], in[1], (hg_reduction)a[0]);
}

static hg_tensor *cross_entropy(hg_tensor *const in[], const double a[])
{
    return hg_binary_cross_entropy_by(in[0], in[1], (hg_reduction)a[0]);
}

static hg_tensor *logit_cross_entropy(hg_tensor *const in[], const double a[])
{
    return hg_binary_cross_entropy_from_logits_by(in[0], in[1], (hg_reduction)a[0]);
}

static hg_tensor *softmax_cross_entropy(hg_tensor *const in[], const double a[])
{
    return hg_softmax_cross_entropy_by(in[0], in[1], (hg_reduction)a[0]);
}

static hg_tensor *huber(hg_tensor *const in[], const double a[])
{
    return hg_huber_by(in[0], in[1], a[1], (hg_reduction)a[0]);
}

/* ---- Laws: each is zero -------------------------------------------------------------------------------- */

#define LAW(name) static hg_tensor *name(hg_tensor *const in[], const double a[])
#define X in[0]
#define Y in[1]
#define Z in[2]

LAW(add_commutes) { (void)a; return hg_sub(hg_add(X, Y), hg_add(Y, X)); }
LAW(sub_is_odd) { (void)a; return hg_add(hg_sub(X, Y), hg_sub(Y, X)); }
LAW(mul_commutes) { (void)a; return hg_sub(hg_mul(X, Y), hg_mul(Y, X)); }
LAW(mul_distributes) { (void)a; return hg_sub(hg_mul(X, hg_add(X, Y)), hg_add(hg_square(X), hg_mul(X, Y))); }
LAW(div_undone) { (void)a; return hg_sub(hg_mul(hg_div(X, Y), Y), X); }
LAW(neg_undone) { (void)a; return hg_sub(hg_neg(hg_neg(X)), X); }
LAW(shift_undone) { return hg_sub(hg_shift(hg_shift(X, a[0]), -a[0]), X); }
LAW(pow_by_logarithm) { return hg_sub(hg_pow(X, a[0]), hg_exp(hg_scale(hg_log(X), a[0]))); }
LAW(square_is_product) { (void)a; return hg_sub(hg_square(X), hg_mul(X, X)); }
LAW(sqrt_undone) { (void)a; return hg_sub(hg_square(hg_sqrt(X)), X); }
LAW(exp_undone) { (void)a; return hg_sub(hg_log(hg_exp(X)), X); }
LAW(exp_of_sum) { (void)a; return hg_shift(hg_mul(hg_exp(X), hg_exp(hg_neg(X))), -1); }
LAW(log_undone) { (void)a; return hg_sub(hg_exp(hg_log(X)), X); }
LAW(abs_idempotent) { (void)a; return hg_sub(hg_abs(hg_abs(X)), hg_abs(X)); }
LAW(abs_even) { (void)a; return hg_sub(hg_abs(hg_neg(X)), hg_abs(X)); }
LAW(sign_times_abs) { (void)a; return hg_sub(hg_mul(hg_sign(X), hg_abs(X)), X); }
LAW(sigmoid_symmetric) { (void)a; return hg_shift(hg_add(hg_sigmoid(X), hg_sigmoid(hg_neg(X))), -1); }
LAW(tanh_odd) { (void)a; return hg_add(hg_tanh(X), hg_tanh(hg_neg(X))); }
LAW(tanh_by_sigmoid) { (void)a; return hg_sub(hg_tanh(X), hg_shift(hg_scale(hg_sigmoid(hg_scale(X, 2)), 2), -1)); }
LAW(relu_idempotent) { (void)a; return hg_sub(hg_relu(hg_relu(X)), hg_relu(X)); }
LAW(relu_splits) { (void)a; return hg_sub(hg_sub(hg_relu(X), hg_relu(hg_neg(X))), X); }
LAW(leaky_by_relu)
{
    return hg_sub(hg_leaky_relu(X, a[0]), hg_sub(hg_relu(X), hg_scale(hg_relu(hg_neg(X)), a[0])));
}
LAW(elu_by_relu)
{
    hg_tensor *negative = hg_shift(hg_exp(hg_neg(hg_relu(hg_neg(X)))), -1);
    return hg_sub(hg_elu(X, a[0]), hg_add(hg_relu(X), hg_scale(negative, a[0])));
}
LAW(softplus_splits) { (void)a; return hg_sub(hg_sub(hg_softplus(X), hg_softplus(hg_neg(X))), X); }
LAW(gelu_splits) { (void)a; return hg_sub(hg_sub(hg_gelu(X), hg_gelu(hg_neg(X))), X); }
LAW(gelu_by_erf)
{
    (void)a;
    return hg_sub(hg_gelu(X), hg_mul(hg_scale(X, 0.5), hg_shift(hg_erf(hg_scale(X, sqrt(0.5))), 1)));
}
LAW(erf_odd) { (void)a; return hg_add(hg_erf(X), hg_erf(hg_neg(X))); }
LAW(extrema_sum) { (void)a; return hg_sub(hg_add(hg_minimum(X, Y), hg_maximum(X, Y)), hg_add(X, Y)); }
LAW(minimum_by_maximum) { (void)a; return hg_add(hg_minimum(X, Y), hg_maximum(hg_neg(X), hg_neg(Y))); }
LAW(clamp_idempotent) { return hg_sub(clamp((hg_tensor *[]){ clamp(in, a) }, a), clamp(in, a)); }
LAW(greater_excludes) { (void)a; return hg_mul(hg_greater(X, Y), hg_greater(Y, X)); }
LAW(select_splits) { (void)a; return hg_sub(hg_add(hg_select(X, Y, Z), hg_select(X, Z, Y)), hg_add(Y, Z)); }
LAW(stop_is_constant) /* d/dx sum(stop(x) x) = x */
{
    hg_tensor *x = X, *dx;
    (void)a;
    hg_grad(hg_sum(hg_mul(hg_stop_gradient(x), x), HG_ALL_AXES), 1, &x, &dx);
    return hg_sub(dx, x);
}
LAW(sum_of_expanded) /* n x */
{
    hg_tensor *wide = hg_expand_like(hg_sum(X, (unsigned)a[0]), X, (unsigned)a[0]);
    return hg_sub(hg_sum(wide, (unsigned)a[0]), hg_mul(hg_sum(X, (unsigned)a[0]), hg_count(X, (unsigned)a[0])));
}
LAW(mean_shifts) { return hg_shift(hg_sub(mean((hg_tensor *[]){ hg_shift(X, 3) }, a), mean(in, a)), -3); }
LAW(variance_stays) { return hg_sub(variance((hg_tensor *[]){ hg_shift(X, 3) }, a), variance(in, a)); }
LAW(variance_is_mean)
{
    hg_tensor *centred = hg_sub(X, hg_expand_like(mean(in, a), X, (unsigned)a[0]));
    return hg_sub(hg_mean(hg_square(centred), (unsigned)a[0]), variance(in, a));
}
LAW(max_shifts) { return hg_shift(hg_sub(max((hg_tensor *[]){ hg_shift(X, 3) }, a), max(in, a)), -3); }
LAW(argmax_ignores_shift)
{
    return hg_sub(hg_to_real(argmax((hg_tensor *[]){ hg_shift(X, 3) }, a)), hg_to_real(argmax(in, a)));
}
/* What is repeated or shifted, and summed under another shape, which computing it again must not undo. */
LAW(sum_of_a_view)
{
    const int64_t rows = hg_tensor_shape(X)->dim[0];
    hg_tensor *twice = hg_reshape(hg_expand(X, HG_SHAPE(rows, 2, B), HG_AXIS(1)), HG_SHAPE(rows, 2 * B));
    hg_tensor *shifted = hg_shift(X, 1), *line = hg_reshape(shifted, HG_SHAPE(rows * B));
    return hg_add(hg_sub(hg_sum(twice, (unsigned)a[0]), hg_scale(hg_sum(X, (unsigned)a[0]), 2)),
                  hg_sub(hg_sum(line, HG_ALL_AXES), hg_sum(shifted, HG_ALL_AXES)));
}
LAW(argmax_finds_max)
{
    hg_tensor *found = hg_gather(X, argmax(in, a), (int)a[0]);
    return hg_sub(hg_sum(found, HG_AXIS((int)a[0])), hg_max(X, HG_AXIS((int)a[0])));
}
LAW(one_hot_sums_to_one) { return hg_shift(hg_sum(one_hot(in, a), HG_AXIS(0)), -1); }
LAW(reshape_undone) { return hg_sub(hg_reshape(reshape(in, a), *hg_tensor_shape(X)), X); }
LAW(transpose_undone) { (void)a; return hg_sub(hg_transpose(hg_scale(hg_transpose(X), 1)), X); }
LAW(permute_keeps_sum)
{
    return hg_sub(hg_sum(hg_square(permute(in, a)), HG_ALL_AXES), hg_sum(hg_square(X), HG_ALL_AXES));
}
LAW(slice_undoes_pad)
{
    return hg_sub(hg_slice(pad(in, a), (int)a[0], (int64_t)a[1], hg_tensor_shape(X)->dim[(int)a[0]]), X);
}
LAW(slice_undoes_concat)
{
    return hg_sub(hg_slice(concat(in, a), (int)a[0], 0, hg_tensor_shape(X)->dim[(int)a[0]]), X);
}
LAW(product_transposes) /* (A B)^T = B^T A^T */
{
    (void)a;
    return hg_sub(hg_transpose(hg_matmul(X, Y)), hg_matmul(hg_transpose(Y), hg_transpose(X)));
}
LAW(gram_is_symmetric) { return hg_sub(gram(in, a), hg_transpose(gram(in, a))); }
LAW(gram_is_product) { return hg_sub(gram(in, a), gram_as_product(in, a)); }
LAW(gram_has_factors)
{
    hg_tensor *y = gram(in, a), *twice = hg_scale(hg_matmul_factor(y, 1), 2);
    return hg_sub(hg_matmul(hg_matmul_factor(y, 0), twice), hg_scale(y, 2));
}
#define GRAM_LAWS                                                                                            \
    .law = { { "symmetric", gram_is_symmetric }, { "a product", gram_is_product }, { "of factors", gram_has_factors } }
LAW(softmax_shifts) { (void)a; return hg_sub(hg_log_softmax(hg_shift(X, 5)), hg_log_softmax(X)); }
LAW(softmax_sums_to_one) { (void)a; return hg_shift(hg_sum(hg_exp(hg_log_softmax(X)), HG_AXIS(0)), -1); }
LAW(no_error) { return squared_error((hg_tensor *[]){ X, X }, a); }
LAW(logits_by_probabilities)
{
    return hg_sub(logit_cross_entropy(in, a), cross_entropy((hg_tensor *[]){ hg_sigmoid(X), Y }, a));
}
LAW(large_delta_squares) { return hg_sub(hg_huber_by(X, Y, 100, (hg_reduction)a[0]), squared_error(in, a)); }

#undef X
#undef Y
#undef Z

/* ---- assign: a run replaces the value after all its readers -------------------------------------------- */

static void check_assign_with(hg_plan_options options)
{
    static const double start[] = { 1, -2, 3 };
    double values[6];
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *p = hg_state(g, "p", HG_SHAPE(3), hg_zeros());
    hg_write(p, start, 3);
    hg_tensor *next = hg_assign(p, hg_scale(hg_shift(p, 1), 2)), *square = hg_square(p), *after = hg_neg(next);
    hg_plan *plan = hg_plan_new(g, 3, (hg_tensor *[]){ square, next, after }, &options);
    expect_good(g);
    for (int run = 0; run < 2; run++) { /* 1 -> 4 -> 10, -2 -> -2, 3 -> 8 -> 18 */
        static const double after_run[2][3] = { { 4, -2, 8 }, { 10, -2, 18 } };
        static const double old[2][3] = { { 1, 4, 9 }, { 16, 4, 64 } };
        assert_int_equal(hg_run(plan), HG_OK);
        assert_int_equal(hg_plan_read(plan, square, values, 3), HG_OK);
        assert_memory_equal(values, old[run], sizeof old[run]);
        assert_int_equal(hg_plan_read(plan, next, values, 3), HG_OK);
        assert_memory_equal(values, after_run[run], sizeof after_run[run]);
        hg_plan_read(plan, after, values + 3, 3);
        hg_read(p, values, 3);
        assert_memory_equal(values, after_run[run], sizeof after_run[run]);
        for (int i = 0; i < 3; i++)
            assert_true(values[3 + i] == -values[i]);
    }
    hg_plan_free(plan);
    hg_graph_free(g);
}

static void check_assign(void)
{
    static const hg_plan_options options[] = { { .threads = 1 },         { .threads = 2 },       { .no_fusion = true },
                                               { .no_folding = true },   { .no_reuse = true } };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        check_assign_with(options[i]);
}

/* ---- The table ----------------------------------------------------------------------------------------- */

static const op_row rows[] = {
    /* Elementwise */
    { "add", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, add), .law = { { "commutes", add_commutes } } },
    { "add", "of a scalar", { SCALAR_OF(-2, 2), IN(-2, 2) }, 2, EACH(binary, add) },
    { "add", "of vectors", { OF(B), OF(B) }, 2, EACH(binary, add) },
    { "add", "of nothing", { OF(0, B), OF(0, B) }, 2, EACH(binary, add) },
    { "add", "of B columns each", { OF(1, 3 * B), OF(1, 3 * B) }, 2, EACH(binary, add) },
    { "sub", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, sub), .law = { { "odd", sub_is_odd } } },
    { "sub", "of a scalar", { IN(-2, 2), SCALAR_OF(-2, 2) }, 2, EACH(binary, sub) },
    { "mul", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, mul), .linear = LINEAR(0) | LINEAR(1),
      .law = { { "commutes", mul_commutes }, { "distributes", mul_distributes } } },
    { "mul", "of a scalar", { SCALAR_OF(-2, 2), IN(-2, 2) }, 2, EACH(binary, mul),
      .linear = LINEAR(0) | LINEAR(1) },
    { "mul", "of scalars", { SCALAR_OF(-2, 2), SCALAR_OF(-2, 2) }, 2, EACH(binary, mul) },
    { "div", NULL, { IN(-2, 2), IN_BUT(-2, 2, 0.4) }, 2, EACH(binary, div), .linear = LINEAR(0),
      .law = { { "undone by mul", div_undone } } },
    { "div", "by a scalar", { IN(-2, 2), SCALAR_OF(0.5, 2) }, 2, EACH(binary, div), .linear = LINEAR(0) },
    { "neg", NULL, { IN(-2, 2) }, 1, EACH(unary, neg), .linear = LINEAR(0),
      .law = { { "undone by itself", neg_undone } } },
    { "scale", NULL, { IN(-2, 2) }, 1, { -1.75 }, EACH(unary_by, scale), .linear = LINEAR(0) },
    { "shift", NULL, { IN(-2, 2) }, 1, { 0.375 }, EACH(unary_by, shift),
      .law = { { "undone by itself", shift_undone } } },
    { "pow", "2.5", { IN(0.2, 3) }, 1, { 2.5 }, EACH(unary_by, pow),
      .law = { { "by logarithm", pow_by_logarithm } } },
    { "pow", "-1.3", { IN(0.2, 3) }, 1, { -1.3 }, EACH(unary_by, pow) },
    { "pow", "-1", { IN_BUT(-2, 2, 0.4) }, 1, { -1 }, EACH(unary_by, pow) },
    { "pow", "0.5", { IN(0.2, 3) }, 1, { 0.5 }, EACH(unary_by, pow) },
    { "pow", "3", { IN(-2, 2) }, 1, { 3 }, EACH(unary_by, pow) },
    { "square", NULL, { IN(-2, 2) }, 1, EACH(unary, square), .law = { { "a product", square_is_product } } },
    { "sqrt", NULL, { IN(0.1, 4) }, 1, EACH(unary, sqrt), .law = { { "undone by square", sqrt_undone } } },
    { "exp", NULL, { IN(-5, 3) }, 1, EACH(unary, exp),
      .law = { { "undone by log", exp_undone }, { "of -x is 1/exp x", exp_of_sum } } },
    { "exp", "far out", { IN(-40, 40) }, 1, EACH(unary, exp), .no_differences = true },
    { "log", NULL, { IN(0.1, 5) }, 1, EACH(unary, log), .law = { { "undone by exp", log_undone } } },
    { "log", "near 1", { IN(0.99, 1.01) }, 1, EACH(unary, log) },
    { "abs", NULL, { IN_BUT(-2, 2, 0.01) }, 1, EACH(unary, abs),
      .law = { { "idempotent", abs_idempotent }, { "even", abs_even } } },
    { "sign", NULL, { IN_BUT(-2, 2, 0.01) }, 1, EACH(unary, sign), .law = { { "times abs", sign_times_abs } } },
    { "sigmoid", NULL, { IN(-6, 6) }, 1, EACH(unary, sigmoid), .law = { { "symmetric", sigmoid_symmetric } } },
    { "sigmoid", "far out", { IN(-80, 80) }, 1, EACH(unary, sigmoid) },
    { "tanh", NULL, { IN(-4, 4) }, 1, EACH(unary, tanh),
      .law = { { "odd", tanh_odd }, { "by sigmoid", tanh_by_sigmoid } } },
    { "tanh", "near 0", { IN(-0.01, 0.01) }, 1, EACH(unary, tanh) },
    { "relu", NULL, { IN_BUT(-2, 2, 0.01) }, 1, EACH(unary, relu),
      .law = { { "idempotent", relu_idempotent }, { "splits", relu_splits } } },
    { "leaky_relu", NULL, { IN_BUT(-2, 2, 0.01) }, 1, { 0.1 }, .build = leaky_relu, .of = ref_leaky_relu,
      .law = { { "by relu", leaky_by_relu } } },
    { "elu", NULL, { IN_BUT(-2, 2, 0.01) }, 1, { 1.3 }, EACH(unary_by, elu),
      .law = { { "by relu", elu_by_relu } } },
    { "softplus", NULL, { IN(-6, 6) }, 1, EACH(unary, softplus), .law = { { "splits", softplus_splits } } },
    { "softplus", "far out", { IN(-80, 80) }, 1, EACH(unary, softplus) },
    { "gelu", NULL, { IN(-4, 4) }, 1, EACH(unary, gelu), .scale = 1,
      .law = { { "splits", gelu_splits }, { "by erf", gelu_by_erf } } },
    { "erf", NULL, { IN(-4, 4) }, 1, EACH(unary, erf), .law = { { "odd", erf_odd } } },
    { "minimum", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, minimum),
      .law = { { "with maximum", extrema_sum }, { "by maximum", minimum_by_maximum } } },
    { "maximum", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, maximum) },
    { "maximum", "of a scalar", { IN(-2, 2), SCALAR_OF(-1, 1) }, 2, EACH(binary, maximum) },
    { "clamp", NULL, { IN(-2, 2) }, 1, { -0.7, 1.1 }, .build = clamp, .of = ref_clamp,
      .law = { { "idempotent", clamp_idempotent } } },
    { "greater", NULL, { IN(-2, 2), IN(-2, 2) }, 2, EACH(binary, greater),
      .law = { { "excludes", greater_excludes } } },
    { "select", NULL, { CHOICE, IN(-2, 2), IN(-2, 2) }, 3, .build = selected, .of = ref_select,
      .law = { { "splits", select_splits } } },
    { "to_real", NULL, { INDICES(9, 11, B) }, 1, .unary = hg_to_real, .of = ref_identity },
    { "identity", NULL, { IN(-2, 2) }, 1, EACH(unary, identity), .linear = LINEAR(0) },
    { "stop_gradient", NULL, { IN(-2, 2) }, 1, .unary = hg_stop_gradient, .of = ref_identity,
      .no_differences = true, .law = { { "a constant", stop_is_constant } } },

    /* Reductions; axes as bits */
    { "sum", "over rows", { OF(11, B) }, 1, { 1 }, BY(sum), .ulps = 16, .scale = 4, .linear = LINEAR(0),
      .law = { { "of expanded", sum_of_expanded } } },
    { "sum", "over the batch", { OF(11, B) }, 1, { 2 }, BY(sum), .ulps = 64, .scale = 4, .linear = LINEAR(0),
      .law = { { "of expanded", sum_of_expanded }, { "of a view", sum_of_a_view } } },
    { "sum", "over all", { OF(11, B) }, 1, { 255 }, BY(sum), .ulps = 256, .scale = 4, .linear = LINEAR(0),
      .law = { { "of expanded", sum_of_expanded } } },
    { "sum", "over a middle axis", { OF(3, 5, B) }, 1, { 2 }, BY(sum), .ulps = 16, .scale = 4,
      .linear = LINEAR(0) },
    { "sum", "over outer axes", { OF(3, 4, B) }, 1, { 5 }, BY(sum), .ulps = 128, .scale = 4,
      .linear = LINEAR(0) },
    { "sum", "over every other axis", { OF(2, 3, 2, B, 2) }, 1, { 10 }, BY(sum), .ulps = 128, .scale = 4,
      .linear = LINEAR(0) },
    { "sum", "of nothing", { OF(0, B) }, 1, { 1 }, BY(sum) },
    { "sum", "of many rows", { OF(1500, B) }, 1, { 1 }, BY(sum), .ulps = 512, .scale = 4, .no_differences = true,
      .linear = LINEAR(0) },
    { "mean", "over the batch", { OF(3, 4, B) }, 1, { 4 }, BY(mean), .ulps = 64, .scale = 1, .linear = LINEAR(0),
      .law = { { "shifts", mean_shifts } } },
    { "mean", "over all", { OF(11, B) }, 1, { 255 }, BY(mean), .ulps = 64, .scale = 1, .linear = LINEAR(0),
      .law = { { "shifts", mean_shifts } } },
    { "variance", "over rows", { OF(11, B) }, 1, { 1 }, BY(variance), .ulps = 64, .scale = 4,
      .law = { { "shifts", variance_stays }, { "a mean", variance_is_mean } } },
    { "variance", "over the batch", { OF(3, 4, B) }, 1, { 4 }, BY(variance), .ulps = 64, .scale = 4,
      .law = { { "shifts", variance_stays }, { "a mean", variance_is_mean } } },
    { "variance", "over all", { OF(3, 5, B) }, 1, { 255 }, BY(variance), .ulps = 256, .scale = 4 },
    { "variance", "over a middle axis", { OF(3, 5, B) }, 1, { 2 }, BY(variance), .ulps = 64, .scale = 4 },
    { "variance", "over every other axis", { OF(2, 3, 2, B, 2) }, 1, { 10 }, BY(variance), .ulps = 128, .scale = 4 },
    { "variance", "of many rows", { OF(1500, B) }, 1, { 1 }, BY(variance), .ulps = 512, .scale = 4, .no_differences = true },
    { "max", "over rows", { OF(11, B) }, 1, { 1 }, BY(max), .law = { { "shifts", max_shifts } } },
    { "max", "over the batch", { OF(5, B) }, 1, { 2 }, BY(max), .law = { { "shifts", max_shifts } } },
    { "max", "over all", { OF(3, 4, B) }, 1, { 255 }, BY(max), .law = { { "shifts", max_shifts } } },
    { "argmax", "of rows", { OF(11, B) }, 1, { 0 }, BY(argmax),
      .law = { { "ignores a shift", argmax_ignores_shift }, { "finds the max", argmax_finds_max } } },
    { "argmax", "of a middle axis", { OF(3, 5, B) }, 1, { 1 }, BY(argmax) },
    { "argmax", "of the batch", { OF(3, B) }, 1, { 1 }, BY(argmax) },
    { "count", "of the batch", { OF(3, B) }, 1, { 2 }, BY(count) },
    { "count", "of all", { OF(3, 2 * B) }, 1, { 255 }, BY(count) },

    /* Moving */
    { "expand", "a scalar", { SCALAR_OF(-2, 2), OF(11, B) }, 2, { 3 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "a vector to columns", { OF(11), OF(11, B) }, 2, { 2 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "a vector to rows", { OF(B), OF(11, B) }, 2, { 1 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "a middle axis", { OF(3, B), OF(3, 4, B) }, 2, { 2 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "every other axis", { OF(3, B), OF(2, 3, 2, B, 2) }, 2, { 21 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "to B columns each", { OF(3, 1), OF(3, 1, 2 * B) }, 2, { 4 }, BY(expand), .linear = LINEAR(0) },
    { "expand", "to nothing", { OF(B), OF(0, B) }, 2, { 1 }, BY(expand) },
    { "reshape", "to images", { OF(12, B), OF(3, 4, B) }, 2, BY(reshape), .linear = LINEAR(0),
      .law = { { "undone", reshape_undone } } },
    { "reshape", "to B columns each", { OF(2, 3, B), OF(3, 2 * B) }, 2, BY(reshape), .linear = LINEAR(0),
      .law = { { "undone", reshape_undone } } },
    { "permute", "a matrix", { OF(21, B) }, 1, { 1, 0 }, BY(permute), .linear = LINEAR(0),
      .law = { { "transposes", transpose_undone } } },
    { "permute", "outer axes", { OF(3, 5, B) }, 1, { 1, 0, 2 }, BY(permute), .linear = LINEAR(0) },
    { "permute", "three axes", { OF(3, 5, B) }, 1, { 2, 1, 0 }, BY(permute), .linear = LINEAR(0),
      .law = { { "keeps the sum", permute_keeps_sum } } },
    { "permute", "three axes round", { OF(3, 5, B) }, 1, { 2, 0, 1 }, BY(permute), .linear = LINEAR(0) },
    { "permute", "four axes", { OF(3, 2, 17, B) }, 1, { 3, 0, 2, 1 }, BY(permute), .linear = LINEAR(0) },
    { "permute", "more than a block", { OF(67, 41, B) }, 1, { 1, 2, 0 }, BY(permute), .linear = LINEAR(0) },
    { "permute", "axes of 1", { OF(1, 3, 1, B) }, 1, { 3, 2, 1, 0 }, BY(permute), .linear = LINEAR(0) },
    { "permute", "nothing", { OF(3, 0, B) }, 1, { 2, 1, 0 }, BY(permute) },
    { "slice", "rows", { OF(11, B) }, 1, { 0, 3, 5 }, BY(slice), .linear = LINEAR(0) },
    { "slice", "a middle axis", { OF(3, 7, B) }, 1, { 1, 2, 4 }, BY(slice), .linear = LINEAR(0) },
    { "slice", "the last axis", { OF(B, 7) }, 1, { 1, 0, 3 }, BY(slice), .linear = LINEAR(0) },
    { "slice", "B of kB columns", { OF(3, 4 * B) }, 1, { 1, 2 * B, B }, BY(slice), .linear = LINEAR(0) },
    { "slice", "nothing", { OF(3, B) }, 1, { 0, 1, 0 }, BY(slice) },
    { "pad", "rows", { OF(5, B) }, 1, { 0, 2, 1 }, BY(pad), .linear = LINEAR(0),
      .law = { { "undone by slice", slice_undoes_pad } } },
    { "pad", "a middle axis", { OF(3, 4, B) }, 1, { 1, 1, 2 }, BY(pad), .linear = LINEAR(0),
      .law = { { "undone by slice", slice_undoes_pad } } },
    { "pad", "the last axis", { OF(B, 4) }, 1, { 1, 3, 0 }, BY(pad), .linear = LINEAR(0) },
    { "pad", "by B columns", { OF(3, 2 * B) }, 1, { 1, B, 2 * B }, BY(pad), .linear = LINEAR(0),
      .law = { { "undone by slice", slice_undoes_pad } } },
    { "concat", "rows", { OF(2, B), OF(3, B), OF(1, B) }, 3, { 0, 3 }, BY(concat),
      .law = { { "undone by slice", slice_undoes_concat } } },
    { "concat", "a middle axis", { OF(3, 2, B), OF(3, 4, B) }, 2, { 1, 2 }, BY(concat),
      .law = { { "undone by slice", slice_undoes_concat } } },
    { "concat", "columns", { OF(3, B), OF(3, 2 * B) }, 2, { 1, 2 }, BY(concat),
      .law = { { "undone by slice", slice_undoes_concat } } },
    { "concat", "one with nothing", { OF(0, B), OF(3, B) }, 2, { 0, 2 }, BY(concat) },
    { "gather", "rows", { OF(7, B), INDICES(7, 4, B) }, 2, { 0 }, BY(gather), .linear = LINEAR(0) },
    { "gather", "a middle axis", { OF(3, 5, B), INDICES(5, 3, 6, B) }, 2, { 1 }, BY(gather),
      .linear = LINEAR(0) },
    { "gather", "the last axis", { OF(B, 5), INDICES(5, B, 3) }, 2, { 1 }, BY(gather), .linear = LINEAR(0) },
    { "scatter", "rows", { OF(7, B), INDICES(4, 7, B) }, 2, { 0, 4 }, BY(scatter), .ulps = 16, .scale = 1,
      .linear = LINEAR(0) },
    { "scatter", "a middle axis", { OF(3, 5, B), INDICES(7, 3, 5, B) }, 2, { 1, 7 }, BY(scatter), .ulps = 16,
      .scale = 1, .linear = LINEAR(0) },
    { "scatter", "the last axis", { OF(B, 5), INDICES(3, B, 5) }, 2, { 1, 3 }, BY(scatter), .ulps = 16,
      .scale = 1, .linear = LINEAR(0) },
    { "scatter", "some outside", { OF(7, B), INDICES(7, 7, B) }, 2, { 0, 4 }, BY(scatter), .ulps = 16, .scale = 1,
      .no_differences = true },
    { "one_hot", NULL, { INDICES(7, 1, B) }, 1, { 7 }, BY(one_hot),
      .law = { { "sums to one", one_hot_sums_to_one } } },

    /* Products */
    { "matmul", "weights times samples", { OF(5, 7), OF(7, B) }, 2, BY(matmul), .ulps = 32, .scale = 1,
      .linear = LINEAR(0) | LINEAR(1), .law = { { "transposes", product_transposes } } },
    { "matmul", "left transposed", { OF(7, 5), OF(7, B) }, 2, { 1, 0 }, BY(matmul), .ulps = 32, .scale = 1,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "right transposed", { OF(5, B), OF(4, B) }, 2, { 0, 1 }, BY(matmul), .ulps = 64, .scale = 4,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "both transposed", { OF(B, 5), OF(3, B) }, 2, { 1, 1 }, BY(matmul), .ulps = 64, .scale = 4,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "many rows", { OF(130, 33), OF(33, B) }, 2, BY(matmul), .ulps = 128, .scale = 4,
      .no_differences = true, .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "many rows, left transposed", { OF(33, 130), OF(33, B) }, 2, { 1, 0 }, BY(matmul), .ulps = 128, .scale = 4,
      .no_differences = true, .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "a long sum", { OF(14, 200), OF(200, B) }, 2, BY(matmul), .ulps = 512, .scale = 4,
      .no_differences = true, .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "a long sum, right transposed", { OF(14, 200), OF(37, 200) }, 2, { 0, 1 }, BY(matmul), .ulps = 512,
      .scale = 4, .no_differences = true, .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "large, for BLIS", { OF(260, 270), OF(270, 257) }, 2, BY(matmul), .ulps = 512, .scale = 4,
      .no_differences = true, .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "a row", { OF(1, 6), OF(6, B) }, 2, BY(matmul), .ulps = 32, .scale = 1,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "an outer product", { OF(4, 1), OF(1, B) }, 2, BY(matmul), .ulps = 32, .scale = 1,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "B columns each", { OF(2, 3), OF(3, 2 * B) }, 2, BY(matmul), .ulps = 32, .scale = 1,
      .linear = LINEAR(0) | LINEAR(1) },
    { "matmul", "of an empty sum", { OF(2, 0), OF(0, B) }, 2, BY(matmul) },

    { "gram", "of rows", { OF(5, 7) }, 1, BY(gram), .ulps = 32, .scale = 1, GRAM_LAWS },
    { "gram", "of columns", { OF(7, 5) }, 1, { 1 }, BY(gram), .ulps = 32, .scale = 1, GRAM_LAWS },
    { "gram", "of rows, over the batch", { OF(5, B) }, 1, BY(gram), .ulps = 64, .scale = 4, GRAM_LAWS },
    { "gram", "of columns, over the batch", { OF(B, 5) }, 1, { 1 }, BY(gram), .ulps = 64, .scale = 4 },
    { "gram", "of many rows", { OF(130, B) }, 1, BY(gram), .ulps = 128, .scale = 4, .no_differences = true, GRAM_LAWS },
    { "gram", "of many columns, over B rows each", { OF(2 * B, 75) }, 1, { 1 }, BY(gram), .ulps = 128, .scale = 4,
      .no_differences = true },
    { "gram", "a long sum", { OF(37, 600) }, 1, BY(gram), .ulps = 512, .scale = 4, .no_differences = true },
    { "gram", "of a row", { OF(1, B) }, 1, BY(gram), .ulps = 64, .scale = 4 },
    { "gram", "an outer product", { OF(6, 1) }, 1, BY(gram), .ulps = 32, .scale = 1 },
    { "gram", "of an empty sum", { OF(2, 0) }, 1, BY(gram) },

    /* Random: mean and variance, or a mask's probability and variance */
    { "random_uniform", NULL, { STEP }, 1, { 0.5, 1 / 12.0 }, .build = random_uniform },
    { "random_normal", NULL, { STEP }, 1, { 0, 1 }, .build = random_normal },
    { "random_mask", NULL, { STEP }, 1, { 0.3, 0.21 }, .build = random_mask },

    /* State */
    { "assign", NULL, .own = check_assign },

    /* Losses */
    { "squared_error", "over samples", { IN(-2, 2), IN(-2, 2) }, 2, { HG_MEAN_OVER_SAMPLES }, BY(squared_error),
      .ulps = 64, .scale = 1, .law = { { "none", no_error } } },
    { "squared_error", "over elements", { IN(-2, 2), IN(-2, 2) }, 2, { HG_MEAN_OVER_ELEMENTS }, BY(squared_error),
      .ulps = 64, .scale = 1 },
    { "squared_error", "over all", { IN(-2, 2), IN(-2, 2) }, 2, { HG_SUM_OVER_ALL }, BY(squared_error),
      .ulps = 256, .scale = 1 },
    { "squared_error", "per sample", { OF(2, 3, B), OF(2, 3, B) }, 2, { HG_PER_SAMPLE }, BY(squared_error),
      .ulps = 64, .scale = 1 },
    { "binary_cross_entropy", NULL, { IN(0.05, 0.95), IN(0, 1) }, 2, { HG_MEAN_OVER_SAMPLES }, BY(cross_entropy),
      .ulps = 64, .scale = 1 },
    { "binary_cross_entropy", "per sample", { IN(0.05, 0.95), IN(0, 1) }, 2, { HG_PER_SAMPLE }, BY(cross_entropy),
      .ulps = 64, .scale = 1 },
    { "binary_cross_entropy_from_logits", NULL, { IN(-3, 3), IN(0, 1) }, 2, { HG_MEAN_OVER_SAMPLES },
      BY(logit_cross_entropy), .ulps = 64, .scale = 1,
      .law = { { "by probabilities", logits_by_probabilities } } },
    { "binary_cross_entropy_from_logits", "far out", { IN(-500, 500), IN(0, 1) }, 2, { HG_PER_SAMPLE },
      BY(logit_cross_entropy), .ulps = 64, .scale = 1 },
    { "softmax_cross_entropy", NULL, { IN(-3, 3), IN(0, 1) }, 2, { HG_MEAN_OVER_SAMPLES },
      BY(softmax_cross_entropy), .ulps = 64, .scale = 1 },
    { "softmax_cross_entropy", "over elements", { IN(-3, 3), IN(0, 1) }, 2, { HG_MEAN_OVER_ELEMENTS },
      BY(softmax_cross_entropy), .ulps = 64, .scale = 1 },
    { "huber", NULL, { IN(-2, 2), IN(-2, 2) }, 2, { HG_MEAN_OVER_SAMPLES, 0.8 }, BY(huber), .ulps = 64,
      .scale = 1, .law = { { "a square for a large delta", large_delta_squares } } },
    { "log_softmax", NULL, { IN(-3, 3) }, 1, .unary = hg_log_softmax, .reference = ref_log_softmax, .ulps = 16,
      .scale = 4, .law = { { "shifts", softmax_shifts }, { "sums to one", softmax_sums_to_one } } },
};

static const char *const names[] = {
#define HG_OP(name)         #name,
#define HG_OP_VIRTUAL(name) #name,
#include "../lib/op/ops.def"
#undef HG_OP
#undef HG_OP_VIRTUAL
    NULL,
};

/* Leaves: they compute nothing, and every row has some of them for inputs. Those of ops_conv.c are asked for there. */
static const char *const exempt[] = { "input", "parameter", "constant", OPS_OF_CONV, NULL };

int main(void) { return run_rows(rows, sizeof rows / sizeof *rows, names, exempt); }
