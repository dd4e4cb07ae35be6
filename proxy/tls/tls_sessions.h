/* tls_sessions: TLS sessions towards origins, kept to be resumed (see tls_policy.h).
 *
 * A key says all that must be equal for a session to be used again. A session of TLS 1.3 is used once
 * (RFC 8446 §C.4), an older one as often as the origin likes. With it goes what was found of the
 * certificate, which a resumed handshake does not show again. The least recently used are dropped. */
#ifndef WEIR_TLS_TLS_SESSIONS_H
#define WEIR_TLS_TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "proxy/base/span.h"
#include "proxy/tls/tls_policy.h"

/* session moves in. why: NULL for a certificate that is trusted. */
void tls_sessions_take_session(struct tls_sessions *sessions, struct span key, SSL_SESSION *session,
                               const char *why);

/* The newest session for key, the caller's to SSL_SESSION_free; NULL when there is none. *out_why is the
 * caller's to mem_free, and may be NULL. */
SSL_SESSION *tls_sessions_detach_session(struct tls_sessions *sessions, struct span key, char **out_why);

#endif
