/* How hard a data set is for linear codes: the test error of the mean image and of PCA, per pixel on 0 ... 1.

   Usage: digits_pca [TRAIN [TEST [COMPONENTS]]], by default digits of two seeds and 32 components. An
   autoencoder with as many numbers in its code is worth its name if its error is well below that of PCA. */
#include <hourglass/data.h>

#include <lapacke.h>

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 16, DEFAULT_COMPONENTS = 32 };

typedef struct errors {
    double mean_image, pca; /* squared, mean over samples and pixels */
} errors;

/* Reads up to BLOCK samples from the first on, one after the other, less the mean; returns how many. */
static int64_t read_block(const hg_dataset *data, int64_t first, const double *mean, double *block)
{
    const int64_t size = hg_dataset_size(data);
    int64_t       n    = 0;
    for (; n < BLOCK && first + n < hg_dataset_count(data); n++) {
        hg_dataset_batch(data, 1, NULL, first + n, 0, 1, HG_F64, block + n * size);
        for (int64_t j = 0; j < size; j++)
            block[n * size + j] -= mean[j];
    }
    return n;
}

/* The scatter matrix, upper triangle, row-major; block by block, so that a row stays in the cache meanwhile.
   */
static void scatter(const hg_dataset *data, const double *mean, double *block, double *sum)
{
    const int64_t size = hg_dataset_size(data);
    int64_t       n;
    for (int64_t first = 0; (n = read_block(data, first, mean, block)) > 0; first += n) {
        for (int64_t i = 0; i < size; i++) {
            for (int64_t s = 0; s < n; s++) {
                const double *sample = block + s * size;
                for (int64_t j = i; j < size; j++)
                    sum[i * size + j] += sample[i] * sample[j];
            }
        }
    }
}

/* What is left of the test samples without the mean, and without their part along the orthonormal components.
   */
static errors measure(const hg_dataset *data, const double *mean, const double *component, int components,
                      double *block)
{
    const int64_t size = hg_dataset_size(data);
    double        all = 0, along = 0;
    int64_t       n;
    for (int64_t first = 0; (n = read_block(data, first, mean, block)) > 0; first += n) {
        for (int64_t at = 0; at < n * size; at++)
            all += block[at] * block[at];
        for (int64_t s = 0; s < n; s++) {
            for (int k = 0; k < components; k++) {
                double product = 0;
                for (int64_t j = 0; j < size; j++)
                    product += block[s * size + j] * component[k * size + j];
                along += product * product;
            }
        }
    }
    const double numbers = (double)hg_dataset_count(data) * (double)size;
    return (errors){ all / numbers, (all - along) / numbers };
}

/* PCA on the training data, measured on the test data; false if memory runs out or LAPACK fails. */
static bool compare(const hg_dataset *train, const hg_dataset *test, int components, errors *result)
{
    const size_t     size = (size_t)hg_dataset_size(train);
    const lapack_int d    = (lapack_int)size;
    double          *mean = malloc(size * sizeof *mean), *value = malloc(size * sizeof *value);
    double          *block = malloc(BLOCK * size * sizeof *block), *sum = calloc(size * size, sizeof *sum);
    double          *component = malloc((size_t)components * size * sizeof *component);
    lapack_int      *support = malloc(2 * size * sizeof *support), found = 0;
    bool             good = mean && value && block && sum && component && support;
    if (good) {
        hg_dataset_mean(train, 0, 1, mean);
        scatter(train, mean, block, sum);
        /* an upper triangle by rows is a lower one by columns; eigenvalues ascend */
        good = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', d, sum, d, 0, 0, d - components + 1, d, 0,
                              &found, value, component, d, support) == 0 &&
               found == components;
    }
    if (good)
        *result = measure(test, mean, component, components, block);
    free(mean);
    free(value);
    free(block);
    free(sum);
    free(component);
    free(support);
    return good;
}

static bool check(const hg_dataset *data)
{
    if (hg_dataset_status(data) == HG_OK)
        return true;
    fprintf(stderr, "digits_pca: %s\n", hg_dataset_error(data));
    return false;
}

int main(int count, char **word)
{
    const char *train_spec = count > 1 ? word[1] : "digits:count=10000,seed=1";
    const char *test_spec  = count > 2 ? word[2] : "digits:count=2000,seed=2";
    const int   components = count > 3 ? atoi(word[3]) : DEFAULT_COMPONENTS;
    hg_dataset *train = hg_dataset_open(train_spec, NULL), *test = hg_dataset_open(test_spec, NULL);
    errors      result;
    bool        good = check(train) && check(test);
    if (good && (hg_dataset_size(train) != hg_dataset_size(test) || components < 1 ||
                 components > hg_dataset_size(train))) {
        fprintf(stderr, "digits_pca: samples of %lld and %lld numbers have no PCA with %d components\n",
                (long long)hg_dataset_size(train), (long long)hg_dataset_size(test), components);
        good = false;
    }
    if (good && !(good = compare(train, test, components, &result)))
        fprintf(stderr, "digits_pca: memory ran out, or LAPACK found no eigenvectors\n");
    if (good)
        printf("train %s, test %s, squared error per pixel: mean image %.6f, PCA-%d %.6f\n", train_spec,
               test_spec, result.mean_image, components, result.pca);
    hg_dataset_free(train);
    hg_dataset_free(test);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
