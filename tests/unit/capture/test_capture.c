#include "capture/capture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "capture/filter.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

struct world {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    int64_t session;
    struct capture_summary summary;
};

static void start(struct world *world, struct capture_options options)
{
    struct err err;

    if (world->folder.path[0] == '\0')
        test_folder_make(&world->folder);
    if (!capture_start(world->folder.store, &options, &world->capture, &err))
        fail_msg("%s", err.text);
    world->session = capture_session(world->capture);
    world->recorder = capture_recorder(world->capture, test_no_wake, NULL);
}

static void end(struct world *world)
{
    struct err err;

    recorder_free(world->recorder);
    if (!capture_end(world->capture, &world->summary, &err))
        fail_msg("%s", err.text);
}

static int64_t number(struct world *world, const char *sql)
{
    return test_count(world->folder.store, sql);
}

static struct filter *parse(const char *text)
{
    struct filter *filter = NULL;
    struct err err;

    if (!filter_parse(text, &filter, &err))
        fail_msg("%s", err.text);
    return filter;
}

/* The state of the store after which nothing points to what is not there. */
static void assert_sound(struct world *world)
{
    assert_int_equal(number(world, "PRAGMA integrity_check"), 1);
    assert_int_equal(number(world, "SELECT count(*) FROM body WHERE refs <> "
                                   "(SELECT count(*) FROM exchange WHERE request_body = body.id) + "
                                   "(SELECT count(*) FROM exchange WHERE response_body = body.id) + "
                                   "(SELECT count(*) FROM body_piece WHERE piece = body.id)"),
                     0);
    assert_int_equal(number(world, "SELECT count(*) FROM body_piece WHERE body NOT IN (SELECT id FROM body)"),
                     0);
}

static void check_whole(void *self, struct store *store, const struct record *record)
{
    struct strbuf bytes = STRBUF_EMPTY;
    struct span value;

    ++*(int *)self;
    assert_int_equal(record->seq, 1);
    assert_int_equal(record->state, RECORD_DONE);
    assert_int_equal(strlen(record->uid), 36);
    assert_true(span_eq(record->method, SPAN("P\xc3\x96ST")));
    assert_true(span_eq(record->host, SPAN("a.test")));
    assert_true(span_eq(record->path, SPAN("/p\xff")));
    assert_true(span_eq(record->query, SPAN("q=1")));
    assert_int_equal(record->request_version, 11);
    assert_int_equal(record->status, 201);
    assert_true(span_eq(record->reason, SPAN("Fine")));
    assert_int_equal(record->request_headers.count, 2);
    assert_true(record_find(&record->request_headers, SPAN("x-odd"), &value));
    assert_true(span_eq(value, SPAN("\"\\\t\xe9\xff")));
    assert_int_equal(record->response_headers.count, 1);
    assert_true(span_eq(record->response_type, SPAN("text/html")));
    assert_int_equal(record->response_trailers.count, 1);
    assert_true(span_eq(record->interim, SPAN("[[103,[[\"Link\",\"</x>\"]]]]")));
    assert_true(span_eq(record->origin_tls, SPAN("{\"version\":\"TLSv1.3\"}")));
    assert_int_equal(record->client_tls.len, 0);
    assert_true(span_eq(record->origin_addr, SPAN("198.51.100.7:80")));
    assert_int_equal(record->times[TAP_T_ACCEPTED], -70);
    assert_int_equal(record->times[TAP_T_DNS_START], TAP_NEVER);
    assert_int_equal(record->request_wire_bytes, 300);
    assert_int_equal(record->attempts, 2);
    assert_int_equal(record->flags, TAP_RETRIED);
    assert_int_equal(record->request_body.bytes, 5);
    test_read_body(store, record->request_body.id, &bytes);
    assert_string_equal(strbuf_text(&bytes), "hello");
    test_read_body(store, record->response_body.id, &bytes);
    assert_string_equal(strbuf_text(&bytes), "good bye");
    strbuf_clear(&bytes);
}

static void what_is_told_is_what_a_reader_gets(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;
    struct http_head *trailers = test_response(0, (const char *const[]){ "X-Sum: 1", NULL });
    struct tap_tls *tls = tap_tls_new(mem_strdup("{\"version\":\"TLSv1.3\"}"));
    int count = 0;

    (void)state;
    start(&world, (struct capture_options){ 0 });
    test_begin(&x, world.recorder, "P\xc3\x96ST", "a.test", "http://a.test/p\xff?q=1",
               (const char *const[]){ "Host: a.test", "X-odd: \"\\\t\xe9\xff", NULL });
    x.exchange.times[TAP_T_ACCEPTED] = -70;
    x.exchange.request_wire_bytes = 300;
    x.exchange.attempts = 2;
    x.exchange.flags = TAP_RETRIED;
    test_body(&x, HTTP_REQUEST, SPAN("hel"));
    test_body(&x, HTTP_REQUEST, SPAN("lo"));
    test_respond(&x, 103, (const char *const[]){ "Link: </x>", NULL });
    test_respond(&x, 201, (const char *const[]){ "Content-Type: Text/HTML ; charset=x", NULL });
    test_body(&x, HTTP_RESPONSE, SPAN("good bye"));
    tap_end(&x.line, HTTP_REQUEST, NULL);
    tap_end(&x.line, HTTP_RESPONSE, &trailers->headers);
    x.exchange.origin_tls = tls;
    tap_done(&x.line, TAP_DONE);
    http_head_free(trailers);
    tap_tls_unref(tls);
    end(&world);
    test_each(world.folder.store, world.session, check_whole, &count);
    assert_int_equal(count, 1);
    assert_sound(&world);
    test_folder_remove(&world.folder);
}

static void a_summary_counts_what_passed(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world, (struct capture_options){ .session_name = "sum" });
    test_exchange(world.recorder, "a.test", "/1", SPAN("12345"));
    test_exchange(world.recorder, "b.test", "/2", SPAN("12345"));
    test_begin(&x, world.recorder, "GET", "b.test", "/3", NULL);
    test_end(&x, TAP_ABORTED);
    end(&world);
    assert_int_equal(world.summary.exchanges, 3);
    assert_int_equal(world.summary.seen, 3);
    assert_int_equal(world.summary.errors, 1);
    assert_int_equal(world.summary.hosts, 2);
    assert_int_equal(world.summary.response_bytes, 10);
    assert_string_equal(world.summary.incomplete, "");
    assert_int_equal(number(&world, "SELECT count(*) FROM session WHERE name = 'sum' AND state = 'ended'"),
                     1);
    assert_int_equal(
        number(&world, "SELECT count(*) FROM exchange WHERE state = 2 AND error LIKE '%client%'"), 1);
    test_folder_remove(&world.folder);
}

static void equal_bodies_are_stored_once(void **state)
{
    struct world world = { 0 };
    size_t len = 700 * 1024;
    char *big = mem_alloc(len);

    (void)state;
    for (size_t i = 0; i < len; i++)
        big[i] = (char)(i * 7 + i / 1000);
    start(&world, (struct capture_options){ 0 });
    for (int i = 0; i < 5; i++)
        test_exchange(world.recorder, "a.test", "/same", SPAN("the same"));
    test_exchange(world.recorder, "a.test", "/other", SPAN("another"));
    for (int i = 0; i < 2; i++)
        test_exchange(world.recorder, "a.test", "/big", span_make(big, len));
    end(&world);
    assert_int_equal(number(&world, "SELECT count(*) FROM body WHERE bytes IS NOT NULL"), 2 + 3);
    assert_int_equal(number(&world, "SELECT sum(size) FROM body WHERE bytes IS NOT NULL"), 8 + 7 + len);
    assert_int_equal(number(&world, "SELECT refs FROM body WHERE size = 8"), 5);
    assert_sound(&world);
    mem_free(big);
    test_folder_remove(&world.folder);
}

struct expected {
    struct span bytes;
    int seen;
};

static void check_body(void *self, struct store *store, const struct record *record)
{
    struct expected *expected = self;
    struct strbuf bytes = STRBUF_EMPTY;

    expected->seen++;
    test_read_body(store, record->response_body.id, &bytes);
    assert_int_equal(record->response_body.kept, expected->bytes.len);
    assert_int_equal(bytes.len, expected->bytes.len);
    assert_memory_equal(bytes.ptr, expected->bytes.ptr, bytes.len);
    strbuf_clear(&bytes);
}

/* The real clock, but that a test may move it on. */
static _Atomic uint64_t skipped_us;

static uint64_t skipping_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + skipped_us;
}

/* What is held is old enough now. */
static void tick(struct world *world)
{
    skipped_us += 30000;
    recorder_tick(world->recorder);
}

/* Small ones only while the same weir remembers them: an index over them would cost more than they do. */
static void only_large_bodies_are_shared_with_earlier_sessions(void **state)
{
    static char large[8192], small[8191];
    struct world world = { 0 };

    (void)state;
    memset(large, 'l', sizeof large);
    memset(small, 's', sizeof small);
    for (int session = 0; session < 2; session++) {
        start(&world, (struct capture_options){ 0 });
        for (int i = 0; i < 3; i++) {
            test_exchange(world.recorder, "a.test", "/large", span_make(large, sizeof large));
            test_exchange(world.recorder, "a.test", "/small", span_make(small, sizeof small));
        }
        end(&world);
    }
    assert_int_equal(number(&world, "SELECT refs FROM body WHERE size = 8192"), 6);
    assert_int_equal(number(&world, "SELECT count(*) FROM body WHERE size = 8191 AND refs = 3"), 2);
    assert_int_equal(number(&world, "SELECT count(*) FROM body"), 3);
    test_folder_remove(&world.folder);
}

static void a_trickling_body_becomes_shared_pieces(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;
    size_t len = 600 * 1000;
    struct expected expected = { { mem_zalloc(len), len }, 0 };

    (void)state;
    for (size_t i = 0; i < len; i++)
        ((char *)expected.bytes.ptr)[i] = (char)(i * 13 + i / 777);
    start(&world, (struct capture_options){ 0 });
    test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
    test_respond(&x, 200, NULL);
    for (size_t i = 0; i < len; i += 7500) {
        test_body(&x, HTTP_RESPONSE, span_sub(expected.bytes, i, 7500));
        tick(&world);
    }
    test_end(&x, TAP_DONE);
    test_exchange(world.recorder, "a.test", "/", expected.bytes); /* the same at once shares its pieces */
    end(&world);
    test_each(world.folder.store, world.session, check_body, &expected);
    assert_int_equal(expected.seen, 2);
    assert_int_equal(number(&world, "SELECT count(*) FROM body WHERE bytes IS NOT NULL"), 3);
    assert_int_equal(number(&world, "SELECT count(*) FROM body WHERE bytes IS NOT NULL AND hash IS NULL"), 0);
    assert_sound(&world);
    mem_free((void *)expected.bytes.ptr);
    test_folder_remove(&world.folder);
}

static void limits_cut_what_is_kept_and_not_what_is_counted(void **state)
{
    static const struct {
        struct capture_options options;
        const char *type;
        int64_t kept;
    } cases[] = {
        { { .no_bodies = true }, "text/plain", 0 },      { { .max_body = 4 }, "text/plain", 4 },
        { { .skip_media = true }, "Image/png", 0 },      { { .skip_media = true }, "text/plain", 10 },
        { { .max_body = 100 }, "application/json", 10 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = { 0 };
        struct test_exchange x;
        char type[64];
        snprintf(type, sizeof type, "Content-Type: %s", cases[i].type);
        start(&world, cases[i].options);
        test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
        test_respond(&x, 200, (const char *const[]){ type, NULL });
        test_body(&x, HTTP_RESPONSE, SPAN("01234"));
        test_body(&x, HTTP_RESPONSE, SPAN("56789"));
        test_end(&x, TAP_DONE);
        end(&world);
        assert_int_equal(number(&world, "SELECT response_bytes FROM exchange"), 10);
        assert_int_equal(number(&world, "SELECT response_kept FROM exchange"), cases[i].kept);
        assert_int_equal(number(&world, "SELECT coalesce(sum(size), 0) FROM body"), cases[i].kept);
        test_folder_remove(&world.folder);
    }
}

static void what_the_filter_leaves_out_is_counted_and_gives_its_cookies(void **state)
{
    static const char *const filters[] = { "method:POST", "status:404", "body:needle" };

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct world world = { 0 };
        struct test_exchange x;
        struct filter *filter = parse(filters[i]);
        start(&world, (struct capture_options){ .filter = filter });
        test_begin(&x, world.recorder, "GET", "a.test", "/",
                   (const char *const[]){ "Cookie: a=1; b=2", NULL });
        test_respond(&x, 200, (const char *const[]){ "Set-Cookie: c=3; Path=/", NULL });
        test_body(&x, HTTP_RESPONSE, SPAN("hay"));
        test_end(&x, TAP_DONE);
        test_begin(&x, world.recorder, "POST", "a.test", "/", NULL);
        test_respond(&x, 404, NULL);
        test_body(&x, HTTP_RESPONSE, SPAN("a needle in it"));
        test_end(&x, TAP_DONE);
        end(&world);
        filter_unref(filter);
        assert_int_equal(world.summary.exchanges, 1);
        assert_int_equal(world.summary.seen, 2);
        assert_int_equal(world.summary.filtered, 1);
        assert_int_equal(world.summary.response_bytes, 17);
        assert_int_equal(
            number(&world, "SELECT count(*) FROM exchange WHERE method = 'POST' AND provisional = 0"), 1);
        assert_int_equal(number(&world, "SELECT count(*) FROM exchange"), 1);
        assert_int_equal(number(&world, "SELECT count(*) FROM body"), 1);
        assert_int_equal(number(&world, "SELECT count(*) FROM cookie WHERE seq = 0"), 3);
        assert_sound(&world);
        test_folder_remove(&world.folder);
    }
}

/* Waits for the writer; the condition is a number that becomes 1. */
static void wait_until(struct world *world, const char *sql)
{
    while (number(world, sql) != 1)
        sched_yield();
}

static void count_record(void *self, struct store *store, const struct record *record)
{
    (void)store;
    (void)record;
    ++*(int *)self;
}

static void an_undecided_exchange_is_invisible_and_a_late_no_takes_it_out(void **state)
{
    struct world world = { 0 };
    struct test_exchange x, y;
    struct filter *filter = parse("status:404");
    int visible = 0;

    (void)state;
    start(&world, (struct capture_options){ .filter = filter });
    test_begin(&x, world.recorder, "POST", "a.test", "/no", (const char *const[]){ "Cookie: a=1", NULL });
    test_begin(&y, world.recorder, "POST", "b.test", "/yes", NULL);
    test_body(&x, HTTP_REQUEST, SPAN("early"));
    tick(&world);
    wait_until(&world, "SELECT count(*) = 2 AND sum(request_kept) = 5 FROM exchange WHERE provisional = 1");
    test_each(world.folder.store, world.session, count_record, &visible);
    assert_int_equal(visible, 0);
    test_respond(&x, 200, NULL);
    test_respond(&y, 404, NULL);
    wait_until(&world, "SELECT count(*) = 0 FROM exchange WHERE path = '/no'");
    assert_int_equal(number(&world, "SELECT count(*) FROM body"), 0);
    assert_int_equal(number(&world, "SELECT seq FROM cookie"), 0);
    test_end(&x, TAP_DONE);
    test_end(&y, TAP_DONE);
    end(&world);
    test_each(world.folder.store, world.session, count_record, &visible);
    assert_int_equal(visible, 1);
    assert_int_equal(world.summary.exchanges, 1);
    assert_int_equal(world.summary.hosts, 1);
    assert_int_equal(world.summary.filtered, 1);
    assert_sound(&world);
    filter_unref(filter);
    test_folder_remove(&world.folder);
}

static void while_paused_exchanges_are_counted_only(void **state)
{
    struct world world = { 0 };
    struct test_exchange before;

    (void)state;
    start(&world, (struct capture_options){ 0 });
    test_begin(&before, world.recorder, "GET", "a.test", "/before", NULL);
    capture_set_paused(world.capture, true);
    wait_until(&world, "SELECT state = 'paused' FROM session");
    test_exchange(world.recorder, "a.test", "/paused", SPAN("xx"));
    test_respond(&before, 200, NULL);
    test_end(&before, TAP_DONE);
    capture_set_paused(world.capture, false);
    test_exchange(world.recorder, "a.test", "/after", SPAN("xx"));
    end(&world);
    assert_int_equal(world.summary.exchanges, 2);
    assert_int_equal(world.summary.seen, 3);
    assert_int_equal(world.summary.response_bytes, 4);
    assert_int_equal(number(&world, "SELECT count(*) FROM exchange WHERE path = '/before' AND status = 200"),
                     1);
    assert_int_equal(number(&world, "SELECT count(*) FROM event WHERE kind IN ('paused', 'resumed')"), 2);
    test_folder_remove(&world.folder);
}

static void a_sent_cookie_is_kept_when_it_differs_from_the_last(void **state)
{
    static const char *const sent[] = { "a=1; b=2", "a=1; b=2", "a=1; b=3", "a=1; b=2" };
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world, (struct capture_options){ 0 });
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "Cookie: %s", sent[i]);
        test_begin(&x, world.recorder, "GET", "a.test", "/", (const char *const[]){ line, NULL });
        test_end(&x, TAP_DONE);
    }
    end(&world);
    assert_int_equal(number(&world, "SELECT count(*) FROM cookie WHERE name = CAST('a' AS BLOB)"), 1);
    assert_int_equal(number(&world, "SELECT count(*) FROM cookie WHERE name = CAST('b' AS BLOB)"), 3);
    test_folder_remove(&world.folder);
}

struct jar {
    int count;
    uint64_t last_us;
};

static bool check_cookie(void *self, const struct cookie_row *row)
{
    struct jar *jar = self;

    assert_true(row->time_us >= jar->last_us);
    jar->last_us = row->time_us;
    jar->count++;
    assert_true(span_eq(row->host, SPAN("a.test")));
    assert_true(span_eq(row->name, SPAN("n\xe9")));
    assert_true(span_eq(row->value, SPAN("v=w")));
    assert_true(span_eq(row->line, SPAN("n\xe9=v=w ; Path=/; Secure")));
    assert_int_equal(row->source, COOKIE_SET);
    assert_int_equal(row->seq, jar->count);
    return true;
}

static void a_set_cookie_is_kept_as_it_came(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;
    struct jar jar = { 0 };
    struct store *store;
    struct err err;

    (void)state;
    start(&world, (struct capture_options){ 0 });
    for (int i = 0; i < 300; i++) { /* more than a reader takes at once */
        test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
        test_respond(&x, 200, (const char *const[]){ "Set-Cookie: n\xe9=v=w ; Path=/; Secure", NULL });
        test_end(&x, TAP_DONE);
    }
    end(&world);
    store = test_open(world.folder.store);
    assert_true(store_cookies(store, world.session, check_cookie, &jar, &err));
    assert_int_equal(jar.count, 300);
    store_close(store);
    test_folder_remove(&world.folder);
}

static void note_news(void *self, unsigned news)
{
    atomic_fetch_or((atomic_uint *)self, news);
}

static void with_cookies_only_nothing_else_is_kept(void **state)
{
    static atomic_uint news;
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world,
          (struct capture_options){ .cookies_only = true, .on_commit = note_news, .on_commit_self = &news });
    test_begin(&x, world.recorder, "POST", "a.test", "/login",
               (const char *const[]){ "Cookie: old=1", NULL });
    test_body(&x, HTTP_REQUEST, SPAN("secret"));
    test_respond(&x, 200, (const char *const[]){ "Set-Cookie: sid=1", NULL });
    test_body(&x, HTTP_RESPONSE, SPAN("hello"));
    test_end(&x, TAP_DONE);
    end(&world);
    assert_int_equal(number(&world, "SELECT count(*) FROM exchange"), 0);
    assert_int_equal(number(&world, "SELECT count(*) FROM body"), 0);
    assert_int_equal(number(&world, "SELECT count(*) FROM cookie WHERE path = '/login' AND seq = 0"), 2);
    assert_int_equal(world.summary.exchanges, 0);
    assert_int_equal(world.summary.seen, 1);
    assert_int_equal(world.summary.filtered, 0);
    assert_int_equal(world.summary.request_bytes, 6);
    assert_int_equal(atomic_load(&news), CAPTURE_NEW_COOKIES);
    test_folder_remove(&world.folder);
}

static void each_batch_tells_what_is_new(void **state)
{
    static atomic_uint news;
    struct world world = { 0 };

    (void)state;
    start(&world, (struct capture_options){ .on_commit = note_news, .on_commit_self = &news });
    test_exchange(world.recorder, "a.test", "/", SPAN("hello"));
    end(&world);
    assert_int_equal(atomic_load(&news), CAPTURE_NEW_EXCHANGES);
    test_folder_remove(&world.folder);
}

static bool check_event(void *self, const struct event_row *row)
{
    ++*(int *)self;
    assert_true(span_eq(row->kind, SPAN("untrusted-ca")));
    assert_true(span_eq(row->host, SPAN("a.test")));
    assert_true(span_eq(row->text, SPAN("caf\xc3\xa9")));
    return true;
}

static void a_notice_becomes_an_event(void **state)
{
    struct world world = { 0 };
    const struct tap_notice notice = { 7, "untrusted-ca", "192.0.2.1:1", "a.test", "caf\xc3\xa9", 0, NULL };
    struct store *store;
    struct err err;
    int count = 0;

    (void)state;
    start(&world, (struct capture_options){ 0 });
    recorder_listener.on_notice(world.recorder, &notice);
    end(&world);
    store = test_open(world.folder.store);
    assert_true(store_events(store, world.session, check_event, &count, &err));
    assert_int_equal(count, 1);
    store_close(store);
    test_folder_remove(&world.folder);
}

static void a_session_of_that_name_is_continued_or_refused(void **state)
{
    struct world world = { 0 };
    struct capture *second = NULL;
    int64_t first;
    struct err err;

    (void)state;
    start(&world, (struct capture_options){ .session_name = "login" });
    test_exchange(world.recorder, "a.test", "/1", SPAN("x"));
    assert_false(capture_start(world.folder.store, &(struct capture_options){ .session_name = "login" },
                               &second, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_false(
        capture_start(world.folder.store, &(struct capture_options){ .session_name = "a/b" }, &second, &err));
    assert_int_equal(err.code, ERR_USAGE);
    first = world.session;
    end(&world);
    start(&world, (struct capture_options){ .session_name = "login" });
    assert_int_equal(world.session, first);
    test_exchange(world.recorder, "b.test", "/2", SPAN("x"));
    end(&world);
    assert_int_equal(world.summary.exchanges, 2);
    assert_int_equal(world.summary.hosts, 2);
    assert_int_equal(number(&world, "SELECT max(seq) FROM exchange"), 2);
    test_folder_remove(&world.folder);
}

static uint64_t fixed_wall(void)
{
    return UINT64_C(1795300000000000);
}

static void a_default_name_that_clashes_gets_a_number(void **state)
{
    struct world world = { 0 };
    struct capture *second = NULL;
    struct capture_summary summary;
    char first[64];
    struct err err;

    (void)state;
    clock_replace(skipping_clock, fixed_wall);
    start(&world, (struct capture_options){ 0 });
    snprintf(first, sizeof first, "%s (2)", capture_session_name(world.capture));
    assert_true(capture_start(world.folder.store, &(struct capture_options){ 0 }, &second, &err));
    assert_string_equal(capture_session_name(second), first);
    assert_true(capture_end(second, &summary, &err));
    end(&world);
    clock_replace(skipping_clock, NULL);
    test_folder_remove(&world.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_what_a_reader_gets),
        cmocka_unit_test(a_summary_counts_what_passed),
        cmocka_unit_test(equal_bodies_are_stored_once),
        cmocka_unit_test(only_large_bodies_are_shared_with_earlier_sessions),
        cmocka_unit_test(a_trickling_body_becomes_shared_pieces),
        cmocka_unit_test(limits_cut_what_is_kept_and_not_what_is_counted),
        cmocka_unit_test(what_the_filter_leaves_out_is_counted_and_gives_its_cookies),
        cmocka_unit_test(an_undecided_exchange_is_invisible_and_a_late_no_takes_it_out),
        cmocka_unit_test(while_paused_exchanges_are_counted_only),
        cmocka_unit_test(a_sent_cookie_is_kept_when_it_differs_from_the_last),
        cmocka_unit_test(a_set_cookie_is_kept_as_it_came),
        cmocka_unit_test(with_cookies_only_nothing_else_is_kept),
        cmocka_unit_test(each_batch_tells_what_is_new),
        cmocka_unit_test(a_notice_becomes_an_event),
        cmocka_unit_test(a_session_of_that_name_is_continued_or_refused),
        cmocka_unit_test(a_default_name_that_clashes_gets_a_number),
    };

    clock_replace(skipping_clock, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
