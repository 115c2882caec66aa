/* Rows as a table on standard output. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_WIDTH = 8 };

static bool missed(const column *c, double value, double target)
{
    return c->least ? value < target : value > target;
}

static void print_target(const column *c, const json_t *row, double value)
{
    char text[32] = "";
    const json_t *target = json_object_get(row, c->target);
    if (target != NULL) {
        const double wanted = json_number_value(target) * c->factor;
        snprintf(text, sizeof text, "(%.*f)%s", wanted == floor(wanted) ? 0 : c->digits, wanted,
                 missed(c, value, wanted) ? "*" : "");
    }
    printf(" %-*s", TARGET_WIDTH - 1, text);
}

static void print_cell(const column *c, const json_t *row)
{
    const json_t *member = json_object_get(row, c->member);
    const double value = json_number_value(member) * c->factor;
    if (c->width < 0)
        printf("%*s", c->width, member == NULL ? "" : json_string_value(member));
    else if (member == NULL)
        printf(" %*s", c->width, "-");
    else
        printf(" %*.*f", c->width, c->digits, value);
    if (c->target != NULL && member != NULL)
        print_target(c, row, value);
    else if (c->target != NULL)
        printf("%*s", TARGET_WIDTH, "");
}

/* A column that no row has anything for is left out. */
static bool is_empty(const column *c, const json_t *rows)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row)
        if (json_object_get(row, c->member) != NULL)
            return false;
    return true;
}

void hg_print_section(const section *s, const json_t *rows)
{
    size_t i;
    const json_t *row;
    if (json_array_size(rows) == 0)
        return;
    printf("\n%s\n", s->title);
    for (const column *c = s->columns; c->heading != NULL; c++)
        if (!is_empty(c, rows))
            printf(c->width < 0 ? "%*s" : " %*s%*s", c->width, c->heading,
                   c->target != NULL ? TARGET_WIDTH : 0, "");
    putchar('\n');
    json_array_foreach(rows, i, row)
    {
        for (const column *c = s->columns; c->heading != NULL; c++)
            if (!is_empty(c, rows))
                print_cell(c, row);
        putchar('\n');
    }
    fflush(stdout);
}
