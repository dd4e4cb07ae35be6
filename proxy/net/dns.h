/* dns: one question to the name servers of resolv.conf: c-ares on a loop.
 *
 * Asks for the name as it is: no search list, no hosts file, no cache (resolve has those). A server that is
 * silent costs 1 s before the next is asked; when all have been, they are asked again with twice the
 * patience, three times. A truncated answer is asked again over TCP. */
#ifndef WEIR_NET_DNS_H
#define WEIR_NET_DNS_H

#include "proxy/net/address.h"

struct dns;
struct loop;

/* As many addresses are taken of an answer: nobody tries more in 15 s. */
#define DNS_ADDRESSES_MAX 32

enum dns_status {
    DNS_FOUND,
    DNS_NO_ADDRESS, /* the name is there, but has none of this family */
    DNS_NO_NAME,
    DNS_BAD_NAME, /* DNS can't hold such a name */
    DNS_FAILED,   /* servers answered, but not that; see reason */
    DNS_SILENT,   /* no server answered */
};

struct dns_answer {
    enum dns_status status;
    const char *reason;              /* for DNS_FAILED; not to be freed */
    const struct address *addresses; /* port 0; borrowed until the callback returns */
    unsigned count;
    unsigned ttl_s; /* the least of them */
};

typedef void (*dns_cb)(void *self, const struct dns_answer *answer);

/* servers: "127.0.0.1:5353,[::1]:5354"; NULL: those of resolv.conf. */
struct dns *dns_new(struct loop *loop, const char *servers);
void dns_free(struct dns *dns); /* no callback comes afterwards; also from inside one; NULL is fine */

/* family: AF_INET or AF_INET6. cb is called once, never from inside. */
void dns_ask(struct dns *dns, const char *name, int family, dns_cb cb, void *self);

/* The search list of resolv.conf: names with fewer dots than *out_ndots are tried with each domain first,
 * others as they are first. Takes effect on resolve, not on dns_ask. *out_domains, ended by NULL, is the
 * caller's: mem_free each and all. */
void dns_search_list(char ***out_domains, unsigned *out_ndots);

#endif
