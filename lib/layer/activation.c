/* Activations and initialisers by name. */
#include <hourglass/math.h>
#include <hourglass/spec.h>

#include <string.h>

hg_tensor *hg_leaky(hg_tensor *x)
{
    return hg_leaky_relu(x, 0.01);
}

hg_tensor *hg_elu_unit(hg_tensor *x)
{
    return hg_elu(x, 1);
}

static const struct {
    const char    *name;
    hg_activation *function;
    bool           rectifier;
} activations[] = {
    { "linear", hg_identity, false }, { "relu", hg_relu, true },         { "leaky_relu", hg_leaky, true },
    { "elu", hg_elu_unit, true },     { "softplus", hg_softplus, true }, { "gelu", hg_gelu, true },
    { "sigmoid", hg_sigmoid, false }, { "tanh", hg_tanh, false },
};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

hg_activation *hg_activation_find(const char *name)
{
    for (size_t i = 0; i < ACTIVATIONS; i++)
        if (strcmp(activations[i].name, name) == 0)
            return activations[i].function;
    return NULL;
}

/* The place of an activation in the table; ACTIVATIONS if it has none. */
static size_t place_of(hg_activation *activation)
{
    size_t i = 0;
    while (i < ACTIVATIONS && activations[i].function != activation)
        i++;
    return activation == NULL ? 0 : i;
}

const char *hg_activation_name(hg_activation *activation)
{
    size_t place = place_of(activation);
    return place < ACTIVATIONS ? activations[place].name : "custom";
}

const char *hg_activation_at(size_t index)
{
    return index < ACTIVATIONS ? activations[index].name : NULL;
}

hg_initializer hg_activation_initializer(hg_activation *activation)
{
    size_t place = place_of(activation);
    return place < ACTIVATIONS && activations[place].rectifier ? hg_he() : hg_xavier();
}

static const struct {
    const char *name;
    double      argument;
} initials[] = {
    [HG_INITIAL_ZEROS] = { "zeros", 0 },   [HG_INITIAL_CONSTANT] = { "constant", 0 },
    [HG_INITIAL_UNIFORM] = { "uniform", 0 }, [HG_INITIAL_NORMAL] = { "normal", 0 },
    [HG_INITIAL_XAVIER] = { "xavier", 1 }, [HG_INITIAL_HE] = { "he", 1 },
    [HG_INITIAL_ORTHOGONAL] = { "orthogonal", 1 },
};
enum { INITIALS = sizeof initials / sizeof *initials };

bool hg_initializer_find(const char *name, hg_initializer *initializer)
{
    for (size_t i = 0; i < INITIALS; i++)
        if (strcmp(initials[i].name, name) == 0) {
            *initializer = (hg_initializer){ (hg_initial)i, initials[i].argument };
            return true;
        }
    return false;
}

const char *hg_initializer_name(hg_initial kind)
{
    return (size_t)kind < INITIALS ? initials[kind].name : "unknown";
}
