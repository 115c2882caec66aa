/* PCA and the angles between subspaces. */
#include "config.h"

#include <hourglass/pca.h>

#include <lapacke.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/matmul.h"

enum { BLOCK = 256 }; /* samples at a time */

static hg_status out_of_memory(hg_error *error) { return hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: PCA"); }

/* ---- Moments ------------------------------------------------------------------------------------------- */

/* The next block of centred samples, d x n; returns n. */
static int64_t next_block(const hg_pca *pca, const hg_dataset *data, int64_t first, double *block)
{
    int64_t left = hg_dataset_count(data) - first, n = left < BLOCK ? left : BLOCK;
    if (n <= 0)
        return 0;
    hg_dataset_batch(data, n, NULL, first, pca->low, pca->high, HG_F64, block);
    for (int64_t j = 0; j < pca->size; j++)
        for (int64_t i = 0; i < n; i++)
            block[j * n + i] -= pca->mean[j];
    return n;
}

/* covariance = mean over the samples of (x - mean)(x - mean)t, d x d. */
static hg_status find_covariance(const hg_pca *pca, const hg_dataset *data, double *covariance, hg_error *error)
{
    const size_t d = (size_t)pca->size;
    double *block = malloc(d * BLOCK * sizeof *block), *product = malloc(d * d * sizeof *product);
    hg_status status = block == NULL || product == NULL ? out_of_memory(error) : HG_OK;
    for (int64_t first = 0, n; status == HG_OK && (n = next_block(pca, data, first, block)) > 0; first += n) {
        hg_blas_product_f64(pca->size, pca->size, n, block, n, 1, block, 1, n, product, pca->size);
        for (size_t i = 0; i < d * d; i++)
            covariance[i] += product[i];
    }
    for (size_t i = 0; i < d * d && status == HG_OK; i++)
        covariance[i] /= (double)hg_dataset_count(data);
    free(block);
    free(product);
    return status;
}

/* ---- Eigenvectors -------------------------------------------------------------------------------------- */

/* LAPACK leaves eigenvector i, for ascending values, in row i of a column-major result. */
static void take_components(hg_pca *pca, const double *values, const double *vectors)
{
    const int64_t d = pca->size;
    for (int64_t j = 0; j < d; j++)
        pca->values[j] = fmax(values[d - 1 - j], 0);
    for (int64_t j = 0; j < pca->components; j++) {
        const double *v = vectors + (d - 1 - j) * d;
        int64_t largest = 0;
        for (int64_t i = 1; i < d; i++)
            if (fabs(v[i]) > fabs(v[largest]))
                largest = i;
        for (int64_t i = 0; i < d; i++)
            pca->vectors[i * pca->components + j] = v[largest] < 0 ? -v[i] : v[i];
    }
}

/* dsyevr, as dsyevd wants twice the memory. */
static hg_status decompose(hg_pca *pca, double *covariance, hg_error *error)
{
    const size_t n = (size_t)pca->size;
    double *values = malloc(n * sizeof *values), *vectors = malloc(n * n * sizeof *vectors);
    lapack_int *support = malloc(2 * n * sizeof *support), found, d = (lapack_int)pca->size;
    lapack_int info = LAPACK_WORK_MEMORY_ERROR;
    if (values != NULL && vectors != NULL && support != NULL)
        info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'A', 'L', d, covariance, d, 0, 0, 0, 0, 0, &found, values, vectors, d,
                              support);
    if (info == 0)
        take_components(pca, values, vectors);
    free(values);
    free(vectors);
    free(support);
    if (info == 0)
        return HG_OK;
    return info == LAPACK_WORK_MEMORY_ERROR ? out_of_memory(error)
                                            : hg_fail(error, HG_BAD_DATA, "PCA: LAPACK found no eigenvectors (%d)", (int)info);
}

static hg_status check_request(const hg_dataset *data, int64_t components, hg_error *error)
{
    if (hg_dataset_status(data) != HG_OK)
        return hg_fail(error, hg_dataset_status(data), "%s", hg_dataset_error(data));
    if (hg_dataset_count(data) < 1)
        return hg_fail(error, HG_BAD_DATA, "PCA needs samples, and the data set has none");
    if (components < 1 || components > hg_dataset_size(data))
        return hg_fail(error, HG_BAD_ARGUMENT, "PCA of samples with %lld numbers has 1 to %lld components, not %lld",
                       (long long)hg_dataset_size(data), (long long)hg_dataset_size(data), (long long)components);
    if (hg_dataset_size(data) > 32768)
        return hg_fail(error, HG_BAD_ARGUMENT, "PCA of samples with %lld numbers: the covariance would be too large (at most "
                       "32768)", (long long)hg_dataset_size(data));
    return HG_OK;
}

static bool allocate(hg_pca *pca)
{
    const size_t d = (size_t)pca->size;
    pca->mean = calloc(d, sizeof *pca->mean);
    pca->values = calloc(d, sizeof *pca->values);
    pca->vectors = calloc(d * (size_t)pca->components, sizeof *pca->vectors);
    return pca->mean != NULL && pca->values != NULL && pca->vectors != NULL;
}

hg_pca *hg_pca_new(const hg_dataset *data, double low, double high, int64_t components, hg_error *error)
{
    if (check_request(data, components, error) != HG_OK)
        return NULL;
    hg_pca *pca = malloc(sizeof *pca);
    if (pca == NULL) {
        out_of_memory(error);
        return NULL;
    }
    *pca = (hg_pca){ .size = hg_dataset_size(data), .components = components, .low = low, .high = high };
    const size_t d = (size_t)pca->size;
    double *covariance = calloc(d * d, sizeof *covariance);
    hg_status status = covariance == NULL || !allocate(pca) ? out_of_memory(error) : HG_OK;
    if (status == HG_OK)
        status = hg_dataset_mean(data, low, high, pca->mean);
    if (status == HG_OK)
        status = find_covariance(pca, data, covariance, error);
    if (status == HG_OK)
        status = decompose(pca, covariance, error);
    free(covariance);
    if (status == HG_OK)
        return pca;
    hg_pca_free(pca);
    return NULL;
}

void hg_pca_free(hg_pca *pca)
{
    if (pca == NULL)
        return;
    free(pca->mean);
    free(pca->values);
    free(pca->vectors);
    free(pca);
}

/* ---- Errors -------------------------------------------------------------------------------------------- */

static double sum_of_squares(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sum;
}

hg_status hg_pca_squared_error(const hg_pca *pca, const hg_dataset *data, double *per_sample, hg_error *error)
{
    const int64_t d = pca->size, r = pca->components;
    double left = 0;
    if (hg_dataset_size(data) != d || hg_dataset_count(data) < 1)
        return hg_fail(error, HG_BAD_SHAPE, "PCA was made of samples with %lld numbers, and is asked about %lld samples with "
                       "%lld", (long long)d, (long long)hg_dataset_count(data), (long long)hg_dataset_size(data));
    double *block = malloc((size_t)d * BLOCK * sizeof *block), *code = malloc((size_t)r * BLOCK * sizeof *code);
    hg_status status = block == NULL || code == NULL ? out_of_memory(error) : HG_OK;
    for (int64_t first = 0, n; status == HG_OK && (n = next_block(pca, data, first, block)) > 0; first += n) {
        hg_blas_product_f64(r, n, d, pca->vectors, 1, r, block, n, 1, code, n);
        left += sum_of_squares(block, d * n) - sum_of_squares(code, r * n); /* the vectors are orthonormal */
    }
    free(block);
    free(code);
    *per_sample = fmax(left, 0) / (double)hg_dataset_count(data); /* of as many components as numbers it is all rounding */
    return status;
}

/* ---- Principal angles ---------------------------------------------------------------------------------- */

/* q = an orthonormal basis of a's columns; a is copied. */
static hg_status basis(int64_t d, int64_t r, const double *a, double *q, hg_error *error)
{
    double *tau = malloc((size_t)r * sizeof *tau);
    if (tau == NULL)
        return out_of_memory(error);
    memcpy(q, a, (size_t)(d * r) * sizeof *q);
    lapack_int info = LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, (lapack_int)d, (lapack_int)r, q, (lapack_int)r, tau);
    double largest = 0, smallest = INFINITY;
    for (int64_t i = 0; i < r && info == 0; i++) {
        largest = fmax(largest, fabs(q[i * r + i]));
        smallest = fmin(smallest, fabs(q[i * r + i]));
    }
    if (info == 0)
        info = LAPACKE_dorgqr(LAPACK_ROW_MAJOR, (lapack_int)d, (lapack_int)r, (lapack_int)r, q, (lapack_int)r, tau);
    free(tau);
    if (info != 0)
        return out_of_memory(error);
    if (!(smallest > largest * 1e-14))
        return hg_fail(error, HG_BAD_DATA, "principal angles need independent columns, and one is a combination of the others");
    return HG_OK;
}

/* Of m or, as LAPACK reads it by columns, its transpose: they are the same. */
static hg_status singular_values(int64_t rows, int64_t columns, double *m, double *values, hg_error *error)
{
    double unused;
    lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', (lapack_int)columns, (lapack_int)rows, m, (lapack_int)columns,
                                     values, &unused, 1, &unused, 1);
    return info == 0 ? HG_OK : hg_fail(error, HG_BAD_DATA, "principal angles: LAPACK found no singular values (%d)", (int)info);
}

/* Cosines are the singular values of Qat Qb, sines those of Qb - Qa Qat Qb; each is precise where the other is not. The
   space with fewer dimensions is b. */
static hg_status angles_between(int64_t d, int64_t ra, const double *qa, int64_t rb, double *qb, double *work,
                                double *angles, hg_error *error)
{
    double *product = work, *rest = work + ra * rb, *cosine = rest + d * rb, *sine = cosine + rb;
    hg_blas_product_f64(ra, rb, d, qa, 1, ra, qb, rb, 1, product, rb);
    hg_blas_product_f64(d, rb, ra, qa, ra, 1, product, rb, 1, rest, rb);
    for (int64_t i = 0; i < d * rb; i++)
        rest[i] = qb[i] - rest[i];
    hg_status status = singular_values(ra, rb, product, cosine, error);
    if (status == HG_OK)
        status = singular_values(d, rb, rest, sine, error);
    for (int64_t i = 0; i < rb && status == HG_OK; i++) {
        double c = cosine[rb - 1 - i], s = sine[i]; /* both of the i-th largest angle */
        angles[i] = s < c ? asin(fmin(s, 1)) : acos(fmin(c, 1));
    }
    return status;
}

hg_status hg_principal_angles(int64_t d, int64_t ra, const double *a, int64_t rb, const double *b, double *angles,
                              hg_error *error)
{
    if (d < 1 || ra < 1 || rb < 1 || ra > d || rb > d || d > INT_MAX / 2)
        return hg_fail(error, HG_BAD_SHAPE, "principal angles are between 1 to d columns of d numbers, not %lldx%lld and "
                       "%lldx%lld", (long long)d, (long long)ra, (long long)d, (long long)rb);
    if (ra < rb)
        return hg_principal_angles(d, rb, b, ra, a, angles, error);
    double *qa = malloc((size_t)(d * ra) * sizeof *qa), *qb = malloc((size_t)(d * rb) * sizeof *qb);
    double *work = malloc((size_t)(ra * rb + d * rb + 2 * rb) * sizeof *work);
    hg_status status = qa == NULL || qb == NULL || work == NULL ? out_of_memory(error) : basis(d, ra, a, qa, error);
    if (status == HG_OK)
        status = basis(d, rb, b, qb, error);
    if (status == HG_OK)
        status = angles_between(d, ra, qa, rb, qb, work, angles, error);
    free(qa);
    free(qb);
    free(work);
    return status;
}
