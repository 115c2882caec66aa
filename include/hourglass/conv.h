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
    hg_tensor *bias;                  /* a vector, added to the result's channels; none by default */
} hg_conv_options;

/* y[o,p,q,b] = sum over i, k, l of w[o,i,k,l] x[i, p stride - pad + k dilation, q stride - pad + l dilation, b]; places
   outside of x are 0. x: I x H x W x B, w: O x I/groups x K x L. Height: (H + 2 pad - dilation (K - 1) - 1) / stride + 1.
   Where kernels are 3 x 3 and one place apart, 2 x 2 places of the result may be computed together (Winograd's minimal
   filtering): a NaN in what one of them sees is then in all four, and what is infinite, or nearly so, may become a NaN. */
HG_API hg_tensor *hg_conv2d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options);
/* The adjoint: x such that <y, hg_conv2d(., w)> = <x, .>. y: O x H x W x B, w: O x I/groups x K x L, the result
   I x H' x W' x B. Height: (H - 1) stride - 2 pad + dilation (K - 1) + 1, or up to stride - 1 more, by `size`. */
HG_API hg_tensor *hg_conv_transpose2d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options);
/* The derivative by w of <y, hg_conv2d(x, w)>, of the kernel size that the options give. Likewise, a NaN or an infinity in a
   channel of x or y may be, as a NaN, in all nine taps of its weights. */
HG_API hg_tensor *hg_conv2d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options);
/* The same for signals. x: I x L x B, w: O x I/groups x K. */
HG_API hg_tensor *hg_conv1d(hg_tensor *x, hg_tensor *w, const hg_conv_options *options);
HG_API hg_tensor *hg_conv_transpose1d(hg_tensor *y, hg_tensor *w, const hg_conv_options *options);
HG_API hg_tensor *hg_conv1d_weight(hg_tensor *x, hg_tensor *y, const hg_conv_options *options);

/* ---- Pools ----------------------------------------------------------------------------------------------- */

/* Windows of `size` every `stride` (by default they touch), over x with `pad` places around it that count as absent:
   less than the size. Height: (H + 2 pad - size) / stride + 1. */
typedef struct hg_pool_options {
    int64_t size, size_hw[2];
    int64_t stride, stride_hw[2];
    int64_t pad, pad_hw[2];
} hg_pool_options;

/* The largest of each window; NaN wins. Gradients go to the first of equals; those of overlapping windows add up. */
HG_API hg_tensor *hg_max_pool2d(hg_tensor *x, const hg_pool_options *options);
/* Where it lies, HG_I64: row W + column. Derivative 0. */
HG_API hg_tensor *hg_max_pool2d_switches(hg_tensor *x, const hg_pool_options *options);
/* An image of height x width that is y at the switches, added up where they meet, and 0 elsewhere. */
HG_API hg_tensor *hg_max_unpool2d(hg_tensor *y, hg_tensor *switches, int64_t height, int64_t width);
/* The mean of each window's places on x. */
HG_API hg_tensor *hg_avg_pool2d(hg_tensor *x, const hg_pool_options *options);
/* Over the whole image: C x H x W x B to C x 1 x 1 x B. */
HG_API hg_tensor *hg_global_max_pool2d(hg_tensor *x);
HG_API hg_tensor *hg_global_avg_pool2d(hg_tensor *x);
/* The same for signals. */
HG_API hg_tensor *hg_max_pool1d(hg_tensor *x, const hg_pool_options *options);
HG_API hg_tensor *hg_max_pool1d_switches(hg_tensor *x, const hg_pool_options *options);
HG_API hg_tensor *hg_max_unpool1d(hg_tensor *y, hg_tensor *switches, int64_t length);
HG_API hg_tensor *hg_avg_pool1d(hg_tensor *x, const hg_pool_options *options);

/* ---- Upsampling ------------------------------------------------------------------------------------------ */

typedef enum hg_upsampling {
    HG_NEAREST,  /* y[p] = x[floor(p H / H')] */
    HG_BILINEAR, /* between the two nearest centres, (p + 1/2) H / H' - 1/2, along either axis; constant at the border */
} hg_upsampling;

/* From H x W to H' x W', which is `factor` times as much, or `size`. */
typedef struct hg_upsample_options {
    hg_upsampling by;
    int64_t factor, factor_hw[2];
    int64_t size, size_hw[2];
} hg_upsample_options;

HG_API hg_tensor *hg_upsample2d(hg_tensor *x, const hg_upsample_options *options);
HG_API hg_tensor *hg_upsample1d(hg_tensor *x, const hg_upsample_options *options);

/* ---- Normalisation --------------------------------------------------------------------------------------- */

/* Mean and variance (divided by the count) over axes. Returns false on failure. */
HG_API bool hg_moments(hg_tensor *x, unsigned axes, hg_tensor **mean, hg_tensor **variance);
/* gain (x - mean) / sqrt(variance + epsilon) + bias: four vectors along axis 0. With the moments over all other axes this
   is training's batch normalisation, with running moments that of evaluation. gain and bias may be NULL: 1 and 0. */
HG_API hg_tensor *hg_batch_norm(hg_tensor *x, hg_tensor *gain, hg_tensor *bias, hg_tensor *mean, hg_tensor *variance,
                                double epsilon);
/* When run: state becomes (1 - momentum) state + momentum value. Returns the new value (hg_assign). */
HG_API hg_tensor *hg_running_mean(hg_tensor *state, hg_tensor *value, double momentum);
/* The same by each sample's own moments, over all axes but the last; gain and bias have a sample's shape, or are NULL. */
HG_API hg_tensor *hg_layer_norm(hg_tensor *x, hg_tensor *gain, hg_tensor *bias, double epsilon);

#endif
