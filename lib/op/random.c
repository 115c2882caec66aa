/* Random tensors: each element is a function of the graph's seed, the op's full name, the step and its own index. */
#ifdef HG_KERNELS
#include "kernel.h"
#else
#include "op.h"
#endif

#include "../random.h"

typedef struct random_attr {
    hg_shape shape;
    double   probability; /* of a mask */
    char     name[512];   /* the full one, kept apart from the tensor's, which the user may change */
} random_attr;

#ifndef HG_KERNELS

#include <stdio.h>
#include <string.h>

static bool random_infer(hg_tensor *t)
{
    const random_attr *attr = t->attr;
    const hg_tensor *step = t->input[0];
    t->name = attr->name;
    if (step->dtype != HG_I64)
        return hg_infer_fail(t, HG_BAD_DTYPE, "the step must be i64, not %s", hg_dtype_name(step->dtype));
    if (step->shape.rank != 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "the step must be a scalar");
    if (!(attr->probability >= 0 && attr->probability <= 1))
        return hg_infer_fail(t, HG_BAD_ARGUMENT, "the probability %g is not between 0 and 1", attr->probability);
    return hg_set_result(t, t->graph->dtype, attr->shape);
}

#define RANDOM_OP(op)                                                                                         \
    const hg_op hg_##op##_op = { .name = #op, .min_inputs = 1, .max_inputs = 1,                               \
                                 .flags = HG_INDEXED | HG_RANDOM | HG_NO_VJP, .attr_size = sizeof(random_attr), \
                                 .infer = random_infer, HG_VARIANTS(op) };

RANDOM_OP(random_uniform)
RANDOM_OP(random_normal)
RANDOM_OP(random_mask)

static bool is_random(const hg_op *op)
{
    return op == &hg_random_uniform_op || op == &hg_random_normal_op || op == &hg_random_mask_op;
}

static hg_tensor *find_random(const hg_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->tensors.count; i++) {
        hg_tensor *t = graph->tensors.at[i];
        if (is_random(t->op) && strcmp(((const random_attr *)t->attr)->name, name) == 0)
            return t;
    }
    return NULL;
}

static hg_tensor *random_tensor(const hg_op *op, hg_tensor *step, const char *name, hg_shape shape,
                                double probability)
{
    if (step == NULL)
        return NULL;
    hg_graph *graph = step->graph;
    random_attr attr = { .shape = shape, .probability = probability };
    int length = snprintf(attr.name, sizeof attr.name, "%s%s", graph->scope, name);
    if (*name == '\0' || length >= (int)sizeof attr.name)
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: the name is empty or too long: \"%.64s\"", op->name,
                             attr.name);
    hg_tensor *existing = find_random(graph, attr.name);
    if (graph->reuse && existing != NULL && existing->op == op && existing->input[0] == step &&
        ((const random_attr *)existing->attr)->probability == probability && hg_shape_equal(&existing->shape, &shape))
        return existing;
    if (existing != NULL || hg_graph_find(graph, attr.name) != NULL) /* they would hold the same numbers */
        return hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: the name \"%s\" is taken in this graph", op->name,
                             attr.name);
    return hg_apply(op, 1, &step, &attr);
}

hg_tensor *hg_random_uniform(hg_tensor *step, const char *name, hg_shape shape)
{
    return random_tensor(&hg_random_uniform_op, step, name, shape, 0);
}

hg_tensor *hg_random_normal(hg_tensor *step, const char *name, hg_shape shape)
{
    return random_tensor(&hg_random_normal_op, step, name, shape, 0);
}

hg_tensor *hg_random_mask(hg_tensor *step, const char *name, hg_shape shape, double probability)
{
    return random_tensor(&hg_random_mask_op, step, name, shape, probability);
}

#else

#include "vector_math.h"

enum { BLOCKS = 128, MOST_PER_BLOCK = 4 }; /* Philox blocks computed at once; numbers of one */

typedef struct stream {
    uint64_t key, step;
    float    probability;
} stream;

/* Writes the numbers of the Philox blocks first, first + 1, ... */
typedef void fill_fn(const stream *s, uint64_t first, int blocks, real *y);

static void draw(const hg_tensor *t, int64_t begin, int64_t n, real *y, const void *const in[], fill_fn *fill,
                 int per_block)
{
    const random_attr *attr = t->attr;
    const stream s = { .key = hg_random_key(t->graph->seed, attr->name),
                       .step = (uint64_t)*(const int64_t *)in[0],
                       .probability = (float)attr->probability };
    real numbers[BLOCKS * MOST_PER_BLOCK];
    for (int64_t i = 0, taken; i < n; i += taken) {
        const int64_t first = (begin + i) / per_block, skipped = (begin + i) % per_block;
        taken = BLOCKS * per_block - skipped < n - i ? BLOCKS * per_block - skipped : n - i;
        fill(&s, (uint64_t)first, (int)((skipped + taken + per_block - 1) / per_block), numbers);
        memcpy(y + i, numbers + skipped, (size_t)taken * sizeof *y);
    }
}

/* Numbers that one block gives: words of 32 bits have enough for a float, two of them for a double. */
enum { PER_BLOCK = HG_REAL_BITS == 32 ? 4 : 2 };

INLINE void block_uniforms(philox4x32_ctr_t w, real u[PER_BLOCK])
{
#if HG_REAL_BITS == 32
    for (int i = 0; i < PER_BLOCK; i++)
        u[i] = hg_uniform24(w.v[i]);
#else
    for (int i = 0; i < PER_BLOCK; i++)
        u[i] = hg_uniform53(w.v[2 * i], w.v[2 * i + 1]);
#endif
}

static void fill_uniform(const stream *s, uint64_t first, int blocks, real *y)
{
    const stream c = *s;
#pragma omp simd
    for (int b = 0; b < blocks; b++)
        block_uniforms(hg_random_words(c.key, c.step, first + (uint64_t)b), y + b * PER_BLOCK);
}

/* Box-Muller: two normal numbers from two uniform ones. */
static void fill_normal(const stream *s, uint64_t first, int blocks, real *y)
{
    fill_uniform(s, first, blocks, y);
#pragma omp simd
    for (int i = 0; i < blocks * PER_BLOCK / 2; i++) {
        real cosine, sine, radius = R(sqrt)(-2 * real_log(1 - y[2 * i]));
        real_circle(y[2 * i + 1], &cosine, &sine);
        y[2 * i] = radius * cosine;
        y[2 * i + 1] = radius * sine;
    }
}

/* From 24 bits whatever the dtype, so that f32 and f64 drop the same elements. */
static void fill_mask(const stream *s, uint64_t first, int blocks, real *y)
{
    const stream c = *s;
#pragma omp simd
    for (int b = 0; b < blocks; b++) {
        philox4x32_ctr_t w = hg_random_words(c.key, c.step, first + (uint64_t)b);
        for (int i = 0; i < 4; i++)
            y[4 * b + i] = hg_uniform24(w.v[i]) < c.probability ? 1 : 0;
    }
}

static void uniform_elements(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    draw(t, begin, n, y, in, fill_uniform, PER_BLOCK);
}

static void normal_elements(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    draw(t, begin, n, y, in, fill_normal, PER_BLOCK);
}

static void mask_elements(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[])
{
    draw(t, begin, n, y, in, fill_mask, 4);
}

const hg_kernels OP(random_uniform) = { .elements = uniform_elements };
const hg_kernels OP(random_normal) = { .elements = normal_elements };
const hg_kernels OP(random_mask) = { .elements = mask_elements };

#endif
