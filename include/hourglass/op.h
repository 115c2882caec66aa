/* The face of an op. The library's own ops and a user's go through the same struct. */
#ifndef HOURGLASS_OP_H
#define HOURGLASS_OP_H

#include <hourglass/tensor.h>

enum {
    HG_MAP         = 1 << 0, /* elementwise: every input has the output's shape and dtype; fusable, in place */
    HG_INDEXED     = 1 << 1, /* any range of the output can be computed alone from whole inputs; fusable as a leaf */
    HG_VIEW        = 1 << 2, /* the output is the first input's memory under another shape; no kernel */
    HG_CHEAP       = 1 << 3, /* rather computed again in each group that reads it than stored */
    HG_RANDOM      = 1 << 4, /* never merged with an equal op, never folded */
    HG_ASSIGN      = 1 << 5, /* replaces the first input's value after all its readers; never dropped */
    HG_NO_VJP      = 1 << 6, /* the derivative is zero by definition */
    HG_COMMUTATIVE = 1 << 7, /* two inputs that may change places */
    HG_REDUCE      = 1 << 8, /* takes in its inputs, which are alike, element by element: fusable as the end of a group */
    HG_LIGHT       = 1 << 9, /* elementwise, and faster than memory: rather computed again than stored where one tensor is read */
};

/* Writes elements begin ... begin+n-1 of the output to y[0 ... n-1]. For HG_MAP, in[i] points at element `begin` of
   input i, and y may be the same address as an input; for HG_INDEXED, in[i] is the whole input.
   For HG_REDUCE: takes in elements begin ... begin+n-1 of the inputs, at which in[i] points; y is all of the scratch if the
   op asks for some, else all of the output. */
typedef void hg_elements_fn(const hg_tensor *t, int64_t begin, int64_t n, void *y, const void *const in[]);
/* Computes part `part` of `parts` of the output. Parts may run at the same time. `scratch` is what the op's `scratch` or its
   `workspace` asks for. */
typedef void hg_run_fn(const hg_tensor *t, void *y, const void *const in[], void *scratch, int part, int parts);
/* Runs once, after all parts, and combines them in a fixed order; not where the op asks for no scratch. The inputs may be
   gone. */
typedef void hg_combine_fn(const hg_tensor *t, void *y, void *scratch, int parts);

/* How the elements of a reduction's inputs may be cut: at multiples of `part` from the start of each row into parts, which
   may run at the same time, and each part at multiples of `block` into what one call takes in. */
typedef struct hg_cuts {
    int64_t row, part, block;
} hg_cuts;

/* What a part writes of the output, in elements: `count` ranges, the first from `begin` on, each `stride` behind the one
   before; stride >= length. */
typedef struct hg_ranges {
    int64_t begin, length, stride, count;
} hg_ranges;

/* The kernels of an op for one dtype: `elements` for HG_MAP and HG_INDEXED, `elements` and perhaps `combine` for HG_REDUCE,
   else `run` and perhaps `combine`. */
typedef struct hg_kernels {
    hg_elements_fn *elements;
    hg_run_fn      *run;
    hg_combine_fn  *combine;
    hg_elements_fn *chain; /* of the library's own arithmetic: several such ops in one go; absent: it is none */
} hg_kernels;

/* In every function but infer and vjp the tensors are bound to a plan: dimensions are numbers, without HG_BATCH. */
struct hg_op {
    const char *name;
    int         min_inputs, max_inputs; /* max_inputs < 0: any number */
    unsigned    flags;
    size_t      attr_size;
    /* Sets shape and dtype from inputs and attributes (hg_set_result), or latches an error and returns false. */
    bool (*infer)(hg_tensor *t);
    /* Sets d[i] to the vector-Jacobian product for input i, in ops; g is the gradient of t. A d[i] left NULL is zero.
       `wanted` tells which inputs lead to something differentiated. Absent without HG_NO_VJP: a named error. */
    void (*vjp)(hg_tensor *t, hg_tensor *g, const bool wanted[], hg_tensor *d[]);
    /* Where attributes hold shapes: makes them those of inputs with k times as many samples. Absent: they hold none. */
    void (*widen)(void *attr, int64_t k);
    /* How many parts it may be cut into, given the threads; absent: 1. With `combine`, what that adds must follow from the shape
       alone. */
    int (*parts)(const hg_tensor *t, int threads);
    /* What a part writes: the elementwise ops that follow run on it while it is in cache. Absent: they wait for all parts. If
       all parts' ranges are the whole output, a part touches nothing else of it: the others may be elsewhere. */
    hg_ranges (*ranges)(const hg_tensor *t, int part, int parts);
    /* Of HG_INDEXED: the number of elements, counted in rows from the first, within which the output repeats itself every
       *period elements. Then a group computes it once for many blocks. Absent: it does not. */
    int64_t (*repeats)(const hg_tensor *t, int64_t *period);
    hg_cuts (*cuts)(const hg_tensor *t, int64_t most); /* of HG_REDUCE: with blocks of at most `most` elements */
    size_t (*scratch)(const hg_tensor *t, int parts); /* bytes, shared by all parts; absent: none */
    /* Instead of scratch: bytes for each thread, which all steps of a plan share. They begin with an int64_t, which is 0 when
       a thread comes to the first of its parts in a run; it, and all else, then stays as the parts leave it: what several
       parts need can be made ready once. Absent: none. */
    size_t (*workspace)(const hg_tensor *t);
    /* Multiply-adds count 2, taps on padding 0; absent: none are counted. */
    double (*flops)(const hg_tensor *t);
    /* Called while planning, first with how many threads the plan has, on the one that plans, then with 1 on each of the
       others, so that runs need not allocate; absent: nothing to prepare. */
    void (*prepare)(int threads);
    hg_kernels kernels[HG_REALS]; /* portable ones, by dtype: of the output if that is real, else of the first real input */
    /* Faster ones of the same meaning by instruction set, for the library's own ops. */
    const hg_kernels *const (*variants)[HG_REALS];
};

/* A tensor that is op(inputs). attr (op->attr_size bytes) is copied. All inputs are of one graph. */
HG_API hg_tensor *hg_apply(const hg_op *op, int inputs, hg_tensor *const input[], const void *attr);
/* The same without inputs. */
HG_API hg_tensor *hg_apply_in(hg_graph *graph, const hg_op *op, const void *attr);

/* For infer. */
HG_API bool hg_set_result(hg_tensor *t, hg_dtype dtype, hg_shape shape); /* always true */
HG_API bool hg_infer_map(hg_tensor *t); /* the rule of HG_MAP: all inputs alike, the output as they are */
/* Latches `op "name": text, with inputs 3x4 and ...` and returns false. */
HG_API bool hg_infer_fail(hg_tensor *t, hg_status status, const char *format, ...) HG_PRINTF(3, 4);

/* For kernels: number of elements of a bound tensor, and of the axes [from, to). */
HG_API int64_t hg_elements(const hg_tensor *t);
HG_API int64_t hg_elements_of_axes(const hg_tensor *t, int from, int to);

#endif
