/* digest: names that are made of what they name, so that two exports of one session are the same file. */
#ifndef WEIR_CAPTURE_EXPORT_DIGEST_H
#define WEIR_CAPTURE_EXPORT_DIGEST_H

#include "proxy/base/span.h"

#define DIGEST_UUID_BYTES 37

/* The name-based UUID (RFC 9562 §5.5) of what ("item", "response", ...) and which, in weir's own namespace.
 */
void digest_uuid(const char *what, struct span which, char out[DIGEST_UUID_BYTES]);

/* SHA-256 over bytes that come in pieces: what a stranger can't make collide may name a file. */
struct digest;
struct digest *digest_new(void);
void digest_free(struct digest *digest); /* NULL is fine */
void digest_feed(struct digest *digest, struct span bytes);
/* The first 16 bytes of it, in hexadecimal; once. */
#define DIGEST_HEX_BYTES 33
void digest_hex(struct digest *digest, char out[DIGEST_HEX_BYTES]);

#endif
