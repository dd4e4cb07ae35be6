#include "proxy/base/base64.h"

void base64_group(const unsigned char *in, unsigned len, char out_four[4])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)in[0] << 16 | (len > 1 ? (unsigned)in[1] << 8 : 0) | (len > 2 ? in[2] : 0);

    out_four[0] = digits[bits >> 18];
    out_four[1] = digits[bits >> 12 & 63];
    out_four[2] = len > 1 ? digits[bits >> 6 & 63] : '=';
    out_four[3] = len > 2 ? digits[bits & 63] : '=';
}

void base64_add(struct strbuf *out, struct span bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char four[4];

    for (size_t i = 0; i < bytes.len; i += 3) {
        base64_group(in + i, bytes.len - i < 3 ? (unsigned)(bytes.len - i) : 3, four);
        strbuf_add(out, span_make(four, sizeof four));
    }
}

static bool digit_value(char c, unsigned *out_value)
{
    if (c >= 'A' && c <= 'Z')
        *out_value = (unsigned)(c - 'A');
    else if (c >= 'a' && c <= 'z')
        *out_value = (unsigned)(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
        *out_value = (unsigned)(c - '0') + 52;
    else if (c == '+' || c == '/')
        *out_value = c == '+' ? 62 : 63;
    else
        return false;
    return true;
}

bool base64_read(struct strbuf *out, struct span text)
{
    unsigned bits = 0, value;

    if (text.len != 0 && text.len % 4 == 0 && text.ptr[text.len - 1] == '=')
        text.len -= text.ptr[text.len - 2] == '=' ? 2 : 1;
    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!digit_value(text.ptr[i], &value))
            return false;
        bits = bits << 6 | value;
        /* Of four digits the first completes no byte, each other one. */
        if (i % 4 != 0)
            strbuf_add_char(out, (char)(unsigned char)(bits >> (6 - 2 * (i % 4))));
    }
    return true;
}
