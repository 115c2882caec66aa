/* Declarations are data: a layer, a loss, a penalty, an optimiser is a kind with a spec, a struct whose members a table
   describes. Defaults, checks, JSON and what is printed all come from that table. In a spec, zero means "default". */
#ifndef HOURGLASS_SPEC_H
#define HOURGLASS_SPEC_H

#include <hourglass/tensor.h>
#include <stddef.h>

/* ---- Activations ---------------------------------------------------------------------------------------- */

/* Any function of this shape will do; those with a name can be saved in a file and loaded again. */
typedef hg_tensor *hg_activation(hg_tensor *x);

/* "linear", "relu", "leaky_relu", "elu", "softplus", "gelu", "sigmoid", "tanh". NULL if there is none of that name. */
HG_API hg_activation *hg_activation_find(const char *name);
HG_API const char    *hg_activation_name(hg_activation *activation); /* "linear" for NULL, "custom" if it has no name */
/* Named activations in order; NULL past the end. */
HG_API const char *hg_activation_at(size_t index);
/* How weights start before this activation: He's rule for rectifiers, Xavier's for others. */
HG_API hg_initializer hg_activation_initializer(hg_activation *activation);
HG_API hg_tensor *hg_leaky(hg_tensor *x);     /* "leaky_relu": slope 0.01 */
HG_API hg_tensor *hg_elu_unit(hg_tensor *x);  /* "elu": alpha 1 */

/* ---- Initialisers as constant data; a zero initialiser means "default" ----------------------------------- */
#define HG_XAVIER            { HG_INITIAL_XAVIER, 1 }
#define HG_XAVIER_GAIN(gain) { HG_INITIAL_XAVIER, gain }
#define HG_HE                { HG_INITIAL_HE, 1 }
#define HG_UNIFORM(limit)    { HG_INITIAL_UNIFORM, limit }
#define HG_NORMAL(deviation) { HG_INITIAL_NORMAL, deviation }
#define HG_ORTHOGONAL(gain)  { HG_INITIAL_ORTHOGONAL, gain }
#define HG_FILLED(value)     { HG_INITIAL_CONSTANT, value }

/* ---- Fields ---------------------------------------------------------------------------------------------- */

typedef enum hg_field_type {
    HG_FIELD_INT,         /* int64_t */
    HG_FIELD_NUMBER,      /* double, finite */
    HG_FIELD_BOOL,        /* bool */
    HG_FIELD_ACTIVATION,  /* hg_activation *, linear by default */
    HG_FIELD_INITIALIZER, /* hg_initializer */
    HG_FIELD_PAIR,        /* int64_t[2]: { along the height, along the width }; 2x1 as text, [2, 1] in JSON */
    HG_FIELD_SHAPE,       /* int64_t[HG_MAX_RANK - 1], up to the first 0; 8x2x2 as text */
    HG_FIELD_CHOICE,      /* an enum, by the names in `choice` */
    HG_FIELD_TYPES
} hg_field_type;

typedef struct hg_field {
    const char   *name;
    hg_field_type type;
    size_t        offset;   /* in the spec */
    const char   *range;    /* of numbers and integers, each of them: "[1, inf)" or "(0, 1)"; NULL: any. Without a
                               default and with 0 outside of the range, the field must be given unless it is optional. */
    double        fallback; /* the default of numbers and integers; a range leaves out 0 where this is not 0 */
    bool          optional; /* 0 is left as it is: "not given" */
    const char *const *choice; /* names of an enum's values from 0 on, the default; NULL ends them */
} hg_field;

#define HG_INT_FIELD(spec, member, interval, otherwise)                                                       \
    { .name = #member, .type = HG_FIELD_INT, .offset = offsetof(spec, member), .range = interval,             \
      .fallback = otherwise }
#define HG_OPTIONAL_INT_FIELD(spec, member, interval)                                                         \
    { .name = #member, .type = HG_FIELD_INT, .offset = offsetof(spec, member), .range = interval,             \
      .optional = true }
#define HG_PAIR_FIELD(spec, member, interval)                                                                 \
    { .name = #member, .type = HG_FIELD_PAIR, .offset = offsetof(spec, member), .range = interval,            \
      .optional = true }
#define HG_SHAPE_FIELD(spec, member)                                                                          \
    { .name = #member, .type = HG_FIELD_SHAPE, .offset = offsetof(spec, member), .range = "[1, inf)" }
#define HG_CHOICE_FIELD(spec, member, names)                                                                  \
    { .name = #member, .type = HG_FIELD_CHOICE, .offset = offsetof(spec, member), .choice = names }
#define HG_NUMBER_FIELD(spec, member, interval, otherwise)                                                    \
    { .name = #member, .type = HG_FIELD_NUMBER, .offset = offsetof(spec, member), .range = interval,          \
      .fallback = otherwise }
#define HG_BOOL_FIELD(spec, member)                                                                           \
    { .name = #member, .type = HG_FIELD_BOOL, .offset = offsetof(spec, member) }
#define HG_ACTIVATION_FIELD(spec, member)                                                                     \
    { .name = #member, .type = HG_FIELD_ACTIVATION, .offset = offsetof(spec, member) }
#define HG_INITIALIZER_FIELD(spec, member)                                                                    \
    { .name = #member, .type = HG_FIELD_INITIALIZER, .offset = offsetof(spec, member) }

/* What every kind begins with. */
#define HG_SPEC_BYTES 256
typedef struct hg_kind {
    const char     *name;
    size_t          size;  /* of a spec, at most HG_SPEC_BYTES */
    const hg_field *field; /* ends with a field without a name; NULL: the kind has no spec */
} hg_kind;

/* Kinds by name: of the lists hg_layer_kinds, hg_optimizer_kinds, hg_loss_kinds, hg_penalty_kinds, which end with NULL.
   Each kind in a list is the first member of an hg_layer_kind and so on, to which it can be cast. */
HG_API const hg_kind *hg_kind_find(const hg_kind *const kinds[], const char *name); /* NULL: none of that name */
/* Names of all kinds, "dense, custom". */
#define HG_SPEC_TEXT 512
HG_API char *hg_kind_names(const hg_kind *const kinds[], char text[HG_SPEC_TEXT]);

/* Copies a spec (NULL: all defaults) with the defaults filled in to `resolved`, which is aligned for anything and holds
   HG_SPEC_BYTES. A value out of its range is refused: "PLACE: units is 0, but must be in [1, inf)". */
HG_API hg_status hg_spec_resolve(const hg_kind *kind, const void *spec, void *resolved, const char *place,
                                 hg_error *error);

/* Sets a field from text: a number, "true" or "false", the name of an activation, 2x1 ... Refused: anything else, and
   values outside of the field's range. */
HG_API hg_status hg_field_set(const hg_field *field, void *spec, const char *text, const char *place, hg_error *error);
/* Sets fields from "rate=0.1,nesterov=true"; "" sets none. */
HG_API hg_status hg_spec_set(const hg_kind *kind, void *spec, const char *text, const char *place, hg_error *error);
/* Whether a number lies in an interval as in hg_field.range. */
HG_API bool hg_in_range(double value, const char *range);

/* A field by its name; NULL if there is none. Names of all fields, "units, act, init". */
HG_API const hg_field *hg_field_find(const hg_kind *kind, const char *name);
HG_API char           *hg_field_names(const hg_kind *kind, char text[HG_SPEC_TEXT]);
/* Whether a field holds anything but zero, "default". */
HG_API bool hg_field_given(const hg_field *field, const void *spec);
/* Writes the fields that are given, "units 128, act relu", into text and returns it. */
HG_API char *hg_spec_print(const hg_kind *kind, const void *spec, char text[HG_SPEC_TEXT]);

/* Initialisers by name: "zeros", "constant", "uniform", "normal", "xavier", "he", "orthogonal"; false if there is none.
   Those with a usual argument (a gain of 1) get it, and the others 0. */
HG_API bool        hg_initializer_find(const char *name, hg_initializer *initializer);
HG_API const char *hg_initializer_name(hg_initial kind);

#endif
