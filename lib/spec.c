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
    int64_t        list[HG_MAX_RANK - 1];
    unsigned       choice;
} hg_value;

static const size_t value_size[HG_FIELD_TYPES] = {
    [HG_FIELD_INT] = sizeof(int64_t),
    [HG_FIELD_NUMBER] = sizeof(double),
    [HG_FIELD_BOOL] = sizeof(bool),
    [HG_FIELD_ACTIVATION] = sizeof(hg_activation *),
    [HG_FIELD_INITIALIZER] = sizeof(hg_initializer),
    [HG_FIELD_PAIR] = sizeof(int64_t[2]),
    [HG_FIELD_SHAPE] = sizeof(int64_t[HG_MAX_RANK - 1]),
    [HG_FIELD_CHOICE] = sizeof(unsigned),
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

static bool is_list(const hg_field *field)
{
    return field->type == HG_FIELD_PAIR || field->type == HG_FIELD_SHAPE;
}

static int list_room(const hg_field *field)
{
    return (int)(value_size[field->type] / sizeof(int64_t));
}

/* How many numbers of a list count: all of a pair, those before the first 0 of a shape. */
static int list_length(const hg_field *field, const int64_t list[])
{
    int length = 0;
    while (length < list_room(field) && (field->type == HG_FIELD_PAIR || list[length] != 0))
        length++;
    return length;
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
    case HG_FIELD_PAIR:
    case HG_FIELD_SHAPE:
        return value.list[0] != 0 || value.list[1] != 0;
    case HG_FIELD_CHOICE:
        return value.choice != 0;
    default:
        return value.initializer.kind != HG_INITIAL_ZEROS;
    }
}

/* Appends what fits. */
static void append(char text[HG_SPEC_TEXT], const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, HG_SPEC_TEXT - used, "%s%s", used > 0 ? ", " : "", more);
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

/* Writes "8x2x2" at the end of text. */
static char *print_list(const hg_field *field, const int64_t list[], char *text, size_t size)
{
    size_t used = strlen(text);
    for (int i = 0; i < list_length(field, list) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i > 0 ? "x" : "", list[i]);
    return text;
}

static hg_status resolve_list(const hg_field *field, const int64_t list[], const char *place, hg_error *error)
{
    char text[HG_SPEC_TEXT] = "";
    int length = list_length(field, list);
    for (int i = 0; i < list_room(field); i++)
        if (list[i] != 0 && (i >= length || !hg_in_range((double)list[i], field->range)))
            return hg_fail(error, HG_BAD_ARGUMENT, "%s: %s is %s%s, but all must be in %s", place, field->name,
                           print_list(field, list, text, sizeof text), i >= length ? "x0" : "", field->range);
    if (length == 0 && !field->optional)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s: %s must be given", place, field->name);
    return HG_OK;
}

static hg_status resolve_choice(const hg_field *field, unsigned choice, const char *place, hg_error *error)
{
    unsigned count = 0;
    while (field->choice[count] != NULL)
        count++;
    return choice < count ? HG_OK
                          : hg_fail(error, HG_BAD_ARGUMENT, "%s: %s is %u, but must be below %u", place, field->name,
                                    choice, count);
}

static hg_status resolve_field(const hg_field *field, void *spec, const char *place, hg_error *error)
{
    hg_value value = get(field, spec);
    if (is_list(field))
        return resolve_list(field, value.list, place, error);
    if (field->type == HG_FIELD_CHOICE)
        return resolve_choice(field, value.choice, place, error);
    if (!is_numeric(field) || (field->optional && numeric(field, value) == 0))
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

static const char *parse_integer(const hg_field *field, const char *text, hg_value *value)
{
    (void)field;
    char *end;
    errno = 0;
    value->integer = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 ? NULL : "an integer";
}

static const char *parse_number(const hg_field *field, const char *text, hg_value *value)
{
    (void)field;
    char *end;
    value->number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(value->number) ? NULL : "a number";
}

static const char *parse_boolean(const hg_field *field, const char *text, hg_value *value)
{
    (void)field;
    value->boolean = strcmp(text, "true") == 0;
    return value->boolean || strcmp(text, "false") == 0 ? NULL : "true or false";
}

static const char *parse_activation(const hg_field *field, const char *text, hg_value *value)
{
    (void)field;
    value->activation = hg_activation_find(text);
    return value->activation != NULL ? NULL : "the name of an activation";
}

static const char *parse_initializer(const hg_field *field, const char *text, hg_value *value)
{
    (void)field;
    return hg_initializer_find(text, &value->initializer) ? NULL : "the name of an initialiser";
}

static const char *parse_list(const hg_field *field, const char *text, hg_value *value)
{
    int length = 0, room = list_room(field);
    errno = 0;
    for (char *end; length < room; text = end + 1) {
        value->list[length++] = strtoll(text, &end, 10);
        if (end == text || errno != 0 || (*end != 'x' && *end != '\0'))
            break;
        if (*end == '\0' && (field->type == HG_FIELD_SHAPE || length == room))
            return NULL;
        if (*end == '\0')
            break;
    }
    return field->type == HG_FIELD_PAIR ? "two integers, as in 2x1" : "a shape, as in 8x2x2";
}

static const char *parse_choice(const hg_field *field, const char *text, hg_value *value)
{
    while (field->choice[value->choice] != NULL && strcmp(field->choice[value->choice], text) != 0)
        value->choice++;
    return field->choice[value->choice] != NULL ? NULL : "a name";
}

static bool list_in_range(const hg_field *field, const char *text)
{
    bool good = hg_in_range(strtod(text, NULL), field->range);
    for (const char *x = strchr(text, 'x'); x != NULL && good; x = strchr(x + 1, 'x'))
        good = hg_in_range(strtod(x + 1, NULL), field->range);
    return good;
}

static char *choice_names(const hg_field *field, char text[HG_SPEC_TEXT])
{
    *text = '\0';
    for (const char *const *name = field->choice; *name != NULL; name++)
        append(text, *name);
    return text;
}

/* What was expected, or NULL if the text gave it. */
static const char *(*const parse[HG_FIELD_TYPES])(const hg_field *field, const char *text, hg_value *value) = {
    [HG_FIELD_INT] = parse_integer,           [HG_FIELD_NUMBER] = parse_number,
    [HG_FIELD_BOOL] = parse_boolean,          [HG_FIELD_ACTIVATION] = parse_activation,
    [HG_FIELD_INITIALIZER] = parse_initializer, [HG_FIELD_PAIR] = parse_list,
    [HG_FIELD_SHAPE] = parse_list,            [HG_FIELD_CHOICE] = parse_choice,
};

hg_status hg_field_set(const hg_field *field, void *spec, const char *text, const char *place, hg_error *error)
{
    hg_value value = { 0 };
    char names[HG_SPEC_TEXT];
    const char *expected = parse[field->type](field, text, &value);
    if (expected != NULL && field->type == HG_FIELD_CHOICE)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s must be one of %s, not \"%.64s\"", place, field->name,
                       choice_names(field, names), text);
    if (expected != NULL)
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s must be %s, not \"%.64s\"", place, field->name, expected, text);
    if (is_numeric(field) && !hg_in_range(numeric(field, value), field->range))
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s is %s, but must be in %s", place, field->name, text,
                       field->range);
    if (is_list(field) && !list_in_range(field, text))
        return hg_fail(error, HG_BAD_ARGUMENT, "%s%s is %s, but all must be in %s", place, field->name, text,
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
    case HG_FIELD_PAIR:
    case HG_FIELD_SHAPE:
        snprintf(text, size, "%s ", field->name);
        print_list(field, value.list, text, size);
        break;
    case HG_FIELD_CHOICE:
        snprintf(text, size, "%s %s", field->name, field->choice[value.choice]);
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
