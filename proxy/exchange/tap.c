#include "proxy/exchange/tap.h"

#include <assert.h>

#include "proxy/base/mem.h"

static atomic_uint_fast64_t last_tls_id;

struct tap_tls *tap_tls_new(char *json)
{
    struct tap_tls *tls = mem_new(struct tap_tls);

    atomic_init(&tls->refs, 1);
    tls->id = atomic_fetch_add_explicit(&last_tls_id, 1, memory_order_relaxed) + 1;
    tls->json = json;
    return tls;
}

struct tap_tls *tap_tls_ref(struct tap_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void tap_tls_unref(struct tap_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free(tls->json);
    mem_free(tls);
}

void tap_add(struct tap *tap, const struct tap_listener *listener, void *self)
{
    assert(tap->count < TAP_MAX_LISTENERS);
    tap->rows[tap->count].listener = listener;
    tap->rows[tap->count].self = self;
    tap->count++;
}

void tap_request(struct tap_line *line, struct tap *tap, struct tap_exchange *exchange,
                 const struct http_head *head)
{
    line->tap = tap;
    for (unsigned i = 0; i < tap->count; i++)
        line->records[i] = tap->rows[i].listener->on_request(tap->rows[i].self, exchange, head);
}

void tap_response(struct tap_line *line, const struct http_head *head)
{
    for (unsigned i = 0; i < line->tap->count; i++)
        if (line->records[i] != NULL)
            line->tap->rows[i].listener->on_response(line->records[i], head);
}

enum tap_answer tap_body(struct tap_line *line, enum http_role side, struct span bytes)
{
    enum tap_answer answer = TAP_GO;

    for (unsigned i = 0; i < line->tap->count; i++)
        if (line->records[i] != NULL &&
            line->tap->rows[i].listener->on_body(line->records[i], side, bytes) == TAP_SLOWER)
            answer = TAP_SLOWER;
    return answer;
}

enum tap_answer tap_upgraded(struct tap_line *line, enum http_role side, struct span bytes)
{
    enum tap_answer answer = TAP_GO;

    for (unsigned i = 0; i < line->tap->count; i++)
        if (line->records[i] != NULL && line->tap->rows[i].listener->on_upgraded != NULL &&
            line->tap->rows[i].listener->on_upgraded(line->records[i], side, bytes) == TAP_SLOWER)
            answer = TAP_SLOWER;
    return answer;
}

void tap_end(struct tap_line *line, enum http_role side, const struct headers *trailers)
{
    for (unsigned i = 0; i < line->tap->count; i++)
        if (line->records[i] != NULL)
            line->tap->rows[i].listener->on_end(line->records[i], side, trailers);
}

void tap_done(struct tap_line *line, enum tap_outcome outcome)
{
    for (unsigned i = 0; i < line->tap->count; i++) {
        if (line->records[i] != NULL)
            line->tap->rows[i].listener->on_done(line->records[i], outcome);
        line->records[i] = NULL;
    }
}

void tap_notify(struct tap *tap, const struct tap_notice *notice)
{
    for (unsigned i = 0; i < tap->count; i++)
        if (tap->rows[i].listener->on_notice != NULL)
            tap->rows[i].listener->on_notice(tap->rows[i].self, notice);
}
