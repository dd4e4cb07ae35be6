/* hop: what concerns one hop only, and so is not passed on as it came (RFC 9110 §7.6, RFC 9112 §3.2).
 *
 * Marks fields as is_hop and says what to send instead; the head itself stays as it was recorded. weir passes
 * on what a direct connection would have had wherever it means the same here: "Connection: close",
 * "keep-alive", an upgrade other than h2c, "TE: trailers". No Via, ever.
 *
 * The one field that is edited though it concerns more than a hop: offers of HTTP/3 in Alt-Svc (RFC 7838),
 * which would lead the client past the proxy. */
#ifndef WEIR_EXCHANGE_HOP_H
#define WEIR_EXCHANGE_HOP_H

#include <stdbool.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"

struct hop {
    struct strbuf extra; /* lines with CRLF to send besides the fields that are not is_hop */
    bool asks_upgrade;   /* requests: an upgrade that is passed on */
    bool edits_alt_svc;  /* responses: offers of HTTP/3 are not passed on */
    bool is_last;        /* requests: Max-Forwards says that weir is who must answer (RFC 9110 §7.6.2) */
};

void hop_init(struct hop *hop);
void hop_clear(struct hop *hop);

/* host_line: what Host must say because the target said otherwise (RFC 9112 §3.2.2), or SPAN_NONE.
 * is_proxied: the client asked weir as a proxy, so that Proxy-Authorization is weir's; else it is for whoever
 * is behind. */
void hop_request(struct hop *hop, struct http_head *head, struct span host_line, bool is_proxied);
void hop_response(struct hop *hop, struct http_head *head);

#endif
