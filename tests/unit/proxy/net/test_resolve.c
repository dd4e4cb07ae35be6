#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/net/loop.h"
#include "proxy/net/resolve.h"
#include "tests/support/fake_dns.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

struct fixture {
    struct loop *loop;
    struct fake_dns *dns;
    struct resolver *resolver;
    char hosts[64];
};

/* What a resolve() told. */
struct told {
    char text[2][512]; /* IPv4, IPv6: "1.2.3.4:80 5.6.7.8:80", or why not */
    int calls;
    volatile int has_v4, has_v6, is_over;
    struct resolution *cancels; /* in its first call */
    struct resolver *frees;
    struct told *again; /* asked for in the first call, of resolver */
    struct resolver *resolver;
};

static void told_cb(void *self, int family, const struct address *addresses, unsigned count, bool is_last,
                    const struct err *why)
{
    struct told *told = self;
    char *text = told->text[family == AF_INET6];

    assert_false(told->is_over);
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        char one[ADDRESS_TEXT_BYTES];
        address_format(&addresses[i], one, sizeof one);
        snprintf(text + strlen(text), sizeof told->text[0] - strlen(text), "%s%s", i != 0 ? " " : "", one);
    }
    if (count == 0) {
        assert_int_equal(why->code, ERR_DNS);
        snprintf(text, sizeof told->text[0], "%s", why->text);
    }
    told->calls++;
    *(family == AF_INET6 ? &told->has_v6 : &told->has_v4) = 1;
    told->is_over = is_last;
    if (told->calls == 1) {
        resolve_cancel(told->cancels);
        resolver_free(told->frees);
        if (told->again != NULL)
            resolve(told->resolver, "v4.test", 80, told_cb, told->again);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fd;

    f->loop = loop_new();
    f->dns = fake_dns_new(f->loop);
    f->resolver = resolver_new(f->loop);
    snprintf(f->hosts, sizeof f->hosts, "/tmp/weir-hosts-XXXXXX");
    fd = mkstemp(f->hosts);
    assert_true(fd >= 0);
    close(fd);
    resolver_set_sources(f->resolver, fake_dns_servers(f->dns), f->hosts);
    fake_dns_add(f->dns, "both.test", AF_INET, "192.0.2.1", 60);
    fake_dns_add(f->dns, "both.test", AF_INET6, "2001:db8::1", 60);
    fake_dns_add(f->dns, "v4.test", AF_INET, "192.0.2.4", 60);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    resolver_free(f->resolver);
    fake_dns_free(f->dns);
    loop_free(f->loop);
    unlink(f->hosts);
    free(f);
    fast_time(1);
    return 0;
}

static void write_hosts(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->hosts, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void answer_for(struct fixture *f, const char *host, struct told *told)
{
    *told = (struct told){ .calls = 0 };
    resolve(f->resolver, host, 80, told_cb, told);
    assert_true(loop_until(f->loop, &told->is_over));
    assert_int_equal(told->calls, 2);
}

static void literals_are_answered_from_inside(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    assert_null(resolve(f->resolver, "192.0.2.7", 80, told_cb, &told));
    assert_string_equal(told.text[0], "192.0.2.7:80");
    assert_string_equal(told.text[1], "'192.0.2.7' has no IPv6 address");
    told = (struct told){ .calls = 0 };
    assert_null(resolve(f->resolver, "[2001:db8::7]", 443, told_cb, &told));
    assert_string_equal(told.text[1], "[2001:db8::7]:443");
}

static void localhost_and_names_below_it_are_loopback_and_never_asked(void **state)
{
    struct fixture *f = *state;
    const char *names[] = { "localhost", "LocalHost.", "app.localhost", "a.b.localhost." };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct told told = { .calls = 0 };
        assert_null(resolve(f->resolver, names[i], 80, told_cb, &told));
        assert_string_equal(told.text[0], "127.0.0.1:80");
        assert_string_equal(told.text[1], "[::1]:80");
        assert_int_equal(fake_dns_asked(f->dns, names[i], AF_INET), 0);
    }
}

static void name_that_only_ends_like_localhost_is_asked(void **state)
{
    struct fixture *f = *state;
    struct told told;

    answer_for(f, "notlocalhost.test", &told);
    assert_int_equal(fake_dns_asked(f->dns, "notlocalhost.test", AF_INET), 1);
    answer_for(f, "xlocalhost", &told);
    assert_int_not_equal(fake_dns_asked(f->dns, "xlocalhost", AF_INET), 0);
}

static void both_families_come_with_the_port(void **state)
{
    struct fixture *f = *state;
    struct told told;

    answer_for(f, "both.test", &told);
    assert_string_equal(told.text[0], "192.0.2.1:80");
    assert_string_equal(told.text[1], "[2001:db8::1]:80");
}

static void family_that_is_silent_delays_the_other_not(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    fake_dns_behave(f->dns, "both.test", AF_INET6, FAKE_DNS_HOLDS);
    resolve(f->resolver, "both.test", 80, told_cb, &told);
    assert_true(loop_until(f->loop, &told.has_v4));
    assert_int_equal(told.has_v6, 0);
    fake_dns_release(f->dns);
    assert_true(loop_until(f->loop, &told.is_over));
    assert_string_equal(told.text[1], "[2001:db8::1]:80");
}

static void silent_name_delays_no_other(void **state)
{
    struct fixture *f = *state;
    struct told slow = { .calls = 0 }, quick;

    fake_dns_behave(f->dns, "slow.test", AF_INET, FAKE_DNS_HOLDS);
    fake_dns_behave(f->dns, "slow.test", AF_INET6, FAKE_DNS_HOLDS);
    resolve(f->resolver, "slow.test", 80, told_cb, &slow);
    answer_for(f, "both.test", &quick);
    assert_int_equal(slow.calls, 0);
}

static void errors_are_sentences(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char longest[300];

    fast_time(50);
    answer_for(f, "nobody.test", &told);
    assert_string_equal(told.text[0], "no such host 'nobody.test'");
    answer_for(f, "v4.test", &told);
    assert_string_equal(told.text[1], "'v4.test' has no IPv6 address");
    fake_dns_behave(f->dns, "broken.test", AF_INET, FAKE_DNS_FAILS);
    fake_dns_behave(f->dns, "broken.test", AF_INET6, FAKE_DNS_FAILS);
    answer_for(f, "broken.test", &told);
    assert_non_null(strstr(told.text[0], "name server has no answer for 'broken.test': "));
    fake_dns_behave(f->dns, "dead.test", AF_INET, FAKE_DNS_HOLDS);
    fake_dns_behave(f->dns, "dead.test", AF_INET6, FAKE_DNS_HOLDS);
    answer_for(f, "dead.test", &told);
    assert_string_equal(told.text[0], "name server does not answer for 'dead.test'");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    answer_for(f, longest, &told);
    assert_non_null(strstr(told.text[0], "longer than"));
    answer_for(f, "", &told);
    assert_string_equal(told.text[0], "the name of the host is empty");
    longest[100] = '\0';
    answer_for(f, longest, &told);
    assert_non_null(strstr(told.text[0], "can't be the name of a host"));
}

static void last_word_on_a_name_without_addresses_names_no_family(void **state)
{
    struct fixture *f = *state;
    struct told told;

    fake_dns_add(f->dns, "empty.test", AF_UNSPEC, "", 60);
    answer_for(f, "empty.test", &told);
    assert_string_equal(told.text[0][0] == '\'' && strstr(told.text[0], "IPv4") ? told.text[1] : told.text[0],
                        "'empty.test' has no address");
}

static void truncated_answer_is_asked_again_over_tcp(void **state)
{
    struct fixture *f = *state;
    struct told told;

    fake_dns_behave(f->dns, "both.test", AF_INET, FAKE_DNS_TRUNCATES);
    answer_for(f, "both.test", &told);
    assert_string_equal(told.text[0], "192.0.2.1:80");
    assert_int_equal(fake_dns_asked_tcp(f->dns), 1);
}

static void answer_is_cached_for_its_ttl_and_shared_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct told a = { .calls = 0 }, b = { .calls = 0 }, c;

    resolve(f->resolver, "v4.test", 80, told_cb, &a);
    resolve(f->resolver, "V4.Test", 8080, told_cb, &b);
    assert_true(loop_until(f->loop, &a.is_over));
    assert_true(loop_until(f->loop, &b.is_over));
    assert_string_equal(b.text[0], "192.0.2.4:8080");
    assert_int_equal(fake_dns_asked(f->dns, "v4.test", AF_INET), 1);
    c = (struct told){ .calls = 0 };
    assert_null(resolve(f->resolver, "v4.test", 81, told_cb, &c));
    assert_string_equal(c.text[0], "192.0.2.4:81");
    assert_int_equal(fake_dns_asked(f->dns, "v4.test", AF_INET), 1);
    fast_time(1000);
    loop_for(f->loop, 61 * 1000000ULL);
    fast_time(1);
    answer_for(f, "v4.test", &c);
    assert_int_equal(fake_dns_asked(f->dns, "v4.test", AF_INET), 2);
}

static void ttl_of_zero_is_not_cached(void **state)
{
    struct fixture *f = *state;
    struct told told;

    fake_dns_add(f->dns, "moving.test", AF_INET, "192.0.2.5", 0);
    answer_for(f, "moving.test", &told);
    answer_for(f, "moving.test", &told);
    assert_int_equal(fake_dns_asked(f->dns, "moving.test", AF_INET), 2);
}

static void missing_name_is_remembered_for_five_seconds(void **state)
{
    struct fixture *f = *state;
    struct told told;

    answer_for(f, "later.test", &told);
    fake_dns_add(f->dns, "later.test", AF_INET, "192.0.2.6", 60);
    answer_for(f, "later.test", &told);
    assert_string_equal(told.text[0], "no such host 'later.test'");
    fast_time(1000);
    loop_for(f->loop, 5100 * 1000ULL);
    fast_time(1);
    answer_for(f, "later.test", &told);
    assert_string_equal(told.text[0], "192.0.2.6:80");
}

static void hosts_file_comes_first_and_is_read_again_when_it_changes(void **state)
{
    struct fixture *f = *state;
    struct told told;

    fast_time(1000);
    write_hosts(f, "# comment\n10.0.0.1\tboth.test alias.test # more\n");
    loop_for(f->loop, 1100 * 1000ULL);
    answer_for(f, "Both.TEST", &told);
    assert_string_equal(told.text[0], "10.0.0.1:80");
    assert_string_equal(told.text[1], "'Both.TEST' has no IPv6 address");
    assert_int_equal(fake_dns_asked(f->dns, "both.test", AF_INET6), 0);
    write_hosts(f, "10.0.0.2 alias.test\n10.0.0.3 alias.test\n");
    loop_for(f->loop, 1100 * 1000ULL);
    answer_for(f, "alias.test", &told);
    assert_string_equal(told.text[0], "10.0.0.2:80 10.0.0.3:80");
    fast_time(1);
    answer_for(f, "both.test", &told);
    assert_string_equal(told.text[0], "192.0.2.1:80");
}

static void search_list_is_asked_only_when_neither_family_has_an_address(void **state)
{
    struct fixture *f = *state;
    struct told told;

    setenv("LOCALDOMAIN", "one.test two.test", 1);
    resolver_set_sources(f->resolver, fake_dns_servers(f->dns), NULL); /* reads the list */
    unsetenv("LOCALDOMAIN");
    fake_dns_add(f->dns, "app.two.test", AF_INET, "192.0.2.20", 60);
    fake_dns_add(f->dns, "v4.test.one.test", AF_INET6, "2001:db8::bad", 60);
    answer_for(f, "app", &told);
    assert_string_equal(told.text[0], "192.0.2.20:80");
    assert_int_equal(fake_dns_asked(f->dns, "app.one.test", AF_INET6), 1);
    assert_int_equal(fake_dns_asked(f->dns, "app", AF_INET), 0);
    answer_for(f, "v4.test", &told);
    assert_string_equal(told.text[1], "'v4.test' has no IPv6 address");
    assert_int_equal(fake_dns_asked(f->dns, "v4.test.one.test", AF_INET6), 0);
    answer_for(f, "deep.app.", &told);
    assert_string_equal(told.text[0], "no such host 'deep.app.'");
    assert_int_equal(fake_dns_asked(f->dns, "deep.app.one.test", AF_INET), 0);
}

/* Also when the family that has none is the first to say so. */
static void search_list_waits_for_both_families(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    setenv("LOCALDOMAIN", "one.test", 1);
    resolver_set_sources(f->resolver, fake_dns_servers(f->dns), NULL);
    unsetenv("LOCALDOMAIN");
    fake_dns_behave(f->dns, "v4.test", AF_INET, FAKE_DNS_HOLDS);
    resolve(f->resolver, "v4.test", 80, told_cb, &told);
    loop_for(f->loop, 30 * 1000);
    assert_int_equal(told.calls, 0);
    fake_dns_release(f->dns);
    assert_true(loop_until(f->loop, &told.is_over));
    assert_string_equal(told.text[0], "192.0.2.4:80");
    assert_int_equal(fake_dns_asked(f->dns, "v4.test.one.test", AF_INET6), 0);
}

static void dead_first_server_costs_a_second(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct address dead = { .len = 0 };
    char servers[128], name[ADDRESS_TEXT_BYTES];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t start_us;

    assert_true(address_parse("127.0.0.1", 0, &dead));
    assert_int_equal(bind(fd, (struct sockaddr *)&dead.sa, dead.len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&dead.sa, &dead.len), 0);
    address_format(&dead, name, sizeof name);
    snprintf(servers, sizeof servers, "%s,%s", name, fake_dns_servers(f->dns));
    resolver_set_sources(f->resolver, servers, NULL);
    fast_time(20);
    start_us = clock_mono_us();
    answer_for(f, "both.test", &told);
    assert_in_range(clock_mono_us() - start_us, 900 * 1000, 5000 * 1000);
    assert_string_equal(told.text[0], "192.0.2.1:80");
    close(fd);
}

static void question_under_way_survives_other_servers(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    fake_dns_behave(f->dns, "both.test", AF_INET6, FAKE_DNS_HOLDS);
    resolve(f->resolver, "both.test", 80, told_cb, &told);
    assert_true(loop_until(f->loop, &told.has_v4));
    fake_dns_behave(f->dns, "both.test", AF_INET6, FAKE_DNS_ANSWERS);
    resolver_set_sources(f->resolver, fake_dns_servers(f->dns), NULL);
    assert_true(loop_until(f->loop, &told.is_over));
    assert_string_equal(told.text[1], "[2001:db8::1]:80");
    assert_int_equal(told.calls, 2);
}

static void cancelled_resolution_is_never_told(void **state)
{
    struct fixture *f = *state;
    struct told gone = { .calls = 0 }, other = { .calls = 0 };

    resolve_cancel(resolve(f->resolver, "both.test", 80, told_cb, &gone));
    resolve(f->resolver, "both.test", 80, told_cb, &other);
    assert_true(loop_until(f->loop, &other.is_over));
    assert_int_equal(gone.calls, 0);
    resolve_cancel(NULL);
}

static void resolution_may_be_cancelled_from_another_ones_callback(void **state)
{
    struct fixture *f = *state;
    struct told first = { .calls = 0 }, second = { .calls = 0 };

    resolve(f->resolver, "both.test", 80, told_cb, &first);
    first.cancels = resolve(f->resolver, "both.test", 80, told_cb, &second);
    assert_true(loop_until(f->loop, &first.is_over));
    assert_int_equal(second.calls, 0);
}

static void resolution_may_cancel_itself(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    fake_dns_behave(f->dns, "both.test", AF_INET6, FAKE_DNS_HOLDS);
    told.cancels = resolve(f->resolver, "both.test", 80, told_cb, &told);
    assert_true(loop_until(f->loop, &told.has_v4));
    fake_dns_release(f->dns);
    loop_for(f->loop, 20 * 1000);
    assert_int_equal(told.calls, 1);
}

static void callback_may_ask_again(void **state)
{
    struct fixture *f = *state;
    struct told again = { .calls = 0 }, first = { .again = &again, .resolver = f->resolver };

    fake_dns_add(f->dns, "v4.test", AF_INET, "192.0.2.44", 0); /* not to be cached: asked anew */
    resolve(f->resolver, "v4.test", 80, told_cb, &first);
    assert_true(loop_until(f->loop, &again.is_over));
    assert_true(first.is_over);
}

static void resolver_may_be_freed_with_questions_under_way(void **state)
{
    struct fixture *f = *state;
    struct told told = { .calls = 0 };

    resolve(f->resolver, "both.test", 80, told_cb, &told);
    resolve(f->resolver, "other.test", 80, told_cb, &told);
    resolver_free(f->resolver);
    f->resolver = NULL;
    loop_for(f->loop, 20 * 1000);
    assert_int_equal(told.calls, 0);
}

static void resolver_may_be_freed_from_a_callback(void **state)
{
    struct fixture *f = *state;
    struct told told = { .frees = f->resolver }, other = { .calls = 0 };

    resolve(f->resolver, "both.test", 80, told_cb, &told);
    resolve(f->resolver, "both.test", 80, told_cb, &other);
    f->resolver = NULL;
    loop_for(f->loop, 20 * 1000);
    assert_int_equal(told.calls + other.calls, 1);
}

static void cache_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char host[64];

    for (int i = 0; i < 4200; i++) {
        snprintf(host, sizeof host, "n%d.test", i);
        told = (struct told){ .calls = 0 };
        resolve(f->resolver, host, 80, told_cb, &told);
        assert_true(loop_until(f->loop, &told.is_over));
    }
    answer_for(f, "n4199.test", &told);
    assert_int_equal(fake_dns_asked(f->dns, "n4199.test", AF_INET), 1);
    answer_for(f, "n0.test", &told);
    assert_int_equal(fake_dns_asked(f->dns, "n0.test", AF_INET), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(literals_are_answered_from_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(localhost_and_names_below_it_are_loopback_and_never_asked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(name_that_only_ends_like_localhost_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(both_families_come_with_the_port, setup, teardown),
        cmocka_unit_test_setup_teardown(family_that_is_silent_delays_the_other_not, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_name_delays_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_are_sentences, setup, teardown),
        cmocka_unit_test_setup_teardown(last_word_on_a_name_without_addresses_names_no_family, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(truncated_answer_is_asked_again_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(answer_is_cached_for_its_ttl_and_shared_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(ttl_of_zero_is_not_cached, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_name_is_remembered_for_five_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(hosts_file_comes_first_and_is_read_again_when_it_changes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(search_list_is_asked_only_when_neither_family_has_an_address, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(search_list_waits_for_both_families, setup, teardown),
        cmocka_unit_test_setup_teardown(dead_first_server_costs_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(question_under_way_survives_other_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_resolution_is_never_told, setup, teardown),
        cmocka_unit_test_setup_teardown(resolution_may_be_cancelled_from_another_ones_callback, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(resolution_may_cancel_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(callback_may_ask_again, setup, teardown),
        cmocka_unit_test_setup_teardown(resolver_may_be_freed_with_questions_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(resolver_may_be_freed_from_a_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
