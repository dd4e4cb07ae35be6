/* client_impl: the insides of a client, shared by the files that make it up: client.c (its life),
 * client_http.c (requests and answers), client_connect.c (what is inside a CONNECT). Nobody else includes
 * this. */
#ifndef WEIR_LIVE_CLIENT_IMPL_H
#define WEIR_LIVE_CLIENT_IMPL_H

#include "proxy/http/h1_write.h"
#include "proxy/live/client.h"
#include "proxy/live/link.h"
#include "proxy/live/tunnel.h"
#include "proxy/live/upstream.h"
#include "proxy/mode/forward.h"

enum client_phase { CLIENT_HTTP, CLIENT_SNIFF, CLIENT_HANDSHAKE, CLIENT_TUNNEL, CLIENT_CLOSED };

/* What weir will answer by itself, once the request is there. */
enum client_answer { ANSWER_NONE, ANSWER_SELF, ANSWER_LAST_HOP, ANSWER_FORBIDDEN };

struct client {
    TAILQ_ENTRY(client) in_live;
    struct live *live;
    struct link link;
    enum client_phase phase;
    bool is_allowed;
    char name[ADDRESS_TEXT_BYTES]; /* "address:port" */
    char ip[ADDRESS_TEXT_BYTES];
    uint64_t accepted_us;
    struct loop_timer timer;

    /* HTTP */
    struct h1 *h1;
    struct h1_writer writer;
    struct http_head *new_head; /* just read, its exchange not begun */
    uint64_t head_started_us;
    uint64_t head_wire_bytes;
    struct exchange *exchange;
    struct upstream *upstream; /* of the exchange: being opened, or running it */
    enum client_answer answer;
    struct strbuf path; /* what weir itself is asked for; scratch for targets */

    /* Inside CONNECT */
    bool is_inner;
    struct target target;           /* CONNECT's, is_tls once there is TLS */
    struct http_head *connect_head; /* for the record of a tunnel */
    uint64_t connect_started_us;
    char sni[URL_HOST_BYTES];
    struct strbuf alpn_offer; /* what the upstream connection offers */
    enum key_type leaf_type;
    bool waits_for_rsa; /* the key of RSA leaves is being made */
    bool wants_tunnel;  /* its ALPN is no HTTP: decided before the handshake is done */
    struct tap_tls *tls_facts;
    struct upstream_key key; /* of the requests inside */
    struct upstream *spare;  /* opened while the client was silent */
    struct upstream *bound;  /* logged in for this client alone (NTLM) */
    struct tunnel *tunnel;
};

/* client.c */
extern const struct link_events client_link_events;
void client_close(struct client *client,
                  bool is_clean); /* after what is queued; is_clean: TLS is ended with close_notify */
void client_cut(struct client *client, enum cut how);
void client_wait_for_request(struct client *client);
void client_notify(struct client *client, const char *kind, const char *host, const char *text);

/* client_http.c */
void client_http_start(struct client *client);
size_t client_http_bytes(struct client *client, struct span bytes);
void client_http_batch(struct client *client);
void client_http_eof(struct client *client);
/* Ends the link so that a response under way does not look whole. */
void client_cut_response(struct client *client, enum cut how);
void client_http_error(struct client *client, const char *why, enum cut how);

/* client_connect.c */
void client_connect(struct client *client, struct http_head *head, const struct target *target);
size_t client_sniff(struct client *client, struct span bytes);
void client_sniff_timeout(struct client *client);
enum tls_answer client_hello(struct client *client, const struct hello *hello);
void client_tls_open(struct client *client);
void client_tls_failed(struct client *client, const char *why);
void client_tunnel_over(void *self, const char *error);
struct exchange *client_tunnel_exchange(struct client *client);

#endif
