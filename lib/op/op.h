/* What the host halves of the op files share. */
#ifndef HG_OP_OP_H
#define HG_OP_OP_H

#include "config.h"

#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

#include "../tensor.h"

/* One hg_op per line of ops.def. */
#define HG_OP(name)         extern const hg_op hg_##name##_op;
#define HG_OP_VIRTUAL(name) extern const hg_op hg_##name##_op;
#include "ops.def"
#undef HG_OP
#undef HG_OP_VIRTUAL

/* The kernels of each, one object per dtype and instruction set. */
#ifdef HG_HAVE_X86_64_LEVELS
#define HG_ISAS 4
#define HG_OP(name)                                                                         \
    extern const hg_kernels hg_##name##_f32_base, hg_##name##_f64_base, hg_##name##_f32_v3, \
                            hg_##name##_f64_v3, hg_##name##_f32_v4, hg_##name##_f64_v4,     \
                            hg_##name##_f32_amx;
#define HG_VARIANTS_OF(name, f32_amx)                                                       \
    .variants = (const hg_kernels *const[HG_ISAS][HG_REALS]){                               \
        { &hg_##name##_f32_base, &hg_##name##_f64_base },                                   \
        { &hg_##name##_f32_v3, &hg_##name##_f64_v3 },                                       \
        { &hg_##name##_f32_v4, &hg_##name##_f64_v4 },                                       \
        { &hg_##name##_##f32_amx, &hg_##name##_f64_v4 },                                    \
    }
#define HG_VARIANTS(name) HG_VARIANTS_OF(name, f32_v4)
/* Of an op in Makefile.am's list of those with kernels for matrix tiles. */
#ifdef HG_HAVE_AMX
#define HG_VARIANTS_AMX(name) HG_VARIANTS_OF(name, f32_amx)
#else
#define HG_VARIANTS_AMX(name) HG_VARIANTS(name)
#endif
#else
#define HG_ISAS 1
#define HG_OP(name) extern const hg_kernels hg_##name##_f32_base, hg_##name##_f64_base;
#define HG_VARIANTS(name)                                                                \
    .variants = (const hg_kernels *const[HG_ISAS][HG_REALS]){                            \
        { &hg_##name##_f32_base, &hg_##name##_f64_base },                                \
    }
#define HG_VARIANTS_AMX(name) HG_VARIANTS(name)
#endif
#define HG_OP_VIRTUAL(name)
#include "ops.def"
#undef HG_OP
#undef HG_OP_VIRTUAL

/* All ops, NULL at the end. */
extern const hg_op *const hg_ops[];

/* The kernels of a bound tensor on an instruction set that the processor has. */
const hg_kernels *hg_tensor_kernels(const hg_tensor *t, hg_isa isa);

/* An op of one real input and no attributes. */
hg_tensor *hg_apply1(const hg_op *op, hg_tensor *x);
/* An elementwise op of two, one of which may be a scalar. */
hg_tensor *hg_apply_pair(const hg_op *op, hg_tensor *a, hg_tensor *b);
/* hg_expand over every axis. */
hg_tensor *hg_expand_scalar(hg_tensor *x, const hg_tensor *like);
/* Whether t is a permute that transposes a matrix, its input. */
bool hg_is_transpose(const hg_tensor *t);
/* Ranges: elements [begin, end). */
static inline hg_ranges hg_one_range(int64_t begin, int64_t end)
{
    return (hg_ranges){ .begin = begin, .length = end - begin, .stride = end - begin, .count = 1 };
}

/* Columns [begin, end) of some rows of `width`. */
static inline hg_ranges hg_columns_of(int64_t first_row, int64_t rows, int64_t width, int64_t begin, int64_t end)
{
    if (begin == 0 && end == width)
        return hg_one_range(first_row * width, (first_row + rows) * width);
    return (hg_ranges){ .begin = first_row * width + begin, .length = end - begin, .stride = width, .count = rows };
}

/* Zeros of a shape, as an expanded scalar. */
hg_tensor *hg_filled_like(const hg_tensor *like, double value);

#endif
