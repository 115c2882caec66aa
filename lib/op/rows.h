/* Ops on images that compute the rows of their result one by one: how these are cut. */
#ifndef HG_OP_ROWS_H
#define HG_OP_ROWS_H

#include "move.h"

/* A row: all columns and samples of one channel and height. */
static inline int64_t hg_rows(const hg_tensor *t) { return t->shape.dim[0] * t->shape.dim[1]; }
static inline int64_t hg_row_elements(const hg_tensor *t) { return t->shape.dim[2] * t->shape.dim[3]; }

#ifndef HG_KERNELS

/* Enough for the threads, and so many that elementwise ops find a part in the cache. */
static inline int hg_row_parts(const hg_tensor *t, int threads)
{
    enum { PART = 1 << 14, MOST = 256 };
    int64_t parts = hg_elements(t) / PART;
    parts = parts < threads && hg_elements(t) >= HG_PARALLEL_FROM ? threads : parts;
    parts = hg_smaller(hg_smaller(parts, MOST), hg_rows(t));
    return parts < 1 ? 1 : (int)parts;
}

static inline hg_ranges hg_row_ranges(const hg_tensor *t, int part, int parts)
{
    return hg_one_range(hg_part_begin(hg_rows(t), part, parts) * hg_row_elements(t),
                        hg_part_begin(hg_rows(t), part + 1, parts) * hg_row_elements(t));
}

#endif
#endif
