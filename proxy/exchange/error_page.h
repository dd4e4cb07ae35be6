/* error_page: what the client is told when weir answers in the origin's place: one sentence, as a page for
 * browsers and as text for everything else. */
#ifndef WEIR_EXCHANGE_ERROR_PAGE_H
#define WEIR_EXCHANGE_ERROR_PAGE_H

#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"

/* Adds Content-Type, Content-Length and, unless the request may be followed by another, Connection to head
 * (and its framing), and the body to out_page. request may be NULL. */
void error_page(struct http_head *head, struct strbuf *out_page, const struct http_head *request, int status,
                const char *error);

#endif
