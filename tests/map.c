/* Elementwise functions: their values at the edges, their accuracy, and the same bits everywhere. */
#include "config.h"

#include <hourglass/math.h>
#include <hourglass/plan.h>

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef hg_tensor *unary_fn(hg_tensor *x);
typedef hg_tensor *binary_fn(hg_tensor *a, hg_tensor *b);

static hg_tensor *leaky(hg_tensor *x) { return hg_leaky_relu(x, 0.25); }
static hg_tensor *elu(hg_tensor *x) { return hg_elu(x, 2); }
static hg_tensor *elu1(hg_tensor *x) { return hg_elu(x, 1); }
static hg_tensor *clamped(hg_tensor *x) { return hg_clamp(x, -1, 2); }
static hg_tensor *clamped_below(hg_tensor *x) { return hg_clamp(x, 0, INFINITY); }
static hg_tensor *cubed(hg_tensor *x) { return hg_pow(x, 3); }
static hg_tensor *to_0(hg_tensor *x) { return hg_pow(x, 0); }
static hg_tensor *to_minus_1(hg_tensor *x) { return hg_pow(x, -1); }
static hg_tensor *chosen(hg_tensor *x) { return hg_select(x, hg_scalar(hg_tensor_graph(x), 7), x); }

/* y = f(a[, b]) of `count` numbers on one instruction set; y has the bytes of the dtype. */
static void compute(hg_dtype dtype, hg_isa isa, unary_fn *unary, binary_fn *binary, const double *a, const double *b,
                    size_t count, void *y)
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *ta = hg_input(g, "a", HG_SHAPE(HG_BATCH)), *tb = hg_input(g, "b", HG_SHAPE(HG_BATCH));
    hg_tensor *result = unary != NULL ? unary(ta) : binary(ta, tb);
    hg_plan_options options = { .batch = (int64_t)count, .threads = 1, .isa = isa };
    hg_plan *p = hg_plan_new(g, 3, (hg_tensor *[]){ ta, tb, result }, &options);
    assert_string_equal(hg_graph_error(g), "");
    assert_int_equal(hg_plan_write(p, ta, a, count), HG_OK);
    assert_int_equal(hg_plan_write(p, tb, b, count), HG_OK);
    assert_int_equal(hg_run(p), HG_OK);
    memcpy(y, hg_plan_data(p, result), count * hg_dtype_size(dtype));
    hg_plan_free(p);
    hg_graph_free(g);
}

static double number(hg_dtype dtype, const void *y, size_t i)
{
    return dtype == HG_F32 ? ((const float *)y)[i] : ((const double *)y)[i];
}

/* ---- Edges --------------------------------------------------------------------------------------------- */

#define INF INFINITY
enum { EDGES = 8 };

static const double edge[EDGES] = { 0, 1, -1, INF, -INF, NAN, 800, -800 };
static const struct {
    const char *name;
    unary_fn   *f;
    double      y[EDGES];
} at_edges[] = {
    { "neg", hg_neg, { 0, -1, 1, -INF, INF, NAN, -800, 800 } },
    { "square", hg_square, { 0, 1, 1, INF, INF, NAN, 640000, 640000 } },
    { "sqrt", hg_sqrt, { 0, 1, NAN, INF, NAN, NAN, 28.284271247461902, NAN } },
    { "exp", hg_exp, { 1, M_E, 1 / M_E, INF, 0, NAN, INF, 0 } },
    { "log", hg_log, { -INF, 0, NAN, INF, NAN, NAN, 6.6846117276679271, NAN } },
    { "abs", hg_abs, { 0, 1, 1, INF, INF, NAN, 800, 800 } },
    { "sign", hg_sign, { 0, 1, -1, 1, -1, NAN, 1, -1 } },
    { "sigmoid", hg_sigmoid, { 0.5, 0.73105857863000488, 0.26894142136999512, 1, 0, NAN, 1, 0 } },
    { "tanh", hg_tanh, { 0, 0.76159415595576489, -0.76159415595576489, 1, -1, NAN, 1, -1 } },
    { "relu", hg_relu, { 0, 1, 0, INF, 0, NAN, 800, 0 } },
    { "leaky_relu", leaky, { 0, 1, -0.25, INF, -INF, NAN, 800, -200 } },
    { "elu", elu, { 0, 1, -1.2642411176571153, INF, -2, NAN, 800, -2 } },
    { "softplus", hg_softplus, { M_LN2, 1.3132616875182228, 0.31326168751822283, INF, 0, NAN, 800, 0 } },
    { "gelu", hg_gelu, { 0, 0.84134474606854293, -0.15865525393145705, INF, 0, NAN, 800, 0 } },
    { "erf", hg_erf, { 0, 0.84270079294971487, -0.84270079294971487, 1, -1, NAN, 1, -1 } },
    { "clamp", clamped, { 0, 1, -1, 2, -1, NAN, 2, -1 } },
    { "clamp to infinity", clamped_below, { 0, 1, 0, INF, 0, NAN, 800, 0 } },
    { "pow 3", cubed, { 0, 1, -1, INF, -INF, NAN, 5.12e8, -5.12e8 } },
    { "pow 0", to_0, { 1, 1, 1, 1, 1, 1, 1, 1 } },
    { "pow -1", to_minus_1, { INF, 1, -1, 0, 0, NAN, 0.00125, -0.00125 } },
    { "select", chosen, { 0, 7, 7, 7, 7, 7, 7, 7 } },
    { "identity", hg_identity, { 0, 1, -1, INF, -INF, NAN, 800, -800 } },
};

static void check_number(const char *name, double x, double got, double right, hg_dtype dtype)
{
    double tolerance = 4 * (dtype == HG_F32 ? FLT_EPSILON : DBL_EPSILON);
    bool same = isnan(right) ? isnan(got) : got == right || fabs(got - right) <= tolerance * fabs(right);
    if (!same)
        fail_msg("%s(%g) in %s is %.17g, not %.17g", name, x, hg_dtype_name(dtype), got, right);
}

static void values_at_the_edges(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT(at_edges); r++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            double x[5 * EDGES], y[5 * EDGES]; /* again and again: in vectors and in the loop's tail */
            for (int i = 0; i < 5 * EDGES; i++)
                x[i] = edge[i % EDGES];
            for (size_t count = 5 * EDGES - 7; count <= 5 * EDGES; count++) {
                compute((hg_dtype)dtype, HG_ISA_BEST, at_edges[r].f, NULL, x, x, count, y);
                for (size_t i = 0; i < count; i++)
                    check_number(at_edges[r].name, x[i], number((hg_dtype)dtype, y, i), at_edges[r].y[i % EDGES],
                                 (hg_dtype)dtype);
            }
        }
}

static const struct {
    const char *name;
    binary_fn  *f;
    double      a, b, y;
} pairs[] = {
    { "minimum", hg_minimum, 1, 2, 1 },      { "minimum", hg_minimum, NAN, 2, NAN },
    { "minimum", hg_minimum, 2, NAN, NAN },  { "minimum", hg_minimum, INF, -INF, -INF },
    { "minimum", hg_minimum, INF, NAN, NAN }, { "maximum", hg_maximum, 1, 2, 2 },
    { "maximum", hg_maximum, NAN, 2, NAN },  { "maximum", hg_maximum, 2, NAN, NAN },
    { "maximum", hg_maximum, -INF, INF, INF }, { "maximum", hg_maximum, NAN, INF, NAN },
    { "greater", hg_greater, 2, 1, 1 },      { "greater", hg_greater, 1, 1, 0 },
    { "greater", hg_greater, 1, 2, 0 },      { "greater", hg_greater, NAN, 1, 0 },
    { "greater", hg_greater, 1, NAN, 0 },    { "div", hg_div, 1, 0, INF },
    { "div", hg_div, 0, 0, NAN },            { "mul", hg_mul, 0, INF, NAN },
    { "sub", hg_sub, INF, INF, NAN },        { "add", hg_add, INF, 1, INF },
};

static void pairs_at_the_edges(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT(pairs); r++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            double a[19], b[19], y[19];
            for (int i = 0; i < 19; i++) {
                a[i] = pairs[r].a;
                b[i] = pairs[r].b;
            }
            compute((hg_dtype)dtype, HG_ISA_BEST, NULL, pairs[r].f, a, b, 19, y);
            for (size_t i = 0; i < 19; i++)
                check_number(pairs[r].name, a[i], number((hg_dtype)dtype, y, i), pairs[r].y, (hg_dtype)dtype);
        }
}

/* ---- Accuracy: against long double --------------------------------------------------------------------- */

static long double ref_sigmoid(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double ref_softplus(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
static long double ref_gelu(long double x) { return x / 2 * erfcl(-x * 0.70710678118654752440084436210485L); }
static long double ref_elu(long double x) { return x > 0 ? x : expm1l(x); }

static const struct {
    const char *name;
    unary_fn   *f;
    long double (*reference)(long double);
    double low, high; /* the range in f32 and f64 */
    double ulps;
} accuracy[] = {
    { "exp", hg_exp, expl, -87, 88.7, 1 },
    { "exp", hg_exp, expl, -1, 1, 1 },
    { "log", hg_log, logl, 1e-37, 1e-30, 1 },
    { "log", hg_log, logl, 0.4, 2.5, 1 },
    { "log", hg_log, logl, 0, 1e6, 1 },
    { "sigmoid", hg_sigmoid, ref_sigmoid, -80, 80, 2.5 },
    { "sigmoid", hg_sigmoid, ref_sigmoid, -2, 2, 2.5 },
    { "tanh", hg_tanh, tanhl, -22, 22, 3 },
    { "tanh", hg_tanh, tanhl, -1e-3, 1e-3, 3 },
    { "softplus", hg_softplus, ref_softplus, -80, 80, 2 },
    { "softplus", hg_softplus, ref_softplus, -2, 2, 2 },
    { "erf", hg_erf, erfl, -6, 6, 2 },
    { "erf", hg_erf, erfl, -1e-3, 1e-3, 2 },
    { "gelu", hg_gelu, ref_gelu, -12, 12, 10 },
    { "gelu", hg_gelu, ref_gelu, -1e-3, 1e-3, 3 },
    { "elu", elu1, ref_elu, -40, 1, 2 },
    { "elu", elu1, ref_elu, -0.5, 0.1, 2 },
    { "sqrt", hg_sqrt, sqrtl, 0, 1e3, 0.5 },
};

enum { POINTS = 20011 };

static void accurate_and_the_same_everywhere(void **state)
{
    (void)state;
    static double x[POINTS], y[POINTS], other[POINTS];
    for (size_t r = 0; r < COUNT(accuracy); r++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            const size_t size = hg_dtype_size((hg_dtype)dtype);
            for (int i = 0; i < POINTS; i++) {
                double at = accuracy[r].low + (accuracy[r].high - accuracy[r].low) * (i + 0.37) / POINTS;
                x[i] = dtype == HG_F32 ? (float)at : at;
            }
            compute((hg_dtype)dtype, HG_ISA_BEST, accuracy[r].f, NULL, x, x, POINTS, y);
            for (int i = 0; i < POINTS; i++) {
                long double right = accuracy[r].reference(x[i]), got = number((hg_dtype)dtype, y, (size_t)i);
                int exponent;
                frexp((double)right, &exponent);
                long double ulp = ldexpl(1, exponent - (dtype == HG_F32 ? FLT_MANT_DIG : DBL_MANT_DIG));
                if (!(fabsl(got - right) <= (long double)accuracy[r].ulps * ulp * 1.001L))
                    fail_msg("%s(%.17g) in %s is off by %.2Lf units", accuracy[r].name, x[i],
                             hg_dtype_name((hg_dtype)dtype), fabsl(got - right) / ulp);
            }
            for (hg_isa isa = HG_ISA_BASE; isa < hg_isa_best(); isa++) {
                compute((hg_dtype)dtype, isa, accuracy[r].f, NULL, x, x, POINTS, other);
                if (memcmp(y, other, POINTS * size) != 0)
                    fail_msg("%s in %s has other bits on %s", accuracy[r].name, hg_dtype_name((hg_dtype)dtype),
                             hg_isa_name(isa));
            }
        }
}

/* ---- Sums: many, long, and of one sign ------------------------------------------------------------------ */

static void long_sums_stay_accurate(void **state)
{
    (void)state;
    const struct {
        int64_t rows, columns;
        unsigned axes;
    } shapes[] = { { 3000001, 1, HG_ALL_AXES }, { 1, 3000001, HG_ALL_AXES }, { 60000, 50, HG_AXIS(0) },
                   { 3, 1000003, HG_AXIS(1) }, { 1000003, 3, HG_AXIS(0) } };
    for (size_t s = 0; s < COUNT(shapes); s++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *x = hg_input(g, "x", HG_SHAPE(shapes[s].rows, shapes[s].columns));
        hg_tensor *y = hg_sum(hg_shift(hg_scale(x, 0), 0.1), shapes[s].axes); /* 0.1: a rounding with each addition */
        hg_plan *p = hg_plan_new(g, 1, &y, NULL);
        assert_string_equal(hg_graph_error(g), "");
        assert_int_equal(hg_run(p), HG_OK);
        int64_t results = hg_shape_count(hg_tensor_shape(y), 1);
        double right = (double)0.1f * (double)(shapes[s].rows * shapes[s].columns / results);
        for (int64_t i = 0; i < results; i++)
            assert_true(fabs(((const float *)hg_plan_data(p, y))[i] / right - 1) < 1e-6);
        hg_plan_free(p);
        hg_graph_free(g);
    }
}

/* ---- Mistakes ------------------------------------------------------------------------------------------ */

typedef hg_tensor *mistake_fn(hg_tensor *x, hg_tensor *label);

static hg_tensor *scale_by_nan(hg_tensor *x, hg_tensor *label) { return (void)label, hg_scale(x, NAN); }
static hg_tensor *shift_too_far(hg_tensor *x, hg_tensor *label) { return (void)label, hg_shift(x, 1e300); }
static hg_tensor *pow_infinite(hg_tensor *x, hg_tensor *label) { return (void)label, hg_pow(x, -INF); }
static hg_tensor *clamp_crossed(hg_tensor *x, hg_tensor *label) { return (void)label, hg_clamp(x, 1, -1); }
static hg_tensor *clamp_nan(hg_tensor *x, hg_tensor *label) { return (void)label, hg_clamp(x, NAN, 1); }
static hg_tensor *exp_of_labels(hg_tensor *x, hg_tensor *label) { return (void)x, hg_exp(label); }
static hg_tensor *sum_of_labels(hg_tensor *x, hg_tensor *label) { return (void)x, hg_sum(label, HG_ALL_AXES); }
static hg_tensor *sum_beyond(hg_tensor *x, hg_tensor *label) { return (void)label, hg_sum(x, HG_AXIS(0) | HG_AXIS(5)); }
static hg_tensor *mean_beyond(hg_tensor *x, hg_tensor *label) { return (void)label, hg_mean(x, HG_AXIS(2)); }
static hg_tensor *max_beyond(hg_tensor *x, hg_tensor *label) { return (void)label, hg_max(x, HG_AXIS(3)); }
static hg_tensor *count_beyond(hg_tensor *x, hg_tensor *label) { return (void)label, hg_count(x, HG_AXIS(4)); }
static hg_tensor *argmax_beyond(hg_tensor *x, hg_tensor *label) { return (void)label, hg_argmax(x, -1); }
static hg_tensor *max_of_labels(hg_tensor *x, hg_tensor *label) { return (void)x, hg_max(label, HG_ALL_AXES); }
static hg_tensor *mean_of_none(hg_tensor *x, hg_tensor *label)
{
    (void)label;
    return hg_mean(hg_constant(hg_tensor_graph(x), HG_SHAPE(0, 2), (double[1]){ 0 }), HG_AXIS(0));
}
static hg_tensor *max_of_none(hg_tensor *x, hg_tensor *label)
{
    (void)label;
    return hg_max(hg_constant(hg_tensor_graph(x), HG_SHAPE(0, 2), (double[1]){ 0 }), HG_ALL_AXES);
}
static hg_tensor *real_to_real(hg_tensor *x, hg_tensor *label) { return (void)label, hg_to_real(x); }
static hg_tensor *one_hot_of_real(hg_tensor *x, hg_tensor *label) { return (void)label, hg_one_hot(x, 10); }
static hg_tensor *no_classes(hg_tensor *x, hg_tensor *label) { return (void)x, hg_one_hot(label, 0); }
static hg_tensor *assign_to_result(hg_tensor *x, hg_tensor *label) { return (void)label, hg_assign(hg_exp(x), x); }
static hg_tensor *choose_labels(hg_tensor *x, hg_tensor *label) { return hg_select(label, x, x); }

static const struct {
    mistake_fn *make;
    const char *words[3];
} mistakes[] = {
    { scale_by_nan, { "scale", "nan", "finite" } },
    { shift_too_far, { "shift", "1e+300", "f32" } },
    { pow_infinite, { "pow", "-inf", "finite" } },
    { clamp_crossed, { "clamp", "1 and -1", "order" } },
    { clamp_nan, { "clamp", "nan" } },
    { exp_of_labels, { "exp", "real" } },
    { sum_of_labels, { "sum", "real" } },
    { sum_beyond, { "sum", "2xB", "no axis 5" } },
    { mean_beyond, { "mean", "2xB", "no axis 2" } },
    { max_beyond, { "max", "2xB", "no axis 3" } },
    { count_beyond, { "count", "2xB", "no axis 4" } },
    { argmax_beyond, { "argmax", "2xB", "no axis -1" } },
    { max_of_labels, { "argmax", "real" } },
    { mean_of_none, { "mean", "0x2", "no elements" } },
    { max_of_none, { "argmax", "no elements" } },
    { real_to_real, { "to_real", "i64", "f32" } },
    { one_hot_of_real, { "one_hot", "i64", "f32" } },
    { no_classes, { "one_hot", "positive", "0" } },
    { assign_to_result, { "assign", "exp", "parameter" } },
    { choose_labels, { "select", "real" } },
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *x = hg_input(g, "x", HG_SHAPE(2, HG_BATCH));
        assert_null(mistakes[i].make(x, hg_input_of(g, "label", HG_I64, HG_SHAPE(1, HG_BATCH))));
        for (int w = 0; w < 3 && mistakes[i].words[w] != NULL; w++)
            if (strstr(hg_graph_error(g), mistakes[i].words[w]) == NULL)
                fail_msg("\"%s\" is not in \"%s\"", mistakes[i].words[w], hg_graph_error(g));
        hg_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_at_the_edges),
        cmocka_unit_test(pairs_at_the_edges),
        cmocka_unit_test(accurate_and_the_same_everywhere),
        cmocka_unit_test(long_sums_stay_accurate),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
