#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "proxy/net/loop.h"
#include "proxy/net/mailbox.h"
#include "tests/support/loop_until.h"

#define POSTERS 4
#define POSTS   2000

struct inbox {
    struct mailbox *mailbox;
    int next[POSTERS]; /* the number that each poster's next message has */
    int count;
    volatile int is_full;
};

struct letter {
    struct inbox *inbox;
    int poster, number;
};

struct poster {
    pthread_t thread;
    struct inbox *inbox;
    int index;
};

static void read_letter(void *arg)
{
    struct letter *letter = arg;
    struct inbox *inbox = letter->inbox;

    assert_int_equal(letter->number, inbox->next[letter->poster]++);
    inbox->is_full = ++inbox->count == POSTERS * POSTS;
    free(letter);
}

static void post(struct inbox *inbox, int poster, int number)
{
    struct letter *letter = malloc(sizeof *letter);

    *letter = (struct letter){ inbox, poster, number };
    mailbox_post(inbox->mailbox, read_letter, letter);
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < POSTS; i++)
        post(poster->inbox, poster->index, i);
    return NULL;
}

static void messages_of_many_threads_all_arrive_each_threads_in_order(void **state)
{
    struct loop *loop = loop_new();
    struct inbox inbox = { .mailbox = mailbox_new(loop) };
    struct poster posters[POSTERS];

    (void)state;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .inbox = &inbox, .index = i };
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_true(loop_until(loop, &inbox.is_full));
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
    mailbox_free(inbox.mailbox);
    loop_free(loop);
}

static void freeing_a_mailbox_calls_what_nobody_read(void **state)
{
    struct loop *loop = loop_new();
    struct inbox inbox = { .mailbox = mailbox_new(loop) };

    (void)state;
    post(&inbox, 0, 0);
    post(&inbox, 0, 1);
    assert_int_equal(inbox.count, 0);
    mailbox_free(inbox.mailbox);
    assert_int_equal(inbox.count, 2);
    mailbox_free(NULL);
    loop_free(loop);
}

struct ping {
    struct mailbox *mailbox;
    int left;
    volatile int is_over;
};

static void ping_cb(void *arg)
{
    struct ping *ping = arg;

    if (ping->left-- > 0)
        mailbox_post(ping->mailbox, ping_cb, ping);
    else
        ping->is_over = 1;
}

static void message_may_post_the_next(void **state)
{
    struct loop *loop = loop_new();
    struct ping ping = { .mailbox = mailbox_new(loop), .left = 100 };

    (void)state;
    mailbox_post(ping.mailbox, ping_cb, &ping);
    assert_true(loop_until(loop, &ping.is_over));
    mailbox_free(ping.mailbox);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_many_threads_all_arrive_each_threads_in_order),
        cmocka_unit_test(freeing_a_mailbox_calls_what_nobody_read),
        cmocka_unit_test(message_may_post_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
