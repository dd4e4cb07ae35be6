/* tls_verify: what origins' certificates are held against, and in words why one is not trusted.
 *
 * The system's roots (OpenSSL's default file and folder, or SSL_CERT_FILE and SSL_CERT_DIR) take tens of
 * milliseconds to read. They are read on a thread of their own, a moment after the start or when they are
 * wanted, into a store that OpenSSL locks itself; whoever verifies waits until they are there. */
#ifndef WEIR_TLS_TLS_VERIFY_H
#define WEIR_TLS_TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/x509_vfy.h>

#include "proxy/base/err.h"

struct tls_roots;

/* upstream_ca: a PEM file of further roots, or NULL. ERR_USAGE when it can't be used. */
bool tls_roots_new(const char *upstream_ca, struct tls_roots **out_roots, struct err *err);
void tls_roots_free(struct tls_roots *roots);
X509_STORE *tls_roots_store(struct tls_roots *roots); /* borrowed; may still be filling */
/* Any thread. */
void tls_roots_want(struct tls_roots *roots); /* there will be something to verify: reading begins */
void tls_roots_wait(struct tls_roots *roots); /* until all are there */

/* One line about the error that verifying the certificate of host ended with; the caller's, to mem_free. */
char *tls_verify_why(X509_STORE_CTX *verified, const char *host);

#endif
