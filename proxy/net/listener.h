/* listener: accepting on one address, with a socket for every worker.
 *
 * The first socket of an address is bound without SO_REUSEPORT, so that a second weir on the same port is
 * refused; it and the others get it after that. When descriptors or memory are out, accepting pauses for 100
 * ms, and the process says so once a minute at most. */
#ifndef WEIR_NET_LISTENER_H
#define WEIR_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/net/resolve.h"

struct loop;
struct listener;

/* "127.0.0.1:8080", "[::1]:0", "localhost:8080", ":8080" (127.0.0.1). Asks no name server. ERR_USAGE. */
bool listen_parse(const char *text, struct address *out_address, struct err *err);
/* count sockets on one address, listening; with port 0 all on the one that the system gave. out_bound is what
 * it became. "[::]" is IPv6 alone. ERR_SYS: says who holds the port where the system tells ("pid 4711
 * (nginx)"). */
bool listen_bind(const struct address *address, unsigned count, int *out_fds, struct address *out_bound,
                 struct err *err);

/* Accepted sockets are non-blocking and close-on-exec; accepted_us is monotonic. */
typedef void (*accept_cb)(void *self, int fd, const struct address *client, uint64_t accepted_us);
/* Takes fd; what waits in its backlog is accepted on the loop's next turn, 64 a turn. */
struct listener *listener_new(struct loop *loop, int fd, accept_cb cb, void *self);
void listener_free(struct listener *listener); /* closes; also from inside cb; NULL is fine */

#endif
