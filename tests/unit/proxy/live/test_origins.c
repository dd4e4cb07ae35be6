#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/live/origins.h"

#define SECOND_US UINT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define PHONE     "10.0.0.1"
#define BANK      "bank.test"

static uint64_t now_us = 1000;

static uint64_t test_clock(void)
{
    return now_us;
}

struct fixture {
    struct devices *devices;
    struct origins *origins;
    struct pin pin;
};

static void setup(struct fixture *f, size_t max_entries)
{
    const struct origins_options options = { .max_entries = max_entries };

    clock_replace(test_clock, NULL);
    f->devices = devices_new();
    f->origins = origins_new(&options, f->devices);
}

static int make(void **state)
{
    static struct fixture fixture;

    setup(&fixture, 0);
    *state = &fixture;
    return 0;
}

static int clear(void **state)
{
    struct fixture *f = *state;

    origins_free(f->origins);
    devices_free(f->devices);
    clock_replace(NULL, NULL);
    return 0;
}

/* --- what an origin speaks ----------------------------------------------------------------------------- */

static void knows(struct fixture *f, const struct origin_key *key, const char *alpn,
                  enum extended_connect extended_connect)
{
    struct origin_choice choice;

    assert_true(origins_alpn_get(f->origins, key, &choice));
    assert_string_equal(choice.alpn, alpn);
    assert_int_equal(choice.extended_connect, extended_connect);
}

static void what_an_origin_chose_is_remembered(void **state)
{
    struct fixture *f = *state;
    const struct origin_key key = { "a.test", 443, "a.test", 7 };
    const struct origin_key others[] = {
        { "b.test", 443, "a.test", 7 }, { "a.test", 444, "a.test", 7 },  { "a.test", 443, "b.test", 7 },
        { "a.test", 443, "a.test", 8 }, { "a.test a.test", 443, "", 7 },
    };
    const struct origin_key spelled_otherwise = { "A.test", 443, "a.TEST", 7 };
    struct origin_choice choice;

    assert_false(origins_alpn_get(f->origins, &key, &choice));
    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    knows(f, &key, "h2", EXTENDED_CONNECT_UNKNOWN);
    knows(f, &spelled_otherwise, "h2", EXTENDED_CONNECT_UNKNOWN);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(origins_alpn_get(f->origins, &others[i], &choice));
}

static void that_it_chose_none_is_remembered_too(void **state)
{
    struct fixture *f = *state;
    const struct origin_key key = { "a.test", 443, "", 0 };

    origins_alpn_put(f->origins, &key, SPAN_NONE, EXTENDED_CONNECT_UNKNOWN);
    knows(f, &key, "", EXTENDED_CONNECT_UNKNOWN);
}

static void extended_connect_is_kept_while_the_protocol_is_the_same(void **state)
{
    struct fixture *f = *state;
    const struct origin_key key = { "a.test", 443, "a.test", 0 };

    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_YES);
    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    knows(f, &key, "h2", EXTENDED_CONNECT_YES);
    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_NO);
    knows(f, &key, "h2", EXTENDED_CONNECT_NO);
    origins_alpn_put(f->origins, &key, SPAN("http/1.1"), EXTENDED_CONNECT_UNKNOWN);
    knows(f, &key, "http/1.1", EXTENDED_CONNECT_UNKNOWN);
}

static void a_choice_is_forgotten_after_an_hour(void **state)
{
    struct fixture *f = *state;
    const struct origin_key key = { "a.test", 443, "a.test", 0 };
    struct origin_choice choice;

    origins_alpn_put(f->origins, &key, SPAN("h2"), EXTENDED_CONNECT_YES);
    now_us += HOUR_US;
    knows(f, &key, "h2", EXTENDED_CONNECT_YES); /* asking does not make it younger */
    now_us += 1;
    assert_false(origins_alpn_get(f->origins, &key, &choice));
}

static void the_longest_unused_choice_goes_first(void **state)
{
    struct fixture f;
    void *self = &f;
    struct origin_choice choice;
    struct origin_key keys[3] = { { "a.test", 1, "", 0 }, { "b.test", 1, "", 0 }, { "c.test", 1, "", 0 } };

    (void)state;
    setup(&f, 2);
    origins_alpn_put(f.origins, &keys[0], SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    origins_alpn_put(f.origins, &keys[1], SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    knows(&f, &keys[0], "h2", EXTENDED_CONNECT_UNKNOWN);
    origins_alpn_put(f.origins, &keys[2], SPAN("h2"), EXTENDED_CONNECT_UNKNOWN);
    assert_false(origins_alpn_get(f.origins, &keys[1], &choice));
    knows(&f, &keys[0], "h2", EXTENDED_CONNECT_UNKNOWN);
    knows(&f, &keys[2], "h2", EXTENDED_CONNECT_UNKNOWN);
    clear(&self);
}

/* --- who pins what ------------------------------------------------------------------------------------- */

static enum refused_news alerted(struct fixture *f, const char *client, const char *host)
{
    return origins_refused(f->origins, client, host, &(struct refused){ REFUSAL_ALERT, 46, now_us }, true,
                           &f->pin);
}

/* A connection that began at leaf_us and ends now. */
static enum refused_news closed_of(struct fixture *f, const char *client, const char *host, uint64_t leaf_us)
{
    return origins_refused(f->origins, client, host, &(struct refused){ REFUSAL_CLOSE, 0, leaf_us }, true,
                           &f->pin);
}

static enum refused_news closed(struct fixture *f, const char *client, const char *host)
{
    now_us++;
    return closed_of(f, client, host, now_us);
}

static bool is_sealed(struct fixture *f, const char *client, const char *host)
{
    struct pin pin;

    return origins_is_sealed(f->origins, client, host, &pin);
}

static void only_what_is_about_the_certificate_is_a_refusal(void **state)
{
    static const unsigned meant[] = { 42, 43, 44, 45, 46, 48, 49, 113, 114 };
    unsigned count = 0;

    (void)state;
    for (unsigned alert = 1; alert < 256; alert++)
        count += refusal_of_end(alert, 0, false) == REFUSAL_ALERT;
    assert_int_equal(count, sizeof meant / sizeof meant[0]);
    for (size_t i = 0; i < sizeof meant / sizeof meant[0]; i++)
        assert_int_equal(refusal_of_end(meant[i], 0, false), REFUSAL_ALERT);
    assert_int_equal(refusal_of_end(40, 0, false), REFUSAL_NONE); /* not a close without a word either */
    assert_int_equal(refusal_of_end(0, 0, false), REFUSAL_CLOSE);
    assert_int_equal(refusal_of_end(0, 2 * SECOND_US, false), REFUSAL_CLOSE);
    assert_int_equal(refusal_of_end(0, 2 * SECOND_US + 1, false), REFUSAL_NONE);
    assert_int_equal(refusal_of_end(46, 9 * SECOND_US, false), REFUSAL_ALERT);
    assert_int_equal(refusal_of_end(0, 0, true), REFUSAL_NONE);
    assert_int_equal(refusal_of_end(46, UINT64_MAX, false), REFUSAL_NONE); /* our certificate was not sent */
    assert_int_equal(refusal_of_end(0, UINT64_MAX, false), REFUSAL_NONE);
}

static void two_refusals_in_a_minute_seal_the_host_for_that_client(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
    assert_false(is_sealed(f, PHONE, BANK));
    now_us += 60 * SECOND_US;
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_SEALED);
    assert_int_equal(f->pin.how, REFUSAL_ALERT);
    assert_int_equal(f->pin.alert, 46);
    assert_int_equal(f->pin.seal_us, HOUR_US);
    assert_false(f->pin.is_again);
    assert_true(is_sealed(f, PHONE, BANK));
    assert_true(is_sealed(f, PHONE, "BANK.test."));
    assert_false(is_sealed(f, PHONE, "shop.test"));
    assert_false(is_sealed(f, "10.0.0.10", BANK));
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED); /* of a connection from before */
}

static void refusals_further_apart_are_each_the_first(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
        now_us += 60 * SECOND_US + 1;
    }
    assert_false(is_sealed(f, PHONE, BANK));
}

static void refusals_of_other_hosts_and_clients_do_not_add_up(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    origins_accepted(f->origins, "10.0.0.2");
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
    assert_int_equal(alerted(f, "10.0.0.2", BANK), REFUSED_NOTED);
    assert_int_equal(alerted(f, PHONE, "shop.test"), REFUSED_NOTED);
}

static void closes_count_like_alerts_and_an_alert_is_the_better_reason(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_SEALED);
    assert_int_equal(f->pin.how, REFUSAL_CLOSE);
    assert_int_equal(closed(f, PHONE, "b.test"), REFUSED_NOTED);
    assert_int_equal(alerted(f, PHONE, "b.test"), REFUSED_SEALED);
    assert_int_equal(f->pin.how, REFUSAL_ALERT);
    assert_int_equal(alerted(f, PHONE, "c.test"), REFUSED_NOTED);
    assert_int_equal(closed(f, PHONE, "c.test"), REFUSED_SEALED);
    assert_int_equal(f->pin.how, REFUSAL_ALERT);
    assert_int_equal(f->pin.alert, 46);
}

static void closes_of_connections_that_were_open_together_are_one(void **state)
{
    struct fixture *f = *state;
    uint64_t begun_us = now_us;

    assert_int_equal(closed_of(f, PHONE, BANK, begun_us), REFUSED_NOTED);
    assert_int_equal(closed_of(f, PHONE, BANK, begun_us), REFUSED_NOTED); /* of a stranger, too */
    origins_accepted(f->origins, PHONE);
    now_us += SECOND_US;
    assert_int_equal(closed_of(f, PHONE, BANK, begun_us), REFUSED_NOTED);
    now_us += SECOND_US;
    assert_int_equal(closed_of(f, PHONE, BANK, begun_us + 500000), REFUSED_NOTED);
    assert_int_equal(closed_of(f, PHONE, BANK, begun_us + SECOND_US + 1), REFUSED_SEALED);
    assert_int_equal(closed_of(f, PHONE, "b.test", begun_us), REFUSED_NOTED);
    assert_int_equal(alerted(f, PHONE, "b.test"), REFUSED_SEALED); /* it says "certificate" */
}

static void an_end_that_says_nothing_is_not_noted(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            origins_refused(f->origins, PHONE, BANK, &(struct refused){ REFUSAL_NONE, 0, 0 }, true, &f->pin),
            REFUSED_NOTED);
    assert_false(is_sealed(f, PHONE, BANK));
}

static void a_client_that_never_accepted_is_told_once_and_nothing_is_sealed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_UNTRUSTED);
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
    assert_int_equal(alerted(f, PHONE, "shop.test"), REFUSED_NOTED);
    assert_int_equal(alerted(f, "10.0.0.2", BANK), REFUSED_UNTRUSTED);
    assert_false(is_sealed(f, PHONE, BANK));
}

static void a_stranger_that_only_closes_is_told_at_the_second_time(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
    now_us += 61 * SECOND_US;
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_UNTRUSTED);
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
    assert_false(is_sealed(f, PHONE, BANK));
}

static void the_first_accepted_leaf_clears_what_was_noted(void **state)
{
    struct fixture *f = *state;

    closed(f, PHONE, BANK);
    closed(f, "10.0.0.10", BANK); /* whose address begins with the phone's */
    origins_accepted(f->origins, PHONE);
    assert_true(devices_trusts(f->devices, PHONE));
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
    assert_int_equal(closed(f, PHONE, BANK), REFUSED_SEALED);
    assert_int_equal(closed(f, "10.0.0.10", BANK), REFUSED_UNTRUSTED);
}

static void later_accepted_leaves_clear_nothing(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    alerted(f, PHONE, BANK);
    origins_accepted(f->origins, PHONE);
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_SEALED);
    origins_accepted(f->origins, PHONE);
    assert_true(is_sealed(f, PHONE, BANK));
}

static void use_takes_back_a_close_and_not_an_alert(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(closed(f, PHONE, BANK), REFUSED_NOTED);
        origins_used(f->origins, PHONE, BANK);
    }
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
    origins_used(f->origins, PHONE, BANK);
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_SEALED);
    origins_used(f->origins, PHONE, BANK); /* a connection from before */
    assert_true(is_sealed(f, PHONE, BANK));
}

static void a_sealed_host_is_probed_after_an_hour(void **state)
{
    struct fixture *f = *state;

    origins_accepted(f->origins, PHONE);
    alerted(f, PHONE, BANK);
    alerted(f, PHONE, BANK);
    now_us += HOUR_US;
    assert_true(is_sealed(f, PHONE, BANK));
    now_us += 1;
    assert_false(is_sealed(f, PHONE, BANK));

    assert_int_equal(closed(f, PHONE, BANK), REFUSED_SEALED); /* once is enough */
    assert_true(f->pin.is_again);
    assert_int_equal(f->pin.how, REFUSAL_CLOSE);
    assert_int_equal(f->pin.seal_us, HOUR_US);
    assert_true(is_sealed(f, PHONE, BANK));

    now_us += HOUR_US + 1;
    origins_used(f->origins, PHONE, BANK); /* it pins no more */
    assert_int_equal(alerted(f, PHONE, BANK), REFUSED_NOTED);
    assert_false(is_sealed(f, PHONE, BANK));
}

static void nothing_is_learned_where_nothing_may_be_sealed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        origins_refused(f->origins, PHONE, BANK, &(struct refused){ REFUSAL_ALERT, 46, 0 }, false, &f->pin),
        REFUSED_UNTRUSTED); /* is told all the same */
    origins_accepted(f->origins, PHONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(origins_refused(f->origins, PHONE, BANK, &(struct refused){ REFUSAL_ALERT, 46, 0 },
                                         false, &f->pin),
                         REFUSED_NOTED);
    assert_false(is_sealed(f, PHONE, BANK));
}

static void a_seal_that_was_asked_for_is_news_once(void **state)
{
    struct fixture *f = *state;

    assert_true(origins_seal_is_news(f->origins, PHONE, BANK));
    assert_false(origins_seal_is_news(f->origins, PHONE, BANK));
    assert_true(origins_seal_is_news(f->origins, PHONE, "shop.test"));
    assert_true(origins_seal_is_news(f->origins, "10.0.0.2", BANK));
    origins_accepted(f->origins, PHONE);
    assert_false(origins_seal_is_news(f->origins, PHONE, BANK));
}

static void the_longest_unused_pin_goes_first(void **state)
{
    struct fixture f;
    void *self = &f;

    (void)state;
    setup(&f, 2);
    origins_accepted(f.origins, PHONE);
    for (int i = 0; i < 2; i++) {
        alerted(&f, PHONE, "a.test");
        alerted(&f, PHONE, "b.test");
    }
    assert_true(is_sealed(&f, PHONE, "a.test"));
    alerted(&f, PHONE, "c.test");
    assert_true(is_sealed(&f, PHONE, "a.test"));
    assert_false(is_sealed(&f, PHONE, "b.test"));
    clear(&self);
}

/* --- threads ------------------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS  500

struct hand {
    struct fixture *f;
    unsigned number;
    unsigned seals, wrong;
};

static void *work(void *arg)
{
    struct hand *hand = arg;
    struct origins *origins = hand->f->origins;
    char client[24], own[24];
    struct origin_choice choice;
    struct pin pin;

    snprintf(client, sizeof client, "10.0.1.%u", hand->number);
    snprintf(own, sizeof own, "own%u.test", hand->number);
    for (int i = 0; i < ROUNDS; i++) {
        const struct origin_key key = { "a.test", (uint16_t)(i % 50 + 1), own, 0 };
        origins_alpn_put(origins, &key, SPAN("h2"), EXTENDED_CONNECT_YES);
        if (!origins_alpn_get(origins, &key, &choice) || strcmp(choice.alpn, "h2") != 0)
            hand->wrong++;
        origins_accepted(origins, client);
        origins_refused(origins, client, own, &(struct refused){ REFUSAL_CLOSE, 0, 0 }, true, &pin);
        origins_used(origins, client, own);
        origins_is_sealed(origins, client, own, &pin);
        origins_seal_is_news(origins, PHONE, own);
        hand->seals += origins_refused(origins, PHONE, BANK, &(struct refused){ REFUSAL_ALERT, 46, 0 }, true,
                                       &pin) == REFUSED_SEALED;
    }
    return NULL;
}

static void many_threads_seal_a_host_once(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct hand hands[THREADS];
    unsigned seals = 0;

    origins_accepted(f->origins, PHONE);
    for (unsigned i = 0; i < THREADS; i++) {
        hands[i] = (struct hand){ .f = f, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &hands[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        seals += hands[i].seals;
        assert_int_equal(hands[i].wrong, 0);
    }
    assert_int_equal(seals, 1);
    assert_true(is_sealed(f, PHONE, BANK));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_an_origin_chose_is_remembered),
        TEST(that_it_chose_none_is_remembered_too),
        TEST(extended_connect_is_kept_while_the_protocol_is_the_same),
        TEST(a_choice_is_forgotten_after_an_hour),
        cmocka_unit_test(the_longest_unused_choice_goes_first),
        cmocka_unit_test(only_what_is_about_the_certificate_is_a_refusal),
        TEST(two_refusals_in_a_minute_seal_the_host_for_that_client),
        TEST(refusals_further_apart_are_each_the_first),
        TEST(refusals_of_other_hosts_and_clients_do_not_add_up),
        TEST(closes_count_like_alerts_and_an_alert_is_the_better_reason),
        TEST(closes_of_connections_that_were_open_together_are_one),
        TEST(an_end_that_says_nothing_is_not_noted),
        TEST(a_client_that_never_accepted_is_told_once_and_nothing_is_sealed),
        TEST(a_stranger_that_only_closes_is_told_at_the_second_time),
        TEST(the_first_accepted_leaf_clears_what_was_noted),
        TEST(later_accepted_leaves_clear_nothing),
        TEST(use_takes_back_a_close_and_not_an_alert),
        TEST(a_sealed_host_is_probed_after_an_hour),
        TEST(nothing_is_learned_where_nothing_may_be_sealed),
        TEST(a_seal_that_was_asked_for_is_news_once),
        cmocka_unit_test(the_longest_unused_pin_goes_first),
        TEST(many_threads_seal_a_host_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
