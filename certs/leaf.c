/* Forging. The hard part is to cost no more than the signature: writing a public key into a certificate goes
 * through OpenSSL 3's encoders and takes nine times as long as signing. See certificate_key(). */
#include "certs/leaf.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>

#include <openssl/x509v3.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* RFC 5280, ub-common-name. */
#define MAX_COMMON_NAME 64

struct leaf {
    atomic_uint refs;
    X509 *cert;
    EVP_PKEY *key; /* the shared key's: lives as long as the process */
    enum key_type key_type;
    time_t not_before, not_after;
    char host[LEAF_HOST_BYTES];
};

/* What all leaves of a key type have in common. Made once and kept until the process ends. */
struct shared_key {
    EVP_PKEY *private_key;
    EVP_PKEY *certificate_key; /* the public half, in the form that is quick to put into a certificate */
    X509_EXTENSION *extensions[4];
    int extension_count;
};

static _Atomic(struct shared_key *) shared_keys[KEY_TYPE_COUNT];
/* Held while one is made, not for looking; one each, as an EC key need not wait for an RSA key. */
static pthread_mutex_t making[KEY_TYPE_COUNT] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

/* --- the shared key ---------------------------------------------------------------------------------------
 */

/* X509_set_pubkey encodes a key of an OpenSSL 3 provider in 160 µs, and one of the older kind, an EVP_PKEY
 * given its type first and its point afterwards, in 4 µs. The result is the same. Falls back to key itself,
 * as for RSA, where the signature is the dearer part anyway. */
static EVP_PKEY *certificate_key(EVP_PKEY *key)
{
    unsigned char *point = NULL;
    size_t point_len = EVP_PKEY_is_a(key, "EC") ? EVP_PKEY_get1_encoded_public_key(key, &point) : 0;
    EVP_PKEY *quick = EVP_PKEY_new();
    bool is_same = point_len != 0 && quick != NULL && EVP_PKEY_set_type(quick, EVP_PKEY_EC) == 1 &&
                   EVP_PKEY_copy_parameters(quick, key) == 1 &&
                   EVP_PKEY_set1_encoded_public_key(quick, point, point_len) == 1 &&
                   EVP_PKEY_eq(quick, key) == 1;

    OPENSSL_free(point);
    if (is_same)
        return quick;
    EVP_PKEY_free(quick);
    return EVP_PKEY_up_ref(key) == 1 ? key : NULL;
}

static void shared_key_free(struct shared_key *shared)
{
    EVP_PKEY_free(shared->private_key);
    EVP_PKEY_free(shared->certificate_key);
    for (int i = 0; i < shared->extension_count; i++)
        X509_EXTENSION_free(shared->extensions[i]);
    mem_free(shared);
}

static bool keep_extension(struct shared_key *shared, int nid, bool is_critical, void *value)
{
    X509_EXTENSION *extension = value != NULL ? X509V3_EXT_i2d(nid, is_critical, value) : NULL;

    if (extension == NULL)
        return false;
    shared->extensions[shared->extension_count++] = extension;
    return true;
}

/* basicConstraints CA:FALSE, keyUsage, extendedKeyUsage serverAuth, subjectKeyIdentifier. */
static bool prepare_extensions(struct shared_key *shared, enum key_type type)
{
    BASIC_CONSTRAINTS no_ca = { .ca = 0 };
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    EXTENDED_KEY_USAGE *purposes = EXTENDED_KEY_USAGE_new();
    X509_PUBKEY *encoded = NULL;
    ASN1_OCTET_STRING *identifier = NULL;
    bool ok = false;

    if (usage == NULL || purposes == NULL || X509_PUBKEY_set(&encoded, shared->private_key) != 1)
        goto out;
    identifier = x509_key_identifier(encoded);
    ok = ASN1_BIT_STRING_set_bit(usage, 0, 1) == 1 && /* digitalSignature, RFC 5280 §4.2.1.3 */
         (type != KEY_RSA ||
          ASN1_BIT_STRING_set_bit(usage, 2, 1) == 1) && /* keyEncipherment: TLS 1.2 without DH */
         sk_ASN1_OBJECT_push(purposes, OBJ_nid2obj(NID_server_auth)) > 0 &&
         keep_extension(shared, NID_basic_constraints, true, &no_ca) &&
         keep_extension(shared, NID_key_usage, true, usage) &&
         keep_extension(shared, NID_ext_key_usage, false, purposes) &&
         keep_extension(shared, NID_subject_key_identifier, false, identifier);
out:
    ASN1_BIT_STRING_free(usage);
    EXTENDED_KEY_USAGE_free(purposes);
    X509_PUBKEY_free(encoded);
    ASN1_OCTET_STRING_free(identifier);
    return ok;
}

static struct shared_key *shared_key_new(enum key_type type, struct err *err)
{
    struct shared_key *shared = mem_new(struct shared_key);

    shared->private_key = x509_new_key(type);
    if (shared->private_key != NULL)
        shared->certificate_key = certificate_key(shared->private_key);
    if (shared->certificate_key == NULL || !prepare_extensions(shared, type)) {
        x509_err(err, "making the key of the leaves");
        shared_key_free(shared);
        return NULL;
    }
    return shared;
}

/* NULL: err says why; the next call tries again. */
static struct shared_key *shared_key(enum key_type type, struct err *err)
{
    struct shared_key *shared = atomic_load_explicit(&shared_keys[type], memory_order_acquire);

    if (shared != NULL)
        return shared;
    pthread_mutex_lock(&making[type]);
    shared = atomic_load_explicit(&shared_keys[type], memory_order_relaxed);
    if (shared == NULL) {
        shared = shared_key_new(type, err);
        atomic_store_explicit(&shared_keys[type], shared, memory_order_release);
    }
    pthread_mutex_unlock(&making[type]);
    return shared;
}

bool leaf_prepare(enum key_type type, struct err *err)
{
    return shared_key(type, err) != NULL;
}

/* --- the name ---------------------------------------------------------------------------------------------
 */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* An IPv6 address as inet_ntop writes it; its zone ("%eth0") means something on one machine only and can't
 * stand in a certificate. */
static bool normalize_ipv6(struct span host, char out_host[LEAF_HOST_BYTES])
{
    struct span address = span_sub(host, 0, span_find(host, '%'));
    struct in6_addr binary;
    char text[INET6_ADDRSTRLEN];

    if (address.len >= sizeof text || memchr(address.ptr, '\0', address.len) != NULL)
        return false;
    memcpy(text, address.ptr, address.len);
    text[address.len] = '\0';
    return inet_pton(AF_INET6, text, &binary) == 1 &&
           inet_ntop(AF_INET6, &binary, out_host, LEAF_HOST_BYTES) != NULL;
}

bool leaf_host_normalize(struct span host, char out_host[LEAF_HOST_BYTES], struct err *err)
{
    char name[LEAF_HOST_BYTES];

    if (host.len != 0 && span_find(host, ':') < host.len)
        return normalize_ipv6(host, out_host) ||
               err_set(err, ERR_CERT, "no leaf for a host that is no name or address");
    if (host.len != 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len == 0)
        return err_set(err, ERR_CERT, "no leaf for an empty host name");
    if (host.len >= sizeof name)
        return err_set(err, ERR_CERT, "no leaf for a host name of %zu bytes: 253 is the most", host.len);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c == '.' ? i == 0 || name[i - 1] == '.' : !is_name_char(c))
            return err_set(err, ERR_CERT, "no leaf for a host name with byte 0x%02x at %zu", (unsigned char)c,
                           i);
        name[i] = c;
    }
    if (name[host.len - 1] == '.')
        return err_set(err, ERR_CERT, "no leaf for a host name that ends in two dots");
    memcpy(out_host, name, host.len);
    out_host[host.len] = '\0';
    return true;
}

/* host as the one entry of a subjectAltName: an address as its bytes, anything else as a DNS name. */
static GENERAL_NAME *alt_name(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    int address_len = inet_pton(AF_INET, host, address) == 1    ? 4
                      : inet_pton(AF_INET6, host, address) == 1 ? 16
                                                                : 0;
    ASN1_STRING *value = address_len != 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();

    if (value == NULL || name == NULL ||
        ASN1_STRING_set(value, address_len != 0 ? (const void *)address : host,
                        address_len != 0 ? address_len : -1) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, address_len != 0 ? GEN_IPADD : GEN_DNS, value);
    return name;
}

static bool set_names(X509 *cert, const char *host)
{
    bool has_common_name = strlen(host) <= MAX_COMMON_NAME;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = alt_name(host);
    bool ok = names != NULL && name != NULL && sk_GENERAL_NAME_push(names, name) > 0;

    if (!ok)
        GENERAL_NAME_free(name);
    /* An empty subject needs a critical subjectAltName (RFC 5280 §4.2.1.6). */
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, !has_common_name, X509V3_ADD_APPEND) == 1;
    if (has_common_name)
        ok = ok && X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_ASC,
                                              (const unsigned char *)host, -1, -1, 0) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

/* --- forging ----------------------------------------------------------------------------------------------
 */

/* Only the key identifier: with issuer and serial number a renewed CA could not verify the leaf. */
static bool add_authority(X509 *cert, const struct ca *ca)
{
    const ASN1_OCTET_STRING *identifier = X509_get0_subject_key_id(ca_x509(ca));
    AUTHORITY_KEYID *authority = NULL;
    bool ok = false;

    if (identifier == NULL) /* somebody's own CA without one: nothing to point at */
        return true;
    authority = AUTHORITY_KEYID_new();
    if (authority != NULL && (authority->keyid = ASN1_OCTET_STRING_dup(identifier)) != NULL)
        ok = X509_add1_ext_i2d(cert, NID_authority_key_identifier, authority, 0, X509V3_ADD_APPEND) == 1;
    AUTHORITY_KEYID_free(authority);
    return ok;
}

static bool fill_in(X509 *cert, const struct ca *ca, const struct shared_key *shared, const struct leaf *leaf)
{
    if (X509_set_version(cert, X509_VERSION_3) != 1 || !x509_set_random_serial(cert) ||
        !x509_set_validity(cert, leaf->not_before, leaf->not_after) ||
        X509_set_issuer_name(cert, X509_get_subject_name(ca_x509(ca))) != 1 ||
        X509_set_pubkey(cert, shared->certificate_key) != 1)
        return false;
    for (int i = 0; i < shared->extension_count; i++) {
        if (X509_add_ext(cert, shared->extensions[i], -1) != 1)
            return false;
    }
    return add_authority(cert, ca) && set_names(cert, leaf->host);
}

bool leaf_forge(const struct ca *ca, const char *host, enum key_type type, struct leaf **out_leaf,
                struct err *err)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct leaf *leaf = mem_new(struct leaf);
    const struct shared_key *shared;
    bool ok = false;

    atomic_init(&leaf->refs, 1);
    leaf->key_type = type;
    leaf->not_before = now - X509_BACKDATE_S;
    /* Both ends belong to the life of a certificate (RFC 5280 §4.1.2.5), so the last second is one too many.
     */
    leaf->not_after = leaf->not_before + LEAF_VALID_S - 1;
    if (leaf->not_after > ca_expiry(ca))
        leaf->not_after = ca_expiry(ca);
    if (!leaf_host_normalize(span_of(host), leaf->host, err))
        goto out;
    if (ca_expiry(ca) <= now) {
        err_set(err, ERR_CERT, "no leaf for '%s': the CA has expired; run: weir ca renew", leaf->host);
        goto out;
    }
    shared = shared_key(type, err);
    if (shared == NULL)
        goto out;
    leaf->key = shared->private_key;
    leaf->cert = X509_new();
    if (leaf->cert == NULL || !fill_in(leaf->cert, ca, shared, leaf) ||
        X509_sign(leaf->cert, ca_key(ca), EVP_sha256()) == 0) {
        x509_err(err, "forging a leaf for '%s'", leaf->host);
        goto out;
    }
    /* Makes OpenSSL look at the extensions now, not later on several threads at once. */
    (void)X509_check_purpose(leaf->cert, -1, 0);
    *out_leaf = leaf;
    leaf = NULL;
    ok = true;
out:
    leaf_unref(leaf);
    return ok;
}

struct leaf *leaf_ref(struct leaf *leaf)
{
    atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
    return leaf;
}

void leaf_unref(struct leaf *leaf)
{
    if (leaf == NULL || atomic_fetch_sub_explicit(&leaf->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(leaf->cert);
    mem_free(leaf);
}

X509 *leaf_x509(const struct leaf *leaf)
{
    return leaf->cert;
}

EVP_PKEY *leaf_key(const struct leaf *leaf)
{
    return leaf->key;
}

enum key_type leaf_key_type(const struct leaf *leaf)
{
    return leaf->key_type;
}

const char *leaf_host(const struct leaf *leaf)
{
    return leaf->host;
}

time_t leaf_not_before(const struct leaf *leaf)
{
    return leaf->not_before;
}

time_t leaf_not_after(const struct leaf *leaf)
{
    return leaf->not_after;
}

bool leaf_key_digest(const struct leaf *leaf, unsigned char out_digest[32], struct err *err)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf->cert), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, out_digest, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok || err_set(err, ERR_CERT, "the digest of a leaf's key can't be made");
}
