/* Autoencoders: declared as data, built into a graph, trained (train.h), used, saved and opened again. */
#ifndef HOURGLASS_MODEL_H
#define HOURGLASS_MODEL_H

#include <hourglass/data.h>
#include <hourglass/layer.h>

/* ---- The parts of an autoencoder's graph ------------------------------------------------------------------- */

#define HG_MOST_LAYERS 32
typedef struct hg_parts {
    hg_tensor *input;          /* "input", declared input x B */
    hg_tensor *step;           /* "step", scalar HG_I64: the training step, for random ops */
    hg_tensor *code;           /* the encoder's output, features x B */
    hg_tensor *reconstruction; /* the decoder's, of the input's shape */
    hg_tensor *logits;         /* a where the reconstruction is sigmoid(a), else NULL */
    hg_tensor *loss;           /* of the reconstruction, mean over the batch: a scalar */
    hg_tensor *objective;      /* loss + penalties: what is minimised */
    hg_state_updates updates;  /* of layers' states, in training */
    hg_tensor *encoder[HG_MOST_LAYERS], *decoder[HG_MOST_LAYERS]; /* the output of each layer */
} hg_parts;

/* ---- Losses ------------------------------------------------------------------------------------------------ */

typedef struct hg_loss_kind hg_loss_kind;
typedef struct hg_loss {
    const hg_loss_kind *kind; /* NULL: squared error */
    const void         *spec;
} hg_loss;

struct hg_loss_kind {
    hg_kind kind;
    bool    probabilities; /* data and reconstructions are in [0, 1] */
    /* Of parts->reconstruction (or parts->logits) against parts->input: a scalar, the mean over the batch. */
    hg_tensor *(*apply)(const hg_parts *parts, const void *spec);
};

HG_API extern const hg_kind *const hg_loss_kinds[];

/* 1/2 |y - x|^2 summed over a sample, mean over the batch (T2). */
HG_API extern const hg_loss_kind hg_squared_error_loss;
#define HG_SQUARED_ERROR { &hg_squared_error_loss, NULL }
/* - x log y - (1 - x) log(1 - y) summed over a sample, mean over the batch (T2); from the logits where the decoder ends
   with a sigmoid (T5). */
HG_API extern const hg_loss_kind hg_binary_cross_entropy_loss;
#define HG_BINARY_CROSS_ENTROPY { &hg_binary_cross_entropy_loss, NULL }
/* 1/2 r^2 where |r| <= delta, else delta (|r| - delta/2), summed over a sample, mean over the batch. */
typedef struct hg_huber_spec {
    double delta;
} hg_huber_spec;
HG_API extern const hg_loss_kind hg_huber_loss;
#define HG_HUBER(...) { &hg_huber_loss, &(const hg_huber_spec){ .delta = __VA_ARGS__ } }

/* ---- Penalties --------------------------------------------------------------------------------------------- */

typedef struct hg_penalty_kind hg_penalty_kind;
typedef struct hg_penalty {
    const hg_penalty_kind *kind; /* NULL ends an array of penalties */
    const void            *spec;
} hg_penalty;

struct hg_penalty_kind {
    hg_kind kind;
    hg_tensor *(*apply)(const hg_parts *parts, const void *spec); /* a scalar */
};

HG_API extern const hg_kind *const hg_penalty_kinds[];

/* weight/2 times the sum of the squares of all weights: parameters with two axes or more, never biases (T1). */
typedef struct hg_weight_decay_spec {
    double weight;
} hg_weight_decay_spec;
HG_API extern const hg_penalty_kind hg_weight_decay_penalty;
#define HG_WEIGHT_DECAY(...) { &hg_weight_decay_penalty, &(const hg_weight_decay_spec){ .weight = __VA_ARGS__ } }

/* ---- Declarations ------------------------------------------------------------------------------------------ */

typedef struct hg_scaling {
    double low, high;
} hg_scaling;
#define HG_SCALE(low, high) { low, high }

#define HG_MOST_PENALTIES 8
typedef struct hg_autoencoder {
    const char *name;
    const char *description;               /* a line for lists of models */
    int64_t     input[HG_MAX_RANK - 1];    /* a sample's dimensions, channels x height x width for images */
    hg_layer    encoder[HG_MOST_LAYERS];
    hg_layer    decoder[HG_MOST_LAYERS];   /* gives the input's shape, or a vector of as many numbers */
    hg_scaling  scale;                     /* what bytes 0 and 255 become; 0 and 1 */
    hg_loss     loss;                      /* squared error */
    hg_penalty  penalties[HG_MOST_PENALTIES];
} hg_autoencoder;

/* The autoencoders of the library by name; NULL if there is none. All of them in order; NULL past the end. */
HG_API const hg_autoencoder *hg_autoencoder_find(const char *name);
HG_API const hg_autoencoder *hg_autoencoder_at(size_t index);

/* Adds an autoencoder to a graph, for training or for use: parameters "encoder/1/weight" ..., "decoder/1/weight" ... On failure the graph's error
   names the layer, its place and the shapes. */
HG_API hg_status hg_autoencoder_build(const hg_autoencoder *declaration, hg_graph *graph, hg_mode mode,
                                      hg_parts *parts);

/* JSON with the same field names: {"name": ..., "input": [1, 28, 28], "encoder": [{"kind": "dense", "units": 32}], ...}.
   Fields that are not known, and values of another type or out of range, are refused by name. `source` begins the
   messages. Free what is returned with hg_autoencoder_free. NULL on failure. */
HG_API hg_autoencoder *hg_autoencoder_from_json(const char *text, const char *source, hg_error *error);
HG_API hg_autoencoder *hg_autoencoder_open(const char *path, hg_error *error); /* from a JSON file */
HG_API void            hg_autoencoder_free(hg_autoencoder *declaration);       /* accepts NULL */
/* On one line for indent 0. Functions without a name become "custom". Free the text with free(); NULL if memory runs out. */
HG_API char *hg_autoencoder_to_json(const hg_autoencoder *declaration, int indent);

/* ---- Models ------------------------------------------------------------------------------------------------- */

/* An autoencoder with its parameters. The declaration must outlive the model. Functions that return a status latch the
   first failure in the model, and after a failure do nothing but return its status. */
typedef struct hg_model hg_model;

/* Initial parameters and all other random numbers follow from the seed. dtype is HG_F32 or HG_F64. Returns NULL only when
   memory runs out; every other failure is latched in the model. */
HG_API hg_model *hg_model_new(const hg_autoencoder *declaration, hg_dtype dtype, uint64_t seed);
HG_API void      hg_model_free(hg_model *model); /* accepts NULL */

/* The first failure as one sentence, "" if there is none. Never NULL; the model NULL means that memory ran out. */
HG_API const char *hg_model_error(const hg_model *model);
HG_API hg_status   hg_model_status(const hg_model *model);
/* Latches an error of the caller's own, and returns the status of the first. */
HG_API hg_status hg_model_fail(hg_model *model, hg_status status, const char *format, ...) HG_PRINTF(3, 4);
/* Forgets a failure, to go on with the model as it is, after a training that diverged for example. A model that could not
   be built stays failed. */
HG_API void hg_model_clear_error(hg_model *model);

HG_API const hg_autoencoder *hg_model_declaration(const hg_model *model);
HG_API hg_graph             *hg_model_graph(const hg_model *model); /* owned by the model */
HG_API const hg_parts       *hg_model_parts(const hg_model *model);
HG_API uint64_t              hg_model_seed(const hg_model *model);
HG_API int64_t               hg_model_input_size(const hg_model *model); /* d, numbers in a sample */
HG_API int64_t               hg_model_code_size(const hg_model *model);  /* r, numbers in a code */
/* Bytes 0 and 255 as the model sees them. */
HG_API hg_scaling hg_model_scaling(const hg_model *model);
/* Threads of everything that the model computes; 0, the start: as many as OpenMP would use. No result depends on it. */
HG_API void hg_model_set_threads(hg_model *model, int threads);
/* Whether a data set's samples can be the model's input: as many numbers, and the same shape unless one is a vector. */
HG_API hg_status hg_model_check_data(hg_model *model, const hg_dataset *data);

/* The interval that data lie in as the model sees them: bytes are scaled as declared, other data stay as they are. */
HG_API hg_scaling hg_model_data_range(const hg_model *model, const hg_dataset *data);

/* Codes r x count, reconstructions d x count (samples are columns, row-major) of samples first ... first + count - 1. */
HG_API hg_status hg_model_encode(hg_model *model, const hg_dataset *data, int64_t first, int64_t count, double *codes);
HG_API hg_status hg_model_decode(hg_model *model, const double *codes, int64_t count, double *samples);
HG_API hg_status hg_model_reconstruct(hg_model *model, const hg_dataset *data, int64_t first, int64_t count,
                                      double *samples);

/* The declared loss without penalties, mean over the samples at index[0 ... count - 1], or over the first `count` if index
   is NULL. */
HG_API hg_status hg_model_loss(hg_model *model, const hg_dataset *data, const int64_t index[], int64_t count,
                               double *loss);

/* How well x is reconstructed as y, in the units that the model sees (bytes scaled as declared). */
typedef struct hg_errors {
    double mean_squared_error;       /* sum of (y - x)^2 over all N d numbers / (N d) */
    double squared_error_per_sample; /* the same sum / N */
    double cross_entropy_per_sample; /* binary, summed over a sample, / N; NaN if x or y are not all in [0, 1] */
} hg_errors;
typedef struct hg_evaluation {
    int64_t   samples;
    hg_errors errors;
    struct {
        hg_errors mean_image; /* of the best that always gives the same: y = the mean of these samples */
    } baselines;
} hg_evaluation;
HG_API hg_status hg_model_evaluate(hg_model *model, const hg_dataset *data, hg_evaluation *evaluation);

/* A model file is safetensors: parameters under their names, and in the metadata the autoencoder as JSON
   ("hourglass.autoencoder"), the seed and the dtype. It is written whole or not at all. */
HG_API hg_status hg_model_save(hg_model *model, const char *path);
/* Opens a model file. Every parameter must be there in its shape and dtype, and nothing else. A declaration is needed
   if it has functions or layers of the program's own, and must then be the one that was saved; otherwise it is NULL.
   Failures as in hg_model_new. */
HG_API hg_model *hg_model_open(const char *path, const hg_autoencoder *declaration);

#endif
