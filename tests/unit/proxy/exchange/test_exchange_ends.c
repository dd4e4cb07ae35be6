/* That an exchange ends exactly once, whoever ends it and when, and what its sides have got by then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/bare_exchange.h"

enum request_state { REQUEST_BODY, REQUEST_DONE, REQUEST_STATES };
enum response_state {
    NO_ORIGIN,
    RESPONSE_IDLE,
    RESPONSE_INTERIM,
    RESPONSE_BODY,
    RESPONSE_DONE,
    RESPONSE_UPGRADED,
    RESPONSE_STATES
};
enum ending {
    ORIGIN_UNREACHED,
    ORIGIN_CLOSED,
    ORIGIN_RESET,
    CLIENT_CLOSED,
    CLIENT_RESET,
    CLIENT_REFUSED,
    TUNNEL_ENDED,
    TUNNEL_CUT,
    ENDINGS
};

static void bring_to(struct bare_exchange *f, enum request_state request, enum response_state response)
{
    bare_exchange_begin(f, "POST");
    if (response != NO_ORIGIN)
        bare_exchange_attach(f, &f->origin, true);
    bare_exchange_request_body(f, 10);
    if (request == REQUEST_DONE)
        exchange_request_end(f->exchange, NULL);
    if (response == RESPONSE_INTERIM)
        bare_exchange_response_head(f, 103);
    else if (response == RESPONSE_UPGRADED)
        bare_exchange_response_head(f, 101);
    else if (response >= RESPONSE_BODY)
        bare_exchange_response_head(f, 200);
    if (response == RESPONSE_BODY || response == RESPONSE_DONE)
        exchange_response_body(f->exchange, SPAN("ab"));
    if (response == RESPONSE_DONE)
        exchange_response_end(f->exchange, NULL);
    exchange_settle(f->exchange);
}

static void end_by(struct exchange *x, enum ending ending)
{
    switch (ending) {
    case ORIGIN_UNREACHED:
        exchange_origin_failed(x, 502, CUT_CLOSE, "why");
        break;
    case ORIGIN_CLOSED:
        exchange_origin_failed(x, 0, CUT_CLOSE, "why");
        break;
    case ORIGIN_RESET:
        exchange_origin_failed(x, 0, CUT_RESET, "why");
        break;
    case CLIENT_CLOSED:
        exchange_client_gone(x, CUT_CLOSE, "why");
        break;
    case CLIENT_RESET:
        exchange_client_gone(x, CUT_RESET, "why");
        break;
    case CLIENT_REFUSED:
        exchange_refuse(x, 400, "why");
        break;
    case TUNNEL_ENDED:
        exchange_tunnel_end(x, NULL);
        break;
    case TUNNEL_CUT:
        exchange_tunnel_end(x, "why");
        break;
    case ENDINGS:
        break;
    }
}

/* What the client must have got, and whether it and the origin were cut. */
static void check_end(const struct bare_exchange *f, enum response_state response, enum ending ending)
{
    bool is_client_gone = ending == CLIENT_CLOSED || ending == CLIENT_RESET;
    bool is_origin_gone = ending <= ORIGIN_RESET;

    assert_int_equal(f->overs, 1);
    assert_int_equal(f->dones, 1);
    assert_null(f->exchange);
    assert_int_equal(f->upgrades, response == RESPONSE_UPGRADED);
    assert_false(f->client.is_dirty);
    if (ending == TUNNEL_ENDED || ending == TUNNEL_CUT) {
        assert_int_equal(f->client.cuts + f->origin.cuts, 0); /* the tunnel has seen to it */
        assert_int_equal(f->outcome, ending == TUNNEL_ENDED ? TAP_DONE : TAP_ABORTED);
        return;
    }
    if (response == RESPONSE_DONE && is_origin_gone) {
        assert_int_equal(f->end, EXCHANGE_ANSWERED);
        assert_int_equal(f->outcome, TAP_DONE);
        assert_int_equal(f->client.cuts, 0);
        return;
    }
    assert_int_equal(f->outcome, TAP_ABORTED);
    assert_string_equal(f->error, "why");
    assert_int_equal(f->origin.cuts, !is_origin_gone && response != NO_ORIGIN);
    if (is_client_gone) {
        assert_int_equal(f->client.cuts, 0);
        assert_int_equal(f->end, EXCHANGE_CUT);
    } else if (response < RESPONSE_BODY && (ending == ORIGIN_UNREACHED || ending == CLIENT_REFUSED)) {
        assert_int_equal(f->client.ends, 1);
        assert_int_equal(f->client.status, ending == CLIENT_REFUSED ? 400 : 502);
        assert_int_equal(f->client.cuts, 0);
    } else {
        assert_int_equal(f->client.cuts, 1);
        assert_int_equal(f->end, EXCHANGE_CUT);
    }
}

/* Endings that can't meet a state: what is complete is over already, a whole request can't be refused in its
 * middle, and only a tunnel ends as one. */
static bool can_meet(enum request_state request, enum response_state response, enum ending ending)
{
    bool is_tunnel_end = ending == TUNNEL_ENDED || ending == TUNNEL_CUT;

    return !(request == REQUEST_DONE && (response == RESPONSE_DONE || ending == CLIENT_REFUSED)) &&
           is_tunnel_end == (response == RESPONSE_UPGRADED);
}

static void every_ending_is_told_once_whatever_the_state(void **state)
{
    unsigned met = 0;
    (void)state;

    for (unsigned i = 0; i < REQUEST_STATES * RESPONSE_STATES * ENDINGS; i++) {
        enum request_state request = i % REQUEST_STATES;
        enum response_state response = i / REQUEST_STATES % RESPONSE_STATES;
        enum ending ending = i / REQUEST_STATES / RESPONSE_STATES;
        void *own;
        if (!can_meet(request, response, ending))
            continue;
        bare_exchange_setup(&own);
        bring_to(own, request, response);
        assert_int_equal(((struct bare_exchange *)own)->overs, 0);
        end_by(((struct bare_exchange *)own)->exchange, ending);
        check_end(own, response, ending);
        bare_exchange_teardown(&own);
        met++;
    }
    assert_int_equal(met, 54);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_ending_is_told_once_whatever_the_state) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
