/* mitmproxy's flow files: a dictionary a flow. Its keys have kept their names since the first versions of
 * Python 3, but for those of connections; what is not there is not known. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/import/har_text.h"
#include "capture/import/past.h"
#include "capture/import/tnet.h"
#include "capture/splitter.h"
#include "proxy/base/mem.h"

#define ID_BYTES 64

struct flows {
    struct import_job *job;
    struct tnet *tnet;
    uint64_t number; /* of the flow, from 1 */
    struct strbuf first, second;
    /* The connections of the flow before, by enum http_role: mostly they are this one's, too. */
    char ids[2][ID_BYTES];
    struct tap_tls *tls[2]; /* referenced */
};

struct flow {
    struct flows *flows;
    struct tnet_value request, response, error, websocket, client, server;
    struct past past;
};

bool flows_are_mine(struct input *input)
{
    struct tnet *tnet = tnet_new(input);
    uint64_t start, len, unused;
    bool ok = tnet_length(tnet, 0, &start, &len) && len != 0 && tnet_length(tnet, start, &unused, &unused);

    tnet_free(tnet);
    return ok;
}

/* --- small values -------------------------------------------------------------------------------------- */

/* Borrowed until the next call with that buffer. */
static struct span text_of(struct flows *flows, const struct tnet_value *dict, const char *key,
                           struct strbuf *buffer)
{
    struct tnet_value value;

    strbuf_reset(buffer);
    if (tnet_find(flows->tnet, dict, key, &value))
        tnet_text(flows->tnet, &value, buffer);
    return strbuf_span(buffer);
}

static bool number_of(struct flows *flows, const struct tnet_value *dict, const char *key, double *out)
{
    struct tnet_value value;

    return tnet_find(flows->tnet, dict, key, &value) && tnet_number(flows->tnet, &value, out);
}

/* Seconds since 1970 as µs; false: none. */
static bool time_of(struct flows *flows, const struct tnet_value *dict, const char *key, uint64_t *out_us)
{
    double seconds;

    if (!number_of(flows, dict, key, &seconds) || !(seconds > 0 && seconds < 1e11))
        return false;
    *out_us = (uint64_t)llround(seconds * 1e6);
    return true;
}

static bool next_item(struct flows *flows, uint64_t *at, const struct tnet_value *list,
                      struct tnet_value *out_item)
{
    return list->type == TNET_LIST && tnet_next(flows->tnet, at, list->at + list->len, out_item);
}

/* ["192.0.2.1", 8080, ...] */
static void read_address(struct flows *flows, const struct tnet_value *connection, const char *key,
                         char out_address[TAP_ADDRESS_BYTES])
{
    struct tnet_value list, host, port;
    double number = 0;
    uint64_t at;

    if (out_address[0] != '\0' || !tnet_find(flows->tnet, connection, key, &list))
        return;
    at = list.at;
    if (!next_item(flows, &at, &list, &host) || !next_item(flows, &at, &list, &port) ||
        !tnet_number(flows->tnet, &port, &number) || !(number >= 0 && number <= 65535))
        return;
    strbuf_reset(&flows->first);
    tnet_text(flows->tnet, &host, &flows->first);
    if (flows->first.len == 0 || flows->first.len > TAP_ADDRESS_BYTES - 16)
        return;
    snprintf(out_address, TAP_ADDRESS_BYTES,
             span_find(strbuf_span(&flows->first), ':') != flows->first.len ? "[%s]:%u" : "%s:%u",
             strbuf_text(&flows->first), (unsigned)number);
}

/* --- heads --------------------------------------------------------------------------------------------- */

static void read_fields(struct flows *flows, const struct tnet_value *message, const char *key,
                        struct headers *out_headers)
{
    struct tnet_value list, pair, name, value;
    uint64_t at, in_pair;

    if (!tnet_find(flows->tnet, message, key, &list))
        return;
    at = list.at;
    while (next_item(flows, &at, &list, &pair)) {
        in_pair = pair.at;
        if (!next_item(flows, &in_pair, &pair, &name) || !next_item(flows, &in_pair, &pair, &value))
            continue;
        strbuf_reset(&flows->first);
        strbuf_reset(&flows->second);
        tnet_text(flows->tnet, &name, &flows->first);
        tnet_text(flows->tnet, &value, &flows->second);
        past_add_field(flows->job, out_headers, strbuf_span(&flows->first), strbuf_span(&flows->second));
    }
}

static void read_version(struct flows *flows, const struct tnet_value *message, struct http_head *head)
{
    bool is_3;

    if (har_version(text_of(flows, message, "http_version", &flows->first), &head->version, &is_3) && is_3 &&
        head->role == HTTP_REQUEST)
        import_count(flows->job, IMPORT_HTTP_3, "flow %llu", (unsigned long long)flows->number);
}

static void read_body(struct flows *flows, const struct tnet_value *message, struct past_body *body)
{
    struct tnet_value content;

    if (!tnet_find(flows->tnet, message, "content", &content) || content.type != TNET_BYTES)
        return;
    *body = (struct past_body){ .kind = PAST_RANGE, .offset = content.at, .len = content.len };
}

static bool read_request(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct past *past = &flow->past;
    struct strbuf host = STRBUF_EMPTY, path = STRBUF_EMPTY, scheme = STRBUF_EMPTY;
    struct span method, named;
    double port = 0;
    struct err err;
    bool ok;

    strbuf_init(&host, URL_HOST_BYTES - 1);
    strbuf_init(&path, PAST_TEXT_BYTES);
    text_of(flows, &flow->request, "host", &host);
    text_of(flows, &flow->request, "path", &path);
    text_of(flows, &flow->request, "scheme", &scheme);
    number_of(flows, &flow->request, "port", &port);
    method = text_of(flows, &flow->request, "method", &flows->first);
    ok = method.len != 0 && !span_eq(method, SPAN("CONNECT")) && host.len != 0 && port >= 0 && port <= 65535;
    if (!ok)
        import_count(flows->job, IMPORT_NO_EXCHANGE, "flow %llu", (unsigned long long)flows->number);
    else if (!(ok = past_set_target(past, method, strbuf_span(&scheme), strbuf_text(&host), (uint16_t)port,
                                    strbuf_span(&path), &err)))
        import_count(flows->job, err.code == ERR_PROTO ? IMPORT_NOT_HTTP : IMPORT_BAD_URL, "flow %llu: %s",
                     (unsigned long long)flows->number, err.text);
    strbuf_clear(&host);
    strbuf_clear(&path);
    strbuf_clear(&scheme);
    if (!ok)
        return false;
    read_version(flows, &flow->request, past->request);
    read_fields(flows, &flow->request, "headers", &past->request->headers);
    read_fields(flows, &flow->request, "trailers", &past->trailers[HTTP_REQUEST]);
    read_body(flows, &flow->request, &past->bodies[HTTP_REQUEST]);
    named = text_of(flows, &flow->request, "authority", &flows->first);
    if (named.len != 0 || headers_find(&past->request->headers, SPAN("Host"), &named))
        past_prefer_named_host(past, named);
    return true;
}

static void read_response(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct past *past = &flow->past;
    double status;

    if (!number_of(flows, &flow->response, "status_code", &status) || !(status >= 100 && status <= 999))
        return;
    past_set_response(past, (int)status, text_of(flows, &flow->response, "reason", &flows->first));
    read_version(flows, &flow->response, past->response);
    read_fields(flows, &flow->response, "headers", &past->response->headers);
    read_fields(flows, &flow->response, "trailers", &past->trailers[HTTP_RESPONSE]);
    read_body(flows, &flow->response, &past->bodies[HTTP_RESPONSE]);
    if (past->response->status == 101)
        past->flags |= TAP_UPGRADED;
}

/* --- connections --------------------------------------------------------------------------------------- */

static void add_fact(json_t *facts, const char *name, struct span value)
{
    json_t *text = value.len != 0 ? json_stringn(value.ptr, value.len) : NULL; /* NULL too if no UTF-8 */

    if (text != NULL)
        json_object_set_new(facts, name, text);
}

static struct tap_tls *read_tls(struct flows *flows, const struct tnet_value *connection)
{
    json_t *facts;
    char *text, *copy;

    if (text_of(flows, connection, "tls_version", &flows->first).len == 0)
        return NULL;
    facts = json_object();
    add_fact(facts, "version", strbuf_span(&flows->first));
    if (text_of(flows, connection, "cipher", &flows->first).len == 0)
        text_of(flows, connection, "cipher_name", &flows->first);
    add_fact(facts, "cipher", strbuf_span(&flows->first));
    add_fact(facts, "alpn", text_of(flows, connection, "alpn", &flows->first));
    add_fact(facts, "sni", text_of(flows, connection, "sni", &flows->first));
    text = json_dumps(facts, JSON_COMPACT);
    copy = mem_strdup(text);
    free(text);
    json_decref(facts);
    return tap_tls_new(copy);
}

static void read_connection(struct flow *flow, enum http_role role, const struct tnet_value *connection)
{
    struct flows *flows = flow->flows;
    struct span id = text_of(flows, connection, "id", &flows->first);

    if (id.len == 0 || id.len >= ID_BYTES || !span_eq(id, span_of(flows->ids[role]))) {
        snprintf(flows->ids[role], ID_BYTES, "%.*s", SPAN_ARG(id));
        tap_tls_unref(flows->tls[role]);
        flows->tls[role] = read_tls(flows, connection);
    }
    if (flows->tls[role] != NULL)
        flow->past.tls[role] = tap_tls_ref(flows->tls[role]);
}

/* --- times --------------------------------------------------------------------------------------------- */

static void read_time(struct flow *flow, const struct tnet_value *dict, const char *key, enum tap_time time)
{
    uint64_t us;

    if (time_of(flow->flows, dict, key, &us))
        flow->past.times[time] = (int64_t)us - (int64_t)flow->past.started_us;
}

static void read_times(struct flow *flow)
{
    struct past *past = &flow->past;
    int64_t *times = past->times;

    if (!time_of(flow->flows, &flow->request, "timestamp_start", &past->started_us)) {
        past->started_us = flow->flows->job->now_us;
        import_count(flow->flows->job, IMPORT_NO_TIME, "flow %llu", (unsigned long long)flow->flows->number);
    }
    read_time(flow, &flow->client, "timestamp_start", TAP_T_ACCEPTED);
    read_time(flow, &flow->server, "timestamp_start", TAP_T_CONNECT_START);
    read_time(flow, &flow->server, "timestamp_tcp_setup", TAP_T_CONNECT_END);
    read_time(flow, &flow->server, "timestamp_tls_setup", TAP_T_TLS_END);
    if (times[TAP_T_TLS_END] != TAP_NEVER)
        times[TAP_T_TLS_START] = times[TAP_T_CONNECT_END];
    times[TAP_T_SENT_FIRST] = 0;
    for (int time = TAP_T_CONNECT_END; time <= TAP_T_TLS_END; time++)
        if (times[time] > times[TAP_T_SENT_FIRST])
            times[TAP_T_SENT_FIRST] = times[time];
    read_time(flow, &flow->request, "timestamp_end", TAP_T_SENT_LAST);
    if (times[TAP_T_SENT_LAST] != TAP_NEVER && times[TAP_T_SENT_LAST] < times[TAP_T_SENT_FIRST])
        times[TAP_T_SENT_LAST] = times[TAP_T_SENT_FIRST];
    read_time(flow, &flow->response, "timestamp_start", TAP_T_RECEIVED_FIRST);
    read_time(flow, &flow->response, "timestamp_end", TAP_T_RECEIVED_LAST);
    for (int time = TAP_T_SENT_FIRST; time <= TAP_T_RECEIVED_LAST; time++)
        if (times[time] > times[TAP_T_DONE])
            times[TAP_T_DONE] = times[time];
}

/* --- WebSocket ----------------------------------------------------------------------------------------- */

/* [type, is from the client, content, time, ...] */
static bool read_message(struct flow *flow, const struct tnet_value *item)
{
    struct flows *flows = flow->flows;
    struct tnet_value type, from_client, content, time;
    double opcode, is_sent, seconds;
    struct message message = { .kind = MESSAGE_TEXT };
    uint64_t at = item->at;

    if (!next_item(flows, &at, item, &type) || !next_item(flows, &at, item, &from_client) ||
        !next_item(flows, &at, item, &content) || !next_item(flows, &at, item, &time) ||
        !tnet_number(flows->tnet, &type, &opcode) || !tnet_number(flows->tnet, &from_client, &is_sent) ||
        !tnet_number(flows->tnet, &time, &seconds) || !(seconds > 0 && seconds < 1e11) ||
        (opcode != 1 && opcode != 2))
        return false;
    message.kind = opcode == 1 ? MESSAGE_TEXT : MESSAGE_BINARY;
    strbuf_reset(&flows->second);
    tnet_text(flows->tnet, &content, &flows->second);
    message.payload = strbuf_span(&flows->second);
    message.size = message.wire_size = content.len;
    message.is_truncated = content.len > flows->second.len;
    past_message(&flow->past, &message, is_sent != 0 ? HTTP_REQUEST : HTTP_RESPONSE,
                 (uint64_t)llround(seconds * 1e6));
    return true;
}

static void tell_close(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct message message = { .kind = MESSAGE_CLOSE };
    double code = 0, by_client = 0;
    uint64_t time_us;

    if (!time_of(flows, &flow->websocket, "timestamp_end", &time_us))
        return; /* it was open when the file was written */
    number_of(flows, &flow->websocket, "close_code", &code);
    number_of(flows, &flow->websocket, "closed_by_client", &by_client);
    message.payload = text_of(flows, &flow->websocket, "close_reason", &flows->second);
    message.size = message.wire_size = message.payload.len;
    message.close_code = code >= 1000 && code <= 4999 ? (uint16_t)code : 0;
    past_message(&flow->past, &message, by_client != 0 ? HTTP_REQUEST : HTTP_RESPONSE, time_us);
}

static void tell_messages(struct past *past, void *self)
{
    struct flow *flow = self;
    struct flows *flows = flow->flows;
    struct tnet_value list, item;
    uint64_t at;

    (void)past;
    if (tnet_find(flows->tnet, &flow->websocket, "messages", &list)) {
        at = list.at;
        while (next_item(flows, &at, &list, &item))
            if (!read_message(flow, &item))
                import_count(flows->job, IMPORT_BAD_MESSAGE, "flow %llu", (unsigned long long)flows->number);
    }
    tell_close(flow);
}

/* --- a flow -------------------------------------------------------------------------------------------- */

static void read_error(struct flow *flow)
{
    struct past *past = &flow->past;

    if (flow->error.type != TNET_NONE)
        strbuf_add(&past->error, text_of(flow->flows, &flow->error, "msg", &flow->flows->first));
    if (past->response == NULL && past->error.len == 0)
        strbuf_add_str(&past->error, "the file has no response");
}

static void tell_flow(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct past *past = &flow->past;

    past_init(past);
    read_address(flows, &flow->client, "peername", past->client_addr);
    read_address(flows, &flow->client, "address", past->client_addr);
    read_address(flows, &flow->server, "peername", past->origin_addr);
    read_address(flows, &flow->server, "ip_address", past->origin_addr);
    if (read_request(flow)) {
        read_response(flow);
        read_error(flow);
        read_times(flow);
        read_connection(flow, HTTP_REQUEST, &flow->client);
        read_connection(flow, HTTP_RESPONSE, &flow->server);
        if (flow->websocket.type == TNET_DICT) {
            past->messages = tell_messages;
            past->messages_self = flow;
        }
        past_tell(flows->job, past);
    }
    past_clear(past);
}

static void read_flow(struct flows *flows, const struct tnet_value *dict)
{
    struct flow flow = { .flows = flows };

    if (!span_eq(text_of(flows, dict, "type", &flows->first), SPAN("http"))) {
        import_count(flows->job, IMPORT_OTHER_FLOW, "flow %llu, of type '%.*s'",
                     (unsigned long long)flows->number, (int)(flows->first.len < 20 ? flows->first.len : 20),
                     strbuf_text(&flows->first));
        return;
    }
    tnet_find(flows->tnet, dict, "request", &flow.request);
    tnet_find(flows->tnet, dict, "response", &flow.response);
    tnet_find(flows->tnet, dict, "error", &flow.error);
    tnet_find(flows->tnet, dict, "websocket", &flow.websocket);
    tnet_find(flows->tnet, dict, "client_conn", &flow.client);
    tnet_find(flows->tnet, dict, "server_conn", &flow.server);
    tell_flow(&flow);
}

static void tell_damage(struct flows *flows, uint64_t at)
{
    uint64_t size = input_size(flows->job->input), start, len;

    if (tnet_length(flows->tnet, at, &start, &len) && len >= size - start)
        import_damage(flows->job, "damaged at byte %llu, flow %llu: of its %llu bytes the file has %llu",
                      (unsigned long long)at, (unsigned long long)flows->number, (unsigned long long)len,
                      (unsigned long long)(size - start));
    else
        import_damage(flows->job, "damaged at byte %llu, flow %llu: no length and type are there",
                      (unsigned long long)at, (unsigned long long)flows->number);
}

void flows_read(struct import_job *job)
{
    struct flows flows = { .job = job, .tnet = tnet_new(job->input) };
    uint64_t at = 0, size = input_size(job->input);
    struct tnet_value value;

    strbuf_init(&flows.first, PAST_TEXT_BYTES);
    strbuf_init(&flows.second, SPLITTER_PAYLOAD_BYTES);
    while (at < size) {
        uint64_t start = at;

        flows.number++;
        if (tnet_next(flows.tnet, &at, size, &value) && value.type == TNET_DICT) {
            read_flow(&flows, &value);
            import_progress(job, at);
            continue;
        }
        tell_damage(&flows, start);
        if (!tnet_scan(flows.tnet, start, "type", &at))
            break;
    }
    for (int role = 0; role < 2; role++)
        tap_tls_unref(flows.tls[role]);
    strbuf_clear(&flows.first);
    strbuf_clear(&flows.second);
    tnet_free(flows.tnet);
}
