/* Kinds and their specs as JSON, by the tables of their fields. */
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool hg_json_refuse(hg_json_reader *r, const char *format, ...)
{
    char text[HG_ERROR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hg_fail(r->error, HG_BAD_FILE, "%s: %s%s%s", r->source, r->place, *r->place != '\0' ? ": " : "", text);
    return false;
}

const char *hg_json_type(const json_t *json)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null",
    };
    return names[json_typeof(json)];
}

size_t hg_json_enter(hg_json_reader *r, const char *name, int number)
{
    char of[16] = "";
    size_t before = strlen(r->place);
    if (number > 0)
        snprintf(of, sizeof of, " %d", number);
    snprintf(r->place + before, sizeof r->place - before, "%s%s%s", before > 0 ? ": " : "", name, of);
    return before;
}

void hg_json_leave(hg_json_reader *r, size_t before)
{
    r->place[before] = '\0';
}

/* ---- The fields of a spec ------------------------------------------------------------------------------- */

static const char *read_integer(const json_t *json, void *to)
{
    *(int64_t *)to = json_integer_value(json);
    return json_is_integer(json) ? NULL : "an integer";
}

static const char *read_number(const json_t *json, void *to)
{
    *(double *)to = json_number_value(json);
    return json_is_number(json) ? NULL : "a number";
}

static const char *read_boolean(const json_t *json, void *to)
{
    *(bool *)to = json_is_true(json);
    return json_is_boolean(json) ? NULL : "true or false";
}

static const char *read_activation(const json_t *json, void *to)
{
    *(hg_activation **)to = json_is_string(json) ? hg_activation_find(json_string_value(json)) : NULL;
    return *(hg_activation **)to != NULL ? NULL : "the name of an activation";
}

/* "xavier", or ["uniform", 0.025]. */
static const char *read_initializer(const json_t *json, void *to)
{
    hg_initializer *initializer = to;
    const json_t *name = json_is_array(json) && json_array_size(json) == 2 ? json_array_get(json, 0) : json;
    const json_t *argument = name != json ? json_array_get(json, 1) : NULL;
    bool known = json_is_string(name) && hg_initializer_find(json_string_value(name), initializer);
    if (!known || (argument != NULL && !json_is_number(argument)))
        return "the name of an initialiser, or [name, number]";
    if (argument != NULL)
        initializer->a = json_number_value(argument);
    return NULL;
}

/* Reads integers into a list; false if they are not `least` to `most` integers. */
static bool read_list(const json_t *json, size_t least, size_t most, int64_t to[])
{
    size_t length = json_array_size(json);
    for (size_t i = 0; i < length && i < most; i++)
        to[i] = json_integer_value(json_array_get(json, i));
    bool integers = length >= least && length <= most;
    for (size_t i = 0; i < length; i++)
        integers = integers && json_is_integer(json_array_get(json, i));
    return integers;
}

static const char *read_pair(const json_t *json, void *to)
{
    return read_list(json, 2, 2, to) ? NULL : "an array of two integers";
}

static const char *read_shape(const json_t *json, void *to)
{
    return read_list(json, 1, HG_MAX_RANK - 1, to) ? NULL : "an array of 1 to 7 integers";
}

/* Its text is set by hg_field_set. */
static const char *read_choice(const json_t *json, void *to)
{
    (void)to;
    return json_is_string(json) ? NULL : "a name";
}

static json_t *write_integer(const hg_field *field, const void *from)
{
    (void)field;
    return json_integer(*(const int64_t *)from);
}

static json_t *write_number(const hg_field *field, const void *from)
{
    (void)field;
    return json_real(*(const double *)from);
}

static json_t *write_boolean(const hg_field *field, const void *from)
{
    (void)field;
    return json_boolean(*(const bool *)from);
}

static json_t *write_activation(const hg_field *field, const void *from)
{
    (void)field;
    return json_string(hg_activation_name(*(hg_activation *const *)from));
}

static json_t *write_initializer(const hg_field *field, const void *from)
{
    (void)field;
    const hg_initializer *initializer = from;
    return json_pack("[s, f]", hg_initializer_name(initializer->kind), initializer->a);
}

static json_t *write_list(const int64_t list[], size_t length)
{
    json_t *array = json_array();
    for (size_t i = 0; i < length; i++)
        if (json_array_append_new(array, json_integer(list[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *write_pair(const hg_field *field, const void *from)
{
    (void)field;
    return write_list(from, 2);
}

static json_t *write_shape(const hg_field *field, const void *from)
{
    const int64_t *dim = from;
    size_t rank = 0;
    (void)field;
    while (rank < HG_MAX_RANK - 1 && dim[rank] != 0)
        rank++;
    return write_list(dim, rank);
}

static json_t *write_choice(const hg_field *field, const void *from)
{
    return json_string(field->choice[*(const unsigned *)from]);
}

/* read: what was expected, or NULL if it was found. */
static const struct {
    const char *(*read)(const json_t *json, void *to);
    json_t *(*write)(const hg_field *field, const void *from);
} field_types[HG_FIELD_TYPES] = {
    [HG_FIELD_INT] = { read_integer, write_integer },
    [HG_FIELD_NUMBER] = { read_number, write_number },
    [HG_FIELD_BOOL] = { read_boolean, write_boolean },
    [HG_FIELD_ACTIVATION] = { read_activation, write_activation },
    [HG_FIELD_INITIALIZER] = { read_initializer, write_initializer },
    [HG_FIELD_PAIR] = { read_pair, write_pair },
    [HG_FIELD_SHAPE] = { read_shape, write_shape },
    [HG_FIELD_CHOICE] = { read_choice, write_choice },
};

static bool numbers_in_range(const hg_field *field, const json_t *json)
{
    bool good = !json_is_number(json) || hg_in_range(json_number_value(json), field->range);
    for (size_t i = 0; i < json_array_size(json); i++)
        good = good && numbers_in_range(field, json_array_get(json, i));
    return good;
}

/* A field that text can set, as the command sets it. */
static bool read_text_field(hg_json_reader *r, const hg_field *field, const char *text, void *spec)
{
    hg_error error = { 0 };
    return hg_field_set(field, spec, text, "", &error) == HG_OK || hg_json_refuse(r, "%s", error.text);
}

bool hg_read_field(hg_json_reader *r, const hg_field *field, const json_t *json, void *spec)
{
    const char *expected = field_types[field->type].read(json, (char *)spec + field->offset);
    const char *text = json_string_value(json);
    if (expected != NULL && field->type == HG_FIELD_ACTIVATION && text != NULL && strcmp(text, "custom") == 0)
        return hg_json_refuse(r, "%s is a function of the program that saved it, so the declaration is needed to open it",
                      field->name);
    if (expected != NULL && text != NULL)
        return hg_json_refuse(r, "%s must be %s, not \"%.40s\"", field->name, expected, text);
    if (expected != NULL)
        return hg_json_refuse(r, "%s must be %s, not %s", field->name, expected, hg_json_type(json));
    if (field->type == HG_FIELD_CHOICE)
        return read_text_field(r, field, text, spec);
    if (numbers_in_range(field, json))
        return true;
    if (json_is_number(json))
        return hg_json_refuse(r, "%s is %.9g, but must be in %s", field->name, json_number_value(json), field->range);
    return hg_json_refuse(r, "%s: all must be in %s", field->name, field->range);
}

json_t *hg_write_field(const hg_field *field, const void *spec)
{
    return field_types[field->type].write(field, (const char *)spec + field->offset);
}

/* ---- Layers, losses, penalties -------------------------------------------------------------------------- */

static bool read_fields(hg_json_reader *r, json_t *json, const hg_kind *kind, void *spec)
{
    char names[HG_SPEC_TEXT];
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        const hg_field *field = hg_field_find(kind, name);
        if (strcmp(name, "kind") == 0)
            continue;
        if (field == NULL)
            return hg_json_refuse(r, "\"%.40s\" is not a field of %s (fields: %s)", name, kind->name,
                                  hg_field_names(kind, names));
        if (!hg_read_field(r, field, value, spec))
            return false;
    }
    return true;
}

bool hg_read_thing(hg_json_reader *r, json_t *json, const hg_kind *const kinds[], hg_thing *to)
{
    char names[HG_SPEC_TEXT];
    const char *name = json_string_value(json_is_object(json) ? json_object_get(json, "kind") : json);
    if (name == NULL)
        return hg_json_refuse(r, "it must be the name of a kind, or an object with \"kind\", one of: %s",
                              hg_kind_names(kinds, names));
    to->kind = hg_kind_find(kinds, name);
    if (to->kind == NULL)
        return hg_json_refuse(r, "there is no kind \"%.40s\", only: %s", name, hg_kind_names(kinds, names));
    size_t used = strlen(r->place);
    snprintf(r->place + used, sizeof r->place - used, " (%s)", to->kind->name);
    void *spec = calloc(1, HG_SPEC_BYTES), *resolved = calloc(1, HG_SPEC_BYTES);
    hg_error error = { 0 };
    bool good = spec != NULL && resolved != NULL && read_fields(r, json_is_object(json) ? json : NULL, to->kind, spec);
    if (spec == NULL || resolved == NULL)
        hg_fail(r->error, HG_OUT_OF_MEMORY, "out of memory: reading %s", r->source);
    else if (good && hg_spec_resolve(to->kind, spec, resolved, r->place, &error) != HG_OK) {
        hg_fail(r->error, HG_BAD_FILE, "%s: %s", r->source, error.text);
        good = false;
    }
    free(resolved);
    to->spec = spec;
    return good;
}

json_t *hg_write_thing(hg_thing from)
{
    json_t *json = json_pack("{s: s}", "kind", from.kind->name);
    const hg_field *field = from.spec == NULL ? NULL : from.kind->field;
    for (; field != NULL && field->name != NULL; field++)
        if (hg_field_given(field, from.spec)
            && json_object_set_new(json, field->name, hg_write_field(field, from.spec)) != 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}
