#include "proxy/base/find.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* For whatever such a vector is on the machine. */
typedef unsigned char block __attribute__((vector_size(16)));

static block block_of(unsigned char c)
{
    return (block){ c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c };
}

/* Setting this bit makes both cases of a letter the lower one, and nothing else a letter. */
static unsigned char case_bit(char c)
{
    return c >= 'a' && c <= 'z' ? 'a' - 'A' : 0;
}

/* One byte of the part, as it is looked for in a block. */
struct probe {
    block fold, wanted;
};

static struct probe probe_of(char c)
{
    return (struct probe){ block_of(case_bit(c)), block_of((unsigned char)c) };
}

static block probe_at(const struct probe *probe, const char *at)
{
    block bytes;

    memcpy(&bytes, at, sizeof bytes);
    return (block)((bytes | probe->fold) == probe->wanted);
}

static bool is_clear(block marks)
{
    uint64_t halves[2];

    memcpy(halves, &marks, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

static bool is_at(struct span part, const char *at)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + ('a' - 'A')) : at[i];
        if (c != part.ptr[i])
            return false;
    }
    return true;
}

/* Places where the part's first byte has its last one the right way behind it are few: only there all of it
 * is compared. */
size_t find_any_case(struct span text, struct span part)
{
    size_t behind, places, i = 0;
    struct probe first, last;

    if (part.len == 0 || part.len > text.len)
        return part.len == 0 ? 0 : FIND_NOWHERE;
    behind = part.len - 1;
    places = text.len - behind;
    first = probe_of(part.ptr[0]);
    last = probe_of(part.ptr[behind]);
    for (; places - i >= sizeof(block); i += sizeof(block)) {
        block marks = probe_at(&first, text.ptr + i) & probe_at(&last, text.ptr + i + behind);
        if (is_clear(marks))
            continue;
        for (size_t k = 0; k < sizeof(block); k++) {
            if (marks[k] != 0 && is_at(part, text.ptr + i + k))
                return i + k;
        }
    }
    for (; i < places; i++) {
        if (is_at(part, text.ptr + i))
            return i;
    }
    return FIND_NOWHERE;
}
