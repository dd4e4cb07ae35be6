/* files: a file that appears whole or not at all, and the folder of bodies that may lie beside it.
 *
 * Everything is 0600 in folders of 0700, written under a temporary name in the same folder, synced, renamed.
 * Where a symbolic link is written to, it stays, and the file is replaced that it leads to.
 */
#ifndef WEIR_CAPTURE_EXPORT_FILES_H
#define WEIR_CAPTURE_EXPORT_FILES_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct outfile {
    FILE *file;
    char *path, *temporary; /* owned; links are followed */
};
/* ERR_SYS; ERR_USAGE when path is there and no regular file. */
bool outfile_open(struct outfile *out, const char *path, struct err *err);
/* Syncs and renames; whatever happens, out is empty afterwards. ERR_SYS when any byte was lost. */
bool outfile_commit(struct outfile *out, struct err *err);
/* The same without waiting for the disk: readers see a whole file all the same, and only a power cut may cost
 * it. For what is written again and again. */
bool outfile_show(struct outfile *out, struct err *err);
void outfile_abandon(struct outfile *out); /* an empty one is fine */

/* One that has no name, 0600, in $TMPDIR or /tmp: to be read again by who wrote it. The caller's to fclose;
 * NULL: ERR_SYS. */
FILE *files_temporary(struct err *err);

struct files;

/* For the export at path: "shop.postman_collection.json" has "shop.files". Nothing is made until the first
 * file. */
struct files *files_new(const char *path);
/* Removes what was added, unless files_keep was called. */
void files_free(struct files *files); /* NULL is fine */
void files_keep(struct files *files);
/* Asked about each file before it gets its name: file is flushed and can be read. */
void files_set_check(struct files *files,
                     bool (*check)(void *self, FILE *file, const char *what, struct err *err), void *self);
const char *files_path(const struct files *files);
bool files_is_empty(const struct files *files);

/* One file of the folder, named for its content: begin, any number of writes, end. name is what a user would
 * call it, of which the harmless characters are used; *out_name is the caller's. ERR_SYS. */
bool files_begin(struct files *files, struct err *err);
bool files_write(struct files *files, struct span bytes, struct err *err);
bool files_end(struct files *files, struct span name, char **out_name, struct err *err);

/* Takes a file of that name away again, if this export added it. */
void files_drop(struct files *files, const char *name);

#endif
