/* The facts of a connection as JSON, written by hand: a dozen members, made once a connection.
 *
 * Names in certificates and offers come from strangers: what is not UTF-8 is taken as ISO 8859-1, one
 * character a byte, so that the JSON is always valid. */
#include "proxy/tls/tls.h"

#include <arpa/inet.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/x509v3.h>

#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"

/* A certificate may be good for thousands of names: enough to see what it is for. */
#define MOST_NAMES 32
/* Distinguished names longer than this are cut. */
#define MOST_NAME_BYTES 512

/* How much of text stands for itself. */
static size_t plain_prefix(struct span text)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] >= ' ' && text.ptr[len] < 0x7f && text.ptr[len] != '"' &&
           text.ptr[len] != '\\')
        len++;
    return len;
}

static void add_text(struct strbuf *json, struct span text)
{
    strbuf_add_char(json, '"');
    while (text.len != 0) {
        size_t plain = plain_prefix(text);
        const unsigned char *at = (const unsigned char *)text.ptr + plain;
        unsigned long value;
        int used;
        strbuf_add(json, span_sub(text, 0, plain));
        text = span_from(text, plain);
        if (text.len == 0)
            break;
        used = UTF8_getc(at, text.len < 8 ? (int)text.len : 8, &value);
        bool is_utf8 = used > 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
        if (!is_utf8) {
            used = 1;
            value = *at;
        }
        if (value == '"' || value == '\\')
            strbuf_printf(json, "\\%c", (char)value);
        else if (value < ' ' || value == 0x7f || !is_utf8)
            strbuf_printf(json, "\\u%04lx", value);
        else
            strbuf_add(json, span_make(at, (size_t)used));
        text = span_from(text, (size_t)used);
    }
    strbuf_add_char(json, '"');
}

/* The next member's name; strbuf holds an object that is still open. */
static void add_key(struct strbuf *json, const char *key)
{
    if (json->ptr[json->len - 1] != '{')
        strbuf_add_char(json, ',');
    strbuf_add_char(json, '"');
    strbuf_add_str(json, key);
    strbuf_add_str(json, "\":");
}

static void add_member(struct strbuf *json, const char *key, struct span text)
{
    if (text.len == 0)
        return;
    add_key(json, key);
    add_text(json, text);
}

static void add_bool(struct strbuf *json, const char *key, bool value)
{
    add_key(json, key);
    strbuf_add_str(json, value ? "true" : "false");
}

/* list: as in ALPN, a length before each. */
static void add_list(struct strbuf *json, const char *key, struct span list)
{
    add_key(json, key);
    strbuf_add_char(json, '[');
    for (size_t at = 0, len; at < list.len; at += 1 + len) {
        len = (unsigned char)list.ptr[at];
        if (at != 0)
            strbuf_add_char(json, ',');
        add_text(json, span_sub(list, at + 1, len));
    }
    strbuf_add_char(json, ']');
}

static void add_distinguished_name(struct strbuf *json, const char *key, const X509_NAME *name)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text;
    long len;

    if (memory == NULL)
        return;
    X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    len = BIO_get_mem_data(memory, &text);
    if (len > 0)
        add_member(json, key, span_make(text, len < MOST_NAME_BYTES ? (size_t)len : MOST_NAME_BYTES));
    BIO_free(memory);
}

static void add_time(struct strbuf *json, const char *key, const ASN1_TIME *time)
{
    char text[64];
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) == 1 && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) != 0)
        add_member(json, key, span_of(text));
}

static void add_alt_names(struct strbuf *json, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    unsigned count = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && count < MOST_NAMES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char address[INET6_ADDRSTRLEN];
        struct span value;
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        value = span_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
        if (name->type == GEN_IPADD) {
            if (value.len != 4 && value.len != 16)
                continue;
            inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.ptr, address, sizeof address);
            value = span_of(address);
        }
        if (count == 0) {
            add_key(json, "san");
            strbuf_add_char(json, '[');
        } else {
            strbuf_add_char(json, ',');
        }
        add_text(json, value);
        count++;
    }
    if (count != 0)
        strbuf_add_char(json, ']');
    GENERAL_NAMES_free(names);
}

static void add_origin_cert(struct strbuf *json, const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    static const char digits[] = "0123456789abcdef";
    char hex[2 * EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
        len = 0;
    for (unsigned i = 0; i < len; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 0xf];
    }
    add_member(json, "fingerprint_sha256", span_make(hex, 2 * len));
    add_distinguished_name(json, "subject", X509_get_subject_name(cert));
    add_distinguished_name(json, "issuer", X509_get_issuer_name(cert));
    add_time(json, "not_after", X509_get0_notAfter(cert));
    add_alt_names(json, cert);
}

static void add_client_role(struct strbuf *json, const struct tls *tls)
{
    const X509 *cert = tls->refused_cert != NULL ? tls->refused_cert : SSL_get0_peer_certificate(tls->ssl);

    add_member(json, "sni", span_of(SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name)));
    if (cert != NULL)
        add_origin_cert(json, cert);
    add_bool(json, "verified", tls_is_verified(tls));
    add_member(json, "why", span_of(tls->why));
    if (tls->is_cert_requested)
        add_bool(json, "cert_requested", true);
    if (tls_cert_shown(tls))
        add_distinguished_name(json, "client_certificate",
                               X509_get_subject_name(client_cert_x509(tls->own_cert)));
    if (tls->mirror != NULL) {
        strbuf_add_char(json, ',');
        strbuf_add_str(json, tls_mirror_facts(tls->mirror));
    }
}

static const char *version_name(unsigned version)
{
    static const char *const names[] = { "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3" };

    return version >= TLS1_VERSION && version <= TLS1_3_VERSION ? names[version - TLS1_VERSION] : "";
}

static void add_server_role(struct strbuf *json, const struct tls *tls)
{
    add_member(json, "sni", span_of(tls->offered_sni));
    if (tls->leaf != NULL)
        add_member(json, "leaf_key", leaf_key_type(tls->leaf) == KEY_RSA ? SPAN("rsa") : SPAN("ec"));
    if (tls->offered_version == 0)
        return;
    add_key(json, "offered");
    strbuf_add_char(json, '{');
    add_member(json, "version", span_of(version_name(tls->offered_version)));
    add_list(json, "alpn", strbuf_span(&tls->offered_alpn));
    add_member(json, "ja3", span_of(tls->ja3));
    add_member(json, "ja4", span_of(tls->ja4));
    strbuf_add_char(json, '}');
}

char *tls_facts(const struct tls *tls)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    struct strbuf json = STRBUF_EMPTY;

    strbuf_add_char(&json, '{');
    if (cipher != NULL) {
        long group = SSL_get_negotiated_group(tls->ssl);
        add_member(&json, "version", span_of(SSL_get_version(tls->ssl)));
        add_member(&json, "cipher", span_of(SSL_CIPHER_standard_name(cipher)));
        if (group != NID_undef)
            add_member(&json, "group", span_of(SSL_group_to_name(tls->ssl, (int)group)));
    }
    add_member(&json, "alpn", tls_alpn(tls));
    add_bool(&json, "resumed", SSL_session_reused(tls->ssl) == 1);
    if (tls->client != NULL)
        add_client_role(&json, tls);
    else
        add_server_role(&json, tls);
    strbuf_add_char(&json, '}');
    return strbuf_detach(&json);
}
