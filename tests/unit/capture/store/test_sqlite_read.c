/* What cursors show of an exchange: all of it, or the line that a list needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/filter.h"
#include "capture/store/sqlite.h"
#include "tests/support/store_world.h"

static void insert(struct world *world, uint32_t seq, struct span request_headers)
{
    struct store_exchange row = {
        .session = world->session,
        .seq = seq,
        .state = RECORD_DONE,
        .client_addr = SPAN("192.0.2.1:40000"),
        .origin_addr = SPAN(""),
        .method = SPAN("GET"),
        .scheme = SPAN("https"),
        .host = SPAN("a.test"),
        .port = 443,
        .path = SPAN("/caf\xc3\xa9"), /* one byte, é of ISO 8859-1 */
        .request_version = 11,
        .request_headers = request_headers,
    };
    struct err err;

    must(store_begin(world->store, &err), &err);
    must(store_insert_exchange(world->store, &row, &err), &err);
    must(store_commit(world->store, &err), &err);
}

static void fields_come_as_bytes_however_many_there_are(void **state)
{
    struct world *world = *state;
    struct strbuf json = STRBUF_EMPTY;
    struct store_cursor *cursor;
    const struct record *record;
    struct err err;

    strbuf_add_char(&json, '[');
    for (int i = 0; i < 300; i++)
        strbuf_printf(&json, "%s[\"Name\",\"%d \\\"\xc3\xa9\\u00e9\\\"\"]", i != 0 ? "," : "", i);
    strbuf_add_char(&json, ']');
    insert(world, 1, strbuf_span(&json));
    must(store_exchanges(world->store, world->session, 1, NULL, &cursor, &err), &err);
    must(store_next(cursor, &record, &err), &err);
    assert_int_equal(record->request_headers.count, 300);
    assert_int_equal(record->response_headers.count, 0);
    for (int i = 0; i < 300; i++) {
        char want[32];
        snprintf(want, sizeof want, "%d \"\xe9\xe9\"", i);
        assert_true(span_eq(record->request_headers.items[i].name, SPAN("Name")));
        assert_true(span_eq(record->request_headers.items[i].value, span_of(want)));
    }
    store_cursor_free(cursor);
    strbuf_clear(&json);
}

static void a_summary_has_no_fields_but_its_filter_sees_them(void **state)
{
    struct world *world = *state;
    struct store_cursor *cursor;
    const struct record *record;
    struct filter *filter;
    struct err err;

    insert(world, 1, SPAN("[[\"A\",\"1\"]]"));
    insert(world, 2, SPAN("[[\"A\",\"2\"]]"));
    must(filter_parse("header:a=2", &filter, &err), &err);
    must(store_summaries(world->store, world->session, 1, filter, &cursor, &err), &err);
    must(store_next(cursor, &record, &err), &err);
    assert_int_equal(record->seq, 2);
    assert_int_equal(record->request_headers.count, 0);
    assert_true(span_eq(record->method, SPAN("GET")));
    assert_true(span_eq(record->host, SPAN("a.test")));
    assert_true(span_eq(record->path, SPAN("/caf\xe9")));
    assert_int_equal(record->port, 443);
    must(store_next(cursor, &record, &err), &err);
    assert_null(record);
    store_cursor_free(cursor);
    filter_unref(filter);
}

/* Where there is no index, what asks for it fails. */
static void a_filter_on_columns_reads_the_index(void **state)
{
    struct world *world = *state;
    struct store_cursor *cursor = NULL;
    struct filter *filter;
    struct err err;

    must(sqlite_exec(world->store, "DROP INDEX exchange_columns", &err), &err);
    must(filter_parse("header:a=2 path:/none", &filter, &err), &err);
    assert_false(store_summaries(world->store, world->session, 1, filter, &cursor, &err));
    assert_non_null(strstr(err.text, "exchange_columns"));
    filter_unref(filter);
    must(filter_parse("header:a=2", &filter, &err), &err);
    must(store_summaries(world->store, world->session, 1, filter, &cursor, &err), &err);
    store_cursor_free(cursor);
    filter_unref(filter);
}

static void fields_that_are_none_are_damage(void **state)
{
    static const char *const damaged[] = { "[[\"A\"]]", "[[\"A\",\"1\"]", "{}",
                                           "[[\"A\",\"\xe2\x82\xac\"]]" };
    struct world *world = *state;

    for (uint32_t seq = 1; seq <= 4; seq++) {
        struct store_cursor *cursor;
        const struct record *record;
        struct err err;
        char want[40];
        insert(world, seq, span_of(damaged[seq - 1]));
        must(store_exchanges(world->store, world->session, seq, NULL, &cursor, &err), &err);
        assert_false(store_next(cursor, &record, &err));
        snprintf(want, sizeof want, "exchange %u of session %lld is damaged", seq, (long long)world->session);
        assert_non_null(strstr(err.text, want));
        store_cursor_free(cursor);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_world_set_up, store_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_come_as_bytes_however_many_there_are),
        TEST(a_summary_has_no_fields_but_its_filter_sees_them),
        TEST(a_filter_on_columns_reads_the_index),
        TEST(fields_that_are_none_are_damage),
    };

    return cmocka_run_group_tests_name("sqlite_read", tests, NULL, NULL);
}
