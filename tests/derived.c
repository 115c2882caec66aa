/* The checks that are derived from a row, each in graphs of its own. */
#include "harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t batches[] = { 1, 15, 16, 17, 48, 128 };
static const double extremes[] = { 0,   -0.0, 1e-30, -1e-30, 1,    -1,       30,        -30, 100,
                                   -100, 1000, -1000, 1e30,   -1e30, INFINITY, -INFINITY, NAN };
static const hg_dtype dtypes[] = { HG_F32, HG_F64 };

/* ---- Forward ------------------------------------------------------------------------------------------- */

static array reference_of(const op_row *row, const instance *s, const array in[], int64_t batch)
{
    array y = array_new(hg_tensor_shape(s->y), batch);
    if (row->reference != NULL)
        row->reference(in, row->a, &y);
    for (int64_t i = 0; row->of != NULL && i < y.count; i++) {
        double x[MOST_INPUTS];
        for (int k = 0; k < row->inputs; k++)
            x[k] = in[k].at[in[k].count == 1 ? 0 : i];
        y.at[i] = row->of(x, row->a);
    }
    return y;
}

static void check_forward(const op_row *row)
{
    for (size_t d = 0; d < LENGTH(dtypes); d++) {
        instance s = instance_new(row, dtypes[d]);
        for (size_t b = 0; b < LENGTH(batches); b++) {
            array in[MOST_INPUTS + 1];
            draw_inputs(&s, batches[b], in);
            array right = reference_of(row, &s, in, batches[b]);
            for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
                array y = evaluate(&s, s.y, in, (hg_plan_options){ .batch = batches[b], .isa = isa });
                y.batch = batches[b];
                expect_near(hg_isa_name(isa), &y, &right, row->ulps > 0 ? row->ulps : 4, row->scale, dtypes[d]);
                free(y.at);
            }
            free(right.at);
            free_arrays(in, s.inputs);
        }
        hg_graph_free(s.graph);
    }
}

/* Where mistakes hide: nothing, infinity, not a number, and numbers so large that formulas overflow. Two inputs meet in
   many pairs of them. */
static void draw_extremes(const op_row *row, int64_t batch, array in[])
{
    for (int k = 0; k < row->inputs; k++) {
        in[k] = array_new(&row->input[k].shape, batch);
        for (int64_t i = 0; i < in[k].count; i++)
            in[k].at[i] = (float)extremes[(i + k * (i / batch)) % batch];
    }
}

static void check_extremes(const op_row *row)
{
    const int64_t batch = LENGTH(extremes);
    for (size_t d = 0; d < LENGTH(dtypes); d++) {
        instance s = instance_new(row, dtypes[d]);
        array in[MOST_INPUTS];
        draw_extremes(row, batch, in);
        array right = reference_of(row, &s, in, batch);
        for (int64_t i = 0; i < right.count && dtypes[d] == HG_F32; i++)
            right.at[i] = fabs(right.at[i]) < FLT_MIN ? 0 : (float)right.at[i];
        for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
            array y = evaluate(&s, s.y, in, (hg_plan_options){ .batch = batch, .isa = isa });
            y.batch = batch;
            expect_near(hg_isa_name(isa), &y, &right, row->ulps > 0 ? row->ulps : 4, row->scale + 1e-300, dtypes[d]);
            free(y.at);
        }
        free(right.at);
        free_arrays(in, row->inputs);
        hg_graph_free(s.graph);
    }
}

/* Random numbers: their moments within 5 standard errors; a function of seed and step. */
static void check_random(const op_row *row)
{
    enum { BATCH = 4096 };
    for (size_t d = 0; d < LENGTH(dtypes); d++) {
        array y[4];
        static const struct {
            uint64_t seed;
            double   step;
        } runs[] = { { 1, 3 }, { 1, 3 }, { 1, 4 }, { 2, 3 } };
        for (int i = 0; i < 4; i++) {
            instance s = instance_new(row, dtypes[d]);
            array in = array_new(&row->input[0].shape, BATCH);
            in.at[0] = runs[i].step;
            hg_graph_set_seed(s.graph, runs[i].seed);
            y[i] = evaluate(&s, s.y, &in, (hg_plan_options){ .batch = BATCH });
            free(in.at);
            hg_graph_free(s.graph);
        }
        expect_same_bits("the same seed and step", &y[0], &y[1]);
        double n = (double)y[0].count, mean = 0, variance = 0, with_step = 0, with_seed = 0, with_next = 0;
        for (int64_t i = 0; i < y[0].count; i++)
            mean += y[0].at[i] / n;
        for (int64_t i = 0; i < y[0].count; i++) {
            double r = y[0].at[i] - row->a[0];
            variance += r * r / n;
            with_step += r * (y[2].at[i] - row->a[0]) / n;
            with_seed += r * (y[3].at[i] - row->a[0]) / n;
            with_next += r * (y[0].at[(i + 1) % y[0].count] - row->a[0]) / n;
        }
        double error = 5 * sqrt(row->a[1] / n), correlation = 5 * row->a[1] / sqrt(n);
        assert_true(fabs(mean - row->a[0]) < error);
        assert_true(fabs(variance - row->a[1]) < 2 * row->a[1] * 5 / sqrt(n));
        assert_true(fabs(with_step) < correlation);
        assert_true(fabs(with_seed) < correlation);
        assert_true(fabs(with_next) < correlation);
        free_arrays(y, 4);
    }
}

/* ---- Gradients ----------------------------------------------------------------------------------------- */

enum { CHECK_BATCH = 5 };

/* hg_gradcheck of sum(w y); the report's text goes to `text`. */
static hg_status gradcheck(instance *s, hg_tensor *y, int order, hg_check_report *report)
{
    hg_tensor *wrt[MOST_INPUTS + 1], *loss = weighted_sum(s, y);
    int count = differentiable(s, wrt);
    array in[MOST_INPUTS + 1];
    hg_check_input given[MOST_INPUTS + 1];
    expect_good(s->graph);
    draw_inputs(s, CHECK_BATCH, in);
    for (int i = 0; i < s->inputs; i++)
        given[i] = (hg_check_input){ s->in[i], in[i].at };
    hg_check_options options = { .order = order, .batch = CHECK_BATCH, .inputs = s->inputs, .input = given };
    hg_status status = hg_gradcheck(loss, count, wrt, &options, report);
    free_arrays(in, s->inputs);
    return status;
}

static void check_order(const op_row *row, int order)
{
    hg_check_report report;
    instance s = instance_new(row, HG_F64);
    hg_status status = gradcheck(&s, s.y, order, &report);
    hg_graph_free(s.graph);
    if (status != HG_OK)
        fail_msg("%s", report.text);
    assert_int_equal(report.entries % order, 0);
}

static void check_gradient(const op_row *row) { check_order(row, 1); }
static void check_double_gradient(const op_row *row) { check_order(row, 2); }

/* Outputs and gradients in f32 and in f64. */
static void check_dtypes(const op_row *row)
{
    for (size_t b = 0; b < LENGTH(batches); b++) {
        array y[LENGTH(dtypes)];
        for (size_t d = 0; d < LENGTH(dtypes); d++) {
            instance s = surrounded(row, dtypes[d]);
            array in[MOST_INPUTS + 1];
            draw_inputs(&s, batches[b], in);
            y[d] = run(&s, in, (hg_plan_options){ .batch = batches[b] }, NULL);
            free_arrays(in, s.inputs);
            hg_graph_free(s.graph);
        }
        double largest = 0;
        for (int64_t i = 0; i < y[1].count; i++)
            largest = fmax(largest, fabs(y[1].at[i]));
        expect_near("f32 beside f64", &y[0], &y[1], 64, 1 + largest / 4, HG_F32);
        free_arrays(y, LENGTH(dtypes));
    }
}

/* ---- Mutants: a wrong vjp must not pass ---------------------------------------------------------------- */

static struct {
    const hg_op *original;
    int          input;
    bool         flip; /* else drop */
    bool         hit;
} mutation;

static void mutated_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    mutation.original->vjp(t, g, wanted, d);
    hg_tensor **term = &d[mutation.input];
    mutation.hit |= *term != NULL;
    if (*term != NULL)
        *term = mutation.flip ? hg_neg(*term) : NULL;
}

static hg_tensor *mutant_of(hg_tensor *y, hg_op *mutant)
{
    hg_tensor *input[MOST_INPUTS];
    *mutant = *mutation.original;
    mutant->vjp = mutated_vjp;
    for (int i = 0; i < hg_tensor_inputs(y); i++)
        input[i] = hg_tensor_input(y, i);
    return hg_apply(mutant, hg_tensor_inputs(y), input, hg_tensor_attr(y));
}

/* Whether the input has a term at all. */
static bool check_mutant(const op_row *row, int input, bool flip)
{
    hg_op mutant;
    hg_check_report report;
    instance s = instance_new(row, HG_F64);
    mutation.original = hg_tensor_op(s.y);
    mutation.input = input;
    mutation.flip = flip;
    mutation.hit = false;
    hg_status status = gradcheck(&s, mutant_of(s.y, &mutant), 1, &report);
    hg_graph_free(s.graph);
    if (mutation.hit && status != HG_GRADIENT_WRONG)
        fail_msg("%s term for input %d passes: %s", flip ? "a flipped" : "a dropped", input, report.text);
    return mutation.hit;
}

static void check_mutants(const op_row *row)
{
    instance s = instance_new(row, HG_F64);
    int inputs = hg_tensor_inputs(s.y), terms = 0;
    assert_string_equal(hg_tensor_op(s.y)->name, row->name);
    hg_graph_free(s.graph);
    for (int i = 0; i < inputs; i++)
        for (int flip = 0; flip < 2; flip++)
            terms += check_mutant(row, i, flip);
    assert_true(terms > 0);
}

/* ---- Plans: the same bits however it is run ------------------------------------------------------------ */

static void compare_plans(const op_row *row, const char *what, hg_plan_options other, const int64_t sizes[],
                          size_t count, void (*facts_hold)(const hg_plan_facts *, const hg_plan_facts *))
{
    for (size_t d = 0; d < LENGTH(dtypes); d++) {
        instance s = surrounded(row, dtypes[d]);
        for (size_t b = 0; b < count; b++) {
            hg_plan_facts usual, changed;
            array in[MOST_INPUTS + 1];
            other.batch = sizes[b];
            draw_inputs(&s, sizes[b], in);
            array y = run(&s, in, (hg_plan_options){ .batch = sizes[b] }, &usual), z = run(&s, in, other, &changed);
            expect_same_bits(what, &y, &z);
            if (facts_hold != NULL)
                facts_hold(&usual, &changed);
            free(y.at);
            free(z.at);
            free_arrays(in, s.inputs);
        }
        hg_graph_free(s.graph);
    }
}

static const int64_t plan_batches[] = { 1, 17, 130 };

static void fewer_steps(const hg_plan_facts *fused, const hg_plan_facts *unfused)
{
    assert_true(fused->steps < unfused->steps || unfused->steps <= 1);
}

static void check_fused(const op_row *row)
{
    compare_plans(row, "fused and unfused", (hg_plan_options){ .no_fusion = true }, plan_batches, LENGTH(plan_batches),
                  fewer_steps);
}

static void smaller_arena(const hg_plan_facts *reused, const hg_plan_facts *separate)
{
    assert_true(reused->arena_bytes <= separate->arena_bytes);
}

static void check_reused(const op_row *row)
{
    compare_plans(row, "reused and separate buffers", (hg_plan_options){ .no_reuse = true }, plan_batches,
                  LENGTH(plan_batches), smaller_arena);
}

static void fewer_ops(const hg_plan_facts *folded, const hg_plan_facts *unfolded)
{
    assert_true(folded->ops <= unfolded->ops);
}

static void check_folded(const op_row *row)
{
    compare_plans(row, "folded and unfolded", (hg_plan_options){ .no_folding = true }, plan_batches,
                  LENGTH(plan_batches), fewer_ops);
}

/* A batch large enough that ops are really cut into parts, and odd. */
static void check_threads(const op_row *row)
{
    static const int64_t large[] = { 3001 };
    compare_plans(row, "1 and 2 threads", (hg_plan_options){ .threads = 2 }, large, LENGTH(large), NULL);
    compare_plans(row, "1 and 4 threads", (hg_plan_options){ .threads = 4 }, large, LENGTH(large), NULL);
}

/* ---- Laws ---------------------------------------------------------------------------------------------- */

enum { LAW_BATCH = 17 };

static double dot(const array *a, const array *b)
{
    double sum = 0;
    for (int64_t i = 0; i < a->count; i++)
        sum += a->at[i] * b->at[i];
    return sum;
}

static double norm(const array *a) { return sqrt(dot(a, a)); }

/* f(2 x - 3 z) = 2 f(x) - 3 f(z), and <w, f(x)> = <vjp(w), x>. */
static void check_linear_in(const op_row *row, int input)
{
    const hg_plan_options options = { .batch = LAW_BATCH };
    instance s = instance_new(row, HG_F64);
    hg_tensor *adjoint;
    array in[MOST_INPUTS + 1];
    weighted_sum(&s, s.y);
    hg_vjp(s.y, s.in[s.inputs - 1], 1, &s.in[input], &adjoint);
    expect_good(s.graph);
    draw_inputs(&s, LAW_BATCH, in);
    array x = in[input], z = draw_array(&row->input[input], LAW_BATCH, 99);
    array mixed = array_new(&row->input[input].shape, LAW_BATCH);
    for (int64_t i = 0; i < x.count; i++)
        mixed.at[i] = 2 * x.at[i] - 3 * z.at[i];
    array f_x = evaluate(&s, s.y, in, options), back = evaluate(&s, adjoint, in, options);
    const array *w = &in[s.inputs - 1];
    assert_true(fabs(dot(w, &f_x) - dot(&back, &x)) <= 1e-12 * (1 + norm(w) * norm(&f_x)));
    in[input] = z;
    array f_z = evaluate(&s, s.y, in, options);
    in[input] = mixed;
    array f_mixed = evaluate(&s, s.y, in, options);
    in[input] = x;
    for (int64_t i = 0; i < f_x.count; i++)
        f_x.at[i] = 2 * f_x.at[i] - 3 * f_z.at[i];
    expect_near("linear", &f_mixed, &f_x, 4096, 1, HG_F64);
    free_arrays((array[]){ z, mixed, f_x, f_z, f_mixed, back }, 6);
    free_arrays(in, s.inputs);
    hg_graph_free(s.graph);
}

static void check_linear(const op_row *row)
{
    for (int i = 0; i < row->inputs; i++)
        if (row->linear & LINEAR(i))
            check_linear_in(row, i);
}

static void check_laws(const op_row *row)
{
    for (int i = 0; i < MOST_LAWS && row->law[i].zero != NULL; i++) {
        instance s = inputs_of(row, HG_F64);
        hg_tensor *zero = row->law[i].zero(s.in, row->a);
        array in[MOST_INPUTS + 1];
        expect_good(s.graph);
        draw_inputs(&s, LAW_BATCH, in);
        array y = evaluate(&s, zero, in, (hg_plan_options){ .batch = LAW_BATCH }), right = array_new(&y.shape, 1);
        assert_true(y.count > 0);
        expect_near(row->law[i].name, &y, &right, 64, 1, HG_F64);
        free(y.at);
        free(right.at);
        free_arrays(in, s.inputs);
        hg_graph_free(s.graph);
    }
}

/* ---- The table of checks ------------------------------------------------------------------------------- */

static bool is_random(const op_row *row) { return row->own == NULL && row->of == NULL && row->reference == NULL; }
static bool has_forward(const op_row *row) { return row->of != NULL || row->reference != NULL; }
static bool has_extremes(const op_row *row)
{
    bool has = row->of != NULL;
    for (int i = 0; i < row->inputs; i++)
        has = has && row->input[i].kind == REAL && row->input[i].shape.rank == 2;
    return has;
}
static bool is_derived(const op_row *row) { return row->own == NULL; }
static bool has_gradient(const op_row *row) { return is_derived(row) && !row->no_differences; }
static bool is_linear(const op_row *row) { return row->linear != 0; }
static bool has_laws(const op_row *row) { return row->law[0].zero != NULL; }
static bool has_own(const op_row *row) { return row->own != NULL; }
static void check_own(const op_row *row) { row->own(); }

/* Rows of a single op that has a vjp, and elements. */
static bool has_mutants(const op_row *row)
{
    if (!has_gradient(row))
        return false;
    instance s = inputs_of(row, HG_F64);
    hg_tensor *y = build(row, s.in);
    bool single = y != NULL && strcmp(hg_tensor_op(y)->name, row->name) == 0 && hg_tensor_op(y)->vjp != NULL &&
                  hg_shape_count(hg_tensor_shape(y), 1) > 0;
    for (int i = 0; i < row->inputs; i++)
        single = single && hg_shape_count(&row->input[i].shape, 1) > 0;
    hg_graph_free(s.graph);
    return single;
}

static const struct {
    const char *name;
    bool (*applies)(const op_row *row);
    void (*check)(const op_row *row);
} checks[] = {
    { "forward", has_forward, check_forward },
    { "extremes", has_extremes, check_extremes },
    { "moments", is_random, check_random },
    { "gradient", has_gradient, check_gradient },
    { "double gradient", has_gradient, check_double_gradient },
    { "mutants", has_mutants, check_mutants },
    { "f32 near f64", has_forward, check_dtypes },
    { "fused = unfused", is_derived, check_fused },
    { "reused = separate buffers", is_derived, check_reused },
    { "folded = unfolded", is_derived, check_folded },
    { "threads", is_derived, check_threads },
    { "linear", is_linear, check_linear },
    { "laws", has_laws, check_laws },
    { "itself", has_own, check_own },
};

typedef struct test_case {
    char          name[112];
    const op_row *row;
    size_t        check;
} test_case;

static void run_case(void **state)
{
    const test_case *c = *state;
    checks[c->check].check(c->row);
}

typedef struct coverage {
    const op_row      *row;
    size_t             rows;
    const char *const *names, *const *exempt;
} coverage;

static bool listed(const char *name, const char *const names[])
{
    while (*names != NULL && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static void check_coverage(void **state)
{
    const coverage *c = *state;
    for (const char *const *name = c->names; *name != NULL; name++) {
        bool found = listed(*name, c->exempt);
        for (size_t i = 0; i < c->rows; i++)
            found |= strcmp(c->row[i].name, *name) == 0;
        if (!found)
            fail_msg("ops.def lists \"%s\", but the table of tests has no row for it", *name);
    }
}

int run_rows(const op_row rows[], size_t count, const char *const names[], const char *const exempt[])
{
    coverage c = { rows, count, names, exempt };
    size_t tests = 0, most = count * LENGTH(checks) + 1;
    struct CMUnitTest *test = calloc(most, sizeof *test);
    test_case *cases = calloc(most, sizeof *cases);
    if (test == NULL || cases == NULL)
        return 1;
    test[tests++] = (struct CMUnitTest){ "every op has a row", check_coverage, NULL, NULL, &c };
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < LENGTH(checks); k++) {
            if (!checks[k].applies(&rows[i]))
                continue;
            cases[tests] = (test_case){ .row = &rows[i], .check = k };
            const char *variant = rows[i].variant;
            snprintf(cases[tests].name, sizeof cases->name, "%s%s%s: %s", rows[i].name, variant == NULL ? "" : " ",
                     variant == NULL ? "" : variant, checks[k].name);
            test[tests] = (struct CMUnitTest){ cases[tests].name, run_case, NULL, NULL, &cases[tests] };
            tests++;
        }
    int failed = _cmocka_run_group_tests("ops", test, tests, NULL, NULL);
    free(test);
    free(cases);
    return failed;
}
