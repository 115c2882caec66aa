/* Memory for numbers. */
#ifndef HG_MEMORY_H
#define HG_MEMORY_H

#include <stddef.h>

/* Zeros, aligned to a cache line. Much of it lies on huge pages, where the system has them, and goes back to the
   system when it is freed. NULL: out of memory. */
void *hg_memory_new(size_t bytes);
void  hg_memory_free(void *memory, size_t bytes); /* as many as were asked for; accepts NULL */

#endif
