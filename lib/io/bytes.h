/* Byte order and overflow-checked sizes, for files. */
#ifndef HG_IO_BYTES_H
#define HG_IO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum hg_byte_order { HG_LITTLE_ENDIAN, HG_BIG_ENDIAN } hg_byte_order;

static inline hg_byte_order hg_host_order(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one ? HG_LITTLE_ENDIAN : HG_BIG_ENDIAN;
}

/* Converts count elements of `size` bytes between the host's byte order and another, in place. */
static inline void hg_convert_order(void *data, size_t count, size_t size, hg_byte_order order)
{
    if (order == hg_host_order())
        return;
    for (unsigned char *element = data; count--; element += size) {
        for (size_t i = 0; i < size / 2; i++) {
            unsigned char byte    = element[i];
            element[i]            = element[size - 1 - i];
            element[size - 1 - i] = byte;
        }
    }
}

static inline uint64_t hg_load_unsigned(const unsigned char *bytes, size_t size, hg_byte_order order)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[order == HG_BIG_ENDIAN ? i : size - 1 - i];
    return value;
}

static inline void hg_store_unsigned(unsigned char *bytes, size_t size, hg_byte_order order, uint64_t value)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        bytes[order == HG_BIG_ENDIAN ? size - 1 - i : i] = (unsigned char)value;
}

/* *product *= factor; false, and *product unchanged, if that leaves 0 ... 2^62. */
static inline bool hg_multiply(int64_t *product, int64_t factor)
{
    const int64_t limit = (int64_t)1 << 62;
    if (factor < 0 || (factor > 0 && *product > limit / factor))
        return false;
    *product *= factor;
    return true;
}

#endif
