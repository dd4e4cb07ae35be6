#include "capture/keep.h"

#include <string.h>
#include <strings.h>

#include "proxy/base/span.h"

static const struct unit {
    const char *word;
    uint64_t factor;
    bool is_size;
} units[] = {
    /* The largest of each kind first, for telling. */
    { "T", UINT64_C(1) << 40, true },
    { "G", UINT64_C(1) << 30, true },
    { "M", UINT64_C(1) << 20, true },
    { "k", UINT64_C(1) << 10, true },
    { "B", 1, true },
    { "w", UINT64_C(7 * 24 * 3600) * 1000000, false },
    { "d", UINT64_C(24 * 3600) * 1000000, false },
    { "h", UINT64_C(3600) * 1000000, false },
    { "min", UINT64_C(60) * 1000000, false },
    { "s", 1000000, false },
};

#define UNIT_COUNT (sizeof units / sizeof units[0])

/* Sizes as they are spelled elsewhere: any case, with B or iB behind. */
static bool is_unit(const struct unit *unit, struct span word)
{
    if (!unit->is_size)
        return span_ieq(word, span_of(unit->word));
    if (!span_istarts(word, span_of(unit->word)))
        return false;
    word = span_from(word, 1);
    return word.len == 0 || (unit->factor != 1 && (span_ieq(word, SPAN("B")) || span_ieq(word, SPAN("iB"))));
}

static const struct unit *find_unit(struct span word)
{
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (is_unit(&units[i], word))
            return &units[i];
    return NULL;
}

static void narrow(uint64_t *limit, uint64_t value)
{
    if (*limit == 0 || value < *limit)
        *limit = value;
}

static bool parse_part(struct span part, struct keep *keep, struct err *err)
{
    const struct unit *unit = NULL;
    struct span word;
    size_t digits = 0;
    uint64_t value;

    while (digits < part.len && part.ptr[digits] >= '0' && part.ptr[digits] <= '9')
        digits++;
    word = span_from(part, digits);
    if (span_eq(word, SPAN("m")))
        return err_set(err, ERR_USAGE, "'%.*s' may be minutes or megabytes: write %.*smin or %.*sM",
                       SPAN_ARG(part), (int)digits, part.ptr, (int)digits, part.ptr);
    if (word.len != 0)
        unit = find_unit(word);
    if (digits == 0 || (word.len != 0 && unit == NULL))
        return err_set(
            err, ERR_USAGE,
            "'%.*s' is no limit: a number of exchanges like 10000, a size like 500M, or an age like "
            "30min, 12h or 7d",
            SPAN_ARG(part));
    if (!span_u64(span_sub(part, 0, digits), &value) ||
        value > (uint64_t)INT64_MAX / (unit != NULL ? unit->factor : 1))
        return err_set(err, ERR_USAGE, "'%.*s' is too much for a limit", SPAN_ARG(part));
    if (value == 0)
        return err_set(err, ERR_USAGE, "'%.*s' would keep nothing", SPAN_ARG(part));
    narrow(unit == NULL    ? &keep->count
           : unit->is_size ? &keep->bytes
                           : &keep->age_us,
           value * (unit != NULL ? unit->factor : 1));
    return true;
}

bool keep_parse(const char *text, struct keep *out_keep, struct err *err)
{
    struct span rest = span_of(text), part;
    struct keep keep = { 0 };

    do {
        if (!span_split(&rest, ',', &part))
            part = SPAN("");
        if (!parse_part(span_trim(part), &keep, err))
            return false;
    } while (rest.len != 0);
    *out_keep = keep;
    return true;
}

static void add_limit(struct strbuf *out, size_t start, uint64_t value, bool is_size)
{
    if (value == 0)
        return;
    if (out->len != start)
        strbuf_add_char(out, ',');
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (units[i].is_size == is_size && value % units[i].factor == 0) {
            strbuf_printf(out, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].word);
            return;
        }
    }
}

void keep_add_text(struct strbuf *out, const struct keep *keep)
{
    size_t start = out->len;

    if (keep->count != 0)
        strbuf_printf(out, "%llu", (unsigned long long)keep->count);
    add_limit(out, start, keep->bytes, true);
    add_limit(out, start, keep->age_us, false);
}
