#include "proxy/net/origdst.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <linux/netfilter_ipv4.h>

/* Its header, linux/netfilter_ipv6/ip6_tables.h, can't be included beside net/if.h. */
#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST 80
#endif

/* False where connection tracking knows nothing of fd, or there is none. */
static bool read_tracked(int fd, int family, struct address *out_address)
{
    bool is_v6 = family == AF_INET6;

    *out_address = (struct address){ .len = sizeof out_address->sa };
    return getsockopt(fd, is_v6 ? SOL_IPV6 : SOL_IP, is_v6 ? IP6T_SO_ORIGINAL_DST : SO_ORIGINAL_DST,
                      &out_address->sa, &out_address->len) == 0;
}

static bool same_ip(const struct address *a, const struct address *b)
{
    if (a->sa.ss_family != b->sa.ss_family)
        return false;
    if (a->sa.ss_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr,
                      &((const struct sockaddr_in6 *)&b->sa)->sin6_addr, sizeof(struct in6_addr)) == 0;
    return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)&b->sa)->sin_addr.s_addr;
}

static bool is_wildcard(const struct address *address)
{
    struct address any = { .sa.ss_family = address->sa.ss_family }; /* both families' is all zeroes */

    return same_ip(address, &any);
}

/* Only addresses of this machine can be bound to without IP_TRANSPARENT. */
static bool is_of_this_machine(const struct address *address)
{
    struct address any_port = *address;
    int fd = socket(address->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_ours;

    if (fd < 0)
        return true; /* refusing is the safe side: it never dials ourselves */
    address_set_port(&any_port, 0);
    is_ours = bind(fd, (const struct sockaddr *)&any_port.sa, any_port.len) == 0 || errno != EADDRNOTAVAIL;
    close(fd);
    return is_ours;
}

static bool is_of_listener(const struct address *local, const struct address *listener)
{
    if (address_port(local) != address_port(listener))
        return false;
    return is_wildcard(listener) ? is_of_this_machine(local) : same_ip(local, listener);
}

bool origdst_find(int fd, const struct address *listener, struct address *out_address, struct err *err)
{
    struct address local = { .len = sizeof local.sa }, tracked;
    char where[ADDRESS_TEXT_BYTES];

    if (getsockname(fd, (struct sockaddr *)&local.sa, &local.len) != 0)
        return err_sys(err, errno, "the address of a redirected connection");
    if (read_tracked(fd, local.sa.ss_family, &tracked) &&
        (!same_ip(&tracked, &local) || address_port(&tracked) != address_port(&local))) {
        *out_address = tracked;
        return true;
    }
    if (!is_of_listener(&local, listener)) {
        *out_address = local;
        return true;
    }
    address_format(&local, where, sizeof where);
    return err_set(err, ERR_USAGE,
                   "not redirected: the client connected to %s itself; a transparent listener takes what a "
                   "firewall redirects to it (REDIRECT or TPROXY)",
                   where);
}

bool origdst_allow_tproxy(int listening_fd, struct err *err)
{
    int on = 1, family;
    socklen_t len = sizeof family;

    if (getsockopt(listening_fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
        (family == AF_INET6 ? setsockopt(listening_fd, SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof on)
                            : setsockopt(listening_fd, SOL_IP, IP_TRANSPARENT, &on, sizeof on)) == 0)
        return true;
    if (errno != EPERM)
        return err_sys(err, errno, "making a listener transparent");
    return err_set(
        err, ERR_SYS,
        "TPROXY can't be used, only REDIRECT: it needs CAP_NET_ADMIN (start weir as root, or give it "
        "the capability: setcap cap_net_admin+ep)");
}
