/* Hand-drawn-looking digits. Sample i is a function of the seed and i: its random numbers come from a
   counter, and its arithmetic is that of IEEE doubles, uncontracted and without library functions (the square
   root is exact), so that it has the same bytes everywhere. */
#include "dataset.h"
#include "digits_glyphs.h"

#include <Random123/philox.h>

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 28, HEIGHT = 28, PIXELS = WIDTH * HEIGHT, CLASSES = 10 };

/* ---- Random numbers ------------------------------------------------------------------------------------ */

enum purpose { LABELS = 1, DRAWING = 2 };

typedef struct stream {
    philox4x32_key_t key;
    philox4x32_ctr_t counter, numbers;
    int              left;
} stream;

static stream begin_stream(uint64_t seed, enum purpose purpose, uint64_t index)
{
    stream s = { .key     = { { (uint32_t)seed, (uint32_t)(seed >> 32) } },
                 .counter = { { (uint32_t)index, (uint32_t)(index >> 32), 0, (uint32_t)purpose } } };
    return s;
}

static uint32_t next_number(stream *s)
{
    if (s->left == 0) {
        s->numbers = philox4x32(s->counter, s->key);
        s->counter.v[2]++;
        s->left = 4;
    }
    return s->numbers.v[--s->left];
}

static int below(stream *s, int limit)
{
    return (int)((uint64_t)next_number(s) * (uint64_t)limit >> 32);
}

static double uniform(stream *s, double low, double high)
{
    return low + (high - low) * ((double)next_number(s) / 4294967296.0);
}

/* Mean 0, deviation 1, between -3 and 3. */
static double bell(stream *s)
{
    double sum = uniform(s, -1, 1);
    sum += uniform(s, -1, 1);
    return sum + uniform(s, -1, 1);
}

/* ---- The pen's path ------------------------------------------------------------------------------------ */

typedef struct point {
    double x, y;
} point;

enum { PIECES = 6, MOST_SEGMENTS = GLYPH_POINTS * PIECES, BEND = 4 };

typedef struct segment {
    point  from, to;
    double from_radius, to_radius;
} segment;

typedef struct path {
    int     count;
    segment segment[MOST_SEGMENTS];
} path;

/* One writer, one moment: everything that changes from sample to sample besides the glyph's own points. */
typedef struct hand {
    double xx, xy, yx, yy;   /* size, slant and rotation, pixels for each unit of the glyph's box */
    point  shift;            /* pixels */
    point  bend[BEND][BEND]; /* elastic distortion, on a grid over the image, pixels */
    double radius, pressure; /* pixels; the relative change along a stroke */
} hand;

static hand random_hand(stream *s)
{
    hand         h;
    const double size = 0.01 * (19 + 1.3 * bell(s)), aspect = 1 + 0.09 * bell(s);
    const double half_angle = 0.06 * bell(s), slant = 0.12 + 0.17 * bell(s);
    /* a rotation without sine and cosine, from the tangent of half the angle */
    const double norm   = 1 + half_angle * half_angle;
    const double cosine = (1 - half_angle * half_angle) / norm, sine = 2 * half_angle / norm;
    const double width = 0.86 * size * aspect, height = size;
    h.xx      = cosine * width;
    h.xy      = -cosine * slant * height - sine * height;
    h.yx      = sine * width;
    h.yy      = cosine * height - sine * slant * height;
    h.shift.x = 0.8 * bell(s);
    h.shift.y = 0.8 * bell(s);
    for (int i = 0; i < BEND * BEND; i++) {
        h.bend[i / BEND][i % BEND].x = 1.0 * bell(s);
        h.bend[i / BEND][i % BEND].y = 1.0 * bell(s);
    }
    h.radius   = 1.05 + 0.2 * bell(s);
    h.pressure = 0.18 * bell(s);
    return h;
}

/* The three weights of a quadratic B-spline at t in 0 ... 1. */
static void spline_weights(double t, double weight[3])
{
    weight[0] = 0.5 * (1 - t) * (1 - t);
    weight[2] = 0.5 * t * t;
    weight[1] = 1 - weight[0] - weight[2];
}

/* Where in the distortion's grid a pixel lies: a cell, and the place t within it. */
static int grid_cell(double pixel, double pixels, double *t)
{
    double at = pixel / pixels * (BEND - 2);
    at        = at < 0 ? 0 : at > BEND - 2 ? BEND - 2 : at;
    int cell  = at < BEND - 3 ? (int)at : BEND - 3;
    *t        = at - cell;
    return cell;
}

static point bend(const hand *h, point p)
{
    double    tx, ty, wx[3], wy[3];
    const int column = grid_cell(p.x, WIDTH, &tx), row = grid_cell(p.y, HEIGHT, &ty);
    spline_weights(tx, wx);
    spline_weights(ty, wy);
    point moved = p;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            moved.x += wy[i] * wx[j] * h->bend[row + i][column + j].x;
            moved.y += wy[i] * wx[j] * h->bend[row + i][column + j].y;
        }
    }
    return moved;
}

static point place(const hand *h, point p)
{
    const double x = p.x - 50, y = p.y - 50;
    const point  image = { 0.5 * WIDTH + h->xx * x + h->xy * y + h->shift.x,
                           0.5 * HEIGHT + h->yx * x + h->yy * y + h->shift.y };
    return bend(h, image);
}

static point middle(point a, point b)
{
    return (point){ 0.5 * (a.x + b.x), 0.5 * (a.y + b.y) };
}

static point quadratic(point a, point b, point c, double t)
{
    const double u = 1 - t;
    return (point){ u * u * a.x + 2 * u * t * b.x + t * t * c.x,
                    u * u * a.y + 2 * u * t * b.y + t * t * c.y };
}

static double radius_at(const hand *h, double progress)
{
    return h->radius * (1 + h->pressure * (2 * progress - 1));
}

/* Adds the spline through count >= 3 control points, already in the image. */
static void add_stroke(path *to, const hand *h, const point control[], int count)
{
    const double total = (count - 2) * PIECES;
    for (int i = 1; i < count - 1; i++) {
        const point a = i == 1 ? control[0] : middle(control[i - 1], control[i]);
        const point c = i == count - 2 ? control[count - 1] : middle(control[i], control[i + 1]);
        for (int piece = 0; piece < PIECES; piece++) {
            const double done        = (i - 1) * PIECES + piece;
            to->segment[to->count++] = (segment){
                .from        = quadratic(a, control[i], c, (double)piece / PIECES),
                .to          = quadratic(a, control[i], c, (double)(piece + 1) / PIECES),
                .from_radius = radius_at(h, done / total),
                .to_radius   = radius_at(h, (done + 1) / total),
            };
        }
    }
}

/* The glyph as this hand draws it; a corner's two points stay one. */
static path trace(const glyph *g, const hand *h, stream *s)
{
    path  drawn = { .count = 0 };
    point control[GLYPH_POINTS];
    int   count = 0;
    for (int i = 0;; i++) {
        const int x = g->point[i][0], y = g->point[i][1];
        if (x == PEN_UP || x == GLYPH_END) {
            add_stroke(&drawn, h, control, count);
            count = 0;
            if (x == GLYPH_END)
                return drawn;
            continue;
        }
        if (count && x == g->point[i - 1][0] && y == g->point[i - 1][1]) {
            control[count] = control[count - 1];
        } else {
            const double right = 2.2 * bell(s), down = 2.2 * bell(s);
            control[count] = place(h, (point){ x + right, y + down });
        }
        count++;
    }
}

/* ---- Ink ----------------------------------------------------------------------------------------------- */

static int clamp_pixel(double at, int limit)
{
    return at < 0 ? 0 : at > limit ? limit : (int)at;
}

/* Darkens what a pen drawn along the segment touches: full within the radius, fading over one pixel at its
   edge. */
static void ink(const segment *s, double image[PIXELS])
{
    const double dx = s->to.x - s->from.x, dy = s->to.y - s->from.y, length2 = dx * dx + dy * dy;
    const double reach = (s->from_radius > s->to_radius ? s->from_radius : s->to_radius) + 0.5;
    const int    left  = clamp_pixel((dx < 0 ? s->to.x : s->from.x) - reach, WIDTH);
    const int    right = clamp_pixel((dx < 0 ? s->from.x : s->to.x) + reach + 1, WIDTH);
    const int    top   = clamp_pixel((dy < 0 ? s->to.y : s->from.y) - reach, HEIGHT);
    const int    below = clamp_pixel((dy < 0 ? s->from.y : s->to.y) + reach + 1, HEIGHT);
    for (int row = top; row < below; row++) {
        for (int column = left; column < right; column++) {
            const double x = column + 0.5 - s->from.x, y = row + 0.5 - s->from.y;
            double       t     = length2 > 0 ? (x * dx + y * dy) / length2 : 0;
            t                  = t < 0 ? 0 : t > 1 ? 1 : t;
            const double away2 = (x - t * dx) * (x - t * dx) + (y - t * dy) * (y - t * dy);
            if (away2 >= reach * reach)
                continue;
            double cover = s->from_radius + t * (s->to_radius - s->from_radius) + 0.5 - sqrt(away2);
            cover        = cover > 1 ? 1 : cover;
            if (cover > image[row * WIDTH + column])
                image[row * WIDTH + column] = cover;
        }
    }
}

static const glyph *random_glyph(int label, stream *s)
{
    int first = 0, count = 0;
    while (glyphs[first].label != label)
        first++;
    while (first + count < GLYPHS && glyphs[first + count].label == label)
        count++;
    return &glyphs[first + below(s, count)];
}

static void draw(uint64_t seed, int64_t index, int label, uint8_t pixels[PIXELS])
{
    stream       s             = begin_stream(seed, DRAWING, (uint64_t)index);
    const glyph *g             = random_glyph(label, &s);
    const hand   h             = random_hand(&s);
    const path   drawn         = trace(g, &h, &s);
    double       image[PIXELS] = { 0 };
    for (int i = 0; i < drawn.count; i++)
        ink(&drawn.segment[i], image);
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(255 * image[i] + 0.5);
}

/* ---- The data set -------------------------------------------------------------------------------------- */

/* Each ten samples in a row have all ten labels, in an order of their own. */
static void shuffle_labels(uint64_t seed, int64_t group, int64_t label[CLASSES])
{
    stream s = begin_stream(seed, LABELS, (uint64_t)group);
    for (int i = 0; i < CLASSES; i++) {
        int j    = below(&s, i + 1);
        label[i] = label[j];
        label[j] = i;
    }
}

void hg_digits_fill(hg_dataset *dataset, int64_t count, uint64_t seed)
{
    if (!hg_dataset_set_shape(dataset, "digits", &HG_SHAPE(1, HEIGHT, WIDTH), count))
        return;
    uint8_t *samples = malloc((size_t)count * PIXELS);
    int64_t *labels  = malloc((size_t)count * sizeof *labels);
    if (!samples || !labels) {
        hg_fail(&dataset->error, HG_OUT_OF_MEMORY, "memory ran out for %lld digits", (long long)count);
        free(samples);
        free(labels);
        return;
    }
    int64_t group[CLASSES];
    for (int64_t i = 0; i < count; i++) {
        if (i % CLASSES == 0)
            shuffle_labels(seed, i / CLASSES, group);
        labels[i] = group[i % CLASSES];
        draw(seed, i, (int)labels[i], samples + i * PIXELS);
    }
    hg_dataset_take_bytes(dataset, samples);
    hg_dataset_take_labels(dataset, "digits", labels);
}
