#include "proxy/live/access.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/span.h"

/* The address's bytes, IPv4 in IPv6 as what it is. */
static int address_bytes(const struct address *address, unsigned char out[16])
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (address->sa.ss_family == AF_INET) {
        memcpy(out, &((const struct sockaddr_in *)&address->sa)->sin_addr, 4);
        return AF_INET;
    }
    memcpy(out, &((const struct sockaddr_in6 *)&address->sa)->sin6_addr, 16);
    if (memcmp(out, mapped, sizeof mapped) == 0) {
        memmove(out, out + 12, 4);
        return AF_INET;
    }
    return AF_INET6;
}

static bool parse_range(struct span text, struct access_range *range, struct err *err)
{
    char buffer[64];
    struct span bits = SPAN_NONE, host = text;
    size_t slash = span_find(text, '/');
    uint64_t value;
    unsigned most;

    if (slash < text.len) {
        host = span_sub(text, 0, slash);
        bits = span_from(text, slash + 1);
    }
    if (host.len == 0 || host.len >= sizeof buffer)
        return err_set(err, ERR_USAGE, "'%.*s' is no address range: write 192.168.0.0/16", SPAN_ARG(text));
    memcpy(buffer, host.ptr, host.len);
    buffer[host.len] = '\0';
    range->family = strchr(buffer, ':') != NULL ? AF_INET6 : AF_INET;
    most = range->family == AF_INET ? 32 : 128;
    if (inet_pton(range->family, buffer, range->address) != 1)
        return err_set(err, ERR_USAGE, "'%.*s' is no address range: write 192.168.0.0/16", SPAN_ARG(text));
    range->bits = most;
    if (bits.ptr != NULL) {
        if (!span_u64(bits, &value) || value > most)
            return err_set(err, ERR_USAGE, "'%.*s': a prefix has 0 to %u bits", SPAN_ARG(text), most);
        range->bits = (unsigned)value;
    }
    return true;
}

bool access_init(struct access *access, const char *allow, struct err *err)
{
    struct span rest = span_of(allow), part;

    *access = (struct access){ 0 };
    while (span_split(&rest, ',', &part)) {
        access->ranges = mem_realloc(access->ranges, (access->range_count + 1) * sizeof *access->ranges);
        if (!parse_range(span_trim(part), &access->ranges[access->range_count], err)) {
            access_clear(access);
            return false;
        }
        access->range_count++;
    }
    return true;
}

void access_clear(struct access *access)
{
    mem_free(access->ranges);
    mem_free(access->own);
    *access = (struct access){ 0 };
}

static void add_own(struct access *access, const struct address *address)
{
    access->own = mem_realloc(access->own, (access->own_count + 1) * sizeof *access->own);
    access->own[access->own_count++] = *address;
}

static bool is_wildcard(const struct address *address)
{
    static const unsigned char zero[16];
    unsigned char bytes[16];
    int family = address_bytes(address, bytes);

    return memcmp(bytes, zero, family == AF_INET ? 4 : 16) == 0;
}

void access_add_own(struct access *access, const struct address *bound)
{
    struct ifaddrs *list, *at;

    if (!is_wildcard(bound)) {
        add_own(access, bound);
        return;
    }
    if (getifaddrs(&list) != 0)
        return;
    for (at = list; at != NULL; at = at->ifa_next) {
        struct address address = { 0 };
        if (at->ifa_addr == NULL ||
            (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
            continue;
        address.len =
            at->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        memcpy(&address.sa, at->ifa_addr, address.len);
        address_set_port(&address, address_port(bound));
        add_own(access, &address);
    }
    freeifaddrs(list);
}

bool address_is_loopback(const struct address *address)
{
    unsigned char bytes[16];

    if (address_bytes(address, bytes) == AF_INET)
        return bytes[0] == 127;
    return memcmp(bytes, &in6addr_loopback, 16) == 0;
}

static bool range_has(const struct access_range *range, int family, const unsigned char *bytes)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    if (family != range->family || memcmp(bytes, range->address, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ range->address[whole]) >> (8 - rest)) == 0;
}

bool access_allows(const struct access *access, const struct address *client)
{
    unsigned char bytes[16];
    int family = address_bytes(client, bytes);

    if (address_is_loopback(client))
        return true;
    for (size_t i = 0; i < access->range_count; i++)
        if (range_has(&access->ranges[i], family, bytes))
            return true;
    return false;
}

/* IPv4 addresses that stand inside IPv6 ones besides mapped ones: who routes such an address delivers to the
 * one inside. */
static int inner_bytes(const struct address *address, unsigned char out[16])
{
    static const unsigned char compatible[12], nat64[12] = { 0, 0x64, 0xff, 0x9b },
                                               sixto4[2] = { 0x20, 0x02 };
    int family = address_bytes(address, out);
    size_t at;

    if (family == AF_INET || memcmp(out, &in6addr_loopback, 16) == 0 || memcmp(out, &in6addr_any, 16) == 0)
        return family;
    if (memcmp(out, compatible, sizeof compatible) == 0 || memcmp(out, nat64, sizeof nat64) == 0)
        at = 12;
    else if (memcmp(out, sixto4, sizeof sixto4) == 0)
        at = 2;
    else
        return family;
    memmove(out, out + at, 4);
    return AF_INET;
}

static bool any_has(const struct access_range *ranges, size_t count, const struct address *address)
{
    unsigned char bytes[16];
    int family = inner_bytes(address, bytes);

    for (size_t i = 0; i < count; i++)
        if (range_has(&ranges[i], family, bytes))
            return true;
    return false;
}

#define COUNT(ranges) (sizeof(ranges) / sizeof((ranges)[0]))

/* This machine itself, and the cable: RFC 1122 §3.2.1.3, RFC 4291 §2.5, RFC 3927. */
static const struct access_range ours[] = {
    { AF_INET, { 127 }, 8 },         { AF_INET, { 0 }, 8 },           { AF_INET, { 169, 254 }, 16 },
    { AF_INET6, { [15] = 1 }, 128 }, { AF_INET6, { [15] = 0 }, 128 }, { AF_INET6, { 0xfe, 0x80 }, 10 },
};
/* RFC 1918, RFC 6598, RFC 4193, RFC 3879. */
static const struct access_range private_networks[] = {
    { AF_INET, { 10 }, 8 },       { AF_INET, { 172, 16 }, 12 }, { AF_INET, { 192, 168 }, 16 },
    { AF_INET, { 100, 64 }, 10 }, { AF_INET6, { 0xfc }, 7 },    { AF_INET6, { 0xfe, 0xc0 }, 10 },
};

enum reach access_reach(const struct access *access, const struct address *client)
{
    if (access->allow_private || address_is_loopback(client))
        return REACH_ALL;
    return any_has(private_networks, COUNT(private_networks), client) || any_has(ours, COUNT(ours), client)
               ? REACH_PRIVATE
               : REACH_PUBLIC;
}

bool access_may_dial(enum reach reach, const struct address *address)
{
    if (reach == REACH_ALL)
        return true;
    if (any_has(ours, COUNT(ours), address))
        return false;
    return reach == REACH_PRIVATE || !any_has(private_networks, COUNT(private_networks), address);
}

bool access_is_own(const struct access *access, const struct address *address)
{
    unsigned char bytes[16], own[16];
    int family = address_bytes(address, bytes);
    size_t len = family == AF_INET ? 4 : 16;

    for (size_t i = 0; i < access->own_count; i++) {
        if (address_port(address) != address_port(&access->own[i]) ||
            address_bytes(&access->own[i], own) != family)
            continue;
        if (memcmp(bytes, own, len) == 0)
            return true;
    }
    /* 0.0.0.0 and :: reach this machine too. */
    if (is_wildcard(address))
        for (size_t i = 0; i < access->own_count; i++)
            if (address_port(address) == address_port(&access->own[i]))
                return true;
    return false;
}
