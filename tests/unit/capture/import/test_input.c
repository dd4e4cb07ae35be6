/* Where an import's bytes come from: what can't be read twice is copied, what can't be read is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/import/input.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

/* More than a pipe holds, and than is copied at once. */
#define LONG_BYTES (300 * 1000)

static int set_up(void **state)
{
    struct test_folder *folder = mem_new(struct test_folder);

    test_folder_make(folder);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    mem_free(*state);
    return 0;
}

static char byte_at(size_t offset)
{
    return (char)(offset * 7 + offset / 251);
}

static void *write_long(void *path)
{
    char *bytes = mem_alloc(LONG_BYTES);
    int fd = open(path, O_WRONLY);

    for (size_t i = 0; i < LONG_BYTES; i++)
        bytes[i] = byte_at(i);
    for (size_t at = 0; at < LONG_BYTES;) {
        ssize_t put = write(fd, bytes + at, LONG_BYTES - at);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    close(fd);
    mem_free(bytes);
    return NULL;
}

static void a_pipe_is_read_at_any_place_of_it(void **state)
{
    struct test_folder *folder = *state;
    char bytes[100];
    struct input *input;
    pthread_t writer;
    struct err err;

    assert_int_equal(mkfifo(folder->store, 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_long, folder->store), 0);
    assert_true(input_open(folder->store, &input, &err));
    pthread_join(writer, NULL);
    assert_int_equal(input_size(input), LONG_BYTES);
    for (size_t offset = LONG_BYTES - 50; offset >= 50000; offset -= 50000) {
        size_t len = input_read(input, offset, bytes, sizeof bytes);
        assert_int_equal(len, LONG_BYTES - offset < sizeof bytes ? LONG_BYTES - offset : sizeof bytes);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], byte_at(offset + i));
    }
    assert_true(input_check(input, &err));
    input_free(input);
}

static void assert_refused(const char *path, const char *why)
{
    struct input *input = NULL;
    struct err err;

    assert_false(input_open(path, &input, &err));
    assert_null(input);
    assert_int_equal(err.code, ERR_SYS);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, why));
}

static void what_is_no_file_is_said_at_once(void **state)
{
    struct test_folder *folder = *state;

    assert_refused(folder->store, "No such file");
    assert_refused("/", "directory");
}

static void bytes_that_are_there_are_read_where_they_are(void **state)
{
    struct input *input = input_of(SPAN("0123456789"));
    char bytes[4];
    struct err err;

    (void)state;
    assert_int_equal(input_size(input), 10);
    assert_int_equal(input_read(input, 8, bytes, sizeof bytes), 2);
    assert_memory_equal(bytes, "89", 2);
    assert_int_equal(input_read(input, 10, bytes, sizeof bytes), 0);
    assert_true(input_check(input, &err));
    input_free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pipe_is_read_at_any_place_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_said_at_once, set_up, tear_down),
        cmocka_unit_test(bytes_that_are_there_are_read_where_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
