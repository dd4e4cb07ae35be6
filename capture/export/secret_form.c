#include "capture/export/secret_form.h"

#include "proxy/base/utf8.h"

#define BIT(form)  (1u << (form))
#define ANY_ESCAPE (BIT(SECRET_ESCAPED) | BIT(SECRET_ESCAPED_TWICE))

const uint8_t secret_form_specials[256] = {
    ['%'] = BIT(SECRET_PERCENT) | BIT(SECRET_FORM) | BIT(SECRET_BASE64),
    ['+'] = BIT(SECRET_FORM),
    ['\\'] = ANY_ESCAPE | BIT(SECRET_BASE64),
    ['\r'] = BIT(SECRET_BASE64),
    ['\n'] = BIT(SECRET_BASE64),
    ['&'] = BIT(SECRET_HTML) | BIT(SECRET_BASE64),
    [0xc2] = BIT(SECRET_LATIN1),
    [0xc3] = BIT(SECRET_LATIN1),
};

/* clang-format off */
const uint8_t secret_form_sextets[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10,  ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['-'] = 63,
    ['/'] = 64, ['_'] = 64,
};
/* clang-format on */

const char *secret_form_name(enum secret_form form)
{
    static const char *const names[SECRET_FORM_COUNT] = {
        [SECRET_RAW] = "raw",       [SECRET_PERCENT] = "percent",    [SECRET_FORM] = "form",
        [SECRET_ESCAPED] = "json",  [SECRET_ESCAPED_TWICE] = "json", [SECRET_HTML] = "html",
        [SECRET_LATIN1] = "latin1", [SECRET_BASE64] = "base64",
    };

    return names[form];
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* count digits at the front of text; -1: they are not there. */
static long hex_digits(struct span text, size_t count)
{
    long value = 0;

    if (text.len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (hex(text.ptr[i]) < 0)
            return -1;
        value = value << 4 | hex(text.ptr[i]);
    }
    return value;
}

static size_t read_itself(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    out[0] = text.ptr[0];
    *out_len = 1;
    return 1;
}

static size_t read_percent(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    long byte = hex_digits(span_from(text, 1), 2);

    if (byte < 0)
        return read_itself(text, out, out_len);
    out[0] = (char)byte;
    *out_len = 1;
    return 3;
}

/* A pair of surrogates is one code point; half of one is nothing that a value could have. */
static size_t read_unicode_escape(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    long code = hex_digits(span_from(text, 2), 4), low;

    if (code < 0)
        return read_itself(text, out, out_len);
    if (code >= 0xd800 && code <= 0xdbff && text.len >= 12 && text.ptr[6] == '\\' && text.ptr[7] == 'u') {
        low = hex_digits(span_from(text, 8), 4);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *out_len = utf8_put(out, (unsigned)(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)));
            return 12;
        }
    }
    *out_len = utf8_put(out, (unsigned)code);
    return 6;
}

static size_t read_escape(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    static const char bytes[256] = {
        ['b'] = '\b',  ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t', ['"'] = '"',
        ['\\'] = '\\', ['/'] = '/',  ['\''] = '\'', ['`'] = '`',  ['$'] = '$',  ['!'] = '!'
    };
    long byte;

    if (text.len < 2)
        return read_itself(text, out, out_len);
    if (text.ptr[1] == 'u')
        return read_unicode_escape(text, out, out_len);
    if (text.ptr[1] == 'x') {
        byte = hex_digits(span_from(text, 2), 2);
        if (byte < 0)
            return read_itself(text, out, out_len);
        out[0] = (char)byte;
        *out_len = 1;
        return 4;
    }
    out[0] = bytes[(unsigned char)text.ptr[1]];
    if (out[0] == '\0')
        return read_itself(text, out, out_len);
    *out_len = 1;
    return 2;
}

/* What the outer escapes stand for is read as escapes again: as much of it as one escape may have. */
static size_t read_escape_twice(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    char inner[16], unit[SECRET_FORM_UNIT];
    size_t used[sizeof inner], len = 0, at = 0;

    while (len + SECRET_FORM_UNIT <= sizeof inner && at < text.len) {
        size_t unit_len, step = text.ptr[at] == '\\' ? read_escape(span_from(text, at), unit, &unit_len)
                                                     : read_itself(span_from(text, at), unit, &unit_len);

        at += step;
        for (size_t i = 0; i < unit_len; i++) {
            inner[len] = unit[i];
            used[len++] = at;
        }
        if (inner[0] != '\\') {
            memcpy(out, inner, len);
            *out_len = len;
            return at;
        }
    }
    return used[read_escape(span_make(inner, len), out, out_len) - 1];
}

static size_t read_entity(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    static const struct {
        struct span name;
        char byte;
    } rows[] = { { SPAN("&amp;"), '&' },
                 { SPAN("&lt;"), '<' },
                 { SPAN("&gt;"), '>' },
                 { SPAN("&quot;"), '"' },
                 { SPAN("&apos;"), '\'' } };
    bool is_hex = text.len > 2 && (text.ptr[2] == 'x' || text.ptr[2] == 'X');
    size_t i = is_hex ? 3 : 2, begin = i;
    long code = 0;

    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        if (span_starts(text, rows[row].name)) {
            out[0] = rows[row].byte;
            *out_len = 1;
            return rows[row].name.len;
        }
    }
    if (text.len < 4 || text.ptr[1] != '#')
        return read_itself(text, out, out_len);
    for (; i < text.len && i < begin + 7 && hex(text.ptr[i]) >= 0 && (is_hex || hex(text.ptr[i]) < 10); i++)
        code = code * (is_hex ? 16 : 10) + hex(text.ptr[i]);
    if (i == begin || i == text.len || text.ptr[i] != ';' || code > 0x10ffff)
        return read_itself(text, out, out_len);
    *out_len = utf8_put(out, (unsigned)code);
    return i + 1;
}

static size_t read_latin1(struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    if (text.len < 2 || ((unsigned char)text.ptr[1] & 0xc0) != 0x80)
        return read_itself(text, out, out_len);
    out[0] = (char)(((unsigned char)text.ptr[0] & 0x03) << 6 | ((unsigned char)text.ptr[1] & 0x3f));
    *out_len = 1;
    return 2;
}

size_t secret_form_read(enum secret_form form, struct span text, char out[SECRET_FORM_UNIT], size_t *out_len)
{
    if ((secret_form_specials[(unsigned char)text.ptr[0]] & BIT(form)) == 0)
        return read_itself(text, out, out_len);
    switch (form) {
    case SECRET_FORM:
        if (text.ptr[0] == '+') {
            out[0] = ' ';
            *out_len = 1;
            return 1;
        }
        return read_percent(text, out, out_len);
    case SECRET_PERCENT:
        return read_percent(text, out, out_len);
    case SECRET_ESCAPED:
        return read_escape(text, out, out_len);
    case SECRET_ESCAPED_TWICE:
        return read_escape_twice(text, out, out_len);
    case SECRET_HTML:
        return read_entity(text, out, out_len);
    case SECRET_LATIN1:
        return read_latin1(text, out, out_len);
    case SECRET_RAW:
    case SECRET_BASE64:
    case SECRET_FORM_COUNT:
        break;
    }
    return read_itself(text, out, out_len);
}

/* --- base64 -------------------------------------------------------------------------------------------- */

int secret_form_read_sextet(struct span text, size_t *out_used)
{
    char unit[SECRET_FORM_UNIT] = { '\0' };
    size_t len = 1;
    int sextet;

    if (text.len == 0)
        return SECRET_SEXTET_NONE;
    sextet = secret_form_sextet(text.ptr[0]);
    *out_used = 1;
    if (sextet >= 0)
        return sextet;
    unit[0] = text.ptr[0];
    if (unit[0] == '%')
        *out_used = read_percent(text, unit, &len);
    else if (unit[0] == '\\')
        *out_used = read_escape_twice(text, unit, &len);
    else if (unit[0] == '&')
        *out_used = read_entity(text, unit, &len);
    if (len != 1)
        return SECRET_SEXTET_NONE;
    if (unit[0] == '\r' || unit[0] == '\n')
        return SECRET_SEXTET_BREAK;
    return unit[0] == '=' ? SECRET_SEXTET_PAD : secret_form_sextet(unit[0]);
}

/* \\\\u002b is the longest. */
#define MAX_SEXTET_BYTES 7

/* What ends before end: where it begins; end itself: nothing of base64. The escapes end in characters of
 * base64, so the longest comes first: the last of "%2b" is no b. */
static size_t unit_before(struct span text, size_t end, int *out_sextet)
{
    for (size_t len = end < MAX_SEXTET_BYTES ? end : MAX_SEXTET_BYTES; len != 0; len--) {
        size_t used;

        *out_sextet = secret_form_read_sextet(span_sub(text, end - len, len), &used);
        if ((*out_sextet >= 0 || *out_sextet == SECRET_SEXTET_BREAK) && used == len)
            return end - len;
    }
    return end;
}

size_t secret_form_sextet_before(struct span text, size_t at)
{
    size_t least = at > SECRET_SEXTET_LOOK_BACK ? at - SECRET_SEXTET_LOOK_BACK : 0, end = at, begin;
    int sextet;

    while ((begin = unit_before(text, end, &sextet)) < end && begin >= least) {
        if (sextet >= 0)
            return begin;
        end = begin;
    }
    return SIZE_MAX;
}
