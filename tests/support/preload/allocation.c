/* allocation: put in front of a program with LD_PRELOAD, lets an allocation fail.
 *
 * WEIR_TEST_MEMORY names a file of one int64, which is mapped. While it is above 0 each allocation takes 1
 * off, and the one that makes it 0 fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static _Atomic int64_t *left;

__attribute__((constructor)) static void map_left(void)
{
    const char *path = getenv("WEIR_TEST_MEMORY");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped;

    if (fd < 0)
        return;
    mapped = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        left = mapped;
}

static bool fails(void)
{
    int64_t before = left != NULL ? *left : 0;

    while (before > 0 && !atomic_compare_exchange_weak(left, &before, before - 1))
        continue;
    if (before == 1)
        errno = ENOMEM;
    return before == 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
