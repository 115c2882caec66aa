/* hourglass --version */
#include "cli.h"

#include <hourglass/version.h>

#include <stdio.h>

int hg_print_version(void)
{
    printf("hourglass %s\n", hg_version());
    printf("instruction set  %s\n", hg_isa_name(hg_isa_best()));
    printf("BLIS kernels     %s\n", hg_blas_kernels());
    printf("threads          %d\n", hg_threads_best());
    return 0;
}
