#include "tests/support/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ftw.h>
#include <sqlite3.h>
#include <unistd.h>

#include "capture/recorder.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

void test_folder_make(struct test_folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/weir-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->store, sizeof folder->store, "%s/weir.db", folder->path);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void test_folder_remove(struct test_folder *folder)
{
    nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void add_lines(struct http_head *head, const char *const *lines)
{
    struct err err;

    for (; lines != NULL && *lines != NULL; lines++) {
        struct span line = span_of(*lines);
        size_t colon = span_find(line, ':');
        assert_true(headers_add(&head->headers, span_sub(line, 0, colon),
                                span_trim(span_from(line, colon + 1)), &err));
    }
}

struct http_head *test_request(const char *method, const char *target, const char *const *lines)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->version = HTTP_1_1;
    head->start_line = mem_printf("%s%s", method, target);
    head->method = span_make(head->start_line, strlen(method));
    head->target = span_of(head->start_line + strlen(method));
    add_lines(head, lines);
    return head;
}

struct http_head *test_response(int status, const char *const *lines)
{
    struct http_head *head = http_head_new(HTTP_RESPONSE);

    head->version = HTTP_1_1;
    head->status = status;
    head->start_line = mem_strdup("Fine");
    head->reason = span_of(head->start_line);
    add_lines(head, lines);
    return head;
}

static void count_resume(struct tap_exchange *exchange)
{
    ((struct test_exchange *)exchange)->resumed++;
}

void test_prepare(struct test_exchange *x, struct recorder *recorder, const char *host)
{
    memset(x, 0, sizeof *x);
    x->exchange.started_us = clock_wall_us();
    x->exchange.scheme = "http";
    x->exchange.port = 80;
    x->exchange.resume = count_resume;
    snprintf(x->exchange.host, sizeof x->exchange.host, "%s", host);
    snprintf(x->exchange.client_addr, sizeof x->exchange.client_addr, "192.0.2.1:40000");
    snprintf(x->exchange.origin_addr, sizeof x->exchange.origin_addr, "198.51.100.7:80");
    for (int i = 0; i < TAP_T_COUNT; i++)
        x->exchange.times[i] = TAP_NEVER;
    tap_add(&x->tap, &recorder_listener, recorder);
}

void test_begin_head(struct test_exchange *x, struct recorder *recorder, struct http_head *head,
                     const char *host)
{
    test_prepare(x, recorder, host);
    tap_request(&x->line, &x->tap, &x->exchange, head);
    http_head_free(head);
}

void test_begin(struct test_exchange *x, struct recorder *recorder, const char *method, const char *host,
                const char *target, const char *const *lines)
{
    test_begin_head(x, recorder, test_request(method, target, lines), host);
}

void test_respond(struct test_exchange *x, int status, const char *const *lines)
{
    struct http_head *head = test_response(status, lines);

    tap_response(&x->line, head);
    http_head_free(head);
}

enum tap_answer test_body(struct test_exchange *x, enum http_role side, struct span bytes)
{
    return tap_body(&x->line, side, bytes);
}

enum tap_answer test_upgraded(struct test_exchange *x, enum http_role side, struct span bytes)
{
    return tap_upgraded(&x->line, side, bytes);
}

void test_end(struct test_exchange *x, enum tap_outcome outcome)
{
    if (outcome == TAP_DONE) {
        tap_end(&x->line, HTTP_REQUEST, NULL);
        tap_end(&x->line, HTTP_RESPONSE, NULL);
    } else {
        x->exchange.error = "the client went away";
    }
    x->exchange.times[TAP_T_DONE] = (int64_t)(clock_wall_us() - x->exchange.started_us);
    tap_done(&x->line, outcome);
}

void test_exchange(struct recorder *recorder, const char *host, const char *target, struct span body)
{
    struct test_exchange x;

    test_begin(&x, recorder, "GET", host, target, NULL);
    test_respond(&x, 200, (const char *const[]){ "Content-Type: Text/Plain; charset=utf-8", NULL });
    if (body.len != 0)
        test_body(&x, HTTP_RESPONSE, body);
    test_end(&x, TAP_DONE);
}

struct store *test_open(const char *path)
{
    struct store *store = NULL;
    struct err err;

    if (!store_open(path, STORE_READ, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

int64_t test_count(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t value;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_column_type(statement, 0) == SQLITE_TEXT)
        value = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    else
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static bool add_bytes(void *self, struct span bytes, struct err *err)
{
    (void)err;
    strbuf_add(self, bytes);
    return true;
}

void test_read_body(struct store *store, int64_t body, struct strbuf *out_bytes)
{
    struct err err;

    strbuf_reset(out_bytes);
    if (body != 0 && !store_body_read(store, body, add_bytes, out_bytes, &err))
        fail_msg("%s", err.text);
}

void test_each(const char *path, int64_t session,
               void (*each)(void *self, struct store *, const struct record *), void *self)
{
    struct store *store = test_open(path);
    struct store_cursor *cursor = NULL;
    const struct record *record = NULL;
    struct err err;

    if (!store_exchanges(store, session, 1, NULL, &cursor, &err))
        fail_msg("%s", err.text);
    do {
        if (!store_next(cursor, &record, &err))
            fail_msg("%s", err.text);
        if (record != NULL)
            each(self, store, record);
    } while (record != NULL);
    store_cursor_free(cursor);
    store_close(store);
}

void test_no_wake(void *self)
{
    (void)self;
}
