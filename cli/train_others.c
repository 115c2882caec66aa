/* Trainings of another kind: PCA, which is computed, and predictive sparse decomposition. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- PCA ------------------------------------------------------------------------------------------------ */

enum { MOST_EIGENFACES = 39 };

/* An image to [-1, 1]: the mean by its range, eigenvectors by their largest entry, so that 0 is grey. */
static void fill_face(const double *from, int64_t stride, bool is_mean, int64_t size, double *to, int64_t columns)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < size; i++) {
        low = fmin(low, from[i * stride]);
        high = fmax(high, from[i * stride]);
    }
    double centre = is_mean ? (low + high) / 2 : 0, reach = is_mean ? (high - low) / 2 : fmax(high, -low);
    for (int64_t i = 0; i < size; i++)
        to[i * columns] = reach > 0 ? (from[i * stride] - centre) / reach : 0;
}

/* The mean image and the first eigenvectors (T16). */
static int draw_eigenfaces(const hg_pca *pca, const hg_shape *image, const char *directory)
{
    hg_error error = { 0 };
    int64_t faces = pca->components < MOST_EIGENFACES ? pca->components : MOST_EIGENFACES, columns = faces + 1;
    double *values = malloc((size_t)(pca->size * columns) * sizeof *values);
    char *path = hg_join(directory, "eigenfaces.png");
    int status = 0;
    if (values == NULL || path == NULL) {
        status = hg_complain("out of memory: %lld eigenfaces", (long long)faces);
    } else {
        fill_face(pca->mean, 1, true, pca->size, values, columns);
        for (int64_t j = 0; j < faces; j++)
            fill_face(pca->vectors + j, pca->components, false, pca->size, values + 1 + j, columns);
        const hg_png_grid_spec grid = { .image = *image, .count = columns, .low = -1, .high = 1, .dtype = HG_F64,
                                        .series = 1, .values = (const void *const[]){ values } };
        if (hg_png_grid(path, &grid, &error) != HG_OK)
            status = hg_complain("%s", error.text);
    }
    free(path);
    free(values);
    return status;
}

int hg_job_pca(hg_job *job)
{
    hg_error error = { 0 };
    int64_t asked = job->options->code, code = asked != 0 ? asked : hg_model_code_size(job->model);
    hg_scaling scale = hg_model_scaling(job->model);
    if (asked == 0 && code > hg_dataset_size(job->data))
        code = hg_dataset_size(job->data);
    hg_pca *pca = hg_pca_new(job->data, scale.low, scale.high, code, &error);
    if (pca == NULL)
        return hg_complain("%s", error.text);
    hg_model_free(job->model);
    job->model = hg_model_from_pca(pca, hg_dataset_shape(job->data), HG_F32);
    int status = hg_model_status(job->model) == HG_OK ? 0 : hg_job_failed(job);
    const hg_shape *shape = hg_dataset_shape(job->data);
    if (status == 0 && shape->rank == 3 && (shape->dim[0] == 1 || shape->dim[0] == 3))
        status = draw_eigenfaces(pca, shape, job->directory);
    double sum = 0, kept = 0;
    for (int64_t i = 0; i < pca->size; i++) {
        sum += pca->values[i];
        kept += i < code ? pca->values[i] : 0;
    }
    if (status == 0)
        printf("%lld components hold %.2f%% of the variance\n", (long long)code, sum > 0 ? 100 * kept / sum : 100);
    hg_pca_free(pca);
    return status == 0 ? hg_job_finish(job) : status;
}

/* ---- Predictive sparse decomposition -------------------------------------------------------------------- */

typedef struct observer {
    hg_file_writer *file;
    hg_history     *history;
} observer;

static void observe(const hg_psd_report *r, void *to)
{
    const observer *o = to;
    fprintf(stderr, "epoch %" PRId64 "/%" PRId64 "  objective %.6g  reconstruction %.6g  gap %.4g of %.4g  active %.1f%%  "
            "%.0f samples/s\n", r->epoch, r->epochs, r->objective, r->reconstruction, r->gap, r->code, 100 * r->active,
            r->samples_per_second);
    hg_file_print(o->file, "%" PRId64 ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g\n", r->epoch, r->objective, r->reconstruction,
                  r->magnitude, r->gap, r->code, r->active);
    hg_record(&(hg_report){ .epoch = r->epoch, .epochs = r->epochs, .train_loss = r->objective }, o->history);
}

int hg_job_psd(hg_job *job)
{
    hg_error error = { 0 };
    const hg_training *t = &job->training;
    char *path = hg_join(job->directory, "metrics.csv");
    if (path == NULL)
        return HG_EXIT_FAILURE;
    hg_file_writer *file = hg_file_writer_open(path, &error);
    hg_file_print(file, "epoch,objective,reconstruction,magnitude,gap,code,active\n");
    observer o = { file, &job->history };
    hg_status status = hg_psd_train(job->model, job->data,
                                    &(hg_psd_training){ .settings = { .sparsity = job->options->sparsity },
                                                        .epochs = t->epochs, .batch = t->batch, .optimizer = t->optimizer,
                                                        .schedule = t->schedule, .warm_up = t->warm_up, .clip = t->clip,
                                                        .threads = t->threads, .progress = observe, .progress_to = &o });
    free(path);
    if (status != HG_OK)
        return hg_file_discard(file), hg_job_failed(job);
    return hg_file_commit(file) == HG_OK ? hg_job_finish(job) : hg_complain("%s", error.text);
}
