#include "tests/support/bare_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- the sides ------------------------------------------------------------------------------------------ */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct bare_end *end = self;

    (void)target;
    (void)extra;
    assert_int_equal(end->cuts, 0);
    assert_int_equal(end->finals, 0); /* nobody gets two */
    end->is_dirty = true;
    if (http_is_interim(head)) {
        end->interims++;
        return;
    }
    end->finals++;
    end->status = head->status;
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    struct bare_end *end = self;

    (void)size;
    (void)line;
    end->is_dirty = true;
}

static void send_body(void *self, struct span bytes)
{
    struct bare_end *end = self;

    assert_int_equal(end->finals, 1);
    assert_int_equal(end->ends + end->cuts, 0);
    strbuf_add(&end->body, bytes);
    end->is_dirty = true;
}

static void send_end(void *self, const struct headers *trailers)
{
    struct bare_end *end = self;

    (void)trailers;
    assert_int_equal(end->finals, 1);
    assert_int_equal(end->ends + end->cuts, 0);
    end->ends++;
    end->is_dirty = true;
}

static void flush(void *self)
{
    struct bare_end *end = self;

    end->flushes++;
    end->is_dirty = false;
}

static size_t unsent(void *self)
{
    return ((struct bare_end *)self)->unsent;
}

static void set_reading(void *self, bool is_on)
{
    struct bare_end *end = self;

    assert_int_not_equal(end->is_reading, is_on); /* it is told of changes alone */
    end->is_reading = is_on;
}

static void cut(void *self, enum cut how, uint32_t code)
{
    struct bare_end *end = self;

    (void)code;
    assert_int_equal(end->cuts, 0);
    end->cuts++;
    end->how = how;
    end->is_dirty = false;
}

static const struct side_ops side_ops = { send_head, send_chunk,  send_body, send_end, flush,
                                          unsent,    set_reading, cut,       false };

/* --- tap and owner -------------------------------------------------------------------------------------- */

static void *tap_on_request(void *self, struct tap_exchange *facts, const struct http_head *head)
{
    struct bare_exchange *f = self;

    (void)head;
    f->facts = facts;
    return f;
}

static void tap_on_response(void *self, const struct http_head *head)
{
    (void)self;
    (void)head;
}

static enum tap_answer tap_on_body(void *self, enum http_role side, struct span bytes)
{
    struct bare_exchange *f = self;

    if (side == HTTP_RESPONSE)
        strbuf_add(&f->tap_body, bytes);
    return f->tap_says;
}

static void tap_on_end(void *self, enum http_role side, const struct headers *trailers)
{
    (void)side;
    (void)trailers;
    assert_int_equal(((struct bare_exchange *)self)->dones, 0);
}

static void tap_on_done(void *self, enum tap_outcome outcome)
{
    struct bare_exchange *f = self;

    assert_int_equal(f->overs, 0); /* the owner is told last */
    f->dones++;
    f->outcome = outcome;
    if (f->facts->error != NULL)
        snprintf(f->error, sizeof f->error, "%s", f->facts->error);
}

static const struct tap_listener listener = {
    tap_on_request, tap_on_response, tap_on_body, tap_on_end, tap_on_done, NULL, NULL
};

static void on_retry(void *self, struct exchange *exchange)
{
    struct bare_exchange *f = self;

    assert_null(exchange->origin.ops);
    f->retries++;
}

static void on_upgrade(void *self, struct exchange *exchange)
{
    (void)exchange;
    ((struct bare_exchange *)self)->upgrades++;
}

static void on_over(void *self, struct exchange *exchange, enum exchange_end end)
{
    struct bare_exchange *f = self;

    assert_ptr_equal(exchange, f->exchange);
    assert_null(exchange->client.ops);
    assert_null(exchange->origin.ops);
    f->overs++;
    f->end = end;
    f->exchange = NULL;
}

static const struct exchange_owner owner = { on_retry, on_upgrade, on_over };

/* --- steps ---------------------------------------------------------------------------------------------- */

int bare_exchange_setup(void **state)
{
    struct bare_exchange *f = calloc(1, sizeof *f);

    tap_add(&f->tap, &listener, f);
    f->client.is_reading = f->origin.is_reading = f->second.is_reading = true;
    *state = f;
    return 0;
}

int bare_exchange_teardown(void **state)
{
    struct bare_exchange *f = *state;

    if (f->exchange != NULL)
        exchange_client_gone(f->exchange, CUT_CLOSE, "the test is over");
    strbuf_clear(&f->client.body);
    strbuf_clear(&f->origin.body);
    strbuf_clear(&f->second.body);
    strbuf_clear(&f->tap_body);
    free(f);
    return 0;
}

void bare_exchange_begin(struct bare_exchange *f, const char *method)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->version = HTTP_1_1;
    head->method = span_of(method);
    head->target = SPAN("/");
    head->framing = (struct framing){ BODY_LENGTH, 1 << 20, true };
    f->exchange = exchange_new((struct side){ &side_ops, &f->client }, &owner, f, 1);
    assert_true(exchange_begin(f->exchange, &f->tap, head, head->target, SPAN_NONE));
}

void bare_exchange_attach(struct bare_exchange *f, struct bare_end *origin, bool is_reused)
{
    exchange_attach(f->exchange, (struct side){ &side_ops, origin }, is_reused);
    exchange_settle(f->exchange);
}

void bare_exchange_request_body(struct bare_exchange *f, size_t len)
{
    char *bytes = malloc(len); /* of its own, so that one byte too many is seen */

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    exchange_request_body(f->exchange, span_make(bytes, len));
    free(bytes);
}

void bare_exchange_response_head(struct bare_exchange *f, int status)
{
    struct http_head *head = http_head_response(status);

    exchange_response_bytes(f->exchange, 1);
    head->framing = (struct framing){ status == 101 ? BODY_TUNNEL : BODY_LENGTH, 4, true };
    exchange_response_head(f->exchange, head);
}

void bare_exchange_start(struct bare_exchange *f)
{
    bare_exchange_begin(f, "PUT");
    bare_exchange_attach(f, &f->origin, false);
}
