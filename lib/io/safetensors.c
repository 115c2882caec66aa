/* safetensors: eight bytes with the header's length, a JSON header, the tensors' bytes; everything
   little-endian. The metadata holds a CRC-32 of the whole file, taken with its own digits as zeros. */
#include "bytes.h"
#include "file.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LENGTH_SIZE = 8, ALIGNMENT = 8, CHECKSUM_DIGITS = 8, MOST_HEADER = 100 * 1000 * 1000 };

#define METADATA_KEY "__metadata__"
#define OUR_PREFIX   "hourglass."
#define FORMAT_KEY   OUR_PREFIX "format"
#define FORMAT       "1"
#define CHECKSUM_KEY OUR_PREFIX "checksum"
#define NO_CHECKSUM  "00000000"
/* What stands before the digits in a compact header. Quotes inside JSON strings are escaped, so this is
   always a key. */
#define CHECKSUM_MARK "\"" CHECKSUM_KEY "\":\""

static const struct dtype_name {
    const char *name;
    size_t      size;
} dtype_names[] = { [HG_F32] = { "F32", 4 }, [HG_F64] = { "F64", 8 }, [HG_I64] = { "I64", 8 } };
enum { DTYPES = sizeof dtype_names / sizeof *dtype_names };

/* Bytes of a tensor; -1 if a dimension is negative or the product exceeds 2^62. */
static int64_t tensor_bytes(hg_dtype dtype, const hg_shape *shape)
{
    int64_t bytes = (int64_t)dtype_names[dtype].size;
    for (int i = 0; i < shape->rank; i++) {
        if (!hg_multiply(&bytes, shape->dim[i]))
            return -1;
    }
    return bytes;
}

static uint32_t extend_checksum(uint32_t checksum, const void *bytes, size_t size)
{
    if (size == 0) /* zlib would begin anew for no bytes at NULL */
        return checksum;
    return (uint32_t)crc32_z(checksum, bytes, size);
}

static void print_checksum(uint32_t checksum, char text[CHECKSUM_DIGITS + 1])
{
    snprintf(text, CHECKSUM_DIGITS + 1, "%08" PRIx32, checksum);
}

/* ---- Writing ------------------------------------------------------------------------------------------- */

typedef struct output {
    const char                 *path;
    hg_error                   *error;
    size_t                      tensors;
    const hg_safetensors_entry *tensor;
    hg_file_writer             *file;     /* NULL while only the checksum is taken */
    uint32_t                    checksum; /* of what was put so far */
} output;

static void put(output *to, const void *bytes, size_t size)
{
    to->checksum = extend_checksum(to->checksum, bytes, size);
    if (to->file)
        hg_file_write(to->file, bytes, size);
}

static void put_elements(output *to, const void *data, size_t count, size_t size)
{
    if (hg_host_order() == HG_LITTLE_ENDIAN) {
        put(to, data, count * size);
        return;
    }
    unsigned char chunk[4096];
    const size_t  most = sizeof chunk / size;
    for (size_t done = 0; done < count; done += most) {
        size_t part = count - done < most ? count - done : most;
        memcpy(chunk, (const unsigned char *)data + done * size, part * size);
        hg_convert_order(chunk, part, size, HG_LITTLE_ENDIAN);
        put(to, chunk, part * size);
    }
}

/* The tensors in the file's order: wide elements first, so that all are aligned. Begins with index = 0, size
   = 0. */
static const hg_safetensors_entry *next_tensor(const output *to, size_t *index, size_t *size)
{
    static const size_t widest = 8, narrowest = 4;
    for (*size = *size ? *size : widest; *size >= narrowest; *size /= 2, *index = 0) {
        while (*index < to->tensors) {
            const hg_safetensors_entry *tensor = &to->tensor[(*index)++];
            if (dtype_names[tensor->dtype].size == *size)
                return tensor;
        }
    }
    return NULL;
}

static void put_file(output *to, const char *header, size_t header_size)
{
    unsigned char length[LENGTH_SIZE];
    hg_store_unsigned(length, sizeof length, HG_LITTLE_ENDIAN, header_size);
    to->checksum = 0;
    put(to, length, sizeof length);
    put(to, header, header_size);
    size_t                      index = 0, size = 0;
    const hg_safetensors_entry *tensor;
    while ((tensor = next_tensor(to, &index, &size)))
        put_elements(to, tensor->data, (size_t)tensor_bytes(tensor->dtype, &tensor->shape) / size, size);
}

/* Adds a value (which it takes over) under a key that must be new and in UTF-8. */
static bool add(output *to, json_t *object, const char *key, json_t *value, const char *what)
{
    if (json_object_get(object, key)) {
        hg_fail(to->error, HG_BAD_ARGUMENT, "cannot write %s: %s \"%.100s\" is given twice", to->path, what,
                key);
        json_decref(value);
        return false;
    }
    if (value && json_object_set_new(object, key, value) == 0)
        return true;
    hg_fail(to->error, HG_BAD_ARGUMENT, "cannot write %s: %s \"%.100s\" is not in UTF-8, or memory ran out",
            to->path, what, key);
    return false;
}

static json_t *describe_metadata(output *to, size_t texts, const hg_safetensors_text text[])
{
    json_t *metadata = json_object();
    bool    good     = metadata && add(to, metadata, FORMAT_KEY, json_string(FORMAT), "metadata") &&
                add(to, metadata, CHECKSUM_KEY, json_string(NO_CHECKSUM), "metadata");
    for (size_t i = 0; i < texts && good; i++)
        good = add(to, metadata, text[i].key, json_string(text[i].value), "metadata");
    if (good)
        return metadata;
    json_decref(metadata);
    return NULL;
}

static json_t *describe_tensor(const hg_safetensors_entry *tensor, int64_t begin, int64_t end)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[i]));
    if (json_array_size(shape) != (size_t)tensor->shape.rank) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_names[tensor->dtype].name, "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static json_t *describe_file(output *to, size_t texts, const hg_safetensors_text text[])
{
    json_t *header   = json_object();
    json_t *metadata = header ? describe_metadata(to, texts, text) : NULL;
    bool    good     = metadata && add(to, header, METADATA_KEY, metadata, "tensor");

    int64_t                     begin = 0;
    size_t                      index = 0, size = 0;
    const hg_safetensors_entry *tensor;
    while (good && (tensor = next_tensor(to, &index, &size))) {
        int64_t bytes = tensor_bytes(tensor->dtype, &tensor->shape);
        if (bytes < 0 || bytes > INT64_MAX - begin) {
            hg_fail(to->error, HG_BAD_SHAPE,
                    "cannot write %s: tensor \"%.100s\" has a negative dimension or is too large", to->path,
                    tensor->name);
            good = false;
        } else {
            good = add(to, header, tensor->name, describe_tensor(tensor, begin, begin + bytes), "tensor");
            begin += bytes;
        }
    }
    if (good)
        return header;
    json_decref(header);
    return NULL;
}

/* The header's text, padded with spaces; NULL on failure. */
static char *print_header(json_t *header, size_t *size)
{
    const size_t used = json_dumpb(header, NULL, 0, JSON_COMPACT);
    *size             = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *text        = used ? malloc(*size + 1) : NULL;
    if (!text)
        return NULL;
    memset(text, ' ', *size);
    text[*size] = '\0';
    json_dumpb(header, text, used, JSON_COMPACT);
    return text;
}

hg_status hg_safetensors_write(const char *path, size_t tensors, const hg_safetensors_entry tensor[],
                               size_t texts, const hg_safetensors_text text[], hg_error *error)
{
    hg_error own    = { .status = HG_OK };
    output   to     = { .path = path, .error = &own, .tensors = tensors, .tensor = tensor };
    size_t   size   = 0;
    json_t  *header = describe_file(&to, texts, text);
    char    *bytes  = header ? print_header(header, &size) : NULL;
    json_decref(header);
    if (bytes && size > MOST_HEADER) {
        hg_fail(&own, HG_BAD_ARGUMENT, "cannot write %s: its header would have %zu bytes; %d are allowed",
                path, size, MOST_HEADER);
    } else if (bytes) {
        char digits[CHECKSUM_DIGITS + 1];
        put_file(&to, bytes, size);
        print_checksum(to.checksum, digits);
        memcpy(strstr(bytes, CHECKSUM_MARK) + strlen(CHECKSUM_MARK), digits, CHECKSUM_DIGITS);
        if ((to.file = hg_file_writer_open(path, &own))) {
            put_file(&to, bytes, size);
            hg_file_commit(to.file);
        }
    } else {
        /* unless something else is latched */
        hg_fail(&own, HG_OUT_OF_MEMORY, "memory ran out while writing %s", path);
    }
    free(bytes);
    return own.status == HG_OK ? HG_OK : hg_fail(error, own.status, "%s", own.text);
}

/* ---- Reading ------------------------------------------------------------------------------------------- */

typedef struct stored_tensor {
    hg_safetensors_entry entry;
    uint64_t             begin, end; /* in the bytes after the header */
} stored_tensor;

struct hg_safetensors {
    json_t        *header; /* owns names and metadata */
    size_t         count;
    stored_tensor *tensor;
    bool           checked;
};

/* The header as it is in the file. */
typedef struct header_text {
    char  *bytes;
    size_t size;
    char  *digits; /* where the checksum stands; NULL if there is none */
} header_text;

/* One sentence about a tensor; returns false. */
static bool refuse_tensor(hg_reader *reader, const char *name, const char *reason)
{
    hg_reader_refuse(reader, "tensor \"%.100s\": %s", name, reason);
    return false;
}

static bool read_header(hg_reader *reader, header_text *text)
{
    unsigned char length[LENGTH_SIZE];
    uint64_t      got = hg_reader_read(reader, length, sizeof length);
    if (got < sizeof length) {
        hg_reader_refuse(reader,
                         "the file ends at byte %" PRIu64 ", within the header's length (bytes 0 to 7)", got);
        return false;
    }
    const uint64_t size = hg_load_unsigned(length, sizeof length, HG_LITTLE_ENDIAN);
    if (size < 2 || size > MOST_HEADER) {
        hg_reader_refuse(reader,
                         "not a safetensors file: the header's length (bytes 0 to 7) is %" PRIu64
                         ", which is not 2 to %d",
                         size, MOST_HEADER);
        return false;
    }
    text->size  = (size_t)size;
    text->bytes = hg_reader_load(reader, size, &got);
    if (got < size)
        hg_reader_refuse(reader, "the header has %" PRIu64 " bytes, but the file ends at byte %" PRIu64, size,
                         reader->offset);
    else if (text->bytes && text->bytes[0] != '{')
        hg_reader_refuse(reader, "not a safetensors file: byte %d is 0x%02x, not the header's '{'",
                         LENGTH_SIZE, (unsigned char)text->bytes[0]);
    return reader->status == HG_OK;
}

static bool parse_header(hg_reader *reader, const header_text *text, json_t **header)
{
    json_error_t error;
    *header = json_loadb(text->bytes, text->size, JSON_REJECT_DUPLICATES, &error);
    if (*header)
        return true;
    if (json_error_code(&error) == json_error_out_of_memory)
        hg_reader_out_of_memory(reader);
    else
        hg_reader_refuse(reader, "the header is not sound JSON at byte %d: %s", LENGTH_SIZE + error.position,
                         error.text);
    return false;
}

static const char *metadata_value(json_t *header, const char *key)
{
    return json_string_value(json_object_get(json_object_get(header, METADATA_KEY), key));
}

/* Finds the checksum's digits. They may be missing only if nothing else says that the file is ours: a damaged
   key must not switch the check off. */
static bool check_metadata(hg_reader *reader, json_t *header, header_text *text)
{
    json_t *metadata = json_object_get(header, METADATA_KEY), *value;
    if (!metadata)
        return true;
    if (!json_is_object(metadata)) {
        hg_reader_refuse(reader, "the header's " METADATA_KEY " is not an object");
        return false;
    }
    const char *key;
    bool        ours = false;
    json_object_foreach (metadata, key, value) {
        if (!json_is_string(value)) {
            hg_reader_refuse(reader, "the metadata's \"%.100s\" is not a string", key);
            return false;
        }
        ours = ours || strncmp(key, OUR_PREFIX, strlen(OUR_PREFIX)) == 0;
    }
    if (!ours)
        return true;
    const char *format = metadata_value(header, FORMAT_KEY);
    if (!format || strcmp(format, FORMAT) != 0) {
        hg_reader_refuse(reader,
                         "the metadata's " FORMAT_KEY " is \"%.20s\"; this program reads \"" FORMAT "\"",
                         format ? format : "");
        return false;
    }
    const char *checksum = metadata_value(header, CHECKSUM_KEY);
    char       *mark     = strstr(text->bytes, CHECKSUM_MARK);
    if (!checksum || strlen(checksum) != CHECKSUM_DIGITS || !mark) {
        hg_reader_refuse(reader, "the metadata's " CHECKSUM_KEY " is missing or not %d digits as written",
                         CHECKSUM_DIGITS);
        return false;
    }
    text->digits = mark + strlen(CHECKSUM_MARK);
    return true;
}

static bool parse_dtype(hg_reader *reader, const char *name, json_t *value, hg_dtype *dtype)
{
    const char *text = json_string_value(value);
    for (int i = 0; text && i < DTYPES; i++) {
        if (strcmp(text, dtype_names[i].name) == 0) {
            *dtype = (hg_dtype)i;
            return true;
        }
    }
    hg_reader_refuse(reader, "tensor \"%.100s\": dtype \"%.20s\" is not supported; F32, F64 and I64 are",
                     name, text ? text : "");
    return false;
}

static bool parse_shape(hg_reader *reader, const char *name, json_t *value, hg_shape *shape)
{
    if (!json_is_array(value) || json_array_size(value) > HG_MAX_RANK)
        return refuse_tensor(reader, name, "the shape is not a list of at most 8 dimensions");
    shape->rank = (int)json_array_size(value);
    for (int i = 0; i < shape->rank; i++) {
        json_t *dimension = json_array_get(value, (size_t)i);
        if (!json_is_integer(dimension) || json_integer_value(dimension) < 0)
            return refuse_tensor(reader, name, "a dimension is not a natural number");
        shape->dim[i] = json_integer_value(dimension);
    }
    return true;
}

static bool parse_offsets(hg_reader *reader, const char *name, json_t *value, stored_tensor *tensor)
{
    json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return refuse_tensor(reader, name, "data_offsets are not two natural numbers in order");
    tensor->begin = (uint64_t)json_integer_value(begin);
    tensor->end   = (uint64_t)json_integer_value(end);

    const int64_t bytes = tensor_bytes(tensor->entry.dtype, &tensor->entry.shape);
    if (bytes < 0)
        return refuse_tensor(reader, name, "the product of the dimensions exceeds 2^62");
    if ((uint64_t)bytes != tensor->end - tensor->begin) {
        hg_reader_refuse(reader,
                         "tensor \"%.100s\": shape and dtype need %" PRId64
                         " bytes, but data_offsets hold %" PRIu64,
                         name, bytes, tensor->end - tensor->begin);
        return false;
    }
    return true;
}

static bool parse_tensor(hg_reader *reader, const char *name, json_t *value, stored_tensor *tensor)
{
    tensor->entry.name = name;
    if (!json_is_object(value) || json_object_size(value) != 3)
        return refuse_tensor(reader, name,
                             "the header's entry is not an object of dtype, shape and data_offsets");
    return parse_dtype(reader, name, json_object_get(value, "dtype"), &tensor->entry.dtype) &&
           parse_shape(reader, name, json_object_get(value, "shape"), &tensor->entry.shape) &&
           parse_offsets(reader, name, json_object_get(value, "data_offsets"), tensor);
}

static int by_offset(const void *a, const void *b)
{
    const stored_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->entry.name, y->entry.name);
}

/* Sorts the tensors by offset; they must lie one right behind the other. */
static bool check_layout(hg_reader *reader, hg_safetensors *file, size_t header_size)
{
    qsort(file->tensor, file->count, sizeof *file->tensor, by_offset);
    uint64_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const stored_tensor *tensor = &file->tensor[i];
        if (tensor->begin != end) {
            hg_reader_refuse(reader,
                             "tensor \"%.100s\" begins at byte %" PRIu64
                             ", but the tensors before it end at byte %" PRIu64,
                             tensor->entry.name, LENGTH_SIZE + header_size + tensor->begin,
                             LENGTH_SIZE + header_size + end);
            return false;
        }
        end = tensor->end;
    }
    return true;
}

static bool parse_tensors(hg_reader *reader, hg_safetensors *file, size_t header_size)
{
    const char *name;
    json_t     *value;
    if (!(file->tensor = calloc(json_object_size(file->header) + 1, sizeof *file->tensor))) {
        hg_reader_out_of_memory(reader);
        return false;
    }
    json_object_foreach (file->header, name, value) {
        if (strcmp(name, METADATA_KEY) == 0)
            continue;
        if (!parse_tensor(reader, name, value, &file->tensor[file->count++]))
            return false;
    }
    return check_layout(reader, file, header_size);
}

static bool read_tensors(hg_reader *reader, hg_safetensors *file, uint32_t *checksum)
{
    for (size_t i = 0; i < file->count; i++) {
        stored_tensor *tensor = &file->tensor[i];
        const uint64_t size   = tensor->end - tensor->begin;
        uint64_t       got;
        void          *data = hg_reader_load(reader, size, &got);
        tensor->entry.data  = data;
        if (got < size)
            hg_reader_refuse(reader,
                             "tensor \"%.100s\" needs %" PRIu64 " bytes, but the file ends at byte %" PRIu64,
                             tensor->entry.name, size, reader->offset);
        if (reader->status != HG_OK)
            return false;
        *checksum                 = extend_checksum(*checksum, data, (size_t)size);
        const size_t element_size = dtype_names[tensor->entry.dtype].size;
        hg_convert_order(data, (size_t)size / element_size, element_size, HG_LITTLE_ENDIAN);
    }
    const uint64_t end = reader->offset, more = hg_reader_drain(reader);
    if (more)
        hg_reader_refuse(reader, "%" PRIu64 " bytes follow the last tensor at byte %" PRIu64, more, end);
    return reader->status == HG_OK;
}

/* Takes the digits out of the header; returns the checksum of the length and the header without them. */
static uint32_t begin_checksum(header_text *text, char digits[CHECKSUM_DIGITS])
{
    unsigned char length[LENGTH_SIZE];
    hg_store_unsigned(length, sizeof length, HG_LITTLE_ENDIAN, text->size);
    if (text->digits) {
        memcpy(digits, text->digits, CHECKSUM_DIGITS);
        memcpy(text->digits, NO_CHECKSUM, CHECKSUM_DIGITS);
    }
    return extend_checksum(extend_checksum(0, length, sizeof length), text->bytes, text->size);
}

static bool check_checksum(hg_reader *reader, const header_text *text, const char digits[], uint32_t checksum)
{
    char right[CHECKSUM_DIGITS + 1];
    print_checksum(checksum, right);
    if (text->digits && memcmp(digits, right, CHECKSUM_DIGITS) != 0) {
        hg_reader_refuse(reader,
                         "the file is damaged: its checksum (byte %td) is %.8s, but its bytes give %s",
                         LENGTH_SIZE + (text->digits - text->bytes), digits, right);
        return false;
    }
    return true;
}

hg_safetensors *hg_safetensors_open(const char *path, hg_error *error)
{
    hg_reader       reader;
    header_text     text = { .bytes = NULL };
    char            digits[CHECKSUM_DIGITS];
    hg_safetensors *file = calloc(1, sizeof *file);
    hg_reader_open(&reader, path, error);
    if (!file)
        hg_reader_out_of_memory(&reader);
    bool good = file && reader.status == HG_OK && read_header(&reader, &text) &&
                parse_header(&reader, &text, &file->header) && check_metadata(&reader, file->header, &text) &&
                parse_tensors(&reader, file, text.size);
    if (good) {
        uint32_t checksum = begin_checksum(&text, digits);
        good = read_tensors(&reader, file, &checksum) && check_checksum(&reader, &text, digits, checksum);
        file->checked = text.digits != NULL;
    }
    hg_reader_close(&reader);
    free(text.bytes);
    if (good)
        return file;
    hg_safetensors_free(file);
    return NULL;
}

void hg_safetensors_free(hg_safetensors *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        free((void *)file->tensor[i].entry.data);
    free(file->tensor);
    json_decref(file->header);
    free(file);
}

size_t hg_safetensors_count(const hg_safetensors *file)
{
    return file->count;
}

const hg_safetensors_entry *hg_safetensors_at(const hg_safetensors *file, size_t index)
{
    return index < file->count ? &file->tensor[index].entry : NULL;
}

const hg_safetensors_entry *hg_safetensors_find(const hg_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensor[i].entry.name, name) == 0)
            return &file->tensor[i].entry;
    }
    return NULL;
}

const char *hg_safetensors_metadata(const hg_safetensors *file, const char *key)
{
    return metadata_value(file->header, key);
}

bool hg_safetensors_checked(const hg_safetensors *file)
{
    return file->checked;
}
