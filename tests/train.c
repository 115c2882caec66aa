/* Training: order, optimisers, validation, early stopping, divergence, the same bits. */
#include "autoencoders.h"
#include "allocations.h"
#include "one_weight.h"

#include <math.h>

/* ---- The order of samples -------------------------------------------------------------------------------- */

static void shuffles_are_permutations(void **state)
{
    (void)state;
    enum { N = 1000 };
    int64_t order[N], other[N];
    char seen[N] = { 0 };
    hg_shuffle(1, "order", 1, N, order);
    for (int i = 0; i < N; i++)
        assert_int_equal(seen[order[i]]++, 0);
    const struct {
        uint64_t    seed;
        const char *stream;
        uint64_t    step;
        bool        same;
    } rows[] = { { 1, "order", 1, true }, { 2, "order", 1, false }, { 1, "other", 1, false }, { 1, "order", 2, false } };
    for (size_t r = 0; r < COUNT(rows); r++) {
        int equal = 0;
        hg_shuffle(rows[r].seed, rows[r].stream, rows[r].step, N, other);
        for (int i = 0; i < N; i++)
            equal += order[i] == other[i];
        assert_true(rows[r].same ? equal == N : equal < 20);
    }
    hg_shuffle(1, "order", 1, 0, order);
}

static void shuffles_are_fair(void **state)
{
    (void)state;
    enum { STEPS = 6000 };
    int times[27] = { 0 }; /* by the digits of a permutation of three */
    for (uint64_t step = 0; step < STEPS; step++) {
        int64_t order[3];
        hg_shuffle(7, "order", step, 3, order);
        times[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    static const int permutations[] = { 5, 7, 11, 15, 19, 21 };
    for (size_t i = 0; i < COUNT(permutations); i++)
        assert_in_range(times[permutations[i]], 850, 1150); /* 1000 expected, standard deviation 29 */
}

typedef struct last {
    hg_report report;
    int       epochs;
} last;

static void keep_last(const hg_report *report, void *to)
{
    last *l = to;
    l->report = *report;
    l->epochs += report->epoch_done;
}

static void every_sample_is_used_once_an_epoch(void **state)
{
    (void)state;
    double x[20], weight; /* distinct powers of 2: the sum tells which were used how often */
    for (int i = 0; i < 20; i++)
        x[i] = ldexp(1, i);
    static const struct {
        int64_t samples, epochs;
        double  held_out, expected; /* sum of what one epoch uses; 0: not told */
    } rows[] = { { 20, 1, 0, 1048575 }, { 20, 3, 0, 1048575 }, { 1, 2, 0, 1 }, { 20, 2, 0.25, 0 } };
    for (size_t r = 0; r < COUNT(rows); r++) {
        last l = { 0 };
        hg_dataset *data = hg_dataset_new(&HG_SHAPE(1), rows[r].samples, HG_F64, x, NULL);
        hg_model *model = hg_model_new(&one_weight, HG_F64, 1);
        hg_status status = hg_train(model, data, &(hg_training){ .epochs = rows[r].epochs, .batch = 1, .threads = 1,
                                                                 .optimizer = HG_SGD(.rate = 1), .progress = keep_last,
                                                                 .progress_to = &l,
                                                                 .valid_fraction = rows[r].held_out });
        assert_string_equal(hg_model_error(model), "");
        assert_int_equal(status, HG_OK);
        assert_int_equal(l.epochs, rows[r].epochs);
        hg_read(hg_graph_parameter(hg_model_graph(model), 0), &weight, 1);
        double used = (1 - weight) / (double)rows[r].epochs;
        if (rows[r].held_out == 0)
            assert_true(used == rows[r].expected);
        else { /* the others are those that validate: their mean output */
            double valid = l.report.valid_loss / weight * 5;
            assert_true(fabs(used + valid - 1048575) < 1e-6);
            assert_true(used == floor(used));
        }
        hg_model_free(model);
        hg_dataset_free(data);
    }
}

static void losses_are_means_over_samples(void **state)
{
    (void)state;
    double x[7] = { 1, 2, 3, 4, 5, 6, 70 }, loss;
    last l = { 0 };
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(1), 7, HG_F64, x, NULL);
    hg_model *model = hg_model_new(&one_weight, HG_F64, 1);
    /* three mini-batches of 3, 3 and 1; next to nothing is learned */
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 1, .batch = 3, .optimizer = HG_SGD(.rate = 1e-12),
                                                           .valid = data, .progress = keep_last, .progress_to = &l }),
                     HG_OK);
    assert_true(fabs(l.report.train_loss - 13) < 1e-6);
    assert_true(fabs(l.report.valid_loss - 13) < 1e-6);
    assert_true(l.report.train_penalty == 0);
    assert_int_equal(l.report.steps, 3);
    assert_int_equal(l.report.step, 3);
    assert_int_equal(hg_model_loss(model, data, (int64_t[]){ 6, 0 }, 2, &loss), HG_OK);
    assert_true(fabs(loss - 35.5) < 1e-6);
    hg_model_free(model);
    hg_dataset_free(data);
}

/* ---- Whole trainings ------------------------------------------------------------------------------------- */

static const hg_autoencoder digits_model = {
    .name = "digits",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(24, .act = hg_relu), HG_DENSE(8) },
    .decoder = { HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_WEIGHT_DECAY(1e-4) },
};

static unsigned char *train_and_read(const hg_dataset *data, uint64_t seed, int threads, size_t *size)
{
    hg_model *model = hg_model_new(&digits_model, HG_F32, seed);
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 2, .batch = 48, .threads = threads,
                                                           .valid_fraction = 0.2, .patience = 1, .clip = { .norm = 100 } }),
                     HG_OK);
    assert_int_equal(hg_model_save(model, in_scratch("trained")), HG_OK);
    hg_model_free(model);
    return read_bytes(in_scratch("trained"), size);
}

static void files_do_not_depend_on_threads(void **state)
{
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=500", NULL);
    size_t size, size_again;
    unsigned char *bytes = train_and_read(data, 1, 1, &size);
    static const struct {
        uint64_t seed;
        int      threads;
    } rows[] = { { 1, 2 }, { 1, 3 }, { 1, 4 }, { 2, 1 } };
    for (size_t r = 0; r < COUNT(rows); r++) {
        unsigned char *again = train_and_read(data, rows[r].seed, rows[r].threads, &size_again);
        assert_int_equal(size, size_again);
        assert_int_equal(memcmp(bytes, again, size) == 0, rows[r].seed == 1);
        free(again);
    }
    free(bytes);
    hg_dataset_free(data);
}

static void threads_are_those_of_the_model_unless_told(void **state)
{
    (void)state;
    static const struct { int model, training, used; } rows[] = { { 3, 0, 3 }, { 3, 2, 2 }, { 1, 0, 1 } };
    hg_dataset *data = hg_dataset_open("digits:count=64", NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512] = "", wanted[32];
        FILE *profile = tmpfile();
        hg_model *model = hg_model_new(&digits_model, HG_F32, 1);
        hg_model_set_threads(model, rows[i].model);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 1, .threads = rows[i].training, .profile = profile }),
                         HG_OK);
        assert_int_equal(hg_model_threads(model), rows[i].used);
        rewind(profile);
        assert_true(fread(text, 1, sizeof text - 1, profile) > 0);
        snprintf(wanted, sizeof wanted, ", %d thread", rows[i].used);
        assert_non_null(strstr(text, wanted));
        fclose(profile);
        hg_model_free(model);
    }
    hg_dataset_free(data);
}

/* Ten times as many mini-batches are trained on with as many allocations. */
static void a_step_allocates_nothing(void **state)
{
    (void)state;
#ifdef COUNTS_ALLOCATIONS
    hg_dataset *data = hg_dataset_open("digits:count=640", NULL);
    for (int threads = 1; threads <= 2; threads++) {
        long used[2] = { 0 };
        for (int i = 0; i < 4; i++) { /* twice each: LLVM's OpenMP keeps something of the threads of every other plan */
            hg_dataset *part = hg_dataset_view(data, 0, i < 2 ? 64 : 640);
            hg_model *model = hg_model_new(&digits_model, HG_F32, 1);
            const long before = allocations;
            assert_int_equal(hg_train(model, part, &(hg_training){ .epochs = 2, .batch = 32, .threads = threads,
                                                                   .schedule = HG_COSINE, .clip = { .norm = 100 } }),
                             HG_OK);
            used[i / 2] += allocations - before;
            hg_model_free(model);
            hg_dataset_free(part);
        }
        assert_true(used[0] > 0);
        assert_int_equal(used[1], used[0]);
    }
    hg_dataset_free(data);
#else
    skip();
#endif
}

static void training_learns(void **state)
{
    (void)state;
    hg_evaluation before, after;
    last l = { 0 };
    hg_dataset *data = hg_dataset_open("digits:count=1000", NULL);
    hg_model *model = hg_model_new(&digits_model, HG_F32, 1);
    assert_int_equal(hg_model_evaluate(model, data, &before), HG_OK);
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 8, .batch = 50, .optimizer = HG_ADAM(.rate = 0.005),
                                                           .progress = keep_last, .progress_to = &l }),
                     HG_OK);
    assert_int_equal(hg_model_evaluate(model, data, &after), HG_OK);
    assert_true(after.errors.mean_squared_error < 0.85 * after.baselines.mean_image.mean_squared_error);
    assert_true(after.errors.mean_squared_error < 0.5 * before.errors.mean_squared_error);
    assert_true(l.report.train_penalty > 0);
    assert_true(isnan(l.report.valid_loss));
    assert_int_equal(l.epochs, 8);
    hg_model_free(model);
    hg_dataset_free(data);
}

/* Validation data that training leads away from: the loss rises with each epoch. */
static void early_stopping_goes_back_to_the_best(void **state)
{
    (void)state;
    double x[4] = { 1, 2, 1, 2 }, minus[4] = { -1, -2, -1, -2 }, weight, loss;
    static const struct {
        int     epochs, best; /* run, and whose parameters are kept */
        bool    rising;
        int64_t patience;
    } rows[] = { { 4, 1, true, 3 }, { 10, 10, false, 3 }, { 10, 10, true, 0 } };
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(1), 4, HG_F64, x, NULL), *away = hg_dataset_new(&HG_SHAPE(1), 4, HG_F64, minus, NULL);
    for (size_t r = 0; r < COUNT(rows); r++) {
        last l = { 0 };
        hg_model *model = hg_model_new(&one_weight, HG_F64, 1);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 10, .batch = 4, .optimizer = HG_SGD(.rate = 0.1),
                                                               .valid = rows[r].rising ? away : data,
                                                               .patience = rows[r].patience, .progress = keep_last,
                                                               .progress_to = &l }),
                         HG_OK);
        assert_int_equal(l.epochs, rows[r].epochs);
        if (rows[r].epochs == 10)
            assert_null(l.report.ended);
        else
            assert_says(l.report.ended, "validation loss", "patience");
        hg_read(hg_graph_parameter(hg_model_graph(model), 0), &weight, 1);
        assert_true(fabs(weight - (1 - 0.15 * rows[r].best)) < 1e-12);
        assert_int_equal(hg_model_loss(model, away, NULL, 4, &loss), HG_OK);
        assert_true(fabs(loss + 1.5 * weight) < 1e-12);
        hg_model_free(model);
    }
    hg_dataset_free(data);
    hg_dataset_free(away);
}

static const hg_autoencoder linear = { .name = "linear", .input = { 1, 28, 28 }, .encoder = { HG_DENSE(8) },
                                       .decoder = { HG_DENSE(784) } };

static void divergence_leaves_the_last_good_epoch(void **state)
{
    (void)state;
    size_t size, size_after;
    hg_dataset *data = hg_dataset_open("digits:count=300", NULL);
    hg_model *model = hg_model_new(&linear, HG_F32, 1);
    hg_model_save(model, in_scratch("before"));
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 50, .optimizer = HG_SGD(.rate = 1e4) }), HG_DIVERGED);
    static const char *const words[] = { "diverged", "epoch 1", "step", "sgd", "rate 10000", "lower rate", NULL };
    assert_words(hg_model_error(model), words);
    assert_int_equal(hg_model_save(model, in_scratch("before")), HG_DIVERGED); /* the file stays */
    hg_model_clear_error(model);
    hg_model_save(model, in_scratch("after"));
    unsigned char *before = read_bytes(in_scratch("before"), &size), *after = read_bytes(in_scratch("after"), &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 1, .optimizer = HG_SGD(.rate = 1e-3) }), HG_OK);
    free(before);
    free(after);
    hg_model_free(model);
    hg_dataset_free(data);
}

static const hg_autoencoder no_parameters = { .name = "still", .input = { 12 }, .encoder = { HG_CUSTOM(halve) },
                                              .decoder = { HG_CUSTOM(hg_identity) } };

static void wrong_options_are_refused(void **state)
{
    (void)state;
    double x[12 * 10] = { 0 }, wide[12 * 10] = { [5] = 255 };
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(12), 10, HG_F64, x, NULL),
               *other = hg_dataset_new(&HG_SHAPE(3), 10, HG_F64, x, NULL),
               *bright = hg_dataset_new(&HG_SHAPE(12), 10, HG_F64, wide, NULL);
    const struct {
        const hg_autoencoder *declaration;
        const hg_dataset     *data;
        hg_training           training;
        hg_status             status;
        const char           *const words[4];
    } rows[] = {
        { &small, data, { .epochs = -1 }, HG_BAD_ARGUMENT, { "epochs is -1", "[1, inf)" } },
        { &small, data, { .batch = -3 }, HG_BAD_ARGUMENT, { "batch is -3" } },
        { &small, data, { .threads = -1 }, HG_BAD_ARGUMENT, { "threads is -1" } },
        { &small, data, { .valid_fraction = 1 }, HG_BAD_ARGUMENT, { "valid_fraction is 1", "[0, 1)" } },
        { &small, data, { .valid_fraction = 0.05 }, HG_BAD_ARGUMENT, { "valid_fraction is 0.05", "10" } },
        { &small, data, { .valid_fraction = 0.5, .valid = data }, HG_BAD_ARGUMENT, { "exclude" } },
        { &small, data, { .patience = 2 }, HG_BAD_ARGUMENT, { "patience is 2", "validation" } },
        { &small, data, { .patience = -2 }, HG_BAD_ARGUMENT, { "patience is -2" } },
        { &small, data, { .valid = other }, HG_BAD_SHAPE, { "3", "1x3x4" } },
        { &small, other, { 0 }, HG_BAD_SHAPE, { "3", "1x3x4" } },
        { &small, bright, { 0 }, HG_BAD_DATA, { "binary_cross_entropy", "[0, 255]", "[0, 1]" } },
        { &small, data, { .valid = bright }, HG_BAD_DATA, { "[0, 255]" } },
        { &small, data, { .optimizer = HG_SGD(.rate = -1) }, HG_BAD_ARGUMENT, { "sgd", "rate is -1", "(0, inf)" } },
        { &small, data, { .optimizer = HG_ADAM(.beta1 = 1) }, HG_BAD_ARGUMENT, { "adam", "beta1 is 1" } },
        { &small, data, { .optimizer = HG_ADAM(.rate = NAN) }, HG_BAD_ARGUMENT, { "adam", "rate is" } },
        { &small, data, { .clip = { .norm = -1 } }, HG_BAD_ARGUMENT, { "clipping", "-1" } },
        { &no_parameters, data, { 0 }, HG_BAD_ARGUMENT, { "\"still\"", "no parameters" } },
        { &small, NULL, { 0 }, HG_OUT_OF_MEMORY, { "memory" } },
        { &full, bright, { .epochs = 1, .batch = 1000 }, HG_OK, { 0 } },
        { &custom, data, { .epochs = 1 }, HG_OK, { 0 } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_model *model = hg_model_new(rows[r].declaration, HG_F32, 1);
        assert_int_equal(hg_train(model, rows[r].data, &rows[r].training), rows[r].status);
        assert_words(hg_model_error(model), rows[r].words);
        hg_model_free(model);
    }
    assert_int_equal(hg_train(NULL, data, &(hg_training){ 0 }), HG_OUT_OF_MEMORY);
    hg_dataset_free(data);
    hg_dataset_free(other);
    hg_dataset_free(bright);
}

/* ---- Progress -------------------------------------------------------------------------------------------- */

static void progress_is_a_line_an_epoch(void **state)
{
    (void)state;
    char text[512] = "";
    FILE *file = tmpfile();
    hg_report report = { .epoch = 2, .epochs = 3, .step = 4, .steps = 10, .train_loss = 1.5, .valid_loss = NAN,
                         .samples_per_second = 1000.4, .seconds_left = 75 };
    hg_progress_bar(&report, file);
    assert_int_equal(ftell(file), 0); /* nothing within an epoch where nobody can see it */
    report.epoch_done = true;
    hg_progress_bar(&report, file);
    report.valid_loss = 2;
    report.train_penalty = 0.25;
    report.ended = "enough";
    hg_progress_bar(&report, file);
    rewind(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    assert_string_equal(text, "epoch 2/3  loss 1.5  1000 samples/s\n"
                              "epoch 2/3  loss 1.5 + 0.25  valid 2  1000 samples/s\nended: enough\n");
    fclose(file);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffles_are_permutations),
        cmocka_unit_test(shuffles_are_fair),
        cmocka_unit_test(every_sample_is_used_once_an_epoch),
        cmocka_unit_test(losses_are_means_over_samples),
        cmocka_unit_test(files_do_not_depend_on_threads),
        cmocka_unit_test(threads_are_those_of_the_model_unless_told),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(training_learns),
        cmocka_unit_test(early_stopping_goes_back_to_the_best),
        cmocka_unit_test(divergence_leaves_the_last_good_epoch),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(progress_is_a_line_an_epoch),
    };
    return cmocka_run_group_tests_name("train", tests, make_scratch, remove_scratch);
}
