/* file: whole small files, read and replaced at once.
 *
 * Keys, certificates and bundles are small and must never be seen half-written: a file appears, or changes,
 * by rename, after its bytes have reached the disk. The unfinished file is PATH.tmp, so two processes may not
 * write the same path at once (the CA's folder has a lock for that). Any thread. */
#ifndef WEIR_CERTS_FILE_H
#define WEIR_CERTS_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct file_content {
    char *bytes; /* ends in a NUL that len does not count */
    size_t len;
    mode_t mode; /* permissions of the file they were read from */
};

/* Overwrites the bytes before it frees them: they may be a key. Empty content is fine. */
void file_content_clear(struct file_content *content);
struct span file_content_span(const struct file_content *content); /* borrowed */

/* Reads a regular file of at most max_bytes. ERR_FOUND: there is none; ERR_LIMIT: too long. */
bool file_read(const char *path, size_t max_bytes, struct file_content *out_content, struct err *err);

/* Creates or replaces path, with exactly these permissions. */
bool file_write(const char *path, mode_t mode, struct span bytes, struct err *err);

/* Makes path and the parents it lacks, all for the owner alone; a folder that is there stays as it is. */
bool file_make_dirs(const char *path, struct err *err);

bool file_exists(const char *path); /* of any kind; false also when we may not look */
bool file_is_dir(const char *path);

#endif
