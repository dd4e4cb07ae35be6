/* A JKS, all numbers big-endian:
 *
 *     u32 0xFEEDFEED   u32 2 (version)   u32 entries
 *     an entry: u32 2 (a trusted certificate)   u16 length, alias   u64 made, ms since 1970
 *               u16 length, "X.509"   u32 length, certificate in DER
 *     SHA-1 of: the password in UTF-16, "Mighty Aphrodite", everything above */
#include "certs/bundle.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "certs/file.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* Distributions ship a quarter of a megabyte of roots. */
#define MAX_ROOTS_BYTES (16 * 1024 * 1024)

#define JKS_MAGIC         0xfeedfeed
#define JKS_VERSION       2
#define JKS_TRUSTED_ENTRY 2

const char *bundle_system_roots_path(void)
{
    const char *const places[] = {
        getenv(X509_get_default_cert_file_env()),
        X509_get_default_cert_file(),
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora up to 42 */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
        "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
        "/etc/ssl/cert.pem",                                 /* the BSDs */
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i] != NULL && access(places[i], R_OK) == 0 && !file_is_dir(places[i]))
            return places[i];
    }
    return NULL;
}

/* The system's roots as they are; empty where there are none. */
static bool read_system_roots(struct file_content *out_roots, struct err *err)
{
    const char *path = bundle_system_roots_path();

    if (path != NULL)
        return file_read(path, MAX_ROOTS_BYTES, out_roots, err) || err_add(err, "reading the system's roots");
    *out_roots = (struct file_content){ NULL, 0, 0 };
    return true;
}

bool bundle_write_pem(const char *path, const struct ca *ca, struct err *err)
{
    struct file_content roots = { NULL, 0, 0 };
    struct strbuf text = STRBUF_EMPTY;
    bool ok;

    if (!read_system_roots(&roots, err))
        return false;
    strbuf_add(&text, file_content_span(&roots));
    if (roots.len != 0 && roots.bytes[roots.len - 1] != '\n')
        strbuf_add_char(&text, '\n');
    strbuf_add(&text, ca_pem(ca));
    ok = file_write(path, 0644, strbuf_span(&text), err);
    strbuf_clear(&text);
    file_content_clear(&roots);
    return ok;
}

static void add_number(struct strbuf *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        strbuf_add_char(out, (char)(value >> (8 * i)));
}

static void add_entry(struct strbuf *out, const char *alias, struct span der)
{
    add_number(out, JKS_TRUSTED_ENTRY, 4);
    add_number(out, strlen(alias), 2);
    strbuf_add_str(out, alias);
    add_number(out, clock_wall_us() / 1000, 8);
    add_number(out, strlen("X.509"), 2);
    strbuf_add_str(out, "X.509");
    add_number(out, der.len, 4);
    strbuf_add(out, der);
}

/* The certificate in a PEM block: its first DER element, which leaves behind what a "TRUSTED CERTIFICATE"
 * has after it. Length 0: the block is something else. Certificates are not parsed further; that would take
 * 15 ms for the roots of a distribution, and they are the system's own. */
static struct span certificate_in(const char *label, const unsigned char *der, long der_len)
{
    const unsigned char *at = der;
    long content_len;
    int tag;
    int class;

    if (strstr(label, "CERTIFICATE") == NULL || strstr(label, "REQUEST") != NULL)
        return SPAN_NONE;
    if ((ASN1_get_object(&at, &content_len, &tag, &class, der_len) & 0x80) != 0 || tag != V_ASN1_SEQUENCE)
        return SPAN_NONE;
    return span_make(der, (size_t)(at - der + content_len));
}

/* All certificates of a PEM text, as entries "root-1" and on; returns how many. */
static unsigned add_roots(struct strbuf *out, const struct file_content *roots)
{
    BIO *bio = BIO_new_mem_buf(roots->len != 0 ? roots->bytes : "", (int)roots->len);
    unsigned count = 0;
    char *label;
    char *header;
    unsigned char *der;
    long der_len;

    while (PEM_read_bio(bio, &label, &header, &der, &der_len) == 1) {
        struct span certificate = certificate_in(label, der, der_len);
        if (certificate.len != 0) {
            char *alias = mem_printf("root-%u", ++count);
            add_entry(out, alias, certificate);
            mem_free(alias);
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    ERR_clear_error(); /* the end of the file counts as an error there */
    BIO_free(bio);
    return count;
}

static void add_digest(struct strbuf *out)
{
    struct strbuf salted = STRBUF_EMPTY;
    unsigned char digest[SHA_DIGEST_LENGTH];

    for (const char *at = BUNDLE_JKS_PASSWORD; *at != '\0'; at++)
        add_number(&salted, (unsigned char)*at, 2);
    strbuf_add_str(&salted, "Mighty Aphrodite");
    strbuf_add(&salted, strbuf_span(out));
    SHA1((const unsigned char *)salted.ptr, salted.len, digest);
    strbuf_add(out, span_make(digest, sizeof digest));
    strbuf_clear(&salted);
}

bool bundle_write_jks(const char *path, const struct ca *ca, struct err *err)
{
    struct file_content roots = { NULL, 0, 0 };
    struct strbuf entries = STRBUF_EMPTY;
    struct strbuf store = STRBUF_EMPTY;
    unsigned count;
    bool ok;

    if (!read_system_roots(&roots, err))
        return false;
    count = add_roots(&entries, &roots);
    add_entry(&entries, "weir", ca_der(ca));
    add_number(&store, JKS_MAGIC, 4);
    add_number(&store, JKS_VERSION, 4);
    add_number(&store, count + 1, 4);
    strbuf_add(&store, strbuf_span(&entries));
    add_digest(&store);
    ok = file_write(path, 0644, strbuf_span(&store), err);
    strbuf_clear(&entries);
    strbuf_clear(&store);
    file_content_clear(&roots);
    return ok;
}
