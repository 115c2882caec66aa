/* Walks over graphs. */
#include "models.h"

#include <stdlib.h>

/* ---- Maps: open addressing, the room a power of two ------------------------------------------------------ */

static size_t place_of(const hg_tensor_map *map, const hg_tensor *from)
{
    size_t i = ((size_t)(uintptr_t)from >> 6) & (map->room - 1);
    while (map->at[i].from != NULL && map->at[i].from != from)
        i = (i + 1) & (map->room - 1);
    return i;
}

static bool grow(hg_tensor_map *map)
{
    hg_tensor_map larger = { .count = map->count, .room = map->room == 0 ? 64 : 2 * map->room };
    larger.at = calloc(larger.room, sizeof *larger.at);
    if (larger.at == NULL)
        return false;
    for (size_t i = 0; i < map->room; i++)
        if (map->at[i].from != NULL)
            larger.at[place_of(&larger, map->at[i].from)] = map->at[i];
    free(map->at);
    *map = larger;
    return true;
}

bool hg_map_find(const hg_tensor_map *map, const hg_tensor *from, hg_tensor **to)
{
    if (map->room == 0)
        return false;
    const struct hg_tensor_pair *pair = &map->at[place_of(map, from)];
    *to = pair->to;
    return pair->from != NULL;
}

hg_tensor *hg_map_add(hg_tensor_map *map, const hg_tensor *from, hg_tensor *to)
{
    if (2 * map->count >= map->room && !grow(map))
        return hg_graph_fail(hg_tensor_graph(from), HG_OUT_OF_MEMORY, "out of memory: a walk over the graph");
    map->at[place_of(map, from)] = (struct hg_tensor_pair){ from, to };
    map->count++;
    return to;
}

void hg_map_clear(hg_tensor_map *map)
{
    free(map->at);
    *map = (hg_tensor_map){ 0 };
}

/* ---- Dependence ------------------------------------------------------------------------------------------ */

bool hg_depends_on(hg_tensor *y, const hg_tensor *x, hg_tensor_map *map)
{
    hg_tensor *known;
    if (y == x)
        return true;
    if (hg_map_find(map, y, &known))
        return known != NULL;
    bool depends = false;
    for (int i = 0; i < hg_tensor_inputs(y) && !depends; i++)
        depends = hg_depends_on(hg_tensor_input(y, i), x, map);
    hg_map_add(map, y, depends ? y : NULL);
    return depends;
}

/* ---- Substitution ---------------------------------------------------------------------------------------- */

static hg_tensor *replace(hg_tensor_map *map, hg_tensor *t)
{
    hg_tensor *result = NULL;
    if (hg_map_find(map, t, &result))
        return result;
    int inputs = hg_tensor_inputs(t);
    bool changed = false;
    hg_tensor **input = calloc((size_t)inputs + 1, sizeof *input);
    if (input == NULL)
        return hg_graph_fail(hg_tensor_graph(t), HG_OUT_OF_MEMORY, "out of memory: a copy of a part of the graph");
    for (int i = 0; i < inputs; i++) {
        input[i] = replace(map, hg_tensor_input(t, i));
        if (input[i] == NULL)
            goto done;
        changed = changed || input[i] != hg_tensor_input(t, i);
    }
    result = changed ? hg_apply(hg_tensor_op(t), inputs, input, hg_tensor_attr(t)) : t;
    if (result != NULL)
        result = hg_map_add(map, t, result);
done:
    free(input);
    return result;
}

hg_tensor *hg_substitute(hg_tensor *y, hg_tensor *x, hg_tensor *by)
{
    hg_tensor_map map = { 0 };
    if (y == NULL || x == NULL || by == NULL)
        return NULL;
    hg_tensor *result = hg_map_add(&map, x, by) == NULL ? NULL : replace(&map, y);
    hg_map_clear(&map);
    return result;
}
