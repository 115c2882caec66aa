/* What the halves of matmul.c share, and the face of the file that alone sees BLIS. */
#ifndef HG_OP_MATMUL_H
#define HG_OP_MATMUL_H

#include <hourglass/op.h>

#include "../tensor.h"

typedef struct hg_matmul_attr {
    bool transpose_a, transpose_b; /* the input is stored transposed */
} hg_matmul_attr;

/* Rows [from, to) or columns [from, to) of the product. */
typedef struct hg_cut {
    bool    rows;
    int64_t from, to;
} hg_cut;

/* Parts begin at a multiple of the first, so that the microkernel's tiles stay nearly full, and have at least the second. */
enum { HG_CUT_UNIT = 8, HG_CUT_LEAST = 16 };

static inline bool hg_matmul_cuts_rows(const hg_tensor *t) { return t->shape.dim[0] >= t->shape.dim[1] / 2; }

static inline int64_t hg_matmul_most_parts(const hg_tensor *t)
{
    int64_t most = t->shape.dim[hg_matmul_cuts_rows(t) ? 0 : 1] / HG_CUT_LEAST;
    return most < 1 ? 1 : most;
}

static inline int64_t hg_matmul_cut_at(int64_t length, int part, int parts)
{
    return part == parts ? length : length * part / parts / HG_CUT_UNIT * HG_CUT_UNIT;
}

static inline hg_cut hg_matmul_cut(const hg_tensor *t, int part, int parts)
{
    bool rows = parts == 1 || hg_matmul_cuts_rows(t);
    int64_t length = t->shape.dim[rows ? 0 : 1];
    return (hg_cut){ rows, hg_matmul_cut_at(length, part, parts), hg_matmul_cut_at(length, part + 1, parts) };
}

/* Own kernels go through all of a for every panel of c's columns and pack nothing that is contiguous; BLIS keeps the
   products with many columns and a large a. */
enum { HG_PANEL_DEPTH = 192, HG_PANEL_VECTORS = 2, HG_VECTOR_MOST = 64 };
enum { HG_PANEL_BYTES = HG_PANEL_DEPTH * HG_PANEL_VECTORS * HG_VECTOR_MOST }; /* in the first-level cache */

static inline bool hg_matmul_is_own(const hg_tensor *t)
{
    static const struct {
        int64_t columns, a_bytes;
    } most[] = { { 32, INT64_MAX }, { 256, 4 << 20 }, { INT64_MAX, 1 << 18 } };
    const int64_t a_bytes = hg_elements(t->input[0]) * (int64_t)hg_dtype_size(t->dtype);
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        if (t->shape.dim[1] <= most[i].columns && a_bytes <= most[i].a_bytes)
            return true;
    return false;
}

/* c (rows x columns, c_row apart) = a b, on the calling thread alone. */
void hg_blas_product_f32(int64_t rows, int64_t columns, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                         const float *b, int64_t b_row, int64_t b_column, float *c, int64_t c_row);
void hg_blas_product_f64(int64_t rows, int64_t columns, int64_t k, const double *a, int64_t a_row, int64_t a_column,
                         const double *b, int64_t b_row, int64_t b_column, double *c, int64_t c_row);
#if HG_REAL_BITS == 32
#define HG_BLAS_PRODUCT hg_blas_product_f32
#else
#define HG_BLAS_PRODUCT hg_blas_product_f64
#endif

/* Makes BLIS allocate what the calling thread will need, and so many threads that multiply at the same time. */
void hg_blas_prepare(int threads);

#endif
