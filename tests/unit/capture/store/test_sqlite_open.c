#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/store/schema.h"
#include "capture/store/store_write.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

static struct test_folder folder;

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static struct store *open_writing(const char *path)
{
    struct store *store = NULL;
    struct err err;

    if (!store_open(path, STORE_WRITE, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

static void assert_refused(const char *path, enum store_mode mode, enum err_code code, const char *word)
{
    struct store *store = NULL;
    struct err err = { ERR_NONE, "" };

    assert_false(store_open(path, mode, &store, &err));
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, word));
    assert_null(strchr(err.text, '\n'));
}

static void a_new_store_is_private_with_all_its_files(void **state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
    char path[160], file[192];
    struct session_row row;
    struct store *store;
    uint32_t last_seq;
    struct err err;

    (void)state;
    umask(0);
    snprintf(path, sizeof path, "%s/new/deep/weir.db", folder.path);
    store = open_writing(path);
    assert_true(
        store_session_start(store, &(struct store_session_start){ NULL, "", "{}" }, &row, &last_seq, &err));
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        assert_int_equal(mode_of(file), 0600);
    }
    session_row_clear(&row);
    store_close(store);
    umask(022);
    snprintf(file, sizeof file, "%s/new", folder.path);
    assert_int_equal(mode_of(file), 0700);
    snprintf(file, sizeof file, "%s/new/deep", folder.path);
    assert_int_equal(mode_of(file), 0700);
}

static void an_open_store_is_closed_to_others_again(void **state)
{
    (void)state;
    store_close(open_writing(folder.store));
    chmod(folder.store, 0644);
    store_close(open_writing(folder.store));
    assert_int_equal(mode_of(folder.store), 0600);
}

static void what_is_no_store_is_refused_and_left_alone(void **state)
{
    struct store *store;

    (void)state;
    assert_refused(folder.store, STORE_READ, ERR_FOUND, "weir capture");
    assert_refused(folder.path, STORE_READ, ERR_STORE, "not a file");
    assert_refused("postgres://x/y", STORE_WRITE, ERR_USAGE, "file");

    write_file(folder.store,
               "this is a text and long enough to be no empty database at all, surely, by any measure\n");
    assert_refused(folder.store, STORE_WRITE, ERR_STORE, "not a store");
    assert_refused(folder.store, STORE_READ, ERR_STORE, "not a store");
    unlink(folder.store);

    run_sql(folder.store, "CREATE TABLE t (x)");
    assert_refused(folder.store, STORE_WRITE, ERR_STORE, "another program");
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM sqlite_schema"), 1);
    unlink(folder.store);

    store_close(open_writing(folder.store));
    run_sql(folder.store, "PRAGMA user_version = 99");
    assert_refused(folder.store, STORE_WRITE, ERR_STORE, "newer weir");
    assert_refused(folder.store, STORE_READ, ERR_STORE, "newer weir");
    unlink(folder.store);

    write_file(folder.store, "");
    assert_refused(folder.store, STORE_READ, ERR_FOUND, "empty");
    store = open_writing(folder.store);
    store_close(store);
    store_close(test_open(folder.store));
}

/* Root may write anywhere, so root becomes somebody else. */
#define NOBODY 65534

static void a_folder_that_cannot_be_written_is_an_error_and_can_be_read(void **state)
{
    bool is_root = geteuid() == 0;

    (void)state;
    store_close(open_writing(folder.store));
    chmod(folder.store, 0400);
    chmod(folder.path, 0500);
    if (is_root) {
        assert_int_equal(chown(folder.store, NOBODY, NOBODY), 0);
        assert_int_equal(chown(folder.path, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    assert_refused(folder.store, STORE_WRITE, ERR_SYS, "writing");
    store_close(test_open(folder.store));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    chmod(folder.path, 0700);
}

static void two_names_of_a_store_share_its_lock(void **state)
{
    const struct store_session_start start = { "one", "", "{}" };
    char link[128];
    struct store *store, *other;
    struct session_row row, seen;
    uint32_t last_seq;
    struct err err;

    (void)state;
    store = open_writing(folder.store);
    snprintf(link, sizeof link, "%s/link.db", folder.path);
    assert_int_equal(symlink(folder.store, link), 0);
    assert_true(store_session_start(store, &start, &row, &last_seq, &err));
    other = open_writing(link);
    assert_false(store_session_start(other, &start, &seen, &last_seq, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_false(store_session_delete(other, row.id, &err));
    assert_int_equal(err.code, ERR_FOUND);
    session_row_clear(&row);
    store_close(other);
    store_close(store);
}

static void a_store_has_its_settings(void **state)
{
    (void)state;
    store_close(open_writing(folder.store));
    assert_int_equal(test_count(folder.store, "PRAGMA page_size"), 16384);
    assert_int_equal(test_count(folder.store, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(test_count(folder.store, "PRAGMA user_version"), 5);
    assert_int_equal(test_count(folder.store, "PRAGMA application_id"), 0x77656972);
}

static void see_old_exchange(void *self, struct store *store, const struct record *record)
{
    ++*(int *)self;
    (void)store;
    assert_int_equal(record->seq, 1);
    assert_true(span_eq(record->path, SPAN("/old")));
    assert_int_equal(record->messages, 0);
    assert_int_equal(record->protocol.len, 0);
}

/* As the first weir left it. */
static void a_store_of_version_1_is_brought_up_to_date(void **state)
{
    int seen = 0;

    (void)state;
    run_sql(folder.store, "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL;"
                          "PRAGMA application_id = 0x77656972; PRAGMA user_version = 1");
    run_sql(folder.store, store_schema[0]);
    run_sql(
        folder.store,
        "INSERT INTO session (uid, name, state, started_us) VALUES ('u', 'old', 'ended', 1);"
        "INSERT INTO exchange (id, session, seq, uid, state, started_us, client_addr, method, scheme, host,"
        " port, path, request_version, request_headers)"
        " VALUES (4294967297, 1, 1, x'', 1, 1, '', 'GET', 'http', 'a.test', 80, '/old', 11, '[]')");
    assert_refused(folder.store, STORE_READ, ERR_STORE, "older weir");
    store_close(open_writing(folder.store));
    assert_int_equal(test_count(folder.store, "PRAGMA user_version"), 5);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM message"), 0);
    /* INDEXED BY fails where the index can't be used: a large body would be looked for in all of them. */
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM body INDEXED BY body_hash"
                                              " WHERE hash = 1 AND size >= 8192"),
                     0);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM exchange INDEXED BY exchange_columns"
                                              " WHERE path = '/old'"),
                     1);
    test_each(folder.store, 1, see_old_exchange, &seen);
    assert_int_equal(seen, 1);
}

/* Asked of the system by another process: a process is not told of its own locks. */
static bool is_locked_for_others(const char *path)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd = open(path, O_RDWR);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Whoever closes a file loses all locks that his process has on it. Without SQLite's, another process that
 * ends would take itself for the last and take the WAL away from under those that write. */
static void a_second_handle_leaves_the_locks_of_the_first(void **state)
{
    struct store *first, *second;

    (void)state;
    first = open_writing(folder.store);
    assert_true(is_locked_for_others(folder.store));
    second = open_writing(folder.store);
    assert_true(is_locked_for_others(folder.store));
    store_close(second);
    assert_true(is_locked_for_others(folder.store));
    store_close(first);
    assert_false(is_locked_for_others(folder.store));
}

/* Whether a process that ends takes itself for the last, and so the WAL away, is up to the locks of the
 * others. */
static void who_ends_leaves_the_wal_to_who_still_writes(void **state)
{
    struct store *store, *second;
    char *wal = mem_printf("%s-wal", folder.store);
    struct err err;
    int go[2], status;
    char byte = 'x';
    pid_t other;

    (void)state;
    assert_int_equal(pipe(go), 0);
    other = fork(); /* before there are threads and handles */
    if (other == 0) {
        if (read(go[0], &byte, 1) == 1)
            run_sql(folder.store, "CREATE TABLE other (x)");
        _exit(0);
    }
    store = open_writing(folder.store);
    assert_true(store_checkpoint_aside(store, &err));
    second = open_writing(folder.store);
    store_close(second);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_int_equal(access(wal, F_OK), 0);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM sqlite_schema WHERE name = 'other'"), 1);
    store_close(store);
    close(go[0]);
    close(go[1]);
    mem_free(wal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_store_is_private_with_all_its_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_store_is_closed_to_others_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_refused_and_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_an_error_and_can_be_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_names_of_a_store_share_its_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_handle_leaves_the_locks_of_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_ends_leaves_the_wal_to_who_still_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_has_its_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_of_version_1_is_brought_up_to_date, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
