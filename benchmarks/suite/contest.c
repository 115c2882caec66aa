/* A workload on every number of threads, in this library and in PyTorch: all measured in turns, round by
   round, with the machine's peak in each. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */

#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WAYS = 3 * MOST_THREAD_COUNTS };

/* One way to compute the workload on so many threads. */
typedef struct contestant {
    peer   *peer;
    char    way[16]; /* "hourglass", "eager", "compiled" */
    int     threads;
    double  check;
    double *seconds; /* of each round */
} contestant;

typedef struct contest {
    const settings *s;
    const workload *workload;
    const char     *kind;
    int             thread_counts, counts[MOST_THREAD_COUNTS];
    peer           *ours[MOST_THREAD_COUNTS], **torch;
    double         *peak[MOST_THREAD_COUNTS]; /* of each round */
    int             ways;
    contestant      way[MOST_WAYS];
} contest;

static double *numbers(const contest *c)
{
    double *all = calloc((size_t)c->s->rounds, sizeof *all);
    if (all == NULL)
        hg_quit("out of memory: the times of %d rounds", c->s->rounds);
    return all;
}

/* ---- Entering ------------------------------------------------------------------------------------------ */

static void enter(contest *c, peer *p, int threads)
{
    char *text = hg_autoencoder_to_json(hg_workload_declaration(c->workload), 0);
    json_t *request = json_pack("{ss,ss,ss,sI,sb,so}", "do", "open", "kind", c->kind,
                                "workload", c->workload->name, "batch", (json_int_t)c->workload->batch,
                                "quick", c->s->quick,
                                "declaration", text == NULL ? NULL : json_loads(text, 0, NULL));
    free(text);
    if (request == NULL)
        hg_quit("%s cannot be told as JSON", c->workload->name);
    json_t *said = hg_peer_ask(p, request), *check;
    const char *way;
    json_object_foreach(json_object_get(said, "ways"), way, check)
    {
        contestant *next = &c->way[c->ways++];
        *next = (contestant){ .peer = p, .threads = threads, .check = json_number_value(check),
                              .seconds = numbers(c) };
        snprintf(next->way, sizeof next->way, "%s", way);
    }
    json_decref(said);
}

static contestant *find(contest *c, const char *way, int threads)
{
    for (int i = 0; i < c->ways; i++)
        if (c->way[i].threads == threads && strcmp(c->way[i].way, way) == 0)
            return &c->way[i];
    return NULL;
}

/* That all compute the same: what they computed so far must agree. */
static void compare(contest *c)
{
    const double expected = c->way[0].check, tolerance = c->workload->random ? 0.05 : 1e-3;
    for (int i = 1; i < c->ways; i++)
        if (!(fabs(c->way[i].check - expected) <= tolerance * fabs(expected)))
            hg_quit("%s (%s): %s on %d threads gives %g, and hourglass %g", c->workload->name, c->kind,
                    c->way[i].way, c->way[i].threads, c->way[i].check, expected);
}

/* ---- Rounds -------------------------------------------------------------------------------------------- */

/* Until no thread of the last measurement waits for work any more. */
static void settle(const contest *c)
{
    if (!c->s->quick)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static double ask_time(const contest *c, const contestant *of)
{
    json_t *said = hg_peer_ask(of->peer, json_pack("{ss,ss,sf}", "do", "time", "way", of->way,
                                                   "slice", c->s->slice));
    const double seconds = json_number_value(json_object_get(said, "seconds"));
    json_decref(said);
    return seconds;
}

static void run_round(contest *c, int round)
{
    for (int i = 0; i < c->thread_counts; i++) {
        settle(c);
        c->peak[i][round] = hg_fma_peak(c->counts[i]);
    }
    for (int i = 0; i < c->ways; i++) {
        settle(c);
        c->way[i].seconds[round] = ask_time(c, &c->way[i]);
    }
}

/* ---- Results ------------------------------------------------------------------------------------------- */

static double median(const contest *c, const double values[])
{
    double *copy = numbers(c);
    memcpy(copy, values, (size_t)c->s->rounds * sizeof *copy);
    const double result = hg_median(c->s->rounds, copy);
    free(copy);
    return result;
}

/* The median of the rounds' quotients. */
static double median_ratio(const contest *c, const double above[], const double below[])
{
    double *ratio = numbers(c);
    for (int i = 0; i < c->s->rounds; i++)
        ratio[i] = above[i] / below[i];
    const double result = hg_median(c->s->rounds, ratio);
    free(ratio);
    return result;
}

static void set(json_t *row, const char *member, double value)
{
    json_object_set_new(row, member, json_real(value));
}

static void set_target(json_t *row, const char *member, double target)
{
    if (target > 0)
        set(row, member, target);
}

static void add_torch(contest *c, json_t *row, const contestant *ours)
{
    static const struct {
        const char *way, *member;
    } ways[] = { { "eager", "torch_eager_seconds" }, { "compiled", "torch_compiled_seconds" } };
    double least = INFINITY;
    for (size_t i = 0; i < COUNT(ways); i++) {
        const contestant *torch = find(c, ways[i].way, ours->threads);
        if (torch == NULL)
            continue;
        const double ratio = median_ratio(c, torch->seconds, ours->seconds);
        least = ratio < least ? ratio : least;
        set(row, ways[i].member, median(c, torch->seconds));
    }
    if (!isfinite(least))
        return;
    const double target = strcmp(c->kind, "training") == 0 ? c->workload->training
                          : strcmp(c->kind, "latency") == 0 ? c->workload->latency : 0;
    set(row, "torch_ratio", least);
    set_target(row, "torch_ratio_target", target);
    set_target(row, "percent_of_peak_for_ratio",
               target / least * json_number_value(json_object_get(row, "percent_of_peak")));
}

static void add_peak(const contest *c, json_t *row, const contestant *ours, const double peak[])
{
    const double flops = json_number_value(json_object_get(row, "flops"));
    double *time_at_peak = numbers(c);
    for (int i = 0; i < c->s->rounds; i++)
        time_at_peak[i] = flops / peak[i];
    set(row, "peak_flops_per_second", median(c, peak));
    set(row, "flops_per_second", flops / median(c, ours->seconds));
    set(row, "percent_of_peak", 100 * median_ratio(c, time_at_peak, ours->seconds));
    set_target(row, "percent_of_peak_target", strcmp(c->kind, "training") == 0 ? c->workload->peak : 0);
    free(time_at_peak);
}

/* Against one thread, where a step is long enough to be shared. */
static void add_scaling(contest *c, json_t *row, const contestant *ours)
{
    enum { LEAST_MILLISECONDS = 1 };
    const contestant *one = find(c, "hourglass", 1);
    if (one == NULL || ours->threads == 1)
        return;
    set(row, "speedup", median_ratio(c, one->seconds, ours->seconds));
    if (strcmp(c->kind, "training") == 0 && ours->threads == 2
        && median(c, one->seconds) > 1e-3 * LEAST_MILLISECONDS)
        set(row, "speedup_target", 1.8);
}

/* Beside the program itself, training may have what it trains, what it computes, and a quarter more. */
static void add_memory(const contest *c, json_t *row)
{
    const double arena = json_number_value(json_object_get(row, "arena_bytes"));
    const double kept = json_number_value(json_object_get(row, "tensor_bytes"));
    if (strcmp(c->kind, "training") != 0)
        return;
    set(row, "arena_percent", 100 * arena / kept);
    set(row, "arena_percent_target", 60);
    set(row, "resident_target_bytes",
        1.25 * (json_number_value(json_object_get(row, "stored_bytes")) + arena) + (16 << 20));
    set(row, "allocations_target", 0);
}

static json_t *result(contest *c, int which)
{
    const contestant *ours = find(c, "hourglass", c->counts[which]);
    json_t *row = hg_peer_ask(ours->peer, json_pack("{ss}", "do", "facts"));
    json_object_set_new(row, "name", json_string(c->workload->name));
    json_object_set_new(row, "threads", json_integer(ours->threads));
    set(row, "seconds", median(c, ours->seconds));
    set(row, "samples_per_second",
        json_number_value(json_object_get(row, "samples")) / median(c, ours->seconds));
    if (json_object_get(row, "flops") != NULL)
        add_peak(c, row, ours, c->peak[which]);
    add_torch(c, row, ours);
    add_scaling(c, row, ours);
    add_memory(c, row);
    return row;
}

/* ---- All of it ----------------------------------------------------------------------------------------- */

static void run_contest(contest *c, json_t *rows)
{
    for (int i = 0; i < c->thread_counts; i++) {
        c->peak[i] = numbers(c);
        c->ours[i] = hg_peer_new(c->s, c->counts[i], false);
        enter(c, c->ours[i], c->counts[i]);
    }
    for (int i = 0; i < c->thread_counts && c->torch[0] != NULL; i++)
        enter(c, c->torch[i], c->counts[i]);
    compare(c);
    for (int round = 0; round < c->s->rounds; round++)
        run_round(c, round);
    for (int i = 0; i < c->thread_counts; i++)
        json_array_append_new(rows, result(c, i));
    for (int i = 0; i < c->thread_counts; i++) {
        hg_peer_free(c->ours[i]);
        free(c->peak[i]);
    }
    for (int i = 0; i < c->ways; i++)
        free(c->way[i].seconds);
}

static void run_contests(const settings *s, const char *kind, bool encoders, json_t *rows)
{
    int counts[MOST_THREAD_COUNTS];
    peer *torch[MOST_THREAD_COUNTS] = { 0 };
    const int thread_counts = hg_thread_counts(s, counts);
    for (size_t i = 0; i < hg_workload_count; i++) {
        const workload *w = &hg_workloads[i];
        if ((encoders && !w->encodes) || !hg_selected(s, kind, w->name))
            continue;
        for (int k = 0; k < thread_counts && s->torch != NULL; k++)
            torch[k] = torch[k] != NULL ? torch[k] : hg_peer_new(s, counts[k], true);
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "%s: %s\n", kind, w->name);
        contest c = { .s = s, .workload = w, .kind = kind, .thread_counts = thread_counts, .torch = torch };
        memcpy(c.counts, counts, sizeof counts);
        run_contest(&c, rows);
    }
    for (int i = 0; i < thread_counts; i++)
        hg_peer_free(torch[i]);
}

void hg_measure_training(const settings *s, json_t *rows) { run_contests(s, "training", false, rows); }
void hg_measure_encoding(const settings *s, json_t *rows) { run_contests(s, "encoding", true, rows); }
void hg_measure_latency(const settings *s, json_t *rows) { run_contests(s, "latency", true, rows); }
