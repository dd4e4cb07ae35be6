#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

/* What a killed weir may lose, by promise 1. */
#define LOSS_US 250000

#define ROUNDS   20
#define MAX_TOLD 20000
#define STEP_BYTES                                                                                           \
    300 /* a piece of the download takes most of a second: it is held and flushed many times                 \
         */

/* What the child told, seen by the parent after it was killed. Each entry is complete once count is above it.
 */
struct told {
    atomic_uint count;
    struct {
        uint64_t at_us;
        uint64_t body_bytes; /* of the download under way */
    } entries[MAX_TOLD];
    /* How late the child's own loop was at worst: on a busy machine nothing keeps its time. */
    atomic_uint_fast64_t late_us;
};

static void assert_sound(const char *path)
{
    assert_int_equal(test_count(path, "PRAGMA integrity_check"), 1);
    assert_int_equal(test_count(path, "SELECT count(*) FROM body WHERE refs <> "
                                      "(SELECT count(*) FROM exchange WHERE request_body = body.id) + "
                                      "(SELECT count(*) FROM exchange WHERE response_body = body.id) + "
                                      "(SELECT count(*) FROM body_piece WHERE piece = body.id)"),
                     0);
    assert_int_equal(test_count(path, "SELECT count(*) FROM body WHERE bytes IS NOT NULL AND hash IS NULL"),
                     0);
    assert_int_equal(test_count(path, "SELECT count(*) FROM exchange WHERE messages <> "
                                      "(SELECT count(*) FROM message WHERE exchange = exchange.id)"),
                     0);
    assert_int_equal(
        test_count(path, "SELECT count(*) FROM message WHERE exchange NOT IN (SELECT id FROM exchange)"), 0);
}

static void begin_talk(struct test_exchange *x, struct recorder *recorder)
{
    static const char *const websocket[] = { "Connection: Upgrade", "Upgrade: websocket", NULL };

    test_begin(x, recorder, "GET", "a.test", "/talk", websocket);
    test_respond(x, 101, websocket);
}

/* Small exchanges beside a WebSocket and one download that go on, about a thousand a second, until killed. */
static void record_until_killed(const char *path, struct told *told)
{
    static char bytes[STEP_BYTES];
    struct capture *capture = NULL;
    struct test_exchange download, talk;
    struct recorder *recorder;
    uint64_t last_tick_us, body_bytes = 0;
    struct err err;

    if (!capture_start(path, &(struct capture_options){ .session_name = "killed" }, &capture, &err))
        _exit(1);
    recorder = capture_recorder(capture, test_no_wake, NULL);
    test_begin(&download, recorder, "GET", "a.test", "/download", NULL);
    test_respond(&download, 200, NULL);
    begin_talk(&talk, recorder);
    last_tick_us = clock_mono_us();
    for (unsigned i = 0; i < MAX_TOLD; i++) {
        uint64_t now_us;
        char target[32];
        snprintf(target, sizeof target, "/%u", i);
        memset(bytes, (int)i, sizeof bytes);
        test_exchange(recorder, "a.test", target, span_make(bytes, 100));
        test_body(&download, HTTP_RESPONSE, span_make(bytes, sizeof bytes));
        test_upgraded(&talk, HTTP_RESPONSE, SPAN("\x81\x05hello"));
        body_bytes += sizeof bytes;
        now_us = clock_mono_us();
        told->entries[i].at_us = now_us;
        told->entries[i].body_bytes = body_bytes;
        atomic_store(&told->count, i + 1);
        if (now_us - last_tick_us >= 50000) {
            uint64_t late_us = now_us - last_tick_us - 50000;
            if (late_us > atomic_load(&told->late_us))
                atomic_store(&told->late_us, late_us);
            recorder_tick(recorder);
            last_tick_us = now_us;
        }
        poll(NULL, 0, 1);
    }
    _exit(0);
}

struct findings {
    uint32_t small; /* how many of them from /0 on */
    uint64_t bytes; /* of the download */
    uint32_t messages;
    int open;
};

static void check_found(void *self, struct store *store, const struct record *record)
{
    struct findings *findings = self;
    struct strbuf bytes = STRBUF_EMPTY;

    if (record->state == RECORD_OPEN)
        findings->open++;
    if (span_eq(record->path, SPAN("/talk"))) {
        findings->messages = record->messages;
        return;
    }
    if (!span_eq(record->path, SPAN("/download"))) {
        findings->small += record->state == RECORD_DONE;
        return;
    }
    assert_int_equal(record->state, RECORD_ABORTED);
    assert_true(span_starts(record->error, SPAN("interrupted")));
    test_read_body(store, record->response_body.id, &bytes);
    assert_int_equal(bytes.len, record->response_body.kept);
    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.ptr[i] != (unsigned char)(i / STEP_BYTES))
            fail_msg("byte %zu is not what was told", i);
    findings->bytes = bytes.len;
    strbuf_clear(&bytes);
}

static void assert_state(const char *path, enum session_state expected)
{
    struct store *store = test_open(path);
    struct session_row row;
    struct err err;

    assert_true(store_find_session(store, "killed", &row, &err));
    assert_int_equal(row.state, expected);
    session_row_clear(&row);
    store_close(store);
}

static void kill_once(struct told *told, int after_ms)
{
    struct findings findings = { 0 };
    struct test_folder folder;
    struct store *store;
    unsigned mended = 0, safe = 0;
    uint64_t killed_us;
    struct err err;
    pid_t child;

    test_folder_make(&folder);
    atomic_store(&told->count, 0);
    atomic_store(&told->late_us, 0);
    child = fork();
    if (child == 0)
        record_until_killed(folder.store, told);
    while (atomic_load(&told->count) == 0)
        poll(NULL, 0, 1);
    poll(NULL, 0, after_ms); /* the moment of the kill, not a wait for something */
    killed_us = clock_mono_us();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);

    assert_state(folder.store, SESSION_INTERRUPTED);
    assert_true(store_open(folder.store, STORE_WRITE, &store, &err));
    assert_true(store_mend(store, &mended, &err));
    store_close(store);
    assert_int_equal(mended, 1);
    assert_state(folder.store, SESSION_INTERRUPTED);
    test_each(folder.store, 1, check_found, &findings);
    while (safe < atomic_load(&told->count) &&
           told->entries[safe].at_us + LOSS_US + atomic_load(&told->late_us) < killed_us)
        safe++;
    assert_true(findings.small >= safe);
    assert_true(findings.messages >= safe);
    assert_true(safe == 0 || findings.bytes >= told->entries[safe - 1].body_bytes);
    assert_int_equal(findings.open, 0);
    assert_sound(folder.store);
    test_folder_remove(&folder);
}

static void what_was_told_before_a_kill_is_in_the_store(void **state)
{
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(told != MAP_FAILED);
    srand(7);
    for (int i = 0; i < ROUNDS; i++)
        kill_once(told, rand() % 600);
    munmap(told, sizeof *told);
}

#define EACH 400

static void record_some(const char *path, int number)
{
    struct capture *capture = NULL;
    struct capture_summary summary;
    struct recorder *recorder;
    struct err err;

    if (!capture_start(path, &(struct capture_options){ 0 }, &capture, &err))
        _exit(1);
    recorder = capture_recorder(capture, test_no_wake, NULL);
    for (int i = 0; i < EACH; i++) {
        static char body[8192]; /* the same in both, and large enough to be shared by them */
        snprintf(body, sizeof body, "body %d", i);
        test_exchange(recorder, number == 0 ? "a.test" : "b.test", "/", span_make(body, sizeof body));
        if (i % 20 == 0)
            poll(NULL, 0, 5); /* so that both write many batches */
    }
    recorder_free(recorder);
    _exit(capture_end(capture, &summary, &err) && summary.exchanges == EACH ? 0 : 2);
}

static void two_processes_record_into_one_store(void **state)
{
    struct test_folder folder;
    pid_t children[2];

    (void)state;
    test_folder_make(&folder);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0)
            record_some(folder.store, i);
    }
    for (int i = 0; i < 2; i++) {
        int status;
        waitpid(children[i], &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM session WHERE state = 'ended'"), 2);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM exchange"), 2 * EACH);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM body"), EACH);
    assert_sound(folder.store);
    test_folder_remove(&folder);
}

static void record_session(const char *path, const char *name, size_t big_bytes)
{
    struct capture *capture = NULL;
    struct capture_summary summary;
    struct recorder *recorder;
    struct test_exchange x;
    char *big = mem_zalloc(big_bytes);
    static char shared[8192]; /* as large as what is shared with earlier sessions */
    struct err err;

    memset(shared, 's', sizeof shared);
    memset(big, name[0], big_bytes);
    for (size_t i = 0; i < big_bytes; i += 1000)
        memcpy(big + i, &i, sizeof i);
    assert_true(capture_start(path, &(struct capture_options){ .session_name = name }, &capture, &err));
    recorder = capture_recorder(capture, test_no_wake, NULL);
    test_exchange(recorder, "a.test", "/shared", span_make(shared, sizeof shared));
    test_exchange(recorder, "a.test", "/own", span_of(name));
    test_exchange(recorder, "a.test", "/big", span_make(big, big_bytes));
    test_begin(&x, recorder, "GET", "a.test", "/", (const char *const[]){ "Cookie: a=1", NULL });
    test_end(&x, TAP_DONE);
    recorder_free(recorder);
    assert_true(capture_end(capture, &summary, &err));
    mem_free(big);
}

static void a_deleted_session_takes_what_only_it_used(void **state)
{
    struct test_folder folder;
    struct session_row row;
    struct store *store;
    int64_t pages;
    struct err err;

    (void)state;
    test_folder_make(&folder);
    record_session(folder.store, "keep", 16);
    record_session(folder.store, "away", 30 * 1024 * 1024 + 8);
    pages = test_count(folder.store, "PRAGMA page_count");
    assert_true(store_open(folder.store, STORE_WRITE, &store, &err));
    assert_true(store_find_session(store, "away", &row, &err));
    assert_true(store_session_delete(store, row.id, &err));
    session_row_clear(&row);
    assert_false(store_find_session(store, "away", &row, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_non_null(strstr(err.text, "'keep'"));
    store_close(store);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM session"), 1);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM exchange"), 4);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM cookie"), 1);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM host"), 1);
    assert_int_equal(test_count(folder.store, "SELECT count(*) FROM body"), 3);
    assert_int_equal(test_count(folder.store, "PRAGMA freelist_count"), 0);
    assert_true(test_count(folder.store, "PRAGMA page_count") < pages - 30 * 1024 * 1024 / 16384);
    assert_sound(folder.store);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_before_a_kill_is_in_the_store),
        cmocka_unit_test(two_processes_record_into_one_store),
        cmocka_unit_test(a_deleted_session_takes_what_only_it_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
