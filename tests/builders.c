/* Builders of ops: mistakes named, NULL passed on, derivatives where a function has a kink, and a user's own ops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

#include <math.h>

#define B HG_BATCH
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Mistakes: what each message must say -------------------------------------------------------------- */

/* m: 3xB, w: 5x4, v: of 4, i: 3xB integers, s: a scalar, c: 2x3xB, p: a parameter of 4, z: 5xB. */
typedef struct operands {
    hg_tensor *m, *w, *v, *i, *s, *c, *p, *z;
} operands;

static operands operands_of(hg_graph *g)
{
    return (operands){
        hg_input(g, "m", HG_SHAPE(3, B)), hg_input(g, "w", HG_SHAPE(5, 4)), hg_input(g, "v", HG_SHAPE(4)),
        hg_input_of(g, "i", HG_I64, HG_SHAPE(3, B)), hg_input_of(g, "s", HG_I64, HG_SCALAR),
        hg_input(g, "c", HG_SHAPE(2, 3, B)), hg_parameter(g, "p", HG_SHAPE(4), hg_zeros()),
        hg_input(g, "z", HG_SHAPE(5, B)),
    };
}

#define MISTAKE(name, expression) \
    static hg_tensor *name(const operands *o) { return expression; }

MISTAKE(add_shapes, hg_add(o->m, o->w))
MISTAKE(add_integers, hg_add(o->m, o->i))
MISTAKE(mul_shapes, hg_mul(o->m, o->v))
MISTAKE(select_shapes, hg_select(o->m, o->w, o->w))
MISTAKE(scale_infinite, hg_scale(o->m, INFINITY))
MISTAKE(pow_nan, hg_pow(o->m, NAN))
MISTAKE(clamp_crossed, hg_clamp(o->m, 1, -1))
MISTAKE(exp_integers, hg_exp(o->i))
MISTAKE(to_real_of_reals, hg_to_real(o->m))
MISTAKE(sum_axis, hg_sum(o->m, HG_AXIS(2)))
MISTAKE(mean_axis, hg_mean(o->m, HG_AXIS(5)))
MISTAKE(max_axis, hg_max(o->m, HG_AXIS(2)))
MISTAKE(argmax_axis, hg_argmax(o->m, 2))
MISTAKE(argmax_nothing, hg_argmax(hg_slice(o->m, 0, 0, 0), 0))
MISTAKE(expand_shape, hg_expand(o->v, HG_SHAPE(3, B), HG_AXIS(1)))
MISTAKE(expand_axes, hg_expand(o->v, HG_SHAPE(4, B), HG_AXIS(0)))
MISTAKE(expand_rank, hg_expand(o->v, ((hg_shape){ .rank = 9 }), HG_AXIS(1)))
MISTAKE(expand_to_less, hg_expand(o->c, HG_SHAPE(3, B), 0))
MISTAKE(reshape_count, hg_reshape(o->m, HG_SHAPE(4, B)))
MISTAKE(reshape_batch, hg_reshape(o->m, HG_SHAPE(3, 7)))
MISTAKE(reshape_rank, hg_reshape(o->m, ((hg_shape){ .rank = -1 })))
MISTAKE(reshape_overflow, hg_reshape(o->m, HG_SHAPE(INT64_MAX, INT64_MAX)))
MISTAKE(transpose_rank, hg_transpose(o->c))
MISTAKE(permute_twice, hg_permute(o->c, (const int[]){ 0, 0, 1 }))
MISTAKE(permute_outside, hg_permute(o->c, (const int[]){ 0, 1, 3 }))
MISTAKE(slice_axis, hg_slice(o->w, 2, 0, 1))
MISTAKE(slice_negative_axis, hg_slice(o->w, -1, 0, 1))
MISTAKE(slice_long, hg_slice(o->w, 0, 3, 3))
MISTAKE(slice_negative, hg_slice(o->w, 0, -1, 2))
MISTAKE(slice_huge, hg_slice(o->w, 0, INT64_MAX, INT64_MAX))
MISTAKE(slice_lowest, hg_slice(o->m, 1, INT64_MIN, B))
MISTAKE(slice_samples, hg_slice(o->m, 1, 0, 4))
MISTAKE(slice_batch_of_numbers, hg_slice(o->w, 0, 0, B))
MISTAKE(slice_past_batch, hg_slice(o->m, 1, B, B))
MISTAKE(pad_axis, hg_pad(o->w, 7, 0, 1))
MISTAKE(pad_negative, hg_pad(o->w, 0, -1, 0))
MISTAKE(pad_samples, hg_pad(o->m, 1, 1, 0))
MISTAKE(pad_overflow, hg_pad(o->w, 0, INT64_MAX, 1))
MISTAKE(concat_shapes, hg_concat(2, (hg_tensor *[]){ o->w, o->m }, 0))
MISTAKE(concat_mixed_axis, hg_concat(2, (hg_tensor *[]){ o->w, o->z }, 1))
MISTAKE(concat_axis, hg_concat(2, (hg_tensor *[]){ o->w, o->w }, 2))
MISTAKE(concat_dtypes, hg_concat(2, (hg_tensor *[]){ o->m, o->i }, 0))
MISTAKE(gather_reals, hg_gather(o->m, o->m, 0))
MISTAKE(gather_integers, hg_gather(o->i, o->i, 0))
MISTAKE(gather_shapes, hg_gather(o->w, o->i, 0))
MISTAKE(gather_axis, hg_gather(o->m, o->i, 2))
MISTAKE(scatter_shapes, hg_scatter(o->w, o->i, 0, 4))
MISTAKE(scatter_overflow, hg_scatter(o->m, o->i, 0, INT64_MAX))
MISTAKE(one_hot_reals, hg_one_hot(o->m, 3))
MISTAKE(one_hot_shape, hg_one_hot(o->i, 3))
MISTAKE(matmul_inner, hg_matmul(o->w, o->m))
MISTAKE(matmul_rank, hg_matmul(o->w, o->v))
MISTAKE(matmul_transposed, hg_matmul(hg_transpose(o->w), o->m))
MISTAKE(random_step, hg_random_normal(o->v, "noise", HG_SHAPE(3)))
MISTAKE(random_probability, hg_random_mask(o->s, "mask", HG_SHAPE(3), 1.5))
MISTAKE(random_no_name, hg_random_normal(o->s, "", HG_SHAPE(3)))
MISTAKE(assign_to_input, hg_assign(o->v, o->v))
MISTAKE(assign_shape, hg_assign(o->p, o->w))
MISTAKE(loss_shapes, hg_squared_error(o->m, o->w))

static void mistakes_are_named(void **state)
{
    static const struct {
        hg_tensor *(*make)(const operands *o);
        hg_status   status;
        const char *says[3];
    } rows[] = {
        { add_shapes, HG_BAD_SHAPE, { "add", "m 3xB", "w 5x4" } },
        { add_integers, HG_BAD_DTYPE, { "add", "i 3xB", "must be real" } },
        { mul_shapes, HG_BAD_SHAPE, { "mul", "v 4", "hg_expand" } },
        { select_shapes, HG_BAD_SHAPE, { "select", "m 3xB", "w 5x4" } },
        { scale_infinite, HG_BAD_ARGUMENT, { "scale", "3xB", "inf" } },
        { pow_nan, HG_BAD_ARGUMENT, { "pow", "3xB", "nan" } },
        { clamp_crossed, HG_BAD_ARGUMENT, { "clamp", "1", "-1" } },
        { exp_integers, HG_BAD_DTYPE, { "exp", "i 3xB", "real" } },
        { to_real_of_reals, HG_BAD_DTYPE, { "to_real", "m 3xB", "i64" } },
        { sum_axis, HG_BAD_SHAPE, { "sum", "3xB", "no axis 2" } },
        { mean_axis, HG_BAD_SHAPE, { "mean", "3xB", "no axis 5" } },
        { max_axis, HG_BAD_SHAPE, { "max", "3xB", "no axis 2" } },
        { argmax_axis, HG_BAD_SHAPE, { "argmax", "3xB", "no axis 2" } },
        { argmax_nothing, HG_BAD_SHAPE, { "argmax", "0xB", "no elements" } },
        { expand_shape, HG_BAD_SHAPE, { "expand", "v 4", "3xB" } },
        { expand_axes, HG_BAD_SHAPE, { "expand", "v 4", "4xB" } },
        { expand_rank, HG_BAD_SHAPE, { "expand", "v 4", "not a shape" } },
        { expand_to_less, HG_BAD_SHAPE, { "expand", "c 2x3xB", "3xB" } },
        { reshape_count, HG_BAD_SHAPE, { "reshape", "m 3xB", "4xB takes 4 B elements, but the input has 3 B" } },
        { reshape_batch, HG_BAD_SHAPE, { "reshape", "m 3xB", "3x7 takes 21 elements, but the input has 3 B" } },
        { reshape_rank, HG_BAD_SHAPE, { "reshape", "m 3xB", "not a shape" } },
        { reshape_overflow, HG_BAD_SHAPE, { "reshape", "m 3xB", "62 bits" } },
        { transpose_rank, HG_BAD_SHAPE, { "transpose", "2x3xB", "matrix" } },
        { permute_twice, HG_BAD_SHAPE, { "permute", "c 2x3xB", "order[1] is 0" } },
        { permute_outside, HG_BAD_SHAPE, { "permute", "c 2x3xB", "order[2] is 3" } },
        { slice_axis, HG_BAD_SHAPE, { "slice", "w 5x4", "no axis 2" } },
        { slice_negative_axis, HG_BAD_SHAPE, { "slice", "w 5x4", "no axis -1" } },
        { slice_long, HG_BAD_SHAPE, { "slice", "w 5x4", "3 from 3 on do not lie within the 5 of axis 0" } },
        { slice_negative, HG_BAD_SHAPE, { "slice", "w 5x4", "axis 0" } },
        { slice_huge, HG_BAD_SHAPE, { "slice", "w 5x4", "axis 0" } },
        { slice_lowest, HG_BAD_SHAPE, { "slice", "m 3xB", "9223372036854775808B" } },
        { slice_samples, HG_BAD_SHAPE, { "slice", "m 3xB", "multiples of HG_BATCH" } },
        { slice_batch_of_numbers, HG_BAD_SHAPE, { "slice", "w 5x4", "B from 0 on" } },
        { slice_past_batch, HG_BAD_SHAPE, { "slice", "m 3xB", "B from B on" } },
        { pad_axis, HG_BAD_SHAPE, { "pad", "w 5x4", "no axis 7" } },
        { pad_negative, HG_BAD_SHAPE, { "pad", "w 5x4", "axis 0" } },
        { pad_samples, HG_BAD_SHAPE, { "pad", "m 3xB", "multiples of HG_BATCH" } },
        { pad_overflow, HG_BAD_SHAPE, { "pad", "w 5x4", "axis 0" } },
        { concat_shapes, HG_BAD_SHAPE, { "concat", "w 5x4", "m 3xB" } },
        { concat_mixed_axis, HG_BAD_SHAPE, { "concat", "w 5x4", "multiples of HG_BATCH" } },
        { concat_axis, HG_BAD_SHAPE, { "concat", "w 5x4", "no axis 2" } },
        { concat_dtypes, HG_BAD_DTYPE, { "concat", "i 3xB", "input 1 is i64" } },
        { gather_reals, HG_BAD_DTYPE, { "gather", "m 3xB", "index" } },
        { gather_integers, HG_BAD_DTYPE, { "gather", "i 3xB", "real" } },
        { gather_shapes, HG_BAD_SHAPE, { "gather", "w 5x4", "i 3xB" } },
        { gather_axis, HG_BAD_SHAPE, { "gather", "m 3xB", "no axis 2" } },
        { scatter_shapes, HG_BAD_SHAPE, { "scatter", "w 5x4", "i 3xB" } },
        { scatter_overflow, HG_BAD_SHAPE, { "scatter", "m 3xB", "62 bits" } },
        { one_hot_reals, HG_BAD_DTYPE, { "one_hot", "m 3xB", "i64" } },
        { one_hot_shape, HG_BAD_SHAPE, { "one_hot", "i 3xB", "axis 0" } },
        { matmul_inner, HG_BAD_SHAPE, { "matmul", "w 5x4", "m 3xB" } },
        { matmul_rank, HG_BAD_SHAPE, { "matmul", "v 4", "matrices" } },
        { matmul_transposed, HG_BAD_SHAPE, { "matmul", "4x5", "3xB" } },
        { random_step, HG_BAD_DTYPE, { "random_normal", "v 4", "step" } },
        { random_probability, HG_BAD_ARGUMENT, { "random_mask", "1.5", "probability" } },
        { random_no_name, HG_BAD_ARGUMENT, { "random_normal", "name", "empty" } },
        { assign_to_input, HG_BAD_ARGUMENT, { "assign", "input", "parameter or a state" } },
        { assign_shape, HG_BAD_SHAPE, { "assign", "p 4", "w 5x4" } },
        { loss_shapes, HG_BAD_SHAPE, { "3xB", "5x4", "equal" } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        operands o = operands_of(g);
        if (rows[i].make(&o) != NULL)
            fail_msg("row %zu, %s: no mistake was found", i, rows[i].says[0]);
        for (size_t w = 0; w < COUNT(rows[i].says); w++)
            if (strstr(hg_graph_error(g), rows[i].says[w]) == NULL)
                fail_msg("row %zu: \"%s\" does not say \"%s\"", i, hg_graph_error(g), rows[i].says[w]);
        assert_int_equal(hg_graph_status(g), rows[i].status);
        assert_null(hg_neg(o.m)); /* nothing more is built */
        hg_graph_free(g);
    }
}

static void null_passes_through(void **state)
{
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(3, B)), *none = NULL;
    hg_tensor *const made[] = {
        hg_add(none, x), hg_add(x, none), hg_select(x, x, none), hg_select(none, x, x), hg_scale(none, 1),
        hg_shift(none, 0),
        hg_pow(none, 0), hg_square(none), hg_clamp(none, 0, 1), hg_leaky_relu(none, 0.1), hg_stop_gradient(none),
        hg_identity(none), hg_to_real(none), hg_sum(none, 1), hg_mean(none, 1), hg_max(none, 1), hg_argmax(none, 0),
        hg_count(none, 1), hg_expand(none, HG_SHAPE(2), 1), hg_expand_like(none, x, 1), hg_expand_like(x, none, 1),
        hg_reshape(none, HG_SHAPE(2)), hg_transpose(none), hg_permute(none, NULL), hg_slice(none, 0, 0, 1),
        hg_concat(2, (hg_tensor *[]){ x, none }, 0), hg_concat(0, NULL, 0), hg_pad(none, 0, 1, 1),
        hg_gather(x, none, 0), hg_scatter(none, x, 0, 1), hg_one_hot(none, 2), hg_matmul(none, x), hg_matmul(x, none),
        hg_random_uniform(none, "u", HG_SHAPE(2)), hg_random_normal(none, "n", HG_SHAPE(2)),
        hg_random_mask(none, "m", HG_SHAPE(2), 0.5), hg_assign(none, x), hg_assign(x, none),
        hg_squared_error(none, x), hg_binary_cross_entropy(x, none), hg_binary_cross_entropy_from_logits(none, x),
        hg_softmax_cross_entropy(x, none), hg_huber(none, x, 1), hg_log_softmax(none), hg_named(none, "n"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(made); i++)
        if (made[i] != NULL)
            fail_msg("expression %zu gives a tensor for NULL", i);
    assert_int_equal(hg_graph_status(g), HG_OK);
    hg_graph_free(g);
}

/* What changes nothing makes no tensor. */
static void the_same_is_returned(void **state)
{
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(3, B)), *s = hg_scalar(g, 1);
    (void)state;
    assert_ptr_equal(hg_reshape(x, HG_SHAPE(3, B)), x);
    assert_ptr_equal(hg_permute(x, (const int[]){ 0, 1 }), x);
    assert_ptr_equal(hg_transpose(hg_transpose(x)), x);
    assert_ptr_equal(hg_expand(x, HG_SHAPE(3, B), 0), x);
    assert_ptr_equal(hg_expand_like(s, s, HG_ALL_AXES), s);
    hg_graph_free(g);
}

/* ---- Kinks and places outside -------------------------------------------------------------------------- */

static hg_tensor *unit_leaky(hg_tensor *x) { return hg_leaky_relu(x, 0.25); }
static hg_tensor *unit_elu(hg_tensor *x) { return hg_elu(x, 0.5); }
static hg_tensor *unit_clamp(hg_tensor *x) { return hg_clamp(x, -1, 1); }
static hg_tensor *minimum_of_1(hg_tensor *x) { return hg_minimum(x, hg_scalar(hg_tensor_graph(x), 1)); }
static hg_tensor *minimum_with_1(hg_tensor *x) { return hg_minimum(hg_scalar(hg_tensor_graph(x), 1), x); }
static hg_tensor *maximum_of_1(hg_tensor *x) { return hg_maximum(x, hg_scalar(hg_tensor_graph(x), 1)); }
static hg_tensor *maximum_with_1(hg_tensor *x) { return hg_maximum(hg_scalar(hg_tensor_graph(x), 1), x); }
static hg_tensor *largest(hg_tensor *x) { return hg_max(x, HG_ALL_AXES); }

static void kinks_have_the_derivative_that_is_written(void **state)
{
    static const struct {
        hg_tensor *(*of)(hg_tensor *x);
        double x[3], derivative[3];
    } rows[] = {
        { hg_abs, { 0, -0.0, -1 }, { 0, 0, -1 } },
        { hg_sign, { 0, 1, -1 }, { 0, 0, 0 } },
        { hg_relu, { 0, -0.0, 1 }, { 0, 0, 1 } },
        { unit_leaky, { 0, -1, 1 }, { 0.25, 0.25, 1 } },
        { unit_elu, { 0, -1, 1 }, { 0.5, 0.18393972058572117, 1 } },
        { unit_clamp, { -1, 1, 1.5 }, { 1, 1, 0 } },
        { minimum_of_1, { 1, 0, 2 }, { 1, 1, 0 } },
        { minimum_with_1, { 1, 0, 2 }, { 0, 1, 0 } },
        { maximum_of_1, { 1, 0, 2 }, { 1, 0, 1 } },
        { maximum_with_1, { 1, 0, 2 }, { 0, 0, 1 } },
        { largest, { 1, 3, 3 }, { 0, 1, 0 } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        double derivative[3];
        hg_graph *g = hg_graph_new(HG_F64);
        hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(3), hg_zeros()), *d;
        hg_write(x, rows[i].x, 3);
        assert_int_equal(hg_grad(hg_sum(rows[i].of(x), HG_ALL_AXES), 1, &x, &d), HG_OK);
        assert_int_equal(hg_eval(d, derivative, 3), HG_OK);
        for (int k = 0; k < 3; k++)
            if (!(fabs(derivative[k] - rows[i].derivative[k]) < 1e-15))
                fail_msg("row %zu: the derivative at %g is %g, not %g", i, rows[i].x[k], derivative[k],
                         rows[i].derivative[k]);
        hg_graph_free(g);
    }
}

static void indices_outside_read_and_write_nothing(void **state)
{
    static const int64_t index[] = { 1, -1, 3, INT64_MAX, INT64_MIN, 0 };
    double values[6];
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *at = hg_constant_i64(g, HG_SHAPE(6), index);
    hg_tensor *x = hg_constant(g, HG_SHAPE(3), (const double[]){ 10, 20, 30 });
    hg_tensor *y = hg_constant(g, HG_SHAPE(6), (const double[]){ 1, 2, 3, 4, 5, 6 });
    (void)state;
    assert_int_equal(hg_eval(hg_gather(x, at, 0), values, 6), HG_OK);
    assert_true(values[0] == 20 && values[5] == 10);
    for (int i = 1; i < 5; i++)
        assert_true(isnan(values[i]));
    assert_int_equal(hg_eval(hg_scatter(y, at, 0, 3), values, 3), HG_OK);
    assert_true(values[0] == 6 && values[1] == 1 && values[2] == 0);
    hg_graph_free(g);
}

/* Integers move as they are, to the last bit. */
static void integers_move_whole(void **state)
{
    enum { LARGE = 1 << 30 };
    static const int64_t values[] = { INT64_C(0x7ff0000000000001), -1, INT64_MAX, INT64_MIN, LARGE, 0 };
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *x = hg_constant_i64(g, HG_SHAPE(2, 3), values);
    hg_tensor *two[] = { hg_transpose(x), hg_transpose(x) };
    hg_tensor *y = hg_slice(hg_pad(hg_concat(2, two, 0), 0, 1, 2), 0, 4, 3);
    hg_tensor *outputs[] = { hg_permute(hg_expand(y, HG_SHAPE(2, 3, 2), HG_AXIS(0)), (const int[]){ 0, 2, 1 }) };
    hg_plan *plan = hg_plan_new(g, 1, outputs, NULL);
    (void)state;
    assert_non_null(plan);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_memory_equal(hg_plan_data(plan, outputs[0]), values, sizeof values);
    assert_memory_equal((const char *)hg_plan_data(plan, outputs[0]) + sizeof values, values, sizeof values);
    hg_plan_free(plan);
    hg_graph_free(g);
}

/* ---- A user's own ops ---------------------------------------------------------------------------------- */

/* softsign: x / (1 + |x|) */
static void softsign_f32(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const float *x = in[0];
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = x[i] / (1 + fabsf(x[i]));
}

static void softsign_f64(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const double *x = in[0];
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = x[i] / (1 + fabs(x[i]));
}

/* g / (1 + |x|)^2 */
static void softsign_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_div(g, hg_square(hg_shift(hg_abs(hg_tensor_input(t, 0)), 1)));
}

static const hg_op softsign = { .name = "softsign", .min_inputs = 1, .max_inputs = 1, .flags = HG_MAP,
                                .infer = hg_infer_map, .vjp = softsign_vjp,
                                .kernels = { { .elements = softsign_f32 }, { .elements = softsign_f64 } } };

/* Sums along axis 0 that run on: not elementwise, cut by columns. f64 alone. */
static bool cumulate_infer(hg_tensor *t)
{
    hg_tensor *x = hg_tensor_input(t, 0);
    if (hg_tensor_shape(x)->rank != 2)
        return hg_infer_fail(t, HG_BAD_SHAPE, "the input must be a matrix");
    return hg_set_result(t, hg_tensor_dtype(x), *hg_tensor_shape(x));
}

static int cumulate_parts(const hg_tensor *t, int threads)
{
    (void)t;
    return threads;
}

static void cumulate_f64(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    int64_t rows = hg_tensor_shape(t)->dim[0], columns = hg_tensor_shape(t)->dim[1];
    const double *x = in[0];
    double *sum = y;
    (void)scratch;
    for (int64_t j = columns * part / parts; j < columns * (part + 1) / parts; j++)
        for (int64_t i = 0; i < rows; i++)
            sum[i * columns + j] = x[i * columns + j] + (i > 0 ? sum[(i - 1) * columns + j] : 0);
}

static const hg_op cumulate = { .name = "cumulate", .min_inputs = 1, .max_inputs = 1, .infer = cumulate_infer,
                                .parts = cumulate_parts, .kernels = { [HG_F64] = { .run = cumulate_f64 } } };

static void a_users_elementwise_op_is_like_any_other(void **state)
{
    static const double values[] = { -3, -0.5, 0.25, 7 };
    double y[4];
    (void)state;
    for (hg_dtype dtype = HG_F32; dtype <= HG_F64; dtype++) {
        hg_graph *g = hg_graph_new(dtype);
        hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(4), hg_zeros());
        hg_write(x, values, 4);
        hg_tensor *moved = hg_shift(x, 0.5), *soft = hg_shift(hg_apply(&softsign, 1, &moved, NULL), 1);
        assert_int_equal(hg_eval(soft, y, 4), HG_OK);
        for (int i = 0; i < 4; i++)
            assert_true(fabs(y[i] - 1 - (values[i] + 0.5) / (1 + fabs(values[i] + 0.5))) < 1e-6);
        hg_plan *plan = hg_plan_new(g, 1, &soft, NULL);
        assert_non_null(plan);
        assert_int_equal(hg_plan_describe(plan).ops, 3);
        assert_int_equal(hg_plan_describe(plan).steps, 1); /* it fuses with its neighbours */
        hg_plan_free(plan);
        hg_check_report report;
        hg_tensor *loss = hg_sum(hg_square(soft), HG_ALL_AXES);
        hg_status status = hg_gradcheck(loss, 1, &x, &(hg_check_options){ .order = 2 }, &report);
        if (status != (dtype == HG_F64 ? HG_OK : HG_BAD_DTYPE))
            fail_msg("%s", report.text);
        hg_graph_free(g);
    }
}

static void a_users_op_in_parts_has_no_gradient_unless_it_says_so(void **state)
{
    enum { ROWS = 3, COLUMNS = 7 };
    double values[ROWS * COLUMNS], y[ROWS * COLUMNS];
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(ROWS, B)), *sum = hg_apply(&cumulate, 1, &x, NULL), *d;
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = i * i;
    for (int threads = 1; threads <= 4; threads++) {
        hg_plan *plan = hg_plan_new(g, 1, &sum, &(hg_plan_options){ .batch = COLUMNS, .threads = threads });
        assert_non_null(plan);
        hg_plan_write(plan, x, values, ROWS * COLUMNS);
        assert_int_equal(hg_run(plan), HG_OK);
        assert_int_equal(hg_plan_read(plan, sum, y, ROWS * COLUMNS), HG_OK);
        for (int j = 0; j < COLUMNS; j++)
            assert_true(y[2 * COLUMNS + j] == values[j] + values[COLUMNS + j] + values[2 * COLUMNS + j]);
        hg_plan_free(plan);
    }
    assert_int_equal(hg_grad(hg_sum(sum, HG_ALL_AXES), 1, &x, &d), HG_NO_GRADIENT);
    assert_non_null(strstr(hg_graph_error(g), "cumulate"));
    assert_non_null(strstr(hg_graph_error(g), "3xB"));
    hg_graph_free(g);
}

/* Each element: how many parts the thread had computed before in this run. f64 alone. */
enum { PARTS = 4 };

static int counted_parts(const hg_tensor *t, int threads)
{
    (void)t;
    (void)threads;
    return PARTS;
}

static size_t counted_workspace(const hg_tensor *t)
{
    (void)t;
    return sizeof(int64_t);
}

static void counted_f64(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    int64_t *before = scratch;
    (void)t;
    (void)in;
    (void)parts;
    ((double *)y)[part] = (double)(*before)++;
}

static const hg_op counted = { .name = "counted", .min_inputs = 1, .max_inputs = 1, .infer = hg_infer_map,
                               .parts = counted_parts, .workspace = counted_workspace,
                               .kernels = { [HG_F64] = { .run = counted_f64 } } };

/* The second op finds the workspace as the first one, and as the next run will. */
static void a_threads_workspace_begins_with_0_in_each_step_and_run(void **state)
{
    double y[PARTS];
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(PARTS)), *once = hg_apply(&counted, 1, &x, NULL);
    hg_tensor *twice = hg_apply(&counted, 1, &once, NULL), *output[] = { once, twice };
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        hg_plan *plan = hg_plan_new(g, 2, output, &(hg_plan_options){ .threads = threads });
        assert_non_null(plan);
        for (int run = 0; run < 6; run++) {
            assert_int_equal(hg_run(plan), HG_OK);
            int begun = 0;
            assert_int_equal(hg_plan_read(plan, output[run % 2], y, PARTS), HG_OK);
            for (int part = 0; part < PARTS; part++) {
                begun += y[part] == 0;
                assert_true(y[part] >= 0 && y[part] < PARTS && (threads > 1 || y[part] == part));
            }
            assert_true(begun >= 1 && begun <= threads);
        }
        hg_plan_free(plan);
    }
    hg_graph_free(g);
}

static void wrong_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)t;
    (void)wanted;
    d[0] = hg_sum(g, HG_ALL_AXES);
}

static void a_users_mistakes_are_named(void **state)
{
    hg_op misshapen = softsign;
    misshapen.vjp = wrong_vjp;
    (void)state;
    for (int row = 0; row < 3; row++) {
        hg_graph *g = hg_graph_new(HG_F64);
        hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(2, 3, 4), hg_zeros()), *both[] = { x, x }, *d;
        if (row == 0) /* the op's own infer refuses */
            assert_null(hg_apply(&cumulate, 1, &x, NULL));
        else if (row == 1)
            assert_null(hg_apply(&softsign, 2, both, NULL));
        else
            hg_grad(hg_sum(hg_apply(&misshapen, 1, &x, NULL), HG_ALL_AXES), 1, &x, &d);
        static const char *const says[3][3] = { { "cumulate", "x 2x3x4", "matrix" },
                                                { "softsign", "1", "2" },
                                                { "softsign", "scalar", "2x3x4" } };
        for (int i = 0; i < 3; i++)
            if (strstr(hg_graph_error(g), says[row][i]) == NULL)
                fail_msg("row %d: \"%s\" does not say \"%s\"", row, hg_graph_error(g), says[row][i]);
        hg_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(null_passes_through),
        cmocka_unit_test(the_same_is_returned),
        cmocka_unit_test(kinks_have_the_derivative_that_is_written),
        cmocka_unit_test(indices_outside_read_and_write_nothing),
        cmocka_unit_test(integers_move_whole),
        cmocka_unit_test(a_users_elementwise_op_is_like_any_other),
        cmocka_unit_test(a_users_op_in_parts_has_no_gradient_unless_it_says_so),
        cmocka_unit_test(a_threads_workspace_begins_with_0_in_each_step_and_run),
        cmocka_unit_test(a_users_mistakes_are_named),
    };
    return cmocka_run_group_tests_name("builders", tests, NULL, NULL);
}
