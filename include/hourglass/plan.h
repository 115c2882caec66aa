/* A plan is made once and run often: it decides everything, a run decides nothing and allocates nothing. */
#ifndef HOURGLASS_PLAN_H
#define HOURGLASS_PLAN_H

#include <hourglass/tensor.h>
#include <stdio.h>

typedef struct hg_plan hg_plan;

/* Instruction sets that kernels are compiled for; a plan takes the best that the processor has unless told. Each gives the same
   bits whatever the number of threads; HG_ISA_AMX multiplies f32 on matrix tiles, no less exactly than vectors do. */
typedef enum hg_isa { HG_ISA_BEST, HG_ISA_BASE, HG_ISA_V3, HG_ISA_V4, HG_ISA_AMX } hg_isa;
HG_API hg_isa      hg_isa_best(void);
HG_API const char *hg_isa_name(hg_isa isa); /* "baseline", "x86-64-v3", "x86-64-v4", "x86-64-v4-amx" */
/* As many threads as OpenMP would use: those of the processors, or of OMP_NUM_THREADS. */
HG_API int         hg_threads_best(void);
/* Name of the kernels that the BLAS library chose, for example "skx". */
HG_API const char *hg_blas_kernels(void);

/* Writes part `part` of `parts` of an input's values, in its dtype. Parts may be written at the same time. */
typedef void hg_fill_fn(void *context, void *values, int part, int parts);
typedef struct hg_filling {
    const hg_tensor *input; /* one that the plan does not read is not filled */
    hg_fill_fn      *fill;
    void            *context;
} hg_filling;

typedef struct hg_plan_options {
    int64_t batch;      /* what HG_BATCH stands for; 1 by default */
    int     threads;    /* 0: hg_threads_best(), but one for little work */
    hg_isa  isa;        /* HG_ISA_BEST by default; one that the processor lacks is refused */
    bool    no_fusion;  /* every op a step of its own (to check that fusing changes no bit) */
    bool    no_reuse;   /* every tensor a buffer of its own */
    bool    no_folding; /* neither constants folded nor equal ops merged */
    bool    profile;    /* hg_run measures each step's time on each thread, which hg_plan_print shows */
    hg_filling filling; /* how each run begins: all threads fill an input; none */
} hg_plan_options;

/* Plans the computation of outputs and of every assignment among them. Returns NULL if the graph holds an error or
   planning fails; hg_graph_error tells. The graph must outlive the plan, and may grow on. */
HG_API hg_plan *hg_plan_new(hg_graph *graph, int outputs, hg_tensor *const output[], const hg_plan_options *options);
HG_API void     hg_plan_free(hg_plan *plan);

/* The memory of an input (to write before a run) or an output (to read after it), in its dtype; NULL for others. Inputs
   keep their values from run to run. An output that is a parameter, state or constant is where hg_data says. */
HG_API void *hg_plan_data(hg_plan *plan, const hg_tensor *tensor);
/* The same with conversion from and to double; count elements. */
HG_API hg_status hg_plan_write(hg_plan *plan, const hg_tensor *input, const double *values, size_t count);
HG_API hg_status hg_plan_read(hg_plan *plan, const hg_tensor *output, double *values, size_t count);

/* Runs all steps with one team of threads. Two plans of one graph must not run at the same time if one assigns. */
HG_API hg_status hg_run(hg_plan *plan);

/* Plans and runs one tensor that needs no written input, and reads it. For exploring. */
HG_API hg_status hg_eval(hg_tensor *tensor, double *values, size_t count);

typedef struct hg_plan_facts {
    int64_t batch;
    int     threads, steps, phases, ops, buffers; /* phases end at barriers; ops: before fusion; buffers: places in the arena */
    size_t  arena_bytes;                  /* all that a run touches beside parameters and states, scratch included */
    size_t  tensor_bytes;                 /* what the arena would be if every tensor were kept */
    double  flops;                        /* of products and convolutions, 2 per multiply-add */
} hg_plan_facts;
HG_API hg_plan_facts hg_plan_describe(const hg_plan *plan);
/* Steps with their ops, buffers (offset, bytes), parts, flops and bytes of tensors read and written, as a table.
   After runs of a plan with `profile` also the time of each step (of all threads, divided by their number), what it
   reaches in GFLOP/s, in percent of the threads' peak, which is measured now, and in GB/s; and how long threads wait
   at each barrier. */
HG_API hg_status hg_plan_print(const hg_plan *plan, FILE *to);

/* f32 operations per second of the calling thread's core: fused multiply-adds in registers, which count 2. f64 has
   half as many. It works for some 10 ms. */
HG_API double hg_measure_peak(void);

#endif
