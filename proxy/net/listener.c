#include "proxy/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "proxy/base/span.h"
#include "proxy/net/loop.h"
#include "proxy/net/port_holder.h"
#include "proxy/net/stream.h"

/* After this many accepted the connections that are there already have their turn. */
#define ACCEPT_TURN 64
/* Out of descriptors: some connection will have ended by then. */
#define PAUSE_US (100 * 1000)
/* Of the descriptors a process may have, so many are left to the connections that those accepted need: a
 * client without one can only be told so. A quarter, but no more than this. */
#define MOST_RESERVED 256
/* How often a process says that it is out of them. */
#define COMPLAIN_US (60 * 1000000ULL)

struct listener {
    struct loop *loop;
    int fd;   /* -1: closed */
    int most; /* a descriptor from this number on is of the reserve: the lowest that is free is given */
    struct event *event;
    struct loop_timer pause;
    accept_cb cb;
    void *self;
};

bool listen_parse(const char *text, struct address *out_address, struct err *err)
{
    const char *colon = strrchr(text, ':');
    struct span host = span_make(text, colon != NULL ? (size_t)(colon - text) : 0);
    char name[INET6_ADDRSTRLEN + 32];
    uint64_t port = 0;

    if (colon == NULL || (host.len != 0 && host.ptr[0] != '[' && memchr(host.ptr, ':', host.len) != NULL))
        return err_set(err, ERR_USAGE, "'%s' is no address to listen on: write 127.0.0.1:8080 or [::1]:8080",
                       text);
    if (!span_u64(span_of(colon + 1), &port) || port > UINT16_MAX)
        return err_set(err, ERR_USAGE, "'%s' has no port from 0 to 65535 after its ':'", text);
    if (host.len == 0 || span_ieq(host, SPAN("localhost")))
        host = SPAN("127.0.0.1");
    if (host.len < sizeof name) {
        memcpy(name, host.ptr, host.len);
        name[host.len] = '\0';
        if (address_parse(name, (uint16_t)port, out_address))
            return true;
    }
    return err_set(err, ERR_USAGE, "'%.*s' is no IP address to listen on", SPAN_ARG(host));
}

static bool set_on(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* SO_REUSEADDR lets us bind while connections of an earlier run are in TIME_WAIT. */
static bool bind_one(const struct address *address, bool is_first, int *out_fd)
{
    int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    *out_fd = fd;
    if (fd < 0)
        return false;
    stream_set_options(fd);
    if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) &&
        (address->sa.ss_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
        (is_first || set_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        bind(fd, (const struct sockaddr *)&address->sa, address->len) == 0 &&
        (!is_first || set_on(fd, SOL_SOCKET, SO_REUSEPORT)))
        return true;
    error = errno;
    close(fd);
    errno = error;
    return false;
}

static bool bind_failed(const struct address *address, int errno_value, struct err *err)
{
    char where[ADDRESS_TEXT_BYTES], holder[128];

    address_format(address, where, sizeof where);
    if (errno_value != EADDRINUSE)
        return err_sys(err, errno_value, "listening on %s", where);
    if (port_holder_find(address, holder, sizeof holder))
        return err_set(err, ERR_SYS, "%s is in use by %s: end that, or take another port", where, holder);
    return err_set(err, ERR_SYS, "%s is in use: take another port", where);
}

bool listen_bind(const struct address *address, unsigned count, int *out_fds, struct address *out_bound,
                 struct err *err)
{
    struct address bound = *address;
    unsigned made = 0;

    for (; made < count; made++) {
        if (!bind_one(&bound, made == 0, &out_fds[made]))
            goto fail;
        if (made == 0)
            getsockname(out_fds[0], (struct sockaddr *)&bound.sa, &bound.len);
    }
    /* Listening once all are bound: they join one group, and the backlog is spread from the first SYN on. */
    for (unsigned i = 0; i < count; i++) {
        if (listen(out_fds[i], SOMAXCONN) != 0)
            goto fail;
    }
    *out_bound = bound;
    return true;
fail:
    bind_failed(&bound, errno, err);
    while (made > 0)
        close(out_fds[--made]);
    return false;
}

static void complain(int errno_value)
{
    static _Atomic uint64_t next_us;
    uint64_t now_us = clock_mono_us();
    uint64_t due_us = atomic_load(&next_us);

    if (now_us >= due_us && atomic_compare_exchange_strong(&next_us, &due_us, now_us + COMPLAIN_US))
        log_warn("listener", "clients have to wait: accepting pauses",
                 LOG_S("why", strerrordesc_np(errno_value)));
}

/* An error that belongs to the one connection that was to be accepted (accept(2)): the next may be fine. */
static bool is_passing(int errno_value)
{
    switch (errno_value) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static int least_reserved(void)
{
    struct rlimit limit;
    rlim_t reserved;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    reserved = limit.rlim_cur / 4 < MOST_RESERVED ? limit.rlim_cur / 4 : MOST_RESERVED;
    return (int)(limit.rlim_cur - reserved);
}

static void pause_accepting(struct listener *listener, int errno_value)
{
    complain(errno_value);
    event_del(listener->event);
    loop_timer_set(&listener->pause, PAUSE_US);
}

static void accept_turn(evutil_socket_t fd, short what, void *arg)
{
    struct listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPT_TURN && listener->fd >= 0; i++) {
        struct address client = { .len = sizeof client.sa };
        int accepted = accept4(fd, (struct sockaddr *)&client.sa, &client.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0) {
            bool is_last = accepted >= listener->most;
            listener->cb(listener->self, accepted, &client, loop_now_us(listener->loop));
            if (is_last && listener->fd >= 0)
                pause_accepting(listener, EMFILE);
            if (is_last)
                return;
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (is_passing(errno))
            continue;
        pause_accepting(listener, errno);
        return;
    }
}

static void resume(void *arg)
{
    struct listener *listener = arg;
    int lowest = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);

    if (lowest >= 0)
        close(lowest);
    if (lowest < 0 || lowest >= listener->most)
        loop_timer_set(&listener->pause, PAUSE_US);
    else
        event_add(listener->event, NULL);
}

struct listener *listener_new(struct loop *loop, int fd, accept_cb cb, void *self)
{
    struct listener *listener = mem_new(struct listener);

    listener->loop = loop;
    listener->fd = fd;
    listener->most = least_reserved();
    listener->cb = cb;
    listener->self = self;
    loop_timer_init(&listener->pause, loop, resume, listener);
    listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, accept_turn, listener);
    event_add(listener->event, NULL);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    event_free(listener->event);
    loop_timer_clear(&listener->pause);
    close(listener->fd);
    listener->fd = -1;
    loop_defer(listener->loop, mem_free, listener);
}
