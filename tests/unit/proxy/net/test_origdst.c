/* What was redirected needs a firewall: the tests of it run in a network namespace of their own, made with
 * what the kernel lets this user have, and are skipped where it lets him have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "proxy/net/listener.h"
#include "proxy/net/origdst.h"

/* Ours alone in a namespace of our own. */
#define PORT "5555"

/* REDIRECT of 10.9.9.9 and fd00:9::9; TPROXY of 10.9.8.8 and fd00:9::8, whose packets are marked and sent
 * round by the loopback device first, for only what comes in can be given to a listener. */
static const char net_script[] =
    "set -e\n"
    "ip link set lo up\n"
    "ip addr add 10.9.0.1/32 dev lo\n"
    "ip addr add fd00:9::1/128 dev lo nodad\n"
    "ip route add default dev lo\n"
    "ip -6 route add default dev lo\n"
    "ip rule add fwmark 1 lookup 100\n"
    "ip route add local default dev lo table 100\n"
    "ip -6 rule add fwmark 1 lookup 100\n"
    "ip -6 route add local default dev lo table 100\n"
    "nft -f - <<'RULES'\n"
    "table inet weir_test {\n"
    "  chain redirected { type nat hook output priority -100;\n"
    "    ip daddr 10.9.9.9 meta l4proto tcp redirect to :" PORT "\n"
    "    ip6 daddr fd00:9::9 meta l4proto tcp redirect to :" PORT "\n"
    "  }\n"
    "  chain marked { type route hook output priority -150;\n"
    "    ip daddr 10.9.8.8 meta l4proto tcp meta mark set 1\n"
    "    ip6 daddr fd00:9::8 meta l4proto tcp meta mark set 1\n"
    "  }\n"
    "  chain given { type filter hook prerouting priority -150;\n"
    "    meta nfproto ipv4 meta mark 1 meta l4proto tcp tproxy ip to :" PORT "\n"
    "    meta nfproto ipv6 meta mark 1 meta l4proto tcp tproxy ip6 to :" PORT "\n"
    "  }\n"
    "}\n"
    "RULES\n";

static bool has_firewall;

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return is_done;
}

static bool enter_namespace(void)
{
    char map[32];

    if (unshare(CLONE_NEWNET) == 0)
        return true;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)getuid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_file("/proc/self/uid_map", map);
}

static int make_net(void **state)
{
    FILE *shell;

    (void)state;
    if (!enter_namespace() || (shell = popen("PATH=$PATH:/usr/sbin:/sbin sh", "w")) == NULL)
        return 0;
    fputs(net_script, shell);
    has_firewall = pclose(shell) == 0;
    return 0;
}

static int listen_on(const char *text, bool is_transparent, struct address *out_bound)
{
    struct address address;
    struct err err;
    int fd;

    assert_true(listen_parse(text, &address, &err));
    assert_true(listen_bind(&address, 1, &fd, out_bound, &err));
    if (is_transparent)
        assert_true(origdst_allow_tproxy(fd, &err));
    return fd;
}

/* The client's socket, or -1. */
static int connect_to(const char *ip, uint16_t port)
{
    struct timeval limit = { .tv_sec = 5 };
    struct address address;
    int fd;

    assert_true(address_parse(ip, port, &address));
    fd = socket(address.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address.sa, address.len) == 0)
        return fd;
    close(fd);
    return -1;
}

/* What is found of a connection to ip:port that reaches a listener on text: "1.2.3.4:80", or the error. */
static void finds(const char *listener_text, bool is_transparent, const char *ip, uint16_t port,
                  const char *expected)
{
    struct address bound, found;
    struct err err;
    char text[sizeof err.text];
    int listening = listen_on(listener_text, is_transparent, &bound);
    int client = connect_to(ip, port != 0 ? port : address_port(&bound)), accepted;

    assert_true(client >= 0);
    accepted = accept(listening, NULL, NULL);
    assert_true(accepted >= 0);
    if (origdst_find(accepted, &bound, &found, &err)) {
        address_format(&found, text, sizeof text);
    } else {
        assert_int_equal(err.code, ERR_USAGE);
        strcpy(text, err.text);
    }
    if (strcmp(expected, "not redirected") == 0)
        assert_memory_equal(text, expected, strlen(expected));
    else
        assert_string_equal(text, expected);
    close(accepted);
    close(client);
    close(listening);
}

static void a_client_that_came_directly_was_not_redirected(void **state)
{
    (void)state;
    finds("127.0.0.1:0", false, "127.0.0.1", 0, "not redirected");
    finds("0.0.0.0:0", false, "127.0.0.1", 0, "not redirected");
    finds("[::1]:0", false, "::1", 0, "not redirected");
    finds("[::]:0", false, "::1", 0, "not redirected");
}

static void a_redirected_client_meant_what_connection_tracking_tells(void **state)
{
    (void)state;
    if (!has_firewall)
        skip();
    finds("0.0.0.0:" PORT, false, "10.9.9.9", 443, "10.9.9.9:443");
    finds("127.0.0.1:" PORT, false, "10.9.9.9", 80, "10.9.9.9:80");
    finds("0.0.0.0:" PORT, false, "10.9.9.9", 5555, "10.9.9.9:5555");
    finds("[::]:" PORT, false, "fd00:9::9", 443, "[fd00:9::9]:443");
}

static void beside_a_firewall_a_direct_client_is_direct_all_the_same(void **state)
{
    (void)state;
    if (!has_firewall)
        skip();
    finds("0.0.0.0:" PORT, true, "10.9.0.1", 0, "not redirected");
    finds("127.0.0.1:" PORT, true, "127.0.0.1", 0, "not redirected");
    finds("[::]:" PORT, true, "fd00:9::1", 0, "not redirected");
}

static void a_client_given_by_tproxy_meant_the_sockets_own_address(void **state)
{
    (void)state;
    if (!has_firewall)
        skip();
    finds("0.0.0.0:" PORT, true, "10.9.8.8", 443, "10.9.8.8:443");
    finds("[::]:" PORT, true, "fd00:9::8", 443, "[fd00:9::8]:443");
}

static void tproxy_to_the_listeners_own_port_is_no_direct_client(void **state)
{
    (void)state;
    if (!has_firewall)
        skip();
    finds("0.0.0.0:" PORT, true, "10.9.8.8", 5555, "10.9.8.8:5555");
    finds("[::]:" PORT, true, "fd00:9::8", 5555, "[fd00:9::8]:5555");
}

static void set_capabilities(const struct __user_cap_data_struct *data)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void who_may_not_use_tproxy_is_told_what_it_needs(void **state)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3], less[_LINUX_CAPABILITY_U32S_3];
    struct address bound;
    struct err err;
    int fd = listen_on("127.0.0.1:0", false, &bound);
    bool is_allowed;

    (void)state;
    assert_int_equal(syscall(SYS_capget, &header, had), 0);
    memcpy(less, had, sizeof less);
    less[0].effective &= ~(uint32_t)(1U << CAP_NET_ADMIN | 1U << CAP_NET_RAW);
    set_capabilities(less);
    is_allowed = origdst_allow_tproxy(fd, &err);
    set_capabilities(had);
    assert_false(is_allowed);
    assert_int_equal(err.code, ERR_SYS);
    assert_non_null(strstr(err.text, "CAP_NET_ADMIN"));
    assert_non_null(strstr(err.text, "only REDIRECT"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_came_directly_was_not_redirected),
        cmocka_unit_test(a_redirected_client_meant_what_connection_tracking_tells),
        cmocka_unit_test(beside_a_firewall_a_direct_client_is_direct_all_the_same),
        cmocka_unit_test(a_client_given_by_tproxy_meant_the_sockets_own_address),
        cmocka_unit_test(tproxy_to_the_listeners_own_port_is_no_direct_client),
        cmocka_unit_test(who_may_not_use_tproxy_is_told_what_it_needs),
    };
    return cmocka_run_group_tests(tests, make_net, NULL);
}
