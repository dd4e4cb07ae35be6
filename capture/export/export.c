#include "capture/export/export.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "capture/export/credential.h"
#include "capture/export/job.h"
#include "capture/export/job_log.h"
#include "capture/export/secret_gate.h"
#include "capture/export/source_counted.h"
#include "capture/export/source_masked.h"
#include "proxy/base/mem.h"

const struct export_format export_formats[] = {
    { "collection", "a Postman collection (v2.1.0) that newman replays", ".postman_collection.json",
      EXPORT_HIDES_BY_NAME, export_collection, ".postman_environment.json" },
    { "environment", "a Postman environment: the base URL of each host, and secrets",
      ".postman_environment.json", EXPORT_HOLDS_VARIABLES, export_environment, NULL },
    { "har", "an HTTP archive (HAR 1.2)", ".har", EXPORT_HIDES_BY_MASK, export_har, NULL },
    { "curl", "a bash script with a curl command for each request, byte for byte", ".sh",
      EXPORT_HIDES_BY_NAME, export_curl, ".env" },
    { "jsonl", "every exchange as JSON, one a line, for jq and scripts", ".jsonl", EXPORT_HIDES_BY_MASK,
      export_jsonl, NULL },
    { "http", "a .http file for VS Code's REST Client and JetBrains' HTTP Client", ".http",
      EXPORT_HIDES_BY_MASK, export_http, NULL },
    { "openapi", "an OpenAPI 3.1 description: paths, parameters, schemas, security", ".openapi.json",
      EXPORT_HIDES_BY_MASK, export_openapi, NULL },
    { "cookies-netscape", "cookies.txt for curl, wget, yt-dlp and Python", ".cookies.txt",
      EXPORT_HIDES_NOTHING, export_cookies_netscape, NULL },
    { "cookies-tough", "a cookie jar for newman and tough-cookie", ".cookies.json", EXPORT_HIDES_NOTHING,
      export_cookies_tough, NULL },
    { "cookies-playwright", "a storageState for Playwright", ".storage-state.json", EXPORT_HIDES_NOTHING,
      export_cookies_playwright, NULL },
    { "cookies-json", "cookies as Chrome gives them to extensions, for cookie editors",
      ".chrome-cookies.json", EXPORT_HIDES_NOTHING, export_cookies_json, NULL },
    { "cookies-header", "one Cookie header line, for curl -H @FILE", ".cookie-header.txt",
      EXPORT_HIDES_NOTHING, export_cookies_header, NULL },
    { NULL, NULL, NULL, EXPORT_HIDES_NOTHING, NULL, NULL },
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
        [EXPORT_BY_ITSELF] =
            "left out: what no person meant: preflights, trackers, requests that were sent again",
        [EXPORT_SITE] = "left out: pages, and the scripts, styles, images and fonts they are made of",
        [EXPORT_NO_OPERATION] = "left out: requests with a method or a target that OpenAPI has no place for",
        [EXPORT_OPERATIONS_MANY] = "left out: requests for more different operations than one document holds",
        [EXPORT_SCHEMA_PARTIAL] =
            "bodies that taught nothing, or not all they might: cut, damaged, too long, or too many",
        [EXPORT_NAMES_MANY] = "exchanges with more parameters or fields than are described",
        [EXPORT_BODY_MASKED] = "changed: bodies that are files, with masks where secrets stood",
        [EXPORT_PATTERN_UNUSED] = "of no use: path patterns that no captured path fits",
        [EXPORT_MERGED] = "merged: exchanges that say no more of their item",
        [EXPORT_NOISE] = "left out: analytics, crash reports and preflights",
        [EXPORT_CREDENTIAL] = "credentials that can't be sent again as they are: see the items",
        [EXPORT_LINKED] = "linked: variables that the item sets whose response issued the value",
        [EXPORT_LINK_LATE] =
            ("used before they are set: variables, by items whose folder stands before the one "
             "that sets them; --group-by chronological has neither"),
        [EXPORT_LINKS_MANY] = "not linked: what came after too many values that may be links",
        [EXPORT_EXAMPLE_CUT] =
            "cut short: examples with a body longer than --max-example-body, or than was kept",
        [EXPORT_EXAMPLE_LEFT_OUT] = "without a body: examples whose body is binary or incomplete",
        [EXPORT_BODY_CUT] = "cut short: bodies of which only a part was kept",
        [EXPORT_COOKIE_IGNORED] = "Set-Cookie lines that a browser ignores",
        [EXPORT_COOKIE_UNFIT] = "left out: cookies that this format can't hold",
        [EXPORT_COOKIE_PATH] = "cookies with a path that ends in '/', which curl reads without it",
        [EXPORT_COOKIE_CASE] = "cookies whose names differ in case only, of which curl keeps one",
        [EXPORT_COOKIE_TWINS] =
            "left out: cookies that differ in being host-only alone: tough-cookie keeps one",
        [EXPORT_COOKIE_PARTITIONED] = "partitioned cookies, written as plain ones",
        [EXPORT_COOKIE_TOP_SITE] =
            "partitioned cookies whose top-level site is not known, written as plain ones",
        [EXPORT_COOKIE_INFERRED] = "cookies that were only seen being sent: their attributes are inferred",
        [EXPORT_LOCAL_STORAGE] =
            "storageState without localStorage, which a proxy can't see: its \"origins\" are empty",
    };

    return texts[reason];
}

void export_report_clear(struct export_report *report)
{
    mem_free(report->files_path);
    mem_free(report->values_path);
    *report = (struct export_report){ .considered = 0 };
}

static void count(struct export_job *job, enum export_reason reason, const char *what, const char *why,
                  uint32_t item)
{
    if (job->log != NULL)
        job_log_add(job->log, what, why, item);
    if (reason != EXPORT_REASON_COUNT && job->report->reasons[reason].count++ == 0)
        snprintf(job->report->reasons[reason].first, sizeof(job->report->reasons[reason].first), "%s", what);
}

void job_count(struct export_job *job, enum export_reason reason, const char *what, ...)
{
    char text[sizeof(job->report->reasons[reason].first)];
    va_list arguments;

    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    count(job, reason, text, export_reason_text(reason), 0);
}

void job_count_seq(struct export_job *job, enum export_reason reason, uint32_t seq)
{
    job_count(job, reason, "exchange %u", seq);
}

void job_count_exchange(struct export_job *job, enum export_reason reason, const struct record *record)
{
    job_count_seq(job, reason, record->seq);
}

void job_count_fate(struct export_job *job, enum export_reason reason, uint32_t seq, const char *why,
                    uint32_t item)
{
    char text[sizeof "exchange 4294967295"];

    snprintf(text, sizeof text, "exchange %u", seq);
    count(job, reason, text, why, item);
}

/* --- secrets ------------------------------------------------------------------------------------------- */

/* Names of base URLs and of what is to be filled in, in every format: a secret's is the same in all of them.
 */
static bool is_reserved(void *self, const char *name)
{
    const struct merge *merge = self;

    return strstr(name, "aseUrl") != NULL || strcmp(name, CREDENTIAL_AWS_VARIABLE) == 0 ||
           strcmp(name, CREDENTIAL_DIGEST_VARIABLE) == 0 || (merge != NULL && merge_is_taken(merge, name));
}

static bool knows_secrets(const struct export_options *options)
{
    return options->format->hiding == EXPORT_HOLDS_VARIABLES ||
           (options->format->hiding != EXPORT_HIDES_NOTHING && options->secrets != EXPORT_SECRETS_KEEP);
}

/* Whether no secret may be in what is written. */
static bool is_guarded(const struct export_options *options)
{
    return knows_secrets(options) &&
           (options->format->hiding != EXPORT_HOLDS_VARIABLES || options->secrets == EXPORT_SECRETS_DROP);
}

static bool collect(struct export_job *job, struct err *err)
{
    const struct export_options *options = job->options;

    job->secrets = secrets_new();
    if ((options->secret_patterns != NULL &&
         !secrets_load_patterns(job->secrets, options->secret_patterns, err)) ||
        !secrets_collect(job->secrets, job->source, err))
        return false;
    if (job->merge != NULL)
        secrets_keep_names(job->secrets, merge_secret_name, job->merge);
    secrets_seal(job->secrets, is_reserved, job->merge);
    if (job->log != NULL)
        job_log_set_secrets(job->log, job->secrets);
    return true;
}

static bool pass_gate(void *self, FILE *file, const char *what, struct err *err)
{
    return secret_gate_pass(self, file, what, err);
}

/* The format's own work, between two passes over secrets: one that learns them, one that looks for them. */
static bool write_format(struct export_job *job, struct err *err)
{
    const struct export_options *options = job->options;
    struct export_source masked = { .self = NULL };
    struct source_counted counted;
    bool ok = true;

    if (options->progress != NULL) {
        source_counted_init(&counted, job->source, options);
        job->source = &counted.source;
    }
    if (knows_secrets(options) && !collect(job, err))
        return false;
    if (options->progress != NULL)
        counted.phase = EXPORT_WRITING;
    if (is_guarded(options) && job->files != NULL)
        files_set_check(job->files, pass_gate, job->secrets);
    if (is_guarded(options) && options->format->hiding == EXPORT_HIDES_BY_MASK) {
        source_masked_init(&masked, job->source, job->secrets);
        job->source = &masked;
    }
    ok = options->format->write(job, err);
    source_masked_clear(&masked);
    if (ok && (fflush(job->out) != 0 || ferror(job->out)))
        ok = err_sys(err, errno, "can't write the export");
    if (ok && is_guarded(options) && options->progress != NULL)
        options->progress(options->progress_self, EXPORT_CHECKING, 0, 0);
    if (ok && is_guarded(options))
        ok = secret_gate_pass(job->secrets, job->out, "the export", err);
    if (!ok && job->merge != NULL && err->code == ERR_LEAK)
        merge_explain_leak(job->merge, job->secrets, err);
    job->report->is_hidden = is_guarded(options);
    return ok;
}

/* --- where to ------------------------------------------------------------------------------------------ */

static bool copy_out(FILE *from, FILE *to, struct err *err)
{
    char bytes[16 * 1024];
    size_t len;

    rewind(from);
    while ((len = fread(bytes, 1, sizeof bytes, from)) != 0)
        if (fwrite(bytes, 1, len, to) != len)
            break;
    if (ferror(from) || fflush(to) != 0 || ferror(to))
        return err_sys(err, errno, "can't write the export");
    return true;
}

/* "shop.sh" has "shop.env". */
static char *values_path(const struct export_format *format, const char *path)
{
    struct span stem = span_of(path);

    if (span_ends(stem, span_of(format->file_name)))
        stem.len -= strlen(format->file_name);
    else if (span_ends(stem, SPAN(".json")))
        stem.len -= strlen(".json");
    return mem_printf("%.*s%s", SPAN_ARG(stem), format->values_name);
}

/* What is written besides the export itself, and appears with it. */
struct side_files {
    struct outfile report, values;
    char *values_path;
};

static bool open_sides(struct export_job *job, const char *path, struct side_files *sides, struct err *err)
{
    const struct export_options *options = job->options;

    if (options->report_file != NULL && !outfile_open(&sides->report, options->report_file, err))
        return false;
    if (options->report_file != NULL || options->explain != NULL)
        job->log = job_log_new(options->explain, sides->report.file,
                               options->report_file != NULL &&
                                   span_ends(span_of(options->report_file), SPAN(".json")));
    if (path == NULL || !knows_secrets(options) || options->format->hiding != EXPORT_HIDES_BY_NAME)
        return true;
    sides->values_path = values_path(options->format, path);
    if (!outfile_open(&sides->values, sides->values_path, err))
        return false;
    job->values_path = sides->values_path;
    job->values = sides->values.file;
    return true;
}

/* They come before the export: without its values it is of no use. */
static bool commit_sides(struct export_job *job, struct side_files *sides, struct err *err)
{
    if (job->log != NULL)
        job_log_end(job->log);
    if (job->report->values + job->report->blanks == 0)
        outfile_abandon(&sides->values);
    return (sides->values.file == NULL || outfile_commit(&sides->values, err)) &&
           (sides->report.file == NULL || outfile_commit(&sides->report, err));
}

static void clear_sides(struct export_job *job, struct side_files *sides)
{
    outfile_abandon(&sides->values);
    outfile_abandon(&sides->report);
    mem_free(sides->values_path);
    job_log_free(job->log);
}

bool export_to_stream(const struct export_source *source, const struct export_options *options, FILE *stream,
                      struct export_report *out_report, struct err *err)
{
    struct export_job job = { .source = source, .options = options, .out = stream, .report = out_report };
    struct side_files sides = { .values_path = NULL };
    bool ok;

    *out_report = (struct export_report){ .considered = 0 };
    if (is_guarded(options)) {
        job.out = files_temporary(err);
        if (job.out == NULL)
            return false;
    }
    ok = open_sides(&job, NULL, &sides, err) && write_format(&job, err) &&
         (job.out == stream || copy_out(job.out, stream, err)) && commit_sides(&job, &sides, err);
    if (job.out != stream)
        fclose(job.out);
    clear_sides(&job, &sides);
    secrets_free(job.secrets);
    return ok;
}

static bool open_merge(struct export_job *job, struct err *err)
{
    const struct export_options *options = job->options;
    char *values;
    bool ok;

    if (options->into == NULL)
        return true;
    values = values_path(options->format, options->into);
    ok = merge_open(options->into, values, &job->merge, err);
    mem_free(values);
    job->report->is_merged = ok && job->merge != NULL;
    return ok;
}

bool export_to_file(const struct export_source *source, const struct export_options *options,
                    const char *path, struct export_report *out_report, struct err *err)
{
    struct export_job job = { .source = source, .options = options, .report = out_report };
    struct side_files sides = { .values_path = NULL };
    struct outfile out;
    bool ok;

    *out_report = (struct export_report){ .considered = 0 };
    if (!outfile_open(&out, path, err))
        return false;
    job.out = out.file;
    job.files = files_new(path);
    ok = open_merge(&job, err) && open_sides(&job, path, &sides, err) && write_format(&job, err) &&
         (job.merge == NULL || merge_check(job.merge, err)) && commit_sides(&job, &sides, err) &&
         (options->unsynced ? outfile_show(&out, err) : outfile_commit(&out, err));
    if (ok) {
        files_keep(job.files);
        out_report->has_files = !files_is_empty(job.files);
        out_report->files_path = mem_strdup(files_path(job.files));
        if (out_report->values + out_report->blanks != 0) {
            out_report->values_path = sides.values_path;
            sides.values_path = NULL;
        }
    }
    outfile_abandon(&out);
    files_free(job.files);
    clear_sides(&job, &sides);
    secrets_free(job.secrets);
    merge_free(job.merge);
    return ok;
}
