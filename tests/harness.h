/* From a row that says what an op is for and gives a plain reference, to all the checks that every op must pass. */
#ifndef HG_TESTS_HARNESS_H
#define HG_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hourglass/grad.h>
#include <hourglass/math.h>
#include <hourglass/op.h>
#include <hourglass/plan.h>

enum { MOST_INPUTS = 4, MOST_LAWS = 4 };

/* Numbers of a known shape (no HG_BATCH in it). */
typedef struct array {
    hg_shape shape;
    int64_t  batch; /* that HG_BATCH stood for */
    int64_t  count;
    double  *at;
} array;

/* An input: REAL numbers are uniform in [low, high] but at least `hole` away from 0; WHOLE are whole numbers in
   [low, high), of real dtype, that nothing is differentiated by; INDEX the same of dtype HG_I64. */
typedef enum kind { REAL, WHOLE, INDEX } kind;
typedef struct operand {
    hg_shape shape;
    kind     kind;
    double   low, high, hole;
} operand;
#define DIMS(...) { .rank = (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), .dim = { __VA_ARGS__ } }

/* An expression that is zero (up to the row's tolerance) whatever the inputs. */
typedef struct law {
    const char *name;
    hg_tensor *(*zero)(hg_tensor *const in[], const double a[]);
} law;

#define LINEAR(input) (1u << (input)) /* the op is linear in this input */

typedef struct op_row {
    const char *name;    /* as in ops.def, or that of a builder made of several ops */
    const char *variant; /* what is special about this row; NULL: nothing */
    operand     input[MOST_INPUTS];
    int         inputs;
    double      a[8]; /* what else the builder takes */

    /* One of these builds it, ... */
    hg_tensor *(*unary)(hg_tensor *);
    hg_tensor *(*unary_by)(hg_tensor *, double);
    hg_tensor *(*binary)(hg_tensor *, hg_tensor *);
    hg_tensor *(*build)(hg_tensor *const in[], const double a[]);
    /* ... and one of these is what it must give; neither: random numbers of mean a[0] and variance a[1]. */
    double (*of)(const double x[], const double a[]);
    void (*reference)(const array in[], const double a[], array *y); /* y: zeros of the right shape */

    double   ulps;  /* tolerance in units of the dtype's epsilon, relative ... */
    double   scale; /* ... to |reference| + scale */
    unsigned linear;
    bool     no_differences; /* gradients are not checked: they are not the true ones, or too many */
    law      law[MOST_LAWS];

    /* Instead of all that: a test of its own. */
    void (*own)(void);
} op_row;

/* Runs every check of every row, each a cmocka test; and a test that each of names (NULL at the end) has a row, but for
   those in exempt. Returns the number of failures. */
int run_rows(const op_row rows[], size_t count, const char *const names[], const char *const exempt[]);

/* ---- Tools --------------------------------------------------------------------------------------------- */

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Uniform in [0, 1), the same sequence for the same seed. */
double next_uniform(uint64_t *seed);

void    coordinates(const hg_shape *shape, int64_t flat, int64_t coordinate[HG_MAX_RANK]);
int64_t flat_index(const hg_shape *shape, const int64_t coordinate[HG_MAX_RANK]);

array array_new(const hg_shape *shape, int64_t batch); /* zeros */
array draw_array(const operand *o, int64_t batch, uint64_t seed);
void  free_arrays(array a[], int count);

/* |y - right| <= ulps epsilon (|right| + scale), everywhere; NaN equals NaN. */
void expect_near(const char *what, const array *y, const array *right, double ulps, double scale, hg_dtype dtype);
void expect_same_bits(const char *what, const array *a, const array *b);
/* Fails with the graph's message if its builders failed. */
void expect_good(const hg_graph *graph);

/* ---- A row in a graph of its own ----------------------------------------------------------------------- */

typedef struct instance {
    const op_row *row;
    hg_graph     *graph;
    hg_tensor    *in[MOST_INPUTS + 1]; /* the last: the cotangent, if there is one */
    int           inputs;
    hg_tensor    *y;
    hg_tensor    *out[MOST_INPUTS + 2];
    int           outs;
} instance;

instance inputs_of(const op_row *row, hg_dtype dtype); /* the inputs alone */
hg_tensor *build(const op_row *row, hg_tensor *const in[]);
instance instance_new(const op_row *row, hg_dtype dtype); /* y is built */
/* The op among elementwise neighbours, and the gradients: something for the planner to work on. */
instance surrounded(const op_row *row, hg_dtype dtype);

/* sum of w y, for a new input w: then dy is a number of its own at every element, and w can be differentiated by. */
hg_tensor *weighted_sum(instance *s, hg_tensor *y);
/* The inputs that the row is differentiated by, and the cotangent if there is one. */
int differentiable(const instance *s, hg_tensor *wrt[]);

/* Values for all inputs, the same for the same batch. */
void draw_inputs(const instance *s, int64_t batch, array in[]);
/* Runs a plan of all outputs, and gives them one after the other. */
array run(const instance *s, const array in[], hg_plan_options options, hg_plan_facts *facts);
/* The same of one tensor. */
array evaluate(const instance *s, hg_tensor *y, const array in[], hg_plan_options options);

#endif
