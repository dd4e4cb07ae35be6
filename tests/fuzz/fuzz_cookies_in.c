/* A cookie file of any bytes, JSON or lines. */
#include "tests/fuzz/import_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    target_read(bytes, size, cookies_read);
    return 0;
}
