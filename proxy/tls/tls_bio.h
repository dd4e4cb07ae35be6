/* tls_bio: the BIO through which OpenSSL reads what is being fed and writes to an evbuffer.
 *
 * Reading takes from a borrowed span and asks to be called again when it is empty; it never reports an end,
 * which only the owner of the stream sees. Writing always takes everything. */
#ifndef WEIR_TLS_TLS_BIO_H
#define WEIR_TLS_TLS_BIO_H

#include <openssl/bio.h>

#include "proxy/base/span.h"

struct evbuffer;

struct tls_wire {
    struct span in; /* not yet read; set and lent by whoever feeds */
    struct evbuffer *out;
};

/* Any thread. wire is borrowed and must outlive the BIO. */
BIO *tls_bio_new(struct tls_wire *wire);

#endif
