/* suffix: the public suffix list: which names belong to a registry and not to one owner.
 *
 * The system's list where it is newer than the one built into libpsl; opened at the first question and kept.
 * Names are A-labels or UTF-8, lower case. Any thread. */
#ifndef WEIR_CAPTURE_SUFFIX_H
#define WEIR_CAPTURE_SUFFIX_H

#include <stdbool.h>

#include "proxy/base/span.h"

/* "com", "co.uk", "github.io", and any single label that the list does not know. */
bool suffix_is_public(const char *name);

/* Whether both hosts are of one site: the same host, or names under the same registrable domain. */
bool suffix_same_site(const char *host, const char *other);

/* What hosts of one site have in common: the registrable domain; host itself where there is none. Borrowed of
 * host. */
const char *suffix_site(const char *host);

/* Lower case and A-labels, as hosts are compared (RFC 6265bis §5.1.2); NULL when it is no name that could be
 * looked up. The caller's, to mem_free. */
char *suffix_canonical_host(struct span host);

#endif
