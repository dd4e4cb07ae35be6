/* Requests: whole, byte by byte and with pauses the same is told, and so it is once written out and read
 * again. */
#include <stdint.h>

#include "tests/fuzz/h1_differ.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    h1_differ(HTTP_REQUEST, SPAN_NONE, span_make(data, len));
    return 0;
}
