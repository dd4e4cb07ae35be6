/* A .http file, as VS Code's REST Client, httpYac and JetBrains' HTTP Client run it: requests to read, try
 * and change.
 *
 * There is no grammar that all follow, and none has a way to quote. So a body stands in the file only
 * where none of its lines could be taken for something else, and lies beside it otherwise. What a client
 * makes itself for each connection is left to it. */
#include "capture/export/content.h"
#include "capture/export/curl.h"
#include "capture/export/job.h"
#include "capture/export/naming.h"
#include "capture/export/policy.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* A longer body is no help to whoever reads the file. */
#define MAX_INLINE_BYTES (64 * 1024)

static void write_buf(FILE *out, struct strbuf *text)
{
    fwrite(strbuf_text(text), 1, text->len, out);
    strbuf_reset(text);
}

/* Those that the REST Client takes; anything else in front of a URL makes it send a GET. */
static bool is_known_method(struct span method)
{
    static const char *const methods[] = { "GET",     "POST",  "PUT",   "DELETE",     "PATCH",    "HEAD",
                                           "OPTIONS", "TRACE", "LOCK",  "UNLOCK",     "PROPFIND", "PROPPATCH",
                                           "COPY",    "MOVE",  "MKCOL", "MKCALENDAR", "ACL",      "SEARCH" };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (span_eq(method, span_of(methods[i])))
            return true;
    return false;
}

static bool takes(const struct record *record, enum export_reason *out_why)
{
    if (!curl_takes(record, out_why))
        return false;
    if (is_known_method(record->method))
        return true;
    *out_why = EXPORT_METHOD_UNKNOWN;
    return false;
}

/* --- head ---------------------------------------------------------------------------------------------- */

/* What follows ### is one line, whatever a request calls itself. */
static void write_title(struct export_job *job, const struct record *record, struct span body)
{
    struct strbuf name = STRBUF_EMPTY, text = STRBUF_EMPTY;
    char time[TEXT_TIME_BYTES];

    naming_add_item(&name, record->method, record->path);
    naming_add_operation(&name, record, body);
    strbuf_add_str(&text, job->report->written != 0 ? "\n### " : "### ");
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        strbuf_add_char(&text, c < ' ' || c == 0x7f ? ' ' : name.ptr[i]);
    }
    text_time_ms(time, (int64_t)(record->started_us / 1000));
    strbuf_printf(&text, "\n# exchange %u, %s, ", record->seq, time);
    if (record->status != 0)
        strbuf_printf(&text, "status %d\n", record->status);
    else
        strbuf_add_str(&text, "no response\n");
    /* Each redirect, and each Cookie, is in the file itself. */
    strbuf_add_str(&text, "# @no-redirect\n# @no-cookie-jar\n");
    write_buf(job->out, &text);
    strbuf_clear(&text);
    strbuf_clear(&name);
}

/* Braces would be variables, the others are changed by one client or the other. */
static bool fits_url(char c)
{
    return c > ' ' && c <= '~' && strchr("\"#<>\\^`{|}", c) == NULL;
}

static void write_request_line(struct export_job *job, const struct record *record)
{
    struct strbuf url = STRBUF_EMPTY, text = STRBUF_EMPTY;
    bool is_changed = record->path.len == 0 || record->path.ptr[0] != '/';

    record_add_url(record, &url);
    strbuf_add(&text, record->method);
    strbuf_add_char(&text, ' ');
    for (size_t i = 0; i < url.len; i++) {
        if (fits_url(url.ptr[i])) {
            strbuf_add_char(&text, url.ptr[i]);
        } else {
            strbuf_printf(&text, "%%%02X", (unsigned char)url.ptr[i]);
            is_changed = true;
        }
    }
    strbuf_add_char(&text, '\n');
    write_buf(job->out, &text);
    if (is_changed)
        job_count_exchange(job, EXPORT_TARGET_UNFIT, record);
    strbuf_clear(&text);
    strbuf_clear(&url);
}

/* Values one character a byte: that is how Node sends them. Host is the URL's: where it said something else
 * the target decided, or it is in the URL already. */
static void write_fields(struct export_job *job, const struct record *record)
{
    struct strbuf text = STRBUF_EMPTY;
    struct policy_facts facts;

    policy_facts_init(&facts, record, true);
    facts.is_host_elsewhere = false;
    for (size_t i = 0; i < record->request_headers.count; i++) {
        const struct record_field *field = &record->request_headers.items[i];

        if (policy_request(&facts, field->name) == POLICY_DROP && !span_ieq(field->name, SPAN("Cookie")))
            continue;
        /* A line that begins so is a comment. */
        if (!policy_is_sendable(field) || span_starts(field->name, SPAN("#"))) {
            job_count_exchange(job, EXPORT_HEADER_UNFIT, record);
            continue;
        }
        if (memmem(field->value.ptr, field->value.len, "{{", 2) != NULL)
            job_count_exchange(job, EXPORT_BRACES, record);
        strbuf_add(&text, field->name);
        strbuf_add_str(&text, field->value.len != 0 ? ": " : ":");
        text_add_latin1(&text, field->value);
        strbuf_add_char(&text, '\n');
        write_buf(job->out, &text);
    }
    if (record->request_trailers.count != 0)
        job_count_exchange(job, EXPORT_TRAILERS, record);
    strbuf_clear(&text);
}

/* --- body ---------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* "POST /x", "GRPC x": also of methods that only some editors know, and of other protocols. */
static bool is_request_line(struct span line)
{
    size_t end = 0;

    while (end < line.len && ((line.ptr[end] >= 'A' && line.ptr[end] <= 'Z') || line.ptr[end] == '-'))
        end++;
    return end > 1 && end < line.len && is_blank(line.ptr[end]);
}

/* What no editor takes for more than a line of a body. */
static bool is_plain_line(struct span line)
{
    static const struct span others[] = {
        SPAN("#"),     SPAN("//"),       SPAN("==="),      /* comments and titles */
        SPAN(">"),     SPAN("<>"),                         /* files to be written, and scripts */
        SPAN("@"),     SPAN("??"),       SPAN("HTTP/"),    /* variables, tests, responses */
        SPAN("query"), SPAN("mutation"), SPAN("fragment"), /* GraphQL, to be wrapped in JSON */
        SPAN("gql"),   SPAN("proto"),                      /* files to be read */
    };

    line = span_trim(line);
    if (line.len == 0)
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (span_starts(line, others[i]))
            return false;
    if (is_request_line(line))
        return false;
    return line.ptr[0] != '<' || (line.len > 1 && !is_blank(line.ptr[1]) && line.ptr[1] != '@');
}

static bool fits_inline(const struct record *record, const struct content *content)
{
    struct span rest = strbuf_span(&content->front), line;

    if (!content->is_whole || !content->is_text || rest.len == 0 || is_blank(rest.ptr[0]) ||
        is_blank(rest.ptr[rest.len - 1]))
        return false;
    /* Line ends are the file's, and the REST Client takes them out of a form. */
    if (memchr(rest.ptr, '\r', rest.len) != NULL || memmem(rest.ptr, rest.len, "{{", 2) != NULL ||
        (span_eq(record->request_type, SPAN("application/x-www-form-urlencoded")) &&
         memchr(rest.ptr, '\n', rest.len) != NULL))
        return false;
    while (span_split(&rest, '\n', &line))
        if (!is_plain_line(line))
            return false;
    return true;
}

static bool put_bytes(void *self, struct span bytes, struct err *err)
{
    return files_write(self, bytes, err);
}

static bool write_file(struct export_job *job, const struct content *content, struct err *err)
{
    const char *folder = files_path(job->files), *slash = strrchr(folder, '/');
    char *name;

    if (!files_begin(job->files, err) || !content_stream(job->source, content, put_bytes, job->files, err) ||
        !files_end(job->files, SPAN("body"), &name, err))
        return false;
    fprintf(job->out, "\n< ./%s/%s\n", slash != NULL ? slash + 1 : folder, name);
    mem_free(name);
    return true;
}

static bool write_body(struct export_job *job, const struct record *record, const struct content *content,
                       struct err *err)
{
    if (content->body == 0)
        return true;
    if (fits_inline(record, content)) {
        fprintf(job->out, "\n%.*s\n", SPAN_ARG(strbuf_span(&content->front)));
        return true;
    }
    if (job->files != NULL)
        return write_file(job, content, err);
    fprintf(job->out, "# its body of %llu bytes needs a file beside this one\n",
            (unsigned long long)record->request_body.bytes);
    job_count_exchange(job, EXPORT_BODY_NO_PLACE, record);
    return true;
}

/* --- the file ------------------------------------------------------------------------------------------ */

static bool write_exchange(struct export_job *job, const struct record *record, struct err *err)
{
    const struct record_fields as_it_is = { NULL, 0 };
    struct content body;
    enum export_reason why;
    bool ok;

    if (!takes(record, &why)) {
        job_count_exchange(job, why, record);
        return true;
    }
    if (!content_read(job->source, &record->request_body, &as_it_is, MAX_INLINE_BYTES, CONTENT_FRONT, &body,
                      err))
        return false;
    write_title(job, record, strbuf_span(&body.front));
    write_request_line(job, record);
    write_fields(job, record);
    ok = write_body(job, record, &body, err);
    content_clear(&body);
    job->report->written++;
    return ok;
}

bool export_http(struct export_job *job, struct err *err)
{
    const struct export_source *source = job->source;
    const struct record *record;

    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        job->report->considered++;
        if (!write_exchange(job, record, err))
            return false;
    }
}
