/* naming: what things are called in a collection. Names are for people: short, and never a whole URL. */
#ifndef WEIR_CAPTURE_EXPORT_NAMING_H
#define WEIR_CAPTURE_EXPORT_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/record.h"
#include "proxy/base/strbuf.h"

/* "shop.test", or "shop.test:8080" where the port is not the scheme's own. */
void naming_add_host(struct strbuf *out, const struct record *record);

/* "apiShopBaseUrl" for api.shop.test; the port is part of it where it is not the scheme's own. */
void naming_add_variable(struct strbuf *out, const struct record *record);

/* The segment that says what a path is about: the first that is neither a version nor somebody's id (":name"
 * in a templated path) nor a file at the top. False: there is none. Borrowed from path. */
bool naming_find_resource(struct span path, struct span *out_segment);

/* What a path has of its resource: "users/:userId/orders", of "/v1/users/:userId/orders/:orderId": up to the
 * first such segment behind a variable that is behind the resource. Borrowed from path. */
bool naming_find_part(struct span path, struct span *out_part);

/* "GET v1/users", for the root "GET /"; at most 100 bytes, so that a suffix has room. */
void naming_add_item(struct strbuf *out, struct span method, struct span path);
/* What tells calls to one URL apart: " · query Product", " · eth_call", " · <SOAPAction>"; nothing for
 * others. body is the request's, decoded, and may be cut. */
void naming_add_operation(struct strbuf *out, const struct record *record, struct span body);

/* Names within one folder: what is taken, in a few bytes each. */
struct names;
struct names *names_new(void);
void names_free(struct names *names);  /* NULL is fine */
void names_reset(struct names *names); /* the next folder */
/* Makes name unique: by the query's keys, else by a number. */
void names_claim(struct names *names, struct strbuf *name, struct span query);

#endif
