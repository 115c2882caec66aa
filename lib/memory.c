/* Memory of arenas, parameters and states. With pages of 4 KiB, products of large matrices wait for the translation of
   addresses; and from malloc, what a plan or a graph frees would stay with the process. */
#include "config.h"

#include "memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { LINE = 64, HUGE_PAGE = 1 << 21 };

#if defined(__linux__) && defined(MADV_HUGEPAGE)
static size_t rounded(size_t bytes) { return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE; }

/* A huge page more is mapped than is kept, for the alignment. Only what is needed whole is wished to be huge: nothing
   is in memory that was not asked for. */
static void *map(size_t bytes)
{
    const size_t size = rounded(bytes);
    char *all = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    const size_t before = rounded((uintptr_t)all) - (uintptr_t)all, after = HUGE_PAGE - before;
    if (before > 0)
        munmap(all, before);
    if (after > 0)
        munmap(all + before + size, after);
    madvise(all + before, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return all + before;
}

static void unmap(void *memory, size_t bytes) { munmap(memory, rounded(bytes)); }
static bool is_mapped(size_t bytes) { return bytes >= HUGE_PAGE; }
#else /* everything from malloc */
static void *map(size_t bytes) { return calloc(1, bytes); }
static void unmap(void *memory, size_t bytes) { (void)bytes, free(memory); }
static bool is_mapped(size_t bytes) { return (void)bytes, false; }
#endif

void *hg_memory_new(size_t bytes)
{
    void *memory;
    if (bytes > SIZE_MAX / 2)
        return NULL;
    if (is_mapped(bytes))
        return map(bytes);
    if (posix_memalign(&memory, LINE, bytes > 0 ? bytes : LINE) != 0)
        return NULL;
    return memset(memory, 0, bytes);
}

void hg_memory_free(void *memory, size_t bytes)
{
    if (memory != NULL && is_mapped(bytes))
        unmap(memory, bytes);
    else
        free(memory);
}
