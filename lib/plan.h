/* The inside of plans. Nodes are tensors bound to a batch size; a step runs some of them; the steps of a phase do not
   depend on each other, and between phases the team meets at a barrier.
   bind.c makes the nodes, fuse.c the steps and their order, arena.c the places in memory, staff.c the threads
   and their tasks, run.c runs. */
#ifndef HG_PLAN_H
#define HG_PLAN_H

#include <hourglass/plan.h>

#include "op/map.h"
#include "op/op.h"
#include "team.h"
#include "tensor.h"

enum { HG_ALIGN = 64 }; /* bytes */
static inline size_t hg_aligned(size_t bytes) { return (bytes + HG_ALIGN - 1) / HG_ALIGN * HG_ALIGN; }
enum { HG_MOST_GROUP_INPUTS = 8 };

typedef struct hg_node {
    hg_tensor       t;       /* bound: dimensions are numbers, inputs are nodes. First, so that a tensor is its node */
    struct hg_node *root;    /* for a view: the node whose memory it shares; else itself */
    int             unit;    /* the step that computes it, -1 for leaves and views */
    bool            output;  /* asked for by the caller */
    bool            live;    /* an output needs it */
    bool            stored;  /* lives in memory, not only in a group's blocks */
    bool            again;   /* a copy for one reader of a node that has several */
    bool            chained; /* computed together with the member that reads it */
    bool            steady;  /* in its group computed once for each row of the step's cuts */
    int             rank;    /* place in an order that keeps data and assignments right */
    int             buffer;  /* -1: none */
    struct hg_node *moved;   /* where binding's second pass put it */
} hg_node;

/* A place in the arena, alive from phase `first` to phase `last`. */
typedef struct hg_buffer {
    size_t bytes, offset;
    int    first, last;
} hg_buffer;

/* Where a group's instruction reads or writes. */
typedef struct hg_operand {
    char  *base; /* NULL: at `offset` in the thread's blocks */
    size_t offset;
    size_t size; /* bytes of an element where it moves with the position; 0: the whole tensor, or a group's block */
    int64_t run; /* of a chain's: each element of the whole tensor stands for so many; else 0 */
    enum hg_taken taken; /* by a link of a chain */
    int64_t period; /* after how many elements the tensor begins anew; 0: never */
} hg_operand;

/* Arithmetic that runs in one go. */
typedef struct hg_chained {
    hg_tensor t; /* whose attribute is the chain */
    hg_chain  chain;
} hg_chained;

typedef struct hg_instruction {
    const hg_tensor *t;
    hg_elements_fn  *elements;
    hg_operand       output;
    hg_operand      *input;
    int              inputs;
    hg_chained      *chained; /* what an arithmetic op may become; NULL: it is another */
} hg_instruction;

/* What a reduction at the end of a group needs beside its instruction. */
typedef struct hg_reducer {
    hg_node          *node;
    const hg_kernels *kernels;
    void             *output;
    int               scratch; /* its buffer, -1: none, and nothing to combine */
    void             *scratch_memory;
} hg_reducer;

/* One producer (an op that can be no member of a group), or a group of elementwise ops and reductions, or a producer with
   the group that follows it part by part. */
typedef struct hg_step {
    hg_node        *producer; /* NULL: none */
    hg_node       **node;     /* the group, in order */
    int             nodes;
    int             phase, parts;
    int             first_thread; /* that runs part 0 */
    bool            combines_here, combined_later; /* a single part is combined at once */
    struct hg_step *combines; /* instead of all else: another step's producer or reductions have their parts combined */
    int64_t         elements; /* of each tensor of the group, that of reductions' inputs */
    hg_cuts         cuts;     /* of these elements into rows, parts and blocks */
    hg_reducer   *reduction;
    int             reductions;
    const hg_kernels *kernels; /* of the producer */
    const void    **input;    /* of the producer */
    void           *output;   /* NULL: each part goes to the thread's blocks, behind the group's own */
    size_t          passed_on; /* the offset there */
    int             scratch;  /* its buffer, -1: none */
    void           *scratch_memory;
    bool            works; /* in a thread's workspace */
    hg_instruction *instruction; /* the first of them once for each row */
    int             steady, instructions;
} hg_step;

/* A part of a step, or, without one, of what fills the input. */
typedef struct hg_task {
    hg_step *step;
    int      part;
} hg_task;

/* A thread's tasks in a phase. Counters count over all runs: so a thread that comes late to a run finds its tasks taken. */
typedef struct hg_queue {
    hg_counter taken;
    uint64_t   tasks;
    hg_task   *task;
    char       apart[64 - 3 * sizeof(uint64_t)]; /* on cache lines of their own */
} hg_queue;

typedef struct hg_phase {
    hg_counter done;
    uint64_t   tasks;
    hg_queue  *queue; /* of each thread */
    char       apart[64 - 3 * sizeof(uint64_t)];
} hg_phase;

/* What a thread of a profiled plan spent in all runs: on each step, the last being the filling of the input, and waiting
   for others at the end of each phase. */
typedef struct hg_spent {
    double *step, *phase;
} hg_spent;

struct hg_plan {
    hg_graph  *graph;
    hg_plan_options options;
    hg_node   *node; /* in topological order, apart from what assignments ask for */
    size_t     nodes;
    hg_node  **of_source; /* by the id of the caller's tensor */
    size_t     sources;
    hg_step   *step;
    int        steps, phases, ops;
    hg_buffer *buffer;
    int        buffers;
    char      *arena;
    size_t     arena_bytes, tensor_bytes;
    size_t     blocks_offset, blocks_bytes, workspace_offset, workspace_bytes; /* bytes: one thread's share */
    void     **owned; /* everything else to free */
    size_t     owned_count, owned_room;
    hg_team   *team;
    hg_phase  *phase;  /* number 0 fills the input: one more than the steps' phases */
    void      *filled; /* the input's memory */
    hg_spent  *spent;  /* by thread; NULL: the plan is not profiled */
    int64_t    runs;
    hg_error   error;
};

/* Zeroed memory that lives as long as the plan; NULL with the error latched. */
void *hg_plan_alloc(hg_plan *plan, size_t count, size_t size);

bool hg_plan_bind(hg_plan *plan, int outputs, hg_tensor *const output[]);
bool hg_plan_fuse(hg_plan *plan);
bool hg_plan_place(hg_plan *plan);
bool hg_plan_compile(hg_plan *plan);
bool hg_plan_staff(hg_plan *plan);
/* A thread's share of a run of the plan that is `context`. */
void hg_plan_work(void *context, int thread, uint64_t run);

/* Whether two nodes give the same bits. */
bool hg_node_same(const hg_node *a, const hg_node *b);

/* Partial results lie in scratch: without any there is nothing to combine. */
static inline bool hg_needs_combine(const hg_plan *plan, const hg_node *n, int parts)
{
    return hg_tensor_kernels(&n->t, plan->options.isa)->combine != NULL &&
           (n->t.op->scratch == NULL || n->t.op->scratch(&n->t, parts) > 0);
}

/* The thread that runs a part: neighbouring parts stay together. */
static inline int hg_step_thread(const hg_step *step, int part, int threads)
{
    int place = step->parts <= threads ? part : (int)((int64_t)part * threads / step->parts);
    return (step->first_thread + place) % threads;
}

void *hg_node_address(const hg_plan *plan, hg_node *n);

/* Bytes of the largest part that a step's producer writes; 0: they are not one range each. */
size_t hg_step_part_bytes(const hg_step *step);
/* Where a part of a group without a producer begins. */
int64_t hg_step_cut(const hg_step *step, int part);

static inline hg_node *hg_node_of(const hg_tensor *t) { return (hg_node *)t; }
static inline hg_node *hg_node_input(const hg_node *n, int i) { return hg_node_of(n->t.input[i]); }
static inline hg_node *hg_node_input_root(const hg_node *n, int i) { return hg_node_of(n->t.input[i])->root; }
/* Leaves and views are computed by no step. */
static inline bool hg_node_runs(const hg_node *n)
{
    const hg_op *op = n->t.op;
    return op != &hg_input_op && op != &hg_parameter_op && op != &hg_constant_op && !(op->flags & HG_VIEW);
}
static inline bool hg_node_reduces(const hg_node *n) { return n->t.op->flags & HG_REDUCE; }
/* Runs in a group, block by block. */
static inline bool hg_node_is_fusable(const hg_node *n) { return n->t.op->flags & (HG_MAP | HG_INDEXED | HG_REDUCE); }
/* The elements that a member of a group goes through. */
static inline int64_t hg_node_span(const hg_node *n)
{
    return hg_elements(hg_node_reduces(n) ? n->t.input[0] : &n->t);
}
/* An assignment writes where its target lies. */
static inline hg_node *hg_node_owner(hg_node *n)
{
    while (n->t.op->flags & HG_ASSIGN)
        n = hg_node_input_root(n, 0);
    return n;
}
/* How often n reads a root. */
static inline int hg_reads_of(const hg_node *n, const hg_node *root)
{
    int reads = 0;
    for (int j = 0; j < n->t.inputs; j++)
        reads += hg_node_input_root(n, j) == root;
    return reads;
}
static inline size_t hg_node_bytes(const hg_node *n)
{
    return (size_t)hg_elements(&n->t) * hg_dtype_size(n->t.dtype);
}

#endif
