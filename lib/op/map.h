/* What the host halves of the elementwise op files share. */
#ifndef HG_OP_MAP_H
#define HG_OP_MAP_H

#include <stdbool.h>

#include <hourglass/op.h>

/* An elementwise op of one input whose attribute is one double, finite in the graph's dtype. */
bool       hg_infer_number(hg_tensor *t);
hg_tensor *hg_apply_number(const hg_op *op, hg_tensor *x, double number);

/* Arithmetic on a value r and one more number c; c - r, c / r. */
enum hg_arithmetic { HG_ADD, HG_SUB, HG_SUB_FROM, HG_MUL, HG_DIV, HG_DIV_INTO, HG_SQUARE, HG_SQRT, HG_SIGN };
/* What a link takes of its number c. */
enum hg_taken { HG_ITSELF, HG_ITS_SQUARE, HG_ITS_SIGN };

/* c is the element of the chain's input `input`; a row's number where run > 0: each stands for so many neighbours; or, for
   input 0, `number`. The value is stored at the input `store` after that, if it is not 0. */
typedef struct hg_link {
    enum hg_arithmetic arithmetic;
    enum hg_taken      taken;
    int                input, store;
    int64_t            run;
    double             number;
} hg_link;

enum { HG_MOST_LINKS = 12 };

/* The attribute of what kernels' `chain` computes: input 0, and on it one link after the other. */
typedef struct hg_chain {
    int     links;
    unsigned far;  /* a bit for each input that is the first at its place in memory */
    bool far_output; /* to memory that no input is in */
    hg_link link[HG_MOST_LINKS];
} hg_chain;

#endif
