/* Mini-batches: samples become columns, bytes become reals. On the path of every training step: build with
   -O3, and without contraction, for the same bits on every instruction set. */
#include "dataset.h"

enum { TILE = 16 }; /* a cache line of f32 */

#define stored   uint8_t
#define real     float
#define OP(name) name##_u8_f32
#include "batch_body.h"
#define stored   uint8_t
#define real     double
#define OP(name) name##_u8_f64
#include "batch_body.h"
#define stored   float
#define real     float
#define OP(name) name##_f32_f32
#include "batch_body.h"
#define stored   float
#define real     double
#define OP(name) name##_f32_f64
#include "batch_body.h"
#define stored   double
#define real     float
#define OP(name) name##_f64_f32
#include "batch_body.h"
#define stored   double
#define real     double
#define OP(name) name##_f64_f64
#include "batch_body.h"

typedef void batch(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first, double low,
                   double scale, void *to);

static batch *const batches[][HG_REALS] = {
    [HG_ELEMENT_U8]  = { [HG_F32] = batch_u8_f32, [HG_F64] = batch_u8_f64 },
    [HG_ELEMENT_F32] = { [HG_F32] = batch_f32_f32, [HG_F64] = batch_f32_f64 },
    [HG_ELEMENT_F64] = { [HG_F32] = batch_f64_f32, [HG_F64] = batch_f64_f64 },
};

static bool all_exist(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first)
{
    if (!index)
        return first >= 0 && n >= 0 && first <= dataset->count && n <= dataset->count - first;
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= dataset->count)
            return false;
    }
    return n >= 0;
}

hg_status hg_dataset_batch(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first,
                           double low, double high, hg_dtype dtype, void *out)
{
    if (hg_dataset_status(dataset) != HG_OK)
        return hg_dataset_status(dataset);
    if (dtype != HG_F32 && dtype != HG_F64)
        return HG_BAD_DTYPE;
    if (!all_exist(dataset, n, index, first))
        return HG_BAD_ARGUMENT;
    const bool bytes = dataset->element == HG_ELEMENT_U8;
    batches[dataset->element][dtype](dataset, n, index, first, bytes ? low : 0,
                                     bytes ? (high - low) / 255 : 1, out);
    return HG_OK;
}
