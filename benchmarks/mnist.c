/* `undercomplete` on MNIST: Adam 0.001, batch 128, 20 epochs; the error of the test images beside its target.
   Usage: mnist [THREADS]; all processors by default. The data are looked for in $HG_DATA/mnist. */
#include "config.h"

#include "peak.h"

#include <hourglass/train.h>

#include <stdio.h>
#include <stdlib.h>

static hg_dataset *open_images(const char *name)
{
    char path[1024];
    const char *directory = getenv("HG_DATA");
    snprintf(path, sizeof path, "%s/mnist/%s", directory != NULL ? directory : "../shared/data", name);
    return hg_dataset_open(path, NULL);
}

static hg_status train_and_test(hg_model *model, const hg_dataset *train, const hg_dataset *test, int threads)
{
    hg_evaluation evaluation;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    hg_status status = hg_train(model, train, &(hg_training){ .epochs = 20, .batch = 128, .threads = threads,
                                                              .optimizer = HG_ADAM(.rate = 0.001),
                                                              .progress = hg_progress_bar, .progress_to = stderr });
    clock_gettime(CLOCK_MONOTONIC, &end);
    double time = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    if (status == HG_OK)
        status = hg_model_evaluate(model, test, &evaluation);
    if (status != HG_OK)
        return status;
    printf("undercomplete on MNIST, 20 epochs in %.1f s (%.0f samples/s; FMA peak of one thread %.0f GFLOP/s)\n", time,
           20.0 * (double)hg_dataset_count(train) / time, 1e-9 * measure_peak());
    printf("  error per pixel of the test images  %.5f   target 0.00800, PCA with 32 numbers 0.0168\n",
           evaluation.errors.mean_squared_error);
    printf("  of the mean image                   %.5f\n", evaluation.baselines.mean_image.mean_squared_error);
    return HG_OK;
}

int main(int argc, char *argv[])
{
    hg_dataset *train = open_images("train-images-idx3-ubyte.gz"), *test = open_images("t10k-images-idx3-ubyte.gz");
    hg_model *model = hg_model_new(hg_autoencoder_find("undercomplete"), HG_F32, 1);
    hg_status status = train_and_test(model, train, test, argc > 1 ? atoi(argv[1]) : 0);
    if (status != HG_OK)
        fprintf(stderr, "mnist: %s\n", hg_model_error(model));
    hg_model_free(model);
    hg_dataset_free(train);
    hg_dataset_free(test);
    return status != HG_OK;
}
