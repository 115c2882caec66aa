/* Stacked pre-training (T14): each layer of a deep autoencoder is trained as an autoencoder of its own on the codes of the
   layers below; unrolled, they are where the training of the whole starts. And a classifier on the code. */
#ifndef HOURGLASS_STACK_H
#define HOURGLASS_STACK_H

#include <hourglass/train.h>

/* Layers are counted by those of the encoder with weights, from the input up; others (pools, normalisations) are pre-trained
   with the one below them. Each is decoded by the layers of the decoder, one or more, that lead from its output's shape back
   to its input's: by that the decoder is cut. */

/* Settings beside those of a declaration, to compare them. */
typedef struct hg_stack {
    const hg_autoencoder *autoencoder; /* whose layers these are */
    hg_pretraining        layer[HG_MOST_LAYERS];
} hg_stack;

typedef struct hg_stack_training {
    hg_training training; /* of the layers that do not say otherwise. `valid` is encoded as the data are; instead of
                             `progress` the one below is called. */
    void (*progress)(int layer, int layers, const hg_report *report, void *to); /* layer: from 1 */
    void *progress_to;
    /* Before a layer's training, with progress_to: the layer's own autoencoder, and what it is trained on. Both are there until
       its last progress has been told. None. */
    void (*begin)(int layer, int layers, hg_model *own, const hg_dataset *data, void *to);
} hg_stack_training;

/* Pre-trains all layers of a model, from the input up: as the stack says, or where that is NULL as the declaration says. The
   model's parameters are where each layer starts, and get what it learns. Failures are latched in the model and name the
   layer. */
HG_API hg_status hg_pretrain(hg_model *model, const hg_stack *stack, const hg_dataset *data,
                             const hg_stack_training *training);
/* How many layers that are: of an autoencoder whose decoder cannot be cut, 0 with the error latched. */
HG_API int hg_pretrained_layers(hg_model *model);
/* How many settings there are up to the last that says anything; 0: none do. */
HG_API int hg_pretraining_count(const hg_pretraining settings[HG_MOST_LAYERS]);

/* ---- A classifier on the code ------------------------------------------------------------------------------- */

/* softmax(V h + c) with h the code: "head/weight", classes x code, and "head/bias". It starts at 0. */
typedef struct hg_classifier hg_classifier;

/* The model must live longer. NULL if memory runs out; other failures are latched in the model. */
HG_API hg_classifier *hg_classifier_new(hg_model *model, int64_t classes);
HG_API void           hg_classifier_free(hg_classifier *classifier); /* accepts NULL */

typedef struct hg_classifier_training {
    int64_t      epochs, batch; /* these five as in hg_training */
    hg_optimizer optimizer;
    hg_schedule  schedule;
    double       warm_up;
    hg_clipping  clip;
    uint64_t     seed;   /* of the samples' order; the model's */
    int          threads;
    hg_progress *progress; /* called with progress_to after each epoch; none */
    void        *progress_to;
} hg_classifier_training;

/* Trains head and encoder together by cross-entropy on labelled data, uncorrupted; the decoder stays as it is. */
HG_API hg_status hg_classifier_train(hg_classifier *classifier, const hg_dataset *data,
                                     const hg_classifier_training *training);
/* The part of the samples whose most likely class is not their label. */
HG_API hg_status hg_classifier_error_rate(hg_classifier *classifier, const hg_dataset *data, double *rate);
/* Writes the head as safetensors. */
HG_API hg_status hg_classifier_save(hg_classifier *classifier, const char *path);

/* The part of the samples whose code lies nearest to the mean code of another class than theirs; the means are those of
   `known` (T16). */
HG_API hg_status hg_nearest_mean_error_rate(hg_model *model, const hg_dataset *known, const hg_dataset *data, double *rate);

#endif
