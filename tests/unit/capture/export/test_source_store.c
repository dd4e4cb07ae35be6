/* Over a real store: the same exchanges whether asked for in order or by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/export/source.h"
#include "capture/store/store_write.h"
#include "proxy/base/mem.h"

#define EXCHANGES 300

static char folder[] = "/tmp/weir-test-XXXXXX";
static char *path;
static struct store *store;
static struct session_row session;
static struct export_source source;

static struct store_exchange exchange(uint32_t seq)
{
    struct store_exchange row = {
        .session = session.id,
        .seq = seq,
        .state = RECORD_DONE,
        .started_us = 1795292040000000 + seq,
        .client_addr = SPAN("127.0.0.1:1"),
        .origin_addr = SPAN(""),
        .method = SPAN("GET"),
        .scheme = SPAN("http"),
        .host = SPAN("a.test"),
        .path = SPAN("/"),
        .port = 80,
        .request_version = HTTP_1_1,
        .request_headers = SPAN("[]"),
        .response_headers = SPAN("[]"),
        .status = 200,
    };

    memcpy(row.uid, &seq, sizeof(seq));
    for (size_t i = 0; i < TAP_T_COUNT; i++)
        row.times[i] = TAP_NEVER;
    return row;
}

/* Every tenth exchange is missing. */
static bool is_there(uint32_t seq)
{
    return seq >= 1 && seq <= EXCHANGES && seq % 10 != 0;
}

static int fill_store(void **state)
{
    struct store_session_start start = { .name = "test", .filter = "", .options = "{}" };
    uint32_t last;
    struct err err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    path = mem_printf("%s/weir.db", folder);
    assert_true(store_open(path, STORE_WRITE, &store, &err));
    assert_true(store_session_start(store, &start, &session, &last, &err));
    assert_true(store_begin(store, &err));
    for (uint32_t seq = 1; seq <= EXCHANGES; seq++) {
        struct store_exchange row = exchange(seq);

        if (is_there(seq) && !store_insert_exchange(store, &row, &err))
            fail_msg("%s", err.text);
    }
    assert_true(store_commit(store, &err));
    assert_true(store_session_end(store, session.id, &err));
    store_close(store);
    assert_true(store_open(path, STORE_READ, &store, &err));
    source_store_init(&source, store, &session, NULL);
    return 0;
}

static int remove_store(void **state)
{
    static const char *const endings[] = { "", "-wal", "-shm", ".lock" };

    (void)state;
    source_store_clear(&source);
    session_row_clear(&session);
    store_close(store);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char *file = mem_printf("%s%s", path, endings[i]);
        unlink(file);
        mem_free(file);
    }
    mem_free(path);
    rmdir(folder);
    return 0;
}

static void exchanges_come_in_order_and_again_after_a_rewind(void **state)
{
    const struct record *record;
    struct err err;

    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        assert_true(source.rewind(source.self, &err));
        for (uint32_t seq = 1; seq <= EXCHANGES; seq++) {
            if (!is_there(seq))
                continue;
            assert_true(source.next(source.self, &record, &err));
            assert_int_equal(record->seq, seq);
        }
        assert_true(source.next(source.self, &record, &err));
        assert_null(record);
    }
}

static void assert_at(uint32_t seq)
{
    const struct record *record;
    struct err err;

    if (!source.at(source.self, seq, &record, &err))
        fail_msg("%s", err.text);
    if (is_there(seq) != (record != NULL) || (record != NULL && record->seq != seq))
        fail_msg("exchange %u is %u", seq, record != NULL ? record->seq : 0);
}

static void any_exchange_is_found_by_its_number(void **state)
{
    (void)state;
    for (uint32_t stride = 1; stride <= 70; stride++)
        for (uint32_t seq = stride; seq <= EXCHANGES + 5; seq += stride)
            assert_at(seq);
    for (uint32_t seq = EXCHANGES + 5; seq >= 1; seq--)
        assert_at(seq);
    assert_at(7);
    assert_at(7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_come_in_order_and_again_after_a_rewind),
        cmocka_unit_test(any_exchange_is_found_by_its_number),
    };
    return cmocka_run_group_tests(tests, fill_store, remove_store);
}
