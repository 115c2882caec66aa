/* Statuses and the latched error. */
#include <hourglass/status.h>

#include <assert.h>
#include <stdio.h>

const char *hg_status_text(hg_status status)
{
    static const char *const texts[] = {
#define HG_STATUS_TEXT(name, text) [name] = text,
        HG_STATUSES(HG_STATUS_TEXT)
#undef HG_STATUS_TEXT
    };
    const size_t count = sizeof texts / sizeof *texts;
    return (size_t)status < count ? texts[status] : "an unknown status";
}

hg_status hg_vfail(hg_error *error, hg_status status, const char *format, va_list arguments)
{
    assert(status != HG_OK);
    if (error && error->status == HG_OK) {
        vsnprintf(error->text, sizeof error->text, format, arguments);
        error->status = status;
    }
    return status;
}

hg_status hg_fail(hg_error *error, hg_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    hg_vfail(error, status, format, arguments);
    va_end(arguments);
    return status;
}
