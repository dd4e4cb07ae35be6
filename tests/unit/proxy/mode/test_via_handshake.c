/* The playbook of upstream proxies, tests/playbook/via_handshake.txt: its format stands there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/mode/via_handshake.h"
#include "tests/support/unescape.h"

/* Cutting at every place costs the square of the length. */
#define MAX_CUT_BYTES 400

struct playbook_case {
    char *name, *via, *host;
    uint16_t port;
    struct strbuf input, sent, ending;
};

static unsigned cases_run, cases_failed;

static const char *code_name(enum err_code code)
{
    switch (code) {
    case ERR_CLOSED:
        return "CLOSED";
    case ERR_LIMIT:
        return "LIMIT";
    case ERR_PROTO:
        return "PROTO";
    case ERR_URL:
        return "URL";
    default:
        return "another";
    }
}

/* How it ended, as the playbook says it. */
static void converse(const struct playbook_case *one, const struct via_hop *hop, size_t first, size_t piece,
                     struct evbuffer *out, struct strbuf *ending)
{
    struct via_handshake *handshake = via_handshake_new(hop, one->host, one->port);
    struct span input = strbuf_span(&one->input);
    enum via_answer answer = VIA_MORE;
    struct err err;

    if (!via_handshake_start(handshake, out, &err))
        answer = VIA_REFUSED;
    for (size_t at = 0, step = first; answer == VIA_MORE && at < input.len; step = piece) {
        size_t len = step < input.len - at ? step : input.len - at, used;
        answer = via_handshake_feed(handshake, span_sub(input, at, len), &used, out, &err);
        assert_true(used <= len && (answer == VIA_READY || used == len));
        at += used;
        if (answer == VIA_READY) {
            strbuf_add_str(ending, "ready ");
            strbuf_add(ending, span_from(input, at));
        }
    }
    if (answer == VIA_MORE) {
        assert_false(via_handshake_cut(handshake, &err));
        strbuf_printf(ending, "more %s", err.text);
    } else if (answer == VIA_REFUSED) {
        strbuf_printf(ending, "refused %s %s", code_name(err.code), err.text);
        assert_null(strstr(err.text, "secret"));
    }
    via_handshake_free(handshake);
}

static bool is_as_expected(struct span expected, struct span got)
{
    if (expected.len != 0 && expected.ptr[expected.len - 1] == '*')
        return span_starts(got, span_sub(expected, 0, expected.len - 1));
    return span_eq(expected, got);
}

static bool run(const struct playbook_case *one, const struct via_hop *hop, size_t first, size_t piece)
{
    struct evbuffer *out = evbuffer_new();
    struct strbuf ending = STRBUF_EMPTY;
    struct span sent;
    bool ok;

    converse(one, hop, first, piece, out, &ending);
    sent = span_make(evbuffer_pullup(out, -1), evbuffer_get_length(out));
    ok = span_eq(sent, strbuf_span(&one->sent)) &&
         is_as_expected(strbuf_span(&one->ending), strbuf_span(&ending));
    if (!ok)
        fprintf(stderr, "== %s (first %zu, then %zu)\n%s\nsent as expected: %d\n", one->name, first, piece,
                strbuf_text(&ending), span_eq(sent, strbuf_span(&one->sent)));
    strbuf_clear(&ending);
    evbuffer_free(out);
    return ok;
}

static void run_case(const struct playbook_case *one)
{
    const char *rule = one->via;
    struct target target = { .host = "any.test", .port = one->port };
    struct via *via;
    struct err err;
    const struct via_hop *hop;
    bool ok;

    assert_true(via_new(&rule, 1, &via, &err));
    hop = via_find(via, &target);
    ok = run(one, hop, SIZE_MAX, SIZE_MAX) && run(one, hop, 1, 1);
    for (size_t at = 1; ok && at < one->input.len && one->input.len <= MAX_CUT_BYTES; at++)
        ok = run(one, hop, at, SIZE_MAX);
    via_free(via);
    cases_run++;
    cases_failed += !ok;
}

static void end_case(struct playbook_case *one)
{
    if (one->name != NULL)
        run_case(one);
    mem_free(one->name);
    mem_free(one->via);
    mem_free(one->host);
    strbuf_clear(&one->input);
    strbuf_clear(&one->sent);
    strbuf_clear(&one->ending);
    *one = (struct playbook_case){ 0 };
}

static void read_input(struct playbook_case *one, struct span line)
{
    size_t times = 1;

    line = span_from(line, 1);
    if (span_starts(line, SPAN("*"))) {
        times = strtoul(line.ptr + 1, NULL, 10);
        line = span_from(line, span_find(line, ' '));
    }
    while (times-- != 0)
        unescape(&one->input, span_from(line, 1));
}

static void read_target(struct playbook_case *one, struct span text)
{
    size_t blank = span_find(text, ' ');
    struct strbuf host = STRBUF_EMPTY;

    unescape(&host, span_sub(text, 0, blank));
    one->host = strbuf_detach(&host);
    one->port = (uint16_t)atoi(text.ptr + blank);
}

static void read_line(struct playbook_case *one, struct span line)
{
    if (span_starts(line, SPAN("== "))) {
        end_case(one);
        one->name = mem_spandup(span_from(line, 3));
    } else if (span_starts(line, SPAN("@via "))) {
        one->via = mem_spandup(span_from(line, 5));
    } else if (span_starts(line, SPAN("@to "))) {
        read_target(one, span_from(line, 4));
    } else if (span_starts(line, SPAN(">"))) {
        read_input(one, line);
    } else if (span_starts(line, SPAN("sent "))) {
        unescape(&one->sent, span_from(line, 5));
    } else if (line.len != 0 && line.ptr[0] != '#') {
        unescape(&one->ending, line);
    }
}

static void every_case_of_the_playbook_ends_as_it_says(void **state)
{
    struct playbook_case one = { 0 };
    FILE *file = fopen(WEIR_SOURCE_DIR "/tests/playbook/via_handshake.txt", "r");
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    (void)state;
    assert_non_null(file);
    while ((len = getline(&text, &cap, file)) > 0)
        read_line(&one, span_make(text, (size_t)len - (text[len - 1] == '\n')));
    end_case(&one);
    free(text);
    fclose(file);
    assert_int_equal(cases_failed, 0);
    assert_true(cases_run > 50);
}

/* --- without a tunnel ----------------------------------------------------------------------------------- */

static void check_absolute(const char *host, uint16_t port, bool is_tls, const char *path,
                           const char *expected)
{
    struct target target = { .port = port, .is_tls = is_tls };
    struct strbuf text = STRBUF_EMPTY;

    snprintf(target.host, sizeof target.host, "%s", host);
    via_add_absolute(&text, &target, span_of(path));
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_clear(&text);
}

static void a_plain_request_has_the_whole_url_as_its_target(void **state)
{
    (void)state;
    check_absolute("api.test", 80, false, "/a?b", "http://api.test/a?b");
    check_absolute("api.test", 8080, false, "/", "http://api.test:8080/");
    check_absolute("::1", 8080, false, "/", "http://[::1]:8080/");
    check_absolute("api.test", 80, false, "*", "http://api.test");
}

static void check_fields(const char *rule, const char *expected)
{
    struct target target = { .host = "api.test", .port = 80 };
    struct strbuf text = STRBUF_EMPTY;
    struct via *via;
    struct err err;

    assert_true(via_new(&rule, 1, &via, &err));
    via_add_fields(&text, via_find(via, &target));
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_clear(&text);
    via_free(via);
}

static void credentials_go_to_http_proxies_as_a_field(void **state)
{
    (void)state;
    check_fields("http://a:b@proxy.test", "Proxy-Authorization: Basic YTpi\r\n");
    check_fields("https://a@proxy.test", "Proxy-Authorization: Basic YTo=\r\n");
    check_fields("http://proxy.test", "");
    check_fields("socks5h://a:b@proxy.test", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_playbook_ends_as_it_says),
        cmocka_unit_test(a_plain_request_has_the_whole_url_as_its_target),
        cmocka_unit_test(credentials_go_to_http_proxies_as_a_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
