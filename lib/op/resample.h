/* Linear maps of images along height and width apart, which average pools, upsampling and the adjoints of both are: a
   place of the result is the sum over some rows and columns of the input of weight of row x weight of column x value. */
#ifndef HG_OP_RESAMPLE_H
#define HG_OP_RESAMPLE_H

#include "rows.h"

/* Neighbours along an axis, of the input. */
typedef struct hg_neighbours {
    int64_t first, count;
} hg_neighbours;

/* A part's share of the scratch: the neighbours of all columns, then the weights of a row's and theirs, at
   most so many each. */
static inline size_t hg_resample_share(const hg_tensor *t, int64_t most_rows, int64_t most_columns)
{
    const size_t line = 64, columns = (size_t)t->shape.dim[2];
    const size_t bytes = columns * sizeof(hg_neighbours) +
                         ((size_t)most_rows + columns * (size_t)most_columns) * hg_dtype_size(t->dtype);
    return (bytes + line - 1) / line * line;
}

#ifdef HG_KERNELS

#include "vector.h"

/* Those that a place of the result sums over, and their weights. */
typedef hg_neighbours hg_neighbours_fn(const void *attr, int axis, int64_t place, real *weight);

typedef struct hg_resampled_place {
    hg_neighbours rows, columns;
    const real   *row_weight, *column_weight;
    const real   *x; /* at the first of both */
    int64_t       row, samples; /* steps in x */
    real         *y;
} hg_resampled_place;

HG_INLINE void hg_resample_samples(const int vectors, const bool tail, int64_t n, int64_t from, const void *of)
{
    const hg_resampled_place *at = of;
    const some_lanes some = first_lanes(tail ? n : 0);
    vec sum[HG_TOGETHER];
    HG_UNROLL for (int v = 0; v < vectors; v++)
        sum[v] = (vec){ 0 };
    for (int64_t i = 0; i < at->rows.count; i++) {
        const real *x = at->x + i * at->row + from;
        for (int64_t j = 0; j < at->columns.count; j++, x += at->samples) {
            const real weight = at->row_weight[i] * at->column_weight[j];
            HG_UNROLL for (int v = 0; v < vectors; v++)
                sum[v] += weight * (tail ? load_some(x, some) : load(x + v * LANES));
        }
    }
    HG_UNROLL for (int v = 0; v < vectors; v++)
        if (tail)
            store_some(at->y + from, sum[v], some);
        else
            store_ahead(at->y + from + v * LANES, sum[v]);
}

static inline void hg_resample(const hg_tensor *t, void *y, const real *x, void *scratch, int64_t most_rows,
                               int64_t most_columns, hg_neighbours_fn *neighbours, int part, int parts)
{
    const int64_t *dim = t->shape.dim, *x_dim = t->input[0]->shape.dim, samples = dim[3];
    const int64_t first = hg_part_begin(hg_rows(t), part, parts), last = hg_part_begin(hg_rows(t), part + 1, parts);
    const size_t share = hg_resample_share(t, most_rows, most_columns);
    hg_neighbours *columns = (hg_neighbours *)((char *)scratch + share * (size_t)part);
    real *row_weight = (real *)(columns + dim[2]), *column_weight = row_weight + most_rows;
    hg_resampled_place at = { .row_weight = row_weight, .row = x_dim[2] * samples, .samples = samples,
                              .y = (real *)y + first * hg_row_elements(t) };
    for (int64_t column = 0; column < dim[2] && first < last; column++)
        columns[column] = neighbours(t->attr, 1, column, column_weight + column * most_columns);
    for (int64_t i = first; i < last; i++) {
        at.rows = neighbours(t->attr, 0, i % dim[1], row_weight);
        const real *row = x + (i / dim[1] * x_dim[1] + at.rows.first) * at.row;
        for (int64_t column = 0; column < dim[2]; column++, at.y += samples) {
            at.columns = columns[column];
            at.column_weight = column_weight + column * most_columns;
            at.x = row + at.columns.first * samples;
            each_of_samples(samples, hg_resample_samples, &at);
        }
    }
}

#endif
#endif
