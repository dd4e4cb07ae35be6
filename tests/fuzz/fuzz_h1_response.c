/* Responses, the same as fuzz_h1_request. The first byte chooses what they answer. */
#include <stdint.h>

#include "tests/fuzz/h1_differ.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const methods[] = { "GET", "HEAD GET HEAD", "CONNECT", "HEAD CONNECT" };

    if (len != 0)
        h1_differ(HTTP_RESPONSE, span_of(methods[data[0] % 4]), span_make(data + 1, len - 1));
    return 0;
}
