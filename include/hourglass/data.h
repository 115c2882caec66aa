/* Data sets: samples in memory as they were stored (bytes stay bytes), handed out in batches of reals. */
#ifndef HOURGLASS_DATA_H
#define HOURGLASS_DATA_H

#include <hourglass/status.h>
#include <hourglass/tensor.h>

typedef struct hg_dataset hg_dataset;

typedef struct hg_data_options {
    const char *labels; /* an IDX file of labels, gzipped or not; NULL: as the spec says */
} hg_data_options;

/* Opens the data that a spec names:
       digits                       10000 hand-drawn-looking digits, 1x28x28 grey bytes, labels 0 to 9
       digits:count=60000,seed=7    any number of them; sample i depends on the seed and i alone
       images.gz                    an IDX file of rank 2 or more, samples first, gzipped or not
       images.gz,labels=labels.gz   with its labels
   IDX images (rank 3) get the shape 1 x height x width, other samples keep their dimensions. Bytes stay
   bytes; other integers and reals become real data.
   options may be NULL. Returns NULL only when memory runs out; every other failure is latched in the data
   set, which then has no samples. */
HG_API hg_dataset *hg_dataset_open(const char *spec, const hg_data_options *options);

/* Copies `count` samples (each row-major, one after the other) of HG_F32 or HG_F64, and their labels (natural
   numbers, or NULL). A NaN or an infinity is refused by its place. Failures as in hg_dataset_open. */
HG_API hg_dataset *hg_dataset_new(const hg_shape *sample_shape, int64_t count, hg_dtype dtype,
                                  const void *samples, const int64_t *labels);

/* Samples first ... first + count - 1 of another data set, shared with it: the parent must live longer. The
   range stays that of the parent. Failures as in hg_dataset_open. */
HG_API hg_dataset *hg_dataset_view(const hg_dataset *parent, int64_t first, int64_t count);

HG_API void hg_dataset_free(hg_dataset *dataset); /* accepts NULL */

/* What went wrong, as one sentence; "" if nothing did. Never NULL; the data set NULL means that memory ran
   out. */
HG_API const char *hg_dataset_error(const hg_dataset *dataset);
HG_API hg_status   hg_dataset_status(const hg_dataset *dataset);

HG_API int64_t         hg_dataset_count(const hg_dataset *dataset); /* n, number of samples */
HG_API const hg_shape *hg_dataset_shape(const hg_dataset *dataset); /* of one sample */
HG_API int64_t         hg_dataset_size(const hg_dataset *dataset);  /* d, numbers in one sample */
HG_API size_t          hg_dataset_bytes(const hg_dataset *dataset); /* of memory, samples as stored */

/* The label of a sample, -1 if the data have none; one more than the largest label, 0 if they have none. */
HG_API int64_t hg_dataset_label(const hg_dataset *dataset, int64_t index);
HG_API int64_t hg_dataset_classes(const hg_dataset *dataset);

/* The range of the stored values: 0 and 255 for bytes, minimum and maximum for reals. */
HG_API void hg_dataset_range(const hg_dataset *dataset, double *low, double *high);

/* Writes n samples into out, a d x n matrix of the given real dtype (samples are columns): index[0] to
   index[n - 1], or first to first + n - 1 if index is NULL. A byte b becomes low + (high - low) b / 255; real
   data are copied as they are. Allocates nothing. Returns HG_BAD_ARGUMENT, with out unchanged, if a sample
   does not exist; HG_BAD_DTYPE if dtype is not a real one; the data set's own status if that is not HG_OK. */
HG_API hg_status hg_dataset_batch(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first,
                                  double low, double high, hg_dtype dtype, void *out);

/* The same as an attribute struct, for parts that several threads write at the same time. */
typedef struct hg_batch {
    const hg_dataset *dataset;
    int64_t           n;
    const int64_t    *index; /* NULL: first ... first + n - 1 */
    int64_t           first;
    double            low, high;
    hg_dtype          dtype;
} hg_batch;
/* What hg_dataset_batch would return. */
HG_API hg_status hg_batch_check(const hg_batch *batch);
/* Part `part` of `parts` of the rows of a batch that has been checked; `batch` is an hg_batch (an hg_fill_fn). */
HG_API void hg_batch_fill(void *batch, void *out, int part, int parts);

/* The mean of all samples, scaled as in hg_dataset_batch, into mean[0 ... d-1]. */
HG_API hg_status hg_dataset_mean(const hg_dataset *dataset, double low, double high, double *mean);

#endif
