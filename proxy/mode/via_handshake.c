#include "proxy/mode/via_handshake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/http/h1.h"

/* What a proxy says about a tunnel is a few lines; cookies and a long challenge still fit. */
#define HEAD_BYTES  (16 * 1024)
#define HEAD_FIELDS 100
/* 100 and 102 are no answers; more than a few of them only keep us waiting. */
#define MAX_INTERIM 8
/* As much of a proxy's words as an error of one line has room for. */
#define WORDS_BYTES 64
/* The longest answer of SOCKS: version, reply, reserved, type, length, a name, a port (RFC 1928 §6). */
#define SOCKS_ANSWER_BYTES (5 + 255 + 2)

enum { SOCKS_CONNECT = 1, SOCKS4_GRANTED = 90 };
enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_REFUSED = 0xff };
enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

/*            .-> HTTP ------------------------------------------.
 *   STARTING --> SOCKS4 -----------------------------------------> READY
 *            '-> METHOD ------------------------------> REPLY --'
 *                   '--- a password is wanted -> LOGIN --'            from any but READY: REFUSED */
enum step {
    STEP_STARTING,
    STEP_HTTP,
    STEP_SOCKS4,
    STEP_METHOD,
    STEP_LOGIN,
    STEP_REPLY,
    STEP_READY,
    STEP_REFUSED
};

struct via_handshake {
    const struct via_hop *hop;
    char *host;
    char *place; /* "host:port", as people read it */
    uint16_t port;
    enum step step;
    bool has_heard; /* a byte of an answer */
    /* HTTP */
    struct h1 *h1;
    unsigned interim_count;
    struct err refusal; /* from inside a callback */
    /* SOCKS: the answer under way */
    unsigned char answer[SOCKS_ANSWER_BYTES];
    size_t answer_len;
};

static void on_head(void *self, struct http_head *head);

static void on_body(void *self, struct span bytes)
{
    (void)self;
    (void)bytes;
}

static void on_end(void *self, const struct headers *trailers)
{
    (void)self;
    (void)trailers;
}

static const struct http_events http_events = { on_head, NULL, on_body, on_end };

struct via_handshake *via_handshake_new(const struct via_hop *hop, const char *host, uint16_t port)
{
    struct via_handshake *h = mem_new(struct via_handshake);
    struct strbuf place = STRBUF_EMPTY;

    h->hop = hop;
    h->host = mem_strdup(host);
    h->port = port;
    url_add_authority(&place, SPAN_NONE, host, port);
    h->place = strbuf_detach(&place);
    return h;
}

void via_handshake_free(struct via_handshake *h)
{
    if (h == NULL)
        return;
    h1_free(h->h1);
    mem_free(h->host);
    mem_free(h->place);
    mem_free(h);
}

/* --- in words ------------------------------------------------------------------------------------------- */

/* A stranger's words must not do more in a log or on a terminal than be read. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

/* As much of them as stands in one of our lines. */
static const char *clean(struct span words, char out[WORDS_BYTES + 1])
{
    size_t len = words.len < WORDS_BYTES ? words.len : WORDS_BYTES;

    memcpy(out, words.len != 0 ? words.ptr : "", len);
    out[len] = '\0';
    make_printable(out);
    return out;
}

static bool said_no(const struct via_handshake *h, const char *why, struct err *err)
{
    return err_set(err, ERR_CLOSED, "proxy '%s' does not reach '%s': %s", h->hop->name, h->place, why);
}

static bool wants_password(const struct via_hop *hop, struct err *err)
{
    size_t scheme_len = span_find(span_of(hop->name), ':');

    if (hop->user != NULL)
        return err_set(err, ERR_CLOSED,
                       "proxy '%s' does not take the user name and password that --via gives", hop->name);
    return err_set(err, ERR_CLOSED,
                   "proxy '%s' wants a user name and password: write --via %.*s://USER:PASS@%s", hop->name,
                   (int)scheme_len, hop->name, hop->name + scheme_len + strlen("://"));
}

static bool is_nonsense(const struct via_handshake *h, const char *what, unsigned byte, struct err *err)
{
    return err_set(err, ERR_PROTO, "proxy '%s' does not speak %s: it answered with a byte 0x%02x",
                   h->hop->name, what, byte);
}

/* --- HTTP ----------------------------------------------------------------------------------------------- */

/* Whether one of the challenges is Basic; several may stand in one field (RFC 9110 §11.6.1). */
static bool offers_basic(const struct headers *headers)
{
    static const struct span name = { "Proxy-Authenticate", 18 };

    for (size_t i = headers_next(headers, name, 0); i < headers->count;
         i = headers_next(headers, name, i + 1)) {
        struct span rest = headers_value(headers, i), part;
        while (span_split(&rest, ',', &part)) {
            part = span_trim(part);
            if (span_istarts(part, SPAN("Basic")) && (part.len == 5 || part.ptr[5] == ' '))
                return true;
        }
    }
    return false;
}

bool via_wants_login(const struct via_hop *hop, const struct http_head *head, struct err *err)
{
    char words[WORDS_BYTES + 1];
    struct span challenge;

    if (headers_find(&head->headers, SPAN("Proxy-Authenticate"), &challenge) && !offers_basic(&head->headers))
        return err_set(err, ERR_CLOSED,
                       "proxy '%s' wants a login of the kind '%s', and weir knows Basic alone", hop->name,
                       clean(span_sub(challenge, 0, span_find(challenge, ' ')), words));
    return wants_password(hop, err);
}

static bool refuse_status(const struct via_handshake *h, const struct http_head *head, struct err *err)
{
    char words[WORDS_BYTES + 1];

    if (head->status == 407)
        return via_wants_login(h->hop, head, err);
    return err_set(err, ERR_CLOSED, "proxy '%s' answered %d%s%s when asked for '%s'", h->hop->name,
                   head->status, head->reason.len != 0 ? " " : "", clean(head->reason, words), h->place);
}

static void on_head(void *self, struct http_head *head)
{
    struct via_handshake *h = self;

    if (head->status / 100 == 2) {
        h->step = STEP_READY;
    } else if (!http_is_interim(head)) {
        h->step = STEP_REFUSED;
        refuse_status(h, head, &h->refusal);
    } else if (++h->interim_count > MAX_INTERIM) {
        h->step = STEP_REFUSED;
        err_set(&h->refusal, ERR_LIMIT, "proxy '%s' sends interim responses and no answer", h->hop->name);
    }
    h1_pause(h->h1);
    http_head_free(head);
}

static bool feed_http(struct via_handshake *h, struct span bytes, size_t *out_used, struct err *err)
{
    size_t all = 0, used;

    do {
        if (!h1_feed(h->h1, span_from(bytes, all), &used, err)) {
            make_printable(err->text); /* it may quote what came */
            return err_add(err, "proxy '%s'", h->hop->name);
        }
        all += used;
        if (h->step == STEP_REFUSED) {
            *err = h->refusal;
            return false;
        }
    } while (h->step == STEP_HTTP && all < bytes.len);
    *out_used = all;
    return true;
}

static void start_http(struct via_handshake *h, struct evbuffer *out)
{
    struct h1_limits limits = { HEAD_BYTES, HEAD_FIELDS };
    struct strbuf fields = STRBUF_EMPTY;

    h->h1 = h1_new(HTTP_RESPONSE, limits, &http_events, h);
    h1_set_request_method(h->h1, SPAN("CONNECT"));
    via_add_fields(&fields, h->hop);
    evbuffer_add_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", h->place, h->place,
                        strbuf_text(&fields));
    strbuf_clear(&fields);
    h->step = STEP_HTTP;
}

void via_add_fields(struct strbuf *out, const struct via_hop *hop)
{
    struct strbuf pair = STRBUF_EMPTY;

    if (hop->user == NULL || !via_is_http(hop))
        return;
    strbuf_printf(&pair, "%s:%s", hop->user, hop->password != NULL ? hop->password : "");
    strbuf_add_str(out, "Proxy-Authorization: Basic ");
    base64_add(out, strbuf_span(&pair));
    strbuf_add_str(out, "\r\n");
    strbuf_clear(&pair);
}

void via_add_absolute(struct strbuf *out, const struct target *target, struct span path)
{
    struct span scheme = span_of(target_scheme(target));

    strbuf_add(out, scheme);
    strbuf_add_str(out, "://");
    url_add_authority(out, scheme, target->host, target->port);
    if (!span_eq(path, SPAN("*"))) /* RFC 9112 §3.2.4: OPTIONS about the server as a whole */
        strbuf_add(out, path);
}

/* --- SOCKS ---------------------------------------------------------------------------------------------- */

static void add_byte(struct evbuffer *out, unsigned byte)
{
    unsigned char one = (unsigned char)byte;

    evbuffer_add(out, &one, 1);
}

static void add_port(struct evbuffer *out, uint16_t port)
{
    add_byte(out, port >> 8);
    add_byte(out, port & 0xff);
}

static void add_counted(struct evbuffer *out, const char *text)
{
    add_byte(out, (unsigned)strlen(text));
    evbuffer_add(out, text, strlen(text));
}

static bool needs_address(const struct via_handshake *h, struct err *err)
{
    return err_set(err, ERR_URL, "proxy '%s' can't be asked for '%s': it takes IPv4 addresses%s alone",
                   h->hop->name, h->place,
                   h->hop->kind == VIA_SOCKS4    ? ""
                   : h->hop->kind == VIA_SOCKS4A ? " and names"
                                                 : " and IPv6 ones");
}

/* SOCKS4: version, command, port, address, user, NUL. 4a: an address 0.0.0.x and then the name, NUL. */
static bool start_socks4(struct via_handshake *h, struct evbuffer *out, struct err *err)
{
    unsigned char address[16] = { 0, 0, 0, 1 };
    bool is_ipv4 = inet_pton(AF_INET, h->host, address) == 1;
    const char *user = h->hop->user != NULL ? h->hop->user : "";

    if (!is_ipv4 && (h->hop->kind == VIA_SOCKS4 || strchr(h->host, ':') != NULL))
        return needs_address(h, err);
    add_byte(out, 4);
    add_byte(out, SOCKS_CONNECT);
    add_port(out, h->port);
    evbuffer_add(out, address, 4);
    evbuffer_add(out, user, strlen(user) + 1);
    if (!is_ipv4)
        evbuffer_add(out, h->host, strlen(h->host) + 1);
    h->step = STEP_SOCKS4;
    return true;
}

static bool start_socks5(struct via_handshake *h, struct evbuffer *out, struct err *err)
{
    static const unsigned char without[] = { 5, 1, METHOD_NONE },
                               with[] = { 5, 2, METHOD_NONE, METHOD_PASSWORD };

    if (h->hop->kind == VIA_SOCKS5 && !url_host_is_ip(h->host))
        return needs_address(h, err);
    if (h->hop->user != NULL)
        evbuffer_add(out, with, sizeof with);
    else
        evbuffer_add(out, without, sizeof without);
    h->step = STEP_METHOD;
    return true;
}

static void ask_socks5(struct via_handshake *h, struct evbuffer *out)
{
    unsigned char address[16];

    add_byte(out, 5);
    add_byte(out, SOCKS_CONNECT);
    add_byte(out, 0);
    if (inet_pton(AF_INET, h->host, address) == 1) {
        add_byte(out, TYPE_IPV4);
        evbuffer_add(out, address, 4);
    } else if (inet_pton(AF_INET6, h->host, address) == 1) {
        add_byte(out, TYPE_IPV6);
        evbuffer_add(out, address, 16);
    } else {
        add_byte(out, TYPE_NAME);
        add_counted(out, h->host);
    }
    add_port(out, h->port);
    h->step = STEP_REPLY;
}

/* How many bytes the answer has, as far as those that are there tell. A refusal is told at once: some proxies
 * end there and send the rest never. */
static size_t answer_bytes(const struct via_handshake *h)
{
    if (h->answer_len < 2 || h->step == STEP_METHOD || h->step == STEP_LOGIN)
        return 2;
    if (h->step == STEP_SOCKS4)
        return h->answer[0] == 0 && h->answer[1] == SOCKS4_GRANTED ? 8 : 2;
    if (h->answer[0] != 5 || h->answer[1] != 0)
        return 2;
    if (h->answer_len < 5)
        return 5;
    switch (h->answer[3]) {
    case TYPE_IPV4:
        return 4 + 4 + 2;
    case TYPE_IPV6:
        return 4 + 16 + 2;
    case TYPE_NAME:
        return 5u + h->answer[4] + 2;
    default:
        return 5;
    }
}

static bool read_socks4(struct via_handshake *h, struct err *err)
{
    switch (h->answer[1]) {
    case SOCKS4_GRANTED:
        h->step = STEP_READY;
        return true;
    case 91:
        return said_no(h, "it refuses or could not connect", err);
    case 92:
        return said_no(h, "it could not ask this machine who the user is (identd)", err);
    case 93:
        return said_no(h, "this machine (identd) says another user than --via does", err);
    default:
        return is_nonsense(h, "SOCKS4", h->answer[1], err);
    }
}

static bool read_method(struct via_handshake *h, struct evbuffer *out, struct err *err)
{
    switch (h->answer[1]) {
    case METHOD_NONE:
        ask_socks5(h, out);
        return true;
    case METHOD_PASSWORD:
        if (h->hop->user == NULL)
            return wants_password(h->hop, err);
        add_byte(out, 1); /* the version of RFC 1929 */
        add_counted(out, h->hop->user);
        add_counted(out, h->hop->password != NULL ? h->hop->password : "");
        h->step = STEP_LOGIN;
        return true;
    case METHOD_REFUSED:
        if (h->hop->user == NULL)
            return wants_password(h->hop, err);
        return err_set(err, ERR_CLOSED, "proxy '%s' wants another login than a user name and password",
                       h->hop->name);
    default:
        return err_set(err, ERR_PROTO, "proxy '%s' wants a login (%u) that it was not offered", h->hop->name,
                       h->answer[1]);
    }
}

static bool read_reply(struct via_handshake *h, struct err *err)
{
    static const char *const words[] = {
        NULL,
        "it says only that it failed",
        "its rules forbid it",
        "the network can't be reached",
        "the host can't be reached",
        "the connection was refused",
        "the way there is too long (TTL expired)",
        "it knows no tunnels",
        "it knows no such kind of address",
    };
    unsigned code = h->answer[1], type = h->answer[3];
    char text[64];

    if (code == 0) {
        if (type != TYPE_IPV4 && type != TYPE_IPV6 && type != TYPE_NAME)
            return is_nonsense(h, "SOCKS5", type, err);
        h->step = STEP_READY;
        return true;
    }
    if (code < sizeof words / sizeof words[0])
        return said_no(h, words[code], err);
    snprintf(text, sizeof text, "it gives a reason that has no meaning (0x%02x)", code);
    return said_no(h, text, err);
}

static bool read_answer(struct via_handshake *h, struct evbuffer *out, struct err *err)
{
    unsigned version = h->answer[0];

    switch (h->step) {
    case STEP_SOCKS4:
        return version == 0 ? read_socks4(h, err) : is_nonsense(h, "SOCKS4", version, err);
    case STEP_METHOD:
        return version == 5 ? read_method(h, out, err) : is_nonsense(h, "SOCKS5", version, err);
    case STEP_LOGIN:
        if (version != 1)
            return is_nonsense(h, "SOCKS5", version, err);
        if (h->answer[1] != 0)
            return wants_password(h->hop, err);
        ask_socks5(h, out);
        return true;
    default:
        return version == 5 ? read_reply(h, err) : is_nonsense(h, "SOCKS5", version, err);
    }
}

static bool feed_socks(struct via_handshake *h, struct span bytes, size_t *out_used, struct evbuffer *out,
                       struct err *err)
{
    size_t all = 0;

    while (all < bytes.len && h->step != STEP_READY) {
        h->answer[h->answer_len++] = (unsigned char)bytes.ptr[all++];
        if (h->answer_len < answer_bytes(h))
            continue;
        if (!read_answer(h, out, err))
            return false;
        h->answer_len = 0;
    }
    *out_used = all;
    return true;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

/* What a host may be was looked at where it came from, but not in every mode alike. */
static bool check_host(const struct via_handshake *h, struct err *err)
{
    struct authority ignored;

    return url_parse_authority(span_of(h->place), &ignored, err) ||
           err_add(err, "proxy '%s' can't be asked for that host", h->hop->name);
}

bool via_handshake_start(struct via_handshake *h, struct evbuffer *out, struct err *err)
{
    if (!check_host(h, err))
        return false;
    switch (h->hop->kind) {
    case VIA_SOCKS4:
    case VIA_SOCKS4A:
        return start_socks4(h, out, err);
    case VIA_SOCKS5:
    case VIA_SOCKS5H:
        return start_socks5(h, out, err);
    default:
        start_http(h, out);
        return true;
    }
}

enum via_answer via_handshake_feed(struct via_handshake *h, struct span bytes, size_t *out_used,
                                   struct evbuffer *out, struct err *err)
{
    bool ok;

    h->has_heard |= bytes.len != 0;
    ok = h->step == STEP_HTTP ? feed_http(h, bytes, out_used, err) : feed_socks(h, bytes, out_used, out, err);
    if (!ok) {
        h->step = STEP_REFUSED;
        *out_used = bytes.len;
        return VIA_REFUSED;
    }
    return h->step == STEP_READY ? VIA_READY : VIA_MORE;
}

bool via_handshake_cut(const struct via_handshake *h, struct err *err)
{
    return err_set(err, ERR_CLOSED, "proxy '%s' ended the connection %s when asked for '%s'", h->hop->name,
                   h->has_heard ? "in the middle of its answer" : "without an answer", h->place);
}
