/* PNG pictures. The same pixels give the same bytes: no time or text chunks. */
#include <hourglass/io.h>

#include "bytes.h"

#include <inttypes.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

/* ---- An image ------------------------------------------------------------------------------------------ */

typedef struct target {
    hg_file_writer *file;
    const char     *path;
    hg_error       *error;
} target;

static void put_bytes(png_structp png, png_bytep bytes, size_t size)
{
    const target *to = png_get_io_ptr(png);
    if (hg_file_write(to->file, bytes, size) != HG_OK)
        png_error(png, "the bytes could not be written"); /* the writer latched why */
}

static void flush_bytes(png_structp png)
{
    (void)png; /* the commit flushes */
}

static void fail(png_structp png, png_const_charp reason)
{
    const target *to = png_get_error_ptr(png);
    hg_fail(to->error, HG_CANNOT_WRITE, "cannot write %s: %s", to->path, reason);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

/* false if libpng jumped out. No local variable changes after setjmp. */
static bool encode(png_structp png, png_infop info, uint32_t width, uint32_t height, int channels,
                   const uint8_t *pixels)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_IHDR(png, info, width, height, 8, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (size_t row = 0; row < height; row++)
        png_write_row(png, pixels + row * width * (size_t)channels);
    png_write_end(png, NULL);
    return true;
}

hg_status hg_png_write(const char *path, int64_t width, int64_t height, int channels, const uint8_t *pixels,
                       hg_error *error)
{
    if (width < 1 || width > PNG_USER_WIDTH_MAX || height < 1 || height > PNG_USER_HEIGHT_MAX ||
        (channels != 1 && channels != 3))
        return hg_fail(error, HG_BAD_SHAPE,
                       "cannot write %s: an image of %" PRId64 "x%" PRId64
                       " pixels with %d channels cannot be a PNG file; "
                       "1 or 3 channels and 1 to %d pixels each way can",
                       path, width, height, channels, PNG_USER_WIDTH_MAX);
    hg_error own = { .status = HG_OK };
    target   to  = { .path = path, .error = error ? error : &own };
    if (!(to.file = hg_file_writer_open(path, to.error)))
        return to.error->status;

    png_structp png  = png_create_write_struct(PNG_LIBPNG_VER_STRING, &to, fail, ignore_warning);
    png_infop   info = png ? png_create_info_struct(png) : NULL;
    bool        done = false;
    if (info) {
        png_set_write_fn(png, &to, put_bytes, flush_bytes);
        done = encode(png, info, (uint32_t)width, (uint32_t)height, channels, pixels);
    } else {
        hg_fail(to.error, HG_OUT_OF_MEMORY, "memory ran out while writing %s", path);
    }
    png_destroy_write_struct(&png, &info);
    if (done)
        return hg_file_commit(to.file);
    hg_file_discard(to.file);
    return to.error->status;
}

/* ---- A grid of images ---------------------------------------------------------------------------------- */

enum { MOST_COLUMNS = 10, GAP_GREY = 128 };

typedef struct layout {
    int64_t columns, blocks; /* a block holds one row of images of each series */
    int64_t gap_below;       /* after a block */
    int64_t block_height, width, height;
} layout;

/* Images touch their neighbours' gaps only: there is no gap around the sheet. */
static layout plan_layout(const hg_png_grid_spec *grid)
{
    const int64_t image_height = grid->image.dim[1], image_width = grid->image.dim[2];
    layout        plan;
    plan.columns = grid->columns > 0 ? grid->columns : MOST_COLUMNS;
    if (plan.columns > grid->count)
        plan.columns = grid->count;
    plan.blocks       = (grid->count + plan.columns - 1) / plan.columns;
    plan.gap_below    = grid->series > 1 ? 3 : 1; /* keeps what belongs together apart from the next block */
    plan.block_height = grid->series * (image_height + 1) - 1;
    plan.width        = plan.columns * (image_width + 1) - 1;
    plan.height       = plan.blocks * (plan.block_height + plan.gap_below) - plan.gap_below;
    return plan;
}

static double value_at(const hg_png_grid_spec *grid, int series, int64_t feature, int64_t image)
{
    const void   *values = grid->values[series];
    const int64_t at     = feature * grid->count + image;
    return grid->dtype == HG_F32 ? (double)((const float *)values)[at] : ((const double *)values)[at];
}

static uint8_t grey_level(double value, double low, double high)
{
    double level = (value - low) / (high - low);
    level        = level < 0 ? 0 : level > 1 ? 1 : level;
    return (uint8_t)(255 * level + 0.5);
}

/* Draws one image with its top left corner at the pixel given; false if it holds a NaN. */
static bool draw_image(const hg_png_grid_spec *grid, const layout *plan, int series, int64_t image,
                       uint8_t *corner)
{
    const int64_t channels = grid->image.dim[0], height = grid->image.dim[1], width = grid->image.dim[2];
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t y = 0; y < height; y++) {
            for (int64_t x = 0; x < width; x++) {
                double value = value_at(grid, series, (c * height + y) * width + x, image);
                if (value != value)
                    return false;
                corner[(y * plan->width + x) * channels + c] = grey_level(value, grid->low, grid->high);
            }
        }
    }
    return true;
}

static hg_status check_grid(const char *path, const hg_png_grid_spec *grid, hg_error *error)
{
    const hg_shape *image = &grid->image;
    if (image->rank != 3 || (image->dim[0] != 1 && image->dim[0] != 3) || image->dim[1] < 1 ||
        image->dim[2] < 1 || image->dim[1] > PNG_USER_HEIGHT_MAX || image->dim[2] > PNG_USER_WIDTH_MAX)
        return hg_fail(error, HG_BAD_SHAPE,
                       "cannot write %s: images of channels x height x width with 1 or 3 channels "
                       "and up to %d pixels each way can be drawn, but not these",
                       path, PNG_USER_WIDTH_MAX);
    if (grid->dtype != HG_F32 && grid->dtype != HG_F64)
        return hg_fail(error, HG_BAD_DTYPE, "cannot write %s: the pixels must be of type f32 or f64", path);
    if (grid->count < 1 || grid->count > PNG_USER_WIDTH_MAX || grid->series < 1 ||
        grid->series > PNG_USER_HEIGHT_MAX || grid->columns < 0 || !(grid->low < grid->high))
        return hg_fail(error, HG_BAD_ARGUMENT,
                       "cannot write %s: a grid needs 1 to %d images and series, no negative number of "
                       "columns, and low < high",
                       path, PNG_USER_WIDTH_MAX);
    return HG_OK;
}

hg_status hg_png_grid(const char *path, const hg_png_grid_spec *grid, hg_error *error)
{
    hg_status status = check_grid(path, grid, error);
    if (status != HG_OK)
        return status;
    const layout  plan         = plan_layout(grid);
    const int64_t image_height = grid->image.dim[1], image_width = grid->image.dim[2];
    int64_t       bytes = grid->image.dim[0];
    if (plan.width > PNG_USER_WIDTH_MAX || plan.height > PNG_USER_HEIGHT_MAX ||
        !hg_multiply(&bytes, plan.width) || !hg_multiply(&bytes, plan.height))
        return hg_fail(error, HG_BAD_SHAPE,
                       "cannot write %s: the grid would have %" PRId64 "x%" PRId64 " pixels", path,
                       plan.width, plan.height);
    uint8_t *pixels = malloc((size_t)bytes);
    if (!pixels)
        return hg_fail(error, HG_OUT_OF_MEMORY, "memory ran out while drawing %s", path);
    for (int64_t i = 0; i < bytes; i++)
        pixels[i] = GAP_GREY;

    for (int series = 0; series < grid->series && status == HG_OK; series++) {
        for (int64_t i = 0; i < grid->count && status == HG_OK; i++) {
            int64_t top = i / plan.columns * (plan.block_height + plan.gap_below) +
                          series * (image_height + 1);
            int64_t left = i % plan.columns * (image_width + 1);
            if (!draw_image(grid, &plan, series, i, pixels + (top * plan.width + left) * grid->image.dim[0]))
                status = hg_fail(error, HG_BAD_DATA,
                                 "cannot write %s: image %" PRId64 " of series %d holds a NaN", path, i,
                                 series);
        }
    }
    if (status == HG_OK)
        status = hg_png_write(path, plan.width, plan.height, (int)grid->image.dim[0], pixels, error);
    free(pixels);
    return status;
}
