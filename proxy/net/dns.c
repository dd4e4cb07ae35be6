/* c-ares calls back from deep inside itself, where its channel must not be destroyed: answers are kept and
 * delivered at the end of the turn, when c-ares is not on the stack. */
#include "proxy/net/dns.h"

#include <ares.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "proxy/base/mem.h"
#include "proxy/net/loop.h"

/* A dead first server must not cost more than people notice; a slow one has 1 + 2 + 4 s. */
#define TIMEOUT_MS 1000
#define TRIES      3

struct dns_socket {
    LIST_ENTRY(dns_socket) link;
    struct dns *dns;
    int fd;
    struct event *event;
};

struct dns_query {
    TAILQ_ENTRY(dns_query) link; /* in dns->answered */
    struct dns *dns;
    dns_cb cb;
    void *self;
    enum dns_status status;
    const char *reason;
    struct address *addresses;
    unsigned count, ttl_s;
};

struct dns {
    struct loop *loop;
    ares_channel channel; /* NULL: c-ares would not start, see broken */
    const char *broken;
    struct loop_timer timer;
    bool is_closed, is_delivering;
    LIST_HEAD(, dns_socket) sockets;
    TAILQ_HEAD(, dns_query) answered;
};

static void query_free(struct dns_query *query)
{
    mem_free(query->addresses);
    mem_free(query);
}

static void deliver_cb(void *arg)
{
    struct dns *dns = arg;
    struct dns_query *query;

    dns->is_delivering = false;
    while (!dns->is_closed && (query = TAILQ_FIRST(&dns->answered)) != NULL) {
        struct dns_answer answer = { query->status, query->reason, query->addresses, query->count,
                                     query->ttl_s };

        TAILQ_REMOVE(&dns->answered, query, link);
        query->cb(query->self, &answer);
        query_free(query);
    }
}

static void answered(struct dns_query *query)
{
    struct dns *dns = query->dns;

    TAILQ_INSERT_TAIL(&dns->answered, query, link);
    if (!dns->is_delivering)
        loop_defer(dns->loop, deliver_cb, dns);
    dns->is_delivering = true;
}

static enum dns_status status_of(int ares_status)
{
    switch (ares_status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
        return DNS_NO_ADDRESS;
    case ARES_ENOTFOUND:
        return DNS_NO_NAME;
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
        return DNS_BAD_NAME;
    case ARES_ETIMEOUT:
        return DNS_SILENT;
    default:
        return DNS_FAILED;
    }
}

/* c-ares goes on to the next server after SERVFAIL, REFUSED and ICMP, and in the end tells them by one
 * status. */
static const char *reason_of(int ares_status)
{
    return ares_status == ARES_ECONNREFUSED ? "it refused or failed" : ares_strerror(ares_status);
}

static void take_addresses(struct dns_query *query, const struct ares_addrinfo *info)
{
    query->addresses = mem_array(struct address, DNS_ADDRESSES_MAX);
    for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next) {
        struct address *address = &query->addresses[query->count];
        unsigned ttl_s = node->ai_ttl > 0 ? (unsigned)node->ai_ttl : 0;

        if (query->count == DNS_ADDRESSES_MAX || (size_t)node->ai_addrlen > sizeof address->sa)
            break;
        memcpy(&address->sa, node->ai_addr, (size_t)node->ai_addrlen);
        address->len = (socklen_t)node->ai_addrlen;
        address_set_port(address, 0);
        query->ttl_s = query->count == 0 || ttl_s < query->ttl_s ? ttl_s : query->ttl_s;
        query->count++;
    }
}

static void ares_cb(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct dns_query *query = arg;

    (void)timeouts;
    query->status = status_of(status);
    query->reason = reason_of(status);
    if (status == ARES_SUCCESS && info != NULL && !query->dns->is_closed) {
        take_addresses(query, info);
        query->status = query->count != 0 ? DNS_FOUND : DNS_NO_ADDRESS;
    }
    if (info != NULL)
        ares_freeaddrinfo(info);
    if (query->dns->is_closed)
        query_free(query);
    else
        answered(query);
}

static void set_timer(struct dns *dns)
{
    struct timeval wait;

    if (ares_timeout(dns->channel, NULL, &wait) == NULL)
        loop_timer_off(&dns->timer);
    else
        loop_timer_set(&dns->timer, (uint64_t)wait.tv_sec * 1000000 + (uint64_t)wait.tv_usec);
}

static void timer_cb(void *arg)
{
    struct dns *dns = arg;

    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(dns);
}

static void socket_cb(evutil_socket_t fd, short what, void *arg)
{
    struct dns *dns = arg;

    ares_process_fd(dns->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    set_timer(dns);
}

static struct dns_socket *find_socket(struct dns *dns, int fd)
{
    struct dns_socket *found;

    LIST_FOREACH (found, &dns->sockets, link) {
        if (found->fd == fd)
            return found;
    }
    return NULL;
}

/* c-ares opened a socket, wants something else of it, or (neither) is about to close it. */
static void socket_state_cb(void *arg, int fd, int readable, int writable)
{
    struct dns *dns = arg;
    struct dns_socket *sock = find_socket(dns, fd);
    short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0) | EV_PERSIST);

    if (!readable && !writable) {
        if (sock == NULL)
            return;
        LIST_REMOVE(sock, link);
        event_free(sock->event);
        mem_free(sock);
        return;
    }
    if (sock == NULL) {
        sock = mem_new(struct dns_socket);
        sock->dns = dns;
        sock->fd = fd;
        sock->event = event_new(loop_base(dns->loop), fd, what, socket_cb, dns);
        LIST_INSERT_HEAD(&dns->sockets, sock, link);
    } else {
        event_del(sock->event);
        event_assign(sock->event, loop_base(dns->loop), fd, what, socket_cb, dns);
    }
    event_add(sock->event, NULL);
}

static void start_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

struct dns *dns_new(struct loop *loop, const char *servers)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct dns *dns = mem_new(struct dns);
    char dns_only[] = "b"; /* not c-ares's own reading of the hosts file */
    struct ares_options options = {
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .lookups = dns_only,
        .ndomains = 0,
        .sock_state_cb = socket_state_cb,
        .sock_state_cb_data = dns,
    };
    int status;

    dns->loop = loop;
    LIST_INIT(&dns->sockets);
    TAILQ_INIT(&dns->answered);
    loop_timer_init(&dns->timer, loop, timer_cb, dns);
    pthread_once(&once, start_library);
    status = ares_init_options(&dns->channel, &options,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
                                   ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS && servers != NULL)
        status = ares_set_servers_ports_csv(dns->channel, servers);
    if (status != ARES_SUCCESS)
        dns->broken = reason_of(status);
    return dns;
}

void dns_free(struct dns *dns)
{
    struct dns_query *query;

    if (dns == NULL)
        return;
    dns->is_closed = true;
    if (dns->channel != NULL)
        ares_destroy(dns->channel);
    loop_timer_clear(&dns->timer);
    while ((query = TAILQ_FIRST(&dns->answered)) != NULL) {
        TAILQ_REMOVE(&dns->answered, query, link);
        query_free(query);
    }
    loop_defer(dns->loop, mem_free, dns);
}

void dns_ask(struct dns *dns, const char *name, int family, dns_cb cb, void *self)
{
    /* As the server ordered them: who dials tries several anyway, and sorting costs a socket an address. */
    struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT, .ai_family = family };
    struct dns_query *query = mem_new(struct dns_query);

    query->dns = dns;
    query->cb = cb;
    query->self = self;
    if (dns->broken != NULL) {
        query->status = DNS_FAILED;
        query->reason = dns->broken;
        answered(query);
        return;
    }
    ares_getaddrinfo(dns->channel, name, NULL, &hints, ares_cb, query);
    set_timer(dns);
}

void dns_search_list(char ***out_domains, unsigned *out_ndots)
{
    ares_channel channel = NULL;
    struct ares_options options = { 0 };
    int mask = 0, count = 0;

    *out_ndots = 1;
    *out_domains = NULL;
    if (ares_init(&channel) == ARES_SUCCESS && ares_save_options(channel, &options, &mask) == ARES_SUCCESS) {
        count = options.ndomains > 0 ? options.ndomains : 0;
        *out_ndots = options.ndots >= 0 ? (unsigned)options.ndots : 1;
    }
    *out_domains = mem_array(char *, (size_t)count + 1);
    for (int i = 0; i < count; i++)
        (*out_domains)[i] = mem_strdup(options.domains[i]);
    ares_destroy_options(&options);
    if (channel != NULL)
        ares_destroy(channel);
}
