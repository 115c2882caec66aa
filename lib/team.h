/* The threads of a plan. They share work by counters that only go up: who comes late finds nothing left to do and
   follows, and nobody waits for a thread that holds no work. */
#ifndef HG_TEAM_H
#define HG_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t hg_counter;

typedef struct hg_team hg_team;
/* What each thread does in turn 1, 2, 3 ... It may still be called for a turn whose work is done. */
typedef void hg_team_work(void *context, int thread, uint64_t turn);

/* `threads` with the one that calls hg_team_run, which is number 0. `prepare` runs once on each other one. NULL:
   they cannot be had. */
hg_team *hg_team_new(int threads, void (*prepare)(void *context), hg_team_work *work, void *context);
void     hg_team_free(hg_team *team); /* accepts NULL */

/* The next turn; returns when the caller's own share does. */
void hg_team_run(hg_team *team);

/* Adds to a counter, and wakes who waits for it to reach `least`. */
void hg_team_count(hg_team *team, hg_counter *counter, uint64_t more, uint64_t least);
/* Returns when the counter is at least that. */
void hg_team_wait(hg_team *team, const hg_counter *counter, uint64_t least);

#endif
