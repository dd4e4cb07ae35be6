/* dial: the first address of a name that answers (Happy Eyeballs, RFC 8305).
 *
 * Both families are asked at once. Connecting starts when IPv6 addresses are there, 50 ms after IPv4 ones, or
 * when both families have answered; IPv6 first, families alternate, a new attempt every 250 ms or as soon as
 * one fails; the first connection wins. 15 s over all. */
#ifndef WEIR_NET_DIAL_H
#define WEIR_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/net/resolve.h"

struct dial;

/* Monotonic µs; 0: did not happen. A name that needs no asking (a literal, localhost, known already) has no
 * dns. dns_end is when connecting could begin, or asking failed; connect_start is the first attempt's,
 * connect_end the winner's, or the last failure. */
struct dial_times {
    uint64_t dns_start, dns_end, connect_start, connect_end;
};

struct dial_result {
    int fd;                 /* non-blocking, the callee's; -1: failed, see err */
    struct address address; /* who answered, or the last one tried (len 0: none) */
    struct dial_times times;
    unsigned attempts; /* addresses tried */
    struct err err; /* ERR_DNS, ERR_TIMEOUT, ERR_SYS: one sentence with host, address and reason; ERR_FOUND:
                       refused by may_dial */
};

typedef void (*dial_cb)(void *self, struct dial_result *result);
/* May this address be dialled? False refuses it: the whole dial fails at once with ERR_FOUND. */
typedef bool (*dial_check)(void *self, const struct address *address);

/* cb is called once, never from inside dial_start; the dial is gone then. may_dial may be called from inside;
 * NULL: any address. */
struct dial *dial_start(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port,
                        dial_check may_dial, dial_cb cb, void *self);
void dial_cancel(struct dial *dial); /* no call; from inside any callback; NULL is fine */

#endif
