/* The only file that sees BLIS. */
#include "config.h"

#include <blis.h>

#include <stdlib.h>
#include <string.h>

#include <hourglass/plan.h>

#include "matmul.h"

/* BLIS picks its kernels by the processor's name, and 0.9 takes newer Xeons for AVX2 machines, at little over half of
   their speed. It reads its choice from the environment once, so that is set before any thread starts. AMD's
   processors with AVX-512 are left to BLIS's own choice (zen3), which was measured as fast there, and faster on small
   products. */
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((constructor)) static void choose_kernels(void)
{
    char skx[8];
    __builtin_cpu_init();
    if (!__builtin_cpu_is("intel") || !__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return;
    snprintf(skx, sizeof skx, "%d", (int)BLIS_ARCH_SKX);
    setenv("BLIS_ARCH_TYPE", skx, 0);
}
#endif

/* BLIS aborts where BLIS_ARCH_TYPE is set and asked about before it has begun. */
const char *hg_blas_kernels(void)
{
    bli_init();
    return bli_arch_string(bli_arch_query_id());
}

static rntm_t one_thread(void)
{
    rntm_t runtime;
    bli_rntm_init(&runtime);
    bli_rntm_set_num_threads(1, &runtime);
    bli_rntm_disable_l3_sup(&runtime); /* its results depend on where a product is cut */
    return runtime;
}

void hg_blas_product_f32(int64_t rows, int64_t columns, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                         const float *b, int64_t b_row, int64_t b_column, float *c, int64_t c_row)
{
    float one = 1, zero = 0;
    rntm_t runtime = one_thread();
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, rows, columns, k, &one, (float *)a, a_row, a_column,
                 (float *)b, b_row, b_column, &zero, c, c_row, 1, NULL, &runtime);
}

void hg_blas_product_f64(int64_t rows, int64_t columns, int64_t k, const double *a, int64_t a_row, int64_t a_column,
                         const double *b, int64_t b_row, int64_t b_column, double *c, int64_t c_row)
{
    double one = 1, zero = 0;
    rntm_t runtime = one_thread();
    bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, rows, columns, k, &one, (double *)a, a_row, a_column,
                 (double *)b, b_row, b_column, &zero, c, c_row, 1, NULL, &runtime);
}

/* ---- Preparing ------------------------------------------------------------------------------------------- */

/* What a thread allocates in its first products. */
static void prepare_thread(void)
{
    const double a[4] = { 1, 2, 3, 4 };
    const float  b[4] = { 1, 2, 3, 4 };
    double c[4];
    float  d[4];
    hg_blas_product_f64(2, 2, 2, a, 2, 1, a, 2, 1, c, 2);
    hg_blas_product_f32(2, 2, 2, b, 2, 1, b, 2, 1, d, 2);
}

/* A product of one number by one number, alpha times, with the microkernel of `kernels`. */
static void nested_product(float alpha, cntx_t *kernels)
{
    float one = 1, zero = 0, c;
    rntm_t runtime = one_thread();
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, 1, 1, 1, &alpha, &one, 1, 1, &one, 1, 1, &zero, &c, 1, 1, kernels,
                 &runtime);
}

/* Instead of multiplying, begins the next product, in which alpha is one less. */
static void nest(dim_t m, dim_t n, dim_t k, float *restrict alpha, float *restrict a, float *restrict b,
                 float *restrict beta, float *restrict c, inc_t c_row, inc_t c_column, auxinfo_t *restrict more,
                 cntx_t *restrict kernels)
{
    (void)m, (void)n, (void)k, (void)a, (void)b, (void)beta, (void)c, (void)c_row, (void)c_column, (void)more;
    if (*alpha > 1)
        nested_product(*alpha - 1, kernels);
}

/* BLIS's pools grow when more products are under way than ever before: so as many are, one inside the other. */
static void fill_pools(int products)
{
    enum { MOST = 64 }; /* one takes some 20 KiB of the stack */
    const sgemm_ukr_ft microkernel = nest;
    cntx_t kernels = *bli_gks_query_cntx();
    memcpy(&bli_cntx_get_l3_vir_ukrs(BLIS_GEMM_UKR, &kernels)->ptr[BLIS_FLOAT], &microkernel, sizeof microkernel);
    nested_product((float)(products < MOST ? products : MOST), &kernels);
}

void hg_blas_prepare(int threads)
{
    prepare_thread();
    fill_pools(threads);
}
