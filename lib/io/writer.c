/* Files that appear whole or not at all. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif
#include <hourglass/io.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hg_file_writer {
    FILE     *stream;
    char     *path;      /* as the caller gave it, for messages */
    char     *target;    /* the same, symbolic links followed */
    char     *temporary; /* beside the target; NULL if the target is written straight */
    hg_error *error;
    hg_status status;
};

static hg_status cannot_write(hg_file_writer *writer, int reason)
{
    if (writer->status == HG_OK) {
        writer->status = reason == ENOMEM ? HG_OUT_OF_MEMORY : HG_CANNOT_WRITE;
        hg_fail(writer->error, writer->status, "cannot write %s: %s", writer->path, strerror(reason));
    }
    return writer->status;
}

/* Opens a new file beside the target. Not mkstemp: the kernel applies the umask to the mode given here, and a
   process cannot ask for its umask without changing it. */
static int open_beside(hg_file_writer *writer)
{
    enum { ATTEMPTS = 1000 };
    const size_t size = strlen(writer->target) + 64;
    if (!(writer->temporary = malloc(size)))
        return -1;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(writer->temporary, size, "%s.%ld-%d.tmp", writer->target, (long)getpid(), attempt);
        int file = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0)
            return file;
        if (errno != EEXIST)
            break;
    }
    const int reason = errno;
    free(writer->temporary); /* nothing of ours to remove */
    writer->temporary = NULL;
    errno             = reason;
    return -1;
}

/* Opens what will be written; -1 and errno on failure. */
static int open_target(hg_file_writer *writer)
{
    struct stat earlier;
    const bool  exists = stat(writer->path, &earlier) == 0;
    if (!exists && errno != ENOENT)
        return -1;
    if (exists && !S_ISREG(earlier.st_mode))
        return open(writer->path, O_WRONLY | O_CLOEXEC);
    if (exists && access(writer->path, W_OK) != 0)
        return -1;
    writer->target = exists ? realpath(writer->path, NULL) : strdup(writer->path);
    if (!writer->target)
        return -1;
    int file = open_beside(writer);
    if (file >= 0 && exists)
        (void)fchmod(file, earlier.st_mode & 0777); /* some file systems have no modes */
    return file;
}

static void free_writer(hg_file_writer *writer)
{
    if (writer->temporary)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->target);
    free(writer->path);
    free(writer);
}

hg_file_writer *hg_file_writer_open(const char *path, hg_error *error)
{
    hg_file_writer *writer = calloc(1, sizeof *writer);
    if (!writer || !(writer->path = strdup(path))) {
        hg_fail(error, HG_OUT_OF_MEMORY, "memory ran out while opening %s for writing", path);
        free(writer);
        return NULL;
    }
    writer->error = error;
    int file      = open_target(writer);
    if (file >= 0 && (writer->stream = fdopen(file, "wb")))
        return writer;
    cannot_write(writer, errno);
    if (file >= 0)
        close(file);
    free_writer(writer);
    return NULL;
}

hg_status hg_file_write(hg_file_writer *writer, const void *bytes, size_t size)
{
    if (!writer)
        return HG_CANNOT_WRITE;
    if (writer->status == HG_OK && size && fwrite(bytes, 1, size, writer->stream) != size)
        return cannot_write(writer, errno);
    return writer->status;
}

hg_status hg_file_print(hg_file_writer *writer, const char *format, ...)
{
    if (!writer)
        return HG_CANNOT_WRITE;
    if (writer->status == HG_OK) {
        va_list arguments;
        va_start(arguments, format);
        int printed = vfprintf(writer->stream, format, arguments);
        va_end(arguments);
        if (printed < 0)
            return cannot_write(writer, errno);
    }
    return writer->status;
}

/* A new name is on the disk only when its directory is. Some file systems cannot sync one (EINVAL), and a
   directory may be writable without being readable; the file itself is safe by then. */
static void sync_directory(hg_file_writer *writer)
{
    char *copy      = strdup(writer->target);
    int   directory = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory >= 0) {
        if (fsync(directory) != 0 && errno != EINVAL)
            cannot_write(writer, errno);
        close(directory);
    }
    free(copy);
}

hg_status hg_file_commit(hg_file_writer *writer)
{
    if (!writer)
        return HG_CANNOT_WRITE;
    if (writer->status == HG_OK && fflush(writer->stream) != 0)
        cannot_write(writer, errno);
    if (writer->status == HG_OK && writer->temporary && fsync(fileno(writer->stream)) != 0)
        cannot_write(writer, errno);
    if (fclose(writer->stream) != 0)
        cannot_write(writer, errno);
    if (writer->status == HG_OK && writer->temporary) {
        if (rename(writer->temporary, writer->target) == 0) {
            free(writer->temporary);
            writer->temporary = NULL;
            sync_directory(writer);
        } else {
            cannot_write(writer, errno);
        }
    }
    hg_status status = writer->status;
    free_writer(writer);
    return status;
}

void hg_file_discard(hg_file_writer *writer)
{
    if (!writer)
        return;
    fclose(writer->stream);
    free_writer(writer);
}
