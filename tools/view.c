/* The rings have one producer (a worker) and one consumer (the main thread), so head and tail are all the
 * synchronisation there is. To wake the consumer costs a system call; a producer makes it only when the
 * consumer has said that it is about to sleep. That pair (producer: publish, then look whether it sleeps;
 * consumer: say so, then look whether there is something) needs sequential consistency on both sides. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture/heads.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tools/style.h"
#include "tools/text.h"
#include "tools/view.h"

/* Lines that a worker may be ahead of the terminal: a tenth of a second of a busy one. */
#define RING_LINES 256
/* Longer URLs are cut: nobody reads them on a line. */
#define URL_BYTES 320
/* A pipe that polls writable takes so much without blocking (PIPE_BUF), a terminal at least tries. */
#define WRITE_BYTES 4096
/* Formatted at most this far ahead of the reader. */
#define PENDING_BYTES (64 * 1024)
/* Log lines and notices that may wait. */
#define MAX_NOTES 256

enum line_kind { LINE_EXCHANGE, LINE_NOTICE };

struct view_line {
    enum line_kind kind;
    uint64_t wall_us, duration_us;
    uint64_t bytes; /* of the response's body */
    int status;     /* 0: none */
    bool is_tunnel;
    bool is_aborted;
    bool is_sealed;
    char method[24];
    char url[URL_BYTES]; /* or the notice */
    char why[96];        /* "" none */
};

/* An exchange under way. */
struct view_exchange {
    struct view_worker *worker;
    struct tap_exchange *exchange;
    struct http_head *request, *response; /* copies, only with a filter */
    struct headers trailers[2];           /* the same */
    uint64_t request_bytes;
    struct view_line line;
    struct view_exchange *next; /* in the worker's list of unused ones */
};

struct view_worker {
    struct view *view;
    struct view_worker *next;
    struct view_exchange *unused;
    atomic_uint head; /* the consumer's: next to take */
    atomic_uint tail; /* the producer's: next to fill */
    atomic_uint_least64_t exchanges, errors, bytes, dropped;
    struct view_line ring[RING_LINES];
};

struct view {
    struct view_options options;
    _Atomic(struct view_worker *) workers;
    atomic_bool is_waiting; /* the consumer sleeps, or is about to */
    atomic_bool is_paused;
    int wake_fd;

    pthread_mutex_t notes_lock; /* held to move a pointer, never while writing */
    char *notes[MAX_NOTES];
    size_t note_count;

    bool is_broken; /* the reader is gone */
    bool is_status_shown;
    uint64_t started_us; /* monotonic */
    struct strbuf pending;
    struct strbuf status, next_status;
};

/* --- workers ------------------------------------------------------------------------------------------- */

static void wake(struct view *view)
{
    uint64_t one = 1;

    if (atomic_load(&view->is_waiting) && atomic_exchange(&view->is_waiting, false)) {
        /* Only a full counter could fail, and that is readable already. */
        ssize_t ignored = write(view->wake_fd, &one, sizeof one);
        (void)ignored;
    }
}

static void push(struct view_worker *worker, const struct view_line *line)
{
    unsigned tail = atomic_load_explicit(&worker->tail, memory_order_relaxed);

    if (tail - atomic_load_explicit(&worker->head, memory_order_acquire) == RING_LINES) {
        atomic_fetch_add_explicit(&worker->dropped, 1, memory_order_relaxed);
        return;
    }
    worker->ring[tail % RING_LINES] = *line;
    atomic_store(&worker->tail, tail + 1);
    wake(worker->view);
}

static void copy_text(char *to, size_t size, struct span from)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;

    if (len != 0)
        memcpy(to, from.ptr, len);
    to[len] = '\0';
}

static struct span keep(char **at, struct span text)
{
    struct span kept = span_make(*at, text.len);

    if (text.ptr == NULL)
        return SPAN_NONE;
    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

/* A filter may ask for any part of a head at the end of the exchange, when heads are gone. */
static struct http_head *copy_head(const struct http_head *head)
{
    struct http_head *copy = http_head_new(head->role);
    struct err ignored; /* the limits of the original held already */
    char *at;

    copy->version = head->version;
    copy->status = head->status;
    copy->wire_bytes = head->wire_bytes;
    copy->framing = head->framing;
    mem_free(copy->start_line);
    copy->start_line = mem_alloc(head->method.len + head->target.len + head->scheme.len +
                                 head->authority.len + head->reason.len + 1);
    at = copy->start_line;
    copy->method = keep(&at, head->method);
    copy->target = keep(&at, head->target);
    copy->scheme = keep(&at, head->scheme);
    copy->authority = keep(&at, head->authority);
    copy->reason = keep(&at, head->reason);
    *at = '\0';
    for (size_t i = 0; i < head->headers.count; i++)
        headers_add(&copy->headers, headers_name(&head->headers, i), headers_value(&head->headers, i),
                    &ignored);
    return copy;
}

static enum filter_answer ask_filter(const struct view_exchange *x, const struct http_head *request,
                                     bool is_done)
{
    struct filter_subject subject = {
        .exchange = x->exchange,
        .request = request,
        .response = x->response,
        .trailers = { &x->trailers[HTTP_REQUEST], &x->trailers[HTTP_RESPONSE] },
        .is_done = is_done,
        .has_failed = x->line.is_aborted,
        .request_bytes = x->request_bytes,
        .response_bytes = x->line.bytes,
    };
    struct filter *filter = x->worker->view->options.filter;

    return filter != NULL && request != NULL ? filter_match(filter, &subject) : FILTER_YES;
}

static void give_back(struct view_exchange *x)
{
    http_head_free(x->request);
    http_head_free(x->response);
    x->request = NULL;
    x->response = NULL;
    for (int i = 0; i < 2; i++)
        headers_clear(&x->trailers[i]);
    x->next = x->worker->unused;
    x->worker->unused = x;
}

static struct view_exchange *take_unused(struct view_worker *worker)
{
    struct view_exchange *x = worker->unused;

    if (x != NULL)
        worker->unused = x->next;
    else
        x = mem_new(struct view_exchange);
    x->worker = worker;
    return x;
}

/* The URL as it is recorded: the exchange's scheme and host, and the path that the client sent. */
static void note_url(struct view_line *line, const struct tap_exchange *exchange,
                     const struct http_head *head)
{
    struct strbuf url;
    struct span target = SPAN_NONE;

    strbuf_init(&url, URL_BYTES - 1);
    strbuf_add_str(&url, exchange->scheme);
    strbuf_add_str(&url, "://");
    url_add_authority(&url, span_of(exchange->scheme), exchange->host, exchange->port);
    if (head != NULL && !line->is_tunnel) {
        target = head->target;
        if (target.len != 0 && target.ptr[0] != '/') {
            const char *slashes = memmem(target.ptr, target.len, "://", 3);
            struct span rest =
                slashes != NULL ? span_from(target, (size_t)(slashes + 3 - target.ptr)) : target;
            size_t path = span_find(rest, '/'), query = span_find(rest, '?');
            target = slashes != NULL ? span_from(rest, path < query ? path : query) : target;
        }
    }
    copy_text(line->url, sizeof line->url, strbuf_span(&url));
    if (url.len < sizeof line->url - 1)
        copy_text(line->url + url.len, sizeof line->url - url.len, target);
    strbuf_clear(&url);
}

static void *on_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    struct view_worker *worker = self;
    struct view_exchange *x;

    if (atomic_load_explicit(&worker->view->is_paused, memory_order_relaxed))
        return NULL;
    x = take_unused(worker);
    x->exchange = exchange;
    x->request_bytes = 0;
    x->line.kind = LINE_EXCHANGE;
    x->line.wall_us = exchange->started_us;
    x->line.duration_us = 0;
    x->line.bytes = 0;
    x->line.status = 0;
    x->line.is_aborted = false;
    x->line.why[0] = '\0';
    x->line.is_tunnel = head == NULL || heads_ask_for_tunnel(head);
    if (ask_filter(x, head, false) == FILTER_NO) {
        give_back(x);
        return NULL;
    }
    if (worker->view->options.filter != NULL && head != NULL)
        x->request = copy_head(head);
    copy_text(x->line.method, sizeof x->line.method, head != NULL ? head->method : SPAN("TUNNEL"));
    note_url(&x->line, exchange, head);
    return x;
}

static void on_response(void *record, const struct http_head *head)
{
    struct view_exchange *x = record;

    if (http_is_interim(head))
        return;
    x->line.status = head->status;
    if (x->request != NULL && x->response == NULL)
        x->response = copy_head(head);
}

static enum tap_answer on_body(void *record, enum http_role side, struct span bytes)
{
    struct view_exchange *x = record;

    if (side == HTTP_RESPONSE)
        x->line.bytes += bytes.len;
    else
        x->request_bytes += bytes.len;
    return TAP_GO;
}

static void on_end(void *record, enum http_role side, const struct headers *trailers)
{
    struct view_exchange *x = record;

    if (x->request != NULL && trailers != NULL)
        heads_copy_fields(trailers, &x->trailers[side]);
}

static void on_done(void *record, enum tap_outcome outcome)
{
    struct view_exchange *x = record;
    const struct tap_exchange *exchange = x->exchange;
    struct view_worker *worker = x->worker;
    int64_t done = exchange->times[TAP_T_DONE];

    x->line.is_aborted = outcome == TAP_ABORTED;
    x->line.is_sealed = (exchange->flags & TAP_SEALED) != 0;
    if (ask_filter(x, x->request, true) == FILTER_NO) {
        give_back(x);
        return;
    }
    if (done != TAP_NEVER && done > 0)
        x->line.duration_us = (uint64_t)done;
    x->line.bytes += exchange->tunnel_received_bytes;
    copy_text(x->line.why, sizeof x->line.why, span_of(exchange->error));
    atomic_fetch_add_explicit(&worker->exchanges, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->errors, outcome == TAP_ABORTED ? 1 : 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->bytes, x->line.bytes + x->request_bytes + exchange->tunnel_sent_bytes,
                              memory_order_relaxed);
    push(worker, &x->line);
    give_back(x);
}

static void on_notice(void *self, const struct tap_notice *notice)
{
    struct view_line line = { .kind = LINE_NOTICE, .wall_us = notice->time_us };

    copy_text(line.url, sizeof line.url, span_of(notice->text));
    push(self, &line);
}

const struct tap_listener view_listener = {
    .on_request = on_request,
    .on_response = on_response,
    .on_body = on_body,
    .on_end = on_end,
    .on_done = on_done,
    .on_notice = on_notice,
};

struct view_worker *view_add_worker(struct view *view)
{
    struct view_worker *worker = mem_new(struct view_worker);

    worker->view = view;
    worker->next = atomic_load(&view->workers);
    while (!atomic_compare_exchange_weak(&view->workers, &worker->next, worker))
        continue;
    return worker;
}

/* --- notes --------------------------------------------------------------------------------------------- */

static void add_note(struct view *view, const char *text)
{
    char *note = mem_strdup(text);

    pthread_mutex_lock(&view->notes_lock);
    if (view->note_count < MAX_NOTES) {
        view->notes[view->note_count++] = note;
        note = NULL;
    }
    pthread_mutex_unlock(&view->notes_lock);
    mem_free(note);
    wake(view);
}

void view_note_log(void *self, enum log_level level, const char *line)
{
    (void)level; /* the line says it */
    add_note(self, line);
}

void view_say(struct view *view, const char *text)
{
    add_note(view, text);
}

void view_set_paused(struct view *view, bool is_paused)
{
    atomic_store(&view->is_paused, is_paused);
    add_note(view,
             is_paused ? "paused: exchanges pass and are not recorded (SIGUSR2 resumes)" : "recording again");
}

static bool take_notes(struct view *view)
{
    char *notes[MAX_NOTES];
    size_t count;

    pthread_mutex_lock(&view->notes_lock);
    count = view->note_count;
    memcpy(notes, view->notes, count * sizeof notes[0]);
    view->note_count = 0;
    pthread_mutex_unlock(&view->notes_lock);
    for (size_t i = 0; i < count; i++) {
        text_add_shown(&view->pending, span_of(notes[i]));
        strbuf_add_char(&view->pending, '\n');
        mem_free(notes[i]);
    }
    return count != 0;
}

/* --- lines --------------------------------------------------------------------------------------------- */

static void add_blanks(struct strbuf *out, size_t count)
{
    while (count-- != 0)
        strbuf_add_char(out, ' ');
}

static void add_padded(struct strbuf *out, struct span text, size_t width, bool is_right)
{
    size_t have = text_width(text);
    size_t padding = have < width ? width - have : 0;

    add_blanks(out, is_right ? padding : 0);
    strbuf_add(out, text);
    add_blanks(out, is_right ? 0 : padding);
}

static void format_exchange(const struct view *view, const struct view_line *line, struct strbuf *out)
{
    bool has_colour = view->options.has_colour;
    struct strbuf cell = STRBUF_EMPTY;

    style_begin(out, has_colour, STYLE_DIM);
    text_add_clock(out, line->wall_us);
    style_end(out, has_colour, STYLE_DIM);
    strbuf_add_char(out, ' ');

    text_add_shown(&cell, span_of(line->method));
    add_padded(out, strbuf_span(&cell), 7, false);
    strbuf_add_char(out, ' ');

    style_begin(out, has_colour, style_of_status(line->status));
    if (line->status != 0) {
        strbuf_add_u64(out, (unsigned)line->status);
        strbuf_add_char(out, ' ');
    } else {
        strbuf_add_str(out, "  - ");
    }
    style_end(out, has_colour, style_of_status(line->status));

    strbuf_reset(&cell);
    text_add_size(&cell, line->bytes);
    add_padded(out, strbuf_span(&cell), 5, true);
    strbuf_add_char(out, ' ');

    strbuf_reset(&cell);
    text_add_duration(&cell, line->duration_us);
    add_padded(out, strbuf_span(&cell), 6, true);
    strbuf_add_str(out, "  ");

    text_add_shown(out, span_of(line->url));
    if (line->is_sealed) {
        style_begin(out, has_colour, STYLE_YELLOW);
        strbuf_add_str(out, "  sealed");
        style_end(out, has_colour, STYLE_YELLOW);
    }
    if (line->is_aborted || line->why[0] != '\0') {
        style_begin(out, has_colour, STYLE_RED);
        strbuf_add_str(out, line->is_aborted ? "  aborted" : "  error");
        if (line->why[0] != '\0') {
            strbuf_add_str(out, ": ");
            text_add_shown(out, span_of(line->why));
        }
        style_end(out, has_colour, STYLE_RED);
    }
    strbuf_add_char(out, '\n');
    strbuf_clear(&cell);
}

static void format_notice(const struct view *view, const struct view_line *line, struct strbuf *out)
{
    style_begin(out, view->options.has_colour, STYLE_YELLOW);
    strbuf_add_str(out, "note: ");
    text_add_shown(out, span_of(line->url));
    style_end(out, view->options.has_colour, STYLE_YELLOW);
    strbuf_add_char(out, '\n');
}

static bool take_lines(struct view *view, struct view_worker *worker)
{
    unsigned head = atomic_load_explicit(&worker->head, memory_order_relaxed);
    bool any = false;

    while (head != atomic_load(&worker->tail) && view->pending.len < PENDING_BYTES) {
        const struct view_line *line = &worker->ring[head % RING_LINES];
        if (line->kind == LINE_NOTICE)
            format_notice(view, line, &view->pending);
        else
            format_exchange(view, line, &view->pending);
        atomic_store_explicit(&worker->head, ++head, memory_order_release);
        any = true;
    }
    return any;
}

static void make_status(struct view *view, uint64_t open_clients)
{
    uint64_t exchanges = 0, errors = 0, bytes = 0, dropped = 0;
    uint64_t seconds = (clock_mono_us() - view->started_us) / 1000000;
    struct strbuf *out = &view->next_status;

    for (struct view_worker *w = atomic_load(&view->workers); w != NULL; w = w->next) {
        exchanges += atomic_load_explicit(&w->exchanges, memory_order_relaxed);
        errors += atomic_load_explicit(&w->errors, memory_order_relaxed);
        bytes += atomic_load_explicit(&w->bytes, memory_order_relaxed);
        dropped += atomic_load_explicit(&w->dropped, memory_order_relaxed);
    }
    strbuf_reset(out);
    strbuf_add_str(out, atomic_load(&view->is_paused) ? "paused" : "recording");
    strbuf_add_str(out, "  ");
    text_add_count(out, exchanges, "exchange", "exchanges");
    strbuf_add_str(out, "  ");
    text_add_size(out, bytes);
    strbuf_add_str(out, "  ");
    text_add_count(out, open_clients, "client", "clients");
    if (errors != 0) {
        strbuf_add_str(out, "  ");
        text_add_count(out, errors, "aborted", "aborted");
    }
    if (dropped != 0) {
        strbuf_add_str(out, "  ");
        text_add_count(out, dropped, "line not shown", "lines not shown");
    }
    strbuf_printf(out, "  %u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

/* Cut to the terminal: a status of two lines could not be replaced by "\r". */
static void add_status(struct view *view)
{
    struct winsize size;
    size_t columns =
        ioctl(view->options.fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;

    style_begin(&view->pending, view->options.has_colour, STYLE_DIM);
    strbuf_add(&view->pending, text_cut(strbuf_span(&view->next_status), columns));
    style_end(&view->pending, view->options.has_colour, STYLE_DIM);
    view->is_status_shown = true;
}

/* --- writing ------------------------------------------------------------------------------------------- */

/* Writes what can be written now; true when nothing is left. A blocking write could hold the main thread, and
 * with it the end of the capture, for as long as nobody reads. */
static bool flush_pending(struct view *view, int patience_ms)
{
    struct strbuf *pending = &view->pending;

    while (pending->len != 0 && !view->is_broken) {
        struct pollfd pfd = { .fd = view->options.fd, .events = POLLOUT };
        ssize_t written;

        if (poll(&pfd, 1, patience_ms) <= 0)
            return false;
        written =
            write(view->options.fd, pending->ptr, pending->len < WRITE_BYTES ? pending->len : WRITE_BYTES);
        if (written > 0)
            strbuf_drop_front(pending, (size_t)written);
        else if (errno != EINTR && errno != EAGAIN)
            view->is_broken = true;
        else if (errno == EAGAIN && patience_ms == 0)
            return false;
    }
    if (view->is_broken)
        strbuf_reset(pending);
    return true;
}

static void collect(struct view *view, bool has_status, uint64_t open_clients)
{
    struct strbuf *pending = &view->pending;
    size_t clear_len = 0;
    bool any = false;

    if (view->is_status_shown) {
        strbuf_add_str(pending, "\r\x1b[K");
        clear_len = pending->len;
    }
    any |= take_notes(view);
    for (struct view_worker *w = atomic_load(&view->workers); w != NULL; w = w->next)
        any |= take_lines(view, w);
    if (!has_status) {
        view->is_status_shown = false;
        return;
    }
    make_status(view, open_clients);
    if (!any && view->is_status_shown &&
        span_eq(strbuf_span(&view->status), strbuf_span(&view->next_status))) {
        strbuf_drop_front(pending, clear_len);
        return;
    }
    strbuf_reset(&view->status);
    strbuf_add(&view->status, strbuf_span(&view->next_status));
    add_status(view);
}

static bool has_something(struct view *view)
{
    bool any;

    pthread_mutex_lock(&view->notes_lock);
    any = view->note_count != 0;
    pthread_mutex_unlock(&view->notes_lock);
    for (struct view_worker *w = atomic_load(&view->workers); w != NULL && !any; w = w->next)
        any = atomic_load_explicit(&w->head, memory_order_relaxed) != atomic_load(&w->tail);
    return any;
}

bool view_wait(struct view *view)
{
    atomic_store(&view->is_waiting, true);
    return has_something(view);
}

int view_fd(const struct view *view)
{
    return view->wake_fd;
}

void view_show(struct view *view, uint64_t open_clients)
{
    uint64_t count;
    ssize_t ignored = read(view->wake_fd, &count, sizeof count); /* empties it; it may be empty */

    (void)ignored;
    if (!flush_pending(view, 0))
        return;
    collect(view, view->options.has_status, open_clients);
    flush_pending(view, 0);
}

void view_finish(struct view *view, int patience_ms)
{
    do {
        if (!flush_pending(view, patience_ms))
            return;
        collect(view, false, 0);
    } while (view->pending.len != 0);
}

struct view *view_new(const struct view_options *options)
{
    struct view *view = mem_new(struct view);

    view->options = *options;
    if (options->filter != NULL)
        filter_ref(options->filter);
    view->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    view->started_us = clock_mono_us();
    pthread_mutex_init(&view->notes_lock, NULL);
    return view;
}

static void free_worker(struct view_worker *worker)
{
    struct view_exchange *x;

    while ((x = worker->unused) != NULL) {
        worker->unused = x->next;
        mem_free(x);
    }
    mem_free(worker);
}

void view_free(struct view *view)
{
    struct view_worker *worker;

    if (view == NULL)
        return;
    while ((worker = atomic_load(&view->workers)) != NULL) {
        atomic_store(&view->workers, worker->next);
        free_worker(worker);
    }
    for (size_t i = 0; i < view->note_count; i++)
        mem_free(view->notes[i]);
    filter_unref(view->options.filter);
    close(view->wake_fd);
    pthread_mutex_destroy(&view->notes_lock);
    strbuf_clear(&view->pending);
    strbuf_clear(&view->status);
    strbuf_clear(&view->next_status);
    mem_free(view);
}
