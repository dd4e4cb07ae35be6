/* bundle: files of roots for programs that take theirs from a file: the system's, and weir's CA.
 *
 * Which programs read which form is the business of whoever starts them. Without roots on the system a bundle
 * holds our CA alone, which is enough for traffic that comes through weir. The functions block. */
#ifndef WEIR_CERTS_BUNDLE_H
#define WEIR_CERTS_BUNDLE_H

#include <stdbool.h>

#include "certs/ca.h"
#include "proxy/base/err.h"

/* Where the system keeps its roots as one PEM file: what SSL_CERT_FILE names, else the first that is there of
 * OpenSSL's own default and where distributions put it. NULL: nowhere. Borrowed until the environment
 * changes. */
const char *bundle_system_roots_path(void);

/* The password of the JKS, which holds no secret: Java's own habit for trust stores. */
#define BUNDLE_JKS_PASSWORD "changeit"

/* Both create or replace path, mode 0644. */
bool bundle_write_pem(const char *path, const struct ca *ca, struct err *err);
/* A Java KeyStore: a PKCS#12 file written by OpenSSL 3.0 has no entries that Java trusts. */
bool bundle_write_jks(const char *path, const struct ca *ca, struct err *err);

#endif
