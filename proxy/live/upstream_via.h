/* upstream_via: the part of an upstream connection's making that an upstream proxy adds. Internal to
 * upstream.c.
 *
 *     upstream_open -> [addresses of the origin] -> dial the proxy -> [TLS with it] -> [a tunnel] -> TCP
 *
 * The origin's name is resolved here when the proxy takes addresses alone, and for a client from elsewhere
 * (see access.h): what it may not reach by weir it may not reach by a proxy either, which often runs in the
 * same network, or on this machine. A proxy that takes names asks for them again and may find others, so its
 * own rules are what guards the network that it is in; a name that is known only there is refused to clients
 * from public addresses. The operator has chosen the proxy: its own address is every client's, unless it is
 * weir's. */
#ifndef WEIR_LIVE_UPSTREAM_VIA_H
#define WEIR_LIVE_UPSTREAM_VIA_H

#include "proxy/live/upstream.h"

/* Of an upstream whose key has a hop. upstream_dial or upstream_fail follows, never from inside. */
void upstream_via_start(struct upstream *upstream);
/* Its link to the proxy is there: upstream_way_stands or upstream_fail follows; may come from inside. */
void upstream_via_connected(struct upstream *upstream);
/* It takes too long: says so, always false. */
bool upstream_via_late(const struct upstream *upstream, struct err *err);
void upstream_via_stop(struct upstream *upstream); /* closed: nothing follows any more */
void upstream_via_free(struct upstream_via *via);  /* NULL is fine */

/* The dial, to the proxy, has failed: ERR_FOUND for an address that is weir's own. */
void upstream_via_dial_failed(struct upstream *upstream, int status, struct err *err);
/* Every failure says which proxy was on the way: its name at the end of text, unless it is there. */
void upstream_via_add_name(const struct via_hop *hop, struct strbuf *text);
/* What is recorded of TLS with the origin (NULL: none), and of the way there. Takes facts; the answer is the
 * caller's. */
char *upstream_via_add_fact(const struct via_hop *hop, char *facts);

/* A plain request's head, as the proxy is to be sent it: with a whole URL. */
void upstream_via_send_head(struct upstream *upstream, const struct http_head *head, struct span path,
                            struct span extra);
/* The proxy's answer to a plain request, where it is about the proxy itself: false, and err says what to do.
 */
bool upstream_via_check_head(const struct upstream *upstream, const struct http_head *head, struct err *err);

/* upstream.c */
void upstream_dial(struct upstream *upstream);
void upstream_way_stands(struct upstream *upstream); /* to the origin; takes the link's events */
void upstream_fail(struct upstream *upstream, int status, bool is_own, enum cut how, const char *error);

/* What a client is told whose reach ends before that address. */
extern const char upstream_forbidden[];

#endif
