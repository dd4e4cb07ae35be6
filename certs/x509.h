/* x509: the few steps that making a CA and making a leaf have in common, over OpenSSL.
 *
 * All times are seconds since 1970. The functions that return bool without an err fail only when OpenSSL has
 * no memory or no randomness; x509_err then has the words. Any thread, each certificate one thread. */
#ifndef WEIR_CERTS_X509_H
#define WEIR_CERTS_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/x509.h>

#include "proxy/base/err.h"

/* What our own kind of key is. Which one a CA has decides who can verify what it signs; which one a leaf
 * has, who can shake hands with it. */
enum key_type { KEY_EC, KEY_RSA }; /* ECDSA on P-256 when we make it; RSA with 2048 bits */

#define KEY_TYPE_COUNT 2

/* Clients' clocks are late: phones out of the drawer, virtual machines just woken. All we sign is valid from
 * this long ago. */
#define X509_BACKDATE_S (2 * 24 * 3600)

/* ERR_CERT with OpenSSL's own reason behind the text; empties OpenSSL's error queue; always false. */
bool x509_err(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new key pair, to be freed with EVP_PKEY_free; NULL as above. RSA takes some 100 ms. */
EVP_PKEY *x509_new_key(enum key_type type);
/* False: neither EC nor RSA. */
bool x509_key_type(EVP_PKEY *key, enum key_type *out_type);

/* 128 random bits: positive and at most 20 octets (RFC 5280 §4.1.2.2). */
bool x509_set_random_serial(X509 *cert);
bool x509_set_validity(X509 *cert, time_t not_before, time_t not_after);
/* The subject key identifier of a public key: SHA-1 of its bits (RFC 5280 §4.2.1.2, method 1). Freed by the
 * caller with ASN1_OCTET_STRING_free. */
ASN1_OCTET_STRING *x509_key_identifier(X509_PUBKEY *key);

/* For people; a date is "2026-11-21 22:49:47 UTC". */
#define X509_DATE_BYTES 40
void x509_date(time_t time, char out_date[X509_DATE_BYTES]);
time_t x509_time(const ASN1_TIME *time);

#endif
