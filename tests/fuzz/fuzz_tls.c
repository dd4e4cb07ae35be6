/* Any bytes to an engine that accepts, in feeds as the bytes themselves say: it never crashes, never opens
 * (nobody signs a Finished by chance), and when it fails it says why. An engine that connects gets the same
 * bytes. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct tls_server *server;
static struct tls_client *client;
static struct leaf *leaf;

struct side {
    struct tls *tls;
    struct evbuffer *out;
    bool shall_wait, is_waiting;
};

static enum tls_answer on_hello(void *self, const struct hello *hello)
{
    struct side *side = self;

    assert(strlen(hello->sni) < sizeof hello->sni);
    tls_set_alpn(side->tls, hello->offers_h1 ? SPAN("http/1.1") : SPAN("h2"));
    tls_set_leaf(side->tls, leaf);
    side->is_waiting = side->shall_wait;
    return side->shall_wait ? TLS_WAIT : TLS_GO;
}

static const struct tls_events events = { on_hello, NULL, NULL, NULL };

static void open_lab(void)
{
    char dir[] = "/tmp/weir-fuzz-XXXXXX", path[64];
    struct tls_client_options options = { .insecure = true };
    struct ca *ca;
    struct err err;
    bool is_new;

    setenv("SSL_CERT_FILE", "/dev/null", 1);
    if (mkdtemp(dir) == NULL || !ca_open(dir, KEY_EC, &ca, &is_new, &err) ||
        !leaf_forge(ca, "example.test", KEY_EC, &leaf, &err) || !tls_client_new(&options, &client, &err))
        abort();
    server = tls_server_new(ca);
    ca_unref(ca);
    static const char *const files[] = { CA_CERT_FILE, CA_KEY_FILE, "ca.lock" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void feed_all(struct side *side, const uint8_t *bytes, size_t len, size_t step)
{
    struct err err = { .code = ERR_NONE };
    bool ok = tls_start(side->tls, &err);

    for (size_t at = 0; ok && at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        char *copy = mem_dup(bytes + at, part);
        ok = tls_feed(side->tls, span_make(copy, part), &err);
        mem_free(copy);
        /* What else has come by then has to wait for the leaf, too. */
        if (ok && side->is_waiting && bytes[at] % 2 == 0) {
            side->is_waiting = false;
            ok = tls_go(side->tls, &err);
        }
    }
    assert(ok || (err.code != ERR_NONE && err.text[0] != '\0'));
    mem_free(tls_facts(side->tls));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct tls_target target = { "example.test", 443, { "\x02h2", 3 } };
    struct side side = { .out = evbuffer_new(), .shall_wait = len % 3 == 0 };
    size_t step;

    if (server == NULL)
        open_lab();
    step = len != 0 ? 1 + bytes[len - 1] * 8u : 1;
    side.tls = tls_accept(server, side.out, &events, &side);
    feed_all(&side, bytes, len, step);
    assert(!tls_is_open(side.tls));
    tls_free(side.tls);
    side.tls = tls_connect(client, NULL, &target, side.out, &events, &side);
    feed_all(&side, bytes, len, step);
    assert(!tls_is_open(side.tls));
    tls_free(side.tls);
    evbuffer_free(side.out);
    return 0;
}
