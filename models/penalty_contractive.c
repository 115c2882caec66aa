/* Contractive penalties: on the Jacobian of the code by the input (T8), and on its change nearby (T19). */
#include "models.h"

/* Of which code by which input. */
typedef struct point {
    hg_tensor *code, *x;
} point;

/* How the Jacobians of one penalty are taken, the same for all of them. */
typedef struct manner {
    hg_tensor *directions; /* NULL: closed form */
    int64_t    count;
    double     share; /* of a direction in the sum */
} manner;

static manner choose(const hg_parts *parts, point at, int64_t samples)
{
    hg_jacobian jacobian;
    if (samples > 0)
        return (manner){ hg_random_directions(at.code, parts->step, samples), samples, 1.0 / (double)samples };
    if (hg_jacobian_closed(at.code, at.x, &jacobian))
        return (manner){ .share = 1 };
    hg_shape sample = hg_sample_shape(at.code);
    return (manner){ hg_unit_directions(at.code), hg_shape_count(&sample, 1), 1 };
}

static bool take(const manner *m, point at, hg_jacobian *jacobian)
{
    return m->count == 0 ? hg_jacobian_closed(at.code, at.x, jacobian)
                         : hg_jacobian_along(at.code, at.x, m->directions, m->count, jacobian);
}

/* The entries' squares, weighted and summed, as a mean over the batch. */
static hg_tensor *square(const manner *m, const hg_jacobian *jacobian, hg_tensor *x)
{
    hg_tensor *squares = hg_square(jacobian->entries);
    if (jacobian->weights != NULL)
        squares = hg_mul(jacobian->weights, squares);
    return hg_scale(hg_div(hg_sum(squares, HG_ALL_AXES), hg_count(x, hg_last_axis(x))), m->share);
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
