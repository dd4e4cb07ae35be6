#include "tools/keeper.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/base/clock.h"

struct work {
    sem_t began, may_end, ended;
    atomic_int count;
    bool wants_more; /* once, soon */
};

static bool do_work(void *self, uint64_t *out_again_us)
{
    struct work *work = self;

    sem_post(&work->began);
    sem_wait(&work->may_end);
    if (atomic_fetch_add(&work->count, 1) == 0 && work->wants_more)
        *out_again_us = clock_mono_us() + 1000;
    sem_post(&work->ended);
    return true;
}

static struct keeper *keeper_of(struct work *work)
{
    const struct keeper_options options = { .least_rest_us = 1000, .work = do_work, .self = work };

    sem_init(&work->began, 0, 0);
    sem_init(&work->may_end, 0, 0);
    sem_init(&work->ended, 0, 0);
    return keeper_new(&options);
}

static void work_that_was_asked_for_before_the_start_is_done(void **state)
{
    struct work work = { .wants_more = false };
    struct keeper *keeper = keeper_of(&work);

    (void)state;
    keeper_ask(keeper);
    keeper_start(keeper);
    sem_post(&work.may_end);
    sem_wait(&work.ended);
    keeper_free(keeper);
    assert_int_equal(work.count, 1);
}

static void what_is_asked_for_while_it_works_is_done_once_more(void **state)
{
    struct work work = { .wants_more = false };
    struct keeper *keeper = keeper_of(&work);

    (void)state;
    keeper_start(keeper);
    keeper_ask(keeper);
    sem_wait(&work.began);
    for (int i = 0; i < 10; i++)
        keeper_ask(keeper); /* and none of them waits for the work */
    sem_post(&work.may_end);
    sem_wait(&work.began);
    sem_post(&work.may_end);
    sem_wait(&work.ended);
    sem_wait(&work.ended);
    keeper_free(keeper);
    assert_int_equal(work.count, 2);
}

static void work_may_ask_for_itself(void **state)
{
    struct work work = { .wants_more = true };
    struct keeper *keeper = keeper_of(&work);

    (void)state;
    keeper_ask(keeper);
    keeper_start(keeper);
    sem_post(&work.may_end);
    sem_post(&work.may_end);
    sem_wait(&work.ended);
    sem_wait(&work.ended);
    keeper_free(keeper);
    assert_int_equal(work.count, 2);
}

static void an_end_waits_for_the_work_and_begins_none(void **state)
{
    struct work work = { .wants_more = false };
    struct keeper *keeper = keeper_of(&work);

    (void)state;
    keeper_end(keeper); /* before the start it is nothing */
    keeper_start(keeper);
    keeper_ask(keeper);
    sem_wait(&work.began);
    sem_post(&work.may_end);
    keeper_end(keeper);
    assert_int_equal(work.count, 1);
    keeper_ask(keeper);
    keeper_free(keeper);
    assert_int_equal(work.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_that_was_asked_for_before_the_start_is_done),
        cmocka_unit_test(what_is_asked_for_while_it_works_is_done_once_more),
        cmocka_unit_test(work_may_ask_for_itself),
        cmocka_unit_test(an_end_waits_for_the_work_and_begins_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
