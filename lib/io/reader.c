/* Files that may be gzipped, truncated or lying about their size. */
#include "file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { STREAM_BUFFER = 1 << 17, FIRST_BLOCK = 1 << 20, MOST_AT_ONCE = 1 << 30 };

static hg_status cannot_read(hg_reader *reader, const char *reason)
{
    if (reader->status == HG_OK)
        reader->status = hg_fail(reader->error, HG_CANNOT_READ, "cannot read %s: %s", reader->path, reason);
    return reader->status;
}

hg_status hg_reader_refuse(hg_reader *reader, const char *format, ...)
{
    if (reader->status == HG_OK) {
        char    text[HG_ERROR_TEXT];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        reader->status = hg_fail(reader->error, HG_BAD_FILE, "%s: %s", reader->path, text);
    }
    return reader->status;
}

hg_status hg_reader_out_of_memory(hg_reader *reader)
{
    if (reader->status == HG_OK)
        reader->status = hg_fail(reader->error, HG_OUT_OF_MEMORY, "memory ran out while reading %s",
                                 reader->path);
    return reader->status;
}

hg_status hg_reader_open(hg_reader *reader, const char *path, hg_error *error)
{
    *reader       = (hg_reader){ .path = path, .error = error };
    errno         = 0;
    gzFile stream = gzopen(path, "rb");
    if (!stream)
        return errno ? cannot_read(reader, strerror(errno)) : hg_reader_out_of_memory(reader);
    gzbuffer(stream, STREAM_BUFFER);
    reader->stream = stream;
    return HG_OK;
}

void hg_reader_close(hg_reader *reader)
{
    if (reader->stream)
        gzclose(reader->stream);
    reader->stream = NULL;
}

/* zlib's status after a read that brought fewer bytes than asked for; a plain end of file is none. */
static void note_failure(hg_reader *reader)
{
    int         code;
    const char *text = gzerror(reader->stream, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return;
    case Z_ERRNO:
        cannot_read(reader, strerror(errno));
        return;
    case Z_MEM_ERROR:
        hg_reader_out_of_memory(reader);
        return;
    case Z_BUF_ERROR:
        hg_reader_refuse(reader,
                         "the file is truncated: its gzip stream breaks off after %llu bytes of content",
                         (unsigned long long)reader->offset);
        return;
    default: /* the text repeats the path */
        hg_reader_refuse(reader, "the gzip stream is damaged after %llu bytes of content (%s)",
                         (unsigned long long)reader->offset,
                         strncmp(text, reader->path, strlen(reader->path)) ? text
                                                                           : text + strlen(reader->path) + 2);
    }
}

size_t hg_reader_read(hg_reader *reader, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size && reader->status == HG_OK && reader->stream) {
        size_t   rest = size - done;
        unsigned want = rest < MOST_AT_ONCE ? (unsigned)rest : MOST_AT_ONCE;
        int      got  = gzread(reader->stream, (char *)bytes + done, want);
        if (got > 0) {
            done += (size_t)got;
            reader->offset += (uint64_t)got;
        }
        if (got < (int)want) {
            note_failure(reader);
            break;
        }
    }
    return done;
}

void *hg_reader_load(hg_reader *reader, uint64_t size, uint64_t *got)
{
    char  *block    = NULL;
    size_t capacity = 0;
    *got            = 0;
    do {
        size_t grown = capacity ? 2 * capacity : FIRST_BLOCK;
        if (grown > size || grown < capacity)
            grown = (size_t)size;
        char *moved = realloc(block, grown + 1);
        if (!moved) {
            hg_reader_out_of_memory(reader);
            break;
        }
        block    = moved;
        capacity = grown;
        *got += hg_reader_read(reader, block + *got, capacity - *got);
    } while (*got == capacity && *got < size);
    if (reader->status != HG_OK) {
        free(block);
        return NULL;
    }
    block[*got] = '\0';
    return block;
}

uint64_t hg_reader_drain(hg_reader *reader)
{
    char     buffer[8192];
    uint64_t skipped = 0;
    size_t   got;
    do {
        got = hg_reader_read(reader, buffer, sizeof buffer);
        skipped += got;
    } while (got == sizeof buffer);
    return skipped;
}
