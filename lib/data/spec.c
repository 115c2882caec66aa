/* Which data a spec names: "digits:count=10000,seed=1" or "images.gz,labels=labels.gz". */
#include "dataset.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COUNT = 10000, DEFAULT_SEED = 1 };

typedef struct spec {
    const char *given;  /* for messages */
    const char *source; /* "digits" or a path */
    const char *labels;
    uint64_t    count, seed;
    hg_error   *error;
} spec;

/* ---- Settings ------------------------------------------------------------------------------------------ */

static bool parse_number(spec *into, const char *key, const char *text, uint64_t least, uint64_t most,
                         uint64_t *number)
{
    char *end;
    errno   = 0;
    *number = strtoull(text, &end, 10);
    if (isdigit((unsigned char)*text) && *end == '\0' && errno == 0 && *number >= least && *number <= most)
        return true;
    hg_fail(into->error, HG_BAD_ARGUMENT, "%s: %s=%s is not a whole number from %llu to %llu", into->given,
            key, text, (unsigned long long)least, (unsigned long long)most);
    return false;
}

static bool set_count(spec *into, const char *value)
{
    return parse_number(into, "count", value, 1, INT64_MAX, &into->count);
}

static bool set_seed(spec *into, const char *value)
{
    return parse_number(into, "seed", value, 0, UINT64_MAX, &into->seed);
}

static bool set_labels(spec *into, const char *value)
{
    if (into->labels) {
        hg_fail(into->error, HG_BAD_ARGUMENT, "%s: two files of labels are given, %s and %s", into->given,
                into->labels, value);
        return false;
    }
    into->labels = value;
    return true;
}

typedef struct setting {
    const char *key;
    bool (*set)(spec *into, const char *value);
} setting;

/* A kind of source, and what may be set: up to three settings, NULL after the last. */
typedef struct source {
    setting     settings[3];
    const char *known; /* the settings' names, for messages */
    void (*fill)(const spec *from, hg_dataset *dataset);
} source;

static void fill_digits(const spec *from, hg_dataset *dataset)
{
    if (from->labels)
        hg_fail(&dataset->error, HG_BAD_ARGUMENT,
                "%s: the digits have labels of their own, so the file %s cannot be theirs", from->given,
                from->labels);
    else
        hg_digits_fill(dataset, (int64_t)from->count, from->seed);
}

static void fill_idx(const spec *from, hg_dataset *dataset)
{
    hg_idx_fill(dataset, from->source);
    if (from->labels && dataset->error.status == HG_OK)
        hg_idx_fill_labels(dataset, from->labels);
}

static const source digits = {
    .settings = { { "count", set_count }, { "seed", set_seed } }, .known = "count and seed", .fill = fill_digits
};
static const source file = { .settings = { { "labels", set_labels } }, .known = "labels", .fill = fill_idx };

/* Where the next ",key=" begins, so that paths may have commas; NULL if there is none. */
static char *next_setting(char *text)
{
    for (char *comma = text; (comma = strchr(comma, ',')); comma++) {
        const size_t key = strspn(comma + 1, "abcdefghijklmnopqrstuvwxyz");
        if (key && comma[1 + key] == '=')
            return comma;
    }
    return NULL;
}

static bool apply_setting(spec *into, const source *kind, char *text)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (const setting *s = kind->settings; s->key && value; s++) {
        if (strcmp(text, s->key) == 0)
            return s->set(into, value);
    }
    hg_fail(into->error, HG_UNKNOWN_NAME,
            "%s: there is no setting \"%s\"; known here: %s, written as key=value", into->given, text,
            kind->known);
    return false;
}

/* text: "key=value,key=value" or NULL; it is taken apart. */
static bool apply_settings(spec *into, const source *kind, char *text)
{
    while (text) {
        char *next = next_setting(text);
        if (next)
            *next++ = '\0';
        if (!apply_setting(into, kind, text))
            return false;
        text = next;
    }
    return true;
}

/* ---- Opening ------------------------------------------------------------------------------------------- */

static void open_source(spec *from, char *text, hg_dataset *dataset)
{
    static const char name[]    = "digits";
    const size_t      length    = strlen(name);
    const bool        is_digits = strncmp(text, name, length) == 0 && (!text[length] || text[length] == ':');
    const source     *kind      = is_digits ? &digits : &file;
    char             *settings  = is_digits ? strchr(text, ':') : next_setting(text);
    if (settings)
        *settings++ = '\0';
    from->source = text;
    if (apply_settings(from, kind, settings))
        kind->fill(from, dataset);
}

hg_dataset *hg_dataset_open(const char *text, const hg_data_options *options)
{
    hg_dataset  *dataset = calloc(1, sizeof *dataset);
    const size_t size    = strlen(text) + 1;
    char        *copy    = malloc(size);
    if (dataset && copy) {
        spec from = { .given  = text,
                      .labels = options ? options->labels : NULL,
                      .count  = DEFAULT_COUNT,
                      .seed   = DEFAULT_SEED,
                      .error  = &dataset->error };
        open_source(&from, memcpy(copy, text, size), dataset);
    } else {
        free(dataset);
        dataset = NULL;
    }
    free(copy);
    return dataset;
}
