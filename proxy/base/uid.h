/* uid: names for things that no two weirs ever give twice: UUIDs of version 7 (RFC 9562 §5.7).
 *
 * They begin with the wall clock in ms, so they sort by age and lie together in an index. A maker keeps some
 * random bytes, so that one uid costs no system call. Threads: one maker a thread; a maker must not cross a
 * fork. */
#ifndef WEIR_BASE_UID_H
#define WEIR_BASE_UID_H

#include <stddef.h>
#include <stdint.h>

#define UID_BYTES      16
#define UID_TEXT_BYTES 37 /* "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx" and its NUL */

struct uid_maker {
    unsigned char random[510];
    uint16_t left; /* unused bytes at its end; 0 to begin with */
};

void uid_make(struct uid_maker *maker, uint64_t wall_us, unsigned char out_uid[UID_BYTES]);
void uid_text(const unsigned char uid[UID_BYTES], char out_text[UID_TEXT_BYTES]);

#endif
