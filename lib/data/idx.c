/* IDX files: a magic (two zeros, element type, number of dimensions), the dimensions, the values; all
   big-endian. */
#include "dataset.h"

#include "../io/bytes.h"
#include "../io/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES_MAGIC = 0x0803, LABELS_MAGIC = 0x0801, IMAGES_RANK = 3, WORD = 4 };

static const struct idx_type {
    unsigned   code;
    hg_element element; /* in the file */
    hg_element stored;  /* in the data set */
} types[] = {
    { 0x08, HG_ELEMENT_U8, HG_ELEMENT_U8 },   { 0x09, HG_ELEMENT_I8, HG_ELEMENT_F32 },
    { 0x0b, HG_ELEMENT_I16, HG_ELEMENT_F32 }, { 0x0c, HG_ELEMENT_I32, HG_ELEMENT_F64 },
    { 0x0d, HG_ELEMENT_F32, HG_ELEMENT_F32 }, { 0x0e, HG_ELEMENT_F64, HG_ELEMENT_F64 },
};
enum { TYPES = sizeof types / sizeof *types };

typedef struct header {
    uint32_t               magic;
    const struct idx_type *type;
    hg_shape               shape; /* samples first */
    int64_t                count; /* values in all */
} header;

static bool read_word(hg_reader *reader, uint32_t *word)
{
    unsigned char  bytes[WORD];
    const uint64_t got = hg_reader_read(reader, bytes, WORD);
    if (got < WORD) {
        hg_reader_refuse(reader, "the file ends at byte %" PRIu64 ", within the IDX header", reader->offset);
        return false;
    }
    *word = (uint32_t)hg_load_unsigned(bytes, WORD, HG_BIG_ENDIAN);
    return true;
}

static bool read_magic(hg_reader *reader, header *into)
{
    if (!read_word(reader, &into->magic))
        return false;
    for (int i = 0; i < TYPES && into->magic >> 16 == 0; i++) {
        if (types[i].code == into->magic >> 8)
            into->type = &types[i];
    }
    into->shape.rank = (int)(into->magic & 0xff);
    if (into->type && into->shape.rank >= 1 && into->shape.rank <= HG_MAX_RANK)
        return true;
    hg_reader_refuse(reader,
                     "not an IDX file: its magic is 0x%08" PRIx32 "; byte images have 0x%08x, labels 0x%08x",
                     into->magic, IMAGES_MAGIC, LABELS_MAGIC);
    return false;
}

static bool read_dimensions(hg_reader *reader, header *into)
{
    int64_t bytes = (int64_t)hg_element_size(into->type->element);
    into->count   = 1;
    for (int i = 0; i < into->shape.rank; i++) {
        uint32_t dimension;
        if (!read_word(reader, &dimension))
            return false;
        into->shape.dim[i] = dimension;
        if (dimension == 0) {
            hg_reader_refuse(reader, "dimension %d (byte %d) is 0", i, WORD * (i + 1));
            return false;
        }
        if (!hg_multiply(&into->count, dimension) || !hg_multiply(&bytes, dimension)) {
            hg_reader_refuse(
                reader, "the product of the dimensions does not fit in 62 bits at dimension %d (byte %d)", i,
                WORD * (i + 1));
            return false;
        }
    }
    return true;
}

/* The values in the host's byte order, in a new block; NULL latches an error. */
static void *read_values(hg_reader *reader, const header *from)
{
    const size_t   size     = hg_element_size(from->type->element);
    const uint64_t expected = (uint64_t)from->count * size;
    uint64_t       got;
    void          *values = hg_reader_load(reader, expected, &got);
    if (values)
        got += hg_reader_drain(reader);
    if (got != expected)
        hg_reader_refuse(reader,
                         "the IDX header promises %" PRIu64 " bytes of values, but %" PRIu64 " follow it",
                         expected, got);
    if (reader->status != HG_OK) {
        free(values);
        return NULL;
    }
    hg_convert_order(values, (size_t)from->count, size, HG_BIG_ENDIAN);
    return values;
}

static bool wants_samples(hg_reader *reader, const header *found)
{
    if (found->shape.rank >= 2)
        return true;
    if (found->magic == LABELS_MAGIC)
        hg_reader_refuse(reader, "a label file (magic %d) was given where images belong (magic %d)",
                         LABELS_MAGIC, IMAGES_MAGIC);
    else
        hg_reader_refuse(reader,
                         "an IDX file with one dimension (magic %" PRIu32 ") was given where samples belong",
                         found->magic);
    return false;
}

static bool wants_labels(hg_reader *reader, const header *found)
{
    if (found->magic == LABELS_MAGIC)
        return true;
    hg_reader_refuse(reader, "%s (magic %" PRIu32 ") was given where labels belong (magic %d)",
                     found->shape.rank >= 2 ? "an image file" : "a file that does not hold bytes",
                     found->magic, LABELS_MAGIC);
    return false;
}

/* Reads a whole file whose header `wanted` accepts; NULL latches an error. */
static void *read_idx(const char *path, bool (*wanted)(hg_reader *, const header *), header *found,
                      hg_error *error)
{
    hg_reader reader;
    void     *values = NULL;
    *found           = (header){ .type = NULL };
    if (hg_reader_open(&reader, path, error) == HG_OK && read_magic(&reader, found) &&
        wanted(&reader, found) && read_dimensions(&reader, found))
        values = read_values(&reader, found);
    hg_reader_close(&reader);
    return values;
}

static double value_of(const void *values, int64_t at, hg_element element)
{
    switch (element) {
    case HG_ELEMENT_I8:
        return ((const int8_t *)values)[at];
    case HG_ELEMENT_I16:
        return ((const int16_t *)values)[at];
    default:
        return ((const int32_t *)values)[at];
    }
}

/* Integers to reals that hold them exactly; the values are freed. NULL if memory runs out. */
static void *widen(void *values, int64_t count, const struct idx_type *type)
{
    void *reals = malloc((size_t)count * hg_element_size(type->stored));
    for (int64_t i = 0; i < count && reals; i++) {
        const double value = value_of(values, i, type->element);
        if (type->stored == HG_ELEMENT_F32)
            ((float *)reals)[i] = (float)value;
        else
            ((double *)reals)[i] = value;
    }
    free(values);
    return reals;
}

/* Shape of a sample: an image gets its one channel. */
static hg_shape sample_shape(const hg_shape *file)
{
    hg_shape sample = { .rank = 0 };
    if (file->rank == IMAGES_RANK)
        sample.dim[sample.rank++] = 1;
    for (int i = 1; i < file->rank; i++)
        sample.dim[sample.rank++] = file->dim[i];
    return sample;
}

void hg_idx_fill(hg_dataset *dataset, const char *path)
{
    header found;
    void  *values = read_idx(path, wants_samples, &found, &dataset->error);
    if (!values)
        return;
    const hg_shape sample = sample_shape(&found.shape);
    if (!hg_dataset_set_shape(dataset, path, &sample, found.shape.dim[0])) {
        free(values);
        return;
    }
    if (found.type->element == HG_ELEMENT_U8) {
        hg_dataset_take_bytes(dataset, values);
        return;
    }
    if (found.type->element != found.type->stored)
        values = widen(values, found.count, found.type);
    if (values)
        hg_dataset_take_reals(dataset, path, found.type->stored, values);
    else
        hg_fail(&dataset->error, HG_OUT_OF_MEMORY, "memory ran out while reading %s", path);
}

void hg_idx_fill_labels(hg_dataset *dataset, const char *path)
{
    header   found;
    uint8_t *bytes = read_idx(path, wants_labels, &found, &dataset->error);
    if (!bytes)
        return;
    int64_t *labels = NULL;
    if (found.count != dataset->count)
        hg_fail(&dataset->error, HG_BAD_DATA, "%s: there are %" PRId64 " labels for %" PRId64 " samples",
                path, found.count, dataset->count);
    else if (!(labels = malloc((size_t)found.count * sizeof *labels)))
        hg_fail(&dataset->error, HG_OUT_OF_MEMORY, "memory ran out while reading %s", path);
    for (int64_t i = 0; i < found.count && labels; i++)
        labels[i] = bytes[i];
    free(bytes);
    if (labels)
        hg_dataset_take_labels(dataset, path, labels);
}
