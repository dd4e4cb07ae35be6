#include "capture/export/collection_report.h"

#include "capture/export/job_log.h"

struct telling {
    struct export_job *job;
    const struct dedup *dedup;
};

static void tell_path(void *self, const char *line)
{
    job_log_add_path(self, line);
}

/* EXPORT_REASON_COUNT: it is in the collection. */
static enum export_reason reason_of(enum dedup_fate fate)
{
    switch (fate) {
    case DEDUP_ITEM:
    case DEDUP_EXAMPLE:
    case DEDUP_HOP:
        return EXPORT_REASON_COUNT;
    case DEDUP_PREFLIGHT:
    case DEDUP_NOISE:
        return EXPORT_NOISE;
    case DEDUP_TUNNEL:
        return EXPORT_TUNNEL;
    case DEDUP_UPGRADED:
        return EXPORT_UPGRADED;
    case DEDUP_OWN_RESPONSE:
        return EXPORT_OWN_RESPONSE;
    case DEDUP_NO_RESPONSE:
        return EXPORT_NO_RESPONSE;
    case DEDUP_REQUEST_CUT:
        return EXPORT_REQUEST_CUT;
    case DEDUP_GONE:
    case DEDUP_FATES:
        return EXPORT_GONE;
    case DEDUP_DUPLICATE:
    case DEDUP_REPEAT:
    case DEDUP_MAX_EXAMPLES:
    case DEDUP_ABORTED:
    case DEDUP_NOT_MODIFIED:
    case DEDUP_HOP_MERGED:
    case DEDUP_SERVICE_WORKER:
    case DEDUP_RETRANSMITTED:
        break;
    }
    return EXPORT_MERGED;
}

static void tell_exchange(void *self, uint32_t seq, enum dedup_fate fate, size_t item)
{
    struct telling *telling = self;
    enum export_reason reason = reason_of(fate);
    uint32_t representative = item != SIZE_MAX ? dedup_item(telling->dedup, item)->seq : 0;

    if (reason == EXPORT_REASON_COUNT)
        telling->job->report->examples += fate != DEDUP_ITEM;
    job_count_fate(telling->job, reason, seq, dedup_fate_text(fate),
                   representative != seq ? representative : 0);
}

void collection_report(struct export_job *job, const struct survey *survey)
{
    struct telling telling = { .job = job };

    if (survey->dedup == NULL)
        return;
    telling.dedup = survey->dedup;
    dedup_each(telling.dedup, tell_exchange, &telling);
    if (job->log != NULL)
        template_explain(survey->template, tell_path, job->log);
}
