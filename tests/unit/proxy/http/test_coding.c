/* coding: what was coded comes out again, however it arrives; what is damaged, cut or too much does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define ZLIB_CONST /* inputs are const */
#include <zlib.h>
#include <zstd.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/coding.h"

#define RAW  -15
#define ZLIB 15
#define GZIP (15 + 16)

/* "hello, brotli! " four times: from a reference encoder. */
static const unsigned char brotli_hello[] = { 0x1b, 0x3b, 0x00, 0xf8, 0x9d, 0x09, 0x36, 0x4e, 0xa8,
                                              0x77, 0x37, 0xbc, 0x04, 0x11, 0x43, 0xeb, 0x10, 0x16,
                                              0x36, 0x3a, 0x55, 0x26, 0x97, 0x6c, 0x69, 0x6f, 0xe1,
                                              0x54, 0x08, 0xd0, 0x2d, 0xab, 0x2f, 0x00 };

static bool collect(void *self, struct span bytes, struct err *err)
{
    (void)err;
    assert_true(bytes.len != 0);
    strbuf_add(self, bytes);
    return true;
}

static bool refuse(void *self, struct span bytes, struct err *err)
{
    (void)self;
    (void)bytes;
    return err_set(err, ERR_STORE, "no room");
}

/* What deflate with those window bits makes of text, added to out. */
static void add_deflated(struct strbuf *out, struct span text, int window_bits)
{
    z_stream zlib = { .next_in = (const Bytef *)text.ptr, .avail_in = (uInt)text.len };
    unsigned char buffer[4096];
    int code;

    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    do {
        zlib.next_out = buffer;
        zlib.avail_out = sizeof buffer;
        code = deflate(&zlib, Z_FINISH);
        strbuf_add(out, span_make(buffer, sizeof buffer - zlib.avail_out));
    } while (code == Z_OK);
    assert_int_equal(code, Z_STREAM_END);
    deflateEnd(&zlib);
}

static void add_zstd(struct strbuf *out, struct span text)
{
    char buffer[4096];
    size_t len = ZSTD_compress(buffer, sizeof buffer, text.ptr, text.len, 3);

    assert_false(ZSTD_isError(len));
    strbuf_add(out, span_make(buffer, len));
}

/* Decodes so many bytes at a time; ERR_NONE when all went well. */
static enum err_code decode(const char *encodings, struct span coded, uint64_t max_bytes, size_t piece,
                            struct strbuf *out)
{
    struct coding *coding = NULL;
    struct err err = { 0 };
    bool ok = true;

    strbuf_reset(out);
    assert_true(coding_new(span_of(encodings), max_bytes, &coding, &err));
    while (coded.len != 0 && ok) {
        size_t len = coded.len < piece ? coded.len : piece;
        ok = coding_feed(coding, span_sub(coded, 0, len), collect, out, &err);
        coded = span_from(coded, len);
    }
    if (ok)
        ok = coding_finish(coding, &err);
    coding_free(coding);
    assert_int_equal(ok, err.code == ERR_NONE);
    return err.code;
}

/* Whole and one byte at a time. */
static void decodes_to(const char *encodings, struct span coded, struct span expected)
{
    struct strbuf out = STRBUF_EMPTY;

    for (size_t piece = 1; piece <= 4096; piece += 4095) {
        assert_int_equal(decode(encodings, coded, 0, piece, &out), ERR_NONE);
        assert_true(span_eq(strbuf_span(&out), expected));
    }
    strbuf_clear(&out);
}

static void fails_with(const char *encodings, struct span coded, enum err_code code)
{
    struct strbuf out = STRBUF_EMPTY;

    assert_int_equal(decode(encodings, coded, 0, 4096, &out), code);
    assert_int_equal(decode(encodings, coded, 0, 1, &out), code);
    strbuf_clear(&out);
}

static void each_coding_is_undone(void **state)
{
    const struct span text = SPAN("hello, hello, hello, world");
    struct strbuf coded = STRBUF_EMPTY;
    (void)state;

    add_deflated(&coded, text, GZIP);
    decodes_to("gzip", strbuf_span(&coded), text);
    decodes_to("X-GZIP", strbuf_span(&coded), text);
    strbuf_reset(&coded);
    add_deflated(&coded, text, ZLIB);
    decodes_to("deflate", strbuf_span(&coded), text);
    strbuf_reset(&coded);
    add_deflated(&coded, text, RAW);
    decodes_to("deflate", strbuf_span(&coded), text);
    strbuf_reset(&coded);
    add_zstd(&coded, text);
    decodes_to("zstd", strbuf_span(&coded), text);
    strbuf_clear(&coded);
    decodes_to("br", span_make(brotli_hello, sizeof brotli_hello),
               SPAN("hello, brotli! hello, brotli! hello, brotli! hello, brotli! "));
}

static void identity_and_nothing_pass(void **state)
{
    (void)state;
    decodes_to("", SPAN("text"), SPAN("text"));
    decodes_to("identity", SPAN("text"), SPAN("text"));
    decodes_to(" , Identity ,", SPAN("text"), SPAN("text"));
}

static void a_list_is_undone_from_its_end(void **state)
{
    struct strbuf once = STRBUF_EMPTY, twice = STRBUF_EMPTY, thrice = STRBUF_EMPTY;
    (void)state;

    add_deflated(&once, SPAN("hello"), GZIP);
    add_zstd(&twice, strbuf_span(&once));
    add_deflated(&thrice, strbuf_span(&twice), ZLIB);
    decodes_to("gzip, zstd,deflate", strbuf_span(&thrice), SPAN("hello"));
    fails_with("deflate, zstd, gzip", strbuf_span(&thrice), ERR_PROTO);
    strbuf_clear(&once);
    strbuf_clear(&twice);
    strbuf_clear(&thrice);
}

static void gzip_members_and_zstd_frames_are_one_body(void **state)
{
    struct strbuf coded = STRBUF_EMPTY;
    (void)state;

    add_deflated(&coded, SPAN("one "), GZIP);
    add_deflated(&coded, SPAN(""), GZIP);
    add_deflated(&coded, SPAN("two"), GZIP);
    decodes_to("gzip", strbuf_span(&coded), SPAN("one two"));
    strbuf_reset(&coded);
    add_zstd(&coded, SPAN("one "));
    add_zstd(&coded, SPAN("two"));
    decodes_to("zstd", strbuf_span(&coded), SPAN("one two"));
    strbuf_clear(&coded);
}

static void what_follows_the_end_is_ignored(void **state)
{
    struct strbuf coded = STRBUF_EMPTY;
    (void)state;

    add_deflated(&coded, SPAN("one"), GZIP);
    strbuf_add(&coded, SPAN("\0\0\0\0padding"));
    decodes_to("gzip", strbuf_span(&coded), SPAN("one"));
    strbuf_reset(&coded);
    add_deflated(&coded, SPAN("one"), ZLIB);
    strbuf_add(&coded, SPAN("padding"));
    decodes_to("deflate", strbuf_span(&coded), SPAN("one"));
    strbuf_reset(&coded);
    add_zstd(&coded, SPAN("one"));
    strbuf_add(&coded, SPAN("padding"));
    fails_with("zstd", strbuf_span(&coded), ERR_PROTO);
    strbuf_clear(&coded);
}

static void no_bytes_at_all_are_whole(void **state)
{
    (void)state;
    decodes_to("gzip", SPAN(""), SPAN(""));
    decodes_to("deflate", SPAN(""), SPAN(""));
    decodes_to("br", SPAN(""), SPAN(""));
    decodes_to("zstd, gzip", SPAN(""), SPAN(""));
}

static void a_cut_anywhere_is_an_error(void **state)
{
    const struct span text = SPAN("hello, hello, hello, world");
    static const int wrappers[] = { GZIP, ZLIB, RAW };
    struct strbuf coded = STRBUF_EMPTY, out = STRBUF_EMPTY;
    (void)state;

    for (size_t w = 0; w < 3; w++) {
        strbuf_reset(&coded);
        add_deflated(&coded, text, wrappers[w]);
        for (size_t len = 1; len < coded.len; len++)
            fails_with(w == 0 ? "gzip" : "deflate", span_sub(strbuf_span(&coded), 0, len), ERR_PROTO);
    }
    strbuf_reset(&coded);
    add_zstd(&coded, text);
    for (size_t len = 1; len < coded.len; len++)
        fails_with("zstd", span_sub(strbuf_span(&coded), 0, len), ERR_PROTO);
    for (size_t len = 1; len < sizeof brotli_hello; len++)
        fails_with("br", span_make(brotli_hello, len), ERR_PROTO);
    strbuf_reset(&coded);
    add_deflated(&coded, text, GZIP);
    assert_int_equal(decode("gzip", span_sub(strbuf_span(&coded), 0, coded.len - 8), 0, 4096, &out),
                     ERR_PROTO);
    assert_true(span_eq(strbuf_span(&out), text)); /* what there was has come out */
    strbuf_clear(&coded);
    strbuf_clear(&out);
}

static void damage_is_an_error(void **state)
{
    struct strbuf coded = STRBUF_EMPTY;
    (void)state;

    fails_with("gzip", SPAN("this is not gzip"), ERR_PROTO);
    fails_with("deflate", SPAN("\xff\xff\xff\xff\xff\xff"), ERR_PROTO);
    fails_with("br", SPAN("\xff\xff\xff\xff\xff\xff"), ERR_PROTO);
    fails_with("zstd", SPAN("this is not zstd"), ERR_PROTO);
    add_deflated(&coded, SPAN("hello"), GZIP);
    coded.ptr[coded.len - 8] ^= 1; /* the checksum */
    fails_with("gzip", strbuf_span(&coded), ERR_PROTO);
    fails_with("deflate", SPAN("\x78\xbb\x04\x4f\x00\xbd"), ERR_PROTO); /* wants a dictionary */
    strbuf_clear(&coded);
}

static void a_window_above_8_mib_is_refused(void **state)
{
    /* A frame header with a window descriptor of 2^24, and an empty last block. */
    (void)state;
    fails_with("zstd", SPAN("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00"), ERR_PROTO);
    decodes_to("zstd", SPAN("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00"), SPAN(""));
}

/* After the magic number stands what looks like a frame to be skipped. */
static void the_middle_of_a_frame_is_not_taken_for_one(void **state)
{
    static const char coded[] = "\x28\xb5\x2f\xfd"
                                "\x50\x2a\x4d\x18\x0d\0\0\0\0\0\0\0\x46\xd7\0\0\0\x50\x2a\0\x29";
    (void)state;

    fails_with("zstd", span_make(coded, sizeof coded - 1), ERR_PROTO);
}

/* Their decoders may be in libzstd: they must not be reached, so the first four bytes are already too many.
 */
static void a_frame_of_an_old_zstd_is_refused(void **state)
{
    static const char *const old[] = { "\x1e\xb5\x2f\xfd", "\x25\xb5\x2f\xfd", "\x26\xb5\x2f\xfd",
                                       "\x28\x26\xb5\x2f" };
    struct strbuf out = STRBUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        struct coding *coding = NULL;
        struct err err = { 0 };
        assert_true(coding_new(SPAN("zstd"), 0, &coding, &err));
        assert_false(coding_feed(coding, span_of(old[i]), collect, &out, &err));
        assert_int_equal(err.code, ERR_PROTO);
        assert_string_equal(err.text, "damaged zstd: it does not begin like a frame");
        coding_free(coding);
    }
    decodes_to("zstd", SPAN("\x5f\x2a\x4d\x18\x02\x00\x00\x00xx\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00"),
               SPAN(""));
    strbuf_clear(&out);
}

static void unknown_codings_are_refused(void **state)
{
    static const char *const unknown[] = { "compress", "gzip, aws-chunked", "gzip;q=1", "*",
                                           "gzip,gzip,gzip,gzip,gzip,gzip" };
    struct coding *coding = NULL;
    struct err err = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        err = (struct err){ 0 };
        assert_false(coding_new(span_of(unknown[i]), 0, &coding, &err));
        assert_int_equal(err.code, ERR_PROTO);
    }
    coding_free(NULL);
}

static void the_limit_is_reached_exactly(void **state)
{
    struct strbuf coded = STRBUF_EMPTY, out = STRBUF_EMPTY;
    (void)state;

    add_deflated(&coded, SPAN("0123456789"), GZIP);
    assert_int_equal(decode("gzip", strbuf_span(&coded), 10, 4096, &out), ERR_NONE);
    assert_int_equal(decode("gzip", strbuf_span(&coded), 9, 4096, &out), ERR_LIMIT);
    assert_string_equal(strbuf_text(&out), "012345678");
    assert_int_equal(decode("", SPAN("0123456789"), 10, 1, &out), ERR_NONE);
    assert_int_equal(decode("", SPAN("0123456789"), 9, 1, &out), ERR_LIMIT);
    assert_string_equal(strbuf_text(&out), "012345678");
    strbuf_clear(&coded);
    strbuf_clear(&out);
}

/* A mebibyte of zeros in 1 KiB, and that once more. */
static void a_bomb_ends_at_the_limit_in_any_stage(void **state)
{
    static char zeros[1024 * 1024];
    struct strbuf once = STRBUF_EMPTY, twice = STRBUF_EMPTY, out = STRBUF_EMPTY;
    (void)state;

    add_deflated(&once, span_make(zeros, sizeof zeros), GZIP);
    add_deflated(&twice, strbuf_span(&once), GZIP);
    assert_int_equal(decode("gzip, gzip", strbuf_span(&twice), 100000, 4096, &out), ERR_LIMIT);
    assert_int_equal(out.len, 100000);
    assert_int_equal(decode("gzip, gzip", strbuf_span(&twice), sizeof zeros, 4096, &out), ERR_NONE);
    assert_int_equal(out.len, sizeof zeros);
    assert_int_equal(decode("gzip, gzip", strbuf_span(&twice), 100, 4096, &out), ERR_LIMIT);
    strbuf_clear(&once);
    strbuf_clear(&twice);
    strbuf_clear(&out);
}

static void the_sinks_own_error_comes_back(void **state)
{
    struct coding *coding = NULL;
    struct err err = { 0 };
    (void)state;

    assert_true(coding_new(SPAN("br"), 0, &coding, &err));
    assert_false(coding_feed(coding, span_make(brotli_hello, sizeof brotli_hello), refuse, NULL, &err));
    assert_int_equal(err.code, ERR_STORE);
    assert_string_equal(err.text, "no room");
    coding_free(coding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_coding_is_undone),
        cmocka_unit_test(identity_and_nothing_pass),
        cmocka_unit_test(a_list_is_undone_from_its_end),
        cmocka_unit_test(gzip_members_and_zstd_frames_are_one_body),
        cmocka_unit_test(what_follows_the_end_is_ignored),
        cmocka_unit_test(no_bytes_at_all_are_whole),
        cmocka_unit_test(a_cut_anywhere_is_an_error),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(a_window_above_8_mib_is_refused),
        cmocka_unit_test(the_middle_of_a_frame_is_not_taken_for_one),
        cmocka_unit_test(a_frame_of_an_old_zstd_is_refused),
        cmocka_unit_test(unknown_codings_are_refused),
        cmocka_unit_test(the_limit_is_reached_exactly),
        cmocka_unit_test(a_bomb_ends_at_the_limit_in_any_stage),
        cmocka_unit_test(the_sinks_own_error_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
