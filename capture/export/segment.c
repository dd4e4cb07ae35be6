#include "capture/export/segment.h"

#include "capture/export/secrets.h"

/* Raw bytes in which at most SEGMENT_MAX_WORD_BYTES can be written. */
#define MAX_RAW_BYTES (3 * SEGMENT_MAX_WORD_BYTES)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c);
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool all(struct span s, bool (*is)(char c))
{
    for (size_t i = 0; i < s.len; i++)
        if (!is(s.ptr[i]))
            return false;
    return s.len != 0;
}

static bool is_hex(char c)
{
    return hex_value(c) >= 0;
}

static bool is_in(const char *const *list, struct span word)
{
    for (; *list != NULL; list++)
        if (span_ieq(word, span_of(*list)))
            return true;
    return false;
}

/* False: more than the room. */
static bool decode(struct span raw, char *room, struct span *out)
{
    size_t len = 0;

    if (raw.len > MAX_RAW_BYTES)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '%' && i + 2 < raw.len && is_hex(raw.ptr[i + 1]) && is_hex(raw.ptr[i + 2])) {
            room[len++] = (char)(hex_value(raw.ptr[i + 1]) * 16 + hex_value(raw.ptr[i + 2]));
            i += 2;
        } else {
            room[len++] = raw.ptr[i];
        }
    }
    *out = span_make(room, len);
    return len <= SEGMENT_MAX_WORD_BYTES;
}

/* --- dates and versions -------------------------------------------------------------------------------- */

static unsigned number(struct span s, size_t at, size_t len)
{
    uint64_t value = 0;

    return at + len <= s.len && span_u64(span_sub(s, at, len), &value) ? (unsigned)value : UINT32_MAX;
}

static bool is_month(struct span s)
{
    unsigned year = number(s, 0, 4), month = number(s, 5, 2);

    return s.len >= 7 && s.ptr[4] == '-' && year >= 1900 && year < 2200 && month >= 1 && month <= 12;
}

/* YYYY-MM-DD, and what may follow: a time of day with its zone. */
static bool is_date(struct span s)
{
    unsigned day = number(s, 8, 2);

    if (s.len < 10 || !is_month(s) || s.ptr[7] != '-' || day < 1 || day > 31)
        return false;
    if (s.len == 10)
        return true;
    if (s.ptr[10] != 'T' && s.ptr[10] != 't' && s.ptr[10] != ' ')
        return false;
    for (size_t i = 11; i < s.len; i++)
        if (!is_digit(s.ptr[i]) && strchr(":.+-Zz", s.ptr[i]) == NULL)
            return false;
    return s.len > 11;
}

/* "1.1", "v2", "v1beta2": numbers with dots, which need a 'v' when there is but one. */
static bool is_numbered(struct span s)
{
    bool has_v = s.ptr[0] == 'v' || s.ptr[0] == 'V';
    size_t i = has_v, dots = 0, digits = 0;

    for (; i < s.len && (is_digit(s.ptr[i]) || (s.ptr[i] == '.' && digits != 0)); i++) {
        dots += s.ptr[i] == '.';
        digits += is_digit(s.ptr[i]);
    }
    if (digits == 0 || digits > 6 || s.ptr[i - 1] == '.' || dots > 2)
        return false;
    if (has_v &&
        (span_istarts(span_from(s, i), SPAN("alpha")) || span_istarts(span_from(s, i), SPAN("beta"))))
        for (i += to_lower(s.ptr[i]) == 'a' ? 5 : 4; i < s.len && is_digit(s.ptr[i]);)
            i++;
    return i == s.len && (has_v || dots != 0);
}

static bool is_version(struct span s, bool is_top)
{
    return s.len != 0 &&
           (is_numbered(s) || (is_month(s) && (s.len == 7 || (is_top && s.len == 10 && is_date(s)))));
}

bool segment_is_version(struct span raw, bool is_top)
{
    char room[MAX_RAW_BYTES];
    struct span s;

    return decode(raw, room, &s) && is_version(s, is_top);
}

/* --- what is never a value ----------------------------------------------------------------------------- */

/* "en-US", "pt_BR"; alone, two letters are a language only where sites put it. */
static bool is_locale(struct span s, bool is_top)
{
    if (s.len == 2)
        return is_top && is_lower(s.ptr[0]) && is_lower(s.ptr[1]);
    return s.len == 5 && (s.ptr[2] == '-' || s.ptr[2] == '_') && is_lower(s.ptr[0]) && is_lower(s.ptr[1]) &&
           all(span_from(s, 3), is_upper);
}

static bool is_file(struct span s)
{
    static const char *const extensions[] = {
        "html", "htm",   "xhtml", "php",         "asp",      "aspx", "jsp",  "do",    "js",  "mjs",  "cjs",
        "css",  "map",   "json",  "jsonl",       "xml",      "xsd",  "wsdl", "txt",   "csv", "tsv",  "pdf",
        "png",  "jpg",   "jpeg",  "gif",         "webp",     "avif", "svg",  "ico",   "bmp", "tiff", "woff",
        "ttf",  "woff2", "otf",   "eot",         "mp3",      "mp4",  "webm", "ogg",   "wav", "m4a",  "m4s",
        "m3u8", "ts",    "mpd",   "vtt",         "zip",      "gz",   "tgz",  "tar",   "br",  "zst",  "7z",
        "wasm", "yaml",  "yml",   "webmanifest", "md",       "rss",  "atom", "proto", "doc", "docx", "xls",
        "xlsx", "ppt",   "pptx",  "apk",         "ipa",      "dmg",  "exe",  "msi",   "bin", "deb",  "rpm",
        "crx",  "jar",   "pem",   "crt",         "appcache", NULL,
    };
    const char *dot = s.len != 0 ? memrchr(s.ptr, '.', s.len) : NULL;

    return dot != NULL && dot != s.ptr && is_in(extensions, span_from(s, (size_t)(dot + 1 - s.ptr)));
}

static bool is_fixed(struct span s, bool is_top)
{
    static const char *const words[] = {
        "me",   "self",  "current", "latest", "search",   "new",    "edit",    "count", "batch",
        "bulk", "first", "last",    "next",   "previous", "random", "default", "all",   NULL,
    };

    return is_version(s, is_top) || is_locale(s, is_top) || is_in(words, s) || is_file(s);
}

/* --- values -------------------------------------------------------------------------------------------- */

static bool is_uuid(struct span s)
{
    if (s.len != 36)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? s.ptr[i] != '-' : !is_hex(s.ptr[i]))
            return false;
    }
    return true;
}

/* 26 digits of Crockford's base 32, 128 bits of them: the first is at most 7. */
static bool is_ulid(struct span s)
{
    size_t digits = 0;

    if (s.len != 26 || s.ptr[0] < '0' || s.ptr[0] > '7')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!is_alnum(c) || strchr("ilou", to_lower(c)) != NULL ||
            (is_lower(c) != is_lower(s.ptr[25]) && !is_digit(c) && !is_digit(s.ptr[25])))
            return false;
        digits += is_digit(c);
    }
    return digits >= 2;
}

static bool is_hex_value(struct span s)
{
    static const struct span names[] = {
        { "md5", 3 }, { "sha1", 4 }, { "sha256", 6 }, { "sha384", 6 }, { "sha512", 6 }
    };
    size_t digits = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (s.len > names[i].len && span_istarts(s, names[i]) &&
            (s.ptr[names[i].len] == ':' || s.ptr[names[i].len] == '-'))
            s = span_from(s, names[i].len + 1);
    for (size_t i = 0; i < s.len; i++)
        digits += is_digit(s.ptr[i]);
    return s.len >= 12 && digits != 0 && all(s, is_hex);
}

static bool is_email(struct span s)
{
    size_t at = span_find(s, '@');
    struct span domain = span_from(s, at < s.len ? at + 1 : at);
    size_t dot = span_find(domain, '.');

    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == ' ' || s.ptr[i] == '/' || s.ptr[i] == ':')
            return false;
    return at != 0 && span_find(domain, '@') == domain.len && dot != 0 && dot + 1 < domain.len;
}

/* How often the kind of character changes: digits, capitals, small letters. The first letter of a word in
 * CamelCase is none, nor is what happens at a dash: words have few changes, what a machine made has many. */
static size_t changes(struct span s)
{
    size_t count = 0;

    for (size_t i = 1; i < s.len; i++) {
        char a = s.ptr[i - 1], b = s.ptr[i];

        if (!is_alnum(a) || !is_alnum(b) || (is_upper(a) && is_lower(b)))
            continue;
        count += is_digit(a) != is_digit(b) || is_upper(a) != is_upper(b);
    }
    return count;
}

static size_t distinct(struct span s)
{
    bool seen[256] = { false };
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++) {
        count += !seen[(unsigned char)s.ptr[i]];
        seen[(unsigned char)s.ptr[i]] = true;
    }
    return count;
}

static bool is_base64url(char c)
{
    return is_alnum(c) || c == '-' || c == '_';
}

/* A text of 20 random characters has 17 different ones and 9 changes; words with a number in them have fewer
 * changes. 12 different ones are the least that can carry 3.5 bits each. */
static bool is_opaque(struct span s)
{
    while (s.len != 0 && s.ptr[s.len - 1] == '=')
        s.len--;
    return s.len >= 20 && all(s, is_base64url) && changes(s) * 4 >= s.len - 1 && distinct(s) >= 12;
}

/* "cus_9s6XKzkNRiz8i3", "cs_test_a1b2...", "order_12345": a name in small letters, then what is none. */
static bool is_prefixed(struct span s)
{
    const char *bar = s.len != 0 ? memrchr(s.ptr, '_', s.len) : NULL;
    size_t name_len = bar != NULL ? (size_t)(bar - s.ptr) : 0;
    struct span rest = span_from(s, bar != NULL ? name_len + 1 : s.len);

    if (name_len < 2 || name_len > 24)
        return false;
    for (size_t i = 0; i < name_len; i++)
        if (!is_lower(s.ptr[i]) && (s.ptr[i] != '_' || i == 0))
            return false;
    if (rest.len >= 5 && all(rest, is_digit))
        return true;
    return rest.len >= 8 && all(rest, is_alnum) && changes(rest) >= 3;
}

static bool is_integer(struct span s)
{
    if (s.len > 1 && s.ptr[0] == '-')
        s = span_from(s, 1);
    return all(s, is_digit);
}

enum segment_class segment_classify(struct span raw, bool is_top)
{
    char room[MAX_RAW_BYTES];
    struct span s;

    if (!decode(raw, room, &s))
        return SEGMENT_LONG;
    if (s.len == 0)
        return SEGMENT_FIXED;
    if (is_integer(s))
        return s.len - (s.ptr[0] == '-') >= 5 ? SEGMENT_INT : SEGMENT_SMALL_INT;
    if (is_email(s))
        return SEGMENT_EMAIL;
    if (is_fixed(s, is_top))
        return SEGMENT_FIXED;
    if (is_uuid(s))
        return SEGMENT_UUID;
    if (is_ulid(s))
        return SEGMENT_ULID;
    if (is_hex_value(s))
        return SEGMENT_HEX;
    if (is_date(s))
        return SEGMENT_DATE;
    if (span_starts(s, SPAN(SECRET_MASK_PREFIX)))
        return SEGMENT_OPAQUE;
    if (is_prefixed(s))
        return SEGMENT_PREFIXED;
    return is_opaque(s) ? SEGMENT_OPAQUE : SEGMENT_WORD;
}

const char *segment_class_text(enum segment_class class, bool is_one)
{
    static const char *const texts[SEGMENT_CLASSES][2] = {
        [SEGMENT_WORD] = { "words", "word" },
        [SEGMENT_FIXED] = { "fixed names", "fixed name" },
        [SEGMENT_SMALL_INT] = { "integers", "integer" },
        [SEGMENT_INT] = { "integers", "integer" },
        [SEGMENT_UUID] = { "UUIDs", "UUID" },
        [SEGMENT_ULID] = { "ULIDs", "ULID" },
        [SEGMENT_HEX] = { "hashes", "hash" },
        [SEGMENT_EMAIL] = { "e-mail addresses", "e-mail address" },
        [SEGMENT_DATE] = { "dates", "date" },
        [SEGMENT_PREFIXED] = { "prefixed ids", "prefixed id" },
        [SEGMENT_OPAQUE] = { "opaque ids", "opaque id" },
        [SEGMENT_LONG] = { "long texts", "long text" },
    };

    return texts[class][is_one];
}
