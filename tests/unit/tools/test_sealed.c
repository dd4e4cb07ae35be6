#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/recorder.h"
#include "tests/support/recording.h"
#include "tools/sealed.h"

struct scene {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    struct store *store;
    int64_t session;
    struct strbuf said;
};

static void open_scene(struct scene *scene)
{
    struct capture_options options = { .session_name = "s" };
    struct err err;

    memset(scene, 0, sizeof *scene);
    test_folder_make(&scene->folder);
    assert_true(capture_start(scene->folder.store, &options, &scene->capture, &err));
    scene->session = capture_session(scene->capture);
    scene->recorder = capture_recorder(scene->capture, test_no_wake, NULL);
}

static void tell(struct scene *scene, uint64_t time_us, const char *kind, const char *client,
                 const char *host, const char *text)
{
    const struct tap_notice notice = { time_us, kind, client, host, text, 0, NULL };

    recorder_listener.on_notice(scene->recorder, &notice);
}

static void end_capture(struct scene *scene)
{
    struct capture_summary summary;
    struct err err;

    recorder_free(scene->recorder);
    assert_true(capture_end(scene->capture, &summary, &err));
    scene->store = test_open(scene->folder.store);
}

static void close_scene(struct scene *scene)
{
    store_close(scene->store);
    test_folder_remove(&scene->folder);
    strbuf_clear(&scene->said);
}

static const char *reason_of(struct scene *scene, const char *client, const char *host, uint64_t started_us,
                             int64_t done)
{
    struct record record = { .session = scene->session,
                             .started_us = started_us,
                             .client_addr = span_of(client),
                             .host = span_of(host) };
    struct err err;

    record.times[TAP_T_DONE] = done;
    strbuf_reset(&scene->said);
    assert_true(sealed_add_reason(scene->store, &record, &scene->said, &err));
    return strbuf_text(&scene->said);
}

static void an_exchange_has_the_reason_that_held_then(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    tell(&scene, 100, "sealed", "10.0.0.1:5", "bank.test", "first");
    tell(&scene, 150, "sealed", "10.0.0.2:5", "bank.test", "of another client");
    tell(&scene, 160, "sealed", "10.0.0.1:5", "shop.test", "of another host");
    tell(&scene, 170, "handshake-refused", "10.0.0.1:5", "bank.test", "of another kind");
    tell(&scene, 200, "sealed", "10.0.0.1:6", "bank.test", "second");
    tell(&scene, 300, "sealed", "[fd00::1]:7", "bank.test", "by IPv6");
    end_capture(&scene);
    assert_string_equal(reason_of(&scene, "10.0.0.1:9", "bank.test", 90, 20), "first");
    assert_string_equal(reason_of(&scene, "10.0.0.1:9", "bank.test", 110, 80), "first");
    assert_string_equal(reason_of(&scene, "10.0.0.1:9", "bank.test", 110, 90), "second");
    assert_string_equal(reason_of(&scene, "10.0.0.1:9", "BANK.test", 110, TAP_NEVER), "second");
    assert_string_equal(reason_of(&scene, "10.0.0.1:9", "bank.test", 10, 20), "");
    assert_string_equal(reason_of(&scene, "10.0.0.3:9", "bank.test", 500, 0), "");
    assert_string_equal(reason_of(&scene, "[fd00::1]:8", "bank.test", 500, 0), "by IPv6");
    close_scene(&scene);
}

static void add_line(void *self, const char *line)
{
    struct scene *scene = self;

    strbuf_printf(&scene->said, "%s\n", line);
}

static const char *summary_of(struct scene *scene)
{
    struct err err;

    strbuf_reset(&scene->said);
    assert_true(sealed_say_hosts(scene->store, scene->session, add_line, scene, &err));
    return strbuf_text(&scene->said);
}

static void the_summary_counts_hosts_and_tells_each_ones_latest_reason(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    tell(&scene, 1, "sealed", "10.0.0.1:5", "bank.test", "bank.test is pinned");
    tell(&scene, 2, "untrusted-ca", "10.0.0.2:5", "a.test", "not counted");
    tell(&scene, 3, "sealed", "10.0.0.1:5", "shop.test", "shop.test passes sealed");
    tell(&scene, 4, "sealed", "10.0.0.2:5", "bank.test", "bank.test is pinned again");
    end_capture(&scene);
    assert_string_equal(summary_of(&scene), "2 hosts passed sealed, unopened and unread:\n"
                                            "  bank.test is pinned again\n"
                                            "  shop.test passes sealed\n");
    close_scene(&scene);
}

static void the_summary_says_nothing_when_nothing_was_sealed(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    tell(&scene, 2, "untrusted-ca", "10.0.0.2:5", "a.test", "not counted");
    end_capture(&scene);
    assert_string_equal(summary_of(&scene), "");
    close_scene(&scene);
}

static void a_long_summary_is_cut(void **state)
{
    struct scene scene;
    char host[24];

    (void)state;
    open_scene(&scene);
    for (int i = 0; i < 12; i++) {
        snprintf(host, sizeof host, "h%d.test", i);
        tell(&scene, 1, "sealed", "10.0.0.1:5", host, host);
    }
    end_capture(&scene);
    assert_string_equal(summary_of(&scene), "12 hosts passed sealed, unopened and unread:\n"
                                            "  h0.test\n  h1.test\n  h2.test\n  h3.test\n  h4.test\n"
                                            "  h5.test\n  h6.test\n  h7.test\n  h8.test\n  h9.test\n"
                                            "  and 2 more: weir list --filter is:pinned\n");
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_has_the_reason_that_held_then),
        cmocka_unit_test(the_summary_counts_hosts_and_tells_each_ones_latest_reason),
        cmocka_unit_test(the_summary_says_nothing_when_nothing_was_sealed),
        cmocka_unit_test(a_long_summary_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
