/* patterns: what a person knows of paths (--template), as overrides of a template: see template_add_override.
 */
#ifndef WEIR_CAPTURE_EXPORT_PATTERNS_H
#define WEIR_CAPTURE_EXPORT_PATTERNS_H

#include "capture/export/job.h"
#include "capture/export/template.h"

/* A new template with the patterns of options; the caller's on success. ERR_USAGE. */
bool patterns_template(const struct export_options *options, struct template **out_template, struct err *err);
/* After the first pass: counts those that no path fits. */
void patterns_report(struct export_job *job, const struct template *template);

#endif
