/* Reading files, gzipped or not, that may be damaged. */
#ifndef HG_IO_FILE_H
#define HG_IO_FILE_H

#include <hourglass/io.h>

typedef struct hg_reader {
    const char *path;
    hg_error   *error;
    hg_status   status; /* of the first failure */
    void       *stream;
    uint64_t    offset; /* bytes read so far, after decompression */
} hg_reader;

/* error latches "cannot read FILE: reason". A reader that failed to open may be read (nothing comes) and
   closed. */
hg_status hg_reader_open(hg_reader *reader, const char *path, hg_error *error);
void      hg_reader_close(hg_reader *reader);

/* Latches HG_BAD_FILE and "FILE: ...", unless something failed before; returns the first failure's status. */
hg_status hg_reader_refuse(hg_reader *reader, const char *format, ...) HG_PRINTF(2, 3);
hg_status hg_reader_out_of_memory(hg_reader *reader);

/* Reads up to size bytes; fewer at the end of the file, and on a failure, which status tells. */
size_t hg_reader_read(hg_reader *reader, void *bytes, size_t size);

/* Up to size bytes into a new block, to be freed with free(). The block grows with what the file really has,
   so that a lying header cannot ask for more memory than that. *got tells how much came; a NUL follows it.
   Returns NULL on failure. */
void *hg_reader_load(hg_reader *reader, uint64_t size, uint64_t *got);

/* Reads to the end, which verifies a gzip stream's own checksum; returns the number of bytes skipped. */
uint64_t hg_reader_drain(hg_reader *reader);

#endif
