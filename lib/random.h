/* Counter-based random numbers (Philox): a function of a key, a step and an index, and of nothing else. */
#ifndef HG_RANDOM_H
#define HG_RANDOM_H

#include <Random123/philox.h>
#include <stdint.h>

/* The key of a named stream under a seed. */
static inline uint64_t hg_random_key(uint64_t seed, const char *name)
{
    uint64_t key = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name != '\0'; name++)
        key = (key ^ (unsigned char)*name) * 0x100000001b3u;
    key += seed * 0x9e3779b97f4a7c15u; /* then the finalizer of splitmix64, for close seeds to differ everywhere */
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return key ^ (key >> 31);
}

/* Four words of 32 random bits. */
static inline philox4x32_ctr_t hg_random_words(uint64_t key, uint64_t step, uint64_t index)
{
    philox4x32_ctr_t counter = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step, (uint32_t)(step >> 32) } };
    philox4x32_key_t words = { { (uint32_t)key, (uint32_t)(key >> 32) } };
    return philox4x32(counter, words);
}

/* [0, 1) with 53 bits, and with 24, from words of random bits. */
static inline double hg_uniform53(uint32_t high, uint32_t low)
{
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

static inline float hg_uniform24(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

#endif
