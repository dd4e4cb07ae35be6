/* identity: which captured requests are calls of one endpoint: what makes them one item of an export.
 *
 * Method, host and port, templated path, the set of query names, what kind of body (with a GraphQL operation
 * or the method of an RPC) and how the caller shows who it is. For POST, PUT and PATCH the shape of the body
 * counts too: requests that look different are different calls. Values never do. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_IDENTITY_H
#define WEIR_CAPTURE_EXPORT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/digest.h"
#include "capture/record.h"
#include "proxy/base/strbuf.h"

enum identity_body {
    IDENTITY_NONE,
    IDENTITY_JSON,
    IDENTITY_FORM,
    IDENTITY_MULTIPART,
    IDENTITY_GRAPHQL,
    IDENTITY_RPC, /* JSON-RPC, SOAP */
    IDENTITY_OTHER,
};

struct identity {
    uint64_t high, low; /* 128 bits of hash over the text below */
};

/* What there is to know of a request's body. */
struct identity_request {
    enum identity_body body;
    struct strbuf operation; /* "query Product", "eth_call"; of IDENTITY_OTHER the media type; else empty */
    uint64_t shape;          /* of JSON, or of the set of a form's names; 0: none */
    bool is_partial;         /* only the beginning was looked at */
};

/* As much of a request's body as is looked at: operations and names stand at the front. */
#define IDENTITY_MAX_BODY_BYTES (256 * 1024)

/* body: the request's, decoded, its first IDENTITY_MAX_BODY_BYTES. is_front: there is more of it. */
void identity_request_init(struct identity_request *out_request, const struct record *record,
                           struct span body, bool is_front);
void identity_request_clear(struct identity_request *request);

/* The readable form, the same for all requests of one identity and for no other:
 * "POST api.shop.test:443 /v1/users/:userId ?expand&flag auth=bearer body=json#3f0c...". Appended. */
void identity_text(struct strbuf *out, const struct record *record, struct span templated_path,
                   const struct identity_request *request);
struct identity identity_of(struct span text);
/* The UUIDv5 that an item of that identity has. */
void identity_uuid(struct span text, char out[DIGEST_UUID_BYTES]);
/* The UUIDv5 of its example of that dedup_class: an endpoint's example is the same one in every capture, as
 * long as the response looks the same. */
void identity_example_uuid(const char *item_uuid, uint64_t class, char out[DIGEST_UUID_BYTES]);

/* How the caller shows who it is: "bearer", "basic", "apikey:x-api-key", "none". Appended. */
void identity_add_auth(struct strbuf *out, const struct record *record);

#endif
