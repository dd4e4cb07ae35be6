/* hosts: /etc/hosts in memory, read again when the file has changed. */
#ifndef WEIR_NET_HOSTS_H
#define WEIR_NET_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/net/address.h"

struct hosts;

struct hosts *hosts_new(const char *path); /* a file that is not there holds no names */
void hosts_free(struct hosts *hosts);      /* NULL is fine */

/* Looks whether the file is another one than it was and reads it if so; true: it was read. */
bool hosts_refresh(struct hosts *hosts);

/* All addresses of name, in the file's order, both families, port 0; case does not matter. 0: not in the
 * file. Borrowed until hosts_refresh. */
unsigned hosts_find(const struct hosts *hosts, const char *name, const struct address **out_addresses);

/* What tells one state of a file from another: two that are equal are the same file, unchanged. */
struct file_mark {
    uint64_t device, inode, size, changed_ns;
};
struct file_mark file_mark(const char *path); /* all 0: not there */
bool file_mark_eq(struct file_mark a, struct file_mark b);

#endif
