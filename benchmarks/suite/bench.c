/* All that is measured, in one table from one run: see benchmarks/README.md. */
#define _POSIX_C_SOURCE 200809L /* getopt_long's declarations, gmtime_r */

#include "config.h"

#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Sections ------------------------------------------------------------------------------------------ */

#define TIMES                                                                                                \
    { "eager", "torch_eager_seconds", 8, 3, 1e3, NULL, false },                                              \
        { "compiled", "torch_compiled_seconds", 8, 3, 1e3, NULL, false },                                    \
        { "ratio", "torch_ratio", 6, 2, 1, "torch_ratio_target", true }
#define NAME(width)                                                                                          \
    { "", "name", -(width), 0, 1, NULL, false }, { "threads", "threads", 7, 0, 1, NULL, false }
#define SCALING { "scaling", "speedup", 7, 2, 1, "speedup_target", true }

static const column machine_columns[] = {
    NAME(48),
    { "10^9/s", "per_second", 8, 1, 1e-9, NULL, false },
    { 0 },
};
static const column op_columns[] = {
    NAME(44),
    { "GFLOP/s", "forward_flops_per_second", 8, 1, 1e-9, NULL, false },
    { "% peak", "forward_percent_of_peak", 6, 0, 1, NULL, false },
    { "GB/s", "forward_bytes_per_second", 6, 1, 1e-9, NULL, false },
    { "% memory", "forward_percent_of_bandwidth", 8, 0, 1, NULL, false },
    { "| backward", "backward_flops_per_second", 10, 1, 1e-9, NULL, false },
    { "% peak", "backward_percent_of_peak", 6, 0, 1, NULL, false },
    { "GB/s", "backward_bytes_per_second", 6, 1, 1e-9, NULL, false },
    { "% memory", "backward_percent_of_bandwidth", 8, 0, 1, NULL, false },
    { 0 },
};
static const column training_columns[] = {
    NAME(17),
    { "ms/step", "seconds", 8, 3, 1e3, NULL, false },
    { "samples/s", "samples_per_second", 9, 0, 1, NULL, false },
    { "% peak", "percent_of_peak", 6, 1, 1, "percent_of_peak_target", true },
    SCALING,
    TIMES,
    { "it takes %", "percent_of_peak_for_ratio", 10, 0, 1, NULL, false },
    { 0 },
};
static const column memory_columns[] = {
    NAME(17),
    { "arena MiB", "arena_bytes", 9, 2, 1.0 / (1 << 20), NULL, false },
    { "all kept", "tensor_bytes", 9, 2, 1.0 / (1 << 20), NULL, false },
    { "%", "arena_percent", 5, 1, 1, "arena_percent_target", false },
    { "resident MiB", "resident_bytes", 12, 1, 1.0 / (1 << 20), "resident_target_bytes", false },
    { "allocations/step", "allocations", 16, 0, 1, "allocations_target", false },
    { 0 },
};
static const column encoding_columns[] = {
    NAME(17),
    { "ms", "seconds", 8, 2, 1e3, NULL, false },
    { "images/s", "samples_per_second", 9, 0, 1, NULL, false },
    SCALING,
    TIMES,
    { 0 },
};
static const column latency_columns[] = {
    NAME(17),
    { "us", "seconds", 8, 2, 1e6, NULL, false },
    { "plan's", "plan_threads", 6, 0, 1, NULL, false },
    { "eager", "torch_eager_seconds", 8, 2, 1e6, NULL, false },
    { "compiled", "torch_compiled_seconds", 8, 2, 1e6, NULL, false },
    { "ratio", "torch_ratio", 6, 2, 1, "torch_ratio_target", true },
    { 0 },
};
static const column start_columns[] = {
    { "", "name", -48, 0, 1, NULL, false },
    { "ms", "seconds", 8, 2, 1e3, NULL, false },
    { 0 },
};

static const section sections[] = {
    { "machine", "machine", "The machine", hg_measure_machine, machine_columns },
    { "ops", "ops", "Each op alone, forward and backward", hg_measure_ops, op_columns },
    { "training", "training", "Training steps: forward, backward, Adam; ms of PyTorch", hg_measure_training,
      training_columns },
    { "memory", "training", "Their memory", NULL, memory_columns },
    { "encoding", "encoding", "Encoding 10 000 images; ms of PyTorch", hg_measure_encoding,
      encoding_columns },
    { "latency", "latency", "Encoding one image; us of PyTorch", hg_measure_latency, latency_columns },
    { "start", "start", "From start to end of a process", hg_measure_start, start_columns },
};

/* ---- Options ------------------------------------------------------------------------------------------- */

static const char usage[] =
    "Usage: bench [OPTION]...\n"
    "Measures the library on this machine, and PyTorch beside it. See benchmarks/README.md.\n"
    "\n"
    "  --only NAME       a section (machine, ops, training, encoding, latency, start), or in all sections a\n"
    "                    workload or an op; may be given several times\n"
    "  --threads N       up to N threads; as many as OpenMP would use\n"
    "  --rounds N        of alternating measurements, whose medians are shown; 9\n"
    "  --torch PYTHON    compare with PyTorch, run by this Python\n"
    "  --command FILE    the command whose start is timed; hourglass, beside this program's directory\n"
    "  --json FILE       write everything as JSON; - is standard output, in place of the table\n"
    "  --quick           see that everything runs, not how fast\n";

void hg_quit(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < COUNT(sections); i++)
        if (strcmp(sections[i].name, name) == 0)
            return true;
    return false;
}

bool hg_selected(const settings *s, const char *section, const char *row)
{
    bool in_section = true, in_row = true, sections_named = false, rows_named = false;
    for (int i = 0; i < s->only_count; i++) {
        const bool of_section = is_section(s->only[i]);
        bool *named = of_section ? &sections_named : &rows_named, *in = of_section ? &in_section : &in_row;
        *in = (*named && *in) || strcmp(s->only[i], of_section ? section : row) == 0;
        *named = true;
    }
    return in_section && in_row;
}

int hg_thread_counts(const settings *s, int counts[MOST_THREAD_COUNTS])
{
    int count = 0;
    for (int threads = 1; threads < s->threads && count < MOST_THREAD_COUNTS - 1; threads *= 2)
        counts[count++] = threads;
    counts[count++] = s->threads;
    return count;
}

static int natural(const char *option, const char *text)
{
    char *end;
    const long value = strtol(text, &end, 10);
    if (*end != '\0' || end == text || value < 1 || value > 256)
        hg_quit("--%s: %s is no number from 1 to 256", option, text);
    return (int)value;
}

/* The command is built one directory above this program. */
static const char *beside(const char *program, char path[], size_t room)
{
    const char *slash = strrchr(program, '/');
    snprintf(path, room, "%.*s../hourglass", slash == NULL ? 0 : (int)(slash - program) + 1, program);
    return path;
}

static bool is_known(const char *name)
{
    return is_section(name) || hg_workload_find(name) != NULL || hg_is_op(name);
}

static settings read_options(int argc, char *argv[], char path[], size_t room)
{
    static const struct option options[] = {
        { "only", required_argument, NULL, 'o' },    { "threads", required_argument, NULL, 't' },
        { "rounds", required_argument, NULL, 'r' },  { "torch", required_argument, NULL, 'p' },
        { "command", required_argument, NULL, 'c' }, { "json", required_argument, NULL, 'j' },
        { "quick", no_argument, NULL, 'q' },         { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    settings s = { .threads = hg_threads_best(), .command = beside(argv[0], path, room) };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'o':
            if (!is_known(optarg) || s.only_count == (int)COUNT(s.only))
                hg_quit("--only: there is nothing named %s, or too much is named", optarg);
            s.only[s.only_count++] = optarg;
            break;
        case 't':
            s.threads = natural("threads", optarg);
            break;
        case 'r':
            s.rounds = natural("rounds", optarg);
            break;
        case 'p':
            s.torch = optarg;
            break;
        case 'c':
            s.command = optarg;
            break;
        case 'j':
            s.json = optarg;
            break;
        case 'q':
            s.quick = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            exit(EXIT_FAILURE);
        }
    if (optind < argc)
        hg_quit("%s is no option; --help lists them", argv[optind]);
    s.rounds = s.rounds > 0 ? s.rounds : s.quick ? 1 : 9;
    s.slice = s.quick ? 0 : 0.15;
    return s;
}

/* ---- The report ---------------------------------------------------------------------------------------- */

/* The processor's name as Linux tells it. */
static void processor(char name[], size_t room)
{
    char line[256];
    FILE *info = fopen("/proc/cpuinfo", "r");
    snprintf(name, room, "unknown processor");
    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            snprintf(name, room, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
            break;
        }
    if (info != NULL)
        fclose(info);
}

static json_t *describe_run(const settings *s)
{
    char date[32], name[256];
    const time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &utc));
    processor(name, sizeof name);
    return json_pack("{ss,ss,ss,ss,ss,ss,si,si}", "date", date, "processor", name, "hourglass", hg_version(),
                     "compiler", __VERSION__, "instruction_set", hg_isa_name(hg_isa_best()),
                     "blis_kernels", hg_blas_kernels(), "threads", s->threads, "rounds", s->rounds);
}

static void add_torch_version(const settings *s, json_t *run)
{
    peer *torch = hg_peer_new(s, 1, true);
    json_t *said = hg_peer_ask(torch, json_pack("{ss}", "do", "version"));
    json_object_set(run, "pytorch", json_object_get(said, "version"));
    json_decref(said);
    hg_peer_free(torch);
}

static void print_run(const json_t *run)
{
    const char *member;
    json_t *value;
    json_object_foreach((json_t *)run, member, value)
        if (json_is_string(value))
            printf("%-16s %s\n", member, json_string_value(value));
        else
            printf("%-16s %lld\n", member, (long long)json_integer_value(value));
    puts("\nMedians of alternating rounds; targets in parentheses, * where one is missed.");
}

/* Measures a section into the report, with the share of the processors that other processes had meanwhile. */
static void run_section(const settings *s, const section *of, json_t *report)
{
    const double others = hg_others_seconds(), start = hg_seconds();
    json_t *rows = json_array();
    of->run(s, rows);
    const double percent = 100 * (hg_others_seconds() - others) / (hg_seconds() - start) / hg_threads_best();
    if (isfinite(percent))
        json_object_set_new(json_object_get(report, "percent_others"), of->name, json_real(percent));
    json_object_set_new(report, of->name, rows);
}

static void print_section(const section *of, const json_t *report)
{
    const json_t *others = json_object_get(json_object_get(report, "percent_others"), of->rows);
    hg_print_section(of, json_object_get(report, of->rows));
    if (json_number_value(others) > 5 && json_array_size(json_object_get(report, of->rows)) > 0)
        printf("(other processes used %.0f %% of the processors meanwhile)\n", json_number_value(others));
    fflush(stdout);
}

static void write_json(const settings *s, const json_t *report)
{
    FILE *to = strcmp(s->json, "-") == 0 ? stdout : fopen(s->json, "w");
    if (to == NULL || json_dumpf(report, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0
        || fputc('\n', to) == EOF || fflush(to) != 0)
        hg_quit("%s cannot be written", s->json);
    if (to != stdout)
        fclose(to);
}

int main(int argc, char *argv[])
{
    if (argc == 2 && strcmp(argv[1], "--worker") == 0)
        return hg_worker();
    char path[4096];
    const settings s = read_options(argc, argv, path, sizeof path);
    const bool prints = s.json == NULL || strcmp(s.json, "-") != 0;
    json_t *report = json_object(), *run = describe_run(&s);
    if (s.torch != NULL)
        add_torch_version(&s, run);
    json_object_set_new(report, "run", run);
    json_object_set_new(report, "percent_others", json_object());
    if (prints)
        print_run(run);
    for (size_t i = 0; i < COUNT(sections); i++) {
        if (sections[i].run != NULL)
            run_section(&s, &sections[i], report);
        if (prints)
            print_section(&sections[i], report);
    }
    if (prints && s.torch == NULL)
        puts("\nPyTorch was not measured: --torch PYTHON names a Python that has it.");
    if (s.json != NULL)
        write_json(&s, report);
    json_decref(report);
    return EXIT_SUCCESS;
}
