/* client_impl: the insides of a client, shared by the files that make it up: client.c (its life), request.c
 * (a request and who answers it), client_http.c and client_h2.c (how requests come), client_first.c (what a
 * client begins with, as its listener's mode has it), client_connect.c (what is inside, once the origin is
 * known), client_tunnel.c (what is only passed on). Nobody else includes this. */
#ifndef WEIR_LIVE_CLIENT_IMPL_H
#define WEIR_LIVE_CLIENT_IMPL_H

#include "proxy/http/h1_write.h"
#include "proxy/live/client.h"
#include "proxy/live/link.h"
#include "proxy/live/request.h"
#include "proxy/live/tunnel.h"
#include "proxy/live/upstream.h"
#include "proxy/mode/forward.h"
#include "proxy/mode/socks.h"
#include "proxy/tls/tls_mirror.h"

enum client_phase {
    CLIENT_FIRST, /* nothing told yet what it speaks */
    CLIENT_OUTER, /* a handshake with the proxy itself */
    CLIENT_SOCKS,
    CLIENT_HTTP,
    CLIENT_H2,
    CLIENT_SNIFF,
    CLIENT_HANDSHAKE, /* with the origin that weir stands for */
    CLIENT_TUNNEL,
    CLIENT_CLOSED
};

struct client {
    TAILQ_ENTRY(client) in_live;
    struct live *live;
    const struct live_listener *listener;
    struct link link;
    enum client_phase phase;
    bool is_allowed;
    enum reach reach;
    char name[ADDRESS_TEXT_BYTES]; /* "address:port" */
    char ip[ADDRESS_TEXT_BYTES];
    uint64_t accepted_us;
    struct loop_timer timer;

    struct request one; /* of HTTP/1, over and over; of a tunnel its exchange and upstream */

    struct socks *socks; /* NULL: came in another way */
    char *user;          /* who it said it is, for all that is inside; NULL: nobody */

    /* HTTP/1 */
    struct h1 *h1;
    struct h1_writer writer;
    struct http_head *new_head; /* just read, its exchange not begun */
    uint64_t head_started_us;
    uint64_t head_wire_bytes;
    struct strbuf path; /* what weir itself is asked for; scratch for targets */

    /* HTTP/2 */
    struct h2 *h2; /* NULL: speaks HTTP/1 */
    TAILQ_HEAD(request_list, request) requests;
    TAILQ_HEAD(, request) dirty_requests;
    struct err h2_error; /* its frames are malformed: it ends with the batch */
    bool is_settling, is_writing;

    /* Inside CONNECT or SOCKS, and from the start where the listener's mode says the origin */
    bool is_inner;
    bool has_tls;                   /* link.tls is with the origin that weir stands for, not with the proxy */
    struct target target;           /* is_tls: the origin's side, which but in reverse mode follows has_tls */
    struct http_head *connect_head; /* for the record of a tunnel; NULL: there was none */
    uint64_t connect_started_us;
    char sni[URL_HOST_BYTES];
    struct strbuf alpn_offer; /* what the upstream connection offers */
    enum key_type leaf_type;
    bool waits_for_rsa;        /* the key of RSA leaves is being made */
    bool offers_connect;       /* the origin is known to take WebSockets in HTTP/2 (RFC 8441) */
    struct tls_mirror *mirror; /* what it offered, for the origin; NULL: weir's own */
    bool offers_h1;
    bool asks_origin;      /* which protocol it chooses: the handshake waits for that */
    bool is_leaf_on_trial; /* our certificate was accepted, but nothing came inside TLS yet */
    uint64_t leaf_us;      /* when it was sent; 0: not yet */
    bool is_sealed;        /* TLS passes unopened */
    bool owes_yes;         /* CONNECT is answered when the origin is there */
    bool wants_tunnel;     /* what its ALPN comes to is no HTTP: decided before the handshake is done */
    struct tap_tls *tls_facts;
    struct upstream_key key; /* of the requests inside */
    struct upstream *spare;  /* opened while the client was silent, or its handshake waited */
    struct upstream *failed; /* kept: could not be opened then; what was asked first is told. NULL: none */
    int failed_status;
    bool failed_is_own, is_failure_told;
    struct strbuf failed_error;
    struct upstream *bound; /* logged in for this client alone (NTLM) */
    struct tunnel *tunnel;
};

/* client.c */
unsigned client_listener_index(const struct client *client);
extern const struct link_events client_link_events;
void client_close(struct client *client,
                  bool is_clean); /* after what is queued; is_clean: TLS is ended with close_notify */
void client_cut(struct client *client, enum cut how);
void client_wait_for_request(struct client *client);
void client_notify(struct client *client, const char *kind, const char *host, const char *text);

/* client_first.c */
void client_first_start(struct client *client);
size_t client_first(struct client *client, struct span bytes);
size_t client_socks(struct client *client, struct span bytes);
void client_socks_answer(struct client *client, enum socks_result result);
enum tls_answer client_outer_hello(struct client *client, const struct hello *hello);
void client_outer_rsa_ready(struct client *client);
void client_outer_open(struct client *client);
void client_outer_failed(struct client *client, const char *why);
/* The address that it connected to; "" when it is gone. */
void client_local_ip(const struct client *client, char *out, size_t out_size);

/* client_http.c */
void client_http_start(struct client *client);
size_t client_http_bytes(struct client *client, struct span bytes);
void client_http_batch(struct client *client);
void client_http_eof(struct client *client);
/* Ends the link so that a response under way does not look whole. */
void client_cut_response(struct client *client, enum cut how);
/* An answer to nothing that an exchange was begun for. */
void client_write_error(struct client *client, int status, const char *why);
void client_http_error(struct client *client, const char *why, enum cut how);

void client_http_over(struct client *client, const struct exchange *exchange, enum exchange_end end);

/* client_h2.c */
void client_h2_start(struct client *client);
size_t client_h2_bytes(struct client *client, struct span bytes);
void client_h2_batch(struct client *client);
void client_h2_drained(struct client *client);
void client_h2_drain(struct client *client);
/* All its requests end; the connection is the caller's to end. */
void client_h2_gone(struct client *client, enum cut how, const char *why);
/* code: what a request that has not ended is reset with. */
void client_h2_over(struct request *request, uint32_t code);
void client_h2_feed_early(struct request *request);

/* client_connect.c */
/* CONNECT, or SOCKS, which has no head. Takes head. */
void client_connect(struct client *client, struct http_head *head, const struct target *target);
/* client->target is the origin from the first byte on. */
void client_stand_for_target(struct client *client);
void client_give_leaf(struct client *client, const char *host);
size_t client_sniff(struct client *client, struct span bytes);
void client_sniff_timeout(struct client *client);
enum tls_answer client_hello(struct client *client, const struct hello *hello);
void client_tls_open(struct client *client);
/* The first byte inside TLS; the end before there was one: see origins.h. */
void client_tls_used(struct client *client);
void client_tls_unused(struct client *client);
void client_tls_failed(struct client *client, const char *why);
/* The SNI, else what was dialled. Borrowed. */
const char *client_name_of(const struct client *client);
void client_make_key(struct client *client);
/* To whoever asked for a way to the origin: it is there, or it is not. */
void client_say_yes(struct client *client);
void client_say_no(struct client *client, int status, const char *error);

/* client_tunnel.c */
/* Uses nothing of the client's bytes: they are the tunnel's. */
size_t client_start_tunnel(struct client *client);
void client_tunnel_over(void *self, const char *error);
struct exchange *client_tunnel_exchange(struct client *client);

#endif
