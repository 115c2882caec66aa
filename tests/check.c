/* hg_gradcheck itself: it must pass what is right, catch what is wrong, and leave everything as it was. */
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

/* ---- A cube whose vjp may be wrong --------------------------------------------------------------------- */

static void cube_f64(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const double *x = in[0];
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = x[i] * x[i] * x[i];
}

static hg_tensor *slope(hg_tensor *x) { return hg_scale(hg_square(x), 3); }

static void right_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, slope(hg_tensor_input(t, 0)));
}

static void doubled_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_scale(hg_mul(g, slope(hg_tensor_input(t, 0))), 2);
}

/* Right in value, but its own derivative is lost. */
static void constant_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, hg_stop_gradient(slope(hg_tensor_input(t, 0))));
}

/* Wrong at index 1 alone. */
static void spotted_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    static const double spot[] = { 1, 1.01, 1, 1 };
    right_vjp(t, g, wanted, d);
    d[0] = hg_mul(d[0], hg_constant(hg_tensor_graph(t), HG_SHAPE(4), spot));
}

typedef void vjp_fn(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[]);

/* Lives as long as the test: tensors point at their op. */
static hg_op cubes[8];

static hg_tensor *cube(hg_tensor *x, vjp_fn *vjp)
{
    hg_op *op = cubes;
    while (op->name != NULL && op->vjp != vjp)
        op++;
    *op = (hg_op){ .name = "cube", .min_inputs = 1, .max_inputs = 1, .flags = HG_MAP, .infer = hg_infer_map, .vjp = vjp,
                   .kernels = { [HG_F64] = { .elements = cube_f64 } } };
    return hg_apply(op, 1, &x, NULL);
}

/* ---- A graph to check: the sum of p^3, p = (1, 2, -3, 0.5) ---------------------------------------------- */

static const double p_values[] = { 1, 2, -3, 0.5 };

static hg_tensor *new_parameter(hg_dtype dtype)
{
    hg_tensor *p = hg_parameter(hg_graph_new(dtype), "p", HG_SHAPE(4), hg_zeros());
    assert_int_equal(hg_write(p, p_values, 4), HG_OK);
    return p;
}

static void free_with(hg_tensor *t) { hg_graph_free(hg_tensor_graph(t)); }

static hg_tensor *total(hg_tensor *x) { return hg_sum(x, HG_ALL_AXES); }

static void expect_kept(const hg_tensor *p)
{
    double values[4];
    assert_int_equal(hg_read(p, values, 4), HG_OK);
    assert_memory_equal(values, p_values, sizeof values);
}

static void expect_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void right_gradients_pass(void **state)
{
    hg_tensor *p = new_parameter(HG_F64), *loss = total(cube(p, right_vjp));
    hg_check_report report;
    (void)state;
    assert_int_equal(hg_gradcheck(loss, 1, &p, &(hg_check_options){ .order = 2 }, &report), HG_OK);
    assert_int_equal(report.entries, 2);
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(report.entry[i].tensor, p);
        assert_int_equal(report.entry[i].order, i + 1);
        assert_true(report.entry[i].excess >= 0 && report.entry[i].excess < 0.1);
    }
    int64_t worst = report.entry[0].index;
    assert_true(fabs(report.entry[0].analytic - 3 * p_values[worst] * p_values[worst]) < 1e-12);
    expect_says(report.text, "gradient of \"p\" is right");
    assert_int_equal(hg_gradcheck(loss, 1, &p, NULL, NULL), HG_OK);
    expect_kept(p);
    free_with(p);
}

static void wrong_gradients_are_caught(void **state)
{
    static const struct {
        vjp_fn     *vjp;
        int         order, wrong_order;
        int64_t     index; /* where it is worst */
        double      analytic, numeric;
        const char *says;
    } rows[] = {
        { doubled_vjp, 1, 1, 2, 54, 27, "the gradient of \"p\" is wrong at index 2: analytic 54, numeric 2" },
        { spotted_vjp, 1, 1, 1, 12.12, 12, "the gradient of \"p\" is wrong at index 1: analytic 12.12, numeric 12" },
        { constant_vjp, 1, 0, 0, 0, 0, "is right" },
        { constant_vjp, 2, 2, -1, 0, 0, "the double gradient of \"p\" is wrong at index" },
        { doubled_vjp, 2, 1, 2, 54, 27, "gradient of \"p\" is wrong" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hg_tensor *p = new_parameter(HG_F64), *loss = total(cube(p, rows[i].vjp));
        hg_check_report report;
        hg_status status = hg_gradcheck(loss, 1, &p, &(hg_check_options){ .order = rows[i].order }, &report);
        assert_int_equal(status, rows[i].wrong_order > 0 ? HG_GRADIENT_WRONG : HG_OK);
        assert_int_equal(report.entries, rows[i].order);
        expect_says(report.text, rows[i].says);
        if (rows[i].wrong_order > 0) {
            const hg_check_entry *e = &report.entry[rows[i].wrong_order - 1];
            assert_true(e->excess > 1);
            assert_true(rows[i].index < 0 || e->index == rows[i].index);
            assert_true(rows[i].index < 0 || fabs(e->analytic - rows[i].analytic) < 1e-9);
            assert_true(rows[i].index < 0 || fabs(e->numeric - rows[i].numeric) < 1e-5);
        }
        assert_int_equal(hg_graph_status(hg_tensor_graph(p)), HG_OK); /* a verdict, not a failure */
        expect_kept(p);
        free_with(p);
    }
}

/* Of two tensors one is wrong: its entry tells, and the other's is fine. */
static void the_report_tells_which(void **state)
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *wrt[] = { hg_parameter(g, "good", HG_SHAPE(3), hg_normal_init(1)),
                         hg_parameter(g, "bad", HG_SHAPE(3), hg_normal_init(1)) };
    hg_tensor *loss = hg_add(total(cube(wrt[0], right_vjp)), total(cube(wrt[1], doubled_vjp)));
    hg_check_report report;
    (void)state;
    assert_int_equal(hg_gradcheck(loss, 2, wrt, NULL, &report), HG_GRADIENT_WRONG);
    assert_int_equal(report.entries, 2);
    assert_true(report.entry[0].tensor == wrt[0] && report.entry[0].excess < 1);
    assert_true(report.entry[1].tensor == wrt[1] && report.entry[1].excess > 1);
    expect_says(report.text, "\"bad\" is wrong");
    hg_graph_free(g);
}

static void fewer_entries_are_spread(void **state)
{
    hg_tensor *p = new_parameter(HG_F64), *loss = total(cube(p, spotted_vjp));
    (void)state;
    for (int64_t most = 1; most <= 4; most++) { /* index 1 is among 0 and 1 and 2, but not among 0 and 2 */
        hg_status status = hg_gradcheck(loss, 1, &p, &(hg_check_options){ .most = most }, NULL);
        assert_int_equal(status, most >= 3 ? HG_GRADIENT_WRONG : HG_OK);
    }
    free_with(p);
}

static void tolerances_decide(void **state)
{
    static const struct {
        double    rtol, atol;
        hg_status status;
    } rows[] = { { 0, 0, HG_GRADIENT_WRONG }, { 0.02, 0, HG_OK }, { 0, 0.2, HG_OK }, { 1e-9, 0.1, HG_GRADIENT_WRONG } };
    hg_tensor *p = new_parameter(HG_F64), *loss = total(cube(p, spotted_vjp));
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hg_check_options options = { .rtol = rows[i].rtol, .atol = rows[i].atol };
        assert_int_equal(hg_gradcheck(loss, 1, &p, &options, NULL), rows[i].status);
    }
    free_with(p);
}

/* ---- Inputs and batches -------------------------------------------------------------------------------- */

static void inputs_take_given_or_random_values(void **state)
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(2, HG_BATCH)), *y = hg_input(g, "y", HG_SHAPE(2, HG_BATCH));
    hg_tensor *wrt[] = { x, y }, *loss = total(hg_mul(x, y));
    static const double values[] = { 1, 2, 3, 4, 5, 6 };
    hg_check_options options = { .order = 2, .batch = 3, .inputs = 1, .input = &(hg_check_input){ y, values } };
    hg_check_report first, again, other;
    (void)state;
    assert_int_equal(hg_gradcheck(loss, 2, wrt, &options, &first), HG_OK);
    assert_int_equal(hg_gradcheck(loss, 2, wrt, &options, &again), HG_OK); /* the graph has grown, nothing clashes */
    assert_true(first.entry[0].analytic == values[first.entry[0].index]); /* d/dx = y, which was given */
    assert_true(fabs(first.entry[1].analytic) < 6); /* d/dy = x, which was drawn */
    options.seed = 2;
    assert_int_equal(hg_gradcheck(loss, 2, wrt, &options, &other), HG_OK);
    for (int i = 0; i < 4; i++)
        assert_true(first.entry[i].analytic == again.entry[i].analytic);
    assert_true(first.entry[1].analytic != other.entry[1].analytic);
    hg_scope_push(g, "inside");
    for (int i = 0; i < 2; i++)
        assert_int_equal(hg_gradcheck(loss, 2, wrt, &options, NULL), HG_OK);
    hg_graph_free(g);
}

/* A mean over the batch, a mask of random numbers that a step decides, a tensor that nothing depends on. */
static void a_network_with_noise_passes(void **state)
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(3, HG_BATCH)), *step = hg_input_of(g, "step", HG_I64, HG_SCALAR);
    hg_tensor *w = hg_parameter(g, "w", HG_SHAPE(2, 3), hg_normal_init(0.5));
    hg_tensor *b = hg_state(g, "b", HG_SHAPE(2), hg_filled(0.1));
    hg_tensor *unused = hg_parameter(g, "unused", HG_SHAPE(2), hg_zeros());
    hg_tensor *noisy = hg_mul(x, hg_random_mask(step, "mask", HG_SHAPE(3, HG_BATCH), 0.7));
    hg_tensor *sum = hg_matmul(w, noisy), *h = hg_tanh(hg_add(sum, hg_expand_like(b, sum, hg_last_axis(sum))));
    hg_tensor *error = hg_sub(hg_matmul(hg_transpose(w), h), x), *wrt[] = { w, b, x, unused };
    hg_tensor *loss = total(hg_mean(hg_square(error), hg_last_axis(error)));
    hg_check_report report;
    (void)state;
    if (hg_gradcheck(loss, 4, wrt, &(hg_check_options){ .order = 2 }, &report) != HG_OK)
        fail_msg("%s", report.text);
    assert_int_equal(report.entries, 8);
    assert_true(report.entry[3].tensor == unused && report.entry[3].analytic == 0 && report.entry[3].numeric == 0);
    hg_graph_free(g);
}

static void many_tensors_are_all_checked(void **state)
{
    enum { MANY = 70 };
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *wrt[MANY], *loss = hg_scalar(g, 0);
    hg_check_report report;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        wrt[i] = hg_parameter(g, name, HG_SHAPE(1), hg_filled(1));
        loss = hg_add(loss, total(cube(wrt[i], i == MANY - 1 ? doubled_vjp : right_vjp)));
    }
    assert_int_equal(hg_gradcheck(loss, MANY, wrt, NULL, &report), HG_GRADIENT_WRONG);
    assert_int_equal(report.entries, 64);
    expect_says(report.text, "\"p69\" is wrong");
    hg_graph_free(g);
}

static void emptiness_passes(void **state)
{
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(0, HG_BATCH)), *loss = total(hg_square(x));
    hg_check_report report;
    (void)state;
    assert_int_equal(hg_gradcheck(loss, 1, &x, &(hg_check_options){ .order = 2 }, &report), HG_OK);
    assert_int_equal(hg_gradcheck(loss, 0, NULL, NULL, &report), HG_OK);
    expect_says(report.text, "nothing to check");
    hg_graph_free(g);
}

/* ---- What must not count as right ---------------------------------------------------------------------- */

static void what_is_not_finite_is_wrong(void **state)
{
    hg_tensor *p = new_parameter(HG_F64), *loss = total(hg_log(p)); /* of -3 */
    hg_check_report report;
    (void)state;
    assert_int_equal(hg_gradcheck(loss, 1, &p, NULL, &report), HG_GRADIENT_WRONG);
    assert_true(isfinite(report.entry[0].analytic) && !isfinite(report.entry[0].numeric));
    assert_true(isinf(report.entry[0].excess));
    expect_kept(p);
    free_with(p);
}

/* The loss reads a state that running it changes: each difference starts from the same value. */
static void assignments_are_undone(void **state)
{
    hg_tensor *p = new_parameter(HG_F64);
    hg_tensor *s = hg_state(hg_tensor_graph(p), "s", HG_SHAPE(4), hg_filled(2));
    hg_tensor *grown = hg_assign(s, hg_shift(s, 1)), *loss = total(hg_mul(hg_square(p), grown));
    double values[4];
    hg_check_report report;
    (void)state;
    if (hg_gradcheck(loss, 1, &p, &(hg_check_options){ .order = 2 }, &report) != HG_OK)
        fail_msg("%s", report.text);
    assert_true(fabs(report.entry[0].analytic - 6 * p_values[report.entry[0].index]) < 1e-12);
    hg_read(s, values, 4);
    for (int i = 0; i < 4; i++)
        assert_true(values[i] == 2);
    expect_kept(p);
    free_with(p);
}

/* ---- Mistakes ------------------------------------------------------------------------------------------ */

typedef struct mistake {
    hg_tensor       *loss, *wrt;
    hg_check_options options;
} mistake;

static void in_f32(mistake *m) { m->wrt = new_parameter(HG_F32); m->loss = total(hg_square(m->wrt)); }
static void of_a_vector(mistake *m) { m->loss = hg_square(m->wrt); }
static void by_a_result(mistake *m) { m->wrt = hg_named(hg_square(m->wrt), "h"); m->loss = total(m->wrt); }
static void by_a_constant(mistake *m) { m->wrt = hg_scalar(hg_tensor_graph(m->wrt), 1); }
static void by_integers(mistake *m) { m->wrt = hg_input_of(hg_tensor_graph(m->wrt), "i", HG_I64, HG_SCALAR); }
static void by_nothing(mistake *m) { m->wrt = NULL; }
static void of_order_3(mistake *m) { m->options.order = 3; }
static void with_no_step(mistake *m) { m->options.epsilon = -1e-6; }
static void with_nan(mistake *m) { m->options.rtol = NAN; }
static void with_no_batch(mistake *m) { m->options.batch = -1; }
static void with_no_values(mistake *m) { m->options.inputs = 1; }
static void with_values_of_a_parameter(mistake *m)
{
    static hg_check_input given;
    given = (hg_check_input){ m->wrt, p_values };
    m->options.inputs = 1;
    m->options.input = &given;
}
static void without_vjp(mistake *m) { m->loss = total(cube(m->wrt, NULL)); }

static void mistakes_are_named(void **state)
{
    static const struct {
        void (*make)(mistake *m);
        hg_status   status;
        const char *says;
    } rows[] = {
        { in_f32, HG_BAD_DTYPE, "the graph is f32" },
        { of_a_vector, HG_BAD_SHAPE, "scalar" },
        { by_a_result, HG_BAD_ARGUMENT, "tensor 0, \"h\", must be a parameter" },
        { by_a_constant, HG_BAD_ARGUMENT, "must be a parameter" },
        { by_integers, HG_BAD_ARGUMENT, "\"i\", must be a parameter, a state or a real input" },
        { by_nothing, HG_BAD_ARGUMENT, "must be a parameter" },
        { of_order_3, HG_BAD_ARGUMENT, "order must be 1 or 2" },
        { with_no_step, HG_BAD_ARGUMENT, "epsilon" },
        { with_nan, HG_BAD_ARGUMENT, "rtol" },
        { with_no_batch, HG_BAD_ARGUMENT, "batch" },
        { with_no_values, HG_BAD_ARGUMENT, "input" },
        { with_values_of_a_parameter, HG_BAD_ARGUMENT, "no input" },
        { without_vjp, HG_NO_GRADIENT, "cube" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hg_tensor *p = new_parameter(HG_F64);
        mistake m = { .wrt = p, .loss = total(hg_square(p)) };
        hg_check_report report;
        rows[i].make(&m);
        assert_int_equal(hg_gradcheck(m.loss, 1, &m.wrt, &m.options, &report), rows[i].status);
        expect_says(report.text, rows[i].says);
        expect_says(hg_graph_error(hg_tensor_graph(m.loss)), rows[i].says);
        expect_kept(p);
        if (hg_tensor_graph(m.loss) != hg_tensor_graph(p))
            free_with(m.loss);
        free_with(p);
    }
}

static void a_failed_loss_is_reported(void **state)
{
    hg_tensor *p = new_parameter(HG_F64), *loss = total(hg_transpose(p));
    hg_check_report report;
    (void)state;
    assert_null(loss);
    assert_int_equal(hg_gradcheck(loss, 1, &p, NULL, &report), HG_BAD_ARGUMENT);
    expect_says(report.text, "there is no loss");
    assert_int_equal(hg_gradcheck(NULL, 1, &p, NULL, NULL), HG_BAD_ARGUMENT);
    free_with(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_gradients_pass),
        cmocka_unit_test(wrong_gradients_are_caught),
        cmocka_unit_test(the_report_tells_which),
        cmocka_unit_test(fewer_entries_are_spread),
        cmocka_unit_test(tolerances_decide),
        cmocka_unit_test(inputs_take_given_or_random_values),
        cmocka_unit_test(a_network_with_noise_passes),
        cmocka_unit_test(many_tensors_are_all_checked),
        cmocka_unit_test(emptiness_passes),
        cmocka_unit_test(what_is_not_finite_is_wrong),
        cmocka_unit_test(assignments_are_undone),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_failed_loss_is_reported),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
