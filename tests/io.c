/* Files: statuses, atomic writing, NPY, gzip, PNG. */
#include "files.h"

#include <hourglass/io.h>

#include <math.h>
#include <png.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Statuses ------------------------------------------------------------------------------------------ */

static void every_status_has_a_text(void **state)
{
    (void)state;
    static const hg_status statuses[] = {
#define HG_STATUS_ITEM(name, text) name,
        HG_STATUSES(HG_STATUS_ITEM)
#undef HG_STATUS_ITEM
    };
    for (size_t i = 0; i < COUNT(statuses); i++) {
        assert_int_equal(statuses[i], i);
        assert_true(strlen(hg_status_text(statuses[i])) > 0);
    }
    assert_string_equal(hg_status_text(HG_OUT_OF_MEMORY), "out of memory");
    assert_string_equal(hg_status_text((hg_status)1000), "an unknown status");
}

static void the_first_error_stays(void **state)
{
    (void)state;
    hg_error error = { .status = HG_OK };
    assert_int_equal(hg_fail(&error, HG_BAD_FILE, "%s is %d", "this", 1), HG_BAD_FILE);
    assert_int_equal(hg_fail(&error, HG_DIVERGED, "later"), HG_DIVERGED);
    assert_int_equal(error.status, HG_BAD_FILE);
    assert_string_equal(error.text, "this is 1");
    assert_int_equal(hg_fail(NULL, HG_BAD_DATA, "unheard"), HG_BAD_DATA);

    char     longer[2 * HG_ERROR_TEXT];
    hg_error cut = { .status = HG_OK };
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    hg_fail(&cut, HG_BAD_FILE, "%s", longer);
    assert_int_equal(strlen(cut.text), HG_ERROR_TEXT - 1);
}

/* ---- Atomic files -------------------------------------------------------------------------------------- */

static hg_status write_text(const char *path, const char *text, hg_error *error)
{
    hg_file_writer *writer = hg_file_writer_open(path, error);
    hg_file_write(writer, text, strlen(text));
    return hg_file_commit(writer);
}

static void assert_content(const char *path, const char *text)
{
    size_t         size;
    unsigned char *bytes = read_bytes(path, &size);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void a_commit_replaces(void **state)
{
    (void)state;
    hg_error    error = { .status = HG_OK };
    const char *path  = in_scratch("file");
    mode_t      mask  = umask(027);
    assert_int_equal(write_text(path, "first", &error), HG_OK);
    umask(mask);
    assert_content(path, "first");
    assert_int_equal(mode_of(path), 0640);

    assert_int_equal(chmod(path, 0604), 0);
    hg_file_writer *writer = hg_file_writer_open(path, &error);
    assert_int_equal(hg_file_print(writer, "%s %d", "second", 2), HG_OK);
    assert_content(path, "first");
    assert_int_equal(hg_file_commit(writer), HG_OK);
    assert_content(path, "second 2");
    assert_int_equal(mode_of(path), 0604);

    assert_int_equal(symlink("file", in_scratch("link")), 0);
    assert_int_equal(write_text(in_scratch("link"), "third", &error), HG_OK);
    assert_content(path, "third");
    struct stat link;
    assert_int_equal(lstat(in_scratch("link"), &link), 0);
    assert_true(S_ISLNK(link.st_mode));

    assert_string_equal(error.text, "");
    assert_int_equal(scratch_files(1), 2);
}

static void a_discard_leaves_nothing(void **state)
{
    (void)state;
    hg_error    error = { .status = HG_OK };
    const char *path  = in_scratch("file");
    write_bytes(path, "old", 3);
    hg_file_writer *writer = hg_file_writer_open(path, &error);
    hg_file_write(writer, "new", 3);
    hg_file_discard(writer);
    assert_content(path, "old");
    assert_int_equal(scratch_files(1), 1);
    hg_file_discard(NULL);
    assert_int_equal(hg_file_write(NULL, "x", 1), HG_CANNOT_WRITE);
    assert_int_equal(hg_file_print(NULL, "x"), HG_CANNOT_WRITE);
    assert_int_equal(hg_file_commit(NULL), HG_CANNOT_WRITE);
}

static void unwritable_places_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *reason;
    } cases[] = {
        { "missing/file", "No such file or directory" },
        { "plain/file", "Not a directory" },
        { ".", "Is a directory" },
    };
    write_bytes(in_scratch("plain"), "plain", 5);
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error    error = { .status = HG_OK };
        const char *path  = in_scratch(cases[i].name);
        assert_int_equal(write_text(path, "text", &error), HG_CANNOT_WRITE);
        assert_int_equal(error.status, HG_CANNOT_WRITE);
        assert_says(error.text, path, cases[i].reason);
    }
    assert_content(in_scratch("plain"), "plain");
    assert_int_equal(scratch_files(1), 1);
}

static void a_full_device_is_reported(void **state)
{
    (void)state;
    hg_error error = { .status = HG_OK };
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(write_text("/dev/full", "text", &error), HG_CANNOT_WRITE);
    assert_says(error.text, "/dev/full", "No space left on device");
    assert_int_equal(write_text("/dev/full", "text", NULL), HG_CANNOT_WRITE);
    assert_int_equal(write_text("/dev/null", "text", NULL), HG_OK);
    struct stat status;
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_false(S_ISREG(status.st_mode));
}

enum { NOISE_SIDE = 256, NOISE = NOISE_SIDE * NOISE_SIDE };
static uint8_t noise[NOISE];

static void make_noise(void)
{
    uint32_t number = 1;
    for (int i = 0; i < NOISE; i++) {
        number   = number * 1664525u + 1013904223u;
        noise[i] = (uint8_t)(number >> 24);
    }
}

static hg_status noise_to_file(const char *path, hg_error *error)
{
    hg_file_writer *writer = hg_file_writer_open(path, error);
    for (int i = 0; i < NOISE; i++)
        hg_file_write(writer, noise + i, 1);
    return hg_file_commit(writer);
}

static hg_status noise_to_safetensors(const char *path, hg_error *error)
{
    const hg_safetensors_entry tensor = { "noise", HG_I64, HG_SHAPE(NOISE / 8), noise };
    return hg_safetensors_write(path, 1, &tensor, 0, NULL, error);
}

static hg_status noise_to_npy(const char *path, hg_error *error)
{
    return hg_npy_write(path, &(hg_npy){ HG_ELEMENT_U8, HG_SHAPE(NOISE), noise }, error);
}

static hg_status noise_to_png(const char *path, hg_error *error)
{
    return hg_png_write(path, NOISE_SIDE, NOISE_SIDE, 1, noise, error);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    static hg_status (*const writers[])(const char *path, hg_error *error) = { noise_to_file,
                                                                               noise_to_safetensors,
                                                                               noise_to_npy, noise_to_png };
    struct rlimit before;
    make_noise();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < COUNT(writers); i++) {
        hg_error    error = { .status = HG_OK };
        const char *path  = in_scratch("precious");
        write_bytes(path, "old", 3);
        struct rlimit small = { .rlim_cur = NOISE / 2, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        hg_status status = writers[i](path, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, HG_CANNOT_WRITE);
        assert_says(error.text, path, "File too large");
        assert_content(path, "old");
        assert_int_equal(scratch_files(0), 1);
        assert_int_equal(writers[i](path, NULL), HG_OK);
        assert_int_equal(scratch_files(1), 1);
    }
}

/* ---- NPY ----------------------------------------------------------------------------------------------- */

static void npy_comes_back(void **state)
{
    (void)state;
    static const struct {
        hg_element element;
        size_t     size;
        hg_shape   shape;
        size_t     count;
    } cases[] = {
        { HG_ELEMENT_U8, 1, { 0, { 0 } }, 1 },
        { HG_ELEMENT_I8, 1, { 1, { 5 } }, 5 },
        { HG_ELEMENT_I16, 2, { 2, { 2, 3 } }, 6 },
        { HG_ELEMENT_I32, 4, { 3, { 1, 2, 3 } }, 6 },
        { HG_ELEMENT_I64, 8, { 2, { 0, 7 } }, 0 },
        { HG_ELEMENT_F32, 4, { 4, { 2, 1, 28, 28 } }, 1568 },
        { HG_ELEMENT_F64, 8, { 8, { 1, 1, 2, 1, 1, 2, 1, 2 } }, 8 },
    };
    make_noise();
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error     error = { .status = HG_OK };
        const hg_npy array = { cases[i].element, cases[i].shape, noise };
        assert_int_equal(hg_element_size(cases[i].element), cases[i].size);
        assert_int_equal(hg_npy_write(in_scratch("a.npy"), &array, &error), HG_OK);
        size_t         size;
        unsigned char *bytes = read_bytes(in_scratch("a.npy"), &size);
        assert_int_equal((size - cases[i].size * cases[i].count) % 64, 0);
        free(bytes);
        hg_npy *back = hg_npy_read(in_scratch("a.npy"), &error);
        assert_string_equal(error.text, "");
        assert_non_null(back);
        assert_int_equal(back->element, cases[i].element);
        assert_int_equal(back->shape.rank, cases[i].shape.rank);
        for (int k = 0; k < back->shape.rank; k++)
            assert_int_equal(back->shape.dim[k], cases[i].shape.dim[k]);
        assert_memory_equal(back->data, noise, cases[i].size * cases[i].count);
        hg_npy_free(back);
    }
    hg_npy_free(NULL);
    assert_string_equal(hg_element_name(HG_ELEMENT_F32), "f32");
    hg_error error = { .status = HG_OK };
    assert_int_equal(
        hg_npy_write(in_scratch("b.npy"), &(hg_npy){ HG_ELEMENT_U8, HG_SHAPE(HG_BATCH), noise }, &error),
        HG_BAD_SHAPE);
    assert_says(error.text, "b.npy", "negative");
    assert_int_equal(scratch_files(1), 1);
}

/* An NPY file of the version from a header's text; payload bytes are 0, 1, 2 ... */
static size_t make_npy(unsigned char *bytes, int version, const char *header, size_t payload)
{
    const size_t length = strlen(header), wide = version == 1 ? 2 : 4;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    for (size_t i = 0; i < wide; i++)
        bytes[8 + i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8 + wide, header, length);
    for (size_t i = 0; i < payload; i++)
        bytes[8 + wide + length + i] = (unsigned char)i;
    return 8 + wide + length + payload;
}

static void npy_of_others_is_read(void **state)
{
    (void)state;
    static const struct {
        int         version;
        const char *header;
        size_t      payload;
        hg_element  element;
        int64_t     first; /* the first element's bits */
    } cases[] = {
        { 1, "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n", 4, HG_ELEMENT_I16, 0x0001 },
        { 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}", 4, HG_ELEMENT_I16, 0x0100 },
        { 2, "{'shape': (1, 1), 'fortran_order': False, 'descr': '>i8'}  \n", 8, HG_ELEMENT_I64,
          0x0001020304050607 },
        { 3, "{'descr':'|u1','fortran_order':False,'shape':(3,1,)}", 3, HG_ELEMENT_U8, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char bytes[512];
        hg_error      error = { .status = HG_OK };
        write_gzip(in_scratch("a.npy"), bytes,
                   make_npy(bytes, cases[i].version, cases[i].header, cases[i].payload));
        hg_npy *array = hg_npy_read(in_scratch("a.npy"), &error);
        assert_string_equal(error.text, "");
        assert_int_equal(array->element, cases[i].element);
        int64_t first = cases[i].element == HG_ELEMENT_I16   ? *(int16_t *)array->data
                        : cases[i].element == HG_ELEMENT_I64 ? *(int64_t *)array->data
                                                             : *(uint8_t *)array->data;
        assert_int_equal(first, cases[i].first);
        hg_npy_free(array);
    }
    scratch_files(1);
}

static void wrong_npy_is_refused(void **state)
{
    (void)state;
    static const struct {
        int         version;
        const char *header;
        size_t      payload;
        const char *phrase;
    } cases[] = {
        { 9, "{}", 0, "version 9" },
        { 1, "", 0, "not a dictionary" },
        { 1, "{}", 0, "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': False, }", 0, "not a dictionary" },
        { 1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4,
          "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (), }", 4, "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4,
          "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4,
          "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4, "not a dictionary" },
        { 1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "not a dictionary" },
        { 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16, "Fortran order" },
        { 1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "type '<c8'" },
        { 1, "{'descr': '=f4', 'fortran_order': False, 'shape': (1,), }", 4, "type '=f4'" },
        { 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", 1, "type '|b1'" },
        { 1, "{'descr': '', 'fortran_order': False, 'shape': (1,), }", 1, "type ''" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296), }", 4, "62 bits" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7,
          "promises 8 bytes of numbers, but the file has 7" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9,
          "promises 8 bytes of numbers, but the file has 9" },
        { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", 4,
          "but the file has 4" },
    };
    unsigned char bytes[512];
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { .status = HG_OK };
        write_bytes(in_scratch("a.npy"), bytes,
                    make_npy(bytes, cases[i].version, cases[i].header, cases[i].payload));
        assert_null(hg_npy_read(in_scratch("a.npy"), &error));
        assert_int_equal(error.status, HG_BAD_FILE);
        assert_says(error.text, in_scratch("a.npy"), cases[i].phrase);
    }
    scratch_files(1);
}

/* ---- gzip ---------------------------------------------------------------------------------------------- */

static void damaged_gzip_is_refused(void **state)
{
    (void)state;
    enum { GZIP_HEADER = 10 }; /* its time and system are not covered by any checksum */
    unsigned char npy[512];
    const char   *header      = "{'descr': '|u1', 'fortran_order': False, 'shape': (64,), }";
    const size_t  size_of_npy = make_npy(npy, 1, header, 64);
    size_t        size;
    write_gzip(in_scratch("whole.gz"), npy, size_of_npy);
    unsigned char *bytes   = read_bytes(in_scratch("whole.gz"), &size);
    int            said_so = 0, harmless = 0;
    for (size_t length = 0; length < size; length++) {
        hg_error error = { .status = HG_OK };
        write_bytes(in_scratch("cut.gz"), bytes, length);
        assert_null(hg_npy_read(in_scratch("cut.gz"), &error));
        assert_int_equal(error.status, HG_BAD_FILE);
        assert_says(error.text, in_scratch("cut.gz"), length > GZIP_HEADER ? "truncated" : "");
        said_so += strstr(error.text, "truncated") != NULL;
    }
    assert_true(said_so > (int)size - 20);
    for (size_t bit = 8 * GZIP_HEADER; bit < 8 * size; bit++) {
        hg_error error = { .status = HG_OK };
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_bytes(in_scratch("flipped.gz"), bytes, size);
        hg_npy *array = hg_npy_read(in_scratch("flipped.gz"), &error);
        if (array) { /* the stream has a few bits of padding */
            harmless++;
            assert_memory_equal(array->data, npy + size_of_npy - 64, 64);
        } else {
            assert_int_equal(error.status, HG_BAD_FILE);
            assert_says(error.text, in_scratch("flipped.gz"), ": ");
        }
        hg_npy_free(array);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_in_range(harmless, 0, 7);
    free(bytes);
    scratch_files(1);
}

/* ---- PNG ----------------------------------------------------------------------------------------------- */

/* Decodes a file with libpng's own simplified reader. */
static uint8_t *decode(const char *path, int channels, uint32_t *width, uint32_t *height)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_int_equal(image.format, channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    *width  = image.width;
    *height = image.height;
    return pixels;
}

static void png_comes_back(void **state)
{
    (void)state;
    static const struct {
        int64_t width, height;
        int     channels;
    } cases[] = { { 1, 1, 1 }, { 17, 5, 1 }, { 5, 17, 3 }, { 100, 100, 3 } };
    make_noise();
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { .status = HG_OK };
        uint32_t width, height;
        size_t   size[2];
        for (int k = 0; k < 2; k++)
            assert_int_equal(hg_png_write(in_scratch(k ? "b.png" : "a.png"), cases[i].width, cases[i].height,
                                          cases[i].channels, noise, &error),
                             HG_OK);
        uint8_t *pixels = decode(in_scratch("a.png"), cases[i].channels, &width, &height);
        assert_int_equal(width, cases[i].width);
        assert_int_equal(height, cases[i].height);
        assert_memory_equal(pixels, noise, (size_t)width * height * (size_t)cases[i].channels);
        unsigned char *a = read_bytes(in_scratch("a.png"), &size[0]),
                      *b = read_bytes(in_scratch("b.png"), &size[1]);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(a, b, size[0]);
        free(a);
        free(b);
        free(pixels);
    }
    hg_error error = { .status = HG_OK };
    assert_int_equal(hg_png_write(in_scratch("c.png"), 2, 0, 1, noise, &error), HG_BAD_SHAPE);
    assert_says(error.text, "c.png", "2x0 pixels");
    assert_int_equal(hg_png_write(in_scratch("c.png"), 2, 2, 2, noise, NULL), HG_BAD_SHAPE);
    assert_int_equal(hg_png_write("/dev/full", 2, 2, 1, noise, NULL), HG_CANNOT_WRITE);
    assert_int_equal(scratch_files(1), 2);
}

static void grids_are_laid_out(void **state)
{
    (void)state;
    /* three images of 1x2 pixels in two series, two side by side: d x n, samples are columns */
    static const double      originals[]       = { 0, 1, 2, /* left pixels */ 4, 3, 2 /* right pixels */ };
    static const double      reconstructions[] = { -1, 5, 0, 0, 0, 4 };
    static const void *const series[]          = { originals, reconstructions };
    static const uint8_t     expected[]        = {
        0,   255, 128, 64,  191, /* originals 0 and 1 */
        128, 128, 128, 128, 128,
        0,   0,   128, 255, 0, /* their reconstructions: values outside are clamped */
        128, 128, 128, 128, 128,
        128, 128, 128, 128, 128,
        128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, /* original 2, both pixels 2 of 0 ... 4 */
        128, 128, 128, 128, 128,
        0,   255, 128, 128, 128,
    };
    hg_error         error = { .status = HG_OK };
    hg_png_grid_spec grid  = { .image   = HG_SHAPE(1, 1, 2),
                               .count   = 3,
                               .columns = 2,
                               .low     = 0,
                               .high    = 4,
                               .dtype   = HG_F64,
                               .series  = 2,
                               .values  = series };
    uint32_t         width, height;
    assert_int_equal(hg_png_grid(in_scratch("grid.png"), &grid, &error), HG_OK);
    uint8_t *pixels = decode(in_scratch("grid.png"), 1, &width, &height);
    assert_int_equal(width, 5);
    assert_int_equal(height, 9);
    assert_memory_equal(pixels, expected, sizeof expected);
    free(pixels);

    /* one RGB image of one pixel in f32; the number of columns by default */
    static const float       colour[] = { 0, 0.5f, 1 };
    static const void *const one[]    = { colour };
    grid.image   = HG_SHAPE(3, 1, 1);
    grid.count   = 1;
    grid.columns = 0;
    grid.high    = 1;
    grid.dtype   = HG_F32;
    grid.series  = 1;
    grid.values  = one;
    assert_int_equal(hg_png_grid(in_scratch("grid.png"), &grid, &error), HG_OK);
    pixels = decode(in_scratch("grid.png"), 3, &width, &height);
    assert_int_equal(width * height, 1);
    assert_memory_equal(pixels, ((uint8_t[]){ 0, 128, 255 }), 3);
    free(pixels);
    scratch_files(1);
}

static void wrong_grids_are_refused(void **state)
{
    (void)state;
    static const float       values[] = { 0, NAN, 1 };
    static const void *const series[] = { values };
    const hg_png_grid_spec   good     = {
        .image = HG_SHAPE(1, 1, 1), .count = 1, .high = 1, .dtype = HG_F32, .series = 1, .values = series
    };
    struct {
        hg_png_grid_spec grid;
        hg_status        status;
        const char      *phrase;
    } cases[] = {
        { good, HG_BAD_DATA, "image 1 of series 0 holds a NaN" },
        { good, HG_BAD_SHAPE, "channels x height x width" },
        { good, HG_BAD_SHAPE, "channels x height x width" },
        { good, HG_BAD_DTYPE, "f32 or f64" },
        { good, HG_BAD_ARGUMENT, "low < high" },
        { good, HG_BAD_ARGUMENT, "1 to 1000000 images" },
        { good, HG_BAD_SHAPE, "the grid would have" },
    };
    cases[0].grid.count = 3;
    cases[1].grid.image = HG_SHAPE(1, 1);
    cases[2].grid.image = HG_SHAPE(2, 1, 1);
    cases[3].grid.dtype = HG_I64;
    cases[4].grid.high  = 0;
    cases[5].grid.count = 0;
    cases[6].grid.image = HG_SHAPE(1, 1000000, 1);
    cases[6].grid.count = 11;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hg_error error = { .status = HG_OK };
        assert_int_equal(hg_png_grid(in_scratch("no.png"), &cases[i].grid, &error), cases[i].status);
        assert_int_equal(error.status, cases[i].status);
        assert_says(error.text, in_scratch("no.png"), cases[i].phrase);
    }
    assert_int_equal(scratch_files(0), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_text),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(a_commit_replaces),
        cmocka_unit_test(a_discard_leaves_nothing),
        cmocka_unit_test(unwritable_places_are_named),
        cmocka_unit_test(a_full_device_is_reported),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(npy_comes_back),
        cmocka_unit_test(npy_of_others_is_read),
        cmocka_unit_test(wrong_npy_is_refused),
        cmocka_unit_test(damaged_gzip_is_refused),
        cmocka_unit_test(png_comes_back),
        cmocka_unit_test(grids_are_laid_out),
        cmocka_unit_test(wrong_grids_are_refused),
    };
    return cmocka_run_group_tests_name("io", tests, make_scratch, remove_scratch);
}
