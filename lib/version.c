#include "config.h"

#include <hourglass/version.h>

const char *hg_version(void)
{
    return PACKAGE_VERSION;
}
