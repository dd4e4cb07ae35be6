/* One dial:
 *
 *             an IPv6 address, both families,
 *             or 50 ms after an IPv4 one         connected, all failed, 15 s, forbidden
 *   WAITING ----------------------------> RACING ------------------------------------> OVER
 *      '------------------- no address, 15 s -------------------------------------------^
 *
 * OVER is told at the end of the turn, so nobody is called from inside dial_start. */
#include "proxy/net/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "proxy/base/mem.h"
#include "proxy/net/loop.h"
#include "proxy/net/stream.h"

/* RFC 8305 §8: Resolution Delay and Connection Attempt Delay. */
#define RESOLUTION_DELAY_US (50 * 1000)
#define ATTEMPT_DELAY_US    (250 * 1000)
#define OVERALL_S           15

enum dial_state { DIAL_WAITING, DIAL_RACING, DIAL_OVER };
enum { V4, V6, FAMILIES };

struct attempt {
    LIST_ENTRY(attempt) link;
    struct dial *dial;
    int fd;
    struct event *event;
    struct address address;
};

struct candidates { /* the addresses of one family */
    struct address list[RESOLVE_ADDRESSES_MAX];
    unsigned count, next;
};

struct dial {
    struct loop *loop;
    enum dial_state state;
    bool is_cancelled, is_told;
    bool all_known; /* no more addresses will come */
    char *host;
    dial_check may_dial;
    dial_cb cb;
    void *self;
    struct resolution *resolution;
    struct candidates candidates[FAMILIES];
    int next_family;
    LIST_HEAD(, attempt) attempts;
    struct loop_timer pace; /* until connecting starts, then until the next attempt */
    struct loop_timer overall;
    struct dial_result result;
    int failed_errno; /* of result.address; 0: none has failed */
};

static void free_cb(void *arg)
{
    struct dial *dial = arg;

    mem_free(dial->host);
    mem_free(dial);
}

static void attempt_free(struct attempt *attempt)
{
    LIST_REMOVE(attempt, link);
    if (attempt->event != NULL)
        event_free(attempt->event);
    if (attempt->fd >= 0)
        close(attempt->fd);
    mem_free(attempt);
}

static void stop(struct dial *dial)
{
    dial->state = DIAL_OVER;
    resolve_cancel(dial->resolution);
    dial->resolution = NULL;
    while (!LIST_EMPTY(&dial->attempts))
        attempt_free(LIST_FIRST(&dial->attempts));
    loop_timer_clear(&dial->pace);
    loop_timer_clear(&dial->overall);
}

static void tell_cb(void *arg)
{
    struct dial *dial = arg;

    if (!dial->is_cancelled) {
        dial->is_told = true;
        dial->cb(dial->self, &dial->result);
    } else if (dial->result.fd >= 0) {
        close(dial->result.fd);
    }
    loop_defer(dial->loop, free_cb, dial);
}

static void over(struct dial *dial)
{
    stop(dial);
    loop_defer(dial->loop, tell_cb, dial);
}

/* "'host' at 1.2.3.4:80", or the address alone where host says nothing else. */
static void name_target(const struct dial *dial, const struct address *address, char *out, size_t out_size)
{
    char where[ADDRESS_TEXT_BYTES];
    struct address literal;

    address_format(address, where, sizeof where);
    if (address_parse(dial->host, 0, &literal))
        snprintf(out, out_size, "%s", where);
    else
        snprintf(out, out_size, "'%.253s' at %s", dial->host, where);
}

static void fail_connecting(struct dial *dial)
{
    char target[384];

    name_target(dial, &dial->result.address, target, sizeof target);
    if (dial->result.attempts > 1)
        err_sys(&dial->result.err, dial->failed_errno, "connecting to %s, the last of %u addresses", target,
                dial->result.attempts);
    else
        err_sys(&dial->result.err, dial->failed_errno, "connecting to %s", target);
    dial->result.times.connect_end = loop_now_us(dial->loop);
    over(dial);
}

static void out_of_time(void *arg)
{
    struct dial *dial = arg;
    struct dial_times *times = &dial->result.times;
    uint64_t now_us = loop_now_us(dial->loop);
    char target[384];

    if (dial->failed_errno != 0 && LIST_EMPTY(&dial->attempts)) {
        fail_connecting(dial); /* the other family might have had an address, but nobody knows */
        return;
    }
    if (dial->result.attempts == 0) {
        times->dns_end = now_us;
        err_set(&dial->result.err, ERR_TIMEOUT, "name server does not answer for '%s' in %d s", dial->host,
                OVERALL_S);
    } else {
        dial->result.address = LIST_FIRST(&dial->attempts)->address;
        times->connect_end = now_us;
        name_target(dial, &dial->result.address, target, sizeof target);
        err_set(&dial->result.err, ERR_TIMEOUT, "connecting to %s: no answer in %d s", target, OVERALL_S);
    }
    over(dial);
}

static void forbid(struct dial *dial, const struct address *address)
{
    char target[384];

    name_target(dial, address, target, sizeof target);
    dial->result.address = *address;
    err_set(&dial->result.err, ERR_FOUND, "%s is not to be dialled", target);
    over(dial);
}

static void connected(struct attempt *attempt)
{
    struct dial *dial = attempt->dial;

    dial->result.fd = attempt->fd;
    dial->result.address = attempt->address;
    dial->result.times.connect_end = loop_now_us(dial->loop);
    attempt->fd = -1;
    over(dial);
}

/* "No way to that network" says nothing about the origin: it does not hide what another address said. */
static void note_failure(struct dial *dial, const struct address *address, int errno_value)
{
    bool is_routing =
        errno_value == ENETUNREACH || errno_value == EADDRNOTAVAIL || errno_value == EAFNOSUPPORT;

    if (is_routing && dial->failed_errno != 0)
        return;
    dial->result.address = *address;
    dial->failed_errno = errno_value;
}

static struct address *next_address(struct dial *dial)
{
    for (int i = 0; i < FAMILIES; i++) {
        struct candidates *candidates = &dial->candidates[dial->next_family];

        dial->next_family = dial->next_family == V4 ? V6 : V4;
        if (candidates->next < candidates->count)
            return &candidates->list[candidates->next++];
    }
    return NULL;
}

static void race(struct dial *dial);

static void connect_cb(evutil_socket_t fd, short what, void *arg)
{
    struct attempt *attempt = arg;
    struct dial *dial = attempt->dial;
    int error = 0;
    socklen_t len = sizeof error;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0) {
        connected(attempt);
        return;
    }
    note_failure(dial, &attempt->address, error);
    attempt_free(attempt);
    race(dial);
}

/* False: it failed at once. */
static bool attempt_start(struct dial *dial, const struct address *address)
{
    struct attempt *attempt = mem_new(struct attempt);

    LIST_INSERT_HEAD(&dial->attempts, attempt, link);
    attempt->dial = dial;
    attempt->address = *address;
    attempt->fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd >= 0)
        stream_set_options(attempt->fd);
    if (attempt->fd < 0 || (connect(attempt->fd, (const struct sockaddr *)&address->sa, address->len) != 0 &&
                            errno != EINPROGRESS)) {
        note_failure(dial, address, errno);
        attempt_free(attempt);
        return false;
    }
    attempt->event = event_new(loop_base(dial->loop), attempt->fd, EV_WRITE, connect_cb, attempt);
    event_add(attempt->event, NULL);
    return true;
}

/* Starts the next attempt, over those that fail at once; the dial fails when nothing is left to wait for. */
static void race(struct dial *dial)
{
    struct dial_times *times = &dial->result.times;

    while (dial->state != DIAL_OVER) {
        const struct address *address = next_address(dial);
        bool may;

        if (address == NULL) {
            if (LIST_EMPTY(&dial->attempts) && dial->all_known)
                fail_connecting(dial);
            return;
        }
        may = dial->may_dial == NULL || dial->may_dial(dial->self, address);
        if (dial->state == DIAL_OVER) /* cancelled from inside */
            return;
        if (!may) {
            forbid(dial, address);
            return;
        }
        if (times->connect_start == 0)
            times->connect_start = loop_now_us(dial->loop);
        dial->result.attempts++;
        if (attempt_start(dial, address)) {
            loop_timer_set(&dial->pace, ATTEMPT_DELAY_US);
            return;
        }
    }
}

static void begin(struct dial *dial)
{
    dial->state = DIAL_RACING;
    dial->result.times.dns_end = loop_now_us(dial->loop);
    dial->next_family = V6;
    race(dial);
}

static void pace_cb(void *arg)
{
    struct dial *dial = arg;

    if (dial->state == DIAL_WAITING)
        begin(dial);
    else
        race(dial);
}

static void resolve_done(void *self, int family, const struct address *addresses, unsigned count,
                         bool is_last, const struct err *why)
{
    struct dial *dial = self;
    struct candidates *candidates = &dial->candidates[family == AF_INET ? V4 : V6];
    bool any;

    if (dial->state == DIAL_OVER)
        return;
    if (count != 0)
        memcpy(candidates->list, addresses, count * sizeof *addresses);
    candidates->count = count;
    dial->all_known = is_last;
    if (is_last)
        dial->resolution = NULL;
    any = dial->candidates[V4].count + dial->candidates[V6].count != 0;
    if (dial->state == DIAL_RACING) {
        /* More addresses for a race that goes on; it waits for its pace unless nothing is under way. */
        if (LIST_EMPTY(&dial->attempts))
            race(dial);
        else if (count != 0 && dial->pace.due_us == 0)
            loop_timer_set(&dial->pace, 0);
    } else if (is_last && !any) {
        dial->result.err = *why;
        dial->result.times.dns_end = loop_now_us(dial->loop);
        over(dial);
    } else if (is_last || (family == AF_INET6 && count != 0)) {
        begin(dial);
    } else if (any) {
        loop_timer_set(&dial->pace, RESOLUTION_DELAY_US);
    }
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port,
                        dial_check may_dial, dial_cb cb, void *self)
{
    struct dial *dial = mem_new(struct dial);
    struct resolution *resolution;
    bool was_asked;

    dial->loop = loop;
    dial->host = mem_strdup(host);
    dial->may_dial = may_dial;
    dial->cb = cb;
    dial->self = self;
    dial->result.fd = -1;
    LIST_INIT(&dial->attempts);
    loop_timer_init(&dial->pace, loop, pace_cb, dial);
    loop_timer_init(&dial->overall, loop, out_of_time, dial);
    loop_timer_set(&dial->overall, OVERALL_S * 1000000ULL);
    dial->result.times.dns_start = loop_now_us(loop);
    resolution = resolve(resolver, host, port, resolve_done, dial);
    was_asked = resolution != NULL;
    if (dial->state == DIAL_OVER)
        resolve_cancel(resolution);
    else
        dial->resolution = resolution;
    if (!was_asked)
        dial->result.times.dns_start = dial->result.times.dns_end = 0;
    return dial;
}

void dial_cancel(struct dial *dial)
{
    if (dial == NULL || dial->is_cancelled || dial->is_told)
        return;
    dial->is_cancelled = true;
    if (dial->state == DIAL_OVER)
        return; /* tell_cb is on its way and frees */
    stop(dial);
    loop_defer(dial->loop, free_cb, dial);
}
