/* See harness.h: numbers, rows in graphs, runs. A failure fails the cmocka test that is running. */
#include "harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ------------------------------------------------------------------------------------------- */

double next_uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

void coordinates(const hg_shape *shape, int64_t flat, int64_t coordinate[HG_MAX_RANK])
{
    for (int i = shape->rank - 1; i >= 0; i--) {
        coordinate[i] = flat % shape->dim[i];
        flat /= shape->dim[i];
    }
}

int64_t flat_index(const hg_shape *shape, const int64_t coordinate[HG_MAX_RANK])
{
    int64_t flat = 0;
    for (int i = 0; i < shape->rank; i++)
        flat = flat * shape->dim[i] + coordinate[i];
    return flat;
}

array array_new(const hg_shape *shape, int64_t batch)
{
    array a = { .shape = *shape, .batch = batch, .count = hg_shape_count(shape, batch) };
    for (int i = 0; i < shape->rank; i++)
        a.shape.dim[i] *= shape->dim[i] < 0 ? -batch : 1;
    a.at = calloc((size_t)a.count + 1, sizeof *a.at);
    assert_non_null(a.at);
    return a;
}

static double draw(const operand *o, uint64_t *seed)
{
    double x = o->low + (o->high - o->low) * next_uniform(seed);
    if (o->kind != REAL)
        return floor(x);
    return fabs(x) < o->hole ? copysign(o->hole, x) : x;
}

/* Numbers that f32 holds too, so that all dtypes can start from the same. */
array draw_array(const operand *o, int64_t batch, uint64_t seed)
{
    array a = array_new(&o->shape, batch);
    for (int64_t i = 0; i < a.count; i++)
        a.at[i] = (float)draw(o, &seed);
    return a;
}

void free_arrays(array a[], int count)
{
    for (int i = 0; i < count; i++)
        free(a[i].at);
}

static double epsilon_of(hg_dtype dtype) { return dtype == HG_F32 ? FLT_EPSILON : DBL_EPSILON; }

void expect_near(const char *what, const array *y, const array *right, double ulps, double scale, hg_dtype dtype)
{
    assert_int_equal(y->count, right->count);
    for (int64_t i = 0; i < y->count; i++) {
        double a = y->at[i], r = right->at[i];
        bool same = a == r || (isnan(a) && isnan(r));
        if (!same && !(fabs(a - r) <= ulps * epsilon_of(dtype) * (fabs(r) + scale)))
            fail_msg("%s, %s, batch %lld: element %lld is %.17g, not %.17g (%.3g ulps apart)", what,
                     hg_dtype_name(dtype), (long long)y->batch, (long long)i, a, r,
                     fabs(a - r) / epsilon_of(dtype) / (fabs(r) + scale));
    }
}

void expect_same_bits(const char *what, const array *a, const array *b)
{
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++)
        if (memcmp(&a->at[i], &b->at[i], sizeof *a->at) != 0)
            fail_msg("%s, batch %lld: element %lld is %.17g and %.17g", what, (long long)a->batch, (long long)i,
                     a->at[i], b->at[i]);
}

/* ---- A row in a graph ---------------------------------------------------------------------------------- */

void expect_good(const hg_graph *graph)
{
    if (hg_graph_status(graph) != HG_OK)
        fail_msg("%s", hg_graph_error(graph));
}

hg_tensor *build(const op_row *row, hg_tensor *const in[])
{
    if (row->unary != NULL)
        return row->unary(in[0]);
    if (row->unary_by != NULL)
        return row->unary_by(in[0], row->a[0]);
    if (row->binary != NULL)
        return row->binary(in[0], in[1]);
    return row->build(in, row->a);
}

instance inputs_of(const op_row *row, hg_dtype dtype)
{
    instance s = { .row = row, .graph = hg_graph_new(dtype), .inputs = row->inputs };
    assert_non_null(s.graph);
    for (int i = 0; i < row->inputs; i++) {
        char name[] = { 'x', (char)('0' + i), '\0' };
        const operand *o = &row->input[i];
        s.in[i] = hg_input_of(s.graph, name, o->kind == INDEX ? HG_I64 : dtype, o->shape);
    }
    return s;
}

instance instance_new(const op_row *row, hg_dtype dtype)
{
    instance s = inputs_of(row, dtype);
    s.y = build(row, s.in);
    expect_good(s.graph);
    return s;
}

static hg_tensor *as_real(hg_tensor *y) { return hg_tensor_dtype(y) == HG_I64 ? hg_to_real(y) : y; }

hg_tensor *weighted_sum(instance *s, hg_tensor *y)
{
    y = as_real(y);
    s->in[s->inputs] = hg_input(s->graph, "w", *hg_tensor_shape(y));
    return hg_sum(hg_mul(s->in[s->inputs++], y), HG_ALL_AXES);
}

int differentiable(const instance *s, hg_tensor *wrt[])
{
    int count = 0;
    for (int i = 0; i < s->inputs; i++)
        if (i >= s->row->inputs || s->row->input[i].kind == REAL)
            wrt[count++] = s->in[i];
    return count;
}

instance surrounded(const op_row *row, hg_dtype dtype)
{
    instance s = inputs_of(row, dtype);
    hg_tensor *before[MOST_INPUTS], *wrt[MOST_INPUTS + 1];
    for (int i = 0; i < row->inputs; i++)
        before[i] = row->input[i].kind == INDEX ? s.in[i] : hg_scale(hg_scale(s.in[i], 0.5), 2);
    s.y = build(row, before);
    expect_good(s.graph);
    hg_tensor *y = as_real(s.y);
    s.out[s.outs++] = y = hg_add(hg_square(y), y);
    hg_tensor *loss = weighted_sum(&s, y);
    int count = differentiable(&s, wrt);
    hg_grad(loss, count, wrt, s.out + s.outs);
    expect_good(s.graph);
    s.outs += count;
    return s;
}

void draw_inputs(const instance *s, int64_t batch, array in[])
{
    for (int i = 0; i < s->row->inputs; i++)
        in[i] = draw_array(&s->row->input[i], batch, (uint64_t)(1000 * i + batch));
    for (int i = s->row->inputs; i < s->inputs; i++)
        in[i] = draw_array(&(operand){ .shape = *hg_tensor_shape(s->in[i]), .low = -1, .high = 1 }, batch, 77);
}

array run(const instance *s, const array in[], hg_plan_options options, hg_plan_facts *facts)
{
    hg_shape total = HG_SHAPE(0);
    for (int i = 0; i < s->outs; i++)
        total.dim[0] += hg_shape_count(hg_tensor_shape(s->out[i]), options.batch);
    array all = array_new(&total, 1);
    double *at = all.at;
    options.threads = options.threads == 0 ? 1 : options.threads;
    hg_plan *plan = hg_plan_new(s->graph, s->outs, s->out, &options);
    expect_good(s->graph);
    for (int i = 0; i < s->inputs; i++)
        if (hg_plan_data(plan, s->in[i]) != NULL)
            hg_plan_write(plan, s->in[i], in[i].at, (size_t)in[i].count);
    hg_run(plan);
    for (int i = 0; i < s->outs; i++) {
        int64_t count = hg_shape_count(hg_tensor_shape(s->out[i]), options.batch);
        hg_plan_read(plan, s->out[i], at, (size_t)count);
        at += count;
    }
    expect_good(s->graph);
    if (facts != NULL)
        *facts = hg_plan_describe(plan);
    hg_plan_free(plan);
    all.batch = options.batch;
    return all;
}

array evaluate(const instance *s, hg_tensor *y, const array in[], hg_plan_options options)
{
    instance one = *s;
    one.out[0] = y;
    one.outs = 1;
    return run(&one, in, options, NULL);
}
