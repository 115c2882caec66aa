/* Losses: worked numbers, reductions, what happens at the edges, and the gradients that have a closed form. */
#include "config.h"

#include <hourglass/grad.h>
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

enum { MOST = 16 };

typedef hg_tensor *loss_fn(hg_tensor *y, hg_tensor *x, hg_reduction reduction);

static hg_tensor *huber_half(hg_tensor *y, hg_tensor *x, hg_reduction reduction)
{
    return hg_huber_by(y, x, 0.5, reduction);
}

/* The loss of y against x, both d x batch, row-major (a column is a sample), and its gradient by y unless NULL. */
static void evaluate(hg_dtype dtype, loss_fn *loss, hg_reduction reduction, int d, int batch, const double *y,
                     const double *x, double *value, double *gradient)
{
    hg_graph *g = hg_graph_new(dtype);
    hg_tensor *ty = hg_input(g, "y", HG_SHAPE(d, HG_BATCH)), *tx = hg_input(g, "x", HG_SHAPE(d, HG_BATCH));
    hg_tensor *result = loss(ty, tx, reduction), *total = hg_sum(result, HG_ALL_AXES), *by_y;
    assert_int_equal(hg_grad(total, 1, &ty, &by_y), HG_OK);
    hg_plan *p = hg_plan_new(g, 2, (hg_tensor *[]){ result, by_y }, &(hg_plan_options){ .batch = batch });
    assert_string_equal(hg_graph_error(g), "");
    size_t count = (size_t)(d * batch);
    assert_int_equal(hg_plan_write(p, ty, y, count), HG_OK);
    assert_int_equal(hg_plan_write(p, tx, x, count), HG_OK);
    assert_int_equal(hg_run(p), HG_OK);
    assert_int_equal(hg_plan_read(p, result, value, reduction == HG_PER_SAMPLE ? (size_t)batch : 1), HG_OK);
    if (gradient != NULL)
        assert_int_equal(hg_plan_read(p, by_y, gradient, count), HG_OK);
    hg_plan_free(p);
    hg_graph_free(g);
}

static void assert_close(double got, double right, double tolerance)
{
    if (!(got == right || fabs(got - right) <= tolerance * (1 + fabs(right))))
        fail_msg("%.17g instead of %.17g", got, right);
}

/* ---- Values -------------------------------------------------------------------------------------------- */

static const struct {
    const char  *name;
    loss_fn     *loss;
    hg_reduction reduction;
    int          d, batch;
    double       y[MOST], x[MOST];
    double       times; /* what stands before the loss in the source */
    double       value[4];
} worked[] = {
    { "mean squared error over N d of three images", hg_squared_error_by, HG_MEAN_OVER_ELEMENTS, 4, 3,
      { 0.9, 0.1, 0.8, 0.1, 0.9, 0.9, 0.8, 0.1, 0.1, 0.1, 0.8, 0.1 },
      { 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0 }, 2, { 0.0175 } },
    { "the same per sample", hg_squared_error_by, HG_PER_SAMPLE, 4, 3,
      { 0.9, 0.1, 0.8, 0.1, 0.9, 0.9, 0.8, 0.1, 0.1, 0.1, 0.8, 0.1 },
      { 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0 }, 2, { 0.07, 0.07, 0.07 } },
    { "the same over samples", hg_squared_error_by, HG_MEAN_OVER_SAMPLES, 4, 3,
      { 0.9, 0.1, 0.8, 0.1, 0.9, 0.9, 0.8, 0.1, 0.1, 0.1, 0.8, 0.1 },
      { 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0 }, 2, { 0.07 } },
    { "the same summed", hg_squared_error_by, HG_SUM_OVER_ALL, 4, 3,
      { 0.9, 0.1, 0.8, 0.1, 0.9, 0.9, 0.8, 0.1, 0.1, 0.1, 0.8, 0.1 },
      { 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0 }, 2, { 0.21 } },
    { "binary cross-entropy, mean over d", hg_binary_cross_entropy_by, HG_MEAN_OVER_ELEMENTS, 3, 1,
      { 0.9, 0.2, 0.8 }, { 1, 0, 1 }, 1, { 0.18388253942874862 } },
    { "of soft targets", hg_binary_cross_entropy_by, HG_SUM_OVER_ALL, 2, 1, { 0.5, 0.25 }, { 0.3, 0.5 }, 1,
      { 0.6931471805599453 + 0.8369882167858358 } },
    { "from logits", hg_binary_cross_entropy_from_logits_by, HG_PER_SAMPLE, 1, 4, { 0, 1, -1, 2 }, { 1, 1, 1, 0.5 }, 1,
      { 0.6931471805599453, 0.31326168751822286, 1.3132616875182228, 1.1269280110429725 } },
    { "softmax of equal logits", hg_softmax_cross_entropy_by, HG_PER_SAMPLE, 4, 2, { 3, -7, 3, -7, 3, -7, 3, -7 },
      { 1, 0.25, 0, 0.25, 0, 0.25, 0, 0.25 }, 1, { 1.3862943611198906, 1.3862943611198906 } },
    { "softmax of two", hg_softmax_cross_entropy_by, HG_PER_SAMPLE, 2, 1, { 1, 0 }, { 1, 0 }, 1, { 0.31326168751822286 } },
    { "huber within, at and beyond delta", huber_half, HG_PER_SAMPLE, 1, 4, { 0.25, -0.5, 2, -3 }, { 0, 0, 0, 0 }, 1,
      { 0.03125, 0.125, 0.875, 1.375 } },
};

static void worked_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(worked); i++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            double value[4];
            evaluate((hg_dtype)dtype, worked[i].loss, worked[i].reduction, worked[i].d, worked[i].batch, worked[i].y,
                     worked[i].x, value, NULL);
            for (int j = 0; j < (worked[i].reduction == HG_PER_SAMPLE ? worked[i].batch : 1); j++)
                assert_close(worked[i].times * value[j], worked[i].value[j], dtype == HG_F32 ? 1e-6 : 1e-15);
        }
}

/* ---- Gradients with a closed form ---------------------------------------------------------------------- */

static const double logits[] = { -40, -2, 0, 1, 3, 100 }, targets[] = { 0.25, 1, 0, 0.5, 1, 0.75 };

static void gradient_from_logits_is_sigmoid_less_target(void **state)
{
    (void)state;
    double value, gradient[6];
    evaluate(HG_F64, hg_binary_cross_entropy_from_logits_by, HG_MEAN_OVER_SAMPLES, 2, 3, logits, targets, &value,
             gradient);
    for (int i = 0; i < 6; i++) /* T5, with 1/B */
        assert_close(gradient[i], (1 / (1 + exp(-logits[i])) - targets[i]) / 3, 1e-15);
}

static void gradient_of_squared_error_is_residual(void **state)
{
    (void)state;
    double value, gradient[6];
    evaluate(HG_F64, hg_squared_error_by, HG_MEAN_OVER_SAMPLES, 2, 3, logits, targets, &value, gradient);
    for (int i = 0; i < 6; i++)
        assert_close(gradient[i], (logits[i] - targets[i]) / 3, 1e-15);
}

static void gradient_of_softmax_is_softmax_less_target(void **state)
{
    (void)state;
    const double a[] = { 1, 1000, 2, -1000, 3, 0 }, x[] = { 0, 1, 0.5, 0, 0.5, 0 };
    double value, gradient[6];
    evaluate(HG_F64, hg_softmax_cross_entropy_by, HG_SUM_OVER_ALL, 3, 2, a, x, &value, gradient);
    for (int j = 0; j < 2; j++) {
        double most = fmax(a[j], fmax(a[2 + j], a[4 + j])), sum = 0;
        for (int k = 0; k < 3; k++)
            sum += exp(a[2 * k + j] - most);
        for (int k = 0; k < 3; k++)
            assert_close(gradient[2 * k + j], exp(a[2 * k + j] - most) / sum - x[2 * k + j], 1e-15);
    }
}

/* ---- Edges --------------------------------------------------------------------------------------------- */

/* Of one number. To value comes `smallest` times -log of the smallest normal number. */
static const struct {
    loss_fn *loss;
    double   y, x;
    double   value, smallest, gradient;
} edges[] = {
    { hg_binary_cross_entropy_by, 0, 0, 0, 0, 1 }, /* 0 log 0 = 0 */
    { hg_binary_cross_entropy_by, 1, 1, 0, 0, -1 },
    { hg_binary_cross_entropy_by, 0, 1, 0, 1, 0 }, /* large, but a number */
    { hg_binary_cross_entropy_by, 1, 0, 0, 1, 0 },
    { hg_binary_cross_entropy_by, 0, 0.25, 0, 0.25, 0.75 },
    { hg_binary_cross_entropy_by, -0.5, 1, NAN, 0, NAN }, /* no probability */
    { hg_binary_cross_entropy_by, 1.5, 0, NAN, 0, NAN },
    { hg_binary_cross_entropy_by, NAN, 0, NAN, 0, NAN },
    { hg_binary_cross_entropy_from_logits_by, 5000, 0, 5000, 0, 1 },
    { hg_binary_cross_entropy_from_logits_by, 5000, 1, 0, 0, 0 },
    { hg_binary_cross_entropy_from_logits_by, -5000, 1, 5000, 0, -1 },
    { hg_binary_cross_entropy_from_logits_by, -5000, 0, 0, 0, 0 },
    { hg_binary_cross_entropy_from_logits_by, NAN, 0, NAN, 0, NAN },
    { huber_half, 1e30, 0, 5e29, 0, 0.5 },
};

static void at_the_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            double value, gradient, log_smallest = log(dtype == HG_F32 ? FLT_MIN : DBL_MIN);
            evaluate((hg_dtype)dtype, edges[i].loss, HG_SUM_OVER_ALL, 1, 1, &edges[i].y, &edges[i].x, &value, &gradient);
            if (isnan(edges[i].value)) {
                assert_true(isnan(value));
                continue;
            }
            assert_close(value, edges[i].value - edges[i].smallest * log_smallest, 1e-6);
            assert_close(gradient, edges[i].gradient, 1e-6);
        }
}

static void log_softmax_of_any_size(void **state)
{
    (void)state;
    for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
        hg_graph *g = hg_graph_new((hg_dtype)dtype);
        double y[8];
        hg_tensor *a = hg_constant(g, HG_SHAPE(2, 4), (const double[]){ 1e30, -1e30, 0, 5, 0, -1e30, -1000, 6 });
        assert_int_equal(hg_eval(hg_log_softmax(a), y, 8), HG_OK);
        const double right[] = { 0, -log(2), 0, -log(1 + exp(1)), -1e30, -log(2), -1000, -log(1 + exp(-1)) };
        for (int i = 0; i < 8; i++)
            assert_close(y[i], right[i], 1e-6);
        hg_graph_free(g);
    }
}

/* ---- Mistakes ------------------------------------------------------------------------------------------ */

typedef hg_tensor *mistake_fn(hg_tensor *y, hg_tensor *x);

static hg_tensor *other_reduction(hg_tensor *y, hg_tensor *x)
{
    (void)x;
    return hg_reduce(y, (hg_reduction)9);
}

static hg_tensor *negative_delta(hg_tensor *y, hg_tensor *x)
{
    (void)x;
    return hg_huber(y, y, -1);
}

static hg_tensor *infinite_delta(hg_tensor *y, hg_tensor *x)
{
    (void)x;
    return hg_huber(y, y, INFINITY);
}

static hg_tensor *softmax_of_scalar(hg_tensor *y, hg_tensor *x)
{
    (void)x;
    return hg_log_softmax(hg_sum(y, HG_ALL_AXES));
}

static const struct {
    mistake_fn *make;
    const char *words[4];
} mistakes[] = {
    { hg_squared_error, { "squared_error", "output y 3xB", "target x 2xB", "equal" } },
    { hg_binary_cross_entropy, { "binary_cross_entropy:", "3xB", "2xB" } },
    { hg_binary_cross_entropy_from_logits, { "binary_cross_entropy_from_logits", "3xB", "2xB" } },
    { hg_softmax_cross_entropy, { "softmax_cross_entropy", "3xB", "2xB" } },
    { other_reduction, { "reduction", "9" } },
    { negative_delta, { "huber", "delta", "-1" } },
    { infinite_delta, { "huber", "delta", "inf" } },
    { softmax_of_scalar, { "scalar", "no axis 0" } },
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        hg_tensor *y = hg_input(g, "y", HG_SHAPE(3, HG_BATCH)), *x = hg_input(g, "x", HG_SHAPE(2, HG_BATCH));
        assert_null(mistakes[i].make(y, x));
        for (int w = 0; w < 4 && mistakes[i].words[w] != NULL; w++)
            if (strstr(hg_graph_error(g), mistakes[i].words[w]) == NULL)
                fail_msg("\"%s\" is not in \"%s\"", mistakes[i].words[w], hg_graph_error(g));
        hg_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_numbers),
        cmocka_unit_test(gradient_from_logits_is_sigmoid_less_target),
        cmocka_unit_test(gradient_of_squared_error_is_residual),
        cmocka_unit_test(gradient_of_softmax_is_softmax_less_target),
        cmocka_unit_test(at_the_edges),
        cmocka_unit_test(log_softmax_of_any_size),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
