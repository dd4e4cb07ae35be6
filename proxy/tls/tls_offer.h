/* tls_offer: makes OpenSSL say what a ClientHello said, and tells what it could not be made to say.
 *
 * What is compared is the ClientHello that OpenSSL writes after all settings were made, so the answer is true
 * of whatever OpenSSL is there. Anonymous and unencrypted suites are never offered: with them nobody would be
 * verified. Any thread, each SSL_CTX one. */
#ifndef WEIR_TLS_TLS_OFFER_H
#define WEIR_TLS_TLS_OFFER_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "proxy/base/strbuf.h"
#include "proxy/tls/hello.h"

/* Whether it is there or not for reasons of one connection: its name, its session, its length. */
bool tls_offer_is_passing(uint16_t extension);

/* Settings for ctx, which is new. False: nothing of hello is of use here, and ctx is in no state to be used.
 */
bool tls_offer_set(SSL_CTX *ctx, const struct hello *hello);

/* Members for a JSON object: "left_out":[...] of what hello has and ctx does not say, "added":[...] of the
 * opposite. What is passing is not compared. False: ctx can't say
 * anything. */
bool tls_offer_compare(SSL_CTX *ctx, const struct hello *hello, struct strbuf *json);

#endif
