/* Autoencoders: declared as data, built into a graph, trained (train.h), used, saved and opened again. */
#ifndef HOURGLASS_MODEL_H
#define HOURGLASS_MODEL_H

#include <hourglass/data.h>
#include <hourglass/layer.h>
#include <hourglass/optimizer.h>
#include <hourglass/schedule.h>

/* ---- The parts of an autoencoder's graph ------------------------------------------------------------------- */

typedef struct hg_autoencoder hg_autoencoder;

typedef struct hg_parts {
    const hg_autoencoder *declaration;
    hg_mode    mode;
    hg_tensor *input;          /* "input", declared input x B */
    hg_tensor *step;           /* "step", scalar HG_I64: the training step, for random ops */
    hg_tensor *corrupted;      /* what the encoder sees: in training the input as it is corrupted, else the input */
    hg_tensor *changed;        /* 1 where that replaces a number, else 0; NULL if nothing is or everything may be */
    hg_tensor *code;           /* the encoder's output, features x B */
    hg_tensor *reconstruction; /* the decoder's, of the input's shape */
    hg_tensor *logits;         /* a where the reconstruction is sigmoid(a), else NULL */
    hg_tensor *penalised;      /* the input that penalties are taken at, corrupted or clean, */
    hg_tensor *penalised_code; /* and its code */
    hg_tensor *apart;          /* that code where each sample's is its own alone; as in use if the encoder, in training, mixes the
                                  samples of a batch. For penalties that ask for it */
    hg_tensor *loss;           /* of the reconstruction, mean over the batch: a scalar */
    hg_tensor *objective;      /* loss + penalties: what is minimised */
    hg_terms         terms;    /* what the objective is the sum of; the loss first */
    hg_state_updates updates;  /* of states, in training */
    hg_pools         pools;    /* max pools that no layer undoes */
    hg_tying         tying;    /* the encoder's weights */
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
    /* Of parts->reconstruction (or parts->logits) against parts->input. Either for each number, in the input's shape: they are
       summed over a sample, and averaged over the batch. Or else as a scalar, the mean over the batch. */
    hg_tensor *(*errors)(const hg_parts *parts, const void *spec);
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

/* -log N(x; y, deviation^2 I), summed over a sample, mean over the batch: a Gaussian decoder. */
typedef struct hg_gaussian_likelihood_spec {
    double deviation;
} hg_gaussian_likelihood_spec;
HG_API extern const hg_loss_kind hg_gaussian_likelihood_loss;
#define HG_GAUSSIAN_LIKELIHOOD(...)                                                                           \
    { &hg_gaussian_likelihood_loss, &(const hg_gaussian_likelihood_spec){ .deviation = __VA_ARGS__ } }

/* ---- Corruptions: the input of a denoising autoencoder, anew in each step of training; the target stays clean (T9) -- */

typedef struct hg_scaling {
    double low, high;
} hg_scaling;
#define HG_SCALE(low, high) { low, high }

typedef struct hg_corruption_kind hg_corruption_kind;
typedef struct hg_corruption {
    const hg_corruption_kind *kind; /* NULL: none */
    const void               *spec;
} hg_corruption;

struct hg_corruption_kind {
    hg_kind kind;
    /* x corrupted. Where it replaces some numbers and leaves the others, *changed becomes 1 at those, 0 at these. `range` is
       what bytes 0 and 255 are for the model. */
    hg_tensor *(*apply)(hg_tensor *x, hg_tensor *step, hg_scaling range, const void *spec, hg_tensor **changed);
};

HG_API extern const hg_kind *const hg_corruption_kinds[];

/* Each number becomes 0 with this probability. */
typedef struct hg_masking_spec {
    double probability;
} hg_masking_spec;
HG_API extern const hg_corruption_kind hg_masking_corruption;
#define HG_MASKING(...) { &hg_masking_corruption, &(const hg_masking_spec){ .probability = __VA_ARGS__ } }

/* N(0, deviation^2) is added to each number. */
typedef struct hg_gaussian_spec {
    double deviation;
} hg_gaussian_spec;
HG_API extern const hg_corruption_kind hg_gaussian_corruption;
#define HG_GAUSSIAN(...) { &hg_gaussian_corruption, &(const hg_gaussian_spec){ .deviation = __VA_ARGS__ } }

/* Each number becomes black or white, by equal chances, with this probability. */
typedef struct hg_salt_and_pepper_spec {
    double probability;
} hg_salt_and_pepper_spec;
HG_API extern const hg_corruption_kind hg_salt_and_pepper_corruption;
#define HG_SALT_AND_PEPPER(...)                                                                               \
    { &hg_salt_and_pepper_corruption, &(const hg_salt_and_pepper_spec){ .probability = __VA_ARGS__ } }

/* What the errors of corrupted numbers and those of the others are multiplied with (T19); both 0: 1 and 1. */
typedef struct hg_emphasis {
    double corrupted, others;
} hg_emphasis;
#define HG_EMPHASIS(corrupted, others) { corrupted, others }

/* ---- Penalties --------------------------------------------------------------------------------------------- */

#define HG_MOST_PENALTIES 8
typedef struct hg_penalty_kind hg_penalty_kind;
typedef struct hg_penalty {
    const hg_penalty_kind *kind; /* NULL ends an array of penalties */
    const void            *spec;
} hg_penalty;

struct hg_penalty_kind {
    hg_kind kind;
    bool    apart; /* asks for parts->apart */
    /* A scalar, the mean over the batch. It may add states' updates to the parts. */
    hg_tensor *(*apply)(hg_parts *parts, const void *spec);
};

HG_API extern const hg_kind *const hg_penalty_kinds[];

/* weight/2 times the sum of the squares of all weights: parameters with two axes or more, never biases (T1). */
typedef struct hg_weight_decay_spec {
    double weight;
} hg_weight_decay_spec;
HG_API extern const hg_penalty_kind hg_weight_decay_penalty;
#define HG_WEIGHT_DECAY(...) { &hg_weight_decay_penalty, &(const hg_weight_decay_spec){ .weight = __VA_ARGS__ } }

/* beta sum_j KL(rho || r_j) with r_j the mean of code number j over the batch (T7), or with `running` k in (0, 1) the mean
   over past batches too, r <- k r + (1 - k) batch mean (T19). The code must lie in (0, 1): a sigmoid's. */
typedef struct hg_sparse_spec {
    double rho, beta, running;
} hg_sparse_spec;
HG_API extern const hg_penalty_kind hg_sparse_penalty;
#define HG_SPARSE(activity, ...)                                                                              \
    { &hg_sparse_penalty, &(const hg_sparse_spec){ .rho = activity, .beta = __VA_ARGS__ } }

/* beta sum_j of the mean over the batch of |h_j| (T19). */
typedef struct hg_l1_spec {
    double beta;
} hg_l1_spec;
HG_API extern const hg_penalty_kind hg_l1_penalty;
#define HG_L1(...) { &hg_l1_penalty, &(const hg_l1_spec){ .beta = __VA_ARGS__ } }

/* gamma times the mean over the batch of |J|^2, the squares of all dh/dx summed (T8). One elementwise dense layer has a closed
   form; of any other encoder the gradients of all r code numbers come from one backward pass over r B columns. With
   `samples` k > 0 k random directions v stand for them all: the mean of |J'v|^2, whose expectation is |J|^2. Of an encoder
   that mixes the samples of a batch (batch normalisation) the Jacobian is that of its use after training. */
typedef struct hg_contractive_spec {
    double  gamma;
    int64_t samples;
} hg_contractive_spec;
HG_API extern const hg_penalty_kind hg_contractive_penalty;
#define HG_CONTRACTIVE(...) { &hg_contractive_penalty, &(const hg_contractive_spec){ .gamma = __VA_ARGS__ } }

/* gamma times the mean over the batch of |J(x) - J(x + e)|^2, e from N(0, deviation^2 I) anew in each step (T19). */
typedef struct hg_contractive_higher_spec {
    double  gamma;
    double  deviation; /* 0.1 */
    int64_t samples;
} hg_contractive_higher_spec;
HG_API extern const hg_penalty_kind hg_contractive_higher_penalty;
#define HG_CONTRACTIVE_HIGHER(...)                                                                            \
    { &hg_contractive_higher_penalty, &(const hg_contractive_higher_spec){ .gamma = __VA_ARGS__ } }

/* ---- How an autoencoder is meant to be trained ------------------------------------------------------------- */

/* The settings of its source. What a training leaves at zero comes from here. */
typedef struct hg_training_settings {
    int64_t      epochs;    /* 20 */
    int64_t      batch;     /* 128 samples */
    hg_optimizer optimizer; /* HG_ADAM(.rate = 0.001) */
    hg_schedule  schedule;  /* of its rate; constant */
    double       warm_up;   /* epochs over which the rate rises to the schedule's; 0 */
} hg_training_settings;

/* How one layer is pre-trained (T14, stack.h); zeros are what the training says. */
typedef struct hg_pretraining {
    hg_corruption corrupt; /* of what this layer sees: the codes of the layer below are clean */
    hg_penalty    penalties[HG_MOST_PENALTIES];
    hg_loss       loss;    /* the autoencoder's; squared error where that is for probabilities and the codes are none */
    int64_t       epochs, batch;
    hg_optimizer  optimizer;
    hg_schedule   schedule;
    double        warm_up;
} hg_pretraining;

/* Of predictive sparse decomposition (T13, psd.h). */
typedef struct hg_predictive_sparse {
    double  sparsity;   /* 0.1 */
    double  prediction; /* 1 */
    int64_t iterations; /* of FISTA, for each mini-batch; 30 */
} hg_predictive_sparse;

/* ---- Declarations ------------------------------------------------------------------------------------------ */

/* The whole decoder, derived from the encoder: .decoder = HG_MIRROR. Layer by layer from the code back to the input, each
   layer's kind gives what leads back from it, with the activation of the layer before it. The last one has `act`: without it
   a sigmoid if the loss is for probabilities, else none. */
typedef struct hg_mirror_spec {
    hg_activation *act;
} hg_mirror_spec;
HG_API extern const hg_layer_kind hg_mirror_layer;
#define HG_MIRROR { { &hg_mirror_layer, NULL } }
#define HG_MIRROR_TO(...) { { &hg_mirror_layer, &(const hg_mirror_spec){ .act = __VA_ARGS__ } } }

/* Where penalties are taken if the input is corrupted. */
typedef enum hg_penalised { HG_CORRUPTED, HG_CLEAN } hg_penalised;

struct hg_autoencoder {
    const char   *name;
    const char   *description;             /* a line for lists of models */
    int64_t       input[HG_MAX_RANK - 1];  /* a sample's dimensions, channels x height x width for images */
    hg_layer      encoder[HG_MOST_LAYERS];
    hg_layer      decoder[HG_MOST_LAYERS]; /* gives the input's shape, or a vector of as many numbers */
    bool          tied;                    /* the decoder's weights are the encoder's, transposed, one parameter (T6) */
    bool          orthonormal;             /* rows of the encoder's weights are orthonormal, and kept so in training */
    hg_scaling    scale;                   /* what bytes 0 and 255 become; 0 and 1 */
    hg_corruption corrupt;
    hg_emphasis   emphasis;
    hg_loss       loss;                    /* squared error */
    hg_penalised  penalise;
    hg_penalty    penalties[HG_MOST_PENALTIES];
    hg_training_settings training;
    hg_pretraining       pretraining[HG_MOST_LAYERS]; /* of layers with weights, from the input up; all zero: it is not
                                                         pre-trained unless asked for */
    hg_predictive_sparse predictive_sparse;           /* all zero: it is trained as other autoencoders are */
};

/* The autoencoders of the library by name; NULL if there is none. All of them in order; NULL past the end. */
HG_API const hg_autoencoder *hg_autoencoder_find(const char *name);
HG_API const hg_autoencoder *hg_autoencoder_at(size_t index);

/* Adds an autoencoder to a graph, for training or for use: parameters "encoder/1/weight" ..., "decoder/1/weight" ... On
   failure the graph's error names the layer, its place and the shapes. */
HG_API hg_status hg_autoencoder_build(const hg_autoencoder *declaration, hg_graph *graph, hg_mode mode,
                                      hg_parts *parts);
/* Layer `index` (from 0) of the decoder as it was built: the declared one, or for HG_MIRROR the one derived, its spec written
   to `spec` (HG_SPEC_BYTES, aligned for anything). Its kind is NULL past the end. */
HG_API hg_layer hg_decoder_layer(const hg_parts *parts, int index, void *spec);
/* An update of a parameter that keeps what its declaration demands: where rows are to be orthonormal, the assignment of w
   becomes that of (w w')^(-1/2) w, the nearest orthonormal rows; others stay as they are. */
HG_API hg_tensor *hg_constrained(const hg_parts *parts, hg_tensor *assignment);

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
HG_API int  hg_model_threads(const hg_model *model);
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

/* A model file is safetensors: parameters and layers' states under their names, and in the metadata the autoencoder as JSON
   ("hourglass.autoencoder"), the seed and the dtype. It is written whole or not at all. */
HG_API hg_status hg_model_save(hg_model *model, const char *path);
/* Opens a model file. Every one of them must be there in its shape and dtype, and nothing else. A declaration is needed
   if it has functions or layers of the program's own, and must then be the one that was saved; otherwise it is NULL.
   Failures as in hg_model_new. */
HG_API hg_model *hg_model_open(const char *path, const hg_autoencoder *declaration);

#endif
