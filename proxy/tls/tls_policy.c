#include "proxy/tls/tls_policy.h"

#include <stdatomic.h>

#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "proxy/tls/tls_keylog.h"

/* Each ticket costs a handshake 250 bytes and some 10 µs on either side. A resumed connection brings the next
 * one, and a client that opens more connections at once than it has tickets only pays for a signature. */
#define TICKETS 1

static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (ctx == NULL)
        mem_die();
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* Most connections are idle most of the time: their 34 KiB of buffers go back. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static STACK_OF(X509) * chain_of(X509 *cert)
{
    STACK_OF(X509) *chain = sk_X509_new_null();

    if (chain == NULL || X509_add_cert(chain, cert, X509_ADD_FLAG_UP_REF) != 1)
        mem_die();
    return chain;
}

struct tls_server *tls_server_new(const struct ca *ca, struct tls_keylog *keylog)
{
    struct tls_server *server = mem_new(struct tls_server);

    server->ctx = new_ctx(TLS_server_method());
    server->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    server->ca_fingerprint = mem_strdup(ca_fingerprint_sha256(ca));
    /* Clients are as old as they are, and it is their own machine on which we listen. */
    if (server->sha256 == NULL || SSL_CTX_set_cipher_list(server->ctx, "DEFAULT@SECLEVEL=0") != 1 ||
        SSL_CTX_set_min_proto_version(server->ctx, TLS1_VERSION) != 1)
        mem_die();
    /* A client that trusts a root has it. A CA that another one has signed is no root, and goes along. */
    if (X509_NAME_cmp(X509_get_subject_name(ca_x509(ca)), X509_get_issuer_name(ca_x509(ca))) != 0)
        server->chain = chain_of(ca_x509(ca));
    SSL_CTX_set_mode(server->ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(server->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(server->ctx, TICKETS);
    tls_hook_server(server->ctx);
    tls_keylog_attach(keylog, server->ctx);
    return server;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->ctx);
    EVP_MD_free(server->sha256);
    sk_X509_pop_free(server->chain, X509_free);
    mem_free(server->ca_fingerprint);
    mem_free(server);
}

/* A person has chosen the certificate that we show; how strong it must be is for the origin to say. */
static int is_secure(const SSL *ssl, const SSL_CTX *ctx, int what, int bits, int nid, void *other, void *arg)
{
    const struct tls_client *client = arg;

    switch (what) {
    case SSL_SECOP_EE_KEY:
    case SSL_SECOP_CA_KEY:
    case SSL_SECOP_CA_MD:
        return 1;
    default:
        return client->is_secure(ssl, ctx, what, bits, nid, other, NULL);
    }
}

SSL_CTX *tls_client_ctx_new(struct tls_client *client)
{
    SSL_CTX *ctx = new_ctx(TLS_client_method());

    /* Browsers talk to origins that have never heard of RFC 5746, and we never renegotiate. */
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set1_cert_store(ctx, tls_roots_store(client->roots));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    /* A root given by a person may be an intermediate, or one server's own certificate. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (client->is_secure == NULL) /* the first, before any other thread knows of client */
        client->is_secure = SSL_CTX_get_security_callback(ctx);
    SSL_CTX_set_security_callback(ctx, is_secure);
    SSL_CTX_set0_security_ex_data(ctx, client);
    tls_keylog_attach(client->keylog, ctx);
    tls_hook_client(ctx, client);
    return ctx;
}

bool tls_client_new(const struct tls_client_options *options, struct tls_client **out_client, struct err *err)
{
    static atomic_uint_fast64_t last_id;
    struct tls_client *client = mem_new(struct tls_client);

    if (!tls_roots_new(options->upstream_ca, &client->roots, err) ||
        !client_certs_load(options->client_cert, options->client_cert_count, options->client_cert_pass,
                           &client->certs, err)) {
        tls_client_free(client);
        return false;
    }
    client->id = atomic_fetch_add(&last_id, 1) + 1;
    client->is_insecure = options->insecure;
    client->keylog = options->keylog;
    client->ctx = tls_client_ctx_new(client);
    client->mirrors = tls_mirrors_new();
    *out_client = client;
    return true;
}

void tls_client_free(struct tls_client *client)
{
    if (client == NULL)
        return;
    tls_mirrors_free(client->mirrors);
    SSL_CTX_free(client->ctx);
    tls_roots_free(client->roots);
    client_certs_free(client->certs);
    mem_free(client);
}
