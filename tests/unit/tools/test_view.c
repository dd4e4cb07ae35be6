#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/view.h"

struct screen {
    struct view *view;
    struct view_worker *worker;
    int ends[2]; /* we read 0, the view writes 1 */
};

static void open_screen(struct screen *screen, const char *filter, bool has_status)
{
    struct view_options options = { .has_status = has_status };
    struct err err;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, screen->ends), 0);
    options.fd = screen->ends[1];
    if (filter != NULL)
        assert_true(filter_parse(filter, &options.filter, &err));
    screen->view = view_new(&options);
    filter_unref(options.filter);
    screen->worker = view_add_worker(screen->view);
}

static void close_screen(struct screen *screen)
{
    view_free(screen->view);
    close(screen->ends[0]);
    close(screen->ends[1]);
}

/* What has been written; valid until the next call. */
static const char *seen(struct screen *screen)
{
    static char text[256 * 1024];
    ssize_t len = read(screen->ends[0], text, sizeof text - 1);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static struct http_head *request_head(const char *method, const char *target)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->method = span_of(method);
    head->target = span_of(target);
    return head;
}

/* One exchange from its request to its end. */
static void pass(struct view_worker *worker, const char *target, int status, const char *error)
{
    struct tap_exchange exchange = {
        .started_us = 1700000000000000, .scheme = "https", .host = "api.test", .port = 443
    };
    struct http_head *request = request_head("GET", target), *response = http_head_response(status);
    void *record = view_listener.on_request(worker, &exchange, request);

    if (record != NULL) {
        view_listener.on_response(record, response);
        view_listener.on_body(record, HTTP_RESPONSE, SPAN("0123456789"));
        view_listener.on_end(record, HTTP_RESPONSE, NULL);
        exchange.error = error;
        exchange.times[TAP_T_DONE] = 34000;
        view_listener.on_done(record, error != NULL ? TAP_ABORTED : TAP_DONE);
    }
    http_head_free(request);
    http_head_free(response);
}

static void an_exchange_is_a_line_when_it_is_done(void **state)
{
    struct screen screen;

    (void)state;
    open_screen(&screen, NULL, false);
    pass(screen.worker, "/users?q=1", 200, NULL);
    pass(screen.worker, "http://api.test/absolute", 404, NULL);
    pass(screen.worker, "/cut", 200, "the origin closed early");
    view_show(screen.view, 0);
    seen(&screen);
    pass(screen.worker, "/users?q=1", 200, NULL);
    view_show(screen.view, 0);
    assert_non_null(strstr(seen(&screen), " GET     200    10   34ms  https://api.test/users?q=1\n"));
    pass(screen.worker, "http://api.test/absolute", 404, NULL);
    view_show(screen.view, 0);
    assert_non_null(strstr(seen(&screen), " 404    10   34ms  https://api.test/absolute\n"));
    pass(screen.worker, "/cut", 200, "the origin closed early");
    view_show(screen.view, 0);
    assert_non_null(strstr(seen(&screen), "https://api.test/cut  aborted: the origin closed early\n"));
    close_screen(&screen);
}

static void a_sealed_tunnel_is_marked(void **state)
{
    struct tap_exchange exchange = { .started_us = 1700000000000000,
                                     .scheme = "tls",
                                     .host = "bank.test",
                                     .port = 443,
                                     .flags = TAP_TUNNEL | TAP_SEALED,
                                     .tunnel_received_bytes = 700 };
    struct http_head *request = request_head("CONNECT", "bank.test:443");
    struct screen screen;
    void *record;

    (void)state;
    open_screen(&screen, "is:pinned", false);
    record = view_listener.on_request(screen.worker, &exchange, request);
    exchange.times[TAP_T_DONE] = 34000;
    view_listener.on_done(record, TAP_DONE);
    pass(screen.worker, "/not-meant", 200, NULL);
    view_show(screen.view, 0);
    assert_non_null(strstr(seen(&screen), " CONNECT   -   700   34ms  tls://bank.test:443  sealed\n"));
    http_head_free(request);
    close_screen(&screen);
}

static void a_websocket_in_http2_has_its_path(void **state)
{
    struct tap_exchange exchange = {
        .started_us = 1700000000000000, .scheme = "https", .host = "api.test", .port = 443
    };
    struct http_head *request = request_head("CONNECT", "/chat"), *response = http_head_response(200);
    struct screen screen;
    void *record;

    (void)state;
    request->protocol = SPAN("websocket");
    open_screen(&screen, NULL, false);
    record = view_listener.on_request(screen.worker, &exchange, request);
    view_listener.on_response(record, response);
    exchange.times[TAP_T_DONE] = 34000;
    view_listener.on_done(record, TAP_DONE);
    view_show(screen.view, 0);
    assert_non_null(strstr(seen(&screen), " CONNECT 200     0   34ms  https://api.test/chat\n"));
    http_head_free(request);
    http_head_free(response);
    close_screen(&screen);
}

static void a_stranger_cannot_write_to_the_terminal(void **state)
{
    struct screen screen;
    const char *text;

    (void)state;
    open_screen(&screen, NULL, false);
    pass(screen.worker, "/\x1b[2J\xff", 200, "because \x1b]0;x\x07");
    view_say(screen.view, "note \x1b[1m");
    view_show(screen.view, 0);
    text = seen(&screen);
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x07'));
    assert_non_null(strstr(text, "/\\x1b[2J\\xff"));
    close_screen(&screen);
}

static void a_full_ring_drops_lines_and_counts_them(void **state)
{
    struct screen screen;
    size_t lines = 0;

    (void)state;
    open_screen(&screen, NULL, true);
    for (int i = 0; i < 1000; i++)
        pass(screen.worker, "/", 200, NULL);
    view_show(screen.view, 3);
    for (const char *at = seen(&screen); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 256);
    view_finish(screen.view, 0);
    pass(screen.worker, "/", 200, NULL);
    view_show(screen.view, 3);
    assert_non_null(strstr(seen(&screen), "recording  1001 exchanges  9.8k  3 clients  744 lines not shown"));
    close_screen(&screen);
}

static void a_reader_who_does_not_read_blocks_nobody(void **state)
{
    struct screen screen;

    (void)state;
    open_screen(&screen, NULL, false);
    for (int i = 0; i < 20000; i++) {
        pass(screen.worker, "/a-path-of-some-length-so-that-buffers-fill", 200, NULL);
        view_show(screen.view, 0);
    }
    view_finish(screen.view, 1);
    assert_non_null(strstr(seen(&screen), "/a-path"));
    close_screen(&screen);
}

static void a_reader_who_is_gone_is_nothing_to_fear(void **state)
{
    struct screen screen;

    (void)state;
    open_screen(&screen, NULL, false);
    shutdown(screen.ends[0], SHUT_RDWR);
    pass(screen.worker, "/", 200, NULL);
    view_show(screen.view, 0);
    pass(screen.worker, "/", 200, NULL);
    view_finish(screen.view, 10);
    close_screen(&screen);
}

static void only_what_the_filter_takes_is_shown(void **state)
{
    struct screen screen;
    const char *text;

    (void)state;
    open_screen(&screen, "status:4xx -path:/no", false);
    pass(screen.worker, "/yes", 404, NULL);
    pass(screen.worker, "/no", 404, NULL);
    pass(screen.worker, "/ok", 200, NULL);
    view_show(screen.view, 0);
    text = seen(&screen);
    assert_non_null(strstr(text, "/yes"));
    assert_null(strstr(text, "/no"));
    assert_null(strstr(text, "/ok"));
    close_screen(&screen);
}

static void nothing_is_shown_while_paused(void **state)
{
    struct screen screen;
    const char *text;

    (void)state;
    open_screen(&screen, NULL, false);
    view_set_paused(screen.view, true);
    pass(screen.worker, "/secret", 200, NULL);
    view_set_paused(screen.view, false);
    pass(screen.worker, "/open", 200, NULL);
    view_show(screen.view, 0);
    text = seen(&screen);
    assert_null(strstr(text, "/secret"));
    assert_non_null(strstr(text, "/open"));
    assert_non_null(strstr(text, "paused: "));
    close_screen(&screen);
}

static void the_status_line_is_replaced_and_log_lines_go_above_it(void **state)
{
    struct screen screen;

    (void)state;
    open_screen(&screen, NULL, true);
    view_show(screen.view, 1);
    assert_memory_equal(seen(&screen), "recording  0 exchanges  0  1 client", 35);
    view_show(screen.view, 1);
    assert_string_equal(seen(&screen), ""); /* nothing new: nothing written */
    view_note_log(screen.view, LOG_LEVEL_WARN, "warn x: y");
    view_show(screen.view, 1);
    assert_memory_equal(seen(&screen), "\r\x1b[Kwarn x: y\nrecording", 23);
    view_finish(screen.view, 0);
    assert_string_equal(seen(&screen), "\r\x1b[K");
    close_screen(&screen);
}

/* Not so many that their lines fill the socket, if nobody looks before the last: then there is nothing to
 * wake for. */
#define MANY 500

static void *pass_many(void *arg)
{
    for (int i = 0; i < MANY; i++)
        pass(arg, "/", 200, NULL);
    return NULL;
}

static void whoever_waits_is_woken(void **state)
{
    struct screen screen;
    struct view_worker *second;
    pthread_t threads[2];

    (void)state;
    open_screen(&screen, NULL, true);
    second = view_add_worker(screen.view);
    pthread_create(&threads[0], NULL, pass_many, screen.worker);
    pthread_create(&threads[1], NULL, pass_many, second);
    for (;;) {
        struct pollfd pfd = { .fd = view_fd(screen.view), .events = POLLIN };
        if (!view_wait(screen.view))
            assert_int_equal(poll(&pfd, 1, 10000), 1);
        view_show(screen.view, 0);
        if (strstr(seen(&screen), "  1000 exchanges") != NULL)
            break;
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    close_screen(&screen);
}

static void a_notice_is_a_line(void **state)
{
    struct tap_notice notice = { .kind = "untrusted-ca",
                                 .client_addr = "1.2.3.4:5",
                                 .text = "a client does not trust us" };
    struct screen screen;

    (void)state;
    open_screen(&screen, NULL, false);
    view_listener.on_notice(screen.worker, &notice);
    view_show(screen.view, 0);
    assert_string_equal(seen(&screen), "note: a client does not trust us\n");
    close_screen(&screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_a_line_when_it_is_done),
        cmocka_unit_test(a_sealed_tunnel_is_marked),
        cmocka_unit_test(a_websocket_in_http2_has_its_path),
        cmocka_unit_test(a_stranger_cannot_write_to_the_terminal),
        cmocka_unit_test(a_full_ring_drops_lines_and_counts_them),
        cmocka_unit_test(a_reader_who_does_not_read_blocks_nobody),
        cmocka_unit_test(a_reader_who_is_gone_is_nothing_to_fear),
        cmocka_unit_test(only_what_the_filter_takes_is_shown),
        cmocka_unit_test(nothing_is_shown_while_paused),
        cmocka_unit_test(the_status_line_is_replaced_and_log_lines_go_above_it),
        cmocka_unit_test(whoever_waits_is_woken),
        cmocka_unit_test(a_notice_is_a_line),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
