/* unescape: the bytes that a playbook writes as \r \n \t \\ \xNN. */
#ifndef WEIR_TESTS_UNESCAPE_H
#define WEIR_TESTS_UNESCAPE_H

#include <stdlib.h>

#include "proxy/base/strbuf.h"

static inline int unescape_hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static inline void unescape(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\' || i + 1 == text.len) {
            strbuf_add_char(out, text.ptr[i]);
            continue;
        }
        switch (text.ptr[++i]) {
        case 'r':
            strbuf_add_char(out, '\r');
            break;
        case 'n':
            strbuf_add_char(out, '\n');
            break;
        case 't':
            strbuf_add_char(out, '\t');
            break;
        case 'x':
            if (i + 2 >= text.len)
                abort();
            strbuf_add_char(out, (char)(unescape_hex(text.ptr[i + 1]) * 16 + unescape_hex(text.ptr[i + 2])));
            i += 2;
            break;
        default:
            strbuf_add_char(out, text.ptr[i]);
            break;
        }
    }
}

#endif
