/* The loop around the body of an elementwise kernel. A body follows its macro as a function's body does:
       MAP2(add) { return a + b; }
   makes add_of(a, b), the loop over it, and the OP(add) that the host half refers to. */
#ifndef HG_OP_ELEMENTWISE_H
#define HG_OP_ELEMENTWISE_H

#include "kernel.h"

#define MAP_KERNEL(name, setup, call)                                                                        \
    MAP_LOOP(name, setup, call)                                                                              \
    const hg_kernels OP(name) = { .elements = name##_elements };
/* Also as a link of a chain. */
#define CHAIN_KERNEL(name, setup, call)                                                                      \
    MAP_LOOP(name, setup, call)                                                                              \
    const hg_kernels OP(name) = { .elements = name##_elements, .chain = chain_elements };
#define MAP_LOOP(name, setup, call)                                                                          \
    static void name##_elements(const hg_tensor *t, int64_t begin, int64_t n, void *to, const void *const in[]) \
    {                                                                                                        \
        real *y = to;                                                                                        \
        setup                                                                                                \
        (void)t;                                                                                             \
        (void)begin;                                                                                         \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = call;                                     \
    }

/* Of one, two, three inputs. */
#define MAP1(name)                                                                                           \
    static inline real name##_of(real x);                                                                    \
    MAP_KERNEL(name, const real *x = in[0];, name##_of(x[i]))                                                \
    static inline __attribute__((always_inline)) real name##_of(real x)
#define MAP2(name)                                                                                           \
    static inline real name##_of(real a, real b);                                                            \
    MAP_KERNEL(name, const real *a = in[0]; const real *b = in[1];, name##_of(a[i], b[i]))                   \
    static inline __attribute__((always_inline)) real name##_of(real a, real b)
#define MAP3(name)                                                                                           \
    static inline real name##_of(real a, real b, real c);                                                    \
    MAP_KERNEL(name, const real *a = in[0]; const real *b = in[1]; const real *c = in[2];,                   \
               name##_of(a[i], b[i], c[i]))                                                                  \
    static inline __attribute__((always_inline)) real name##_of(real a, real b, real c)

#define CHAIN1(name)                                                                                         \
    static inline real name##_of(real x);                                                                    \
    CHAIN_KERNEL(name, const real *x = in[0];, name##_of(x[i]))                                              \
    static inline __attribute__((always_inline)) real name##_of(real x)
#define CHAIN2(name)                                                                                         \
    static inline real name##_of(real a, real b);                                                            \
    CHAIN_KERNEL(name, const real *a = in[0]; const real *b = in[1];, name##_of(a[i], b[i]))                 \
    static inline __attribute__((always_inline)) real name##_of(real a, real b)

/* Of one input and the number (the numbers) that are the op's attribute. */
#define MAP1_NUMBER(name)                                                                                    \
    static inline real name##_of(real x, real number);                                                       \
    MAP_KERNEL(name, const real *x = in[0]; const real number = (real)*(const double *)t->attr;,             \
               name##_of(x[i], number))                                                                      \
    static inline __attribute__((always_inline)) real name##_of(real x, real number)
#define CHAIN1_NUMBER(name)                                                                                  \
    static inline real name##_of(real x, real number);                                                       \
    CHAIN_KERNEL(name, const real *x = in[0]; const real number = (real)*(const double *)t->attr;,           \
                 name##_of(x[i], number))                                                                    \
    static inline __attribute__((always_inline)) real name##_of(real x, real number)
#define MAP1_RANGE(name)                                                                                     \
    static inline real name##_of(real x, real low, real high);                                               \
    MAP_KERNEL(name, const real *x = in[0]; const double *range = t->attr;                                   \
               const real low = (real)range[0]; const real high = (real)range[1];,                           \
               name##_of(x[i], low, high))                                                                   \
    static inline __attribute__((always_inline)) real name##_of(real x, real low, real high)

#endif
