/* Autoencoders as JSON: a table of their fields. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The fields of an autoencoder ----------------------------------------------------------------------- */

static bool read_text(hg_json_reader *r, const json_t *json, const char **to)
{
    if (!json_is_string(json) || json_string_length(json) == 0)
        return hg_json_refuse(r, "it must be a string that is not empty");
    *to = strdup(json_string_value(json));
    if (*to == NULL)
        hg_fail(r->error, HG_OUT_OF_MEMORY, "out of memory: reading %s", r->source);
    return *to != NULL;
}

static bool read_name(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    return read_text(r, json, &to->name);
}

static json_t *write_name(const hg_autoencoder *from)
{
    return json_string(from->name);
}

static bool read_description(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    return read_text(r, json, &to->description);
}

static json_t *write_description(const hg_autoencoder *from)
{
    return from->description == NULL ? NULL : json_string(from->description);
}

static bool read_input(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    size_t rank = json_array_size(json);
    if (rank < 1 || rank > HG_MAX_RANK - 1)
        return hg_json_refuse(r, "it must be an array of 1 to %d dimensions", HG_MAX_RANK - 1);
    for (size_t i = 0; i < rank; i++) {
        to->input[i] = json_integer_value(json_array_get(json, i));
        if (to->input[i] < 1)
            return hg_json_refuse(r, "dimension %zu must be an integer from 1", i + 1);
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

static bool read_layers(hg_json_reader *r, const json_t *json, const char *name, hg_layer layers[HG_MOST_LAYERS])
{
    hg_thing one[HG_MOST_LAYERS] = { { 0 } };
    bool good = hg_read_things(r, json, name, hg_layer_kinds, HG_MOST_LAYERS, one);
    for (int i = 0; i < HG_MOST_LAYERS; i++)
        layers[i] = (hg_layer){ (const hg_layer_kind *)one[i].kind, one[i].spec };
    return good;
}

static json_t *write_layers(const hg_layer layers[HG_MOST_LAYERS])
{
    hg_thing one[HG_MOST_LAYERS];
    for (int i = 0; i < HG_MOST_LAYERS; i++)
        one[i] = (hg_thing){ (const hg_kind *)layers[i].kind, layers[i].spec };
    return hg_write_things(one, HG_MOST_LAYERS);
}

static bool read_encoder(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    return read_layers(r, json, "encoder layer", to->encoder);
}

static json_t *write_encoder(const hg_autoencoder *from)
{
    return write_layers(from->encoder);
}

/* "mirror" alone, or layers. */
static const hg_kind *const whole_decoders[] = { &hg_mirror_layer.kind, NULL };

static bool read_decoder(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    hg_thing one = { 0 };
    if (json_is_array(json))
        return read_layers(r, json, "decoder layer", to->decoder);
    bool good = hg_read_thing(r, json, whole_decoders, &one);
    to->decoder[0] = (hg_layer){ (const hg_layer_kind *)one.kind, one.spec };
    return good;
}

static json_t *write_decoder(const hg_autoencoder *from)
{
    return hg_is_mirrored(from) ? hg_write_thing((hg_thing){ &hg_mirror_layer.kind, from->decoder[0].spec })
                                : write_layers(from->decoder);
}

static bool read_flag(hg_json_reader *r, const json_t *json, bool *to)
{
    *to = json_is_true(json);
    return json_is_boolean(json) || hg_json_refuse(r, "it must be true or false, not %s", hg_json_type(json));
}

static bool read_tied(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    return read_flag(r, json, &to->tied);
}

static json_t *write_tied(const hg_autoencoder *from)
{
    return from->tied ? json_true() : NULL;
}

static bool read_orthonormal(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    return read_flag(r, json, &to->orthonormal);
}

static json_t *write_orthonormal(const hg_autoencoder *from)
{
    return from->orthonormal ? json_true() : NULL;
}

static bool read_scale(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    const json_t *low = json_array_get(json, 0), *high = json_array_get(json, 1);
    to->scale = (hg_scaling){ json_number_value(low), json_number_value(high) };
    if (json_array_size(json) != 2 || !json_is_number(low) || !json_is_number(high)
        || !(to->scale.low < to->scale.high))
        return hg_json_refuse(r, "it must be [low, high], two numbers that rise");
    return true;
}

static json_t *write_scale(const hg_autoencoder *from)
{
    return from->scale.low == from->scale.high ? NULL : json_pack("[f, f]", from->scale.low, from->scale.high);
}

static bool read_corrupt(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    hg_thing one = { 0 };
    bool good = hg_read_thing(r, json, hg_corruption_kinds, &one);
    to->corrupt = (hg_corruption){ (const hg_corruption_kind *)one.kind, one.spec };
    return good;
}

static json_t *write_corrupt(const hg_autoencoder *from)
{
    return from->corrupt.kind == NULL ? NULL : hg_write_thing((hg_thing){ &from->corrupt.kind->kind, from->corrupt.spec });
}

static bool read_emphasis(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    const json_t *corrupted = json_array_get(json, 0), *others = json_array_get(json, 1);
    to->emphasis = (hg_emphasis){ json_number_value(corrupted), json_number_value(others) };
    if (json_array_size(json) != 2 || !json_is_number(corrupted) || !json_is_number(others)
        || !hg_in_range(to->emphasis.corrupted, "[0, inf)") || !hg_in_range(to->emphasis.others, "[0, inf)"))
        return hg_json_refuse(r, "it must be [corrupted, others], two numbers from 0");
    return true;
}

static json_t *write_emphasis(const hg_autoencoder *from)
{
    return hg_has_emphasis(from) ? json_pack("[f, f]", from->emphasis.corrupted, from->emphasis.others) : NULL;
}

static const char *const penalised_names[] = { [HG_CORRUPTED] = "corrupted", [HG_CLEAN] = "clean" };

static bool read_penalise(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    const char *name = json_string_value(json);
    for (int i = 0; name != NULL && i < 2; i++)
        if (strcmp(name, penalised_names[i]) == 0) {
            to->penalise = (hg_penalised)i;
            return true;
        }
    return hg_json_refuse(r, "it must be \"corrupted\" or \"clean\"");
}

static json_t *write_penalise(const hg_autoencoder *from)
{
    return from->penalise == HG_CORRUPTED ? NULL : json_string(penalised_names[from->penalise]);
}

static bool read_loss(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    hg_thing one = { 0 };
    bool good = hg_read_thing(r, json, hg_loss_kinds, &one);
    to->loss = (hg_loss){ (const hg_loss_kind *)one.kind, one.spec };
    return good;
}

static json_t *write_loss(const hg_autoencoder *from)
{
    return from->loss.kind == NULL ? NULL : hg_write_thing((hg_thing){ &from->loss.kind->kind, from->loss.spec });
}

static bool read_penalties(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    hg_thing one[HG_MOST_PENALTIES] = { { 0 } };
    bool good = hg_read_things(r, json, "penalty", hg_penalty_kinds, HG_MOST_PENALTIES, one);
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        to->penalties[i] = (hg_penalty){ (const hg_penalty_kind *)one[i].kind, one[i].spec };
    return good;
}

static json_t *write_penalties(const hg_autoencoder *from)
{
    hg_thing one[HG_MOST_PENALTIES];
    for (int i = 0; i < HG_MOST_PENALTIES; i++)
        one[i] = (hg_thing){ (const hg_kind *)from->penalties[i].kind, from->penalties[i].spec };
    return one[0].kind == NULL ? NULL : hg_write_things(one, HG_MOST_PENALTIES);
}

/* write: NULL where the field is at its default. */
static const struct {
    const char *name;
    bool        required;
    bool (*read)(hg_json_reader *r, json_t *json, hg_autoencoder *to);
    json_t *(*write)(const hg_autoencoder *from);
} fields[] = {
    { "name", true, read_name, write_name },
    { "description", false, read_description, write_description },
    { "input", true, read_input, write_input },
    { "encoder", true, read_encoder, write_encoder },
    { "decoder", true, read_decoder, write_decoder },
    { "tied", false, read_tied, write_tied },
    { "orthonormal", false, read_orthonormal, write_orthonormal },
    { "scale", false, read_scale, write_scale },
    { "corrupt", false, read_corrupt, write_corrupt },
    { "emphasis", false, read_emphasis, write_emphasis },
    { "loss", false, read_loss, write_loss },
    { "penalise", false, read_penalise, write_penalise },
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

static bool check_names(hg_json_reader *r, json_t *json)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return hg_json_refuse(r, "an autoencoder is an object, not %s", hg_json_type(json));
    json_object_foreach(json, name, value)
    {
        char known[HG_SPEC_TEXT] = "";
        if (is_field(name))
            continue;
        for (int i = 0; i < FIELDS; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i > 0 ? ", " : "", fields[i].name);
        return hg_json_refuse(r, "\"%.40s\" is not a field of an autoencoder (fields: %s)", name, known);
    }
    return true;
}

static bool read_autoencoder(hg_json_reader *r, json_t *json, hg_autoencoder *to)
{
    if (!check_names(r, json))
        return false;
    for (int i = 0; i < FIELDS; i++) {
        json_t *value = json_object_get(json, fields[i].name);
        *r->place = '\0';
        if (value == NULL && fields[i].required)
            return hg_json_refuse(r, "the field \"%s\" is missing", fields[i].name);
        snprintf(r->place, sizeof r->place, "%s", fields[i].name);
        if (value != NULL && !fields[i].read(r, value, to))
            return false;
    }
    return true;
}

/* ---- Whole texts ---------------------------------------------------------------------------------------- */

static hg_autoencoder *from_parsed(json_t *json, const json_error_t *parsing, const char *source, hg_error *error)
{
    hg_json_reader r = { .source = source, .error = error };
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
    free((void *)declaration->corrupt.spec);
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
