/* Autoencoders as JSON: tables of their members. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* ---- Members of types of their own ---------------------------------------------------------------------- */

static bool always(const hg_member *m, const void *from)
{
    (void)m;
    (void)from;
    return true;
}

static bool read_input(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    int64_t *dim = hg_member_of(m, to);
    size_t rank = json_array_size(json);
    if (rank < 1 || rank > HG_MAX_RANK - 1)
        return hg_json_refuse(r, "input must be an array of 1 to %d dimensions", HG_MAX_RANK - 1);
    for (size_t i = 0; i < rank; i++) {
        dim[i] = json_integer_value(json_array_get(json, i));
        if (dim[i] < 1)
            return hg_json_refuse(r, "input: dimension %zu must be an integer from 1", i + 1);
    }
    return true;
}

static json_t *write_input(const hg_member *m, const void *from)
{
    return hg_write_field(&m->field, from);
}

static const hg_member_type input_type = { always, read_input, write_input, NULL };

/* "mirror" alone, or layers. */
static bool read_decoder(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    static const hg_kind *const whole[] = { &hg_mirror_layer.kind, NULL };
    hg_member one = *m;
    one.kinds = whole;
    return json_is_array(json) ? hg_things_member.read(r, m, json, to) : hg_thing_member.read(r, &one, json, to);
}

static json_t *write_decoder(const hg_member *m, const void *from)
{
    return (hg_is_mirrored(from) ? &hg_thing_member : &hg_things_member)->write(m, from);
}

static void release_decoder(const hg_member *m, void *from)
{
    hg_things_member.release(m, from);
}

static const hg_member_type decoder_type = { always, read_decoder, write_decoder, release_decoder };

/* [1, 2] */
static bool read_two(const json_t *json, double *first, double *second)
{
    const json_t *one = json_array_get(json, 0), *two = json_array_get(json, 1);
    *first = json_number_value(one);
    *second = json_number_value(two);
    return json_array_size(json) == 2 && json_is_number(one) && json_is_number(two);
}

static bool scale_given(const hg_member *m, const void *from)
{
    const hg_scaling *scale = hg_member_of(m, from);
    return scale->low != scale->high;
}

static bool read_scale(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    hg_scaling *scale = hg_member_of(m, to);
    return (read_two(json, &scale->low, &scale->high) && scale->low < scale->high)
           || hg_json_refuse(r, "scale must be [low, high], two numbers that rise");
}

static json_t *write_scale(const hg_member *m, const void *from)
{
    const hg_scaling *scale = hg_member_of(m, from);
    return json_pack("[f, f]", scale->low, scale->high);
}

static const hg_member_type scale_type = { scale_given, read_scale, write_scale, NULL };

static bool emphasis_given(const hg_member *m, const void *from)
{
    (void)m;
    return hg_has_emphasis(from);
}

static bool read_emphasis(hg_json_reader *r, const hg_member *m, json_t *json, void *to)
{
    hg_emphasis *emphasis = hg_member_of(m, to);
    return (read_two(json, &emphasis->corrupted, &emphasis->others) && hg_in_range(emphasis->corrupted, "[0, inf)")
            && hg_in_range(emphasis->others, "[0, inf)"))
           || hg_json_refuse(r, "emphasis must be [corrupted, others], two numbers from 0");
}

static json_t *write_emphasis(const hg_member *m, const void *from)
{
    const hg_emphasis *emphasis = hg_member_of(m, from);
    return json_pack("[f, f]", emphasis->corrupted, emphasis->others);
}

static const hg_member_type emphasis_type = { emphasis_given, read_emphasis, write_emphasis, NULL };

/* ---- The tables ----------------------------------------------------------------------------------------- */

#define AT(type, member) .field = { .name = #member, .offset = offsetof(type, member) }
#define SCALAR(...) { .field = __VA_ARGS__, .type = &hg_scalar_member }
#define THING(struct_type, member, list) { AT(struct_type, member), .type = &hg_thing_member, .kinds = list }
#define PENALTIES(struct_type)                                                                                \
    { AT(struct_type, penalties), .type = &hg_things_member, .kinds = hg_penalty_kinds, .each = "penalty",    \
      .most = HG_MOST_PENALTIES }
/* What trainings of the whole and of a layer have in common. */
#define SETTINGS(struct_type)                                                                                 \
    SCALAR(HG_INT_FIELD(struct_type, epochs, "[1, inf)", 0)),                                                 \
        SCALAR(HG_INT_FIELD(struct_type, batch, "[1, inf)", 0)),                                              \
        THING(struct_type, optimizer, hg_optimizer_kinds), THING(struct_type, schedule, hg_schedule_kinds),   \
        SCALAR(HG_NUMBER_FIELD(struct_type, warm_up, "[0, inf)", 0))

static const hg_member training_members[] = { SETTINGS(hg_training_settings), { .type = NULL } };

static const hg_member pretraining_members[] = {
    THING(hg_pretraining, corrupt, hg_corruption_kinds),
    PENALTIES(hg_pretraining),
    THING(hg_pretraining, loss, hg_loss_kinds),
    SETTINGS(hg_pretraining),
    { .type = NULL },
};

static const hg_member predictive_sparse_members[] = {
    SCALAR(HG_NUMBER_FIELD(hg_predictive_sparse, sparsity, "(0, inf)", 0)),
    SCALAR(HG_NUMBER_FIELD(hg_predictive_sparse, prediction, "(0, inf)", 0)),
    SCALAR(HG_INT_FIELD(hg_predictive_sparse, iterations, "[1, 1000]", 0)),
    { .type = NULL },
};

static const char *const penalised_names[] = { [HG_CORRUPTED] = "corrupted", [HG_CLEAN] = "clean", NULL };

static const hg_member members[] = {
    { AT(hg_autoencoder, name), .type = &hg_text_member, .required = true },
    { AT(hg_autoencoder, description), .type = &hg_text_member },
    { .field = HG_SHAPE_FIELD(hg_autoencoder, input), .type = &input_type, .required = true },
    { AT(hg_autoencoder, encoder), .type = &hg_things_member, .required = true, .kinds = hg_layer_kinds,
      .each = "encoder layer", .most = HG_MOST_LAYERS },
    { AT(hg_autoencoder, decoder), .type = &decoder_type, .required = true, .kinds = hg_layer_kinds,
      .each = "decoder layer", .most = HG_MOST_LAYERS },
    SCALAR(HG_BOOL_FIELD(hg_autoencoder, tied)),
    SCALAR(HG_BOOL_FIELD(hg_autoencoder, orthonormal)),
    { AT(hg_autoencoder, scale), .type = &scale_type },
    THING(hg_autoencoder, corrupt, hg_corruption_kinds),
    { AT(hg_autoencoder, emphasis), .type = &emphasis_type },
    THING(hg_autoencoder, loss, hg_loss_kinds),
    SCALAR(HG_CHOICE_FIELD(hg_autoencoder, penalise, penalised_names)),
    PENALTIES(hg_autoencoder),
    { AT(hg_autoencoder, training), .type = &hg_struct_member, .what = "training", .members = training_members },
    { AT(hg_autoencoder, pretraining), .type = &hg_structs_member, .each = "pretraining layer", .most = HG_MOST_LAYERS,
      .what = "a layer's pre-training", .members = pretraining_members, .size = sizeof(hg_pretraining) },
    { AT(hg_autoencoder, predictive_sparse), .type = &hg_struct_member, .what = "predictive_sparse",
      .members = predictive_sparse_members },
    { .type = NULL },
};

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
    if (declaration != NULL && !hg_read_struct(&r, "an autoencoder", members, json, declaration)) {
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
    hg_release_struct(members, declaration);
    free(declaration);
}

char *hg_autoencoder_to_json(const hg_autoencoder *declaration, int indent)
{
    json_t *json = hg_write_struct(members, declaration);
    char *text = json == NULL ? NULL : json_dumps(json, indent > 0 ? JSON_INDENT((size_t)indent) : 0);
    json_decref(json);
    return text;
}

static json_t *load_network(const char *text)
{
    static const char *const trainings[] = { "training", "pretraining", "predictive_sparse" };
    json_t *json = json_loads(text, 0, NULL);
    for (size_t i = 0; i < sizeof trainings / sizeof *trainings; i++)
        json_object_del(json, trainings[i]);
    return json;
}

bool hg_same_network(const char *json, const char *other)
{
    json_t *a = load_network(json), *b = load_network(other);
    bool same = json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}
