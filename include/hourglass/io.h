/* Files: written whole or not at all, and distrusted when read. Every failure is one sentence that names the
   file. */
#ifndef HOURGLASS_IO_H
#define HOURGLASS_IO_H

#include <hourglass/status.h>
#include <hourglass/tensor.h>

/* ---- Writing a file whole ------------------------------------------------------------------------------ */

/* The bytes go into a new file beside the target, which takes the target's name only when all of them are on
   the disk. Until then, and after any failure, an earlier file of that name stays as it was. A symbolic link
   is followed; a target that is not a regular file (a pipe, /dev/stdout) is written straight. */
typedef struct hg_file_writer hg_file_writer;

/* error (may be NULL) latches the first failure, "cannot write FILE: reason", and must outlive the writer.
   Returns NULL on failure. The functions below accept NULL and then do nothing but return HG_CANNOT_WRITE, so
   a sequence of writes needs no check before the commit. */
HG_API hg_file_writer *hg_file_writer_open(const char *path, hg_error *error);
HG_API hg_status       hg_file_write(hg_file_writer *writer, const void *bytes, size_t size);
HG_API hg_status       hg_file_print(hg_file_writer *writer, const char *format, ...) HG_PRINTF(2, 3);
/* Both free the writer. A commit after a failed write discards, and returns that failure's status. */
HG_API hg_status hg_file_commit(hg_file_writer *writer);
HG_API void      hg_file_discard(hg_file_writer *writer);

/* ---- safetensors --------------------------------------------------------------------------------------- */

typedef struct hg_safetensors_entry {
    const char *name;
    hg_dtype    dtype;
    hg_shape    shape; /* numbers only, no HG_BATCH */
    const void *data;  /* row-major, aligned for its dtype */
} hg_safetensors_entry;

typedef struct hg_safetensors_text {
    const char *key, *value; /* UTF-8 */
} hg_safetensors_text;

/* Writes tensors and metadata. The bytes depend on the arguments alone. Metadata keys that begin with
   "hourglass." are reserved where listed here: "hourglass.format", the version of these conventions, "1";
   "hourglass.checksum", the CRC-32 of the whole file, taken with the checksum's own eight hexadecimal digits
   as zeros. */
HG_API hg_status hg_safetensors_write(const char *path, size_t tensors, const hg_safetensors_entry tensor[],
                                      size_t texts, const hg_safetensors_text text[], hg_error *error);

/* Reads and validates a whole file (gzipped or not). Returns NULL on failure. Dtypes other than F32, F64 and
   I64 are refused. A file with any "hourglass." metadata must have the right checksum; one from elsewhere may
   have none. */
typedef struct hg_safetensors hg_safetensors;
HG_API hg_safetensors *hg_safetensors_open(const char *path, hg_error *error);
HG_API void            hg_safetensors_free(hg_safetensors *file); /* accepts NULL */

/* Tensors in the order of their bytes; NULL past the end, or if there is none of that name. Owned by the
   file. */
HG_API size_t                      hg_safetensors_count(const hg_safetensors *file);
HG_API const hg_safetensors_entry *hg_safetensors_at(const hg_safetensors *file, size_t index);
HG_API const hg_safetensors_entry *hg_safetensors_find(const hg_safetensors *file, const char *name);
/* The metadata's value for a key; NULL if there is none. Owned by the file. */
HG_API const char *hg_safetensors_metadata(const hg_safetensors *file, const char *key);
/* Whether the file carried a checksum (it was right, then). */
HG_API bool hg_safetensors_checked(const hg_safetensors *file);

/* ---- NPY ----------------------------------------------------------------------------------------------- */

/* Element types in files. */
typedef enum hg_element {
    HG_ELEMENT_U8,
    HG_ELEMENT_I8,
    HG_ELEMENT_I16,
    HG_ELEMENT_I32,
    HG_ELEMENT_I64,
    HG_ELEMENT_F32,
    HG_ELEMENT_F64
} hg_element;
HG_API size_t      hg_element_size(hg_element element); /* bytes */
HG_API const char *hg_element_name(hg_element element); /* "u8", "f32" ... */

/* An array of numbers, row-major; by custom the samples are the first axis. */
typedef struct hg_npy {
    hg_element element;
    hg_shape   shape;
    void      *data;
} hg_npy;

HG_API hg_status hg_npy_write(const char *path, const hg_npy *array, hg_error *error);
/* Reads a file (gzipped or not) of any element type above, in either byte order. Fortran order, other types
   and damaged files are refused. Returns NULL on failure. */
HG_API hg_npy *hg_npy_read(const char *path, hg_error *error);
HG_API void    hg_npy_free(hg_npy *array); /* frees the data too; accepts NULL */

/* ---- PNG ----------------------------------------------------------------------------------------------- */

/* Writes an image of 8 bits per channel: 1 channel is grey, 3 are RGB (interleaved), rows from the top. */
HG_API hg_status hg_png_write(const char *path, int64_t width, int64_t height, int channels,
                              const uint8_t *pixels, hg_error *error);

/* A contact sheet. Each series has the same number of images, for example originals and their
   reconstructions; image i of each stands below image i of the one before, with a gap of one pixel. */
typedef struct hg_png_grid_spec {
    hg_shape           image;   /* channels x height x width, 1 or 3 channels */
    int64_t            count;   /* images in each series */
    int64_t            columns; /* images side by side; 0: 10, or all of them if they are fewer */
    double             low;     /* the value that is drawn black ... */
    double             high;    /* ... and the one drawn white; values outside are clamped, NaN is refused */
    hg_dtype           dtype;   /* HG_F32 or HG_F64 */
    int                series;
    const void *const *values; /* of each series: (channels height width) x count, samples are columns */
} hg_png_grid_spec;

HG_API hg_status hg_png_grid(const char *path, const hg_png_grid_spec *grid, hg_error *error);

#endif
