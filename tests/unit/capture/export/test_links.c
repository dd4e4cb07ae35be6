#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "capture/export/export.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

#define SHOP       "https://api.shop.test"
#define TOKEN      "tok4f9aC0ffee77Beef42Zq"
#define OTHER      "tokB81d2aa09c3e5f7164Kx"
#define JSON(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" body
#define OK         JSON("{\"ok\":true}")

static struct fake_source *fake;

static int make_source(void **state)
{
    (void)state;
    fake = fake_source_new();
    return 0;
}

static int free_source(void **state)
{
    (void)state;
    fake_source_free(fake);
    return 0;
}

static void begin_again(void)
{
    fake_source_free(fake);
    fake = fake_source_new();
}

/* head: "GET /a" and fields, each line ended by "\r\n"; the empty line comes here. */
static struct record *add(const char *head, const char *body, const char *response)
{
    char *request = mem_printf("%s\r\n%s", head, body);
    struct record *record = fake_source_add(fake, SHOP, span_of(request), span_of(response));

    mem_free(request);
    return record;
}

static json_t *exported_as(enum export_group group, enum export_secrets secrets, bool links)
{
    struct export_options options = { .format = export_find_format("collection"),
                                      .group = group,
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES,
                                      .secrets = secrets,
                                      .links = links };
    char *text = fake_source_export_as(fake, &options);
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);

    if (document == NULL)
        fail_msg("line %d: %s\n%s", error.line, error.text, text);
    free(text);
    return document;
}

static json_t *exported(void)
{
    return exported_as(EXPORT_CHRONOLOGICAL, EXPORT_SECRETS_ENV, true);
}

/* Items in order, folders opened: appended to list. */
static void open_items(json_t *of, json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach (json_object_get(of, "item"), i, item) {
        if (json_object_get(item, "item") != NULL)
            open_items(item, list);
        else
            json_array_append(list, item);
    }
}

static json_t *item_at(json_t *document, size_t i)
{
    json_t *list = json_array(), *item;

    open_items(document, list);
    item = json_array_get(list, i);
    assert_non_null(item);
    json_decref(list);
    return item; /* the document's */
}

static char *text_of(json_t *value)
{
    return value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : strdup("");
}

static bool is_in(json_t *value, const char *text)
{
    char *all = text_of(value);
    bool is = strstr(all, text) != NULL;

    free(all);
    return is;
}

static void assert_has(json_t *value, const char *text)
{
    char *all = text_of(value);

    if (strstr(all, text) == NULL)
        fail_msg("there is no\n%s\nin\n%s", text, all);
    free(all);
}

static void assert_hasnt(json_t *value, const char *text)
{
    char *all = text_of(value);

    if (strstr(all, text) != NULL)
        fail_msg("there is\n%s\nin\n%s", text, all);
    free(all);
}

static json_t *script(json_t *document, size_t i)
{
    return json_object_get(item_at(document, i), "event");
}

static json_t *request(json_t *document, size_t i)
{
    return json_object_get(item_at(document, i), "request");
}

static bool is_linked(void)
{
    json_t *document = exported();
    bool is = is_in(document, "issued(");

    json_decref(document);
    return is;
}

/* --- what issues a value, and what carries it ---------------------------------------------------------- */

static void a_token_is_set_by_what_issued_it_and_used_by_what_carries_it(void **state)
{
    json_t *document;

    (void)state;
    add("POST /login HTTP/1.1\r\n", "", JSON("{\"data\":{\"access_token\":\"" TOKEN "\"}}"));
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    document = exported();
    assert_has(script(document, 0), "issued(() => pm.response.json().data.access_token, (value) => {");
    assert_has(script(document, 0), "pm.environment.set(\\\"apiShopAccessToken\\\", value);");
    assert_has(request(document, 1), "\"value\":\"{{apiShopAccessToken}}\"");
    assert_null(script(document, 1));
    json_decref(document);
}

static void every_way_to_issue_a_value_is_read_again(void **state)
{
    static const struct {
        const char *response, *value, *read;
    } cases[] = {
        { JSON("[{\"a\":[1,{\"odd-key\":\"" TOKEN "\"}]}]"), TOKEN,
          "pm.response.json()[0].a[1][\\\"odd-key\\\"]" },
        { JSON("\"" TOKEN "\""), TOKEN, "issued(() => pm.response.json()," },
        { JSON("{\"t\":\"ab\\/cd\\u002b1234567890\"}"), "ab/cd+1234567890", "pm.response.json().t," },
        { "HTTP/1.1 200 OK\r\nX-CSRF-Token: " TOKEN "\r\n\r\n", TOKEN,
          "pm.response.headers.get(\\\"X-CSRF-Token\\\")," },
        { "HTTP/1.1 200 OK\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", TOKEN,
          "pm.response.headers.get(\\\"Authorization\\\").split(\\\" \\\").pop()" },
        { "HTTP/1.1 200 OK\r\nSet-Cookie: XSRF-TOKEN=ab%2Fcd%2B1234567890; Path=/\r\n\r\n",
          "ab/cd+1234567890", "issued(() => pm.cookies.get(\\\"XSRF-TOKEN\\\")" },
        { "HTTP/1.1 200 OK\r\nSet-Cookie: XSRF-TOKEN=ab%2Fcd%2B1234567890; Path=/\r\n\r\n",
          "ab%2Fcd%2B1234567890", "encodeURIComponent(pm.cookies.get(\\\"XSRF-TOKEN\\\"))" },
        { "HTTP/1.1 201 Created\r\nLocation: https://a.test/things/" TOKEN "?x=1\r\n\r\n", TOKEN,
          "pm.response.headers.get(\\\"Location\\\").split(/[?#]/)[0].split(\\\"/\\\").pop()" },
        { "HTTP/1.1 302 Found\r\nLocation: https://a.test/cb?state=1&code=" TOKEN "\r\n\r\n", TOKEN,
          "decodeURIComponent(/(?:^|[?&#])code=([^&#]*)/"
          ".exec(pm.response.headers.get(\\\"Location\\\"))[1]" },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=b&oauth_token=" TOKEN,
          TOKEN, "/(?:^|[?&#])oauth_token=([^&#]*)/.exec(pm.response.text())[1]" },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<INPUT type=hidden value='x' name=_csrf>"
          "<input\nname=\"_csrf\" value=\"ab&#47;cd1234567890\"/>",
          "ab/cd1234567890",
          "require(\\\"cheerio\\\").load(pm.response.text())(\\\"input[name=\\\\\\\"_csrf\\\\\\\"]\\\").eq(1)"
          ".attr(\\\"value\\\")" },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta content=" TOKEN " name=csrf-token>", TOKEN,
          "(\\\"meta[name=\\\\\\\"csrf-token\\\\\\\"]\\\").attr(\\\"content\\\")" },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" TOKEN "\n", TOKEN,
          "pm.response.text().trim()" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *head = mem_printf("GET /next HTTP/1.1\r\nX-Token: %s\r\n", cases[i].value);
        json_t *document;

        begin_again();
        add("GET /first HTTP/1.1\r\n", "", cases[i].response);
        add(head, "", OK);
        document = exported();
        assert_has(script(document, 0), cases[i].read);
        assert_has(request(document, 1), "{\"key\":\"X-Token\",\"value\":\"{{");
        json_decref(document);
        mem_free(head);
    }
}

static void every_place_that_carries_a_value_has_its_variable(void **state)
{
    static const struct {
        const char *head, *body, *written;
    } cases[] = {
        { "GET /a HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", "\"value\":\"{{item}}\"" },
        { "GET /a HTTP/1.1\r\nX-Api-Key: " TOKEN "\r\n", "",
          "\"key\":\"value\",\"type\":\"string\",\"value\":\"{{item}}\"" },
        { "GET /a HTTP/1.1\r\nX-Auth: Token " TOKEN "\r\n", "", "\"value\":\"Token {{item}}\"" },
        { "GET /a?api_key=" TOKEN " HTTP/1.1\r\n", "", "\"value\":\"{{item}}\"" },
        { "GET /a?next=" TOKEN "&b=1 HTTP/1.1\r\n", "", "{\"key\":\"next\",\"value\":\"{{item}}\"}" },
        { "GET /things/" TOKEN " HTTP/1.1\r\n", "",
          "\"variable\":[{\"key\":\"thingId\",\"value\":\"{{thingId}}\"}]" },
        { "POST /a HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n", "a=1&b=" TOKEN,
          "{\"key\":\"b\",\"type\":\"text\",\"value\":\"{{item}}\"}" },
        { "POST /a HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X\r\n",
          "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" TOKEN "\r\n--X--\r\n",
          "\"value\":\"{{item}}\"" },
        { "POST /a HTTP/1.1\r\nContent-Type: application/json\r\n", "{\"a\":[{\"b\":\"" TOKEN "\"}]}",
          "\"raw\":\"{\\\"a\\\":[{\\\"b\\\":\\\"{{item}}\\\"}]}\"" },
        { "POST /a HTTP/1.1\r\nContent-Type: application/json\r\n",
          "{\"query\":\"{ a }\",\"variables\":{\"b\":\"" TOKEN "\"}}", "{\\\"b\\\":\\\"{{item}}\\\"}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *document;

        begin_again();
        add("GET /first HTTP/1.1\r\n", "", JSON("{\"item\":\"" TOKEN "\"}"));
        add(cases[i].head, cases[i].body, OK);
        document = exported_as(EXPORT_CHRONOLOGICAL, EXPORT_SECRETS_KEEP, true);
        assert_has(script(document, 0), "pm.collectionVariables.set(");
        assert_has(request(document, 1), cases[i].written);
        assert_has(json_object_get(document, "variable"), "\"value\":\"" TOKEN "\"");
        assert_hasnt(script(document, 0), TOKEN);
        assert_hasnt(request(document, 1), TOKEN);
        json_decref(document);
    }
}

/* What a fresh value will have to be encoded as is not what the captured one was. */
static void a_variable_has_another_one_for_each_spelling(void **state)
{
    json_t *document;

    (void)state;
    add("GET /form HTTP/1.1\r\n", "", JSON("{\"csrf\":\"ab+/c\\\"d1234567890=\"}"));
    add("POST /a HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "text=a+b&csrf=ab%2B%2Fc%22d1234567890%3D", OK);
    add("POST /b HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "csrf=ab%2B%2Fc%22d1234567890%3D", OK);
    add("POST /c HTTP/1.1\r\nContent-Type: application/json\r\n", "{\"csrf\":\"ab+/c\\\"d1234567890=\"}", OK);
    document = exported();
    assert_has(script(document, 0), "pm.environment.set(\\\"apiShopCsrf\\\", value);");
    assert_has(script(document, 0),
               "pm.environment.set(\\\"apiShopCsrf_percent\\\", encodeURIComponent(value));");
    assert_has(script(document, 0),
               "pm.environment.set(\\\"apiShopCsrf_json\\\", JSON.stringify(value).slice(1, -1));");
    assert_has(request(document, 1), "\"raw\":\"text=a+b&csrf={{apiShopCsrf_percent}}\"");
    assert_has(request(document, 2), "\"value\":\"{{apiShopCsrf}}\"");
    assert_has(request(document, 3), "{\\\"csrf\\\":\\\"{{apiShopCsrf_json}}\\\"}");
    json_decref(document);
}

/* --- ids ----------------------------------------------------------------------------------------------- */

static void a_small_id_is_linked_where_its_path_or_name_says_what_it_is_of(void **state)
{
    json_t *document;

    (void)state;
    add("POST /v1/orders HTTP/1.1\r\n", "", JSON("{\"id\":7}"));
    add("GET /v1/users HTTP/1.1\r\n", "", JSON("{\"users\":[{\"id\":9},{\"id\":8}]}"));
    add("GET /v1/orders/7 HTTP/1.1\r\n", "", OK);
    add("GET /v1/users/8 HTTP/1.1\r\n", "", OK);
    add("POST /v1/bills HTTP/1.1\r\nContent-Type: application/json\r\n",
        "{\"order_id\":7,\"userId\":\"8\",\"count\":7,\"weight\":8}", OK);
    add("GET /v1/bills?count=7&orderId=7 HTTP/1.1\r\n", "", OK);
    add("GET /v1/users/7 HTTP/1.1\r\n", "", OK); /* a user that nobody issued */
    document = exported();
    assert_has(script(document, 0), "issued(() => pm.response.json().id, (value) => {");
    assert_has(script(document, 0), "pm.collectionVariables.set(\\\"orderId\\\", value)");
    assert_has(script(document, 1), "issued(() => pm.response.json().users[1].id, (value) => {");
    assert_has(request(document, 2), "\"key\":\"orderId\",\"value\":\"{{orderId}}\"");
    assert_has(request(document, 3), "\"key\":\"userId\",\"value\":\"{{userId}}\"");
    assert_has(
        request(document, 4),
        "{\\\"order_id\\\":{{orderId}},\\\"userId\\\":\\\"{{userId}}\\\",\\\"count\\\":7,\\\"weight\\\":8}");
    assert_has(request(document, 5),
               "{\"key\":\"count\",\"value\":\"7\"},{\"key\":\"orderId\",\"value\":\"{{orderId}}\"}");
    assert_has(request(document, 6), "\"value\":\"7\"");
    assert_has(json_object_get(document, "variable"),
               "{\"key\":\"orderId\",\"type\":\"string\",\"value\":\"7\"}");
    json_decref(document);
}

static void an_example_keeps_the_id_it_was_captured_with(void **state)
{
    json_t *document;

    (void)state;
    add("POST /v1/orders HTTP/1.1\r\n", "", JSON("{\"id\":7}"));
    add("GET /v1/orders/7 HTTP/1.1\r\n", "", JSON("{\"id\":7}"));
    document = exported();
    assert_has(json_object_get(item_at(document, 1), "response"), "\"path\":[\"v1\",\"orders\",\"7\"]");
    assert_hasnt(json_object_get(item_at(document, 1), "response"), "{{orderId}}");
    json_decref(document);
}

/* --- what is no link ----------------------------------------------------------------------------------- */

static void what_the_client_had_itself_is_no_link(void **state)
{
    static const char *const sent[] = {
        "GET /a HTTP/1.1\r\nX-Token: " TOKEN "\r\n",
        "PUT /things/" TOKEN " HTTP/1.1\r\n",
        "GET /a?token=" TOKEN " HTTP/1.1\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        begin_again();
        add(sent[i], "", JSON("{\"token\":\"" TOKEN "\"}")); /* an echo */
        add("GET /b HTTP/1.1\r\nX-Token: " TOKEN "\r\n", "", JSON("{\"token\":\"" TOKEN "\"}"));
        add("GET /c HTTP/1.1\r\nX-Token: " TOKEN "\r\n", "", OK);
        assert_false(is_linked());
    }
}

static void words_dates_addresses_and_large_numbers_are_no_links(void **state)
{
    static const char *const values[] = {
        "pending-payment",        "application/json",      "2026-11-22T05:02:40Z", "true", "zoe@shop.test12",
        "https://a.test/1234567", "a sentence of 3 words", "123456789012",         "en-US"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char *response = mem_printf(JSON("{\"value\":\"%s\"}"), values[i]);
        char *body = mem_printf("{\"value\":\"%s\"}", values[i]);

        begin_again();
        add("GET /a HTTP/1.1\r\n", "", response);
        add("POST /b HTTP/1.1\r\nContent-Type: application/json\r\n", body, OK);
        if (is_linked())
            fail_msg("'%s' is linked", values[i]);
        mem_free(response);
        mem_free(body);
    }
    begin_again();
    /* A script would read another one. */
    add("POST /orders HTTP/1.1\r\n", "", JSON("{\"id\":1234567890123456789}"));
    add("GET /orders/1234567890123456789 HTTP/1.1\r\n", "", OK);
    assert_false(is_linked());
}

static void cookies_are_the_jars_and_what_a_browser_adds_is_not_sent(void **state)
{
    (void)state;
    add("GET /a HTTP/1.1\r\n", "",
        "HTTP/1.1 200 OK\r\nSet-Cookie: sid=" TOKEN "\r\nETag: \"" OTHER "\"\r\n\r\n");
    add("GET /b HTTP/1.1\r\nCookie: sid=" TOKEN "\r\nIf-None-Match: \"" OTHER "\"\r\n"
        "Referer: https://api.shop.test/?a=" TOKEN "\r\n",
        "", OK);
    assert_false(is_linked());
}

static void a_body_that_is_not_what_it_began_as_issues_nothing(void **state)
{
    (void)state;
    add("GET /a HTTP/1.1\r\n", "", JSON("{\"token\":\"" TOKEN "\"} and more"));
    add("GET /b HTTP/1.1\r\nX-Token: " TOKEN "\r\n", "", OK);
    assert_false(is_linked());
}

static void a_later_response_issues_what_a_damaged_one_did_not(void **state)
{
    json_t *document;

    (void)state;
    add("GET /a HTTP/1.1\r\n", "", JSON("{\"token\":\"" TOKEN "\"} and more"));
    add("GET /b HTTP/1.1\r\n", "", JSON("{\"token\":\"" TOKEN "\"}"));
    add("GET /c HTTP/1.1\r\nX-Token: " TOKEN "\r\n", "", OK);
    document = exported();
    assert_null(script(document, 0));
    assert_has(script(document, 1), "pm.response.json().token");
    json_decref(document);
}

static void no_script_holds_a_secret(void **state)
{
    (void)state;
    add("POST /login HTTP/1.1\r\nContent-Type: application/json\r\n", "{\"password\":\"c0rrect-Horse-77\"}",
        JSON("{\"c0rrect-Horse-77\":{\"it\":\"" TOKEN "\"}}"));
    add("GET /b HTTP/1.1\r\nX-It: " TOKEN "\r\n", "", OK);
    assert_false(is_linked());
}

static void a_faithful_collection_and_one_without_links_have_none(void **state)
{
    struct export_options options = { .format = export_find_format("collection"),
                                      .profile = EXPORT_FAITHFUL,
                                      .links = true };
    json_t *document;
    char *text;

    (void)state;
    add("POST /login HTTP/1.1\r\n", "", JSON("{\"access_token\":\"" TOKEN "\"}"));
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    text = fake_source_export_as(fake, &options);
    assert_null(strstr(text, "issued("));
    free(text);
    document = exported_as(EXPORT_CHRONOLOGICAL, EXPORT_SECRETS_ENV, false);
    assert_hasnt(document, "issued(");
    json_decref(document);
}

/* --- which are one variable ---------------------------------------------------------------------------- */

static void a_token_that_replaces_another_is_the_same_variable(void **state)
{
    json_t *document;

    (void)state;
    add("POST /login HTTP/1.1\r\n", "", JSON("{\"access_token\":\"" TOKEN "\"}"));
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    add("POST /refresh HTTP/1.1\r\n", "", JSON("{\"token\":\"" OTHER "\"}"));
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " OTHER "\r\n", "", OK);
    document = exported();
    assert_has(script(document, 0), "pm.environment.set(\\\"apiShopAccessToken\\\", value)");
    assert_has(script(document, 2), "pm.environment.set(\\\"apiShopAccessToken\\\", value)");
    assert_has(request(document, 1), "{{apiShopAccessToken}}");
    assert_has(request(document, 3), "{{apiShopAccessToken}}");
    json_decref(document);
}

static void tokens_that_are_used_beside_each_other_are_two(void **state)
{
    json_t *document;

    (void)state;
    add("POST /login?as=admin HTTP/1.1\r\n", "", JSON("{\"access_token\":\"" TOKEN "\"}"));
    add("POST /login?as=zoe HTTP/1.1\r\n", "", JSON("{\"access_token\":\"" OTHER "\"}"));
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " OTHER "\r\n", "", OK);
    add("GET /me HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    document = exported();
    assert_has(script(document, 0), "\\\"apiShopAccessToken\\\"");
    assert_has(script(document, 1), "\\\"apiShopAccessToken_2\\\"");
    assert_has(request(document, 2), "{{apiShopAccessToken_2}}");
    assert_has(request(document, 3), "{{apiShopAccessToken}}");
    json_decref(document);
}

/* The second refresh stands for both, with a token that the login never gave. */
static void what_was_merged_into_an_item_still_says_what_replaced_what(void **state)
{
    json_t *document;

    (void)state;
    add("POST /login HTTP/1.1\r\n", "", JSON("{\"refresh_token\":\"rt-aaaa1111bbbb2222\"}"));
    add("POST /refresh HTTP/1.1\r\nContent-Type: application/json\r\n",
        "{\"refresh_token\":\"rt-aaaa1111bbbb2222\"}", JSON("{\"refresh_token\":\"rt-cccc3333dddd4444\"}"));
    add("POST /refresh HTTP/1.1\r\nContent-Type: application/json\r\n",
        "{\"refresh_token\":\"rt-cccc3333dddd4444\"}", JSON("{\"refresh_token\":\"rt-eeee5555ffff6666\"}"));
    document = exported_as(EXPORT_BY_DOMAIN, EXPORT_SECRETS_ENV, true);
    assert_has(script(document, 0), "\\\"apiShopRefreshToken\\\"");
    assert_has(script(document, 1), "\\\"apiShopRefreshToken\\\"");
    assert_has(request(document, 1), "{{apiShopRefreshToken}}");
    json_decref(document);
}

static void names_of_variables_are_free(void **state)
{
    json_t *document;

    (void)state;
    add("POST /orders HTTP/1.1\r\n", "", JSON("{\"id\":70001}"));
    add("POST /orders HTTP/1.1\r\n", "", JSON("{\"id\":70002}"));
    add("GET /orders/70001 HTTP/1.1\r\nX-Text: {{orderId}}\r\n", "", OK);
    add("GET /orders/70002 HTTP/1.1\r\n", "", OK);
    document = exported();
    assert_has(request(document, 2), "\"value\":\"{{orderId_2}}\"");
    assert_has(request(document, 3), "\"value\":\"{{orderId_3}}\"");
    assert_has(request(document, 2), "\"value\":\"{{orderId}}\""); /* the text of the traffic */
    json_decref(document);
}

/* --- folders ------------------------------------------------------------------------------------------- */

static void add_shop(void)
{
    add("GET /cart HTTP/1.1\r\n", "", OK);
    for (int i = 0; i < 6; i++) { /* so many that the host has folders */
        char *head = mem_printf("GET /page%c/x HTTP/1.1\r\n", "abcdef"[i]);

        add(head, "", OK);
        mem_free(head);
    }
    add("POST /login HTTP/1.1\r\n", "", JSON("{\"access_token\":\"" TOKEN "\"}"));
}

static void what_sets_a_variable_comes_before_what_uses_it(void **state)
{
    json_t *document;

    (void)state;
    add_shop();
    add("POST /cart HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    document = exported_as(EXPORT_BY_BOTH, EXPORT_SECRETS_ENV, true);
    assert_has(item_at(document, 0), "\"name\":\"POST login\"");
    assert_has(item_at(document, 1), "\"name\":\"GET cart\"");
    assert_has(item_at(document, 2), "\"name\":\"POST cart\"");
    json_decref(document);
    document = exported_as(EXPORT_BY_BOTH, EXPORT_SECRETS_ENV, false);
    assert_has(item_at(document, 0), "\"name\":\"GET cart\"");
    json_decref(document);
}

static void what_deletes_a_thing_comes_after_what_uses_it(void **state)
{
    json_t *document;

    (void)state;
    add_shop();
    add("POST /orders HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", JSON("{\"id\":70001}"));
    add("DELETE /orders/70001 HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    add("GET /orders/70001/items HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    add("GET /me/x HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", OK);
    document = exported_as(EXPORT_BY_BOTH, EXPORT_SECRETS_ENV, true);
    assert_has(item_at(document, 8), "\"name\":\"POST orders\"");
    assert_has(item_at(document, 9), "\"name\":\"GET orders/:orderId/items\"");
    assert_has(item_at(document, 10), "\"name\":\"DELETE orders/:orderId\"");
    assert_has(item_at(document, 11), "\"name\":\"GET me/x\"");
    json_decref(document);
}

static void folders_that_need_each_other_are_reported(void **state)
{
    struct export_options options = { .format = export_find_format("collection"), .links = true };
    struct export_report report;
    FILE *sink = fopen("/dev/null", "w");
    struct err err;

    (void)state;
    add_shop();
    add("POST /cart HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\n", "", JSON("{\"nonce\":\"" OTHER "\"}"));
    add("POST /login/again HTTP/1.1\r\nX-Nonce: " OTHER "\r\n", "", OK);
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.reasons[EXPORT_LINKED].count, 2);
    assert_int_equal(report.reasons[EXPORT_LINK_LATE].count, 1);
    export_report_clear(&report);
    fclose(sink);
}

/* Newman follows it: the script sees what it led to. */
static void of_a_redirect_that_is_followed_only_cookies_are_read(void **state)
{
    json_t *document;

    (void)state;
    add("POST /login HTTP/1.1\r\n", "",
        "HTTP/1.1 302 Found\r\nLocation: /done?code=" TOKEN "\r\nSet-Cookie: xsrf=" OTHER "\r\n\r\n");
    add("GET /b HTTP/1.1\r\nX-Code: " TOKEN "\r\nX-Xsrf: " OTHER "\r\n", "", OK);
    document = exported_as(EXPORT_BY_DOMAIN, EXPORT_SECRETS_KEEP, true);
    assert_has(script(document, 0), "pm.cookies.get");
    assert_hasnt(script(document, 0), "Location");
    assert_has(request(document, 1), "\"key\":\"X-Code\",\"value\":\"" TOKEN "\"");
    json_decref(document);
    document = exported_as(EXPORT_CHRONOLOGICAL, EXPORT_SECRETS_KEEP, true);
    assert_has(script(document, 0), "Location");
    json_decref(document);
}

static void a_failing_store_fails_the_export(void **state)
{
    struct export_options options = { .format = export_find_format("collection"),
                                      .secrets = EXPORT_SECRETS_KEEP,
                                      .links = true };
    struct export_report report;
    FILE *sink = fopen("/dev/null", "w");
    struct err err;

    (void)state;
    add("POST /a HTTP/1.1\r\nContent-Type: application/json\r\n", "{\"a\":1}", OK);
    fake_source_break(fake);
    assert_false(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(err.code, ERR_STORE);
    export_report_clear(&report);
    fclose(sink);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_source, free_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_set_by_what_issued_it_and_used_by_what_carries_it),
        TEST(every_way_to_issue_a_value_is_read_again),
        TEST(every_place_that_carries_a_value_has_its_variable),
        TEST(a_variable_has_another_one_for_each_spelling),
        TEST(a_small_id_is_linked_where_its_path_or_name_says_what_it_is_of),
        TEST(an_example_keeps_the_id_it_was_captured_with),
        TEST(what_the_client_had_itself_is_no_link),
        TEST(words_dates_addresses_and_large_numbers_are_no_links),
        TEST(cookies_are_the_jars_and_what_a_browser_adds_is_not_sent),
        TEST(a_body_that_is_not_what_it_began_as_issues_nothing),
        TEST(a_later_response_issues_what_a_damaged_one_did_not),
        TEST(no_script_holds_a_secret),
        TEST(a_faithful_collection_and_one_without_links_have_none),
        TEST(a_token_that_replaces_another_is_the_same_variable),
        TEST(tokens_that_are_used_beside_each_other_are_two),
        TEST(what_was_merged_into_an_item_still_says_what_replaced_what),
        TEST(names_of_variables_are_free),
        TEST(what_sets_a_variable_comes_before_what_uses_it),
        TEST(what_deletes_a_thing_comes_after_what_uses_it),
        TEST(folders_that_need_each_other_are_reported),
        TEST(of_a_redirect_that_is_followed_only_cookies_are_read),
        TEST(a_failing_store_fails_the_export),
    };

    return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
