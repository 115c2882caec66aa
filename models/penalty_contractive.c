/* Contractive penalties: on the Jacobian of the code by the input (T8), and on its change nearby (T19). */
#include "models.h"

/* Of which code by which input. */
typedef struct point {
    hg_tensor *code, *x;
} point;

/* How the Jacobians of one penalty are taken, the same for all of them: along random directions, or none: exactly. */
typedef struct manner {
    hg_tensor *directions;
    int64_t    count;
} manner;

static manner choose(const hg_parts *parts, point at, int64_t samples)
{
    return (manner){ samples > 0 ? hg_random_directions(at.code, parts->step, samples) : NULL, samples };
}

static bool take(const manner *m, point at, hg_jacobian *jacobian)
{
    return m->count == 0 ? hg_jacobian_exact(at.code, at.x, jacobian)
                         : hg_jacobian_along(at.code, at.x, m->directions, m->count, jacobian);
}

/* As a mean over the batch and the directions. */
static hg_tensor *square(const manner *m, const hg_jacobian *jacobian, hg_tensor *x)
{
    hg_tensor *mean = hg_div(hg_jacobian_square(jacobian), hg_count(x, hg_last_axis(x)));
    return m->count == 0 ? mean : hg_scale(mean, 1.0 / (double)m->count);
}

static hg_tensor *contractive(hg_parts *parts, const void *attributes)
{
    const hg_contractive_spec *spec = attributes;
    hg_jacobian jacobian;
    point at = { parts->apart, parts->penalised };
    if (at.code == NULL || at.x == NULL)
        return NULL;
    manner m = choose(parts, at, spec->samples);
    return take(&m, at, &jacobian) ? hg_scale(square(&m, &jacobian, at.x), spec->gamma) : NULL;
}

const hg_penalty_kind hg_contractive_penalty = {
    .kind = { "contractive", sizeof(hg_contractive_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_contractive_spec, gamma, "[0, inf)", 0),
                                  HG_INT_FIELD(hg_contractive_spec, samples, "[0, inf)", 0),
                                  { 0 } } },
    .apart = true,
    .apply = contractive,
};

/* ---- Nearby --------------------------------------------------------------------------------------------- */

static point move(const hg_parts *parts, point at, double deviation)
{
    hg_tensor *noise = hg_random_normal(parts->step, "nearby", *hg_tensor_shape(at.x));
    hg_tensor *x = hg_add(at.x, hg_scale(noise, deviation));
    return (point){ hg_substitute(at.code, at.x, x), x };
}

static hg_tensor *contractive_higher(hg_parts *parts, const void *attributes)
{
    const hg_contractive_higher_spec *spec = attributes;
    hg_jacobian here, there;
    point at = { parts->apart, parts->penalised };
    if (at.code == NULL || at.x == NULL)
        return NULL;
    point near = move(parts, at, spec->deviation);
    manner m = choose(parts, at, spec->samples);
    if (near.code == NULL || !take(&m, at, &here) || !take(&m, near, &there))
        return NULL;
    here.entries = hg_sub(here.entries, there.entries);
    return hg_scale(square(&m, &here, at.x), spec->gamma);
}

const hg_penalty_kind hg_contractive_higher_penalty = {
    .kind = { "contractive_higher", sizeof(hg_contractive_higher_spec),
              (const hg_field[]){ HG_NUMBER_FIELD(hg_contractive_higher_spec, gamma, "[0, inf)", 0),
                                  HG_NUMBER_FIELD(hg_contractive_higher_spec, deviation, "(0, inf)", 0.1),
                                  HG_INT_FIELD(hg_contractive_higher_spec, samples, "[0, inf)", 0),
                                  { 0 } } },
    .apart = true,
    .apply = contractive_higher,
};
