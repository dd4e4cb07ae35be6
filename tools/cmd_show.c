/* show: one exchange, whole, or one of its bodies. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "capture/export/curl.h"
#include "capture/store/store.h"
#include "proxy/base/mem.h"
#include "tools/body.h"
#include "tools/command.h"
#include "tools/json_text.h"
#include "tools/sealed.h"
#include "tools/show_messages.h"
#include "tools/style.h"
#include "tools/text.h"

/* The most of a body in --json, which has to be whole in memory; --body gives any size. */
#define MAX_JSON_BODY_BYTES (16 * 1024 * 1024)

struct showing {
    const struct args *args;
    struct store *store;
    const struct session_row *session;
    const struct record *record;
    bool is_tty, has_colour;
    unsigned look;                  /* of bodies: enum body_look */
    const char *end_of_line;        /* of heads */
    struct protobuf_schema *schema; /* NULL: none was given */
};

/* --- which one ----------------------------------------------------------------------------------------- */

static bool parse_operand(const char *operand, char **out_session, uint32_t *out_seq, struct err *err)
{
    const char *slash = strrchr(operand, '/');
    const char *number = slash != NULL ? slash + 1 : operand;
    uint64_t seq;

    if (!span_u64(span_of(number), &seq) || seq == 0 || seq > UINT32_MAX)
        return err_set(err, ERR_USAGE,
                       "'%s' is no exchange; give its number, as 'weir list' shows it: 7 or SESSION/7",
                       operand);
    *out_session = slash != NULL ? mem_spandup(span_make(operand, (size_t)(slash - operand))) : NULL;
    *out_seq = (uint32_t)seq;
    return true;
}

/* --- a person's view ----------------------------------------------------------------------------------- */

static void say(const struct showing *showing, enum style style, struct span text)
{
    struct strbuf line = STRBUF_EMPTY;

    style_begin(&line, showing->has_colour, style);
    if (showing->is_tty)
        text_add_shown(&line, text);
    else
        strbuf_add(&line, text);
    style_end(&line, showing->has_colour, style);
    fwrite(strbuf_text(&line), 1, line.len, stdout);
    strbuf_clear(&line);
}

static void say_pair(const struct showing *showing, const char *what, struct span text)
{
    say(showing, STYLE_DIM, span_of(what));
    say(showing, STYLE_PLAIN, text);
    putchar('\n');
}

static void say_time(struct strbuf *out, const struct record *record, const char *what, enum tap_time from,
                     enum tap_time to)
{
    int64_t start = record->times[from], end = record->times[to];

    if (start == TAP_NEVER || end == TAP_NEVER || end < start)
        return;
    strbuf_printf(out, "%s%s ", out->len != 0 ? ", " : "", what);
    text_add_duration(out, (uint64_t)(end - start));
}

static const char *flag_text(unsigned flag)
{
    switch (flag) {
    case TAP_UPSTREAM_REUSED:
        return "on a connection that was used before";
    case TAP_RETRIED:
        return "sent again after a dead connection";
    case TAP_HOST_DIFFERS:
        return "Host names another host than was dialled";
    case TAP_NO_CLOSE_NOTIFY:
        return "the origin ended TLS without close_notify";
    case TAP_TUNNEL:
        return "a tunnel: bytes counted, not understood";
    case TAP_UPGRADED:
        return "upgraded: what follows the head is no HTTP";
    case TAP_MADE_BY_WEIR:
        return "the response is weir's own";
    case TAP_CLIENT_CERT_WANTED:
        return "the origin asked for a client certificate";
    case TAP_SEALED:
        return "sealed: TLS passed through unopened";
    case TAP_ALT_SVC_EDITED:
        return "Alt-Svc went on without its offers of HTTP/3";
    default:
        return NULL;
    }
}

static void say_about(const struct showing *showing)
{
    const struct record *record = showing->record;
    struct strbuf text = STRBUF_EMPTY;
    struct err ignored; /* without a reason the rest is still worth showing */
    uint64_t duration_us;

    strbuf_printf(&text, "exchange %u of session '%s', %s", record->seq, showing->session->name,
                  record_state_name(record->state));
    say(showing, STYLE_BOLD, strbuf_span(&text));
    putchar('\n');
    strbuf_reset(&text);
    record_add_url(record, &text);
    say_pair(showing, "url:     ", strbuf_span(&text));
    if (record->protocol.len != 0)
        say_pair(showing, "speaks:  ", record->protocol);
    strbuf_reset(&text);
    text_add_date(&text, record->started_us);
    if (record_duration(record, &duration_us)) {
        strbuf_add_str(&text, ", took ");
        text_add_duration(&text, duration_us);
    }
    say_pair(showing, "started: ", strbuf_span(&text));
    strbuf_reset(&text);
    say_time(&text, record, "dns", TAP_T_DNS_START, TAP_T_DNS_END);
    say_time(&text, record, "connect", TAP_T_CONNECT_START, TAP_T_CONNECT_END);
    say_time(&text, record, "tls", TAP_T_TLS_START, TAP_T_TLS_END);
    say_time(&text, record, "send", TAP_T_SENT_FIRST, TAP_T_SENT_LAST);
    say_time(&text, record, "wait", TAP_T_SENT_LAST, TAP_T_RECEIVED_FIRST);
    say_time(&text, record, "receive", TAP_T_RECEIVED_FIRST, TAP_T_RECEIVED_LAST);
    if (text.len != 0)
        say_pair(showing, "times:   ", strbuf_span(&text));
    strbuf_reset(&text);
    strbuf_printf(&text, "%.*s to %.*s", SPAN_ARG(record->client_addr),
                  SPAN_ARG(record->origin_addr.len != 0 ? record->origin_addr : SPAN("nowhere")));
    say_pair(showing, "from:    ", strbuf_span(&text));
    if (record->client_tls.len != 0)
        say_pair(showing, "client:  ", record->client_tls);
    if (record->origin_tls.len != 0)
        say_pair(showing, "origin:  ", record->origin_tls);
    if ((record->flags & (TAP_TUNNEL | TAP_UPGRADED)) != 0) {
        strbuf_reset(&text);
        strbuf_printf(&text, "%llu bytes to the origin, %llu from it",
                      (unsigned long long)record->tunnel_sent_bytes,
                      (unsigned long long)record->tunnel_received_bytes);
        say_pair(showing, "tunnel:  ", strbuf_span(&text));
    }
    for (unsigned flag = 1; flag <= TAP_ALT_SVC_EDITED; flag <<= 1) {
        if ((record->flags & flag) != 0)
            say_pair(showing, "note:    ", span_of(flag_text(flag)));
    }
    if ((record->flags & TAP_SEALED) != 0) {
        strbuf_reset(&text);
        if (sealed_add_reason(showing->store, record, &text, &ignored) && text.len != 0)
            say_pair(showing, "because: ", strbuf_span(&text));
    }
    if (record->error.len != 0) {
        say(showing, STYLE_RED, SPAN("error:   "));
        say(showing, STYLE_RED, record->error);
        putchar('\n');
    }
    strbuf_clear(&text);
}

static void say_fields(const struct showing *showing, const struct record_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        say(showing, STYLE_CYAN, fields->items[i].name);
        say(showing, STYLE_PLAIN, SPAN(": "));
        say(showing, STYLE_PLAIN, fields->items[i].value);
        fputs(showing->end_of_line, stdout);
    }
}

static const char *version_text(int version)
{
    return version == HTTP_1_0 ? "HTTP/1.0" : version == HTTP_2 ? "HTTP/2" : "HTTP/1.1";
}

static void add_authority(struct strbuf *line, const struct record *record)
{
    bool is_ipv6 = memchr(record->host.ptr, ':', record->host.len) != NULL;

    strbuf_printf(line, is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(record->host), (unsigned)record->port);
}

static void say_start_line(const struct showing *showing, enum http_role side)
{
    const struct record *record = showing->record;
    struct strbuf line = STRBUF_EMPTY;

    if (side == HTTP_REQUEST) {
        strbuf_printf(&line, "%.*s ", SPAN_ARG(record->method));
        if ((record->flags & TAP_TUNNEL) != 0) /* CONNECT: its target is host and port, which is no path */
            add_authority(&line, record);
        strbuf_add(&line, record->path);
        if (record->query.ptr != NULL)
            strbuf_printf(&line, "?%.*s", SPAN_ARG(record->query));
        strbuf_printf(&line, " %s", version_text(record->request_version));
    } else {
        strbuf_printf(&line, "%s %d", version_text(record->response_version), record->status);
        if (record->reason.len != 0)
            strbuf_printf(&line, " %.*s", SPAN_ARG(record->reason));
    }
    say(showing, side == HTTP_REQUEST ? STYLE_BOLD : style_of_status(record->status), strbuf_span(&line));
    fputs(showing->end_of_line, stdout);
    strbuf_clear(&line);
}

static const char *side_name(enum http_role side)
{
    return side == HTTP_REQUEST ? "request" : "response";
}

static bool say_body(const struct showing *showing, enum http_role side, struct err *err)
{
    struct body body = body_of(showing->record, side);
    struct strbuf note = STRBUF_EMPTY;
    bool is_binary = false;

    if (body.stored->bytes == 0)
        return true;
    if (showing->record->protocol.len != 0 && showing->record->messages != 0)
        return true; /* its bytes are the messages below */
    putchar('\n');
    if (!body_is_binary(showing->store, &body, showing->look, &is_binary, err))
        return false;
    if (body.stored->kept != 0 && !is_binary) {
        struct err damage;
        if (!body_write(showing->store, &body, showing->look | BODY_LINED, stdout, &damage)) {
            if (damage.code != ERR_PROTO) {
                *err = damage;
                return false;
            }
            strbuf_printf(&note, "[%s] ", damage.text);
        }
    }
    if (is_binary) {
        strbuf_add_str(&note, "[binary, ");
        text_add_size(&note, body.stored->bytes);
        strbuf_printf(&note, " of %.*s; see it with: weir show %s --body %s > FILE]",
                      SPAN_ARG(body.type.len != 0 ? body.type : SPAN("no type")),
                      showing->args->operands.items[0], side_name(side));
    }
    if (body.stored->kept < body.stored->bytes)
        strbuf_printf(&note, "%s[%llu of its %llu bytes were kept]", note.len != 0 ? " " : "",
                      (unsigned long long)body.stored->kept, (unsigned long long)body.stored->bytes);
    if (note.len != 0) {
        say(showing, STYLE_DIM, strbuf_span(&note));
        putchar('\n');
    }
    strbuf_clear(&note);
    return true;
}

static bool say_side(const struct showing *showing, enum http_role side, struct err *err)
{
    const struct record *record = showing->record;
    const struct record_fields *trailers =
        side == HTTP_REQUEST ? &record->request_trailers : &record->response_trailers;

    putchar('\n');
    say_start_line(showing, side);
    say_fields(showing, side == HTTP_REQUEST ? &record->request_headers : &record->response_headers);
    if (!say_body(showing, side, err))
        return false;
    if (trailers->count != 0)
        putchar('\n'); /* they are not the body's last lines */
    say_fields(showing, trailers);
    return true;
}

static bool show_messages(const struct showing *showing, struct err *err)
{
    struct message_show show = {
        .store = showing->store,
        .session = showing->session->id,
        .record = showing->record,
        .out = stdout,
        .is_tty = showing->is_tty,
        .has_colour = showing->has_colour,
        .is_json = showing->args->json,
        .schema = showing->schema,
    };

    return showing->args->follow ? message_show_follow(&show, err) : message_show_all(&show, err);
}

static bool show_whole(const struct showing *showing, struct err *err)
{
    say_about(showing);
    if (showing->record->interim.len != 0)
        say_pair(showing, "interim: ", showing->record->interim);
    if (!say_side(showing, HTTP_REQUEST, err))
        return false;
    if (showing->record->status != 0 && !say_side(showing, HTTP_RESPONSE, err))
        return false;
    if (showing->record->messages == 0)
        return true;
    putchar('\n');
    return show_messages(showing, err);
}

/* --- bytes --------------------------------------------------------------------------------------------- */

static bool refuse_binary(const struct showing *showing, enum http_role side, struct err *err)
{
    struct body body = body_of(showing->record, side);
    bool is_binary;

    if (!showing->is_tty)
        return true;
    if (!body_is_binary(showing->store, &body, showing->look, &is_binary, err))
        return false;
    if (is_binary)
        return err_set(err, ERR_SYS,
                       "the %s's body is binary and this is a terminal; write it to a file: "
                       "weir show %s%s --body %s > FILE",
                       side_name(side), showing->args->operands.items[0], showing->args->raw ? " --raw" : "",
                       side_name(side));
    return true;
}

static bool show_body(const struct showing *showing, enum http_role side, struct err *err)
{
    struct body body = body_of(showing->record, side);
    const struct record_body *stored = body.stored;

    if (stored->bytes != 0 && stored->kept == 0)
        return err_set(err, ERR_FOUND, "no bytes of the %s's body were kept", side_name(side));
    if (!refuse_binary(showing, side, err) || !body_write(showing->store, &body, showing->look, stdout, err))
        return false;
    if (stored->kept < stored->bytes)
        fprintf(stderr, "weir: only %llu of its %llu bytes were kept\n", (unsigned long long)stored->kept,
                (unsigned long long)stored->bytes);
    return true;
}

static bool show_raw_side(const struct showing *showing, enum http_role side, struct err *err)
{
    const struct record *record = showing->record;
    struct body body = body_of(record, side);

    say_start_line(showing, side);
    say_fields(showing, side == HTTP_REQUEST ? &record->request_headers : &record->response_headers);
    fputs(showing->end_of_line, stdout);
    if (!body_write(showing->store, &body, showing->look, stdout, err))
        return false;
    return true;
}

static bool show_raw(const struct showing *showing, struct err *err)
{
    if (!refuse_binary(showing, HTTP_REQUEST, err) || !refuse_binary(showing, HTTP_RESPONSE, err) ||
        !show_raw_side(showing, HTTP_REQUEST, err))
        return false;
    return showing->record->status == 0 || show_raw_side(showing, HTTP_RESPONSE, err);
}

/* --- JSON ---------------------------------------------------------------------------------------------- */

/* {"bytes", "kept", "text" or "base64", "whole"}: text when what is kept, decoded, is UTF-8 without a NUL. */
static bool body_object(const struct showing *showing, enum http_role side, json_t **out_object,
                        struct err *err)
{
    struct body body = body_of(showing->record, side);
    struct strbuf bytes = STRBUF_EMPTY;
    bool is_whole;
    json_t *object;

    if (!body_read(showing->store, &body, MAX_JSON_BODY_BYTES, &bytes, &is_whole, err)) {
        strbuf_clear(&bytes);
        return false;
    }
    object = json_object();
    json_object_set_new(object, "bytes", json_integer((json_int_t)body.stored->bytes));
    json_object_set_new(object, "kept", json_integer((json_int_t)body.stored->kept));
    json_object_set_new(object, "whole", json_boolean(is_whole));
    json_set_payload(object, strbuf_span(&bytes));
    strbuf_clear(&bytes);
    *out_object = object;
    return true;
}

static void set_parsed(json_t *object, const char *key, struct span text)
{
    json_t *value = text.len != 0 ? json_loadb(text.ptr, text.len, 0, NULL) : NULL;

    json_object_set_new(object, key, value != NULL ? value : json_null());
}

static json_t *times_object(const struct record *record)
{
    json_t *object = json_object();

    for (size_t i = 0; i < TAP_T_COUNT; i++)
        json_object_set_new(object, record_time_names[i],
                            record->times[i] != TAP_NEVER ? json_integer(record->times[i]) : json_null());
    return object;
}

struct message_list {
    json_t *list;
    size_t bytes; /* of payloads in it */
};

static bool append_message(void *self, const struct record_message *message, struct err *err)
{
    struct message_list *messages = self;

    (void)err;
    messages->bytes += message->payload.len;
    if (messages->bytes > MAX_JSON_BODY_BYTES)
        return false;
    json_array_append_new(messages->list, json_of_message(message));
    return true;
}

/* Those that fit; message_count says how many there are. */
static bool messages_array(const struct showing *showing, json_t **out_list, struct err *err)
{
    struct message_list messages = { json_array(), 0 };

    err->code = ERR_NONE;
    if (!store_messages(showing->store, showing->session->id, showing->record->seq, 1, append_message,
                        &messages, err) &&
        err->code != ERR_NONE) {
        json_decref(messages.list);
        return false;
    }
    *out_list = messages.list;
    return true;
}

static bool show_json(const struct showing *showing, struct err *err)
{
    const struct record *record = showing->record;
    json_t *object, *request_body = NULL, *response_body = NULL, *messages;

    if (!body_object(showing, HTTP_REQUEST, &request_body, err) ||
        !body_object(showing, HTTP_RESPONSE, &response_body, err) ||
        !messages_array(showing, &messages, err)) {
        json_decref(request_body);
        json_decref(response_body);
        return false;
    }
    object = json_of_record(record);
    json_object_set_new(object, "session", json_of_bytes(span_of(showing->session->name)));
    json_object_set_new(object, "reason", json_of_bytes(record->reason));
    json_object_set_new(object, "request_version", json_string(version_text(record->request_version)));
    json_object_set_new(object, "response_version",
                        record->status != 0 ? json_string(version_text(record->response_version))
                                            : json_null());
    json_object_set_new(object, "client", json_of_bytes(record->client_addr));
    json_object_set_new(object, "origin", json_of_bytes(record->origin_addr));
    json_object_set_new(object, "times_us", times_object(record));
    json_object_set_new(object, "request_headers", json_of_fields(&record->request_headers));
    json_object_set_new(object, "request_body", request_body);
    json_object_set_new(object, "request_trailers", json_of_fields(&record->request_trailers));
    set_parsed(object, "interim", record->interim);
    json_object_set_new(object, "response_headers", json_of_fields(&record->response_headers));
    json_object_set_new(object, "response_body", response_body);
    json_object_set_new(object, "response_trailers", json_of_fields(&record->response_trailers));
    json_object_set_new(object, "protocol",
                        record->protocol.len != 0 ? json_of_bytes(record->protocol) : json_null());
    json_object_set_new(object, "messages", messages);
    set_parsed(object, "client_tls", record->client_tls);
    set_parsed(object, "origin_tls", record->origin_tls);
    json_object_set_new(object, "request_wire_bytes", json_integer((json_int_t)record->request_wire_bytes));
    json_object_set_new(object, "response_wire_bytes", json_integer((json_int_t)record->response_wire_bytes));
    json_object_set_new(object, "tunnel_sent_bytes", json_integer((json_int_t)record->tunnel_sent_bytes));
    json_object_set_new(object, "tunnel_received_bytes",
                        json_integer((json_int_t)record->tunnel_received_bytes));
    json_object_set_new(object, "attempts", json_integer(record->attempts));
    json_object_set_new(object, "flags", json_integer(record->flags));
    json_print(object, JSON_INDENT(2));
    return true;
}

/* --- a command ----------------------------------------------------------------------------------------- */

static bool show_curl(const struct showing *showing, struct err *err)
{
    struct export_source source;
    struct curl_losses losses; /* the command itself tells them */
    enum export_reason why;
    bool ok;

    if (!curl_takes(showing->record, &why))
        return err_set(err, ERR_FOUND, "exchange %u as a curl command is %s", showing->record->seq,
                       export_reason_text(why));
    source_store_init(&source, showing->store, showing->session, NULL);
    /* Values and all: it is for whoever sits here, and sees them above as well. */
    ok = curl_write(&source, showing->record, NULL, stdout, &losses, err);
    source_store_clear(&source);
    return ok;
}

/* --- the command --------------------------------------------------------------------------------------- */

static bool show(const struct showing *showing, struct err *err)
{
    const struct args *args = showing->args;

    if (args->messages || args->follow)
        return show_messages(showing, err);
    if (args->json)
        return show_json(showing, err);
    if (args->curl)
        return show_curl(showing, err);
    if (args->body != 0)
        return show_body(showing, args->body == 1 ? HTTP_REQUEST : HTTP_RESPONSE, err);
    return args->raw ? show_raw(showing, err) : show_whole(showing, err);
}

static bool find_and_show(struct showing *showing, const struct session_row *row, uint32_t seq,
                          struct err *err)
{
    struct store_cursor *cursor;
    bool ok;

    if (!store_exchanges(showing->store, row->id, seq, NULL, &cursor, err))
        return false;
    ok = store_next(cursor, &showing->record, err);
    if (ok && (showing->record == NULL || showing->record->seq != seq))
        ok = err_set(err, ERR_FOUND, "session '%s' has no exchange %u; 'weir list %lld' shows those it has",
                     row->name, seq, (long long)row->id);
    if (ok)
        ok = show(showing, err);
    store_cursor_free(cursor);
    return ok;
}

int cmd_show(const struct args *args)
{
    bool is_tty = isatty(STDOUT_FILENO);
    struct showing showing = {
        .args = args,
        .is_tty = is_tty,
        .has_colour = style_is_wanted(STDOUT_FILENO),
        .look = (args->raw ? 0u : BODY_DECODED) | (is_tty ? BODY_HARMLESS | BODY_LINED : 0u) |
                (is_tty && !args->raw ? BODY_INDENTED : 0u),
        .end_of_line = args->raw && !is_tty ? "\r\n" : "\n",
    };
    struct session_row row;
    char *session = NULL;
    uint32_t seq = 0;
    struct err err;
    bool ok;

    if (args->operands.count == 0) {
        err_set(&err, ERR_USAGE, "which exchange? usage: weir show [SESSION/]EXCHANGE");
        return command_fail(&err);
    }
    if (args->json && (args->raw || args->body != 0)) {
        err_set(&err, ERR_USAGE, "--json has both bodies and goes with neither --raw nor --body");
        return command_fail(&err);
    }
    if (args->curl && (args->json || args->raw || args->body != 0)) {
        err_set(&err, ERR_USAGE,
                "--curl is the whole request and goes with neither --json, --raw nor --body");
        return command_fail(&err);
    }
    if ((args->messages || args->follow) && (args->curl || args->raw || args->body != 0)) {
        err_set(&err, ERR_USAGE, "--messages and --follow go with neither --raw, --body nor --curl");
        return command_fail(&err);
    }
    if (!parse_operand(args->operands.items[0], &session, &seq, &err) ||
        (args->proto_descriptors != NULL &&
         !protobuf_schema_load(args->proto_descriptors, &showing.schema, &err))) {
        mem_free(session);
        return command_fail(&err);
    }
    ok = command_open_store(args, STORE_READ, &showing.store, &err);
    if (ok)
        ok = store_find_session(showing.store, session, &row, &err);
    if (ok) {
        showing.session = &row;
        ok = find_and_show(&showing, &row, seq, &err);
        session_row_clear(&row);
    }
    store_close(showing.store);
    protobuf_schema_free(showing.schema);
    mem_free(session);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}
