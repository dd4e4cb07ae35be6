#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/policy.h"

static struct policy_facts facts_of(const char *method, struct record_field *fields, size_t count)
{
    struct record record = { .method = span_of(method),
                             .scheme = SPAN("https"),
                             .host = SPAN("api.shop.test"),
                             .port = 443,
                             .request_headers = { fields, count } };
    struct policy_facts facts;

    policy_facts_init(&facts, &record, false);
    return facts;
}

static void assert_policy(const struct policy_facts *facts, const char *name, enum policy expected)
{
    if (policy_request(facts, span_of(name)) != expected)
        fail_msg("'%s' is %d, should be %d", name, policy_request(facts, span_of(name)), expected);
}

static void what_belongs_to_the_connection_is_dropped(void **state)
{
    static const char *const dropped[] = { "Content-Length",
                                           "TRANSFER-ENCODING",
                                           "connection",
                                           "Proxy-Authorization",
                                           "TE",
                                           ":authority",
                                           "Accept-Encoding",
                                           "Expect",
                                           "Cookie",
                                           "Host" };
    struct policy_facts facts = facts_of("GET", NULL, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        assert_policy(&facts, dropped[i], POLICY_DROP);
}

static void what_only_the_browser_had_to_say_is_shown(void **state)
{
    static const char *const shown[] = {
        "If-None-Match", "Range",      "Sec-Fetch-Mode", "User-Agent",
        "traceparent",   "X-B3-Flags", "Origin",         "X-Requested-With"
    };
    struct policy_facts facts = facts_of("GET", NULL, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        assert_policy(&facts, shown[i], POLICY_SHOW);
    facts.keep_browser_headers = true;
    assert_policy(&facts, "User-Agent", POLICY_SEND);
    assert_policy(&facts, "If-None-Match", POLICY_SHOW);
}

static void what_was_signed_for_one_request_is_shown(void **state)
{
    static const char *const signatures[] = { "DPoP", "Signature", "signature-input", "X-Hub-Signature-256" };
    struct policy_facts facts = facts_of("POST", NULL, 0);

    (void)state;
    facts.keep_browser_headers = true;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        assert_policy(&facts, signatures[i], POLICY_SHOW);
        assert_true(policy_is_signature(span_of(signatures[i])));
    }
    assert_false(policy_is_signature(SPAN("Signature-Agent")));
    assert_false(policy_is_signature(SPAN("Range")));
    facts.is_faithful = true;
    assert_policy(&facts, "DPoP", POLICY_SEND);
}

static void cookies_are_sent_where_there_is_no_jar(void **state)
{
    struct policy_facts facts = facts_of("GET", NULL, 0);

    (void)state;
    facts.sends_cookies = true;
    assert_policy(&facts, "Cookie", POLICY_SEND);
}

static void everything_else_is_sent(void **state)
{
    static const char *const sent[] = { "Authorization", "Accept", "Content-Type",
                                        "X-Api-Key",     "Text",   "Rangefinder" };
    struct policy_facts facts = facts_of("GET", NULL, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
        assert_policy(&facts, sent[i], POLICY_SEND);
}

static void a_change_from_the_site_itself_says_where_it_came_from(void **state)
{
    struct record_field own[] = { { SPAN("Origin"), SPAN("https://www.shop.test") } };
    struct record_field foreign[] = { { SPAN("Referer"), SPAN("https://evil.test/x") } };
    struct record_field fetch[] = { { SPAN("Origin"), SPAN("https://www.shop.test") },
                                    { SPAN("Sec-Fetch-Site"), SPAN("cross-site") } };
    struct policy_facts facts = facts_of("POST", own, 1);

    (void)state;
    assert_policy(&facts, "Origin", POLICY_SEND);
    assert_policy(&facts, "Referer", POLICY_SEND);
    facts = facts_of("GET", own, 1);
    assert_policy(&facts, "Origin", POLICY_SHOW);
    facts = facts_of("POST", foreign, 1);
    assert_policy(&facts, "Referer", POLICY_SHOW);
    facts = facts_of("POST", fetch, 2);
    assert_policy(&facts, "Origin", POLICY_SHOW);
}

static void a_host_field_is_kept_only_where_the_origin_got_another_host(void **state)
{
    struct record record = { .method = SPAN("GET"),
                             .scheme = SPAN("https"),
                             .host = SPAN("api.shop.test"),
                             .port = 443,
                             .flags = TAP_HOST_DIFFERS };
    struct record_field same[] = { { SPAN("Host"), SPAN("API.shop.test:443") } };
    struct record_field other[] = { { SPAN("Host"), SPAN("api.shop.test:8443") } };
    struct policy_facts facts = facts_of("GET", same, 1);

    (void)state;
    assert_policy(&facts, "Host", POLICY_DROP);
    facts = facts_of("GET", other, 1); /* an absolute target decided */
    assert_true(facts.is_host_replaced);
    assert_policy(&facts, "Host", POLICY_DROP);
    record.request_headers = (struct record_fields){ other, 1 };
    policy_facts_init(&facts, &record, false);
    assert_false(facts.is_host_replaced);
    assert_policy(&facts, "Host", POLICY_SEND);
}

static void what_no_client_can_send_is_known(void **state)
{
    struct record_field field = { SPAN("X-A"), SPAN("\xff tab\there") };

    (void)state;
    assert_true(policy_is_sendable(&field));
    field.value = SPAN("a\0b");
    assert_false(policy_is_sendable(&field));
    field.value = SPAN("a\rb");
    assert_false(policy_is_sendable(&field));
    field = (struct record_field){ SPAN("X A"), SPAN("") };
    assert_false(policy_is_sendable(&field));
    field.name = SPAN("");
    assert_false(policy_is_sendable(&field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_to_the_connection_is_dropped),
        cmocka_unit_test(what_only_the_browser_had_to_say_is_shown),
        cmocka_unit_test(what_was_signed_for_one_request_is_shown),
        cmocka_unit_test(cookies_are_sent_where_there_is_no_jar),
        cmocka_unit_test(everything_else_is_sent),
        cmocka_unit_test(a_change_from_the_site_itself_says_where_it_came_from),
        cmocka_unit_test(a_host_field_is_kept_only_where_the_origin_got_another_host),
        cmocka_unit_test(what_no_client_can_send_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
