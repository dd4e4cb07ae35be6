/* merge_file: a JSON file that is there, whole in memory: its text, its nodes, its values.
 *
 * Memory is some ten times the file, which is why there is a limit. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_FILE_H
#define WEIR_CAPTURE_EXPORT_MERGE_FILE_H

#include <jansson.h>
#include <sys/stat.h>

#include "capture/export/json_tree.h"
#include "proxy/base/err.h"

/* A collection of ten thousand items with examples is a tenth of it. */
#define MERGE_MAX_BYTES (64u * 1024 * 1024)

struct merge_file {
    char *path;
    char *bytes;
    size_t len;
    struct json_tree *nodes; /* NULL: there is no such file */
    json_t *document;
    struct stat status; /* as it was read */
};

/* A file that is not there is none, and no failure. ERR_SYS; ERR_USAGE: no regular file; ERR_LIMIT: too
 * large; ERR_PROTO: no JSON, with line and column. *out_file is empty then. */
bool merge_file_read(const char *path, struct merge_file *out_file, struct err *err);
void merge_file_clear(struct merge_file *file); /* an empty one is fine */
/* Whether it is still the file that was read. ERR_SYS: somebody changed it meanwhile. */
bool merge_file_check(const struct merge_file *file, struct err *err);
/* The line on which a byte of it stands, from 1. */
size_t merge_file_line(const struct merge_file *file, size_t at);

#endif
