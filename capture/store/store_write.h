/* store_write: the writing half of the store: sessions, and what is recorded into them.
 *
 * The handle is one of STORE_WRITE. What is recorded goes in batches: store_begin, any number of writes,
 * store_commit; after any failure store_rollback, and the same batch may be tried again. A batch holds the
 * write lock of the file, so keep it short (100 ms): other weirs may record into the same store. All text is
 * in the store's form already (record_text_add). Fails with ERR_STORE. */
#ifndef WEIR_CAPTURE_STORE_STORE_WRITE_H
#define WEIR_CAPTURE_STORE_STORE_WRITE_H

#include "capture/store/store.h"
#include "proxy/base/uid.h"

/* --- sessions ------------------------------------------------------------------------------------------ */

struct store_session_start {
    const char *name; /* a session that is not recording is continued; NULL: made from the clock */
    const char *filter;
    const char *options; /* JSON */
};
/* Makes the session, or opens it again, and marks this process as the one that records it: until
 * store_session_end, store_close or the process ends. *out_last_seq: the highest number in it.
 * ERR_FOUND: a session of that name is being recorded. */
bool store_session_start(struct store *store, const struct store_session_start *start,
                         struct session_row *out_row, uint32_t *out_last_seq, struct err *err);
/* What is still open in it becomes aborted. */
bool store_session_end(struct store *store, int64_t session, struct err *err);
/* ERR_FOUND: another session has that name. The name must be a good one (session_check_name). */
bool store_session_rename(struct store *store, int64_t session, const char *name, struct err *err);
/* Hides the session at once, then takes it out in short batches, with the bodies that nobody else uses, and
 * gives room back to the file system. ERR_FOUND: it is being recorded. */
bool store_session_delete(struct store *store, int64_t session, struct err *err);
/* Mends the sessions whose weir was killed (open exchanges become aborted, what the filter had not decided is
 * decided, the state becomes interrupted) and finishes deletions that were cut. In short batches. Comes
 * before store_session_start on the same handle. */
bool store_mend(struct store *store, unsigned *out_mended, struct err *err);

/* --- batches ------------------------------------------------------------------------------------------- */

bool store_begin(struct store *store, struct err *err);
bool store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store); /* also when there is no batch */
/* Between batches: moves the WAL into the file when it has grown, so that it can begin anew. What readers or
 * a full disk forbid now is tried again after a later batch. */
void store_checkpoint(struct store *store);
/* From here on a thread of its own moves the WAL, so that store_checkpoint waits for no disk: syncing what is moved may take long, and
 * commits go on beside it. Only when the WAL has grown very large is it still moved at once. False: as before. */
bool store_checkpoint_aside(struct store *store, struct err *err);

/* With synchronous=FULL each commit reaches the disk before it returns. */
bool store_set_durable(struct store *store, struct err *err);

/* --- inside a batch ------------------------------------------------------------------------------------ */

struct store_totals {
    uint64_t exchanges, seen, filtered, errors;
    uint64_t bytes[2]; /* by enum http_role */
};
static inline bool store_totals_are_zero(const struct store_totals *totals)
{
    return (totals->exchanges | totals->seen | totals->filtered | totals->errors | totals->bytes[0] |
            totals->bytes[1]) == 0;
}
/* Adds to the session's counters. */
bool store_add_totals(struct store *store, int64_t session, const struct store_totals *totals,
                      uint64_t now_us, struct err *err);
bool store_set_state(struct store *store, int64_t session, enum session_state state, struct err *err);
/* Puts text to the mark of what is missing, after what stands there. */
bool store_add_incomplete(struct store *store, int64_t session, const char *text, struct err *err);

/* An exchange's row. Arrays of two are by enum http_role. Text with ptr NULL is NULL in the store. */
struct store_exchange {
    int64_t session;
    uint32_t seq;
    bool is_provisional;
    enum record_state state;
    /* Constant from the first. */
    unsigned char uid[UID_BYTES];
    uint64_t started_us;
    struct span client_addr, method, scheme, host, path, query;
    uint16_t port;
    struct span protocol; /* ptr NULL: none */
    int request_version;
    struct span request_headers, request_type;
    int64_t client_tls; /* 0: none */
    /* What may still change. */
    int64_t times[TAP_T_COUNT]; /* or TAP_NEVER */
    struct span origin_addr;
    int response_version, status; /* 0: not there yet */
    struct span reason, response_headers, response_type, interim;
    struct span trailers[2];
    int64_t bodies[2]; /* 0: none */
    uint64_t bytes[2], kept[2], wire_bytes[2];
    uint64_t tunnel_sent_bytes, tunnel_received_bytes;
    int64_t origin_tls; /* 0: none */
    struct span error;
    unsigned attempts, flags;
    uint32_t messages;
};
bool store_insert_exchange(struct store *store, const struct store_exchange *row, struct err *err);
/* What may still change; a NULL leaves what is there. */
bool store_update_exchange(struct store *store, const struct store_exchange *row, struct err *err);
/* With its bodies and messages. *out_was_there false: nothing was. */
bool store_delete_exchange(struct store *store, int64_t session, uint32_t seq, bool *out_was_there,
                           struct err *err);
/* Whether filter takes the row as it stands. */
bool store_exchange_matches(struct store *store, int64_t session, uint32_t seq, const struct filter *filter,
                            bool *out_matches, struct err *err);

/* The end of an exchange whose row can't say how it ended, and of the filter's doubt: readers see it from now
 * on, with state aborted for this reason if it was open. What came of its bodies is kept. */
bool store_settle_exchange(struct store *store, int64_t session, uint32_t seq, const char *why,
                           struct err *err);

/* One that a visible exchange went to; and the same when only the store knows it. */
bool store_add_host(struct store *store, int64_t session, struct span host, struct err *err);
bool store_add_host_of(struct store *store, int64_t session, uint32_t seq, struct err *err);

/* A handshake's facts; tls_id is unique in this capture. *out_row is for client_tls and origin_tls. */
bool store_add_tls(struct store *store, int64_t session, uint64_t tls_id, struct span json, int64_t *out_row,
                   struct err *err);

/* row->line, name and value are bytes, the other spans text. *out_id: its place among all cookies. */
bool store_add_cookie(struct store *store, int64_t session, const struct cookie_row *row, int64_t *out_id,
                      struct err *err);
/* Those of seq between two places belong to an exchange that the filter left out. */
bool store_orphan_cookies(struct store *store, int64_t session, uint32_t seq, int64_t first_id,
                          int64_t last_id, struct err *err);
/* Of an exchange in the store; message->n is one that it has not yet. Texts (event_type, event_id, note) are
 * in the store's form, payload is bytes. */
bool store_add_message(struct store *store, int64_t session, uint32_t seq,
                       const struct record_message *message, struct err *err);
bool store_add_event(struct store *store, int64_t session, const struct event_row *row, struct err *err);

/* --- bodies, inside a batch ---------------------------------------------------------------------------- */

/* A body is cut at multiples of this; no row of bytes is longer. */
#define STORE_PIECE_BYTES ((size_t)256 * 1024)

uint64_t store_hash(struct span bytes);
/* One row of bytes, shared with whoever has the same; hash is store_hash(bytes). */
bool store_add_body(struct store *store, struct span bytes, uint64_t hash, int64_t *out_body,
                    struct err *err);
/* A list to be appended to. */
bool store_add_body_list(struct store *store, int64_t *out_body, struct err *err);
/* Appends at offset, the list's size so far. With *hash a row that is shared; with hash NULL a row that is
 * only passing: store_seal_body comes later. */
bool store_append_body(struct store *store, int64_t list, uint64_t offset, struct span bytes,
                       const uint64_t *hash, struct err *err);
/* Makes one shared row of the passing rows from offset on and rest: at most STORE_PIECE_BYTES. */
bool store_seal_body(struct store *store, int64_t list, uint64_t offset, struct span rest, struct err *err);
/* One use less; the last takes the bytes away. */
bool store_drop_body(struct store *store, int64_t body, struct err *err);

#endif
