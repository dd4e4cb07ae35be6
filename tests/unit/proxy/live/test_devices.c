#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "proxy/live/devices.h"

static void a_device_is_trusted_once_it_has_accepted(void **state)
{
    struct devices *devices = devices_new();

    (void)state;
    assert_false(devices_trusts(devices, "10.0.0.1"));
    assert_true(devices_accepted(devices, "10.0.0.1"));
    assert_false(devices_accepted(devices, "10.0.0.1")); /* no news */
    assert_true(devices_trusts(devices, "10.0.0.1"));
    assert_false(devices_trusts(devices, "10.0.0.2"));
    devices_free(devices);
}

static void a_device_that_does_not_trust_us_is_news_once(void **state)
{
    struct devices *devices = devices_new();

    (void)state;
    assert_true(devices_refused(devices, "10.0.0.1"));
    assert_false(devices_refused(devices, "10.0.0.1"));
    assert_true(devices_refused(devices, "10.0.0.2"));
    devices_accepted(devices, "10.0.0.3");
    assert_false(devices_refused(devices, "10.0.0.3")); /* it trusts us: this host is pinned */
    assert_false(devices_trusts(devices, "10.0.0.1"));
    devices_free(devices);
}

static void the_longest_unseen_are_forgotten(void **state)
{
    struct devices *devices = devices_new();
    char address[32];

    (void)state;
    devices_accepted(devices, "first");
    devices_accepted(devices, "second");
    for (unsigned i = 0; i < 4095; i++) {
        snprintf(address, sizeof address, "10.%u.%u.1", i / 256, i % 256);
        devices_accepted(devices, address);
        if (i == 0)
            devices_accepted(devices, "first"); /* seen again */
    }
    assert_true(devices_trusts(devices, "first"));
    assert_false(devices_trusts(devices, "second"));
    devices_free(devices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_trusted_once_it_has_accepted),
        cmocka_unit_test(a_device_that_does_not_trust_us_is_news_once),
        cmocka_unit_test(the_longest_unseen_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
