#include "tests/support/filter_world.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "capture/record.h"
#include "capture/store/filter_functions.h"
#include "capture/store/schema.h"
#include "proxy/base/mem.h"
#include "tests/support/filter_world_rows.h"

#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct filter_world {
    sqlite3 *db;
    struct tap_tls tls;
    struct entry {
        struct tap_exchange exchange;
        struct http_head *request, *response;
        struct headers trailers[2];
        struct filter_subject subject;
        struct strbuf request_body, response_body; /* as stored */
    } entries[ROW_COUNT];
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "filter_world: %s\n", what);
    abort();
}

static void make_body(struct strbuf *out, const char *text)
{
    z_stream zip = { 0 };
    char *room;

    strbuf_init(out, 0);
    if (text == NULL)
        return;
    if (text[0] != GZIP[0]) {
        strbuf_add_str(out, text);
        return;
    }
    room = strbuf_reserve(out, 1024);
    must(deflateInit2(&zip, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    zip.next_in = (Bytef *)(uintptr_t)(text + 1);
    zip.avail_in = (uInt)strlen(text + 1);
    zip.next_out = (Bytef *)room;
    zip.avail_out = 1024;
    must(deflate(&zip, Z_FINISH) == Z_STREAM_END, "zlib");
    out->len += 1024 - zip.avail_out;
    deflateEnd(&zip);
}

static void add_fields(struct headers *headers, const char *lines)
{
    struct span rest = lines != NULL ? span_of(lines) : SPAN_NONE, line;
    struct err err;

    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        must(headers_add(headers, span_sub(line, 0, colon), span_trim(span_from(line, colon + 1)), &err),
             err.text);
    }
}

static void make_entry(struct filter_world *world, struct entry *entry, const struct row *row)
{
    struct strbuf target = STRBUF_EMPTY;

    entry->exchange.scheme = row->scheme;
    snprintf(entry->exchange.host, sizeof entry->exchange.host, "%s", row->host);
    entry->exchange.port = (uint16_t)row->port;
    entry->exchange.error = row->error;
    entry->exchange.flags = row->flags;
    entry->exchange.client_tls = row->is_tls ? &world->tls : NULL;
    entry->exchange.times[TAP_T_DONE] = row->took_us;

    entry->request = http_head_new(HTTP_REQUEST);
    entry->request->version = row->version != 0 ? row->version : HTTP_1_1;
    strbuf_add_str(&target, row->path);
    if (row->query != NULL)
        strbuf_printf(&target, "?%s", row->query);
    if (strcmp(row->method, "CONNECT") == 0 && row->protocol == NULL)
        strbuf_printf(&target, "%s:%d", row->host, row->port);
    entry->request->start_line = strbuf_detach(&target);
    entry->request->target = span_of(entry->request->start_line);
    entry->request->method = span_of(row->method);
    entry->request->protocol = row->protocol != NULL ? span_of(row->protocol) : SPAN_NONE;
    add_fields(&entry->request->headers, row->request_headers);
    add_fields(&entry->trailers[HTTP_REQUEST], row->request_trailers);
    add_fields(&entry->trailers[HTTP_RESPONSE], row->response_trailers);
    if (row->status != 0) {
        entry->response = http_head_response(row->status);
        add_fields(&entry->response->headers, row->response_headers);
    }
    make_body(&entry->request_body, row->request_body);
    make_body(&entry->response_body, row->response_body);
    entry->subject = (struct filter_subject){
        .exchange = &entry->exchange,
        .request = entry->request,
        .response = entry->response,
        .trailers = { &entry->trailers[HTTP_REQUEST], &entry->trailers[HTTP_RESPONSE] },
        .is_done = true,
        .has_failed = row->has_failed,
        .request_bytes = entry->request_body.len,
        .response_bytes = row->response_bytes != 0 ? (uint64_t)row->response_bytes : entry->response_body.len,
    };
}

/* --- the store ----------------------------------------------------------------------------------------- */

static bool read_body(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    struct filter_world *world = self;
    struct entry *entry = &world->entries[body / 2 - 1];
    struct span bytes = strbuf_span(body % 2 == 0 ? &entry->request_body : &entry->response_body);

    /* In small pieces, so that what is looked for lies across their borders. */
    for (; bytes.len != 0; bytes = span_from(bytes, bytes.len < 3 ? bytes.len : 3)) {
        if (!sink(sink_self, span_sub(bytes, 0, bytes.len < 3 ? bytes.len : 3), err))
            return false;
    }
    return true;
}

static void bind_text(sqlite3_stmt *insert, const char *name, const char *bytes)
{
    struct strbuf text = STRBUF_EMPTY;

    if (bytes == NULL)
        return;
    record_text_add(&text, span_of(bytes));
    sqlite3_bind_text(insert, sqlite3_bind_parameter_index(insert, name), strbuf_text(&text), (int)text.len,
                      SQLITE_TRANSIENT);
    strbuf_clear(&text);
}

static void bind_number(sqlite3_stmt *insert, const char *name, int64_t number)
{
    sqlite3_bind_int64(insert, sqlite3_bind_parameter_index(insert, name), number);
}

static json_t *json_bytes(struct span bytes)
{
    struct strbuf text = STRBUF_EMPTY;
    json_t *string;

    record_text_add(&text, bytes);
    string = json_stringn(strbuf_text(&text), text.len);
    strbuf_clear(&text);
    return string;
}

static void bind_fields(sqlite3_stmt *insert, const char *name, const struct headers *headers)
{
    json_t *fields = json_array();
    char *text;

    for (size_t i = 0; i < headers->count; i++)
        json_array_append_new(fields, json_pack("[o,o]", json_bytes(headers_name(headers, i)),
                                                json_bytes(headers_value(headers, i))));
    text = json_dumps(fields, JSON_COMPACT);
    sqlite3_bind_text(insert, sqlite3_bind_parameter_index(insert, name), text, -1, SQLITE_TRANSIENT);
    free(text);
    json_decref(fields);
}

/* The columns NAME_headers and NAME_type. */
static void bind_head(sqlite3_stmt *insert, const char *headers, const char *type_name,
                      const struct http_head *head)
{
    struct span type;

    bind_fields(insert, headers, &head->headers);
    if (headers_find(&head->headers, SPAN("Content-Type"), &type)) {
        char *lower = mem_spandup(span_trim(span_sub(type, 0, span_find(type, ';'))));
        for (char *c = lower; *c != '\0'; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        bind_text(insert, type_name, lower);
        mem_free(lower);
    }
}

static void store_entry(struct filter_world *world, size_t i)
{
    const struct entry *entry = &world->entries[i];
    const struct row *row = &rows[i];
    sqlite3_stmt *insert;
    const char *sql =
        "INSERT INTO exchange (id, session, seq, uid, state, started_us, t_done, client_addr, method, "
        "scheme, "
        "host, port, path, query, protocol, request_version, status, request_headers, response_headers, "
        "request_type, "
        "response_type, request_trailers, response_trailers, request_body, response_body, request_bytes, "
        "response_bytes, client_tls, error, flags) "
        "VALUES "
        "($id, 1, $id, x'', $state, 0, $t_done, '', $method, $scheme, $host, $port, $path, $query, "
        "$protocol, $version, "
        "$status, $request_headers, $response_headers, $request_type, $response_type, $request_trailers, "
        "$response_trailers, $request_body, "
        "$response_body, $request_bytes, $response_bytes, $client_tls, $error, $flags)";

    must(sqlite3_prepare_v2(world->db, sql, -1, &insert, NULL) == SQLITE_OK, sqlite3_errmsg(world->db));
    bind_number(insert, "$id", (int64_t)i + 1);
    bind_number(insert, "$state", row->has_failed ? 2 : 1);
    if (row->took_us != TAP_NEVER)
        bind_number(insert, "$t_done", row->took_us);
    bind_text(insert, "$method", row->method);
    bind_text(insert, "$scheme", row->scheme);
    bind_text(insert, "$host", row->host);
    bind_number(insert, "$port", row->port);
    bind_text(insert, "$path", row->path);
    bind_text(insert, "$query", row->query);
    bind_text(insert, "$protocol", row->protocol);
    bind_number(insert, "$version", entry->request->version);
    bind_head(insert, "$request_headers", "$request_type", entry->request);
    if (entry->response != NULL) {
        bind_number(insert, "$status", row->status);
        bind_head(insert, "$response_headers", "$response_type", entry->response);
    }
    if (row->request_trailers != NULL)
        bind_fields(insert, "$request_trailers", &entry->trailers[HTTP_REQUEST]);
    if (row->response_trailers != NULL)
        bind_fields(insert, "$response_trailers", &entry->trailers[HTTP_RESPONSE]);
    if (entry->request_body.len != 0)
        bind_number(insert, "$request_body", 2 * (int64_t)i + 2);
    if (entry->response_body.len != 0)
        bind_number(insert, "$response_body", 2 * (int64_t)i + 3);
    bind_number(insert, "$request_bytes", (int64_t)entry->subject.request_bytes);
    bind_number(insert, "$response_bytes", (int64_t)entry->subject.response_bytes);
    if (row->is_tls)
        bind_number(insert, "$client_tls", 1);
    bind_text(insert, "$error", row->error);
    bind_number(insert, "$flags", row->flags);
    must(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(world->db));
    sqlite3_finalize(insert);
}

/* --- public -------------------------------------------------------------------------------------------- */

struct filter_world *filter_world_new(void)
{
    struct filter_world *world = mem_new(struct filter_world);
    const struct filter_bodies bodies = { read_body, world };
    struct err err;

    must(sqlite3_open(":memory:", &world->db) == SQLITE_OK, "SQLite");
    must(filter_functions_register(world->db, &bodies, &err), err.text);
    for (size_t i = 0; store_schema[i] != NULL; i++)
        must(sqlite3_exec(world->db, store_schema[i], NULL, NULL, NULL) == SQLITE_OK,
             sqlite3_errmsg(world->db));
    for (size_t i = 0; i < ROW_COUNT; i++) {
        make_entry(world, &world->entries[i], &rows[i]);
        store_entry(world, i);
    }
    return world;
}

void filter_world_free(struct filter_world *world)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        http_head_free(world->entries[i].request);
        http_head_free(world->entries[i].response);
        headers_clear(&world->entries[i].trailers[HTTP_REQUEST]);
        headers_clear(&world->entries[i].trailers[HTTP_RESPONSE]);
        strbuf_clear(&world->entries[i].request_body);
        strbuf_clear(&world->entries[i].response_body);
    }
    sqlite3_close(world->db);
    mem_free(world);
}

size_t filter_world_count(const struct filter_world *world)
{
    (void)world;
    return ROW_COUNT;
}

const char *filter_world_name(size_t i)
{
    return rows[i].name;
}

const struct filter_subject *filter_world_subject(const struct filter_world *world, size_t i)
{
    return &world->entries[i].subject;
}

/* from: what stands behind FROM. */
static bool select_from(struct filter_world *world, const struct filter_sql *sql, const char *from,
                        bool *out_found)
{
    struct strbuf text = STRBUF_EMPTY;
    sqlite3_stmt *select = NULL;
    int rc;

    strbuf_printf(&text, "SELECT id FROM %s WHERE session = 1 AND provisional = 0 AND (%s) ORDER BY id", from,
                  strbuf_text(&sql->where));
    rc = sqlite3_prepare_v2(world->db, strbuf_text(&text), -1, &select, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sql->bind_count; i++) {
        if (sql->binds[i].is_integer)
            rc = sqlite3_bind_int64(select, (int)i + 1, sql->binds[i].integer);
        else
            rc = sqlite3_bind_text(select, (int)i + 1, sql->binds[i].text, -1, SQLITE_STATIC);
    }
    memset(out_found, 0, ROW_COUNT * sizeof out_found[0]);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(select);
        if (rc == SQLITE_ROW)
            out_found[sqlite3_column_int64(select, 0) - 1] = true;
    }
    sqlite3_finalize(select);
    strbuf_clear(&text);
    return rc == SQLITE_DONE;
}

bool filter_world_select(struct filter_world *world, const struct filter *filter, bool *out_found,
                         const char **out_error)
{
    bool found_by_index[ROW_COUNT];
    struct filter_sql sql;
    bool ok;

    filter_to_sql(filter, &sql);
    ok = select_from(world, &sql, "exchange NOT INDEXED", out_found) &&
         select_from(world, &sql, "exchange INDEXED BY exchange_columns", found_by_index);
    *out_error = sqlite3_errmsg(world->db);
    filter_sql_clear(&sql);
    if (ok && memcmp(out_found, found_by_index, sizeof found_by_index) != 0) {
        *out_error = "the index finds others";
        return false;
    }
    return ok;
}

bool filter_world_asks_index(struct filter_world *world, const struct filter *filter, bool *out_is_indexed)
{
    struct strbuf text = STRBUF_EMPTY;
    sqlite3_stmt *plan = NULL;
    struct filter_sql sql;
    bool is_covered = false;

    filter_to_sql(filter, &sql);
    *out_is_indexed = sql.is_indexed;
    strbuf_printf(&text,
                  "EXPLAIN QUERY PLAN SELECT id FROM exchange INDEXED BY exchange_columns"
                  " WHERE provisional = 0 AND (%s)",
                  strbuf_text(&sql.where));
    must(sqlite3_prepare_v2(world->db, strbuf_text(&text), -1, &plan, NULL) == SQLITE_OK,
         sqlite3_errmsg(world->db));
    while (sqlite3_step(plan) == SQLITE_ROW)
        is_covered = is_covered || strstr((const char *)sqlite3_column_text(plan, 3), "COVERING") != NULL;
    sqlite3_finalize(plan);
    filter_sql_clear(&sql);
    strbuf_clear(&text);
    return is_covered;
}
