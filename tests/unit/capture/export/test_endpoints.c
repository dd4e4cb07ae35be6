#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/endpoints.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

#define OK_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
#define USER    "{\"id\":1,\"name\":\"x\",\"mail\":\"y\",\"since\":\"z\"}"

static void get(struct fake_source *fake, const char *target)
{
    char *request = mem_printf("GET %s HTTP/1.1\r\n\r\n", target);

    fake_source_add(fake, "https://shop.test", span_of(request), SPAN(OK_JSON USER));
    mem_free(request);
}

static struct fake_source *fake_shop(void)
{
    struct fake_source *fake = fake_source_new();

    get(fake, "/users/48213");
    get(fake, "/users/ann");
    get(fake, "/users/me");
    get(fake, "/users/bob");
    fake_source_add(fake, "https://shop.test",
                    SPAN("POST /users HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"x\"}"),
                    SPAN("HTTP/1.1 201 Created\r\n\r\n"));
    return fake;
}

static void exchanges_of_one_endpoint_are_found(void **state)
{
    struct fake_source *fake = fake_shop();
    const struct export_source *source = fake_source_reader(fake);
    struct dedup_options options = { .max_examples = 5 };
    struct template *template = template_new();
    struct template_path path = { .count = 0 };
    struct strbuf text = STRBUF_EMPTY;
    const struct record *record;
    struct dedup *dedup;
    struct err err;

    (void)state;
    assert_true(endpoints_find(source, template, &options, &dedup, &err));
    assert_int_equal(dedup_count(dedup), 3);
    assert_int_equal(dedup_item(dedup, 0)->seq, 4);
    assert_int_equal(dedup_item(dedup, 0)->count, 3);
    assert_true(source->at(source->self, 4, &record, &err));
    assert_true(endpoints_identify(source, template, record, &path, &text, &err));
    assert_string_equal(strbuf_text(&text), "GET shop.test:443 /users/:userId ? auth=none body=none");
    assert_int_equal(path.variables[0].value.len, 3);
    strbuf_clear(&text);
    template_path_clear(&path);
    dedup_free(dedup);
    template_free(template);
    fake_source_free(fake);
}

static void a_broken_store_is_told(void **state)
{
    struct fake_source *fake = fake_shop();
    struct dedup_options options = { .max_examples = 5 };
    struct template *template = template_new();
    struct dedup *dedup;
    struct err err;

    (void)state;
    fake_source_break(fake);
    assert_false(endpoints_find(fake_source_reader(fake), template, &options, &dedup, &err));
    assert_int_equal(err.code, ERR_STORE);
    template_free(template);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_of_one_endpoint_are_found),
        cmocka_unit_test(a_broken_store_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
