/* The pair is compared as user and password of 255 bytes each, zeroes behind their ends, and their lengths:
 * always as many steps, no branch on a byte. */
#include "proxy/mode/auth.h"

#include <string.h>

#include "proxy/base/base64.h"
#include "proxy/base/mem.h"

/* RFC 1929 §2: one byte of length. */
#define MAX_PART_BYTES 255

struct part {
    unsigned char bytes[MAX_PART_BYTES];
    size_t len;
};

struct auth {
    struct part user, password;
};

static void set_part(struct part *part, struct span text)
{
    memcpy(part->bytes, text.ptr, text.len);
    part->len = text.len;
}

/* 0 when given is what is wanted. */
static unsigned part_difference(const struct part *wanted, struct span given)
{
    unsigned char copy[MAX_PART_BYTES] = { 0 };
    /* volatile: else a compiler might see that the loop may end early. */
    const volatile unsigned char *a = wanted->bytes, *b = copy;
    unsigned difference = wanted->len != given.len;

    if (given.len != 0)
        memcpy(copy, given.ptr, given.len < sizeof copy ? given.len : sizeof copy);
    for (size_t i = 0; i < sizeof copy; i++)
        difference |= (unsigned)(a[i] ^ b[i]);
    return difference;
}

bool auth_new(const char *text, struct auth **out_auth, struct err *err)
{
    struct span all = span_of(text), user = span_sub(all, 0, span_find(all, ':')), password;
    struct auth *auth;

    if (user.len == all.len)
        return err_set(err, ERR_USAGE, "proxy authentication is USER:PASSWORD: there is no ':'");
    password = span_from(all, user.len + 1);
    if (user.len == 0 || password.len == 0)
        return err_set(err, ERR_USAGE, "proxy authentication is USER:PASSWORD: the %s is missing",
                       user.len == 0 ? "user" : "password");
    if (user.len > MAX_PART_BYTES || password.len > MAX_PART_BYTES)
        return err_set(err, ERR_USAGE, "proxy authentication: a %s has %d bytes at most",
                       user.len > MAX_PART_BYTES ? "user" : "password", MAX_PART_BYTES);
    auth = mem_new(struct auth);
    set_part(&auth->user, user);
    set_part(&auth->password, password);
    *out_auth = auth;
    return true;
}

void auth_free(struct auth *auth)
{
    mem_free(auth);
}

bool auth_check(const struct auth *auth, struct span user, struct span password)
{
    unsigned difference;

    if (auth == NULL)
        return true;
    difference = part_difference(&auth->user, user);
    difference |= part_difference(&auth->password, password);
    return difference == 0;
}

/* The scheme of credentials and what follows it and its blanks (RFC 9110 §11.4). */
static struct span split_scheme(struct span value, struct span *out_rest)
{
    struct span scheme = span_sub(value, 0, span_find(value, ' '));

    *out_rest = span_trim(span_from(value, scheme.len));
    return scheme;
}

static bool read_basic(struct span value, struct strbuf *out_pair)
{
    struct span token;

    return span_ieq(split_scheme(value, &token), SPAN("Basic")) && base64_read(out_pair, token) &&
           span_find(strbuf_span(out_pair), ':') < out_pair->len;
}

static bool check_basic(const struct auth *auth, struct span value, struct strbuf *out_user)
{
    struct strbuf pair = STRBUF_EMPTY;
    bool is_right = auth == NULL;
    size_t colon;

    if (read_basic(value, &pair)) {
        colon = span_find(strbuf_span(&pair), ':');
        strbuf_add(out_user, span_sub(strbuf_span(&pair), 0, colon));
        is_right = auth_check(auth, strbuf_span(out_user), span_from(strbuf_span(&pair), colon + 1));
    }
    strbuf_clear(&pair);
    return is_right;
}

enum auth_answer auth_check_head(const struct auth *auth, const struct http_head *head,
                                 struct strbuf *out_user)
{
    static const struct span name = { "Proxy-Authorization", sizeof "Proxy-Authorization" - 1 };
    const struct headers *headers = &head->headers;
    size_t first = headers_next(headers, name, 0);

    strbuf_reset(out_user);
    if (first == headers->count)
        return auth == NULL ? AUTH_OK : AUTH_MISSING;
    if (headers_next(headers, name, first + 1) < headers->count)
        return auth == NULL ? AUTH_OK : AUTH_WRONG;
    return check_basic(auth, headers_value(headers, first), out_user) ? AUTH_OK : AUTH_WRONG;
}

struct http_head *auth_demand(void)
{
    struct http_head *head = http_head_response(407);
    struct err err; /* a head of our own, without limits */

    headers_add(&head->headers, SPAN("Proxy-Authenticate"), SPAN("Basic realm=\"weir\""), &err);
    return head;
}

/* The value ends after the stars, the line where it did, filled with blanks: so its places stay, and not even
 * the length of a password is in the value. */
static void mask_field(char *block, struct header *field)
{
    char *value = block + field->value_off;
    struct span rest;
    size_t at, stars;

    split_scheme(span_make(value, field->value_len), &rest);
    at = rest.len != 0 ? (size_t)(rest.ptr - value) : 0; /* without a scheme all of it is secret */
    stars = field->value_len - at < 3 ? field->value_len - at : 3;
    memset(value + at, ' ', field->value_len - at);
    memset(value + at, '*', stars);
    field->value_len = (uint32_t)(at + stars);
}

void auth_mask(struct http_head *head)
{
    struct headers *headers = &head->headers;

    for (size_t i = headers_next(headers, SPAN("Proxy-Authorization"), 0); i < headers->count;
         i = headers_next(headers, SPAN("Proxy-Authorization"), i + 1))
        mask_field(headers->block, &headers->items[i]);
}
