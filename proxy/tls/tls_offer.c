/* OpenSSL takes lists of names where the wire has numbers. Names of suites and groups are asked of OpenSSL,
 * so that whatever a newer one knows is mirrored as well; of signature algorithms it tells none. */
#include "proxy/tls/tls_offer.h"

#include <string.h>

#include <openssl/ct.h>
#include <openssl/err.h>

#include "proxy/base/mem.h"

/* The known ones, each once: OpenSSL refuses a list that repeats itself. More than it knows of anything. */
#define MOST_NAMED 128

/* RFC 8446 §4.2.9: resuming without new keys. */
#define PSK_WITHOUT_DHE 0

struct seen {
    uint16_t numbers[MOST_NAMED];
    size_t count;
};

/* False: it was there before, or there is no room. */
static bool see(struct seen *seen, uint16_t number)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->numbers[i] == number)
            return false;
    }
    if (seen->count == MOST_NAMED)
        return false;
    seen->numbers[seen->count++] = number;
    return true;
}

static void add_name(struct strbuf *list, const char *name)
{
    if (list->len != 0)
        strbuf_add_char(list, ':');
    strbuf_add_str(list, name);
}

/* --- Suites and versions --- */

struct suites {
    struct strbuf old, tls13;
    bool has_before_tls12; /* one that TLS 1.0 and 1.1 know too */
    struct seen seen;
};

static void add_suite(struct suites *suites, SSL *ssl, uint16_t number)
{
    const unsigned char wire[2] = { (unsigned char)(number >> 8), (unsigned char)number };
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, wire);
    bool is_tls13;

    if (cipher == NULL || number == (SSL3_CK_SCSV & 0xffff) || number == (SSL3_CK_FALLBACK_SCSV & 0xffff) ||
        SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null || SSL_CIPHER_get_cipher_nid(cipher) == NID_undef ||
        !see(&suites->seen, number))
        return;
    is_tls13 = SSL_CIPHER_get_kx_nid(cipher) == NID_kx_any;
    add_name(is_tls13 ? &suites->tls13 : &suites->old, SSL_CIPHER_get_name(cipher));
    if (!is_tls13 && strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.2") != 0)
        suites->has_before_tls12 = true;
}

/* Without supported_versions a client does not say what its oldest one is; a suite for an older version is
 * the sign that it would take one. */
static int oldest_version(const struct hello *hello, const struct suites *suites)
{
    struct span rest = hello->versions;
    int oldest = hello->max_version;
    uint16_t version;

    if (hello->versions.ptr == NULL)
        return oldest < TLS1_2_VERSION || suites->has_before_tls12 ? TLS1_VERSION : oldest;
    while (hello_next_number(&rest, &version)) {
        if (version >= TLS1_VERSION && version < oldest)
            oldest = version;
    }
    return oldest;
}

static bool set_suites_and_versions(SSL_CTX *ctx, SSL *ssl, const struct hello *hello)
{
    struct suites suites = { .old = STRBUF_EMPTY, .tls13 = STRBUF_EMPTY };
    struct span rest = hello->suites;
    uint16_t number;
    int oldest, newest = hello->max_version;
    bool ok;

    while (hello_next_number(&rest, &number)) {
        add_suite(&suites, ssl, number);
        if (number == (SSL3_CK_FALLBACK_SCSV & 0xffff))
            SSL_CTX_set_mode(ctx, SSL_MODE_SEND_FALLBACK_SCSV);
    }
    oldest = oldest_version(hello, &suites);
    /* A version without a suite would be an empty promise. */
    if (suites.old.len == 0)
        oldest = TLS1_3_VERSION;
    if (suites.tls13.len == 0 && newest == TLS1_3_VERSION)
        newest = TLS1_2_VERSION;
    ok = oldest <= newest && SSL_CTX_set_min_proto_version(ctx, oldest) == 1 &&
         SSL_CTX_set_max_proto_version(ctx, newest) == 1 &&
         (suites.old.len == 0 || SSL_CTX_set_cipher_list(ctx, suites.old.ptr) == 1) &&
         SSL_CTX_set_ciphersuites(ctx, strbuf_text(&suites.tls13)) == 1;
    strbuf_clear(&suites.old);
    strbuf_clear(&suites.tls13);
    return ok;
}

/* --- Groups and signature algorithms --- */

/* A list of which nothing is known leaves OpenSSL's own in place. */
static void set_groups(SSL_CTX *ctx, SSL *ssl, struct span groups)
{
    struct strbuf list = STRBUF_EMPTY;
    struct seen seen = { .count = 0 };
    uint16_t group;

    while (hello_next_number(&groups, &group)) {
        const char *name = SSL_group_to_name(ssl, TLSEXT_nid_unknown | group);
        if (name != NULL && see(&seen, group))
            add_name(&list, name);
    }
    if (list.len != 0)
        SSL_CTX_set1_groups_list(ctx, list.ptr);
    strbuf_clear(&list);
}

static const struct signature {
    uint16_t number;
    const char *name;
} signatures[] = {
    { 0x0403, "ECDSA+SHA256" },
    { 0x0503, "ECDSA+SHA384" },
    { 0x0603, "ECDSA+SHA512" },
    { 0x0807, "ed25519" },
    { 0x0808, "ed448" },
    { 0x0804, "rsa_pss_rsae_sha256" },
    { 0x0805, "rsa_pss_rsae_sha384" },
    { 0x0806, "rsa_pss_rsae_sha512" },
    { 0x0809, "rsa_pss_pss_sha256" },
    { 0x080a, "rsa_pss_pss_sha384" },
    { 0x080b, "rsa_pss_pss_sha512" },
    { 0x0401, "RSA+SHA256" },
    { 0x0501, "RSA+SHA384" },
    { 0x0601, "RSA+SHA512" },
    { 0x0303, "ECDSA+SHA224" },
    { 0x0203, "ECDSA+SHA1" },
    { 0x0301, "RSA+SHA224" },
    { 0x0201, "RSA+SHA1" },
    { 0x0402, "DSA+SHA256" },
    { 0x0502, "DSA+SHA384" },
    { 0x0602, "DSA+SHA512" },
    { 0x0302, "DSA+SHA224" },
    { 0x0202, "DSA+SHA1" },
};
#define SIGNATURE_COUNT (sizeof signatures / sizeof signatures[0])

static void set_signatures(SSL_CTX *ctx, struct span offered)
{
    struct strbuf list = STRBUF_EMPTY, all = STRBUF_EMPTY;
    struct seen seen = { .count = 0 };
    uint16_t number;

    while (hello_next_number(&offered, &number)) {
        for (size_t i = 0; i < SIGNATURE_COUNT; i++) {
            if (signatures[i].number == number && see(&seen, number))
                add_name(&list, signatures[i].name);
        }
    }
    if (list.len != 0)
        SSL_CTX_set1_sigalgs_list(ctx, list.ptr);
    /* What a client certificate signs with is no part of the offer, and that certificate is not the client's.
     */
    for (size_t i = 0; i < SIGNATURE_COUNT; i++)
        add_name(&all, signatures[i].name);
    SSL_CTX_set1_client_sigalgs_list(ctx, all.ptr);
    strbuf_clear(&list);
    strbuf_clear(&all);
}

/* --- Extensions --- */

bool tls_offer_is_passing(uint16_t extension)
{
    switch (extension) {
    case HELLO_EXT_SERVER_NAME:
    case HELLO_EXT_ALPN:
    case HELLO_EXT_PADDING:
    case HELLO_EXT_PRE_SHARED_KEY:
    case HELLO_EXT_EARLY_DATA:
    case HELLO_EXT_COOKIE:
        return true;
    default:
        return false;
    }
}

/* What an origin proves to be logged is not ours to judge; only with this is it asked for. */
static int accept_logged(const CT_POLICY_EVAL_CTX *ctx, const STACK_OF(SCT) * scts, void *arg)
{
    (void)ctx;
    (void)scts;
    (void)arg;
    return 1;
}

static void set_extensions(SSL_CTX *ctx, const struct hello *hello)
{
    uint64_t without = 0;

    if (!hello_offers(hello, HELLO_EXT_TICKET))
        without |= SSL_OP_NO_TICKET;
    if (!hello_offers(hello, HELLO_EXT_ENCRYPT_THEN_MAC))
        without |= SSL_OP_NO_ENCRYPT_THEN_MAC;
    if (!hello_offers(hello, HELLO_EXT_MASTER_SECRET))
        without |= SSL_OP_NO_EXTENDED_MASTER_SECRET;
    SSL_CTX_set_options(ctx, without);
    if (hello->session_id.len == 0)
        SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    if (hello_offers(hello, HELLO_EXT_PADDING))
        SSL_CTX_set_options(ctx, SSL_OP_TLSEXT_PADDING);
    if (hello->psk_modes.len != 0 && memchr(hello->psk_modes.ptr, PSK_WITHOUT_DHE, hello->psk_modes.len))
        SSL_CTX_set_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
    if (hello_offers(hello, HELLO_EXT_STATUS_REQUEST)) {
        SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
        /* OpenSSL asks for logged certificates only together with their status. */
        if (hello_offers(hello, HELLO_EXT_SCT))
            SSL_CTX_set_ct_validation_callback(ctx, accept_logged, NULL);
    }
    if (hello_offers(hello, HELLO_EXT_POST_HANDSHAKE))
        SSL_CTX_set_post_handshake_auth(ctx, 1);
}

/* --- Security --- */

/* What the client offers may be used, however old. How strong keys and certificates must be is not the
 * client's to say: OpenSSL's levels (see SSL_CTX_set_security_level(3)) hold for them as ever. */
static int is_secure(const SSL *ssl, const SSL_CTX *ctx, int what, int bits, int nid, void *other, void *arg)
{
    static const int level_bits[] = { 0, 80, 112, 128, 192, 256 };
    int level = ssl != NULL ? SSL_get_security_level(ssl) : SSL_CTX_get_security_level(ctx);

    (void)nid;
    (void)other;
    (void)arg;
    switch (what) {
    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK:
    case SSL_SECOP_CURVE_SUPPORTED:
    case SSL_SECOP_CURVE_SHARED:
    case SSL_SECOP_CURVE_CHECK:
    case SSL_SECOP_SIGALG_SUPPORTED:
    case SSL_SECOP_SIGALG_SHARED:
    case SSL_SECOP_SIGALG_CHECK:
    case SSL_SECOP_SIGALG_MASK:
    case SSL_SECOP_VERSION:
    case SSL_SECOP_TICKET:
    case SSL_SECOP_EE_KEY: /* these three: what we show */
    case SSL_SECOP_CA_KEY:
    case SSL_SECOP_CA_MD:
        return 1;
    default:
        return bits >= level_bits[level < 0 ? 0 : level > 5 ? 5 : level];
    }
}

bool tls_offer_set(SSL_CTX *ctx, const struct hello *hello)
{
    SSL *ssl = SSL_new(ctx);
    bool ok;

    if (ssl == NULL)
        mem_die();
    ok = set_suites_and_versions(ctx, ssl, hello);
    if (ok) {
        set_groups(ctx, ssl, hello->groups);
        set_signatures(ctx, hello->signatures);
        set_extensions(ctx, hello);
        SSL_CTX_set_security_callback(ctx, is_secure);
    }
    SSL_free(ssl);
    ERR_clear_error();
    return ok;
}
