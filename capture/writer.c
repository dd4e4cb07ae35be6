/* A batch is built in two steps, so that it can be tried again: collect() hangs each piece on its entry,
 * write_batch() writes the entries in one transaction. What an entry has in the store is changed in
 * entry->now while writing and becomes entry->committed, or is brought back from there. */
#include "capture/writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/entry_write.h"
#include "capture/piece.h"
#include "capture/pruning.h"
#include "capture/roster.h"
#include "capture/store/store_prune.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"

/* When a batch is written: small enough for its commit to take a millisecond, and for the write lock to be
 * held well under 100 ms. Of the 250 ms that may be lost the wait is a fifth: writing takes many times as
 * long where ten others want the processor, and a disk may stall. Twice the time would save 3 µs an exchange
 * at 500 a second, and nothing at 15,000. */
static const struct queue_linger LINGER = { 512, 4 * 1024 * 1024, 50000 };

/* On a core that others need as well, the kernel would let the writer have it for whole ticks of 4 ms and
 * more, and all requests would wait. So it rests between exchanges: less when the next batch is due, not at
 * all when this one is late. */
#define WORK_US       250
#define REST_US       600
#define SHORT_REST_US 250
#define LATE_US       80000

/* The queue holds what the store takes in this time, if that is less than its own bound: age alone would let
 * a fast network put more into it within a moment than a slow disk takes in a second. Small batches say
 * nothing of the disk's speed, and below the least bound a batch would be cut short. */
#define QUEUE_DRAIN_US    100000
#define RATED_BATCH_BYTES ((size_t)1024 * 1024)
#define LEAST_QUEUE_BYTES ((size_t)2 * 1024 * 1024)
#define FIRST_QUEUE_BYTES ((size_t)16 * 1024 * 1024)

/* Counters without pieces (everything filtered or paused) are written this often. */
#define IDLE_US 1000000

/* A store that fails may only be busy or have its disk made room on. */
#define PATIENCE_US 2000000
#define RETRY_US    50000
/* Once pieces are dropped: how often the store is tried again. */
#define PROBE_US 500000

TAILQ_HEAD(entries, entry);

struct writer {
    struct store *store;
    struct recorder_shared *shared;
    struct roster *roster; /* shared's */
    unsigned started;      /* so many of its sessions are in the store */
    pthread_t thread;

    struct entries all;   /* those whose last piece has not been written */
    struct entries batch; /* those with something to write */
    struct queue_item *items;
    size_t queue_bytes;          /* its bound now */
    uint64_t rose_us, rested_us; /* when the last rest ended; all of them in this batch */
    unsigned news;               /* of what is to be written: enum capture_news */

    bool is_failing, is_dropping;
    uint64_t failing_since_us, retry_at_us;
    struct err failure;

    struct pruning pruning;
};

/* --- a batch ------------------------------------------------------------------------------------------- */

static void collect_piece(struct writer *writer, struct exchange_piece *piece)
{
    struct entry *entry = piece->entry;

    writer->news |= piece->cookie_count != 0 ? CAPTURE_NEW_COOKIES : 0;
    writer->news |= entry != NULL ? CAPTURE_NEW_EXCHANGES : 0;
    if (entry == NULL)
        return;
    if ((piece->marks & PIECE_REQUEST) != 0)
        TAILQ_INSERT_TAIL(&writer->all, entry, in_all);
    if (entry->first == NULL) {
        entry->first = piece;
        TAILQ_INSERT_TAIL(&writer->batch, entry, in_batch);
    } else {
        entry->last->next_of_entry = piece;
    }
    entry->last = piece;
    entry->is_over = (piece->marks & PIECE_LAST) != 0;
}

static size_t collect(struct writer *writer, struct queue_item *items)
{
    size_t bytes = 0;

    writer->items = items;
    for (struct queue_item *item = items; item != NULL; item = item->next) {
        struct piece *piece = (struct piece *)item;
        bytes += item->bytes;
        if (piece->kind == PIECE_EXCHANGE)
            collect_piece(writer, (struct exchange_piece *)piece);
    }
    return bytes;
}

static void time_text(uint64_t wall_us, char out_text[32])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm local;

    localtime_r(&seconds, &local);
    strftime(out_text, 32, "%Y-%m-%d %H:%M:%S", &local);
}

static void lost_text(const struct roster_lost *lost, char *out_text, size_t size)
{
    char from[32], to[32];

    time_text(lost->from_us, from);
    time_text(lost->to_us, to);
    snprintf(out_text, size, "%llu exchange%s from %s to %s", (unsigned long long)lost->exchanges,
             lost->exchanges == 1 ? "" : "s", from, to);
}

static bool write_mark(struct writer *writer, const struct roster_session *session, struct err *err)
{
    char text[128];
    struct event_row event = { .time_us = clock_wall_us(), .kind = SPAN("incomplete") };

    if (session->lost.exchanges == 0)
        return true;
    lost_text(&session->lost, text, sizeof text);
    event.text = span_of(text);
    return store_add_incomplete(writer->store, session->id, text, err) &&
           store_add_event(writer->store, session->id, &event, err);
}

static bool write_state(struct writer *writer, enum session_state state, struct err *err)
{
    for (unsigned i = 0; i < roster_count(writer->roster); i++) {
        const struct roster_session *session = roster_at(writer->roster, i);
        if (session->id != 0 && !store_set_state(writer->store, session->id, state, err))
            return false;
    }
    return true;
}

static bool write_event(struct writer *writer, const struct event_piece *piece, struct err *err)
{
    const struct event_row row = {
        .time_us = piece->time_us,
        .kind = span_of(piece->kind),
        .client_addr = span_of(piece->client_addr),
        .host = span_of(piece->host),
        .text = span_of(piece->text),
    };

    if (piece->sets_state && !write_state(writer, piece->state, err))
        return false;
    return store_add_event(writer->store, piece->base.session->id, &row, err);
}

/* Those that belong to no exchange. */
static bool write_loose(struct writer *writer, struct err *err)
{
    for (struct queue_item *item = writer->items; item != NULL; item = item->next) {
        const struct piece *piece = (const struct piece *)item;
        const struct exchange_piece *cookies = (const struct exchange_piece *)piece;
        if (piece->kind == PIECE_EVENT && !write_event(writer, (const struct event_piece *)piece, err))
            return false;
        if (piece->kind == PIECE_EXCHANGE && cookies->entry == NULL &&
            !entry_write_cookies(writer->store, cookies, err))
            return false;
    }
    return true;
}

static bool write_totals(struct writer *writer, const struct roster_session *session, struct err *err)
{
    struct store_totals sum = session->taken;

    sum.exchanges += session->written.exchanges;
    sum.filtered += session->written.filtered;
    if (session->number != 0 && store_totals_are_zero(&sum))
        return true; /* the main session's row tells with each batch that it is alive */
    return store_add_totals(writer->store, session->id, &sum, clock_wall_us(), err);
}

static void sleep_us(long us)
{
    nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL);
}

static bool may_rest(const struct writer *writer, uint64_t now_us)
{
    return now_us - writer->rose_us >= WORK_US && writer->items != NULL &&
           now_us < writer->items->offered_us + LATE_US;
}

static void rest(struct writer *writer)
{
    uint64_t now_us = clock_mono_us();

    if (!may_rest(writer, now_us))
        return;
    sleep_us(queue_has_enough(writer->shared->queue, &LINGER) ? SHORT_REST_US : REST_US);
    writer->rose_us = clock_mono_us();
    writer->rested_us += writer->rose_us - now_us;
}

static bool write_all(struct writer *writer, struct err *err)
{
    struct entry *entry;

    for (unsigned i = 0; i < roster_count(writer->roster); i++)
        roster_at(writer->roster, i)->written = (struct store_totals){ 0 };
    TAILQ_FOREACH (entry, &writer->batch, in_batch) {
        if (!entry_write(writer->store, writer->shared->filter, entry, err))
            return false;
        rest(writer);
    }
    if (!write_loose(writer, err))
        return false;
    for (unsigned i = 0; i < roster_count(writer->roster); i++) {
        const struct roster_session *session = roster_at(writer->roster, i);
        if (session->id != 0 && (!write_mark(writer, session, err) || !write_totals(writer, session, err)))
            return false;
    }
    return true;
}

/* Those that were seen for the first time. Each is a short batch of its own. */
static bool start_sessions(struct writer *writer, struct err *err)
{
    for (unsigned i = writer->started; i < roster_count(writer->roster); i++) {
        struct roster_session *session = roster_at(writer->roster, i);
        if (session->id == 0 && !roster_start(writer->roster, session, writer->store, err))
            return false;
        if (i != 0 && atomic_load(&writer->shared->is_paused) &&
            !store_set_state(writer->store, session->id, SESSION_PAUSED, err))
            return false;
        if (!pruning_begin(&writer->pruning, session, err))
            return false;
        writer->started = i + 1;
    }
    return true;
}

static void free_items(struct writer *writer)
{
    while (writer->items != NULL) {
        struct queue_item *next = writer->items->next;
        piece_free((struct piece *)writer->items);
        writer->items = next;
    }
}

static void forget_entry(struct writer *writer, struct entry *entry)
{
    TAILQ_REMOVE(&writer->all, entry, in_all);
    mem_free(entry);
}

/* The batch is in the store: everything that ended is forgotten. */
static void settle_batch(struct writer *writer)
{
    struct entry *entry;

    while ((entry = TAILQ_FIRST(&writer->batch)) != NULL) {
        TAILQ_REMOVE(&writer->batch, entry, in_batch);
        entry->committed = entry->now;
        entry->first = entry->last = NULL;
        if (entry->is_over && entry->now.is_in_store && entry->now.is_visible &&
            entry->session->pruner != NULL)
            store_pruner_note(entry->session->pruner, entry->seq);
        if (entry->is_over)
            forget_entry(writer, entry);
    }
    free_items(writer);
    for (unsigned i = 0; i < writer->started; i++) {
        struct roster_session *session = roster_at(writer->roster, i);
        session->taken = (struct store_totals){ 0 };
        session->lost.exchanges = 0;
    }
    if (writer->news != 0 && writer->shared->on_commit != NULL)
        writer->shared->on_commit(writer->shared->on_commit_self, writer->news);
    writer->news = 0;
}

static bool write_batch(struct writer *writer, struct err *err)
{
    struct entry *entry;

    if (start_sessions(writer, err) && store_begin(writer->store, err) && write_all(writer, err) &&
        store_commit(writer->store, err)) {
        settle_batch(writer);
        return true;
    }
    store_rollback(writer->store);
    TAILQ_FOREACH (entry, &writer->batch, in_batch)
        entry->now = entry->committed;
    return false;
}

/* Lets the batch go. Entries that ended and have a row stay in it, without pieces: the row is settled when
 * the store works again. */
static void drop_batch(struct writer *writer)
{
    struct entry *entry = TAILQ_FIRST(&writer->batch);

    while (entry != NULL) {
        struct entry *next = TAILQ_NEXT(entry, in_batch);
        if (!entry->is_lost) {
            struct roster_lost *lost = &entry->session->lost;
            lost->to_us = clock_wall_us();
            if (lost->exchanges == 0)
                lost->from_us = lost->to_us - (clock_mono_us() - writer->failing_since_us);
            lost->exchanges++;
        }
        entry->is_lost = true;
        entry->first = entry->last = NULL;
        if (!entry->is_over || !entry->now.is_in_store)
            TAILQ_REMOVE(&writer->batch, entry, in_batch);
        if (entry->is_over && !entry->now.is_in_store)
            forget_entry(writer, entry);
        entry = next;
    }
    free_items(writer);
}

/* --- when the store fails ------------------------------------------------------------------------------ */

static void note_failure(struct writer *writer, const struct err *err)
{
    writer->failure = *err;
    if (writer->is_failing)
        return;
    writer->is_failing = true;
    writer->failing_since_us = clock_mono_us();
    log_error("store", "what passes can't be recorded, the proxy goes on without", LOG_S("why", err->text));
}

static void note_success(struct writer *writer)
{
    if (writer->is_failing)
        log_warn("store", "recording works again", LOG_S("why_not_before", writer->failure.text));
    writer->is_failing = writer->is_dropping = false;
}

/* Writes the batch, or waits until it can be written, or drops it. */
static void deal(struct writer *writer)
{
    bool has_totals = roster_take_totals(writer->roster);
    struct err err;

    if (writer->items == NULL && TAILQ_EMPTY(&writer->batch) && !has_totals &&
        !roster_has_lost(writer->roster))
        return;
    if (writer->is_dropping && clock_mono_us() < writer->retry_at_us) {
        drop_batch(writer);
        return;
    }
    while (!write_batch(writer, &err)) {
        note_failure(writer, &err);
        if (clock_mono_us() - writer->failing_since_us >= PATIENCE_US) {
            writer->is_dropping = true;
            writer->retry_at_us = clock_mono_us() + PROBE_US;
            drop_batch(writer);
            return;
        }
        sleep_us(RETRY_US);
    }
    note_success(writer);
}

/* A quarter of the way to what the last batch says. */
static void bound_queue(struct writer *writer, size_t batch_bytes, uint64_t took_us)
{
    size_t most = writer->shared->max_queue_bytes,
           least = LEAST_QUEUE_BYTES < most ? LEAST_QUEUE_BYTES : most;
    uint64_t drained;

    if (batch_bytes < RATED_BATCH_BYTES)
        return;
    drained = (uint64_t)batch_bytes * QUEUE_DRAIN_US / (took_us != 0 ? took_us : 1);
    drained = drained < most ? drained : most;
    writer->queue_bytes = (writer->queue_bytes * 3 + (size_t)drained) / 4;
    writer->queue_bytes = writer->queue_bytes > least ? writer->queue_bytes : least;
    queue_set_max_bytes(writer->shared->queue, writer->queue_bytes);
}

/* --- the thread ---------------------------------------------------------------------------------------- */

static void *run(void *self)
{
    struct writer *writer = self;
    bool is_closed = false;
    struct err ignored; /* the first batch tries again */

    pthread_setname_np(pthread_self(), "weir-writer");
    (void)start_sessions(writer, &ignored);
    while (!is_closed) {
        struct queue_item *items = queue_take(writer->shared->queue, &LINGER,
                                              pruning_wait_us(&writer->pruning, IDLE_US), &is_closed);
        bool is_idle = items == NULL;
        size_t bytes = collect(writer, items);
        uint64_t started_us = writer->rose_us = clock_mono_us();
        writer->rested_us = 0;
        deal(writer);
        store_checkpoint(writer->store);
        bound_queue(writer, bytes, clock_mono_us() - started_us - writer->rested_us);
        queue_done(writer->shared->queue, bytes);
        if (!writer->is_failing)
            pruning_work(&writer->pruning, is_idle);
    }
    if (roster_has_lost(writer->roster) && !write_batch(writer, &writer->failure))
        drop_batch(writer);
    pruning_end(&writer->pruning, writer->is_failing);
    return NULL;
}

struct writer *writer_new(struct store *store, struct recorder_shared *shared)
{
    struct writer *writer = mem_new(struct writer);
    struct err ignored; /* then the writer moves the WAL itself */

    writer->store = store;
    (void)store_checkpoint_aside(store, &ignored);
    writer->shared = shared;
    writer->roster = shared->roster;
    pruning_init(&writer->pruning, store, shared->roster, &shared->keep);
    writer->queue_bytes =
        FIRST_QUEUE_BYTES < shared->max_queue_bytes ? FIRST_QUEUE_BYTES : shared->max_queue_bytes;
    queue_set_max_bytes(shared->queue, writer->queue_bytes);
    TAILQ_INIT(&writer->all);
    TAILQ_INIT(&writer->batch);
    if (pthread_create(&writer->thread, NULL, run, writer) != 0) {
        log_error("store", "no thread for the writer");
        abort();
    }
    return writer;
}

bool writer_end(struct writer *writer, char *out_lost, size_t lost_size, struct err *err)
{
    struct roster_lost lost;
    struct entry *entry;
    bool ok;

    queue_close(writer->shared->queue);
    pthread_join(writer->thread, NULL);
    out_lost[0] = '\0';
    lost = roster_lost(writer->roster);
    ok = lost.exchanges == 0 && !writer->is_failing;
    if (!ok) {
        lost_text(&lost, out_lost, lost_size);
        *err = writer->failure;
        err_add(err, "what passed is not all recorded");
    }
    while ((entry = TAILQ_FIRST(&writer->all)) != NULL)
        forget_entry(writer, entry);
    mem_free(writer);
    return ok;
}
