/* Initial values of parameters: a table from kind to rule. */
#include "init.h"

#include <math.h>

#include "memory.h"
#include "random.h"

hg_initializer hg_zeros(void) { return (hg_initializer){ .kind = HG_INITIAL_ZEROS }; }
hg_initializer hg_filled(double value) { return (hg_initializer){ HG_INITIAL_CONSTANT, value }; }
hg_initializer hg_uniform_init(double limit) { return (hg_initializer){ HG_INITIAL_UNIFORM, limit }; }
hg_initializer hg_normal_init(double deviation) { return (hg_initializer){ HG_INITIAL_NORMAL, deviation }; }
hg_initializer hg_xavier(void) { return hg_xavier_gain(1); }
hg_initializer hg_xavier_gain(double gain) { return (hg_initializer){ HG_INITIAL_XAVIER, gain }; }
hg_initializer hg_he(void) { return (hg_initializer){ HG_INITIAL_HE, 1 }; }
hg_initializer hg_orthogonal(double gain) { return (hg_initializer){ HG_INITIAL_ORTHOGONAL, gain }; }

typedef struct stream {
    uint64_t key;
    double  *values;
    int64_t  count;
} stream;

static void fill_constant(const stream *s, double value)
{
    for (int64_t i = 0; i < s->count; i++)
        s->values[i] = value;
}

static void fill_uniform(const stream *s, double limit)
{
    for (int64_t i = 0; i < s->count; i++) {
        philox4x32_ctr_t w = hg_random_words(s->key, 0, (uint64_t)i);
        s->values[i] = limit * (2 * hg_uniform53(w.v[0], w.v[1]) - 1);
    }
}

static void fill_normal(const stream *s, double deviation)
{
    const double tau = 6.283185307179586;
    for (int64_t i = 0; i < s->count; i++) { /* Box-Muller */
        philox4x32_ctr_t w = hg_random_words(s->key, 0, (uint64_t)i);
        double radius = sqrt(-2 * log(1 - hg_uniform53(w.v[0], w.v[1])));
        s->values[i] = deviation * radius * cos(tau * hg_uniform53(w.v[2], w.v[3]));
    }
}

static double dot(const double *a, const double *b, int64_t n, int64_t stride)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i * stride] * b[i * stride];
    return sum;
}

/* Gram-Schmidt, twice for each vector so that rounding leaves nothing; vector v starts at v * step. */
static void orthonormalize(double *q, int64_t vectors, int64_t step, int64_t n, int64_t stride)
{
    for (int64_t v = 0; v < vectors; v++) {
        double *a = q + v * step;
        for (int64_t u = 0; u < 2 * v; u++) {
            const double *b = q + u % v * step;
            double along = dot(a, b, n, stride);
            for (int64_t i = 0; i < n; i++)
                a[i * stride] -= along * b[i * stride];
        }
        double length = sqrt(dot(a, a, n, stride));
        for (int64_t i = 0; i < n; i++)
            a[i * stride] /= length;
    }
}

static void fill_orthogonal(const stream *s, double gain, int64_t rows)
{
    if (s->count == 0)
        return;
    int64_t columns = s->count / rows;
    fill_normal(s, 1);
    if (rows <= columns)
        orthonormalize(s->values, rows, columns, columns, 1);
    else
        orthonormalize(s->values, columns, 1, rows, columns);
    for (int64_t i = 0; i < s->count; i++)
        s->values[i] *= gain;
}

static void fans(const hg_shape *shape, int64_t count, double *fan_in, double *fan_out)
{
    double first = shape->rank > 0 ? (double)shape->dim[0] : 1, second = shape->rank > 1 ? (double)shape->dim[1] : 1;
    double all = (double)count;
    *fan_in = shape->rank < 2 || first == 0 ? all : all / first;
    *fan_out = shape->rank < 2 || second == 0 ? all : all / second;
}

hg_status hg_initialize(hg_tensor *t, hg_initializer initial, hg_error *error)
{
    double fan_in, fan_out;
    hg_status status = HG_OK;
    stream s = { .key = hg_random_key(t->graph->seed, t->name), .count = hg_shape_count(&t->shape, 1) };
    if (!isfinite(initial.a))
        return hg_fail(error, HG_BAD_ARGUMENT, "parameter \"%s\": the initializer's number is not finite", t->name);
    s.values = hg_memory_new((size_t)s.count * sizeof *s.values);
    if (s.values == NULL)
        return hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: initial values of \"%s\"", t->name);
    fans(&t->shape, s.count, &fan_in, &fan_out);
    switch (initial.kind) {
    case HG_INITIAL_ZEROS: fill_constant(&s, 0); break;
    case HG_INITIAL_CONSTANT: fill_constant(&s, initial.a); break;
    case HG_INITIAL_UNIFORM: fill_uniform(&s, initial.a); break;
    case HG_INITIAL_NORMAL: fill_normal(&s, initial.a); break;
    case HG_INITIAL_XAVIER: fill_uniform(&s, initial.a * sqrt(6 / (fan_in + fan_out))); break;
    case HG_INITIAL_HE: fill_normal(&s, initial.a * sqrt(2 / fan_in)); break;
    case HG_INITIAL_ORTHOGONAL: fill_orthogonal(&s, initial.a, t->shape.rank > 0 ? t->shape.dim[0] : 1); break;
    default:
        status = hg_fail(error, HG_BAD_ARGUMENT, "parameter \"%s\": unknown initializer %d", t->name, initial.kind);
    }
    if (status == HG_OK)
        hg_from_doubles(t->dtype, s.values, t->data, (size_t)s.count);
    hg_memory_free(s.values, (size_t)s.count * sizeof *s.values);
    return status;
}
