/* merge_call: what an item of a collection calls, told from its request alone.
 *
 * For items without an id of ours: Postman gives new ones, or none, to what it imports. Values never count,
 * as in identity.h, and neither do the names of variables in a path. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_CALL_H
#define WEIR_CAPTURE_EXPORT_MERGE_CALL_H

#include <jansson.h>

struct merge_call {
    char *host;  /* "{{baseUrl}}", "https://api.shop.test:8443"; "" when it has none */
    char *loose; /* method, path, names of the query, kind of body and operation */
    char *exact; /* the same with the shape of the body and the kind of credential */
};

/* request: an object, or the text of a URL. auth: what is sent with it; NULL: nothing. */
void merge_call_init(struct merge_call *out_call, const json_t *request, const json_t *auth);
void merge_call_clear(struct merge_call *call);

/* The URL of a request as one text, values and all; the caller's, to mem_free. */
char *merge_call_url(const json_t *request);

#endif
