#include "capture/store/filter_functions.h"

#include <sqlite3.h>
#include <string.h>

#include "capture/field_test.h"
#include "capture/fields_json.h"
#include "capture/record.h"
#include "proxy/base/find.h"
#include "proxy/base/mem.h"
#include "proxy/base/pattern.h"
#include "proxy/http/coding.h"

/* A small body may decode to terabytes of zeros; what a person searches for comes before this. */
#define MAX_DECODED_BYTES (UINT64_C(256) << 20)
/* A regular expression needs its subject in one piece, and so in memory. */
#define MAX_REGEX_BYTES (16u << 20)

/* What a function has for as long as the handle lives; each its own. */
struct own {
    struct filter_bodies bodies;
    struct strbuf url; /* room for one */
};

static void free_own(void *self)
{
    struct own *own = self;

    strbuf_clear(&own->url);
    mem_free(own);
}

/* --- arguments ----------------------------------------------------------------------------------------- */

/* Bytes that were text of the store; owned is used only when the two differ. */
struct bytes {
    struct span span;
    struct strbuf owned;
};

static void bytes_init(struct bytes *bytes, struct span text)
{
    *bytes = (struct bytes){ .span = text };
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x80)
            continue;
        /* Text that weir did not write, as somebody may type into sqlite3, is compared as it is. */
        if (record_bytes_add(&bytes->owned, text))
            bytes->span = strbuf_span(&bytes->owned);
        return;
    }
}

static void bytes_clear(struct bytes *bytes)
{
    strbuf_clear(&bytes->owned);
}

static struct span argument_text(sqlite3_value *value)
{
    const unsigned char *text = sqlite3_value_text(value);

    return span_make(text != NULL ? (const char *)text : "", (size_t)sqlite3_value_bytes(value));
}

static bool is_null(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_NULL;
}

/* A pattern in an argument. While its text stays the same SQLite keeps what it was compiled to. */
struct compiled {
    struct pattern *pattern; /* NULL: the argument is */
    bool is_new;
};

static void free_pattern(void *pattern)
{
    pattern_free(pattern);
}

static bool compile(sqlite3_context *call, sqlite3_value **args, int arg, unsigned how, struct compiled *out)
{
    struct bytes text;
    struct err why;
    bool ok;

    *out = (struct compiled){ 0 };
    if (is_null(args[arg]))
        return true;
    out->pattern = sqlite3_get_auxdata(call, arg);
    if (out->pattern != NULL)
        return true;
    bytes_init(&text, argument_text(args[arg]));
    ok = pattern_new(text.span, how, &out->pattern, &why);
    bytes_clear(&text);
    if (!ok)
        sqlite3_result_error(call, why.text, -1);
    out->is_new = ok;
    return ok;
}

/* After its last use: SQLite may free it at once. */
static void keep(sqlite3_context *call, int arg, struct compiled *compiled)
{
    if (compiled->is_new)
        sqlite3_set_auxdata(call, arg, compiled->pattern, free_pattern);
}

static unsigned argument_how(sqlite3_value **args)
{
    return (unsigned)sqlite3_value_int(args[0]);
}

/* --- text ---------------------------------------------------------------------------------------------- */

static void weir_match(sqlite3_context *call, int arg_count, sqlite3_value **args)
{
    struct compiled pattern;
    struct bytes value;

    (void)arg_count;
    if (is_null(args[1]) || is_null(args[2]) || !compile(call, args, 1, argument_how(args), &pattern))
        return;
    bytes_init(&value, argument_text(args[2]));
    sqlite3_result_int(call, pattern_match(pattern.pattern, value.span));
    bytes_clear(&value);
    keep(call, 1, &pattern);
}

static void weir_match_url(sqlite3_context *call, int arg_count, sqlite3_value **args)
{
    struct own *own = sqlite3_user_data(call);
    struct compiled pattern;
    struct bytes url;
    /* Putting a URL together is the same for bytes and for text of the store: it is turned back as a whole.
     */
    const struct record record = {
        .scheme = argument_text(args[2]),
        .host = argument_text(args[3]),
        .port = (uint16_t)sqlite3_value_int(args[4]),
        .path = argument_text(args[5]),
        .query = is_null(args[6]) ? SPAN_NONE : argument_text(args[6]),
    };

    (void)arg_count;
    if (is_null(args[1]) || !compile(call, args, 1, argument_how(args), &pattern))
        return;
    strbuf_reset(&own->url);
    record_add_url(&record, &own->url);
    bytes_init(&url, strbuf_span(&own->url));
    sqlite3_result_int(call, pattern_match(pattern.pattern, url.span));
    bytes_clear(&url);
    keep(call, 1, &pattern);
}

/* --- headers ------------------------------------------------------------------------------------------- */

/* Whether text is one that JSON has as it is, unless it writes it with \u. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '/')
            return false;
    }
    return true;
}

static char in_lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool has_escaped(struct span json)
{
    const char *end = json.ptr + json.len, *at = json.ptr;

    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at > 1) {
        if (at[1] == 'u')
            return true;
        at += 2;
    }
    return false;
}

/* Most headers can be passed over without parsing them. part: without upper case. */
static bool may_have(sqlite3_value *headers, struct span part)
{
    struct span text = argument_text(headers);

    return find_any_case(text, part) != FIND_NOWHERE || !is_plain(part) || has_escaped(text);
}

/* The same for what a pattern means, if that is but one text. */
static bool may_have_literal(sqlite3_value *headers, const struct pattern *pattern)
{
    struct span literal;
    struct strbuf lower = STRBUF_EMPTY;
    bool answer;

    if (pattern == NULL || !pattern_literal(pattern, &literal))
        return true;
    for (size_t i = 0; i < literal.len; i++)
        strbuf_add_char(&lower, in_lower_case(literal.ptr[i]));
    answer = may_have(headers, strbuf_span(&lower));
    strbuf_clear(&lower);
    return answer;
}

typedef bool (*field_test_fn)(const struct field_test *test, struct span name, struct span value);

/* What is no text of the store is compared as it stands in the JSON. */
static void bytes_init_json(struct bytes *bytes, struct fields_json_text text)
{
    *bytes = (struct bytes){ .span = text.raw };
    if (!text.is_bytes && fields_json_bytes(&bytes->owned, text))
        bytes->span = strbuf_span(&bytes->owned);
}

static bool any_field(struct span headers, const struct field_test *test, field_test_fn is_meant)
{
    struct fields_json fields = { .rest = headers };
    struct fields_json_text name, value;
    bool answer = false;

    while (!answer && fields_json_next(&fields, &name, &value) == FIELDS_JSON_FIELD) {
        struct bytes name_bytes, value_bytes;
        bytes_init_json(&name_bytes, name);
        bytes_init_json(&value_bytes, value);
        answer = is_meant(test, name_bytes.span, value_bytes.span);
        bytes_clear(&name_bytes);
        bytes_clear(&value_bytes);
    }
    return answer;
}

static void test_fields(sqlite3_context *call, sqlite3_value **args, field_test_fn is_meant)
{
    struct compiled pattern, name;

    if (is_null(args[3]) || !compile(call, args, 1, argument_how(args), &pattern))
        return;
    if (compile(call, args, 2, PATTERN_GLOB | PATTERN_ANY_CASE, &name)) {
        const struct field_test test = { name.pattern, pattern.pattern };
        bool is_worth_it = test.name == NULL ||
                           (may_have_literal(args[3], test.name) && may_have_literal(args[3], test.pattern));
        sqlite3_result_int(call, is_worth_it && any_field(argument_text(args[3]), &test, is_meant));
        keep(call, 2, &name);
    }
    keep(call, 1, &pattern);
}

static void weir_header(sqlite3_context *call, int arg_count, sqlite3_value **args)
{
    (void)arg_count;
    test_fields(call, args, field_test_header);
}

static void weir_cookie(sqlite3_context *call, int arg_count, sqlite3_value **args)
{
    (void)arg_count;
    test_fields(call, args, field_test_cookie);
}

/* --- bodies -------------------------------------------------------------------------------------------- */

struct search {
    const struct pattern *pattern;
    size_t overlap;        /* of what was searched, how much a find may still begin in; SIZE_MAX: all of it */
    struct coding *coding; /* NULL: not encoded */
    struct strbuf window;
    bool is_found, has_ended; /* ended: nothing more need be read */
};

/* bytes: the window, or what was searched instead of it while it was empty. */
static void keep_tail(struct search *search, struct span bytes)
{
    size_t tail = bytes.len < search->overlap ? bytes.len : search->overlap;

    if (search->window.len != 0)
        strbuf_drop_front(&search->window, bytes.len - tail);
    else if (tail != 0)
        strbuf_add(&search->window, span_from(bytes, bytes.len - tail));
}

static bool search_decoded(void *self, struct span bytes, struct err *err)
{
    struct search *search = self;

    (void)err; /* stopping is no failure */
    if (search->overlap == SIZE_MAX) {
        size_t room = MAX_REGEX_BYTES - search->window.len;
        strbuf_add(&search->window, span_sub(bytes, 0, bytes.len < room ? bytes.len : room));
        search->has_ended = bytes.len >= room;
        return !search->has_ended;
    }
    if (search->window.len != 0) {
        strbuf_add(&search->window, bytes);
        bytes = strbuf_span(&search->window);
    }
    search->is_found = pattern_match(search->pattern, bytes);
    search->has_ended = search->is_found;
    keep_tail(search, bytes);
    return !search->has_ended;
}

static bool search_piece(void *self, struct span bytes, struct err *err)
{
    struct search *search = self;
    struct err why;

    if (search->coding == NULL)
        return search_decoded(search, bytes, err);
    /* Damaged, or too much of it: what came out until then is all there is. */
    search->has_ended = !coding_feed(search->coding, bytes, search_decoded, search, &why);
    return !search->has_ended;
}

/* A decoder after the body's Content-Encoding; NULL when there is none, or none that weir knows. */
static struct coding *decoder_for(sqlite3_value *headers)
{
    struct coding *coding = NULL;
    struct strbuf encodings = STRBUF_EMPTY;
    struct fields_json fields = { .rest = argument_text(headers) };
    struct fields_json_text name, value;
    struct err why;

    if (!may_have(headers, SPAN("content-encoding")))
        return NULL;
    while (fields_json_next(&fields, &name, &value) == FIELDS_JSON_FIELD) {
        struct bytes bytes;
        bytes_init_json(&bytes, name);
        if (span_ieq(bytes.span, SPAN("Content-Encoding"))) {
            strbuf_add_str(&encodings, encodings.len != 0 ? ", " : "");
            fields_json_bytes(&encodings, value); /* of what is no coding weir knows none */
        }
        bytes_clear(&bytes);
    }
    if (encodings.len == 0 || !coding_new(strbuf_span(&encodings), MAX_DECODED_BYTES, &coding, &why))
        coding = NULL;
    strbuf_clear(&encodings);
    return coding;
}

static void weir_body(sqlite3_context *call, int arg_count, sqlite3_value **args)
{
    const struct filter_bodies *bodies = &((const struct own *)sqlite3_user_data(call))->bodies;
    struct search search = { .overlap = SIZE_MAX };
    struct err why = { .code = ERR_NONE };
    struct compiled pattern;
    struct span literal;
    bool ok;

    (void)arg_count;
    if (is_null(args[1]) || is_null(args[2]) || !compile(call, args, 1, argument_how(args), &pattern))
        return;
    search.pattern = pattern.pattern;
    if (pattern_literal(pattern.pattern, &literal))
        search.overlap = literal.len != 0 ? literal.len - 1 : 0;
    search.coding = decoder_for(args[3]);
    ok = bodies->read(bodies->self, sqlite3_value_int64(args[2]), search_piece, &search, &why);
    if (search.overlap == SIZE_MAX)
        search.is_found = pattern_match(search.pattern, strbuf_span(&search.window));
    if (ok || search.has_ended)
        sqlite3_result_int(call, search.is_found);
    else
        sqlite3_result_error(call, why.text, -1);
    coding_free(search.coding);
    strbuf_clear(&search.window);
    keep(call, 1, &pattern);
}

/* --- registering --------------------------------------------------------------------------------------- */

#define PURE (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)

static const struct function_row {
    const char *name;
    int arg_count, flags;
    void (*call)(sqlite3_context *call, int arg_count, sqlite3_value **args);
} functions[] = {
    { "weir_match", 3, PURE, weir_match },
    { "weir_match_url", 7, PURE, weir_match_url },
    { "weir_header", 4, PURE, weir_header },
    { "weir_cookie", 4, PURE, weir_cookie },
    { "weir_body", 4, SQLITE_UTF8 | SQLITE_DIRECTONLY, weir_body },
};

bool filter_functions_register(struct sqlite3 *db, const struct filter_bodies *bodies, struct err *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        struct own *own = mem_new(struct own);
        own->bodies = *bodies;
        if (sqlite3_create_function_v2(db, functions[i].name, functions[i].arg_count, functions[i].flags, own,
                                       functions[i].call, NULL, NULL, free_own) != SQLITE_OK)
            return err_set(err, ERR_STORE, "SQL function %s: %s", functions[i].name, sqlite3_errmsg(db));
    }
    return true;
}
