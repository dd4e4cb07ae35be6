#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/export/files.h"
#include "proxy/base/mem.h"

static char folder[64];
static char *path;

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/weir-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    path = mem_printf("%s/shop.postman_collection.json", folder);
    return 0;
}

/* It must be empty: nothing temporary may be left. */
static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    mem_free(path);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void a_file_appears_when_it_is_whole_and_is_private(void **state)
{
    struct outfile out;
    struct stat stat_of;
    struct err err;

    (void)state;
    assert_true(outfile_open(&out, path, &err));
    fputs("whole", out.file);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(outfile_commit(&out, &err));
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    assert_int_equal(stat_of.st_size, 5);
}

static void an_abandoned_file_leaves_what_was_there(void **state)
{
    struct outfile out;
    struct err err;
    FILE *old = fopen(path, "w");

    (void)state;
    fputs("old", old);
    fclose(old);
    assert_true(outfile_open(&out, path, &err));
    fputs("half", out.file);
    outfile_abandon(&out);
    outfile_abandon(&out);
    old = fopen(path, "r");
    assert_int_equal(fgetc(old), 'o');
    fclose(old);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct outfile out;
    struct err err;

    (void)state;
    assert_false(outfile_open(&out, "/nonexistent/weir/x.json", &err));
    assert_int_equal(err.code, ERR_SYS);
}

static void a_device_or_a_folder_is_never_replaced(void **state)
{
    struct outfile out;
    struct err err;

    (void)state;
    assert_false(outfile_open(&out, "/dev/null", &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_false(outfile_open(&out, folder, &err));
}

static void check_written(const char *file, const char *expected)
{
    char got[16];
    FILE *in = fopen(file, "r");

    assert_non_null(in);
    got[fread(got, 1, sizeof got - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(got, expected);
}

static void write_to(const char *to, const char *content)
{
    struct outfile out;
    struct err err;

    assert_true(outfile_open(&out, to, &err));
    fputs(content, out.file);
    assert_true(outfile_commit(&out, &err));
}

static void a_link_stays_and_what_it_leads_to_is_replaced(void **state)
{
    char *link = mem_printf("%s/link.json", folder), *outer = mem_printf("%s/outer.json", folder);
    struct stat stat_of;

    (void)state;
    assert_int_equal(symlink("shop.postman_collection.json", link), 0);
    assert_int_equal(symlink(link, outer), 0);
    write_to(outer, "made");
    check_written(path, "made");
    write_to(link, "replaced");
    check_written(path, "replaced");
    assert_int_equal(lstat(link, &stat_of), 0);
    assert_true(S_ISLNK(stat_of.st_mode));
    assert_int_equal(lstat(outer, &stat_of), 0);
    assert_true(S_ISLNK(stat_of.st_mode));
    unlink(link);
    unlink(outer);
    mem_free(link);
    mem_free(outer);
}

static void links_in_a_circle_are_an_error(void **state)
{
    char *link = mem_printf("%s/link.json", folder);
    struct outfile out;
    struct err err;

    (void)state;
    assert_int_equal(symlink("link.json", link), 0);
    assert_false(outfile_open(&out, link, &err));
    assert_int_equal(err.code, ERR_SYS);
    outfile_abandon(&out);
    unlink(link);
    mem_free(link);
}

static char *put(struct files *files, const char *content, const char *name)
{
    struct err err;
    char *result = NULL;

    if (!files_begin(files, &err) || !files_write(files, span_of(content), &err) ||
        !files_end(files, span_of(name), &result, &err))
        fail_msg("%s", err.text);
    return result;
}

static void bodies_are_named_by_content_and_go_with_a_failed_export(void **state)
{
    struct files *files = files_new(path);
    char *beside = mem_printf("%s/shop.files", folder), *first, *again, *file;

    (void)state;
    assert_string_equal(files_path(files), beside);
    assert_true(files_is_empty(files));
    first = put(files, "abc", "../../a b.png");
    again = put(files, "abc", "../../a b.png");
    assert_string_equal(first, "ba7816bf8f01cfea414140de5dae2223-ab.png");
    assert_string_equal(first, again);
    assert_false(files_is_empty(files));
    file = mem_printf("%s/%s", beside, first);
    assert_int_equal(access(file, R_OK), 0);
    files_free(files);
    assert_int_equal(access(beside, F_OK), -1);
    mem_free(first);
    mem_free(again);
    mem_free(file);
    mem_free(beside);
}

static void bodies_of_a_finished_export_stay(void **state)
{
    struct files *files = files_new(path);
    char *name = put(files, "abc", ""), *file = mem_printf("%s/%s", files_path(files), name);

    (void)state;
    files_keep(files);
    files_free(files);
    assert_int_equal(unlink(file), 0);
    *strrchr(file, '/') = '\0';
    assert_int_equal(rmdir(file), 0);
    mem_free(name);
    mem_free(file);
}

#define files_test(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        files_test(a_file_appears_when_it_is_whole_and_is_private),
        files_test(an_abandoned_file_leaves_what_was_there),
        files_test(a_folder_that_is_not_there_is_an_error),
        files_test(a_device_or_a_folder_is_never_replaced),
        files_test(a_link_stays_and_what_it_leads_to_is_replaced),
        files_test(links_in_a_circle_are_an_error),
        files_test(bodies_are_named_by_content_and_go_with_a_failed_export),
        files_test(bodies_of_a_finished_export_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
