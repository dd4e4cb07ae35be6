/* Making the CA. The hard part: a pair of files can't be replaced at once. So the certificate goes away
 * before the key changes and comes back after it, and whoever finds a key alone makes a certificate for it.
 * At every moment, also after a kill, the folder holds a matching pair, a key alone, or nothing. */
#include "certs/ca_make.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "certs/file.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* Ten years: a root lives in phones and browsers where nobody likes to replace it. */
#define CA_VALID_S (10LL * 365 * 24 * 3600)

/* RFC 5280, ub-common-name. */
#define MAX_COMMON_NAME 64

#define MAX_KEPT_BYTES (64 * 1024)

/* The folder while it is being changed: its paths and its lock. */
struct workshop {
    const char *dir;
    char *cert_path, *key_path;
    int lock_fd;
};

static void workshop_clear(struct workshop *shop)
{
    mem_free(shop->cert_path);
    mem_free(shop->key_path);
    if (shop->lock_fd >= 0)
        close(shop->lock_fd); /* releases the lock; so does a kill */
    *shop = (struct workshop){ .lock_fd = -1 };
}

/* Waits while another weir makes a CA here. */
static bool workshop_enter(const char *dir, struct workshop *out_shop, struct err *err)
{
    struct workshop shop = { .dir = dir, .lock_fd = -1 };
    char *lock_path = mem_printf("%s/ca.lock", dir);
    bool ok = false;

    shop.cert_path = mem_printf("%s/" CA_CERT_FILE, dir);
    shop.key_path = mem_printf("%s/" CA_KEY_FILE, dir);
    if (!file_make_dirs(dir, err))
        goto out;
    shop.lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (shop.lock_fd < 0) {
        err_sys(err, errno, "opening '%s'", lock_path);
        goto out;
    }
    while (flock(shop.lock_fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            err_sys(err, errno, "locking '%s'", lock_path);
            goto out;
        }
    }
    *out_shop = shop;
    shop = (struct workshop){ .lock_fd = -1 };
    ok = true;
out:
    workshop_clear(&shop);
    mem_free(lock_path);
    return ok;
}

bool ca_key_id(X509_PUBKEY *key, char out_id[9])
{
    const unsigned char *bits;
    int bits_len;
    unsigned char digest[SHA256_DIGEST_LENGTH];

    if (X509_PUBKEY_get0_param(NULL, &bits, &bits_len, NULL, key) != 1 ||
        EVP_Digest(bits, (size_t)bits_len, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    snprintf(out_id, 9, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    return true;
}

/* "weir CA 1a2b3c4d (ann@laptop, 2026-11-21)": a person sees in a list of roots whose it is, and no two are
 * called the same, as stores that find a root by its name want it. */
static void common_name(const char *id, time_t now, char out_name[MAX_COMMON_NAME + 1])
{
    char host[256] = "";
    char owner[64];
    char passwd_text[4096];
    struct passwd passwd;
    struct passwd *found = NULL;
    struct tm day;
    int used;

    (void)gethostname(host, sizeof host - 1); /* without it the name is only less telling */
    (void)getpwuid_r(geteuid(), &passwd, passwd_text, sizeof passwd_text, &found);
    if (found != NULL)
        snprintf(owner, sizeof owner, "%s", found->pw_name);
    else
        snprintf(owner, sizeof owner, "uid%u", (unsigned)geteuid());
    gmtime_r(&now, &day);
    /* 33 = 64 without the id, the date and what stands around them. */
    used = snprintf(out_name, MAX_COMMON_NAME + 1, "weir CA %s (%.16s@%.*s", id, owner,
                    33 - 1 - (int)strnlen(owner, 16), host);
    strftime(out_name + used, (size_t)(MAX_COMMON_NAME + 1 - used), ", %Y-%m-%d)", &day);
    for (char *at = out_name; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
}

static bool add_own_extensions(X509 *cert)
{
    BASIC_CONSTRAINTS constraints = { .ca = 0xff };
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    ASN1_INTEGER *no_ca_below = ASN1_INTEGER_new();
    ASN1_OCTET_STRING *identifier = x509_key_identifier(X509_get_X509_PUBKEY(cert));
    bool ok = false;

    if (usage == NULL || no_ca_below == NULL || identifier == NULL)
        goto out;
    constraints.pathlen = no_ca_below;
    ok = ASN1_INTEGER_set(no_ca_below, 0) == 1 &&
         ASN1_BIT_STRING_set_bit(usage, 5, 1) == 1 && /* keyCertSign, RFC 5280 §4.2.1.3 */
         ASN1_BIT_STRING_set_bit(usage, 6, 1) == 1 && /* cRLSign */
         X509_add1_ext_i2d(cert, NID_basic_constraints, &constraints, 1, X509V3_ADD_DEFAULT) == 1 &&
         X509_add1_ext_i2d(cert, NID_key_usage, usage, 1, X509V3_ADD_DEFAULT) == 1 &&
         X509_add1_ext_i2d(cert, NID_subject_key_identifier, identifier, 0, X509V3_ADD_DEFAULT) == 1;
out:
    ASN1_BIT_STRING_free(usage);
    ASN1_INTEGER_free(no_ca_below);
    ASN1_OCTET_STRING_free(identifier);
    return ok;
}

/* All but the authority key identifier: that may name the old certificate's serial number, and in a
 * certificate that signs itself it says nothing. */
static bool copy_extensions(X509 *cert, const X509 *old)
{
    for (int i = 0; i < X509_get_ext_count(old); i++) {
        X509_EXTENSION *extension = X509_get_ext(old, i);
        if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_authority_key_identifier &&
            X509_add_ext(cert, extension, -1) != 1)
            return false;
    }
    return true;
}

static bool set_own_name(X509 *cert, time_t now)
{
    char id[9];
    char name[MAX_COMMON_NAME + 1];

    if (!ca_key_id(X509_get_X509_PUBKEY(cert), id))
        return false;
    common_name(id, now, name);
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)name, -1, -1, 0) == 1;
}

/* Signs key with itself. With old: its subject and extensions, else a name and extensions of our own. */
static bool self_sign(EVP_PKEY *key, X509 *old, X509 **out_cert, struct err *err)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    X509 *cert = X509_new();
    bool ok = cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && x509_set_random_serial(cert) &&
              x509_set_validity(cert, now - X509_BACKDATE_S, now + CA_VALID_S) &&
              X509_set_pubkey(cert, key) == 1;

    if (old != NULL)
        ok = ok && X509_set_subject_name(cert, X509_get_subject_name(old)) == 1 && copy_extensions(cert, old);
    else
        ok = ok && set_own_name(cert, now) && add_own_extensions(cert);
    ok = ok && X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
         X509_sign(cert, key, EVP_sha256()) != 0;
    if (!ok) {
        X509_free(cert);
        return x509_err(err, "making the CA certificate");
    }
    *out_cert = cert;
    return true;
}

static bool write_cert(const struct workshop *shop, X509 *cert, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool ok = false;

    if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1) {
        x509_err(err, "encoding the CA certificate");
    } else {
        size_t len = (size_t)BIO_get_mem_data(bio, &pem);
        ok = file_write(shop->cert_path, 0644, span_make(pem, len), err);
    }
    BIO_free(bio);
    return ok;
}

static bool write_key(const struct workshop *shop, EVP_PKEY *key, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool ok = false;

    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        x509_err(err, "encoding the CA key");
    } else {
        size_t len = (size_t)BIO_get_mem_data(bio, &pem);
        ok = file_write(shop->key_path, 0600, span_make(pem, len), err);
        OPENSSL_cleanse(pem, len);
    }
    BIO_free(bio);
    return ok;
}

/* Copies path, if it is there, to path.number. */
static bool keep_copy(const char *path, int number, mode_t mode, struct err *err)
{
    struct file_content content = { NULL, 0, 0 };
    char *kept_path = mem_printf("%s.%d", path, number);
    bool ok = !file_exists(path) || (file_read(path, MAX_KEPT_BYTES, &content, err) &&
                                     file_write(kept_path, mode, file_content_span(&content), err));

    file_content_clear(&content);
    mem_free(kept_path);
    return ok;
}

/* The number under which neither file has been kept before. */
static int next_kept_number(const struct workshop *shop)
{
    for (int number = 1;; number++) {
        char *kept_cert = mem_printf("%s.%d", shop->cert_path, number);
        char *kept_key = mem_printf("%s.%d", shop->key_path, number);
        bool is_free = !file_exists(kept_cert) && !file_exists(kept_key);
        mem_free(kept_cert);
        mem_free(kept_key);
        if (is_free)
            return number;
    }
}

/* The certificate of the key that is in place; the last step of making, and the whole of mending. */
static bool certify(const struct workshop *shop, EVP_PKEY *key, struct err *err)
{
    X509 *cert = NULL;
    bool ok = self_sign(key, NULL, &cert, err) && write_cert(shop, cert, err);

    X509_free(cert);
    return ok;
}

static bool make_pair(const struct workshop *shop, enum key_type type, struct err *err)
{
    EVP_PKEY *key = x509_new_key(type);
    bool ok = false;

    if (key == NULL)
        x509_err(err, "making the CA key");
    else if (unlink(shop->cert_path) != 0 && errno != ENOENT)
        err_sys(err, errno, "removing '%s'", shop->cert_path);
    else
        ok = write_key(shop, key, err) && certify(shop, key, err);
    EVP_PKEY_free(key);
    return ok;
}

static bool mend(const struct workshop *shop, struct err *err)
{
    EVP_PKEY *key = NULL;
    enum key_type type;
    bool ok = ca_read_key(shop->key_path, &key, &type, err) && certify(shop, key, err);

    EVP_PKEY_free(key);
    return ok;
}

bool ca_open(const char *dir, enum key_type type, struct ca **out_ca, bool *out_created, struct err *err)
{
    struct workshop shop = { .lock_fd = -1 };
    struct ca *ca = NULL;
    bool is_created = false;
    bool ok = false;
    struct err lock_err;

    /* Nearly always it is there, perhaps in a folder that we may not write to: no lock for looking. */
    if (ca_load_current(dir, &ca, err)) {
        *out_ca = ca;
        *out_created = false;
        return true;
    }
    /* Missing, broken, or another weir is at work: under the lock it is known which. */
    if (!workshop_enter(dir, &shop, &lock_err)) {
        if (err->code == ERR_FOUND)
            *err = lock_err;
        return false;
    }
    if (!file_exists(shop.cert_path)) {
        is_created = true;
        if (!(file_exists(shop.key_path) ? mend(&shop, err) : make_pair(&shop, type, err)))
            goto out;
    }
    if (!ca_load_current(dir, &ca, err))
        goto out;
    *out_ca = ca;
    *out_created = is_created;
    ok = true;
out:
    workshop_clear(&shop);
    return ok;
}

bool ca_create(const char *dir, enum key_type type, bool force, struct ca **out_ca, struct err *err)
{
    struct workshop shop = { .lock_fd = -1 };
    bool ok = false;

    if (!workshop_enter(dir, &shop, err))
        return false;
    if (file_exists(shop.cert_path) || file_exists(shop.key_path)) {
        int number = next_kept_number(&shop);
        if (!force) {
            err_set(err, ERR_FOUND,
                    "there is a CA in '%s' already; --force replaces it and keeps the old files", dir);
            goto out;
        }
        if (!keep_copy(shop.key_path, number, 0600, err) || !keep_copy(shop.cert_path, number, 0644, err)) {
            err_add(err, "keeping the old CA");
            goto out;
        }
    }
    ok = make_pair(&shop, type, err) && ca_load_current(dir, out_ca, err);
out:
    workshop_clear(&shop);
    return ok;
}

bool ca_renew(const char *dir, struct ca **out_ca, struct err *err)
{
    struct workshop shop = { .lock_fd = -1 };
    struct ca *old = NULL;
    X509 *cert = NULL;
    bool ok = false;

    if (!file_is_dir(dir))
        return err_set(err, ERR_FOUND, "there is no CA in '%s'", dir);
    if (!workshop_enter(dir, &shop, err))
        return false;
    if (!ca_load(dir, &old, err))
        goto out;
    if (X509_self_signed(ca_x509(old), 0) != 1) {
        err_set(err, ERR_CERT, "'%s' was signed by another CA; only that one can renew it", shop.cert_path);
        goto out;
    }
    if (!self_sign(ca_key(old), ca_x509(old), &cert, err))
        goto out;
    if (!keep_copy(shop.cert_path, next_kept_number(&shop), 0644, err)) {
        err_add(err, "keeping the old certificate");
        goto out;
    }
    ok = write_cert(&shop, cert, err) && ca_load_current(dir, out_ca, err);
out:
    ca_unref(old);
    X509_free(cert);
    workshop_clear(&shop);
    return ok;
}
