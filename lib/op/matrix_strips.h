/* How large strips are, of which matrix_tiles.h makes products: what hosts need to know. */
#ifndef HG_OP_MATRIX_STRIPS_H
#define HG_OP_MATRIX_STRIPS_H

#include <stdint.h>

#include "../tensor.h"
#include "move.h"

/* So many rows or columns, in blocks of so many steps of k, of three parts of two bytes. */
enum { HG_STRIP = 32, HG_STRIP_STEPS = 32, HG_BLOCK_BYTES = 3 * 2 * HG_STRIP * HG_STRIP_STEPS };

static inline int64_t hg_strip_bytes(int64_t k) { return hg_pieces(k, HG_STRIP_STEPS) * (int64_t)HG_BLOCK_BYTES; }
static inline int64_t hg_strips_bytes(int64_t n, int64_t k) { return hg_pieces(n, HG_STRIP) * hg_strip_bytes(k); }

/* Whether a tensor's kernels may want memory for strips. */
static inline bool hg_has_strips(const hg_tensor *t) { return t->dtype == HG_F32 && t->isa == HG_ISA_AMX; }

#endif
