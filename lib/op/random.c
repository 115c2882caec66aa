/* Random tensors: each element is a function of the graph's seed, the op's full name, the step and its own index. */
#ifdef HG_KERNELS
#include "kernel.h"
#else
#include "op.h"
#endif

#include "../random.h"
#include "move.h"

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

#include "vector.h"
#include "vector_math.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCKS = 128, WORDS = 4 }; /* Philox blocks computed at once; words of 32 bits of one */

typedef struct stream {
    uint64_t key, step;
    float    probability;
} stream;

/* A number for each word of a float, for each two of a double. */
typedef void fill_fn(const stream *s, const uint32_t word[], int64_t n, real *y);

/* ---- Words ---------------------------------------------------------------------------------------------- */

/* A word in each lane, of whose upper half nothing is asked. */
typedef uint64_t lanes __attribute__((vector_size(HG_VECTOR_BYTES)));
enum { BLOCKS_ABREAST = HG_VECTOR_BYTES / sizeof(uint64_t) };

HG_INLINE lanes product(lanes a, uint32_t b)
{
#if defined(__AVX512F__)
    return (lanes)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
    return (lanes)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
    return (lanes)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
    return (a & UINT32_MAX) * b;
#endif
}

/* Two words in the order of memory. */
HG_INLINE lanes pair(lanes first, lanes second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (first & UINT32_MAX) | second << 32;
#else
    return first << 32 | (second & UINT32_MAX);
#endif
}

#if HG_VECTOR_BYTES == 64
#define LOWER HG_LOWER_8
#define UPPER HG_UPPER_8
#elif HG_VECTOR_BYTES == 32
#define LOWER HG_LOWER_4
#define UPPER HG_UPPER_4
#else
#define LOWER HG_LOWER_2
#define UPPER HG_UPPER_2
#endif

/* hg_random_words of so many blocks from `first` on. */
HG_INLINE void draw_words(const stream *s, lanes first, uint32_t word[BLOCKS_ABREAST * WORDS])
{
    uint32_t key[2] = { (uint32_t)s->key, (uint32_t)(s->key >> 32) };
    const lanes none = { 0 }, step = none + s->step;
    lanes w[WORDS] = { first, first >> 32, step, step >> 32 };
    HG_UNROLL for (int round = 0; round < 10; round++) {
        const lanes even = product(w[0], PHILOX_M4x32_0), odd = product(w[2], PHILOX_M4x32_1);
        w[0] = (odd >> 32) ^ w[1] ^ key[0];
        w[1] = odd;
        w[2] = (even >> 32) ^ w[3] ^ key[1];
        w[3] = even;
        key[0] += PHILOX_W32_0;
        key[1] += PHILOX_W32_1;
    }
    const lanes halves[2] = { pair(w[0], w[1]), pair(w[2], w[3]) };
    const lanes drawn[2] = { __builtin_shufflevector(halves[0], halves[1], LOWER),
                             __builtin_shufflevector(halves[0], halves[1], UPPER) };
    memcpy(word, drawn, sizeof drawn);
}

static void draw(const hg_tensor *t, int64_t begin, int64_t n, real *y, const void *const in[], fill_fn *fill,
                 int per_block)
{
    const random_attr *attr = t->attr;
    const stream s = { .key = hg_random_key(t->graph->seed, attr->name),
                       .step = (uint64_t)*(const int64_t *)in[0],
                       .probability = (float)attr->probability };
    lanes ahead = { 0 };
    for (int i = 0; i < BLOCKS_ABREAST; i++)
        ahead[i] = (uint64_t)i;
    uint32_t word[BLOCKS * WORDS];
    real numbers[BLOCKS * WORDS];
    for (int64_t i = 0, taken; i < n; i += taken) {
        const int64_t first = (begin + i) / per_block, skipped = (begin + i) % per_block;
        taken = hg_smaller(BLOCKS * per_block - skipped, n - i);
        const int blocks = hg_pieces(skipped + taken, per_block);
        for (int b = 0; b < blocks; b += BLOCKS_ABREAST)
            draw_words(&s, (uint64_t)(first + b) + ahead, word + b * WORDS);
        fill(&s, word, (int64_t)blocks * per_block, numbers);
        memcpy(y + i, numbers + skipped, (size_t)taken * sizeof *y);
    }
}

/* ---- Numbers -------------------------------------------------------------------------------------------- */

/* Numbers that one block gives: words of 32 bits have enough for a float, two of them for a double. */
enum { PER_BLOCK = HG_REAL_BITS == 32 ? 4 : 2 };

static void fill_uniform(const stream *s, const uint32_t word[], int64_t n, real *y)
{
    (void)s;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
#if HG_REAL_BITS == 32
        y[i] = hg_uniform24(word[i]);
#else
        y[i] = hg_uniform53(word[2 * i], word[2 * i + 1]);
#endif
}

/* Box-Muller: two normal numbers from two uniform ones. */
static void fill_normal(const stream *s, const uint32_t word[], int64_t n, real *y)
{
    fill_uniform(s, word, n, y);
#pragma omp simd
    for (int64_t i = 0; i < n / 2; i++) {
        real cosine, sine, radius = R(sqrt)(-2 * real_log(1 - y[2 * i]));
        real_circle(y[2 * i + 1], &cosine, &sine);
        y[2 * i] = radius * cosine;
        y[2 * i + 1] = radius * sine;
    }
}

/* From 24 bits whatever the dtype, so that f32 and f64 drop the same elements. */
static void fill_mask(const stream *s, const uint32_t word[], int64_t n, real *y)
{
    const float probability = s->probability;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = hg_uniform24(word[i]) < probability ? 1 : 0;
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
    draw(t, begin, n, y, in, fill_mask, WORDS);
}

const hg_kernels OP(random_uniform) = { .elements = uniform_elements };
const hg_kernels OP(random_normal) = { .elements = normal_elements };
const hg_kernels OP(random_mask) = { .elements = mask_elements };

#endif
