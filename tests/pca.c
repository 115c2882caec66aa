/* PCA against worked numbers and its own laws (T10, T11); angles against rotations of known size. */
#include <hourglass/pca.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static hg_dataset *points(const double *xy, int64_t count)
{
    hg_dataset *data = hg_dataset_new(&HG_SHAPE(2), count, HG_F64, xy, NULL);
    assert_string_equal(hg_dataset_error(data), "");
    return data;
}

/* {(1,2),(2,3),(3,4),(4,5)}: direction (1,1)/sqrt 2, eigenvalue 2.5 of the covariance over N; nothing is left. */
static void worked_example(void **state)
{
    const double xy[] = { 1, 2, 2, 3, 3, 4, 4, 5 };
    hg_error error = { 0 };
    double left;
    (void)state;
    hg_dataset *data = points(xy, 4);
    hg_pca *pca = hg_pca_new(data, 0, 1, 1, &error);
    assert_non_null(pca);
    assert_true(fabs(pca->mean[0] - 2.5) < 1e-15 && fabs(pca->mean[1] - 3.5) < 1e-15);
    assert_true(fabs(pca->vectors[0] - sqrt(0.5)) < 1e-12 && fabs(pca->vectors[1] - sqrt(0.5)) < 1e-12);
    assert_true(fabs(pca->values[0] - 2.5) < 1e-12 && fabs(pca->values[1]) < 1e-12);
    assert_int_equal(hg_pca_squared_error(pca, data, &left, &error), HG_OK);
    assert_true(fabs(left) < 1e-12);
    hg_pca_free(pca);
    hg_dataset_free(data);
}

/* On its own data the error is the sum of the eigenvalues left out, and the components are orthonormal. */
static void errors_are_sums_of_eigenvalues(void **state)
{
    enum { COMPONENTS = 7 };
    hg_error error = { 0 };
    double left, rest = 0;
    (void)state;
    hg_dataset *data = hg_dataset_open("digits:count=700,seed=3", NULL);
    hg_pca *pca = hg_pca_new(data, -1, 1, COMPONENTS, &error);
    assert_non_null(pca);
    for (int64_t j = COMPONENTS; j < pca->size; j++)
        rest += pca->values[j];
    assert_int_equal(hg_pca_squared_error(pca, data, &left, &error), HG_OK);
    assert_true(fabs(left - rest) < 1e-9 * rest);
    for (int a = 0; a < COMPONENTS; a++)
        for (int b = 0; b <= a; b++) {
            double dot = 0;
            for (int64_t i = 0; i < pca->size; i++)
                dot += pca->vectors[i * COMPONENTS + a] * pca->vectors[i * COMPONENTS + b];
            assert_true(fabs(dot - (a == b)) < 1e-10);
        }
    hg_pca_free(pca);
    hg_dataset_free(data);
}

static void angles_of_rotations(void **state)
{
    static const double turned[] = { 0, 1e-9, 1e-4, 0.3, 1.0, 1.5707963267948966 };
    (void)state;
    for (size_t i = 0; i < sizeof turned / sizeof *turned; i++) {
        double c = cos(turned[i]), s = sin(turned[i]), angles[2];
        const double a[] = { 2, 1, 0, 3, 0, 0, 0, 0 };        /* the plane of the first two axes */
        const double mixed[] = { c, c, 0, 1, s, s, 0, 0 }; /* one of its axes turned out of it */
        hg_error error = { 0 };
        assert_int_equal(hg_principal_angles(4, 2, a, 2, mixed, angles, &error), HG_OK);
        assert_true(fabs(angles[0] - turned[i]) < 1e-14 + 1e-9 * turned[i] && fabs(angles[1]) < 1e-7);
    }
}

static void angles_of_different_dimensions(void **state)
{
    const double plane[] = { 1, 0, 0, 1, 0, 0 }, line[] = { 1, 0, 1 };
    double angle;
    hg_error error = { 0 };
    (void)state;
    assert_int_equal(hg_principal_angles(3, 2, plane, 1, line, &angle, &error), HG_OK);
    assert_true(fabs(angle - atan(1)) < 1e-14);
    assert_int_equal(hg_principal_angles(3, 1, line, 2, plane, &angle, &error), HG_OK);
    assert_true(fabs(angle - atan(1)) < 1e-14);
}

static void mistakes_are_named(void **state)
{
    const double xy[] = { 1, 2, 3, 4 }, same[] = { 1, 2, 1, 2, 0, 0 };
    double angles[2];
    hg_error error = { 0 };
    (void)state;
    hg_dataset *data = points(xy, 2), *missing = hg_dataset_open("nowhere.gz", NULL);
    assert_null(hg_pca_new(data, 0, 1, 3, &error));
    assert_non_null(strstr(error.text, "1 to 2 components, not 3"));
    error = (hg_error){ 0 };
    assert_null(hg_pca_new(missing, 0, 1, 1, &error));
    assert_non_null(strstr(error.text, "nowhere.gz"));
    error = (hg_error){ 0 };
    assert_int_equal(hg_principal_angles(3, 2, same, 1, xy, angles, &error), HG_BAD_DATA);
    assert_non_null(strstr(error.text, "independent"));
    error = (hg_error){ 0 };
    assert_int_equal(hg_principal_angles(2, 3, same, 1, xy, angles, &error), HG_BAD_SHAPE);
    hg_dataset_free(data);
    hg_dataset_free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_example),
        cmocka_unit_test(errors_are_sums_of_eigenvalues),
        cmocka_unit_test(angles_of_rotations),
        cmocka_unit_test(angles_of_different_dimensions),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests_name("pca", tests, NULL, NULL);
}
