/* Schedules: their values as tables, and what they do to a training. */
#include "autoencoders.h"
#include "one_weight.h"

#include <hourglass/schedule.h>

#include <math.h>

/* ---- Values ---------------------------------------------------------------------------------------------- */

static void factors_are_those_of_the_formulas(void **state)
{
    (void)state;
    const double half_cosine = (1 + cos(acos(-1.0) / 8)) / 2;
    const struct {
        hg_schedule      schedule;
        double           warm_up;
        hg_training_time time; /* epoch, epochs, step, steps */
        double           factor;
    } rows[] = {
        { { 0 }, 0, { 1, 10, 1, 4 }, 1 },
        { { 0 }, 0, { 10, 10, 4, 4 }, 1 },
        { { &hg_constant_schedule, NULL }, 0, { 7, 10, 2, 4 }, 1 },

        { HG_STEP_DECAY(3), 0, { 3, 10, 4, 4 }, 1 },
        { HG_STEP_DECAY(3), 0, { 4, 10, 1, 4 }, 0.1 },
        { HG_STEP_DECAY(3, .factor = 0.5), 0, { 6, 10, 4, 4 }, 0.5 },
        { HG_STEP_DECAY(3, .factor = 0.5), 0, { 7, 10, 1, 4 }, 0.25 },
        { HG_STEP_DECAY(3, .factor = 0.5), 0, { 10, 10, 1, 4 }, 0.125 },
        { HG_STEP_DECAY(1, .factor = 0.5), 0, { 3, 10, 1, 4 }, 0.25 },

        { HG_COSINE, 0, { 1, 10, 1, 4 }, 1 },
        { HG_COSINE, 0, { 2, 4, 1, 4 }, (1 + sqrt(0.5)) / 2 },
        { HG_COSINE, 0, { 1, 2, 2, 4 }, half_cosine },
        { HG_COSINE, 0, { 6, 10, 1, 4 }, 0.5 },
        { HG_COSINE, 0, { 2, 2, 4, 4 }, 1 - half_cosine },
        { HG_COSINE_TO(0.2), 0, { 1, 10, 1, 4 }, 1 },
        { HG_COSINE_TO(0.2), 0, { 6, 10, 1, 4 }, 0.6 },
        { HG_COSINE_TO(0.2), 0, { 2, 2, 4, 4 }, 0.2 + 0.8 * (1 - half_cosine) },

        { { 0 }, 2, { 1, 10, 1, 4 }, 1.0 / 8 },
        { { 0 }, 2, { 2, 10, 1, 4 }, 5.0 / 8 },
        { { 0 }, 2, { 2, 10, 4, 4 }, 1 },
        { { 0 }, 2, { 3, 10, 1, 4 }, 1 },
        { { 0 }, 0.5, { 1, 10, 1, 4 }, 0.5 },
        { { 0 }, 0.5, { 1, 10, 2, 4 }, 1 },
        { { 0 }, 0.1, { 1, 10, 1, 4 }, 1 },
        { HG_COSINE, 2, { 1, 2, 2, 4 }, half_cosine * 2 / 8 },
        { HG_STEP_DECAY(1, .factor = 0.5), 2, { 2, 10, 2, 4 }, 0.5 * 6 / 8 },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_scheduler s;
        assert_int_equal(hg_scheduler_start(&s, rows[r].schedule, rows[r].warm_up, NULL), HG_OK);
        double factor = hg_scheduler_factor(&s, &rows[r].time);
        if (!(fabs(factor - rows[r].factor) < 1e-15))
            fail_msg("row %zu: %.17g, not %.17g", r, factor, rows[r].factor);
        hg_scheduler_observe(&s, 1); /* none of these looks at losses */
        assert_true(hg_scheduler_factor(&s, &rows[r].time) == factor);
    }
}

enum { EPOCHS = 8 };

static void a_plateau_lowers_the_rate(void **state)
{
    (void)state;
    const struct {
        hg_schedule schedule;
        double      loss[EPOCHS], factor[EPOCHS]; /* of an epoch, and after it */
    } rows[] = {
        { HG_PLATEAU(2, .factor = 0.5), { 8, 7, 6, 5, 4, 3, 2, 1 }, { 1, 1, 1, 1, 1, 1, 1, 1 } },
        { HG_PLATEAU(2, .factor = 0.5), { 5, 5, 5, 5, 5, 5, 5, 5 }, { 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125 } },
        { HG_PLATEAU(2), { 5, 6, 4, 5, 6, 3, 4, 4 }, { 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01 } },
        { HG_PLATEAU(1, .factor = 0.5), { 5, 6, 5.5, 5.2, 4, 4, 3, 3 },
          { 1, 0.5, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125 } },
        { HG_PLATEAU(1, .factor = 0.5, .floor = 0.25), { 5, 5, 5, 5, 5, 5, 5, 5 },
          { 1, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25 } },
        { HG_PLATEAU(1, .factor = 0.5, .threshold = 0.1), { 10, 9.5, 8.9, 8.1, 8.0, -1, -1.05, -1.2 },
          { 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125 } },
        { HG_PLATEAU(1, .factor = 0.5), { -5, -5.0004, -6, -5, -7, -7, -8, -9 }, { 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.125 } },
        { { &hg_plateau_schedule, NULL }, { 5, 5, 5, 5, 5, 5, 5, 5 }, { 1, 1, 1, 1, 1, 1, 1, 1 } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_scheduler s;
        assert_int_equal(hg_scheduler_start(&s, rows[r].schedule, 0, NULL), HG_OK);
        for (int epoch = 1; epoch <= EPOCHS; epoch++) {
            hg_training_time time = { epoch + 1, EPOCHS + 1, 1, 3 };
            hg_scheduler_observe(&s, rows[r].loss[epoch - 1]);
            double factor = hg_scheduler_factor(&s, &time);
            if (!(fabs(factor - rows[r].factor[epoch - 1]) < 1e-15))
                fail_msg("row %zu, after epoch %d: %.17g, not %.17g", r, epoch, factor, rows[r].factor[epoch - 1]);
        }
    }
}

static void wrong_schedules_are_refused(void **state)
{
    (void)state;
    const struct {
        hg_schedule       schedule;
        double            warm_up;
        const char *const words[4];
    } rows[] = {
        { { &hg_step_schedule, NULL }, 0, { "step", "every is 0", "[1, inf)" } },
        { HG_STEP_DECAY(3, .factor = 1), 0, { "step", "factor is 1", "(0, 1)" } },
        { HG_STEP_DECAY(-3), 0, { "step", "every is -3" } },
        { HG_COSINE_TO(1), 0, { "cosine", "floor is 1", "[0, 1)" } },
        { HG_PLATEAU(-1), 0, { "plateau", "patience is -1" } },
        { HG_PLATEAU(1, .factor = 2), 0, { "plateau", "factor is 2" } },
        { { 0 }, -1, { "constant", "warm_up is -1" } },
        { HG_COSINE, NAN, { "cosine", "warm_up" } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        hg_scheduler s;
        hg_error error = { 0 };
        assert_int_equal(hg_scheduler_start(&s, rows[r].schedule, rows[r].warm_up, &error), HG_BAD_ARGUMENT);
        assert_words(error.text, rows[r].words);
    }
}

/* ---- In a training --------------------------------------------------------------------------------------- */

typedef struct curve {
    double rate[16];
    int    epochs;
} curve;

static void keep_rates(const hg_report *report, void *to)
{
    curve *c = to;
    if (report->epoch_done)
        c->rate[c->epochs++] = report->rate;
}

/* Three samples in mini-batches of 2 and 1: two steps an epoch. */
static void a_training_follows_its_schedule(void **state)
{
    (void)state;
    double ones[3] = { 1, 1, 1 }, minus[3] = { -1, -1, -1 }, weight;
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(1), 3, HG_F64, ones, NULL),
               *away = hg_dataset_new(&HG_SHAPE(1), 3, HG_F64, minus, NULL);
    const struct {
        hg_schedule       schedule;
        double            warm_up;
        const hg_dataset *valid;
        double            last[4], taken; /* the rate in each epoch's last step; by all steps, from 1 */
    } rows[] = {
        { { 0 }, 0, NULL, { 0.1, 0.1, 0.1, 0.1 }, 0.8 },
        { HG_STEP_DECAY(2, .factor = 0.5), 0, NULL, { 0.1, 0.1, 0.05, 0.05 }, 0.6 },
        { { 0 }, 2, NULL, { 0.05, 0.1, 0.1, 0.1 }, 0.025 + 0.05 + 0.075 + 5 * 0.1 },
        { HG_COSINE, 0, NULL,
          { 0.05 * (1 + cos(acos(-1.0) / 8)), 0.05 * (1 + cos(acos(-1.0) * 3 / 8)), 0.05 * (1 - cos(acos(-1.0) * 3 / 8)),
            0.05 * (1 - cos(acos(-1.0) / 8)) }, 0.45 },
        { HG_PLATEAU(1, .factor = 0.5), 0, NULL, { 0.1, 0.1, 0.1, 0.1 }, 0.8 }, /* the training's loss falls */
        { HG_PLATEAU(1, .factor = 0.5), 0, data, { 0.1, 0.1, 0.1, 0.1 }, 0.8 },
        { HG_PLATEAU(1, .factor = 0.5), 0, away, { 0.1, 0.1, 0.05, 0.025 }, 0.55 }, /* that of these data rises */
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        curve c = { .epochs = 0 };
        hg_model *model = hg_model_new(&one_weight, HG_F64, 1);
        assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 4, .batch = 2, .optimizer = HG_SGD(.rate = 0.1),
                                                               .schedule = rows[r].schedule, .warm_up = rows[r].warm_up,
                                                               .valid = rows[r].valid, .progress = keep_rates,
                                                               .progress_to = &c }),
                         HG_OK);
        assert_int_equal(c.epochs, 4);
        for (int i = 0; i < 4; i++)
            if (!(fabs(c.rate[i] - rows[r].last[i]) < 1e-15))
                fail_msg("row %zu: the rate ends epoch %d as %.15g, not %.15g", r, i + 1, c.rate[i], rows[r].last[i]);
        hg_read(hg_graph_parameter(hg_model_graph(model), 0), &weight, 1);
        if (!(fabs(1 - weight - rows[r].taken) < 1e-12))
            fail_msg("row %zu: all steps took %.15g, not %.15g", r, 1 - weight, rows[r].taken);
        hg_model_free(model);
    }
    hg_model *model = hg_model_new(&one_weight, HG_F64, 1);
    assert_int_equal(hg_train(model, data, &(hg_training){ .epochs = 4, .warm_up = 5 }), HG_BAD_ARGUMENT);
    assert_says(hg_model_error(model), "warm_up is 5", "4");
    hg_model_free(model);
    hg_dataset_free(data);
    hg_dataset_free(away);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_those_of_the_formulas),
        cmocka_unit_test(a_plateau_lowers_the_rate),
        cmocka_unit_test(wrong_schedules_are_refused),
        cmocka_unit_test(a_training_follows_its_schedule),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
