/* Whatever reads as a date is one between 1601 and 9999. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/set_cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int64_t unix_s;

    if (cookie_date_parse(span_make(bytes, size), &unix_s) &&
        (unix_s < -11644473600 || unix_s > COOKIE_LAST_SECOND))
        abort();
    return 0;
}
