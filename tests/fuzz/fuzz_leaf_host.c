/* Any bytes a client may call its origin: refused, or brought to a form that stays as it is. */
#include <stdlib.h>

#include "certs/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char host[LEAF_HOST_BYTES];
    char again[LEAF_HOST_BYTES];
    struct err err;

    if (!leaf_host_normalize(span_make(bytes, len), host, &err))
        return 0;
    if (strpbrk(host, "*/ @[]%\n") != NULL || !leaf_host_normalize(span_of(host), again, &err) ||
        strcmp(host, again) != 0)
        abort();
    return 0;
}
