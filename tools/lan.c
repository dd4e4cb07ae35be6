#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "proxy/base/mem.h"
#include "tools/lan.h"

/* The two parts of "address:port"; the address without brackets. */
static struct span address_of(const char *listener, const char **out_port)
{
    const char *colon = strrchr(listener, ':');
    struct span address = span_make(listener, (size_t)(colon - listener));

    *out_port = colon + 1;
    if (address.len > 2 && address.ptr[0] == '[')
        address = span_sub(address, 1, address.len - 2);
    return address;
}

bool lan_is_loopback(const char *listener)
{
    const char *port;
    struct span address = address_of(listener, &port);

    return span_starts(address, SPAN("127.")) || span_eq(address, SPAN("::1"));
}

static bool is_any(struct span address)
{
    return span_eq(address, SPAN("0.0.0.0")) || span_eq(address, SPAN("::"));
}

void lan_add_local(struct strbuf *out, const char *listener)
{
    const char *port;
    struct span address = address_of(listener, &port);

    if (!is_any(address))
        strbuf_add_str(out, listener);
    else
        strbuf_printf(out, "%s:%s", address.ptr[0] == '0' ? "127.0.0.1" : "[::1]", port);
}

static void each_of_family(const struct ifaddrs *first, int family, const char *port,
                           void (*each)(void *self, const char *address), void *self)
{
    for (const struct ifaddrs *ifa = first; ifa != NULL; ifa = ifa->ifa_next) {
        char text[INET6_ADDRSTRLEN], *address;
        const void *raw;

        if (ifa->ifa_addr == NULL || ifa->ifa_addr->sa_family != family || (ifa->ifa_flags & IFF_UP) == 0 ||
            (ifa->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        if (family == AF_INET) {
            raw = &((const struct sockaddr_in *)(const void *)ifa->ifa_addr)->sin_addr;
        } else {
            const struct in6_addr *in6 =
                &((const struct sockaddr_in6 *)(const void *)ifa->ifa_addr)->sin6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(in6))
                continue;
            raw = in6;
        }
        if (inet_ntop(family, raw, text, sizeof text) == NULL)
            continue;
        address = family == AF_INET ? mem_printf("%s:%s", text, port) : mem_printf("[%s]:%s", text, port);
        each(self, address);
        mem_free(address);
    }
}

void lan_each(const char *listener, void (*each)(void *self, const char *address), void *self)
{
    const char *port;
    struct span address = address_of(listener, &port);
    struct ifaddrs *first;

    if (!is_any(address)) {
        if (!lan_is_loopback(listener))
            each(self, listener);
        return;
    }
    if (getifaddrs(&first) != 0)
        return;
    each_of_family(first, AF_INET, port, each, self);
    if (span_eq(address, SPAN("::")))
        each_of_family(first, AF_INET6, port, each, self);
    freeifaddrs(first);
}
