/* recoding: a content coding put on again.
 *
 * Tools write bodies decoded, beside header fields that name the coding; a session holds bodies as they were
 * sent. So the coding is made anew: other bytes than the origin's, that mean the same. */
#ifndef WEIR_CAPTURE_IMPORT_RECODING_H
#define WEIR_CAPTURE_IMPORT_RECODING_H

#include <stdbool.h>

#include "proxy/base/span.h"

struct recoding;

/* coding: the value of Content-Encoding. NULL: there is none, several, or an unknown one. */
struct recoding *recoding_new(struct span coding);
void recoding_free(struct recoding *recoding); /* NULL is fine */

/* What comes out is given to sink in pieces, borrowed for the call. */
typedef void (*recoding_sink)(void *self, struct span bytes);
void recoding_feed(struct recoding *recoding, struct span bytes, recoding_sink sink, void *self);
void recoding_finish(struct recoding *recoding, recoding_sink sink, void *self);

#endif
