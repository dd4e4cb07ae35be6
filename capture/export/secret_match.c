/* Keys are values without their doubles, sorted bytewise. The longest key that begins some text is the
 * greatest one that is not above that text, or one of that key's own prefixes; prefixes are linked. */
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

/* What any value that is looked up has in common with some key: so many of its first bytes. */
#define FRONT_BYTES 6

struct secret_match {
    struct span (*value)(const void *self, size_t i);
    const void *self;
    uint32_t *keys;     /* indices of the values in the order of their bytes */
    uint32_t *prefixes; /* of each key the longest other one that it begins with; NO_KEY */
    size_t count, longest;
    uint8_t *sights;
    unsigned sight_shift; /* of a 32-bit hash */
    uint8_t *fronts;      /* a bit for each FRONT_BYTES that a key begins with, and for shorter keys */
    unsigned front_shift;
    bool has_short;
    uint8_t positions[256]; /* bit i: some key has that byte at i, one of its first four */
};
#define NO_KEY UINT32_MAX

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

static struct span key_at(const struct secret_match *match, size_t key)
{
    return match->value(match->self, match->keys[key]);
}

/* The bit of the first len bytes: SECRET_MATCH_MIN or FRONT_BYTES. */
static bool front_bit(const struct secret_match *match, const char *ptr, size_t len, uint8_t **out_byte,
                      uint8_t *out_bit)
{
    uint64_t bytes = len, hash;

    memcpy((char *)&bytes + 1, ptr, len);
    hash = (bytes * UINT64_C(0x9e3779b97f4a7c15)) >> match->front_shift;
    *out_byte = &match->fronts[hash >> 3];
    *out_bit = (uint8_t)(1u << (hash & 7));
    return (**out_byte & *out_bit) != 0;
}

/* --- the keys ------------------------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b, void *self)
{
    const struct secret_match *match = self;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    struct span x = match->value(match->self, i), y = match->value(match->self, j);
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);

    if (order != 0)
        return order;
    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    return i < j ? -1 : i > j;
}

static void sort_keys(struct secret_match *match)
{
    size_t kept = 0;

    qsort_r(match->keys, match->count, sizeof(*match->keys), by_bytes, match);
    for (size_t i = 0; i < match->count; i++) {
        struct span value = key_at(match, i);
        uint32_t prefix = kept != 0 ? (uint32_t)(kept - 1) : NO_KEY;

        if (kept != 0 && span_eq(key_at(match, kept - 1), value))
            continue;
        while (prefix != NO_KEY && !span_starts(value, key_at(match, prefix)))
            prefix = match->prefixes[prefix];
        match->prefixes[kept] = prefix;
        match->keys[kept++] = match->keys[i];
    }
    match->count = kept;
}

/* The four characters that bits lead..lead+23 of a key become, in both alphabets. */
static void add_base64_sights(struct secret_match *match, struct span key, unsigned lead, enum sight sight)
{
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;

    for (unsigned i = 0; i < 4; i++)
        bits = bits << 8 | (unsigned char)key.ptr[i];
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

static void add_key(struct secret_match *match, struct span key)
{
    uint8_t *byte, bit;

    if (key.len > match->longest)
        match->longest = key.len;
    match->has_short = match->has_short || key.len < FRONT_BYTES;
    front_bit(match, key.ptr, key.len < FRONT_BYTES ? SECRET_MATCH_MIN : FRONT_BYTES, &byte, &bit);
    *byte |= bit;
    *sight_of(match, four_bytes(key.ptr)) |= SIGHT_TEXT;
    for (unsigned i = 0; i < 4; i++)
        match->positions[(unsigned char)key.ptr[i]] |= (uint8_t)(1u << i);
    if (key.len < MIN_BASE64_BYTES)
        return;
    add_base64_sights(match, key, 0, SIGHT_BASE64);
    add_base64_sights(match, key, 2, SIGHT_BASE64_2);
    add_base64_sights(match, key, 4, SIGHT_BASE64_4);
}

struct secret_match *secret_match_new(struct span (*value)(const void *self, size_t i), const void *self,
                                      uint32_t *which, size_t count)
{
    struct secret_match *match = mem_new(struct secret_match);
    unsigned sight_bits = 14, front_bits = 13;

    match->value = value;
    match->self = self;
    match->keys = which;
    match->count = count;
    match->prefixes = mem_array(uint32_t, count + 1);
    sort_keys(match);
    while (sight_bits < 23 && (size_t)1 << sight_bits < match->count * 64)
        sight_bits++;
    while (front_bits < 25 && (size_t)1 << front_bits < match->count * 32)
        front_bits++;
    match->sights = mem_zalloc((size_t)1 << sight_bits);
    match->sight_shift = 32 - sight_bits;
    match->fronts = mem_zalloc((size_t)1 << (front_bits - 3));
    match->front_shift = 64 - front_bits;
    for (size_t i = 0; i < match->count; i++)
        add_key(match, key_at(match, i));
    return match;
}

void secret_match_free(struct secret_match *match)
{
    if (match == NULL)
        return;
    mem_free(match->keys);
    mem_free(match->prefixes);
    mem_free(match->sights);
    mem_free(match->fronts);
    mem_free(match);
}

size_t secret_match_longest(const struct secret_match *match)
{
    return match->longest;
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
    size_t used;

    *reading = (struct reading){ .form = form, .rest = text };
    if (form != SECRET_BASE64 || skip_bits == 0)
        return;
    reading->bits = (uint32_t)secret_form_read_sextet(text, &used);
    reading->bit_count = 6 - skip_bits;
    reading->rest = span_from(text, used);
}

static bool read_base64(struct reading *reading)
{
    size_t gap = 0, used;

    while (reading->rest.len != 0 && gap <= SECRET_SEXTET_MAX_BREAK) {
        int sextet = secret_form_read_sextet(reading->rest, &used);

        if (sextet < 0 && sextet != SECRET_SEXTET_BREAK)
            return false;
        reading->rest = span_from(reading->rest, used);
        gap = sextet < 0 ? gap + used : 0;
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

/* How the key that is whole and the text compare: 0 when the text begins with the key. *out_common: as far as
 * they are the same. */
static int compare(struct span whole, struct reading *reading, size_t *out_common)
{
    struct span have = reading_have(reading, FIRST_DECODED_BYTES);
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

        if (compare(key_at(match, middle), reading, &same) <= 0)
            low = middle + 1;
        else
            high = middle;
        best = same > best ? same : best;
    }
    *out_common = best;
    key = low != 0 ? (uint32_t)(low - 1) : NO_KEY;
    while (key != NO_KEY && compare(key_at(match, key), reading, &same) != 0)
        key = match->prefixes[key];
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

/* Returns how far any key goes with it. */
static size_t look_in_form(const struct secret_match *match, enum secret_form form, struct span text,
                           size_t at, struct secret_found *best)
{
    struct reading reading;
    size_t same;
    uint32_t key;

    reading_begin(&reading, form, span_from(text, at), 0);
    key = look_up(match, &reading, &same);
    if (key != NO_KEY)
        take_longer(best, (struct secret_found){
                              .at = at,
                              .len = spelled_len(form, span_from(text, at), key_at(match, key).len),
                              .value = match->keys[key],
                              .form = form });
    strbuf_clear(&reading.decoded);
    return same;
}

/* Whether a key may begin with the len bytes, of which all are known when there are FRONT_BYTES. */
static bool is_front(const struct secret_match *match, const char *bytes, size_t len)
{
    uint8_t *byte, bit;

    return (len >= FRONT_BYTES && front_bit(match, bytes, FRONT_BYTES, &byte, &bit)) ||
           (match->has_short && len >= SECRET_MATCH_MIN &&
            front_bit(match, bytes, SECRET_MATCH_MIN, &byte, &bit));
}

static bool is_sighted(const struct secret_match *match, enum secret_form form, struct span text)
{
    char front[FRONT_BYTES + SECRET_FORM_UNIT];
    size_t len = 0, unit_len;

    while (len < FRONT_BYTES && text.len != 0) {
        text = span_from(text, secret_form_read(form, text, front + len, &unit_len));
        len += unit_len;
        if (len < 4 && (match->positions[(unsigned char)front[len - 1]] >> (len - 1) & 1) == 0)
            return false;
    }
    return len >= 4 && (*sight_of(match, four_bytes(front)) & SIGHT_TEXT) != 0 && is_front(match, front, len);
}

static unsigned specials_in(struct span text, size_t at, size_t end)
{
    unsigned forms = 0;

    for (size_t i = at; i < end && i < text.len; i++)
        forms |= secret_form_specials[(unsigned char)text.ptr[i]];
    return forms & ~(1u << SECRET_BASE64);
}

/* The text stands there as some key begins: what is not special in its first bytes is the same in all forms,
 * and the others need a look only when some key goes as far as to where they differ. Returns those. */
static unsigned look_raw(const struct secret_match *match, struct span text, size_t at,
                         struct secret_found *best)
{
    unsigned near = specials_in(text, at, at + FRONT_BYTES);

    if (near == 0 && !is_front(match, text.ptr + at, text.len - at))
        return 0;
    return specials_in(text, at, at + look_in_form(match, SECRET_RAW, text, at, best) + 1);
}

/* --- base64 -------------------------------------------------------------------------------------------- */

/* The sights of four characters of which some are spelled in another way, or have a line break between. */
static unsigned base64_sights(const struct secret_match *match, struct span text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char four[4];
    size_t len = 0, gap = 0, used;

    while (len < sizeof four) {
        int sextet = secret_form_read_sextet(text, &used);

        if (sextet < 0 && (sextet != SECRET_SEXTET_BREAK || len == 0 || gap > SECRET_SEXTET_MAX_BREAK))
            return 0;
        gap = sextet < 0 ? gap + used : 0;
        if (sextet >= 0)
            four[len++] = alphabet[sextet];
        text = span_from(text, used);
    }
    return *sight_of(match, four_bytes(four)) & ~(unsigned)SIGHT_TEXT;
}

/* The last character, which holds only a part of the value's last byte, and the padding, when they end it. */
static size_t base64_end(struct span text, size_t at)
{
    size_t end = at, used;
    int sextet = secret_form_read_sextet(span_from(text, end), &used);

    if (sextet >= 0) {
        end += used;
        sextet = secret_form_read_sextet(span_from(text, end), &used);
        if (sextet >= 0)
            return at;
    }
    for (unsigned pads = 0; sextet == SECRET_SEXTET_PAD && pads < 2; pads++) {
        end += used;
        sextet = secret_form_read_sextet(span_from(text, end), &used);
    }
    return end;
}

/* at: the first character that is made of the value's bits alone, of which lead are in the one before. */
static void look_in_base64(const struct secret_match *match, struct span text, size_t at, unsigned lead,
                           struct secret_found *best)
{
    size_t begin = lead != 0 ? secret_form_sextet_before(text, at) : at, same, bits, end = at, used;
    struct reading reading;
    struct span front;
    uint32_t key = NO_KEY;

    if (begin == SIZE_MAX)
        return;
    reading_begin(&reading, SECRET_BASE64, span_from(text, begin), lead != 0 ? 6 - lead : 0);
    front = reading_have(&reading, FRONT_BYTES);
    if (is_front(match, front.ptr, front.len))
        key = look_up(match, &reading, &same);
    strbuf_clear(&reading.decoded);
    if (key == NO_KEY || key_at(match, key).len < MIN_BASE64_BYTES)
        return;
    bits = key_at(match, key).len * 8 - lead;
    for (size_t left = bits / 6; left != 0; end += used)
        left -= secret_form_read_sextet(span_from(text, end), &used) >= 0;
    if (bits % 6 != 0 || secret_form_read_sextet(span_from(text, end), &used) == SECRET_SEXTET_PAD)
        end = base64_end(text, end);
    take_longer(best, (struct secret_found){
                          .at = at, .len = end - at, .value = match->keys[key], .form = SECRET_BASE64 });
}

/* --- find ---------------------------------------------------------------------------------------------- */

/* The places at which a key may begin when so near behind it stands what is spelled in another way: a bit of
 * form in a byte for each of four places, the first one lowest. */
static uint32_t places_of(const struct secret_match *match, char byte, enum secret_form form)
{
    static const uint32_t spread[16] = { 0x00000000, 0x01000000, 0x00010000, 0x01010000,
                                         0x00000100, 0x01000100, 0x00010100, 0x01010100,
                                         0x00000001, 0x01000001, 0x00010001, 0x01010001,
                                         0x00000101, 0x01000101, 0x00010101, 0x01010101 };

    return spread[match->positions[(unsigned char)byte]] << form;
}

static uint32_t base64_places(struct span text, size_t at, char byte)
{
    bool is_break = byte == '\r' || byte == '\n';

    if (is_break ? at == 0 || secret_form_sextet(text.ptr[at - 1]) < 0 : secret_form_sextet(byte) < 0)
        return 0;
    return UINT32_C(0x01010101) << SECRET_BASE64;
}

static uint32_t escape_places(const struct secret_match *match, struct span text, size_t at)
{
    struct span rest = span_from(text, at);
    char unit[SECRET_FORM_UNIT];
    uint32_t out = 0;
    size_t len;

    if (secret_form_read(SECRET_ESCAPED, rest, unit, &len) != 1) {
        out = places_of(match, unit[0], SECRET_ESCAPED);
        if (rest.ptr[1] != '\\' && rest.ptr[1] != 'u' && rest.ptr[1] != 'x') /* twice is the same */
            return out | places_of(match, unit[0], SECRET_ESCAPED_TWICE) | base64_places(text, at, unit[0]);
    }
    if (secret_form_read(SECRET_ESCAPED_TWICE, rest, unit, &len) == 1)
        return out;
    return out | places_of(match, unit[0], SECRET_ESCAPED_TWICE) |
           (len == 1 ? base64_places(text, at, unit[0]) : 0);
}

/* Of the four places whose first four bytes have in them what is special at at: the forms in which a key may
 * begin there. Nearly always what an escape stands for begins no key. */
static uint32_t forms_before(const struct secret_match *match, struct span text, size_t at)
{
    char unit[SECRET_FORM_UNIT], c = text.ptr[at];
    enum secret_form form = c == '%' ? SECRET_PERCENT : c == '&' ? SECRET_HTML : SECRET_LATIN1;
    uint32_t out;
    size_t len;

    if (c == '\r' || c == '\n')
        return base64_places(text, at, c);
    if (c == '+')
        return places_of(match, ' ', SECRET_FORM);
    if (c == '\\')
        return escape_places(match, text, at);
    if (secret_form_read(form, span_from(text, at), unit, &len) == 1)
        return 0;
    out = places_of(match, unit[0], form);
    if (form == SECRET_PERCENT)
        out |= places_of(match, unit[0], SECRET_FORM);
    return len == 1 ? out | base64_places(text, at, unit[0]) : out;
}

/* forms: those in which the first four bytes are not what they look like. */
static bool look_at_place(const struct secret_match *match, struct span text, size_t at, unsigned forms,
                          struct secret_found *out_found)
{
    unsigned sights = *sight_of(match, four_bytes(text.ptr + at)), further = 0;
    struct secret_found best = { .len = 0 };

    if ((sights & SIGHT_TEXT) != 0)
        further = look_raw(match, text, at, &best);
    for (unsigned form = SECRET_RAW + 1; form < SECRET_BASE64; form++)
        if ((further >> form & 1) != 0 ||
            ((forms >> form & 1) != 0 && is_sighted(match, (enum secret_form)form, span_from(text, at))))
            look_in_form(match, (enum secret_form)form, text, at, &best);
    if ((forms >> SECRET_BASE64 & 1) != 0)
        sights |= base64_sights(match, span_from(text, at));
    if ((sights & SIGHT_BASE64) != 0)
        look_in_base64(match, text, at, 0, &best);
    if ((sights & SIGHT_BASE64_2) != 0)
        look_in_base64(match, text, at, 2, &best);
    if ((sights & SIGHT_BASE64_4) != 0)
        look_in_base64(match, text, at, 4, &best);
    *out_found = best;
    return best.len != 0;
}

/* Whether no key begins at the four places from there on, whose last bytes are the seven that follow. */
static bool are_four_clear(const struct secret_match *match, const char *text)
{
    const uint8_t *specials = secret_form_specials;
    const unsigned char *next = (const unsigned char *)text + 3;

    return (*sight_of(match, four_bytes(text)) | *sight_of(match, four_bytes(text + 1)) |
            *sight_of(match, four_bytes(text + 2)) | *sight_of(match, four_bytes(text + 3)) |
            specials[next[0]] | specials[next[1]] | specials[next[2]] | specials[next[3]]) == 0;
}

bool secret_match_find_before(const struct secret_match *match, struct span text, size_t from, size_t until,
                              struct secret_found *out_found)
{
    uint32_t forms = 0; /* of at and the three places after it, a byte each */

    if (match->count == 0 || text.len < SECRET_MATCH_MIN || from >= text.len)
        return false;
    if (until > text.len - SECRET_MATCH_MIN + 1)
        until = text.len - SECRET_MATCH_MIN + 1;
    for (size_t i = from; i < from + 3 && i < text.len; i++)
        if (secret_form_specials[(unsigned char)text.ptr[i]] != 0)
            forms |= forms_before(match, text, i) >> 8 * (3 - (i - from));
    for (size_t at = from; at < until;) {
        size_t end = at + 4;

        if (end <= until && forms == 0 && are_four_clear(match, text.ptr + at)) {
            at = end;
            continue;
        }
        for (; at < end && at < until; at++, forms >>= 8) {
            if (secret_form_specials[(unsigned char)text.ptr[at + 3]] != 0)
                forms |= forms_before(match, text, at + 3);
            if (((forms & 0xff) != 0 || *sight_of(match, four_bytes(text.ptr + at)) != 0) &&
                look_at_place(match, text, at, forms & 0xff, out_found))
                return true;
        }
    }
    return false;
}

bool secret_match_find(const struct secret_match *match, struct span text, size_t from,
                       struct secret_found *out_found)
{
    return secret_match_find_before(match, text, from, SIZE_MAX, out_found);
}
