/* The table of all ops, and the choice of kernels. */

#include "op.h"

const hg_op *const hg_ops[] = {
#define HG_OP(name)         &hg_##name##_op,
#define HG_OP_VIRTUAL(name) &hg_##name##_op,
#include "ops.def"
    NULL,
};

static hg_dtype kernel_dtype(const hg_tensor *t)
{
    for (int i = 0; i < t->inputs && t->dtype == HG_I64; i++)
        if (t->input[i]->dtype != HG_I64)
            return t->input[i]->dtype;
    return t->dtype == HG_I64 ? HG_F64 : t->dtype;
}

const hg_kernels *hg_tensor_kernels(const hg_tensor *t, hg_isa isa)
{
    hg_dtype dtype = kernel_dtype(t);
    return t->op->variants != NULL ? t->op->variants[isa - HG_ISA_BASE][dtype] : &t->op->kernels[dtype];
}

hg_tensor *hg_apply1(const hg_op *op, hg_tensor *x) { return hg_apply(op, 1, &x, NULL); }

hg_tensor *hg_expand_scalar(hg_tensor *x, const hg_tensor *like)
{
    return like == NULL ? NULL : hg_expand_like(x, like, HG_ALL_AXES);
}

hg_tensor *hg_filled_like(const hg_tensor *like, double value)
{
    return like == NULL ? NULL : hg_expand_scalar(hg_scalar(like->graph, value), like);
}

hg_tensor *hg_apply_pair(const hg_op *op, hg_tensor *a, hg_tensor *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a->shape.rank == 0 && b->shape.rank > 0)
        a = hg_expand_scalar(a, b);
    else if (b->shape.rank == 0 && a->shape.rank > 0)
        b = hg_expand_scalar(b, a);
    return hg_apply(op, 2, (hg_tensor *[]){ a, b }, NULL);
}
