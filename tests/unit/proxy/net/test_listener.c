#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/net/listener.h"
#include "proxy/net/loop.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

static void addresses_to_listen_on_are_read(void **state)
{
    static const char *const table[][2] = {
        { "127.0.0.1:8080", "127.0.0.1:8080" }, { "[::1]:0", "[::1]:0" },
        { ":8080", "127.0.0.1:8080" },          { "localhost:1", "127.0.0.1:1" },
        { "0.0.0.0:65535", "0.0.0.0:65535" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address address;
        struct err err;
        char text[ADDRESS_TEXT_BYTES];

        assert_true(listen_parse(table[i][0], &address, &err));
        address_format(&address, text, sizeof text);
        assert_string_equal(text, table[i][1]);
    }
}

static void what_is_no_address_is_refused_in_a_sentence(void **state)
{
    static const char *const table[][2] = {
        { "", "'' is no address to listen on: write 127.0.0.1:8080 or [::1]:8080" },
        { "8080", "'8080' is no address to listen on: write 127.0.0.1:8080 or [::1]:8080" },
        { "::1:8080", "'::1:8080' is no address to listen on: write 127.0.0.1:8080 or [::1]:8080" },
        { "127.0.0.1:", "'127.0.0.1:' has no port from 0 to 65535 after its ':'" },
        { "127.0.0.1:65536", "'127.0.0.1:65536' has no port from 0 to 65535 after its ':'" },
        { "127.0.0.1:-1", "'127.0.0.1:-1' has no port from 0 to 65535 after its ':'" },
        { "example.com:80", "'example.com' is no IP address to listen on" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address address;
        struct err err;

        assert_false(listen_parse(table[i][0], &address, &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.text, table[i][1]);
    }
}

static struct address loopback(uint16_t port)
{
    struct address address;

    assert_true(address_parse("127.0.0.1", port, &address));
    return address;
}

static void sockets_of_all_workers_share_the_port_that_the_system_gave(void **state)
{
    struct address want = loopback(0), bound;
    struct err err;
    int fds[3];

    (void)state;
    assert_true(listen_bind(&want, 3, fds, &bound, &err));
    assert_int_not_equal(address_port(&bound), 0);
    for (int i = 0; i < 3; i++) {
        struct address own = { .len = sizeof own.sa };
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&own.sa, &own.len), 0);
        assert_int_equal(address_port(&own), address_port(&bound));
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        close(fds[i]);
    }
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void accepted_sockets_send_at_once_and_find_the_dead(void **state)
{
    struct address want = loopback(0), bound;
    int listening, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
    struct err err;

    (void)state;
    assert_true(listen_bind(&want, 1, &listening, &bound, &err));
    assert_int_equal(connect(client, (struct sockaddr *)&bound.sa, bound.len), 0);
    accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    assert_int_not_equal(option(accepted, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    close(accepted);
    close(client);
    close(listening);
}

static void port_in_use_is_refused_and_its_holder_named(void **state)
{
    struct address want = loopback(0), bound, again;
    struct err err;
    int fds[2], more[2];
    char text[128];

    (void)state;
    assert_true(listen_bind(&want, 2, fds, &bound, &err));
    assert_false(listen_bind(&bound, 2, more, &again, &err));
    assert_int_equal(err.code, ERR_SYS);
    snprintf(text, sizeof text, "127.0.0.1:%u is in use by pid %d (", address_port(&bound), (int)getpid());
    assert_int_equal(strncmp(err.text, text, strlen(text)), 0);
    /* the wildcard of the port is in the way as well */
    assert_true(address_parse("0.0.0.0", address_port(&bound), &want));
    assert_false(listen_bind(&want, 1, more, &again, &err));
    assert_non_null(strstr(err.text, "is in use by pid "));
    close(fds[0]);
    close(fds[1]);
}

static void address_that_is_not_ours_is_refused(void **state)
{
    struct address want, bound;
    struct err err;
    int fd;

    (void)state;
    assert_true(address_parse("192.0.2.1", 0, &want));
    assert_false(listen_bind(&want, 1, &fd, &bound, &err));
    assert_string_equal(err.text, "listening on 192.0.2.1:0: Cannot assign requested address");
}

struct door {
    struct loop *loop;
    struct listener *listener;
    struct address bound;
    int accepted[100];
    volatile int count;
    struct address client;
    uint64_t accepted_us;
    bool frees;
};

static void accept_one(void *self, int fd, const struct address *client, uint64_t accepted_us)
{
    struct door *door = self;

    door->accepted[door->count++] = fd;
    door->client = *client;
    door->accepted_us = accepted_us;
    if (door->frees)
        listener_free(door->listener);
}

static void door_open(struct door *door)
{
    struct address want = loopback(0);
    struct err err;
    int fd;

    *door = (struct door){ .loop = loop_new() };
    assert_true(listen_bind(&want, 1, &fd, &door->bound, &err));
    door->listener = listener_new(door->loop, fd, accept_one, door);
}

static void door_close(struct door *door)
{
    for (int i = 0; i < door->count; i++)
        close(door->accepted[i]);
    listener_free(door->listener);
    loop_free(door->loop);
}

static int knock(const struct door *door)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&door->bound.sa, door->bound.len), 0);
    return fd;
}

static void accepted_socket_is_non_blocking_and_close_on_exec(void **state)
{
    struct door door;
    struct address own = { .len = sizeof own.sa };
    uint64_t before_us = clock_mono_us();
    int fd;

    (void)state;
    door_open(&door);
    fd = knock(&door);
    assert_true(loop_until(door.loop, &door.count));
    assert_true((fcntl(door.accepted[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(door.accepted[0], F_GETFL) & O_NONBLOCK) != 0);
    getsockname(fd, (struct sockaddr *)&own.sa, &own.len);
    assert_int_equal(address_port(&door.client), address_port(&own));
    assert_in_range(door.accepted_us, before_us, clock_mono_us());
    close(fd);
    door_close(&door);
}

static void backlog_of_before_is_accepted(void **state)
{
    struct door door;
    int fds[90];

    (void)state;
    door_open(&door);
    for (int i = 0; i < 90; i++)
        fds[i] = knock(&door);
    while (door.count < 90)
        loop_turn(door.loop);
    for (int i = 0; i < 90; i++)
        close(fds[i]);
    door_close(&door);
}

static void listener_may_be_freed_while_it_accepts(void **state)
{
    struct door door;
    int first, second;

    (void)state;
    door_open(&door);
    door.frees = true;
    first = knock(&door);
    second = knock(&door);
    assert_true(loop_until(door.loop, &door.count));
    assert_int_equal(door.count, 1);
    door.listener = NULL;
    close(first);
    close(second);
    door_close(&door);
    listener_free(NULL);
}

static void count_line(void *self, enum log_level level, const char *line)
{
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_non_null(strstr(line, "Too many open files"));
    ++*(int *)self;
}

static void out_of_descriptors_accepting_pauses_and_says_so_once(void **state)
{
    struct door door;
    struct rlimit before, low;
    int fd, lines = 0;

    (void)state;
    door_open(&door);
    fd = knock(&door);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 3; /* all that is open stays open */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    log_sink(count_line, &lines);
    fast_time(20);
    loop_for(door.loop, 2000 * 1000);
    assert_int_equal(door.count, 0);
    assert_int_equal(lines, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(loop_until(door.loop, &door.count));
    fast_time(1);
    log_sink(NULL, NULL);
    close(fd);
    door_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_to_listen_on_are_read),
        cmocka_unit_test(what_is_no_address_is_refused_in_a_sentence),
        cmocka_unit_test(sockets_of_all_workers_share_the_port_that_the_system_gave),
        cmocka_unit_test(accepted_sockets_send_at_once_and_find_the_dead),
        cmocka_unit_test(port_in_use_is_refused_and_its_holder_named),
        cmocka_unit_test(address_that_is_not_ours_is_refused),
        cmocka_unit_test(accepted_socket_is_non_blocking_and_close_on_exec),
        cmocka_unit_test(backlog_of_before_is_accepted),
        cmocka_unit_test(listener_may_be_freed_while_it_accepts),
        cmocka_unit_test(out_of_descriptors_accepting_pauses_and_says_so_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
