/* A worker: does one job, again and again, as it is asked to. Requests and answers are JSON, a line each. */
#define _POSIX_C_SOURCE 200809L /* getline */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKED_RUNS = 3 }; /* steps of training, after which the loss is compared */

typedef struct worker {
    job    job;
    double seconds;     /* of a run, as measured last */
    long   allocations; /* of a run, the most that there were */
} worker;

static json_t *failure(const worker *w) { return json_pack("{ss}", "error", w->job.error.text); }

static hg_status repeat(worker *w, int64_t runs)
{
    hg_status status = HG_OK;
    const double start = hg_seconds();
    for (int64_t i = 0; i < runs && status == HG_OK; i++)
        status = w->job.run(&w->job);
    w->seconds = (hg_seconds() - start) / (double)runs;
    if (status != HG_OK && w->job.error.status == HG_OK)
        hg_fail(&w->job.error, status, "a run failed: %s", hg_status_text(status));
    return status;
}

static json_t *open_job(worker *w, const json_t *request)
{
    static const struct {
        const char *kind;
        job_open   *open;
    } kinds[] = {
        { "training", hg_open_training },
        { "encoding", hg_open_encoding },
        { "latency", hg_open_latency },
    };
    const char *kind = json_string_value(json_object_get(request, "kind"));
    const bool quick = json_is_true(json_object_get(request, "quick"));
    hg_job_free(&w->job);
    w->job.workload = hg_workload_find(json_string_value(json_object_get(request, "workload")));
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0 && kinds[i].open(&w->job, quick) != HG_OK)
            return failure(w);
    if (repeat(w, w->job.updates != NULL ? CHECKED_RUNS : 1) != HG_OK)
        return failure(w);
    return json_pack("{s{sf}}", "ways", "hourglass", w->job.check(&w->job));
}

static json_t *time_job(worker *w, const json_t *request)
{
    const double slice = json_real_value(json_object_get(request, "slice"));
    const int64_t runs = w->seconds < slice ? (int64_t)(slice / w->seconds) : 1;
    const long before = hg_allocations();
    if (repeat(w, runs) != HG_OK)
        return failure(w);
    const long each = (hg_allocations() - before + runs - 1) / runs;
    w->allocations = each > w->allocations ? each : w->allocations;
    return json_pack("{sf}", "seconds", w->seconds);
}

/* The most memory that this process ever had, in bytes; 0: unknown. getrusage begins with its parent. */
static json_int_t peak_resident(void)
{
    char line[256];
    long long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmHWM: %lld kB", &kib) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return kib * 1024;
}

static json_t *describe_job(worker *w, const json_t *request)
{
    json_t *facts = json_object();
    (void)request;
    hg_job_facts(&w->job, facts);
    if (peak_resident() > 0)
        json_object_set_new(facts, "resident_bytes", json_integer(peak_resident()));
    if (hg_allocations() >= 0 && w->job.plan != NULL)
        json_object_set_new(facts, "allocations", json_integer(w->allocations));
    return facts;
}

static json_t *answer(worker *w, const json_t *request)
{
    static const struct {
        const char *what;
        json_t *(*answer)(worker *w, const json_t *request);
    } requests[] = { { "open", open_job }, { "time", time_job }, { "facts", describe_job } };
    const char *what = json_string_value(json_object_get(request, "do"));
    for (size_t i = 0; i < COUNT(requests); i++)
        if (what != NULL && strcmp(requests[i].what, what) == 0)
            return requests[i].answer(w, request);
    return json_pack("{ss}", "error", "a worker is asked to open, time or facts");
}

int hg_worker(void)
{
    worker w = { 0 };
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL), *said = answer(&w, request);
        json_dumpf(said, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(request);
        json_decref(said);
    }
    hg_job_free(&w.job);
    free(line);
    return EXIT_SUCCESS;
}
