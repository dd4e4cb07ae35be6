/* An exchange that is over becomes pieces: mostly one, more when a body or the messages are long, cut as a
 * recorder cuts them. */
#include "capture/heads.h"
#include "capture/import/past.h"
#include "capture/import/recoding.h"
#include "capture/set_cookie.h"
#include "capture/splitter.h"
#include "capture/store/store_write.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/http/coding.h"

#define READ_BYTES       ((size_t)64 * 1024)
#define FIRST_ROOM_BYTES 4096

/* As many messages in a piece as a recorder puts into one. */
#define PIECE_MESSAGES 2048

/* --- reading a body where it lies ---------------------------------------------------------------------- */

struct unbase64 {
    past_sink sink;
    void *self;
    struct strbuf text, bytes; /* what is not yet decoded, what is */
    bool is_over;              /* padding came */
};

static bool decode_base64(struct unbase64 *unbase64, size_t len)
{
    bool ok;

    strbuf_reset(&unbase64->bytes);
    ok = base64_read(&unbase64->bytes, span_sub(strbuf_span(&unbase64->text), 0, len));
    strbuf_drop_front(&unbase64->text, len);
    if (ok && unbase64->bytes.len != 0)
        unbase64->sink(unbase64->self, strbuf_span(&unbase64->bytes));
    return ok;
}

static bool feed_base64(void *self, struct span text)
{
    struct unbase64 *unbase64 = self;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\r' || c == '\n' || c == ' ' || c == '\t')
            continue;
        if (unbase64->is_over && c != '=')
            return false;
        unbase64->is_over = unbase64->is_over || c == '=';
        strbuf_add_char(&unbase64->text, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    /* A group with padding is for the end. */
    return unbase64->text.len < READ_BYTES || decode_base64(unbase64, (unbase64->text.len - 4) / 4 * 4);
}

static bool read_base64(struct json_in *json, past_sink sink, void *self)
{
    struct unbase64 unbase64 = { .sink = sink, .self = self };
    bool ok = json_in_string(json, feed_base64, &unbase64) && decode_base64(&unbase64, unbase64.text.len);

    strbuf_clear(&unbase64.text);
    strbuf_clear(&unbase64.bytes);
    return ok;
}

struct handing {
    past_sink sink;
    void *self;
};

static bool hand_on(void *self, struct span text)
{
    struct handing *handing = self;

    handing->sink(handing->self, text);
    return true;
}

static bool read_string(struct import_job *job, const struct past_body *body, past_sink sink, void *self)
{
    struct json_in *json = json_in_new(job->input);
    struct handing handing = { sink, self };
    bool ok;

    json_in_seek(json, body->offset, 1);
    ok =
        json_in_next(json) == JSON_IN_STRING &&
        (body->kind == PAST_BASE64 ? read_base64(json, sink, self) : json_in_string(json, hand_on, &handing));
    json_in_free(json);
    return ok;
}

static bool read_range(struct import_job *job, const struct past_body *body, past_sink sink, void *self)
{
    char *bytes = mem_alloc(READ_BYTES);
    uint64_t left = body->len;

    while (left != 0) {
        size_t got = input_read(job->input, body->offset + body->len - left, bytes,
                                left < READ_BYTES ? (size_t)left : READ_BYTES);
        if (got == 0)
            break;
        sink(self, span_make(bytes, got));
        left -= got;
    }
    mem_free(bytes);
    return left == 0;
}

bool past_body_read(struct import_job *job, const struct past_body *body, past_sink sink, void *self)
{
    switch (body->kind) {
    case PAST_NO_BODY:
        return true;
    case PAST_BYTES:
        if (body->bytes.len != 0)
            sink(self, strbuf_span(&body->bytes));
        return true;
    case PAST_RANGE:
        return read_range(job, body, sink, self);
    default:
        return read_string(job, body, sink, self);
    }
}

/* --- is the coding still on it? ------------------------------------------------------------------------ */

struct trial {
    struct coding *coding;
    bool is_bad;
    uint64_t bytes;
};

static bool drop(void *self, struct span bytes, struct err *err)
{
    (void)self;
    (void)bytes;
    (void)err;
    return true;
}

static void try_bytes(void *self, struct span bytes)
{
    struct trial *trial = self;
    struct err unused; /* that it does not decode is the answer */

    trial->bytes += bytes.len;
    if (trial->coding != NULL && !trial->is_bad)
        trial->is_bad = !coding_feed(trial->coding, bytes, drop, NULL, &unused);
}

/* Reads the body for what only the whole of it tells. Text that should be base64 becomes text. Whether a
 * coding has to be put on again. */
static bool examine(struct import_job *job, const struct past *past, enum http_role role,
                    const struct http_head *head, struct past_body *body, struct span *out_coding)
{
    struct trial trial = { 0 };
    struct err unused;

    *out_coding = SPAN_NONE;
    if (body->may_be_decoded)
        headers_find(&head->headers, SPAN("Content-Encoding"), out_coding);
    if (body->kind != PAST_BASE64 && out_coding->len == 0)
        return false;
    if (out_coding->len != 0)
        coding_new(*out_coding, 0, &trial.coding, &unused);
    if (!past_body_read(job, body, try_bytes, &trial) && body->kind == PAST_BASE64) {
        body->kind = PAST_TEXT;
        import_count(job, IMPORT_BAD_BASE64, "the %s of %s%.*s",
                     role == HTTP_REQUEST ? "request" : "response", past->host,
                     (int)(past->request->target.len < 80 ? past->request->target.len : 80),
                     past->request->target.ptr);
        trial.is_bad = true;
    }
    if (trial.coding == NULL)
        return false;
    trial.is_bad = trial.is_bad || !coding_finish(trial.coding, &unused);
    coding_free(trial.coding);
    return trial.is_bad && trial.bytes != 0;
}

/* --- pieces -------------------------------------------------------------------------------------------- */

struct telling {
    struct import_job *job;
    struct past *past;
    struct entry *entry; /* the writer's from the first piece on */
    struct exchange_piece *part;
    uint64_t passed[2];
    struct piece_bytes held[2]; /* of a body, to be put into a part */
    struct splitter *splitter;
    struct recoding *recoding; /* of the body that is being told */
    enum http_role role;       /* of that body */
    uint32_t last_message;
};

static struct exchange_piece *part_of(struct telling *telling)
{
    if (telling->part == NULL)
        telling->part = piece_new(telling->job->session, telling->entry);
    return telling->part;
}

static void flush(struct telling *telling, unsigned marks)
{
    const struct past *past = telling->past;
    struct exchange_piece *part = part_of(telling);
    bool is_last = (marks & PIECE_LAST) != 0;

    part->marks |= marks;
    part->state = !is_last ? RECORD_OPEN : past->error.len == 0 ? RECORD_DONE : RECORD_ABORTED;
    memcpy(part->times, past->times, sizeof part->times);
    memcpy(part->bytes, telling->passed, sizeof part->bytes);
    part->origin_addr = piece_add_text(part, span_of(past->origin_addr));
    part->origin_tls = past->tls[HTTP_RESPONSE] != NULL ? tap_tls_ref(past->tls[HTTP_RESPONSE]) : NULL;
    part->attempts = 1;
    part->flags = past->flags;
    part->last_message = telling->last_message;
    if (past->error.len != 0)
        part->error = piece_add_text(part, strbuf_span(&past->error));
    piece_weigh(part);
    capture_push(telling->job->capture, &part->base);
    telling->part = NULL;
}

/* --- messages ------------------------------------------------------------------------------------------ */

static void add_message(struct telling *telling, const struct message *message, enum http_role direction,
                        uint64_t time_us)
{
    struct exchange_piece *part = part_of(telling);

    piece_add_message(part, message, direction, ++telling->last_message, time_us, SPLITTER_PAYLOAD_BYTES);
    if (part->message_count >= PIECE_MESSAGES || part->text.len >= STORE_PIECE_BYTES)
        flush(telling, 0);
}

void past_message(struct past *past, const struct message *message, enum http_role direction,
                  uint64_t time_us)
{
    add_message(past->telling, message, direction, time_us);
}

static uint64_t response_us(const struct past *past)
{
    int64_t since = past->times[TAP_T_RECEIVED_FIRST];

    return past->started_us + (since != TAP_NEVER && since > 0 ? (uint64_t)since : 0);
}

/* Of a body: nobody wrote down when each of its messages came. */
static void on_message(void *self, const struct message *message, enum http_role direction, uint32_t n)
{
    struct telling *telling = self;

    (void)n; /* counted here, with those that the file has */
    add_message(telling, message, direction,
                direction == HTTP_REQUEST ? telling->past->started_us : response_us(telling->past));
}

static void start_splitter(struct telling *telling)
{
    const struct past *past = telling->past;

    telling->splitter = splitter_at_request(past->request, SPLITTER_PAYLOAD_BYTES, on_message, telling);
    if (past->response != NULL)
        telling->splitter = splitter_at_response(telling->splitter, past->response, SPLITTER_PAYLOAD_BYTES,
                                                 on_message, telling);
    if (telling->splitter != NULL && past->response != NULL && splitter_is_upgrade(telling->splitter)) {
        splitter_free(telling->splitter); /* what followed the head is not in the file but as messages */
        telling->splitter = NULL;
    }
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static void put_held(struct telling *telling, bool is_end)
{
    struct piece_bytes *held = &telling->held[telling->role];
    uint64_t end = held->offset + held->len;

    held->ends_piece = true;
    held->ends_body = is_end;
    if (held->len != 0)
        held->hash = store_hash(span_make(held->bytes, held->len));
    part_of(telling)->bodies[telling->role] = *held;
    *held = (struct piece_bytes){ .offset = end };
}

static void make_room(struct piece_bytes *held, size_t len)
{
    size_t cap = held->cap != 0 ? (size_t)held->cap * 2 : FIRST_ROOM_BYTES;

    if (held->len + len <= held->cap)
        return;
    cap = cap < held->len + len ? held->len + len : cap;
    held->cap = (uint32_t)(cap < STORE_PIECE_BYTES ? cap : STORE_PIECE_BYTES);
    held->bytes = mem_realloc(held->bytes, held->cap);
}

static void tell_bytes(void *self, struct span bytes)
{
    struct telling *telling = self;
    struct piece_bytes *held = &telling->held[telling->role];

    if (telling->splitter != NULL)
        splitter_feed(telling->splitter, telling->role, bytes);
    telling->passed[telling->role] += bytes.len;
    while (bytes.len != 0) {
        size_t left = STORE_PIECE_BYTES - held->len, take = bytes.len < left ? bytes.len : left;

        make_room(held, take);
        memcpy(held->bytes + held->len, bytes.ptr, take);
        held->len += (uint32_t)take;
        bytes = span_from(bytes, take);
        if (held->len == STORE_PIECE_BYTES) {
            put_held(telling, false);
            flush(telling, 0);
        }
    }
}

static void recode_bytes(void *self, struct span bytes)
{
    struct telling *telling = self;

    recoding_feed(telling->recoding, bytes, tell_bytes, telling);
}

static void tell_body(struct telling *telling, enum http_role role, const struct http_head *head)
{
    struct past_body *body = &telling->past->bodies[role];
    struct span coding;

    telling->role = role;
    if (examine(telling->job, telling->past, role, head, body, &coding))
        telling->recoding = recoding_new(coding);
    past_body_read(telling->job, body, telling->recoding != NULL ? recode_bytes : tell_bytes, telling);
    if (telling->recoding != NULL)
        recoding_finish(telling->recoding, tell_bytes, telling);
    recoding_free(telling->recoding);
    telling->recoding = NULL;
    telling->passed[role] += body->missing;
    put_held(telling, true);
    if (telling->splitter != NULL)
        splitter_finish(telling->splitter, role);
}

/* --- heads --------------------------------------------------------------------------------------------- */

static void add_place(struct exchange_piece *part, const struct past *past, struct span path)
{
    part->scheme = piece_add_text(part, span_of(past->scheme));
    part->host = piece_add_text(part, span_of(past->host));
    part->path = piece_add_text(part, path);
    part->port = past->port;
}

static void tell_request(struct telling *telling, struct span path, struct span query)
{
    struct exchange_piece *part = part_of(telling);
    const struct past *past = telling->past;
    const struct http_head *head = past->request;
    struct tap_exchange whose = { .started_us = past->started_us };

    part->marks = PIECE_REQUEST | PIECE_TAKEN;
    part->started_us = past->started_us;
    part->client_addr = piece_add_text(part, span_of(past->client_addr));
    part->client_tls = past->tls[HTTP_REQUEST] != NULL ? tap_tls_ref(past->tls[HTTP_REQUEST]) : NULL;
    add_place(part, past, path);
    part->query = piece_add_text(part, query);
    part->method = piece_add_text(part, head->method);
    if (head->protocol.len != 0)
        part->protocol = piece_add_text(part, head->protocol);
    part->request_version = (int)head->version;
    part->request_headers = piece_add_headers(part, &head->headers);
    part->request_type = piece_add_type(part, &head->headers);
    memcpy(whose.client_addr, past->client_addr, sizeof whose.client_addr);
    memcpy(whose.host, past->host, sizeof whose.host);
    piece_add_sent_cookies(part, &whose, &head->headers,
                           &capture_shared(telling->job->capture)->seen_cookies);
}

static void tell_response(struct telling *telling, struct span path)
{
    struct exchange_piece *part = part_of(telling);
    const struct past *past = telling->past;
    const struct http_head *head = past->response;
    struct span field = SPAN("Set-Cookie"), line, pair, name, value;

    part->marks |= PIECE_RESPONSE;
    part->response_version = (int)head->version;
    part->status = head->status;
    part->reason = piece_add_text(part, head->reason);
    part->response_headers = piece_add_headers(part, &head->headers);
    part->response_type = piece_add_type(part, &head->headers);
    if (piece_sets_cookies(&head->headers))
        add_place(part, past, path);
    for (size_t i = headers_next(&head->headers, field, 0); i < head->headers.count;
         i = headers_next(&head->headers, field, i + 1)) {
        line = headers_value(&head->headers, i);
        pair = span_sub(line, 0, span_find(line, ';'));
        if (!cookie_next(&pair, &name, &value))
            name = value = SPAN("");
        piece_add_cookie(part, COOKIE_SET, response_us(past), name, value, line);
    }
}

static void tell_trailers(struct telling *telling)
{
    for (int role = 0; role < 2; role++) {
        struct exchange_piece *part = part_of(telling);
        if (telling->past->trailers[role].count != 0)
            part->trailers[role] = piece_add_headers(part, &telling->past->trailers[role]);
    }
}

static void count_totals(const struct telling *telling)
{
    struct roster_session *session = telling->job->session;

    atomic_fetch_add(&session->totals.seen, 1);
    if (telling->past->error.len != 0)
        atomic_fetch_add(&session->totals.errors, 1);
    for (int role = 0; role < 2; role++)
        atomic_fetch_add(&session->totals.bytes[role], telling->passed[role]);
}

void past_tell(struct import_job *job, struct past *past)
{
    struct telling telling = { .job = job, .past = past, .entry = mem_new(struct entry) };
    struct span path, query;

    telling.entry->session = job->session;
    uid_make(&job->uids, past->started_us, telling.entry->uid);
    heads_path(past->request, &path, &query);
    start_splitter(&telling);
    tell_request(&telling, path, query);
    tell_body(&telling, HTTP_REQUEST, past->request);
    if (past->response != NULL) {
        tell_response(&telling, path);
        tell_body(&telling, HTTP_RESPONSE, past->response);
    }
    tell_trailers(&telling);
    if (past->messages != NULL) {
        past->telling = &telling;
        past->messages(past, past->messages_self);
        past->telling = NULL;
    }
    flush(&telling, PIECE_LAST);
    splitter_free(telling.splitter);
    count_totals(&telling);
    job->report->exchanges++;
}
