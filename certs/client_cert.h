/* client_cert: certificates that weir shows to origins that ask for one, by host and port.
 *
 * A rule is [HOSTS[:PORT]=]FILE[,KEYFILE]. HOSTS is a glob (see pattern.h; * covers dots too), an IPv6
 * address in it stands in brackets; without it a rule holds everywhere. The first rule that fits is the one
 * that counts. What has a '/' before its first '=' is a path without HOSTS, and the name of a file that is
 * there is taken whole, commas included. FILE is PEM: a certificate, with what has signed it, and its key
 * there or in KEYFILE; or PKCS#12 with all of that. One passphrase opens all keys; it comes from a file or
 * the environment, as a process's arguments are for all to see. Threads: immutable once loaded, shared
 * freely. */
#ifndef WEIR_CERTS_CLIENT_CERT_H
#define WEIR_CERTS_CLIENT_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "proxy/base/err.h"

struct client_cert;
struct client_certs;

/* Reads everything at once. pass: "file:PATH" (its first line), "env:NAME", or NULL. ERR_USAGE for a rule or
 * pass that makes no sense, ERR_CERT for a file that can't be used or a passphrase that is missing or wrong,
 * file_read's errors for one that can't be read. A certificate that is not valid today is taken, and warned
 * of. */
bool client_certs_load(const char *const *rules, size_t count, const char *pass,
                       struct client_certs **out_certs, struct err *err);
void client_certs_free(struct client_certs *certs); /* NULL is fine */

/* Borrowed; NULL when no rule fits. host: a name or an address without brackets. */
const struct client_cert *client_certs_find(const struct client_certs *certs, const char *host,
                                            uint16_t port);

X509 *client_cert_x509(const struct client_cert *cert);             /* borrowed, as are the others */
EVP_PKEY *client_cert_key(const struct client_cert *cert);          /* its private key */
STACK_OF(X509) * client_cert_chain(const struct client_cert *cert); /* what goes with it; NULL: nothing */

#endif
