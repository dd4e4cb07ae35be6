/* exchange: what happens between a request and its answer, sans-I/O.
 *
 * Both sides' codecs tell it their events; it checks their order, tells the tap, takes care of hop-by-hop
 * fields, passes everything on to the other side at once, and sees to backpressure, early answers, cuts and
 * retries:
 *
 *     client codec --exchange_request_*--> [tap] --> origin side        a side with more than
 * EXCHANGE_HIGH_WATER unsent client side <-- [tap] <--exchange_response_*-- origin codec       stops the
 * other's reading
 *
 * Nothing is written before exchange_settle, which the owner calls after each batch of events from a codec;
 * it may end in on_over, after which the exchange is gone. The owner frees an exchange only by ending it:
 * exchange_client_gone or exchange_origin_failed. */
#ifndef WEIR_EXCHANGE_EXCHANGE_H
#define WEIR_EXCHANGE_EXCHANGE_H

#include "proxy/base/strbuf.h"
#include "proxy/exchange/half.h"
#include "proxy/exchange/hop.h"
#include "proxy/exchange/side.h"
#include "proxy/exchange/tap.h"

/* A side with this much unsent is slow: enough to keep a fast connection busy for its round trip, small
 * enough that a thousand stuck clients cost a quarter of a gigabyte. */
#define EXCHANGE_HIGH_WATER_BYTES (256 * 1024)

/* A request body up to this long is kept while it may have to be sent again. */
#define EXCHANGE_REPLAY_BYTES (64 * 1024)

struct exchange;

enum exchange_end {
    EXCHANGE_COMPLETE, /* both halves were whole: both connections may go on as their heads said */
    EXCHANGE_ANSWERED, /* weir answered in the origin's place, or the origin before the request had ended: the
                          client gets its answer, then its connection is closed; the origin's is closed */
    EXCHANGE_CUT,      /* close both; the client's side has been cut already where it had to be */
};

struct exchange_owner {
    /* The origin's side is needed: answer with exchange_attach or exchange_origin_failed, now or later.
     * Called by exchange_begin's owner itself for the first time, and again from exchange_origin_failed when
     * the request may be sent again on a fresh connection. */
    void (*on_retry)(void *self, struct exchange *exchange);
    /* A 101, or 2xx to a tunnelled CONNECT: what follows is not HTTP. The exchange goes on until
     * exchange_tunnel_end. */
    void (*on_upgrade)(void *self, struct exchange *exchange);
    /* Last call. Both sides are detached. */
    void (*on_over)(void *self, struct exchange *exchange, enum exchange_end end);
};

struct exchange {
    struct tap_exchange facts; /* filled by the owner as things become known; first, so that the tap's pointer
                                  is the exchange's */
    struct tap_line line;
    const struct exchange_owner *owner;
    void *owner_self;
    struct side client, origin;
    enum half request, response;
    struct http_head *request_head;
    struct strbuf target; /* what the origin is asked for */
    struct hop request_hop;
    struct strbuf replay; /* the request's body so far, while it may be sent again */
    uint64_t started_mono_us;
    struct strbuf error;
    int status;      /* of the final response; 0: none yet */
    bool is_proxied; /* the client asked weir as a proxy: see hop.h. The owner's, before exchange_begin */
    bool client_keeps_alive, origin_keeps_alive;
    uint32_t cut_code; /* see exchange_why_cut */
    bool may_replay;   /* on a connection that may be dead, and the request can be sent again whole */
    bool may_resend;   /* the origin may refuse it unseen, and it can be sent again whole */
    bool is_slowed;    /* the tap asked for it */
    bool client_reading, origin_reading; /* what the sides were told last */
    bool request_dirty, response_dirty;  /* queued since the last flush */
    bool is_upgraded, is_over;
    bool client_has_ended;           /* it sends no more; whether it still reads nobody can know */
    bool has_response;               /* a head, at least an interim one, has come */
    bool origin_is_connection_bound; /* NTLM, Negotiate: the connection is the login */
    /* After an upgrade: whoever reads both sides instead of them, told when the tap lets them go on. */
    void (*on_tunnel_resume)(void *self);
    void *tunnel_self;
};

/* started_us of facts is made from started_mono_us. client_addr, scheme, host, port, client_tls of facts are
 * the caller's to fill, before exchange_begin. */
struct exchange *exchange_new(struct side client, const struct exchange_owner *owner, void *owner_self,
                              uint64_t started_mono_us);

/* The request's head, which becomes the exchange's; NULL: a tunnel that began without one. host_line: see
 * hop.h. False when the request ends here by Max-Forwards; call exchange_answer. */
bool exchange_begin(struct exchange *exchange, struct tap *tap, struct http_head *head, struct span target,
                    struct span host_line);
/* Now. TAP_T_* in facts.times. mono_us 0: never. */
void exchange_mark_at(struct exchange *exchange, enum tap_time which, uint64_t mono_us);
void exchange_mark(struct exchange *exchange, enum tap_time which);

/* The origin's side is there. is_reused: the connection was pooled, and may be dead. Sends what there is of
 * the request. */
void exchange_attach(struct exchange *exchange, struct side origin, bool is_reused);

/* From the client's codec. */
void exchange_request_chunk(struct exchange *exchange, uint64_t size, struct span line);
void exchange_request_body(struct exchange *exchange, struct span bytes);
void exchange_request_end(struct exchange *exchange, const struct headers *trailers);
/* From the origin's codec. exchange_response_bytes first, when bytes of any kind have come. Takes head. */
void exchange_response_bytes(struct exchange *exchange, size_t wire_bytes);
void exchange_response_head(struct exchange *exchange, struct http_head *head);
void exchange_response_chunk(struct exchange *exchange, uint64_t size, struct span line);
void exchange_response_body(struct exchange *exchange, struct span bytes);
void exchange_response_end(struct exchange *exchange, const struct headers *trailers);

/* Flushes, sees to backpressure, ends what is over. The exchange may be gone afterwards. */
void exchange_settle(struct exchange *exchange);
/* A side's unsent bytes have gone. */
void exchange_drained(struct exchange *exchange);

/* The origin says that it has not looked at the request (RFC 9113 §8.7): sent again by on_retry where that is
 * still possible, else as exchange_origin_failed with CUT_RESET. The exchange may be gone afterwards. */
void exchange_origin_refused(struct exchange *exchange, const char *error);
/* Before exchange_origin_failed or exchange_client_gone: what the side that is lost said, in HTTP/2's words
 * (RFC 9113 §7), for the other side to be told. Whoever has said something was not dead: the request is not
 * sent again but by exchange_origin_refused. */
void exchange_why_cut(struct exchange *exchange, uint32_t code);
/* The origin's side is lost, or was never reached: not attached afterwards. status: what the client is told
 * when that is still possible and the failure is of weir's own making (dial, TLS, a malformed answer): 502,
 * 504; 0: a cut, passed on as how. The exchange may be gone afterwards. */
void exchange_origin_failed(struct exchange *exchange, int status, enum cut how, const char *error);
/* The client is lost (its side must not be used any more), or what it sent is refused. The exchange is gone
 * afterwards. */
void exchange_client_gone(struct exchange *exchange, enum cut how, const char *error);
/* What the client sent is refused in the middle of its request: the origin's side is cut, the client told
 * status if it can be. Gone afterwards. */
void exchange_refuse(struct exchange *exchange, int status, const char *error);
/* weir answers: status with a text for a person; html: in a page. The exchange is over with it. */
void exchange_answer(struct exchange *exchange, int status, const char *error);

/* weir answers with a response of its own making. Takes head; the exchange is over with it. */
void exchange_respond(struct exchange *exchange, struct http_head *head, struct span body);

/* The exchange's two sides are now read by somebody else (a tunnel), who asks is_slowed before each reading;
 * on_resume(self) is called when that has become false. self outlives the exchange. */
void exchange_set_tunnel(struct exchange *exchange, void (*on_resume)(void *self), void *self);
/* Bytes that a tunnel is about to write to the origin (HTTP_REQUEST) or to the client: counted, and, after an
 * upgrade, told to the tap, whose answer is in is_slowed afterwards. */
void exchange_tunnel_bytes(struct exchange *exchange, enum http_role side, struct span bytes);
/* After on_upgrade: everything has been relayed, or one side was cut (error not NULL). The exchange is gone
 * afterwards. */
void exchange_tunnel_end(struct exchange *exchange, const char *error);

#endif
