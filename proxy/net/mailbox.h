/* mailbox: messages into a loop from other threads.
 *
 * A post wakes the loop, which calls fn(arg) on its own thread, in the order of posting. A mailbox outlives
 * every thread that posts to it. */
#ifndef WEIR_NET_MAILBOX_H
#define WEIR_NET_MAILBOX_H

struct loop;
struct mailbox;

struct mailbox *mailbox_new(struct loop *loop); /* NULL: no descriptor left for it */
/* Messages that nobody read are called first. The loop's thread, or whoever has joined it. NULL is fine. */
void mailbox_free(struct mailbox *mailbox);
void mailbox_post(struct mailbox *mailbox, void (*fn)(void *arg), void *arg); /* any thread */

#endif
