/* matmul: the product of two matrices, each perhaps transposed, on BLIS. Called single-threaded on the rows or columns
   of a part: cutting there changes no element's arithmetic once BLIS's small-matrix path is off. */
#ifndef HG_KERNELS
#include "op.h"

#include "matmul.h"

static bool matmul_infer(hg_tensor *t)
{
    const hg_matmul_attr *attr = t->attr;
    const hg_tensor *a = t->input[0], *b = t->input[1];
    if (a->dtype == HG_I64 || b->dtype != a->dtype)
        return hg_infer_fail(t, HG_BAD_DTYPE, "both inputs must be real");
    if (a->shape.rank != 2 || b->shape.rank != 2)
        return hg_infer_fail(t, HG_BAD_SHAPE, "both inputs must be matrices");
    int64_t m = a->shape.dim[attr->transpose_a], inner_a = a->shape.dim[!attr->transpose_a];
    int64_t n = b->shape.dim[!attr->transpose_b], inner_b = b->shape.dim[attr->transpose_b];
    if (inner_a != inner_b) {
        char left[HG_SHAPE_TEXT], right[HG_SHAPE_TEXT];
        return hg_infer_fail(t, HG_BAD_SHAPE, "%s times %s: the columns of the left must be as many as the rows of "
                             "the right", hg_shape_print(&HG_SHAPE(m, inner_a), left),
                             hg_shape_print(&HG_SHAPE(inner_b, n), right));
    }
    return hg_set_result(t, a->dtype, HG_SHAPE(m, n));
}

static hg_tensor *oriented(hg_tensor *x, bool transpose) { return transpose ? hg_transpose(x) : x; }

/* C = A B: dA = g Bt, dB = At g; where an input is stored transposed, so is its gradient. */
static void matmul_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const hg_matmul_attr *attr = t->attr;
    hg_tensor *a = oriented(t->input[0], attr->transpose_a), *b = oriented(t->input[1], attr->transpose_b);
    if (wanted[0])
        d[0] = attr->transpose_a ? hg_matmul(b, hg_transpose(g)) : hg_matmul(g, hg_transpose(b));
    if (wanted[1])
        d[1] = attr->transpose_b ? hg_matmul(hg_transpose(g), a) : hg_matmul(hg_transpose(a), g);
}

static int matmul_parts(const hg_tensor *t, int threads)
{
    int64_t units = hg_matmul_cut_units(t);
    return units < threads ? (units > 0 ? (int)units : 1) : threads;
}

static void matmul_range(const hg_tensor *t, int part, int parts, int64_t *begin, int64_t *end)
{
    hg_cut cut = hg_matmul_cut(t, part, parts);
    int64_t n = t->shape.dim[1];
    if (cut.rows) {
        *begin = cut.from * n;
        *end = cut.to * n;
    } else { /* one part, or the parts are not contiguous: all or nothing */
        *begin = 0;
        *end = parts == 1 ? hg_elements(t) : -1;
    }
}

static double matmul_flops(const hg_tensor *t)
{
    const hg_matmul_attr *attr = t->attr;
    return 2.0 * (double)hg_elements(t) * (double)t->input[0]->shape.dim[!attr->transpose_a];
}

const hg_op hg_matmul_op = { .name = "matmul", .min_inputs = 2, .max_inputs = 2,
                             .attr_size = sizeof(hg_matmul_attr), .infer = matmul_infer, .vjp = matmul_vjp,
                             .parts = matmul_parts, .range = matmul_range, .flops = matmul_flops,
                             .prepare = hg_blas_prepare, HG_VARIANTS(matmul) };

/* Transposes are absorbed here, so that no copy is ever made for a product. */
static hg_tensor *absorb(hg_tensor *x, bool *transposed)
{
    for (*transposed = false; x != NULL && hg_is_transpose(x); x = x->input[0])
        *transposed = !*transposed;
    return x;
}

hg_tensor *hg_matmul(hg_tensor *a, hg_tensor *b)
{
    hg_matmul_attr attr = { false, false };
    hg_tensor *input[] = { absorb(a, &attr.transpose_a), absorb(b, &attr.transpose_b) };
    return hg_apply(&hg_matmul_op, 2, input, &attr);
}
#else
#include "kernel.h"

#include "matmul.h"

static void matmul(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_matmul_attr *attr = t->attr;
    int64_t n = t->shape.dim[1], k = t->input[0]->shape.dim[!attr->transpose_a];
    int64_t a_columns = t->input[0]->shape.dim[1], b_columns = t->input[1]->shape.dim[1];
    hg_cut cut = hg_matmul_cut(t, part, parts);
    int64_t rows = cut.rows ? cut.to - cut.from : t->shape.dim[0], columns = cut.rows ? n : cut.to - cut.from;
    int64_t a_row = attr->transpose_a ? 1 : a_columns, a_column = attr->transpose_a ? a_columns : 1;
    int64_t b_row = attr->transpose_b ? 1 : b_columns, b_column = attr->transpose_b ? b_columns : 1;
    const real *a = (const real *)in[0] + (cut.rows ? cut.from * a_row : 0);
    const real *b = (const real *)in[1] + (cut.rows ? 0 : cut.from * b_column);
    real *c = (real *)y + (cut.rows ? cut.from * n : cut.from);
    (void)scratch;
    if (rows > 0 && columns > 0)
        HG_BLAS_PRODUCT(rows, columns, k, a, a_row, a_column, b, b_row, b_column, c, n);
}

const hg_kernels OP(matmul) = { .run = matmul };
#endif
