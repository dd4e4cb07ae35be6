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
