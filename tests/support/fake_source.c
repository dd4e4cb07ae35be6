#include "tests/support/fake_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/http/url.h"

/* 2026-11-21T20:14:00Z: any fixed time does. */
#define STARTED_US (1795292040ull * 1000000)

struct fake_exchange {
    struct record record;
    char *request, *response, *host, *scheme; /* what the spans point into */
    struct span request_body, response_body;
    struct record_message *messages; /* as many as the record says */
};

struct fake_cookie {
    struct cookie_row row;
    char *host, *url, *line, *name, *value;
};

struct fake_source {
    struct export_source reader;
    struct session_row session;
    struct fake_exchange **exchanges;
    size_t count, next;
    struct fake_cookie **cookies;
    size_t cookie_count;
    bool is_broken;
};

static bool fake_rewind(void *self, struct err *err)
{
    (void)err;
    ((struct fake_source *)self)->next = 0;
    return true;
}

static bool fake_next(void *self, const struct record **out_record, struct err *err)
{
    struct fake_source *fake = self;

    (void)err;
    *out_record = fake->next < fake->count ? &fake->exchanges[fake->next++]->record : NULL;
    return true;
}

static bool fake_at(void *self, uint32_t seq, const struct record **out_record, struct err *err)
{
    struct fake_source *fake = self;

    (void)err;
    *out_record = seq >= 1 && seq <= fake->count ? &fake->exchanges[seq - 1]->record : NULL;
    return true;
}

/* In small pieces, so that whoever takes them meets their borders. */
static bool fake_body_read(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    struct fake_source *fake = self;
    struct fake_exchange *exchange = fake->exchanges[(body - 1) / 2];
    struct span bytes = body % 2 == 1 ? exchange->request_body : exchange->response_body;
    size_t piece = bytes.len > 4096 ? 4093 : 7;

    if (fake->is_broken)
        return err_set(err, ERR_STORE, "the store is broken");
    for (size_t at = 0; at < bytes.len; at += piece)
        if (!sink(sink_self, span_sub(bytes, at, bytes.len - at < piece ? bytes.len - at : piece), err))
            return false;
    return true;
}

static bool fake_messages(void *self, uint32_t seq, store_message_sink each, void *each_self, struct err *err)
{
    struct fake_source *fake = self;
    const struct fake_exchange *exchange = fake->exchanges[seq - 1];

    if (fake->is_broken)
        return err_set(err, ERR_STORE, "the store is broken");
    for (uint32_t i = 0; i < exchange->record.messages; i++)
        if (!each(each_self, &exchange->messages[i], err))
            return false;
    return true;
}

static bool fake_cookies(void *self, bool (*each)(void *each_self, const struct cookie_row *row),
                         void *each_self, struct err *err)
{
    struct fake_source *fake = self;

    (void)err;
    for (size_t i = 0; i < fake->cookie_count; i++)
        if (!each(each_self, &fake->cookies[i]->row))
            break;
    return true;
}

struct fake_source *fake_source_new(void)
{
    struct fake_source *fake = mem_new(struct fake_source);

    fake->session = (struct session_row){
        .id = 1,
        .uid = "018f3c1a-0000-7000-8000-000000000001",
        .name = mem_strdup("test"),
        .state = SESSION_ENDED,
        .started_us = STARTED_US,
        .ended_us = STARTED_US + 60000000,
    };
    fake->reader = (struct export_source){
        .session = &fake->session,
        .self = fake,
        .rewind = fake_rewind,
        .next = fake_next,
        .at = fake_at,
        .body_read = fake_body_read,
        .messages = fake_messages,
        .cookies = fake_cookies,
    };
    return fake;
}

static void exchange_free(struct fake_exchange *exchange)
{
    mem_free(exchange->record.request_headers.items);
    mem_free(exchange->record.response_headers.items);
    mem_free((char *)exchange->record.request_type.ptr);
    mem_free((char *)exchange->record.response_type.ptr);
    mem_free(exchange->messages);
    mem_free(exchange->request);
    mem_free(exchange->response);
    mem_free(exchange->host);
    mem_free(exchange->scheme);
    mem_free(exchange);
}

static void cookie_free(struct fake_cookie *cookie)
{
    mem_free(cookie->host);
    mem_free(cookie->url);
    mem_free(cookie->line);
    mem_free(cookie->name);
    mem_free(cookie->value);
    mem_free(cookie);
}

void fake_source_free(struct fake_source *fake)
{
    if (fake == NULL)
        return;
    for (size_t i = 0; i < fake->count; i++)
        exchange_free(fake->exchanges[i]);
    for (size_t i = 0; i < fake->cookie_count; i++)
        cookie_free(fake->cookies[i]);
    mem_free(fake->exchanges);
    mem_free(fake->cookies);
    mem_free(fake->session.name);
    mem_free(fake);
}

void fake_source_add_message(struct fake_source *fake, struct record_message message)
{
    struct fake_exchange *exchange = fake->exchanges[fake->count - 1];
    uint32_t count = exchange->record.messages;

    exchange->messages = mem_realloc(exchange->messages, (count + 1) * sizeof message);
    message.n = count + 1;
    exchange->messages[count] = message;
    exchange->record.messages++;
}

const struct export_source *fake_source_reader(struct fake_source *fake)
{
    return &fake->reader;
}

static struct span take_line(struct span *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    struct span line;

    assert_non_null(end);
    line = span_make(rest->ptr, (size_t)(end - rest->ptr));
    *rest = span_from(*rest, line.len + 2);
    return line;
}

static struct span media_type(const struct record_fields *fields)
{
    struct span value;
    char *type;

    for (size_t i = 0; i < fields->count; i++) {
        if (!span_ieq(fields->items[i].name, SPAN("Content-Type")))
            continue;
        value = fields->items[i].value;
        value = span_trim(span_sub(value, 0, span_find(value, ';')));
        type = mem_spandup(value);
        for (char *c = type; *c != '\0'; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        return span_make(type, value.len);
    }
    return SPAN_NONE;
}

/* Field lines up to the empty one; what follows is the body. */
static void read_fields(struct span *rest, struct record_fields *fields)
{
    struct span line;

    while ((line = take_line(rest)).len != 0) {
        size_t colon = span_find(line, ':');

        fields->items = mem_realloc(fields->items, (fields->count + 1) * sizeof(*fields->items));
        fields->items[fields->count].name = span_sub(line, 0, colon);
        fields->items[fields->count++].value = span_trim(span_from(line, colon + 1));
    }
}

static void read_request(struct fake_exchange *exchange, struct span rest)
{
    struct record *record = &exchange->record;
    struct span line = take_line(&rest), target;

    assert_true(span_split(&line, ' ', &record->method));
    assert_true(span_split(&line, ' ', &target));
    url_split_target(target, &record->path, &record->query);
    record->request_version = HTTP_1_1;
    read_fields(&rest, &record->request_headers);
    record->request_type = media_type(&record->request_headers);
    exchange->request_body = rest;
    record->request_body.bytes = record->request_body.kept = rest.len;
}

static void read_response(struct fake_exchange *exchange, struct span rest)
{
    struct record *record = &exchange->record;
    struct span line = take_line(&rest), part;
    uint64_t status = 0;

    assert_true(span_split(&line, ' ', &part));
    assert_true(span_split(&line, ' ', &part) && span_u64(part, &status));
    record->status = (int)status;
    record->reason = line;
    record->response_version = HTTP_1_1;
    read_fields(&rest, &record->response_headers);
    record->response_type = media_type(&record->response_headers);
    exchange->response_body = rest;
    record->response_body.bytes = record->response_body.kept = rest.len;
}

static void set_times(struct record *record)
{
    record->started_us = STARTED_US + (uint64_t)record->seq * 1000000;
    for (size_t i = 0; i < TAP_T_COUNT; i++)
        record->times[i] = TAP_NEVER;
    record->times[TAP_T_CONNECT_START] = 1000;
    record->times[TAP_T_CONNECT_END] = 3000;
    record->times[TAP_T_SENT_FIRST] = 3500;
    record->times[TAP_T_SENT_LAST] = 4000;
    record->times[TAP_T_RECEIVED_FIRST] = 80250;
    record->times[TAP_T_RECEIVED_LAST] = 84000;
    record->times[TAP_T_DONE] = 84100;
}

struct record *fake_source_add(struct fake_source *fake, const char *origin, struct span request,
                               struct span response)
{
    struct fake_exchange *exchange = mem_new(struct fake_exchange);
    struct record *record = &exchange->record;
    struct url url;
    struct err err;

    assert_true(url_parse(span_of(origin), &url, &err));
    fake->exchanges = mem_realloc(fake->exchanges, (fake->count + 1) * sizeof(*fake->exchanges));
    fake->exchanges[fake->count++] = exchange;
    fake->session.exchanges = fake->count;
    record->session = 1;
    record->seq = (uint32_t)fake->count;
    snprintf(record->uid, sizeof(record->uid), "018f3c1a-0000-7000-8000-1%011u", record->seq);
    record->state = RECORD_DONE;
    set_times(record);
    exchange->scheme = mem_spandup(url.scheme);
    exchange->host = mem_strdup(url.authority.host);
    record->scheme = span_of(exchange->scheme);
    record->host = span_of(exchange->host);
    record->port = url.authority.port != 0 ? url.authority.port : url_default_port(url.scheme);
    record->client_addr = SPAN("127.0.0.1:50000");
    record->origin_addr = SPAN("192.0.2.7:443");
    exchange->request = mem_spandup(request);
    read_request(exchange, span_make(exchange->request, request.len));
    if (response.ptr != NULL) {
        exchange->response = mem_spandup(response);
        read_response(exchange, span_make(exchange->response, response.len));
    }
    record->request_body.id = record->request_body.bytes != 0 ? 2 * (int64_t)record->seq - 1 : 0;
    record->response_body.id = record->response_body.bytes != 0 ? 2 * (int64_t)record->seq : 0;
    return record;
}

static struct fake_cookie *add_cookie(struct fake_source *fake, const char *text, uint64_t time_us)
{
    struct fake_cookie *cookie = mem_new(struct fake_cookie);
    struct url url;
    struct span query;
    struct err err;

    cookie->url = mem_strdup(text);
    assert_true(url_parse(span_of(cookie->url), &url, &err));
    cookie->host = mem_strdup(url.authority.host);
    cookie->row.seq = (uint32_t)fake->count;
    cookie->row.time_us = STARTED_US + time_us;
    cookie->row.scheme = url.scheme;
    cookie->row.host = span_of(cookie->host);
    cookie->row.port = url.authority.port != 0 ? url.authority.port : url_default_port(url.scheme);
    url_split_target(url.target, &cookie->row.path, &query);
    fake->cookies = mem_realloc(fake->cookies, (fake->cookie_count + 1) * sizeof(*fake->cookies));
    fake->cookies[fake->cookie_count++] = cookie;
    return cookie;
}

void fake_source_set_cookie(struct fake_source *fake, const char *url, uint64_t time_us, const char *line)
{
    struct fake_cookie *cookie = add_cookie(fake, url, time_us);

    cookie->line = mem_strdup(line);
    cookie->row.source = COOKIE_SET;
    cookie->row.line = span_of(cookie->line);
}

void fake_source_sent_cookie(struct fake_source *fake, const char *url, uint64_t time_us, const char *name,
                             const char *value)
{
    struct fake_cookie *cookie = add_cookie(fake, url, time_us);

    cookie->name = mem_strdup(name);
    cookie->value = mem_strdup(value);
    cookie->row.source = COOKIE_SENT;
    cookie->row.name = span_of(cookie->name);
    cookie->row.value = span_of(cookie->value);
}

void fake_source_break(struct fake_source *fake)
{
    fake->is_broken = true;
}

char *fake_source_export_as(struct fake_source *fake, const struct export_options *options)
{
    struct export_report report;
    struct err err;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    assert_non_null(options->format);
    if (!export_to_stream(&fake->reader, options, stream, &report, &err))
        fail_msg("%s", err.text);
    fclose(stream);
    export_report_clear(&report);
    return text;
}

char *fake_source_export(struct fake_source *fake, const char *format, const char *group, const char *domain)
{
    struct export_options options = { .format = export_find_format(format),
                                      .domain = domain,
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES,
                                      .secrets = EXPORT_SECRETS_KEEP };
    struct err err;

    if (group != NULL)
        assert_true(export_parse_group(group, &options.group, &err));
    return fake_source_export_as(fake, &options);
}
