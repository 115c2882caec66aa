/* Shapes, dtypes, and conversion of values. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tensor.h"

static const struct {
    const char *name;
    size_t      size;
} dtypes[] = {
    [HG_F32] = { "f32", sizeof(float) },
    [HG_F64] = { "f64", sizeof(double) },
    [HG_I64] = { "i64", sizeof(int64_t) },
};

static bool known(hg_dtype dtype) { return (size_t)dtype < sizeof dtypes / sizeof *dtypes; }

size_t      hg_dtype_size(hg_dtype dtype) { return known(dtype) ? dtypes[dtype].size : 0; }
const char *hg_dtype_name(hg_dtype dtype) { return known(dtype) ? dtypes[dtype].name : "unknown"; }

bool hg_shape_equal(const hg_shape *a, const hg_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

static int print_dim(char *text, size_t room, int64_t dim)
{
    if (dim >= 0)
        return snprintf(text, room, "%lld", (long long)dim);
    return dim == HG_BATCH ? snprintf(text, room, "B") : snprintf(text, room, "%lluB", 0 - (unsigned long long)dim);
}

char *hg_shape_print(const hg_shape *shape, char text[HG_SHAPE_TEXT])
{
    size_t used = 0;
    if (shape->rank == 0)
        return strcpy(text, "scalar");
    text[0] = '\0';
    for (int i = 0; i < shape->rank && i < HG_MAX_RANK; i++) {
        if (i > 0)
            used += (size_t)snprintf(text + used, HG_SHAPE_TEXT - used, "x");
        used += (size_t)print_dim(text + used, HG_SHAPE_TEXT - used, shape->dim[i]);
    }
    return text;
}

enum { COUNT_BITS = 62 };

static bool multiply(int64_t a, int64_t b, int64_t *product)
{
    const int64_t most = (int64_t)1 << COUNT_BITS;
    if (a != 0 && b > most / a)
        return false;
    *product = a * b;
    return true;
}

bool hg_shape_symbolic(const hg_shape *shape, unsigned axes, hg_symbolic *count)
{
    *count = (hg_symbolic){ .coefficient = 1 };
    if (shape->rank < 0 || shape->rank > HG_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++) {
        if (!(axes & HG_AXIS(i)))
            continue;
        int64_t dim = shape->dim[i];
        if (dim == INT64_MIN || !multiply(count->coefficient, dim < 0 ? -dim : dim, &count->coefficient))
            return false;
        count->power += dim < 0;
    }
    return true;
}

int64_t hg_shape_count(const hg_shape *shape, int64_t batch)
{
    hg_symbolic count;
    if (!hg_shape_symbolic(shape, HG_ALL_AXES, &count))
        return -1;
    for (; count.power > 0; count.power--)
        if (!multiply(count.coefficient, batch, &count.coefficient))
            return -1;
    return count.coefficient;
}

bool hg_dim_add(int64_t a, int64_t b, int64_t *sum)
{
    if ((a < 0 && b > 0) || (a > 0 && b < 0))
        return false;
    return !__builtin_add_overflow(a, b, sum);
}

unsigned hg_last_axis(const hg_tensor *x) { return x == NULL || x->shape.rank == 0 ? 0 : HG_AXIS(x->shape.rank - 1); }

unsigned hg_all_but_last_axis(const hg_tensor *x) { return x == NULL ? 0 : hg_last_axis(x) - (x->shape.rank > 0); }

int64_t hg_elements(const hg_tensor *t) { return hg_elements_of_axes(t, 0, t->shape.rank); }

int64_t hg_elements_of_axes(const hg_tensor *t, int from, int to)
{
    int64_t count = 1;
    for (int i = from; i < to; i++)
        count *= t->shape.dim[i];
    return count;
}

/* ---- Values -------------------------------------------------------------------------------------------- */

void hg_to_doubles(hg_dtype dtype, const void *from, double *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = dtype == HG_F32   ? ((const float *)from)[i]
                : dtype == HG_F64 ? ((const double *)from)[i]
                                  : (double)((const int64_t *)from)[i];
}

void hg_from_doubles(hg_dtype dtype, const double *from, void *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (dtype == HG_F32)
            ((float *)to)[i] = (float)from[i];
        else if (dtype == HG_F64)
            ((double *)to)[i] = from[i];
        else
            ((int64_t *)to)[i] = (int64_t)from[i];
}
