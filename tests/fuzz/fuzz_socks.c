/* SOCKS, whole and one byte at a time, with and without a password: the same answers, the same target, the
 * same rest; a target is one that a URL can name. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/mode/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The longest handshake: a greeting, a login, a request. */
#define MAX_HANDSHAKE_BYTES (257 + 513 + 520)

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

struct outcome {
    struct socks *socks;
    struct evbuffer *out;
    enum socks_answer answer;
    size_t used;
    struct err err;
};

static void run(struct outcome *outcome, const struct auth *auth, struct span bytes, size_t piece)
{
    *outcome = (struct outcome){ .socks = socks_new(auth), .out = evbuffer_new(), .answer = SOCKS_NEED_MORE };
    while (outcome->answer == SOCKS_NEED_MORE && outcome->used < bytes.len) {
        size_t len = piece < bytes.len - outcome->used ? piece : bytes.len - outcome->used, used;
        char *copy = mem_dup(bytes.ptr + outcome->used, len); /* ASan sees who reads past it */

        outcome->answer =
            socks_feed(outcome->socks, span_make(copy, len), &used, outcome->out, &outcome->err);
        check(used <= len && (used == len || outcome->answer != SOCKS_NEED_MORE));
        outcome->used += used;
        mem_free(copy);
    }
    check(outcome->used <= MAX_HANDSHAKE_BYTES);
}

static void clear(struct outcome *outcome)
{
    socks_free(outcome->socks);
    evbuffer_free(outcome->out);
}

static void check_target(const struct target *target)
{
    struct strbuf text = STRBUF_EMPTY;
    struct authority authority;
    struct err err;

    url_add_authority(&text, SPAN("http"), target->host, target->port);
    check(target->port != 0 && url_parse_authority(strbuf_span(&text), &authority, &err));
    check(strcmp(authority.host, target->host) == 0);
    strbuf_clear(&text);
}

static void same(const struct outcome *a, const struct outcome *b)
{
    size_t len = evbuffer_get_length(a->out);
    const char *user_a = socks_user(a->socks), *user_b = socks_user(b->socks);

    check(a->answer == b->answer && a->used == b->used && len == evbuffer_get_length(b->out));
    check(len == 0 || memcmp(evbuffer_pullup(a->out, -1), evbuffer_pullup(b->out, -1), len) == 0);
    check((user_a == NULL) == (user_b == NULL) && (user_a == NULL || strcmp(user_a, user_b) == 0));
    if (a->answer == SOCKS_REFUSED)
        check(a->err.code == b->err.code && strcmp(a->err.text, b->err.text) == 0);
    if (a->answer != SOCKS_READY)
        return;
    check_target(socks_target(a->socks));
    check(strcmp(socks_target(a->socks)->host, socks_target(b->socks)->host) == 0);
    check(socks_target(a->socks)->port == socks_target(b->socks)->port);
}

static void run_both(const struct auth *auth, struct span bytes)
{
    struct outcome whole, bytewise;

    run(&whole, auth, bytes, SIZE_MAX);
    run(&bytewise, auth, bytes, 1);
    same(&whole, &bytewise);
    clear(&whole);
    clear(&bytewise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct auth *auth;
    struct err err;

    if (auth == NULL)
        check(auth_new("u:p", &auth, &err));
    run_both(NULL, span_make(data, len));
    run_both(auth, span_make(data, len));
    return 0;
}
