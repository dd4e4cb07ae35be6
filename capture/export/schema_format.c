#include "capture/export/schema_format.h"

#include "capture/export/schema_node.h"
#include "capture/export/segment.h"

#define MAX_WORD_BYTES 40

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* 'd' in the pattern is a digit, anything else itself. */
static bool matches(struct span text, const char *pattern)
{
    size_t len = strlen(pattern);

    if (text.len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (pattern[i] == 'd' ? !is_digit(text.ptr[i]) : text.ptr[i] != pattern[i])
            return false;
    return true;
}

static unsigned two_digits(struct span text, size_t at)
{
    return (unsigned)(text.ptr[at] - '0') * 10 + (unsigned)(text.ptr[at + 1] - '0');
}

static bool is_date(struct span text)
{
    unsigned month, day;

    if (!matches(text, "dddd-dd-dd"))
        return false;
    month = two_digits(text, 5);
    day = two_digits(text, 8);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* RFC 3339 §5.6. */
static bool is_date_time(struct span text)
{
    if (!is_date(text) || text.len < 20 || (text.ptr[10] | 0x20) != 't')
        return false;
    text = span_from(text, 11);
    if (!matches(text, "dd:dd:dd") || two_digits(text, 0) > 23 || two_digits(text, 3) > 59 ||
        two_digits(text, 6) > 60)
        return false;
    text = span_from(text, 8);
    if (text.len > 1 && text.ptr[0] == '.') {
        text = span_from(text, 1);
        if (!is_digit(text.ptr[0]))
            return false;
        while (text.len != 0 && is_digit(text.ptr[0]))
            text = span_from(text, 1);
    }
    if (text.len == 1)
        return (text.ptr[0] | 0x20) == 'z';
    return text.len == 6 && (matches(text, "+dd:dd") || matches(text, "-dd:dd"));
}

static bool is_email(struct span text)
{
    size_t at = span_find(text, '@');
    struct span domain = span_from(text, at < text.len ? at + 1 : at);
    size_t dot = span_find(domain, '.');

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f || strchr("/:<>()\",;", text.ptr[i]) != NULL)
            return false;
    return at != 0 && at < text.len && span_find(domain, '@') == domain.len && dot != 0 &&
           dot + 1 < domain.len && domain.ptr[domain.len - 1] != '.';
}

/* With an authority: "urn:x" and "mailto:x" are too easily something else. */
static bool is_uri(struct span text)
{
    size_t colon = span_find(text, ':');

    if (colon == 0 || !span_starts(span_from(text, colon), SPAN("://")) || text.len == colon + 3)
        return false;
    for (size_t i = 0; i < colon; i++)
        if (!is_letter(text.ptr[i]) &&
            (i == 0 || (!is_digit(text.ptr[i]) && strchr("+-.", text.ptr[i]) == NULL)))
            return false;
    for (size_t i = colon; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || strchr("\"<>\\^`{|}", text.ptr[i]) != NULL)
            return false;
    return true;
}

static bool is_ipv4(struct span text)
{
    struct span part;
    size_t parts = 0;
    uint64_t number;

    if (text.len == 0 || text.ptr[text.len - 1] == '.')
        return false;
    while (span_split(&text, '.', &part)) {
        if (part.len > 3 || !span_u64(part, &number) || number > 255 || (part.len > 1 && part.ptr[0] == '0'))
            return false;
        parts++;
    }
    return parts == 4;
}

unsigned schema_format_of(struct span text)
{
    if (is_date(text) && text.len == 10)
        return SCHEMA_DATE;
    if (is_date_time(text))
        return SCHEMA_DATE_TIME;
    if (text.len == 36 && segment_classify(text, false) == SEGMENT_UUID)
        return SCHEMA_UUID;
    if (is_email(text))
        return SCHEMA_EMAIL;
    if (is_uri(text))
        return SCHEMA_URI;
    return is_ipv4(text) ? SCHEMA_IPV4 : 0;
}

const char *schema_format_name(unsigned format)
{
    static const char *const names[] = { "date-time", "date", "uuid", "email", "uri", "ipv4" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (format == 1u << i)
            return names[i];
    return NULL;
}

bool schema_format_is_word(struct span text)
{
    enum segment_class class;

    if (text.len == 0 || text.len > MAX_WORD_BYTES || span_find(text, '%') < text.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_letter(text.ptr[i]) && !is_digit(text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr("-_./+: ", text.ptr[i]) == NULL))
            return false;
    class = segment_classify(text, false);
    return !segment_is_value(class) && class != SEGMENT_SMALL_INT && schema_format_of(text) == 0;
}
