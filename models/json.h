/* Declarations as JSON: structs by tables of their members. */
#ifndef HG_MODELS_JSON_H
#define HG_MODELS_JSON_H

#include "config.h"

#include "models.h"

#include <jansson.h>

/* A kind and its spec: what layers, losses, corruptions, penalties, optimisers and schedules are. */
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
/* Adds to the place; what is returned leads back. */
size_t hg_json_enter(hg_json_reader *r, const char *name, int number); /* number 0: none */
void   hg_json_leave(hg_json_reader *r, size_t before);

/* ---- Kinds and specs -------------------------------------------------------------------------------------- */

/* "squared_error", or {"kind": "dense", "units": 32}. The spec, if any, becomes the caller's to free, also on failure. */
bool    hg_read_thing(hg_json_reader *r, json_t *json, const hg_kind *const kinds[], hg_thing *to);
json_t *hg_write_thing(hg_thing from); /* NULL: memory ran out */

/* One field of a spec. */
bool    hg_read_field(hg_json_reader *r, const hg_field *field, const json_t *json, void *spec);
json_t *hg_write_field(const hg_field *field, const void *spec);

/* ---- Structs ---------------------------------------------------------------------------------------------- */

typedef struct hg_member hg_member;

/* All get the struct. */
typedef struct hg_member_type {
    bool (*given)(const hg_member *m, const void *from); /* whether it is not at its default */
    bool (*read)(hg_json_reader *r, const hg_member *m, json_t *json, void *to);
    json_t *(*write)(const hg_member *m, const void *from); /* NULL: memory ran out */
    void (*release)(const hg_member *m, void *from); /* frees what it owns; NULL: nothing */
} hg_member_type;

struct hg_member {
    hg_field              field; /* its name and place; of scalars all */
    const hg_member_type *type;
    bool                  required;
    const hg_kind *const *kinds;   /* of things */
    const char           *each;    /* of an array: what messages call an element */
    size_t                most;    /* and how many there may be */
    const char           *what;    /* what messages call a struct */
    const hg_member      *members; /* of a struct, or of an array of them; ends without a name */
    size_t                size;    /* of that struct */
};

extern const hg_member_type hg_scalar_member, /* what hg_field describes */
    hg_text_member,                           /* const char *, its own */
    hg_thing_member, hg_things_member,        /* a kind and a spec; an array of them */
    hg_struct_member, hg_structs_member;      /* an object; an array of them, those at their defaults at the end left out */

void *hg_member_of(const hg_member *m, const void *of); /* where it is */

/* `what` is what messages call it: "an autoencoder". */
bool    hg_read_struct(hg_json_reader *r, const char *what, const hg_member members[], json_t *json, void *to);
json_t *hg_write_struct(const hg_member members[], const void *from);
void    hg_release_struct(const hg_member members[], void *from);

#endif
