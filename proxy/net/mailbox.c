/* Messages are a stack that posters push onto without a lock and the loop takes whole. Only the post that
 * finds it empty writes to the eventfd; the eventfd is watched edge-triggered, so it never has to be read. */
#include "proxy/net/mailbox.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "proxy/base/mem.h"
#include "proxy/net/loop.h"

struct message {
    struct message *next;
    void (*fn)(void *arg);
    void *arg;
};

struct mailbox {
    int fd;
    struct event *event;
    _Atomic(struct message *) newest;
};

/* Calls what is there, oldest first; false: nothing was. */
static bool empty(struct mailbox *mailbox)
{
    struct message *message = atomic_exchange(&mailbox->newest, NULL);
    struct message *oldest = NULL;

    if (message == NULL)
        return false;
    while (message != NULL) {
        struct message *next = message->next;
        message->next = oldest;
        oldest = message;
        message = next;
    }
    while (oldest != NULL) {
        message = oldest;
        oldest = message->next;
        message->fn(message->arg);
        mem_free(message);
    }
    return true;
}

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    empty(arg);
}

struct mailbox *mailbox_new(struct loop *loop)
{
    struct mailbox *mailbox = mem_new(struct mailbox);

    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd >= 0)
        mailbox->event =
            event_new(loop_base(loop), mailbox->fd, EV_READ | EV_ET | EV_PERSIST, wake_cb, mailbox);
    if (mailbox->event == NULL || event_add(mailbox->event, NULL) != 0) {
        mailbox_free(mailbox);
        return NULL;
    }
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    while (empty(mailbox))
        ;
    if (mailbox->event != NULL)
        event_free(mailbox->event);
    if (mailbox->fd >= 0)
        close(mailbox->fd);
    mem_free(mailbox);
}

void mailbox_post(struct mailbox *mailbox, void (*fn)(void *arg), void *arg)
{
    struct message *message = mem_new(struct message);
    struct message *newest = atomic_load(&mailbox->newest);
    uint64_t one = 1;
    ssize_t written;

    message->fn = fn;
    message->arg = arg;
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak(&mailbox->newest, &newest, message));
    if (newest != NULL)
        return;
    /* Fails only when the counter would pass 2^64 - 2. */
    written = write(mailbox->fd, &one, sizeof one);
    assert(written == sizeof one);
    (void)written;
}
