/* Teams: turns, counters, and threads that come late. */
#include "config.h"

#include "team.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 7, MOST_THREADS = 8, TURNS = 2000 };

/* Each turn, the threads take tasks from one counter, and wait for all of them to be done. */
typedef struct crowd {
    hg_team    *team;
    hg_counter  taken, done, prepared;
    long        result[TASKS]; /* of one task, written by whoever takes it */
    hg_counter  gate;          /* threads but the caller's wait for it before they begin */
    uint64_t    opens;
    hg_counter  wrong;         /* a turn was left before its tasks were done */
} crowd;

static void prepare(void *context)
{
    crowd *c = context;
    atomic_fetch_add(&c->prepared, 1);
}

static void work(void *context, int thread, uint64_t turn)
{
    crowd *c = context;
    uint64_t taken = atomic_load(&c->taken);
    if (thread > 0)
        hg_team_wait(c->team, &c->gate, c->opens);
    while (taken < turn * TASKS)
        if (atomic_compare_exchange_weak(&c->taken, &taken, taken + 1)) {
            c->result[taken % TASKS]++;
            hg_team_count(c->team, &c->done, 1, turn * TASKS);
        }
    hg_team_wait(c->team, &c->done, turn * TASKS);
    if (atomic_load(&c->done) < turn * TASKS)
        atomic_fetch_add(&c->wrong, 1);
}

static void run_turns(crowd *c, int turns)
{
    for (int i = 0; i < turns; i++)
        hg_team_run(c->team);
}

static void expect_done(const crowd *c, long turns)
{
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(c->result[i], turns);
    assert_int_equal(c->wrong, 0);
}

static void every_task_is_done_once_a_turn(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        crowd c = { 0 };
        c.team = hg_team_new(threads, prepare, work, &c);
        assert_non_null(c.team);
        assert_int_equal(c.prepared, threads - 1);
        run_turns(&c, TURNS);
        expect_done(&c, TURNS);
        hg_team_free(c.team);
    }
}

static void sleepers_are_woken(void **state)
{
    (void)state;
    crowd c = { 0 };
    c.team = hg_team_new(3, prepare, work, &c);
    for (int i = 0; i < 20; i++) {
        usleep(2000); /* long enough for the others to fall asleep */
        run_turns(&c, 1);
    }
    expect_done(&c, 20);
    hg_team_free(c.team);
}

/* Threads that never get a processor: the caller does all tasks. */
static void nobody_waits_for_who_holds_no_task(void **state)
{
    (void)state;
    crowd c = { .opens = 1 };
    c.team = hg_team_new(3, prepare, work, &c);
    run_turns(&c, TURNS);
    expect_done(&c, TURNS);
    hg_team_count(c.team, &c.gate, 1, 1); /* now they come, and find nothing */
    run_turns(&c, TURNS);
    expect_done(&c, 2 * TURNS);
    hg_team_free(c.team);
}

static void an_idle_team_ends(void **state)
{
    (void)state;
    crowd c = { 0 };
    for (int i = 0; i < 50; i++)
        hg_team_free(hg_team_new(4, prepare, work, &c));
    hg_team_free(NULL);
}

/* A thread may come to the last turn only when the team is over. */
static void a_team_ends_after_its_turn(void **state)
{
    (void)state;
    alarm(60); /* instead of waiting for a thread that waits for a turn */
    for (int i = 0; i < TURNS; i++) {
        crowd c = { 0 };
        c.team = hg_team_new(4, prepare, work, &c);
        run_turns(&c, 1);
        hg_team_free(c.team);
        expect_done(&c, 1);
    }
    alarm(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_done_once_a_turn),
        cmocka_unit_test(sleepers_are_woken),
        cmocka_unit_test(nobody_waits_for_who_holds_no_task),
        cmocka_unit_test(an_idle_team_ends),
        cmocka_unit_test(a_team_ends_after_its_turn),
    };
    return cmocka_run_group_tests_name("team", tests, NULL, NULL);
}
