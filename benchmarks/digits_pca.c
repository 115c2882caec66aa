/* How hard a data set is for linear codes: the test error of the mean image and of PCA, per pixel on 0 ... 1.

   Usage: digits_pca [TRAIN [TEST [COMPONENTS]]], by default digits of two seeds and 32 components. An autoencoder with as
   many numbers in its code is worth its name if its error is well below that of PCA. */
#include <hourglass/pca.h>

#include <stdio.h>
#include <stdlib.h>

/* Mean over the samples of ||x - mean||^2, where mean is that of the training data. */
static double mean_image_error(const hg_pca *pca, const hg_dataset *data, double *sample)
{
    double sum = 0;
    for (int64_t i = 0; i < hg_dataset_count(data); i++) {
        hg_dataset_batch(data, 1, NULL, i, pca->low, pca->high, HG_F64, sample);
        for (int64_t j = 0; j < pca->size; j++)
            sum += (sample[j] - pca->mean[j]) * (sample[j] - pca->mean[j]);
    }
    return sum / (double)hg_dataset_count(data);
}

static hg_status report(const hg_pca *pca, const hg_dataset *test, hg_error *error)
{
    double left, *sample = malloc((size_t)pca->size * sizeof *sample);
    if (sample == NULL)
        return hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: a sample");
    hg_status status = hg_pca_squared_error(pca, test, &left, error);
    if (status == HG_OK)
        printf("mean image %.6f\nPCA-%lld     %.6f\n", mean_image_error(pca, test, sample) / (double)pca->size,
               (long long)pca->components, left / (double)pca->size);
    free(sample);
    return status;
}

int main(int argc, char **argv)
{
    hg_error error = { 0 };
    hg_dataset *train = hg_dataset_open(argc > 1 ? argv[1] : "digits:count=10000,seed=1", NULL);
    hg_dataset *test = hg_dataset_open(argc > 2 ? argv[2] : "digits:count=2000,seed=2", NULL);
    hg_pca *pca = hg_pca_new(train, 0, 1, argc > 3 ? atoi(argv[3]) : 32, &error);
    hg_status status = hg_dataset_status(test) == HG_OK ? error.status : hg_dataset_status(test);
    if (pca != NULL && status == HG_OK)
        status = report(pca, test, &error);
    if (status != HG_OK)
        fprintf(stderr, "digits_pca: %s\n", *error.text != '\0' ? error.text : hg_dataset_error(test));
    hg_pca_free(pca);
    hg_dataset_free(train);
    hg_dataset_free(test);
    return status != HG_OK;
}
