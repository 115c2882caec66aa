/* Squares of as many vectors as a vector has lanes, transposed in registers. */
#ifndef HG_TRANSPOSE_H
#define HG_TRANSPOSE_H

#define HG_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define HG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HG_UNROLL _Pragma("GCC unroll 16")
#endif

/* Lanes of two vectors in turns: of their first halves, of their second. */
#define HG_LOWER_2  0, 2
#define HG_UPPER_2  1, 3
#define HG_LOWER_4  0, 4, 1, 5
#define HG_UPPER_4  2, 6, 3, 7
#define HG_LOWER_8  0, 8, 1, 9, 2, 10, 3, 11
#define HG_UPPER_8  4, 12, 5, 13, 6, 14, 7, 15
#define HG_LOWER_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HG_UPPER_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

/* Defines name(vector v[lanes]): lane i of v[j] for lane j of v[i]. */
#define HG_TRANSPOSE(name, vector, lanes) HG_TRANSPOSE_OF(name, vector, lanes)
#define HG_TRANSPOSE_OF(name, vector, lanes)                                                                  \
    HG_INLINE void name(vector v[lanes])                                                                      \
    {                                                                                                         \
        HG_UNROLL for (int n = 1; n < lanes; n *= 2) {                                                        \
            vector w[lanes];                                                                                  \
            HG_UNROLL for (int i = 0; i < lanes / 2; i++) {                                                   \
                w[2 * i] = __builtin_shufflevector(v[i], v[i + lanes / 2], HG_LOWER_##lanes);                 \
                w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + lanes / 2], HG_UPPER_##lanes);             \
            }                                                                                                 \
            HG_UNROLL for (int i = 0; i < lanes; i++)                                                         \
                v[i] = w[i];                                                                                  \
        }                                                                                                     \
    }

#endif
