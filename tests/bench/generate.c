/* generate: makes a session of a wanted size in a store, the same one each time, for measuring exports.
 *
 *   bench_generate STORE --exchanges N --body-bytes B [--token-exchanges T]
 *
 * N exchanges of a browser with a shop of a few hosts, all of a session named after its size. B: bytes of
 * all responses' bodies together; each is between half of an even share and one and a half of it. Three in
 * four are JSON, one in eight is HTML, one in eight an image; one request in five posts JSON. Each request
 * has a browser's header fields, a session's cookie and a token, which changes every T exchanges,
 * 1,000 if not said otherwise. */
#include <stdio.h>
#include <stdlib.h>

#include "capture/store/store_write.h"
#include "proxy/base/err.h"
#include "proxy/base/mem.h"
#include "proxy/http/message.h"

#define STARTED_US 1795292040000000u
#define STEP_US    20000u
#define BATCH      500
#define THINGS     5000

static const char *const hosts[] = { "shop.test", "api.shop.test", "img.shop.test", "cdn.test",
                                     "track.test" };
#define HOSTS (sizeof(hosts) / sizeof(hosts[0]))

struct generator {
    struct store *store;
    int64_t session;
    uint64_t exchanges, body_bytes, token_exchanges;
    uint64_t random;
    struct strbuf path, query, request_headers, response_headers, request_body, response_body;
};

/* xorshift64: the same numbers on every machine. */
static uint64_t next_random(struct generator *generator)
{
    uint64_t x = generator->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return generator->random = x;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static void make_json(struct generator *generator, struct strbuf *out, uint64_t bytes)
{
    strbuf_add_str(out, "{\"items\":[");
    do
        strbuf_printf(out,
                      "{\"id\":%u,\"name\":\"Thing %u\",\"price\":%u.%02u,\"tags\":[\"new\",\"sale\"],"
                      "\"about\":\"gr\xc3\xbc\xc3\x9f \\\"%016llx\\\"\"},",
                      (unsigned)(next_random(generator) % THINGS),
                      (unsigned)(next_random(generator) % THINGS), (unsigned)(next_random(generator) % 1000),
                      (unsigned)(next_random(generator) % 100), (unsigned long long)next_random(generator));
    while (out->len < bytes);
    strbuf_add_str(out, "null]}");
}

static void make_html(struct generator *generator, struct strbuf *out, uint64_t bytes)
{
    strbuf_add_str(out, "<!DOCTYPE html>\n<title>Shop</title>\n");
    do
        strbuf_printf(out, "<p class=\"thing\"><a href=\"/things/%u\">Thing %016llx</a> &amp; more</p>\n",
                      (unsigned)(next_random(generator) % THINGS),
                      (unsigned long long)next_random(generator));
    while (out->len < bytes);
}

static void make_image(struct generator *generator, struct strbuf *out, uint64_t bytes)
{
    strbuf_add(out, SPAN("\x89PNG\r\n\x1a\n"));
    do {
        uint64_t random = next_random(generator);
        strbuf_add(out, span_make((const char *)&random, sizeof random));
    } while (out->len < bytes);
}

/* --- exchanges ----------------------------------------------------------------------------------------- */

enum kind { KIND_JSON, KIND_HTML, KIND_IMAGE };

/* Tokens have nothing in common but what they look like. */
static void make_token(const struct generator *generator, uint32_t seq, char out[40])
{
    uint64_t x = (seq / generator->token_exchanges + 1) * 0x9e3779b97f4a7c15u;
    uint64_t y = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;

    snprintf(out, 40, "eyJ%016llx%016llx", (unsigned long long)y, (unsigned long long)x);
}

static void make_request(struct generator *generator, uint32_t seq, const char *host, enum kind kind,
                         bool is_post)
{
    static const char *const folders[] = { "/api/v1/things", "/things", "/images" };
    static const char *const dests[] = { "empty", "document", "image" };
    unsigned thing = (unsigned)(next_random(generator) % THINGS);
    char token[40];

    make_token(generator, seq, token);
    strbuf_reset(&generator->path);
    strbuf_reset(&generator->query);
    strbuf_reset(&generator->request_headers);
    strbuf_reset(&generator->request_body);
    if (is_post)
        strbuf_add_str(&generator->path, "/api/v1/orders");
    else
        strbuf_printf(&generator->path, "%s/%u", folders[kind], thing);
    if (kind == KIND_JSON)
        strbuf_printf(&generator->query, "page=%u&sort=name", thing % 10);
    if (is_post)
        strbuf_printf(&generator->request_body, "{\"thing\":%u,\"count\":%u,\"note\":\"%016llx\"}", thing,
                      thing % 7, (unsigned long long)next_random(generator));
    strbuf_printf(&generator->request_headers,
                  "[[\"Host\",\"%s\"],[\"User-Agent\",\"Mozilla/5.0 (X11; Linux x86_64) Bench/1.0\"],"
                  "[\"Accept\",\"*/*\"],[\"Accept-Language\",\"en\"],[\"Accept-Encoding\",\"gzip, br\"],"
                  "[\"Referer\",\"https://shop.test/things/%u\"],[\"Sec-Fetch-Dest\",\"%s\"],"
                  "[\"Cookie\",\"sid=%016llx; theme=dark\"],[\"Authorization\",\"Bearer %s\"]%s]",
                  host, thing, dests[kind], 0x9e3779b97f4a7c15ull, token,
                  is_post ? ",[\"Content-Type\",\"application/json\"]" : "");
}

static void make_response(struct generator *generator, enum kind kind)
{
    static const char *const types[] = { "application/json; charset=utf-8", "text/html; charset=utf-8",
                                         "image/png" };
    uint64_t share = generator->body_bytes / generator->exchanges;
    uint64_t bytes = share / 2 + (share != 0 ? next_random(generator) % share : 0);

    strbuf_reset(&generator->response_headers);
    strbuf_reset(&generator->response_body);
    if (kind == KIND_JSON)
        make_json(generator, &generator->response_body, bytes);
    else if (kind == KIND_HTML)
        make_html(generator, &generator->response_body, bytes);
    else
        make_image(generator, &generator->response_body, bytes);
    strbuf_printf(&generator->response_headers,
                  "[[\"Date\",\"Sat, 21 Nov 2026 20:14:00 GMT\"],[\"Content-Type\",\"%s\"],"
                  "[\"Content-Length\",\"%zu\"],[\"Cache-Control\",\"no-store\"],[\"Vary\",\"Cookie\"]]",
                  types[kind], generator->response_body.len);
}

static void set_times(struct store_exchange *row)
{
    for (size_t i = 0; i < TAP_T_COUNT; i++)
        row->times[i] = TAP_NEVER;
    row->times[TAP_T_SENT_FIRST] = 500;
    row->times[TAP_T_SENT_LAST] = 600;
    row->times[TAP_T_RECEIVED_FIRST] = 12000;
    row->times[TAP_T_RECEIVED_LAST] = 15000;
    row->times[TAP_T_DONE] = 15100;
}

/* As a recorder cuts bodies. */
static bool add_body(struct store *store, struct span bytes, int64_t *out_body, struct err *err)
{
    *out_body = 0;
    if (bytes.len == 0)
        return true;
    if (bytes.len <= STORE_PIECE_BYTES)
        return store_add_body(store, bytes, store_hash(bytes), out_body, err);
    if (!store_add_body_list(store, out_body, err))
        return false;
    for (size_t at = 0; at < bytes.len; at += STORE_PIECE_BYTES) {
        size_t left = bytes.len - at;
        struct span piece = span_sub(bytes, at, left < STORE_PIECE_BYTES ? left : STORE_PIECE_BYTES);
        uint64_t hash = store_hash(piece);

        if (!store_append_body(store, *out_body, at, piece, &hash, err))
            return false;
    }
    return true;
}

static bool add_exchange(struct generator *generator, uint32_t seq, struct store_totals *totals,
                         struct err *err)
{
    enum kind kind = seq % 8 == 1 ? KIND_HTML : seq % 8 == 2 ? KIND_IMAGE : KIND_JSON;
    const char *host = hosts[kind == KIND_JSON ? next_random(generator) % HOSTS : kind == KIND_HTML ? 0 : 2];
    bool is_post = kind == KIND_JSON && seq % 5 == 0;
    struct store_exchange row = {
        .session = generator->session,
        .seq = seq,
        .state = RECORD_DONE,
        .started_us = STARTED_US + (uint64_t)seq * STEP_US,
        .client_addr = SPAN("127.0.0.1:50000"),
        .origin_addr = SPAN("192.0.2.7:443"),
        .method = is_post ? SPAN("POST") : SPAN("GET"),
        .scheme = SPAN("https"),
        .host = span_of(host),
        .port = 443,
        .request_version = HTTP_2,
        .response_version = HTTP_2,
        .status = 200,
        .attempts = 1,
    };
    static const struct span response_types[] = { SPAN("application/json"), SPAN("text/html"),
                                                  SPAN("image/png") };

    for (size_t i = 0; i < sizeof row.uid; i++)
        row.uid[i] = i < 12 ? 0x70 : (unsigned char)(seq >> (8 * (15 - i)));
    make_request(generator, seq, host, kind, is_post);
    make_response(generator, kind);
    set_times(&row);
    row.path = strbuf_span(&generator->path);
    row.query = generator->query.len != 0 ? strbuf_span(&generator->query) : SPAN_NONE;
    row.request_headers = strbuf_span(&generator->request_headers);
    row.response_headers = strbuf_span(&generator->response_headers);
    row.request_type = is_post ? SPAN("application/json") : SPAN_NONE;
    row.response_type = response_types[kind];
    row.bytes[HTTP_REQUEST] = row.kept[HTTP_REQUEST] = generator->request_body.len;
    row.bytes[HTTP_RESPONSE] = row.kept[HTTP_RESPONSE] = generator->response_body.len;
    totals->exchanges++;
    totals->seen++;
    totals->bytes[HTTP_REQUEST] += row.bytes[HTTP_REQUEST];
    totals->bytes[HTTP_RESPONSE] += row.bytes[HTTP_RESPONSE];
    return add_body(generator->store, strbuf_span(&generator->request_body), &row.bodies[HTTP_REQUEST],
                    err) &&
           add_body(generator->store, strbuf_span(&generator->response_body), &row.bodies[HTTP_RESPONSE],
                    err) &&
           store_insert_exchange(generator->store, &row, err) &&
           store_add_host(generator->store, generator->session, row.host, err);
}

static bool add_batch(struct generator *generator, uint32_t first, uint32_t last, struct err *err)
{
    struct store_totals totals = { .exchanges = 0 };

    if (!store_begin(generator->store, err))
        return false;
    for (uint32_t seq = first; seq <= last; seq++)
        if (!add_exchange(generator, seq, &totals, err))
            return false;
    if (!store_add_totals(generator->store, generator->session, &totals,
                          STARTED_US + (uint64_t)last * STEP_US, err) ||
        !store_commit(generator->store, err))
        return false;
    store_checkpoint(generator->store);
    return true;
}

static bool generate(struct generator *generator, struct err *err)
{
    char *name = mem_printf("bench-%llu-%llu", (unsigned long long)generator->exchanges,
                            (unsigned long long)generator->body_bytes);
    struct store_session_start start = { .name = name, .filter = "", .options = "{}" };
    struct session_row row;
    uint32_t last_seq;
    bool ok = store_session_start(generator->store, &start, &row, &last_seq, err);

    mem_free(name);
    if (!ok)
        return false;
    generator->session = row.id;
    session_row_clear(&row);
    if (last_seq != 0)
        return err_set(err, ERR_USAGE, "such a session is in the store already");
    for (uint64_t first = 1; ok && first <= generator->exchanges; first += BATCH) {
        uint64_t last = first + BATCH - 1;
        ok = add_batch(generator, (uint32_t)first,
                       (uint32_t)(last < generator->exchanges ? last : generator->exchanges), err);
    }
    return ok && store_session_end(generator->store, generator->session, err);
}

static bool read_arguments(int count, char **arguments, struct generator *generator)
{
    for (int i = 2; i + 1 < count; i += 2) {
        uint64_t *to = strcmp(arguments[i], "--exchanges") == 0         ? &generator->exchanges
                       : strcmp(arguments[i], "--body-bytes") == 0      ? &generator->body_bytes
                       : strcmp(arguments[i], "--token-exchanges") == 0 ? &generator->token_exchanges
                                                                        : NULL;
        if (to == NULL || !span_u64(span_of(arguments[i + 1]), to))
            return false;
    }
    return count >= 6 && count % 2 == 0 && generator->exchanges != 0 && generator->exchanges <= UINT32_MAX &&
           generator->token_exchanges != 0;
}

int main(int count, char **arguments)
{
    struct generator generator = { .random = 0x2545f4914f6cdd1d, .token_exchanges = 1000 };
    struct err err;
    bool ok;

    if (!read_arguments(count, arguments, &generator)) {
        fputs("usage: bench_generate STORE --exchanges N --body-bytes B [--token-exchanges T]\n", stderr);
        return 2;
    }
    ok = store_open(arguments[1], STORE_WRITE, &generator.store, &err) && generate(&generator, &err);
    if (!ok)
        fprintf(stderr, "bench_generate: %s\n", err.text);
    store_close(generator.store);
    struct strbuf *texts[] = { &generator.path,
                               &generator.query,
                               &generator.request_headers,
                               &generator.response_headers,
                               &generator.request_body,
                               &generator.response_body };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_clear(texts[i]);
    return ok ? 0 : 1;
}
