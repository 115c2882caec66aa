/* Linear autoencoders and PCA (T10, T16). */
#ifndef HOURGLASS_LINEAR_H
#define HOURGLASS_LINEAR_H

#include <hourglass/model.h>
#include <hourglass/pca.h>

/* PCA as a model, h = U'(x - mean) and y = U h + mean: an autoencoder "pca" of one dense layer each, for samples of this
   shape. It can be used, saved and opened as any other. NULL only when memory runs out; other failures are latched in it. */
HG_API hg_model *hg_model_from_pca(const hg_pca *pca, const hg_shape *sample, hg_dtype dtype);

/* Whether a model's encoder and decoder are linear maps and biases: dense layers without activation. */
HG_API bool hg_model_is_linear(const hg_model *model);
/* The decoder's columns, d x r, row-major: what it gives for the code e_j, less what it gives for 0. The decoder must be
   linear. */
HG_API hg_status hg_model_decoder_columns(hg_model *model, double *columns);
/* The largest principal angle, in degrees, between the decoder's columns and the first r components, of which there must be as
   many as the code has numbers. 90 where the columns are not independent. */
HG_API hg_status hg_model_pca_angle(hg_model *model, const hg_pca *pca, double *degrees);

/* The errors of PCA on the same data, as evaluations have them; the cross-entropy is NaN. */
HG_API hg_status hg_pca_errors(const hg_pca *pca, const hg_dataset *data, hg_errors *errors, hg_error *error);

/* What no cross-entropy can be below: that of the data to themselves, mean over the samples. NaN if some are not in [0, 1]. */
HG_API hg_status hg_entropy_floor(const hg_dataset *data, double low, double high, double *per_sample, hg_error *error);

#endif
