#include "capture/field_test.h"

#include "proxy/base/strbuf.h"

static bool is_meant(const struct field_test *test, struct span name, const char *between, struct span value)
{
    struct strbuf line;
    bool answer;

    if (test->name != NULL)
        return pattern_match(test->name, name) &&
               (test->pattern == NULL || pattern_match(test->pattern, value));
    strbuf_init(&line, 0);
    strbuf_add(&line, name);
    strbuf_add_str(&line, between);
    strbuf_add(&line, value);
    answer = test->pattern == NULL || pattern_match(test->pattern, strbuf_span(&line));
    strbuf_clear(&line);
    return answer;
}

bool field_test_header(const struct field_test *test, struct span name, struct span value)
{
    return is_meant(test, name, ": ", value);
}

static bool pair_is_meant(const struct field_test *test, struct span pair)
{
    size_t at = span_find(pair, '=');

    if (at == pair.len)
        return is_meant(test, SPAN(""), "=", span_trim(pair));
    return is_meant(test, span_trim(span_sub(pair, 0, at)), "=", span_trim(span_from(pair, at + 1)));
}

bool field_test_cookie(const struct field_test *test, struct span name, struct span value)
{
    struct span pair;

    if (span_ieq(name, SPAN("Set-Cookie")))
        return span_split(&value, ';', &pair) && pair_is_meant(test, pair);
    if (!span_ieq(name, SPAN("Cookie")))
        return false;
    while (span_split(&value, ';', &pair)) {
        if (span_trim(pair).len != 0 && pair_is_meant(test, pair))
            return true;
    }
    return false;
}
