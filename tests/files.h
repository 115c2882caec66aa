/* What the tests of files share: a scratch directory, and whole files as bytes. */
#ifndef HG_TESTS_FILES_H
#define HG_TESTS_FILES_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char scratch[256];

/* The path of a file in the scratch directory; valid until the fourth call after. */
static inline const char *in_scratch(const char *name)
{
    static char     paths[4][512];
    static unsigned next;
    char           *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/* Counts the files of the scratch directory, and removes them if asked. */
static inline int scratch_files(int and_remove)
{
    DIR           *directory = opendir(scratch);
    struct dirent *entry;
    int            count = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (and_remove)
            remove(in_scratch(entry->d_name));
    }
    closedir(directory);
    return count;
}

/* Group fixtures. */
static inline int make_scratch(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/hourglass-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_scratch(void **state)
{
    (void)state;
    scratch_files(1);
    return rmdir(scratch);
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    remove(path); /* some file systems wait for the disk when a file is truncated and written anew */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void write_gzip(const char *path, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

/* The whole file in a new block. */
static inline unsigned char *read_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size                = (size_t)ftell(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* A message must name the file and say the phrase. */
static inline void assert_says(const char *message, const char *name, const char *phrase)
{
    if (!strstr(message, name) || !strstr(message, phrase))
        fail_msg("\"%s\" should name \"%s\" and say \"%s\"", message, name, phrase);
}

#endif
