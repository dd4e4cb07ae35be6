#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/dial.h"
#include "proxy/net/listener.h"
#include "proxy/net/loop.h"
#include "tests/support/fake_dns.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

struct fixture {
    struct loop *loop;
    struct fake_dns *dns;
    struct resolver *resolver;
    int accepting; /* 127.0.0.3:port */
    uint16_t port;
};

struct dialled {
    struct dial *dial;
    struct dial_result result;
    volatile int is_over;
    int checks;
    bool is_forbidden, cancels_in_check, cancels_in_cb;
};

static int bound(const char *host, uint16_t port, uint16_t *out_port)
{
    struct address address, got;
    struct err err;
    int fd = -1;

    assert_true(address_parse(host, port, &address));
    assert_true(listen_bind(&address, 1, &fd, &got, &err));
    if (out_port != NULL)
        *out_port = address_port(&got);
    return fd;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->loop = loop_new();
    f->dns = fake_dns_new(f->loop);
    f->resolver = resolver_new(f->loop);
    resolver_set_sources(f->resolver, fake_dns_servers(f->dns), "/dev/null");
    f->accepting = bound("127.0.0.3", 0, &f->port);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fast_time(1);
    resolver_free(f->resolver);
    fake_dns_free(f->dns);
    loop_free(f->loop);
    close(f->accepting);
    free(f);
    return 0;
}

static void over_cb(void *self, struct dial_result *result)
{
    struct dialled *dialled = self;

    assert_false(dialled->is_over);
    dialled->result = *result;
    dialled->is_over = 1;
    if (dialled->cancels_in_cb)
        dial_cancel(dialled->dial);
}

static bool check_cb(void *self, const struct address *address)
{
    struct dialled *dialled = self;

    assert_int_not_equal(address->len, 0);
    dialled->checks++;
    if (dialled->cancels_in_check)
        dial_cancel(dialled->dial);
    return !dialled->is_forbidden;
}

static void start(struct fixture *f, const char *host, uint16_t port, struct dialled *dialled)
{
    dialled->dial = dial_start(f->loop, f->resolver, host, port, check_cb, over_cb, dialled);
    assert_false(dialled->is_over);
}

static void finish(struct fixture *f, struct dialled *dialled)
{
    assert_true(loop_until(f->loop, &dialled->is_over));
    if (dialled->result.fd >= 0)
        close(dialled->result.fd);
}

static void dial_to(struct fixture *f, const char *host, struct dialled *dialled)
{
    *dialled = (struct dialled){ .checks = 0 };
    start(f, host, f->port, dialled);
    finish(f, dialled);
}

static void answered_by(const struct fixture *f, const struct dialled *dialled, const char *format)
{
    char want[ADDRESS_TEXT_BYTES], got[ADDRESS_TEXT_BYTES];

    snprintf(want, sizeof want, "%s:%u", format, f->port);
    address_format(&dialled->result.address, got, sizeof got);
    assert_string_equal(got, want);
}

/* A listener on host whose backlog is full: the system drops what comes. */
struct hole {
    int listening, filler;
};

static struct hole black_hole(const struct fixture *f, const char *host)
{
    struct hole hole;
    struct address address;

    assert_true(address_parse(host, f->port, &address));
    hole.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hole.listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(hole.listening, 0), 0);
    hole.filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(hole.filler, (struct sockaddr *)&address.sa, address.len), 0);
    return hole;
}

static void hole_close(struct hole hole)
{
    close(hole.filler);
    close(hole.listening);
}

static void literal_is_dialled_without_dns(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    dial_to(f, "127.0.0.3", &dialled);
    assert_true(dialled.result.fd >= 0);
    assert_int_equal(dialled.result.attempts, 1);
    assert_int_equal(dialled.result.times.dns_start, 0);
    assert_int_equal(dialled.result.times.dns_end, 0);
    assert_int_not_equal(dialled.result.times.connect_start, 0);
    assert_true(dialled.result.times.connect_end >= dialled.result.times.connect_start);
    answered_by(f, &dialled, "127.0.0.3");
}

static void name_is_asked_and_dialled(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    fake_dns_add(f->dns, "origin.test", AF_INET, "127.0.0.3", 60);
    dial_to(f, "origin.test", &dialled);
    assert_true(dialled.result.fd >= 0);
    assert_int_equal(dialled.checks, 1);
    assert_int_not_equal(dialled.result.times.dns_start, 0);
    assert_true(dialled.result.times.dns_end >= dialled.result.times.dns_start);
    assert_true(dialled.result.times.connect_start >= dialled.result.times.dns_end);
}

static void refused_is_a_sentence_with_host_address_and_reason(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;
    char want[256];

    dial_to(f, "127.0.0.4", &dialled);
    assert_int_equal(dialled.result.fd, -1);
    assert_int_equal(dialled.result.err.code, ERR_SYS);
    snprintf(want, sizeof want, "connecting to 127.0.0.4:%u: Connection refused", f->port);
    assert_string_equal(dialled.result.err.text, want);
    fake_dns_add(f->dns, "down.test", AF_INET, "127.0.0.5", 60);
    fake_dns_add(f->dns, "down.test", AF_INET, "127.0.0.4", 60);
    dial_to(f, "down.test", &dialled);
    assert_int_equal(dialled.result.attempts, 2);
    snprintf(want, sizeof want,
             "connecting to 'down.test' at 127.0.0.5:%u, the last of 2 addresses: Connection refused",
             f->port);
    assert_string_equal(dialled.result.err.text, want);
    answered_by(f, &dialled, "127.0.0.5");
}

static void next_address_is_dialled_at_once_when_one_refuses(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    fake_dns_add(f->dns, "two.test", AF_INET, "127.0.0.3", 60);
    fake_dns_add(f->dns, "two.test", AF_INET, "127.0.0.4", 60);
    dial_to(f, "two.test", &dialled);
    answered_by(f, &dialled, "127.0.0.3");
    assert_int_equal(dialled.result.attempts, 2);
    assert_true(dialled.result.fd >= 0);
}

static void black_holed_address_costs_a_quarter_of_a_second(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;
    struct hole hole = black_hole(f, "127.0.0.2");

    fake_dns_add(f->dns, "two.test", AF_INET, "127.0.0.3", 60);
    fake_dns_add(f->dns, "two.test", AF_INET, "127.0.0.2", 60);
    dial_to(f, "two.test", &dialled);
    hole_close(hole);
    answered_by(f, &dialled, "127.0.0.3");
    assert_int_equal(dialled.result.attempts, 2);
    assert_in_range(dialled.result.times.connect_end - dialled.result.times.connect_start, 250000, 5000000);
}

static void dead_ipv6_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    fake_dns_add(f->dns, "origin.test", AF_INET6, "ff02::1", 60); /* no way to connect there: fails at once */
    fake_dns_add(f->dns, "origin.test", AF_INET, "127.0.0.3", 60);
    dial_to(f, "origin.test", &dialled);
    answered_by(f, &dialled, "127.0.0.3");
    assert_in_range(dialled.result.times.connect_end - dialled.result.times.connect_start, 0, 240000);
}

static void ipv6_comes_first(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;
    uint16_t port;
    struct address v6;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int v4;

    assert_true(address_parse("::1", 0, &v6));
    if (fd < 0 || bind(fd, (struct sockaddr *)&v6.sa, v6.len) != 0) {
        close(fd);
        print_message("[   NOTE   ] no IPv6 here\n");
        return;
    }
    close(fd);
    fd = bound("::1", 0, &port);
    v4 = bound("127.0.0.3", port, NULL);
    fake_dns_add(f->dns, "dual.test", AF_INET6, "::1", 60);
    fake_dns_add(f->dns, "dual.test", AF_INET, "127.0.0.3", 60);
    dialled = (struct dialled){ .checks = 0 };
    start(f, "dual.test", port, &dialled);
    finish(f, &dialled);
    assert_int_equal(dialled.result.address.sa.ss_family, AF_INET6);
    /* and it does not wait for IPv4 */
    fake_dns_add(f->dns, "dual2.test", AF_INET6, "::1", 60);
    fake_dns_behave(f->dns, "dual2.test", AF_INET, FAKE_DNS_HOLDS);
    dialled = (struct dialled){ .checks = 0 };
    start(f, "dual2.test", port, &dialled);
    finish(f, &dialled);
    assert_true(dialled.result.fd >= 0);
    close(fd);
    close(v4);
}

static void silent_family_costs_fifty_milliseconds(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    fake_dns_add(f->dns, "origin.test", AF_INET, "127.0.0.3", 60);
    fake_dns_behave(f->dns, "origin.test", AF_INET6, FAKE_DNS_HOLDS);
    dial_to(f, "origin.test", &dialled);
    answered_by(f, &dialled, "127.0.0.3");
    assert_in_range(dialled.result.times.dns_end - dialled.result.times.dns_start, 50000, 5000000);
}

static void address_that_comes_late_is_dialled_when_the_others_have_failed(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled = { .checks = 0 };

    fake_dns_add(f->dns, "late.test", AF_INET6, "ff02::1", 60);
    fake_dns_add(f->dns, "late.test", AF_INET, "127.0.0.3", 60);
    fake_dns_behave(f->dns, "late.test", AF_INET, FAKE_DNS_HOLDS);
    start(f, "late.test", f->port, &dialled);
    loop_for(f->loop, 30 * 1000);
    assert_false(dialled.is_over);
    assert_int_equal(dialled.checks, 1);
    fake_dns_release(f->dns);
    finish(f, &dialled);
    answered_by(f, &dialled, "127.0.0.3");
}

static void unreachable_network_does_not_hide_what_another_address_said(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled = { .checks = 0 };

    fake_dns_add(f->dns, "mixed.test", AF_INET, "127.0.0.4", 60);
    fake_dns_add(f->dns, "mixed.test", AF_INET6, "ff02::1", 60);
    fake_dns_behave(f->dns, "mixed.test", AF_INET6, FAKE_DNS_HOLDS);
    start(f, "mixed.test", f->port, &dialled);
    loop_for(f->loop, 80 * 1000);
    fake_dns_release(f->dns);
    finish(f, &dialled);
    assert_int_equal(dialled.result.attempts, 2);
    assert_non_null(strstr(dialled.result.err.text, "Connection refused"));
    answered_by(f, &dialled, "127.0.0.4");
}

static void everything_together_has_fifteen_seconds(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled = { .checks = 0 };
    struct hole hole = black_hole(f, "127.0.0.2");
    char want[256];

    fake_dns_add(f->dns, "hole.test", AF_INET, "127.0.0.2", 60);
    start(f, "hole.test", f->port, &dialled);
    loop_for(f->loop, 100 * 1000);
    fast_time(100);
    finish(f, &dialled);
    hole_close(hole);
    assert_int_equal(dialled.result.err.code, ERR_TIMEOUT);
    snprintf(want, sizeof want, "connecting to 'hole.test' at 127.0.0.2:%u: no answer in 15 s", f->port);
    assert_string_equal(dialled.result.err.text, want);
    assert_in_range(dialled.result.times.connect_end - dialled.result.times.dns_start, 15000000, 40000000);
}

static void name_that_does_not_resolve_says_why(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled;

    dial_to(f, "nobody.test", &dialled);
    assert_int_equal(dialled.result.err.code, ERR_DNS);
    assert_string_equal(dialled.result.err.text, "no such host 'nobody.test'");
    assert_int_equal(dialled.result.address.len, 0);
    assert_int_equal(dialled.result.attempts, 0);
    assert_int_not_equal(dialled.result.times.dns_end, 0);
    assert_int_equal(dialled.result.times.connect_start, 0);
    fake_dns_add(f->dns, "empty.test", AF_UNSPEC, "", 60);
    dial_to(f, "empty.test", &dialled);
    assert_string_equal(dialled.result.err.text, "'empty.test' has no address");
    fake_dns_behave(f->dns, "dead.test", AF_INET, FAKE_DNS_HOLDS);
    fake_dns_behave(f->dns, "dead.test", AF_INET6, FAKE_DNS_HOLDS);
    fast_time(50);
    dial_to(f, "dead.test", &dialled);
    assert_int_equal(dialled.result.err.code, ERR_DNS);
    assert_string_equal(dialled.result.err.text, "name server does not answer for 'dead.test'");
}

static void forbidden_address_fails_the_dial_before_connecting(void **state)
{
    struct fixture *f = *state;
    struct dialled dialled = { .is_forbidden = true };
    char want[256];

    fake_dns_add(f->dns, "self.test", AF_INET, "127.0.0.3", 60);
    fake_dns_add(f->dns, "self.test", AF_INET, "127.0.0.4", 60);
    start(f, "self.test", f->port, &dialled);
    finish(f, &dialled);
    assert_int_equal(dialled.result.err.code, ERR_FOUND);
    snprintf(want, sizeof want, "'self.test' at 127.0.0.4:%u is not to be dialled", f->port);
    assert_string_equal(dialled.result.err.text, want);
    assert_int_equal(dialled.checks, 1);
    assert_int_equal(accept4(f->accepting, NULL, NULL, SOCK_NONBLOCK), -1);
    dialled = (struct dialled){ .is_forbidden = true };
    start(f, "127.0.0.3", f->port, &dialled);
    finish(f, &dialled);
    assert_int_equal(dialled.result.err.code, ERR_FOUND);
}

static void cancelled_dial_is_silent(void **state)
{
    struct fixture *f = *state;
    struct dialled asking = { .checks = 0 }, connecting = { .checks = 0 }, told = { .checks = 0 };
    struct hole hole = black_hole(f, "127.0.0.2");

    fake_dns_add(f->dns, "origin.test", AF_INET, "127.0.0.3", 60);
    start(f, "origin.test", f->port, &asking);
    dial_cancel(asking.dial);
    start(f, "127.0.0.2", f->port, &connecting);
    loop_for(f->loop, 10 * 1000);
    dial_cancel(connecting.dial);
    start(f, "nobody.localhost", 0, &told); /* over, but not told yet */
    dial_cancel(told.dial);
    dial_cancel(told.dial);
    loop_for(f->loop, 10 * 1000);
    assert_false(asking.is_over || connecting.is_over || told.is_over);
    dial_cancel(NULL);
    hole_close(hole);
}

static void dial_may_be_cancelled_from_its_callbacks(void **state)
{
    struct fixture *f = *state;
    struct dialled in_cb = { .cancels_in_cb = true }, in_check = { .cancels_in_check = true };

    start(f, "127.0.0.3", f->port, &in_cb);
    finish(f, &in_cb);
    fake_dns_add(f->dns, "origin.test", AF_INET, "127.0.0.3", 60);
    start(f, "origin.test", f->port, &in_check);
    loop_for(f->loop, 100 * 1000);
    assert_int_equal(in_check.checks, 1);
    assert_false(in_check.is_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(literal_is_dialled_without_dns, setup, teardown),
        cmocka_unit_test_setup_teardown(name_is_asked_and_dialled, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_is_a_sentence_with_host_address_and_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(next_address_is_dialled_at_once_when_one_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(black_holed_address_costs_a_quarter_of_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(dead_ipv6_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(ipv6_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_family_costs_fifty_milliseconds, setup, teardown),
        cmocka_unit_test_setup_teardown(address_that_comes_late_is_dialled_when_the_others_have_failed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unreachable_network_does_not_hide_what_another_address_said, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(everything_together_has_fifteen_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(name_that_does_not_resolve_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(forbidden_address_fails_the_dial_before_connecting, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_dial_is_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_may_be_cancelled_from_its_callbacks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
