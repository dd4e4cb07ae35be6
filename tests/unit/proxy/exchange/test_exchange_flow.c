/* What the exchange engine asks of its sides while bytes pile up, what it keeps of a body to send it again,
 * and what it answers by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/bare_exchange.h"

/* --- backpressure --------------------------------------------------------------------------------------- */

static void a_client_is_not_read_while_its_origin_is_slow(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    f->origin.unsent = EXCHANGE_HIGH_WATER_BYTES;
    bare_exchange_request_body(f, 1);
    exchange_settle(f->exchange);
    assert_true(f->client.is_reading); /* so much may wait */
    f->origin.unsent++;
    bare_exchange_request_body(f, 1);
    exchange_settle(f->exchange);
    assert_false(f->client.is_reading);
    assert_true(f->origin.is_reading); /* its answer has nothing to do with it */
    exchange_drained(f->exchange);     /* of something else */
    assert_false(f->client.is_reading);
    f->origin.unsent = 0;
    exchange_drained(f->exchange);
    assert_true(f->client.is_reading);
}

static void an_origin_is_not_read_while_its_client_is_slow(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    bare_exchange_response_head(f, 200);
    f->client.unsent = EXCHANGE_HIGH_WATER_BYTES + 1;
    exchange_response_body(f->exchange, SPAN("ab"));
    exchange_settle(f->exchange);
    assert_false(f->origin.is_reading);
    assert_true(f->client.is_reading);
    f->client.unsent = 0;
    exchange_drained(f->exchange);
    assert_true(f->origin.is_reading);
}

static void a_tap_that_says_slower_stops_both_until_it_resumes(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    f->tap_says = TAP_SLOWER;
    bare_exchange_request_body(f, 1);
    assert_true(f->client.is_reading); /* until the batch is settled */
    exchange_settle(f->exchange);
    assert_false(f->client.is_reading || f->origin.is_reading);
    assert_int_equal(f->origin.body.len, 1); /* what was told is passed on all the same */
    f->tap_says = TAP_GO;
    exchange_settle(f->exchange);
    exchange_drained(f->exchange);
    assert_false(f->client.is_reading || f->origin.is_reading);
    f->facts->resume(f->facts);
    assert_true(f->client.is_reading && f->origin.is_reading);
}

static void a_tap_slows_down_by_the_answers_body_too(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    bare_exchange_response_head(f, 200);
    f->tap_says = TAP_SLOWER;
    exchange_response_body(f->exchange, SPAN("ab"));
    exchange_settle(f->exchange);
    assert_false(f->client.is_reading || f->origin.is_reading);
    f->facts->resume(f->facts);
    assert_true(f->client.is_reading && f->origin.is_reading);
}

static void a_tap_that_resumes_does_not_wake_the_reader_of_a_slow_side(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    f->tap_says = TAP_SLOWER;
    bare_exchange_request_body(f, 1);
    f->origin.unsent = EXCHANGE_HIGH_WATER_BYTES + 1;
    exchange_settle(f->exchange);
    f->facts->resume(f->facts);
    assert_false(f->client.is_reading);
    assert_true(f->origin.is_reading);
    f->origin.unsent = 0;
    exchange_drained(f->exchange);
    assert_true(f->client.is_reading);
}

static void an_exchange_that_ends_leaves_its_sides_reading(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    f->tap_says = TAP_SLOWER;
    bare_exchange_request_body(f, 1);
    exchange_settle(f->exchange);
    exchange_request_end(f->exchange, NULL);
    bare_exchange_response_head(f, 200);
    exchange_response_end(f->exchange, NULL);
    exchange_settle(f->exchange);
    assert_int_equal(f->overs, 1);
    assert_true(f->client.is_reading && f->origin.is_reading);
}

static void a_fresh_origin_waits_for_the_tap_as_well(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "PUT");
    bare_exchange_attach(f, &f->origin, true);
    f->tap_says = TAP_SLOWER;
    bare_exchange_request_body(f, 1);
    exchange_settle(f->exchange);
    exchange_origin_failed(f->exchange, 0, CUT_RESET, "gone");
    bare_exchange_attach(f, &f->second, false);
    assert_false(f->second.is_reading || f->client.is_reading);
    f->facts->resume(f->facts);
    assert_true(f->second.is_reading && f->client.is_reading);
}

/* --- sending again -------------------------------------------------------------------------------------- */

/* A request on a pooled connection that dies after so many bytes of its body. */
static bool is_sent_again(struct bare_exchange *f, const char *method, size_t first, size_t second)
{
    bare_exchange_begin(f, method);
    bare_exchange_attach(f, &f->origin, true);
    if (first != 0)
        bare_exchange_request_body(f, first);
    if (second != 0)
        bare_exchange_request_body(f, second);
    exchange_settle(f->exchange);
    exchange_origin_failed(f->exchange, 0, CUT_RESET, "gone");
    return f->retries == 1;
}

static void a_body_that_was_kept_is_sent_again_and_goes_on(void **state)
{
    struct bare_exchange *f = *state;

    assert_true(is_sent_again(f, "PUT", 1000, 24));
    bare_exchange_attach(f, &f->second, false);
    assert_int_equal(f->second.body.len, 1024);
    assert_memory_equal(f->second.body.ptr, f->origin.body.ptr, 1024);
    assert_int_equal(f->facts->attempts, 2);
    assert_true(f->facts->flags & TAP_RETRIED);
    assert_false(f->facts->flags & TAP_UPSTREAM_REUSED);
    bare_exchange_request_body(f, 100);
    exchange_request_end(f->exchange, NULL);
    exchange_settle(f->exchange);
    assert_int_equal(f->second.body.len, 1124);
    assert_int_equal(f->second.ends, 1);
    assert_int_equal(f->origin.body.len, 1024);
}

static void a_body_that_fits_the_bound_is_sent_again(void **state)
{
    struct bare_exchange *f = *state;

    assert_true(is_sent_again(f, "PUT", EXCHANGE_REPLAY_BYTES - 1, 1));
    exchange_request_end(f->exchange, NULL); /* while there is no origin */
    bare_exchange_attach(f, &f->second, false);
    assert_int_equal(f->second.body.len, EXCHANGE_REPLAY_BYTES);
    assert_memory_equal(f->second.body.ptr, f->origin.body.ptr, EXCHANGE_REPLAY_BYTES);
    assert_int_equal(f->second.ends, 1);
}

static void a_body_beyond_the_bound_is_cut(void **state)
{
    struct bare_exchange *f = *state;

    assert_false(is_sent_again(f, "PUT", EXCHANGE_REPLAY_BYTES, 1));
    assert_int_equal(f->overs, 1);
    assert_int_equal(f->end, EXCHANGE_CUT);
    assert_int_equal(f->client.cuts, 1);
    assert_int_equal(f->client.how, CUT_RESET); /* as the origin's was */
}

static void what_is_not_idempotent_is_not_sent_again(void **state)
{
    struct bare_exchange *f = *state;

    assert_false(is_sent_again(f, "POST", 0, 0));
    assert_int_equal(f->client.cuts, 1);
}

static void a_request_is_sent_again_only_once(void **state)
{
    struct bare_exchange *f = *state;

    assert_true(is_sent_again(f, "PUT", 1, 0));
    bare_exchange_attach(f, &f->second, false);
    exchange_origin_failed(f->exchange, 0, CUT_CLOSE, "gone");
    assert_int_equal(f->retries, 1);
    assert_int_equal(f->overs, 1);
    assert_int_equal(f->client.how, CUT_CLOSE);
    assert_string_equal(f->error, "gone");
}

static void nor_is_it_when_the_second_connection_was_shared(void **state)
{
    struct bare_exchange *f = *state;

    assert_true(is_sent_again(f, "PUT", 1, 0));
    bare_exchange_attach(f, &f->second, true);
    exchange_origin_failed(f->exchange, 0, CUT_CLOSE, "gone");
    assert_int_equal(f->retries, 1);
    assert_int_equal(f->overs, 1);
}

static void an_origin_that_said_why_was_not_dead(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "GET");
    bare_exchange_attach(f, &f->origin, true);
    exchange_why_cut(f->exchange, 2);
    exchange_origin_failed(f->exchange, 0, CUT_RESET, "reset");
    assert_int_equal(f->retries, 0);
    assert_int_equal(f->overs, 1);
}

static void a_chunk_or_a_byte_of_an_answer_forbids_to_send_again(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "PUT");
    bare_exchange_attach(f, &f->origin, true);
    exchange_request_chunk(f->exchange, 1, SPAN("1"));
    exchange_origin_failed(f->exchange, 0, CUT_CLOSE, "gone");
    assert_int_equal(f->retries, 0);
    assert_int_equal(f->overs, 1);

    f->overs = f->dones = 0;
    memset(&f->client, 0, sizeof f->client);
    f->client.is_reading = true;
    memset(&f->origin, 0, sizeof f->origin);
    f->origin.is_reading = true;
    bare_exchange_begin(f, "PUT");
    bare_exchange_attach(f, &f->origin, true);
    exchange_response_bytes(f->exchange, 0);
    exchange_origin_failed(f->exchange, 0, CUT_CLOSE, "gone");
    assert_int_equal(f->retries, 0);
    assert_int_equal(f->overs, 1);
}

/* --- weir's own answers --------------------------------------------------------------------------------- */

static void an_answer_to_a_whole_request_leaves_the_connection_open(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "PUT");
    bare_exchange_request_body(f, 4);
    exchange_request_end(f->exchange, NULL);
    exchange_answer(f->exchange, 502, "nobody is there");
    assert_int_equal(f->end, EXCHANGE_COMPLETE);
    assert_int_equal(f->outcome, TAP_ABORTED);
    assert_string_equal(f->error, "nobody is there");
    assert_int_equal(f->client.status, 502);
    assert_non_null(strstr(strbuf_text(&f->client.body), "nobody is there"));
    assert_true(span_eq(strbuf_span(&f->client.body), strbuf_span(&f->tap_body)));
    assert_int_equal(f->client.ends, 1);
    assert_false(f->client.is_dirty);
}

static void an_answer_in_the_middle_of_a_request_closes(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "PUT");
    exchange_answer(f->exchange, 504, "too late");
    assert_int_equal(f->end, EXCHANGE_ANSWERED);
    assert_int_equal(f->client.status, 504);
}

static void an_answer_follows_an_interim_one(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    bare_exchange_response_head(f, 100);
    exchange_refuse(f->exchange, 400, "what comes is no body");
    assert_int_equal(f->client.interims, 1);
    assert_int_equal(f->client.status, 400);
    assert_int_equal(f->origin.cuts, 1);
    assert_int_equal(f->end, EXCHANGE_ANSWERED);
    assert_int_equal(f->outcome, TAP_ABORTED);
}

static void a_refusal_after_an_answer_has_begun_cuts_it(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_start(f);
    bare_exchange_response_head(f, 200);
    exchange_response_body(f->exchange, SPAN("ab"));
    exchange_refuse(f->exchange, 400, "what comes is no body");
    assert_int_equal(f->client.status, 200);
    assert_int_equal(f->client.ends, 0);
    assert_int_equal(f->client.cuts, 1);
    assert_int_equal(f->origin.cuts, 1);
    assert_int_equal(f->end, EXCHANGE_CUT);
}

static void head_is_answered_without_a_body(void **state)
{
    struct bare_exchange *f = *state;

    bare_exchange_begin(f, "HEAD");
    exchange_request_end(f->exchange, NULL);
    exchange_answer(f->exchange, 502, "nobody is there");
    assert_int_equal(f->client.status, 502);
    assert_int_equal(f->client.body.len, 0);
    assert_int_equal(f->tap_body.len, 0);
    assert_int_equal(f->client.ends, 1);
}

static void a_response_of_weirs_own_making_is_no_failure(void **state)
{
    struct bare_exchange *f = *state;
    struct http_head *head = http_head_response(200);

    head->framing = (struct framing){ BODY_LENGTH, 2, true };
    bare_exchange_begin(f, "PUT");
    exchange_request_end(f->exchange, NULL);
    exchange_respond(f->exchange, head, SPAN("ok"));
    assert_int_equal(f->end, EXCHANGE_COMPLETE);
    assert_int_equal(f->outcome, TAP_DONE);
    assert_string_equal(strbuf_text(&f->client.body), "ok");
    assert_string_equal(f->error, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bare_exchange_setup, bare_exchange_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_not_read_while_its_origin_is_slow),
        TEST(an_origin_is_not_read_while_its_client_is_slow),
        TEST(a_tap_that_says_slower_stops_both_until_it_resumes),
        TEST(a_tap_slows_down_by_the_answers_body_too),
        TEST(a_tap_that_resumes_does_not_wake_the_reader_of_a_slow_side),
        TEST(an_exchange_that_ends_leaves_its_sides_reading),
        TEST(a_fresh_origin_waits_for_the_tap_as_well),
        TEST(a_body_that_was_kept_is_sent_again_and_goes_on),
        TEST(a_body_that_fits_the_bound_is_sent_again),
        TEST(a_body_beyond_the_bound_is_cut),
        TEST(what_is_not_idempotent_is_not_sent_again),
        TEST(a_request_is_sent_again_only_once),
        TEST(nor_is_it_when_the_second_connection_was_shared),
        TEST(an_origin_that_said_why_was_not_dead),
        TEST(a_chunk_or_a_byte_of_an_answer_forbids_to_send_again),
        TEST(an_answer_to_a_whole_request_leaves_the_connection_open),
        TEST(an_answer_in_the_middle_of_a_request_closes),
        TEST(an_answer_follows_an_interim_one),
        TEST(a_refusal_after_an_answer_has_begun_cuts_it),
        TEST(head_is_answered_without_a_body),
        TEST(a_response_of_weirs_own_making_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
