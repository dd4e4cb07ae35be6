#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/partition.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

static void assert_partition(const char *origin, const char *fields, const char *site, bool is_embedded)
{
    struct fake_source *fake = fake_source_new();
    char *request = mem_printf("GET / HTTP/1.1\r\n%s\r\n", fields);
    const struct record *record = fake_source_add(fake, origin, span_of(request), SPAN_NONE);
    struct partition partition;

    partition_init(&partition, record);
    assert_string_equal(strbuf_text(&partition.top_site), site);
    assert_int_equal(partition.has_cross_site_ancestor, is_embedded);
    partition_clear(&partition);
    mem_free(request);
    fake_source_free(fake);
}

static void a_page_of_the_address_bar_is_its_own_site(void **state)
{
    (void)state;
    assert_partition(
        "https://www.shop.test:8443",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: document\r\nReferer: https://news.test/\r\n",
        "https://shop.test", false);
    assert_partition("https://a.b.co.uk", "Sec-Fetch-Site: none\r\n", "https://b.co.uk", false);
    assert_partition("http://localhost", "Sec-Fetch-Site: none\r\n", "http://localhost", false);
    assert_partition("https://127.0.0.1:1", "Sec-Fetch-Site: none\r\n", "https://127.0.0.1", false);
    assert_partition("https://[::1]:1", "Sec-Fetch-Site: none\r\n", "https://[::1]", false);
}

static void what_a_site_asks_of_itself_is_its_own(void **state)
{
    (void)state;
    assert_partition("https://api.shop.test",
                     "Sec-Fetch-Site: same-site\r\nReferer: https://www.shop.test/\r\n", "https://shop.test",
                     false);
    /* A client that is no browser of today. */
    assert_partition("https://api.shop.test", "Origin: https://www.shop.test\r\n", "https://shop.test",
                     false);
}

static void what_is_embedded_belongs_to_the_site_around_it(void **state)
{
    (void)state;
    assert_partition("https://chat.widget.test",
                     "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: iframe\r\n"
                     "Referer: https://www.shop.test:444/cart\r\nOrigin: https://other.test\r\n",
                     "https://shop.test", true);
    assert_partition("https://chat.widget.test",
                     "Sec-Fetch-Site: cross-site\r\nOrigin: http://www.shop.test\r\n", "http://shop.test",
                     true);
    assert_partition("https://chat.widget.test", "Referer: https://www.shop.test/\r\n", "https://shop.test",
                     true);
}

static void what_does_not_say_where_it_is_stays_unknown(void **state)
{
    (void)state;
    assert_partition("https://widget.test",
                     "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Storage-Access: none\r\n"
                     "Referer: https://widget.test/\r\n",
                     "", false);
    assert_partition("https://widget.test", "", "", false);
    assert_partition("https://widget.test", "Sec-Fetch-Site: cross-site\r\nOrigin: null\r\n", "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_the_address_bar_is_its_own_site),
        cmocka_unit_test(what_a_site_asks_of_itself_is_its_own),
        cmocka_unit_test(what_is_embedded_belongs_to_the_site_around_it),
        cmocka_unit_test(what_does_not_say_where_it_is_stays_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
