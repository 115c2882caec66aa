/* The inside of graphs and tensors, for lib/ alone. */
#ifndef HG_TENSOR_H
#define HG_TENSOR_H

#include <hourglass/op.h>
#include <hourglass/plan.h>

enum { HG_BLOCK = 1024 }; /* elements that a fused group computes at once */

struct hg_tensor {
    hg_graph    *graph;
    const hg_op *op;
    hg_tensor  **input;
    void        *attr;
    const char  *name;
    void        *data; /* the values of parameters, states and constants */
    size_t       id;   /* place in the graph: inputs come before their readers */
    int          inputs;
    hg_dtype     dtype;
    hg_isa       isa;  /* bound to a plan: whose kernels compute it */
    hg_shape     shape;
};

typedef struct hg_list {
    hg_tensor **at;
    size_t      count, room;
} hg_list;

struct hg_graph {
    struct hg_chunk *chunks; /* memory of tensors, names, attributes, values */
    hg_list          tensors, parameters, states, inputs;
    hg_dtype         dtype;
    uint64_t         seed;
    char             scope[256];
    bool             reuse; /* hg_graph_reuse */
    hg_error         error;
};

/* Memory that lives as long as the graph, zeroed, aligned to 64 bytes; NULL with the error latched. */
void *hg_graph_alloc(hg_graph *graph, size_t bytes);
bool  hg_list_add(hg_list *list, hg_tensor *tensor); /* false: out of memory */

/* "op "name" (2x3, 4)": what a message calls a tensor that is being made. */
#define HG_TENSOR_TEXT 400
char *hg_tensor_print(const hg_tensor *tensor, char text[HG_TENSOR_TEXT]);

/* Row-major element count of a shape; false if it overflows or a dimension is not usable. HG_BATCH counts apart:
   the count is coefficient * B^power. */
typedef struct hg_symbolic {
    int64_t coefficient;
    int     power;
} hg_symbolic;
bool hg_shape_symbolic(const hg_shape *shape, unsigned axes, hg_symbolic *count);

/* a + b and the like for dimensions that may be multiples of HG_BATCH; false if that is no dimension. */
bool hg_dim_add(int64_t a, int64_t b, int64_t *sum);

/* Conversion of count values. */
void hg_to_doubles(hg_dtype dtype, const void *from, double *to, size_t count);
void hg_from_doubles(hg_dtype dtype, const double *from, void *to, size_t count);

#endif
