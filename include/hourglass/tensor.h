/* Tensors are the nodes of a graph. Samples are columns: the batch is the last axis, in memory too (row-major). */
#ifndef HOURGLASS_TENSOR_H
#define HOURGLASS_TENSOR_H

#include <hourglass/status.h>

typedef struct hg_graph  hg_graph;
typedef struct hg_tensor hg_tensor;
typedef struct hg_op     hg_op;

/* Element types. Real ones first: kernels are compiled for each of them. HG_I64 (steps, indices, labels) has no gradient. */
typedef enum hg_dtype { HG_F32, HG_F64, HG_I64 } hg_dtype;
#define HG_REALS 2
HG_API size_t      hg_dtype_size(hg_dtype dtype); /* bytes of one element */
HG_API const char *hg_dtype_name(hg_dtype dtype); /* "f32", "f64", "i64" */

/* A dimension is a number, or k * HG_BATCH: k times the batch size, which stays open until a plan is made. */
#define HG_BATCH ((int64_t)-1)
#define HG_MAX_RANK 8
typedef struct hg_shape {
    int     rank; /* 0: a scalar */
    int64_t dim[HG_MAX_RANK];
} hg_shape;
#define HG_SHAPE(...)                                                                       \
    ((hg_shape){ .rank = (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),       \
                 .dim  = { __VA_ARGS__ } })
#define HG_SCALAR ((hg_shape){ .rank = 0 })

HG_API bool hg_shape_equal(const hg_shape *a, const hg_shape *b);
/* Writes "784xB" into text (at least HG_SHAPE_TEXT bytes) and returns text. */
#define HG_SHAPE_TEXT 192
HG_API char *hg_shape_print(const hg_shape *shape, char text[HG_SHAPE_TEXT]);
/* Number of elements at the given batch size; -1 if it does not fit in 62 bits. */
HG_API int64_t hg_shape_count(const hg_shape *shape, int64_t batch);

/* Sets of axes, as bits. */
#define HG_AXIS(i) (1u << (i))
#define HG_ALL_AXES 0xffu
HG_API unsigned hg_last_axis(const hg_tensor *x);        /* the batch axis */
HG_API unsigned hg_all_but_last_axis(const hg_tensor *x); /* the features */

/* ---- Graphs -------------------------------------------------------------------------------------------- */

/* A graph owns its tensors and the values of its parameters. dtype is that of its real tensors.
   Returns NULL if memory runs out. */
HG_API hg_graph *hg_graph_new(hg_dtype dtype);
HG_API void      hg_graph_free(hg_graph *graph); /* accepts NULL; plans of the graph must be freed before */

/* The first failure of any builder, as a sentence that names the op, its shapes and what would be right; "" if none.
   Never NULL, owned by the graph. Builders return NULL on failure, and NULL given NULL. */
HG_API const char *hg_graph_error(const hg_graph *graph);
HG_API hg_status   hg_graph_status(const hg_graph *graph);
/* Latches an error of the caller's own (from a custom layer or op, say) and returns NULL. */
HG_API hg_tensor *hg_graph_fail(hg_graph *graph, hg_status status, const char *format, ...) HG_PRINTF(3, 4);
/* Says where the error that is latched, if any, came about: puts "place: " before its text, unless it begins with it. */
HG_API void hg_graph_error_at(hg_graph *graph, const char *place);

HG_API hg_dtype hg_graph_dtype(const hg_graph *graph);
/* Seed of everything random in the graph: initial values (on creation) and random ops (when running). 0 at first. */
HG_API void     hg_graph_set_seed(hg_graph *graph, uint64_t seed);
HG_API uint64_t hg_graph_seed(const hg_graph *graph);

/* While a scope is open, names of parameters and random ops get "scope/" in front; scopes nest. */
HG_API void hg_scope_push(hg_graph *graph, const char *name);
HG_API void hg_scope_pop(hg_graph *graph);

/* While true: parameters, states and random ops whose names exist already are the tensors that exist, of the same shape, so
   that what is built a second time shares them. */
HG_API void hg_graph_reuse(hg_graph *graph, bool reuse);

/* ---- Leaves -------------------------------------------------------------------------------------------- */

/* A value that the caller writes before each run (hg_plan_write). Names are unique in the graph. */
HG_API hg_tensor *hg_input(hg_graph *graph, const char *name, hg_shape shape);
HG_API hg_tensor *hg_input_of(hg_graph *graph, const char *name, hg_dtype dtype, hg_shape shape);

/* How a parameter starts. fan_in and fan_out are dim[1] and dim[0], each times the kernel's size for more axes;
   a vector counts as fan_in = fan_out = its length. */
typedef enum hg_initial {
    HG_INITIAL_ZEROS,      /* 0 */
    HG_INITIAL_CONSTANT,   /* a */
    HG_INITIAL_UNIFORM,    /* U(-a, a) */
    HG_INITIAL_NORMAL,     /* N(0, a^2) */
    HG_INITIAL_XAVIER,     /* U(-a l, a l), l = sqrt(6 / (fan_in + fan_out)) */
    HG_INITIAL_HE,         /* N(0, a^2 2 / fan_in) */
    HG_INITIAL_ORTHOGONAL, /* a Q: rows (or columns, if there are fewer) orthonormal, for dim[0] x (all other dims) */
} hg_initial;
typedef struct hg_initializer {
    hg_initial kind;
    double     a;
} hg_initializer;
HG_API hg_initializer hg_zeros(void);
HG_API hg_initializer hg_filled(double value);
HG_API hg_initializer hg_uniform_init(double limit);
HG_API hg_initializer hg_normal_init(double deviation);
HG_API hg_initializer hg_xavier(void); /* gain 1; hg_xavier_gain(4) for logistic units */
HG_API hg_initializer hg_xavier_gain(double gain);
HG_API hg_initializer hg_he(void);
HG_API hg_initializer hg_orthogonal(double gain);

/* A trainable value (shape without HG_BATCH), filled at once from the graph's seed and its own full name. */
HG_API hg_tensor *hg_parameter(hg_graph *graph, const char *name, hg_shape shape, hg_initializer initial);
/* State that is not trained (a moment, a running mean): like a parameter, but hg_graph_parameter does not list it. */
HG_API hg_tensor *hg_state(hg_graph *graph, const char *name, hg_shape shape, hg_initializer initial);

/* A constant: values as double (hg_constant) or integers; `values` is copied. */
HG_API hg_tensor *hg_constant(hg_graph *graph, hg_shape shape, const double *values);
HG_API hg_tensor *hg_constant_i64(hg_graph *graph, hg_shape shape, const int64_t *values);
HG_API hg_tensor *hg_scalar(hg_graph *graph, double value);

/* Values of parameters, states and constants, count elements converted from and to double. */
HG_API hg_status hg_read(const hg_tensor *tensor, double *values, size_t count);
HG_API hg_status hg_write(hg_tensor *tensor, const double *values, size_t count);
/* The same without conversion: where the elements lie, in the tensor's dtype; NULL for other tensors. */
HG_API void *hg_data(const hg_tensor *tensor);

/* Parameters in the order of their creation; NULL past the end. */
HG_API hg_tensor *hg_graph_parameter(const hg_graph *graph, size_t index);
HG_API hg_tensor *hg_graph_state(const hg_graph *graph, size_t index);
/* Both: first the parameters, then the states. */
HG_API hg_tensor *hg_graph_stored(const hg_graph *graph, size_t index);
/* An input, parameter or state by its full name; NULL if there is none (no error is latched). */
HG_API hg_tensor *hg_graph_find(const hg_graph *graph, const char *name);

/* ---- Accessors ----------------------------------------------------------------------------------------- */

HG_API hg_graph       *hg_tensor_graph(const hg_tensor *tensor);
HG_API const hg_shape *hg_tensor_shape(const hg_tensor *tensor);
HG_API hg_dtype        hg_tensor_dtype(const hg_tensor *tensor);
HG_API const hg_op    *hg_tensor_op(const hg_tensor *tensor);
HG_API const char     *hg_tensor_name(const hg_tensor *tensor); /* "" for most results of ops */
HG_API int             hg_tensor_inputs(const hg_tensor *tensor);
HG_API hg_tensor      *hg_tensor_input(const hg_tensor *tensor, int index);
HG_API const void     *hg_tensor_attr(const hg_tensor *tensor);
/* Names a result, for messages, hg_plan_print and gradient reports; returns the tensor. */
HG_API hg_tensor *hg_named(hg_tensor *tensor, const char *name);

#endif
