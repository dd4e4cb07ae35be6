/* old_session: a session with exchanges of given ages, written straight into a store. */
#ifndef WEIR_TESTS_SUPPORT_OLD_SESSION_H
#define WEIR_TESTS_SUPPORT_OLD_SESSION_H

#include "capture/store/store_write.h"

struct old_session {
    struct store *store; /* holds the session's lock until it is ended */
    int64_t id;
};
/* Fail the test when they can't. */
void old_session_open(struct old_session *old, const char *path, const char *name);
void old_session_begin(struct old_session *old, const char *name); /* in a store that is open */
void old_session_end(struct old_session *old);   /* as after a capture; the store stays open */
void old_session_close(struct old_session *old); /* the store, too */

struct old_exchange {
    uint32_t seq;
    enum record_state state;
    bool is_provisional;
    uint64_t age_us;
    size_t body_bytes;               /* of a response of its own */
    struct span body;                /* with body_bytes 0: a response that others may share */
    unsigned messages;               /* of 100 bytes */
    uint64_t client_tls, origin_tls; /* numbers of handshakes; 0: none */
};
void old_session_add(struct old_session *old, const struct old_exchange *exchange);
/* So many small ones, done, numbered from seq on. */
void old_session_add_many(struct old_session *old, uint32_t seq, unsigned count);
/* cookie->time_us is its age. */
void old_session_add_cookie(struct old_session *old, struct cookie_row cookie);

#endif
