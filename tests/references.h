/* What ops must give, in plain loops over double, apart from all kernels. a: the row's numbers. */
#ifndef HG_TESTS_REFERENCES_H
#define HG_TESTS_REFERENCES_H

#include "harness.h"

/* Of one element. */
#define HG_REFERENCE(name) double ref_##name(const double x[], const double a[]);
HG_REFERENCE(add) HG_REFERENCE(sub) HG_REFERENCE(mul) HG_REFERENCE(div) HG_REFERENCE(neg) HG_REFERENCE(scale)
HG_REFERENCE(shift) HG_REFERENCE(pow) HG_REFERENCE(square) HG_REFERENCE(sqrt) HG_REFERENCE(exp) HG_REFERENCE(log)
HG_REFERENCE(abs) HG_REFERENCE(sign) HG_REFERENCE(sigmoid) HG_REFERENCE(tanh) HG_REFERENCE(relu)
HG_REFERENCE(leaky_relu) HG_REFERENCE(elu) HG_REFERENCE(softplus) HG_REFERENCE(gelu) HG_REFERENCE(erf)
HG_REFERENCE(minimum) HG_REFERENCE(maximum) HG_REFERENCE(clamp) HG_REFERENCE(greater) HG_REFERENCE(select)
HG_REFERENCE(identity)
#undef HG_REFERENCE

/* Of a tensor; y comes as zeros of the right shape. */
#define HG_REFERENCE(name) void ref_##name(const array in[], const double a[], array *y);
HG_REFERENCE(sum) HG_REFERENCE(mean) HG_REFERENCE(variance) HG_REFERENCE(max) HG_REFERENCE(argmax) HG_REFERENCE(count)
HG_REFERENCE(expand) HG_REFERENCE(reshape) HG_REFERENCE(permute) HG_REFERENCE(slice) HG_REFERENCE(pad)
HG_REFERENCE(concat) HG_REFERENCE(gather) HG_REFERENCE(scatter) HG_REFERENCE(one_hot) HG_REFERENCE(matmul)
HG_REFERENCE(gram)
HG_REFERENCE(squared_error) HG_REFERENCE(cross_entropy) HG_REFERENCE(logit_cross_entropy)
HG_REFERENCE(softmax_cross_entropy) HG_REFERENCE(huber) HG_REFERENCE(log_softmax)
#undef HG_REFERENCE

#endif
