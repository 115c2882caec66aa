/* From integers (labels, steps) to real numbers. */
#ifndef HG_KERNELS
#include "op.h"

static bool is_integer(hg_tensor *t)
{
    return t->input[0]->dtype == HG_I64 || hg_infer_fail(t, HG_BAD_DTYPE, "the input must be i64, not %s",
                                                         hg_dtype_name(t->input[0]->dtype));
}

static bool to_real_infer(hg_tensor *t)
{
    return is_integer(t) && hg_set_result(t, t->graph->dtype, t->input[0]->shape);
}

const hg_op hg_to_real_op = { .name = "to_real", .min_inputs = 1, .max_inputs = 1, .flags = HG_INDEXED | HG_NO_VJP,
                              .infer = to_real_infer, HG_VARIANTS(to_real) };

hg_tensor *hg_to_real(hg_tensor *x) { return hg_apply1(&hg_to_real_op, x); }

static bool one_hot_infer(hg_tensor *t)
{
    const int64_t classes = *(const int64_t *)t->attr;
    hg_shape shape = t->input[0]->shape;
    if (!is_integer(t))
        return false;
    if (shape.rank < 1 || shape.dim[0] != 1)
        return hg_infer_fail(t, HG_BAD_SHAPE, "labels must have length 1 along axis 0, which the classes take");
    if (classes < 1)
        return hg_infer_fail(t, HG_BAD_ARGUMENT, "the number of classes must be positive, not %lld",
                             (long long)classes);
    shape.dim[0] = classes;
    return hg_set_result(t, t->graph->dtype, shape);
}

const hg_op hg_one_hot_op = { .name = "one_hot", .min_inputs = 1, .max_inputs = 1, .flags = HG_INDEXED | HG_NO_VJP,
                              .attr_size = sizeof(int64_t), .infer = one_hot_infer, HG_VARIANTS(one_hot) };

hg_tensor *hg_one_hot(hg_tensor *labels, int64_t classes) { return hg_apply(&hg_one_hot_op, 1, &labels, &classes); }

#else

#include "kernel.h"

static void to_real_elements(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[])
{
    const int64_t *x = (const int64_t *)in[0] + begin;
    real *y = to;
    (void)t;
    for (int64_t i = 0; i < n; i++)
        y[i] = (real)x[i];
}
const hg_kernels OP(to_real) = { .elements = to_real_elements };

static void one_hot_elements(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[])
{
    const int64_t *label = in[0];
    const int64_t labels = hg_elements(hg_tensor_input(t, 0));
    real *y = to;
    for (int64_t i = 0, length; i < n; i += length) {
        const int64_t class = (begin + i) / labels, first = (begin + i) % labels;
        length = labels - first < n - i ? labels - first : n - i;
        for (int64_t j = 0; j < length; j++)
            y[i + j] = label[first + j] == class ? 1 : 0;
    }
}
const hg_kernels OP(one_hot) = { .elements = one_hot_elements };

#endif
