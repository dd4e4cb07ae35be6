#include "proxy/mode/no_proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "proxy/base/mem.h"

struct ip {
    int family; /* 0: not an address */
    unsigned char bytes[16];
};

struct entry {
    char *name;   /* without dots at its ends; NULL: an address, or everything */
    struct ip ip; /* family 0: a name, or everything */
    unsigned bits;
    uint16_t port; /* 0: any */
};

struct no_proxy {
    struct entry *entries;
    size_t count;
};

static struct span without_dots(struct span name)
{
    while (name.len != 0 && name.ptr[0] == '.')
        name = span_from(name, 1);
    if (name.len != 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

static struct ip parse_ip(struct span text)
{
    struct ip ip = { 0 };
    char buffer[INET6_ADDRSTRLEN];

    if (text.len >= sizeof buffer || text.len == 0)
        return ip;
    memcpy(buffer, text.ptr, text.len);
    buffer[text.len] = '\0';
    if (inet_pton(AF_INET, buffer, ip.bytes) == 1)
        ip.family = AF_INET;
    else if (inet_pton(AF_INET6, buffer, ip.bytes) == 1)
        ip.family = AF_INET6;
    return ip;
}

/* "host", "host:port", "v6", "[v6]:port", each address also with "/bits" before the port. */
static bool split_entry(struct span text, struct span *out_host, struct span *out_bits, uint16_t *out_port)
{
    struct span rest = SPAN_NONE;
    size_t colon = span_find(text, ':'), slash;
    uint64_t port = 0;

    if (text.ptr[0] == '[') {
        size_t end = span_find(text, ']');
        if (end == text.len)
            return false;
        *out_host = span_sub(text, 1, end - 1);
        rest = span_from(text, end + 1);
    } else if (colon < text.len && span_find(span_from(text, colon + 1), ':') == text.len - colon - 1) {
        *out_host = span_sub(text, 0, colon);
        rest = span_from(text, colon);
    } else { /* an IPv6 address without brackets has more than one colon, and no port */
        *out_host = text;
    }
    slash = span_find(*out_host, '/');
    *out_bits = SPAN_NONE;
    if (slash < out_host->len) {
        *out_bits = span_from(*out_host, slash + 1);
        *out_host = span_sub(*out_host, 0, slash);
    } else if (rest.len != 0 && rest.ptr[0] == '/') {
        size_t end = span_find(rest, ':');
        *out_bits = span_sub(rest, 1, end - 1);
        rest = span_from(rest, end);
    }
    if (rest.len == 0) {
        *out_port = 0;
        return true;
    }
    if (rest.ptr[0] != ':' || !span_u64(span_from(rest, 1), &port) || port == 0 || port > UINT16_MAX)
        return false;
    *out_port = (uint16_t)port;
    return true;
}

static bool parse_entry(struct span text, struct entry *out_entry)
{
    struct entry entry = { 0 };
    struct span host, bits_text;
    uint64_t bits;

    if (span_eq(text, SPAN("*"))) {
        *out_entry = entry;
        return true;
    }
    if (!split_entry(text, &host, &bits_text, &entry.port))
        return false;
    entry.ip = parse_ip(host);
    entry.bits = entry.ip.family == AF_INET ? 32 : 128;
    if (bits_text.ptr != NULL) {
        if (entry.ip.family == 0 || !span_u64(bits_text, &bits) || bits > entry.bits)
            return false;
        entry.bits = (unsigned)bits;
    }
    if (entry.ip.family == 0) {
        if (span_starts(host, SPAN("*."))) /* which others take for ".host" */
            host = span_from(host, 1);
        host = without_dots(host);
        if (host.len == 0)
            return false;
        entry.name = mem_spandup(host);
    }
    *out_entry = entry;
    return true;
}

struct no_proxy *no_proxy_new(struct span text)
{
    struct no_proxy *list = mem_new(struct no_proxy);

    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        struct entry entry;
        while (end < text.len && strchr(", \t\r\n", text.ptr[end]) == NULL)
            end++;
        if (end > at && parse_entry(span_sub(text, at, end - at), &entry)) {
            list->entries = mem_realloc(list->entries, (list->count + 1) * sizeof *list->entries);
            list->entries[list->count++] = entry;
        }
        at = end + 1;
    }
    return list;
}

void no_proxy_free(struct no_proxy *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->entries[i].name);
    mem_free(list->entries);
    mem_free(list);
}

static bool has_ip(const struct entry *entry, const struct ip *ip)
{
    unsigned whole = entry->bits / 8, rest = entry->bits % 8;

    if (entry->ip.family != ip->family || memcmp(entry->ip.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((entry->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

static bool has_name(const struct entry *entry, struct span host)
{
    struct span name = span_of(entry->name);

    if (host.len < name.len || !span_ieq(span_from(host, host.len - name.len), name))
        return false;
    return host.len == name.len || host.ptr[host.len - name.len - 1] == '.';
}

bool no_proxy_has(const struct no_proxy *list, const char *host, uint16_t port)
{
    struct span name = without_dots(span_of(host));
    struct ip ip = parse_ip(span_of(host));

    for (size_t i = 0; i < list->count; i++) {
        const struct entry *entry = &list->entries[i];
        if (entry->port != 0 && entry->port != port)
            continue;
        if (entry->name == NULL && entry->ip.family == 0)
            return true;
        if (entry->name != NULL ? ip.family == 0 && has_name(entry, name) : has_ip(entry, &ip))
            return true;
    }
    return false;
}
