/* Hourglass: autoencoders on a small reverse-mode automatic-differentiation tensor library. The whole public API. */
#ifndef HOURGLASS_H
#define HOURGLASS_H

#ifdef __cplusplus
extern "C" {
#endif

#include <hourglass/status.h>
#include <hourglass/tensor.h>
#include <hourglass/math.h>
#include <hourglass/conv.h>
#include <hourglass/op.h>
#include <hourglass/grad.h>
#include <hourglass/plan.h>
#include <hourglass/data.h>
#include <hourglass/io.h>
#include <hourglass/pca.h>
#include <hourglass/layer.h>
#include <hourglass/optimizer.h>
#include <hourglass/model.h>
#include <hourglass/check.h>
#include <hourglass/schedule.h>
#include <hourglass/train.h>
#include <hourglass/diagnose.h>
#include <hourglass/linear.h>
#include <hourglass/psd.h>
#include <hourglass/stack.h>
#include <hourglass/version.h>

#ifdef __cplusplus
}
#endif

#endif
