/* OpenAPI 3.1: what the exchanges prove of an API. Two passes find its paths and what is none of it
 * (endpoints.h), the third learns, and examples are read again as they are written. */
#include "capture/export/endpoints.h"
#include "capture/export/host_scope.h"
#include "capture/export/json_out.h"
#include "capture/export/openapi_model.h"
#include "capture/export/patterns.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* --- what is an API ------------------------------------------------------------------------------------ */

/* Of each exchange, in order of seq, what dedup says of it. */
struct fates {
    uint32_t *seqs;
    unsigned char *list;
    size_t count, cap, at;
};

static void add_fate(void *self, uint32_t seq, enum dedup_fate fate, size_t item)
{
    struct fates *fates = self;

    (void)item;
    if (fates->count == fates->cap) {
        fates->cap = fates->cap != 0 ? fates->cap * 2 : 1024;
        fates->seqs = mem_realloc(fates->seqs, fates->cap * sizeof(*fates->seqs));
        fates->list = mem_realloc(fates->list, fates->cap);
    }
    fates->seqs[fates->count] = seq;
    fates->list[fates->count++] = (unsigned char)fate;
}

static void fates_clear(struct fates *fates)
{
    mem_free(fates->seqs);
    mem_free(fates->list);
}

/* Asked in order of seq. */
static enum dedup_fate fate_of(struct fates *fates, uint32_t seq)
{
    while (fates->at < fates->count && fates->seqs[fates->at] < seq)
        fates->at++;
    return fates->at < fates->count && fates->seqs[fates->at] == seq ? (enum dedup_fate)fates->list[fates->at]
                                                                     : DEDUP_GONE;
}

static bool is_wanted(enum dedup_fate fate, enum export_reason *out_why)
{
    switch (fate) {
    case DEDUP_ITEM:
    case DEDUP_EXAMPLE:
    case DEDUP_HOP:
    case DEDUP_DUPLICATE:
    case DEDUP_REPEAT:
    case DEDUP_MAX_EXAMPLES:
    case DEDUP_ABORTED:
    case DEDUP_NOT_MODIFIED:
    case DEDUP_HOP_MERGED:
    case DEDUP_SERVICE_WORKER:
        return true;
    case DEDUP_TUNNEL:
        *out_why = EXPORT_TUNNEL;
        return false;
    case DEDUP_UPGRADED:
        *out_why = EXPORT_UPGRADED;
        return false;
    case DEDUP_OWN_RESPONSE:
        *out_why = EXPORT_OWN_RESPONSE;
        return false;
    case DEDUP_NO_RESPONSE:
        *out_why = EXPORT_NO_RESPONSE;
        return false;
    case DEDUP_REQUEST_CUT:
        *out_why = EXPORT_REQUEST_CUT;
        return false;
    case DEDUP_RETRANSMITTED:
    case DEDUP_PREFLIGHT:
    case DEDUP_NOISE:
        *out_why = EXPORT_BY_ITSELF;
        return false;
    case DEDUP_GONE:
    case DEDUP_FATES:
        break;
    }
    *out_why = EXPORT_GONE;
    return false;
}

static bool is_file(struct span path)
{
    size_t at = path.len;

    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    path = span_from(path, at);
    return span_find(path, '.') < path.len;
}

/* Pages and what they are made of: a site, not an API. */
static bool is_site(const struct record *record)
{
    static const struct span types[] = { { "text/html", 9 },
                                         { "text/css", 8 },
                                         { "text/javascript", 15 },
                                         { "application/javascript", 22 },
                                         { "application/x-javascript", 24 },
                                         { "application/xhtml", 17 },
                                         { "application/wasm", 16 },
                                         { "application/manifest+json", 25 },
                                         { "font/", 5 },
                                         { "application/font", 16 } };
    static const struct span media[] = { { "image/", 6 }, { "audio/", 6 }, { "video/", 6 } };
    struct span fetch = SPAN("empty");

    if (!span_eq(record->method, SPAN("GET")) && !span_eq(record->method, SPAN("HEAD")))
        return false;
    record_find(&record->request_headers, SPAN("Sec-Fetch-Dest"), &fetch);
    if (!span_ieq(fetch, SPAN("empty")))
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (record->status < 400 && span_starts(record->response_type, types[i]))
            return true;
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
        if (span_starts(record->response_type, media[i]))
            return is_file(record->path);
    return false;
}

/* --- learning ------------------------------------------------------------------------------------------ */

static bool learn_all(struct openapi *openapi, struct export_job *job, const struct template *template,
                      struct fates *fates, const struct host_scope *host, struct err *err)
{
    const struct export_source *source = job->source;
    const struct record *record;
    enum export_reason why;
    bool is_taken;

    if (!source->rewind(source->self, err))
        return false;
    for (;;) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        if (host != NULL && !host_scope_takes(host, record))
            continue;
        job->report->considered++;
        if (!is_wanted(fate_of(fates, record->seq), &why)) {
            job_count_exchange(job, why, record);
            continue;
        }
        if (is_site(record)) {
            job_count_exchange(job, EXPORT_SITE, record);
            continue;
        }
        if (!openapi_learn(openapi, job, template, record, &is_taken, err))
            return false;
        job->report->written += is_taken;
    }
}

static bool learn(struct openapi *openapi, struct export_job *job, const struct host_scope *host,
                  struct err *err)
{
    struct dedup_options options = { .max_examples = 1 };
    struct template *template = NULL;
    struct dedup *dedup = NULL;
    struct fates fates = { .count = 0 };
    bool ok = patterns_template(job->options, &template, err) &&
              endpoints_find(job->source, template, &options, &dedup, err);

    if (ok) {
        patterns_report(job, template);
        dedup_each(dedup, add_fate, &fates);
        dedup_free(dedup);
        ok = learn_all(openapi, job, template, &fates, host, err);
    }
    fates_clear(&fates);
    template_free(template);
    return ok;
}

/* --- the document -------------------------------------------------------------------------------------- */

static void add_counts(struct strbuf *out, const struct openapi *openapi, const struct export_job *job)
{
    const struct export_report *report = job->report;
    char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];

    strbuf_add_str(out, "What weir saw of this API");
    if (openapi->first_us != 0) {
        text_time_ms(first, (int64_t)(openapi->first_us / 1000));
        text_time_ms(last, (int64_t)(openapi->last_us / 1000));
        strbuf_printf(out, " from %s to %s", first, last);
    }
    strbuf_printf(out,
                  ": %zu operations in %llu of %llu exchanges. Parameters, schemas and security are what "
                  "these prove, and no more.",
                  openapi->operations, (unsigned long long)report->written,
                  (unsigned long long)report->considered);
    if (job->secrets != NULL)
        strbuf_add_str(out, " Secrets are masked: `REDACTED_name`.");
    for (size_t i = 0, any = 0; i < EXPORT_REASON_COUNT; i++) {
        if (report->reasons[i].count == 0)
            continue;
        strbuf_printf(out, "%s- %llu %s", any++ == 0 ? "\n\n" : "\n",
                      (unsigned long long)report->reasons[i].count,
                      export_reason_text((enum export_reason)i));
    }
}

/* Of most exchanges, the first of equals; NULL: there is none. */
static const struct openapi_origin *main_origin(const struct openapi *openapi)
{
    const struct openapi_origin *best = NULL;

    for (size_t i = 0; i < openapi->origin_count; i++)
        if (best == NULL || openapi->origins[i].seen > best->seen)
            best = &openapi->origins[i];
    return best;
}

static void write_info(const struct openapi *openapi, const struct export_job *job, struct json_out *json)
{
    const struct openapi_origin *origin = main_origin(openapi);
    struct strbuf text = STRBUF_EMPTY;

    add_counts(&text, openapi, job);
    jout_key(json, "info");
    jout_open_object(json);
    jout_member_str(json, "title",
                    job->options->name != NULL   ? job->options->name
                    : origin != NULL             ? origin->host
                    : job->options->host != NULL ? job->options->host
                                                 : job->source->session->name);
    jout_member_str(json, "version", "0.1");
    jout_member_text(json, "description", strbuf_span(&text));
    jout_close(json);
    strbuf_clear(&text);
}

static void write_server(const struct openapi_origin *origin, struct json_out *json)
{
    jout_open_object(json);
    jout_member_str(json, "url", origin->url);
    jout_close(json);
}

static void write_servers(const struct openapi *openapi, struct json_out *json)
{
    const struct openapi_origin *first = main_origin(openapi);

    if (first == NULL)
        return;
    jout_key(json, "servers");
    jout_open_array(json);
    write_server(first, json);
    for (size_t i = 0; i < openapi->origin_count; i++)
        if (&openapi->origins[i] != first)
            write_server(&openapi->origins[i], json);
    jout_close(json);
}

static bool write_document(const struct openapi *openapi, struct export_job *job, struct err *err)
{
    struct json_out json;

    jout_init(&json, job->out);
    jout_open_object(&json);
    jout_member_str(&json, "openapi", "3.1.0");
    write_info(openapi, job, &json);
    write_servers(openapi, &json);
    if (!openapi_write(openapi, job, &json, err))
        return false;
    jout_close(&json);
    jout_end_document(&json);
    return true;
}

bool export_openapi(struct export_job *job, struct err *err)
{
    struct openapi openapi;
    struct host_scope host;
    bool ok = job->options->host == NULL || host_scope_parse(job->options->host, &host, err);

    openapi_init(&openapi);
    ok = ok && learn(&openapi, job, job->options->host != NULL ? &host : NULL, err) &&
         write_document(&openapi, job, err);
    openapi_clear(&openapi);
    return ok;
}
