#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <string.h>

#include "capture/filter.h"
#include "capture/store/filter_functions.h"
#include "proxy/base/strbuf.h"

/* Bodies of these functions' own: 1 text, 2 damaged gzip, 3 one that can't be read, 4 nineteen MiB,
 * 5 a word in pieces of one byte. */
static bool read_body(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    static const char mib[1 << 20];
    unsigned *reads = self;

    (*reads)++;
    if (body == 3)
        return err_set(err, ERR_STORE, "body 3 is gone");
    if (body == 4) {
        for (unsigned i = 0; i < 19; i++) {
            if (!sink(sink_self, i == 18 ? SPAN("tail") : span_make(mib, sizeof mib), err))
                return false;
        }
        return true;
    }
    for (size_t i = 0; body == 5 && i < 3; i++) {
        if (!sink(sink_self, span_make(&"tex"[i], 1), err))
            return false;
    }
    if (body == 5)
        return sink(sink_self, SPAN("t"), err);
    return sink(sink_self, body == 2 ? SPAN("\x1f\x8bnot gzip") : SPAN("some Text"), err);
}

static sqlite3 *opened(unsigned *reads)
{
    const struct filter_bodies bodies = { read_body, reads };
    struct err err;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_true(filter_functions_register(db, &bodies, &err));
    return db;
}

/* The one value of SELECT expression, "NULL", or the error. */
static void evaluate(const char *expression, struct strbuf *out)
{
    struct strbuf sql = STRBUF_EMPTY;
    sqlite3_stmt *select;
    unsigned reads = 0;
    sqlite3 *db = opened(&reads);

    strbuf_reset(out);
    strbuf_printf(&sql, "SELECT %s", expression);
    if (sqlite3_prepare_v2(db, strbuf_text(&sql), -1, &select, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    if (sqlite3_step(select) != SQLITE_ROW)
        strbuf_printf(out, "error: %s", sqlite3_errmsg(db));
    else if (sqlite3_column_type(select, 0) == SQLITE_NULL)
        strbuf_add_str(out, "NULL");
    else
        strbuf_add_str(out, (const char *)sqlite3_column_text(select, 0));
    sqlite3_finalize(select);
    sqlite3_close(db);
    strbuf_clear(&sql);
}

struct row {
    const char *expression, *value;
};

static void gives(const struct row *rows, size_t count)
{
    struct strbuf value = STRBUF_EMPTY;

    for (size_t i = 0; i < count; i++) {
        evaluate(rows[i].expression, &value);
        if (strcmp(strbuf_text(&value), rows[i].value) != 0)
            fail_msg("%s gives '%s', not '%s'", rows[i].expression, strbuf_text(&value), rows[i].value);
    }
    strbuf_clear(&value);
}

#define GIVES(...)                                                                                           \
    gives((const struct row[]){ __VA_ARGS__ },                                                               \
          sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row))

static void text_of_the_store_is_compared_as_bytes(void **state)
{
    (void)state;
    /* In the store é of UTF-8 is the two code points of its bytes, and é of ISO 8859-1 is one. */
    GIVES({ "weir_match(0, 'a*', 'abc')", "1" }, { "weir_match(0, 'b', 'abc')", "0" },
          { "weir_match(1, '^caf.$', 'cafÃ©')", "1" }, { "weir_match(1, '^caf.$', 'café')", "0" },
          { "weir_match(0, 'Ã©', 'Ã©')", "1" }, { "weir_match(0, 'Ã©', 'é')", "0" },
          { "weir_match(0, '€', '€')", "1" }, { "weir_match(0, '2*', 200)", "1" });
}

static void null_in_is_null_out(void **state)
{
    (void)state;
    GIVES({ "weir_match(0, 'a', NULL)", "NULL" }, { "weir_match(0, NULL, 'a')", "NULL" },
          { "weir_header(0, 'a', 'b', NULL)", "NULL" }, { "weir_cookie(0, 'a', 'b', NULL)", "NULL" },
          { "weir_body(2, 'a', NULL, '[]')", "NULL" });
}

static void a_wrong_regular_expression_fails_the_statement(void **state)
{
    (void)state;
    GIVES({ "weir_match(1, '(', 'a')",
            "error: missing closing parenthesis, after 1 bytes of the regular expression" });
}

static void headers_are_looked_for_by_name_and_value(void **state)
{
    (void)state;
    GIVES({ "weir_header(6, 'JSON', 'content-*', '[[\"A\",\"b\"],[\"Content-Type\",\"text/json\"]]')", "1" },
          { "weir_header(6, 'xml', 'content-*', '[[\"Content-Type\",\"text/json\"]]')", "0" },
          { "weir_header(0, NULL, 'a', '[[\"A\",\"b\"]]')", "1" },
          { "weir_header(1, '^A: b$', NULL, '[[\"A\",\"b\"]]')", "1" },
          { "weir_cookie(0, '1', 'a', '[[\"Cookie\",\"b=2; a=1\"]]')", "1" },
          { "weir_cookie(0, '1', 'a', '[[\"X\",\"a=1\"]]')", "0" },
          { "weir_header(0, NULL, '*', 'no json')", "0" }, { "weir_header(0, NULL, '*', '{\"a\":1}')", "0" },
          { "weir_header(0, NULL, 'a', '[1,[\"a\",\"b\"]]')", "0" },
          { "weir_header(0, '€', 'a', '[[\"a\",\"€\"]]')", "1" });
}

static void headers_that_are_not_parsed_are_those_without_the_text(void **state)
{
    (void)state;
    /* JSON may write any character as \u and / as \/; a quote and a backslash it must escape. */
    GIVES({ "weir_header(6, 'x', 'name', '[[\"\\u006eame\",\"\\u0078\"]]')", "1" },
          { "weir_header(6, 'x', 'name', '[[\"A\",\"\\\\\\u006eame\"],[\"\\u004eame\",\"x\"]]')", "1" },
          { "weir_header(6, 'a/b', 'name', '[[\"name\",\"a\\/b\"]]')", "1" },
          { "weir_header(6, 'say \"a\"', 'name', '[[\"Name\",\"I say \\\"a\\\"\"]]')", "1" },
          { "weir_header(6, 'Ã©', 'name', '[[\"Name\",\"caf\\u00c3\\u00a9\"]]')", "1" },
          { "weir_header(6, 'Ã©', 'name', '[[\"Name\",\"cafÃ©\"]]')", "1" },
          { "weir_header(6, 'x', 'name', '[[\"Name\",\"y\"],[\"Other\",\"x\"]]')", "0" },
          { "weir_header(6, 'x', 'name', '[[\"Other\",\"x\\\"\"]]')", "0" },
          { "weir_header(6, '', 'name', '[[\"Name\",\"\"]]')", "1" },
          { "weir_header(6, 'x', 'na*', '[[\"Name\",\"axb\"]]')", "1" },
          { "weir_header(6, 'Name: x', NULL, '[[\"Name\",\"x\"]]')", "1" },
          { "weir_cookie(0, 'v', 'a', '[[\"Cookie\",\"A=V\"]]')", "0" },
          { "weir_cookie(4, 'v', 'a', '[[\"Cookie\",\"A=V\"]]')", "1" });
}

static void a_url_leaves_out_what_is_the_default(void **state)
{
    (void)state;
    GIVES({ "weir_match_url(0, 'https://a.test/x', 'https', 'a.test', 443, '/x', NULL)", "1" },
          { "weir_match_url(0, 'http://[::1]:8080/?', 'http', '::1', 8080, '/', '')", "1" },
          { "weir_match_url(0, 'http://[::1]:8080/', 'http', '::1', 8080, '/', '')", "0" },
          { "weir_match_url(6, 'T/Ã©', 'http', 'a.test', 80, '/Ã©', NULL)", "1" },
          { "weir_match_url(0, NULL, 'http', 'a.test', 80, '/', NULL)", "NULL" });
}

static void bodies_are_read_as_far_as_they_go(void **state)
{
    (void)state;
    GIVES({ "weir_body(6, 'E TEX', 1, '[]')", "1" }, { "weir_body(2, 'E TEX', 1, '[]')", "0" },
          { "weir_body(6, 'text', 1, '[[\"Content-Encoding\",\"unknown\"]]')", "1" },
          { "weir_body(1, '^some', 1, NULL)", "1" }, { "weir_body(2, 's*t', 1, '[]')", "1" },
          { "weir_body(2, 'gzip', 2, '[[\"content-encoding\",\"gzip\"]]')", "0" },
          { "weir_body(2, 'a', 3, '[]')", "error: body 3 is gone" }, { "weir_body(2, 'tail', 4, '[]')", "1" },
          { "weir_body(1, 'tail', 4, '[]')", "0" }, { "weir_body(6, 'text', 5, '[]')", "1" },
          { "weir_body(6, 'tex', 5, '[]')", "1" }, { "weir_body(6, 'xt', 5, '[]')", "1" },
          { "weir_body(6, 'tt', 5, '[]')", "0" }, { "weir_body(6, 'te t', 5, '[]')", "0" });
}

static void a_body_is_read_only_when_all_else_is_true(void **state)
{
    struct filter *filter;
    struct filter_sql sql;
    struct strbuf text = STRBUF_EMPTY;
    sqlite3_stmt *select;
    unsigned reads = 0, rows = 0;
    sqlite3 *db = opened(&reads);
    struct err err;

    (void)state;
    assert_true(filter_parse("body:text status:200", &filter, &err));
    filter_to_sql(filter, &sql);
    strbuf_printf(&text,
                  "WITH exchange (status, request_body, request_headers, response_body, response_headers) AS "
                  "(VALUES (404, 1, '[]', 1, '[]'), (200, 1, '[]', 3, '[]')) SELECT 1 FROM exchange WHERE %s",
                  strbuf_text(&sql.where));
    assert_int_equal(sqlite3_prepare_v2(db, strbuf_text(&text), -1, &select, NULL), SQLITE_OK);
    for (size_t i = 0; i < sql.bind_count; i++) {
        if (sql.binds[i].is_integer)
            sqlite3_bind_int64(select, (int)i + 1, sql.binds[i].integer);
        else
            sqlite3_bind_text(select, (int)i + 1, sql.binds[i].text, -1, SQLITE_STATIC);
    }
    while (sqlite3_step(select) == SQLITE_ROW)
        rows++;
    assert_int_equal(rows, 1);
    assert_int_equal(reads, 1);
    sqlite3_finalize(select);
    sqlite3_close(db);
    strbuf_clear(&text);
    filter_sql_clear(&sql);
    filter_unref(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_the_store_is_compared_as_bytes),
        cmocka_unit_test(null_in_is_null_out),
        cmocka_unit_test(a_wrong_regular_expression_fails_the_statement),
        cmocka_unit_test(headers_are_looked_for_by_name_and_value),
        cmocka_unit_test(headers_that_are_not_parsed_are_those_without_the_text),
        cmocka_unit_test(a_url_leaves_out_what_is_the_default),
        cmocka_unit_test(bodies_are_read_as_far_as_they_go),
        cmocka_unit_test(a_body_is_read_only_when_all_else_is_true),
    };

    return cmocka_run_group_tests_name("filter_functions", tests, NULL, NULL);
}
