/* Data sets: specs, IDX files, the digits, batches. */
#include "files.h"

#include <hourglass/data.h>

#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Under AddressSanitizer an impossible malloc fails as everywhere, instead of ending the test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ---- IDX files ----------------------------------------------------------------------------------------- */

/* A magic, up to four dimensions (0 ends them), and the bytes of the values 1, 2, 3 ... */
typedef struct idx {
    uint32_t magic, dim[4];
    size_t   payload;
} idx;

static void put_word(unsigned char *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

static size_t make_idx(unsigned char *bytes, const idx *from)
{
    size_t size = 4;
    put_word(bytes, from->magic);
    for (int i = 0; i < 4 && from->dim[i]; i++, size += 4)
        put_word(bytes + size, from->dim[i]);
    for (size_t i = 0; i < from->payload; i++)
        bytes[size++] = (unsigned char)(i + 1);
    return size;
}

static void write_idx(const char *name, const idx *from, int gzipped)
{
    unsigned char bytes[1024];
    const size_t  size = make_idx(bytes, from);
    (gzipped ? write_gzip : write_bytes)(in_scratch(name), bytes, size);
}

static const idx images = { 0x0803, { 3, 2, 5 }, 30 }, labels = { 0x0801, { 3 }, 3 };

static void idx_images_are_read(void **state)
{
    (void)state;
    static const char *const ways[] = { "images", "images,labels=", "images" };
    for (size_t i = 0; i < 2 * COUNT(ways); i++) {
        const int gzipped = i % 2, way = (int)i / 2;
        char      spec[512];
        write_idx("images", &images, gzipped);
        write_idx("labels,odd", &labels, !gzipped);
        snprintf(spec, sizeof spec, "%s%s", in_scratch(ways[way]), way == 1 ? in_scratch("labels,odd") : "");
        const hg_data_options options = { .labels = in_scratch("labels,odd") };
        hg_dataset           *data    = hg_dataset_open(spec, way == 2 ? &options : NULL);
        assert_string_equal(hg_dataset_error(data), "");
        assert_int_equal(hg_dataset_status(data), HG_OK);
        assert_int_equal(hg_dataset_count(data), 3);
        assert_int_equal(hg_dataset_size(data), 10);
        assert_int_equal(hg_dataset_bytes(data), 30);
        const hg_shape *shape = hg_dataset_shape(data);
        assert_int_equal(shape->rank, 3);
        assert_true(shape->dim[0] == 1 && shape->dim[1] == 2 && shape->dim[2] == 5);
        for (int64_t k = -1; k <= 3; k++)
            assert_int_equal(hg_dataset_label(data, k), way && k >= 0 && k < 3 ? k + 1 : -1);
        assert_int_equal(hg_dataset_classes(data), way ? 4 : 0);
        double low, high, values[30];
        hg_dataset_range(data, &low, &high);
        assert_true(low == 0 && high == 255);
        assert_int_equal(hg_dataset_batch(data, 3, NULL, 0, 0, 255, HG_F64, values), HG_OK);
        for (int k = 0; k < 30; k++)
            assert_true(values[k] == k % 3 * 10 + k / 3 + 1);
        hg_dataset_free(data);
    }
    scratch_files(1);
}

/* The value of an element with these bits, for an IDX magic. */
static double value_of_bits(uint32_t magic, uint64_t bits)
{
    const uint32_t half = (uint32_t)bits;
    float          single;
    double         twice;
    memcpy(&single, &half, sizeof single);
    memcpy(&twice, &bits, sizeof twice);
    return magic >> 8 == 0x0d ? (double)single : magic >> 8 == 0x0e ? twice : (double)bits;
}

static void idx_elements_are_read(void **state)
{
    (void)state;
    static const struct {
        idx      file;  /* two samples of one value, bytes 1, 2, 3 ... */
        size_t   bytes; /* as they are stored */
        uint64_t first, second;
    } cases[] = {
        { { 0x0802, { 2, 1 }, 2 }, 2, 1, 2 },
        { { 0x0902, { 2, 1 }, 2 }, 8, 1, 2 },
        { { 0x0b02, { 2, 1 }, 4 }, 8, 0x0102, 0x0304 },
        { { 0x0c02, { 2, 1 }, 8 }, 16, 0x01020304, 0x05060708 },
        { { 0x0d02, { 2, 1 }, 8 }, 8, 0x01020304, 0x05060708 },
        { { 0x0e02, { 2, 1 }, 16 }, 16, 0x0102030405060708, 0x090a0b0c0d0e0f10 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t magic = cases[i].file.magic;
        const double   first = value_of_bits(magic, cases[i].first),
                     second  = value_of_bits(magic, cases[i].second);
        double out[2], low, high;
        write_idx("values", &cases[i].file, 0);
        hg_dataset *data = hg_dataset_open(in_scratch("values"), NULL);
        assert_string_equal(hg_dataset_error(data), "");
        assert_int_equal(hg_dataset_bytes(data), cases[i].bytes);
        assert_int_equal(hg_dataset_batch(data, 2, NULL, 0, 0, 255, HG_F64, out), HG_OK);
        assert_true(out[0] == first && out[1] == second);
        hg_dataset_range(data, &low, &high);
        assert_true(i == 0 ? low == 0 && high == 255 : low == first && high == second);
        hg_dataset_free(data);
    }
    /* signs: -1 as i8, and a file of rank 4 keeps its dimensions */
    const unsigned char negative[] = { 0, 0, 9, 4, 0, 0, 0, 1, 0,    0,    0,   3,
                                       0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0x80, 0x7f };
    float               out[3];
    write_bytes(in_scratch("values"), negative, sizeof negative);
    hg_dataset *data = hg_dataset_open(in_scratch("values"), NULL);
    assert_int_equal(hg_dataset_shape(data)->rank, 3);
    assert_int_equal(hg_dataset_shape(data)->dim[0], 3);
    assert_int_equal(hg_dataset_batch(data, 1, NULL, 0, 0, 1, HG_F32, out), HG_OK);
    assert_true(out[0] == -1 && out[1] == -128 && out[2] == 127);
    hg_dataset_free(data);
    scratch_files(1);
}

/* A data set that failed has a status, a sentence and no samples. */
static void assert_failed(hg_dataset *data, hg_status status, const char *name, const char *phrase)
{
    double out[1], low, high;
    assert_non_null(data);
    assert_says(hg_dataset_error(data), name, phrase);
    assert_int_equal(hg_dataset_status(data), status);
    assert_int_equal(hg_dataset_count(data), 0);
    assert_int_equal(hg_dataset_size(data), 0);
    assert_int_equal(hg_dataset_bytes(data), 0);
    assert_int_equal(hg_dataset_classes(data), 0);
    assert_int_equal(hg_dataset_shape(data)->rank, 0);
    assert_int_equal(hg_dataset_label(data, 0), -1);
    assert_int_equal(hg_dataset_batch(data, 0, NULL, 0, 0, 1, HG_F64, out), status);
    assert_int_equal(hg_dataset_mean(data, 0, 1, out), status);
    hg_dataset_range(data, &low, &high);
    assert_true(low == 0 && high == 0);
    hg_dataset_free(data);
}

static void wrong_idx_is_refused(void **state)
{
    (void)state;
    static const struct {
        idx         images, labels; /* no labels: magic 0 */
        const char *name, *phrase;
        hg_status   status;
    } cases[] = {
        { { 0x1f2e3d4c, { 3, 2, 5 }, 30 }, { 0 }, "images",
          "not an IDX file: its magic is 0x1f2e3d4c", HG_BAD_FILE },
        { { 0x0a03, { 3, 2, 5 }, 30 }, { 0 }, "images",
          "not an IDX file: its magic is 0x00000a03", HG_BAD_FILE },
        { { 0x0800, { 0 }, 30 }, { 0 }, "images", "not an IDX file", HG_BAD_FILE },
        { { 0x0809, { 1, 1, 1, 1 }, 30 }, { 0 }, "images", "not an IDX file", HG_BAD_FILE },
        { { 0x0801, { 3 }, 3 }, { 0 }, "images",
          "a label file (magic 2049) was given where images belong (magic 2051)", HG_BAD_FILE },
        { { 0x0d01, { 3 }, 12 }, { 0 }, "images", "one dimension", HG_BAD_FILE },
        { { 0x0803, { 3, 2, 5 }, 29 }, { 0 }, "images", "promises 30 bytes of values, but 29 follow it",
          HG_BAD_FILE },
        { { 0x0803, { 3, 2, 5 }, 31 }, { 0 }, "images", "promises 30 bytes of values, but 31 follow it",
          HG_BAD_FILE },
        { { 0x0803, { 60000, 28, 28 }, 100 }, { 0 }, "images",
          "promises 47040000 bytes of values, but 100 follow it", HG_BAD_FILE },
        { { 0x0803, { 3, 2 }, 4 }, { 0 }, "images", "but 0 follow it", HG_BAD_FILE },
        { { 0x0803, { 3, 2 }, 0 }, { 0 }, "images", "the file ends at byte 12", HG_BAD_FILE },
        { { 0x0803, { 0 }, 3 }, { 0 }, "images", "the file ends at byte 7", HG_BAD_FILE },
        { { 0x0803, { 0xffffffff, 0xffffffff, 0xffffffff }, 9 }, { 0 }, "images",
          "does not fit in 62 bits at dimension 1", HG_BAD_FILE },
        { { 0x0e03, { 0x80000000, 0x40000000, 1 }, 9 }, { 0 }, "images", "does not fit in 62 bits",
          HG_BAD_FILE },
        { { 0x0803, { 0x80000000, 0x40000000, 1 }, 9 }, { 0 }, "images", "but 9 follow it", HG_BAD_FILE },
        { { 0x0803, { 3, 2, 5 }, 30 }, { 0x0801, { 2 }, 2 }, "labels", "there are 2 labels for 3 samples",
          HG_BAD_DATA },
        { { 0x0803, { 3, 2, 5 }, 30 }, { 0x0801, { 3 }, 2 }, "labels",
          "promises 3 bytes of values, but 2 follow it", HG_BAD_FILE },
        { { 0x0803, { 3, 2, 5 }, 30 }, { 0x0803, { 3, 1, 1 }, 3 }, "labels",
          "an image file (magic 2051) was given where labels belong (magic 2049)", HG_BAD_FILE },
        { { 0x0803, { 3, 2, 5 }, 30 }, { 0x0b01, { 3 }, 6 }, "labels", "does not hold bytes (magic 2817)",
          HG_BAD_FILE },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int gzipped = 0; gzipped < 2; gzipped++) {
            write_idx("images", &cases[i].images, gzipped);
            write_idx("labels", &cases[i].labels, gzipped);
            const hg_data_options options = { .labels = in_scratch("labels") };
            assert_failed(hg_dataset_open(in_scratch("images"), cases[i].labels.magic ? &options : NULL),
                          cases[i].status, in_scratch(cases[i].name), cases[i].phrase);
        }
    }
    const unsigned char zero[] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1 };
    write_bytes(in_scratch("images"), zero, sizeof zero);
    assert_failed(hg_dataset_open(in_scratch("images"), NULL), HG_BAD_FILE, "images",
                  "dimension 1 (byte 8) is 0");
    const unsigned char nan[] = { 0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0x7f, 0xc0, 0, 0 };
    write_bytes(in_scratch("images"), nan, sizeof nan);
    assert_failed(hg_dataset_open(in_scratch("images"), NULL), HG_BAD_DATA, "images",
                  "sample 0 holds a NaN at position 1");
    scratch_files(1);
}

static void every_idx_truncation_is_refused(void **state)
{
    (void)state;
    for (int gzipped = 0; gzipped < 2; gzipped++) {
        size_t size;
        write_idx("whole", &images, gzipped);
        unsigned char *bytes = read_bytes(in_scratch("whole"), &size);
        for (size_t length = 0; length < size; length++) {
            write_bytes(in_scratch("cut"), bytes, length);
            assert_failed(hg_dataset_open(in_scratch("cut"), NULL), HG_BAD_FILE, in_scratch("cut"),
                          gzipped && length > 10 ? "truncated" : ": ");
        }
        free(bytes);
    }
    scratch_files(1);
}

/* ---- Specs --------------------------------------------------------------------------------------------- */

static void wrong_specs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *labels, *phrase;
        hg_status   status;
    } cases[] = {
        { "digits:cuont=3", NULL, "no setting \"cuont\"; known here: count and seed", HG_UNKNOWN_NAME },
        { "digits:", NULL, "no setting \"\"", HG_UNKNOWN_NAME },
        { "digits:count", NULL, "no setting \"count\"", HG_UNKNOWN_NAME },
        { "digits:count=0", NULL, "count=0 is not a whole number from 1", HG_BAD_ARGUMENT },
        { "digits:count=-5", NULL, "count=-5 is not a whole number", HG_BAD_ARGUMENT },
        { "digits:count=1e3", NULL, "count=1e3 is not a whole number", HG_BAD_ARGUMENT },
        { "digits:count=5,3", NULL, "count=5,3 is not a whole number", HG_BAD_ARGUMENT },
        { "digits:count=99999999999999999999", NULL, "is not a whole number", HG_BAD_ARGUMENT },
        { "digits:seed=18446744073709551616", NULL, "seed=18446744073709551616 is not a whole number",
          HG_BAD_ARGUMENT },
        { "digits:count=9223372036854775807", NULL, "must fit in memory", HG_BAD_SHAPE },
        { "digits:count=700000000000000", NULL, "memory ran out", HG_OUT_OF_MEMORY },
        { "digits", "labels", "labels of their own", HG_BAD_ARGUMENT },
        { "digit", NULL, "cannot read digit: No such file or directory", HG_CANNOT_READ },
        { "", NULL, "cannot read", HG_CANNOT_READ },
        { ".", NULL, "Is a directory", HG_CANNOT_READ },
        { "missing/images,lables=x", NULL, "no setting \"lables\"; known here: labels", HG_UNKNOWN_NAME },
        { "images,labels=a,labels=b", NULL, "two files of labels are given, a and b", HG_BAD_ARGUMENT },
        { "images,labels=a", "b", "two files of labels are given, b and a", HG_BAD_ARGUMENT },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const hg_data_options options = { .labels = cases[i].labels };
        assert_failed(hg_dataset_open(cases[i].spec, &options), cases[i].status, "", cases[i].phrase);
    }
    write_idx("images", &images, 0);
    const hg_data_options missing = { .labels = in_scratch("missing") };
    assert_failed(hg_dataset_open(in_scratch("images"), &missing), HG_CANNOT_READ, in_scratch("missing"),
                  "cannot read");
    scratch_files(1);

    assert_true(strlen(hg_dataset_error(NULL)) > 0);
    assert_int_equal(hg_dataset_status(NULL), HG_OUT_OF_MEMORY);
    assert_int_equal(hg_dataset_count(NULL), 0);
    hg_dataset_free(NULL);
}

/* ---- Digits -------------------------------------------------------------------------------------------- */

enum { PIXELS = 784 };

/* Bytes of samples first ... first + count - 1 as they are stored. */
static uint8_t *stored_bytes(const hg_dataset *data, int64_t first, int64_t count)
{
    float   *columns = malloc((size_t)count * PIXELS * sizeof *columns);
    uint8_t *bytes   = malloc((size_t)count * PIXELS);
    assert_int_equal(hg_dataset_batch(data, count, NULL, first, 0, 255, HG_F32, columns), HG_OK);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < PIXELS; j++)
            bytes[i * PIXELS + j] = (uint8_t)(columns[j * count + i] + 0.5f);
    }
    free(columns);
    return bytes;
}

static void digits_are_a_function_of_seed_and_index(void **state)
{
    (void)state;
    hg_dataset *one   = hg_dataset_open("digits:count=100", NULL),
               *more  = hg_dataset_open("digits:seed=1,count=205", NULL),
               *other = hg_dataset_open("digits:count=100,seed=2", NULL);
    assert_string_equal(hg_dataset_error(one), "");
    assert_int_equal(hg_dataset_count(more), 205);
    assert_int_equal(hg_dataset_classes(one), 10);
    assert_int_equal(hg_dataset_bytes(one), 100 * PIXELS);
    uint8_t *a = stored_bytes(one, 0, 100), *b = stored_bytes(more, 0, 100), *c = stored_bytes(other, 0, 100);
    assert_memory_equal(a, b, 100 * PIXELS);
    assert_memory_not_equal(a, c, 100 * PIXELS);
    int moved = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hg_dataset_label(one, i), hg_dataset_label(more, i));
        moved += hg_dataset_label(one, i) != hg_dataset_label(other, i);
    }
    assert_true(moved > 50);
    /* the same on every machine and at every optimisation level */
    assert_int_equal(crc32(0, a, 100 * PIXELS), 0x80981794);
    free(a);
    free(b);
    free(c);
    hg_dataset_free(one);
    hg_dataset_free(more);
    hg_dataset_free(other);
}

static void digits_are_balanced_and_drawn(void **state)
{
    (void)state;
    enum { SAMPLES = 1000 };
    hg_dataset *data     = hg_dataset_open("digits:count=1000,seed=3", NULL);
    uint8_t    *bytes    = stored_bytes(data, 0, SAMPLES);
    int         in_order = 0;
    for (int64_t i = 0; i < SAMPLES; i += 10) {
        unsigned seen = 0;
        for (int64_t k = i; k < i + 10; k++) {
            seen |= 1u << hg_dataset_label(data, k);
            in_order += hg_dataset_label(data, k) == k - i;
        }
        assert_int_equal(seen, 0x3ff);
    }
    assert_in_range(in_order, 50, 150);
    for (int64_t i = 0; i < SAMPLES; i++) {
        int ink = 0, darkest = 0, at_edge = 0;
        for (int j = 0; j < PIXELS; j++) {
            const int value = bytes[i * PIXELS + j];
            ink += value;
            darkest = value > darkest ? value : darkest;
            at_edge += (j < 28 || j >= PIXELS - 28 || j % 28 == 0 || j % 28 == 27) && value > 0;
        }
        assert_in_range(ink, 20 * 255, 320 * 255); /* of 784 pixels */
        assert_true(darkest > 200);
        assert_in_range(at_edge, 0, 20);
    }
    free(bytes);
    hg_dataset_free(data);
}

/* ---- Reals, views, means ------------------------------------------------------------------------------- */

static void reals_are_copied(void **state)
{
    (void)state;
    double        values[6] = { 1, -2, 3.25, 4, 5, 6 };
    const int64_t classes[] = { 4, 0 };
    double        out[6], low, high, mean[3];
    hg_dataset   *data = hg_dataset_new(&HG_SHAPE(3), 2, HG_F64, values, classes);
    values[0]          = 99;
    assert_string_equal(hg_dataset_error(data), "");
    assert_int_equal(hg_dataset_batch(data, 2, (int64_t[]){ 1, 0 }, 0, -7, 7, HG_F64, out), HG_OK);
    for (int k = 0; k < 6; k++)
        assert_true(out[k] == ((double[]){ 4, 1, 5, -2, 6, 3.25 })[k]);
    hg_dataset_range(data, &low, &high);
    assert_true(low == -2 && high == 6);
    assert_int_equal(hg_dataset_classes(data), 5);
    assert_int_equal(hg_dataset_label(data, 0), 4);
    assert_int_equal(hg_dataset_mean(data, -7, 7, mean), HG_OK);
    assert_true(mean[0] == 2.5 && mean[1] == 1.5 && mean[2] == 4.625);
    hg_dataset_free(data);
}

static void unusable_reals_are_refused(void **state)
{
    (void)state;
    static const float   good[6] = { 0 }, nan[6] = { 0, 0, 0, 0, NAN, 0 };
    static const float   infinite[6] = { 0, 0, -INFINITY, 0, 0, 0 };
    static const int64_t negative[2] = { 0, -1 };
    static const struct {
        hg_shape       shape;
        int64_t        count;
        hg_dtype       dtype;
        const float   *values;
        const int64_t *labels;
        hg_status      status;
        const char    *phrase;
    } cases[] = {
        { { 1, { 3 } }, 2, HG_F32, nan, NULL, HG_BAD_DATA, "sample 1 holds a NaN at position 1" },
        { { 1, { 3 } }, 2, HG_F32, infinite, NULL, HG_BAD_DATA, "sample 0 holds an infinity at position 2" },
        { { 1, { 3 } }, 2, HG_F32, good, negative, HG_BAD_DATA, "label of sample 1 is -1" },
        { { 1, { 3 } }, 2, HG_I64, good, NULL, HG_BAD_DTYPE, "f32 or f64" },
        { { 1, { 3 } }, 0, HG_F32, good, NULL, HG_BAD_SHAPE, "positive" },
        { { 2, { 3, HG_BATCH } }, 2, HG_F32, good, NULL, HG_BAD_SHAPE, "positive" },
        { { 2, { INT64_MAX, 3 } }, 2, HG_F32, good, NULL, HG_BAD_SHAPE, "fit in memory" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_failed(
            hg_dataset_new(&cases[i].shape, cases[i].count, cases[i].dtype, cases[i].values, cases[i].labels),
            cases[i].status, "the samples given", cases[i].phrase);
}

static void views_share(void **state)
{
    (void)state;
    static const struct {
        int64_t   first, count;
        hg_status status;
    } cases[] = {
        { 0, 20, HG_OK },           { 5, 3, HG_OK },
        { 20, 0, HG_OK },           { -1, 2, HG_BAD_ARGUMENT },
        { 0, 21, HG_BAD_ARGUMENT }, { 21, 0, HG_BAD_ARGUMENT },
        { 2, -1, HG_BAD_ARGUMENT }, { 5, INT64_MAX, HG_BAD_ARGUMENT },
    };
    hg_dataset *parent = hg_dataset_open("digits:count=20", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t first = cases[i].first, count = cases[i].count;
        hg_dataset   *view = hg_dataset_view(parent, first, count);
        if (cases[i].status != HG_OK) {
            assert_failed(view, cases[i].status, "asked for", "there are 20");
            continue;
        }
        assert_int_equal(hg_dataset_count(view), count);
        uint8_t *a = stored_bytes(parent, first, count), *b = stored_bytes(view, 0, count);
        assert_memory_equal(a, b, (size_t)count * PIXELS);
        for (int64_t k = 0; k < count; k++)
            assert_int_equal(hg_dataset_label(view, k), hg_dataset_label(parent, first + k));
        assert_int_equal(hg_dataset_label(view, count), -1);
        float out[PIXELS];
        assert_int_equal(hg_dataset_batch(view, 1, NULL, count, 0, 1, HG_F32, out), HG_BAD_ARGUMENT);
        free(a);
        free(b);
        hg_dataset_free(view);
    }
    hg_dataset *wrong = hg_dataset_open("digits:x=1", NULL);
    assert_failed(hg_dataset_view(wrong, 0, 0), HG_UNKNOWN_NAME, "digits:x=1", "no setting");
    hg_dataset_free(wrong);
    hg_dataset_free(parent);
}

static void means_are_scaled(void **state)
{
    (void)state;
    double      mean[10];
    hg_dataset *data;
    write_idx("images", &images, 0);
    data = hg_dataset_open(in_scratch("images"), NULL);
    assert_int_equal(hg_dataset_mean(data, -1, 1, mean), HG_OK);
    for (int j = 0; j < 10; j++) /* the mean of j + 1, j + 11 and j + 21 */
        assert_float_equal(mean[j], -1 + 2 * (j + 11) / 255.0, 1e-15);
    hg_dataset *none = hg_dataset_view(data, 0, 0);
    assert_int_equal(hg_dataset_mean(none, -1, 1, mean), HG_BAD_ARGUMENT);
    hg_dataset_free(none);
    hg_dataset_free(data);
    scratch_files(1);
}

/* ---- Batches ------------------------------------------------------------------------------------------- */

enum { SAMPLES = 70, WIDEST = 40, GUARD = 16 };

/* SAMPLES samples of the size, stored as bytes, f32 or f64; value k of sample i is stored_at(i, k). */
static double stored_at(int64_t i, int64_t k)
{
    return (double)((i * 37 + k * 11 + i * k) % 256);
}

static hg_dataset *make_data(int stored, int64_t size)
{
    static float         reals[SAMPLES * WIDEST];
    static double        doubles[SAMPLES * WIDEST];
    static unsigned char bytes[12 + SAMPLES * WIDEST];
    make_idx(bytes, &(idx){ 0x0802, { SAMPLES, (uint32_t)size }, 0 });
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t k = 0; k < size; k++) {
            doubles[i * size + k]    = stored_at(i, k);
            reals[i * size + k]      = (float)stored_at(i, k);
            bytes[12 + i * size + k] = (unsigned char)stored_at(i, k);
        }
    }
    if (stored > 0)
        return hg_dataset_new(&HG_SHAPE(size), SAMPLES, stored == 1 ? HG_F32 : HG_F64,
                              stored == 1 ? (const void *)reals : doubles, NULL);
    write_bytes(in_scratch("bytes"), bytes, 12 + (size_t)(SAMPLES * size));
    return hg_dataset_open(in_scratch("bytes"), NULL);
}

static double element(const void *values, hg_dtype dtype, int64_t at)
{
    return dtype == HG_F32 ? (double)((const float *)values)[at] : ((const double *)values)[at];
}

static void check_batch(const hg_dataset *data, int stored, int64_t n, hg_dtype dtype, const int64_t *index,
                        int64_t first)
{
    static double       out[SAMPLES * WIDEST + GUARD];
    static const double low = -1, high = 0.5;
    const int64_t       size = hg_dataset_size(data);
    memset(out, 0x7e, sizeof out);
    assert_int_equal(hg_dataset_batch(data, n, index, first, low, high, dtype, out), HG_OK);
    for (int64_t k = 0; k < size; k++) {
        for (int64_t i = 0; i < n; i++) {
            const double value    = stored_at(index ? index[i] : first + i, k);
            const double expected = stored ? value : low + (high - low) * value / 255;
            assert_float_equal(element(out, dtype, k * n + i), expected,
                               stored ? 0 : dtype == HG_F32 ? 3e-7 : 1e-15);
        }
    }
    for (int parts = 1; parts <= 5; parts++) { /* in any order */
        static double by_parts[SAMPLES * WIDEST + GUARD];
        hg_batch      batch = { data, n, index, first, low, high, dtype };
        memset(by_parts, 0x7e, sizeof by_parts);
        for (int part = parts - 1; part >= 0; part--)
            hg_batch_fill(&batch, by_parts, part, parts);
        assert_memory_equal(out, by_parts, sizeof out);
    }
    const unsigned char *after = (const unsigned char *)out + (size_t)(size * n) * (dtype == HG_F32 ? 4 : 8);
    for (int i = 0; i < GUARD; i++)
        assert_int_equal(after[i], 0x7e);
}

static void batches_are_columns(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 1, 15, 16, 17, 32, WIDEST }, counts[] = { 1, 15, 16, 17, 33, SAMPLES };
    int64_t              index[SAMPLES];
    for (int64_t i = 0; i < SAMPLES; i++)
        index[i] = (i * 29 + 3) % SAMPLES;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        for (int stored = 0; stored < 3; stored++) {
            hg_dataset *data = make_data(stored, sizes[s]);
            assert_string_equal(hg_dataset_error(data), "");
            for (size_t c = 0; c < COUNT(counts); c++) {
                for (hg_dtype dtype = HG_F32; dtype <= HG_F64; dtype++) {
                    check_batch(data, stored, counts[c], dtype, NULL, 0);
                    check_batch(data, stored, counts[c], dtype, NULL, SAMPLES - counts[c]);
                    check_batch(data, stored, counts[c], dtype, index, -1);
                }
            }
            hg_dataset_free(data);
        }
    }
    scratch_files(1);
}

static void wrong_batches_are_refused(void **state)
{
    (void)state;
    static const int64_t past[] = { 0, SAMPLES }, before[] = { -1, 0 };
    static const struct {
        int64_t        n;
        const int64_t *index;
        int64_t        first;
        hg_dtype       dtype;
        hg_status      status;
    } cases[] = {
        { 2, past, 0, HG_F64, HG_BAD_ARGUMENT },         { 2, before, 0, HG_F64, HG_BAD_ARGUMENT },
        { 2, NULL, -1, HG_F64, HG_BAD_ARGUMENT },        { 2, NULL, SAMPLES - 1, HG_F64, HG_BAD_ARGUMENT },
        { -1, NULL, 0, HG_F64, HG_BAD_ARGUMENT },        { -1, past, 0, HG_F64, HG_BAD_ARGUMENT },
        { 2, NULL, INT64_MAX, HG_F64, HG_BAD_ARGUMENT }, { 2, NULL, 0, HG_I64, HG_BAD_DTYPE },
    };
    hg_dataset *data = make_data(2, 3);
    for (size_t i = 0; i < COUNT(cases); i++) {
        double out[6] = { 5, 5, 5, 5, 5, 5 };
        assert_int_equal(
            hg_dataset_batch(data, cases[i].n, cases[i].index, cases[i].first, 0, 1, cases[i].dtype, out),
            cases[i].status);
        for (int k = 0; k < 6; k++)
            assert_true(out[k] == 5);
    }
    hg_dataset_free(data);
}

static void byte_ranges_end_exactly(void **state)
{
    (void)state;
    static const double        ranges[][2] = { { 0, 1 }, { -1, 1 }, { 0, 255 }, { -0.5, 0.5 } };
    static const unsigned char file[]      = { 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255 };
    float                      single[2];
    double                     twice[2];
    write_bytes(in_scratch("ends"), file, sizeof file);
    hg_dataset *data = hg_dataset_open(in_scratch("ends"), NULL);
    for (size_t i = 0; i < COUNT(ranges); i++) {
        assert_int_equal(hg_dataset_batch(data, 1, NULL, 0, ranges[i][0], ranges[i][1], HG_F32, single),
                         HG_OK);
        assert_int_equal(hg_dataset_batch(data, 1, NULL, 0, ranges[i][0], ranges[i][1], HG_F64, twice),
                         HG_OK);
        for (int k = 0; k < 2; k++)
            assert_true((double)single[k] == ranges[i][k] && twice[k] == ranges[i][k]);
    }
    hg_dataset_free(data);
    scratch_files(1);
}

/* ---- Real data ----------------------------------------------------------------------------------------- */

static void mnist_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *images, *labels;
        int64_t     count, first_labels[5];
        double      mean; /* of all pixels, known for this set */
    } cases[] = {
        { "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", 60000, { 5, 0, 4, 1, 9 }, 0.1306605 },
        { "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 10000, { 7, 2, 1, 0, 4 }, 0.1325147 },
    };
    const char *root = getenv("HG_DATA");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char   folder[1024], path[2048], spec[4096];
        double mean[PIXELS], sum = 0;
        snprintf(folder, sizeof folder, "%s/mnist", root ? root : "../shared/data");
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].images);
        if (access(path, R_OK) != 0) {
            print_message("skipped: there is no %s; set HG_DATA to the folder that holds mnist/\n", path);
            skip();
        }
        snprintf(spec, sizeof spec, "%s,labels=%s/%s", path, folder, cases[i].labels);
        hg_dataset *data = hg_dataset_open(spec, NULL);
        assert_string_equal(hg_dataset_error(data), "");
        assert_int_equal(hg_dataset_count(data), cases[i].count);
        assert_int_equal(hg_dataset_size(data), PIXELS);
        assert_int_equal(hg_dataset_classes(data), 10);
        for (int k = 0; k < 5; k++)
            assert_int_equal(hg_dataset_label(data, k), cases[i].first_labels[k]);
        assert_int_equal(hg_dataset_mean(data, 0, 1, mean), HG_OK);
        for (int j = 0; j < PIXELS; j++)
            sum += mean[j];
        assert_float_equal(sum / PIXELS, cases[i].mean, 1e-6);
        hg_dataset_free(data);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_images_are_read),
        cmocka_unit_test(idx_elements_are_read),
        cmocka_unit_test(wrong_idx_is_refused),
        cmocka_unit_test(every_idx_truncation_is_refused),
        cmocka_unit_test(wrong_specs_are_refused),
        cmocka_unit_test(digits_are_a_function_of_seed_and_index),
        cmocka_unit_test(digits_are_balanced_and_drawn),
        cmocka_unit_test(reals_are_copied),
        cmocka_unit_test(unusable_reals_are_refused),
        cmocka_unit_test(views_share),
        cmocka_unit_test(means_are_scaled),
        cmocka_unit_test(batches_are_columns),
        cmocka_unit_test(wrong_batches_are_refused),
        cmocka_unit_test(byte_ranges_end_exactly),
        cmocka_unit_test(mnist_is_read),
    };
    return cmocka_run_group_tests_name("data", tests, make_scratch, remove_scratch);
}
