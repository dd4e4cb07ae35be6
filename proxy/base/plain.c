#include "proxy/base/plain.h"

#include <stdint.h>

static uint64_t eight_times(unsigned char byte)
{
    return UINT64_C(0x0101010101010101) * byte;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The high bits tell: all are 0 when all eight bytes are plain, and not all are 0 when one is not. A byte's
 * own high bit says that it is no ASCII; else a subtraction borrows from it where it is below what is taken
 * off, which after the xor means that it is equal. */
static uint64_t odd_of(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word | (word - eight_times(0x20)) | ((word ^ eight_times('"')) - eight_times(1)) |
           ((word ^ eight_times('\\')) - eight_times(1));
}

bool plain_is_all(struct span bytes)
{
    uint64_t odd = 0;

    if (bytes.len < 8) {
        for (size_t i = 0; i < bytes.len; i++)
            if (!is_plain((unsigned char)bytes.ptr[i]))
                return false;
        return true;
    }
    for (size_t i = 0; i + 8 < bytes.len; i += 8)
        odd |= odd_of(bytes.ptr + i);
    odd |= odd_of(bytes.ptr + bytes.len - 8);
    return (odd & eight_times(0x80)) == 0;
}

size_t plain_prefix(struct span bytes)
{
    size_t plain = 0;

    while (plain + 8 <= bytes.len && (odd_of(bytes.ptr + plain) & eight_times(0x80)) == 0)
        plain += 8;
    while (plain < bytes.len && is_plain((unsigned char)bytes.ptr[plain]))
        plain++;
    return plain;
}
