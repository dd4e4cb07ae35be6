/* A message is gathered until it is whole, which every kind knows from its own first bytes, then understood
 * at once:
 *
 *     VERSION --5--> METHODS --none--> REQUEST5 ----.
 *        |              '--password--> LOGIN -> REQUEST5 --> READY      any of them leads to REFUSED
 *        '-----4--> REQUEST4 ------------------------------> READY
 */
#include "proxy/mode/socks.h"

#include <arpa/inet.h>
#include <string.h>

#include "proxy/base/mem.h"

/* What a user or a host may have in either version: one byte of length, or as much in front of a NUL. */
#define MAX_TEXT_BYTES 255
/* The longest message, SOCKS4a's request: 8 bytes, user, NUL, host, NUL. */
#define MAX_MESSAGE_BYTES (8 + 2 * (MAX_TEXT_BYTES + 1))

#define METHOD_OPEN     0x00
#define METHOD_PASSWORD 0x02
#define METHOD_NONE     0xff

#define COMMAND_CONNECT 1

#define ADDRESS_IPV4 1
#define ADDRESS_NAME 3
#define ADDRESS_IPV6 4

/* RFC 1928 §6, besides enum socks_result. */
#define REPLY_NO_SUCH_COMMAND 7
#define REPLY_NO_SUCH_ADDRESS 8

#define LOGIN_VERSION 1

#define SOCKS4_GRANTED  90
#define SOCKS4_REJECTED 91

enum phase {
    PHASE_VERSION,
    PHASE_METHODS,
    PHASE_LOGIN,
    PHASE_REQUEST5,
    PHASE_REQUEST4,
    PHASE_READY,
    PHASE_REFUSED,
};

struct socks {
    const struct auth *auth;
    enum phase phase;
    unsigned version;
    unsigned char bytes[MAX_MESSAGE_BYTES]; /* the message that is being gathered */
    size_t len;
    struct target target;
    char user[MAX_TEXT_BYTES + 1]; /* "": none */
};

struct socks *socks_new(const struct auth *auth)
{
    struct socks *socks = mem_new(struct socks);

    socks->auth = auth;
    return socks;
}

void socks_free(struct socks *socks)
{
    mem_free(socks);
}

static bool refuse(struct socks *socks)
{
    socks->phase = PHASE_REFUSED;
    return false;
}

static void answer(struct evbuffer *out, unsigned first, unsigned second)
{
    unsigned char bytes[] = { (unsigned char)first, (unsigned char)second };

    evbuffer_add(out, bytes, sizeof bytes);
}

/* The bound address that a reply names is nobody's business: 0.0.0.0:0. */
static void answer_request(unsigned version, unsigned code, struct evbuffer *out)
{
    static const unsigned char v5_address[] = { 0, ADDRESS_IPV4, 0, 0, 0, 0, 0, 0 }, v4_address[6];

    answer(out, version == 5 ? 5 : 0, code);
    evbuffer_add(out, version == 5 ? v5_address : v4_address,
                 version == 5 ? sizeof v5_address : sizeof v4_address);
}

void socks_reply(const struct socks *socks, enum socks_result result, struct evbuffer *out)
{
    if (socks->version == 5)
        answer_request(5, result, out);
    else
        answer_request(4, result == SOCKS_GRANTED ? SOCKS4_GRANTED : SOCKS4_REJECTED, out);
}

static bool refuse_request(struct socks *socks, unsigned code, struct evbuffer *out)
{
    answer_request(socks->version, socks->version == 5 ? code : SOCKS4_REJECTED, out);
    return refuse(socks);
}

static void set_user(struct socks *socks, const unsigned char *bytes, size_t len)
{
    memcpy(socks->user, bytes, len);
    socks->user[len] = '\0';
}

static uint16_t read_port(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* A name, or an address that is written as one: IPv6 with or without its brackets. */
static bool set_name(struct target *target, struct span name, struct err *err)
{
    char bracketed[MAX_TEXT_BYTES + 2];
    struct authority authority;

    if (name.len != 0 && span_find(name, ':') < name.len) {
        if (name.ptr[0] != '[') {
            bracketed[0] = '[';
            memcpy(bracketed + 1, name.ptr, name.len);
            bracketed[name.len + 1] = ']';
            name = span_make(bracketed, name.len + 2);
        } else if (name.ptr[name.len - 1] != ']') {
            return err_set(err, ERR_URL, "a host with a port");
        }
    }
    if (!url_parse_authority(name, &authority, err))
        return false;
    memcpy(target->host, authority.host, sizeof target->host);
    return true;
}

static bool check_request(struct socks *socks, unsigned command, uint16_t port, struct evbuffer *out,
                          struct err *err)
{
    if (command != COMMAND_CONNECT) {
        err_set(err, ERR_USAGE, "SOCKS%u command %u: only CONNECT is offered", socks->version, command);
        return refuse_request(socks, REPLY_NO_SUCH_COMMAND, out);
    }
    if (port == 0) {
        err_set(err, ERR_PROTO, "a SOCKS%u request for port 0", socks->version);
        return refuse_request(socks, SOCKS_FAILED, out);
    }
    socks->target.port = port;
    return true;
}

static bool take_version(struct socks *socks, struct err *err)
{
    socks->version = socks->bytes[0];
    if (socks->version != 4 && socks->version != 5) {
        socks->version = 0;
        err_set(err, ERR_PROTO, "not SOCKS: it begins with byte 0x%02x", socks->bytes[0]);
        return refuse(socks);
    }
    socks->phase = socks->version == 5 ? PHASE_METHODS : PHASE_REQUEST4;
    return true; /* its byte stays in front of the message that it begins */
}

static bool take_methods(struct socks *socks, struct evbuffer *out, struct err *err)
{
    const unsigned char *methods = socks->bytes + 2;
    bool offers_open = memchr(methods, METHOD_OPEN, socks->bytes[1]) != NULL;
    bool offers_password = memchr(methods, METHOD_PASSWORD, socks->bytes[1]) != NULL;

    socks->len = 0;
    if (socks->auth == NULL && offers_open) {
        answer(out, 5, METHOD_OPEN);
        socks->phase = PHASE_REQUEST5;
        return true;
    }
    if (offers_password) {
        answer(out, 5, METHOD_PASSWORD);
        socks->phase = PHASE_LOGIN;
        return true;
    }
    answer(out, 5, METHOD_NONE);
    err_set(err, ERR_USAGE, "the client offers no way to log in that is taken: %s",
            socks->auth != NULL ? "user and password are demanded" : "no password, or user and password");
    return refuse(socks);
}

static bool take_login(struct socks *socks, struct evbuffer *out, struct err *err)
{
    size_t user_len = socks->bytes[1];
    const unsigned char *user = socks->bytes + 2, *password = user + user_len + 1;

    socks->len = 0;
    if (socks->bytes[0] != LOGIN_VERSION) {
        answer(out, LOGIN_VERSION, 1);
        err_set(err, ERR_PROTO, "a SOCKS5 login of version %u", socks->bytes[0]);
        return refuse(socks);
    }
    set_user(socks, user, user_len);
    if (!auth_check(socks->auth, span_make(user, user_len), span_make(password, password[-1]))) {
        answer(out, LOGIN_VERSION, 1);
        err_set(err, ERR_USAGE, "a wrong SOCKS5 user or password");
        return refuse(socks);
    }
    answer(out, LOGIN_VERSION, 0);
    socks->phase = PHASE_REQUEST5;
    return true;
}

static bool take_request5(struct socks *socks, struct evbuffer *out, struct err *err)
{
    const unsigned char *bytes = socks->bytes, *address = bytes + 4;
    bool is_host = true;

    if (bytes[0] != 5) {
        err_set(err, ERR_PROTO, "a SOCKS5 request of version %u", bytes[0]);
        return refuse_request(socks, SOCKS_FAILED, out);
    }
    switch (bytes[3]) {
    case ADDRESS_IPV4:
        inet_ntop(AF_INET, address, socks->target.host, sizeof socks->target.host);
        break;
    case ADDRESS_IPV6:
        inet_ntop(AF_INET6, address, socks->target.host, sizeof socks->target.host);
        break;
    case ADDRESS_NAME:
        is_host = set_name(&socks->target, span_make(address + 1, address[0]), err);
        break;
    default:
        err_set(err, ERR_PROTO, "a SOCKS5 address of type %u", bytes[3]);
        return refuse_request(socks, REPLY_NO_SUCH_ADDRESS, out);
    }
    if (!check_request(socks, bytes[1], read_port(bytes + socks->len - 2), out, err))
        return false;
    if (!is_host) {
        err_add(err, "SOCKS5 request");
        return refuse_request(socks, SOCKS_FAILED, out);
    }
    socks->phase = PHASE_READY;
    return true;
}

/* 4a: an address that cannot be says that a name follows. */
static bool is_4a(const unsigned char *address)
{
    return address[0] == 0 && address[1] == 0 && address[2] == 0 && address[3] != 0;
}

static bool take_request4(struct socks *socks, struct evbuffer *out, struct err *err)
{
    const unsigned char *bytes = socks->bytes, *address = bytes + 4, *user = bytes + 8;
    size_t user_len = strnlen((const char *)user, socks->len - 8);
    const unsigned char *name = user + user_len + 1;

    if (bytes[socks->len - 1] != '\0') {
        err_set(err, ERR_PROTO, "a SOCKS4 request with a user or host of more than %d bytes", MAX_TEXT_BYTES);
        return refuse_request(socks, SOCKS_FAILED, out);
    }
    set_user(socks, user, user_len);
    if (socks->auth != NULL) {
        err_set(err, ERR_USAGE, "SOCKS4 has no password, and one is demanded: use SOCKS5");
        return refuse_request(socks, SOCKS_NOT_ALLOWED, out);
    }
    if (!check_request(socks, bytes[1], read_port(bytes + 2), out, err))
        return false;
    if (!is_4a(address)) {
        inet_ntop(AF_INET, address, socks->target.host, sizeof socks->target.host);
    } else if (!set_name(&socks->target, span_of((const char *)name), err)) {
        err_add(err, "SOCKS4a request");
        return refuse_request(socks, SOCKS_FAILED, out);
    }
    socks->phase = PHASE_READY;
    return true;
}

static bool take_message(struct socks *socks, struct evbuffer *out, struct err *err)
{
    switch (socks->phase) {
    case PHASE_VERSION:
        return take_version(socks, err);
    case PHASE_METHODS:
        return take_methods(socks, out, err);
    case PHASE_LOGIN:
        return take_login(socks, out, err);
    case PHASE_REQUEST5:
        return take_request5(socks, out, err);
    default:
        return take_request4(socks, out, err);
    }
}

/* The bytes that a SOCKS5 request has as far as len of it tell: more may turn out to follow. */
static size_t request5_length(const unsigned char *bytes, size_t len)
{
    if (len == 0)
        return 1;
    if (bytes[0] != 5)
        return len; /* broken, said at once */
    if (len < 4)
        return 4;
    switch (bytes[3]) {
    case ADDRESS_IPV4:
        return 4 + 4 + 2;
    case ADDRESS_IPV6:
        return 4 + 16 + 2;
    case ADDRESS_NAME:
        return len < 5 ? 5 : 5 + (size_t)bytes[4] + 2;
    default:
        return len;
    }
}

static size_t login_length(const unsigned char *bytes, size_t len)
{
    size_t before_password;

    if (len == 0)
        return 1;
    if (bytes[0] != LOGIN_VERSION)
        return len;
    if (len < 2)
        return 2;
    before_password = 2 + (size_t)bytes[1] + 1;
    return len < before_password ? before_password : before_password + bytes[before_password - 1];
}

/* Ends behind a NUL, or, when there is none in time, where it is too long. */
static size_t request4_length(const unsigned char *bytes, size_t len)
{
    const unsigned char *text = bytes + 8, *end;

    if (len < 8)
        return 8;
    for (int texts = is_4a(bytes + 4) ? 2 : 1; texts > 0; texts--) {
        size_t have = (size_t)(bytes + len - text);
        end = memchr(text, '\0', have);
        if (end == NULL)
            return have > MAX_TEXT_BYTES ? len : len + 1;
        text = end + 1;
    }
    return (size_t)(text - bytes);
}

static size_t message_length(const struct socks *socks)
{
    switch (socks->phase) {
    case PHASE_VERSION:
        return 1;
    case PHASE_METHODS:
        return socks->len < 2 ? 2 : 2 + (size_t)socks->bytes[1];
    case PHASE_LOGIN:
        return login_length(socks->bytes, socks->len);
    case PHASE_REQUEST5:
        return request5_length(socks->bytes, socks->len);
    default:
        return request4_length(socks->bytes, socks->len);
    }
}

enum socks_answer socks_feed(struct socks *socks, struct span bytes, size_t *out_used, struct evbuffer *out,
                             struct err *err)
{
    size_t used = 0;

    while (socks->phase < PHASE_READY) {
        size_t missing = message_length(socks) - socks->len;
        size_t more = missing < bytes.len - used ? missing : bytes.len - used;

        if (missing != 0 && more == 0)
            break;
        if (more != 0)
            memcpy(socks->bytes + socks->len, bytes.ptr + used, more);
        socks->len += more;
        used += more;
        if (message_length(socks) == socks->len && !take_message(socks, out, err))
            break;
    }
    *out_used = used;
    if (socks->phase == PHASE_REFUSED)
        return SOCKS_REFUSED;
    return socks->phase == PHASE_READY ? SOCKS_READY : SOCKS_NEED_MORE;
}

const struct target *socks_target(const struct socks *socks)
{
    return &socks->target;
}

const char *socks_user(const struct socks *socks)
{
    return socks->user[0] != '\0' ? socks->user : NULL;
}

unsigned socks_version(const struct socks *socks)
{
    return socks->version;
}
