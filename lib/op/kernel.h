/* What the kernel halves of the op files share: they are compiled once per dtype (HG_REAL_BITS) and instruction set
   (HG_ISA). Bodies say `real` for the element type and OP(name) for the object that ops.def expects. */
#ifndef HG_OP_KERNEL_H
#define HG_OP_KERNEL_H

#include "config.h"

#include <hourglass/op.h>

#include <math.h>
#include <string.h>

#include "../tensor.h"

#define HG_PASTE_(a, b, c, d) a##b##c##d
#define HG_PASTE(a, b, c, d)  HG_PASTE_(a, b, c, d)

#if HG_REAL_BITS == 32
typedef float    real;
typedef int32_t  integer; /* of real's size */
#define R(x)     x##f /* a literal or libm's name in this dtype */
#define OP(name) HG_PASTE(hg_, name, _f32_, HG_ISA)
#else
typedef double   real;
typedef int64_t  integer;
#define R(x)     x
#define OP(name) HG_PASTE(hg_, name, _f64_, HG_ISA)
#endif

#endif
