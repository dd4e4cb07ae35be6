/* The keys are sorted bytewise. The longest key that begins some text is the greatest one that is not above
 * that text, or one of that key's own prefixes; prefixes are linked. */
#include "capture/export/secret_match.h"

#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* A shorter value in base64 could be there by chance. */
#define MIN_BASE64_BYTES 6
/* Most keys differ from most texts long before this. */
#define FIRST_DECODED_BYTES 64

/* What a key is expected as, in the table of four bytes. */
enum sight {
    SIGHT_TEXT = 1 << 0,
    SIGHT_BASE64 = 1 << 1,   /* the key begins with the first of these characters */
    SIGHT_BASE64_2 = 1 << 2, /* its first 2 bits are in the character before */
    SIGHT_BASE64_4 = 1 << 3,
};

struct key {
    const char *ptr;
    uint32_t len, value;
    uint32_t prefix; /* the longest key that this one begins with; NO_KEY */
};
#define NO_KEY UINT32_MAX

struct secret_match {
    struct key *keys;
    size_t count, longest;
    uint8_t *sights;
    unsigned sight_shift;     /* of a 32-bit hash */
    uint8_t firsts[256];      /* whether a key begins with that byte */
    uint8_t pairs[65536 / 8]; /* a bit for its first two */
};

static uint32_t four_bytes(const char *ptr)
{
    uint32_t bytes;

    memcpy(&bytes, ptr, sizeof bytes);
    return bytes;
}

static uint8_t *sight_of(const struct secret_match *match, uint32_t four)
{
    return &match->sights[(four * 2654435761u) >> match->sight_shift];
}

static unsigned pair_of(const char *ptr)
{
    return (unsigned)(unsigned char)ptr[0] << 8 | (unsigned char)ptr[1];
}

/* --- the keys ------------------------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static bool begins_with(const struct key *key, const struct key *prefix)
{
    return key->len >= prefix->len && memcmp(key->ptr, prefix->ptr, prefix->len) == 0;
}

static void sort_keys(struct secret_match *match)
{
    size_t kept = 0;

    if (match->count == 0)
        return;
    qsort(match->keys, match->count, sizeof(*match->keys), by_bytes);
    for (size_t i = 0; i < match->count; i++) {
        struct key key = match->keys[i];
        uint32_t prefix = kept != 0 ? (uint32_t)(kept - 1) : NO_KEY;

        if (kept != 0 && match->keys[kept - 1].len == key.len && begins_with(&key, &match->keys[kept - 1]))
            continue;
        while (prefix != NO_KEY && !begins_with(&key, &match->keys[prefix]))
            prefix = match->keys[prefix].prefix;
        key.prefix = prefix;
        match->keys[kept++] = key;
    }
    match->count = kept;
}

/* The four characters that bits lead..lead+23 of a key become, in both alphabets. */
static void add_base64_sights(struct secret_match *match, const struct key *key, unsigned lead,
                              enum sight sight)
{
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;

    for (unsigned i = 0; i < 4; i++)
        bits = bits << 8 | (unsigned char)key->ptr[i];
    bits = bits << lead >> 8;
    for (unsigned variant = 0; variant < 16; variant++) {
        char text[4];
        bool is_one = true;

        for (unsigned i = 0; i < 4; i++) {
            char c = standard[bits >> (18 - 6 * i) & 0x3f];
            bool is_url = (variant >> i & 1) != 0;

            is_one = is_one && (!is_url || c == '+' || c == '/');
            text[i] = is_url ? (c == '+' ? '-' : '_') : c;
        }
        if (is_one)
            *sight_of(match, four_bytes(text)) |= (uint8_t)sight;
    }
}

struct secret_match *secret_match_new(const struct span *values, size_t count)
{
    struct secret_match *match = mem_new(struct secret_match);
    unsigned bits = 14;

    match->keys = mem_array(struct key, count + 1);
    match->count = count;
    for (size_t i = 0; i < count; i++)
        match->keys[i] =
            (struct key){ .ptr = values[i].ptr, .len = (uint32_t)values[i].len, .value = (uint32_t)i };
    sort_keys(match);
    while (bits < 24 && (size_t)1 << bits < match->count * 64)
        bits++;
    match->sights = mem_zalloc((size_t)1 << bits);
    match->sight_shift = 32 - bits;
    for (size_t i = 0; i < match->count; i++) {
        const struct key *key = &match->keys[i];

        if (key->len > match->longest)
            match->longest = key->len;
        *sight_of(match, four_bytes(key->ptr)) |= SIGHT_TEXT;
        match->firsts[(unsigned char)key->ptr[0]] = 1;
        match->pairs[pair_of(key->ptr) >> 3] |= (uint8_t)(1u << (pair_of(key->ptr) & 7));
        if (key->len >= MIN_BASE64_BYTES) {
            add_base64_sights(match, key, 0, SIGHT_BASE64);
            add_base64_sights(match, key, 2, SIGHT_BASE64_2);
            add_base64_sights(match, key, 4, SIGHT_BASE64_4);
        }
    }
    return match;
}

void secret_match_free(struct secret_match *match)
{
    if (match == NULL)
        return;
    mem_free(match->keys);
    mem_free(match->sights);
    mem_free(match);
}

/* --- text as it is decoded ----------------------------------------------------------------------------- */

struct reading {
    enum secret_form form;
    struct span rest;
    struct strbuf decoded; /* raw text is read where it stands */
    uint32_t bits;         /* base64: those that make no byte yet */
    unsigned bit_count;
};

static void reading_begin(struct reading *reading, enum secret_form form, struct span text,
                          unsigned skip_bits)
{
    *reading = (struct reading){ .form = form, .rest = text };
    if (form != SECRET_BASE64 || skip_bits == 0)
        return;
    reading->bits = (uint32_t)secret_form_sextet(text.ptr[0]);
    reading->bit_count = 6 - skip_bits;
    reading->rest = span_from(text, 1);
}

/* Lines of base64 are broken anywhere. */
static bool read_base64(struct reading *reading)
{
    while (reading->rest.len != 0) {
        char c = reading->rest.ptr[0];
        int sextet = secret_form_sextet(c);

        if (sextet < 0 && c != '\r' && c != '\n')
            return false;
        reading->rest = span_from(reading->rest, 1);
        if (sextet < 0)
            continue;
        reading->bits = (reading->bits << 6 | (uint32_t)sextet) & 0xffff;
        reading->bit_count += 6;
        if (reading->bit_count >= 8) {
            reading->bit_count -= 8;
            strbuf_add_char(&reading->decoded, (char)(reading->bits >> reading->bit_count & 0xff));
            return true;
        }
    }
    return false;
}

/* At least want bytes, unless there are no more. */
static void reading_fill(struct reading *reading, size_t want)
{
    char unit[SECRET_FORM_UNIT];
    size_t len;

    while (reading->decoded.len < want && reading->rest.len != 0) {
        if (reading->form == SECRET_BASE64) {
            if (!read_base64(reading))
                return;
            continue;
        }
        reading->rest = span_from(reading->rest, secret_form_read(reading->form, reading->rest, unit, &len));
        strbuf_add(&reading->decoded, span_make(unit, len));
    }
}

static struct span reading_have(struct reading *reading, size_t want)
{
    if (reading->form == SECRET_RAW)
        return reading->rest;
    if (want > FIRST_DECODED_BYTES && want > reading->decoded.len)
        want = want > reading->decoded.len * 4 ? want : reading->decoded.len * 4;
    reading_fill(reading, want);
    return strbuf_span(&reading->decoded);
}

static size_t common(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len, i = 0;

    while (i < len && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

/* How key and the text compare: 0 when the text begins with key. *out_common: as far as they are the same. */
static int compare(const struct key *key, struct reading *reading, size_t *out_common)
{
    struct span whole = span_make(key->ptr, key->len), have = reading_have(reading, FIRST_DECODED_BYTES);
    size_t same = common(whole, have);

    if (same == have.len && same < whole.len) {
        have = reading_have(reading, whole.len);
        same += common(span_from(whole, same), span_from(have, same));
    }
    *out_common = same;
    if (same == whole.len)
        return 0;
    if (same == have.len)
        return 1;
    return (unsigned char)whole.ptr[same] < (unsigned char)have.ptr[same] ? -1 : 1;
}

/* The longest key that the text begins with; NO_KEY: none. *out_common: as far as any key goes with it. */
static uint32_t look_up(const struct secret_match *match, struct reading *reading, size_t *out_common)
{
    size_t low = 0, high = match->count, same, best = 0;
    uint32_t key;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&match->keys[middle], reading, &same) <= 0)
            low = middle + 1;
        else
            high = middle;
        best = same > best ? same : best;
    }
    *out_common = best;
    key = low != 0 ? (uint32_t)(low - 1) : NO_KEY;
    while (key != NO_KEY && compare(&match->keys[key], reading, &same) != 0)
        key = match->keys[key].prefix;
    return key;
}

/* --- one place ----------------------------------------------------------------------------------------- */

static void take_longer(struct secret_found *best, struct secret_found found)
{
    if (found.len > best->len)
        *best = found;
}

/* How much of text a value of len bytes takes. */
static size_t spelled_len(enum secret_form form, struct span text, size_t len)
{
    char unit[SECRET_FORM_UNIT];
    size_t at = 0, done = 0, unit_len;

    if (form == SECRET_RAW)
        return len;
    while (done < len && at < text.len) {
        at += secret_form_read(form, span_from(text, at), unit, &unit_len);
        done += unit_len;
    }
    return at;
}

static size_t look_in_form(const struct secret_match *match, enum secret_form form, struct span text,
                           size_t at, struct secret_found *best)
{
    struct reading reading;
    size_t same;
    uint32_t key;

    reading_begin(&reading, form, span_from(text, at), 0);
    key = look_up(match, &reading, &same);
    if (key != NO_KEY)
        take_longer(
            best, (struct secret_found){ .at = at,
                                         .len = spelled_len(form, span_from(text, at), match->keys[key].len),
                                         .value = match->keys[key].value,
                                         .form = form });
    strbuf_clear(&reading.decoded);
    return same;
}

/* Nothing special stands in the first four bytes, so they are the same in every form; the others need a look
 * only when some key goes as far as to where they differ. */
static void look_in_forms(const struct secret_match *match, struct span text, size_t at,
                          struct secret_found *best)
{
    size_t same = look_in_form(match, SECRET_RAW, text, at, best);
    unsigned forms = 0;

    for (size_t i = at; i <= at + same && i < text.len; i++)
        forms |= secret_form_specials[(unsigned char)text.ptr[i]];
    for (unsigned form = SECRET_RAW + 1; forms >> form != 0; form++)
        if ((forms >> form & 1) != 0)
            look_in_form(match, (enum secret_form)form, text, at, best);
}

static bool is_sighted(const struct secret_match *match, enum secret_form form, struct span text)
{
    char four[4 + SECRET_FORM_UNIT];
    size_t len = 0, unit_len;

    while (len < 4) {
        if (text.len == 0)
            return false;
        text = span_from(text, secret_form_read(form, text, four + len, &unit_len));
        len += unit_len;
        if (match->firsts[(unsigned char)four[0]] == 0)
            return false;
    }
    return (*sight_of(match, four_bytes(four)) & SIGHT_TEXT) != 0;
}

/* Whether a key may begin there in any form: what is not special is the same in all of them. */
static bool is_possible(const struct secret_match *match, const char *text)
{
    if (secret_form_specials[(unsigned char)text[0]] != 0)
        return true;
    if (match->firsts[(unsigned char)text[0]] == 0)
        return false;
    return secret_form_specials[(unsigned char)text[1]] != 0 ||
           (match->pairs[pair_of(text) >> 3] >> (pair_of(text) & 7) & 1) != 0;
}

/* Some of the first four bytes is special. */
static void look_with_care(const struct secret_match *match, struct span text, size_t at, unsigned forms,
                           struct secret_found *best)
{
    for (unsigned form = SECRET_RAW + 1; forms >> form != 0; form++)
        if ((forms >> form & 1) != 0 && is_sighted(match, (enum secret_form)form, span_from(text, at)))
            look_in_form(match, (enum secret_form)form, text, at, best);
}

/* The last character, which holds only a part of the value's last byte, and the padding, when they end it. */
static size_t base64_end(struct span text, size_t at)
{
    size_t end = at;

    if (end < text.len && secret_form_sextet(text.ptr[end]) >= 0)
        end++;
    if (end < text.len && secret_form_sextet(text.ptr[end]) >= 0)
        return at;
    while (end < text.len && text.ptr[end] == '=' && end < at + 3)
        end++;
    return end;
}

/* at: the first character that is made of the value's bits alone, of which lead are in the one before. */
static void look_in_base64(const struct secret_match *match, struct span text, size_t at, unsigned lead,
                           struct secret_found *best)
{
    size_t begin = lead != 0 ? at - 1 : at, same, bits, end = at;
    struct reading reading;
    uint32_t key;

    if (begin > at || secret_form_sextet(text.ptr[begin]) < 0)
        return;
    reading_begin(&reading, SECRET_BASE64, span_from(text, begin), lead != 0 ? 6 - lead : 0);
    key = look_up(match, &reading, &same);
    strbuf_clear(&reading.decoded);
    if (key == NO_KEY || match->keys[key].len < MIN_BASE64_BYTES)
        return;
    bits = (size_t)match->keys[key].len * 8 - lead;
    for (size_t left = bits / 6; left != 0; end++)
        left -= secret_form_sextet(text.ptr[end]) >= 0;
    if (bits % 6 != 0 || (end < text.len && text.ptr[end] == '='))
        end = base64_end(text, end);
    take_longer(best,
                (struct secret_found){
                    .at = at, .len = end - at, .value = match->keys[key].value, .form = SECRET_BASE64 });
}

/* --- find ---------------------------------------------------------------------------------------------- */

static bool find_before(const struct secret_match *match, struct span text, size_t from, size_t until,
                        struct secret_found *out_found)
{
    size_t special_end = from; /* places before it may see something special */
    unsigned forms;

    if (match->count == 0 || text.len < SECRET_MATCH_MIN)
        return false;
    if (until > text.len - SECRET_MATCH_MIN + 1)
        until = text.len - SECRET_MATCH_MIN + 1;
    for (size_t i = from; i < from + 3 && i < text.len; i++)
        if (secret_form_specials[(unsigned char)text.ptr[i]] != 0)
            special_end = i + 1;
    for (size_t at = from; at < until; at++) {
        unsigned sights = *sight_of(match, four_bytes(text.ptr + at));
        struct secret_found best;

        if (secret_form_specials[(unsigned char)text.ptr[at + 3]] != 0)
            special_end = at + 4;
        if (sights == 0 && (at >= special_end || !is_possible(match, text.ptr + at)))
            continue;
        best.len = 0;
        if (at < special_end) {
            forms = 0;
            for (size_t i = at; i < at + 4; i++)
                forms |= secret_form_specials[(unsigned char)text.ptr[i]];
            if ((sights & SIGHT_TEXT) != 0)
                look_in_form(match, SECRET_RAW, text, at, &best);
            if (is_possible(match, text.ptr + at))
                look_with_care(match, text, at, forms, &best);
        } else if ((sights & SIGHT_TEXT) != 0) {
            look_in_forms(match, text, at, &best);
        }
        if ((sights & SIGHT_BASE64) != 0)
            look_in_base64(match, text, at, 0, &best);
        if ((sights & SIGHT_BASE64_2) != 0 && at != 0)
            look_in_base64(match, text, at, 2, &best);
        if ((sights & SIGHT_BASE64_4) != 0 && at != 0)
            look_in_base64(match, text, at, 4, &best);
        if (best.len != 0) {
            *out_found = best;
            return true;
        }
    }
    return false;
}

bool secret_match_find(const struct secret_match *match, struct span text, size_t from,
                       struct secret_found *out_found)
{
    return find_before(match, text, from, SIZE_MAX, out_found);
}

/* --- in pieces ----------------------------------------------------------------------------------------- */

/* Moving what is kept to the front must be rare. */
#define SCAN_BYTES (256 * 1024)

struct secret_scan {
    const struct secret_match *match;
    const struct secret_scan_events *events;
    void *self;
    struct strbuf held;
    size_t done;     /* of held: told already, but for one byte that base64 looks back to */
    uint64_t before; /* bytes that came before held */
    size_t reach;    /* the most text that a value may take, with what ends base64 */
};

struct secret_scan *secret_scan_new(const struct secret_match *match, const struct secret_scan_events *events,
                                    void *self)
{
    struct secret_scan *scan = mem_new(struct secret_scan);

    scan->match = match;
    scan->events = events;
    scan->self = self;
    scan->reach = match->longest * SECRET_FORM_MAX_SPREAD + 4;
    return scan;
}

void secret_scan_free(struct secret_scan *scan)
{
    if (scan == NULL)
        return;
    strbuf_clear(&scan->held);
    mem_free(scan);
}

static void tell_text(struct secret_scan *scan, size_t until)
{
    if (scan->events->on_text != NULL && until > scan->done)
        scan->events->on_text(scan->self, span_sub(strbuf_span(&scan->held), scan->done, until - scan->done));
    scan->done = until > scan->done ? until : scan->done;
}

/* Looks at all places before until. */
static bool scan_until(struct secret_scan *scan, size_t until)
{
    struct span text = strbuf_span(&scan->held);
    struct secret_found found;

    while (scan->done < until && find_before(scan->match, text, scan->done, until, &found)) {
        tell_text(scan, found.at);
        scan->done = found.at + found.len;
        if (!scan->events->on_found(scan->self, scan->before + found.at, span_sub(text, found.at, found.len),
                                    found.value, found.form))
            return false;
    }
    tell_text(scan, until);
    if (scan->done > 1) {
        scan->before += scan->done - 1;
        strbuf_drop_front(&scan->held, scan->done - 1);
        scan->done = 1;
    }
    return true;
}

bool secret_scan_feed(struct secret_scan *scan, struct span bytes)
{
    while (bytes.len != 0) {
        size_t room = scan->reach * 2 + SCAN_BYTES - scan->held.len;
        size_t len = bytes.len < room ? bytes.len : room;

        strbuf_add(&scan->held, span_sub(bytes, 0, len));
        bytes = span_from(bytes, len);
        if (scan->held.len == scan->reach * 2 + SCAN_BYTES && !scan_until(scan, scan->held.len - scan->reach))
            return false;
    }
    return true;
}

bool secret_scan_finish(struct secret_scan *scan)
{
    return scan_until(scan, scan->held.len);
}
