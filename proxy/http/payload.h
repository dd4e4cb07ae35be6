/* payload: what is kept of a message's payload while it passes: its beginning up to a limit, the size of all
 * of it, and whether it is UTF-8. For the splitters behind messages.h. */
#ifndef WEIR_HTTP_PAYLOAD_H
#define WEIR_HTTP_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/utf8.h"
#include "proxy/http/messages.h"

struct payload {
    struct strbuf kept;
    uint64_t size;
    bool is_text; /* set by the owner: UTF-8 is looked for */
    struct utf8_check utf8;
};

void payload_init(struct payload *payload, size_t max_bytes); /* max_bytes is not 0 */
void payload_clear(struct payload *payload);
void payload_reset(struct payload *payload); /* for the next message; much memory is given back */
void payload_add(struct payload *payload, struct span bytes);

/* Fills message's payload, size, is_truncated and is_bad_utf8. Borrowed. is_whole: nothing more belongs to
 * it; else a code point may be cut off at its end. */
void payload_tell(const struct payload *payload, bool is_whole, struct message *message);

#endif
