/* One tensor in the place of another: a part of a graph applied to something else, with the same parameters. */
#include "models.h"

#include <stdlib.h>

typedef struct replacement {
    hg_tensor *from, *to;
} replacement;

typedef struct replacements {
    replacement *at;
    size_t       count, room;
} replacements;

static hg_tensor *remember(replacements *list, hg_tensor *from, hg_tensor *to)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        replacement *at = realloc(list->at, room * sizeof *at);
        if (at == NULL)
            return hg_graph_fail(hg_tensor_graph(from), HG_OUT_OF_MEMORY, "out of memory: a copy of a part of the graph");
        list->at = at;
        list->room = room;
    }
    list->at[list->count++] = (replacement){ from, to };
    return to;
}

static hg_tensor *replace(replacements *list, hg_tensor *t)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].from == t)
            return list->at[i].to;
    int inputs = hg_tensor_inputs(t);
    bool changed = false;
    hg_tensor **input = calloc((size_t)inputs + 1, sizeof *input), *result = NULL;
    if (input == NULL)
        return hg_graph_fail(hg_tensor_graph(t), HG_OUT_OF_MEMORY, "out of memory: a copy of a part of the graph");
    for (int i = 0; i < inputs; i++) {
        input[i] = replace(list, hg_tensor_input(t, i));
        if (input[i] == NULL)
            goto done;
        changed = changed || input[i] != hg_tensor_input(t, i);
    }
    result = changed ? hg_apply(hg_tensor_op(t), inputs, input, hg_tensor_attr(t)) : t;
    if (result != NULL)
        result = remember(list, t, result);
done:
    free(input);
    return result;
}

hg_tensor *hg_substitute(hg_tensor *y, hg_tensor *x, hg_tensor *by)
{
    replacements list = { 0 };
    if (y == NULL || x == NULL || by == NULL)
        return NULL;
    hg_tensor *result = remember(&list, x, by) == NULL ? NULL : replace(&list, y);
    free(list.at);
    return result;
}
