/* sse: what no stranger may size. The format is in tests/playbook/sse_stream.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/sse.h"
#include "tests/support/message_script.h"

struct seen {
    unsigned count;
    size_t type_len, id_len;
    uint64_t size;
    size_t kept_len;
};

static void look(void *self, const struct message *message)
{
    struct seen *seen = self;

    seen->count++;
    seen->type_len = message->event_type.len;
    seen->id_len = message->event_id.len;
    seen->size = message->size;
    seen->kept_len = message->payload.len;
}

static void add_line(struct strbuf *out, const char *name, size_t len)
{
    strbuf_add_str(out, name);
    while (len-- != 0)
        strbuf_add_char(out, 'x');
    strbuf_add_char(out, '\n');
}

static void types_ids_and_data_without_end_are_cut(void **state)
{
    struct seen seen = { 0 };
    struct strbuf wire = STRBUF_EMPTY;
    struct sse *sse = sse_new(1000, look, &seen);
    (void)state;

    add_line(&wire, "event: ", SSE_WORD_BYTES + 100);
    add_line(&wire, "id: ", SSE_WORD_BYTES + 100);
    add_line(&wire, "data: ", 5000);
    strbuf_add_char(&wire, '\n');
    for (size_t at = 0; at < wire.len; at += 97)
        sse_feed(sse, span_sub(strbuf_span(&wire), at, wire.len - at < 97 ? wire.len - at : 97));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.type_len, SSE_WORD_BYTES);
    assert_int_equal(seen.id_len, SSE_WORD_BYTES);
    assert_int_equal(seen.size, 5000);
    assert_int_equal(seen.kept_len, 1000);
    sse_free(sse);
    strbuf_clear(&wire);
}

static void a_name_without_end_is_no_field(void **state)
{
    struct strbuf wire = STRBUF_EMPTY, text = STRBUF_EMPTY;
    struct sse *sse = sse_new(1000, message_script_sink, &text);
    (void)state;

    add_line(&wire, "data", 100 * 1000);
    strbuf_add_str(&wire, "data:a\n\n");
    sse_feed(sse, strbuf_span(&wire));
    assert_string_equal(strbuf_text(&text), "event 1 'a' type=message\n");
    sse_free(sse);
    sse_free(NULL);
    strbuf_clear(&wire);
    strbuf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_ids_and_data_without_end_are_cut),
        cmocka_unit_test(a_name_without_end_is_no_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
