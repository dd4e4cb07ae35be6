/* socks: the server's side of SOCKS5 (RFC 1928, RFC 1929), SOCKS4 and SOCKS4a, up to the client's own bytes.
 *
 *     socks_feed ... SOCKS_NEED_MORE    -> write out, feed what comes next
 *                ... SOCKS_READY        -> socks_reply, once; what follows is for the target
 *                ... SOCKS_REFUSED      -> write out, close
 *
 * CONNECT only: BIND and UDP ASSOCIATE are refused. Hosts are held to what url.h takes in an authority; names
 * are not resolved. Where a pair is demanded (auth.h) SOCKS4 is refused: it has no password. Where none is, a
 * client is let in without, and asked for its name only when it offers nothing else: some offer a password
 * that they do not have.
 *
 * Bounded: a message of a client has 520 bytes at most. No clock: the caller limits the time. */
#ifndef WEIR_MODE_SOCKS_H
#define WEIR_MODE_SOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/buffer.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/mode/auth.h"
#include "proxy/mode/target.h"

struct socks;

enum socks_answer { SOCKS_NEED_MORE, SOCKS_READY, SOCKS_REFUSED };

/* What a request is answered with: RFC 1928 §6's numbers. SOCKS4 knows granted and refused only. */
enum socks_result {
    SOCKS_GRANTED = 0,
    SOCKS_FAILED = 1,
    SOCKS_NOT_ALLOWED = 2,
    SOCKS_NET_UNREACHABLE = 3,
    SOCKS_HOST_UNREACHABLE = 4,
    SOCKS_CONNECTION_REFUSED = 5,
};

/* auth: what is demanded, borrowed until socks_free; NULL: nothing. */
struct socks *socks_new(const struct auth *auth);
void socks_free(struct socks *socks); /* NULL is fine */

/* Eats any number of bytes, also one at a time, and no more than belong to the handshake: what a client sent
 * ahead of the reply stays (*out_used < bytes.len) and is for the target. Answers are appended to out, those
 * of a refusal too. SOCKS_REFUSED: err says why (ERR_PROTO: no SOCKS or a broken one; ERR_USAGE: what is not
 * offered, or a wrong user or password; ERR_URL: a host that is none). Not called again after READY
 * or REFUSED. */
enum socks_answer socks_feed(struct socks *socks, struct span bytes, size_t *out_used, struct evbuffer *out,
                             struct err *err);

/* After SOCKS_READY. target: what is to be reached; is_tls is false, for nobody knows yet. */
const struct target *socks_target(const struct socks *socks);
/* The answer to the request: at once when all is well, since a dial that fails can be told by the first
 * exchange; or why not. */
void socks_reply(const struct socks *socks, enum socks_result result, struct evbuffer *out);

/* The name that the client gave, as it came up to its first NUL; NULL: none. Also after SOCKS_REFUSED. Valid
 * until socks_free. */
const char *socks_user(const struct socks *socks);
unsigned socks_version(const struct socks *socks); /* 4 or 5; 0: not known yet */

#endif
