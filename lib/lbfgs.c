/* Limited-memory BFGS: in double, on one vector, in a fixed order. */
#include <hourglass/optimizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SUFFICIENT_DECREASE = 1e-4, CURVATURE = 0.9; /* of the strong Wolfe conditions */
enum { MOST_TRIALS = 25 };                                       /* of one line search */

typedef struct lbfgs {
    hg_lbfgs_spec spec;
    size_t  size;
    int64_t pairs, newest; /* kept, in a ring; where the last one is */
    bool    known;         /* value and gradient are those at x */
    double  value;
    double *gradient, *direction;
    double *start, *start_gradient; /* x and gradient where the iteration began */
    double *s, *y;                  /* pairs: changes of x and of the gradient, one after the other */
    double *sy, *weight;            /* of each pair: the scalar product, and a number of the two loops */
    double  numbers[];
} lbfgs;

/* Four sums, so that the additions do not wait for each other. */
static double dot(size_t n, const double *a, const double *b)
{
    double sum[4] = { 0 };
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += a[i + (size_t)k] * b[i + (size_t)k];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* b += factor a */
static void add_scaled(size_t n, double factor, const double *a, double *b)
{
    for (size_t i = 0; i < n; i++)
        b[i] += factor * a[i];
}

static void scale(size_t n, double factor, double *a)
{
    for (size_t i = 0; i < n; i++)
        a[i] *= factor;
}

static double largest(size_t n, const double *a)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(a[i]));
    return most;
}

/* ---- Memory --------------------------------------------------------------------------------------------- */

static void *begin(const void *attributes, int64_t size)
{
    const hg_lbfgs_spec *spec = attributes;
    size_t n = (size_t)size, pairs = (size_t)spec->memory, vectors = 4 + 2 * pairs;
    if (size < 1 || n > (SIZE_MAX / sizeof(double) - sizeof(lbfgs)) / (vectors + 2 * pairs))
        return NULL;
    lbfgs *m = calloc(1, sizeof *m + (vectors * n + 2 * pairs) * sizeof(double));
    if (m == NULL)
        return NULL;
    m->spec = *spec;
    m->size = n;
    m->gradient = m->numbers;
    m->direction = m->gradient + n;
    m->start = m->direction + n;
    m->start_gradient = m->start + n;
    m->s = m->start_gradient + n;
    m->y = m->s + pairs * n;
    m->sy = m->y + pairs * n;
    m->weight = m->sy + pairs;
    return m;
}

/* The place of a pair: age 0 is the newest. */
static size_t place(const lbfgs *m, int64_t age)
{
    return (size_t)((m->newest - age + m->spec.memory) % m->spec.memory);
}

/* Only pairs with s y well above 0 keep H positive definite. */
static void remember(lbfgs *m, const double x[])
{
    const size_t n = m->size, at = place(m, -1);
    double *s = m->s + at * n, *y = m->y + at * n;
    for (size_t i = 0; i < n; i++) {
        s[i] = x[i] - m->start[i];
        y[i] = m->gradient[i] - m->start_gradient[i];
    }
    m->sy[at] = dot(n, s, y);
    if (!(m->sy[at] > 1e-12 * sqrt(dot(n, s, s) * dot(n, y, y))))
        return;
    m->newest = (int64_t)at;
    m->pairs += m->pairs < m->spec.memory;
}

/* ---- Direction ------------------------------------------------------------------------------------------ */

/* direction = -H gradient, by the two loops over the pairs; H starts as (s y / y y) of the newest, times the identity. */
static void choose_direction(lbfgs *m)
{
    const size_t n = m->size;
    double *d = m->direction;
    memcpy(d, m->gradient, n * sizeof *d);
    for (int64_t age = 0; age < m->pairs; age++) {
        size_t at = place(m, age);
        m->weight[at] = dot(n, m->s + at * n, d) / m->sy[at];
        add_scaled(n, -m->weight[at], m->y + at * n, d);
    }
    const double *y = m->y + place(m, 0) * n;
    scale(n, m->pairs > 0 ? -m->sy[place(m, 0)] / dot(n, y, y) : -1, d);
    for (int64_t age = m->pairs - 1; age >= 0; age--) {
        size_t at = place(m, age);
        add_scaled(n, -m->weight[at] - dot(n, m->y + at * n, d) / m->sy[at], m->s + at * n, d);
    }
}

/* ---- Line search ---------------------------------------------------------------------------------------- */

/* Along the direction: a length, the value and the slope there. */
typedef struct trial {
    double length, value, slope;
} trial;

/* Of the cubic that has the values and slopes of both; NaN if it has none. */
static double cubic_minimum(const trial *a, const trial *b)
{
    double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->length - b->length);
    double d2 = copysign(sqrt(d1 * d1 - a->slope * b->slope), b->length - a->length);
    return b->length - (b->length - a->length) * (b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2);
}

/* Well between two bounds; their middle if the cubic's minimum is not there. */
static double inside(const trial *a, const trial *b)
{
    double best = cubic_minimum(a, b), width = fabs(b->length - a->length), low = fmin(a->length, b->length);
    return best >= low + 0.1 * width && best <= low + 0.9 * width ? best : low + 0.5 * width;
}

/* Beyond the longer of two. */
static double beyond(const trial *shorter, const trial *longer)
{
    double best = cubic_minimum(shorter, longer), width = longer->length - shorter->length;
    double low = longer->length + 1.1 * width, high = longer->length + 4 * width;
    return best > low ? fmin(best, high) : best <= low ? low : high;
}

static hg_status evaluate(lbfgs *m, const hg_objective *objective, double x[], hg_iteration *iteration)
{
    iteration->evaluations++;
    m->known = true;
    return objective->evaluate(objective->context, x, &m->value, m->gradient);
}

static hg_status try_length(lbfgs *m, const hg_objective *objective, double x[], double length,
                            hg_iteration *iteration, trial *t)
{
    for (size_t i = 0; i < m->size; i++)
        x[i] = m->start[i] + length * m->direction[i];
    hg_status status = evaluate(m, objective, x, iteration);
    *t = (trial){ length, m->value, dot(m->size, m->gradient, m->direction) };
    return status;
}

/* Between lo, the lowest that falls enough, and hi there are lengths that fulfil both conditions; hi is infinite until it is
   known. What is not a number does not fall. *found is false, and x as it was, if even the shortest did not. */
static hg_status search(lbfgs *m, const hg_objective *objective, double x[], double length, hg_iteration *iteration,
                        bool *found)
{
    const trial first = { 0, m->value, dot(m->size, m->gradient, m->direction) };
    trial lo = first, hi = { .length = INFINITY }, t = first;
    hg_status status = HG_OK;
    *found = false;
    for (int i = 0; i < MOST_TRIALS && first.slope < 0 && fabs(hi.length - lo.length) > 1e-10 * length; i++) {
        const trial before = lo;
        status = try_length(m, objective, x, length, iteration, &t);
        if (status != HG_OK)
            return status;
        if (!(t.value <= first.value + SUFFICIENT_DECREASE * length * first.slope && (t.value < lo.value || i == 0)))
            hi = t;
        else if (fabs(t.slope) <= -CURVATURE * first.slope)
            return *found = true, HG_OK;
        else {
            if (t.slope * (hi.length - lo.length) >= 0)
                hi = lo;
            lo = t;
        }
        length = isinf(hi.length) ? beyond(&before, &lo) : inside(&lo, &hi);
    }
    *found = lo.length > 0;
    return t.length == lo.length ? HG_OK : try_length(m, objective, x, lo.length, iteration, &t);
}

/* ---- An iteration --------------------------------------------------------------------------------------- */

/* The first step has about unit length, later ones have H's. */
static double first_length(const lbfgs *m)
{
    return m->pairs > 0 ? 1 : fmin(1, 1 / sqrt(dot(m->size, m->gradient, m->gradient)));
}

/* If there is nothing lower that way, H is forgotten, and steepest descent is the last resort. */
static hg_status step(lbfgs *m, const hg_objective *objective, double x[], hg_iteration *iteration, bool *found)
{
    hg_status status;
    memcpy(m->start, x, m->size * sizeof *x);
    memcpy(m->start_gradient, m->gradient, m->size * sizeof *x);
    for (bool again = true; again;) {
        choose_direction(m);
        status = search(m, objective, x, first_length(m), iteration, found);
        again = status == HG_OK && !*found && m->pairs > 0;
        if (again)
            m->pairs = 0;
    }
    if (status == HG_OK && *found)
        remember(m, x);
    return status;
}

static hg_status iterate(void *memory, const hg_objective *objective, double x[], hg_iteration *iteration)
{
    lbfgs *m = memory;
    hg_status status = HG_OK;
    bool found = true;
    *iteration = (hg_iteration){ 0 };
    if (!m->known || objective->changes)
        status = evaluate(m, objective, x, iteration);
    if (status == HG_OK && !isfinite(m->value + dot(m->size, m->gradient, m->gradient)))
        status = HG_DIVERGED;
    if (status == HG_OK && largest(m->size, m->gradient) > m->spec.tolerance)
        status = step(m, objective, x, iteration, &found);
    iteration->value = m->value;
    iteration->steepness = largest(m->size, m->gradient);
    if (objective->changes)
        return status;
    if (iteration->steepness <= m->spec.tolerance)
        iteration->ended = "no entry of the gradient exceeds the tolerance";
    else if (!found)
        iteration->ended = "the line search finds nothing lower, as far as rounding lets it see";
    return status;
}

static const hg_minimizer lbfgs_minimizer = { begin, iterate, free };

const hg_optimizer_kind hg_lbfgs_optimizer = {
    .kind = { "lbfgs", sizeof(hg_lbfgs_spec),
              (const hg_field[]){ HG_INT_FIELD(hg_lbfgs_spec, memory, "[1, 1000]", 10),
                                  HG_NUMBER_FIELD(hg_lbfgs_spec, tolerance, "(0, inf)", 1e-5),
                                  { 0 } } },
    .minimizer = &lbfgs_minimizer,
};
