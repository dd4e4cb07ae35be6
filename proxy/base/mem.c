#include "proxy/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_die(void)
{
    fputs("weir: out of memory\n", stderr);
    abort();
}

static void *checked(void *pointer)
{
    if (pointer == NULL)
        mem_die();
    return pointer;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size != 0 ? size : 1));
}

/* glibc keeps freed blocks up to this size for the thread that freed them, but calloc does not look there.
 * What is larger may come fresh from the system, which calloc knows to be zero. */
#define KEPT_BYTES 1032

void *mem_zalloc(size_t size)
{
    void *bytes;

    if (size > KEPT_BYTES)
        return checked(calloc(1, size));
    bytes = mem_alloc(size);
    memset(bytes, 0, size);
    return bytes;
}

void *mem_calloc(size_t count, size_t size)
{
    return checked(calloc(count != 0 ? count : 1, size != 0 ? size : 1));
}

void *mem_realloc(void *old, size_t size)
{
    return checked(realloc(old, size != 0 ? size : 1));
}

void *mem_dup(const void *bytes, size_t len)
{
    void *copy = mem_alloc(len);

    if (len != 0)
        memcpy(copy, bytes, len);
    return copy;
}

char *mem_strdup(const char *text)
{
    return checked(strdup(text));
}

char *mem_spandup(struct span text)
{
    char *copy = mem_alloc(text.len + 1);

    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    return checked(len < 0 ? NULL : text);
}

void mem_free(void *pointer)
{
    free(pointer);
}

/* Bodies travel in pieces of 256 KiB: by default each would be mapped anew, or cut off the heap's end, and
 * cost a page fault for every 4 KiB. */
void mem_keep_freed(void)
{
#ifdef M_TRIM_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
    mallopt(M_TOP_PAD, 256 * 1024);
#endif
}
