#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/template.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/golden.h"

#define HOST SPAN("api.shop.test")

/* A path and what it was answered with; NULL: no JSON. */
struct sight {
    const char *path, *answer;
};

static const char user[] = "{\"id\":1,\"name\":\"x\",\"mail\":\"y\",\"since\":\"z\"}";
static const char order[] = "{\"id\":1,\"lines\":[{\"sku\":\"x\",\"count\":2}]}";
static const char listing[] = "{\"data\":[],\"next\":null,\"total\":0,\"page\":1}";

static void see(struct template *template, const char *path, int status, const char *answer)
{
    struct json_shape shape;
    bool has_shape = answer != NULL && json_shape_of(span_of(answer), false, &shape);

    template_see(template, HOST, 443, span_of(path), status, has_shape ? &shape : NULL);
}

static struct template *template_with(const struct sight *sights, size_t count)
{
    struct template *template = template_new();

    for (size_t i = 0; i < count; i++)
        see(template, sights[i].path, 200, sights[i].answer);
    template_settle(template);
    return template;
}
#define TEMPLATE_WITH(sights) template_with(sights, sizeof(sights) / sizeof(*(sights)))

static void assert_path_at(const struct template *template, struct span host, uint16_t port, const char *path,
                           const char *expected)
{
    struct template_path templated = { .count = 0 };

    template_path_of(template, host, port, span_of(path), &templated);
    if (strcmp(strbuf_text(&templated.text), expected) != 0)
        fail_msg("'%s' is '%s', not '%s'", path, strbuf_text(&templated.text), expected);
    template_path_clear(&templated);
}

static void assert_path(const struct template *template, const char *path, const char *expected)
{
    assert_path_at(template, HOST, 443, path, expected);
}

static void values_become_variables_named_for_what_is_above(void **state)
{
    struct template *template = template_with(NULL, 0);

    (void)state;
    assert_path(template, "/v1/users/48213/orders/018f3c1a-0000-7000-8000-000000000001",
                "/v1/users/:userId/orders/:orderId");
    assert_path(template, "/people/48213", "/people/:personId");
    assert_path(template, "/users/jane%40shop.test", "/users/:userEmail");
    assert_path(template, "/reports/2026-11-21", "/reports/:reportDate");
    assert_path(template, "/users/48213/99999", "/users/:userId/:userId2");
    assert_path(template, "/users/48213/users/48214", "/users/:userId/users/:userId2");
    assert_path(template, "/v2/48213", "/v2/:id");
    assert_path(template, "/48213/v2/48213/", "/:id/v2/:id2/");
    assert_path(template, "/emails/jane%40shop.test", "/emails/:email");
    assert_path(template, "/line-items/48213", "/line-items/:lineItemId");
    assert_path(template, "/img/9f86d081884c7d.png", "/img/9f86d081884c7d.png");
    assert_path(template, "/:odd/x", "/%3Aodd/x");
    assert_path(template, "/", "/");
    assert_path(template, "//", "//");
    assert_path(template, "*", "*");
    assert_path(template, "", "");
    template_free(template);
}

static void variables_tell_their_value_and_why(void **state)
{
    static const struct sight sights[] = { { "/users/7", user },
                                           { "/users/12", user },
                                           { "/users/12", user } };
    struct template *template = TEMPLATE_WITH(sights);
    struct template_path path = { .count = 0 };

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        template_path_of(template, HOST, 443, SPAN("/users/12/keys/b%2F1b%2F1b%2F1b%2F12345678"), &path);
        assert_int_equal(path.count, 1);
        assert_string_equal(path.variables[0].name, "userId");
        assert_memory_equal(path.variables[0].value.ptr, "12/", 3);
        assert_int_equal(path.variables[0].value.len, 2);
        assert_int_equal(path.variables[0].values, 2);
        assert_string_equal(path.variables[0].why, "2 integers below a plural");
    }
    template_path_clear(&path);
    template_free(template);
}

static void a_small_integer_needs_a_second_or_a_plural(void **state)
{
    static const struct sight sights[] = {
        { "/page/2", NULL },   { "/chapter/1", NULL }, { "/chapter/2", NULL },
        { "/orders/7", NULL }, { "/box/3", NULL },     { "/box/48213", NULL },
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/page/2", "/page/2");
    assert_path(template, "/chapter/1", "/chapter/:chapterId");
    assert_path(template, "/chapter/99", "/chapter/:chapterId");
    assert_path(template, "/orders/7", "/orders/:orderId");
    assert_path(template, "/box/3", "/box/:boxId");
    template_free(template);
}

static void four_words_answered_alike_are_values(void **state)
{
    static const struct sight sights[] = {
        { "/users/ann", user },         { "/users/bob", user }, { "/users/cat", user },
        { "/users/dan", user },         { "/users/eve", user }, { "/users/export", listing },
        { "/users/ann/orders", order }, { "/users/me", user },  { "/users", listing },
        { "/shops/a", user },           { "/shops/b", user },   { "/shops/c", user },
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/users/ann", "/users/:userId");
    assert_path(template, "/users/ann/orders", "/users/:userId/orders");
    assert_path(template, "/users/export", "/users/export");
    assert_path(template, "/users/me", "/users/me");
    assert_path(template, "/users/somebody", "/users/:userId");
    assert_path(template, "/shops/a", "/shops/a");
    template_free(template);
}

static void answers_that_tell_nothing_make_no_values(void **state)
{
    static const struct sight sights[] = {
        { "/auth/login", "{\"ok\":true}" },
        { "/auth/logout", "{\"ok\":true}" },
        { "/auth/refresh", "{\"ok\":true}" },
        { "/auth/verify", "{\"ok\":true}" },
        { "/about", NULL },
        { "/contact", NULL },
        { "/imprint", NULL },
        { "/terms", NULL },
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/auth/login", "/auth/login");
    assert_path(template, "/about", "/about");
    template_free(template);
}

static void failed_answers_make_no_values(void **state)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    struct template *template = template_new();
    char path[16];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "/x/%s", names[i]);
        see(template, path, 404, user);
    }
    template_settle(template);
    assert_path(template, "/x/a", "/x/a");
    template_free(template);
}

static void collections_and_methods_that_answer_alike_keep_their_names(void **state)
{
    static const struct sight sights[] = {
        { "/api/tags", user },
        { "/api/brands", user },
        { "/api/labels", user },
        { "/api/colors", user },
        { "/rpc/save", user },
        { "/rpc/drop", user },
        { "/rpc/ping", user },
        { "/rpc/move", user },
        { "/rpc/read", order },
        { "/rpc/find", listing },
        { "/rpc/look", "{\"a\":1,\"b\":1,\"c\":1,\"d\":1}" },
        { "/rpc/info", "{\"a\":1,\"b\":1,\"c\":1,\"e\":1}" },
        { "/rpc/more", "{\"a\":1,\"b\":1,\"c\":1,\"f\":1}" },
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/api/tags", "/api/tags");
    assert_path(template, "/rpc/save", "/rpc/save");
    template_free(template);
}

static void a_word_answered_like_the_values_beside_it_is_one(void **state)
{
    static const struct sight sights[] = { { "/users/48213", user },
                                           { "/users/octocat", user },
                                           { "/users/stats", listing } };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/users/octocat", "/users/:userId");
    assert_path(template, "/users/stats", "/users/stats");
    template_free(template);
}

static void words_that_lead_to_the_same_subtree_are_values(void **state)
{
    static const struct sight sights[] = {
        { "/repos/ann/orders", order }, { "/repos/bob/orders", order }, { "/repos/cat/orders", order },
        { "/repos/dan/orders", order }, { "/api/ann/x", order },        { "/api/bob/y", user },
        { "/api/cat/z", listing },      { "/api/dan/w", order },
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/repos/ann/orders", "/repos/:repoId/orders");
    assert_path(template, "/api/ann/x", "/api/ann/x");
    template_free(template);
}

static void see_pages(struct template *template, const char *parent, unsigned count, const char *answer)
{
    char path[64];

    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "/%s/topic-%c%c%c", parent, 'a' + (int)(i / 676),
                 'a' + (int)(i / 26 % 26), 'a' + (int)(i % 26));
        see(template, path, 200, answer);
    }
}

static void very_many_words_are_values(void **state)
{
    struct template *template = template_new();

    (void)state;
    see_pages(template, "wiki", TEMPLATE_MANY_PAGES, NULL);
    see_pages(template, "blog", TEMPLATE_MANY_PAGES - 1, NULL);
    see_pages(template, "tag", TEMPLATE_MAX_WORDS + 1, "{}");
    see_pages(template, "log", TEMPLATE_MAX_WORDS, "{}");
    template_settle(template);
    assert_path(template, "/wiki/topic-aaa", "/wiki/:wikiId");
    assert_path(template, "/blog/topic-aaa", "/blog/topic-aaa");
    assert_path(template, "/tag/topic-aaa", "/tag/:tagId");
    assert_path(template, "/log/topic-aaa", "/log/topic-aaa");
    template_free(template);
}

static void hosts_do_not_learn_from_each_other(void **state)
{
    static const struct sight sights[] = {
        { "/users/ann", user }, { "/users/bob", user }, { "/users/cat", user }, { "/users/dan", user }
    };
    struct template *template = TEMPLATE_WITH(sights);

    (void)state;
    assert_path(template, "/users/ann", "/users/:userId");
    assert_path_at(template, SPAN("other.test"), 443, "/users/ann", "/users/ann");
    assert_path_at(template, HOST, 8443, "/users/ann", "/users/ann");
    template_free(template);
}

static void overrides_know_better(void **state)
{
    static const char *const texts[] = {
        "/files/:path/raw", "api.shop.test/users/:login/**", "/orders/48213", "other.test:8080/x/:name",
        "/dates/*/:when",
    };
    struct template *template = template_new();
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (!template_add_override(template, texts[i], &err))
            fail_msg("%s", err.text);
    see(template, "/users/ann", 200, user);
    template_settle(template);
    assert_path(template, "/files/readme/raw", "/files/:path/raw");
    assert_path(template, "/files/readme/rawer", "/files/readme/rawer");
    assert_path(template, "/users/ann", "/users/:login");
    assert_path(template, "/users/export/48213/x", "/users/:login/:userId/x");
    assert_path(template, "/orders/48213", "/orders/48213");
    assert_path(template, "/orders/48214", "/orders/:orderId");
    assert_path(template, "/x/y", "/x/y");
    assert_path_at(template, SPAN("other.test"), 8080, "/x/y", "/x/:name");
    assert_path_at(template, SPAN("other.test"), 80, "/x/y", "/x/y");
    assert_path(template, "/dates/48213/now", "/dates/:dateId/:when");
    template_free(template);
}

static void a_wrong_override_is_refused(void **state)
{
    static const char *const texts[] = {
        "",           "users", "/a/**/b",          "/:",   "/:a-b", "/:1a",
        "bad host/x", "a:0/x", "https://a.test/x", "/x?y", "/{id}",
    };
    struct template *template = template_new();
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (template_add_override(template, texts[i], &err))
            fail_msg("'%s' is taken", texts[i]);
        assert_int_not_equal(err.code, ERR_NONE);
    }
    template_free(template);
}

static void only_note_unused(void *self, const char *text)
{
    strbuf_printf(self, "%s\n", text);
}

static void overrides_that_fit_no_path_are_told(void **state)
{
    static const char *const texts[] = { "/users/:login", "users/:login", "/users/:name",
                                         "api.shop.test/:any/**" };
    struct template *template = template_new();
    struct strbuf unused = STRBUF_EMPTY;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_true(template_add_override(template, texts[i], &err));
    see(template, "/users/ann", 200, user);
    see(template, "/other", 200, user);
    template_each_unused(template, only_note_unused, &unused);
    assert_string_equal(strbuf_text(&unused), "users/:login\n/users/:name\n");
    strbuf_clear(&unused);
    template_free(template);
}

static void switched_off_only_overrides_make_variables(void **state)
{
    struct template *template = template_new();
    struct err err;

    (void)state;
    template_switch_off(template);
    assert_true(template_add_override(template, "/users/:name", &err));
    see(template, "/users/48213", 200, user);
    see(template, "/orders/48213", 200, user);
    template_settle(template);
    assert_path(template, "/users/48213", "/users/:name");
    assert_path(template, "/orders/48213", "/orders/48213");
    template_free(template);
}

/* --- order and size ------------------------------------------------------------------------------------ */

static void add_line(void *self, const char *line)
{
    strbuf_add_str(self, line);
    strbuf_add_char(self, '\n');
}

static const struct sight world[] = {
    { "/v1/users", listing },
    { "/v1/users/ann", user },
    { "/v1/users/bob", user },
    { "/v1/users/cat", user },
    { "/v1/users/dan", user },
    { "/v1/users/7", user },
    { "/v1/users/export", listing },
    { "/v1/users/me", user },
    { "/v1/users/ann/orders/1", order },
    { "/v1/users/ann/orders/20260", order },
    { "/v1/users/bob/orders/3", order },
    { "/v1/users/bob/orders/open", listing },
    { "/v1/users/cat/orders/late", order },
    { "/v1/files/cus_9s6XKzkNRiz8i3", NULL },
    { "/v1/files/readme.txt", NULL },
    { "/v1/page/2", NULL },
    { "/v1/chapter/2", NULL },
    { "/v1/chapter/3", NULL },
    { "/repos/ann/widgets/issues", order },
    { "/repos/ann/gears/issues", order },
    { "/repos/bob/wheels/issues", order },
    { "/repos/bob/axles/issues", order },
    { "/mail/jane%40shop.test", user },
    { "/days/2026-11-21", listing },
    { "/assets/app.js", NULL },
    { "/", NULL },
};
#define WORLD_COUNT (sizeof(world) / sizeof(*world))

static char *explain_world(const size_t *order_of)
{
    struct template *template = template_new();
    struct template_path path = { .count = 0 };
    struct strbuf text = STRBUF_EMPTY;

    for (size_t i = 0; i < WORLD_COUNT; i++)
        see(template, world[order_of[i]].path, 200, world[order_of[i]].answer);
    template_settle(template);
    template_explain(template, add_line, &text);
    strbuf_add_char(&text, '\n');
    for (size_t i = 0; i < WORLD_COUNT; i++) {
        template_path_of(template, HOST, 443, span_of(world[i].path), &path);
        strbuf_add(&text, strbuf_span(&path.text));
        strbuf_add_char(&text, '\n');
    }
    template_path_clear(&path);
    template_free(template);
    return strbuf_detach(&text);
}

static void decisions_are_explained(void **state)
{
    size_t order_of[WORLD_COUNT];
    char *text;

    (void)state;
    for (size_t i = 0; i < WORLD_COUNT; i++)
        order_of[i] = i;
    text = explain_world(order_of);
    golden_compare(text, "tests/unit/capture/export/golden/template.txt");
    mem_free(text);
}

static void the_order_of_exchanges_makes_no_difference(void **state)
{
    size_t order_of[WORLD_COUNT];
    char *first, *text;
    unsigned seed = 7;

    (void)state;
    for (size_t i = 0; i < WORLD_COUNT; i++)
        order_of[i] = i;
    first = explain_world(order_of);
    for (int round = 0; round < 200; round++) {
        for (size_t i = WORLD_COUNT; i > 1; i--) {
            size_t other = (size_t)rand_r(&seed) % i, kept = order_of[i - 1];

            order_of[i - 1] = order_of[other];
            order_of[other] = kept;
        }
        text = explain_world(order_of);
        assert_string_equal(text, first);
        mem_free(text);
    }
    mem_free(first);
}

#define CROWD 120

static char *explain_random(const struct sight *sights, const size_t *order_of)
{
    struct template *template = template_new();
    struct template_path path = { .count = 0 };
    struct strbuf text = STRBUF_EMPTY;

    for (size_t i = 0; i < CROWD; i++)
        see(template, sights[order_of[i]].path, 200, sights[order_of[i]].answer);
    template_settle(template);
    template_explain(template, add_line, &text);
    for (size_t i = 0; i < CROWD; i++) {
        template_path_of(template, HOST, 443, span_of(sights[i].path), &path);
        strbuf_add(&text, strbuf_span(&path.text));
        strbuf_add_char(&text, '\n');
    }
    template_path_clear(&path);
    template_free(template);
    return strbuf_detach(&text);
}

static void nor_does_it_in_worlds_made_by_chance(void **state)
{
    static const char *const segments[] = {
        "users", "ann", "bob", "cat",   "dan",   "eve", "orders", "box",
        "1",     "2",   "7",   "48213", "48214", "me",  "v1",     "export"
    };
    static const char *const answers[] = { user, order, listing, NULL };
    struct sight sights[CROWD];
    size_t order_of[CROWD];
    unsigned seed = 23;

    (void)state;
    for (int world_number = 0; world_number < 60; world_number++) {
        char *first = NULL, *text;

        for (size_t i = 0; i < CROWD; i++) {
            struct strbuf path = STRBUF_EMPTY;

            for (int depth = 1 + rand_r(&seed) % 4; depth > 0; depth--)
                strbuf_printf(&path, "/%s", segments[(unsigned)rand_r(&seed) % 16]);
            sights[i] = (struct sight){ strbuf_detach(&path), answers[(unsigned)rand_r(&seed) % 4] };
            order_of[i] = i;
        }
        for (int round = 0; round < 6; round++) {
            text = explain_random(sights, order_of);
            if (first != NULL) {
                assert_string_equal(text, first);
                mem_free(text);
            } else {
                first = text;
            }
            for (size_t i = CROWD; i > 1; i--) {
                size_t other = (size_t)rand_r(&seed) % i, kept = order_of[i - 1];

                order_of[i - 1] = order_of[other];
                order_of[other] = kept;
            }
        }
        mem_free(first);
        for (size_t i = 0; i < CROWD; i++)
            mem_free((char *)sights[i].path);
    }
}

/* Words of many kinds, more than there is room for, in both directions. */
static char *explain_crowd(bool is_backwards)
{
    const unsigned count = 3 * TEMPLATE_MAX_WORDS;
    struct template *template = template_new();
    struct strbuf text = STRBUF_EMPTY;
    char path[80];

    for (unsigned n = 0; n < count; n++) {
        unsigned i = is_backwards ? count - 1 - n : n;

        snprintf(path, sizeof(path), "/w%c/x-%c%c%c/%u", 'a' + (int)(i % 2), 'a' + (int)(i / 676 % 26),
                 'a' + (int)(i / 26 % 26), 'a' + (int)(i % 26), i % 3);
        see(template, path, 200, i % 2 != 0 ? user : order);
        snprintf(path, sizeof(path), "/wa/y/z-%c%c%c", 'a' + (int)(i / 676 % 26), 'a' + (int)(i / 26 % 26),
                 'a' + (int)(i % 26));
        see(template, path, 200, order);
    }
    template_settle(template);
    template_explain(template, add_line, &text);
    template_free(template);
    return strbuf_detach(&text);
}

static void early_decisions_do_not_depend_on_the_order_either(void **state)
{
    char *forwards = explain_crowd(false), *backwards = explain_crowd(true);

    (void)state;
    assert_string_equal(forwards, backwards);
    assert_non_null(strstr(forwards, "too many"));
    mem_free(forwards);
    mem_free(backwards);
}

static void the_number_of_values_is_estimated_well(void **state)
{
    struct template *template = template_new();
    struct template_path path = { .count = 0 };
    char text[32];

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof(text), "/items/%u", 100000 + i);
        see(template, text, 404, NULL);
    }
    template_settle(template);
    template_path_of(template, HOST, 443, SPAN("/items/123456"), &path);
    assert_in_range(path.variables[0].values, 80000, 120000);
    template_path_clear(&path);
    template_free(template);
}

static void a_hundred_thousand_odd_paths_are_taken_in_time(void **state)
{
    struct template *template = template_new();
    uint64_t begin = clock_mono_us();
    char path[128];
    unsigned seed = 3;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(path, sizeof(path), "/a%u/%u/b-%u/item-%x/%08x-0000-7000-8000-000000000001", i % 7, i,
                 rand_r(&seed) % 5000, rand_r(&seed), i);
        see(template, path, 200, i % 2 != 0 ? user : order);
    }
    template_settle(template);
    print_message("100000 odd paths: %llu ms\n", (unsigned long long)(clock_mono_us() - begin) / 1000);
    assert_path(template, "/a1/8/b-9/item-7/00000000-0000-7000-8000-000000000001",
                "/:id/:id2/:id3/:id4/:id5");
    template_free(template);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_variables_named_for_what_is_above),
        cmocka_unit_test(variables_tell_their_value_and_why),
        cmocka_unit_test(a_small_integer_needs_a_second_or_a_plural),
        cmocka_unit_test(four_words_answered_alike_are_values),
        cmocka_unit_test(answers_that_tell_nothing_make_no_values),
        cmocka_unit_test(failed_answers_make_no_values),
        cmocka_unit_test(collections_and_methods_that_answer_alike_keep_their_names),
        cmocka_unit_test(a_word_answered_like_the_values_beside_it_is_one),
        cmocka_unit_test(words_that_lead_to_the_same_subtree_are_values),
        cmocka_unit_test(very_many_words_are_values),
        cmocka_unit_test(hosts_do_not_learn_from_each_other),
        cmocka_unit_test(overrides_know_better),
        cmocka_unit_test(a_wrong_override_is_refused),
        cmocka_unit_test(overrides_that_fit_no_path_are_told),
        cmocka_unit_test(switched_off_only_overrides_make_variables),
        cmocka_unit_test(decisions_are_explained),
        cmocka_unit_test(the_order_of_exchanges_makes_no_difference),
        cmocka_unit_test(nor_does_it_in_worlds_made_by_chance),
        cmocka_unit_test(early_decisions_do_not_depend_on_the_order_either),
        cmocka_unit_test(the_number_of_values_is_estimated_well),
        cmocka_unit_test(a_hundred_thousand_odd_paths_are_taken_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
