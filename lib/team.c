/* Threads that wait by spinning for about as long as waking takes, and sleep then. Where other programs use the
   processors, a thread that spins on keeps the one away that it waits for. */
#include "config.h"

#include "team.h"

#include <pthread.h>
#include <stdlib.h>

enum { SPINS = 2000 }; /* some 50 microseconds */

typedef struct member {
    hg_team  *team;
    pthread_t thread;
    int       number;
} member;

struct hg_team {
    hg_counter      turn;
    atomic_int      sleeping;
    atomic_bool     over;
    pthread_mutex_t mutex;
    pthread_cond_t  wake;
    hg_team_work   *work;
    void          (*prepare)(void *context);
    void           *context;
    int             members;
    hg_counter      ready; /* members that are prepared */
    member          member[];
};

/* ---- Waiting --------------------------------------------------------------------------------------------- */

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A sleeper is counted before it looks at its counter for the last time, and counters go up before sleepers are
   looked for. */
static void wait_asleep(hg_team *team, const hg_counter *counter, uint64_t least)
{
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleeping, 1);
    while (atomic_load(counter) < least)
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->sleeping, 1);
    pthread_mutex_unlock(&team->mutex);
}

void hg_team_wait(hg_team *team, const hg_counter *counter, uint64_t least)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) >= least)
            return;
        pause_briefly();
    }
    wait_asleep(team, counter, least);
}

void hg_team_count(hg_team *team, hg_counter *counter, uint64_t more, uint64_t least)
{
    if (atomic_fetch_add(counter, more) + more < least || atomic_load(&team->sleeping) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* ---- Threads --------------------------------------------------------------------------------------------- */

static void *live(void *argument)
{
    const member *m = argument;
    hg_team *team = m->team;
    team->prepare(team->context);
    hg_team_count(team, &team->ready, 1, 0);
    for (uint64_t turn = 0;;) {
        hg_team_wait(team, &team->turn, turn + 1);
        turn = atomic_load(&team->turn); /* before `over`, as the end counts a turn too, which is no run */
        if (atomic_load(&team->over))
            return NULL;
        team->work(team->context, m->number, turn);
    }
}

hg_team *hg_team_new(int threads, void (*prepare)(void *context), hg_team_work *work, void *context)
{
    hg_team *team = calloc(1, sizeof *team + (size_t)threads * sizeof *team->member);
    if (team == NULL)
        return NULL;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    team->prepare = prepare;
    team->work = work;
    team->context = context;
    team->members = threads - 1;
    for (int i = 0; i < threads - 1; i++) {
        team->member[i] = (member){ .team = team, .number = i + 1 };
        if (pthread_create(&team->member[i].thread, NULL, live, &team->member[i]) == 0)
            continue;
        team->members = i;
        hg_team_free(team);
        return NULL;
    }
    hg_team_wait(team, &team->ready, (uint64_t)team->members);
    return team;
}

void hg_team_free(hg_team *team)
{
    if (team == NULL)
        return;
    atomic_store(&team->over, true);
    hg_team_count(team, &team->turn, 1, 0);
    for (int i = 0; i < team->members; i++)
        pthread_join(team->member[i].thread, NULL);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    free(team);
}

void hg_team_run(hg_team *team)
{
    hg_team_count(team, &team->turn, 1, 0);
    team->work(team->context, 0, atomic_load(&team->turn));
}
