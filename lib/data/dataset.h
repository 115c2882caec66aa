/* The inside of a data set, and where its samples come from. */
#ifndef HG_DATA_DATASET_H
#define HG_DATA_DATASET_H

#include <hourglass/data.h>
#include <hourglass/io.h>

struct hg_dataset {
    hg_error       error;
    hg_element     element; /* HG_ELEMENT_U8, _F32 or _F64 */
    hg_shape       shape;   /* of a sample */
    int64_t        size;    /* numbers in a sample */
    int64_t        count;
    int64_t        classes;
    double         low, high; /* range of the stored values */
    const void    *samples;
    const int64_t *labels;                   /* NULL: none */
    void          *own_samples, *own_labels; /* what to free; NULL in a view */
};

/* The sources. On failure they latch dataset->error. */
void hg_digits_fill(hg_dataset *dataset, int64_t count, uint64_t seed);
void hg_idx_fill(hg_dataset *dataset, const char *path);
void hg_idx_fill_labels(hg_dataset *dataset, const char *path); /* after the samples */

/* What the sources share; false latches an error, which names the source. Blocks from malloc are taken over,
   also on failure. */
bool hg_dataset_set_shape(hg_dataset *dataset, const char *source, const hg_shape *sample, int64_t count);
void hg_dataset_take_bytes(hg_dataset *dataset, void *samples);
bool hg_dataset_take_reals(hg_dataset *dataset, const char *source, hg_element element, void *samples);
bool hg_dataset_take_labels(hg_dataset *dataset, const char *source, int64_t *labels);

#endif
