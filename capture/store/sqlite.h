/* sqlite: the inside of the store: its handle, and the few helpers that all its files share.
 *
 * Nobody outside capture/store includes this. Statements are prepared once and found again by the address of
 * their text, so SQL stands where it is used:
 *
 *     static const char TOUCH[] = "UPDATE t SET x = ? WHERE id = ?";
 *     struct query q = query_begin(store, TOUCH);
 *     query_int(&q, x);
 *     query_int(&q, id);
 *     return query_run(&q, err); */
#ifndef WEIR_CAPTURE_STORE_SQLITE_H
#define WEIR_CAPTURE_STORE_SQLITE_H

#include <sqlite3.h>

#include "capture/store/store.h"

#define STORE_APPLICATION_ID 0x77656972 /* "weir" */
#define STATEMENT_SLOTS      256        /* a power of two; about twice as many as there are statements */
#define SEEN_SLOTS           1024       /* a power of two */
#define SMALL_BODY_SLOTS     16384      /* the same */
#define SHARE_SLOTS          256        /* the same */

struct sweep;
struct tls_marks;

struct store {
    char *path; /* owned; with symbolic links followed, so that all find the same STORE.lock */
    enum store_mode mode;
    sqlite3 *db;
    struct statement {
        const char *sql;
        sqlite3_stmt *prepared;
        struct bound *bound; /* owned; what each '?' is bound to since the last time */
    } statements[STATEMENT_SLOTS];
    int lock_fd; /* -1: not open yet */
    /* Handshakes by id and hosts by hash that are surely in the store; forgotten after a rollback. */
    uint64_t tls_seen[SEEN_SLOTS], hosts_seen[SEEN_SLOTS];
    /* What ids of handshakes are counted from in each session that was started. */
    struct tls_base {
        int64_t session, base;
    } * tls_bases;                        /* owned */
    size_t tls_base_count, tls_base_last; /* the last one that was asked for */
    /* The one under way (sqlite_sweep.h), and the handshakes that it finds in use; NULL: none. */
    struct sweep *sweep;
    struct tls_marks *tls_marks;
    /* The highest number of a body that is known here, and whether any was taken out since: SQLite gives the
     * highest one again when its row is gone, and a reader may still ask for that. */
    int64_t highest_body;
    bool has_dropped_bodies;
    /* Small bodies that this handle stored, by hash; a hint. Owned; NULL: none yet. */
    struct small_body {
        uint64_t hash;
        int64_t body; /* 0: an empty slot */
    } * small_bodies;
    /* Bodies of this batch that came again, by hash, with uses that their rows do not know of yet. */
    struct share {
        int64_t body; /* 0: an empty slot */
        uint64_t hash;
        int64_t uses;
        char *bytes; /* owned: a copy */
        size_t len;
    } shares[SHARE_SLOTS];
    size_t share_count, share_bytes;
    int wal_pages, moved_pages; /* in the WAL after the last commit; how many when it was last moved out */
    struct checkpointer *aside; /* owned; NULL: the WAL is moved by who writes */
};

/* ERR_STORE with what SQLite says of its last failure, in words for a person; always false. */
bool sqlite_fail(const struct store *store, struct err *err);
/* One or more statements without results. */
bool sqlite_exec(struct store *store, const char *sql, struct err *err);
/* The first column of the first row; *out_value untouched when there is none. */
bool sqlite_int(struct store *store, const char *sql, int64_t *out_value, struct err *err);

struct query {
    struct store *store;
    sqlite3_stmt *statement; /* NULL: it could not be prepared; the error comes when it is stepped */
    struct bound *before;    /* of the statement; NULL: not remembered */
    int bound;
};
struct query query_begin(struct store *store, const char *sql);
/* Each binds the next '?'. Text and bytes are borrowed until the query ends; ptr NULL is NULL. */
void query_int(struct query *query, int64_t value);
void query_int_or_null(struct query *query, int64_t value, int64_t null);
void query_text(struct query *query, struct span text);
void query_bytes(struct query *query, struct span bytes);
/* The next row: false at the end, and when it failed; query_end tells which. */
bool query_step(struct query *query);
/* Ends a query that was stepped; false: a step had failed. */
bool query_end(struct query *query, struct err *err);
/* Steps to the end and ends. */
bool query_run(struct query *query, struct err *err);
/* Columns of the current row, borrowed until the next step. */
int64_t query_column_int(const struct query *query, int column);
struct span query_column_text(const struct query *query, int column);  /* ptr NULL: NULL */
struct span query_column_bytes(const struct query *query, int column); /* the same for a BLOB */

struct filter_sql;
/* Binds a filter's values from parameter first on; they are borrowed until the statement is reset. */
void sqlite_bind_filter(sqlite3_stmt *statement, int first, const struct filter_sql *condition);

/* --- STORE.lock ---------------------------------------------------------------------------------------- */

/* Takes the session's byte for as long as the store is open. *out_taken false: somebody else has it. */
/* Held while a store is made or brought up to date: a second weir that starts meanwhile waits for a moment.
 */
bool sqlite_lock_making(struct store *store, struct err *err);
void sqlite_unlock_making(struct store *store);
bool sqlite_lock_session(struct store *store, int64_t session, bool *out_taken, struct err *err);
void sqlite_unlock_session(struct store *store, int64_t session);
/* Whether somebody holds it. When that can't be found out, yes. */
bool sqlite_session_is_locked(struct store *store, int64_t session);

/* --- for the session's files --------------------------------------------------------------------------- */

static inline int64_t exchange_id(int64_t session, uint32_t seq)
{
    return (int64_t)((uint64_t)session << 32 | seq);
}

/* store_body_read for a sink that neither waits nor reads another body: what it gets lies in SQLite's memory.
 */
bool sqlite_body_lend(struct store *store, int64_t body, store_sink sink, void *self, struct err *err);
/* Inside a batch: the passing rows at a list's end become a shared one. */
bool sqlite_seal_tail(struct store *store, int64_t body, struct err *err);
/* Inside a batch: takes a bit off the end of a list that goes away. *out_more false: there was nothing left;
 * so also of a body that is no list. */
bool sqlite_trim_body(struct store *store, int64_t body, bool *out_more, struct err *err);
/* Writes the uses of bodies that were only counted so far: before a batch ends, and before anybody asks how
 * many a body has. sqlite_forget_shares: the batch was undone. */
bool sqlite_settle_shares(struct store *store, struct err *err);
void sqlite_forget_shares(struct store *store);
/* A body's row was taken out by somebody else's statement than those of sqlite_body.c. */
void sqlite_note_dropped_body(struct store *store, int64_t body);
/* Inside a batch: takes messages off an exchange that goes away, at most most of them (-1: all). *out_more
 * false: there were none left. */
bool sqlite_trim_messages(struct store *store, int64_t session, uint32_t seq, int most, bool *out_more,
                          struct err *err);
/* Settles what is open or undecided in a session whose lock this store holds. In short batches. */
bool sqlite_settle_session(struct store *store, int64_t session, const char *why, struct err *err);
/* A pause between two batches of many, in which those who wait to write get their turn. */
void sqlite_let_others(void);
/* The handshake's row is taken out. */
void sqlite_forget_tls(struct store *store, int64_t row);
/* Cookies of exchanges that are gone get seq 0. */
bool sqlite_orphan_cookies(struct store *store, int64_t session, struct err *err);
/* Hides a session whose lock this store holds and takes it out. */
bool sqlite_delete_session(struct store *store, int64_t session, struct err *err);
/* Takes the rest of a hidden session out, in short batches. */
bool sqlite_purge_session(struct store *store, int64_t session, struct err *err);

#endif
