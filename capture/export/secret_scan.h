/* secret_scan: secret_match over text that comes in pieces: what could be the beginning of a value is kept
 * until more comes, twice what the longest value may take, and 256 KiB. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_SCAN_H
#define WEIR_CAPTURE_EXPORT_SECRET_SCAN_H

#include "capture/export/secret_match.h"

struct secret_scan;
/* on_text and on_found are called in order and together give all bytes once; on_text may be NULL. at is
 * counted from the beginning; spelled is borrowed for the call. on_found returns false to stop. */
struct secret_scan_events {
    void (*on_text)(void *self, struct span text);
    bool (*on_found)(void *self, uint64_t at, struct span spelled, size_t value, enum secret_form form);
};
struct secret_scan *secret_scan_new(const struct secret_match *match, const struct secret_scan_events *events,
                                    void *self);
void secret_scan_free(struct secret_scan *scan); /* NULL is fine */
/* False: on_found stopped it. */
bool secret_scan_feed(struct secret_scan *scan, struct span bytes);
bool secret_scan_finish(struct secret_scan *scan);

#endif
