/* tls_policy: what TLS is done with: the contexts, shared by the whole process and made once.
 *
 * A tls_server plays the origins towards clients; a tls_client is weir towards origins. Both are immutable
 * once made and used by all workers. The system's roots load on a thread of their own: making a tls_client
 * does not wait for it, its first verification does. */
#ifndef WEIR_TLS_POLICY_H
#define WEIR_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "certs/ca.h"
#include "proxy/base/err.h"

struct tls_server;
struct tls_client;
struct tls_keylog;

/* TLS 1.2 and 1.3 for clients, 1.0 and 1.1 for old ones; tickets only, bound to the leaf's host. A CA that is
 * not a root is sent along with its leaves. ca is needed for the call only; keylog (NULL: none) must outlive
 * the server. */
struct tls_server *tls_server_new(const struct ca *ca, struct tls_keylog *keylog);
void tls_server_free(struct tls_server *server);

struct tls_client_options {
    const char *upstream_ca;        /* PEM file of further roots; NULL: none */
    bool insecure;                  /* verify nothing (what was found is still noted) */
    const char *const *client_cert; /* rules, see client_cert.h */
    size_t client_cert_count;
    const char *client_cert_pass; /* NULL: none */
    struct tls_keylog *keylog;    /* NULL: none; must outlive the client */
};
/* ERR_USAGE when upstream_ca can't be read or holds no certificate; client_certs_load's errors. */
bool tls_client_new(const struct tls_client_options *options, struct tls_client **out_client,
                    struct err *err);
void tls_client_free(struct tls_client *client);

/* TLS sessions towards origins, to be resumed; one a worker, bounded, and used on that worker alone. */
struct tls_sessions;
struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *sessions);

#endif
