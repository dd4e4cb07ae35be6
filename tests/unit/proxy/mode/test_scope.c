#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/mode/scope.h"

/* seal and open: NULL none. The answer as a letter: a, o, s. */
static char answer(const char *seal, const char *open, const char *host, const char *sni, uint16_t port)
{
    struct scope_options options = { .seal = &seal, .open = &open };
    struct scope *scope;
    const char *rule;
    enum scope_answer got;
    struct err err;

    options.seal_count = seal != NULL;
    options.open_count = open != NULL;
    if (!scope_new(&options, &scope, &err))
        fail_msg("%s", err.text);
    got = scope_of(scope, span_of(host), span_of(sni), port, &rule);
    if (got == SCOPE_AUTO)
        assert_null(rule);
    else
        assert_non_null(rule);
    scope_free(scope);
    return "aos"[got];
}

static void without_rules_what_is_learned_decides(void **state)
{
    (void)state;
    assert_int_equal(answer(NULL, NULL, "a.test", "", 443), 'a');
    assert_int_equal(answer("b.test", "c.test", "a.test", "a.test", 443), 'a');
}

static void a_rule_fits_names_as_people_write_them(void **state)
{
    static const struct {
        const char *rule, *host;
        uint16_t port;
        bool fits;
    } rows[] = {
        { "api.test", "api.test", 443, true },
        { "API.test", "api.TEST", 443, true },
        { "api.test", "api.test.", 443, true },
        { "api.test.", "api.test", 443, true },
        { "api.test", "x.api.test", 443, false },
        { "api.test", "myapi.test", 443, false },
        { "*.api.test", "x.y.api.test", 443, true },
        { "*.api.test", "api.test", 443, false },
        { ".api.test", "x.api.test", 443, true },
        { ".api.test", "api.test", 443, true },
        { ".api.test", "myapi.test", 443, false },
        { "api.test:8443", "api.test", 8443, true },
        { "api.test:8443", "api.test", 443, false },
        { ".api.test:8443", "x.api.test", 8443, true },
        { ".api.test:8443", "x.api.test", 443, false },
        { "*", "api.test", 443, true },
        { "*:993", "mail.test", 993, true },
        { ":993", "mail.test", 993, true },
        { "*:993", "mail.test", 443, false },
        { "10.0.0.*", "10.0.0.7", 443, true },
        { "10.0.0.*", "10.0.1.7", 443, false },
        { "::1", "::1", 443, true },
        { "[::1]", "::1", 443, true },
        { "[::1]:8443", "::1", 8443, true },
        { "[::1]:8443", "::1", 443, false },
        { "a.test,b.test", "b.test", 443, true },
        { "a.test, b.test:1", "b.test", 1, true },
        { "a.test, b.test:1", "b.test", 2, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((answer(rows[i].rule, NULL, rows[i].host, "", rows[i].port) == 's') != rows[i].fits)
            fail_msg("--seal %s on %s:%u", rows[i].rule, rows[i].host, (unsigned)rows[i].port);
    }
}

static void the_name_dialled_and_the_sni_both_count(void **state)
{
    (void)state;
    assert_int_equal(answer("a.test", NULL, "10.0.0.1", "a.test", 443), 's');
    assert_int_equal(answer("10.0.0.1", NULL, "10.0.0.1", "a.test", 443), 's');
    assert_int_equal(answer("*", NULL, "10.0.0.1", "", 443), 's');
}

static void open_wins_over_seal(void **state)
{
    (void)state;
    assert_int_equal(answer("*", "api.test", "api.test", "", 443), 'o');
    assert_int_equal(answer("*", "api.test", "other.test", "", 443), 's');
    assert_int_equal(answer("api.test", "10.0.0.1", "10.0.0.1", "api.test", 443), 'o');
}

static void the_rule_that_decided_is_told(void **state)
{
    const char *seal[] = { "a.test,*.b.test:443", ".c.test" };
    struct scope_options options = { .seal = seal, .seal_count = 2 };
    struct scope *scope;
    const char *rule;
    struct err err;

    (void)state;
    assert_true(scope_new(&options, &scope, &err));
    assert_int_equal(scope_of(scope, SPAN("x.b.test"), SPAN(""), 443, &rule), SCOPE_SEALED);
    assert_string_equal(rule, "*.b.test:443");
    assert_int_equal(scope_of(scope, SPAN("c.test"), SPAN(""), 443, &rule), SCOPE_SEALED);
    assert_string_equal(rule, ".c.test");
    scope_free(scope);
}

static void without_auto_seal_what_nobody_named_is_opened(void **state)
{
    const char *seal = "a.test";
    struct scope_options options = { .seal = &seal, .seal_count = 1, .no_auto_seal = true };
    struct scope *scope;
    const char *rule;
    struct err err;

    (void)state;
    assert_true(scope_new(&options, &scope, &err));
    assert_int_equal(scope_of(scope, SPAN("b.test"), SPAN(""), 443, &rule), SCOPE_OPEN);
    assert_null(rule);
    assert_int_equal(scope_of(scope, SPAN("a.test"), SPAN(""), 443, &rule), SCOPE_SEALED);
    scope_free(scope);
}

static void a_wrong_rule_is_named_with_what_is_wrong(void **state)
{
    static const struct {
        const char *rule, *text;
    } rows[] = {
        { "", "--open '': nothing between the commas; write api.test" },
        { "a.test,", "--open '': nothing between the commas" },
        { "a.test,,b.test", "--open '': nothing between the commas" },
        { "https://a.test", "--open 'https://a.test': hosts are meant, not URLs; write api.test" },
        { "a.test/x", "--open 'a.test/x': hosts are meant, not URLs" },
        { "b.test,a.test:0", "--open 'a.test:0': a port is a number from 1 to 65535" },
        { "a.test:65536", "--open 'a.test:65536': a port is" },
        { "a.test:https", "--open 'a.test:https': a port is" },
        { "a.test:", "--open 'a.test:': a port is" },
        { "[::1]8443", "--open '[::1]8443': a port is" },
        { "[::1", "--open '[::1': a port is" },
        { "a test", "--open 'a test': that is in no name of a host" },
        { "a\\.test", "--open 'a\\.test': that is in no name of a host" },
        { "b\xc3\xbc"
          "cher.test",
          "--open 'b\xc3\xbc"
          "cher.test': a name stands in TLS as its A-label: write xn--" },
    };
    struct scope *scope;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scope_options options = { .open = &rows[i].rule, .open_count = 1 };
        assert_false(scope_new(&options, &scope, &err));
        assert_int_equal(err.code, ERR_USAGE);
        if (strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("'%s': %s", rows[i].rule, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_what_is_learned_decides),
        cmocka_unit_test(a_rule_fits_names_as_people_write_them),
        cmocka_unit_test(the_name_dialled_and_the_sni_both_count),
        cmocka_unit_test(open_wins_over_seal),
        cmocka_unit_test(the_rule_that_decided_is_told),
        cmocka_unit_test(without_auto_seal_what_nobody_named_is_opened),
        cmocka_unit_test(a_wrong_rule_is_named_with_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
