/* Counts every allocation of the process. */
#include "config.h"

#include "bench.h"

#include "../../tests/allocations.h"

long hg_allocations(void)
{
#ifdef COUNTS_ALLOCATIONS
    return allocations;
#else
    return -1;
#endif
}
