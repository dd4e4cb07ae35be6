/* A line is a name, then perhaps a colon and a value. Values flow straight to where their field keeps them,
 * so that a line may be of any length. */
#include "proxy/http/sse.h"

#include "proxy/base/mem.h"
#include "proxy/http/payload.h"

#define MAX_NAME_BYTES 5 /* "event", "retry" */

enum step {
    STEP_MARK,  /* at the start, within what may be a byte order mark */
    STEP_NAME,  /* at the start of a line, or in its field name */
    STEP_SPACE, /* after the colon: one blank is not the value's */
    STEP_VALUE,
};

enum field { FIELD_OTHER, FIELD_DATA, FIELD_EVENT, FIELD_ID, FIELD_RETRY };

struct sse {
    message_sink sink;
    void *self;

    enum step step;
    size_t mark_len;  /* STEP_MARK: so much of it was seen */
    bool is_after_cr; /* a LF would belong to the line end before it */
    char name[MAX_NAME_BYTES];
    size_t name_len; /* may be more than was kept */
    enum field field;

    struct payload data;
    bool has_data;
    struct strbuf type;
    struct strbuf id, next_id; /* an id counts at the end of its line */
    bool next_id_has_nul;
    bool has_retry;
    uint64_t retry_ms, next_retry_ms;
    bool is_next_retry_good;
};

struct sse *sse_new(size_t max_message_bytes, message_sink sink, void *self)
{
    struct sse *sse = mem_new(struct sse);

    sse->sink = sink;
    sse->self = self;
    payload_init(&sse->data, max_message_bytes);
    sse->data.is_text = true;
    strbuf_init(&sse->type, SSE_WORD_BYTES);
    strbuf_init(&sse->id, SSE_WORD_BYTES);
    strbuf_init(&sse->next_id, SSE_WORD_BYTES);
    return sse;
}

void sse_free(struct sse *sse)
{
    if (sse == NULL)
        return;
    payload_clear(&sse->data);
    strbuf_clear(&sse->type);
    strbuf_clear(&sse->id);
    strbuf_clear(&sse->next_id);
    mem_free(sse);
}

static void forget_event(struct sse *sse)
{
    payload_reset(&sse->data);
    sse->data.is_text = true;
    sse->has_data = false;
    strbuf_reset(&sse->type);
}

static void tell_event(struct sse *sse, bool is_whole)
{
    struct message message = { .kind = MESSAGE_EVENT,
                               .is_incomplete = !is_whole,
                               .event_type = sse->type.len != 0 ? strbuf_span(&sse->type) : SPAN("message"),
                               .event_id = strbuf_span(&sse->id),
                               .has_retry = sse->has_retry,
                               .retry_ms = sse->has_retry ? sse->retry_ms : 0 };

    if (sse->has_data) {
        payload_tell(&sse->data, is_whole, &message);
        message.wire_size = message.size;
        sse->has_retry = false;
        sse->sink(sse->self, &message);
    }
    forget_event(sse);
}

static enum field find_field(const struct sse *sse)
{
    static const struct {
        struct span name;
        enum field field;
    } fields[] = {
        { SPAN("data"), FIELD_DATA },
        { SPAN("event"), FIELD_EVENT },
        { SPAN("id"), FIELD_ID },
        { SPAN("retry"), FIELD_RETRY },
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (sse->name_len == fields[i].name.len &&
            memcmp(sse->name, fields[i].name.ptr, fields[i].name.len) == 0)
            return fields[i].field;
    }
    return FIELD_OTHER;
}

/* The name is known; the value, which may be empty, follows. */
static void begin_value(struct sse *sse)
{
    sse->field = find_field(sse);
    switch (sse->field) {
    case FIELD_DATA:
        if (sse->has_data)
            payload_add(&sse->data, SPAN("\n"));
        sse->has_data = true;
        break;
    case FIELD_EVENT:
        strbuf_reset(&sse->type);
        break;
    case FIELD_ID:
        strbuf_reset(&sse->next_id);
        sse->next_id_has_nul = false;
        break;
    case FIELD_RETRY:
        sse->next_retry_ms = 0;
        sse->is_next_retry_good = false;
        break;
    case FIELD_OTHER:
        break;
    }
}

static void add_word(struct strbuf *word, struct span bytes)
{
    size_t room = word->limit - word->len;

    strbuf_add(word, span_sub(bytes, 0, bytes.len < room ? bytes.len : room));
}

/* Digits and nothing else, from the first on. Once it is wrong it holds a number that no digit can follow. */
static void add_retry(struct sse *sse, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned digit = (unsigned)(unsigned char)bytes.ptr[i] - '0';

        sse->is_next_retry_good = digit <= 9 && sse->next_retry_ms <= (UINT64_MAX - digit) / 10;
        sse->next_retry_ms = sse->is_next_retry_good ? sse->next_retry_ms * 10 + digit : UINT64_MAX;
    }
}

static void add_value(struct sse *sse, struct span bytes)
{
    switch (sse->field) {
    case FIELD_DATA:
        payload_add(&sse->data, bytes);
        break;
    case FIELD_EVENT:
        add_word(&sse->type, bytes);
        break;
    case FIELD_ID:
        sse->next_id_has_nul = sse->next_id_has_nul || span_find(bytes, '\0') < bytes.len;
        add_word(&sse->next_id, bytes);
        break;
    case FIELD_RETRY:
        add_retry(sse, bytes);
        break;
    case FIELD_OTHER:
        break;
    }
}

static void end_value(struct sse *sse)
{
    if (sse->field == FIELD_ID && !sse->next_id_has_nul) {
        strbuf_reset(&sse->id);
        strbuf_add(&sse->id, strbuf_span(&sse->next_id));
    } else if (sse->field == FIELD_RETRY && sse->is_next_retry_good) {
        sse->has_retry = true;
        sse->retry_ms = sse->next_retry_ms;
    }
}

static void end_line(struct sse *sse)
{
    if (sse->step == STEP_NAME && sse->name_len == 0) {
        tell_event(sse, true);
    } else {
        if (sse->step == STEP_NAME)
            begin_value(sse);
        end_value(sse);
    }
    sse->step = STEP_NAME;
    sse->name_len = 0;
}

static void take_name(struct sse *sse, char c)
{
    if (c == ':') {
        begin_value(sse); /* of a comment: its name is empty, and so no field's */
        sse->step = STEP_SPACE;
    } else {
        if (sse->name_len < MAX_NAME_BYTES)
            sse->name[sse->name_len] = c;
        sse->name_len++;
    }
}

/* How many bytes stand before the end of the line. */
static size_t line_rest(struct span bytes)
{
    size_t len = 0;

    while (len < bytes.len && bytes.ptr[len] != '\n' && bytes.ptr[len] != '\r')
        len++;
    return len;
}

/* Takes what it can of the front of bytes, at least one. */
static size_t take(struct sse *sse, struct span bytes)
{
    char c = bytes.ptr[0];
    size_t len = 1;

    if (c == '\n' && sse->is_after_cr) {
        sse->is_after_cr = false;
        return 1;
    }
    sse->is_after_cr = c == '\r';
    if (c == '\r' || c == '\n') {
        end_line(sse);
        return 1;
    }
    if (sse->step == STEP_NAME) {
        take_name(sse, c);
    } else if (sse->step == STEP_SPACE && c == ' ') {
        sse->step = STEP_VALUE;
    } else {
        sse->step = STEP_VALUE;
        len = line_rest(bytes);
        add_value(sse, span_sub(bytes, 0, len));
    }
    return len;
}

/* Looks for a byte order mark. What only began like one is of the first line. */
static size_t take_mark(struct sse *sse, char c)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct span seen = span_make(mark, sse->mark_len);

    if (c == mark[sse->mark_len]) {
        if (++sse->mark_len == sizeof mark - 1)
            sse->step = STEP_NAME;
        return 1;
    }
    sse->step = STEP_NAME;
    for (; seen.len != 0; seen = span_from(seen, 1))
        take(sse, seen);
    return 0;
}

void sse_feed(struct sse *sse, struct span bytes)
{
    while (bytes.len != 0)
        bytes = span_from(bytes, sse->step == STEP_MARK ? take_mark(sse, bytes.ptr[0]) : take(sse, bytes));
}

void sse_finish(struct sse *sse)
{
    tell_event(sse, false);
}
