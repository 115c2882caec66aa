/* safetensors: what comes back, and that no damage goes unseen. */
#include "files.h"

#include <hourglass/io.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const float   weights[6] = { 1, -2, 3.5f, 0, 1e-20f, 6 };
static const double  moments[3] = { 1.0 / 3, -0.0, 1e300 };
static const int64_t steps[1]   = { -123456789012345 };
static const float   bias[3]    = { 7, 8, 9 };

static const hg_safetensors_entry tensors[] = {
    { "encoder/weight", HG_F32, { 2, { 2, 3 } }, weights },
    { "encoder/bias", HG_F32, { 1, { 3 } }, bias },
    { "moments", HG_F64, { 3, { 1, 3, 1 } }, moments },
    { "step", HG_I64, { 0, { 0 } }, steps },
    { "empty", HG_F32, { 2, { 0, 5 } }, NULL },
};
static const hg_safetensors_text texts[] = { { "architecture", "{\"name\": \"a\\b\"}" },
                                             { "hourglass.model", "m" } };

static hg_status write_sample(const char *path, hg_error *error)
{
    return hg_safetensors_write(path, COUNT(tensors), tensors, COUNT(texts), texts, error);
}

static size_t bytes_of(const hg_safetensors_entry *tensor)
{
    size_t bytes = tensor->dtype == HG_F32 ? 4 : 8;
    for (int i = 0; i < tensor->shape.rank; i++)
        bytes *= (size_t)tensor->shape.dim[i];
    return bytes;
}

static void safetensors_come_back(void **state)
{
    (void)state;
    hg_error error = { .status = HG_OK };
    size_t   size[2];
    assert_int_equal(write_sample(in_scratch("a"), &error), HG_OK);
    assert_int_equal(write_sample(in_scratch("b"), &error), HG_OK);
    unsigned char *a = read_bytes(in_scratch("a"), &size[0]), *b = read_bytes(in_scratch("b"), &size[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(a, b, size[0]);
    assert_int_equal(a[0] % 8, 0); /* the bytes after the header are aligned */
    write_gzip(in_scratch("b"), b, size[1]);
    free(a);
    free(b);

    for (int gzipped = 0; gzipped < 2; gzipped++) {
        hg_safetensors *file = hg_safetensors_open(in_scratch(gzipped ? "b" : "a"), &error);
        assert_string_equal(error.text, "");
        assert_non_null(file);
        assert_true(hg_safetensors_checked(file));
        assert_int_equal(hg_safetensors_count(file), COUNT(tensors));
        assert_null(hg_safetensors_at(file, COUNT(tensors)));
        for (size_t i = 0; i < COUNT(tensors); i++) {
            const hg_safetensors_entry *found = hg_safetensors_find(file, tensors[i].name);
            assert_non_null(found);
            assert_int_equal(found->dtype, tensors[i].dtype);
            assert_int_equal(found->shape.rank, tensors[i].shape.rank);
            for (int k = 0; k < found->shape.rank; k++)
                assert_int_equal(found->shape.dim[k], tensors[i].shape.dim[k]);
            if (bytes_of(found))
                assert_memory_equal(found->data, tensors[i].data, bytes_of(found));
        }
        assert_null(hg_safetensors_find(file, "encoder"));
        for (size_t i = 0; i < COUNT(texts); i++)
            assert_string_equal(hg_safetensors_metadata(file, texts[i].key), texts[i].value);
        assert_null(hg_safetensors_metadata(file, "nothing"));
        hg_safetensors_free(file);
    }
    hg_safetensors_free(NULL);
    scratch_files(1);
}

/* A damaged file must be refused with a sentence that names it. */
static void assert_refused(const char *path, const char *what, size_t place)
{
    hg_error        error = { .status = HG_OK };
    hg_safetensors *file  = hg_safetensors_open(path, &error);
    if (file || error.status != HG_BAD_FILE || strncmp(error.text, path, strlen(path)) != 0 ||
        strlen(error.text) < strlen(path) + 10)
        fail_msg("%s %zu: accepted, or a poor message: \"%s\"", what, place, error.text);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    size_t size;
    assert_int_equal(write_sample(in_scratch("whole"), NULL), HG_OK);
    unsigned char *bytes = read_bytes(in_scratch("whole"), &size);
    for (size_t length = 0; length < size; length++) {
        write_bytes(in_scratch("cut"), bytes, length);
        assert_refused(in_scratch("cut"), "length", length);
    }
    unsigned char *longer = malloc(size + 1);
    memcpy(longer, bytes, size);
    longer[size] = 0;
    write_bytes(in_scratch("cut"), longer, size + 1);
    assert_refused(in_scratch("cut"), "length", size + 1);
    free(longer);
    free(bytes);
    scratch_files(1);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    size_t size;
    assert_int_equal(write_sample(in_scratch("whole"), NULL), HG_OK);
    unsigned char *bytes = read_bytes(in_scratch("whole"), &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_bytes(in_scratch("flipped"), bytes, size);
        assert_refused(in_scratch("flipped"), "bit", bit);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(bytes);
    scratch_files(1);
}

/* A file from a header's text and a number of bytes after it. */
static void write_safetensors_by_hand(const char *path, const char *header, size_t payload)
{
    const size_t   length = strlen(header);
    unsigned char *bytes  = calloc(1, 8 + length + payload);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    write_bytes(path, bytes, 8 + length + payload);
    free(bytes);
}

#define TENSOR(dtype, shape, begin, end)                                                                     \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void foreign_safetensors_need_no_checksum(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t      payload, count;
    } cases[] = {
        { "{}", 0, 0 },
        { "{\"__metadata__\":{\"format\":\"np\"},\"w\":" TENSOR("F32", "[2]", "0", "8") "}   ", 8, 1 },
        { "{\"b\":" TENSOR("F64", "[]", "4", "12") ",\"a\":" TENSOR("F32", "[1]", "0", "4") "}", 12, 2 },
        { "{\"a\":" TENSOR("I64", "[0,9223372036854775807]", "0", "0") "}", 0, 1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { .status = HG_OK };
        write_safetensors_by_hand(in_scratch("foreign"), cases[i].header, cases[i].payload);
        hg_safetensors *file = hg_safetensors_open(in_scratch("foreign"), &error);
        assert_string_equal(error.text, "");
        assert_non_null(file);
        assert_false(hg_safetensors_checked(file));
        assert_int_equal(hg_safetensors_count(file), cases[i].count);
        hg_safetensors_free(file);
    }
    scratch_files(1);
}

static void wrong_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t      payload;
        const char *phrase;
    } cases[] = {
        { "[]", 0, "byte 8 is 0x5b" },
        { "{", 0, "is 1, which is not 2 to" },
        { "{\"a\":}", 0, "not sound JSON at byte" },
        { "{}{}", 0, "not sound JSON at byte" },
        { "{\"a\":1,\"a\":1}", 0, "duplicate" },
        { "{\"a\":1}", 0, "tensor \"a\": the header's entry" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tensor \"a\": the header's entry" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"offsets\":[0,4]}}", 4, "tensor \"a\": data_offsets" },
        { "{\"a\":" TENSOR("BF16", "[1]", "0", "2") "}", 2, "dtype \"BF16\" is not supported" },
        { "{\"a\":" TENSOR("F32", "[-1]", "0", "4") "}", 4, "not a natural number" },
        { "{\"a\":" TENSOR("F32", "[1.0]", "0", "4") "}", 4, "not a natural number" },
        { "{\"a\":" TENSOR("F32", "4", "0", "4") "}", 4, "not a list" },
        { "{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "at most 8" },
        { "{\"a\":" TENSOR("F32", "[4294967296,4294967296]", "0", "4") "}", 4, "exceeds 2^62" },
        { "{\"a\":" TENSOR("F32", "[99999999999999999999]", "0", "4") "}", 4, "not sound JSON" },
        { "{\"a\":" TENSOR("F32", "[1]", "4", "0") "}", 4, "in order" },
        { "{\"a\":" TENSOR("F32", "[1]", "-4", "0") "}", 4, "natural numbers" },
        { "{\"a\":" TENSOR("F32", "[2]", "0", "4") "}", 4, "need 8 bytes, but data_offsets hold 4" },
        { "{\"a\":" TENSOR("F32", "[1]", "4", "8") "}", 8, "begins at byte" },
        { "{\"a\":" TENSOR("F32", "[1]", "0", "4") ",\"b\":" TENSOR("F32", "[1]", "0", "4") "}", 4,
          "begins at byte" },
        { "{\"a\":" TENSOR("F32", "[2]", "0", "8") ",\"b\":" TENSOR("F32", "[1]", "4", "8") "}", 8,
          "begins at byte" },
        { "{\"a\":" TENSOR("F32", "[1]", "0", "4") ",\"b\":" TENSOR("F32", "[1]", "8", "12") "}", 12,
          "begins at byte" },
        { "{\"a\":" TENSOR("F32", "[2]", "0", "8") "}", 7,
          "tensor \"a\" needs 8 bytes, but the file ends at byte" },
        { "{\"a\":" TENSOR("F32", "[1000000000000]", "0", "4000000000000") "}", 8,
          "but the file ends at byte" },
        { "{\"a\":" TENSOR("F32", "[2]", "0", "8") "}", 9, "1 bytes follow the last tensor" },
        { "{\"__metadata__\":[]}", 0, "not an object" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "\"a\" is not a string" },
        { "{\"__metadata__\":{\"hourglass.model\":\"x\"}}", 0, "hourglass.format" },
        { "{\"__metadata__\":{\"hourglass.format\":\"2\"}}", 0, "hourglass.format is \"2\"" },
        { "{\"__metadata__\":{\"hourglass.format\":\"1\"}}", 0, "hourglass.checksum is missing" },
        { "{\"__metadata__\":{\"hourglass.format\":\"1\",\"hourglass.checksum\":\"123\"}}", 0,
          "not 8 digits" },
        { "{\"__metadata__\":{\"hourglass.format\":\"1\",\"hourglass.checksum\": \"12345678\"}}", 0,
          "as written" },
        { "{\"__metadata__\":{\"hourglass.format\":\"1\",\"hourglass.checksum\":\"12345678\"}}", 0,
          "but its bytes give" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { .status = HG_OK };
        write_safetensors_by_hand(in_scratch("wrong"), cases[i].header, cases[i].payload);
        assert_null(hg_safetensors_open(in_scratch("wrong"), &error));
        assert_int_equal(error.status, HG_BAD_FILE);
        assert_says(error.text, in_scratch("wrong"), cases[i].phrase);
    }
    hg_error error = { .status = HG_OK };
    assert_null(hg_safetensors_open(in_scratch("absent"), &error));
    assert_int_equal(error.status, HG_CANNOT_READ);
    assert_says(error.text, "absent", "No such file or directory");
    hg_error directory = { .status = HG_OK };
    assert_null(hg_safetensors_open(scratch, &directory));
    assert_int_equal(directory.status, HG_CANNOT_READ);
    assert_says(directory.text, scratch, "Is a directory");
    scratch_files(1);
}

static void unwritable_safetensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        hg_safetensors_entry tensor;
        hg_safetensors_text  text;
        const char          *phrase;
    } cases[] = {
        { { "encoder/weight", HG_F32, { 0, { 0 } }, bias },
          { "k", "v" },
          "tensor \"encoder/weight\" is given twice" },
        { { "__metadata__", HG_F32, { 0, { 0 } }, bias }, { "k", "v" }, "given twice" },
        { { "\xff", HG_F32, { 0, { 0 } }, bias }, { "k", "v" }, "UTF-8" },
        { { "w", HG_F32, { 1, { HG_BATCH } }, bias }, { "k", "v" }, "tensor \"w\" has a negative dimension" },
        { { "w", HG_F64, { 2, { INT64_MAX, 2 } }, bias }, { "k", "v" }, "too large" },
        { { "w", HG_F32, { 0, { 0 } }, bias },
          { "hourglass.checksum", "v" },
          "\"hourglass.checksum\" is given twice" },
        { { "w", HG_F32, { 0, { 0 } }, bias }, { "k", "\xc3" }, "metadata \"k\" is not in UTF-8" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error                   error  = { .status = HG_OK };
        const hg_safetensors_entry both[] = { tensors[0], cases[i].tensor };
        assert_int_not_equal(hg_safetensors_write(in_scratch("not"), 2, both, 1, &cases[i].text, &error),
                             HG_OK);
        assert_says(error.text, in_scratch("not"), cases[i].phrase);
        assert_int_equal(scratch_files(0), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_come_back),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(foreign_safetensors_need_no_checksum),
        cmocka_unit_test(wrong_headers_are_refused),
        cmocka_unit_test(unwritable_safetensors_are_refused),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_scratch, remove_scratch);
}
