/* grpc: one direction of a gRPC call, split into messages by their length prefixes, compressed ones decoded.
 *
 * gRPC over HTTP/2 ("Length-Prefixed-Message"), gRPC-Web (a frame with the top bit set holds the trailers),
 * and its text form: base64 in which each piece sent may end in padding of its own.
 *
 * Message encodings are those that coding.h knows (gzip and deflate among them), each message on its own;
 * others are told as they came (is_undecoded). A message that turns out damaged is told as far as it was
 * decoded, with a note. Faults: reserved flag bits, text that is no base64, and an end within a prefix. */
#ifndef WEIR_HTTP_GRPC_H
#define WEIR_HTTP_GRPC_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/messages.h"

enum grpc_form { GRPC_PLAIN, GRPC_WEB, GRPC_WEB_TEXT };

struct grpc;

/* encoding: the value of this direction's grpc-encoding; empty: none. Copied. */
struct grpc *grpc_new(enum grpc_form form, struct span encoding, size_t max_message_bytes, message_sink sink,
                      void *self);
void grpc_free(struct grpc *grpc); /* NULL is fine */

void grpc_feed(struct grpc *grpc, struct span bytes);
void grpc_finish(struct grpc *grpc);
uint64_t grpc_lost_bytes(const struct grpc *grpc);

#endif
