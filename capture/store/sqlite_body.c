/* Bodies. A row with a hash is finished and may be shared: a large one with any in the store, a small one
 * with those that this handle stored lately, for which there is a table in memory and no index on disk. One
 * with bytes and no hash is passing: a part of a body that trickles in, waiting for the rest of its 256 KiB
 * to become one shared row. */
#include <string.h>
#include <xxhash.h>

#include "capture/store/sqlite.h"
#include "capture/store/store_write.h"
#include "proxy/base/mem.h"

/* Rows that are compared before the bytes are simply stored once more: a stranger can make many bodies of one
 * hash, and must not make each cost more than the last. */
#define MAX_CANDIDATES 4

/* Taken off a list at once when it is too long for one batch: 4 MiB. */
#define TRIM_PIECES 16

/* Copies of bodies that came again, of all together: as much as a batch has. */
#define MOST_SHARE_BYTES ((size_t)4 * 1024 * 1024)

uint64_t store_hash(struct span bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}

/* The least that the index of hashes knows; it stands in the schema and in FIND as well. */
#define INDEXED_BYTES 8192

static bool find_indexed(struct store *store, struct span bytes, uint64_t hash, int64_t *out_body,
                         struct err *err)
{
    static const char FIND[] = "SELECT id, bytes FROM body WHERE hash = ? AND size >= 8192";
    struct query query = query_begin(store, FIND);

    query_int(&query, (int64_t)hash);
    for (int i = 0; i < MAX_CANDIDATES && *out_body == 0 && query_step(&query); i++)
        if (span_eq(query_column_bytes(&query, 1), bytes))
            *out_body = query_column_int(&query, 0);
    return query_end(&query, err);
}

static struct small_body *small_body_slot(struct store *store, uint64_t hash)
{
    if (store->small_bodies == NULL)
        store->small_bodies = mem_array(struct small_body, SMALL_BODY_SLOTS);
    return &store->small_bodies[hash & (SMALL_BODY_SLOTS - 1)];
}

/* The row may be gone, or be another body's by now: its bytes tell. */
static bool find_recent(struct store *store, struct span bytes, uint64_t hash, int64_t *out_body,
                        struct err *err)
{
    static const char LOOK[] = "SELECT bytes FROM body WHERE id = ? AND hash = ?";
    const struct small_body *slot = small_body_slot(store, hash);
    struct query query;

    if (slot->body == 0 || slot->hash != hash)
        return true;
    query = query_begin(store, LOOK);
    query_int(&query, slot->body);
    query_int(&query, (int64_t)hash);
    if (query_step(&query) && span_eq(query_column_bytes(&query, 0), bytes))
        *out_body = slot->body;
    return query_end(&query, err);
}

static bool find_same(struct store *store, struct span bytes, uint64_t hash, int64_t *out_body,
                      struct err *err)
{
    *out_body = 0;
    return bytes.len >= INDEXED_BYTES ? find_indexed(store, bytes, hash, out_body, err)
                                      : find_recent(store, bytes, hash, out_body, err);
}

/* The number that the next body must have; 0: any that SQLite gives. */
static bool next_body(struct store *store, int64_t *out_body, struct err *err)
{
    int64_t highest = 0;

    *out_body = 0;
    if (!store->has_dropped_bodies)
        return true;
    if (!sqlite_int(store, "SELECT max(id) FROM body", &highest, err))
        return false;
    if (highest < store->highest_body)
        *out_body = store->highest_body + 1;
    return true;
}

static bool insert(struct store *store, struct span bytes, const uint64_t *hash, int64_t *out_body,
                   struct err *err)
{
    static const char INSERT[] = "INSERT INTO body (id, refs, hash, size, bytes) VALUES (?, 1, ?, ?, ?)";
    struct query query;
    int64_t number;

    if (!next_body(store, &number, err))
        return false;
    query = query_begin(store, INSERT);
    query_int_or_null(&query, number, 0);
    if (hash != NULL)
        query_int(&query, (int64_t)*hash);
    else
        query_int_or_null(&query, 0, 0);
    query_int(&query, (int64_t)bytes.len);
    query_bytes(&query, bytes);
    if (!query_run(&query, err))
        return false;
    *out_body = store->highest_body = sqlite3_last_insert_rowid(store->db);
    store->has_dropped_bodies = false; /* this row keeps the numbers below it from coming again */
    return true;
}

/* --- what comes again ---------------------------------------------------------------------------------- */

/* A body that came twice in a batch often comes a hundred times. Only this batch can take its row out, so the
 * bytes that were found there tell as well as the row, and its uses are written once. */

static struct share *share_slot(struct store *store, uint64_t hash)
{
    return &store->shares[hash & (SHARE_SLOTS - 1)];
}

static void forget_share(struct store *store, struct share *share)
{
    store->share_count--;
    store->share_bytes -= share->len;
    mem_free(share->bytes);
    *share = (struct share){ .body = 0 };
}

static bool add_uses(struct store *store, int64_t body, int64_t uses, struct err *err)
{
    static const char ADD_USES[] = "UPDATE body SET refs = refs + ? WHERE id = ?";
    struct query query = query_begin(store, ADD_USES);

    query_int(&query, uses);
    query_int(&query, body);
    return query_run(&query, err);
}

static bool settle_share(struct store *store, struct share *share, struct err *err)
{
    if (share->body == 0)
        return true;
    if (!add_uses(store, share->body, share->uses, err))
        return false;
    forget_share(store, share);
    return true;
}

bool sqlite_settle_shares(struct store *store, struct err *err)
{
    for (size_t i = 0; i < SHARE_SLOTS && store->share_count != 0; i++)
        if (!settle_share(store, &store->shares[i], err))
            return false;
    return true;
}

void sqlite_forget_shares(struct store *store)
{
    for (size_t i = 0; i < SHARE_SLOTS && store->share_count != 0; i++)
        if (store->shares[i].body != 0)
            forget_share(store, &store->shares[i]);
}

/* One more use of a body whose row was just found. */
static bool use_again(struct store *store, int64_t body, struct span bytes, uint64_t hash, struct err *err)
{
    struct share *share = share_slot(store, hash);

    if (!settle_share(store, share, err))
        return false;
    if (store->share_bytes + bytes.len > MOST_SHARE_BYTES)
        return add_uses(store, body, 1, err);
    *share = (struct share){
        .body = body, .hash = hash, .uses = 1, .bytes = mem_dup(bytes.ptr, bytes.len), .len = bytes.len
    };
    store->share_count++;
    store->share_bytes += bytes.len;
    return true;
}

/* ------------------------------------------------------------------------------------------------------- */

bool store_add_body(struct store *store, struct span bytes, uint64_t hash, int64_t *out_body, struct err *err)
{
    struct share *shared = share_slot(store, hash);
    int64_t body;

    if (shared->body != 0 && shared->hash == hash && span_eq(span_make(shared->bytes, shared->len), bytes)) {
        shared->uses++;
        *out_body = shared->body;
        return true;
    }
    if (!find_same(store, bytes, hash, &body, err))
        return false;
    if (body == 0) {
        if (!insert(store, bytes, &hash, out_body, err))
            return false;
        if (bytes.len < INDEXED_BYTES)
            *small_body_slot(store, hash) = (struct small_body){ hash, *out_body };
        return true;
    }
    if (!use_again(store, body, bytes, hash, err))
        return false;
    *out_body = body;
    return true;
}

bool store_add_body_list(struct store *store, int64_t *out_body, struct err *err)
{
    return insert(store, SPAN_NONE, NULL, out_body, err);
}

static bool link_piece(struct store *store, int64_t list, uint64_t offset, int64_t piece, uint64_t size,
                       struct err *err)
{
    static const char LINK[] = "INSERT INTO body_piece (body, offset, piece) VALUES (?, ?, ?)";
    static const char GROW[] = "UPDATE body SET size = ? WHERE id = ?";
    struct query query = query_begin(store, LINK);

    query_int(&query, list);
    query_int(&query, (int64_t)offset);
    query_int(&query, piece);
    if (!query_run(&query, err))
        return false;
    query = query_begin(store, GROW);
    query_int(&query, (int64_t)size);
    query_int(&query, list);
    return query_run(&query, err);
}

bool store_append_body(struct store *store, int64_t list, uint64_t offset, struct span bytes,
                       const uint64_t *hash, struct err *err)
{
    int64_t piece;

    if (hash != NULL ? !store_add_body(store, bytes, *hash, &piece, err)
                     : !insert(store, bytes, NULL, &piece, err))
        return false;
    return link_piece(store, list, offset, piece, offset + bytes.len, err);
}

/* The bytes of the passing rows from offset on, in order. */
static bool gather(struct store *store, int64_t list, uint64_t offset, struct strbuf *bytes, struct err *err)
{
    static const char GATHER[] =
        "SELECT body.bytes FROM body_piece JOIN body ON body.id = body_piece.piece "
        "WHERE body_piece.body = ? AND body_piece.offset >= ? ORDER BY body_piece.offset";
    struct query query = query_begin(store, GATHER);

    query_int(&query, list);
    query_int(&query, (int64_t)offset);
    while (query_step(&query))
        strbuf_add(bytes, query_column_bytes(&query, 0));
    return query_end(&query, err);
}

static bool drop_passing(struct store *store, int64_t list, uint64_t offset, struct err *err)
{
    static const char DROP[] = "DELETE FROM body WHERE id IN "
                               "(SELECT piece FROM body_piece WHERE body = ? AND offset >= ?)";
    static const char UNLINK[] = "DELETE FROM body_piece WHERE body = ? AND offset >= ?";
    const char *const both[] = { DROP, UNLINK };

    for (int i = 0; i < 2; i++) {
        struct query query = query_begin(store, both[i]);
        query_int(&query, list);
        query_int(&query, (int64_t)offset);
        if (!query_run(&query, err))
            return false;
    }
    return true;
}

bool store_seal_body(struct store *store, int64_t list, uint64_t offset, struct span rest, struct err *err)
{
    struct strbuf bytes = STRBUF_EMPTY;
    int64_t piece;
    bool ok = false;

    strbuf_reserve(&bytes, STORE_PIECE_BYTES);
    if (!gather(store, list, offset, &bytes, err) || !drop_passing(store, list, offset, err))
        goto out;
    strbuf_add(&bytes, rest);
    if (!store_add_body(store, strbuf_span(&bytes), store_hash(strbuf_span(&bytes)), &piece, err) ||
        !link_piece(store, list, offset, piece, offset + bytes.len, err))
        goto out;
    ok = true;
out:
    strbuf_clear(&bytes);
    return ok;
}

bool sqlite_seal_tail(struct store *store, int64_t body, struct err *err)
{
    static const char FIRST[] = "SELECT min(body_piece.offset) FROM body_piece JOIN body ON body.id = piece "
                                "WHERE body_piece.body = ? AND body.hash IS NULL";
    struct query query = query_begin(store, FIRST);
    int64_t offset = -1;

    query_int(&query, body);
    if (query_step(&query) && sqlite3_column_type(query.statement, 0) != SQLITE_NULL)
        offset = query_column_int(&query, 0);
    if (!query_end(&query, err))
        return false;
    return offset < 0 || store_seal_body(store, body, (uint64_t)offset, SPAN_NONE, err);
}

/* *out_refs: what is left of them, -1 when there was no such row. */
static bool release(struct store *store, int64_t body, int64_t *out_refs, bool *out_is_list, struct err *err)
{
    static const char RELEASE[] =
        "UPDATE body SET refs = refs - 1 WHERE id = ? RETURNING refs, bytes IS NULL";
    struct query query = query_begin(store, RELEASE);

    *out_refs = -1;
    if (!sqlite_settle_shares(store, err))
        return false;
    query_int(&query, body);
    while (query_step(&query)) {
        *out_refs = query_column_int(&query, 0);
        *out_is_list = query_column_int(&query, 1) != 0;
    }
    return query_end(&query, err);
}

void sqlite_note_dropped_body(struct store *store, int64_t body)
{
    store->has_dropped_bodies = true;
    store->highest_body = body > store->highest_body ? body : store->highest_body;
}

static bool delete_row(struct store *store, int64_t body, struct err *err)
{
    static const char DELETE_BODY[] = "DELETE FROM body WHERE id = ?";
    struct query query = query_begin(store, DELETE_BODY);

    query_int(&query, body);
    sqlite_note_dropped_body(store, body);
    return query_run(&query, err);
}

/* The last count pieces of a list. */
static bool drop_pieces(struct store *store, int64_t list, int64_t count, bool *out_dropped, struct err *err)
{
    /* The pieces that each of the three means are the same: the last one is what takes them off the list. */
#define LAST_PIECES "(SELECT piece FROM body_piece WHERE body = ?1 ORDER BY offset DESC LIMIT ?2)"
    static const char RELEASE_PIECES[] =
        "WITH last AS MATERIALIZED " LAST_PIECES
        " UPDATE body SET refs = refs - (SELECT count(*) FROM last WHERE piece = body.id)"
        " WHERE id IN (SELECT piece FROM last)";
    static const char DROP_UNUSED[] = "DELETE FROM body WHERE refs <= 0 AND id IN " LAST_PIECES;
    static const char UNLINK_LAST[] =
        "DELETE FROM body_piece WHERE body = ?1 AND offset IN"
        " (SELECT offset FROM body_piece WHERE body = ?1 ORDER BY offset DESC LIMIT ?2)";
    const char *const all[] = { RELEASE_PIECES, DROP_UNUSED, UNLINK_LAST };

    if (!sqlite_settle_shares(store, err))
        return false;
    store->has_dropped_bodies = true;
    for (int i = 0; i < 3; i++) {
        struct query query = query_begin(store, all[i]);
        query_int(&query, list);
        query_int(&query, count);
        if (!query_run(&query, err))
            return false;
    }
    *out_dropped = sqlite3_changes(store->db) != 0;
    return true;
}

bool sqlite_trim_body(struct store *store, int64_t body, bool *out_more, struct err *err)
{
    return drop_pieces(store, body, TRIM_PIECES, out_more, err);
}

bool store_drop_body(struct store *store, int64_t body, struct err *err)
{
    bool is_list = false, dropped;
    int64_t refs;

    if (!release(store, body, &refs, &is_list, err))
        return false;
    if (refs != 0)
        return true;
    return (!is_list || drop_pieces(store, body, -1, &dropped, err)) && delete_row(store, body, err);
}
