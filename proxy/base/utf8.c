#include "proxy/base/utf8.h"

/* Opens a code point by its first byte: Table 3-7 of Unicode, which RFC 3629 §4 repeats. */
static void begin_code_point(struct utf8_check *check, unsigned char c)
{
    check->low = 0x80;
    check->high = 0xbf;
    if (c < 0x80) {
        check->expected = 0;
    } else if (c >= 0xc2 && c <= 0xdf) {
        check->expected = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        check->expected = 2;
        check->low = c == 0xe0 ? 0xa0 : 0x80;
        check->high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        check->expected = 3;
        check->low = c == 0xf0 ? 0x90 : 0x80;
        check->high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        check->is_wrong = true;
    }
}

/* How many bytes at the front are ASCII, by eights: most text is. */
static size_t ascii_front(struct span bytes)
{
    uint64_t eight;
    size_t len = 0;

    for (; bytes.len - len >= sizeof eight; len += sizeof eight) {
        memcpy(&eight, bytes.ptr + len, sizeof eight);
        if ((eight & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return len;
}

void utf8_check_feed(struct utf8_check *check, struct span bytes)
{
    for (size_t i = 0; i < bytes.len && !check->is_wrong; i++) {
        unsigned char c;

        if (check->expected == 0)
            i += ascii_front(span_from(bytes, i));
        if (i == bytes.len)
            break;
        c = (unsigned char)bytes.ptr[i];
        if (check->expected == 0) {
            begin_code_point(check, c);
        } else if (c < check->low || c > check->high) {
            check->is_wrong = true;
        } else {
            check->expected--;
            check->low = 0x80;
            check->high = 0xbf;
        }
    }
}

bool utf8_check_is_text(const struct utf8_check *check)
{
    return !check->is_wrong && check->expected == 0;
}

bool utf8_is_valid(struct span bytes)
{
    struct utf8_check check = { .expected = 0 };

    utf8_check_feed(&check, bytes);
    return utf8_check_is_text(&check);
}

size_t utf8_front(struct span bytes)
{
    for (size_t len = 1; len <= 4 && len <= bytes.len; len++)
        if (utf8_is_valid(span_sub(bytes, 0, len)))
            return len;
    return 0;
}

struct span utf8_whole(struct span bytes)
{
    for (size_t cut = 1; cut <= 3 && cut <= bytes.len; cut++) {
        unsigned char c = (unsigned char)bytes.ptr[bytes.len - cut];

        if (c >= 0xc0) {
            size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            return need > cut ? span_sub(bytes, 0, bytes.len - cut) : bytes;
        }
        if (c < 0x80)
            break;
    }
    return bytes;
}

size_t utf8_put(char out[UTF8_MAX_BYTES], unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}
