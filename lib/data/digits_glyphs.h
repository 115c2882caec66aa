/* How digits are drawn: the movements of a pen, as control points of uniform quadratic B-splines.

   A stroke starts at its first point and ends at its last; between them the curve passes halfway between
   neighbours. A point given twice is a corner, which the curve meets. UP lifts the pen, END ends the glyph.
   Units: hundredths of the glyph's box, x to the right, y down. */
#ifndef HG_DATA_DIGITS_GLYPHS_H
#define HG_DATA_DIGITS_GLYPHS_H

#include <stdint.h>

enum { PEN_UP = -1, GLYPH_END = -2, GLYPH_POINTS = 24 };
#define UP  { PEN_UP, 0 }
#define END { GLYPH_END, 0 }

typedef struct glyph {
    int8_t label;
    int8_t point[GLYPH_POINTS][2]; /* x, y */
} glyph;

/* Those of one digit stand together; each is drawn equally often. */
static const glyph glyphs[] = {
    /* closed at the top; begun at the right, with an overlap */
    { 0, { { 54, 4 }, { 18, 2 }, { 18, 98 }, { 82, 98 }, { 82, 4 }, { 50, 4 }, END } },
    { 0, { { 68, 16 }, { 42, -4 }, { 12, 40 }, { 18, 100 }, { 76, 104 }, { 92, 10 }, { 56, 4 }, { 40, 12 },
           END } },

    /* a bar; with a flag; with a flag and a foot */
    { 1, { { 50, 2 }, { 50, 50 }, { 50, 98 }, END } },
    { 1, { { 30, 28 }, { 44, 20 }, { 56, 2 }, { 56, 2 }, { 55, 50 }, { 54, 98 }, END } },
    { 1, { { 32, 24 }, { 46, 16 }, { 54, 2 }, { 54, 2 }, { 53, 50 }, { 52, 96 }, UP,
           { 26, 97 }, { 50, 96 }, { 78, 97 }, END } },

    /* a sharp foot; a looped foot */
    { 2, { { 20, 26 }, { 24, 0 }, { 80, -4 }, { 84, 36 }, { 58, 66 }, { 18, 96 }, { 18, 96 }, { 50, 95 },
           { 84, 96 }, END } },
    { 2, { { 22, 20 }, { 34, -2 }, { 78, -2 }, { 80, 36 }, { 56, 84 }, { 20, 104 }, { 14, 78 }, { 40, 76 },
           { 60, 98 }, { 88, 90 }, END } },

    /* two bows; a flat top */
    { 3, { { 22, 14 }, { 40, -4 }, { 84, 2 }, { 80, 42 }, { 44, 47 }, { 44, 47 }, { 90, 46 }, { 92, 98 },
           { 40, 106 }, { 16, 84 }, END } },
    { 3, { { 22, 5 }, { 50, 6 }, { 78, 4 }, { 78, 4 }, { 62, 26 }, { 44, 42 }, { 44, 42 }, { 88, 42 },
           { 92, 98 }, { 40, 106 }, { 18, 86 }, END } },

    /* open; closed and pointed */
    { 4, { { 28, 6 }, { 22, 34 }, { 18, 58 }, { 18, 58 }, { 50, 58 }, { 84, 54 }, UP,
           { 72, 8 }, { 68, 50 }, { 66, 98 }, END } },
    { 4, { { 84, 68 }, { 50, 68 }, { 14, 68 }, { 14, 68 }, { 40, 34 }, { 64, 2 }, { 64, 2 }, { 63, 50 },
           { 62, 98 }, END } },

    /* bar last; in one movement */
    { 5, { { 30, 6 }, { 28, 24 }, { 24, 44 }, { 24, 44 }, { 50, 34 }, { 90, 44 }, { 86, 100 }, { 40, 106 },
           { 18, 86 }, UP,
           { 30, 6 }, { 54, 7 }, { 80, 4 }, END } },
    { 5, { { 82, 4 }, { 58, 4 }, { 34, 6 }, { 34, 6 }, { 28, 26 }, { 26, 44 }, { 60, 40 }, { 88, 54 },
           { 80, 98 }, { 44, 106 }, { 16, 92 }, END } },

    /* a round back; a straight one with a small bow */
    { 6, { { 68, 6 }, { 40, 10 }, { 14, 52 }, { 18, 100 }, { 78, 104 }, { 84, 56 }, { 46, 46 }, { 24, 70 },
           END } },
    { 6, { { 56, 2 }, { 36, 30 }, { 20, 62 }, { 22, 102 }, { 72, 102 }, { 76, 64 }, { 48, 54 }, { 26, 76 },
           END } },

    /* plain; with a bar */
    { 7, { { 18, 8 }, { 50, 7 }, { 82, 6 }, { 82, 6 }, { 58, 50 }, { 46, 98 }, END } },
    { 7, { { 18, 16 }, { 24, 4 }, { 50, 8 }, { 82, 4 }, { 82, 4 }, { 56, 48 }, { 40, 98 }, UP,
           { 32, 54 }, { 54, 52 }, { 76, 52 }, END } },

    /* in one movement; a ring on a ring */
    { 8, { { 74, 14 }, { 50, -8 }, { 16, 14 }, { 40, 44 }, { 84, 66 }, { 72, 106 }, { 26, 106 }, { 16, 68 },
           { 60, 44 }, { 84, 22 }, { 70, 8 }, END } },
    { 8, { { 52, 46 }, { 20, 44 }, { 24, 2 }, { 76, 2 }, { 82, 44 }, { 50, 47 }, UP,
           { 52, 47 }, { 10, 50 }, { 16, 100 }, { 84, 100 }, { 90, 50 }, { 50, 46 }, END } },

    /* a straight leg; a tail */
    { 9, { { 74, 16 }, { 54, -4 }, { 20, 8 }, { 22, 50 }, { 62, 56 }, { 76, 14 }, { 76, 14 }, { 72, 56 },
           { 66, 98 }, END } },
    { 9, { { 72, 20 }, { 56, -2 }, { 20, 6 }, { 20, 52 }, { 64, 54 }, { 76, 12 }, { 84, 60 }, { 76, 104 },
           { 46, 102 }, { 26, 88 }, END } },
};
enum { GLYPHS = sizeof glyphs / sizeof *glyphs };

#undef UP
#undef END

#endif
