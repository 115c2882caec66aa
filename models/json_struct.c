/* Structs as JSON, by the tables of their members. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *hg_member_of(const hg_member *m, const void *of)
{
    return (char *)of + m->field.offset;
}

static bool is_given(const hg_member *m, const void *from)
{
    return m->required || m->type->given(m, from);
}

static bool refuse_memory(const hg_json_reader *r)
{
    hg_fail(r->error, HG_OUT_OF_MEMORY, "out of memory: reading %s", r->source);
    return false;
}

/* Appends a new value, which may be NULL; false with the array gone if memory runs out. */
static bool append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) == 0)
        return true;
    json_decref(array);
    return false;
}

/* ---- Scalars -------------------------------------------------------------------------------------------- */

static bool scalar_given(const hg_member *m, const void *from)
{
    return hg_field_given(&m->field, from);
}

static bool read_scalar(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    return hg_read_field(r, &m->field, json, to);
}

static json_t *write_scalar(const hg_member *m, const void *from)
{
    return hg_write_field(&m->field, from);
}

const hg_member_type hg_scalar_member = { scalar_given, read_scalar, write_scalar, NULL };

/* ---- Texts ---------------------------------------------------------------------------------------------- */

static bool text_given(const hg_member *m, const void *from)
{
    return *(const char **)hg_member_of(m, from) != NULL;
}

static bool read_text(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    char **text = hg_member_of(m, to);
    if (!json_is_string(json) || json_string_length(json) == 0)
        return hg_json_refuse(r, "%s must be a string that is not empty", m->field.name);
    *text = strdup(json_string_value(json));
    return *text != NULL || refuse_memory(r);
}

static json_t *write_text(const hg_member *m, const void *from)
{
    return json_string(*(const char **)hg_member_of(m, from));
}

static void release_text(const hg_member *m, void *from)
{
    free(*(char **)hg_member_of(m, from));
}

const hg_member_type hg_text_member = { text_given, read_text, write_text, release_text };

/* ---- Things --------------------------------------------------------------------------------------------- */

/* Layers, losses ... have the form of an hg_thing, but are types of their own. */
static hg_thing get_thing(const hg_member *m, size_t i, const void *from)
{
    hg_thing one;
    memcpy(&one, (const hg_thing *)hg_member_of(m, from) + i, sizeof one);
    return one;
}

static bool thing_given(const hg_member *m, const void *from)
{
    return get_thing(m, 0, from).kind != NULL;
}

static bool read_one(hg_json_reader *r, const hg_member *m, size_t i, json_t *json, void *to)
{
    hg_thing one = { 0 };
    bool good = hg_read_thing(r, json, m->kinds, &one);
    memcpy((hg_thing *)hg_member_of(m, to) + i, &one, sizeof one);
    return good;
}

static bool read_thing(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    size_t before = hg_json_enter(r, m->field.name, 0);
    bool good = read_one(r, m, 0, json, to);
    hg_json_leave(r, before);
    return good;
}

static json_t *write_thing(const hg_member *m, const void *from)
{
    return hg_write_thing(get_thing(m, 0, from));
}

static void release_thing(const hg_member *m, void *from)
{
    free((void *)get_thing(m, 0, from).spec);
}

const hg_member_type hg_thing_member = { thing_given, read_thing, write_thing, release_thing };

/* ---- Arrays --------------------------------------------------------------------------------------------- */

typedef bool read_element(hg_json_reader *r, const hg_member *m, size_t i, json_t *json, void *to);

static bool read_array(hg_json_reader *r, const hg_member *m, json_t *json, void *to, read_element *read)
{
    bool good = true;
    if (!json_is_array(json))
        return hg_json_refuse(r, "%s must be an array, not %s", m->field.name, hg_json_type(json));
    if (json_array_size(json) > m->most)
        return hg_json_refuse(r, "%s has %zu entries, more than %zu", m->field.name, json_array_size(json), m->most);
    for (size_t i = 0; i < json_array_size(json) && good; i++) {
        size_t before = hg_json_enter(r, m->each, (int)i + 1);
        good = read(r, m, i, json_array_get(json, i), to);
        hg_json_leave(r, before);
    }
    return good;
}

static bool read_things(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    return read_array(r, m, json, to, read_one);
}

static json_t *write_things(const hg_member *m, const void *from)
{
    json_t *array = json_array();
    for (size_t i = 0; i < m->most && get_thing(m, i, from).kind != NULL; i++)
        if (!append(array, hg_write_thing(get_thing(m, i, from))))
            return NULL;
    return array;
}

static void release_things(const hg_member *m, void *from)
{
    for (size_t i = 0; i < m->most; i++)
        free((void *)get_thing(m, i, from).spec);
}

const hg_member_type hg_things_member = { thing_given, read_things, write_things, release_things };

/* ---- Structs -------------------------------------------------------------------------------------------- */

static char *member_names(const hg_member members[], char text[HG_SPEC_TEXT])
{
    size_t used = 0;
    for (*text = '\0'; members->field.name != NULL; members++, used = strlen(text))
        snprintf(text + used, HG_SPEC_TEXT - used, "%s%s", used > 0 ? ", " : "", members->field.name);
    return text;
}

static bool check_names(hg_json_reader *r, const char *what, const hg_member members[], json_t *json)
{
    char names[HG_SPEC_TEXT];
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return hg_json_refuse(r, "%s is an object, not %s", what, hg_json_type(json));
    json_object_foreach(json, name, value)
    {
        const hg_member *m = members;
        while (m->field.name != NULL && strcmp(m->field.name, name) != 0)
            m++;
        if (m->field.name == NULL)
            return hg_json_refuse(r, "\"%.40s\" is not a field of %s (fields: %s)", name, what,
                                  member_names(members, names));
    }
    return true;
}

bool hg_read_struct(hg_json_reader *r, const char *what, const hg_member members[], json_t *json, void *to)
{
    bool good = check_names(r, what, members, json);
    for (const hg_member *m = members; m->field.name != NULL && good; m++) {
        json_t *value = json_object_get(json, m->field.name);
        if (value != NULL)
            good = m->type->read(r, m, value, to);
        else if (m->required)
            good = hg_json_refuse(r, "the field \"%s\" is missing", m->field.name);
    }
    return good;
}

json_t *hg_write_struct(const hg_member members[], const void *from)
{
    json_t *json = json_object();
    for (const hg_member *m = members; m->field.name != NULL; m++)
        if (is_given(m, from) && json_object_set_new(json, m->field.name, m->type->write(m, from)) != 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

void hg_release_struct(const hg_member members[], void *from)
{
    for (const hg_member *m = members; m->field.name != NULL; m++)
        if (m->type->release != NULL)
            m->type->release(m, from);
}

static void *struct_at(const hg_member *m, size_t i, const void *of)
{
    return (char *)hg_member_of(m, of) + i * m->size;
}

/* How many elements there are up to the last that says anything. */
static size_t count_given(const hg_member *m, size_t most, const void *from)
{
    for (size_t count = most; count > 0; count--)
        for (const hg_member *inner = m->members; inner->field.name != NULL; inner++)
            if (is_given(inner, struct_at(m, count - 1, from)))
                return count;
    return 0;
}

static bool struct_given(const hg_member *m, const void *from)
{
    return count_given(m, 1, from) > 0;
}

static bool read_struct_at(hg_json_reader *r, const hg_member *m, size_t i, json_t *json, void *to)
{
    return hg_read_struct(r, m->what, m->members, json, struct_at(m, i, to));
}

/* An object without fields could not be told from none. */
static bool read_struct(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    size_t before = hg_json_enter(r, m->field.name, 0);
    bool good = hg_read_struct(r, m->what, m->members, json, struct_at(m, 0, to));
    hg_json_leave(r, before);
    return good && (struct_given(m, to) || hg_json_refuse(r, "%s says nothing: give it a field, or leave it out", m->field.name));
}

static json_t *write_struct(const hg_member *m, const void *from)
{
    return hg_write_struct(m->members, struct_at(m, 0, from));
}

static void release_struct(const hg_member *m, void *from)
{
    hg_release_struct(m->members, struct_at(m, 0, from));
}

const hg_member_type hg_struct_member = { struct_given, read_struct, write_struct, release_struct };

static bool structs_given(const hg_member *m, const void *from)
{
    return count_given(m, m->most, from) > 0;
}

static bool read_structs(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    return read_array(r, m, json, to, read_struct_at)
           && (structs_given(m, to) || hg_json_refuse(r, "%s says nothing: give it a field, or leave it out", m->field.name));
}

static json_t *write_structs(const hg_member *m, const void *from)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count_given(m, m->most, from); i++)
        if (!append(array, hg_write_struct(m->members, struct_at(m, i, from))))
            return NULL;
    return array;
}

static void release_structs(const hg_member *m, void *from)
{
    for (size_t i = 0; i < m->most; i++)
        hg_release_struct(m->members, struct_at(m, i, from));
}

const hg_member_type hg_structs_member = { structs_given, read_structs, write_structs, release_structs };
