/* Opening: the file and its folder are private before SQLite sees them, and nothing is written into a file
 * that is not ours. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/store/checkpointer.h"
#include "capture/store/filter_functions.h"
#include "capture/store/schema.h"
#include "capture/store/sqlite.h"
#include "capture/store/store_write.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"

/* Other weirs hold the write lock for 100 ms at a time; a checkpoint on a slow disk takes longer. */
#define BUSY_MS 2000

/* Twice the time after which others look again. */
#define PAUSE_US 2000

/* Pages of 16 KiB: a piece of a body is 17 of them, and an exchange with its headers is one cell. */
#define PAGE_BYTES 16384

/* The WAL is moved into the file after 1 MiB (in pages): little enough to take half a millisecond of a core
 * that requests need too. Where a disk is slow the next MiB waits for it, and all that came meanwhile goes
 * with it: one fsync serves many batches. */
#define CHECKPOINT_PAGES (1024 * 1024 / PAGE_BYTES)

/* It can only begin anew when all of it has been moved, between two commits. Where these follow each other so
 * fast that the checkpointer never finds that moment, the writer makes it. */
#define MOST_ASIDE_PAGES (64 * 1024 * 1024 / PAGE_BYTES)

static unsigned newest_version(void)
{
    unsigned version = 0;

    while (store_schema[version] != NULL)
        version++;
    return version;
}

/* The folder of path, and what is missing above it. */
static bool make_folder(const char *path, struct err *err)
{
    char *folder = mem_strdup(path);
    bool ok = true;

    for (char *slash = strchr(folder + 1, '/'); slash != NULL && ok; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST && access(folder, F_OK) != 0)
            ok = err_sys(err, errno, "folder '%s' of the store can't be made", folder);
        *slash = '/';
    }
    mem_free(folder);
    return ok;
}

/* A file that is there is not opened: closing it would take away the locks that other handles of this process
 * have on it (see "How To Corrupt An SQLite Database File", 2.2). */
static bool make_private_file(const char *path, struct err *err)
{
    struct stat status;
    int fd;

    if (!make_folder(path, err))
        return false;
    if (stat(path, &status) != 0) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return err_sys(err, errno, "store '%s' can't be opened for writing", path);
        close(fd);
        return true;
    }
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0)
        return err_sys(err, errno, "store '%s' can't be opened for writing", path);
    if ((status.st_mode & 077) != 0 && chmod(path, status.st_mode & 0700) != 0)
        log_warn("store", "others can read what is recorded: take their permission away",
                 LOG_S("file", path));
    return true;
}

/* The path with symbolic links followed: two names of one store must lead to one STORE.lock. */
static bool resolve(const char *path, char **out_path, struct err *err)
{
    char *real = realpath(path, NULL);

    if (real == NULL && errno == ENOENT)
        return err_set(err, ERR_FOUND, "there is no store '%s': record something with 'weir capture'", path);
    if (real == NULL)
        return err_sys(err, errno, "store '%s'", path);
    *out_path = real; /* from malloc, as everything that mem_free takes */
    return true;
}

static bool refuse_other_kinds(const char *path, struct err *err)
{
    struct stat status;

    if (strstr(path, "://") != NULL)
        return err_set(err, ERR_USAGE, "store '%s': a store is a file, no other kind is known", path);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return err_set(err, ERR_STORE, "store '%s' is not a file", path);
    return true;
}

/* Nobody asks SQLite how much memory it has, and counting takes its lock twice for each piece: a twentieth of
 * what the writer does. Without effect in a process that has used SQLite before. */
static void leave_memory_uncounted(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void rest(long us)
{
    const struct timespec time = { .tv_nsec = us * 1000 };

    (void)nanosleep(&time, NULL);
}

/* Looks every millisecond. SQLite's own handler looks less and less often, and would miss the pauses that who
 * has much to do makes for others. */
static int wait_for_others(void *self, int attempts)
{
    (void)self;
    if (attempts >= BUSY_MS)
        return 0;
    rest(1000);
    return 1;
}

void sqlite_let_others(void)
{
    rest(PAUSE_US);
}

static bool open_handle(struct store *store, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int flags = store->mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

    pthread_once(&once, leave_memory_uncounted);
    if (sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return sqlite_fail(store, err);
    sqlite3_busy_handler(store->db, wait_for_others, NULL);
    return true;
}

static void forget_statements(struct store *store)
{
    for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
        sqlite3_finalize(store->statements[i].prepared);
        mem_free(store->statements[i].bound);
    }
    memset(store->statements, 0, sizeof store->statements);
}

/* A store that nobody writes to, in a folder where SQLite may not make its WAL files: read as it lies. */
static bool open_immutable(struct store *store, struct err *err)
{
    struct strbuf uri = STRBUF_EMPTY;
    bool ok;

    forget_statements(store);
    sqlite3_close(store->db);
    strbuf_add(&uri, SPAN("file:"));
    for (const char *c = store->path; *c != '\0'; c++) {
        if (strchr("?#%", *c) != NULL)
            strbuf_printf(&uri, "%%%02x", (unsigned char)*c);
        else
            strbuf_add_char(&uri, *c);
    }
    strbuf_add(&uri, SPAN("?immutable=1"));
    ok = sqlite3_open_v2(strbuf_text(&uri), &store->db,
                         SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK ||
         sqlite_fail(store, err);
    strbuf_clear(&uri);
    return ok;
}

static bool has_wal(const struct store *store)
{
    char *wal = mem_printf("%s-wal", store->path);
    struct stat status;
    bool has = stat(wal, &status) == 0 && status.st_size != 0;

    mem_free(wal);
    return has;
}

/* The first look into the file, which is also when SQLite finds out that it can't. */
static bool read_mark(struct store *store, int64_t *out_application, int64_t *out_version, struct err *err)
{
    if (!sqlite_int(store, "PRAGMA application_id", out_application, err)) {
        bool is_blocked = sqlite3_errcode(store->db) == SQLITE_CANTOPEN ||
                          (sqlite3_errcode(store->db) & 0xff) == SQLITE_READONLY;
        if (store->mode != STORE_READ || !is_blocked || has_wal(store) || !open_immutable(store, err))
            return false;
        if (!sqlite_int(store, "PRAGMA application_id", out_application, err))
            return false;
    }
    return sqlite_int(store, "PRAGMA user_version", out_version, err);
}

static bool is_empty(struct store *store, bool *out_empty, struct err *err)
{
    int64_t count = 0;

    if (!sqlite_int(store, "SELECT count(*) FROM sqlite_schema", &count, err))
        return false;
    *out_empty = count == 0;
    return true;
}

/* A writer looks at one moment: another weir may be making the store just now, and between two looks it would
 * be somebody else's. A reader, which may have to open the file anew, finds no store then and says so. */
static bool read_all_marks(struct store *store, int64_t *out_application, int64_t *out_version,
                           bool *out_empty, struct err *err)
{
    bool is_writer = store->mode == STORE_WRITE;
    bool ok = !is_writer || sqlite_exec(store, "BEGIN", err);

    ok = ok && read_mark(store, out_application, out_version, err) && is_empty(store, out_empty, err);
    if (is_writer)
        sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL); /* nothing was written: it can't matter */
    return ok;
}

static bool check_mark(struct store *store, int64_t *out_version, struct err *err)
{
    int64_t application = 0;
    bool empty = false;

    if (!read_all_marks(store, &application, out_version, &empty, err))
        return false;
    if (application != STORE_APPLICATION_ID) {
        if (application != 0 || !empty || *out_version != 0)
            return err_set(err, ERR_STORE,
                           "'%s' is a database of another program: choose another file with --store",
                           store->path);
        if (store->mode == STORE_READ)
            return err_set(err, ERR_FOUND, "store '%s' is empty: record something with 'weir capture'",
                           store->path);
    }
    if (*out_version > (int64_t)newest_version())
        return err_set(err, ERR_STORE,
                       "store '%s' is of a newer weir (version %lld, this one knows %u): use that",
                       store->path, (long long)*out_version, newest_version());
    if (store->mode == STORE_READ && *out_version < (int64_t)newest_version())
        return err_set(err, ERR_STORE, "store '%s' is of an older weir: 'weir capture' brings it up to date",
                       store->path);
    return true;
}

/* One step up, if another process has not taken it meanwhile. */
static bool migrate_once(struct store *store, bool *out_done, struct err *err)
{
    char mark[96];
    int64_t version = 0;
    struct query query;
    bool ok = false;

    if (!sqlite_exec(store, "BEGIN IMMEDIATE", err))
        return false;
    query = query_begin(store, "PRAGMA user_version");
    if (query_step(&query))
        version = query_column_int(&query, 0);
    if (!query_end(&query, err))
        goto out;
    *out_done = version >= (int64_t)newest_version();
    if (!*out_done) {
        sqlite3_snprintf(sizeof mark, mark, "PRAGMA application_id = %d; PRAGMA user_version = %lld",
                         STORE_APPLICATION_ID, (long long)version + 1);
        if (!sqlite_exec(store, store_schema[version], err) || !sqlite_exec(store, mark, err))
            goto out;
    }
    ok = sqlite_exec(store, "COMMIT", err);
out:
    if (!ok)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool set_up(struct store *store, int64_t version, struct err *err)
{
    bool done = version == (int64_t)newest_version();

    if (store->mode == STORE_READ)
        return sqlite_exec(store, "PRAGMA temp_store = MEMORY", err);
    /* Page size and vacuuming are decided before the first table, the WAL after them. */
    if (version == 0 &&
        !sqlite_exec(store, "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL", err))
        return false;
    if (!sqlite_exec(store,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                     "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;"
                     "PRAGMA cache_size = -8192",
                     err))
        return false;
    /* An index of a large store is sorted in files, which have no name and are nobody else's. */
    while (!done)
        if (!migrate_once(store, &done, err))
            return err_add(err, "bringing the store up to date");
    return sqlite_exec(store, "PRAGMA temp_store = MEMORY", err);
}

/* What is not ours is refused before anything is made beside it; what is missing is made by one weir at a
 * time. */
static bool prepare(struct store *store, struct err *err)
{
    bool is_writer = store->mode == STORE_WRITE;
    int64_t version = 0;
    bool ok;

    if (!check_mark(store, &version, err) || (is_writer && !sqlite_lock_making(store, err)))
        return false;
    ok = set_up(store, version, err);
    if (is_writer)
        sqlite_unlock_making(store);
    return ok;
}

static bool read_body(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    return sqlite_body_lend(self, body, sink, sink_self, err);
}

static int after_commit(void *self, sqlite3 *db, const char *name, int pages)
{
    struct store *store = self;

    (void)db;
    (void)name;
    if (pages < store->wal_pages)
        store->moved_pages = 0; /* it began anew */
    store->wal_pages = pages;
    return SQLITE_OK;
}

bool store_open(const char *path, enum store_mode mode, struct store **out_store, struct err *err)
{
    struct store *store = mem_new(struct store);
    bool ok = false;

    store->mode = mode;
    store->lock_fd = -1;
    if (!refuse_other_kinds(path, err) || (mode == STORE_WRITE && !make_private_file(path, err)) ||
        !resolve(path, &store->path, err) || !open_handle(store, err) || !prepare(store, err) ||
        !filter_functions_register(store->db, &(struct filter_bodies){ read_body, store }, err))
        goto out;
    sqlite3_wal_hook(store->db, after_commit, store);
    *out_store = store;
    store = NULL;
    ok = true;
out:
    store_close(store);
    return ok;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    checkpointer_free(store->aside);
    forget_statements(store);
    sqlite_forget_shares(store);
    sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    mem_free(store->tls_bases);
    mem_free(store->small_bodies);
    mem_free(store->path);
    mem_free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

bool store_set_durable(struct store *store, struct err *err)
{
    return sqlite_exec(store, "PRAGMA synchronous = FULL", err);
}

bool store_begin(struct store *store, struct err *err)
{
    struct query query = query_begin(store, "BEGIN IMMEDIATE");

    return query_run(&query, err);
}

bool store_commit(struct store *store, struct err *err)
{
    struct query query;

    if (!sqlite_settle_shares(store, err))
        return false;
    query = query_begin(store, "COMMIT");
    return query_run(&query, err);
}

void store_rollback(struct store *store)
{
    memset(store->tls_seen, 0, sizeof store->tls_seen);
    memset(store->hosts_seen, 0, sizeof store->hosts_seen);
    sqlite_forget_shares(store);
    store->has_dropped_bodies = true; /* those of the batch */
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

bool store_checkpoint_aside(struct store *store, struct err *err)
{
    return checkpointer_new(store->path, &store->aside, err);
}

void store_checkpoint(struct store *store)
{
    int pages, moved;

    if (store->wal_pages - store->moved_pages < CHECKPOINT_PAGES)
        return;
    if (store->aside != NULL && store->wal_pages < MOST_ASIDE_PAGES)
        checkpointer_ask(store->aside);
    else
        sqlite_checkpoint(store, &pages, &moved);
    store->moved_pages = store->wal_pages;
}
