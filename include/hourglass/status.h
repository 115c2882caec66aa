/* Errors: one list of statuses, one sentence of text. */
#ifndef HOURGLASS_STATUS_H
#define HOURGLASS_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define HG_API __attribute__((visibility("default")))
#define HG_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define HG_API
#define HG_PRINTF(text, first)
#endif

#define HG_STATUSES(STATUS)                                                  \
    STATUS(HG_OK, "no error")                                                \
    STATUS(HG_OUT_OF_MEMORY, "out of memory")                                \
    STATUS(HG_BAD_ARGUMENT, "an argument is not usable")                     \
    STATUS(HG_BAD_SHAPE, "shapes do not fit")                                \
    STATUS(HG_BAD_DTYPE, "the element types do not fit")                     \
    STATUS(HG_NO_GRADIENT, "an op has no gradient")                          \
    STATUS(HG_UNKNOWN_NAME, "there is nothing of that name")                 \
    STATUS(HG_CANNOT_READ, "a file cannot be read")                          \
    STATUS(HG_CANNOT_WRITE, "a file cannot be written")                      \
    STATUS(HG_BAD_FILE, "a file is damaged or of another kind")              \
    STATUS(HG_BAD_DATA, "the data hold values that cannot be trained on")    \
    STATUS(HG_DIVERGED, "the training diverged")                             \
    STATUS(HG_GRADIENT_WRONG, "a gradient differs from its finite difference")  \
    STATUS(HG_NOT_PROVEN, "a declaration is not what it says")

typedef enum hg_status {
#define HG_STATUS_NAME(name, text) name,
    HG_STATUSES(HG_STATUS_NAME)
#undef HG_STATUS_NAME
} hg_status;

/* The general meaning of a status; never NULL. */
HG_API const char *hg_status_text(hg_status status);

/* An error that latches: the first failure is kept, later ones are dropped. Zero means "no error". */
#define HG_ERROR_TEXT 768
typedef struct hg_error {
    hg_status status;
    char      text[HG_ERROR_TEXT]; /* one sentence that names the thing: layer, file, byte, shapes, step */
} hg_error;

/* Latches status and text in *error, unless an error is there already or error is NULL; returns status. */
HG_API hg_status hg_fail(hg_error *error, hg_status status, const char *format, ...) HG_PRINTF(3, 4);
HG_API hg_status hg_vfail(hg_error *error, hg_status status, const char *format, va_list arguments) HG_PRINTF(3, 0);

#endif
