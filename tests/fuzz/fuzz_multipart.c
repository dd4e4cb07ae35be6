/* The boundary up to the first newline, then a body: every value taken lies within the body. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/export/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct span body = span_make(bytes, size), boundary;
    struct multipart_part parts[8];
    size_t count = 0;

    if (!span_split(&body, '\n', &boundary) || !multipart_parse(body, boundary, parts, 8, &count))
        return 0;
    if (count == 0 || count > 8)
        abort();
    for (size_t i = 0; i < count; i++)
        if (parts[i].value.ptr < body.ptr || parts[i].value.ptr + parts[i].value.len > body.ptr + body.len)
            abort();
    return 0;
}
