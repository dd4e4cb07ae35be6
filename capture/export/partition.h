/* partition: the top-level site that a partitioned cookie belongs to, as far as the exchange that set it
 * tells.
 *
 * A browser keeps such a cookie once for each site that its address bar shows, and no request names that
 * site. Known is where the request came from: a document of the address bar is its own, what the site itself
 * asked for is the site's, and what another site asked for that one's, which is right unless that was
 * embedded, too. A page in a frame that calls its own origin says no more than that it is in one: not known.
 */
#ifndef WEIR_CAPTURE_EXPORT_PARTITION_H
#define WEIR_CAPTURE_EXPORT_PARTITION_H

#include <stdbool.h>

#include "capture/record.h"
#include "proxy/base/strbuf.h"

struct partition {
    struct strbuf top_site;       /* "https://shop.test": scheme and registrable domain; empty: not known */
    bool has_cross_site_ancestor; /* between the address bar and the request is another site's page */
};

void partition_init(struct partition *out_partition, const struct record *record);
void partition_clear(struct partition *partition);

#endif
