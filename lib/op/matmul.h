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

/* A part is a whole number of these rows or columns, so that the microkernel's tiles stay full. */
enum { HG_CUT_UNIT = 48 };

static inline bool hg_matmul_cuts_rows(const hg_tensor *t) { return t->shape.dim[0] >= t->shape.dim[1] / 2; }

static inline int64_t hg_matmul_cut_units(const hg_tensor *t)
{
    int64_t length = t->shape.dim[hg_matmul_cuts_rows(t) ? 0 : 1];
    return (length + HG_CUT_UNIT / 2) / HG_CUT_UNIT;
}

static inline hg_cut hg_matmul_cut(const hg_tensor *t, int part, int parts)
{
    bool rows = parts == 1 || hg_matmul_cuts_rows(t);
    int64_t length = t->shape.dim[rows ? 0 : 1], units = hg_matmul_cut_units(t);
    hg_cut cut = { rows, units * part / parts * HG_CUT_UNIT, units * (part + 1) / parts * HG_CUT_UNIT };
    if (part == parts - 1)
        cut.to = length;
    return cut;
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

/* Makes BLIS allocate what the calling thread will need. */
void hg_blas_prepare(void);

#endif
