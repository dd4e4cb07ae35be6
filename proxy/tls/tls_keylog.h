/* tls_keylog: a file of TLS secrets, for tools that decrypt what they have seen on the wire.
 *
 * In the NSS key log format, which Wireshark reads. Lines of clients' and origins' connections go into one
 * file, each with one write(2) to its end, so that several threads and processes may share it. Whoever can
 * read it can read the traffic: it is the owner's alone. */
#ifndef WEIR_TLS_TLS_KEYLOG_H
#define WEIR_TLS_TLS_KEYLOG_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "proxy/base/err.h"

struct tls_keylog;

/* Makes the file, or appends to it; either way it is 0600 afterwards. ERR_SYS; ERR_LEAK when it is somebody
 * else's, or no regular file. */
bool tls_keylog_open(const char *path, struct tls_keylog **out_keylog, struct err *err);
void tls_keylog_close(struct tls_keylog *keylog); /* after all that write to it; NULL is fine */

/* From now on the secrets of ctx's connections go into keylog, on any thread. NULL: nowhere. Uses ctx's app
 * data. */
void tls_keylog_attach(struct tls_keylog *keylog, SSL_CTX *ctx);

#endif
