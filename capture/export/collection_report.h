/* collection_report: what became of each exchange of a runnable collection. */
#ifndef WEIR_CAPTURE_EXPORT_COLLECTION_REPORT_H
#define WEIR_CAPTURE_EXPORT_COLLECTION_REPORT_H

#include "capture/export/job.h"
#include "capture/export/survey.h"

/* Counts it into the job's report, and tells the log, with the reasons for each templated path. A collection
 * without endpoints has said all in its survey. */
void collection_report(struct export_job *job, const struct survey *survey);

#endif
