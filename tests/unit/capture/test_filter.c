#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "capture/filter.h"
#include "tests/support/filter_world.h"

static struct filter *parsed(const char *text)
{
    struct filter *filter;
    struct err err;

    if (!filter_parse(text, &filter, &err))
        fail_msg("%s", err.text);
    return filter;
}

/* --- what is found, live and in the store -------------------------------------------------------------- */

static int make_world(void **state)
{
    *state = filter_world_new();
    return 0;
}

static int free_world(void **state)
{
    filter_world_free(*state);
    return 0;
}

/* The names of those found, or "#count" when they are many. */
static void add_found(struct strbuf *out, const struct filter_world *world, const bool *found)
{
    size_t count = 0;

    for (size_t i = 0; i < filter_world_count(world); i++) {
        if (found[i])
            strbuf_printf(out, "%s%s", count++ != 0 ? " " : "", filter_world_name(i));
    }
    if (count > 8) {
        strbuf_reset(out);
        strbuf_printf(out, "#%zu", count);
    }
}

static void same_answer_live_and_stored(struct filter_world *world, const char *text,
                                        const struct filter *filter, const bool *found)
{
    bool looks_into_bodies = strstr(text, "body:") != NULL;

    for (size_t i = 0; i < filter_world_count(world); i++) {
        enum filter_answer answer = filter_match(filter, filter_world_subject(world, i));
        if (answer == FILTER_NOT_YET ? !looks_into_bodies : (answer == FILTER_YES) != found[i])
            fail_msg("'%s' on '%s': live %d, stored %d", text, filter_world_name(i), (int)answer, found[i]);
    }
}

static void live_and_stored_answers_agree(void **state)
{
    static const struct {
        const char *filter, *found;
    } rows[] = {
        /* clang-format off: one a line */
        { "", "#43" },
        { "host:example.test", "home login upload options websocket moved" },
        { "host:EXAMPLE.test", "home login upload options websocket moved" },
        { "host:*.example.test", "users make-user problem deep preflight" },
        { "host:.example.test", "#11" },
        { "host:api.example.test,cdn.test", "#9" },
        { "-host:*.test", "ipv6 ipv4 healthy" },
        { "host:example.test:443", "login upload websocket" },
        { "host::8080", "ipv6 moved" },
        { "host:[::1]", "ipv6" },
        { "host:::1", "ipv6" },
        { "host:[::1]:8080", "ipv6" },
        { "host:[::1]:80", "" },
        { "host:127.0.0.1:9000", "ipv4 healthy" },
        { "host:*.test:8443", "problem" },
        { "host:re:/^(api|cdn)\\./", "users make-user problem png script style font preflight" },
        { "path:/", "home gateway no-headers" },
        { "path:/health", "ipv6 ipv4" },
        { "path:/health*", "ipv6 ipv4 healthy" },
        { "path:/api/*", "users make-user problem preflight" },
        { "path:*.png,*.svg", "png svg" },
        { "path:*.PNG", "" },
        { "path:\"*\"", "options" },
        { "path:/a%2Fb/%_", "odd-method" },
        { "path:/café", "utf8" },
        { "path:re:/^\\/a.*\\.(png|svg)$/i", "png svg" },
        { "-path:/health,/healthy", "#40" },
        { "path:\"/a b\"", "refused" },
        { "url:page=2", "users" },
        { "url:a\"*\"b", "users" },
        { "url:/api/*page", "users" },
        { "url:https://api", "users make-user problem preflight" },
        { "url:example.test/", "#9" },
        { "http://example.test", "home options moved" },
        { "http://127.0.0.1:9000/healthy", "healthy" },
        { "re:/[?&]q=/", "users" },
        { "re:/:\\d{4}\\//", "problem ipv6 ipv4 healthy moved" },
        { "-re:/test/", "ipv6 ipv4 healthy" },
        { "url:re:/%2f/i", "odd-method" },
        { "caf", "latin1 utf8" },
        { "\"a b\"", "refused" },
        { "€", "utf8" },
        { "LOGO", "png svg" },
        { "'1'--", "odd-method" },
        { "login,upload", "login upload" },
        { "-login -upload status:>=400", "problem deep healthy refused gateway xml" },
        { "method:GET", "#29" },
        { "method:get,put", "#30" },
        { "-method:GET,HEAD", "#13" },
        { "method:PURGE", "odd-method" },
        { "method:P*", "login make-user problem upload odd-method grpc" },
        { "method:re:/^(put|delete)$/i", "problem deep" },
        { "status:200", "#24" },
        { "status:4xx", "problem deep upload" },
        { "status:200-299", "#29" },
        { "status:>=400", "problem deep healthy upload refused gateway xml" },
        { "status:<200", "websocket" },
        { "status:>599", "" },
        { "-status:200", "#19" },
        { "status:2xx,304", "#30" },
        { "type:json", "users make-user problem" },
        { "type:html", "home lookalike gateway" },
        { "type:xml", "lookalike svg xml dash" },
        { "type:js,css", "script style" },
        { "type:image", "png svg" },
        { "type:image/png", "png" },
        { "type:*/xml", "xml" },
        { "type:font", "font" },
        { "type:media", "video playlist audio dash" },
        { "type:audio,video", "video audio" },
        { "type:text", "#10" },
        { "type:form", "login upload" },
        { "type:multipart", "upload" },
        { "-type:image,font,media", "#36" },
        { "type:re:/^application\\/(?!json)/", "login problem lookalike playlist cut dash grpc" },
        { "type:re:/^Application/", "" },
        { "type:re:/^application.json/", "users make-user problem" },
        { "scheme:https", "#19" },
        { "scheme:tcp,tls", "tunnel sealed opened" },
        { "version:2", "users make-user websocket2 grpc" },
        { "version:1.0", "ipv4" },
        { "version:1", "#39" },
        { "version:HTTP/1.1,h2", "#42" },
        { "size:>10k", "png font video audio" },
        { "size:>=10240", "lookalike png font video audio" },
        { "size:<=1kib", "#37" },
        { "size:0", "#22" },
        { "size:1k-10k", "lookalike upload cut" },
        { "size:1m", "font" },
        { "size:>1.4g", "video" },
        { "-size:>0", "#22" },
        { "size:<1", "#22" },
        { "time:>500ms", "problem lookalike png video tunnel gateway" },
        { "time:>1s", "problem lookalike png video tunnel gateway" },
        { "time:<1", "#27" },
        { "time:100-200us", "#11" },
        { "time:>1m", "png video tunnel" },
        { "time:>=0.5s", "make-user problem lookalike png video tunnel gateway" },
        { "-time:>0", "unfinished no-headers" },
        { "cookie:sid", "home login silent odd-cookies" },
        { "cookie:sid=abc", "home silent" },
        { "cookie:SID=xyz=1", "login" },
        { "cookie:s*", "home login silent odd-cookies" },
        { "cookie:theme=dark,b=2", "login odd-cookies" },
        { "cookie:lang=d*", "home" },
        { "cookie:only", "" },
        { "cookie:sid=", "odd-cookies" },
        { "cookie:re:/^d=4$/", "odd-cookies" },
        { "cookie:a=", "" },
        { "cookie:ü=ä", "utf8" },
        { "-cookie:*", "#38" },
        { "header:age", "png moved" },
        { "header:x-*", "latin1 utf8 odd-cookies" },
        { "header:content-type=JSON", "users make-user problem" },
        { "header:content-type:charset", "home problem" },
        { "header:authorization=bearer", "users" },
        { "header:upgrade=h2c", "odd-method" },
        { "header:a=2", "odd-method" },
        { "header:x-who=é", "utf8" },
        { "header:re:/^X-Who: .*é$/", "utf8" },
        { "header:cache-control=re:/max-age=\\d+/", "png" },
        { "header:x-empty", "latin1" },
        { "header:origin,referer", "preflight" },
        { "body:welcome", "home" },
        { "body:SECRET", "login" },
        { "body:zoë", "users" },
        { "body:\"in the request\"", "gzip-text" },
        { "body:needle,timeout", "gateway xml" },
        { "body:\"café\"", "" },
        { "body:re:/caf./i", "utf8" },
        { "body:re:/\"name\":\"B\\w+\"/", "make-user" },
        { "body:alert", "script" },
        { "-body:e", "#32" },
        { "body:\"not found\" status:404", "deep" },
        { "error:*", "refused cut silent gateway" },
        { "error:refused", "refused" },
        { "error:\"4095 of\"", "cut" },
        { "error:re:/^origin/", "cut gateway" },
        { "-error:*", "#39" },
        { "is:websocket", "websocket websocket2" },
        { "is:grpc", "grpc" },
        { "type:grpc", "grpc" },
        { "header:grpc-status=5", "grpc" },
        { "header:Grpc-Message=SHOP", "grpc" },
        { "header:sum", "grpc" },
        { "host:talk.test -header:grpc-status method:POST", "" },
        { "is:sealed", "sealed" },
        { "is:sse", "sse" },
        { "-is:websocket host:talk.test", "grpc sse" },
        { "is:pinned", "sealed" },
        { "is:redirect", "login odd-cookies moved" },
        { "is:preflight", "preflight" },
        { "is:cached", "png svg moved" },
        { "is:tunnel", "tunnel sealed opened" },
        { "is:error", "refused cut silent unfinished gateway" },
        { "is:aborted", "cut silent unfinished" },
        { "-is:error is:cached,redirect", "login png svg odd-cookies moved" },
        { "is:aborted,tunnel -is:pinned", "cut silent unfinished tunnel opened" },
        { "host:*.example.test method:POST,PUT status:4xx type:json -path:/health size:>10", "problem" },
        { "host:.example.test -is:preflight,redirect,websocket type:json status:2xx", "users make-user" },
        /* clang-format on */
    };
    struct filter_world *world = *state;
    bool found[64];

    assert_true(filter_world_count(world) <= 64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct filter *filter = parsed(rows[i].filter);
        struct strbuf names = STRBUF_EMPTY;
        const char *why;
        if (!filter_world_select(world, filter, found, &why))
            fail_msg("'%s': %s", rows[i].filter, why);
        add_found(&names, world, found);
        if (strcmp(strbuf_text(&names), rows[i].found) != 0)
            fail_msg("'%s' finds '%s', not '%s'", rows[i].filter, strbuf_text(&names), rows[i].found);
        same_answer_live_and_stored(world, rows[i].filter, filter, found);
        strbuf_clear(&names);
        filter_unref(filter);
    }
}

static void the_longest_filter_is_not_too_much_for_sqlite(void **state)
{
    struct filter_world *world = *state;
    struct strbuf text = STRBUF_EMPTY;
    struct filter *filter;
    bool found[64];
    const char *why;

    for (unsigned i = 0; i < 250; i++)
        strbuf_printf(&text, "-header:h%u=x ", i);
    strbuf_add_str(&text, "-cookie:");
    for (unsigned i = 0; i < 250; i++)
        strbuf_printf(&text, "%sc%u=y*z", i != 0 ? "," : "", i);
    filter = parsed(strbuf_text(&text));
    if (!filter_world_select(world, filter, found, &why))
        fail_msg("%s", why);
    for (size_t i = 0; i < filter_world_count(world); i++)
        assert_true(found[i]);
    filter_unref(filter);
    strbuf_clear(&text);
}

static void what_a_person_wrote_is_never_part_of_the_statement(void **state)
{
    struct filter *filter =
        parsed("zzq path:/zzq* header:zzq=zzq cookie:zzq body:zzq error:zzq host:zzq type:a/zzq");
    struct filter_sql sql;

    (void)state;
    filter_to_sql(filter, &sql);
    assert_null(strstr(strbuf_text(&sql.where), "zzq"));
    assert_true(sql.bind_count >= 8);
    filter_sql_clear(&sql);
    filter_unref(filter);
    filter = parsed(" \t\n");
    filter_to_sql(filter, &sql);
    assert_string_equal(strbuf_text(&sql.where), "1");
    filter_sql_clear(&sql);
    filter_unref(filter);
}

static void words_of_columns_are_answered_by_the_index_alone(void **state)
{
    static const struct {
        const char *word;
        bool is_indexed;
    } rows[] = {
        { "host:a.test:80", true },    { "path:/a*", true },      { "a/b", true },
        { "method:GET", true },        { "status:4xx", true },    { "type:json", true },
        { "scheme:https", true },      { "version:1.1", true },   { "size:>10k", true },
        { "time:>1s", true },          { "error:*", true },       { "is:sealed,tunnel", true },
        { "is:redirect,error", true }, { "is:aborted", true },    { "-host:re:/a/", true },
        { "cookie:a", false },         { "header:a", false },     { "body:a", false },
        { "is:websocket", false },     { "is:grpc,sse", false },  { "is:preflight", false },
        { "is:cached", false },        { "is:error,sse", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct filter *filter = parsed(rows[i].word);
        bool is_indexed;

        if (filter_world_asks_index(*state, filter, &is_indexed) != rows[i].is_indexed ||
            is_indexed != rows[i].is_indexed)
            fail_msg("%s", rows[i].word);
        filter_unref(filter);
    }
}

/* Rows are read for those that the index lets through. */
static void one_word_of_columns_is_enough_for_the_index(void **state)
{
    struct filter *filter = parsed("body:a -status:200 cookie:b");
    struct filter_sql sql;

    (void)state;
    filter_to_sql(filter, &sql);
    assert_true(sql.is_indexed);
    filter_sql_clear(&sql);
    filter_unref(filter);
    filter = parsed("");
    filter_to_sql(filter, &sql);
    assert_false(sql.is_indexed);
    filter_sql_clear(&sql);
    filter_unref(filter);
}

/* --- while an exchange is under way -------------------------------------------------------------------- */

/* Y, N or ? for each of: request head, response head, 20 KiB of the body, done. */
static void story(const struct filter_subject *finished, const char *text, char out_answers[5])
{
    static const char letters[] = { [FILTER_NO] = 'N', [FILTER_YES] = 'Y', [FILTER_NOT_YET] = '?' };
    struct filter *filter = parsed(text);
    struct filter_subject subject = { .exchange = finished->exchange, .request = finished->request };

    out_answers[0] = letters[filter_match(filter, &subject)];
    subject.response = finished->response;
    out_answers[1] = letters[filter_match(filter, &subject)];
    subject.response_bytes = 20 * 1024;
    out_answers[2] = letters[filter_match(filter, &subject)];
    subject.is_done = true;
    subject.trailers[HTTP_REQUEST] = finished->trailers[HTTP_REQUEST];
    subject.trailers[HTTP_RESPONSE] = finished->trailers[HTTP_RESPONSE];
    out_answers[3] = letters[filter_match(filter, &subject)];
    out_answers[4] = '\0';
    filter_unref(filter);
}

static const struct filter_subject *subject_named(const struct filter_world *world, const char *name)
{
    for (size_t i = 0; i < filter_world_count(world); i++) {
        if (strcmp(filter_world_name(i), name) == 0)
            return filter_world_subject(world, i);
    }
    fail_msg("no exchange '%s'", name);
    return NULL;
}

static void an_answer_comes_as_early_as_it_is_certain(void **state)
{
    static const struct {
        const char *exchange, *filter, *answers;
    } rows[] = {
        { "home", "", "YYYY" },
        { "home", "host:example.test", "YYYY" },
        { "home", "-host:example.test", "NNNN" },
        { "home", "path:/ method:GET scheme:http version:1.1 example", "YYYY" },
        { "home", "status:200", "?YYY" },
        { "home", "-status:200", "?NNN" },
        { "home", "status:404 host:other.test", "NNNN" },
        { "home", "host:other.test status:404", "NNNN" },
        { "home", "status:200 type:html", "?YYY" },
        { "home", "type:json", "?NNN" },
        { "problem", "type:json", "YYYY" },
        { "home", "cookie:lang", "YYYY" },
        { "home", "cookie:seen", "?YYY" },
        { "home", "cookie:other", "?NNN" },
        { "home", "header:user-agent", "YYYY" },
        { "home", "-header:user-agent", "NNNN" },
        { "home", "header:content-type", "?YYY" },
        { "home", "size:>10k", "??YY" },
        { "home", "size:<10k", "??NN" },
        { "home", "-size:<10k", "??YY" },
        { "home", "size:>1m", "???N" },
        { "home", "size:<1m", "???Y" },
        { "home", "size:20k-30k", "???Y" },
        { "home", "time:>1ms", "???Y" },
        { "home", "-time:>1ms", "???N" },
        { "home", "error:*", "???N" },
        { "refused", "error:*", "???Y" },
        { "home", "is:websocket", "NNNN" },
        { "websocket", "is:websocket", "YYYY" },
        { "websocket2", "is:websocket", "YYYY" },
        { "grpc", "is:grpc", "YYYY" },
        { "sse", "is:sse", "?YYY" },
        { "home", "is:sse", "?NNN" },
        { "sealed", "is:pinned", "YYYY" },
        { "sealed", "is:sealed", "YYYY" },
        { "grpc", "type:grpc", "YYYY" },
        { "grpc", "header:grpc-status=5", "???Y" },
        { "grpc", "-header:grpc-status", "???N" },
        { "grpc", "header:none", "???N" },
        { "grpc", "header:content-type", "YYYY" },
        { "home", "header:grpc-status", "?NNN" },
        { "moved", "is:redirect", "?YYY" },
        { "svg", "is:cached", "?YYY" },
        { "home", "is:error", "???N" },
        { "home", "-is:aborted", "???Y" },
        { "home", "body:welcome", "????" },
        { "home", "-body:welcome", "????" },
        { "home", "body:welcome method:POST", "NNNN" },
        { "home", "body:welcome status:404", "?NNN" },
        { "home", "method:GET,POST status:404,200", "?YYY" },
    };
    char answers[5];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        story(subject_named(*state, rows[i].exchange), rows[i].filter, answers);
        if (strcmp(answers, rows[i].answers) != 0)
            fail_msg("'%s' on '%s': %s, not %s", rows[i].filter, rows[i].exchange, answers, rows[i].answers);
    }
}

static void trailers_are_waited_for_where_they_are_announced(void **state)
{
    struct filter_subject subject = *subject_named(*state, "home");
    struct http_head *head = http_head_response(200);
    struct headers trailers = { .count = 0 };
    struct filter *filter = parsed("header:digest");
    struct err err;

    subject.response = head;
    subject.is_done = false;
    assert_int_equal(filter_match(filter, &subject), FILTER_NO);
    assert_true(headers_add(&head->headers, SPAN("Trailer"), SPAN("Digest"), &err));
    assert_int_equal(filter_match(filter, &subject), FILTER_NOT_YET);
    assert_true(headers_add(&trailers, SPAN("Digest"), SPAN("x"), &err));
    subject.trailers[HTTP_RESPONSE] = &trailers;
    assert_int_equal(filter_match(filter, &subject), FILTER_YES);
    headers_clear(&trailers);
    http_head_free(head);
    filter_unref(filter);
}

static void an_interim_response_decides_nothing(void **state)
{
    struct filter_subject subject = *subject_named(*state, "home");
    struct http_head *interim = http_head_response(103);
    struct filter *filter = parsed("status:103,200");

    subject.response = interim;
    subject.is_done = false;
    assert_int_equal(filter_match(filter, &subject), FILTER_NOT_YET);
    subject.is_done = true;
    assert_int_equal(filter_match(filter, &subject), FILTER_NO);
    http_head_free(interim);
    filter_unref(filter);
}

static void a_url_in_absolute_form_has_the_same_path(void **state)
{
    struct filter_subject subject = *subject_named(*state, "home");
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct filter *filter = parsed("path:/a http://example.test/a?b");

    head->method = SPAN("GET");
    head->target = SPAN("http://example.test/a?b");
    subject.request = head;
    assert_int_equal(filter_match(filter, &subject), FILTER_YES);
    http_head_free(head);
    filter_unref(filter);
}

static void a_websocket_in_http2_has_its_path(void **state)
{
    struct filter_subject subject = *subject_named(*state, "home");
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct filter *filter = parsed("is:websocket path:/chat http://example.test/chat?room=1");

    head->method = SPAN("CONNECT");
    head->protocol = SPAN("websocket");
    head->target = SPAN("/chat?room=1");
    subject.request = head;
    assert_int_equal(filter_match(filter, &subject), FILTER_YES);
    http_head_free(head);
    filter_unref(filter);
}

static void a_tunnel_needs_no_request(void **state)
{
    struct filter_subject subject = *subject_named(*state, "tunnel");
    struct filter *filter = parsed("is:tunnel host::22 -method:GET -header:a -path:/");

    subject.request = NULL;
    assert_int_equal(filter_match(filter, &subject), FILTER_YES);
    filter_unref(filter);
}

/* --- complaints ---------------------------------------------------------------------------------------- */

static void a_wrong_word_is_named_with_its_place(void **state)
{
    static const struct {
        const char *filter, *text; /* text: how the complaint begins */
    } rows[] = {
        { "hots:x", "filter: unknown key 'hots' at column 1: 'hots:x'; did you mean 'host'? known keys" },
        { "a  -hots:x", "filter: unknown key 'hots' at column 4: '-hots:x'; did you mean 'host'?" },
        { "éé hdeader:x", "filter: unknown key 'hdeader' at column 4: 'hdeader:x'; did you mean 'header'?" },
        { "zzzzz:x", "filter: unknown key 'zzzzz' at column 1: 'zzzzz:x'; known keys" },
        { "re:x", "filter: a regular expression without slashes at column 1: 're:x'" },
        { "re:/x", "filter: a regular expression without its closing '/'" },
        { "re:/(/", "filter: missing closing parenthesis" },
        { "re:/x/g", "filter: something after a regular expression at column 1: 're:/x/g'" },
        { "host:", "filter: nothing to look for at column 1: 'host:'" },
        { "host:a,", "filter: nothing to look for at column 1: 'host:a,'" },
        { "-", "filter: nothing to look for at column 1: '-'" },
        { "\"\"", "filter: nothing to look for at column 1: '\"\"'" },
        { "a \"b c", "filter: a quote that is not closed at column 3: '\"b'" },
        { "a \"b\\", "filter: a quote that is not closed" },
        { "host:a:0", "filter: 'host' with a wrong value at column 1: 'host:a:0'; write" },
        { "host:a:65536", "filter: 'host' with a wrong value" },
        { "host:a:b", "filter: 'host' with a wrong value" },
        { "host:[::1", "filter: 'host' with a wrong value" },
        { "host:[::1]8", "filter: 'host' with a wrong value" },
        { "path:api", "filter: 'path' with a wrong value at column 1: 'path:api'; a path begins" },
        { "status:abc", "filter: 'status' with a wrong value at column 1: 'status:abc'; write 200" },
        { "status:299-200", "filter: 'status' with a wrong value" },
        { "status:0xx", "filter: 'status' with a wrong value" },
        { "status:2.5", "filter: 'status' with a wrong value" },
        { "status:re:/2../", "filter: 'status' takes no regular expression" },
        { "type:jsno", "filter: unknown type 'jsno' at column 1: 'type:jsno'; did you mean 'json'?" },
        { "scheme:htps", "filter: unknown scheme 'htps' at column 1: 'scheme:htps'; did you mean 'https'?" },
        { "version:3", "filter: 'version' with a wrong value" },
        { "size:10q", "filter: 'size' with a wrong value" },
        { "size:>", "filter: 'size' with a wrong value" },
        { "size:>9999999g", "filter: 'size' with a wrong value" },
        { "size:99999999999999999999999999999999", "filter: 'size' with a wrong value" },
        { "time:500ms", "filter: 'time' with a wrong value at column 1: 'time:500ms'; write >500ms" },
        { "is:cachd", "filter: unknown property 'cachd' at column 1: 'is:cachd'; did you mean 'cached'?" },
        { "is:\"a\nb\"", "filter: unknown property 'a?b' at column 1" },
        { "header:=x", "filter: nothing to look for" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct filter *filter;
        struct err err;
        if (filter_parse(rows[i].filter, &filter, &err))
            fail_msg("'%s' is taken", rows[i].filter);
        assert_int_equal(err.code, ERR_USAGE);
        if (strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0 || strchr(err.text, '\n') != NULL)
            fail_msg("'%s': %s", rows[i].filter, err.text);
    }
}

static void refused(const char *text, const char *why)
{
    struct filter *filter;
    struct err err;

    assert_false(filter_parse(text, &filter, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("%s", err.text);
}

static void too_much_is_refused(void **state)
{
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    for (unsigned i = 0; i < 501; i++)
        strbuf_add_str(&text, "a ");
    refused(strbuf_text(&text), "more than 500 values");
    strbuf_reset(&text);
    strbuf_add_str(&text, "a,");
    for (unsigned i = 0; i < 4097; i++)
        strbuf_add_char(&text, 'b');
    refused(strbuf_text(&text), "a value of more than 4096 bytes at column 1: 'a,bbb");
    for (unsigned i = 0; i < 64 * 1024; i++)
        strbuf_add_char(&text, ' ');
    refused(strbuf_text(&text), "more than 65536 bytes");
    strbuf_clear(&text);
}

static void a_filter_lives_as_long_as_somebody_holds_it(void **state)
{
    struct filter *filter = parsed("host:a -b");

    (void)state;
    assert_ptr_equal(filter_ref(filter), filter);
    filter_unref(filter);
    assert_string_equal(filter_text(filter), "host:a -b");
    filter_unref(filter);
    filter_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_and_stored_answers_agree),
        cmocka_unit_test(the_longest_filter_is_not_too_much_for_sqlite),
        cmocka_unit_test(what_a_person_wrote_is_never_part_of_the_statement),
        cmocka_unit_test(words_of_columns_are_answered_by_the_index_alone),
        cmocka_unit_test(one_word_of_columns_is_enough_for_the_index),
        cmocka_unit_test(an_answer_comes_as_early_as_it_is_certain),
        cmocka_unit_test(trailers_are_waited_for_where_they_are_announced),
        cmocka_unit_test(an_interim_response_decides_nothing),
        cmocka_unit_test(a_url_in_absolute_form_has_the_same_path),
        cmocka_unit_test(a_websocket_in_http2_has_its_path),
        cmocka_unit_test(a_tunnel_needs_no_request),
        cmocka_unit_test(a_wrong_word_is_named_with_its_place),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(a_filter_lives_as_long_as_somebody_holds_it),
    };

    return cmocka_run_group_tests_name("filter", tests, make_world, free_world);
}
