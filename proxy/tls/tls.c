/* OpenSSL reads only what is being fed, a record at a time, so whatever has to wait (while paused, or while a
 * leaf is forged) waits as ciphertext in kept. Its error queue belongs to the thread: it is emptied before
 * each call whose answer depends on it, and after whatever may have left something in it. */
#include "proxy/tls/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <event2/buffer.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "proxy/tls/tls_sessions.h"

/* The most plaintext one record carries (RFC 8446 §5.1). */
#define RECORD_BYTES (16 * 1024)
/* What is told at once: as much as a stream reads at once, so that one turn of the loop is one write. */
#define PLAIN_BYTES (64 * 1024)

static struct tls *of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static const char *other_side(const struct tls *tls)
{
    return tls->server != NULL ? "client" : "origin";
}

/* Emptying the queue costs as much as a short record's encryption, even when it is empty. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* --- Server role: what OpenSSL calls during a handshake --- */

static void see_message(int is_ours, int version, int type, const void *bytes, size_t len, SSL *ssl,
                        void *arg)
{
    (void)version;
    (void)arg;
    if (!is_ours && type == SSL3_RT_HANDSHAKE && len != 0 && *(const char *)bytes == SSL3_MT_CLIENT_HELLO)
        of(ssl)->hello_message = span_make(bytes, len);
}

/* A ticket is good for one host, one CA and this way of doing things: OpenSSL refuses one whose context is
 * not the same, and looks right after the ClientHello callback. */
static bool bind_tickets(struct tls *tls)
{
    unsigned char context[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct strbuf text = STRBUF_EMPTY;
    bool ok;

    strbuf_printf(&text, "weir 1 %s %s", tls->server->ca_fingerprint, leaf_host(tls->leaf));
    ok = EVP_Digest(text.ptr, text.len, context, &len, tls->server->sha256, NULL) == 1 &&
         SSL_set_session_id_context(tls->ssl, context, len) == 1;
    strbuf_clear(&text);
    return ok;
}

static void note_offer(struct tls *tls, const struct hello *hello)
{
    tls->offered_version = hello->max_version;
    if (hello->sni[0] != '\0')
        tls->offered_sni = mem_strdup(hello->sni);
    /* A list too long to be meant seriously is not noted. */
    strbuf_init(&tls->offered_alpn, 1024);
    strbuf_add(&tls->offered_alpn, hello->alpn);
    hello_ja3(hello, tls->ja3);
    hello_ja4(hello, tls->ja4);
}

/* Called once for a ClientHello, again after tls_go, and for the second ClientHello that follows a
 * HelloRetryRequest. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct tls *tls = of(ssl);
    struct hello hello;

    (void)arg;
    if (tls->hello_message.len != 0) {
        enum tls_answer answer;
        bool is_fine = hello_parse(tls->hello_message, &hello);
        SSL_set_msg_callback(ssl, NULL);
        tls->hello_message = SPAN_NONE;
        if (!is_fine) {
            *alert = SSL_AD_DECODE_ERROR;
            return SSL_CLIENT_HELLO_ERROR;
        }
        note_offer(tls, &hello);
        answer = tls->events->on_hello(tls->self, &hello);
        forget_errors();
        if (answer == TLS_WAIT)
            return SSL_CLIENT_HELLO_RETRY;
    }
    if (!tls->is_hello_answered) {
        tls->is_hello_answered = true;
        if (tls->leaf == NULL ||
            SSL_use_cert_and_key(ssl, leaf_x509(tls->leaf), leaf_key(tls->leaf), tls->server->chain, 1) !=
                1 ||
            !bind_tickets(tls)) {
            *alert = SSL_AD_INTERNAL_ERROR;
            return SSL_CLIENT_HELLO_ERROR;
        }
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    const struct span wanted = strbuf_span(&of(ssl)->alpn);

    (void)arg;
    for (unsigned at = 0; at < offered_len; at += 1u + offered[at]) {
        if (wanted.len != 0 && span_eq(wanted, span_make(offered + at + 1, offered[at]))) {
            *out = offered + at + 1;
            *out_len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* --- Client role: the same --- */

static int verify_chain(X509_STORE_CTX *chain, void *arg)
{
    struct tls_client *client = arg;
    struct tls *tls = of(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    bool is_trusted;

    tls_roots_wait(client->roots);
    mem_free(tls->why);
    tls->why = NULL;
    is_trusted = X509_verify_cert(chain) == 1;
    if (!is_trusted) {
        if (X509_STORE_CTX_get_error(chain) == X509_V_OK)
            X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
        tls->why = tls_verify_why(chain, tls->host);
    }
    forget_errors();
    if (!is_trusted && !client->is_insecure && tls->refused_cert == NULL) {
        tls->refused_cert = X509_STORE_CTX_get0_cert(chain); /* the session never gets it */
        X509_up_ref(tls->refused_cert);
    }
    return is_trusted || client->is_insecure;
}

/* Called when the origin asks for a certificate. */
static int show_cert(SSL *ssl, void *arg)
{
    struct tls *tls = of(ssl);

    (void)arg;
    tls->is_cert_requested = true;
    tls->own_cert = client_certs_find(tls->client->certs, tls->host, tls->port);
    if (tls->own_cert != NULL)
        SSL_use_cert_and_key(ssl, client_cert_x509(tls->own_cert), client_cert_key(tls->own_cert),
                             client_cert_chain(tls->own_cert), 1);
    forget_errors();
    return 1;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *tls = of(ssl);

    if (tls->sessions == NULL)
        return 0;
    tls_sessions_take_session(tls->sessions, strbuf_span(&tls->session_key), session, tls->why);
    return 1;
}

void tls_hook_server(SSL_CTX *ctx)
{
    SSL_CTX_set_msg_callback(ctx, see_message);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
}

void tls_hook_client(SSL_CTX *ctx, struct tls_client *client)
{
    SSL_CTX_set_cert_verify_callback(ctx, verify_chain, client);
    SSL_CTX_set_cert_cb(ctx, show_cert, NULL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

/* --- Making and freeing --- */

static struct tls *new_tls(SSL_CTX *ctx, struct evbuffer *out, const struct tls_events *events, void *self)
{
    struct tls *tls = mem_new(struct tls);
    BIO *bio = tls_bio_new(&tls->wire);

    tls->ssl = SSL_new(ctx);
    if (tls->ssl == NULL || SSL_set_app_data(tls->ssl, tls) != 1)
        mem_die();
    tls->wire.out = out;
    tls->events = events;
    tls->self = self;
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

struct tls *tls_accept(struct tls_server *server, struct evbuffer *out, const struct tls_events *events,
                       void *self)
{
    struct tls *tls = new_tls(server->ctx, out, events, self);

    tls->server = server;
    SSL_set_accept_state(tls->ssl);
    return tls;
}

/* Everything that must be the same for a session to be used again. What certificate was shown follows from
 * client, host and port. */
static void make_session_key(struct strbuf *key, const struct tls_client *client,
                             const struct tls_target *target)
{
    strbuf_printf(key, "%" PRIu64 " %" PRIu64 " %s %u ", client->id, tls_mirror_id(target->mirror),
                  target->host, (unsigned)target->port);
    strbuf_add(key, target->alpn);
}

static void resume(struct tls *tls)
{
    SSL_SESSION *session;

    if (tls->sessions == NULL)
        return;
    session = tls_sessions_detach_session(tls->sessions, strbuf_span(&tls->session_key), &tls->why);
    if (session == NULL)
        return;
    SSL_set_session(tls->ssl, session);
    SSL_SESSION_free(session);
}

struct tls *tls_connect(struct tls_client *client, struct tls_sessions *sessions,
                        const struct tls_target *target, struct evbuffer *out,
                        const struct tls_events *events, void *self)
{
    SSL_CTX *mirrored = tls_mirror_ctx(target->mirror);
    struct tls *tls = new_tls(mirrored != NULL ? mirrored : client->ctx, out, events, self);
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    struct in6_addr address;
    size_t host_len = strlen(target->host);

    tls->client = client;
    tls->mirror = tls_mirror_ref(target->mirror);
    tls->sessions = sessions;
    tls->port = target->port;
    make_session_key(&tls->session_key, client, target);
    /* The root's dot is part of a name in DNS, but not in TLS (RFC 6066 §3). */
    tls->host = mem_strdup(target->host);
    if (host_len > 1 && tls->host[host_len - 1] == '.')
        tls->host[host_len - 1] = '\0';
    tls_roots_want(client->roots); /* meanwhile the origin answers */
    SSL_set_connect_state(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (inet_pton(AF_INET, tls->host, &address) == 1 || inet_pton(AF_INET6, tls->host, &address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(param, tls->host);
    } else {
        X509_VERIFY_PARAM_set1_host(param, tls->host, 0);
        SSL_set_tlsext_host_name(tls->ssl, tls->host);
    }
    strbuf_add(&tls->alpn, target->alpn);
    resume(tls);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    assert(!tls->is_pumping);
    /* A connection freed without this takes its session with it, which others may be using. */
    if (tls->state == TLS_OPEN)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    leaf_unref(tls->leaf);
    strbuf_clear(&tls->kept);
    strbuf_clear(&tls->alpn);
    strbuf_clear(&tls->offered_alpn);
    strbuf_clear(&tls->session_key);
    mem_free(tls->offered_sni);
    mem_free(tls->host);
    mem_free(tls->why);
    X509_free(tls->refused_cert);
    tls_mirror_unref(tls->mirror);
    mem_free(tls);
}

void tls_set_leaf(struct tls *tls, struct leaf *leaf)
{
    leaf_ref(leaf);
    leaf_unref(tls->leaf);
    tls->leaf = leaf;
}

void tls_set_alpn(struct tls *tls, struct span protocol)
{
    strbuf_reset(&tls->alpn);
    strbuf_add(&tls->alpn, protocol);
}

/* --- The engine --- */

/* OpenSSL's reason for an alert that came, without the version it puts before: "unknown ca". */
static const char *alert_name(const char *reason)
{
    const char *name = reason != NULL ? strstr(reason, "alert ") : NULL;

    if (name != NULL)
        return name + strlen("alert ");
    name = reason != NULL ? strchr(reason, ' ') : NULL;
    return name != NULL ? name + 1 : "without a name";
}

/* Why the last call of OpenSSL did not work, in words. */
static bool fail(struct tls *tls, struct err *err)
{
    unsigned long code = ERR_peek_error();
    const char *words = ERR_reason_error_string(code);
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    bool was_shaking = tls->state != TLS_OPEN;

    tls->state = TLS_FAILED;
    forget_errors();
    if (was_shaking && tls->client != NULL && tls->why != NULL && !tls->client->is_insecure)
        return err_set(err, ERR_CERT, "%s", tls->why);
    if (reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 0xff) {
        tls->alert_received = (unsigned)(reason - SSL_AD_REASON_OFFSET);
        return err_set(err, ERR_TLS, "the %s ended TLS with the alert '%s' (%u)", other_side(tls),
                       alert_name(words), tls->alert_received);
    }
    if (was_shaking && tls->is_hello_answered && tls->leaf == NULL)
        return err_set(err, ERR_TLS, "there is no certificate to show to the client");
    if (was_shaking && reason == SSL_R_WRONG_VERSION_NUMBER)
        return err_set(err, ERR_TLS, "what the %s sends is not TLS", other_side(tls));
    return err_set(err, ERR_TLS, "TLS with the %s broke: %s", other_side(tls),
                   words != NULL ? words : "it was ended");
}

static bool shake_hands(struct tls *tls, struct err *err)
{
    int answer;

    forget_errors();
    answer = SSL_do_handshake(tls->ssl);
    if (answer == 1) {
        tls->state = TLS_OPEN;
        if (tls->events->on_open != NULL)
            tls->events->on_open(tls->self);
        return true;
    }
    switch (SSL_get_error(tls->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        tls->state = TLS_WAITING;
        return true;
    case SSL_ERROR_ZERO_RETURN:
        tls->was_closed = true;
        return fail(tls, err);
    default:
        return fail(tls, err);
    }
}

/* Where decrypted bytes stay until they are told: one room a thread, as only one engine works at a time. The
 * exception is TLS in TLS, when an engine is fed from inside another's on_plain. */
struct room {
    char *bytes;
    bool is_own;
};
static _Thread_local bool shared_is_taken;

static struct room room_take(void)
{
    static _Thread_local char shared[PLAIN_BYTES];

    if (shared_is_taken)
        return (struct room){ mem_alloc(PLAIN_BYTES), true };
    shared_is_taken = true;
    return (struct room){ shared, false };
}

static void room_give_back(struct room room)
{
    if (room.is_own)
        mem_free(room.bytes);
    else
        shared_is_taken = false;
}

/* Fills room as far as the ciphertext at hand goes. Returns what SSL_get_error says of the end. */
static int decrypt(struct tls *tls, char *room, size_t *out_len)
{
    size_t len = 0, got;
    int why = SSL_ERROR_NONE;

    forget_errors();
    while (len < PLAIN_BYTES) {
        /* Nothing to decrypt: asking OpenSSL again would only cost. */
        if (tls->wire.in.len == 0 && SSL_pending(tls->ssl) == 0) {
            why = SSL_ERROR_WANT_READ;
            break;
        }
        int answer = SSL_read_ex(tls->ssl, room + len, PLAIN_BYTES - len, &got);
        if (answer != 1) {
            why = SSL_get_error(tls->ssl, answer);
            break;
        }
        len += got;
    }
    *out_len = len;
    return why;
}

static bool read_plain(struct tls *tls, struct err *err)
{
    struct room room = room_take();
    bool ok = true;

    while (!tls->is_paused && !tls->was_closed) {
        size_t len;
        int why = decrypt(tls, room.bytes, &len);
        /* OpenSSL's reason is kept in its queue, which the owner's callback may use for itself. */
        struct err failure;
        bool has_failed = why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN;
        if (has_failed)
            fail(tls, &failure);
        if (len != 0 && tls->events->on_plain != NULL)
            tls->events->on_plain(tls->self, span_make(room.bytes, len));
        if (has_failed) {
            *err = failure;
            ok = false;
            break;
        }
        if (why == SSL_ERROR_WANT_READ)
            break;
        if (why == SSL_ERROR_ZERO_RETURN) {
            tls->was_closed = true;
            tls->wire.in = SPAN_NONE; /* what follows close_notify is ignored (RFC 8446 §6.1) */
            if (tls->events->on_close_notify != NULL)
                tls->events->on_close_notify(tls->self);
        }
    }
    room_give_back(room);
    return ok;
}

static bool pump(struct tls *tls, struct err *err)
{
    bool ok = true;

    tls->is_pumping = true;
    if (tls->state == TLS_SHAKING)
        ok = shake_hands(tls, err);
    if (ok && tls->state == TLS_OPEN)
        ok = read_plain(tls, err);
    tls->is_pumping = false;
    return ok;
}

/* The same with what was kept. */
static bool pump_kept(struct tls *tls, struct err *err)
{
    bool ok;

    tls->wire.in = strbuf_span(&tls->kept);
    ok = pump(tls, err);
    strbuf_drop_front(&tls->kept, tls->kept.len - tls->wire.in.len);
    tls->wire.in = SPAN_NONE;
    if (tls->kept.len == 0 || !ok)
        strbuf_clear(&tls->kept);
    return ok;
}

bool tls_start(struct tls *tls, struct err *err)
{
    const unsigned char *alpn = (const unsigned char *)tls->alpn.ptr;

    if (tls->client == NULL)
        return true;
    if (tls->alpn.len != 0 && SSL_set_alpn_protos(tls->ssl, alpn, (unsigned)tls->alpn.len) != 0)
        return err_set(err, ERR_TLS, "the list of protocols to offer is damaged");
    return pump(tls, err);
}

bool tls_go(struct tls *tls, struct err *err)
{
    assert(!tls->is_pumping && tls->state == TLS_WAITING);
    tls->state = TLS_SHAKING;
    return pump_kept(tls, err);
}

bool tls_feed(struct tls *tls, struct span ciphertext, struct err *err)
{
    bool ok;

    assert(!tls->is_pumping);
    if (tls->state == TLS_FAILED)
        return err_set(err, ERR_TLS, "TLS with the %s broke before", other_side(tls));
    if (tls->was_closed)
        return true;
    if (tls->kept.len != 0) {
        strbuf_add(&tls->kept, ciphertext);
        return pump_kept(tls, err);
    }
    tls->wire.in = ciphertext;
    ok = pump(tls, err);
    if (ok)
        strbuf_add(&tls->kept, tls->wire.in);
    tls->wire.in = SPAN_NONE;
    return ok;
}

bool tls_write(struct tls *tls, struct evbuffer *plain, struct err *err)
{
    static _Thread_local char scratch[RECORD_BYTES];
    size_t len, written;

    if (tls->state != TLS_OPEN)
        return err_set(err, ERR_TLS, "there is no TLS with the %s to write to", other_side(tls));
    forget_errors();
    while ((len = evbuffer_get_length(plain)) != 0) {
        size_t at_hand = evbuffer_get_contiguous_space(plain);
        const void *bytes;
        if (at_hand == len || at_hand >= RECORD_BYTES) {
            bytes = evbuffer_pullup(plain, 1);
            len = at_hand == len ? len : at_hand - at_hand % RECORD_BYTES;
        } else {
            len = len < RECORD_BYTES ? len : RECORD_BYTES;
            evbuffer_copyout(plain, scratch, len);
            bytes = scratch;
        }
        if (SSL_write_ex(tls->ssl, bytes, len, &written) != 1)
            return fail(tls, err);
        evbuffer_drain(plain, len);
    }
    return true;
}

void tls_close_notify(struct tls *tls)
{
    if (tls->state != TLS_OPEN || (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return;
    forget_errors();
    SSL_shutdown(tls->ssl); /* to a buffer: nothing to wait for, and nothing that can fail */
    forget_errors();
}

void tls_pause(struct tls *tls)
{
    tls->is_paused = true;
}

bool tls_unpause(struct tls *tls, struct err *err)
{
    if (!tls->is_paused)
        return true;
    tls->is_paused = false;
    return tls->is_pumping || pump_kept(tls, err);
}

/* --- What is known --- */

bool tls_is_open(const struct tls *tls)
{
    return tls->state == TLS_OPEN;
}

/* In TLS 1.3 a server's part of the handshake is over before the client's last message comes. */
bool tls_gave_tickets(const struct tls *tls)
{
    return tls->server != NULL && tls->state == TLS_OPEN && SSL_version(tls->ssl) == TLS1_3_VERSION;
}

bool tls_was_closed(const struct tls *tls)
{
    return tls->was_closed;
}

struct span tls_alpn(const struct tls *tls)
{
    const unsigned char *alpn;
    unsigned len;

    SSL_get0_alpn_selected(tls->ssl, &alpn, &len);
    return span_make(alpn, len);
}

unsigned tls_alert_received(const struct tls *tls)
{
    return tls->alert_received;
}

bool tls_cert_requested(const struct tls *tls)
{
    return tls->is_cert_requested;
}

/* OpenSSL shows none when it can't sign in a way that the origin takes. */
bool tls_cert_shown(const struct tls *tls)
{
    int how;

    return tls->own_cert != NULL && SSL_get_signature_type_nid(tls->ssl, &how) == 1;
}

bool tls_is_verified(const struct tls *tls)
{
    return tls->client != NULL && tls->state == TLS_OPEN && tls->why == NULL &&
           SSL_get_verify_result(tls->ssl) == X509_V_OK && SSL_get0_peer_certificate(tls->ssl) != NULL;
}
