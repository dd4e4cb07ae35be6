#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/segment.h"

struct sample {
    const char *text;
    enum segment_class class;
};

static void assert_classes(const struct sample *samples, size_t count, bool is_top)
{
    for (size_t i = 0; i < count; i++) {
        enum segment_class class = segment_classify(span_of(samples[i].text), is_top);

        if (class != samples[i].class)
            fail_msg("'%s' is one of the %s, not of the %s", samples[i].text,
                     segment_class_text(class, false), segment_class_text(samples[i].class, false));
    }
}
#define ASSERT_CLASSES(samples, is_top) assert_classes(samples, sizeof(samples) / sizeof(*(samples)), is_top)

static void values_are_known_by_their_looks(void **state)
{
    static const struct sample samples[] = {
        { "48213", SEGMENT_INT },
        { "-48213", SEGMENT_INT },
        { "7", SEGMENT_SMALL_INT },
        { "4821", SEGMENT_SMALL_INT },
        { "018f3c1a-0000-7000-8000-000000000001", SEGMENT_UUID },
        { "01ARZ3NDEKTSV4RRFFQ69G5FAV", SEGMENT_ULID },
        { "01arz3ndektsv4rrffq69g5fav", SEGMENT_ULID },
        { "9f86d081884c", SEGMENT_HEX },
        { "sha256:9f86d081884c7d659a2feaa0c55ad015", SEGMENT_HEX },
        { "jane@shop.test", SEGMENT_EMAIL },
        { "jane%40shop.test", SEGMENT_EMAIL },
        { "2026-11-21", SEGMENT_DATE },
        { "2026-11-21T20:14:00.000Z", SEGMENT_DATE },
        { "2026-11-21T20%3A14%3A00%2B01%3A00", SEGMENT_DATE },
        { "cus_9s6XKzkNRiz8i3", SEGMENT_PREFIXED },
        { "cs_test_a1B2c3D4e5F6", SEGMENT_PREFIXED },
        { "order_12345", SEGMENT_PREFIXED },
        { "1srOrx2ZWZBpBUvZwXKQmoEYga2", SEGMENT_OPAQUE },
        { "dGhpcyBpcyBhIHRlc3Q0Mg", SEGMENT_OPAQUE },
    };

    (void)state;
    ASSERT_CLASSES(samples, false);
}

static void words_are_not_values_however_long(void **state)
{
    static const struct sample samples[] = {
        { "users", SEGMENT_WORD },
        { "getting-started-with-your-first-proxy", SEGMENT_WORD },
        { "getUserPreferencesV2Endpoint", SEGMENT_WORD },
        { "user_profile", SEGMENT_WORD },
        { "oauth2_token", SEGMENT_WORD },
        { "step_2", SEGMENT_WORD },
        { "deadbeef", SEGMENT_WORD },
        { "facadefacade", SEGMENT_WORD },
        { "my-great-post-of-2024-part-2", SEGMENT_WORD },
        { "OptimizationGuideService", SEGMENT_WORD },
        { "@me", SEGMENT_WORD },
        { "p:batchGet", SEGMENT_WORD },
        { "99999999-12-99", SEGMENT_WORD },
        { "2026-13-01", SEGMENT_WORD },
        { "%zz", SEGMENT_WORD },
        { "%", SEGMENT_WORD },
    };

    (void)state;
    ASSERT_CLASSES(samples, false);
}

static void some_names_are_never_values(void **state)
{
    static const struct sample samples[] = {
        { "", SEGMENT_FIXED },
        { "v1", SEGMENT_FIXED },
        { "v2.3", SEGMENT_FIXED },
        { "v1beta2", SEGMENT_FIXED },
        { "1.1", SEGMENT_FIXED },
        { "2024-10", SEGMENT_FIXED },
        { "en-US", SEGMENT_FIXED },
        { "pt_BR", SEGMENT_FIXED },
        { "me", SEGMENT_FIXED },
        { "search", SEGMENT_FIXED },
        { "app.js", SEGMENT_FIXED },
        { "48213.json", SEGMENT_FIXED },
        { "9f86d081884c7d.css", SEGMENT_FIXED },
    };
    static const struct sample at_the_top[] = {
        { "2010-04-01", SEGMENT_FIXED },
        { "de", SEGMENT_FIXED },
        { "48213", SEGMENT_INT },
    };
    static const struct sample elsewhere[] = { { "de", SEGMENT_WORD }, { ".js", SEGMENT_WORD } };

    (void)state;
    ASSERT_CLASSES(samples, false);
    ASSERT_CLASSES(at_the_top, true);
    ASSERT_CLASSES(elsewhere, false);
}

static void what_nobody_would_type_is_long(void **state)
{
    char text[3 * SEGMENT_MAX_WORD_BYTES + 1];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(segment_classify(span_make(text, SEGMENT_MAX_WORD_BYTES), false), SEGMENT_WORD);
    assert_int_equal(segment_classify(span_make(text, SEGMENT_MAX_WORD_BYTES + 1), false), SEGMENT_LONG);
    assert_int_equal(segment_classify(span_make(text, sizeof(text)), false), SEGMENT_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_known_by_their_looks),
        cmocka_unit_test(words_are_not_values_however_long),
        cmocka_unit_test(some_names_are_never_values),
        cmocka_unit_test(what_nobody_would_type_is_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
