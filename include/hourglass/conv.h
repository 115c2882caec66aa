/* Convolution, pooling, upsampling and normalisation. Images are channels x height x width x samples, signals channels x
   length x samples; the samples may be HG_BATCH. Every function returns NULL on failure (hg_graph_error) and NULL given
   NULL. Options may be NULL; 0 in an option means the default. */
#ifndef HOURGLASS_CONV_H
#define HOURGLASS_CONV_H

#include <hourglass/tensor.h>

/* ---- Convolution ----------------------------------------------------------------------------------------- */

/* Of signals, `stride` and its like are used and those for two axes refused. */
typedef struct hg_conv_options {
    int64_t stride, stride_hw[2];     /* 1 by default; the pair { along the height, along the width } in place of both */
    int64_t pad, pad_hw[2];           /* zeros on either side, 0 by default */
    int64_t dilation, dilation_hw[2]; /* distance of the kernel's taps, 1 by default */
    int64_t groups;                   /* output channels see the input channels of their own group; 1 by default */
    int64_t size, size_hw[2];         /* hg_conv_transpose2d: of the result. The smallest possible by default */
    int64_t kernel, kernel_hw[2];     /* hg_conv2d_weight: of the result */
} hg_conv_options;

/* y[o,p,q,b] = sum over i, k, l of w[o,i,k,l] x[i, p stride - pad + k dilation, q stride - pad + l dilation, b]; places
   outside of x are 0. x: I x H x W x B, w: O x I/groups x K x L. Height: (H + 2 pad - dilation (K - 1) - 1) / stride + 1. */
HG_API hg_tensor *hg_conv2d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options);
/* The adjoint: x such that <y, hg_conv2d(., w)> = <x, .>. y: O x H x W x B, w: O x I/groups x K x L, the result
   I x H' x W' x B. Height: (H - 1) stride - 2 pad + dilation (K - 1) + 1, or up to stride - 1 more, by `size`. */
HG_API hg_tensor *hg_conv_transpose2d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options);
/* The derivative by w of <y, hg_conv2d(x, w)>, of the kernel size that the options give. */
HG_API hg_tensor *hg_conv2d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options);
/* The same for signals. x: I x L x B, w: O x I/groups x K. */
HG_API hg_tensor *hg_conv1d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options);
HG_API hg_tensor *hg_conv_transpose1d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options);
HG_API hg_tensor *hg_conv1d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options);

#endif
