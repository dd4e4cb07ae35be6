/* seal_text: what a person is told about sealed hosts: one line that says why, for how long, and what changes
 * it. Appended to out; any thread. */
#ifndef WEIR_LIVE_SEAL_TEXT_H
#define WEIR_LIVE_SEAL_TEXT_H

#include "proxy/base/strbuf.h"
#include "proxy/live/origins.h"

/* The kind of the notices. */
#define NOTICE_SEALED    "sealed"
#define NOTICE_UNTRUSTED "untrusted-ca"

/* client: the address without port. */
void seal_text_add_learned(struct strbuf *out, const char *client, const char *host, const struct pin *pin);
/* rule: of --seal, as scope_of() gave it. */
void seal_text_add_asked(struct strbuf *out, const char *host, const char *rule);
void seal_text_add_untrusted(struct strbuf *out, const char *client);

#endif
