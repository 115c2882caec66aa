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

static void OP(batch)(const hg_dataset *dataset, int64_t n, const int64_t index[], int64_t first, double low,
                      double scale, void *to)
{
    const stored *samples = dataset->samples;
    const int64_t size    = dataset->size;
    real         *out     = to;
    for (int64_t i = 0; i < n; i += TILE) {
        const int     rows = n - i < TILE ? (int)(n - i) : TILE;
        const stored *row[TILE];
        /* the last tile's missing rows repeat its first, and are not written */
        for (int r = 0; r < TILE; r++) {
            const int64_t sample = r < rows ? i + r : i;
            row[r]               = samples + size * (index ? index[sample] : first + sample);
        }
        int64_t j = 0;
        if (rows == TILE) { /* constant bounds, for the compiler */
            for (; j + TILE <= size; j += TILE)
                OP(transpose_tile)(row, j, TILE, TILE, (real)low, (real)scale, out + j * n + i, n);
        }
        for (; j < size; j += TILE) {
            const int columns = size - j < TILE ? (int)(size - j) : TILE;
            OP(transpose_tile)(row, j, rows, columns, (real)low, (real)scale, out + j * n + i, n);
        }
    }
}

#undef stored
#undef real
#undef OP
