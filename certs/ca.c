/* The CA as it lies in its folder: reading, checking, handing out. Making it is in ca_make.c. */
#include "certs/ca.h"

#include <stdatomic.h>
#include <stdio.h>

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "certs/ca_make.h"
#include "certs/file.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* Far above any certificate or key, and little enough to read at once. */
#define MAX_PEM_BYTES (64 * 1024)

struct ca {
    atomic_uint refs;
    X509 *cert;
    EVP_PKEY *key;
    enum key_type key_type;
    char *cert_path, *key_path;
    char fingerprint[SHA256_DIGEST_LENGTH * 3];
    char id[9];
    time_t expiry;
    char *pem;
    size_t pem_len;
    unsigned char *der;
    int der_len;
};

static void ca_free(struct ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    mem_free(ca->cert_path);
    mem_free(ca->key_path);
    mem_free(ca->pem);
    OPENSSL_free(ca->der);
    mem_free(ca);
}

static bool read_cert(const char *path, X509 **out_cert, struct err *err)
{
    struct file_content content = { NULL, 0, 0 };
    BIO *bio = NULL;
    X509 *cert = NULL;

    if (!file_read(path, MAX_PEM_BYTES, &content, err))
        return false;
    bio = BIO_new_mem_buf(content.bytes, (int)content.len);
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert == NULL)
        x509_err(err, "'%s' has no certificate in PEM form", path);
    else
        *out_cert = cert;
    BIO_free(bio);
    file_content_clear(&content);
    return cert != NULL;
}

/* Called by OpenSSL for an encrypted key: notes it and gives no passphrase. */
static int note_encrypted(char *buffer, int size, int writing, void *was_asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)was_asked = true;
    return -1;
}

bool ca_read_key(const char *path, EVP_PKEY **out_key, enum key_type *out_type, struct err *err)
{
    struct file_content content = { NULL, 0, 0 };
    bool is_encrypted = false;
    bool ok = false;
    EVP_PKEY *key = NULL;
    BIO *bio = NULL;

    if (!file_read(path, MAX_PEM_BYTES, &content, err))
        return false;
    if ((content.mode & 077) != 0) {
        err_set(err, ERR_CERT, "CA key '%s' is open to others (mode %04o); run: chmod 600 '%s'", path,
                (unsigned)content.mode, path);
        goto out;
    }
    bio = BIO_new_mem_buf(content.bytes, (int)content.len);
    key = PEM_read_bio_PrivateKey(bio, NULL, note_encrypted, &is_encrypted);
    if (key == NULL && is_encrypted) {
        x509_err(err,
                 "CA key '%s' is encrypted and weir asks for no passphrase; decrypt it with openssl pkey",
                 path);
        goto out;
    }
    if (key == NULL) {
        x509_err(err, "'%s' has no private key in PEM form", path);
        goto out;
    }
    if (!x509_key_type(key, out_type)) {
        err_set(err, ERR_CERT, "CA key '%s' is neither EC nor RSA", path);
        goto out;
    }
    *out_key = key;
    key = NULL;
    ok = true;
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    file_content_clear(&content);
    return ok;
}

/* Everything that is asked for again and again, made once; also what OpenSSL would otherwise cache inside
 * the certificate later, when several threads look at it. */
static bool derive(struct ca *ca, struct err *err)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool ok = false;

    ca->der_len = i2d_X509(ca->cert, &ca->der);
    if (bio == NULL || ca->der_len <= 0 || PEM_write_bio_X509(bio, ca->cert) != 1 ||
        X509_digest(ca->cert, EVP_sha256(), digest, NULL) != 1) {
        x509_err(err, "encoding the certificate of '%s'", ca->cert_path);
        goto out;
    }
    ca->pem_len = (size_t)BIO_get_mem_data(bio, &pem);
    ca->pem = mem_dup(pem, ca->pem_len);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ca->fingerprint + 3 * i, 4, i + 1 < sizeof digest ? "%02X:" : "%02X", digest[i]);
    if (!ca_key_id(X509_get_X509_PUBKEY(ca->cert), ca->id)) {
        x509_err(err, "hashing the key of '%s'", ca->cert_path);
        goto out;
    }
    ca->expiry = x509_time(X509_get0_notAfter(ca->cert));
    ok = true;
out:
    BIO_free(bio);
    return ok;
}

bool ca_load(const char *dir, struct ca **out_ca, struct err *err)
{
    struct ca *ca = mem_new(struct ca);
    bool ok = false;

    atomic_init(&ca->refs, 1);
    ca->cert_path = mem_printf("%s/" CA_CERT_FILE, dir);
    ca->key_path = mem_printf("%s/" CA_KEY_FILE, dir);
    if (!read_cert(ca->cert_path, &ca->cert, err))
        goto out;
    if (!ca_read_key(ca->key_path, &ca->key, &ca->key_type, err)) {
        if (err->code == ERR_FOUND)
            err_set(err, ERR_CERT,
                    "CA '%s' has lost its key '%s'; bring it back, or run: weir ca create --force",
                    ca->cert_path, ca->key_path);
        goto out;
    }
    if (X509_check_private_key(ca->cert, ca->key) != 1) {
        x509_err(err, "key '%s' does not belong to '%s'", ca->key_path, ca->cert_path);
        goto out;
    }
    if (X509_check_ca(ca->cert) != 1) {
        err_set(err, ERR_CERT, "'%s' is no CA certificate: its extensions do not let it sign others",
                ca->cert_path);
        goto out;
    }
    if (!derive(ca, err))
        goto out;
    *out_ca = ca;
    ca = NULL;
    ok = true;
out:
    ca_unref(ca);
    return ok;
}

bool ca_load_current(const char *dir, struct ca **out_ca, struct err *err)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct ca *ca = NULL;
    time_t begins;
    char date[X509_DATE_BYTES];

    if (!ca_load(dir, &ca, err))
        return false;
    begins = x509_time(X509_get0_notBefore(ca->cert));
    if (ca->expiry <= now) {
        x509_date(ca->expiry, date);
        err_set(err, ERR_CERT, "CA '%s' expired on %s; run: weir ca renew", ca->cert_path, date);
    } else if (begins > now) {
        x509_date(begins, date);
        err_set(err, ERR_CERT, "CA '%s' is not valid before %s; is the clock of this machine right?",
                ca->cert_path, date);
    } else {
        *out_ca = ca;
        return true;
    }
    ca_unref(ca);
    return false;
}

struct ca *ca_ref(struct ca *ca)
{
    atomic_fetch_add_explicit(&ca->refs, 1, memory_order_relaxed);
    return ca;
}

void ca_unref(struct ca *ca)
{
    if (ca != NULL && atomic_fetch_sub_explicit(&ca->refs, 1, memory_order_acq_rel) == 1)
        ca_free(ca);
}

X509 *ca_x509(const struct ca *ca)
{
    return ca->cert;
}

EVP_PKEY *ca_key(const struct ca *ca)
{
    return ca->key;
}

enum key_type ca_key_type(const struct ca *ca)
{
    return ca->key_type;
}

const char *ca_cert_path(const struct ca *ca)
{
    return ca->cert_path;
}

const char *ca_key_path(const struct ca *ca)
{
    return ca->key_path;
}

const char *ca_fingerprint_sha256(const struct ca *ca)
{
    return ca->fingerprint;
}

const char *ca_id(const struct ca *ca)
{
    return ca->id;
}

time_t ca_expiry(const struct ca *ca)
{
    return ca->expiry;
}

struct span ca_pem(const struct ca *ca)
{
    return span_make(ca->pem, ca->pem_len);
}

struct span ca_der(const struct ca *ca)
{
    return span_make(ca->der, (size_t)ca->der_len);
}
