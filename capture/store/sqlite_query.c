#include "capture/filter.h"
#include "capture/store/sqlite.h"
#include "proxy/base/mem.h"

bool sqlite_fail(const struct store *store, struct err *err)
{
    int code = sqlite3_errcode(store->db);

    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_set(err, ERR_STORE, "store '%s': the disk is full", store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_STORE, "store '%s': another program holds it for too long", store->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, ERR_STORE, "store '%s': no permission to write to it", store->path);
    case SQLITE_NOTADB:
        return err_set(err, ERR_STORE, "'%s' is not a store of weir: choose another file with --store",
                       store->path);
    case SQLITE_CORRUPT:
        return err_set(err, ERR_STORE,
                       "store '%s' is damaged (%s): move it away, sqlite3's .recover may help", store->path,
                       sqlite3_errmsg(store->db));
    case SQLITE_CANTOPEN:
        if (sqlite3_system_errno(store->db) != 0)
            return err_sys(err, sqlite3_system_errno(store->db), "opening store '%s'", store->path);
        /* fall through */
    default:
        return err_set(err, ERR_STORE, "store '%s': %s", store->path, sqlite3_errmsg(store->db));
    }
}

bool sqlite_exec(struct store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || sqlite_fail(store, err);
}

/* A binding outlives the query, and most numbers of a row are those of the row before it: one that is there
 * already is not made again, which is much dearer than looking. */
struct bound {
    enum { BOUND_NULL, BOUND_INT, BOUND_BYTES } kind; /* NULL is what a new statement has */
    int64_t value;                                    /* of BOUND_INT */
};

static const struct statement *prepare(struct store *store, const char *sql)
{
    size_t slot = ((uintptr_t)sql >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    struct statement *statement;

    for (;; slot++) {
        statement = &store->statements[slot & (STATEMENT_SLOTS - 1)];
        if (statement->sql == sql)
            return statement;
        if (statement->sql == NULL)
            break;
    }
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->prepared, NULL) !=
        SQLITE_OK)
        return statement;
    statement->sql = sql;
    statement->bound = mem_array(struct bound, (size_t)sqlite3_bind_parameter_count(statement->prepared) + 1);
    return statement;
}

struct query query_begin(struct store *store, const char *sql)
{
    const struct statement *statement = prepare(store, sql);

    return (struct query){ store, statement->prepared, statement->bound, 0 };
}

/* Whether the next '?' is bound to that already; notes that it is from now on. */
static bool is_bound(struct query *query, struct bound to)
{
    struct bound *before = query->before;

    query->bound++;
    if (before == NULL)
        return false;
    before += query->bound;
    if (before->kind == to.kind && before->value == to.value && to.kind != BOUND_BYTES)
        return true;
    *before = to;
    return false;
}

void query_int(struct query *query, int64_t value)
{
    if (!is_bound(query, (struct bound){ BOUND_INT, value }))
        sqlite3_bind_int64(query->statement, query->bound, value);
}

static void bind_null(struct query *query)
{
    if (!is_bound(query, (struct bound){ BOUND_NULL, 0 }))
        sqlite3_bind_null(query->statement, query->bound);
}

void query_int_or_null(struct query *query, int64_t value, int64_t null)
{
    if (value == null)
        bind_null(query);
    else
        query_int(query, value);
}

void query_text(struct query *query, struct span text)
{
    if (text.ptr == NULL)
        bind_null(query);
    else if (!is_bound(query, (struct bound){ BOUND_BYTES, 0 }))
        sqlite3_bind_text(query->statement, query->bound, text.ptr, (int)text.len, SQLITE_STATIC);
}

void query_bytes(struct query *query, struct span bytes)
{
    if (bytes.ptr == NULL)
        bind_null(query);
    else if (!is_bound(query, (struct bound){ BOUND_BYTES, 0 }))
        sqlite3_bind_blob(query->statement, query->bound, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
}

bool query_step(struct query *query)
{
    return query->statement != NULL && sqlite3_step(query->statement) == SQLITE_ROW;
}

bool query_end(struct query *query, struct err *err)
{
    if (query->statement == NULL)
        return sqlite_fail(query->store, err);
    return sqlite3_reset(query->statement) == SQLITE_OK || sqlite_fail(query->store, err);
}

bool query_run(struct query *query, struct err *err)
{
    while (query_step(query))
        ;
    return query_end(query, err);
}

int64_t query_column_int(const struct query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

struct span query_column_text(const struct query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->statement, column);

    return span_make(text, text != NULL ? (size_t)sqlite3_column_bytes(query->statement, column) : 0);
}

struct span query_column_bytes(const struct query *query, int column)
{
    const void *bytes = sqlite3_column_blob(query->statement, column);

    if (bytes == NULL && sqlite3_column_type(query->statement, column) != SQLITE_NULL)
        bytes = ""; /* SQLite gives NULL for a BLOB without bytes */
    return span_make(bytes, (size_t)sqlite3_column_bytes(query->statement, column));
}

bool sqlite_int(struct store *store, const char *sql, int64_t *out_value, struct err *err)
{
    struct query query = query_begin(store, sql);

    if (query_step(&query))
        *out_value = query_column_int(&query, 0);
    return query_end(&query, err);
}

void sqlite_bind_filter(sqlite3_stmt *statement, int first, const struct filter_sql *condition)
{
    for (size_t i = 0; i < condition->bind_count; i++) {
        const struct filter_bind *bind = &condition->binds[i];
        if (bind->is_integer)
            sqlite3_bind_int64(statement, first + (int)i, bind->integer);
        else
            sqlite3_bind_text(statement, first + (int)i, bind->text, -1, SQLITE_STATIC);
    }
}
