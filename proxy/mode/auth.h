/* auth: who a client of the proxy says it is, and whether that is true: Proxy-Authorization: Basic (RFC 7617)
 * and SOCKS5's user and password (RFC 1929).
 *
 * One pair is configured, or none: then anybody may, and a name that is given all the same is kept for the
 * record. Comparing takes as long for a wrong pair as for the right one, wherever they differ; only the
 * lengths of what a client sent can be told by time, and it knows those.
 * The credentials are weir's own and for this hop: neither recorded (auth_mask) nor forwarded (hop.h).
 *
 * Threads: immutable once made, shared freely. */
#ifndef WEIR_MODE_AUTH_H
#define WEIR_MODE_AUTH_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"

struct auth;

/* "USER:PASSWORD"; the first ':' ends the user, neither may be empty, both have 255 bytes at most (RFC 1929).
 * ERR_USAGE, without the password in its text. */
bool auth_new(const char *text, struct auth **out_auth, struct err *err);
void auth_free(struct auth *auth); /* NULL is fine */

/* auth NULL: nothing is demanded, always true. */
bool auth_check(const struct auth *auth, struct span user, struct span password);

enum auth_answer {
    AUTH_OK,
    AUTH_MISSING, /* no credentials: an ordinary client's first request */
    AUTH_WRONG,   /* another scheme, no base64, the wrong user or password, more than one such field */
};

/* Looks at a request's Proxy-Authorization. out_user is replaced by the user's name, empty when none was
 * given; of AUTH_WRONG it is who the client claims to be. */
enum auth_answer auth_check_head(const struct auth *auth, const struct http_head *head,
                                 struct strbuf *out_user);

/* The answer for AUTH_MISSING and AUTH_WRONG: the head of a 407, to which the caller adds what frames the
 * body. The caller's. */
struct http_head *auth_demand(void);

/* Overwrites what Proxy-Authorization fields hold after their scheme by "***": on requests to weir as a proxy
 * that demands credentials, after auth_check_head, before the tap sees the head. */
void auth_mask(struct http_head *head);

#endif
