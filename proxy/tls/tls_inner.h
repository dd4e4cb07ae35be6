/* tls_inner: what the files of this folder know of each other; nobody else includes it. */
#ifndef WEIR_TLS_TLS_INNER_H
#define WEIR_TLS_TLS_INNER_H

#include <openssl/ssl.h>

#include "certs/client_cert.h"
#include "proxy/base/strbuf.h"
#include "proxy/tls/hello_hash.h"
#include "proxy/tls/tls.h"
#include "proxy/tls/tls_bio.h"
#include "proxy/tls/tls_verify.h"

struct tls_server {
    SSL_CTX *ctx;
    EVP_MD *sha256; /* fetched once: looking an algorithm up costs more than a short hash */
    char *ca_fingerprint;
    STACK_OF(X509) * chain; /* what goes with a leaf; NULL: nothing */
};

struct tls_client {
    SSL_CTX *ctx;
    struct tls_roots *roots;
    bool is_insecure;
    uint64_t id; /* unique in this process: one client's sessions are not another's */
    struct tls_mirrors *mirrors;
    struct client_certs *certs;
    struct tls_keylog *keylog;
    /* OpenSSL's own judgement, which ours asks. */
    int (*is_secure)(const SSL *ssl, const SSL_CTX *ctx, int what, int bits, int nid, void *other, void *arg);
};

/*                 on_hello says WAIT          tls_go
 *     SHAKING -----------------------> WAITING ------> SHAKING ------> OPEN      any of them ------> FAILED
 */
enum tls_state { TLS_SHAKING, TLS_WAITING, TLS_OPEN, TLS_FAILED };

struct tls {
    SSL *ssl;
    struct tls_wire wire;
    const struct tls_events *events;
    void *self;
    enum tls_state state;
    bool is_pumping; /* inside tls_feed or what is like it */
    bool is_paused;
    bool was_closed;
    unsigned alert_received;
    struct strbuf kept; /* ciphertext that came while paused or waiting */

    struct tls_server *server; /* NULL in the client role */
    struct span hello_message; /* valid inside OpenSSL's ClientHello callback */
    bool is_hello_answered;
    struct leaf *leaf;
    struct strbuf alpn; /* the one to choose */
    char *offered_sni;
    struct strbuf offered_alpn;
    unsigned offered_version;
    char ja3[JA3_BYTES], ja4[JA4_BYTES];

    struct tls_client *client; /* NULL in the server role */
    struct tls_sessions *sessions;
    struct strbuf session_key;
    char *host;
    uint16_t port;
    const struct client_cert *own_cert; /* the one to be shown, once the origin has asked; NULL: none */
    char *why;          /* the origin's certificate is not trusted; NULL: it is, or has not come yet */
    X509 *refused_cert; /* the one that why is about when the handshake ends with it; NULL: none */
    bool is_cert_requested;
    struct tls_mirror *mirror; /* NULL: our defaults */
};

/* tls.c: puts the engine's callbacks into a new context. */
void tls_hook_server(SSL_CTX *ctx);
void tls_hook_client(SSL_CTX *ctx, struct tls_client *client);

/* tls_policy.c: a context with all that is the same for every connection of client. */
SSL_CTX *tls_client_ctx_new(struct tls_client *client);

/* tls_mirror.c */
struct tls_mirrors *tls_mirrors_new(void);
void tls_mirrors_free(struct tls_mirrors *mirrors);
/* Borrowed; NULL when there is no mirror, or when nothing of its offer is known: our defaults then. */
SSL_CTX *tls_mirror_ctx(const struct tls_mirror *mirror);
const char *tls_mirror_facts(const struct tls_mirror *mirror); /* members of a JSON object; borrowed */

#endif
