/* tls_mirror: what a client's ClientHello offers, to be offered to the origin in its place.
 *
 * Versions, suites, groups, signature algorithms and extensions as far as OpenSSL can say them, in the
 * client's order. What it can't say, and what it says besides, is found by comparing its ClientHello with the
 * client's, and stands in the facts of the connection (tls_facts). ALPN and SNI are the caller's: see struct
 * tls_target. However weak the offer, the origin's certificate is verified as strictly as by weir's defaults.
 *
 * Made once for each way of offering, kept in the tls_client (bounded, the least recently used go first), and
 * immutable: shared by all workers. What differs from one connection of a client to the next (GREASE, the
 * order of extensions, a session to resume, padding) makes no other mirror. Any thread. */
#ifndef WEIR_TLS_TLS_MIRROR_H
#define WEIR_TLS_TLS_MIRROR_H

#include <stdint.h>

#include "proxy/tls/hello.h"
#include "proxy/tls/tls_policy.h"

struct tls_mirror;

/* hello is read and not kept. The caller's, to tls_mirror_unref, which may be after client is freed. NULL: an
 * offer too long to be meant seriously; weir's defaults are to be used. The first of its kind costs some 0.3
 * ms, the next ones a few µs.
 */
struct tls_mirror *tls_mirror_get(struct tls_client *client, const struct hello *hello);
struct tls_mirror *tls_mirror_ref(const struct tls_mirror *mirror); /* NULL is fine */
void tls_mirror_unref(struct tls_mirror *mirror);                   /* NULL is fine */

/* Two connections may be the same one to the origin only under the same id. 0 for NULL; never used again. */
uint64_t tls_mirror_id(const struct tls_mirror *mirror);

#endif
