/* Counting the allocations of a whole program, whose own allocator stands before the C library's. For one source of a
   program. */
#ifndef HG_TESTS_ALLOCATIONS_H
#define HG_TESTS_ALLOCATIONS_H

#include <stdlib.h>

/* A sanitizer's allocator has to be the only one. gcc tells of it by a macro, clang by a feature. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

static _Atomic long allocations;

#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTS_ALLOCATIONS 1
/* By shared libraries too, whatever is hidden by default. */
#define SEEN __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

SEEN void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

SEEN void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

SEEN void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}

SEEN void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}

SEEN int posix_memalign(void **memory, size_t alignment, size_t size)
{
    allocations++;
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL;
}
#endif

#endif
