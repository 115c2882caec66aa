/* NumPy's array files: a magic, a version, the text of a Python dictionary, and the numbers. */
#include "bytes.h"
#include "file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct element_type {
    const char *name, *code; /* ours, NumPy's */
    size_t      size;
} element_types[] = {
    [HG_ELEMENT_U8] = { "u8", "u1", 1 },   [HG_ELEMENT_I8] = { "i8", "i1", 1 },
    [HG_ELEMENT_I16] = { "i16", "i2", 2 }, [HG_ELEMENT_I32] = { "i32", "i4", 4 },
    [HG_ELEMENT_I64] = { "i64", "i8", 8 }, [HG_ELEMENT_F32] = { "f32", "f4", 4 },
    [HG_ELEMENT_F64] = { "f64", "f8", 8 },
};
enum { ELEMENT_TYPES = sizeof element_types / sizeof *element_types };

static const char magic[6] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };
enum { VERSION_SIZE = 2, ALIGNMENT = 64, MOST_HEADER = 1 << 16 };

size_t hg_element_size(hg_element element)
{
    return element_types[element].size;
}

const char *hg_element_name(hg_element element)
{
    return element_types[element].name;
}

static char order_mark(hg_byte_order order, size_t size)
{
    return size == 1 ? '|' : order == HG_LITTLE_ENDIAN ? '<' : '>';
}

/* Bytes of the array; -1 if the shape is not one of plain numbers or does not fit. */
static int64_t array_bytes(const hg_shape *shape, hg_element element)
{
    int64_t bytes = (int64_t)hg_element_size(element);
    for (int i = 0; i < shape->rank; i++) {
        if (!hg_multiply(&bytes, shape->dim[i]))
            return -1;
    }
    return bytes;
}

/* ---- Writing ------------------------------------------------------------------------------------------- */

hg_status hg_npy_write(const char *path, const hg_npy *array, hg_error *error)
{
    const struct element_type *type  = &element_types[array->element];
    const int64_t              bytes = array_bytes(&array->shape, array->element);
    if (bytes < 0)
        return hg_fail(error, HG_BAD_SHAPE,
                       "cannot write %s: a dimension of the array is negative or too large", path);

    char header[512] = { 0 };
    int  used        = snprintf(header, sizeof header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                                order_mark(hg_host_order(), type->size), type->code);
    for (int i = 0; i < array->shape.rank; i++)
        used += snprintf(header + used, sizeof header - (size_t)used, "%" PRId64 "%s", array->shape.dim[i],
                         i + 1 < array->shape.rank ? ", " : array->shape.rank == 1 ? "," : "");
    used += snprintf(header + used, sizeof header - (size_t)used, "), }");

    const size_t  start = sizeof magic + VERSION_SIZE + 2;
    const size_t  end   = (start + (size_t)used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    unsigned char length[2];
    hg_store_unsigned(length, sizeof length, HG_LITTLE_ENDIAN, end - start);

    hg_file_writer *file = hg_file_writer_open(path, error);
    if (!file)
        return error ? error->status : HG_CANNOT_WRITE;
    hg_file_write(file, magic, sizeof magic);
    hg_file_write(file, "\1\0", VERSION_SIZE);
    hg_file_write(file, length, sizeof length);
    hg_file_print(file, "%-*s\n", (int)(end - start) - 1, header);
    hg_file_write(file, array->data, (size_t)bytes);
    return hg_file_commit(file);
}

/* ---- Reading ------------------------------------------------------------------------------------------- */

typedef struct header {
    char          descr[16];
    bool          fortran_order;
    hg_shape      shape;
    unsigned      seen; /* bits of the keys met */
    hg_element    element;
    hg_byte_order order;
} header;

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t");
}

/* Takes the word from the text; NULL if something else is there, or given NULL. */
static const char *take(const char *at, const char *word)
{
    if (!at)
        return NULL;
    at = skip_spaces(at);
    return strncmp(at, word, strlen(word)) == 0 ? at + strlen(word) : NULL;
}

/* Each parser below reads one value of the dictionary and returns where it ends, or NULL. */
static const char *parse_descr(const char *at, header *into)
{
    if (!(at = take(at, "'")))
        return NULL;
    size_t length = strcspn(at, "'");
    if (length >= sizeof into->descr)
        return NULL;
    memcpy(into->descr, at, length);
    into->descr[length] = '\0';
    return take(at + length, "'");
}

static const char *parse_fortran_order(const char *at, header *into)
{
    const char *end     = take(at, "True");
    into->fortran_order = end != NULL;
    return end ? end : take(at, "False");
}

static const char *parse_dimension(const char *at, int64_t *dimension)
{
    *dimension = 0;
    at         = skip_spaces(at);
    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (!hg_multiply(dimension, 10))
            return NULL;
        *dimension += *at - '0';
    }
    return at;
}

static const char *parse_shape(const char *at, header *into)
{
    at = take(at, "(");
    while (at && !take(at, ")")) {
        if (into->shape.rank == HG_MAX_RANK)
            return NULL;
        at = parse_dimension(at, &into->shape.dim[into->shape.rank++]);
        if (at && !take(at, ")"))
            at = take(at, ",");
    }
    return take(at, ")");
}

static const struct key {
    const char *name;
    const char *(*parse)(const char *at, header *into);
} keys[] = {
    { "'descr'", parse_descr },
    { "'fortran_order'", parse_fortran_order },
    { "'shape'", parse_shape },
};
enum { KEYS = sizeof keys / sizeof *keys };

static const char *parse_item(const char *at, header *into)
{
    for (unsigned i = 0; i < KEYS; i++) {
        const char *value = take(at, keys[i].name);
        if (value && !(into->seen & 1u << i)) {
            into->seen |= 1u << i;
            return (value = take(value, ":")) ? keys[i].parse(value, into) : NULL;
        }
    }
    return NULL;
}

static bool parse_dictionary(const char *text, header *into)
{
    const char *at = take(text, "{");
    while (at && !take(at, "}")) {
        at = parse_item(at, into);
        if (at && !take(at, "}"))
            at = take(at, ",");
    }
    at = take(at, "}");
    return at && at[strspn(at, " \t\n")] == '\0' && into->seen == (1u << KEYS) - 1;
}

static bool find_element(header *into)
{
    for (int i = 0; i < ELEMENT_TYPES; i++) {
        const struct element_type *type = &element_types[i];
        if (strcmp(into->descr + (into->descr[0] != '\0'), type->code) != 0)
            continue;
        for (hg_byte_order order = HG_LITTLE_ENDIAN; order <= HG_BIG_ENDIAN; order++) {
            if (into->descr[0] == order_mark(order, type->size)) {
                into->element = (hg_element)i;
                into->order   = order;
                return true;
            }
        }
    }
    return false;
}

/* Reads the magic, the version and the dictionary; false latches why not. */
static bool read_header(hg_reader *reader, header *into)
{
    unsigned char start[sizeof magic + VERSION_SIZE];
    if (hg_reader_read(reader, start, sizeof start) != sizeof start ||
        memcmp(start, magic, sizeof magic) != 0) {
        hg_reader_refuse(reader, "not an NPY file: it does not begin with \\x93NUMPY and a version");
        return false;
    }
    const int version = start[sizeof magic];
    if (version < 1 || version > 3) {
        hg_reader_refuse(reader, "NPY version %d is not known; 1 to 3 are", version);
        return false;
    }
    unsigned char size_bytes[4] = { 0 };
    const size_t  wide          = version == 1 ? 2 : 4;
    uint64_t      got           = hg_reader_read(reader, size_bytes, wide);
    uint64_t      size          = hg_load_unsigned(size_bytes, wide, HG_LITTLE_ENDIAN);
    if (got < wide || size > MOST_HEADER) {
        hg_reader_refuse(reader, "the header's length at byte %zu is cut off or above %d", sizeof start,
                         MOST_HEADER);
        return false;
    }
    char *text = calloc(1, size + 1);
    if (!text) {
        hg_reader_out_of_memory(reader);
        return false;
    }
    got = hg_reader_read(reader, text, size);
    if (got < size)
        hg_reader_refuse(reader, "the header should have %" PRIu64 " bytes, but the file ends after %" PRIu64,
                         size, got);
    else if (strlen(text) != size || !parse_dictionary(text, into))
        hg_reader_refuse(reader,
                         "the header is not a dictionary of descr, fortran_order and a shape of at most %d "
                         "dimensions: %.100s",
                         HG_MAX_RANK, text);
    else if (into->fortran_order)
        hg_reader_refuse(reader, "the array is in Fortran order; row-major order is wanted");
    else if (!find_element(into))
        hg_reader_refuse(reader, "elements of type '%s' are not supported; u1, i1, i2, i4, i8, f4 and f8 are",
                         into->descr);
    free(text);
    return reader->status == HG_OK;
}

static void *read_data(hg_reader *reader, const header *from)
{
    const size_t  size     = hg_element_size(from->element);
    const int64_t expected = array_bytes(&from->shape, from->element);
    if (expected < 0) {
        hg_reader_refuse(reader, "the shape in the header does not fit in 62 bits");
        return NULL;
    }
    uint64_t got;
    void    *data = hg_reader_load(reader, (uint64_t)expected, &got);
    if (data)
        got += hg_reader_drain(reader);
    if (got != (uint64_t)expected)
        hg_reader_refuse(reader,
                         "the header promises %" PRId64 " bytes of numbers, but the file has %" PRIu64,
                         expected, got);
    if (reader->status != HG_OK) {
        free(data);
        return NULL;
    }
    hg_convert_order(data, (size_t)expected / size, size, from->order);
    return data;
}

hg_npy *hg_npy_read(const char *path, hg_error *error)
{
    hg_reader reader;
    header    found = { .seen = 0 };
    hg_npy   *array = NULL;
    hg_reader_open(&reader, path, error);
    if (reader.status == HG_OK && read_header(&reader, &found)) {
        void *data = read_data(&reader, &found);
        if (data && !(array = malloc(sizeof *array))) {
            hg_reader_out_of_memory(&reader);
            free(data);
        }
        if (array)
            *array = (hg_npy){ .element = found.element, .shape = found.shape, .data = data };
    }
    hg_reader_close(&reader);
    return array;
}

void hg_npy_free(hg_npy *array)
{
    if (array) {
        free(array->data);
        free(array);
    }
}
