/* tls_pair: two engines back to back in memory, and a CA, for tests.
 *
 * tls_lab is what all connections of a test program share: a CA in a temporary folder, a server with its
 * leaves, a client that trusts that CA and nothing else. tls_pair is one connection. */
#ifndef WEIR_TESTS_TLS_PAIR_H
#define WEIR_TESTS_TLS_PAIR_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"
#include "proxy/tls/tls.h"

struct evbuffer;

struct tls_lab {
    char dir[64];
    struct ca *ca;
    struct tls_server *server;
    struct tls_client *client;
};
void tls_lab_open(struct tls_lab *lab);
void tls_lab_close(struct tls_lab *lab);
struct leaf *tls_lab_leaf(const struct tls_lab *lab, const char *host);

struct tls_end {
    struct tls *tls;
    struct evbuffer *out;
    struct strbuf plain; /* all that came */
    unsigned hello_count, open_count, close_count;
    bool has_failed;
    struct err err;
    void (*on_plain)(struct tls_end *end, struct span bytes); /* besides; may be NULL */
};

struct tls_pair {
    struct tls_end client, server;
    const char *alpn;  /* what the server chooses; NULL: nothing */
    struct leaf *leaf; /* what the server shows; owned; NULL: nothing */
    char sni[URL_HOST_BYTES];
    size_t step;                             /* most bytes fed at once */
    enum tls_answer answer;                  /* of on_hello */
    void (*on_hello)(struct tls_pair *pair); /* besides; may be NULL */
};

/* A pair about to start, with a leaf for host. alpn: what the client offers, as on the wire. */
void tls_pair_open(struct tls_pair *pair, const struct tls_lab *lab, struct tls_client *client,
                   struct tls_sessions *sessions, const char *host, const char *alpn);
void tls_pair_open_target(struct tls_pair *pair, const struct tls_lab *lab, struct tls_client *client,
                          struct tls_sessions *sessions, const struct tls_target *target);
void tls_pair_start(struct tls_pair *pair); /* and runs */
void tls_pair_run(struct tls_pair *pair);   /* carries bytes until none are left */
void tls_pair_close(struct tls_pair *pair);

/* Writes bytes on one end, as pieces chunks, and carries them over. */
void tls_pair_send(struct tls_pair *pair, struct tls_end *end, struct span bytes, size_t pieces);

#endif
