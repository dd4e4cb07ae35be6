#include "capture/capture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "capture/filter.h"
#include "capture/piece.h"
#include "capture/roster.h"
#include "capture/session.h"
#include "capture/store/store_write.h"
#include "capture/writer.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"

/* Memory that recording may take when the disk is slower than the network. */
#define QUEUE_BYTES ((size_t)64 * 1024 * 1024)

/* With what is held before and the batch after it, this keeps what kill -9 costs under 250 ms. */
#define QUEUE_AGE_US 150000

/* The end of a session is written when the writer has ended; a disk may fail just then. */
#define END_PATIENCE_US 2000000
#define END_RETRY_NS    50000000

struct capture {
    struct store *store;
    struct recorder_shared *shared;
    struct writer *writer;
    struct session_row session;
    pthread_mutex_t lock; /* of rooms, for as long as one takes a step */
    pthread_cond_t has_room;
    uint64_t rooms; /* how often the queue had room again */
};

static void wake_all(void *self)
{
    struct capture *capture = self;

    pthread_mutex_lock(&capture->lock);
    capture->rooms++;
    pthread_cond_broadcast(&capture->has_room);
    pthread_mutex_unlock(&capture->lock);
    recorder_shared_wake(capture->shared);
}

static struct roster *make_roster(const struct capture_options *options,
                                  const struct store_session_start *start, const struct session_row *main,
                                  uint32_t last_seq)
{
    static const enum roster_per per[] = {
        [CAPTURE_ONE] = ROSTER_ONE,
        [CAPTURE_PER_CLIENT] = ROSTER_PER_CLIENT,
        [CAPTURE_PER_USER] = ROSTER_PER_USER,
        [CAPTURE_PER_LISTENER] = ROSTER_PER_LISTENER,
    };
    const struct roster_options roster = {
        .per = per[options->per],
        .listeners = options->listeners,
        .listener_count = options->listener_count,
        .filter = start->filter,
        .options = start->options,
    };

    return roster_new(&roster, main, last_seq);
}

static struct recorder_shared *shared_new(struct capture *capture, const struct capture_options *options,
                                          struct roster *roster)
{
    struct recorder_shared *shared = mem_new(struct recorder_shared);

    recorder_shared_init(shared);
    shared->max_queue_bytes = QUEUE_BYTES;
    shared->queue = queue_new(QUEUE_BYTES, QUEUE_AGE_US);
    queue_on_room(shared->queue, wake_all, capture);
    shared->filter = options->filter != NULL ? filter_ref(options->filter) : NULL;
    shared->no_bodies = options->no_bodies;
    shared->max_body = options->max_body;
    shared->skip_media = options->skip_media;
    shared->cookies_only = options->cookies_only;
    shared->keep = options->keep;
    shared->on_commit = options->on_commit;
    shared->on_commit_self = options->on_commit_self;
    shared->roster = roster;
    return shared;
}

static void shared_free(struct recorder_shared *shared)
{
    queue_free(shared->queue);
    filter_unref(shared->filter);
    roster_free(shared->roster);
    recorder_shared_clear(shared);
    mem_free(shared);
}

static bool open_store(const char *path, bool durable, struct store **out_store, struct err *err)
{
    unsigned mended = 0;

    if (!store_open(path, STORE_WRITE, out_store, err))
        return false;
    if ((!durable || store_set_durable(*out_store, err)) && store_mend(*out_store, &mended, err)) {
        if (mended != 0)
            log_info("store", "sessions that were interrupted are mended", LOG_N("sessions", mended));
        return true;
    }
    store_close(*out_store);
    return false;
}

bool capture_start(const char *store_path, const struct capture_options *options,
                   struct capture **out_capture, struct err *err)
{
    const struct store_session_start start = {
        .name = options->session_name,
        .filter = options->filter != NULL ? filter_text(options->filter) : "",
        .options = options->options_json != NULL ? options->options_json : "{}",
    };
    struct capture *capture;
    struct store *store;
    uint32_t last_seq;

    if (options->session_name != NULL && !session_check_name(options->session_name, err))
        return false;
    if (!open_store(store_path, options->durable, &store, err))
        return false;
    capture = mem_new(struct capture);
    capture->store = store;
    if (!store_session_start(store, &start, &capture->session, &last_seq, err)) {
        store_close(store);
        mem_free(capture);
        return false;
    }
    pthread_mutex_init(&capture->lock, NULL);
    pthread_cond_init(&capture->has_room, NULL);
    capture->shared = shared_new(capture, options, make_roster(options, &start, &capture->session, last_seq));
    capture->writer = writer_new(store, capture->shared);
    *out_capture = capture;
    return true;
}

struct recorder *capture_recorder(struct capture *capture, void (*wake)(void *self), void *wake_self)
{
    return recorder_new(capture->shared, wake, wake_self);
}

struct recorder_shared *capture_shared(struct capture *capture)
{
    return capture->shared;
}

static uint64_t rooms_of(struct capture *capture)
{
    uint64_t rooms;

    pthread_mutex_lock(&capture->lock);
    rooms = capture->rooms;
    pthread_mutex_unlock(&capture->lock);
    return rooms;
}

void capture_push(struct capture *capture, struct piece *piece)
{
    /* Before the question: room that comes between it and the waiting is not missed. */
    uint64_t rooms = rooms_of(capture);
    bool is_over;

    if (!queue_push(capture->shared->queue, &piece->item, &is_over)) {
        piece_free(piece);
        return;
    }
    if (!is_over || !queue_is_over(capture->shared->queue))
        return;
    pthread_mutex_lock(&capture->lock);
    while (capture->rooms == rooms)
        pthread_cond_wait(&capture->has_room, &capture->lock);
    pthread_mutex_unlock(&capture->lock);
}

void capture_set_paused(struct capture *capture, bool is_paused)
{
    struct event_piece *piece;
    bool is_over;

    if (atomic_exchange(&capture->shared->is_paused, is_paused) == is_paused)
        return;
    piece =
        piece_event(roster_at(capture->shared->roster, 0), clock_wall_us(), is_paused ? "paused" : "resumed",
                    NULL, NULL, is_paused ? "nothing that begins now is recorded" : "recording goes on");
    piece->sets_state = true;
    piece->state = is_paused ? SESSION_PAUSED : SESSION_RECORDING;
    if (!queue_push(capture->shared->queue, &piece->base.item, &is_over))
        piece_free(&piece->base);
}

static void summarise(const struct session_row *row, struct capture_summary *out_summary)
{
    *out_summary = (struct capture_summary){
        .session = row->id,
        .started_us = row->started_us,
        .ended_us = row->ended_us,
        .exchanges = row->exchanges,
        .pruned = row->pruned,
        .seen = row->seen,
        .filtered = row->filtered,
        .errors = row->errors,
        .hosts = row->hosts,
        .request_bytes = row->request_bytes,
        .response_bytes = row->response_bytes,
    };
    snprintf(out_summary->name, sizeof out_summary->name, "%s", row->name);
    if (row->incomplete != NULL)
        snprintf(out_summary->incomplete, sizeof out_summary->incomplete, "%s", row->incomplete);
}

void capture_summary_clear(struct capture_summary *summary)
{
    mem_free(summary->others);
    summary->others = NULL;
    summary->other_count = 0;
}

/* A session as the store has it. */
static bool read_back(struct capture *capture, int64_t session, struct capture_summary *out_summary,
                      struct err *err)
{
    struct session_row row;
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)session);
    if (!store_find_session(capture->store, id, &row, err))
        return false;
    summarise(&row, out_summary);
    session_row_clear(&row);
    return true;
}

/* Ends one session; all are, whatever fails. err is that of the first that failed. Until until_us the store
 * is tried again. */
static bool end_session(struct capture *capture, const struct roster_session *session, uint64_t until_us,
                        struct capture_summary *out_summary, bool was_ok, struct err *err)
{
    struct err unused, *why = was_ok ? err : &unused;

    while (!store_session_end(capture->store, session->id, why) ||
           !read_back(capture, session->id, out_summary, why)) {
        if (clock_mono_us() >= until_us) {
            (void)read_back(capture, session->id, out_summary, &unused);
            return false;
        }
        nanosleep(&(struct timespec){ .tv_nsec = END_RETRY_NS }, NULL);
    }
    return true;
}

static bool end_sessions(struct capture *capture, struct capture_summary *out_summary, bool ok,
                         struct err *err)
{
    struct roster *roster = capture->shared->roster;
    unsigned count = roster_count(roster);
    struct capture_summary *others = mem_array(struct capture_summary, count);
    size_t other_count = 0;
    /* A store that has just refused a batch for as long is not waited for once more. */
    uint64_t until_us = ok ? clock_mono_us() + END_PATIENCE_US : 0;

    /* What is known without the store. */
    summarise(&capture->session, out_summary);
    out_summary->ended_us = clock_wall_us();
    ok = end_session(capture, roster_at(roster, 0), until_us, out_summary, ok, err) && ok;
    for (unsigned i = 1; i < count; i++) {
        if (roster_at(roster, i)->id == 0)
            continue; /* the store failed before it could begin */
        ok = end_session(capture, roster_at(roster, i), until_us, &others[other_count], ok, err) && ok;
        other_count += others[other_count].name[0] != '\0';
    }
    out_summary->others = others;
    out_summary->other_count = other_count;
    if (other_count == 0)
        capture_summary_clear(out_summary);
    return ok;
}

bool capture_end(struct capture *capture, struct capture_summary *out_summary, struct err *err)
{
    char lost[128];
    bool is_whole = writer_end(capture->writer, lost, sizeof lost, err);
    bool ok = end_sessions(capture, out_summary, is_whole, err);

    if (!is_whole)
        snprintf(out_summary->incomplete, sizeof out_summary->incomplete, "%s", lost);
    shared_free(capture->shared);
    store_close(capture->store);
    session_row_clear(&capture->session);
    pthread_cond_destroy(&capture->has_room);
    pthread_mutex_destroy(&capture->lock);
    mem_free(capture);
    return ok;
}

int64_t capture_session(const struct capture *capture)
{
    return capture->session.id;
}

const char *capture_session_name(const struct capture *capture)
{
    return capture->session.name;
}
