/* Schedules of the rate. */
#include <hourglass/schedule.h>

#include <math.h>
#include <stdio.h>

/* Steps done before this one. */
static double steps_done(const hg_training_time *time)
{
    return (double)(time->epoch - 1) * (double)time->steps + (double)(time->step - 1);
}

/* ---- Constant ------------------------------------------------------------------------------------------- */

static double constant_factor(const void *spec, const hg_training_time *time, const double memory[HG_SCHEDULE_MEMORY])
{
    (void)spec;
    (void)time;
    (void)memory;
    return 1;
}

const hg_schedule_kind hg_constant_schedule = { .kind = { .name = "constant" }, .factor = constant_factor };

/* ---- Step ----------------------------------------------------------------------------------------------- */

static double step_factor(const void *attributes, const hg_training_time *time,
                          const double memory[HG_SCHEDULE_MEMORY])
{
    const hg_step_schedule_spec *spec = attributes;
    (void)memory;
    return pow(spec->factor, (double)((time->epoch - 1) / spec->every));
}

const hg_schedule_kind hg_step_schedule = {
    .kind = { "step", sizeof(hg_step_schedule_spec),
              (const hg_field[]){ HG_INT_FIELD(hg_step_schedule_spec, every, "[1, inf)", 0),
                                  HG_NUMBER_FIELD(hg_step_schedule_spec, factor, "(0, 1)", 0.1),
                                  { 0 } } },
    .factor = step_factor,
};

/* ---- Cosine --------------------------------------------------------------------------------------------- */

static double cosine_factor(const void *attributes, const hg_training_time *time,
                            const double memory[HG_SCHEDULE_MEMORY])
{
    const hg_cosine_spec *spec = attributes;
    const double pi = 3.14159265358979323846;
    double done = steps_done(time) / ((double)time->epochs * (double)time->steps);
    (void)memory;
    return spec->floor + (1 - spec->floor) * (1 + cos(pi * done)) / 2;
}

const hg_schedule_kind hg_cosine_schedule = {
    .kind = { "cosine", sizeof(hg_cosine_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_cosine_spec, floor, "[0, 1)", 0), { 0 } } },
    .factor = cosine_factor,
};

/* ---- Reduce on plateau ---------------------------------------------------------------------------------- */

enum { OBSERVED, LOWEST, WAITED, REDUCED }; /* places in the memory: epochs, a loss, epochs, times */

static double plateau_factor(const void *attributes, const hg_training_time *time,
                             const double memory[HG_SCHEDULE_MEMORY])
{
    const hg_plateau_spec *spec = attributes;
    (void)time;
    return fmax(spec->floor, pow(spec->factor, memory[REDUCED]));
}

static void plateau_observe(const void *attributes, double loss, double memory[HG_SCHEDULE_MEMORY])
{
    const hg_plateau_spec *spec = attributes;
    bool lower = memory[OBSERVED] == 0 || loss < memory[LOWEST] - spec->threshold * fabs(memory[LOWEST]);
    memory[OBSERVED]++;
    memory[WAITED] = lower ? 0 : memory[WAITED] + 1;
    if (lower)
        memory[LOWEST] = loss;
    if (memory[WAITED] < (double)spec->patience)
        return;
    memory[REDUCED]++;
    memory[WAITED] = 0;
}

const hg_schedule_kind hg_plateau_schedule = {
    .kind = { "plateau", sizeof(hg_plateau_spec),
              (const hg_field[]){ HG_INT_FIELD(hg_plateau_spec, patience, "[1, inf)", 10),
                                  HG_NUMBER_FIELD(hg_plateau_spec, factor, "(0, 1)", 0.1),
                                  HG_NUMBER_FIELD(hg_plateau_spec, threshold, "(0, 1)", 1e-4),
                                  HG_NUMBER_FIELD(hg_plateau_spec, floor, "[0, 1)", 0),
                                  { 0 } } },
    .factor = plateau_factor,
    .observe = plateau_observe,
};

const hg_kind *const hg_schedule_kinds[] = {
    &hg_constant_schedule.kind,
    &hg_step_schedule.kind,
    &hg_cosine_schedule.kind,
    &hg_plateau_schedule.kind,
    NULL,
};

/* ---- A schedule at work --------------------------------------------------------------------------------- */

hg_status hg_scheduler_start(hg_scheduler *scheduler, hg_schedule schedule, double warm_up, hg_error *error)
{
    char place[64];
    *scheduler = (hg_scheduler){ .kind = schedule.kind != NULL ? schedule.kind : &hg_constant_schedule,
                                 .warm_up = warm_up };
    snprintf(place, sizeof place, "schedule %s", scheduler->kind->kind.name);
    if (!hg_in_range(warm_up, "[0, inf)"))
        return hg_fail(error, HG_BAD_ARGUMENT, "%s: warm_up is %g epochs, but must be in [0, inf)", place, warm_up);
    return hg_spec_resolve(&scheduler->kind->kind, schedule.spec, scheduler->spec.bytes, place, error);
}

double hg_scheduler_factor(const hg_scheduler *scheduler, const hg_training_time *time)
{
    double factor = scheduler->kind->factor(scheduler->spec.bytes, time, scheduler->memory);
    double warm_up_steps = scheduler->warm_up * (double)time->steps, step = steps_done(time) + 1;
    return step < warm_up_steps ? factor * step / warm_up_steps : factor;
}

void hg_scheduler_observe(hg_scheduler *scheduler, double loss)
{
    if (scheduler->kind->observe != NULL)
        scheduler->kind->observe(scheduler->spec.bytes, loss, scheduler->memory);
}
