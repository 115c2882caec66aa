/* What the files of models/ share. */
#ifndef HG_MODELS_H
#define HG_MODELS_H

#include <hourglass/io.h>
#include <hourglass/math.h>
#include <hourglass/model.h>
#include <hourglass/op.h>
#include <hourglass/train.h>

#define HG_MODEL(name) extern const hg_autoencoder hg_##name;
#include "models.def"
#undef HG_MODEL

/* A computation of the model over samples or codes, in mini-batches. */
typedef enum hg_pass_kind {
    HG_PASS_ENCODE,
    HG_PASS_DECODE,
    HG_PASS_RECONSTRUCT,
    HG_PASS_LOSS,
    HG_PASS_EVALUATE,
    HG_PASSES
} hg_pass_kind;

typedef struct hg_lane {
    hg_batch_plans plans;
    hg_batch       batch; /* that the next run begins with, unless it reads codes */
} hg_lane;

#define HG_PASS_OUTPUTS 5
typedef struct hg_pass {
    hg_tensor *source;                  /* the input that samples or codes are written to */
    hg_tensor *output[HG_PASS_OUTPUTS]; /* up to the first NULL */
    hg_lane   *lane; /* the first has all threads, and goes alone or takes the rest; each after it has one */
    int        threads;
} hg_pass;
void hg_pass_clear(hg_pass *pass); /* frees its plans */

struct hg_model {
    hg_error              error;
    const hg_autoencoder *declaration;
    hg_autoencoder       *owned; /* the declaration, where it was read from a file */
    hg_graph             *graph;
    hg_parts              parts;
    hg_tensor            *mean_image; /* input of the evaluation's baseline */
    hg_pass               pass[HG_PASSES];
    bool                  built;
    int                   threads;
    uint64_t              seed;
};

/* Builds the graph of a declaration into a new model. */
hg_model *hg_model_allocate(uint64_t seed);
void      hg_model_build(hg_model *model, const hg_autoencoder *declaration, hg_dtype dtype);
/* Latches the graph's error, or `status` if it has none. */
hg_status hg_model_fail_by_graph(hg_model *model, hg_status status);

/* Which samples a pass runs over: of a data set, or codes in memory (r x count). */
typedef struct hg_pass_source {
    const hg_dataset *data;
    const int64_t    *index; /* NULL: first, first + 1, ... */
    const double     *codes; /* instead of data */
    int64_t           first, count;
    const double     *mean_image; /* of d numbers, what HG_PASS_EVALUATE compares with */
} hg_pass_source;
/* Gets the plan after each run, over samples done ... done + n - 1 of the source. */
typedef hg_status hg_pass_take(void *to, const hg_pass *pass, hg_plan *plan, int64_t done, int64_t n);
hg_status hg_pass_run(hg_model *model, hg_pass_kind kind, const hg_pass_source *source, hg_pass_take *take, void *to);

/* ---- Parts of the building ------------------------------------------------------------------------------- */

/* Resolves a spec into memory of the caller (HG_SPEC_BYTES); false with the error latched in the graph. */
bool     hg_resolve(hg_graph *graph, const hg_kind *kind, const void *spec, void *resolved, const char *place);
/* Whether a layer's kind has an activation; *act is the one that the layer has. */
bool     hg_layer_activation(const hg_layer *layer, hg_activation **act);
hg_shape hg_sample_shape(const hg_tensor *x); /* of one sample, without the batch */
hg_scaling hg_declared_scale(const hg_autoencoder *declaration);

/* The encoder or the decoder: its layers (an end, whose kind is NULL; `spec` is memory to derive one in), and what is done
   with the output of each (may be NULL). */
typedef struct hg_side {
    const char *name;
    hg_layer (*layer)(const hg_parts *parts, int index, void *spec);
    hg_tensor *(*fit)(const hg_parts *parts, int index, hg_tensor *y);
    hg_tensor **output;
    const hg_tensor *target; /* of the last layer; NULL: any shape */
} hg_side;
hg_tensor *hg_apply_side(const hg_side *side, hg_tensor *x, hg_parts *parts);
hg_layer   hg_encoder_layer(const hg_parts *parts, int index, void *spec);
/* The encoder once more, on x, with the same parameters, states and random numbers. */
hg_tensor *hg_encode_again(const hg_parts *parts, hg_tensor *x, hg_mode mode);

/* Whether two declarations as JSON are the same but for how they are to be trained. */
bool       hg_same_network(const char *json, const char *other);
bool       hg_is_mirrored(const hg_autoencoder *declaration);
hg_tensor *hg_fit_mirrored(const hg_parts *parts, int index, hg_tensor *y);

hg_tensor *hg_corrupt(hg_parts *parts); /* the input as the encoder sees it; sets parts->changed */
bool       hg_has_emphasis(const hg_autoencoder *declaration);
hg_tensor *hg_emphasize(const hg_parts *parts, hg_tensor *errors);

hg_tensor *hg_identity_matrix(hg_graph *graph, int64_t n);

/* ---- The Jacobian of a code by its input ------------------------------------------------------------------ */

/* Tensors whose squares, times the weights if there are any, add up to the Jacobian's. With `rows`, which is a matrix, the
   entries are coefficients instead: each column of rows' entries is a gradient. */
typedef struct hg_jacobian {
    hg_tensor *entries, *weights, *rows;
} hg_jacobian;
/* Of any code. */
bool hg_jacobian_exact(hg_tensor *code, hg_tensor *x, hg_jacobian *jacobian);
/* Of a code that is an elementwise function of W x: slopes, and the squared lengths of W's rows. False for any other. */
bool hg_jacobian_closed(hg_tensor *code, hg_tensor *x, hg_jacobian *jacobian);
/* The gradients of any code along k directions, which are of the code's shape with k B columns. */
bool       hg_jacobian_along(hg_tensor *code, hg_tensor *x, hg_tensor *directions, int64_t k, hg_jacobian *jacobian);
hg_tensor *hg_unit_directions(hg_tensor *code); /* k = r: the gradient of each number in the code */
hg_tensor *hg_random_directions(hg_tensor *code, hg_tensor *step, int64_t k);
/* The squares' sum. */
hg_tensor *hg_jacobian_square(const hg_jacobian *jacobian);
/* Whether a sample's code depends on the other samples of its batch. */
bool hg_code_mixes_samples(hg_tensor *code, hg_tensor *x);

/* ---- Walks ------------------------------------------------------------------------------------------------ */

/* Tensors to tensors: what a walk over a graph has found out. Zero is an empty map. */
typedef struct hg_tensor_map {
    struct hg_tensor_pair {
        const hg_tensor *from;
        hg_tensor       *to;
    }     *at;
    size_t count, room;
} hg_tensor_map;
/* Whether there is an entry; *to is its value. */
bool hg_map_find(const hg_tensor_map *map, const hg_tensor *from, hg_tensor **to);
/* Returns `to`, or NULL with the error latched in the graph if memory runs out. */
hg_tensor *hg_map_add(hg_tensor_map *map, const hg_tensor *from, hg_tensor *to);
void       hg_map_clear(hg_tensor_map *map);
/* Whether y is computed from x. The map keeps what was found out, for this x. */
bool hg_depends_on(hg_tensor *y, const hg_tensor *x, hg_tensor_map *map);

/* y with `by` in the place of x: the ops between x and y are applied again, all else is shared. */
hg_tensor *hg_substitute(hg_tensor *y, hg_tensor *x, hg_tensor *by);

#endif
