#include "capture/import/import.h"

#include <stdarg.h>
#include <stdio.h>

#include "capture/import/import_job.h"
#include "capture/store/store.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* How often who watches is told. */
#define PROGRESS_BYTES ((uint64_t)1024 * 1024)

const struct import_format import_formats[] = {
    { "har", "HTTP Archive of a browser or a proxy", har_is_mine, har_read },
    { "flows", "mitmproxy's flow file", flows_are_mine, flows_read },
    { "cookies", "cookie jar: newman's, Playwright's storageState, cookies.txt", cookies_are_mine,
      cookies_read },
    { NULL, NULL, NULL, NULL },
};

const char *import_reason_text(enum import_reason reason)
{
    static const char *const texts[IMPORT_REASON_COUNT] = {
        [IMPORT_NO_EXCHANGE] = "left out: no request with a method and a URL",
        [IMPORT_NOT_HTTP] = "left out: not HTTP",
        [IMPORT_BAD_URL] = "left out: no URL or method that a request can have",
        [IMPORT_OTHER_FLOW] = "left out: flows that are not HTTP",
        [IMPORT_BAD_COOKIE] = "cookies left out",
        [IMPORT_BAD_FIELD] = "header fields left out: no message can hold them",
        [IMPORT_LONG] = "header fields, names or messages cut: longer than any tool sends",
        [IMPORT_BAD_MESSAGE] = "messages left out: not understood",
        [IMPORT_NO_TIME] = "without a time: they have that of the import",
        [IMPORT_NO_BODY] = "bodies of which the file has only the length",
        [IMPORT_BAD_BASE64] = "bodies kept as text: said to be base64, and are not",
        [IMPORT_FORM_REMADE] = "forms put together again from their fields",
        [IMPORT_HTTP_3] = "over HTTP/3, recorded as HTTP/2",
        [IMPORT_LOCAL_STORAGE] = "origins with local storage left out: a session has only what is sent",
    };

    return texts[reason];
}

/* --- the job ------------------------------------------------------------------------------------------- */

void import_count(struct import_job *job, enum import_reason reason, const char *which, ...)
{
    va_list list;

    if (job->report->reasons[reason].count++ != 0)
        return;
    va_start(list, which);
    vsnprintf(job->report->reasons[reason].first, sizeof job->report->reasons[reason].first, which, list);
    va_end(list);
}

void import_damage(struct import_job *job, const char *format, ...)
{
    uint64_t n = job->report->damage_count++;
    va_list list;

    if (n >= IMPORT_DAMAGES)
        return;
    va_start(list, format);
    vsnprintf(job->report->damages[n], sizeof job->report->damages[n], format, list);
    va_end(list);
}

void import_progress(struct import_job *job, uint64_t offset)
{
    if (job->progress == NULL || offset < job->told_bytes + PROGRESS_BYTES)
        return;
    job->told_bytes = offset;
    job->progress(job->progress_self, offset, input_size(job->input));
}

/* --- a file -------------------------------------------------------------------------------------------- */

static const struct import_format *find_format(struct input *input)
{
    for (const struct import_format *format = import_formats; format->name != NULL; format++)
        if (format->is_mine(input))
            return format;
    return NULL;
}

/* A session of this import alone that has nothing in it is nobody's. */
static bool drop_session(const struct import_options *options, int64_t session, struct err *err)
{
    struct store *store;
    bool ok;

    if (!store_open(options->store_path, STORE_WRITE, &store, err))
        return false;
    ok = session_delete(store, session, err);
    store_close(store);
    return ok;
}

static bool was_there(const struct import_options *options)
{
    struct session_row row;
    struct store *store;
    struct err unused; /* what can't be read now is said by capture_start */
    bool found;

    if (options->session_name == NULL || !store_open(options->store_path, STORE_READ, &store, &unused))
        return false;
    found = store_find_session(store, options->session_name, &row, &unused);
    if (found)
        session_row_clear(&row);
    store_close(store);
    return found;
}

static bool read_into_session(struct input *input, const struct import_format *format,
                              const struct import_options *options, struct import_report *report,
                              struct err *err)
{
    const struct capture_options capture_options = { .session_name = options->session_name };
    struct import_job job = {
        .input = input,
        .report = report,
        .now_us = clock_wall_us(),
        .progress = options->progress,
        .progress_self = options->progress_self,
    };
    bool is_continued = was_there(options);
    struct capture_summary summary;
    bool ok;

    if (!capture_start(options->store_path, &capture_options, &job.capture, err))
        return false;
    job.session = roster_at(capture_shared(job.capture)->roster, 0);
    format->read(&job);
    ok = capture_end(job.capture, &summary, err);
    snprintf(report->session, sizeof report->session, "%s", summary.name);
    snprintf(report->incomplete, sizeof report->incomplete, "%s", summary.incomplete);
    capture_summary_clear(&summary);
    if (ok && !is_continued && report->exchanges == 0 && report->cookies == 0)
        ok = drop_session(options, summary.session, err);
    return ok;
}

bool import_file(const char *path, const struct import_options *options, struct import_report *out_report,
                 struct err *err)
{
    const struct import_format *format = options->format;
    struct input *input;
    bool ok = false;

    if (!input_open(path, &input, err))
        return false;
    memset(out_report, 0, sizeof *out_report);
    if (format == NULL)
        format = find_format(input);
    if (format != NULL)
        ok = read_into_session(input, format, options, out_report, err) && input_check(input, err);
    else if (input_check(input, err))
        err_set(err, ERR_PROTO,
                "'%s' is no HAR, no flow file and no cookie file; --format says what it should be read as",
                path);
    input_free(input);
    return ok;
}
