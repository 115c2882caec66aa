/* Rows that stay orthonormal: what an optimiser's step makes of them is replaced by the nearest orthonormal rows. */
#include "models.h"

#include <stdlib.h>
#include <string.h>

/* Errors are squared each time: 12 bring any Gram matrix of a condition up to some hundreds to the last bit, and a step
   starts from the identity. */
enum { ITERATIONS = 12 };

hg_tensor *hg_identity_matrix(hg_graph *graph, int64_t n)
{
    double *values = n > 0 && n <= INT64_MAX / 8 / n ? calloc((size_t)(n * n), sizeof *values) : NULL;
    if (values == NULL)
        return hg_graph_fail(graph, HG_OUT_OF_MEMORY, "out of memory: a matrix of %lld x %lld", (long long)n,
                             (long long)n);
    for (int64_t i = 0; i < n; i++)
        values[i * n + i] = 1;
    hg_tensor *identity = hg_constant(graph, HG_SHAPE(n, n), values);
    free(values);
    return identity;
}

/* The largest sum of |a| along a row: no eigenvalue exceeds it. */
static hg_tensor *bound(hg_tensor *a)
{
    return hg_max(hg_sum(hg_abs(a), HG_AXIS(1)), HG_AXIS(0));
}

/* a^(-1/2) by Newton and Schulz: y and z go to the roots of a / s and of its inverse. */
static hg_tensor *inverse_root(hg_tensor *a)
{
    if (a == NULL)
        return NULL;
    hg_tensor *s = bound(a), *three = hg_scale(hg_identity_matrix(hg_tensor_graph(a), hg_tensor_shape(a)->dim[0]), 3);
    hg_tensor *y = hg_div(a, s), *z = hg_scale(three, 1.0 / 3);
    for (int i = 0; i < ITERATIONS; i++) {
        hg_tensor *t = hg_scale(hg_sub(three, hg_matmul(z, y)), 0.5);
        y = hg_matmul(y, t);
        z = hg_matmul(t, z);
    }
    return hg_div(z, hg_sqrt(s));
}

hg_tensor *hg_constrained(const hg_parts *parts, hg_tensor *assignment)
{
    if (!parts->declaration->orthonormal || assignment == NULL || strcmp(hg_tensor_op(assignment)->name, "assign") != 0)
        return assignment;
    hg_tensor *target = hg_tensor_input(assignment, 0), *w = hg_tensor_input(assignment, 1);
    for (int i = 0; i < parts->tying.count; i++)
        if (parts->tying.at[i].weight == target)
            return hg_assign(target, hg_matmul(inverse_root(hg_matmul(w, hg_transpose(w))), w));
    return assignment;
}
