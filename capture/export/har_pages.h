/* har_pages: which exchanges of a session belong to which page, as far as what browsers send shows it.
 *
 * A page begins with the navigation of a tab (Sec-Fetch-Dest: document, W3C Fetch Metadata §2.1; of clients
 * that don't send it: HTML without a Referer), and what redirects to its document is part of it. An exchange
 * belongs to the page whose document, or whose other part, its Referer names (RFC 9110 §10.1.3). Where only
 * an origin is named, as browsers do across origins, that is the last page there. Clients are told apart by
 * their addresses.
 *
 * One pass in order of seq. Memory is bounded, at about 6 MiB: exchanges that name what was long ago belong
 * to no page, and neither do those after HAR_PAGES_MAX pages but to pages that are there. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_HAR_PAGES_H
#define WEIR_CAPTURE_EXPORT_HAR_PAGES_H

#include <stdint.h>

#include "capture/export/json_out.h"
#include "capture/record.h"

#define HAR_PAGES_MAX 8192

struct har_pages;

struct har_pages *har_pages_new(void);
void har_pages_free(struct har_pages *pages); /* NULL is fine */

/* The page of the next exchange, from 1; 0: none. */
uint32_t har_pages_add(struct har_pages *pages, const struct record *record);
/* What a page is called in pageref. */
#define HAR_PAGE_ID_BYTES 16
void har_pages_id(uint32_t page, char out[HAR_PAGE_ID_BYTES]);
/* The member "pages", when there are any. */
void har_pages_write(const struct har_pages *pages, struct json_out *json);

#endif
