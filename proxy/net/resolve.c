/* A name is asked for as candidates: with each domain of the search list, and as it is (first, when it has
 * dots enough). Both families of a candidate belong together: where one has an address the other's "none" is
 * final, and only when neither has one the next candidate is asked. Else an AAAA that is missing would be
 * looked for in the search list, and a wildcard there would answer for somebody else's host. */
#include "proxy/net/resolve.h"

#include <assert.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/net/dns.h"
#include "proxy/net/hosts.h"
#include "proxy/net/loop.h"

#define HOSTS_PATH      "/etc/hosts"
#define RESOLVCONF_PATH "/etc/resolv.conf"
/* How often the two files are looked at. */
#define RECHECK_US (1000000ULL)
/* A cached name lives no longer, whatever its TTL says: people fix DNS and expect it to work soon. */
#define TTL_MAX_S 300
/* "No such host" is remembered for one burst of requests, not until its owner has made it. */
#define NEGATIVE_TTL_S 5
#define NAMES_MAX      4096
/* RFC 1035 §2.3.4, written out with a dot at the end. */
#define HOST_MAX 254

static_assert(RESOLVE_ADDRESSES_MAX == DNS_ADDRESSES_MAX, "all of an answer is passed on");

enum { V4, V6, FAMILIES };
static const int family_of[FAMILIES] = { AF_INET, AF_INET6 };

enum answer_state {
    ANSWER_ASKED,
    ANSWER_HELD, /* this candidate has none; final if it is the last, or if the other family has one */
    ANSWER_KNOWN,
};

struct answer {
    enum answer_state state;
    enum dns_status status, as_is_status; /* of the candidate that counts; of the name as it is */
    const char *reason;
    struct address *addresses;
    unsigned count, ttl_s;
};

/* What is asked of dns, and where its answer belongs. */
struct question {
    struct name *name;
    int family; /* V4 or V6 */
};

struct name {
    UT_hash_handle hh;
    TAILQ_ENTRY(name) link; /* in resolver->names_by_age */
    struct resolver *resolver;
    bool is_asking;
    bool is_telling; /* answer_cb is on the stack: not to be freed */
    unsigned candidate;
    uint64_t expires_us;
    struct answer answers[FAMILIES];
    struct question questions[FAMILIES];
    TAILQ_HEAD(, resolution) waiters;
    char host[]; /* lower case, as asked for */
};

struct resolution {
    TAILQ_ENTRY(resolution) link; /* in name->waiters */
    struct resolver *resolver;
    struct name *name; /* NULL: over */
    uint16_t port;
    resolve_cb cb;
    void *self;
    bool is_told[FAMILIES];
};

struct resolver {
    struct loop *loop;
    struct dns *dns;
    char *servers; /* NULL: those of resolv.conf */
    struct hosts *hosts;
    struct file_mark resolvconf;
    uint64_t checked_us;
    char **search;
    unsigned search_count, ndots;
    struct name *names;
    TAILQ_HEAD(, name) names_by_age;
    bool is_closed;
};

static void ask(struct name *name);

static void answer_clear(struct answer *answer)
{
    mem_free(answer->addresses);
    *answer = (struct answer){ .state = ANSWER_ASKED };
}

static void name_free(struct name *name)
{
    for (int f = 0; f < FAMILIES; f++)
        answer_clear(&name->answers[f]);
    mem_free(name);
}

static void forget(struct name *name)
{
    HASH_DEL(name->resolver->names, name);
    TAILQ_REMOVE(&name->resolver->names_by_age, name, link);
    name_free(name);
}

static bool is_busy(const struct name *name)
{
    return name->is_asking || name->is_telling || !TAILQ_EMPTY(&name->waiters);
}

static void forget_oldest(struct resolver *resolver)
{
    struct name *name;

    TAILQ_FOREACH (name, &resolver->names_by_age, link) {
        if (!is_busy(name)) {
            forget(name);
            return;
        }
    }
}

static struct name *find_or_add(struct resolver *resolver, const char *host)
{
    struct name *name;
    char lower[HOST_MAX + 1];
    size_t len = strlen(host);

    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)host[i]);
    HASH_FIND(hh, resolver->names, lower, len, name);
    if (name != NULL) {
        TAILQ_REMOVE(&resolver->names_by_age, name, link);
    } else {
        if (HASH_COUNT(resolver->names) >= NAMES_MAX)
            forget_oldest(resolver);
        name = mem_zalloc(sizeof *name + len + 1);
        name->resolver = resolver;
        TAILQ_INIT(&name->waiters);
        memcpy(name->host, lower, len + 1);
        HASH_ADD_KEYPTR(hh, resolver->names, name->host, len, name);
    }
    TAILQ_INSERT_TAIL(&resolver->names_by_age, name, link);
    return name;
}

/* Why a family has no address. The last to be told speaks for both when neither has one, with what helps
 * most: a server that is silent rather than a name that is not there. */
static void explain(const struct name *name, int f, bool is_last, struct err *err)
{
    const struct answer *answer = &name->answers[f];
    const struct answer *other = &name->answers[f == V4 ? V6 : V4];
    bool is_alone = !is_last || other->count != 0;

    if (!is_alone && other->status > answer->status)
        answer = other;
    switch (answer->status) {
    case DNS_FOUND:
    case DNS_NO_ADDRESS:
        if (is_alone)
            err_set(err, ERR_DNS, "'%s' has no %s address", name->host, f == V4 ? "IPv4" : "IPv6");
        else
            err_set(err, ERR_DNS, "'%s' has no address", name->host);
        break;
    case DNS_NO_NAME:
        err_set(err, ERR_DNS, "no such host '%s'", name->host);
        break;
    case DNS_BAD_NAME:
        err_set(err, ERR_DNS, "'%s' can't be the name of a host", name->host);
        break;
    case DNS_FAILED:
        err_set(err, ERR_DNS, "name server has no answer for '%s': %s", name->host, answer->reason);
        break;
    case DNS_SILENT:
        err_set(err, ERR_DNS, "name server does not answer for '%s'", name->host);
        break;
    }
}

static void end_resolution(struct resolution *resolution)
{
    TAILQ_REMOVE(&resolution->name->waiters, resolution, link);
    resolution->name = NULL;
    loop_defer(resolution->resolver->loop, mem_free, resolution);
}

/* The callback may cancel any resolution and free the resolver: afterwards only loop_defer'ed memory is safe.
 */
static void tell(struct resolution *resolution, int f)
{
    struct name *name = resolution->name;
    const struct answer *answer = &name->answers[f];
    bool is_last = resolution->is_told[f == V4 ? V6 : V4];
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    unsigned count = answer->count;
    struct err why = { ERR_NONE, "" };

    for (unsigned i = 0; i < count; i++) {
        addresses[i] = answer->addresses[i];
        address_set_port(&addresses[i], resolution->port);
    }
    if (count == 0)
        explain(name, f, is_last, &why);
    resolution->is_told[f] = true;
    if (is_last)
        end_resolution(resolution);
    resolution->cb(resolution->self, family_of[f], addresses, count, is_last, &why);
}

static void tell_all(struct name *name, int f)
{
    struct resolver *resolver = name->resolver;
    struct resolution *next;

    while (!resolver->is_closed && name->answers[f].state == ANSWER_KNOWN) {
        TAILQ_FOREACH (next, &name->waiters, link) {
            if (!next->is_told[f])
                break;
        }
        if (next == NULL)
            break;
        tell(next, f);
    }
}

static void finish(struct name *name)
{
    unsigned ttl_s = NEGATIVE_TTL_S;
    bool is_found = false;

    for (int f = 0; f < FAMILIES; f++) {
        const struct answer *answer = &name->answers[f];
        if (answer->count != 0) {
            ttl_s = !is_found || answer->ttl_s < ttl_s ? answer->ttl_s : ttl_s;
            is_found = true;
        } else if (!is_found && answer->status > DNS_BAD_NAME) {
            ttl_s = 0; /* a server that is back in a moment */
        }
    }
    if (ttl_s > TTL_MAX_S)
        ttl_s = TTL_MAX_S;
    name->expires_us = loop_now_us(name->resolver->loop) + ttl_s * 1000000ULL;
    name->is_asking = false;
}

static bool is_dotted_enough(const struct name *name)
{
    unsigned dots = 0;

    for (const char *c = name->host; *c != '\0'; c++)
        dots += *c == '.';
    return dots >= name->resolver->ndots;
}

static bool is_absolute(const struct name *name)
{
    size_t len = strlen(name->host);

    return len != 0 && name->host[len - 1] == '.';
}

/* Which domain of the search list candidate i adds; NULL: none, the name as it is. */
static const char *candidate_domain(const struct name *name, unsigned i)
{
    const struct resolver *resolver = name->resolver;

    if (is_absolute(name))
        return NULL;
    if (is_dotted_enough(name))
        return i == 0 ? NULL : resolver->search[i - 1];
    return i == resolver->search_count ? NULL : resolver->search[i];
}

static bool is_last_candidate(const struct name *name)
{
    return is_absolute(name) || name->candidate == name->resolver->search_count;
}

/* No more candidates: what was found out about the name itself is what counts. */
static void settle(struct answer *answer)
{
    answer->state = ANSWER_KNOWN;
    if (answer->as_is_status != DNS_FOUND && answer->status != DNS_SILENT && answer->status != DNS_FAILED)
        answer->status = answer->as_is_status;
}

static void answer_cb(void *self, const struct dns_answer *from)
{
    struct question *question = self;
    struct name *name = question->name;
    int f = question->family;
    struct answer *answer = &name->answers[f];
    struct answer *other = &name->answers[f == V4 ? V6 : V4];
    bool tells_other;

    answer->status = from->status;
    answer->reason = from->reason;
    if (candidate_domain(name, name->candidate) == NULL)
        answer->as_is_status = from->status;
    if (from->status == DNS_FOUND) {
        answer->state = ANSWER_KNOWN;
        answer->count = from->count;
        answer->ttl_s = from->ttl_s;
        answer->addresses = mem_dup(from->addresses, from->count * sizeof *from->addresses);
    } else if (other->state == ANSWER_KNOWN || from->status > DNS_BAD_NAME || is_last_candidate(name)) {
        settle(answer); /* also when servers fail: asking on would give somebody else's address */
    } else if (other->state == ANSWER_ASKED) {
        answer->state = ANSWER_HELD;
        return;
    } else {
        name->candidate++;
        ask(name);
        return;
    }
    tells_other = other->state == ANSWER_HELD;
    if (tells_other)
        settle(other);
    if (other->state == ANSWER_KNOWN)
        finish(name);
    name->is_telling = true;
    tell_all(name, f);
    if (tells_other)
        tell_all(name, f == V4 ? V6 : V4);
    name->is_telling = false;
}

/* Asks for the current candidate of both families. */
static void ask(struct name *name)
{
    const char *domain = candidate_domain(name, name->candidate);
    char *full = domain != NULL ? mem_printf("%s.%s", name->host, domain) : mem_strdup(name->host);

    for (int f = 0; f < FAMILIES; f++) {
        name->answers[f].state = ANSWER_ASKED;
        name->questions[f] = (struct question){ name, f };
        dns_ask(name->resolver->dns, full, family_of[f], answer_cb, &name->questions[f]);
    }
    mem_free(full);
}

static void start_asking(struct name *name)
{
    name->is_asking = true;
    name->candidate = 0;
    for (int f = 0; f < FAMILIES; f++)
        answer_clear(&name->answers[f]);
    ask(name);
}

static void free_search(struct resolver *resolver)
{
    for (unsigned i = 0; i < resolver->search_count; i++)
        mem_free(resolver->search[i]);
    mem_free(resolver->search);
    resolver->search = NULL;
    resolver->search_count = 0;
}

/* Reads the configuration. What is known is forgotten: it may be another network. What is being asked for is
 * asked for again. */
static void reload(struct resolver *resolver)
{
    struct name *name, *next;

    resolver->resolvconf = file_mark(RESOLVCONF_PATH);
    dns_free(resolver->dns);
    resolver->dns = dns_new(resolver->loop, resolver->servers);
    free_search(resolver);
    dns_search_list(&resolver->search, &resolver->ndots);
    while (resolver->search[resolver->search_count] != NULL)
        resolver->search_count++;
    HASH_ITER (hh, resolver->names, name, next) {
        name->expires_us = 0;
        if (name->is_asking)
            start_asking(name);
        else if (!is_busy(name))
            forget(name);
    }
}

static void check_files(struct resolver *resolver)
{
    uint64_t now_us = loop_now_us(resolver->loop);

    if (now_us - resolver->checked_us < RECHECK_US)
        return;
    resolver->checked_us = now_us;
    hosts_refresh(resolver->hosts);
    if (!file_mark_eq(file_mark(RESOLVCONF_PATH), resolver->resolvconf))
        reload(resolver);
}

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *resolver = mem_new(struct resolver);

    resolver->loop = loop;
    TAILQ_INIT(&resolver->names_by_age);
    resolver->hosts = hosts_new(HOSTS_PATH);
    resolver->checked_us = loop_now_us(loop);
    reload(resolver);
    return resolver;
}

static void free_cb(void *arg)
{
    struct resolver *resolver = arg;
    struct name *name, *next;

    HASH_ITER (hh, resolver->names, name, next) {
        while (!TAILQ_EMPTY(&name->waiters))
            end_resolution(TAILQ_FIRST(&name->waiters));
        forget(name);
    }
    hosts_free(resolver->hosts);
    free_search(resolver);
    mem_free(resolver->servers);
    mem_free(resolver);
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    resolver->is_closed = true;
    dns_free(resolver->dns);
    loop_defer(resolver->loop, free_cb, resolver);
}

void resolver_set_sources(struct resolver *resolver, const char *servers, const char *hosts_path)
{
    if (servers != NULL) {
        mem_free(resolver->servers);
        resolver->servers = mem_strdup(servers);
        reload(resolver);
    }
    if (hosts_path != NULL) {
        hosts_free(resolver->hosts);
        resolver->hosts = hosts_new(hosts_path);
    }
}

/* Answers from a list that is at hand, one family after the other; the one that has something comes last, so
 * that nobody waits for the other after it. why: of the family or families that have nothing; NULL: just
 * that. */
static void tell_list(struct resolver *resolver, const char *host, uint16_t port, const struct address *list,
                      unsigned list_count, const struct err *why, resolve_cb cb, void *self)
{
    int last = list_count != 0 && list[0].sa.ss_family == AF_INET ? V4 : V6;

    for (int i = 0; i < FAMILIES && !resolver->is_closed; i++) {
        int f = i == 0 ? (last == V4 ? V6 : V4) : last;
        struct address addresses[RESOLVE_ADDRESSES_MAX];
        unsigned count = 0;
        struct err none = { ERR_NONE, "" };

        for (unsigned k = 0; k < list_count && count < RESOLVE_ADDRESSES_MAX; k++) {
            if (list[k].sa.ss_family != family_of[f])
                continue;
            addresses[count] = list[k];
            address_set_port(&addresses[count++], port);
        }
        if (count == 0 && why == NULL)
            err_set(&none, ERR_DNS, "'%s' has no %s address", host, f == V4 ? "IPv4" : "IPv6");
        cb(self, family_of[f], addresses, count, i != 0, why != NULL ? why : &none);
    }
}

static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host), name_len = sizeof name - 1;

    if (len != 0 && host[len - 1] == '.')
        len--;
    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

/* Literals, localhost, the hosts file, and what can't be a name. */
static bool tell_without_asking(struct resolver *resolver, const char *host, uint16_t port, resolve_cb cb,
                                void *self)
{
    struct address loopback[2];
    const struct address *list = loopback;
    unsigned count = 0;
    struct err why = { ERR_NONE, "" };

    if (address_parse(host, port, &loopback[0]))
        count = 1;
    else if (is_localhost(host) && address_parse("::1", port, &loopback[0]) &&
             address_parse("127.0.0.1", port, &loopback[1]))
        count = 2;
    else
        count = hosts_find(resolver->hosts, host, &list);
    if (*host == '\0')
        err_set(&why, ERR_DNS, "the name of the host is empty");
    else if (strlen(host) > HOST_MAX)
        err_set(&why, ERR_DNS, "'%.64s...' is longer than the name of a host can be", host);
    if (count == 0 && why.code == ERR_NONE)
        return false;
    tell_list(resolver, host, port, list, count, why.code != ERR_NONE ? &why : NULL, cb, self);
    return true;
}

struct resolution *resolve(struct resolver *resolver, const char *host, uint16_t port, resolve_cb cb,
                           void *self)
{
    struct resolution *resolution;
    struct name *name;

    check_files(resolver);
    if (tell_without_asking(resolver, host, port, cb, self))
        return NULL;
    name = find_or_add(resolver, host);
    if (!name->is_asking && loop_now_us(resolver->loop) >= name->expires_us)
        start_asking(name);
    resolution = mem_new(struct resolution);
    resolution->resolver = resolver;
    resolution->name = name;
    resolution->port = port;
    resolution->cb = cb;
    resolution->self = self;
    TAILQ_INSERT_TAIL(&name->waiters, resolution, link);
    for (int f = 0; f < FAMILIES && resolution->name != NULL; f++) {
        if (!resolver->is_closed && name->answers[f].state == ANSWER_KNOWN)
            tell(resolution, f);
    }
    return resolution->name != NULL ? resolution : NULL;
}

void resolve_cancel(struct resolution *resolution)
{
    if (resolution != NULL && resolution->name != NULL)
        end_resolution(resolution);
}
