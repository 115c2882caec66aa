/* The library's version. */
#ifndef HOURGLASS_VERSION_H
#define HOURGLASS_VERSION_H

#include <hourglass/status.h>

HG_API const char *hg_version(void); /* of the library that runs, "0.1.0" */

#endif
