#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/dedup.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

struct world {
    struct fake_source *fake;
    struct dedup_options options;
};

static struct world world_new(unsigned max_examples)
{
    return (struct world){ .fake = fake_source_new(), .options = { .max_examples = max_examples } };
}

static struct record *add(struct world *world, const char *request, const char *response)
{
    return fake_source_add(world->fake, "https://shop.test", span_of(request), span_of(response));
}

static struct record *get(struct world *world, const char *target, const char *response)
{
    char *request = mem_printf("GET %s HTTP/1.1\r\n\r\n", target);
    struct record *record = add(world, request, response);

    mem_free(request);
    return record;
}

static bool collect(void *self, struct span bytes, struct err *err)
{
    (void)err;
    strbuf_add(self, bytes);
    return true;
}

static void read_body(const struct export_source *source, int64_t body, struct strbuf *out)
{
    struct err err;

    strbuf_reset(out);
    if (body != 0)
        assert_true(source->body_read(source->self, body, collect, out, &err));
}

static void add_fate(void *self, uint32_t seq, enum dedup_fate fate, size_t item)
{
    static const char *const names[DEDUP_FATES] = {
        "item",     "example",    "hop",         "duplicate",   "repeat",    "max",   "aborted",
        "304",      "hop-merged", "sw",          "resent",      "preflight", "noise", "tunnel",
        "upgraded", "own",        "no-response", "request-cut", "gone",
    };

    strbuf_printf(self, "%u %s", seq, names[fate]);
    if (item != SIZE_MAX)
        strbuf_printf(self, " of %zu", item + 1);
    strbuf_add_str(self, "; ");
}

/* Both passes, as an exporter makes them. */
static struct dedup *dedup_of(struct world *world)
{
    const struct export_source *source = fake_source_reader(world->fake);
    struct dedup *dedup = dedup_new(&world->options);
    struct strbuf body = STRBUF_EMPTY, text = STRBUF_EMPTY;
    const struct record *record;
    struct err err;

    source->rewind(source->self, &err);
    while (source->next(source->self, &record, &err) && record != NULL) {
        struct json_shape shape;

        read_body(source, record->response_body.id, &body);
        dedup_note(dedup, record, json_shape_of(strbuf_span(&body), false, &shape) ? &shape : NULL);
    }
    source->rewind(source->self, &err);
    while (source->next(source->self, &record, &err) && record != NULL) {
        struct identity_request request;
        struct identity identity;

        if (!dedup_wants(dedup, record))
            continue;
        read_body(source, record->request_body.id, &body);
        identity_request_init(&request, record, strbuf_span(&body), false);
        strbuf_reset(&text);
        identity_text(&text, record, record->path, &request);
        identity_request_clear(&request);
        identity = identity_of(strbuf_span(&text));
        dedup_add(dedup, record, &identity);
    }
    dedup_settle(dedup);
    strbuf_clear(&body);
    strbuf_clear(&text);
    return dedup;
}

/* What became of all; takes the world. */
static void assert_fates(struct world *world, const char *expected)
{
    struct dedup *dedup = dedup_of(world);
    struct strbuf fates = STRBUF_EMPTY;

    dedup_each(dedup, add_fate, &fates);
    assert_string_equal(strbuf_text(&fates), expected);
    strbuf_clear(&fates);
    dedup_free(dedup);
    fake_source_free(world->fake);
}

static void the_latest_of_the_richest_represents_its_item(void **state)
{
    struct world world = world_new(1);

    (void)state;
    get(&world, "/a?x=1", OK_HEAD "{\"a\":1}");
    get(&world, "/a?x=2", OK_HEAD "{\"a\":1,\"b\":2}");
    get(&world, "/b", "HTTP/1.1 404 Not Found\r\n\r\n");
    get(&world, "/a?x=3", OK_HEAD "{\"a\":2,\"b\":3}");
    get(&world, "/a?x=4",
        "HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\n\r\n{\"a\":1,\"b\":2,\"c\":3}");
    get(&world, "/a?x=5", OK_HEAD "{\"a\":9}");
    assert_fates(&world, "1 max of 1; 2 duplicate of 1; 3 item of 2; 4 item of 1; 5 max of 1; 6 max of 1; ");
}

static void examples_differ_and_every_status_comes_first(void **state)
{
    struct world world = world_new(4);
    struct dedup *dedup;
    const struct dedup_item *item;
    const struct dedup_example *examples;

    (void)state;
    get(&world, "/a", OK_HEAD "{\"a\":1}");
    get(&world, "/a", OK_HEAD "{\"b\":1}");
    get(&world, "/a", OK_HEAD "{\"c\":1,\"d\":1}");
    get(&world, "/a", "HTTP/1.1 404 Not Found\r\n\r\n");
    get(&world, "/a", "HTTP/1.1 404 Not Found\r\n\r\n");
    get(&world, "/a", "HTTP/1.1 500 Oops\r\n\r\n");
    get(&world, "/a", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>");
    dedup = dedup_of(&world);
    assert_int_equal(dedup_count(dedup), 1);
    item = dedup_item(dedup, 0);
    assert_int_equal(item->first, 1);
    assert_int_equal(item->seq, 3);
    assert_int_equal(item->count, 7);
    assert_int_equal(item->examples, 4);
    examples = dedup_examples(dedup, item);
    assert_int_equal(examples[0].seq, 3);
    assert_int_equal(examples[1].seq, 5);
    assert_int_equal(examples[2].seq, 6);
    assert_int_equal(examples[3].seq, 1);
    dedup_free(dedup);
    assert_fates(&world, "1 example of 1; 2 max of 1; 3 item of 1; 4 duplicate of 1; 5 example of 1; "
                         "6 example of 1; 7 max of 1; ");
}

static void bodies_of_another_shape_are_never_merged(void **state)
{
    struct world world = world_new(5);

    (void)state;
    add(&world, "POST /a HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":1}", OK_HEAD "{}");
    add(&world, "POST /a HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"b\":1}", OK_HEAD "{}");
    add(&world, "POST /a HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":7}", OK_HEAD "{}");
    assert_fates(&world, "1 duplicate of 1; 2 item of 2; 3 item of 1; ");
}

static void what_can_be_no_item_says_why(void **state)
{
    struct world world = world_new(5);

    (void)state;
    get(&world, "/tunnel", OK_HEAD)->flags |= TAP_TUNNEL;
    get(&world, "/ws", "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    get(&world, "/own", OK_HEAD)->flags |= TAP_MADE_BY_WEIR;
    fake_source_add(world.fake, "https://shop.test", SPAN("GET /none HTTP/1.1\r\n\r\n"), SPAN_NONE);
    add(&world, "POST /cut HTTP/1.1\r\n\r\nxyz", OK_HEAD)->request_body.kept = 1;
    add(&world, "OPTIONS /a HTTP/1.1\r\nOrigin: https://x.test\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
        OK_HEAD);
    add(&world, "OPTIONS /a HTTP/1.1\r\n\r\n", OK_HEAD);
    fake_source_add(world.fake, "https://www.google-analytics.com", SPAN("POST /g/collect HTTP/1.1\r\n\r\n"),
                    SPAN("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_fates(
        &world,
        "1 tunnel; 2 upgraded; 3 own; 4 no-response; 5 request-cut; 6 preflight; 7 item of 1; 8 noise; ");
}

static void what_was_not_modified_belongs_to_what_was_still_good(void **state)
{
    struct world world = world_new(5);

    (void)state;
    get(&world, "/a", OK_HEAD "{}");
    get(&world, "/a", "HTTP/1.1 304 Not Modified\r\n\r\n");
    get(&world, "/b", "HTTP/1.1 304 Not Modified\r\n\r\n");
    get(&world, "/b", "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_fates(&world, "1 item of 1; 2 304 of 1; 3 304 of 2; 4 item of 2; ");
}

static void cut_responses_are_no_examples(void **state)
{
    struct world world = world_new(5);

    (void)state;
    get(&world, "/a?1", OK_HEAD "{\"a\":1,\"b\":2,\"c\"")->state = RECORD_ABORTED;
    get(&world, "/a?1", "HTTP/1.1 404 Not Found\r\n\r\n")->started_us += 9000000;
    get(&world, "/b", OK_HEAD "{\"a\"")->state = RECORD_ABORTED;
    assert_fates(&world, "1 aborted of 1; 2 item of 1; 3 item of 2; ");
}

static void what_was_sent_again_at_once_counts_once(void **state)
{
    struct world world = world_new(5);
    struct record *record;

    (void)state;
    fake_source_add(world.fake, "https://shop.test", SPAN("GET /a HTTP/1.1\r\n\r\n"), SPAN_NONE);
    get(&world, "/a", OK_HEAD "{}");
    get(&world, "/b", OK_HEAD "{\"a\"")->state = RECORD_ABORTED;
    add(&world, "GET /b HTTP/1.1\r\nX-Other: 1\r\n\r\n", OK_HEAD "{}");
    get(&world, "/c", OK_HEAD "{\"a\"")->state = RECORD_ABORTED;
    record = get(&world, "/c", OK_HEAD "{}");
    record->started_us += 2000000; /* too late */
    get(&world, "/d", OK_HEAD "{\"a\"")->state = RECORD_ABORTED;
    get(&world, "/d", OK_HEAD "{}")->client_addr = SPAN("192.0.2.9:1");
    assert_fates(&world, "1 resent; 2 item of 1; 3 aborted of 2; 4 item of 2; 5 aborted of 3; 6 item of 3; "
                         "7 aborted of 4; 8 item of 4; ");
}

static void redirects_are_examples_of_where_they_led(void **state)
{
    struct world world = world_new(5);

    (void)state;
    get(&world, "/old", "HTTP/1.1 301 Moved\r\nLocation: /older\r\n\r\n");
    get(&world, "/older", "HTTP/1.1 302 Found\r\nLocation: https://shop.test/new\r\n\r\n");
    get(&world, "/new", OK_HEAD "{\"a\":1}");
    add(&world, "POST /login HTTP/1.1\r\n\r\n", "HTTP/1.1 303 See Other\r\nLocation: /new\r\n\r\n");
    get(&world, "/new", OK_HEAD "{\"a\":1}");
    get(&world, "/lost", "HTTP/1.1 302 Found\r\nLocation: /nowhere\r\n\r\n");
    get(&world, "/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\n\r\n");
    get(&world, "/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\n\r\n");
    get(&world, "/old", "HTTP/1.1 301 Moved\r\nLocation: /new\r\n\r\n");
    get(&world, "/new", OK_HEAD "{\"a\":1}");
    get(&world, "/some", "HTTP/1.1 302 Found\r\nLocation: /new\r\n\r\n");
    get(&world, "/new", OK_HEAD "{\"a\":1}");
    get(&world, "/some", OK_HEAD "{\"a\":1}");
    assert_fates(&world, "1 hop-merged of 1; 2 hop of 1; 3 duplicate of 1; 4 item of 2; 5 duplicate of 1; "
                         "6 item of 3; 7 duplicate of 4; 8 item of 4; 9 hop of 1; 10 duplicate of 1; "
                         "11 example of 5; 12 item of 1; 13 item of 5; ");
}

static void service_workers_and_polling_are_told(void **state)
{
    struct world world = world_new(5);
    struct dedup *dedup;

    (void)state;
    get(&world, "/sw.js", OK_HEAD "x");
    add(&world, "GET /sw.js HTTP/1.1\r\nSec-Fetch-Dest: serviceworker\r\n\r\n", OK_HEAD "x");
    for (int i = 0; i < DEDUP_MIN_REPEATS; i++)
        get(&world, "/health", OK_HEAD "{\"ok\":true}");
    for (int i = 0; i < DEDUP_MIN_REPEATS - 1; i++)
        get(&world, "/few", OK_HEAD "{\"ok\":true}");
    dedup = dedup_of(&world);
    assert_int_equal(dedup_count(dedup), 3);
    assert_int_equal(dedup_item(dedup, 0)->seq, 1);
    assert_int_equal(dedup_item(dedup, 1)->repeats, DEDUP_MIN_REPEATS - 1);
    assert_int_equal(dedup_item(dedup, 2)->repeats, 0);
    dedup_free(dedup);
    fake_source_free(world.fake);
}

static void nothing_is_merged_when_all_is_kept(void **state)
{
    struct world world = world_new(5);

    (void)state;
    world.options.keeps_all = true;
    get(&world, "/a", OK_HEAD "{}");
    get(&world, "/a", OK_HEAD "{}");
    get(&world, "/a", "HTTP/1.1 304 Not Modified\r\n\r\n");
    add(&world, "OPTIONS /a HTTP/1.1\r\nOrigin: x\r\nAccess-Control-Request-Method: PUT\r\n\r\n", OK_HEAD);
    get(&world, "/old", "HTTP/1.1 301 Moved\r\nLocation: /a\r\n\r\n");
    get(&world, "/a", OK_HEAD "{}");
    get(&world, "/ws", "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert_fates(
        &world, "1 item of 1; 2 item of 2; 3 item of 3; 4 item of 4; 5 item of 5; 6 item of 6; 7 upgraded; ");
}

static void what_is_gone_in_the_second_pass_says_so(void **state)
{
    struct dedup_options options = { .max_examples = 5 };
    struct dedup *dedup = dedup_new(&options);
    struct record record = { .seq = 7, .method = SPAN("GET"), .status = 200, .state = RECORD_DONE };
    struct strbuf fates = STRBUF_EMPTY;

    (void)state;
    dedup_note(dedup, &record, NULL);
    record.seq = 8;
    assert_false(dedup_wants(dedup, &record));
    dedup_settle(dedup);
    dedup_each(dedup, add_fate, &fates);
    assert_string_equal(strbuf_text(&fates), "7 gone; ");
    assert_int_equal(dedup_count(dedup), 0);
    strbuf_clear(&fates);
    dedup_free(dedup);
}

static void every_fate_has_a_text(void **state)
{
    (void)state;
    for (unsigned fate = 0; fate < DEDUP_FATES; fate++)
        assert_non_null(dedup_fate_text((enum dedup_fate)fate));
}

static void count_fate(void *self, uint32_t seq, enum dedup_fate fate, size_t item)
{
    uint64_t *counts = self;

    (void)seq;
    (void)item;
    counts[fate]++;
}

static void a_hundred_thousand_exchanges_are_all_accounted_for(void **state)
{
    static const char *const media[] = { "application/json", "text/html", "image/png" };
    const uint32_t count = 100000;
    struct dedup_options options = { .max_examples = 5 };
    struct dedup *dedup = dedup_new(&options);
    struct record record = { .method = SPAN("GET"),
                             .scheme = SPAN("https"),
                             .host = SPAN("shop.test"),
                             .port = 443,
                             .client_addr = SPAN("127.0.0.1:1"),
                             .state = RECORD_DONE };
    uint64_t counts[DEDUP_FATES] = { 0 }, all = 0, begin = clock_mono_us();
    unsigned seed = 5;
    char path[32];

    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        seed = 5;
        for (uint32_t i = 1; i <= count; i++) {
            unsigned r = (unsigned)rand_r(&seed);
            struct json_shape shape = { .hash = r % 50, .paths = r % 7 };
            struct identity identity = { .low = r % 5000, .high = 1 };

            snprintf(path, sizeof(path), "/p/%u", r % 9000);
            record.seq = i;
            record.path = span_of(path);
            record.started_us = (uint64_t)i * 1000;
            record.status = r % 11 == 0 ? 404 : r % 97 == 0 ? 304 : 200;
            record.response_type = span_of(media[r % 3]);
            if (pass == 0)
                dedup_note(dedup, &record, &shape);
            else if (dedup_wants(dedup, &record))
                dedup_add(dedup, &record, &identity);
        }
    }
    dedup_settle(dedup);
    print_message("100000 exchanges: %llu ms\n", (unsigned long long)(clock_mono_us() - begin) / 1000);
    dedup_each(dedup, count_fate, counts);
    for (unsigned fate = 0; fate < DEDUP_FATES; fate++)
        all += counts[fate];
    assert_int_equal(all, count);
    assert_int_equal(counts[DEDUP_ITEM], dedup_count(dedup));
    assert_int_equal(counts[DEDUP_GONE], 0);
    for (size_t i = 0; i < dedup_count(dedup); i++) {
        assert_in_range(dedup_item(dedup, i)->examples, 1, options.max_examples);
        assert_int_equal(dedup_examples(dedup, dedup_item(dedup, i))[0].seq, dedup_item(dedup, i)->seq);
        assert_true(i == 0 || dedup_item(dedup, i)->first > dedup_item(dedup, i - 1)->first);
    }
    dedup_free(dedup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_of_the_richest_represents_its_item),
        cmocka_unit_test(examples_differ_and_every_status_comes_first),
        cmocka_unit_test(bodies_of_another_shape_are_never_merged),
        cmocka_unit_test(what_can_be_no_item_says_why),
        cmocka_unit_test(what_was_not_modified_belongs_to_what_was_still_good),
        cmocka_unit_test(cut_responses_are_no_examples),
        cmocka_unit_test(what_was_sent_again_at_once_counts_once),
        cmocka_unit_test(redirects_are_examples_of_where_they_led),
        cmocka_unit_test(service_workers_and_polling_are_told),
        cmocka_unit_test(nothing_is_merged_when_all_is_kept),
        cmocka_unit_test(what_is_gone_in_the_second_pass_says_so),
        cmocka_unit_test(every_fate_has_a_text),
        cmocka_unit_test(a_hundred_thousand_exchanges_are_all_accounted_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
