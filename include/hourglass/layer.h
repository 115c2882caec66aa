/* Layers, as constant data. A layer stands in a declaration as its macro, HG_DENSE(128, .act = hg_relu): the first attribute
   by position, the others by name. Such declarations stand at file scope. */
#ifndef HOURGLASS_LAYER_H
#define HOURGLASS_LAYER_H

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
#define HG_MOST_UPDATES 64
typedef struct hg_state_updates {
    int        count;
    hg_tensor *assignment[HG_MOST_UPDATES];
} hg_state_updates;

/* Where a layer is being built. Names of parameters and random ops made there begin with "encoder/1/" or the like. */
typedef struct hg_layer_context {
    const char *place; /* "encoder layer 1 (dense)", to begin a message with */
    hg_tensor  *step;  /* scalar HG_I64: the training step, for random ops; 0 outside of training */
    hg_mode     mode;
    hg_state_updates *updates; /* to add to, when training */
} hg_layer_context;

struct hg_layer_kind {
    hg_kind kind;
    /* The layer's output for x (features x batch), with the spec's defaults filled in. NULL: the error is latched in the
       graph. */
    hg_tensor *(*apply)(hg_tensor *x, const void *spec, const hg_layer_context *context);
};

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

/* A layer that is any function of the program: HG_CUSTOM(my_function). It may make parameters of its own. */
typedef struct hg_custom_spec {
    hg_activation *function;
} hg_custom_spec;
HG_API extern const hg_layer_kind hg_custom_layer;
#define HG_CUSTOM(...) { &hg_custom_layer, &(const hg_custom_spec){ .function = __VA_ARGS__ } }

#endif
