/* Products of reals on the matrix tiles of some x86-64 processors (AMX). Tiles multiply numbers of 8 bits and add in f32, 16
   times as many a cycle as vectors do f32's. So each real is split into three such parts, exactly, and six of the nine products
   of parts are added: the other three are below 2^-24 of the whole, half of f32's last bit. What cannot be split are NaN,
   infinities and what rounds to one in 8 bits: all that they are in becomes NaN. Below 2^-108 reals lose bits, as tiles take
   denormal parts for 0.
   (Henry, Tang and Heinecke, Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations,
   2019.) */
#ifndef HG_OP_MATRIX_TILES_H
#define HG_OP_MATRIX_TILES_H

#include "vector.h"

#include "matrix_strips.h"

/* The build says so of kernels for processors with tiles. */
#ifndef HG_HAS_TILES
#define HG_HAS_TILES 0
#endif

#if HG_HAS_TILES

#include <stdatomic.h>

/* A strip is of two tiles' rows of the left factor, or columns of the right one, in blocks of k; in a block, part after part:
   high, middle, low; and in a part its two tiles. A tile's row holds 16 pairs of steps of k: in the lower halves one, in the
   upper ones that 16 further on. Of the left factor, tiles' rows are rows; of the right one, pairs of steps. */
enum { TILE = 16, STRIP = HG_STRIP, STEPS = HG_STRIP_STEPS, TILE_ROW = 64, TILE_BYTES = TILE * TILE_ROW,
       PART_BYTES = 2 * TILE_BYTES, BLOCK_BYTES = 3 * PART_BYTES };
_Static_assert((int)BLOCK_BYTES == (int)HG_BLOCK_BYTES, "room for strips");

/* ---- Splitting ----------------------------------------------------------------------------------------------- */

/* Where two reals' parts go, side by side: the first part is the nearest, of the others nothing is left. Returns NaN or an
   infinity for what cannot be split. */
HG_INLINE vec split(vec x, vec y, char *to)
{
    const ivec zero = { 0 }, half = zero + 0x8000, upper = zero + (integer)0xffff0000;
    const __m512i down = _mm512_set4_epi32(0x0f0e0f0e, 0x0b0a0b0a, 0x07060706, 0x03020302);
    vec x_part = (vec)(((ivec)x + half) & upper), y_part = (vec)(((ivec)y + half) & upper);
    HG_UNROLL for (int part = 0; part < 3; part++) {
        _mm512_store_si512(to + part * PART_BYTES,
                           _mm512_mask_shuffle_epi8((__m512i)y_part, 0x3333333333333333, (__m512i)x_part, down));
        if (part < 2) {
            x -= x_part;
            y -= y_part;
        }
        x_part = part == 0 ? (vec)((ivec)x & upper) : x;
        y_part = part == 0 ? (vec)((ivec)y & upper) : y;
    }
    return x * y;
}

HG_INLINE bool is_unusual(vec unusual)
{
    const vec zero = unusual - unusual;
    return _mm512_cmp_ps_mask((__m512)zero, (__m512)zero, _CMP_UNORD_Q) != 0;
}

/* ---- Multiplying --------------------------------------------------------------------------------------------- */

/* Tiles' numbers are parts of instructions: 0 to 3 are the sums, 4 and 5 the left factor's, 6 and 7 the right one's. */
static void begin_tiles(void)
{
    static const struct {
        uint8_t  palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t  rows[16];
    } config = { .palette = 1,
                 .row_bytes = { TILE_ROW, TILE_ROW, TILE_ROW, TILE_ROW, TILE_ROW, TILE_ROW, TILE_ROW, TILE_ROW },
                 .rows = { TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE } };
    _Static_assert(sizeof config == 64, "as the processor reads it");
    _tile_loadconfig(&config);
}

static void end_tiles(void) { _tile_release(); }

/* Some tiles of c = a b: one, or two below each other, side by side, or four. */
typedef struct tiles_of {
    bool        tall, wide, onward; /* onward: c += a b */
    const char *a, *b;              /* strips */
    int64_t     blocks;
    real       *c;
    int64_t     c_row;
} tiles_of;

/* Called once a block. */
typedef void meanwhile_fn(void *of);

HG_INLINE void begin_sums(const bool tall, const bool wide, const tiles_of *t)
{
    const real *below = t->c + TILE * t->c_row;
    const int64_t step = t->c_row * (int64_t)sizeof(real);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (!t->onward)
        return;
    _tile_loadd(0, t->c, step);
    if (wide)
        _tile_loadd(1, t->c + TILE, step);
    if (tall)
        _tile_loadd(2, below, step);
    if (tall && wide)
        _tile_loadd(3, below + TILE, step);
}

HG_INLINE void end_sums(const bool tall, const bool wide, const tiles_of *t)
{
    real *below = t->c + TILE * t->c_row;
    const int64_t step = t->c_row * (int64_t)sizeof(real);
    _tile_stored(0, t->c, step);
    if (wide)
        _tile_stored(1, t->c + TILE, step);
    if (tall)
        _tile_stored(2, below, step);
    if (tall && wide)
        _tile_stored(3, below + TILE, step);
}

/* The products of what is loaded, and the next part of one factor, each tile as soon as its last product has begun. */
#define MULTIPLY_THEN_LEFT(next)                                                                                    \
    do {                                                                                                            \
        _tile_dpbf16ps(0, 4, 6);                                                                                    \
        if (wide)                                                                                                   \
            _tile_dpbf16ps(1, 4, 7);                                                                                \
        _tile_loadd(4, next, TILE_ROW);                                                                             \
        if (tall)                                                                                                   \
            _tile_dpbf16ps(2, 5, 6);                                                                                \
        if (tall && wide)                                                                                           \
            _tile_dpbf16ps(3, 5, 7);                                                                                \
        if (tall)                                                                                                   \
            _tile_loadd(5, (next) + TILE_BYTES, TILE_ROW);                                                          \
    } while (0)
#define MULTIPLY_THEN_RIGHT(next)                                                                                   \
    do {                                                                                                            \
        _tile_dpbf16ps(0, 4, 6);                                                                                    \
        if (tall)                                                                                                   \
            _tile_dpbf16ps(2, 5, 6);                                                                                \
        _tile_loadd(6, next, TILE_ROW);                                                                             \
        if (wide)                                                                                                   \
            _tile_dpbf16ps(1, 4, 7);                                                                                \
        if (tall && wide)                                                                                           \
            _tile_dpbf16ps(3, 5, 7);                                                                                \
        if (wide)                                                                                                   \
            _tile_loadd(7, (next) + TILE_BYTES, TILE_ROW);                                                          \
    } while (0)

/* Compilers do not know what tiles are loaded from. */
HG_INLINE void multiply_tiles(const bool tall, const bool wide, const tiles_of *t, meanwhile_fn *meanwhile, void *of)
{
    enum { HIGH = 0, MIDDLE = PART_BYTES, LOW = 2 * PART_BYTES };
    const char *a = t->a, *b = t->b;
    atomic_signal_fence(memory_order_seq_cst);
    begin_sums(tall, wide, t);
    _tile_loadd(4, a + HIGH, TILE_ROW);
    if (tall)
        _tile_loadd(5, a + HIGH + TILE_BYTES, TILE_ROW);
    for (int64_t block = t->blocks; block > 0; block--, b += BLOCK_BYTES) {
        const char *next = block > 1 ? a + BLOCK_BYTES : a;
        _tile_loadd(6, b + LOW, TILE_ROW);
        if (wide)
            _tile_loadd(7, b + LOW + TILE_BYTES, TILE_ROW);
        MULTIPLY_THEN_RIGHT(b + MIDDLE);
        MULTIPLY_THEN_LEFT(a + MIDDLE);
        if (meanwhile != NULL)
            meanwhile(of);
        MULTIPLY_THEN_RIGHT(b + HIGH);
        MULTIPLY_THEN_LEFT(a + LOW);
        MULTIPLY_THEN_LEFT(a + HIGH);
        MULTIPLY_THEN_LEFT(next + HIGH);
        a = next;
    }
    end_sums(tall, wide, t);
    atomic_signal_fence(memory_order_seq_cst);
}

HG_INLINE void multiply_strips(const tiles_of *t, meanwhile_fn *meanwhile, void *of)
{
    if (t->tall && t->wide)
        multiply_tiles(true, true, t, meanwhile, of);
    else if (t->tall)
        multiply_tiles(true, false, t, meanwhile, of);
    else if (t->wide)
        multiply_tiles(false, true, t, meanwhile, of);
    else
        multiply_tiles(false, false, t, meanwhile, of);
}

#endif
#endif
