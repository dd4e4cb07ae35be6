/* environment: the variables of an export as a Postman environment. */
#ifndef WEIR_CAPTURE_EXPORT_ENVIRONMENT_H
#define WEIR_CAPTURE_EXPORT_ENVIRONMENT_H

#include <stdio.h>

#include "capture/export/job.h"
#include "capture/export/survey.h"

/* Variables that somebody has to fill in, since what they stand for was never sent: those that are used. */
struct fill_ins {
    bool aws, digest;
};

/* Beside a collection: the values of the secrets that it uses (empty ones with EXPORT_SECRETS_DROP) and what
 * is to be filled in. Base URLs are the collection's own. */
void environment_write(struct export_job *job, const struct survey *survey, const struct fill_ins *fill_ins,
                       FILE *out);

#endif
