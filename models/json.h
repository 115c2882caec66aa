/* Declarations as JSON: what reading and writing them share. */
#ifndef HG_MODELS_JSON_H
#define HG_MODELS_JSON_H

#include "config.h"

#include "models.h"

#include <jansson.h>

/* A kind and its spec: what layers, losses, corruptions and penalties are. */
typedef struct hg_thing {
    const hg_kind *kind;
    const void    *spec;
} hg_thing;

/* Where a message is about: "FILE: encoder layer 2". */
typedef struct hg_json_reader {
    const char *source;
    hg_error   *error;
    char        place[160];
} hg_json_reader;

/* Latches the message and returns false. */
bool        hg_json_refuse(hg_json_reader *r, const char *format, ...) HG_PRINTF(2, 3);
const char *hg_json_type(const json_t *json); /* "an object" */

/* "squared_error", or {"kind": "dense", "units": 32}. The spec, if any, becomes the caller's to free, also on failure. */
bool    hg_read_thing(hg_json_reader *r, json_t *json, const hg_kind *const kinds[], hg_thing *to);
json_t *hg_write_thing(hg_thing from);
/* An array of them into one[0 ... most - 1]. */
bool    hg_read_things(hg_json_reader *r, const json_t *json, const char *name, const hg_kind *const kinds[], size_t most,
                       hg_thing one[]);
json_t *hg_write_things(const hg_thing one[], size_t most);

#endif
