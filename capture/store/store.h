/* store: where sessions live: the one interface for reading and writing them.
 *
 * A store is opened by its URL (a path is SQLite). One handle belongs to one thread. Readers may be many, in
 * this process and others, while one writer a process records; they read in slices and hold no snapshot
 * longer than a second. Everything that fails is ERR_STORE with a sentence that names the file and says what
 * to do; what is not there is ERR_FOUND. */
#ifndef WEIR_CAPTURE_STORE_STORE_H
#define WEIR_CAPTURE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/record.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct filter;
struct store;

enum store_mode {
    STORE_READ,  /* must be there; may be recording at the same time */
    STORE_WRITE, /* made when missing, 0600, its folder 0700; migrated when older */
};

bool store_open(const char *path, enum store_mode mode, struct store **out_store, struct err *err);
void store_close(struct store *store); /* NULL is fine */
const char *store_path(const struct store *store);

/* --- sessions ------------------------------------------------------------------------------------------ */

enum session_state { SESSION_RECORDING, SESSION_PAUSED, SESSION_ENDED, SESSION_INTERRUPTED };
const char *session_state_name(enum session_state state);

struct session_row {
    int64_t id;
    char uid[37];
    char *name; /* owned: session_row_clear */
    enum session_state state;
    uint64_t started_us, ended_us; /* ended_us 0: not ended */
    uint64_t exchanges;            /* in the store */
    uint64_t pruned;               /* that were, and were taken out (store_prune.h) */
    uint64_t seen, filtered;       /* all that passed, and how many of them the filter left out */
    uint64_t errors, hosts;
    uint64_t request_bytes, response_bytes; /* bodies, as passed */
    char *incomplete;                       /* NULL, or what is missing: "N exchanges from T1 to T2" */
    char *filter;                           /* "" none */
    char *options;                          /* JSON */
};
void session_row_clear(struct session_row *row);

/* Every session, oldest first. each returns false to stop. */
bool store_sessions(struct store *store, bool (*each)(void *self, const struct session_row *row), void *self,
                    struct err *err);
/* By integer id, name, or "latest" (NULL means latest). ERR_FOUND with what there is. */
bool store_find_session(struct store *store, const char *which, struct session_row *out_row, struct err *err);

/* --- exchanges ----------------------------------------------------------------------------------------- */

/* A cursor over a session's exchanges in order of seq, from from_seq on (1: all), those that filter takes
 * (NULL: all). Reads ahead in slices, so the store may change meanwhile: what was there when the slice was
 * read is seen, what came after the end can be asked for by a new cursor. */
struct store_cursor;
bool store_exchanges(struct store *store, int64_t session, uint32_t from_seq, const struct filter *filter,
                     struct store_cursor **out_cursor, struct err *err);
/* The same for who wants no more than a line of each: without header fields, trailers, interim responses and
 * TLS, which are most of an exchange and most of the work. The filter sees all of it. */
bool store_summaries(struct store *store, int64_t session, uint32_t from_seq, const struct filter *filter,
                     struct store_cursor **out_cursor, struct err *err);
/* The next one, borrowed until the next step; *out_record NULL at the end. */
bool store_next(struct store_cursor *cursor, const struct record **out_record, struct err *err);
/* Goes to another place, forwards or backwards: the next one is the first from from_seq on. What is read
 * ahead grows from one exchange again, so that jumping about costs little more than what is looked at. */
void store_seek(struct store_cursor *cursor, uint32_t from_seq);
void store_cursor_free(struct store_cursor *cursor); /* NULL is fine */
/* Whether the exchange is still there. If it is, all that this handle (of STORE_READ) reads of it is there,
 * too, whoever takes it out meanwhile: until store_let_go, or until another is held. Hold it briefly: what is
 * written meanwhile has to wait in the WAL. */
bool store_hold(struct store *store, int64_t session, uint32_t seq, bool *out_is_there, struct err *err);
void store_let_go(struct store *store);
/* The highest number that an exchange of the session has; 0: there is none. */
bool store_last_seq(struct store *store, int64_t session, uint32_t *out_seq, struct err *err);

/* --- bodies -------------------------------------------------------------------------------------------- */

/* The body's bytes in order, in pieces of at most 256 KiB, each borrowed for the call. sink returns false to
 * stop (with err set, or not), which is then the answer. */
typedef bool (*store_sink)(void *self, struct span bytes, struct err *err);
bool store_body_read(struct store *store, int64_t body, store_sink sink, void *self, struct err *err);

/* --- messages ------------------------------------------------------------------------------------------ */

/* The messages of an exchange in order, from number from on (1: all), each borrowed for its call. Reads in
 * slices, so more may come meanwhile: they are told too when they are there in time. each returns false to
 * stop (with err set, or not), which is then the answer. */
typedef bool (*store_message_sink)(void *self, const struct record_message *message, struct err *err);
bool store_messages(struct store *store, int64_t session, uint32_t seq, uint32_t from,
                    store_message_sink each, void *self, struct err *err);

/* --- cookies and events -------------------------------------------------------------------------------- */

enum cookie_source { COOKIE_SET, COOKIE_SENT };

/* One observation: a Set-Cookie, or a name=value of a Cookie header that differs from the last one seen from
 * that client. */
struct cookie_row {
    uint32_t seq; /* the exchange; 0: it was filtered out and has none in the store */
    enum cookie_source source;
    uint64_t time_us;
    struct span scheme, host, path; /* of the request */
    uint16_t port;
    struct span name, value; /* bytes */
    struct span line;        /* the Set-Cookie value as it came; empty for COOKIE_SENT */
};
/* In the order in which they were seen. each returns false to stop. */
bool store_cookies(struct store *store, int64_t session,
                   bool (*each)(void *self, const struct cookie_row *row), void *self, struct err *err);
/* The same, of those seen at from_us or later. */
bool store_cookies_from(struct store *store, int64_t session, uint64_t from_us,
                        bool (*each)(void *self, const struct cookie_row *row), void *self, struct err *err);
/* What came into the store behind the place *last (0: the beginning), for who follows a session that is being
 * recorded: *last moves on to the newest, and *out_oldest_us is when the oldest of them was seen, which may
 * be before others that were there already. Nothing new: *last stays as it is. */
bool store_new_cookies(struct store *store, int64_t session, int64_t *last, uint64_t *out_oldest_us,
                       struct err *err);

struct event_row {
    uint64_t time_us;
    struct span kind, client_addr, host, text;
};
bool store_events(struct store *store, int64_t session, bool (*each)(void *self, const struct event_row *row),
                  void *self, struct err *err);

#endif
