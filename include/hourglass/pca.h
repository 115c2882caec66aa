/* Principal component analysis, through LAPACK: what a linear autoencoder is measured against (T10). */
#ifndef HOURGLASS_PCA_H
#define HOURGLASS_PCA_H

#include <hourglass/data.h>

typedef struct hg_pca {
    int64_t size;       /* d, numbers in a sample */
    int64_t components; /* r, how many were asked for */
    double *mean;       /* d: of the samples, scaled as below */
    double *values;     /* d: eigenvalues of the covariance (divided by the number of samples), descending */
    double *vectors;    /* d x r, row-major: column j is the eigenvector of values[j], of unit length; the sign makes its
                           largest entry positive */
    double  low, high;  /* what bytes 0 and 255 were taken for */
} hg_pca;

/* From all samples of a data set. NULL on failure, with the reason in *error. Free it with hg_pca_free (accepts NULL).
   Its results are outside of the promise of identical bits: compare subspaces and errors. */
HG_API hg_pca *hg_pca_new(const hg_dataset *data, double low, double high, int64_t components, hg_error *error);
HG_API void    hg_pca_free(hg_pca *pca);

/* Mean over the samples of a data set of ||x - xhat||^2, xhat being the projection on the first r components; on the data
   that it was made of, the sum of the other eigenvalues. */
HG_API hg_status hg_pca_squared_error(const hg_pca *pca, const hg_dataset *data, double *per_sample, hg_error *error);

/* Principal angles between the column spaces of a (d x ra) and b (d x rb), both row-major with independent columns, in
   radians, descending; min(ra, rb) of them. Small angles are as precise as large ones. */
HG_API hg_status hg_principal_angles(int64_t d, int64_t ra, const double *a, int64_t rb, const double *b,
                                     double *angles, hg_error *error);

#endif
