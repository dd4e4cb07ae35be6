#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "capture/store/store_write.h"
#include "proxy/base/mem.h"
#include "tools/body.h"

/* A store of its own for each test, with a body in pieces of any size. */
struct shelf {
    char dir[32];
    char *path;
    struct store *store;
    struct record record;
    struct record_field encoding;
};

static struct body put(struct shelf *shelf, struct span bytes, size_t piece, const char *type,
                       const char *coding)
{
    struct record *record = &shelf->record;
    struct err err;
    int64_t list;

    assert_true(store_begin(shelf->store, &err));
    assert_true(store_add_body_list(shelf->store, &list, &err));
    for (size_t at = 0; at < bytes.len; at += piece) {
        struct span part = span_sub(bytes, at, bytes.len - at < piece ? bytes.len - at : piece);
        assert_true(store_append_body(shelf->store, list, at, part, NULL, &err));
    }
    assert_true(store_commit(shelf->store, &err));
    *record = (struct record){ 0 };
    record->response_body = (struct record_body){ list, bytes.len, bytes.len };
    record->response_type = span_of(type);
    shelf->encoding = (struct record_field){ SPAN("Content-Encoding"), span_of(coding) };
    record->response_headers = (struct record_fields){ &shelf->encoding, coding != NULL ? 1 : 0 };
    return body_of(record, HTTP_RESPONSE);
}

static void open_shelf(struct shelf *shelf)
{
    struct store_session_start start = { .name = "x", .filter = "", .options = "{}" };
    struct session_row row;
    uint32_t last;
    struct err err;

    strcpy(shelf->dir, "/tmp/weir-test-XXXXXX");
    assert_non_null(mkdtemp(shelf->dir));
    shelf->path = mem_printf("%s/weir.db", shelf->dir);
    assert_true(store_open(shelf->path, STORE_WRITE, &shelf->store, &err));
    assert_true(store_session_start(shelf->store, &start, &row, &last, &err));
    session_row_clear(&row);
}

static void close_shelf(struct shelf *shelf)
{
    char *command = mem_printf("rm -r '%s'", shelf->dir);

    store_close(shelf->store);
    assert_int_equal(system(command), 0);
    mem_free(command);
    mem_free(shelf->path);
}

/* What is written; valid until the next call. */
static const char *written(struct shelf *shelf, const struct body *body, unsigned look)
{
    static char text[64 * 1024];
    FILE *file = tmpfile();
    struct err err;
    size_t len;

    assert_true(body_write(shelf->store, body, look, file, &err));
    rewind(file);
    len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static struct strbuf gzipped(struct span plain)
{
    struct strbuf out = STRBUF_EMPTY;
    z_stream z = { 0 };

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)plain.ptr;
    z.avail_in = (uInt)plain.len;
    z.next_out = (Bytef *)strbuf_reserve(&out, 4096);
    z.avail_out = 4096;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = 4096 - z.avail_out;
    deflateEnd(&z);
    return out;
}

static void a_body_is_decoded_unless_the_bytes_are_wanted(void **state)
{
    struct strbuf packed = gzipped(SPAN("{\"a\":1}"));
    struct shelf shelf;
    struct body body;
    bool is_binary;
    struct err err;

    (void)state;
    open_shelf(&shelf);
    body = put(&shelf, strbuf_span(&packed), 5, "application/json", "gzip");
    assert_string_equal(written(&shelf, &body, BODY_DECODED), "{\"a\":1}");
    assert_string_equal(written(&shelf, &body, BODY_DECODED | BODY_INDENTED), "{\n  \"a\": 1\n}");
    assert_memory_equal(written(&shelf, &body, 0), packed.ptr, packed.len);
    assert_true(body_is_binary(shelf.store, &body, 0, &is_binary, &err) && is_binary);
    assert_true(body_is_binary(shelf.store, &body, BODY_DECODED, &is_binary, &err) && !is_binary);
    close_shelf(&shelf);
    strbuf_clear(&packed);
}

static void a_cut_body_is_written_as_far_as_it_came_and_told(void **state)
{
    struct strbuf packed = gzipped(SPAN("some text that is long enough to be cut, some text that is long"));
    struct shelf shelf;
    struct body body;
    struct err err;
    FILE *file = tmpfile();

    (void)state;
    open_shelf(&shelf);
    body = put(&shelf, span_sub(strbuf_span(&packed), 0, packed.len - 12), 7, "text/plain", "gzip");
    assert_false(body_write(shelf.store, &body, BODY_DECODED, file, &err));
    assert_int_equal(err.code, ERR_PROTO);
    close_shelf(&shelf);
    fclose(file);
    strbuf_clear(&packed);
}

static void a_coding_that_nobody_knows_is_left_as_it_is(void **state)
{
    struct shelf shelf;
    struct body body;

    (void)state;
    open_shelf(&shelf);
    body = put(&shelf, SPAN("abc"), 3, "text/plain", "x-rot13");
    assert_string_equal(written(&shelf, &body, BODY_DECODED), "abc");
    close_shelf(&shelf);
}

static void a_terminal_gets_whole_characters_and_no_control(void **state)
{
    struct shelf shelf;
    struct body body;

    (void)state;
    open_shelf(&shelf);
    for (size_t piece = 1; piece < 9; piece++) {
        body = put(&shelf, SPAN("grün \xe2\x82\xac\n😀\x1b[2J \xff\xe2\x82"), piece, "text/plain", NULL);
        assert_string_equal(written(&shelf, &body, BODY_DECODED | BODY_HARMLESS),
                            "grün €\n😀\\x1b[2J \\xff\\xe2\\x82");
    }
    close_shelf(&shelf);
}

static void a_line_feed_is_added_only_where_there_is_none(void **state)
{
    struct shelf shelf;
    struct body body;

    (void)state;
    open_shelf(&shelf);
    body = put(&shelf, SPAN("a"), 1, "text/plain", NULL);
    assert_string_equal(written(&shelf, &body, BODY_LINED), "a\n");
    body = put(&shelf, SPAN("a\n"), 1, "text/plain", NULL);
    assert_string_equal(written(&shelf, &body, BODY_LINED), "a\n");
    close_shelf(&shelf);
}

static void is_text(struct shelf *shelf, struct span bytes, bool expected)
{
    struct body body = put(shelf, bytes, 4096, "", NULL);
    bool is_binary;
    struct err err;

    assert_true(body_is_binary(shelf->store, &body, BODY_DECODED, &is_binary, &err));
    assert_int_equal(is_binary, !expected);
}

static void text_is_told_from_pictures(void **state)
{
    struct shelf shelf;

    (void)state;
    open_shelf(&shelf);
    is_text(&shelf, SPAN("plain\r\n\ttext"), true);
    is_text(&shelf, SPAN("ein Text mit \xfcmlauten aus alter Zeit"), true);
    is_text(&shelf, SPAN("日本語のテキスト"), true);
    is_text(&shelf, SPAN("one NUL\0 is enough"), false);
    is_text(&shelf, SPAN("\x89PNG\r\n\x1a\n\xff\xd8\xfe\xff\xe0"), false);
    close_shelf(&shelf);
}

static void as_much_is_read_as_is_asked_for(void **state)
{
    struct strbuf out = STRBUF_EMPTY;
    struct shelf shelf;
    struct body body;
    bool is_whole;
    struct err err;

    (void)state;
    open_shelf(&shelf);
    body = put(&shelf, SPAN("0123456789"), 4, "", NULL);
    assert_true(body_read(shelf.store, &body, 7, &out, &is_whole, &err));
    assert_string_equal(strbuf_text(&out), "0123456");
    assert_false(is_whole);
    strbuf_reset(&out);
    assert_true(body_read(shelf.store, &body, 10, &out, &is_whole, &err));
    assert_string_equal(strbuf_text(&out), "0123456789");
    assert_true(is_whole);
    strbuf_clear(&out);
    close_shelf(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_decoded_unless_the_bytes_are_wanted),
        cmocka_unit_test(a_cut_body_is_written_as_far_as_it_came_and_told),
        cmocka_unit_test(a_coding_that_nobody_knows_is_left_as_it_is),
        cmocka_unit_test(a_terminal_gets_whole_characters_and_no_control),
        cmocka_unit_test(a_line_feed_is_added_only_where_there_is_none),
        cmocka_unit_test(text_is_told_from_pictures),
        cmocka_unit_test(as_much_is_read_as_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
