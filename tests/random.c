/* Random tensors: functions of seed, name, step and index alone, with the numbers that Philox gives. */
#include "config.h"

#include <hourglass/math.h>
#include <hourglass/plan.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/random.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { NUMBERS = 5003, MASK_PER_BLOCK = 4 };

typedef hg_tensor *random_fn(hg_tensor *step, const char *name, hg_shape shape);

static hg_tensor *mask(hg_tensor *step, const char *name, hg_shape shape)
{
    return hg_random_mask(step, name, shape, 0.3);
}

typedef struct drawing {
    hg_dtype    dtype;
    random_fn  *draw;
    uint64_t    seed;
    const char *scope, *name;
    int64_t     step;
    int         threads;
    hg_isa      isa;
} drawing;

static void draw(const drawing *w, double y[NUMBERS])
{
    hg_graph *g = hg_graph_new(w->dtype);
    hg_tensor *step = hg_input_of(g, "step", HG_I64, HG_SCALAR);
    hg_graph_set_seed(g, w->seed);
    if (w->scope != NULL)
        hg_scope_push(g, w->scope);
    hg_tensor *noise = w->draw(step, w->name, HG_SHAPE(NUMBERS, HG_BATCH));
    hg_named(noise, "a name for messages"); /* changes no number */
    hg_plan *p = hg_plan_new(g, 1, &noise, &(hg_plan_options){ .threads = w->threads, .isa = w->isa });
    assert_string_equal(hg_graph_error(g), "");
    *(int64_t *)hg_plan_data(p, step) = w->step;
    assert_int_equal(hg_run(p), HG_OK);
    assert_int_equal(hg_plan_read(p, noise, y, NUMBERS), HG_OK);
    hg_plan_free(p);
    hg_graph_free(g);
}

/* ---- The numbers --------------------------------------------------------------------------------------- */

static double uniform(hg_dtype dtype, uint64_t key, uint64_t step, uint64_t i)
{
    int per_block = dtype == HG_F32 ? 4 : 2;
    philox4x32_ctr_t w = hg_random_words(key, step, i / (uint64_t)per_block);
    return dtype == HG_F32 ? hg_uniform24(w.v[i % 4]) : hg_uniform53(w.v[2 * (i % 2)], w.v[2 * (i % 2) + 1]);
}

static double normal(hg_dtype dtype, uint64_t key, uint64_t step, uint64_t i)
{
    double radius = sqrt(-2 * log(1 - uniform(dtype, key, step, i / 2 * 2)));
    double angle = 6.283185307179586 * uniform(dtype, key, step, i / 2 * 2 + 1);
    return radius * (i % 2 == 0 ? cos(angle) : sin(angle));
}

static double bernoulli(hg_dtype dtype, uint64_t key, uint64_t step, uint64_t i)
{
    philox4x32_ctr_t w = hg_random_words(key, step, i / MASK_PER_BLOCK);
    (void)dtype;
    return hg_uniform24(w.v[i % MASK_PER_BLOCK]) < 0.3f;
}

static const struct {
    random_fn *draw;
    double (*reference)(hg_dtype dtype, uint64_t key, uint64_t step, uint64_t i);
    double tolerance[HG_REALS];
} streams[] = {
    { hg_random_uniform, uniform, { 0, 0 } },
    { hg_random_normal, normal, { 2e-6, 4e-15 } },
    { mask, bernoulli, { 0, 0 } },
};

static void numbers_are_philox(void **state)
{
    (void)state;
    static double y[NUMBERS];
    for (size_t s = 0; s < COUNT(streams); s++)
        for (int dtype = HG_F32; dtype <= HG_F64; dtype++) {
            const drawing w = { .dtype = (hg_dtype)dtype, .draw = streams[s].draw, .seed = 42, .scope = "encoder",
                                .name = "noise", .step = (INT64_C(1) << 40) + 7 };
            uint64_t key = hg_random_key(42, "encoder/noise");
            draw(&w, y);
            for (uint64_t i = 0; i < NUMBERS; i++) {
                double right = streams[s].reference((hg_dtype)dtype, key, (uint64_t)w.step, i);
                if (!(fabs(y[i] - right) <= streams[s].tolerance[dtype]))
                    fail_msg("stream %zu, %s, element %d: %.17g instead of %.17g", s, hg_dtype_name((hg_dtype)dtype),
                             (int)i, y[i], right);
            }
        }
}

/* ---- What they depend on ------------------------------------------------------------------------------- */

static const drawing first = { .draw = hg_random_normal, .seed = 1, .name = "a", .step = 1, .threads = 1 };
static const struct {
    const char *what;
    drawing     other;
    bool        same;
} variations[] = {
    { "again", { .draw = hg_random_normal, .seed = 1, .name = "a", .step = 1, .threads = 1 }, true },
    { "threads", { .draw = hg_random_normal, .seed = 1, .name = "a", .step = 1, .threads = 3 }, true },
    { "isa", { .draw = hg_random_normal, .seed = 1, .name = "a", .step = 1, .isa = HG_ISA_BASE }, true },
    { "seed", { .draw = hg_random_normal, .seed = 2, .name = "a", .step = 1, .threads = 1 }, false },
    { "name", { .draw = hg_random_normal, .seed = 1, .name = "b", .step = 1, .threads = 1 }, false },
    { "scope", { .draw = hg_random_normal, .seed = 1, .scope = "s", .name = "a", .step = 1, .threads = 1 }, false },
    { "step", { .draw = hg_random_normal, .seed = 1, .name = "a", .step = 2, .threads = 1 }, false },
};

static void depend_on_seed_name_and_step_alone(void **state)
{
    (void)state;
    static double a[NUMBERS], b[NUMBERS];
    draw(&first, a);
    for (size_t v = 0; v < COUNT(variations); v++) {
        draw(&variations[v].other, b);
        int equal = 0;
        for (int i = 0; i < NUMBERS; i++)
            equal += a[i] == b[i];
        if (variations[v].same ? equal != NUMBERS : equal > NUMBERS / 100)
            fail_msg("%s: %d of %d are equal", variations[v].what, equal, NUMBERS);
    }
}

static void masks_drop_the_same_in_f32_and_f64(void **state)
{
    (void)state;
    static double a[NUMBERS], b[NUMBERS];
    drawing w = { .dtype = HG_F32, .draw = mask, .seed = 3, .name = "drop", .step = 5 };
    draw(&w, a);
    w.dtype = HG_F64;
    draw(&w, b);
    assert_memory_equal(a, b, sizeof a);
}

static void certain_masks(void **state)
{
    (void)state;
    hg_graph *g = hg_graph_new(HG_F32);
    hg_tensor *step = hg_constant_i64(g, HG_SCALAR, (const int64_t[]){ 0 });
    double never[999], always[999];
    assert_int_equal(hg_eval(hg_random_mask(step, "never", HG_SHAPE(999), 0), never, 999), HG_OK);
    assert_int_equal(hg_eval(hg_random_mask(step, "always", HG_SHAPE(999), 1), always, 999), HG_OK);
    for (int i = 0; i < 999; i++)
        assert_true(never[i] == 0 && always[i] == 1);
    hg_graph_free(g);
}

/* ---- Mistakes ------------------------------------------------------------------------------------------ */

typedef hg_tensor *mistake_fn(hg_graph *g, hg_tensor *step);

static hg_tensor *twice(hg_graph *g, hg_tensor *step)
{
    (void)g;
    hg_random_normal(step, "noise", HG_SHAPE(2));
    return hg_random_mask(step, "noise", HG_SHAPE(3), 0.5);
}

static hg_tensor *as_a_parameter(hg_graph *g, hg_tensor *step)
{
    hg_parameter(g, "W", HG_SHAPE(2), hg_zeros());
    return hg_random_normal(step, "W", HG_SHAPE(2));
}

static hg_tensor *nameless(hg_graph *g, hg_tensor *step) { return (void)g, hg_random_normal(step, "", HG_SHAPE(2)); }
static hg_tensor *improbable(hg_graph *g, hg_tensor *step)
{
    (void)g;
    return hg_random_mask(step, "drop", HG_SHAPE(2), 1.5);
}
static hg_tensor *real_step(hg_graph *g, hg_tensor *step)
{
    (void)step;
    return hg_random_uniform(hg_scalar(g, 1), "noise", HG_SHAPE(2));
}
static hg_tensor *many_steps(hg_graph *g, hg_tensor *step)
{
    (void)step;
    return hg_random_uniform(hg_constant_i64(g, HG_SHAPE(2), (const int64_t[]){ 1, 2 }), "noise", HG_SHAPE(2));
}

static const struct {
    mistake_fn *make;
    const char *words[3];
} mistakes[] = {
    { twice, { "random_mask", "noise", "taken" } },
    { as_a_parameter, { "random_normal", "\"W\"", "taken" } },
    { nameless, { "random_normal", "name", "empty" } },
    { improbable, { "random_mask", "drop", "1.5" } },
    { real_step, { "random_uniform \"noise\"", "step", "i64" } },
    { many_steps, { "random_uniform \"noise\"", "step", "scalar" } },
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        hg_graph *g = hg_graph_new(HG_F32);
        assert_null(mistakes[i].make(g, hg_input_of(g, "step", HG_I64, HG_SCALAR)));
        for (int w = 0; w < 3; w++)
            if (strstr(hg_graph_error(g), mistakes[i].words[w]) == NULL)
                fail_msg("\"%s\" is not in \"%s\"", mistakes[i].words[w], hg_graph_error(g));
        hg_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_philox),
        cmocka_unit_test(depend_on_seed_name_and_step_alone),
        cmocka_unit_test(masks_drop_the_same_in_f32_and_f64),
        cmocka_unit_test(certain_masks),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
