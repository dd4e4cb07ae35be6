/* Any bytes to an engine that accepts and to one that connects, from the start or after some flights between
 * the two, in feeds as the bytes themselves say: they never crash, bytes alone never make them open (nobody
 * signs a Finished by chance), and when they fail they say why. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* It reads roots on a thread, under which OpenSSL must not be taken down. */
static void free_client(void)
{
    tls_client_free(client);
}

static void open_lab(void)
{
    char dir[] = "/tmp/weir-fuzz-XXXXXX", path[64];
    struct tls_client_options options = { .insecure = true };
    struct ca *ca;
    struct err err;
    bool is_new;

    setenv("SSL_CERT_FILE", "/dev/null", 1);
    if (mkdtemp(dir) == NULL || !ca_open(dir, KEY_EC, &ca, &is_new, &err) ||
        !leaf_forge(ca, "example.test", KEY_EC, &leaf, &err) || !tls_client_new(&options, &client, &err) ||
        atexit(free_client) != 0)
        abort();
    server = tls_server_new(ca, NULL);
    ca_unref(ca);
    static const char *const files[] = { CA_CERT_FILE, CA_KEY_FILE, "ca.lock" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static bool feed_all(struct side *side, const uint8_t *bytes, size_t len, size_t step)
{
    struct err err = { .code = ERR_NONE };
    bool ok = true;

    for (size_t at = 0; ok && at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        char *copy = mem_dup(bytes + at, part); /* of its own, so that one byte too many is seen */
        ok = tls_feed(side->tls, span_make(copy, part), &err);
        mem_free(copy);
        /* What else has come by then has had to wait for the leaf, too. */
        if (ok && side->is_waiting && bytes[at] % 2 == 0) {
            side->is_waiting = false;
            ok = tls_go(side->tls, &err);
        }
    }
    assert(ok || (err.code != ERR_NONE && err.text[0] != '\0'));
    return ok;
}

/* What one has to say to the other. */
static bool carry(struct side *from, struct side *to)
{
    size_t len = evbuffer_get_length(from->out);
    bool ok = feed_all(to, evbuffer_pullup(from->out, -1), len, len + 1);

    evbuffer_drain(from->out, len);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct tls_target target = { .host = "example.test", .port = 443, .alpn = { "\x02h2", 3 } };
    struct side accepting = { .out = evbuffer_new() }, connecting = { .out = evbuffer_new() };
    unsigned flights = (unsigned)(len % 5);
    struct err err;
    size_t step;
    bool ok;

    if (server == NULL)
        open_lab();
    accepting.shall_wait = flights == 0 && len % 3 == 0;
    accepting.tls = tls_accept(server, accepting.out, &events, &accepting);
    connecting.tls = tls_connect(client, NULL, &target, connecting.out, &events, &connecting);
    ok = tls_start(connecting.tls, &err);
    for (unsigned i = 0; ok && i < flights; i++)
        ok = i % 2 == 0 ? carry(&connecting, &accepting) : carry(&accepting, &connecting);
    assert(ok);
    step = len != 0 ? 1 + bytes[len - 1] * 8u : 1;
    feed_all(&accepting, bytes, len, step);
    feed_all(&connecting, bytes, len, step);
    assert(flights > 2 || !tls_is_open(accepting.tls));
    assert(flights > 1 || !tls_is_open(connecting.tls));
    mem_free(tls_facts(accepting.tls));
    mem_free(tls_facts(connecting.tls));
    tls_free(accepting.tls);
    tls_free(connecting.tls);
    evbuffer_free(accepting.out);
    evbuffer_free(connecting.out);
    return 0;
}
