#include "tests/unit/certs/scratch.h"

static void what_was_written_is_read_with_its_mode(void **state)
{
    char *path = scratch_path(state, "key");
    struct file_content content;
    struct err err;
    mode_t old_umask = umask(0077);

    assert_true(file_write(path, 0640, SPAN("secret"), &err));
    umask(old_umask);
    assert_true(file_read(path, 100, &content, &err));
    assert_string_equal(content.bytes, "secret");
    assert_int_equal(content.len, 6);
    assert_int_equal(content.mode, 0640);
    file_content_clear(&content);
    file_content_clear(&content);
    mem_free(path);
}

static void a_write_replaces_and_leaves_no_unfinished_file(void **state)
{
    char *path = scratch_path(state, "ca.pem");
    char *unfinished = scratch_path(state, "ca.pem.tmp");
    struct file_content content;
    struct err err;

    scratch_write(state, "ca.pem.tmp", "what a killed writer left");
    assert_true(file_write(path, 0600, SPAN("one"), &err));
    assert_true(file_write(path, 0600, SPAN("two"), &err));
    assert_true(file_read(path, 100, &content, &err));
    assert_string_equal(content.bytes, "two");
    assert_false(file_exists(unfinished));
    file_content_clear(&content);
    mem_free(path);
    mem_free(unfinished);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    char *path = scratch_path(state, "folder");
    struct err err;

    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(file_write(path, 0600, SPAN("x"), &err));
    assert_int_equal(err.code, ERR_SYS);
    assert_true(file_is_dir(path));
    mem_free(path);
}

static void what_is_missing_too_long_or_no_file_is_refused(void **state)
{
    char *missing = scratch_path(state, "missing");
    char *fifo = scratch_path(state, "fifo");
    char *text = scratch_path(state, "text");
    struct file_content content;
    struct err err;

    assert_false(file_read(missing, 10, &content, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_false(file_read(fifo, 10, &content, &err));
    assert_int_equal(err.code, ERR_SYS);
    scratch_write(state, "text", "12345678901");
    assert_false(file_read(text, 10, &content, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    mem_free(missing);
    mem_free(fifo);
    mem_free(text);
}

static void folders_are_made_with_their_parents_for_the_owner_alone(void **state)
{
    char *parent = scratch_path(state, "a");
    char *path = scratch_path(state, "a/b/c/");
    char *in_file = scratch_path(state, "text/x");
    struct stat status;
    struct err err;

    assert_true(file_make_dirs(path, &err));
    assert_true(file_make_dirs(path, &err));
    assert_int_equal(stat(parent, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    scratch_write(state, "text", "no folder");
    assert_false(file_make_dirs(in_file, &err));
    mem_free(parent);
    mem_free(path);
    mem_free(in_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_was_written_is_read_with_its_mode),
        SCRATCH_TEST(a_write_replaces_and_leaves_no_unfinished_file),
        SCRATCH_TEST(a_failed_write_leaves_the_old_file),
        SCRATCH_TEST(what_is_missing_too_long_or_no_file_is_refused),
        SCRATCH_TEST(folders_are_made_with_their_parents_for_the_owner_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
