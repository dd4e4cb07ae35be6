#include "proxy/tls/hello_hash.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "proxy/base/strbuf.h"

/* What JA4 keeps of a digest. */
#define JA4_DIGITS 12
/* Both count more than this as this; and so long a list is no browser's. */
#define MOST_COUNTED 99
/* Room for the longest text of a hello, which is 64 KiB: a number of two bytes takes at most six. */
#define MOST_TEXT_BYTES (256 * 1024)

/* The digest of text in hex, its first digits; "" when OpenSSL has none of that name. */
static void digest(const char *name, const struct strbuf *text, size_t digits, char *out_hex)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    size_t len;

    out_hex[0] = '\0';
    if (EVP_Q_digest(NULL, name, NULL, strbuf_text(text), text->len, bytes, &len) != 1) {
        ERR_clear_error();
        return;
    }
    OPENSSL_buf2hexstr_ex(out_hex, digits + 1, NULL, bytes, digits / 2 < len ? digits / 2 : len, '\0');
    for (char *at = out_hex; *at != '\0'; at++)
        *at = (char)(*at >= 'A' ? *at - 'A' + 'a' : *at);
}

/* --- JA3: decimal numbers as they stand --- */

static void add_decimal(struct strbuf *text, uint16_t number, bool *is_first)
{
    char digits[6];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    if (!*is_first)
        digits[--at] = '-';
    strbuf_add(text, span_make(digits + at, sizeof digits - at));
    *is_first = false;
}

static void add_numbers(struct strbuf *text, struct span list)
{
    bool is_first = true;
    uint16_t number;

    strbuf_add_char(text, ',');
    while (hello_next_number(&list, &number)) {
        if (!hello_is_grease(number))
            add_decimal(text, number, &is_first);
    }
}

void hello_ja3(const struct hello *hello, char out_ja3[JA3_BYTES])
{
    struct strbuf text;
    struct span rest = hello->extensions, body;
    bool is_first = true;
    uint16_t type;

    strbuf_init(&text, MOST_TEXT_BYTES);
    strbuf_printf(&text, "%u", hello->legacy_version);
    add_numbers(&text, hello->suites);
    strbuf_add_char(&text, ',');
    while (hello_next_extension(&rest, &type, &body)) {
        if (!hello_is_grease(type))
            add_decimal(&text, type, &is_first);
    }
    add_numbers(&text, hello->groups);
    strbuf_add_char(&text, ',');
    is_first = true;
    for (size_t i = 0; i < hello->point_formats.len; i++)
        add_decimal(&text, (unsigned char)hello->point_formats.ptr[i], &is_first);
    digest("MD5", &text, JA3_BYTES - 1, out_ja3);
    strbuf_clear(&text);
}

/* --- JA4: hexadecimal numbers, sorted --- */

/* The first MOST_NUMBERS count; a hello that has more is told apart by them well enough. */
#define MOST_NUMBERS 512

struct numbers {
    uint16_t items[MOST_NUMBERS];
    size_t count;
};

static void keep(struct numbers *numbers, uint16_t number)
{
    if (!hello_is_grease(number) && numbers->count < MOST_NUMBERS)
        numbers->items[numbers->count++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void add_hex(struct strbuf *text, uint16_t number)
{
    static const char digits[] = "0123456789abcdef";
    const char four[4] = { digits[number >> 12], digits[number >> 8 & 0xf], digits[number >> 4 & 0xf],
                           digits[number & 0xf] };

    strbuf_add(text, span_make(four, sizeof four));
}

static void add_sorted(struct strbuf *text, struct numbers *numbers)
{
    qsort(numbers->items, numbers->count, sizeof numbers->items[0], compare_numbers);
    for (size_t i = 0; i < numbers->count; i++) {
        if (i != 0)
            strbuf_add_char(text, ',');
        add_hex(text, numbers->items[i]);
    }
}

static unsigned counted(size_t count)
{
    return count < MOST_COUNTED ? (unsigned)count : MOST_COUNTED;
}

static const char *version_digits(const struct hello *hello)
{
    static const char *const digits[] = { "10", "11", "12", "13" };

    return hello->versions.ptr == NULL && hello->legacy_version == 0x0300
               ? "s3"
               : digits[hello->max_version - 0x0301];
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The first protocol's first and last character; of its hexadecimal form when it is not made for people. */
static void protocol_ends(struct span alpn, char out_ends[3])
{
    static const char hex[] = "0123456789abcdef";
    struct span name = alpn.len != 0 ? span_sub(alpn, 1, (unsigned char)alpn.ptr[0]) : SPAN("00");
    char first = name.ptr[0], last = name.ptr[name.len - 1];
    bool is_text = is_alphanumeric(first) && is_alphanumeric(last);

    out_ends[0] = is_text ? first : hex[(unsigned char)first >> 4];
    out_ends[1] = is_text ? last : hex[last & 0xf];
    out_ends[2] = '\0';
}

/* A list that is empty has zeroes for its digest. */
static void digest_or_zeroes(const struct strbuf *text, bool is_empty, char out_hex[JA4_DIGITS + 1])
{
    if (is_empty)
        snprintf(out_hex, JA4_DIGITS + 1, "000000000000");
    else
        digest("SHA256", text, JA4_DIGITS, out_hex);
}

void hello_ja4(const struct hello *hello, char out_ja4[JA4_BYTES])
{
    struct numbers suites = { .count = 0 }, extensions = { .count = 0 };
    struct span rest = hello->suites, body;
    char ends[3], suite_hex[JA4_DIGITS + 1], extension_hex[JA4_DIGITS + 1];
    size_t extension_count = 0;
    struct strbuf text;
    uint16_t number;
    bool is_first = true;

    strbuf_init(&text, MOST_TEXT_BYTES);
    while (hello_next_number(&rest, &number))
        keep(&suites, number);
    add_sorted(&text, &suites);
    digest_or_zeroes(&text, suites.count == 0, suite_hex);

    strbuf_reset(&text);
    rest = hello->extensions;
    while (hello_next_extension(&rest, &number, &body)) {
        extension_count += !hello_is_grease(number);
        if (number != HELLO_EXT_SERVER_NAME && number != HELLO_EXT_ALPN)
            keep(&extensions, number);
    }
    add_sorted(&text, &extensions);
    rest = hello->signatures;
    while (hello_next_number(&rest, &number)) {
        if (hello_is_grease(number))
            continue;
        strbuf_add_char(&text, is_first ? '_' : ',');
        add_hex(&text, number);
        is_first = false;
    }
    digest_or_zeroes(&text, extensions.count == 0, extension_hex);
    strbuf_clear(&text);

    protocol_ends(hello->alpn, ends);
    snprintf(out_ja4, JA4_BYTES, "t%s%c%02u%02u%s_%s_%s", version_digits(hello),
             hello_offers(hello, HELLO_EXT_SERVER_NAME) ? 'd' : 'i', counted(suites.count),
             counted(extension_count), ends, suite_hex, extension_hex);
}
