#include "tests/support/old_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

static void check(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

void old_session_begin(struct old_session *old, const char *name)
{
    const struct store_session_start start = { .name = name, .filter = "", .options = "{}" };
    struct session_row row;
    uint32_t last_seq;
    struct err err;

    check(store_session_start(old->store, &start, &row, &last_seq, &err), &err);
    old->id = row.id;
    session_row_clear(&row);
}

void old_session_open(struct old_session *old, const char *path, const char *name)
{
    struct err err;

    check(store_open(path, STORE_WRITE, &old->store, &err), &err);
    old_session_begin(old, name);
}

void old_session_end(struct old_session *old)
{
    struct err err;

    check(store_session_end(old->store, old->id, &err), &err);
}

void old_session_close(struct old_session *old)
{
    store_close(old->store);
    old->store = NULL;
}

/* Bytes that nobody else has. */
static void add_body(struct old_session *old, struct store_exchange *row, size_t len)
{
    char *bytes = mem_alloc(len);
    int64_t *body = &row->bodies[HTTP_RESPONSE];
    struct err err;

    memset(bytes, 'b', len);
    for (size_t offset = 0; offset < len; offset += STORE_PIECE_BYTES) {
        size_t piece_len = len - offset < STORE_PIECE_BYTES ? len - offset : STORE_PIECE_BYTES;
        struct span piece = span_make(bytes + offset, piece_len);
        uint64_t hash;
        snprintf(bytes + offset, piece_len, "%lld %u %zu", (long long)old->id, row->seq, offset);
        hash = store_hash(piece);
        if (len <= STORE_PIECE_BYTES) {
            check(store_add_body(old->store, piece, hash, body, &err), &err);
            continue;
        }
        check(offset != 0 || store_add_body_list(old->store, body, &err), &err);
        check(store_append_body(old->store, *body, offset, piece, &hash, &err), &err);
    }
    row->bytes[HTTP_RESPONSE] = row->kept[HTTP_RESPONSE] = len;
    mem_free(bytes);
}

static void add_messages(struct old_session *old, uint32_t seq, unsigned count)
{
    static const char payload[100] = "m";
    struct err err;

    for (uint32_t n = 1; n <= count; n++) {
        struct record_message message = { .n = n,
                                          .kind = MESSAGE_TEXT,
                                          .payload = span_make(payload, sizeof payload) };
        check(store_add_message(old->store, old->id, seq, &message, &err), &err);
    }
}

static void add_in_batch(struct old_session *old, const struct old_exchange *x)
{
    struct store_exchange row = {
        .session = old->id,
        .seq = x->seq,
        .is_provisional = x->is_provisional,
        .state = x->state,
        .started_us = clock_wall_us() - x->age_us,
        .client_addr = SPAN("192.0.2.1:1000"),
        .method = SPAN("GET"),
        .scheme = SPAN("http"),
        .host = SPAN("a.test"),
        .path = SPAN("/"),
        .port = 80,
        .request_version = 11,
        .request_headers = SPAN("[]"),
        .origin_addr = SPAN("192.0.2.2:80"),
        .messages = x->messages,
    };
    struct err err;

    memcpy(row.uid, &x->seq, sizeof x->seq);
    for (int i = 0; i < TAP_T_COUNT; i++)
        row.times[i] = TAP_NEVER;
    if (x->body_bytes != 0)
        add_body(old, &row, x->body_bytes);
    else if (x->body.len != 0) {
        check(store_add_body(old->store, x->body, store_hash(x->body), &row.bodies[HTTP_RESPONSE], &err),
              &err);
        row.kept[HTTP_RESPONSE] = x->body.len;
    }
    if (x->client_tls != 0)
        check(store_add_tls(old->store, old->id, x->client_tls, SPAN("{}"), &row.client_tls, &err), &err);
    if (x->origin_tls != 0)
        check(store_add_tls(old->store, old->id, x->origin_tls, SPAN("{}"), &row.origin_tls, &err), &err);
    check(store_insert_exchange(old->store, &row, &err), &err);
    add_messages(old, x->seq, x->messages);
    if (!x->is_provisional)
        check(store_add_totals(old->store, old->id, &(struct store_totals){ .exchanges = 1, .seen = 1 },
                               clock_wall_us(), &err),
              &err);
}

void old_session_add(struct old_session *old, const struct old_exchange *exchange)
{
    struct err err;

    check(store_begin(old->store, &err), &err);
    add_in_batch(old, exchange);
    check(store_commit(old->store, &err), &err);
}

void old_session_add_many(struct old_session *old, uint32_t seq, unsigned count)
{
    struct err err;

    check(store_begin(old->store, &err), &err);
    for (unsigned i = 0; i < count; i++)
        add_in_batch(old, &(struct old_exchange){ .seq = seq + i, .state = RECORD_DONE });
    check(store_commit(old->store, &err), &err);
}

void old_session_add_cookie(struct old_session *old, struct cookie_row cookie)
{
    struct err err;
    int64_t id;

    cookie.time_us = clock_wall_us() - cookie.time_us;
    check(store_begin(old->store, &err) && store_add_cookie(old->store, old->id, &cookie, &id, &err) &&
              store_commit(old->store, &err),
          &err);
}
