/* Specs: defaults, checks, and setting from text, all by the table of their fields. */
#include <hourglass/spec.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef union hg_value {
    int64_t        integer;
    double         number;
    bool           boolean;
    hg_activation *activation;
    hg_initializer initializer;
} hg_value;

static const size_t value_size[HG_FIELD_TYPES] = {
    [HG_FIELD_INT] = sizeof(int64_t),
    [HG_FIELD_NUMBER] = sizeof(double),
    [HG_FIELD_BOOL] = sizeof(bool),
    [HG_FIELD_ACTIVATION] = sizeof(hg_activation *),
    [HG_FIELD_INITIALIZER] = sizeof(hg_initializer),
};

static hg_value get(const hg_field *field, const void *spec)
{
    hg_value value = { 0 };
    memcpy(&value, (const char *)spec + field->offset, value_size[field->type]);
    return value;
}

static void set(const hg_field *field, void *spec, hg_value value)
{
    memcpy((char *)spec + field->offset, &value, value_size[field->type]);
}

static bool is_numeric(const hg_field *field)
{
    return field->type == HG_FIELD_INT || field->type == HG_FIELD_NUMBER;
}

static double numeric(const hg_field *field, hg_value value)
{
    return field->type == HG_FIELD_INT ? (double)value.integer : value.number;
}

bool hg_field_given(const hg_field *field, const void *spec)
{
    hg_value value = get(field, spec);
    switch (field->type) {
    case HG_FIELD_INT:
    case HG_FIELD_NUMBER:
        return numeric(field, value) != 0;
    case HG_FIELD_BOOL:
        return value.boolean;
    case HG_FIELD_ACTIVATION:
        return value.activation != NULL;
    default:
        return value.initializer.kind != HG_INITIAL_ZEROS;
    }
}

bool hg_in_range(double value, const char *range)
{
    if (!isfinite(value))
        return false;
    if (range == NULL)
        return true;
    char *comma;
    double low = strtod(range + 1, &comma), high = strtod(comma + 1, NULL);
    bool low_belongs = range[0] == '[', high_belongs = range[strlen(range) - 1] == ']';
    return (low_belongs ? value >= low : value > low) && (high_belongs ? value <= high : value < high);
}

/* ---- Defaults and checks ------------------------------------------------------------------------------- */

static hg_status resolve_field(const hg_field *field, void *spec, const char *place, hg_error *error)
{
    hg_value value = get(field, spec);
    if (!is_numeric(field))
        return HG_OK;
    if (numeric(field, value) == 0 && field->fallback != 0) {
        value = field->type == HG_FIELD_INT ? (hg_value){ .integer = (int64_t)field->fallback }
                                            : (hg_value){ .number = field->fallback };
        set(field, spec, value);
    }
    if (hg_in_range(numeric(field, value), field->range))
        return HG_OK;
    return hg_fail(error, HG_BAD_ARGUMENT, "%s: %s is %.9g, but must be in %s", place, field->name,
                   numeric(field, value), field->range == NULL ? "(-inf, inf)" : field->range);
}

hg_status hg_spec_resolve(const hg_kind *kind, const void *spec, void *resolved, const char *place, hg_error *error)
{
    if (kind->size > HG_SPEC_BYTES)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s: its spec takes %zu bytes, more than %d", place, kind->size,
                       HG_SPEC_BYTES);
    memset(resolved, 0, HG_SPEC_BYTES);
    if (spec != NULL && kind->size > 0)
        memcpy(resolved, spec, kind->size);
    for (const hg_field *field = kind->field; field != NULL && field->name != NULL; field++) {
        hg_status status = resolve_field(field, resolved, place, error);
        if (status != HG_OK)
            return status;
    }
    return HG_OK;
}

/* ---- From text ----------------------------------------------------------------------------------------- */

static const char *parse_integer(const char *text, hg_value *value)
{
    char *end;
    errno = 0;
    value->integer = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 ? NULL : "an integer";
}

static const char *parse_number(const char *text, hg_value *value)
{
    char *end;
    value->number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(value->number) ? NULL : "a number";
}

static const char *parse_boolean(const char *text, hg_value *value)
{
    value->boolean = strcmp(text, "true") == 0;
    return value->boolean || strcmp(text, "false") == 0 ? NULL : "true or false";
}

static const char *parse_activation(const char *text, hg_value *value)
{
    value->activation = hg_activation_find(text);
    return value->activation != NULL ? NULL : "the name of an activation";
}

static const char *parse_initializer(const char *text, hg_value *value)
{
    return hg_initializer_find(text, &value->initializer) ? NULL : "the name of an initialiser";
}

/* What was expected, or NULL if the text gave it. */
static const char *(*const parse[HG_FIELD_TYPES])(const char *text, hg_value *value) = {
    [HG_FIELD_INT] = parse_integer,           [HG_FIELD_NUMBER] = parse_number,
    [HG_FIELD_BOOL] = parse_boolean,          [HG_FIELD_ACTIVATION] = parse_activation,
    [HG_FIELD_INITIALIZER] = parse_initializer,
};

hg_status hg_field_set(const hg_field *field, void *spec, const char *text, const char *place, hg_error *error)
{
    hg_value value = { 0 };
    const char *expected = parse[field->type](text, &value);
    if (expected != NULL)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s must be %s, not \"%.64s\"", place, field->name, expected, text);
    if (is_numeric(field) && !hg_in_range(numeric(field, value), field->range))
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s is %s, but must be in %s", place, field->name, text,
                       field->range);
    set(field, spec, value);
    return HG_OK;
}

hg_status hg_spec_set(const hg_kind *kind, void *spec, const char *text, const char *place, hg_error *error)
{
    char names[HG_SPEC_TEXT], name[64], value[64];
    while (*text != '\0') {
        size_t length = strcspn(text, ","), name_length = strcspn(text, "=,");
        if (name_length == length || name_length >= sizeof name || length - name_length > sizeof value)
            return hg_fail(error, HG_BAD_ARGUMENT, "%s\"%.*s\" is not of the form field=value (fields: %s)", place,
                           length > 64 ? 64 : (int)length, text, hg_field_names(kind, names));
        snprintf(name, sizeof name, "%.*s", (int)name_length, text);
        snprintf(value, sizeof value, "%.*s", (int)(length - name_length - 1), text + name_length + 1);
        const hg_field *field = hg_field_find(kind, name);
        if (field == NULL)
            return hg_fail(error, HG_UNKNOWN_NAME, "%s\"%s\" is not a field of %s (fields: %s)", place, name,
                           kind->name, hg_field_names(kind, names));
        hg_status status = hg_field_set(field, spec, value, place, error);
        if (status != HG_OK)
            return status;
        text += length + (text[length] == ',');
    }
    return HG_OK;
}

/* ---- To text ------------------------------------------------------------------------------------------- */

const hg_kind *hg_kind_find(const hg_kind *const kinds[], const char *name)
{
    while (*kinds != NULL && strcmp((*kinds)->name, name) != 0)
        kinds++;
    return *kinds;
}

const hg_field *hg_field_find(const hg_kind *kind, const char *name)
{
    for (const hg_field *field = kind->field; field != NULL && field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

/* Appends what fits. */
static void append(char text[HG_SPEC_TEXT], const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, HG_SPEC_TEXT - used, "%s%s", used > 0 ? ", " : "", more);
}

char *hg_kind_names(const hg_kind *const kinds[], char text[HG_SPEC_TEXT])
{
    for (*text = '\0'; *kinds != NULL; kinds++)
        append(text, (*kinds)->name);
    return text;
}

char *hg_field_names(const hg_kind *kind, char text[HG_SPEC_TEXT])
{
    *text = '\0';
    for (const hg_field *field = kind->field; field != NULL && field->name != NULL; field++)
        append(text, field->name);
    return *text != '\0' ? text : strcpy(text, "none");
}

static void print_field(const hg_field *field, hg_value value, char *text, size_t size)
{
    switch (field->type) {
    case HG_FIELD_INT:
        snprintf(text, size, "%s %" PRId64, field->name, value.integer);
        break;
    case HG_FIELD_NUMBER:
        snprintf(text, size, "%s %.9g", field->name, value.number);
        break;
    case HG_FIELD_BOOL:
        snprintf(text, size, "%s", field->name);
        break;
    case HG_FIELD_ACTIVATION:
        snprintf(text, size, "%s %s", field->name, hg_activation_name(value.activation));
        break;
    default:
        snprintf(text, size, "%s %s %.9g", field->name, hg_initializer_name(value.initializer.kind),
                 value.initializer.a);
    }
}

char *hg_spec_print(const hg_kind *kind, const void *spec, char text[HG_SPEC_TEXT])
{
    char one[HG_SPEC_TEXT];
    *text = '\0';
    for (const hg_field *field = kind->field; field != NULL && field->name != NULL && spec != NULL; field++)
        if (hg_field_given(field, spec)) {
            print_field(field, get(field, spec), one, sizeof one);
            append(text, one);
        }
    return text;
}
