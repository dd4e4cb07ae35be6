/* Two ClientHellos are compared list by list: what only one has, then whether the rest stands in one order.
 */
#include <string.h>

#include <openssl/err.h>

#include "proxy/tls/tls_offer.h"

#include "proxy/base/mem.h"

#define RECORD_HEAD_BYTES 5
/* A list of differences longer than this says the same. */
#define MOST_TOLD 64

/* --- Names --- */

struct name {
    uint16_t number;
    const char *text;
};

/* What OpenSSL has no name for or does not tell it, and clients of today send. */
static const struct name group_names[] = {
    { 0x11eb, "SecP256r1MLKEM768" },
    { 0x11ec, "X25519MLKEM768" },
    { 0x11ed, "SecP384r1MLKEM1024" },
    { 0x6399, "X25519Kyber768Draft00" },
};
static const struct name signature_names[] = {
    { 0x0904, "mldsa44" },
    { 0x0905, "mldsa65" },
    { 0x0906, "mldsa87" },
};
static const struct name extension_names[] = {
    { 1, "max_fragment_length" },
    { HELLO_EXT_STATUS_REQUEST, "status_request" },
    { HELLO_EXT_GROUPS, "supported_groups" },
    { HELLO_EXT_POINT_FORMATS, "ec_point_formats" },
    { HELLO_EXT_SIGNATURES, "signature_algorithms" },
    { 17, "status_request_v2" },
    { HELLO_EXT_SCT, "signed_certificate_timestamp" },
    { HELLO_EXT_ENCRYPT_THEN_MAC, "encrypt_then_mac" },
    { HELLO_EXT_MASTER_SECRET, "extended_master_secret" },
    { HELLO_EXT_CERT_COMPRESSION, "compress_certificate" },
    { 28, "record_size_limit" },
    { 34, "delegated_credentials" },
    { HELLO_EXT_TICKET, "session_ticket" },
    { HELLO_EXT_VERSIONS, "supported_versions" },
    { HELLO_EXT_PSK_MODES, "psk_key_exchange_modes" },
    { HELLO_EXT_POST_HANDSHAKE, "post_handshake_auth" },
    { HELLO_EXT_CERT_SIGNATURES, "signature_algorithms_cert" },
    { HELLO_EXT_KEY_SHARES, "key_share" },
    { 13172, "next_protocol_negotiation" },
    { 17513, "application_settings" },
    { 17613, "application_settings" },
    { 30032, "channel_id" },
    { 51764, "trust_anchors" },
    { 65037, "encrypted_client_hello" },
    { HELLO_EXT_RENEGOTIATION, "renegotiation_info" },
};

static const char *find_name(const struct name *names, size_t count, uint16_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].number == number)
            return names[i].text;
    }
    return NULL;
}

static const char *suite_name(SSL *ssl, uint16_t number)
{
    const unsigned char wire[2] = { (unsigned char)(number >> 8), (unsigned char)number };
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, wire);

    if (number == (SSL3_CK_SCSV & 0xffff))
        return "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    if (number == (SSL3_CK_FALLBACK_SCSV & 0xffff))
        return "TLS_FALLBACK_SCSV";
    return cipher != NULL ? SSL_CIPHER_standard_name(cipher) : NULL;
}

static const char *group_name(SSL *ssl, uint16_t number)
{
    const char *name = find_name(group_names, sizeof group_names / sizeof group_names[0], number);

    return name != NULL ? name : SSL_group_to_name(ssl, TLSEXT_nid_unknown | number);
}

static const char *extension_name(SSL *ssl, uint16_t number)
{
    (void)ssl;
    return find_name(extension_names, sizeof extension_names / sizeof extension_names[0], number);
}

static const char *signature_name(SSL *ssl, uint16_t number)
{
    (void)ssl;
    return find_name(signature_names, sizeof signature_names / sizeof signature_names[0], number);
}

static const char *version_name(SSL *ssl, uint16_t number)
{
    static const struct name names[] = {
        { SSL3_VERSION, "SSLv3" },     { TLS1_VERSION, "TLSv1" },     { TLS1_1_VERSION, "TLSv1.1" },
        { TLS1_2_VERSION, "TLSv1.2" }, { TLS1_3_VERSION, "TLSv1.3" },
    };

    (void)ssl;
    return find_name(names, sizeof names / sizeof names[0], number);
}

/* --- The lists of a hello, each with its own way to go on --- */

static struct span list_of_suites(const struct hello *hello)
{
    return hello->suites;
}
static struct span list_of_groups(const struct hello *hello)
{
    return hello->groups;
}
static struct span list_of_shares(const struct hello *hello)
{
    return hello->key_shares;
}
static struct span list_of_signatures(const struct hello *hello)
{
    return hello->signatures;
}
static struct span list_of_versions(const struct hello *hello)
{
    return hello->versions;
}
static struct span list_of_extensions(const struct hello *hello)
{
    return hello->extensions;
}

static bool next_extension(struct span *rest, uint16_t *out_number)
{
    struct span body;

    while (hello_next_extension(rest, out_number, &body)) {
        if (!tls_offer_is_passing(*out_number))
            return true;
    }
    return false;
}

struct list {
    const char *one, *all;
    struct span (*of)(const struct hello *hello);
    bool (*next)(struct span *rest, uint16_t *out_number);
    const char *(*name)(SSL *ssl, uint16_t number);
};

static const struct list lists[] = {
    /* in the order in which a person cares */
    { "version", "versions", list_of_versions, hello_next_number, version_name },
    { "suite", "suites", list_of_suites, hello_next_number, suite_name },
    { "group", "groups", list_of_groups, hello_next_number, group_name },
    { "key share", "key shares", list_of_shares, hello_next_share, group_name },
    { "signature algorithm", "signature algorithms", list_of_signatures, hello_next_number, signature_name },
    { "extension", "extensions", list_of_extensions, next_extension, extension_name },
};
#define LIST_COUNT (sizeof lists / sizeof lists[0])

/* The next that is no GREASE. */
static bool next_real(const struct list *list, struct span *rest, uint16_t *out_number)
{
    while (list->next(rest, out_number)) {
        if (!hello_is_grease(*out_number))
            return true;
    }
    return false;
}

static bool has(const struct list *list, const struct hello *hello, uint16_t wanted)
{
    struct span rest = list->of(hello);
    uint16_t number;

    while (list->next(&rest, &number)) {
        if (number == wanted)
            return true;
    }
    return false;
}

/* A list that one of the two lacks altogether is an extension that it lacks, and told as that. */
static bool both_have(const struct list *list, const struct hello *one, const struct hello *other)
{
    return list->of == list_of_extensions || (list->of(one).ptr != NULL && list->of(other).ptr != NULL);
}

/* --- Telling --- */

struct told {
    struct strbuf *json;
    size_t count;
};

static void tell(struct told *told, const char *what, const char *which)
{
    if (told->count++ >= MOST_TOLD)
        return;
    strbuf_printf(told->json, "%s\"%s%s%s\"", told->count > 1 ? "," : "", what, which[0] != '\0' ? " " : "",
                  which);
}

static void tell_end(struct told *told)
{
    if (told->count > MOST_TOLD)
        strbuf_printf(told->json, ",\"%zu more\"", told->count - MOST_TOLD);
    strbuf_add_char(told->json, ']');
}

/* What of one's list the other's has not. */
static void tell_missing(struct told *told, const struct list *list, SSL *ssl, const struct hello *one,
                         const struct hello *other)
{
    struct span rest = list->of(one);
    uint16_t number;

    while (both_have(list, one, other) && next_real(list, &rest, &number)) {
        const char *name = list->name(ssl, number);
        char hex[16];
        if (has(list, other, number))
            continue;
        snprintf(hex, sizeof hex, "0x%04x", number);
        tell(told, list->one, name != NULL ? name : hex);
    }
}

/* Whether those that both have stand in another order. */
static bool is_reordered(const struct list *list, const struct hello *one, const struct hello *other)
{
    struct span rest = list->of(one), other_rest = list->of(other);
    uint16_t number, other_number;

    while (next_real(list, &rest, &number)) {
        if (!has(list, other, number))
            continue;
        do {
            if (!next_real(list, &other_rest, &other_number))
                return true;
        } while (!has(list, one, other_number));
        if (number != other_number)
            return true;
    }
    return false;
}

static bool has_grease(const struct hello *hello)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        struct span rest = lists[i].of(hello);
        uint16_t number;
        while (lists[i].next(&rest, &number)) {
            if (hello_is_grease(number))
                return true;
        }
    }
    return false;
}

static void tell_differences(SSL *ssl, const struct hello *wanted, const struct hello *ours,
                             struct strbuf *json)
{
    struct told left_out = { json, 0 }, added = { json, 0 };

    strbuf_add_str(json, "\"left_out\":[");
    for (size_t i = 0; i < LIST_COUNT; i++) {
        tell_missing(&left_out, &lists[i], ssl, wanted, ours);
        if (is_reordered(&lists[i], wanted, ours))
            tell(&left_out, "order of", lists[i].all);
    }
    if (wanted->point_formats.ptr != NULL && ours->point_formats.ptr != NULL &&
        !span_eq(wanted->point_formats, ours->point_formats))
        tell(&left_out, "point formats", "");
    if (wanted->psk_modes.ptr != NULL && ours->psk_modes.ptr != NULL &&
        !span_eq(wanted->psk_modes, ours->psk_modes))
        tell(&left_out, "modes of resuming", "");
    if (has_grease(wanted))
        tell(&left_out, "GREASE", "");
    tell_end(&left_out);
    strbuf_add_str(json, ",\"added\":[");
    for (size_t i = 0; i < LIST_COUNT; i++)
        tell_missing(&added, &lists[i], ssl, ours, wanted);
    tell_end(&added);
}

bool tls_offer_compare(SSL_CTX *ctx, const struct hello *hello, struct strbuf *json)
{
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct hello ours;
    char *record;
    long len;
    bool ok;

    if (ssl == NULL || in == NULL || out == NULL)
        mem_die();
    SSL_set_bio(ssl, in, out);
    SSL_connect(ssl); /* gets no answer, but has its say */
    len = BIO_get_mem_data(out, &record);
    ok = len > RECORD_HEAD_BYTES &&
         hello_parse(span_make(record + RECORD_HEAD_BYTES, (size_t)len - RECORD_HEAD_BYTES), &ours);
    if (ok)
        tell_differences(ssl, hello, &ours, json);
    SSL_free(ssl);
    ERR_clear_error();
    return ok;
}
