/* A HAR of any bytes: whatever it is, it is read to its end, and its sound entries are told. */
#include "tests/fuzz/import_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    target_read(bytes, size, har_read);
    return 0;
}
