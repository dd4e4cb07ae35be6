#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/export/export.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/imported.h"

static void import(struct imported *world, struct span document, const char *session)
{
    imported_add(world, document, session);
    if (!world->ok)
        fail_msg("%s", world->err.text);
}

/* The jar of the newest session, in that format. The caller frees it. */
static char *export_jar(struct imported *world, const char *format)
{
    const struct export_options options = { .format = export_find_format(format) };
    struct store *store = test_open(world->folder.store);
    struct export_report report = { 0 };
    struct export_source source;
    struct session_row row;
    struct err err;
    size_t len;
    char *text = NULL, *copy;
    FILE *stream = open_memstream(&text, &len);

    assert_true(store_find_session(store, NULL, &row, &err));
    source_store_init(&source, store, &row, NULL);
    if (!export_to_stream(&source, &options, stream, &report, &err))
        fail_msg("%s", err.text);
    fclose(stream);
    copy = mem_strdup(text);
    free(text);
    export_report_clear(&report);
    source_store_clear(&source);
    session_row_clear(&row);
    store_close(store);
    return copy;
}

#define TOUGH                                                                                                \
    "{\"version\":\"tough-cookie@4.1.3\",\"cookies\":["                                                      \
    "{\"key\":\"sid\",\"value\":\"a\\u00ff\",\"domain\":\"api.shop.test\",\"path\":\"/\",\"secure\":true,"   \
    "\"httpOnly\":true,\"hostOnly\":true,\"creation\":\"2026-11-21T20:14:00.000Z\",\"lastAccessed\":"        \
    "\"2026-11-21T20:14:00.000Z\",\"sameSite\":\"none\"},"                                                   \
    "{\"key\":\"pref\",\"value\":\"1\",\"expires\":\"2037-10-09T21:49:26.000Z\",\"domain\":\"shop.test\","   \
    "\"path\":\"/x\",\"hostOnly\":false,\"extensions\":[\"Priority=High\"],"                                 \
    "\"creation\":\"2026-11-21T20:15:00.000Z\",\"lastAccessed\":\"2026-11-21T20:15:00.000Z\"},"              \
    "{\"key\":\"least\",\"value\":\"\",\"domain\":\"::1\",\"path\":\"/\",\"hostOnly\":true},"                \
    "{\"key\":\"old\",\"value\":\"1\",\"expires\":\"2001-01-01T00:00:00.000Z\",\"domain\":\"a.test\","       \
    "\"path\":\"/\"}]}"
#define NETSCAPE                                                                                             \
    "# Netscape HTTP Cookie File\r\n\n"                                                                      \
    "#HttpOnly_api.shop.test\tFALSE\t/\tTRUE\t0\tsid\tabc\n"                                                 \
    ".shop.test\ttrue\t/\tFALSE\t2117812966\tpref\ta b\n"                                                    \
    "shop.test\tFALSE\t/\tFALSE\t0\tempty\n"
#define PLAYWRIGHT                                                                                           \
    "{\"cookies\":[{\"name\":\"sid\",\"value\":\"\xc3\xbc\",\"domain\":\"api.shop.test\",\"path\":\"/\","    \
    "\"expires\":-1,\"httpOnly\":true,\"secure\":true,\"sameSite\":\"Lax\"},{\"name\":\"pref\",\"value\":"   \
    "\"1\",\"domain\":\".shop.test\",\"path\":\"/\",\"expires\":2117812965.5,\"httpOnly\":false,\"secure\":" \
    "false,\"sameSite\":\"Strict\"}],\"origins\":[{\"origin\":\"https://a.test\",\"localStorage\":["         \
    "{\"name\":\"a\",\"value\":\"b\"}]}]}"

static void a_jar_that_was_exported_comes_back_as_it_was(void **state)
{
    static const struct {
        const char *format;
        struct span document;
    } rows[] = { { "cookies-tough", SPAN(TOUGH) },
                 { "cookies-netscape", SPAN(NETSCAPE) },
                 { "cookies-playwright", SPAN(PLAYWRIGHT) } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct imported world = { 0 };
        char *first, *second;

        import(&world, rows[i].document, NULL);
        first = export_jar(&world, rows[i].format);
        import(&world, span_of(first), NULL);
        second = export_jar(&world, rows[i].format);
        assert_non_null(strstr(first, "pref"));
        assert_non_null(strstr(first, "sid"));
        assert_string_equal(first, second);
        mem_free(first);
        mem_free(second);
        imported_clear(&world);
    }
}

static void newmans_jar_is_read(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(&world, SPAN(TOUGH), NULL);
    assert_int_equal(world.report.cookies, 3);
    assert_int_equal(world.report.reasons[IMPORT_BAD_COOKIE].count, 1);
    assert_string_equal(world.report.reasons[IMPORT_BAD_COOKIE].first, "cookie 4: it has expired");
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM cookie WHERE scheme = 'https' AND "
                                             "host = 'api.shop.test' AND time_us = 1795292040000000 AND "
                                             "value = x'61ff' AND line = CAST('sid=a' || CAST(x'ff' AS TEXT) "
                                             "|| '; Path=/; Secure; HttpOnly; SameSite=None' AS BLOB)"),
                     1);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM cookie WHERE line = CAST('pref=1; "
                                             "Domain=shop.test; Path=/x; Expires=Fri, 09 Oct 2037 21:49:26 "
                                             "GMT; Priority=High' AS BLOB)"),
                     1);
    imported_clear(&world);
}

static void lines_are_read(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(&world, SPAN(NETSCAPE "oops\n.shop.test\tTRUE\t/\tFALSE\t0\tb;c\t1\n"), NULL);
    assert_int_equal(world.report.cookies, 3);
    assert_int_equal(world.report.damage_count, 1);
    assert_non_null(strstr(world.report.damages[0], "line 6"));
    assert_int_equal(world.report.reasons[IMPORT_BAD_COOKIE].count, 1);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM cookie WHERE line = CAST('sid=abc; "
                                             "Path=/; Secure; HttpOnly' AS BLOB)"),
                     1);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM cookie WHERE name = "
                                             "CAST('empty' AS BLOB) AND length(value) = 0"),
                     1);
    imported_clear(&world);
}

static void local_storage_is_counted(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(&world, SPAN(PLAYWRIGHT), NULL);
    assert_int_equal(world.report.cookies, 2);
    assert_int_equal(world.report.reasons[IMPORT_LOCAL_STORAGE].count, 1);
    assert_string_equal(world.report.reasons[IMPORT_LOCAL_STORAGE].first, "https://a.test");
    imported_clear(&world);
}

static void a_list_of_a_browser_extension_is_read(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(
        &world,
        SPAN("[{\"domain\":\".a.test\",\"expirationDate\":2117812966.1,\"hostOnly\":false,\"httpOnly\":true,"
             "\"name\":\"n\",\"path\":\"/"
             "\",\"sameSite\":\"no_restriction\",\"secure\":true,\"value\":\"v\"}]"),
        NULL);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM cookie WHERE line = CAST('n=v; "
                                             "Domain=a.test; Path=/; Expires=Mon, 09 Feb 2037 17:22:47 GMT; "
                                             "Secure; HttpOnly; SameSite=None' AS BLOB)"),
                     1);
    imported_clear(&world);
}

/* newman keeps the time a cookie was first set when its value changes: what it was last is lastAccessed. */
static void what_newman_renewed_is_newer_than_what_was_captured(void **state)
{
    struct imported world = { 0 };
    char *jar;

    (void)state;
    import(&world,
           SPAN("{\"cookies\":[{\"key\":\"sid\",\"value\":\"captured\",\"domain\":\"a.test\",\"path\":\"/\","
                "\"hostOnly\":true,\"creation\":\"2026-11-21T20:15:00.000Z\",\"lastAccessed\":"
                "\"2026-11-21T20:15:00.000Z\"}]}"),
           "loop");
    import(&world,
           SPAN("{\"cookies\":[{\"key\":\"sid\",\"value\":\"renewed\",\"domain\":\"a.test\",\"path\":\"/\","
                "\"hostOnly\":true,\"creation\":\"2026-11-21T20:14:00.000Z\",\"lastAccessed\":"
                "\"2026-11-21T20:16:00.000Z\"}]}"),
           "loop");
    jar = export_jar(&world, "cookies-tough");
    assert_non_null(strstr(jar, "renewed"));
    assert_null(strstr(jar, "captured"));
    assert_non_null(strstr(jar, "\"creation\": \"2026-11-21T20:14:00.000Z\""));
    mem_free(jar);
    imported_clear(&world);
}

static void a_damaged_jar_says_where(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(
        &world,
        SPAN("{\"cookies\":[{\"key\":\"a\",\"value\":\"1\",\"domain\":\"a.test\",\"path\":\"/\"},\n{\"key\""),
        NULL);
    assert_int_equal(world.report.cookies, 1);
    assert_int_equal(world.report.damage_count, 1);
    assert_non_null(strstr(world.report.damages[0], "line 2, at cookie 2"));
    imported_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jar_that_was_exported_comes_back_as_it_was),
        cmocka_unit_test(newmans_jar_is_read),
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(local_storage_is_counted),
        cmocka_unit_test(a_list_of_a_browser_extension_is_read),
        cmocka_unit_test(what_newman_renewed_is_newer_than_what_was_captured),
        cmocka_unit_test(a_damaged_jar_says_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
