/* table: hash tables of what weir allocates itself (uthash, whose manual holds), out of mem.
 *
 * By itself uthash ends the process without a word when memory is out. */
#ifndef WEIR_BASE_TABLE_H
#define WEIR_BASE_TABLE_H

#include "proxy/base/mem.h"

#define uthash_malloc(size)        mem_alloc(size)
#define uthash_free(pointer, size) mem_free(pointer)
#include <uthash.h>

#endif
