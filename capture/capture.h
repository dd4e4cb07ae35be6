/* capture: a session being recorded: its store, the queue, the writer's thread, and a recorder for each
 * worker.
 *
 *     capture_start -> capture_recorder for each worker -> traffic -> recorder_free for each -> capture_end
 *
 * Threads: start, recorder and end belong to one thread (that of the command); what else says so. */
#ifndef WEIR_CAPTURE_CAPTURE_H
#define WEIR_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/keep.h"
#include "capture/recorder.h"
#include "capture/session.h"
#include "proxy/base/err.h"

struct capture;
struct filter;
struct piece;

/* What there is one session of. */
enum capture_per { CAPTURE_ONE, CAPTURE_PER_CLIENT, CAPTURE_PER_USER, CAPTURE_PER_LISTENER };

struct capture_options {
    const char *session_name; /* NULL: made from the date and time; that of an ended session continues it */
    struct filter *filter;    /* referenced; NULL takes everything */
    bool no_bodies;           /* headers, sizes and timings are always kept */
    uint64_t max_body;        /* bytes kept of a body, and of a message; 0: all */
    bool skip_media;          /* keep no bodies of images, audio, video and fonts */
    bool durable;             /* each batch reaches the disk */
    bool cookies_only;        /* nothing of an exchange is kept but its cookies; it is counted */
    struct keep keep;         /* of each session, while it is recorded and at its end: store_prune.h */
    /* Told of each batch that is in the store: news is a set of enum capture_news. On the writer's thread,
     * until the end of capture_end; must not wait. NULL: nobody wants to know. */
    void (*on_commit)(void *self, unsigned news);
    void *on_commit_self;
    /* With another than CAPTURE_ONE: besides the session there is one for each client address, user (or
     * "anonymous") or listener that is seen, called "NAME - WHO", at most ROSTER_SESSIONS. The session itself
     * takes what belongs to none of them, and whoever comes when there are so many. */
    enum capture_per per;
    const char *const *listeners; /* what they are called, by tap_exchange.listener; NULL: by number */
    size_t listener_count;
    const char *options_json; /* shown with the session; NULL: {} */
};

/* Mends what an earlier weir left when it was killed, starts (or continues) the session and the writer.
 * ERR_USAGE: not a name for a session; ERR_FOUND: it is being recorded; ERR_STORE, ERR_SYS: the store. */
bool capture_start(const char *store_path, const struct capture_options *options,
                   struct capture **out_capture, struct err *err);

/* A recorder for one worker: the self of recorder_listener. wake(wake_self) is called on the writer's thread
 * when exchanges that were told TAP_SLOWER may go on: it has the worker call recorder_resume soon. Before the
 * first traffic; the caller frees it with recorder_free, on or after the end of its worker, before
 * capture_end. */
struct recorder *capture_recorder(struct capture *capture, void (*wake)(void *self), void *wake_self);

/* For who has exchanges that are over already (an import) and makes their pieces itself: what recorders
 * share, and a piece on its way to the store, which the call takes. Waits while the queue is over its bounds.
 * Any thread but the writer's. */
struct recorder_shared *capture_shared(struct capture *capture);
void capture_push(struct capture *capture, struct piece *piece);

/* While paused, exchanges that begin are counted and not recorded; those that began before are recorded to
 * their end. Any thread. */
void capture_set_paused(struct capture *capture, bool is_paused);

struct capture_summary {
    int64_t session; /* its id */
    char name[SESSION_NAME_BYTES + 1];
    uint64_t started_us, ended_us; /* wall clock */
    uint64_t exchanges;            /* in the store */
    uint64_t pruned;               /* that were, also in earlier captures of the session */
    uint64_t seen, filtered;       /* all that passed, and how many of them the filter left out */
    uint64_t errors, hosts;
    uint64_t request_bytes, response_bytes;
    char incomplete[256]; /* "", or what is missing */
    /* Those of other sessions of this capture, in the order in which they began; they have no others. Owned:
     * capture_summary_clear. */
    struct capture_summary *others;
    size_t other_count;
};
void capture_summary_clear(struct capture_summary *summary); /* needless where there are no others */
/* Drains the queue, ends all sessions and frees the capture. False: the store failed and did not come back,
 * so that something is missing (out_summary->incomplete says what); out_summary is filled in either case. */
bool capture_end(struct capture *capture, struct capture_summary *out_summary, struct err *err);

/* Of the session, or with capture_per the main one. */
int64_t capture_session(const struct capture *capture);          /* its id; any thread */
const char *capture_session_name(const struct capture *capture); /* any thread */

#endif
