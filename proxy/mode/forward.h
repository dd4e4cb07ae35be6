/* forward: who is meant by a request to a forward proxy (RFC 9112 §3.2).
 *
 * absolute-form names the origin, which is sent all that follows the authority as it came, a fragment too;
 * authority-form (CONNECT) asks for a tunnel, origin-form is meant for weir itself. In HTTP/2 :scheme and
 * :authority say what absolute-form does, and nothing says that weir itself is meant. */
#ifndef WEIR_MODE_FORWARD_H
#define WEIR_MODE_FORWARD_H

#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"
#include "proxy/mode/target.h"

enum forward_kind {
    FORWARD_REQUEST, /* to *out_target; *out_path is what the origin is sent */
    FORWARD_CONNECT, /* a tunnel to *out_target */
    FORWARD_SELF,    /* weir itself; *out_path is what is asked */
};

/* out_path, empty for a tunnel, is borrowed from head or scratch, or static. ERR_PROTO, ERR_URL: answer 400.
 */
bool forward_target(const struct http_head *head, struct strbuf *scratch, enum forward_kind *out_kind,
                    struct target *out_target, struct span *out_path, struct err *err);

#endif
