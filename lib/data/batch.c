/* Mini-batches: samples become columns, bytes become reals. On the path of every training step: build with
   -O3, and without contraction, for the same bits on every instruction set. */
#include "dataset.h"

#include <string.h>

#include "../transpose.h"

enum { TILE = 16 }; /* a cache line of f32 */

#define stored   uint8_t
#define lanes    16
#define real     float
#define OP(name) name##_u8_f32
#include "batch_body.h"
#define stored   uint8_t
#define lanes    16
#define real     double
#define OP(name) name##_u8_f64
#include "batch_body.h"
#define stored   float
#define lanes    4
#define real     float
#define OP(name) name##_f32_f32
#include "batch_body.h"
#define stored   float
#define lanes    4
#define real     double
#define OP(name) name##_f32_f64
#include "batch_body.h"
#define stored   double
#define lanes    2
#define real     float
#define OP(name) name##_f64_f32
#include "batch_body.h"
#define stored   double
#define lanes    2
#define real     double
#define OP(name) name##_f64_f64
#include "batch_body.h"

typedef void write_rows(const hg_batch *batch, int64_t row, int64_t end, double low, double scale, void *to);

static write_rows *const writers[][HG_REALS] = {
    [HG_ELEMENT_U8]  = { [HG_F32] = write_u8_f32, [HG_F64] = write_u8_f64 },
    [HG_ELEMENT_F32] = { [HG_F32] = write_f32_f32, [HG_F64] = write_f32_f64 },
    [HG_ELEMENT_F64] = { [HG_F32] = write_f64_f32, [HG_F64] = write_f64_f64 },
};

static bool all_exist(const hg_batch *b)
{
    const int64_t count = b->dataset->count;
    if (!b->index)
        return b->first >= 0 && b->n >= 0 && b->first <= count && b->n <= count - b->first;
    for (int64_t i = 0; i < b->n; i++) {
        if (b->index[i] < 0 || b->index[i] >= count)
            return false;
    }
    return b->n >= 0;
}

hg_status hg_batch_check(const hg_batch *batch)
{
    if (hg_dataset_status(batch->dataset) != HG_OK)
        return hg_dataset_status(batch->dataset);
    if (batch->dtype != HG_F32 && batch->dtype != HG_F64)
        return HG_BAD_DTYPE;
    return all_exist(batch) ? HG_OK : HG_BAD_ARGUMENT;
}

void hg_batch_fill(void *batch, void *out, int part, int parts)
{
    const hg_batch   *b       = batch;
    const hg_dataset *dataset = b->dataset;
    const bool        bytes   = dataset->element == HG_ELEMENT_U8;
    /* cut between tiles */
    const int64_t tiles = (dataset->size + TILE - 1) / TILE;
    const int64_t row = tiles * part / parts * TILE, end = tiles * (part + 1) / parts * TILE;
    writers[dataset->element][b->dtype](b, row, end < dataset->size ? end : dataset->size,
                                        bytes ? b->low : 0, bytes ? (b->high - b->low) / 255 : 1, out);
}

hg_status hg_dataset_batch(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first,
                           double low, double high, hg_dtype dtype, void *out)
{
    hg_batch        batch  = { dataset, n, index, first, low, high, dtype };
    const hg_status status = hg_batch_check(&batch);
    if (status == HG_OK)
        hg_batch_fill(&batch, out, 0, 1);
    return status;
}
