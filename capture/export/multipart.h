/* multipart: the parts of a multipart/form-data body (RFC 7578, RFC 2046 §5.1). Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_MULTIPART_H
#define WEIR_CAPTURE_EXPORT_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/span.h"

struct multipart_part {    /* borrowed from the body */
    struct span name;      /* as it stands between the quotes */
    struct span file_name; /* ptr NULL: a field, not a file */
    struct span type;      /* Content-Type; ptr NULL: none */
    struct span value;
    bool is_plain; /* its head is nothing but these, spelled and ordered as clients do */
};

/* More parts than any form has are not worth being taken apart. */
#define MULTIPART_MAX_PARTS 1000

/* False when the body isn't well formed, has more than max parts, or bytes before its first or after its last
 * boundary: whoever makes it again from its parts would then send something else. */
bool multipart_parse(struct span body, struct span boundary, struct multipart_part *out_parts, size_t max,
                     size_t *out_count);

#endif
