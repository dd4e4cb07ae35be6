/* mem: allocation that cannot fail.
 *
 * weir is a program: when memory is out it says so and aborts, so constructors need no error path. The other
 * half of the bargain: nothing is sized by a stranger (give strbufs and lists their limit). Any thread. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stddef.h>

#include "proxy/base/span.h"

#define mem_new(type)          ((type *)mem_zalloc(sizeof(type)))          /* one, zeroed */
#define mem_array(type, count) ((type *)mem_calloc((count), sizeof(type))) /* several, zeroed */

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull, warn_unused_result));
void *mem_dup(const void *bytes, size_t len) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *mem_spandup(struct span text)
    __attribute__((malloc, returns_nonnull, warn_unused_result)); /* ends in NUL */
char *mem_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));
void mem_free(void *pointer); /* NULL is fine */

/* Says that memory is out, and aborts: for what a library could not allocate. */
_Noreturn void mem_die(void);

/* For a program that runs long: what is freed stays with the process, up to 16 MiB a thread, for what is
 * allocated next. Once, before there are threads. */
void mem_keep_freed(void);

#endif
