/* What the files that move elements share. */
#ifndef HG_OP_MOVE_H
#define HG_OP_MOVE_H

#include <hourglass/op.h>

/* Where part `part` of n things begins. */
static inline int64_t hg_part_begin(int64_t n, int part, int parts)
{
    return n / parts * part + n % parts * part / parts;
}

/* n things in pieces of at most `most`: how many pieces. hg_part_begin cuts them nearly evenly. */
static inline int hg_pieces(int64_t n, int64_t most) { return (int)((n + most - 1) / most); }
/* The largest of them. */
static inline int64_t hg_largest_piece(int64_t n, int64_t most) { return hg_pieces(n, hg_pieces(n, most)); }

static inline int64_t hg_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t hg_larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Bytes at the start of a workspace: the number that is 0 at first, and room to the end of its cache line. */
enum { HG_WORKSPACE_HEAD = 64 };

#ifndef HG_KERNELS

enum { HG_PARALLEL_FROM = 1 << 14 }; /* elements; to move fewer takes less time than to wake a thread */

/* Of an expand: the axes that are new. */
unsigned hg_expand_axes(const hg_tensor *t);

static inline int hg_move_parts(const hg_tensor *t, int threads)
{
    return hg_elements(t) + hg_elements(hg_tensor_input(t, 0)) < HG_PARALLEL_FROM ? 1 : threads;
}

#else

static inline void hg_copy(real *y, const real *x, int64_t n) { memcpy(y, x, (size_t)n * sizeof *y); }

static inline void hg_fill(real *y, real value, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = value;
}

/* For what lies a block further on, where memory is gone through in order: a block is a page, where the processor's own
   prefetching ends. */
static inline void hg_ask_ahead(const real *p, int64_t n)
{
    enum { LINE = 64 / sizeof(real) };
    for (int64_t i = 0; i < n; i += LINE)
        __builtin_prefetch(p + i + HG_BLOCK);
}

static inline void hg_copy_ahead(real *y, const real *x, int64_t n)
{
    hg_ask_ahead(y, n);
    hg_copy(y, x, n);
}

static inline void hg_fill_ahead(real *y, real value, int64_t n)
{
    hg_ask_ahead(y, n);
    hg_fill(y, value, n);
}

#endif
#endif
