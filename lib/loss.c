/* Losses, written as a user would write them: with public ops only. */
#include <hourglass/math.h>

#include <float.h>
#include <math.h>

hg_tensor *hg_reduce(hg_tensor *errors, hg_reduction reduction)
{
    if (errors == NULL)
        return NULL;
    switch (reduction) {
    case HG_MEAN_OVER_SAMPLES:
        return hg_div(hg_sum(errors, HG_ALL_AXES), hg_count(errors, hg_last_axis(errors)));
    case HG_MEAN_OVER_ELEMENTS:
        return hg_mean(errors, HG_ALL_AXES);
    case HG_SUM_OVER_ALL:
        return hg_sum(errors, HG_ALL_AXES);
    case HG_PER_SAMPLE:
        return hg_sum(errors, hg_all_but_last_axis(errors));
    case HG_PER_ELEMENT:
        return errors;
    }
    return hg_graph_fail(hg_tensor_graph(errors), HG_BAD_ARGUMENT, "there is no reduction of number %d",
                         (int)reduction);
}

/* What a loss compares is of equal shape. */
static bool comparable(const char *loss, const hg_tensor *y, const hg_tensor *x)
{
    char of_y[HG_SHAPE_TEXT], of_x[HG_SHAPE_TEXT];
    if (y == NULL || x == NULL)
        return false;
    if (hg_shape_equal(hg_tensor_shape(y), hg_tensor_shape(x)))
        return true;
    hg_graph_fail(hg_tensor_graph(y), HG_BAD_SHAPE,
                  "%s: the output %s%s%s and the target %s%s%s must be of equal shape", loss,
                  hg_tensor_name(y), *hg_tensor_name(y) ? " " : "", hg_shape_print(hg_tensor_shape(y), of_y),
                  hg_tensor_name(x), *hg_tensor_name(x) ? " " : "", hg_shape_print(hg_tensor_shape(x), of_x));
    return false;
}

hg_tensor *hg_squared_error_by(hg_tensor *y, hg_tensor *x, hg_reduction reduction)
{
    if (!comparable("squared_error", y, x))
        return NULL;
    return hg_scale(hg_reduce(hg_square(hg_sub(y, x)), reduction), 0.5);
}

/* log p, where a p of exactly 0 counts as the smallest normal number; a negative one gives NaN. */
static hg_tensor *log_probability(hg_tensor *p)
{
    hg_graph *graph = hg_tensor_graph(p);
    double smallest = hg_tensor_dtype(p) == HG_F32 ? FLT_MIN : DBL_MIN;
    return hg_log(hg_select(p, p, hg_scalar(graph, smallest)));
}

hg_tensor *hg_binary_cross_entropy_by(hg_tensor *p, hg_tensor *x, hg_reduction reduction)
{
    if (!comparable("binary_cross_entropy", p, x))
        return NULL;
    hg_tensor *one = hg_scalar(hg_tensor_graph(p), 1);
    hg_tensor *is = hg_mul(x, log_probability(p));
    hg_tensor *is_not = hg_mul(hg_sub(one, x), log_probability(hg_sub(one, p)));
    return hg_neg(hg_reduce(hg_add(is, is_not), reduction));
}

/* -x log sigmoid(a) - (1-x) log(1 - sigmoid(a)) = log(1 + e^a) - x a */
hg_tensor *hg_binary_cross_entropy_from_logits_by(hg_tensor *a, hg_tensor *x, hg_reduction reduction)
{
    if (!comparable("binary_cross_entropy_from_logits", a, x))
        return NULL;
    return hg_reduce(hg_sub(hg_softplus(a), hg_mul(x, a)), reduction);
}

/* Less the largest, so that nothing overflows; the result does not depend on what is taken off. */
hg_tensor *hg_log_softmax(hg_tensor *a)
{
    hg_tensor *less = hg_sub(a, hg_expand_like(hg_stop_gradient(hg_max(a, HG_AXIS(0))), a, HG_AXIS(0)));
    return hg_sub(less, hg_expand_like(hg_log(hg_sum(hg_exp(less), HG_AXIS(0))), a, HG_AXIS(0)));
}

hg_tensor *hg_softmax_cross_entropy_by(hg_tensor *a, hg_tensor *x, hg_reduction reduction)
{
    if (!comparable("softmax_cross_entropy", a, x))
        return NULL;
    return hg_neg(hg_reduce(hg_mul(x, hg_log_softmax(a)), reduction));
}

/* With c = r clamped to [-delta, delta]: c (r - c/2). */
hg_tensor *hg_huber_by(hg_tensor *y, hg_tensor *x, double delta, hg_reduction reduction)
{
    if (!comparable("huber", y, x))
        return NULL;
    if (!(delta > 0) || !isfinite(delta))
        return hg_graph_fail(hg_tensor_graph(y), HG_BAD_ARGUMENT, "huber: delta must be positive and finite, not %g",
                             delta);
    hg_tensor *r = hg_sub(y, x), *c = hg_clamp(r, -delta, delta);
    return hg_reduce(hg_mul(c, hg_sub(r, hg_scale(c, 0.5))), reduction);
}

/* ---- With HG_MEAN_OVER_SAMPLES ------------------------------------------------------------------------- */

hg_tensor *hg_squared_error(hg_tensor *y, hg_tensor *x) { return hg_squared_error_by(y, x, HG_MEAN_OVER_SAMPLES); }

hg_tensor *hg_binary_cross_entropy(hg_tensor *p, hg_tensor *x)
{
    return hg_binary_cross_entropy_by(p, x, HG_MEAN_OVER_SAMPLES);
}

hg_tensor *hg_binary_cross_entropy_from_logits(hg_tensor *a, hg_tensor *x)
{
    return hg_binary_cross_entropy_from_logits_by(a, x, HG_MEAN_OVER_SAMPLES);
}

hg_tensor *hg_softmax_cross_entropy(hg_tensor *a, hg_tensor *x)
{
    return hg_softmax_cross_entropy_by(a, x, HG_MEAN_OVER_SAMPLES);
}

hg_tensor *hg_huber(hg_tensor *y, hg_tensor *x, double delta)
{
    return hg_huber_by(y, x, delta, HG_MEAN_OVER_SAMPLES);
}
