#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/mode/mode.h"

static void a_listener_without_a_mode_has_the_default_one(void **state)
{
    struct mode mode;
    const char *address;
    struct err err;

    (void)state;
    assert_true(mode_parse("127.0.0.1:8080", NULL, &mode, &address, &err));
    assert_int_equal(mode.kind, MODE_FORWARD);
    assert_false(mode.is_tls);
    assert_string_equal(address, "127.0.0.1:8080");
    assert_true(mode_parse("[::1]:0", "socks5", &mode, &address, &err));
    assert_int_equal(mode.kind, MODE_SOCKS5);
    assert_string_equal(address, "[::1]:0");
    assert_true(mode_parse(":1", "reverse:https://a.test", &mode, &address, &err));
    assert_int_equal(mode.kind, MODE_REVERSE);
    assert_string_equal(mode.target.host, "a.test");
}

static void a_listener_may_have_a_mode_of_its_own(void **state)
{
    static const struct {
        const char *text, *address;
        enum mode_kind kind;
        bool is_tls, can_ask;
    } cases[] = {
        { "forward@127.0.0.1:1", "127.0.0.1:1", MODE_FORWARD, false, true },
        { "https@[::1]:2", "[::1]:2", MODE_FORWARD, true, true },
        { "SOCKS5@:3", ":3", MODE_SOCKS5, false, true },
        { "transparent@0.0.0.0:4", "0.0.0.0:4", MODE_TRANSPARENT, false, false },
        { "reverse:http://a@:5", ":5", MODE_REVERSE, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mode mode;
        const char *address;
        struct err err;

        assert_true(mode_parse(cases[i].text, "socks5", &mode, &address, &err));
        assert_int_equal(mode.kind, cases[i].kind);
        assert_int_equal(mode.is_tls, cases[i].is_tls);
        assert_int_equal(mode_can_ask(&mode), cases[i].can_ask);
        assert_string_equal(address, cases[i].address);
    }
}

static void a_reverse_listener_knows_its_origin_and_what_it_is_called(void **state)
{
    static const struct {
        const char *text, *host, *host_line;
        uint16_t port;
        bool is_tls;
    } cases[] = {
        { "reverse:http://A.test@:1", "a.test", "a.test", 80, false },
        { "reverse:https://a.test/@:1", "a.test", "a.test", 443, true },
        { "reverse:HTTPS://a.test:443@:1", "a.test", "a.test", 443, true },
        { "reverse:https://a.test:80@:1", "a.test", "a.test:80", 80, true },
        { "reverse:http://[::1]:8443@[::1]:0", "::1", "[::1]:8443", 8443, false },
        { "REVERSE:http://under_score.test.:81@:1", "under_score.test.", "under_score.test.:81", 81, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf host = STRBUF_EMPTY;
        struct mode mode;
        const char *address;
        struct err err;

        assert_true(mode_parse(cases[i].text, NULL, &mode, &address, &err));
        assert_string_equal(mode.target.host, cases[i].host);
        assert_int_equal(mode.target.port, cases[i].port);
        assert_int_equal(mode.target.is_tls, cases[i].is_tls);
        mode_add_host(&host, &mode);
        assert_string_equal(strbuf_text(&host), cases[i].host_line);
        strbuf_clear(&host);
    }
}

static void what_makes_no_sense_is_said(void **state)
{
    static const struct {
        const char *text, *default_mode, *error;
    } cases[] = {
        { "socks@:1", NULL,
          "'socks' is no mode: choose one of forward, https, socks5, reverse:URL, transparent" },
        { "@:1", NULL, "'' is no mode: choose one of forward, https, socks5, reverse:URL, transparent" },
        { ":1", "nonsense",
          "'nonsense' is no mode: choose one of forward, https, socks5, reverse:URL, transparent" },
        { "socks5@:1", "nonsense",
          "'nonsense' is no mode: choose one of forward, https, socks5, reverse:URL, transparent" },
        { "socks5:1080@:1", NULL, "mode 'socks5' takes nothing: '1080' is too much" },
        { "reverse@:1", NULL, "mode 'reverse' needs a URL: reverse:https://api.example.com" },
        { "reverse:@:1", NULL, "mode 'reverse' needs a URL: reverse:https://api.example.com" },
        { "reverse:api.test@:1", NULL,
          "reverse: 'api.test' is no URL of an origin: a URL begins with a scheme and '://'" },
        { "reverse:ftp://a@:1", NULL, "reverse: 'ftp://a' is neither http:// nor https://" },
        { "reverse:http://a/api@:1", NULL,
          "reverse: an origin has no path: leave '/api' out, clients ask for it themselves" },
        { "reverse:http://a?b@:1", NULL,
          "reverse: an origin has no path: leave '?b' out, clients ask for it themselves" },
        { "reverse:http://u:p@a@:1", NULL,
          "reverse: 'http://u:p@a' is no URL of an origin: a user name or password before the host" },
        { "socks5", NULL, "'socks5' has no address to listen on: write socks5@127.0.0.1:8080" },
        { "reverse:http://a:80", NULL,
          "'reverse:http://a:80' has no address to listen on: write reverse:http://a:80@127.0.0.1:8080" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mode mode;
        const char *address;
        struct err err;

        assert_false(mode_parse(cases[i].text, cases[i].default_mode, &mode, &address, &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.text, cases[i].error);
    }
}

static void every_row_can_be_written_as_help_shows_it(void **state)
{
    (void)state;
    for (const struct mode_row *row = mode_rows; row->name != NULL; row++) {
        struct strbuf text = STRBUF_EMPTY;
        struct mode mode;
        const char *address;
        struct err err;

        strbuf_printf(&text, "%s%s@:0", row->name, row->argument != NULL ? ":http://a" : "");
        assert_true(mode_parse(strbuf_text(&text), NULL, &mode, &address, &err));
        assert_int_equal(mode.kind, row->kind);
        assert_non_null(row->help);
        strbuf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_without_a_mode_has_the_default_one),
        cmocka_unit_test(a_listener_may_have_a_mode_of_its_own),
        cmocka_unit_test(a_reverse_listener_knows_its_origin_and_what_it_is_called),
        cmocka_unit_test(what_makes_no_sense_is_said),
        cmocka_unit_test(every_row_can_be_written_as_help_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
