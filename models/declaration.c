/* Declarations as JSON, by the tables of fields. */
#include "config.h"

#include "models.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A kind and its spec: what layers, losses and penalties are. */
typedef struct thing {
    const hg_kind *kind;
    const void    *spec;
} thing;

/* Where a message is about: "FILE: encoder layer 2". */
typedef struct reader {
    const char *source;
    hg_error   *error;
    char        place[160];
} reader;

static bool refuse(reader *r, const char *format, ...) HG_PRINTF(2, 3);

static bool refuse(reader *r, const char *format, ...)
{
    char text[HG_ERROR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hg_fail(r->error, HG_BAD_FILE, "%s: %s%s%s", r->source, r->place, *r->place != '\0' ? ": " : "", text);
    return false;
}

static const char *type_name(const json_t *json)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null",
    };
    return names[json_typeof(json)];
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

static json_t *write_integer(const void *from)
{
    return json_integer(*(const int64_t *)from);
}

static json_t *write_number(const void *from)
{
    return json_real(*(const double *)from);
}

static json_t *write_boolean(const void *from)
{
    return json_boolean(*(const bool *)from);
}

static json_t *write_activation(const void *from)
{
    return json_string(hg_activation_name(*(hg_activation *const *)from));
}

static json_t *write_initializer(const void *from)
{
    const hg_initializer *initializer = from;
    return json_pack("[s, f]", hg_initializer_name(initializer->kind), initializer->a);
}

/* read: what was expected, or NULL if it was found. */
static const struct {
    const char *(*read)(const json_t *json, void *to);
    json_t *(*write)(const void *from);
} field_types[HG_FIELD_TYPES] = {
    [HG_FIELD_INT] = { read_integer, write_integer },
    [HG_FIELD_NUMBER] = { read_number, write_number },
    [HG_FIELD_BOOL] = { read_boolean, write_boolean },
    [HG_FIELD_ACTIVATION] = { read_activation, write_activation },
    [HG_FIELD_INITIALIZER] = { read_initializer, write_initializer },
};

static bool read_field(reader *r, const hg_field *field, const json_t *json, void *spec)
{
    const char *expected = field_types[field->type].read(json, (char *)spec + field->offset);
    const char *text = json_string_value(json);
    if (expected != NULL && field->type == HG_FIELD_ACTIVATION && text != NULL && strcmp(text, "custom") == 0)
        return refuse(r, "%s is a function of the program that saved it, so the declaration is needed to open it",
                      field->name);
    if (expected != NULL && text != NULL)
        return refuse(r, "%s must be %s, not \"%.40s\"", field->name, expected, text);
    if (expected != NULL)
        return refuse(r, "%s must be %s, not %s", field->name, expected, type_name(json));
    if (json_is_number(json) && !hg_in_range(json_number_value(json), field->range))
        return refuse(r, "%s is %.9g, but must be in %s", field->name, json_number_value(json), field->range);
    return true;
}

/* ---- Layers, losses, penalties -------------------------------------------------------------------------- */

static bool read_fields(reader *r, json_t *json, const hg_kind *kind, void *spec)
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
            return refuse(r, "\"%.40s\" is not a field of %s (fields: %s)", name, kind->name,
                          hg_field_names(kind, names));
        if (!read_field(r, field, value, spec))
            return false;
    }
    return true;
}

/* "squared_error", or {"kind": "dense", "units": 32}. The spec, if any, becomes the caller's to free. */
static bool read_thing(reader *r, json_t *json, const hg_kind *const kinds[], thing *to)
{
    char names[HG_SPEC_TEXT], place[sizeof r->place];
    const char *name = json_string_value(json_is_object(json) ? json_object_get(json, "kind") : json);
    if (name == NULL)
        return refuse(r, "it must be the name of a kind, or an object with \"kind\", one of: %s",
                      hg_kind_names(kinds, names));
    to->kind = hg_kind_find(kinds, name);
    if (to->kind == NULL)
        return refuse(r, "there is no kind \"%.40s\", only: %s", name, hg_kind_names(kinds, names));
    snprintf(place, sizeof place, "%.100s (%.40s)", r->place, to->kind->name);
    memcpy(r->place, place, sizeof place);
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

static json_t *write_thing(thing from)
{
    json_t *json = json_pack("{s: s}", "kind", from.kind->name);
    const hg_field *field = from.spec == NULL ? NULL : from.kind->field;
    for (; field != NULL && field->name != NULL; field++)
        if (hg_field_given(field, from.spec)
            && json_object_set_new(json, field->name,
                                   field_types[field->type].write((const char *)from.spec + field->offset)) != 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

/* Reads an array into one[0 ... most - 1], whose specs become the caller's to free, also on failure. */
static bool read_things(reader *r, const json_t *json, const char *name, const hg_kind *const kinds[], size_t most,
                        thing one[])
{
    if (!json_is_array(json))
        return refuse(r, "it must be an array, not %s", type_name(json));
    if (json_array_size(json) > most)
        return refuse(r, "it has %zu entries, more than %zu", json_array_size(json), most);
    for (size_t i = 0; i < json_array_size(json); i++) {
        snprintf(r->place, sizeof r->place, "%s %zu", name, i + 1);
        if (!read_thing(r, json_array_get(json, i), kinds, &one[i]))
            return false;
    }
    return true;
}

static json_t *write_things(const thing one[], size_t most)
{
    json_t *array = json_array();
    for (size_t i = 0; i < most && one[i].kind != NULL; i++)
        if (json_array_append_new(array, write_thing(one[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* ---- The fields of an autoencoder ----------------------------------------------------------------------- */

static bool read_text(reader *r, const json_t *json, const char **to)
{
    if (!json_is_string(json) || json_string_length(json) == 0)
        return refuse(r, "it must be a string that is not empty");
    *to = strdup(json_string_value(json));
    if (*to == NULL)
        hg_fail(r->error, HG_OUT_OF_MEMORY, "out of memory: reading %s", r->source);
    return *to != NULL;
}

static bool read_name(reader *r, json_t *json, hg_autoencoder *to)
{
    return read_text(r, json, &to->name);
}

static json_t *write_name(const hg_autoencoder *from)
{
    return json_string(from->name);
}

static bool read_description(reader *r, json_t *json, hg_autoencoder *to)
{
    return read_text(r, json, &to->description);
}

static json_t *write_description(const hg_autoencoder *from)
{
    return from->description == NULL ? NULL : json_string(from->description);
}

static bool read_input(reader *r, json_t *json, hg_autoencoder *to)
{
    size_t rank = json_array_size(json);
    if (rank < 1 || rank > HG_MAX_RANK - 1)
        return refuse(r, "it must be an array of 1 to %d dimensions", HG_MAX_RANK - 1);
    for (size_t i = 0; i < rank; i++) {
        to->input[i] = json_integer_value(json_array_get(json, i));
        if (to->input[i] < 1)
            return refuse(r, "dimension %zu must be an integer from 1", i + 1);
    }
    return true;
}

static json_t *write_input(const hg_autoencoder *from)
{
    json_t *array = json_array();
    for (int i = 0; i < HG_MAX_RANK - 1 && from->input[i] != 0; i++)
        json_array_append_new(array, json_integer(from->input[i]));
    return array;
}

static bool read_layers(reader *r, const json_t *json, const char *name, hg_layer layers[HG_MOST_LAYERS])
{
    thing one[HG_MOST_LAYERS] = { { 0 } };
    bool good = read_things(r, json, name, hg_layer_kinds, HG_MOST_LAYERS, one);
    for (int i = 0; i < HG_MOST_LAYERS; i++)
        layers[i] = (hg_layer){ (const hg_layer_kind *)one[i].kind, one[i].spec };
    return good;
}

static json_t *write_layers(const hg_layer layers[HG_MOST_LAYERS])
{
    thing one[HG_MOST_LAYERS];
    for (int i = 0; i < HG_MOST_LAYERS; i++)
        one[i] = (thing){ (const hg_kind *)layers[i].kind, layers[i].spec };
    return write_things(one, HG_MOST_LAYERS);
}

static bool read_encoder(reader *r, json_t *json, hg_autoencoder *to)
{
    return read_layers(r, json, "encoder layer", to->encoder);
}

static json_t *write_encoder(const hg_autoencoder *from)
{
    return write_layers(from->encoder);
}

static bool read_decoder(reader *r, json_t *json, hg_autoencoder *to)
{
    return read_layers(r, json, "decoder layer", to->decoder);
}

static json_t *write_decoder(const hg_autoencoder *from)
{
    return write_layers(from->decoder);
}

static bool read_scale(reader *r, json_t *json, hg_autoencoder *to)
{
    const json_t *low = json_array_get(json, 0), *high = json_array_get(json, 1);
    to->scale = (hg_scaling){ json_number_value(low), json_number_value(high) };
    if (json_array_size(json) != 2 || !json_is_number(low) || !json_is_number(high)
        || !(to->scale.low < to->scale.high))
        return refuse(r, "it must be [low, high], two numbers that rise");
    return true;
}

static json_t *write_scale(const hg_autoencoder *from)
{
    return from->scale.low == from->scale.high ? NULL : json_pack("[f, f]", from->scale.low, from->scale.high);
}

static bool read_loss(reader *r, json_t *json, hg_autoencoder *to)
{
    thing one = { 0 };
    bool good = read_thing(r, json, hg_loss_kinds, &one);
    to->loss = (hg_loss){ (const hg_loss_kind *)one.kind, one.spec };
    return good;
}

static json_t *write_loss(const hg_autoencoder *from)
{
    return from->loss.kind == NULL ? NULL : write_thing((thing){ &from->loss.kind->kind, from->loss.spec });
}

static bool read_penalties(reader *r, json_t *json, hg_autoencoder *to)
{
    thing one[HG_MOST_PENALTIES] = { { 0 } };
    bool good = read_things(r, json, "penalty", hg_penalty_kinds, HG_MOST_PENALTIES, one);
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        to->penalties[i] = (hg_penalty){ (const hg_penalty_kind *)one[i].kind, one[i].spec };
    return good;
}

static json_t *write_penalties(const hg_autoencoder *from)
{
    thing one[HG_MOST_PENALTIES];
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        one[i] = (thing){ (const hg_kind *)from->penalties[i].kind, from->penalties[i].spec };
    return one[0].kind == NULL ? NULL : write_things(one, HG_MOST_PENALTIES);
}

/* write: NULL where the field is at its default. */
static const struct {
    const char *name;
    bool        required;
    bool (*read)(reader *r, json_t *json, hg_autoencoder *to);
    json_t *(*write)(const hg_autoencoder *from);
} fields[] = {
    { "name", true, read_name, write_name },
    { "description", false, read_description, write_description },
    { "input", true, read_input, write_input },
    { "encoder", true, read_encoder, write_encoder },
    { "decoder", true, read_decoder, write_decoder },
    { "scale", false, read_scale, write_scale },
    { "loss", false, read_loss, write_loss },
    { "penalties", false, read_penalties, write_penalties },
};
enum { FIELDS = sizeof fields / sizeof *fields };

static bool is_field(const char *name)
{
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

static bool check_names(reader *r, json_t *json)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return refuse(r, "an autoencoder is an object, not %s", type_name(json));
    json_object_foreach(json, name, value)
    {
        char known[HG_SPEC_TEXT] = "";
        if (is_field(name))
            continue;
        for (int i = 0; i < FIELDS; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i > 0 ? ", " : "", fields[i].name);
        return refuse(r, "\"%.40s\" is not a field of an autoencoder (fields: %s)", name, known);
    }
    return true;
}

static bool read_autoencoder(reader *r, json_t *json, hg_autoencoder *to)
{
    if (!check_names(r, json))
        return false;
    for (int i = 0; i < FIELDS; i++) {
        json_t *value = json_object_get(json, fields[i].name);
        *r->place = '\0';
        if (value == NULL && fields[i].required)
            return refuse(r, "the field \"%s\" is missing", fields[i].name);
        snprintf(r->place, sizeof r->place, "%s", fields[i].name);
        if (value != NULL && !fields[i].read(r, value, to))
            return false;
    }
    return true;
}

/* ---- Whole texts ---------------------------------------------------------------------------------------- */

static hg_autoencoder *from_parsed(json_t *json, const json_error_t *parsing, const char *source, hg_error *error)
{
    reader r = { .source = source, .error = error };
    if (json == NULL && json_error_code(parsing) == json_error_cannot_open_file)
        hg_fail(error, HG_CANNOT_READ, "cannot read %s: %s", source, parsing->text);
    else if (json == NULL)
        hg_fail(error, HG_BAD_FILE, "%s: line %d is not JSON: %s", source, parsing->line, parsing->text);
    hg_autoencoder *declaration = json == NULL ? NULL : calloc(1, sizeof *declaration);
    if (json != NULL && declaration == NULL)
        hg_fail(error, HG_OUT_OF_MEMORY, "out of memory: reading %s", source);
    if (declaration != NULL && !read_autoencoder(&r, json, declaration)) {
        hg_autoencoder_free(declaration);
        declaration = NULL;
    }
    json_decref(json);
    return declaration;
}

hg_autoencoder *hg_autoencoder_from_json(const char *text, const char *source, hg_error *error)
{
    json_error_t parsing;
    return from_parsed(json_loads(text, JSON_REJECT_DUPLICATES, &parsing), &parsing, source, error);
}

hg_autoencoder *hg_autoencoder_open(const char *path, hg_error *error)
{
    json_error_t parsing;
    return from_parsed(json_load_file(path, JSON_REJECT_DUPLICATES, &parsing), &parsing, path, error);
}

void hg_autoencoder_free(hg_autoencoder *declaration)
{
    if (declaration == NULL)
        return;
    for (int i = 0; i < HG_MOST_LAYERS; i++) {
        free((void *)declaration->encoder[i].spec);
        free((void *)declaration->decoder[i].spec);
    }
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        free((void *)declaration->penalties[i].spec);
    free((void *)declaration->loss.spec);
    free((void *)declaration->description);
    free((void *)declaration->name);
    free(declaration);
}

char *hg_autoencoder_to_json(const hg_autoencoder *declaration, int indent)
{
    json_t *json = json_object();
    bool good = true;
    for (int i = 0; i < FIELDS; i++) {
        json_t *value = fields[i].write(declaration);
        if (value != NULL ? json_object_set_new(json, fields[i].name, value) != 0 : fields[i].required)
            good = false;
    }
    char *text = good ? json_dumps(json, indent > 0 ? JSON_INDENT((size_t)indent) : 0) : NULL;
    json_decref(json);
    return text;
}
