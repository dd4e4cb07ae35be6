#include "capture/export/export.h"

#include <errno.h>
#include <stdarg.h>

#include "capture/export/job.h"
#include "proxy/base/mem.h"

const struct export_format export_formats[] = {
    { "collection", "a Postman collection (v2.1.0) that newman replays", ".postman_collection.json",
      export_collection },
    { "environment", "a Postman environment with the base URL of each host", ".postman_environment.json",
      export_environment },
    { "har", "an HTTP archive (HAR 1.2)", ".har", export_har },
    { "curl", "a bash script with a curl command for each request, byte for byte", ".sh", export_curl },
    { "jsonl", "every exchange as JSON, one a line, for jq and scripts", ".jsonl", export_jsonl },
    { "http", "a .http file for VS Code's REST Client and JetBrains' HTTP Client", ".http", export_http },
    { "cookies-netscape", "cookies.txt for curl, wget, yt-dlp and Python", ".cookies.txt",
      export_cookies_netscape },
    { "cookies-tough", "a cookie jar for newman and tough-cookie", ".cookies.json", export_cookies_tough },
    { "cookies-playwright", "a storageState for Playwright", ".storage-state.json",
      export_cookies_playwright },
    { NULL, NULL, NULL, NULL },
};

const struct export_format *export_find_format(const char *name)
{
    for (const struct export_format *format = export_formats; format->name != NULL; format++)
        if (strcmp(format->name, name) == 0)
            return format;
    return NULL;
}

bool export_parse_group(const char *text, enum export_group *out_group, struct err *err)
{
    static const char *const names[] = {
        [EXPORT_BY_BOTH] = "both",
        [EXPORT_BY_DOMAIN] = "domain",
        [EXPORT_BY_ENDPOINT] = "endpoint",
        [EXPORT_CHRONOLOGICAL] = "chronological",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out_group = (enum export_group)i;
            return true;
        }
    }
    return err_set(err, ERR_USAGE, "can't group by '%.100s': domain, endpoint, both or chronological", text);
}

const char *export_reason_text(enum export_reason reason)
{
    static const char *const texts[EXPORT_REASON_COUNT] = {
        [EXPORT_TUNNEL] = "left out: tunnels, whose bytes were relayed and not understood",
        [EXPORT_NO_RESPONSE] = "left out: exchanges that never got a response",
        [EXPORT_OWN_RESPONSE] = "left out: exchanges that weir itself answered, with an error",
        [EXPORT_UPGRADED] = "left out: upgrades to another protocol (WebSocket)",
        [EXPORT_REQUEST_CUT] = "left out: requests whose body was not kept whole",
        [EXPORT_HEAD_LONG] =
            "left out: requests with a head that curl can't hold (a target of 128 KiB, or 1 MiB in all)",
        [EXPORT_GONE] = "left out: exchanges that were deleted meanwhile",
        [EXPORT_METHOD_UNKNOWN] = "left out: requests with a method that editors of .http files don't know",
        [EXPORT_METHOD_CASE] = "changed: methods with lower-case letters, which newman sends in upper case",
        [EXPORT_ASTERISK] = "changed: requests for '*', which newman sends as '/*'",
        [EXPORT_ESCAPED] = "changed: targets with a bare '#' or '\\', written as %23 and %5C",
        [EXPORT_TARGET_UNFIT] = "changed: targets that don't fit into a URL as they are",
        [EXPORT_HEADER_UNFIT] = "dropped: header fields that no client can send again",
        [EXPORT_HEADER_SPELLING] = "changed: names of repeated header fields, now in one spelling",
        [EXPORT_TRAILERS] = "dropped: trailers of requests",
        [EXPORT_UNDECODED] = "kept as captured: bodies whose Content-Encoding could not be undone",
        [EXPORT_LITERALS] = "not protected: some of too many different {{...}} in the traffic",
        [EXPORT_BRACES] = "not protected: header values with {{...}}, which editors take for variables",
        [EXPORT_BODY_NO_PLACE] =
            "dropped: bodies that need a file beside the export, which stdout has not: use -o",
        [EXPORT_EXAMPLE_CUT] = "examples that were cut short",
        [EXPORT_EXAMPLE_LEFT_OUT] = "examples without their body, because it is binary or incomplete",
        [EXPORT_BODY_CUT] = "bodies of which only a part was kept",
        [EXPORT_COOKIE_IGNORED] = "Set-Cookie lines that a browser ignores",
        [EXPORT_COOKIE_UNFIT] = "left out: cookies that this format can't hold",
        [EXPORT_COOKIE_PATH] = "cookies with a path that ends in '/', which curl reads without it",
        [EXPORT_COOKIE_CASE] = "cookies whose names differ in case only, of which curl keeps one",
        [EXPORT_COOKIE_TWINS] =
            "left out: cookies that differ in being host-only alone: tough-cookie keeps one",
        [EXPORT_COOKIE_PARTITIONED] = "partitioned cookies, written as plain ones",
        [EXPORT_COOKIE_INFERRED] = "cookies that were only seen being sent: their attributes are inferred",
        [EXPORT_LOCAL_STORAGE] =
            "storageState without localStorage, which a proxy can't see: its \"origins\" are empty",
    };

    return texts[reason];
}

void export_report_clear(struct export_report *report)
{
    mem_free(report->files_path);
    *report = (struct export_report){ .considered = 0 };
}

void job_count(struct export_job *job, enum export_reason reason, const char *what, ...)
{
    va_list arguments;

    if (job->report->reasons[reason].count++ != 0)
        return;
    va_start(arguments, what);
    vsnprintf(job->report->reasons[reason].first, sizeof(job->report->reasons[reason].first), what,
              arguments);
    va_end(arguments);
}

void job_count_exchange(struct export_job *job, enum export_reason reason, const struct record *record)
{
    job_count(job, reason, "exchange %u", record->seq);
}

bool export_to_stream(const struct export_source *source, const struct export_options *options, FILE *stream,
                      struct export_report *out_report, struct err *err)
{
    struct export_job job = { .source = source, .options = options, .out = stream, .report = out_report };

    *out_report = (struct export_report){ .considered = 0 };
    if (!options->format->write(&job, err))
        return false;
    if (fflush(stream) != 0 || ferror(stream))
        return err_sys(err, errno, "can't write the export");
    return true;
}

bool export_to_file(const struct export_source *source, const struct export_options *options,
                    const char *path, struct export_report *out_report, struct err *err)
{
    struct export_job job = { .source = source, .options = options, .report = out_report };
    struct outfile out;
    bool ok = false;

    *out_report = (struct export_report){ .considered = 0 };
    if (!outfile_open(&out, path, err))
        return false;
    job.out = out.file;
    job.files = files_new(path);
    if (!options->format->write(&job, err)) {
        outfile_abandon(&out);
        goto out;
    }
    ok = outfile_commit(&out, err);
    if (ok) {
        files_keep(job.files);
        out_report->has_files = !files_is_empty(job.files);
        out_report->files_path = mem_strdup(files_path(job.files));
    }
out:
    files_free(job.files);
    return ok;
}
