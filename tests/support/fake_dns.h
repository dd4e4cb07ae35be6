/* fake_dns: a name server on loopback, UDP and TCP on one port, that does what a test tells it. */
#ifndef WEIR_TESTS_FAKE_DNS_H
#define WEIR_TESTS_FAKE_DNS_H

#include <stdbool.h>

struct loop;
struct fake_dns;

struct fake_dns *fake_dns_new(struct loop *loop);
void fake_dns_free(struct fake_dns *dns);
const char *fake_dns_servers(const struct fake_dns *dns); /* "127.0.0.1:41234" */

/* name has this address, too. A name nobody told of is NXDOMAIN; one that is known but has nothing of the
 * family has no address. AF_UNSPEC: the name is known, and that is all. */
void fake_dns_add(struct fake_dns *dns, const char *name, int family, const char *address, unsigned ttl_s);

enum fake_dns_manner {
    FAKE_DNS_ANSWERS,
    FAKE_DNS_HOLDS,     /* answers when told to, by fake_dns_release */
    FAKE_DNS_TRUNCATES, /* over UDP says "truncated", over TCP answers */
    FAKE_DNS_FAILS,     /* SERVFAIL */
};
void fake_dns_behave(struct fake_dns *dns, const char *name, int family, enum fake_dns_manner manner);
void fake_dns_release(struct fake_dns *dns); /* answers all that is held, by UDP */

unsigned fake_dns_asked(const struct fake_dns *dns, const char *name, int family);
unsigned fake_dns_asked_tcp(const struct fake_dns *dns);

#endif
