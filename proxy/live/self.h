/* self: requests meant for weir itself: the CA for every kind of device, and how to install it.
 *
 * "/" is the page: for a device that asks without a proxy how to set one, for others how to trust the CA.
 * /ca.pem, /ca.crt (DER, what Android and Windows like) and /ca.mobileconfig (Apple's) the
 * certificate, /trust the answer to "does this device trust us?" as JSON. Everything else is 508: a proxy
 * that was asked for itself would ask itself. */
#ifndef WEIR_LIVE_SELF_H
#define WEIR_LIVE_SELF_H

#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"
#include "proxy/live/live.h"

/* The answer's head, the caller's; its body is put into out_body. ip: the client's address. */
struct http_head *self_answer(struct live *live, const char *ip, struct span target,
                              const struct http_head *request, struct strbuf *out_body);

#endif
