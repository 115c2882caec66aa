/* Models: passes over samples, evaluation, model files. */
#include "autoencoders.h"

#include <hourglass/io.h>

#include <math.h>

/* ---- Passes ---------------------------------------------------------------------------------------------- */

static hg_dataset *make_data(int64_t count, double low, double high)
{
    double *values = malloc((size_t)count * 12 * sizeof *values);
    for (int64_t i = 0; i < count * 12; i++)
        values[i] = low + (high - low) * (0.5 + 0.5 * sin(1.7 * (double)i * (double)(i % 7)));
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(1, 3, 4), count, HG_F64, values, NULL);
    free(values);
    assert_string_equal(hg_dataset_error(data), "");
    return data;
}

static void decoding_the_code_reconstructs(void **state)
{
    (void)state;
    static const int64_t counts[] = { 1, 127, 128, 129, 256, 257, 600 };
    static double all[12 * 600], codes[5 * 600], decoded[12 * 600], some[12 * 600];
    hg_dataset *data = make_data(600, 0, 1);
    hg_model *model = hg_model_new(&small, HG_F64, 1);
    assert_int_equal(hg_model_reconstruct(model, data, 0, 600, all), HG_OK);
    for (size_t c = 0; c < COUNT(counts); c++) {
        int64_t count = counts[c], first = 600 - count;
        assert_int_equal(hg_model_encode(model, data, first, count, codes), HG_OK);
        assert_int_equal(hg_model_decode(model, codes, count, decoded), HG_OK);
        assert_int_equal(hg_model_reconstruct(model, data, first, count, some), HG_OK);
        for (int64_t row = 0; row < 12; row++)
            for (int64_t i = 0; i < count; i++) {
                assert_true(fabs(some[row * count + i] - all[row * 600 + first + i]) < 1e-13);
                assert_true(decoded[row * count + i] == some[row * count + i]);
            }
    }
    assert_int_equal(hg_model_encode(model, data, 0, 0, codes), HG_OK);
    hg_model_free(model);
    hg_dataset_free(data);
}

enum { SAMPLES = 1700 }; /* so many that each of three threads has mini-batches of its own */

typedef struct passes {
    double        image[12 * SAMPLES], code[5 * SAMPLES], decoded[12 * SAMPLES], loss;
    hg_evaluation evaluation;
} passes;

static void run_all_passes(hg_model *model, const hg_dataset *data, int64_t count, passes *p)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(hg_model_reconstruct(model, data, 0, count, p->image), HG_OK);
    assert_int_equal(hg_model_encode(model, data, SAMPLES - count, count, p->code), HG_OK);
    assert_int_equal(hg_model_decode(model, p->code, count, p->decoded), HG_OK);
    assert_int_equal(hg_model_loss(model, data, NULL, count, &p->loss), HG_OK);
    assert_int_equal(hg_model_evaluate(model, data, &p->evaluation), HG_OK);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    static const int64_t counts[] = { 100, 600, SAMPLES };
    static passes first, again;
    hg_dataset *data = make_data(SAMPLES, 0, 1);
    hg_model *model = hg_model_new(&small, HG_F32, 1);
    for (size_t c = 0; c < COUNT(counts); c++)
        for (int threads = 1; threads <= 5; threads++) {
            hg_model_set_threads(model, threads);
            run_all_passes(model, data, counts[c], threads == 1 ? &first : &again);
            if (threads > 1)
                assert_memory_equal(&first, &again, sizeof first);
        }
    hg_model_free(model);
    hg_dataset_free(data);
}

static void wrong_samples_are_refused(void **state)
{
    (void)state;
    double out[12 * 10] = { 0 }, ten[10] = { 0 };
    hg_dataset *data = make_data(10, 0, 1), *vectors = hg_dataset_new(&HG_SHAPE(12), 1, HG_F64, out, NULL),
               *other = hg_dataset_new(&HG_SHAPE(5, 2), 1, HG_F64, ten, NULL), *missing = hg_dataset_open("none.gz", NULL),
               *turned = hg_dataset_new(&HG_SHAPE(1, 4, 3), 1, HG_F64, out, NULL);
    const struct {
        const hg_dataset *data;
        int64_t           first, count;
        hg_status         status;
        const char       *const words[4];
    } rows[] = {
        { vectors, 0, 1, HG_OK, { 0 } },
        { other, 0, 1, HG_BAD_SHAPE, { "5x2", "1x3x4", "\"small\"" } },
        { turned, 0, 1, HG_BAD_SHAPE, { "1x4x3", "1x3x4" } },
        { missing, 0, 1, HG_CANNOT_READ, { "none.gz" } },
        { NULL, 0, 1, HG_OUT_OF_MEMORY, { "memory" } },
        { data, 5, 6, HG_BAD_ARGUMENT, { "6 samples from 5", "10" } },
        { data, -1, 2, HG_BAD_ARGUMENT, { "-1" } },
        { data, 0, -2, HG_BAD_ARGUMENT, { "10" } },
        { data, 1, INT64_MAX, HG_BAD_ARGUMENT, { "10" } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_model *model = hg_model_new(&small, HG_F64, 1);
        assert_int_equal(hg_model_reconstruct(model, rows[i].data, rows[i].first, rows[i].count, out), rows[i].status);
        assert_words(hg_model_error(model), rows[i].words);
        assert_int_equal(hg_model_reconstruct(model, data, 0, 1, out), rows[i].status); /* it latches */
        hg_model_clear_error(model);
        assert_int_equal(hg_model_reconstruct(model, data, 0, 1, out), HG_OK);
        hg_model_free(model);
    }
    hg_dataset_free(data);
    hg_dataset_free(vectors);
    hg_dataset_free(other);
    hg_dataset_free(missing);
    hg_dataset_free(turned);
}

/* ---- Evaluation ------------------------------------------------------------------------------------------ */

/* By plain loops; y is columns, or one column for all. */
static hg_errors errors_by_hand(const double *x, const double *y, bool one_column, int count)
{
    hg_errors e = { 0 };
    for (int row = 0; row < 12; row++)
        for (int i = 0; i < count; i++) {
            double a = x[row * count + i], b = one_column ? y[row] : y[row * count + i];
            e.squared_error_per_sample += (b - a) * (b - a) / count;
            e.cross_entropy_per_sample -= (a * log(b) + (1 - a) * log(1 - b)) / count;
        }
    e.mean_squared_error = e.squared_error_per_sample / 12;
    return e;
}

static void assert_errors(hg_errors a, hg_errors b)
{
    assert_true(fabs(a.mean_squared_error - b.mean_squared_error) < 1e-12);
    assert_true(fabs(a.squared_error_per_sample - b.squared_error_per_sample) < 1e-11);
    assert_true(fabs(a.cross_entropy_per_sample - b.cross_entropy_per_sample) < 1e-10);
}

static void evaluation_is_right(void **state)
{
    (void)state;
    enum { N = 300 };
    static double x[12 * N], y[12 * N];
    double mean[12] = { 0 };
    hg_evaluation found;
    hg_dataset *data = make_data(N, 0.1, 0.9);
    hg_model *model = hg_model_new(&small, HG_F64, 1);
    hg_dataset_batch(data, N, NULL, 0, 0, 1, HG_F64, x);
    for (int i = 0; i < 12 * N; i++)
        mean[i / N] += x[i] / N;
    assert_int_equal(hg_model_reconstruct(model, data, 0, N, y), HG_OK);
    assert_int_equal(hg_model_evaluate(model, data, &found), HG_OK);
    assert_int_equal(found.samples, N);
    assert_errors(found.errors, errors_by_hand(x, y, false, N));
    assert_errors(found.baselines.mean_image, errors_by_hand(x, mean, true, N));
    double loss;
    assert_int_equal(hg_model_loss(model, data, NULL, N, &loss), HG_OK);
    assert_true(fabs(loss - found.errors.cross_entropy_per_sample) < 1e-10);
    hg_model_free(model);
    hg_dataset_free(data);
}

static void cross_entropy_is_for_probabilities(void **state)
{
    (void)state;
    static const struct {
        const hg_autoencoder *declaration;
        double                low, high;
        bool                  model, baseline; /* where it is defined */
    } rows[] = { { &small, 0, 1, true, true }, { &small, -1, 1, false, false }, { &full, 0, 1, false, true } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_evaluation found;
        hg_dataset *data = make_data(40, rows[i].low, rows[i].high);
        hg_model *model = hg_model_new(rows[i].declaration, HG_F64, 1);
        assert_int_equal(hg_model_evaluate(model, data, &found), HG_OK);
        assert_int_equal(!isnan(found.errors.cross_entropy_per_sample), rows[i].model);
        assert_int_equal(!isnan(found.baselines.mean_image.cross_entropy_per_sample), rows[i].baseline);
        assert_true(isfinite(found.errors.mean_squared_error));
        hg_model_free(model);
        hg_dataset_free(data);
    }
}

/* ---- Model files ----------------------------------------------------------------------------------------- */

static void assert_same_parameters(const hg_model *a, const hg_model *b)
{
    hg_tensor *p;
    for (size_t i = 0; (p = hg_graph_parameter(hg_model_graph(a), i)) != NULL; i++) {
        hg_tensor *q = hg_graph_parameter(hg_model_graph(b), i);
        assert_string_equal(hg_tensor_name(p), hg_tensor_name(q));
        assert_true(hg_shape_equal(hg_tensor_shape(p), hg_tensor_shape(q)));
        assert_memory_equal(hg_data(p), hg_data(q), (size_t)hg_shape_count(hg_tensor_shape(p), 1)
                                                        * hg_dtype_size(hg_tensor_dtype(p)));
    }
}

static void models_are_saved_and_opened(void **state)
{
    (void)state;
    static const hg_autoencoder *const declarations[] = { &small, &full, &custom };
    for (size_t i = 0; i < 2 * COUNT(declarations); i++) {
        const hg_autoencoder *declaration = declarations[i / 2];
        hg_model *model = hg_model_new(declaration, i % 2 ? HG_F64 : HG_F32, UINT64_MAX - i);
        assert_int_equal(hg_model_save(model, in_scratch("a.safetensors")), HG_OK);
        hg_model *again = hg_model_open(in_scratch("a.safetensors"), declaration == &custom ? &custom : NULL);
        assert_string_equal(hg_model_error(again), "");
        assert_int_equal(hg_model_seed(again), UINT64_MAX - i);
        assert_int_equal(hg_graph_dtype(hg_model_graph(again)), i % 2 ? HG_F64 : HG_F32);
        assert_same_parameters(model, again);
        assert_int_equal(hg_model_save(again, in_scratch("b.safetensors")), HG_OK);
        size_t size, size_again;
        unsigned char *bytes = read_bytes(in_scratch("a.safetensors"), &size),
                      *bytes_again = read_bytes(in_scratch("b.safetensors"), &size_again);
        assert_int_equal(size, size_again);
        assert_memory_equal(bytes, bytes_again, size);
        free(bytes);
        free(bytes_again);
        hg_model_free(again);
        hg_model_free(model);
    }
}

static void functions_of_the_program_need_their_declaration(void **state)
{
    (void)state;
    hg_model *model = hg_model_new(&custom, HG_F32, 1);
    assert_int_equal(hg_model_save(model, in_scratch("custom.safetensors")), HG_OK);
    hg_model_free(model);
    model = hg_model_open(in_scratch("custom.safetensors"), NULL);
    assert_int_equal(hg_model_status(model), HG_BAD_FILE);
    assert_words(hg_model_error(model), (const char *const[]){ "custom.safetensors", "encoder layer 1 (custom)",
                                                               "declaration", NULL });
    hg_model_free(model);
    model = hg_model_open(in_scratch("custom.safetensors"), &small);
    assert_int_equal(hg_model_status(model), HG_BAD_FILE);
    assert_words(hg_model_error(model), (const char *const[]){ "custom.safetensors", "\"small\"", NULL });
    hg_model_free(model);
}

/* A model file of `small` with one thing wrong. */
typedef struct damage {
    const char    *without, *extra; /* a parameter that is missing, or too many */
    hg_shape       shape;           /* of encoder/1/bias */
    const char    *key, *value;     /* metadata */
    const char    *const words[4];
} damage;

static void write_damaged(const hg_model *model, const damage *d, const char *path)
{
    hg_safetensors_entry entry[8];
    size_t entries = 0;
    hg_tensor *p;
    double zeros[64] = { 0 };
    char *json = hg_autoencoder_to_json(&small, 0);
    for (size_t i = 0; (p = hg_graph_parameter(hg_model_graph(model), i)) != NULL; i++) {
        if (d->without != NULL && strcmp(d->without, hg_tensor_name(p)) == 0)
            continue;
        entry[entries++] = (hg_safetensors_entry){ hg_tensor_name(p), hg_tensor_dtype(p), *hg_tensor_shape(p), hg_data(p) };
        if (d->shape.rank > 0 && strcmp(hg_tensor_name(p), "encoder/1/bias") == 0)
            entry[entries - 1] = (hg_safetensors_entry){ "encoder/1/bias", HG_F32, d->shape, zeros };
    }
    if (d->extra != NULL)
        entry[entries++] = (hg_safetensors_entry){ d->extra, HG_F32, HG_SHAPE(2), zeros };
    hg_safetensors_text text[] = { { "hourglass.autoencoder", json }, { "hourglass.dtype", "f32" }, { "hourglass.seed", "1" } };
    for (size_t i = 0; i < COUNT(text); i++)
        if (d->key != NULL && strcmp(d->key, text[i].key) == 0)
            text[i] = (hg_safetensors_text){ d->value == NULL ? "comment" : d->key, d->value == NULL ? "none" : d->value };
    hg_error error = { 0 };
    hg_safetensors_write(path, entries, entry, COUNT(text), text, &error);
    assert_string_equal(error.text, "");
    free(json);
}

static void wrong_model_files_are_refused(void **state)
{
    (void)state;
    const damage rows[] = {
        { .without = "decoder/1/weight", .words = { "decoder/1/weight", "missing" } },
        { .extra = "encoder/2/weight", .words = { "\"small\"", "no parameter", "encoder/2/weight" } },
        { .extra = "input", .words = { "no parameter", "\"input\"" } },
        { .shape = HG_SHAPE(6), .words = { "encoder/1/bias", "is 6", "must be 5" } },
        { .shape = HG_SHAPE(5, 1), .words = { "encoder/1/bias", "is 5x1", "must be 5" } },
        { .key = "hourglass.dtype", .value = "f64", .words = { "encoder/1/weight", "of f32", "of f64" } },
        { .key = "hourglass.dtype", .value = "i64", .words = { "hourglass.dtype", "\"i64\"" } },
        { .key = "hourglass.seed", .value = "-x", .words = { "hourglass.seed", "\"-x\"" } },
        { .key = "hourglass.seed", .value = "99999999999999999999", .words = { "hourglass.seed" } },
        { .key = "hourglass.seed", .words = { "hourglass.seed", "not a model" } },
        { .key = "hourglass.autoencoder", .words = { "hourglass.autoencoder", "not a model" } },
        { .key = "hourglass.autoencoder", .value = "{", .words = { "JSON" } },
    };
    hg_model *model = hg_model_new(&small, HG_F32, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        write_damaged(model, &rows[i], in_scratch("damaged"));
        hg_model *opened = hg_model_open(in_scratch("damaged"), NULL);
        assert_int_equal(hg_model_status(opened), HG_BAD_FILE);
        assert_words(hg_model_error(opened), (const char *const[]){ "damaged", NULL });
        assert_words(hg_model_error(opened), rows[i].words);
        hg_model_clear_error(opened);
        assert_int_equal(hg_model_status(opened), HG_BAD_FILE);
        hg_model_free(opened);
    }
    hg_model_free(model);
}

static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    size_t size;
    hg_model *model = hg_model_new(&small, HG_F32, 1);
    hg_model_save(model, in_scratch("whole"));
    unsigned char *bytes = read_bytes(in_scratch("whole"), &size);
    for (size_t i = 0; i < size; i += 37) {
        bytes[i] ^= 0x10;
        write_bytes(in_scratch("flipped"), bytes, size);
        bytes[i] ^= 0x10;
        write_bytes(in_scratch("short"), bytes, i);
        for (int cut = 0; cut < 2; cut++) {
            hg_model *opened = hg_model_open(in_scratch(cut ? "short" : "flipped"), NULL);
            assert_int_not_equal(hg_model_status(opened), HG_OK);
            assert_words(hg_model_error(opened), (const char *const[]){ cut ? "short" : "flipped", NULL });
            hg_model_free(opened);
        }
    }
    free(bytes);
    hg_model_free(model);
}

static void a_failed_save_keeps_the_old_file(void **state)
{
    (void)state;
    size_t size;
    hg_model *model = hg_model_new(&small, HG_F32, 1);
    assert_int_equal(hg_model_save(model, "/dev/full"), HG_CANNOT_WRITE);
    assert_says(hg_model_error(model), "/dev/full", "No space");
    hg_model_clear_error(model);
    assert_int_equal(hg_model_save(model, in_scratch("none/a")), HG_CANNOT_WRITE);
    assert_says(hg_model_error(model), "none/a", "No such file");
    hg_model_clear_error(model);
    hg_model_save(model, in_scratch("kept"));
    hg_model_fail(model, HG_BAD_ARGUMENT, "a mistake of the caller");
    assert_int_equal(hg_model_save(model, in_scratch("kept")), HG_BAD_ARGUMENT);
    assert_string_equal(hg_model_error(model), "a mistake of the caller");
    free(read_bytes(in_scratch("kept"), &size));
    assert_true(size > 0);
    hg_model_free(model);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_the_code_reconstructs),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(wrong_samples_are_refused),
        cmocka_unit_test(evaluation_is_right),
        cmocka_unit_test(cross_entropy_is_for_probabilities),
        cmocka_unit_test(models_are_saved_and_opened),
        cmocka_unit_test(functions_of_the_program_need_their_declaration),
        cmocka_unit_test(wrong_model_files_are_refused),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(a_failed_save_keeps_the_old_file),
    };
    return cmocka_run_group_tests_name("model", tests, make_scratch, remove_scratch);
}
