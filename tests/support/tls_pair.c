#include "tests/support/tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "certs/ca.h"
#include "certs/leaf.h"

void tls_lab_open(struct tls_lab *lab)
{
    struct tls_client_options options = { .insecure = false };
    bool is_new;
    struct err err;

    *lab = (struct tls_lab){ .dir = "/tmp/weir-tls-XXXXXX" };
    assert_non_null(mkdtemp(lab->dir));
    /* The system's roots are no part of a test. */
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", lab->dir, 1);
    assert_true(ca_open(lab->dir, KEY_EC, &lab->ca, &is_new, &err));
    lab->server = tls_server_new(lab->ca, NULL);
    options.upstream_ca = ca_cert_path(lab->ca);
    assert_true(tls_client_new(&options, &lab->client, &err));
}

static void remove_file(const struct tls_lab *lab, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", lab->dir, name);
    unlink(path);
}

void tls_lab_close(struct tls_lab *lab)
{
    tls_client_free(lab->client);
    tls_server_free(lab->server);
    ca_unref(lab->ca);
    remove_file(lab, CA_CERT_FILE);
    remove_file(lab, CA_KEY_FILE);
    remove_file(lab, "ca.lock");
    assert_int_equal(rmdir(lab->dir), 0);
}

struct leaf *tls_lab_leaf(const struct tls_lab *lab, const char *host)
{
    struct leaf *leaf;
    struct err err;

    assert_true(leaf_forge(lab->ca, host, KEY_EC, &leaf, &err));
    return leaf;
}

static enum tls_answer on_hello(void *self, const struct hello *hello)
{
    struct tls_pair *pair = self;

    pair->server.hello_count++;
    strcpy(pair->sni, hello->sni);
    if (pair->on_hello != NULL)
        pair->on_hello(pair);
    if (pair->answer == TLS_WAIT)
        return TLS_WAIT;
    if (pair->leaf != NULL)
        tls_set_leaf(pair->server.tls, pair->leaf);
    if (pair->alpn != NULL)
        tls_set_alpn(pair->server.tls, span_of(pair->alpn));
    return TLS_GO;
}

static void end_open(struct tls_end *end)
{
    end->open_count++;
}

static void end_plain(struct tls_end *end, struct span bytes)
{
    strbuf_add(&end->plain, bytes);
    if (end->on_plain != NULL)
        end->on_plain(end, bytes);
}

static void client_open(void *self)
{
    end_open(&((struct tls_pair *)self)->client);
}
static void client_plain(void *self, struct span bytes)
{
    end_plain(&((struct tls_pair *)self)->client, bytes);
}
static void client_close(void *self)
{
    ((struct tls_pair *)self)->client.close_count++;
}
static void server_open(void *self)
{
    end_open(&((struct tls_pair *)self)->server);
}
static void server_plain(void *self, struct span bytes)
{
    end_plain(&((struct tls_pair *)self)->server, bytes);
}
static void server_close(void *self)
{
    ((struct tls_pair *)self)->server.close_count++;
}

static const struct tls_events client_events = { NULL, client_open, client_plain, client_close };
static const struct tls_events server_events = { on_hello, server_open, server_plain, server_close };

void tls_pair_open_target(struct tls_pair *pair, const struct tls_lab *lab, struct tls_client *client,
                          struct tls_sessions *sessions, const struct tls_target *target)
{
    *pair = (struct tls_pair){ .step = SIZE_MAX, .answer = TLS_GO };
    pair->leaf = tls_lab_leaf(lab, target->host);
    pair->client.out = evbuffer_new();
    pair->server.out = evbuffer_new();
    pair->server.tls = tls_accept(lab->server, pair->server.out, &server_events, pair);
    pair->client.tls = tls_connect(client, sessions, target, pair->client.out, &client_events, pair);
}

void tls_pair_open(struct tls_pair *pair, const struct tls_lab *lab, struct tls_client *client,
                   struct tls_sessions *sessions, const char *host, const char *alpn)
{
    struct tls_target target = { .host = host, .port = 443, .alpn = span_of(alpn) };

    tls_pair_open_target(pair, lab, client, sessions, &target);
}

void tls_pair_start(struct tls_pair *pair)
{
    assert_true(tls_start(pair->client.tls, &pair->client.err));
    tls_pair_run(pair);
}

/* Bytes to an end that has failed are lost, as they are on a socket that was closed. */
static bool carry(struct tls_end *from, struct tls_end *to, size_t step)
{
    size_t len = evbuffer_get_length(from->out);
    char *bytes;

    if (len == 0)
        return false;
    len = len < step ? len : step;
    bytes = malloc(len); /* of its own, so that one byte too many is seen */
    assert_non_null(bytes);
    evbuffer_remove(from->out, bytes, len);
    if (!to->has_failed)
        to->has_failed = !tls_feed(to->tls, span_make(bytes, len), &to->err);
    free(bytes);
    return true;
}

void tls_pair_run(struct tls_pair *pair)
{
    bool moved;

    do {
        moved = carry(&pair->client, &pair->server, pair->step);
        moved |= carry(&pair->server, &pair->client, pair->step);
    } while (moved);
}

static void end_close(struct tls_end *end)
{
    tls_free(end->tls);
    evbuffer_free(end->out);
    strbuf_clear(&end->plain);
}

void tls_pair_close(struct tls_pair *pair)
{
    end_close(&pair->client);
    end_close(&pair->server);
    leaf_unref(pair->leaf);
}

void tls_pair_send(struct tls_pair *pair, struct tls_end *end, struct span bytes, size_t pieces)
{
    struct evbuffer *plain = evbuffer_new();
    size_t each = bytes.len / pieces + 1;

    while (bytes.len != 0) {
        /* A buffer of its own each: evbuffer_add would fill the last chunk's room first. */
        struct evbuffer *piece = evbuffer_new();
        size_t len = bytes.len < each ? bytes.len : each;
        evbuffer_add(piece, bytes.ptr, len);
        evbuffer_add_buffer(plain, piece);
        evbuffer_free(piece);
        bytes = span_from(bytes, len);
    }
    assert_true(tls_write(end->tls, plain, &end->err));
    assert_int_equal(evbuffer_get_length(plain), 0);
    evbuffer_free(plain);
    tls_pair_run(pair);
}
