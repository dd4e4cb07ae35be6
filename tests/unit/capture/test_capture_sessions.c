/* A capture with a session for each client: rows, counters, cookies and ends of each are its own. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/capture.h"
#include "capture/store/store_write.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

struct world {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    struct capture_summary summary;
};

static int set_up(void **state)
{
    struct world *world = mem_new(struct world);

    test_folder_make(&world->folder);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    test_folder_remove(&world->folder);
    capture_summary_clear(&world->summary);
    mem_free(world);
    return 0;
}

static void start(struct world *world, enum capture_per per)
{
    const struct capture_options options = { .session_name = "shop", .per = per };
    struct err err;

    if (!capture_start(world->folder.store, &options, &world->capture, &err))
        fail_msg("%s", err.text);
    world->recorder = capture_recorder(world->capture, test_no_wake, NULL);
}

static void end(struct world *world)
{
    struct err err;

    recorder_free(world->recorder);
    capture_summary_clear(&world->summary);
    if (!capture_end(world->capture, &world->summary, &err))
        fail_msg("%s", err.text);
}

static int64_t number(struct world *world, const char *sql)
{
    return test_count(world->folder.store, sql);
}

/* Every exchange of test_begin is of the same client: this one is of another. */
static void exchange_of(struct recorder *recorder, const char *client_addr, const char *cookie,
                        enum tap_outcome outcome)
{
    struct http_head *head =
        test_request("GET", "/", (const char *const[]){ cookie != NULL ? cookie : "X: y", NULL });
    struct tap_tls *tls = tap_tls_new(mem_strdup("{}"));
    struct test_exchange x;

    test_prepare(&x, recorder, "a.test");
    snprintf(x.exchange.client_addr, sizeof x.exchange.client_addr, "%s", client_addr);
    x.exchange.client_tls = tls;
    tap_request(&x.line, &x.tap, &x.exchange, head);
    http_head_free(head);
    test_respond(&x, 200, NULL);
    test_body(&x, HTTP_RESPONSE, SPAN("12345"));
    test_end(&x, outcome);
    tap_tls_unref(tls);
}

static void each_client_has_a_session_of_its_own(void **state)
{
    struct world *world = *state;

    start(world, CAPTURE_PER_CLIENT);
    exchange_of(world->recorder, "192.0.2.1:1", "Cookie: a=1", TAP_DONE);
    exchange_of(world->recorder, "192.0.2.2:1", "Cookie: a=1", TAP_DONE);
    exchange_of(world->recorder, "192.0.2.1:2", "Cookie: a=1", TAP_ABORTED);
    end(world);
    assert_int_equal(number(world, "SELECT count(*) FROM session WHERE state = 'ended'"), 3);
    assert_int_equal(number(world, "SELECT exchanges FROM session WHERE name = 'shop'"), 0);
    assert_int_equal(number(world, "SELECT exchanges * 1000 + seen * 100 + errors * 10 + response_bytes / 5"
                                   " FROM session WHERE name = 'shop - 192.0.2.1'"),
                     2212);
    assert_int_equal(number(world, "SELECT exchanges * 1000 + seen * 100 + errors * 10 + response_bytes / 5"
                                   " FROM session WHERE name = 'shop - 192.0.2.2'"),
                     1101);
    /* Numbered from 1 in each, with its own cookies, hosts and handshakes. */
    assert_int_equal(number(world, "SELECT sum(seq) FROM exchange"), 1 + 2 + 1);
    assert_int_equal(number(world, "SELECT count(*) FROM exchange WHERE id <> session << 32 | seq"), 0);
    assert_int_equal(number(world, "SELECT count(DISTINCT session) FROM cookie"), 2);
    assert_int_equal(number(world, "SELECT count(*) FROM cookie"), 2);
    assert_int_equal(number(world, "SELECT count(*) FROM host"), 2);
    assert_int_equal(number(world, "SELECT count(*) FROM exchange JOIN tls ON tls.id = client_tls"
                                   " WHERE tls.session = exchange.session"),
                     3);
}

static void the_summary_lists_them(void **state)
{
    struct world *world = *state;

    start(world, CAPTURE_PER_CLIENT);
    exchange_of(world->recorder, "192.0.2.1:1", NULL, TAP_DONE);
    exchange_of(world->recorder, "192.0.2.2:1", NULL, TAP_ABORTED);
    end(world);
    assert_string_equal(world->summary.name, "shop");
    assert_int_equal(world->summary.other_count, 2);
    assert_string_equal(world->summary.others[0].name, "shop - 192.0.2.1");
    assert_int_equal(world->summary.others[0].session,
                     number(world, "SELECT id FROM session WHERE name = 'shop - 192.0.2.1'"));
    assert_int_equal(world->summary.others[0].exchanges, 1);
    assert_int_equal(world->summary.others[0].errors, 0);
    assert_string_equal(world->summary.others[1].name, "shop - 192.0.2.2");
    assert_int_equal(world->summary.others[1].errors, 1);
}

static void a_session_that_has_ended_is_continued_by_its_client(void **state)
{
    struct world *world = *state;

    for (int round = 0; round < 2; round++) {
        start(world, CAPTURE_PER_CLIENT);
        exchange_of(world->recorder, "192.0.2.1:1", NULL, TAP_DONE);
        end(world);
    }
    assert_int_equal(number(world, "SELECT count(*) FROM session"), 2);
    assert_int_equal(number(world, "SELECT exchanges FROM session WHERE name = 'shop - 192.0.2.1'"), 2);
    assert_int_equal(number(world, "SELECT max(seq) FROM exchange"), 2);
    assert_int_equal(number(world, "SELECT count(*) FROM tls"), 2);
}

static void while_it_records_each_session_is_locked(void **state)
{
    struct world *world = *state;
    struct store *store;
    struct session_row row;
    uint64_t tries = 0;
    struct err err;

    start(world, CAPTURE_PER_CLIENT);
    exchange_of(world->recorder, "192.0.2.1:1", NULL, TAP_DONE);
    while (number(world, "SELECT count(*) FROM session") < 2)
        assert_true(tries++ < 1000000);
    assert_true(store_open(world->folder.store, STORE_WRITE, &store, &err));
    assert_true(store_find_session(store, "shop - 192.0.2.1", &row, &err));
    assert_int_equal(row.state, SESSION_RECORDING);
    assert_false(store_session_delete(store, row.id, &err));
    assert_int_equal(err.code, ERR_FOUND);
    session_row_clear(&row);
    capture_set_paused(world->capture, true);
    end(world);
    store_close(store);
}

static void a_notice_goes_to_the_client_it_is_about(void **state)
{
    struct world *world = *state;
    struct tap_notice notice = { .kind = "k", .client_addr = "192.0.2.1:9", .text = "t" };

    start(world, CAPTURE_PER_CLIENT);
    recorder_listener.on_notice(world->recorder, &notice); /* nobody knows it yet */
    exchange_of(world->recorder, "192.0.2.1:1", NULL, TAP_DONE);
    recorder_listener.on_notice(world->recorder, &notice);
    end(world);
    assert_int_equal(number(world, "SELECT count(*) FROM event JOIN session ON session.id = event.session"
                                   " WHERE name = 'shop' AND kind = 'k'"),
                     1);
    assert_int_equal(number(world, "SELECT count(*) FROM event JOIN session ON session.id = event.session"
                                   " WHERE name = 'shop - 192.0.2.1' AND kind = 'k'"),
                     1);
}

#define THREADS 4
#define EACH    300

struct worker {
    pthread_t thread;
    struct recorder *recorder;
};

static void *work(void *self)
{
    struct worker *worker = self;
    char address[32];

    for (int i = 0; i < EACH; i++) {
        snprintf(address, sizeof address, "10.0.0.%d:%d", i % 20, i + 1);
        exchange_of(worker->recorder, address, NULL, TAP_DONE);
        if (i % 50 == 0)
            recorder_tick(worker->recorder);
    }
    return NULL;
}

static void many_workers_share_the_sessions(void **state)
{
    struct world *world = *state;
    struct worker workers[THREADS];

    start(world, CAPTURE_PER_CLIENT);
    for (int i = 0; i < THREADS; i++) {
        workers[i].recorder = capture_recorder(world->capture, test_no_wake, NULL);
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        recorder_free(workers[i].recorder);
    }
    end(world);
    assert_int_equal(number(world, "SELECT count(*) FROM session"), 21);
    assert_int_equal(number(world, "SELECT count(*) FROM exchange"), THREADS * EACH);
    assert_int_equal(number(world, "SELECT sum(exchanges) FROM session"), THREADS * EACH);
    assert_int_equal(number(world, "SELECT count(*) FROM session WHERE exchanges <>"
                                   " (SELECT count(*) FROM exchange WHERE session = session.id)"),
                     0);
    assert_int_equal(number(world, "SELECT max(seq) FROM exchange"), THREADS * EACH / 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_client_has_a_session_of_its_own),
        TEST(the_summary_lists_them),
        TEST(a_session_that_has_ended_is_continued_by_its_client),
        TEST(while_it_records_each_session_is_locked),
        TEST(a_notice_goes_to_the_client_it_is_about),
        TEST(many_workers_share_the_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
