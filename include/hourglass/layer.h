/* Layers, as constant data. A layer stands in a declaration as its macro, HG_DENSE(128, .act = hg_relu): the first attribute
   by position, the others by name. Such declarations stand at file scope. */
#ifndef HOURGLASS_LAYER_H
#define HOURGLASS_LAYER_H

#include <hourglass/conv.h>
#include <hourglass/math.h>
#include <hourglass/spec.h>

typedef struct hg_layer_kind hg_layer_kind;
typedef struct hg_layer {
    const hg_layer_kind *kind; /* NULL ends an array of layers */
    const void          *spec;
} hg_layer;

/* What a graph is built for: corruption, dropout and a batch's own moments are for training. */
typedef enum hg_mode { HG_EVALUATION, HG_TRAINING } hg_mode;

/* Assignments to states (running moments) that a training step makes beside the optimiser's. */
#define HG_MOST_UPDATES 128
typedef struct hg_state_updates {
    int        count;
    hg_tensor *assignment[HG_MOST_UPDATES];
} hg_state_updates;

/* What layers and penalties add to the loss, each a scalar, the mean over the batch. */
#define HG_MOST_TERMS 16
typedef struct hg_term {
    const char *name; /* "kl", or a penalty's kind */
    hg_tensor  *value;
} hg_term;
typedef struct hg_terms {
    int     count;
    hg_term term[HG_MOST_TERMS];
} hg_terms;

/* The weights of an encoder's layers, for the decoder to share. hg_layer_weight looks after it. */
#define HG_MOST_LAYERS 32
typedef struct hg_shared_weight {
    char                 place[64]; /* "encoder layer 1 (dense)" */
    hg_tensor           *weight, *shared; /* as the encoder has it, and as the decoder has it where it does */
    const hg_layer_kind *mirror; /* what shares it in the decoder */
} hg_shared_weight;
typedef struct hg_tying {
    bool             orthonormal; /* a matrix's rows start so */
    bool             sharing;     /* the decoder's turn: the last weights first */
    const hg_layer_kind *kind, *mirror; /* of the layer being built, and what mirrors it */
    int              count, shared;
    hg_shared_weight at[HG_MOST_LAYERS];
} hg_tying;

/* Max pools that no unpooling layer has undone yet, in order. */
typedef struct hg_pooled {
    hg_tensor *switches;
    hg_shape   shape; /* of what was pooled */
} hg_pooled;
#define HG_MOST_POOLS 64
typedef struct hg_pools {
    int       count;
    hg_pooled at[HG_MOST_POOLS];
} hg_pools;

/* Where a layer is being built. Names of parameters and random ops made there begin with "encoder/1/" or the like. */
typedef struct hg_layer_context {
    const char *place; /* "encoder layer 1 (dense)", to begin a message with */
    hg_tensor  *step;  /* scalar HG_I64: the training step, for random ops; 0 outside of training */
    hg_mode     mode;
    hg_state_updates *updates; /* to add to, when training; may be NULL */
    hg_pools         *pools;   /* max pools add to them, unpooling layers take the last; may be NULL */
    const hg_tensor  *target;  /* what the decoder's last layer should give the shape of; else NULL */
    hg_terms         *terms;   /* to add to */
    hg_tying         *tying;   /* for hg_layer_weight; may be NULL */
} hg_layer_context;

/* How a layer sees its input along an axis: each place of the output sees `size` neighbouring places of the input
   (INFINITY: all, NAN: not known), and neighbours in the output see places that lie `step` apart (1/2 where the output is
   twice as long). */
typedef struct hg_window {
    double size, step;
} hg_window;

struct hg_layer_kind {
    hg_kind kind;
    /* The layer's output for x (features x batch), with the spec's defaults filled in. NULL: the error is latched in the
       graph. */
    hg_tensor *(*apply)(hg_tensor *x, const void *spec, const hg_layer_context *context);
    /* For HG_MIRROR and tied weights: the kind of the decoder's layer that leads from this layer's output back to samples of
       shape `input`, or to a vector of as many numbers. Its spec is written to `mirrored` (HG_SPEC_BYTES, zeroed), but for
       "act", which the autoencoder chooses. Absent: there is none. */
    const hg_layer_kind *(*mirror)(const void *spec, const hg_shape *input, void *mirrored);
    /* Along the height or length (axis 0) or the width (1), by the lengths of input and output, with the spec's defaults
       filled in. Absent: not known. */
    hg_window (*window)(const void *spec, int axis, int64_t input, int64_t output);
};

/* A layer's weights: a parameter "weight" of this shape, or in the decoder of a tied autoencoder (T6) the weights of the
   encoder's layer that it mirrors: a matrix transposed, a convolution's kernel as it is. A zero initialiser means
   hg_activation_initializer(act). */
HG_API hg_tensor *hg_layer_weight(hg_graph *graph, const hg_layer_context *context, hg_shape shape,
                                  hg_initializer initial, hg_activation *act);

/* The kinds that a file can name. */
HG_API extern const hg_kind *const hg_layer_kinds[];

/* x as a matrix, features x batch: what dense layers do with images. */
HG_API hg_tensor *hg_flatten(hg_tensor *x);

/* act(W x + b): parameters "weight", units x inputs, and "bias", units, which starts at 0. Images are flattened. */
typedef struct hg_dense_spec {
    int64_t        units;
    hg_activation *act;     /* linear */
    hg_initializer init;    /* of the weights: hg_activation_initializer(act) */
    bool           no_bias;
} hg_dense_spec;
HG_API extern const hg_layer_kind hg_dense_layer;
#define HG_DENSE(...) { &hg_dense_layer, &(const hg_dense_spec){ .units = __VA_ARGS__ } }

/* ---- Convolution: images are channels x height x width, signals channels x length ------------------------------- */

/* act(conv(x, weight) + bias): parameters "weight" as in conv.h and "bias", one number for each of the output's channels,
   which starts at 0. `kernel` or `kernel_hw` must be given. Signals have no pairs. */
typedef struct hg_conv_spec {
    int64_t        channels;                  /* of the output */
    int64_t        kernel, kernel_hw[2];
    int64_t        stride, stride_hw[2];      /* 1 */
    int64_t        pad, pad_hw[2];            /* 0 */
    int64_t        dilation, dilation_hw[2];  /* 1 */
    int64_t        groups;                    /* 1 */
    int64_t        size, size_hw[2];          /* transposed: of the output, of those that a stride leaves open. The smallest,
                                                 but the input's size in the last layer of a decoder, where it is one of them */
    hg_activation *act;                       /* linear */
    hg_initializer init;                      /* of the weights: hg_activation_initializer(act) */
    bool           no_bias;
} hg_conv_spec;
HG_API extern const hg_layer_kind hg_conv2d_layer, hg_conv_transpose2d_layer, hg_conv1d_layer, hg_conv_transpose1d_layer;
#define HG_CONV2D(...)           { &hg_conv2d_layer, &(const hg_conv_spec){ .channels = __VA_ARGS__ } }
#define HG_CONV_TRANSPOSE2D(...) { &hg_conv_transpose2d_layer, &(const hg_conv_spec){ .channels = __VA_ARGS__ } }
#define HG_CONV1D(...)           { &hg_conv1d_layer, &(const hg_conv_spec){ .channels = __VA_ARGS__ } }
#define HG_CONV_TRANSPOSE1D(...) { &hg_conv_transpose1d_layer, &(const hg_conv_spec){ .channels = __VA_ARGS__ } }

/* ---- Pools and upsampling: the options of conv.h ----------------------------------------------------------------- */

HG_API extern const hg_layer_kind hg_max_pool2d_layer, hg_avg_pool2d_layer, hg_max_pool1d_layer, hg_avg_pool1d_layer;
#define HG_MAX_POOL2D(...) { &hg_max_pool2d_layer, &(const hg_pool_options){ .size = __VA_ARGS__ } }
#define HG_AVG_POOL2D(...) { &hg_avg_pool2d_layer, &(const hg_pool_options){ .size = __VA_ARGS__ } }
#define HG_MAX_POOL1D(...) { &hg_max_pool1d_layer, &(const hg_pool_options){ .size = __VA_ARGS__ } }
#define HG_AVG_POOL1D(...) { &hg_avg_pool1d_layer, &(const hg_pool_options){ .size = __VA_ARGS__ } }

/* Undo the last max pool that is not yet undone: each number goes back to where the pool took it from, all else is 0. Such a
   decoder needs the input beside the code. */
HG_API extern const hg_layer_kind hg_max_unpool2d_layer, hg_max_unpool1d_layer;
#define HG_MAX_UNPOOL2D { &hg_max_unpool2d_layer, NULL }
#define HG_MAX_UNPOOL1D { &hg_max_unpool1d_layer, NULL }

/* Over the whole image, to channels x 1 x 1. */
HG_API extern const hg_layer_kind hg_global_max_pool2d_layer, hg_global_avg_pool2d_layer;
#define HG_GLOBAL_MAX_POOL2D { &hg_global_max_pool2d_layer, NULL }
#define HG_GLOBAL_AVG_POOL2D { &hg_global_avg_pool2d_layer, NULL }

/* HG_UPSAMPLE2D(2, .by = HG_BILINEAR) */
HG_API extern const hg_layer_kind hg_upsample2d_layer, hg_upsample1d_layer;
#define HG_UPSAMPLE2D(...) { &hg_upsample2d_layer, &(const hg_upsample_options){ .factor = __VA_ARGS__ } }
#define HG_UPSAMPLE1D(...) { &hg_upsample1d_layer, &(const hg_upsample_options){ .factor = __VA_ARGS__ } }

/* ---- Normalisation ------------------------------------------------------------------------------------------------ */

/* act(gain (x - mean) / sqrt(variance + epsilon) + bias) with parameters "gain" and "bias", from 1 and 0. HG_BATCH_NORM:
   for each channel, the moments over the mini-batch when training, and else their running means, the states "mean" and
   "variance" (divided by the count - 1), which each training step moves by `momentum`. HG_LAYER_NORM: for each sample. */
typedef struct hg_batch_norm_spec {
    hg_activation *act;      /* linear */
    double         momentum; /* 0.1 */
    double         epsilon;  /* 1e-5 */
} hg_batch_norm_spec;
typedef struct hg_layer_norm_spec {
    hg_activation *act;     /* linear */
    double         epsilon; /* 1e-5 */
} hg_layer_norm_spec;
HG_API extern const hg_layer_kind hg_batch_norm_layer, hg_layer_norm_layer;
#define HG_BATCH_NORM(...) { &hg_batch_norm_layer, &(const hg_batch_norm_spec){ .act = __VA_ARGS__ } }
#define HG_LAYER_NORM(...) { &hg_layer_norm_layer, &(const hg_layer_norm_spec){ .act = __VA_ARGS__ } }

/* ---- Others ------------------------------------------------------------------------------------------------------- */

/* When training, each number becomes 0 with probability `rate`, and the others are divided by 1 - rate. */
typedef struct hg_dropout_spec {
    double rate;
} hg_dropout_spec;
HG_API extern const hg_layer_kind hg_dropout_layer;
#define HG_DROPOUT(...) { &hg_dropout_layer, &(const hg_dropout_spec){ .rate = __VA_ARGS__ } }

/* A factor for each feature: the parameter "gain", from 1. */
HG_API extern const hg_layer_kind hg_gain_layer;
#define HG_GAIN { &hg_gain_layer, NULL }

/* The same numbers as a vector, or in another shape: HG_RESHAPE(8, 2, 2). */
typedef struct hg_reshape_spec {
    int64_t shape[HG_MAX_RANK - 1];
} hg_reshape_spec;
HG_API extern const hg_layer_kind hg_flatten_layer, hg_reshape_layer;
#define HG_FLATTEN      { &hg_flatten_layer, NULL }
#define HG_RESHAPE(...) { &hg_reshape_layer, &(const hg_reshape_spec){ .shape = { __VA_ARGS__ } } }

/* The code of a variational autoencoder (T18): m = W x + b and log v = W' x + b', parameters "mean/weight" and so on. In
   training the code is m + exp(1/2 log v) e with e from N(0, I) anew in each step, in use it is m; the objective gets the
   term "kl", beta/2 sum_j (m_j^2 + v_j - log v_j - 1). */
typedef struct hg_variational_spec {
    int64_t        units;
    double         beta; /* 1 */
    hg_initializer init; /* of both weights: HG_XAVIER */
} hg_variational_spec;
HG_API extern const hg_layer_kind hg_variational_layer;
#define HG_VARIATIONAL(...) { &hg_variational_layer, &(const hg_variational_spec){ .units = __VA_ARGS__ } }

/* A layer that is any function of the program: HG_CUSTOM(my_function). It may make parameters of its own. */
typedef struct hg_custom_spec {
    hg_activation *function;
} hg_custom_spec;
HG_API extern const hg_layer_kind hg_custom_layer;
#define HG_CUSTOM(...) { &hg_custom_layer, &(const hg_custom_spec){ .function = __VA_ARGS__ } }

#endif
