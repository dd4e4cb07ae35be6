/* Hellos are put together by hand, extension by extension, so that each length can be made wrong; one comes
 * from OpenSSL, so that the hand is known to be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/tls/hello.h"

static char scratch[HELLO_SCRATCH_BYTES];

static void add_number(struct strbuf *buf, size_t value, size_t bytes)
{
    while (bytes-- != 0)
        strbuf_add_char(buf, (char)(value >> (8 * bytes)));
}

static void add_vector(struct strbuf *buf, struct span bytes, size_t length_bytes)
{
    add_number(buf, bytes.len, length_bytes);
    strbuf_add(buf, bytes);
}

static void add_extension(struct strbuf *extensions, size_t type, struct span body)
{
    add_number(extensions, type, 2);
    add_vector(extensions, body, 2);
}

static void add_sni(struct strbuf *extensions, struct span name)
{
    struct strbuf entry = STRBUF_EMPTY, body = STRBUF_EMPTY;

    add_number(&entry, 0, 1);
    add_vector(&entry, name, 2);
    add_vector(&body, strbuf_span(&entry), 2);
    add_extension(extensions, 0, strbuf_span(&body));
    strbuf_clear(&entry);
    strbuf_clear(&body);
}

/* list: with its own length. */
static void add_list(struct strbuf *extensions, size_t type, struct span list, size_t length_bytes)
{
    struct strbuf body = STRBUF_EMPTY;

    add_vector(&body, list, length_bytes);
    add_extension(extensions, type, strbuf_span(&body));
    strbuf_clear(&body);
}

/* A handshake message of TLS 1.2 with these suites and extensions; the caller's, to clear. */
static struct strbuf make_message(struct span suites, struct span extensions)
{
    struct strbuf body = STRBUF_EMPTY, message = STRBUF_EMPTY;

    add_number(&body, 0x0303, 2);
    for (unsigned i = 0; i < 32; i++)
        add_number(&body, i, 1);
    add_vector(&body, SPAN("12345678"), 1);
    add_vector(&body, suites, 2);
    add_vector(&body, SPAN("\0"), 1);
    if (extensions.len != 0)
        add_vector(&body, extensions, 2);
    add_number(&message, 1, 1);
    add_vector(&message, strbuf_span(&body), 3);
    strbuf_clear(&body);
    return message;
}

/* In records of piece bytes. */
static struct strbuf make_records(struct span message, size_t piece)
{
    struct strbuf records = STRBUF_EMPTY;

    while (message.len != 0) {
        size_t len = message.len < piece ? message.len : piece;
        strbuf_add(&records, SPAN("\x16\x03\x01"));
        add_vector(&records, span_sub(message, 0, len), 2);
        message = span_from(message, len);
    }
    return records;
}

#define RSA_SUITES   SPAN("\xc0\x2f\xc0\x30")
#define ECDSA_SUITES SPAN("\xc0\x2f\xc0\x2b")

static bool parse_with(struct span suites, struct strbuf *extensions, struct hello *out_hello)
{
    static struct strbuf message;
    bool ok;

    strbuf_clear(&message);
    message = make_message(suites, strbuf_span(extensions));
    ok = hello_parse(strbuf_span(&message), out_hello);
    strbuf_clear(extensions);
    return ok;
}

static void parse_sni(struct span name, const char *expected)
{
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;
    struct strbuf message;

    add_sni(&extensions, name);
    message = make_message(RSA_SUITES, strbuf_span(&extensions));
    assert_true(hello_parse(strbuf_span(&message), &hello));
    assert_string_equal(hello.sni, expected);
    strbuf_clear(&extensions);
    strbuf_clear(&message);
}

static void a_name_comes_in_lower_case_and_only_if_a_host_can_have_it(void **state)
{
    (void)state;
    char label[64], long_name[300];

    parse_sni(SPAN("API.Example.test"), "api.example.test");
    parse_sni(SPAN("example.test."), "example.test");
    parse_sni(SPAN("_dmarc.xn--bcher-kva.test"), "_dmarc.xn--bcher-kva.test");
    parse_sni(SPAN("127.0.0.1"), "127.0.0.1");
    parse_sni(SPAN(""), "");
    parse_sni(SPAN("."), "");
    parse_sni(SPAN(".example.test"), "");
    parse_sni(SPAN("a..b"), "");
    parse_sni(SPAN("a.test/x"), "");
    parse_sni(SPAN("a\0b.test"), "");
    parse_sni(SPAN("b\xc3\xbc"
                   "cher.test"),
              "");
    parse_sni(SPAN("::1"), "");
    memset(label, 'a', sizeof label);
    parse_sni(span_make(label, 64), "");
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 50; i < sizeof long_name; i += 50)
        long_name[i] = '.';
    parse_sni(span_make(long_name, 256), "");
    long_name[255] = '\0';
    parse_sni(span_make(long_name, 255), long_name);
}

static void alpn_is_handed_out_as_it_stands_on_the_wire(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;
    struct span list = SPAN("\x02h2\x08http/1.1");

    add_list(&extensions, 16, list, 2);
    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_true(span_eq(hello.alpn, list));
    assert_true(hello.offers_h2);
    assert_true(hello.offers_h1);

    add_list(&extensions, 16, SPAN("\x04imap\x08http/1.0"), 2);
    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_false(hello.offers_h2);
    assert_true(hello.offers_h1);

    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_int_equal(hello.alpn.len, 0);
    assert_false(hello.offers_h1);
    assert_string_equal(hello.sni, "");
}

static void the_highest_version_is_the_one_that_counts(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;

    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_int_equal(hello.max_version, 0x0303);
    add_list(&extensions, 43, SPAN("\x7a\x7a\x03\x03\x03\x04"), 1);
    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_int_equal(hello.max_version, 0x0304);
    add_list(&extensions, 43, SPAN("\x03\x02\x03\x01"), 1);
    assert_true(parse_with(RSA_SUITES, &extensions, &hello));
    assert_int_equal(hello.max_version, 0x0302);
}

static bool offers_ecdsa(struct span suites, struct span versions, struct span signatures,
                         struct span cert_signatures, struct span groups)
{
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;

    if (versions.len != 0)
        add_list(&extensions, 43, versions, 1);
    if (signatures.len != 0)
        add_list(&extensions, 13, signatures, 2);
    if (cert_signatures.len != 0)
        add_list(&extensions, 50, cert_signatures, 2);
    if (groups.len != 0)
        add_list(&extensions, 10, groups, 2);
    assert_true(parse_with(suites, &extensions, &hello));
    return hello.offers_ecdsa;
}

static void ecdsa_needs_a_suite_a_signature_and_a_curve(void **state)
{
    (void)state;
    const struct span none = SPAN_NONE, tls13 = SPAN("\x03\x04"), p256 = SPAN("\x00\x1d\x00\x17");
    const struct span both = SPAN("\x08\x04\x04\x03"), rsa_only = SPAN("\x08\x04\x04\x01");

    assert_true(offers_ecdsa(ECDSA_SUITES, none, none, none, none));
    assert_true(offers_ecdsa(ECDSA_SUITES, none, both, none, p256));
    assert_false(offers_ecdsa(RSA_SUITES, none, both, none, p256));
    assert_false(offers_ecdsa(ECDSA_SUITES, none, rsa_only, none, p256));
    assert_false(offers_ecdsa(ECDSA_SUITES, none, both, rsa_only, p256));
    assert_false(offers_ecdsa(ECDSA_SUITES, none, both, none, SPAN("\x00\x1d")));
    assert_true(offers_ecdsa(SPAN("\x13\x01"), tls13, both, none, SPAN("\x00\x1d")));
    assert_false(offers_ecdsa(SPAN("\x13\x01"), tls13, rsa_only, none, p256));
    assert_false(offers_ecdsa(SPAN("\x13\x01"), tls13, none, none, p256));
}

static void the_lists_are_handed_out_as_they_stand_on_the_wire(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;
    struct span rest, body;
    uint16_t number;

    add_extension(&extensions, 0x5a5a, SPAN(""));
    add_list(&extensions, 10, SPAN("\x1a\x1a\x00\x1d"), 2);
    add_list(&extensions, 11, SPAN("\x00\x01"), 1);
    add_list(&extensions, 27, SPAN("\x00\x02"), 1);
    add_list(&extensions, 45, SPAN("\x01"), 1);
    add_list(&extensions, 51, SPAN("\x1a\x1a\x00\x01\x00\x00\x1d\x00\x02xy"), 2);
    assert_true(parse_with(SPAN("\x13\x01\xc0\x2f"), &extensions, &hello));
    assert_int_equal(hello.legacy_version, 0x0303);
    assert_true(span_eq(hello.session_id, SPAN("12345678")));
    assert_true(span_eq(hello.suites, SPAN("\x13\x01\xc0\x2f")));
    assert_true(span_eq(hello.groups, SPAN("\x1a\x1a\x00\x1d")));
    assert_true(span_eq(hello.point_formats, SPAN("\x00\x01")));
    assert_true(span_eq(hello.cert_compression, SPAN("\x00\x02")));
    assert_true(span_eq(hello.psk_modes, SPAN("\x01")));
    assert_null(hello.signatures.ptr);
    assert_null(hello.versions.ptr);

    rest = hello.key_shares;
    assert_true(hello_next_share(&rest, &number) && number == 0x1a1a);
    assert_true(hello_next_share(&rest, &number) && number == 29);
    assert_false(hello_next_share(&rest, &number));
    rest = hello.suites;
    assert_true(hello_next_number(&rest, &number) && number == 0x1301);
    assert_true(hello_next_number(&rest, &number) && number == 0xc02f);
    assert_false(hello_next_number(&rest, &number));
    rest = hello.extensions;
    assert_true(hello_next_extension(&rest, &number, &body) && number == 0x5a5a && body.len == 0);
    assert_true(hello_next_extension(&rest, &number, &body) && number == 10 && body.len == 6);
    assert_true(hello_offers(&hello, HELLO_EXT_KEY_SHARES));
    assert_false(hello_offers(&hello, HELLO_EXT_TICKET));
    /* No extensions at all. */
    assert_true(parse_with(SPAN("\x13\x01"), &extensions, &hello));
    assert_false(hello_offers(&hello, HELLO_EXT_SERVER_NAME));
    /* Asking for a HelloRetryRequest. */
    add_list(&extensions, 51, SPAN(""), 2);
    assert_true(parse_with(SPAN("\x13\x01"), &extensions, &hello));
    assert_non_null(hello.key_shares.ptr);
    assert_int_equal(hello.key_shares.len, 0);
}

static void grease_is_told_from_real_numbers(void **state)
{
    (void)state;

    for (unsigned number = 0; number <= 0xffff; number++) {
        bool expected = (number & 0xf) == 0xa && number >> 8 == (number & 0xff);
        assert_int_equal(hello_is_grease((uint16_t)number), expected);
    }
}

static void a_hello_in_one_record_is_read_in_place(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY, message, records;
    struct hello hello;

    add_sni(&extensions, SPAN("example.test"));
    message = make_message(RSA_SUITES, strbuf_span(&extensions));
    records = make_records(strbuf_span(&message), 16384);
    strbuf_add_str(&records, "and what follows");
    for (size_t len = 0; len < records.len; len++) {
        enum hello_kind kind = hello_read(span_make(records.ptr, len), scratch, &hello);
        assert_int_equal(kind, len < message.len + 5 ? HELLO_NEED_MORE : HELLO_YES);
    }
    assert_ptr_equal(hello.raw.ptr, records.ptr + 5);
    assert_int_equal(hello.raw.len, message.len);
    assert_string_equal(hello.sni, "example.test");
    strbuf_clear(&extensions);
    strbuf_clear(&message);
    strbuf_clear(&records);
}

static void a_hello_in_many_records_is_put_together_in_scratch(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY, message, records;
    char *filler = mem_zalloc(60000);
    struct hello hello;

    add_extension(&extensions, 21, span_make(filler, 60000));
    add_sni(&extensions, SPAN("example.test"));
    message = make_message(RSA_SUITES, strbuf_span(&extensions));
    records = make_records(strbuf_span(&message), 1000);
    for (size_t len = 0; len < records.len; len += 997)
        assert_int_equal(hello_read(span_make(records.ptr, len), scratch, &hello), HELLO_NEED_MORE);
    assert_int_equal(hello_read(strbuf_span(&records), scratch, &hello), HELLO_YES);
    assert_ptr_equal(hello.raw.ptr, scratch);
    assert_true(span_eq(hello.raw, strbuf_span(&message)));
    assert_string_equal(hello.sni, "example.test");
    strbuf_clear(&records);
    records = make_records(strbuf_span(&message), 1);
    assert_int_equal(hello_read(strbuf_span(&records), scratch, &hello), HELLO_YES);
    assert_string_equal(hello.sni, "example.test");
    strbuf_clear(&extensions);
    strbuf_clear(&message);
    strbuf_clear(&records);
    mem_free(filler);
}

static void what_is_not_tls_is_told_from_its_first_bytes(void **state)
{
    (void)state;
    struct hello hello;

    assert_int_equal(hello_sniff(SPAN("")), HELLO_NEED_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16")), HELLO_NEED_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16\x03")), HELLO_NEED_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16\x03\x01")), HELLO_YES);
    assert_int_equal(hello_sniff(SPAN("G")), HELLO_NOT_TLS);
    assert_int_equal(hello_sniff(SPAN("\x16\x04")), HELLO_NOT_TLS);
    assert_int_equal(hello_sniff(SPAN("\x16\x03\x05")), HELLO_NOT_TLS);
    assert_int_equal(hello_read(SPAN("GET / HTTP/1.1\r\n"), scratch, &hello), HELLO_NOT_TLS);
    assert_int_equal(hello_read(SPAN_NONE, scratch, &hello), HELLO_NEED_MORE);
}

static void wrong_lengths_are_broken(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;

    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x00\x00"), scratch, &hello), HELLO_BROKEN);
    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x40\x01"), scratch, &hello), HELLO_BROKEN);
    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x00\x04\x02"), scratch, &hello), HELLO_BROKEN);
    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x00\x04\x01\x01\x00\x01"), scratch, &hello), HELLO_BROKEN);
    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x00\x01\x01\x17\x03\x03"), scratch, &hello), HELLO_BROKEN);
    assert_int_equal(hello_read(SPAN("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), scratch, &hello), HELLO_BROKEN);
    assert_false(parse_with(SPAN("\x13"), &extensions, &hello));
    assert_false(parse_with(SPAN(""), &extensions, &hello));
    add_extension(&extensions, 0,
                  SPAN("\x00\x04\x00\x00\x03"
                       "a"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 16, SPAN("\x00\x03\x02h2x"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 16, SPAN("\x00\x01\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 43, SPAN("\x03\x03\x04\x03"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 51, SPAN("\x00\x05\x00\x1d\x00\x02x"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 51, SPAN("\x00\x00\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 11, SPAN("\x02\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 45, SPAN("\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    add_extension(&extensions, 27, SPAN("\x03\x00\x02\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
    strbuf_add(&extensions, SPAN("\x00"));
    assert_false(parse_with(RSA_SUITES, &extensions, &hello));
}

/* Every cut and every lengthening of the message is refused: no length goes unread. */
static void a_message_of_another_length_is_refused(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY, message;
    struct hello hello;

    add_sni(&extensions, SPAN("example.test"));
    message = make_message(RSA_SUITES, strbuf_span(&extensions));
    strbuf_add_char(&message, 'x');
    for (size_t len = 0; len <= message.len; len++)
        assert_int_equal(hello_parse(span_make(message.ptr, len), &hello), len == message.len - 1);
    strbuf_clear(&extensions);
    strbuf_clear(&message);
}

static void a_hello_of_openssl_is_understood(void **state)
{
    (void)state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct hello hello;
    char *bytes;
    long len;

    SSL_set_bio(ssl, in, out);
    assert_true(SSL_set_tlsext_host_name(ssl, "Example.test"));
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12), 0);
    assert_int_equal(SSL_connect(ssl), -1);
    len = BIO_get_mem_data(out, &bytes);
    assert_int_equal(hello_read(span_make(bytes, (size_t)len), scratch, &hello), HELLO_YES);
    assert_string_equal(hello.sni, "example.test");
    assert_int_equal(hello.max_version, 0x0304);
    assert_true(hello.offers_ecdsa && hello.offers_h1 && hello.offers_h2);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_comes_in_lower_case_and_only_if_a_host_can_have_it),
        cmocka_unit_test(alpn_is_handed_out_as_it_stands_on_the_wire),
        cmocka_unit_test(the_highest_version_is_the_one_that_counts),
        cmocka_unit_test(ecdsa_needs_a_suite_a_signature_and_a_curve),
        cmocka_unit_test(the_lists_are_handed_out_as_they_stand_on_the_wire),
        cmocka_unit_test(grease_is_told_from_real_numbers),
        cmocka_unit_test(a_hello_in_one_record_is_read_in_place),
        cmocka_unit_test(a_hello_in_many_records_is_put_together_in_scratch),
        cmocka_unit_test(what_is_not_tls_is_told_from_its_first_bytes),
        cmocka_unit_test(wrong_lengths_are_broken),
        cmocka_unit_test(a_message_of_another_length_is_refused),
        cmocka_unit_test(a_hello_of_openssl_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
