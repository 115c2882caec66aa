/* The body of batch.c for one type of stored values and one real type: `stored`, `lanes` (how many of them 16
   bytes hold), `real`, OP(name), which end with it. No include guard. */

typedef stored OP(vector) __attribute__((vector_size(16)));
typedef stored OP(anywhere) __attribute__((vector_size(16), aligned(sizeof(stored)), may_alias));

HG_TRANSPOSE(OP(transpose), OP(vector), lanes)

/* tile[c][r] is sample r's value j + c. */
static inline void OP(transpose_whole)(const stored *const row[TILE], int64_t j, stored tile[TILE][TILE])
{
    for (int r = 0; r < TILE; r += lanes)
        for (int c = 0; c < TILE; c += lanes) {
            OP(vector) v[lanes];
            HG_UNROLL for (int i = 0; i < lanes; i++)
                v[i] = *(const OP(anywhere) *)(row[r + i] + j + c);
            OP(transpose)(v);
            HG_UNROLL for (int i = 0; i < lanes; i++)
                *(OP(anywhere) *)&tile[c + i][r] = v[i];
        }
}

static inline void OP(transpose_some)(const stored *const row[TILE], int64_t j, int rows, int columns,
                                      stored tile[TILE][TILE])
{
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < rows; r++)
            tile[c][r] = row[r][j + c];
}

/* Writes the transpose of rows x columns values: sample i's run from row[i] + j down column i of out. Through
   a tile, so that both the loads and the stores are contiguous. */
static inline void OP(write_tile)(const stored *const row[TILE], int64_t j, int rows, int columns,
                                  real low, real scale, real *out, int64_t stride)
{
    stored tile[TILE][TILE];
    if (lanes > 2 && rows == TILE && columns == TILE) /* two lanes gain nothing */
        OP(transpose_whole)(row, j, tile);
    else
        OP(transpose_some)(row, j, rows, columns, tile);
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < rows; r++)
            out[c * stride + r] = low + scale * (real)tile[c][r];
}

/* Where each of the batch's samples i ... i + TILE - 1 begins; a missing one is the last one again. */
static inline void OP(find)(const hg_batch *batch, int64_t i, const stored *from[TILE])
{
    const stored *samples = batch->dataset->samples;
    for (int r = 0; r < TILE; r++) {
        const int64_t k = i + r < batch->n ? i + r : batch->n - 1;
        from[r] = samples + batch->dataset->size * (batch->index ? batch->index[k] : batch->first + k);
    }
}

/* Rows [row, end) of the batch: those numbers of each sample. While a tile is written, the one of the samples
   after it is asked for: samples lie anywhere in memory. */
static void OP(write)(const hg_batch *batch, int64_t row, int64_t end, double low, double scale, void *to)
{
    const int64_t n = batch->n;
    real         *out = to;
    const stored *from[TILE], *next[TILE];
    if (n > 0)
        OP(find)(batch, 0, next);
    for (int64_t i = 0; i < n; i += TILE) {
        const int rows = n - i < TILE ? (int)(n - i) : TILE;
        memcpy(from, next, sizeof from);
        OP(find)(batch, i + TILE, next);
        int64_t j = row;
        if (rows == TILE) { /* constant bounds, for the compiler */
            for (; j + TILE <= end; j += TILE) {
                for (int r = 0; r < TILE; r++)
                    __builtin_prefetch(next[r] + j);
                OP(write_tile)(from, j, TILE, TILE, (real)low, (real)scale, out + j * n + i, n);
            }
        }
        for (; j < end; j += TILE) {
            const int columns = end - j < TILE ? (int)(end - j) : TILE;
            OP(write_tile)(from, j, rows, columns, (real)low, (real)scale, out + j * n + i, n);
        }
    }
}

#undef stored
#undef lanes
#undef real
#undef OP
