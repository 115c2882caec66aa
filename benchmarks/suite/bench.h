/* The pieces of the benchmark program. What is measured becomes rows, flat JSON objects. */
#ifndef HG_BENCHMARKS_BENCH_H
#define HG_BENCHMARKS_BENCH_H

#include <hourglass.h>

#include <jansson.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- What is asked for --------------------------------------------------------------------------------- */

typedef struct settings {
    int         only_count;
    const char *only[32];  /* sections and rows; none: all */
    int         threads;   /* the most */
    int         rounds;    /* of alternating measurements; results are medians */
    bool        quick;     /* that it runs, not how fast */
    const char *torch;     /* a Python with PyTorch; NULL: no comparison */
    const char *json;      /* where to; "-" is standard output, NULL nowhere */
    const char *command;   /* `hourglass`, whose start is timed */
    double      slice;     /* seconds of a measurement */
} settings;

bool hg_selected(const settings *s, const char *section, const char *row);
/* 1, 2, 4, ... and the most. Returns how many. */
#define MOST_THREAD_COUNTS 16
int hg_thread_counts(const settings *s, int counts[MOST_THREAD_COUNTS]);
_Noreturn void hg_quit(const char *format, ...) HG_PRINTF(1, 2);

/* ---- Workloads ----------------------------------------------------------------------------------------- */

typedef struct workload {
    const char           *name;
    const hg_autoencoder *declaration; /* NULL: the library's model of this name: */
    const char           *model;
    int64_t               batch;
    bool                  random;  /* its loss differs with the numbers drawn */
    bool                  encodes; /* is measured as an encoder too */
    /* Targets; 0: none. Percent of the FMA peak, and times as fast as PyTorch. */
    double peak, training, latency;
} workload;

extern const workload hg_workloads[];
extern const size_t   hg_workload_count;
const workload       *hg_workload_find(const char *name);
const hg_autoencoder *hg_workload_declaration(const workload *w);

/* Numbers that are the same in every peer: of [0, 1), by a hash of place and stream. */
double hg_hashed(int64_t place, int64_t stream);

/* ---- Jobs: what a worker process repeats --------------------------------------------------------------- */

typedef struct job job;
struct job {
    const workload *workload;
    hg_status (*run)(job *j); /* once */
    double    (*check)(const job *j);
    int64_t     samples; /* of a run */
    hg_graph   *graph;
    hg_plan    *plan;
    hg_parts    parts;
    hg_updates *updates;
    int64_t     step;
    hg_model   *model;
    hg_dataset *data;
    double     *codes;
    float      *image;
    hg_error    error;
};

typedef hg_status job_open(job *j, bool quick);
job_open hg_open_training, hg_open_encoding, hg_open_latency;
void     hg_job_free(job *j);
/* What the plan and the memory of a job come to, into a row. */
void hg_job_facts(const job *j, json_t *row);
/* The graph's parameters get the numbers that all peers start from. */
void hg_fill_parameters(hg_graph *graph);

long hg_allocations(void); /* so far; -1 where they cannot be counted */

/* ---- Peers: processes that measure on request ---------------------------------------------------------- */

typedef struct peer peer;
/* A process with its own number of threads: this program as a worker, or with `torch` that Python. */
peer   *hg_peer_new(const settings *s, int threads, bool torch);
void    hg_peer_free(peer *p); /* accepts NULL */
/* Sends a request; returns the answer, an object, or quits with the sentence in "error". */
json_t *hg_peer_ask(peer *p, json_t *request);
/* The other side, for this program as a worker. Returns the exit status. */
int     hg_worker(void);

/* ---- The machine --------------------------------------------------------------------------------------- */

double hg_seconds(void);               /* by the wall */
double hg_fma_peak(int threads);       /* operations a second, 2 for each multiply-add, f32 */
double hg_copy_bandwidth(int threads); /* bytes read and written a second, from and to memory */
/* Processor seconds of all processes but this one and its ended children; NaN: unknown. */
double hg_others_seconds(void);
double hg_median(int count, double values[]);

/* ---- Sections: each adds its rows to the report -------------------------------------------------------- */

typedef void section_run(const settings *s, json_t *rows);
section_run hg_measure_machine, hg_measure_ops, hg_measure_training, hg_measure_encoding, hg_measure_latency,
    hg_measure_start;

/* How a section is printed: a column shows a member of a row, times a factor, and beside it its target's. */
typedef struct column {
    const char *heading, *member;
    int         width, digits; /* negative width: text, to the left */
    double      factor;
    const char *target;        /* a member; NULL: none */
    bool        least;         /* the target is the least that will do, else the most */
} column;

typedef struct section {
    const char   *name, *rows, *title; /* rows: the section that has them */
    section_run  *run;                 /* NULL: has been run */
    const column *columns;
} section;

bool hg_is_op(const char *name); /* of the rows of hg_measure_ops */
void hg_print_section(const section *s, const json_t *rows);

#endif
