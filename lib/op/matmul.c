/* matmul: the product of two matrices, each perhaps transposed, by kernels of our own or, if it is large and the processor's
   vectors are short, by BLIS, single-threaded on the rows or columns of a part: cutting there changes no element's arithmetic
   (BLIS: its small-matrix path is off).
   gram: a matrix times its own transpose, by our own kernels: what is above the diagonal, and that mirrored. */
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
    const int64_t most = t->shape.dim[hg_matmul_cuts_rows(t) ? 0 : 1] / HG_CUT_LEAST;
    const int64_t bytes = hg_elements(t) * (int64_t)hg_dtype_size(t->dtype);
    const int64_t each = hg_matmul_shares(t) ? hg_pieces(bytes, (int64_t)HG_RESULT_BYTES * threads) : 1;
    return (int)(most < 1 ? 1 : hg_smaller(most, each * threads));
}

static int gram_parts(const hg_tensor *t, int threads)
{
    const int64_t most = t->shape.dim[0] / HG_CUT_LEAST;
    return (int)(most < 1 ? 1 : hg_smaller(most, threads));
}

static hg_ranges matmul_ranges(const hg_tensor *t, int part, int parts)
{
    const hg_cut cut = hg_matmul_cut(t, part, parts);
    const int64_t *dim = t->shape.dim;
    return cut.rows ? hg_one_range(cut.from * dim[1], cut.to * dim[1])
                    : hg_columns_of(0, dim[0], dim[1], cut.from, cut.to);
}

static double matmul_flops(const hg_tensor *t) { return 2.0 * (double)hg_elements(t) * (double)hg_matmul_inner(t); }

static size_t matmul_workspace(const hg_tensor *t)
{
    const hg_matmul_room room = hg_matmul_room_of(t);
    const int64_t plain = (room.left + room.right) * (int64_t)hg_dtype_size(t->dtype);
    const hg_tiling tiling = hg_matmul_tiling(t);
    const int64_t tiled = hg_matmul_is_tiled(t) ? hg_tiled_bytes(&tiling) : 0;
    return HG_WORKSPACE_HEAD + (size_t)hg_larger(plain, tiled);
}

const hg_op hg_matmul_op = { .name = "matmul", .min_inputs = 2, .max_inputs = 2,
                             .attr_size = sizeof(hg_matmul_attr), .infer = matmul_infer, .vjp = matmul_vjp,
                             .parts = matmul_parts, .ranges = matmul_ranges, .workspace = matmul_workspace,
                             .flops = matmul_flops,
                             .prepare = hg_blas_prepare, HG_VARIANTS_AMX(matmul) };

/* ---- A matrix times its own transpose: one input, and the attributes of the product that it stands for ------- */

static bool gram_infer(hg_tensor *t)
{
    const hg_matmul_attr *attr = t->attr;
    const hg_tensor *a = t->input[0];
    if (a->dtype == HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the input must be real");
    const int64_t m = a->shape.dim[attr->transpose_a];
    return hg_set_result(t, a->dtype, HG_SHAPE(m, m));
}

/* C = A At: dA = (g + gt) A. */
static void gram_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    const hg_matmul_attr *attr = t->attr;
    hg_tensor *both = hg_add(g, hg_transpose(g));
    (void)wanted;
    d[0] = attr->transpose_a ? hg_matmul(t->input[0], both) : hg_matmul(both, t->input[0]);
}

static double gram_flops(const hg_tensor *t)
{
    const double m = (double)t->shape.dim[0];
    return m * (m + 1) * (double)hg_matmul_inner(t);
}

const hg_op hg_gram_op = { .name = "gram", .min_inputs = 1, .max_inputs = 1, .attr_size = sizeof(hg_matmul_attr),
                           .infer = gram_infer, .vjp = gram_vjp, .parts = gram_parts, .workspace = matmul_workspace,
                           .flops = gram_flops, HG_VARIANTS_AMX(gram) };

/* ---- The function -------------------------------------------------------------------------------------------- */

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
    if (input[0] == input[1] && attr.transpose_a != attr.transpose_b)
        return hg_apply(&hg_gram_op, 1, input, &attr);
    return hg_apply(&hg_matmul_op, 2, input, &attr);
}

hg_tensor *hg_matmul_factor(const hg_tensor *t, int index)
{
    if (t == NULL || (t->op != &hg_matmul_op && t->op != &hg_gram_op))
        return NULL;
    const hg_matmul_attr *attr = t->attr;
    return oriented(t->input[t->op == &hg_gram_op ? 0 : index], index == 0 ? attr->transpose_a : attr->transpose_b);
}
#else
#include "product_tiles.h"

/* ---- A matrix times a vector ------------------------------------------------------------------------------- */

/* Rows of a, which are contiguous, LANES at once. */
static void dot_rows(const product *p)
{
    const int64_t rest = p->k % LANES;
    const some_lanes some = first_lanes(rest);
    for (int64_t i = 0; i < p->rows; i += LANES) {
        const int rows = (int)hg_smaller(p->rows - i, LANES);
        vec sum[LANES];
        HG_UNROLL for (int o = 0; o < LANES; o++)
            sum[o] = (vec){ 0 };
        const real *a = p->a + i * p->a_row, *b = p->b;
        for (int64_t k = p->k / LANES; k > 0; k--, a += LANES, b += LANES) {
            const vec in = load(b);
            HG_UNROLL for (int o = 0; o < LANES; o++)
                sum[o] += load(a + (o < rows ? o : 0) * p->a_row) * in;
        }
        if (rest > 0) {
            const vec in = load_some(b, some);
            HG_UNROLL for (int o = 0; o < LANES; o++)
                sum[o] += load_some(a + (o < rows ? o : 0) * p->a_row, some) * in;
        }
        store_some(p->c + i, sums_of_lanes(sum), first_lanes(rows));
    }
}

/* Columns of a, which are contiguous: the transpose times b, with c for a row. */
static void combine_columns(const product *p)
{
    const product turned = { .rows = 1, .columns = p->rows, .k = p->k, .a = p->b, .a_column = p->b_row, .b = p->a,
                             .b_row = p->a_column, .b_column = 1, .c = p->c, .wanted = 1, .packed_b = p->packed_b };
    product_of_matrices(&turned);
}

/* `of_vector`: b is one column, whose elements are next to each other. */
static void own_product(const product *p, bool of_vector)
{
    if (!of_vector)
        product_of_matrices(p);
    else if (p->a_column == 1)
        dot_rows(p);
    else
        combine_columns(p);
}

/* Ours keep up with vectors of 32 bytes and more; below that, where the left factor stays in the second-level cache. The
   same for all parts. */
static bool is_own(const hg_tensor *t)
{
    enum { FEW_COLUMNS = 32, SMALL_BYTES = 1 << 18 };
    return HG_VECTOR_BYTES >= 32 || t->shape.dim[1] <= FEW_COLUMNS ||
           hg_elements(t->input[0]) * (int64_t)sizeof(real) <= SMALL_BYTES;
}

#if !HG_HAS_TILES
static void tiled_product(const product *p, const hg_tensor *t) { (void)p, (void)t; }
#endif

/* ---- The ops --------------------------------------------------------------------------------------------- */

static void matmul(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_matmul_attr *attr = t->attr;
    const int64_t n = t->shape.dim[1], a_columns = t->input[0]->shape.dim[1], b_columns = t->input[1]->shape.dim[1];
    const hg_cut cut = hg_matmul_cut(t, part, parts);
    const hg_matmul_room room = hg_matmul_room_of(t);
    product p = { .rows = cut.rows ? cut.to - cut.from : t->shape.dim[0], .columns = cut.rows ? n : cut.to - cut.from,
                  .k = hg_matmul_inner(t), .c_row = n,
                  .a_row = attr->transpose_a ? 1 : a_columns, .a_column = attr->transpose_a ? a_columns : 1,
                  .b_row = attr->transpose_b ? 1 : b_columns, .b_column = attr->transpose_b ? b_columns : 1 };
    p.a = (const real *)in[0] + (cut.rows ? cut.from * p.a_row : 0);
    p.b = (const real *)in[1] + (cut.rows ? 0 : cut.from * p.b_column);
    p.c = (real *)y + (cut.rows ? cut.from * n : cut.from);
    p.wanted = p.rows;
    p.packed_a = (real *)((char *)scratch + HG_WORKSPACE_HEAD);
    p.packed_b = p.packed_a + room.left;
    if (hg_matmul_shares(t))
        p.whole_b = scratch;
    if (p.rows <= 0 || p.columns <= 0)
        return;
    if (hg_matmul_is_tiled(t))
        tiled_product(&p, t);
    else if (is_own(t))
        own_product(&p, n == 1);
    else
        HG_BLAS_PRODUCT(p.rows, p.columns, p.k, p.a, p.a_row, p.a_column, p.b, p.b_row, p.b_column, p.c, p.c_row);
}

const hg_kernels OP(matmul) = { .run = matmul };

/* Rows are cut so that parts have as much as each other above the diagonal. */
static int64_t gram_cut_at(int64_t m, int part, int parts)
{
    const double share = 1 - sqrt(1 - (double)part / parts);
    return part == parts ? m : (int64_t)((double)m * share) / HG_CUT_UNIT * HG_CUT_UNIT;
}

/* LANES columns of c, or as many as there are, become rows; `middle`: on the diagonal, of which only what is above is there. */
static void mirror_square(const real *c, int64_t c_row, int64_t rows, int64_t columns, bool middle, real *to)
{
    const some_lanes some = first_lanes(columns);
    vec v[LANES];
    for (int l = 0; l < LANES; l++)
        v[l] = l < rows ? load_some(c + l * c_row, some) : (vec){ 0 };
    transpose(v);
    for (int l = 0; l < columns; l++)
        store_some(to + l * c_row, v[l], first_lanes(middle ? hg_smaller(l, rows) : rows));
}

static void mirror(const product *p)
{
    for (int64_t i = 0; i < p->rows; i += LANES)
        for (int64_t j = i; j < p->columns; j += LANES)
            mirror_square(p->c + i * p->c_row + j, p->c_row, hg_smaller(p->rows - i, LANES),
                          hg_smaller(p->columns - j, LANES), i == j, p->c + j * p->c_row + i);
}

/* A part's rows begin at the diagonal; mirrored, they are columns that no other part writes. */
static void gram(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts)
{
    const hg_matmul_attr *attr = t->attr;
    const int64_t m = t->shape.dim[0], columns = t->input[0]->shape.dim[1], from = gram_cut_at(m, part, parts);
    const hg_matmul_room room = hg_matmul_room_of(t);
    product p = { .rows = gram_cut_at(m, part + 1, parts) - from, .columns = m - from, .k = hg_matmul_inner(t),
                  .a_row = attr->transpose_a ? 1 : columns, .a_column = attr->transpose_a ? columns : 1, .c_row = m,
                  .wanted = 1 };
    p.b_row = p.a_column;
    p.b_column = p.a_row;
    p.a = p.b = (const real *)in[0] + from * p.a_row;
    p.c = (real *)y + from * (m + 1);
    p.packed_a = (real *)((char *)scratch + HG_WORKSPACE_HEAD);
    p.packed_b = p.packed_a + room.left;
    if (p.rows <= 0)
        return;
    if (hg_matmul_is_tiled(t))
        tiled_product(&p, t);
    else
        own_product(&p, m == 1);
    mirror(&p);
}

const hg_kernels OP(gram) = { .run = gram };
#endif
