/* job: one export under way: what the formats share. Internal to the exporters. */
#ifndef WEIR_CAPTURE_EXPORT_JOB_H
#define WEIR_CAPTURE_EXPORT_JOB_H

#include "capture/export/export.h"
#include "capture/export/files.h"
#include "capture/export/merge.h"
#include "capture/export/secrets.h"
#include "capture/record.h"

struct export_job {
    const struct export_source *source;
    const struct export_options *options;
    FILE *out;           /* errors are looked at when the format is done */
    struct files *files; /* bodies beside the export; NULL: there is no such place */
    struct export_report *report;
    struct secrets *secrets; /* sealed; NULL: all values stay as they are */
    const char *values_path; /* where those of variables will be; NULL: nowhere */
    FILE *values;            /* where the format writes them, at its end, and counts them into the report;
                              * no variable, no file; NULL with values_path */
    struct merge *merge;     /* a collection that the export goes into; NULL: it stands alone */
    struct job_log *log;     /* what became of each exchange; NULL: nobody asks */
};

/* Counts; what names the first one. */
void job_count(struct export_job *job, enum export_reason reason, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
void job_count_exchange(struct export_job *job, enum export_reason reason, const struct record *record);
/* The same for an exchange whose record is not at hand. */
void job_count_seq(struct export_job *job, enum export_reason reason, uint32_t seq);
/* The same with what is to be said of it, and the exchange whose item has it (0: none); EXPORT_REASON_COUNT:
 * nothing is counted. */
void job_count_fate(struct export_job *job, enum export_reason reason, uint32_t seq, const char *why,
                    uint32_t item);

bool export_collection(struct export_job *job, struct err *err);
bool export_environment(struct export_job *job, struct err *err);
bool export_har(struct export_job *job, struct err *err);
bool export_curl(struct export_job *job, struct err *err);
bool export_jsonl(struct export_job *job, struct err *err);
bool export_openapi(struct export_job *job, struct err *err);
bool export_http(struct export_job *job, struct err *err);
bool export_cookies_netscape(struct export_job *job, struct err *err);
bool export_cookies_tough(struct export_job *job, struct err *err);
bool export_cookies_playwright(struct export_job *job, struct err *err);
bool export_cookies_json(struct export_job *job, struct err *err);
bool export_cookies_header(struct export_job *job, struct err *err);

#endif
