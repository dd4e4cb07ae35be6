#include "tests/support/fake_dns.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "proxy/base/mem.h"
#include "proxy/net/loop.h"

#define HEADER_BYTES  12
#define MESSAGE_BYTES 4096
#define TYPE_A        1
#define TYPE_AAAA     28
#define FLAGS_ANSWER  0x8180 /* response, recursion desired and available */
#define FLAG_CUT      0x0200
#define RCODE_FAILED  2
#define RCODE_NO_NAME 3

struct record {
    SLIST_ENTRY(record) link;
    char name[256];
    int family;
    unsigned char bytes[16];
    uint32_t ttl_s;
};

struct rule { /* of a name and family: how to behave, and how often it was asked */
    SLIST_ENTRY(rule) link;
    char name[256];
    int family;
    enum fake_dns_manner manner;
    unsigned asked;
};

struct held {
    SLIST_ENTRY(held) link;
    unsigned char query[512];
    size_t len;
    struct sockaddr_in from;
};

struct tcp_client {
    LIST_ENTRY(tcp_client) link;
    struct fake_dns *dns;
    int fd;
    struct event *event;
    unsigned char bytes[514];
    size_t len;
};

struct fake_dns {
    struct loop *loop;
    int udp, tcp;
    struct event *udp_event, *tcp_event;
    char servers[32];
    unsigned asked_tcp;
    SLIST_HEAD(, record) records;
    SLIST_HEAD(, rule) rules;
    SLIST_HEAD(, held) held;
    LIST_HEAD(, tcp_client) clients;
};

struct message {
    unsigned char bytes[MESSAGE_BYTES];
    size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
    assert(message->len + len <= sizeof message->bytes);
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static void put_16(struct message *message, uint16_t value)
{
    uint16_t net = htons(value);
    put(message, &net, sizeof net);
}

static void put_32(struct message *message, uint32_t value)
{
    uint32_t net = htonl(value);
    put(message, &net, sizeof net);
}

static uint16_t get_16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The question of a query; false: not one. */
static bool read_question(const unsigned char *query, size_t len, char *out_name, int *out_family,
                          size_t *out_end)
{
    size_t at = HEADER_BYTES, out = 0;

    while (at < len && query[at] != 0) {
        size_t label = query[at++];
        if (label > 63 || at + label >= len || out + label + 2 > 256)
            return false;
        if (out != 0)
            out_name[out++] = '.';
        memcpy(out_name + out, query + at, label);
        out += label;
        at += label;
    }
    out_name[out] = '\0';
    if (at + 5 > len)
        return false;
    *out_family = get_16(query + at + 1) == TYPE_AAAA ? AF_INET6 : AF_INET;
    *out_end = at + 5;
    return true;
}

static struct rule *rule_of(struct fake_dns *dns, const char *name, int family)
{
    struct rule *rule;

    SLIST_FOREACH (rule, &dns->rules, link) {
        if (rule->family == family && strcasecmp(rule->name, name) == 0)
            return rule;
    }
    rule = mem_new(struct rule);
    snprintf(rule->name, sizeof rule->name, "%s", name);
    rule->family = family;
    SLIST_INSERT_HEAD(&dns->rules, rule, link);
    return rule;
}

static void answer(struct fake_dns *dns, const unsigned char *query, const char *name, int family, size_t end,
                   bool is_cut, bool fails, struct message *out)
{
    struct record *record;
    uint16_t flags = FLAGS_ANSWER, count = 0;
    bool is_known = false;

    SLIST_FOREACH (record, &dns->records, link) {
        if (strcasecmp(record->name, name) != 0)
            continue;
        is_known = true;
        count = (uint16_t)(count + (record->family == family));
    }
    if (fails)
        flags |= RCODE_FAILED;
    else if (!is_known)
        flags |= RCODE_NO_NAME;
    if (is_cut)
        flags |= FLAG_CUT;
    if (is_cut || fails)
        count = 0;
    put(out, query, 2);
    put_16(out, flags);
    put_16(out, 1);
    put_16(out, count);
    put_32(out, 0);
    put(out, query + HEADER_BYTES, end - HEADER_BYTES);
    SLIST_FOREACH (record, &dns->records, link) {
        size_t size = family == AF_INET ? 4 : 16;
        if (count == 0 || record->family != family || strcasecmp(record->name, name) != 0)
            continue;
        put_16(out, 0xc000 | HEADER_BYTES); /* the name of the question */
        put_16(out, family == AF_INET ? TYPE_A : TYPE_AAAA);
        put_16(out, 1);
        put_32(out, record->ttl_s);
        put_16(out, (uint16_t)size);
        put(out, record->bytes, size);
    }
}

static void udp_cb(evutil_socket_t fd, short what, void *arg)
{
    struct fake_dns *dns = arg;
    struct held *query = mem_new(struct held);
    socklen_t from_len = sizeof query->from;
    ssize_t got =
        recvfrom(fd, query->query, sizeof query->query, 0, (struct sockaddr *)&query->from, &from_len);
    struct message out = { .len = 0 };
    char name[256];
    int family;
    size_t end;
    struct rule *rule;

    (void)what;
    if (got < HEADER_BYTES || !read_question(query->query, (size_t)got, name, &family, &end)) {
        mem_free(query);
        return;
    }
    query->len = (size_t)got;
    rule = rule_of(dns, name, family);
    rule->asked++;
    if (rule->manner == FAKE_DNS_HOLDS) {
        SLIST_INSERT_HEAD(&dns->held, query, link);
        return;
    }
    answer(dns, query->query, name, family, end, rule->manner == FAKE_DNS_TRUNCATES,
           rule->manner == FAKE_DNS_FAILS, &out);
    sendto(fd, out.bytes, out.len, 0, (struct sockaddr *)&query->from, from_len);
    mem_free(query);
}

static void client_free(struct tcp_client *client)
{
    LIST_REMOVE(client, link);
    event_free(client->event);
    close(client->fd);
    mem_free(client);
}

static void client_cb(evutil_socket_t fd, short what, void *arg)
{
    struct tcp_client *client = arg;
    ssize_t got = recv(fd, client->bytes + client->len, sizeof client->bytes - client->len, 0);
    char name[256];
    int family;
    size_t end;

    (void)what;
    if (got <= 0) {
        client_free(client);
        return;
    }
    client->len += (size_t)got;
    while (client->len >= 2 && client->len >= 2 + (size_t)get_16(client->bytes)) {
        size_t len = get_16(client->bytes);
        struct message out = { .len = 0 };
        struct message framed = { .len = 0 };

        if (!read_question(client->bytes + 2, len, name, &family, &end)) {
            client_free(client);
            return;
        }
        client->dns->asked_tcp++;
        answer(client->dns, client->bytes + 2, name, family, end, false, false, &out);
        put_16(&framed, (uint16_t)out.len);
        put(&framed, out.bytes, out.len);
        send(fd, framed.bytes, framed.len, MSG_NOSIGNAL);
        client->len -= 2 + len;
        memmove(client->bytes, client->bytes + 2 + len, client->len);
    }
}

static void tcp_cb(evutil_socket_t fd, short what, void *arg)
{
    struct fake_dns *dns = arg;
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct tcp_client *client;

    (void)what;
    if (accepted < 0)
        return;
    client = mem_new(struct tcp_client);
    client->dns = dns;
    client->fd = accepted;
    client->event = event_new(loop_base(dns->loop), accepted, EV_READ | EV_PERSIST, client_cb, client);
    event_add(client->event, NULL);
    LIST_INSERT_HEAD(&dns->clients, client, link);
}

/* Both kinds of socket on one port: what UDP got may be taken for TCP, then another is tried. */
static void bind_both(struct fake_dns *dns)
{
    for (int tries = 0; tries < 50; tries++) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof at;

        dns->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        dns->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(dns->udp, (struct sockaddr *)&at, sizeof at) == 0 &&
            getsockname(dns->udp, (struct sockaddr *)&at, &len) == 0 &&
            bind(dns->tcp, (struct sockaddr *)&at, sizeof at) == 0 && listen(dns->tcp, 16) == 0) {
            snprintf(dns->servers, sizeof dns->servers, "127.0.0.1:%u", ntohs(at.sin_port));
            return;
        }
        close(dns->udp);
        close(dns->tcp);
    }
    assert(!"a port for the fake name server");
}

struct fake_dns *fake_dns_new(struct loop *loop)
{
    struct fake_dns *dns = mem_new(struct fake_dns);

    dns->loop = loop;
    SLIST_INIT(&dns->records);
    SLIST_INIT(&dns->rules);
    SLIST_INIT(&dns->held);
    LIST_INIT(&dns->clients);
    bind_both(dns);
    dns->udp_event = event_new(loop_base(loop), dns->udp, EV_READ | EV_PERSIST, udp_cb, dns);
    dns->tcp_event = event_new(loop_base(loop), dns->tcp, EV_READ | EV_PERSIST, tcp_cb, dns);
    event_add(dns->udp_event, NULL);
    event_add(dns->tcp_event, NULL);
    return dns;
}

void fake_dns_free(struct fake_dns *dns)
{
    struct record *record;
    struct rule *rule;
    struct held *held;

    while ((record = SLIST_FIRST(&dns->records)) != NULL) {
        SLIST_REMOVE_HEAD(&dns->records, link);
        mem_free(record);
    }
    while ((rule = SLIST_FIRST(&dns->rules)) != NULL) {
        SLIST_REMOVE_HEAD(&dns->rules, link);
        mem_free(rule);
    }
    while ((held = SLIST_FIRST(&dns->held)) != NULL) {
        SLIST_REMOVE_HEAD(&dns->held, link);
        mem_free(held);
    }
    while (!LIST_EMPTY(&dns->clients))
        client_free(LIST_FIRST(&dns->clients));
    event_free(dns->udp_event);
    event_free(dns->tcp_event);
    close(dns->udp);
    close(dns->tcp);
    mem_free(dns);
}

const char *fake_dns_servers(const struct fake_dns *dns)
{
    return dns->servers;
}

void fake_dns_add(struct fake_dns *dns, const char *name, int family, const char *address, unsigned ttl_s)
{
    struct record *record = mem_new(struct record);

    snprintf(record->name, sizeof record->name, "%s", name);
    record->family = family;
    record->ttl_s = ttl_s;
    if (family != AF_UNSPEC && inet_pton(family, address, record->bytes) != 1)
        assert(!"an address");
    SLIST_INSERT_HEAD(&dns->records, record, link);
}

void fake_dns_behave(struct fake_dns *dns, const char *name, int family, enum fake_dns_manner manner)
{
    rule_of(dns, name, family)->manner = manner;
}

void fake_dns_release(struct fake_dns *dns)
{
    struct held *held;

    while ((held = SLIST_FIRST(&dns->held)) != NULL) {
        struct message out = { .len = 0 };
        char name[256];
        int family;
        size_t end;

        if (read_question(held->query, held->len, name, &family, &end)) {
            answer(dns, held->query, name, family, end, false, false, &out);
            sendto(dns->udp, out.bytes, out.len, 0, (struct sockaddr *)&held->from, sizeof held->from);
        }
        SLIST_REMOVE_HEAD(&dns->held, link);
        mem_free(held);
    }
}

unsigned fake_dns_asked(const struct fake_dns *dns, const char *name, int family)
{
    const struct rule *rule;

    SLIST_FOREACH (rule, &dns->rules, link) {
        if (rule->family == family && strcasecmp(rule->name, name) == 0)
            return rule->asked;
    }
    return 0;
}

unsigned fake_dns_asked_tcp(const struct fake_dns *dns)
{
    return dns->asked_tcp;
}
