/* tap: where exchange events leave the live path. The proxy tells; it never knows who listens.
 *
 * A listener lives on one worker and is called on that worker's loop, in order, and must not block. It may
 * answer TAP_SLOWER: the exchange then stops reading both its sides until the listener calls x->resume(x) on
 * the same worker. For one exchange the order is
 *
 *     on_request  [on_body(HTTP_REQUEST)]* [on_end(HTTP_REQUEST)]      what the client sent, and, at the same
 * time, [on_response]* [on_body(HTTP_RESPONSE)]* [on_end(HTTP_RESPONSE)] what answered it (interim heads too)
 *     [on_upgraded]*                                                   either side, after a 101
 *     on_done                                                          always, exactly once; last
 *
 * Bytes are told before they are written to the client. A listener copies what it keeps: spans, heads and
 * trailers are borrowed for the call. The struct tap_exchange is valid until on_done returns. */
#ifndef WEIR_EXCHANGE_TAP_H
#define WEIR_EXCHANGE_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/message.h"
#include "proxy/http/url.h"

/* Room for "address:port" of any kind, IPv6 in brackets and with a scope. */
#define TAP_ADDRESS_BYTES 80

enum tap_answer { TAP_GO, TAP_SLOWER };

/* What a TLS handshake agreed on, and what was found of the certificate: made once a connection, shared by
 * its exchanges, immutable. */
struct tap_tls {
    atomic_uint refs;
    uint64_t id; /* unique in this process: for whoever wants to store it once */
    char *json;  /* owned; one object: version, cipher, alpn, sni, resumed; origins: via (the upstream
                    proxy, also where there is no TLS), fingerprint_sha256, verified, why, subject, issuer,
                    not_after; clients: offered versions and alpn */
};
struct tap_tls *tap_tls_new(char *json); /* takes json */
struct tap_tls *tap_tls_ref(struct tap_tls *tls);
void tap_tls_unref(struct tap_tls *tls); /* NULL is fine */

/* When things happened, in µs after tap_exchange.started_us (negative: before it, on a connection that was
 * there already). TAP_NEVER: did not happen, or not for this exchange. */
#define TAP_NEVER INT64_MIN
enum tap_time {
    TAP_T_ACCEPTED, /* the client's connection */
    TAP_T_DNS_START,
    TAP_T_DNS_END,
    TAP_T_CONNECT_START,
    TAP_T_CONNECT_END,
    TAP_T_TLS_START,
    TAP_T_TLS_END, /* with the origin; of what failed, too, is told how far it came */
    TAP_T_SENT_FIRST,
    TAP_T_SENT_LAST, /* of the request, to the origin */
    TAP_T_RECEIVED_FIRST,
    TAP_T_RECEIVED_LAST, /* of the response, from the origin */
    TAP_T_DONE,
    TAP_T_COUNT,
};

enum tap_flag {
    TAP_UPSTREAM_REUSED = 1 << 0,    /* sent on a pooled connection */
    TAP_RETRIED = 1 << 1,            /* sent again after a dead pooled connection */
    TAP_HOST_DIFFERS = 1 << 2,       /* Host or :authority names another host than was dialled */
    TAP_NO_CLOSE_NOTIFY = 1 << 3,    /* the origin ended TLS without close_notify */
    TAP_TUNNEL = 1 << 4,             /* a tunnel: bytes counted, not understood */
    TAP_UPGRADED = 1 << 5,           /* 101: what follows the head is no HTTP: told by on_upgraded */
    TAP_MADE_BY_WEIR = 1 << 6,       /* the response is weir's own (errors) */
    TAP_CLIENT_CERT_WANTED = 1 << 7, /* the origin asked for a client certificate */
    TAP_SEALED = 1 << 8, /* a tunnel: TLS passed through unopened, known at on_request; a notice says why */
    TAP_ALT_SVC_EDITED = 1 << 9, /* Alt-Svc went on without its offers of HTTP/3 */
};

enum tap_outcome {
    TAP_DONE,    /* both halves ended as they should */
    TAP_ABORTED, /* one side was cut, refused, or never reached; error says which and why */
};

struct tap_exchange {
    /* Known at on_request. */
    uint64_t started_us;                 /* wall clock: first byte of the request */
    char client_addr[TAP_ADDRESS_BYTES]; /* "address:port", IPv6 in brackets */
    const char *scheme;                  /* "http", "https"; "tcp" and "tls" for tunnels */
    char host[URL_HOST_BYTES];           /* of the recorded URL: Host or :authority, else what was dialled */
    uint16_t port;
    struct tap_tls *client_tls; /* NULL: none */
    unsigned listener;          /* which of the proxy's, from 0 */
    const char *user;           /* who the client said it is (proxy authentication, SOCKS); NULL: nobody */

    /* Known as it goes on; final at on_done. */
    int64_t times[TAP_T_COUNT];
    char origin_addr[TAP_ADDRESS_BYTES];
    struct tap_tls *origin_tls;
    unsigned flags;                                   /* enum tap_flag */
    unsigned attempts;                                /* upstream connections tried */
    uint64_t request_wire_bytes, response_wire_bytes; /* heads, framing and trailers included, TLS not */
    uint64_t tunnel_sent_bytes,
        tunnel_received_bytes; /* after an upgrade, or of a tunnel: to, from the origin */
    const char *error;         /* one line, NULL: none */

    /* Listener on the worker's loop, after TAP_SLOWER: goes on. */
    void (*resume)(struct tap_exchange *exchange);
};

/* Notable things that are no exchange: a refused handshake, a client that does not trust the CA. */
struct tap_notice {
    uint64_t time_us; /* wall clock */
    const char *kind; /* "handshake-refused", "untrusted-ca", ... */
    const char *client_addr;
    const char *host; /* NULL: none */
    const char *text; /* one line for a person */
    /* As in tap_exchange, of the client that it is about. */
    unsigned listener;
    const char *user;
};

struct tap_listener {
    /* The record returned is handed to the calls that follow; NULL: not interested in this exchange. head is
     * what the client sent; for tunnels a CONNECT head or NULL. */
    void *(*on_request)(void *self, struct tap_exchange *exchange, const struct http_head *head);
    void (*on_response)(void *record, const struct http_head *head);
    enum tap_answer (*on_body)(void *record, enum http_role side, struct span bytes);
    void (*on_end)(void *record, enum http_role side, const struct headers *trailers); /* NULL: none */
    void (*on_done)(void *record, enum tap_outcome outcome);
    void (*on_notice)(void *self, const struct tap_notice *notice); /* may be NULL */
    /* After an upgrade (101): bytes on their way to (HTTP_REQUEST) or from the origin, which are no HTTP. Not
     * of other tunnels. May be NULL. */
    enum tap_answer (*on_upgraded)(void *record, enum http_role side, struct span bytes);
};

/* The listeners of one worker. Few and fixed: added before the first exchange. */
#define TAP_MAX_LISTENERS 4
struct tap {
    unsigned count;
    struct {
        const struct tap_listener *listener;
        void *self;
    } rows[TAP_MAX_LISTENERS];
};
void tap_add(struct tap *tap, const struct tap_listener *listener, void *self);

/* One exchange's way to all listeners: what the exchange engine calls. */
struct tap_line {
    struct tap *tap;
    void *records[TAP_MAX_LISTENERS];
};
void tap_request(struct tap_line *line, struct tap *tap, struct tap_exchange *exchange,
                 const struct http_head *head);
void tap_response(struct tap_line *line, const struct http_head *head);
enum tap_answer tap_body(struct tap_line *line, enum http_role side, struct span bytes);
enum tap_answer tap_upgraded(struct tap_line *line, enum http_role side, struct span bytes);
void tap_end(struct tap_line *line, enum http_role side, const struct headers *trailers);
void tap_done(struct tap_line *line, enum tap_outcome outcome);
void tap_notify(struct tap *tap, const struct tap_notice *notice);

#endif
