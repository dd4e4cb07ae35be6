/* policy: which header fields of a captured message go into a collection, and which of them are switched on.
 *
 * What a client makes itself for each connection or body is left out, or the replayed request hangs or
 * contradicts itself; what only the captured browser had to say is there to be read, and not sent. */
#ifndef WEIR_CAPTURE_EXPORT_POLICY_H
#define WEIR_CAPTURE_EXPORT_POLICY_H

#include <stdbool.h>

#include "capture/record.h"

enum policy { POLICY_SEND, POLICY_SHOW, POLICY_DROP };

/* What the fate of some fields depends on; made once a request. */
struct policy_facts {
    bool is_faithful; /* all that the client sent end to end is sent again, cookies too */
    bool keep_browser_headers;
    bool sends_cookies;       /* as a field, without a jar */
    bool is_same_site_change; /* an unsafe method, called from the site itself: servers check where it came
                                 from */
    bool is_host_elsewhere;   /* Host names another than the URL, and the origin got it */
    bool is_host_replaced;    /* Host names another, but the target decided: the origin got that one */
    bool is_decoded;          /* the body is written without its Content-Encoding */
    bool is_multipart_rebuilt;
};
void policy_facts_init(struct policy_facts *out_facts, const struct record *record,
                       bool keep_browser_headers);

enum policy policy_request(const struct policy_facts *facts, struct span name);
enum policy policy_response(struct span name);

/* Whether the client made it for that one request: a DPoP proof (RFC 9449), an HTTP Message Signature
 * (RFC 9421), an HMAC. */
bool policy_is_signature(struct span name);

/* Whether a client can send that field at all. */
bool policy_is_sendable(const struct record_field *field);

#endif
