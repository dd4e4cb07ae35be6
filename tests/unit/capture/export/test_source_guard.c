#include "capture/export/source_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/fake_source.h"

static bool always(void *self)
{
    (void)self;
    return true;
}

static bool while_positive(void *self)
{
    return (*(int *)self)-- > 0;
}

static struct fake_source *three_exchanges(void)
{
    struct fake_source *fake = fake_source_new();

    for (int i = 0; i < 3; i++)
        fake_source_add(fake, "https://a.test", SPAN("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
                        SPAN("HTTP/1.1 200 OK\r\n\r\nhello"));
    return fake;
}

static unsigned count(const struct export_source *source)
{
    const struct record *record;
    unsigned seen = 0;
    struct err err;

    assert_true(source->rewind(source->self, &err));
    while (source->next(source->self, &record, &err) && record != NULL)
        seen++;
    return seen;
}

static void what_came_after_the_last_one_is_left_out(void **state)
{
    struct fake_source *fake = three_exchanges();
    struct source_guard guard;

    (void)state;
    source_guard_init(&guard, fake_source_reader(fake), 2, always, NULL);
    assert_int_equal(count(&guard.source), 2);
    source_guard_init(&guard, fake_source_reader(fake), 9, always, NULL);
    assert_int_equal(count(&guard.source), 3);
    fake_source_free(fake);
}

static bool ignore(void *self, struct span bytes, struct err *err)
{
    (void)self;
    (void)bytes;
    (void)err;
    return true;
}

static void once_given_up_everything_fails(void **state)
{
    struct fake_source *fake = three_exchanges();
    const struct record *record;
    struct source_guard guard;
    struct err err;
    int asks = 2;

    (void)state;
    source_guard_init(&guard, fake_source_reader(fake), 9, while_positive, &asks);
    assert_true(guard.source.rewind(&guard, &err));
    assert_true(guard.source.next(&guard, &record, &err));
    assert_non_null(record);
    assert_false(guard.source.body_read(&guard, record->response_body.id, ignore, NULL, &err));
    assert_int_equal(err.code, ERR_CLOSED);
    assert_false(guard.source.next(&guard, &record, &err));
    assert_int_equal(err.code, ERR_CLOSED);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_after_the_last_one_is_left_out),
        cmocka_unit_test(once_given_up_everything_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
