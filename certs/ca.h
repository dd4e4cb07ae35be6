/* ca: the root certificate of weir and its key, kept in a folder as ca.pem and ca-key.pem.
 *
 * Whoever trusts the certificate can be shown leaves in any name, so its key is the most secret thing weir
 * has: 0600, refused when others can read it, never printed. Both files are made at first use and then stay
 * until somebody asks for others. They can be somebody's own CA, if it is one and its key is EC or RSA.
 *
 * Several weirs may use a folder at once. Files are replaced by rename, makers hold a lock on ca.lock, and
 * the key is put in place before its certificate: a key without a certificate (a maker was killed) gets a
 * new certificate, and a certificate never lies beside a key that is not its own.
 *
 * Threads: a ca is immutable once made and may be shared; ca_ref and ca_unref are atomic. The functions that
 * read and write the folder block. Failures are ERR_CERT, ERR_FOUND or ERR_SYS, with what to do in the text.
 */
#ifndef WEIR_CERTS_CA_H
#define WEIR_CERTS_CA_H

#include <stdbool.h>
#include <time.h>

#include <openssl/x509.h>

#include "certs/x509.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"

#define CA_CERT_FILE "ca.pem"
#define CA_KEY_FILE  "ca-key.pem"

struct ca;

/* The CA of folder dir, ready to sign; made with a key of this type, dir and its parents included, when
 * there is none (*out_created). One that is there keeps the key type it has. Fails on one that has expired.
 */
bool ca_open(const char *dir, enum key_type type, struct ca **out_ca, bool *out_created, struct err *err);

/* The CA of folder dir as it is, also when it has expired: for looking at it. Makes nothing; ERR_FOUND when
 * there is none. */
bool ca_load(const char *dir, struct ca **out_ca, struct err *err);

/* A new CA with a new key. With one there already: ERR_FOUND, or, with force, the old files are kept as
 * ca.pem.N and ca-key.pem.N, with the next free N. */
bool ca_create(const char *dir, enum key_type type, bool force, struct ca **out_ca, struct err *err);

/* A new certificate for the same key, with the same subject and extensions: leaves that the old one signed
 * are verified by the new one, and the other way round. The old one is kept as ca.pem.N. Only a CA that has
 * signed itself can be renewed. */
bool ca_renew(const char *dir, struct ca **out_ca, struct err *err);

struct ca *ca_ref(struct ca *ca);
void ca_unref(struct ca *ca); /* NULL is fine */

/* All borrowed: valid while the CA is. */
X509 *ca_x509(const struct ca *ca);
EVP_PKEY *ca_key(const struct ca *ca);
enum key_type ca_key_type(const struct ca *ca);
const char *ca_cert_path(const struct ca *ca);
const char *ca_key_path(const struct ca *ca);
const char *ca_fingerprint_sha256(const struct ca *ca); /* of the certificate: "AA:BB:..." */
const char *ca_id(const struct ca *ca);                 /* of the key: 8 hex digits that a renewal keeps */
time_t ca_expiry(const struct ca *ca);
struct span ca_pem(const struct ca *ca); /* the certificate alone */
struct span ca_der(const struct ca *ca);

#endif
