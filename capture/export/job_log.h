/* job_log: what became of each exchange, and why, a line at a time, for a person or a program. Secrets are
 * masked. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_JOB_LOG_H
#define WEIR_CAPTURE_EXPORT_JOB_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "capture/export/secrets.h"

struct job_log;

/* Both are borrowed; NULL: not there. is_json: file is an array of objects, a line each. */
struct job_log *job_log_new(FILE *explain, FILE *file, bool is_json);
void job_log_free(struct job_log *log); /* NULL is fine */
/* From now on. */
void job_log_set_secrets(struct job_log *log, struct secrets *secrets);

/* "exchange 17: left out: tunnels". item: the exchange of which an item was made; 0: none. */
void job_log_add(struct job_log *log, const char *what, const char *why, uint32_t item);
/* How a path was read: see template_explain. */
void job_log_add_path(struct job_log *log, const char *line);
/* A value that one exchange issued and others carry: "exchange 1 issues ...". */
void job_log_add_link(struct job_log *log, const char *line);
/* Ends the document. */
void job_log_end(struct job_log *log);

#endif
