/* bare_exchange: the exchange engine without codecs: sides, a tap and an owner that take note of what they
 * are told, and check that it comes in order. Every test begins with bare_exchange_setup, a fixture of
 * cmocka. */
#ifndef WEIR_TESTS_BARE_EXCHANGE_H
#define WEIR_TESTS_BARE_EXCHANGE_H

#include "proxy/exchange/exchange.h"

/* A side that takes note of what it is told. */
struct bare_end {
    struct strbuf body;
    size_t unsent;
    unsigned finals, interims, ends, flushes, cuts;
    int status;
    enum cut how;
    bool is_reading, is_dirty;
};

struct bare_exchange {
    struct bare_end client, origin, second; /* second: the origin's, after a retry */
    struct tap tap;
    struct exchange *exchange;
    enum tap_answer tap_says;
    struct tap_exchange *facts;
    unsigned retries, upgrades, overs, dones;
    enum exchange_end end;
    enum tap_outcome outcome;
    struct strbuf tap_body;
    char error[128];
};

int bare_exchange_setup(void **state); /* *state becomes a struct bare_exchange */
int bare_exchange_teardown(void **state);

/* A request with a body to come, no origin yet. */
void bare_exchange_begin(struct bare_exchange *f, const char *method);
void bare_exchange_attach(struct bare_exchange *f, struct bare_end *origin, bool is_reused);
void bare_exchange_start(struct bare_exchange *f); /* both */
void bare_exchange_request_body(struct bare_exchange *f, size_t len);
void bare_exchange_response_head(struct bare_exchange *f, int status); /* 101: of a tunnel */

#endif
