/* Each value becomes one condition, each word their OR, the filter the AND of its words. NULLs may run
 * through AND and OR (WHERE takes them for false); only under NOT they are made false first. */
#include "capture/filter.h"

#include <inttypes.h>

#include "capture/filter_term.h"
#include "capture/record.h"
#include "proxy/base/mem.h"

static struct filter_bind *add_bind(struct filter_sql *sql)
{
    sql->binds = mem_realloc(sql->binds, (sql->bind_count + 1) * sizeof sql->binds[0]);
    sql->binds[sql->bind_count] = (struct filter_bind){ 0 };
    return &sql->binds[sql->bind_count++];
}

static void bind_integer(struct filter_sql *sql, int64_t integer)
{
    struct filter_bind *bind = add_bind(sql);

    bind->is_integer = true;
    bind->integer = integer;
}

static void bind_text(struct filter_sql *sql, struct span bytes)
{
    struct strbuf text;

    strbuf_init(&text, 0);
    record_text_add(&text, bytes);
    add_bind(sql)->text = strbuf_detach(&text);
}

static void add_range(struct filter_sql *sql, const char *column, const struct term_value *value)
{
    strbuf_printf(&sql->where, "%s BETWEEN ? AND ?", column);
    bind_integer(sql, value->min);
    bind_integer(sql, value->max);
}

static void add_match(struct filter_sql *sql, const char *column, const struct pattern *pattern)
{
    unsigned how = pattern_how(pattern);
    struct span text;

    if ((how & PATTERN_ANYWHERE) == 0 && pattern_literal(pattern, &text)) {
        strbuf_printf(&sql->where, "%s = ?%s", column,
                      (how & PATTERN_ANY_CASE) != 0 ? " COLLATE NOCASE" : "");
        bind_text(sql, text);
    } else {
        strbuf_printf(&sql->where, "weir_match(%u, ?, %s)", how, column);
        bind_text(sql, pattern_text(pattern));
    }
}

static void add_host(struct filter_sql *sql, const struct term_value *value)
{
    add_match(sql, "host", value->pattern);
    if (value->min == value->max) {
        strbuf_add_str(&sql->where, " AND port = ?");
        bind_integer(sql, value->min);
    }
}

/* function(how, pattern, name, fields) with NULL for what any field has. */
static void add_field(struct filter_sql *sql, const char *function, const struct term_value *value,
                      const char *column)
{
    strbuf_printf(&sql->where, "%s(%u, %s, %s, %s)", function,
                  value->pattern != NULL ? pattern_how(value->pattern) : 0,
                  value->pattern != NULL ? "?" : "NULL", value->name != NULL ? "?" : "NULL", column);
    if (value->pattern != NULL)
        bind_text(sql, pattern_text(value->pattern));
    if (value->name != NULL)
        bind_text(sql, pattern_text(value->name));
}

static void add_fields(struct filter_sql *sql, const char *function, const struct term_value *value)
{
    add_field(sql, function, value, "request_headers");
    strbuf_add_str(&sql->where, " OR ");
    add_field(sql, function, value, "response_headers");
}

static void add_body(struct filter_sql *sql, const struct pattern *pattern, const char *body,
                     const char *headers)
{
    strbuf_printf(&sql->where, "weir_body(%u, ?, %s, %s)", pattern_how(pattern), body, headers);
    bind_text(sql, pattern_text(pattern));
}

static void add_is(struct filter_sql *sql, const struct term_value *value)
{
    switch (value->is) {
    case IS_WEBSOCKET:
        strbuf_add_str(&sql->where, "protocol IS 'websocket' COLLATE NOCASE OR ");
        add_field(sql, "weir_header", value, "request_headers");
        break;
    case IS_GRPC:
        add_field(sql, "weir_header", value, "request_headers");
        break;
    case IS_SSE:
        add_field(sql, "weir_header", value, "response_headers");
        break;
    case IS_PREFLIGHT:
        strbuf_add_str(&sql->where, "method = 'OPTIONS' AND ");
        add_field(sql, "weir_header", value, "request_headers");
        break;
    case IS_TUNNEL:
        strbuf_add_str(&sql->where, "scheme IN ('tcp', 'tls')");
        break;
    case IS_SEALED:
        strbuf_printf(&sql->where, "flags & %d <> 0", TAP_SEALED);
        break;
    case IS_REDIRECT:
        strbuf_add_str(&sql->where, "status IN (301, 302, 303, 307, 308)");
        break;
    case IS_CACHED:
        strbuf_add_str(&sql->where, "status = 304 OR ");
        add_field(sql, "weir_header", value, "response_headers");
        break;
    case IS_ERROR:
        strbuf_add_str(&sql->where, "state = 2 OR error <> ''");
        break;
    case IS_ABORTED:
        strbuf_add_str(&sql->where, "state = 2");
        break;
    }
}

static void add_value(struct filter_sql *sql, enum term_key key, const struct term_value *value)
{
    switch (key) {
    case TERM_HOST:
        add_host(sql, value);
        break;
    case TERM_PATH:
        add_match(sql, "path", value->pattern);
        break;
    case TERM_URL:
        strbuf_printf(&sql->where, "weir_match_url(%u, ?, scheme, host, port, path, query)",
                      pattern_how(value->pattern));
        bind_text(sql, pattern_text(value->pattern));
        break;
    case TERM_METHOD:
        add_match(sql, "method", value->pattern);
        break;
    case TERM_STATUS:
        add_range(sql, "status", value);
        break;
    case TERM_TYPE:
        add_match(sql, "request_type", value->pattern);
        strbuf_add_str(&sql->where, " OR ");
        add_match(sql, "response_type", value->pattern);
        break;
    case TERM_SCHEME:
        add_match(sql, "scheme", value->pattern);
        break;
    case TERM_VERSION:
        add_range(sql, "request_version", value);
        break;
    case TERM_SIZE:
        add_range(sql, "response_bytes", value);
        break;
    case TERM_TIME:
        add_range(sql, "t_done", value);
        break;
    case TERM_COOKIE:
        add_fields(sql, "weir_cookie", value);
        break;
    case TERM_HEADER:
        add_fields(sql, "weir_header", value);
        strbuf_add_str(&sql->where, " OR ");
        add_field(sql, "weir_header", value, "request_trailers");
        strbuf_add_str(&sql->where, " OR ");
        add_field(sql, "weir_header", value, "response_trailers");
        break;
    case TERM_BODY:
        add_body(sql, value->pattern, "request_body", "request_headers");
        strbuf_add_str(&sql->where, " OR ");
        add_body(sql, value->pattern, "response_body", "response_headers");
        break;
    case TERM_ERROR:
        strbuf_add_str(&sql->where, "error <> '' AND ");
        add_match(sql, "error", value->pattern);
        break;
    case TERM_IS:
        add_is(sql, value);
        break;
    case TERM_KEY_COUNT:
        break;
    }
}

static void add_term(struct filter_sql *sql, const struct term *term)
{
    strbuf_printf(&sql->where, "%s%s(", sql->where.len != 0 ? " AND " : "",
                  term->is_negated ? "NOT ifnull(" : "");
    for (size_t i = 0; i < term->count; i++) {
        strbuf_add_str(&sql->where, i != 0 ? " OR (" : "(");
        add_value(sql, term->key, &term->values[i]);
        strbuf_add_char(&sql->where, ')');
    }
    strbuf_add_str(&sql->where, term->is_negated ? "), 0)" : ")");
}

static bool looks_into_fields(const struct term_value *value)
{
    switch (value->is) {
    case IS_WEBSOCKET:
    case IS_GRPC:
    case IS_SSE:
    case IS_PREFLIGHT:
    case IS_CACHED:
        return true;
    case IS_SEALED:
    case IS_REDIRECT:
    case IS_TUNNEL:
    case IS_ERROR:
    case IS_ABORTED:
        break;
    }
    return false;
}

/* Whether the index exchange_columns has all that it asks for. */
static bool is_indexed(const struct term *term)
{
    if (term->key == TERM_COOKIE || term->key == TERM_HEADER || term->key == TERM_BODY)
        return false;
    for (size_t i = 0; i < term->count; i++)
        if (term->key == TERM_IS && looks_into_fields(&term->values[i]))
            return false;
    return true;
}

/* How dear it is to ask: SQLite asks in the order of the text and stops at the first no. */
static unsigned cost_of(enum term_key key)
{
    if (key == TERM_BODY)
        return 2;
    return key == TERM_HEADER || key == TERM_COOKIE || key == TERM_URL ? 1 : 0;
}

void filter_to_sql(const struct filter *filter, struct filter_sql *out_sql)
{
    *out_sql = (struct filter_sql){ .where = STRBUF_EMPTY };
    for (unsigned cost = 0; cost <= 2; cost++) {
        for (size_t i = 0; i < filter->count; i++) {
            if (cost_of(filter->terms[i].key) == cost)
                add_term(out_sql, &filter->terms[i]);
        }
    }
    for (size_t i = 0; i < filter->count; i++)
        out_sql->is_indexed = out_sql->is_indexed || is_indexed(&filter->terms[i]);
    if (filter->count == 0)
        strbuf_add_str(&out_sql->where, "1");
}

void filter_sql_clear(struct filter_sql *sql)
{
    for (size_t i = 0; i < sql->bind_count; i++)
        mem_free(sql->binds[i].text);
    mem_free(sql->binds);
    strbuf_clear(&sql->where);
    *sql = (struct filter_sql){ .where = STRBUF_EMPTY };
}
