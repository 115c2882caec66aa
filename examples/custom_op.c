/* An op of one's own through the same face as the library's, a graph that uses it, and the check of its gradients.
   cc -std=c11 custom_op.c $(pkg-config --cflags --libs hourglass) -lm -o custom_op && ./custom_op */
#include <hourglass.h>

#include <math.h>
#include <stdio.h>

/* ---- The op: sine, elementwise ------------------------------------------------------------------------- */

static void sine_f32(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const float *x = in[0];
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = sinf(x[i]);
}

static void sine_f64(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    const double *x = in[0];
    (void)t;
    (void)begin;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = sin(x[i]);
}

static hg_tensor *sine(hg_tensor *x);

/* sin' x = cos x = sin(x + pi/2): in ops, so that it can be differentiated again. */
static void sine_vjp(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[])
{
    (void)wanted;
    d[0] = hg_mul(g, sine(hg_shift(hg_tensor_input(t, 0), 1.57079632679489662)));
}

static const hg_op sine_op = {
    .name = "sine",
    .min_inputs = 1,
    .max_inputs = 1,
    .flags = HG_MAP,
    .infer = hg_infer_map,
    .vjp = sine_vjp,
    .kernels = { [HG_F32] = { .elements = sine_f32 }, [HG_F64] = { .elements = sine_f64 } },
};

static hg_tensor *sine(hg_tensor *x)
{
    return hg_apply(&sine_op, 1, &x, NULL);
}

/* ---- A graph with it, checked ---------------------------------------------------------------------------- */

int main(void)
{
    hg_check_report report;
    hg_graph *g = hg_graph_new(HG_F64);
    hg_tensor *x = hg_input(g, "x", HG_SHAPE(6, HG_BATCH));
    hg_tensor *W = hg_parameter(g, "W", HG_SHAPE(3, 6), hg_xavier());
    hg_tensor *code = sine(hg_matmul(W, x));
    hg_tensor *loss = hg_squared_error(hg_matmul(hg_transpose(W), code), x); /* tied weights: W is used twice */
    hg_status status = hg_gradcheck(loss, 1, &W, &(hg_check_options){ .order = 2 }, &report);
    if (status == HG_OK || status == HG_GRADIENT_WRONG)
        puts(report.text);
    else
        fprintf(stderr, "%s\n", hg_graph_error(g));
    hg_graph_free(g);
    return status != HG_OK;
}
