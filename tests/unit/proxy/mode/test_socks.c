/* What a handshake means is in tests/playbook/socks.txt; here are the answers to a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/mode/socks.h"

/* Feeds a whole handshake, then answers its request: only the reply is compared. */
static void replies(struct span handshake, enum socks_result result, struct span expected)
{
    struct evbuffer *out = evbuffer_new();
    struct socks *socks = socks_new(NULL);
    struct err err;
    size_t used;

    assert_int_equal(socks_feed(socks, handshake, &used, out, &err), SOCKS_READY);
    assert_int_equal(used, handshake.len);
    evbuffer_drain(out, evbuffer_get_length(out));
    socks_reply(socks, result, out);
    assert_int_equal(evbuffer_get_length(out), expected.len);
    assert_memory_equal(evbuffer_pullup(out, -1), expected.ptr, expected.len);
    socks_free(socks);
    evbuffer_free(out);
}

#define SOCKS5                                                                                               \
    SPAN("\x05\x01\x00\x05\x01\x00\x03\x01"                                                                  \
         "a\x00\x50")
#define SOCKS4 SPAN("\x04\x01\x00\x50\x7f\x00\x00\x01\x00")

static void a_socks5_reply_names_no_address_of_ours(void **state)
{
    (void)state;
    replies(SOCKS5, SOCKS_GRANTED, SPAN("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"));
    replies(SOCKS5, SOCKS_CONNECTION_REFUSED, SPAN("\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"));
    replies(SOCKS5, SOCKS_NOT_ALLOWED, SPAN("\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"));
}

static void socks4_knows_granted_and_rejected_only(void **state)
{
    (void)state;
    replies(SOCKS4, SOCKS_GRANTED, SPAN("\x00\x5a\x00\x00\x00\x00\x00\x00"));
    replies(SOCKS4, SOCKS_HOST_UNREACHABLE, SPAN("\x00\x5b\x00\x00\x00\x00\x00\x00"));
}

static void the_version_is_known_from_the_first_byte(void **state)
{
    struct evbuffer *out = evbuffer_new();
    struct socks *socks = socks_new(NULL);
    struct err err;
    size_t used;

    (void)state;
    assert_int_equal(socks_version(socks), 0);
    assert_int_equal(socks_feed(socks, SPAN("\x05"), &used, out, &err), SOCKS_NEED_MORE);
    assert_int_equal(socks_version(socks), 5);
    assert_null(socks_user(socks));
    socks_free(socks);
    evbuffer_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socks5_reply_names_no_address_of_ours),
        cmocka_unit_test(socks4_knows_granted_and_rejected_only),
        cmocka_unit_test(the_version_is_known_from_the_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
