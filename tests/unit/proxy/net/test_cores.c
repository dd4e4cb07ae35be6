#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>

#include "proxy/base/mem.h"
#include "proxy/net/cores.h"

static char root[] = "/tmp/weir-cores-XXXXXX";

static int setup(void **state)
{
    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void folder(const char *name)
{
    char *path = mem_printf("%s/%s", root, name);

    assert_int_equal(mkdir(path, 0700), 0);
    mem_free(path);
}

static void file(const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", root, name);
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    mem_free(path);
}

static unsigned quota(void)
{
    char *self = mem_printf("%s/self", root);
    unsigned cores = cores_by_quota(self, root);

    mem_free(self);
    return cores;
}

static void no_quota_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(quota(), 0); /* not even a /proc/self/cgroup */
    file("self", "0::/\n");
    assert_int_equal(quota(), 0);
    file("cpu.max", "max 100000\n");
    assert_int_equal(quota(), 0);
}

static void part_of_a_core_is_one(void **state)
{
    (void)state;
    file("self", "0::/\n");
    file("cpu.max", "50000 100000\n");
    assert_int_equal(quota(), 1);
    file("cpu.max", "250000 100000\n");
    assert_int_equal(quota(), 3);
}

static void least_of_all_above_counts(void **state)
{
    (void)state;
    file("self", "1:name=systemd:/x\n0::/outer/inner\n");
    folder("outer");
    folder("outer/inner");
    file("outer/inner/cpu.max", "800000 100000\n");
    file("outer/cpu.max", "200000 100000\n");
    assert_int_equal(quota(), 2);
    file("outer/inner/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1);
}

static void version_1_quota_counts_also_when_its_path_is_one_of_outside(void **state)
{
    (void)state;
    file("self", "5:memory:/m\n4:cpu,cpuacct:/docker/0123\n");
    folder("cpu,cpuacct");
    file("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    file("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 0);
    file("cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(quota(), 4);
}

static void there_is_always_a_core(void **state)
{
    (void)state;
    assert_in_range(cores_usable(), 1, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_quota_is_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(part_of_a_core_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(least_of_all_above_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(version_1_quota_counts_also_when_its_path_is_one_of_outside, setup,
                                        teardown),
        cmocka_unit_test(there_is_always_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
