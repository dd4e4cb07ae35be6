/* roster: the sessions that one capture records into, and which of them an exchange belongs to.
 *
 * Mostly there is one, and nothing is asked. Else there is one more for each client address, user or
 * listener, made when it is first seen and started in the store by the writer; the main one then takes what
 * belongs to nobody, and everything of those who come when the roster is full.
 *
 * Threads: workers find sessions (a seventh thing that they share: what a client's sessions are is one answer
 * for all of them; the lock is held for one look-up) and count in them; what is marked as the writer's is
 * its thread's alone. A session lives as long as the roster. */
#ifndef WEIR_CAPTURE_ROSTER_H
#define WEIR_CAPTURE_ROSTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/store/store_write.h"
#include "proxy/base/err.h"
#include "proxy/exchange/tap.h"

struct store_pruner;

enum roster_per { ROSTER_ONE, ROSTER_PER_CLIENT, ROSTER_PER_USER, ROSTER_PER_LISTENER };

/* Besides the main one: more than a team's devices, and few enough for each batch to look at all. */
#define ROSTER_SESSIONS 256

struct roster;

struct roster_session {
    unsigned number; /* in the roster; 0: the main one */
    /* Counted by recorders, taken by the writer. */
    struct {
        atomic_uint_fast64_t seen, filtered, errors;
        atomic_uint_fast64_t bytes[2]; /* by enum http_role */
    } totals;
    /* The writer's. */
    int64_t id; /* 0: not started yet */
    uint32_t last_seq;
    struct store_pruner *pruner; /* NULL: everything is kept */
    struct store_totals taken;   /* from totals, not yet committed */
    struct store_totals written; /* what this try of the batch adds */
    struct roster_lost {
        uint64_t exchanges;
        uint64_t from_us, to_us; /* wall clock */
    } lost;
};

struct roster_options {
    enum roster_per per;
    const char *const *listeners; /* what they are called, by tap_exchange.listener; copied */
    size_t listener_count;
    const char *filter, *options; /* of store_session_start; copied */
};
/* main: its session, which has been started. */
struct roster *roster_new(const struct roster_options *options, const struct session_row *main,
                          uint32_t last_seq);
void roster_free(struct roster *roster);

/* Whose session this exchange goes to. Any thread. */
struct roster_session *roster_find(struct roster *roster, const struct tap_exchange *exchange);
/* The session that has what the notice's client does, if there is one of its own, else the main one. Any
 * thread. */
struct roster_session *roster_find_notice(struct roster *roster, const struct tap_notice *notice);
/* True once, when somebody has not found room: for an event that says so. Any thread. */
bool roster_tells_full(struct roster *roster);

/* Those there are, in the order in which they were first seen; the main one is at 0. Any thread. */
unsigned roster_count(const struct roster *roster);
struct roster_session *roster_at(struct roster *roster, unsigned i);

/* The writer: moves what was counted in each session's totals to its taken. False: nothing is there. */
bool roster_take_totals(struct roster *roster);
/* The writer: whether anything of any session is lost, and how much of all together. */
bool roster_has_lost(struct roster *roster);
struct roster_lost roster_lost(struct roster *roster);

/* The writer, not in a batch: makes the session in the store, or continues the ended one of its name. A name
 * that is being recorded by another weir gets a number. */
bool roster_start(struct roster *roster, struct roster_session *session, struct store *store,
                  struct err *err);

#endif
