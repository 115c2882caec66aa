/* Products of matrices on every instruction set: sizes about those of tiles, slices and strips, what cannot be split into
   smaller numbers, and how exact they are. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hourglass.h>
#include <hourglass/op.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))

/* rows x k by k x columns; either stored transposed. */
typedef struct problem {
    int64_t  rows, columns, k;
    hg_dtype dtype;
    bool     transposed[2];
    double  *factor[2], *magnitude; /* as if not transposed; of the products of each sum */
} problem;

static double *numbers(int64_t count)
{
    double *x = calloc((size_t)(count > 0 ? count : 1), sizeof *x);
    assert_non_null(x);
    return x;
}

/* Uniform in [low, low + 1), the same each time, of 24 bits. */
static double draw(uint64_t *state, double low)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(float)(low + (double)(*state >> 40) / (1 << 24));
}

static problem problem_of(int64_t rows, int64_t columns, int64_t k, double low)
{
    problem p = { .rows = rows, .columns = columns, .k = k, .dtype = HG_F32,
                  .factor = { numbers(rows * k), numbers(k * columns) } };
    uint64_t state = 1;
    for (int64_t i = 0; i < rows * k; i++)
        p.factor[0][i] = draw(&state, low);
    for (int64_t i = 0; i < k * columns; i++)
        p.factor[1][i] = draw(&state, low);
    return p;
}

static void problem_free(problem *p)
{
    free(p->factor[0]);
    free(p->factor[1]);
    free(p->magnitude);
}

static double *element(const problem *p, int side, int64_t row, int64_t column)
{
    return &p->factor[side][row * (side == 0 ? p->k : p->columns) + column];
}

static double *right_result(problem *p)
{
    double *y = numbers(p->rows * p->columns);
    free(p->magnitude);
    p->magnitude = numbers(p->rows * p->columns);
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t k = 0; k < p->k; k++)
            for (int64_t j = 0; j < p->columns; j++) {
                const double term = p->factor[0][i * p->k + k] * p->factor[1][k * p->columns + j];
                y[i * p->columns + j] += term;
                p->magnitude[i * p->columns + j] += fabs(term);
            }
    return y;
}

static hg_tensor *factor_in(hg_graph *g, const problem *p, int side)
{
    const int64_t rows = side == 0 ? p->rows : p->k, columns = side == 0 ? p->k : p->columns;
    const bool turned = p->transposed[side];
    hg_tensor *t = hg_parameter(g, side == 0 ? "a" : "b", turned ? HG_SHAPE(columns, rows) : HG_SHAPE(rows, columns),
                                hg_zeros());
    double *x = numbers(rows * columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            x[turned ? j * rows + i : i * columns + j] = p->factor[side][i * columns + j];
    assert_int_equal(hg_write(t, x, rows * columns), HG_OK);
    free(x);
    return turned ? hg_transpose(t) : t;
}

/* By "matmul", or by "gram", as the second factor is the first one's transpose. */
static double *product_on(const problem *p, hg_isa isa, int threads, const char *op)
{
    hg_graph *g = hg_graph_new(p->dtype);
    hg_tensor *a = factor_in(g, p, 0);
    hg_tensor *y = hg_matmul(a, strcmp(op, "gram") == 0 ? hg_transpose(a) : factor_in(g, p, 1));
    assert_string_equal(hg_tensor_op(y)->name, op);
    hg_plan *plan = hg_plan_new(g, 1, &y, &(hg_plan_options){ .batch = 1, .isa = isa, .threads = threads });
    if (plan == NULL)
        fail_msg("%s", hg_graph_error(g));
    double *result = numbers(p->rows * p->columns);
    assert_int_equal(hg_run(plan), HG_OK);
    assert_int_equal(hg_run(plan), HG_OK); /* what threads keep is made anew */
    assert_int_equal(hg_plan_read(plan, y, result, p->rows * p->columns), HG_OK);
    hg_plan_free(plan);
    hg_graph_free(g);
    return result;
}

static void expect_near(const problem *p, hg_isa isa, const double *y, const double *right)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        const bool same = y[i] == right[i] || (isnan(y[i]) && isnan(right[i]));
        const bool near = isfinite(right[i]) && fabs(y[i] - right[i]) <= 16 * 0x1p-24 * p->magnitude[i];
        if (!same && !near)
            fail_msg("%lld x %lld, k %lld, %s: element %lld is %.9g, not %.9g", (long long)p->rows, (long long)p->columns,
                     (long long)p->k, hg_isa_name(isa), (long long)i, y[i], right[i]);
    }
}

static void expect_right_everywhere(problem *p)
{
    double *right = right_result(p);
    for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++) {
        double *y = product_on(p, isa, 1, "matmul");
        expect_near(p, isa, y, right);
        for (int threads = 2; threads <= 5; threads += 3) {
            double *others = product_on(p, isa, threads, "matmul");
            if (memcmp(y, others, (size_t)(p->rows * p->columns) * sizeof *y) != 0)
                fail_msg("%s: other bits with %d threads", hg_isa_name(isa), threads);
            free(others);
        }
        free(y);
    }
    free(right);
}

static void sizes(void **state)
{
    static const int64_t size[][3] = {
        { 17, 17, 17 },    { 80, 80, 17 },    { 81, 95, 65 },    { 120, 63, 257 },  { 63, 120, 31 },   { 50, 530, 520 },
        { 530, 50, 1030 }, { 300, 290, 300 }, { 1100, 49, 300 }, { 49, 1100, 300 }, { 200, 1030, 530 },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(size); i++)
        for (int turned = 0; turned < 4; turned++) {
            problem p = problem_of(size[i][0], size[i][1], size[i][2], -0.5);
            p.transposed[0] = turned % 2;
            p.transposed[1] = turned / 2;
            expect_right_everywhere(&p);
            problem_free(&p);
        }
}

/* Anywhere: what else there is in the same tile stays right. */
static void not_finite_and_huge(void **state)
{
    static const struct {
        int     side;
        int64_t row, column;
        double  value;
    } special[] = {
        { 0, 3, 5, INFINITY },     { 0, 7, 70, NAN },      { 0, 8, 71, 0x1.fffffep127 },  { 0, 9, 1, 0x1.ffp127 },
        { 0, 10, 2, 0x1.fefp127 }, { 0, 80, 3, 0x1p127 },  { 0, 81, 3, -0x1.fefffep127 }, { 0, 40, 0, -INFINITY },
        { 1, 2, 6, -INFINITY },    { 1, 79, 37, 0x1p127 }, { 1, 40, 38, NAN },            { 1, 41, 0, -0x1p126 },
        { 1, 4, 50, 0x1p-140 },
    };
    (void)state;
    for (int turned = 0; turned < 4; turned++)
        for (size_t one = 0; one <= LENGTH(special) + 1; one++) { /* each alone, the left ones together, all together */
            problem p = problem_of(97, 73, 80, 0.25);
            p.transposed[0] = turned % 2;
            p.transposed[1] = turned / 2;
            for (int64_t i = 0; i < p.rows * p.k; i++)
                p.factor[0][i] /= 4; /* no sum of huge numbers is infinite */
            for (int64_t i = 0; i < p.k * p.columns; i++)
                p.factor[1][i] /= 4;
            for (size_t i = 0; i < LENGTH(special); i++)
                if (i == one || one == LENGTH(special) + 1 || (one == LENGTH(special) && special[i].side == 0))
                    *element(&p, special[i].side, special[i].row, special[i].column) = special[i].value;
            expect_right_everywhere(&p);
            problem_free(&p);
        }
}

/* Root of the mean square error, in units of the last bit of the sum of magnitudes. */
static double error_of(problem *p, hg_isa isa)
{
    double *right = right_result(p), *y = product_on(p, isa, 1, "matmul"), sum = 0;
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        sum += pow((y[i] - right[i]) / p->magnitude[i], 2);
    free(right);
    free(y);
    return sqrt(sum / (double)(p->rows * p->columns)) * 0x1p24;
}

static void none_is_less_exact_than_plain_sums(void **state)
{
    static const int64_t depths[] = { 32, 250, 784, 3840 };
    (void)state;
    for (size_t i = 0; i < LENGTH(depths); i++)
        for (int positive = 0; positive < 2; positive++) {
            problem p = problem_of(96, 80, depths[i], positive ? 0 : -0.5);
            const double plain = error_of(&p, HG_ISA_BASE);
            for (hg_isa isa = HG_ISA_V3; isa <= hg_isa_best(); isa++) {
                const double error = error_of(&p, isa);
                if (!(error <= 1.05 * plain)) /* of 7680 elements a few percent are chance */
                    fail_msg("%s, k %lld: error %.3g, on the baseline %.3g", hg_isa_name(isa), (long long)depths[i], error,
                             plain);
            }
            problem_free(&p);
        }
}

/* A matrix times its own transpose is half of a product, to the bit, and mirrored. Few enough numbers for no product to be left
   to BLIS. */
static void half_of_a_product(void **state)
{
    static const int64_t size[][2] = { { 1, 70 },   { 70, 1 },    { 2, 0 },    { 0, 2 },
                                       { 15, 31 },  { 33, 300 },  { 113, 280 }, { 29, 1040 } };
    (void)state;
    for (size_t i = 0; i < 4 * LENGTH(size); i++) {
        problem p = problem_of(size[i / 4][0], size[i / 4][0], size[i / 4][1], -0.5);
        const int64_t n = p.rows;
        p.transposed[0] = p.transposed[1] = i % 2;
        p.dtype = i / 2 % 2 ? HG_F32 : HG_F64;
        for (int64_t k = 0; k < p.k; k++)
            for (int64_t j = 0; j < n; j++)
                p.factor[1][k * n + j] = p.factor[0][j * p.k + k];
        for (hg_isa isa = HG_ISA_BASE; isa <= hg_isa_best(); isa++)
            for (int threads = 1; threads <= 7; threads += 3) {
                double *whole = product_on(&p, isa, 1, "matmul"), *half = product_on(&p, isa, threads, "gram");
                for (int64_t row = 0; row < n; row++)
                    for (int64_t column = 0; column < row; column++)
                        whole[row * n + column] = whole[column * n + row];
                if (memcmp(whole, half, (size_t)(n * n) * sizeof *whole) != 0)
                    fail_msg("%lld x %lld, %s, %d threads: not half of a product", (long long)n, (long long)p.k,
                             hg_isa_name(isa), threads);
                free(whole);
                free(half);
            }
        problem_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(not_finite_and_huge),
        cmocka_unit_test(half_of_a_product),
        cmocka_unit_test(none_is_less_exact_than_plain_sums),
    };
    return cmocka_run_group_tests_name("products", tests, NULL, NULL);
}
