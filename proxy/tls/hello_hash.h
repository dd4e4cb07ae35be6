/* hello_hash: the names that tools have for what a ClientHello looks like: JA3 and JA4.
 *
 * Whoever audits traffic looks a client up by them. GREASE is left out of both; JA4 sorts suites and
 * extensions, so that a browser that shuffles them keeps its name. Some 4 µs for both. Any thread. */
#ifndef WEIR_TLS_HELLO_HASH_H
#define WEIR_TLS_HELLO_HASH_H

#include "proxy/tls/hello.h"

#define JA3_BYTES 33
#define JA4_BYTES 37

/* "" when there is no MD5 here, as in places that allow only newer digests. */
void hello_ja3(const struct hello *hello, char out_ja3[JA3_BYTES]);
void hello_ja4(const struct hello *hello, char out_ja4[JA4_BYTES]); /* over TCP: it begins with 't' */

#endif
