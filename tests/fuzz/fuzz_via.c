/* What an upstream proxy may answer, of every kind: whole and one byte at a time it must come to the same,
 * and nothing that is given back as the tunnel's has been looked at. The first byte chooses the proxy; with
 * the last choice the bytes are a rule of --via. */
#include <stdint.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "proxy/base/mem.h"
#include "proxy/mode/via_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define HOST_NAME    "api.test"
#define HOST_ADDRESS "192.0.2.7"

static const char *const ways[] = { "http://p.test",      "http://u:p@p.test",   "socks4://p.test",
                                    "socks4a://u@p.test", "socks5://p.test",     "socks5://u:p@p.test",
                                    "socks5h://p.test",   "socks5h://u:p@p.test" };
#define WAY_COUNT (sizeof ways / sizeof ways[0])

struct outcome {
    enum via_answer answer;
    enum err_code code;
    size_t used;
    struct evbuffer *out;
};

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static struct outcome talk(const struct via_hop *hop, struct span bytes, size_t step)
{
    struct via_handshake *handshake =
        via_handshake_new(hop, via_wants_address(hop) ? HOST_ADDRESS : HOST_NAME, 443);
    struct outcome outcome = { .answer = VIA_MORE, .out = evbuffer_new() };
    struct err err = { .code = ERR_NONE };

    check(via_handshake_start(handshake, outcome.out, &err));
    while (outcome.answer == VIA_MORE && outcome.used < bytes.len) {
        size_t left = bytes.len - outcome.used, some = step < left ? step : left, used = SIZE_MAX;
        outcome.answer =
            via_handshake_feed(handshake, span_sub(bytes, outcome.used, some), &used, outcome.out, &err);
        check(used <= some && (outcome.answer == VIA_READY || used == some));
        outcome.used += used;
    }
    if (outcome.answer == VIA_REFUSED) {
        outcome.used = 0; /* all of what was fed at once */
        outcome.code = err.code;
        check(err.code != ERR_NONE && err.text[0] != '\0');
        for (const char *c = err.text; *c != '\0'; c++)
            check((unsigned char)*c >= ' ');
    } else if (outcome.answer == VIA_MORE) {
        check(!via_handshake_cut(handshake, &err));
    }
    via_handshake_free(handshake);
    return outcome;
}

static void talk_both_ways(const char *way, struct span bytes)
{
    struct target target = { .host = HOST_NAME, .port = 443 };
    struct outcome whole, bytewise;
    struct via *via;
    struct err err;

    check(via_new(&way, 1, &via, &err));
    whole = talk(via_find(via, &target), bytes, SIZE_MAX);
    bytewise = talk(via_find(via, &target), bytes, 1);
    check(whole.answer == bytewise.answer && whole.code == bytewise.code && whole.used == bytewise.used);
    check(evbuffer_get_length(whole.out) == evbuffer_get_length(bytewise.out));
    check(memcmp(evbuffer_pullup(whole.out, -1), evbuffer_pullup(bytewise.out, -1),
                 evbuffer_get_length(whole.out)) == 0);
    evbuffer_free(whole.out);
    evbuffer_free(bytewise.out);
    via_free(via);
}

static void read_rule(struct span bytes)
{
    struct target target = { .host = HOST_NAME, .port = 443 };
    char *rule = mem_spandup(bytes);
    const char *const rules[] = { rule };
    struct via *via;
    struct err err;

    if (strstr(rule, "file:") == NULL && via_new(rules, 1, &via, &err)) {
        const struct via_hop *hop = via_find(via, &target);
        if (hop != NULL) {
            const char *const again[] = { hop->name };
            struct via *same;
            check(via_new(again, 1, &same, &err));
            check(strcmp(via_find(same, &target)->name, hop->name) == 0);
            via_free(same);
        }
        via_free(via);
    }
    mem_free(rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (data[0] % (WAY_COUNT + 1) == WAY_COUNT)
        read_rule(span_make(data + 1, len - 1));
    else
        talk_both_ways(ways[data[0] % (WAY_COUNT + 1)], span_make(data + 1, len - 1));
    return 0;
}
