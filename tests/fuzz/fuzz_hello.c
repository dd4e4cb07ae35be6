/* Any bytes as the first that a client sends: never read past their end, the same answer for every way they
 * can arrive, what is found lies where the header says, and whatever is offered can be mirrored. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "proxy/base/mem.h"
#include "proxy/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max_len, unsigned seed);
/* libFuzzer's; not there where the corpus is only run once. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max_len) __attribute__((weak));

/* --- a mutator that keeps lengths right ------------------------------------------------------------------
 */

static void put_number(uint8_t *at, size_t bytes, size_t number)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

/* A vector behind a length of so many bytes, which is cut where it says more than there is. What follows it,
 * or NULL. */
static uint8_t *fit_vector(uint8_t *at, const uint8_t *end, size_t bytes)
{
    size_t len = 0, left;

    if (at == NULL || (size_t)(end - at) < bytes)
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        len = len << 8 | at[i];
    left = (size_t)(end - at) - bytes;
    if (len > left)
        put_number(at, bytes, len = left);
    return at + bytes + len;
}

/* What is a list in an extension fills it (RFC 8446 §4.2, RFC 6066 §3, RFC 7301 §3.1). */
static void fit_list(uint8_t *extension, size_t len)
{
    size_t number = (size_t)extension[0] << 8 | extension[1];
    uint8_t *body = extension + 4;

    if (number == 0 && len >= 5)
        put_number(body + 3, 2, len - 5);
    if ((number == 0 || number == 10 || number == 13 || number == 16 || number == 50 || number == 51) &&
        len >= 2)
        put_number(body, 2, len - 2);
    else if ((number == 11 || number == 27 || number == 43 || number == 45) && len >= 1)
        put_number(body, 1, len - 1);
}

static void fit_lengths(uint8_t *bytes, size_t len)
{
    uint8_t *at = bytes + 43, *end = bytes + len, *next;

    if (len < 44)
        return;
    put_number(bytes + 3, 2, len - 5); /* the record's */
    put_number(bytes + 6, 3, len - 9); /* the message's */
    at = fit_vector(at, end, 1);       /* the session's id */
    at = fit_vector(at, end, 2);       /* suites */
    at = fit_vector(at, end, 1);       /* compression */
    if (at == NULL || end - at < 2)
        return;
    put_number(at, 2, (size_t)(end - at) - 2);
    for (at += 2; end - at >= 4; at = next) {
        next = fit_vector(at + 2, end, 2);
        fit_list(at, (size_t)(next - at) - 4);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max_len, unsigned seed)
{
    len = LLVMFuzzerMutate(bytes, len, max_len);
    if (seed % 8 != 0) /* wrong lengths are part of the game, too */
        fit_lengths(bytes, len);
    return len;
}

/* --- what must be true -----------------------------------------------------------------------------------
 */

static void check_inside(const struct hello *hello, struct span span)
{
    if (span.len != 0)
        assert(span.ptr > hello->raw.ptr && span.ptr + span.len <= hello->raw.ptr + hello->raw.len);
}

static void check_lists(const struct hello *hello)
{
    const struct span lists[] = { hello->suites,     hello->versions,        hello->groups,
                                  hello->signatures, hello->cert_signatures, hello->cert_compression };
    struct span rest, body;
    uint16_t number;

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        check_inside(hello, lists[i]);
        rest = lists[i];
        while (hello_next_number(&rest, &number))
            ;
        assert(rest.len == 0);
    }
    check_inside(hello, hello->session_id);
    check_inside(hello, hello->point_formats);
    check_inside(hello, hello->psk_modes);
    check_inside(hello, hello->extensions);
    check_inside(hello, hello->key_shares);
    rest = hello->extensions;
    while (hello_next_extension(&rest, &number, &body)) {
        check_inside(hello, body);
        assert(hello_offers(hello, number));
    }
    rest = hello->key_shares;
    while (hello_next_share(&rest, &number))
        check_inside(hello, rest);
}

static void mirror_says_something(struct tls_client *client, const struct tls_mirror *mirror)
{
    struct tls_target target = { .host = "example.test", .port = 443, .mirror = mirror };
    static const struct tls_events events = { .on_open = NULL };
    struct evbuffer *out = evbuffer_new();
    struct tls *tls = tls_connect(client, NULL, &target, out, &events, NULL);
    struct err err;

    assert(tls_start(tls, &err));
    assert(evbuffer_get_length(out) != 0);
    mem_free(tls_facts(tls));
    tls_free(tls);
    evbuffer_free(out);
}

static struct tls_client *client;

/* It reads roots on a thread, under which OpenSSL must not be taken down. */
static void free_client(void)
{
    tls_client_free(client);
}

/* Whatever is offered can be mirrored, or is told to be too long. */
static void check_mirror(const struct hello *hello)
{
    static const struct tls_client_options options = { .insecure = true };
    struct tls_mirror *mirror;
    struct err err;

    if (client == NULL && (!tls_client_new(&options, &client, &err) || atexit(free_client) != 0))
        abort();
    mirror = tls_mirror_get(client, hello);
    if (mirror != NULL)
        mirror_says_something(client, mirror);
    tls_mirror_unref(mirror);
}

static void check(const struct hello *hello)
{
    assert(strlen(hello->sni) < sizeof hello->sni);
    assert(hello->max_version >= 0x0301 && hello->max_version <= 0x0304);
    check_inside(hello, hello->alpn);
    check_lists(hello);
    check_mirror(hello);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char scratch[HELLO_SCRATCH_BYTES];
    struct hello hello;
    enum hello_kind whole = hello_read(span_make(bytes, len), scratch, &hello);

    if (whole == HELLO_YES)
        check(&hello);
    if (whole == HELLO_NOT_TLS)
        assert(hello_sniff(span_make(bytes, len)) == HELLO_NOT_TLS);
    for (size_t cut = 0; cut < len && cut < 600; cut++) {
        /* An allocation of its own, so that one byte too many is seen. */
        char *start = mem_dup(bytes, cut);
        enum hello_kind kind = hello_read(span_make(start, cut), scratch, &hello);
        assert(kind == HELLO_NEED_MORE || kind == whole);
        mem_free(start);
    }
    if (hello_parse(span_make(bytes, len), &hello))
        check(&hello);
    return 0;
}
