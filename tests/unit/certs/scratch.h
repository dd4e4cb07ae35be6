/* scratch: a throwaway folder for a test, and what tests of files do again and again. */
#ifndef WEIR_TESTS_CERTS_SCRATCH_H
#define WEIR_TESTS_CERTS_SCRATCH_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs/file.h"
#include "proxy/base/mem.h"

#define UNUSED          __attribute__((unused))
#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

static UNUSED int scratch_remove_entry(const char *path, const struct stat *status, int type,
                                       struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

/* For cmocka: *state is the folder's path, removed with all that is in it by scratch_teardown. */
static UNUSED int scratch_setup(void **state)
{
    char *path = mem_strdup("/tmp/weir-certs-XXXXXX");

    assert_non_null(mkdtemp(path));
    *state = path;
    return 0;
}

static UNUSED int scratch_teardown(void **state)
{
    nftw(*state, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(*state);
    return 0;
}

/* To be freed with mem_free. */
static UNUSED char *scratch_path(void *const *state, const char *name)
{
    return mem_printf("%s/%s", (const char *)*state, name);
}

/* A text file, its folder included. */
static UNUSED void scratch_write(void *const *state, const char *name, const char *text)
{
    char *path = scratch_path(state, name);
    char *slash = strrchr(path, '/');
    struct err err;

    *slash = '\0';
    assert_true(file_make_dirs(path, &err));
    *slash = '/';
    assert_true(file_write(path, 0644, span_of(text), &err));
    mem_free(path);
}

#endif
