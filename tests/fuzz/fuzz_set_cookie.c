/* Set-Cookie and Cookie lines of any bytes, into one jar; the first byte says from where. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/jar.h"

#define NOW_US (1795305600ull * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct jar_request requests[] = {
        { .scheme = SPAN("https"), .host = SPAN("www.shop.test"), .path = SPAN("/a/b") },
        { .scheme = SPAN("http"), .host = SPAN("127.0.0.1"), .path = SPAN("/") },
        { .scheme = SPAN("http"), .host = SPAN("xn--bcher-kva.example"), .path = SPAN("") },
    };
    struct span rest = span_make(bytes, size), line, name, value;
    struct jar *jar = jar_new();
    struct strbuf out = STRBUF_EMPTY;
    struct err err;

    while (span_split(&rest, '\n', &line)) {
        const struct jar_request *request;

        if (line.len == 0)
            continue;
        request = &requests[(unsigned char)line.ptr[0] % 3];
        line = span_from(line, 1);
        jar_add_set(jar, request, NOW_US, line, &err); /* refused lines are the better half of the game */
        while (cookie_next(&line, &name, &value))
            jar_add_sent(jar, request, NOW_US, name, value);
        jar_for_url(jar, request, NOW_US, &out);
        strbuf_reset(&out);
    }
    strbuf_clear(&out);
    jar_free(jar);
    return 0;
}
