#include "proxy/base/uid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_BYTES 10 /* of a uid */

static void refill(struct uid_maker *maker)
{
    size_t filled = 0;

    while (filled < sizeof maker->random) {
        ssize_t n = getrandom(maker->random + filled, sizeof maker->random - filled, 0);
        if (n < 0 && errno != EINTR) {
            fputs("weir: the system gives no random bytes\n", stderr);
            abort();
        }
        filled += n > 0 ? (size_t)n : 0;
    }
    maker->left = sizeof maker->random;
}

void uid_make(struct uid_maker *maker, uint64_t wall_us, unsigned char out_uid[UID_BYTES])
{
    uint64_t ms = wall_us / 1000;

    if (maker->left < RANDOM_BYTES)
        refill(maker);
    for (int i = 0; i < 6; i++)
        out_uid[i] = (unsigned char)(ms >> (40 - 8 * i));
    memcpy(out_uid + 6, maker->random + sizeof maker->random - maker->left, RANDOM_BYTES);
    maker->left -= RANDOM_BYTES;
    out_uid[6] = (unsigned char)(0x70 | (out_uid[6] & 0x0f));
    out_uid[8] = (unsigned char)(0x80 | (out_uid[8] & 0x3f));
}

void uid_text(const unsigned char uid[UID_BYTES], char out_text[UID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *to = out_text;

    for (int i = 0; i < UID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[uid[i] >> 4];
        *to++ = digits[uid[i] & 0x0f];
    }
    *to = '\0';
}
