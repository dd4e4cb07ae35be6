/* The kind of a file is told by its content: names of PKCS#12 files end in anything. Old tools make such
 * files with ciphers that OpenSSL 3 has put into its provider "legacy", which is loaded only while one is
 * read. */
#include "certs/client_cert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "certs/file.h"
#include "certs/x509.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "proxy/base/pattern.h"

/* A chain of a few certificates and a key; PKCS#12 may hold a whole folder's worth. */
#define MAX_CERT_BYTES (256 * 1024)
#define MAX_PASS_BYTES 4096

struct client_cert {
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

struct rule {
    struct pattern *hosts; /* NULL: all */
    uint16_t port;         /* 0: all */
    struct client_cert cert;
};

struct client_certs {
    struct rule *rules;
    size_t count;
};

/* --- The passphrase --- */

static bool read_pass(const char *pass, char **out_text, struct err *err)
{
    struct span text = span_of(pass);
    struct file_content content = { NULL, 0, 0 };

    *out_text = NULL;
    if (pass == NULL)
        return true;
    if (span_starts(text, SPAN("env:"))) {
        const char *value = getenv(pass + strlen("env:"));
        if (value == NULL)
            return err_set(err, ERR_USAGE, "there is no '%s' in the environment to take the passphrase from",
                           pass + strlen("env:"));
        *out_text = mem_strdup(value);
        return true;
    }
    if (!span_starts(text, SPAN("file:")))
        return err_set(
            err, ERR_USAGE,
            "the passphrase of client certificates is given as file:PATH or env:NAME, never itself");
    if (!file_read(pass + strlen("file:"), MAX_PASS_BYTES, &content, err))
        return err_add(err, "the passphrase of client certificates");
    text = file_content_span(&content);
    text.len = span_find(text, '\n');
    if (span_ends(text, SPAN("\r")))
        text.len--;
    *out_text = mem_spandup(text);
    file_content_clear(&content);
    return true;
}

static void free_pass(char *pass)
{
    if (pass != NULL)
        OPENSSL_cleanse(pass, strlen(pass));
    mem_free(pass);
}

/* --- PEM --- */

struct asked {
    const char *pass; /* NULL: none */
    bool was_asked;
};

static int give_pass(char *buffer, int size, int writing, void *arg)
{
    struct asked *asked = arg;
    size_t len = asked->pass != NULL ? strlen(asked->pass) : 0;

    (void)writing;
    asked->was_asked = true;
    if (asked->pass == NULL || len > (size_t)size)
        return -1;
    memcpy(buffer, asked->pass, len);
    return (int)len;
}

static bool say_locked(const char *path, const char *pass, struct err *err)
{
    ERR_clear_error();
    if (pass == NULL)
        return err_set(err, ERR_CERT, "'%s' is encrypted: give its passphrase by --client-cert-pass", path);
    return err_set(err, ERR_CERT, "the passphrase given does not open '%s'", path);
}

static bool read_pem_key(const char *path, struct span pem, const char *pass, EVP_PKEY **out_key,
                         struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    struct asked asked = { pass, false };

    *out_key = PEM_read_bio_PrivateKey(bio, NULL, give_pass, &asked);
    BIO_free(bio);
    if (*out_key != NULL)
        return true;
    if (asked.was_asked)
        return say_locked(path, pass, err);
    ERR_clear_error(); /* its reason for finding no key is "unsupported" */
    return err_set(err, ERR_CERT, "'%s' has no private key in PEM form", path);
}

/* Certificates of pem, in their order. */
static bool read_pem_certs(const char *path, struct span pem, STACK_OF(X509) * *out_certs, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    STACK_OF(X509) *certs = sk_X509_new_null();
    unsigned long code;
    X509 *cert;

    if (certs == NULL)
        mem_die();
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(certs, cert) == 0)
            mem_die();
    }
    BIO_free(bio);
    code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
        x509_err(err, "certificate %d of '%s' is damaged", sk_X509_num(certs) + 1, path);
    else if (sk_X509_num(certs) == 0)
        err_set(err, ERR_CERT, "'%s' has no certificate in PEM form", path);
    else
        *out_certs = certs;
    ERR_clear_error();
    if (*out_certs != NULL)
        return true;
    sk_X509_pop_free(certs, X509_free);
    return false;
}

/* Takes the certificate that the key belongs to out of the chain. */
static bool find_own(struct client_cert *cert)
{
    for (int i = 0; i < sk_X509_num(cert->chain); i++) {
        if (X509_check_private_key(sk_X509_value(cert->chain, i), cert->key) == 1) {
            cert->cert = sk_X509_delete(cert->chain, i);
            ERR_clear_error();
            return true;
        }
    }
    ERR_clear_error();
    return false;
}

static bool read_pem(const char *path, struct span pem, const char *key_path, const char *pass,
                     struct client_cert *cert, struct err *err)
{
    struct file_content key = { NULL, 0, 0 };
    bool ok = read_pem_certs(path, pem, &cert->chain, err);

    if (ok && key_path == NULL)
        ok = read_pem_key(path, pem, pass, &cert->key, err);
    else if (ok)
        ok = file_read(key_path, MAX_CERT_BYTES, &key, err) &&
             read_pem_key(key_path, file_content_span(&key), pass, &cert->key, err);
    file_content_clear(&key);
    if (!ok || find_own(cert))
        return ok;
    return err_set(err, ERR_CERT, "the key in '%s' does not belong to a certificate in '%s'",
                   key_path != NULL ? key_path : path, path);
}

/* --- PKCS#12 --- */

/* An empty passphrase is written in two ways. */
static bool opens(PKCS12 *bundle, const char *pass)
{
    if (!PKCS12_mac_present(bundle))
        return true;
    if (pass != NULL)
        return PKCS12_verify_mac(bundle, pass, -1) == 1;
    return PKCS12_verify_mac(bundle, NULL, 0) == 1 || PKCS12_verify_mac(bundle, "", 0) == 1;
}

static bool parse_bundle(PKCS12 *bundle, const char *pass, struct client_cert *cert)
{
    OSSL_PROVIDER *legacy;
    bool ok;

    if (PKCS12_parse(bundle, pass, &cert->key, &cert->cert, &cert->chain) == 1)
        return true;
    legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
    ok = legacy != NULL && PKCS12_parse(bundle, pass, &cert->key, &cert->cert, &cert->chain) == 1;
    if (legacy != NULL)
        OSSL_PROVIDER_unload(legacy);
    return ok;
}

static bool read_bundle(const char *path, struct span der, const char *pass, struct client_cert *cert,
                        struct err *err)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    PKCS12 *bundle = d2i_PKCS12(NULL, &at, (long)der.len);
    bool ok = false;

    if (bundle == NULL) {
        ERR_clear_error();
        return err_set(err, ERR_CERT, "'%s' is neither PEM nor PKCS#12", path);
    }
    if (!opens(bundle, pass))
        say_locked(path, pass, err);
    else if (!parse_bundle(bundle, pass, cert))
        x509_err(err, "'%s' can't be read", path);
    else if (cert->cert == NULL || cert->key == NULL)
        err_set(err, ERR_CERT, "'%s' has no certificate with a private key", path);
    else
        ok = true;
    PKCS12_free(bundle);
    ERR_clear_error();
    return ok;
}

/* --- Rules --- */

static void warn_of_dates(const char *path, const X509 *cert)
{
    char date[X509_DATE_BYTES];

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
        x509_date(x509_time(X509_get0_notAfter(cert)), date);
        log_warn("client-cert", "a client certificate has expired", LOG_S("file", path),
                 LOG_S("expired", date));
    } else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
        x509_date(x509_time(X509_get0_notBefore(cert)), date);
        log_warn("client-cert", "a client certificate is not valid yet", LOG_S("file", path),
                 LOG_S("valid_from", date));
    }
}

static bool read_cert(const char *path, const char *key_path, const char *pass, struct client_cert *cert,
                      struct err *err)
{
    struct file_content content = { NULL, 0, 0 };
    struct span bytes;
    bool ok;

    if (!file_read(path, MAX_CERT_BYTES, &content, err))
        return err_add(err, "client certificate");
    bytes = file_content_span(&content);
    if (memmem(bytes.ptr, bytes.len, "-----BEGIN ", strlen("-----BEGIN ")) != NULL)
        ok = read_pem(path, bytes, key_path, pass, cert, err);
    else if (key_path != NULL)
        ok = err_set(err, ERR_CERT, "'%s' is not PEM, so no key file goes with it", path);
    else
        ok = read_bundle(path, bytes, pass, cert, err);
    file_content_clear(&content);
    if (ok)
        warn_of_dates(path, cert->cert);
    return ok;
}

/* Cuts ":443" off the end of *hosts; an IPv6 address loses its brackets. */
static bool read_port(struct span *hosts, uint16_t *out_port)
{
    size_t colon = hosts->len, end;
    uint64_t port;

    if (span_starts(*hosts, SPAN("["))) {
        end = span_find(*hosts, ']');
        if (end == hosts->len)
            return false;
        colon = end + 1;
        if (colon < hosts->len && hosts->ptr[colon] != ':')
            return false;
    } else if (memchr(hosts->ptr, ':', hosts->len) == memrchr(hosts->ptr, ':', hosts->len)) {
        colon = span_find(*hosts, ':');
    }
    *out_port = 0;
    if (colon < hosts->len) {
        if (!span_u64(span_from(*hosts, colon + 1), &port) || port == 0 || port > UINT16_MAX)
            return false;
        *out_port = (uint16_t)port;
    }
    *hosts = span_starts(*hosts, SPAN("[")) ? span_sub(*hosts, 1, colon - 2) : span_sub(*hosts, 0, colon);
    return hosts->len != 0;
}

static bool read_rule(const char *text, const char *pass, struct rule *rule, struct err *err)
{
    const char *equals = strchr(text, '='), *slash = strchr(text, '/'), *comma;
    const char *file = text;
    char *path, *key_path = NULL;
    bool ok;

    if (equals != NULL && (slash == NULL || equals < slash)) {
        struct span hosts = span_make(text, (size_t)(equals - text));
        if (hosts.len == 0 || !read_port(&hosts, &rule->port))
            return err_set(err, ERR_USAGE, "client certificate '%s': before '=' stands HOSTS or HOSTS:PORT",
                           text);
        if (!pattern_new(hosts, PATTERN_GLOB | PATTERN_ANY_CASE, &rule->hosts, err))
            return false;
        file = equals + 1;
    }
    comma = file_exists(file) ? NULL : strrchr(file, ',');
    path = comma != NULL ? mem_spandup(span_make(file, (size_t)(comma - file))) : mem_strdup(file);
    if (comma != NULL)
        key_path = mem_strdup(comma + 1);
    if (path[0] == '\0' || (key_path != NULL && key_path[0] == '\0'))
        ok = err_set(err, ERR_USAGE, "client certificate '%s' names no file", text);
    else
        ok = read_cert(path, key_path, pass, &rule->cert, err);
    mem_free(path);
    mem_free(key_path);
    return ok;
}

bool client_certs_load(const char *const *rules, size_t count, const char *pass,
                       struct client_certs **out_certs, struct err *err)
{
    struct client_certs *certs = mem_new(struct client_certs);
    char *pass_text;
    bool ok = read_pass(pass, &pass_text, err);

    certs->rules = mem_array(struct rule, count);
    for (size_t i = 0; ok && i < count; i++) {
        certs->count = i + 1;
        ok = read_rule(rules[i], pass_text, &certs->rules[i], err);
    }
    free_pass(pass_text);
    if (ok)
        *out_certs = certs;
    else
        client_certs_free(certs);
    return ok;
}

void client_certs_free(struct client_certs *certs)
{
    if (certs == NULL)
        return;
    for (size_t i = 0; i < certs->count; i++) {
        struct rule *rule = &certs->rules[i];
        pattern_free(rule->hosts);
        X509_free(rule->cert.cert);
        EVP_PKEY_free(rule->cert.key);
        sk_X509_pop_free(rule->cert.chain, X509_free);
    }
    mem_free(certs->rules);
    mem_free(certs);
}

const struct client_cert *client_certs_find(const struct client_certs *certs, const char *host, uint16_t port)
{
    for (size_t i = 0; i < certs->count; i++) {
        const struct rule *rule = &certs->rules[i];
        if ((rule->port == 0 || rule->port == port) &&
            (rule->hosts == NULL || pattern_match(rule->hosts, span_of(host))))
            return &rule->cert;
    }
    return NULL;
}

X509 *client_cert_x509(const struct client_cert *cert)
{
    return cert->cert;
}

EVP_PKEY *client_cert_key(const struct client_cert *cert)
{
    return cert->key;
}

STACK_OF(X509) * client_cert_chain(const struct client_cert *cert)
{
    return cert->chain;
}
