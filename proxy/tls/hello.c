/* The wire is read with one small cursor that goes bad when it runs out and stays bad, so lengths are checked
 * in one place and the callers ask once, at the end. */
#include "proxy/tls/hello.h"

#include <string.h>

#define RECORD_HEAD_BYTES    5
#define RECORD_HANDSHAKE     22
#define RECORD_MOST_BYTES    (16 * 1024) /* RFC 8446 §5.1 */
#define HANDSHAKE_HEAD_BYTES 4
#define HANDSHAKE_HELLO      1
#define HELLO_MOST_BYTES     (HELLO_SCRATCH_BYTES - HANDSHAKE_HEAD_BYTES)

enum { TLS_1_0 = 0x0301, TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };
enum { GROUP_P256 = 0x0017, ECDSA_P256_SHA256 = 0x0403 };

/* What is left to read; ptr NULL: it ran out. */
struct cursor {
    struct span rest;
};

static struct span take(struct cursor *cursor, size_t len)
{
    struct span taken;

    if (cursor->rest.ptr == NULL || cursor->rest.len < len) {
        cursor->rest = SPAN_NONE;
        return SPAN_NONE;
    }
    taken = span_sub(cursor->rest, 0, len);
    cursor->rest = span_from(cursor->rest, len);
    return taken;
}

static size_t take_number(struct cursor *cursor, size_t bytes)
{
    struct span taken = take(cursor, bytes);
    size_t value = 0;

    for (size_t i = 0; i < taken.len; i++)
        value = value << 8 | (unsigned char)taken.ptr[i];
    return value;
}

/* A vector whose length stands before it in length_bytes bytes. */
static struct span take_vector(struct cursor *cursor, size_t length_bytes)
{
    return take(cursor, take_number(cursor, length_bytes));
}

static bool ran_out(const struct cursor *cursor)
{
    return cursor->rest.ptr == NULL;
}

static bool at_end(const struct cursor *cursor)
{
    return !ran_out(cursor) && cursor->rest.len == 0;
}

/* Whether list, made of two-byte numbers, has wanted in it. */
static bool has_number(struct span list, size_t wanted)
{
    struct cursor cursor = { list };

    while (cursor.rest.len >= 2) {
        if (take_number(&cursor, 2) == wanted)
            return true;
    }
    return false;
}

/* Suites of TLS 1.2 and earlier that are signed with ECDSA and that OpenSSL speaks. */
static bool has_ecdsa_suite(struct span suites)
{
    static const uint16_t known[] = { 0xC009, 0xC00A, 0xC023, 0xC024, 0xC02B, 0xC02C,
                                      0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xCCA9 };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (has_number(suites, known[i]))
            return true;
    }
    return false;
}

/* Copies name in lower case and without its trailing dot; leaves "" when no host can be called so. */
static void read_name(struct span name, char *out_sni)
{
    size_t label = 0;

    if (name.len != 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= URL_HOST_BYTES)
        return;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        label = c == '.' ? 0 : label + 1;
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        bool is_empty = c == '.' && (i == 0 || name.ptr[i - 1] == '.');
        if (!is_fine || is_empty || label > 63) {
            out_sni[0] = '\0';
            return;
        }
        out_sni[i] = c;
    }
    out_sni[name.len] = '\0';
}

/* RFC 6066 §3. */
static bool read_server_name(struct span body, struct hello *hello)
{
    struct cursor outer = { body };
    struct cursor list = { take_vector(&outer, 2) };

    if (!at_end(&outer))
        return false;
    while (!ran_out(&list) && list.rest.len != 0) {
        bool is_host = take_number(&list, 1) == 0;
        struct span name = take_vector(&list, 2);
        if (!ran_out(&list) && is_host && hello->sni[0] == '\0')
            read_name(name, hello->sni);
    }
    return !ran_out(&list);
}

/* RFC 7301 §3.1. */
static bool read_alpn(struct span body, struct hello *hello)
{
    struct cursor outer = { body };
    struct cursor list = { take_vector(&outer, 2) };
    struct span whole = list.rest;

    if (!at_end(&outer) || whole.len == 0)
        return false;
    while (list.rest.len != 0) {
        struct span name = take_vector(&list, 1);
        if (ran_out(&list) || name.len == 0)
            return false;
        hello->offers_h2 |= span_eq(name, SPAN("h2"));
        hello->offers_h1 |= span_eq(name, SPAN("http/1.1")) || span_eq(name, SPAN("http/1.0"));
    }
    hello->alpn = whole;
    return true;
}

/* The vector that is all of body; ptr NULL when it is not, or is no list of two-byte numbers. */
static struct span read_numbers(struct span body, size_t length_bytes)
{
    struct cursor cursor = { body };
    struct span list = take_vector(&cursor, length_bytes);

    return at_end(&cursor) && list.len != 0 && list.len % 2 == 0 ? list : SPAN_NONE;
}

/* The vector that is all of body, of one-byte numbers; ptr NULL when it is not. */
static struct span read_bytes(struct span body)
{
    struct cursor cursor = { body };
    struct span list = take_vector(&cursor, 1);

    return at_end(&cursor) && list.len != 0 ? list : SPAN_NONE;
}

static struct span take_share(struct cursor *cursor, size_t *out_group)
{
    *out_group = take_number(cursor, 2);
    return take_vector(cursor, 2);
}

/* RFC 8446 §4.2.8; without a share the client asks for a HelloRetryRequest. */
static struct span read_shares(struct span body)
{
    struct cursor outer = { body };
    struct cursor list = { take_vector(&outer, 2) };
    struct span whole = list.rest;
    size_t group;

    while (!ran_out(&list) && list.rest.len != 0)
        take_share(&list, &group);
    return at_end(&outer) && !ran_out(&list) ? whole : SPAN_NONE;
}

static bool read_extension(size_t type, struct span body, struct hello *hello)
{
    switch (type) {
    case HELLO_EXT_SERVER_NAME:
        return read_server_name(body, hello);
    case HELLO_EXT_ALPN:
        return read_alpn(body, hello);
    case HELLO_EXT_GROUPS:
        return (hello->groups = read_numbers(body, 2)).ptr != NULL;
    case HELLO_EXT_SIGNATURES:
        return (hello->signatures = read_numbers(body, 2)).ptr != NULL;
    case HELLO_EXT_CERT_SIGNATURES:
        return (hello->cert_signatures = read_numbers(body, 2)).ptr != NULL;
    case HELLO_EXT_VERSIONS:
        return (hello->versions = read_numbers(body, 1)).ptr != NULL;
    case HELLO_EXT_CERT_COMPRESSION:
        return (hello->cert_compression = read_numbers(body, 1)).ptr != NULL;
    case HELLO_EXT_POINT_FORMATS:
        return (hello->point_formats = read_bytes(body)).ptr != NULL;
    case HELLO_EXT_PSK_MODES:
        return (hello->psk_modes = read_bytes(body)).ptr != NULL;
    case HELLO_EXT_KEY_SHARES:
        return (hello->key_shares = read_shares(body)).ptr != NULL;
    default:
        return true;
    }
}

static uint16_t highest_version(const struct hello *hello)
{
    for (uint16_t version = TLS_1_3; hello->versions.ptr != NULL && version > TLS_1_0; version--) {
        if (has_number(hello->versions, version))
            return version;
    }
    if (hello->versions.ptr != NULL || hello->legacy_version < TLS_1_0)
        return TLS_1_0;
    return hello->legacy_version < TLS_1_2 ? hello->legacy_version : TLS_1_2;
}

/* Leaves are on P-256 and signed with SHA-256. Without signature_algorithms the suites alone tell (RFC 8422
 * §5.3); groups limit a certificate's curve up to TLS 1.2 only (RFC 8446 §4.2.7). */
static bool can_do_ecdsa(const struct hello *hello)
{
    if (hello->signatures.ptr != NULL && !has_number(hello->signatures, ECDSA_P256_SHA256))
        return false;
    if (hello->cert_signatures.ptr != NULL && !has_number(hello->cert_signatures, ECDSA_P256_SHA256))
        return false;
    if (hello->max_version == TLS_1_3)
        return hello->signatures.ptr != NULL;
    return has_ecdsa_suite(hello->suites) &&
           (hello->groups.ptr == NULL || has_number(hello->groups, GROUP_P256));
}

bool hello_parse(struct span message, struct hello *out_hello)
{
    struct cursor cursor = { message };
    struct hello hello = { .raw = message };
    struct span compressions;
    size_t type = take_number(&cursor, 1);
    size_t len = take_number(&cursor, 3);

    if (type != HANDSHAKE_HELLO || len != cursor.rest.len)
        return false;
    hello.legacy_version = (uint16_t)take_number(&cursor, 2);
    take(&cursor, 32);
    hello.session_id = take_vector(&cursor, 1);
    hello.suites = take_vector(&cursor, 2);
    compressions = take_vector(&cursor, 1);
    if (ran_out(&cursor) || hello.session_id.len > 32 || hello.suites.len < 2 || hello.suites.len % 2 != 0 ||
        compressions.len == 0)
        return false;
    if (cursor.rest.len != 0) {
        struct cursor extensions = { take_vector(&cursor, 2) };
        hello.extensions = extensions.rest;
        if (!at_end(&cursor))
            return false;
        while (extensions.rest.len != 0) {
            size_t extension = take_number(&extensions, 2);
            struct span body = take_vector(&extensions, 2);
            if (ran_out(&extensions) || !read_extension(extension, body, &hello))
                return false;
        }
    }
    hello.max_version = highest_version(&hello);
    hello.offers_ecdsa = can_do_ecdsa(&hello);
    *out_hello = hello;
    return true;
}

enum hello_kind hello_sniff(struct span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;

    if ((bytes.len > 0 && at[0] != RECORD_HANDSHAKE) || (bytes.len > 1 && at[1] != 3) ||
        (bytes.len > 2 && at[2] > 4))
        return HELLO_NOT_TLS;
    return bytes.len > 2 ? HELLO_YES : HELLO_NEED_MORE;
}

/* The next record's content: HELLO_YES with *out_content, or what stands in its way. */
static enum hello_kind next_record(struct cursor *cursor, struct span *out_content)
{
    const unsigned char *at = (const unsigned char *)cursor->rest.ptr;
    enum hello_kind kind = hello_sniff(cursor->rest);
    size_t len;

    if (kind != HELLO_YES)
        return kind;
    if (cursor->rest.len < RECORD_HEAD_BYTES)
        return HELLO_NEED_MORE;
    len = (size_t)at[3] << 8 | at[4];
    if (len == 0 || len > RECORD_MOST_BYTES)
        return HELLO_BROKEN;
    cursor->rest = span_from(cursor->rest, RECORD_HEAD_BYTES);
    /* A record that is still coming: what is there of it may show already that it is none of ours. */
    *out_content = span_sub(cursor->rest, 0, len < cursor->rest.len ? len : cursor->rest.len);
    cursor->rest = span_from(cursor->rest, out_content->len);
    return out_content->len < len ? HELLO_NEED_MORE : HELLO_YES;
}

/* Whether len bytes at message can be the start of a ClientHello; *out_need is its size once that is known.
 */
static bool starts_hello(const char *message, size_t len, size_t *out_need)
{
    const unsigned char *at = (const unsigned char *)message;
    size_t body;

    *out_need = SIZE_MAX;
    if (len > 0 && at[0] != HANDSHAKE_HELLO)
        return false;
    if (len < HANDSHAKE_HEAD_BYTES)
        return true;
    body = (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    *out_need = HANDSHAKE_HEAD_BYTES + body;
    return body <= HELLO_MOST_BYTES;
}

enum hello_kind hello_read(struct span bytes, char *scratch, struct hello *out_hello)
{
    struct cursor cursor = { bytes };
    struct span message = SPAN_NONE;
    size_t need;

    for (;;) {
        struct span content = SPAN_NONE;
        enum hello_kind kind = next_record(&cursor, &content);
        bool is_first = message.ptr == NULL;
        if (kind == HELLO_BROKEN || (kind == HELLO_NOT_TLS && !is_first))
            return HELLO_BROKEN;
        if (kind == HELLO_NOT_TLS || (kind == HELLO_NEED_MORE && content.ptr == NULL))
            return kind;
        if (is_first) {
            message = content;
        } else {
            size_t room = HELLO_SCRATCH_BYTES - message.len;
            if (message.ptr != scratch)
                memcpy(scratch, message.ptr, message.len);
            content.len = content.len < room ? content.len : room;
            memcpy(scratch + message.len, content.ptr, content.len);
            message = span_make(scratch, message.len + content.len);
        }
        if (!starts_hello(message.ptr, message.len, &need))
            return HELLO_BROKEN;
        if (message.len >= need) {
            message.len = need;
            return hello_parse(message, out_hello) ? HELLO_YES : HELLO_BROKEN;
        }
        if (kind == HELLO_NEED_MORE)
            return kind;
    }
}

bool hello_next_number(struct span *rest, uint16_t *out_number)
{
    struct cursor cursor = { *rest };

    if (rest->len < 2)
        return false;
    *out_number = (uint16_t)take_number(&cursor, 2);
    *rest = cursor.rest;
    return true;
}

bool hello_next_extension(struct span *rest, uint16_t *out_type, struct span *out_body)
{
    struct cursor cursor = { *rest };

    if (rest->len == 0)
        return false;
    *out_type = (uint16_t)take_number(&cursor, 2);
    *out_body = take_vector(&cursor, 2);
    *rest = cursor.rest;
    return true;
}

bool hello_next_share(struct span *rest, uint16_t *out_group)
{
    struct cursor cursor = { *rest };
    size_t group;

    if (rest->len == 0)
        return false;
    take_share(&cursor, &group);
    *out_group = (uint16_t)group;
    *rest = cursor.rest;
    return true;
}

bool hello_offers(const struct hello *hello, enum hello_extension type)
{
    struct span rest = hello->extensions, body;
    uint16_t found;

    while (hello_next_extension(&rest, &found, &body)) {
        if (found == type)
            return true;
    }
    return false;
}

bool hello_is_grease(uint16_t number)
{
    return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}
