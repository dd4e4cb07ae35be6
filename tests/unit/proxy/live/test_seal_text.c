#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/live/seal_text.h"

#define HOUR_US UINT64_C(3600000000)

static void a_pinned_host_is_told_with_reason_time_and_remedy(void **state)
{
    static const struct {
        struct pin pin;
        const char *text;
    } rows[] = {
        { { REFUSAL_ALERT, 46, false, HOUR_US },
          "10.0.0.1 refused weir's certificate for bank.test twice in a short time (alert "
          "certificate_unknown), though it trusts the CA: it pins that host, which passes sealed for 1 h and "
          "is then tried again; --open bank.test opens it all the same, --seal bank.test always seals it" },
        { { REFUSAL_CLOSE, 0, false, HOUR_US / 2 },
          "10.0.0.1 closed the connection as soon as it had weir's certificate for bank.test, twice in a "
          "short time, though it trusts the CA: it pins that host, which passes sealed for 30 min and is "
          "then tried again; --open bank.test opens it all the same, --seal bank.test always seals it" },
        { { REFUSAL_ALERT, 42, true, 90 * UINT64_C(1000000) },
          "10.0.0.1 refused weir's certificate for bank.test once more when it was tried again (alert "
          "bad_certificate), though it trusts the CA: it pins that host, which passes sealed for 90 s and "
          "is then tried again; --open bank.test opens it all the same, --seal bank.test always seals it" },
    };
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seal_text_add_learned(&text, "10.0.0.1", "bank.test", &rows[i].pin);
        assert_string_equal(strbuf_text(&text), rows[i].text);
        strbuf_reset(&text);
    }
    strbuf_clear(&text);
}

static void every_alert_that_seals_has_its_name(void **state)
{
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    for (unsigned alert = 1; alert < 256; alert++) {
        const struct pin pin = { REFUSAL_ALERT, alert, false, HOUR_US };
        bool has_name;
        seal_text_add_learned(&text, "10.0.0.1", "bank.test", &pin);
        has_name = strstr(strbuf_text(&text), "(alert about the certificate)") == NULL;
        assert_int_equal(has_name, refusal_of_end(alert, 0, false) == REFUSAL_ALERT);
        strbuf_reset(&text);
    }
    strbuf_clear(&text);
}

static void a_host_that_a_person_sealed_is_told_with_the_rule(void **state)
{
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    seal_text_add_asked(&text, "x.bank.test", ".bank.test:443");
    assert_string_equal(strbuf_text(&text), "x.bank.test passes sealed, as --seal .bank.test:443 wants it; "
                                            "--open x.bank.test makes an exception");
    strbuf_clear(&text);
}

static void a_client_that_does_not_trust_us_is_told_what_to_do(void **state)
{
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    seal_text_add_untrusted(&text, "10.0.0.1");
    assert_string_equal(strbuf_text(&text),
                        "10.0.0.1 does not trust weir's CA: on this machine run 'weir ca trust', on a phone "
                        "open http://weir.test/ through the proxy");
    strbuf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pinned_host_is_told_with_reason_time_and_remedy),
        cmocka_unit_test(every_alert_that_seals_has_its_name),
        cmocka_unit_test(a_host_that_a_person_sealed_is_told_with_the_rule),
        cmocka_unit_test(a_client_that_does_not_trust_us_is_told_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
