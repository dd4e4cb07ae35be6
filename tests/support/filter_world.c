#include "tests/support/filter_world.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "capture/record.h"
#include "capture/store/filter_functions.h"
#include "proxy/base/mem.h"

/* Headers are "Name: value" lines; a body that begins with GZIP is stored encoded. */
#define GZIP "\001"

static const struct row {
    const char *name;
    const char *method, *scheme, *host;
    int port;
    const char *path, *query;
    enum http_version version;
    const char *request_headers, *request_body;
    int status; /* 0: no response */
    const char *response_headers, *response_body;
    int64_t response_bytes; /* 0: as long as the body */
    int64_t took_us;
    const char *error;
    bool has_failed, is_tls;
} rows[] = {
    { .name = "home",
      .method = "GET",
      .scheme = "http",
      .host = "example.test",
      .port = 80,
      .path = "/",
      .request_headers = "Host: example.test\nUser-Agent: curl/8\nCookie: sid=abc; lang=de",
      .status = 200,
      .response_headers = "Content-Type: text/html; charset=utf-8\nSet-Cookie: seen=1; Path=/; HttpOnly",
      .response_body = "<h1>Welcome</h1>",
      .took_us = 12000 },
    { .name = "login",
      .method = "POST",
      .scheme = "https",
      .host = "example.test",
      .port = 443,
      .path = "/login",
      .request_headers = "Content-Type: application/x-www-form-urlencoded",
      .request_body = "user=ann&password=Secret",
      .status = 302,
      .response_headers = "Location: /\nSet-Cookie: SID=xyz=1; Secure\nSet-Cookie: theme=dark",
      .took_us = 80000,
      .is_tls = true },
    { .name = "users",
      .method = "GET",
      .scheme = "https",
      .host = "api.example.test",
      .port = 443,
      .path = "/api/users",
      .query = "page=2&q=a*b",
      .version = HTTP_2,
      .request_headers = "Accept: application/json\nAuthorization: Bearer tok",
      .status = 200,
      .response_headers = "Content-Type: application/json\nContent-Encoding: gzip",
      .response_body = GZIP "{\"users\":[{\"name\":\"Zo\xc3\xab\"}]}",
      .took_us = 450000,
      .is_tls = true },
    { .name = "make-user",
      .method = "POST",
      .scheme = "https",
      .host = "api.example.test",
      .port = 443,
      .path = "/api/users",
      .version = HTTP_2,
      .request_headers = "Content-Type: application/json",
      .request_body = "{\"name\":\"Bob\"}",
      .status = 201,
      .took_us = 500000,
      .is_tls = true },
    { .name = "problem",
      .method = "PUT",
      .scheme = "https",
      .host = "api.example.test",
      .port = 8443,
      .path = "/api/users/7",
      .request_headers = "Content-Type: Application/JSON",
      .request_body = "{}",
      .status = 422,
      .response_headers = "content-type: application/problem+json; charset=utf-8",
      .response_body = "{\"title\":\"no\"}",
      .took_us = 1500000,
      .is_tls = true },
    { .name = "deep",
      .method = "DELETE",
      .scheme = "https",
      .host = "a.b.example.test",
      .port = 443,
      .path = "/x",
      .query = "",
      .status = 404,
      .response_headers = "Content-Type: text/plain",
      .response_body = "not found",
      .took_us = 1,
      .is_tls = true },
    { .name = "lookalike",
      .method = "GET",
      .scheme = "http",
      .host = "notexample.test",
      .port = 80,
      .path = "/index.html",
      .status = 200,
      .response_headers = "Content-Type: application/xhtml+xml",
      .response_bytes = 10240,
      .took_us = 2000000 },
    { .name = "ipv6",
      .method = "GET",
      .scheme = "http",
      .host = "::1",
      .port = 8080,
      .path = "/health",
      .status = 204,
      .took_us = 900 },
    { .name = "ipv4",
      .method = "HEAD",
      .scheme = "http",
      .host = "127.0.0.1",
      .port = 9000,
      .path = "/health",
      .query = "deep=1",
      .version = HTTP_1_0,
      .status = 200,
      .response_headers = "Content-Length: 5",
      .took_us = 1000 },
    { .name = "healthy",
      .method = "GET",
      .scheme = "http",
      .host = "127.0.0.1",
      .port = 9000,
      .path = "/healthy",
      .status = 503,
      .response_headers = "Retry-After: 5\nContent-Type: text/plain",
      .response_body = "warming up",
      .took_us = 3000 },
    { .name = "png",
      .method = "GET",
      .scheme = "https",
      .host = "cdn.test",
      .port = 443,
      .path = "/a/b/logo.png",
      .status = 200,
      .response_headers = "Content-Type: image/png\nAge: 12\nCache-Control: max-age=60",
      .response_bytes = 10241,
      .took_us = 64000000,
      .is_tls = true },
    { .name = "svg",
      .method = "GET",
      .scheme = "https",
      .host = "CDN.test",
      .port = 443,
      .path = "/a/LOGO.svg",
      .status = 304,
      .response_headers = "Content-Type: image/svg+xml\nETag: \"1\"",
      .took_us = 700,
      .is_tls = true },
    { .name = "script",
      .method = "GET",
      .scheme = "https",
      .host = "cdn.test",
      .port = 443,
      .path = "/app.js",
      .status = 200,
      .response_headers = "Content-Type: text/javascript\nContent-Encoding: x-unknown",
      .response_body = "alert('hi')",
      .took_us = 5000,
      .is_tls = true },
    { .name = "style",
      .method = "GET",
      .scheme = "https",
      .host = "cdn.test",
      .port = 443,
      .path = "/app.css",
      .status = 200,
      .response_headers = "Content-Type: text/css ;x=y",
      .response_body = "a{b:c}",
      .took_us = 5001,
      .is_tls = true },
    { .name = "font",
      .method = "GET",
      .scheme = "https",
      .host = "cdn.test",
      .port = 443,
      .path = "/f.woff2",
      .status = 200,
      .response_headers = "Content-Type: font/woff2",
      .response_bytes = 1048576,
      .took_us = 6000,
      .is_tls = true },
    { .name = "video",
      .method = "GET",
      .scheme = "https",
      .host = "media.test",
      .port = 443,
      .path = "/v.mp4",
      .status = 206,
      .response_headers = "Content-Type: video/mp4",
      .response_bytes = 1610612736,
      .took_us = 120000000,
      .is_tls = true },
    { .name = "playlist",
      .method = "GET",
      .scheme = "https",
      .host = "media.test",
      .port = 443,
      .path = "/v.m3u8",
      .status = 200,
      .response_headers = "Content-Type: application/vnd.apple.mpegurl",
      .response_bytes = 1023,
      .took_us = 10,
      .is_tls = true },
    { .name = "upload",
      .method = "POST",
      .scheme = "https",
      .host = "example.test",
      .port = 443,
      .path = "/upload",
      .request_headers = "Content-Type: multipart/form-data; boundary=x",
      .request_body = "--x\r\n\r\nfile\r\n--x--",
      .status = 413,
      .response_bytes = 1024,
      .took_us = 30,
      .is_tls = true },
    { .name = "preflight",
      .method = "OPTIONS",
      .scheme = "https",
      .host = "api.example.test",
      .port = 443,
      .path = "/api/users",
      .request_headers = "Origin: https://example.test\nAccess-Control-Request-Method: PUT",
      .status = 204,
      .response_headers = "Access-Control-Allow-Origin: *",
      .took_us = 40,
      .is_tls = true },
    { .name = "options",
      .method = "OPTIONS",
      .scheme = "http",
      .host = "example.test",
      .port = 80,
      .path = "*",
      .status = 200,
      .response_headers = "Allow: GET, HEAD",
      .took_us = 50 },
    { .name = "websocket",
      .method = "GET",
      .scheme = "https",
      .host = "example.test",
      .port = 443,
      .path = "/live",
      .request_headers = "Connection: keep-alive, Upgrade\nUpgrade: WebSocket",
      .status = 101,
      .response_headers = "Upgrade: websocket",
      .took_us = 60,
      .is_tls = true },
    { .name = "refused",
      .method = "GET",
      .scheme = "http",
      .host = "down.test",
      .port = 81,
      .path = "/a b",
      .status = 502,
      .response_headers = "Content-Type: text/plain",
      .response_body = "connection refused",
      .took_us = 70,
      .error = "connect to down.test:81: Connection refused" },
    { .name = "cut",
      .method = "GET",
      .scheme = "http",
      .host = "down.test",
      .port = 80,
      .path = "/cut",
      .status = 200,
      .response_headers = "Content-Type: application/octet-stream",
      .response_bytes = 4095,
      .took_us = 80,
      .error = "origin closed after 4095 of 9000 bytes",
      .has_failed = true },
    { .name = "silent",
      .method = "GET",
      .scheme = "http",
      .host = "down.test",
      .port = 80,
      .path = "/never",
      .request_headers = "Cookie: sid=abc",
      .took_us = 90,
      .error = "client went away",
      .has_failed = true },
    { .name = "unfinished",
      .method = "GET",
      .scheme = "http",
      .host = "down.test",
      .port = 80,
      .path = "/unfinished",
      .took_us = TAP_NEVER,
      .has_failed = true },
    { .name = "tunnel",
      .method = "CONNECT",
      .scheme = "tcp",
      .host = "ssh.test",
      .port = 22,
      .path = "",
      .status = 200,
      .took_us = 3600000000 },
    { .name = "sealed",
      .method = "CONNECT",
      .scheme = "tls",
      .host = "bank.test",
      .port = 443,
      .path = "",
      .status = 200,
      .took_us = 100 },
    { .name = "opened",
      .method = "CONNECT",
      .scheme = "tls",
      .host = "mqtt.test",
      .port = 8883,
      .path = "",
      .status = 200,
      .took_us = 110,
      .is_tls = true },
    { .name = "latin1",
      .method = "GET",
      .scheme = "http",
      .host = "old.test",
      .port = 80,
      .path = "/caf\xe9",
      .request_headers = "X-Who: Ren\xe9",
      .status = 200,
      .response_headers = "X-Who: Andr\xe9\nX-Empty:",
      .response_body = "caf\xe9",
      .took_us = 120 },
    { .name = "utf8",
      .method = "GET",
      .scheme = "http",
      .host = "new.test",
      .port = 80,
      .path = "/caf\xc3\xa9",
      .query = "k=\xe2\x82\xac",
      .request_headers = "X-Who: Ren\xc3\xa9\nCookie: \xc3\xbc=\xc3\xa4",
      .status = 200,
      .response_body = "un CAF\xc3\x89 noir",
      .took_us = 130 },
    { .name = "odd-method",
      .method = "purge",
      .scheme = "http",
      .host = "cache.test",
      .port = 80,
      .path = "/a%2Fb/%_",
      .query = "x='1'--",
      .request_headers = "A: 1\na: 2\nUpgrade: h2c",
      .status = 299,
      .took_us = 140,
      .error = "" },
    { .name = "odd-cookies",
      .method = "GET",
      .scheme = "http",
      .host = "cookie.test",
      .port = 80,
      .path = "/c",
      .request_headers = "Cookie: ;; bare;a=1;  b = 2 ;sid=\nCookie: d=4",
      .status = 307,
      .response_headers = "Set-Cookie: =novalue\nSet-Cookie: only\nX-Cookie: sid=abc",
      .took_us = 150 },
    { .name = "gateway",
      .method = "GET",
      .scheme = "https",
      .host = "slow.test",
      .port = 443,
      .path = "/",
      .status = 504,
      .response_headers = "Content-Type: text/html",
      .response_body = "<p>timeout</p>",
      .took_us = 15000000,
      .error = "origin did not answer within 15 s",
      .is_tls = true },
    { .name = "xml",
      .method = "GET",
      .scheme = "http",
      .host = "soap.test",
      .port = 80,
      .path = "/s.xml",
      .query = "wsdl",
      .status = 500,
      .response_headers = "Content-Type: text/xml",
      .response_body = "<fault>needle</fault>",
      .took_us = 160 },
    { .name = "audio",
      .method = "GET",
      .scheme = "http",
      .host = "media.test",
      .port = 80,
      .path = "/a.ogg",
      .status = 200,
      .response_headers = "Content-Type: audio/ogg",
      .response_bytes = 1572864,
      .took_us = 170 },
    { .name = "dash",
      .method = "GET",
      .scheme = "http",
      .host = "media.test",
      .port = 80,
      .path = "/m.mpd",
      .status = 200,
      .response_headers = "Content-Type: application/dash+xml",
      .took_us = 180 },
    { .name = "moved",
      .method = "GET",
      .scheme = "http",
      .host = "example.test",
      .port = 8080,
      .path = "/old",
      .status = 301,
      .response_headers = "Location: http://example.test/new\nAge: 0",
      .took_us = 190 },
    { .name = "no-headers",
      .method = "GET",
      .scheme = "http",
      .host = "bare.test",
      .port = 80,
      .path = "/",
      .status = 200,
      .response_headers = "",
      .took_us = 0 },
    { .name = "long",
      .method = "GET",
      .scheme = "http",
      .host = "long.test",
      .port = 80,
      .path = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
      .status = 200,
      .response_headers = "Content-Type:",
      .took_us = 200 },
    { .name = "gzip-text",
      .method = "GET",
      .scheme = "http",
      .host = "zip.test",
      .port = 80,
      .path = "/z",
      .request_headers = "Content-Encoding: gzip\nContent-Type: text/plain",
      .request_body = GZIP "In The Request",
      .status = 200,
      .response_headers = "Content-Type: text/plain",
      .response_body = "plain answer",
      .took_us = 210 },
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct filter_world {
    sqlite3 *db;
    struct tap_tls tls;
    struct entry {
        struct tap_exchange exchange;
        struct http_head *request, *response;
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

static void add_headers(struct http_head *head, const char *lines)
{
    struct span rest = span_of(lines), line;
    struct err err;

    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        must(headers_add(&head->headers, span_sub(line, 0, colon), span_trim(span_from(line, colon + 1)),
                         &err),
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
    entry->exchange.client_tls = row->is_tls ? &world->tls : NULL;
    entry->exchange.times[TAP_T_DONE] = row->took_us;

    entry->request = http_head_new(HTTP_REQUEST);
    entry->request->version = row->version != 0 ? row->version : HTTP_1_1;
    strbuf_add_str(&target, row->path);
    if (row->query != NULL)
        strbuf_printf(&target, "?%s", row->query);
    if (strcmp(row->method, "CONNECT") == 0)
        strbuf_printf(&target, "%s:%d", row->host, row->port);
    entry->request->start_line = strbuf_detach(&target);
    entry->request->target = span_of(entry->request->start_line);
    entry->request->method = span_of(row->method);
    add_headers(entry->request, row->request_headers);
    if (row->status != 0) {
        entry->response = http_head_response(row->status);
        add_headers(entry->response, row->response_headers);
    }
    make_body(&entry->request_body, row->request_body);
    make_body(&entry->response_body, row->response_body);
    entry->subject = (struct filter_subject){
        .exchange = &entry->exchange,
        .request = entry->request,
        .response = entry->response,
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

static void run_schema(sqlite3 *db)
{
    static const char here[] = __FILE__;
    char path[1024], text[32768];
    FILE *file;
    size_t len;

    snprintf(path, sizeof path, "%.*s/../../capture/store/schema/001-first.sql",
             (int)(strrchr(here, '/') - here), here);
    file = fopen(path, "r");
    must(file != NULL, path);
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    must(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
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

/* The columns NAME_headers and NAME_type. */
static void bind_head(sqlite3_stmt *insert, const char *headers, const char *type_name,
                      const struct http_head *head)
{
    json_t *fields = json_array();
    struct span type;
    char *text;

    for (size_t i = 0; i < head->headers.count; i++)
        json_array_append_new(fields, json_pack("[o,o]", json_bytes(headers_name(&head->headers, i)),
                                                json_bytes(headers_value(&head->headers, i))));
    text = json_dumps(fields, JSON_COMPACT);
    sqlite3_bind_text(insert, sqlite3_bind_parameter_index(insert, headers), text, -1, SQLITE_TRANSIENT);
    free(text);
    json_decref(fields);
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
        "host, port, path, query, request_version, status, request_headers, response_headers, request_type, "
        "response_type, request_body, response_body, request_bytes, response_bytes, client_tls, error) "
        "VALUES "
        "($id, 1, $id, x'', $state, 0, $t_done, '', $method, $scheme, $host, $port, $path, $query, $version, "
        "$status, $request_headers, $response_headers, $request_type, $response_type, $request_body, "
        "$response_body, $request_bytes, $response_bytes, $client_tls, $error)";

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
    bind_number(insert, "$version", entry->request->version);
    bind_head(insert, "$request_headers", "$request_type", entry->request);
    if (entry->response != NULL) {
        bind_number(insert, "$status", row->status);
        bind_head(insert, "$response_headers", "$response_type", entry->response);
    }
    if (entry->request_body.len != 0)
        bind_number(insert, "$request_body", 2 * (int64_t)i + 2);
    if (entry->response_body.len != 0)
        bind_number(insert, "$response_body", 2 * (int64_t)i + 3);
    bind_number(insert, "$request_bytes", (int64_t)entry->subject.request_bytes);
    bind_number(insert, "$response_bytes", (int64_t)entry->subject.response_bytes);
    if (row->is_tls)
        bind_number(insert, "$client_tls", 1);
    bind_text(insert, "$error", row->error);
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
    run_schema(world->db);
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

bool filter_world_select(struct filter_world *world, const struct filter *filter, bool *out_found,
                         const char **out_error)
{
    struct strbuf text = STRBUF_EMPTY;
    struct filter_sql sql;
    sqlite3_stmt *select = NULL;
    int rc;

    filter_to_sql(filter, &sql);
    strbuf_printf(&text, "SELECT id FROM exchange WHERE session = 1 AND (%s) ORDER BY id",
                  strbuf_text(&sql.where));
    rc = sqlite3_prepare_v2(world->db, strbuf_text(&text), -1, &select, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sql.bind_count; i++) {
        if (sql.binds[i].is_integer)
            rc = sqlite3_bind_int64(select, (int)i + 1, sql.binds[i].integer);
        else
            rc = sqlite3_bind_text(select, (int)i + 1, sql.binds[i].text, -1, SQLITE_STATIC);
    }
    memset(out_found, 0, ROW_COUNT * sizeof out_found[0]);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(select);
        if (rc == SQLITE_ROW)
            out_found[sqlite3_column_int64(select, 0) - 1] = true;
    }
    *out_error = sqlite3_errmsg(world->db);
    sqlite3_finalize(select);
    filter_sql_clear(&sql);
    strbuf_clear(&text);
    return rc == SQLITE_DONE;
}
