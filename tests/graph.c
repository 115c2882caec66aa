/* Graphs: shapes, names, initial values, latched errors; gradients as graphs. */
#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Shapes -------------------------------------------------------------------------------------------- */

static void shapes_print_and_count(void **state)
{
    (void)state;
    const struct {
        hg_shape    shape;
        const char *text;
        int64_t     count; /* at batch 10 */
    } rows[] = {
        { HG_SCALAR, "scalar", 1 },
        { HG_SHAPE(784, HG_BATCH), "784xB", 7840 },
        { HG_SHAPE(3 * HG_BATCH, 2), "3Bx2", 60 },
        { HG_SHAPE(HG_BATCH, HG_BATCH), "BxB", 100 },
        { HG_SHAPE(0, 5), "0x5", 0 },
        { HG_SHAPE(INT64_MAX / 2, 4), "4611686018427387903x4", -1 },
        { HG_SHAPE(INT64_C(1) << 60, HG_BATCH), "1152921504606846976xB", -1 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[HG_SHAPE_TEXT];
        assert_string_equal(hg_shape_print(&rows[i].shape, text), rows[i].text);
        assert_int_equal(hg_shape_count(&rows[i].shape, 10), rows[i].count);
    }
}

static void sets_of_axes(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *image = hg_input(g, "image", HG_SHAPE(1, 28, 28, HG_BATCH));
    assert_int_equal(hg_last_axis(image), HG_AXIS(3));
    assert_int_equal(hg_all_but_last_axis(image), HG_AXIS(0) | HG_AXIS(1) | HG_AXIS(2));
    assert_int_equal(hg_last_axis(hg_scalar(g, 1)), 0);
    hg_graph_free(g);
}

/* ---- Errors -------------------------------------------------------------------------------------------- */

static void the_first_error_stays(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *a = hg_parameter(g, "a", HG_SHAPE(2, 3), hg_zeros());
    hg_tensor *b = hg_parameter(g, "b", HG_SHAPE(2, 4), hg_zeros());
    assert_string_equal(hg_graph_error(g), "");
    hg_tensor *bad = hg_exp(hg_add(a, b)); /* expressions nest unchecked */
    assert_null(bad);
    assert_int_equal(hg_graph_status(g), HG_BAD_SHAPE);
    static const char *const words[] = { "add", "2x3", "2x4", "equal" };
    for (size_t i = 0; i < COUNT(words); i++)
        assert_non_null(strstr(hg_graph_error(g), words[i]));
    char first[HG_ERROR_TEXT];
    strcpy(first, hg_graph_error(g));
    assert_null(hg_matmul(a, b));
    assert_string_equal(hg_graph_error(g), first);
    hg_tensor *d;
    assert_int_equal(hg_grad(bad, 1, &a, &d), HG_BAD_SHAPE);
    assert_null(hg_plan_new(g, 1, &bad, NULL));
    hg_graph_free(g);
    hg_graph_free(NULL);
    assert_string_not_equal(hg_graph_error(NULL), "");
}

typedef hg_tensor *mistake_fn(hg_graph *g, hg_graph *other);

static hg_tensor *product_mismatch(hg_graph *g, hg_graph *other)
{
    (void)other;
    return hg_matmul(hg_parameter(g, "W", HG_SHAPE(32, 784), hg_zeros()), hg_input(g, "x", HG_SHAPE(783, HG_BATCH)));
}
static hg_tensor *two_graphs(hg_graph *g, hg_graph *other) { return hg_add(hg_scalar(g, 1), hg_scalar(other, 1)); }
static hg_tensor *same_name(hg_graph *g, hg_graph *other)
{
    (void)other;
    hg_input(g, "x", HG_SHAPE(1));
    return hg_parameter(g, "x", HG_SHAPE(1), hg_zeros());
}
static hg_tensor *batch_parameter(hg_graph *g, hg_graph *other)
{
    (void)other;
    return hg_parameter(g, "W", HG_SHAPE(3, HG_BATCH), hg_zeros());
}
static hg_tensor *huge_parameter(hg_graph *g, hg_graph *other)
{
    (void)other;
    return hg_parameter(g, "W", HG_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), hg_zeros());
}
static hg_tensor *infinite_start(hg_graph *g, hg_graph *other)
{
    (void)other;
    return hg_parameter(g, "W", HG_SHAPE(3), hg_filled(INFINITY));
}
static hg_tensor *no_name(hg_graph *g, hg_graph *other)
{
    (void)other;
    return hg_input(g, "", HG_SHAPE(3));
}

static void mistakes_are_named(void **state)
{
    static const struct {
        mistake_fn *make;
        hg_status   status;
        const char *says[2];
    } rows[] = {
        { product_mismatch, HG_BAD_SHAPE, { "W 32x784", "x 783xB" } },
        { two_graphs, HG_BAD_ARGUMENT, { "add", "another graph" } },
        { same_name, HG_BAD_ARGUMENT, { "\"x\"", "taken" } },
        { batch_parameter, HG_BAD_SHAPE, { "\"W\"", "HG_BATCH" } },
        { huge_parameter, HG_BAD_SHAPE, { "1099511627776x1099511627776", "62 bits" } },
        { infinite_start, HG_BAD_ARGUMENT, { "\"W\"", "finite" } },
        { no_name, HG_BAD_ARGUMENT, { "name", "empty" } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_graph *g = hg_graph_new(HG_F32), *other = hg_graph_new(HG_F32);
        assert_null(rows[i].make(g, other));
        for (size_t w = 0; w < 2; w++)
            if (strstr(hg_graph_error(g), rows[i].says[w]) == NULL)
                fail_msg("row %zu: \"%s\" does not say %s", i, hg_graph_error(g), rows[i].says[w]);
        assert_int_equal(hg_graph_status(g), rows[i].status);
        hg_graph_free(g);
        hg_graph_free(other);
    }
}

/* ---- Names and values ---------------------------------------------------------------------------------- */

static void scopes_name_parameters(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_scope_push(g, "encoder");
    hg_scope_push(g, "0");
    hg_tensor *w = hg_parameter(g, "weight", HG_SHAPE(2), hg_filled(3));
    hg_scope_pop(g);
    hg_tensor *s = hg_state(g, "moment", HG_SHAPE(2), hg_zeros());
    hg_scope_pop(g);
    hg_scope_pop(g);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(2));
    assert_string_equal(hg_tensor_name(w), "encoder/0/weight");
    assert_string_equal(hg_tensor_name(s), "encoder/moment");
    assert_ptr_equal(hg_graph_find(g, "encoder/0/weight"), w);
    assert_ptr_equal(hg_graph_find(g, "x"), x);
    assert_null(hg_graph_find(g, "y"));
    assert_ptr_equal(hg_graph_parameter(g, 0), w);
    assert_null(hg_graph_parameter(g, 1));
    assert_ptr_equal(hg_graph_state(g, 0), s);
    double v[2];
    assert_int_equal(hg_read(w, v, 2), HG_OK);
    assert_true(v[0] == 3 && v[1] == 3);
    assert_int_equal(hg_write(w, (double[]){ 5, 6 }, 2), HG_OK);
    assert_true(((double *)hg_data(w))[1] == 6);
    assert_int_equal(hg_read(w, v, 3), HG_BAD_SHAPE);
    hg_graph_free(g);
}

enum { ROWS = 60, COLUMNS = 80 };

static void moments(const double *v, size_t n, double *mean, double *deviation, double *largest)
{
    double sum = 0, squares = 0;
    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
        squares += v[i] * v[i];
        *largest = fmax(*largest, fabs(v[i]));
    }
    *mean = sum / (double)n;
    *deviation = sqrt(squares / (double)n - *mean * *mean);
}

static void initial_values_have_their_moments(void **state)
{
    const double limit = sqrt(6.0 / (ROWS + COLUMNS));
    const struct {
        hg_initializer initial;
        double         deviation, largest; /* 0: no bound known */
    } rows[] = {
        { hg_zeros(), 0, 0 },
        { hg_uniform_init(0.025), 0.025 / sqrt(3), 0.025 },
        { hg_normal_init(0.5), 0.5, 0 },
        { hg_xavier(), limit / sqrt(3), limit },
        { hg_xavier_gain(4), 4 * limit / sqrt(3), 4 * limit },
        { hg_he(), sqrt(2.0 / COLUMNS), 0 },
        { hg_orthogonal(1), sqrt(1.0 / COLUMNS), 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_graph *g = hg_graph_new(HG_F64);
        double v[ROWS * COLUMNS], mean, deviation, largest;
        hg_graph_set_seed(g, 7);
        hg_tensor *w = hg_parameter(g, "W", HG_SHAPE(ROWS, COLUMNS), rows[i].initial);
        hg_read(w, v, COUNT(v));
        moments(v, COUNT(v), &mean, &deviation, &largest);
        assert_true(fabs(mean) <= 4 * rows[i].deviation / sqrt(ROWS * COLUMNS)); /* 4 standard errors */
        assert_true(fabs(deviation - rows[i].deviation) <= 0.05 * rows[i].deviation);
        if (rows[i].largest > 0)
            assert_true(largest <= rows[i].largest && largest > 0.99 * rows[i].largest);
        hg_graph_free(g);
    }
}

static void orthogonal_means_orthonormal(void **state)
{
    (void)state;
    const int64_t shapes[][2] = { { 6, 20 }, { 20, 6 }, { 9, 9 } };
    for (size_t s = 0; s < COUNT(shapes); s++) {
        hg_graph *g = hg_graph_new(HG_F64);
        int64_t rows = shapes[s][0], columns = shapes[s][1], n = rows < columns ? rows : columns;
        hg_tensor *q = hg_parameter(g, "Q", HG_SHAPE(rows, columns), hg_orthogonal(3));
        hg_tensor *gram = rows < columns ? hg_matmul(q, hg_transpose(q)) : hg_matmul(hg_transpose(q), q);
        double v[400];
        assert_int_equal(hg_eval(gram, v, (size_t)(n * n)), HG_OK);
        for (int64_t i = 0; i < n * n; i++)
            assert_true(fabs(v[i] - (i % (n + 1) == 0 ? 9 : 0)) < 1e-12);
        hg_graph_free(g);
    }
}

static void the_seed_and_the_name_decide(void **state)
{
    (void)state;
    double v[4][10];
    for (int i = 0; i < 4; i++) {
        hg_graph *g = hg_graph_new(HG_F64);
        hg_graph_set_seed(g, i == 1 ? 2 : 1);
        if (i == 3)
            hg_parameter(g, "something before", HG_SHAPE(3), hg_he());
        hg_read(hg_parameter(g, i == 2 ? "V" : "W", HG_SHAPE(10), hg_normal_init(1)), v[i], 10);
        hg_graph_free(g);
    }
    assert_memory_not_equal(v[0], v[1], sizeof v[0]);
    assert_memory_not_equal(v[0], v[2], sizeof v[0]);
    assert_memory_equal(v[0], v[3], sizeof v[0]);
}

/* ---- Gradients are graphs ------------------------------------------------------------------------------ */

/* d/dx x^3 = 3 x^2, then 6 x, then 6, then 0: each the gradient of the one before. */
static void gradients_of_gradients(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SCALAR, hg_filled(5)), *y = hg_mul(hg_mul(x, x), x);
    const double right[] = { 75, 30, 6, 0 };
    for (size_t i = 0; i < COUNT(right); i++) {
        double value;
        assert_int_equal(hg_grad(y, 1, &x, &y), HG_OK);
        assert_int_equal(hg_eval(y, &value, 1), HG_OK);
        assert_true(fabs(value - right[i]) < 1e-12);
    }
    hg_graph_free(g);
}

static void gradients_add_over_paths_and_stop(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(2), hg_filled(3)), *z = hg_parameter(g, "z", HG_SHAPE(2), hg_filled(1));
    hg_tensor *y = hg_sum(hg_add(hg_square(x), hg_mul(x, hg_stop_gradient(x))), HG_ALL_AXES);
    hg_tensor *wrt[] = { x, z }, *d[2];
    double v[2];
    assert_int_equal(hg_grad(y, 2, wrt, d), HG_OK);
    hg_eval(d[0], v, 2);
    assert_true(v[0] == 9 && v[1] == 9); /* 2x + stop(x) */
    hg_eval(d[1], v, 2);
    assert_true(v[0] == 0 && v[1] == 0); /* y does not depend on z */
    hg_graph_free(g);
}

static void gradient_of_an_inner_tensor(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(2), hg_filled(3)), *h = hg_scale(x, 2);
    hg_tensor *y = hg_sum(hg_square(h), HG_ALL_AXES), *wrt[] = { h, x }, *d[2];
    double v[2];
    assert_int_equal(hg_grad(y, 2, wrt, d), HG_OK);
    hg_eval(d[0], v, 2);
    assert_true(v[0] == 12);
    hg_eval(d[1], v, 2);
    assert_true(v[1] == 24);
    hg_graph_free(g);
}

static void a_cotangent_of_any_shape(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(3), hg_filled(2)), *d;
    double v[3];
    assert_int_equal(hg_vjp(hg_square(x), hg_constant(g, HG_SHAPE(3), (double[]){ 1, 10, 100 }), 1, &x, &d), HG_OK);
    hg_eval(d, v, 3);
    assert_true(v[0] == 4 && v[1] == 40 && v[2] == 400);
    assert_int_equal(hg_vjp(hg_square(x), hg_scalar(g, 1), 1, &x, &d), HG_BAD_SHAPE);
    hg_graph_free(g);
}

static void only_real_scalars_have_a_gradient(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_parameter(g, "x", HG_SHAPE(3), hg_filled(2)), *d;
    assert_int_equal(hg_grad(hg_square(x), 1, &x, &d), HG_BAD_SHAPE);
    assert_non_null(strstr(hg_graph_error(g), "scalar"));
    hg_graph_free(g);
}

static void products_tell_their_factors(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *a = hg_parameter(g, "a", HG_SHAPE(2, 3), hg_normal_init(1));
    hg_tensor *b = hg_parameter(g, "b", HG_SHAPE(2, 3), hg_normal_init(1));
    hg_tensor *left = hg_matmul(hg_transpose(a), b), *right = hg_matmul(a, hg_transpose(b)); /* 3x3, 2x2 */
    double stored[6], factor[6];
    assert_ptr_equal(hg_matmul_factor(left, 1), b);
    assert_ptr_equal(hg_matmul_factor(right, 0), a);
    hg_read(a, stored, 6);
    assert_int_equal(hg_eval(hg_matmul_factor(left, 0), factor, 6), HG_OK);
    for (int i = 0; i < 6; i++)
        assert_true(factor[i % 3 * 2 + i / 3] == stored[i]);
    hg_read(b, stored, 6);
    assert_int_equal(hg_eval(hg_matmul_factor(right, 1), factor, 6), HG_OK);
    for (int i = 0; i < 6; i++)
        assert_true(factor[i % 3 * 2 + i / 3] == stored[i]);
    assert_null(hg_matmul_factor(a, 0));
    assert_null(hg_matmul_factor(NULL, 0));
    assert_string_equal(hg_graph_error(g), "");
    hg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_print_and_count),
        cmocka_unit_test(sets_of_axes),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(scopes_name_parameters),
        cmocka_unit_test(initial_values_have_their_moments),
        cmocka_unit_test(orthogonal_means_orthonormal),
        cmocka_unit_test(the_seed_and_the_name_decide),
        cmocka_unit_test(gradients_of_gradients),
        cmocka_unit_test(gradients_add_over_paths_and_stop),
        cmocka_unit_test(gradient_of_an_inner_tensor),
        cmocka_unit_test(a_cotangent_of_any_shape),
        cmocka_unit_test(only_real_scalars_have_a_gradient),
        cmocka_unit_test(products_tell_their_factors),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
