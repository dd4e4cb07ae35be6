/* The playbook of HTTP/2: tests/playbook/h2_*.txt. Every case is run whole, one byte at a time, and in two
 * pieces cut at every place; all must tell the same.
 *
 *     == name of the case
 *     @origin GET HEAD        towards an origin, asked with these methods; else towards a client
 *     @limits 100 5           bytes and fields of a header section
 *     @connect                SETTINGS_ENABLE_CONNECT_PROTOCOL is offered
 *     @bare                   no preface and SETTINGS before what comes
 *     > TYPE FLAGS STREAM     a frame: type by name or as 0xNN, flags by name or as 0xNN, joined by |, - for
 * none
 *     + bytes                 its payload: \r \n \t \\ \xNN
 *     +*100 bytes             so many times
 *     f name: value           its payload: a field of HPACK, not indexed
 *     ! bytes                 bytes between frames
 *     what must be told, as in h2_teller.h; then "proto" or "limit" where the connection has ended, and
 *     what we sent of RST_STREAM, GOAWAY and PING
 *
 * A line that begins with # is a comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/h2_teller.h"
#include "tests/support/unescape.h"

/* Cutting at every place costs the square of the length. */
#define MAX_CUT_BYTES 400

struct playbook_case {
    const char *file;
    char *name;
    enum h2_role role;
    struct h2_options options;
    char *methods;
    bool is_bare, has_failed;
    struct strbuf input, expected;

    bool in_frame;
    uint8_t type, flags;
    uint32_t id;
    struct strbuf payload;
};

static size_t cases_run, cases_failed;

static const char *const types[] = { "DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                     "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION" };

static void end_frame(struct playbook_case *one)
{
    if (one->in_frame)
        h2_frame(&one->input, one->type, one->flags, one->id, strbuf_span(&one->payload));
    strbuf_reset(&one->payload);
    one->in_frame = false;
}

static uint8_t parse_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(name, types[i]) == 0)
            return (uint8_t)i;
    }
    assert_int_equal(strncmp(name, "0x", 2), 0);
    return (uint8_t)strtoul(name, NULL, 16);
}

static uint8_t parse_flags(struct span text)
{
    struct span name;
    uint8_t flags = 0;

    while (span_split(&text, '|', &name)) {
        if (span_eq(name, SPAN("END_STREAM")) || span_eq(name, SPAN("ACK")))
            flags |= 1;
        else if (span_eq(name, SPAN("END_HEADERS")))
            flags |= 4;
        else if (span_eq(name, SPAN("PADDED")))
            flags |= 8;
        else if (span_eq(name, SPAN("PRIORITY")))
            flags |= 0x20;
        else
            assert_true(span_eq(name, SPAN("-")));
    }
    return flags;
}

static void begin_frame(struct playbook_case *one, struct span line)
{
    char *text = mem_spandup(line);
    char type[32], flags[64];

    end_frame(one);
    assert_int_equal(sscanf(text, "> %31s %63s %u", type, flags, &one->id), 3);
    one->type = parse_type(type);
    one->flags = parse_flags(span_of(flags));
    one->in_frame = true;
    mem_free(text);
}

/* RFC 7541 §5.1, with a prefix of 7 bits. */
static void add_string(struct strbuf *out, struct span text)
{
    assert_true(text.len < 127);
    strbuf_add_char(out, (char)text.len);
    strbuf_add(out, text);
}

static void add_field(struct playbook_case *one, struct span line)
{
    size_t colon = 1 + span_find(span_from(line, 1), ':');
    struct strbuf value = STRBUF_EMPTY;

    unescape(&value, span_from(line, colon + 1 < line.len ? colon + 2 : line.len));
    strbuf_add_char(&one->payload, 0);
    add_string(&one->payload, span_sub(line, 0, colon));
    add_string(&one->payload, strbuf_span(&value));
    strbuf_clear(&value);
}

static void add_bytes(struct strbuf *out, struct span line)
{
    size_t times = 1;

    if (line.len > 1 && line.ptr[1] == '*') {
        times = strtoul(line.ptr + 2, NULL, 10);
        line = span_from(line, span_find(line, ' '));
    } else {
        line = span_from(line, 1);
    }
    while (times-- != 0)
        unescape(out, span_from(line, 1));
}

static void read_setting(struct playbook_case *one, struct span line)
{
    if (span_starts(line, SPAN("@origin"))) {
        one->role = H2_TO_ORIGIN;
        one->methods = mem_spandup(span_trim(span_from(line, SPAN("@origin").len)));
    } else if (span_eq(line, SPAN("@connect"))) {
        one->options.offers_connect = true;
    } else if (span_eq(line, SPAN("@bare"))) {
        one->is_bare = true;
    } else {
        char *text = mem_spandup(line);
        assert_int_equal(sscanf(text, "@limits %zu %zu", &one->options.limits.max_header_bytes,
                                &one->options.limits.max_headers),
                         2);
        mem_free(text);
    }
}

static void ask(struct h2_teller *teller, const char *methods)
{
    struct span left = span_of(methods), method;

    while (span_split(&left, ' ', &method)) {
        struct http_head *head = http_head_new(HTTP_REQUEST);
        head->method = method;
        head->authority = SPAN("a");
        if (span_eq(method, SPAN("POST")))
            head->framing.kind = BODY_CHUNKED;
        assert_non_null(h2_teller_request(teller, head, SPAN("/"), SPAN_NONE));
        http_head_free(head);
    }
}

static uint32_t number(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void tell_frame(struct strbuf *text, const unsigned char *frame)
{
    uint8_t type = frame[3];
    if (type == 3)
        strbuf_printf(text, "sent RST_STREAM %u %s\n", number(frame + 5), h2_error_name(number(frame + 9)));
    else if (type == 7)
        strbuf_printf(text, "sent GOAWAY %u %s\n", number(frame + 9), h2_error_name(number(frame + 13)));
    else if (type == 6)
        strbuf_printf(text, "sent PING%s\n", (frame[4] & 1) != 0 ? " ACK" : "");
}

static void tell_sent(struct strbuf *text, struct evbuffer *sent, enum h2_role role)
{
    size_t len = evbuffer_get_length(sent);
    const unsigned char *bytes = evbuffer_pullup(sent, -1);
    size_t at = role == H2_TO_ORIGIN ? H2_PREFACE.len : 0;

    while (at < len) {
        tell_frame(text, bytes + at);
        at += 9 + ((size_t)bytes[at] << 16) + ((size_t)bytes[at + 1] << 8) + bytes[at + 2];
    }
    assert_int_equal(at, len);
}

static void feed(struct h2_teller *teller, struct span piece, struct evbuffer *sent, struct err *err)
{
    char *copy = mem_dup(piece.ptr, piece.len);

    if (err->code == ERR_NONE)
        (void)h2_feed(teller->h2, span_make(copy, piece.len), err);
    while (h2_write(teller->h2, sent, SIZE_MAX))
        ;
    mem_free(copy);
}

static void run(struct playbook_case *one, const char *how, size_t first, size_t piece)
{
    struct h2_teller teller;
    struct evbuffer *sent = evbuffer_new();
    struct span rest = strbuf_span(&one->input);
    struct strbuf text = STRBUF_EMPTY;
    struct err err = { .code = ERR_NONE };

    h2_teller_init(&teller, one->role, &one->options);
    if (one->methods != NULL)
        ask(&teller, one->methods);
    while (h2_write(teller.h2, sent, SIZE_MAX))
        ;
    for (size_t len = first != 0 ? first : piece; rest.len != 0; len = piece) {
        if (len == 0 || len > rest.len)
            len = rest.len;
        feed(&teller, span_sub(rest, 0, len), sent, &err);
        rest = span_from(rest, len);
    }
    h2_teller_take(&teller, &text);
    if (err.code != ERR_NONE)
        strbuf_add_str(&text, err.code == ERR_PROTO ? "proto\n" : "limit\n");
    tell_sent(&text, sent, one->role);
    if (!one->has_failed && strcmp(strbuf_text(&text), strbuf_text(&one->expected)) != 0) {
        one->has_failed = true;
        cases_failed++;
        fprintf(stderr, "== %s (%s, %s %zu)\n--- expected\n%s--- got\n%s", one->name, one->file, how, first,
                strbuf_text(&one->expected), strbuf_text(&text));
    }
    strbuf_clear(&text);
    h2_teller_clear(&teller);
    evbuffer_free(sent);
}

static void end_case(struct playbook_case *one)
{
    if (one->name != NULL) {
        end_frame(one);
        cases_run++;
        run(one, "whole", 0, 0);
        run(one, "bytewise", 0, 1);
        for (size_t at = 1; at < one->input.len && one->input.len <= MAX_CUT_BYTES; at++)
            run(one, "cut at", at, 0);
    }
    mem_free(one->name);
    mem_free(one->methods);
    strbuf_clear(&one->input);
    strbuf_clear(&one->expected);
    strbuf_clear(&one->payload);
}

static void begin_case(struct playbook_case *one, const char *file, struct span name)
{
    *one = (struct playbook_case){ .file = file,
                                   .name = mem_spandup(name),
                                   .role = H2_TO_CLIENT,
                                   .options = { .limits = H1_LIMITS_DEFAULT } };
}

/* Before the first bytes of a case, when all its settings are known. */
static void begin_input(struct playbook_case *one)
{
    if (one->input.len != 0 || one->in_frame || one->is_bare)
        return;
    if (one->role == H2_TO_CLIENT)
        strbuf_add(&one->input, H2_PREFACE);
    h2_frame(&one->input, 4, 0, 0, SPAN_NONE);
}

static void read_line(struct playbook_case *one, struct span line)
{
    switch (line.ptr[0]) {
    case '@':
        read_setting(one, line);
        break;
    case '>':
        begin_input(one);
        begin_frame(one, line);
        break;
    case '!':
        begin_input(one);
        end_frame(one);
        add_bytes(&one->input, line);
        break;
    case '+':
        add_bytes(&one->payload, line);
        break;
    case 'f':
        add_field(one, span_from(line, 2));
        break;
    case '#':
        break;
    default:
        strbuf_add(&one->expected, line);
        strbuf_add_char(&one->expected, '\n');
    }
}

static void run_file(const char *path)
{
    struct playbook_case one = { .file = path };
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    assert_non_null(file);
    while ((len = getline(&text, &cap, file)) > 0) {
        struct span line = span_make(text, (size_t)len - (text[len - 1] == '\n'));
        if (span_starts(line, SPAN("== "))) {
            end_case(&one);
            begin_case(&one, path, span_from(line, 3));
        } else if (line.len != 0) {
            read_line(&one, line);
        }
    }
    end_case(&one);
    free(text);
    fclose(file);
}

static void every_case_tells_the_same_however_its_bytes_arrive(void **state)
{
    glob_t found;
    (void)state;

    assert_int_equal(glob(WEIR_SOURCE_DIR "/tests/playbook/h2_*.txt", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        run_file(found.gl_pathv[i]);
    globfree(&found);
    assert_true(cases_run >= 50);
    assert_int_equal(cases_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_tells_the_same_however_its_bytes_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
