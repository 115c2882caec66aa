/* Products of matrices by matrix_tiles.h. One factor is kept, packed, and the other goes past it strip by strip. An element is
   the sum of chains over blocks of k, whatever tile it is in: the same bits for every cut. */
#ifndef HG_OP_PRODUCT_TILES_H
#define HG_OP_PRODUCT_TILES_H

#include "product.h"

#include "matrix_tiles.h"

#if HG_HAS_TILES

/* ---- Packing ------------------------------------------------------------------------------------------------- */

/* A factor: n rows of the left one, or columns of the right one, `across` apart, of k steps, `along` apart; either is 1. */
typedef struct factor {
    const real *from;
    int64_t     n, across, k, along;
    bool        right;
} factor;

/* Half of a tile's steps: element (r, l) lies r * row + l * lane after `from`; rows x lanes are there. */
typedef struct half_tile {
    const real *from;
    int64_t     row, lane;
    int         rows, lanes;
} half_tile;

static int there(int64_t n, int64_t from) { return (int)hg_smaller(n > from ? n - from : 0, TILE); }

static half_tile half_of(const factor *f, int64_t n, int64_t k)
{
    const real *from = f->from + n * f->across + k * f->along;
    if (f->right)
        return (half_tile){ from, f->along, f->across, there(f->k, k), there(f->n, n) };
    return (half_tile){ from, f->across, f->along, there(f->n, n), there(f->k, k) };
}

static bool is_plain(const half_tile *h) { return h->lane == 1 && h->rows == TILE && h->lanes == TILE; }

HG_INLINE void load_half(const half_tile *h, vec v[TILE])
{
    const bool along = h->lane == 1;
    const int count = along ? h->rows : h->lanes;
    const int64_t apart = along ? h->row : h->lane;
    const some_lanes some = first_lanes(along ? h->lanes : h->rows);
    HG_UNROLL for (int i = 0; i < TILE; i++)
        v[i] = load_some(h->from + (i < count ? i : 0) * apart, i < count ? some : 0);
    if (!along)
        transpose(v);
}

HG_OUTLINE void pack_tile(const half_tile *lower, const half_tile *upper, char *to, vec *unusual)
{
    vec seen = *unusual;
    if (is_plain(lower) && is_plain(upper)) {
        const real *x = lower->from, *y = upper->from;
        for (int i = 0; i < TILE; i++, x += lower->row, y += upper->row)
            seen += split(load(x), load(y), to + i * TILE_ROW);
    } else {
        vec x[TILE], y[TILE];
        load_half(lower, x);
        load_half(upper, y);
        for (int i = 0; i < TILE; i++)
            seen += split(x[i], y[i], to + i * TILE_ROW);
    }
    *unusual = seen;
}

/* A strip, from a factor's element n on, that is packed tile by tile. */
typedef struct packer {
    const factor *of;
    int64_t       n, next, tiles; /* tiles: 0 for no strip */
    char         *to;
    int           every, wait; /* blocks of others that are multiplied */
    vec           unusual;
} packer;

static packer packer_of(const factor *f, int every)
{
    return (packer){ .of = f, .every = every, .wait = every };
}

static void begin_strip(packer *p, int64_t n, char *to)
{
    p->n = n;
    p->next = 0;
    p->tiles = n < p->of->n ? 2 * (int64_t)hg_pieces(p->of->k, STEPS) : 0;
    p->to = to;
}

static void pack_next(packer *p)
{
    const int64_t k = p->next / 2 * STEPS, second = p->next % 2, n = p->n + second * TILE;
    if (n < p->of->n) {
        const half_tile lower = half_of(p->of, n, k), upper = half_of(p->of, n, k + TILE);
        pack_tile(&lower, &upper, p->to + p->next / 2 * BLOCK_BYTES + second * TILE_BYTES, &p->unusual);
    }
    p->next++;
}

static void end_strip(packer *p)
{
    while (p->next < p->tiles)
        pack_next(p);
}

/* While tiles are multiplied, which is no work for vectors. */
HG_INLINE void pack_meanwhile(void *of)
{
    packer *p = of;
    if (--p->wait > 0)
        return;
    p->wait = p->every;
    if (p->next < p->tiles)
        pack_next(p);
}

/* ---- The factor that is kept, and the one that goes past it ------------------------------------------------- */

typedef struct passage {
    factor  kept, past;
    char   *packed_kept, *packed_past; /* the latter: two strips */
    real   *c;
    int64_t c_row, wanted; /* as in a product */
    bool    onward;
} passage;

static bool pack_kept(const passage *p)
{
    packer all = packer_of(&p->kept, 0);
    for (int64_t n = 0; n < p->kept.n; n += STRIP) {
        begin_strip(&all, n, p->packed_kept + hg_strips_bytes(n, p->kept.k));
        end_strip(&all);
    }
    return is_unusual(all.unusual);
}

static char *strip_past(const passage *p, int64_t i) { return p->packed_past + i / STRIP % 2 * hg_strip_bytes(p->past.k); }

static void copy_part(const real *from, real *to, int64_t to_row, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++, from += STRIP, to += to_row)
        memcpy(to, from, (size_t)columns * sizeof(real));
}

static void add_part(const real *from, real *to, int64_t to_row, int64_t rows, int64_t columns)
{
    const some_lanes left = first_lanes(hg_smaller(columns, LANES)), right = first_lanes(hg_larger(columns - LANES, 0));
    for (int64_t i = 0; i < rows; i++, from += STRIP, to += to_row) {
        store_some(to, load_some(to, left) + load(from), left);
        store_some(to + LANES, load_some(to + LANES, right) + load(from + LANES), right);
    }
}

/* STRIP x STRIP elements of c, of which rows x columns are there. So many blocks at most are summed by themselves: long
   chains are less accurate. */
static void tiled_square(tiles_of t, bool onward, int64_t rows, int64_t columns, packer *next)
{
    real sums[STRIP * STRIP], *const c = t.c;
    const int64_t c_row = t.c_row, blocks = t.blocks;
    const bool fits = rows % TILE == 0 && columns % TILE == 0;
    for (int64_t i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * c_row, 1);
        __builtin_prefetch(c + i * c_row + columns - 1, 1);
    }
    t.tall = rows > TILE;
    t.wide = columns > TILE;
    for (int64_t block = 0; block < blocks; block += HG_CHAIN_BLOCKS, onward = true) {
        const bool apart = onward || !fits;
        t.blocks = hg_smaller(HG_CHAIN_BLOCKS, blocks - block);
        t.c = apart ? sums : c;
        t.c_row = apart ? STRIP : c_row;
        multiply_strips(&t, pack_meanwhile, next);
        if (onward)
            add_part(sums, c, c_row, rows, columns);
        else if (apart)
            copy_part(sums, c, c_row, rows, columns);
        t.a += HG_CHAIN_BLOCKS * BLOCK_BYTES;
        t.b += HG_CHAIN_BLOCKS * BLOCK_BYTES;
    }
}

/* The strips from i of what goes past and from j of what is kept. */
static void square_of(const passage *p, int64_t i, int64_t j, packer *next)
{
    const char *past = strip_past(p, i), *kept = p->packed_kept + hg_strips_bytes(j, p->kept.k);
    const bool right = p->kept.right;
    const int64_t row = right ? i : j, column = right ? j : i;
    const int64_t rows = hg_smaller((right ? p->past.n : p->kept.n) - row, STRIP);
    const int64_t columns = hg_smaller((right ? p->kept.n : p->past.n) - column, STRIP);
    const tiles_of t = { .a = right ? past : kept, .b = right ? kept : past,
                         .blocks = hg_pieces(p->kept.k, STEPS), .c = p->c + row * p->c_row + column, .c_row = p->c_row };
    if (row < p->wanted + column + columns - 1)
        tiled_square(t, p->onward, rows, columns, next);
}

static bool go_past(const passage *p)
{
    const int squares = hg_pieces(p->kept.n, STRIP);
    packer next = packer_of(&p->past, squares < 2 ? 1 : squares / 2);
    begin_strip(&next, 0, strip_past(p, 0));
    end_strip(&next);
    for (int64_t i = 0; i < p->past.n; i += STRIP) {
        begin_strip(&next, i + STRIP, strip_past(p, i + STRIP));
        for (int64_t j = 0; j < p->kept.n; j += STRIP)
            square_of(p, i, j, &next);
        end_strip(&next);
    }
    return is_unusual(next.unusual);
}

/* ---- What cannot be split ------------------------------------------------------------------------------------ */

/* What rounds to infinity in 8 bits, and what is no number. */
static bool any_unusual(const factor *f, int64_t n)
{
    const real *x = f->from + n * f->across;
    for (int64_t k = 0; k < f->k; k++, x += f->along)
        if (!(R(fabs)(*x) < 0x1.ffp127f))
            return true;
    return false;
}

/* The first from n on of whose steps some cannot be split, or none. */
static int64_t next_of(const factor *f, int64_t n, bool unusual)
{
    while (n < f->n && any_unusual(f, n) != unusual)
        n++;
    return n;
}

/* Those rows or columns are multiplied anew by vectors, as they would be if there were no tiles. */
static void mend(const product *all, const factor *f)
{
    for (int64_t n = next_of(f, 0, true), end; n < f->n; n = next_of(f, end, true)) {
        product some = *all;
        end = next_of(f, n, false);
        some.whole_b = NULL;
        if (f->right) {
            some.columns = end - n;
            some.b += n * some.b_column;
            some.c += n;
            some.wanted = some.rows;
        } else {
            some.rows = some.wanted = end - n;
            some.a += n * some.a_row;
            some.c += n * some.c_row;
        }
        product_of_matrices(&some);
    }
}

/* ---- The whole ------------------------------------------------------------------------------------------------ */

/* A part of t. whole_b tells whether the factor that is kept is packed, whichever it is. */
static void tiled_product(const product *all, const hg_tensor *t)
{
    const hg_tiling tiling = hg_matmul_tiling(t);
    int64_t *const whole = all->whole_b;
    const factor left = { all->a, all->rows, all->a_row, all->k, all->a_column, false };
    const factor right = { all->b, all->columns, all->b_column, all->k, all->b_row, true };
    const bool keeps_right = tiling.keeps_right;
    const passage over = { .kept = keeps_right ? right : left, .past = keeps_right ? left : right, .c = all->c,
                           .c_row = all->c_row, .wanted = all->wanted, .packed_past = (char *)all->packed_a,
                           .packed_kept = (char *)all->packed_a + 2 * hg_strip_bytes(tiling.depth) };
    bool unusual = false;
    begin_tiles();
    for (int64_t n = 0; n < over.kept.n; n += tiling.most)
        for (int64_t k = 0; k < all->k; k += tiling.depth) {
            passage p = over;
            p.kept.n = hg_smaller(over.kept.n - n, tiling.most);
            p.kept.k = p.past.k = hg_smaller(all->k - k, tiling.depth);
            p.kept.from += n * p.kept.across + k * p.kept.along;
            p.past.from += k * p.past.along;
            p.c += keeps_right ? n : n * p.c_row;
            p.wanted += keeps_right ? n : -n;
            p.onward = k > 0;
            if (whole != NULL)
                p.packed_kept += hg_strips_bytes(p.kept.n, k);
            if (whole == NULL || !*whole)
                unusual |= pack_kept(&p);
            unusual |= go_past(&p);
        }
    end_tiles();
    if (unusual) {
        mend(all, &left);
        mend(all, &right);
    }
    if (whole != NULL)
        *whole = !unusual;
}

#endif
#endif
