#include "tools/show_messages.h"

#include <ctype.h>
#include <jansson.h>
#include <time.h>

#include "capture/protobuf.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/utf8.h"
#include "tools/json_indent.h"
#include "tools/json_text.h"
#include "tools/style.h"
#include "tools/text.h"

/* How payloads are set in below their line. */
#define INDENT "    "

/* The most of a payload that is dumped byte by byte: enough to see what it is; JSON has all of it. */
#define DUMP_BYTES ((size_t)256)
#define DUMP_LINE  16

#define POLL_EVERY_NS (250L * 1000 * 1000)

/* --- the line on a message ----------------------------------------------------------------------------- */

static void add_event(struct strbuf *line, const struct record_message *message)
{
    strbuf_printf(line, " \"%.*s\"", SPAN_ARG(message->event_type));
    if (message->event_id.len != 0)
        strbuf_printf(line, ", id \"%.*s\"", SPAN_ARG(message->event_id));
    if (message->has_retry)
        strbuf_printf(line, ", retry after %llu ms", (unsigned long long)message->retry_ms);
}

static void add_about(struct strbuf *line, const struct record_message *message)
{
    strbuf_add_str(line, record_message_kind_name(message->kind));
    if (message->kind == MESSAGE_EVENT)
        add_event(line, message);
    if (message->close_code != 0)
        strbuf_printf(line, " %d", message->close_code);
    if (message->kind != MESSAGE_FAULT) {
        strbuf_add_str(line, ", ");
        text_add_count(line, message->size, "byte", "bytes");
    }
    if ((message->flags & RECORD_MESSAGE_COMPRESSED) != 0)
        strbuf_printf(line, ", compressed to %llu%s", (unsigned long long)message->wire_size,
                      (message->flags & RECORD_MESSAGE_UNDECODED) != 0 ? ", not decoded" : "");
    if ((message->flags & RECORD_MESSAGE_INCOMPLETE) != 0)
        strbuf_add_str(line, ", cut off");
    if ((message->flags & RECORD_MESSAGE_TRUNCATED) != 0 && message->payload.ptr != NULL)
        strbuf_printf(line, ", only %zu kept", message->payload.len);
    if (message->payload.ptr == NULL && message->size != 0)
        strbuf_add_str(line, ", not kept");
    if ((message->flags & RECORD_MESSAGE_BAD_UTF8) != 0)
        strbuf_add_str(line, ", not all of it UTF-8");
    if (message->note.len != 0)
        strbuf_printf(line, "; %.*s", SPAN_ARG(message->note));
}

static void write_line(const struct message_show *show, const struct record_message *message)
{
    enum style style = message->kind == MESSAGE_FAULT       ? STYLE_RED
                       : message->direction == HTTP_REQUEST ? STYLE_CYAN
                                                            : STYLE_GREEN;
    struct strbuf line = STRBUF_EMPTY, about = STRBUF_EMPTY;

    style_begin(&line, show->has_colour, STYLE_DIM);
    text_add_clock(&line, message->time_us);
    style_end(&line, show->has_colour, STYLE_DIM);
    strbuf_add_char(&line, ' ');
    style_begin(&line, show->has_colour, style);
    add_about(&about, message);
    strbuf_add_str(&line, message->direction == HTTP_REQUEST ? "-> " : "<- ");
    text_add_shown(&line, strbuf_span(&about));
    style_end(&line, show->has_colour, style);
    strbuf_add_char(&line, '\n');
    fwrite(strbuf_text(&line), 1, line.len, show->out);
    strbuf_clear(&about);
    strbuf_clear(&line);
}

/* --- the payload --------------------------------------------------------------------------------------- */

/* What was cut may end in the middle of a character. */
static bool is_text(const struct record_message *message)
{
    struct span bytes = message->payload;

    if ((message->flags & RECORD_MESSAGE_TRUNCATED) != 0)
        bytes = utf8_whole(bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
            return false;
    }
    return utf8_is_valid(bytes);
}

static bool is_json(struct span text)
{
    json_t *value;

    text = span_trim(text);
    if (text.len == 0 || (text.ptr[0] != '{' && text.ptr[0] != '['))
        return false;
    value = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    json_decref(value);
    return value != NULL;
}

static void add_dump(struct strbuf *out, struct span bytes)
{
    size_t shown = bytes.len < DUMP_BYTES ? bytes.len : DUMP_BYTES;

    for (size_t at = 0; at < shown; at += DUMP_LINE) {
        size_t end = at + DUMP_LINE < shown ? at + DUMP_LINE : shown;
        for (size_t i = at; i < at + DUMP_LINE; i++) {
            if (i < end)
                strbuf_printf(out, "%02x ", (unsigned char)bytes.ptr[i]);
            else
                strbuf_add_str(out, "   ");
        }
        strbuf_add_char(out, ' ');
        for (size_t i = at; i < end; i++)
            strbuf_add_char(out, isprint((unsigned char)bytes.ptr[i]) ? bytes.ptr[i] : '.');
        strbuf_add_char(out, '\n');
    }
    if (shown < bytes.len)
        strbuf_printf(out, "... and %zu more\n", bytes.len - shown);
}

static void add_protobuf(const struct message_show *show, const struct record_message *message,
                         struct strbuf *out)
{
    const struct protobuf_type *types[2] = { NULL, NULL };

    if (show->schema != NULL)
        protobuf_schema_method(show->schema, show->record->path, &types[HTTP_REQUEST], &types[HTTP_RESPONSE]);
    if (types[message->direction] != NULL)
        protobuf_dump_named(show->schema, types[message->direction], message->payload, out);
    else
        protobuf_dump_wire(message->payload, out);
}

/* gRPC is protobuf but where its type says otherwise, as application/grpc+json does. */
static bool is_protobuf(const struct message_show *show, const struct record_message *message)
{
    struct span type = show->record->request_type;
    size_t plus = span_find(type, '+');

    return message->kind == MESSAGE_GRPC && (message->flags & RECORD_MESSAGE_UNDECODED) == 0 &&
           (plus == type.len || span_eq(span_from(type, plus), SPAN("+proto")));
}

static void add_payload(const struct message_show *show, const struct record_message *message,
                        struct strbuf *out)
{
    struct json_indent indent = { 0 };

    if (is_protobuf(show, message))
        add_protobuf(show, message, out);
    else if (!is_text(message))
        add_dump(out, message->payload);
    else if (is_json(message->payload))
        json_indent_feed(&indent, message->payload, out);
    else
        strbuf_add(out, message->payload);
}

static void write_payload(const struct message_show *show, const struct record_message *message)
{
    struct strbuf text = STRBUF_EMPTY, lines = STRBUF_EMPTY;
    struct span rest, line;

    if (message->payload.len == 0)
        return;
    add_payload(show, message, &text);
    if (show->is_tty)
        text_add_shown_lines(&lines, strbuf_span(&text));
    rest = show->is_tty ? strbuf_span(&lines) : strbuf_span(&text);
    if (rest.len != 0 && rest.ptr[rest.len - 1] == '\n')
        rest.len--;
    while (span_split(&rest, '\n', &line)) {
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        fprintf(show->out, INDENT "%.*s\n", SPAN_ARG(line));
    }
    strbuf_clear(&lines);
    strbuf_clear(&text);
}

/* --- all of them --------------------------------------------------------------------------------------- */

static bool show_one(void *self, const struct record_message *message, struct err *err)
{
    struct message_show *show = self;

    (void)err;
    if (show->is_json) {
        json_t *object = json_of_message(message);
        json_dumpf(object, show->out, JSON_COMPACT);
        putc('\n', show->out);
        json_decref(object);
    } else {
        write_line(show, message);
        write_payload(show, message);
    }
    show->last = message->n;
    return !ferror(show->out);
}

bool message_show_all(struct message_show *show, struct err *err)
{
    err->code = ERR_NONE;
    /* Without an error it stopped because out did: whoever finishes out says so. */
    return store_messages(show->store, show->session, show->record->seq, show->last + 1, show_one, show,
                          err) ||
           err->code == ERR_NONE;
}

static bool is_over(const struct message_show *show, bool *out_over, struct err *err)
{
    struct store_cursor *cursor;
    const struct record *record;
    struct session_row row;
    char id[24];
    bool ok;

    snprintf(id, sizeof id, "%lld", (long long)show->session);
    if (!store_find_session(show->store, id, &row, err))
        return false;
    *out_over = row.state == SESSION_ENDED || row.state == SESSION_INTERRUPTED;
    session_row_clear(&row);
    if (!store_exchanges(show->store, show->session, show->record->seq, NULL, &cursor, err))
        return false;
    ok = store_next(cursor, &record, err);
    if (ok && (record == NULL || record->seq != show->record->seq || record->state != RECORD_OPEN))
        *out_over = true;
    store_cursor_free(cursor);
    return ok;
}

bool message_show_follow(struct message_show *show, struct err *err)
{
    const struct timespec pause = { .tv_nsec = POLL_EVERY_NS };

    for (;;) {
        bool over; /* asked first: what came before the end is then there */
        if (!is_over(show, &over, err) || !message_show_all(show, err))
            return false;
        if (fflush(show->out) != 0 || ferror(show->out) || over)
            return true;
        nanosleep(&pause, NULL);
    }
}
