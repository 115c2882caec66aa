/* Processes that measure on request: their start, and talk with them. */
#define _POSIX_C_SOURCE 200809L /* posix_spawn, setenv */

#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct peer {
    pid_t       process;
    const char *name;
    FILE       *to, *from;
};

extern char **environ;

/* A pipe that no process inherits, but as its input or output: one that is held open elsewhere never ends. */
static void make_pipe(int ends[2], const char *name)
{
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) < 0)
        hg_quit("%s: no pipe can be made", name);
}

static void spawn(peer *p, char *const command[])
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    make_pipe(in, command[0]);
    make_pipe(out, command[0]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (posix_spawnp(&p->process, command[0], &actions, NULL, command, environ) != 0)
        hg_quit("%s: cannot be started", command[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
}

peer *hg_peer_new(const settings *s, int threads, bool torch)
{
    char count[16];
    peer *p = calloc(1, sizeof *p);
    if (p == NULL)
        hg_quit("out of memory: a process");
    snprintf(count, sizeof count, "%d", threads);
    setenv("OMP_NUM_THREADS", count, 1);
    signal(SIGPIPE, SIG_IGN); /* a process that has died is told by its missing answer */
    p->name = torch ? s->torch : "the worker";
    if (torch)
        spawn(p, (char *[]){ (char *)s->torch, BENCH_TORCH_PEER, NULL });
    else
        spawn(p, (char *[]){ "/proc/self/exe", "--worker", NULL });
    return p;
}

void hg_peer_free(peer *p)
{
    if (p == NULL)
        return;
    fclose(p->to);
    fclose(p->from);
    waitpid(p->process, NULL, 0);
    free(p);
}

json_t *hg_peer_ask(peer *p, json_t *request)
{
    char *line = NULL;
    size_t room = 0;
    json_dumpf(request, p->to, JSON_COMPACT);
    fputc('\n', p->to);
    fflush(p->to);
    json_decref(request);
    if (getline(&line, &room, p->from) <= 0)
        hg_quit("%s ended without an answer", p->name);
    json_t *said = json_loads(line, 0, NULL);
    if (said == NULL)
        hg_quit("%s said what is no JSON: %s", p->name, line);
    free(line);
    const char *error = json_string_value(json_object_get(said, "error"));
    if (error != NULL)
        hg_quit("%s: %s", p->name, error);
    return said;
}
