/* The body of batch.c for one type of stored values and one real type: `stored`, `real`, OP(name), which end
   with it. No include guard. */

/* Writes the transpose of rows x columns values: sample i's run from row[i] + j down column i of out. Through
   a tile, so that both the loads and the stores are contiguous. */
static inline void OP(transpose_tile)(const stored *const row[TILE], int64_t j, int rows, int columns,
                                      real low, real scale, real *out, int64_t stride)
{
    stored tile[TILE][TILE];
    for (int c = 0; c < columns; c++) {
        for (int r = 0; r < rows; r++)
            tile[c][r] = row[r][j + c];
    }
    for (int c = 0; c < columns; c++) {
        for (int r = 0; r < rows; r++)
            out[c * stride + r] = low + scale * (real)tile[c][r];
    }
}

/* Rows [row, end) of the batch: those numbers of each sample. */
static void OP(write)(const hg_batch *batch, int64_t row, int64_t end, double low, double scale, void *to)
{
    const stored *samples = batch->dataset->samples;
    const int64_t size = batch->dataset->size, n = batch->n;
    real         *out = to;
    for (int64_t i = 0; i < n; i += TILE) {
        const int     rows = n - i < TILE ? (int)(n - i) : TILE;
        const stored *from[TILE];
        /* the last tile's missing samples repeat its first, and are not written */
        for (int r = 0; r < TILE; r++) {
            const int64_t sample = r < rows ? i + r : i;
            from[r]              = samples + size * (batch->index ? batch->index[sample] : batch->first + sample);
        }
        int64_t j = row;
        if (rows == TILE) { /* constant bounds, for the compiler */
            for (; j + TILE <= end; j += TILE)
                OP(transpose_tile)(from, j, TILE, TILE, (real)low, (real)scale, out + j * n + i, n);
        }
        for (; j < end; j += TILE) {
            const int columns = end - j < TILE ? (int)(end - j) : TILE;
            OP(transpose_tile)(from, j, rows, columns, (real)low, (real)scale, out + j * n + i, n);
        }
    }
}

#undef stored
#undef real
#undef OP
