/* Parsing: words to terms. Each key is one row: its name, the parser of one of its values, and what to say
 * when that parser takes no such value. */
#include "capture/filter.h"

#include <stdlib.h>

#include "capture/filter_lexer.h"
#include "capture/filter_term.h"
#include "proxy/base/mem.h"

/* A screenful is a long filter; the limit is for what a stranger may one day send. */
#define MAX_TEXT_BYTES (64 * 1024)
/* Each value is a level of SQL's expression tree, of which SQLite takes 1000 (SQLITE_MAX_EXPR_DEPTH). */
#define MAX_VALUES 500
/* Further from a known name than this is another word, not a slip of the finger. */
#define MAX_SLIPS 2

struct parse {
    struct filter_lexer lexer;
    struct filter *filter;
    struct term *term;         /* the one under way */
    struct filter_value value; /* the one that was read last */
    struct err *err;           /* ERR_NONE until there is a complaint */
};

/* --- complaints ---------------------------------------------------------------------------------------- */

/* Edits to get from a to b: letters added, left out or changed, and neighbours swapped. */
static unsigned slips_between(struct span a, const char *b)
{
    unsigned rows[3][32];
    size_t b_len = strlen(b);

    if (a.len > 30 || b_len > 30)
        return UINT32_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned best = above[j - 1] + (a.ptr[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b[j - 2] && a.ptr[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < best)
                best = two_above[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a.len % 3][b_len];
}

/* "did you mean 'x'? known WHAT: a, b, c"; name i is *(const char **)(names + i * stride). */
static void add_known(struct strbuf *hint, struct span wrong, const char *what, const void *names,
                      size_t count, size_t stride)
{
    const char *nearest = NULL;
    unsigned fewest = MAX_SLIPS + 1;

    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);
        unsigned slips = slips_between(wrong, name);
        if (slips < fewest && slips < strlen(name)) {
            fewest = slips;
            nearest = name;
        }
    }
    if (nearest != NULL)
        strbuf_printf(hint, "did you mean '%s'? ", nearest);
    strbuf_printf(hint, "known %s: ", what);
    for (size_t i = 0; i < count; i++)
        strbuf_printf(hint, "%s%s", i != 0 ? ", " : "",
                      *(const char *const *)((const char *)names + i * stride));
}

static bool complain_unknown(struct parse *parse, struct span wrong, const char *thing, const char *things,
                             const void *names, size_t count, size_t stride)
{
    struct strbuf hint;

    strbuf_init(&hint, 0);
    add_known(&hint, wrong, things, names, count, stride);
    if (wrong.len < 40)
        filter_lexer_complain(&parse->lexer, parse->err, strbuf_text(&hint), "unknown %s '%.*s'", thing,
                              SPAN_ARG(wrong));
    else
        filter_lexer_complain(&parse->lexer, parse->err, strbuf_text(&hint), "unknown %s", thing);
    strbuf_clear(&hint);
    return false;
}

/* --- building ------------------------------------------------------------------------------------------ */

static struct term_value *add_value(struct parse *parse)
{
    struct term *term = parse->term;

    term->values = mem_realloc(term->values, (term->count + 1) * sizeof term->values[0]);
    term->values[term->count] = (struct term_value){ 0 };
    parse->filter->value_count++;
    return &term->values[term->count++];
}

static struct pattern *glob_new(struct span glob, unsigned how)
{
    struct pattern *pattern = NULL;
    struct err never; /* a glob is never wrong */

    pattern_new(glob, how & ~(unsigned)PATTERN_REGEX, &pattern, &never);
    return pattern;
}

/* What was read last as a pattern; how counts for globs. */
static bool value_pattern(struct parse *parse, unsigned how, struct pattern **out_pattern)
{
    struct err why;

    if (!parse->value.is_regex) {
        *out_pattern = glob_new(strbuf_span(&parse->value.glob), how);
        return true;
    }
    if (pattern_new(strbuf_span(&parse->value.plain),
                    PATTERN_REGEX | (parse->value.is_any_case ? PATTERN_ANY_CASE : 0), out_pattern, &why))
        return true;
    return filter_lexer_complain(&parse->lexer, parse->err, "", "%s", why.text);
}

static bool take_text(struct parse *parse, unsigned how)
{
    struct pattern *pattern;

    if (!value_pattern(parse, how, &pattern))
        return false;
    add_value(parse)->pattern = pattern;
    return true;
}

/* --- numbers ------------------------------------------------------------------------------------------- */

struct unit {
    const char *name; /* the longer of two that begin alike comes first */
    int64_t factor;
};

static const struct unit no_units[] = { { "", 1 } };
static const struct unit size_units[] = {
    { "kib", 1024 },   { "kb", 1024 },   { "k", 1024 },      { "mib", 1 << 20 },
    { "mb", 1 << 20 }, { "m", 1 << 20 }, { "gib", 1 << 30 }, { "gb", 1 << 30 },
    { "g", 1 << 30 },  { "b", 1 },       { "", 1 },
};
static const struct unit time_units[] = {
    { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "min", 60000000 }, { "m", 60000000 }, { "", 1000 },
};

/* "10", "1.5k": digits, perhaps a fraction, a unit (units itself when there is none). Eaten off *text. */
static bool eat_number(struct span *text, const struct unit *units, double *out_number,
                       const struct unit **out_unit)
{
    double number = 0, place = 1;
    size_t digits = 0, i = 0;

    for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++, digits++)
        number = number * 10 + (text->ptr[i] - '0');
    if (units != no_units && digits != 0 && i + 1 < text->len && text->ptr[i] == '.' &&
        text->ptr[i + 1] >= '0' && text->ptr[i + 1] <= '9') {
        for (i++; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++)
            number += (text->ptr[i] - '0') * (place /= 10);
    }
    *text = span_from(*text, i);
    while (units->name[0] != '\0' && !span_istarts(*text, span_of(units->name)))
        units++;
    *text = span_from(*text, strlen(units->name));
    *out_number = number;
    *out_unit = units;
    return digits != 0;
}

/* Doubles count exactly up to there, and nothing that a filter counts comes near it. */
static bool scale(double number, const struct unit *unit, int64_t *out_number)
{
    number *= (double)unit->factor;
    if (number > 1e15)
        return false;
    *out_number = (int64_t)(number + 0.5);
    return true;
}

/* "N", ">N", ">=N", "<N", "<=N", "N-M"; both ends of the result are inclusive. */
static bool eat_range(struct span text, const struct unit *units, int64_t *out_min, int64_t *out_max)
{
    char sign = text.len != 0 && (text.ptr[0] == '<' || text.ptr[0] == '>') ? text.ptr[0] : '\0';
    bool is_or_equal = sign != '\0' && text.len > 1 && text.ptr[1] == '=';
    const struct unit *from_unit, *to_unit;
    double from_number, to_number;
    int64_t from, to;

    text = span_from(text, (sign != '\0') + (size_t)is_or_equal);
    if (!eat_number(&text, units, &from_number, &from_unit))
        return false;
    to_number = from_number;
    to_unit = from_unit;
    if (sign == '\0' && text.len != 0 && text.ptr[0] == '-') {
        text = span_from(text, 1);
        if (!eat_number(&text, units, &to_number, &to_unit))
            return false;
        if (from_unit->name[0] == '\0') /* 100-200k is in k on both sides */
            from_unit = to_unit;
    }
    if (text.len != 0 || !scale(from_number, from_unit, &from) || !scale(to_number, to_unit, &to) ||
        to < from)
        return false;
    *out_min = sign == '<' ? INT64_MIN : sign == '>' && !is_or_equal ? from + 1 : from;
    *out_max = sign == '>' ? INT64_MAX : sign == '<' && !is_or_equal ? to - 1 : to;
    return true;
}

static bool take_range(struct parse *parse, const struct unit *units)
{
    struct term_value *value;
    int64_t min, max;

    if (!eat_range(strbuf_span(&parse->value.plain), units, &min, &max))
        return false;
    value = add_value(parse);
    value->min = min;
    value->max = max;
    return true;
}

/* --- one parser a key ---------------------------------------------------------------------------------- */
/* False with err->code still ERR_NONE: not a value of this key, for the key's row to say. */

static void add_host(struct parse *parse, struct span glob, int64_t min_port, int64_t max_port)
{
    struct term_value *value = add_value(parse);

    value->pattern = glob_new(glob, PATTERN_ANY_CASE);
    value->min = min_port;
    value->max = max_port;
}

static bool parse_host(struct parse *parse)
{
    struct span host = strbuf_span(&parse->value.glob), rest;
    uint64_t port = 0;
    size_t colon = span_find(host, ':');
    struct strbuf any;

    if (parse->value.is_regex) {
        if (!take_text(parse, 0))
            return false;
        parse->term->values[parse->term->count - 1].max = 65535;
        return true;
    }
    if (host.ptr[0] == '[') {
        size_t end = span_find(host, ']');
        if (end == host.len)
            return false;
        rest = span_from(host, end + 1);
        host = span_sub(host, 1, end - 1);
    } else if (colon != host.len && span_find(span_from(host, colon + 1), ':') == host.len - colon - 1) {
        rest = span_from(host, colon);
        host = span_sub(host, 0, colon);
    } else { /* no port, or an IPv6 address without brackets */
        rest = span_from(host, host.len);
    }
    if (rest.len != 0 &&
        (rest.ptr[0] != ':' || !span_u64(span_from(rest, 1), &port) || port == 0 || port > 65535))
        return false;
    if (host.len == 0)
        host = SPAN("*");
    if (host.ptr[0] == '.' && host.len > 1) {
        strbuf_init(&any, 0);
        strbuf_add_char(&any, '*');
        strbuf_add(&any, host);
        add_host(parse, strbuf_span(&any), (int64_t)port, port != 0 ? (int64_t)port : 65535);
        strbuf_clear(&any);
        host = span_from(host, 1);
    }
    add_host(parse, host, (int64_t)port, port != 0 ? (int64_t)port : 65535);
    return true;
}

static bool parse_path(struct parse *parse)
{
    char first = strbuf_text(&parse->value.plain)[0];

    return (parse->value.is_regex || first == '/' || first == '*') && take_text(parse, PATTERN_GLOB);
}

static bool parse_anywhere(struct parse *parse)
{
    return take_text(parse, PATTERN_ANYWHERE | PATTERN_ANY_CASE);
}

static bool parse_method(struct parse *parse)
{
    return take_text(parse, PATTERN_ANY_CASE);
}

static bool parse_status(struct parse *parse)
{
    struct span text = strbuf_span(&parse->value.plain);
    struct term_value *value;

    if (text.len == 3 && text.ptr[0] >= '1' && text.ptr[0] <= '9' &&
        span_ieq(span_from(text, 1), SPAN("xx"))) {
        value = add_value(parse);
        value->min = (text.ptr[0] - '0') * 100;
        value->max = value->min + 99;
        return true;
    }
    return take_range(parse, no_units);
}

struct type_name {
    const char *name;
    const char *globs; /* separated by blanks */
};
static const struct type_name type_names[] = {
    { "json", "application/json text/json *+json" },
    { "html", "text/html application/xhtml+xml" },
    { "xml", "application/xml text/xml *+xml" },
    { "js", "text/javascript application/javascript application/x-javascript text/ecmascript "
            "application/ecmascript" },
    { "css", "text/css" },
    { "image", "image/*" },
    { "font", "font/* application/font-* application/x-font-* application/vnd.ms-fontobject" },
    { "audio", "audio/*" },
    { "video", "video/*" },
    { "media", "audio/* video/* application/vnd.apple.mpegurl application/x-mpegurl application/dash+xml" },
    { "text", "text/*" },
    { "form", "application/x-www-form-urlencoded multipart/form-data" },
    { "multipart", "multipart/*" },
    { "grpc", "application/grpc*" },
};

static bool parse_type(struct parse *parse)
{
    struct span text = strbuf_span(&parse->value.plain), globs, glob;

    if (parse->value.is_regex || span_find(text, '/') != text.len)
        return take_text(parse, PATTERN_ANY_CASE);
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (!span_ieq(text, span_of(type_names[i].name)))
            continue;
        globs = span_of(type_names[i].globs);
        while (span_split(&globs, ' ', &glob))
            add_value(parse)->pattern = glob_new(glob, PATTERN_ANY_CASE);
        return true;
    }
    return complain_unknown(parse, text, "type", "types, besides whole ones as image/png", type_names,
                            sizeof type_names / sizeof type_names[0], sizeof type_names[0]);
}

static bool parse_scheme(struct parse *parse)
{
    static const char *const schemes[] = { "http", "https", "tcp", "tls" };
    struct span text = strbuf_span(&parse->value.plain);

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (span_ieq(text, span_of(schemes[i]))) {
            add_value(parse)->pattern = glob_new(span_of(schemes[i]), PATTERN_GLOB);
            return true;
        }
    }
    return complain_unknown(parse, text, "scheme", "schemes", schemes, sizeof schemes / sizeof schemes[0],
                            sizeof schemes[0]);
}

static bool parse_version(struct parse *parse)
{
    static const struct {
        const char *name;
        int min, max;
    } versions[] = {
        { "1", 10, 11 }, { "1.0", 10, 10 }, { "1.1", 11, 11 }, { "2", 20, 20 }, { "2.0", 20, 20 }
    };
    struct span text = strbuf_span(&parse->value.plain);
    struct term_value *value;

    if (span_istarts(text, SPAN("http/")))
        text = span_from(text, 5);
    else if (span_istarts(text, SPAN("h")))
        text = span_from(text, 1);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (span_eq(text, span_of(versions[i].name))) {
            value = add_value(parse);
            value->min = versions[i].min;
            value->max = versions[i].max;
            return true;
        }
    }
    return false;
}

static bool parse_size(struct parse *parse)
{
    return take_range(parse, size_units);
}

static bool parse_time(struct parse *parse)
{
    int64_t min, max;

    /* No exchange takes a given number of microseconds: who writes time:500ms means something else. */
    if (eat_range(strbuf_span(&parse->value.plain), time_units, &min, &max) && min == max)
        return false;
    return take_range(parse, time_units);
}

/* NAME, NAME=VALUE, perhaps with other stops than '='; or a regular expression for both in one. */
static bool parse_pair(struct parse *parse, unsigned value_how)
{
    struct pattern *name = NULL, *pattern = NULL;
    struct term_value *value;

    if (parse->value.is_regex) {
        if (!value_pattern(parse, 0, &pattern))
            return false;
    } else {
        char stop = parse->value.stop;
        name = glob_new(strbuf_span(&parse->value.glob), PATTERN_ANY_CASE);
        if (stop != '\0' && (!filter_lexer_value(&parse->lexer, "", &parse->value, parse->err) ||
                             !value_pattern(parse, value_how, &pattern))) {
            pattern_free(name);
            return false;
        }
    }
    value = add_value(parse);
    value->name = name;
    value->pattern = pattern;
    return true;
}

static bool parse_cookie(struct parse *parse)
{
    return parse_pair(parse, PATTERN_GLOB);
}

static bool parse_header(struct parse *parse)
{
    return parse_pair(parse, PATTERN_ANYWHERE | PATTERN_ANY_CASE);
}

static bool parse_body(struct parse *parse)
{
    if (!parse->value.is_regex) {
        /* Bodies are searched piece by piece, for which a star would need all of it in memory. */
        strbuf_reset(&parse->value.glob);
        pattern_add_escaped(&parse->value.glob, strbuf_span(&parse->value.plain));
    }
    return parse_anywhere(parse);
}

static const struct is_name {
    const char *name;
    enum term_is is;
    const char *field, *text; /* of the field that it looks at, and what is in it; NULL: none, anything */
} is_names[] = {
    { "websocket", IS_WEBSOCKET, "upgrade", "websocket" },
    { "grpc", IS_GRPC, "content-type", "application/grpc" },
    { "sse", IS_SSE, "content-type", "text/event-stream" },
    { "sealed", IS_SEALED, NULL, NULL },
    { "pinned", IS_SEALED, NULL, NULL }, /* which is why, most of the time */
    { "redirect", IS_REDIRECT, NULL, NULL },
    { "preflight", IS_PREFLIGHT, "access-control-request-method", NULL },
    { "cached", IS_CACHED, "age", NULL },
    { "tunnel", IS_TUNNEL, NULL, NULL },
    { "error", IS_ERROR, NULL, NULL },
    { "aborted", IS_ABORTED, NULL, NULL },
};

static bool parse_is(struct parse *parse)
{
    struct span text = strbuf_span(&parse->value.plain);
    struct term_value *value;

    for (size_t i = 0; i < sizeof is_names / sizeof is_names[0]; i++) {
        if (!span_ieq(text, span_of(is_names[i].name)))
            continue;
        value = add_value(parse);
        value->is = is_names[i].is;
        if (is_names[i].field != NULL)
            value->name = glob_new(span_of(is_names[i].field), PATTERN_ANY_CASE);
        if (is_names[i].text != NULL)
            value->pattern = glob_new(span_of(is_names[i].text), PATTERN_ANYWHERE | PATTERN_ANY_CASE);
        return true;
    }
    return complain_unknown(parse, text, "property", "ones", is_names, sizeof is_names / sizeof is_names[0],
                            sizeof is_names[0]);
}

static const struct key_row {
    const char *name;
    bool (*parse)(struct parse *parse);
    bool takes_regex;
    const char *stops;    /* what ends the first part of a value */
    const char *expected; /* the hint when parse answers that it knows no such value */
} keys[TERM_KEY_COUNT] = {
    /* complaints list them in this order: the order people think of them in */
    [TERM_HOST] = { "host", parse_host, true, "", "write api.test, *.api.test, .api.test or api.test:8443" },
    [TERM_PATH] = { "path", parse_path, true, "",
                    "a path begins with '/' or '*': path:/api/*, or path:*api* for a part of it" },
    [TERM_URL] = { "url", parse_anywhere, true, "", "" },
    [TERM_METHOD] = { "method", parse_method, true, "", "" },
    [TERM_STATUS] = { "status", parse_status, false, "", "write 200, 4xx, 200-299 or >=400" },
    [TERM_TYPE] = { "type", parse_type, true, "", "" },
    [TERM_SCHEME] = { "scheme", parse_scheme, false, "", "" },
    [TERM_VERSION] = { "version", parse_version, false, "", "write 1.0, 1.1 or 2" },
    [TERM_SIZE] = { "size", parse_size, false, "", "write >10k, <=1.5m or 100-200: bytes, k, m or g" },
    [TERM_TIME] = { "time", parse_time, false, "", "write >500ms, <=1.5s or 100-200ms: us, ms, s or m" },
    [TERM_COOKIE] = { "cookie", parse_cookie, true, "=", "" },
    [TERM_HEADER] = { "header", parse_header, true, "=:", "" },
    [TERM_BODY] = { "body", parse_body, true, "", "" },
    [TERM_ERROR] = { "error", parse_anywhere, true, "", "" },
    [TERM_IS] = { "is", parse_is, false, "", "" },
};

/* --- the whole ----------------------------------------------------------------------------------------- */

/* *inout_key stays as it is when there is no name. */
static bool find_key(struct parse *parse, struct span name, enum term_key *inout_key)
{
    if (name.len == 0)
        return true;
    for (size_t i = 0; i < TERM_KEY_COUNT; i++) {
        if (span_ieq(name, span_of(keys[i].name))) {
            *inout_key = (enum term_key)i;
            return true;
        }
    }
    if (span_ieq(name, SPAN("re")))
        return filter_lexer_complain(&parse->lexer, parse->err, "write re:/…/ or re:/…/i",
                                     "a regular expression without slashes");
    return complain_unknown(parse, name, "key", "keys (text with a colon goes in quotes)", keys,
                            TERM_KEY_COUNT, sizeof keys[0]);
}

static bool parse_value(struct parse *parse, const struct key_row *key)
{
    if (!filter_lexer_value(&parse->lexer, key->stops, &parse->value, parse->err))
        return false;
    if (parse->value.plain.len == 0)
        return filter_lexer_complain(&parse->lexer, parse->err, key->expected, "nothing to look for");
    if (parse->value.is_regex && !key->takes_regex)
        return filter_lexer_complain(&parse->lexer, parse->err, key->expected,
                                     "'%s' takes no regular expression", key->name);
    if (!key->parse(parse)) {
        if (parse->err->code == ERR_NONE)
            filter_lexer_complain(&parse->lexer, parse->err, key->expected, "'%s' with a wrong value",
                                  key->name);
        return false;
    }
    if (parse->filter->value_count > MAX_VALUES)
        return filter_lexer_complain(&parse->lexer, parse->err, "", "more than %d values", MAX_VALUES);
    return true;
}

static bool parse_word(struct parse *parse, bool is_negated, struct span key_name)
{
    struct filter *filter = parse->filter;
    enum term_key key = TERM_URL;

    if (!find_key(parse, key_name, &key))
        return false;
    filter->terms = mem_realloc(filter->terms, (filter->count + 1) * sizeof filter->terms[0]);
    parse->term = &filter->terms[filter->count++];
    *parse->term = (struct term){ .key = key, .is_negated = is_negated };
    do {
        if (!parse_value(parse, &keys[key]))
            return false;
    } while (filter_lexer_comma(&parse->lexer));
    return true;
}

bool filter_parse(const char *text, struct filter **out_filter, struct err *err)
{
    struct err complaint = { .code = ERR_NONE };
    struct parse parse = { .lexer = { text, text, text }, .err = &complaint };
    struct span key;
    bool is_negated, ok = false;

    if (strlen(text) > MAX_TEXT_BYTES)
        return err_set(err, ERR_USAGE, "filter: more than %d bytes", MAX_TEXT_BYTES);
    parse.filter = mem_new(struct filter);
    atomic_init(&parse.filter->refs, 1);
    parse.filter->text = mem_strdup(text);
    filter_value_init(&parse.value);
    while (filter_lexer_word(&parse.lexer, &is_negated, &key)) {
        if (!parse_word(&parse, is_negated, key)) {
            *err = complaint;
            goto out;
        }
    }
    *out_filter = parse.filter;
    parse.filter = NULL; /* now the caller's */
    ok = true;
out:
    filter_value_clear(&parse.value);
    filter_unref(parse.filter);
    return ok;
}

struct filter *filter_ref(struct filter *filter)
{
    atomic_fetch_add_explicit(&filter->refs, 1, memory_order_relaxed);
    return filter;
}

void filter_unref(struct filter *filter)
{
    if (filter == NULL || atomic_fetch_sub_explicit(&filter->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < filter->count; i++) {
        for (size_t j = 0; j < filter->terms[i].count; j++) {
            pattern_free(filter->terms[i].values[j].name);
            pattern_free(filter->terms[i].values[j].pattern);
        }
        mem_free(filter->terms[i].values);
    }
    mem_free(filter->terms);
    mem_free(filter->text);
    mem_free(filter);
}

const char *filter_text(const struct filter *filter)
{
    return filter->text;
}
