#include "proxy/exchange/tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "proxy/base/mem.h"

struct witness {
    bool is_interested;
    enum tap_answer answer;
    int requests, bodies, dones, notices;
};

static void *see_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    struct witness *witness = self;

    (void)exchange;
    (void)head;
    witness->requests++;
    return witness->is_interested ? witness : NULL;
}

static void see_response(void *record, const struct http_head *head)
{
    (void)record;
    (void)head;
}

static enum tap_answer see_body(void *record, enum http_role side, struct span bytes)
{
    struct witness *witness = record;

    (void)side;
    (void)bytes;
    witness->bodies++;
    return witness->answer;
}

static void see_end(void *record, enum http_role side, const struct headers *trailers)
{
    (void)record;
    (void)side;
    (void)trailers;
}

static void see_done(void *record, enum tap_outcome outcome)
{
    struct witness *witness = record;

    (void)outcome;
    witness->dones++;
}

static void see_notice(void *self, const struct tap_notice *notice)
{
    struct witness *witness = self;

    (void)notice;
    witness->notices++;
}

static const struct tap_listener LISTENER = { see_request, see_response, see_body, see_end,
                                              see_done,    see_notice,   NULL };
static const struct tap_listener WITHOUT_NOTICES = { see_request, see_response, see_body, see_end,
                                                     see_done,    NULL,         NULL };

static void only_those_interested_are_told_more(void **state)
{
    struct witness keen = { .is_interested = true }, bored = { .is_interested = false };
    struct tap tap = { 0 };
    struct tap_exchange exchange = { 0 };
    struct tap_line line;

    (void)state;
    tap_add(&tap, &LISTENER, &keen);
    tap_add(&tap, &WITHOUT_NOTICES, &bored);
    tap_request(&line, &tap, &exchange, NULL);
    assert_int_equal(tap_body(&line, HTTP_REQUEST, SPAN("x")), TAP_GO);
    tap_end(&line, HTTP_REQUEST, NULL);
    tap_done(&line, TAP_DONE);
    tap_notify(&tap, &(struct tap_notice){ .kind = "k" });
    assert_int_equal(keen.requests + bored.requests, 2);
    assert_int_equal(keen.bodies, 1);
    assert_int_equal(keen.dones, 1);
    assert_int_equal(keen.notices, 1);
    assert_int_equal(bored.bodies + bored.dones + bored.notices, 0);
}

static void one_slower_is_enough_and_everybody_still_hears(void **state)
{
    struct witness slow = { .is_interested = true, .answer = TAP_SLOWER }, fast = { .is_interested = true };
    struct tap tap = { 0 };
    struct tap_exchange exchange = { 0 };
    struct tap_line line;

    (void)state;
    tap_add(&tap, &LISTENER, &slow);
    tap_add(&tap, &LISTENER, &fast);
    tap_request(&line, &tap, &exchange, NULL);
    assert_int_equal(tap_body(&line, HTTP_RESPONSE, SPAN("x")), TAP_SLOWER);
    assert_int_equal(fast.bodies, 1);
    tap_done(&line, TAP_DONE);
}

static void tls_facts_live_until_the_last_reference(void **state)
{
    struct tap_tls *a = tap_tls_new(mem_strdup("{}")), *b = tap_tls_new(mem_strdup("{}"));

    (void)state;
    assert_true(a->id != b->id);
    assert_ptr_equal(tap_tls_ref(a), a);
    tap_tls_unref(a);
    assert_string_equal(a->json, "{}");
    tap_tls_unref(a);
    tap_tls_unref(b);
    tap_tls_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_those_interested_are_told_more),
        cmocka_unit_test(one_slower_is_enough_and_everybody_still_hears),
        cmocka_unit_test(tls_facts_live_until_the_last_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
