/* leaf: the certificate weir shows a client in the origin's name.
 *
 * Signed by our CA for one name; nothing is copied from the origin's own certificate, so that forging need
 * not wait for it. All leaves of a key type share one key pair, made at its first use in this process, so a
 * leaf costs some 40 µs, about two signatures. Ask leaf_cache first all the same.
 *
 * The key of a leaf is EC unless the client can't do ECDSA. The CA signs with the key it has: a client that
 * can't verify ECDSA at all needs an RSA CA too.
 *
 * Threads: a leaf is immutable once made and may be shared; leaf_ref and leaf_unref are atomic, the other
 * functions may be called on any thread. Failures are ERR_CERT. */
#ifndef WEIR_CERTS_LEAF_H
#define WEIR_CERTS_LEAF_H

#include <stdbool.h>
#include <time.h>

#include <openssl/x509.h>

#include "certs/ca.h"
#include "certs/x509.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"

/* The longest name in DNS (RFC 1035 §2.3.4, as text), and its NUL. */
#define LEAF_HOST_BYTES (253 + 1)

/* The whole life of a leaf. Chromium refuses more than 200 days; a little under, for other people's rounding.
 */
#define LEAF_VALID_S (197 * 24 * 3600)

struct leaf;

/* What a client calls its origin, in the one form in which leaves are made and cached: lower case, without a
 * final dot, IP literals as inet_ntop writes them (no brackets, no zone). A name is letters, digits, "-", "_"
 * and dots: names in other scripts come as A-labels, and a "*" would make the leaf good for other hosts.
 * Labels longer than DNS allows pass: the client then learns from a 502 that there is no such host. */
bool leaf_host_normalize(struct span host, char out_host[LEAF_HOST_BYTES], struct err *err);

/* Forges a leaf with a key of this type for host, its only name, which is normalised first. On success
 * *out_leaf is the caller's, to be given back with leaf_unref. */
bool leaf_forge(const struct ca *ca, const char *host, enum key_type type, struct leaf **out_leaf,
                struct err *err);

/* Makes the key pair that leaves of this type share, if it is not there yet. RSA takes some 100 ms, which a
 * worker does not have: call this on another thread beforehand. */
bool leaf_prepare(enum key_type type, struct err *err);

struct leaf *leaf_ref(struct leaf *leaf);
void leaf_unref(struct leaf *leaf); /* NULL is fine */

/* All borrowed: valid while the leaf is. */
X509 *leaf_x509(const struct leaf *leaf);
EVP_PKEY *leaf_key(const struct leaf *leaf); /* the private key */
enum key_type leaf_key_type(const struct leaf *leaf);
const char *leaf_host(const struct leaf *leaf);
time_t leaf_not_before(const struct leaf *leaf);
time_t leaf_not_after(const struct leaf *leaf);
/* SHA-256 of the public key as certificates hold it (SubjectPublicKeyInfo): how pins name a key. All leaves
 * of a key type in this process have the same. */
bool leaf_key_digest(const struct leaf *leaf, unsigned char out_digest[32], struct err *err);

#endif
