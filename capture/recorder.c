/* An exchange under way is a recording. It is KEPT (pieces are made of it), or COUNTED: only its sizes, and,
 * if the filter left it out or only cookies are wanted, its cookies.
 *
 *     on_request: paused ─> COUNTED   filter no ─> COUNTED (cookies)   else ─> KEPT ──late no──> COUNTED
 * (cookies)
 *
 * What it tells between two pieces is held: the head, trailers and cookies in its part, bytes in its sides.
 * Whoever begins waits to be introduced: its first piece is queued with what else comes soon, but before the
 * first piece of any exchange that began later, as the store numbers exchanges in that order.
 */
#include "capture/recorder.h"

#include <string.h>
#include <sys/queue.h>

#include "capture/fields_json.h"
#include "capture/filter.h"
#include "capture/heads.h"
#include "capture/piece.h"
#include "capture/roster.h"
#include "capture/splitter.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* The first room for a body of unknown length; it doubles up to a whole piece. */
#define FIRST_ROOM_BYTES 4096

/* What was held as long as this is queued at the next tick: with a tick every 50 ms nothing is held over 75
 * ms, and an exchange that is quicker than this costs one piece. */
#define HOLD_US 25000

/* Messages travel together, but not more than these in a piece: about as much as a piece of a body. */
#define PIECE_MESSAGES      2048
#define PIECE_MESSAGE_BYTES STORE_PIECE_BYTES

enum recording_mode { COUNTED, COUNTED_WITH_COOKIES, KEPT };

/* One direction's body. */
struct side {
    char *bytes; /* owned: what is held, from offset on */
    uint32_t len, cap;
    uint64_t offset;
    uint64_t passed; /* all that was told */
    uint64_t limit;  /* so many are kept */
    uint64_t length; /* told by its head; 0: unknown */
    bool is_ended, is_end_told;
    bool is_quick; /* the last piece was a whole one: the next is likely to be */
};

struct recording {
    struct recorder *recorder;
    struct tap_exchange *exchange;
    struct roster_session *session;
    enum recording_mode mode;
    struct entry *entry;         /* KEPT; the writer's, only pointed to */
    struct exchange_piece *part; /* owned; NULL: nothing but bytes is held */
    struct side sides[2];
    struct splitter *splitter; /* KEPT; NULL: it has no messages */
    uint32_t last_message;
    struct strbuf interim; /* JSON without its last bracket */
    /* Kept while the filter has not decided. */
    bool is_undecided;
    struct http_head *request, *response;
    struct headers trailers[2];
    /* For cookies that come with the response. */
    char *path; /* owned; as sent */

    bool is_held;
    uint64_t held_us;
    TAILQ_ENTRY(recording) in_held;
    bool is_new; /* KEPT, and its first piece is still to be queued */
    TAILQ_ENTRY(recording) in_new;
    bool is_waiting;
    LIST_ENTRY(recording) waiting;
};

LIST_HEAD(recordings, recording);

struct recorder {
    struct recorder_shared *shared;
    void (*wake)(void *self);
    void *wake_self;
    atomic_bool has_waiting;
    struct recordings waiting;
    TAILQ_HEAD(, recording) held; /* longest first */
    TAILQ_HEAD(, recording) new;  /* in the order in which they began */
    struct uid_maker uids;
    LIST_ENTRY(recorder) in_shared;
};

void recorder_shared_init(struct recorder_shared *shared)
{
    pthread_mutex_init(&shared->lock, NULL);
    LIST_INIT(&shared->recorders);
}

void recorder_shared_clear(struct recorder_shared *shared)
{
    pthread_mutex_destroy(&shared->lock);
}

void recorder_shared_wake(struct recorder_shared *shared)
{
    struct recorder *recorder;

    pthread_mutex_lock(&shared->lock);
    LIST_FOREACH (recorder, &shared->recorders, in_shared)
        if (atomic_load(&recorder->has_waiting))
            recorder->wake(recorder->wake_self);
    pthread_mutex_unlock(&shared->lock);
}

struct recorder *recorder_new(struct recorder_shared *shared, void (*wake)(void *self), void *wake_self)
{
    struct recorder *recorder = mem_new(struct recorder);

    recorder->shared = shared;
    recorder->wake = wake;
    recorder->wake_self = wake_self;
    LIST_INIT(&recorder->waiting);
    TAILQ_INIT(&recorder->held);
    TAILQ_INIT(&recorder->new);
    pthread_mutex_lock(&shared->lock);
    LIST_INSERT_HEAD(&shared->recorders, recorder, in_shared);
    pthread_mutex_unlock(&shared->lock);
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    if (recorder == NULL)
        return;
    pthread_mutex_lock(&recorder->shared->lock);
    LIST_REMOVE(recorder, in_shared);
    pthread_mutex_unlock(&recorder->shared->lock);
    mem_free(recorder);
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- pieces -------------------------------------------------------------------------------------------- */

static struct exchange_piece *part_of(struct recording *recording)
{
    if (recording->part == NULL)
        recording->part = piece_new(recording->session, recording->entry);
    return recording->part;
}

static void hold(struct recording *recording)
{
    if (recording->is_held)
        return;
    recording->is_held = true;
    recording->held_us = clock_mono_us();
    TAILQ_INSERT_TAIL(&recording->recorder->held, recording, in_held);
}

static void release(struct recording *recording)
{
    if (recording->is_held)
        TAILQ_REMOVE(&recording->recorder->held, recording, in_held);
    recording->is_held = false;
}

static void queue_piece(struct recorder *recorder, struct piece *piece)
{
    bool is_over;

    if (!queue_push(recorder->shared->queue, &piece->item, &is_over))
        piece_free(piece); /* capture_end came first: the exchange is settled in the store */
}

static void add_facts(struct exchange_piece *part, const struct recording *recording)
{
    const struct tap_exchange *x = recording->exchange;

    memcpy(part->times, x->times, sizeof part->times);
    part->origin_addr = piece_add_text(part, span_of(x->origin_addr));
    part->origin_tls = x->origin_tls != NULL ? tap_tls_ref(x->origin_tls) : NULL;
    part->bytes[HTTP_REQUEST] = recording->sides[HTTP_REQUEST].passed;
    part->bytes[HTTP_RESPONSE] = recording->sides[HTTP_RESPONSE].passed;
    part->wire_bytes[HTTP_REQUEST] = x->request_wire_bytes;
    part->wire_bytes[HTTP_RESPONSE] = x->response_wire_bytes;
    part->tunnel_sent_bytes = x->tunnel_sent_bytes;
    part->tunnel_received_bytes = x->tunnel_received_bytes;
    part->attempts = x->attempts;
    part->flags = x->flags;
    part->last_message = recording->last_message;
    if (x->error != NULL)
        part->error = piece_add_text(part, span_of(x->error));
    if (recording->interim.len != 0) {
        part->interim = piece_add_bytes(part, strbuf_span(&recording->interim));
        piece_add_bytes(part, SPAN("]"));
        part->interim.len++;
    }
}

/* Moves what a side holds into the part. */
static void move_bytes(struct side *side, struct piece_bytes *to, bool is_end)
{
    uint64_t end = side->offset + side->len;

    if (side->is_end_told || (side->len == 0 && !is_end))
        return;
    side->is_end_told = is_end;
    side->is_quick = side->len == STORE_PIECE_BYTES;
    *to = (struct piece_bytes){
        .bytes = side->bytes,
        .len = side->len,
        .cap = side->cap,
        .offset = side->offset,
        .ends_piece = is_end || end % STORE_PIECE_BYTES == 0,
        .ends_body = is_end,
    };
    if (side->len != 0 && to->ends_piece && side->offset % STORE_PIECE_BYTES == 0)
        to->hash = store_hash(span_make(side->bytes, side->len));
    side->bytes = NULL;
    side->len = side->cap = 0;
    side->offset = end;
}

static void flush(struct recording *recording, unsigned marks);

static void introduce(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;
    struct recording *earliest;

    if (!recording->is_new)
        return;
    while ((earliest = TAILQ_FIRST(&recorder->new)) != recording)
        flush(earliest, 0);
    TAILQ_REMOVE(&recorder->new, recording, in_new);
    recording->is_new = false;
}

/* Queues what is held. */
static void flush(struct recording *recording, unsigned marks)
{
    struct exchange_piece *part = part_of(recording);

    introduce(recording);
    release(recording);
    part->marks |= marks;
    for (int i = 0; i < 2; i++) {
        struct side *side = &recording->sides[i];
        move_bytes(side, &part->bodies[i], side->is_ended || (marks & PIECE_LAST) != 0);
    }
    add_facts(part, recording);
    piece_weigh(part);
    recording->part = NULL;
    queue_piece(recording->recorder, &part->base);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

static void add_place(struct exchange_piece *piece, const struct tap_exchange *x, struct span path)
{
    piece->scheme = piece_add_text(piece, span_of(x->scheme));
    piece->host = piece_add_text(piece, span_of(x->host));
    piece->path = piece_add_text(piece, path);
    piece->port = x->port;
}

/* Cookies of an exchange that the filter left out travel alone. */
static void queue_cookies(struct recording *recording, struct exchange_piece *piece, struct span path)
{
    if (piece->cookie_count == 0) {
        piece_free(&piece->base);
        return;
    }
    add_place(piece, recording->exchange, path);
    piece_weigh(piece);
    queue_piece(recording->recorder, &piece->base);
}

/* --- messages ------------------------------------------------------------------------------------------ */

static uint64_t payload_limit(const struct recording *recording)
{
    const struct recorder_shared *shared = recording->recorder->shared;

    return shared->no_bodies ? 0 : shared->max_body != 0 ? shared->max_body : UINT64_MAX;
}

static void on_message(void *self, const struct message *message, enum http_role direction, uint32_t n)
{
    struct recording *recording = self;
    struct exchange_piece *part = part_of(recording);
    uint64_t limit = payload_limit(recording);

    recording->last_message = n;
    piece_add_message(part, message, direction, n, clock_wall_us(),
                      limit < SIZE_MAX ? (size_t)limit : SIZE_MAX);
    if (part->message_count >= PIECE_MESSAGES || part->text.len >= PIECE_MESSAGE_BYTES)
        flush(recording, 0);
    else
        hold(recording);
}

static void find_messages(struct recording *recording, const struct http_head *response)
{
    recording->splitter =
        splitter_at_response(recording->splitter, response, payload_limit(recording), on_message, recording);
    if (recording->splitter != NULL && splitter_is_upgrade(recording->splitter))
        recording->sides[HTTP_REQUEST].limit = recording->sides[HTTP_RESPONSE].limit = 0;
}

/* --- the request --------------------------------------------------------------------------------------- */

static void expect_body(struct recording *recording, enum http_role role, const struct http_head *head)
{
    const struct recorder_shared *shared = recording->recorder->shared;
    struct side *side = &recording->sides[role];

    side->limit = shared->max_body != 0 ? shared->max_body : UINT64_MAX;
    if (shared->no_bodies || (shared->skip_media && heads_are_media(&head->headers)))
        side->limit = 0;
    side->length = head->framing.kind == BODY_LENGTH ? head->framing.length : 0;
}

static void add_request(struct recording *recording, const struct http_head *head, struct span path,
                        struct span query)
{
    struct exchange_piece *piece = part_of(recording);
    const struct tap_exchange *x = recording->exchange;

    piece->marks = PIECE_REQUEST | (recording->is_undecided ? 0 : PIECE_TAKEN);
    piece->started_us = x->started_us;
    piece->client_addr = piece_add_text(piece, span_of(x->client_addr));
    piece->client_tls = x->client_tls != NULL ? tap_tls_ref(x->client_tls) : NULL;
    add_place(piece, x, path);
    piece->query = piece_add_text(piece, query);
    if (head->protocol.len != 0)
        piece->protocol = piece_add_text(piece, head->protocol);
    piece->method = piece_add_text(piece, head->method);
    piece->request_version = (int)head->version;
    piece->request_headers = piece_add_headers(piece, &head->headers);
    piece->request_type = piece_add_type(piece, &head->headers);
    piece_add_sent_cookies(piece, recording->exchange, &head->headers,
                           &recording->recorder->shared->seen_cookies);
    recording->is_new = true;
    TAILQ_INSERT_TAIL(&recording->recorder->new, recording, in_new);
    hold(recording);
}

static enum filter_answer ask_filter(struct recording *recording, const struct http_head *request,
                                     const struct http_head *response, bool is_done, bool has_failed)
{
    const struct filter *filter = recording->recorder->shared->filter;
    const struct filter_subject subject = {
        .exchange = recording->exchange,
        .request = request,
        .response = response,
        .trailers = { &recording->trailers[HTTP_REQUEST], &recording->trailers[HTTP_RESPONSE] },
        .is_done = is_done,
        .has_failed = has_failed,
        .request_bytes = recording->sides[HTTP_REQUEST].passed,
        .response_bytes = recording->sides[HTTP_RESPONSE].passed,
    };

    return filter != NULL ? filter_match(filter, &subject) : FILTER_YES;
}

static void begin_kept(struct recording *recording, const struct http_head *head, struct span path,
                       struct span query, bool is_undecided)
{
    struct recorder *recorder = recording->recorder;

    recording->mode = KEPT;
    recording->is_undecided = is_undecided;
    recording->entry = mem_new(struct entry);
    recording->entry->session = recording->session;
    uid_make(&recorder->uids, recording->exchange->started_us, recording->entry->uid);
    expect_body(recording, HTTP_REQUEST, head);
    if (is_undecided)
        recording->request = heads_copy(head);
    add_request(recording, head, path, query);
    recording->splitter = splitter_at_request(head, payload_limit(recording), on_message, recording);
}

static void begin(struct recording *recording, const struct http_head *head)
{
    struct span path, query;
    bool is_for_cookies = recording->recorder->shared->cookies_only;
    enum filter_answer answer = is_for_cookies ? FILTER_NO : ask_filter(recording, head, NULL, false, false);

    heads_path(head, &path, &query);
    recording->path = mem_spandup(path);
    if (answer == FILTER_NO) {
        struct exchange_piece *piece = piece_new(recording->session, NULL);
        recording->mode = COUNTED_WITH_COOKIES;
        if (!is_for_cookies)
            count(&recording->session->totals.filtered, 1);
        piece_add_sent_cookies(piece, recording->exchange, &head->headers,
                               &recording->recorder->shared->seen_cookies);
        queue_cookies(recording, piece, path);
    } else {
        begin_kept(recording, head, path, query, answer == FILTER_NOT_YET);
    }
}

static struct roster_session *session_of(struct recorder *recorder, const struct tap_exchange *exchange)
{
    struct roster *roster = recorder->shared->roster;
    struct roster_session *session = roster_find(roster, exchange);

    if (roster_tells_full(roster)) {
        struct event_piece *piece =
            piece_event(roster_at(roster, 0), clock_wall_us(), "too-many-sessions", exchange->client_addr,
                        NULL, "no more sessions of their own: who comes now is recorded into this one");
        queue_piece(recorder, &piece->base);
    }
    return session;
}

static void *on_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    struct recorder *recorder = self;
    struct recording *recording = mem_new(struct recording);
    struct http_head *nothing = NULL;

    recording->recorder = recorder;
    recording->exchange = exchange;
    recording->session = session_of(recorder, exchange);
    count(&recording->session->totals.seen, 1);
    if (atomic_load_explicit(&recorder->shared->is_paused, memory_order_relaxed))
        return recording;
    if (head == NULL)
        nothing = heads_none();
    begin(recording, head != NULL ? head : nothing);
    http_head_free(nothing);
    return recording;
}

/* --- what follows -------------------------------------------------------------------------------------- */

static void stop_deciding(struct recording *recording)
{
    recording->is_undecided = false;
    http_head_free(recording->request);
    http_head_free(recording->response);
    recording->request = recording->response = NULL;
    for (int i = 0; i < 2; i++)
        headers_clear(&recording->trailers[i]);
}

/* The filter's late no: the writer takes out what is there. */
static void give_up(struct recording *recording)
{
    count(&recording->session->totals.filtered, 1);
    stop_deciding(recording);
    splitter_free(recording->splitter);
    recording->splitter = NULL;
    flush(recording, PIECE_REFUSED | PIECE_LAST);
    recording->entry = NULL;
    recording->mode = COUNTED_WITH_COOKIES;
}

static void add_interim(struct recording *recording, const struct http_head *head)
{
    strbuf_add_char(&recording->interim, recording->interim.len == 0 ? '[' : ',');
    strbuf_printf(&recording->interim, "[%d,", head->status);
    fields_json_add(&recording->interim, &head->headers);
    strbuf_add_char(&recording->interim, ']');
    hold(recording);
}

static void add_response(struct recording *recording, const struct http_head *head)
{
    struct exchange_piece *part = part_of(recording);

    expect_body(recording, HTTP_RESPONSE, head);
    find_messages(recording, head);
    part->marks |= PIECE_RESPONSE;
    part->response_version = head->version;
    part->status = head->status;
    part->reason = piece_add_text(part, head->reason.ptr != NULL ? head->reason : SPAN(""));
    part->response_headers = piece_add_headers(part, &head->headers);
    part->response_type = piece_add_type(part, &head->headers);
    if (piece_sets_cookies(&head->headers)) {
        if ((part->marks & PIECE_REQUEST) == 0) /* which tells the place */
            add_place(part, recording->exchange, span_of(recording->path));
        piece_add_set_cookies(part, &head->headers);
    }
    hold(recording);
}

static void on_response(void *record, const struct http_head *head)
{
    struct recording *recording = record;
    enum filter_answer answer = FILTER_YES;

    if (http_is_interim(head)) {
        if (recording->mode == KEPT)
            add_interim(recording, head);
        return;
    }
    if (recording->mode == COUNTED_WITH_COOKIES && piece_sets_cookies(&head->headers)) {
        struct exchange_piece *piece = piece_new(recording->session, NULL);
        piece_add_set_cookies(piece, &head->headers);
        queue_cookies(recording, piece, span_of(recording->path));
    }
    if (recording->mode != KEPT)
        return;
    add_response(recording, head);
    if (!recording->is_undecided)
        return;
    answer = ask_filter(recording, recording->request, head, false, false);
    if (answer == FILTER_NO) {
        give_up(recording);
    } else if (answer == FILTER_YES) {
        stop_deciding(recording);
        part_of(recording)->marks |= PIECE_TAKEN;
    } else {
        http_head_free(recording->response);
        recording->response = heads_copy(head);
    }
}

static void make_room(struct side *side, size_t len)
{
    size_t left = STORE_PIECE_BYTES - side->offset % STORE_PIECE_BYTES; /* a piece holds no more */
    size_t need = side->len + len, cap = side->cap != 0 ? (size_t)side->cap * 2 : FIRST_ROOM_BYTES;

    if (need <= side->cap)
        return;
    if (side->cap == 0 && side->is_quick)
        cap = left;
    if (side->cap == 0 && side->length > side->offset)
        cap = side->length - side->offset < left ? (size_t)(side->length - side->offset) : left;
    cap = cap < need ? need : cap;
    side->cap = (uint32_t)(cap < left ? cap : left);
    side->bytes = mem_realloc(side->bytes, side->cap);
}

static void keep_bytes(struct recording *recording, struct side *side, struct span bytes)
{
    while (bytes.len != 0) {
        size_t left = STORE_PIECE_BYTES - (side->offset + side->len) % STORE_PIECE_BYTES;
        size_t take = bytes.len < left ? bytes.len : left;
        make_room(side, take);
        memcpy(side->bytes + side->len, bytes.ptr, take);
        side->len += (uint32_t)take;
        side->passed += take;
        bytes = span_from(bytes, take);
        if (take == left)
            flush(recording, 0);
        else
            hold(recording);
    }
}

/* Asked again once it is on the list: else room could come between the question and the entry. */
static enum tap_answer wait_for_room(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;

    if (!queue_is_over(recorder->shared->queue))
        return TAP_GO;
    if (!recording->is_waiting)
        LIST_INSERT_HEAD(&recorder->waiting, recording, waiting);
    recording->is_waiting = true;
    atomic_store(&recorder->has_waiting, true);
    if (queue_is_over(recorder->shared->queue))
        return TAP_SLOWER;
    LIST_REMOVE(recording, waiting);
    recording->is_waiting = false;
    return TAP_GO;
}

static enum tap_answer on_body(void *record, enum http_role role, struct span bytes)
{
    struct recording *recording = record;
    struct side *side = &recording->sides[role];
    uint64_t room = side->passed < side->limit ? side->limit - side->passed : 0;
    size_t take = bytes.len < room ? bytes.len : (size_t)room;

    if (recording->mode != KEPT) {
        side->passed += bytes.len;
        return TAP_GO;
    }
    keep_bytes(recording, side, span_sub(bytes, 0, take));
    side->passed += bytes.len - take;
    if (recording->splitter != NULL)
        splitter_feed(recording->splitter, role, bytes);
    if (take < bytes.len)
        hold(recording); /* its size is told all the same */
    return wait_for_room(recording);
}

static enum tap_answer on_upgraded(void *record, enum http_role role, struct span bytes)
{
    struct recording *recording = record;

    if (recording->splitter == NULL)
        return TAP_GO;
    splitter_feed(recording->splitter, role, bytes);
    hold(recording); /* what has passed is told, also of a message that goes on */
    return wait_for_room(recording);
}

static void on_end(void *record, enum http_role role, const struct headers *trailers)
{
    struct recording *recording = record;

    recording->sides[role].is_ended = true;
    if (recording->mode != KEPT)
        return;
    if (recording->splitter != NULL)
        splitter_finish(recording->splitter, role);
    if (trailers != NULL && trailers->count != 0) {
        struct exchange_piece *part = part_of(recording);
        part->trailers[role] = piece_add_headers(part, trailers);
        if (recording->is_undecided)
            heads_copy_fields(trailers, &recording->trailers[role]);
    }
    hold(recording);
}

static void end_kept(struct recording *recording, enum tap_outcome outcome)
{
    struct exchange_piece *part;
    unsigned marks = PIECE_LAST;

    for (int i = 0; i < 2 && recording->splitter != NULL; i++)
        splitter_finish(recording->splitter, (enum http_role)i);
    part = part_of(recording);
    part->state = outcome == TAP_DONE ? RECORD_DONE : RECORD_ABORTED;
    if (recording->is_undecided) {
        enum filter_answer answer =
            ask_filter(recording, recording->request, recording->response, true, outcome == TAP_ABORTED);
        if (answer == FILTER_NO) {
            give_up(recording);
            return;
        }
        marks |= answer == FILTER_YES ? PIECE_TAKEN : PIECE_ASK;
    }
    flush(recording, marks);
}

static void on_done(void *record, enum tap_outcome outcome)
{
    struct recording *recording = record;

    if (outcome == TAP_ABORTED)
        count(&recording->session->totals.errors, 1);
    for (int i = 0; i < 2; i++)
        count(&recording->session->totals.bytes[i], recording->sides[i].passed);
    if (recording->mode == KEPT)
        end_kept(recording, outcome);
    stop_deciding(recording);
    if (recording->is_waiting)
        LIST_REMOVE(recording, waiting);
    release(recording);
    for (int i = 0; i < 2; i++)
        mem_free(recording->sides[i].bytes);
    splitter_free(recording->splitter);
    strbuf_clear(&recording->interim);
    mem_free(recording->path);
    mem_free(recording);
}

static void on_notice(void *self, const struct tap_notice *notice)
{
    struct recorder *recorder = self;
    struct event_piece *piece =
        piece_event(roster_find_notice(recorder->shared->roster, notice), notice->time_us, notice->kind,
                    notice->client_addr, notice->host, notice->text);

    queue_piece(recorder, &piece->base);
}

const struct tap_listener recorder_listener = { on_request, on_response, on_body,    on_end,
                                                on_done,    on_notice,   on_upgraded };

/* --- the worker's loop --------------------------------------------------------------------------------- */

void recorder_tick(struct recorder *recorder)
{
    uint64_t now_us = clock_mono_us();
    struct recording *longest;

    while ((longest = TAILQ_FIRST(&recorder->held)) != NULL && now_us >= longest->held_us + HOLD_US)
        flush(longest, 0);
}

void recorder_resume(struct recorder *recorder)
{
    struct recordings waiting = recorder->waiting;

    /* Whoever must wait again comes onto the new list. */
    atomic_store(&recorder->has_waiting, false);
    LIST_INIT(&recorder->waiting);
    if (LIST_FIRST(&waiting) != NULL)
        LIST_FIRST(&waiting)->waiting.le_prev = &LIST_FIRST(&waiting);
    while (LIST_FIRST(&waiting) != NULL) {
        struct recording *recording = LIST_FIRST(&waiting);
        LIST_REMOVE(recording, waiting);
        recording->is_waiting = false;
        recording->exchange->resume(recording->exchange);
    }
}
