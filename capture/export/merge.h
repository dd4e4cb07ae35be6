/* merge: a new capture in a collection that is there, and that people have changed since.
 *
 * What is added: items that the file has not, with the variables that they need, and examples of responses
 * that were not known. What is refreshed: examples that say something else now. All else stays byte for byte:
 * names, descriptions, scripts, auth, order, values of variables, other people's formatting. Nothing is
 * deleted. The same capture merged twice changes nothing the second time.
 *
 * Which items are the same is said in merge_match.h, which variable stands for which host in merge_hosts.h,
 * where new items go in merge_place.h, what happens to examples in merge_examples.h. The environment beside
 * the file keeps what it has; values of weir's own secrets in it become the captured ones.
 *
 * An export joins in two steps: its secrets take the names that the environment has for them, then it is made
 * as ever, and merged when it is whole. The file, its environment and the export are in memory meanwhile
 * (merge_file.h has the limit). One thread. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_H
#define WEIR_CAPTURE_EXPORT_MERGE_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/export/files.h"
#include "capture/export/job_log.h"
#include "capture/export/secrets.h"
#include "proxy/base/err.h"

struct merge;

/* path: a collection v2.1; values_path: its environment, which need not be there. *out_merge is NULL where
 * path is not there: then there is nothing to merge into. ERR_SYS, ERR_USAGE, ERR_LIMIT, ERR_PROTO: one of
 * them can't be read, or is something else. */
bool merge_open(const char *path, const char *values_path, struct merge **out_merge, struct err *err);
void merge_free(struct merge *merge); /* NULL is fine */

/* For secrets_keep_names: the environment's name for that secret; NULL. self is a merge. */
const char *merge_secret_name(void *self, struct span value);
/* Whether a name is one of the collection's variables, but for those that its scripts set, or of a value of
 * its environment that is no secret. */
bool merge_is_taken(const struct merge *merge, const char *name);
/* Whether the collection has folders in a folder of that host. */
bool merge_is_split(const struct merge *merge, const char *host);

struct merge_counts {
    size_t added, updated, kept; /* items; updated: in their examples */
    size_t unset; /* of those that were there: a link has no script, since theirs are never touched */
};

/* made: the export, to be read from its beginning; out: what is to take the file's place. max_examples: of an
 * item. files: what the export put beside it, of which goes what nothing sends; NULL: nothing. log: NULL:
 * nobody asks. ERR_LIMIT: the export is too large to be merged. */
bool merge_collection(struct merge *merge, FILE *made, FILE *out, unsigned max_examples, struct files *files,
                      struct job_log *log, struct merge_counts *out_counts, struct err *err);
/* The same for the environment. To *values and *blanks are added those with and without a value that it has
 * besides. */
bool merge_values(struct merge *merge, FILE *made, FILE *out, uint64_t *values, uint64_t *blanks,
                  struct err *err);

/* Whether the collection is still what was read. ERR_SYS. */
bool merge_check(const struct merge *merge, struct err *err);
/* Says of a secret that the result holds that it stands in the file already, and where: into err, when it
 * does. */
void merge_explain_leak(const struct merge *merge, struct secrets *secrets, struct err *err);

#endif
