/* What the machine can do, and how long the command takes from its start to its end. */
#define _POSIX_C_SOURCE 200809L /* posix_spawn */

#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

/* ---- The machine --------------------------------------------------------------------------------------- */

static void add_figure(const settings *s, json_t *rows, const char *name, double (*measure)(int threads))
{
    int counts[MOST_THREAD_COUNTS];
    double values[64];
    if (!hg_selected(s, "machine", name))
        return;
    const int thread_counts = hg_thread_counts(s, counts), rounds = s->rounds < 64 ? s->rounds : 64;
    for (int i = 0; i < thread_counts; i++) {
        for (int round = 0; round < rounds; round++)
            values[round] = measure(counts[i]);
        json_array_append_new(rows, json_pack("{ss,si,sf}", "name", name, "threads", counts[i], "per_second",
                                              hg_median(rounds, values)));
    }
}

void hg_measure_machine(const settings *s, json_t *rows)
{
    add_figure(s, rows, "multiply-adds in registers, f32: operations", hg_fma_peak);
    add_figure(s, rows, "copies in memory: bytes read and written", hg_copy_bandwidth);
}

/* ---- The command --------------------------------------------------------------------------------------- */

/* Seconds of a whole process whose output nobody sees. */
static double time_process(char *const command[])
{
    pid_t process;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const double start = hg_seconds();
    if (posix_spawnp(&process, command[0], &actions, NULL, command, environ) != 0
        || waitpid(process, &status, 0) < 0 || status != 0)
        hg_quit("%s %s: cannot be run", command[0], command[1]);
    posix_spawn_file_actions_destroy(&actions);
    return hg_seconds() - start;
}

static void add_command(const settings *s, json_t *rows, const char *name, char *const command[])
{
    double values[64];
    const int rounds = s->rounds < 64 ? s->rounds : 64;
    if (!hg_selected(s, "start", name))
        return;
    time_process(command); /* reads its files */
    for (int round = 0; round < rounds; round++)
        values[round] = time_process(command);
    json_array_append_new(rows, json_pack("{ss,sf}", "name", name, "seconds", hg_median(rounds, values)));
}

void hg_measure_start(const settings *s, json_t *rows)
{
    char *hourglass = (char *)s->command, *python = (char *)s->torch;
    add_command(s, rows, "hourglass --version", (char *[]){ hourglass, "--version", NULL });
    add_command(s, rows, "hourglass show deep", (char *[]){ hourglass, "show", "deep", NULL });
    if (python != NULL)
        add_command(s, rows, "python -c 'import torch'", (char *[]){ python, "-c", "import torch", NULL });
}
