/* What the halves of matmul.c share, and the face of the file that alone sees BLIS. */
#ifndef HG_OP_MATMUL_H
#define HG_OP_MATMUL_H

#include <hourglass/op.h>

#include "../tensor.h"
#include "matrix_strips.h"
#include "move.h"

typedef struct hg_matmul_attr {
    bool transpose_a, transpose_b; /* the input is stored transposed */
} hg_matmul_attr;

/* The columns of the left factor. */
static inline int64_t hg_matmul_inner(const hg_tensor *t)
{
    const hg_matmul_attr *attr = t->attr;
    return t->input[0]->shape.dim[!attr->transpose_a];
}

/* Rows [from, to) or columns [from, to) of the product. */
typedef struct hg_cut {
    bool    rows;
    int64_t from, to;
} hg_cut;

/* Own products go through b in slices of so many rows and columns, which stay in the second-level cache, packed in panels;
   and through a in blocks of so many tiles, of so many rows at most. */
enum { HG_PRODUCT_DEPTH = 256, HG_PRODUCT_COLUMNS = 1024, HG_PRODUCT_TILES = 8, HG_TILE_MOST = 14 };
enum { HG_PANEL_MOST = 32 }; /* a panel's columns */

/* Where b fits into the second-level cache, beside a part's rows of the product and what is done with them, each thread packs it
   once for all of its parts, which are small. */
enum { HG_SHARED_BYTES = 5 << 18, HG_RESULT_BYTES = 1 << 18 };

static inline int64_t hg_in_panels(int64_t columns) { return hg_pieces(columns, HG_PANEL_MOST) * HG_PANEL_MOST; }

static inline bool hg_matmul_shares(const hg_tensor *t)
{
    enum { ENOUGH_ROWS = 64 };
    const int64_t elements = hg_matmul_inner(t) * hg_in_panels(t->shape.dim[1]);
    return t->shape.dim[0] >= ENOUGH_ROWS && elements * (int64_t)hg_dtype_size(t->dtype) <= HG_SHARED_BYTES;
}

/* Parts begin at a multiple of the first, so that the microkernel's tiles stay nearly full, and have at least the second. */
enum { HG_CUT_UNIT = 8, HG_CUT_LEAST = 16 };

static inline bool hg_matmul_cuts_rows(const hg_tensor *t)
{
    return hg_matmul_shares(t) || t->shape.dim[0] >= t->shape.dim[1] / 2;
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

/* A thread's workspace, in elements after the head, which tells whether b is packed: a block of a, then b:
   all of it where several parts use it, else a slice. */
typedef struct hg_matmul_room {
    int64_t left, right;
} hg_matmul_room;

static inline hg_matmul_room hg_matmul_room_of(const hg_tensor *t)
{
    const int64_t k = hg_matmul_inner(t), depth = hg_smaller(k, HG_PRODUCT_DEPTH);
    const int64_t rows = hg_smaller(t->shape.dim[0], HG_PRODUCT_TILES * HG_TILE_MOST);
    const int64_t columns = hg_in_panels(t->shape.dim[1]), most = hg_smaller(columns, HG_PRODUCT_COLUMNS);
    return (hg_matmul_room){ depth * rows, hg_matmul_shares(t) ? k * columns : depth * most };
}

/* Whether it goes by matrix tiles. Splitting takes as long as multiplying by vectors does where each element is used in few
   sums. The same for all parts. */
static inline bool hg_matmul_is_tiled(const hg_tensor *t)
{
    enum { ENOUGH = 40 };
    const int64_t rows = t->shape.dim[0], columns = t->shape.dim[1];
    return hg_has_strips(t) && rows * columns >= ENOUGH * (rows + columns) && hg_matmul_inner(t) > HG_STRIP / 2;
}

/* On matrix tiles, of the factor that is kept so many rows or columns are at a time, and so many steps of k. */
typedef struct hg_tiling {
    bool    keeps_right;
    int64_t most, depth;
    int64_t whole; /* all of k, where all slices of the factor are kept; else 0 */
} hg_tiling;

/* So many blocks are summed by themselves at most. */
enum { HG_CHAIN_BLOCKS = 8 };

static inline hg_tiling hg_matmul_tiling(const hg_tensor *t)
{
    enum { KEPT_MOST = 512, KEPT_BYTES = 3 << 18 };
    const int64_t *dim = t->shape.dim, k = hg_matmul_inner(t);
    const bool shares = hg_matmul_shares(t), keeps_right = shares || dim[1] <= dim[0];
    const int64_t most = hg_larger(1, shares ? dim[1] : hg_smaller(dim[keeps_right], KEPT_MOST));
    const int64_t chains = hg_larger(1, KEPT_BYTES / (hg_strips_bytes(most, 1) * HG_CHAIN_BLOCKS));
    return (hg_tiling){ keeps_right, most, hg_smaller(k, chains * HG_CHAIN_BLOCKS * HG_STRIP_STEPS), shares ? k : 0 };
}

static inline int64_t hg_tiled_bytes(const hg_tiling *t)
{
    return 2 * hg_strip_bytes(t->depth) + hg_strips_bytes(t->most, hg_larger(t->depth, t->whole));
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
