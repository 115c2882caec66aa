/* What the host halves of the elementwise op files share. */
#ifndef HG_OP_MAP_H
#define HG_OP_MAP_H

#include <hourglass/op.h>

/* An elementwise op of one input whose attribute is one double, finite in the graph's dtype. */
bool       hg_infer_number(hg_tensor *t);
hg_tensor *hg_apply_number(const hg_op *op, hg_tensor *x, double number);

#endif
